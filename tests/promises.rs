//! Promises about types, the manifest and the documents, each with a test.
#![expect(clippy::unwrap_used, reason = "a test that unwraps fails, which is what it is for")]

#[path = "promises/documents.rs"]
mod documents;
#[path = "promises/source.rs"]
mod source;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(file: &str) -> String {
    fs::read_to_string(root().join(file)).unwrap()
}

/// The manifest, without its dependency graph.
fn metadata() -> cargo_metadata::Metadata {
    cargo_metadata::MetadataCommand::new()
        .manifest_path(root().join("Cargo.toml"))
        .no_deps()
        .other_options(["--locked".to_owned(), "--offline".to_owned()])
        .exec()
        .unwrap()
}

/// The names of all tests that `cargo test --all-features` runs.
fn tests_that_run() -> BTreeSet<String> {
    let metadata = metadata();
    let targets = metadata.root_package().unwrap().targets.iter();
    let tested = targets.filter(|target| target.is_test() || target.is_lib());
    tested.flat_map(|target| source::tests(target.src_path.as_std_path())).collect()
}

/// Guarantees: every name in the last column of the promises is a test that `cargo test
/// --all-features` runs.
#[test]
fn every_promise_names_tests_that_run() {
    let tests = tests_that_run();
    let document = read("docs/promises.md");
    let mut named = 0;
    for line in document.lines().filter(|line| line.starts_with("| ")) {
        let Some(last) = line.trim_end_matches(" |").rsplit(" | ").next() else { continue };
        for name in last.split('`').skip(1).step_by(2) {
            assert!(tests.contains(name), "docs/promises.md names {name}, which is no test that runs");
            named += 1;
        }
    }
    assert!(named > 200, "{named}");
}

/// Guarantees: no dependency needs a newer compiler than ours. Use of newer parts of the standard
/// library is checked by clippy's `incompatible_msrv`, which the manifest turns on and CI denies.
#[test]
fn the_minimum_rust_version_is_enough_for_every_dependency() {
    let metadata = cargo_metadata::MetadataCommand::new()
        .manifest_path(root().join("Cargo.toml"))
        .other_options(["--locked".to_owned(), "--filter-platform".to_owned(), host()])
        .exec()
        .unwrap();
    let ours = metadata.root_package().unwrap().rust_version.clone().unwrap();
    let resolve = metadata.resolve.as_ref().unwrap();
    // Only what users build: normal dependencies, transitively.
    let mut open = vec![metadata.root_package().unwrap().id.clone()];
    let mut used = BTreeSet::new();
    while let Some(id) = open.pop() {
        let node = resolve.nodes.iter().find(|node| node.id == id).unwrap();
        for dependency in &node.deps {
            let is_normal =
                dependency.dep_kinds.iter().any(|kind| kind.kind == cargo_metadata::DependencyKind::Normal);
            if is_normal && used.insert(dependency.pkg.clone()) {
                open.push(dependency.pkg.clone());
            }
        }
    }
    assert!(used.len() > 20, "{}", used.len());
    for package in metadata.packages.iter().filter(|package| used.contains(&package.id)) {
        if let Some(theirs) = &package.rust_version {
            assert!(*theirs <= ours, "{} needs {theirs}, we say {ours}", package.name);
        }
    }
}

/// Guarantees: the default features need fewer crates than those that spanlog takes the place of. Their number is
/// in the README; `.ci/cold-build` counts both.
#[test]
fn the_default_features_need_fewer_crates_than_the_usual_ones() {
    let options = ["tree", "--locked", "--offline", "--edges=normal,build", "--prefix=none", "--format={p}"];
    let tree = std::process::Command::new(env!("CARGO")).args(options).current_dir(root()).output().unwrap();
    assert!(tree.status.success(), "{}", String::from_utf8_lossy(&tree.stderr));
    let tree = String::from_utf8(tree.stdout).unwrap();
    // The same crate may be marked: as a procedural macro, or as one whose dependencies are listed already.
    let ours: BTreeSet<_> = tree.lines().map(|line| line.split(" (").next()).collect();
    let readme = read("README.md");
    let in_readme = |begins: &str| -> usize {
        let row = readme.lines().find(|line| line.starts_with(begins)).unwrap();
        row.split('|').nth(2).unwrap().trim().parse().unwrap()
    };
    assert!(
        (20..=in_readme("| spanlog |")).contains(&ours.len()),
        "{}: .ci/cold-build counts anew",
        ours.len()
    );
    assert!(in_readme("| spanlog |") < in_readme("| opentelemetry-appender-tracing, "));
}

/// This platform: dependencies of others may not be downloaded here.
fn host() -> String {
    let rustc = std::process::Command::new("rustc").arg("-vV").output().unwrap();
    let text = String::from_utf8(rustc.stdout).unwrap();
    text.lines().find_map(|line| line.strip_prefix("host: ")).unwrap().to_owned()
}

#[test]
fn public_types_are_send_sync_and_debug() {
    fn holds<T: Send + Sync + std::fmt::Debug + 'static>() {}
    type Logs = opentelemetry_sdk::logs::SdkLogger;
    holds::<spanlog::LogLayer<spanlog::SdkRecords<Logs>>>();
    holds::<spanlog::Limits>();
    holds::<spanlog::SpanFields>();
    holds::<spanlog::Keys>();
    holds::<spanlog::Counters>();
    holds::<spanlog::Stats>();
    holds::<spanlog::Error>();
    holds::<spanlog::LogTracer>();
    holds::<spanlog::JobMetadata>();
    holds::<spanlog::JobSpanProcessor>();
    holds::<spanlog::job::Execution>();
    holds::<spanlog::job::WithJob<()>>();
    holds::<spanlog::op::Op>();
    holds::<spanlog::op::Instrumented<std::future::Ready<()>>>();
    holds::<std::sync::Arc<dyn spanlog::trace::Tracer>>();
    holds::<std::sync::Arc<dyn spanlog::trace::Span>>();
    holds::<std::sync::Arc<dyn spanlog::trace::Logger>>();
    holds::<spanlog::trace::NopTracer>();
    holds::<spanlog::trace::NopLogger>();
    holds::<spanlog::trace::OtelTracer<opentelemetry::global::BoxedTracer>>();
    holds::<spanlog::trace::TracingTracer>();
    holds::<spanlog::trace::TracingLogger>();
    holds::<spanlog::trace::Value>();
    holds::<spanlog::trace::Fields>();
    holds::<spanlog::graph::Recorder>();
    holds::<spanlog::graph::ToolCallGraph>();
    holds::<spanlog::graph::Text<'static>>();
    holds::<spanlog::graph::Reader>();
}
