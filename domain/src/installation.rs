//! The installation itself: what an owner sets once for all lines.
//!
//! There is one, so its stream has a fixed name. Secrets stand beside the log, encrypted; the events say that they were changed,
//! by whom and when, and never what they are.

use cqrs_es::event_sink::EventSink;
use cqrs_es::{Aggregate, DomainEvent};
use serde::{Deserialize, Serialize};

use crate::text::normalise;

/// The id of the one stream.
pub const STREAM: &str = "installation";
/// The longest application id, in characters; Vonage's are UUIDs.
pub const MAX_APPLICATION_ID_CHARS: usize = 100;

/// What was done with a secret that is kept beside the log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SecretChange {
    /// Nothing.
    #[default]
    Kept,
    /// It was entered, perhaps in place of another.
    Entered,
    /// It was removed.
    Removed,
}

/// The installation as its events have made it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Installation {
    version: u64,
    application_id: Option<String>,
    has_signature_secret: bool,
    has_private_key: bool,
}

/// A command to the [`Installation`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InstallationCommand {
    /// Change what Vonage knows us by.
    ChangeVonage {
        /// The application's id; `None` for none.
        application_id: Option<String>,
        /// What is done with the secret that signs webhooks.
        signature_secret: SecretChange,
        /// What is done with the application's private key.
        private_key: SecretChange,
        /// The version that whoever asks has seen, where they say it.
        seen: Option<u64>,
    },
}

/// An event of the [`Installation`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum InstallationEvent {
    /// What Vonage knows us by was changed. The secrets themselves stand beside the log.
    VonageChanged {
        /// The application's id from now on; none where none is set.
        application_id: Option<String>,
        /// What was done with the secret that signs webhooks.
        signature_secret: SecretChange,
        /// What was done with the application's private key.
        private_key: SecretChange,
    },
}

/// Why the installation refuses a command.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InstallationError {
    /// The application id cannot be one.
    #[error(
        "the application id must have 1 to {MAX_APPLICATION_ID_CHARS} letters, digits and hyphens, as Vonage shows it"
    )]
    ApplicationId,
    /// Somebody has changed the settings since.
    #[error("the settings were changed since you looked; look again and decide anew")]
    ChangedSince {
        /// The version that they have now.
        version: u64,
    },
}

impl Installation {
    /// How many events the installation has.
    pub const fn version(&self) -> u64 {
        self.version
    }

    /// The Vonage application's id.
    pub fn application_id(&self) -> Option<&str> {
        self.application_id.as_deref()
    }

    /// Decides a command. Removing what is not there is nothing.
    ///
    /// # Errors
    ///
    /// An [`InstallationError`] that says why nothing can be recorded.
    pub fn decide(
        &self,
        command: InstallationCommand,
    ) -> Result<Vec<InstallationEvent>, InstallationError> {
        let InstallationCommand::ChangeVonage {
            application_id,
            signature_secret,
            private_key,
            seen,
        } = command;
        let application_id = application_id.map(|id| normalise::typed(&id).into_owned());
        if application_id.as_deref().is_some_and(|id| !is_id(id)) {
            return Err(InstallationError::ApplicationId);
        }
        let done = |change, is_there: bool| match change {
            SecretChange::Removed if !is_there => SecretChange::Kept,
            change => change,
        };
        let signature_secret = done(signature_secret, self.has_signature_secret);
        let private_key = done(private_key, self.has_private_key);
        if application_id == self.application_id
            && signature_secret == SecretChange::Kept
            && private_key == SecretChange::Kept
        {
            return Ok(vec![]);
        }
        if seen.is_some_and(|seen| seen < self.version) {
            let version = self.version;
            return Err(InstallationError::ChangedSince { version });
        }
        Ok(vec![InstallationEvent::VonageChanged {
            application_id,
            signature_secret,
            private_key,
        }])
    }

    /// Takes one event in.
    pub fn evolve(&mut self, event: &InstallationEvent) {
        self.version += 1;
        let InstallationEvent::VonageChanged {
            application_id,
            signature_secret,
            private_key,
        } = event;
        self.application_id.clone_from(application_id);
        self.has_signature_secret = signature_secret.leaves(self.has_signature_secret);
        self.has_private_key = private_key.leaves(self.has_private_key);
    }
}

fn is_id(text: &str) -> bool {
    (1..=MAX_APPLICATION_ID_CHARS).contains(&text.len())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

impl SecretChange {
    /// Whether the secret is there afterwards, where it was before if `was_there`.
    pub const fn leaves(self, was_there: bool) -> bool {
        match self {
            Self::Kept => was_there,
            Self::Entered => true,
            Self::Removed => false,
        }
    }
}

impl InstallationEvent {
    /// Every event type.
    pub const TYPES: [&'static str; 1] = ["VonageChanged"];

    /// The event's type: its variant's name.
    pub const fn type_name(&self) -> &'static str {
        match self {
            Self::VonageChanged { .. } => "VonageChanged",
        }
    }

    /// The version that is written today.
    pub const fn version(&self) -> &'static str {
        "1"
    }
}

impl DomainEvent for InstallationEvent {
    fn event_type(&self) -> String {
        self.type_name().to_owned()
    }

    fn event_version(&self) -> String {
        self.version().to_owned()
    }
}

impl Aggregate for Installation {
    const TYPE: &'static str = "Installation";
    type Command = InstallationCommand;
    type Event = InstallationEvent;
    type Error = InstallationError;
    type Services = ();

    async fn handle(
        &mut self,
        command: InstallationCommand,
        (): &(),
        sink: &EventSink<Self>,
    ) -> Result<(), InstallationError> {
        for event in self.decide(command)? {
            sink.write(event, self).await;
        }
        Ok(())
    }

    fn apply(&mut self, event: InstallationEvent) {
        self.evolve(&event);
    }
}

#[cfg(test)]
mod tests {
    use cqrs_es::test::TestFramework;

    use super::SecretChange::{Entered, Kept, Removed};
    use super::*;

    const ID: &str = "00000000-0000-4000-8000-000000000001";

    fn change(
        application_id: Option<&str>,
        signature_secret: SecretChange,
        private_key: SecretChange,
    ) -> InstallationCommand {
        InstallationCommand::ChangeVonage {
            application_id: application_id.map(str::to_owned),
            signature_secret,
            private_key,
            seen: None,
        }
    }

    fn changed(
        application_id: Option<&str>,
        signature_secret: SecretChange,
        private_key: SecretChange,
    ) -> InstallationEvent {
        InstallationEvent::VonageChanged {
            application_id: application_id.map(str::to_owned),
            signature_secret,
            private_key,
        }
    }

    #[test]
    fn what_is_entered_is_recorded() {
        TestFramework::<Installation>::with(())
            .given_no_previous_events()
            .when(change(Some(ID), Entered, Kept))
            .then_expect_events(vec![changed(Some(ID), Entered, Kept)]);
    }

    #[test]
    fn a_secret_that_is_entered_again_may_be_another_and_is_recorded() {
        TestFramework::<Installation>::with(())
            .given(vec![changed(Some(ID), Entered, Entered)])
            .when(change(Some(ID), Kept, Entered))
            .then_expect_events(vec![changed(Some(ID), Kept, Entered)]);
    }

    #[test]
    fn what_changes_nothing_is_no_event() {
        TestFramework::<Installation>::with(())
            .given(vec![changed(Some(ID), Entered, Kept)])
            .when(change(Some(ID), Kept, Removed))
            .then_expect_events(vec![]);
    }

    #[test]
    fn what_was_removed_cannot_be_removed_again() {
        let given = vec![
            changed(Some(ID), Entered, Entered),
            changed(None, Removed, Kept),
        ];
        TestFramework::<Installation>::with(())
            .given(given)
            .when(change(None, Removed, Removed))
            .then_expect_events(vec![changed(None, Kept, Removed)]);
    }

    #[test]
    fn an_older_form_changes_nothing_unless_it_changes_nothing() {
        let seen = |application_id: Option<&str>, seen| {
            let InstallationCommand::ChangeVonage {
                application_id,
                signature_secret,
                private_key,
                ..
            } = change(application_id, Kept, Kept);
            InstallationCommand::ChangeVonage {
                application_id,
                signature_secret,
                private_key,
                seen: Some(seen),
            }
        };
        let given = || {
            TestFramework::<Installation>::with(()).given(vec![
                changed(None, Entered, Kept),
                changed(Some(ID), Kept, Kept),
            ])
        };
        given()
            .when(seen(None, 1))
            .then_expect_error(InstallationError::ChangedSince { version: 2 });
        given().when(seen(Some(ID), 1)).then_expect_events(vec![]);
        given()
            .when(seen(None, 2))
            .then_expect_events(vec![changed(None, Kept, Kept)]);
    }

    #[test]
    fn an_application_id_that_cannot_be_one_is_refused() {
        for id in ["", " ", "a b", "a\nb", &"x".repeat(101), "ä"] {
            TestFramework::<Installation>::with(())
                .given_no_previous_events()
                .when(change(Some(id), Entered, Entered))
                .then_expect_error(InstallationError::ApplicationId);
        }
    }
}
