//! What a person does who opens the report of a failed run: what failed, which one, and why.

use serde_json::{json, Value};

use super::browser::{drive, drive_view, View};
use super::fixture::{self, op, span, Fixture, TRACE};
use super::trial::{trial, CAUSE, LAST_WORDS};
use crate::graph::RecordLevel;

fn page() -> String {
    trial().graph().to_html()
}

#[test]
fn the_line_that_says_why_is_on_the_screen_after_no_click() {
    let scenario = r##"
        const marked = document.querySelectorAll('#records [aria-current="true"]');
        const chosenRow = at('#tree [aria-selected="true"]');
        const far = [...document.querySelectorAll("#records .record")].map(isOnScreen);
        return { chosen: chosen(), count: marked.length, line: marked[0]?.querySelector(".body").textContent,
            isSeen: [isOnScreen(marked[0].querySelector(".line")), isOnScreen(chosenRow), isOnScreen(at("#about .message"))],
            alike: titles().filter((title) => title === chosen()).length, background: getComputedStyle(marked[0].firstChild).backgroundColor,
            hasHidden: far.includes(false), hash: location.hash };
    "##;
    for size in [(1400, 900), (400, 800)] {
        let view = View { size, ..View::default() };
        let Some(seen) = drive_view(&page(), scenario, &view) else { return };
        assert_eq!((&seen["chosen"], &seen["line"]), (&json!(CAUSE), &json!(LAST_WORDS)), "{size:?}");
        assert_eq!(seen["isSeen"], json!([true, true, true]), "{size:?}: {seen}");
        assert_eq!((&seen["count"], &seen["alike"]), (&json!(1), &json!(1)));
        assert_ne!(seen["background"], "rgba(0, 0, 0, 0)");
        // The check of visibility can say no.
        assert_eq!(seen["hasHidden"], true);
    }
}

/// Which record is marked in a report of one failed op with these records: level, stream, text.
fn marked(records: &[(RecordLevel, &str, &str)]) -> Option<Value> {
    let mut fixture = Fixture::default();
    let job = fixture.add(0, 0, 900, span("job.build").failed("no"));
    let failing = fixture.add(job, 1, 800, op("sh", "run").failed("no"));
    for (at, (level, stream, text)) in records.iter().enumerate() {
        let record = fixture.log(failing, 2 + at as u64, *level, text);
        if !stream.is_empty() {
            record.attributes.push(("log.iostream".to_owned(), (*stream).to_owned()));
        }
    }
    let scenario = r##"return texts('#records [aria-current="true"] .body');"##;
    drive(&fixture.graph().to_html(), scenario)
}

#[test]
fn the_mark_is_at_the_last_error_or_what_stderr_says_or_the_end() {
    let noise = (RecordLevel::Info, "", "done");
    let error = (RecordLevel::Error, "", "first error");
    let Some(seen) = marked(&[error, (RecordLevel::Fatal, "", "gone"), noise, noise]) else { return };
    assert_eq!(seen, json!(["gone"]));
    let stderr = [
        (RecordLevel::Info, "stderr", "fatal: no such ref"),
        (RecordLevel::Info, "stderr", "see help"),
        (RecordLevel::Info, "stdout", "bye"),
    ];
    assert_eq!(marked(&stderr).unwrap(), json!(["fatal: no such ref"]));
    assert_eq!(marked(&stderr[1..]).unwrap(), json!(["see help"]));
    assert_eq!(marked(&[noise, (RecordLevel::Info, "stdout", "bye")]).unwrap(), json!(["bye"]));
    let told = [
        noise,
        (RecordLevel::Info, "", "Error: no such subnet"),
        (RecordLevel::Info, "", "  on main.tf line 12"),
    ];
    assert_eq!(marked(&told).unwrap(), json!(["Error: no such subnet"]));
    assert_eq!(marked(&[]).unwrap(), json!([]));
}

#[test]
fn a_good_run_opens_on_its_job_and_marks_nothing() {
    let scenario = r##"return [chosen(), texts('[aria-current="true"]'), at("#failure").hidden, at("#only-failures").hidden, at("#job-outcome").textContent];"##;
    let Some(seen) = drive(&super::trial::fine().graph().to_html(), scenario) else { return };
    assert_eq!(seen, json!(["job.plan (plan-6)", [], true, true, "ok"]));
}

#[test]
fn the_details_begin_with_what_matters() {
    let scenario = r##"
        const order = [...at("#about").children].map((child) => child.className.replace(/ (is-red|t)\b/g, "") || child.tagName);
        const facts = Object.fromEntries(texts("#about > .pairs > dt").map((name, index) => [name, texts("#about > .pairs > dd")[index]]));
        const stamps = [...document.querySelectorAll("#about details")].find((fold) => fold.querySelector("summary").textContent === "Ids and times");
        const folded = [stamps.open, isOnScreen(stamps.querySelector("dd"))];
        stamps.open = true;
        return { order, facts, message: at("#about .message").textContent, tail: at("#about .tail").textContent, folded,
            stamps: [...stamps.querySelectorAll("dt")].map((name) => name.textContent),
            event: [at("#about .event b").textContent, at("#about .stack").tagName, at("#about .stack").textContent] };
    "##;
    let Some(seen) = drive(&page(), scenario) else { return };
    let order = ["heading", "message", "quiet", "message tail", "pairs", "fold", "fold", "fold"];
    assert_eq!(seen["order"], json!(order));
    assert_eq!(seen["message"], "terraform exited with code 1");
    assert_eq!(seen["tail"], format!("{LAST_WORDS}\n  with aws_instance.web, on main.tf line 12"));
    let facts = &seen["facts"];
    assert_eq!(facts["Error type"], "spanlog::op::Error");
    assert_eq!(facts["Exit code"], "1");
    assert_eq!(facts["Command"], "terraform apply -var 'name=prod-eu-17 one'");
    assert_eq!((&facts["Duration"], &facts["Parent"]), (&json!("40.00 s"), &json!("step.apply")));
    assert_eq!(seen["folded"], json!([false, false]));
    assert_eq!(seen["stamps"], json!(["Start", "End", "Name", "Span id", "Trace id"]));
    let stack = "Error: exit status 1\n    at apply (main.tf:12)\n    at run (runner.rs:88)";
    assert_eq!(seen["event"], json!(["exception", "PRE", stack]));
}

/// A cause that says nothing itself is explained by what handed it on.
#[test]
fn a_failure_without_words_is_told_by_its_ancestor() {
    let scenario = r##"
        const told = [chosen(), at("#about .inside").textContent, at("#about .message").textContent];
        row("helm test").click();
        return { told, own: [at("#about .inside") === null, at("#about .message").textContent] };
    "##;
    let Some(seen) = drive(&fixture::everything().graph().to_html(), scenario) else { return };
    assert_eq!(
        seen["told"],
        json!(["aws describe-subnets", "Told by terraform plan", "exit status 1\nError: no such subnet"])
    );
    assert_eq!(seen["own"], json!([true, "index out of bounds"]));
}

#[test]
fn links_lead_to_spans_of_the_report_and_kinds_are_told() {
    let scenario = r##"
        row("job.clean-up (clean-up-9)").click();
        const link = at("#about .event .link");
        const told = [link.textContent, texts("#about .event .attributes dd")];
        link.click();
        const led = chosen();
        row("http get (/health/1)").click();
        return { told, led, facts: texts("#about .pairs dd") };
    "##;
    let Some(seen) = drive(&page(), scenario) else { return };
    assert_eq!(seen["told"], json!(["job.apply (apply-7)", ["cleans up after it"]]));
    assert_eq!(seen["led"], "job.apply (apply-7)");
    assert_eq!(seen["facts"][2], "client");
    let mut fixture = Fixture::default();
    fixture.add(0, 0, 9, span("alone").link(TRACE, 77, &[]));
    let Some(seen) = drive(&fixture.graph().to_html(), r##"return at("#about .event").textContent;"##) else {
        return;
    };
    let unknown = format!("span 000000000000004d of trace {TRACE:032x} (not in this report)");
    assert_eq!(seen, json!(unknown));
}

#[test]
fn what_hands_a_failure_on_says_where_it_is_and_does_not_repeat_it() {
    let scenario = r##"
        row("job.apply (apply-7)").click();
        const job = [at("#about .inside").textContent, texts("#about .message"), texts('#records [aria-current="true"] .body')];
        at("#about .inside .link").click();
        return { job, led: chosen() };
    "##;
    let Some(seen) = drive(&page(), scenario) else { return };
    assert_eq!(seen["job"], json!([format!("Failed inside {CAUSE}"), [], [LAST_WORDS]]));
    assert_eq!(seen["led"], CAUSE);
}

#[test]
fn the_stream_of_each_record_is_shown_and_filters() {
    let scenario = r##"
        const all = bodies().length, streams = new Set(texts("#records .stream"));
        change("#stream", "stderr");
        const errors = [bodies(), at("#left-out").textContent];
        change("#stream", "stdout");
        const output = listed.rows.length;
        change("#stream", "");
        row("kubectl wait").click();
        return { streams: [...streams].sort(), errors, output, hidden: at("#stream").hidden, target: texts("#records .target") };
    "##;
    let Some(seen) = drive(&page(), scenario) else { return };
    assert_eq!(seen["streams"], json!(["stderr", "stdout"]));
    let errors = [LAST_WORDS, "  with aws_instance.web, on main.tf line 12"];
    assert_eq!(seen["errors"], json!([errors, "230 hidden by the filter"]));
    assert_eq!(seen["output"], 230);
    // Where no stream is known there is nothing to choose, and the target is shown.
    assert_eq!((&seen["hidden"], &seen["target"]), (&json!(true), &json!(["runner::steps"])));
}

#[test]
fn failures_only_leaves_what_failed_and_its_ancestors() {
    let scenario = r##"
        at("#only-failures").click();
        const only = [titles(), at("#only-failures").getAttribute("aria-pressed")];
        at("#about .link").click();
        const parent = chosen();
        press("x");
        const all = titles().length;
        press("x");
        await type("waiting for 3 pods");
        press("n");
        return { only, parent, all, found: chosen(), pressed: at("#only-failures").getAttribute("aria-pressed") };
    "##;
    let Some(seen) = drive(&page(), scenario) else { return };
    let only = [
        "job.apply (apply-7)",
        "step.fetch",
        "git fetch",
        "step.apply",
        "terraform apply ×26",
        CAUSE,
        "terraform apply (prod-eu-23)",
        "job.clean-up (clean-up-9)",
        "kubectl delete",
    ];
    assert_eq!(seen["only"], json!([only, "true"]));
    assert_eq!(seen["parent"], "step.apply");
    assert!(seen["all"].as_u64().unwrap() > only.len() as u64);
    // What is gone to is shown, although it did not fail.
    assert_eq!((&seen["found"], &seen["pressed"]), (&json!("kubectl wait"), &json!("false")));
}

#[test]
fn a_row_counts_each_record_once() {
    let mut fixture = Fixture::default();
    let job = fixture.add(0, 0, 900, span("job.build"));
    let levels =
        [(RecordLevel::Error, 1), (RecordLevel::Warn, 3), (RecordLevel::Info, 10), (RecordLevel::Debug, 2)];
    for level in levels.into_iter().flat_map(|(level, count)| vec![level; count]) {
        fixture.log(job, 1, level, "x");
    }
    let quiet = fixture.add(job, 1, 2, span("quiet"));
    fixture.log(quiet, 1, RecordLevel::Info, "x");
    let Some(seen) = drive(&fixture.graph().to_html(), r##"return texts("#tree .count");"##) else { return };
    assert_eq!(seen, json!(["1 error", "3 warnings", "12 other", "1 record"]));
}

#[test]
fn failures_are_gone_through_from_what_ended_the_job_to_what_was_recovered_from() {
    let scenario = r##"
        const button = at("#failure").textContent, way = [chosen()];
        at("#tree").focus();
        for (let step = 0; step < 5; step++) {
            press("F");
            way.push(chosen() + ": " + at('#tree [aria-selected="true"] .word').textContent);
        }
        press("f");
        return { button, way, again: chosen() };
    "##;
    let Some(seen) = drive(&page(), scenario) else { return };
    assert_eq!(seen["button"], "First failure 2");
    assert_eq!(
        seen["way"],
        json!([
            CAUSE,
            "terraform apply (prod-eu-23): timed out",
            "git fetch: failed, recovered",
            "git fetch: failed, recovered",
            "kubectl delete: failed, recovered",
            format!("{CAUSE}: failed")
        ])
    );
    assert_eq!(seen["again"], CAUSE);
    let Some(seen) = drive(
        &fixture::everything().graph().to_html(),
        r##"return texts(".facts .is-red, .facts .is-warn");"##,
    ) else {
        return;
    };
    assert_eq!(seen, json!(["1 failure", "1 recovered", "2 errors", "1 warning"]));
}
