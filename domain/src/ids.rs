//! Typed identifiers, so that one kind cannot stand where another is meant.
//!
//! Identifiers are UUIDs made outside the domain; a case alone is known by its [`Reference`], the number that people write.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

macro_rules! uuid_id {
    ($($(#[$doc:meta])* $name:ident),+ $(,)?) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub Uuid);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl From<Uuid> for $name {
            fn from(id: Uuid) -> Self {
                Self(id)
            }
        }

        impl FromStr for $name {
            type Err = uuid::Error;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Uuid::parse_str(text).map(Self)
            }
        }
    )+};
}

uuid_id! {
    /// One outside number within one survey.
    ContactId,
    /// One thing said, inbound or outbound; the same in every case that it stands in.
    MessageId,
    /// What a line's messages are organised under.
    SurveyId,
    /// One of our own numbers on one channel.
    LineId,
    /// A webhook that could not be routed and is kept.
    HeldId,
    /// A person who signs in.
    UserId,
    /// An API token.
    TokenId,
    /// An internal note in a case.
    NoteId,
    /// A `WhatsApp` template.
    WhatsappTemplateId,
    /// A browser in which somebody is signed in.
    SessionId,
    /// A series of attempts to sign in that failed.
    AttemptsId,
    /// Something that somebody took away as a file.
    ExportId,
    /// A file that a message carries.
    MediaId,
    /// A label that people put on cases.
    LabelId,
}

impl MessageId {
    /// The `client_ref` that Vonage carries back in every status of sending attempt number `attempt`: at most 40 characters.
    pub fn client_ref(self, attempt: u32) -> String {
        format!("{}-{attempt}", self.0.simple())
    }

    /// Reads back what [`MessageId::client_ref`] wrote; anything else is somebody else's and gives `None`.
    pub fn from_client_ref(client_ref: &str) -> Option<(Self, u32)> {
        let (id, attempt) = client_ref.split_once('-')?;
        if id.len() != 32 {
            return None;
        }
        Some((Self(Uuid::try_parse(id).ok()?), attempt.parse().ok()?))
    }
}

/// The number that people write as `#123` to name a case: unique in the installation, counted from 101, never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Reference(u32);

impl Reference {
    /// The first reference of an installation; lower ones would collide with "we are #1".
    pub const FIRST: Self = Self(101);
    /// The largest reference, the largest `integer` of the database.
    pub const MAX: u32 = i32::MAX.unsigned_abs();

    /// A reference, unless `number` is 0 or above [`Reference::MAX`].
    pub const fn new(number: u32) -> Option<Self> {
        if number == 0 || number > Self::MAX {
            None
        } else {
            Some(Self(number))
        }
    }

    /// The bare number.
    pub const fn get(self) -> u32 {
        self.0
    }

    /// The bare number as the database keeps it.
    pub const fn as_i32(self) -> i32 {
        self.0.cast_signed()
    }

    /// A reference from the database's `integer`, unless it is not positive.
    pub const fn from_i32(number: i32) -> Option<Self> {
        if number > 0 {
            Some(Self(number.cast_unsigned()))
        } else {
            None
        }
    }
}

impl fmt::Display for Reference {
    /// The bare number, without the `#`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for Reference {
    type Err = ParseReferenceError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse()
            .ok()
            .and_then(Self::new)
            .ok_or(ParseReferenceError)
    }
}

/// Not a whole number from 1 to [`Reference::MAX`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a reference is a whole number from 1 to {}", Reference::MAX)]
pub struct ParseReferenceError;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn client_ref_fits_and_reads_back() {
        let id = MessageId(Uuid::from_u128(u128::MAX));
        let client_ref = id.client_ref(9_999_999);
        assert!(client_ref.len() <= 40, "{client_ref}");
        assert_eq!(
            MessageId::from_client_ref(&client_ref),
            Some((id, 9_999_999))
        );
    }

    #[test]
    fn a_foreign_client_ref_is_none() {
        for foreign in [
            "",
            "abc123",
            "abc-1",
            "00000000000000000000000000000000",
            "00000000000000000000000000000000-x",
        ] {
            assert_eq!(MessageId::from_client_ref(foreign), None, "{foreign}");
        }
    }

    #[test]
    fn references_have_bounds() {
        assert_eq!(Reference::new(0), None);
        assert_eq!(Reference::new(Reference::MAX + 1), None);
        assert_eq!(
            "2147483647".parse::<Reference>().map(Reference::as_i32),
            Ok(i32::MAX)
        );
        assert_eq!("2147483648".parse::<Reference>(), Err(ParseReferenceError));
    }
}
