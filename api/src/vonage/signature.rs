//! The signatures of Vonage's webhooks: `Authorization: Bearer` with a JWT in HS256.
//!
//! The key is the account's signature secret, and the token carries the SHA-256 of the body, so that it vouches for these bytes and
//! no others. HS256 is the only algorithm taken: neither `none` nor an asymmetric one whose public key could be tried as a secret.
//!
//! `iat` and `exp` are not judged: Vonage repeats a webhook for a day, perhaps with the `iat` of the first time, and sets no `exp`;
//! a narrow window would lose messages. A repetition is recognised by the message's id instead.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, Mac};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq as _;

type HmacSha256 = Hmac<Sha256>;

/// Longest decoded header that is read, in bytes; Vonage's has 27.
const MAX_HEADER_BYTES: usize = 192;
/// Longest claims that are read without a heap allocation, in bytes; Vonage's have about 270.
const USUAL_CLAIMS_BYTES: usize = 768;
/// Longest token that is looked at, in bytes.
const MAX_TOKEN_BYTES: usize = 8_192;

/// What a verified token says about itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claims {
    /// When Vonage signed, in seconds since 1970; not judged, see the module.
    pub iat: Option<i64>,
    /// The token's own identifier.
    pub jti: Option<String>,
    /// The account that the webhook belongs to.
    pub api_key: Option<String>,
    /// The application that the webhook belongs to.
    pub application_id: Option<String>,
}

/// Why a webhook is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// There is no signature that could be judged: no `Authorization` header, an empty one, one of another scheme than Bearer, or
    /// no secret to judge with. Answer 503, so that Vonage comes again with a signed one: after a fault of its own it sends
    /// webhooks unsigned, and a 4xx would be its last word.
    #[error("the webhook carries no signature")]
    Missing,
    /// There is a signature, and it is not one for this webhook. Answer 401.
    #[error("the webhook's signature is wrong: {0}")]
    Wrong(Wrong),
}

/// What is wrong with a signature; holds nothing of the token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Wrong {
    /// Not three parts of base64url with JSON in the first two.
    #[error("not a token")]
    NotAToken,
    /// Another algorithm than HS256, or a header that asks for extensions.
    #[error("another algorithm than HS256")]
    Algorithm,
    /// Signed with another secret, or altered since.
    #[error("it does not fit the signature secret")]
    Signature,
    /// The token does not say which body it belongs to.
    #[error("it has no payload hash")]
    NoPayloadHash,
    /// The token belongs to another body.
    #[error("it belongs to another body")]
    PayloadHash,
    /// The token belongs to another application than ours.
    #[error("it belongs to another application")]
    Application,
}

impl From<Wrong> for SignatureError {
    fn from(wrong: Wrong) -> Self {
        Self::Wrong(wrong)
    }
}

#[derive(Deserialize)]
struct Header<'a> {
    #[serde(borrow)]
    alg: Cow<'a, str>,
    crit: Option<serde::de::IgnoredAny>,
}

/// A string of a token, borrowed unless it holds escapes. An `Option<Cow<str>>` would always be copied.
#[derive(Serialize, Deserialize)]
#[serde(transparent)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

impl Text<'_> {
    fn into_owned(self) -> String {
        self.0.into_owned()
    }
}

impl<'a> From<&'a str> for Text<'a> {
    fn from(text: &'a str) -> Self {
        Self(Cow::Borrowed(text))
    }
}

#[derive(Serialize, Deserialize)]
struct TokenClaims<'a> {
    #[serde(
        default,
        deserialize_with = "seconds",
        skip_serializing_if = "Option::is_none"
    )]
    iat: Option<i64>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    jti: Option<Text<'a>>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    iss: Option<Text<'a>>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    payload_hash: Option<Text<'a>>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    api_key: Option<Text<'a>>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    application_id: Option<Text<'a>>,
}

/// A whole number of seconds; anything else is as if it were not there, since `iat` decides nothing.
fn seconds<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<i64>, D::Error> {
    struct Seconds;

    impl<'de> serde::de::Visitor<'de> for Seconds {
        type Value = Option<i64>;

        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("a number of seconds")
        }

        fn visit_i64<E>(self, value: i64) -> Result<Self::Value, E> {
            Ok(Some(value))
        }

        fn visit_u64<E>(self, value: u64) -> Result<Self::Value, E> {
            Ok(i64::try_from(value).ok())
        }

        fn visit_f64<E>(self, _: f64) -> Result<Self::Value, E> {
            Ok(None)
        }

        fn visit_bool<E>(self, _: bool) -> Result<Self::Value, E> {
            Ok(None)
        }

        fn visit_str<E>(self, value: &str) -> Result<Self::Value, E> {
            Ok(value.parse().ok())
        }

        fn visit_unit<E>(self) -> Result<Self::Value, E> {
            Ok(None)
        }

        fn visit_seq<A: serde::de::SeqAccess<'de>>(
            self,
            mut seq: A,
        ) -> Result<Self::Value, A::Error> {
            while seq.next_element::<serde::de::IgnoredAny>()?.is_some() {}
            Ok(None)
        }

        fn visit_map<A: serde::de::MapAccess<'de>>(
            self,
            mut map: A,
        ) -> Result<Self::Value, A::Error> {
            while map
                .next_entry::<serde::de::IgnoredAny, serde::de::IgnoredAny>()?
                .is_some()
            {}
            Ok(None)
        }
    }

    deserializer.deserialize_any(Seconds)
}

/// Checks that Vonage signed `body`.
///
/// `authorization` is the header's value, `body` the bytes as they came, before any parsing, and `secret` the account's signature
/// secret as UTF-8. `application_id` is ours, if configured; it is compared when the token names one too. The signature and the
/// hash of the body are compared in constant time.
///
/// # Errors
///
/// [`SignatureError::Missing`] asks for a 503, [`SignatureError::Wrong`] for a 401; see there.
pub fn verify(
    authorization: Option<&str>,
    body: &[u8],
    secret: &[u8],
    application_id: Option<&str>,
) -> Result<Claims, SignatureError> {
    let token = authorization
        .and_then(bearer_token)
        .ok_or(SignatureError::Missing)?;
    if secret.is_empty() {
        // HMAC takes an empty key gladly, and then anybody could sign.
        return Err(SignatureError::Missing);
    }
    let mut buffer = [0_u8; USUAL_CLAIMS_BYTES];
    let mut long_buffer = Vec::new();
    let payload = verify_token(token, secret, &mut buffer, &mut long_buffer)?;

    let stated = payload.payload_hash.as_ref().ok_or(Wrong::NoPayloadHash)?;
    let mut stated_hash = [0_u8; 32];
    hex::decode_to_slice(stated.0.as_bytes(), &mut stated_hash).map_err(|_| Wrong::PayloadHash)?;
    if !bool::from(Sha256::digest(body).as_slice().ct_eq(&stated_hash)) {
        return Err(Wrong::PayloadHash.into());
    }
    if let (Some(ours), Some(theirs)) = (application_id, &payload.application_id)
        && !ours.eq_ignore_ascii_case(&theirs.0)
    {
        return Err(Wrong::Application.into());
    }
    Ok(Claims {
        iat: payload.iat,
        jti: payload.jti.map(Text::into_owned),
        api_key: payload.api_key.map(Text::into_owned),
        application_id: payload.application_id.map(Text::into_owned),
    })
}

/// The token of a Bearer header; none where the scheme is another or the token is empty.
fn bearer_token(authorization: &str) -> Option<&str> {
    let (scheme, token) = authorization.trim().split_once(' ')?;
    let token = token.trim_start();
    (scheme.eq_ignore_ascii_case("Bearer") && !token.is_empty()).then_some(token)
}

/// Checks the token alone, and gives its claims from one of the two buffers.
fn verify_token<'b>(
    token: &str,
    secret: &[u8],
    buffer: &'b mut [u8; USUAL_CLAIMS_BYTES],
    long_buffer: &'b mut Vec<u8>,
) -> Result<TokenClaims<'b>, Wrong> {
    if token.len() > MAX_TOKEN_BYTES {
        return Err(Wrong::NotAToken);
    }
    let (signed, signature) = token.rsplit_once('.').ok_or(Wrong::NotAToken)?;
    let (header, claims) = signed.split_once('.').ok_or(Wrong::NotAToken)?;

    let mut header_bytes = [0_u8; MAX_HEADER_BYTES];
    let length = URL_SAFE_NO_PAD
        .decode_slice(header, &mut header_bytes)
        .map_err(|_| Wrong::NotAToken)?;
    let header: Header<'_> =
        serde_json::from_slice(&header_bytes[..length]).map_err(|_| Wrong::NotAToken)?;
    if header.alg != "HS256" || header.crit.is_some() {
        return Err(Wrong::Algorithm);
    }

    // One byte more than a signature has, so that a longer one is seen to be longer.
    let mut signature_bytes = [0_u8; 33];
    let length = URL_SAFE_NO_PAD
        .decode_slice(signature, &mut signature_bytes)
        .map_err(|_| Wrong::Signature)?;
    let mut mac = HmacSha256::new_from_slice(secret).expect("HMAC takes keys of any length");
    mac.update(signed.as_bytes());
    mac.verify_slice(&signature_bytes[..length])
        .map_err(|_| Wrong::Signature)?;

    let claims_bytes = if base64::decoded_len_estimate(claims.len()) <= buffer.len() {
        let length = URL_SAFE_NO_PAD
            .decode_slice(claims, buffer)
            .map_err(|_| Wrong::NotAToken)?;
        &buffer[..length]
    } else {
        URL_SAFE_NO_PAD
            .decode_vec(claims, long_buffer)
            .map_err(|_| Wrong::NotAToken)?;
        long_buffer.as_slice()
    };
    serde_json::from_slice(claims_bytes).map_err(|_| Wrong::NotAToken)
}

/// What a token says besides the hash of the body.
#[derive(Clone, Copy, Debug)]
pub struct SignParams<'a> {
    /// When it is signed, in seconds since 1970.
    pub iat: i64,
    /// The token's identifier.
    pub jti: &'a str,
    /// The account.
    pub api_key: Option<&'a str>,
    /// The application.
    pub application_id: Option<&'a str>,
}

/// Signs `body` as Vonage does and gives the value of the `Authorization` header, `Bearer …`. The simulated account and tests sign
/// with it.
///
/// # Panics
///
/// Never: the claims are plain strings and numbers.
pub fn sign(body: &[u8], secret: &[u8], params: &SignParams<'_>) -> String {
    let payload = TokenClaims {
        iat: Some(params.iat),
        jti: Some(params.jti.into()),
        iss: Some("Vonage".into()),
        payload_hash: Some(Text(hex::encode(Sha256::digest(body)).into())),
        api_key: params.api_key.map(Text::from),
        application_id: params.application_id.map(Text::from),
    };
    let claims = serde_json::to_vec(&payload).expect("strings and numbers serialise");
    let mut value = String::from("Bearer ");
    let start = value.len();
    URL_SAFE_NO_PAD.encode_string(br#"{"alg":"HS256","typ":"JWT"}"#, &mut value);
    value.push('.');
    URL_SAFE_NO_PAD.encode_string(&claims, &mut value);
    let mut mac = HmacSha256::new_from_slice(secret).expect("HMAC takes keys of any length");
    mac.update(&value.as_bytes()[start..]);
    value.push('.');
    URL_SAFE_NO_PAD.encode_string(mac.finalize().into_bytes(), &mut value);
    value
}

#[cfg(test)]
mod tests;
