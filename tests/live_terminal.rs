//! The live view on a real terminal: a pseudo-terminal of tmux, in which a helper of this binary
//! runs.
//!
//! Without tmux these tests are skipped.
#![expect(unreachable_pub, reason = "a test binary exports nothing; `pub` says what its parts offer")]
#![expect(clippy::unwrap_used, reason = "a test that unwraps fails, which is what it is for")]

#[path = "support/program.rs"]
mod program;
#[path = "live_terminal/fixture.rs"]
mod fixture;
#[path = "live_terminal/tmux.rs"]
mod tmux;

use std::process::{Command, Stdio};

use crate::fixture::{FAILING, OPS, PART};
use crate::tmux::Terminal;

/// The rows of a view or a tree that name an op, without its log lines.
fn rows_of<'a>(screen: &'a str, op: &str) -> Vec<&'a str> {
    let named = format!("─ {op} ");
    screen.lines().filter(|line| line.contains(&named)).collect()
}

fn numbers_above(screen: &str) -> Vec<usize> {
    let above = screen.lines().filter_map(|line| line.split("above: ").nth(1));
    above.map(|number| number.trim().parse().unwrap()).collect()
}

/// Guarantees: while it runs there is one view at the bottom; it leaves one whole tree and the
/// failures in the scrollback, nothing else; and every console line is there once, in order, in one
/// piece.
#[test]
fn a_view_of_fifty_ops_leaves_the_tree_once_and_no_line_torn() {
    let Some(terminal) = Terminal::open(80, 24) else { return };
    let screen = terminal.wait("more running", |screen| screen.contains("more running"));
    assert_eq!(screen.matches(" job.deploy (deploy of web)  ").count(), 1, "{screen}");
    assert_eq!(screen.matches("more running").count(), 1, "{screen}");
    assert!(screen.lines().all(|line| line.chars().count() <= 80), "{screen}");
    terminal.wait("lines above", |screen| !numbers_above(screen).is_empty());
    for _ in 0..20 {
        // A screen can be captured in the middle of a drawing: then the view is incomplete, but
        // never there twice.
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
        let path = format!("✗ job.deploy (deploy of web) › step.apply › terraform apply-{number}");
        assert_eq!(all.matches(&path).count(), 1, "{all}");
    }
    assert!(!all.contains("more running") && !all.contains("⠙") && !all.contains(" done  "), "{all}");
    let numbers = numbers_above(&all);
    assert_eq!(numbers, (1..=numbers.len()).collect::<Vec<_>>(), "{all}");
    assert!(numbers.len() > 5);
    assert!(all.contains("what is said after the view"), "{all}");
    assert!(terminal.has_cursor());
}

/// Guarantees: after a resize there is one view, of the new size.
#[test]
fn a_view_follows_the_size_of_its_terminal() {
    let Some(terminal) = Terminal::open(80, 24) else { return };
    terminal.wait("the view", |screen| screen.contains("more running"));
    let is_one =
        |screen: &str| screen.matches("─ step.apply").count() == 1 && screen.matches(" done  ").count() == 1;
    // Names are truncated at forty columns.
    let ops = |screen: &str| screen.lines().filter(|line| line.contains("─ terra")).count();
    terminal.resize(200, 60);
    let screen = terminal.wait("more rows", |screen| is_one(screen) && ops(screen) > 25);
    assert_eq!(screen.matches(" job.deploy (deploy of web)  ").count(), 1, "{screen}");
    terminal.resize(40, 16);
    terminal.wait("fewer rows", |screen| is_one(screen) && (1..11).contains(&ops(screen)));
    terminal.resize(80, 24);
    terminal.wait("the first size", |screen| is_one(screen) && (12..18).contains(&ops(screen)));
    let all = terminal.finish();
    assert!(all.contains("what is said after the view"), "{all}");
}

/// Guarantees: output that cannot be redrawn is lines without control characters.
#[test]
fn without_a_terminal_the_view_is_lines() {
    let directory = tmux::directory();
    std::fs::write(directory.join("go"), "").unwrap();
    let mut part = Command::new(std::env::current_exe().unwrap());
    part.args(["helper_that_runs_in_a_terminal", "--exact", "--nocapture"])
        .env(PART, &directory)
        .env_remove("CLICOLOR_FORCE")
        .stdin(Stdio::null());
    let output = part.output().unwrap();
    let (out, err) = (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
    assert!(output.status.success(), "{out}{err}");
    assert!(!err.contains('\u{1b}'), "{err:?}");
    for line in [
        "✓ job.deploy (deploy of web) › step.fetch › git clone",
        "✗ job.deploy (deploy of web) › step.apply › terraform apply-7  ",
        "  ┆ 7: quota \\u{1b}[31mexceeded\\u{1b}[0m",
        "above: 1\n",
    ] {
        assert!(err.contains(line), "{line}\n{err}");
    }
    assert_eq!(rows_of(&err, "step.apply").len(), 1, "{err}");
    assert_is_in_order(&err);
    std::fs::remove_dir_all(directory).unwrap();
}

/// Console lines are between start and end of what they are logged in; then comes the tree, then
/// the failures with their last lines. Only one failure is searched for: their order is that in
/// which threads started.
fn assert_is_in_order(text: &str) {
    let mut rest = text;
    for next in [
        "… job.deploy (deploy of web) › step.apply\n",
        "above: 1\n",
        "above: 2\n",
        "✗ job.deploy (deploy of web) › step.apply  ",
        "✗ job.deploy (deploy of web)  ",
        "\n\n✗ job.deploy (deploy of web)  ",
        "\n✗ └─ step.apply  ",
        "\n\n✗ job.deploy (deploy of web) › step.apply › terraform apply-7  ",
        "\n  failed: exit code 7\n  ┆ 7: creating\n  ┆ 7: quota ",
        "\n\n✗ job.deploy (deploy of web) failed after ",
        "what is said after the view\n",
    ] {
        let at = rest.find(next).unwrap_or_else(|| panic!("{next:?} does not come where it should:\n{text}"));
        rest = &rest[at + next.len() - 1..];
    }
}

/// Guarantees: a terminal, too, gets lines if `CI` is set, in colour, or if `TERM` is `dumb`,
/// without.
#[test]
fn a_terminal_in_ci_or_a_dumb_one_gets_lines() {
    for (variables, has_color) in [("CI=1", true), ("CI=1 NO_COLOR=1", false), ("TERM=dumb", false)] {
        // Wide enough for every line.
        let Some(terminal) = Terminal::open_with(200, 50, variables) else { return };
        terminal.wait("a line of the console", |screen| !numbers_above(screen).is_empty());
        let all = terminal.finish();
        assert_is_in_order(&all);
        assert!(!all.contains(" running, "), "{variables}: {all}");
        let all = terminal.in_color();
        let green = "\u{1b}[32m✓";
        assert_eq!(all.contains(green), has_color, "{variables}: {all:?}");
        // The console treats a dumb terminal in its own way.
        let of_view = all.lines().filter(|line| line.contains(" › ") || line.contains("─ "));
        assert_eq!(of_view.clone().any(|line| line.contains('\u{1b}')), has_color, "{variables}: {all:?}");
        assert!(of_view.count() > 50, "{variables}: {all}");
    }
}

/// Guarantees: with `NO_COLOR` the view is still redrawn, and neither it nor the tree has colours;
/// otherwise both do.
#[test]
fn colour_is_refused_by_no_color() {
    for (variables, has_color) in [("NO_COLOR=1", false), ("NO_COLOR=", true)] {
        let Some(terminal) = Terminal::open_with(100, 24, variables) else { return };
        terminal.wait("the view", |screen| screen.contains("more running"));
        assert_eq!(terminal.in_color().contains("\u{1b}["), has_color, "{variables}");
        let all = terminal.finish();
        assert!(!all.contains("… job.deploy"), "{variables}: {all}");
        assert_eq!(terminal.in_color().contains('\u{1b}'), has_color, "{variables}");
    }
}

#[test]
fn helper_that_runs_in_a_terminal() {
    fixture::run();
}
