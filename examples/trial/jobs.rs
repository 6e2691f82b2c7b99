//! Four jobs at once: 30 ops in parallel, retries, every outcome of an op, any number of records.

use std::panic::{catch_unwind, AssertUnwindSafe};
use std::thread;
use std::time::Duration;

use spanlog::op::{self, Command};
use spanlog::{job, task, JobMetadata};

/// How many ops apply in parallel, and which of them fails.
pub(crate) const APPLIES: usize = 26;
const FAILING: usize = 12;

type Result<T = ()> = std::result::Result<T, String>;

/// How long things take, and how many records there are.
#[derive(Clone, Copy)]
pub(crate) struct Trial {
    /// One beat of the trial: an op takes a few.
    pub(crate) beat: Duration,
    /// The number of all records, at least 400.
    pub(crate) records: usize,
}

/// Runs the jobs; three end, and the fourth goes on until `until_end` returns.
pub(crate) fn run(trial: Trial, until_end: impl FnOnce()) {
    thread::scope(|scope| {
        for work in [plan, deploy, probe] {
            scope.spawn(task::carry(move || work(trial)));
        }
    });
    let watch = job::execution(metadata("watch 9", "exec-9"), "watch");
    let result = watch.in_scope(|| {
        watch.step("follow").run(|| {
            let follow = op::start("kubectl", "logs", [op::label("web-0")]);
            follow.in_scope(|| tracing::info!("waiting for lines"));
            until_end();
            follow.cancel("SIGTERM");
            Ok::<_, String>(())
        })
    });
    watch.end(&result);
}

fn metadata(job: &'static str, execution: &'static str) -> JobMetadata {
    JobMetadata::new(job, execution).with_group("trial")
}

/// Fails: one of 26 workspaces cannot be applied, which its tool says at INFO.
fn plan(trial: Trial) {
    let execution = job::execution(metadata("plan 6", "exec-6"), "plan");
    let result = execution.in_scope(|| {
        execution.step("init").run(|| fetch(trial, 3))?;
        execution.step("apply").run(|| apply(trial))
    });
    execution.end(&result);
}

/// Fails twice before it succeeds.
fn fetch(trial: Trial, attempts: usize) -> Result {
    for attempt in 1..=attempts {
        let fetched = op::run("git", "fetch", [], || {
            thread::sleep(trial.beat);
            tracing::info!("fetching origin, attempt {attempt}");
            if attempt < attempts {
                Err("connection reset by peer".to_owned())
            } else {
                Ok(())
            }
        });
        if fetched.is_ok() {
            break;
        }
    }
    Ok(())
}

fn apply(trial: Trial) -> Result {
    // What the other jobs say is 140 lines.
    let each = trial.records.saturating_sub(140) / APPLIES;
    let applies = (0..APPLIES).map(|number| {
        task::thread(move || {
            let label = op::label(format!("prod-eu-{number}"));
            op::run("terraform", "apply", [label], || {
                for line in 0..each {
                    tracing::info!("aws_instance.web[{line}]: still creating… [{line} s elapsed]");
                    if line % 50 == 0 {
                        thread::sleep(trial.beat / 4);
                    }
                }
                if number != FAILING {
                    thread::sleep(trial.beat * (number as u32 % 7));
                    return Ok(());
                }
                tracing::info!("Error: no such subnet: subnet-0a1b2c3d");
                tracing::info!("  on main.tf line 12, in resource \"aws_instance\" \"web\"");
                Err("exit status 1".to_owned())
            })
        })
    });
    let results: Vec<Result> =
        applies.collect::<Vec<_>>().into_iter().map(|one| one.join().unwrap_or(Ok(()))).collect();
    match results.into_iter().find_map(std::result::Result::err) {
        Some(error) => Err(format!("terraform apply: {error}")),
        None => Ok(()),
    }
}

/// Succeeds, with four ops in parallel.
fn deploy(trial: Trial) {
    let execution = job::execution(metadata("deploy 7", "exec-7"), "deploy");
    let result = execution.in_scope(|| {
        execution.step("charts").run(|| {
            let upgrades = ["web", "api", "jobs", "cron"].map(|chart| {
                task::thread(move || {
                    op::run("helm", "upgrade", [op::label(chart)], || {
                        for line in 0..30 {
                            tracing::debug!("{chart}: waiting for {} of 30 resources", 30 - line);
                        }
                        thread::sleep(trial.beat * 2);
                        Ok::<_, String>(())
                    })
                })
            });
            upgrades.into_iter().try_for_each(|one| one.join().unwrap_or(Ok(())))
        })
    });
    execution.end(&result);
}

/// Succeeds although its probes end in every other way.
fn probe(trial: Trial) {
    let execution = job::execution(metadata("probe 8", "exec-8"), "probe");
    let result = execution.in_scope(|| {
        execution.step("probes").run(|| {
            drop(op::start("docker", "inspect", []));
            op::start("kubectl", "wait", []).cancel("SIGTERM");
            let panicked = catch_unwind(AssertUnwindSafe(|| {
                op::run("helm", "test", [], || -> Result { panic!("index out of bounds: the len is 3") })
            }));
            tracing::warn!(name: "probe.panicked", "a probe panicked: {}", panicked.is_err());
            let _ = op::run("curl", "get", [], || -> Result { Err("404 Not Found".to_owned()) });
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            let limit = trial.beat.max(Duration::from_millis(50));
            let waited = runtime
                .map(|runtime| runtime.block_on(Command::new("sleep").arg("60").time_limit(limit).run()));
            tracing::warn!("a probe took too long: {}", waited.is_ok_and(|waited| waited.is_err()));
            Ok::<_, String>(())
        })
    });
    execution.end(&result);
}
