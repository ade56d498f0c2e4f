//! Personal data: texts, numbers and names.
//!
//! Whatever stands in an event and could identify a person is wrapped in [`Personal`]. Its `Debug` shows nothing, so it cannot
//! reach a log by accident, and it marks the fields that the log may one day encrypt with a key of the contact's.

use std::fmt;
use std::ops::Deref;

use serde::{Deserialize, Serialize};

/// Personal data; serialised as the bare value, shown by `Debug` as `Personal(…)`.
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Personal<T>(pub T);

impl<T> fmt::Debug for Personal<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Personal(…)")
    }
}

impl<T> Deref for Personal<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T> From<T> for Personal<T> {
    fn from(value: T) -> Self {
        Self(value)
    }
}

impl From<&str> for Personal<String> {
    fn from(value: &str) -> Self {
        Self(value.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_nothing_and_json_is_bare() {
        let name = Personal::<String>::from("Invented Person");
        assert_eq!(format!("{name:?}"), "Personal(…)");
        assert_eq!(
            serde_json::to_string(&name).expect("serialises"),
            "\"Invented Person\""
        );
    }
}
