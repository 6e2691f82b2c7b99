//! Several jobs in one report, each on its own time axis, and siblings in one row.

use serde_json::json;

use super::browser::{drive, drive_view, View};
use super::fixture::{op, span, Fixture, TRACE};
use super::trial::{trial, CAUSE};

fn page() -> String {
    trial().graph().to_html()
}

#[test]
fn the_head_says_how_many_jobs_there_are_and_one_can_be_picked() {
    let scenario = r##"
        const head = () => [at("h1").textContent, at("#job-outcome").textContent, texts("#job-facts li")[0], texts("#job-facts li").includes("45 spans")];
        const all = head(), options = texts("#job option");
        change("#job", "3");
        const picked = [head(), titles(), chosen(), texts(".tick").slice(0, 2)];
        change("#job", "1");
        const failed = [head(), titles()[0], chosen()];
        at("#tree").focus();
        press("Home");
        change("#job", "");
        return { all, options, picked, failed, back: [titles().length > 20, chosen()], title: document.title };
    "##;
    let Some(seen) = drive(&page(), scenario) else { return };
    assert_eq!(seen["title"], "4 jobs: 1 failed, 1 running");
    assert_eq!(
        seen["all"],
        json!(["4 jobs: 1 failed, 1 running", "failed", "2026-01-02 03:04:05 UTC", true])
    );
    let options = [
        "All jobs",
        "job.plan (plan-6) – ok",
        "job.apply (apply-7) – failed",
        "job.smoke (smoke-8) – running",
        "job.clean-up (clean-up-9) – ok",
    ];
    assert_eq!(seen["options"], json!(options));
    let clean_up = json!(["job.clean-up (clean-up-9)", "ok", "12.00 s", false]);
    let rows = ["job.clean-up (clean-up-9)", "kubectl delete"];
    assert_eq!(seen["picked"], json!([clean_up, rows, rows[0], ["0", "5 s"]]));
    assert_eq!(
        seen["failed"],
        json!([["job.apply (apply-7)", "failed", "1m 30s", false], "job.apply (apply-7)", CAUSE])
    );
    assert_eq!(seen["back"], json!([true, CAUSE]));
}

#[test]
fn each_job_has_its_own_time_axis() {
    let scenario = r##"
        const share = (title) => {
            const [bar, lane] = [row(title).querySelector(".bar"), row(title).querySelector(".lane")].map((found) => found.getBoundingClientRect());
            return [(bar.left - lane.left) / lane.width, bar.width / lane.width].map((one) => Math.round(one * 100));
        };
        const jobs = ["job.plan (plan-6)", "job.apply (apply-7)", "job.smoke (smoke-8)", "job.clean-up (clean-up-9)"].map(share);
        const note = at("#ticks").textContent, inside = share("kubectl delete");
        row("kubectl delete").click();
        return { jobs, note, inside, time: texts("#records .time") };
    "##;
    let Some(seen) = drive(&page(), scenario) else { return };
    assert_eq!(seen["jobs"], json!([[0, 100], [0, 100], [0, 100], [0, 100]]));
    assert_eq!(seen["note"], "each job on its own axis");
    assert_eq!(seen["inside"], json!([1, 16]));
    // After the start of its job, not of the first one.
    assert_eq!(seen["time"], json!(["+1.900 s"]));
}

#[test]
fn an_address_of_another_job_leads_there() {
    let scenario = r##"
        change("#job", "0");
        const before = titles().length;
        location.hash = "#span=000000000000002d";
        await wait();
        return [before, chosen(), at("#job").value];
    "##;
    let Some(seen) = drive(&page(), scenario) else { return };
    assert_eq!(seen, json!([5, "kubectl delete", ""]));
}

#[test]
fn alike_siblings_are_one_row_in_which_the_failed_ones_stay_visible() {
    let scenario = r##"
        const group = () => row("terraform apply ×26");
        const members = () => tree.rows.map((index) => nodes[index].title).filter((title) => title.startsWith("terraform apply ("));
        const folded = [group().getAttribute("aria-expanded"), group().querySelector(".word").textContent, members()];
        group().click();
        const table = [texts("#about th"), texts("#about .members tbody tr").slice(0, 2), texts("#about .members tbody tr").length];
        const records = [listed.rows.length, texts('#records [aria-current="true"] .body').length];
        at("#tree").focus();
        press("ArrowRight");
        const open = members().length;
        press("ArrowRight");
        const first = chosen();
        press("ArrowLeft"); press("ArrowLeft");
        const closed = members().length;
        await type("prod-eu-05");
        const hits = group().querySelector(".c-hit").textContent;
        press("n");
        return { folded, table, records, open, first, closed, hits, found: chosen() };
    "##;
    let Some(seen) = drive(&page(), scenario) else { return };
    let failed = [CAUSE, "terraform apply (prod-eu-23)"];
    assert_eq!(seen["folded"], json!(["false", "2 failed, slowest prod-eu-23 1m 10s", failed]));
    let slowest = ["timed outterraform apply (prod-eu-23)1m 10s", "okterraform apply (prod-eu-05)49.59 s"];
    assert_eq!(seen["table"], json!([["Outcome", "Span", "Duration"], slowest, 26]));
    assert_eq!(seen["records"], json!([256, 1]));
    assert_eq!((&seen["open"], &seen["closed"]), (&json!(26), &json!(2)));
    assert_eq!(seen["first"], "terraform apply (prod-eu-01)");
    assert_eq!((&seen["hits"], &seen["found"]), (&json!("1 hit"), &json!("terraform apply (prod-eu-05)")));
}

#[test]
fn attempts_are_one_row_that_says_which_one_succeeded() {
    let scenario = r##"
        const attempts = row("git fetch");
        const folded = [attempts.querySelector(".word").textContent, titles().filter((title) => title === "git fetch").length];
        attempts.querySelector(".twist").dispatchEvent(new MouseEvent("click", { bubbles: true }));
        const words = [...document.querySelectorAll("#tree .row")].filter((row) => row.querySelector(".title").textContent === "git fetch")
            .map((row) => row.querySelector(".word")?.textContent ?? "");
        return { folded, words };
    "##;
    let Some(seen) = drive(&page(), scenario) else { return };
    assert_eq!(seen["folded"], json!(["ok at the 3rd attempt", 1]));
    assert_eq!(seen["words"], json!(["ok at the 3rd attempt", "failed, recovered", "failed, recovered", ""]));
}

#[test]
fn attempts_are_folded_within_siblings_that_are_alike() {
    let mut fixture = Fixture::default();
    let job = fixture.add(0, 0, 900, span("job.pull"));
    for table in 0..3 {
        let pull = || op("oci", "pull").with("op.label", &format!("image-{table}"));
        if table == 1 {
            fixture.add(job, 10, 20, pull().failed("reset"));
        }
        fixture.add(job, 30 + table, 90, pull());
    }
    let graph = fixture.graph();
    let scenario = r##"
        const levels = () => [...document.querySelectorAll("#tree .row")].map((row) => row.getAttribute("aria-level") + " " + row.querySelector(".title").textContent);
        const folded = levels();
        at("#expand").click();
        return { folded, open: levels() };
    "##;
    let Some(seen) = drive(&graph.to_html(), scenario) else { return };
    let rows = [
        "1 job.pull",
        "2 oci pull ×3",
        "3 oci pull (image-1)",
        "3 oci pull (image-0)",
        "3 oci pull (image-2)",
    ];
    assert_eq!(seen["folded"], json!(rows));
    assert_eq!(seen["open"][2], "3 oci pull (image-1)");
    assert_eq!(seen["open"][3], "4 oci pull (image-1)");
    assert_eq!(seen["open"].as_array().unwrap().len(), 7);
}

/// Three requests an hour apart, in traces of their own, are not one run of two hours.
#[test]
fn traces_without_a_job_are_told_apart() {
    let mut fixture = Fixture::default();
    for request in 0..3 {
        let at = request * 3_600_000;
        let get = span("GET /checkout").in_trace(TRACE + 1 + u128::from(request));
        fixture.add(0, at, at + 40, if request == 1 { get.failed("503") } else { get });
    }
    let scenario = r##"return [document.title, at("h1").textContent, texts("#job-facts li").some((fact) => fact.includes("m ")), texts(".took"), texts("#job option")[0], at("#job").labels[0].textContent.trim().split(" ")[0]];"##;
    let view = View { size: (400, 800), ..View::default() };
    let Some(seen) = drive_view(&fixture.graph().to_html(), scenario, &view) else { return };
    let title = "3 traces: 1 failed";
    assert_eq!(seen, json!([title, title, false, ["40.0 ms", "40.0 ms", "40.0 ms"], "All traces", "Trace"]));
}
