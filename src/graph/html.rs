//! The graph as one HTML file that needs nothing else: no network, no other file, no build step.
//!
//! The page is `html/report.html` with the style sheet, the scripts and the data put into it. The data
//! is JSON in a block that browsers do not run; the scripts put it on the page as text only.

mod data;
mod escape;
#[cfg(test)]
mod tests;

use std::io::{self, Write};

use super::tool_call_graph::ToolCallGraph;

const PAGE: &str = include_str!("html/report.html");
const STYLE: &str = include_str!("html/report.css");
const SCRIPT: &str = concat!(
    include_str!("html/script/data.js"),
    include_str!("html/script/text.js"),
    include_str!("html/script/list.js"),
    include_str!("html/script/search.js"),
    include_str!("html/script/tree.js"),
    include_str!("html/script/details.js"),
    include_str!("html/script/main.js"),
    include_str!("html/script/start.js"),
);

/// The browser runs this script and applies this style sheet and no other, whatever the data holds.
/// A test compares the hashes with the files.
const POLICY: &str = concat!(
    "default-src 'none'; base-uri 'none'; form-action 'none'; ",
    "script-src 'sha256-CSLCOqMU5xESL0j1L2ItYPK7QjFe93BoAJw5wkZF3GM='; ",
    "style-src 'sha256-5yvlNFz6YlwWBmH/xz+mMoxCKRbqWvUqDlfZxfCzZpU='",
);

impl ToolCallGraph {
    /// A report for people: the tree, its waterfall on one time axis, and the records of the span
    /// that is selected. See [`write_html`](Self::write_html), which does not hold it in memory.
    ///
    /// ```
    /// # use spanlog::graph::Recorder;
    /// let page = Recorder::default().graph().to_html();
    /// assert!(page.starts_with("<!doctype html>"));
    /// ```
    pub fn to_html(&self) -> String {
        let mut page = Vec::new();
        // A vector takes every write.
        let _ = self.write_html(&mut page);
        String::from_utf8(page).unwrap_or_default()
    }

    /// Writes a report for people: one HTML file that needs neither network nor other files.
    ///
    /// It shows what the graph shows, so what [`showing`](Self::showing) hides is not in the file.
    /// Every value stays text, whatever it holds. There are many small writes, of which a
    /// [`BufWriter`](io::BufWriter) makes few.
    ///
    /// # Errors
    ///
    /// What the writer says.
    pub fn write_html(&self, mut to: impl Write) -> io::Result<()> {
        let mut rest = PAGE;
        while let Some((before, (name, after))) =
            rest.split_once("{{").and_then(|(before, after)| Some((before, after.split_once("}}")?)))
        {
            to.write_all(before.as_bytes())?;
            match name {
                "policy" => to.write_all(POLICY.as_bytes())?,
                "title" => escape::markup(&mut to, &self.title())?,
                "style" => to.write_all(STYLE.as_bytes())?,
                "data" => data::write(self, &mut to)?,
                _ => to.write_all(SCRIPT.as_bytes())?,
            }
            rest = after;
        }
        to.write_all(rest.as_bytes())
    }

    /// That of the job, or of whatever began first.
    fn title(&self) -> String {
        let job = self.roots().find(|root| root.call().name.starts_with("job."));
        match job.or_else(|| self.roots().next()) {
            Some(root) => format!("{} – {}", root.call().title(), self.verdict()),
            None if self.unplaced_records().len() > 0 => "Records without spans".to_owned(),
            None => "Empty report".to_owned(),
        }
    }

    fn verdict(&self) -> &'static str {
        if self.is_red() {
            "failed"
        } else {
            "report"
        }
    }
}
