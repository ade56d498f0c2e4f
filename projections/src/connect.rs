//! How every connection to Docket's database is set up.
//!
//! Statements name tables without a schema, and the search path decides which one answers: the read models stand in
//! `docket_read`, which a rebuild replaces as a whole, and everything that lasts stands in `public`. Migrations are the one
//! exception: they run with `public` alone (see [`Connector::for_migrations`]).
//!
//! A session is set up by a statement after the connection is made, never by start-up options: poolers such as `PgBouncer`
//! refuse or drop those.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{ConnectOptions, Connection, Executor, PgConnection, PgPool};

use crate::watch::Watch;

/// How long a request waits for a connection before it is told to come back.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a new connection may take, its set-up included.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// How long an idle connection is taken for alive without being asked; shorter than any restart of a database.
const TRUSTED_FOR: Duration = Duration::from_millis(100);
/// How long a connection may take to say that it lives.
const PING_TIMEOUT: Duration = Duration::from_secs(1);
/// The name of Docket's connections in `pg_stat_activity`.
const APPLICATION_NAME: &str = "docket";

/// Temporary tables come last: the database would otherwise look among them first, and those that a connection keeps (see
/// [`history`](crate::history)) have the names of live ones.
const SEARCH_PATH: &str = "docket_read,public,pg_temp";

/// Opens connections to one database, each with Docket's session settings. Cloning it is cheap.
#[derive(Clone)]
pub struct Connector {
    options: PgConnectOptions,
    /// Session settings and their values; the last of several for one name counts.
    session: Arc<[(&'static str, String)]>,
    watch: Watch,
}

/// Shows nothing: the options hold a password.
impl fmt::Debug for Connector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Connector(…)")
    }
}

impl From<PgConnectOptions> for Connector {
    fn from(options: PgConnectOptions) -> Self {
        Self {
            // PgBouncer knows neither; sqlx reads numbers in binary form, to which the digits do not matter.
            options: options
                .application_name(APPLICATION_NAME)
                .extra_float_digits(None),
            session: [("search_path", SEARCH_PATH.to_owned())].into(),
            watch: Watch::default(),
        }
    }
}

impl Connector {
    /// The same with further session settings.
    #[must_use]
    pub fn with(&self, settings: &[(&'static str, &str)]) -> Self {
        let further = settings
            .iter()
            .map(|(name, value)| (*name, (*value).to_owned()));
        Self {
            session: self.session.iter().cloned().chain(further).collect(),
            ..self.clone()
        }
    }

    /// The same with `public` alone in the search path.
    ///
    /// sqlx keeps its list of applied migrations in the first schema of the search path. Were that `docket_read`, sqlx would
    /// look for its list in `public` until a migration makes `docket_read`, begin a second, empty list there at the next
    /// start, and apply every migration again.
    #[must_use]
    pub fn for_migrations(&self) -> Self {
        self.with(&[("search_path", "public")])
    }

    /// Where and as whom it connects. They hold the password: never log them.
    pub const fn options(&self) -> &PgConnectOptions {
        &self.options
    }

    /// The watch over this database, which connections of all clones share.
    pub const fn watch(&self) -> &Watch {
        &self.watch
    }

    /// A new connection with Docket's session settings.
    ///
    /// # Errors
    ///
    /// The database's error, and [`sqlx::Error::Io`] where there is no answer for ten seconds.
    pub async fn connect(&self) -> Result<PgConnection, sqlx::Error> {
        let connect = async {
            let mut conn = self.options.connect().await?;
            conn.execute(&*self.set_up()).await?;
            Ok(conn)
        };
        tokio::time::timeout(CONNECT_TIMEOUT, connect)
            .await
            .unwrap_or_else(|_| Err(timed_out()))
    }

    /// The statement that sets a session up.
    fn set_up(&self) -> String {
        let settings: Vec<String> = self
            .session
            .iter()
            .map(|(name, value)| {
                format!(
                    "set_config('{name}', '{}', false)",
                    value.replace('\'', "''")
                )
            })
            .collect();
        format!("SELECT {}", settings.join(", "))
    }
}

/// How to connect to the database at `url` (`postgres://…`).
///
/// # Errors
///
/// [`sqlx::Error::Configuration`] when `url` is no Postgres URL. The error does not hold the URL, which may carry a
/// password.
pub fn connect_options(url: &str) -> Result<Connector, sqlx::Error> {
    // sqlx takes any scheme, and would read `user:password@host` as a database on this machine.
    if !["postgres://", "postgresql://"]
        .iter()
        .any(|scheme| url.starts_with(scheme))
    {
        return Err(sqlx::Error::Configuration(
            "a database URL begins with postgres:// or postgresql://".into(),
        ));
    }
    Ok(PgConnectOptions::from_str(url)?.into())
}

/// Up to `max_connections` connections for reading, made when they are needed.
pub fn pool(connector: impl Into<Connector>, max_connections: u32) -> PgPool {
    let connector = connector.into();
    let (set_up, watch) = (
        Arc::<str>::from(connector.set_up()),
        connector.watch.clone(),
    );
    PgPoolOptions::new()
        .max_connections(max_connections)
        // Asking a connection whether it lives costs a round trip, which one that was used just now need not pay. One that lay
        // idle is asked, or after a restart of the database each would fail one request.
        .test_before_acquire(false)
        .after_connect(move |connection, _| {
            let set_up = Arc::clone(&set_up);
            Box::pin(async move {
                connection.execute(&*set_up).await?;
                Ok(())
            })
        })
        .before_acquire(move |connection, used| {
            let is_outdated = watch.is_outdated(used.age);
            Box::pin(async move {
                if is_outdated {
                    return Ok(false);
                }
                if used.idle_for >= TRUSTED_FOR {
                    tokio::time::timeout(PING_TIMEOUT, connection.ping())
                        .await
                        .unwrap_or_else(|_| Err(timed_out()))?;
                }
                Ok(true)
            })
        })
        .acquire_timeout(ACQUIRE_TIMEOUT)
        .connect_lazy_with(connector.options)
}

fn timed_out() -> sqlx::Error {
    sqlx::Error::Io(std::io::ErrorKind::TimedOut.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_is_set_up_by_a_statement_in_which_the_last_setting_wins() {
        let connector = connect_options("postgres://docket@db.example.com/docket").unwrap();

        assert_eq!(
            connector.set_up(),
            "SELECT set_config('search_path', 'docket_read,public,pg_temp', false)"
        );
        assert_eq!(
            connector.for_migrations().set_up(),
            "SELECT set_config('search_path', 'docket_read,public,pg_temp', false), set_config('search_path', 'public', false)"
        );
        assert_eq!(
            connector.options().get_options(),
            None,
            "poolers refuse start-up options"
        );
        assert_eq!(connector.options().get_application_name(), Some("docket"));
    }

    #[test]
    fn what_is_shown_of_a_connector_holds_no_password() {
        let connector = connect_options("postgres://docket:hunter2@db.example.com/docket").unwrap();

        assert_eq!(format!("{connector:?}"), "Connector(…)");
    }

    #[test]
    fn a_wrong_url_is_refused_without_repeating_it() {
        for url in [
            "docket:hunter2@db.example.com",
            "mysql://docket:hunter2@db.example.com/docket",
            "postgres://docket:hunter2@db.example.com:port/docket",
            "postgres://docket:hunter2@db.example.com/docket?sslmode=hunter2ish",
        ] {
            let error = connect_options(url).unwrap_err();

            assert!(matches!(error, sqlx::Error::Configuration(_)), "{error}");
            assert!(!error.to_string().contains("docket:hunter2"), "{error}");
        }
    }
}
