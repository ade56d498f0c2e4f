//! Judging whether Vonage sent a webhook.

use axum::body::Bytes;
use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use docket_domain::held::HeldBody;
use secrecy::ExposeSecret;
use tracing::warn;

use super::Outcome;
use crate::app::App;
use crate::http::request_id::RequestIds;
use crate::vonage::signature::{self, SignatureError};
use crate::vonage::sms_signature::Params;
use crate::vonage_settings;

/// A webhook's body, once its signature was found right. Of a webhook that came as a GET it is the query.
pub(super) struct Signed {
    pub(super) body: Bytes,
    pub(super) request_id: Option<RequestIds>,
}

impl Signed {
    /// The body as it is kept.
    pub(super) fn held_body(&self) -> HeldBody {
        HeldBody::new(&self.body, |bytes| hex::encode(bytes))
    }
}

/// Judges a webhook.
pub(super) async fn check(app: &App, headers: &HeaderMap, body: Bytes) -> Result<Signed, Outcome> {
    let authorization = headers
        .get(AUTHORIZATION)
        .and_then(|value| value.to_str().ok());
    let mut verified = verify(app, authorization, &body);
    if !matches!(verified, Ok(()) | Err(Unverified::Missing)) {
        // Perhaps an owner has just entered another secret, and this process has not heard of it yet. A refusal would be final.
        if let Err(error) = vonage_settings::refresh(app).await {
            warn!(%error, "a webhook could not be judged by the newest settings");
            return Err(Outcome::Unavailable);
        }
        verified = verify(app, authorization, &body);
    }
    match verified {
        Ok(()) => {}
        Err(Unverified::NoSecret) => {
            warn!("a webhook came, but no signature secret is set: enter it at the console");
            return Err(Outcome::Unsigned);
        }
        Err(Unverified::Missing) => return Err(Outcome::Unsigned),
        Err(Unverified::Wrong(error)) => {
            warn!(%error, "a webhook was refused");
            return Err(Outcome::WronglySigned);
        }
    }
    Ok(Signed {
        body,
        request_id: RequestIds::current(),
    })
}

/// Why a webhook does not count.
enum Unverified {
    /// There is no secret to judge it by.
    NoSecret,
    /// It is not signed.
    Missing,
    /// It is signed wrongly.
    Wrong(SignatureError),
}

/// Judges a signature by the settings in use: the token of the Messages API, or else the `sig` of the SMS API.
fn verify(app: &App, authorization: Option<&str>, body: &[u8]) -> Result<(), Unverified> {
    let secret = app.vonage.signature_secret.load();
    let Some(secret) = secret.as_ref() else {
        return Err(Unverified::NoSecret);
    };
    let application_id = app.vonage.application_id.load();
    let application_id = application_id.as_ref().map(|id| id.as_str());
    let secret = secret.expose_secret().as_bytes();
    let Err(by_token) = signature::verify(authorization, body, secret, application_id) else {
        return Ok(());
    };
    match (by_token, Params::of(body).verify(secret)) {
        (_, Ok(())) => Ok(()),
        (SignatureError::Missing, Err(SignatureError::Missing)) => Err(Unverified::Missing),
        (SignatureError::Missing, Err(error)) | (error, Err(_)) => Err(Unverified::Wrong(error)),
    }
}
