//! Whether the database was changed by a newer Docket: migrations and events that this one does not know.

use sqlx::{Connection, Executor, PgConnection, Row};

use super::{Unsuitable, failed, text};
use crate::connect::Connector;
use crate::log::upcasters::{Stored, upcasters};
use crate::watch::format;

/// A log of so many events is searched in a fraction of a second, and is searched whole at every start.
const SEARCHED_WHOLE: i64 = 200_000;
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Whether the applied migrations are the first of ours, or all of them.
pub(super) async fn check_migrations(conn: &mut PgConnection) -> Result<(), Unsuitable> {
    if !is_there(conn, "_sqlx_migrations").await? {
        if is_there(conn, "events").await? && is_there(conn, "log_head").await? {
            return Err(Unsuitable::new(
                "the database holds tables of Docket, and not the list of migrations that made them, public._sqlx_migrations: \
                 restore the whole schema public of the dump into an empty database",
            ));
        }
        return Ok(());
    }
    let rows = conn
        .fetch_all(
            "SELECT version::text AS version, success::text AS success, encode(checksum, 'hex') AS checksum
               FROM public._sqlx_migrations ORDER BY public._sqlx_migrations.version",
        )
        .await
        .map_err(|error| failed(&error))?;
    let last = crate::MIGRATOR
        .iter()
        .map(|known| known.version)
        .max()
        .unwrap_or_default();
    for row in rows {
        let version: i64 = text(&row, "version")?.parse().unwrap_or_default();
        let Some(known) = crate::MIGRATOR
            .iter()
            .find(|known| known.version == version)
        else {
            let opened_by = opened_by(conn).await?;
            return Err(Unsuitable::newer(format!(
                "the database was brought up to date by a newer Docket{opened_by}: it has migration {version}, and this Docket \
                 {VERSION} knows migrations up to {last}: start that version or a newer one; docket export-log works all the same"
            )));
        };
        if text(&row, "success")? != "true" {
            return Err(Unsuitable::new(format!(
                "migration {version} of the database broke off half-way: restore the backup from before it, and start Docket again"
            )));
        }
        if text(&row, "checksum")? != hex::encode(&known.checksum) {
            return Err(Unsuitable::newer(format!(
                "migration {version} of the database is not the one that this Docket {VERSION} has, so another build of Docket made \
                 it: start that one; docket export-log works all the same"
            )));
        }
    }
    Ok(())
}

/// Whether every form of event in the log can be read. Of a long log, the part that was found readable before is not searched again.
/// Gives the position up to which it was.
pub(super) async fn check_events(conn: &mut PgConnection) -> Result<i64, Unsuitable> {
    if !is_there(conn, "events").await? {
        return Ok(0);
    }
    let row = conn
        .fetch_one("SELECT position::text AS position FROM public.log_head")
        .await
        .map_err(|error| failed(&error))?;
    let head = text(&row, "position")?.parse().unwrap_or_default();
    let known = if head > SEARCHED_WHOLE {
        known_to(conn).await?
    } else {
        0
    };
    // One event of each form stands for all of them.
    let rows = conn
        .fetch_all(&*format!(
            "SELECT e.aggregate_type, e.aggregate_id, e.sequence::text AS sequence, e.event_type, e.event_version,
                    e.payload::text AS payload, e.position::text AS position
               FROM (SELECT max(position) AS position FROM public.events WHERE position > {known}
                      GROUP BY aggregate_type, event_type, event_version) AS form
               JOIN public.events e USING (position) ORDER BY e.position"
        ))
        .await
        .map_err(|error| failed(&error))?;
    let upcasters = upcasters();
    for row in rows {
        let (aggregate_type, aggregate_id) =
            (text(&row, "aggregate_type")?, text(&row, "aggregate_id")?);
        let (event_type, event_version) = (text(&row, "event_type")?, text(&row, "event_version")?);
        let stored = Stored {
            aggregate_type: &aggregate_type,
            aggregate_id: &aggregate_id,
            sequence: text(&row, "sequence")?.parse().unwrap_or_default(),
            event_type: &event_type,
            event_version: &event_version,
            payload: &text(&row, "payload")?,
        };
        if stored.decode(&upcasters).is_err() {
            let opened_by = opened_by(conn).await?;
            return Err(Unsuitable::newer(format!(
                "the log holds an event that this Docket {VERSION} does not know{opened_by}: {event_type} version {event_version} of \
                 {aggregate_type}, at position {}: start the version of Docket that recorded it or a newer one; docket export-log \
                 works all the same",
                text(&row, "position")?,
            )));
        }
    }
    Ok(head)
}

/// Notes that the log up to `position` was found readable by [`check`](super::check), so that the next start need not search it. To
/// be called when the migrations are applied.
///
/// # Errors
///
/// The database's error.
pub async fn note_known(connector: &Connector, position: i64) -> Result<(), sqlx::Error> {
    let mut conn = connector.connect().await?;
    sqlx::query!(
        "INSERT INTO known_log (version, format, position) VALUES ($1, $2, $3)
         ON CONFLICT (only_row) DO UPDATE
            SET version = excluded.version, format = excluded.format, position = excluded.position
          WHERE known_log.format <= excluded.format
            AND (known_log.version, known_log.format, known_log.position) IS DISTINCT FROM
                (excluded.version, excluded.format, excluded.position)",
        VERSION,
        format(),
        position,
    )
    .execute(&mut conn)
    .await?;
    conn.close().await
}

/// Up to which position this version, or one that knew no more, has found the log readable.
async fn known_to(conn: &mut PgConnection) -> Result<i64, Unsuitable> {
    if !is_there(conn, "known_log").await? {
        return Ok(0);
    }
    let row = conn
        .fetch_optional(&*format!(
            "SELECT least(known_log.position, log_head.position)::text AS position
               FROM public.known_log, public.log_head WHERE format <= {}",
            format()
        ))
        .await
        .map_err(|error| failed(&error))?;
    let position = row.map(|row| text(&row, "position")).transpose()?;
    Ok(position
        .and_then(|position| position.parse().ok())
        .unwrap_or_default())
}

/// The newest Docket that has opened the database, as part of a sentence.
async fn opened_by(conn: &mut PgConnection) -> Result<String, Unsuitable> {
    if !is_there(conn, "known_log").await? {
        return Ok(String::new());
    }
    let row = conn
        .fetch_optional(&*format!(
            "SELECT version FROM public.known_log WHERE format > {}",
            format()
        ))
        .await
        .map_err(|error| failed(&error))?;
    let version = row.map(|row| text(&row, "version")).transpose()?;
    Ok(version.map_or_else(String::new, |version| format!(" (Docket {version})")))
}

async fn is_there(conn: &mut PgConnection, table: &str) -> Result<bool, Unsuitable> {
    let row = conn
        .fetch_one(&*format!(
            "SELECT (to_regclass('public.{table}') IS NOT NULL)::text AS is_there"
        ))
        .await
        .map_err(|error| failed(&error))?;
    let is_there: String = row.try_get("is_there").map_err(|error| failed(&error))?;
    Ok(is_there == "true")
}
