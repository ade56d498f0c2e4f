//! The settings: pages that owners change, auditors read, and agents do not see.
//!
//! Every page of them extends `console/settings.html`, fills its block `settings`, and says in a field `tab` which of the entries of
//! the navigation it belongs to. To add a group of pages: a [`Tab`], and its routes behind [`sees_settings`] for what is read
//! and [`may_set_up`] for what is changed.
//!
//! [`sees_settings`]: super::session::sees_settings
//! [`may_set_up`]: super::session::may_set_up

use super::pages::Choice;
use super::words;

/// A group of pages among the settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tab {
    Setup,
    Surveys,
    Lines,
    Vonage,
    Users,
    Tokens,
    Unrouted,
    Health,
    Reports,
}

impl Tab {
    const ALL: [Self; 9] = [
        Self::Setup,
        Self::Surveys,
        Self::Lines,
        Self::Vonage,
        Self::Users,
        Self::Tokens,
        Self::Unrouted,
        Self::Health,
        Self::Reports,
    ];

    const fn path(self) -> &'static str {
        match self {
            Self::Setup => "/setup",
            Self::Surveys => "/surveys",
            Self::Lines => "/lines",
            Self::Vonage => "/vonage",
            Self::Users => "/users",
            Self::Tokens => "/tokens",
            Self::Unrouted => "/unrouted",
            Self::Health => "/health",
            Self::Reports => "/reports",
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Setup => words::TAB_SETUP,
            Self::Surveys => words::TAB_SURVEYS,
            Self::Lines => words::TAB_LINES,
            Self::Vonage => words::TAB_VONAGE,
            Self::Users => words::TAB_USERS,
            Self::Tokens => words::TAB_TOKENS,
            Self::Unrouted => words::TAB_UNROUTED,
            Self::Health => words::TAB_HEALTH,
            Self::Reports => words::TAB_REPORTS,
        }
    }

    /// The navigation, as a page of this group shows it.
    pub(super) fn entries(self) -> Vec<Choice> {
        let entries = Self::ALL.into_iter().map(|tab| Choice {
            name: tab.name().to_owned(),
            value: tab.path().to_owned(),
            is_current: tab == self,
        });
        entries.collect()
    }
}
