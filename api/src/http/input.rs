//! What requests carry: path, query and JSON body, read strictly, with a problem that says what is wrong.
//!
//! An unknown field or parameter is refused rather than ignored: whoever misspells one learns of it. A NUL, which the database
//! keeps in no text, is refused here for all of them, and an integer may be written in any form that JSON Schema takes for one.

use std::borrow::Cow;
use std::error::Error;
use std::fmt::Display;
use std::str::FromStr;

use axum::Json;
use axum::extract::rejection::{BytesRejection, JsonRejection};
use axum::extract::{FromRequestParts, Query as AxumQuery};
use axum::http::header::CONTENT_TYPE;
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode};
use docket_domain::ids::Reference;
use docket_domain::text::normalise;
use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use tracing::error;

use super::auth::Permitted;
use super::integers;
use super::problem::{Kind, Problem};

/// The path's parameters.
#[derive(Clone, Copy, Debug)]
pub struct Path<T>(pub T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Path<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        must_be_permitted(parts)?;
        match axum::extract::Path::<T>::from_request_parts(parts, state).await {
            Ok(axum::extract::Path(value)) => Ok(Self(value)),
            Err(rejection) if rejection.status().is_server_error() => {
                Err(Problem::internal().caused_by(&rejection))
            }
            Err(rejection) => {
                let text = rejection.body_text();
                let text = text.strip_prefix("Invalid URL: ").unwrap_or(&text);
                Err(Problem::new(
                    Kind::InvalidPath,
                    format!("the path cannot be read: {text}"),
                ))
            }
        }
    }
}

/// Who may ask comes before what is asked: a handler takes its permission before anything that can be malformed.
fn must_be_permitted(parts: &Parts) -> Result<(), Problem> {
    if parts.extensions.get::<Permitted>().is_some() {
        return Ok(());
    }
    error!("a handler reads its request before it has asked who may call it");
    Err(Problem::internal())
}

/// A case's reference in a path.
#[derive(Clone, Copy, Debug)]
pub struct PathReference(pub Reference);

impl<'de> Deserialize<'de> for PathReference {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<str>::deserialize(deserializer)?;
        text.parse().map(Self).map_err(D::Error::custom)
    }
}

/// The query's parameters.
#[derive(Clone, Copy, Debug)]
pub struct Query<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Query<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        must_be_permitted(parts)?;
        let wrong = |detail: String| Problem::new(Kind::InvalidQuery, detail);
        if parts.uri.query().is_some_and(|query| query.contains("%00")) {
            return Err(wrong("the query must not hold a NUL (%00)".to_owned()));
        }
        match AxumQuery::try_from_uri(&parts.uri) {
            Ok(AxumQuery(value)) => Ok(Self(value)),
            Err(rejection) => Err(wrong(format!(
                "the query cannot be read: {}",
                first_cause(&rejection)
            ))),
        }
    }
}

/// For parameters of a query with a form of their own, such as a number, a time or an id: one that is there has a value.
pub fn given<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: FromStr<Err: Display>,
{
    let text = Cow::<'de, str>::deserialize(deserializer)?;
    text.parse().map(Some).map_err(D::Error::custom)
}

/// The same for integers, in every form that JSON Schema takes for one ([`integers`]).
pub fn integer<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: FromStr<Err: Display>,
{
    let text = Cow::<'de, str>::deserialize(deserializer)?;
    let text = integers::plain_parameter(&text);
    text.parse().map(Some).map_err(D::Error::custom)
}

/// For parameters of a query that are texts: one without a value is as if it were not there.
pub fn unless_blank<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: FromStr<Err: Display>,
{
    let text = Option::<Cow<'de, str>>::deserialize(deserializer)?;
    match text.as_deref().map(normalise::typed).as_deref() {
        None | Some("") => Ok(None),
        Some(text) => text.parse().map(Some).map_err(D::Error::custom),
    }
}

/// For fields that can be left out or be null, where these are not the same: left out is `None`, null is `Some(None)`.
pub fn present<'de, D, T>(deserializer: D) -> Result<Option<Option<T>>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    Option::deserialize(deserializer).map(Some)
}

/// The reference that a field of a body holds.
///
/// # Errors
///
/// A problem that names the field, where it is none.
pub fn reference(field: &str, number: u32) -> Result<Reference, Problem> {
    Reference::new(number).ok_or_else(|| {
        Problem::invalid(format!(
            "{field} must be the reference of a case, such as 101"
        ))
    })
}

/// What a body that could not be received is answered with.
pub(super) fn incomplete(rejection: &BytesRejection) -> Problem {
    if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE {
        Problem::new(Kind::BodyTooLarge, "send at most 1 MiB")
    } else {
        Problem::new(
            Kind::IncompleteBody,
            "the body broke off; send the request again",
        )
    }
}

/// Reads a JSON body. None at all, or null, is an object without fields, so that a call without required fields needs no body.
pub(super) fn json<T: DeserializeOwned>(headers: &HeaderMap, body: &[u8]) -> Result<T, Problem> {
    if !body.is_empty() && !is_json(headers) {
        return Err(Problem::new(
            Kind::UnsupportedMediaType,
            "send JSON, with the header Content-Type: application/json",
        ));
    }
    if holds_nul(body) {
        return Err(Problem::invalid("no text may hold a NUL (\\u0000)"));
    }
    let body = if body.is_empty() || body.trim_ascii() == b"null" {
        b"{}"
    } else {
        body
    };
    Json::from_bytes(&integers::plain(body))
        .map(|Json(value)| value)
        .map_err(|rejection| match rejection {
            JsonRejection::JsonDataError(error) => {
                Problem::new(Kind::InvalidBody, first_cause(&error))
            }
            rejection => Problem::new(
                Kind::MalformedJson,
                format!("the body is not JSON: {}", first_cause(&rejection)),
            ),
        })
}

fn is_json(headers: &HeaderMap) -> bool {
    let Some(content_type) = headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
    else {
        return false;
    };
    let essence = content_type
        .split(';')
        .next()
        .unwrap_or_default()
        .trim()
        .to_ascii_lowercase();
    essence == "application/json"
        || (essence.starts_with("application/") && essence.ends_with("+json"))
}

/// Whether some string holds a NUL. Only a body with its escape is looked at twice.
fn holds_nul(body: &[u8]) -> bool {
    fn within(value: &Value) -> bool {
        match value {
            Value::String(text) => text.contains('\0'),
            Value::Array(values) => values.iter().any(within),
            Value::Object(members) => members
                .iter()
                .any(|(name, value)| name.contains('\0') || within(value)),
            Value::Null | Value::Bool(_) | Value::Number(_) => false,
        }
    }
    const ESCAPE: &[u8] = br"\u0000";
    body.windows(ESCAPE.len()).any(|window| window == ESCAPE)
        && serde_json::from_slice(body).is_ok_and(|value| within(&value))
}

/// What lies below axum's own words about what it was doing.
fn first_cause(error: &(dyn Error + 'static)) -> String {
    error
        .source()
        .map_or_else(|| error.to_string(), ToString::to_string)
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Form {
        text: String,
        #[serde(default)]
        more: Vec<u32>,
    }

    #[derive(Debug, Deserialize)]
    struct Asked {
        #[serde(default, deserialize_with = "integer")]
        limit: Option<u32>,
    }

    fn read(content_type: Option<&'static str>, body: &str) -> Result<Form, Problem> {
        let mut headers = HeaderMap::new();
        if let Some(content_type) = content_type {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
        }
        json(&headers, body.as_bytes())
    }

    #[track_caller]
    fn refused(content_type: Option<&'static str>, body: &str, kind: Kind, said: &str) {
        let problem = read(content_type, body).unwrap_err();
        assert_eq!(problem.kind(), kind);
        assert!(problem.detail().contains(said), "{}", problem.detail());
    }

    #[test]
    fn a_body_is_read_strictly() {
        let json = Some("application/json; charset=utf-8");
        let form = read(json, r#"{"text":"a \\u0000 b","more":[1]}"#).unwrap();
        assert_eq!((form.text.as_str(), form.more), (r"a \u0000 b", vec![1]));
        assert!(read(Some("application/merge-patch+json"), r#"{"text":""}"#).is_ok());
        let form = read(json, r#"{"text":"2.0","more":[1.0,2e1,-0]}"#).unwrap();
        assert_eq!((form.text.as_str(), form.more), ("2.0", vec![1, 20, 0]));
        refused(
            json,
            r#"{"text":"a","more":[1.5]}"#,
            Kind::InvalidBody,
            "more[0]",
        );
        refused(
            json,
            r#"{"text":"a","txet":"b"}"#,
            Kind::InvalidBody,
            "unknown field `txet`",
        );
        refused(
            json,
            r#"{"text":"a","more":[1,"x"]}"#,
            Kind::InvalidBody,
            "more[1]",
        );
        refused(json, "", Kind::InvalidBody, "missing field `text`");
        refused(json, " null", Kind::InvalidBody, "missing field `text`");
        refused(json, r#"{"text":"#, Kind::MalformedJson, "not JSON");
        refused(json, r#"{"text":"a"} b"#, Kind::MalformedJson, "not JSON");
        refused(json, r#"{"text":"a\u0000b"}"#, Kind::InvalidValue, "NUL");
        refused(
            None,
            r#"{"text":"a"}"#,
            Kind::UnsupportedMediaType,
            "Content-Type",
        );
        refused(
            Some("text/plain"),
            r#"{"text":"a"}"#,
            Kind::UnsupportedMediaType,
            "Content-Type",
        );
    }

    #[test]
    fn an_integer_of_a_query_has_any_of_its_forms() {
        let limit = |query: &str| {
            let uri = format!("/cases?{query}").parse().unwrap();
            AxumQuery::<Asked>::try_from_uri(&uri).map(|AxumQuery(asked)| asked.limit)
        };
        for (query, is) in [
            ("", None),
            ("limit=20", Some(20)),
            ("limit=20.0", Some(20)),
            ("limit=2e1", Some(20)),
            ("limit=2e%2B1", Some(20)),
        ] {
            assert_eq!(limit(query).unwrap(), is, "{query}");
        }
        for wrong in ["limit=", "limit=1.5", "limit=-1", "limit=1e99", "limit=x"] {
            assert!(limit(wrong).is_err(), "{wrong}");
        }
    }
}
