//! What owners set for the whole installation; the secrets among it are in [`crate::secrets`].

use chrono::{DateTime, Utc};
use docket_domain::event::Event;
use docket_domain::installation::{InstallationEvent, SecretChange};
use docket_domain::personal::Personal;
use serde::Serialize;
use sqlx::PgExecutor;

use crate::log::recorded::{Actor, Recorded};
use crate::read::Projection;
use crate::read::writes::Writes;

/// What is set for the whole installation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InstallationRow {
    /// The Vonage application's id.
    pub application_id: Option<String>,
    /// Whether the secret that signs webhooks was entered.
    pub has_signature_secret: bool,
    /// Whether the application's private key was entered.
    pub has_private_key: bool,
    /// When any of it was last changed.
    pub changed_at: DateTime<Utc>,
    /// The address of whoever changed it last; `None` for Docket's command line.
    pub changed_by: Option<Personal<String>>,
    /// The sequence of the last event.
    pub version: u64,
}

/// Builds table `installation`.
#[derive(Default)]
pub struct InstallationHandler {
    change: Option<Change>,
}

/// What the events since the last write made of it.
struct Change {
    application_id: Option<String>,
    signature_secret: SecretChange,
    private_key: SecretChange,
    changed_at: DateTime<Utc>,
    changed_by: Option<String>,
    version: u64,
}

impl Projection for InstallationHandler {
    const NAME: &'static str = "installation";
    const VERSION: i32 = 1;
    const TABLES: &'static [&'static str] = &["installation"];
    const STATEMENTS: &'static [&'static str] = &[SET];

    fn apply(&mut self, recorded: &Recorded) {
        let Event::Installation(InstallationEvent::VonageChanged {
            application_id,
            signature_secret,
            private_key,
        }) = &recorded.event
        else {
            return;
        };
        let since = |before: Option<SecretChange>, now: SecretChange| match now {
            SecretChange::Kept => before.unwrap_or_default(),
            now => now,
        };
        let before = self.change.take();
        self.change = Some(Change {
            application_id: application_id.clone(),
            signature_secret: since(
                before.as_ref().map(|change| change.signature_secret),
                *signature_secret,
            ),
            private_key: since(
                before.as_ref().map(|change| change.private_key),
                *private_key,
            ),
            changed_at: recorded.recorded_at,
            changed_by: match &recorded.metadata.actor {
                Actor::User { email, .. } => Some(email.clone()),
                Actor::Vonage | Actor::System => None,
            },
            version: recorded.sequence,
        });
    }

    fn write(&mut self, writes: &mut Writes) {
        writes.statement::<Self>(SET, self.change.take().map(ChangedInstallation::of));
    }
}

/// The row as it is to be; whether a secret is there is absent where that stays.
#[derive(Serialize)]
struct ChangedInstallation {
    application_id: Option<String>,
    has_signature_secret: Option<bool>,
    has_private_key: Option<bool>,
    changed_at: DateTime<Utc>,
    changed_by: Option<String>,
    version: u64,
}

impl ChangedInstallation {
    fn of(change: Change) -> Self {
        Self {
            application_id: change.application_id,
            has_signature_secret: is_there(change.signature_secret),
            has_private_key: is_there(change.private_key),
            changed_at: change.changed_at,
            changed_by: change.changed_by,
            version: change.version,
        }
    }
}

/// The row that is there is looked up before: `excluded` holds no NULL, which says that something stays.
const SET: &str = "
    INSERT INTO installation (application_id, has_signature_secret, has_private_key, changed_at, changed_by, version)
    SELECT r.application_id, coalesce(r.has_signature_secret, i.has_signature_secret, false),
           coalesce(r.has_private_key, i.has_private_key, false), dated(r.changed_at, $2), r.changed_by, r.version
      FROM jsonb_to_recordset($1)
           AS r (application_id text, has_signature_secret boolean, has_private_key boolean, changed_at timestamptz,
                 changed_by text, version bigint)
      LEFT JOIN installation i ON true
    ON CONFLICT (only_row) DO UPDATE
       SET application_id = excluded.application_id, has_signature_secret = excluded.has_signature_secret,
           has_private_key = excluded.has_private_key, changed_at = excluded.changed_at,
           changed_by = excluded.changed_by, version = excluded.version";

/// Whether a secret is there after the change; `None` as before.
const fn is_there(change: SecretChange) -> Option<bool> {
    match change {
        SecretChange::Kept => None,
        SecretChange::Entered => Some(true),
        SecretChange::Removed => Some(false),
    }
}

/// What is set; `None` before anything was.
///
/// # Errors
///
/// The database's error.
pub async fn find(executor: impl PgExecutor<'_>) -> Result<Option<InstallationRow>, sqlx::Error> {
    let row = sqlx::query!(
        "SELECT application_id, has_signature_secret, has_private_key, changed_at, changed_by, version
         FROM installation",
    )
    .fetch_optional(executor)
    .await?;
    Ok(row.map(|row| InstallationRow {
        application_id: row.application_id,
        has_signature_secret: row.has_signature_secret,
        has_private_key: row.has_private_key,
        changed_at: row.changed_at,
        changed_by: row.changed_by.map(Personal),
        version: row.version.cast_unsigned(),
    }))
}
