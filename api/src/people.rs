//! What people are called, and who reads the answer that a task makes.
//!
//! Read models and events know people by their addresses; pages, the API and the terminal show the names that people have today. The
//! names are kept in memory and read again when a user has changed: every request learns from its session or its token how many
//! events the users have.
//!
//! The reader of an answer stands beside the task, as the request's id does: times are written in the reader's time zone and names
//! are looked up wherever words are made. Outside of a request, and in answers that go on for long, times are in UTC and people are
//! known by their addresses.

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::Arc;

use arc_swap::ArcSwap;
use axum::extract::Request;
use axum::http::{Extensions, HeaderMap};
use axum::middleware::Next;
use axum::response::Response;
use chrono::{DateTime, NaiveDate, Utc};
use docket_domain::text::time_zone::{self, TimeZone};
use docket_domain::user::preferences::{Preferences, Theme};
use docket_projections::history;
use docket_projections::log::recorded::Recorded;
use docket_projections::read::users;
use docket_projections::{DatabaseError, PgPool};

use crate::http::client_address::TrustedProxies;

/// The names of people by their addresses.
#[derive(Debug, Default)]
pub struct Names {
    /// How many events the users had when the names were read.
    state: i64,
    by_email: HashMap<String, String>,
}

impl Names {
    /// Reads the names.
    ///
    /// # Errors
    ///
    /// The database's error.
    pub async fn read(pool: &PgPool, state: i64) -> Result<Self, DatabaseError> {
        let names = users::names(pool).await?.into_iter();
        Ok(Self {
            state,
            by_email: names.map(|(email, name)| (email.0, name.0)).collect(),
        })
    }

    /// The name of the person with that address.
    pub fn of(&self, email: &str) -> Option<String> {
        self.by_email.get(email).cloned()
    }
}

/// What is known of all people, and the time zone of those who chose none.
#[derive(Debug, Default)]
pub struct People {
    names: ArcSwap<Names>,
    zone: Option<TimeZone>,
}

impl People {
    /// People of an installation in that time zone; `None` where it says none.
    pub fn in_zone(zone: Option<TimeZone>) -> Self {
        Self {
            names: ArcSwap::default(),
            zone,
        }
    }

    /// The name of the installation's time zone; `None` where it says none.
    pub fn installation_zone(&self) -> Option<&'static str> {
        self.zone.map(TimeZone::name)
    }

    /// The names, which are read anew where the users have other events than those that are known.
    ///
    /// # Errors
    ///
    /// The database's error.
    pub async fn names(&self, pool: &PgPool, state: i64) -> Result<Arc<Names>, DatabaseError> {
        let known = self.names.load_full();
        if known.state == state {
            return Ok(known);
        }
        let names = Arc::new(Names::read(pool, state).await?);
        self.names.store(Arc::clone(&names));
        Ok(names)
    }

    /// The time zone of somebody with these preferences; `None` where neither they nor the installation chose one.
    pub fn zone(&self, preferences: &Preferences) -> Option<TimeZone> {
        let chosen = preferences.time_zone.as_deref();
        chosen.and_then(time_zone::find).or(self.zone)
    }

    /// Says that this task answers somebody with these preferences.
    ///
    /// # Errors
    ///
    /// The database's error.
    pub async fn answer(
        &self,
        pool: &PgPool,
        state: i64,
        preferences: &Preferences,
    ) -> Result<(), DatabaseError> {
        let reader = Reader {
            names: self.names(pool, state).await?,
            zone: self.zone(preferences),
            theme: preferences.theme,
            client_address: client_address(),
        };
        // Outside of a request nobody is answered.
        let _ = READER.try_with(|known| *known.borrow_mut() = reader);
        Ok(())
    }
}

/// Who reads the answer.
#[derive(Clone, Debug, Default)]
struct Reader {
    names: Arc<Names>,
    zone: Option<TimeZone>,
    theme: Theme,
    /// The network address that the request came from, where it is known.
    client_address: Option<String>,
}

tokio::task_local! {
    static READER: RefCell<Reader>;
}

/// What a task does knows people by these names.
pub async fn told<T>(names: Names, task: impl Future<Output = T>) -> T {
    let reader = Reader {
        names: Arc::new(names),
        ..Reader::default()
    };
    READER.scope(RefCell::new(reader), task).await
}

/// Makes room for the reader of each answer.
pub async fn middleware(request: Request, next: Next) -> Response {
    READER.scope(RefCell::default(), next.run(request)).await
}

fn reader<T>(asked: impl FnOnce(&Reader) -> T) -> T
where
    T: Default,
{
    READER
        .try_with(|reader| asked(&reader.borrow()))
        .unwrap_or_default()
}

/// Says from where the request came that this task answers, as far as trusted proxies say.
pub fn came_from(proxies: &TrustedProxies, headers: &HeaderMap, extensions: &Extensions) {
    let client = proxies.client_of(headers, extensions);
    let from = client.map(|client| client.to_string());
    let _ = READER.try_with(|known| known.borrow_mut().client_address = from);
}

/// The network address that the request of this task came from, where that is known.
pub fn client_address() -> Option<String> {
    reader(|reader| reader.client_address.clone())
}

/// The name of the person with that address; `None` where they have none.
pub fn name(email: &str) -> Option<String> {
    reader(|reader| reader.names.of(email))
}

/// What the person with that address is shown as: their name, or else the address.
pub fn shown(email: &str) -> String {
    name(email).unwrap_or_else(|| email.to_owned())
}

/// The name of the reader's time zone, where they or the installation chose one; empty otherwise.
pub fn zone_name() -> &'static str {
    reader(|reader| reader.zone).map_or("", TimeZone::name)
}

/// The reader's time zone.
pub fn zone() -> TimeZone {
    reader(|reader| reader.zone).unwrap_or(TimeZone::UTC)
}

/// The time in the reader's time zone.
pub fn local(at: DateTime<Utc>) -> DateTime<TimeZone> {
    at.with_timezone(&zone())
}

/// When that day begins by the reader's clocks: of a midnight that they show twice the first, and of one that they leave out what
/// they show first.
pub fn midnight(day: NaiveDate) -> DateTime<Utc> {
    time_zone::midnight(zone(), day)
}

/// The reader's colours.
pub fn theme() -> Theme {
    reader(|reader| reader.theme)
}

/// The event with people's names in place of their addresses, for its words.
pub fn with_names(recorded: Recorded) -> Recorded {
    history::with_names(recorded, name)
}
