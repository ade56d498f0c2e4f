//! What commands say to people: results on standard output, trouble on standard error.

use std::io::Write;

/// Prints a line on standard output. A reader who has gone away is no trouble of ours.
pub fn say(line: &str) {
    let _ = writeln!(std::io::stdout().lock(), "{line}");
}

/// Prints a line on standard error.
pub fn complain(line: &str) {
    let _ = writeln!(std::io::stderr().lock(), "docket: {line}");
}
