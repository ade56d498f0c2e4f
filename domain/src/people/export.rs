//! Something that somebody took away: the log or a part of it, as a file or page by page.

use std::convert::Infallible;

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use super::aggregate;
use crate::ids::{ExportId, Reference};

/// What was taken away.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Exported {
    /// Events of the log.
    Log,
    /// A case with its proof.
    Case,
}

/// By which way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Via {
    /// The console.
    Console,
    /// The JSON API.
    Api,
    /// The command line of the server.
    CommandLine,
}

/// How somebody read the log without a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reading {
    /// Page by page.
    Pages,
    /// As a stream, as it grew.
    Stream,
    /// By searching it.
    Search,
}

/// What somebody was shown of cases in general.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Listing {
    /// A list of cases.
    List,
    /// What a search found; what was searched for is not recorded.
    Search,
    /// A list of contacts.
    Contacts,
    /// What a search of contacts found.
    ContactSearch,
}

impl Listing {
    /// A search where something was searched for, else a list.
    pub const fn of(is_search: bool) -> Self {
        if is_search { Self::Search } else { Self::List }
    }

    /// The same for contacts.
    pub const fn of_contacts(is_search: bool) -> Self {
        if is_search {
            Self::ContactSearch
        } else {
            Self::Contacts
        }
    }
}

/// An event of an [`Export`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ExportEvent {
    /// Somebody began to take something away; recorded before the first byte is given out.
    ExportBegun {
        /// The export's id.
        export_id: ExportId,
        /// What.
        what: Exported,
        /// By which way.
        via: Via,
        /// The position that it begins with.
        from: i64,
        /// The position that it ends with.
        to: i64,
        /// Only what was recorded then or later, where that was asked for.
        since: Option<DateTime<Utc>>,
        /// Only what was recorded before, where that was asked for.
        until: Option<DateTime<Utc>>,
        /// The case, where one case was taken away.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reference: Option<Reference>,
    },
    /// The export came to its end.
    ExportEnded {
        /// How many events were given out.
        events: i64,
        /// Whether that is all that was asked for; it is not where the reader went away or something failed.
        is_whole: bool,
    },
    /// Somebody began to read the log, other than as a file. What they read in the hour after is counted together.
    LogRead {
        /// The id of that hour of reading.
        export_id: ExportId,
        /// By which way.
        via: Via,
        /// How.
        how: Reading,
        /// The first position that they were given, or that a stream goes on behind.
        from: i64,
        /// How many events they were given at first; a stream is given none yet.
        events: i64,
        /// When they began.
        at: DateTime<Utc>,
    },
    /// Somebody was shown a list of cases or contacts, or searched them. What they list in the hour after is counted together.
    CasesListed {
        /// The id of that hour of lists.
        export_id: ExportId,
        /// By which way.
        via: Via,
        /// A list or a search, and of what.
        how: Listing,
        /// When they began.
        at: DateTime<Utc>,
    },
    /// They listed or searched more within the hour.
    CasesListedOn {
        /// How many times more.
        times: u32,
        /// When the last time was.
        until: DateTime<Utc>,
    },
    /// They read on within the hour.
    LogReadOn {
        /// How many events more they were given.
        events: i64,
        /// The last position that they were given.
        to: i64,
        /// When that was.
        until: DateTime<Utc>,
    },
}

/// Reading of one person, with one token, is recorded together for so long.
pub const READING_WINDOW: TimeDelta = TimeDelta::hours(1);

/// A command to an [`Export`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ExportCommand {
    /// Record its beginning, by its event.
    Begin(ExportEvent),
    /// Record its end.
    End {
        /// How many events were given out.
        events: i64,
        /// Whether that is all that was asked for.
        is_whole: bool,
    },
    /// Record that more lists of cases were shown.
    ListedOn {
        /// How many times more.
        times: u32,
        /// When the last time was.
        until: DateTime<Utc>,
    },
    /// Record that the reader read on.
    ReadOn {
        /// How many events more they were given.
        events: i64,
        /// The last position that they were given.
        to: i64,
        /// When that was.
        until: DateTime<Utc>,
    },
}

/// An export as its events have made it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Export {
    version: u64,
}

impl Export {
    /// How many events it has.
    pub const fn version(&self) -> u64 {
        self.version
    }

    /// Decides a command: it begins once and ends once.
    ///
    /// # Errors
    ///
    /// None.
    pub fn decide(&self, command: ExportCommand) -> Result<Vec<ExportEvent>, Infallible> {
        Ok(match (command, self.version) {
            (
                ExportCommand::Begin(
                    event @ (ExportEvent::ExportBegun { .. }
                    | ExportEvent::LogRead { .. }
                    | ExportEvent::CasesListed { .. }),
                ),
                0,
            ) => vec![event],
            (ExportCommand::ReadOn { events, to, until }, 1..) => {
                vec![ExportEvent::LogReadOn { events, to, until }]
            }
            (ExportCommand::ListedOn { times, until }, 1..) => {
                vec![ExportEvent::CasesListedOn { times, until }]
            }
            (ExportCommand::End { events, is_whole }, 1) => {
                vec![ExportEvent::ExportEnded { events, is_whole }]
            }
            _ => vec![],
        })
    }

    /// Takes one event in.
    pub const fn evolve(&mut self, _: &ExportEvent) {
        self.version += 1;
    }
}

aggregate! { Export = "Export", ExportCommand, ExportEvent, Infallible; ExportBegun, ExportEnded, LogRead, CasesListed, CasesListedOn, LogReadOn }

#[cfg(test)]
mod tests {
    use cqrs_es::test::TestFramework;
    use uuid::Uuid;

    use super::*;

    #[test]
    fn an_export_begins_once_and_ends_once() {
        let begun = ExportEvent::ExportBegun {
            export_id: ExportId(Uuid::nil()),
            what: Exported::Log,
            via: Via::Console,
            from: 1,
            to: 9,
            since: None,
            until: None,
            reference: None,
        };
        let ended = ExportEvent::ExportEnded {
            events: 9,
            is_whole: true,
        };
        let end = ExportCommand::End {
            events: 9,
            is_whole: true,
        };
        let given = |events| TestFramework::<Export>::with(()).given(events);
        given(vec![])
            .when(ExportCommand::Begin(begun.clone()))
            .then_expect_events(vec![begun.clone()]);
        given(vec![begun.clone()])
            .when(ExportCommand::Begin(begun.clone()))
            .then_expect_events(vec![]);
        given(vec![begun.clone()])
            .when(end.clone())
            .then_expect_events(vec![ended.clone()]);
        given(vec![begun, ended])
            .when(end.clone())
            .then_expect_events(vec![]);
        given(vec![]).when(end).then_expect_events(vec![]);
    }
}
