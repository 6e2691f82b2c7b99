//! What a user of a report does and sees.

use serde_json::json;

use super::browser::{drive, drive_view, View};
use super::fixture;
use crate::graph::format_nanoseconds;

fn everything() -> String {
    fixture::everything().graph().to_html()
}

#[test]
fn a_click_on_a_span_shows_its_records_and_no_others() {
    let scenario = r##"
        row("git clone").click();
        const clone = { chosen: chosen(), bodies: bodies(), heading: at("#about h2").textContent };
        row("terraform plan").click();
        const plan = { bodies: bodies().length, message: at("#about .message").textContent };
        at("#records .record .line").click();
        const opened = { body: at("#records .more pre").textContent, facts: texts("#records .more .pairs dd") };
        row("aws describe-subnets").click();
        return { clone, plan, opened, none: [bodies(), at("#no-records").textContent] };
    "##;
    let Some(seen) = drive(&everything(), scenario) else { return };
    assert_eq!(seen["clone"]["chosen"], "git clone");
    assert_eq!(seen["clone"]["heading"], "git clone");
    assert_eq!(
        seen["clone"]["bodies"],
        json!([
            "Cloning into 'modules'...",
            "remote: Counting objects: 100% (1284/1284)",
            "warning: redirecting to another host"
        ])
    );
    assert_eq!(seen["plan"], json!({"bodies": 2, "message": "exit status 1\nError: no such subnet"}));
    let body = seen["opened"]["body"].as_str().unwrap();
    assert!(body.starts_with("Error: no such subnet\n\n  on main.tf line 12"), "{body}");
    let facts =
        ["2026-01-02 03:05:05.800250000 UTC", "runner::steps", "terraform.diagnostic", "terraform plan"];
    assert_eq!(seen["opened"]["facts"], json!(facts));
    assert_eq!(seen["none"], json!([[], "Nothing was logged here."]));
}

#[test]
fn records_are_a_spans_own_or_with_its_descendants() {
    let scenario = r##"
        row("step.fetch").click();
        const all = bodies();
        at("#own").click();
        const own = bodies();
        row("job.deploy (exec-7f3a)").click();
        const job = bodies();
        at("#all").click();
        return { all, own, job, jobAll: bodies().length, tabs: [at("#own").textContent, at("#all").textContent] };
    "##;
    let Some(seen) = drive(&everything(), scenario) else { return };
    assert_eq!(seen["all"].as_array().unwrap().len(), 5);
    assert_eq!(seen["own"], json!(["workspace is empty"]));
    assert_eq!(seen["job"], json!(["job deploy begins"]));
    assert_eq!(seen["jobAll"], 10);
    assert_eq!(seen["tabs"], json!(["Own 1", "With descendants 51"]));
}

#[test]
fn the_level_filter_hides_lesser_records_and_says_how_many() {
    let scenario = r##"
        row("job.deploy (exec-7f3a)").click();
        const seen = {};
        for (const [level, name] of levels.entries()) {
            choose(level);
            seen[name] = [texts("#records .level"), at("#left-out").textContent];
        }
        return seen;
    "##;
    let Some(seen) = drive(&everything(), scenario) else { return };
    let all = ["info", "debug", "trace", "info", "info", "warn", "info", "error", "fatal", "—"];
    assert_eq!(seen["unspecified"], json!([all, "41 counted, not stored"]));
    assert_eq!(seen["trace"][0], json!(all[..9]));
    assert_eq!(
        seen["info"],
        json!([
            ["info", "info", "info", "warn", "info", "error", "fatal"],
            "3 hidden by the filter, 41 counted, not stored"
        ])
    );
    assert_eq!(seen["warn"][0], json!(["warn", "error", "fatal"]));
    assert_eq!(seen["fatal"][0], json!(["fatal"]));
}

#[test]
fn the_search_counts_hits_marks_them_and_goes_from_one_to_the_next() {
    let scenario = r##"
        row("job.deploy (exec-7f3a)").click();
        at("#collapse").click();
        await type("SUBNET");
        const count = at("#hits").textContent, folded = at("#tree .c-hit").textContent;
        const way = [];
        for (let hit = 0; hit < 4; hit++) {
            at("#next").click();
            way.push([at("#hits").textContent, chosen(), texts('.record[aria-selected="true"] mark')[0] ?? null]);
        }
        at("#previous").click();
        const back = at("#hits").textContent;
        const marks = texts("#tree mark");
        await type("(no [such");
        const none = [at("#hits").textContent, at("#next").disabled];
        await type("terraform exited");
        row("terraform plan").click();
        at("#only-hits").click();
        const only = bodies();
        choose(6);
        const filtered = at("#hits").textContent;
        await type("no such subnet");
        return { count, folded, way, back, marks, none, only, filtered: [filtered, at("#hits").textContent] };
    "##;
    let Some(seen) = drive(&everything(), scenario) else { return };
    assert_eq!(seen["count"], "3 hits");
    assert_eq!(seen["folded"], "3 hits");
    let plan = json!(["1 of 3 hits", "terraform plan", null]);
    assert_eq!(
        seen["way"],
        json!([
            plan,
            ["2 of 3 hits", "terraform plan", "subnet"],
            ["3 of 3 hits", "aws describe-subnets", null],
            plan
        ])
    );
    assert_eq!(seen["back"], "3 of 3 hits");
    assert_eq!(seen["marks"], json!(["subnet"]));
    assert_eq!(seen["none"], json!(["no hits", true]));
    assert_eq!(seen["only"], json!(["terraform exited with 1"]));
    // That of the span stays; of the records, those that the level hides are no hits.
    assert_eq!(seen["filtered"], json!(["1 hit", "1 hit"]));
}

#[test]
fn every_way_through_the_report_has_a_key() {
    let scenario = r##"
        const tree = at("#tree"), seen = [];
        const after = (...keys) => { keys.forEach(press); seen.push(keys.join(" ") + ": " + chosen()); };
        tree.focus();
        after("Home");
        after("ArrowDown", "ArrowRight");
        after("ArrowRight");
        after("ArrowLeft");
        after("ArrowLeft", "ArrowDown");
        after("End");
        after("f");
        after("F");
        after("Home", "c", "ArrowDown");
        after("e", "f", "ArrowUp");
        press("Enter");
        const records = [document.activeElement.id, at('#records [aria-selected="true"] .body')?.textContent ?? null];
        press("ArrowDown"); press("Enter");
        const open = texts('#records [aria-expanded="true"] .body');
        press("Escape");
        const back = document.activeElement.id;
        press("o");
        const own = at("#own").getAttribute("aria-pressed");
        press("/");
        const search = document.activeElement.id;
        await type("http");
        press("Enter");
        const entered = at("#hits").textContent;
        press("Escape");
        const cleared = [at("#query").value, at("#hits").textContent, document.activeElement.id];
        press("?");
        const help = at("#help").open;
        at("#help").close();
        press("z");
        const zoomed = !at("#whole").hidden;
        press("z");
        const roles = row("step.plan");
        return { seen, records, open, back, own, search, entered, cleared, help, zoomed: [zoomed, at("#whole").hidden],
            role: [tree.getAttribute("role"), roles.getAttribute("role"), roles.getAttribute("aria-level"),
                roles.getAttribute("aria-expanded"), roles.getAttribute("aria-posinset"), roles.getAttribute("aria-setsize")],
            active: tree.getAttribute("aria-activedescendant") === at('#tree [aria-selected="true"]').id };
    "##;
    let Some(seen) = drive(&everything(), scenario) else { return };
    assert_eq!(
        seen["seen"],
        json!([
            "Home: job.deploy (exec-7f3a)",
            "ArrowDown ArrowRight: runner workspace",
            "ArrowRight: git clone",
            "ArrowLeft: runner workspace",
            "ArrowLeft ArrowDown: cache restore",
            "End: Records outside any span",
            "f: aws describe-subnets",
            "F: helm test",
            "Home c ArrowDown: Records outside any span",
            "e f ArrowUp: terraform plan"
        ])
    );
    assert_eq!(seen["records"][0], "records");
    assert_eq!(seen["open"], json!(["terraform exited with 1"]));
    assert_eq!(seen["back"], "tree");
    assert_eq!(seen["own"], "true");
    assert_eq!(seen["search"], "query");
    // The first at or after the span that is selected.
    assert_eq!(seen["entered"], "2 of 2 hits");
    assert_eq!(seen["cleared"], json!(["", "", "tree"]));
    assert_eq!(seen["help"], true);
    assert_eq!(seen["zoomed"], json!([true, true]));
    assert_eq!(seen["role"], json!(["tree", "treeitem", "2", "true", "2", "3"]));
    assert_eq!(seen["active"], true);
}

#[test]
fn the_failure_where_it_began_is_selected_and_outcomes_are_told_apart() {
    let scenario = r##"
        const first = chosen();
        row("step.fetch").click();
        at("#failure").click();
        const words = Object.fromEntries([...document.querySelectorAll("#tree .row")].map((row) =>
            [row.querySelector(".title").textContent,
             [row.querySelector(".word")?.textContent ?? "", row.querySelector(".outcome .icon")?.classList[1] ?? ""]]));
        return { first, again: chosen(), words, job: at("#job-outcome").textContent, notes: texts("#notes li") };
    "##;
    let Some(seen) = drive(&everything(), scenario) else { return };
    assert_eq!(seen["first"], "aws describe-subnets");
    assert_eq!(seen["again"], "aws describe-subnets");
    assert_eq!(seen["job"], "failed");
    assert_eq!(seen["notes"], json!(["3 older spans were dropped"]));
    for (title, word, icon) in [
        ("job.deploy (exec-7f3a)", "failed inside", "i-failed"),
        ("step.probes", "failed inside", "i-inside"),
        ("step.fetch", "", "i-ok"),
        ("aws describe-subnets", "timed out", "i-timed-out"),
        ("kubectl wait", "cancelled", "i-cancelled"),
        ("helm test", "panicked, recovered", "i-panicked"),
        ("docker inspect", "dropped", "i-dropped"),
        ("helm upgrade", "running", "i-running"),
        ("cache restore", "skipped", "i-skipped"),
    ] {
        assert_eq!(seen["words"][title], json!([word, icon]), "{title}");
    }
}

#[test]
fn a_failure_that_its_step_got_over_comes_after_the_one_that_ended_the_job() {
    let mut fixture = fixture::Fixture::default();
    let job = fixture.add(0, 0, 90, fixture::span("job.build").failed("step test"));
    let fetch = fixture.add(job, 1, 20, fixture::span("step.fetch"));
    fixture.add(fetch, 2, 3, fixture::op("git", "log").failed("no commits"));
    let test = fixture.add(job, 30, 90, fixture::span("step.test").failed("exit status 3"));
    fixture.add(test, 40, 90, fixture::op("sh", "run").failed("exit status 3"));
    let scenario = r##"
        const first = chosen();
        at("#tree").focus();
        press("F");
        return [first, chosen()];
    "##;
    let Some(seen) = drive(&fixture.graph().to_html(), scenario) else { return };
    assert_eq!(seen, json!(["sh run", "git log"]));
}

#[test]
fn runner_spans_can_be_hidden_and_their_children_and_records_move_up() {
    let scenario = r##"
        const seen = () => [titles().slice(1, 5), row("git clone").getAttribute("aria-level")];
        row("runner workspace").click();
        const before = seen();
        at("#runner").click();
        const hidden = [...seen(), chosen()];
        at("#own").click();
        const own = bodies();
        at("#runner").click();
        return { before, hidden, own, after: seen() };
    "##;
    let Some(seen) = drive(&everything(), scenario) else { return };
    let all = ["step.fetch", "runner workspace", "git clone", "oci pull"];
    assert_eq!(seen["before"], json!([all, "4"]));
    assert_eq!(
        seen["hidden"],
        json!([["step.fetch", "git clone", "oci pull", "cache restore"], "3", "step.fetch"])
    );
    assert_eq!(seen["own"], json!(["workspace is empty", "made the workspace"]));
    assert_eq!(seen["after"], seen["before"]);
}

#[test]
fn records_without_a_span_and_records_that_were_only_counted_are_told() {
    let scenario = r##"
        row("Records outside any span").click();
        const outside = bodies();
        at("#own").click();
        row("step.probes").click();
        choose(1);
        return { outside, probes: [texts("#tree [aria-selected=true] .counts"), at("#left-out").textContent, at("#no-records").textContent] };
    "##;
    let Some(seen) = drive(&everything(), scenario) else { return };
    assert_eq!(seen["outside"], json!(["a line outside any span"]));
    let said = "1 hidden by the filter, 41 counted, not stored";
    assert_eq!(seen["probes"], json!([["42 records"], said, "The filter hides every record here."]));
}

#[test]
fn an_address_leads_to_a_span() {
    let view = View { hash: "#span=0000000000000004", ..View::default() };
    let scenario = r##"
        const first = chosen();
        row("oci pull").click();
        await wait();
        const hash = location.hash;
        location.hash = "#span=0000000000000009";
        await wait();
        return { first, hash, last: chosen() };
    "##;
    let Some(seen) = drive_view(&everything(), scenario, &view) else { return };
    assert_eq!(seen, json!({"first": "git clone", "hash": "#span=0000000000000005", "last": "http get"}));
}

#[test]
fn durations_read_as_everywhere_else() {
    let values = [
        -5.0, 0.0, 500.0, 999.4, 999.6, 1e3, 189_552.0, 999.94e3, 999.96e3, 1e6, 5e8, 999.94e6, 999.96e6,
        1e9, 2.5e9, 59.99e9, 59.996e9, 6e10, 9e10, 125e9, 3599.4e9, 3599.6e9, 7500e9, 86_369e9, 86_371e9,
        123e13,
    ];
    let scenario = format!("return {}.map(duration);", json!(values));
    let Some(seen) = drive(&everything(), &scenario) else { return };
    assert_eq!(seen, json!(values.map(format_nanoseconds)));
    assert_eq!((&seen[6], &seen[25]), (&json!("189.6 µs"), &json!("14d 6h")));
}
