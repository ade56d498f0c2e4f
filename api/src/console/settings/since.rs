//! What somebody else has changed of settings since a form of them was made.
//!
//! A form carries the version that it was made from ([`FIELD`]). Where the settings are newer, nothing is saved: the page tells what was
//! changed and by whom, and its form has what was typed. Only what was typed, though: a field that was left alone shows what stands
//! there now, or saving once more would undo what somebody else did.

use docket_domain::event::{Event, StreamId};
use docket_projections::history::who;
use docket_projections::log::reader;
use docket_projections::log::upcasters::upcasters;

use crate::app::App;
use crate::console::pages::When;
use crate::console::session::Posted;
use crate::console::{Failed, words};
use crate::people;

/// The field of a form that holds the version.
const FIELD: &str = "version";
/// So many events are read at once.
const PAGE: i64 = 500;

/// The version that a form was made from; `None` where it says none.
pub(in crate::console) fn seen(posted: &Posted) -> Option<u64> {
    posted.field(FIELD).parse().ok()
}

/// A setting that somebody else has changed.
pub(in crate::console) struct Changed {
    pub(in crate::console) name: &'static str,
    pub(in crate::console) was: String,
    pub(in crate::console) now: String,
    /// What was typed, where that is neither.
    pub(in crate::console) yours: Option<String>,
}

/// What the page tells of it.
pub(in crate::console) struct Since {
    pub(in crate::console) by: String,
    pub(in crate::console) at: When,
    pub(in crate::console) changes: Vec<Changed>,
}

/// Settings as they were when the form was made, and who has changed them last since.
pub(in crate::console) struct Past<S> {
    was: S,
    newest: S,
    by: String,
    /// Everybody who has changed them since.
    authors: Vec<String>,
    at: When,
}

impl<S> Past<S> {
    /// The settings that the form was made from.
    pub(in crate::console) const fn was(&self) -> &S {
        &self.was
    }

    /// The settings as they are now.
    pub(in crate::console) const fn newest(&self) -> &S {
        &self.newest
    }

    /// Whether nobody else than this person has changed them since.
    pub(in crate::console) fn is_all_by(&self, email: &str) -> bool {
        self.authors.iter().all(|author| author == email)
    }
}

/// Reads the settings as they were at a version. `settings` are those that an event sets. `None` where nobody has set any since.
pub(in crate::console) async fn past<S>(
    app: &App,
    stream: StreamId,
    seen: u64,
    settings: impl FnMut(&Event) -> Option<S>,
) -> Result<Option<Past<S>>, Failed> {
    past_from(app, stream, seen, None, settings).await
}

/// The same of settings that are there before anybody has set any: those are `initial`.
pub(in crate::console) async fn past_from<S>(
    app: &App,
    stream: StreamId,
    seen: u64,
    initial: Option<S>,
    mut settings: impl FnMut(&Event) -> Option<S>,
) -> Result<Option<Past<S>>, Failed> {
    let upcasters = upcasters();
    let (mut was, mut last) = (initial, None);
    let mut authors = vec![];
    let mut after = 0;
    loop {
        let events = reader::stream(&app.pool, stream, after, PAGE).await?;
        let Some(newest) = events.last() else { break };
        after = newest.sequence;
        for event in &events {
            let recorded = event.decode(&upcasters)?;
            let Some(set) = settings(&recorded.event) else {
                continue;
            };
            if recorded.sequence <= seen {
                was = Some(set);
            } else {
                let at = When::of(recorded.recorded_at, (app.clock)());
                let by = who(&recorded).to_string();
                authors.push(by.clone());
                last = Some((set, people::shown(&by), at));
            }
        }
    }
    let past = was.zip(last).map(|(was, (newest, by, at))| Past {
        was,
        newest,
        by,
        authors,
        at,
    });
    Ok(past)
}

/// Compares settings, one by one, and puts together what the form shows now.
pub(in crate::console) struct Comparison<S> {
    past: Past<S>,
    changes: Vec<Changed>,
}

impl<S> Comparison<S> {
    pub(in crate::console) const fn with(past: Past<S>) -> Self {
        let changes = vec![];
        Self { past, changes }
    }

    /// What the form shows of one setting: what was typed, unless that is what stood there before.
    pub(in crate::console) fn field<T: PartialEq>(
        &mut self,
        name: &'static str,
        part: impl Fn(&S) -> T,
        now: &S,
        typed: &S,
        told: impl Fn(&T) -> String,
    ) -> T {
        let (was, now, typed) = (part(&self.past.was), part(now), part(typed));
        let shown = if typed == was { &now } else { &typed };
        if was != now {
            self.changes.push(Changed {
                name,
                was: told(&was),
                now: told(&now),
                yours: (*shown != now).then(|| told(shown)),
            });
        }
        if typed == was { now } else { typed }
    }

    /// What the page tells.
    pub(in crate::console) fn end(self) -> Since {
        Since {
            by: words::changed_by(&self.past.by),
            at: self.past.at,
            changes: self.changes,
        }
    }
}

/// A text as the page tells it.
pub(in crate::console) fn text(text: &str) -> String {
    if text.is_empty() {
        words::SETTINGS_CHANGED_NOTHING.to_owned()
    } else {
        text.to_owned()
    }
}

/// A setting that is on or off, as the page tells it.
pub(in crate::console) fn switch(is_on: bool) -> String {
    let word = if is_on {
        words::SETTING_ON
    } else {
        words::SETTING_OFF
    };
    word.to_owned()
}
