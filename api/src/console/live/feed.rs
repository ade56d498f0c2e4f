//! What changed lately, read from the log once for all pages that listen.
//!
//! Whoever comes first after an event reads on; the others find what was read. So the log is read as often as it grows, however many
//! listen. Who comes back after long reads for themselves.

use std::collections::VecDeque;
use std::sync::Arc;

use docket_domain::event::is_about_people;
use docket_domain::ids::{Reference, SurveyId};
use docket_projections::DatabaseError;
use docket_projections::log::changes;
use tokio::sync::Mutex;
use uuid::Uuid;

use crate::app::App;

/// How many events of the log are read at once.
const PAGE: i64 = 500;
/// So many are kept.
const KEPT: usize = 4_000;

/// What happened, as far as a page has to know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum What {
    /// Something in a case.
    Case {
        reference: Reference,
        survey_id: Option<SurveyId>,
        sequence: i64,
        /// Whether lists show something else of it.
        row: bool,
    },
    /// Surveys, lines or the like.
    Settings,
    /// A session ended.
    SignedOut(Uuid),
    /// Something about a person who signs in.
    User(Uuid),
    /// What no page shows.
    Nothing,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Change {
    position: i64,
    pub(super) what: What,
}

/// What changed since, and up to where.
pub(super) struct Batch {
    pub(super) changes: Vec<Change>,
    pub(super) to: i64,
}

/// What is kept holds every change behind `from`, up to `to`.
#[derive(Default)]
struct Window {
    changes: VecDeque<Change>,
    from: i64,
    to: i64,
}

/// What changed lately; cloning it is cheap.
#[derive(Clone, Default)]
pub(in crate::console) struct Feed(Arc<Mutex<Window>>);

impl Feed {
    /// What changed behind that position, or the first of it.
    pub(super) async fn since(&self, app: &App, after: i64) -> Result<Batch, DatabaseError> {
        let head = *app.ledger.head().borrow();
        let mut window = self.0.lock().await;
        if window.to < after {
            *window = Window {
                changes: VecDeque::new(),
                from: after,
                to: after,
            };
        }
        if after < window.from {
            drop(window);
            return Ok(batch(read(app, after).await?, after));
        }
        if window.to < head {
            for change in read(app, window.to).await? {
                window.to = change.position;
                window.changes.push_back(change);
            }
            while window.changes.len() > KEPT {
                if let Some(oldest) = window.changes.pop_front() {
                    window.from = oldest.position;
                }
            }
        }
        let begin = window
            .changes
            .partition_point(|change| change.position <= after);
        let changes = window.changes.iter().skip(begin).copied().collect();
        Ok(batch(changes, after))
    }
}

fn batch(changes: Vec<Change>, after: i64) -> Batch {
    Batch {
        to: changes.last().map_or(after, |last| last.position),
        changes,
    }
}

async fn read(app: &App, after: i64) -> Result<Vec<Change>, DatabaseError> {
    let read = changes::page(&app.pool, after, PAGE).await?;
    let changes = read.iter().map(|change| Change {
        position: change.position,
        what: what(change),
    });
    Ok(changes.collect())
}

fn what(change: &changes::Change) -> What {
    let id = change.aggregate_id.as_str();
    match change.aggregate_type.as_str() {
        // The cases that it concerns say it too.
        "Contact" => What::Nothing,
        "Case" => id.parse().map_or(What::Nothing, |reference| What::Case {
            reference,
            survey_id: change.survey_id,
            sequence: change.sequence,
            row: is_in_lists(&change.event_type),
        }),
        "Session" if change.event_type == "SignedOut" => {
            id.parse().map_or(What::Nothing, What::SignedOut)
        }
        "User" => id.parse().map_or(What::Nothing, What::User),
        other if is_about_people(other) => What::Nothing,
        _ => What::Settings,
    }
}

/// Whether lists of cases show something of such an event. How a message fares on its way, and notes, stand in the thread alone.
fn is_in_lists(event_type: &str) -> bool {
    !matches!(
        event_type,
        "NoteAdded"
            | "MediaStored"
            | "MediaFailed"
            | "ReactionReceived"
            | "MessageSending"
            | "MessageDeferred"
            | "MessageSent"
            | "MessageIdentified"
            | "MessageDelivered"
            | "MessageRead"
            | "MessageUncertain"
            | "MessageFailed"
            | "MessageRequeued"
    )
}
