//! The first owner, who is made at the first start.

use docket_domain::user::normalise_email;
use secrecy::SecretString;

use super::{Mistakes, Section, Setting, Values};

/// The section.
pub const SECTION: Section = Section {
    heading: "First owner",
    settings: &[EMAIL, PASSWORD],
};

const EMAIL: Setting = Setting {
    name: "DOCKET_OWNER_EMAIL",
    flag: "owner-email",
    old_flag: Some("docket-owner-email"),
    value: "EMAIL",
    default: None,
    is_secret: false,
    is_basic: true,
    about: "The email of the first owner, who is made at the first start.",
    without: "docket user add makes owners",
};

const PASSWORD: Setting = Setting {
    name: "DOCKET_OWNER_PASSWORD",
    flag: "owner-password",
    old_flag: Some("docket-owner-password"),
    value: "PASSWORD",
    default: None,
    is_secret: true,
    is_basic: true,
    about: "The first owner's password, of 10 characters or more.",
    without: "docket user add makes owners",
};

/// The first owner's address and password.
pub(super) fn owner(values: &Values, mistakes: &mut Mistakes) -> Option<(String, SecretString)> {
    let password = mistakes.note(values.secret(&PASSWORD))?;
    match (values.text(&EMAIL), password) {
        (Some(email), Some(password)) => {
            let email = mistakes.note(normalise_email(email).ok_or_else(|| {
                "DOCKET_OWNER_EMAIL must be an address such as owner@example.com".to_owned()
            }))?;
            Some((email, password))
        }
        (Some(_), None) => {
            mistakes.0.push(
                "DOCKET_OWNER_EMAIL is set without DOCKET_OWNER_PASSWORD; set both or neither"
                    .to_owned(),
            );
            None
        }
        (None, Some(_)) => {
            mistakes.0.push(
                "DOCKET_OWNER_PASSWORD is set without DOCKET_OWNER_EMAIL; set both or neither"
                    .to_owned(),
            );
            None
        }
        (None, None) => None,
    }
}
