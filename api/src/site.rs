//! The site that a request belongs to: below which path it lies, and whether it is reached over
//! https.
//!
//! `DOCKET_PUBLIC_URL` may name a path (`https://example.com/docket`), the base. Routers, handlers
//! and page structs know only Docket's own paths (`/cases/101`); the base is added at the edges, by
//! [`base`] in templates and by the console's `go` in redirects, and taken off before a request is
//! routed. A proxy may therefore pass the base on or strip it. To add a link: `{{
//! crate::site::base() }}` before its path.

use std::sync::Arc;

use axum::Router;
use axum::extract::{ConnectInfo, OriginalUri, Request, State};
use axum::http::header::{HOST, STRICT_TRANSPORT_SECURITY};
use axum::http::uri::PathAndQuery;
use axum::http::{HeaderValue, Uri};
use axum::middleware::{self, Next};
use axum::response::Response;
use tower::Layer as _;
use tower::util::MapRequestLayer;

use crate::app::App;
use crate::http::client_address::Scheme;

/// For a year browsers ask for https only.
const HSTS: HeaderValue = HeaderValue::from_static("max-age=31536000");

tokio::task_local! {
    static CURRENT: Site;
}

/// The site as one request meets it.
#[derive(Clone, Debug)]
struct Site {
    public_url: Arc<str>,
    /// How the person's browser reached us; `None` where no trusted proxy says so.
    scheme: Option<Scheme>,
    /// Whether the `Host` header is that of the public URL.
    is_public_host: bool,
}

/// The path of a public URL, without a slash at the end: empty for most.
pub fn base_of(public_url: &str) -> &str {
    let behind_scheme = public_url.find("://").map_or(0, |at| at + 3);
    public_url[behind_scheme..]
        .find('/')
        .map_or("", |at| &public_url[behind_scheme + at..])
        .trim_end_matches('/')
}

/// Host and port of a public URL.
fn authority_of(public_url: &str) -> &str {
    let behind_scheme = public_url.split_once("://").map_or("", |(_, rest)| rest);
    behind_scheme.split('/').next().unwrap_or_default()
}

impl Site {
    fn is_https(&self) -> bool {
        self.public_url.starts_with("https:")
    }
}

/// The path that Docket lies below, for links; empty where it has a host of its own.
pub fn base() -> Base {
    Base(CURRENT.try_with(|site| Arc::clone(&site.public_url)).ok())
}

/// [`base`], to be written into a page or an address.
#[derive(Clone, Debug)]
pub struct Base(Option<Arc<str>>);

impl Base {
    /// The path, without a slash at the end.
    pub fn as_str(&self) -> &str {
        self.0.as_deref().map_or("", base_of)
    }
}

impl std::fmt::Display for Base {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Whether cookies of this request's answer are for https alone.
pub fn is_secure() -> bool {
    CURRENT
        .try_with(|site| site.is_https() || site.scheme == Some(Scheme::Https))
        .unwrap_or(false)
}

/// Where the person should be instead: the public URL, where it is https and this request came over
/// http for certain, or (`is_certain` is false) came to another host.
pub fn https_address() -> Option<HttpsAddress> {
    let site = CURRENT.try_with(Clone::clone).ok()?;
    let is_certain = site.scheme == Some(Scheme::Http);
    let is_other = site.scheme.is_none() && !site.is_public_host;
    (site.is_https() && (is_certain || is_other)).then_some(HttpsAddress {
        url: site.public_url,
        is_certain,
    })
}

/// The same for a browser that did not send back a cookie: over http it keeps none for https.
pub fn https_address_without_cookie() -> Option<HttpsAddress> {
    let site = CURRENT.try_with(Clone::clone).ok()?;
    let may_be_http = site.is_https() && site.scheme != Some(Scheme::Https);
    may_be_http.then_some(HttpsAddress {
        url: site.public_url,
        is_certain: site.scheme == Some(Scheme::Http),
    })
}

/// An https address that was opened over http, or seems to have been.
#[derive(Clone, Debug)]
pub struct HttpsAddress {
    /// The public URL.
    pub url: Arc<str>,
    /// Whether the request is known to have come over http.
    pub is_certain: bool,
}

/// Serves `router` below the base of the public URL and at the root, and tells handlers of the
/// site. Goes around everything that is served, once.
pub fn around(router: Router, app: &App) -> Router {
    let site = router.layer(middleware::from_fn_with_state(app.clone(), remember));
    let base: Arc<str> = base_of(&app.public_url).into();
    if base.is_empty() {
        return site;
    }
    let strip = MapRequestLayer::new(move |request| without_base(request, &base));
    Router::new().fallback_service(strip.layer(site))
}

async fn remember(State(app): State<App>, request: Request, next: Next) -> Response {
    let headers = request.headers();
    let peer = request
        .extensions()
        .get::<ConnectInfo<std::net::SocketAddr>>();
    let scheme = peer.and_then(|ConnectInfo(peer)| app.proxies.scheme(peer.ip(), headers));
    let host = headers.get(HOST).and_then(|host| host.to_str().ok());
    let site = Site {
        public_url: Arc::clone(&app.public_url),
        scheme,
        is_public_host: host
            .is_some_and(|host| host.eq_ignore_ascii_case(authority_of(&app.public_url))),
    };
    // Browsers heed the header only where it comes over https, so it may be sent while that is
    // unknown.
    let is_https = match scheme {
        Some(scheme) => scheme == Scheme::Https,
        None => site.is_https(),
    };
    let mut answer = CURRENT.scope(site, next.run(request)).await;
    if is_https {
        answer.headers_mut().insert(STRICT_TRANSPORT_SECURITY, HSTS);
    }
    answer
}

/// The request with the base taken off its path, where it is there.
fn without_base(mut request: Request, base: &str) -> Request {
    let Some(inner) = request
        .uri()
        .path_and_query()
        .and_then(|path| strip(path.as_str(), base))
    else {
        return request;
    };
    let mut parts = request.uri().clone().into_parts();
    parts.path_and_query = Some(inner);
    if let Ok(uri) = Uri::from_parts(parts) {
        *request.uri_mut() = uri.clone();
        // Else handlers that ask for the whole path would see it with the base.
        request.extensions_mut().insert(OriginalUri(uri));
    }
    request
}

fn strip(path: &str, base: &str) -> Option<PathAndQuery> {
    let rest = path.strip_prefix(base)?;
    match rest.bytes().next() {
        Some(b'/') => rest.parse().ok(),
        Some(b'?') => format!("/{rest}").parse().ok(),
        None => Some(PathAndQuery::from_static("/")),
        Some(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_base_is_the_path_of_a_public_url() {
        for (url, base, authority) in [
            ("https://docket.example.com", "", "docket.example.com"),
            ("https://docket.example.com/", "", "docket.example.com"),
            ("https://example.com/docket", "/docket", "example.com"),
            ("http://127.0.0.1:8080/a/b/", "/a/b", "127.0.0.1:8080"),
            ("", "", ""),
        ] {
            assert_eq!(base_of(url), base, "{url}");
            assert_eq!(authority_of(url), authority, "{url}");
        }
    }

    #[test]
    fn only_a_whole_segment_is_taken_off() {
        for (path, expected) in [
            ("/docket", Some("/")),
            ("/docket/", Some("/")),
            ("/docket?view=mine", Some("/?view=mine")),
            ("/docket/cases/101?q=a%26b", Some("/cases/101?q=a%26b")),
            ("/docket/docket", Some("/docket")),
            ("/dockets", None),
            ("/cases/101", None),
            ("/", None),
        ] {
            let found = strip(path, "/docket");
            assert_eq!(found.as_ref().map(PathAndQuery::as_str), expected, "{path}");
        }
    }
}
