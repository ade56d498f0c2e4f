//! How every connection to Docket's database is set up.
//!
//! Statements name tables without a schema, and the search path decides which one answers: the read models stand in
//! `docket_read`, which a rebuild replaces as a whole, and everything that lasts stands in `public`. Migrations are the one
//! exception: they run with `public` alone (see [`for_migrations`]).

use std::str::FromStr;
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{Connection, PgPool};

/// How long a request waits for a connection before it is told to come back.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(5);
/// How long an idle connection is taken for alive without being asked; shorter than any restart of a database.
const TRUSTED_FOR: Duration = Duration::from_millis(100);
/// What Docket's connections are called in `pg_stat_activity`.
const APPLICATION_NAME: &str = "docket";

/// Temporary tables come last: the database would otherwise look among them first, and those that a connection keeps (see
/// [`history`](crate::history)) have the names of live ones.
const SEARCH_PATH: &str = "docket_read,public,pg_temp";

/// Options for a connection to the database at `url` (`postgres://…`), with Docket's search path and application name.
///
/// # Errors
///
/// [`sqlx::Error::Configuration`] when `url` is no Postgres URL. The error does not hold the URL, which may carry a
/// password. (The options do, and show it in their `Debug` output: never log them.)
pub fn connect_options(url: &str) -> Result<PgConnectOptions, sqlx::Error> {
    // sqlx takes any scheme, and would read `user:password@host` as a database on this machine.
    if !["postgres://", "postgresql://"]
        .iter()
        .any(|scheme| url.starts_with(scheme))
    {
        return Err(sqlx::Error::Configuration(
            "a database URL begins with postgres:// or postgresql://".into(),
        ));
    }
    Ok(with_search_path(PgConnectOptions::from_str(url)?))
}

/// `options` with Docket's search path and application name.
pub fn with_search_path(options: PgConnectOptions) -> PgConnectOptions {
    options
        .application_name(APPLICATION_NAME)
        .options([("search_path", SEARCH_PATH)])
}

/// Up to `max_connections` connections for reading, made when they are needed.
pub fn pool(options: PgConnectOptions, max_connections: u32) -> PgPool {
    PgPoolOptions::new()
        .max_connections(max_connections)
        // Asking a connection whether it lives costs a round trip, which one that was used just now need not pay. One that lay
        // idle is asked, or after a restart of the database each would fail one request.
        .test_before_acquire(false)
        .before_acquire(|connection, used| {
            Box::pin(async move {
                if used.idle_for >= TRUSTED_FOR {
                    connection.ping().await?;
                }
                Ok(true)
            })
        })
        .acquire_timeout(ACQUIRE_TIMEOUT)
        .connect_lazy_with(options)
}

/// `options` with `public` alone in the search path.
///
/// sqlx keeps its list of applied migrations in the first schema of the search path. Were that `docket_read`, sqlx would
/// look for its list in `public` until a migration makes `docket_read`, begin a second, empty list there at the next
/// start, and apply every migration again.
pub fn for_migrations(options: PgConnectOptions) -> PgConnectOptions {
    options
        .application_name(APPLICATION_NAME)
        .options([("search_path", "public")])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_search_path_wins_over_the_one_in_the_url() {
        let options = connect_options(
            "postgres://docket@db.example.com/docket?options=-csearch_path%3Dpublic",
        )
        .unwrap();

        // Postgres takes the last of several settings.
        assert_eq!(
            options.get_options(),
            Some("-csearch_path=public -c search_path=docket_read,public,pg_temp")
        );
        assert_eq!(options.get_application_name(), Some("docket"));
    }

    #[test]
    fn migrations_see_public_alone() {
        let options = connect_options("postgres://docket@db.example.com/docket").unwrap();

        assert_eq!(
            for_migrations(options).get_options(),
            Some("-c search_path=docket_read,public,pg_temp -c search_path=public")
        );
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
