//! What the list pane's templates are filled with.

use super::bulk::Bulk;
use super::labels::Marks;
use super::marking::Hit;
use super::pages::{Choice, When};
use super::saved::SavedEntry;
use super::words;

/// A link to another view of the list.
pub(super) struct ViewLink {
    pub(super) name: String,
    pub(super) href: String,
    pub(super) is_current: bool,
    /// How many cases it shows, where that is told; empty otherwise.
    pub(super) count: String,
    /// Whether what it shows should not be there.
    pub(super) is_alarming: bool,
}

/// A row of the list.
pub(super) struct CaseEntry {
    pub(super) href: String,
    pub(super) reference: u32,
    /// Its place in the list: the larger, the further up.
    pub(super) order: i64,
    pub(super) version: u64,
    pub(super) title: Vec<Hit>,
    pub(super) number: Vec<Hit>,
    /// What the contact is called.
    pub(super) name: Option<Vec<Hit>>,
    /// The beginnings of that name; empty where it is not known.
    pub(super) initials: String,
    /// Which of the colours of avatars, from 0.
    pub(super) colour: u8,
    pub(super) channel: &'static str,
    pub(super) channel_icon: &'static str,
    /// The survey, where the list can show several.
    pub(super) survey: String,
    pub(super) status: String,
    /// `new`, `going` or `closed`.
    pub(super) tone: &'static str,
    /// The last message, or what a search found in another.
    pub(super) last: Vec<Hit>,
    /// What stands before it: that we said it, or that it is a note; empty otherwise.
    pub(super) lead: &'static str,
    /// How many messages are new; empty where none is.
    pub(super) unread: String,
    /// For how long the contact waits; empty where they do not.
    pub(super) waits: String,
    /// Whether the last reply failed.
    pub(super) has_failed: bool,
    pub(super) assignee: Option<String>,
    pub(super) assignee_initials: String,
    pub(super) when: When,
    pub(super) marks: Marks,
    pub(super) is_current: bool,
    /// That the contact opted out, or may want to; empty where neither is so.
    pub(super) opt_out: &'static str,
}

impl CaseEntry {
    /// Whether messages can reach the case no more.
    pub(super) fn is_closed(&self) -> bool {
        self.tone == "closed"
    }
}

/// The fields of the filters.
pub(super) struct Filters {
    pub(super) surveys: Vec<Choice>,
    pub(super) statuses: Vec<Choice>,
    pub(super) people: Vec<Choice>,
    pub(super) lines: Vec<Choice>,
    pub(super) channels: Vec<Choice>,
    pub(super) labels: Vec<Choice>,
    pub(super) since: String,
    pub(super) until: String,
    pub(super) by_waiting: bool,
    /// Whether the view has its own assignee.
    pub(super) is_of_one: bool,
    /// How many filters are set.
    pub(super) set: usize,
    /// Where the same view without them is.
    pub(super) none: String,
}

/// What is said where there is nothing, and where there would be something.
pub(super) struct Nothing {
    pub(super) sentence: String,
    /// What stands between the sentence and each link.
    pub(super) joint: &'static str,
    /// Addresses, and what they are called.
    pub(super) links: Vec<(String, String)>,
}

/// A view that was not kept, as it was typed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Unkept {
    pub(super) name: String,
    pub(super) shared: bool,
    /// Why it was not.
    pub(super) refusal: String,
}

/// The list pane.
pub(super) struct List {
    pub(super) views: Vec<ViewLink>,
    pub(super) filters: Filters,
    pub(super) view: &'static str,
    pub(super) q: String,
    pub(super) heading: &'static str,
    pub(super) entries: Vec<CaseEntry>,
    pub(super) nothing: Option<Nothing>,
    pub(super) older: Option<String>,
    pub(super) newest: Option<String>,
    /// The views that people keep.
    pub(super) saved: Vec<SavedEntry>,
    /// The list as it is, to be kept under a name; empty where there is nothing to keep.
    pub(super) query: String,
    /// What was typed into the form that keeps it, where it was refused.
    pub(super) unkept: Option<Unkept>,
    /// Where the phone of a demonstration is, where the card of first steps is shown.
    pub(super) first_steps: Option<String>,
    /// What can be done with several cases; nothing where the person only looks.
    pub(super) bulk: Option<Bulk>,
    /// What was just done with several.
    pub(super) notice: String,
    /// Which cases of it can be set back, as the form for several names them.
    pub(super) undo: Vec<String>,
}

/// The beginnings of the first and the last word of a name, or of an address before its `@`.
pub(super) fn initials(name: &str) -> String {
    let name = name.split('@').next().unwrap_or_default();
    let words = || {
        name.split(|c: char| c.is_whitespace() || matches!(c, '.' | '_' | '-' | '+'))
            .filter_map(|word| word.chars().find(|c| c.is_alphanumeric()))
    };
    let first = words().next();
    let last = words().skip(1).last();
    first
        .into_iter()
        .chain(last)
        .flat_map(char::to_uppercase)
        .collect()
}

/// Which colour somebody's avatar has: the same for ever.
pub(super) fn colour(of: &str) -> u8 {
    let sum = of
        .bytes()
        .fold(0_u8, |sum, byte| sum.wrapping_mul(31).wrapping_add(byte));
    sum % 6
}

/// For how long, in a word.
pub(super) fn waited(seconds: i64) -> String {
    let (count, unit) = match seconds.max(0) {
        seconds @ 0..3_600 => (seconds / 60, words::MINUTES_SHORT),
        seconds @ 3_600..86_400 => (seconds / 3_600, words::HOURS_SHORT),
        seconds => (seconds / 86_400, words::DAYS_SHORT),
    };
    format!("{count} {unit}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn initials_are_of_the_first_and_the_last_word() {
        for (name, expected) in [
            ("Amira Haddad", "AH"),
            ("Ben", "B"),
            ("ana maria da silva", "AS"),
            ("first.last@example.com", "FL"),
            ("agent@example.com", "A"),
            ("عائشة", "ع"),
            ("👍 Rosa", "R"),
            ("", ""),
            ("@", ""),
        ] {
            assert_eq!(initials(name), expected, "{name}");
        }
    }

    #[test]
    fn a_wait_is_said_in_its_largest_unit() {
        assert_eq!(waited(-5), "0 min");
        assert_eq!(waited(59 * 60), "59 min");
        assert_eq!(waited(3_600), "1 h");
        assert_eq!(waited(3 * 86_400 + 5), "3 d");
    }
}
