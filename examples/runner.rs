//! A small real job runner: it opens an execution, walks the steps fetch, validate, build, test and
//! outputs, and runs real tools in them.
//!
//! ```text
//! cargo run --example runner [DIR]
//! ```
//!
//! `DIR` (default: this repository) is the subject of the job. If it has a file `.runner`, each
//! line of that adds a tool call to a step, `STEP: PROGRAM ARGUMENT…`, in place of what the step
//! does by default.
//!
//! On a terminal it shows the tool-call graph while it runs, with the last lines of each tool, and
//! warnings above it. Otherwise (in a file, or if `CI` is set) it prints the lines of the tools. In
//! both cases the graph is printed at the end, and an HTML report is written to `spanlog-out/`.
//! Logs and traces go there too, as OTLP JSON lines, or, if `OTEL_EXPORTER_OTLP_ENDPOINT` is set,
//! to that collector.

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use spanlog::graph::{Progress, Recorder};
use spanlog::opentelemetry::KeyValue;
use spanlog::{job, op, JobMetadata};
use tokio::task::JoinSet;
use tracing::{error, info, warn};

const STEPS: [&str; 5] = ["fetch", "validate", "build", "test", "outputs"];

/// Longer than any of the tools needs; a tool that hangs is killed.
const TIME_LIMIT: Duration = Duration::from_secs(120);

type Result<T = ()> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

#[tokio::main]
async fn main() -> ExitCode {
    match run().await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("runner: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Returns whether the job succeeded.
async fn run() -> Result<bool> {
    let directory = std::env::args_os().nth(1).map_or_else(this_repository, PathBuf::from);
    let execution_id = format!("{:x}", SystemTime::now().duration_since(UNIX_EPOCH)?.as_nanos());
    let out = PathBuf::from("spanlog-out").join(&execution_id);
    fs::create_dir_all(&out)?;

    let recorder = Recorder::default();
    let view = Progress::builder(&recorder).with_stdout().with_report(out.join("report.html")).start();
    let mut builder = spanlog::builder()
        .with_service_name("runner")
        .with_recorder(recorder.clone())
        .with_console_writer(view.writer());
    if view.is_live() {
        // The view shows the rest.
        builder = builder.with_console_level(tracing::Level::WARN);
    }
    let destination = match std::env::var("OTEL_EXPORTER_OTLP_ENDPOINT") {
        Ok(endpoint) if !endpoint.is_empty() => endpoint,
        _ => {
            builder = builder.with_json_lines(&out);
            format!("{0}/logs.jsonl and {0}/traces.jsonl", out.display())
        }
    };
    let guard = builder.install()?;

    let path = directory.canonicalize()?;
    let name = path.file_name().unwrap_or(path.as_os_str());
    let metadata = JobMetadata::new(format!("build of {}", name.display()), execution_id)
        .with_group("examples")
        .with_executor("local");
    let job = Job { directory, work: out.join("work") };
    let execution = job::execution(metadata, "build");
    let is_done = tokio::select! {
        // First: Ctrl-C ends the tools as well, which must not look like their failure.
        biased;
        // What was running is dropped, which ends its ops as cancelled and kills its children.
        signal = stopped() => {
            execution.cancel(signal?);
            false
        }
        result = execution.in_scope_async(job.run(&execution)) => {
            execution.end(&result);
            result.is_ok()
        }
    };

    let report = guard.shutdown(Duration::from_secs(10));
    let _ = fs::remove_dir_all(&job.work);
    view.finish()?;
    println!("logs and traces: {destination}");
    if !report.is_complete() {
        eprintln!("runner: not everything was delivered: {report}");
    }
    Ok(is_done)
}

/// Waits for a signal that asks the process to end.
#[cfg(unix)]
async fn stopped() -> Result<&'static str> {
    use tokio::signal::unix::{signal, SignalKind};

    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    Ok(tokio::select! {
        _ = terminate.recv() => "SIGTERM",
        _ = interrupt.recv() => "SIGINT",
    })
}

#[cfg(not(unix))]
async fn stopped() -> Result<&'static str> {
    tokio::signal::ctrl_c().await?;
    Ok("SIGINT")
}

fn this_repository() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

struct Job {
    directory: PathBuf,
    /// Files that steps pass on to later steps. Removed after the run.
    work: PathBuf,
}

impl Job {
    /// Runs the steps, until one fails.
    async fn run(&self, execution: &job::Execution) -> Result {
        let custom = self.custom_calls()?;
        for step in STEPS {
            if let Err(failure) = execution.step(step).instrument(self.step(step, &custom)).await {
                error!("step {step} failed: {failure}");
                return Err(failure);
            }
        }
        info!("the job is done");
        Ok(())
    }

    async fn step(&self, step: &str, custom: &[(String, Vec<String>)]) -> Result {
        let calls: Vec<_> = custom.iter().filter(|(of, _)| of == step).collect();
        for (_, call) in &calls {
            let (program, arguments) = call.split_first().ok_or("an empty tool call")?;
            self.tool(program).args(arguments).run().await?;
        }
        if !calls.is_empty() {
            return Ok(());
        }
        match step {
            "fetch" => self.fetch().await,
            "validate" => self.validate().await,
            "build" => self.build().await,
            "test" => self.test().await,
            _ => self.outputs().await,
        }
    }

    async fn fetch(&self) -> Result {
        if !self.directory.is_dir() {
            return Err(format!("{} is not a directory", self.directory.display()).into());
        }
        fs::create_dir_all(&self.work)?;
        if self.directory.join(".git").exists() {
            self.tool("git").args(["log", "-1", "--format=%h %s"]).output().await?;
            self.tool("git").args(["status", "--short"]).run().await?;
        } else {
            info!("no git repository: packing the files as they are");
        }
        self.tool("tar")
            .operation("pack")
            .args(["-c", "--exclude=./target", "--exclude=./spanlog-out", "-f"])
            .arg(self.archive()?)
            .arg(".")
            .run()
            .await?;
        Ok(())
    }

    /// Runs all checks concurrently.
    async fn validate(&self) -> Result {
        let mut checks = JoinSet::new();
        for script in ["build.sh", "test.sh", ".ci/run"] {
            if self.directory.join(script).is_file() {
                checks.spawn(self.tool("bash").operation("check").args(["-n", script]).run());
            }
        }
        if checks.is_empty() {
            warn!("there is no script to check");
        }
        const FILES: &str =
            "find . -type f -not -path './target/*' -not -path './.git/*' -not -path './spanlog-out/*'";
        for (operation, question) in [
            ("largest", format!("{FILES} -size +100k -print")),
            ("kinds", format!("{FILES} -name '*.*' | sed 's/.*[.]//' | sort | uniq -c | sort -rn | head -5")),
        ] {
            checks.spawn(self.tool("sh").operation(operation).args(["-c", &question]).run());
        }
        let mut result = Ok(());
        while let Some(check) = checks.join_next().await {
            // The first failure is returned; the others are in the graph.
            result = result.and(check?.map(drop).map_err(Into::into));
        }
        result
    }

    async fn build(&self) -> Result {
        let tree = self.work.join("tree");
        fs::create_dir_all(&tree)?;
        if self.directory.join("build.sh").is_file() {
            self.tool("sh").operation("build").arg("build.sh").run().await?;
        }
        self.tool("tar")
            .operation("unpack")
            .arg("-xf")
            .arg(self.archive()?)
            .arg("-C")
            .arg(absolute(&tree)?)
            .run()
            .await?;
        Ok(())
    }

    async fn test(&self) -> Result {
        if self.directory.join("test.sh").is_file() {
            self.tool("sh").operation("test").arg("test.sh").run().await?;
        }
        // Two concurrent calls: their lines interleave, and each line has the ids of its own call.
        let compare = self.tool("tar").operation("compare").arg("-df").arg(self.archive()?).run();
        let count = self
            .tool("sh")
            .operation("count")
            .args(["-c", "find . -type f -not -path './target/*' -not -path './.git/*' | wc -l"])
            .run();
        let (compared, counted) = tokio::join!(compare, count);
        if let Err(error) = compared {
            warn!(%error, "the directory changed while the job ran");
        }
        counted?;
        Ok(())
    }

    async fn outputs(&self) -> Result {
        // An operation of the runner itself, without a tool.
        let archive = self.archive()?;
        let bytes = op::run(
            "runner",
            "measure",
            [KeyValue::new("file.path", archive.display().to_string())],
            || fs::metadata(&archive).map(|metadata| metadata.len()),
        )?;
        job::set("build.output.bytes", i64::try_from(bytes)?);
        info!(bytes, "the archive is the job's output");
        Ok(())
    }

    fn tool(&self, program: &str) -> op::Command {
        op::Command::new(program).current_dir(&self.directory).time_limit(TIME_LIMIT)
    }

    fn archive(&self) -> Result<PathBuf> {
        Ok(absolute(&self.work)?.join("source.tar"))
    }

    /// The tool calls listed in the directory's `.runner` file.
    fn custom_calls(&self) -> Result<Vec<(String, Vec<String>)>> {
        let file = self.directory.join(".runner");
        if !file.is_file() {
            return Ok(Vec::new());
        }
        let mut calls = Vec::new();
        for (number, line) in fs::read_to_string(&file)?.lines().enumerate() {
            if line.trim().is_empty() || line.starts_with('#') {
                continue;
            }
            let invalid = || format!("{}:{}: not STEP: PROGRAM ARGUMENT…", file.display(), number + 1);
            let (step, call) = line.split_once(':').ok_or_else(invalid)?;
            if !STEPS.contains(&step.trim()) {
                return Err(invalid().into());
            }
            calls.push((step.trim().to_owned(), call.split_whitespace().map(str::to_owned).collect()));
        }
        Ok(calls)
    }
}

fn absolute(path: &Path) -> Result<PathBuf> {
    Ok(std::path::absolute(path)?)
}
