//! Recording what people do beside their work: signing in and out, failing to, looking at cases, exporting the log.

use std::convert::Infallible;

use chrono::{DateTime, Utc};
use docket_domain::event::StreamId;
use docket_domain::ids::{AttemptsId, ExportId, Reference, SessionId, TokenId, UserId};
use docket_domain::people::attempts::AttemptsCommand;
use docket_domain::people::export::ExportCommand;
use docket_domain::people::session::{SessionCommand, SignOut};
use docket_domain::people::views::CaseViewsCommand;
use docket_domain::personal::Personal;
use docket_projections::ledger::operation::{Decided, Needs, Operation, SecretWrite};
use docket_projections::ledger::scope::Scope;
use docket_projections::log::recorded::Metadata;
use docket_projections::settings::Settings;

use super::Asked;

fn needs(stream: StreamId) -> Needs {
    Needs {
        streams: vec![stream],
        ..Needs::default()
    }
}

/// Somebody signs in: the session and the event that says so are one.
#[derive(Clone)]
pub struct BeginSession {
    /// A fresh id.
    pub session_id: SessionId,
    /// SHA-256 of what the browser keeps.
    pub token_hash: [u8; 32],
    /// The hash that the password was compared with; where it is another by now, nothing is recorded.
    pub password_hash: String,
    /// The browser in a few words.
    pub browser: String,
    /// The network address that the request came from, where it is known.
    pub from: Option<String>,
    /// When it begins.
    pub created_at: DateTime<Utc>,
    /// When it ends at the latest.
    pub expires_at: DateTime<Utc>,
    /// Who signs in.
    pub asked: Asked,
}

impl Operation for BeginSession {
    type Output = ();
    type Refusal = Infallible;

    fn metadata(&self) -> Metadata {
        self.asked.metadata()
    }

    fn needs(&self, _: &Settings) -> Needs {
        needs(StreamId::Session(self.session_id))
    }

    fn decide(&self, scope: &Scope<'_>) -> Result<Decided<()>, Infallible> {
        let session = scope.session(self.session_id).cloned().unwrap_or_default();
        let events = session.decide(SessionCommand::Begin {
            session_id: self.session_id,
            user_id: self.asked.user_id,
            email: Personal(self.asked.email.clone()),
            browser: self.browser.clone(),
            from: self.from.clone().map(Personal),
            until: self.expires_at,
        })?;
        let decided = Decided::on(StreamId::Session(self.session_id), events, ());
        Ok(decided.and_secret(SecretWrite::Session {
            session_id: self.session_id,
            token_hash: self.token_hash,
            user_id: self.asked.user_id,
            password_hash: self.password_hash.clone(),
            label: self.browser.clone(),
            created_at: self.created_at,
            expires_at: self.expires_at,
        }))
    }
}

/// Somebody ends sessions of their own.
#[derive(Clone, Debug)]
pub struct EndSessions {
    /// The sessions, each of the person's.
    pub sessions: Vec<SessionId>,
    /// How.
    pub how: SignOut,
    /// Who asks.
    pub asked: Asked,
}

impl Operation for EndSessions {
    type Output = ();
    type Refusal = Infallible;

    fn metadata(&self) -> Metadata {
        self.asked.metadata()
    }

    fn needs(&self, _: &Settings) -> Needs {
        Needs {
            streams: self
                .sessions
                .iter()
                .copied()
                .map(StreamId::Session)
                .collect(),
            ..Needs::default()
        }
    }

    fn decide(&self, scope: &Scope<'_>) -> Result<Decided<()>, Infallible> {
        let mut decided = Decided::nothing(());
        for id in &self.sessions {
            let session = scope.session(*id).cloned().unwrap_or_default();
            let events = session.decide(SessionCommand::End { how: self.how })?;
            decided = decided.and_on(StreamId::Session(*id), events).and_secret(
                SecretWrite::SessionEnd {
                    session_id: *id,
                    user_id: self.asked.user_id,
                },
            );
        }
        Ok(decided)
    }
}

/// Somebody looked at a case.
#[derive(Clone, Debug)]
pub struct ViewCase {
    /// The case.
    pub reference: Reference,
    /// The token, where a program did it in their name.
    pub token_id: Option<TokenId>,
    /// When.
    pub at: DateTime<Utc>,
    /// Who.
    pub asked: Asked,
}

impl ViewCase {
    /// The stream that it is recorded in.
    pub fn stream(&self) -> StreamId {
        StreamId::Views(self.reference, self.at.date_naive())
    }

    /// Who looks.
    pub const fn user_id(&self) -> UserId {
        self.asked.user_id
    }
}

impl Operation for ViewCase {
    type Output = ();
    type Refusal = Infallible;

    fn metadata(&self) -> Metadata {
        self.asked.metadata()
    }

    fn needs(&self, _: &Settings) -> Needs {
        needs(self.stream())
    }

    fn decide(&self, scope: &Scope<'_>) -> Result<Decided<()>, Infallible> {
        let views = scope.views(self.reference, self.at.date_naive());
        let events = views
            .cloned()
            .unwrap_or_default()
            .decide(CaseViewsCommand::View {
                reference: self.reference,
                user_id: self.asked.user_id,
                token_id: self.token_id,
                at: self.at,
            })?;
        Ok(Decided::on(self.stream(), events, ()))
    }
}

/// Attempts to sign in failed.
#[derive(Clone, Debug)]
pub struct RecordAttempts {
    /// The series that they belong to.
    pub attempts_id: AttemptsId,
    /// What is recorded.
    pub command: AttemptsCommand,
    /// Why, with the request's id where one request did it.
    pub metadata: Metadata,
}

impl Operation for RecordAttempts {
    type Output = ();
    type Refusal = Infallible;

    fn metadata(&self) -> Metadata {
        self.metadata.clone()
    }

    fn needs(&self, _: &Settings) -> Needs {
        needs(StreamId::Attempts(self.attempts_id))
    }

    fn decide(&self, scope: &Scope<'_>) -> Result<Decided<()>, Infallible> {
        let attempts = scope
            .attempts(self.attempts_id)
            .cloned()
            .unwrap_or_default();
        let events = attempts.decide(self.command.clone())?;
        Ok(Decided::on(
            StreamId::Attempts(self.attempts_id),
            events,
            (),
        ))
    }
}

/// Something is taken away, or was.
#[derive(Clone, Debug)]
pub struct RecordExport {
    /// The export.
    pub export_id: ExportId,
    /// What is recorded.
    pub command: ExportCommand,
    /// Who.
    pub metadata: Metadata,
}

impl Operation for RecordExport {
    type Output = ();
    type Refusal = Infallible;

    fn metadata(&self) -> Metadata {
        self.metadata.clone()
    }

    fn needs(&self, _: &Settings) -> Needs {
        needs(StreamId::Export(self.export_id))
    }

    fn decide(&self, scope: &Scope<'_>) -> Result<Decided<()>, Infallible> {
        let export = scope.export(self.export_id).cloned().unwrap_or_default();
        let events = export.decide(self.command.clone())?;
        Ok(Decided::on(StreamId::Export(self.export_id), events, ()))
    }
}
