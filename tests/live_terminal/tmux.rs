//! A terminal of a tmux server of its own.

use std::env;
use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use crate::fixture::PART;
use crate::program;

pub struct Terminal {
    socket: String,
    directory: PathBuf,
}

pub fn directory() -> PathBuf {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let directory = env::temp_dir().join(format!("spanlog-live-{}-{number}", std::process::id()));
    fs::create_dir_all(&directory).unwrap();
    directory
}

impl Terminal {
    /// A terminal of this size, with the helper running in it. `None` without tmux.
    pub fn open(columns: u16, rows: u16) -> Option<Self> {
        Self::open_with(columns, rows, "")
    }

    /// The same with variables of the environment, `NAME=VALUE`.
    pub fn open_with(columns: u16, rows: u16, variables: &str) -> Option<Self> {
        program::find("tmux")?;
        let directory = directory();
        let socket = directory.file_name().unwrap().to_str().unwrap().to_owned();
        let terminal = Self { socket, directory };
        let part = env::current_exe().unwrap();
        let (part, there) = (part.display(), terminal.directory.display());
        let command = format!(
            "env -u CI -u NO_COLOR -u CLICOLOR -u CLICOLOR_FORCE {variables} {PART}='{there}' '{part}' --exact helper_that_runs_in_a_terminal --nocapture; \
             touch '{there}/done'; exec sleep 600"
        );
        // The history limit applies to windows created after it is set.
        let start =
            format!("start-server ; set -g history-limit 20000 ; new-session -d -x {columns} -y {rows}");
        terminal.tmux(&start.split(' ').chain([command.as_str()]).collect::<Vec<_>>());
        Some(terminal)
    }

    fn tmux(&self, arguments: &[&str]) -> String {
        let output: Output = Command::new("tmux")
            .args(["-u", "-f", "/dev/null", "-L", &self.socket])
            .args(arguments)
            .output()
            .unwrap();
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    /// The visible screen.
    pub fn screen(&self) -> String {
        self.tmux(&["capture-pane", "-p"])
    }

    /// The screen and the scrollback, with colours as escape sequences.
    pub fn in_color(&self) -> String {
        self.tmux(&["capture-pane", "-p", "-e", "-S", "-"])
    }

    /// The screen, once it satisfies the condition.
    pub fn wait(&self, what: &str, is_there: impl Fn(&str) -> bool) -> String {
        for _ in 0..400 {
            let screen = self.screen();
            if is_there(&screen) {
                return screen;
            }
            thread::sleep(Duration::from_millis(50));
        }
        panic!("{what} did not come:\n{}", self.screen());
    }

    pub fn resize(&self, columns: u16, rows: u16) {
        self.tmux(&["resize-window", "-x", &columns.to_string(), "-y", &rows.to_string()]);
    }

    pub fn has_cursor(&self) -> bool {
        self.tmux(&["display-message", "-p", "#{cursor_flag}"]).trim() == "1"
    }

    /// Lets the run end. Returns the scrollback and the screen.
    pub fn finish(&self) -> String {
        fs::write(self.directory.join("go"), "").unwrap();
        for _ in 0..400 {
            if self.directory.join("done").exists() {
                return self.tmux(&["capture-pane", "-p", "-J", "-S", "-"]);
            }
            thread::sleep(Duration::from_millis(50));
        }
        panic!("the run did not end:\n{}", self.screen());
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let server = ["-L", &self.socket, "kill-server"];
        let _ = Command::new("tmux").args(server).output();
        let _ = fs::remove_dir_all(&self.directory);
    }
}
