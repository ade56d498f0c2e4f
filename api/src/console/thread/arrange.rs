//! How the items of a thread stand together: what one person says within three minutes has one line about it, each day begins with
//! its date, and runs of changes are folded.
//!
//! The script arranges again what came by itself, by the reader's own days: `arrange` in `case.js` is this file said once more. A
//! change of one is a change of the other.

use chrono::{DateTime, TimeDelta, Utc};

use super::super::pages::{Body, Day, Item, Run};
use super::super::words;
use crate::people;

/// What one person says within this time stands together.
const TOGETHER: TimeDelta = TimeDelta::minutes(3);
/// So many changes one after another are folded.
const MANY: usize = 3;

/// Arranges items that stand one after another.
pub(in super::super) fn arrange(items: &mut [Item], now: DateTime<Utc>) {
    let mut day = None;
    for item in items.iter_mut() {
        let date = people::local(item.at).date_naive();
        if day != Some(date) {
            item.day = Some(Day {
                iso: item.at.to_rfc3339(),
                text: words::day(date, people::local(now).date_naive()),
            });
        }
        day = Some(date);
    }
    for at in 1..items.len() {
        let (before, rest) = items.split_at_mut(at);
        let (Some(before), Some(item)) = (before.last_mut(), rest.first_mut()) else {
            continue;
        };
        let is_together = !item.by.is_empty()
            && item.by == before.by
            && item.day.is_none()
            && !item.begins_new
            && (item.at - before.at).abs() <= TOGETHER;
        item.continues = is_together;
        before.leads = is_together;
    }
    let mut first = 0;
    while first < items.len() {
        let is_marker = |item: &Item| matches!(item.body, Body::Marker { .. });
        let goes_on = |item: &&Item| is_marker(item) && item.day.is_none() && !item.begins_new;
        if !is_marker(&items[first]) {
            first += 1;
            continue;
        }
        let more = items[first + 1..].iter().take_while(goes_on).count();
        let count = 1 + more;
        if count >= MANY {
            items[first].run = Some(Run {
                id: format!("run-{}", items[first].id),
                sentence: words::folded(count),
            });
            items[first + more].ends_run = true;
        }
        first += count;
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeZone as _;

    use super::super::super::pages::When;
    use super::*;

    /// An item of a person, or a change where nobody says anything, so many seconds after noon.
    fn item(number: u32, by: &str, seconds: i64) -> Item {
        let noon = Utc.with_ymd_and_hms(2026, 3, 1, 12, 0, 0).unwrap();
        let at = noon + TimeDelta::seconds(seconds);
        let body = if by.is_empty() {
            Body::Marker {
                icon: "dot",
                sentence: vec![],
                comment: None,
            }
        } else {
            Body::Note(vec![])
        };
        Item {
            id: format!("i{number}-0"),
            by: by.to_owned(),
            ..Item::new(String::new(), at, When::of(at, noon), body)
        }
    }

    fn arranged(mut items: Vec<Item>) -> Vec<Item> {
        let now = Utc.with_ymd_and_hms(2026, 3, 2, 9, 0, 0).unwrap();
        arrange(&mut items, now);
        items
    }

    #[test]
    fn what_one_person_says_within_three_minutes_stands_together() {
        let items = arranged(vec![
            item(1, "a", 0),
            item(2, "a", 180),
            item(3, "a", 361),
            item(4, "b", 362),
            item(5, "", 363),
            item(6, "b", 364),
        ]);
        let continues: Vec<bool> = items.iter().map(|item| item.continues).collect();
        let leads: Vec<bool> = items.iter().map(|item| item.leads).collect();
        assert_eq!(continues, [false, true, false, false, false, false]);
        assert_eq!(leads, [true, false, false, false, false, false]);
    }

    #[test]
    fn what_is_new_begins_a_group() {
        let new = Item {
            begins_new: true,
            ..item(2, "a", 10)
        };
        let items = arranged(vec![item(1, "a", 0), new]);
        assert!(!items[1].continues && !items[0].leads);
    }

    #[test]
    fn each_day_begins_with_its_date() {
        let items = arranged(vec![
            item(1, "a", -86_400),
            item(2, "a", 43_199),
            item(3, "a", 43_200),
        ]);
        let days: Vec<Option<&str>> = items
            .iter()
            .map(|item| item.day.as_ref().map(|day| day.text.as_str()))
            .collect();
        assert_eq!(
            days,
            [
                Some("Saturday 28 February"),
                Some("Yesterday"),
                Some("Today")
            ]
        );
        assert!(!items[2].continues, "a day begins a group");
    }

    #[test]
    fn three_changes_and_more_are_folded() {
        let items = arranged(vec![
            item(1, "", 0),
            item(2, "", 1),
            item(3, "a", 2),
            item(4, "", 3),
            item(5, "", 4),
            item(6, "", 5),
            item(7, "", 6),
        ]);
        let runs: Vec<Option<&str>> = items
            .iter()
            .map(|item| item.run.as_ref().map(|run| run.sentence.as_str()))
            .collect();
        assert_eq!(
            runs,
            [None, None, None, Some("4 changes"), None, None, None]
        );
        let ends: Vec<usize> = (0..items.len()).filter(|at| items[*at].ends_run).collect();
        assert_eq!(ends, [6]);
    }
}
