//! Adding, changing and removing users and their tokens.

use docket_domain::event::StreamId;
use docket_domain::ids::UserId;
use docket_domain::user::{UserCommand, UserError, normalise_email};
use docket_projections::ledger::operation::{Decided, Needs, Operation, SecretWrite};
use docket_projections::ledger::scope::Scope;
use docket_projections::log::recorded::Metadata;
use docket_projections::settings::Settings;

use super::Administrator;

/// A command to a user, with the secret that goes with it.
#[derive(Clone, Debug)]
pub struct ChangeUser {
    /// The user.
    pub user_id: UserId,
    /// What is asked of them.
    pub command: UserCommand,
    /// A password hash or a token hash, kept beside the log.
    pub secret: Option<SecretWrite>,
    /// Who asks.
    pub by: Administrator,
}

impl Operation for ChangeUser {
    type Output = UserId;
    type Refusal = UserError;

    fn metadata(&self) -> Metadata {
        self.by.metadata()
    }

    fn needs(&self, _: &Settings) -> Needs {
        let email = match &self.command {
            UserCommand::Add { email, .. } => normalise_email(email),
            _ => None,
        };
        Needs {
            streams: vec![StreamId::User(self.user_id)],
            email,
            idempotency: self.by.idempotency(),
            ..Needs::default()
        }
    }

    fn decide(&self, scope: &Scope<'_>) -> Result<Decided<UserId>, UserError> {
        if scope.user_of_email().is_some() {
            return Err(UserError::EmailTaken);
        }
        let user = scope.user(self.user_id).cloned().unwrap_or_default();
        let events = user.decide(self.command.clone())?;
        let mut decided = Decided::on(StreamId::User(self.user_id), events, self.user_id);
        decided.secrets.extend(self.secret.clone());
        Ok(decided)
    }
}
