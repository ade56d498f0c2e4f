//! An id for every request: in the answer, in the logs, in the metadata of the events that it caused, and in its problem.
//!
//! A caller may bring one of its own in `x-request-id`; it is taken where it is short and plain, because it stands in logs and in
//! the log of events for good.

use std::fmt;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use axum::middleware::Next;
use axum::response::Response;

use uuid::Uuid;

/// The header that carries the id, in requests and answers.
pub const HEADER: HeaderName = HeaderName::from_static("x-request-id");
/// The longest id that is taken from a caller, in bytes.
const MAX_BYTES: usize = 64;

tokio::task_local! {
    static CURRENT: RequestId;
}

/// The id of a request: 1 to 64 letters, digits, `-`, `_` and `.`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestId(Arc<str>);

impl RequestId {
    /// The id, if it is short and plain.
    pub fn parse(text: &str) -> Option<Self> {
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
        let good = (1..=MAX_BYTES).contains(&text.len()) && text.bytes().all(is_plain);
        good.then(|| Self(text.into()))
    }

    /// The id that the caller gave, if it is one that is taken.
    pub fn of(headers: &HeaderMap) -> Option<Self> {
        Self::parse(headers.get(HEADER)?.to_str().ok()?)
    }

    /// The id of the request that this task answers; `None` outside of [`middleware`].
    pub fn current() -> Option<Self> {
        CURRENT.try_with(Clone::clone).ok()
    }

    fn header(&self) -> HeaderValue {
        HeaderValue::from_str(self.as_str()).expect("a request id has only plain characters")
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

/// Gives each request an id, as extension, in the request's header, as [`RequestId::current`] and in the answer's header.
pub async fn middleware(
    State(new_id): State<fn() -> Uuid>,
    mut request: Request,
    next: Next,
) -> Response {
    let id =
        RequestId::of(request.headers()).unwrap_or_else(|| RequestId(new_id().to_string().into()));
    let header = id.header();
    request.headers_mut().insert(HEADER, header.clone());
    request.extensions_mut().insert(id.clone());
    let mut response = CURRENT.scope(id, next.run(request)).await;
    response.headers_mut().insert(HEADER, header);
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_short_plain_ids_are_taken() {
        for good in ["a", "req-17", "01JD.x_y", &"x".repeat(64)] {
            assert_eq!(RequestId::parse(good).unwrap().as_str(), good);
        }
        for bad in ["", "two words", "a\nb", "naïve", "a;b", &"x".repeat(65)] {
            assert_eq!(RequestId::parse(bad), None, "{bad:?}");
        }
    }
}
