//! Reads OTLP files back and prints the tool-call graph that stands in them.
//!
//! ```text
//! cargo run --example graph -- [OPTION…] FILE…
//! ```
//!
//! A `FILE` is OTLP as JSON lines, as a JSON document or as protobuf, gzip or not; `-` is standard input.
//! Spans and records of all files make one graph.
//!
//! It exits with 0 if every file could be read, with 1 if one could not or had nothing of OTLP in it,
//! and with 2 if it was called wrongly. A graph with failures in it is no error.

use std::error::Error;
use std::ffi::OsString;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use spanlog::graph::{Reader, ToolCallGraph};

const USAGE: &str = "\
usage: graph [OPTION…] FILE…

  --all        show the runner's own spans too
  --mermaid    print a Mermaid flowchart instead of a tree
  --html OUT   write an HTML report to OUT instead; the runner's own spans can be shown in it
  --help       print this";

#[derive(Default)]
struct Arguments {
    files: Vec<PathBuf>,
    all: bool,
    mermaid: bool,
    html: Option<PathBuf>,
    help: bool,
}

fn main() -> ExitCode {
    let arguments = match arguments(std::env::args_os().skip(1)) {
        Ok(arguments) => arguments,
        Err(wrong) => {
            eprintln!("graph: {wrong}\n\n{USAGE}");
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
            Some("--html") => {
                arguments.html = Some(given.next().ok_or("--html needs a file to write to")?.into());
            }
            Some("--help" | "-h") => arguments.help = true,
            Some(option) if option.starts_with("--") => return Err(format!("there is no option {option}")),
            _ => arguments.files.push(argument.into()),
        }
    }
    match arguments.files.is_empty() && !arguments.help {
        true => Err("no FILE was given".to_owned()),
        false => Ok(arguments),
    }
}

/// The graph of all files that can be read, and whether all could.
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
    let text = match arguments.mermaid {
        true => graph.to_mermaid(),
        false => graph.text().for_stdout().to_string(),
    };
    match io::stdout().write_all(text.as_bytes()) {
        // `graph … | head` has seen enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        written => Ok(written?),
    }
}
