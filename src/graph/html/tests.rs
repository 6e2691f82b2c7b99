//! What is in the file, and that nothing in it is taken for anything but text.
#![expect(clippy::unwrap_used, reason = "a test that unwraps fails, which is what it is for")]

mod sample;

use base64::prelude::{Engine, BASE64_STANDARD};

use super::*;

pub(super) fn hash(text: &str) -> String {
    let digest = ring::digest::digest(&ring::digest::SHA256, text.as_bytes());
    format!("'sha256-{}'", BASE64_STANDARD.encode(digest))
}

#[test]
fn the_policy_allows_the_script_and_the_style_sheet_and_nothing_else() {
    let policy = format!(
        "default-src 'none'; base-uri 'none'; form-action 'none'; script-src {}; style-src {}",
        hash(SCRIPT),
        hash(STYLE)
    );
    assert_eq!(POLICY, policy, "put this policy into html.rs");
}

#[test]
fn write_samples() {
    let Ok(folder) = std::env::var("SHOTS") else { return };
    let save = |name: &str, graph: ToolCallGraph| {
        let begun = std::time::Instant::now();
        let html = graph.to_html();
        eprintln!("{name}: {} bytes in {:?}", html.len(), begun.elapsed());
        std::fs::write(format!("{folder}/{name}.html"), html).unwrap();
    };
    save("everything", sample::everything().graph());
    save("large", sample::large(10_000, 100_000).graph());
    save("deep", sample::deep(10_000).graph());
    save("empty", sample::Sample::default().graph());
}
