//! An id for every request: in the answer, in the logs, in the metadata of the events that it caused, and in its problem.
//!
//! The id is always ours, so that nobody chooses what is kept as evidence. An id that the caller brings in `x-request-id` is kept
//! beside it and called the client's.

use std::fmt;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method};
use axum::middleware::Next;
use axum::response::Response;

use docket_domain::personal::Personal;
use uuid::Uuid;

use crate::people;

/// The header that carries the id, in requests and answers.
pub const HEADER: HeaderName = HeaderName::from_static("x-request-id");
/// So much of a caller's own id is kept, in bytes.
const MAX_CLIENT_BYTES: usize = 128;

tokio::task_local! {
    static CURRENT: Current;
}

/// What is known everywhere of the request that a task answers.
#[derive(Clone)]
struct Current {
    id: RequestId,
    client_id: Option<ClientRequestId>,
    is_head: bool,
}

/// Whether the request that this task answers is a HEAD, which a handler of GET answers too and which changes nothing anywhere:
/// no look is recorded, no read mark moves, and nobody is said to be there.
pub fn is_head() -> bool {
    CURRENT.try_with(|current| current.is_head).unwrap_or(false)
}

/// Our id of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestId(Arc<str>);

/// The id that the caller gave to a request: 1 to 128 printable ASCII characters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientRequestId(Arc<str>);

/// The ids of a request, as they stand beside events.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestIds {
    /// Ours.
    pub id: String,
    /// The caller's own.
    pub client_id: Option<String>,
    /// The network address that a person's request came from, where it is known.
    pub client_address: Option<Personal<String>>,
}

impl RequestIds {
    /// The ids of the request that this task answers; `None` outside of [`middleware`].
    pub fn current() -> Option<Self> {
        let Current { id, client_id, .. } = CURRENT.try_with(Clone::clone).ok()?;
        Some(Self {
            id: id.to_string(),
            client_id: client_id.map(|ClientRequestId(id)| id.as_ref().to_owned()),
            client_address: people::client_address().map(Personal),
        })
    }
}

impl RequestId {
    /// The id of the request that this task answers; `None` outside of [`middleware`].
    pub fn current() -> Option<Self> {
        CURRENT.try_with(|current| current.id.clone()).ok()
    }

    fn header(&self) -> HeaderValue {
        HeaderValue::from_str(self.as_str()).expect("a UUID has only plain characters")
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl ClientRequestId {
    /// The id that the caller gave, cut to what is kept; `None` where it holds anything but printable ASCII.
    pub fn of(headers: &HeaderMap) -> Option<Self> {
        Self::parse(headers.get(HEADER)?.to_str().ok()?)
    }

    fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let is_plain = |byte: u8| byte.is_ascii_graphic() || byte == b' ';
        let good = !text.is_empty() && text.bytes().all(is_plain);
        good.then(|| Self(text[..text.len().min(MAX_CLIENT_BYTES)].into()))
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Gives each request an id, as extension, in the request's header, as [`RequestId::current`] and in the answer's header.
pub async fn middleware(
    State(new_id): State<fn() -> Uuid>,
    mut request: Request,
    next: Next,
) -> Response {
    let id = RequestId(new_id().to_string().into());
    let client_id = ClientRequestId::of(request.headers());
    let header = id.header();
    request.headers_mut().insert(HEADER, header.clone());
    request.extensions_mut().insert(id.clone());
    if let Some(client_id) = client_id.clone() {
        request.extensions_mut().insert(client_id);
    }
    let current = Current {
        id,
        client_id,
        is_head: request.method() == Method::HEAD,
    };
    let mut response = CURRENT.scope(current, next.run(request)).await;
    response.headers_mut().insert(HEADER, header);
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_callers_own_id_is_short_and_printable() {
        let kept = |text: &str| ClientRequestId::parse(text).map(|id| id.as_str().to_owned());
        for good in ["a", "req-17", "01JD.x_y", "two words", &"x".repeat(128)] {
            assert_eq!(kept(good).as_deref(), Some(good));
        }
        assert_eq!(kept(&"x".repeat(5_000)), Some("x".repeat(128)));
        for bad in ["", " ", "a\nb", "naïve", "a\u{7f}b"] {
            assert_eq!(kept(bad), None, "{bad:?}");
        }
    }
}
