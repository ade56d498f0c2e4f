//! A database for each test, on the throw-away server that `make test` starts.
//!
//! The migrations are applied once a server, to a template that each test's database is a copy of. A copy takes some
//! tens of milliseconds.

pub mod conversation;
pub mod reports;
pub mod tamper;
pub mod volume;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, Ordering};

use sha2::{Digest, Sha256};
use sqlx::{Connection, PgConnection, PgPool, Postgres, Transaction};

use crate::connect::{self, connect_options};
use crate::log::recorded::UNDATED;
use crate::read::{ReadModels, Writes};

/// The variable that names the server: the URL of a database in it, as a user who may create databases.
pub const URL_VARIABLE: &str = "DOCKET_TEST_DATABASE_URL";

/// How many connections a test's pool opens at most. Many tests run at once on one server.
const POOL_SIZE: u32 = 4;

/// The advisory lock that keeps processes from making the template at the same time: "docket" in ASCII.
const TEMPLATE_LOCK: i64 = 0x646f_636b_6574;

/// A database of one test, with all migrations applied and no rows.
#[derive(Debug)]
pub struct TestDatabase {
    /// Connections to it, set up as those of the service are.
    pub pool: PgPool,
    /// Its URL, for a process of its own.
    pub url: String,
    /// Its name on the server.
    pub name: String,
}

impl TestDatabase {
    /// Closes the pool and drops the database, breaking connections that others have to it. A database that is not
    /// closed stays until the server is thrown away.
    ///
    /// # Panics
    ///
    /// When the server refuses.
    pub async fn close(self) {
        self.pool.close().await;
        let mut server = connect_to_server().await;
        execute(
            &mut server,
            &format!("DROP DATABASE {} WITH (FORCE)", self.name),
        )
        .await;
        server
            .close()
            .await
            .expect("the test server ends a connection");
    }
}

/// Writes what the handlers of read models have taken in. Their events know when they were recorded.
///
/// # Panics
///
/// When the database refuses.
pub async fn write_models(models: &mut ReadModels, conn: &mut PgConnection) {
    let mut writes = Writes::default();
    models.write(&mut writes);
    writes
        .run(conn, UNDATED)
        .await
        .expect("the database takes what read models write");
}

/// Notes that a read model was built in that version.
///
/// # Panics
///
/// When the server refuses.
pub async fn set_model_version(pool: &PgPool, name: &str, version: i32) {
    sqlx::query!(
        "UPDATE projection_versions SET version = $2 WHERE name = $1",
        name,
        version,
    )
    .execute(pool)
    .await
    .expect("the test server takes a version");
}

/// Makes the rows of contacts as they are after an upgrade on which the read models were missing: they do not tell who wrote to which
/// line. Every state of a contact in memory is of an older version then.
///
/// # Panics
///
/// When the server refuses.
pub async fn forget_last_lines(pool: &PgPool) {
    sqlx::query!(
        "UPDATE contact_ids SET last_wrote_at = NULL, last_line_id = NULL, version = version + 1"
    )
    .execute(pool)
    .await
    .expect("the test server takes a change");
}

/// Writers that wait where every call that appends begins, until they are let go.
#[derive(Debug)]
pub struct Halted(Transaction<'static, Postgres>);

impl Halted {
    /// Lets the writers go on.
    ///
    /// # Panics
    ///
    /// When the server refuses.
    pub async fn let_go(self) {
        self.0
            .rollback()
            .await
            .expect("the test server ends a transaction");
    }
}

/// Halts all writers: the first takes what waits and can do nothing with it, and all that comes meanwhile will be one batch.
///
/// # Panics
///
/// When the server refuses.
pub async fn halt_writers(pool: &PgPool) -> Halted {
    let mut transaction = pool
        .begin()
        .await
        .expect("the test server begins a transaction");
    sqlx::query!("SELECT lock_log()")
        .execute(&mut *transaction)
        .await
        .expect("the test server locks the log");
    Halted(transaction)
}

/// Makes a database for one test.
///
/// # Panics
///
/// When there is no test server (run `make test`), or it refuses.
pub async fn database() -> TestDatabase {
    let mut server = connect_to_server().await;
    let template = template(&mut server).await;
    let name = create_copy(&mut server, &template).await;
    server
        .close()
        .await
        .expect("the test server ends a connection");

    let url = database_url(&server_url(), &name);
    let connector = connect_options(&url).expect("the server's URL was good before");
    let pool = connect::pool(connector, POOL_SIZE);
    TestDatabase { pool, url, name }
}

fn server_url() -> String {
    std::env::var(URL_VARIABLE).unwrap_or_else(|_| {
        panic!(
            "{URL_VARIABLE} is not set, so there is no database server for the tests. Run `make test`, or put \
             `cargo run -p docket-tests --bin with-postgres --` before the command."
        )
    })
}

/// `url` with another database. A later `dbname` wins over the path, for sqlx as for Postgres's own programs.
fn database_url(url: &str, name: &str) -> String {
    let separator = if url.contains('?') { '&' } else { '?' };
    format!("{url}{separator}dbname={name}")
}

async fn connect_to_server() -> PgConnection {
    connect_options(&server_url())
        .unwrap_or_else(|error| panic!("{URL_VARIABLE} is no URL of a Postgres database: {error}"))
        .connect()
        .await
        .unwrap_or_else(|error| panic!("the server in {URL_VARIABLE} takes no connection: {error}"))
}

/// The template with today's migrations, made if this server has none yet.
async fn template(server: &mut PgConnection) -> String {
    let name = template_name();
    // Most tests find it made, and need not wait for one another.
    if !exists(server, &name).await {
        execute(server, &format!("SELECT pg_advisory_lock({TEMPLATE_LOCK})")).await;
        if !exists(server, &name).await {
            make_template(server, &name).await;
        }
        execute(
            server,
            &format!("SELECT pg_advisory_unlock({TEMPLATE_LOCK})"),
        )
        .await;
    }
    name
}

async fn make_template(server: &mut PgConnection, name: &str) {
    // It gets its name when it is whole, so that one that a process left half made is never copied.
    let unfinished = format!("{name}_unfinished");
    execute(
        server,
        &format!("DROP DATABASE IF EXISTS {unfinished} WITH (FORCE)"),
    )
    .await;
    execute(
        server,
        &format!("CREATE DATABASE {unfinished} TEMPLATE template0"),
    )
    .await;
    let options = connect_options(&database_url(&server_url(), &unfinished))
        .expect("the server's URL was good before");
    let mut connection = options
        .for_migrations()
        .connect()
        .await
        .expect("the test server takes connections to the template");
    crate::MIGRATOR
        .run_direct(&mut connection)
        .await
        .unwrap_or_else(|error| panic!("the migrations cannot be applied: {error}"));
    connection
        .close()
        .await
        .expect("the test server ends a connection");
    execute(
        server,
        &format!("ALTER DATABASE {unfinished} RENAME TO {name}"),
    )
    .await;
}

/// The name says which migrations the template has, for a server may outlive a change of them.
fn template_name() -> String {
    let mut hash = Sha256::new();
    for migration in crate::MIGRATOR.iter() {
        hash.update(migration.version.to_be_bytes());
        hash.update(&migration.checksum);
    }
    format!("docket_template_{}", hex::encode(&hash.finalize()[..8]))
}

async fn create_copy(server: &mut PgConnection, template: &str) -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    loop {
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("docket_test_{}_{number}", std::process::id());
        let created = sqlx::query(&format!("CREATE DATABASE {name} TEMPLATE {template}"))
            .execute(&mut *server)
            .await;
        match created {
            Ok(_) => return name,
            // A server that outlives a run sees process ids again.
            Err(sqlx::Error::Database(refusal)) if refusal.code().as_deref() == Some("42P04") => {}
            Err(error) => panic!("the test server makes no database: {error}"),
        }
    }
}

async fn exists(server: &mut PgConnection, database: &str) -> bool {
    sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM pg_database WHERE datname = $1)")
        .bind(database)
        .fetch_one(server)
        .await
        .expect("the test server lists its databases")
}

async fn execute(server: &mut PgConnection, statement: &str) {
    if let Err(error) = sqlx::query(statement).execute(server).await {
        panic!("the test server refused `{statement}`: {error}");
    }
}

/// A checksum of every table of Docket's, by its name: two that are alike tell that nothing was written in between.
///
/// # Panics
///
/// When the server refuses.
pub async fn checksums(pool: &PgPool) -> BTreeMap<String, String> {
    let tables: Vec<String> = sqlx::query_scalar(
        "SELECT format('%I.%I', schemaname, tablename) FROM pg_tables WHERE schemaname IN ('public', 'docket_read')",
    )
    .fetch_all(pool)
    .await
    .expect("the test server lists its tables");
    let mut checksums = BTreeMap::new();
    for table in tables {
        let statement = format!(
            "SELECT md5(coalesce(string_agg(one, chr(10) ORDER BY one), '')) FROM (SELECT t::text AS one FROM {table} t) AS all_rows"
        );
        let checksum = sqlx::query_scalar(&statement).fetch_one(pool).await;
        checksums.insert(table, checksum.expect("the test server reads a table"));
    }
    checksums
}

/// Changes one bit of a stored secret, as somebody could who may write to the database.
///
/// # Panics
///
/// The database cannot be reached, or there is no such secret.
pub async fn spoil_secret(pool: &PgPool, name: &str) {
    let spoilt = sqlx::query!(
        "UPDATE installation_secrets SET ciphertext = set_byte(ciphertext, 0, get_byte(ciphertext, 0) # 1) WHERE name = $1",
        name,
    )
    .execute(pool)
    .await
    .expect("the database answers");
    assert_eq!(spoilt.rows_affected(), 1, "there is such a secret");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn databases_are_migrated_and_apart() {
        let (one, other) = tokio::join!(database(), database());
        assert_ne!(one.name, other.name);

        sqlx::query("CREATE TABLE public.mark ()")
            .execute(&one.pool)
            .await
            .unwrap();
        let seen: bool = sqlx::query_scalar("SELECT to_regclass('public.mark') IS NOT NULL")
            .fetch_one(&other.pool)
            .await
            .unwrap();
        assert!(!seen);

        let applied: i64 =
            sqlx::query_scalar("SELECT count(*) FROM public._sqlx_migrations WHERE success")
                .fetch_one(&one.pool)
                .await
                .unwrap();
        assert_eq!(
            usize::try_from(applied).unwrap(),
            crate::MIGRATOR.iter().count()
        );

        one.close().await;
        other.close().await;
    }

    #[tokio::test]
    async fn the_url_leads_to_the_same_database_with_the_same_search_path() {
        let database = database().await;
        let mut connection = connect_options(&database.url)
            .unwrap()
            .connect()
            .await
            .unwrap();

        let (name, search_path): (String, String) =
            sqlx::query_as("SELECT current_database(), current_setting('search_path')")
                .fetch_one(&mut connection)
                .await
                .unwrap();

        assert_eq!(name, database.name);
        assert_eq!(search_path, "docket_read,public,pg_temp");
        connection.close().await.unwrap();
        database.close().await;
    }

    #[tokio::test]
    async fn a_closed_database_is_gone() {
        let database = database().await;
        let name = database.name.clone();
        database.close().await;

        let mut server = connect_to_server().await;
        assert!(!exists(&mut server, &name).await);
    }
}
