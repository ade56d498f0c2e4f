//! Where one is in the console: the list that is shown, and the addresses of pages.

use docket_domain::ids::{LabelId, Reference, SurveyId};
use docket_domain::personal::Personal;
use docket_domain::text::normalise;
use docket_projections::read::cases::{AssigneeFilter, CaseFilter, CaseState, Cursor};
use reqwest::Url;
use serde::Deserialize;

use super::session::Session;

/// Which cases the list shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum View {
    /// Open ones.
    #[default]
    Open,
    /// Open ones that the person has not opened since their last message.
    Unread,
    /// Open ones that the person sees to.
    Mine,
    /// Open ones that nobody sees to.
    Unassigned,
    /// Open ones that are put off.
    Snoozed,
    /// Closed ones.
    Closed,
    /// All.
    All,
}

impl View {
    pub(super) const ALL: [Self; 7] = [
        Self::Open,
        Self::Unread,
        Self::Mine,
        Self::Unassigned,
        Self::Snoozed,
        Self::Closed,
        Self::All,
    ];

    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Unread => "unread",
            Self::Mine => "mine",
            Self::Unassigned => "unassigned",
            Self::Snoozed => "snoozed",
            Self::Closed => "closed",
            Self::All => "all",
        }
    }
}

/// What the address of a page says beside its path. Whatever cannot be read is as if it were not there.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Place {
    view: String,
    survey: String,
    /// The id of a label.
    label: String,
    q: String,
    cursor: String,
    /// What was just done.
    pub(super) done: String,
    /// The status before, where that can be undone.
    pub(super) undo: String,
    /// The sequence before which the thread is shown.
    pub(super) before: String,
    /// The name of the template of an answer that is to be the draft.
    pub(super) template: String,
}

impl Place {
    pub(super) fn view(&self) -> View {
        let named = |view: &View| view.as_str() == self.view;
        View::ALL.into_iter().find(named).unwrap_or_default()
    }

    pub(super) fn survey(&self) -> Option<SurveyId> {
        self.survey.parse().ok()
    }

    pub(super) fn label(&self) -> Option<LabelId> {
        self.label.parse().ok()
    }

    /// What is searched for; no NUL, which the database takes in no text.
    pub(super) fn q(&self) -> String {
        normalise::typed(&self.q.replace('\0', "")).into_owned()
    }

    pub(super) fn cursor(&self) -> Option<Cursor> {
        self.cursor.parse().ok()
    }

    /// Which cases the list shows to this person: never one that they do not reach.
    pub(super) fn filter(&self, session: &Session) -> CaseFilter {
        let (state, assignee) = match self.view() {
            View::Open | View::Unread | View::Snoozed => (Some(CaseState::Open), None),
            View::Mine => (
                Some(CaseState::Open),
                Some(AssigneeFilter::User(session.user_id)),
            ),
            View::Unassigned => (Some(CaseState::Open), Some(AssigneeFilter::Nobody)),
            View::Closed => (Some(CaseState::Closed), None),
            View::All => (None, None),
        };
        let q = self.q();
        CaseFilter {
            state,
            number: None,
            surveys: session
                .access
                .narrow(self.survey().map(|survey| vec![survey])),
            assignee,
            label: self.label(),
            snoozed: (state == Some(CaseState::Open)).then_some(self.view() == View::Snoozed),
            unread_by: (self.view() == View::Unread && session.may_act())
                .then_some(session.user_id),
            q: (!q.is_empty()).then_some(Personal(q)),
            ..CaseFilter::default()
        }
    }

    /// All cases that the person has yet to read, whatever is searched for.
    pub(super) fn unread(&self, session: &Session) -> CaseFilter {
        let place = Self {
            view: View::Unread.as_str().to_owned(),
            survey: self.survey.clone(),
            ..Self::default()
        };
        place.filter(session)
    }

    /// The address of `path` with the same list.
    pub(super) fn link(&self, path: &str) -> String {
        self.link_with(path, &[])
    }

    /// The address of `path` with the same list and more.
    pub(super) fn link_with(&self, path: &str, more: &[(&str, &str)]) -> String {
        let cursor = self.cursor().map(|cursor| cursor.to_string());
        self.address(path, self.view(), cursor.as_deref(), more)
    }

    /// The address of the list as another view shows it, from its beginning.
    pub(super) fn list(&self, view: View) -> String {
        self.address("/", view, None, &[])
    }

    /// The address of the list from that place on, or from its beginning.
    pub(super) fn list_from(&self, cursor: Option<Cursor>) -> String {
        let cursor = cursor.map(|cursor| cursor.to_string());
        self.address("/", self.view(), cursor.as_deref(), &[])
    }

    /// The address of a case beside the same list.
    pub(super) fn case(&self, reference: Reference) -> String {
        self.link(&format!("/cases/{reference}"))
    }

    /// What an address with the same list says beside its path, for a form that leads to it.
    pub(super) fn pairs(&self) -> Vec<(String, String)> {
        let link = self.link("http://console.example.com/");
        Url::parse(&link).map_or_else(|_| vec![], |url| url.query_pairs().into_owned().collect())
    }

    fn address(
        &self,
        path: &str,
        view: View,
        cursor: Option<&str>,
        more: &[(&str, &str)],
    ) -> String {
        let survey = self.survey().map(|survey| survey.to_string());
        let label = self.label().map(|label| label.to_string());
        let q = self.q();
        let mut pairs = vec![];
        if view != View::default() {
            pairs.push(("view", view.as_str()));
        }
        pairs.extend(survey.as_deref().map(|survey| ("survey", survey)));
        pairs.extend(label.as_deref().map(|label| ("label", label)));
        if !q.is_empty() {
            pairs.push(("q", &q));
        }
        pairs.extend(cursor.map(|cursor| ("cursor", cursor)));
        pairs.extend(more);
        with_query(path, &pairs)
    }
}

/// A path with a query.
pub(super) fn with_query(path: &str, pairs: &[(&str, &str)]) -> String {
    if pairs.is_empty() {
        return path.to_owned();
    }
    let url = Url::parse_with_params("http://console.example.com/", pairs)
        .expect("a fixed address is one");
    format!("{path}?{}", url.query().unwrap_or_default())
}

/// Where somebody may be led after signing in: a page of ours, and nothing that a browser could take for another site.
pub(super) fn is_ours(next: &str) -> bool {
    let mut chars = next.chars();
    chars.next() == Some('/')
        && !matches!(chars.next(), Some('/' | '\\'))
        && next.bytes().all(|byte| byte.is_ascii_graphic())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_pages_of_ours_are_led_to() {
        for good in ["/", "/cases/101?view=mine", "/sessions"] {
            assert!(is_ours(good), "{good}");
        }
        for bad in [
            "",
            "//example.com",
            "/\\example.com",
            "https://example.com",
            "/a\r\nb",
            "/ä",
        ] {
            assert!(!is_ours(bad), "{bad}");
        }
    }

    #[test]
    fn the_list_stays_the_same_from_page_to_page() {
        let place = Place {
            view: "mine".to_owned(),
            q: " a&b ".to_owned(),
            survey: "none such".to_owned(),
            ..Place::default()
        };
        assert_eq!(place.link("/cases/101"), "/cases/101?view=mine&q=a%26b");
        assert_eq!(place.list(View::Open), "/?q=a%26b");
        assert_eq!(Place::default().link("/"), "/");
        let pairs = [("view", "mine"), ("q", "a&b")];
        assert_eq!(
            place.pairs(),
            pairs.map(|(name, value)| (name.to_owned(), value.to_owned()))
        );
        assert_eq!(Place::default().pairs(), []);
    }
}
