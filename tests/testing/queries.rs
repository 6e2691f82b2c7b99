//! `assert_record!`: what it finds, and what it says if there is no such record.

use spanlog::testing::{capture, Expected};
use spanlog::{assert_record, job, op, JobMetadata};
use tracing::Level;

use crate::failure;

#[test]
fn a_record_meets_each_kind_of_condition() {
    let capture = capture();
    let execution = job::execution(JobMetadata::new("job-1", "exec-1"), "deploy");
    execution.in_scope(|| {
        tracing::warn!(
            text = "a",
            number = 3,
            big = u64::MAX,
            float = 0.5,
            flag = true,
            r#type = "t",
            http.status = 200_u16,
            "done"
        );
    });
    let record = assert_record!(
        capture,
        "done",
        text = "a",
        text = String::from("a"),
        number = 3,
        number = 3_usize,
        big = u64::MAX,
        float = 0.5,
        flag = true,
        type = "t",
        http.status = 200,
        "http.status" = 200,
        in_span("job.deploy"),
        in_job("job-1"),
        at(Level::WARN),
    );
    assert_eq!(record.integer("number"), Some(3));
    assert_record!(capture, "done");
    assert_record!(capture, format!("do{}", "ne"), number = 2 + 1);
    assert_record!(&capture, "done",);
}

/// Guarantees: each condition that is not met makes the macro fail, alone.
#[test]
fn each_condition_can_fail() {
    let capture = capture();
    let execution = job::execution(JobMetadata::new("job-1", "exec-1"), "deploy");
    execution.in_scope(|| tracing::warn!(text = "a", number = 3, float = 0.5, flag = true, "done"));
    let shown = |check: &dyn Fn()| {
        let said = failure(check);
        let marked: Vec<_> = said.lines().filter(|line| line.contains('✗')).map(str::trim).collect();
        marked.join("\n")
    };
    for (check, expected) in [
        (&(|| drop(assert_record!(capture, "Done"))) as &dyn Fn(), "✗ message \"Done\", found \"done\""),
        (&|| drop(assert_record!(capture, "done", text = "b")), "✗ text = \"b\", found \"a\""),
        (&|| drop(assert_record!(capture, "done", text = 3)), "✗ text = 3, found \"a\""),
        (&|| drop(assert_record!(capture, "done", number = "3")), "✗ number = \"3\", found 3"),
        (&|| drop(assert_record!(capture, "done", number = 3.0)), "✗ number = 3.0, found 3"),
        (&|| drop(assert_record!(capture, "done", float = 0)), "✗ float = 0, found 0.5"),
        (&|| drop(assert_record!(capture, "done", flag = false)), "✗ flag = false, found true"),
        (&|| drop(assert_record!(capture, "done", none = 1)), "✗ none = 1, found no such attribute"),
        (
            &|| drop(assert_record!(capture, "done", in_span("x"))),
            "✗ in_span(\"x\"), found in_span(\"job.deploy\")",
        ),
        (&|| drop(assert_record!(capture, "done", in_job("x"))), "✗ in_job(\"x\"), found in_job(\"job-1\")"),
        (&|| drop(assert_record!(capture, "done", at(Level::INFO))), "✗ at(INFO), found at(WARN)"),
    ] {
        assert_eq!(shown(check), expected);
    }
}

/// Guarantees: a person can read what is missing. The text is also in docs/testing.md.
#[test]
fn a_missing_record_is_told_with_the_nearest_ones() {
    let capture = capture();
    let execution = job::execution(JobMetadata::new("job-1", "exec-1"), "deploy");
    execution.in_scope(|| {
        tracing::info!("starting");
        let result = op::run("helm", "upgrade", [], || {
            tracing::info!(replicas = 2, "deployed");
            Ok::<_, std::io::Error>(())
        });
        result.unwrap();
    });
    tracing::warn!("deployed");
    let said = failure(|| drop(assert_record!(capture, "deployed", replicas = 3, in_span("helm.upgrade"))));
    crate::document::assert_shows(&said);
    let said = failure(|| drop(assert_record!(capture, "deployd", in_job("job-1"))));
    assert!(
        said.contains("    ✗ message \"deployd\", found \"deployed\"\n    ✓ in_job(\"job-1\")\n"),
        "{said}"
    );
    let said = failure(|| drop(assert_record!(capture, "something else")));
    assert!(said.starts_with("no record \"something else\"\n\n3 records:\n"), "nothing is near: {said}");
}

#[test]
fn of_many_records_the_latest_are_listed() {
    let capture = capture();
    for number in 0..100 {
        tracing::info!(long = "x".repeat(500), "line {number}");
    }
    let said = failure(|| drop(assert_record!(capture, "another text")));
    assert!(said.contains("100 records:\n  … and 60 more\n  INFO  \"line 60\""), "{said}");
    assert!(said.contains("\"line 99\"") && said.contains("no spans\n"), "{said}");
    assert!(said.lines().all(|line| line.chars().count() < 180), "{said}");
}

#[test]
fn expected_values_are_of_one_kind() {
    use opentelemetry::logs::AnyValue;
    let matches = |expected: Expected, value: AnyValue| expected.matches(&value);
    assert!(matches(Expected::from(f64::NAN), AnyValue::Double(f64::NAN)));
    assert!(matches(Expected::from(u64::MAX), AnyValue::from(u64::MAX.to_string())));
    assert!(matches(Expected::from(i128::MIN), AnyValue::from(i128::MIN.to_string())));
    assert!(!matches(Expected::from(3), AnyValue::from("3")), "that would be an integer");
    assert!(!matches(Expected::from(1), AnyValue::Boolean(true)));
    assert!(!matches(Expected::from(""), AnyValue::Bytes(Box::default())));
}
