//! Users and their API tokens; the secrets of both are in [`crate::accounts`].

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use docket_domain::access::Access;
use docket_domain::event::{Event, StreamId};
use docket_domain::ids::{SurveyId, TokenId, UserId};
use docket_domain::personal::Personal;
use docket_domain::user::preferences::Preferences;
use docket_domain::user::{Role, UserEvent, UserKind};
use serde::Serialize;
use sqlx::PgExecutor;
use sqlx::types::Json;
use uuid::Uuid;

use crate::log::recorded::Recorded;
use crate::read::Projection;
use crate::read::rows::{Row, column};
use crate::read::writes::Writes;

/// A user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserRow {
    /// Their id.
    pub user_id: UserId,
    /// The address they sign in with, in lower case; a service account's name.
    pub email: Personal<String>,
    /// What colleagues call them; `None` where nobody has said.
    pub name: Option<Personal<String>>,
    /// How they want the console to be.
    pub preferences: Preferences,
    /// Whether somebody else set their password, at the console or the API, so that they should choose their own.
    pub password_given: bool,
    /// What they may do.
    pub role: Role,
    /// Which surveys' cases they reach when they are an agent; [`UserRow::reach`] says what they reach as what they are.
    pub access: Access,
    /// Whether they were removed.
    pub removed: bool,
    /// When they were added.
    pub created_at: DateTime<Utc>,
    /// The sequence of their last event.
    pub version: u64,
}

impl UserRow {
    /// A person or a program.
    pub fn kind(&self) -> UserKind {
        UserKind::of(&self.email)
    }

    /// What they are shown as: their name, or else their address.
    pub fn shown(&self) -> &str {
        self.name.as_ref().unwrap_or(&self.email)
    }

    /// Which surveys' cases they reach.
    pub fn reach(&self) -> Access {
        self.access.clone().of(self.role)
    }
}

/// What a person reaches of whom the table says this.
pub(crate) fn reach(role: Role, surveys: Option<Vec<Uuid>>) -> Access {
    access(surveys).of(role)
}

fn access(surveys: Option<Vec<Uuid>>) -> Access {
    surveys
        .map(|surveys| surveys.into_iter().map(SurveyId).collect::<Vec<_>>())
        .into()
}

/// The surveys that an agent reaches, where they are not all.
fn survey_ids(access: &Access) -> Option<Vec<Uuid>> {
    Some(
        access
            .surveys()?
            .iter()
            .map(|survey_id| survey_id.0)
            .collect(),
    )
}

/// A token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenRow {
    /// Its id.
    pub token_id: TokenId,
    /// Whose it is.
    pub user_id: UserId,
    /// What it is for.
    pub name: String,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// Whether it was ended.
    pub revoked: bool,
}

/// Builds tables `users` and `tokens`.
#[derive(Default)]
pub struct UsersHandler {
    added: BTreeMap<UserId, UserRow>,
    changed: BTreeMap<UserId, Change>,
    tokens: BTreeMap<TokenId, TokenRow>,
    /// Tokens in the database that were ended.
    revoked: BTreeSet<TokenId>,
}

/// What the events since the last write changed of a user's row in the database.
#[derive(Default)]
struct Change {
    #[expect(clippy::option_option, reason = "a name can be taken away")]
    name: Option<Option<Personal<String>>>,
    preferences: Option<Preferences>,
    password_given: Option<bool>,
    role: Option<Role>,
    access: Option<Access>,
    removed: bool,
    version: u64,
}

impl Change {
    /// Takes a later change in.
    fn and(&mut self, later: Self) {
        self.name = later.name.or(self.name.take());
        self.preferences = later.preferences.or(self.preferences.take());
        self.password_given = later.password_given.or(self.password_given);
        self.role = later.role.or(self.role);
        self.access = later.access.or(self.access.take());
        self.removed |= later.removed;
        self.version = later.version;
    }

    /// Changes a row that is not in the database yet.
    fn change(self, row: &mut UserRow) {
        row.name = self.name.unwrap_or_else(|| row.name.take());
        if let Some(preferences) = self.preferences {
            row.preferences = preferences;
        }
        row.password_given = self.password_given.unwrap_or(row.password_given);
        row.role = self.role.unwrap_or(row.role);
        if let Some(access) = self.access {
            row.access = access;
        }
        row.removed |= self.removed;
        row.version = self.version;
    }
}

impl Projection for UsersHandler {
    const NAME: &'static str = "users";
    const VERSION: i32 = 4;
    const TABLES: &'static [&'static str] = &["users", "tokens"];
    const STATEMENTS: &'static [&'static str] = &[CHANGE, ADD, REVOKE, ADD_TOKENS];

    fn apply(&mut self, recorded: &Recorded) {
        let (StreamId::User(user_id), Event::User(event)) = (recorded.stream, &recorded.event)
        else {
            return;
        };
        let mut change = Change::default();
        match event {
            UserEvent::UserAdded { email, role, .. }
            | UserEvent::ServiceAccountAdded {
                name: email, role, ..
            } => {
                let row = UserRow {
                    user_id,
                    email: email.clone(),
                    name: None,
                    preferences: Preferences::default(),
                    password_given: is_by_another(user_id, recorded),
                    role: *role,
                    access: Access::All,
                    removed: false,
                    created_at: recorded.recorded_at,
                    version: recorded.sequence,
                };
                self.added.insert(user_id, row);
                return;
            }
            UserEvent::RoleChanged { to, .. } => change.role = Some(*to),
            UserEvent::SurveyAccessChanged { surveys } => {
                change.access = Some(Access::from(surveys.clone()));
            }
            UserEvent::UserNamed { name } => change.name = Some(name.clone()),
            UserEvent::PreferencesChanged { preferences } => {
                change.preferences = Some(preferences.clone());
            }
            UserEvent::PasswordChanged {} => {
                change.password_given = Some(is_by_another(user_id, recorded));
            }
            UserEvent::UserRemoved {} => {
                change.removed = true;
                for token in self.tokens.values_mut() {
                    token.revoked |= token.user_id == user_id;
                }
            }
            UserEvent::TokenCreated { token_id, name } => {
                let token = TokenRow {
                    token_id: *token_id,
                    user_id,
                    name: name.clone(),
                    created_at: recorded.recorded_at,
                    revoked: false,
                };
                self.tokens.insert(*token_id, token);
            }
            UserEvent::TokenRevoked { token_id } => match self.tokens.get_mut(token_id) {
                Some(token) => token.revoked = true,
                None => {
                    self.revoked.insert(*token_id);
                }
            },
        }
        change.version = recorded.sequence;
        if let Some(row) = self.added.get_mut(&user_id) {
            change.change(row);
        } else {
            self.changed.entry(user_id).or_default().and(change);
        }
    }

    fn write(&mut self, writes: &mut Writes) {
        let taken = std::mem::take(self);
        let removed = taken
            .changed
            .iter()
            .filter(|(_, change)| change.removed)
            .map(|(user_id, _)| RevokedTokens {
                token_id: None,
                user_id: Some(user_id.0),
            });
        let revoked = taken.revoked.iter().map(|token_id| RevokedTokens {
            token_id: Some(token_id.0),
            user_id: None,
        });
        let revoked: Vec<_> = revoked.chain(removed).collect();
        // Removals come first: an address may be added again as soon as its user is removed.
        writes.statement::<Self>(CHANGE, taken.changed.into_iter().map(ChangedUser::of));
        writes.statement::<Self>(ADD, taken.added.into_values().map(AddedUser::of));
        writes.statement::<Self>(REVOKE, revoked);
        writes.statement::<Self>(ADD_TOKENS, taken.tokens.into_values().map(AddedToken::of));
    }
}

/// Whether another person at the console or the API did it.
fn is_by_another(user_id: UserId, recorded: &Recorded) -> bool {
    let by = recorded.metadata.actor.user_id();
    by.is_some_and(|by| by != user_id)
}

/// What changes of a row that is there.
#[derive(Serialize)]
struct ChangedUser {
    user_id: Uuid,
    role: Option<&'static str>,
    removed: bool,
    version: u64,
    has_access: bool,
    surveys: Option<Vec<Uuid>>,
    has_name: bool,
    name: Option<String>,
    preferences: Option<Preferences>,
    password_given: Option<bool>,
}

impl ChangedUser {
    fn of((user_id, change): (UserId, Change)) -> Self {
        Self {
            user_id: user_id.0,
            role: change.role.map(Role::as_str),
            removed: change.removed,
            version: change.version,
            has_access: change.access.is_some(),
            surveys: change.access.as_ref().and_then(survey_ids),
            has_name: change.name.is_some(),
            name: change.name.flatten().map(|name| name.0),
            preferences: change.preferences,
            password_given: change.password_given,
        }
    }
}

const CHANGE: &str = "
    UPDATE users u
       SET role = coalesce(r.role, u.role), removed = u.removed OR r.removed, version = r.version,
           surveys = CASE WHEN r.has_access THEN r.surveys ELSE u.surveys END,
           name = CASE WHEN r.has_name THEN r.name ELSE u.name END,
           preferences = coalesce(r.preferences, u.preferences),
           password_given = coalesce(r.password_given, u.password_given)
      FROM jsonb_to_recordset($1)
           AS r (user_id uuid, role text, removed boolean, version bigint, has_access boolean, surveys uuid[],
                 has_name boolean, name text, preferences jsonb, password_given boolean)
     WHERE u.user_id = r.user_id";

#[derive(Serialize)]
struct AddedUser {
    user_id: Uuid,
    email: String,
    role: &'static str,
    removed: bool,
    created_at: DateTime<Utc>,
    version: u64,
    surveys: Option<Vec<Uuid>>,
    name: Option<String>,
    preferences: Preferences,
    password_given: bool,
}

impl AddedUser {
    fn of(row: UserRow) -> Self {
        Self {
            user_id: row.user_id.0,
            surveys: survey_ids(&row.access),
            email: row.email.0,
            name: row.name.map(|name| name.0),
            preferences: row.preferences,
            password_given: row.password_given,
            role: row.role.as_str(),
            removed: row.removed,
            created_at: row.created_at,
            version: row.version,
        }
    }
}

const ADD: &str = "
    INSERT INTO users (user_id, email, role, removed, created_at, version, surveys, name, preferences, password_given)
    SELECT r.user_id, r.email, r.role, r.removed, dated(r.created_at, $2), r.version, r.surveys, r.name, r.preferences,
           r.password_given
      FROM jsonb_to_recordset($1)
           AS r (user_id uuid, email text, role text, removed boolean, created_at timestamptz, version bigint,
                 surveys uuid[], name text, preferences jsonb, password_given boolean)";

/// A token, or all tokens of a user.
#[derive(Serialize)]
struct RevokedTokens {
    token_id: Option<Uuid>,
    user_id: Option<Uuid>,
}

const REVOKE: &str = "
    UPDATE tokens t
       SET revoked = true
     WHERE t.token_id IN (SELECT token_id FROM jsonb_to_recordset($1) AS r (token_id uuid))
        OR t.user_id IN (SELECT user_id FROM jsonb_to_recordset($1) AS r (user_id uuid))";

#[derive(Serialize)]
struct AddedToken {
    token_id: Uuid,
    user_id: Uuid,
    name: String,
    created_at: DateTime<Utc>,
    revoked: bool,
}

impl AddedToken {
    fn of(row: TokenRow) -> Self {
        Self {
            token_id: row.token_id.0,
            user_id: row.user_id.0,
            name: row.name,
            created_at: row.created_at,
            revoked: row.revoked,
        }
    }
}

const ADD_TOKENS: &str = "
    INSERT INTO tokens (token_id, user_id, name, created_at, revoked)
    SELECT r.token_id, r.user_id, r.name, dated(r.created_at, $2), r.revoked
      FROM jsonb_to_recordset($1)
           AS r (token_id uuid, user_id uuid, name text, created_at timestamptz, revoked boolean)";

struct Columnwise {
    user_id: Uuid,
    email: String,
    role: String,
    removed: bool,
    created_at: DateTime<Utc>,
    version: i64,
    surveys: Option<Vec<Uuid>>,
    name: Option<String>,
    preferences: Json<Preferences>,
    password_given: bool,
}

impl TryFrom<Columnwise> for UserRow {
    type Error = sqlx::Error;

    fn try_from(row: Columnwise) -> Result<Self, sqlx::Error> {
        let known = Row {
            table: "users",
            key: row.user_id,
        };
        Ok(Self {
            user_id: UserId(row.user_id),
            email: Personal(row.email),
            name: row.name.map(Personal),
            preferences: row.preferences.0,
            password_given: row.password_given,
            role: known.some("role", Role::from_name(&row.role))?,
            access: access(row.surveys),
            removed: row.removed,
            created_at: row.created_at,
            version: row.version.cast_unsigned(),
        })
    }
}

/// Every user who was not removed, ordered by address.
///
/// # Errors
///
/// The database's error, or a [`RowError`](crate::read::rows::RowError) as [`sqlx::Error::Decode`].
pub async fn all(executor: impl PgExecutor<'_>) -> Result<Vec<UserRow>, sqlx::Error> {
    let rows = sqlx::query_as!(
        Columnwise,
        r#"SELECT user_id, email, role, removed, created_at, version, surveys, name,
                  preferences AS "preferences: Json<Preferences>", password_given
         FROM users
         WHERE NOT removed
         ORDER BY email"#,
    )
    .fetch_all(executor)
    .await?;
    rows.into_iter().map(UserRow::try_from).collect()
}

/// What everybody is called who has a name, by their address. Of those who had one address after another, it is who has it now,
/// or the last one.
///
/// # Errors
///
/// The database's error.
pub async fn names(
    executor: impl PgExecutor<'_>,
) -> Result<Vec<(Personal<String>, Personal<String>)>, sqlx::Error> {
    let rows = sqlx::query!(
        r#"SELECT DISTINCT ON (email) email, name FROM users ORDER BY email, removed, created_at DESC"#
    )
    .fetch_all(executor)
    .await?;
    let names = rows.into_iter();
    Ok(names
        .filter_map(|row| Some((Personal(row.email), Personal(row.name?))))
        .collect())
}

/// The names of these users or else their addresses, removed or not.
///
/// # Errors
///
/// The database's error.
pub async fn shown(
    executor: impl PgExecutor<'_>,
    users: &[UserId],
) -> Result<BTreeMap<UserId, String>, sqlx::Error> {
    let rows = sqlx::query!(
        r#"SELECT user_id, coalesce(name, email) AS "shown!" FROM users WHERE user_id = ANY ($1)"#,
        &column(users, |user_id| user_id.0),
    )
    .fetch_all(executor)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| (UserId(row.user_id), row.shown))
        .collect())
}

/// The user of that id, removed or not.
///
/// # Errors
///
/// The database's error, or a [`RowError`](crate::read::rows::RowError) as [`sqlx::Error::Decode`].
pub async fn find(
    executor: impl PgExecutor<'_>,
    user_id: UserId,
) -> Result<Option<UserRow>, sqlx::Error> {
    let row = sqlx::query_as!(
        Columnwise,
        r#"SELECT user_id, email, role, removed, created_at, version, surveys, name,
                  preferences AS "preferences: Json<Preferences>", password_given
         FROM users
         WHERE user_id = $1"#,
        user_id.0,
    )
    .fetch_optional(executor)
    .await?;
    row.map(UserRow::try_from).transpose()
}

/// The user of that address, spelt as [`docket_domain::user::normalise_email`] gives it, unless they were removed.
///
/// # Errors
///
/// The database's error, or a [`RowError`](crate::read::rows::RowError) as [`sqlx::Error::Decode`].
pub async fn find_by_email(
    executor: impl PgExecutor<'_>,
    email: &str,
) -> Result<Option<UserRow>, sqlx::Error> {
    let row = sqlx::query_as!(
        Columnwise,
        r#"SELECT user_id, email, role, removed, created_at, version, surveys, name,
                  preferences AS "preferences: Json<Preferences>", password_given
         FROM users
         WHERE email = $1 AND NOT removed"#,
        email,
    )
    .fetch_optional(executor)
    .await?;
    row.map(UserRow::try_from).transpose()
}

/// The user of that address, or the service account of that name in any case, unless they were removed.
///
/// # Errors
///
/// The database's error, or a [`RowError`](crate::read::rows::RowError) as [`sqlx::Error::Decode`].
pub async fn find_by_email_or_name(
    executor: impl PgExecutor<'_>,
    email_or_name: &str,
) -> Result<Option<UserRow>, sqlx::Error> {
    let row = sqlx::query_as!(
        Columnwise,
        r#"SELECT user_id, email, role, removed, created_at, version, surveys, name,
                  preferences AS "preferences: Json<Preferences>", password_given
         FROM users
         WHERE lower(email) = lower($1) AND NOT removed"#,
        email_or_name.trim(),
    )
    .fetch_optional(executor)
    .await?;
    row.map(UserRow::try_from).transpose()
}

/// What each token is for, of tokens that were ended too.
///
/// # Errors
///
/// The database's error.
pub async fn token_names(
    executor: impl PgExecutor<'_>,
    tokens: &[TokenId],
) -> Result<BTreeMap<TokenId, String>, sqlx::Error> {
    let rows = sqlx::query!(
        "SELECT token_id, name FROM tokens WHERE token_id = ANY ($1)",
        &column(tokens, |token_id| token_id.0),
    )
    .fetch_all(executor)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| (TokenId(row.token_id), row.name))
        .collect())
}

/// Every token that was not ended, oldest first.
///
/// # Errors
///
/// The database's error.
pub async fn all_tokens(executor: impl PgExecutor<'_>) -> Result<Vec<TokenRow>, sqlx::Error> {
    sqlx::query_as!(
        TokenRow,
        "SELECT token_id, user_id, name, created_at, revoked
         FROM tokens
         WHERE NOT revoked
         ORDER BY created_at, token_id",
    )
    .fetch_all(executor)
    .await
}

/// A user's tokens that were not ended, oldest first.
///
/// # Errors
///
/// The database's error.
pub async fn tokens_of(
    executor: impl PgExecutor<'_>,
    user_id: UserId,
) -> Result<Vec<TokenRow>, sqlx::Error> {
    sqlx::query_as!(
        TokenRow,
        "SELECT token_id, user_id, name, created_at, revoked
         FROM tokens
         WHERE user_id = $1 AND NOT revoked
         ORDER BY created_at, token_id",
        user_id.0,
    )
    .fetch_all(executor)
    .await
}

/// The token of that id, ended or not.
///
/// # Errors
///
/// The database's error.
pub async fn find_token(
    executor: impl PgExecutor<'_>,
    token_id: TokenId,
) -> Result<Option<TokenRow>, sqlx::Error> {
    sqlx::query_as!(
        TokenRow,
        "SELECT token_id, user_id, name, created_at, revoked FROM tokens WHERE token_id = $1",
        token_id.0,
    )
    .fetch_optional(executor)
    .await
}
