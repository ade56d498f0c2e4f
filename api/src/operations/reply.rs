//! Answering a contact, beginning a case with one, and sending again what did not arrive.

mod send_as;

use docket_domain::case::{
    Case, CaseCommand, CaseError, MediaKind, Opened, Origin, OutboundMedia, OutboundMessage, State,
    check_title,
};
use docket_domain::channel::{Channel, is_international_number, normalise_number};
use docket_domain::content::Content;
use docket_domain::event::StreamId;
use docket_domain::ids::{ContactId, LineId, MediaId, MessageId, Reference, SurveyId};
use docket_domain::media::StoredFile;
use docket_domain::personal::Personal;
use docket_domain::text::{references, title};
use docket_domain::whatsapp_template::ParameterError;
use docket_projections::ledger::operation::{ContactKey, Decided, MessageKey, Needs, Operation};
use docket_projections::ledger::scope::Scope;
use docket_projections::log::recorded::Metadata;
use docket_projections::settings::{LineSnapshot, Settings};
use serde::{Deserialize, Serialize};

use self::send_as::Wording;
pub use self::send_as::{SendAs, TemplateChoice};
use super::receive::{initial_status, run};
use super::{Asked, in_each};
use crate::media::Media;

/// Why nothing was recorded to be sent.
#[derive(Debug, thiserror::Error)]
pub enum ReplyError {
    /// The case refuses.
    #[error(transparent)]
    Case(#[from] CaseError),
    /// The line that the contact last wrote to is gone.
    #[error("the line that the contact last wrote to was removed; add it again to reply")]
    NoLine,
    /// The line that a message went out from is gone, and the contact is answered from a line of another channel.
    #[error(
        "the line that the message went out from was removed; add it again to send the message again, or write a new reply"
    )]
    NoLineOfMessage,
    /// The contact opted out on the channel that the message would go by.
    #[error(
        "the contact opted out of {}, so that nothing is sent to them; if they asked for messages again, clear the opt-out first",
        channel_name(*.0)
    )]
    OptedOut(Channel),
    /// There is no such line.
    #[error("there is no such line")]
    UnknownLine,
    /// `WhatsApp` takes no free text: the person has not written for a day, or never.
    #[error(
        "WhatsApp takes free text for 24 hours after the contact's last message, and that time is over; send a template, or send the text anyway with outside_window true"
    )]
    WindowClosed,
    /// The line has no such template.
    #[error(
        "template.name and template.locale name no template of the line that the contact is answered from; GET /api/v1/whatsapp-templates lists them"
    )]
    NoTemplate,
    /// Templates are `WhatsApp`'s.
    #[error("the message goes out by SMS, which has no templates; send text instead")]
    NotWhatsapp,
    /// The parameters do not fit the template.
    #[error("template.parameters do not fit: {0}")]
    Parameters(#[from] ParameterError),
    /// The line sends no pictures.
    #[error(
        "this line sends no pictures: by MMS only a number can that Vonage has enabled for it; an operator lists it in DOCKET_MMS_LINES"
    )]
    NoMms,
    /// Vonage could not fetch a file from us.
    #[error(
        "a file can be sent when Docket has a public address, from which Vonage fetches it: set DOCKET_PUBLIC_URL"
    )]
    NoPublicUrl,
    /// The number is none.
    #[error("number must be an international number of 7 to 15 digits, such as 447700900123")]
    Number,
}

/// A file that an agent uploaded.
#[derive(Clone, Debug)]
pub struct Attached {
    /// The upload.
    pub media_id: MediaId,
    /// What is kept of it.
    pub file: StoredFile,
    /// How files can be sent.
    pub media: Media,
}

impl Attached {
    /// The file as that channel's line sends it.
    fn on(&self, line: &LineSnapshot) -> Result<Box<OutboundMedia>, ReplyError> {
        let kind = MediaKind::of(line.channel, &self.file.media_type);
        let is_mms = line.channel == Channel::Sms && kind == MediaKind::Image;
        if is_mms && !self.media.mms_numbers().contains(&line.number) {
            return Err(ReplyError::NoMms);
        }
        if !self.media.has_public_url() {
            return Err(ReplyError::NoPublicUrl);
        }
        Ok(Box::new(OutboundMedia {
            media_id: self.media_id,
            kind,
            file: self.file.clone(),
        }))
    }
}

/// An agent's reply.
#[derive(Clone, Debug)]
pub struct Reply {
    /// The case.
    pub reference: Reference,
    /// What the agent wrote; a template says all of it instead.
    pub text: String,
    /// The file that goes with it.
    pub media: Option<Attached>,
    /// As what it goes out.
    pub send_as: SendAs,
    /// The case version that the agent had seen.
    pub seen_version: Option<u64>,
    /// A fresh id.
    pub message_id: MessageId,
    /// Who asks.
    pub asked: Asked,
}

/// A message that was recorded to be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Queued {
    /// Our id of it.
    pub message_id: MessageId,
    /// The case's version after it.
    pub version: u64,
}

impl Operation for Reply {
    type Output = Queued;
    type Refusal = ReplyError;

    fn metadata(&self) -> Metadata {
        self.asked.metadata()
    }

    fn needs(&self, _: &Settings) -> Needs {
        Needs {
            cases: vec![self.reference],
            idempotency: self.asked.idempotency.clone(),
            ..Needs::default()
        }
    }

    fn decide(&self, scope: &Scope<'_>) -> Result<Decided<Queued>, ReplyError> {
        let (case, state) = self.asked.case(scope, self.reference)?;
        let line = line_to(scope, state).ok_or(ReplyError::NoLine)?;
        must_not_be_opted_out(scope, state.origin.contact_id, line.channel)?;
        let contact = (state.origin.contact_id, state.origin.number.clone());
        let wording = self.send_as.wording(scope, line, &self.text)?;
        let media = self.media.as_ref().map(|file| file.on(line)).transpose()?;
        let is_sound = media
            .as_ref()
            .is_some_and(|media| media.kind == MediaKind::Audio);
        let sent_text = if state.origin.origin == Origin::Record || is_sound {
            // A record of its own has no reference that anybody could write, and a sound has no text at all.
            wording.text.clone()
        } else {
            sent_text(scope, state.origin.survey_id, &wording, self.reference)
        };
        let message = OutboundMessage {
            media,
            ..outbound(
                line,
                contact,
                wording,
                sent_text,
                self.message_id,
                self.reference,
                &self.asked,
            )
        };
        let events = case.decide(CaseCommand::Reply {
            message,
            seen_version: self.seen_version,
        })?;
        self.send_as
            .check_window(scope, state.origin.contact_id, line)?;
        let version = case.version() + events.len() as u64;
        Ok(Decided::on(
            StreamId::Case(self.reference),
            events,
            Queued {
                message_id: self.message_id,
                version,
            },
        ))
    }
}

/// That something may be sent to the contact on the channel.
fn must_not_be_opted_out(
    scope: &Scope<'_>,
    contact: ContactId,
    channel: Channel,
) -> Result<(), ReplyError> {
    if scope.may_be_sent_to(contact, channel) {
        Ok(())
    } else {
        Err(ReplyError::OptedOut(channel))
    }
}

const fn channel_name(channel: Channel) -> &'static str {
    match channel {
        Channel::Sms => "SMS",
        Channel::Whatsapp => "WhatsApp",
    }
}

/// The line that a contact is answered from: the one that they last wrote to, or the case's where they have not written yet, or what
/// takes its place.
fn line_to<'a>(scope: &'a Scope<'_>, state: &State) -> Option<&'a LineSnapshot> {
    let origin = &state.origin;
    let line_id = scope.last_line(origin.contact_id).unwrap_or(origin.line_id);
    scope
        .settings()
        .line_to_answer_from(origin.survey_id, line_id, origin.channel)
}

/// The text as it is sent from a case of that survey.
/// A template goes out as it was approved.
fn sent_text(
    scope: &Scope<'_>,
    survey_id: SurveyId,
    wording: &Wording,
    reference: Reference,
) -> String {
    let Wording { text, template } = wording;
    let append = template.is_none()
        && scope
            .settings()
            .survey(survey_id)
            .is_some_and(|survey| survey.append_reference && survey.cases_enabled);
    if append {
        // A file without a text has the reference alone.
        references::append(text, reference).trim_start().to_owned()
    } else {
        text.clone()
    }
}

fn outbound(
    line: &LineSnapshot,
    (contact_id, to): (ContactId, Personal<String>),
    wording: Wording,
    sent_text: String,
    message_id: MessageId,
    reference: Reference,
    asked: &Asked,
) -> OutboundMessage {
    OutboundMessage {
        message_id,
        contact_id,
        line_id: line.line_id,
        channel: line.channel,
        to,
        text: Personal(wording.text),
        sent_text: Personal(sent_text),
        author: asked.author(),
        references: vec![reference],
        media: None,
        template: wording.template,
    }
}

/// A case that an agent begins by writing first.
#[derive(Clone, Debug)]
pub struct BeginCase {
    /// The line to write from.
    pub line_id: LineId,
    /// Whom to write to.
    pub number: String,
    /// What to say; a template says all of it instead.
    pub text: String,
    /// As what it goes out.
    pub send_as: SendAs,
    /// What the case is called; made from the text where it is absent.
    pub title: Option<String>,
    /// A fresh id for the message.
    pub message_id: MessageId,
    /// A fresh id for the contact, where it is a new one.
    pub contact_id: ContactId,
    /// Who asks.
    pub asked: Asked,
}

/// A case that was begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Begun {
    /// Its reference.
    pub reference: Reference,
    /// The message.
    pub message_id: MessageId,
}

impl BeginCase {
    /// The line; one of a survey that whoever asks does not reach is as if it were not there.
    fn line<'a>(&self, settings: &'a Settings) -> Option<&'a LineSnapshot> {
        let line = settings.line(self.line_id)?;
        self.asked.access.reaches(line.survey_id).then_some(line)
    }

    fn number(&self) -> Option<String> {
        let number = normalise_number(&self.number);
        is_international_number(&number).then_some(number)
    }
}

impl Operation for BeginCase {
    type Output = Begun;
    type Refusal = ReplyError;

    fn metadata(&self) -> Metadata {
        self.asked.metadata()
    }

    fn needs(&self, settings: &Settings) -> Needs {
        let contact = self
            .line(settings)
            .zip(self.number())
            .map(|(line, number)| ContactKey {
                survey_id: line.survey_id,
                number,
                new_id: self.contact_id,
            });
        Needs {
            contact,
            new_references: 1,
            idempotency: self.asked.idempotency.clone(),
            ..Needs::default()
        }
    }

    fn decide(&self, scope: &Scope<'_>) -> Result<Decided<Begun>, ReplyError> {
        let line = self.line(scope.settings()).ok_or(ReplyError::UnknownLine)?;
        let number = Personal(self.number().ok_or(ReplyError::Number)?);
        let wording = self.send_as.wording(scope, line, &self.text)?;
        if wording.text.is_empty() {
            return Err(CaseError::Empty("the text").into());
        }
        let title = match self.title.as_deref().map(title::clean) {
            Some(title) if !title.is_empty() => title,
            _ => title::title(&Content::text(wording.text.clone())),
        };
        check_title(&title)?;
        let contact_id = scope.contact().ok_or(ReplyError::UnknownLine)?;
        must_not_be_opted_out(scope, contact_id, line.channel)?;
        let reference = scope.new_reference();
        let mut case = Case::default();
        let mut events = run(
            &mut case,
            CaseCommand::Open(Opened {
                reference,
                contact_id,
                number: number.clone(),
                survey_id: line.survey_id,
                line_id: line.line_id,
                channel: line.channel,
                title: Personal(title),
                status: initial_status(scope, line.survey_id),
                origin: Origin::Agent,
                follows: None,
            }),
        )?;
        let sent_text = sent_text(scope, line.survey_id, &wording, reference);
        let message = outbound(
            line,
            (contact_id, number),
            wording,
            sent_text,
            self.message_id,
            reference,
            &self.asked,
        );
        events.extend(run(
            &mut case,
            CaseCommand::Reply {
                message,
                seen_version: None,
            },
        )?);
        self.send_as.check_window(scope, contact_id, line)?;
        Ok(Decided::on(
            StreamId::Case(reference),
            events,
            Begun {
                reference,
                message_id: self.message_id,
            },
        ))
    }
}

/// A failed or uncertain message that an agent sends again.
#[derive(Clone, Debug)]
pub struct Resend {
    /// The case that the agent looks at.
    pub reference: Reference,
    /// The message.
    pub message_id: MessageId,
    /// Who asks.
    pub asked: Asked,
}

impl Operation for Resend {
    type Output = Queued;
    type Refusal = ReplyError;

    fn metadata(&self) -> Metadata {
        self.asked.metadata()
    }

    fn needs(&self, _: &Settings) -> Needs {
        Needs {
            cases: vec![self.reference],
            message: Some(MessageKey::Id(self.message_id)),
            idempotency: self.asked.idempotency.clone(),
            ..Needs::default()
        }
    }

    fn decide(&self, scope: &Scope<'_>) -> Result<Decided<Queued>, ReplyError> {
        let message_id = self.message_id;
        let (shown, state) = self.asked.case(scope, self.reference)?;
        let (message, _) = state.outbound(message_id)?;
        must_not_be_opted_out(scope, message.contact_id, message.channel)?;
        let is_gone = scope.settings().line(message.line_id).is_none();
        let line = line_to(scope, state).filter(|line| is_gone && line.channel == message.channel);
        let line_id = line.map(|line| line.line_id);
        let (_, references) = scope
            .message()
            .ok_or(CaseError::NoSuchMessage(message_id))?;
        let events = in_each(scope, references, |case| {
            case.decide(CaseCommand::Resend {
                message_id,
                line_id,
            })
        })?;
        if is_gone && line_id.is_none() {
            return Err(ReplyError::NoLineOfMessage);
        }
        Ok(Decided::with(
            events,
            Queued {
                message_id,
                version: shown.version() + 1,
            },
        ))
    }
}
