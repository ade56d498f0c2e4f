//! Sentences about labels and snoozes.

use chrono::{DateTime, Utc};
use docket_domain::case::{CaseEvent, CaseLabel, WakeReason};
use docket_domain::label::LabelEvent;

use super::quoted;

pub(super) fn of_case(event: &CaseEvent) -> String {
    match event {
        CaseEvent::LabelsChanged { from, to } => labelled(from, to),
        CaseEvent::CaseSnoozed { from, until } => snoozed(*from, *until),
        CaseEvent::CaseWoken { reason, .. } => woken(*reason).to_owned(),
        // Told elsewhere; a kind that is forgotten here still has its name.
        other => other.type_name().to_owned(),
    }
}

pub(super) fn of_labels(event: &LabelEvent) -> String {
    match event {
        LabelEvent::LabelCreated { name, colour, .. } => {
            format!(
                "The label {} was created, {}",
                quoted(name),
                colour.as_str()
            )
        }
        LabelEvent::LabelChanged {
            from, name, colour, ..
        } if from == name => {
            format!("The label {} is now {}", quoted(name), colour.as_str())
        }
        LabelEvent::LabelChanged {
            from, name, colour, ..
        } => format!(
            "The label {} was renamed to {}, {}",
            quoted(from),
            quoted(name),
            colour.as_str()
        ),
        LabelEvent::LabelDeleted { name, .. } => {
            format!("The label {} was deleted", quoted(name))
        }
    }
}

fn listed<'a>(names: impl Iterator<Item = &'a str>) -> Option<String> {
    let names: Vec<_> = names.map(quoted).collect();
    let (last, first) = names.split_last()?;
    Some(if first.is_empty() {
        format!("The label {last}")
    } else {
        format!("The labels {} and {last}", first.join(", "))
    })
}

fn labelled(from: &[CaseLabel], to: &[CaseLabel]) -> String {
    let added = listed(CaseLabel::names_beside(to, from))
        .map(|labels| format!("{labels} went on the case"));
    let removed = listed(CaseLabel::names_beside(from, to))
        .map(|labels| format!("{labels} came off the case"));
    match (added, removed) {
        (Some(added), Some(removed)) => format!("{added}; {}", lower_first(&removed)),
        (Some(one), None) | (None, Some(one)) => one,
        (None, None) => "The labels of the case changed".to_owned(),
    }
}

fn lower_first(sentence: &str) -> String {
    let mut chars = sentence.chars();
    let first = chars.next().map(char::to_lowercase);
    first.into_iter().flatten().chain(chars).collect()
}

fn snoozed(from: Option<DateTime<Utc>>, until: DateTime<Utc>) -> String {
    let until = time(until);
    match from {
        None => format!("The case was snoozed until {until}"),
        Some(from) => format!(
            "The case was snoozed until {until}, instead of {}",
            time(from)
        ),
    }
}

const fn woken(reason: WakeReason) -> &'static str {
    match reason {
        WakeReason::Due => "The snooze ended: its time had come",
        WakeReason::Message => "The snooze ended: a message came",
        WakeReason::ByHand => "The snooze was ended by hand",
        WakeReason::Closed => "The snooze ended: the case was closed",
    }
}

fn time(at: DateTime<Utc>) -> impl std::fmt::Display {
    at.format("%Y-%m-%d %H:%M UTC")
}

#[cfg(test)]
mod tests {
    use docket_domain::ids::LabelId;
    use uuid::Uuid;

    use super::*;

    fn labels(names: &[&str]) -> Vec<CaseLabel> {
        names
            .iter()
            .map(|name| CaseLabel {
                label_id: LabelId(Uuid::from_u128(u128::from(name.as_bytes()[0]))),
                name: (*name).to_owned(),
            })
            .collect()
    }

    #[test]
    fn a_sentence_tells_which_labels_came_and_went() {
        let of = |from: &[&str], to: &[&str]| labelled(&labels(from), &labels(to));
        assert_eq!(of(&[], &["Urgent"]), "The label “Urgent” went on the case");
        assert_eq!(of(&["Urgent"], &[]), "The label “Urgent” came off the case");
        assert_eq!(
            of(&["Billing", "Urgent"], &["Urgent", "Late", "Refund"]),
            "The labels “Late” and “Refund” went on the case; the label “Billing” came off the case"
        );
    }
}
