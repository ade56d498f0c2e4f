//! Where one is in the console: the list that is shown, and the addresses of pages.

use chrono::NaiveDate;
use docket_domain::channel::Channel;
use docket_domain::ids::{LabelId, LineId, Reference, SurveyId, UserId};
use docket_domain::personal::Personal;
use docket_domain::text::normalise;
use docket_projections::read::cases::{AssigneeFilter, CaseFilter, CaseState, Cursor};
use reqwest::Url;
use serde::Deserialize;

use super::session::Session;
use crate::people;

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
    /// Those in which the contact waits for an answer, the longest wait first.
    Waiting,
    /// Those whose last reply failed, open or closed.
    Failed,
    /// Those in which a note mentions the person, open or closed.
    Mentions,
    /// Open ones that are put off.
    Snoozed,
    /// Closed ones.
    Closed,
    /// All.
    All,
}

impl View {
    pub(super) const ALL: [Self; 10] = [
        Self::Open,
        Self::Unread,
        Self::Mine,
        Self::Unassigned,
        Self::Mentions,
        Self::Waiting,
        Self::Failed,
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
            Self::Waiting => "waiting",
            Self::Failed => "failed",
            Self::Mentions => "mentions",
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
    /// An answer to the status question.
    status: String,
    /// Whose cases: the id of a person, `me` or `none`.
    assignee: String,
    /// The id of a line.
    line: String,
    channel: String,
    /// The first and the last day of the last message, in UTC.
    since: String,
    until: String,
    /// `waiting` for the longest wait first.
    sort: String,
    /// The id of a label.
    label: String,
    q: String,
    cursor: String,
    /// What was just done.
    pub(super) done: String,
    /// The status before, where that can be undone.
    pub(super) undo: String,
    /// The case that was just closed, where another is shown by now.
    pub(super) closed: String,
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

    /// The case that was just closed, where another is shown by now.
    pub(super) fn closed(&self) -> Option<Reference> {
        self.closed.parse().ok()
    }

    pub(super) fn status(&self) -> String {
        normalise::typed(&self.status.replace('\0', "")).into_owned()
    }

    pub(super) fn line(&self) -> Option<LineId> {
        self.line.parse().ok()
    }

    pub(super) fn channel(&self) -> Option<Channel> {
        Channel::from_name(&self.channel)
    }

    /// The days, as a field for a date writes them.
    pub(super) fn days(&self) -> [Option<NaiveDate>; 2] {
        [&self.since, &self.until].map(|day| day.parse().ok())
    }

    /// Whose cases, as the address writes it; empty for all.
    pub(super) fn assignee(&self) -> String {
        match self.assignee.as_str() {
            name @ ("me" | "none") => name.to_owned(),
            id => id
                .parse::<UserId>()
                .map_or_else(|_| String::new(), |id| id.to_string()),
        }
    }

    /// Whether the longest wait comes first. Words are searched for in the order of the newest messages.
    pub(super) fn is_by_waiting(&self) -> bool {
        let asks = self.view() == View::Waiting || self.sorts_by_waiting();
        asks && self.q().is_empty() && !matches!(self.view(), View::Unread | View::Mentions)
    }

    /// Whether the longest wait was asked for in a view that has another order by itself.
    pub(super) fn sorts_by_waiting(&self) -> bool {
        self.sort == "waiting" && self.view() != View::Closed
    }

    /// Whether less is shown than the view has, by other filters than words.
    pub(super) fn is_filtered(&self) -> bool {
        self.filters()
            .iter()
            .any(|(name, _)| !matches!(*name, "sort" | "q"))
    }

    /// How many filters are set.
    pub(super) fn set_filters(&self) -> usize {
        self.filters()
            .iter()
            .filter(|(name, _)| *name != "q")
            .count()
    }

    /// The same list without words and filters.
    pub(super) fn unfiltered(&self) -> Self {
        Self {
            view: self.view.clone(),
            ..Self::default()
        }
    }

    /// The same words and filters in all cases.
    pub(super) fn everywhere(&self) -> Self {
        Self {
            view: View::All.as_str().to_owned(),
            sort: String::new(),
            cursor: String::new(),
            ..self.clone()
        }
    }

    pub(super) fn cursor(&self) -> Option<Cursor> {
        self.cursor.parse().ok()
    }

    /// Which cases the list shows to this person: never one that they do not reach.
    pub(super) fn filter(&self, session: &Session) -> CaseFilter {
        let view = self.view();
        let asked = match self.assignee.as_str() {
            "me" => Some(AssigneeFilter::User(session.user_id)),
            "none" => Some(AssigneeFilter::Nobody),
            id => id.parse().ok().map(AssigneeFilter::User),
        };
        let assignee = match view {
            View::Mine => Some(AssigneeFilter::User(session.user_id)),
            View::Unassigned => Some(AssigneeFilter::Nobody),
            _ => asked,
        };
        let state = match view {
            View::Closed => Some(CaseState::Closed),
            View::All | View::Failed | View::Mentions => None,
            _ => Some(CaseState::Open),
        };
        let [since, until] = self.days();
        let (q, status) = (self.q(), self.status());
        CaseFilter {
            state,
            number: None,
            surveys: session
                .access
                .narrow(self.survey().map(|survey| vec![survey])),
            assignee,
            unread_by: (view == View::Unread && session.may_act()).then_some(session.user_id),
            waiting: view == View::Waiting || self.sorts_by_waiting(),
            failed: view == View::Failed,
            status: (!status.is_empty()).then_some(status),
            line: self.line(),
            channel: self.channel(),
            since: since.map(people::midnight),
            until: until.and_then(|day| day.succ_opt()).map(people::midnight),
            label: self.label(),
            snoozed: (state == Some(CaseState::Open)).then_some(view == View::Snoozed),
            q: (!q.is_empty()).then_some(Personal(q)),
        }
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

    /// The address of the list from its beginning.
    pub(super) fn first_page(&self) -> String {
        self.list_from(None)
    }

    /// What that address says beside its path.
    pub(super) fn query(&self) -> String {
        let address = self.first_page();
        address
            .split_once('?')
            .map_or("", |(_, query)| query)
            .to_owned()
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

    /// What the address says of the list beside its view and the place in it.
    fn filters(&self) -> Vec<(&'static str, String)> {
        let [since, until] = self.days();
        let text = |value: Option<String>| value.unwrap_or_default();
        let sort = if self.sorts_by_waiting() {
            "waiting"
        } else {
            ""
        };
        let mut filters = vec![
            ("survey", text(self.survey().map(|id| id.to_string()))),
            ("label", text(self.label().map(|id| id.to_string()))),
            ("status", self.status()),
            ("assignee", self.assignee()),
            ("line", text(self.line().map(|id| id.to_string()))),
            (
                "channel",
                text(self.channel().map(|channel| channel.as_str().to_owned())),
            ),
            ("since", text(since.map(|day| day.to_string()))),
            ("until", text(until.map(|day| day.to_string()))),
            ("sort", sort.to_owned()),
            ("q", self.q()),
        ];
        filters.retain(|(_, value)| !value.is_empty());
        filters
    }

    fn address(
        &self,
        path: &str,
        view: View,
        cursor: Option<&str>,
        more: &[(&str, &str)],
    ) -> String {
        let filters = self.filters();
        let mut pairs = vec![];
        if view != View::default() {
            pairs.push(("view", view.as_str()));
        }
        pairs.extend(filters.iter().map(|(name, value)| (*name, value.as_str())));
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
