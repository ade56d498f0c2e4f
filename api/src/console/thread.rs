//! A thread's items as the page shows them.

use chrono::{DateTime, Utc};
use docket_domain::channel::Channel;
use docket_domain::content::{Content, Media};
use docket_domain::delivery::Status;
use docket_domain::ids::{Reference, UserId};
use docket_domain::routing::Rule;
use docket_projections::read::cases::{CaseOrigin, CaseRow};
use docket_projections::read::thread::{
    Delivery, Inbound, ItemAuthor, ItemReaction, Outbound, ThreadItem, What,
};
use reqwest::Url;
use serde_json::Value;

use super::pages::{Body, Card, Item, Message, Piece, ReactionMark, Resend, State, When};
use super::place::Place;
use super::words;

/// At most so many characters of a quoted message are shown.
const QUOTE_CHARS: usize = 140;

/// What the items are shown with.
pub(super) struct Shown<'a> {
    pub(super) case: &'a CaseRow,
    /// What the contact calls themselves.
    pub(super) name: Option<&'a str>,
    /// What the survey asks today; a question asked otherwise then is shown with its answer.
    pub(super) question: Option<&'a str>,
    pub(super) place: &'a Place,
    pub(super) now: DateTime<Utc>,
    /// Whether the person may change the case.
    pub(super) may_act: bool,
    /// The sequence up to which the person had read, where what came since is to be marked.
    pub(super) seen: Option<u64>,
    /// Who reads: what they said themselves is not new to them.
    pub(super) reader: Option<UserId>,
}

impl Shown<'_> {
    pub(super) fn items(&self, items: &[ThreadItem]) -> Vec<Item> {
        let mut is_marked = false;
        items
            .iter()
            .map(|item| {
                let is_new = self.is_news(item, items);
                let begins_new = is_new && !is_marked;
                is_marked |= is_new;
                Item {
                    is_new,
                    begins_new,
                    ..self.item(item, items)
                }
            })
            .collect()
    }

    /// Whether the reader has not seen it, and others said it.
    fn is_news(&self, item: &ThreadItem, all: &[ThreadItem]) -> bool {
        let Some(seen) = self.seen else {
            return false;
        };
        // A message that came back stands where it stood, and is news all the same.
        let came_back = match &item.what {
            What::Inbound(message) => all.iter().any(|other| {
                matches!(other.what, What::MovedIn { message_id, .. } if message_id == message.message_id)
                    && other.place.sequence > seen
            }),
            _ => false,
        };
        let is_theirs = match &item.author {
            ItemAuthor::User { user_id, .. } => Some(*user_id) == self.reader,
            _ => false,
        };
        let is_said = matches!(
            item.what,
            What::Inbound(_) | What::Outbound(_) | What::Note { .. }
        );
        (item.place.sequence > seen || came_back) && is_said && !is_theirs
    }

    pub(super) fn item(&self, item: &ThreadItem, all: &[ThreadItem]) -> Item {
        let who = match (&item.author, self.name) {
            (ItemAuthor::Contact, Some(name)) => name.to_owned(),
            _ => author(&item.author),
        };
        let body = match &item.what {
            What::Inbound(message) => Body::Message(Box::new(Message {
                reaction: self.reaction(item.reaction.as_ref()),
                ..self.inbound(message, item.place.sequence, all)
            })),
            What::Outbound(message) => Body::Message(Box::new(Message {
                reaction: self.reaction(item.reaction.as_ref()),
                ..self.outbound(message, matches!(item.author, ItemAuthor::Automatic { .. }))
            })),
            // The emoji is the contact's, in which a number is no link of ours; the reason is ours.
            What::Reaction { routed, .. } => {
                let reaction = self.reaction(item.reaction.as_ref());
                let emoji = reaction.as_ref().map(|reaction| reaction.emoji.as_str());
                let mut sentence = vec![Piece {
                    text: words::reaction_to_unknown(&who, emoji),
                    href: None,
                }];
                sentence.extend(self.linked(&format!(". {}", words::why(routed, None))));
                Body::Marker {
                    icon: "smile",
                    sentence,
                    comment: None,
                }
            }
            What::Note { text, .. } => Body::Note(text.0.clone()),
            What::Opened { follows, .. } => {
                let by = author(&item.author);
                self.marker("plus", &words::opened(&by, follows.map(Reference::get)))
            }
            // Questions and answers are the survey's words, in which a number is no link of ours.
            What::Status {
                question,
                before,
                value,
                closed,
            } => Body::Marker {
                icon: if *closed { "check" } else { "dot" },
                sentence: vec![Piece {
                    text: words::status_changed(
                        &who,
                        question
                            .as_deref()
                            .filter(|asked| Some(*asked) != self.question),
                        before.as_deref(),
                        value,
                        *closed,
                    ),
                    href: None,
                }],
                comment: None,
            },
            What::Assigned { before, to } => {
                let (before, to) = (before.as_deref(), to.as_deref());
                let sentence =
                    words::assigned(&who, before.map(String::as_str), to.map(String::as_str));
                self.marker("person", &sentence)
            }
            // Titles are the contact's words, in which a number is no link of ours.
            What::Renamed { before, title } => Body::Marker {
                icon: "pen",
                sentence: vec![Piece {
                    text: words::renamed(&who, before, title),
                    href: None,
                }],
                comment: None,
            },
            What::MovedOut { to, comment, .. } => self.moved(
                &words::moved_out(&who, to.get()),
                comment.as_ref().map(|comment| comment.0.clone()),
            ),
            What::RemovedElsewhere { from, comment, .. } => self.moved(
                &words::removed_elsewhere(&who, from.get()),
                comment.as_ref().map(|comment| comment.0.clone()),
            ),
            What::MovedIn { from, comment, .. } => self.moved(
                &words::moved_in(&who, from.get()),
                comment.as_ref().map(|comment| comment.0.clone()),
            ),
        };
        Item {
            id: format!("i{}-{}", item.place.sequence, item.place.part),
            who,
            when: When::of(item.at, self.now),
            body,
            is_new: false,
            begins_new: false,
        }
    }

    fn reaction(&self, reaction: Option<&ItemReaction>) -> Option<ReactionMark> {
        let reaction = reaction?;
        let who = match self.name {
            Some(name) => name.to_owned(),
            None => words::CONTACT_AUTHOR.to_owned(),
        };
        Some(ReactionMark {
            emoji: reaction.emoji.as_ref().map_or_else(
                || words::EMOJI_UNREADABLE.to_owned(),
                |emoji| emoji.0.clone(),
            ),
            who,
            when: When::of(reaction.at, self.now),
        })
    }

    fn marker(&self, icon: &'static str, sentence: &str) -> Body {
        Body::Marker {
            icon,
            sentence: self.linked(sentence),
            comment: None,
        }
    }

    fn moved(&self, sentence: &str, comment: Option<String>) -> Body {
        Body::Marker {
            icon: "move",
            sentence: self.linked(sentence),
            comment,
        }
    }

    fn inbound(&self, message: &Inbound, sequence: u64, all: &[ThreadItem]) -> Message {
        let (cards, text) = carried(&message.content);
        let move_in = all.iter().find(|item| {
            item.place.sequence == sequence && matches!(item.what, What::MovedIn { .. })
        });
        let by = move_in.map(|item| author(&item.author));
        let comment = move_in.and_then(|item| match &item.what {
            What::MovedIn { comment, .. } => comment.as_ref().map(|comment| comment.0.clone()),
            _ => None,
        });
        let base = format!(
            "/cases/{}/messages/{}",
            self.case.reference, message.message_id
        );
        let may_move = self.may_act && !self.case.withdrawn;
        // Docket decides; where something was said since, it is not even offered.
        let can_undo = may_move
            && self.case.origin == CaseOrigin::Move
            && message.routed.rule == Rule::Moved
            && self.case.message_count == 1;
        Message {
            is_ours: false,
            is_automatic: false,
            channel: channel(message.channel),
            quote: message
                .quotes
                .as_deref()
                .and_then(|quotes| quoted(quotes, all)),
            cards,
            text,
            time_note: if message.at_is_arrival {
                words::TIME_OF_ARRIVAL
            } else {
                ""
            },
            why: self.linked(&words::why(&message.routed, by.as_deref())),
            comment,
            state: None,
            sent_as: None,
            move_href: may_move.then(|| self.place.link(&format!("{base}/move"))),
            undo_move: can_undo.then(|| self.place.link(&format!("{base}/undo-move"))),
            resend: None,
            reaction: None,
        }
    }

    fn outbound(&self, message: &Outbound, is_automatic: bool) -> Message {
        let sent_as = &message.sent_text.0;
        let warning = match message.delivery.status {
            Status::Failed => Some(words::SEND_AGAIN_FAILED),
            Status::Uncertain => Some(words::SEND_AGAIN_UNCERTAIN),
            _ => None,
        };
        let resend = warning
            .filter(|_| self.may_act && !self.case.withdrawn)
            .map(|warning| Resend {
                action: self.place.link(&format!(
                    "/cases/{}/messages/{}/resend",
                    self.case.reference, message.message_id
                )),
                warning,
            });
        Message {
            is_ours: true,
            is_automatic,
            channel: channel(message.channel),
            quote: None,
            cards: vec![],
            text: Some(message.text.0.clone()),
            time_note: "",
            why: vec![],
            comment: None,
            state: Some(state(&message.delivery)),
            sent_as: (*sent_as != message.text.0).then(|| sent_as.clone()),
            move_href: None,
            undo_move: None,
            resend,
            reaction: None,
        }
    }

    /// A sentence of ours, with its references as links.
    fn linked(&self, sentence: &str) -> Vec<Piece> {
        let mut pieces = vec![];
        let mut plain = String::new();
        let mut rest = sentence;
        while let Some(at) = rest.find('#') {
            let after = &rest[at + 1..];
            let digits = after.len() - after.trim_start_matches(|c: char| c.is_ascii_digit()).len();
            let reference = after[..digits].parse().ok().and_then(Reference::new);
            plain.push_str(&rest[..at]);
            if let Some(reference) = reference {
                pieces.push(Piece {
                    text: std::mem::take(&mut plain),
                    href: None,
                });
                pieces.push(Piece {
                    text: format!("#{reference}"),
                    href: (reference != self.case.reference).then(|| self.place.case(reference)),
                });
            } else {
                plain.push_str(&rest[at..=at + digits]);
            }
            rest = &after[digits..];
        }
        plain.push_str(rest);
        pieces.push(Piece {
            text: plain,
            href: None,
        });
        pieces.retain(|piece| !piece.text.is_empty());
        pieces
    }
}

fn author(author: &ItemAuthor) -> String {
    match author {
        ItemAuthor::User { email, .. } => email.0.clone(),
        ItemAuthor::Automatic { occasion } => words::outgoing::automatic(*occasion).to_owned(),
        ItemAuthor::Contact => words::CONTACT_AUTHOR.to_owned(),
        ItemAuthor::Vonage => words::VONAGE.to_owned(),
        ItemAuthor::System => words::SYSTEM.to_owned(),
    }
}

/// The channel's name.
pub(super) const fn channel(channel: Channel) -> &'static str {
    match channel {
        Channel::Sms => "SMS",
        Channel::Whatsapp => "WhatsApp",
    }
}

/// The channel's icon.
pub(super) const fn channel_icon(channel: Channel) -> &'static str {
    match channel {
        Channel::Sms => "sms",
        Channel::Whatsapp => "whatsapp",
    }
}

fn state(delivery: &Delivery) -> State {
    let (icon, tone) = match delivery.status {
        Status::Queued | Status::Sending => ("clock", "waiting"),
        Status::Sent => ("check", "calm"),
        Status::Delivered => ("checks", "calm"),
        Status::Read => ("eye", "calm"),
        Status::Failed => ("cross", "bad"),
        Status::Uncertain => ("question", "bad"),
    };
    State {
        word: words::state(delivery.status),
        icon,
        tone,
        reason: delivery.reason.clone(),
    }
}

/// The beginning of the message with that id of Vonage's, where it is shown.
fn quoted(provider_id: &str, all: &[ThreadItem]) -> Option<String> {
    let said = all.iter().find_map(|item| match &item.what {
        What::Inbound(message) if message.provider_id == provider_id => {
            let content = &message.content;
            Some(content.said().unwrap_or(content.label()).to_owned())
        }
        What::Outbound(message) if message.delivery.provider_id.as_deref() == Some(provider_id) => {
            Some(message.text.0.clone())
        }
        _ => None,
    })?;
    Some(match said.char_indices().nth(QUOTE_CHARS) {
        Some((end, _)) => format!("{}…", &said[..end]),
        None => said,
    })
}

/// What a message carries: cards for what is not text, and the text.
fn carried(content: &Content) -> (Vec<Card>, Option<String>) {
    let said = content.said().map(str::to_owned);
    let card = |icon, title: &str, detail: String| Card {
        icon,
        title: title.to_owned(),
        detail,
        href: None,
        hint: "",
    };
    match content {
        Content::Text { text } => (vec![], Some(text.clone())),
        Content::Image(media) => (files("photo", words::CARD_PHOTO, media), said),
        Content::Audio(media) => (files("sound", words::CARD_AUDIO, media), said),
        Content::Video(media) => (files("film", words::CARD_VIDEO, media), said),
        Content::File(media) => (files("file", words::CARD_FILE, media), said),
        Content::Sticker(media) => (files("photo", words::CARD_STICKER, media), said),
        Content::Location {
            latitude,
            longitude,
            name,
            address,
        } => {
            let place = format!("{latitude}, {longitude}");
            let known: Vec<&str> = [name.as_deref(), address.as_deref(), Some(&place)]
                .into_iter()
                .flatten()
                .collect();
            (
                vec![card("pin", words::CARD_LOCATION, known.join(" · "))],
                None,
            )
        }
        Content::Contacts { contacts } => {
            let cards = contacts
                .iter()
                .map(|contact| card("person", words::CARD_CONTACT, texts_of(contact)))
                .collect();
            (cards, None)
        }
        Content::Reply {
            title, description, ..
        } => {
            let detail = [Some(title.as_str()), description.as_deref()];
            let detail: Vec<&str> = detail.into_iter().flatten().collect();
            (
                vec![card("list", words::CARD_CHOICE, detail.join(" · "))],
                None,
            )
        }
        Content::Button { text, .. } => {
            (vec![card("list", words::CARD_BUTTON, text.clone())], None)
        }
        Content::Order { order } => (vec![card("list", words::CARD_ORDER, texts_of(order))], None),
        Content::Reaction { emoji, removed } => {
            let sentence = words::reaction(emoji.as_deref(), *removed);
            (vec![card("smile", &sentence, String::new())], None)
        }
        Content::Unsupported { .. } => {
            let sentence = words::CARD_UNSUPPORTED;
            (vec![card("question", sentence, String::new())], None)
        }
        Content::Unreadable { kind, .. } => {
            let kind = kind.clone().unwrap_or_default();
            (vec![card("question", words::CARD_UNREADABLE, kind)], said)
        }
    }
}

fn files(icon: &'static str, title: &'static str, media: &Media) -> Vec<Card> {
    let file = |title: &str, url: &str, name: Option<&str>| Card {
        icon,
        title: title.to_owned(),
        detail: name.unwrap_or_default().to_owned(),
        href: web_address(url),
        hint: words::CARD_OPEN_HINT,
    };
    let more = media
        .more
        .iter()
        .map(|more| file(&more.kind, &more.url, None));
    std::iter::once(file(title, &media.url, media.name.as_deref()))
        .chain(more)
        .collect()
}

/// An address that is safe to link to.
fn web_address(url: &str) -> Option<String> {
    let url = Url::parse(url).ok()?;
    matches!(url.scheme(), "https" | "http").then(|| url.to_string())
}

/// All texts and numbers in a value whose form is Vonage's and changes.
fn texts_of(value: &Value) -> String {
    fn gather(value: &Value, texts: &mut Vec<String>) {
        match value {
            Value::String(text) if !text.is_empty() && !texts.contains(text) => {
                texts.push(text.clone());
            }
            Value::Number(number) => texts.push(number.to_string()),
            Value::Array(values) => values.iter().for_each(|value| gather(value, texts)),
            Value::Object(members) => members.values().for_each(|value| gather(value, texts)),
            _ => {}
        }
    }
    let mut texts = vec![];
    gather(value, &mut texts);
    texts.join(" · ")
}
