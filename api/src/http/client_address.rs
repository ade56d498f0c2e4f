//! Where a request came from: the other end of its connection, or whom a proxy of ours names.
//!
//! Behind a proxy every connection comes from the proxy, which writes into `X-Forwarded-For` from where it was called. Anybody can
//! write that header, so it counts only where the other end of the connection is one of the [`TrustedProxies`], and of its
//! addresses the last one that is no trusted proxy itself: what stands before it, whoever called may have made up.

use std::fmt;
use std::net::{IpAddr, SocketAddr};

use axum::extract::ConnectInfo;
use axum::http::{Extensions, HeaderMap};

/// The header in which proxies say from where they were called.
const FORWARDED_FOR: &str = "x-forwarded-for";

/// The header in which proxies say whether they were called over https.
const FORWARDED_PROTO: &str = "x-forwarded-proto";

/// How a person's browser reached the outermost proxy, or Docket itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// Without encryption.
    Http,
    /// With TLS.
    Https,
}

/// The proxies whose word counts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TrustedProxies(Vec<Network>);

/// An address, or those that begin with the same bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Network {
    address: IpAddr,
    prefix_bits: u32,
}

/// An entry of the list that is neither an address nor a network.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("“{0}” is no address such as 127.0.0.1 and no network such as 10.0.0.0/8")]
pub struct NoNetwork(String);

impl Network {
    fn parse(text: &str) -> Option<Self> {
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text, None),
        };
        let address: IpAddr = address.trim().parse().ok()?;
        let most = bits_of(address);
        let prefix_bits = match prefix {
            Some(prefix) => prefix.trim().parse().ok().filter(|bits| *bits <= most)?,
            None => most,
        };
        Some(Self {
            address,
            prefix_bits,
        })
    }

    fn contains(self, other: IpAddr) -> bool {
        bits_of(self.address) == bits_of(other)
            && beginning(self.address, self.prefix_bits) == beginning(other, self.prefix_bits)
    }
}

const fn bits_of(address: IpAddr) -> u32 {
    match address {
        IpAddr::V4(_) => 32,
        IpAddr::V6(_) => 128,
    }
}

/// An address as a number, with its first bits alone.
fn beginning(address: IpAddr, bits: u32) -> u128 {
    let (number, all) = match address {
        IpAddr::V4(address) => (u128::from(address.to_bits()), 32),
        IpAddr::V6(address) => (address.to_bits(), 128),
    };
    number.checked_shr(all - bits).unwrap_or(0)
}

impl TrustedProxies {
    /// Reads addresses and networks (`10.0.0.0/8`) that stand behind one another with commas between them; none where there is none.
    ///
    /// # Errors
    ///
    /// The first entry that cannot be read.
    pub fn parse(list: &str) -> Result<Self, NoNetwork> {
        list.split(',')
            .map(str::trim)
            .filter(|entry| !entry.is_empty())
            .map(|entry| Network::parse(entry).ok_or_else(|| NoNetwork(entry.to_owned())))
            .collect::<Result<_, _>>()
            .map(Self)
    }

    /// Whether that is one of them.
    pub fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.0.iter().any(|network| network.contains(address))
    }

    /// Where a request came from whose connection comes from `peer`.
    pub fn client(&self, peer: IpAddr, headers: &HeaderMap) -> Client {
        let mut address = peer.to_canonical();
        // Proxies may each add a line or add to the last one: together the lines are one list.
        let named: Vec<&str> = headers
            .get_all(FORWARDED_FOR)
            .iter()
            .flat_map(|line| line.to_str().unwrap_or("unreadable").split(','))
            .collect();
        let mut named = named.into_iter().rev();
        while self.contains(address) {
            match named.next().map(|name| parse_named(name.trim())) {
                Some(Some(before)) => address = before,
                // What a proxy of ours could not say, nobody before it can.
                Some(None) | None => break,
            }
        }
        Client {
            address,
            is_shared: self.0.is_empty() && address.is_loopback(),
        }
    }

    /// How the request came to the outermost proxy: what a trusted proxy says in
    /// `X-Forwarded-Proto`, or, where `Forwarded` alone is sent, in its `proto`. A connection from
    /// elsewhere came without a proxy, and Docket itself speaks no TLS. `None` where no proxy is
    /// trusted, or it does not say.
    pub fn scheme(&self, peer: IpAddr, headers: &HeaderMap) -> Option<Scheme> {
        if self.0.is_empty() {
            return None;
        }
        if !self.contains(peer) {
            return Some(Scheme::Http);
        }
        // Of several proxies the outermost stands first.
        let first = |name: &str| headers.get(name)?.to_str().ok()?.split(',').next();
        let said = first(FORWARDED_PROTO).or_else(|| {
            first("forwarded")?.split(';').find_map(|pair| {
                let (name, value) = pair.split_once('=')?;
                name.trim().eq_ignore_ascii_case("proto").then_some(value)
            })
        })?;
        match said.trim().trim_matches('"').to_ascii_lowercase().as_str() {
            "https" | "wss" => Some(Scheme::Https),
            "http" | "ws" => Some(Scheme::Http),
            _ => None,
        }
    }

    /// The same of a request, where the connection is known.
    pub fn client_of(&self, headers: &HeaderMap, extensions: &Extensions) -> Option<Client> {
        let ConnectInfo(peer) = extensions.get::<ConnectInfo<SocketAddr>>()?;
        Some(self.client(peer.ip(), headers))
    }
}

/// An address as proxies write it: some add the port.
fn parse_named(name: &str) -> Option<IpAddr> {
    let bare = name.trim_start_matches('[').trim_end_matches(']');
    bare.parse()
        .ok()
        .or_else(|| name.parse::<SocketAddr>().ok().map(|named| named.ip()))
        .map(|address: IpAddr| address.to_canonical())
}

/// Where a request came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Client {
    /// The address.
    pub address: IpAddr,
    /// Whether any number of people may stand behind it: it is this machine, where no proxy is trusted, and so may be a proxy that
    /// nobody told Docket of.
    pub is_shared: bool,
}

impl Client {
    /// The place that is counted ([`place_of`]); none where everybody may stand behind it.
    pub fn place(&self) -> Option<String> {
        if self.is_shared {
            return None;
        }
        Some(place_of(self.address))
    }
}

/// What is counted as one place of whom an address is: in IPv6 everybody has all addresses of a network of 64 bits.
pub fn place_of(address: IpAddr) -> String {
    match address {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(_) => format!("{:x}/64", beginning(address, 64)),
    }
}

impl fmt::Display for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.address.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn client(trusted: &str, peer: &str, forwarded: &[&str]) -> Client {
        let mut headers = HeaderMap::new();
        for line in forwarded {
            headers.append(FORWARDED_FOR, HeaderValue::from_str(line).unwrap());
        }
        TrustedProxies::parse(trusted)
            .unwrap()
            .client(peer.parse().unwrap(), &headers)
    }

    #[test]
    fn a_list_is_read_and_a_mistake_named() {
        for good in [
            "",
            " , ",
            "127.0.0.1",
            "10.0.0.0/8, ::1,fd00::/8",
            "0.0.0.0/0",
        ] {
            assert!(TrustedProxies::parse(good).is_ok(), "{good}");
        }
        for wrong in [
            "localhost",
            "10.0.0.0/33",
            "::/129",
            "10.0.0/8",
            "10.0.0.0/",
            "1.2.3.4 5.6.7.8",
        ] {
            let error = TrustedProxies::parse(&format!("::1, {wrong}")).unwrap_err();
            assert_eq!(error, NoNetwork(wrong.to_owned()));
        }
    }

    #[test]
    fn networks_hold_what_begins_alike() {
        let trusted = TrustedProxies::parse("10.1.0.0/16, 192.0.2.7, fd00::/8").unwrap();
        for inside in ["10.1.255.255", "192.0.2.7", "fd12::1", "::ffff:10.1.0.1"] {
            assert!(trusted.contains(inside.parse().unwrap()), "{inside}");
        }
        for outside in ["10.2.0.0", "192.0.2.6", "fe00::1", "::1"] {
            assert!(!trusted.contains(outside.parse().unwrap()), "{outside}");
        }
        assert!(
            TrustedProxies::parse("0.0.0.0/0")
                .unwrap()
                .contains("203.0.113.9".parse().unwrap())
        );
    }

    #[test]
    fn the_last_address_that_is_no_proxy_counts() {
        for (trusted, peer, forwarded, expected) in [
            // Without trust the header is as if it were not there.
            ("", "203.0.113.5", &["198.51.100.1"][..], "203.0.113.5"),
            ("127.0.0.1", "203.0.113.5", &["198.51.100.1"], "203.0.113.5"),
            ("127.0.0.1", "127.0.0.1", &["198.51.100.1"], "198.51.100.1"),
            // What stands before was made up, or may be.
            (
                "127.0.0.1",
                "127.0.0.1",
                &["10.0.0.1, 198.51.100.1"],
                "198.51.100.1",
            ),
            (
                "127.0.0.1",
                "127.0.0.1",
                &["10.0.0.1", "198.51.100.1"],
                "198.51.100.1",
            ),
            (
                "127.0.0.1, 10.0.0.0/8",
                "127.0.0.1",
                &["192.0.2.1, 198.51.100.1, 10.0.0.1"],
                "198.51.100.1",
            ),
            // Proxies alone, nothing, and nonsense.
            (
                "127.0.0.1, 10.0.0.0/8",
                "127.0.0.1",
                &["10.0.0.2, 10.0.0.1"],
                "10.0.0.2",
            ),
            ("127.0.0.1", "127.0.0.1", &[], "127.0.0.1"),
            (
                "127.0.0.1",
                "127.0.0.1",
                &["198.51.100.1, unknown"],
                "127.0.0.1",
            ),
            ("127.0.0.1", "127.0.0.1", &["é"], "127.0.0.1"),
            // Forms of addresses.
            (
                "127.0.0.1",
                "::ffff:127.0.0.1",
                &["198.51.100.1:4711"],
                "198.51.100.1",
            ),
            (
                "127.0.0.1",
                "127.0.0.1",
                &["[2001:db8::1]:4711"],
                "2001:db8::1",
            ),
            (
                "127.0.0.1",
                "127.0.0.1",
                &["::ffff:198.51.100.1"],
                "198.51.100.1",
            ),
        ] {
            let found = client(trusted, peer, forwarded);
            assert_eq!(found.to_string(), expected, "{forwarded:?} from {peer}");
        }
    }

    #[test]
    fn a_trusted_proxy_says_whether_it_was_called_over_https() {
        let (http, https) = (Some(Scheme::Http), Some(Scheme::Https));
        let proto = FORWARDED_PROTO;
        for (trusted, peer, sent, expected) in [
            // Without trust the header is as if it were not there.
            ("", "127.0.0.1", &[(proto, "https")][..], None),
            ("10.0.0.0/8", "203.0.113.5", &[(proto, "https")], http),
            ("10.0.0.0/8", "10.0.0.1", &[(proto, "https")], https),
            ("10.0.0.0/8", "10.0.0.1", &[(proto, "HTTPS ")], https),
            ("10.0.0.0/8", "10.0.0.1", &[(proto, "http")], http),
            ("10.0.0.0/8", "10.0.0.1", &[(proto, "https, http")], https),
            ("10.0.0.0/8", "10.0.0.1", &[(proto, "ftp")], None),
            ("10.0.0.0/8", "10.0.0.1", &[(proto, "")], None),
            ("10.0.0.0/8", "10.0.0.1", &[], None),
            (
                "::1",
                "::1",
                &[("forwarded", "for=192.0.2.1;Proto=https")],
                https,
            ),
            (
                "::1",
                "::1",
                &[("forwarded", "proto=\"http\", proto=https")],
                http,
            ),
            (
                "::1",
                "::1",
                &[(proto, "https"), ("forwarded", "proto=http")],
                https,
            ),
        ] {
            let headers = sent
                .iter()
                .map(|(name, value)| {
                    let name = axum::http::HeaderName::from_static(name);
                    (name, HeaderValue::from_static(value))
                })
                .collect();
            let found = TrustedProxies::parse(trusted)
                .unwrap()
                .scheme(peer.parse().unwrap(), &headers);
            assert_eq!(found, expected, "{sent:?} from {peer}");
        }
    }

    #[test]
    fn places_tell_people_apart() {
        let place = |trusted, peer| client(trusted, peer, &[]).place();
        assert_eq!(place("", "203.0.113.5").as_deref(), Some("203.0.113.5"));
        assert_eq!(place("", "127.0.0.1"), None);
        assert_eq!(place("", "::1"), None);
        // Whoever says which proxies there are has said that this machine is none.
        assert_eq!(place("10.0.0.1", "127.0.0.1").as_deref(), Some("127.0.0.1"));
        assert_eq!(place("", "2001:db8::1"), place("", "2001:db8::2"));
        assert_ne!(place("", "2001:db8::1"), place("", "2001:db8:0:1::1"));
    }
}
