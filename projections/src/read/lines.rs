//! Lines, their settings, and whether they send.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use docket_domain::channel::Channel;
use docket_domain::event::{Event, StreamId};
use docket_domain::ids::{LineId, SurveyId};
use docket_domain::json::read_stored;
use docket_domain::line::{AutomaticTexts, HaltReason, LineEvent, LineSettings};
use serde::Serialize;
use sqlx::PgExecutor;
use uuid::Uuid;

use crate::log::recorded::Recorded;
use crate::read::Projection;
use crate::read::rows::Row;
use crate::read::writes::Writes;

/// A line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LineRow {
    /// Its id.
    pub line_id: LineId,
    /// Our number, E.164 without `+`.
    pub number: String,
    /// Its channel.
    pub channel: Channel,
    /// The survey that gets its messages.
    pub survey_id: SurveyId,
    /// The automatic reply for several open cases, with `%s1` for their number and `%s2` for their list.
    pub multi_case_reply: Option<String>,
    /// The other automatic texts.
    pub automatic: AutomaticTexts,
    /// Why its sending stands still, if it does.
    pub halted: Option<HaltReason>,
    /// Whether it was removed.
    pub removed: bool,
    /// When it was added.
    pub created_at: DateTime<Utc>,
    /// The sequence of its last event.
    pub version: u64,
}

/// Builds table `lines`.
#[derive(Default)]
pub struct LinesHandler {
    added: BTreeMap<LineId, LineRow>,
    changed: BTreeMap<LineId, Change>,
}

/// What the events since the last write changed of a row in the database.
#[derive(Default)]
struct Change {
    settings: Option<LineSettings>,
    sending: Sending,
    removed: bool,
    version: u64,
}

/// What became of a line's sending.
#[derive(Clone, Copy, Default)]
enum Sending {
    #[default]
    Unchanged,
    Halted(HaltReason),
    Resumed,
}

impl Projection for LinesHandler {
    const NAME: &'static str = "lines";
    const VERSION: i32 = 2;
    const TABLES: &'static [&'static str] = &["lines"];
    const STATEMENTS: &'static [&'static str] = &[CHANGE, ADD];

    fn apply(&mut self, recorded: &Recorded) {
        let (StreamId::Line(line_id), Event::Line(event)) = (recorded.stream, &recorded.event)
        else {
            return;
        };
        let mut change = Change {
            version: recorded.sequence,
            ..Change::default()
        };
        match event {
            LineEvent::LineAdded {
                number,
                channel,
                settings,
                ..
            } => {
                let row = LineRow {
                    line_id,
                    number: number.clone(),
                    channel: *channel,
                    survey_id: settings.survey_id,
                    multi_case_reply: settings.multi_case_reply.clone(),
                    automatic: settings.automatic.clone(),
                    halted: None,
                    removed: false,
                    created_at: recorded.recorded_at,
                    version: recorded.sequence,
                };
                self.added.insert(line_id, row);
                return;
            }
            LineEvent::LineChanged { settings } => change.settings = Some(settings.clone()),
            LineEvent::LineRemoved {} => change.removed = true,
            LineEvent::SendingHalted { reason } => change.sending = Sending::Halted(*reason),
            LineEvent::SendingResumed {} => change.sending = Sending::Resumed,
        }
        match self.added.get_mut(&line_id) {
            Some(row) => change.complete(row),
            None => self.changed.entry(line_id).or_default().add(change),
        }
    }

    fn write(&mut self, writes: &mut Writes) {
        let changed = std::mem::take(&mut self.changed).into_iter();
        let added = std::mem::take(&mut self.added).into_values();
        // Removals come first: a number may be added again as soon as its line is removed.
        writes.statement::<Self>(CHANGE, changed.map(ChangedLine::of));
        writes.statement::<Self>(ADD, added.map(AddedLine::of));
    }
}

impl Change {
    fn add(&mut self, later: Self) {
        if later.settings.is_some() {
            self.settings = later.settings;
        }
        if !matches!(later.sending, Sending::Unchanged) {
            self.sending = later.sending;
        }
        self.removed |= later.removed;
        self.version = later.version;
    }

    fn complete(self, row: &mut LineRow) {
        if let Some(settings) = self.settings {
            row.survey_id = settings.survey_id;
            row.multi_case_reply = settings.multi_case_reply;
            row.automatic = settings.automatic;
        }
        match self.sending {
            Sending::Unchanged => {}
            Sending::Halted(reason) => row.halted = Some(reason),
            Sending::Resumed => row.halted = None,
        }
        row.removed |= self.removed;
        row.version = self.version;
    }
}

const fn halt_name(reason: HaltReason) -> &'static str {
    match reason {
        HaltReason::Credentials => "credentials",
        HaltReason::Balance => "balance",
    }
}

fn halt_from_name(name: &str) -> Option<HaltReason> {
    [HaltReason::Credentials, HaltReason::Balance]
        .into_iter()
        .find(|reason| halt_name(*reason) == name)
}

/// What changes of a row that is there.
#[derive(Serialize)]
struct ChangedLine {
    line_id: Uuid,
    survey_id: Option<Uuid>,
    multi_case_reply: Option<String>,
    automatic: Option<AutomaticTexts>,
    halt_changed: bool,
    halted: Option<&'static str>,
    removed: bool,
    version: u64,
}

impl ChangedLine {
    fn of((line_id, change): (LineId, Change)) -> Self {
        Self {
            line_id: line_id.0,
            survey_id: change
                .settings
                .as_ref()
                .map(|settings| settings.survey_id.0),
            automatic: change
                .settings
                .as_ref()
                .map(|settings| settings.automatic.clone()),
            multi_case_reply: change
                .settings
                .and_then(|settings| settings.multi_case_reply),
            halt_changed: !matches!(change.sending, Sending::Unchanged),
            halted: match change.sending {
                Sending::Halted(reason) => Some(halt_name(reason)),
                Sending::Unchanged | Sending::Resumed => None,
            },
            removed: change.removed,
            version: change.version,
        }
    }
}

/// Settings change together: where there is no new survey, there is no new reply either.
const CHANGE: &str = "
    UPDATE lines l
       SET survey_id = coalesce(r.survey_id, l.survey_id),
           multi_case_reply = CASE WHEN r.survey_id IS NULL THEN l.multi_case_reply ELSE r.multi_case_reply END,
           automatic = coalesce(r.automatic, l.automatic),
           halted = CASE WHEN r.halt_changed THEN r.halted ELSE l.halted END,
           removed = l.removed OR r.removed,
           version = r.version
      FROM jsonb_to_recordset($1)
           AS r (line_id uuid, survey_id uuid, multi_case_reply text, automatic jsonb, halt_changed boolean,
                 halted text, removed boolean, version bigint)
     WHERE l.line_id = r.line_id";

#[derive(Serialize)]
struct AddedLine {
    line_id: Uuid,
    number: String,
    channel: &'static str,
    survey_id: Uuid,
    multi_case_reply: Option<String>,
    automatic: AutomaticTexts,
    halted: Option<&'static str>,
    removed: bool,
    created_at: DateTime<Utc>,
    version: u64,
}

impl AddedLine {
    fn of(row: LineRow) -> Self {
        Self {
            line_id: row.line_id.0,
            number: row.number,
            channel: row.channel.as_str(),
            survey_id: row.survey_id.0,
            multi_case_reply: row.multi_case_reply,
            automatic: row.automatic,
            halted: row.halted.map(halt_name),
            removed: row.removed,
            created_at: row.created_at,
            version: row.version,
        }
    }
}

const ADD: &str = "
    INSERT INTO lines (line_id, number, channel, survey_id, multi_case_reply, automatic, halted, removed, created_at, version)
    SELECT r.line_id, r.number, r.channel, r.survey_id, r.multi_case_reply, r.automatic, r.halted, r.removed,
           dated(r.created_at, $2), r.version
      FROM jsonb_to_recordset($1)
           AS r (line_id uuid, number text, channel text, survey_id uuid, multi_case_reply text, automatic jsonb,
                 halted text, removed boolean, created_at timestamptz, version bigint)";

struct Columnwise {
    line_id: Uuid,
    number: String,
    channel: String,
    survey_id: Uuid,
    multi_case_reply: Option<String>,
    automatic: String,
    halted: Option<String>,
    removed: bool,
    created_at: DateTime<Utc>,
    version: i64,
}

impl TryFrom<Columnwise> for LineRow {
    type Error = sqlx::Error;

    fn try_from(row: Columnwise) -> Result<Self, sqlx::Error> {
        let known = Row {
            table: "lines",
            key: row.line_id,
        };
        let halted = row
            .halted
            .map(|name| known.some("halted", halt_from_name(&name)))
            .transpose()?;
        Ok(Self {
            line_id: LineId(row.line_id),
            number: row.number,
            channel: known.channel("channel", &row.channel)?,
            survey_id: SurveyId(row.survey_id),
            multi_case_reply: row.multi_case_reply,
            automatic: known.read("automatic", read_stored(&row.automatic))?,
            halted,
            removed: row.removed,
            created_at: row.created_at,
            version: row.version.cast_unsigned(),
        })
    }
}

/// Every line that was not removed, ordered by number and channel.
///
/// # Errors
///
/// The database's error, or a [`RowError`](crate::read::rows::RowError) as [`sqlx::Error::Decode`].
pub async fn all(executor: impl PgExecutor<'_>) -> Result<Vec<LineRow>, sqlx::Error> {
    let rows = sqlx::query_as!(
        Columnwise,
        r#"SELECT line_id, number, channel, survey_id, multi_case_reply, automatic::text AS "automatic!", halted, removed,
                created_at, version
         FROM lines
         WHERE NOT removed
         ORDER BY number, channel"#,
    )
    .fetch_all(executor)
    .await?;
    rows.into_iter().map(LineRow::try_from).collect()
}

/// The lines that were removed, each with its channel.
///
/// # Errors
///
/// The database's error, or a [`RowError`](crate::read::rows::RowError) as [`sqlx::Error::Decode`].
pub async fn channels_of_removed(
    executor: impl PgExecutor<'_>,
) -> Result<Vec<(LineId, Channel)>, sqlx::Error> {
    let rows = sqlx::query!("SELECT line_id, channel FROM lines WHERE removed")
        .fetch_all(executor)
        .await?;
    let channels = rows.into_iter().map(|row| {
        let known = Row {
            table: "lines",
            key: row.line_id,
        };
        let channel = known.channel("channel", &row.channel)?;
        Ok((LineId(row.line_id), channel))
    });
    channels.collect()
}

/// The line of that id, removed or not.
///
/// # Errors
///
/// The database's error, or a [`RowError`](crate::read::rows::RowError) as [`sqlx::Error::Decode`].
pub async fn find(
    executor: impl PgExecutor<'_>,
    line_id: LineId,
) -> Result<Option<LineRow>, sqlx::Error> {
    let row = sqlx::query_as!(
        Columnwise,
        r#"SELECT line_id, number, channel, survey_id, multi_case_reply, automatic::text AS "automatic!", halted, removed,
                created_at, version
         FROM lines
         WHERE line_id = $1"#,
        line_id.0,
    )
    .fetch_optional(executor)
    .await?;
    row.map(LineRow::try_from).transpose()
}
