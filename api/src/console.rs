//! The console: what agents work with, as pages.
//!
//! Every screen is a URL and every action a form, so that all of it works without the script, which only adds what comes by itself
//! and the keyboard. What always holds: whatever is not the sign-in page or an asset stands behind [`session::inside`], which finds
//! out who asks and refuses a form that is not ours, and behind [`session::within_reach`], which lets nobody near a case of a survey
//! that they do not reach; what changes cases stands behind [`session::may_act`] too; every change is one
//! operation for the ledger, the same as the JSON API's; and the console's own sentences stand in [`words`]. A role is asked for
//! before the form is judged: each group of routes has a layer of [`session`] that does both, in that order. To add a page: a
//! handler in the file of its group, a line in [`router`], and a row in the tests' table of routes.

mod act;
mod answers;
mod attach;
mod bar;
mod begin;
mod bulk;
mod case;
mod changes;
mod contact_words;
mod contacts;
mod counter;
mod device;
mod errors;
mod evidence;
mod files;
mod first_steps;
mod history;
mod inbox;
mod labels;
mod list;
mod list_words;
mod live;
mod log;
mod marking;
mod next_case;
mod outgoing;
mod owners;
mod pages;
mod place;
mod presence;
mod reading;
mod saved;
mod session;
mod settings;
mod sign_in;
#[cfg(test)]
mod snapshots;
mod thread;
mod throttle;
mod told;
mod unsent;
mod window;
mod words;
mod writing;

use std::borrow::Cow;
use std::sync::Arc;

use askama::Template;
use axum::Router;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, IF_NONE_MATCH, REFERRER_POLICY,
    RETRY_AFTER, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use axum::middleware::{self, Next};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::{get, post};
use docket_domain::access::Access;
use docket_domain::ids::UserId;
use docket_domain::user::Role;
use docket_domain::user::preferences::Theme;
use sha2::{Digest as _, Sha256};
use tower_http::compression::CompressionLayer;
use tower_http::compression::predicate::{Predicate as _, SizeAbove};
use tracing::error;

use self::live::Feed;
use self::presence::Presence;
use self::throttle::Throttle;
use crate::app::App;
use crate::http::problem::Problem;
use crate::site;

/// The largest form that is read, in bytes: a note of 10,000 characters, each of which a form can write as twelve bytes, and as much
/// again.
const MAX_FORM_BYTES: usize = 1 << 18;

/// The largest sign-in form, in bytes: it can carry another form along, with each of its bytes
/// escaped once more.
const MAX_SIGN_IN_BYTES: usize = 4 * MAX_FORM_BYTES;

/// Who asks with a session of the console.
pub(crate) struct SessionCaller {
    pub(crate) user_id: UserId,
    pub(crate) email: String,
    pub(crate) role: Role,
    pub(crate) access: Access,
    pub(crate) token_hash: [u8; 32],
}

/// The session with which a browser asks, where it has one.
///
/// # Errors
///
/// The database cannot be asked.
pub(crate) async fn session_of(
    app: &App,
    headers: &HeaderMap,
) -> Result<Option<SessionCaller>, Problem> {
    let session = session::of_browser(app, headers).await?;
    Ok(session.map(|session| SessionCaller {
        user_id: session.user_id,
        email: session.email,
        role: session.role,
        access: session.access,
        token_hash: session.token_hash,
    }))
}

/// Everything that the pages load is served here, and nothing is inline.
const CONTENT_POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; media-src 'self'; connect-src 'self'; \
                              form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// The styles of all pages, one file after another; a later one can say what an earlier one said otherwise.
const STYLES: &str = concat!(
    include_str!("../assets/console.css"),
    include_str!("../assets/case.css"),
    include_str!("../assets/files.css"),
    include_str!("../assets/log.css"),
    include_str!("../assets/list.css"),
    include_str!("../assets/people.css"),
    include_str!("../assets/labels.css"),
);

/// What every answer of the console carries, unless it says otherwise itself.
const HEADERS: [(HeaderName, &str); 7] = [
    (CACHE_CONTROL, "no-store"),
    (CONTENT_SECURITY_POLICY, CONTENT_POLICY),
    (REFERRER_POLICY, "same-origin"),
    (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (X_FRAME_OPTIONS, "DENY"),
    (
        HeaderName::from_static("cross-origin-opener-policy"),
        "same-origin",
    ),
    (
        HeaderName::from_static("permissions-policy"),
        "camera=(), geolocation=(), microphone=()",
    ),
];

/// What the console's handlers share.
#[derive(Clone)]
struct Console {
    app: App,
    throttle: Arc<Throttle>,
    presence: Presence,
    feed: Feed,
}

/// The console. It answers for `/`, `/sign-in`, `/sign-out`, `/sessions`, `/cases`, `/contacts`, `/views`, `/rows`, `/log`, `/live`, `/assets` and what
/// [`owners`] and [`settings`] list.
pub fn router(app: App) -> Router {
    let console = Console {
        app,
        throttle: Arc::default(),
        presence: Presence::default(),
        feed: Feed::default(),
    };
    let acting = Router::new()
        .route("/cases/new", get(begin::form))
        .route("/cases", post(begin::begin))
        .route("/cases/several", post(bulk::act))
        .route("/views", post(saved::keep))
        .route("/views/{view_id}/remove", post(saved::remove))
        .route("/cases/new/saved-replies", get(answers::of_new_case))
        .route("/cases/{reference}/saved-replies", get(answers::of_case))
        .route("/cases/{reference}/template", post(outgoing::send_template))
        .route("/cases/{reference}/writing", post(writing::say))
        .route("/cases/{reference}/status", post(act::status))
        .route("/cases/{reference}/assignee", post(act::assignee))
        .route("/cases/{reference}/title", post(act::title))
        .route("/cases/{reference}/unread", post(reading::mark_unread))
        .route("/cases/{reference}/labels", post(labels::set))
        .route("/cases/{reference}/snooze", post(labels::snooze))
        .route("/cases/{reference}/wake", post(labels::wake))
        .route(
            "/cases/{reference}/messages/{message_id}/move",
            get(act::move_form).post(act::move_message),
        )
        .route(
            "/cases/{reference}/messages/{message_id}/undo-move",
            post(act::undo_move),
        )
        .route(
            "/cases/{reference}/messages/{message_id}/resend",
            post(act::resend),
        )
        .merge(contacts::acting())
        .route_layer(middleware::from_fn(session::may_act));
    let overseeing = Router::new()
        .route("/log", get(log::show))
        .route("/log/export", post(log::export))
        .route("/cases/{reference}/bundle", post(evidence::export))
        .route_layer(middleware::from_fn(session::oversees));
    let own = Router::new()
        .route("/", get(inbox::list))
        .route("/cases/{reference}", get(case::show))
        .route("/cases/{reference}/changes", get(changes::case))
        .route("/cases/{reference}/earlier", get(changes::earlier))
        .route("/cases/{reference}/history", get(history::show))
        .route("/rows", get(changes::list))
        .route("/live", get(live::follow))
        .route("/sessions", get(sign_in::sessions))
        .route("/sessions/{session_id}/end", post(sign_in::end_session))
        .route("/first-steps/close", post(first_steps::close))
        .route("/sign-out", post(sign_in::sign_out))
        .route("/sign-out-everywhere", post(sign_in::sign_out_everywhere))
        .merge(contacts::own())
        .route_layer(middleware::from_fn(session::anybody));
    // Forms that carry a file, whose size is bounded where it is read.
    let carrying = Router::new()
        .route("/cases/{reference}/write", post(act::write))
        .route("/media", post(attach::upload))
        .route_layer(middleware::from_fn(session::may_act))
        .route_layer(middleware::from_fn_with_state(
            console.clone(),
            session::within_reach,
        ))
        .route_layer(middleware::from_fn_with_state(
            console.clone(),
            session::inside,
        ))
        .layer(middleware::from_fn(attach::bounded))
        .layer(DefaultBodyLimit::disable());
    let inside = own
        .merge(acting)
        .merge(settings::routes())
        .merge(overseeing)
        .merge(owners::router())
        .route_layer(middleware::from_fn_with_state(
            console.clone(),
            session::within_reach,
        ))
        .route_layer(middleware::from_fn_with_state(
            console.clone(),
            session::inside,
        ));
    let sign_in = get(sign_in::form)
        .post(sign_in::sign_in)
        .layer(DefaultBodyLimit::max(MAX_SIGN_IN_BYTES));
    let router = inside
        .layer(DefaultBodyLimit::max(MAX_FORM_BYTES))
        .merge(carrying)
        .route("/sign-in", sign_in)
        .merge(assets())
        .method_not_allowed_fallback(wrong_method)
        .fallback(unknown_page)
        .with_state(console.clone());
    router
        .clone()
        .layer(middleware::from_fn_with_state(router, unsent::give_back))
        .layer(middleware::from_fn_with_state(console, guard))
        // The secret of a page's forms is another in each page, so that lengths tell nothing of it.
        .layer(CompressionLayer::new().compress_when(SizeAbove::new(512).and(is_compressed)))
}

/// What pages consist of is compressed. Events are not, which have to arrive one by one, nor is what is taken away as a file.
fn is_compressed(
    _: StatusCode,
    _: axum::http::Version,
    headers: &HeaderMap,
    _: &axum::http::Extensions,
) -> bool {
    let media_type = headers
        .get(CONTENT_TYPE)
        .map_or(&b""[..], HeaderValue::as_bytes);
    ["text/html", "text/css", "text/javascript", "image/svg+xml"]
        .iter()
        .any(|known| media_type.starts_with(known.as_bytes()))
}

/// The name of the stylesheet with these colours.
pub(crate) const fn stylesheet(theme: Theme) -> &'static str {
    match theme {
        Theme::System => "console.css",
        Theme::Light => "console-light.css",
        Theme::Dark => "console-dark.css",
    }
}

/// The stylesheet with these colours: those of one theme hold whatever the system asks for.
fn styles(theme: Theme) -> Cow<'static, str> {
    let (colours, holds) = match theme {
        Theme::System => return Cow::Borrowed(STYLES),
        Theme::Light => ("light", "not all"),
        Theme::Dark => ("dark", "all"),
    };
    let styles = STYLES.replace(
        "color-scheme: light dark",
        &format!("color-scheme: {colours}"),
    );
    Cow::Owned(styles.replace("(prefers-color-scheme: dark)", holds))
}

/// The scripts of pages.
const SCRIPTS: [(&str, &str); 9] = [
    ("/assets/console.js", include_str!("../assets/console.js")),
    ("/assets/people.js", include_str!("../assets/people.js")),
    ("/assets/desk.js", include_str!("../assets/desk.js")),
    ("/assets/files.js", include_str!("../assets/files.js")),
    ("/assets/case.js", include_str!("../assets/case.js")),
    ("/assets/live.js", include_str!("../assets/live.js")),
    ("/assets/list.js", include_str!("../assets/list.js")),
    ("/assets/snooze.js", include_str!("../assets/snooze.js")),
    ("/assets/history.js", include_str!("../assets/history.js")),
];

/// What pages load. A browser asks each time whether it has the newest, and gets it only where not.
fn assets() -> Router<Console> {
    let asset = |content_type: &'static str, body: Cow<'static, str>| {
        // Weak: the same content is sent compressed and as it is.
        let tag = format!(
            "W/\"{}\"",
            &hex::encode(Sha256::digest(body.as_bytes()))[..16]
        );
        get(move |headers: HeaderMap| async move {
            let known = headers.get_all(IF_NONE_MATCH).iter();
            let is_known = known
                .filter_map(|tags| tags.to_str().ok())
                .flat_map(|tags| tags.split(','))
                .any(|known| is_tag(known.trim(), &tag));
            let about = [(ETAG, tag.clone()), (CACHE_CONTROL, "no-cache".to_owned())];
            if is_known {
                (StatusCode::NOT_MODIFIED, about).into_response()
            } else {
                (about, [(CONTENT_TYPE, content_type)], body.clone()).into_response()
            }
        })
    };
    let router = Router::new()
        .route(
            "/assets/console.css",
            asset("text/css; charset=utf-8", styles(Theme::System)),
        )
        .route(
            "/assets/console-light.css",
            asset("text/css; charset=utf-8", styles(Theme::Light)),
        )
        .route(
            "/assets/console-dark.css",
            asset("text/css; charset=utf-8", styles(Theme::Dark)),
        )
        .route(
            "/assets/console-unread.svg",
            asset(
                "image/svg+xml",
                include_str!("../assets/console-unread.svg").into(),
            ),
        )
        .route(
            "/assets/console.svg",
            asset(
                "image/svg+xml",
                include_str!("../assets/console.svg").into(),
            ),
        );
    SCRIPTS.into_iter().fold(router, |router, (path, script)| {
        let script = asset("text/javascript; charset=utf-8", script.into());
        Router::route(router, path, script)
    })
}

/// Whether a tag that a browser knows is this one, by the weak comparison of RFC 9110.
fn is_tag(known: &str, tag: &str) -> bool {
    let opaque = |tag: &str| tag.strip_prefix("W/").unwrap_or(tag).to_owned();
    known == "*" || opaque(known) == opaque(tag)
}

/// Refuses what another site's page sends in the person's name, and sets the headers that every answer has.
async fn guard(
    State(Console { app, .. }): State<Console>,
    request: Request,
    next: Next,
) -> Response {
    let comes_from_elsewhere = request
        .headers()
        .get("sec-fetch-site")
        .is_some_and(|site| site != "same-origin" && site != "none");
    let reads = matches!(*request.method(), Method::GET | Method::HEAD);
    // Nothing could be read that is right, not even who is signed in.
    let is_unreadable = app.ledger.watch().standing().is_unreadable()
        && !request.uri().path().starts_with("/assets/");
    let mut answer = if comes_from_elsewhere && !reads {
        failure(StatusCode::FORBIDDEN, words::FORM_FROM_ELSEWHERE.to_owned())
    } else if is_unreadable {
        Failed(Problem::unavailable()).into_response()
    } else {
        as_page(next.run(request).await)
    };
    for (name, value) in HEADERS {
        answer
            .headers_mut()
            .entry(name)
            .or_insert(HeaderValue::from_static(value));
    }
    answer
}

/// A page in place of the plain text that extractors of paths, queries and forms refuse with.
fn as_page(answer: Response) -> Response {
    let status = answer.status();
    let is_text = answer
        .headers()
        .get(CONTENT_TYPE)
        .is_some_and(|media_type| media_type.as_bytes().starts_with(b"text/plain"));
    if !status.is_client_error() || !is_text {
        return answer;
    }
    let sentence = match status {
        StatusCode::PAYLOAD_TOO_LARGE => words::FORM_TOO_LARGE,
        _ => words::ADDRESS_UNREADABLE,
    };
    failure(status, sentence.to_owned())
}

/// The answer where no page is.
async fn unknown_page(State(console): State<Console>, headers: HeaderMap) -> Response {
    let answer = failure(StatusCode::NOT_FOUND, words::NO_SUCH_PAGE.to_owned());
    session::failing(&console, &headers, answer).await
}

/// The answer where a page is, but not for that method.
async fn wrong_method(State(console): State<Console>, headers: HeaderMap) -> Response {
    let sentence = words::NOT_THAT_METHOD.to_owned();
    let answer = failure(StatusCode::METHOD_NOT_ALLOWED, sentence);
    session::failing(&console, &headers, answer).await
}

/// A page made from its template.
fn page(status: StatusCode, template: &impl Template) -> Response {
    match template.render() {
        Ok(html) if status.is_client_error() => {
            (status, Html(errors::pointed(html))).into_response()
        }
        Ok(html) => (status, Html(html)).into_response(),
        Err(error) => {
            error!(%error, "a page could not be rendered");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

/// What the page of a failure says, so that it can be made again with the bar.
#[derive(Clone, Debug)]
struct Failing {
    title: &'static str,
    sentence: String,
}

/// A page that says why there is no other.
fn failure(status: StatusCode, sentence: String) -> Response {
    let title = words::failure_title(status);
    let template = pages::Failure {
        title,
        sentence: sentence.clone(),
    };
    let mut answer = page(status, &template);
    answer.extensions_mut().insert(Failing { title, sentence });
    answer
}

/// A problem as a page; what is wrong on our side is logged with it.
#[derive(Debug)]
struct Failed(Problem);

impl<E: Into<Problem>> From<E> for Failed {
    fn from(error: E) -> Self {
        Self(error.into())
    }
}

impl IntoResponse for Failed {
    fn into_response(self) -> Response {
        let sentence = words::refusal(&self.0);
        // The problem's own answer logs its cause; its form is for programs and goes no further.
        let answer = self.0.into_response();
        let mut page = failure(answer.status(), sentence);
        if let Some(after) = answer.headers().get(RETRY_AFTER) {
            page.headers_mut().insert(RETRY_AFTER, after.clone());
        }
        page
    }
}

/// See other: where a form leads when it is done. `to` is a path of ours, without the base.
fn go(to: &str) -> Response {
    let to = format!("{}{to}", site::base());
    axum::response::Redirect::to(&to).into_response()
}
