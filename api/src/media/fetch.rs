//! Fetching a file from where a message says that it is.

use std::error::Error;
use std::time::Duration;

use bytes::Bytes;
use docket_domain::media::{MediaFailure, clean_name};
use futures_util::Stream;
use reqwest::header::{
    ACCEPT, AUTHORIZATION, CONTENT_DISPOSITION, CONTENT_LENGTH, HeaderMap, HeaderValue, LOCATION,
};
use reqwest::{Client, Response, StatusCode, Url};

use super::hosts::{Allowed, AllowedHosts, LeadsToPrivate};

/// The longest wait for a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// The longest wait for the next bytes.
const READ_TIMEOUT: Duration = Duration::from_secs(30);
/// The longest that one file takes.
pub const TOTAL_TIMEOUT: Duration = Duration::from_mins(30);
/// So often a call is sent on.
const MAX_REDIRECTS: usize = 5;

/// Fetches files from the hosts that are allowed; cloning it is cheap.
#[derive(Clone, Debug)]
pub struct Fetcher {
    client: Client,
    hosts: AllowedHosts,
}

impl Default for Fetcher {
    /// From Vonage's hosts alone.
    fn default() -> Self {
        Self::new(AllowedHosts::default()).expect("the certificates of the system can be read")
    }
}

/// A file whose bytes come.
#[derive(Debug)]
pub struct Fetched {
    answer: Response,
    host: String,
}

impl Fetcher {
    /// Fetches from these hosts.
    ///
    /// # Errors
    ///
    /// The system's certificates could not be loaded, or the like.
    pub fn new(hosts: AllowedHosts) -> Result<Self, reqwest::Error> {
        let client = Client::builder()
            .user_agent(concat!("docket/", env!("CARGO_PKG_VERSION")))
            // Each address is judged before it is called: see `call`.
            .redirect(reqwest::redirect::Policy::none())
            .referer(false)
            .dns_resolver(hosts.resolver())
            .connect_timeout(CONNECT_TIMEOUT)
            .read_timeout(READ_TIMEOUT)
            .timeout(TOTAL_TIMEOUT)
            .build()?;
        Ok(Self { client, hosts })
    }

    /// Calls for a file; its bytes come by [`Fetched::bytes`]. `token` says at Vonage who calls.
    ///
    /// # Errors
    ///
    /// A [`MediaFailure`].
    pub async fn call(
        &self,
        address: &str,
        token: Option<&HeaderValue>,
        max_bytes: u64,
    ) -> Result<Fetched, MediaFailure> {
        let mut allowed = self.hosts.check(address)?;
        for _ in 0..=MAX_REDIRECTS {
            let host = host_of(&allowed.url);
            let answer = self.get(&allowed, token, &host).await?;
            let status = answer.status();
            if status.is_redirection() {
                let target =
                    target(&allowed.url, answer.headers()).ok_or(MediaFailure::Answered {
                        status: status.as_u16(),
                    })?;
                let host = host_of(&target);
                allowed = self
                    .hosts
                    .check_url(target)
                    .map_err(|_| MediaFailure::Redirected { host })?;
                continue;
            }
            if status != StatusCode::OK {
                return Err(MediaFailure::Answered {
                    status: status.as_u16(),
                });
            }
            let fetched = Fetched { answer, host };
            if fetched.told_size().is_some_and(|size| size > max_bytes) {
                return Err(too_large(max_bytes));
            }
            return Ok(fetched);
        }
        Err(MediaFailure::Redirected {
            host: host_of(&allowed.url),
        })
    }

    async fn get(
        &self,
        allowed: &Allowed,
        token: Option<&HeaderValue>,
        host: &str,
    ) -> Result<Response, MediaFailure> {
        let mut call = self
            .client
            .get(allowed.url.clone())
            .header(ACCEPT, HeaderValue::from_static("*/*"));
        if let Some(token) = token.filter(|_| allowed.with_token) {
            call = call.header(AUTHORIZATION, token.clone());
        }
        call.send().await.map_err(|error| failure(&error, host))
    }
}

impl Fetched {
    fn told_size(&self) -> Option<u64> {
        let told = self.answer.headers().get(CONTENT_LENGTH)?;
        told.to_str().ok()?.parse().ok()
    }

    /// The name that the host gives the file.
    pub fn name(&self) -> Option<String> {
        let value = self.answer.headers().get(CONTENT_DISPOSITION)?;
        name_in(std::str::from_utf8(value.as_bytes()).ok()?)
    }

    /// The file's bytes.
    pub fn bytes(self) -> impl Stream<Item = Result<Bytes, MediaFailure>> + Send {
        let Self { answer, host } = self;
        futures_util::TryStreamExt::map_err(answer.bytes_stream(), move |error| {
            failure(&error, &host)
        })
    }
}

/// That a file is larger than is kept.
pub const fn too_large(max_bytes: u64) -> MediaFailure {
    MediaFailure::TooLarge {
        max_mb: max_bytes / super::MB,
    }
}

fn host_of(url: &Url) -> String {
    url.host_str().unwrap_or_default().to_owned()
}

fn target(from: &Url, headers: &HeaderMap) -> Option<Url> {
    from.join(headers.get(LOCATION)?.to_str().ok()?).ok()
}

fn failure(error: &reqwest::Error, host: &str) -> MediaFailure {
    let mut cause: Option<&(dyn Error + 'static)> = Some(error);
    while let Some(error) = cause {
        if error.is::<LeadsToPrivate>() {
            return MediaFailure::PrivateAddress {
                host: host.to_owned(),
            };
        }
        cause = error.source();
    }
    MediaFailure::Unreachable {
        host: host.to_owned(),
    }
}

/// The file name in a `Content-Disposition`: `filename*` in UTF-8 before `filename`.
fn name_in(disposition: &str) -> Option<String> {
    let parameter = |wanted: &str| {
        disposition.split(';').skip(1).find_map(|part| {
            let (name, value) = part.split_once('=')?;
            name.trim()
                .eq_ignore_ascii_case(wanted)
                .then(|| value.trim().trim_matches('"'))
        })
    };
    let extended = parameter("filename*").and_then(|value| {
        let (charset, rest) = value.split_once('\'')?;
        let (_, encoded) = rest.split_once('\'')?;
        // A plus sign stands for itself here, and for a space in a form.
        let encoded = encoded.replace('+', "%2B");
        let (name, _) = form_urlencoded::parse(encoded.as_bytes()).next()?;
        charset
            .eq_ignore_ascii_case("utf-8")
            .then(|| name.into_owned())
    });
    let plain = || parameter("filename").map(str::to_owned);
    clean_name(&extended.or_else(plain)?)
}

#[cfg(test)]
mod tests;
