//! Lists and searches of cases, counted by the hour: the first of an hour is recorded at once, the others when the hour is over.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use chrono::{DateTime, Utc};
use docket_domain::ids::{ExportId, TokenId, UserId};
use docket_domain::people::export::{ExportCommand, ExportEvent, Listing, READING_WINDOW, Via};
use docket_projections::log::recorded::Metadata;

use crate::operations::Asked;
use crate::operations::people::RecordExport;

/// So many hours are counted at once; beyond them each list begins an hour of its own.
const MAX_HOURS: usize = 5_000;

/// What is counted together: by one person, with one token, in one way.
type Key = (UserId, Option<TokenId>, Via, Listing);

struct Hour {
    export_id: ExportId,
    metadata: Metadata,
    began_at: DateTime<Utc>,
    more: u32,
    until: DateTime<Utc>,
}

impl Hour {
    fn end(self) -> Option<RecordExport> {
        (self.more > 0).then_some(RecordExport {
            export_id: self.export_id,
            command: ExportCommand::ListedOn {
                times: self.more,
                until: self.until,
            },
            metadata: self.metadata,
        })
    }
}

/// The hours that are not over.
#[derive(Default)]
pub(super) struct Listings(Mutex<HashMap<Key, Hour>>);

impl Listings {
    /// Counts a list that somebody is shown; gives what is to be recorded now. `export_id` is for the hour that it may begin.
    pub(super) fn count(
        &self,
        asked: &Asked,
        via: Via,
        how: Listing,
        at: DateTime<Utc>,
        export_id: ExportId,
    ) -> Vec<RecordExport> {
        let key = (asked.user_id, asked.token_id, via, how);
        let mut hours = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(hour) = hours.get_mut(&key)
            && at - hour.began_at < READING_WINDOW
        {
            hour.more = hour.more.saturating_add(1);
            hour.until = at;
            return vec![];
        }
        let metadata = asked.metadata();
        let begun = RecordExport {
            export_id,
            command: ExportCommand::Begin(ExportEvent::CasesListed {
                export_id,
                via,
                how,
                at,
            }),
            metadata: metadata.clone(),
        };
        let over = hours.remove(&key).and_then(Hour::end);
        if hours.len() < MAX_HOURS {
            let hour = Hour {
                export_id,
                metadata,
                began_at: at,
                more: 0,
                until: at,
            };
            hours.insert(key, hour);
        }
        over.into_iter().chain([begun]).collect()
    }

    /// What is to be recorded of the hours that are over, or of all.
    pub(super) fn over(&self, now: DateTime<Utc>, all: bool) -> Vec<RecordExport> {
        let mut hours = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let over = hours.extract_if(|_, hour| all || now - hour.began_at >= READING_WINDOW);
        over.filter_map(|(_, hour)| hour.end()).collect()
    }
}
