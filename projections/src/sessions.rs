//! Who is signed in at the console.
//!
//! Sessions stand beside the log; that one was begun or ended is an event of its own, recorded in the same transaction. One counts
//! until it expires, is ended, or its user is removed; what its user may do is asked anew every time.

use chrono::{DateTime, Utc};
use docket_domain::access::Access;
use docket_domain::ids::{Reference, SurveyId, UserId};
use docket_domain::personal::Personal;
use docket_domain::user::Role;
use docket_domain::user::preferences::Preferences;
use sqlx::PgExecutor;
use sqlx::types::Json;
use uuid::Uuid;

use crate::read::rows::Row;
use crate::read::users::reach;

/// At most so much is counted of what waits for somebody.
pub const MAX_WAITING: i64 = 100;

/// A session to be begun.
#[derive(Clone, Debug)]
pub struct NewSession<'a> {
    /// A fresh id.
    pub session_id: Uuid,
    /// The SHA-256 of the token that the browser keeps.
    pub token_hash: [u8; 32],
    /// Whose it is.
    pub user_id: UserId,
    /// The hash that their password was compared with.
    pub password_hash: &'a str,
    /// The browser in a few words.
    pub label: &'a str,
    /// When it begins.
    pub created_at: DateTime<Utc>,
    /// When it ends at the latest.
    pub expires_at: DateTime<Utc>,
}

/// A session that counts, with its user as they are now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedIn {
    /// The session.
    pub session_id: Uuid,
    /// Whose it is.
    pub user_id: UserId,
    /// Their address.
    pub email: Personal<String>,
    /// What colleagues call them.
    pub name: Option<Personal<String>>,
    /// How they want the console to be.
    pub preferences: Preferences,
    /// Whether somebody else set their password.
    pub password_given: bool,
    /// How many events all users have: another number than before says that some user has changed.
    pub users_state: i64,
    /// What they may do.
    pub role: Role,
    /// Which surveys' cases they reach.
    pub access: Access,
    /// When it was last used, to about a minute.
    pub last_seen_at: DateTime<Utc>,
    /// The survey of the case that was asked about, where there is such a case.
    pub survey_of_case: Option<SurveyId>,
    /// How many webhooks wait to be routed, counted to [`MAX_WAITING`]; 0 for an agent.
    pub unrouted: usize,
    /// How many cases have a reply that failed and how many lines stand still, counted to [`MAX_WAITING`] each; 0 for an agent.
    pub needing_action: usize,
}

/// A session as its owner's list shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionRow {
    /// The session.
    pub session_id: Uuid,
    /// The browser in a few words.
    pub label: String,
    /// When it began.
    pub created_at: DateTime<Utc>,
    /// When it was last used, to about a minute.
    pub last_seen_at: DateTime<Utc>,
}

/// Begins a session, if the password is still the one that was compared.
///
/// Its row is locked meanwhile: whoever changes the password waits, and then ends this session with the others.
///
/// # Errors
///
/// The database's error, a unique violation where the id or the token is there already; [`sqlx::Error::RowNotFound`] where the
/// password is another by now.
pub async fn add(
    executor: impl PgExecutor<'_>,
    session: &NewSession<'_>,
) -> Result<(), sqlx::Error> {
    sqlx::query_scalar!(
        "INSERT INTO sessions (session_id, token_hash, user_id, label, created_at, last_seen_at, expires_at)
         SELECT $1, $2, user_id, $4, $5, $5, $6 FROM credentials WHERE user_id = $3 AND password_hash = $7 FOR SHARE
         RETURNING session_id",
        session.session_id,
        &session.token_hash[..],
        session.user_id.0,
        session.label,
        session.created_at,
        session.expires_at,
        session.password_hash,
    )
    .fetch_one(executor)
    .await
    .map(drop)
}

/// The session of the token with that SHA-256, and the survey of the case that it is about; `None` where there is none that counts at
/// `now`.
///
/// # Errors
///
/// The database's error, or a [`RowError`](crate::read::rows::RowError) as [`sqlx::Error::Decode`].
pub async fn find(
    executor: impl PgExecutor<'_>,
    token_hash: [u8; 32],
    case: Option<Reference>,
    now: DateTime<Utc>,
) -> Result<Option<SignedIn>, sqlx::Error> {
    let found = sqlx::query!(
        r#"SELECT sessions.session_id, sessions.last_seen_at, users.user_id, users.email, users.role, users.surveys, users.name,
                  users.preferences AS "preferences: Json<Preferences>", users.password_given,
                  (SELECT coalesce(sum(version), 0)::bigint FROM users) AS "users_state!",
                  (SELECT survey_id FROM cases WHERE reference = $3) AS "survey_of_case?",
                  CASE WHEN users.role = 'agent' THEN 0 ELSE (
                      SELECT count(*) FROM (SELECT FROM unrouted WHERE routed_at IS NULL LIMIT $4) u
                  ) END AS "unrouted!",
                  CASE WHEN users.role = 'agent' THEN 0 ELSE (
                      SELECT count(*) FROM (SELECT FROM cases c WHERE c.failed AND is_last_reply_failed(c.reference) LIMIT $4) c
                  ) + (
                      SELECT count(*) FROM (SELECT FROM lines WHERE halted IS NOT NULL AND NOT removed LIMIT $4) l
                  ) END AS "needing_action!"
         FROM sessions
         JOIN users ON users.user_id = sessions.user_id
         WHERE sessions.token_hash = $1 AND sessions.expires_at > $2 AND NOT users.removed"#,
        &token_hash[..],
        now,
        case.map(Reference::as_i32),
        MAX_WAITING,
    )
    .fetch_optional(executor)
    .await?;
    let Some(found) = found else {
        return Ok(None);
    };
    let known = Row {
        table: "users",
        key: found.user_id,
    };
    let role = known.some("role", Role::from_name(&found.role))?;
    Ok(Some(SignedIn {
        session_id: found.session_id,
        user_id: UserId(found.user_id),
        email: Personal(found.email),
        name: found.name.map(Personal),
        preferences: found.preferences.0,
        password_given: found.password_given,
        users_state: found.users_state,
        role,
        access: reach(role, found.surveys),
        last_seen_at: found.last_seen_at,
        survey_of_case: found.survey_of_case.map(SurveyId),
        unrouted: usize::try_from(found.unrouted).unwrap_or_default(),
        needing_action: usize::try_from(found.needing_action).unwrap_or_default(),
    }))
}

/// Notes that a session was used.
///
/// # Errors
///
/// The database's error.
pub async fn touch(
    executor: impl PgExecutor<'_>,
    session_id: Uuid,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "UPDATE sessions SET last_seen_at = $2 WHERE session_id = $1",
        session_id,
        now,
    )
    .execute(executor)
    .await?;
    Ok(())
}

/// A user's sessions that count at `now`, those used last first.
///
/// # Errors
///
/// The database's error.
pub async fn of_user(
    executor: impl PgExecutor<'_>,
    user_id: UserId,
    now: DateTime<Utc>,
) -> Result<Vec<SessionRow>, sqlx::Error> {
    sqlx::query_as!(
        SessionRow,
        "SELECT session_id, label, created_at, last_seen_at
         FROM sessions
         WHERE user_id = $1 AND expires_at > $2
         ORDER BY last_seen_at DESC, session_id",
        user_id.0,
        now,
    )
    .fetch_all(executor)
    .await
}

/// Ends a session of that user's; says whether there was one.
///
/// # Errors
///
/// The database's error.
pub async fn end(
    executor: impl PgExecutor<'_>,
    user_id: UserId,
    session_id: Uuid,
) -> Result<bool, sqlx::Error> {
    let done = sqlx::query!(
        "DELETE FROM sessions WHERE session_id = $1 AND user_id = $2",
        session_id,
        user_id.0,
    )
    .execute(executor)
    .await?;
    Ok(done.rows_affected() > 0)
}

/// Ends all sessions of a user.
///
/// # Errors
///
/// The database's error.
pub async fn end_all(executor: impl PgExecutor<'_>, user_id: UserId) -> Result<(), sqlx::Error> {
    sqlx::query!("DELETE FROM sessions WHERE user_id = $1", user_id.0)
        .execute(executor)
        .await?;
    Ok(())
}

/// Ends all sessions of a user, or all but one of them.
///
/// # Errors
///
/// The database's error.
pub async fn end_others(
    executor: impl PgExecutor<'_>,
    user_id: UserId,
    but: Option<Uuid>,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "DELETE FROM sessions WHERE user_id = $1 AND session_id IS DISTINCT FROM $2",
        user_id.0,
        but,
    )
    .execute(executor)
    .await?;
    Ok(())
}

/// Forgets the sessions that have expired at `now`.
///
/// # Errors
///
/// The database's error.
pub async fn remove_expired(
    executor: impl PgExecutor<'_>,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    sqlx::query!("DELETE FROM sessions WHERE expires_at <= $1", now)
        .execute(executor)
        .await?;
    Ok(())
}
