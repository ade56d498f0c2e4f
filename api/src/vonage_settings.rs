//! What Vonage knows us by: from the configuration, or entered by an owner at the console.
//!
//! What stands in the configuration wins. Whatever an owner enters is taken over at once by the process that recorded it, and by
//! the others on the same database as soon as they have seen that the log has grown, without a restart. What always holds: a
//! change is taken over whole or not at all, an older one never replaces a newer one, and nothing here logs a secret.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use docket_projections::DatabaseError;
use docket_projections::read::installation;
use docket_projections::secrets as kept;
use secrecy::SecretString;
use tokio::sync::Mutex;
use tracing::{error, info, warn};

use crate::app::App;
use crate::config::Config;
use crate::secrets::{PRIVATE_KEY, SIGNATURE_SECRET, SecretKey};
use crate::vonage::client::{Client, ClientOptions, Credentials};

/// At most so often another process's changes are looked for, however fast the log grows.
const FOLLOW_PAUSE: Duration = Duration::from_millis(300);

/// What stands in the configuration.
#[derive(Clone, Debug, Default)]
pub struct Configured {
    /// The application's id.
    pub application_id: Option<String>,
    /// The secret that signs webhooks.
    pub signature_secret: Option<SecretString>,
    /// The application's private key in PEM.
    pub private_key: Option<SecretString>,
    /// The base address of Vonage's API.
    pub api_url: String,
}

/// Where one of the settings comes from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Source {
    /// Nowhere: it is not set.
    #[default]
    Missing,
    /// The configuration.
    Configured,
    /// An owner entered it.
    Entered,
    /// An owner entered it, and it cannot be read: the key is missing or another one, or the row was changed.
    Unreadable,
}

impl Source {
    /// Whether there is something to be used.
    pub const fn is_there(self) -> bool {
        matches!(self, Self::Configured | Self::Entered)
    }
}

/// Where the settings in use come from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sources {
    /// Of the application's id.
    pub application_id: Source,
    /// Of the secret that signs webhooks.
    pub signature_secret: Source,
    /// Of the application's private key.
    pub private_key: Source,
}

/// What the settings in use are made of.
#[derive(Debug, Default)]
pub struct VonageSettings {
    configured: Configured,
    key: Option<SecretKey>,
    sources: ArcSwap<Sources>,
    /// The version of the entered settings that is in use; whoever takes them over holds the lock.
    in_use: Mutex<Option<u64>>,
}

impl VonageSettings {
    /// What stands in the configuration, and the key of what is kept; without one, no secrets can be kept.
    pub fn new(configured: Configured, key: Option<SecretKey>) -> Self {
        Self {
            configured,
            key,
            ..Self::default()
        }
    }

    /// What the checked configuration says.
    pub fn of(config: &Config, key: Option<SecretKey>) -> Self {
        let configured = Configured {
            application_id: config.vonage_application_id.clone(),
            signature_secret: config.vonage_signature_secret.clone(),
            private_key: config.vonage_private_key.clone(),
            api_url: config.vonage_api_url.clone(),
        };
        Self::new(configured, key)
    }

    /// The key that encrypts what is kept.
    pub const fn key(&self) -> Option<&SecretKey> {
        self.key.as_ref()
    }

    /// The base address of Vonage's API.
    pub fn api_url(&self) -> &str {
        &self.configured.api_url
    }

    /// Where the settings in use come from.
    pub fn sources(&self) -> Sources {
        **self.sources.load()
    }
}

/// Takes the settings over as they are now, unless they are in use already.
///
/// # Errors
///
/// The database's error; what was in use stays.
pub async fn refresh(app: &App) -> Result<(), DatabaseError> {
    let settings = &app.vonage.settings;
    let mut in_use = settings.in_use.lock().await;
    // Secrets are read after the version: where both change meanwhile, the next round finds a newer version.
    let row = installation::find(&app.pool).await?;
    let version = row.as_ref().map_or(0, |row| row.version);
    if *in_use == Some(version) {
        return Ok(());
    }
    let Configured {
        application_id,
        signature_secret,
        private_key,
        api_url,
    } = settings.configured.clone();
    let (application_id, application_source) = match (application_id, row) {
        (Some(id), _) => (Some(id), Source::Configured),
        (None, row) => match row.and_then(|row| row.application_id) {
            Some(id) => (Some(id), Source::Entered),
            None => (None, Source::Missing),
        },
    };
    let (signature_secret, signature_source) =
        either(app, signature_secret, SIGNATURE_SECRET).await?;
    let (private_key, mut key_source) = either(app, private_key, PRIVATE_KEY).await?;
    let client = match (&application_id, private_key) {
        (Some(application_id), Some(private_key_pem)) => {
            let credentials = Credentials {
                application_id: application_id.clone(),
                private_key_pem,
            };
            match Client::new(&api_url, &credentials, ClientOptions::default()) {
                Ok(client) => Some(Arc::new(client)),
                Err(error) => {
                    error!(%error, "nothing can be sent by Vonage: enter its settings again");
                    key_source = Source::Unreadable;
                    None
                }
            }
        }
        _ => None,
    };
    let sources = Sources {
        application_id: application_source,
        signature_secret: signature_source,
        private_key: key_source,
    };
    info!(
        application_id = ?sources.application_id,
        signature_secret = ?sources.signature_secret,
        private_key = ?sources.private_key,
        "where Vonage's settings come from"
    );
    app.vonage
        .signature_secret
        .store(signature_secret.map(Arc::new));
    app.vonage
        .application_id
        .store(application_id.map(Arc::new));
    app.vonage.client.store(client);
    settings.sources.store(Arc::new(sources));
    *in_use = Some(version);
    Ok(())
}

/// A secret from the configuration, or as it is kept.
async fn either(
    app: &App,
    configured: Option<SecretString>,
    name: &'static str,
) -> Result<(Option<SecretString>, Source), DatabaseError> {
    if configured.is_some() {
        return Ok((configured, Source::Configured));
    }
    let Some(sealed) = kept::find(&app.pool, name).await? else {
        return Ok((None, Source::Missing));
    };
    let opened = match app.vonage.settings.key() {
        Some(key) => key.open(name, &sealed).ok(),
        None => None,
    };
    if opened.is_none() {
        warn!(
            name,
            "a stored secret cannot be read: give Docket the key that it was stored with, or enter it again at the console"
        );
        return Ok((None, Source::Unreadable));
    }
    Ok((opened, Source::Entered))
}

/// Takes over what other processes on the same database record, until the service stops.
pub async fn follow(app: App) {
    let mut head = app.ledger.head().subscribe();
    while !app.stopping.is_cancelled() {
        head.mark_unchanged();
        let is_up_to_date = match refresh(&app).await {
            Ok(()) => true,
            Err(error) => {
                warn!(%error, "whether Vonage's settings have changed could not be read; trying again");
                false
            }
        };
        let next = async {
            tokio::time::sleep(FOLLOW_PAUSE).await;
            if is_up_to_date {
                // The sender lives as long as the ledger, which outlives this task.
                let _ = head.changed().await;
            }
        };
        tokio::select! {
            () = app.stopping.cancelled() => {}
            () = next => {}
        }
    }
}
