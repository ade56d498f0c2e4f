//! The report of a run: the table first, then the figures behind it, and what it ran on. It is Markdown, and its lines are those
//! of `docs/performance.md`.

use std::fmt::{self, Display, Formatter};
use std::path::Path;

use anyhow::Context as _;

use crate::desk::Correctness;
use crate::machine::Description;
use crate::table::{Figures, Row, Table};

/// Where the report stands in the documentation.
const DOCUMENT: &str = "docs/performance.md";
const BEGIN: &str = "<!-- Written by `make bench`: begin -->";
const END: &str = "<!-- Written by `make bench`: end -->";

/// Everything that is told of a run.
#[derive(Default)]
pub(crate) struct Report {
    /// What it ran on.
    pub(crate) machine: Description,
    rows: Vec<Row>,
    details: Vec<Details>,
    correctness: Vec<(String, Correctness)>,
    peak_mb: Option<f64>,
    /// The machine's load at the end.
    pub(crate) load_after: String,
    /// What was left out, and why.
    pub(crate) remarks: Vec<String>,
}

/// Figures behind the table.
struct Details {
    title: String,
    figures: Figures,
}

impl Report {
    /// Adds a number.
    pub(crate) fn row(&mut self, row: Row) {
        crate::progress(&row.to_string());
        self.rows.push(row);
    }

    /// Adds figures behind the table.
    pub(crate) fn details(&mut self, title: &str, figures: Figures) {
        self.details.push(Details {
            title: title.to_owned(),
            figures,
        });
    }

    /// Adds what was accepted and what is there.
    pub(crate) fn correctness(&mut self, of: &str, correctness: Correctness) {
        self.correctness.push((of.to_owned(), correctness));
    }

    /// Adds the most memory that a process had.
    pub(crate) fn memory(&mut self, peak_mb: Option<f64>) {
        self.peak_mb = self.peak_mb.into_iter().chain(peak_mb).reduce(f64::max);
    }

    /// The most memory that any process of Docket had.
    pub(crate) const fn peak_mb(&self) -> Option<f64> {
        self.peak_mb
    }

    /// Whether everything that was accepted is in the database, once. A missed aim is no fault; this is.
    pub(crate) fn is_correct(&self) -> bool {
        self.correctness
            .iter()
            .all(|(_, correctness)| correctness.holds())
    }

    /// Writes the report into the documentation of the project in `folder`.
    pub(crate) fn write_into(&self, folder: &Path) -> anyhow::Result<()> {
        let path = folder.join(DOCUMENT);
        let document = std::fs::read_to_string(&path)
            .with_context(|| format!("{} cannot be read", path.display()))?;
        let document = replaced(&document, &self.to_string())
            .with_context(|| format!("{DOCUMENT} has no lines {BEGIN} and {END}"))?;
        std::fs::write(&path, document)
            .with_context(|| format!("{} cannot be written", path.display()))
    }
}

/// The document with another text between its marks.
fn replaced(document: &str, text: &str) -> Option<String> {
    let (before, rest) = document.split_once(BEGIN)?;
    let (_, after) = rest.split_once(END)?;
    Some(format!(
        "{before}{BEGIN}\n\n{}\n\n{END}{after}",
        text.trim()
    ))
}

impl Display for Report {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", Table(&self.rows))?;
        for remark in &self.remarks {
            writeln!(f, "{remark}\n")?;
        }
        for Details { title, figures } in &self.details {
            writeln!(f, "### {title}\n\n{figures}")?;
        }
        writeln!(f, "### Nothing lost, nothing doubled\n")?;
        writeln!(
            f,
            "| load | webhooks accepted | refused or unanswered | messages in the log | events | positions | |\n|---|--:|--:|--:|--:|--:|---|"
        )?;
        for (of, correctness) in &self.correctness {
            let Correctness {
                accepted,
                unsure,
                received,
                events,
                positions: (first, last),
            } = correctness;
            let verdict = if correctness.holds() {
                "right"
            } else {
                "**WRONG**"
            };
            writeln!(
                f,
                "| {of} | {accepted} | {unsure} | {received} | {events} | {first} to {last} | {verdict} |"
            )?;
        }
        writeln!(f, "\n### What it ran on\n\n| | |\n|---|---|")?;
        for (what, which) in &self.machine {
            writeln!(f, "| {what} | {which} |")?;
        }
        writeln!(f, "| load after | {} |", self.load_after)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::Aim;

    fn report() -> Report {
        let mut report = Report {
            machine: vec![("processor", "Abacus".to_owned())],
            ..Report::default()
        };
        report.row(Row::ratio("speed", Aim::AtLeast(2.0), Some(1.0)));
        report.details("Windows", Figures::default());
        report.correctness(
            "few",
            Correctness {
                accepted: 7,
                unsure: 0,
                received: 7,
                events: 10,
                positions: (1, 10),
            },
        );
        report
    }

    #[test]
    fn the_table_stands_first_and_the_machine_last() {
        let text = report().to_string();

        let places: Vec<_> = [
            "| speed |",
            "### Windows",
            "| few | 7 |",
            "| processor | Abacus |",
        ]
        .map(|part| text.find(part))
        .into();
        assert!(places.iter().all(Option::is_some), "{text}");
        assert!(places.is_sorted(), "{text}");
    }

    #[test]
    fn a_lost_message_is_cried_out() {
        let mut report = report();
        assert!(report.is_correct());

        report.correctness(
            "other",
            Correctness {
                accepted: 8,
                unsure: 0,
                received: 7,
                events: 10,
                positions: (1, 10),
            },
        );

        assert!(!report.is_correct());
        assert!(report.to_string().contains("**WRONG**"));
    }

    #[test]
    fn the_largest_process_counts() {
        let mut report = Report::default();
        assert_eq!(report.peak_mb(), None);
        for peak in [Some(80.0), None, Some(95.0), Some(60.0)] {
            report.memory(peak);
        }

        assert_eq!(report.peak_mb(), Some(95.0));
    }

    #[test]
    fn the_document_keeps_what_stands_around_the_report() {
        let document = format!("# Title\n\n{BEGIN}\nold\n{END}\n\nprose\n");

        assert_eq!(
            replaced(&document, "new\n").unwrap(),
            format!("# Title\n\n{BEGIN}\n\nnew\n\n{END}\n\nprose\n")
        );
        assert_eq!(replaced("# Title\n", "new"), None);
    }

    #[test]
    fn the_document_of_this_project_has_a_place_for_the_report() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("..")
            .join(DOCUMENT);
        let document = std::fs::read_to_string(path).unwrap();

        assert!(replaced(&document, "new").is_some());
    }
}
