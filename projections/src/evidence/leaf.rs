//! The leaf of an event: what is hashed.

use chrono::{DateTime, SecondsFormat, Utc};
use tlog_tiles::tlog::{Hash, record_hash};

use super::canonical::{NotJson, write};

/// An event as the log keeps it, in the terms of a leaf.
#[derive(Clone, Copy, Debug)]
pub struct Leaf<'a> {
    /// Its place in the log, from 1.
    pub position: i64,
    /// The type of its stream.
    pub aggregate_type: &'a str,
    /// Which stream of that type.
    pub aggregate_id: &'a str,
    /// Its place in its stream, from 1.
    pub sequence: i64,
    /// What happened.
    pub event_type: &'a str,
    /// In which version it was written.
    pub event_version: &'a str,
    /// The payload as it is stored, as JSON.
    pub payload: &'a str,
    /// The metadata as it is stored, as JSON.
    pub metadata: &'a str,
    /// When it was recorded.
    pub recorded_at: DateTime<Utc>,
}

impl Leaf<'_> {
    /// The canonical JSON of the event, in one line.
    ///
    /// # Errors
    ///
    /// [`NotJson`], which never comes of what the log keeps.
    pub fn json(&self) -> Result<String, NotJson> {
        let mut out = String::with_capacity(self.payload.len() + self.metadata.len() + 200);
        out.push_str("{\"metadata\":");
        write(self.metadata, &mut out)?;
        out.push_str(",\"payload\":");
        write(self.payload, &mut out)?;
        out.push_str(",\"position\":");
        out.push_str(&self.position.to_string());
        out.push_str(",\"recorded_at\":\"");
        out.push_str(&time(self.recorded_at));
        out.push_str("\",\"sequence\":");
        out.push_str(&self.sequence.to_string());
        for (name, value) in [
            (
                "stream",
                format!("{}/{}", self.aggregate_type, self.aggregate_id),
            ),
            ("type", self.event_type.to_owned()),
            ("version", self.event_version.to_owned()),
        ] {
            out.push_str(",\"");
            out.push_str(name);
            out.push_str("\":");
            out.push_str(&serde_json::Value::from(value).to_string());
        }
        out.push('}');
        Ok(out)
    }

    /// The hash of that JSON as a leaf: SHA-256 behind a zero byte, as RFC 6962 has it.
    ///
    /// # Errors
    ///
    /// [`NotJson`].
    pub fn hash(&self) -> Result<Hash, NotJson> {
        Ok(record_hash(self.json()?.as_bytes()))
    }
}

/// A time as leaves write it: RFC 3339 in UTC with microseconds.
pub fn time(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Micros, true)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::canonical::canonical;

    fn leaf() -> Leaf<'static> {
        Leaf {
            position: 7,
            aggregate_type: "Case",
            aggregate_id: "101",
            sequence: 3,
            event_type: "NoteAdded",
            event_version: "1.0",
            payload: r#"{"NoteAdded": {"text": "An \"invented\" note", "n": 1.50}}"#,
            metadata: r#"{"via": "api", "actor": "system"}"#,
            recorded_at: "2026-03-02T09:15:30.000120Z".parse().unwrap(),
        }
    }

    /// These bytes are what checkpoints outside of Docket vouch for: they never change.
    #[test]
    fn a_leaf_is_canonical_json_of_the_whole_event() {
        let json = leaf().json().unwrap();
        assert_eq!(
            json,
            "{\"metadata\":{\"actor\":\"system\",\"via\":\"api\"},\
             \"payload\":{\"NoteAdded\":{\"n\":1.5,\"text\":\"An \\\"invented\\\" note\"}},\
             \"position\":7,\"recorded_at\":\"2026-03-02T09:15:30.000120Z\",\"sequence\":3,\
             \"stream\":\"Case/101\",\"type\":\"NoteAdded\",\"version\":\"1.0\"}"
        );
        assert_eq!(canonical(&json).unwrap(), json);
    }

    #[test]
    fn every_part_of_an_event_is_in_its_hash() {
        type Change = fn(&mut Leaf<'static>);
        let changes: [Change; 9] = [
            |leaf| leaf.position = 8,
            |leaf| leaf.aggregate_type = "User",
            |leaf| leaf.aggregate_id = "102",
            |leaf| leaf.sequence = 4,
            |leaf| leaf.event_type = "Noted",
            |leaf| leaf.event_version = "2.0",
            |leaf| leaf.payload = r#"{"NoteAdded": {"text": "An \"invented\" note", "n": 1.51}}"#,
            |leaf| leaf.metadata = r#"{"via": "cli", "actor": "system"}"#,
            |leaf| leaf.recorded_at += chrono::TimeDelta::microseconds(1),
        ];
        let hash = leaf().hash().unwrap();
        for change in changes {
            let mut other = leaf();
            change(&mut other);
            assert_ne!(other.hash().unwrap(), hash, "{other:?}");
        }
    }
}
