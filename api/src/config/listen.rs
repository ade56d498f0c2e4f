//! Where Docket listens, and how it is reached.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use super::public_url;
use super::{Section, Setting, Values};
use crate::http::client_address::TrustedProxies;

/// The section.
pub const SECTION: Section = Section {
    heading: "Listening",
    settings: &[LISTEN, PUBLIC_URL, TRUSTED_PROXIES, METRICS_LISTEN],
};

const LISTEN: Setting = Setting {
    name: "DOCKET_LISTEN",
    flag: "listen",
    old_flag: Some("docket-listen"),
    value: "ADDRESS:PORT",
    default: Some("127.0.0.1:8080"),
    is_secret: false,
    is_basic: true,
    about: "Address and port to listen on.",
    without: "",
};

const PUBLIC_URL: Setting = Setting {
    name: "DOCKET_PUBLIC_URL",
    flag: "public-url",
    old_flag: Some("docket-public-url"),
    value: "URL",
    default: None,
    is_secret: false,
    is_basic: true,
    about: "Where people and Vonage reach this installation, such as https://docket.example.com or https://example.com/docket.",
    without: "the address that it listens on",
};

const TRUSTED_PROXIES: Setting = Setting {
    name: "DOCKET_TRUSTED_PROXIES",
    flag: "trusted-proxies",
    old_flag: Some("docket-trusted-proxies"),
    value: "ADDRESSES",
    default: None,
    is_secret: false,
    is_basic: true,
    about: "Addresses and networks of the proxies in front of Docket, with commas between them, whose X-Forwarded-For and X-Forwarded-Proto count.",
    without: "no such header counts",
};

const METRICS_LISTEN: Setting = Setting {
    name: "DOCKET_METRICS_LISTEN",
    flag: "metrics-listen",
    old_flag: None,
    value: "ADDRESS:PORT",
    default: Some("127.0.0.1:9464"),
    is_secret: false,
    is_basic: false,
    about: "Address and port that serve GET /metrics, or off. Nobody is asked who they are there.",
    without: "",
};

/// Where metrics are served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MetricsListen {
    /// Nowhere.
    Off,
    /// There, and where the port is taken nowhere: nobody asked for this one.
    ByDefault(SocketAddr),
    /// There.
    At(SocketAddr),
}

/// Where to listen.
pub(super) fn address(values: &Values) -> Result<SocketAddr, String> {
    let text = values.text(&LISTEN).unwrap_or_default();
    parse(LISTEN.name, text)
}

/// Where metrics are served.
pub(super) fn metrics(values: &Values) -> Result<MetricsListen, String> {
    let text = values.text(&METRICS_LISTEN).unwrap_or_default();
    if text.eq_ignore_ascii_case("off") {
        return Ok(MetricsListen::Off);
    }
    let address = parse(METRICS_LISTEN.name, text)?;
    Ok(if values.is_given(&METRICS_LISTEN) {
        MetricsListen::At(address)
    } else {
        MetricsListen::ByDefault(address)
    })
}

/// The public address, where it is set.
pub(super) fn public_url(values: &Values) -> Result<Option<String>, String> {
    let url = values.text(&PUBLIC_URL);
    url.map(|url| public_url::check(PUBLIC_URL.name, url))
        .transpose()
}

/// The proxies that are trusted.
pub(super) fn trusted_proxies(values: &Values) -> Result<TrustedProxies, String> {
    let list = values.text(&TRUSTED_PROXIES).unwrap_or_default();
    TrustedProxies::parse(list).map_err(|error| format!("{}: {error}", TRUSTED_PROXIES.name))
}

/// Reads an address with a port.
fn parse(name: &str, text: &str) -> Result<SocketAddr, String> {
    if let Ok(address) = text.parse() {
        return Ok(address);
    }
    let (host, port) = text.rsplit_once(':').unwrap_or((text, ""));
    let port_number = port.parse::<u16>().ok();
    if let Some(port) = port_number
        && host.eq_ignore_ascii_case("localhost")
    {
        return Ok(SocketAddr::new(Ipv4Addr::LOCALHOST.into(), port));
    }
    let is_address = text.parse::<IpAddr>().is_ok();
    let only_port = text.strip_prefix(':').unwrap_or(text).parse::<u16>().ok();
    let hint = match (only_port, port_number) {
        (Some(port), _) => format!(
            "; write 127.0.0.1:{port} for this machine alone, or 0.0.0.0:{port} for all its networks"
        ),
        _ if text.contains("://") => "; it has no http:// before it".to_owned(),
        _ if is_address => "; the port is missing".to_owned(),
        (None, Some(_)) => "; a name is none, but localhost".to_owned(),
        (None, None) => String::new(),
    };
    Err(format!(
        "{name} must be an address and a port, such as 127.0.0.1:8080 or [::1]:8080{hint}"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_or_told_how_they_are_written() {
        for (text, expected) in [
            ("127.0.0.1:8080", "127.0.0.1:8080"),
            ("0.0.0.0:0", "0.0.0.0:0"),
            ("[::1]:8080", "[::1]:8080"),
            ("localhost:8080", "127.0.0.1:8080"),
        ] {
            assert_eq!(parse("X", text).unwrap().to_string(), expected);
        }
        for (text, hint) in [
            ("8080", "127.0.0.1:8080 for this machine alone"),
            (":9000", "0.0.0.0:9000 for all"),
            ("http://127.0.0.1:8080", "no http://"),
            ("127.0.0.1", "the port is missing"),
            ("::1", "the port is missing"),
            ("docket.example.com:8080", "but localhost"),
            ("127.0.0.1:80800", "must be an address and a port"),
            ("127.0.0.1:", "must be an address and a port"),
        ] {
            let sentence = parse("X", text).unwrap_err();
            assert!(sentence.contains(hint), "{text}: {sentence}");
        }
    }
}
