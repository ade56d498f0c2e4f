//! The signatures of the SMS API's webhooks: the parameter `sig`.
//!
//! All other parameters are sorted by name and joined as `&name=value`, with `_` for `&` and `=` in values; the signature is the MD5 of
//! that and the secret, or its HMAC by MD5, SHA-1, SHA-256 or SHA-512. The owner chooses the method in Vonage's settings and Docket is
//! not told, so every method whose length fits is tried. The secret is the one that signs the Messages API's webhooks too.
//!
//! What the signature does not cover is not taken: a name that comes twice, a name with `&` or `=` in it, a value that is a list or an
//! object. A repetition is recognised by the message's id, so `timestamp` is not judged.

use std::collections::BTreeMap;

use hmac::{Hmac, Mac};
use md5::{Digest as _, Md5};
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::Value;
use sha1::Sha1;
use sha2::{Sha256, Sha512};
use subtle::ConstantTimeEq as _;

use super::signature::{SignatureError, Wrong};

/// Longest signature, in bytes: that of SHA-512.
const MAX_SIGNATURE_BYTES: usize = 64;

/// The parameters of a webhook of the SMS API, from its JSON, its form or its query.
pub struct Params {
    /// Bytes, since the signature is one of what was sent, text or not.
    values: BTreeMap<Vec<u8>, Vec<u8>>,
    /// Whether the signature can cover all that is there.
    are_plain: bool,
}

impl Params {
    /// The parameters in a body or a query: JSON or a form.
    pub fn of(body: &[u8]) -> Self {
        let body = body.trim_ascii();
        if body.starts_with(b"{") {
            return serde_json::from_slice(body).unwrap_or_else(|_| Self::none());
        }
        let mut params = Self::none();
        for field in body
            .split(|byte| *byte == b'&')
            .filter(|field| !field.is_empty())
        {
            let place = field.iter().position(|byte| *byte == b'=');
            let (name, value) = field.split_at(place.unwrap_or(field.len()));
            params.add(
                decoded(name),
                Some(decoded(value.get(1..).unwrap_or_default())),
            );
        }
        params
    }

    fn none() -> Self {
        Self {
            values: BTreeMap::new(),
            are_plain: true,
        }
    }

    fn add(&mut self, name: Vec<u8>, value: Option<Vec<u8>>) {
        let is_plain = value.is_some() && !name.iter().any(|byte| b"&=".contains(byte));
        let before = self.values.insert(name, value.unwrap_or_default());
        self.are_plain &= is_plain && before.is_none();
    }

    /// Whether there is anything of the SMS API's.
    pub fn are_of_sms_api(&self) -> bool {
        let has = |name: &&str| self.values.contains_key(name.as_bytes());
        ["msisdn", "messageId", "sig"].iter().any(has)
    }

    /// What is signed.
    fn signed(&self) -> Vec<u8> {
        let mut signed = vec![];
        for (name, value) in &self.values {
            if name != b"sig" {
                signed.push(b'&');
                signed.extend(name);
                signed.push(b'=');
                signed.extend(value.iter().map(|byte| match byte {
                    b'&' | b'=' => b'_',
                    byte => *byte,
                }));
            }
        }
        signed
    }

    /// Checks the signature, in constant time.
    ///
    /// # Errors
    ///
    /// [`SignatureError::Missing`] where there is none or no secret to judge it by, [`SignatureError::Wrong`] where it does not fit.
    pub fn verify(&self, secret: &[u8]) -> Result<(), SignatureError> {
        let stated = self
            .values
            .get(b"sig".as_slice())
            .filter(|sig| !sig.is_empty());
        let stated = stated.ok_or(SignatureError::Missing)?;
        if secret.is_empty() {
            // Anybody could sign with it.
            return Err(SignatureError::Missing);
        }
        let mut bytes = [0_u8; MAX_SIGNATURE_BYTES];
        let length = stated.len() / 2;
        let bytes = bytes.get_mut(..length).ok_or(Wrong::Signature)?;
        hex::decode_to_slice(stated, bytes).map_err(|_| Wrong::Signature)?;
        if !self.are_plain {
            return Err(Wrong::Signature.into());
        }
        let signed = self.signed();
        let fits = match length {
            16 => {
                let hash = Md5::new()
                    .chain_update(&signed)
                    .chain_update(secret)
                    .finalize();
                bool::from(
                    hash.as_slice().ct_eq(bytes) | hmac::<Hmac<Md5>>(&signed, secret).ct_eq(bytes),
                )
            }
            20 => hmac::<Hmac<Sha1>>(&signed, secret).ct_eq(bytes).into(),
            32 => hmac::<Hmac<Sha256>>(&signed, secret).ct_eq(bytes).into(),
            64 => hmac::<Hmac<Sha512>>(&signed, secret).ct_eq(bytes).into(),
            _ => false,
        };
        if fits {
            Ok(())
        } else {
            Err(Wrong::Signature.into())
        }
    }
}

fn hmac<M: Mac + hmac::digest::KeyInit>(signed: &[u8], secret: &[u8]) -> Vec<u8> {
    let mut mac = <M as Mac>::new_from_slice(secret).expect("HMAC takes keys of any length");
    mac.update(signed);
    mac.finalize().into_bytes().to_vec()
}

/// The bytes of a name or a value in a form.
fn decoded(field: &[u8]) -> Vec<u8> {
    let digit = |byte: Option<&u8>| char::from(*byte?).to_digit(16);
    let mut decoded = Vec::with_capacity(field.len());
    let mut rest = field;
    while let Some((first, after)) = rest.split_first() {
        let escaped =
            (*first == b'%').then(|| Some(digit(after.first())? * 16 + digit(after.get(1))?));
        if let Some(byte) = escaped.flatten().and_then(|byte| u8::try_from(byte).ok()) {
            decoded.push(byte);
            rest = &after[2..];
        } else {
            decoded.push(if *first == b'+' { b' ' } else { *first });
            rest = after;
        }
    }
    decoded
}

impl<'de> Deserialize<'de> for Params {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ParamsVisitor;

        impl<'de> Visitor<'de> for ParamsVisitor {
            type Value = Params;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a JSON object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut params = Params::none();
                while let Some((name, value)) = map.next_entry::<String, Value>()? {
                    let value = match value {
                        Value::String(text) => Some(text),
                        Value::Number(number) => Some(number.to_string()),
                        Value::Bool(truth) => Some(truth.to_string()),
                        Value::Null => Some(String::new()),
                        Value::Array(_) | Value::Object(_) => None,
                    };
                    params.add(name.into_bytes(), value.map(String::into_bytes));
                }
                Ok(params)
            }
        }

        deserializer.deserialize_map(ParamsVisitor)
    }
}

#[cfg(test)]
mod tests;
