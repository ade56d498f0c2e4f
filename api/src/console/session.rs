//! Who asks at the console: sessions by cookie, roles, and forms that are ours.

use std::collections::HashMap;
use std::fmt;

use axum::body::Body;
use axum::extract::multipart::{Field, MultipartError};
use axum::extract::{Form, FromRequest, FromRequestParts, Multipart, Request, State};
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use axum_extra::extract::cookie::CookieJar;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, TimeDelta, Utc};
use docket_domain::access::Access;
use docket_domain::ids::{Reference, UserId};
use docket_domain::user::Role;
use docket_domain::user::preferences::Preferences;
use docket_projections::ledger::operation::IdempotencyKey;
use docket_projections::log::recorded::Via;
use docket_projections::sessions;
use futures_util::TryStreamExt as _;
use hmac::{Hmac, Mac};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use tracing::debug;
use uuid::Uuid;

use super::bar::{Bar, section_of};
use super::unsent::{self, Outcome, Unsent};
use super::{
    Console, Failed, Failing, MAX_FORM_BYTES, case, device, failure, go, page, pages, place,
    sign_in, words,
};
use crate::ambient;
use crate::app::App;
use crate::audit::Look;
use crate::http::media::accept;
use crate::http::problem::Problem;
use crate::http::request_id::{RequestIds, is_head};
use crate::operations::Asked;
use crate::operations::people::ViewCase;
use crate::people;
use crate::reach;
use crate::site;
use crate::users::hash_token;
use crate::vonage::private_key;

/// The cookie of somebody who is signed in.
pub(super) const COOKIE: &str = "docket_session";
/// The cookie that the sign-in form belongs to.
pub(super) const FORM_COOKIE: &str = "docket_form";
/// The field with the file of a private key, which need not be text.
pub(super) const KEY_FILE: &str = "key_file";
/// The header with which the script of an open page fetches it again.
const REFRESH: HeaderName = HeaderName::from_static("docket-live");
/// The field with a file that is to be sent.
const UPLOAD: &str = "file";
/// The field with the id of a file that is to be sent.
pub(super) const MEDIA_ID: &str = "media_id";
/// A session ends after so many days, used or not.
pub(super) const MAX_DAYS: i64 = 30;
/// A session that was not used for so many days has ended.
const IDLE_DAYS: i64 = 7;
/// That a session is used is noted at most so often, in seconds.
const TOUCH_SECONDS: i64 = 60;

/// Somebody who is signed in.
#[derive(Clone, Debug)]
pub(super) struct Session {
    pub(super) id: Uuid,
    pub(super) user_id: UserId,
    pub(super) email: String,
    /// What colleagues call them.
    pub(super) name: Option<String>,
    /// How they want the console to be.
    pub(super) preferences: Preferences,
    /// Whether somebody else set their password.
    pub(super) password_given: bool,
    pub(super) role: Role,
    /// Which surveys' cases they reach.
    pub(super) access: Access,
    /// What every form of theirs carries.
    pub(super) csrf: String,
    /// What the bar of their pages shows.
    pub(super) bar: Bar,
    pub(super) token_hash: [u8; 32],
    /// The case that the path names, and whether they reach it; nothing where that was not asked.
    named: Option<(Reference, bool)>,
}

impl Session {
    /// What they are shown as: their name, or else their address.
    pub(super) fn shown(&self) -> &str {
        self.name.as_deref().unwrap_or(&self.email)
    }

    /// Who asks, in this request.
    pub(super) fn asked(&self) -> Asked {
        Asked {
            user_id: self.user_id,
            email: self.email.clone(),
            access: self.access.clone(),
            via: Via::Console,
            token_id: None,
            request_id: RequestIds::current().map(Box::new),
            idempotency: None,
        }
    }

    /// Notes that they are shown a case. `headers` say whether an open page of theirs refreshes itself.
    pub(super) async fn looks(&self, app: &App, reference: Reference, headers: &HeaderMap) {
        if is_head() {
            return;
        }
        let view = ViewCase {
            reference,
            token_id: None,
            at: (app.clock)(),
            asked: self.asked(),
        };
        let is_refresh = headers.contains_key(REFRESH);
        app.audit.viewed(Look { view, is_refresh }).await;
    }

    /// Whether they may change cases.
    pub(super) const fn may_act(&self) -> bool {
        matches!(self.role, Role::Owner | Role::Agent)
    }

    /// Whether they may read the settings, the log, and what people do.
    pub(super) const fn oversees(&self) -> bool {
        matches!(self.role, Role::Owner | Role::Auditor)
    }

    /// Whether they may change the settings.
    pub(super) const fn may_set_up(&self) -> bool {
        matches!(self.role, Role::Owner)
    }

    /// Whether the session still counts, with the same role and reach; for answers that go on for long.
    pub(super) async fn still_counts(&self, app: &App) -> bool {
        let found = sessions::find(&app.pool, self.token_hash, None, (app.clock)()).await;
        matches!(found, Ok(Some(found)) if found.role == self.role && found.access == self.access)
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Session {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Response> {
        // A route that forgot to stand behind `inside` is closed to everybody.
        let session = parts.extensions.get::<Self>().cloned();
        session.ok_or_else(|| go("/sign-in"))
    }
}

/// A form that was sent, and is one of ours.
#[derive(Clone, Default)]
pub(super) struct Posted {
    fields: HashMap<String, String>,
    /// The fields of which there can be several, in order.
    several: Vec<(String, String)>,
    /// SHA-256 of what was asked, and where.
    fingerprint: [u8; 32],
}

/// Shows nothing: passwords and secrets are among the fields.
impl fmt::Debug for Posted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Posted(…)")
    }
}

impl Posted {
    pub(super) fn of(path: &str, sent: &[(String, String)]) -> Self {
        let mut hash = Sha256::new_with_prefix(path);
        for (name, value) in sent {
            // A hash of a password with the rest known would be a quick way to guess it, and this one is kept.
            if name != "csrf" && !name.ends_with("password") {
                for part in [name, value] {
                    hash.update((part.len() as u64).to_be_bytes());
                    hash.update(part);
                }
            }
        }
        Self {
            fields: sent.iter().cloned().collect(),
            several: sent.to_vec(),
            fingerprint: hash.finalize().into(),
        }
    }

    /// A field; empty where it is missing.
    pub(super) fn field(&self, name: &str) -> &str {
        self.fields.get(name).map_or("", String::as_str)
    }

    /// Every value of a field.
    pub(super) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.several
            .iter()
            .filter(move |(other, _)| other == name)
            .map(|(_, value)| value.as_str())
    }

    /// Who asks for this. A form carries a number of its own (`once`), so that one sent twice is done once, and one that was sent,
    /// changed and sent again is done again.
    pub(super) fn asked(&self, session: &Session) -> Asked {
        let once: Option<Uuid> = self.field("once").parse().ok();
        let idempotency = once.map(|once| IdempotencyKey {
            actor: session.user_id.0,
            key: format!(
                "console-{}-{}",
                once.simple(),
                hex::encode(&self.fingerprint[..16])
            ),
            fingerprint: self.fingerprint,
        });
        Asked {
            idempotency,
            ..session.asked()
        }
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Posted {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Response> {
        let posted = parts.extensions.get::<Self>().cloned();
        posted.ok_or_else(|| failure(StatusCode::BAD_REQUEST, words::FORM_UNREADABLE.to_owned()))
    }
}

/// What was sent, as [`inside`] has read it. The roles are asked first: see [`with_form`].
#[derive(Clone)]
enum Sent {
    /// One of our forms.
    Ours(Posted),
    /// A form with another token than the session's. One of the person's own, from before they
    /// signed in again, comes back to be sent once more.
    TooOld(Option<Unsent>),
    /// Something that cannot be read, with its status.
    Unreadable(StatusCode),
}

/// Lets only those pass who are signed in. Reads what they send; [`with_form`] judges it.
pub(super) async fn inside(
    State(console): State<Console>,
    request: Request,
    next: Next,
) -> Response {
    let (mut parts, body) = request.into_parts();
    let case = reach::named(&mut parts).await;
    people::came_from(&console.app.proxies, &parts.headers, &parts.extensions);
    let mut request = Request::from_parts(parts, body);
    let mut session = match request.extensions().get::<Session>() {
        // Set only where we ask ourselves for a page, in the name of who has just signed in.
        Some(session) => session.clone(),
        None => match find(&console.app, request.headers(), case).await {
            Ok(Some(session)) => session,
            Ok(None) => return lead_to_sign_in(request).await,
            Err(problem) => return Failed(problem).into_response(),
        },
    };
    session.bar.section = section_of(request.uri().path());
    let mut unsent = None;
    if request.method() == Method::POST {
        let (mut parts, body) = request.into_parts();
        let uploads = Uploads {
            app: &console.app,
            user_id: session.user_id,
            csrf: &session.csrf,
        };
        let sent = match read(&parts, body, &session.csrf, Some(uploads)).await {
            Ok((fields, posted)) => {
                let typed = Unsent::of(session.user_id, &parts.uri, &fields);
                if let Some(posted) = posted {
                    unsent = typed;
                    Sent::Ours(posted)
                } else {
                    let is_theirs = owner_of(&fields) == Some(session.user_id);
                    Sent::TooOld(typed.filter(|_| is_theirs))
                }
            }
            Err(status) => Sent::Unreadable(status),
        };
        parts.extensions.insert(sent);
        request = Request::from_parts(parts, Body::empty());
    }
    request.extensions_mut().insert(session.clone());
    let mut answer = with_bar(&console.app, &session, next.run(request).await);
    let is_refused = answer.status().is_client_error() || answer.status().is_server_error();
    if let Some(unsent) = unsent.filter(|_| is_refused) {
        answer.extensions_mut().insert(Outcome::Refused(unsent));
    }
    answer
}

/// A page of a failure with the bar around it.
fn with_bar(app: &App, session: &Session, mut answer: Response) -> Response {
    let Some(Failing { title, sentence }) = answer.extensions_mut().remove::<Failing>() else {
        return answer;
    };
    let template = pages::FailureInside {
        frame: pages::Frame::of(app, session),
        title,
        sentence,
    };
    let (mut parts, body) = page(answer.status(), &template).into_parts();
    for (name, value) in answer.headers() {
        if !parts.headers.contains_key(name) && name != CONTENT_LENGTH {
            parts.headers.insert(name, value.clone());
        }
    }
    parts.extensions = std::mem::take(answer.extensions_mut());
    Response::from_parts(parts, body)
}

/// The page of a failure, with the bar where somebody is signed in.
pub(super) async fn failing(console: &Console, headers: &HeaderMap, answer: Response) -> Response {
    match find(&console.app, headers, None).await {
        Ok(Some(session)) => with_bar(&console.app, &session, answer),
        Ok(None) | Err(_) => answer,
    }
}

/// Lets only forms pass that we gave to who sends them. Every group of routes calls it when it has
/// asked for the role: who may comes before what is asked.
async fn with_form(session: Session, mut request: Request, next: Next) -> Response {
    match request.extensions_mut().remove::<Sent>() {
        Some(Sent::Ours(posted)) => {
            request.extensions_mut().insert(posted);
            next.run(request).await
        }
        Some(Sent::TooOld(unsent)) => too_old(session, unsent),
        Some(Sent::Unreadable(status)) => unreadable(status),
        None => next.run(request).await,
    }
}

/// The answer to a form with another token than the session's.
fn too_old(session: Session, unsent: Option<Unsent>) -> Response {
    let mut answer = failure(StatusCode::FORBIDDEN, words::FORM_TOO_OLD.to_owned());
    let outcome = unsent.map(|unsent| Outcome::Restore {
        session: Box::new(session),
        unsent,
        sentence: words::UNSENT_TOO_OLD,
    });
    if let Some(outcome) = outcome {
        answer.extensions_mut().insert(outcome);
    }
    answer
}

/// Whose form it is, by its token.
fn owner_of(fields: &[(String, String)]) -> Option<UserId> {
    let (_, csrf) = fields.iter().find(|(name, _)| name == "csrf")?;
    unsent::person_of(csrf)
}

/// The answer to somebody who is not signed in; a form of this browser's is carried along.
async fn lead_to_sign_in(request: Request) -> Response {
    let to = go(&sign_in_for(request.method(), request.uri()));
    if request.method() != Method::POST {
        return to;
    }
    let (parts, body) = request.into_parts();
    let Ok((fields, _)) = read(&parts, body, "", None).await else {
        return to;
    };
    let owner = owner_of(&fields).filter(|owner| device::is_of(&parts.headers, *owner));
    let Some(unsent) = owner.and_then(|owner| Unsent::of(owner, &parts.uri, &fields)) else {
        return to;
    };
    sign_in::with_unsent(&parts.headers, &unsent)
}

/// Lets only those pass who reach the case that the path names.
pub(super) async fn within_reach(
    State(Console { app, .. }): State<Console>,
    session: Session,
    request: Request,
    next: Next,
) -> Response {
    let (mut parts, body) = request.into_parts();
    if let Some(reference) = reach::named(&mut parts).await {
        let reached = match session.named {
            Some((named, is_reached)) if named == reference => Ok(is_reached),
            _ => reach::is_visible(&app.pool, &session.access, reference).await,
        };
        match reached {
            Ok(true) => {}
            Ok(false) => return case::no_such_case(),
            Err(error) => return Failed::from(error).into_response(),
        }
    }
    next.run(Request::from_parts(parts, body)).await
}

/// For what is everybody's own: any role.
pub(super) async fn anybody(session: Session, request: Request, next: Next) -> Response {
    with_form(session, request, next).await
}

/// Lets only those pass who may change cases.
pub(super) async fn may_act(session: Session, request: Request, next: Next) -> Response {
    if session.may_act() {
        with_form(session, request, next).await
    } else {
        failure(StatusCode::FORBIDDEN, words::ONLY_LOOKING.to_owned())
    }
}

/// Lets only those pass who may read the settings, the log, and what people do.
pub(super) async fn oversees(session: Session, request: Request, next: Next) -> Response {
    if session.oversees() {
        with_form(session, request, next).await
    } else {
        failure(StatusCode::FORBIDDEN, words::ONLY_OVERSEERS.to_owned())
    }
}

/// Lets only those pass who may change the settings.
pub(super) async fn may_set_up(session: Session, request: Request, next: Next) -> Response {
    if session.may_set_up() {
        with_form(session, request, next).await
    } else if session.oversees() {
        failure(StatusCode::FORBIDDEN, words::ONLY_LOOKING.to_owned())
    } else {
        failure(StatusCode::FORBIDDEN, words::ONLY_OWNERS.to_owned())
    }
}

/// Reads a form: its fields, and the form where its token is `csrf`. An error is the status of one
/// that cannot be read.
pub(super) async fn read(
    parts: &Parts,
    body: Body,
    csrf: &str,
    uploads: Option<Uploads<'_>>,
) -> Result<(Vec<(String, String)>, Option<Posted>), StatusCode> {
    let request = Request::from_parts(parts.clone(), body);
    let mut sent = fields(request, uploads).await?;
    // The database keeps a NUL in no text.
    if sent.iter().any(|(_, value)| value.contains('\0')) {
        return Err(StatusCode::BAD_REQUEST);
    }
    for (_, value) in &mut sent {
        // Browsers send a line break as CR LF; everybody else has LF.
        *value = value.replace("\r\n", "\n");
    }
    let posted = Posted::of(parts.uri.path(), &sent);
    let is_ours = !csrf.is_empty() && is_same_token(posted.field("csrf"), csrf);
    Ok((sent, is_ours.then_some(posted)))
}

/// The answer to a form that cannot be read.
pub(super) fn unreadable(status: StatusCode) -> Response {
    let sentence = match status {
        StatusCode::PAYLOAD_TOO_LARGE => words::FORM_TOO_LARGE,
        _ => words::FORM_UNREADABLE,
    };
    failure(status, sentence.to_owned())
}

/// Whether two form tokens are the same but for the person that they name, which tokens of earlier
/// versions do not, and but for their masks.
fn is_same_token(told: &str, csrf: &str) -> bool {
    let secret = |token: &str| unmasked(token.rsplit('.').next()?);
    match (secret(told), secret(csrf)) {
        (Some(told), Some(csrf)) => told.ct_eq(&csrf).into(),
        _ => false,
    }
}

/// Where a file goes that a form carries.
pub(super) struct Uploads<'a> {
    pub(super) app: &'a App,
    pub(super) user_id: UserId,
    pub(super) csrf: &'a str,
}

impl Uploads<'_> {
    /// Keeps the file, as its bytes come; gives its id, and nothing where none was chosen. The form's token stands before it, and
    /// is judged before anything is kept.
    async fn keep(
        &self,
        before: &[(String, String)],
        field: Field<'_>,
    ) -> Result<Option<String>, StatusCode> {
        let name = field.file_name().unwrap_or_default().to_owned();
        if name.is_empty() {
            return Ok(None);
        }
        let is_ours = before
            .iter()
            .any(|(name, value)| name == "csrf" && is_same_token(value, self.csrf));
        if !is_ours {
            return Err(StatusCode::BAD_REQUEST);
        }
        let once = before.iter().find(|(name, _)| name == "once");
        let about = (Some(name.as_str()), once.map(|(_, once)| once.as_str()));
        match accept(self.app, self.user_id, about, field.map_err(drop)).await {
            Ok((media_id, _)) => Ok(Some(media_id.to_string())),
            Err(problem) => Err(problem.kind().status()),
        }
    }
}

/// The fields of a form, of one with files too: such a field is what stands in the file. An error is
/// the status of a form that cannot be read, or is no text.
async fn fields(
    request: Request,
    uploads: Option<Uploads<'_>>,
) -> Result<Vec<(String, String)>, StatusCode> {
    let has_files = request
        .headers()
        .get(CONTENT_TYPE)
        .and_then(|media_type| media_type.to_str().ok())
        .is_some_and(|media_type| media_type.starts_with("multipart/form-data"));
    let too_large_or_bad = |status| match status {
        StatusCode::PAYLOAD_TOO_LARGE => StatusCode::PAYLOAD_TOO_LARGE,
        _ => StatusCode::BAD_REQUEST,
    };
    if !has_files {
        let form = Form::from_request(request, &()).await;
        let Form(sent) = form.map_err(|error| too_large_or_bad(error.into_response().status()))?;
        return Ok(sent);
    }
    let unreadable = |error: MultipartError| too_large_or_bad(error.status());
    let form = Multipart::from_request(request, &()).await;
    let mut form = form.map_err(|_| StatusCode::BAD_REQUEST)?;
    let mut sent = vec![];
    let mut bytes_left = MAX_FORM_BYTES;
    while let Some(mut field) = form.next_field().await.map_err(unreadable)? {
        let name = field.name().ok_or(StatusCode::BAD_REQUEST)?.to_owned();
        if name == UPLOAD {
            // Whoever is not signed in sends it again with the form.
            let Some(uploads) = &uploads else {
                break;
            };
            if let Some(media_id) = uploads.keep(&sent, field).await? {
                sent.retain(|(name, _)| name != MEDIA_ID);
                sent.push((MEDIA_ID.to_owned(), media_id));
            }
            continue;
        }
        let mut bytes = vec![];
        while let Some(part) = field.chunk().await.map_err(unreadable)? {
            bytes_left = bytes_left
                .checked_sub(part.len())
                .ok_or(StatusCode::PAYLOAD_TOO_LARGE)?;
            bytes.extend_from_slice(&part);
        }
        if name == MEDIA_ID && sent.iter().any(|(known, _)| known == MEDIA_ID) {
            continue;
        }
        let value = if name == KEY_FILE {
            private_key::form_text(&bytes)
        } else {
            String::from_utf8(bytes).map_err(|_| StatusCode::BAD_REQUEST)?
        };
        sent.push((name, value));
    }
    Ok(sent)
}

/// What the forms of a cookie's owner carry: only who knows the cookie can make it.
pub(super) fn csrf_of(cookie: &str) -> String {
    let mut mac =
        Hmac::<Sha256>::new_from_slice(cookie.as_bytes()).expect("HMAC takes a key of any length");
    mac.update(b"forms of the console");
    masked(mac.finalize().into_bytes().into())
}

/// A form's secret as a page carries it: never twice in the same form, since pages are compressed and
/// what does not change would show in their lengths (BREACH).
fn masked(secret: [u8; 32]) -> String {
    let mask = ambient::random_bytes::<32>();
    let hidden: Vec<u8> = secret
        .iter()
        .zip(mask)
        .map(|(byte, mask)| byte ^ mask)
        .collect();
    let [mask, hidden] = [&mask[..], &hidden].map(|bytes| URL_SAFE_NO_PAD.encode(bytes));
    format!("{mask}{hidden}")
}

fn unmasked(token: &str) -> Option<[u8; 32]> {
    let (mask, hidden) = token.split_at_checked(token.len() / 2)?;
    let bytes = |text: &str| <[u8; 32]>::try_from(URL_SAFE_NO_PAD.decode(text).ok()?).ok();
    let (mask, mut secret) = (bytes(mask)?, bytes(hidden)?);
    for (byte, mask) in secret.iter_mut().zip(mask) {
        *byte ^= mask;
    }
    Some(secret)
}

/// 256 random bits for a cookie.
pub(super) fn new_token() -> String {
    URL_SAFE_NO_PAD.encode(ambient::random_bytes::<32>())
}

/// The name under which a browser keeps a cookie of ours: where it is for https alone, a prefix has
/// browsers refuse one that anything but this host has set over https.
fn whole_name(name: &str) -> String {
    let prefix = match (site::is_secure(), site::base().as_str()) {
        (false, _) => "",
        (true, "") => "__Host-",
        (true, _) => "__Secure-",
    };
    format!("{prefix}{name}")
}

/// The value of a cookie.
pub(super) fn cookie(headers: &HeaderMap, name: &str) -> Option<String> {
    CookieJar::from_headers(headers)
        .get(&whole_name(name))
        .map(|cookie| cookie.value().to_owned())
}

/// Whether there is a cookie whose name begins so.
pub(super) fn has_cookie(headers: &HeaderMap, beginning: &str) -> bool {
    let beginning = whole_name(beginning);
    CookieJar::from_headers(headers)
        .iter()
        .any(|cookie| cookie.name().starts_with(&beginning))
}

/// A header that sets a cookie for so many seconds, or takes it away with 0. `value` is one of [`new_token`]'s, with letters, digits
/// and full stops beside it, or empty.
pub(super) fn set_cookie(name: &str, value: &str, max_age_seconds: i64) -> HeaderValue {
    let name = whole_name(name);
    let secure = if site::is_secure() { "; Secure" } else { "" };
    let base = site::base();
    let path = match base.as_str() {
        "" => "/",
        base => base,
    };
    let text = format!(
        "{name}={value}; Path={path}; Max-Age={max_age_seconds}; HttpOnly; SameSite=Lax{secure}"
    );
    HeaderValue::from_str(&text).expect("our cookies are plain ASCII")
}

async fn find(
    app: &App,
    headers: &HeaderMap,
    case: Option<Reference>,
) -> Result<Option<Session>, Problem> {
    match cookie(headers, COOKIE).filter(|token| !token.is_empty()) {
        Some(token) => about_case(app, &token, case).await,
        None => Ok(None),
    }
}

/// The session of the browser that asks for a file.
pub(super) async fn of_browser(app: &App, headers: &HeaderMap) -> Result<Option<Session>, Problem> {
    find(app, headers, None).await
}

/// The session of that token, where it counts.
pub(super) async fn of_token(app: &App, token: &str) -> Result<Option<Session>, Problem> {
    about_case(app, token, None).await
}

/// The same, of somebody who asks for that case.
async fn about_case(
    app: &App,
    token: &str,
    case: Option<Reference>,
) -> Result<Option<Session>, Problem> {
    let token_hash = hash_token(token);
    let now = (app.clock)();
    let Some(found) = sessions::find(&app.pool, token_hash, case, now).await? else {
        return Ok(None);
    };
    app.people
        .answer(&app.pool, found.users_state, &found.preferences)
        .await?;
    let idle = now - found.last_seen_at;
    if idle > TimeDelta::days(IDLE_DAYS) {
        return Ok(None);
    }
    if idle > TimeDelta::seconds(TOUCH_SECONDS) && !is_head() {
        note_use(app, found.session_id, now);
    }
    // Where all surveys are reached, a case that does not exist counts as reached.
    let is_reached = found.access.is_all()
        || found
            .survey_of_case
            .is_some_and(|survey_id| found.access.reaches(survey_id));
    let named = case.map(|case| (case, is_reached));
    Ok(Some(Session {
        named,
        id: found.session_id,
        user_id: found.user_id,
        email: found.email.0,
        name: found.name.map(|name| name.0),
        preferences: found.preferences,
        password_given: found.password_given,
        role: found.role,
        access: found.access,
        bar: Bar {
            section: "",
            unrouted: found.unrouted,
            health: found.needing_action,
        },
        // Forms name their owner, so that what they hold goes to nobody else.
        csrf: format!("{}.{}", found.user_id.0.simple(), csrf_of(token)),
        token_hash,
    }))
}

/// Notes that a session was used, beside the request: a database that takes no changes must not keep anybody from reading.
fn note_use(app: &App, session_id: Uuid, now: DateTime<Utc>) {
    let app = app.clone();
    tokio::spawn(async move {
        if let Err(error) = sessions::touch(&app.pool, session_id, now).await {
            app.ledger.watch().suspect(&error);
            debug!(%error, "that a session was used could not be noted");
        }
    });
}

/// The sign-in page, which leads back to where somebody wanted to go.
fn sign_in_for(method: &Method, uri: &Uri) -> String {
    let wanted = uri.path_and_query().map_or("/", |wanted| wanted.as_str());
    if method != Method::GET || wanted == "/" || wanted.starts_with("/live") {
        "/sign-in".to_owned()
    } else {
        place::with_query("/sign-in", &[("next", wanted)])
    }
}
