//! Why transactions come to nothing, and what is to be done about it.

use crate::log::reader::ReadError;
use crate::model_versions::Verdict;
use crate::outage::{Severity, is_missing_table, severity};

/// Why a transaction came to nothing.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    /// Somebody else was faster; fresh state will do.
    #[error("somebody else wrote meanwhile")]
    Conflict(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The settings in memory were not the newest; they are now.
    #[error("the settings have changed")]
    NewSettings,
    /// The connection is of no use any more.
    #[error("the connection to the database broke, or the database takes no changes")]
    Connection(#[source] sqlx::Error),
    /// The read models that decisions rest on are not those of this version.
    #[error("{0}")]
    ReadModels(Verdict),
    /// A table of a read model is missing.
    #[error("a table or column is missing")]
    Missing(#[source] sqlx::Error),
    /// A newer version of Docket wrote something that this one cannot read.
    #[error("an event is not of a form that this version knows")]
    Newer(#[source] ReadError),
    /// It would fail again.
    #[error("the transaction failed")]
    Poison(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl From<sqlx::Error> for Failure {
    fn from(error: sqlx::Error) -> Self {
        match severity(&error) {
            Severity::Outage => Self::Connection(error),
            Severity::Conflict => Self::Conflict(error.into()),
            Severity::Fault if is_missing_table(&error) => Self::Missing(error),
            Severity::Fault => Self::Poison(Box::new(error)),
        }
    }
}

impl From<ReadError> for Failure {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Database(error) => error.into(),
            ReadError::Unreadable(_) => Self::Newer(error),
            other @ ReadError::Metadata { .. } => Self::Poison(Box::new(other)),
        }
    }
}
