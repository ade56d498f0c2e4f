//! The case that opens when one was closed, for those who want that.

use docket_domain::ids::Reference;
use docket_projections::read::cases::{self, CaseState};

use super::Failed;
use super::place::Place;
use super::session::Session;
use crate::app::App;

/// The open case that stands after this one in the list that the person works through, or else the list's first; `None` where they
/// want none, or there is none.
pub(super) async fn after(
    app: &App,
    session: &Session,
    place: &Place,
    closed: Reference,
) -> Result<Option<Reference>, Failed> {
    if !session.preferences.next_case {
        return Ok(None);
    }
    let Some(row) = cases::find(&app.pool, closed).await? else {
        return Ok(None);
    };
    let mut filter = place.filter(session);
    filter.state = Some(CaseState::Open);
    let behind = row.cursor();
    for cursor in [Some(behind), None] {
        let rows = cases::list(&app.pool, &filter, cursor, 2).await?;
        let next = rows.iter().find(|row| row.reference != closed);
        if let Some(next) = next {
            return Ok(Some(next.reference));
        }
    }
    Ok(None)
}
