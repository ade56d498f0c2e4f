//! Events in words: one sentence each, for the terminal, the console and whoever reads an export.

mod contacts;
mod labels;
pub(super) mod media;
mod outgoing;

use std::fmt::Write as _;

use std::fmt;

use chrono::{DateTime, Utc};
use docket_domain::case::{
    Assignee, Author, CaseEvent, InboundMessage, Opened, Origin, OutboundMessage, Reaction,
};
use docket_domain::channel::Channel;
use docket_domain::content::Content;
use docket_domain::event::Event;
use docket_domain::held::{HeldEvent, HeldReason, WebhookKind};
use docket_domain::ids::{MessageId, Reference};
use docket_domain::installation::{InstallationEvent, SecretChange};
use docket_domain::line::{HaltReason, LineEvent, LineSettings};
use docket_domain::people::attempts::{AttemptsEvent, Refusal};
use docket_domain::people::export::{ExportEvent, Exported, Listing, Reading, Via};
use docket_domain::people::session::{SessionEvent, SignOut};
use docket_domain::people::views::CaseViewsEvent;
use docket_domain::personal::Personal;
use docket_domain::routing::{Routed, Rule};
use docket_domain::survey::{SurveyEvent, SurveySettings};
use docket_domain::user::UserEvent;
use docket_domain::user::preferences::{Notify, Preferences};

use crate::log::recorded::{Actor, Recorded};

/// Who did or said something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Who<'a> {
    /// A person who signed in, or a token of theirs, by their address at that time.
    User(&'a str),
    /// The contact, by their number.
    Contact(&'a str),
    /// The automatic reply.
    Automatic,
    /// Vonage.
    Vonage,
    /// Docket itself, or somebody at its command line.
    System,
}

impl fmt::Display for Who<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::User(email) => email,
            Self::Contact(number) => number,
            Self::Automatic => "automatic reply",
            Self::Vonage => "Vonage",
            Self::System => "Docket",
        })
    }
}

/// Who did it: a message or reaction that came in is the contact's, whoever brought it.
pub fn who(recorded: &Recorded) -> Who<'_> {
    match (&recorded.event, &recorded.metadata.actor) {
        (Event::Case(CaseEvent::MessageReceived { message, .. }), _) => Who::Contact(&message.from),
        (Event::Case(CaseEvent::ReactionReceived { reaction, .. }), _) => {
            Who::Contact(&reaction.from)
        }
        (Event::Case(CaseEvent::CaseOpened(opened)), Actor::Vonage) => Who::Contact(&opened.number),
        (Event::Case(CaseEvent::MessageQueued(message)), _) if message.author.is_automatic() => {
            Who::Automatic
        }
        (_, Actor::User { email, .. }) => Who::User(email),
        (_, Actor::Vonage) => Who::Vonage,
        (_, Actor::System) => Who::System,
    }
}

/// When Vonage says that it happened, where Vonage says anything; when it was recorded is another matter.
pub const fn happened_at(recorded: &Recorded) -> Option<DateTime<Utc>> {
    match &recorded.event {
        Event::Case(
            CaseEvent::MessageReceived { message, .. } | CaseEvent::MessageMovedIn { message, .. },
        ) => Some(message.at),
        Event::Case(CaseEvent::ReactionReceived { reaction, .. }) => Some(reaction.at),
        Event::Case(CaseEvent::MessageDelivered { at, .. } | CaseEvent::MessageRead { at, .. }) => {
            Some(*at)
        }
        _ => None,
    }
}

/// Vonage's id of the message that the event speaks of, where the event names it.
pub fn provider_id(recorded: &Recorded) -> Option<&str> {
    match &recorded.event {
        Event::Case(
            CaseEvent::MessageReceived { message, .. } | CaseEvent::MessageMovedIn { message, .. },
        ) => Some(&message.provider_id),
        Event::Case(CaseEvent::ReactionReceived { reaction, .. }) => Some(&reaction.provider_id),
        Event::Case(CaseEvent::MessageSent { provider_id, .. }) => provider_id.as_deref(),
        Event::Case(CaseEvent::MessageIdentified { provider_id, .. }) => Some(provider_id),
        Event::Held(HeldEvent::WebhookHeld(webhook)) => webhook.provider_id.as_deref(),
        _ => None,
    }
}

/// The event in one sentence, with what was said. It holds personal data: it is for people who may read cases, never for logs.
pub fn describe(recorded: &Recorded) -> String {
    match &recorded.event {
        Event::Case(event) => of_case(event),
        Event::Contact(event) => contacts::of_contact(event),
        Event::Survey(event) => of_survey(event),
        Event::Line(event) => of_line(event),
        Event::Held(event) => of_held(event),
        Event::User(event) => of_user(event),
        Event::Session(event) => of_session(event),
        Event::Attempts(event) => of_attempts(event),
        Event::Views(event) => of_views(event),
        Event::Export(event) => of_export(event),
        Event::Installation(event) => of_installation(event),
        Event::Labels(event) => labels::of_labels(event),
        Event::WhatsappTemplate(event) => outgoing::of_template(event),
    }
}

fn of_case(event: &CaseEvent) -> String {
    match event {
        CaseEvent::CaseOpened(opened) => begun(opened),
        CaseEvent::MessageReceived { message, routed } => {
            format!("{}; {}", said(message), why(routed))
        }
        CaseEvent::ReactionReceived { reaction, routed } => {
            format!("{}; {}", reacted(reaction), why(routed))
        }
        CaseEvent::MessageQueued(message) => queued(message),
        CaseEvent::StatusChanged {
            question,
            from,
            to,
            closed,
        } => status(question.as_deref(), from.as_deref(), to, *closed),
        CaseEvent::AssigneeChanged { from, to } => assigned(from.as_ref(), to.as_ref()),
        CaseEvent::TitleChanged { from, to } => renamed(from, to),
        CaseEvent::NoteAdded { author, text, .. } => match author {
            Author::User { email, .. } => format!("{} noted {}", email.0, quoted(text)),
            Author::Automatic { .. } | Author::OptOutConfirmation => {
                format!("Noted: {}", quoted(text))
            }
        },
        CaseEvent::PeopleMentioned { users, .. } => mentioned(users.len()),
        CaseEvent::MessageMovedOut {
            message_id,
            to,
            made_case,
            comment,
        } => {
            let whither = if *made_case { "a new case, " } else { "" };
            let comment = commented(comment.as_ref());
            format!(
                "{} was moved to {whither}#{to}{comment}",
                named(*message_id)
            )
        }
        CaseEvent::MessageMovedIn {
            message,
            from,
            made_case,
            comment,
            reaction,
        } => {
            let made = if *made_case {
                ", which made this case"
            } else {
                ""
            };
            let comment = commented(comment.as_ref());
            let message = said(message);
            let reaction = with_reaction(reaction.as_deref());
            format!("Moved here from #{from}{made}: {message}{reaction}{comment}")
        }
        CaseEvent::MoveUndone {
            message_id,
            to,
            status,
        } => {
            let status = status.as_deref().map_or_else(String::new, |status| {
                format!(" with the status {}", quoted(status))
            });
            format!(
                "The move that made this case was undone: {} went back to #{to}, and the case is closed for good{status}",
                lower(*message_id)
            )
        }
        CaseEvent::MessageReturned {
            message_id,
            from,
            reaction,
        } => {
            let reaction = with_reaction(reaction.as_deref());
            format!(
                "{} came back from #{from}, to where it stood{reaction}",
                named(*message_id)
            )
        }
        CaseEvent::MessageRemovedElsewhere {
            message_id,
            from,
            comment,
        } => {
            let comment = commented(comment.as_ref());
            format!(
                "{} was moved here from #{from}, where it stood too{comment}",
                named(*message_id)
            )
        }
        CaseEvent::OptOutChanged(change) => contacts::opt_out(change),
        CaseEvent::LabelsChanged { .. }
        | CaseEvent::CaseSnoozed { .. }
        | CaseEvent::CaseWoken { .. } => labels::of_case(event),
        _ => media::of_media(event).unwrap_or_else(|| delivery(event)),
    }
}

fn mentioned(colleagues: usize) -> String {
    match colleagues {
        1 => "The note mentions a colleague".to_owned(),
        count => format!("The note mentions {count} colleagues"),
    }
}

fn renamed(from: &str, to: &str) -> String {
    format!("The title changed from {} to {}", quoted(from), quoted(to))
}

fn delivery(event: &CaseEvent) -> String {
    match event {
        CaseEvent::MessageSending {
            message_id,
            attempt,
        } => {
            format!(
                "{} is handed to Vonage{}",
                named(*message_id),
                numbered(*attempt)
            )
        }
        CaseEvent::MessageDeferred {
            message_id,
            attempt,
            not_before,
            reason,
        } => format!(
            "Vonage could not take {} now ({reason}); it is offered again from {} on{}",
            lower(*message_id),
            not_before.format("%H:%M:%S UTC"),
            numbered(*attempt)
        ),
        CaseEvent::MessageSent {
            message_id,
            attempt,
            ..
        } => {
            format!("Vonage took {}{}", lower(*message_id), numbered(*attempt))
        }
        CaseEvent::MessageIdentified {
            message_id,
            attempt,
            provider_id,
        } => format!(
            "Vonage calls {} {provider_id}{}",
            lower(*message_id),
            numbered(*attempt)
        ),
        CaseEvent::MessageDelivered {
            message_id,
            attempt,
            at_is_arrival,
            ..
        } => format!(
            "{} was delivered{}{}",
            named(*message_id),
            numbered(*attempt),
            of_arrival(*at_is_arrival)
        ),
        CaseEvent::MessageRead {
            message_id,
            attempt,
            at_is_arrival,
            ..
        } => format!(
            "{} was read{}{}",
            named(*message_id),
            numbered(*attempt),
            of_arrival(*at_is_arrival)
        ),
        CaseEvent::MessageFailed {
            message_id,
            attempt,
            code,
            reason,
        } => {
            let code = code.map_or_else(String::new, |code| format!(", Vonage's code {code}"));
            format!(
                "{} failed: {reason}{code}{}",
                named(*message_id),
                numbered(*attempt)
            )
        }
        CaseEvent::MessageUncertain {
            message_id,
            attempt,
            reason,
        } => format!(
            "Whether Vonage took {} is not known: {reason}{}",
            lower(*message_id),
            numbered(*attempt)
        ),
        CaseEvent::MessageRequeued { message, attempt } => {
            format!(
                "{} is to be sent again{}",
                named(message.message_id),
                numbered(*attempt)
            )
        }
        // Told elsewhere; a kind that is forgotten here still has its name.
        other => other.type_name().to_owned(),
    }
}

fn of_survey(event: &SurveyEvent) -> String {
    match event {
        SurveyEvent::SurveyCreated { settings, .. } => {
            format!(
                "Survey {} was created: {}",
                quoted(&settings.name),
                survey(settings)
            )
        }
        SurveyEvent::SurveyChanged { settings } => {
            format!(
                "Survey {} was changed: {}",
                quoted(&settings.name),
                survey(settings)
            )
        }
        SurveyEvent::TemplatesChanged { templates } => {
            let names: Vec<String> = templates
                .iter()
                .map(|template| quoted(&template.name))
                .collect();
            match names.as_slice() {
                [] => "The survey has no templates of answers any more".to_owned(),
                names => format!("The survey's templates of answers are {}", names.join(", ")),
            }
        }
    }
}

fn survey(settings: &SurveySettings) -> String {
    let cases = if settings.cases_enabled {
        "cases enabled"
    } else {
        "cases disabled"
    };
    let references = if settings.append_reference {
        "with"
    } else {
        "without"
    };
    let zone = if settings.time_zone.is_utc() {
        String::new()
    } else {
        format!("; the time zone is {}", settings.time_zone)
    };
    let status = &settings.status;
    let choices: Vec<String> = status.choices.iter().map(|choice| quoted(choice)).collect();
    format!(
        "{cases}; {} asks {} of {}, and {} closes; replies go out {references} the reference{zone}",
        "the status question",
        quoted(&status.question),
        choices.join(", "),
        quoted(&status.closed_value),
    )
}

fn of_line(event: &LineEvent) -> String {
    let reply = |settings: &LineSettings| {
        let reply = settings.multi_case_reply.as_deref().map_or_else(
            || "without an automatic reply".to_owned(),
            |reply| format!("with the automatic reply {}", quoted(reply)),
        );
        format!("{reply}{}", outgoing::texts(&settings.automatic))
    };
    match event {
        LineEvent::LineAdded {
            number,
            channel,
            settings,
            ..
        } => format!(
            "Line {number} for {} was added, {}",
            channel_name(*channel),
            reply(settings)
        ),
        LineEvent::LineChanged { settings } => format!(
            "The line was changed: survey {}, {}",
            settings.survey_id,
            reply(settings)
        ),
        LineEvent::LineRemoved {} => "The line was removed".to_owned(),
        LineEvent::SendingHalted { reason } => format!(
            "Sending stopped: {}",
            match reason {
                HaltReason::Credentials => "Vonage refused our credentials",
                HaltReason::Balance => "the Vonage account had too little balance",
            }
        ),
        LineEvent::SendingResumed {} => "Sending went on".to_owned(),
    }
}

fn of_held(event: &HeldEvent) -> String {
    match event {
        HeldEvent::WebhookHeld(webhook) => {
            let kind = match webhook.kind {
                WebhookKind::Inbound => "A webhook with a message",
                WebhookKind::Status => "A webhook with a status",
            };
            let reason = match webhook.reason {
                HeldReason::UnknownLine => "it is for no line of ours",
                HeldReason::Undecodable => "it could not be read",
                HeldReason::UnknownType => "its kind of message is not known",
                HeldReason::UnknownMessage => "its message is not known",
                HeldReason::TooManyOpenCases => "its sender has too many open cases",
            };
            format!(
                "{kind} was kept, since {reason} ({})",
                folded(&webhook.detail)
            )
        }
        HeldEvent::WebhookRouted {
            message_id,
            references,
        } => {
            format!(
                "It was routed: {} went to {}",
                lower(*message_id),
                list(references)
            )
        }
    }
}

fn preferred(preferences: &Preferences) -> String {
    let zone = preferences.time_zone.as_deref();
    let next = if preferences.next_case { "on" } else { "off" };
    let Notify {
        assignment,
        mention,
        message,
        sound,
    } = preferences.notify;
    let told: Vec<&str> = [
        (assignment, "assignments"),
        (mention, "mentions"),
        (message, "messages"),
        (sound, "a sound"),
    ]
    .into_iter()
    .filter_map(|(is_on, what)| is_on.then_some(what))
    .collect();
    let told = if told.is_empty() {
        "none".to_owned()
    } else {
        told.join(", ")
    };
    format!(
        "The user's preferences: theme {}, time zone {}, next case after closing {next}, notifications {told}",
        preferences.theme.as_str(),
        zone.unwrap_or("of the installation"),
    )
}

fn of_user(event: &UserEvent) -> String {
    match event {
        UserEvent::UserAdded { email, role, .. } => {
            format!("User {} was added as {}", email.0, role.as_str())
        }
        UserEvent::ServiceAccountAdded { name, role, .. } => {
            format!(
                "Service account {} was added as {}",
                quoted(name),
                role.as_str()
            )
        }
        UserEvent::RoleChanged { from, to } => {
            format!(
                "The user's role changed from {} to {}",
                from.as_str(),
                to.as_str()
            )
        }
        UserEvent::SurveyAccessChanged { surveys: None } => {
            "As an agent the user reaches the cases of all surveys".to_owned()
        }
        UserEvent::SurveyAccessChanged {
            surveys: Some(surveys),
        } if surveys.is_empty() => "As an agent the user reaches the cases of no survey".to_owned(),
        UserEvent::SurveyAccessChanged {
            surveys: Some(surveys),
        } => {
            let ids: Vec<String> = surveys.iter().map(ToString::to_string).collect();
            format!(
                "As an agent the user reaches the cases of these surveys alone: {}",
                ids.join(", ")
            )
        }
        UserEvent::UserNamed { name: Some(name) } => {
            format!("The user is called {}", quoted(name))
        }
        UserEvent::UserNamed { name: None } => "The user has no name any more".to_owned(),
        UserEvent::PreferencesChanged { preferences } => preferred(preferences),
        UserEvent::PasswordChanged {} => {
            "The user's password was changed, which ended their other sessions".to_owned()
        }
        UserEvent::UserRemoved {} => {
            "The user was removed, and their tokens and sessions with them".to_owned()
        }
        UserEvent::TokenCreated { token_id, name } => {
            format!("The user got token {} ({token_id})", quoted(name))
        }
        UserEvent::TokenRevoked { token_id } => format!("Token {token_id} was revoked"),
    }
}

fn of_session(event: &SessionEvent) -> String {
    match event {
        SessionEvent::SignedIn {
            email,
            browser,
            from,
            ..
        } => format!(
            "{} signed in with {}{}",
            email.0,
            folded(browser),
            place(from.as_ref())
        ),
        SessionEvent::SignedOut { how } => match how {
            SignOut::Here => "The session was ended by signing out",
            SignOut::Elsewhere => "The session was ended from another browser",
            SignOut::Everywhere => "The session was ended by signing out everywhere",
        }
        .to_owned(),
    }
}

fn of_attempts(event: &AttemptsEvent) -> String {
    match event {
        AttemptsEvent::SignInFailed {
            email,
            user_id,
            from,
            why,
            ..
        } => {
            let whose = email.as_ref().map_or_else(
                || "under one of many addresses, counted together".to_owned(),
                |email| format!("as {}", quoted(email)),
            );
            let known = match user_id {
                Some(_) => ", who is known,",
                None => "",
            };
            let why = match why {
                Refusal::Wrong => "address and password do not go together",
                Refusal::TooOften => "there had been too many attempts",
            };
            let from = place(from.as_ref());
            format!("Somebody failed to sign in {whose}{known}{from}: {why}")
        }
        AttemptsEvent::SignInFailedAgain { times, until } => format!(
            "It was tried {times} more times in the minutes after, last at {}",
            until.format("%H:%M:%S UTC")
        ),
    }
}

fn of_views(event: &CaseViewsEvent) -> String {
    match event {
        CaseViewsEvent::CaseViewed {
            reference,
            token_id,
            ..
        } => {
            let by = token_id.map_or_else(String::new, |token_id| {
                format!(" by a program, with token {token_id}")
            });
            format!("Case #{reference} was looked at{by}")
        }
    }
}

fn of_export(event: &ExportEvent) -> String {
    match event {
        ExportEvent::ExportBegun {
            what: Exported::Case,
            via,
            reference,
            to,
            ..
        } => {
            let case =
                reference.map_or_else(|| "A case".to_owned(), |case| format!("Case #{case}"));
            format!(
                "{case} was exported with its proof by {}: up to position {to}",
                way(*via)
            )
        }
        ExportEvent::ExportBegun {
            what: Exported::Log,
            via,
            from,
            to,
            since,
            until,
            ..
        } => {
            let via = way(*via);
            let time = |word: &str, time: Option<&DateTime<Utc>>| {
                time.map_or_else(String::new, |time| {
                    format!(", {word} {}", time.format("%Y-%m-%d %H:%M:%S UTC"))
                })
            };
            format!(
                "The log was exported by {via}: positions {from} to {to}{}{}",
                time("recorded from", since.as_ref()),
                time("recorded before", until.as_ref())
            )
        }
        ExportEvent::ExportEnded { events, is_whole } => {
            let rest = if *is_whole {
                "which was all of it"
            } else {
                "and then it broke off"
            };
            format!("The export ended: {events} events were given out, {rest}")
        }
        ExportEvent::LogRead {
            via,
            how,
            from,
            events,
            ..
        } => {
            let how = match how {
                Reading::Pages => "read",
                Reading::Stream => "followed",
                Reading::Search => "searched",
            };
            let via = way(*via);
            let from = match events {
                0 => format!("from position {from} on"),
                1 => format!("one event was given out, from position {from} on"),
                _ => format!("{events} events were given out, from position {from} on"),
            };
            format!("The log was {how} by {via}: {from}")
        }
        ExportEvent::CasesListed { via, how, .. } => {
            let shown = match how {
                Listing::List => "Cases were listed",
                Listing::Search => "Cases were searched",
                Listing::Contacts => "Contacts were listed",
                Listing::ContactSearch => "Contacts were searched",
            };
            format!("{shown} by {}", way(*via))
        }
        ExportEvent::CasesListedOn { times, until } => format!(
            "The same was done {times} times more within the hour, the last time at {}",
            until.format("%Y-%m-%d %H:%M:%S UTC")
        ),
        ExportEvent::LogReadOn { events, to, until } => format!(
            "{events} events more of the log were read within the hour, up to position {to}, the last at {}",
            until.format("%Y-%m-%d %H:%M:%S UTC")
        ),
    }
}

/// By which way the log was taken or read.
const fn way(via: Via) -> &'static str {
    match via {
        Via::Console => "the console",
        Via::Api => "the API",
        Via::CommandLine => "the command line",
    }
}

/// From where in the network.
fn place(from: Option<&Personal<String>>) -> String {
    from.map_or_else(String::new, |from| format!(" from {}", folded(from)))
}

fn of_installation(event: &InstallationEvent) -> String {
    let InstallationEvent::VonageChanged {
        application_id,
        signature_secret,
        private_key,
    } = event;
    let change = |change: &SecretChange| match change {
        SecretChange::Kept => "kept",
        SecretChange::Entered => "entered",
        SecretChange::Removed => "removed",
    };
    format!(
        "Vonage's settings were changed: application id {}, signature secret {}, private key {}",
        application_id.as_deref().unwrap_or("none"),
        change(signature_secret),
        change(private_key),
    )
}

fn begun(opened: &Opened) -> String {
    let origin = match opened.origin {
        Origin::Message => "by a message of".to_owned(),
        Origin::Record => "as the record of one message of".to_owned(),
        Origin::Agent => "by an agent who wrote first to".to_owned(),
        Origin::Move { from } => format!("by a message moved out of #{from}, of"),
    };
    let mut text = format!(
        "Case #{} {} began on {} {origin} {}",
        opened.reference,
        quoted(&opened.title),
        channel_name(opened.channel),
        opened.number.0,
    );
    if let Some(status) = &opened.status {
        let _ = write!(text, ", with the status {}", quoted(status));
    }
    if let Some(follows) = opened.follows {
        let _ = write!(text, "; it follows #{follows}, which was closed");
    }
    text
}

/// Says so where a time is that of arrival.
const fn of_arrival(at_is_arrival: bool) -> &'static str {
    if at_is_arrival {
        "; the time is that of arrival, because the time that Vonage gave could not be read"
    } else {
        ""
    }
}

/// A number, and what the person calls themselves.
fn called(number: &Personal<String>, name: Option<&Personal<String>>) -> String {
    match name {
        Some(name) => format!("{} ({})", number.0, folded(name)),
        None => number.0.clone(),
    }
}

fn reacted(reaction: &Reaction) -> String {
    let by = called(&reaction.from, reaction.profile_name.as_ref());
    let to = match reaction.message_id {
        Some(message_id) => lower(message_id),
        None => "a message that is not known".to_owned(),
    };
    match (&reaction.emoji, reaction.removed) {
        (_, true) => format!("{by} took the reaction to {to} off"),
        (Some(emoji), false) => format!("{by} reacted with {} to {to}", folded(emoji)),
        (None, false) => format!("{by} reacted to {to}"),
    }
}

/// The reaction that a message has where it is moved.
fn with_reaction(reaction: Option<&Reaction>) -> String {
    match reaction {
        Some(Reaction {
            removed: false,
            emoji,
            ..
        }) => {
            let emoji = emoji.as_ref();
            let emoji = emoji.map_or_else(String::new, |emoji| format!(" {}", folded(emoji)));
            format!(", with the reaction{emoji}")
        }
        _ => String::new(),
    }
}

fn said(message: &InboundMessage) -> String {
    let by = called(&message.from, message.profile_name.as_ref());
    let channel = channel_name(message.channel);
    let id = short(message.message_id);
    match &message.content.0 {
        Content::Text { text } => format!(
            "{by} wrote by {channel} {}, message {id}{}",
            quoted(text),
            of_arrival(message.at_is_arrival)
        ),
        content => {
            let words = content
                .said()
                .map_or_else(String::new, |said| format!(" {}", quoted(said)));
            format!(
                "{by} sent by {channel}: {}{words}, message {id}{}",
                content.label().to_lowercase(),
                of_arrival(message.at_is_arrival)
            )
        }
    }
}

fn queued(message: &OutboundMessage) -> String {
    let by = match &message.author {
        Author::User { email, .. } => format!("{} wrote", email.0),
        Author::Automatic { occasion } => outgoing::automatic(*occasion).to_owned(),
        Author::OptOutConfirmation => "The confirmation of the opt-out was written:".to_owned(),
    };
    let sent = if message.sent_text == message.text {
        String::new()
    } else {
        format!(", to be sent as {}", quoted(&message.sent_text))
    };
    let template = message
        .template
        .as_ref()
        .map_or_else(String::new, |template| outgoing::as_template(template));
    format!(
        "{by} {} to {} by {}{template}{sent}{}, message {}",
        quoted(&message.text),
        message.to.0,
        channel_name(message.channel),
        media::with_media(message.media.as_deref()),
        short(message.message_id),
    )
}

fn status(question: Option<&str>, from: Option<&str>, to: &str, closed: bool) -> String {
    let question = question.map_or_else(|| "The status".to_owned(), quoted);
    let from = from.map_or_else(String::new, |from| format!(" from {}", quoted(from)));
    let closed = if closed {
        ", which closed the case"
    } else {
        ", with which the case is open"
    };
    format!("{question} changed{from} to {}{closed}", quoted(to))
}

fn assigned(from: Option<&Assignee>, to: Option<&Assignee>) -> String {
    let from = from.map_or_else(String::new, |from| format!(", after {}", from.email.0));
    match to {
        Some(to) => format!("{} is to see to the case{from}", to.email.0),
        None => format!("Nobody is to see to the case{from}"),
    }
}

/// Why a message stands in the case, as the console shows it beside the message too.
fn why(routed: &Routed) -> String {
    let references = list(&routed.references);
    let why = match routed.rule {
        Rule::First => "it made this case, since none was open".to_owned(),
        Rule::OnlyOpen => "it came here because this was the contact's only open case".to_owned(),
        Rule::AllOpen => format!("it names no case, so that all open ones got it: {references}"),
        Rule::Reference => format!("it names {references}"),
        Rule::Quote => format!("it quotes a message in {references}"),
        Rule::NewRequested => "it made this case, because it asks for a new one with #0".to_owned(),
        Rule::Follows => {
            format!("it made this case, since it speaks of {references}, which was closed")
        }
        Rule::CasesDisabled => "the survey keeps each message as a record of its own".to_owned(),
        Rule::Moved => format!("it was moved here from {references}"),
        Rule::Reaction => format!("that message stands in {references}"),
        Rule::Newest => {
            "it came here because no case was open and this was the contact's newest".to_owned()
        }
    };
    let foreign = if routed.foreign_reference {
        "; a reference in it is not one of theirs"
    } else {
        ""
    };
    format!("{why}{foreign}")
}

fn list(references: &[Reference]) -> String {
    let references: Vec<String> = references
        .iter()
        .map(|reference| format!("#{reference}"))
        .collect();
    references.join(", ")
}

const fn channel_name(channel: Channel) -> &'static str {
    match channel {
        Channel::Sms => "SMS",
        Channel::Whatsapp => "WhatsApp",
    }
}

/// The end of an id, by which people tell messages of a case apart; the beginning is a time and much the same in all of them.
fn short(message_id: MessageId) -> String {
    let id = message_id.0.simple().to_string();
    format!("…{}", &id[id.len() - 6..])
}

fn named(message_id: MessageId) -> String {
    format!("Message {}", short(message_id))
}

fn lower(message_id: MessageId) -> String {
    format!("message {}", short(message_id))
}

fn numbered(attempt: u32) -> String {
    if attempt > 1 {
        format!(" (attempt {attempt})")
    } else {
        String::new()
    }
}

fn commented(comment: Option<&Personal<String>>) -> String {
    comment.map_or_else(String::new, |comment| {
        format!("; comment: {}", quoted(comment))
    })
}

fn quoted(text: &str) -> String {
    format!("“{}”", folded(text))
}

/// The text on one line. What a person wrote must not move a terminal's cursor or forge a line of a table.
fn folded(text: &str) -> String {
    let words: Vec<&str> = text
        .split(|c: char| c.is_whitespace() || c.is_control())
        .filter(|word| !word.is_empty())
        .collect();
    words.join(" ")
}
