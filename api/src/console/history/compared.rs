//! A case as it was beside the case as it is, a page of its thread at a time.

use std::collections::BTreeMap;

use docket_domain::ids::{MessageId, Reference};
use docket_projections::history::{self, AsOfError, At, Found};
use docket_projections::read::cases::{self, CaseLink, CaseRow, CaseState};
use docket_projections::read::thread::page::{between, went_to};
use docket_projections::read::thread::{self as threads, Place as ThreadPlace, ThreadItem, What};
use docket_projections::read::{contacts, surveys};

use super::super::pages::Item;
use super::super::place::{Place, with_query};
use super::super::thread::{Beside, Shown};
use super::super::told::{Link, Stamp, Told};
use super::super::{Failed, words};
use crate::app::App;
use crate::http::problem::Problem;
use crate::people;

/// So many items of a thread are shown of a moment at once, and of what came since.
const MAX_ITEMS: usize = 20;
/// At most so many of today's items are compared with them.
const MAX_COMPARED: usize = 200;
/// At most so many items are counted that came since.
const MAX_COUNT: u32 = 1_000;

/// A case as it was beside the case as it is.
pub(super) struct Compared {
    pub(super) heading: String,
    /// When the last event up to the moment was recorded.
    pub(super) recorded: Option<Stamp>,
    /// Why there is nothing to be shown of that moment.
    pub(super) not_begun: Option<String>,
    /// The event after which it is.
    pub(super) event: Option<Told>,
    pub(super) fields: Vec<Field>,
    pub(super) rows: Vec<Row>,
    /// So many items before those that are shown, and where they are.
    pub(super) hidden: Option<Link>,
    pub(super) added: Vec<Item>,
    pub(super) added_heading: String,
    pub(super) verdict: String,
}

pub(super) struct Field {
    pub(super) label: &'static str,
    pub(super) then: String,
    pub(super) now: String,
    pub(super) is_changed: bool,
}

/// An item of the thread as it was, and what became of it.
pub(super) struct Row {
    pub(super) then: Item,
    pub(super) now: Option<Item>,
    pub(super) became: Became,
    /// The case that it went to.
    pub(super) went: Option<Link>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Became {
    Same,
    Changed,
    Gone,
}

impl Became {
    pub(super) const fn words(self) -> &'static str {
        match self {
            Self::Same => words::THE_SAME,
            Self::Changed => words::CHANGED_SINCE,
            Self::Gone => words::GONE_SINCE,
        }
    }

    pub(super) const fn class(self) -> &'static str {
        match self {
            Self::Same => "same",
            Self::Changed => "changed",
            Self::Gone => "gone",
        }
    }
}

/// All that is shown of a case, as it is or as it was, beside its thread.
pub(super) struct Picture {
    pub(super) row: CaseRow,
    name: Option<String>,
    links: Vec<CaseLink>,
    survey: String,
}

impl Picture {
    pub(super) async fn now(app: &App, reference: Reference) -> Result<Option<Self>, Failed> {
        let Some(row) = cases::find(&app.pool, reference).await? else {
            return Ok(None);
        };
        let contact = contacts::find(&app.pool, row.contact_id).await?;
        let survey = surveys::find(&app.pool, row.survey_id).await?;
        Ok(Some(Self {
            name: contact.and_then(|contact| contact.name).map(|name| name.0),
            links: cases::links(&app.pool, reference).await?,
            survey: survey.map_or_else(String::new, |survey| survey.settings.name),
            row,
        }))
    }

    fn fields(&self) -> [(&'static str, String); 8] {
        let row = &self.row;
        let state = match (row.state, row.withdrawn) {
            (_, true) => words::WITHDRAWN,
            (CaseState::Open, false) => words::OPEN,
            (CaseState::Closed, false) => words::CLOSED,
        };
        let links: Vec<String> = self
            .links
            .iter()
            .map(|link| words::link(link.kind, link.other.get()))
            .collect();
        let or_nothing = |text: String| {
            if text.is_empty() {
                words::NOTHING.to_owned()
            } else {
                text
            }
        };
        let assignee = row
            .assignee
            .as_ref()
            .map(|assignee| people::shown(&assignee.email));
        [
            (words::TITLE, row.title.0.clone()),
            (words::STATE, state.to_owned()),
            (
                words::STATUS,
                or_nothing(row.status.clone().unwrap_or_default()),
            ),
            (
                words::ASSIGNEE,
                assignee.unwrap_or_else(|| words::NOBODY.to_owned()),
            ),
            (
                words::NAME,
                or_nothing(self.name.clone().unwrap_or_default()),
            ),
            (words::SURVEY, self.survey.clone()),
            (words::MESSAGES, row.message_count.to_string()),
            (words::LINKS, or_nothing(links.join(", "))),
        ]
    }

    fn items(&self, thread: &[ThreadItem]) -> Vec<Item> {
        let place = Place::default();
        let shown = Shown {
            case: &self.row,
            name: self.name.as_deref(),
            question: None,
            place: &place,
            now: self.row.last_message_at,
            may_act: false,
            seen: None,
            reader: None,
            beside: Beside::default(),
        };
        shown.items(thread)
    }
}

/// The case at the moment, with the items before `before`, or the last ones, beside the case now.
pub(super) async fn compare(
    app: &App,
    found: Found,
    before: Option<ThreadPlace>,
    now: &Picture,
    event: Option<Told>,
) -> Result<Compared, Failed> {
    let was = history::case(&app.pool, found)
        .await
        .map_err(Problem::from)?;
    let part = history::thread_before(&app.pool, found, before, MAX_ITEMS)
        .await
        .map_err(Problem::from)?;
    let since = i64::from(MAX_COUNT) + 1;
    let added = history::count_since(&app.pool, found, since)
        .await
        .map_err(Problem::from)?;
    let recorded_at = was.recorded_at;
    let then = Picture {
        row: was.row,
        name: was.contact.name.map(|name| name.0),
        links: was.links,
        survey: now.survey.clone(),
    };
    let fields = then.fields().into_iter().zip(now.fields());
    let fields: Vec<Field> = fields
        .map(|((label, then), (_, now))| Field {
            is_changed: then != now,
            label,
            then,
            now,
        })
        .collect();
    let (rows, came_back) = rows(app, &then, now, &part.items).await?;
    let changes = fields.iter().filter(|field| field.is_changed).count()
        + rows.iter().filter(|row| row.became != Became::Same).count()
        + came_back.len()
        + added;
    let is_whole = !part.has_earlier && before.is_none() && added <= MAX_COUNT as usize;
    let hidden = part.items.first().filter(|_| part.has_earlier);
    let after = ThreadPlace {
        sequence: found.sequence(),
        part: u8::MAX,
    };
    let reference = then.row.reference;
    let limit = u32::try_from(MAX_ITEMS).unwrap_or(u32::MAX);
    let newer = threads::page(&app.pool, reference, Some(after), limit).await?;
    let newer = now.items(&newer);
    let added_items: Vec<Item> = came_back.into_iter().chain(newer).take(MAX_ITEMS).collect();
    Ok(Compared {
        heading: words::as_it_was_after(then.row.version, now.row.version),
        recorded: Some(Stamp::of(recorded_at)),
        not_begun: None,
        event,
        fields,
        rows,
        hidden: hidden.map(|first| earlier(reference, found, first)),
        added_heading: words::items_added(added, MAX_COUNT as usize),
        added: added_items,
        verdict: if is_whole {
            words::changes(changes)
        } else {
            words::changes_shown(changes)
        },
    })
}

/// Where the items before that one are.
fn earlier(reference: Reference, found: Found, first: &ThreadItem) -> Link {
    let at = found.sequence().to_string();
    let items = format!("{}.{}", first.place.sequence, first.place.part);
    let pairs = [("at", at.as_str()), ("items", &items)];
    Link {
        href: with_query(&format!("/cases/{reference}/history"), &pairs),
        text: words::EARLIER.to_owned(),
    }
}

/// Each item as it was and what has become of it; and those of today that stand among them and did not then.
async fn rows(
    app: &App,
    then: &Picture,
    now: &Picture,
    items: &[ThreadItem],
) -> Result<(Vec<Row>, Vec<Item>), Failed> {
    let (Some(first), Some(last)) = (items.first(), items.last()) else {
        return Ok((vec![], vec![]));
    };
    let reference = now.row.reference;
    let known = between(&app.pool, reference, first.place, last.place, MAX_COMPARED).await?;
    let messages: Vec<MessageId> = items.iter().filter_map(message_of).collect();
    let went = went_to(&app.pool, reference, &messages).await?;
    let mut today: BTreeMap<ThreadPlace, (&ThreadItem, Item)> = known
        .iter()
        .zip(now.items(&known))
        .map(|(item, shown)| (item.place, (item, shown)))
        .collect();
    let rows = items
        .iter()
        .zip(then.items(items))
        .map(|(item, shown)| match today.remove(&item.place) {
            None => Row {
                then: shown,
                now: None,
                became: Became::Gone,
                went: message_of(item)
                    .and_then(|message| went.get(&message))
                    .map(|to| Link {
                        href: format!("/cases/{to}/history"),
                        text: words::it_went(to.get()),
                    }),
            },
            Some((known, _)) if known == item => Row {
                then: shown,
                now: None,
                became: Became::Same,
                went: None,
            },
            Some((_, now)) => Row {
                then: shown,
                now: Some(now),
                became: Became::Changed,
                went: None,
            },
        })
        .collect();
    let came_back = today.into_values().map(|(_, shown)| shown);
    Ok((rows, came_back.collect()))
}

fn message_of(item: &ThreadItem) -> Option<MessageId> {
    match &item.what {
        What::Inbound(message) => Some(message.message_id),
        _ => None,
    }
}

/// What is shown of a moment before the case began.
pub(super) async fn not_begun(
    app: &App,
    at: At,
    error: &AsOfError,
    now: &Picture,
) -> Result<Compared, Failed> {
    let sentence = match error {
        AsOfError::NotBegun { began_at, .. } => words::not_begun(&Stamp::of(*began_at).text),
        _ => String::new(),
    };
    let heading = match at {
        At::Time(time) => words::as_it_was_at(&Stamp::of(time).text),
        _ => String::new(),
    };
    let fields = now.fields().into_iter().map(|(label, now)| Field {
        label,
        then: words::NOTHING.to_owned(),
        is_changed: true,
        now,
    });
    let limit = u32::try_from(MAX_ITEMS + 1).unwrap_or(u32::MAX);
    let items = threads::page(&app.pool, now.row.reference, None, limit).await?;
    Ok(Compared {
        heading,
        recorded: None,
        not_begun: Some(sentence),
        event: None,
        fields: fields.collect(),
        rows: vec![],
        hidden: None,
        added_heading: words::items_added(items.len(), MAX_ITEMS),
        added: now.items(&items).into_iter().take(MAX_ITEMS).collect(),
        verdict: words::ALL_IS_NEW.to_owned(),
    })
}
