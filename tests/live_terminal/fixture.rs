//! What runs in the terminal: a deploy with fifty parallel ops, two of which fail, with a console
//! beside it.

use std::env;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use spanlog::graph::{Progress, Recorder};
use spanlog::{job, op, JobMetadata};

/// The variable that names a directory. The run continues until it contains a file `go`.
pub const PART: &str = "SPANLOG_TEST_PART";

pub const OPS: usize = 50;
pub const FAILING: [usize; 2] = [7, 23];

/// The most lines of an op, so that the run ends even if its test has failed.
const PATIENCE: usize = 60 * 50;

pub fn run() {
    let Some(directory) = env::var_os(PART).map(PathBuf::from) else { return };
    if std::io::stderr().is_terminal() {
        // Starts at the first cell, as in a new terminal.
        eprint!("\u{1b}[2J\u{1b}[H");
    }
    let recorder = Recorder::default();
    let view = Progress::start(&recorder);
    let guard = spanlog::builder()
        .with_json_lines(directory.join("out"))
        .with_recorder(recorder)
        .with_console_writer(view.writer())
        .with_console_level(tracing::Level::WARN)
        .install()
        .unwrap();
    let execution = job::execution(JobMetadata::new("deploy of web", "execution-1"), "deploy");
    let result = execution.in_scope(|| {
        execution.step("fetch").run(|| {
            op::run("git", "clone", [], || {
                tracing::info!("cloning");
                Ok::<(), String>(())
            })
        })?;
        execution.step("apply").run(|| apply(&directory))
    });
    execution.end(&result);
    drop(guard);
    view.finish().unwrap();
    eprintln!("what is said after the view");
}

fn apply(directory: &Path) -> Result<(), String> {
    thread::scope(|scope| {
        let jobs = job::current().unwrap();
        let parent = tracing::Span::current();
        for number in 1..=OPS {
            let (jobs, parent) = (jobs.clone(), parent.clone());
            scope.spawn(move || {
                parent.in_scope(|| {
                    job::scope(jobs, || {
                        let _ =
                            op::run("terraform", &format!("apply-{number}"), [], || one(number, directory));
                    })
                });
            });
        }
        // Console lines, some wider than 80 columns.
        thread::sleep(Duration::from_millis(300));
        let mut number = 0;
        while number < 8 || (number < PATIENCE && !directory.join("go").exists()) {
            number += 1;
            tracing::warn!(target: "steps", "above: {number}");
            thread::sleep(Duration::from_millis(30));
        }
    });
    Err("2 of 50 failed".to_owned())
}

fn one(number: usize, directory: &Path) -> Result<(), String> {
    tracing::info!("{number}: creating");
    if FAILING.contains(&number) {
        tracing::info!("{number}: quota \u{1b}[31mexceeded\u{1b}[0m");
        return Err(format!("exit code {number}"));
    }
    for line in 0..PATIENCE {
        if directory.join("go").exists() {
            break;
        }
        tracing::info!(
            "{number}: still creating, line {line} of what it says, which is long for a narrow terminal"
        );
        thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}
