//! The readable part of a bundle: one HTML page, which needs nothing else and prints on A4.

use askama::Template;
use chrono::{DateTime, Utc};
use docket_domain::automatic::Occasion;
use docket_domain::channel::Channel;
use docket_domain::content::{Content, Media};
use docket_domain::delivery::Status;
use docket_domain::media::StoredFile;
use docket_domain::whatsapp_template::SentTemplate;
use docket_projections::history::CaseAsOf;
use docket_projections::read::cases::CaseState;
use docket_projections::read::media::{MediaRow, MediaState};
use docket_projections::read::thread::{Inbound, ItemAuthor, Outbound, ThreadItem, What};

use crate::media::words;

/// How the page begins.
#[derive(Template)]
#[template(path = "bundle/head.html")]
pub(super) struct Head<'a> {
    reference: u32,
    title: &'a str,
    contact: String,
    opened: String,
    status: String,
    assignee: &'a str,
    origin: &'a str,
    size: i64,
    signed: String,
}

impl<'a> Head<'a> {
    pub(super) fn new(
        case: &'a CaseAsOf,
        origin: &'a str,
        size: i64,
        signed_at: DateTime<Utc>,
    ) -> Self {
        let row = &case.row;
        let state = match row.state {
            CaseState::Open => "open",
            CaseState::Closed => "closed",
        };
        Self {
            reference: row.reference.get(),
            title: &row.title,
            contact: format!("+{}", row.number.as_str()),
            opened: time(row.opened_at),
            status: row
                .status
                .as_deref()
                .map_or_else(|| state.to_owned(), |status| format!("{status} ({state})")),
            assignee: row
                .assignee
                .as_ref()
                .map_or("nobody", |assignee| assignee.email.as_str()),
            origin,
            size,
            signed: time(signed_at),
        }
    }
}

/// Something that happened.
#[derive(Template)]
#[template(path = "bundle/item.html")]
struct Item {
    kind: &'static str,
    when: String,
    who: String,
    about: String,
    text: Option<String>,
    files: Vec<Carried>,
    more: Vec<String>,
}

/// A file that a message carries.
pub(super) struct Carried {
    /// Where it is in the bundle, if it is there.
    path: Option<String>,
    is_picture: bool,
    /// Its name or its kind.
    name: String,
    /// What is known of it: type, size and hash, or why it is missing.
    about: String,
}

impl Carried {
    /// `is_here`: whether the bundle has the file.
    pub(super) fn new(row: &MediaRow, is_here: bool) -> Self {
        let name = row.name.as_ref().map_or(&row.kind, |name| &name.0).clone();
        let (path, is_picture, about) = match &row.state {
            MediaState::Stored(file) => {
                let about = format!(
                    "{}, {} bytes, SHA-256 {}",
                    file.media_type, file.size, file.sha256
                );
                let is_picture = file.media_type.starts_with("image/");
                if is_here {
                    (Some(media_path(file)), is_picture, about)
                } else {
                    let about = format!("{about}; the store of media no longer has it");
                    (None, is_picture, about)
                }
            }
            state => (None, false, words::missing(state).unwrap_or_default()),
        };
        Self {
            path,
            is_picture,
            name,
            about,
        }
    }
}

/// Where a bundle has a file.
pub(super) fn media_path(file: &StoredFile) -> String {
    let extension = match file.media_type.as_str() {
        "image/jpeg" => ".jpg",
        "image/png" => ".png",
        "image/gif" => ".gif",
        "image/webp" => ".webp",
        "audio/mpeg" => ".mp3",
        "audio/mp4" => ".m4a",
        "audio/ogg" => ".ogg",
        "audio/wav" => ".wav",
        "audio/amr" => ".amr",
        "video/mp4" => ".mp4",
        "video/3gpp" => ".3gp",
        "application/pdf" => ".pdf",
        "text/plain" => ".txt",
        "text/vcard" => ".vcf",
        _ => "",
    };
    format!("media/{}{extension}", file.sha256)
}

/// How the page ends.
#[derive(Template)]
#[template(path = "bundle/foot.html")]
pub(super) struct Foot;

/// An item of the thread, as HTML.
pub(super) fn item(item: &ThreadItem, files: Vec<Carried>) -> Result<String, askama::Error> {
    let (kind, about, text, mut more) = told(&item.what);
    if let Some(reaction) = &item.reaction {
        let emoji = reaction.emoji.as_deref().map_or("an emoji", |emoji| emoji);
        more.push(format!(
            "The contact reacted: {emoji}, {}",
            time(reaction.at)
        ));
    }
    if item.at != item.recorded_at {
        more.push(format!("Recorded {}", time(item.recorded_at)));
    }
    let who = match &item.author {
        ItemAuthor::User { email, .. } => email.0.clone(),
        ItemAuthor::Automatic { occasion } => match occasion {
            Occasion::SeveralCases => "Automatic reply",
            Occasion::NewRequested => "Automatic answer to #0",
            Occasion::Greeting => "Automatic greeting",
            Occasion::OutOfHours { .. } => "Automatic text outside of office hours",
        }
        .to_owned(),
        ItemAuthor::OptOutConfirmation => "Confirmation of the opt-out".to_owned(),
        ItemAuthor::Contact => "Contact".to_owned(),
        ItemAuthor::Vonage => "Vonage".to_owned(),
        ItemAuthor::System => "Docket".to_owned(),
    };
    Item {
        kind,
        when: time(item.at),
        who,
        about,
        text,
        files,
        more,
    }
    .render()
}

fn time(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%d %H:%M:%S").to_string()
}

type Told = (&'static str, String, Option<String>, Vec<String>);

fn told(what: &What) -> Told {
    let event = |about: String| ("event", about, None, vec![]);
    match what {
        What::Inbound(message) => inbound(message),
        What::Outbound(message) => outbound(message),
        What::Note { text, .. } => (
            "note",
            "internal note".to_owned(),
            Some(text.0.clone()),
            vec![],
        ),
        What::Opened { follows, .. } => event(follows.map_or_else(
            || "case opened".to_owned(),
            |follows| format!("case opened, following #{follows}"),
        )),
        What::Status {
            question,
            before,
            value,
            closed,
        } => {
            let question = question.as_deref().unwrap_or("status");
            let before = before.as_deref().unwrap_or("none");
            let closed = if *closed {
                ", which closed the case"
            } else {
                ""
            };
            event(format!("{question}: {before} → {value}{closed}"))
        }
        What::Assigned { before, to } => {
            let name = |who: Option<&str>| who.unwrap_or("nobody").to_owned();
            event(format!(
                "assigned: {} → {}",
                name(before.as_deref().map(String::as_str)),
                name(to.as_deref().map(String::as_str))
            ))
        }
        What::Renamed { before, title } => event(format!("title: {} → {}", before.0, title.0)),
        What::MovedOut { to, comment, .. } => {
            moved(format!("a message was moved to #{to}"), comment.as_deref())
        }
        What::MovedIn { from, comment, .. } => moved(
            format!("a message was moved here from #{from}"),
            comment.as_deref(),
        ),
        What::RemovedElsewhere { from, comment, .. } => moved(
            format!("a message that stands here was moved out of #{from}"),
            comment.as_deref(),
        ),
        What::Reaction { .. } => event("a reaction to a message that is not known".to_owned()),
        What::Labels { added, removed } => {
            let changes: Vec<String> = (added.iter().map(|name| format!("+{name}")))
                .chain(removed.iter().map(|name| format!("-{name}")))
                .collect();
            event(format!("labels: {}", changes.join(", ")))
        }
        What::Snoozed { until } => event(format!("put off until {}", time(*until))),
        // What happens beside messages and has no words of its own here.
        other => event(other.kind().replace('_', " ")),
    }
}

fn moved(about: String, comment: Option<&String>) -> Told {
    ("event", about, comment.cloned(), vec![])
}

fn channel(channel: Channel) -> &'static str {
    match channel {
        Channel::Sms => "SMS",
        Channel::Whatsapp => "WhatsApp",
    }
}

fn inbound(message: &Inbound) -> Told {
    let mut more = vec![format!("Vonage's id {}", message.provider_id)];
    if message.at_is_arrival {
        more.push("The time is that of arrival, since Vonage's could not be read.".to_owned());
    }
    if let Some(quotes) = &message.quotes {
        more.push(format!("Quotes the message {quotes}"));
    }
    more.extend(carried(&message.content));
    let about = format!("inbound, {}", channel(message.channel));
    (
        "theirs",
        about,
        message.content.said().map(str::to_owned),
        more,
    )
}

fn outbound(message: &Outbound) -> Told {
    let delivery = &message.delivery;
    let state = match delivery.status {
        Status::Queued => "queued",
        Status::Sending => "sending",
        Status::Uncertain => "uncertain",
        Status::Sent => "sent",
        Status::Failed => "failed",
        Status::Delivered => "delivered",
        Status::Read => "read",
    };
    let mut about = format!("outbound, {}, {state}", channel(message.channel));
    if let Some(reason) = &delivery.reason {
        about = format!("{about}: {reason}");
    }
    if let Some(at) = delivery.at {
        about = format!("{about}, {}", time(at));
    }
    let mut more = vec![];
    if message.sent_text != message.text {
        more.push(format!("Sent as: {}", message.sent_text.0));
    }
    if let Some(template) = &message.template {
        let SentTemplate { name, locale, .. } = template;
        more.push(format!("Sent as the template {name} ({locale})"));
    }
    if let Some(id) = &delivery.provider_id {
        more.push(format!("Vonage's id {id}"));
    }
    ("ours", about, Some(message.text.0.clone()), more)
}

/// What a message carries beside words.
fn carried(content: &Content) -> Vec<String> {
    let media = |kind: &str, media: &Media| {
        let name = media
            .name
            .as_deref()
            .map_or(String::new(), |name| format!(" {name}"));
        let mut lines = vec![format!("{kind}{name}: {}", media.url)];
        lines.extend(
            media
                .more
                .iter()
                .map(|more| format!("{}: {}", more.kind, more.url)),
        );
        lines
    };
    match content {
        Content::Text { .. } => vec![],
        Content::Image(file) => media("Photo", file),
        Content::Audio(file) => media("Audio", file),
        Content::Video(file) => media("Video", file),
        Content::File(file) => media("File", file),
        Content::Sticker(file) => media("Sticker", file),
        Content::Location {
            latitude,
            longitude,
            name,
            address,
        } => {
            let parts = [name.as_deref(), address.as_deref()];
            let place: Vec<&str> = parts.into_iter().flatten().collect();
            vec![format!(
                "Place: {latitude}, {longitude} {}",
                place.join(", ")
            )]
        }
        other => vec![serde_json::to_string(other).unwrap_or_default()],
    }
}
