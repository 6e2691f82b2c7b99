//! `docs/services.md` quotes the examples, and shows what arrives: it says what they do.

use std::fs;
use std::path::Path;

use crate::program::{get, Server};
use crate::receiver::{Item, Receiver};

fn read(file: &str) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    fs::read_to_string(root.join(file)).unwrap_or_else(|error| panic!("{file}: {error}"))
}

/// The Rust snippets of the page that are not, line by line, a part of the file that is named above
/// them.
fn faults(page: &str) -> Vec<String> {
    let mut faults = Vec::new();
    let mut named = "";
    let mut lines = page.lines();
    while let Some(line) = lines.next() {
        if let Some(name) = line.strip_prefix("<!-- ").and_then(|line| line.strip_suffix(" -->")) {
            named = name;
        } else if line == "```rust" {
            let snippet: Vec<_> = lines.by_ref().take_while(|line| *line != "```").collect();
            let text = read(named);
            if !is_quoted(&snippet, &text.lines().collect::<Vec<_>>()) {
                faults.push(format!("not in {named}:\n{}", snippet.join("\n")));
            }
        }
    }
    faults
}

/// Whether `snippet` is there, perhaps indented.
fn is_quoted(snippet: &[&str], file: &[&str]) -> bool {
    file.windows(snippet.len()).any(|lines| {
        let indent = lines[0].len() - lines[0].trim_start().len();
        snippet.iter().zip(lines).all(|(quoted, line)| *quoted == line.get(indent..).unwrap_or_default())
    })
}

#[test]
fn the_page_quotes_the_examples() {
    let page = read("docs/services.md");
    assert_eq!(faults(&page), [] as [String; 0]);
    assert!(page.matches("\n```rust\n").count() > 8, "a snippet for each example");
    for (is, planted) in [("info!(", "warn!("), ("axum_layer.rs -->", "cli.rs -->"), ("{\n", "{\n\n")] {
        let planted = page.replacen(is, planted, 1);
        assert_ne!(planted, page, "{is}");
        assert_ne!(faults(&planted), [] as [String; 0], "{is}");
    }
}

/// Guarantees: every example is on the page, and each is short enough to be read at once.
#[test]
fn the_page_names_every_example() {
    let page = read("docs/services.md");
    let folder = "examples/services/src/bin";
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/bin");
    let mut examples = 0;
    for entry in fs::read_dir(root).expect("the examples") {
        let name = format!("{folder}/{}", entry.expect("a file").file_name().to_string_lossy());
        assert!(page.contains(&name), "{name} is not on the page");
        assert!(read(&name).lines().count() < 80, "{name} is too long");
        examples += 1;
    }
    assert_eq!(examples, 9);
}

/// Guarantees: the record and its span arrive as the page shows them, apart from the ids that
/// differ from run to run.
#[test]
fn the_page_shows_the_record() {
    let receiver = Receiver::start();
    let server = Server::start(env!("CARGO_BIN_EXE_axum_tower_http"), &receiver);
    let traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    get(&server.url, "/orders/7", &[("traceparent", traceparent), ("x-request-id", "r-1")]);
    server.stop();

    let (record, span) = (receiver.record("looked up"), receiver.span("GET /orders/{id}"));
    let arrived = format!("{}\n{}", shown("record", &record), shown("span", &span));
    let arrived = arrived.replace(&span.span_id, "00f067aa0ba902b7");
    let page = read("docs/services.md");
    assert!(page.contains(&format!("```text\n{arrived}```\n")), "this arrived:\n{arrived}");
}

/// What is the same in each run. Times, location and thread are not.
fn shown(what: &str, item: &Item) -> String {
    let mut text = format!("{what} {:?}\n", item.name);
    let fields = [("trace_id", &item.trace_id), ("span_id", &item.span_id), ("parent_span_id", &item.parent)];
    for (name, value) in fields.into_iter().filter(|(_, value)| !value.is_empty()) {
        text.push_str(&format!("  {name} {value}\n"));
    }
    let varies = |key: &str| {
        let prefixes = ["code.", "thread.", "busy_ns", "idle_ns", "target"];
        prefixes.iter().any(|prefix| key.starts_with(prefix))
    };
    for (key, value) in item.attributes().filter(|(key, _)| !varies(key)) {
        text.push_str(&format!("  {key} = {value}\n"));
    }
    text
}
