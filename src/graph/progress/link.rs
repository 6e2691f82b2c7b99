//! The place of a file as a link.

use std::fmt::Write as _;
use std::path::Path;

use crate::graph::escape;

/// The path; for a terminal as a [hyperlink], which most terminals follow and the others ignore.
///
/// [hyperlink]: https://gist.github.com/egmontkob/eb114294efbcd5adb1944c9f3cb5feda
pub(super) fn link(path: &Path, is_terminal: bool) -> String {
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let shown = escape::line(&absolute.to_string_lossy());
    match is_terminal {
        true => format!("\u{1b}]8;;{}\u{1b}\\{shown}\u{1b}]8;;\u{1b}\\", url(&absolute)),
        false => shown,
    }
}

/// A `file:` URL. All but the unreserved characters of RFC 3986 and slashes are percent-encoded.
fn url(path: &Path) -> String {
    let mut url = "file://".to_owned();
    for byte in path.as_os_str().as_encoded_bytes() {
        match byte {
            b'/' | b'-' | b'.' | b'_' | b'~' => url.push(char::from(*byte)),
            byte if byte.is_ascii_alphanumeric() => url.push(char::from(*byte)),
            byte => {
                let _ = write!(url, "%{byte:02X}");
            }
        }
    }
    url
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_is_a_url_in_a_terminal_and_a_path_elsewhere() {
        let path = Path::new("/tmp/a b/\u{1b}]8;;x/ü.html");
        let shown = r"/tmp/a b/\u{1b}]8;;x/ü.html";
        assert_eq!(link(path, false), shown);
        let url = "file:///tmp/a%20b/%1B%5D8%3B%3Bx/%C3%BC.html";
        assert_eq!(link(path, true), format!("\x1b]8;;{url}\x1b\\{shown}\x1b]8;;\x1b\\"));
    }
}
