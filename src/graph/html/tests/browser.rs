//! A report in Chromium: the file itself, with one more script that acts as a user.
//!
//! Without Chromium the tests that need it are skipped.

#[path = "../../../../tests/support/program.rs"]
pub(super) mod program;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};
use std::{fs, thread};

use serde_json::Value;

use super::hash;

const LONG: Duration = Duration::from_secs(120);
const DRIVE: &str = include_str!("drive.js");

/// How the page is opened.
pub(super) struct View {
    pub(super) size: (u32, u32),
    pub(super) hash: &'static str,
    /// Whether the page keeps its Content-Security-Policy.
    pub(super) has_policy: bool,
    /// Whether the scenario begins before the page is idle. Only until then the clock runs.
    pub(super) is_immediate: bool,
}

impl Default for View {
    fn default() -> Self {
        Self { size: (1400, 900), hash: "", has_policy: true, is_immediate: false }
    }
}

/// What `scenario`, the body of an async function, returns; `None` if there is no browser.
pub(super) fn drive(page: &str, scenario: &str) -> Option<Value> {
    drive_view(page, scenario, &View::default())
}

pub(super) fn drive_view(page: &str, scenario: &str, view: &View) -> Option<Value> {
    let chromium = program::find("chromium")?;
    let folder = Folder::new();
    let file = folder.0.join("report.html");
    fs::write(&file, with_script(page, scenario, view)).unwrap();
    let said = dump(&chromium, &file, &folder.0, view);
    let answer = said.split_once("<pre id=\"answer\">").and_then(|(_, rest)| rest.split_once("</pre>"));
    let (json, _) = answer.unwrap_or_else(|| panic!("no answer from the page:\n{said:.2000}"));
    let value: Value = serde_json::from_str(json).unwrap();
    assert_eq!(value.get("broken"), None, "{value:#}");
    Some(value)
}

/// The report with one more script, which its policy allows.
fn with_script(page: &str, scenario: &str, view: &View) -> String {
    let wait = if view.is_immediate { "" } else { "await wait();" };
    let script = format!("async function scenario() {{\n{wait}\n{scenario}\n}}\n{DRIVE}");
    let page = match view.has_policy {
        true => page.replacen("script-src ", &format!("script-src {} ", hash(&script)), 1),
        false => page.replacen("default-src 'none'", "upgrade-insecure-requests", 1).replacen(
            "; script-src",
            "; ignored",
            1,
        ),
    };
    let (before, after) = page.rsplit_once("</body>").unwrap();
    format!("{before}<script>{script}</script></body>{after}")
}

fn dump(chromium: &Path, file: &Path, folder: &Path, view: &View) -> String {
    let output = folder.join("dom");
    let (width, height) = view.size;
    let mut child = Command::new(chromium)
        .args([
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--no-first-run",
            "--disable-dev-shm-usage",
        ])
        .args(["--virtual-time-budget=20000", "--dump-dom"])
        .arg(format!("--window-size={width},{height}"))
        .arg(format!("--user-data-dir={}", folder.join("profile").display()))
        .arg(format!("file://{}{}", file.display(), view.hash))
        .stdin(Stdio::null())
        .stdout(fs::File::create(&output).unwrap())
        .stderr(fs::File::create(folder.join("said")).unwrap())
        .spawn()
        .unwrap();
    let begun = Instant::now();
    while child.try_wait().unwrap().is_none() {
        if begun.elapsed() > LONG {
            let _ = child.kill();
            let _ = child.wait();
            panic!("chromium does not come to an end: {}", fs::read_to_string(folder.join("said")).unwrap());
        }
        thread::sleep(Duration::from_millis(20));
    }
    String::from_utf8_lossy(&fs::read(output).unwrap()).into_owned()
}

/// A temporary directory of a test.
pub(super) struct Folder(pub(super) PathBuf);

impl Folder {
    pub(super) fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let folder = std::env::temp_dir().join(format!("spanlog-report-{}-{number}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        Self(folder)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
