//! Who is mentioned in a note: `@` and what somebody is called.

use std::collections::BTreeSet;

use crate::ids::UserId;
use crate::text::normalise;

/// At most so many people are mentioned in one note.
pub const MAX_MENTIONS: usize = 50;

/// Somebody who can be mentioned.
#[derive(Clone, Debug)]
pub struct Person {
    /// Who.
    pub user_id: UserId,
    /// Their address; what stands before its `@` mentions them too.
    pub email: String,
    /// What colleagues call them; the first word of it mentions them too.
    pub name: Option<String>,
}

impl Person {
    fn handles(&self) -> impl Iterator<Item = String> {
        let local = self.email.split('@').next().map(str::to_owned);
        let first = self.name.as_deref().and_then(|name| name.split(' ').next());
        [
            Some(self.email.clone()),
            local,
            self.name.clone(),
            first.map(str::to_owned),
        ]
        .into_iter()
        .flatten()
        .map(|handle| folded(&handle))
        .filter(|handle| !handle.is_empty())
    }
}

fn folded(text: &str) -> String {
    normalise::typed(text).to_lowercase()
}

/// Those whom the text mentions, each once, ordered. Of the names that stand behind an `@` the longest counts, in any case; where
/// several people share it, all of them are meant. An `@` within a word, as in an address, mentions nobody.
pub fn find(text: &str, people: &[Person]) -> Vec<UserId> {
    let text = folded(text);
    let mut found = BTreeSet::new();
    for (at, _) in text.match_indices('@') {
        let is_within = text[..at]
            .chars()
            .next_back()
            .is_some_and(char::is_alphanumeric);
        if is_within {
            continue;
        }
        let rest = &text[at + 1..];
        let stands_here = |handle: &str| {
            rest.strip_prefix(handle)
                .is_some_and(|after| !after.starts_with(char::is_alphanumeric))
        };
        let mut longest = 0;
        let mut meant = vec![];
        for person in people {
            let handles = person.handles().filter(|handle| stands_here(handle));
            let Some(length) = handles.map(|handle| handle.len()).max() else {
                continue;
            };
            if length > longest {
                longest = length;
                meant.clear();
            }
            if length == longest {
                meant.push(person.user_id);
            }
        }
        found.extend(meant);
    }
    found.into_iter().take(MAX_MENTIONS).collect()
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn person(id: u128, email: &str, name: Option<&str>) -> Person {
        Person {
            user_id: UserId(Uuid::from_u128(id)),
            email: email.to_owned(),
            name: name.map(str::to_owned),
        }
    }

    #[test]
    fn people_are_mentioned_by_name_and_by_address() {
        let people = [
            person(1, "ada@example.com", Some("Ada Lovelace")),
            person(2, "grace.hopper@example.com", Some("Grace Hopper")),
            person(3, "agent@example.com", None),
            person(4, "ada.byron@example.com", Some("Ada Byron")),
            person(5, "zoe@example.com", Some("Zo\u{eb}")),
        ];
        for (text, ids) in [
            ("@Ada Lovelace, please look", &[1][..]),
            ("ask @ada lovelace", &[1]),
            ("(@Grace)", &[2]),
            ("@grace.hopper@example.com knows", &[2]),
            ("@agent and @Grace Hopper: @agent again", &[2, 3]),
            // Two people are called so.
            ("@Ada", &[1, 4]),
            ("@ada@example.com", &[1]),
            ("@Zoe\u{308}!", &[5]),
            ("write to agent@example.com", &[]),
            ("@agents", &[]),
            ("@nobody", &[]),
            ("@", &[]),
        ] {
            let expected: Vec<_> = ids.iter().map(|id| UserId(Uuid::from_u128(*id))).collect();
            assert_eq!(find(text, &people), expected, "{text}");
        }
    }
}
