//! What a child is told: trace context, environment, directory, stdin.

use opentelemetry::baggage::{BaggageExt, KeyValueMetadata};
use opentelemetry::trace::{SpanContext, SpanId, TraceContextExt, TraceFlags, TraceId, TraceState};
use opentelemetry::{Context, KeyValue};

use crate::support::{sh, World};

const SHOW: &str = r#"echo "parent ${TRACEPARENT-unset}"; echo "state ${TRACESTATE-unset}"; echo "baggage ${BAGGAGE-unset}""#;

/// What the child of a world's op is told.
fn told_by(world: &World) -> String {
    let span = world.span();
    let context = &span.span_context;
    format!("parent 00-{}-{}-01", context.trace_id(), context.span_id())
}

fn remote_parent() -> SpanContext {
    SpanContext::new(
        TraceId::from(0x4bf9_2f35_77b3_4da6_a3ce_929d_0e0e_4736_u128),
        SpanId::from(0x00f0_67aa_0ba9_02b7_u64),
        TraceFlags::SAMPLED,
        true,
        TraceState::from_key_value([("vendor", "one")]).unwrap(),
    )
}

#[test]
fn the_child_is_told_the_ops_ids() {
    let world = World::new();
    world.block_on(|| sh(SHOW).run()).unwrap();
    assert_eq!(world.texts(), [told_by(&world).as_str(), "state unset", "baggage unset"]);
}

#[test]
fn the_child_is_told_trace_state_and_baggage() {
    let world = World::new();
    world
        .block_on(|| {
            let context = Context::current()
                .with_remote_span_context(remote_parent())
                .with_baggage([KeyValue::new("tenant", "a b")]);
            let _attached = context.attach();
            sh(SHOW).run()
        })
        .unwrap();
    assert_eq!(world.texts(), [told_by(&world).as_str(), "state vendor=one", "baggage tenant=a%20b"]);
    assert!(world.texts()[0].contains("4bf92f3577b34da6a3ce929d0e0e4736"));
}

#[test]
fn baggage_that_cannot_be_told_does_not_keep_the_child_from_starting() {
    let contexts = [
        // Within the limit as it is, beyond it when it is escaped.
        Context::current_with_baggage([KeyValue::new("key", "; ".repeat(3000))]),
        Context::current_with_baggage([KeyValueMetadata::new("key", "value", "a\0b")]),
    ];
    for context in contexts {
        let world = World::new();
        world
            .block_on(|| {
                let _attached = context.attach();
                sh(SHOW).run()
            })
            .unwrap();
        assert_eq!(world.texts(), [told_by(&world).as_str(), "state unset", "baggage unset"]);
    }
}

#[test]
fn without_a_tracer_the_child_is_told_the_span_around() {
    let world = World::without_spans();
    world
        .block_on(|| {
            let _attached = Context::current().with_remote_span_context(remote_parent()).attach();
            sh(SHOW).run()
        })
        .unwrap();
    let parent = "parent 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    assert_eq!(world.texts(), [parent, "state vendor=one", "baggage unset"]);
}

/// Set where a test runs itself again, with another environment or standard input.
const INNER: &str = "SPANLOG_TEST_INNER";

fn again(test: &str) -> std::process::Command {
    let mut command = std::process::Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", test]).env(INNER, "1");
    command
}

#[test]
fn what_this_process_inherited_is_not_passed_on() {
    if std::env::var_os(INNER).is_some() {
        return inner_of_what_this_process_inherited();
    }
    let inner = again("environment::what_this_process_inherited_is_not_passed_on")
        .env("TRACEPARENT", "00-11111111111111111111111111111111-2222222222222222-01")
        .env("TRACESTATE", "stale=1")
        .env("BAGGAGE", "stale=1")
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&inner.stdout);
    assert!(inner.status.success() && text.contains("1 passed"), "{text}");
}

fn inner_of_what_this_process_inherited() {
    assert_eq!(std::env::var("TRACESTATE").unwrap(), "stale=1");
    let world = World::new();
    world.block_on(|| sh(SHOW).run()).unwrap();
    assert_eq!(world.texts(), [told_by(&world).as_str(), "state unset", "baggage unset"]);

    let world = World::without_spans();
    world.block_on(|| sh(SHOW).run()).unwrap();
    assert_eq!(world.texts(), ["parent unset", "state unset", "baggage unset"]);

    let world = World::without_spans();
    let own = "00-33333333333333333333333333333333-4444444444444444-01";
    world.block_on(|| sh(SHOW).env("TRACEPARENT", own).run()).unwrap();
    assert_eq!(world.texts(), [&format!("parent {own}"), "state unset", "baggage unset"]);
}

#[test]
fn what_the_caller_sets_wins() {
    let own = "00-33333333333333333333333333333333-4444444444444444-01";
    let set = |key: &'static str, value: &'static str| {
        let world = World::new();
        world
            .block_on(|| {
                let context = Context::current()
                    .with_remote_span_context(remote_parent())
                    .with_baggage([KeyValue::new("tenant", "a")]);
                let _attached = context.attach();
                sh(SHOW).env(key, value).run()
            })
            .unwrap();
        (world.texts(), told_by(&world))
    };
    // The op's trace state says nothing about another parent.
    let (texts, _) = set("TRACEPARENT", own);
    assert_eq!(texts, [&format!("parent {own}"), "state unset", "baggage tenant=a"]);
    let (texts, told) = set("TRACESTATE", "mine=1");
    assert_eq!(texts, [told.as_str(), "state mine=1", "baggage tenant=a"]);
    let (texts, told) = set("BAGGAGE", "mine=1");
    assert_eq!(texts, [told.as_str(), "state vendor=one", "baggage mine=1"]);
}

#[test]
fn what_the_caller_removes_stays_away() {
    let world = World::new();
    world.block_on(|| sh(SHOW).env_remove("TRACEPARENT").run()).unwrap();
    assert_eq!(world.texts(), ["parent unset", "state unset", "baggage unset"]);
}

#[test]
fn environment_and_directory_are_the_callers() {
    let world = World::new();
    let script = "echo $OWN; echo ${HOME-unset}; echo ${PATH-unset}; pwd";
    let command = sh(script).env("OWN", "mine").env_remove("HOME").current_dir("/");
    world.block_on(|| command.run()).unwrap();
    let path = std::env::var("PATH").unwrap();
    assert_eq!(world.texts(), ["mine", "unset", &path, "/"]);

    // Cleared of everything but the op, and of what is set after that.
    let world = World::new();
    let command = sh("echo ${HOME-unset}; echo $OWN; echo \"parent $TRACEPARENT\"");
    world.block_on(|| command.env_clear().env("OWN", "mine").run()).unwrap();
    assert_eq!(world.texts(), ["unset", "mine", &told_by(&world)]);
}

#[test]
fn stdin_is_empty_unless_it_is_inherited() {
    if std::env::var_os(INNER).is_some() {
        return inner_of_stdin();
    }
    let mut inner = again("environment::stdin_is_empty_unless_it_is_inherited")
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    std::io::Write::write_all(&mut inner.stdin.take().unwrap(), b"asked and answered\n").unwrap();
    let inner = inner.wait_with_output().unwrap();
    let text = String::from_utf8_lossy(&inner.stdout);
    assert!(inner.status.success() && text.contains("1 passed"), "{text}");
}

fn inner_of_stdin() {
    let world = World::new();
    world.block_on(|| sh("cat").run()).unwrap();
    world.block_on(|| sh("cat").stdin_inherit().stdin_null().run()).unwrap();
    assert!(world.lines().is_empty());
    world.block_on(|| sh("cat").stdin_inherit().run()).unwrap();
    assert_eq!(world.texts(), ["asked and answered"]);
}
