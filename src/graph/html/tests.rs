//! What is in the file, and that all values in it stay text.
#![expect(clippy::unwrap_used, reason = "a test that unwraps fails, which is what it is for")]

mod axe;
mod browser;
mod jobs;
mod looks;
mod parsed;
mod reader;
mod tool;
#[path = "../../../tests/support/table.rs"]
mod table;
mod triage;
mod trial;
mod fixture;

use base64::prelude::{Engine, BASE64_STANDARD};
use opentelemetry::trace::SpanKind;
use proptest::prelude::*;

use self::parsed::assert_same;
use super::*;
use crate::graph::RecordLevel;

/// The hash of a script or style sheet as a policy has it.
fn hash(text: &str) -> String {
    let digest = ring::digest::digest(&ring::digest::SHA256, text.as_bytes());
    format!("'sha256-{}'", BASE64_STANDARD.encode(digest))
}

#[test]
fn the_policy_allows_the_script_and_the_style_sheet_and_nothing_else() {
    let (script, style) = (hash(SCRIPT), hash(STYLE));
    let others = "default-src 'none'; base-uri 'none'; form-action 'none'";
    let policy = format!("{others}; script-src {script}; style-src {style}");
    assert_eq!(POLICY, policy, "a script or the style sheet has changed: put this policy into html.rs");
}

#[test]
fn the_data_of_a_report_is_the_graph() {
    assert_same(&fixture::everything().graph());
    assert_same(&fixture::everything().graph().without_runner_spans());
    assert_same(&fixture::everything().graph().showing(|call| !call.name.starts_with("job.")));
    assert_same(&trial::trial().graph());
    assert_same(&trial::trial().graph().showing(|call| call.name != "step.apply"));
    assert_same(&fixture::large(300, 2_000).graph());
    assert_same(&fixture::deep(10_000).graph());
    assert_same(&fixture::Fixture::default().graph());
}

#[test]
fn kinds_events_and_links_are_in_the_data() {
    let mut fixture = fixture::Fixture::default();
    let span = fixture::span("a").of_kind(SpanKind::Client).event("exception", 3, &[("exception.type", "E")]);
    let first = fixture.add(0, 0, 5, span.event("retry", 0, &[]).link(7, 9, &[("why", "asked by it")]));
    fixture.add(first, 1, 2, fixture::span("b").link(fixture::TRACE, first, &[]));
    for kind in [SpanKind::Server, SpanKind::Producer, SpanKind::Consumer, SpanKind::Internal] {
        fixture.add(first, 1, 2, fixture::span("c").of_kind(kind));
    }
    let graph = fixture.graph();
    assert_same(&graph);
    let call = graph.roots().next().unwrap().call();
    assert_eq!((call.events.len(), call.links.len()), (2, 1));
}

#[test]
fn times_that_are_unknown_or_far_off_arrive_as_they_are() {
    let mut fixture = fixture::Fixture::default();
    let first = fixture.add(0, 0, 5, fixture::span("a"));
    fixture.log(first, 0, RecordLevel::Info, "no time").time_unix_nano = 0;
    fixture.log(first, 0, RecordLevel::Info, "the last of times").time_unix_nano = u64::MAX;
    fixture.log(first, 0, RecordLevel::Info, "before the span").time_unix_nano = 1;
    assert_same(&fixture.graph());
}

#[test]
fn the_report_is_written_as_it_is_made_and_a_writer_that_fails_is_told() {
    /// Fails after so many bytes.
    struct Short(usize);
    impl Write for Short {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0 = self.0.checked_sub(bytes.len()).ok_or(io::ErrorKind::StorageFull)?;
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let graph = fixture::everything().graph();
    let page = graph.to_html();
    let mut written = Vec::new();
    graph.write_html(&mut written).unwrap();
    assert_eq!(written, page.as_bytes());
    graph.write_html(Short(page.len())).unwrap();
    for bytes in [0, 100, page.len() / 2, page.len() - 1] {
        assert_eq!(graph.write_html(Short(bytes)).unwrap_err().kind(), io::ErrorKind::StorageFull);
    }
}

#[test]
fn a_report_needs_no_other_file_and_no_network() {
    let page = fixture::everything().graph().to_html();
    for sign in [
        "http:",
        "https:",
        "src=",
        " href=",
        "url(",
        "@import",
        "<link",
        "import(",
        "fetch(",
        "XMLHttpRequest",
        "WebSocket",
    ] {
        assert!(!page.contains(sign), "{sign}");
    }
}

/// Guarantees: the scripts put data on the page as text only.
#[test]
fn the_scripts_make_no_markup_of_data() {
    for sign in
        ["innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "new Function", "srcdoc"]
    {
        assert!(!SCRIPT.contains(sign), "{sign}");
    }
    assert!(SCRIPT.contains("textContent"));
}

/// Asserts that the page's own markup is the only markup, whatever the values contain.
fn assert_is_one_page(page: &str) {
    let count = |sign: &str| page.to_ascii_lowercase().matches(sign).count();
    assert_eq!((count("<script"), count("</script"), count("<!"), count("]]>")), (2, 2, 1, 0));
    assert_eq!((count("<title>"), count("</title>")), (1, 1));
    let is_bad = |one: char| matches!(one, '\u{2028}'..='\u{202e}' | '\u{7f}'..='\u{9f}') || one < '\n';
    assert!(!page.contains(is_bad));
}

#[test]
fn values_cannot_end_the_data_or_begin_anything() {
    let hostile = "</script><script>alert(1)</script><!-- ]]> \u{2028}\u{2029}\u{202e} \u{0}\u{7f}\u{1b}[31m {{script}}";
    assert!(std::panic::catch_unwind(|| assert_is_one_page(hostile)).is_err());
    let graph = of_texts(&[hostile.to_owned()]);
    assert_is_one_page(&graph.to_html());
    assert_same(&graph);
}

/// A graph with each text in every place where a text can be.
fn of_texts(texts: &[String]) -> ToolCallGraph {
    let mut fixture = fixture::Fixture::default();
    for text in texts {
        let made =
            fixture::span(text).with(text, text).with("nuon.tool", text).with("nuon.op", text).failed(text);
        let made = made.event(text, 1, &[(text, text)]).link(1, 1, &[(text, text)]);
        let span = fixture.add(0, 1, 2, made);
        let record = fixture.log(span, 1, RecordLevel::Warn, text);
        record.target.clone_from(text);
        record.event_name.clone_from(text);
        record.attributes.push((text.clone(), text.clone()));
        fixture.note(text);
    }
    fixture.graph()
}

/// Any text, including parts that could be markup or escapes.
fn hostile_text() -> impl Strategy<Value = String> {
    let meant: [&'static str; 13] = [
        "</script>",
        "<!--",
        "-->",
        "<script ",
        "]]>",
        "</title>",
        "{{data}}",
        "\u{2028}",
        "\u{0}",
        "\"",
        "\\",
        "\\u003c",
        "\r\n",
    ];
    let piece = prop_oneof![prop::sample::select(meant.to_vec()).prop_map(str::to_owned), any::<String>()];
    prop::collection::vec(piece, 0..4).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_text_arrives_as_it_was(texts in prop::collection::vec(hostile_text(), 0..5)) {
        let graph = of_texts(&texts);
        assert_is_one_page(&graph.to_html());
        assert_same(&graph);
    }
}

/// Written to the directory in `SPANLOG_REPORTS`, if set, they can be looked at.
#[test]
fn reports_are_files() {
    let own = browser::Folder::new();
    let folder = std::env::var_os("SPANLOG_REPORTS").map_or(own.0.clone(), Into::into);
    for (name, fixture) in [
        ("everything", fixture::everything()),
        ("trial", trial::trial()),
        ("fine", trial::fine()),
        ("large", fixture::large(10_000, 100_000)),
        ("deep", fixture::deep(10_000)),
        ("empty", fixture::Fixture::default()),
    ] {
        let (path, graph) = (folder.join(name).with_extension("html"), fixture.graph());
        let mut file = io::BufWriter::new(std::fs::File::create(&path).unwrap());
        graph.write_html(&mut file).unwrap();
        file.flush().unwrap();
        assert_eq!(std::fs::read_to_string(path).unwrap(), graph.to_html());
    }
}
