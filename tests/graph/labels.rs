//! Rows that can be told apart: labels, attempts, causes, jobs.

use serde_json::{json, Value};
use spanlog::graph::{Outcome, Reader, SiblingRow, ToolCallGraph};
use spanlog::Keys;

use crate::fixture::{attribute, read, span, traces, with};

fn op(
    tool: &str,
    operation: &str,
    id: u64,
    parent: u64,
    begin: u64,
    end: u64,
    more: &[(&str, &str)],
) -> Value {
    let names = [("nuon.tool", tool), ("nuon.op", operation)];
    let attributes: Vec<_> = names.iter().chain(more).map(|(key, value)| attribute(key, value)).collect();
    with(span(&format!("{tool}.{operation}"), id, parent, begin, end), json!({ "attributes": attributes }))
}

fn failed(span: Value, message: &str) -> Value {
    with(span, json!({ "status": { "code": 2, "message": message } }))
}

fn titles(graph: &ToolCallGraph) -> Vec<String> {
    graph.nodes().map(|node| node.title()).collect()
}

#[test]
fn an_op_shows_its_label() {
    let graph = read(traces(&[
        op("terraform", "apply", 1, 0, 0, 9, &[("op.label", "prod-eu-25")]),
        op("helm", "upgrade", 2, 1, 1, 2, &[("op.label", "")]),
        with(
            span("deploy", 3, 1, 3, 4),
            json!({ "attributes": [attribute("nuon.tool", "helm"), attribute("nuon.op", "upgrade"), attribute("op.label", "web")] }),
        ),
    ]));
    let expected = ["terraform apply (prod-eu-25)", "helm upgrade", "deploy (helm upgrade, web)"];
    assert_eq!(titles(&graph), expected);
}

#[test]
fn siblings_without_labels_show_the_attribute_in_which_they_differ() {
    let apply = |id: u64, more: &[(&str, &str)]| op("terraform", "apply", id, 9, id, id + 1, more);
    let graph = read(traces(&[
        span("job.deploy", 9, 0, 0, 99),
        // The process id, the exit code and the port differ too, but tell nothing, or less.
        apply(1, &[("process.pid", "4711"), ("port", "80"), ("same", "x"), ("workspace", "eu")]),
        apply(2, &[("process.pid", "4712"), ("port", "81"), ("same", "x"), ("workspace", "us")]),
        op("git", "fetch", 3, 9, 50, 51, &[("workspace", "eu")]),
    ]));
    let expected = ["job.deploy", "terraform apply (eu)", "terraform apply (us)", "git fetch"];
    assert_eq!(titles(&graph), expected);
}

#[test]
fn of_arguments_only_those_are_shown_that_differ() {
    let args = |list: &[&str]| {
        let values: Vec<_> = list.iter().map(|text| json!({ "stringValue": text })).collect();
        json!({ "attributes": [{ "key": "process.command_args", "value": { "arrayValue": { "values": values } } }] })
    };
    let graph = read(traces(&[
        with(span("kubectl.apply", 1, 0, 0, 1), args(&["kubectl", "apply", "-f", "web.yaml"])),
        with(span("kubectl.apply", 2, 0, 2, 3), args(&["kubectl", "apply", "-f", "db.yaml", "--force"])),
    ]));
    assert_eq!(titles(&graph), ["kubectl.apply (web.yaml)", "kubectl.apply (db.yaml --force)"]);
}

#[test]
fn jobs_show_their_id_and_executions_of_one_job_that_of_the_execution() {
    let job = |name: &str, id: u64, job: &str, execution: &str| {
        let ids = [attribute("runner_job.id", job), attribute("runner_job_execution.id", execution)];
        with(span(name, id, 0, id, id + 1), json!({ "attributes": ids }))
    };
    let graph = read(traces(&[
        job("job.plan", 1, "plan 6", "e1"),
        job("job.apply", 2, "apply 7", "e2"),
        job("job.apply", 3, "apply 7", "e3"),
    ]));
    assert_eq!(titles(&graph), ["job.plan (plan 6)", "job.apply (e2)", "job.apply (e3)"]);
    let jobs = graph.jobs();
    let ids: Vec<_> = jobs.iter().map(|job| job.id().to_string()).collect();
    assert_eq!(ids, ["e1", "e2", "e3"]);
}

#[test]
fn a_span_of_another_service_shows_it() {
    let resource = |service: &str, spans: &[Value]| json!({ "resource": { "attributes": [attribute("service.name", service)] }, "scopeSpans": [{ "spans": spans }] });
    let file = json!({ "resourceSpans": [
        resource("shop", &[span("GET /checkout", 1, 0, 0, 9), span("render", 2, 1, 1, 2)]),
        resource("cart", &[span("GET /cart", 3, 1, 3, 5), span("query", 4, 3, 3, 4)]),
    ] });
    let graph = read(file.to_string());
    assert_eq!(titles(&graph), ["GET /checkout", "render", "GET /cart (cart)", "query"]);
}

/// The row kinds of a parent's children: the number of spans in each, negative for attempts.
fn kinds(rows: &[SiblingRow<'_>]) -> Vec<i64> {
    let kind = |row: &SiblingRow<'_>| match row {
        SiblingRow::One(_) => 1,
        SiblingRow::Attempts(attempts) => -(attempts.len() as i64),
        SiblingRow::Alike(rows) => rows.len() as i64,
        _ => 0,
    };
    rows.iter().map(kind).collect()
}

#[test]
fn attempts_are_those_that_follow_a_failure_of_the_same_work() {
    let fetch = |id, begin, end| op("git", "fetch", id, 9, begin, end, &[("attempt", &begin.to_string())]);
    let rows = |parent: Value, children: Vec<Value>| {
        let graph = read(traces(&[vec![parent], children].concat()));
        let root = graph.roots().next().unwrap();
        let retried: Vec<_> = graph.failures().iter().map(|node| node.is_recovered()).collect();
        (kinds(&root.child_rows()), retried)
    };
    let step = || span("step", 9, 0, 0, 99);
    let reset = |span| failed(span, "connection reset");
    let twice = vec![reset(fetch(1, 1, 2)), reset(fetch(2, 3, 4)), fetch(3, 5, 6)];
    assert_eq!(rows(step(), twice.clone()), (vec![-3], vec![true, true]));
    // In parallel they are no attempts.
    let parallel = vec![reset(fetch(1, 1, 9)), fetch(2, 3, 9)];
    assert_eq!(rows(step(), parallel), (vec![1, 1], vec![true]));
    // Nor after one that ended well.
    assert_eq!(rows(step(), vec![fetch(1, 1, 2), fetch(2, 3, 4)]), (vec![1, 1], vec![]));
    // If all failed, the last one tells why, whether the parent repeats it or not.
    let never = vec![reset(fetch(1, 1, 2)), failed(fetch(2, 3, 4), "gone")];
    assert_eq!(rows(failed(step(), "gone"), never), (vec![-2], vec![false]));
    let all = vec![reset(fetch(1, 1, 2)), reset(fetch(2, 3, 4)), reset(fetch(3, 5, 6))];
    assert_eq!(rows(failed(step(), "connection reset"), all.clone()), (vec![-3], vec![false]));
    assert_eq!(rows(failed(step(), "giving up"), all), (vec![-3], vec![false]));
    // What came of an attempt is no label, so it does not tell attempts apart.
    let get = |id, begin, end, status: &str| {
        op(
            "http",
            "get",
            id,
            9,
            begin,
            end,
            &[("http.response.status_code", status), ("aws.request_id", status)],
        )
    };
    let answered = vec![failed(get(1, 1, 2, "503"), "503"), get(2, 3, 4, "200")];
    assert_eq!(rows(step(), answered), (vec![-2], vec![true]));
    // A parent that hands the failure on did not retry.
    let handed_on = vec![reset(fetch(1, 1, 2)), fetch(2, 3, 4)];
    assert_eq!(rows(failed(step(), "fetch: connection reset"), handed_on), (vec![1, 1], vec![false]));
}

#[test]
fn three_alike_are_one_row_and_two_are_not() {
    let get = |id: u64| op("http", "get", id, 9, id, id + 1, &[("url.path", &format!("/{id}"))]);
    let rows = |count| {
        let spans: Vec<_> = [span("job.x", 9, 0, 0, 99)].into_iter().chain((1..=count).map(get)).collect();
        let graph = read(traces(&spans));
        let root = graph.roots().next().unwrap();
        kinds(&root.child_rows())
    };
    assert_eq!((rows(1), rows(2), rows(3)), (vec![1], vec![1, 1], vec![3]));
}

#[test]
fn a_cause_is_where_a_failure_began_and_what_hands_it_on_says_so() {
    let graph = read(traces(&[
        failed(span("job.deploy", 1, 0, 0, 99), "step plan: exit status 1"),
        failed(span("step.plan", 2, 1, 1, 90), "exit status 1"),
        failed(op("terraform", "plan", 3, 2, 2, 80, &[]), "exit status 1"),
        // Got over by its step, and earlier.
        span("step.probe", 4, 1, 1, 2),
        failed(op("curl", "get", 5, 4, 1, 2, &[]), "404"),
    ]));
    let of = |name: &str| graph.nodes().find(|node| node.call().name == name).unwrap();
    let said = |name| (of(name).is_cause(), of(name).propagates_failure(), of(name).is_recovered());
    assert_eq!(said("job.deploy"), (false, true, false));
    assert_eq!(said("step.plan"), (false, true, false));
    assert_eq!(said("terraform.plan"), (true, false, false));
    assert_eq!(said("curl.get"), (true, false, true));
    assert_eq!(said("step.probe"), (false, false, false));
    let failures: Vec<_> = graph.failures().iter().map(|node| node.call().name.clone()).collect();
    assert_eq!(failures, ["terraform.plan", "curl.get"]);
    // A span whose only failed child was retried failed by itself.
    let graph = read(traces(&[
        failed(span("job", 1, 0, 0, 99), "disk full"),
        failed(op("git", "fetch", 2, 1, 1, 2, &[]), "reset"),
        op("git", "fetch", 3, 1, 3, 4, &[]),
    ]));
    let failures: Vec<_> = graph.failures().iter().map(|node| node.call().name.clone()).collect();
    assert_eq!(failures, ["job", "git.fetch"]);
}

/// Guarantees: a failure that was tolerated does not take the place of the one that came later.
#[test]
fn a_span_that_went_on_and_failed_for_another_reason_is_a_cause_itself() {
    let step = |message: &str| failed(span("step", 2, 1, 0, 900), message);
    let exists = || failed(op("test", "exists", 3, 2, 10, 20, &[]), "exit status 1");
    let causes = |spans: &[Value], records: &[Value]| {
        let graph = read(traces(spans) + &crate::fixture::logs(records));
        let failures: Vec<_> = graph.failures().iter().map(|node| node.call().name.clone()).collect();
        (failures, graph.to_markdown().contains("no space left"))
    };
    let job = || failed(span("job.x", 1, 0, 0, 950), "no space left");
    let apply = || op("terraform", "apply", 4, 2, 30, 800, &[]);
    // Another op ran after it.
    let went_on = causes(&[job(), step("no space left"), exists(), apply()], &[]);
    assert_eq!(went_on, (vec!["test.exists".to_owned(), "step".to_owned()], true));
    // None did, or it ran at the same time: the step failed because of the child.
    let alone = causes(&[job(), step("1 of 2 failed"), exists()], &[]);
    assert_eq!(alone.0, ["test.exists"]);
    let beside = op("terraform", "apply", 5, 2, 15, 800, &[]);
    let parallel = causes(&[job(), step("1 of 2 failed"), exists(), beside, apply()], &[]);
    assert_eq!(parallel.0, ["test.exists"]);
    // So it did if it says what the child says.
    let wrapped = causes(&[job(), step("exists: exit status 1"), exists(), apply()], &[]);
    assert_eq!(wrapped.0, ["test.exists"]);
}

#[test]
fn a_failure_without_a_description_says_what_its_exception_says() {
    let event = json!({ "events": [{ "name": "exception", "timeUnixNano": "1700000000000000000", "attributes": [
        attribute("exception.type", "CardError"), attribute("exception.message", "card declined")] }] });
    let graph = read(traces(&[with(failed(span("charge", 1, 0, 0, 5), ""), event)]));
    assert_eq!(graph.to_text(), "✗ charge  5.0 ms  failed: card declined\n");
    assert!(graph.to_markdown().contains("\nfailed: card declined\n"));
}

/// Guarantees: a name in one job does not make a failure of another one the first.
#[test]
fn failures_are_compared_with_their_own_root_only() {
    let graph = read(traces(&[
        failed(span("job.a", 1, 0, 0, 50), "deploy: timeout"),
        failed(span("late", 2, 1, 1, 40), "timeout"),
        failed(span("job.b", 3, 0, 0, 50), "x"),
        failed(span("early", 4, 3, 1, 10), "timeout"),
    ]));
    let failures: Vec<_> = graph.failures().iter().map(|node| node.call().name.clone()).collect();
    assert_eq!(failures, ["late", "early"]);
}

/// Guarantees: alike siblings count as failed only what was not recovered from.
#[test]
fn a_folded_row_counts_what_was_recovered_from_as_that() {
    let probe = |id: u64| op("http", "get", id, 99, id, id + 1, &[("op.label", &format!("p{id}"))]);
    let mut spans = vec![span("job.x", 99, 0, 0, 99)];
    spans.extend((1..=12).map(|id| if id < 4 { failed(probe(id), "404") } else { probe(id) }));
    let text = read(traces(&spans)).text().with_folding(true).to_string();
    let row = text.lines().find(|line| line.contains("×12")).unwrap();
    assert!(row.starts_with("! └─ http get ×12") && row.contains("3 recovered, slowest p1"), "{text}");
}

#[test]
fn an_unknown_start_is_no_duration() {
    let unknown = with(span("job.x", 1, 0, 0, 5), json!({ "startTimeUnixNano": "0" }));
    let graph = read(traces(&[unknown]));
    assert_eq!(graph.roots().next().unwrap().call().duration(), None);
    let job = &graph.jobs()[0];
    assert_eq!(job.start_unix_nano(), job.end_unix_nano());
}

#[test]
fn what_a_root_names_comes_first_then_what_ended_first() {
    let graph = read(traces(&[
        failed(span("job", 1, 0, 0, 99), "apply c: denied"),
        failed(span("a", 2, 1, 1, 50), "late"),
        failed(span("b", 3, 1, 2, 20), "early"),
        failed(span("c", 4, 1, 3, 60), "denied"),
    ]));
    let failures: Vec<_> = graph.failures().iter().map(|node| node.call().name.clone()).collect();
    assert_eq!(failures, ["c", "b", "a"]);
}

#[test]
fn each_job_has_its_own_roots_times_and_outcome() {
    let with_execution =
        |span, id: &str| with(span, json!({ "attributes": [attribute("runner_job_execution.id", id)] }));
    let other_trace = |span| with(span, json!({ "traceId": "0af7651916cd43dd8448eb211c80319d" }));
    let graph = read(traces(&[
        with_execution(span("job.plan", 1, 0, 0, 50), "a"),
        span("late", 2, 1, 40, 70),
        // Its parent is missing: it belongs to the only execution of its trace.
        failed(span("orphan", 3, 77, 10, 20), "lost"),
        other_trace(span("GET /", 4, 0, 7_200_000, 7_200_005)),
    ]));
    let jobs = graph.jobs();
    let seen: Vec<_> = jobs
        .iter()
        .map(|job| {
            (job.title(), job.roots().len(), job.end_unix_nano() - job.start_unix_nano(), job.outcome())
        })
        .collect();
    let expected = [
        ("job.plan (a)".to_owned(), 2, 70_000_000, Outcome::Failed),
        ("GET /".to_owned(), 1, 5_000_000, Outcome::Ok),
    ];
    assert_eq!(seen, expected);
}

#[test]
fn a_file_is_read_by_the_names_of_each_preset_and_of_others_if_they_are_given() {
    let call = |tool: &str, operation: &str, execution: &str| {
        let ids = [attribute(tool, "search"), attribute(operation, "query"), attribute(execution, "e")];
        traces(&[with(span("search.query", 1, 0, 0, 1), json!({ "attributes": ids }))])
    };
    for keys in [Keys::nuon(), Keys::cicd(), Keys::gen_ai()] {
        let graph = read(call(keys.tool(), keys.operation(), keys.execution_id()));
        assert_eq!(
            (titles(&graph), graph.jobs()[0].id().to_string()),
            (vec!["search query".to_owned()], "e".to_owned())
        );
    }
    let keys = Keys::nuon().with_tool("acme.tool").with_operation("acme.op").with_execution_id("acme.id");
    let file = call(keys.tool(), keys.operation(), keys.execution_id());
    assert_eq!(titles(&read(&file)), ["search.query"]);
    let mut reader = Reader::new().with_keys(keys);
    reader.read("file", file.as_bytes()).unwrap();
    assert_eq!(titles(&reader.graph()), ["search query"]);
}
