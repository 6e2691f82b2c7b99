//! The peer as an oracle: opentelemetry-appender-tracing runs the same scripts as our layer, and
//! every difference between its record and ours is a row of `docs/mapping.md`, or a failure.
#![expect(clippy::unwrap_used, reason = "a test that unwraps fails, which is what it is for")]

mod difference;
mod log_processor;
mod script;
mod scripts;
mod sdk_path;
mod span_layer;
mod table;
#[path = "../support/capture.rs"]
mod capture;
mod fixture;
#[path = "../support/spans.rs"]
mod spans;

use std::collections::BTreeMap;

use crate::difference::differences;
use crate::fixture::{play, Side};
use crate::script::{Script, Spans};
use crate::table::{check, Found, Table};

const MAPPING: &str = include_str!("../../docs/mapping.md");

/// Plays every script on both sides. Unexplained differences are an error that shows them.
fn play_all(scripts: &[Script]) -> Result<BTreeMap<&'static str, Found>, String> {
    let mut found = BTreeMap::new();
    let mut unexplained = String::new();
    for script in scripts {
        let peer = play(script, Side::Peer);
        let ours = play(script, Side::Ours);
        match differences(script, &peer, &ours) {
            Ok(names) => {
                let (peer, ours) = (peer.pieces(), ours.pieces());
                let twice = found.insert(script.name, Found { names, peer, ours });
                assert!(twice.is_none(), "two scripts are called {}", script.name);
            }
            Err(why) => unexplained += &format!("\n{}: {why}", script.name),
        }
    }
    if unexplained.is_empty() {
        Ok(found)
    } else {
        Err(unexplained)
    }
}

#[test]
fn every_difference_from_the_peer_is_a_row_of_the_table_and_every_row_is_true() {
    let found = play_all(&scripts::corpus()).unwrap_or_else(|why| panic!("differences without a name:{why}"));
    let table = Table::read(MAPPING, "Differences from opentelemetry-appender-tracing");
    check(&table, &found).unwrap_or_else(|faults| panic!("docs/mapping.md:\n{}", faults.join("\n")));
}

/// Scenario: each script in every stack, not only in its own. Guarantees: no difference there is
/// without a name or a row.
#[test]
fn no_stack_has_a_difference_of_its_own() {
    let table = Table::read(MAPPING, "Differences from opentelemetry-appender-tracing");
    for spans in [Spans::None, Spans::Plain, Spans::Layer] {
        for (activation, sampled, span_attributes) in
            [(true, true, true), (true, false, false), (false, true, true), (false, false, false)]
        {
            let in_stack = |script| Script { spans, activation, sampled, span_attributes, ..script };
            let scripts: Vec<_> = scripts::corpus().into_iter().map(in_stack).collect();
            let found = play_all(&scripts)
                .unwrap_or_else(|why| panic!("{spans:?}, activation {activation}, sampled {sampled}: {why}"));
            for name in found.values().flat_map(|found| &found.names) {
                assert!(table.rows.iter().any(|row| row.name == *name), "{name} has no row");
            }
        }
    }
}

/// With context activation off the peer is no oracle for ids. Our own record with activation on is.
///
/// Guarantees: no part of our record depends on the span layer or on activation. The trace may:
/// with activation off, tracing-opentelemetry takes a span's parent from the registry alone.
#[test]
fn our_records_are_the_same_with_every_span_layer() {
    let lines = |script: Script, spans, activation| {
        let mut lines = play(&Script { spans, activation, ..script }, Side::Ours).lines;
        lines.iter_mut().for_each(|line| line.trace = None);
        lines
    };
    for (spans, activation) in [(Spans::Layer, false), (Spans::Plain, true), (Spans::Plain, false)] {
        for (usual, other) in scripts::corpus().into_iter().zip(scripts::corpus()) {
            let name = usual.name;
            assert_eq!(
                lines(usual, Spans::Layer, true),
                lines(other, spans, activation),
                "{name}: {spans:?}, activation {activation}"
            );
        }
    }
}

/// The examples in the table of values are pieces of our records.
#[test]
fn the_examples_of_values_are_what_our_records_have() {
    let found = play_all(&scripts::corpus()).unwrap();
    for example in table::last_column(MAPPING, "Values") {
        assert!(found.values().any(|found| found.ours.contains(&example)), "no record has `{example}`");
    }
}

/// Shows that the check can fail.
#[test]
fn a_table_that_is_not_true_is_rejected() {
    let found = play_all(&scripts::corpus()).unwrap();
    let rejected = |doctor: &dyn Fn(&mut Table)| {
        let mut table = Table::read(MAPPING, "Differences from opentelemetry-appender-tracing");
        doctor(&mut table);
        check(&table, &found).unwrap_err().join("\n")
    };
    let removed = rejected(&|table| table.rows.retain(|row| row.name != "timestamp"));
    assert!(removed.contains("`timestamp` has no row"), "{removed}");

    let extra = rejected(&|table| {
        let invented = table::Row { name: "invented".into(), ..table.rows[0].clone() };
        table.rows.push(invented);
    });
    assert!(extra.contains("`invented` is no longer true"), "{extra}");

    let misplaced = rejected(&|table| {
        let row = table.rows.iter_mut().find(|row| row.name == "parent-none-ids").unwrap();
        row.scripts = vec!["plain-line".into()];
    });
    assert!(misplaced.contains("`parent-none-ids` is not shown by the script `plain-line`"), "{misplaced}");

    let unknown = rejected(&|table| table.rows[0].scripts.push("no-such-script".into()));
    assert!(unknown.contains("there is no script `no-such-script`"), "{unknown}");

    let wrong = rejected(&|table| table.rows[0].ours.push("body=\"something else\"".into()));
    assert!(wrong.contains("our record has no `body=\"something else\"`"), "{wrong}");

    let same = rejected(&|table| {
        let row = &mut table.rows[0];
        row.peer = vec!["severity_text=INFO".into()];
        row.ours.clone_from(&row.peer);
    });
    assert!(same.contains("shows no difference"), "{same}");
}

/// Shows that the comparison reports what it cannot explain.
#[test]
fn a_difference_without_a_name_is_reported() {
    let script = scripts::corpus().into_iter().find(|script| script.name == "plain-line").unwrap();
    let peer = play(&script, Side::Peer);
    type Change = fn(&mut fixture::Line);
    let changes: [(&str, Change); 8] = [
        ("severity", |line| line.severity_number = Some(17)),
        ("body", |line| line.body = Some("\"another\"".into())),
        ("event_name", |line| line.event_name = Some("made up".into())),
        ("scope", |line| line.scope = "elsewhere".into()),
        ("ids", |line| line.span = Some("elsewhere".into())),
        ("attributes", |line| line.attributes.push(("more".into(), "1".into()))),
        ("attributes", |line| line.attributes.clear()),
        ("attributes", |line| line.attributes.reverse()),
    ];
    for (what, change) in changes {
        let mut ours = play(&script, Side::Ours);
        change(&mut ours.lines[0]);
        let why = differences(&script, &peer, &ours).unwrap_err();
        assert!(why.contains(what), "{what}: {why}");
    }
    let mut ours = play(&script, Side::Ours);
    ours.lines.clear();
    assert!(differences(&script, &peer, &ours).unwrap_err().contains("records"));
}
