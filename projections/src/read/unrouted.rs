//! Webhooks that could not be routed, waiting for the owner.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use docket_domain::event::{Event, StreamId};
use docket_domain::held::{HeldBody, HeldEvent, HeldReason, HeldWebhook, WebhookKind};
use docket_domain::ids::{HeldId, MessageId, Reference};
use docket_domain::personal::Personal;
use serde::Serialize;
use sqlx::PgExecutor;
use uuid::Uuid;

use crate::log::recorded::Recorded;
use crate::read::Projection;
use crate::read::rows::Row;
use crate::read::writes::Writes;

/// How many characters of a body stand in [`UnroutedRow::excerpt`]; a body can have four mebibytes.
pub const EXCERPT_CHARS: i32 = 2_000;
/// The longest body that a page of webhooks carries, in bytes as it is kept; [`find`] gives longer ones.
const MAX_LISTED_BYTES: i32 = 64 * 1024;

/// A webhook that could not be routed when it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnroutedRow {
    /// Our id of it.
    pub held_id: HeldId,
    /// Which webhook brought it.
    pub kind: WebhookKind,
    /// Why it could not be routed.
    pub reason: HeldReason,
    /// The same in words, without personal data.
    pub detail: String,
    /// Vonage's id of the message, where it could be read.
    pub provider_id: Option<String>,
    /// Our number, where it could be read.
    pub to: Option<Personal<String>>,
    /// The outside number, where it could be read.
    pub from: Option<Personal<String>>,
    /// How the body begins, in hexadecimal where it is no text: at most [`EXCERPT_CHARS`] characters.
    pub excerpt: Personal<String>,
    /// The body, unless it is too long for a list; [`find`] gives it then.
    pub body: Option<Personal<HeldBody>>,
    /// When it was kept.
    pub received_at: DateTime<Utc>,
    /// What became of it, once it was routed.
    pub routed: Option<RoutedAt>,
}

/// How a held webhook was routed at last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoutedAt {
    /// When.
    pub at: DateTime<Utc>,
    /// The message that it carried or spoke of.
    pub message_id: MessageId,
    /// The cases that got it.
    pub references: Vec<Reference>,
}

/// A webhook that could not be routed when it came, whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnroutedWebhook {
    /// All but the body.
    pub row: UnroutedRow,
    /// The body.
    pub body: Personal<HeldBody>,
}

/// A place in the list, which goes from new to old: after this webhook.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cursor {
    /// When the webhook was kept.
    pub received_at: DateTime<Utc>,
    /// Its id.
    pub held_id: HeldId,
}

impl UnroutedRow {
    /// The place after this webhook.
    pub const fn cursor(&self) -> Cursor {
        Cursor {
            received_at: self.received_at,
            held_id: self.held_id,
        }
    }
}

/// Builds table `unrouted`.
#[derive(Default)]
pub struct UnroutedHandler {
    held: BTreeMap<HeldId, Held>,
    /// What became of rows in the database.
    routed: BTreeMap<HeldId, RoutedAt>,
}

struct Held {
    webhook: HeldWebhook,
    received_at: DateTime<Utc>,
    routed: Option<RoutedAt>,
}

impl Projection for UnroutedHandler {
    const NAME: &'static str = "unrouted";
    const VERSION: i32 = 1;
    const TABLES: &'static [&'static str] = &["unrouted"];
    const STATEMENTS: &'static [&'static str] = &[HOLD, ROUTE];

    fn apply(&mut self, recorded: &Recorded) {
        let (StreamId::Held(held_id), Event::Held(event)) = (recorded.stream, &recorded.event)
        else {
            return;
        };
        match event {
            HeldEvent::WebhookHeld(webhook) => {
                let held = Held {
                    webhook: webhook.clone(),
                    received_at: recorded.recorded_at,
                    routed: None,
                };
                self.held.insert(held_id, held);
            }
            HeldEvent::WebhookRouted {
                message_id,
                references,
            } => {
                let routed = RoutedAt {
                    at: recorded.recorded_at,
                    message_id: *message_id,
                    references: references.clone(),
                };
                match self.held.get_mut(&held_id) {
                    Some(held) => held.routed = Some(routed),
                    None => {
                        self.routed.insert(held_id, routed);
                    }
                }
            }
        }
    }

    fn write(&mut self, writes: &mut Writes) {
        let held = std::mem::take(&mut self.held).into_iter();
        let routed = std::mem::take(&mut self.routed).into_iter();
        writes.statement::<Self>(HOLD, held.map(HeldRow::of));
        writes.statement::<Self>(ROUTE, routed.map(RoutedRow::of));
    }
}

#[derive(Serialize)]
struct HeldRow {
    held_id: Uuid,
    kind: &'static str,
    reason: &'static str,
    detail: String,
    provider_id: Option<String>,
    to_number: Option<String>,
    from_number: Option<String>,
    body_text: Option<String>,
    body_hex: Option<String>,
    received_at: DateTime<Utc>,
    routed_at: Option<DateTime<Utc>>,
    message_id: Option<Uuid>,
    case_references: Option<Vec<i32>>,
}

impl HeldRow {
    fn of((held_id, held): (HeldId, Held)) -> Self {
        let webhook = held.webhook;
        let routed = held.routed.as_ref();
        let (body_text, body_hex) = match webhook.body.0 {
            HeldBody::Text(text) => (Some(text), None),
            HeldBody::Hex(hex) => (None, Some(hex)),
        };
        Self {
            held_id: held_id.0,
            kind: webhook.kind.as_str(),
            reason: webhook.reason.as_str(),
            detail: webhook.detail,
            provider_id: webhook.provider_id,
            to_number: webhook.to.map(|to| to.0),
            from_number: webhook.from.map(|from| from.0),
            body_text,
            body_hex,
            received_at: held.received_at,
            routed_at: routed.map(|routed| routed.at),
            message_id: routed.map(|routed| routed.message_id.0),
            case_references: routed.map(|routed| numbers(&routed.references)),
        }
    }
}

const HOLD: &str = "
    INSERT INTO unrouted (held_id, kind, reason, detail, provider_id, to_number, from_number, body_text, body_hex,
                          received_at, routed_at, message_id, case_references)
    SELECT r.held_id, r.kind, r.reason, r.detail, r.provider_id, r.to_number, r.from_number, r.body_text, r.body_hex,
           dated(r.received_at, $2), dated(r.routed_at, $2), r.message_id, r.case_references
      FROM jsonb_to_recordset($1)
           AS r (held_id uuid, kind text, reason text, detail text, provider_id text, to_number text, from_number text,
                 body_text text, body_hex text, received_at timestamptz, routed_at timestamptz, message_id uuid,
                 case_references integer[])";

/// What became of a webhook.
#[derive(Serialize)]
struct RoutedRow {
    held_id: Uuid,
    routed_at: DateTime<Utc>,
    message_id: Uuid,
    case_references: Vec<i32>,
}

impl RoutedRow {
    fn of((held_id, routed): (HeldId, RoutedAt)) -> Self {
        Self {
            held_id: held_id.0,
            routed_at: routed.at,
            message_id: routed.message_id.0,
            case_references: numbers(&routed.references),
        }
    }
}

fn numbers(references: &[Reference]) -> Vec<i32> {
    references
        .iter()
        .map(|reference| reference.as_i32())
        .collect()
}

const ROUTE: &str = "
    UPDATE unrouted u
       SET routed_at = dated(r.routed_at, $2), message_id = r.message_id, case_references = r.case_references
      FROM jsonb_to_recordset($1)
           AS r (held_id uuid, routed_at timestamptz, message_id uuid, case_references integer[])
     WHERE u.held_id = r.held_id";

struct Columnwise {
    held_id: Uuid,
    kind: String,
    reason: String,
    detail: String,
    provider_id: Option<String>,
    to_number: Option<String>,
    from_number: Option<String>,
    excerpt: String,
    body_text: Option<String>,
    body_hex: Option<String>,
    received_at: DateTime<Utc>,
    routed_at: Option<DateTime<Utc>>,
    message_id: Option<Uuid>,
    case_references: Option<Vec<i32>>,
}

impl TryFrom<Columnwise> for UnroutedRow {
    type Error = sqlx::Error;

    fn try_from(row: Columnwise) -> Result<Self, sqlx::Error> {
        let known = Row {
            table: "unrouted",
            key: row.held_id,
        };
        let kind = kind_of(&row.kind);
        let reason = reason_of(&row.reason);
        let routed = match row.routed_at {
            Some(at) => {
                let message_id = known.some("message_id", row.message_id)?;
                let numbers = known.some("case_references", row.case_references)?;
                Some(RoutedAt {
                    at,
                    message_id: MessageId(message_id),
                    references: known.references("case_references", &numbers)?,
                })
            }
            None => None,
        };
        Ok(Self {
            held_id: HeldId(row.held_id),
            kind: known.some("kind", kind)?,
            reason: known.some("reason", reason)?,
            detail: row.detail,
            provider_id: row.provider_id,
            to: row.to_number.map(Personal),
            from: row.from_number.map(Personal),
            excerpt: Personal(row.excerpt),
            body: body_of(row.body_text, row.body_hex).map(Personal),
            received_at: row.received_at,
            routed,
        })
    }
}

fn body_of(text: Option<String>, hex: Option<String>) -> Option<HeldBody> {
    match (text, hex) {
        (Some(text), None) => Some(HeldBody::Text(text)),
        (None, Some(hex)) => Some(HeldBody::Hex(hex)),
        _ => None,
    }
}

/// Up to `limit` webhooks that wait to be routed, newest first, from the newest or from after a place.
///
/// # Errors
///
/// The database's error, or a [`RowError`](crate::read::rows::RowError) as [`sqlx::Error::Decode`].
pub async fn page(
    executor: impl PgExecutor<'_>,
    after: Option<Cursor>,
    limit: u32,
) -> Result<Vec<UnroutedRow>, sqlx::Error> {
    let rows = sqlx::query_as!(
        Columnwise,
        r#"SELECT held_id, kind, reason, detail, provider_id, to_number, from_number,
                  left(coalesce(body_text, body_hex), $4) AS "excerpt!",
                  CASE WHEN octet_length(body_text) <= $5 THEN body_text END AS body_text,
                  CASE WHEN octet_length(body_hex) <= $5 THEN body_hex END AS body_hex,
                  received_at, routed_at, message_id, case_references
           FROM unrouted
           WHERE routed_at IS NULL AND ($1::timestamptz IS NULL OR (received_at, held_id) < ($1, $2::uuid))
           ORDER BY received_at DESC, held_id DESC
           LIMIT $3"#,
        after.map(|cursor| cursor.received_at),
        after.map(|cursor| cursor.held_id.0),
        i64::from(limit),
        EXCERPT_CHARS,
        MAX_LISTED_BYTES,
    )
    .fetch_all(executor)
    .await?;
    rows.into_iter().map(UnroutedRow::try_from).collect()
}

/// What keeps webhooks from being routed: those of one cause can be routed as soon as it is mended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cause {
    /// Which webhook brought them.
    pub kind: WebhookKind,
    /// Why they could not be routed.
    pub reason: HeldReason,
    /// The same in words, without personal data.
    pub detail: String,
    /// Our number, where the cause is that no line has it.
    pub to: Option<Personal<String>>,
}

/// Webhooks of one cause that wait to be routed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waiting {
    /// The cause.
    pub cause: Cause,
    /// How many.
    pub count: u64,
    /// When the first of them came.
    pub oldest_at: DateTime<Utc>,
    /// When the last of them came.
    pub newest_at: DateTime<Utc>,
}

fn kind_of(name: &str) -> Option<WebhookKind> {
    [WebhookKind::Inbound, WebhookKind::Status]
        .into_iter()
        .find(|kind| kind.as_str() == name)
}

fn reason_of(name: &str) -> Option<HeldReason> {
    [
        HeldReason::UnknownLine,
        HeldReason::Undecodable,
        HeldReason::UnknownType,
        HeldReason::UnknownMessage,
        HeldReason::TooManyOpenCases,
    ]
    .into_iter()
    .find(|reason| reason.as_str() == name)
}

impl Cause {
    /// The cause that a form names; `None` where it names none.
    pub fn from_names(kind: &str, reason: &str, detail: &str, to: &str) -> Option<Self> {
        Some(Self {
            kind: kind_of(kind)?,
            reason: reason_of(reason)?,
            detail: detail.to_owned(),
            to: (!to.is_empty()).then(|| Personal(to.to_owned())),
        })
    }
}

/// What waits to be routed, by cause, the newest first; at most `limit` causes.
///
/// # Errors
///
/// The database's error, or a [`RowError`](crate::read::rows::RowError) as [`sqlx::Error::Decode`].
pub async fn causes(
    executor: impl PgExecutor<'_>,
    limit: u32,
) -> Result<Vec<Waiting>, sqlx::Error> {
    let rows = sqlx::query!(
        r#"SELECT kind, reason, detail, CASE WHEN reason = 'unknown_line' THEN to_number END AS to_number,
                  count(*) AS "count!", min(received_at) AS "oldest_at!", max(received_at) AS "newest_at!"
           FROM unrouted
           WHERE routed_at IS NULL
           GROUP BY 1, 2, 3, 4
           ORDER BY 7 DESC, 1, 2, 3, 4
           LIMIT $1"#,
        i64::from(limit),
    )
    .fetch_all(executor)
    .await?;
    rows.into_iter()
        .map(|row| {
            let known = Row {
                table: "unrouted",
                key: "of a cause",
            };
            Ok(Waiting {
                cause: Cause {
                    kind: known.some("kind", kind_of(&row.kind))?,
                    reason: known.some("reason", reason_of(&row.reason))?,
                    detail: row.detail,
                    to: row.to_number.map(Personal),
                },
                count: row.count.cast_unsigned(),
                oldest_at: row.oldest_at,
                newest_at: row.newest_at,
            })
        })
        .collect()
}

/// Those of a cause that wait to be routed, in the order in which they came; at most `limit`.
///
/// # Errors
///
/// The database's error.
pub async fn of_cause(
    executor: impl PgExecutor<'_>,
    cause: &Cause,
    limit: u32,
) -> Result<Vec<HeldId>, sqlx::Error> {
    let held = sqlx::query_scalar!(
        "SELECT held_id FROM unrouted
         WHERE routed_at IS NULL AND kind = $1 AND reason = $2 AND detail = $3
             AND CASE WHEN reason = 'unknown_line' THEN to_number END IS NOT DISTINCT FROM $4
         ORDER BY received_at, held_id
         LIMIT $5",
        cause.kind.as_str(),
        cause.reason.as_str(),
        cause.detail,
        cause.to.as_ref().map(|to| to.as_str()),
        i64::from(limit),
    )
    .fetch_all(executor)
    .await?;
    Ok(held.into_iter().map(HeldId).collect())
}

/// How many webhooks wait to be routed.
///
/// # Errors
///
/// The database's error.
pub async fn count(executor: impl PgExecutor<'_>) -> Result<u64, sqlx::Error> {
    let count =
        sqlx::query_scalar!(r#"SELECT count(*) AS "count!" FROM unrouted WHERE routed_at IS NULL"#)
            .fetch_one(executor)
            .await?;
    Ok(count.cast_unsigned())
}

/// The webhook of that id, routed since or not.
///
/// # Errors
///
/// The database's error, or a [`RowError`](crate::read::rows::RowError) as [`sqlx::Error::Decode`].
pub async fn find(
    executor: impl PgExecutor<'_>,
    held_id: HeldId,
) -> Result<Option<UnroutedWebhook>, sqlx::Error> {
    let found = sqlx::query!(
        r#"SELECT held_id, kind, reason, detail, provider_id, to_number, from_number, body_text, body_hex,
                  left(coalesce(body_text, body_hex), $2) AS "excerpt!",
                  received_at, routed_at, message_id, case_references
           FROM unrouted
           WHERE held_id = $1"#,
        held_id.0,
        EXCERPT_CHARS,
    )
    .fetch_optional(executor)
    .await?;
    let Some(found) = found else {
        return Ok(None);
    };
    let body = body_of(found.body_text, found.body_hex);
    let known = Row {
        table: "unrouted",
        key: held_id,
    };
    let body = known.some("body_text", body)?;
    let row = UnroutedRow::try_from(Columnwise {
        held_id: found.held_id,
        kind: found.kind,
        reason: found.reason,
        detail: found.detail,
        provider_id: found.provider_id,
        to_number: found.to_number,
        from_number: found.from_number,
        excerpt: found.excerpt,
        body_text: None,
        body_hex: None,
        received_at: found.received_at,
        routed_at: found.routed_at,
        message_id: found.message_id,
        case_references: found.case_references,
    })?;
    Ok(Some(UnroutedWebhook {
        row,
        body: Personal(body),
    }))
}
