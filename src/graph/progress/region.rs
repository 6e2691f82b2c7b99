//! The lower part of a terminal, drawn anew again and again, with what scrolls away above it.
//!
//! Each change is one write, so that nothing is seen half drawn, and the cursor stands below the region in between:
//! whatever becomes of the process, the terminal is as it was, and never without its cursor.

use std::io::{self, Write};

use crossterm::cursor::{MoveDown, MoveToColumn, MoveUp, RestorePosition, SavePosition};
use crossterm::queue;
use crossterm::terminal::{BeginSynchronizedUpdate, Clear, ClearType, EndSynchronizedUpdate};

use crate::graph::text::pen::Row;

pub(super) struct Region<W> {
    out: W,
    /// The columns of each row that is there.
    drawn: Vec<usize>,
}

impl<W: Write> Region<W> {
    pub(super) fn new(out: W) -> Self {
        Self { out, drawn: Vec::new() }
    }

    /// Replaces what is there by `rows`, in a terminal of so many columns, with `above` printed above them.
    pub(super) fn draw(&mut self, above: &[u8], rows: &[Row], columns: usize) -> io::Result<()> {
        let mut frame = Vec::new();
        queue!(frame, BeginSynchronizedUpdate, MoveToColumn(0))?;
        // In a terminal that became narrower each row takes as many as it was broken into.
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

/// Clears from the cursor, which is in the first column, to the end of the screen. Not in one go: terminals that are reported
/// to clear from their first cell keep what was there in the scrollback.
fn clear_below(frame: &mut Vec<u8>) -> io::Result<()> {
    queue!(frame, SavePosition, Clear(ClearType::UntilNewLine), MoveDown(1))?;
    queue!(frame, Clear(ClearType::FromCursorDown), RestorePosition)
}
