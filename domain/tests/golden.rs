//! The golden files: what every event looks like in the log, which keeps it for ever.
//!
//! `golden/<aggregate>/<type>.v<version>.json` holds a full example of an event; where an event has shapes that the full example
//! does not show, `<type>.<shape>.v<version>.json` holds one of them each. A file is never changed once events of its shape may
//! have been stored. When an event gets a new version, its old files stay, and are read through the upcaster from then on.
//!
//! To add one: an example below, then `DOCKET_WRITE_GOLDEN=1 cargo test -p docket-domain --test golden`, which writes files that are
//! not there and leaves all others alone.

use std::collections::BTreeSet;
use std::env;
use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use chrono::{DateTime, NaiveDate, Utc};
use cqrs_es::{Aggregate, DomainEvent};
use docket_domain::automatic::Occasion;
use docket_domain::case::{
    Assignee, Author, Case, CaseEvent, CaseLabel, InboundMessage, MediaKind, Opened, Origin,
    OutboundMedia, OutboundMessage, Reaction, StoredMedia, WakeReason,
};
use docket_domain::channel::Channel;
use docket_domain::contact::profile::{Contact, ContactEvent, OptOutCause, OptOutChange};
use docket_domain::content::{Content, Media, MoreMedia};
use docket_domain::event::Event;
use docket_domain::held::{Held, HeldBody, HeldEvent, HeldReason, HeldWebhook, WebhookKind};
use docket_domain::ids::{
    AttemptsId, ContactId, ExportId, HeldId, LabelId, LineId, MediaId, MessageId, NoteId,
    Reference, SessionId, SurveyId, TokenId, UserId, WhatsappTemplateId,
};
use docket_domain::installation::{Installation, InstallationEvent, SecretChange};
use docket_domain::label::{LabelColour, LabelEvent, Labels};
use docket_domain::line::{AutomaticTexts, HaltReason, Line, LineEvent, LineSettings};
use docket_domain::media::{MediaFailure, StoredFile};
use docket_domain::office_hours::{OfficeHours, OpenSpan, TimeZone, Weekday};
use docket_domain::people::attempts::{Attempts, AttemptsEvent, Refusal};
use docket_domain::people::export::{Export, ExportEvent, Exported, Listing, Reading, Via};
use docket_domain::people::session::{Session, SessionEvent, SignOut};
use docket_domain::people::views::{CaseViews, CaseViewsEvent};
use docket_domain::personal::Personal;
use docket_domain::routing::{Routed, Rule};
use docket_domain::survey::{StatusQuestion, Survey, SurveyEvent, SurveySettings, Template};
use docket_domain::user::preferences::{Notify, Preferences, Theme};
use docket_domain::user::{Role, User, UserEvent};
use docket_domain::whatsapp_template::{
    SentTemplate, TemplateSettings, WhatsappTemplate, WhatsappTemplateEvent,
};
use serde_json::{Number, Value, json};
use uuid::Uuid;

/// An event, and the name of its shape where it is not the full one.
struct Example {
    shape: Option<&'static str>,
    event: Event,
}

fn full(event: impl Into<Event>) -> Example {
    Example {
        shape: None,
        event: event.into(),
    }
}

fn shape(name: &'static str, event: impl Into<Event>) -> Example {
    Example {
        shape: Some(name),
        event: event.into(),
    }
}

impl Example {
    /// The path below `golden/`.
    fn path(&self) -> String {
        let (aggregate, event_type, version) = (
            aggregate_type(&self.event),
            self.event.type_name(),
            self.event.version(),
        );
        match self.shape {
            None => format!("{aggregate}/{event_type}.v{version}.json"),
            Some(shape) => format!("{aggregate}/{event_type}.{shape}.v{version}.json"),
        }
    }

    /// The JSON that the log gets.
    fn stored(&self) -> Value {
        serde_json::to_value(&self.event).expect("an event serialises")
    }

    /// The golden file's JSON.
    fn golden(&self) -> Value {
        let path = folder().join(self.path());
        let text = fs::read_to_string(&path).unwrap_or_else(|error| {
            panic!(
                "{}: {error}; DOCKET_WRITE_GOLDEN=1 writes missing files",
                path.display()
            )
        });
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }
}

fn aggregate_type(event: &Event) -> &'static str {
    match event {
        Event::Case(_) => Case::TYPE,
        Event::Contact(_) => Contact::TYPE,
        Event::Survey(_) => Survey::TYPE,
        Event::Line(_) => Line::TYPE,
        Event::Held(_) => Held::TYPE,
        Event::User(_) => User::TYPE,
        Event::Session(_) => Session::TYPE,
        Event::Attempts(_) => Attempts::TYPE,
        Event::Views(_) => CaseViews::TYPE,
        Event::Export(_) => Export::TYPE,
        Event::Installation(_) => Installation::TYPE,
        Event::Labels(_) => Labels::TYPE,
        Event::WhatsappTemplate(_) => WhatsappTemplate::TYPE,
    }
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden")
}

// What the examples are made of: plainly invented.

fn id(number: u128) -> Uuid {
    Uuid::from_u128((0x0195_7a00_0000_7000_8000 << 48) | number)
}

fn reference(number: u32) -> Reference {
    Reference::new(number).expect("a reference")
}

fn at(time: &str) -> DateTime<Utc> {
    time.parse().expect("a time")
}

fn message_id() -> MessageId {
    MessageId(id(1))
}

fn author() -> Author {
    Author::User {
        user_id: UserId(id(2)),
        email: "agent@example.com".into(),
    }
}

fn assignee(number: u128, email: &str) -> Assignee {
    Assignee {
        user_id: UserId(id(number)),
        email: email.into(),
    }
}

fn comment() -> Personal<String> {
    "An invented comment: this is another subject".into()
}

fn opened() -> Opened {
    Opened {
        reference: reference(124),
        contact_id: ContactId(id(3)),
        number: "447700900123".into(),
        survey_id: SurveyId(id(4)),
        line_id: LineId(id(5)),
        channel: Channel::Whatsapp,
        title: "Invented question about hours".into(),
        status: Some("New".into()),
        origin: Origin::Message,
        follows: Some(reference(101)),
    }
}

fn inbound(content: Content) -> InboundMessage {
    InboundMessage {
        message_id: message_id(),
        line_id: LineId(id(5)),
        channel: Channel::Whatsapp,
        from: "447700900123".into(),
        content: Personal(content),
        provider_id: "00000000-0000-4000-8000-000000000001".into(),
        at: at("2026-03-02T09:15:30.123Z"),
        at_is_arrival: false,
        quotes: Some("00000000-0000-4000-8000-000000000002".into()),
        profile_name: Some("Invented Person".into()),
    }
}

fn minimal_inbound() -> InboundMessage {
    let url = "https://media.example.com/invented/1".into();
    InboundMessage {
        channel: Channel::Sms,
        quotes: None,
        profile_name: None,
        ..inbound(Content::Image(Media {
            url,
            ..Media::default()
        }))
    }
}

fn text() -> Content {
    Content::text("An invented question: when are you open?\n#124")
}

fn outbound(author: Author) -> OutboundMessage {
    OutboundMessage {
        message_id: message_id(),
        contact_id: ContactId(id(3)),
        line_id: LineId(id(5)),
        channel: Channel::Whatsapp,
        to: "447700900123".into(),
        text: "An invented answer: from nine to five".into(),
        sent_text: "An invented answer: from nine to five #124".into(),
        author,
        references: vec![reference(124)],
        template: None,
        media: None,
    }
}

fn media() -> Media {
    Media {
        url: "https://media.example.com/invented/1".into(),
        name: Some("invented.bin".into()),
        caption: Some("An invented caption".into()),
        more: vec![MoreMedia {
            kind: "vcard".into(),
            url: "https://media.example.com/invented/2".into(),
        }],
    }
}

/// One of every kind of content, each under a rule, so that every rule is there as well.
fn contents() -> Vec<(Content, Rule)> {
    vec![
        (Content::Image(media()), Rule::First),
        (Content::Audio(media()), Rule::OnlyOpen),
        (Content::Video(media()), Rule::AllOpen),
        (Content::File(media()), Rule::Reference),
        (Content::Sticker(media()), Rule::Quote),
        (
            // These digits come out as a neighbouring number where JSON is not read to the last bit.
            Content::Location {
                latitude: Number::from_f64(-31.702_859_598_765_542).expect("no NaN"),
                longitude: Number::from_f64(-0.000_1).expect("no NaN"),
                name: Some("Invented Square".into()),
                address: Some("1 Invented Street".into()),
            },
            Rule::NewRequested,
        ),
        (
            Content::Contacts {
                contacts: vec![json!({"name": {"formatted_name": "Invented Person"}})],
            },
            Rule::Follows,
        ),
        (
            Content::Reply {
                id: Some("choice-1".into()),
                title: "An invented choice".into(),
                description: Some("What it means".into()),
            },
            Rule::CasesDisabled,
        ),
        (
            Content::Button {
                text: "An invented button".into(),
                payload: json!({"flow": {"done": true, "steps": 3}}),
                subtype: Some("flow".into()),
            },
            Rule::Moved,
        ),
        (
            Content::Order {
                order: json!({"catalog_id": "invented", "product_items": [{"item_price": 9.95, "quantity": 2}]}),
            },
            Rule::First,
        ),
        (
            Content::Reaction {
                emoji: Some("👍".into()),
                removed: false,
            },
            Rule::First,
        ),
        (
            Content::Unsupported {
                raw: json!({"message_type": "unsupported", "n": null}),
            },
            Rule::First,
        ),
        (
            Content::Unreadable {
                kind: Some("hologram".into()),
                text: Some("Look at this".into()),
                raw: r#"{"depth":12345678901234567890123.50}"#.into(),
            },
            Rule::First,
        ),
    ]
}

fn case_examples() -> Vec<Example> {
    let mut examples = beginnings();
    examples.extend(messages());
    examples.extend(deliveries());
    examples.extend(changes());
    examples.extend(moves());
    examples.extend(labels_and_snoozes());
    examples.extend(reactions());
    examples.extend(media_events());
    examples
}

fn beginnings() -> Vec<Example> {
    let by = |origin| CaseEvent::CaseOpened(Opened { origin, ..opened() });
    let minimal = Opened {
        channel: Channel::Sms,
        status: None,
        follows: None,
        ..opened()
    };
    vec![
        full(CaseEvent::CaseOpened(opened())),
        shape("minimal", CaseEvent::CaseOpened(minimal)),
        shape("record", by(Origin::Record)),
        shape("agent", by(Origin::Agent)),
        shape(
            "move",
            by(Origin::Move {
                from: reference(123),
            }),
        ),
    ]
}

fn messages() -> Vec<Example> {
    let received = |message, rule, references: &[u32]| CaseEvent::MessageReceived {
        message,
        routed: Routed::new(rule, references.iter().copied().map(reference).collect()),
    };
    let mut examples = vec![
        full(received(inbound(text()), Rule::Reference, &[123, 124])),
        shape("minimal", received(minimal_inbound(), Rule::First, &[])),
    ];
    examples.extend(
        contents()
            .into_iter()
            .map(|(content, rule)| shape(content.kind(), received(inbound(content), rule, &[124]))),
    );
    let taken_off = Content::Reaction {
        emoji: None,
        removed: true,
    };
    let with_media = OutboundMessage {
        media: Some(Box::new(OutboundMedia {
            media_id: MediaId(id(11)),
            kind: MediaKind::Image,
            file: stored_file(),
        })),
        ..outbound(author())
    };
    let automatic = OutboundMessage {
        channel: Channel::Sms,
        references: vec![reference(123), reference(124)],
        ..outbound(Author::SEVERAL_CASES)
    };
    let foreign = CaseEvent::MessageReceived {
        message: inbound(text()),
        routed: Routed {
            foreign_reference: true,
            ..Routed::new(Rule::OnlyOpen, vec![reference(124)])
        },
    };
    examples.extend([
        shape("foreign_reference", foreign),
        shape(
            "reaction_removed",
            received(inbound(taken_off), Rule::First, &[]),
        ),
        full(CaseEvent::MessageQueued(outbound(author()))),
        shape("automatic", CaseEvent::MessageQueued(automatic)),
        shape("template", CaseEvent::MessageQueued(from_template())),
        shape("media", CaseEvent::MessageQueued(with_media)),
    ]);
    examples.extend(
        [
            Occasion::Greeting,
            Occasion::NewRequested,
            Occasion::OutOfHours {
                on: NaiveDate::from_ymd_opt(2026, 3, 2).expect("a date"),
            },
        ]
        .map(|occasion| {
            let message = outbound(Author::Automatic { occasion });
            shape(occasion.as_str(), CaseEvent::MessageQueued(message))
        }),
    );
    examples
}

fn deliveries() -> Vec<Example> {
    let message_id = message_id();
    let attempt = 2;
    let at = at("2026-03-02T09:20:00Z");
    vec![
        full(CaseEvent::MessageSending {
            message_id,
            attempt,
        }),
        full(CaseEvent::MessageDeferred {
            message_id,
            attempt,
            not_before: at,
            reason: "too many requests".into(),
        }),
        full(CaseEvent::MessageSent {
            message_id,
            attempt,
            provider_id: Some("00000000-0000-4000-8000-000000000003".into()),
        }),
        shape(
            "minimal",
            CaseEvent::MessageSent {
                message_id,
                attempt,
                provider_id: None,
            },
        ),
        full(CaseEvent::MessageIdentified {
            message_id,
            attempt,
            provider_id: "00000000-0000-4000-8000-000000000003".into(),
        }),
        full(CaseEvent::MessageDelivered {
            message_id,
            attempt,
            at,
            at_is_arrival: false,
        }),
        full(CaseEvent::MessageRead {
            message_id,
            attempt,
            at,
            at_is_arrival: false,
        }),
        full(CaseEvent::MessageFailed {
            message_id,
            attempt,
            code: Some(1120),
            reason: "the number cannot be reached".into(),
        }),
        shape(
            "minimal",
            CaseEvent::MessageFailed {
                message_id,
                attempt,
                code: None,
                reason: "rejected".into(),
            },
        ),
        full(CaseEvent::MessageUncertain {
            message_id,
            attempt,
            reason: "no answer within 30 s".into(),
        }),
        full(CaseEvent::MessageRequeued {
            message: Box::new(outbound(author())),
            attempt,
        }),
    ]
}

fn changes() -> Vec<Example> {
    let agent = || Some(assignee(2, "agent@example.com"));
    let other = || Some(assignee(6, "other@example.com"));
    vec![
        full(CaseEvent::StatusChanged {
            question: Some("How far is it?".into()),
            from: Some("New".into()),
            to: "Resolved".into(),
            closed: true,
        }),
        shape(
            "minimal",
            CaseEvent::StatusChanged {
                question: None,
                from: None,
                to: "New".into(),
                closed: false,
            },
        ),
        full(CaseEvent::AssigneeChanged {
            from: agent(),
            to: other(),
        }),
        shape(
            "first",
            CaseEvent::AssigneeChanged {
                from: None,
                to: agent(),
            },
        ),
        shape(
            "nobody",
            CaseEvent::AssigneeChanged {
                from: agent(),
                to: None,
            },
        ),
        full(CaseEvent::TitleChanged {
            from: "Invented question about hours".into(),
            to: "Invented title".into(),
        }),
        full(CaseEvent::NoteAdded {
            note_id: NoteId(id(7)),
            author: author(),
            text: "An invented note".into(),
        }),
        full(CaseEvent::PeopleMentioned {
            note_id: NoteId(id(5)),
            users: vec![UserId(id(2)), UserId(id(13))],
        }),
    ]
}

fn labels_and_snoozes() -> Vec<Example> {
    let label = |number, name: &str| CaseLabel {
        label_id: LabelId(id(number)),
        name: name.into(),
    };
    let until = at("2026-03-03T09:00:00Z");
    let woken = |reason| CaseEvent::CaseWoken { until, reason };
    let changed = |from: &str, name: &str| LabelEvent::LabelChanged {
        label_id: LabelId(id(20)),
        from: from.into(),
        name: name.into(),
        colour: LabelColour::Orange,
    };
    vec![
        full(CaseEvent::LabelsChanged {
            from: vec![label(20, "Urgent")],
            to: vec![label(21, "Billing"), label(20, "Urgent")],
        }),
        shape(
            "minimal",
            CaseEvent::LabelsChanged {
                from: vec![label(20, "Urgent")],
                to: vec![],
            },
        ),
        full(CaseEvent::CaseSnoozed {
            from: Some(at("2026-03-02T15:00:00Z")),
            until,
        }),
        shape("minimal", CaseEvent::CaseSnoozed { from: None, until }),
        full(woken(WakeReason::Due)),
        shape("message", woken(WakeReason::Message)),
        shape("by_hand", woken(WakeReason::ByHand)),
        shape("closed", woken(WakeReason::Closed)),
        full(LabelEvent::LabelCreated {
            label_id: LabelId(id(20)),
            name: "Urgent".into(),
            colour: LabelColour::Red,
        }),
        full(changed("Urgent", "Today")),
        full(LabelEvent::LabelDeleted {
            label_id: LabelId(id(20)),
            name: "Today".into(),
        }),
    ]
}

fn moves() -> Vec<Example> {
    let message_id = message_id();
    vec![
        full(CaseEvent::MessageMovedOut {
            message_id,
            to: reference(125),
            made_case: true,
            comment: Some(comment()),
        }),
        shape(
            "minimal",
            CaseEvent::MessageMovedOut {
                message_id,
                to: reference(125),
                made_case: false,
                comment: None,
            },
        ),
        full(CaseEvent::MessageMovedIn {
            message: inbound(text()),
            from: reference(123),
            made_case: true,
            comment: Some(comment()),
            reaction: None,
        }),
        shape(
            "reaction",
            CaseEvent::MessageMovedIn {
                message: inbound(text()),
                from: reference(123),
                made_case: false,
                comment: None,
                reaction: Some(Box::new(reaction())),
            },
        ),
        shape(
            "minimal",
            CaseEvent::MessageMovedIn {
                message: minimal_inbound(),
                from: reference(123),
                made_case: false,
                comment: None,
                reaction: None,
            },
        ),
        full(CaseEvent::MoveUndone {
            message_id,
            to: reference(123),
            status: Some("Resolved".into()),
        }),
        shape(
            "minimal",
            CaseEvent::MoveUndone {
                message_id,
                to: reference(123),
                status: None,
            },
        ),
        full(CaseEvent::MessageReturned {
            message_id,
            from: reference(125),
            reaction: None,
        }),
        shape(
            "reaction",
            CaseEvent::MessageReturned {
                message_id,
                from: reference(125),
                reaction: Some(Box::new(reaction())),
            },
        ),
        full(CaseEvent::MessageRemovedElsewhere {
            message_id,
            from: reference(123),
            comment: Some(comment()),
        }),
        shape(
            "minimal",
            CaseEvent::MessageRemovedElsewhere {
                message_id,
                from: reference(123),
                comment: None,
            },
        ),
    ]
}

fn reaction() -> Reaction {
    Reaction {
        reaction_id: MessageId(id(9)),
        message_id: Some(message_id()),
        target_provider_id: Some("aaaaaaaa-0000-4000-8000-000000000001".into()),
        emoji: Some("👍".into()),
        removed: false,
        line_id: LineId(id(5)),
        channel: Channel::Whatsapp,
        from: "447700900123".into(),
        provider_id: "aaaaaaaa-0000-4000-8000-000000000009".into(),
        at: at("2026-03-02T09:20:00Z"),
        profile_name: Some("Invented Name".into()),
    }
}

fn reactions() -> Vec<Example> {
    let received = |reaction, rule, references: &[u32]| CaseEvent::ReactionReceived {
        reaction,
        routed: Routed::new(rule, references.iter().copied().map(reference).collect()),
    };
    let unknown = Reaction {
        message_id: None,
        target_provider_id: None,
        emoji: None,
        removed: true,
        profile_name: None,
        ..reaction()
    };
    vec![
        full(received(reaction(), Rule::Reaction, &[123, 124])),
        shape("minimal", received(unknown, Rule::Newest, &[123])),
    ]
}

fn stored_file() -> StoredFile {
    StoredFile {
        sha256: "a".repeat(64),
        size: 182_044,
        media_type: "image/jpeg".into(),
        name: Some("roof.jpg".into()),
        width: Some(1_600),
        height: Some(1_200),
    }
}

fn media_events() -> Vec<Example> {
    let nothing_more = StoredFile {
        media_type: "application/octet-stream".into(),
        name: None,
        width: None,
        height: None,
        ..stored_file()
    };
    let failed = |reason| CaseEvent::MediaFailed {
        message_id: message_id(),
        item: 0,
        reason,
    };
    let host = || "files.example.com".to_owned();
    vec![
        full(CaseEvent::MediaStored(StoredMedia::new(
            message_id(),
            0,
            stored_file(),
        ))),
        shape(
            "minimal",
            CaseEvent::MediaStored(StoredMedia::new(message_id(), 1, nothing_more)),
        ),
        full(failed(MediaFailure::TooLarge { max_mb: 100 })),
        shape("address", failed(MediaFailure::Address)),
        shape("host", failed(MediaFailure::Host { host: host() })),
        shape(
            "private_address",
            failed(MediaFailure::PrivateAddress { host: host() }),
        ),
        shape(
            "unreachable",
            failed(MediaFailure::Unreachable { host: host() }),
        ),
        shape("answered", failed(MediaFailure::Answered { status: 404 })),
        shape(
            "redirected",
            failed(MediaFailure::Redirected { host: host() }),
        ),
        shape("store", failed(MediaFailure::Store)),
        shape("expired", failed(MediaFailure::Expired)),
    ]
}

fn survey_examples() -> Vec<Example> {
    let settings = |name: &str, cases_enabled| SurveySettings {
        name: name.into(),
        cases_enabled,
        status: StatusQuestion {
            question: "How far is it?".into(),
            choices: vec!["New".into(), "Waiting".into(), "Resolved".into()],
            closed_value: "Resolved".into(),
        },
        append_reference: true,
        time_zone: TimeZone::default(),
    };
    vec![
        full(SurveyEvent::SurveyCreated {
            survey_id: SurveyId(id(4)),
            settings: settings("Help desk", true),
        }),
        full(SurveyEvent::SurveyChanged {
            settings: settings("Front desk", false),
        }),
        shape(
            "time_zone",
            SurveyEvent::SurveyChanged {
                settings: SurveySettings {
                    time_zone: TimeZone::named("Europe/London").expect("a zone"),
                    ..settings("Help desk", true)
                },
            },
        ),
        full(SurveyEvent::TemplatesChanged {
            templates: vec![
                Template {
                    name: "Opening hours".into(),
                    text: "Hello {name}, we are open from 9 to 5.\n{agent}".into(),
                },
                Template {
                    name: "Thanks".into(),
                    text: "Thank you for writing about {reference}.".into(),
                },
            ],
        }),
        shape(
            "minimal",
            SurveyEvent::TemplatesChanged { templates: vec![] },
        ),
    ]
}

fn opt_out(opted_out: bool, cause: OptOutCause, reason: Option<&str>) -> OptOutChange {
    OptOutChange {
        channel: Channel::Sms,
        opted_out,
        cause,
        reason: reason.map(Into::into),
    }
}

fn opt_outs_of_cases() -> Vec<Example> {
    let by_message = OptOutCause::Message {
        message_id: MessageId(id(1)),
    };
    let reason = Some("Asked for it by phone");
    let confirmation = OutboundMessage {
        channel: Channel::Sms,
        references: vec![reference(123)],
        ..outbound(Author::OptOutConfirmation)
    };
    vec![
        full(CaseEvent::OptOutChanged(opt_out(
            true,
            OptOutCause::Person,
            reason,
        ))),
        shape(
            "minimal",
            CaseEvent::OptOutChanged(opt_out(false, by_message, None)),
        ),
        shape(
            "opt_out_confirmation",
            CaseEvent::MessageQueued(confirmation),
        ),
    ]
}

fn contact_examples() -> Vec<Example> {
    let by_message = OptOutCause::Message {
        message_id: MessageId(id(1)),
    };
    let reason = || Some(Personal("Asked for it by phone".to_owned()));
    let out = |cause, reason| ContactEvent::ContactOptedOut {
        channel: Channel::Sms,
        cause,
        reason,
    };
    let back = |cause, reason| ContactEvent::ContactOptedIn {
        channel: Channel::Whatsapp,
        cause,
        reason,
    };
    let renamed = |from: Option<&str>, to: Option<&str>| ContactEvent::ContactRenamed {
        from: from.map(Into::into),
        to: to.map(Into::into),
    };
    vec![
        full(ContactEvent::ContactAdded {
            contact_id: ContactId(id(3)),
            survey_id: SurveyId(id(4)),
            number: "447700900123".into(),
        }),
        full(renamed(Some("J. Example"), Some("Jane Example"))),
        shape("minimal", renamed(None, None)),
        full(ContactEvent::ContactNoted {
            note: Some("Prefers mornings.".into()),
        }),
        shape("minimal", ContactEvent::ContactNoted { note: None }),
        full(out(OptOutCause::Person, reason())),
        shape("minimal", out(by_message, None)),
        shape("vonage", out(OptOutCause::Vonage { code: 1240 }, None)),
        full(back(OptOutCause::Person, reason())),
        shape("minimal", back(by_message, None)),
        full(ContactEvent::OptOutSuspected {
            channel: Channel::Sms,
            message_id: MessageId(id(1)),
        }),
    ]
}

fn line_examples() -> Vec<Example> {
    let settings = |multi_case_reply: Option<&str>| LineSettings {
        survey_id: SurveyId(id(4)),
        multi_case_reply: multi_case_reply.map(str::to_owned),
        automatic: AutomaticTexts::default(),
    };
    let added = |channel, settings| LineEvent::LineAdded {
        line_id: LineId(id(5)),
        number: "447700900000".into(),
        channel,
        settings,
    };
    let reply = Some("You have %s1 open cases (%s2).");
    vec![
        full(added(Channel::Whatsapp, settings(reply))),
        shape("minimal", added(Channel::Sms, settings(None))),
        full(LineEvent::LineChanged {
            settings: settings(reply),
        }),
        shape(
            "minimal",
            LineEvent::LineChanged {
                settings: settings(None),
            },
        ),
        shape(
            "automatic_texts",
            LineEvent::LineChanged {
                settings: LineSettings {
                    automatic: automatic_texts(),
                    ..settings(reply)
                },
            },
        ),
        full(LineEvent::LineRemoved {}),
        full(LineEvent::SendingHalted {
            reason: HaltReason::Credentials,
        }),
        shape(
            "balance",
            LineEvent::SendingHalted {
                reason: HaltReason::Balance,
            },
        ),
        full(LineEvent::SendingResumed {}),
    ]
}

fn from_template() -> OutboundMessage {
    let text = "Hello Invented Name, we see you on Monday.";
    OutboundMessage {
        channel: Channel::Whatsapp,
        text: text.into(),
        sent_text: text.into(),
        template: Some(Box::new(SentTemplate {
            name: "appointment_reminder".into(),
            locale: "en_GB".into(),
            parameters: Personal(vec!["Invented Name".into(), "Monday".into()]),
        })),
        ..outbound(author())
    }
}

fn automatic_texts() -> AutomaticTexts {
    let time = |text: &str| text.parse().expect("a time");
    AutomaticTexts {
        greeting: Some("Thank you. Your case is %ref.".into()),
        new_requested: Some("Your new case is %ref.".into()),
        office_hours: Some(OfficeHours {
            hours: vec![OpenSpan {
                day: Weekday::Monday,
                opens: time("09:00"),
                closes: time("17:30"),
            }],
            holidays: vec![NaiveDate::from_ymd_opt(2026, 12, 25).expect("a date")],
            text: "We are closed. We answer %ref from 9 on.".into(),
        }),
        opt_out_confirmation: Some("You are unsubscribed.".into()),
    }
}

fn template_examples() -> Vec<Example> {
    let settings = |body: &str| TemplateSettings {
        name: "appointment_reminder".into(),
        locale: "en_GB".into(),
        body: body.into(),
        line_id: LineId(id(5)),
    };
    vec![
        full(WhatsappTemplateEvent::WhatsappTemplateAdded {
            template_id: WhatsappTemplateId(id(14)),
            settings: settings("Hello {{1}}, we see you on {{2}}."),
        }),
        full(WhatsappTemplateEvent::WhatsappTemplateChanged {
            settings: settings("Hello {{1}}, we expect you on {{2}}."),
        }),
        full(WhatsappTemplateEvent::WhatsappTemplateRemoved {}),
    ]
}

fn held_examples() -> Vec<Example> {
    let webhook = |reason| HeldWebhook {
        held_id: HeldId(id(8)),
        kind: WebhookKind::Inbound,
        reason,
        detail: "no line has that number on that channel".into(),
        provider_id: Some("00000000-0000-4000-8000-000000000004".into()),
        to: Some("447700900999".into()),
        from: Some("447700900123".into()),
        body: Personal(HeldBody::Text(r#"{"text":"An invented text"}"#.into())),
    };
    let minimal = HeldWebhook {
        detail: "it is not JSON".into(),
        provider_id: None,
        to: None,
        from: None,
        body: Personal(HeldBody::Hex("ff00".into())),
        ..webhook(HeldReason::Undecodable)
    };
    let unknown_message = HeldWebhook {
        kind: WebhookKind::Status,
        ..webhook(HeldReason::UnknownMessage)
    };
    vec![
        full(HeldEvent::WebhookHeld(webhook(HeldReason::UnknownLine))),
        shape("minimal", HeldEvent::WebhookHeld(minimal)),
        shape(
            "unknown_type",
            HeldEvent::WebhookHeld(webhook(HeldReason::UnknownType)),
        ),
        shape("unknown_message", HeldEvent::WebhookHeld(unknown_message)),
        shape(
            "too_many_open_cases",
            HeldEvent::WebhookHeld(webhook(HeldReason::TooManyOpenCases)),
        ),
        full(HeldEvent::WebhookRouted {
            message_id: message_id(),
            references: vec![reference(123), reference(124)],
        }),
    ]
}

fn user_examples() -> Vec<Example> {
    let token_id = TokenId(id(9));
    vec![
        full(UserEvent::UserAdded {
            user_id: UserId(id(2)),
            email: "agent@example.com".into(),
            role: Role::Owner,
        }),
        full(UserEvent::ServiceAccountAdded {
            user_id: UserId(id(13)),
            name: "Night import".into(),
            role: Role::Agent,
        }),
        full(UserEvent::RoleChanged {
            from: Role::Agent,
            to: Role::Auditor,
        }),
        full(UserEvent::SurveyAccessChanged {
            surveys: Some(vec![SurveyId(id(6)), SurveyId(id(10))]),
        }),
        shape("all", UserEvent::SurveyAccessChanged { surveys: None }),
        full(UserEvent::UserNamed {
            name: Some("Invented Person".into()),
        }),
        shape("none", UserEvent::UserNamed { name: None }),
        full(UserEvent::PreferencesChanged {
            preferences: Preferences {
                theme: Theme::Dark,
                time_zone: Some("Europe/Berlin".to_owned()),
                next_case: true,
                notify: Notify {
                    assignment: true,
                    mention: true,
                    message: false,
                    sound: true,
                },
            },
        }),
        full(UserEvent::PasswordChanged {}),
        full(UserEvent::UserRemoved {}),
        full(UserEvent::TokenCreated {
            token_id,
            name: "reports".into(),
        }),
        full(UserEvent::TokenRevoked { token_id }),
    ]
}

fn people_examples() -> Vec<Example> {
    let signed_in = |from: Option<Personal<String>>| SessionEvent::SignedIn {
        session_id: SessionId(id(10)),
        user_id: UserId(id(2)),
        email: "agent@example.com".into(),
        browser: "Firefox on Linux".into(),
        from,
        until: at("2026-04-01T09:00:00Z"),
    };
    let failed = |email: Option<Personal<String>>, why| AttemptsEvent::SignInFailed {
        attempts_id: AttemptsId(id(11)),
        user_id: email.as_ref().map(|_| UserId(id(2))),
        from: email.as_ref().map(|_| "127.0.0.1".into()),
        email,
        why,
        at: at("2026-03-02T09:15:30.125Z"),
    };
    let viewed = |token_id| CaseViewsEvent::CaseViewed {
        reference: reference(123),
        user_id: UserId(id(2)),
        token_id,
        at: at("2026-03-02T09:15:30.125Z"),
    };
    let begun = |via, since, until| ExportEvent::ExportBegun {
        export_id: ExportId(id(12)),
        what: Exported::Log,
        via,
        from: 1,
        to: 4_711,
        since,
        until,
        reference: None,
    };
    let case_begun = ExportEvent::ExportBegun {
        export_id: ExportId(id(12)),
        what: Exported::Case,
        via: Via::Api,
        from: 311,
        to: 4_711,
        since: None,
        until: None,
        reference: Some(reference(123)),
    };
    let read = |via, how| ExportEvent::LogRead {
        export_id: ExportId(id(14)),
        via,
        how,
        from: 4_661,
        events: if how == Reading::Stream { 0 } else { 50 },
        at: at("2026-03-02T09:15:30.125Z"),
    };
    let (first, last) = (at("2026-02-01T00:00:00Z"), at("2026-03-01T00:00:00Z"));
    vec![
        full(signed_in(Some("127.0.0.1".into()))),
        shape("minimal", signed_in(None)),
        full(SessionEvent::SignedOut { how: SignOut::Here }),
        shape(
            "elsewhere",
            SessionEvent::SignedOut {
                how: SignOut::Elsewhere,
            },
        ),
        shape(
            "everywhere",
            SessionEvent::SignedOut {
                how: SignOut::Everywhere,
            },
        ),
        full(failed(Some("agent@example.com".into()), Refusal::Wrong)),
        shape("minimal", failed(None, Refusal::TooOften)),
        full(AttemptsEvent::SignInFailedAgain {
            times: 41,
            until: at("2026-03-02T09:24:11Z"),
        }),
        full(viewed(Some(TokenId(id(9))))),
        shape("minimal", viewed(None)),
        full(begun(Via::Console, Some(first), Some(last))),
        shape("api", begun(Via::Api, Some(first), None)),
        shape("minimal", begun(Via::CommandLine, None, None)),
        shape("case", case_begun),
        full(ExportEvent::ExportEnded {
            events: 4_711,
            is_whole: true,
        }),
        full(read(Via::Api, Reading::Pages)),
        shape("stream", read(Via::Api, Reading::Stream)),
        shape("search", read(Via::Console, Reading::Search)),
        full(ExportEvent::LogReadOn {
            events: 150,
            to: 4_860,
            until: at("2026-03-02T09:48:02Z"),
        }),
    ]
}

fn listing_examples() -> Vec<Example> {
    let listed = |via, how| ExportEvent::CasesListed {
        export_id: ExportId(id(12)),
        via,
        how,
        at: at("2026-03-02T09:15:30.125Z"),
    };
    vec![
        full(listed(Via::Api, Listing::Search)),
        shape("list", listed(Via::Console, Listing::List)),
        shape("contacts", listed(Via::Console, Listing::Contacts)),
        shape("contact_search", listed(Via::Api, Listing::ContactSearch)),
        full(ExportEvent::CasesListedOn {
            times: 7,
            until: at("2026-03-02T09:45:30.125Z"),
        }),
    ]
}

fn installation_examples() -> Vec<Example> {
    let changed = |application_id: Option<&str>, signature_secret, private_key| {
        InstallationEvent::VonageChanged {
            application_id: application_id.map(str::to_owned),
            signature_secret,
            private_key,
        }
    };
    vec![
        full(changed(
            Some("00000000-0000-4000-8000-00000000d0c7"),
            SecretChange::Entered,
            SecretChange::Kept,
        )),
        shape(
            "minimal",
            changed(None, SecretChange::Kept, SecretChange::Removed),
        ),
    ]
}

fn examples() -> Vec<Example> {
    [
        case_examples(),
        contact_examples(),
        opt_outs_of_cases(),
        survey_examples(),
        line_examples(),
        held_examples(),
        user_examples(),
        people_examples(),
        listing_examples(),
        installation_examples(),
        template_examples(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// The names of all variants of an enum, and a function that names a value's variant. A variant that is missing here does not
/// compile.
macro_rules! variants {
    ($type:ident: $($variant:ident),+ $(,)?) => {
        (
            BTreeSet::from([$(stringify!($variant)),+]),
            |value: &$type| match value {
                $($type::$variant { .. } => stringify!($variant)),+
            },
        )
    };
}

/// Writes the files that are not there, if it is asked to.
fn write_missing(examples: &[Example]) {
    if env::var_os("DOCKET_WRITE_GOLDEN").is_none_or(|value| value != "1") {
        return;
    }
    for example in examples {
        let path = folder().join(example.path());
        let parent = path.parent().expect("a file lies in a folder");
        fs::create_dir_all(parent).expect("the folder can be made");
        let mut file = match File::create_new(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::AlreadyExists => continue,
            Err(error) => panic!("{}: {error}", path.display()),
        };
        let json = serde_json::to_string_pretty(&example.event).expect("an event serialises");
        writeln!(file, "{json}").expect("the file can be written");
    }
}

/// Every file below `golden/`, as `<aggregate>/<name>`.
fn files() -> BTreeSet<String> {
    let mut files = BTreeSet::new();
    for aggregate in fs::read_dir(folder()).expect("the folder of golden files") {
        let aggregate = aggregate.expect("a folder for each aggregate");
        let name = aggregate.file_name().into_string().expect("plain names");
        for file in fs::read_dir(aggregate.path()).expect("golden/ holds folders only") {
            let file = file.expect("a golden file").file_name();
            files.insert(format!(
                "{name}/{}",
                file.into_string().expect("plain names")
            ));
        }
    }
    files
}

/// Whether the path is that of an older version of one of these events.
fn is_older(path: &str, examples: &[Example]) -> bool {
    let version = |path: &str| {
        let (_, version) = path.strip_suffix(".json")?.rsplit_once(".v")?;
        version.parse::<u32>().ok()
    };
    let event = |path: &str| path.split('.').next().map(str::to_owned);
    examples.iter().map(Example::path).any(|today| {
        event(&today) == event(path) && version(path).is_some_and(|old| Some(old) < version(&today))
    })
}

#[test]
fn events_are_stored_as_their_golden_files_say() {
    let examples = examples();
    write_missing(&examples);
    for example in &examples {
        assert_eq!(example.stored(), example.golden(), "{}", example.path());
        let payload = example.golden().to_string();
        let read = Event::from_json(aggregate_type(&example.event), &payload)
            .unwrap_or_else(|error| panic!("{}: {error}", example.path()));
        assert_eq!(read, example.event, "{}", example.path());
    }
    let today: BTreeSet<_> = examples.iter().map(Example::path).collect();
    assert_eq!(today.len(), examples.len(), "two examples have one name");
    let stray: Vec<_> = files()
        .difference(&today)
        .filter(|path| !is_older(path, &examples))
        .cloned()
        .collect();
    assert!(stray.is_empty(), "no event is stored like {stray:?}");
}

#[test]
fn every_event_type_has_a_full_example() {
    let of = |aggregate: &str| -> Vec<_> {
        let full = examples()
            .into_iter()
            .filter(|example| example.shape.is_none());
        full.filter(|example| aggregate_type(&example.event) == aggregate)
            .map(|example| example.event.type_name())
            .collect()
    };
    let sorted = |types: &[&'static str]| -> BTreeSet<_> { types.iter().copied().collect() };
    for (aggregate, types) in [
        (Case::TYPE, CaseEvent::TYPES.as_slice()),
        (Contact::TYPE, ContactEvent::TYPES.as_slice()),
        (Survey::TYPE, SurveyEvent::TYPES.as_slice()),
        (Line::TYPE, LineEvent::TYPES.as_slice()),
        (Held::TYPE, HeldEvent::TYPES.as_slice()),
        (User::TYPE, UserEvent::TYPES.as_slice()),
        (Session::TYPE, SessionEvent::TYPES.as_slice()),
        (Attempts::TYPE, AttemptsEvent::TYPES.as_slice()),
        (CaseViews::TYPE, CaseViewsEvent::TYPES.as_slice()),
        (Export::TYPE, ExportEvent::TYPES.as_slice()),
        (Installation::TYPE, InstallationEvent::TYPES.as_slice()),
        (Labels::TYPE, LabelEvent::TYPES.as_slice()),
        (
            WhatsappTemplate::TYPE,
            WhatsappTemplateEvent::TYPES.as_slice(),
        ),
    ] {
        assert_eq!(sorted(&of(aggregate)), sorted(types), "{aggregate}");
        assert_eq!(
            of(aggregate).len(),
            types.len(),
            "{aggregate}: one full example each"
        );
    }
}

#[test]
fn a_full_example_leaves_no_field_empty() {
    fn has_null(value: &Value) -> bool {
        match value {
            Value::Null => true,
            Value::Array(values) => values.iter().any(has_null),
            Value::Object(fields) => fields.values().any(has_null),
            _ => false,
        }
    }
    for example in examples().iter().filter(|example| example.shape.is_none()) {
        assert!(!has_null(&example.stored()), "{}", example.path());
    }
}

#[test]
fn an_event_is_named_by_its_variant() {
    for example in examples() {
        let Value::Object(stored) = example.stored() else {
            panic!("{}", example.path())
        };
        let names: Vec<_> = stored.keys().map(String::as_str).collect();
        assert_eq!(names, [example.event.type_name()], "{}", example.path());
        let (event_type, version) = match &example.event {
            Event::Case(event) => (event.event_type(), event.event_version()),
            Event::Contact(event) => (event.event_type(), event.event_version()),
            Event::Survey(event) => (event.event_type(), event.event_version()),
            Event::Line(event) => (event.event_type(), event.event_version()),
            Event::Held(event) => (event.event_type(), event.event_version()),
            Event::User(event) => (event.event_type(), event.event_version()),
            Event::Session(event) => (event.event_type(), event.event_version()),
            Event::Attempts(event) => (event.event_type(), event.event_version()),
            Event::Views(event) => (event.event_type(), event.event_version()),
            Event::Export(event) => (event.event_type(), event.event_version()),
            Event::Installation(event) => (event.event_type(), event.event_version()),
            Event::Labels(event) => (event.event_type(), event.event_version()),
            Event::WhatsappTemplate(event) => (event.event_type(), event.event_version()),
        };
        assert_eq!(event_type, example.event.type_name());
        assert_eq!(version, example.event.version());
    }
}

#[test]
fn the_lists_of_event_types_are_complete() {
    let (case, case_name) = variants!(CaseEvent: CaseOpened, MessageReceived, MessageQueued, MessageSending, MessageDeferred,
        MessageSent, MessageIdentified, MessageDelivered, MessageRead, MessageFailed, MessageUncertain, MessageRequeued, StatusChanged,
        AssigneeChanged, TitleChanged, NoteAdded, PeopleMentioned, MessageMovedOut, MessageMovedIn, MoveUndone, MessageReturned,
        MessageRemovedElsewhere, ReactionReceived, OptOutChanged, MediaStored, MediaFailed, LabelsChanged, CaseSnoozed, CaseWoken);
    let (label, label_name) = variants!(LabelEvent: LabelCreated, LabelChanged, LabelDeleted);
    assert_eq!(BTreeSet::from(LabelEvent::TYPES), label);
    let (survey, survey_name) =
        variants!(SurveyEvent: SurveyCreated, SurveyChanged, TemplatesChanged);
    let (line, line_name) =
        variants!(LineEvent: LineAdded, LineChanged, LineRemoved, SendingHalted, SendingResumed);
    let (held, held_name) = variants!(HeldEvent: WebhookHeld, WebhookRouted);
    let (user, user_name) = variants!(UserEvent: UserAdded, ServiceAccountAdded, RoleChanged, SurveyAccessChanged, UserNamed, PreferencesChanged, PasswordChanged, UserRemoved, TokenCreated, TokenRevoked);
    assert_eq!(BTreeSet::from(CaseEvent::TYPES), case);
    assert_eq!(BTreeSet::from(SurveyEvent::TYPES), survey);
    assert_eq!(BTreeSet::from(LineEvent::TYPES), line);
    assert_eq!(BTreeSet::from(HeldEvent::TYPES), held);
    let (installation, installation_name) = variants!(InstallationEvent: VonageChanged);
    assert_eq!(BTreeSet::from(UserEvent::TYPES), user);
    assert_eq!(BTreeSet::from(InstallationEvent::TYPES), installation);
    let (template, template_name) = variants!(WhatsappTemplateEvent: WhatsappTemplateAdded, WhatsappTemplateChanged, WhatsappTemplateRemoved);
    assert_eq!(BTreeSet::from(WhatsappTemplateEvent::TYPES), template);
    for example in examples() {
        let variant = match &example.event {
            Event::Case(event) => case_name(event),
            Event::Contact(event) => event.type_name(),
            Event::Survey(event) => survey_name(event),
            Event::Line(event) => line_name(event),
            Event::Held(event) => held_name(event),
            Event::User(event) => user_name(event),
            // Their types are listed by the macro that makes the enum's names, and cannot be forgotten.
            Event::Session(event) => event.type_name(),
            Event::Attempts(event) => event.type_name(),
            Event::Views(event) => event.type_name(),
            Event::Export(event) => event.type_name(),
            Event::Installation(event) => installation_name(event),
            Event::Labels(event) => label_name(event),
            Event::WhatsappTemplate(event) => template_name(event),
        };
        assert_eq!(example.event.type_name(), variant);
    }
}

#[test]
fn every_kind_of_content_rule_and_origin_has_an_example() {
    let (contents, content) = variants!(Content: Text, Image, Audio, Video, File, Sticker, Location, Contacts, Reply, Button,
        Order, Reaction, Unsupported, Unreadable);
    let (rules, rule) = variants!(Rule: First, OnlyOpen, AllOpen, Reference, Quote, NewRequested, Follows, CasesDisabled, Moved,
        Reaction, Newest);
    let (origins, origin) = variants!(Origin: Message, Record, Agent, Move);
    let (authors, author) = variants!(Author: User, Automatic, OptOutConfirmation);
    let (channels, channel) = variants!(Channel: Sms, Whatsapp);
    let mut shown = [const { BTreeSet::new() }; 5];
    for example in examples() {
        match &example.event {
            Event::Case(CaseEvent::MessageReceived { message, routed }) => {
                shown[0].insert(content(&message.content));
                shown[1].insert(rule(&routed.rule));
                shown[4].insert(channel(&message.channel));
            }
            Event::Case(CaseEvent::ReactionReceived { routed, .. }) => {
                shown[1].insert(rule(&routed.rule));
            }
            Event::Case(CaseEvent::CaseOpened(opened)) => {
                shown[2].insert(origin(&opened.origin));
            }
            Event::Case(CaseEvent::MessageQueued(message)) => {
                shown[3].insert(author(&message.author));
            }
            _ => {}
        }
    }
    assert_eq!(shown, [contents, rules, origins, authors, channels]);
}

#[test]
fn every_reason_and_role_has_an_example() {
    let (halts, halt) = variants!(HaltReason: Credentials, Balance);
    let (reasons, reason) = variants!(HeldReason: UnknownLine, Undecodable, UnknownType, UnknownMessage, TooManyOpenCases);
    let (kinds, kind) = variants!(WebhookKind: Inbound, Status);
    let (bodies, body) = variants!(HeldBody: Text, Hex);
    let (roles, role) = variants!(Role: Owner, Agent, Auditor);
    let mut shown = [const { BTreeSet::new() }; 5];
    for example in examples() {
        match &example.event {
            Event::Line(LineEvent::SendingHalted { reason }) => {
                shown[0].insert(halt(reason));
            }
            Event::Held(HeldEvent::WebhookHeld(webhook)) => {
                shown[1].insert(reason(&webhook.reason));
                shown[2].insert(kind(&webhook.kind));
                shown[3].insert(body(&webhook.body));
            }
            Event::User(UserEvent::UserAdded { role: added, .. }) => {
                shown[4].insert(role(added));
            }
            Event::User(UserEvent::RoleChanged { from, to }) => {
                shown[4].extend([role(from), role(to)]);
            }
            _ => {}
        }
    }
    assert_eq!(shown, [halts, reasons, kinds, bodies, roles]);
    let (changes, change) = variants!(SecretChange: Kept, Entered, Removed);
    let mut shown_changes = BTreeSet::new();
    for example in examples() {
        if let Event::Installation(InstallationEvent::VonageChanged {
            signature_secret,
            private_key,
            ..
        }) = &example.event
        {
            shown_changes.extend([change(signature_secret), change(private_key)]);
        }
    }
    assert_eq!(shown_changes, changes);
}

/// The examples' texts and names all speak of something invented.
#[test]
fn debug_output_shows_nothing_personal() {
    for example in examples() {
        let shown = format!("{:?}", example.event);
        for personal in [
            "447700900123",
            "447700900999",
            "agent@",
            "other@",
            "nvented ",
        ] {
            assert!(!shown.contains(personal), "{}: {shown}", example.path());
        }
    }
}

#[test]
fn only_a_file_of_an_older_version_may_have_no_example() {
    let examples = examples();
    assert!(is_older("Case/MessageSent.v0.json", &examples));
    assert!(is_older("Case/MessageSent.minimal.v0.json", &examples));
    for stray in [
        "Case/MessageSent.v2.json",
        "Case/MessageSent.other.v1.json",
        "Case/MessageLost.v0.json",
        "Line/MessageSent.v0.json",
        "Case/MessageSent.json",
    ] {
        assert!(!is_older(stray, &examples), "{stray}");
    }
}
