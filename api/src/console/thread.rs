//! A thread's items as the page shows them.

pub(super) mod arrange;
mod standing;
pub(super) mod text;

use chrono::{DateTime, Utc};
use docket_domain::channel::Channel;
use docket_domain::content::{Content, Media};
use docket_domain::delivery::Status;
use docket_domain::ids::{Reference, UserId};
use docket_domain::personal::Personal;
use docket_domain::routing::Rule;
use docket_projections::read::cases::{CaseOrigin, CaseRow};
use docket_projections::read::thread::{
    Delivery, Inbound, ItemAuthor, ItemReaction, Outbound, ThreadItem, What,
};
use reqwest::Url;
use serde_json::{Number, Value};

use super::pages::{Body, Card, Item, Message, Piece, ReactionMark, Resend, State, When};
use super::place::Place;
use super::words;
use crate::operations::opt_out;
use crate::people;

pub(super) use self::standing::Beside;

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
    pub(super) beside: Beside,
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

    /// The items as a conversation, in which each thing is told once: a move and the note with its comment are one item, and
    /// so are a move and its undoing.
    pub(super) fn conversation(&self, items: &[ThreadItem]) -> Vec<Item> {
        let shown = self.items(items).into_iter().zip(items);
        shown
            .filter(|(_, item)| !is_told_elsewhere(item, items))
            .map(|(shown, _)| shown)
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
                ..self.inbound(message, all)
            })),
            What::Outbound(message) => Body::Message(Box::new(Message {
                reaction: self.reaction(item.reaction.as_ref()),
                ..self.outbound(
                    message,
                    matches!(
                        item.author,
                        ItemAuthor::Automatic { .. } | ItemAuthor::OptOutConfirmation
                    ),
                )
            })),
            // The emoji is the contact's, in which a number is no link of ours; the reason is ours.
            What::Reaction { routed, .. } => {
                let reaction = self.reaction(item.reaction.as_ref());
                let emoji = reaction.as_ref().map(|reaction| reaction.emoji.as_str());
                let mut sentence = vec![Piece {
                    text: words::reaction_to_unknown(&who, emoji),
                    href: None,
                }];
                let why = words::why(routed, self.case.reference.get());
                sentence.extend(self.linked(&format!(". {why}")));
                Body::Marker {
                    icon: "smile",
                    sentence,
                    comment: None,
                }
            }
            What::Note { text, .. } => Body::Note(text::spans(text, self.beside.country)),
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
                let shown = |email: &Personal<String>| people::shown(email);
                let (before, to) = (before.as_ref().map(shown), to.as_ref().map(shown));
                let sentence = words::assigned(&who, before.as_deref(), to.as_deref());
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
            What::OptOut {
                channel,
                opted_out,
                reason,
                ..
            } => opt_out(&who, *channel, *opted_out, reason.as_ref()),
            What::Labels { .. } | What::Snoozed { .. } | What::Woken { .. } => {
                self.sorted(&who, &item.what)
            }
            moved @ (What::MovedOut { .. }
            | What::RemovedElsewhere { .. }
            | What::MovedIn { .. }) => self.moved(moved, &who),
        };
        Item {
            id: format!("i{}-{}", item.place.sequence, item.place.part),
            sequence: item.place.sequence,
            message_id: match &item.what {
                What::Inbound(message) => Some(message.message_id),
                What::Outbound(message) => Some(message.message_id),
                _ => None,
            },
            by: by(item),
            ..Item::new(who, item.at, When::of(item.at, self.now), body)
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

    /// Labels that went on or came off, or a snooze.
    fn sorted(&self, who: &str, what: &What) -> Body {
        match what {
            What::Snoozed { until } => {
                let until = When::of(*until, self.now);
                self.marker("clock", &words::labels::snoozed(who, &until.exact))
            }
            What::Woken { reason } => self.marker("clock", &words::labels::woken(who, *reason)),
            // A label's name is an owner's word, in which a number is no link of ours.
            What::Labels { added, removed } => Body::Marker {
                icon: "tag",
                sentence: vec![Piece {
                    text: words::labels::labelled(who, added, removed),
                    href: None,
                }],
                comment: None,
            },
            _ => self.marker("dot", ""),
        }
    }

    /// What became of a message that moved, as the person `who` had it.
    fn moved(&self, what: &What, who: &str) -> Body {
        let (icon, sentence, comment) = match what {
            // It leads to a case that there is no more.
            What::MovedIn {
                from, undone: true, ..
            } => {
                let sentence = vec![Piece {
                    text: words::move_undone(who, from.get()),
                    href: None,
                }];
                ("back", sentence, None)
            }
            What::MovedOut {
                to, undone: true, ..
            } => {
                let sentence = words::move_undone_here(who, to.get());
                ("back", self.linked(&sentence), None)
            }
            What::MovedOut { to, comment, .. } => {
                let sentence = words::moved_out(who, to.get());
                ("move", self.linked(&sentence), comment.as_ref())
            }
            What::RemovedElsewhere { from, comment, .. } => {
                let sentence = words::removed_elsewhere(who, from.get());
                ("move", self.linked(&sentence), comment.as_ref())
            }
            What::MovedIn { from, comment, .. } => {
                let sentence = words::moved_in(who, from.get());
                ("move", self.linked(&sentence), comment.as_ref())
            }
            _ => ("move", vec![], None),
        };
        Body::Marker {
            icon,
            sentence,
            comment: comment.map(|comment| comment.0.clone()),
        }
    }

    fn inbound(&self, message: &Inbound, all: &[ThreadItem]) -> Message {
        let (cards, text) = carried(&message.content);
        let base = format!(
            "/cases/{}/messages/{}",
            self.case.reference, message.message_id
        );
        let may_move = self.may_act && !self.case.withdrawn;
        // Docket decides; where something was said since, it is not even offered.
        let can_undo = may_move
            && self.case.origin == CaseOrigin::Move
            && message.routed.rule == Rule::Moved
            && (self.case.message_count == 1 || self.is_first_of_move(message, all));
        let (why, why_matters) = self.why(message);
        Message {
            is_ours: false,
            is_automatic: false,
            channel: channel(message.channel),
            is_other_channel: message.channel != self.case.channel,
            quote: message
                .quotes
                .as_deref()
                .and_then(|quotes| quoted(quotes, all)),
            cards,
            files: vec![],
            text: text.map(|text| text::spans(&text, self.beside.country)),
            may_opt_out: opt_out::may_be_meant(message.content.said()),
            time_note: if message.at_is_arrival {
                words::TIME_OF_ARRIVAL
            } else {
                ""
            },
            why,
            why_matters,
            only_in: self.only_in(message).filter(|_| may_move),
            state: None,
            sent_as: None,
            move_href: may_move.then(|| self.place.link(&format!("{base}/move"))),
            undo_move: can_undo.then(|| self.place.link(&format!("{base}/undo-move"))),
            resend: None,
            reaction: None,
        }
    }

    /// Whether all messages of the case were moved here and this is the first of them, which offers to undo the move.
    fn is_first_of_move(&self, message: &Inbound, all: &[ThreadItem]) -> bool {
        let mut moved = all.iter().filter_map(|item| match &item.what {
            What::Inbound(other) if other.routed.rule == Rule::Moved => Some(other.message_id),
            _ => None,
        });
        let is_first = moved.next() == Some(message.message_id);
        let others = u32::try_from(moved.count()).unwrap_or(u32::MAX);
        is_first && others.checked_add(1) == Some(self.case.message_count)
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
            may_opt_out: false,
            is_ours: true,
            is_automatic,
            channel: channel(message.channel),
            is_other_channel: message.channel != self.case.channel,
            quote: None,
            cards: vec![],
            files: vec![],
            text: (!message.text.is_empty())
                .then(|| text::spans(&message.text, self.beside.country)),
            time_note: "",
            why: vec![],
            why_matters: false,
            only_in: None,
            state: Some(state(&message.delivery, self.beside.is_unconnected)),
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

/// Whether another item tells what this one does.
fn is_told_elsewhere(item: &ThreadItem, all: &[ThreadItem]) -> bool {
    match &item.what {
        // The undoing says both.
        What::MovedOut {
            message_id,
            to,
            undone: false,
            ..
        } => all.iter().any(|later| {
            later.place > item.place
                && matches!(&later.what, What::MovedIn { message_id: back, from, undone: true, .. }
                    if back == message_id && from == to)
        }),
        // The move says its comment.
        What::Note { text, .. } => all.iter().any(|other| {
            other.recorded_at == item.recorded_at
                && other.author == item.author
                && matches!(&other.what, What::MovedIn { comment: Some(comment), .. } if comment == text)
        }),
        _ => false,
    }
}

/// Who said something in which way; empty where nobody said anything.
fn by(item: &ThreadItem) -> String {
    let who = || match &item.author {
        ItemAuthor::User { user_id, .. } => user_id.0.simple().to_string()[24..].to_owned(),
        author => author.kind().to_owned(),
    };
    match &item.what {
        What::Inbound(message) => format!("theirs-{}", message.channel),
        What::Outbound(message) => format!("{}-{}", who(), message.channel),
        What::Note { .. } => format!("{}-note", who()),
        _ => String::new(),
    }
}

fn author(author: &ItemAuthor) -> String {
    match author {
        ItemAuthor::User { email, .. } => people::shown(email),
        ItemAuthor::Automatic { occasion } => words::outgoing::automatic(*occasion).to_owned(),
        ItemAuthor::OptOutConfirmation => words::OPT_OUT_CONFIRMATION.to_owned(),
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

fn state(delivery: &Delivery, is_unconnected: bool) -> State {
    let (icon, tone) = match delivery.status {
        Status::Queued | Status::Sending => ("clock", "waiting"),
        Status::Sent => ("check", "calm"),
        Status::Delivered => ("checks", "calm"),
        Status::Read => ("eye", "calm"),
        Status::Failed => ("cross", "bad"),
        Status::Uncertain => ("question", "bad"),
    };
    State {
        word: if is_unconnected && delivery.status == Status::Queued {
            words::WAITS_UNCONNECTED
        } else {
            words::state(delivery.status)
        },
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
            let location = Card {
                href: map(latitude, longitude),
                hint: words::CARD_MAP_HINT,
                ..card("pin", words::CARD_LOCATION, known.join(" · "))
            };
            (vec![location], None)
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

/// A map with a mark at the place.
fn map(latitude: &Number, longitude: &Number) -> Option<String> {
    let is_within = |degrees: &Number, most: f64| {
        let degrees = degrees.as_f64();
        degrees.is_some_and(|degrees| degrees.abs() <= most)
    };
    let is_on_earth = is_within(latitude, 90.0) && is_within(longitude, 180.0);
    is_on_earth.then(|| {
        format!(
            "https://www.openstreetmap.org/?mlat={latitude}&mlon={longitude}#map=16/{latitude}/{longitude}"
        )
    })
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

fn opt_out(
    who: &str,
    by: docket_domain::channel::Channel,
    opted_out: bool,
    reason: Option<&docket_domain::personal::Personal<String>>,
) -> Body {
    Body::Marker {
        icon: "dot",
        sentence: vec![Piece {
            text: words::opt_out_changed(who, channel(by), opted_out),
            href: None,
        }],
        comment: reason.map(|reason| reason.0.clone()),
    }
}
