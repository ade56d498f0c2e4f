//! Settings: from flags, the environment, or a file, in that order of weight.
//!
//! Every flag has an environment variable of the same name, and the file (`--config`, `DOCKET_CONFIG`) holds lines
//! `NAME=value` of those variables. Each secret can also stand in a file of its own, named by the variable with `_FILE` behind it. A
//! wrong value stops the start with a sentence that names it.

use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use docket_domain::text::normalise;
use docket_domain::text::phone::Country;
use docket_domain::user::normalise_email;
use secrecy::{ExposeSecret, SecretString};
use tracing_subscriber::EnvFilter;

use crate::delivery::DeliveryOptions;
use crate::http::client_address::TrustedProxies;
use crate::secrets::SecretKey;
use crate::vonage::client::{Client, ClientOptions, Credentials};

/// The settings as they were given.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Settings")]
pub struct Given {
    /// A file with lines NAME=value of the environment variables below.
    #[arg(
        long = "config",
        global = true,
        env = "DOCKET_CONFIG",
        value_name = "FILE"
    )]
    pub config: Option<PathBuf>,
    /// The Postgres to use; without it Docket runs a private one in its data folder.
    #[arg(
        long,
        global = true,
        env = "DATABASE_URL",
        hide_env_values = true,
        value_name = "URL"
    )]
    pub database_url: Option<SecretString>,
    /// A file with the Postgres address.
    #[arg(long, global = true, env = "DATABASE_URL_FILE", value_name = "FILE")]
    pub database_url_file: Option<PathBuf>,
    /// Where to listen.
    #[arg(
        long = "docket-listen",
        alias = "listen",
        global = true,
        env = "DOCKET_LISTEN",
        default_value = "127.0.0.1:8080",
        value_name = "ADDRESS:PORT"
    )]
    pub listen: String,
    /// The folder of the private Postgres and of keys made at first start.
    #[arg(
        long = "docket-data-dir",
        alias = "data-dir",
        global = true,
        env = "DOCKET_DATA_DIR",
        default_value = "./docket-data",
        value_name = "FOLDER"
    )]
    pub data_dir: PathBuf,
    /// Where people and Vonage reach this installation, such as <https://docket.example.com>.
    #[arg(
        long = "docket-public-url",
        global = true,
        env = "DOCKET_PUBLIC_URL",
        value_name = "URL"
    )]
    pub public_url: Option<String>,
    /// The proxies that stand before Docket, by address or network, with commas between them: where the connection comes from one
    /// of them, the request came from the last other address of X-Forwarded-For.
    #[arg(
        long = "docket-trusted-proxies",
        global = true,
        env = "DOCKET_TRUSTED_PROXIES",
        default_value = "",
        hide_default_value = true,
        value_name = "ADDRESSES"
    )]
    pub trusted_proxies: String,
    /// The base address of Vonage's API.
    #[arg(
        long = "docket-vonage-api-url",
        global = true,
        env = "DOCKET_VONAGE_API_URL",
        default_value = "https://api.nexmo.com",
        value_name = "URL"
    )]
    pub vonage_api_url: String,
    /// The Vonage application's id.
    #[arg(
        long = "docket-vonage-application-id",
        global = true,
        env = "DOCKET_VONAGE_APPLICATION_ID",
        value_name = "ID"
    )]
    pub vonage_application_id: Option<String>,
    /// The Vonage account's signature secret, which signs webhooks.
    #[arg(
        long = "docket-vonage-signature-secret",
        global = true,
        env = "DOCKET_VONAGE_SIGNATURE_SECRET",
        hide_env_values = true,
        value_name = "SECRET"
    )]
    pub vonage_signature_secret: Option<SecretString>,
    /// A file with the signature secret.
    #[arg(
        long = "docket-vonage-signature-secret-file",
        global = true,
        env = "DOCKET_VONAGE_SIGNATURE_SECRET_FILE",
        value_name = "FILE"
    )]
    pub vonage_signature_secret_file: Option<PathBuf>,
    /// The file with the application's private key, as downloaded from Vonage (PEM).
    #[arg(
        long = "docket-vonage-private-key-file",
        global = true,
        env = "DOCKET_VONAGE_PRIVATE_KEY_FILE",
        value_name = "FILE"
    )]
    pub vonage_private_key_file: Option<PathBuf>,
    /// Calls to Vonage a second on one line.
    #[arg(
        long = "docket-vonage-rate",
        global = true,
        env = "DOCKET_VONAGE_RATE",
        default_value = "25",
        value_name = "NUMBER"
    )]
    pub vonage_rate: String,
    /// Seconds for which a message belongs to the worker that took it. If the worker is gone by then, one that waits is taken by another, and
    /// one whose call had begun becomes uncertain. Keep it above 20, the longest that a call takes.
    #[arg(
        long = "docket-sending-lease",
        global = true,
        env = "DOCKET_SENDING_LEASE",
        default_value = "60",
        value_name = "SECONDS"
    )]
    pub sending_lease: String,
    /// The country whose national numbers are understood, in two letters such as GB. Without it a number needs its country code.
    #[arg(
        long = "docket-default-country",
        global = true,
        env = "DOCKET_DEFAULT_COUNTRY",
        value_name = "COUNTRY"
    )]
    pub default_country: Option<String>,
    /// The key that encrypts secrets entered at the console: 32 random bytes in base64 or hexadecimal. With the private Postgres it is
    /// made at the first start and kept in the data folder.
    #[arg(
        long = "docket-secret-key",
        global = true,
        env = "DOCKET_SECRET_KEY",
        hide_env_values = true,
        value_name = "KEY"
    )]
    pub secret_key: Option<SecretString>,
    /// A file with that key.
    #[arg(
        long = "docket-secret-key-file",
        global = true,
        env = "DOCKET_SECRET_KEY_FILE",
        value_name = "FILE"
    )]
    pub secret_key_file: Option<PathBuf>,
    /// The address of the first owner, made at the first start.
    #[arg(
        long = "docket-owner-email",
        global = true,
        env = "DOCKET_OWNER_EMAIL",
        value_name = "EMAIL"
    )]
    pub owner_email: Option<String>,
    /// The first owner's password.
    #[arg(
        long = "docket-owner-password",
        global = true,
        env = "DOCKET_OWNER_PASSWORD",
        hide_env_values = true,
        value_name = "PASSWORD"
    )]
    pub owner_password: Option<SecretString>,
    /// A file with the first owner's password.
    #[arg(
        long = "docket-owner-password-file",
        global = true,
        env = "DOCKET_OWNER_PASSWORD_FILE",
        value_name = "FILE"
    )]
    pub owner_password_file: Option<PathBuf>,
    /// What is logged: a level (error, warn, info, debug, trace), or levels of single parts such as info,docket=debug.
    #[arg(
        long = "rust-log",
        global = true,
        env = "RUST_LOG",
        default_value = "info,sqlx=warn",
        value_name = "FILTER"
    )]
    pub log: String,
}

/// The settings, checked.
#[derive(Clone, Debug)]
pub struct Config {
    /// The Postgres to use; a private one where it is absent.
    pub database_url: Option<SecretString>,
    /// Where to listen.
    pub listen: SocketAddr,
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
    /// How messages are delivered.
    pub delivery: DeliveryOptions,
    /// The country whose national numbers are understood.
    pub default_country: Option<Country>,
    /// The first owner's address and password.
    pub owner: Option<(String, SecretString)>,
}

/// What is wrong with the settings: a sentence for each mistake.
#[derive(Debug, thiserror::Error)]
#[error("{}", .0.join("\n"))]
pub struct ConfigError(pub Vec<String>);

/// Puts the variables of the configuration file into the environment, where they are not set there; to be called before
/// anything else runs.
///
/// # Errors
///
/// A sentence, where the file cannot be read.
pub fn load_file(arguments: &[String]) -> Result<(), ConfigError> {
    let named = arguments
        .iter()
        .position(|argument| argument == "--config")
        .and_then(|index| arguments.get(index + 1).cloned())
        .or_else(|| {
            arguments
                .iter()
                .find_map(|argument| argument.strip_prefix("--config=").map(str::to_owned))
        })
        .or_else(|| std::env::var("DOCKET_CONFIG").ok());
    let Some(path) = named else { return Ok(()) };
    dotenvy::from_path(Path::new(&path)).map_err(|error| {
        ConfigError(vec![format!(
            "DOCKET_CONFIG: the file {path} cannot be read ({error}); it has lines NAME=value"
        )])
    })
}

/// Gathers mistakes, so that all of them are told at once.
#[derive(Default)]
struct Mistakes(Vec<String>);

impl Mistakes {
    fn note<T>(&mut self, result: Result<T, String>) -> Option<T> {
        match result {
            Ok(value) => Some(value),
            Err(mistake) => {
                self.0.push(mistake);
                None
            }
        }
    }

    fn secret(
        &mut self,
        name: &str,
        value: Option<&SecretString>,
        file: Option<&PathBuf>,
    ) -> Option<SecretString> {
        match (value, file) {
            (Some(_), Some(_)) => {
                self.0.push(format!(
                    "{name} and {name}_FILE are both set; set one of them"
                ));
                None
            }
            (Some(value), None) if value.expose_secret().is_empty() => {
                self.0
                    .push(format!("{name} is empty; give it a value or leave it out"));
                None
            }
            (Some(value), None) => Some(value.clone()),
            (None, Some(path)) => self.note(read_secret(&format!("{name}_FILE"), path)),
            (None, None) => None,
        }
    }
}

fn read_secret(name: &str, path: &Path) -> Result<SecretString, String> {
    let text = std::fs::read_to_string(path).map_err(|error| {
        format!(
            "{name}: the file {} cannot be read ({error})",
            path.display()
        )
    })?;
    let text = text.trim_end_matches(['\n', '\r']);
    if text.is_empty() {
        return Err(format!("{name}: the file {} is empty", path.display()));
    }
    Ok(text.to_owned().into())
}

impl Given {
    /// Checks the settings.
    ///
    /// # Errors
    ///
    /// A sentence for every mistake.
    pub fn check(&self) -> Result<Config, ConfigError> {
        let mut mistakes = Mistakes::default();
        let database_url = mistakes.secret(
            "DATABASE_URL",
            self.database_url.as_ref(),
            self.database_url_file.as_ref(),
        );
        if let Some(url) = &database_url
            && docket_projections::connect::connect_options(url.expose_secret()).is_err()
        {
            mistakes.0.push("DATABASE_URL must be a Postgres address such as postgres://user:password@host/database".to_owned());
        }
        let listen = mistakes.note(self.listen.parse::<SocketAddr>().map_err(|_| {
            "DOCKET_LISTEN must be an address and a port, such as 127.0.0.1:8080".to_owned()
        }));
        let public_url = self
            .public_url
            .as_ref()
            .and_then(|url| mistakes.note(check_url("DOCKET_PUBLIC_URL", url)));
        let trusted_proxies = mistakes.note(
            TrustedProxies::parse(&self.trusted_proxies)
                .map_err(|error| format!("DOCKET_TRUSTED_PROXIES: {error}")),
        );
        let vonage_api_url =
            mistakes.note(check_url("DOCKET_VONAGE_API_URL", &self.vonage_api_url));
        let signature_secret = mistakes.secret(
            "DOCKET_VONAGE_SIGNATURE_SECRET",
            self.vonage_signature_secret.as_ref(),
            self.vonage_signature_secret_file.as_ref(),
        );
        let private_key = self
            .vonage_private_key_file
            .as_ref()
            .and_then(|path| mistakes.note(read_secret("DOCKET_VONAGE_PRIVATE_KEY_FILE", path)));
        let secret_key = self.secret_key(&mut mistakes);
        let delivery = mistakes.note(self.delivery());
        let default_country = self.default_country(&mut mistakes);
        let owner = self.owner(&mut mistakes);
        mistakes.note(self.log_filter());
        let (Some(listen), Some(trusted_proxies), Some(vonage_api_url), Some(delivery), true) = (
            listen,
            trusted_proxies,
            vonage_api_url,
            delivery,
            mistakes.0.is_empty(),
        ) else {
            return Err(ConfigError(mistakes.0));
        };
        let config = Config {
            database_url,
            listen,
            data_dir: self.data_dir.clone(),
            public_url,
            trusted_proxies,
            vonage_api_url,
            vonage_application_id: self
                .vonage_application_id
                .as_deref()
                .and_then(normalise::typed_or_none),
            vonage_signature_secret: signature_secret,
            vonage_private_key: private_key,
            secret_key,
            delivery,
            default_country,
            owner,
        };
        config.client()?;
        Ok(config)
    }

    /// What is logged.
    ///
    /// # Errors
    ///
    /// A sentence, where it cannot be read.
    pub fn log_filter(&self) -> Result<EnvFilter, String> {
        EnvFilter::try_new(&self.log).map_err(|error| {
            format!("RUST_LOG must be a level such as info, or levels of single parts such as info,docket=debug ({error})")
        })
    }

    fn delivery(&self) -> Result<DeliveryOptions, String> {
        let rate: NonZeroU32 = self
            .vonage_rate
            .parse()
            .map_err(|_| "DOCKET_VONAGE_RATE must be a whole number from 1".to_owned())?;
        let lease: NonZeroU32 = self.sending_lease.parse().map_err(|_| {
            "DOCKET_SENDING_LEASE must be a whole number of seconds from 1".to_owned()
        })?;
        Ok(DeliveryOptions {
            per_line_rate: rate,
            lease: Duration::from_secs(lease.get().into()),
            ..DeliveryOptions::default()
        })
    }

    fn default_country(&self, mistakes: &mut Mistakes) -> Option<Country> {
        let country = self.default_country.as_deref()?;
        if normalise::is_empty(country) {
            return None;
        }
        mistakes.note(country.parse().map_err(|_| {
            "DOCKET_DEFAULT_COUNTRY must be a country in two letters, such as GB or US".to_owned()
        }))
    }

    fn secret_key(&self, mistakes: &mut Mistakes) -> Option<SecretKey> {
        let text = mistakes.secret(
            "DOCKET_SECRET_KEY",
            self.secret_key.as_ref(),
            self.secret_key_file.as_ref(),
        )?;
        mistakes.note(SecretKey::parse(text.expose_secret()).ok_or_else(|| {
            "DOCKET_SECRET_KEY must be 32 random bytes in base64 or hexadecimal; openssl rand -base64 32 makes them".to_owned()
        }))
    }

    fn owner(&self, mistakes: &mut Mistakes) -> Option<(String, SecretString)> {
        let known = mistakes.0.len();
        let password = mistakes.secret(
            "DOCKET_OWNER_PASSWORD",
            self.owner_password.as_ref(),
            self.owner_password_file.as_ref(),
        );
        match (&self.owner_email, password) {
            (Some(email), Some(password)) => {
                let email = mistakes.note(normalise_email(email).ok_or_else(|| {
                    "DOCKET_OWNER_EMAIL must be an address such as owner@example.com".to_owned()
                }))?;
                Some((email, password))
            }
            // A password that is given but cannot be taken has a sentence already.
            (Some(_), None) if mistakes.0.len() == known => {
                mistakes.0.push(
                    "DOCKET_OWNER_EMAIL is set without DOCKET_OWNER_PASSWORD; set both or neither"
                        .to_owned(),
                );
                None
            }
            (None, Some(_)) => {
                mistakes.0.push(
                    "DOCKET_OWNER_PASSWORD is set without DOCKET_OWNER_EMAIL; set both or neither"
                        .to_owned(),
                );
                None
            }
            (Some(_) | None, None) => None,
        }
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
                let sentence = "DOCKET_VONAGE_PRIVATE_KEY_FILE is set without DOCKET_VONAGE_APPLICATION_ID; set both or neither";
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

fn check_url(name: &str, url: &str) -> Result<String, String> {
    let mistake = || format!("{name} must be an address such as https://docket.example.com");
    let parsed = reqwest::Url::parse(url).map_err(|_| mistake())?;
    if !matches!(parsed.scheme(), "http" | "https")
        || parsed.host_str().is_none()
        || parsed.query().is_some()
    {
        return Err(mistake());
    }
    Ok(url.trim_end_matches('/').to_owned())
}
