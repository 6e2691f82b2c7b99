//! Reads OTLP files, or rows of a ClickHouse engine, and prints their tool-call graph.
//!
//! ```text
//! cargo run --example graph -- [OPTION…] FILE…
//! ```
//!
//! A `FILE` is OTLP as JSON lines, as JSON documents or as protobuf, or rows of `otel_traces` and
//! `otel_logs` as JSONEachRow, optionally compressed with gzip or zstd; `-` is standard input. The spans
//! and records of all files make one graph.
//!
//! It exits with 0 if every file was read, with 1 if one could not be read or has no OTLP and no row,
//! and with 2 on a usage error. Failures in the graph are not an error.

use std::error::Error;
use std::ffi::OsString;
use std::fs::File;
use std::io::{self, BufWriter, IsTerminal, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use spanlog::graph::{Reader, ToolCallGraph};

const USAGE: &str = "\
usage: graph [OPTION…] FILE…

  --all        show the runner's own spans too
  --mermaid    print a Mermaid flowchart instead of a tree
  --markdown   print a summary in Markdown, as for a CI job, instead of a tree
  --html OUT   write an HTML report to OUT instead, in which the runner's own spans can be shown
  --help       print this";

#[derive(Default)]
struct Arguments {
    files: Vec<PathBuf>,
    all: bool,
    mermaid: bool,
    markdown: bool,
    html: Option<PathBuf>,
    help: bool,
}

fn main() -> ExitCode {
    let arguments = match arguments(std::env::args_os().skip(1)) {
        Ok(arguments) => arguments,
        Err(error) => {
            eprintln!("graph: {error}\n\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    if arguments.help {
        println!("{USAGE}");
        return ExitCode::SUCCESS;
    }
    let (graph, is_all_read) = read(&arguments);
    match show(&graph, &arguments) {
        Ok(()) if is_all_read => ExitCode::SUCCESS,
        Ok(()) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("graph: {error}");
            ExitCode::FAILURE
        }
    }
}

fn arguments(mut given: impl Iterator<Item = OsString>) -> Result<Arguments, String> {
    let mut arguments = Arguments::default();
    while let Some(argument) = given.next() {
        match argument.to_str() {
            Some("--all") => arguments.all = true,
            Some("--mermaid") => arguments.mermaid = true,
            Some("--markdown") => arguments.markdown = true,
            Some("--html") => {
                arguments.html = Some(given.next().ok_or("--html needs an output file")?.into());
            }
            Some("--help" | "-h") => arguments.help = true,
            Some(option) if option.starts_with("--") => return Err(format!("unknown option {option}")),
            _ => arguments.files.push(argument.into()),
        }
    }
    match arguments.files.is_empty() && !arguments.help {
        true => Err("FILE is missing".to_owned()),
        false => Ok(arguments),
    }
}

/// The graph of all readable files, and whether all were readable.
fn read(arguments: &Arguments) -> (ToolCallGraph, bool) {
    let mut reader = Reader::new();
    let mut is_all_read = true;
    for file in &arguments.files {
        let read = match file.to_str() {
            Some("-") => reader.read("standard input", io::stdin().lock()),
            _ => reader.read_path(file),
        };
        if let Err(error) = read {
            eprintln!("graph: {error}");
            is_all_read = false;
        }
    }
    let graph = reader.graph();
    match arguments.all || arguments.html.is_some() {
        true => (graph, is_all_read),
        false => (graph.without_runner_spans(), is_all_read),
    }
}

fn show(graph: &ToolCallGraph, arguments: &Arguments) -> Result<(), Box<dyn Error>> {
    if graph.is_empty() && graph.notes().is_empty() {
        return Ok(());
    }
    if let Some(path) = &arguments.html {
        let mut file =
            BufWriter::new(File::create(path).map_err(|error| format!("{}: {error}", path.display()))?);
        graph.write_html(&mut file)?;
        return Ok(file.flush()?);
    }
    let text = match arguments {
        Arguments { mermaid: true, .. } => graph.to_mermaid(),
        Arguments { markdown: true, .. } => graph.to_markdown(),
        _ => graph.text().for_stdout().with_folding(io::stdout().is_terminal()).to_string(),
    };
    match io::stdout().write_all(text.as_bytes()) {
        // The reader is gone, as in `graph … | head`.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        written => Ok(written?),
    }
}
