//! The graph as a self-contained HTML file: no network, no other files, no build step.
//!
//! The page is `html/report.html` with the style sheet, the scripts and the data inserted. The data
//! is JSON in a block that browsers do not execute; the scripts add it to the page as text only.

mod data;
#[cfg(test)]
mod tests;

use std::io::{self, Write};

use super::escape::needs_escape;
use super::jobs::count_jobs;
use super::tool_call_graph::ToolCallGraph;

const PAGE: &str = include_str!("html/report.html");
const STYLE: &str = include_str!("html/report.css");
const SCRIPT: &str = concat!(
    include_str!("html/script/data.js"),
    include_str!("html/script/text.js"),
    include_str!("html/script/list.js"),
    include_str!("html/script/shape.js"),
    include_str!("html/script/jobs.js"),
    include_str!("html/script/triage.js"),
    include_str!("html/script/groups.js"),
    include_str!("html/script/query.js"),
    include_str!("html/script/search.js"),
    include_str!("html/script/main.js"),
    include_str!("html/script/tree.js"),
    include_str!("html/script/axis.js"),
    include_str!("html/script/zoom.js"),
    include_str!("html/script/details.js"),
    include_str!("html/script/records.js"),
    include_str!("html/script/log.js"),
    include_str!("html/script/split.js"),
    include_str!("html/script/keys.js"),
    include_str!("html/script/start.js"),
);

/// The Content-Security-Policy: the browser runs this script and applies this style sheet only,
/// whatever the data contains. A test compares the hashes with the files.
const POLICY: &str = concat!(
    "default-src 'none'; base-uri 'none'; form-action 'none'; ",
    "script-src 'sha256-Fuv2qfHMCaCNQ3ooSOrABPuGMeKN/wSWdqMfvU9mF4E='; ",
    "style-src 'sha256-etjp7yqP8RLYX9qbFYGk8iKyEry8RSTnzT+h1hGmAKc='",
);

impl ToolCallGraph {
    /// An interactive report: the tree with a waterfall, each job on its own time axis, and the
    /// records of the selected span. It opens on the line that says why the run failed.
    /// [`write_html`](Self::write_html) writes the same without holding it in memory.
    ///
    /// ```
    /// # use spanlog::graph::Recorder;
    /// let page = Recorder::default().graph().to_html();
    /// assert!(page.starts_with("<!doctype html>"));
    /// ```
    pub fn to_html(&self) -> String {
        let mut page = Vec::new();
        // Writing to a vector does not fail.
        let _ = self.write_html(&mut page);
        String::from_utf8(page).unwrap_or_default()
    }

    /// Writes an interactive report: one HTML file that needs neither a network nor other files.
    ///
    /// Spans that [`showing`](Self::showing) hides are not in the file. All values are escaped.
    /// There are many small writes: use a [`BufWriter`](io::BufWriter) for a file.
    ///
    /// # Errors
    ///
    /// If the writer fails.
    pub fn write_html(&self, mut to: impl Write) -> io::Result<()> {
        let mut rest = PAGE;
        while let Some((before, (name, after))) =
            rest.split_once("{{").and_then(|(before, after)| Some((before, after.split_once("}}")?)))
        {
            to.write_all(before.as_bytes())?;
            match name {
                "policy" => to.write_all(POLICY.as_bytes())?,
                "title" => markup(&mut to, &self.title())?,
                "style" => to.write_all(STYLE.as_bytes())?,
                "data" => data::write(self, &mut to)?,
                _ => to.write_all(SCRIPT.as_bytes())?,
            }
            rest = after;
        }
        to.write_all(rest.as_bytes())
    }

    /// The title of the job with its outcome, or the outcomes of several.
    fn title(&self) -> String {
        match &self.jobs()[..] {
            [] if self.unplaced_records().len() > 0 => "Records without spans".to_owned(),
            [] => "Empty report".to_owned(),
            [job] if job.fails() => format!("{} – failed", job.title()),
            [job] => format!("{} – report", job.title()),
            jobs => count_jobs(jobs).unwrap_or_default(),
        }
    }
}

/// Writes a line of text between tags.
fn markup(to: &mut impl Write, text: &str) -> io::Result<()> {
    for character in text.chars() {
        match character {
            '<' => to.write_all(b"&lt;")?,
            '>' => to.write_all(b"&gt;")?,
            '&' => to.write_all(b"&amp;")?,
            character if needs_escape(character) => to.write_all("\u{fffd}".as_bytes())?,
            character => write!(to, "{character}")?,
        }
    }
    Ok(())
}
