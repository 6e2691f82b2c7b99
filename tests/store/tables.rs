//! What must hold of the two tables after a run.

use spanlog::graph::{Call, LogRecord, Reader, RecordLevel, ToolCallGraph};

use crate::engine::Engine;
use crate::page;
use crate::run::{Counts, Run};

/// What filled the tables.
#[derive(Clone, Copy, PartialEq)]
pub enum Writer {
    /// It has no column for the names of events.
    Rotel,
    Engine,
}

/// Each counts the rows that are wrong. `JOINED` is every log row with its span, or with an empty one.
const WRONG: [(&str, &str); 8] = [
    ("a record without its span", "SELECT countIf(s.SpanId = '') FROM JOINED"),
    (
        "a record without a job key",
        "SELECT countIf(JobId = '' OR ExecutionId = '' OR Step = '') FROM otel.otel_logs",
    ),
    // The span of a job is in none of its steps, and everything else here is in one.
    (
        "a span without a job key",
        "SELECT countIf(JobId = '' OR ExecutionId = '' OR (Step = '') != startsWith(SpanName, 'job.'))
         FROM otel.otel_traces",
    ),
    (
        "a record with another job or op than its span",
        "SELECT countIf((l.JobId, l.ExecutionId, l.Step, l.Tool, l.Operation)
                     != (s.JobId, s.ExecutionId, s.Step, s.Tool, s.Operation)) FROM JOINED",
    ),
    (
        "a record outside of its span's time",
        "SELECT countIf(l.Timestamp < s.Timestamp OR l.Timestamp > addNanoseconds(s.Timestamp, s.Duration))
         FROM JOINED",
    ),
    (
        "a span without its parent",
        "SELECT countIf(ParentSpanId != '' AND (TraceId, ParentSpanId) NOT IN (
        SELECT TraceId, SpanId FROM otel.otel_traces)) FROM otel.otel_traces",
    ),
    ("a span twice", "SELECT count() - uniqExact(TraceId, SpanId) FROM otel.otel_traces"),
    // No op of the run says the same twice.
    ("a record twice", "SELECT count() - uniqExact(TraceId, SpanId, Body) FROM otel.otel_logs"),
];

const JOINED: &str = "otel.otel_logs AS l LEFT JOIN otel.otel_traces AS s
    ON l.TraceId = s.TraceId AND l.SpanId = s.SpanId";

/// The names of what is wrong.
fn wrong(engine: &Engine) -> Vec<&'static str> {
    let found = WRONG.iter().filter(|(_, statement)| engine.number(&statement.replace("JOINED", JOINED)) > 0);
    found.map(|(name, _)| *name).collect()
}

pub fn check(engine: &Engine, run: &Run, writer: Writer) {
    assert_eq!(wrong(engine), [] as [&str; 0]);
    assert_eq!(engine.number(&format!("SELECT count() FROM {JOINED}")), run.records());
    assert_eq!(counts(engine), run.counts());
    let of_jobs = engine.rows(&page::records_of_jobs());
    let records: u64 = of_jobs.iter().map(|row| row[1].parse::<u64>().unwrap()).sum();
    assert_eq!((of_jobs.len(), records), (4, run.records()), "{of_jobs:?}");
    // What a run of no failures, or without names of events, would not show.
    let outcomes = engine.ask("SELECT DISTINCT Outcome FROM otel.otel_traces ORDER BY Outcome");
    assert_eq!(outcomes, "\ncancelled\ndropped\npanicked\ntimed_out\n");
    let named = engine.number("SELECT countIf(EventName != '') FROM otel.otel_logs");
    assert_eq!(named, if writer == Writer::Rotel { 0 } else { 1 });
    let (live, stored) = (contents(&run.live, writer), contents(&graph(engine), writer));
    assert_eq!(run.live.to_text(), graph(engine).to_text());
    assert_eq!(live.len(), stored.len());
    // Span by span: the whole would be too much to read.
    live.iter().zip(&stored).for_each(|(live, stored)| assert_eq!(live, stored));
}

fn counts(engine: &Engine) -> Counts {
    let number = |text: &String| text.parse::<u64>().unwrap();
    let by_level =
        engine.rows("SELECT SeverityNumber, SeverityText, count() FROM otel.otel_logs GROUP BY ALL");
    let by_level = by_level.iter().map(|row| {
        let level = RecordLevel::of_number(number(&row[0]) as i64);
        assert!(level.name().eq_ignore_ascii_case(&row[1]), "{row:?}");
        (level, number(&row[2]))
    });
    let by_op = engine.rows(
        "SELECT Tool, Operation, sum(calls), sum(failed), sum(records) FROM (
             SELECT Tool, Operation, count() AS calls, countIf(Failed) AS failed, 0 AS records
             FROM otel.otel_traces GROUP BY ALL
             UNION ALL SELECT Tool, Operation, 0, 0, count() FROM otel.otel_logs GROUP BY ALL) GROUP BY ALL",
    );
    let by_op = by_op
        .iter()
        .map(|row| ((row[0].clone(), row[1].clone()), [number(&row[2]), number(&row[3]), number(&row[4])]));
    Counts {
        spans: engine.count("otel.otel_traces"),
        records: engine.count("otel.otel_logs"),
        by_level: by_level.collect(),
        by_op: by_op.collect(),
    }
}

/// The graph of all rows.
fn graph(engine: &Engine) -> ToolCallGraph {
    let mut reader = Reader::new();
    for table in ["otel.otel_traces", "otel.otel_logs"] {
        let rows = engine.ask(&format!(
            "SELECT * FROM {table} FORMAT JSONEachRow SETTINGS date_time_output_format = 'iso'"
        ));
        reader.read(table, rows.as_bytes()).unwrap();
    }
    let graph = reader.graph();
    assert_eq!((graph.notes(), graph.unplaced_records().len()), (&[] as &[String], 0));
    graph
}

/// Every span with its records, without what only one side has: the service, and the times of records, of
/// which the recorder reads its own. rotel has no names of events.
fn contents(graph: &ToolCallGraph, writer: Writer) -> Vec<(Call, Vec<LogRecord>)> {
    let nodes = graph.nodes().map(|node| {
        let mut call = node.call().clone();
        call.service = None;
        let mut records: Vec<_> = node.own_records().cloned().collect();
        for record in &mut records {
            record.time_unix_nano = 0;
            if writer == Writer::Rotel {
                record.event_name.clear();
            }
        }
        (call, records)
    });
    nodes.collect()
}

/// The spans that differ between the tables and what was drawn live.
fn differing(engine: &Engine, run: &Run) -> usize {
    let (live, stored) = (contents(&run.live, Writer::Engine), contents(&graph(engine), Writer::Engine));
    assert_eq!(live.len(), stored.len());
    live.iter().zip(&stored).filter(|(live, stored)| live != stored).count()
}

/// Deletes what was planted, or other rows.
fn delete(engine: &Engine, table: &str, which: &str) {
    engine.ask(&format!("ALTER TABLE {table} DELETE WHERE {which} SETTINGS mutations_sync = 2"));
}

/// Guarantees: each comparison notices one row that is another, where as many are there.
fn check_changed(engine: &Engine, run: &Run) {
    let logs = ("otel.otel_logs", "Body LIKE '%[7]%' AND Tool != ''", "TraceId, SpanId, Body");
    let spans =
        ("otel.otel_traces", "SpanName = 'terraform.apply' AND StatusCode != 'Error'", "TraceId, SpanId");
    type Field = fn(&Counts) -> String;
    let by_level: Field = |counts| format!("{:?}", counts.by_level);
    let by_op: Field = |counts| format!("{:?}", counts.by_op);
    for ((table, which, id), change, field) in [
        (logs, "17 AS SeverityNumber, 'ERROR' AS SeverityText", Some(by_level)),
        (logs, "mapUpdate(LogAttributes, map('nuon.op', 'plan')) AS LogAttributes", Some(by_op)),
        (spans, "'Error' AS StatusCode", Some(by_op)),
        (logs, "Body || '!' AS Body", None),
        (spans, "Duration + 1 AS Duration", None),
    ] {
        for statement in [
            format!("CREATE TABLE otel.kept AS {table}"),
            format!("INSERT INTO otel.kept SELECT * FROM {table} WHERE {which} ORDER BY {id} LIMIT 1"),
        ] {
            engine.ask(&statement);
        }
        delete(engine, table, &format!("({id}) IN (SELECT {id} FROM otel.kept)"));
        let changed = format!("SELECT * REPLACE ('planted' AS ServiceName, {change}) FROM otel.kept");
        engine.ask(&format!("INSERT INTO {table} {changed}"));
        let (stored, expected) = (counts(engine), run.counts());
        assert_eq!((stored.spans, stored.records), (expected.spans, expected.records), "{change}");
        match field {
            Some(field) => assert_ne!(field(&stored), field(&expected), "{change}"),
            None => assert_eq!(stored, expected, "{change}"),
        }
        assert_eq!(differing(engine, run), 1, "{change}");
        delete(engine, table, "ServiceName = 'planted'");
        engine.ask(&format!("INSERT INTO {table} SELECT * FROM otel.kept"));
        engine.ask("DROP TABLE otel.kept SYNC");
        assert_eq!((differing(engine, run), counts(engine)), (0, expected), "{change}");
    }
}

/// Guarantees: each check notices a row that is wrong.
pub fn check_planted(engine: &Engine, run: &Run) {
    let row = |table: &str, is_it: &str, members: &str| {
        format!("INSERT INTO {table} SELECT * REPLACE ({members}) FROM {table} WHERE {is_it} LIMIT 1")
    };
    let log = |members: &str| row("otel.otel_logs", "Body LIKE '%[7]%'", members);
    let span = |members: &str| row("otel.otel_traces", "SpanName = 'terraform.apply'", members);
    let planted = "'planted' AS ServiceName";
    let other = format!("{planted}, Body || '!' AS Body");
    let no_job = "mapFilter((key, _) -> key != 'runner_job.id', ";
    let other_op = "mapUpdate(LogAttributes, map('nuon.op', 'plan')) AS LogAttributes";
    for (name, statement) in [
        ("a record without its span", log(&format!("{other}, '0000000000000007' AS SpanId"))),
        ("a record without a job key", log(&format!("{other}, {no_job}LogAttributes) AS LogAttributes"))),
        (
            "a span without a job key",
            span(&format!(
                "{planted}, '0000000000000007' AS SpanId, {no_job}SpanAttributes) AS SpanAttributes"
            )),
        ),
        ("a record with another job or op than its span", log(&format!("{other}, {other_op}"))),
        (
            "a record outside of its span's time",
            log(&format!("{other}, Timestamp + INTERVAL 1 HOUR AS Timestamp")),
        ),
        (
            "a span without its parent",
            span(&format!("{planted}, '0000000000000007' AS SpanId, '0000000000000008' AS ParentSpanId")),
        ),
        ("a span twice", span(planted)),
        ("a record twice", log(planted)),
    ] {
        engine.ask(&statement);
        assert!(wrong(engine).contains(&name), "{name}");
        for table in ["otel.otel_logs", "otel.otel_traces"] {
            delete(engine, table, "ServiceName = 'planted'");
        }
        assert_eq!(wrong(engine), [] as [&str; 0]);
    }
    check_changed(engine, run);
}
