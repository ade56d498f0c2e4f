//! The questions that are asked of a database before anything is done with it: can it be reached, is it of the right kind, may we
//! do what we have to, and is it not a newer Docket's. Each answer that will not do is a sentence with a remedy.
//!
//! To add a question: a column in [`FACTS`] with its field and a sentence in [`Facts::judge`], or a check of its own in [`check`].
//!
//! The statements are asked in the simple protocol and are not checked at compile time: they have to run on databases without
//! Docket's tables, on old servers, and through poolers that lose prepared statements.

mod log;
mod pooler;

use std::borrow::Cow;

use sqlx::postgres::PgRow;
use sqlx::{Connection, Executor, PgConnection, Row};

use crate::connect::Connector;

pub use self::log::note_known;

/// The oldest Postgres that the tests run against, as `server_version_num` says it.
const OLDEST_VERSION: u32 = 150_000;

/// Why a database will not do: a sentence, and what to do about it. It never holds a password.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{sentence}")]
pub struct Unsuitable {
    sentence: Cow<'static, str>,
    /// Whether a newer Docket is the reason, so that the log can still be read as it is.
    is_newer: bool,
}

impl Unsuitable {
    fn new(sentence: impl Into<Cow<'static, str>>) -> Self {
        Self {
            sentence: sentence.into(),
            is_newer: false,
        }
    }

    fn newer(sentence: impl Into<Cow<'static, str>>) -> Self {
        Self {
            is_newer: true,
            ..Self::new(sentence)
        }
    }

    /// Whether a newer Docket has changed the database or recorded what this one does not know; the log can be exported all the
    /// same.
    pub const fn is_newer(&self) -> bool {
        self.is_newer
    }
}

/// Whether the database may stand behind a pooler that somebody else set up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Route {
    /// Docket's own server, at its socket.
    Private,
    /// A server elsewhere, whatever stands before it.
    Elsewhere,
}

/// Asks everything, and changes nothing. Gives the position up to which the log was found readable.
///
/// # Errors
///
/// The first answer that will not do.
pub async fn check(connector: &Connector, route: Route) -> Result<i64, Unsuitable> {
    let mut conn = connector
        .connect()
        .await
        .map_err(|error| unreachable(connector, &error))?;
    let asked = async {
        if route == Route::Elsewhere {
            pooler::check(connector, &mut conn).await?;
        }
        Facts::ask(&mut conn).await?.judge()?;
        check_owners(&mut conn).await?;
        log::check_migrations(&mut conn).await?;
        log::check_events(&mut conn).await
    };
    let asked = asked.await;
    // Whether the goodbye arrives is of no matter.
    let _ = conn.close().await;
    asked
}

/// The facts about a database, one column each.
const FACTS: &str = "SELECT current_database()::text AS database,
       current_user::text AS role,
       current_setting('server_version_num') AS version_number,
       current_setting('server_version') AS version,
       current_setting('server_encoding') AS encoding,
       pg_is_in_recovery()::text AS is_standby,
       current_setting('transaction_read_only') AS read_only,
       has_database_privilege(current_database(), 'CREATE')::text AS may_create,
       coalesce(has_schema_privilege((SELECT oid FROM pg_namespace WHERE nspname = 'public'), 'CREATE')::text, 'missing')
           AS may_create_in_public,
       coalesce(has_schema_privilege((SELECT oid FROM pg_namespace WHERE nspname = 'docket_read'), 'CREATE')::text, 'true')
           AS may_create_in_read";

#[expect(
    clippy::struct_excessive_bools,
    reason = "each is the database's answer to one question"
)]
#[derive(Debug, Clone)]
struct Facts {
    database: String,
    role: String,
    version_number: u32,
    version: String,
    encoding: String,
    is_standby: bool,
    is_read_only: bool,
    may_create: bool,
    has_public: bool,
    may_create_in_public: bool,
    may_create_in_read: bool,
}

impl Facts {
    async fn ask(conn: &mut PgConnection) -> Result<Self, Unsuitable> {
        let row = conn
            .fetch_one(FACTS)
            .await
            .map_err(|error| failed(&error))?;
        Ok(Self {
            database: text(&row, "database")?,
            role: text(&row, "role")?,
            version_number: text(&row, "version_number")?.parse().unwrap_or_default(),
            version: text(&row, "version")?,
            encoding: text(&row, "encoding")?,
            is_standby: text(&row, "is_standby")? == "true",
            is_read_only: text(&row, "read_only")? == "on",
            may_create: text(&row, "may_create")? == "true",
            has_public: text(&row, "may_create_in_public")? != "missing",
            may_create_in_public: text(&row, "may_create_in_public")? == "true",
            may_create_in_read: text(&row, "may_create_in_read")? == "true",
        })
    }

    fn judge(&self) -> Result<(), Unsuitable> {
        let Self {
            database,
            role,
            version,
            encoding,
            ..
        } = self;
        let unsuitable = |sentence: String| Err(Unsuitable::new(sentence));
        if self.version_number < OLDEST_VERSION {
            return unsuitable(format!(
                "the server runs Postgres {version}, and Docket needs version 15 or newer: upgrade it, or set DATABASE_URL to a newer one"
            ));
        }
        if encoding != "UTF8" {
            return unsuitable(format!(
                "the database {database} has the encoding {encoding}, and Docket needs UTF8: make one with CREATE DATABASE docket \
                 ENCODING 'UTF8' LOCALE 'C.UTF-8' TEMPLATE template0, and set DATABASE_URL to it"
            ));
        }
        if self.is_standby {
            return unsuitable(format!(
                "the server of the database {database} is a standby, which takes no changes: set DATABASE_URL to the primary server"
            ));
        }
        if self.is_read_only {
            return unsuitable(format!(
                "the database {database} is read-only: end that with ALTER DATABASE {database} RESET default_transaction_read_only \
                 (or the same of the role {role}, or of the server's configuration), and start Docket again"
            ));
        }
        if !self.has_public {
            return unsuitable(format!(
                "the database {database} has no schema public, where Docket keeps its tables: make it with CREATE SCHEMA public \
                 AUTHORIZATION {role}"
            ));
        }
        if !self.may_create {
            return unsuitable(format!(
                "the role {role} may not make schemas in the database {database}, which a rebuild of the read models does: \
                 GRANT CREATE ON DATABASE {database} TO {role}, or make {role} its owner"
            ));
        }
        if !self.may_create_in_public {
            return unsuitable(format!(
                "the role {role} may not make tables in the schema public of the database {database}: \
                 GRANT CREATE, USAGE ON SCHEMA public TO {role}, or make {role} the owner of the database"
            ));
        }
        if !self.may_create_in_read {
            return unsuitable(format!(
                "the role {role} may not make tables in the schema docket_read of the database {database}: \
                 ALTER SCHEMA docket_read OWNER TO {role}"
            ));
        }
        Ok(())
    }
}

/// Whether tables of Docket belong to a role that ours is no member of, as after a restore by somebody else.
async fn check_owners(conn: &mut PgConnection) -> Result<(), Unsuitable> {
    let found = conn
        .fetch_optional(
            "SELECT n.nspname || '.' || c.relname AS name, pg_get_userbyid(c.relowner)::text AS owner,
                    current_user::text AS role
               FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
              WHERE c.relkind IN ('r', 'S') AND NOT pg_has_role(c.relowner, 'USAGE')
                AND (n.nspname IN ('docket_read', 'docket_rebuild')
                     OR n.nspname = 'public' AND c.relname IN ('_sqlx_migrations', 'case_references', 'contact_ids', 'events',
                                                               'log_head', 'log_state', 'projection_versions', 'webhook_receipts'))
              ORDER BY 1 LIMIT 1",
        )
        .await
        .map_err(|error| failed(&error))?;
    let Some(row) = found else {
        return Ok(());
    };
    let (name, owner, role) = (
        text(&row, "name")?,
        text(&row, "owner")?,
        text(&row, "role")?,
    );
    Err(Unsuitable::new(format!(
        "{name} belongs to the role {owner}, and Docket connects as {role}, who may then not change it: \
         REASSIGN OWNED BY {owner} TO {role} in this database, or restore the dump with --no-owner as {role}"
    )))
}

fn text(row: &PgRow, column: &str) -> Result<String, Unsuitable> {
    row.try_get(column).map_err(|error| failed(&error))
}

/// A question was not answered.
fn failed(error: &sqlx::Error) -> Unsuitable {
    Unsuitable::new(format!(
        "the database does not answer as a Postgres does ({error}): see that DATABASE_URL leads to a Postgres of version 15 or newer"
    ))
}

/// The database cannot be connected to.
fn unreachable(connector: &Connector, error: &sqlx::Error) -> Unsuitable {
    let options = connector.options();
    let place = match options.get_socket() {
        Some(socket) => socket.display().to_string(),
        None => format!("{}:{}", options.get_host(), options.get_port()),
    };
    let role = options.get_username();
    let database = options.get_database().unwrap_or(role);
    Unsuitable::new(match error {
        sqlx::Error::Io(cause) => format!(
            "the database at {place} cannot be reached ({cause}): start it, or correct DATABASE_URL"
        ),
        sqlx::Error::Tls(cause) => format!(
            "no encrypted connection to the database at {place} came about ({cause}): see sslmode and sslrootcert in DATABASE_URL"
        ),
        sqlx::Error::Database(refusal) => {
            let said = refusal.message();
            match refusal.code().as_deref() {
                Some("28P01" | "28000") => format!(
                    "the database at {place} does not let the role {role} in ({said}): correct the user and the password in \
                     DATABASE_URL, or let the role in by pg_hba.conf"
                ),
                Some("3D000") => format!(
                    "there is no database {database} at {place}: make it with CREATE DATABASE {database} OWNER {role} \
                     ENCODING 'UTF8' LOCALE 'C.UTF-8' TEMPLATE template0, or correct DATABASE_URL"
                ),
                Some("42501") => format!(
                    "the role {role} may not connect to the database {database} at {place}: \
                     GRANT CONNECT ON DATABASE {database} TO {role}"
                ),
                Some("53300") => format!(
                    "the database at {place} has no connection left ({said}): raise max_connections, or the limit of the role or \
                     the database, or end what holds connections; a docket serve needs about 20"
                ),
                Some("57P03") => format!(
                    "the database at {place} is starting up or shutting down ({said}): start Docket again in a moment"
                ),
                _ if said.contains("startup parameter") => format!(
                    "what answers at {place} refuses a setting of the connection ({said}): take the options out of DATABASE_URL, or \
                     add the setting to ignore_startup_parameters of PgBouncer"
                ),
                _ => format!(
                    "the database at {place} refuses the connection ({said}): correct DATABASE_URL, or mend what it says"
                ),
            }
        }
        other => format!(
            "the database at {place} cannot be connected to ({other}): correct DATABASE_URL"
        ),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts() -> Facts {
        Facts {
            database: "docket".to_owned(),
            role: "clerk".to_owned(),
            version_number: 150_010,
            version: "15.10".to_owned(),
            encoding: "UTF8".to_owned(),
            is_standby: false,
            is_read_only: false,
            may_create: true,
            has_public: true,
            may_create_in_public: true,
            may_create_in_read: true,
        }
    }

    #[test]
    fn each_fact_that_will_not_do_is_a_sentence_with_a_remedy() {
        type Row = (fn(&mut Facts), &'static [&'static str]);
        assert_eq!(facts().judge(), Ok(()));
        let table: [Row; 10] = [
            (
                |facts| facts.version_number = 140_019,
                &["15 or newer", "upgrade"],
            ),
            (
                |facts| facts.encoding = "LATIN1".to_owned(),
                &["LATIN1", "ENCODING 'UTF8'"],
            ),
            (
                |facts| facts.encoding = "SQL_ASCII".to_owned(),
                &["SQL_ASCII", "ENCODING 'UTF8'"],
            ),
            (
                |facts| facts.encoding = "EUC_JP".to_owned(),
                &["EUC_JP", "template0"],
            ),
            (|facts| facts.is_standby = true, &["standby", "primary"]),
            (|facts| facts.is_read_only = true, &["read-only", "RESET"]),
            (|facts| facts.has_public = false, &["CREATE SCHEMA public"]),
            (
                |facts| facts.may_create = false,
                &["GRANT CREATE ON DATABASE docket TO clerk"],
            ),
            (
                |facts| facts.may_create_in_public = false,
                &["ON SCHEMA public TO clerk"],
            ),
            (
                |facts| facts.may_create_in_read = false,
                &["ALTER SCHEMA docket_read OWNER TO clerk"],
            ),
        ];
        for (change, parts) in table {
            let mut facts = facts();
            change(&mut facts);
            let sentence = facts.judge().unwrap_err().to_string();
            for part in parts {
                assert!(sentence.contains(part), "{part}: {sentence}");
            }
        }
    }
}
