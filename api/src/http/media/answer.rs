//! A file as an answer.
//!
//! Files come from strangers. Only types that cannot run anything are named, all others are to be saved, no browser guesses a type,
//! and a policy forbids what a file might try all the same.

use std::fmt::Write as _;
use std::ops::Range;

use axum::body::Body;
use axum::http::header::{
    ACCEPT_RANGES, CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_RANGE,
    CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, IF_NONE_MATCH, IF_RANGE, RANGE,
    X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use docket_domain::media::{StoredFile, UNKNOWN_TYPE};
use tracing::error;

use crate::http::problem::{Kind, Problem};
use crate::media::picture;
use crate::media::store::MediaStore;

/// Types that browsers show and that can run nothing.
const SAFE: [&str; 16] = [
    "image/jpeg",
    "image/png",
    "image/gif",
    "image/webp",
    "audio/mpeg",
    "audio/mp4",
    "audio/aac",
    "audio/amr",
    "audio/ogg",
    "audio/wav",
    "audio/x-flac",
    "audio/webm",
    "video/mp4",
    "video/webm",
    "video/3gpp",
    "video/quicktime",
];
/// Nothing in a file is run or loaded.
const POLICY: &str = "sandbox; default-src 'none'";

/// Whether a browser may show a file of that type.
pub(crate) fn is_safe(media_type: &str) -> bool {
    SAFE.contains(&media_type)
}

/// The file, or the part that the request asks for.
///
/// # Errors
///
/// The store lost it, or cannot be reached.
pub(crate) async fn file(
    store: &MediaStore,
    file: &StoredFile,
    headers: &HeaderMap,
    as_download: bool,
) -> Result<Response, Problem> {
    let tag = format!("\"{}\"", file.sha256);
    let is_shown = is_safe(&file.media_type);
    let media_type = if is_shown {
        &file.media_type
    } else {
        UNKNOWN_TYPE
    };
    let name = file.name.as_ref().map(|name| name.0.as_str());
    let disposition = disposition(is_shown && !as_download, name);
    let mut answer = if knows(headers, &tag) {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        match part(headers, &tag, file.size) {
            Part::Whole => {
                let body = body(store, file, None).await?;
                with_length(StatusCode::OK, body, file.size)
            }
            Part::Of(range) => {
                let (from, to) = (range.start, range.end - 1);
                let length = range.end - range.start;
                let body = body(store, file, Some(range)).await?;
                let mut answer = with_length(StatusCode::PARTIAL_CONTENT, body, length);
                let told = format!("bytes {from}-{to}/{}", file.size);
                set(&mut answer, CONTENT_RANGE, &told);
                answer
            }
            Part::None => {
                let mut answer = StatusCode::RANGE_NOT_SATISFIABLE.into_response();
                set(
                    &mut answer,
                    CONTENT_RANGE,
                    &format!("bytes */{}", file.size),
                );
                answer
            }
        }
    };
    set(&mut answer, CONTENT_TYPE, media_type);
    set(&mut answer, CONTENT_DISPOSITION, &disposition);
    set(&mut answer, ACCEPT_RANGES, "bytes");
    guarded(&mut answer, &tag);
    Ok(answer)
}

/// The small form of a picture; it is made when it is asked for first, and kept.
///
/// # Errors
///
/// There is none of such a file, or the store cannot be reached.
pub(crate) async fn thumbnail(
    store: &MediaStore,
    file: &StoredFile,
    headers: &HeaderMap,
) -> Result<Response, Problem> {
    let none = || {
        Err(Problem::new(
            Kind::NotFound,
            "there is no small form of this file; GET it without /thumbnail",
        ))
    };
    if !picture::has_thumbnail(&file.media_type, file.size) {
        return none();
    }
    let tag = format!("\"{}-s\"", file.sha256);
    let mut answer = if knows(headers, &tag) {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        let kept = store
            .thumbnail(&file.sha256)
            .await
            .map_err(|error| unreachable(&error))?;
        let bytes = match kept {
            Some(bytes) => bytes,
            None => match make(store, file).await? {
                Some(bytes) => bytes,
                None => return none(),
            },
        };
        let media_type = crate::media::store::sniffed(&bytes);
        let length = bytes.len() as u64;
        let mut answer = with_length(StatusCode::OK, bytes.into(), length);
        set(&mut answer, CONTENT_TYPE, media_type);
        answer
    };
    guarded(&mut answer, &tag);
    Ok(answer)
}

async fn make(store: &MediaStore, file: &StoredFile) -> Result<Option<Bytes>, Problem> {
    let whole = store
        .read_whole(&file.sha256)
        .await
        .map_err(|error| unreachable(&error))?;
    let whole = whole.ok_or_else(lost)?;
    let Ok(small) = picture::thumbnail(whole).await else {
        return Ok(None);
    };
    if let Err(error) = store.keep_thumbnail(&file.sha256, small.clone()).await {
        error!(%error, "a small form could not be kept; it is made anew each time");
    }
    Ok(Some(small))
}

async fn body(
    store: &MediaStore,
    file: &StoredFile,
    range: Option<Range<u64>>,
) -> Result<Body, Problem> {
    let bytes = store
        .read(&file.sha256, range)
        .await
        .map_err(|error| unreachable(&error))?;
    bytes.map(Body::from_stream).ok_or_else(lost)
}

fn unreachable(error: &object_store::Error) -> Problem {
    Problem::unavailable().caused_by(error)
}

fn lost() -> Problem {
    Problem::new(
        Kind::NotFound,
        "the store of media has lost this file; restore its folder or bucket from the backup",
    )
}

fn with_length(status: StatusCode, body: Body, length: u64) -> Response {
    (status, [(CONTENT_LENGTH, length)], body).into_response()
}

fn set(answer: &mut Response, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        answer.headers_mut().insert(name, value);
    }
}

/// What every file carries, whatever it is.
fn guarded(answer: &mut Response, tag: &str) {
    for (name, value) in [
        (ETAG, tag),
        // Who may read it is asked each time.
        (CACHE_CONTROL, "private, no-cache"),
        (CONTENT_SECURITY_POLICY, POLICY),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (
            HeaderName::from_static("cross-origin-resource-policy"),
            "same-origin",
        ),
    ] {
        set(answer, name, value);
    }
}

fn knows(headers: &HeaderMap, tag: &str) -> bool {
    headers
        .get_all(IF_NONE_MATCH)
        .iter()
        .filter_map(|tags| tags.to_str().ok())
        .flat_map(|tags| tags.split(','))
        .map(|known| known.trim().trim_start_matches("W/"))
        .any(|known| known == tag || known == "*")
}

#[derive(Debug, PartialEq, Eq)]
enum Part {
    Whole,
    Of(Range<u64>),
    /// It lies behind the end.
    None,
}

/// Which part a request asks for. What cannot be read, and several parts at once, count as no wish.
fn part(headers: &HeaderMap, tag: &str, size: u64) -> Part {
    let is_of_another = headers
        .get(IF_RANGE)
        .is_some_and(|known| known.as_bytes() != tag.as_bytes());
    let asked = headers.get(RANGE).and_then(|range| range.to_str().ok());
    let Some((unit, spec)) = asked
        .filter(|_| !is_of_another)
        .and_then(|asked| asked.split_once('='))
    else {
        return Part::Whole;
    };
    let Some((from, to)) = spec.trim().split_once('-') else {
        return Part::Whole;
    };
    if !unit.trim().eq_ignore_ascii_case("bytes") || spec.contains(',') {
        return Part::Whole;
    }
    let number = |text: &str| text.parse::<u64>().ok();
    let range = match (from.trim(), to.trim()) {
        ("", "") => return Part::Whole,
        ("", last) => match number(last) {
            Some(0) => return Part::None,
            Some(last) => size.saturating_sub(last)..size,
            None => return Part::Whole,
        },
        (from, "") => match number(from) {
            Some(from) => from..size,
            None => return Part::Whole,
        },
        (from, to) => match (number(from), number(to)) {
            (Some(from), Some(to)) if from <= to => from..to.saturating_add(1).min(size),
            _ => return Part::Whole,
        },
    };
    if range.start < range.end {
        Part::Of(range)
    } else {
        Part::None
    }
}

/// `inline` or `attachment`, with the name in the form of RFC 6266.
fn disposition(is_shown: bool, name: Option<&str>) -> String {
    let kind = if is_shown { "inline" } else { "attachment" };
    let Some(name) = name else {
        return kind.to_owned();
    };
    let plain: String = name
        .chars()
        .map(|c| {
            if c.is_ascii_graphic() && !matches!(c, '"' | '\\' | '%') || c == ' ' {
                c
            } else {
                '_'
            }
        })
        .collect();
    let mut encoded = String::new();
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    format!("{kind}; filename=\"{plain}\"; filename*=UTF-8''{encoded}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asking(range: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(RANGE, HeaderValue::from_static(range))])
    }

    #[test]
    fn parts_are_read_as_http_says() {
        for (range, expected) in [
            ("bytes=0-4", Part::Of(0..5)),
            ("bytes=5-", Part::Of(5..10)),
            ("bytes=-3", Part::Of(7..10)),
            ("bytes=-30", Part::Of(0..10)),
            ("bytes=0-99", Part::Of(0..10)),
            ("Bytes = 2-3", Part::Of(2..4)),
            ("bytes=10-", Part::None),
            ("bytes=10-12", Part::None),
            ("bytes=-0", Part::None),
            ("bytes=4-2", Part::Whole),
            ("bytes=0-1,4-5", Part::Whole),
            ("bytes=", Part::Whole),
            ("bytes=-", Part::Whole),
            ("bytes=a-b", Part::Whole),
            ("items=0-1", Part::Whole),
        ] {
            assert_eq!(part(&asking(range), "\"x\"", 10), expected, "{range}");
        }
        assert_eq!(part(&HeaderMap::new(), "\"x\"", 10), Part::Whole);
        let mut headers = asking("bytes=0-4");
        headers.insert(IF_RANGE, HeaderValue::from_static("\"other\""));
        assert_eq!(part(&headers, "\"x\"", 10), Part::Whole);
        headers.insert(IF_RANGE, HeaderValue::from_static("\"x\""));
        assert_eq!(part(&headers, "\"x\"", 10), Part::Of(0..5));
        assert_eq!(part(&asking("bytes=0-"), "\"x\"", 0), Part::None);
    }

    #[test]
    fn names_are_told_in_both_forms_and_break_out_of_neither() {
        assert_eq!(disposition(true, None), "inline");
        assert_eq!(
            disposition(false, Some("Gr\u{f6}\u{df}e \"1\".pdf")),
            "attachment; filename=\"Gr__e _1_.pdf\"; filename*=UTF-8''Gr%C3%B6%C3%9Fe%20%221%22.pdf"
        );
    }

    #[test]
    fn nothing_that_can_run_is_named() {
        for unsafe_type in [
            "text/html",
            "image/svg+xml",
            "application/xml",
            "application/pdf",
            "text/plain",
            UNKNOWN_TYPE,
        ] {
            assert!(!is_safe(unsafe_type), "{unsafe_type}");
        }
    }
}
