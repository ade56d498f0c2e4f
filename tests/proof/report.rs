//! Numbers of a run, and the sizes that the environment gives.

use std::fmt::{Display, Write as _};
use std::str::FromStr;

/// The variable that names the page whose tables take the numbers of a run.
const REPORT_VARIABLE: &str = "PROOF_REPORT";

/// A size from the environment, else `short`.
pub(crate) fn size<T: FromStr>(variable: &str, short: T) -> T {
    match std::env::var(variable) {
        Ok(given) => given
            .parse()
            .unwrap_or_else(|_| panic!("{variable} must be a number, not {given:?}")),
        Err(_) => short,
    }
}

/// The machine: processors and their kind.
pub(crate) fn machine() -> String {
    let model = std::fs::read_to_string("/proc/cpuinfo")
        .unwrap_or_default()
        .lines()
        .find_map(|line| {
            line.strip_prefix("model name")?
                .split_once(": ")
                .map(|(_, name)| name.to_owned())
        });
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    format!(
        "{processors} × {}",
        model.unwrap_or_else(|| "unknown".to_owned())
    )
}

/// Prints the rows of a table, and puts them between the marks `name` of the page that the environment names, if it names one.
pub(crate) fn publish(name: &str, head: [&str; 2], rows: &[(&str, &dyn Display)]) {
    let mut table = format!("| {} | {} |\n|---|--:|\n", head[0], head[1]);
    for (what, value) in rows {
        let _ = writeln!(table, "| {what} | {value} |");
    }
    println!("{table}");
    let Some(page) = std::env::var_os(REPORT_VARIABLE) else {
        return;
    };
    let text = std::fs::read_to_string(&page).expect("the page of the report can be read");
    let (begin, end) = (
        format!("<!-- {name}: begin -->\n"),
        format!("<!-- {name}: end -->"),
    );
    let (before, rest) = text.split_once(&begin).expect("the page has the mark");
    let (_, after) = rest
        .split_once(&end)
        .expect("the page has the mark of the end");
    let text = format!("{before}{begin}{table}{end}{after}");
    std::fs::write(&page, text).expect("the page of the report can be written");
}
