//! Words about labels, snoozes and messages that move together.

use docket_domain::case::WakeReason;
use docket_domain::label::{LabelColour, LabelError};

macro_rules! words {
    ($($name:ident = $text:literal;)+) => {
        $(pub(in crate::console) const $name: &str = $text;)+
    };
}

words! {
    LABEL = "Label";
    LABELS = "Labels";
    ABOUT = "Labels sort cases by whatever matters to you. Agents put them on cases; lists can be filtered by them.";
    NONE = "There are no labels yet.";
    NONE_YET = "There are no labels yet. An owner creates them in the settings, under Labels.";
    NEW = "New label";
    NAME = "Name";
    NAME_HINT = "Up to 50 characters. No two labels have the same name; upper and lower case make no difference.";
    COLOUR = "Colour";
    CREATE = "Create the label";
    CHANGE = "Change";
    SAVE = "Save";
    DELETE = "Delete the label";
    DELETE_ABOUT = "The label leaves every case and every list. The histories of cases still tell of it.";
    SET_LABELS = "Set labels";
    BULK_ADD = "Add a label";
    BULK_REMOVE = "Remove a label";
    BULK_NO_SUCH_LABEL = "There is no such label (any more). Choose another.";

    REPORT = "Cases by label";
    REPORT_ABOUT = "How many cases have each label today. A case with several labels counts for each.";

    SNOOZE = "Snooze";
    SNOOZE_UNTIL = "Until";
    SNOOZE_AT = "Or until a date and time";
    IN_UTC = "(UTC)";
    SNOOZED_UNTIL = "Snoozed until";
    WAKE = "End the snooze";
    SNOOZE_NO_TIME = "Choose until when, or enter a date and time.";
    HOUR = "In 1 hour";
    TOMORROW = "Tomorrow, 9:00";
    NEXT_WEEK = "Next Monday, 9:00";
}

/// What a colour is called.
pub(in crate::console) const fn colour(colour: LabelColour) -> &'static str {
    match colour {
        LabelColour::Grey => "Grey",
        LabelColour::Red => "Red",
        LabelColour::Orange => "Orange",
        LabelColour::Yellow => "Yellow",
        LabelColour::Green => "Green",
        LabelColour::Teal => "Teal",
        LabelColour::Blue => "Blue",
        LabelColour::Purple => "Purple",
        LabelColour::Pink => "Pink",
    }
}

/// How many cases have a label.
pub(in crate::console) fn cases(open: u64, closed: u64) -> String {
    format!("{open} open, {closed} closed")
}

/// Why a label was not created, changed or deleted.
pub(in crate::console) fn refusal(error: &LabelError) -> String {
    match error {
        LabelError::NotFound => BULK_NO_SUCH_LABEL.to_owned(),
        LabelError::AlreadyCreated => "The label exists already.".to_owned(),
        LabelError::Name => "Enter a name of 1 to 50 characters on one line.".to_owned(),
        LabelError::NameTaken(name) => format!(
            "The label “{name}” has that name already. Upper and lower case make no difference: choose another name."
        ),
        LabelError::TooMany => {
            "There are as many labels as are possible. Delete one that you do not use first."
                .to_owned()
        }
    }
}

/// What a thread says of labels that went on a case or came off it.
pub(in crate::console) fn labelled(who: &str, added: &[String], removed: &[String]) -> String {
    match (listed(added), listed(removed)) {
        (Some(added), Some(removed)) => format!("{who} added {added} and removed {removed}"),
        (Some(added), None) => format!("{who} added {added}"),
        (None, Some(removed)) => format!("{who} removed {removed}"),
        (None, None) => format!("{who} changed the labels"),
    }
}

fn listed(names: &[String]) -> Option<String> {
    let names: Vec<_> = names.iter().map(|name| format!("“{name}”")).collect();
    let (last, first) = names.split_last()?;
    Some(if first.is_empty() {
        format!("the label {last}")
    } else {
        format!("the labels {} and {last}", first.join(", "))
    })
}

/// What a thread says of a snooze.
pub(in crate::console) fn snoozed(who: &str, until: &str) -> String {
    format!("{who} snoozed the case until {until}")
}

/// What a thread says of the end of a snooze.
pub(in crate::console) fn woken(who: &str, reason: WakeReason) -> String {
    match reason {
        WakeReason::Due => "The snooze ended: its time had come".to_owned(),
        WakeReason::Message => "The snooze ended: a message came".to_owned(),
        WakeReason::ByHand => format!("{who} ended the snooze"),
        WakeReason::Closed => "The snooze ended: the case was closed".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_tells_which_labels_came_and_went() {
        let names = |names: &[&str]| -> Vec<String> {
            names.iter().map(|name| (*name).to_owned()).collect()
        };
        assert_eq!(
            labelled("agent@example.com", &names(&["Late", "Urgent"]), &[]),
            "agent@example.com added the labels “Late” and “Urgent”"
        );
        assert_eq!(
            labelled("agent@example.com", &names(&["Late"]), &names(&["Urgent"])),
            "agent@example.com added the label “Late” and removed the label “Urgent”"
        );
    }
}
