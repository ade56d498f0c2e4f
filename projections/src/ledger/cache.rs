//! The cache of cases, bounded by the memory that they take.

use docket_domain::case::{Body, Message};
use docket_domain::content::{Content, Media};
use docket_domain::ids::Reference;
use quick_cache::Weighter;
use quick_cache::sync::Cache;

use super::scope::{Aggregate, Entry};

/// About so many bytes an aggregate takes in memory, and a message beside what it says.
const ENTRY_BYTES: usize = 1_024;
const MESSAGE_BYTES: usize = 768;
/// So many times as much as its text a JSON value can take in memory.
const JSON_BYTES: usize = 8;

/// Cases as they were after their last commit, or before: whoever takes one compares its version with the database.
pub(super) struct CaseCache(Cache<Reference, Entry, ByMemory>);

impl CaseCache {
    pub(super) fn new(bytes: u64) -> Self {
        let expected = usize::try_from(bytes / 2_048).unwrap_or(1_024);
        Self(Cache::with_weighter(expected, bytes, ByMemory))
    }

    pub(super) fn take(&self, reference: Reference) -> Option<Entry> {
        self.0.remove(&reference).map(|(_, entry)| entry)
    }

    pub(super) fn put(&self, reference: Reference, entry: Entry) {
        self.0.insert(reference, entry);
    }
}

fn media_bytes(media: &Media) -> usize {
    let names = media.name.iter().chain(&media.caption);
    let more = media.more.len() * MESSAGE_BYTES;
    media.url.len() + names.map(String::len).sum::<usize>() + more
}

#[derive(Clone)]
struct ByMemory;

impl Weighter<Reference, Entry> for ByMemory {
    fn weight(&self, _: &Reference, entry: &Entry) -> u64 {
        let messages = match &entry.aggregate {
            Aggregate::Case(case) => case.state().map_or(0, |state| {
                let moved_out = state.moved_out.values().map(|moved| &moved.message);
                state.messages.values().chain(moved_out).map(bytes).sum()
            }),
            _ => 0,
        };
        (ENTRY_BYTES + messages) as u64
    }
}

/// About how much memory a message takes.
fn bytes(message: &Message) -> usize {
    let said = match &message.body {
        Body::Inbound(message) => match &message.content.0 {
            Content::Text { text } => text.len(),
            Content::Image(media)
            | Content::Audio(media)
            | Content::Video(media)
            | Content::File(media)
            | Content::Sticker(media) => media_bytes(media),
            content => {
                JSON_BYTES * serde_json::to_string(content).map_or(0, |content| content.len())
            }
        },
        Body::Outbound { message, .. } => message.text.len() + message.sent_text.len(),
    };
    MESSAGE_BYTES + said
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, Utc};
    use docket_domain::case::{Case, CaseEvent, InboundMessage, Opened, Origin};
    use docket_domain::channel::Channel;
    use docket_domain::ids::{ContactId, LineId, MessageId, SurveyId};
    use docket_domain::personal::Personal;
    use docket_domain::routing::{Routed, Rule};
    use uuid::Uuid;

    use super::*;

    const CHARS: usize = 4_000;

    /// A case in which somebody said that.
    fn said(reference: u32, content: Content) -> (Reference, Entry) {
        let (reference, line_id) = (Reference::new(reference).unwrap(), LineId(Uuid::nil()));
        let number = Personal("447700900123".to_owned());
        let opened = Opened {
            reference,
            contact_id: ContactId(Uuid::nil()),
            number: number.clone(),
            survey_id: SurveyId(Uuid::nil()),
            line_id,
            channel: Channel::Whatsapp,
            title: Personal("Hello".to_owned()),
            status: None,
            origin: Origin::Message,
            follows: None,
        };
        let message = InboundMessage {
            message_id: MessageId(Uuid::nil()),
            line_id,
            channel: Channel::Whatsapp,
            from: number,
            content: Personal(content),
            provider_id: "one".to_owned(),
            at: DateTime::<Utc>::UNIX_EPOCH,
            at_is_arrival: false,
            quotes: None,
            profile_name: None,
        };
        let routed = Routed::new(Rule::First, vec![]);
        let mut case = Case::default();
        case.evolve(&CaseEvent::CaseOpened(opened));
        case.evolve(&CaseEvent::MessageReceived { message, routed });
        let entry = Entry {
            aggregate: Aggregate::Case(Box::new(case)),
            last_recorded_at: DateTime::UNIX_EPOCH,
        };
        (reference, entry)
    }

    #[test]
    fn long_messages_take_the_room_of_many_short_ones() {
        let capacity = 100 * CHARS;
        let text = "x".repeat(CHARS);
        for content in [
            Content::Text { text: text.clone() },
            Content::Order {
                order: serde_json::Value::String(text),
            },
        ] {
            let cache = CaseCache::new(capacity as u64);
            let kept = |cases: std::ops::Range<u32>| {
                cases
                    .filter_map(Reference::new)
                    .filter(|reference| cache.take(*reference).is_some())
                    .count()
            };
            for number in 101..301 {
                let (reference, entry) = said(number, content.clone());
                cache.put(reference, entry);
            }
            let kept = kept(101..301);
            assert!((1..=capacity / CHARS).contains(&kept), "{kept}");
        }
    }
}
