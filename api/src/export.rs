//! Taking the log away: events as JSON Lines of CloudEvents 1.0, for whoever keeps them elsewhere or evaluates them.
//!
//! Events are read, given out and forgotten page by page, so the log may be of any length. Every position between the first and
//! the last is looked at, also where a period is asked for: an export from which an event is missing is an error. Who takes what
//! away is recorded before the first event is given out, and how it ended when it has.

use chrono::{DateTime, Utc};
use docket_domain::ids::ExportId;
use docket_domain::people::export::{ExportCommand, ExportEvent, Exported, Via};
use docket_projections::PgPool;
use docket_projections::log::circumstances::Circumstances;
use docket_projections::log::reader::{self, LogEvent, ReadError};
use docket_projections::log::recorded::{self, Actor, Metadata};
use serde::Serialize;
use serde_json::value::RawValue;

use crate::app::App;
use crate::evidence;
use crate::http::problem::{Kind, Problem};
use crate::http::request_id::is_head;
use crate::operations::people::RecordExport;
use crate::people::Names;

/// How many events are in memory at once.
const PAGE: i64 = 1_000;
/// Where events can be read, below the installation's address.
const SOURCE: &str = "/api/v1/events";
/// The media type of what is given out.
pub const MEDIA_TYPE: &str = "application/x-ndjson";

/// Which events are exported; all of them where nothing is said.
#[derive(Clone, Debug, Default)]
pub struct Period {
    /// The position to begin with.
    pub from: Option<i64>,
    /// The position to end with; the end of the log where it is left out.
    pub to: Option<i64>,
    /// Only events that were recorded then or later.
    pub since: Option<DateTime<Utc>>,
    /// Only events that were recorded before.
    pub until: Option<DateTime<Utc>>,
    /// Only what was done so.
    pub how: Circumstances,
}

impl Period {
    fn includes(&self, event: &LogEvent) -> bool {
        self.since.is_none_or(|since| event.recorded_at >= since)
            && self.until.is_none_or(|until| event.recorded_at < until)
            && (self.how.is_all()
                || serde_json::from_str(event.metadata.get())
                    .is_ok_and(|metadata| self.how.include(&metadata)))
    }
}

/// Why an export broke off, or did not begin.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The log could not be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// What is asked for goes beyond the log.
    #[error(
        "the log ends with position {head}, before {asked}; it may have been restored from an older backup"
    )]
    Beyond {
        /// The last position.
        head: i64,
        /// The position that was asked for.
        asked: i64,
    },
    /// An event is missing from the log.
    #[error("the log breaks off: after position {after} comes {}", found.map_or_else(|| "nothing".to_owned(), |found| found.to_string()))]
    Gap {
        /// The last position that was read.
        after: i64,
        /// The position that came instead of the next, if any came.
        found: Option<i64>,
    },
    /// An event cannot be written.
    #[error("the event at position {position} cannot be read")]
    Form {
        /// Its position.
        position: i64,
        /// What is wrong.
        source: serde_json::Error,
    },
    /// That somebody exports the log could not be recorded.
    #[error("that the log is exported could not be recorded: {0}")]
    NotRecorded(String),
}

impl From<ExportError> for Problem {
    fn from(error: ExportError) -> Self {
        match error {
            ExportError::Read(error) => error.into(),
            ExportError::Beyond { head, asked } => Self::beyond_log(asked, head),
            ExportError::NotRecorded(_) => Self::new(Kind::Unavailable, error.to_string()),
            ExportError::Gap { .. } | ExportError::Form { .. } => {
                Self::internal().caused_by(&error)
            }
        }
    }
}

/// An event in CloudEvents' JSON form. What the specification does not name are extensions, in lower case as it asks.
#[derive(Debug, Serialize)]
struct CloudEvent<'a> {
    specversion: &'static str,
    /// The position, which no other event of this source has.
    id: String,
    source: &'a str,
    #[serde(rename = "type")]
    event_type: String,
    /// The stream: `Case/123`.
    subject: String,
    /// When it was recorded.
    time: DateTime<Utc>,
    datacontenttype: &'static str,
    /// The version of its type.
    dataversion: &'a str,
    /// Its place in its stream, from 1.
    sequence: i64,
    /// `user`, `vonage` or `system`.
    actor: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    userid: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    useremail: Option<String>,
    /// What the user was called when the export was made.
    #[serde(skip_serializing_if = "Option::is_none")]
    username: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    via: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tokenid: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    requestid: Option<String>,
    /// What the caller called the request, which proves nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    clientrequestid: Option<String>,
    /// The network address that the user's request came from.
    #[serde(skip_serializing_if = "Option::is_none")]
    clientaddress: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cause: Option<String>,
    data: &'a RawValue,
}

impl<'a> CloudEvent<'a> {
    fn new(event: &'a LogEvent, source: &'a str, names: &Names) -> Result<Self, serde_json::Error> {
        let metadata: Metadata = serde_json::from_str(event.metadata.get())?;
        let (userid, useremail) = match &metadata.actor {
            Actor::User { user_id, email } => (Some(user_id.to_string()), Some(email.clone())),
            Actor::Vonage | Actor::System => (None, None),
        };
        Ok(Self {
            specversion: "1.0",
            id: event.position.to_string(),
            source,
            event_type: format!("docket.{}.{}", event.aggregate_type, event.event_type),
            subject: format!("{}/{}", event.aggregate_type, event.aggregate_id),
            time: event.recorded_at,
            datacontenttype: "application/json",
            dataversion: &event.event_version,
            sequence: event.sequence,
            actor: metadata.actor.kind(),
            userid,
            username: useremail.as_deref().and_then(|email| names.of(email)),
            useremail,
            via: metadata.via.map(recorded::Via::as_str),
            tokenid: metadata.token_id.map(|id| id.to_string()),
            requestid: metadata.request_id,
            clientrequestid: metadata.client_request_id,
            clientaddress: metadata.client_address.map(|address| address.0),
            cause: metadata.cause,
            data: event.data(),
        })
    }
}

/// The lines of an export, read page by page.
pub struct Lines {
    pool: PgPool,
    period: Period,
    source: String,
    names: Names,
    /// The last position that was read.
    after: i64,
    first: i64,
    last: i64,
    given: i64,
}

/// An export under way. When it is dropped, how it ended is recorded.
pub struct Export {
    app: App,
    id: ExportId,
    metadata: Metadata,
    lines: Lines,
    has_failed: bool,
    /// Whether its beginning was recorded; not that of a request for the headers alone.
    is_recorded: bool,
}

impl Export {
    /// Begins an export, and has that recorded.
    ///
    /// # Errors
    ///
    /// [`ExportError`]; nothing is given out then.
    pub async fn begin(
        app: &App,
        period: Period,
        via: Via,
        metadata: Metadata,
    ) -> Result<Self, ExportError> {
        // Before this export itself is recorded, which is no part of it.
        let lines = Lines::of(app.pool.clone(), period.clone(), &app.public_url).await?;
        let (first, last) = (lines.first, lines.last);
        if is_head() {
            return Ok(Self {
                app: app.clone(),
                id: ExportId((app.new_id)()),
                metadata,
                lines: lines.at_the_end(),
                has_failed: false,
                is_recorded: false,
            });
        }
        let export_id = ExportId((app.new_id)());
        let begun = ExportEvent::ExportBegun {
            export_id,
            what: Exported::Log,
            via,
            from: first,
            to: last,
            since: period.since,
            until: period.until,
            reference: None,
        };
        let operation = RecordExport {
            export_id,
            command: ExportCommand::Begin(begun),
            metadata: metadata.clone(),
        };
        let recorded = app.ledger.submit(operation).await;
        recorded.map_err(|error| ExportError::NotRecorded(error.to_string()))?;
        evidence::at_export(app, last).await;
        Ok(Self {
            app: app.clone(),
            id: export_id,
            metadata,
            lines,
            has_failed: false,
            is_recorded: true,
        })
    }

    /// How many events were given out, and how many were looked at for them.
    pub const fn counts(&self) -> (i64, i64) {
        self.lines.counts()
    }

    /// What the file is called.
    pub fn file_name(&self) -> String {
        format!("docket-log-{}-{}.jsonl", self.lines.first, self.lines.last)
    }

    /// The next lines; `None` at the end.
    ///
    /// # Errors
    ///
    /// [`ExportError`]; what was given out up to here is right, and not all.
    pub async fn next(&mut self) -> Result<Option<Vec<u8>>, ExportError> {
        let lines = self.lines.next().await;
        self.has_failed |= lines.is_err();
        lines
    }
}

impl Lines {
    /// The lines of a period, of which nothing is recorded: for a log that a newer Docket writes, where this one must not.
    ///
    /// # Errors
    ///
    /// [`ExportError`].
    pub async fn of(pool: PgPool, period: Period, public_url: &str) -> Result<Self, ExportError> {
        let head = reader::head(&pool).await.map_err(ReadError::from)?;
        let first = period.from.unwrap_or(1).max(1);
        let last = period.to.unwrap_or(head);
        // From behind the last position on there is nothing yet, which is an answer; further on there is no log.
        let asked = last.max(first - 1);
        if asked > head {
            return Err(ExportError::Beyond { head, asked });
        }
        // The log is given out without them too: read models can be missing.
        let names = Names::read(&pool, 0).await.unwrap_or_default();
        Ok(Self {
            pool,
            period,
            source: format!("{public_url}{SOURCE}"),
            names,
            after: first - 1,
            first,
            last,
            given: 0,
        })
    }

    /// The same without any line left to give out.
    fn at_the_end(mut self) -> Self {
        self.after = self.last;
        self
    }

    /// How many events were given out, and how many were looked at for them.
    pub const fn counts(&self) -> (i64, i64) {
        let looked_at = self.after - self.first + 1;
        (self.given, if looked_at > 0 { looked_at } else { 0 })
    }

    /// The next lines; `None` at the end.
    ///
    /// # Errors
    ///
    /// [`ExportError`]; what was given out up to here is right, and not all.
    pub async fn next(&mut self) -> Result<Option<Vec<u8>>, ExportError> {
        while self.after < self.last {
            let page = PAGE.min(self.last - self.after);
            let page = reader::page(&self.pool, self.after, page).await?;
            let mut lines = Vec::new();
            for event in &page {
                if event.position != self.after + 1 {
                    return Err(ExportError::Gap {
                        after: self.after,
                        found: Some(event.position),
                    });
                }
                self.after = event.position;
                if self.period.includes(event) {
                    let form = |source| ExportError::Form {
                        position: event.position,
                        source,
                    };
                    let line = CloudEvent::new(event, &self.source, &self.names).map_err(form)?;
                    serde_json::to_writer(&mut lines, &line).map_err(form)?;
                    lines.push(b'\n');
                    self.given += 1;
                }
            }
            if page.is_empty() {
                return Err(ExportError::Gap {
                    after: self.after,
                    found: None,
                });
            }
            if !lines.is_empty() {
                return Ok(Some(lines));
            }
        }
        Ok(None)
    }
}

impl Drop for Export {
    fn drop(&mut self) {
        if !self.is_recorded {
            return;
        }
        let is_whole = !self.has_failed && self.lines.after >= self.lines.last;
        let metadata = self.metadata.clone();
        self.app
            .audit
            .export_ended(self.id, metadata, self.lines.given, is_whole);
    }
}
#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn event() -> LogEvent {
        let raw = |json: &str| RawValue::from_string(json.to_owned()).unwrap();
        LogEvent {
            position: 7,
            aggregate_type: "Case".into(),
            aggregate_id: "123".into(),
            sequence: 3,
            event_type: "NoteAdded".into(),
            event_version: "1".into(),
            payload: raw(r#"{"NoteAdded": {"text": "An invented note"}}"#),
            metadata: raw(
                r#"{"actor": "user", "email": "agent@example.com", "request_id": "r1", "via": "api",
                              "token_id": "01957a00-0000-7000-8000-00000000000b", "client_request_id": "their own",
                              "user_id": "01957a00-0000-7000-8000-00000000000a"}"#,
            ),
            recorded_at: "2026-03-02T09:15:30.000125Z".parse().unwrap(),
        }
    }

    #[test]
    fn an_event_is_a_cloud_event() {
        let event = event();
        let line = CloudEvent::new(
            &event,
            "https://docket.example.com/api/v1/events",
            &Names::default(),
        )
        .unwrap();
        assert_eq!(
            serde_json::to_value(line).unwrap(),
            json!({
                "specversion": "1.0",
                "id": "7",
                "source": "https://docket.example.com/api/v1/events",
                "type": "docket.Case.NoteAdded",
                "subject": "Case/123",
                "time": "2026-03-02T09:15:30.000125Z",
                "datacontenttype": "application/json",
                "dataversion": "1",
                "sequence": 3,
                "actor": "user",
                "userid": "01957a00-0000-7000-8000-00000000000a",
                "useremail": "agent@example.com",
                "via": "api",
                "tokenid": "01957a00-0000-7000-8000-00000000000b",
                "requestid": "r1",
                "clientrequestid": "their own",
                "data": {"text": "An invented note"},
            })
        );
    }

    #[test]
    fn attributes_are_named_as_cloud_events_asks() {
        let event = event();
        let line =
            serde_json::to_value(CloudEvent::new(&event, SOURCE, &Names::default()).unwrap())
                .unwrap();
        let Value::Object(attributes) = line else {
            panic!("an event is an object")
        };
        for name in attributes.keys() {
            let is_allowed = name.len() <= 20
                && name
                    .bytes()
                    .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
            assert!(is_allowed, "{name}");
        }
    }

    #[test]
    fn a_period_begins_with_its_first_moment_and_ends_before_its_last() {
        let event = event();
        let at = event.recorded_at;
        let later = at + chrono::TimeDelta::microseconds(1);
        let export = |since, until| Period {
            from: None,
            to: None,
            since,
            until,
            how: Circumstances::default(),
        };
        assert!(export(None, None).includes(&event));
        assert!(export(Some(at), Some(later)).includes(&event));
        assert!(!export(Some(later), None).includes(&event));
        assert!(!export(None, Some(at)).includes(&event));
    }
}
