//! Reads the table in `docs/mapping.md`, and checks it against the differences found.

use std::collections::BTreeMap;

use crate::difference::Names;

#[derive(Clone, Debug)]
pub(crate) struct Table {
    pub rows: Vec<Row>,
}

/// One row. What is in backquotes in the columns of the records is a piece of the record.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub name: String,
    pub scripts: Vec<String>,
    pub peer: Vec<String>,
    pub ours: Vec<String>,
    pub why: String,
}

/// The result of a script: the names of the differences, and the pieces of the records.
pub(crate) struct Found {
    pub names: Names,
    pub peer: Vec<String>,
    pub ours: Vec<String>,
}

impl Table {
    /// Reads the table under a heading.
    pub(crate) fn read(text: &str, heading: &str) -> Self {
        let rows = rows(text, heading).map(|line| {
            let columns: Vec<&str> = line.trim_matches('|').split('|').collect();
            let [name, event, peer, ours, why] = columns[..] else { panic!("five columns, not: {line}") };
            Row {
                name: quoted(name).remove(0),
                scripts: quoted(event),
                peer: quoted(peer),
                ours: quoted(ours),
                why: why.trim().to_owned(),
            }
        });
        Self { rows: rows.collect() }
    }
}

/// The names in the first column of the table under a heading.
pub(crate) fn first_column(text: &str, heading: &str) -> Vec<String> {
    rows(text, heading).map(|line| quoted(line).remove(0)).collect()
}

/// What is quoted in the last column of the table under a heading.
pub(crate) fn last_column(text: &str, heading: &str) -> Vec<String> {
    rows(text, heading).flat_map(|line| quoted(line.trim_matches('|').rsplit('|').next().unwrap())).collect()
}

fn rows<'a>(text: &'a str, heading: &str) -> impl Iterator<Item = &'a str> {
    let (_, section) = text
        .split_once(&format!("\n## {heading}\n"))
        .unwrap_or_else(|| panic!("docs/mapping.md has no heading {heading:?}"));
    section.split("\n## ").next().unwrap().lines().filter(|line| line.starts_with("| `"))
}

fn quoted(column: &str) -> Vec<String> {
    column.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

/// Returns what is wrong with the table, if anything.
pub(crate) fn check(table: &Table, found: &BTreeMap<&'static str, Found>) -> Result<(), Vec<String>> {
    let mut faults = Vec::new();
    let mut missing = Names::new();
    for (script, found) in found {
        for name in &found.names {
            let is_reported = !missing.insert(*name);
            if !is_reported && !table.rows.iter().any(|row| row.name == *name) {
                faults.push(format!("`{name}` has no row; `{script}` shows it"));
            }
        }
    }
    for (index, row) in table.rows.iter().enumerate() {
        let name = row.name.as_str();
        if table.rows[..index].iter().any(|earlier| earlier.name == name) {
            faults.push(format!("`{name}` has two rows"));
        }
        if !found.values().any(|found| found.names.contains(name)) {
            faults.push(format!("`{name}` is no longer true: no script shows it"));
        }
        if row.scripts.is_empty() || row.why.is_empty() {
            faults.push(format!("`{name}` does not say which script shows it, or why"));
        }
        let mut differs = false;
        for script in &row.scripts {
            let Some(found) = found.get(script.as_str()) else {
                faults.push(format!("`{name}`: there is no script `{script}`"));
                continue;
            };
            if !found.names.contains(name) {
                faults.push(format!("`{name}` is not shown by the script `{script}`"));
            }
            for (whose, pieces, record) in
                [("the peer's", &row.peer, &found.peer), ("our", &row.ours, &found.ours)]
            {
                for piece in pieces.iter().filter(|piece| !has(record, piece)) {
                    faults.push(format!("`{name}`: {whose} record has no `{piece}` in `{script}`"));
                }
            }
            differs |= row.peer.iter().any(|piece| !has(&found.ours, piece))
                || row.ours.iter().any(|piece| !has(&found.peer, piece));
        }
        if !differs {
            faults.push(format!("`{name}` shows no difference in what it quotes"));
        }
    }
    if faults.is_empty() {
        Ok(())
    } else {
        Err(faults)
    }
}

/// A piece that ends in `…` is the beginning of one.
fn has(record: &[String], piece: &str) -> bool {
    match piece.strip_suffix('…') {
        Some(start) => record.iter().any(|known| known.starts_with(start)),
        None => record.iter().any(|known| known == piece),
    }
}
