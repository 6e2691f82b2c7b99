//! Four jobs at once, to look at: in a terminal while they run, and in every form at the end.
//!
//! ```text
//! cargo run --example trial -- [RECORDS [BEAT_IN_MILLISECONDS]]
//! ```
//!
//! One job fails: one of its 26 parallel ops does. One succeeds, one succeeds although its probes fail
//! in every way, and one is still running at the end of the view. The report, a flowchart and a summary
//! in Markdown are written to `spanlog-out/trial/`.

mod jobs;

use std::error::Error;
use std::fs;
use std::io;
use std::path::Path;
use std::time::Duration;

use spanlog::graph::{Progress, Recorder};

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let mut number = |default| arguments.next().map_or(Ok(default), |number| number.parse());
    let trial = jobs::Trial { records: number(20_000)? as usize, beat: Duration::from_millis(number(400)?) };
    let out = Path::new("spanlog-out").join("trial");
    fs::create_dir_all(&out)?;
    let recorder = Recorder::default();
    let view = Progress::builder(&recorder).with_report(out.join("report.html")).start();
    let guard = spanlog::builder()
        .with_service_name("trial")
        .with_recorder(recorder.clone())
        .with_filter("debug")
        .with_console_writer(view.writer())
        .with_console_level(tracing::Level::ERROR)
        .with_json_lines(&out)
        .install()?;
    let mut finished = Ok(());
    jobs::run(trial, || {
        std::thread::sleep(trial.beat * 2);
        finished = finish(view, &recorder, &out);
    });
    guard.shutdown(Duration::from_secs(10));
    Ok(finished?)
}

/// Prints the end of the view, and writes every other form.
fn finish(view: Progress, recorder: &Recorder, out: &Path) -> io::Result<()> {
    view.finish()?;
    let graph = recorder.graph();
    fs::write(out.join("flowchart.mmd"), graph.to_mermaid())?;
    fs::write(out.join("summary.md"), graph.to_markdown())
}
