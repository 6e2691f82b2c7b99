//! What a child inherits: trace context, environment, directory, stdin.

use opentelemetry::baggage::{BaggageExt, KeyValueMetadata};
use opentelemetry::trace::{SpanContext, TraceContextExt, TraceFlags, TraceState};
use opentelemetry::{Context, KeyValue};
use spanlog::op::Command;

use crate::fixture::spans::{REMOTE_SPAN, REMOTE_TRACE};
use crate::fixture::{Fixture, USUAL};
use crate::process::{isolated, Isolated};
use crate::support::{sh, without_spans};

const SHOW: &str = r#"echo "parent ${TRACEPARENT-unset}"; echo "state ${TRACESTATE-unset}"; echo "baggage ${BAGGAGE-unset}""#;

/// The line that a child of the fixture's op prints for its parent.
fn parent_line(fixture: &Fixture) -> String {
    let span = fixture.only_span();
    let context = &span.span_context;
    format!("parent 00-{}-{}-01", context.trace_id(), context.span_id())
}

/// What a command prints whose op is started in this context.
fn printed_in(context: Context, fixture: &Fixture, command: Command) -> Vec<String> {
    let run = || {
        let _attached = context.attach();
        command.run()
    };
    fixture.block_on(run).unwrap();
    fixture.bodies()
}

/// A context with a remote parent that has trace state.
fn remote_parent() -> Context {
    let state = TraceState::from_key_value([("vendor", "one")]).unwrap();
    let span = SpanContext::new(REMOTE_TRACE, REMOTE_SPAN, TraceFlags::SAMPLED, true, state);
    Context::new().with_remote_span_context(span)
}

#[test]
fn the_child_is_told_the_ops_ids() {
    let fixture = USUAL.build();
    fixture.block_on(|| sh(SHOW).run()).unwrap();
    assert_eq!(fixture.bodies(), [parent_line(&fixture).as_str(), "state unset", "baggage unset"]);
}

#[test]
fn the_child_is_told_trace_state_and_baggage() {
    let fixture = USUAL.build();
    let context = remote_parent().with_baggage([KeyValue::new("tenant", "a b")]);
    let printed = printed_in(context, &fixture, sh(SHOW));
    assert_eq!(printed, [parent_line(&fixture).as_str(), "state vendor=one", "baggage tenant=a%20b"]);
    assert!(printed[0].contains("4bf92f3577b34da6a3ce929d0e0e4736"));
}

#[test]
fn baggage_that_cannot_be_told_does_not_keep_the_child_from_starting() {
    let contexts = [
        // Within the limit as it is, beyond it once escaped.
        Context::current_with_baggage([KeyValue::new("key", "; ".repeat(3000))]),
        Context::current_with_baggage([KeyValueMetadata::new("key", "value", "a\0b")]),
    ];
    for context in contexts {
        let fixture = USUAL.build();
        let printed = printed_in(context, &fixture, sh(SHOW));
        assert_eq!(printed, [parent_line(&fixture).as_str(), "state unset", "baggage unset"]);
    }
}

#[test]
fn without_a_tracer_the_child_is_told_the_span_around() {
    let printed = printed_in(remote_parent(), &without_spans(), sh(SHOW));
    let parent = "parent 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    assert_eq!(printed, [parent, "state vendor=one", "baggage unset"]);
}

#[test]
fn what_this_process_inherited_is_not_passed_on() {
    let child = isolated(|_| {
        assert_eq!(std::env::var("TRACESTATE").unwrap(), "stale=1");
        let fixture = USUAL.build();
        fixture.block_on(|| sh(SHOW).run()).unwrap();
        assert_eq!(fixture.bodies(), [parent_line(&fixture).as_str(), "state unset", "baggage unset"]);

        let fixture = without_spans();
        fixture.block_on(|| sh(SHOW).run()).unwrap();
        assert_eq!(fixture.bodies(), ["parent unset", "state unset", "baggage unset"]);

        let fixture = without_spans();
        let own = "00-33333333333333333333333333333333-4444444444444444-01";
        fixture.block_on(|| sh(SHOW).env("TRACEPARENT", own).run()).unwrap();
        assert_eq!(fixture.bodies(), [&format!("parent {own}"), "state unset", "baggage unset"]);
    });
    let inherited = [
        ("TRACEPARENT", "00-11111111111111111111111111111111-2222222222222222-01"),
        ("TRACESTATE", "stale=1"),
        ("BAGGAGE", "stale=1"),
    ];
    if let Some(child) = child {
        child.run(&inherited);
    }
}

#[test]
fn what_the_caller_sets_wins() {
    let own = "00-33333333333333333333333333333333-4444444444444444-01";
    let set = |key: &'static str, value: &'static str| {
        let fixture = USUAL.build();
        let context = remote_parent().with_baggage([KeyValue::new("tenant", "a")]);
        (printed_in(context, &fixture, sh(SHOW).env(key, value)), parent_line(&fixture))
    };
    // The op's trace state does not apply to another parent.
    let (texts, _) = set("TRACEPARENT", own);
    assert_eq!(texts, [&format!("parent {own}"), "state unset", "baggage tenant=a"]);
    let (texts, parent) = set("TRACESTATE", "mine=1");
    assert_eq!(texts, [parent.as_str(), "state mine=1", "baggage tenant=a"]);
    let (texts, parent) = set("BAGGAGE", "mine=1");
    assert_eq!(texts, [parent.as_str(), "state vendor=one", "baggage mine=1"]);
}

#[test]
fn what_the_caller_removes_stays_away() {
    let fixture = USUAL.build();
    fixture.block_on(|| sh(SHOW).env_remove("TRACEPARENT").run()).unwrap();
    assert_eq!(fixture.bodies(), ["parent unset", "state unset", "baggage unset"]);
}

#[test]
fn environment_and_directory_are_the_callers() {
    let fixture = USUAL.build();
    let script = "echo $OWN; echo ${HOME-unset}; echo ${PATH-unset}; pwd";
    let command = sh(script).env("OWN", "mine").env_remove("HOME").current_dir("/");
    fixture.block_on(|| command.run()).unwrap();
    let path = std::env::var("PATH").unwrap();
    assert_eq!(fixture.bodies(), ["mine", "unset", &path, "/"]);

    // Cleared of everything except the op's variables and what is set later.
    let fixture = USUAL.build();
    let command = sh("echo ${HOME-unset}; echo $OWN; echo \"parent $TRACEPARENT\"");
    fixture.block_on(|| command.env_clear().env("OWN", "mine").run()).unwrap();
    assert_eq!(fixture.bodies(), ["unset", "mine", &parent_line(&fixture)]);
}

#[test]
fn stdin_is_empty_unless_it_is_inherited() {
    let child = isolated(|_| {
        let fixture = USUAL.build();
        fixture.block_on(|| sh("cat").run()).unwrap();
        fixture.block_on(|| sh("cat").stdin_inherit().stdin_null().run()).unwrap();
        assert!(fixture.records().is_empty());
        fixture.block_on(|| sh("cat").stdin_inherit().run()).unwrap();
        assert_eq!(fixture.bodies(), ["asked and answered"]);
    });
    let stdin = b"asked and answered\n".to_vec();
    if let Some(child) = child {
        Isolated { stdin, ..child }.run(&[]);
    }
}
