//! What somebody reaches: cases of other surveys are as if they were not there.
//!
//! Both doors, the console's and the API's, ask here before any handler whose path names a case; a handler need not. What always
//! holds: who is kept to some surveys gets one and the same answer for a case out of reach and for one that does not exist,
//! whatever else is wrong with the request. Lists narrow their filter with [`Access::narrow`].

use axum::extract::{FromRequestParts as _, RawPathParams};
use axum::http::request::Parts;
use docket_domain::access::Access;
use docket_domain::ids::Reference;
use docket_projections::read::cases;
use docket_projections::{DatabaseError, PgPool};

/// Those of the cases that are reached, in the order of their references where only some surveys are.
///
/// # Errors
///
/// The database's error.
pub async fn visible(
    pool: &PgPool,
    access: &Access,
    references: Vec<Reference>,
) -> Result<Vec<Reference>, DatabaseError> {
    match access.surveys() {
        None => Ok(references),
        Some(surveys) => cases::within(pool, &references, &surveys).await,
    }
}

/// Whether a case is reached. Where all surveys are, nothing is asked, and a case that does not exist counts as reached.
///
/// # Errors
///
/// The database's error.
pub async fn is_visible(
    pool: &PgPool,
    access: &Access,
    reference: Reference,
) -> Result<bool, DatabaseError> {
    Ok(!visible(pool, access, vec![reference]).await?.is_empty())
}

/// The case that a path names as `{reference}`; `None` where it names none, or what stands there is no reference.
pub async fn named(parts: &mut Parts) -> Option<Reference> {
    let params = RawPathParams::from_request_parts(parts, &()).await.ok()?;
    let (_, text) = params.iter().find(|(name, _)| *name == "reference")?;
    text.parse().ok()
}
