//! How a person wants the console to be: kept for the person, in whichever browser they sign in.

use serde::{Deserialize, Serialize};

/// The colours of the console.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Theme {
    /// As the person's system has it.
    #[default]
    System,
    /// Dark on light.
    Light,
    /// Light on dark.
    Dark,
}

impl Theme {
    /// Every theme.
    pub const ALL: [Self; 3] = [Self::System, Self::Light, Self::Dark];

    /// The theme's name in the API and in forms.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::Light => "light",
            Self::Dark => "dark",
        }
    }

    /// The theme of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|theme| theme.as_str() == name)
    }
}

/// What a browser tells a person of on their desktop, where they let it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a box that the person ticks on its own"
)]
pub struct Notify {
    /// A case was assigned to them.
    pub assignment: bool,
    /// A note mentions them.
    pub mention: bool,
    /// A message came in a case that is assigned to them.
    pub message: bool,
    /// Whether a sound is played with it.
    pub sound: bool,
}

/// How a person wants the console to be.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Preferences {
    /// The colours.
    pub theme: Theme,
    /// The IANA name of the time zone that times are shown in; `None` for that of the installation.
    pub time_zone: Option<String>,
    /// Whether the next case opens when one was closed.
    pub next_case: bool,
    /// What a browser tells of.
    pub notify: Notify,
}

/// Which preferences change; what is `None` stays.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PreferencesChange {
    /// The colours.
    pub theme: Option<Theme>,
    /// The time zone; `Some(None)` for that of the installation.
    pub time_zone: Option<Option<String>>,
    /// Whether the next case opens when one was closed.
    pub next_case: Option<bool>,
    /// Whether to tell of assignments.
    pub assignment: Option<bool>,
    /// Whether to tell of mentions.
    pub mention: Option<bool>,
    /// Whether to tell of messages.
    pub message: Option<bool>,
    /// Whether to play a sound.
    pub sound: Option<bool>,
}

impl Preferences {
    /// The preferences after a change.
    #[must_use]
    pub fn with(&self, change: PreferencesChange) -> Self {
        let Notify {
            assignment,
            mention,
            message,
            sound,
        } = self.notify;
        Self {
            theme: change.theme.unwrap_or(self.theme),
            time_zone: change.time_zone.unwrap_or_else(|| self.time_zone.clone()),
            next_case: change.next_case.unwrap_or(self.next_case),
            notify: Notify {
                assignment: change.assignment.unwrap_or(assignment),
                mention: change.mention.unwrap_or(mention),
                message: change.message.unwrap_or(message),
                sound: change.sound.unwrap_or(sound),
            },
        }
    }
}
