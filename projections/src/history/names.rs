//! What people are called today, in place of the addresses that events know them by.

use docket_domain::case::{Assignee, Author, CaseEvent};
use docket_domain::event::Event;

use crate::log::recorded::{Actor, Recorded};

/// The same event with people's names in place of their addresses, for its words; `name` gives the name of an address. What says
/// whose account it is, such as `UserAdded` and `SignedIn`, keeps the address.
#[must_use]
pub fn with_names(mut recorded: Recorded, name: impl Fn(&str) -> Option<String>) -> Recorded {
    if let Actor::User { email, .. } = &mut recorded.metadata.actor
        && let Some(name) = name(email)
    {
        *email = name;
    }
    if let Event::Case(event) = &mut recorded.event {
        match event {
            CaseEvent::NoteAdded { author, .. } => name_author(author, &name),
            CaseEvent::MessageQueued(message) => name_author(&mut message.author, &name),
            CaseEvent::MessageRequeued { message, .. } => name_author(&mut message.author, &name),
            CaseEvent::AssigneeChanged { from, to } => {
                for assignee in [from, to].into_iter().flatten() {
                    name_assignee(assignee, &name);
                }
            }
            _ => {}
        }
    }
    recorded
}

fn name_author(author: &mut Author, name: impl Fn(&str) -> Option<String>) {
    if let Author::User { email, .. } = author
        && let Some(name) = name(email)
    {
        *email = name.into();
    }
}

fn name_assignee(assignee: &mut Assignee, name: impl Fn(&str) -> Option<String>) {
    if let Some(name) = name(&assignee.email) {
        assignee.email = name.into();
    }
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;
    use docket_domain::event::StreamId;
    use docket_domain::ids::{Reference, UserId};
    use uuid::Uuid;

    use super::*;
    use crate::history::{describe, who};
    use crate::log::recorded::{Metadata, Via};

    #[test]
    fn the_words_of_an_event_name_people_as_they_are_called_today() {
        let assignee = |email: &str| Assignee {
            user_id: UserId(Uuid::nil()),
            email: email.into(),
        };
        let recorded = Recorded {
            stream: StreamId::Case(Reference::FIRST),
            sequence: 2,
            event: Event::Case(CaseEvent::AssigneeChanged {
                from: Some(assignee("other@example.com")),
                to: Some(assignee("ada@example.com")),
            }),
            metadata: Metadata::of(
                Actor::User {
                    user_id: UserId(Uuid::nil()),
                    email: "ada@example.com".to_owned(),
                },
                Via::Api,
            ),
            recorded_at: DateTime::UNIX_EPOCH,
        };
        let name = |email: &str| (email == "ada@example.com").then(|| "Ada Lovelace".to_owned());
        let named = with_names(recorded, name);
        assert_eq!(who(&named).to_string(), "Ada Lovelace");
        let words = describe(&named);
        assert!(
            words.contains("Ada Lovelace") && words.contains("other@example.com"),
            "{words}"
        );
    }
}
