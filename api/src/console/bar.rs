//! What the bar says: which part of the console a page belongs to, and what waits for an owner.

use super::{list_words, site, words};

/// What the bar shows of somebody's page.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Bar {
    /// Which entry the page belongs to; empty for none.
    pub(super) section: &'static str,
    /// How many webhooks wait to be routed; 0 for who does not oversee.
    pub(super) unrouted: usize,
    /// How much of Health needs action; 0 for who does not oversee.
    pub(super) health: usize,
}

/// A page that something waits on.
pub(super) struct Alert {
    pub(super) name: &'static str,
    pub(super) href: &'static str,
    pub(super) count: String,
    pub(super) is_current: bool,
}

/// The pages that are settings.
const SETTINGS: [&str; 7] = [
    "/setup",
    "/surveys",
    "/lines",
    "/vonage",
    "/users",
    "/services",
    "/labels",
];

/// The entries that pages belong to, by the beginnings of their paths.
const SECTIONS: [(&str, &str); 6] = [
    ("/cases/new", "new"),
    ("/contacts", "contacts"),
    ("/reports", "reports"),
    ("/log", "log"),
    ("/health", "health"),
    ("/unrouted", "unrouted"),
];

/// The entry that a page belongs to.
pub(super) fn section_of(path: &str) -> &'static str {
    let base = site::base();
    let path = path.strip_prefix(base.as_str()).unwrap_or(path);
    let begins = |beginning: &str| {
        path.strip_prefix(beginning)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    if let Some((_, section)) = SECTIONS.iter().find(|(beginning, _)| begins(beginning)) {
        return section;
    }
    if SETTINGS.into_iter().any(begins) {
        "settings"
    } else if path == "/" || begins("/cases") {
        "inbox"
    } else {
        ""
    }
}

impl Bar {
    /// Whether the page belongs to that entry.
    pub(super) fn is_at(&self, section: &str) -> bool {
        self.section == section
    }

    /// What waits for an owner.
    pub(super) fn alerts(&self) -> Vec<Alert> {
        [
            (words::HEALTH, "/health", "health", self.health),
            (words::UNROUTED, "/unrouted", "unrouted", self.unrouted),
        ]
        .into_iter()
        .filter(|(.., count)| *count > 0)
        .map(|(name, href, section, count)| Alert {
            name,
            href,
            count: list_words::up_to_99(count),
            is_current: self.is_at(section),
        })
        .collect()
    }

    /// How much waits on a page of the settings.
    pub(super) fn count_of(&self, href: &str) -> Option<String> {
        let alerts = self.alerts();
        let alert = alerts.into_iter().find(|alert| alert.href == href);
        alert.map(|alert| alert.count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_page_belongs_to_its_entry() {
        for (path, section) in [
            ("/", "inbox"),
            ("/cases/101", "inbox"),
            ("/cases/new", "new"),
            ("/reports", "reports"),
            ("/log", "log"),
            ("/surveys/1", "settings"),
            ("/users", "settings"),
            ("/unrouted", "unrouted"),
            ("/health", "health"),
            ("/account", ""),
            ("/caseserver", ""),
        ] {
            assert_eq!(section_of(path), section, "{path}");
        }
    }
}
