//! What the list of cases says of a case beside the case itself, and which of its query's words mean what.

use chrono::{DateTime, Utc};
use docket_domain::channel::Channel;
use docket_domain::ids::Reference;
use docket_domain::user::Role;
use docket_projections::read::cases::preview::{self, Preview};
use docket_projections::read::cases::{CaseRow, CaseState};
use serde::Serialize;
use utoipa::ToSchema;

use super::auth::Caller;
use super::cases::{CaseSummary, summaries};
use super::problem::{Kind, Problem};
use crate::app::App;

/// A case in the list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct ListedCase {
    /// The case.
    #[serde(flatten)]
    pub summary: CaseSummary,
    /// The last message that stands in it; null where none does.
    #[schema(required = true)]
    pub last_message: Option<LastMessageView>,
    /// When the contact wrote first after the last reply or closing; null where no message waits for an answer. Automatic replies and
    /// notes answer nothing.
    #[schema(required = true)]
    pub waiting_since: Option<DateTime<Utc>>,
    /// How many messages the caller has yet to read in the console, at most 100; 0 for an auditor, and in a closed case.
    pub unread: u32,
    /// Whether the last reply failed, and the case was not closed since.
    pub last_reply_failed: bool,
}

/// The last message of a case, in short.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct LastMessageView {
    /// Its beginning on one line, at most 120 characters; without a text, what it carries, as `Photo`.
    pub text: String,
    /// `inbound` or `outbound`.
    pub direction: &'static str,
    /// Vonage's time of an inbound message, the time of recording of an outbound one.
    pub at: DateTime<Utc>,
}

impl ListedCase {
    fn new(summary: CaseSummary, preview: Preview) -> Self {
        Self {
            summary,
            last_message: preview.last_message.map(|message| LastMessageView {
                text: message.text.0,
                direction: if message.is_ours {
                    "outbound"
                } else {
                    "inbound"
                },
                at: message.at,
            }),
            waiting_since: preview.waiting_since,
            unread: preview.unread,
            last_reply_failed: preview.last_reply_failed,
        }
    }
}

/// The rows with what the list says of each.
pub(super) async fn with_previews(
    app: &App,
    caller: &Caller,
    rows: Vec<CaseRow>,
) -> Result<Vec<ListedCase>, Problem> {
    let references: Vec<Reference> = rows.iter().map(|row| row.reference).collect();
    let reader = (caller.role != Role::Auditor).then_some(caller.user_id);
    let mut previews = preview::of_cases(&app.pool, &references, reader).await?;
    let cases = summaries(app, rows).await?.into_iter();
    let listed = references.into_iter().zip(cases).map(|(reference, case)| {
        let preview = previews.remove(&reference).unwrap_or_default();
        ListedCase::new(case, preview)
    });
    Ok(listed.collect())
}

/// Which cases of a state are meant.
pub(super) fn view(name: Option<&str>) -> Result<Option<&str>, Problem> {
    match name {
        None | Some("unread" | "waiting" | "failed") => Ok(name),
        Some(_) => Err(Problem::new(
            Kind::InvalidQuery,
            "view must be one of unread, waiting, failed",
        )),
    }
}

/// Whether snoozed cases are meant. Among open cases they are only where somebody asks for them.
pub(super) fn snoozed(
    name: Option<&str>,
    state: Option<CaseState>,
) -> Result<Option<bool>, Problem> {
    match name {
        None if state == Some(CaseState::Open) => Ok(Some(false)),
        None | Some("all") => Ok(None),
        Some("true") => Ok(Some(true)),
        Some("false") => Ok(Some(false)),
        Some(_) => Err(Problem::new(
            Kind::InvalidQuery,
            "snoozed must be one of true, false, all",
        )),
    }
}

/// Which channel is meant.
pub(super) fn channel(name: Option<&str>) -> Result<Option<Channel>, Problem> {
    let Some(name) = name else {
        return Ok(None);
    };
    // `mms` is a kind of message, and no channel of a line.
    let channel = Channel::from_name(name).filter(|channel| channel.as_str() == name);
    channel
        .map(Some)
        .ok_or_else(|| Problem::new(Kind::InvalidQuery, "channel must be one of sms, whatsapp"))
}
