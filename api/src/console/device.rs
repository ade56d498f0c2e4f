//! Browsers that somebody has signed in with before.
//!
//! Wrong passwords are counted for an account, so that nobody tries many; and so anybody could keep its owner out by trying wrong
//! ones all the time. A browser in which the person has signed in before is told apart by a cookie, and its attempts are
//! counted by themselves.
//!
//! The cookie holds a random name of the browser and a MAC over it and the person, keyed with the hash of their password. So it needs
//! no secret beside those that are there, every process on the database knows it, nobody else can make it, and with another password it
//! is of no use any more. It opens nothing: the password is asked for all the same.

use axum::http::{HeaderMap, HeaderValue};
use docket_domain::ids::UserId;
use hmac::{Hmac, Mac};
use sha2::Sha256;

use super::session;

/// What the names of these cookies begin with; the person's id follows, since several may use one browser.
const COOKIE: &str = "docket_device_";
/// The longest that browsers keep a cookie is some days more.
const SECONDS: i64 = 365 * 24 * 3_600;

/// A browser that a person has signed in with before, by its random name.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Device(String);

impl Device {
    /// Its random name.
    pub(super) fn name(&self) -> &str {
        &self.0
    }
}

fn name_of(user_id: UserId) -> String {
    format!("{COOKIE}{}", user_id.0.simple())
}

fn mac(user_id: UserId, password_hash: &str, device: &str) -> Hmac<Sha256> {
    let mut mac = Hmac::<Sha256>::new_from_slice(password_hash.as_bytes())
        .expect("HMAC takes a key of any length");
    mac.update(b"a browser of the console");
    mac.update(user_id.0.as_bytes());
    mac.update(device.as_bytes());
    mac
}

/// Whether the browser says that somebody has signed in with it.
pub(super) fn is_claimed(headers: &HeaderMap) -> bool {
    session::has_cookie(headers, COOKIE)
}

/// Whether the browser says that this person has signed in with it. Its cookie does not come along
/// with what another site's page sends.
pub(super) fn is_of(headers: &HeaderMap, user_id: UserId) -> bool {
    session::cookie(headers, &name_of(user_id)).is_some()
}

/// The browser, where that person has signed in with it and has the same password since.
pub(super) fn find(headers: &HeaderMap, user_id: UserId, password_hash: &str) -> Option<Device> {
    let cookie = session::cookie(headers, &name_of(user_id))?;
    let (device, told) = cookie.split_once('.')?;
    let told = hex::decode(told).ok()?;
    mac(user_id, password_hash, device)
        .verify_slice(&told)
        .ok()?;
    Some(Device(device.to_owned()))
}

/// The header that makes the browser known.
pub(super) fn set_cookie(user_id: UserId, password_hash: &str) -> HeaderValue {
    let device = session::new_token();
    let code = mac(user_id, password_hash, &device).finalize().into_bytes();
    let value = format!("{device}.{}", hex::encode(code));
    session::set_cookie(&name_of(user_id), &value, SECONDS)
}

#[cfg(test)]
mod tests {
    use axum::http::header::COOKIE as HEADER;
    use uuid::Uuid;

    use super::*;

    #[test]
    fn only_who_knows_the_hash_makes_a_cookie() {
        let (ann, bea) = (UserId(Uuid::from_u128(1)), UserId(Uuid::from_u128(2)));
        let cookie = |of: UserId, value: &str| {
            let cookie = format!("{}={value}", name_of(of));
            HeaderMap::from_iter([(HEADER, HeaderValue::from_str(&cookie).unwrap())])
        };
        let code = hex::encode(mac(ann, "hash", "browser").finalize().into_bytes());
        let good = format!("browser.{code}");
        assert_eq!(
            find(&cookie(ann, &good), ann, "hash"),
            Some(Device("browser".to_owned()))
        );
        assert!(is_claimed(&cookie(ann, &good)));
        assert_eq!(find(&cookie(ann, &good), ann, "another hash"), None);
        assert_eq!(find(&cookie(ann, &good), bea, "hash"), None);
        assert_eq!(find(&cookie(bea, &good), bea, "hash"), None);
        for wrong in ["", "browser", "browser.", "other.{code}", "browser.00"] {
            let wrong = wrong.replace("{code}", &code);
            assert_eq!(find(&cookie(ann, &wrong), ann, "hash"), None, "{wrong}");
        }
        assert!(!is_claimed(&HeaderMap::new()));
    }
}
