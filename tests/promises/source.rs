//! The tests that a target runs, read from its source.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// The names of all tests in the target that begins with the file `root`, from every file that its
/// modules reach.
///
/// Leaves out what `cargo test --all-features` does not run: functions without a test attribute,
/// ignored tests, and what only exists under loom.
pub(crate) fn tests(root: &Path) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut files = vec![(root.to_owned(), root.parent().unwrap().to_owned())];
    while let Some((file, folder)) = files.pop() {
        let text = fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        for item in items(&text) {
            match item {
                Item::Test(name) => drop(found.insert(name)),
                Item::Module { path: Some(path), .. } => {
                    // Relative to the file's own folder, in which its modules are as well.
                    let file = file.parent().unwrap().join(path);
                    files.push((file.clone(), file.parent().unwrap().to_owned()));
                }
                Item::Module { name, path: None } => files.push(file_of(&folder, &name)),
            }
        }
    }
    found
}

/// The file of a module that is declared in a file whose modules are in `folder`, and where its own
/// modules are.
fn file_of(folder: &Path, name: &str) -> (PathBuf, PathBuf) {
    let file = folder.join(format!("{name}.rs"));
    if file.exists() {
        (file, folder.join(name))
    } else {
        (folder.join(name).join("mod.rs"), folder.join(name))
    }
}

#[derive(Debug, PartialEq)]
enum Item {
    Test(String),
    Module { name: String, path: Option<String> },
}

/// Tests and modules of a file that rustfmt has formatted: attributes and items each start a line.
fn items(text: &str) -> Vec<Item> {
    let mut items = Vec::new();
    let mut attributes: Vec<String> = Vec::new();
    for line in text.lines().map(str::trim) {
        let is_open = attributes.last().is_some_and(|last| !last.ends_with(']'));
        if is_open || line.starts_with("#[") {
            match attributes.last_mut().filter(|_| is_open) {
                Some(last) => last.push_str(line),
                None => attributes.push(line.to_owned()),
            }
            continue;
        }
        if line.starts_with("//") {
            continue;
        }
        let has = |start: &str| attributes.iter().any(|attribute| attribute.starts_with(start));
        let needs_loom = attributes.iter().any(|attribute| {
            attribute.starts_with("#[cfg(") && attribute.replace("not(loom)", "").contains("loom")
        });
        let words = line.trim_start_matches("pub ").trim_start_matches("pub(crate) ");
        if let Some(rest) = words.trim_start_matches("async ").strip_prefix("fn ") {
            if (has("#[test]") || has("#[tokio::test")) && !has("#[ignore") && !needs_loom {
                items.push(Item::Test(rest.split(['(', '<']).next().unwrap().to_owned()));
            }
        } else if let Some(name) = words.strip_prefix("mod ").and_then(|rest| rest.strip_suffix(';')) {
            let path = attributes.iter().find_map(|attribute| attribute.strip_prefix("#[path = \""));
            let path = path.and_then(|path| path.strip_suffix("\"]")).map(str::to_owned);
            if !needs_loom {
                items.push(Item::Module { name: name.to_owned(), path });
            }
        }
        attributes.clear();
    }
    items
}

/// Guarantees: what only looks like a test does not count.
#[test]
fn only_functions_that_the_harness_runs_are_tests() {
    let text = r#"
        | #[test]
        | fn plain() {}
        | #[tokio::test(flavor = "current_thread")]
        | async fn asynchronous() {}
        | #[cfg(feature = "grpc")]
        | #[test]
        | /// Documented.
        | #[should_panic(
        | expected = "something long"
        | )]
        | fn with_attributes() {}
        | #[test]
        | #[ignore = "slow"]
        | fn ignored() {}
        | fn helper() {}
        | // #[test]
        | // fn in_a_comment() {}
        | #[cfg(all(test, loom))]
        | #[test]
        | fn under_loom() {}
        | #[test]
        | const NOT: &str = "fn in_a_text() {}";
        | fn after_something_else() {}
        | #[cfg(not(loom))]
        | mod sockets;
        | #[cfg(loom)]
        | mod model;
        | #[path = "../elsewhere.rs"]
        | mod elsewhere;
    "#;
    // The bars keep this file's own scan from finding these lines.
    let text = text.replace("| ", "");
    let test = |name: &str| Item::Test(name.to_owned());
    let module = |name: &str, path: Option<&str>| Item::Module {
        name: name.to_owned(),
        path: path.map(str::to_owned),
    };
    let wanted = [
        test("plain"),
        test("asynchronous"),
        test("with_attributes"),
        module("sockets", None),
        module("elsewhere", Some("../elsewhere.rs")),
    ];
    assert_eq!(items(&text), wanted);
}

/// Guarantees: a test in a file that no module reaches does not count.
#[test]
fn only_files_that_are_reached_have_tests() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("promises-{}", std::process::id()));
    let write = |file: &str, text: &str| {
        let path = folder.join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    };
    write("main.rs", "mod a;\n#[path = \"b/c.rs\"]\nmod renamed;\n#[test]\nfn in_main() {}");
    write("a.rs", "mod inner;\n#[test]\nfn in_a() {}");
    write("a/inner.rs", "#[test]\nfn in_inner() {}");
    write("b/c.rs", "mod d;");
    write("b/d/mod.rs", "#[test]\nfn in_d() {}");
    write("left.rs", "#[test]\nfn in_no_module() {}");
    let found = tests(&folder.join("main.rs"));
    fs::remove_dir_all(&folder).unwrap();
    assert_eq!(found.into_iter().collect::<Vec<_>>(), ["in_a", "in_d", "in_inner", "in_main"]);
}
