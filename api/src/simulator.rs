//! A simulated Vonage account: what Docket talks to where no real account is at hand.
//!
//! It is a server of its own and speaks HTTP with Docket in both directions, as Vonage does: it takes `POST /v1/messages` with a token
//! that it verifies, and posts signed webhooks with inbound messages and statuses, again and again until Docket takes them. So
//! `docket demo` and the tests run the very code that a real account meets. For tests it can be told to fail ([`Fault`]); for people
//! it has a page, the phone, on which one writes as a customer and sees the answers come.
//!
//! Nothing is kept beyond the process. It guards nothing but invented data, so it should listen on this machine alone.

mod account;
mod files;
mod keys;
mod link;
mod messages_api;
mod phone;
mod templates;
mod webhooks;

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use chrono::{DateTime, Utc};
use docket_domain::channel::Channel;
use jsonwebtoken::DecodingKey;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::ambient;
use crate::vonage::{Clock, NewId};
use account::Account;
use link::{CuttableListener, Link};

pub use account::{Entry, EntryKind, EntryState};
pub use keys::{Keys, keys};
pub use templates::SimulatedTemplate;
pub use webhooks::NoAnswer;

/// How long a stop waits for calls that are under way.
const STOP_GRACE: Duration = Duration::from_secs(5);

/// What a simulated account is made of.
#[derive(Clone)]
pub struct SimulatorOptions {
    /// Where it listens; port 0 takes any free one.
    pub listen: SocketAddr,
    /// Docket's address, such as `http://127.0.0.1:8080`; may be given later. Webhooks wait for it.
    pub docket_url: Option<String>,
    /// Signs the webhooks.
    pub signature_secret: SecretString,
    /// The application that Docket's tokens must name.
    pub application_id: String,
    /// Verifies Docket's tokens: RSA in PEM.
    pub public_key_pem: String,
    /// The pause before each status.
    pub status_delay: Duration,
    /// The pause before a webhook is repeated; it doubles each time, up to 15 minutes.
    pub retry_base: Duration,
    /// How often a webhook is tried in all.
    pub max_tries: u32,
    /// The lines that the phone offers to write to.
    pub lines: Vec<SimulatedLine>,
    /// The customers that the phone offers to be.
    pub customers: Vec<SimulatedCustomer>,
    /// What time it is.
    pub clock: Clock,
    /// Where messages get their identifiers from.
    pub new_id: NewId,
}

impl SimulatorOptions {
    /// An account on any free port of this machine, with Vonage's own pauses between repetitions and a few invented customers.
    pub fn new(
        signature_secret: impl Into<SecretString>,
        application_id: impl Into<String>,
        public_key_pem: impl Into<String>,
    ) -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            docket_url: None,
            signature_secret: signature_secret.into(),
            application_id: application_id.into(),
            public_key_pem: public_key_pem.into(),
            status_delay: Duration::from_millis(400),
            retry_base: Duration::from_secs(5),
            // About a day with pauses from 5 s up to 15 min.
            max_tries: 103,
            lines: Vec::new(),
            customers: SimulatedCustomer::invented(),
            clock: Arc::new(ambient::now),
            new_id: Arc::new(ambient::new_id),
        }
    }
}

/// A line that the phone offers to write to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SimulatedLine {
    /// What the customer has it saved as.
    pub label: String,
    /// Our number, digits alone.
    pub number: String,
    /// How it is reached.
    pub channel: Channel,
}

/// A customer that the phone offers to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SimulatedCustomer {
    /// What they call themselves on WhatsApp.
    pub name: String,
    /// Their number, digits alone.
    pub number: String,
}

impl SimulatedCustomer {
    /// Four people who do not exist, with numbers that are set aside for fiction.
    pub fn invented() -> Vec<Self> {
        [
            ("Amira Haddad", "447700900101"),
            ("Ben Carter", "447700900102"),
            ("Chloe Martin", "12025550141"),
            ("Diego Ruiz", "12025550142"),
        ]
        .map(|(name, number)| Self {
            name: name.to_owned(),
            number: number.to_owned(),
        })
        .into()
    }
}

/// What shall go wrong with one call of `POST /v1/messages`. As JSON: `{"fault": "status", "status": 503}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "fault", rename_all = "snake_case")]
pub enum Fault {
    /// Nothing: the call goes through.
    Pass,
    /// Not taken; answered with this status.
    Status {
        /// An HTTP status.
        status: u16,
        /// A wish for a pause, in seconds.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        retry_after_s: Option<u64>,
    },
    /// Not taken; the connection is cut without an answer.
    CutBeforeAccept,
    /// Taken, statuses and all; the connection is cut without an answer.
    CutAfterAccept,
    /// Taken at once, but the answer and the statuses come only after a while.
    Delay {
        /// How long, in milliseconds.
        delay_ms: u64,
    },
    /// Taken; all statuses are posted before the call is answered.
    StatusesBeforeAnswer,
    /// Taken, and then refused by the status `rejected` with Vonage's code.
    Reject {
        /// Vonage's code, such as 1340.
        code: u32,
    },
    /// Taken, but no status ever comes.
    NoStatuses,
    /// Taken; every status comes twice.
    DuplicateStatuses,
    /// Taken; the statuses come in the wrong order.
    ReversedStatuses,
}

impl Fault {
    /// Not taken; answered with `status`.
    pub const fn status(status: u16) -> Self {
        Self::Status {
            status,
            retry_after_s: None,
        }
    }
}

/// A message that the account has taken from Docket.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AcceptedMessage {
    /// What the account calls it.
    pub message_uuid: String,
    /// What Docket calls it.
    pub client_ref: Option<String>,
    /// The customer.
    pub to: String,
    /// The line.
    pub from: String,
    /// How it went.
    pub channel: Channel,
    /// What was sent; of a template, what arrives.
    pub text: String,
    /// The template that it was sent as.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub template: Option<AcceptedTemplate>,
    /// The file that it carries; the text then stands beneath it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub media: Option<AcceptedFile>,
    /// The `message_uuid` of the message that it quotes.
    pub quoted: Option<String>,
    /// When it was taken.
    pub at: DateTime<Utc>,
}

/// A file that a message from Docket carries.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AcceptedFile {
    /// `image`, `audio`, `video` or `file`.
    pub kind: String,
    /// Where the account fetched it.
    pub url: String,
    /// Its name, where one was given.
    pub name: Option<String>,
}

/// A WhatsApp template as Docket sent it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AcceptedTemplate {
    /// Its name.
    pub name: String,
    /// Its locale.
    pub locale: String,
    /// What stands in its places.
    pub parameters: Vec<String>,
}

/// Something that a customer sends.
#[derive(Clone, Debug, PartialEq)]
pub struct CustomerMessage {
    /// The customer's number.
    pub from: String,
    /// The line's number.
    pub to: String,
    /// The line's channel; a photo to an SMS line goes as MMS.
    pub channel: Channel,
    /// What it is.
    pub kind: EntryKind,
    /// The `message_uuid` of the answer that it quotes.
    pub quoted: Option<String>,
}

/// Why a simulated account could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum SimulatorError {
    /// The address is taken or is not ours.
    #[error("the simulated account cannot listen on {address}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system says.
        source: std::io::Error,
    },
    /// Tokens could not be verified with it.
    #[error("the public key is no RSA key in PEM form")]
    PublicKey,
    /// Webhooks could not be posted.
    #[error("the HTTP client could not be set up")]
    Http(#[source] reqwest::Error),
}

/// A simulated account that runs until it is stopped or dropped.
pub struct Simulator {
    address: SocketAddr,
    account: Arc<Account>,
    server: Option<JoinHandle<()>>,
}

impl std::fmt::Debug for Simulator {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Simulator")
            .field("address", &self.address)
            .finish_non_exhaustive()
    }
}

impl Simulator {
    /// Opens the account.
    ///
    /// # Errors
    ///
    /// [`SimulatorError`] if the address is taken or the public key is none.
    pub async fn start(options: SimulatorOptions) -> Result<Self, SimulatorError> {
        let verifier = DecodingKey::from_rsa_pem(options.public_key_pem.as_bytes())
            .map_err(|_| SimulatorError::PublicKey)?;
        let http = webhooks::http_client().map_err(SimulatorError::Http)?;
        let listen = options.listen;
        let in_listening = |source| SimulatorError::Listen {
            address: listen,
            source,
        };
        let listener = TcpListener::bind(listen).await.map_err(in_listening)?;
        let address = listener.local_addr().map_err(in_listening)?;
        let account = Arc::new(Account::new(options, address, verifier, http));

        let router = Router::new()
            .merge(messages_api::router())
            .merge(phone::router())
            .merge(files::router())
            .with_state(Arc::clone(&account));
        let serving = axum::serve(
            CuttableListener(listener),
            router.into_make_service_with_connect_info::<Link>(),
        )
        .with_graceful_shutdown(account.stopping.clone().cancelled_owned());
        let server = tokio::spawn(async move {
            if let Err(error) = serving.await {
                tracing::error!(%error, "the simulated account has stopped serving");
            }
        });
        Ok(Self {
            address,
            account,
            server: Some(server),
        })
    }

    /// Where it listens.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// The base address for `DOCKET_VONAGE_API_URL`, and the phone's.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Tells the account where Docket listens; webhooks that wait go there when they are next tried.
    pub fn set_docket_url(&self, url: impl Into<String>) {
        self.account.state().docket_url = Some(url.into());
    }

    /// Lets the next calls fail, one fault a call, after those that were scripted before.
    pub fn script(&self, faults: impl IntoIterator<Item = Fault>) {
        self.account.state().faults.extend(faults);
    }

    /// Makes a template known to the account, as WhatsApp approved it.
    pub fn add_template(&self, template: SimulatedTemplate) {
        self.account.state().templates.push(template);
    }

    /// Ends WhatsApp's 24 hours for a customer and a line, or begins them anew. While they are over, what the customer writes is
    /// dated back by more than that time, and free text to them is rejected.
    pub fn set_window(&self, customer: &str, line: &str, open: bool) {
        let parties = account::Parties::new(customer, line, Channel::Whatsapp);
        self.account.set_window(parties, open);
    }

    /// Everything the account has taken, in order.
    pub fn accepted(&self) -> Vec<AcceptedMessage> {
        self.account.state().accepted.clone()
    }

    /// What a customer and a line have said to each other, in order.
    pub fn conversation(&self, customer: &str, line: &str, channel: Channel) -> Vec<Entry> {
        self.account
            .entries_after(&account::Parties::new(customer, line, channel), 0)
    }

    /// Sends a text as a customer and gives the status that Docket answered the webhook with. Where that asks for a repetition, it
    /// goes on in the background.
    ///
    /// # Errors
    ///
    /// [`NoAnswer`] if Docket could not be reached; this too is repeated.
    pub async fn text(
        &self,
        from: &str,
        to: &str,
        channel: Channel,
        text: &str,
    ) -> Result<u16, NoAnswer> {
        self.say(CustomerMessage {
            from: from.to_owned(),
            to: to.to_owned(),
            channel,
            kind: EntryKind::Text {
                text: text.to_owned(),
            },
            quoted: None,
        })
        .await
    }

    /// Sends anything as a customer; otherwise as [`Simulator::text`].
    ///
    /// # Errors
    ///
    /// As [`Simulator::text`].
    pub async fn say(&self, message: CustomerMessage) -> Result<u16, NoAnswer> {
        webhooks::say(&self.account, message).await.1
    }

    /// Posts a signed inbound webhook with any payload, once.
    ///
    /// # Errors
    ///
    /// [`NoAnswer`] if Docket could not be reached.
    pub async fn inbound(&self, payload: &Value) -> Result<u16, NoAnswer> {
        webhooks::post_once(
            &self.account,
            webhooks::Kind::Inbound,
            payload.to_string().into_bytes(),
        )
        .await
    }

    /// Posts a signed status webhook with any payload, once.
    ///
    /// # Errors
    ///
    /// [`NoAnswer`] if Docket could not be reached.
    pub async fn status(&self, payload: &Value) -> Result<u16, NoAnswer> {
        webhooks::post_once(
            &self.account,
            webhooks::Kind::Status,
            payload.to_string().into_bytes(),
        )
        .await
    }

    /// Waits until no webhook is on its way or waiting to be repeated.
    pub async fn settled(&self) {
        self.account.settled().await;
    }

    /// Closes the account: calls under way are answered, webhooks that wait are dropped.
    pub async fn stop(mut self) {
        self.account.stopping.cancel();
        self.account.tasks.close();
        if let Some(mut server) = self.server.take() {
            let ended = async {
                // A task that failed has ended as well.
                let _ = (&mut server).await;
                self.account.tasks.wait().await;
            };
            if tokio::time::timeout(STOP_GRACE, ended).await.is_err() {
                server.abort();
            }
        }
    }
}

impl Drop for Simulator {
    fn drop(&mut self) {
        self.account.stopping.cancel();
    }
}

#[cfg(test)]
mod tests;
