//! Vonage's settings, as the configuration gives them.

use secrecy::SecretString;

use super::public_url::base_address;
use super::{Mistakes, Section, Setting, Values};
use crate::vonage::private_key;

/// The section.
pub const SECTION: Section = Section {
    heading: "Vonage",
    settings: &[APPLICATION_ID, PRIVATE_KEY, SIGNATURE_SECRET, API_URL],
};

const APPLICATION_ID: Setting = Setting {
    name: "DOCKET_VONAGE_APPLICATION_ID",
    flag: "vonage-application-id",
    old_flag: Some("docket-vonage-application-id"),
    value: "ID",
    default: None,
    is_secret: false,
    is_basic: true,
    about: "The Vonage application's id.",
    without: "what an owner entered at the console; replies wait until then",
};

const PRIVATE_KEY: Setting = Setting {
    name: "DOCKET_VONAGE_PRIVATE_KEY",
    flag: "vonage-private-key",
    old_flag: Some("docket-vonage-private-key"),
    value: "KEY",
    default: None,
    is_secret: true,
    is_basic: true,
    about: "The application's private key, as downloaded from Vonage (PEM); line breaks may be written as \\n.",
    without: "what an owner entered at the console; replies wait until then",
};

const SIGNATURE_SECRET: Setting = Setting {
    name: "DOCKET_VONAGE_SIGNATURE_SECRET",
    flag: "vonage-signature-secret",
    old_flag: Some("docket-vonage-signature-secret"),
    value: "SECRET",
    default: None,
    is_secret: true,
    is_basic: true,
    about: "The Vonage account's signature secret, which signs webhooks.",
    without: "what an owner entered at the console; every webhook is answered 503 until then",
};

const API_URL: Setting = Setting {
    name: "DOCKET_VONAGE_API_URL",
    flag: "vonage-api-url",
    old_flag: Some("docket-vonage-api-url"),
    value: "URL",
    default: Some("https://api.nexmo.com"),
    is_secret: false,
    is_basic: false,
    about: "The base address of Vonage's API.",
    without: "",
};

/// The section's settings, checked.
pub(super) struct Vonage {
    pub(super) api_url: String,
    pub(super) application_id: Option<String>,
    pub(super) signature_secret: Option<SecretString>,
    pub(super) private_key: Option<SecretString>,
}

/// Checks the section.
pub(super) fn check(values: &Values, mistakes: &mut Mistakes) -> Option<Vonage> {
    let api_url = values.text(&API_URL).unwrap_or_default();
    let api_url = mistakes.note(base_address(API_URL.name, api_url));
    let signature_secret = mistakes.note(values.secret(&SIGNATURE_SECRET));
    let private_key = mistakes.note(read_key(values));
    Some(Vonage {
        api_url: api_url?,
        application_id: values.text(&APPLICATION_ID).map(str::to_owned),
        signature_secret: signature_secret?,
        private_key: private_key?,
    })
}

fn read_key(values: &Values) -> Result<Option<SecretString>, String> {
    let Some(bytes) = values.secret_bytes(&PRIVATE_KEY)? else {
        return Ok(None);
    };
    private_key::read(&bytes)
        .map(Some)
        .map_err(|error| format!("{}: {error}", values.name_of_secret(&PRIVATE_KEY)))
}
