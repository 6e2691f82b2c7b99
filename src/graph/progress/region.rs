//! The lower part of a terminal, which is redrawn in place, below lines that scroll away.
//!
//! Each change is one write, so that no partial drawing is visible. Between changes the cursor is
//! below the region and visible, so that a process that is killed leaves the terminal usable.

use std::io::{self, Write};

use crate::graph::text::pen::Row;

/// Begins and ends a synchronized update: the terminal shows what is between the two at once.
const BEGIN_UPDATE: &str = "\x1b[?2026h";
const END_UPDATE: &str = "\x1b[?2026l";
const TO_FIRST_COLUMN: &str = "\x1b[1G";
const CLEAR_REST_OF_LINE: &str = "\x1b[K";

/// Clears from the cursor, which is in the first column, to the end of the screen, and saves and
/// restores the cursor. Not in one command: some terminals that clear from their first cell save the
/// old content in the scrollback.
const CLEAR_BELOW: &str = "\x1b7\x1b[K\x1b[1B\x1b[J\x1b8";

pub(super) struct Region<W> {
    out: W,
    /// The width of each row that was drawn.
    drawn: Vec<usize>,
}

impl<W: Write> Region<W> {
    pub(super) fn new(out: W) -> Self {
        Self { out, drawn: Vec::new() }
    }

    /// Replaces the region with `rows`, in a terminal of `columns`, and prints `above` above it.
    pub(super) fn draw(&mut self, above: &[u8], rows: &[Row], columns: usize) -> io::Result<()> {
        let mut frame = [BEGIN_UPDATE, TO_FIRST_COLUMN].concat().into_bytes();
        // A terminal that became narrower has wrapped rows into several.
        let up = self.drawn.iter().map(|drawn| drawn.div_ceil(columns.max(1)).max(1)).sum::<usize>();
        if up > 0 {
            write!(frame, "\x1b[{up}A")?;
        }
        if !above.is_empty() {
            frame.extend_from_slice(CLEAR_BELOW.as_bytes());
            frame.extend_from_slice(above);
            if !above.ends_with(b"\n") {
                frame.push(b'\n');
            }
        }
        for row in rows {
            frame.extend_from_slice(row.text.as_bytes());
            write!(frame, "{CLEAR_REST_OF_LINE}\r\n")?;
        }
        write!(frame, "{CLEAR_BELOW}{END_UPDATE}")?;
        self.drawn = rows.iter().map(|row| row.columns).collect();
        self.out.write_all(&frame)?;
        self.out.flush()
    }

    pub(super) fn out(&mut self) -> &mut W {
        &mut self.out
    }
}
