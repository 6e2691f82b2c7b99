//! The questions of the page, asked of a run that is known, and of the day before it.

use spanlog::graph::{Outcome, Reader};

use crate::engine::Engine;
use crate::page;

const FAILED: &str = "Which ops failed, by tool?";
const SLOWEST: &str = "Which steps are the slowest, over time?";
const INCOMPLETE: &str = "Which jobs have incomplete telemetry?";
const LOG: &str = "What did one job log, in order?";
const CHANGED: &str = "What changed since yesterday?";

/// Asks the question, and returns the answer.
fn ask(engine: &Engine, question: &str) -> String {
    let [statement] = &page::statements(question)[..] else { panic!("{question}") };
    engine.ask(statement)
}

/// The named columns of an answer.
fn columns(answer: &str, columns: &[usize]) -> Vec<String> {
    let cells = |line: &str| {
        let cells: Vec<_> = line.split('\t').collect();
        columns.iter().map(|column| cells[*column]).collect::<Vec<_>>().join(" ")
    };
    answer.lines().map(cells).collect()
}

pub fn check(engine: &Engine) {
    assert_eq!(page::questions(), [FAILED, SLOWEST, INCOMPLETE, LOG, CHANGED]);
    failed(engine);
    slowest(engine);
    incomplete(engine);
    log(engine);
    piped(engine);
    changed(engine);
}

fn failed(engine: &Engine) {
    let answer = ask(engine, FAILED);
    assert_eq!(
        answer,
        "git\tfetch\t3\t2\tconnection reset by peer\n\
         curl\tget\t1\t1\t404 Not Found\n\
         helm\ttest\t1\t1\tindex out of bounds: the len is 3\n\
         sleep\trun\t1\t1\tsleep took longer than its limit of 50ms\n\
         terraform\tapply\t26\t1\texit status 1\n"
    );
}

/// The run may cross a full hour.
fn slowest(engine: &Engine) {
    let answer = ask(engine, SLOWEST);
    let mut steps = columns(&answer, &[1, 2, 5]);
    steps.sort_unstable();
    let expected =
        ["apply 1 exec-6", "charts 1 exec-7", "follow 1 exec-9", "init 1 exec-6", "probes 1 exec-8"];
    assert_eq!(steps, expected);
    let rows = answer.lines().map(|line| line.split('\t').collect::<Vec<_>>());
    let slowest: Vec<(String, f64)> = rows.map(|row| (row[0].to_owned(), row[4].parse().unwrap())).collect();
    assert!(slowest.is_sorted_by(|(hour, max), (next, less)| hour < next || (hour == next && max >= less)));
    assert!(slowest.iter().all(|(hour, _)| hour.ends_with('Z')), "{answer}");
    // It waits for an op with a time limit.
    assert!(slowest.iter().any(|(_, max)| (50.0..60_000.0).contains(max)), "{answer}");
}

fn incomplete(engine: &Engine) {
    assert_eq!(ask(engine, INCOMPLETE), "");
    // A step, whose ops are left without a parent; a job; an op that has records; and what a job says itself.
    let gone = "SpanName IN ('step.init', 'job.watch') OR SpanAttributes['op.label'] = 'web'";
    let lost =
        "map('runner_job_execution.id', 'exec-8', 'telemetry.lost_logs', '3', 'telemetry.lost_spans', '1')";
    for statement in [
        "CREATE TABLE otel.gone AS otel.otel_traces".to_owned(),
        format!("INSERT INTO otel.gone SELECT * FROM otel.otel_traces WHERE {gone}"),
        format!("ALTER TABLE otel.otel_traces DELETE WHERE {gone} SETTINGS mutations_sync = 2"),
        format!(
            "INSERT INTO otel.otel_logs SELECT * REPLACE ('lost' AS ServiceName, {lost} AS LogAttributes)
                 FROM otel.otel_logs WHERE ExecutionId = 'exec-8' LIMIT 1"
        ),
    ] {
        engine.ask(&statement);
    }
    let answer = ask(engine, INCOMPLETE);
    assert_eq!(
        answer,
        // The execution; jobs; spans without a parent; interrupted; records without a span; lost.
        "exec-6\t1\t3\t0\t0\t0\nexec-7\t1\t0\t0\t30\t0\nexec-8\t1\t0\t0\t0\t4\nexec-9\t0\t1\t0\t0\t0\n"
    );
    engine.ask("INSERT INTO otel.otel_traces SELECT * FROM otel.gone");
    engine.ask("DROP TABLE otel.gone");
    engine.ask("ALTER TABLE otel.otel_logs DELETE WHERE ServiceName = 'lost' SETTINGS mutations_sync = 2");
    assert_eq!(ask(engine, INCOMPLETE), "");
    of_yesterday(engine);
}

/// Jobs that began more than a day ago, and records without a span.
fn of_yesterday(engine: &Engine) {
    let record = |id: &str, members: &str| {
        engine.ask(&format!(
            "INSERT INTO otel.otel_logs SELECT * REPLACE ('planted' AS ServiceName,
                 map('runner_job_execution.id', '{id}') AS LogAttributes, {members})
             FROM otel.otel_logs LIMIT 1"
        ));
    };
    let at = |minutes: u32| {
        let ago = format!("now64(9) - INTERVAL {minutes} MINUTE");
        format!("{ago} AS Timestamp, toDateTime({ago}) AS TimestampTime")
    };
    // One job begins 24 hours and 5 minutes ago and logs for 15 minutes. Another one logs as late and has no span
    // of its own, and neither has one that logged 24 hours and 25 minutes ago, and not since.
    let root = "'00000000000000000000000000000007' AS TraceId, '0000000000000007' AS SpanId";
    engine.ask(&format!(
        "INSERT INTO otel.otel_traces SELECT * REPLACE ('planted' AS ServiceName, {root},
             map('runner_job_execution.id', 'late') AS SpanAttributes,
             now64(9) - INTERVAL 1445 MINUTE AS Timestamp)
         FROM otel.otel_traces WHERE SpanName = 'job.plan'"
    ));
    record("late", &format!("{root}, {}", at(1430)));
    record("without a root", &format!("{root}, {}", at(1430)));
    record("told yesterday", &format!("{root}, {}", at(1465)));
    record("exec-6", &format!("'' AS TraceId, '' AS SpanId, {}", at(0)));
    assert_eq!(ask(engine, INCOMPLETE), "without a root\t0\t0\t0\t0\t0\n");
    for table in ["otel.otel_logs", "otel.otel_traces"] {
        let delete = format!("ALTER TABLE {table} DELETE WHERE ServiceName = 'planted'");
        engine.ask(&format!("{delete} SETTINGS mutations_sync = 2"));
    }
}

/// Four ops say 30 lines each, at once.
fn log(engine: &Engine) {
    let answer = ask(engine, LOG);
    assert!(columns(&answer, &[0]).iter().all(|time| time.ends_with('Z')), "{answer}");
    let [statement] = &page::statements(LOG)[..] else { panic!("{LOG}") };
    // Neither other days nor other jobs are read.
    let plan = engine.ask(&format!("EXPLAIN indexes = 1 {statement}"));
    assert!(plan.contains("toDate(TimestampTime)") && plan.contains("idx_execution"), "{plan}");
    assert!(columns(&answer, &[0]).is_sorted(), "{answer}");
    for chart in ["web", "api", "jobs", "cron"] {
        let lines = columns(&answer, &[1, 2, 3, 4]);
        let of_chart: Vec<_> = lines.iter().filter(|line| line.contains(&format!(" {chart}: "))).collect();
        let line = |left| format!("DEBUG charts helm upgrade {chart}: waiting for {left} of 30 resources");
        assert_eq!(of_chart, (1..=30).rev().map(line).collect::<Vec<_>>().iter().collect::<Vec<_>>());
    }
    assert_eq!(answer.lines().count(), 4 * 30);
}

/// What the graph is piped is one job of the four.
fn piped(engine: &Engine) {
    let rows: String = page::piped().iter().map(|statement| engine.ask(statement)).collect();
    let mut reader = Reader::new();
    reader.read("standard input", rows.as_bytes()).unwrap();
    let graph = reader.graph();
    let [job] = &graph.jobs()[..] else { panic!("{:?}", graph.to_text()) };
    assert_eq!((job.title(), job.outcome()), ("job.plan (plan 6)".to_owned(), Outcome::Failed));
    // The engine may be in another time zone than UTC.
    let begun = "SELECT toUnixTimestamp64Nano(Timestamp) FROM otel.otel_traces WHERE SpanName = 'job.plan'";
    let root = graph.nodes().find(|node| node.call().name == "job.plan").unwrap();
    assert_eq!(root.call().start_unix_nano, engine.number(begun));
    let applies = graph.nodes().filter(|node| node.title().starts_with("terraform apply ("));
    assert_eq!((applies.count(), graph.notes().len(), graph.unplaced_records().len()), (26, 0, 0));
    assert!(graph.nodes().map(|node| node.own_records().len()).sum::<usize>() > 19_000);
}

fn changed(engine: &Engine) {
    // Yesterday nothing failed, some ops were not there, another one was, and a fetch took no time.
    let yesterday = "SELECT * REPLACE (Timestamp - INTERVAL 1 DAY AS Timestamp, 'Unset' AS StatusCode,
            if(SpanName = 'git.fetch', 1, Duration) AS Duration,
            if(SpanName = 'sleep.run', 'sleep.walk', SpanName) AS SpanName,
            if(SpanName = 'sleep.run', mapUpdate(SpanAttributes, map('nuon.op', 'walk')), SpanAttributes) AS SpanAttributes)
        FROM otel.otel_traces WHERE SpanName NOT IN ('docker.inspect', 'helm.test', 'curl.get')";
    engine.ask(&format!("INSERT INTO otel.otel_traces {yesterday}"));
    let answer = ask(engine, CHANGED);
    assert_eq!(
        columns(&answer, &[0, 1, 2, 3, 4, 5]),
        [
            "curl get 1 0 1 0",
            "docker inspect 1 0 0 0",
            "git fetch 3 3 2 0",
            "helm test 1 0 1 0",
            "sleep run 1 0 1 0",
            "sleep walk 0 1 0 1",
            "terraform apply 26 26 1 0",
        ]
    );
}
