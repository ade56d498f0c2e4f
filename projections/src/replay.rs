//! A case replayed from its own stream, by stock cqrs-es and postgres-es.
//!
//! The console and the API show an old case by pages, from read models and the log's indexes. Whoever audits a case wants an answer
//! that rests on its events alone. [`case`] loads the whole stream through postgres-es with the upcasters of the log, and evolves the
//! aggregate: no read model and no statement of Docket's own takes part.

use cqrs_es::EventStore as _;
use cqrs_es::persist::PersistedEventStore;
use docket_domain::case::{Case, CaseError};
use docket_domain::ids::Reference;
use postgres_es::PostgresEventRepository;
use sqlx::PgPool;

use crate::log::upcasters::upcasters;

/// Why a case could not be replayed.
#[derive(Debug, thiserror::Error)]
#[error("the events of case #{reference} could not be replayed")]
pub struct ReplayError {
    /// The case.
    reference: Reference,
    source: cqrs_es::AggregateError<CaseError>,
}

/// The case as its first `sequence` events make it. A case without events has no state.
///
/// All events of the stream are in memory meanwhile.
///
/// # Errors
///
/// [`ReplayError`]: the database failed, or an event is not of a form that this version knows.
pub async fn case(pool: &PgPool, reference: Reference, sequence: u64) -> Result<Case, ReplayError> {
    let repository = PostgresEventRepository::new(pool.clone());
    let store: PersistedEventStore<PostgresEventRepository, Case> =
        PersistedEventStore::new_event_store(repository).with_upcasters(upcasters());
    let events = store
        .load_events(&reference.to_string())
        .await
        .map_err(|source| ReplayError { reference, source })?;
    let mut case = Case::default();
    for event in events {
        if u64::try_from(event.sequence).is_ok_and(|at| at <= sequence) {
            case.evolve(&event.payload);
        }
    }
    Ok(case)
}
