//! What every part of the running service shares.

use std::ops::Deref;
use std::sync::{Arc, OnceLock};

use arc_swap::ArcSwapOption;
use chrono::{DateTime, Utc};
use docket_domain::text::phone::Country;
use docket_projections::PgPool;
use docket_projections::ledger::Ledger;
use docket_projections::read::reports::KeptReports;
use metrics_exporter_prometheus::PrometheusHandle;
use secrecy::SecretString;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::activity::Activity;
use crate::audit::Audit;
use crate::http::client_address::TrustedProxies;
use crate::media::Media;
use crate::people::People;
use crate::vonage::client::Client;
use crate::vonage_settings::VonageSettings;

/// What every part of the running service shares; cloning it is cheap.
#[derive(Clone)]
pub struct App(Arc<Parts>);

/// What it consists of.
#[derive(Clone)]
pub struct Parts {
    /// The write path.
    pub ledger: Ledger,
    /// Where it is noted what people look at and fail to do.
    pub audit: Audit,
    /// Connections for reading.
    pub pool: PgPool,
    /// What reports ask, read from the database once.
    pub reports: Arc<KeptReports>,
    /// Who we are at Vonage.
    pub vonage: Arc<Vonage>,
    /// The files that messages carry.
    pub media: Media,
    /// What time it is.
    pub clock: fn() -> DateTime<Utc>,
    /// Makes identifiers.
    pub new_id: fn() -> Uuid,
    /// Renders `GET /metrics`.
    pub metrics: PrometheusHandle,
    /// Where people reach this installation, without a slash at the end; for links and webhook addresses.
    pub public_url: Arc<str>,
    /// The country whose national numbers are understood.
    pub default_country: Option<Country>,
    /// What people are called, and the installation's time zone.
    pub people: Arc<People>,
    /// The proxies whose word for where a request came from counts.
    pub proxies: Arc<TrustedProxies>,
    /// Cancelled when the service begins to shut down.
    pub stopping: CancellationToken,
}

impl App {
    /// Shares the parts.
    pub fn new(parts: Parts) -> Self {
        Self(Arc::new(parts))
    }
}

impl Deref for App {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.0
    }
}

/// Who we are at Vonage; each part can be absent until it is configured or an owner has entered it. It changes while the service runs:
/// [`crate::vonage_settings`] keeps it up to date.
#[derive(Default)]
pub struct Vonage {
    /// The account's signature secret, which signs webhooks.
    pub signature_secret: ArcSwapOption<SecretString>,
    /// The application's id, which webhooks must name if they name any.
    pub application_id: ArcSwapOption<String>,
    /// The Messages API.
    pub client: ArcSwapOption<Client>,
    /// What went to and fro, counted for the page of health.
    pub activity: Activity,
    /// Where all that comes from.
    pub settings: VonageSettings,
    /// Where the phone of a simulated account is found, in a demonstration.
    pub phone: OnceLock<String>,
}
