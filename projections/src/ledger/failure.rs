//! Why transactions come to nothing, and what is to be done about it.

use crate::log::reader::ReadError;

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
    #[error("the connection to the database broke")]
    Connection(#[source] sqlx::Error),
    /// The answer to COMMIT is missing, and so is an answer to the question whether it has committed.
    #[error("whether the transaction has committed is not known")]
    Unknown(#[source] ReadError),
    /// It would fail again.
    #[error("the transaction failed")]
    Poison(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl From<sqlx::Error> for Failure {
    fn from(error: sqlx::Error) -> Self {
        match &error {
            sqlx::Error::Database(database) => match database.code().as_deref() {
                // Serialisation failure, deadlock, lock not available.
                Some("40001" | "40P01" | "55P03") => Self::Conflict(error.into()),
                // Statement timeout, admin shutdown, crash shutdown, cannot connect now, idle session or transaction ended.
                Some("57014" | "57P01" | "57P02" | "57P03" | "57P05" | "25P03") => {
                    Self::Connection(error)
                }
                // Out of resources: disk full, memory, connections.
                Some(code) if code.starts_with("53") || code.starts_with("08") => {
                    Self::Connection(error)
                }
                // What came up at the same time elsewhere is found by the next try: an event, a line, a user, a key.
                Some("23505") => Self::Conflict(error.into()),
                _ => Self::Poison(Box::new(error)),
            },
            sqlx::Error::Io(_)
            | sqlx::Error::Tls(_)
            | sqlx::Error::Protocol(_)
            | sqlx::Error::WorkerCrashed => Self::Connection(error),
            _ => Self::Poison(Box::new(error)),
        }
    }
}

impl From<ReadError> for Failure {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Database(error) => error.into(),
            other => Self::Poison(Box::new(other)),
        }
    }
}
