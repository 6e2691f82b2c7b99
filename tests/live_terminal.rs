//! The live view on a real terminal: a pseudo-terminal of tmux, in which this binary plays a part of its own.
//!
//! Without tmux the tests that need it say so and do nothing.
#![expect(unreachable_pub, reason = "a test binary exports nothing; `pub` says what its parts offer")]
#![expect(clippy::unwrap_used, reason = "a test that unwraps fails, which is what it is for")]

#[path = "live_terminal/scene.rs"]
mod scene;
#[path = "live_terminal/tmux.rs"]
mod tmux;

use std::process::{Command, Stdio};

use crate::scene::{FAILING, OPS, PART};
use crate::tmux::Terminal;

/// The rows of a view or a tree that name an op, without its log lines.
fn rows_of<'a>(screen: &'a str, op: &str) -> Vec<&'a str> {
    let named = format!("─ {op} ");
    screen.lines().filter(|line| line.contains(&named)).collect()
}

fn numbers_above(screen: &str) -> Vec<usize> {
    let above = screen.lines().filter_map(|line| line.split("above the view: ").nth(1));
    above.map(|number| number.trim().parse().unwrap()).collect()
}

/// Guarantees: while it runs there is one view at the bottom; nothing is left of it in the scrollback but one whole
/// tree and the failures; and every line of the console is there once, in order, in one piece.
#[test]
fn a_view_of_fifty_ops_leaves_the_tree_once_and_no_line_torn() {
    let Some(terminal) = Terminal::open(80, 24) else { return };
    let screen =
        terminal.wait("more running", |screen| screen.contains("more running") && screen.contains("┆"));
    assert_eq!(screen.matches(" job.deploy  ").count(), 1, "{screen}");
    assert_eq!(screen.matches("more running").count(), 1, "{screen}");
    assert!(screen.lines().all(|line| line.chars().count() <= 80), "{screen}");
    terminal.wait("lines above", |screen| !numbers_above(screen).is_empty());
    for _ in 0..20 {
        // A screen can be captured in the middle of a drawing: then the view is not all there, but never there twice.
        let screen = terminal.screen();
        assert!(screen.matches("─ step.apply").count() <= 1, "{screen}");
        assert!(numbers_above(&screen).is_sorted(), "{screen}");
    }
    let all = terminal.finish();
    assert_eq!(rows_of(&all, "step.apply").len(), 1, "{all}");
    for number in 1..=OPS {
        let rows = rows_of(&all, &format!("terraform apply-{number}"));
        assert_eq!(rows.len(), 1, "{all}");
        let mark = if FAILING.contains(&number) { "✗" } else { "✓" };
        assert!(rows[0].starts_with(mark), "{rows:?}");
    }
    for number in FAILING {
        let path = format!("✗ job.deploy › step.apply › terraform apply-{number}");
        assert_eq!(all.matches(&path).count(), 1, "{all}");
    }
    assert!(!all.contains("more running") && !all.contains("⠙") && !all.contains(" done  "), "{all}");
    let numbers = numbers_above(&all);
    assert_eq!(numbers, (1..=numbers.len()).collect::<Vec<_>>(), "{all}");
    assert!(numbers.len() > 5);
    assert!(all.contains("what is said after the view"), "{all}");
    assert!(terminal.has_cursor());
}

/// Guarantees: a terminal that changes its size has one view, of its new size.
#[test]
fn a_view_follows_the_size_of_its_terminal() {
    let Some(terminal) = Terminal::open(80, 24) else { return };
    terminal.wait("the view", |screen| screen.contains("more running"));
    let is_one =
        |screen: &str| screen.matches("─ step.apply").count() == 1 && screen.matches(" done  ").count() == 1;
    // Names are cut where there are forty columns.
    let ops = |screen: &str| screen.lines().filter(|line| line.contains("─ terra")).count();
    terminal.resize(200, 60);
    let screen = terminal.wait("more rows", |screen| is_one(screen) && ops(screen) > 15);
    assert_eq!(screen.matches(" job.deploy  ").count(), 1, "{screen}");
    terminal.resize(40, 16);
    terminal.wait("fewer rows", |screen| is_one(screen) && (1..6).contains(&ops(screen)));
    terminal.resize(80, 24);
    terminal.wait("the first size", |screen| is_one(screen) && (6..10).contains(&ops(screen)));
    let all = terminal.finish();
    assert!(all.contains("what is said after the view"), "{all}");
}

/// Guarantees: where nothing can be redrawn there are lines, without a control character.
#[test]
fn without_a_terminal_the_view_is_lines() {
    let directory = tmux::directory();
    std::fs::write(directory.join("go"), "").unwrap();
    let mut part = Command::new(std::env::current_exe().unwrap());
    part.args(["the_part_that_is_played", "--exact", "--nocapture"])
        .env(PART, &directory)
        .stdin(Stdio::null());
    let output = part.output().unwrap();
    let (out, err) = (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
    assert!(output.status.success(), "{out}{err}");
    assert!(!err.contains('\u{1b}'), "{err:?}");
    for line in [
        "✓ job.deploy › step.fetch › git clone",
        "✗ job.deploy › step.apply › terraform apply-7  ",
        "  ┆ 7: quota \\u{1b}[31mexceeded\\u{1b}[0m",
        "above the view: 1\n",
    ] {
        assert!(err.contains(line), "{line}\n{err}");
    }
    assert_eq!(rows_of(&err, "step.apply").len(), 1, "{err}");
    std::fs::remove_dir_all(directory).unwrap();
}

#[test]
fn the_part_that_is_played() {
    scene::play();
}
