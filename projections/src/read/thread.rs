//! Threads: what happened in each case, in order, in the words that people see.
//!
//! An item is known by the case, the sequence of the event that gave it, and a part, because one event can give two items. A
//! message that is moved out stays as a hidden row, so that undoing the move shows it where it stood.
//!
//! To add a kind of item: its columns in [`row`] and [`handler`], a variant of [`What`], and its reading back in [`RawItem`].

pub(crate) mod handler;
pub(crate) mod row;

use std::fmt;

use chrono::{DateTime, Utc};
use docket_domain::automatic::Occasion;
use docket_domain::case::WakeReason;
use docket_domain::channel::Channel;
use docket_domain::content::Content;
use docket_domain::delivery::Status;
use docket_domain::ids::{LineId, MessageId, NoteId, Reference, UserId};
use docket_domain::json::read_stored;
use docket_domain::personal::Personal;
use docket_domain::routing::{Routed, Rule};
use docket_domain::whatsapp_template::SentTemplate;
use sqlx::PgExecutor;
use uuid::Uuid;

pub use self::handler::ThreadHandler;
use super::rows::Row;

/// Where an item stands in its thread; items are ordered by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// The sequence of the event that gave it.
    pub sequence: u64,
    /// Which of that event's items it is, from 0.
    pub part: u8,
}

/// One thing that happened in a case.
#[derive(Clone, Debug, PartialEq)]
pub struct ThreadItem {
    /// Where it stands in the thread.
    pub place: Place,
    /// When it happened: Vonage's time of a message that came in, the time of recording of all else.
    pub at: DateTime<Utc>,
    /// When it was recorded.
    pub recorded_at: DateTime<Utc>,
    /// Who did or said it.
    pub author: ItemAuthor,
    /// What it is.
    pub what: What,
    /// Of a message: the contact's reaction to it, unless it was taken off. Of a reaction that is an item of its own: what it is,
    /// where it was not taken off.
    pub reaction: Option<ItemReaction>,
}

/// A reaction of the contact's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ItemReaction {
    /// The emoji; `None` where it could not be read.
    pub emoji: Option<Personal<String>>,
    /// Vonage's time.
    pub at: DateTime<Utc>,
    /// The number it came from.
    pub from: Personal<String>,
}

/// Who did or said something in a case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ItemAuthor {
    /// A person who signed in.
    User {
        /// Their id.
        user_id: UserId,
        /// Their address at that time.
        email: Personal<String>,
    },
    /// Docket itself, as a line's settings say.
    Automatic {
        /// Why.
        occasion: Occasion,
    },
    /// The confirmation that the contact opted out.
    OptOutConfirmation,
    /// The contact.
    Contact,
    /// Vonage.
    Vonage,
    /// Docket itself, or somebody at its command line.
    System,
}

impl ItemAuthor {
    /// `user`, `automatic`, `opt_out_confirmation`, `contact`, `vonage` or `system`.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::User { .. } => "user",
            Self::Automatic { .. } => "automatic",
            Self::OptOutConfirmation => "opt_out_confirmation",
            Self::Contact => "contact",
            Self::Vonage => "vonage",
            Self::System => "system",
        }
    }

    /// A person's address, and what kind of author any other is.
    pub fn name(&self) -> &str {
        match self {
            Self::User { email, .. } => email,
            other => other.kind(),
        }
    }
}

/// What happened.
#[derive(Clone, Debug, PartialEq)]
pub enum What {
    /// The case began.
    Opened {
        /// Its title then.
        title: Personal<String>,
        /// The closed case that it follows.
        follows: Option<Reference>,
    },
    /// The contact said something.
    Inbound(Box<Inbound>),
    /// We said something.
    Outbound(Box<Outbound>),
    /// Somebody wrote a note.
    Note {
        /// The note.
        note_id: NoteId,
        /// What it says.
        text: Personal<String>,
    },
    /// The answer to the status question changed.
    Status {
        /// The question as it was asked then; `None` where the event does not say.
        question: Option<String>,
        /// The answer before.
        before: Option<String>,
        /// The answer from then on.
        value: String,
        /// Whether it closed the case.
        closed: bool,
    },
    /// Somebody else, or nobody, was to see to the case.
    Assigned {
        /// The address of who it was.
        before: Option<Personal<String>>,
        /// The address of who it was from then on.
        to: Option<Personal<String>>,
    },
    /// The case got another title.
    Renamed {
        /// The title before.
        before: Personal<String>,
        /// The title from then on.
        title: Personal<String>,
    },
    /// The case got other labels.
    Labels {
        /// The names of those that went on.
        added: Vec<String>,
        /// The names of those that came off.
        removed: Vec<String>,
    },
    /// The case was put off.
    Snoozed {
        /// Until when.
        until: DateTime<Utc>,
    },
    /// The case was put off no longer.
    Woken {
        /// Why.
        reason: WakeReason,
    },
    /// A message left for another case, or went back there.
    MovedOut {
        /// The message.
        message_id: MessageId,
        /// Where it went.
        to: Reference,
        /// What the agent said of it.
        comment: Option<Personal<String>>,
        /// Whether it went back, since its move here was undone.
        undone: bool,
    },
    /// The contact reacted to a message that is not known, or took such a reaction off.
    Reaction {
        /// Vonage's id of that message, where Vonage said it.
        target_provider_id: Option<String>,
        /// Why it stands here.
        routed: Routed,
    },
    /// A message that stands here left another case, in which it stood too.
    RemovedElsewhere {
        /// The message.
        message_id: MessageId,
        /// The case that it left.
        from: Reference,
        /// What the agent said of it.
        comment: Option<Personal<String>>,
    },
    /// The contact opted out on a channel, or in again.
    OptOut {
        /// The channel.
        channel: Channel,
        /// Whether nothing is sent to them on it from then on.
        opted_out: bool,
        /// What made them: `message`, `person` or `vonage`.
        cause: String,
        /// Why, as a person put it.
        reason: Option<Personal<String>>,
    },
    /// A message came from another case, or came back from there.
    MovedIn {
        /// The message.
        message_id: MessageId,
        /// Where it came from.
        from: Reference,
        /// What the agent said of it.
        comment: Option<Personal<String>>,
        /// Whether it came back, since its move to there was undone.
        undone: bool,
    },
}

impl What {
    /// The kind's name in the API: `opened`, `message`, `reaction`, `note`, `status`, `assigned`, `renamed`, `labels`,
    /// `snoozed`, `woken`, `moved_out`, `moved_in`, `removed_elsewhere` or `opt_out`.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Opened { .. } => "opened",
            Self::Inbound(_) | Self::Outbound(_) => "message",
            Self::Note { .. } => "note",
            Self::Status { .. } => "status",
            Self::Assigned { .. } => "assigned",
            Self::Renamed { .. } => "renamed",
            Self::Labels { .. } => "labels",
            Self::Snoozed { .. } => "snoozed",
            Self::Woken { .. } => "woken",
            Self::MovedOut { .. } => "moved_out",
            Self::MovedIn { .. } => "moved_in",
            Self::RemovedElsewhere { .. } => "removed_elsewhere",
            Self::Reaction { .. } => "reaction",
            Self::OptOut { .. } => "opt_out",
        }
    }
}

/// A message of the contact's.
#[derive(Clone, Debug, PartialEq)]
pub struct Inbound {
    /// Our id of it.
    pub message_id: MessageId,
    /// How it came.
    pub channel: Channel,
    /// The line it came in on.
    pub line_id: LineId,
    /// What it carries.
    pub content: Personal<Content>,
    /// Vonage's id of it.
    pub provider_id: String,
    /// Whether its time is that of its arrival, since Vonage's could not be read.
    pub at_is_arrival: bool,
    /// Vonage's id of the message that it quotes.
    pub quotes: Option<String>,
    /// Why it stands here.
    pub routed: Routed,
}

/// A message of ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outbound {
    /// Our id of it.
    pub message_id: MessageId,
    /// How it goes.
    pub channel: Channel,
    /// The line it goes out from.
    pub line_id: LineId,
    /// What was written.
    pub text: Personal<String>,
    /// What is sent: the text with the reference appended.
    pub sent_text: Personal<String>,
    /// Whether a file goes out with it.
    pub has_file: bool,
    /// What is known of its delivery.
    pub delivery: Delivery,
    /// The `WhatsApp` template that it is sent as.
    pub template: Option<SentTemplate>,
}

/// What is known of a message's delivery.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// How far it has come.
    pub status: Status,
    /// Why it failed, is uncertain, or has to wait.
    pub reason: Option<String>,
    /// Vonage's error code, where it failed with one.
    pub code: Option<u32>,
    /// Vonage's time of its arrival or of its being read.
    pub at: Option<DateTime<Utc>>,
    /// The attempt, from 1.
    pub attempt: u32,
    /// Vonage's id of it, once it is known; of several attempts, a later one's.
    pub provider_id: Option<String>,
}

/// An item's key, as an error names it.
#[derive(Clone, Copy)]
struct ItemKey {
    reference: i32,
    sequence: i64,
    part: i16,
}

impl fmt::Display for ItemKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, {}, {}", self.reference, self.sequence, self.part)
    }
}

/// A row of `thread_items`, as the queries give it.
struct RawItem {
    reference: i32,
    sequence: i64,
    part: i16,
    kind: String,
    at: DateTime<Utc>,
    recorded_at: DateTime<Utc>,
    author_kind: String,
    author_id: Option<Uuid>,
    author_email: Option<String>,
    message_id: Option<Uuid>,
    direction: Option<String>,
    channel: Option<String>,
    line_id: Option<Uuid>,
    said: Option<String>,
    content: Option<String>,
    sent_text: Option<String>,
    provider_id: Option<String>,
    quotes: Option<String>,
    rule: Option<String>,
    rule_references: Option<Vec<i32>>,
    delivery: Option<String>,
    delivery_reason: Option<String>,
    delivery_code: Option<i32>,
    delivery_at: Option<DateTime<Utc>>,
    attempt: Option<i32>,
    other: Option<i32>,
    before: Option<String>,
    value: Option<String>,
    closed: Option<bool>,
    comment: Option<String>,
    note_id: Option<Uuid>,
    question: Option<String>,
    at_is_arrival: bool,
    rule_foreign: bool,
    reaction: Option<String>,
    reaction_at: Option<DateTime<Utc>>,
    reaction_from: Option<String>,
    template: Option<String>,
}

impl RawItem {
    fn row(&self) -> Row<ItemKey> {
        let key = ItemKey {
            reference: self.reference,
            sequence: self.sequence,
            part: self.part,
        };
        Row {
            table: "thread_items",
            key,
        }
    }

    fn read(self) -> Result<ThreadItem, sqlx::Error> {
        let row = self.row();
        Ok(ThreadItem {
            place: Place {
                sequence: row.read("sequence", self.sequence.try_into())?,
                part: row.read("part", self.part.try_into())?,
            },
            at: self.at,
            recorded_at: self.recorded_at,
            author: self.author()?,
            reaction: self.reaction()?,
            what: self.what()?,
        })
    }

    fn author(&self) -> Result<ItemAuthor, sqlx::Error> {
        let row = self.row();
        Ok(match self.author_kind.as_str() {
            "user" => ItemAuthor::User {
                user_id: UserId(row.some("author_id", self.author_id)?),
                email: Personal(row.some("author_email", self.author_email.clone())?),
            },
            "automatic" => ItemAuthor::Automatic {
                occasion: Occasion::SeveralCases,
            },
            "new_requested" | "greeting" | "out_of_hours" => {
                let date = self.value.as_deref().map(str::parse).transpose();
                let date = row.read("value", date)?;
                let occasion = Occasion::from_parts(&self.author_kind, date);
                ItemAuthor::Automatic {
                    occasion: row.some("value", occasion)?,
                }
            }
            "opt_out_confirmation" => ItemAuthor::OptOutConfirmation,
            "contact" => ItemAuthor::Contact,
            "vonage" => ItemAuthor::Vonage,
            "system" => ItemAuthor::System,
            _ => return Err(row.broken("author_kind")),
        })
    }

    fn reaction(&self) -> Result<Option<ItemReaction>, sqlx::Error> {
        let Some(emoji) = &self.reaction else {
            return Ok(None);
        };
        let row = self.row();
        Ok(Some(ItemReaction {
            emoji: Some(emoji.clone())
                .filter(|emoji| !emoji.is_empty())
                .map(Personal),
            at: row.some("reaction_at", self.reaction_at)?,
            from: Personal(row.some("reaction_from", self.reaction_from.clone())?),
        }))
    }

    fn routed(&self) -> Result<Routed, sqlx::Error> {
        let row = self.row();
        let rule = row.some("rule", self.rule.as_deref())?;
        Ok(Routed {
            rule: row.some("rule", rule_named(rule))?,
            references: row.references(
                "rule_references",
                row.some("rule_references", self.rule_references.as_deref())?,
            )?,
            foreign_reference: self.rule_foreign,
        })
    }

    fn what(self) -> Result<What, sqlx::Error> {
        let row = self.row();
        let said = |said| row.some("said", said).map(Personal);
        let other = |other| {
            row.some("other", other)
                .and_then(|number| row.reference("other", number))
        };
        let message_id = |id| row.some("message_id", id).map(MessageId);
        Ok(match self.kind.as_str() {
            "opened" => What::Opened {
                title: said(self.said)?,
                follows: match self.other {
                    Some(number) => Some(row.reference("other", number)?),
                    None => None,
                },
            },
            "message" => match self.direction.as_deref() {
                Some("inbound") => What::Inbound(Box::new(self.inbound()?)),
                Some("outbound") => What::Outbound(Box::new(self.outbound()?)),
                _ => return Err(row.broken("direction")),
            },
            "note" => What::Note {
                note_id: NoteId(row.some("note_id", self.note_id)?),
                text: said(self.said)?,
            },
            "status" => What::Status {
                question: self.question,
                before: self.before,
                value: row.some("value", self.value)?,
                closed: row.some("closed", self.closed)?,
            },
            "assigned" => What::Assigned {
                before: self.before.map(Personal),
                to: self.value.map(Personal),
            },
            "renamed" => What::Renamed {
                before: Personal(row.some("before", self.before)?),
                title: said(self.said)?,
            },
            "labels" => What::Labels {
                added: row.read("value", names(self.value.as_deref()))?,
                removed: row.read("before", names(self.before.as_deref()))?,
            },
            "snoozed" => What::Snoozed {
                until: row.read("value", row.some("value", self.value)?.parse())?,
            },
            "woken" => What::Woken {
                reason: row.some(
                    "value",
                    self.value.as_deref().and_then(WakeReason::from_name),
                )?,
            },
            "moved_out" => What::MovedOut {
                message_id: message_id(self.message_id)?,
                to: other(self.other)?,
                comment: self.comment.map(Personal),
                undone: self.value.as_deref() == Some(handler::UNDONE),
            },
            "reaction" => What::Reaction {
                routed: self.routed()?,
                target_provider_id: self.quotes,
            },
            "removed_elsewhere" => What::RemovedElsewhere {
                message_id: message_id(self.message_id)?,
                from: other(self.other)?,
                comment: self.comment.map(Personal),
            },
            "opt_out" => What::OptOut {
                channel: row.channel("channel", &row.some("channel", self.channel)?)?,
                opted_out: row.some("closed", self.closed)?,
                cause: row.some("value", self.value)?,
                reason: self.comment.map(Personal),
            },
            "moved_in" => What::MovedIn {
                message_id: message_id(self.message_id)?,
                from: other(self.other)?,
                comment: self.comment.map(Personal),
                undone: self.value.as_deref() == Some(handler::UNDONE),
            },
            _ => return Err(row.broken("kind")),
        })
    }

    fn inbound(self) -> Result<Inbound, sqlx::Error> {
        let row = self.row();
        let routed = self.routed()?;
        let content = match self.content {
            Some(json) => row.read("content", read_stored(&json))?,
            None => Content::text(row.some("said", self.said)?),
        };
        Ok(Inbound {
            message_id: MessageId(row.some("message_id", self.message_id)?),
            channel: row.channel("channel", &row.some("channel", self.channel)?)?,
            line_id: LineId(row.some("line_id", self.line_id)?),
            content: Personal(content),
            provider_id: row.some("provider_id", self.provider_id)?,
            at_is_arrival: self.at_is_arrival,
            quotes: self.quotes,
            routed,
        })
    }

    fn outbound(self) -> Result<Outbound, sqlx::Error> {
        let row = self.row();
        let text = row.some("said", self.said)?;
        let status = row.some("delivery", self.delivery)?;
        let template = self.template.as_deref().map(read_stored).transpose();
        Ok(Outbound {
            template: row.read("template", template)?,
            message_id: MessageId(row.some("message_id", self.message_id)?),
            channel: row.channel("channel", &row.some("channel", self.channel)?)?,
            line_id: LineId(row.some("line_id", self.line_id)?),
            sent_text: Personal(self.sent_text.unwrap_or_else(|| text.clone())),
            text: Personal(text),
            has_file: self.content.is_some(),
            delivery: Delivery {
                status: row.some("delivery", Status::from_name(&status))?,
                reason: self.delivery_reason,
                code: self
                    .delivery_code
                    .map(|code| row.read("delivery_code", code.try_into()))
                    .transpose()?,
                at: self.delivery_at,
                attempt: row.read("attempt", row.some("attempt", self.attempt)?.try_into())?,
                provider_id: self.provider_id,
            },
        })
    }
}

/// Names of labels, as the handler writes them.
fn names(json: Option<&str>) -> Result<Vec<String>, serde_json::Error> {
    serde_json::from_str(json.unwrap_or_default())
}

fn rule_named(name: &str) -> Option<Rule> {
    [
        Rule::First,
        Rule::OnlyOpen,
        Rule::AllOpen,
        Rule::Reference,
        Rule::Quote,
        Rule::NewRequested,
        Rule::Follows,
        Rule::CasesDisabled,
        Rule::Moved,
        Rule::Reaction,
        Rule::Newest,
    ]
    .into_iter()
    .find(|rule| rule.as_str() == name)
}

/// Items that are not hidden, with what follows `WHERE NOT hidden AND`.
macro_rules! items {
    ($condition:literal, $($argument:expr),+ $(,)?) => {
        sqlx::query_as!(
            RawItem,
            "SELECT reference, sequence, part, kind, at, recorded_at, author_kind, author_id, author_email, message_id,
                 direction, channel, line_id, said, content::text AS content, sent_text, provider_id, quotes, rule,
                 rule_references, delivery, delivery_reason, delivery_code, delivery_at, attempt, other, before, value,
                 closed, comment, note_id, question, at_is_arrival, rule_foreign, reaction, reaction_at, reaction_from,
                 template::text AS template
             FROM thread_items WHERE NOT hidden AND " + $condition,
            $($argument),+
        )
    };
}

// Behind the macro, which they use.
pub mod as_of;
pub mod following;
pub mod page;

fn read_all(raw: Vec<RawItem>) -> Result<Vec<ThreadItem>, sqlx::Error> {
    raw.into_iter().map(RawItem::read).collect()
}

/// At most `limit` items of a case in order, those after `after` or from the beginning.
///
/// # Errors
///
/// The database's error, or a [`RowError`](super::rows::RowError) as [`sqlx::Error::Decode`].
pub async fn page(
    executor: impl PgExecutor<'_>,
    reference: Reference,
    after: Option<Place>,
    limit: u32,
) -> Result<Vec<ThreadItem>, sqlx::Error> {
    let (sequence, part) = after.map_or((0, 0), |place| {
        (place.sequence.cast_signed(), i16::from(place.part))
    });
    // Sequences begin at 1, so nothing stands at (0, 0) or before.
    let raw = items!(
        "reference = $1 AND (sequence, part) > ($2, $3) ORDER BY sequence, part LIMIT $4",
        reference.as_i32(),
        sequence,
        part,
        i64::from(limit),
    )
    .fetch_all(executor)
    .await?;
    read_all(raw)
}

/// The first `limit` messages of a case that came, were queued or came back after the event of that sequence.
///
/// # Errors
///
/// The database's error, or a [`RowError`](super::rows::RowError) as [`sqlx::Error::Decode`].
pub async fn since(
    executor: impl PgExecutor<'_>,
    reference: Reference,
    sequence: u64,
    limit: u32,
) -> Result<Vec<ThreadItem>, sqlx::Error> {
    let raw = items!(
        "reference = $1 AND kind = 'message' AND (sequence > $2 OR message_id = ANY (ARRAY(
             SELECT i.message_id FROM thread_items i WHERE i.reference = $1 AND i.sequence > $2 AND i.kind = 'moved_in'
         ))) ORDER BY sequence, part LIMIT $3",
        reference.as_i32(),
        i64::try_from(sequence).unwrap_or(i64::MAX),
        i64::from(limit),
    )
    .fetch_all(executor)
    .await?;
    read_all(raw)
}

/// A case's notes, in order.
///
/// # Errors
///
/// The database's error, or a [`RowError`](super::rows::RowError) as [`sqlx::Error::Decode`].
pub async fn notes(
    executor: impl PgExecutor<'_>,
    reference: Reference,
) -> Result<Vec<ThreadItem>, sqlx::Error> {
    let raw = items!(
        "reference = $1 AND kind = 'note' ORDER BY sequence, part",
        reference.as_i32(),
    )
    .fetch_all(executor)
    .await?;
    read_all(raw)
}

/// A message as it stands in a case; `None` where it does not, or was moved out.
///
/// # Errors
///
/// The database's error, or a [`RowError`](super::rows::RowError) as [`sqlx::Error::Decode`].
pub async fn message(
    executor: impl PgExecutor<'_>,
    reference: Reference,
    message_id: MessageId,
) -> Result<Option<ThreadItem>, sqlx::Error> {
    items!(
        "reference = $1 AND message_id = $2 AND kind = 'message' ORDER BY sequence DESC LIMIT 1",
        reference.as_i32(),
        message_id.0,
    )
    .fetch_optional(executor)
    .await?
    .map(RawItem::read)
    .transpose()
}
