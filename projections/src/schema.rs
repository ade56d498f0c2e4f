//! Making missing tables of the read models anew, as after restoring a dump without their schema.
//!
//! Migrations are recorded as applied then, so they make nothing. [`repair`] runs the applied ones again in two scratch schemas,
//! which gives every table as it should be, empty, and moves those that are missing to their place. All of it is one transaction.
//! The read models that got a table are noted as empty, so that nothing is decided on them or read from them before they are
//! rebuilt.
//!
//! This holds for every migration that names the schemas `docket_read` and `public` only where it makes or alters a table of a read
//! model, switches the search path, or calls a function of `public`; a test compares its outcome with the migrations' own.
//!
//! The statements are the migrations' and the catalogue's, and table names are only known when it runs, so the compiler cannot
//! check them.

use sqlx::{Connection, Executor, PgConnection};

use crate::connect::Connector;
use crate::model_versions::EMPTIED;
use crate::read::ReadModels;

/// Where the tables of read models are made.
const SCRATCH: &str = "docket_scratch";
/// Where everything else that migrations make goes.
const SCRATCH_PUBLIC: &str = "docket_scratch_rest";
/// Held by whoever repairs, so that there is only one.
const ADVISORY_LOCK: i64 = 0x0064_6f63_6b65_7402;

/// Makes tables of read models that are missing. Gives their names; does nothing where the database has no tables of Docket yet.
///
/// # Errors
///
/// The database's error; nothing has changed then.
pub async fn repair(connector: &Connector) -> Result<Vec<String>, sqlx::Error> {
    let mut conn = connector.for_migrations().connect().await?;
    let made = repair_on(&mut conn).await?;
    conn.close().await?;
    Ok(made)
}

async fn repair_on(conn: &mut PgConnection) -> Result<Vec<String>, sqlx::Error> {
    let applied = applied(conn).await?;
    let Some(last) = applied else {
        return Ok(vec![]);
    };
    let is_up_to_date = crate::MIGRATOR.iter().all(|known| known.version <= last);
    // Only the migrations tell which tables an older database should have.
    if is_up_to_date && missing(conn, &tables()).await?.is_empty() {
        return Ok(vec![]);
    }
    let mut tx = conn.begin().await?;
    tx.execute(&*format!("SELECT pg_advisory_xact_lock({ADVISORY_LOCK})"))
        .await?;
    tx.execute(&*format!(
        "SET LOCAL client_min_messages = warning;
         DROP SCHEMA IF EXISTS {SCRATCH}, {SCRATCH_PUBLIC} CASCADE;
         CREATE SCHEMA {SCRATCH_PUBLIC};
         SET LOCAL search_path = {SCRATCH_PUBLIC}"
    ))
    .await?;
    for migration in crate::MIGRATOR.iter().filter(|known| known.version <= last) {
        tx.execute(&*in_scratch(&migration.sql)).await?;
    }
    tx.execute("SET LOCAL search_path = public").await?;
    let made = move_missing(&mut tx).await?;
    tx.execute(&*format!(
        "DROP SCHEMA IF EXISTS {SCRATCH}, {SCRATCH_PUBLIC} CASCADE"
    ))
    .await?;
    note_emptied(&mut tx, &made).await?;
    tx.commit().await?;
    Ok(made)
}

/// The migration's statements, for the scratch schemas. Functions of `public` are called where they are: indexes depend on them.
fn in_scratch(sql: &str) -> String {
    sql.replace("docket_read", SCRATCH).replace(
        "search_path = public",
        &format!("search_path = {SCRATCH_PUBLIC}"),
    )
}

/// The last migration that was applied; `None` where none was.
async fn applied(conn: &mut PgConnection) -> Result<Option<i64>, sqlx::Error> {
    let is_there: bool =
        sqlx::query_scalar("SELECT to_regclass('public._sqlx_migrations') IS NOT NULL")
            .fetch_one(&mut *conn)
            .await?;
    if !is_there {
        return Ok(None);
    }
    sqlx::query_scalar("SELECT max(version) FROM public._sqlx_migrations WHERE success")
        .fetch_one(conn)
        .await
}

fn tables() -> Vec<String> {
    ReadModels::ALL
        .iter()
        .flat_map(|model| model.tables)
        .map(|table| (*table).to_owned())
        .collect()
}

async fn missing(conn: &mut PgConnection, tables: &[String]) -> Result<Vec<String>, sqlx::Error> {
    sqlx::query_scalar(
        "SELECT t.name FROM unnest($1::text[]) AS t (name)
          WHERE to_regclass('docket_read.' || quote_ident(t.name)) IS NULL ORDER BY t.name",
    )
    .bind(tables)
    .fetch_all(conn)
    .await
}

async fn move_missing(conn: &mut PgConnection) -> Result<Vec<String>, sqlx::Error> {
    let made: Vec<String> = sqlx::query_scalar(
        "SELECT relname::text FROM pg_class WHERE relnamespace = to_regnamespace($1) AND relkind = 'r'",
    )
    .bind(SCRATCH)
    .fetch_all(&mut *conn)
    .await?;
    let missing = missing(&mut *conn, &made).await?;
    if missing.is_empty() {
        return Ok(missing);
    }
    conn.execute("CREATE SCHEMA IF NOT EXISTS docket_read")
        .await?;
    for table in &missing {
        conn.execute(&*format!(
            "ALTER TABLE {SCRATCH}.{table} SET SCHEMA docket_read"
        ))
        .await?;
    }
    Ok(missing)
}

/// Notes that the models of these tables are empty, unless the log is.
async fn note_emptied(conn: &mut PgConnection, tables: &[String]) -> Result<(), sqlx::Error> {
    let models: Vec<&str> = ReadModels::ALL
        .iter()
        .filter(|model| {
            model
                .tables
                .iter()
                .any(|table| tables.iter().any(|made| made == table))
        })
        .map(|model| model.name)
        .collect();
    if models.is_empty() {
        return Ok(());
    }
    sqlx::query(
        "INSERT INTO public.projection_versions (name, version, built_at)
         SELECT m.name, $2, now() FROM unnest($1::text[]) AS m (name)
          WHERE EXISTS (SELECT FROM public.log_head WHERE position > 0)
         ON CONFLICT (name) DO UPDATE SET version = excluded.version, built_at = excluded.built_at",
    )
    .bind(&models)
    .bind(EMPTIED)
    .execute(conn)
    .await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn migrations_are_made_to_speak_of_scratch_schemas() {
        assert_eq!(
            in_scratch(
                "SET LOCAL search_path = docket_read;\nCREATE INDEX i ON docket_read.t (public.f(x));\nSET LOCAL search_path = public;"
            ),
            "SET LOCAL search_path = docket_scratch;\nCREATE INDEX i ON docket_scratch.t (public.f(x));\nSET LOCAL search_path = docket_scratch_rest;"
        );
    }
}
