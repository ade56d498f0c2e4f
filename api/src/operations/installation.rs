//! Changing what is set for the whole installation.

use docket_domain::event::StreamId;
use docket_domain::installation::{InstallationCommand, InstallationError, SecretChange};
use docket_projections::ledger::operation::{Decided, Needs, Operation, SecretWrite};
use docket_projections::ledger::scope::Scope;
use docket_projections::log::recorded::Metadata;
use docket_projections::secrets::SealedSecret;
use docket_projections::settings::Settings;

use super::Administrator;
use crate::secrets::{PRIVATE_KEY, SIGNATURE_SECRET};

/// What is done with one of the settings.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Entry<T> {
    /// Nothing.
    #[default]
    Keep,
    /// It becomes this.
    Set(T),
    /// It goes.
    Remove,
}

impl Entry<SealedSecret> {
    const fn change(&self) -> SecretChange {
        match self {
            Self::Keep => SecretChange::Kept,
            Self::Set(_) => SecretChange::Entered,
            Self::Remove => SecretChange::Removed,
        }
    }

    fn write(&self, name: &'static str) -> Option<SecretWrite> {
        let sealed = match self {
            Self::Keep => return None,
            Self::Set(sealed) => Some(sealed.clone()),
            Self::Remove => None,
        };
        Some(SecretWrite::Installation { name, sealed })
    }
}

/// What Vonage knows us by is to be changed.
#[derive(Clone, Debug)]
pub struct ChangeVonage {
    /// The application's id.
    pub application_id: Entry<String>,
    /// The secret that signs webhooks, encrypted.
    pub signature_secret: Entry<SealedSecret>,
    /// The application's private key, encrypted.
    pub private_key: Entry<SealedSecret>,
    /// The version that whoever asks has seen, where they say it.
    pub seen: Option<u64>,
    /// Who asks.
    pub by: Administrator,
}

impl Operation for ChangeVonage {
    type Output = ();
    type Refusal = InstallationError;

    fn metadata(&self) -> Metadata {
        self.by.metadata()
    }

    fn needs(&self, _: &Settings) -> Needs {
        Needs {
            streams: vec![StreamId::Installation],
            idempotency: self.by.idempotency(),
            ..Needs::default()
        }
    }

    fn decide(&self, scope: &Scope<'_>) -> Result<Decided<()>, InstallationError> {
        let installation = scope.installation().cloned().unwrap_or_default();
        let command = InstallationCommand::ChangeVonage {
            application_id: match &self.application_id {
                Entry::Keep => installation.application_id().map(str::to_owned),
                Entry::Set(id) => Some(id.clone()),
                Entry::Remove => None,
            },
            signature_secret: self.signature_secret.change(),
            private_key: self.private_key.change(),
            seen: self.seen,
        };
        let events = installation.decide(command)?;
        let mut decided = Decided::on(StreamId::Installation, events, ());
        decided
            .secrets
            .extend(self.signature_secret.write(SIGNATURE_SECRET));
        decided.secrets.extend(self.private_key.write(PRIVATE_KEY));
        Ok(decided)
    }
}
