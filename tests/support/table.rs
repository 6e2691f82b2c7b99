//! Figures in the documentation, written by the test that measured them.
#![allow(dead_code, unreachable_pub, clippy::unwrap_used, reason = "test binaries use parts of this")]

use std::env;
use std::fs;
use std::path::Path;

/// With `SPANLOG_WRITE_DOCS=1`, puts `cells` into the table of `page` that ends at the comment `end`, in place of
/// the row that begins with the same `keys` cells, or as its last one.
pub fn write_row(page: &str, end: &str, keys: usize, cells: &[String]) {
    if env::var_os("SPANLOG_WRITE_DOCS").is_none() {
        return;
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(page);
    let mut lines: Vec<String> = fs::read_to_string(&path).unwrap().lines().map(str::to_owned).collect();
    let key = format!("| {} |", cells[..keys].join(" | "));
    let row = format!("| {} |", cells.join(" | "));
    match lines.iter().position(|line| line.starts_with(&key)) {
        Some(old) => lines[old] = row,
        None => {
            let end = lines.iter().position(|line| line == &format!("<!-- {end} -->")).unwrap();
            // A blank line is between the table and the comment.
            lines.insert(end - 1, row);
        }
    }
    fs::write(&path, lines.join("\n") + "\n").unwrap();
}
