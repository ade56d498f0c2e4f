//! Sends messages by Vonage's Messages API.
//!
//! Vonage offers no idempotency key: a call that is repeated sends a second message. So every outcome says whether the call may be
//! repeated, and nothing in here repeats one by itself: neither a redirect is followed nor a refused HTTP/2 stream tried again.
//! [`SendOutcome::Uncertain`] stands for every call that Vonage may have taken without our hearing of it; the status webhook settles
//! it, or a person does.
//!
//! A proxy named in `HTTPS_PROXY` is used, and `NO_PROXY` honoured, as in most programs; it sees no more than Vonage's address, since
//! the call is encrypted end to end. An address on this machine is never called through a proxy.

use std::fmt;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use docket_domain::channel::Channel;
use docket_domain::whatsapp_template::SentTemplate;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue, RETRY_AFTER};
use reqwest::{StatusCode, Url};
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use uuid::Uuid;

use super::{Clock, NewId, code_in_type, mask_numbers};
use crate::ambient;

/// How long a token is valid: Vonage's own default.
const TOKEN_LIFE: TimeDelta = TimeDelta::minutes(15);
/// A token is made anew so long before it expires, so that it outlives the call and a clock that differs from Vonage's.
const TOKEN_MARGIN: TimeDelta = TimeDelta::minutes(2);
/// How much of an answer is read, in bytes.
const MAX_ANSWER_BYTES: usize = 64 * 1024;
/// Longest reason that is passed on, in characters.
const MAX_REASON_CHARS: usize = 300;
/// The longest pause that Vonage can ask for: a mistaken header must not hold a message for ever.
const MAX_RETRY_AFTER: Duration = Duration::from_hours(1);
/// An idle connection is dropped after this time. Long-idle ones are closed by the other side, perhaps just as a call goes out, which
/// would leave that call uncertain.
const POOL_IDLE: Duration = Duration::from_secs(15);

/// What Vonage knows us by.
#[derive(Clone)]
pub struct Credentials {
    /// The application's id.
    pub application_id: String,
    /// The application's private key: RSA, in PEM, PKCS#8 or PKCS#1.
    pub private_key_pem: SecretString,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials")
            .field("application_id", &self.application_id)
            .finish_non_exhaustive()
    }
}

impl Credentials {
    /// Tries whether a token can be made of them; sends nothing, so Vonage may still not accept them.
    ///
    /// # Errors
    ///
    /// [`CredentialsError`] says which of the two is of no use.
    pub fn check(&self) -> Result<(), CredentialsError> {
        let key = self.key()?;
        sign(
            &key,
            &self.application_id,
            DateTime::UNIX_EPOCH,
            Uuid::nil(),
        )
        .map(drop)
    }

    fn key(&self) -> Result<EncodingKey, CredentialsError> {
        if self.application_id.trim().is_empty() {
            return Err(CredentialsError::ApplicationId);
        }
        EncodingKey::from_rsa_pem(self.private_key_pem.expose_secret().as_bytes())
            .map_err(|_| CredentialsError::PrivateKey)
    }
}

/// Why credentials are of no use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CredentialsError {
    /// The application id is empty.
    #[error("the application id is missing")]
    ApplicationId,
    /// The private key cannot be read or cannot sign.
    #[error("the private key is no RSA key of 2048 bits or more in PEM form")]
    PrivateKey,
}

/// Why a client could not be made.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The base address is no usable URL.
    #[error(
        "the address of Vonage's API must be a URL without user, query or fragment, such as https://api.nexmo.com"
    )]
    Url,
    /// The base address would send the token and the messages in the clear.
    #[error("the address of Vonage's API must begin with https:// unless it is on this machine")]
    Insecure,
    /// The credentials are of no use.
    #[error(transparent)]
    Credentials(#[from] CredentialsError),
    /// The system's certificates could not be loaded, or the like.
    #[error("the HTTP client could not be set up")]
    Http(#[source] reqwest::Error),
}

/// The longest that a call to Vonage takes.
pub const CALL_TIMEOUT: Duration = Duration::from_secs(20);

/// How a client works.
#[derive(Clone)]
pub struct ClientOptions {
    /// The longest wait for a connection; keep it below `total_timeout`, or a call that was never sent is taken for an uncertain one.
    pub connect_timeout: Duration,
    /// The longest wait for a whole answer.
    pub total_timeout: Duration,
    /// What time it is.
    pub clock: Clock,
    /// Where tokens get their identifiers from.
    pub new_id: NewId,
}

impl Default for ClientOptions {
    /// 5 s to connect, 20 s in all, the ambient clock.
    fn default() -> Self {
        Self {
            connect_timeout: Duration::from_secs(5),
            total_timeout: CALL_TIMEOUT,
            clock: Arc::new(ambient::now),
            new_id: Arc::new(ambient::new_id),
        }
    }
}

/// A text on its way out, free or as a template.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct OutboundText<'a> {
    /// How it goes.
    pub channel: Channel,
    /// Our number: digits alone.
    pub from: &'a str,
    /// The person's number: digits alone.
    pub to: &'a str,
    /// What is sent, reference included; at most [`Channel::max_text_chars`].
    pub text: &'a str,
    /// The `WhatsApp` template that is sent in place of the text.
    pub template: Option<&'a SentTemplate>,
    /// What every status of it will carry; at most 40 characters.
    pub client_ref: &'a str,
    /// The `message_uuid` of the message that it quotes; WhatsApp alone can.
    pub quoted: Option<&'a str>,
    /// The file that it carries; the text then stands beneath it.
    pub media: Option<OutboundFile<'a>>,
}

/// A file on its way out.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct OutboundFile<'a> {
    /// `image`, `audio`, `video` or `file`.
    pub kind: &'a str,
    /// Where Vonage fetches it.
    pub url: &'a str,
    /// What the person sees as its name.
    pub name: Option<&'a str>,
}

impl fmt::Debug for OutboundText<'_> {
    /// Without the text and the number.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OutboundText")
            .field("channel", &self.channel)
            .field("client_ref", &self.client_ref)
            .finish_non_exhaustive()
    }
}

impl OutboundText<'_> {
    /// The body of the call.
    fn to_json(self) -> Vec<u8> {
        let is_mms = self.media.is_some() && self.channel == Channel::Sms;
        let mut file = Map::new();
        if let Some(media) = self.media {
            let caption = Some(self.text).filter(|text| !text.is_empty());
            let name = media.name.filter(|_| media.kind == "file" && !is_mms);
            let value = BodyFile {
                url: media.url,
                caption,
                name,
            };
            let value = serde_json::to_value(value).expect("strings serialise");
            file.insert(media.kind.to_owned(), value);
        }
        let body = Body {
            message_type: match (self.media, self.template) {
                (Some(media), _) => media.kind,
                (None, Some(_)) => "template",
                (None, None) => "text",
            },
            channel: if is_mms { "mms" } else { self.channel.as_str() },
            to: self.to,
            from: self.from,
            text: (self.media.is_none() && self.template.is_none()).then_some(self.text),
            template: self.template.map(|template| BodyTemplate {
                name: &template.name,
                parameters: &template.parameters,
            }),
            whatsapp: self.template.map(|template| BodyWhatsapp {
                policy: "deterministic",
                locale: &template.locale,
            }),
            file,
            client_ref: self.client_ref,
            context: self.quoted.map(|message_uuid| BodyContext { message_uuid }),
        };
        serde_json::to_vec(&body).expect("strings serialise")
    }
}

/// What became of a call. The reasons hold neither text nor number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SendOutcome {
    /// Vonage took it.
    Accepted {
        /// Vonage's `message_uuid`; none where the answer broke off or could not be read, and the statuses will tell it.
        provider_id: Option<String>,
    },
    /// Nothing was sent, and the same call may succeed later.
    Retry {
        /// Why.
        reason: String,
        /// How long Vonage asked us to wait.
        retry_after: Option<Duration>,
    },
    /// Nothing was sent, and the same call never will succeed.
    Refused {
        /// Vonage's code; `webhook::reason` has a sentence for the frequent ones.
        code: Option<u32>,
        /// Vonage's title and detail.
        reason: String,
    },
    /// Nothing was sent, and no call of the line will succeed before the owner has done something.
    Halted {
        /// What the owner must see to.
        reason: HaltReason,
    },
    /// It may have been sent or not: it must not be repeated blindly.
    Uncertain {
        /// What happened.
        reason: String,
    },
}

/// What Vonage said to credentials that were tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trial {
    /// It accepts them: what it refused was the message.
    Accepted,
    /// It accepts them, and the account has no money left.
    NoBalance,
    /// It does not accept them.
    Refused,
    /// It could not be reached, or did not answer.
    Unreachable,
    /// It answered something that says neither.
    Unclear {
        /// The status of its answer.
        status: u16,
    },
}

/// What stops all sending.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum HaltReason {
    /// Vonage does not accept our credentials.
    Credentials,
    /// The account has no money left.
    Balance,
}

/// A client of the Messages API for one application. Calls may run side by side; they share connections and token.
pub struct Client {
    http: reqwest::Client,
    url: Url,
    application_id: String,
    key: EncodingKey,
    clock: Clock,
    new_id: NewId,
    token: Mutex<Option<Token>>,
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("url", &self.url.as_str())
            .field("application_id", &self.application_id)
            .finish_non_exhaustive()
    }
}

struct Token {
    authorization: HeaderValue,
    made_at: DateTime<Utc>,
}

#[derive(Serialize)]
struct TokenClaims<'a> {
    application_id: &'a str,
    iat: i64,
    exp: i64,
    jti: Uuid,
}

#[derive(Serialize)]
struct Body<'a> {
    message_type: &'a str,
    channel: &'static str,
    to: &'a str,
    from: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    template: Option<BodyTemplate<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    whatsapp: Option<BodyWhatsapp<'a>>,
    /// The file under the name of its kind.
    #[serde(flatten)]
    file: Map<String, Value>,
    client_ref: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    context: Option<BodyContext<'a>>,
}

#[derive(Serialize)]
struct BodyTemplate<'a> {
    name: &'a str,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    parameters: &'a [String],
}

#[derive(Serialize)]
struct BodyWhatsapp<'a> {
    policy: &'static str,
    locale: &'a str,
}

#[derive(Serialize)]
struct BodyFile<'a> {
    url: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    caption: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
}

#[derive(Serialize)]
struct BodyContext<'a> {
    message_uuid: &'a str,
}

impl Client {
    /// A client for the Messages API below `base_url`, such as `https://api.nexmo.com`.
    ///
    /// # Errors
    ///
    /// [`ClientError`] for an address or credentials that cannot work.
    pub fn new(
        base_url: &str,
        credentials: &Credentials,
        options: ClientOptions,
    ) -> Result<Self, ClientError> {
        credentials.check()?;
        let (url, is_loopback) = messages_url(base_url)?;
        let mut builder = reqwest::Client::builder()
            .user_agent(concat!("docket/", env!("CARGO_PKG_VERSION")))
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .referer(false)
            .pool_idle_timeout(POOL_IDLE)
            .connect_timeout(options.connect_timeout)
            .timeout(options.total_timeout);
        if is_loopback {
            builder = builder.no_proxy();
        }
        Ok(Self {
            http: builder.build().map_err(ClientError::Http)?,
            url,
            application_id: credentials.application_id.clone(),
            key: credentials.key()?,
            clock: options.clock,
            new_id: options.new_id,
            token: Mutex::new(None),
        })
    }

    /// Sends one text, once.
    pub async fn send(&self, message: &OutboundText<'_>) -> SendOutcome {
        let Ok(authorization) = self.authorization() else {
            return SendOutcome::Halted {
                reason: HaltReason::Credentials,
            };
        };
        let call = self
            .http
            .post(self.url.clone())
            .header(AUTHORIZATION, authorization)
            .header(CONTENT_TYPE, HeaderValue::from_static("application/json"))
            .header(ACCEPT, HeaderValue::from_static("application/json"))
            .body(message.to_json());
        match call.send().await {
            Ok(answer) => self.judge(message, answer).await,
            Err(error) if error.is_connect() => SendOutcome::Retry {
                reason: "Vonage could not be reached.".to_owned(),
                retry_after: None,
            },
            Err(error) if error.is_timeout() => SendOutcome::Uncertain {
                reason: "Vonage did not answer in time.".to_owned(),
            },
            Err(_) => SendOutcome::Uncertain {
                reason: "The connection to Vonage broke before its answer came.".to_owned(),
            },
        }
    }

    /// Asks Vonage whether it accepts the credentials, by a call that cannot send: a message without channel, sender, recipient and text,
    /// which Vonage refuses as incomplete once it has accepted who calls.
    pub async fn try_credentials(&self) -> Trial {
        let Ok(authorization) = self.authorization() else {
            return Trial::Refused;
        };
        let call = self
            .http
            .post(self.url.clone())
            .header(AUTHORIZATION, authorization)
            .header(CONTENT_TYPE, HeaderValue::from_static("application/json"))
            .header(ACCEPT, HeaderValue::from_static("application/json"))
            .body("{}");
        let Ok(answer) = call.send().await else {
            return Trial::Unreachable;
        };
        match answer.status().as_u16() {
            401 => {
                *self.token.lock().unwrap_or_else(PoisonError::into_inner) = None;
                Trial::Refused
            }
            402 => Trial::NoBalance,
            400 | 422 => Trial::Accepted,
            status => Trial::Unclear { status },
        }
    }

    /// The `Authorization` header for a call of another kind; `None` where none can be made.
    pub fn authorization_header(&self) -> Option<HeaderValue> {
        self.authorization().ok()
    }

    /// The `Authorization` header, made anew when the last one is about to expire, or was made later than now, after the clock was set
    /// back.
    fn authorization(&self) -> Result<HeaderValue, CredentialsError> {
        let now = (self.clock)();
        let mut token = self.token.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(Token {
            authorization,
            made_at,
        }) = &*token
            && (*made_at..*made_at + TOKEN_LIFE - TOKEN_MARGIN).contains(&now)
        {
            return Ok(authorization.clone());
        }
        let authorization = sign(&self.key, &self.application_id, now, (self.new_id)())?;
        *token = Some(Token {
            authorization: authorization.clone(),
            made_at: now,
        });
        Ok(authorization)
    }

    async fn judge(&self, message: &OutboundText<'_>, answer: reqwest::Response) -> SendOutcome {
        let status = answer.status();
        let retry_after = retry_after(answer.headers(), (self.clock)());
        // Whether the rest of the answer arrives changes nothing about what its status says.
        let body = read_at_most(answer, MAX_ANSWER_BYTES).await;
        if status.is_success() {
            return SendOutcome::Accepted {
                provider_id: provider_id(&body),
            };
        }
        let problem = Problem::read(&body);
        let reason = problem.reason(status, message);
        match status.as_u16() {
            401 => {
                // Perhaps our clock was wrong when it was made.
                *self.token.lock().unwrap_or_else(PoisonError::into_inner) = None;
                SendOutcome::Halted {
                    reason: HaltReason::Credentials,
                }
            }
            402 => SendOutcome::Halted {
                reason: HaltReason::Balance,
            },
            // Something between Vonage and us gave up waiting, after the call had gone through. 520, 522 and 524 are the same from a
            // gateway of Cloudflare's.
            408 | 502 | 504 | 520 | 522 | 524 => SendOutcome::Uncertain { reason },
            429 | 500..=599 => SendOutcome::Retry {
                reason,
                retry_after,
            },
            // A redirect is a mistake in the address, which can be mended.
            300..=399 => SendOutcome::Retry {
                reason,
                retry_after: None,
            },
            _ => SendOutcome::Refused {
                code: problem.code(),
                reason,
            },
        }
    }
}

/// The address of the call, and whether it is on this machine.
fn messages_url(base_url: &str) -> Result<(Url, bool), ClientError> {
    let mut url = Url::parse(base_url.trim()).map_err(|_| ClientError::Url)?;
    let is_plain = url.username().is_empty()
        && url.password().is_none()
        && url.query().is_none()
        && url.fragment().is_none();
    let Some(host) = url.host_str().filter(|_| is_plain) else {
        return Err(ClientError::Url);
    };
    let is_loopback = host == "localhost"
        || host
            .trim_start_matches('[')
            .trim_end_matches(']')
            .parse()
            .is_ok_and(|address: IpAddr| address.is_loopback());
    match url.scheme() {
        "https" => {}
        "http" if is_loopback => {}
        "http" => return Err(ClientError::Insecure),
        _ => return Err(ClientError::Url),
    }
    url.path_segments_mut()
        .map_err(|()| ClientError::Url)?
        .pop_if_empty()
        .extend(["v1", "messages"]);
    Ok((url, is_loopback))
}

/// Makes the value of an `Authorization` header.
fn sign(
    key: &EncodingKey,
    application_id: &str,
    now: DateTime<Utc>,
    jti: Uuid,
) -> Result<HeaderValue, CredentialsError> {
    let claims = TokenClaims {
        application_id,
        iat: now.timestamp(),
        exp: (now + TOKEN_LIFE).timestamp(),
        jti,
    };
    let token = jsonwebtoken::encode(&Header::new(Algorithm::RS256), &claims, key)
        .map_err(|_| CredentialsError::PrivateKey)?;
    let mut value = HeaderValue::try_from(format!("Bearer {token}"))
        .expect("base64url and dots are fit for a header");
    value.set_sensitive(true);
    Ok(value)
}

/// Seconds, or a date of HTTP.
fn retry_after(headers: &HeaderMap, now: DateTime<Utc>) -> Option<Duration> {
    let value = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    let pause = match value.parse() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => (DateTime::parse_from_rfc2822(value).ok()?.to_utc() - now)
            .to_std()
            .unwrap_or_default(),
    };
    Some(pause.min(MAX_RETRY_AFTER))
}

/// The beginning of an answer's body, as far as it came.
async fn read_at_most(mut answer: reqwest::Response, limit: usize) -> Vec<u8> {
    let mut body = Vec::new();
    while body.len() < limit
        && let Ok(Some(chunk)) = answer.chunk().await
    {
        body.extend_from_slice(&chunk);
    }
    body
}

fn provider_id(body: &[u8]) -> Option<String> {
    #[derive(Deserialize)]
    struct Answer {
        message_uuid: String,
    }

    let answer: Answer = serde_json::from_slice(body).ok()?;
    (!answer.message_uuid.trim().is_empty()).then_some(answer.message_uuid)
}

/// Vonage's explanation of a refusal, as far as there is one.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Problem {
    #[serde(rename = "type")]
    kind: Value,
    title: Value,
    detail: Value,
    invalid_parameters: Value,
}

impl Problem {
    fn read(body: &[u8]) -> Self {
        serde_json::from_slice(body).unwrap_or_default()
    }

    fn code(&self) -> Option<u32> {
        words(&self.title)
            .and_then(|title| title.parse().ok())
            .or_else(|| words(&self.kind).and_then(|kind| code_in_type(&kind)))
    }

    /// Title, detail and the parameters at fault, without what would tell whom we wrote to and what.
    fn reason(&self, status: StatusCode, message: &OutboundText<'_>) -> String {
        let title = words(&self.title);
        let detail = words(&self.detail);
        let mut reason = match (title, detail) {
            (Some(title), Some(detail)) => format!("{title}: {detail}"),
            (Some(only), None) | (None, Some(only)) => only,
            (None, None) => format!("Vonage answered {}.", status.as_u16()),
        };
        for parameter in self.invalid_parameters.as_array().into_iter().flatten() {
            if let (Some(name), Some(why)) =
                (words(&parameter["name"]), words(&parameter["reason"]))
            {
                reason = format!("{reason} ({name}: {why})");
            }
        }
        without_personal(&reason, message)
    }
}

/// A string or number as text; none if it is blank or anything else.
fn words(value: &Value) -> Option<String> {
    let words = match value {
        Value::String(text) => text.trim().to_owned(),
        Value::Number(number) => number.to_string(),
        _ => return None,
    };
    (!words.is_empty()).then_some(words)
}

/// Takes out the text and the number, should Vonage quote them, and whatever would break a line of a log.
fn without_personal(reason: &str, message: &OutboundText<'_>) -> String {
    /// A shorter text is too likely to be part of Vonage's own words, and tells nothing.
    const SHORTEST_TEXT_BYTES: usize = 4;

    let mut reason = reason.to_owned();
    for (personal, shortest) in [(message.text.trim(), SHORTEST_TEXT_BYTES), (message.to, 1)] {
        if personal.len() >= shortest {
            reason = reason.replace(personal, "…");
        }
    }
    let is_printable = |c: char| if c.is_control() { ' ' } else { c };
    mask_numbers(&reason)
        .chars()
        .map(is_printable)
        .take(MAX_REASON_CHARS)
        .collect()
}

#[cfg(test)]
mod tests;
