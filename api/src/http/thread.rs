//! `GET /cases/{reference}/thread`: what happened in a case, in order.

use axum::Json;
use axum::extract::State;
use chrono::{DateTime, Utc};
use docket_domain::content::Content;
use docket_domain::ids::{MessageId, Reference};
use docket_domain::routing::Routed;
use docket_domain::whatsapp_template::SentTemplate;
use docket_projections::history as as_of;
use docket_projections::read::thread::{Place, What};
use docket_projections::read::{cases, thread};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use super::auth::Reader;
use super::history;
use super::input::{Path, PathReference, Query, given, integer, unless_blank};
use super::media::MediaView;
use super::paging::{self, Page};
use super::problem::Problem;
use super::schemas;
use crate::app::App;
use crate::media::shown::{self, Files, Moment};
use crate::operations::opt_out;
use crate::people;

/// What the cursors of threads are called.
const LIST: &str = "thread";

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(list))
}

/// Something that happened in a case.
#[derive(Debug, Serialize, ToSchema)]
pub struct ThreadItem {
    /// The sequence of the event that it comes from.
    pub sequence: u64,
    /// `opened`, `message`, `reaction`, `note`, `status`, `moved_out`, `moved_in`, `removed_elsewhere`, `assigned`, `renamed` or
    /// `opt_out` (the contact opted out on a channel, or in again).
    pub kind: &'static str,
    /// When it happened: Vonage's time of a message that came in, the time of recording of all else.
    pub at: DateTime<Utc>,
    /// When it was recorded.
    pub recorded_at: DateTime<Utc>,
    /// Who did or said it: a user's address, or else `author_kind` again.
    pub author: String,
    /// What the user is called today; null where they have no name, for others, and in a case as it was.
    #[schema(required = true)]
    pub author_name: Option<String>,
    /// `user`, `contact`, `automatic` (the automatic reply), `opt_out_confirmation`, `vonage` or `system`.
    pub author_kind: &'static str,
    /// Of a message, and of a move: the message's id, the same in every case that it stands in.
    #[schema(required = true)]
    pub message_id: Option<Uuid>,
    /// Of a message: `inbound` or `outbound`.
    #[schema(required = true)]
    pub direction: Option<&'static str>,
    /// Of a message, and of `opt_out`: `sms` or `whatsapp`.
    #[schema(required = true)]
    pub channel: Option<&'static str>,
    /// What was said or written, as it was written: a message's text or caption, a note's text.
    #[schema(required = true)]
    pub text: Option<String>,
    /// Of a message: all that it carries, with the kind in `type`.
    #[schema(value_type = Option<Object>, required = true)]
    pub content: Option<Content>,
    /// Of an inbound message, and of a reaction: why it stands here.
    #[schema(required = true)]
    pub routed: Option<RoutedView>,
    /// Of an outbound message: what is known of its delivery.
    #[schema(required = true)]
    pub delivery: Option<DeliveryView>,
    /// What only some kinds have.
    #[serde(flatten)]
    pub more: MoreView,
}

/// What only some kinds of thread items have; what a kind does not have is left out.
#[derive(Debug, Default, Serialize, ToSchema)]
pub struct MoreView {
    /// Of an outbound message: what is sent, with the reference appended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sent_text: Option<String>,
    /// Of an outbound message that Docket wrote by itself: why. `several_cases`, `new_requested`, `greeting` or `out_of_hours`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub automatic: Option<&'static str>,
    /// Of an outbound message that is sent as a `WhatsApp` template: which. `text` is what it says with its parameters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub template: Option<SentTemplateView>,
    /// Of a message: the line it came in on or goes out from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line_id: Option<Uuid>,
    /// Of a message: Vonage's id of it, once there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub provider_id: Option<String>,
    /// Of a message: the contact's reaction to it, if there is one. Of `reaction`, which is a reaction to a message that Docket
    /// does not know: what it is; an empty list where such a reaction was taken off.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reactions: Option<Vec<ReactionView>>,
    /// Of a message: the files that it carries; left out where it carries none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    pub media: Vec<MediaView>,
    /// Of an inbound message: Vonage's id of the message that it quotes. Of `reaction`: of the message that it is on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quotes: Option<String>,
    /// Of an inbound message: true where `at` is the time of its arrival, since Vonage's could not be read; else left out.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub at_is_arrival: bool,
    /// Of a note: its id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note_id: Option<Uuid>,
    /// Of `opened` and `renamed`: the title from then on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// Of `opened`: the closed case that this one follows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub follows: Option<u32>,
    /// Of `status`: the answer from then on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    /// Of `status`: whether it closed the case.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub closed: Option<bool>,
    /// Of `assigned`: the address of who sees to the case from then on; null for nobody.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub assignee: Option<Option<String>>,
    /// Of `status`, `assigned` and `renamed`: what it was before; null for none.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub before: Option<Option<String>>,
    /// Of `labels`: the names of those that went on the case.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub labels_added: Option<Vec<String>>,
    /// Of `labels`: the names of those that came off it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub labels_removed: Option<Vec<String>>,
    /// Of `snoozed`: until when.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<DateTime<Utc>>,
    /// Of `woken`: why the snooze ended; `due`, `message`, `by_hand` or `closed`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<&'static str>,
    /// Of `moved_out`: the case that the message went to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<u32>,
    /// Of `moved_in` and `removed_elsewhere`: the case that the message came from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<u32>,
    /// Of `opt_out`: whether nothing is sent to the contact on the channel from then on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub opted_out: Option<bool>,
    /// Of `opt_out`: what made them, `message`, `person` or `vonage`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cause: Option<String>,
    /// Of an inbound message: true where it begins with a word that opts out, and says more; else left out.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub may_opt_out: bool,
    /// Of `moved_out`, `moved_in` and `removed_elsewhere`: what the agent said of it. Of `opt_out`: the reason.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
}

/// A `WhatsApp` template as it was sent.
#[derive(Debug, Serialize, ToSchema)]
pub struct SentTemplateView {
    /// Its name.
    pub name: String,
    /// Its locale.
    pub locale: String,
    /// What stood in the places of its body, in order.
    pub parameters: Vec<String>,
}

impl From<SentTemplate> for SentTemplateView {
    fn from(template: SentTemplate) -> Self {
        Self {
            name: template.name,
            locale: template.locale,
            parameters: template.parameters.0,
        }
    }
}

/// An emoji that the contact set on a message.
#[derive(Debug, Serialize, ToSchema)]
pub struct ReactionView {
    /// The emoji; null where it could not be read.
    #[schema(required = true)]
    pub emoji: Option<String>,
    /// Vonage's time.
    pub at: DateTime<Utc>,
    /// The contact's number.
    pub from: String,
}

impl From<thread::ItemReaction> for ReactionView {
    fn from(reaction: thread::ItemReaction) -> Self {
        Self {
            emoji: reaction.emoji.map(|emoji| emoji.0),
            at: reaction.at,
            from: reaction.from.0,
        }
    }
}

/// Why a message stands in a case.
#[derive(Debug, Serialize, ToSchema)]
pub struct RoutedView {
    /// `first`, `only_open`, `all_open`, `reference`, `quote`, `new_requested`, `follows`, `cases_disabled` or `moved`; of a reaction
    /// to a message that is not known also `newest`.
    pub rule: &'static str,
    /// The references that the rule speaks of.
    pub references: Vec<u32>,
    /// Whether the text has a reference that is none of the contact's; left out where it has none.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    #[schema(required = false)]
    pub foreign_reference: bool,
}

impl From<&Routed> for RoutedView {
    fn from(routed: &Routed) -> Self {
        Self {
            rule: routed.rule.as_str(),
            references: routed
                .references
                .iter()
                .copied()
                .map(Reference::get)
                .collect(),
            foreign_reference: routed.foreign_reference,
        }
    }
}

/// What is known of a message's delivery.
#[derive(Debug, Serialize, ToSchema)]
pub struct DeliveryView {
    /// `queued`, `sending`, `sent`, `delivered`, `read`, `failed` or `uncertain`.
    pub status: &'static str,
    /// Why it failed, is uncertain, or has to wait.
    #[schema(required = true)]
    pub reason: Option<String>,
    /// Vonage's error code, where it failed with one.
    #[schema(required = true)]
    pub code: Option<u32>,
    /// Vonage's time of its arrival, or of its being read.
    #[schema(required = true)]
    pub at: Option<DateTime<Utc>>,
    /// The attempt, from 1; sending it again is the next.
    pub attempt: u32,
}

impl ThreadItem {
    /// An item of a thread as it was, which stays the same whatever people are called today.
    pub(crate) fn as_it_was(item: thread::ThreadItem) -> Self {
        Self {
            author_name: None,
            ..Self::from(item)
        }
    }
}

impl From<thread::ThreadItem> for ThreadItem {
    fn from(item: thread::ThreadItem) -> Self {
        let view = Self {
            sequence: item.place.sequence,
            kind: item.what.kind(),
            at: item.at,
            recorded_at: item.recorded_at,
            author: item.author.name().to_owned(),
            author_name: people::name(item.author.name()),
            author_kind: item.author.kind(),
            message_id: None,
            direction: None,
            channel: None,
            text: None,
            content: None,
            routed: None,
            delivery: None,
            more: MoreView::default(),
        };
        let is_reaction = matches!(item.what, What::Reaction { .. });
        let reactions: Vec<_> = item.reaction.into_iter().map(Into::into).collect();
        let occasion = match item.author {
            thread::ItemAuthor::Automatic { occasion } => Some(occasion.as_str()),
            _ => None,
        };
        let mut view = view.with(item.what);
        view.more.automatic = occasion;
        view.more.reactions = (is_reaction || !reactions.is_empty()).then_some(reactions);
        view
    }
}

impl ThreadItem {
    /// The item with the files of its message.
    pub fn with_files(item: thread::ThreadItem, files: &mut Files) -> Self {
        let mut view = Self::from(item);
        let files = view
            .message_id
            .filter(|_| view.kind == "message")
            .and_then(|message_id| files.remove(&MessageId(message_id)));
        view.more.media = files.into_iter().flatten().map(Into::into).collect();
        view
    }

    fn with(self, what: What) -> Self {
        match what {
            What::Inbound(message) => self.inbound(*message),
            What::Outbound(message) => self.outbound(*message),
            What::Opened { title, follows } => self.and(MoreView {
                title: Some(title.0),
                follows: follows.map(Reference::get),
                ..MoreView::default()
            }),
            What::Note { note_id, text } => Self {
                text: Some(text.0),
                ..self
            }
            .and(MoreView {
                note_id: Some(note_id.0),
                ..MoreView::default()
            }),
            What::Status {
                before,
                value,
                closed,
                ..
            } => self.and(MoreView {
                before: Some(before),
                value: Some(value),
                closed: Some(closed),
                ..MoreView::default()
            }),
            What::Assigned { before, to } => self.and(MoreView {
                before: Some(before.map(|email| email.0)),
                assignee: Some(to.map(|email| email.0)),
                ..MoreView::default()
            }),
            What::Renamed { before, title } => self.and(MoreView {
                before: Some(Some(before.0)),
                title: Some(title.0),
                ..MoreView::default()
            }),
            sorted @ (What::Labels { .. }
            | What::Snoozed { .. }
            | What::Woken { .. }
            | What::OptOut { .. }) => self.sorted(sorted),
            What::MovedOut {
                message_id,
                to,
                comment,
                undone: _,
            } => Self {
                message_id: Some(message_id.0),
                ..self
            }
            .and(MoreView {
                to: Some(to.get()),
                comment: comment.map(|comment| comment.0),
                ..MoreView::default()
            }),
            What::Reaction {
                target_provider_id,
                routed,
            } => Self {
                routed: Some((&routed).into()),
                ..self
            }
            .and(MoreView {
                quotes: target_provider_id,
                ..MoreView::default()
            }),
            What::MovedIn {
                message_id,
                from,
                comment,
                undone: _,
            }
            | What::RemovedElsewhere {
                message_id,
                from,
                comment,
            } => Self {
                message_id: Some(message_id.0),
                ..self
            }
            .and(MoreView {
                from: Some(from.get()),
                comment: comment.map(|comment| comment.0),
                ..MoreView::default()
            }),
        }
    }

    /// What says nothing of the conversation: labels, snoozes and opt-outs.
    fn sorted(self, what: What) -> Self {
        match what {
            What::Labels { added, removed } => self.and(MoreView {
                labels_added: Some(added),
                labels_removed: Some(removed),
                ..MoreView::default()
            }),
            What::Snoozed { until } => self.and(MoreView {
                until: Some(until),
                ..MoreView::default()
            }),
            What::Woken { reason } => self.and(MoreView {
                reason: Some(reason.as_str()),
                ..MoreView::default()
            }),
            What::OptOut {
                channel,
                opted_out,
                cause,
                reason,
            } => Self {
                channel: Some(channel.as_str()),
                ..self
            }
            .and(MoreView {
                opted_out: Some(opted_out),
                cause: Some(cause),
                comment: reason.map(|reason| reason.0),
                ..MoreView::default()
            }),
            _ => self,
        }
    }

    fn and(self, more: MoreView) -> Self {
        Self { more, ..self }
    }

    fn inbound(self, message: thread::Inbound) -> Self {
        let may_opt_out = opt_out::may_be_meant(message.content.said());
        Self {
            message_id: Some(message.message_id.0),
            direction: Some("inbound"),
            channel: Some(message.channel.as_str()),
            text: message.content.said().map(str::to_owned),
            routed: Some((&message.routed).into()),
            content: Some(message.content.0),
            more: MoreView {
                may_opt_out,
                line_id: Some(message.line_id.0),
                provider_id: Some(message.provider_id),
                quotes: message.quotes,
                at_is_arrival: message.at_is_arrival,
                ..MoreView::default()
            },
            ..self
        }
    }

    fn outbound(self, message: thread::Outbound) -> Self {
        let delivery = message.delivery;
        Self {
            message_id: Some(message.message_id.0),
            direction: Some("outbound"),
            channel: Some(message.channel.as_str()),
            text: Some(message.text.0.clone()),
            content: Some(Content::text(message.text.0)),
            delivery: Some(DeliveryView {
                status: delivery.status.as_str(),
                reason: delivery.reason,
                code: delivery.code,
                at: delivery.at,
                attempt: delivery.attempt,
            }),
            more: MoreView {
                template: message.template.map(SentTemplateView::from),
                sent_text: Some(message.sent_text.0),
                line_id: Some(message.line_id.0),
                provider_id: delivery.provider_id,
                ..MoreView::default()
            },
            ..self
        }
    }
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct ThreadQuery {
    /// `next` of the page before.
    #[serde(default, deserialize_with = "unless_blank")]
    #[param(schema_with = schemas::thread_cursor)]
    cursor: Option<String>,
    /// How many items at most, 1 to 200; 50 by default.
    #[serde(default, deserialize_with = "integer")]
    #[param(schema_with = schemas::limit)]
    limit: Option<u32>,
    /// The sequence of an event: the thread as it was after it.
    #[serde(default, deserialize_with = "integer")]
    #[param(schema_with = schemas::position)]
    at: Option<u64>,
    /// A time (RFC 3339): the thread as it was then.
    #[serde(default, deserialize_with = "given")]
    as_of: Option<DateTime<Utc>>,
}

fn cursor(item: &thread::ThreadItem) -> String {
    paging::cursor(
        LIST,
        &format!("{}.{}", item.place.sequence, item.place.part),
    )
}

fn place(text: &str) -> Option<Place> {
    let (sequence, part) = text.split_once('.')?;
    let sequence = sequence
        .parse()
        .ok()
        .filter(|sequence| i64::try_from(*sequence).is_ok())?;
    Some(Place {
        sequence,
        part: part.parse().ok()?,
    })
}

/// A case's thread.
///
/// Oldest first. A message that was moved out is not here any more; `moved_out` stands where that happened. With `at` or `as_of`
/// it is the thread as it was then, moved messages and states of delivery included; give the same with every page.
#[utoipa::path(
    get,
    path = "/cases/{reference}/thread",
    operation_id = "listThread",
    tag = "cases",
    params(("reference" = u32, Path, description = "The case"), ThreadQuery),
    responses((status = 200, description = "A page of the thread", body = Page<ThreadItem>))
)]
async fn list(
    Reader(caller): Reader,
    Path(PathReference(reference)): Path<PathReference>,
    Query(query): Query<ThreadQuery>,
    State(app): State<App>,
) -> Result<Json<Page<ThreadItem>>, Problem> {
    let limit = paging::limit(query.limit, paging::DEFAULT_LIMIT)?;
    let after = paging::place(LIST, query.cursor.as_deref(), place)?;
    if let Some(at) = history::moment(query.at, query.as_of)? {
        let found = history::find(&app, reference, at).await?;
        let items = as_of::thread(&app.pool, found, after, limit as usize + 1).await?;
        let moment = Moment::AsOf(found.shown_until());
        let mut files = shown::files(&app.pool, &items, moment).await?;
        caller.looks(&app, reference).await;
        return Ok(Json(Page::of(items, limit, cursor, |item| ThreadItem {
            author_name: None,
            ..ThreadItem::with_files(item, &mut files)
        })));
    }
    let items = thread::page(&app.pool, reference, after, limit + 1).await?;
    if items.is_empty() && cases::find(&app.pool, reference).await?.is_none() {
        return Err(super::cases::no_such_case(reference));
    }
    let moment = Moment::Now((app.clock)());
    let mut files = shown::files(&app.pool, &items, moment).await?;
    caller.looks(&app, reference).await;
    Ok(Json(Page::of(items, limit, cursor, |item| {
        ThreadItem::with_files(item, &mut files)
    })))
}
