//! axe-core, which checks a page for accessibility, finds nothing in a report.
//!
//! It is installed with npm, by name, into the target directory. Without npm or a network the test is
//! skipped.

use std::path::PathBuf;
use std::process::Command;
use std::{env, fs};

use serde_json::json;

use super::browser::{drive_view, program, View};
use super::{fixture, trial};

const PACKAGE: &str = "axe-core@4";

/// Installs the package once, and returns its script.
fn axe() -> Result<PathBuf, String> {
    let program = env::current_exe().map_err(|error| error.to_string())?;
    // The program is `<target>/debug/deps/<name>`.
    let target = program.ancestors().nth(3).ok_or("the target directory is unknown")?;
    let folder = target.join("axe-core");
    let script = folder.join("node_modules/axe-core/axe.min.js");
    if script.exists() {
        return Ok(script);
    }
    let mut npm = Command::new("npm");
    npm.args(["install", "--silent", "--no-audit", "--no-fund", "--ignore-scripts", "--prefix"]);
    let output = npm.arg(&folder).arg(PACKAGE).output().map_err(|error| format!("npm: {error}"))?;
    match output.status.success() {
        true => Ok(script),
        false => Err(format!("npm failed: {}", String::from_utf8_lossy(&output.stderr))),
    }
}

/// What it finds in a page, in both themes and in the states that a reader brings it into.
const SCENARIO: &str = r##"
    const found = [];
    const check = async (state) => {
        const { violations } = await axe.run(document);
        for (const { id, nodes } of violations) found.push(state + ": " + id + ": " + nodes[0].html.slice(0, 120) + " " + nodes[0].failureSummary);
    };
    for (const theme of ["light", "dark"]) {
        while (document.documentElement.dataset.theme !== theme) at("#theme").click();
        await check(theme);
    }
    const line = at("#records .record .line");
    if (line) line.click();
    await type("git");
    await check("record and search");
    scroll(at("#tree"), 1);
    await check("scrolled");
    at("#help-open").click();
    await check("help");
    at("#help").close();
    const group = [...document.querySelectorAll("#tree .row")].find((row) => nodes[row.dataset.index].isGroup);
    if (group) group.click();
    await check("group");
    if (SPOIL) {
        at("#tree .row").setAttribute("aria-expanded", "perhaps");
        at("h1").style.color = "#444444";
    }
    await check("spoilt");
    return found;
"##;

#[test]
fn axe_core_finds_nothing() {
    let Some(script) = program::find_with("axe-core", axe) else { return };
    let script = fs::read_to_string(script).unwrap().replace("</", "<\\/");
    let look = |page: &str, size, spoils: bool| {
        let page = page.replace("</body>", &format!("<script>{script}</script></body>"));
        let scenario = format!("const SPOIL = {spoils};\n{SCENARIO}");
        drive_view(&page, &scenario, &View { size, has_policy: false, ..View::default() })
    };
    let failed = trial::trial().graph().to_html();
    for page in [&failed, &trial::fine().graph().to_html(), &fixture::everything().graph().to_html()] {
        for size in [(1400, 900), (400, 800)] {
            let Some(found) = look(page, size, false) else { return };
            assert!(found == json!([]), "{found:#}");
        }
    }
    // It would find something.
    let Some(found) = look(&failed, (1400, 900), true) else { return };
    let found = found.to_string();
    assert!(found.contains("aria-valid-attr-value") && found.contains("color-contrast"), "{found}");
}
