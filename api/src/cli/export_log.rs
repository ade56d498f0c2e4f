//! `docket export-log`: the log as JSON Lines of CloudEvents 1.0, for whoever keeps it elsewhere or evaluates it.
//!
//! Events are read, written and forgotten page by page, so the log may be of any length. Every position between the first and
//! the last is looked at, also where a period is asked for: an export from which an event is missing is an error.

use std::io::{ErrorKind, Write};

use anyhow::{Context, bail};
use chrono::{DateTime, Utc};
use clap::Args;
use docket_projections::PgPool;
use docket_projections::log::reader::{self, LogEvent};
use docket_projections::log::recorded::{Actor, Metadata};
use serde::Serialize;
use serde_json::value::RawValue;

use super::database::with_database;
use super::terminal::complain;
use crate::config::Config;

/// How many events are in memory at once.
const PAGE: i64 = 1_000;
/// Where events can be read, below the installation's address.
const SOURCE: &str = "/api/v1/events";

/// Which events are exported; all of them where nothing is said.
#[derive(Args, Debug)]
pub(super) struct ExportLog {
    /// The position to begin with.
    #[arg(long, value_name = "POSITION", value_parser = clap::value_parser!(i64).range(1..))]
    from: Option<i64>,
    /// The position to end with; the end of the log where it is left out.
    #[arg(long, value_name = "POSITION", value_parser = clap::value_parser!(i64).range(1..))]
    to: Option<i64>,
    /// Only events that were recorded at that time (RFC 3339) or later.
    #[arg(long, value_name = "TIME")]
    since: Option<DateTime<Utc>>,
    /// Only events that were recorded before that time (RFC 3339).
    #[arg(long, value_name = "TIME")]
    until: Option<DateTime<Utc>>,
}

impl ExportLog {
    fn includes(&self, event: &LogEvent) -> bool {
        self.since.is_none_or(|since| event.recorded_at >= since)
            && self.until.is_none_or(|until| event.recorded_at < until)
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
    #[serde(skip_serializing_if = "Option::is_none")]
    requestid: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cause: Option<String>,
    data: &'a RawValue,
}

impl<'a> CloudEvent<'a> {
    fn new(event: &'a LogEvent, source: &'a str) -> Result<Self, serde_json::Error> {
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
            useremail,
            requestid: metadata.request_id,
            cause: metadata.cause,
            data: event.data(),
        })
    }
}

/// Writes the log to standard output. Ends with success where the reader wants no more of it.
///
/// # Errors
///
/// A sentence; what was written up to there is right, and not all.
pub(super) async fn run(config: &Config, export: &ExportLog) -> anyhow::Result<()> {
    let source = format!(
        "{}{SOURCE}",
        config.public_url.as_deref().unwrap_or_default()
    );
    with_database(config, async |store| {
        let pool = store.pool();
        let result = write(&pool, export, &source).await;
        pool.close().await;
        result
    })
    .await
}

async fn write(pool: &PgPool, export: &ExportLog, source: &str) -> anyhow::Result<()> {
    let head = reader::head(pool)
        .await
        .context("the log could not be read")?;
    let first = export.from.unwrap_or(1);
    let last = export.to.unwrap_or(head);
    if last > head {
        bail!("the log ends with position {head}, before {last}");
    }
    let mut after = first - 1;
    let mut written = 0_u64;
    while after < last {
        let page = reader::page(pool, after, PAGE.min(last - after)).await?;
        let mut lines = Vec::new();
        for event in &page {
            if event.position != after + 1 {
                bail!(
                    "the log breaks off: after position {after} comes {}",
                    event.position
                );
            }
            after = event.position;
            if export.includes(event) {
                let line = CloudEvent::new(event, source)
                    .with_context(|| format!("the event at position {after} cannot be read"))?;
                serde_json::to_writer(&mut lines, &line)?;
                lines.push(b'\n');
                written += 1;
            }
        }
        if page.is_empty() {
            bail!("the log breaks off: after position {after} comes nothing");
        }
        if !print(lines).await? {
            return Ok(());
        }
    }
    let looked_at = last.saturating_sub(first) + 1;
    complain(&format!("wrote {written} of {} events", looked_at.max(0)));
    Ok(())
}

/// Writes to standard output; false where nobody reads it any more, as behind `head`.
async fn print(bytes: Vec<u8>) -> anyhow::Result<bool> {
    let written = tokio::task::spawn_blocking(move || {
        let mut stdout = std::io::stdout().lock();
        stdout.write_all(&bytes)?;
        stdout.flush()
    })
    .await?;
    match written {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(false),
        Err(error) => Err(error).context("standard output cannot be written"),
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
                r#"{"actor": "user", "email": "agent@example.com", "request_id": "r1",
                              "user_id": "01957a00-0000-7000-8000-00000000000a"}"#,
            ),
            recorded_at: "2026-03-02T09:15:30.000125Z".parse().unwrap(),
        }
    }

    #[test]
    fn an_event_is_a_cloud_event() {
        let event = event();
        let line = CloudEvent::new(&event, "https://docket.example.com/api/v1/events").unwrap();
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
                "requestid": "r1",
                "data": {"text": "An invented note"},
            })
        );
    }

    #[test]
    fn attributes_are_named_as_cloud_events_asks() {
        let event = event();
        let line = serde_json::to_value(CloudEvent::new(&event, SOURCE).unwrap()).unwrap();
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
        let export = |since, until| ExportLog {
            from: None,
            to: None,
            since,
            until,
        };
        assert!(export(None, None).includes(&event));
        assert!(export(Some(at), Some(later)).includes(&event));
        assert!(!export(Some(later), None).includes(&event));
        assert!(!export(None, Some(at)).includes(&event));
    }
}
