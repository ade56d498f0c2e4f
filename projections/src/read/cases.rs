//! Cases as the list shows them, and what they have to do with one another.
//!
//! # How the list stays fast
//!
//! The list is ordered by the last message and read in pages, so a query is fast when an index gives its rows in that order,
//! or when few rows are left to order. Which index that is depends on the filter, and `… OR $1 IS NULL` would hide it from
//! the planner; hence one statement for each way to begin ([`Driver`]), all with the same conditions after that.
//!
//! Numbers and words have no such index. The newest cases are searched first, one by one, which fills a page at once where what
//! is looked for is frequent. Where it is not, all that match are looked up and ordered, unless they are too many for that
//! ([`search::FEW_OF_WORDS`], [`FEW_OF_NUMBER`]); then the search one by one goes on. Both ways take about as long where one case in
//! [`FREQUENT`] matches. The words of an item are stored as they were cut out of its texts (`docket_domain::text::search`), so that to
//! search one by one is to compare them with a pattern for each term.
//!
//! What somebody has not read has no index either: cases are looked at in order, each with one look at the person's mark. Nobody
//! has read more cases than they have opened by hand, so a page of unread ones is soon found.

pub mod as_of;
pub mod by_reference;
pub mod counts;
pub mod desk;
pub(crate) mod handler;
pub mod hits;
pub mod preview;
pub(in crate::read) mod search;
pub mod stranded;
pub mod waiting;

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, Utc};
use docket_domain::case::{Assignee, CaseLabel, Origin};
use docket_domain::channel::Channel;
use docket_domain::ids::{ContactId, LabelId, LineId, Reference, SurveyId, UserId};
use docket_domain::label;
use docket_domain::personal::Personal;
use sqlx::types::Json;
use sqlx::{PgExecutor, PgPool};
use uuid::Uuid;

pub use self::handler::CasesHandler;
use self::search::Search;
use super::rows::{Row, column};
use super::{labels, snoozes};

/// So many cases, found by a number, are ordered without an index; more are not even looked up.
const FEW_OF_NUMBER: usize = 5_000;
/// So many pages' worth of cases are searched one by one before anything is looked up: the index needs long to tell that
/// a word is everywhere, and the newest cases show it at once.
const PAGES_BEFORE_LOOKING_UP: u32 = 4;
/// Where one case in so many matches, to go on searching one by one takes no longer than to look up and order all that match.
const FREQUENT: usize = 30;
/// At most so many cases are searched one by one in one statement.
const MAX_SEARCHED_AT_ONCE: u32 = 3_200;

/// A case as the list shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CaseRow {
    /// Its reference.
    pub reference: Reference,
    /// Whose it is.
    pub contact_id: ContactId,
    /// The contact's number.
    pub number: Personal<String>,
    /// The survey it belongs to.
    pub survey_id: SurveyId,
    /// The line that it began on.
    pub line_id: LineId,
    /// That line's channel.
    pub channel: Channel,
    /// What it is called.
    pub title: Personal<String>,
    /// The answer to the status question.
    pub status: Option<String>,
    /// Whether messages can reach it.
    pub state: CaseState,
    /// What made it.
    pub origin: CaseOrigin,
    /// Whether the move that made it was undone; such a case is closed for good.
    pub withdrawn: bool,
    /// Who sees to it.
    pub assignee: Option<Assignee>,
    /// The sequence of its last event.
    pub version: u64,
    /// How many messages stand in it.
    pub message_count: u32,
    /// When it began.
    pub opened_at: DateTime<Utc>,
    /// When a message was last received, queued or moved into it, or came back to it; when it began, where none was. The list's order.
    pub last_message_at: DateTime<Utc>,
    /// When and by which line the contact last wrote, in messages that were not moved here: answers go out by that line. The time is
    /// Vonage's, or that of recording where Vonage's is later.
    pub last_inbound: Option<(DateTime<Utc>, LineId)>,
    /// The sequence of the event that last brought a message into it; 0 where none did.
    pub last_message: u64,
    /// Its labels, ordered by name; without those that were deleted.
    pub labels: Vec<CaseLabel>,
    /// Until when it is put off, where it is.
    pub snoozed_until: Option<DateTime<Utc>>,
}

impl CaseRow {
    /// The place of this case in the list; a page that begins there begins with the case after it.
    pub const fn cursor(&self) -> Cursor {
        Cursor {
            at: self.last_message_at,
            reference: self.reference,
        }
    }

    /// Whether somebody who has read as far as that sequence has yet to read it. What is closed waits for nobody.
    pub fn is_unread(&self, read_to: u64) -> bool {
        self.state == CaseState::Open && self.last_message > read_to
    }
}

macro_rules! names {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $text:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name {
            $($(#[$variant_doc])* $variant,)+
        }

        impl $name {
            /// The name in the database and the API.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $text,)+
                }
            }

            /// What has that name.
            pub fn from_name(name: &str) -> Option<Self> {
                match name {
                    $($text => Some(Self::$variant),)+
                    _ => None,
                }
            }
        }
    };
}

names! {
    /// Whether messages can reach a case.
    CaseState {
        /// They can.
        Open = "open",
        /// They cannot.
        Closed = "closed",
    }
}

names! {
    /// What made a case.
    CaseOrigin {
        /// A message of the contact's.
        Message = "message",
        /// A message in a survey that keeps each as a record of its own.
        Record = "record",
        /// An agent who wrote first.
        Agent = "agent",
        /// A message moved out of another case; which one, the links say.
        Move = "move",
    }
}

names! {
    /// What a case has to do with another.
    LinkKind {
        /// It follows the other, which was closed.
        Follows = "follows",
        /// The other follows it.
        FollowedBy = "followed_by",
        /// A message went to the other, even where the move was undone.
        MovedTo = "moved_to",
        /// A message came from the other, even where the move was undone.
        MovedFrom = "moved_from",
    }
}

impl CaseState {
    const fn of(closed: bool) -> Self {
        if closed { Self::Closed } else { Self::Open }
    }
}

impl CaseOrigin {
    pub(super) const fn of(origin: Origin) -> Self {
        match origin {
            Origin::Message => Self::Message,
            Origin::Record => Self::Record,
            Origin::Agent => Self::Agent,
            Origin::Move { .. } => Self::Move,
        }
    }
}

/// Another case that a case has to do with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct CaseLink {
    /// The other case.
    pub other: Reference,
    /// What it has to do with it.
    pub kind: LinkKind,
}

/// Which cases to list. The default lists all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CaseFilter {
    /// Only those in that state.
    pub state: Option<CaseState>,
    /// Only those of contacts with such a number.
    pub number: Option<NumberFilter>,
    /// Only those of these surveys; of none where the list is empty.
    pub surveys: Option<Vec<SurveyId>>,
    /// Only those that somebody, or nobody, sees to.
    pub assignee: Option<AssigneeFilter>,
    /// Only those that this person has not opened since their last message; they are open, or none is found.
    pub unread_by: Option<UserId>,
    /// Only those in which the contact waits for an answer.
    pub waiting: bool,
    /// Only those whose last reply failed, and that nobody closed since.
    pub failed: bool,
    /// Only those with this answer to the status question.
    pub status: Option<String>,
    /// Only those that began on this line.
    pub line: Option<LineId>,
    /// Only those that began on a line of this channel.
    pub channel: Option<Channel>,
    /// Only those whose last message was recorded then or later.
    pub since: Option<DateTime<Utc>>,
    /// Only those whose last message was recorded before.
    pub until: Option<DateTime<Utc>>,
    /// Only those that have this label.
    pub label: Option<LabelId>,
    /// Only those that are put off, or only those that are not.
    pub snoozed: Option<bool>,
    /// Only those in which this was said, written or named. `#123` finds that case and nothing else; digits find
    /// a reference, a part of a number and words; an id of a message finds its cases; all else finds cases that have an item with
    /// all these words, the last of which may be a beginning. The contact's name counts as said in every item. White space alone
    /// finds everything.
    pub q: Option<Personal<String>>,
}

/// A number, or the beginning of one, spelt as [`normalise_number`](docket_domain::channel::normalise_number) does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NumberFilter {
    /// That number.
    Exact(Personal<String>),
    /// Every number that begins so.
    Prefix(Personal<String>),
}

impl NumberFilter {
    /// The least and the greatest text, byte by byte, that the numbers lie between. Unlike a pattern for `LIKE` these
    /// find their index when a statement is planned without knowing them.
    fn bounds(&self) -> (&str, String) {
        match self {
            Self::Exact(number) => (number, number.0.clone()),
            Self::Prefix(beginning) => (beginning, format!("{}{}", beginning.0, char::MAX)),
        }
    }
}

/// Who sees to a case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AssigneeFilter {
    /// That person.
    User(UserId),
    /// Nobody.
    Nobody,
}

/// A place in a list of cases. As text it is `<microseconds since 1970>-<reference>`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cursor {
    /// The time by which the list is ordered, of the case before it: that of its last message, or since when it waits.
    pub at: DateTime<Utc>,
    /// The case before it.
    pub reference: Reference,
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.at.timestamp_micros(), self.reference)
    }
}

/// Not a cursor that [`Cursor`] wrote.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a cursor is what an earlier answer gave as `next`")]
pub struct ParseCursorError;

impl FromStr for Cursor {
    type Err = ParseCursorError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (micros, reference) = text.rsplit_once('-').ok_or(ParseCursorError)?;
        let micros: i64 = micros.parse().map_err(|_| ParseCursorError)?;
        // Postgres's times begin in 4713 BC and end after chrono's; a cursor is never from before 1970.
        if micros < 0 {
            return Err(ParseCursorError);
        }
        Ok(Self {
            at: DateTime::from_timestamp_micros(micros).ok_or(ParseCursorError)?,
            reference: reference.parse().map_err(|_| ParseCursorError)?,
        })
    }
}

/// A row of `cases`, as the queries give it.
struct RawCase {
    reference: i32,
    contact_id: Uuid,
    number: String,
    survey_id: Uuid,
    line_id: Uuid,
    channel: String,
    title: String,
    status: Option<String>,
    state: String,
    origin: String,
    withdrawn: bool,
    assignee_id: Option<Uuid>,
    assignee_email: Option<String>,
    version: i64,
    message_count: i32,
    opened_at: DateTime<Utc>,
    last_message_at: DateTime<Utc>,
    last_inbound_at: Option<DateTime<Utc>>,
    last_inbound_line_id: Option<Uuid>,
    last_message: i64,
    labels: Json<Vec<CaseLabel>>,
    snoozed_until: Option<DateTime<Utc>>,
}

impl RawCase {
    fn read(self) -> Result<CaseRow, sqlx::Error> {
        let row = Row {
            table: "cases",
            key: self.reference,
        };
        let assignee = match self.assignee_id {
            Some(user_id) => Some(Assignee {
                user_id: UserId(user_id),
                email: Personal(row.some("assignee_email", self.assignee_email)?),
            }),
            None => None,
        };
        let last_inbound = match self.last_inbound_at {
            Some(at) => {
                let line_id = row.some("last_inbound_line_id", self.last_inbound_line_id)?;
                Some((at, LineId(line_id)))
            }
            None => None,
        };
        Ok(CaseRow {
            reference: row.reference("reference", self.reference)?,
            contact_id: ContactId(self.contact_id),
            number: Personal(self.number),
            survey_id: SurveyId(self.survey_id),
            line_id: LineId(self.line_id),
            channel: row.channel("channel", &self.channel)?,
            title: Personal(self.title),
            status: self.status,
            state: row.some("state", CaseState::from_name(&self.state))?,
            origin: row.some("origin", CaseOrigin::from_name(&self.origin))?,
            withdrawn: self.withdrawn,
            assignee,
            version: row.read("version", self.version.try_into())?,
            message_count: row.read("message_count", self.message_count.try_into())?,
            opened_at: self.opened_at,
            last_message_at: self.last_message_at,
            last_inbound,
            last_message: row.read("last_message", self.last_message.try_into())?,
            labels: by_name(self.labels.0),
            snoozed_until: self.snoozed_until,
        })
    }
}

/// Labels in the order in which people see them.
fn by_name(mut labels: Vec<CaseLabel>) -> Vec<CaseLabel> {
    labels.sort_by_cached_key(|label| label::key(&label.name));
    labels
}

/// Cases, with what follows `SELECT` and the columns.
macro_rules! cases {
    ($rest:literal $(+ $more:literal)*, $($argument:expr),+ $(,)?) => {
        sqlx::query_as!(
            RawCase,
            "SELECT c.reference, c.contact_id, c.number, c.survey_id, c.line_id, c.channel, c.title, c.status, c.state,
                 c.origin, c.withdrawn, c.assignee_id, c.assignee_email, c.version, c.message_count, c.opened_at,
                 c.last_message_at, c.last_inbound_at, c.last_inbound_line_id, c.last_message,
                 (SELECT coalesce(jsonb_agg(jsonb_build_object('label_id', l.label_id, 'name', l.name)), '[]')
                    FROM case_labels k JOIN labels l USING (label_id)
                   WHERE k.reference = c.reference) AS \"labels!: Json<Vec<CaseLabel>>\",
                 (SELECT s.until FROM snoozes s WHERE s.reference = c.reference) AS snoozed_until "
                 + $rest $(+ $more)*,
            $($argument),+
        )
    };
}

fn read_all(raw: Vec<RawCase>) -> Result<Vec<CaseRow>, sqlx::Error> {
    raw.into_iter().map(RawCase::read).collect()
}

/// The case of that reference.
///
/// # Errors
///
/// The database's error, or a [`RowError`](super::rows::RowError) as [`sqlx::Error::Decode`].
pub async fn find(
    executor: impl PgExecutor<'_>,
    reference: Reference,
) -> Result<Option<CaseRow>, sqlx::Error> {
    cases!("FROM cases c WHERE c.reference = $1", reference.as_i32())
        .fetch_optional(executor)
        .await?
        .map(RawCase::read)
        .transpose()
}

/// Those of the cases that belong to one of the surveys, ordered.
///
/// # Errors
///
/// The database's error, or a [`RowError`](super::rows::RowError) as [`sqlx::Error::Decode`].
pub async fn within(
    executor: impl PgExecutor<'_>,
    references: &[Reference],
    surveys: &[SurveyId],
) -> Result<Vec<Reference>, sqlx::Error> {
    let found = sqlx::query_scalar!(
        "SELECT reference FROM cases WHERE reference = ANY ($1) AND survey_id = ANY ($2) ORDER BY reference",
        &column(references, |reference| reference.as_i32()),
        &column(surveys, |survey_id| survey_id.0),
    )
    .fetch_all(executor)
    .await?;
    found
        .into_iter()
        .map(|reference| {
            let row = Row {
                table: "cases",
                key: reference,
            };
            row.reference("reference", reference)
        })
        .collect()
}

/// A contact's cases, open and closed, ordered by reference.
///
/// # Errors
///
/// The database's error, or a [`RowError`](super::rows::RowError) as [`sqlx::Error::Decode`].
pub async fn of_contact(
    executor: impl PgExecutor<'_>,
    contact_id: ContactId,
) -> Result<Vec<CaseRow>, sqlx::Error> {
    let raw = cases!(
        "FROM contact_cases k JOIN cases c USING (reference) WHERE k.contact_id = $1 ORDER BY c.reference",
        contact_id.0,
    )
    .fetch_all(executor)
    .await?;
    read_all(raw)
}

/// What a case has to do with others, each once, ordered by the other's reference.
///
/// # Errors
///
/// The database's error, or a [`RowError`](super::rows::RowError) as [`sqlx::Error::Decode`].
pub async fn links(
    executor: impl PgExecutor<'_>,
    reference: Reference,
) -> Result<Vec<CaseLink>, sqlx::Error> {
    sqlx::query!(
        "SELECT DISTINCT other, kind FROM case_links WHERE reference = $1 ORDER BY other, kind",
        reference.as_i32(),
    )
    .fetch_all(executor)
    .await?
    .into_iter()
    .map(|raw| {
        let row = Row {
            table: "case_links",
            key: reference,
        };
        Ok(CaseLink {
            other: row.reference("other", raw.other)?,
            kind: row.some("kind", LinkKind::from_name(&raw.kind))?,
        })
    })
    .collect()
}

/// At most `limit` cases, those with the newest messages first, after `cursor` or from the beginning.
///
/// A page ends the list when it is shorter than `limit`; otherwise the next one begins at [`CaseRow::cursor`] of its last case.
/// A case that gets a message while somebody reads page by page goes to the beginning, and so is missed or seen twice.
///
/// # Errors
///
/// The database's error, or a [`RowError`](super::rows::RowError) as [`sqlx::Error::Decode`].
pub async fn list(
    pool: &PgPool,
    filter: &CaseFilter,
    cursor: Option<Cursor>,
    limit: u32,
) -> Result<Vec<CaseRow>, sqlx::Error> {
    let few = few_references(pool, filter).await?;
    let mut page = Page {
        filter,
        driver: Driver::of(filter, few),
        cursor,
        limit,
    };
    let Some(mut search) = filter.q.as_ref().and_then(|q| Search::of(q)) else {
        return page.read(pool).await;
    };
    search.identify(pool).await?;
    page.read_found(pool, &search).await
}

/// What the database begins with when it looks for a page of cases.
enum Driver {
    /// These cases, few enough to be ordered.
    References(Vec<i32>),
    /// The cases that a person has yet to read, in order.
    Unread,
    /// The cases in which the contact waits, in order.
    Waiting,
    /// The cases whose last reply failed, in order.
    Failed,
    /// The cases that a person sees to, in order.
    Assignee,
    /// The cases that nobody sees to, in order.
    Unassigned,
    /// The surveys' cases, in order.
    Surveys,
    /// All cases, in order.
    All,
}

impl Driver {
    /// The way that leaves least to read.
    fn of(filter: &CaseFilter, references: Option<Vec<i32>>) -> Self {
        match (references, filter.assignee, &filter.surveys) {
            (Some(references), ..) => Self::References(references),
            _ if filter.unread_by.is_some() => Self::Unread,
            _ if filter.waiting => Self::Waiting,
            _ if filter.failed => Self::Failed,
            (None, Some(AssigneeFilter::User(_)), _) => Self::Assignee,
            (None, Some(AssigneeFilter::Nobody), _) => Self::Unassigned,
            (None, None, Some(_)) => Self::Surveys,
            (None, None, None) => Self::All,
        }
    }

    /// The way to read all that the filter wants in order.
    const fn in_order(filter: &CaseFilter) -> Self {
        if filter.unread_by.is_some() {
            Self::Unread
        } else if filter.waiting {
            Self::Waiting
        } else if filter.failed {
            Self::Failed
        } else {
            Self::All
        }
    }
}

/// A limit for a statement that shows whether there are more than `few`.
fn more_than(few: usize) -> i64 {
    i64::try_from(few).expect("a small constant") + 1
}

/// The few cases that the filter's number, its label or the wish for snoozed ones leaves; `None` where each leaves many.
async fn few_references(
    pool: &PgPool,
    filter: &CaseFilter,
) -> Result<Option<Vec<i32>>, sqlx::Error> {
    if let Some(number) = &filter.number
        && let Some(references) = references_of_number(pool, number).await?
    {
        return Ok(Some(references));
    }
    let limit = more_than(FEW_OF_NUMBER);
    if let Some(label_id) = filter.label {
        let references = labels::references(pool, label_id, limit).await?;
        if references.len() <= FEW_OF_NUMBER {
            return Ok(Some(references));
        }
    }
    if filter.snoozed == Some(true) {
        let references = snoozes::references(pool, limit).await?;
        if references.len() <= FEW_OF_NUMBER {
            return Ok(Some(references));
        }
    }
    Ok(None)
}

/// The cases of contacts with such a number; `None` where there are too many.
async fn references_of_number(
    pool: &PgPool,
    number: &NumberFilter,
) -> Result<Option<Vec<i32>>, sqlx::Error> {
    let (least, greatest) = number.bounds();
    let found = sqlx::query_scalar!(
        "SELECT c.reference FROM contacts k JOIN contact_cases c USING (contact_id)
         WHERE k.number ~>=~ $1 AND k.number ~<=~ $2
         LIMIT $3",
        least,
        greatest,
        more_than(FEW_OF_NUMBER),
    )
    .fetch_all(pool)
    .await?;
    Ok((found.len() <= FEW_OF_NUMBER).then_some(found))
}

/// A page of the list that is asked for.
struct Page<'a> {
    filter: &'a CaseFilter,
    driver: Driver,
    cursor: Option<Cursor>,
    limit: u32,
}

macro_rules! page {
    ($page:expr, $from:literal, $cases:literal, $condition:literal, $order:literal $(, $argument:expr)*) => {
        cases!(
            "FROM " + $from + " CROSS JOIN LATERAL (
                 SELECT c.* FROM " + $cases + " c
                 LEFT JOIN snoozes z ON z.reference = c.reference
                 WHERE " + $condition + "
                     AND (c.last_message_at, c.reference)
                         < (COALESCE($2, 'infinity'::timestamptz), COALESCE($3::integer, 2147483647))
                     AND ($5::uuid[] IS NULL OR c.survey_id = ANY ($5))
                     AND ($6::uuid IS NULL OR c.assignee_id = $6)
                     AND (NOT $7::boolean OR c.assignee_id IS NULL)
                     AND ($8::text IS NULL OR c.number ~>=~ $8 AND c.number ~<=~ $9)
                     AND ($10::text IS NULL OR c.status = $10)
                     AND ($11::uuid IS NULL OR c.line_id = $11)
                     AND ($12::text IS NULL OR c.channel = $12)
                     AND c.last_message_at >= COALESCE($13, '-infinity'::timestamptz)
                     AND c.last_message_at < COALESCE($14, 'infinity'::timestamptz)
                     AND ($15::uuid IS NULL OR EXISTS (
                             SELECT FROM case_labels t WHERE t.reference = c.reference AND t.label_id = $15
                         ))
                     AND ($16::boolean IS NULL OR (z.reference IS NOT NULL) = $16)
                 ORDER BY " + $order + " c.last_message_at DESC, c.reference DESC
                 LIMIT $4
             ) c
             ORDER BY c.last_message_at DESC, c.reference DESC
             LIMIT $4",
            &$page.states() as _,
            $page.cursor.map(|cursor| cursor.at),
            $page.cursor.map(|cursor| cursor.reference.as_i32()),
            i64::from($page.limit),
            $page.surveys() as _,
            $page.assignee(),
            $page.filter.assignee == Some(AssigneeFilter::Nobody),
            $page.number().map(|(least, _)| least),
            $page.number().map(|(_, greatest)| greatest),
            $page.filter.status.as_deref(),
            $page.filter.line.map(|line_id| line_id.0),
            $page.filter.channel.map(Channel::as_str),
            $page.filter.since,
            $page.filter.until,
            $page.filter.label.map(|label_id| label_id.0),
            $page.filter.snoozed
            $(, $argument)*
        )
    };
}

impl Page<'_> {
    fn states(&self) -> Vec<&'static str> {
        match self.filter.state {
            Some(state) => vec![state.as_str()],
            None => vec![CaseState::Open.as_str(), CaseState::Closed.as_str()],
        }
    }

    fn surveys(&self) -> Option<Vec<Uuid>> {
        let surveys = self.filter.surveys.as_ref()?;
        Some(surveys.iter().map(|survey_id| survey_id.0).collect())
    }

    fn assignee(&self) -> Option<Uuid> {
        match self.filter.assignee {
            Some(AssigneeFilter::User(user_id)) => Some(user_id.0),
            Some(AssigneeFilter::Nobody) | None => None,
        }
    }

    fn reader(&self) -> Option<Uuid> {
        self.filter.unread_by.map(|user_id| user_id.0)
    }

    fn number(&self) -> Option<(&str, String)> {
        self.filter.number.as_ref().map(NumberFilter::bounds)
    }

    /// Reads it, whatever the filter searches for.
    async fn read(&self, pool: &PgPool) -> Result<Vec<CaseRow>, sqlx::Error> {
        let raw = match &self.driver {
            Driver::References(references) => self.read_references(pool, references).await?,
            Driver::Unread | Driver::Waiting | Driver::Failed => self.read_view(pool).await?,
            Driver::Assignee | Driver::Unassigned | Driver::Surveys | Driver::All => {
                self.read_in_order(pool).await?
            }
        };
        read_all(raw)
    }

    async fn read_references(
        &self,
        pool: &PgPool,
        references: &[i32],
    ) -> Result<Vec<RawCase>, sqlx::Error> {
        // The offset keeps the planner from reading all cases in order until it has met enough of these.
        page!(
            self,
            "(SELECT) one",
            "(
                 SELECT c.* FROM cases c
                 LEFT JOIN read_marks m ON m.user_id = $18 AND m.reference = c.reference
                 WHERE c.reference = ANY ($17)
                     AND ($18::uuid IS NULL OR c.state = 'open' AND c.last_message > COALESCE(m.read_to, 0))
                     AND (NOT $19::boolean OR c.waiting_since IS NOT NULL AND waits_since(c.reference, c.answered) IS NOT NULL)
                     AND (NOT $20::boolean OR c.failed AND is_last_reply_failed(c.reference))
                 OFFSET 0
             )",
            "c.state = ANY ($1)",
            "",
            references,
            self.reader(),
            self.filter.waiting,
            self.filter.failed
        )
        .fetch_all(pool)
        .await
    }

    async fn read_view(&self, pool: &PgPool) -> Result<Vec<RawCase>, sqlx::Error> {
        match &self.driver {
            Driver::Unread => {
                // As a join, not as a question asked of each case: that would be taken for so dear that all cases were sorted.
                page!(
                    self,
                    "UNNEST($1::text[]) s (state)",
                    "(
                         SELECT c.* FROM cases c
                         LEFT JOIN read_marks m ON m.user_id = $17 AND m.reference = c.reference
                         WHERE c.state = 'open' AND c.last_message > COALESCE(m.read_to, 0)
                             AND (NOT $18::boolean OR c.waiting_since IS NOT NULL AND waits_since(c.reference, c.answered) IS NOT NULL)
                             AND (NOT $19::boolean OR c.failed AND is_last_reply_failed(c.reference))
                     )",
                    "c.state = s.state",
                    "",
                    self.reader(),
                    self.filter.waiting,
                    self.filter.failed
                )
                .fetch_all(pool)
                .await
            }
            Driver::Waiting => {
                page!(
                    self,
                    "UNNEST($1::text[]) s (state)",
                    "cases",
                    "c.waiting_since IS NOT NULL AND waits_since(c.reference, c.answered) IS NOT NULL AND c.state = s.state
                         AND (NOT $17::boolean OR c.failed AND is_last_reply_failed(c.reference))",
                    "",
                    self.filter.failed
                )
                .fetch_all(pool)
                .await
            }
            _ => {
                page!(
                    self,
                    "UNNEST($1::text[]) s (state)",
                    "cases",
                    "c.failed AND is_last_reply_failed(c.reference) AND c.state = s.state",
                    ""
                )
                .fetch_all(pool)
                .await
            }
        }
    }

    async fn read_in_order(&self, pool: &PgPool) -> Result<Vec<RawCase>, sqlx::Error> {
        // Each state is read on its own and the two are merged, because every index has the state before the order.
        match &self.driver {
            Driver::Assignee => {
                page!(
                    self,
                    "UNNEST($1::text[]) s (state)",
                    "cases",
                    "c.assignee_id = $6 AND c.state = s.state",
                    ""
                )
                .fetch_all(pool)
                .await
            }
            Driver::Unassigned => {
                // To be NULL is not to be equal: without the column in the order the index would not give it.
                page!(
                    self,
                    "UNNEST($1::text[]) s (state)",
                    "cases",
                    "c.assignee_id IS NULL AND c.state = s.state",
                    "c.assignee_id,"
                )
                .fetch_all(pool)
                .await
            }
            Driver::Surveys => {
                page!(
                    self,
                    "UNNEST($1::text[]) s (state) CROSS JOIN UNNEST($5::uuid[]) v (survey_id)",
                    "cases",
                    "c.survey_id = v.survey_id AND c.state = s.state",
                    ""
                )
                .fetch_all(pool)
                .await
            }
            _ => {
                page!(
                    self,
                    "UNNEST($1::text[]) s (state)",
                    "cases",
                    "c.state = s.state",
                    ""
                )
                .fetch_all(pool)
                .await
            }
        }
    }

    /// Reads it with those cases alone that the search finds.
    async fn read_found(
        &mut self,
        pool: &PgPool,
        search: &Search,
    ) -> Result<Vec<CaseRow>, sqlx::Error> {
        let limit = usize::try_from(self.limit).unwrap_or(usize::MAX);
        let begins = self.cursor;
        let mut found = Vec::new();
        // A reference is found at once, and is in the newest cases by chance only.
        let mut is_looked_up = !search.may_find_many();
        if is_looked_up && let Some(references) = search.references(pool).await? {
            return self.read_looked_up(pool, references).await;
        }
        let mut searched_at_once = self.limit.saturating_mul(PAGES_BEFORE_LOOKING_UP);
        loop {
            let newest = Page {
                filter: self.filter,
                driver: std::mem::replace(&mut self.driver, Driver::in_order(self.filter)),
                cursor: self.cursor,
                limit: searched_at_once.clamp(1, MAX_SEARCHED_AT_ONCE),
            };
            let cases = newest.read(pool).await?;
            let searched = cases.len();
            let is_last = searched < usize::try_from(newest.limit).unwrap_or(usize::MAX);
            let last = cases.last().map(CaseRow::cursor);
            self.driver = newest.driver;

            let known = found.len();
            found.extend(self.found_among(pool, cases, search).await?);
            if is_last || found.len() >= limit {
                found.truncate(limit);
                return Ok(found);
            }
            let is_frequent = (found.len() - known) * FREQUENT >= searched;
            if !is_looked_up && !is_frequent {
                is_looked_up = true;
                if let Some(references) = search.references(pool).await? {
                    // What was found on the way is found again.
                    self.cursor = begins;
                    return self.read_looked_up(pool, references).await;
                }
            }
            self.cursor = last;
            searched_at_once = searched_at_once.saturating_mul(2);
        }
    }

    /// Those of the cases that the search finds, in their order, or more than a page of them.
    async fn found_among(
        &self,
        pool: &PgPool,
        cases: Vec<CaseRow>,
        search: &Search,
    ) -> Result<impl Iterator<Item = CaseRow>, sqlx::Error> {
        let others: Vec<&CaseRow> = cases.iter().filter(|case| !search.finds(case)).collect();
        let with_words = search.with_words(pool, &others, self.limit).await?;
        Ok(cases.into_iter().filter(move |case| {
            with_words.contains(&case.reference.as_i32()) || search.finds(case)
        }))
    }

    /// Reads it with those of these cases alone that it would have had.
    async fn read_looked_up(
        &mut self,
        pool: &PgPool,
        mut references: Vec<i32>,
    ) -> Result<Vec<CaseRow>, sqlx::Error> {
        references.sort_unstable();
        references.dedup();
        if let Driver::References(others) = &mut self.driver {
            others.retain(|reference| references.binary_search(reference).is_ok());
        } else {
            self.driver = Driver::References(references);
        }
        self.read(pool).await
    }
}
