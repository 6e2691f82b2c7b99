//! Lines to records.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use opentelemetry::logs::Severity;
use tracing::Level;

use crate::support::{ids, kill, sh, World};

#[test]
fn each_line_is_a_record_with_the_ids_of_the_op() {
    let world = World::new();
    let output = world.block_on(|| sh("echo out; echo err >&2; echo more").run()).unwrap();
    assert_eq!((output.stdout_lines(), output.stderr_lines(), output.cut_lines()), (2, 1, 0));
    let span = world.span();
    assert_eq!(world.lines().len(), 3);
    for (text, stream) in [("out", "stdout"), ("more", "stdout"), ("err", "stderr")] {
        let line = world.line(text);
        assert_eq!(line.attribute("log.iostream"), Some(stream));
        assert_eq!(line.severity, Some(Severity::Info));
        assert_eq!(line.scope, "spanlog::op::command");
        assert_eq!(line.ids, ids(&span));
        assert_eq!(line.attribute("nuon.tool"), Some("sh"));
        assert_eq!(line.attribute("nuon.op"), Some("test"));
    }
}

#[test]
fn the_level_of_stderr_is_the_callers() {
    for (level, severity) in [
        (Level::ERROR, Severity::Error),
        (Level::WARN, Severity::Warn),
        (Level::INFO, Severity::Info),
        (Level::DEBUG, Severity::Debug),
        (Level::TRACE, Severity::Trace),
    ] {
        let world = World::new();
        world.block_on(|| sh("echo out; echo err >&2").stderr_level(level).run()).unwrap();
        assert_eq!(world.line("err").severity, Some(severity));
        assert_eq!(world.line("out").severity, Some(Severity::Info));
        // Not even an ERROR line makes the op red.
        assert_eq!(world.span().status, opentelemetry::trace::Status::Unset);
    }
}

#[test]
fn lines_are_logged_as_they_appear() {
    let world = World::new();
    let running = world.block_on(|| async {
        let run = sh("echo early; exec sleep 1000").run();
        tokio::select! {
            ended = run => Some(ended),
            () = world.logged("early") => None,
        }
    });
    assert!(running.is_none(), "{running:?}");
}

#[test]
fn line_ends_are_trimmed_and_empty_and_unfinished_lines_kept() {
    let world = World::new();
    let script = r"printf 'one\r\n\n\r\nin\rside\r\r\nlast'; printf 'last of stderr\r' >&2";
    let output = world.block_on(|| sh(script).run()).unwrap();
    let of = |stream| {
        let lines = world.lines().into_iter();
        let lines = lines.filter(move |line| line.attribute("log.iostream") == Some(stream));
        lines.map(|line| line.text).collect::<Vec<_>>()
    };
    assert_eq!(of("stdout"), ["one", "", "", "in\rside\r", "last"]);
    assert_eq!(of("stderr"), ["last of stderr"]);
    assert_eq!((output.stdout_lines(), output.stderr_lines()), (5, 1));
}

#[test]
fn a_child_that_writes_nothing_makes_no_record() {
    let world = World::new();
    let output = world.block_on(|| sh("exit 0").run()).unwrap();
    assert_eq!((output.stdout_lines(), output.stderr_lines()), (0, 0));
    assert!(world.lines().is_empty());
}

#[test]
fn bytes_that_are_not_utf_8_stay_readable() {
    let world = World::new();
    world.block_on(|| sh(r"printf 'a\377b\303\251\n\303'").run()).unwrap();
    assert_eq!(world.texts(), ["a\u{FFFD}b\u{e9}", "\u{FFFD}"]);
}

#[test]
fn a_long_line_is_cut_and_counted_and_its_rest_skipped() {
    let world = World::new();
    let script = "head -c 300000 /dev/zero | tr '\\0' x; echo; echo after; \
                  head -c 65537 /dev/zero | tr '\\0' y >&2";
    let output = world.block_on(|| sh(script).run()).unwrap();
    assert_eq!((output.stdout_lines(), output.stderr_lines(), output.cut_lines()), (2, 1, 2));
    let mut texts = world.texts();
    texts.sort_unstable_by_key(|text| text.chars().next());
    assert_eq!(texts, ["after".to_owned(), "x".repeat(65536), "y".repeat(65536)]);
    assert_eq!(world.attributes()["op.command.cut_lines"], "2");
}

#[test]
fn a_line_of_64_kib_is_not_cut_whatever_its_end() {
    for end in [r"\n", r"\r\n", ""] {
        let world = World::new();
        let script = format!("head -c 65536 /dev/zero | tr '\\0' x; printf '{end}'");
        let output = world.block_on(|| sh(&script).run()).unwrap();
        assert_eq!((output.stdout_lines(), output.cut_lines()), (1, 0), "{end}");
        assert_eq!(world.texts(), ["x".repeat(65536)], "{end}");
        assert!(!world.attributes().contains_key("op.command.cut_lines"));
    }
}

#[test]
fn a_cut_is_on_a_character_boundary() {
    // Characters of 2, 3 and 4 bytes, at every place that the cut can have in them.
    for char in ["\u{e9}", "\u{20ac}", "\u{1f980}"] {
        for offset in 0..4 {
            let world = World::new();
            let start = "a".repeat(offset);
            let script = format!("printf %s {start:?}; yes {char} | head -n 40000 | tr -d '\\n'");
            let output = world.block_on(|| sh(&script).run()).unwrap();
            assert_eq!(output.cut_lines(), 1);
            let count = (65536 - offset) / char.len();
            assert_eq!(world.texts(), [start + &char.repeat(count)], "{char} after {offset}");
        }
    }
}

#[test]
fn a_cut_line_is_logged_before_its_end() {
    let world = World::new();
    let cut = "x".repeat(65536);
    world.block_on(|| async {
        let run = sh("head -c 70000 /dev/zero | tr '\\0' x; exec sleep 1000").run();
        tokio::select! {
            ended = run => panic!("{ended:?}"),
            () = world.logged(&cut) => {}
        }
    });
    // Nothing of the rest when it is cancelled, and the count is on the span even so.
    assert_eq!(world.texts(), [cut]);
    assert_eq!(world.attributes()["op.command.cut_lines"], "1");
}

#[test]
fn a_line_that_was_begun_is_logged_when_the_future_is_dropped() {
    let world = World::new();
    world.block_on(|| async {
        let run = sh(r"printf 'started\nPassword: '; exec sleep 1000").run();
        tokio::select! {
            ended = run => panic!("{ended:?}"),
            () = world.logged("started") => {}
        }
    });
    assert_eq!(world.texts(), ["started", "Password: "]);
    assert_eq!(world.line("Password: ").ids, ids(&world.span()));
}

#[test]
fn a_last_line_is_logged_when_its_stream_ends_not_when_the_child_does() {
    let world = World::new();
    world.block_on(|| async {
        let run = sh("printf last; exec >&-; exec sleep 1000").run();
        tokio::select! {
            ended = run => panic!("{ended:?}"),
            () = world.logged("last") => {}
        }
    });
}

#[test]
fn a_grandchild_that_holds_the_pipes_does_not_hold_the_run() {
    let world = World::new();
    let output = world.block_on(|| sh("sleep 1000 & echo $!; printf unfinished").run()).unwrap();
    let texts = world.texts();
    kill(&texts[0]);
    assert!(output.is_left_open());
    assert_eq!(world.attributes()["op.command.left_open"], "true");
    assert_eq!(texts[1..], ["unfinished"]);
    assert_eq!(output.stdout_lines(), 2);
}

#[test]
fn a_grandchild_that_writes_for_ever_does_not_hold_the_run() {
    let pid = Arc::new(Mutex::new(None::<String>));
    let seen = pid.clone();
    let world = World::looking(move |text| {
        if text.chars().all(|char| char.is_ascii_digit()) {
            *seen.lock().unwrap() = Some(text.to_owned());
        }
        // Slower than what is written: there is always more to read.
        std::thread::sleep(Duration::from_micros(100));
    });
    let script = "yes \"$(head -c 1000 /dev/zero | tr '\\0' x)\" & echo $! >&2";
    let output = world.block_on(|| sh(script).run()).unwrap();
    kill(pid.lock().unwrap().as_deref().unwrap());
    assert!(output.is_left_open());
}

#[test]
fn last_words_of_a_grandchild_are_heard() {
    let world = World::new();
    let output = world.block_on(|| sh("(sleep 0.05; echo late) & echo early").run()).unwrap();
    assert_eq!(world.texts(), ["early", "late"]);
    assert!(!output.is_left_open());
    assert!(!world.attributes().contains_key("op.command.left_open"));
}
