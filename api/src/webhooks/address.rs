//! The addresses that webhooks come to.
//!
//! Addresses are typed by hand into Vonage's settings, and Vonage takes a 404 or a 405 for the last word. So every address beneath
//! `/webhooks` takes webhooks, in whatever capitals and with whatever slashes.

use axum::Router;
use axum::extract::Request;
use axum::http::Uri;
use axum::http::uri::PathAndQuery;
use axum::middleware::{self, Next};
use axum::response::Response;
use docket_domain::held::WebhookKind;

/// Where all webhooks come.
pub(super) const PREFIX: &str = "/webhooks";
/// The addresses that Docket tells its owner.
const KNOWN: [&str; 3] = [
    "/webhooks/vonage",
    "/webhooks/vonage/inbound",
    "/webhooks/vonage/status",
];

/// Brings addresses of webhooks into their one form before they are looked up in `router`.
pub fn normalised(router: Router) -> Router {
    Router::new()
        .fallback_service(router)
        .layer(middleware::from_fn(normalise))
}

async fn normalise(mut request: Request, next: Next) -> Response {
    if let Some(uri) = normal_uri(request.uri()) {
        *request.uri_mut() = uri;
    }
    next.run(request).await
}

/// The address in its one form; none where it has it already or is no webhook's.
fn normal_uri(uri: &Uri) -> Option<Uri> {
    let path = normal_path(uri.path())?;
    if path == uri.path() {
        return None;
    }
    let whole = match uri.query() {
        Some(query) => format!("{path}?{query}"),
        None => path,
    };
    let mut parts = uri.clone().into_parts();
    parts.path_and_query = Some(PathAndQuery::try_from(whole).ok()?);
    Uri::from_parts(parts).ok()
}

/// The path in small letters, with single slashes and none at its end; none where it does not lie beneath [`PREFIX`].
fn normal_path(path: &str) -> Option<String> {
    let path = path
        .to_ascii_lowercase()
        .replace("%2f", "/")
        .replace("%20", "")
        .replace("%0a", "")
        .replace("%0d", "");
    let mut segments = path.split('/').filter(|segment| !segment.is_empty());
    let first = segments.next()?;
    if format!("/{first}") != PREFIX {
        return None;
    }
    Some(segments.fold(PREFIX.to_owned(), |path, segment| path + "/" + segment))
}

/// What an address says of the webhooks that come to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Address {
    /// What it says that they are, if it says anything.
    pub(super) kind: Option<WebhookKind>,
    /// Whether Docket tells its owner this address.
    pub(super) is_known: bool,
}

impl Address {
    pub(super) fn of(path: &str) -> Self {
        let last = path.rsplit('/').next().unwrap_or_default();
        Self {
            kind: if last.contains("status") {
                Some(WebhookKind::Status)
            } else if last.contains("inbound") {
                Some(WebhookKind::Inbound)
            } else {
                None
            },
            is_known: KNOWN.contains(&path),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_address_has_one_form() {
        for (path, expected) in [
            ("/webhooks/vonage/inbound", Some("/webhooks/vonage/inbound")),
            (
                "/webhooks/vonage/inbound/",
                Some("/webhooks/vonage/inbound"),
            ),
            (
                "//webhooks//vonage///inbound//",
                Some("/webhooks/vonage/inbound"),
            ),
            ("/Webhooks/Vonage/InBound", Some("/webhooks/vonage/inbound")),
            ("/WEBHOOKS/vonage/STATUS/", Some("/webhooks/vonage/status")),
            (
                "/webhooks%2Fvonage%2finbound",
                Some("/webhooks/vonage/inbound"),
            ),
            (
                "/webhooks/vonage/inbound%20",
                Some("/webhooks/vonage/inbound"),
            ),
            (
                "/webhooks/vonage/inbound%0A",
                Some("/webhooks/vonage/inbound"),
            ),
            ("/webhooks", Some("/webhooks")),
            ("/webhooks/", Some("/webhooks")),
            ("/webhooks/inbound-sms", Some("/webhooks/inbound-sms")),
            ("/webhook/vonage", None),
            ("/webhooksvonage", None),
            ("/cases", None),
            ("/", None),
            ("", None),
        ] {
            assert_eq!(normal_path(path).as_deref(), expected, "{path}");
        }
        let uri = |text: &str| text.parse::<Uri>().unwrap();
        assert_eq!(
            normal_uri(&uri("/Webhooks/vonage/?Text=A%20B")),
            Some(uri("/webhooks/vonage?Text=A%20B"))
        );
        assert_eq!(normal_uri(&uri("/webhooks/vonage?Text=A")), None);
        assert_eq!(normal_uri(&uri("/Cases/?a")), None);
    }

    #[test]
    fn an_address_says_what_comes_to_it() {
        for (path, kind, is_known) in [
            ("/webhooks/vonage", None, true),
            ("/webhooks/vonage/inbound", Some(WebhookKind::Inbound), true),
            ("/webhooks/vonage/status", Some(WebhookKind::Status), true),
            ("/webhooks/inbound-sms", Some(WebhookKind::Inbound), false),
            (
                "/webhooks/delivery-status",
                Some(WebhookKind::Status),
                false,
            ),
            ("/webhooks", None, false),
        ] {
            assert_eq!(Address::of(path), Address { kind, is_known }, "{path}");
        }
    }
}
