//! How the database is: its size, the log, and the read models.

use chrono::{DateTime, Utc};
use sqlx::PgExecutor;

use crate::read::ReadModels;

/// The database and the log in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Store {
    /// How much room the database takes, in bytes, indexes included.
    pub size_bytes: u64,
    /// How many events the log has.
    pub events: u64,
    /// When the last of them was recorded.
    pub last_event_at: Option<DateTime<Utc>>,
}

/// A read model, as it is in the database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Model {
    /// Its name.
    pub name: &'static str,
    /// The version that this program builds.
    pub version: i32,
    /// The version that is there; `None` where it was never built from a log.
    pub built: Option<i32>,
    /// When that was built.
    pub built_at: Option<DateTime<Utc>>,
}

impl Model {
    /// Whether it is what this program builds.
    pub fn is_current(&self) -> bool {
        self.built == Some(self.version)
    }
}

/// How the database is.
///
/// # Errors
///
/// The database's error.
pub async fn store(executor: impl PgExecutor<'_>) -> Result<Store, sqlx::Error> {
    let found = sqlx::query!(
        r#"SELECT pg_database_size(current_database()) AS "size!", position AS "position!", recorded_at AS last_event_at
           FROM log_head"#
    )
    .fetch_one(executor)
    .await?;
    Ok(Store {
        size_bytes: found.size.cast_unsigned(),
        events: found.position.cast_unsigned(),
        last_event_at: found.last_event_at,
    })
}

/// Every read model.
///
/// # Errors
///
/// The database's error.
pub async fn models(executor: impl PgExecutor<'_>) -> Result<Vec<Model>, sqlx::Error> {
    let rows = sqlx::query!("SELECT name, version, built_at FROM projection_versions")
        .fetch_all(executor)
        .await?;
    let models = ReadModels::ALL.iter().map(|model| {
        let built = rows.iter().find(|row| row.name == model.name);
        Model {
            name: model.name,
            version: model.version,
            built: built.map(|built| built.version),
            built_at: built.map(|built| built.built_at),
        }
    });
    Ok(models.collect())
}
