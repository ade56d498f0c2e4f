//! Adding, changing and removing users and their tokens.
//!
//! There is always an owner: whoever is the last one stays what they are, however many ask at once. A token speaks in its user's name,
//! so a person makes one for themselves or for a service account, and for no other person.

use docket_domain::access::Access;
use docket_domain::event::StreamId;
use docket_domain::ids::{SurveyId, UserId};
use docket_domain::user::{
    Role, UserCommand, UserError, UserKind, normalise_email, normalise_service_name,
};
use docket_projections::ledger::operation::{Decided, Needs, Operation, SecretWrite};
use docket_projections::ledger::scope::Scope;
use docket_projections::log::recorded::Metadata;
use docket_projections::settings::Settings;
use uuid::Uuid;

use super::Administrator;

/// A command to a user, with the secret that goes with it.
#[derive(Clone, Debug)]
pub struct ChangeUser {
    /// The user.
    pub user_id: UserId,
    /// What is asked of them.
    pub command: UserCommand,
    /// A password hash or a token hash, kept beside the log; sessions that end.
    pub secrets: Vec<SecretWrite>,
    /// Who asks.
    pub by: Administrator,
}

impl ChangeUser {
    /// Gives a user another password, by its hash, and ends their sessions, but for one.
    pub fn password(user_id: UserId, hash: String, but: Option<Uuid>, by: Administrator) -> Self {
        Self {
            user_id,
            command: UserCommand::ChangePassword,
            secrets: vec![
                SecretWrite::Password { user_id, hash },
                SecretWrite::EndSessions { user_id, but },
            ],
            by,
        }
    }

    /// The same, whatever an earlier request with its idempotency key did.
    #[must_use]
    pub fn anew(mut self) -> Self {
        if let Administrator::User(asked) = &mut self.by {
            asked.idempotency = None;
        }
        self
    }

    /// Whether the user is no owner afterwards.
    const fn takes_ownership(&self) -> bool {
        match &self.command {
            UserCommand::Remove => true,
            UserCommand::ChangeRights { role, .. } => {
                matches!(role, Some(Role::Agent | Role::Auditor))
            }
            _ => false,
        }
    }

    /// Whether somebody asks for a token that would speak in another person's name. Whoever is at the command line has the machine.
    fn is_token_of_another(&self, kind: Option<UserKind>) -> bool {
        match (&self.command, &self.by) {
            (UserCommand::CreateToken { .. }, Administrator::User(asked)) => {
                asked.user_id != self.user_id && kind != Some(UserKind::Service)
            }
            _ => false,
        }
    }

    /// The surveys that the command names.
    fn surveys(&self) -> Vec<SurveyId> {
        let access = match &self.command {
            UserCommand::Add { access, .. } | UserCommand::AddService { access, .. } => {
                Some(access)
            }
            UserCommand::ChangeRights { access, .. } => access.as_ref(),
            _ => None,
        };
        access.and_then(Access::surveys).unwrap_or_default()
    }
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
            UserCommand::AddService { name, .. } => normalise_service_name(name),
            _ => None,
        };
        Needs {
            streams: vec![StreamId::User(self.user_id)],
            email,
            owners: self.takes_ownership(),
            idempotency: self.by.idempotency(),
            ..Needs::default()
        }
    }

    fn decide(&self, scope: &Scope<'_>) -> Result<Decided<UserId>, UserError> {
        if scope.user_of_email().is_some() {
            return Err(match &self.command {
                UserCommand::AddService { .. } => UserError::ServiceNameTaken,
                _ => UserError::EmailTaken,
            });
        }
        let is_missing = |survey_id| scope.settings().survey(survey_id).is_none();
        if self.surveys().into_iter().any(is_missing) {
            return Err(UserError::NoSuchSurvey);
        }
        let user = scope.user(self.user_id).cloned().unwrap_or_default();
        if self.is_token_of_another(user.state().map(|state| state.kind)) {
            return Err(UserError::TokenForAnother);
        }
        let is_owner = user
            .state()
            .is_some_and(|state| state.role == Role::Owner && !state.removed);
        if is_owner && self.takes_ownership() && !scope.has_other_owner(self.user_id) {
            return Err(UserError::LastOwner);
        }
        let events = user.decide(self.command.clone())?;
        let mut decided = Decided::on(StreamId::User(self.user_id), events, self.user_id);
        decided.secrets.extend(self.secrets.clone());
        Ok(decided)
    }
}
