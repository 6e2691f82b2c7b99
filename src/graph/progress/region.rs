//! The lower part of a terminal, which is redrawn in place, below lines that scroll away.
//!
//! Each change is one write, so that no partial drawing is visible. Between changes the cursor is
//! below the region and visible, so that a process that is killed leaves the terminal usable.

use std::io::{self, Write};

use crossterm::cursor::{MoveDown, MoveToColumn, MoveUp, RestorePosition, SavePosition};
use crossterm::queue;
use crossterm::terminal::{BeginSynchronizedUpdate, Clear, ClearType, EndSynchronizedUpdate};

use crate::graph::text::pen::Row;

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
        let mut frame = Vec::new();
        queue!(frame, BeginSynchronizedUpdate, MoveToColumn(0))?;
        // A terminal that became narrower has wrapped rows into several.
        let up = self.drawn.iter().map(|drawn| drawn.div_ceil(columns.max(1)).max(1)).sum::<usize>();
        if up > 0 {
            queue!(frame, MoveUp(u16::try_from(up).unwrap_or(u16::MAX)))?;
        }
        if !above.is_empty() {
            clear_below(&mut frame)?;
            frame.extend_from_slice(above);
            if !above.ends_with(b"\n") {
                frame.push(b'\n');
            }
        }
        for row in rows {
            frame.extend_from_slice(row.text.as_bytes());
            queue!(frame, Clear(ClearType::UntilNewLine))?;
            frame.extend_from_slice(b"\r\n");
        }
        clear_below(&mut frame)?;
        queue!(frame, EndSynchronizedUpdate)?;
        self.drawn = rows.iter().map(|row| row.columns).collect();
        self.out.write_all(&frame)?;
        self.out.flush()
    }

    pub(super) fn out(&mut self) -> &mut W {
        &mut self.out
    }
}

/// Clears from the cursor, which is in the first column, to the end of the screen. Not in one
/// command: some terminals that clear from their first cell save the old content in the scrollback.
fn clear_below(frame: &mut Vec<u8>) -> io::Result<()> {
    queue!(frame, SavePosition, Clear(ClearType::UntilNewLine), MoveDown(1))?;
    queue!(frame, Clear(ClearType::FromCursorDown), RestorePosition)
}
