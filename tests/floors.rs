//! The floors of docs/architecture.md: a file imports from lower floors, or within its own module,
//! and no files import each other in a ring. And its lists of files: the path of an event, and all files.
//!
//! Reads the text of `src`: `use` declarations, and every other path that begins with `crate`,
//! `super` or the name of a child module. A name that a parent re-exports counts as the parent's.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// File names below `src`, with their text.
type Tree = BTreeMap<String, String>;

/// Each file, and the files that it takes names from.
type Imports = BTreeMap<String, BTreeSet<String>>;

#[test]
fn imports_run_down_the_floors() {
    let (tree, floors) = (tree(), floors());
    let up = upward(&imports(&tree), &floors);
    assert!(up.is_empty(), "imports that do not run down:\n{}", up.join("\n"));
}

#[test]
fn no_files_import_each_other_in_a_ring() {
    let imports = imports(&tree());
    let rings = rings(&imports);
    let arrows = rings.iter().flat_map(|ring| arrows(ring, &imports)).collect::<Vec<_>>();
    assert!(rings.is_empty(), "rings of files:\n{}", arrows.join("\n"));
}

/// Guarantees: the table of floors names every file of `src`, and nothing that does not exist.
#[test]
fn the_floors_are_those_of_all_files() {
    let (tree, floors) = (tree(), floors());
    for file in tree.keys() {
        assert!(floor_of(file, &floors).is_some(), "{file} is on no floor of docs/architecture.md");
    }
    for module in floors.keys() {
        let is_there = tree.keys().any(|file| is_in(file, module));
        assert!(is_there, "docs/architecture.md has `{module}`, which is not in src");
    }
}

/// Guarantees: the checks above fail on a copy of the tree with one planted line.
#[test]
fn a_planted_ring_and_a_planted_upward_import_are_found() {
    let floors = floors();
    let plant = |file: &str, line: &str| {
        let mut tree = tree();
        let text = tree.get_mut(file).expect("the file is there");
        text.insert_str(0, line);
        imports(&tree)
    };
    let planted = plant("value.rs", "use crate::layer::LogLayer;\n");
    assert!(upward(&planted, &floors).iter().any(|up| up.starts_with("value.rs ")), "a use declaration");
    let planted = plant("keys.rs", "fn planted() { crate::correlate::stack::alive(); }\n");
    assert!(upward(&planted, &floors).iter().any(|up| up.starts_with("keys.rs ")), "a path in an expression");
    let planted = plant("graph.rs", "use crate::{error, layer::{LogLayer as _, recording}};\n");
    assert!(upward(&planted, &floors).iter().any(|up| up.starts_with("graph.rs ")), "a nested use tree");
    let planted = plant("graph/escape.rs", "use crate::record::Ids;\n");
    assert!(
        upward(&planted, &floors).iter().any(|up| up.starts_with("graph/escape.rs ")),
        "graph and the record"
    );
    let planted = plant("correlate/span_state.rs", "use super::lookup;\n");
    assert!(!rings(&planted).is_empty(), "a ring of siblings");
    let planted = plant("otlp/queue/chunk.rs", "use super::Queue;\n");
    assert!(!rings(&planted).is_empty(), "a ring of parent and child");
}

/// Guarantees: the graph could be a crate of its own.
#[test]
fn the_graph_imports_from_the_two_lowest_floors_only() {
    let floors = floors();
    let above = |imports: &Imports| {
        let graph = imports.iter().filter(|(file, _)| is_in(file, "graph"));
        let targets = graph.flat_map(|(file, targets)| targets.iter().map(move |target| (file, target)));
        let above = targets.filter(|(_, target)| {
            !is_in(target, "graph") && floor_of(target, &floors).is_none_or(|(_, floor)| floor > 1)
        });
        above.map(|(file, target)| format!("{file} -> {target}")).collect::<Vec<_>>()
    };
    let mut tree = tree();
    assert_eq!(above(&imports(&tree)), Vec::<String>::new());
    tree.entry("graph/tree.rs".to_owned()).or_default().push_str("\nuse crate::limits::Limits;\n");
    assert_eq!(above(&imports(&tree)), ["graph/tree.rs -> limits.rs"]);
}

/// Guarantees: only the glue file and the public list know the graph.
#[test]
fn nothing_but_its_glue_knows_the_graph() {
    let imports = imports(&tree());
    let outside = imports.iter().filter(|(file, _)| !is_in(file, "graph"));
    let knows = outside.filter(|(_, targets)| targets.iter().any(|target| is_in(target, "graph")));
    assert_eq!(knows.map(|(file, _)| file.as_str()).collect::<Vec<_>>(), ["layer/recording.rs"]);
}

/// The path of an event to the queue is short: a table of docs/architecture.md lists its files, and each
/// is there.
#[test]
fn the_path_of_an_event_is_short() {
    let tree = tree();
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/architecture.md");
    let document = fs::read_to_string(&path).expect("the document");
    let table = document.lines().skip_while(|line| !line.starts_with("| file | what it does |")).skip(2);
    let table: Vec<_> = table.take_while(|line| line.starts_with('|')).collect();
    let listed = |begins: &str| {
        let rows = table.iter().filter_map(|row| row.strip_prefix(begins)?.split_once('`'));
        rows.map(|(file, _)| file.to_owned()).collect::<Vec<_>>()
    };
    let (hot, cold) = (listed("| `"), listed("| &emsp; `"));
    assert_eq!(hot.len() + cold.len(), table.len(), "a row that is neither");
    for file in hot.iter().chain(&cold) {
        assert!(tree.contains_key(file), "docs/architecture.md lists {file}, which is not there");
    }
    let lines =
        hot.iter().map(|file| code_of(&tree[file]).lines().filter(|line| !line.trim().is_empty()).count());
    let lines: usize = lines.sum();
    assert!(
        (8..=12).contains(&hot.len()) && (800..=2_300).contains(&lines),
        "{} files, {lines} lines",
        hot.len()
    );
}

/// Guarantees: the table of files has every file of src, with the first sentence of its own
/// documentation.
#[test]
fn the_table_of_files_says_what_the_files_say() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/architecture.md");
    let document = fs::read_to_string(&path).expect("the document");
    let (before, table) = document.split_once("| file | what it is |\n| --- | --- |\n").expect("the table");
    let rows = all_files()
        .iter()
        .map(|(file, text)| format!("| `{file}` | {} |\n", first_sentence(file, text)))
        .collect::<String>();
    if std::env::var_os("SPANLOG_WRITE_DOCS").is_some() {
        fs::write(&path, format!("{before}| file | what it is |\n| --- | --- |\n{rows}")).expect("written");
        return;
    }
    let differs = table.lines().zip(rows.lines()).find(|(listed, there)| listed != there);
    assert!(table == rows, "SPANLOG_WRITE_DOCS=1 writes the table anew; the first difference: {differs:?}");
}

fn first_sentence(file: &str, text: &str) -> String {
    let lines = text.lines().map_while(|line| line.strip_prefix("//!")).map(str::trim);
    let paragraph = lines.take_while(|line| !line.is_empty()).collect::<Vec<_>>().join(" ");
    assert!(!paragraph.is_empty(), "{file} does not begin with what it is");
    let end = paragraph.find(". ").unwrap_or(paragraph.len());
    paragraph[..end].trim_end_matches(['.', ':']).replace('|', "\\|")
}

fn tree() -> Tree {
    let mut tree = all_files();
    // Tests and fuzz checks may import whatever they test.
    tree.retain(|file, _| {
        !file.ends_with("tests.rs") && !file.contains("/tests/") && !file.starts_with("fuzzing")
    });
    tree
}

fn all_files() -> Tree {
    fn add(folder: &Path, root: &Path, tree: &mut Tree) {
        for entry in fs::read_dir(folder).expect("a folder of the source") {
            let path = entry.expect("an entry").path();
            let name = path.strip_prefix(root).expect("it is below").display().to_string();
            if path.is_dir() {
                add(&path, root, tree);
            } else if name.ends_with(".rs") {
                tree.insert(name, fs::read_to_string(&path).expect("source text"));
            }
        }
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut tree = Tree::new();
    add(&root, &root, &mut tree);
    tree
}

/// The table of docs/architecture.md: module names (`layer.rs` is `layer`), each with its floor.
fn floors() -> BTreeMap<String, u32> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/architecture.md");
    let document = fs::read_to_string(path).expect("the document");
    let rows = document.lines().skip_while(|line| !line.starts_with("| floor |")).skip(2);
    let mut floors = BTreeMap::new();
    for row in rows.take_while(|line| line.starts_with('|')) {
        let cells: Vec<_> = row.split('|').map(str::trim).collect();
        let floor = cells[1].parse().expect("the number of a floor");
        for module in cells[2].split('`').skip(1).step_by(2) {
            let name = module.trim_end_matches(".rs").trim_end_matches('/').to_owned();
            assert!(floors.insert(name, floor).is_none(), "{module} is on two floors");
        }
    }
    assert!(floors.len() > 10, "{floors:?}");
    floors
}

fn is_in(file: &str, module: &str) -> bool {
    let name = file.trim_end_matches(".rs");
    name.strip_prefix(module).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

fn floor_of<'a>(file: &str, floors: &'a BTreeMap<String, u32>) -> Option<(&'a str, u32)> {
    let mut all = floors.iter().filter(|(module, _)| is_in(file, module));
    all.next().map(|(module, floor)| (module.as_str(), *floor))
}

fn upward(imports: &Imports, floors: &BTreeMap<String, u32>) -> Vec<String> {
    let mut up = Vec::new();
    for (file, targets) in imports {
        for target in targets {
            let (Some(from), Some(to)) = (floor_of(file, floors), floor_of(target, floors)) else { continue };
            if from.0 != to.0 && from.1 <= to.1 {
                up.push(format!("{file} (floor {}) imports from {target} (floor {})", from.1, to.1));
            }
        }
    }
    up
}

/// Groups of files each of which reaches all others of its group.
fn rings(imports: &Imports) -> Vec<Vec<&str>> {
    let mut reached: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for file in imports.keys() {
        let mut all = BTreeSet::new();
        let mut open = vec![file.as_str()];
        while let Some(next) = open.pop() {
            for target in imports.get(next).into_iter().flatten() {
                if all.insert(target.as_str()) {
                    open.push(target);
                }
            }
        }
        reached.insert(file, all);
    }
    let mut rings = BTreeSet::new();
    for (file, all) in &reached {
        let ring: Vec<_> = all.iter().copied().filter(|other| reached[other].contains(file)).collect();
        if ring.len() > 1 {
            rings.insert(ring);
        }
    }
    rings.into_iter().collect()
}

/// The imports that form a ring.
fn arrows(ring: &[&str], imports: &Imports) -> Vec<String> {
    let within = |target: &&String| ring.contains(&target.as_str());
    let of_file = |file: &&str| {
        let file = file.to_string();
        imports[&file]
            .iter()
            .filter(within)
            .map(move |target| format!("{file} -> {target}"))
            .collect::<Vec<_>>()
    };
    ring.iter().flat_map(of_file).collect()
}

fn imports(tree: &Tree) -> Imports {
    let modules: BTreeMap<String, &str> = tree.keys().map(|file| (module_of(file), file.as_str())).collect();
    let mut imports = Imports::new();
    for (file, text) in tree {
        let own = module_of(file);
        let targets = imports.entry(file.clone()).or_default();
        for path in paths(&code_of(text)) {
            let Some(absolute) = absolute(&path, &own, &modules) else { continue };
            // The longest part of the path that is a module: the file which has, or re-exports, the
            // rest.
            let longest = (0..=absolute.len()).rev().find_map(|len| modules.get(&absolute[..len].join("::")));
            if let Some(target) = longest.filter(|target| *target != file) {
                targets.insert((*target).to_owned());
            }
        }
    }
    imports
}

fn module_of(file: &str) -> String {
    match file.trim_end_matches(".rs") {
        "lib" => String::new(),
        name => name.replace('/', "::"),
    }
}

/// A path from the root of the crate; `None` if it leads out of the crate.
fn absolute(path: &[String], own: &str, modules: &BTreeMap<String, &str>) -> Option<Vec<String>> {
    let mut base: Vec<String> = own.split("::").filter(|part| !part.is_empty()).map(str::to_owned).collect();
    let mut rest = path;
    match path.first()?.as_str() {
        "crate" => {
            base.clear();
            rest = &path[1..];
        }
        "self" => rest = &path[1..],
        "super" => {
            while rest.first().is_some_and(|part| part == "super") {
                base.pop();
                rest = &rest[1..];
            }
        }
        child => {
            let child = base.iter().map(String::as_str).chain([child]).collect::<Vec<_>>().join("::");
            modules.get(&child)?;
        }
    }
    base.extend(rest.iter().cloned());
    Some(base)
}

/// The text without comments, strings and inline modules.
fn code_of(text: &str) -> String {
    let mut code = String::new();
    let mut rest = text;
    while let Some(next) = rest.chars().next() {
        let skipped = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            rest.find("*/").map_or(rest.len(), |end| end + 2)
        } else if next == '"' {
            string_len(rest)
        } else if rest.starts_with("r#\"") {
            rest.find("\"#").map_or(rest.len(), |end| end + 2)
        } else if rest.starts_with("'\"'") || rest.starts_with("'{'") || rest.starts_with("'}'") {
            3
        } else {
            code.push(next);
            rest = &rest[next.len_utf8()..];
            continue;
        };
        rest = &rest[skipped..];
    }
    without_inline_modules(&code)
}

fn string_len(text: &str) -> usize {
    let mut is_escaped = false;
    for (at, character) in text.char_indices().skip(1) {
        match character {
            _ if is_escaped => is_escaped = false,
            '\\' => is_escaped = true,
            '"' => return at + 1,
            _ => {}
        }
    }
    text.len()
}

/// Paths in an inline module begin elsewhere; those of this crate are tests, or lists of public
/// names.
fn without_inline_modules(code: &str) -> String {
    let mut kept = String::new();
    let mut depth = 0;
    for line in code.lines() {
        let is_module = line
            .trim_start()
            .trim_start_matches("pub(crate) ")
            .trim_start_matches("pub ")
            .starts_with("mod ");
        if depth > 0 || (is_module && line.ends_with('{')) {
            depth += line.matches('{').count();
            depth -= line.matches('}').count();
            continue;
        }
        kept.push_str(line);
        kept.push('\n');
    }
    kept
}

/// Every path in the code, those of `use` trees one by one.
fn paths(code: &str) -> Vec<Vec<String>> {
    let mut found = Vec::new();
    let mut rest = code;
    while let Some(at) = rest.find(is_word) {
        let (word, behind) = word(&rest[at..]);
        let follows_path = rest[..at].ends_with("::") || rest[..at].ends_with('.');
        rest = behind;
        if follows_path {
            continue;
        }
        if word == "pub" && rest.starts_with('(') {
            // A visibility names a module, and imports nothing from it.
            rest = &rest[rest.find(')').unwrap_or(0)..];
            continue;
        }
        if word == "use" {
            let end = rest.find(';').unwrap_or(rest.len());
            leaves(&rest[..end], &mut Vec::new(), &mut found);
            rest = &rest[end..];
            continue;
        }
        let mut path = vec![word.to_owned()];
        while let Some(behind) = rest.strip_prefix("::").filter(|behind| behind.starts_with(is_word)) {
            let (next, behind) = self::word(behind);
            path.push(next.to_owned());
            rest = behind;
        }
        if path.len() > 1 {
            found.push(path);
        }
    }
    found
}

fn is_word(character: char) -> bool {
    character.is_alphanumeric() || character == '_'
}

fn word(text: &str) -> (&str, &str) {
    text.split_at(text.find(|character| !is_word(character)).unwrap_or(text.len()))
}

/// The paths of a `use` tree below `prefix`.
fn leaves(tree: &str, prefix: &mut Vec<String>, found: &mut Vec<Vec<String>>) {
    let tree = tree.trim();
    let before = prefix.len();
    let (path, group) = match tree.split_once('{') {
        Some((path, group)) => (path, Some(group.trim_end().trim_end_matches('}'))),
        None => (tree.split(" as ").next().unwrap_or_default(), None),
    };
    let parts = path.split("::").map(str::trim).filter(|part| !part.is_empty() && *part != "*");
    prefix.extend(parts.filter(|part| !(*part == "self" && before > 0)).map(str::to_owned));
    match group {
        None => found.push(prefix.clone()),
        Some(group) => {
            let (mut depth, mut begin) = (0, 0);
            for (at, character) in group.char_indices() {
                match character {
                    '{' => depth += 1,
                    '}' => depth -= 1,
                    ',' if depth == 0 => {
                        leaves(&group[begin..at], prefix, found);
                        begin = at + 1;
                    }
                    _ => {}
                }
            }
            if !group[begin..].trim().is_empty() {
                leaves(&group[begin..], prefix, found);
            }
        }
    }
    prefix.truncate(before);
}
