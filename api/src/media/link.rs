//! Addresses at which Vonage fetches a file that we send: nobody can guess one, each is for one message alone, and ends with time.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, TimeDelta, Utc};
use docket_domain::ids::MessageId;
use hmac::{Hmac, Mac};
use sha2::Sha256;

/// Below this path Vonage fetches what we send: `/{message_id}/{pass}/{name}` behind it.
pub const PATH: &str = "/media/sent";

/// The ending of a name for a file of that type, with its dot: Vonage judges a file by it. `name` is what its sender called it.
pub fn ending(media_type: &str, name: Option<&str>) -> String {
    let known = match media_type {
        "image/jpeg" => ".jpg",
        "image/png" => ".png",
        "image/gif" => ".gif",
        "image/bmp" => ".bmp",
        "audio/aac" => ".aac",
        "audio/mp4" => ".m4a",
        "audio/amr" => ".amr",
        "audio/mpeg" => ".mp3",
        "audio/ogg" | "audio/opus" => ".opus",
        "video/mp4" => ".mp4",
        "video/3gpp" => ".3gpp",
        _ => "",
    };
    if !known.is_empty() {
        return known.to_owned();
    }
    let own = name
        .and_then(|name| name.rsplit_once('.'))
        .map(|(_, ending)| ending)
        .filter(|ending| {
            (1..=8).contains(&ending.len())
                && ending.bytes().all(|byte| byte.is_ascii_alphanumeric())
        });
    own.map_or_else(String::new, |ending| format!(".{ending}"))
}

/// So long an address is good: as long as Vonage keeps trying, and no longer.
const LIFE: TimeDelta = TimeDelta::hours(48);

/// What signs the addresses; all processes on a database have the same.
#[derive(Clone, Default)]
pub struct LinkKey(Vec<u8>);

impl fmt::Debug for LinkKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LinkKey(…)")
    }
}

impl LinkKey {
    /// A key of these bytes.
    pub const fn new(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    /// The part of the address that says what may be fetched until when: `expires-signature`.
    pub fn pass(&self, message_id: MessageId, now: DateTime<Utc>) -> String {
        let expires = (now + LIFE).timestamp();
        let signature = self.mac(message_id, expires).finalize().into_bytes();
        format!("{expires}-{}", URL_SAFE_NO_PAD.encode(signature))
    }

    /// Whether a pass is one of ours for that message, and still good.
    pub fn admits(&self, message_id: MessageId, pass: &str, now: DateTime<Utc>) -> bool {
        let Some((expires, signature)) = pass.split_once('-') else {
            return false;
        };
        let (Ok(expires), Ok(signature)) = (expires.parse(), URL_SAFE_NO_PAD.decode(signature))
        else {
            return false;
        };
        let is_ours = self
            .mac(message_id, expires)
            .verify_slice(&signature)
            .is_ok();
        is_ours && now.timestamp() < expires && !self.0.is_empty()
    }

    fn mac(&self, message_id: MessageId, expires: i64) -> Hmac<Sha256> {
        let mut mac =
            Hmac::<Sha256>::new_from_slice(&self.0).expect("HMAC takes a key of any length");
        mac.update(b"media of a message\0");
        mac.update(message_id.0.as_bytes());
        mac.update(&expires.to_be_bytes());
        mac
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn an_address_ends_as_vonage_expects() {
        assert_eq!(ending("image/jpeg", Some("roof.png")), ".jpg");
        assert_eq!(ending("application/pdf", Some("a.b.pdf")), ".pdf");
        assert_eq!(ending("application/pdf", Some("a.p/f")), "");
        assert_eq!(ending("application/pdf", None), "");
    }

    #[test]
    fn a_pass_is_for_one_message_until_it_ends() {
        let key = LinkKey::new(vec![7; 32]);
        let now: DateTime<Utc> = "2026-03-02T09:00:00Z".parse().unwrap();
        let message = MessageId(Uuid::from_u128(1));
        let pass = key.pass(message, now);
        assert!(key.admits(message, &pass, now));
        assert!(key.admits(message, &pass, now + TimeDelta::hours(47)));
        assert!(!key.admits(message, &pass, now + TimeDelta::hours(48)));
        assert!(!key.admits(MessageId(Uuid::from_u128(2)), &pass, now));
        assert!(!LinkKey::new(vec![8; 32]).admits(message, &pass, now));
        assert!(!LinkKey::default().admits(message, &LinkKey::default().pass(message, now), now));
        let (expires, signature) = pass.split_once('-').unwrap();
        let later: i64 = expires.parse::<i64>().unwrap() + 1;
        for forged in [
            format!("{later}-{signature}"),
            format!("{expires}-{}", &signature[1..]),
            format!("{expires}-"),
            String::new(),
            "-".to_owned(),
        ] {
            assert!(!key.admits(message, &forged, now), "{forged}");
        }
    }
}
