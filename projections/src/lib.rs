//! The append log, the projection handlers and every SQL statement.
//!
//! [`ledger`] is the one write path, [`log`] the one truth, [`read`] what is built from it.

pub mod accounts;
pub mod activity;
pub mod append;
pub mod connect;
pub mod evidence;
pub mod health;
pub mod history;
pub mod idempotency;
pub mod ledger;
pub mod log;
pub mod media_claims;
pub mod media_uploads;
mod model_versions;
pub mod outage;
pub mod outbox_claims;
pub mod presence;
pub mod private_postgres;
pub mod read;
pub mod read_marks;
pub mod rebuild;
pub mod replay;
pub mod saved_views;
pub mod schema;
pub mod secrets;
pub mod sessions;
pub mod settings;
pub mod surroundings;
#[cfg(feature = "testing")]
pub mod testing;
pub mod watch;
pub mod writing;

use sqlx::Connection;

/// The database's own types, so that nobody above needs sqlx, and no statement can come up there.
pub use sqlx::{Error as DatabaseError, PgPool};

pub use self::connect::Connector;
pub use self::model_versions::Verdict;

/// The migrations that make and change the database's tables, in order.
pub static MIGRATOR: sqlx::migrate::Migrator = sqlx::migrate!("../migrations");

/// Applies the migrations that the database has not seen yet; several processes may do so at once.
///
/// # Errors
///
/// The database cannot be reached, or a migration failed or was changed after it had been applied.
pub async fn migrate(connector: &Connector) -> Result<(), sqlx::migrate::MigrateError> {
    // Migrations alter tables of read models, which a restored dump may lack.
    schema::repair(connector).await?;
    // sqlx keeps its list in the first schema of the search path, so the read models' schema must not stand first.
    let mut conn = connector.for_migrations().connect().await?;
    MIGRATOR.run_direct(&mut conn).await?;
    conn.close().await?;
    Ok(())
}
