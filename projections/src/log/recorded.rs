//! What stands in the log beside the event itself: whose it is, who did it, why and when.

use std::collections::BTreeMap;

use chrono::{DateTime, SubsecRound, Utc};
use docket_domain::event::{Event, StreamId};
use docket_domain::ids::{TokenId, UserId};
use docket_domain::personal::Personal;
use serde::{Deserialize, Serialize};

/// The time that an event carries while its time of recording is not assigned: the last one of the year 9999. No event is recorded
/// at it. The database puts the time of recording in its place where rows are written (`dated`).
pub const UNDATED: DateTime<Utc> =
    DateTime::from_timestamp(253_402_300_799, 999_999_000).expect("a year of four digits");

/// An event with its place and its circumstances; all that a projection handler may look at.
#[derive(Clone, Debug, PartialEq)]
pub struct Recorded {
    /// The stream.
    pub stream: StreamId,
    /// The event's place in its stream, from 1.
    pub sequence: u64,
    /// The event.
    pub event: Event,
    /// Who and why.
    pub metadata: Metadata,
    /// When it was recorded, to the microsecond; never before its predecessor in the stream. [`UNDATED`] until that is known.
    pub recorded_at: DateTime<Utc>,
}

/// Who did something, and what made them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(
    try_from = "BTreeMap<String, String>",
    into = "BTreeMap<String, String>"
)]
pub struct Metadata {
    /// Who.
    pub actor: Actor,
    /// The request that it was done in, ours.
    pub request_id: Option<String>,
    /// The id that the caller gave to that request. It proves nothing: every caller chooses its own.
    pub client_request_id: Option<String>,
    /// What caused it: Vonage's id of a message, or a word such as `delivery`.
    pub cause: Option<String>,
    /// By which way it was done; `None` in events of earlier versions.
    pub via: Option<Via>,
    /// The token that acted in the actor's name, where one did.
    pub token_id: Option<TokenId>,
    /// The network address that the actor's request came from, where it is known; `None` in events of earlier versions.
    pub client_address: Option<Personal<String>>,
}

/// By which way something was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Via {
    /// The console.
    Console,
    /// The JSON API.
    Api,
    /// The command line of the server.
    Cli,
    /// A webhook of Vonage's.
    Webhook,
    /// The delivery worker.
    Delivery,
    /// Docket itself: its start and its housekeeping.
    System,
}

impl Via {
    /// Every way.
    pub const ALL: [Self; 6] = [
        Self::Console,
        Self::Api,
        Self::Cli,
        Self::Webhook,
        Self::Delivery,
        Self::System,
    ];

    /// The name that stands in the log.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Console => "console",
            Self::Api => "api",
            Self::Cli => "cli",
            Self::Webhook => "webhook",
            Self::Delivery => "delivery",
            Self::System => "system",
        }
    }

    /// The way of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|via| via.as_str() == name)
    }
}

/// Who did something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Actor {
    /// A person who signed in, or a token of theirs.
    User {
        /// Their id.
        user_id: UserId,
        /// Their address at that time.
        email: String,
    },
    /// Vonage, by a webhook or an answer.
    Vonage,
    /// Docket itself, or somebody at its command line.
    System,
}

impl Actor {
    /// `user`, `vonage` or `system`.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::User { .. } => "user",
            Self::Vonage => "vonage",
            Self::System => "system",
        }
    }

    /// The person, where it was one.
    pub const fn user_id(&self) -> Option<UserId> {
        match self {
            Self::User { user_id, .. } => Some(*user_id),
            Self::Vonage | Self::System => None,
        }
    }

    /// The person's address at that time, where it was one.
    pub fn email(&self) -> Option<&str> {
        match self {
            Self::User { email, .. } => Some(email),
            Self::Vonage | Self::System => None,
        }
    }
}

impl Metadata {
    /// Metadata of something that nobody's request caused.
    pub const fn of(actor: Actor, via: Via) -> Self {
        Self {
            actor,
            request_id: None,
            client_request_id: None,
            cause: None,
            via: Some(via),
            token_id: None,
            client_address: None,
        }
    }
}

/// cqrs-es keeps metadata as a map of strings, and reads ours back as one.
impl From<Metadata> for BTreeMap<String, String> {
    fn from(metadata: Metadata) -> Self {
        let mut map = Self::from([("actor".to_owned(), metadata.actor.kind().to_owned())]);
        if let Actor::User { user_id, email } = metadata.actor {
            map.insert("user_id".to_owned(), user_id.to_string());
            map.insert("email".to_owned(), email);
        }
        map.extend(metadata.request_id.map(|id| ("request_id".to_owned(), id)));
        let client_request_id = metadata.client_request_id;
        map.extend(client_request_id.map(|id| ("client_request_id".to_owned(), id)));
        map.extend(metadata.cause.map(|cause| ("cause".to_owned(), cause)));
        let via = metadata.via.map(|via| via.as_str().to_owned());
        map.extend(via.map(|via| ("via".to_owned(), via)));
        let token_id = metadata.token_id.map(|id| id.to_string());
        map.extend(token_id.map(|id| ("token_id".to_owned(), id)));
        let address = metadata.client_address;
        map.extend(address.map(|address| ("client_address".to_owned(), address.0)));
        map
    }
}

impl TryFrom<BTreeMap<String, String>> for Metadata {
    type Error = String;

    fn try_from(mut map: BTreeMap<String, String>) -> Result<Self, String> {
        let actor = match map.get("actor").map(String::as_str) {
            Some("user") => Actor::User {
                user_id: map
                    .get("user_id")
                    .and_then(|id| id.parse().ok())
                    .ok_or("an event's user_id is missing or no UUID")?,
                email: map.remove("email").unwrap_or_default(),
            },
            Some("vonage") => Actor::Vonage,
            Some("system") => Actor::System,
            _ => return Err("an event's actor is none of user, vonage, system".to_owned()),
        };
        Ok(Self {
            actor,
            request_id: map.remove("request_id"),
            client_request_id: map.remove("client_request_id"),
            cause: map.remove("cause"),
            // A way that a later version knows is no reason to leave the event unread.
            via: map.get("via").and_then(|name| Via::from_name(name)),
            token_id: map.get("token_id").and_then(|id| id.parse().ok()),
            client_address: map.remove("client_address").map(Personal),
        })
    }
}

/// Cuts a time to what the database keeps, so that a row written now equals the one rebuilt from the log.
pub fn to_database_precision(time: DateTime<Utc>) -> DateTime<Utc> {
    time.trunc_subsecs(6)
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn metadata_is_a_map_of_strings_and_reads_back() {
        let actors = [
            Actor::User {
                user_id: UserId(Uuid::nil()),
                email: "agent@example.com".into(),
            },
            Actor::Vonage,
            Actor::System,
        ];
        for actor in actors {
            let metadata = Metadata {
                actor,
                request_id: Some("r1".into()),
                client_request_id: Some("theirs".into()),
                cause: None,
                via: Some(Via::Api),
                token_id: Some(TokenId(Uuid::nil())),
                client_address: Some("127.0.0.1".into()),
            };
            let json = serde_json::to_string(&metadata).expect("serialises");
            let map: std::collections::HashMap<String, String> =
                serde_json::from_str(&json).expect("a map of strings");
            assert_eq!(map["request_id"], "r1");
            assert_eq!(
                serde_json::from_str::<Metadata>(&json).expect("reads back"),
                metadata
            );
        }
    }

    #[test]
    fn metadata_of_earlier_and_of_later_versions_is_read() {
        let read = |json: &str| serde_json::from_str::<Metadata>(json).expect("reads");
        let old = read(r#"{"actor": "system", "request_id": "r1"}"#);
        assert_eq!((old.via, old.token_id), (None, None));
        assert_eq!(old.client_address, None);
        let later = read(r#"{"actor": "system", "via": "carrier pigeon", "more": "x"}"#);
        assert_eq!(later.via, None);
        for via in Via::ALL {
            let json = serde_json::to_string(&Metadata::of(Actor::System, via)).expect("writes");
            assert_eq!(read(&json).via, Some(via));
        }
    }
}
