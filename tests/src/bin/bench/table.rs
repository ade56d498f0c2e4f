//! The table of a run: each number, its aim, and whether it was reached.

use std::fmt::{self, Display, Formatter};

/// What a number should be.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Aim {
    /// This or more.
    AtLeast(f64),
    /// This or less.
    AtMost(f64),
    /// Less than this.
    Below(f64),
    /// Nothing in particular: the number explains others.
    None,
}

impl Aim {
    fn is_met(self, value: f64) -> bool {
        match self {
            Self::AtLeast(aim) => value >= aim,
            Self::AtMost(aim) => value <= aim,
            Self::Below(aim) => value < aim,
            Self::None => true,
        }
    }
}

/// A number of a run.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    what: String,
    aim: Aim,
    /// `None` where it could not be measured.
    reached: Option<f64>,
    decimals: usize,
    unit: &'static str,
}

impl Row {
    /// A ratio.
    pub(crate) fn ratio(what: impl Into<String>, aim: Aim, reached: Option<f64>) -> Self {
        Self {
            what: what.into(),
            aim,
            reached,
            decimals: 2,
            unit: "",
        }
    }

    /// A number with a unit.
    pub(crate) fn number(
        what: impl Into<String>,
        aim: Aim,
        reached: Option<f64>,
        decimals: usize,
        unit: &'static str,
    ) -> Self {
        Self {
            what: what.into(),
            aim,
            reached,
            decimals,
            unit,
        }
    }

    fn shown(&self, value: f64) -> String {
        let number = format!("{value:.*}", self.decimals);
        let (whole, fraction) = number.split_once('.').unwrap_or((&number, ""));
        let mut text = thousands(whole);
        if !fraction.is_empty() {
            text = format!("{text}.{fraction}");
        }
        if self.unit.is_empty() {
            text
        } else {
            format!("{text} {}", self.unit)
        }
    }

    /// Whether the aim was reached, in a word. What is shown is compared, so that no row contradicts itself.
    fn verdict(&self) -> &'static str {
        match (self.reached, self.aim) {
            (None, _) => "not measured",
            (Some(_), Aim::None) => "",
            (Some(value), aim) => {
                let scale = 10_f64.powi(i32::try_from(self.decimals).unwrap_or(0));
                if aim.is_met((value * scale).round() / scale) {
                    "met"
                } else {
                    "**missed**"
                }
            }
        }
    }
}

/// Puts a comma between each three digits.
fn thousands(digits: &str) -> String {
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        let left = digits.len() - index;
        if index > 0 && left.is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

impl Display for Row {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let aim = match self.aim {
            Aim::AtLeast(aim) => format!("≥ {}", self.shown(aim)),
            Aim::AtMost(aim) => format!("≤ {}", self.shown(aim)),
            Aim::Below(aim) => format!("< {}", self.shown(aim)),
            Aim::None => "–".to_owned(),
        };
        let reached = self
            .reached
            .map_or_else(|| "–".to_owned(), |value| self.shown(value));
        write!(
            f,
            "| {} | {aim} | {reached} | {} |",
            self.what,
            self.verdict()
        )
    }
}

/// All rows, with their heading.
pub(crate) struct Table<'r>(pub(crate) &'r [Row]);

impl Display for Table<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        writeln!(f, "| | aim | reached | |\n|---|--:|--:|---|")?;
        for row in self.0 {
            writeln!(f, "{row}")?;
        }
        Ok(())
    }
}

/// A number for a table of details; a dash where there is none.
pub(crate) struct Cell(pub(crate) Option<f64>, pub(crate) usize);

impl Display for Cell {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Self(Some(value), decimals) = self else {
            return f.write_str("–");
        };
        write!(f, "{value:.decimals$}")
    }
}

/// Figures behind the table: tables of their own, and what is to be said about them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Figures(String);

impl Figures {
    /// Begins a table: the heading of its first column, which names the rows, and those of the numbers.
    pub(crate) fn heading(&mut self, name: &str, numbers: &[&str]) {
        self.separate();
        self.0.push_str("| ");
        self.0.push_str(name);
        for number in numbers {
            self.0.push_str(" | ");
            self.0.push_str(number);
        }
        self.0.push_str(" |\n|---|");
        self.0.push_str(&"--:|".repeat(numbers.len()));
        self.0.push('\n');
    }

    /// Adds a row to the table.
    pub(crate) fn row(&mut self, name: &str, numbers: &[Cell]) {
        self.0.push_str("| ");
        self.0.push_str(name);
        for number in numbers {
            self.0.push_str(" | ");
            self.0.push_str(&number.to_string());
        }
        self.0.push_str(" |\n");
    }

    /// Adds a paragraph.
    pub(crate) fn note(&mut self, text: &str) {
        self.separate();
        self.0.push_str(text);
        self.0.push('\n');
    }

    fn separate(&mut self) {
        if !self.0.is_empty() {
            self.0.push('\n');
        }
    }
}

impl Display for Figures {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_tables_with_paragraphs_between() {
        let mut figures = Figures::default();
        figures.heading("", &["p50 ms", "p99 ms"]);
        figures.row("webhook", &[Cell(Some(1.25), 1), Cell(None, 0)]);
        figures.note("By turns.");

        assert_eq!(
            figures.to_string(),
            "|  | p50 ms | p99 ms |\n|---|--:|--:|\n| webhook | 1.2 | – |\n\nBy turns.\n"
        );
    }

    #[test]
    fn a_row_tells_its_aim_and_whether_it_was_reached() {
        let row = |aim, reached| Row::ratio("speed", aim, reached).to_string();

        assert_eq!(
            row(Aim::AtLeast(5.0), Some(5.0)),
            "| speed | ≥ 5.00 | 5.00 | met |"
        );
        assert_eq!(
            row(Aim::AtLeast(5.0), Some(4.99)),
            "| speed | ≥ 5.00 | 4.99 | **missed** |"
        );
        assert_eq!(
            row(Aim::AtMost(1.2), Some(1.3)),
            "| speed | ≤ 1.20 | 1.30 | **missed** |"
        );
        assert_eq!(
            row(Aim::Below(1.0), Some(1.0)),
            "| speed | < 1.00 | 1.00 | **missed** |"
        );
        assert_eq!(row(Aim::None, Some(1.0)), "| speed | – | 1.00 |  |");
        assert_eq!(
            row(Aim::AtMost(1.2), None),
            "| speed | ≤ 1.20 | – | not measured |"
        );
    }

    #[test]
    fn the_verdict_is_on_the_number_that_is_shown() {
        assert_eq!(
            Row::ratio("speed", Aim::AtMost(1.2), Some(1.204)).to_string(),
            "| speed | ≤ 1.20 | 1.20 | met |"
        );
        assert_eq!(
            Row::number("refused", Aim::AtMost(0.0), Some(1.0), 0, "").to_string(),
            "| refused | ≤ 0 | 1 | **missed** |"
        );
    }

    #[test]
    fn large_numbers_have_commas_and_units() {
        let row = Row::number(
            "rebuild",
            Aim::AtLeast(50_000.0),
            Some(1_234_567.8),
            0,
            "events/s",
        );

        assert_eq!(
            row.to_string(),
            "| rebuild | ≥ 50,000 events/s | 1,234,568 events/s | met |"
        );
        assert_eq!(thousands("123"), "123");
    }
}
