//! Forms that were sent and not taken: what a person typed comes back.
//!
//! A session ends while somebody writes, a form token goes stale, a case disappears, the database
//! is away. In each of these the handler answers as it does, and leaves an [`Outcome`] in the
//! answer's extensions; [`give_back`], which stands around all pages, then puts the typed values
//! into the form where they belong, or shows them where that form is no more. Handlers and
//! templates need nothing for it.
//!
//! While nobody is signed in, the sign-in page carries the fields along in one hidden field
//! ([`FIELD`]), without passwords and secrets. Nothing is done with them until the person has seen
//! them in their form and sends it again with a token of their own. They belong to a person: each
//! form token names its owner, and another person who signs in gets nothing of them. Fields are
//! carried along only for a browser in which that person has signed in before
//! ([`device::is_of`]); its cookie does not come along with what another site sends.

mod refill;

use std::str::FromStr;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE, SET_COOKIE};
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use docket_domain::ids::UserId;
use serde::{Deserialize, Serialize};
use tower::ServiceExt as _;
use tracing::error;
use uuid::Uuid;

use self::refill::{Scope, refill};
use super::session::Session;
use super::{device, page, pages, place, words};
use crate::site;

/// The field of the sign-in form that carries an unsent form along.
pub(super) const FIELD: &str = "unsent";
/// The largest page that is read to put values into it, in bytes.
const MAX_PAGE_BYTES: usize = 16 << 20;

/// Fields that the page sets, not the person.
const OF_THE_PAGE: [&str; 10] = [
    "anyway",
    "csrf",
    "once",
    "from",
    "version",
    "seen",
    "seen_version",
    "was",
    "was_text",
    FIELD,
];

/// A form as it was sent.
#[derive(Clone, Deserialize, Serialize)]
pub(super) struct Unsent {
    /// Whose it is.
    person: Uuid,
    /// Path and query that it was sent to.
    to: String,
    fields: Vec<(String, String)>,
}

/// What the answer to a form leaves to be given back.
#[derive(Clone)]
pub(super) enum Outcome {
    /// The answer is to be the form's own page, with what was typed and this sentence.
    Restore {
        session: Box<Session>,
        unsent: Unsent,
        sentence: &'static str,
    },
    /// Something was refused. Where the answer shows the form, it gets what was typed.
    Refused(Unsent),
}

/// Set in the extensions of an answer whose form shows what its handler has put together; what was
/// typed would undo that.
#[derive(Clone, Copy)]
pub(super) struct AsShown;

/// Whether a field must not stand in a page again.
fn is_secret(name: &str) -> bool {
    name.ends_with("password") || name == "signature_secret" || name.starts_with("key_")
}

/// The person that a form token names.
pub(super) fn person_of(csrf: &str) -> Option<UserId> {
    let (person, _) = csrf.split_once('.')?;
    Uuid::from_str(person).ok().map(UserId)
}

impl Unsent {
    /// Of a form with these fields; `None` where a person typed nothing in it.
    pub(super) fn of(person: UserId, uri: &Uri, fields: &[(String, String)]) -> Option<Self> {
        let fields: Vec<_> = fields
            .iter()
            .filter(|(name, _)| !is_secret(name) && name != "csrf" && name != FIELD)
            .cloned()
            .collect();
        let is_typed = |(name, value): &(String, String)| {
            !OF_THE_PAGE.contains(&name.as_str()) && !value.trim().is_empty()
        };
        let to = uri.path_and_query().map_or("/", |to| to.as_str());
        fields.iter().any(is_typed).then(|| Self {
            person: person.0,
            to: to.to_owned(),
            fields,
        })
    }

    /// As the sign-in page carries it.
    pub(super) fn carried(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    /// From the sign-in page of this browser; `None` where it is not that of its owner.
    pub(super) fn read(carried: &str, headers: &HeaderMap) -> Option<Self> {
        let unsent: Self = serde_json::from_str(carried).ok()?;
        let is_ours = place::is_ours(&unsent.to) && device::is_of(headers, UserId(unsent.person));
        is_ours.then_some(unsent)
    }

    pub(super) fn is_of(&self, user_id: UserId) -> bool {
        self.person == user_id.0
    }

    fn path(&self) -> &str {
        self.to.split('?').next().unwrap_or_default()
    }

    /// The action of the form as pages have it.
    fn action(&self) -> String {
        format!("{}{}", site::base(), self.path())
    }

    /// Where the form may stand: the page of a new thing, its own address, or a page above it.
    fn pages(&self) -> Vec<String> {
        let query = self.to.split_once('?').map_or("", |(_, query)| query);
        let path = self.path().trim_end_matches('/');
        let mut pages = vec![format!("{path}/new")];
        let mut above = path;
        while !above.is_empty() {
            pages.push(above.to_owned());
            above = above.rsplit_once('/').map_or("", |(above, _)| above);
        }
        pages.push("/".to_owned());
        for page in &mut pages {
            if !query.is_empty() {
                page.push('?');
                page.push_str(query);
            }
        }
        pages
    }

    /// What was typed, with the fields' names in words.
    fn shown(&self) -> Vec<(&'static str, String)> {
        let is_typed = |(name, value): &&(String, String)| {
            !OF_THE_PAGE.contains(&name.as_str()) && !value.trim().is_empty()
        };
        self.fields
            .iter()
            .filter(is_typed)
            .filter_map(|(name, value)| Some((words::unsent_field(name)?, value.clone())))
            .collect()
    }
}

/// Gives back what an answer's [`Outcome`] holds. `inner` is the console without this around it.
pub(super) async fn give_back(
    State(inner): State<Router>,
    request: Request,
    next: Next,
) -> Response {
    let mut answer = next.run(request).await;
    match answer.extensions_mut().remove::<Outcome>() {
        None => answer,
        Some(Outcome::Restore {
            session,
            unsent,
            sentence,
        }) => restored(&inner, &session, &unsent, sentence, answer).await,
        Some(Outcome::Refused(unsent)) => refused(&unsent, answer).await,
    }
}

/// The form's page with what was typed. Keeps the answer's status, unless it leads elsewhere, and
/// its cookies.
async fn restored(
    inner: &Router,
    session: &Session,
    unsent: &Unsent,
    sentence: &'static str,
    answer: Response,
) -> Response {
    let status = match answer.status() {
        status if status.is_redirection() => StatusCode::OK,
        status => status,
    };
    let mut filled = None;
    for address in unsent.pages() {
        // Of the addresses above a form only pages are asked for: none of them streams.
        let Some(html) = get(inner, &address, session).await else {
            continue;
        };
        filled = refill(
            &html,
            &unsent.action(),
            &unsent.fields,
            Scope::Whole,
            sentence,
        );
        if filled.is_some() {
            break;
        }
    }
    let mut restored = match filled {
        Some(html) => (status, axum::response::Html(html)).into_response(),
        None => page(
            status,
            &pages::Unsent {
                sentence,
                fields: unsent.shown(),
            },
        ),
    };
    for cookie in answer.headers().get_all(SET_COOKIE) {
        restored.headers_mut().append(SET_COOKIE, cookie.clone());
    }
    restored
}

/// A page as that person gets it; `None` where there is none.
async fn get(inner: &Router, address: &str, session: &Session) -> Option<String> {
    let mut request = Request::builder()
        .method(Method::GET)
        .uri(address)
        .body(Body::empty())
        .ok()?;
    request.extensions_mut().insert(session.clone());
    let Ok(answer) = inner.clone().oneshot(request).await;
    if answer.status() != StatusCode::OK || !is_page(&answer) {
        return None;
    }
    html_of(answer.into_body()).await
}

fn is_page(answer: &Response) -> bool {
    answer
        .headers()
        .get(CONTENT_TYPE)
        .is_some_and(|media_type| media_type.as_bytes().starts_with(b"text/html"))
}

async fn html_of(body: Body) -> Option<String> {
    match to_bytes(body, MAX_PAGE_BYTES).await {
        Ok(bytes) => String::from_utf8(bytes.into()).ok(),
        Err(error) => {
            error!(%error, "a page is too large to give back what was typed");
            None
        }
    }
}

/// The page of a refusal with what was typed in its form, or below the sentence.
async fn refused(unsent: &Unsent, answer: Response) -> Response {
    if !is_page(&answer) {
        return answer;
    }
    let (mut parts, body) = answer.into_parts();
    let Some(html) = html_of(body).await else {
        return (parts.status, words::FORM_UNREADABLE).into_response();
    };
    let html = if parts.extensions.get::<AsShown>().is_some() {
        html
    } else {
        let filled = refill(&html, &unsent.action(), &unsent.fields, Scope::Visible, "");
        filled.unwrap_or_else(|| with_typed(&html, unsent))
    };
    parts.headers.remove(CONTENT_LENGTH);
    Response::from_parts(parts, Body::from(html))
}

/// The page with what was typed at the end of what it is about.
fn with_typed(html: &str, unsent: &Unsent) -> String {
    let shown = unsent.shown();
    let typed = pages::Typed { fields: shown };
    match (html.rfind("</main>"), askama::Template::render(&typed)) {
        (Some(at), Ok(typed)) if !typed.trim().is_empty() => {
            let (before, after) = html.split_at(at);
            [before, &typed, after].concat()
        }
        _ => html.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(to: &str, fields: &[(&str, &str)]) -> Option<Unsent> {
        let fields: Vec<_> = fields
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        let uri = to.parse().expect("an address");
        Unsent::of(UserId(Uuid::from_u128(1)), &uri, &fields)
    }

    #[test]
    fn secrets_and_tokens_are_not_kept_and_a_form_without_text_is_not_either() {
        let kept = sent(
            "/users",
            &[
                ("csrf", "x"),
                ("email", "agent@example.com"),
                ("password", "correct horse"),
                ("old-password", "correct horse"),
                ("signature_secret", "secret"),
                ("key_text", "secret"),
                ("key_file", "secret"),
            ],
        );
        let carried = kept.expect("is kept").carried();
        assert!(carried.contains("agent@example.com"), "{carried}");
        for secret in ["horse", "secret", "csrf"] {
            assert!(!carried.contains(secret), "{carried}");
        }
        for nothing in [
            &[("csrf", "x"), ("once", "1"), ("seen_version", "4")][..],
            &[("csrf", "x"), ("text", " \n")],
            &[("password", "correct horse")],
        ] {
            assert!(sent("/users", nothing).is_none(), "{nothing:?}");
        }
    }

    #[test]
    fn the_page_of_a_form_is_looked_for_at_its_address_and_above() {
        let kept = sent("/cases/101/write?view=all", &[("text", "x")]).expect("is kept");
        assert_eq!(
            kept.pages(),
            [
                "/cases/101/write/new?view=all",
                "/cases/101/write?view=all",
                "/cases/101?view=all",
                "/cases?view=all",
                "/?view=all",
            ]
        );
    }

    #[test]
    fn a_token_names_its_person() {
        let person = UserId(Uuid::from_u128(7));
        assert_eq!(
            person_of(&format!("{}.abc", person.0.simple())),
            Some(person)
        );
        for nobody in ["", "abc", "x.abc", "."] {
            assert_eq!(person_of(nobody), None, "{nobody}");
        }
    }
}
