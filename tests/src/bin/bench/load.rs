//! The messages: who writes what, in which order, and how Vonage would deliver it.
//!
//! In [`Conversations`], twenty thousand go on at once. Each is one person who writes five messages, the first of which opens a
//! case; then another person takes the place. So one message in five opens a case, however long the run is. One message in twenty
//! comes from one of two thousand others and names the reference of their case. One in four comes by WhatsApp, all others by SMS.
//!
//! [`Regulars`] are few people who go on writing into the one open case that each of them has.

use std::ops::Range;

use docket::ambient;
use docket::vonage::signature::{SignParams, sign};
use docket_domain::channel::Channel;
use uuid::Uuid;

/// The number of ours that everybody writes to; it is a line on both channels.
pub(crate) const LINE: &str = "447700900000";
/// How many messages a conversation has.
pub(crate) const MESSAGES_IN_A_CONVERSATION: u32 = 5;
/// One message in so many names a reference.
const REFERENCE_IN: u64 = 20;
/// One message in so many comes by WhatsApp.
const WHATSAPP_IN: u64 = 4;

/// What people say; 22 to 157 characters.
const TEXTS: [&str; 8] = [
    "Is anybody there today?",
    "Thank you very much, Tuesday at ten suits me well.",
    "Hello, can I have an appointment for my boiler check? Mornings are best for me.",
    "The lift in our house stands still again, it is the third time this month. Who can I ask about it?",
    "Yes please",
    "I am still waiting for my results. Could somebody call me about them this afternoon, after three if possible?",
    "By the way, when are you open on Saturdays, and do I need an appointment?",
    "My neighbour told me that the water will be turned off on Thursday. Is that true, and for how long? I work from home \
     and would have to plan for it.",
];

/// Something that somebody writes.
#[derive(Clone, Debug)]
pub(crate) struct Message {
    /// Who writes.
    pub(crate) from: String,
    /// By which channel.
    pub(crate) channel: Channel,
    /// What.
    pub(crate) text: String,
}

/// Somebody whose case is known.
#[derive(Clone, Debug)]
pub(crate) struct KnownContact {
    /// Their number.
    pub(crate) number: String,
    /// The reference of their case.
    pub(crate) reference: u32,
}

/// The messages, without end.
pub(crate) struct Conversations {
    /// Who takes part, and how much they have said.
    places: Vec<(u32, u32)>,
    next_person: u32,
    known: Vec<KnownContact>,
    draws: Draws,
}

impl Conversations {
    /// Messages of as many people at once as there are in `people`, who have begun, and of those who are known. Whoever comes
    /// later is taken from the end of `people` on.
    pub(crate) fn new(people: Range<u32>, known: Vec<KnownContact>) -> Self {
        Self {
            next_person: people.end,
            // They do not stand at one point of their conversations, and so do not all end at once.
            places: people
                .map(|person| (person, 1 + person % (MESSAGES_IN_A_CONVERSATION - 1)))
                .collect(),
            known,
            draws: Draws(0x5eed),
        }
    }

    fn new_person(&mut self) -> u32 {
        self.next_person += 1;
        self.next_person - 1
    }
}

/// Messages without end.
pub(crate) trait Messages {
    /// The next message.
    fn next(&mut self) -> Message;
}

impl Messages for Conversations {
    fn next(&mut self) -> Message {
        let (channel, text) = self.draws.channel_and_text();
        if !self.known.is_empty() && self.draws.one_in(REFERENCE_IN) {
            let known = &self.known[self.draws.below(self.known.len())];
            let text = format!("{text} #{}", known.reference);
            return Message {
                from: known.number.clone(),
                channel,
                text,
            };
        }
        let place = self.draws.below(self.places.len());
        let (mut person, mut said) = self.places[place];
        if said == MESSAGES_IN_A_CONVERSATION {
            (person, said) = (self.new_person(), 0);
        }
        self.places[place] = (person, said + 1);
        Message {
            from: number(person),
            channel,
            text: text.to_owned(),
        }
    }
}

/// A fixed number of people, each with one open case.
pub(crate) struct Regulars {
    people: Range<u32>,
    draws: Draws,
}

impl Regulars {
    /// The people of these indexes.
    pub(crate) const fn new(people: Range<u32>) -> Self {
        Self {
            people,
            draws: Draws(0x5eed),
        }
    }
}

impl Messages for Regulars {
    fn next(&mut self) -> Message {
        let (channel, text) = self.draws.channel_and_text();
        let index = self.draws.below(self.people.len());
        let person = self.people.clone().nth(index).unwrap_or(self.people.start);
        Message {
            from: number(person),
            channel,
            text: text.to_owned(),
        }
    }
}

/// The number of the `person`th person: one of the numbers that Ofcom keeps for fiction, with three digits more, since the
/// thousand of them are too few. No telephone has such a number.
pub(crate) fn number(person: u32) -> String {
    format!("447700900{:03}{:03}", person % 1_000, person / 1_000)
}

/// Draws of an order that is the same in every run; no secret hangs on them (Knuth's linear congruential generator).
struct Draws(u64);

impl Draws {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        // The high bits are the good ones.
        usize::try_from(self.0 >> 33).unwrap_or_default() % bound.max(1)
    }

    fn channel_and_text(&mut self) -> (Channel, &'static str) {
        let text = TEXTS[self.below(TEXTS.len())];
        let channel = if self.one_in(WHATSAPP_IN) {
            Channel::Whatsapp
        } else {
            Channel::Sms
        };
        (channel, text)
    }

    fn one_in(&mut self, many: u64) -> bool {
        self.below(usize::try_from(many).unwrap_or(1)) == 0
    }
}

/// The body of the webhook that Vonage makes of a message. Its id is random throughout, as Vonage's are, and so falls anywhere in
/// an index.
pub(crate) fn body(message: &Message, provider_id: Uuid) -> String {
    let Message {
        from,
        channel,
        text,
        ..
    } = message;
    let text = serde_json::Value::from(text.as_str());
    let timestamp = ambient::now().format("%Y-%m-%dT%H:%M:%SZ");
    if *channel == Channel::Whatsapp {
        format!(
            r#"{{"channel":"whatsapp","message_uuid":"{provider_id}","to":"{LINE}","from":"{from}","timestamp":"{timestamp}","profile":{{"name":"Sam Example"}},"context_status":"none","message_type":"text","text":{text}}}"#
        )
    } else {
        format!(
            r#"{{"channel":"sms","message_uuid":"{provider_id}","to":"{LINE}","from":"{from}","timestamp":"{timestamp}","message_type":"text","text":{text},"sms":{{"num_messages":"1","keyword":"HELLO"}},"usage":{{"currency":"EUR","price":"0.0333"}},"origin":{{"network_code":"12345"}}}}"#
        )
    }
}

/// A fresh id as Vonage makes them.
pub(crate) fn provider_id() -> Uuid {
    uuid::Builder::from_random_bytes(ambient::random_bytes()).into_uuid()
}

/// A webhook of average length, for the INSERT that Docket is compared with.
pub(crate) fn sample_body() -> String {
    let message = Message {
        from: number(0),
        channel: Channel::Sms,
        text: TEXTS[2].to_owned(),
    };
    body(&message, provider_id())
}

/// Makes signed requests.
pub(crate) struct Signer {
    secret: String,
    jti: Uuid,
}

impl Signer {
    /// Requests signed with `secret`.
    pub(crate) fn new(secret: &str) -> Self {
        Self {
            secret: secret.to_owned(),
            jti: provider_id(),
        }
    }

    /// The whole request for a message.
    pub(crate) fn request(&self, message: &Message) -> Box<[u8]> {
        let body = body(message, provider_id());
        let params = SignParams {
            iat: ambient::now().timestamp(),
            jti: &self.jti.to_string(),
            api_key: Some("a1b2c3d4"),
            application_id: None,
        };
        let authorization = sign(body.as_bytes(), self.secret.as_bytes(), &params);
        format!(
            "POST /webhooks/vonage/inbound HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: {authorization}\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        )
        .into_bytes()
        .into_boxed_slice()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use docket::vonage::payload::decode_inbound;
    use docket::vonage::signature::verify;

    use super::*;

    #[test]
    fn one_message_in_five_begins_a_conversation_and_few_name_a_reference() {
        let known = vec![KnownContact {
            number: number(0),
            reference: 101,
        }];
        let mut conversations = Conversations::new(1..1_001, known);

        let messages: Vec<Message> = (0..50_000).map(|_| conversations.next()).collect();

        let references = messages
            .iter()
            .filter(|message| message.text.contains("#101"))
            .count();
        assert!((2_000..3_000).contains(&references), "{references}");
        let mut said: HashMap<&str, u32> = HashMap::new();
        for message in messages.iter().filter(|message| message.from != number(0)) {
            *said.entry(&message.from).or_default() += 1;
        }
        let begun = said.len();
        assert!((9_000..11_000).contains(&begun), "{begun}");
        assert!(
            said.values()
                .all(|said| *said <= MESSAGES_IN_A_CONVERSATION)
        );
    }

    #[test]
    fn regulars_write_into_their_cases_evenly_and_name_no_reference() {
        let mut regulars = Regulars::new(5..15);

        let messages: Vec<Message> = (0..10_000).map(|_| regulars.next()).collect();

        let mut said: HashMap<&str, u32> = HashMap::new();
        for message in &messages {
            *said.entry(&message.from).or_default() += 1;
        }
        assert_eq!(said.len(), 10);
        assert!(said.values().all(|said| (800..1_200).contains(said)));
        assert!(said.contains_key(&*number(5)) && !said.contains_key(&*number(15)));
        assert!(messages.iter().all(|message| !message.text.contains('#')));
    }

    #[test]
    fn numbers_are_long_enough_to_be_nobodys_and_all_differ() {
        let numbers: std::collections::HashSet<String> = (0..20_000).map(number).collect();

        assert_eq!(numbers.len(), 20_000);
        assert!(
            numbers
                .iter()
                .all(|number| number.len() == 15 && number.starts_with("447700900"))
        );
    }

    #[test]
    fn a_request_is_signed_and_says_what_the_message_says() {
        let signer = Signer::new("secret");
        for channel in [Channel::Sms, Channel::Whatsapp] {
            let message = Message {
                from: number(7),
                channel,
                text: "“Quoted” \\ text".to_owned(),
            };

            let request = String::from_utf8(signer.request(&message).into()).unwrap();

            let (head, body) = request.split_once("\r\n\r\n").unwrap();
            let authorization = head
                .lines()
                .find_map(|line| line.strip_prefix("Authorization: "));
            verify(authorization, body.as_bytes(), b"secret", None).unwrap();
            let inbound = decode_inbound(body.as_bytes(), ambient::now()).unwrap();
            assert_eq!(
                (inbound.channel, inbound.from, inbound.to.as_str()),
                (channel, number(7), LINE)
            );
            assert_eq!(inbound.content.said(), Some("“Quoted” \\ text"));
            assert!(head.contains(&format!("Content-Length: {}", body.len())));
        }
    }
}
