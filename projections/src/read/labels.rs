//! Labels, and which cases have them.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use docket_domain::case::CaseEvent;
use docket_domain::event::{Event, StreamId};
use docket_domain::ids::{LabelId, Reference};
use docket_domain::label::{self, Label, LabelColour, LabelEvent};
use serde::Serialize;
use sqlx::PgExecutor;
use uuid::Uuid;

use crate::log::recorded::Recorded;
use crate::read::Projection;
use crate::read::rows::Row;
use crate::read::writes::Writes;

/// A label.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LabelRow {
    /// The label.
    pub label: Label,
    /// When it was created.
    pub created_at: DateTime<Utc>,
    /// The sequence of the event that last changed it.
    pub version: u64,
}

/// Builds `labels` and `case_labels`.
#[derive(Default)]
pub struct LabelsHandler {
    created: BTreeMap<LabelId, NewLabel>,
    changed: BTreeMap<LabelId, ChangedLabel>,
    deleted: BTreeSet<LabelId>,
    /// The labels of cases whose labels changed since the last write.
    of_cases: BTreeMap<i32, Vec<Uuid>>,
}

#[derive(Serialize)]
struct NewLabel {
    label_id: Uuid,
    name: String,
    colour: &'static str,
    created_at: DateTime<Utc>,
    version: u64,
}

#[derive(Serialize)]
struct ChangedLabel {
    label_id: Uuid,
    name: String,
    colour: &'static str,
    version: u64,
}

#[derive(Serialize)]
struct DeletedLabel {
    label_id: Uuid,
}

#[derive(Serialize)]
struct LabelsOfCase {
    reference: i32,
    label_ids: Vec<Uuid>,
}

const DELETE: &str = "
    DELETE FROM labels l USING jsonb_to_recordset($1) AS r (label_id uuid) WHERE l.label_id = r.label_id";

const CREATE: &str = "
    INSERT INTO labels (label_id, name, colour, created_at, version)
    SELECT r.label_id, r.name, r.colour, dated(r.created_at, $2), r.version
      FROM jsonb_to_recordset($1) AS r (label_id uuid, name text, colour text, created_at timestamptz, version bigint)";

const CHANGE: &str = "
    UPDATE labels l SET name = r.name, colour = r.colour, version = r.version
      FROM jsonb_to_recordset($1) AS r (label_id uuid, name text, colour text, version bigint)
     WHERE l.label_id = r.label_id";

const TAKE_OFF: &str = "
    DELETE FROM case_labels k
     USING jsonb_to_recordset($1) AS r (reference integer, label_ids uuid[])
     WHERE k.reference = r.reference AND k.label_id <> ALL (r.label_ids)";

const PUT_ON: &str = "
    INSERT INTO case_labels (reference, label_id)
    SELECT r.reference, label_id
      FROM jsonb_to_recordset($1) AS r (reference integer, label_ids uuid[])
     CROSS JOIN LATERAL unnest(r.label_ids) AS label_id
    ON CONFLICT DO NOTHING";

impl LabelsHandler {
    fn apply_to_labels(&mut self, recorded: &Recorded, event: &LabelEvent) {
        let version = recorded.sequence;
        let label_id = event.label_id();
        match event {
            LabelEvent::LabelCreated { name, colour, .. } => {
                let created = NewLabel {
                    label_id: label_id.0,
                    name: name.clone(),
                    colour: colour.as_str(),
                    created_at: recorded.recorded_at,
                    version,
                };
                self.created.insert(label_id, created);
            }
            LabelEvent::LabelChanged { name, colour, .. } => {
                if let Some(created) = self.created.get_mut(&label_id) {
                    created.name.clone_from(name);
                    created.colour = colour.as_str();
                    created.version = version;
                } else {
                    let changed = ChangedLabel {
                        label_id: label_id.0,
                        name: name.clone(),
                        colour: colour.as_str(),
                        version,
                    };
                    self.changed.insert(label_id, changed);
                }
            }
            LabelEvent::LabelDeleted { .. } => {
                self.changed.remove(&label_id);
                if self.created.remove(&label_id).is_none() {
                    self.deleted.insert(label_id);
                }
            }
        }
    }
}

impl Projection for LabelsHandler {
    const NAME: &'static str = "labels";
    const VERSION: i32 = 1;
    const TABLES: &'static [&'static str] = &["labels", "case_labels"];
    const STATEMENTS: &'static [&'static str] = &[DELETE, CREATE, CHANGE, TAKE_OFF, PUT_ON];

    fn apply(&mut self, recorded: &Recorded) {
        match (recorded.stream, &recorded.event) {
            (StreamId::Labels, Event::Labels(event)) => self.apply_to_labels(recorded, event),
            (StreamId::Case(reference), Event::Case(CaseEvent::LabelsChanged { to, .. })) => {
                let label_ids = to.iter().map(|label| label.label_id.0).collect();
                self.of_cases.insert(reference.as_i32(), label_ids);
            }
            _ => {}
        }
    }

    fn write(&mut self, writes: &mut Writes) {
        let Self {
            created,
            changed,
            deleted,
            of_cases,
        } = std::mem::take(self);
        let deleted = deleted.into_iter().map(|label_id| DeletedLabel {
            label_id: label_id.0,
        });
        writes.statement::<Self>(DELETE, deleted);
        writes.statement::<Self>(CREATE, created.into_values());
        writes.statement::<Self>(CHANGE, changed.into_values());
        let of_cases: Vec<_> = of_cases
            .into_iter()
            .map(|(reference, label_ids)| LabelsOfCase {
                reference,
                label_ids,
            })
            .collect();
        writes.statement::<Self>(TAKE_OFF, &of_cases);
        writes.statement::<Self>(PUT_ON, &of_cases);
    }
}

/// Every label, ordered by name.
///
/// # Errors
///
/// The database's error, or a [`RowError`](crate::read::rows::RowError) as [`sqlx::Error::Decode`].
pub async fn all(executor: impl PgExecutor<'_>) -> Result<Vec<LabelRow>, sqlx::Error> {
    let rows = sqlx::query!("SELECT label_id, name, colour, created_at, version FROM labels")
        .fetch_all(executor)
        .await?;
    let rows = rows.into_iter().map(|row| {
        let known = Row {
            table: "labels",
            key: row.label_id,
        };
        Ok(LabelRow {
            label: Label {
                label_id: LabelId(row.label_id),
                name: row.name,
                colour: known.some("colour", LabelColour::from_name(&row.colour))?,
            },
            created_at: row.created_at,
            version: row.version.cast_unsigned(),
        })
    });
    let mut rows = rows.collect::<Result<Vec<_>, sqlx::Error>>()?;
    rows.sort_by_cached_key(|row| label::key(&row.label.name));
    Ok(rows)
}

/// The label of that name, in whatever case.
///
/// # Errors
///
/// The database's error, or a [`RowError`](crate::read::rows::RowError) as [`sqlx::Error::Decode`].
pub async fn find_named(
    executor: impl PgExecutor<'_>,
    name: &str,
) -> Result<Option<Label>, sqlx::Error> {
    let sought = label::key(name);
    let labels = all(executor).await?.into_iter().map(|row| row.label);
    Ok(labels
        .into_iter()
        .find(|label| label::key(&label.name) == sought))
}

/// How many open and closed cases of these surveys, or of all, have each label; labels of no case are missing.
///
/// # Errors
///
/// The database's error.
pub async fn counts(
    executor: impl PgExecutor<'_>,
    surveys: Option<&[Uuid]>,
) -> Result<Vec<LabelCount>, sqlx::Error> {
    let rows = sqlx::query!(
        r#"SELECT l.label_id, count(*) FILTER (WHERE c.state = 'open') AS "open!",
                  count(*) FILTER (WHERE c.state <> 'open') AS "closed!"
             FROM labels l JOIN case_labels k USING (label_id) JOIN cases c USING (reference)
            WHERE NOT c.withdrawn AND ($1::uuid[] IS NULL OR c.survey_id = ANY ($1))
            GROUP BY l.label_id"#,
        surveys,
    )
    .fetch_all(executor)
    .await?;
    let counts = rows.into_iter().map(|row| LabelCount {
        label_id: LabelId(row.label_id),
        open: row.open.cast_unsigned(),
        closed: row.closed.cast_unsigned(),
    });
    Ok(counts.collect())
}

/// How many cases have a label.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LabelCount {
    /// The label.
    pub label_id: LabelId,
    /// How many of them are open.
    pub open: u64,
    /// How many of them are closed.
    pub closed: u64,
}

/// The cases that have the label; at most `limit`, in no order.
///
/// # Errors
///
/// The database's error.
pub(crate) async fn references(
    executor: impl PgExecutor<'_>,
    label_id: LabelId,
    limit: i64,
) -> Result<Vec<i32>, sqlx::Error> {
    sqlx::query_scalar!(
        "SELECT reference FROM case_labels WHERE label_id = $1 LIMIT $2",
        label_id.0,
        limit,
    )
    .fetch_all(executor)
    .await
}

/// The labels of a case.
///
/// # Errors
///
/// The database's error.
pub async fn of_case(
    executor: impl PgExecutor<'_>,
    reference: Reference,
) -> Result<Vec<LabelId>, sqlx::Error> {
    let found = sqlx::query_scalar!(
        "SELECT label_id FROM case_labels JOIN labels USING (label_id) WHERE reference = $1 ORDER BY label_id",
        reference.as_i32(),
    )
    .fetch_all(executor)
    .await?;
    Ok(found.into_iter().map(LabelId).collect())
}
