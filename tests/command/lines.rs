//! Lines as records.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use opentelemetry::logs::Severity;
use tracing::Level;

use crate::fixture::USUAL;
use crate::support::{ids, kill, observing, sh};

#[test]
fn each_line_is_a_record_with_the_ids_of_the_op() {
    let fixture = USUAL.build();
    let output = fixture.block_on(|| sh("echo out; echo err >&2; echo more").run()).unwrap();
    assert_eq!((output.stdout_lines(), output.stderr_lines(), output.cut_lines()), (2, 1, 0));
    let span = fixture.only_span();
    assert_eq!(fixture.records().len(), 3);
    for (text, stream) in [("out", "stdout"), ("more", "stdout"), ("err", "stderr")] {
        let line = fixture.record(text);
        assert_eq!(line.text("log.iostream"), Some(stream));
        assert_eq!(line.severity_number, Severity::Info as i32);
        assert_eq!(line.scope, "spanlog::op::command");
        assert_eq!(line.ids, ids(&span));
        assert_eq!(line.text("nuon.tool"), Some("sh"));
        assert_eq!(line.text("nuon.op"), Some("test"));
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
        let fixture = USUAL.build();
        fixture.block_on(|| sh("echo out; echo err >&2").stderr_level(level).run()).unwrap();
        assert_eq!(fixture.record("err").severity_number, severity as i32);
        assert_eq!(fixture.record("out").severity_number, Severity::Info as i32);
        // Not even an ERROR line makes the op red.
        assert_eq!(fixture.only_span().status, opentelemetry::trace::Status::Unset);
    }
}

#[test]
fn lines_are_logged_as_they_appear() {
    let fixture = USUAL.build();
    fixture.block_on(|| fixture.drop_when_logged(sh("echo early; exec sleep 1000").run(), "early"));
}

#[test]
fn line_ends_are_trimmed_and_empty_and_unfinished_lines_kept() {
    let fixture = USUAL.build();
    let script = r"printf 'one\r\n\n\r\nin\rside\r\r\nlast'; printf 'last of stderr\r' >&2";
    let output = fixture.block_on(|| sh(script).run()).unwrap();
    let of = |stream| {
        let lines = fixture.records().into_iter();
        let lines = lines.filter(move |line| line.text("log.iostream") == Some(stream));
        lines.map(|line| line.body_text().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(of("stdout"), ["one", "", "", "in\rside\r", "last"]);
    assert_eq!(of("stderr"), ["last of stderr"]);
    assert_eq!((output.stdout_lines(), output.stderr_lines()), (5, 1));
}

#[test]
fn a_child_that_writes_nothing_makes_no_record() {
    let fixture = USUAL.build();
    let output = fixture.block_on(|| sh("exit 0").run()).unwrap();
    assert_eq!((output.stdout_lines(), output.stderr_lines()), (0, 0));
    assert!(fixture.records().is_empty());
}

#[test]
fn bytes_that_are_not_utf_8_stay_readable() {
    let fixture = USUAL.build();
    fixture.block_on(|| sh(r"printf 'a\377b\303\251\n\303'").run()).unwrap();
    assert_eq!(fixture.bodies(), ["a\u{FFFD}b\u{e9}", "\u{FFFD}"]);
}

#[test]
fn a_long_line_is_cut_and_counted_and_its_rest_skipped() {
    let fixture = USUAL.build();
    let script = "head -c 300000 /dev/zero | tr '\\0' x; echo; echo after; \
                  head -c 65537 /dev/zero | tr '\\0' y >&2";
    let output = fixture.block_on(|| sh(script).run()).unwrap();
    assert_eq!((output.stdout_lines(), output.stderr_lines(), output.cut_lines()), (2, 1, 2));
    let mut texts = fixture.bodies();
    texts.sort_unstable_by_key(|text| text.chars().next());
    assert_eq!(texts, ["after".to_owned(), "x".repeat(65536), "y".repeat(65536)]);
    assert_eq!(fixture.attributes()["op.command.cut_lines"], "2");
}

#[test]
fn a_line_of_64_kib_is_not_cut_whatever_its_end() {
    for end in [r"\n", r"\r\n", ""] {
        let fixture = USUAL.build();
        let script = format!("head -c 65536 /dev/zero | tr '\\0' x; printf '{end}'");
        let output = fixture.block_on(|| sh(&script).run()).unwrap();
        assert_eq!((output.stdout_lines(), output.cut_lines()), (1, 0), "{end}");
        assert_eq!(fixture.bodies(), ["x".repeat(65536)], "{end}");
        assert!(!fixture.attributes().contains_key("op.command.cut_lines"));
    }
}

#[test]
fn a_cut_is_on_a_character_boundary() {
    // Characters of 2, 3 and 4 bytes, cut at every possible offset.
    for char in ["\u{e9}", "\u{20ac}", "\u{1f980}"] {
        for offset in 0..4 {
            let fixture = USUAL.build();
            let start = "a".repeat(offset);
            let script = format!("printf %s {start:?}; yes {char} | head -n 40000 | tr -d '\\n'");
            let output = fixture.block_on(|| sh(&script).run()).unwrap();
            assert_eq!(output.cut_lines(), 1);
            let count = (65536 - offset) / char.len();
            assert_eq!(fixture.bodies(), [start + &char.repeat(count)], "{char} after {offset}");
        }
    }
}

#[test]
fn a_cut_line_is_logged_before_its_end() {
    let fixture = USUAL.build();
    let cut = "x".repeat(65536);
    fixture.block_on(|| {
        fixture.drop_when_logged(sh("head -c 70000 /dev/zero | tr '\\0' x; exec sleep 1000").run(), &cut)
    });
    // Nothing of the rest after cancellation, and the count is still on the span.
    assert_eq!(fixture.bodies(), [cut]);
    assert_eq!(fixture.attributes()["op.command.cut_lines"], "1");
}

#[test]
fn a_line_that_was_begun_is_logged_when_the_future_is_dropped() {
    let fixture = USUAL.build();
    fixture.block_on(|| {
        fixture.drop_when_logged(sh(r"printf 'started\nPassword: '; exec sleep 1000").run(), "started")
    });
    assert_eq!(fixture.bodies(), ["started", "Password: "]);
    assert_eq!(fixture.record("Password: ").ids, ids(&fixture.only_span()));
}

#[test]
fn a_last_line_is_logged_when_its_stream_ends_not_when_the_child_does() {
    let fixture = USUAL.build();
    fixture.block_on(|| fixture.drop_when_logged(sh("printf last; exec >&-; exec sleep 1000").run(), "last"));
}

#[test]
fn a_grandchild_that_holds_the_pipes_does_not_hold_the_run() {
    let fixture = USUAL.build();
    let output = fixture.block_on(|| sh("sleep 1000 & echo $!; printf unfinished").run()).unwrap();
    let texts = fixture.bodies();
    kill(&texts[0]);
    assert!(output.is_left_open());
    assert_eq!(fixture.attributes()["op.command.left_open"], "true");
    assert_eq!(texts[1..], ["unfinished"]);
    assert_eq!(output.stdout_lines(), 2);
}

#[test]
fn a_grandchild_that_writes_for_ever_does_not_hold_the_run() {
    let pid = Arc::new(Mutex::new(None::<String>));
    let seen = pid.clone();
    let fixture = observing(move |text| {
        if text.chars().all(|char| char.is_ascii_digit()) {
            *seen.lock().unwrap() = Some(text.to_owned());
        }
        // Slower than the child, so that there is always more to read.
        std::thread::sleep(Duration::from_micros(100));
    });
    let script = "yes \"$(head -c 1000 /dev/zero | tr '\\0' x)\" & echo $! >&2";
    let output = fixture.block_on(|| sh(script).run()).unwrap();
    kill(pid.lock().unwrap().as_deref().unwrap());
    assert!(output.is_left_open());
}

#[test]
fn last_words_of_a_grandchild_are_heard() {
    let fixture = USUAL.build();
    let output = fixture.block_on(|| sh("(sleep 0.05; echo late) & echo early").run()).unwrap();
    assert_eq!(fixture.bodies(), ["early", "late"]);
    assert!(!output.is_left_open());
    assert!(!fixture.attributes().contains_key("op.command.left_open"));
}
