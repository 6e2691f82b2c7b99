//! The graph as a Mermaid flowchart, for pages that render it: issues, wikis, README files.

use std::collections::{HashMap, HashSet};
use std::fmt::Write;

use super::call::Outcome;
use super::duration::format_duration;
use super::escape::needs_escape;
use super::record::RecordLevel;
use super::tool_call_graph::{Node, ToolCallGraph};
use crate::sorted::sort_by_key;

/// Mermaid's default `maxTextSize`: it renders no longer text.
const MAX_CHARACTERS: usize = 50_000;

/// Mermaid's default `maxEdges`: it renders no more edges.
const MAX_EDGES: usize = 500;

/// Names and messages are truncated after this many characters.
const MAX_NAME_CHARACTERS: usize = 80;

/// Colours that are readable on light and dark pages.
const CLASSES: &str = "    classDef ok fill:#dafbe1,stroke:#1a7f37,color:#0b3d1a
    classDef red fill:#ffebe9,stroke:#cf222e,color:#67060c,stroke-width:3px
    classDef inside fill:#fff8c5,stroke:#cf222e,color:#4d2d00
    classDef stopped fill:#fff8c5,stroke:#9a6700,color:#4d2d00
    classDef other fill:#eaeef2,stroke:#57606a,color:#24292f
";

impl ToolCallGraph {
    /// The tree as a [Mermaid] flowchart: a box for each span, with its name, outcome, duration and
    /// the numbers of its warnings and errors.
    ///
    /// By default Mermaid renders no more than 50,000 characters and 500 edges. A larger graph is
    /// cut down: the spans that lead to a failure are shown first, then those nearest to the roots;
    /// a last box and a comment say how many are missing.
    ///
    /// [Mermaid]: https://mermaid.js.org/syntax/flowchart.html
    pub fn to_mermaid(&self) -> String {
        let mut text = of_at_most(self, usize::MAX);
        for note in self.notes() {
            let note: String = note.chars().filter(|character| !needs_escape(*character)).take(200).collect();
            // A brace would start a directive.
            let _ = writeln!(text, "    %% {}", note.replace(['{', '}'], ""));
        }
        text
    }
}

/// A flowchart of at most so many spans, and no more than Mermaid renders.
pub(super) fn of_at_most(graph: &ToolCallGraph, most: usize) -> String {
    let boxes: Vec<(Node<'_>, String)> = graph.nodes().map(|node| (node, box_text(node))).collect();
    let shown = select(&boxes, most);
    let mut text = format!("flowchart LR\n{CLASSES}");
    for (node, drawn) in boxes.iter().filter(|(node, _)| shown.contains(&node.index)) {
        text.push_str(drawn);
        if let Some(parent) = node.parent() {
            let _ = writeln!(text, "    n{} --> n{}", parent.index, node.index);
        }
    }
    let missing = boxes.len() - shown.len();
    if missing > 0 {
        let _ = writeln!(text, "    more[\"{missing} more spans are not shown\"]:::other");
        let _ = writeln!(text, "    %% {missing} more spans are not shown: the flowchart would be too large");
    }
    text
}

/// The spans that fit. A parent is always selected before its children: it contains their failures,
/// and it is nearer to the roots.
fn select(boxes: &[(Node<'_>, String)], most: usize) -> HashSet<usize> {
    let mut levels = HashMap::new();
    for (node, _) in boxes {
        levels.insert(node.index, node.parent().map_or(0, |parent| levels[&parent.index] + 1));
    }
    let mut order: Vec<_> = boxes.iter().collect();
    sort_by_key(&mut order, |(node, _)| (!node.is_red(), levels[&node.index]));
    // The rest is for the header, the last box and the comments.
    let mut remaining = MAX_CHARACTERS - 10_000;
    let mut edges = 0;
    let mut shown = HashSet::new();
    for (node, drawn) in order {
        let edge = usize::from(node.parent().is_some());
        // The line of the edge is shorter than this.
        let characters = drawn.chars().count() + 2 * "n18446744073709551615".len() + 10;
        if characters > remaining || edges + edge > MAX_EDGES || shown.len() == most {
            break;
        }
        remaining -= characters;
        edges += edge;
        shown.insert(node.index);
    }
    shown
}

fn box_text(node: Node<'_>) -> String {
    let call = node.call();
    let (mark, class) = match call.outcome {
        _ if node.fails() => {
            ("✗", if node.propagates_failure() || node.is_recovered() { "inside" } else { "red" })
        }
        Outcome::Ok if node.is_red() => ("!", "inside"),
        Outcome::Ok => ("✓", "ok"),
        Outcome::Cancelled | Outcome::Dropped => ("–", "stopped"),
        Outcome::Running => ("…", "other"),
        _ => ("·", "other"),
    };
    let mut under = vec![format_duration(call.duration().unwrap_or_default())];
    if node.propagates_failure() || call.outcome == Outcome::Ok && node.is_red() {
        under.push("failed inside".to_owned());
    } else if call.outcome != Outcome::Ok {
        under.push(call.outcome.name().to_owned());
    }
    if node.is_recovered() {
        under.push("recovered".to_owned());
    }
    let counts = node.own_counts();
    for level in [RecordLevel::Fatal, RecordLevel::Error, RecordLevel::Warn] {
        if counts.of(level) > 0 {
            under.push(format!("{} {}", counts.of(level), level.name()));
        }
    }
    let index = node.index;
    let (name, under) = (escaped(&node.title()), under.join(", "));
    let message = match call.message.as_str() {
        message if call.is_error && !message.is_empty() && !node.repeats_a_child() => {
            format!("<br/>{}", escaped(message))
        }
        _ => String::new(),
    };
    format!("    n{index}[\"{mark} {name}<br/>{under}{message}\"]:::{class}\n")
}

/// Escapes text for a quoted label. Everything but letters, digits and harmless punctuation becomes
/// a character reference, `#35;` in Mermaid: no name can end the label, start markup or be taken
/// for a keyword.
fn escaped(text: &str) -> String {
    let mut safe = String::new();
    for (position, character) in text.chars().enumerate() {
        if position == MAX_NAME_CHARACTERS {
            safe.push('…');
            break;
        }
        match character {
            ' ' | '.' | ',' | '-' | '/' | '(' | ')' => safe.push(character),
            '\n' => safe.push_str(" ⏎ "),
            character if character.is_alphanumeric() => safe.push(character),
            character if needs_escape(character) => safe.push('�'),
            // Two of them would start a formula, even as references: a zero-width space separates
            // them.
            '$' => safe.push_str("#36;#8203;"),
            character => {
                let _ = write!(safe, "#{};", u32::from(character));
            }
        }
    }
    safe
}
