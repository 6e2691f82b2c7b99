//! The statements of `docs/clickhouse.md`, and of `docs/scaling.md`.

const PAGE: &str = include_str!("../../docs/clickhouse.md");

const SCALING: &str = include_str!("../../docs/scaling.md");

/// Those in the blocks of SQL below a heading, up to the next one.
pub fn statements(heading: &str) -> Vec<String> {
    statements_of(PAGE, heading)
}

/// That of `docs/scaling.md` which counts the records of each job.
pub fn records_of_jobs() -> String {
    statements_of(SCALING, "Reconciling a job").remove(0)
}

fn statements_of(page: &str, heading: &str) -> Vec<String> {
    let heading = format!("# {heading}\n");
    let (_, section) = page.split_once(&heading).unwrap_or_else(|| panic!("the page has no {heading}"));
    let section = section.split("\n#").next().unwrap();
    let blocks = section.split("```sql\n").skip(1).map(|rest| rest.split("```").next().unwrap());
    let statements = blocks.flat_map(|block| block.split(";\n")).map(str::trim);
    let statements: Vec<_> = statements.filter(|text| !text.is_empty()).map(str::to_owned).collect();
    assert!(!statements.is_empty(), "{heading}");
    statements
}

/// Those of the command that pipes rows into the graph.
pub fn piped() -> Vec<&'static str> {
    let (_, command) = PAGE.split_once("clickhouse-client --query \"").unwrap();
    command.split('"').next().unwrap().split(';').map(str::trim).collect()
}

/// The headings of the questions.
pub fn questions() -> Vec<&'static str> {
    let (_, section) = PAGE.split_once("\n## Five questions\n").unwrap();
    let section = section.split("\n## ").next().unwrap();
    section.lines().filter_map(|line| line.strip_prefix("### ")).collect()
}
