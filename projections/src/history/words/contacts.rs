//! What is recorded about contacts, in words.

use docket_domain::channel::Channel;
use docket_domain::contact::profile::{ContactEvent, OptOutCause, OptOutChange};
use docket_domain::personal::Personal;

use super::{channel_name, lower, quoted};

pub(super) fn of_contact(event: &ContactEvent) -> String {
    match event {
        ContactEvent::ContactAdded { number, .. } => {
            format!("The contact {} was added", number.0)
        }
        ContactEvent::ContactRenamed { from, to } => renamed(from.as_ref(), to.as_ref()),
        ContactEvent::ContactNoted { note: Some(note) } => {
            format!("The note about the contact is now {}", quoted(note))
        }
        ContactEvent::ContactNoted { note: None } => {
            "The note about the contact was removed".to_owned()
        }
        ContactEvent::OptOutSuspected {
            channel,
            message_id,
        } => format!(
            "The contact may want to opt out of {}: {} begins with such a word",
            channel_name(*channel),
            lower(*message_id)
        ),
        ContactEvent::ContactOptedOut { .. } | ContactEvent::ContactOptedIn { .. } => event
            .opt_out_change()
            .map_or_else(String::new, |change| opt_out(&change)),
    }
}

fn renamed(from: Option<&Personal<String>>, to: Option<&Personal<String>>) -> String {
    match (from, to) {
        (None, Some(to)) => format!("The contact was named {}", quoted(to)),
        (Some(from), Some(to)) => format!(
            "The contact's name changed from {} to {}",
            quoted(from),
            quoted(to)
        ),
        (Some(from), None) => format!("The contact's name {} was removed", quoted(from)),
        (None, None) => "The contact has no name".to_owned(),
    }
}

pub(super) fn opt_out(change: &OptOutChange) -> String {
    let channel: Channel = change.channel;
    let channel = channel_name(channel);
    let what = if change.opted_out {
        format!("The contact opted out of {channel}: nothing is sent to them by {channel} any more")
    } else {
        format!("Messages by {channel} may be sent to the contact again")
    };
    let cause = match change.cause {
        OptOutCause::Message { message_id } => format!("; {} says so", lower(message_id)),
        OptOutCause::Person => "; set by hand".to_owned(),
        OptOutCause::Vonage { code } => {
            format!("; Vonage refused a message to them with the code {code}")
        }
    };
    let reason = change.reason.as_ref().map_or_else(String::new, |reason| {
        format!("; reason: {}", quoted(reason))
    });
    format!("{what}{cause}{reason}")
}
