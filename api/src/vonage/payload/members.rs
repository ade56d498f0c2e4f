//! The members of a webhook, of whatever form: names, and values that are left unread until somebody asks for them.

use std::borrow::Cow;
use std::fmt;

use docket_domain::channel::normalise_number;
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::Cause;
use super::text::with_whole_strings;
use crate::vonage::without_nul;

/// Longest identifier or number that is taken, in bytes; an index of the database could not hold one much longer.
pub(super) const MAX_ID_BYTES: usize = 200;

/// A value that should be a string: numbers are taken for their digits.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) enum Loose<'a> {
    /// Not there, or null.
    #[default]
    Absent,
    Text(Cow<'a, str>),
    /// There, but a list, an object or a truth value.
    Other,
}

impl<'a> Loose<'a> {
    /// Reads a value. It cannot fail: what is no string and no number is [`Loose::Other`].
    pub(super) fn of(raw: &'a RawValue) -> Self {
        match raw.get().as_bytes().first() {
            Some(b'"') => {
                serde_json::from_str(raw.get()).map_or(Self::Other, |Text(text)| Self::Text(text))
            }
            Some(b'-' | b'0'..=b'9') => Self::Text(Cow::Borrowed(raw.get())),
            Some(b'n') => Self::Absent,
            _ => Self::Other,
        }
    }

    /// The text, trimmed; none if it is blank.
    pub(super) fn word(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text.trim()).filter(|text| !text.is_empty()),
            Self::Absent | Self::Other => None,
        }
    }

    /// The text, without NUL; none if it is blank.
    pub(super) fn shown(&self) -> Option<String> {
        match self {
            Self::Text(text) if !text.trim().is_empty() => Some(without_nul(text)),
            _ => None,
        }
    }

    /// The text, trimmed.
    pub(super) fn required(&self, name: &'static str) -> Result<&str, Cause> {
        match self {
            Self::Other => Err(Cause::BadValue(name)),
            Self::Text(_) | Self::Absent => self.word().ok_or(Cause::MissingField(name)),
        }
    }

    /// An identifier: neither blank nor longer than the database's index can hold.
    pub(super) fn identifier(&self, name: &'static str) -> Result<String, Cause> {
        let text = self.required(name)?;
        if text.len() > MAX_ID_BYTES {
            return Err(Cause::BadValue(name));
        }
        Ok(without_nul(text))
    }
}

/// A string of JSON, borrowed unless it holds escapes.
#[derive(serde::Deserialize)]
#[serde(transparent)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

#[derive(Clone)]
enum Member<'a> {
    Json(&'a RawValue),
    Text(Cow<'a, str>),
}

/// Names and values, in the order in which they came. A name that comes twice counts as its last that is not null.
#[derive(Default)]
pub(super) struct Members<'a>(Vec<(Cow<'a, str>, Member<'a>)>);

impl<'a> Members<'a> {
    /// The members of a JSON object; none where it is none.
    pub(super) fn of(raw: &'a RawValue) -> Option<Self> {
        raw.get()
            .starts_with('{')
            .then(|| serde_json::from_str(raw.get()).ok())?
    }

    /// The members of a JSON object that is a whole body.
    pub(super) fn of_body(body: &'a str) -> Result<Self, Cause> {
        serde_json::from_str(body).map_err(|_| match serde_json::from_str::<&RawValue>(body) {
            Ok(_) => Cause::NotAnObject,
            Err(_) => Cause::NotJson,
        })
    }

    /// The fields of a form.
    pub(super) fn of_form(form: &'a str) -> Self {
        let fields = form_urlencoded::parse(form.as_bytes());
        Self(
            fields
                .map(|(name, value)| (name, Member::Text(value)))
                .collect(),
        )
    }

    fn get(&self, name: &str) -> Option<&Member<'a>> {
        let is_null =
            |member: &Member<'_>| matches!(member, Member::Json(raw) if raw.get() == "null");
        let mut found = self.0.iter().rev().filter(|(known, _)| known == name);
        found
            .find(|(_, member)| !is_null(member))
            .map(|(_, member)| member)
    }

    /// Whether there is a member of that name that is not null.
    pub(super) fn has(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// The value as a string.
    pub(super) fn loose(&self, name: &str) -> Loose<'a> {
        match self.get(name) {
            None => Loose::Absent,
            Some(Member::Json(raw)) => Loose::of(raw),
            Some(Member::Text(text)) => Loose::Text(text.clone()),
        }
    }

    /// The value as JSON; none where it is missing or null, or came in a form.
    pub(super) fn raw(&self, name: &str) -> Option<&'a RawValue> {
        match self.get(name)? {
            Member::Json(raw) => Some(raw),
            Member::Text(_) => None,
        }
    }

    /// The members of the object of that name.
    pub(super) fn object(&self, name: &str) -> Option<Self> {
        Self::of(self.raw(name)?)
    }

    /// A number or another address: a string, a number, or an object that holds one, as in Messages v0.1.
    pub(super) fn address(&self, name: &'static str) -> Result<String, Cause> {
        let value = match (self.loose(name), self.object(name)) {
            (Loose::Other, Some(party)) => ["number", "id"]
                .into_iter()
                .map(|inner| party.loose(inner))
                .find(|inner| inner.word().is_some())
                .ok_or(Cause::BadValue(name))?,
            (value, _) => value,
        };
        let text = value.identifier(name)?;
        Ok(normalise_number(&whole_number(&text).unwrap_or(text)))
    }
}

/// The digits of a whole number that was written with an exponent or decimals; none where it is written plainly, or is none.
fn whole_number(text: &str) -> Option<String> {
    let is_odd = text
        .bytes()
        .all(|byte| byte.is_ascii_digit() || b".eE+".contains(&byte))
        && text.bytes().any(|byte| matches!(byte, b'e' | b'E'))
        || text
            .strip_suffix(".0")
            .is_some_and(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()));
    let number: f64 = is_odd.then(|| text.parse().ok())??;
    // Numbers of telephones have at most 15 digits, which a float holds.
    (number.fract() == 0.0 && number < 1e15).then(|| format!("{number:.0}"))
}

/// Reads the members of a JSON object; where the reader of JSON refuses its strings, of the object with mended strings, which is
/// put into `mended`.
pub(super) fn of_mended<'a>(
    body: &'a str,
    mended: &'a mut String,
) -> Result<(Members<'a>, &'a str), Cause> {
    match Members::of_body(body) {
        Err(Cause::NotJson) => {
            *mended = with_whole_strings(body).ok_or(Cause::NotJson)?;
            let mended: &'a str = mended;
            Ok((Members::of_body(mended)?, mended))
        }
        members => Ok((members?, body)),
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Members<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct MembersVisitor;

        impl<'de> Visitor<'de> for MembersVisitor {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a JSON object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::with_capacity(24);
                while let Some(Text(name)) = map.next_key()? {
                    members.push((name, Member::Json(map.next_value::<&RawValue>()?)));
                }
                Ok(Members(members))
            }
        }

        deserializer.deserialize_map(MembersVisitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_in_every_shape() {
        for (json, expected) in [
            (r#"{"to":"+44 7700 900123"}"#, Ok("447700900123")),
            (r#"{"to":447700900123}"#, Ok("447700900123")),
            (r#"{"to":4.47700900123e11}"#, Ok("447700900123")),
            (r#"{"to":447700900123.0}"#, Ok("447700900123")),
            (
                r#"{"to":{"type":"sms","number":"447700900123"}}"#,
                Ok("447700900123"),
            ),
            (
                r#"{"to":{"type":"sms","number":447700900123}}"#,
                Ok("447700900123"),
            ),
            (r#"{"to":{"type":"messenger","id":"abc"}}"#, Ok("abc")),
            (r#"{"to":"Example.Ltd"}"#, Ok("Example.Ltd")),
            (r#"{"to":"447700900123","to":null}"#, Ok("447700900123")),
            (r#"{"to":{}}"#, Err(Cause::BadValue("to"))),
            (r#"{"to":["447700900123"]}"#, Err(Cause::BadValue("to"))),
            (r#"{"to":true}"#, Err(Cause::BadValue("to"))),
            (r#"{"to":null}"#, Err(Cause::MissingField("to"))),
            (r#"{"to":" "}"#, Err(Cause::MissingField("to"))),
            ("{}", Err(Cause::MissingField("to"))),
        ] {
            let members = Members::of_body(json).unwrap();
            assert_eq!(members.address("to"), expected.map(str::to_owned), "{json}");
        }
    }
}
