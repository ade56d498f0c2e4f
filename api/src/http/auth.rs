//! Who asks, and what they may: Bearer tokens, roles, and what a change is asked with.
//!
//! [`authenticate`] stands before every route of the API. A handler says who may call it in its signature: [`Reader`], [`Worker`],
//! [`Owner`], [`Overseer`] or [`WholeReader`], before the path and the query, which are not read before that; what changes takes [`Asks`] with one of
//! them besides. A token is looked up for every request, so
//! that one that is ended is of no use at once.

use std::marker::PhantomData;

use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, OriginalUri, Request, State};
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, TimeDelta, Utc};
use docket_domain::access::Access;
use docket_domain::ids::{Reference, TokenId, UserId};
use docket_domain::people::export::{self, Reading};
use docket_domain::user::Role;
use docket_domain::user::preferences::Preferences;
use docket_projections::accounts;
use docket_projections::ledger::operation::IdempotencyKey;
use docket_projections::log::recorded::Via;
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};
use tracing::debug;
use uuid::Uuid;

use super::cases::no_such_case;
use super::input;
use super::problem::{Kind, Problem};
use super::request_id::{RequestIds, is_head};
use crate::app::App;
use crate::audit::{LogReading, Look};
use crate::console;
use crate::operations::people::ViewCase;
use crate::operations::{Administrator, Asked};
use crate::people;
use crate::reach;
use crate::users::hash_token;

/// The longest idempotency key, in characters.
const MAX_KEY_CHARS: usize = 255;
/// That a token is used is noted at most so often, in seconds.
const TOUCH_SECONDS: i64 = 60;
/// The header that carries an idempotency key.
pub const IDEMPOTENCY_KEY: &str = "idempotency-key";

/// Somebody with a token that counts.
#[derive(Clone, Debug)]
pub struct Caller {
    /// The person.
    pub user_id: UserId,
    /// Their address.
    pub email: String,
    /// What they may do.
    pub role: Role,
    /// Which surveys' cases they reach.
    pub access: Access,
    /// The token; none where a page of the console asks.
    pub token_id: Option<TokenId>,
    token_hash: [u8; 32],
}

impl Caller {
    /// Who asks, in which request, for what changes nothing of theirs.
    pub fn asked(&self) -> Asked {
        Asked {
            user_id: self.user_id,
            email: self.email.clone(),
            access: self.access.clone(),
            via: Via::Api,
            token_id: self.token_id,
            request_id: RequestIds::current().map(Box::new),
            idempotency: None,
        }
    }

    /// Notes that they are shown a case.
    pub async fn looks(&self, app: &App, reference: Reference) {
        if is_head() {
            return;
        }
        let view = ViewCase {
            reference,
            token_id: self.token_id,
            at: (app.clock)(),
            asked: self.asked(),
        };
        app.audit
            .viewed(Look {
                view,
                is_refresh: false,
            })
            .await;
    }

    /// That they read the log, from one position to another.
    pub fn reading(&self, app: &App, how: Reading, from: i64, to: i64, events: i64) -> LogReading {
        LogReading {
            asked: self.asked(),
            via: export::Via::Api,
            how,
            from,
            to,
            events,
            at: (app.clock)(),
        }
    }

    /// Whether they may read what people do at Docket beside their work.
    pub const fn oversees(&self) -> bool {
        matches!(self.role, Role::Owner | Role::Auditor)
    }

    /// Whether the token still counts and its user may still do the same; for answers that go on for long.
    ///
    /// # Errors
    ///
    /// A problem where the database cannot be asked.
    pub async fn still_counts(&self, app: &App) -> Result<bool, Problem> {
        let account = accounts::by_token_hash(&app.pool, self.token_hash).await?;
        Ok(account
            .is_some_and(|account| account.role == self.role && account.access == self.access))
    }
}

/// Lets only those pass who bring a token that counts and reach the case that the path names, and adds the [`Caller`] to the
/// request.
pub async fn authenticate(State(app): State<App>, request: Request, next: Next) -> Response {
    let (mut parts, body) = request.into_parts();
    match caller(&app, &mut parts).await {
        Ok(caller) => {
            parts.extensions.insert(caller);
            next.run(Request::from_parts(parts, body)).await
        }
        Err(problem) => problem.into_response(),
    }
}

async fn caller(app: &App, parts: &mut Parts) -> Result<Caller, Problem> {
    people::came_from(&app.proxies, &parts.headers, &parts.extensions);
    let Some(token) = bearer(&parts.headers) else {
        return from_page(app, parts).await;
    };
    let token_hash = hash_token(token);
    let account = accounts::by_token_hash(&app.pool, token_hash).await?;
    let account = account.ok_or_else(Problem::wrong_token)?;
    app.people
        .answer(&app.pool, account.users_state, &Preferences::default())
        .await?;
    let now = (app.clock)();
    let is_noted = |at| now - at < TimeDelta::seconds(TOUCH_SECONDS);
    if !account.last_used_at.is_some_and(is_noted) && !is_head() {
        note_use(app, account.token_id, now);
    }
    if let Some(reference) = reach::named(parts).await
        && !reach::is_visible(&app.pool, &account.access, reference).await?
    {
        return Err(no_such_case(reference));
    }
    Ok(Caller {
        user_id: account.user_id,
        email: account.email.0,
        role: account.role,
        access: account.access,
        token_id: Some(account.token_id),
        token_hash,
    })
}

/// Somebody whose page of the console asks for a file that it shows. Nothing else is answered without a token.
async fn from_page(app: &App, parts: &Parts) -> Result<Caller, Problem> {
    let is_file = parts
        .extensions
        .get::<OriginalUri>()
        .is_some_and(|uri| uri.path().contains("/api/v1/media/"));
    let reads = matches!(parts.method, Method::GET | Method::HEAD);
    if !is_file || !reads || parts.headers.contains_key(AUTHORIZATION) {
        return Err(Problem::without_token());
    }
    let session = console::session_of(app, &parts.headers).await?;
    let session = session.ok_or_else(Problem::without_token)?;
    Ok(Caller {
        user_id: session.user_id,
        email: session.email,
        role: session.role,
        access: session.access,
        token_id: None,
        token_hash: session.token_hash,
    })
}

/// Notes that a token was used, beside the request: a database that takes no changes must not keep anybody from reading.
fn note_use(app: &App, token_id: TokenId, now: DateTime<Utc>) {
    let app = app.clone();
    tokio::spawn(async move {
        if let Err(error) = accounts::touch_token(&app.pool, token_id, now).await {
            app.ledger.watch().suspect(&error);
            debug!(%error, "that a token was used could not be noted");
        }
    });
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// What a role must be for a call.
pub trait Permission: Send + Sync + 'static {
    /// Who may, in words.
    const WHO: &'static str;

    /// Whether that role may.
    fn allows(role: Role) -> bool;
}

macro_rules! permissions {
    ($($(#[$doc:meta])* $name:ident = $who:literal, $($role:ident)|+;)+) => {$(
        $(#[$doc])*
        #[derive(Clone, Debug)]
        pub struct $name(pub Caller);

        impl Permission for $name {
            const WHO: &'static str = $who;

            fn allows(role: Role) -> bool {
                matches!(role, $(Role::$role)|+)
            }
        }

        impl<S: Send + Sync> FromRequestParts<S> for $name {
            type Rejection = Problem;

            async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
                let caller = permitted::<Self>(parts)?;
                parts.extensions.insert(Permitted);
                Ok(Self(caller))
            }
        }
    )+};
}

permissions! {
    /// Whoever has a token: everybody reads everything about cases.
    Reader = "anybody with a token", Owner | Agent | Auditor;
    /// Whoever works on cases.
    Worker = "agents and owners", Owner | Agent;
    /// Whoever sets the server up and manages users.
    Owner = "owners", Owner;
    /// Whoever sees what people do: auditors read it, and owners answer for it.
    Overseer = "auditors and owners", Owner | Auditor;
}

/// Whoever has a token and reaches the cases of all surveys: what holds something of every case is read by nobody else.
#[derive(Clone, Debug)]
pub struct WholeReader(pub Caller);

impl<S: Send + Sync> FromRequestParts<S> for WholeReader {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let caller = permitted::<Reader>(parts)?;
        if !caller.access.is_all() {
            return Err(Problem::new(
                Kind::Forbidden,
                "this holds something of every survey, and you reach only some of them",
            ));
        }
        parts.extensions.insert(Permitted);
        Ok(Self(caller))
    }
}

/// That somebody who may do so makes the request. [`input::Path`] and [`input::Query`] are not read without it, so that whoever may not
/// ask learns nothing of what is wrong with the question.
#[derive(Clone, Copy)]
pub(super) struct Permitted;

fn permitted<P: Permission>(parts: &Parts) -> Result<Caller, Problem> {
    // A route that forgot to stand behind `authenticate` is closed to everybody.
    let caller = parts
        .extensions
        .get::<Caller>()
        .ok_or_else(Problem::without_token)?;
    if P::allows(caller.role) {
        Ok(caller.clone())
    } else {
        let detail = format!(
            "this is for {}; you are an {}",
            P::WHO,
            caller.role.as_str()
        );
        Err(Problem::new(Kind::Forbidden, detail))
    }
}

/// A change that somebody asks for who may, with the body of the request.
#[derive(Debug)]
pub struct Asks<P, T> {
    /// Who asks, in which request, and with which idempotency key.
    pub asked: Asked,
    /// The same, with role and token.
    pub caller: Caller,
    /// What is asked.
    pub body: T,
    permission: PhantomData<fn() -> P>,
}

impl<P, T> Asks<P, T> {
    /// Who asks, for changes of settings and accounts.
    pub fn by(&self) -> Administrator {
        Administrator::User(self.asked.clone())
    }

    /// An id for what the request makes: the same one whenever the request is repeated with its idempotency key. Keys are forgotten
    /// in time, and one that is used again for something else then makes something else.
    ///
    /// The id tells nothing of the body only if [`fingerprint_of`](Self::fingerprint_of) was asked before, where the body holds a
    /// secret.
    pub fn id(&self, app: &App) -> Uuid {
        self.asked
            .idempotency
            .as_ref()
            .map_or_else(app.new_id, made_id)
    }

    /// Lets the idempotency key stand for `what` in place of the whole body, part of which is a secret that must not be guessed
    /// from a hash.
    pub fn fingerprint_of(&mut self, method: &Method, path: &str, what: &[&str]) {
        if let Some(key) = &mut self.asked.idempotency {
            let parts: Vec<&[u8]> = what.iter().map(|part| part.as_bytes()).collect();
            key.fingerprint = fingerprint(method, path, &parts);
        }
    }
}

impl<P: Permission, T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Asks<P, T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let (parts, body) = request.into_parts();
        let caller = permitted::<P>(&parts)?;
        let key = idempotency_key(&parts.headers)?;
        let path = parts
            .extensions
            .get::<OriginalUri>()
            .map_or_else(|| parts.uri.path().to_owned(), |uri| uri.path().to_owned());
        let method = parts.method.clone();
        let headers = parts.headers.clone();
        let body = Bytes::from_request(Request::from_parts(parts, body), state)
            .await
            .map_err(|rejection| input::incomplete(&rejection))?;
        let idempotency = key.map(|key| IdempotencyKey {
            actor: caller.user_id.0,
            key,
            fingerprint: fingerprint(&method, &path, &[&body]),
        });
        let asked = Asked {
            idempotency,
            ..caller.asked()
        };
        Ok(Self {
            asked,
            caller,
            body: input::json(&headers, &body)?,
            permission: PhantomData,
        })
    }
}

/// Of the person, the key, and what is asked: method, path and body.
fn made_id(key: &IdempotencyKey) -> Uuid {
    // The fingerprint comes first, for it has one length.
    let name = [&key.fingerprint, key.key.as_bytes()].concat();
    Uuid::new_v5(&key.actor, &name)
}

/// The idempotency key of a request, where it has one.
pub(super) fn idempotency_key(headers: &HeaderMap) -> Result<Option<String>, Problem> {
    let mut keys = headers.get_all(IDEMPOTENCY_KEY).iter();
    let (first, second) = (keys.next(), keys.next());
    let Some(first) = first else {
        return Ok(None);
    };
    let key = first.to_str().ok().filter(|key| {
        (1..=MAX_KEY_CHARS).contains(&key.len()) && key.bytes().all(|byte| byte.is_ascii_graphic())
    });
    match (key, second) {
        (Some(key), None) => Ok(Some(key.to_owned())),
        _ => Err(Problem::new(
            Kind::InvalidHeader,
            format!(
                "Idempotency-Key must be given once, with 1 to {MAX_KEY_CHARS} visible ASCII characters and no spaces"
            ),
        )),
    }
}

/// SHA-256 of method, path and the parts of what is asked, each with its length, so that none runs into the next.
fn fingerprint(method: &Method, path: &str, parts: &[&[u8]]) -> [u8; 32] {
    let mut hash = Sha256::new();
    for part in [method.as_str().as_bytes(), path.as_bytes()]
        .iter()
        .chain(parts)
    {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    hash.finalize().into()
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn the_scheme_is_bearer_in_any_case() {
        let header =
            |value| HeaderMap::from_iter([(AUTHORIZATION, HeaderValue::from_static(value))]);
        assert_eq!(bearer(&header("Bearer docket_x")), Some("docket_x"));
        assert_eq!(bearer(&header("bearer docket_x")), Some("docket_x"));
        assert_eq!(bearer(&header("Basic docket_x")), None);
        assert_eq!(bearer(&header("docket_x")), None);
    }

    #[test]
    fn roles_may_what_they_may() {
        let may = |allows: fn(Role) -> bool| [Role::Owner, Role::Agent, Role::Auditor].map(allows);
        assert_eq!(may(Reader::allows), [true, true, true]);
        assert_eq!(may(Worker::allows), [true, true, false]);
        assert_eq!(may(Owner::allows), [true, false, false]);
        assert_eq!(may(Overseer::allows), [true, false, true]);
    }

    #[test]
    fn idempotency_keys_are_short_and_visible() {
        let header = |value: &str| {
            HeaderMap::from_iter([(
                axum::http::HeaderName::from_static(IDEMPOTENCY_KEY),
                HeaderValue::from_bytes(value.as_bytes()).unwrap(),
            )])
        };
        assert_eq!(idempotency_key(&HeaderMap::new()).unwrap(), None);
        assert_eq!(
            idempotency_key(&header("a-1")).unwrap().as_deref(),
            Some("a-1")
        );
        for wrong in ["", "two words", "é", &"x".repeat(256)] {
            assert_eq!(
                idempotency_key(&header(wrong)).unwrap_err().kind(),
                Kind::InvalidHeader
            );
        }
    }

    #[test]
    fn what_a_request_makes_is_told_apart_by_what_it_asks() {
        let id = |actor: u128, key: &str, method, path| {
            made_id(&IdempotencyKey {
                actor: Uuid::from_u128(actor),
                key: key.to_owned(),
                fingerprint: fingerprint(&method, path, &[b"{}"]),
            })
        };
        let one = id(1, "a", Method::POST, "/users");
        assert_eq!(one, id(1, "a", Method::POST, "/users"));
        for other in [
            id(2, "a", Method::POST, "/users"),
            id(1, "b", Method::POST, "/users"),
            id(1, "a", Method::PUT, "/users"),
            id(1, "a", Method::POST, "/tokens"),
        ] {
            assert_ne!(one, other);
        }
    }

    #[test]
    fn a_fingerprint_tells_requests_apart() {
        let one = fingerprint(&Method::POST, "/a", &[b"bc"]);
        assert_eq!(one, fingerprint(&Method::POST, "/a", &[b"bc"]));
        for other in [
            fingerprint(&Method::PUT, "/a", &[b"bc"]),
            fingerprint(&Method::POST, "/ab", &[b"c"]),
            fingerprint(&Method::POST, "/a", &[b"b", b"c"]),
        ] {
            assert_ne!(one, other);
        }
    }
}
