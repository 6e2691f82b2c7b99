//! What the documents say about the manifest and the source tree.

use std::collections::BTreeSet;

use cargo_metadata::{DependencyKind, Package};

use crate::{read, root, tests_that_run};

/// Where README differs from the manifest: the table of versions, the `[dependencies]` to copy, and
/// the minimum Rust version.
fn faults_of_readme(readme: &str, manifest: &Package) -> Vec<String> {
    let rust = manifest.rust_version.as_ref().unwrap();
    let sentence = format!("The minimum supported Rust version is {}.{}.", rust.major, rust.minor);
    let mut faults = Vec::new();
    if !readme.contains(&sentence) {
        faults.push(format!("{sentence:?} is missing"));
    }
    let mut lines = readme.lines().skip_while(|line| !line.starts_with("| `spanlog` |"));
    let [head, _, row] = [lines.next(), lines.next(), lines.next()].map(Option::unwrap_or_default);
    let cells = |line: &str| -> Vec<String> {
        line.trim_matches('|').split('|').map(|cell| cell.trim().trim_matches('`').to_owned()).collect()
    };
    let table: Vec<_> = cells(head).into_iter().zip(cells(row)).collect();
    for (name, said) in &table {
        let (compatible, least) = versions(manifest, name);
        let is = if least.ends_with(".0") { compatible } else { format!("{compatible}, from {least}") };
        if *said != is {
            faults.push(format!("{name} is {said} in the table and {is} in Cargo.toml"));
        }
    }
    let (_, block) = readme.split_once("```toml\n[dependencies]\n").unwrap_or_default();
    let copied = block.split("```").next().unwrap_or_default().lines();
    let copied: Vec<_> = copied.filter_map(|line| line.split_once(" = ")).collect();
    for (name, said) in &copied {
        let (compatible, _) = versions(manifest, name);
        if said.trim_matches('"') != compatible {
            faults.push(format!("{name} is {said} in [dependencies] and {compatible} in Cargo.toml"));
        }
    }
    if table.len() < 6 || copied.len() < 5 {
        faults.push(format!("there are {} columns and {} dependencies", table.len(), copied.len()));
    }
    faults
}

/// The compatible versions, as `0.33`, and the minimum, as `0.33.1`.
fn versions(manifest: &Package, name: &str) -> (String, String) {
    let own = &manifest.version;
    if manifest.name.as_str() == name {
        return (format!("{}.{}", own.major, own.minor), own.to_string());
    }
    let is_it = |kind| kind == DependencyKind::Normal;
    let dependency = manifest.dependencies.iter().find(|other| other.name == name && is_it(other.kind));
    let Some(dependency) = dependency else { return ("absent".to_owned(), String::new()) };
    let [least] = dependency.req.comparators.as_slice() else { panic!("{name}: {}", dependency.req) };
    let (minor, patch) = (least.minor.unwrap_or_default(), least.patch.unwrap_or_default());
    (format!("{}.{minor}", least.major), format!("{}.{minor}.{patch}", least.major))
}

/// Guarantees: the versions in README are those of the manifest; a planted difference is found.
#[test]
fn readme_has_the_versions_of_the_manifest() {
    let metadata = crate::metadata();
    let manifest = metadata.root_package().unwrap();
    let readme = read("README.md");
    assert_eq!(faults_of_readme(&readme, manifest), [] as [String; 0]);
    for (is, planted) in [
        ("Rust version is 1.", "Rust version is 2."),
        (", from ", ", from 9."),
        ("\n| 0.1 |", "\n| 0.2 |"),
        ("\nopentelemetry = \"0.", "\nopentelemetry = \"1."),
        ("| `opentelemetry` |", "| `none` |"),
        ("| `spanlog` |", "| `another` |"),
        ("[dependencies]", "[dev-dependencies]"),
    ] {
        let planted = readme.replacen(is, planted, 1);
        assert_ne!(planted, readme, "{is}");
        assert_ne!(faults_of_readme(&planted, manifest), [] as [String; 0], "{is}");
    }
}

const FOLDERS: [&str; 6] = ["src/", "tests/", "docs/", "benches/", ".ci/", "fuzz/"];

/// The paths in backquotes that do not exist. Where `has_tables`, file names in tables are relative
/// to `src`.
fn missing_paths(document: &str, has_tables: bool) -> Vec<String> {
    let mut missing = Vec::new();
    for line in document.lines() {
        let is_row = has_tables && line.trim_start_matches("//! ").starts_with('|');
        for name in line.split('`').skip(1).step_by(2) {
            let path = if FOLDERS.iter().any(|folder| name.starts_with(folder)) {
                root().join(name)
            } else if is_row && name.ends_with(".rs") {
                root().join("src").join(name)
            } else {
                continue;
            };
            // `NAME` is a placeholder.
            if !path.exists() && !name.contains("NAME") {
                missing.push(name.to_owned());
            }
        }
    }
    missing
}

#[test]
fn contributing_names_files_that_exist() {
    let document = read("CONTRIBUTING.md");
    assert_eq!(missing_paths(&document, false), [] as [String; 0]);
    let planted = document.replacen("`src/value.rs`", "`src/valu.rs`", 1);
    assert_eq!(missing_paths(&planted, false), ["src/valu.rs"]);
}

#[test]
fn tables_of_files_name_files_that_exist() {
    for name in ["docs/architecture.md", "src/lib.rs", "src/otlp.rs"] {
        let missing = missing_paths(&read(name), true);
        assert!(missing.is_empty(), "{name} names files that do not exist: {missing:#?}");
    }
}

#[test]
fn a_planted_file_name_is_found() {
    let text = "| 1 | `layer.rs` | \n//! | 2 | `layer/none.rs` | `Layer` \n`none.rs` and `tests/none`";
    assert_eq!(missing_paths(text, true), ["layer/none.rs", "tests/none"]);
    assert_eq!(missing_paths(text, false), ["tests/none"]);
}

/// Guarantees: every test that `CONTRIBUTING.md` names runs.
#[test]
fn contributing_names_tests_that_run() {
    let tests = tests_that_run();
    let document = read("CONTRIBUTING.md");
    let names: BTreeSet<_> = document.split('`').skip(1).step_by(2).filter(|name| is_test(name)).collect();
    assert!(names.len() > 5, "{names:?}");
    for name in names {
        assert!(tests.contains(name), "CONTRIBUTING.md names {name}, which is no test that runs");
    }
}

/// Guarantees: docs/migrating.md says of every difference from the appender and from a plain
/// `OpenTelemetryLayer` what it means for a program that moves, and names no others.
#[test]
fn migrating_names_every_difference() {
    let mapping = read("docs/mapping.md");
    let named = |heading: &str| -> BTreeSet<String> {
        let (_, section) = mapping.split_once(heading).unwrap();
        let rows = section.lines().skip_while(|line| !line.starts_with("| name |")).skip(2);
        let rows = rows.take_while(|line| line.starts_with('|'));
        rows.filter_map(|row| row.split('`').nth(1)).map(str::to_owned).collect()
    };
    let mut differences = named("## Differences from opentelemetry-appender-tracing");
    differences.extend(named("## Differences from a plain OpenTelemetryLayer"));
    assert!(differences.len() > 30, "{differences:?}");
    let migrating = read("docs/migrating.md");
    let (section, _) = migrating.split_once("\n## From init-tracing-opentelemetry").unwrap();
    let (_, section) = section.split_once("### What changes in records").unwrap();
    let said: BTreeSet<_> = section.split('`').skip(1).step_by(2).filter(|name| is_row(name)).collect();
    let differences: BTreeSet<_> = differences.iter().map(String::as_str).collect();
    assert_eq!(said, differences);
}

/// Whether it has the form of a name in the tables of differences.
fn is_row(name: &str) -> bool {
    let is_word = |word: &str| !word.is_empty() && word.chars().all(|letter| letter.is_ascii_lowercase());
    name == "timestamp" || name.contains('-') && name.split('-').all(is_word)
}

fn is_test(name: &str) -> bool {
    name.matches('_').count() > 2
        && name.chars().all(|character| character.is_ascii_lowercase() || character == '_')
}
