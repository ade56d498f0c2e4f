//! From where files may be fetched: an address in a webhook is the word of a stranger.
//!
//! Three kinds of hosts are allowed: Vonage's, that of the configured API, and those that the operator lists. Vonage's are called
//! by https alone, and only where their names lead to public addresses; the others may be on a private network. The check of
//! addresses is made where the connection is ([`Resolver`]), so that a name cannot lead elsewhere in between.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::str::FromStr;
use std::sync::Arc;

use docket_domain::media::MediaFailure;
use reqwest::Url;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};

/// Vonage's domains.
const VONAGE: [&str; 2] = ["nexmo.com", "vonage.com"];

/// A host that the operator allows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostRule {
    /// As a URL writes it; of a whole domain without the `*.`.
    host: String,
    /// Whether all hosts below it are meant.
    is_domain: bool,
    /// The only port; any where it is absent.
    port: Option<u16>,
}

impl FromStr for HostRule {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (is_domain, text) = match text.strip_prefix("*.") {
            Some(domain) => (true, domain),
            None => (false, text),
        };
        // A bare IPv6 address has no brackets, which a URL needs.
        let text = match text.parse::<Ipv6Addr>() {
            Ok(address) => format!("[{address}]"),
            Err(_) => text.to_owned(),
        };
        if text.contains(['/', '@', '?', '#', '*', '\\']) {
            return Err(());
        }
        // With an unusual scheme's port no port of the entry is taken for the scheme's own.
        let url = Url::parse(&format!("http://{text}/")).map_err(|_| ())?;
        let host = url.host_str().filter(|host| !host.is_empty()).ok_or(())?;
        let names_port = text.rsplit_once(':').is_some_and(|(before, port)| {
            !port.is_empty()
                && port.bytes().all(|byte| byte.is_ascii_digit())
                && (!before.contains(':') || before.ends_with(']'))
        });
        Ok(Self {
            host: host.trim_end_matches('.').to_owned(),
            is_domain,
            port: names_port.then(|| url.port_or_known_default()).flatten(),
        })
    }
}

impl HostRule {
    fn covers(&self, host: &str, port: u16) -> bool {
        let is_host = if self.is_domain {
            is_below(host, &self.host)
        } else {
            host == self.host
        };
        is_host && self.port.is_none_or(|only| only == port)
    }
}

/// Whether `host` is below `domain`.
fn is_below(host: &str, domain: &str) -> bool {
    host.strip_suffix(domain)
        .is_some_and(|rest| rest.len() > 1 && rest.ends_with('.'))
}

/// What a file's address may be called with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Allowed {
    /// The address.
    pub url: Url,
    /// Whether Vonage is to know who calls: the host is Vonage's, or the configured API's.
    pub with_token: bool,
}

/// The hosts from which files are fetched.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AllowedHosts {
    /// The host of the configured API.
    api: Option<String>,
    rules: Vec<HostRule>,
}

impl AllowedHosts {
    /// Vonage's hosts, the host of its API, and further ones.
    pub fn new(api_url: &Url, rules: Vec<HostRule>) -> Self {
        Self {
            api: api_url.host_str().map(|host| plain(host).to_owned()),
            rules,
        }
    }

    /// The same with the API elsewhere.
    #[must_use]
    pub fn with_api(self, api_url: &Url) -> Self {
        Self::new(api_url, self.rules)
    }

    /// Whether a file may be fetched from that address, and how.
    ///
    /// # Errors
    ///
    /// A [`MediaFailure`] that names the host.
    pub fn check(&self, address: &str) -> Result<Allowed, MediaFailure> {
        let url = Url::parse(address).map_err(|_| MediaFailure::Address)?;
        self.check_url(url)
    }

    /// The same of an address that is read already.
    ///
    /// # Errors
    ///
    /// As [`check`](Self::check).
    pub fn check_url(&self, mut url: Url) -> Result<Allowed, MediaFailure> {
        if !matches!(url.scheme(), "https" | "http") {
            return Err(MediaFailure::Address);
        }
        let (Some(host), Some(port)) = (url.host_str(), url.port_or_known_default()) else {
            return Err(MediaFailure::Address);
        };
        if !url.username().is_empty() || url.password().is_some() {
            return Err(MediaFailure::Address);
        }
        let host = plain(host).to_owned();
        url.set_fragment(None);
        let is_vonages = is_vonages(&host);
        let is_api = self.api.as_ref() == Some(&host);
        if is_api || self.rules.iter().any(|rule| rule.covers(&host, port)) {
            // The token goes in the clear to nobody but a host that was chosen for it.
            let with_token = is_api || is_vonages && url.scheme() == "https";
            return Ok(Allowed { url, with_token });
        }
        if !is_vonages {
            return Err(MediaFailure::Host { host });
        }
        if url.scheme() == "http" && url.set_scheme("https").is_err() {
            return Err(MediaFailure::Address);
        }
        if url.port().is_some() {
            return Err(MediaFailure::Host { host });
        }
        Ok(Allowed {
            url,
            with_token: true,
        })
    }

    /// Whether a name may lead to a private address: one that was chosen, or a proxy's. All other names were refused before.
    fn may_be_private(&self, host: &str) -> bool {
        let host = plain(host);
        let is_chosen = self.api.as_deref() == Some(host)
            || self
                .rules
                .iter()
                .any(|rule| rule.covers(host, rule.port.unwrap_or_default()));
        is_chosen || !is_vonages(host)
    }

    /// What connects to these hosts.
    pub fn resolver(&self) -> Resolver {
        Resolver(Arc::new(self.clone()))
    }
}

fn is_vonages(host: &str) -> bool {
    VONAGE
        .iter()
        .any(|domain| host == *domain || is_below(host, domain))
}

/// A host without the dot that may end a name.
fn plain(host: &str) -> &str {
    host.strip_suffix('.').unwrap_or(host)
}

/// Finds the addresses of hosts, and gives only those to which a connection may be made.
#[derive(Clone, Debug)]
pub struct Resolver(Arc<AllowedHosts>);

/// A name leads to private addresses alone.
#[derive(Debug)]
pub struct LeadsToPrivate;

impl fmt::Display for LeadsToPrivate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the name leads to a private address")
    }
}

impl std::error::Error for LeadsToPrivate {}

impl Resolver {
    /// Those of the addresses to which a connection may be made.
    ///
    /// # Errors
    ///
    /// There are some, and none of them may be called.
    pub fn allowed(
        &self,
        host: &str,
        found: Vec<SocketAddr>,
    ) -> Result<Vec<SocketAddr>, LeadsToPrivate> {
        if self.0.may_be_private(host) {
            return Ok(found);
        }
        let were_found = !found.is_empty();
        let public: Vec<_> = found
            .into_iter()
            .filter(|address| is_public(address.ip()))
            .collect();
        if were_found && public.is_empty() {
            return Err(LeadsToPrivate);
        }
        Ok(public)
    }
}

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        let resolver = self.clone();
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?.collect();
            let allowed = resolver.allowed(name.as_str(), found)?;
            Ok(Box::new(allowed.into_iter()) as Addrs)
        })
    }
}

/// Whether an address is one of the public internet.
pub fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => match inner_v4(address) {
            Some(inner) => is_public_v4(inner),
            None => is_public_v6(address),
        },
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    let is_special = address.is_unspecified()
        || address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_broadcast()
        || address.is_documentation()
        || address.is_multicast();
    !is_special
        && a != 0
        // Shared by customers of a carrier.
        && !(a == 100 && (64..128).contains(&b))
        // IETF protocol assignments, 6to4 relays, benchmarks, reserved.
        && !(a == 192 && b == 0 && c == 0)
        && !(a == 192 && b == 88 && c == 99)
        && !(a == 198 && (b == 18 || b == 19))
        && a < 240
}

/// The IPv4 address that an IPv6 address stands for: mapped, compatible, translated (NAT64), 6to4 or Teredo.
fn inner_v4(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let [s0, s1, s2, s3, s4, s5, s6, s7] = address.segments();
    let v4 = |high: u16, low: u16| {
        let [a, b] = high.to_be_bytes();
        let [c, d] = low.to_be_bytes();
        Ipv4Addr::new(a, b, c, d)
    };
    match (s0, s1, s2, s3, s4, s5) {
        (0, 0, 0, 0, 0, 0xffff | 0) | (0, 0, 0, 0, 0xffff, 0) | (0x64, 0xff9b, 0, 0, 0, 0) => {
            Some(v4(s6, s7))
        }
        (0x2002, ..) => Some(v4(s1, s2)),
        (0x2001, 0, ..) => Some(v4(!s6, !s7)),
        _ => None,
    }
}

/// Only `2000::/3` is given out to the public internet.
fn is_public_v6(address: Ipv6Addr) -> bool {
    let [s0, s1, ..] = address.segments();
    (s0 & 0xe000) == 0x2000
        // Documentation.
        && !(s0 == 0x2001 && s1 == 0xdb8)
        && !(s0 == 0x3fff && s1 < 0x1000)
        // Benchmarks and overlays.
        && !(s0 == 0x2001 && (s1 == 2 || (0x10..0x40).contains(&s1)))
}

#[cfg(test)]
mod tests;
