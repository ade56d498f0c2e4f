//! Labels and snoozes in the console: words, chips, and the choices of a form.

use docket_domain::case::WakeReason;

/// What a thread says of labels that went on a case or came off it.
pub(super) fn labelled(who: &str, added: &[String], removed: &[String]) -> String {
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
pub(super) fn snoozed(who: &str, until: &str) -> String {
    format!("{who} snoozed the case until {until}")
}

/// What a thread says of the end of a snooze.
pub(super) fn woken(who: &str, reason: WakeReason) -> String {
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
