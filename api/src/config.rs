//! Settings: from flags, the environment, or a file, in that order of weight.
//!
//! A section a file ([`listen`], [`database`], …): it holds the table of its settings, of which
//! `--help`, the tables of the documentation and the names that the file may hold are made, and the
//! check of their values. To add a setting: an entry in its section's table, its check, and a field
//! of [`Config`]. What always holds: a value counts without the white space and invisible
//! characters at its ends, an empty one as not set; all mistakes are told at once, each in a
//! sentence that names the setting; no sentence repeats a secret.

pub mod checkpoints;
pub mod database;
pub mod delivery;
pub mod file;
pub mod first_owner;
pub mod given;
pub mod listen;
pub mod logging;
pub mod media;
pub mod numbers;
pub mod public_url;
pub mod secrets;
mod tables;
mod times;
pub mod vonage;

use std::net::SocketAddr;
use std::path::PathBuf;

use docket_domain::text::phone::Country;
use docket_domain::text::time_zone::TimeZone;
use secrecy::SecretString;

pub use self::given::{Given, Values};
pub use self::listen::MetricsListen;
use crate::delivery::DeliveryOptions;
use crate::evidence::outlets::OutletsConfig;
use crate::http::client_address::TrustedProxies;
use crate::secrets::SecretKey;
use crate::vonage::client::{Client, ClientOptions, Credentials};

/// One setting, as a section's table describes it.
#[derive(Clone, Copy, Debug)]
pub struct Setting {
    /// The environment variable, which is also its name in the file and in sentences.
    pub name: &'static str,
    /// The flag, without the dashes.
    pub flag: &'static str,
    /// An older flag, which is still taken and no longer shown.
    pub old_flag: Option<&'static str>,
    /// What stands behind the flag.
    pub value: &'static str,
    /// Its value where none is given.
    pub default: Option<&'static str>,
    /// Whether it is a secret: then it can also stand in a file, named by the variable with `_FILE`
    /// behind it.
    pub is_secret: bool,
    /// Whether the README tells of it.
    pub is_basic: bool,
    /// For what it is, in a sentence.
    pub about: &'static str,
    /// What happens without it, where there is no default.
    pub without: &'static str,
}

/// Settings that belong together.
#[derive(Clone, Copy, Debug)]
pub struct Section {
    /// Its heading in `--help` and in the documentation.
    pub heading: &'static str,
    /// Its settings.
    pub settings: &'static [Setting],
}

/// All settings, but the name of the file itself.
pub const SECTIONS: [Section; 11] = [
    listen::SECTION,
    database::SECTION,
    vonage::SECTION,
    delivery::SECTION,
    media::SECTION,
    numbers::SECTION,
    times::SECTION,
    secrets::SECTION,
    checkpoints::SECTION,
    first_owner::SECTION,
    logging::SECTION,
];

/// The settings, checked.
#[derive(Clone, Debug)]
pub struct Config {
    /// The Postgres to use; a private one where it is absent.
    pub database_url: Option<SecretString>,
    /// Where to listen.
    pub listen: SocketAddr,
    /// Where metrics are served.
    pub metrics_listen: MetricsListen,
    /// The folder of the private Postgres and of keys.
    pub data_dir: PathBuf,
    /// Where people and Vonage reach us, without a slash at the end.
    pub public_url: Option<String>,
    /// The proxies whose word for where a request came from counts.
    pub trusted_proxies: TrustedProxies,
    /// The base address of Vonage's API.
    pub vonage_api_url: String,
    /// The Vonage application's id.
    pub vonage_application_id: Option<String>,
    /// The secret that signs webhooks.
    pub vonage_signature_secret: Option<SecretString>,
    /// The application's private key in PEM.
    pub vonage_private_key: Option<SecretString>,
    /// The key that encrypts secrets entered at the console.
    pub secret_key: Option<SecretKey>,
    /// Where checkpoints of the log go.
    pub checkpoints: OutletsConfig,
    /// How messages are delivered.
    pub delivery: DeliveryOptions,
    /// Where media are kept, and from where they are fetched.
    pub media: media::MediaSettings,
    /// The country whose national numbers are understood.
    pub default_country: Option<Country>,
    /// The time zone of those who chose none.
    pub time_zone: Option<TimeZone>,
    /// The first owner's address and password.
    pub owner: Option<(String, SecretString)>,
}

/// What is wrong with the settings: a sentence for each mistake.
#[derive(Debug, thiserror::Error)]
#[error("{}", .0.join("\n"))]
pub struct ConfigError(pub Vec<String>);

/// Gathers mistakes, so that all of them are told at once.
#[derive(Debug, Default)]
pub struct Mistakes(Vec<String>);

impl Mistakes {
    /// The value, or `None` with its sentence noted.
    fn note<T>(&mut self, result: Result<T, String>) -> Option<T> {
        result.map_err(|mistake| self.0.push(mistake)).ok()
    }
}

impl Values {
    /// Checks the settings.
    ///
    /// # Errors
    ///
    /// A sentence for every mistake.
    pub fn check(&self) -> Result<Config, ConfigError> {
        let mut mistakes = Mistakes::default();
        let database_url = database::url(self, &mut mistakes);
        let data_dir = mistakes.note(database::data_dir(self));
        let listen = mistakes.note(listen::address(self));
        let metrics_listen = mistakes.note(listen::metrics(self));
        let public_url = mistakes.note(listen::public_url(self));
        let trusted_proxies = mistakes.note(listen::trusted_proxies(self));
        let vonage = vonage::check(self, &mut mistakes);
        let secret_key = secrets::key(self, &mut mistakes);
        let checkpoints = mistakes.note(checkpoints::outlets(self));
        let delivery = mistakes.note(delivery::options(self));
        let api_url = vonage.as_ref().map(|vonage| vonage.api_url.as_str());
        let media = media::check(self, api_url, &mut mistakes);
        let default_country = mistakes.note(numbers::default_country(self));
        let time_zone = mistakes.note(times::time_zone(self));
        let owner = first_owner::owner(self, &mut mistakes);
        mistakes.note(logging::filter(self));
        let (
            Some(listen),
            Some(metrics_listen),
            Some(data_dir),
            Some(public_url),
            Some(trusted_proxies),
            Some(checkpoints),
            Some(delivery),
            Some(media),
            Some(default_country),
            Some(time_zone),
            Some(vonage),
            true,
        ) = (
            listen,
            metrics_listen,
            data_dir,
            public_url,
            trusted_proxies,
            checkpoints,
            delivery,
            media,
            default_country,
            time_zone,
            vonage,
            mistakes.0.is_empty(),
        )
        else {
            return Err(ConfigError(mistakes.0));
        };
        let config = Config {
            database_url,
            listen,
            metrics_listen,
            data_dir,
            public_url,
            trusted_proxies,
            vonage_api_url: vonage.api_url,
            vonage_application_id: vonage.application_id,
            vonage_signature_secret: vonage.signature_secret,
            vonage_private_key: vonage.private_key,
            secret_key,
            checkpoints,
            delivery,
            media,
            default_country,
            time_zone,
            owner,
        };
        config.client()?;
        Ok(config)
    }
}

impl Config {
    /// The client of the Messages API; `None` where Vonage's settings are not complete.
    ///
    /// # Errors
    ///
    /// A sentence, where the key or the address cannot work.
    pub fn client(&self) -> Result<Option<Client>, ConfigError> {
        let (Some(application_id), Some(private_key)) =
            (&self.vonage_application_id, &self.vonage_private_key)
        else {
            if self.vonage_private_key.is_some() {
                let sentence = "DOCKET_VONAGE_PRIVATE_KEY or DOCKET_VONAGE_PRIVATE_KEY_FILE is set without DOCKET_VONAGE_APPLICATION_ID; set both or neither";
                return Err(ConfigError(vec![sentence.to_owned()]));
            }
            return Ok(None);
        };
        let credentials = Credentials {
            application_id: application_id.clone(),
            private_key_pem: private_key.clone(),
        };
        Client::new(&self.vonage_api_url, &credentials, ClientOptions::default())
            .map(Some)
            .map_err(|error| {
                ConfigError(vec![format!(
                    "DOCKET_VONAGE_API_URL or DOCKET_VONAGE_PRIVATE_KEY_FILE: {error}"
                )])
            })
    }
}
