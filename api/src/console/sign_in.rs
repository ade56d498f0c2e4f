//! Signing in and out, and a person's sessions.

use std::sync::OnceLock;

use axum::extract::{Path, Query, Request, State};
use axum::http::header::{RETRY_AFTER, SET_COOKIE, USER_AGENT};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{AppendHeaders, IntoResponse, Response};
use chrono::{DateTime, TimeDelta, Utc};
use docket_domain::access::Access;
use docket_domain::ids::{SessionId, UserId};
use docket_domain::people::attempts::Refusal;
use docket_domain::people::session::SignOut;
use docket_domain::user::{Role, normalise_email};
use docket_projections::log::recorded::Via;
use docket_projections::{accounts, sessions};
use secrecy::SecretString;
use serde::Deserialize;
use tracing::info;
use uuid::Uuid;

use super::device::Device;
use super::pages::{self, Elsewhere, Frame, SessionView, When};
use super::session::{self, COOKIE, FORM_COOKIE, MAX_DAYS, Posted, Session};
use super::throttle::{Key, Throttle};
use super::unsent::{self, Outcome, Unsent};
use super::{Console, Failed, device, failure, go, page, place, settings, words};
use crate::ambient;
use crate::app::App;
use crate::audit::Attempt;
use crate::http::request_id::RequestIds;
use crate::operations::Asked;
use crate::operations::people::{BeginSession, EndSessions};
use crate::passwords::{self, Lane};
use crate::people;
use crate::site::{self, HttpsAddress};
use crate::users::hash_token;

/// A sign-in form can be sent for so long.
const FORM_SECONDS: i64 = 3_600;

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Wanted {
    /// Where to go when signed in.
    next: String,
}

/// The sign-in page.
pub(super) async fn form(Query(wanted): Query<Wanted>, headers: HeaderMap) -> Response {
    let form = Form {
        next: wanted.next,
        ..Form::default()
    };
    show(&headers, StatusCode::OK, form)
}

/// The sign-in page for somebody whose session ended before their form was sent.
pub(super) fn with_unsent(headers: &HeaderMap, unsent: &Unsent) -> Response {
    let form = Form {
        refusal: words::UNSENT_SIGN_IN,
        unsent: unsent.carried(),
        ..Form::default()
    };
    show(headers, StatusCode::UNAUTHORIZED, form)
}

/// What the sign-in form holds.
#[derive(Default)]
struct Form {
    /// Where to go when signed in.
    next: String,
    email: String,
    refusal: &'static str,
    /// A form that waits to be sent.
    unsent: String,
    /// Where to sign in instead; else where the site says so.
    elsewhere: Option<HttpsAddress>,
}

impl Form {
    /// The form as it was sent, with why it is shown again.
    fn again(fields: &[(String, String)], headers: &HeaderMap, refusal: &'static str) -> Self {
        let field = |name: &str| {
            let found = fields.iter().find(|(other, _)| other == name);
            found.map_or("", |(_, value)| value.as_str())
        };
        let unsent = Unsent::read(field(unsent::FIELD), headers);
        Self {
            next: field("next").to_owned(),
            email: field("email").to_owned(),
            refusal,
            unsent: unsent.map_or_else(String::new, |unsent| unsent.carried()),
            elsewhere: None,
        }
    }
}

fn show(headers: &HeaderMap, status: StatusCode, form: Form) -> Response {
    // The cookie of an open form is kept, so that forms in two windows are both good.
    let token = session::cookie(headers, FORM_COOKIE)
        .filter(|token| {
            token.len() >= 32
                && token
                    .bytes()
                    .all(|byte| byte.is_ascii_graphic() && byte != b';')
        })
        .unwrap_or_else(session::new_token);
    let template = pages::SignIn {
        csrf: session::csrf_of(&token),
        next: form.next,
        email: form.email,
        refusal: form.refusal.to_owned(),
        elsewhere: form
            .elsewhere
            .or_else(site::https_address)
            .map(|address| Elsewhere::of(&address)),
        unsent: form.unsent,
    };
    let cookie = session::set_cookie(FORM_COOKIE, &token, FORM_SECONDS);
    let mut answer = ([(SET_COOKIE, cookie)], page(status, &template)).into_response();
    if status == StatusCode::TOO_MANY_REQUESTS {
        let seconds = if form.refusal == words::SIGN_IN_BUSY {
            "2"
        } else {
            "60"
        };
        let headers = answer.headers_mut();
        headers.insert(RETRY_AFTER, HeaderValue::from_static(seconds));
    }
    answer
}

/// Signs somebody in.
pub(super) async fn sign_in(State(console): State<Console>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let headers = &parts.headers;
    let form_token = session::cookie(headers, FORM_COOKIE);
    let has_cookie = form_token.is_some();
    let csrf = form_token.map_or_else(String::new, |token| session::csrf_of(&token));
    let app = &console.app;
    let (fields, posted) = match session::read(&parts, body, &csrf, None).await {
        Ok(read) => read,
        Err(status) => return session::unreadable(status),
    };
    let Some(posted) = posted else {
        let mut form = Form::again(&fields, headers, words::SIGN_IN_COOKIES);
        if !has_cookie && let Some(address) = site::https_address_without_cookie() {
            form.refusal = "";
            form.elsewhere = Some(address);
        }
        return show(headers, StatusCode::FORBIDDEN, form);
    };
    people::came_from(&app.proxies, headers, &parts.extensions);
    let client = app.proxies.client_of(headers, &parts.extensions);
    let from = client.map(|client| client.to_string());
    let place = client.and_then(|client| client.place());
    let checked = match check(&console, &posted, headers, place).await {
        Ok(checked) => checked,
        Err(failed) => {
            let form = Form::again(&fields, headers, words::SIGN_IN_UNAVAILABLE);
            return show(headers, failed.into_response().status(), form);
        }
    };
    match checked {
        Checked::Good(who) => match begin(app, who, from, &posted, headers).await {
            Ok(answer) => answer,
            Err(failed) => {
                let form = Form::again(&fields, headers, words::SIGN_IN_UNAVAILABLE);
                show(headers, failed.into_response().status(), form)
            }
        },
        Checked::Busy => {
            let form = Form::again(&fields, headers, words::SIGN_IN_BUSY);
            show(headers, StatusCode::TOO_MANY_REQUESTS, form)
        }
        Checked::Not(why, user_id) => {
            let (status, refusal) = match why {
                Refusal::TooOften => (StatusCode::TOO_MANY_REQUESTS, words::SIGN_IN_TOO_OFTEN),
                Refusal::Wrong => (StatusCode::UNAUTHORIZED, words::SIGN_IN_WRONG),
            };
            app.audit.failed(Attempt {
                email: posted.field("email").to_owned(),
                user_id,
                from,
                why,
                at: (app.clock)(),
                request_id: RequestIds::current(),
            });
            show(headers, status, Form::again(&fields, headers, refusal))
        }
    }
}

enum Checked {
    /// Who signs in.
    Good(Good),
    /// Too many sign in at once.
    Busy,
    /// Why not, and whose address it is, where that is known.
    Not(Refusal, Option<UserId>),
}

/// Whose password was right.
struct Good {
    asked: Asked,
    /// What they may do.
    role: Role,
    /// What the password was compared with.
    password_hash: String,
}

/// How an attempt is counted, and where it waits.
struct Counted<'a> {
    lane: &'a Lane,
    /// With whom it shares its part of the lane.
    origin: String,
    /// What counts attempts at the account.
    account: Vec<Key>,
    place: Option<Key>,
}

impl<'a> Counted<'a> {
    /// In a browser that is known: by itself, however many wrong passwords others try for the
    /// account, or from the same place.
    fn known(throttle: &'a Throttle, device: Device) -> Self {
        Self {
            lane: &throttle.known,
            origin: device.name().to_owned(),
            account: vec![Key::Device(device)],
            place: None,
        }
    }

    fn stranger(throttle: &'a Throttle, email: String, place: Option<String>) -> Self {
        Self {
            lane: &throttle.strangers,
            // Where nothing tells places apart, accounts do.
            origin: place.as_ref().unwrap_or(&email).clone(),
            account: match &place {
                Some(place) => vec![
                    Key::AccountAt(email.clone(), place.clone()),
                    Key::AccountEverywhere(email),
                ],
                None => vec![Key::Account(email)],
            },
            place: place.map(Key::Place),
        }
    }

    fn keys(&self) -> impl Iterator<Item = &Key> {
        self.place.iter().chain(&self.account)
    }

    /// Counts it, unless there were too many.
    fn takes(&self, throttle: &Throttle, now: DateTime<Utc>) -> bool {
        self.keys().all(|key| throttle.takes(key.clone(), now))
    }

    /// Nothing was looked at, so nothing counts.
    fn give_back(&self, throttle: &Throttle) {
        self.keys().for_each(|key| throttle.give_back(key));
    }

    /// The attempt was good: those at the account before it are forgotten.
    fn forgive(&self, throttle: &Throttle) {
        self.account.iter().for_each(|key| throttle.forgive(key));
    }
}

/// Checks the password of a form that came from `place`.
async fn check(
    console: &Console,
    posted: &Posted,
    headers: &HeaderMap,
    place: Option<String>,
) -> Result<Checked, Failed> {
    let now = (console.app.clock)();
    let email = normalise_email(posted.field("email"));
    let find = async || match &email {
        Some(email) => accounts::password_hash(&console.app.pool, email).await,
        None => Ok(None),
    };
    let throttle = &console.throttle;
    let typed = email.clone().unwrap_or_default();
    let mut counted = Counted::stranger(throttle, typed, place);
    let mut known = None;
    if device::is_claimed(headers) {
        let Ok(_turn) = throttle.claims.turn(&counted.origin).await else {
            return Ok(Checked::Busy);
        };
        known = find().await?;
        let device = known
            .as_ref()
            .and_then(|known| device::find(headers, known.user_id, &known.password_hash));
        if let Some(device) = device {
            counted = Counted::known(throttle, device);
        }
    }
    if !counted.takes(throttle, now) {
        info!("an attempt to sign in was one of too many");
        return Ok(Checked::Not(Refusal::TooOften, None));
    }
    let password = posted.field("password");
    if passwords::is_too_long(password) {
        return Ok(Checked::Not(Refusal::Wrong, None));
    }
    // Before the database is asked: who is turned away costs it nothing.
    let Ok(turn) = counted.lane.turn(&counted.origin).await else {
        counted.give_back(throttle);
        return Ok(Checked::Busy);
    };
    if known.is_none() {
        known = find().await?;
    }
    let password = SecretString::from(password);
    // Who is not known is answered as late as who is, so that nobody learns who has an account.
    let (known, hash) = match known {
        Some(known) => (Some((known.user_id, known.role)), known.password_hash),
        None => (None, nobodys_hash().await),
    };
    let is_right = passwords::verify(password, hash.clone(), turn).await;
    match (is_right, known) {
        (true, Some((user_id, role))) => {
            counted.forgive(throttle);
            let asked = Asked {
                user_id,
                email: email.unwrap_or_default(),
                // Signing in concerns no case.
                access: Access::from(Some(vec![])),
                via: Via::Console,
                token_id: None,
                request_id: RequestIds::current().map(Box::new),
                idempotency: None,
            };
            Ok(Checked::Good(Good {
                asked,
                role,
                password_hash: hash,
            }))
        }
        (_, known) => Ok(Checked::Not(
            Refusal::Wrong,
            known.map(|(user_id, _)| user_id),
        )),
    }
}

/// The hash of a password that nobody knows.
async fn nobodys_hash() -> String {
    static HASH: OnceLock<String> = OnceLock::new();
    if let Some(hash) = HASH.get() {
        return hash.clone();
    }
    let password = hex::encode(ambient::random_bytes::<16>());
    // Where it cannot be hashed, it is compared with nothing, which is quicker and still wrong.
    let Ok(hash) = passwords::hash(password.into()).await else {
        return String::new();
    };
    HASH.get_or_init(|| hash).clone()
}

async fn begin(
    app: &App,
    who: Good,
    from: Option<String>,
    posted: &Posted,
    headers: &HeaderMap,
) -> Result<Response, Failed> {
    let now = (app.clock)();
    let user_id = who.asked.user_id;
    let token = session::new_token();
    let device = device::set_cookie(who.asked.user_id, &who.password_hash);
    let browser = headers
        .get(USER_AGENT)
        .and_then(|agent| agent.to_str().ok())
        .map_or_else(|| words::BROWSER_UNKNOWN.to_owned(), words::browser);
    let new = BeginSession {
        session_id: SessionId((app.new_id)()),
        token_hash: hash_token(&token),
        password_hash: who.password_hash,
        browser,
        from,
        created_at: now,
        expires_at: now + TimeDelta::days(MAX_DAYS),
        asked: who.asked,
    };
    sessions::remove_expired(&app.pool, now).await?;
    // The session and the event that says so are one: nobody is signed in without it.
    app.ledger.submit(new).await?;
    let next = posted.field("next");
    let next = if place::is_ours(next) && next != "/" {
        next
    } else {
        settings::beginning(app, who.role, device::is_of(headers, user_id)).await?
    };
    let cookies = AppendHeaders([
        (
            SET_COOKIE,
            session::set_cookie(COOKIE, &token, MAX_DAYS * 24 * 3_600),
        ),
        (SET_COOKIE, session::set_cookie(FORM_COOKIE, "", 0)),
        (SET_COOKIE, device),
    ]);
    let mut answer = (cookies, go(next)).into_response();
    // Another person who signs in gets nothing of it.
    let unsent = Unsent::read(posted.field(unsent::FIELD), headers);
    if let Some(unsent) = unsent.filter(|unsent| unsent.is_of(user_id))
        && let Some(session) = session::of_token(app, &token).await?
    {
        answer.extensions_mut().insert(Outcome::Restore {
            session: Box::new(session),
            unsent,
            sentence: words::UNSENT_RESTORED,
        });
    }
    Ok(answer)
}

fn signed_out() -> Response {
    let cookie = session::set_cookie(COOKIE, "", 0);
    ([(SET_COOKIE, cookie)], go("/sign-in")).into_response()
}

/// Ends sessions of this person's, with the events that say so.
async fn end(app: &App, session: &Session, ended: Vec<Uuid>, how: SignOut) -> Result<(), Failed> {
    let operation = EndSessions {
        sessions: ended.into_iter().map(SessionId).collect(),
        how,
        asked: session.asked(),
    };
    app.ledger.submit(operation).await?;
    Ok(())
}

/// Ends this session.
pub(super) async fn sign_out(
    State(Console { app, .. }): State<Console>,
    session: Session,
    _: Posted,
) -> Result<Response, Failed> {
    end(&app, &session, vec![session.id], SignOut::Here).await?;
    Ok(signed_out())
}

/// Ends all sessions of this person.
pub(super) async fn sign_out_everywhere(
    State(Console { app, .. }): State<Console>,
    session: Session,
    _: Posted,
) -> Result<Response, Failed> {
    let now = (app.clock)();
    let all = sessions::of_user(&app.pool, session.user_id, now).await?;
    let all = all.into_iter().map(|row| row.session_id).collect();
    end(&app, &session, all, SignOut::Everywhere).await?;
    // One that began in between has no place in the list.
    sessions::end_all(&app.pool, session.user_id).await?;
    Ok(signed_out())
}

/// This person's sessions.
pub(super) async fn sessions(
    State(Console { app, .. }): State<Console>,
    session: Session,
) -> Result<Response, Failed> {
    let now = (app.clock)();
    let rows = sessions::of_user(&app.pool, session.user_id, now).await?;
    let rows = rows
        .into_iter()
        .map(|row| SessionView {
            action: format!("/sessions/{}/end", row.session_id),
            label: row.label,
            began: When::of(row.created_at, now),
            seen: When::of(row.last_seen_at, now),
            is_this: row.session_id == session.id,
        })
        .collect();
    let template = pages::Sessions {
        frame: Frame::of(&app, &session),
        rows,
    };
    Ok(page(StatusCode::OK, &template))
}

/// Ends one session of this person.
pub(super) async fn end_session(
    State(Console { app, .. }): State<Console>,
    Path(session_id): Path<String>,
    session: Session,
    _: Posted,
) -> Result<Response, Failed> {
    let now = (app.clock)();
    let all = sessions::of_user(&app.pool, session.user_id, now).await?;
    let ended = session_id
        .parse::<Uuid>()
        .ok()
        .filter(|id| all.iter().any(|row| row.session_id == *id));
    let Some(ended) = ended else {
        return Ok(failure(
            StatusCode::NOT_FOUND,
            words::NO_SUCH_SESSION.to_owned(),
        ));
    };
    let how = if ended == session.id {
        SignOut::Here
    } else {
        SignOut::Elsewhere
    };
    end(&app, &session, vec![ended], how).await?;
    Ok(go("/sessions"))
}
