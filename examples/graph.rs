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
use std::io::{self, Write};
use std::process::ExitCode;

use spanlog::graph::{Reader, ToolCallGraph};

const USAGE: &str = "\
usage: graph [OPTION…] FILE…

  --all        show the runner's own spans too
  --mermaid    print a Mermaid flowchart instead of a tree
  --help       print this";

#[derive(Default)]
struct Arguments {
    files: Vec<String>,
    all: bool,
    mermaid: bool,
    help: bool,
}

fn main() -> ExitCode {
    let arguments = match arguments(std::env::args().skip(1)) {
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

fn arguments(given: impl Iterator<Item = String>) -> Result<Arguments, String> {
    let mut arguments = Arguments::default();
    for argument in given {
        match argument.as_str() {
            "--all" => arguments.all = true,
            "--mermaid" => arguments.mermaid = true,
            "--help" | "-h" => arguments.help = true,
            option if option.starts_with("--") => return Err(format!("there is no option {option}")),
            _ => arguments.files.push(argument),
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
        let read = match file.as_str() {
            "-" => reader.read("standard input", io::stdin().lock()),
            path => reader.read_path(path),
        };
        if let Err(error) = read {
            eprintln!("graph: {error}");
            is_all_read = false;
        }
    }
    let graph = reader.graph();
    match arguments.all {
        true => (graph, is_all_read),
        false => (graph.without_runner_spans(), is_all_read),
    }
}

fn show(graph: &ToolCallGraph, arguments: &Arguments) -> Result<(), Box<dyn Error>> {
    if graph.is_empty() && graph.notes().is_empty() {
        return Ok(());
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
