//! What events make of the files.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use docket_domain::case::{CaseEvent, InboundMessage, OutboundMessage};
use docket_domain::event::Event;
use docket_domain::ids::MessageId;
use docket_domain::media::{MediaFailure, StoredFile, carried, clean_name, media_id};
use serde::Serialize;
use uuid::Uuid;

use crate::log::recorded::Recorded;
use crate::read::Projection;
use crate::read::writes::Writes;

/// Builds table `media`.
#[derive(Default)]
pub struct MediaHandler {
    /// Files of messages that came in or are to go out, by message and number.
    added: BTreeMap<(Uuid, u16), Added>,
    /// Files that were kept or given up. What comes first counts; all cases of a message tell the same.
    settled: BTreeMap<(Uuid, u16), Outcome>,
}

#[derive(Serialize)]
struct Added {
    message_id: Uuid,
    item: u16,
    media_id: Uuid,
    direction: &'static str,
    kind: String,
    url: Option<String>,
    name: Option<String>,
    state: &'static str,
    arrived_at: DateTime<Utc>,
    settled_at: Option<DateTime<Utc>>,
    #[serde(flatten)]
    file: FileColumns,
}

#[derive(Serialize)]
struct Outcome {
    message_id: Uuid,
    item: u16,
    state: &'static str,
    settled_at: DateTime<Utc>,
    name: Option<String>,
    failure: Option<MediaFailure>,
    #[serde(flatten)]
    file: FileColumns,
}

#[derive(Default, Serialize)]
struct FileColumns {
    sha256: Option<String>,
    size: Option<u64>,
    media_type: Option<String>,
    width: Option<u32>,
    height: Option<u32>,
}

impl From<&StoredFile> for FileColumns {
    fn from(file: &StoredFile) -> Self {
        Self {
            sha256: Some(file.sha256.clone()),
            size: Some(file.size),
            media_type: Some(file.media_type.clone()),
            width: file.width,
            height: file.height,
        }
    }
}

const ADD: &str = "
    INSERT INTO media (message_id, item, media_id, direction, kind, url, name, state, sha256, size, media_type, width, height,
                       arrived_at, settled_at)
    SELECT r.message_id, r.item, r.media_id, r.direction, r.kind, r.url, r.name, r.state, r.sha256, r.size, r.media_type,
           r.width, r.height, dated(r.arrived_at, $2), dated(r.settled_at, $2)
      FROM jsonb_to_recordset($1)
           AS r (message_id uuid, item integer, media_id uuid, direction text, kind text, url text, name text, state text,
                 sha256 text, size bigint, media_type text, width integer, height integer, arrived_at timestamptz,
                 settled_at timestamptz)
    ON CONFLICT (message_id, item) DO NOTHING";

const SETTLE: &str = "
    UPDATE media m
       SET state = r.state, name = coalesce(r.name, m.name), sha256 = r.sha256, size = r.size, media_type = r.media_type,
           width = r.width, height = r.height, failure = r.failure, settled_at = dated(r.settled_at, $2)
      FROM jsonb_to_recordset($1)
           AS r (message_id uuid, item integer, state text, name text, sha256 text, size bigint, media_type text,
                 width integer, height integer, failure jsonb, settled_at timestamptz)
     WHERE m.message_id = r.message_id AND m.item = r.item AND m.state = 'waiting'";

impl MediaHandler {
    fn receive(&mut self, message: &InboundMessage, at: DateTime<Utc>) {
        for file in carried(&message.content) {
            let key = (message.message_id.0, file.item);
            self.added.entry(key).or_insert_with(|| Added {
                message_id: message.message_id.0,
                item: file.item,
                media_id: media_id(message.message_id, file.item).0,
                direction: "inbound",
                kind: file.kind.to_owned(),
                url: Some(file.url.to_owned()),
                name: file.name.and_then(clean_name),
                state: "waiting",
                arrived_at: at,
                settled_at: None,
                file: FileColumns::default(),
            });
        }
    }

    fn send(&mut self, message: &OutboundMessage, at: DateTime<Utc>) {
        let Some(media) = &message.media else {
            return;
        };
        self.added
            .entry((message.message_id.0, 0))
            .or_insert_with(|| Added {
                message_id: message.message_id.0,
                item: 0,
                media_id: media.media_id.0,
                direction: "outbound",
                kind: media.kind.as_str().to_owned(),
                url: None,
                name: media.file.name.as_ref().map(|name| name.0.clone()),
                state: "stored",
                arrived_at: at,
                settled_at: Some(at),
                file: (&media.file).into(),
            });
    }

    fn settle(&mut self, message_id: MessageId, item: u16, settled: Outcome) {
        self.settled.entry((message_id.0, item)).or_insert(settled);
    }
}

impl Projection for MediaHandler {
    const NAME: &'static str = "media";
    const VERSION: i32 = 1;
    const TABLES: &'static [&'static str] = &["media"];
    const STATEMENTS: &'static [&'static str] = &[ADD, SETTLE];

    fn apply(&mut self, recorded: &Recorded) {
        let Event::Case(event) = &recorded.event else {
            return;
        };
        let at = recorded.recorded_at;
        match event {
            CaseEvent::MessageReceived { message, .. } => self.receive(message, at),
            CaseEvent::MessageQueued(message) => self.send(message, at),
            CaseEvent::MediaStored(media) => {
                let file = media.file();
                let settled = Outcome {
                    message_id: media.message_id.0,
                    item: media.item,
                    state: "stored",
                    settled_at: at,
                    name: file.name.as_ref().map(|name| name.0.clone()),
                    failure: None,
                    file: (&file).into(),
                };
                self.settle(media.message_id, media.item, settled);
            }
            CaseEvent::MediaFailed {
                message_id,
                item,
                reason,
            } => {
                let settled = Outcome {
                    message_id: message_id.0,
                    item: *item,
                    state: "failed",
                    settled_at: at,
                    name: None,
                    failure: Some(reason.clone()),
                    file: FileColumns::default(),
                };
                self.settle(*message_id, *item, settled);
            }
            _ => {}
        }
    }

    fn write(&mut self, writes: &mut Writes) {
        let Self { added, settled } = std::mem::take(self);
        writes.statement::<Self>(ADD, added.into_values());
        writes.statement::<Self>(SETTLE, settled.into_values());
    }
}
