//! The JSON API, under `/api`.
//!
//! A file for each group of endpoints holds its routes, forms, handlers and documentation; [`router`] puts them together. What
//! always holds: every route under `/api/v1` stands behind [`auth::authenticate`] and says in its handler's signature who may
//! call it; every error is a [`problem::Problem`]; every change is one operation for the ledger; the OpenAPI document is made from
//! the same routes. To add an endpoint: a handler with `#[utoipa::path]` in the file of its group, a line in that file's `routes`,
//! and a row in the tests' table of who may call what, which fails without it.

pub mod account;
pub mod auth;
pub mod bundle;
pub mod case_list;
pub mod cases;
pub mod checkpoints;
pub mod client_address;
pub mod contacts;
pub mod events;
pub mod history;
pub mod input;
mod integers;
pub mod labels;
pub mod lines;
pub mod media;
pub mod mentions;
pub mod moves;
pub mod openapi;
mod outgoing;
pub mod paging;
pub mod problem;
pub mod replies;
pub mod request_id;
mod schemas;
pub mod snoozes;
pub mod surveys;
pub mod thread;
pub mod tokens;
pub mod unrouted;
pub mod users;
pub mod whatsapp_templates;

use std::any::Any;
use std::sync::Arc;
use std::time::Instant;

use axum::Router;
use axum::extract::{DefaultBodyLimit, MatchedPath, Request};
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
    X_FRAME_OPTIONS,
};
use axum::http::{HeaderName, HeaderValue};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use docket_projections::ledger::operation::{Answer, LedgerError, Operation};
use serde::Deserialize;
use tower_http::catch_panic::CatchPanicLayer;
use tracing::{Instrument as _, debug, error, field, info, info_span};
use utoipa::ToSchema;
use utoipa::openapi::{OpenApi, Server};
use utoipa_axum::router::OpenApiRouter;
use uuid::Uuid;

use self::problem::Problem;
use self::request_id::{ClientRequestId, RequestId};
use crate::app::App;
use crate::people;
use crate::site;

/// The largest body that is read, in bytes.
pub const MAX_BODY_BYTES: usize = 1 << 20;

/// What every answer of the API carries, unless it says otherwise itself.
const HEADERS: [(HeaderName, &str); 5] = [
    (CACHE_CONTROL, "no-store"),
    (
        CONTENT_SECURITY_POLICY,
        "default-src 'none'; frame-ancestors 'none'",
    ),
    (REFERRER_POLICY, "no-referrer"),
    (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (X_FRAME_OPTIONS, "DENY"),
];

/// The API. It answers for everything under `/api`, and for nothing else; [`observed`] goes around it and all other routers.
pub fn router(app: App) -> Router {
    let (routes, mut document) = parts();
    let base = site::base_of(&app.public_url);
    if !base.is_empty() {
        document.servers = Some(vec![Server::new(base)]);
    }
    let document = Arc::new(document);
    let api = routes
        .route_layer(middleware::from_fn_with_state(
            app.clone(),
            auth::authenticate,
        ))
        .route(
            "/openapi.json",
            get(async move || openapi::serve(&document)),
        )
        .fallback(problem::unknown_path)
        .method_not_allowed_fallback(problem::method_not_allowed)
        .layer(DefaultBodyLimit::max(MAX_BODY_BYTES))
        .layer(middleware::map_response(with_headers))
        .with_state(app);
    Router::new().nest("/api", api)
}

/// Gives each request to `router` an id and a span, and turns a panic into a problem. Goes around everything that is served, once.
pub fn observed(router: Router, new_id: fn() -> Uuid) -> Router {
    router
        .layer(CatchPanicLayer::custom(panicked))
        .layer(middleware::from_fn(trace))
        .layer(middleware::from_fn(people::middleware))
        .layer(middleware::from_fn_with_state(
            new_id,
            request_id::middleware,
        ))
}

/// The OpenAPI document.
pub fn document() -> OpenApi {
    parts().1
}

/// The routes below `/api`, and their document with whole paths.
fn parts() -> (Router<App>, OpenApi) {
    let v1 = OpenApiRouter::new()
        .merge(cases::routes())
        .merge(contacts::routes())
        .merge(thread::routes())
        .merge(replies::routes())
        .merge(moves::routes())
        .merge(labels::routes())
        .merge(snoozes::routes())
        .merge(surveys::routes())
        .merge(lines::routes())
        .merge(media::routes())
        .merge(unrouted::routes())
        .merge(events::routes())
        .merge(account::routes())
        .merge(mentions::routes())
        .merge(checkpoints::routes())
        .merge(bundle::routes())
        .merge(users::routes())
        .merge(tokens::routes())
        .merge(whatsapp_templates::routes());
    let (routes, mut document) = OpenApiRouter::with_openapi(openapi::beginning())
        .nest("/v1", v1)
        .split_for_parts();
    document.paths.paths = std::mem::take(&mut document.paths.paths)
        .into_iter()
        // A parameter that holds slashes is one like others in the document.
        .map(|(path, item)| (format!("/api{path}").replace("{*", "{"), item))
        .collect();
    openapi::complete(&mut document);
    (routes, document)
}

/// A body without fields, for calls that need none.
#[derive(Clone, Copy, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NoFields {}

/// What an operation came to.
struct Outcome<T> {
    output: T,
    /// Whether an earlier request with the same idempotency key did it.
    is_repeated: bool,
}

/// Has an operation done. Its error becomes a [`Problem`] where the handler has nothing to add.
async fn submit<O: Operation>(
    app: &App,
    operation: O,
) -> Result<Outcome<O::Output>, LedgerError<O::Refusal>> {
    match app.ledger.submit(operation).await? {
        Answer::Done(output) => Ok(Outcome {
            output,
            is_repeated: false,
        }),
        Answer::Repeated(output) => Ok(Outcome {
            output,
            is_repeated: true,
        }),
        Answer::Duplicate => {
            error!(
                operation = std::any::type_name::<O>(),
                "an operation without a receipt was called a duplicate"
            );
            Err(LedgerError::Broken)
        }
    }
}

async fn with_headers(mut response: Response) -> Response {
    for (name, value) in HEADERS {
        response
            .headers_mut()
            .entry(name)
            .or_insert(HeaderValue::from_static(value));
    }
    response
}

/// Routes whose requests are too many to be logged one by one.
const ROUTINE: [&str; 3] = ["/webhooks/", "/healthz", "/readyz"];

/// A span for each request: its method, route, id, status and latency. No path or query, which can hold numbers and words.
async fn trace(request: Request, next: Next) -> Response {
    let extensions = request.extensions();
    let span = info_span!(
        "request",
        method = %request.method(),
        route = extensions.get::<MatchedPath>().map_or("none", MatchedPath::as_str),
        request_id = extensions.get::<RequestId>().map(field::display),
        // In quotation marks, so that it cannot pass for other fields of the line.
        client_request_id = extensions.get::<ClientRequestId>().map(|id| field::debug(id.as_str())),
        status = field::Empty,
        latency_ms = field::Empty,
    );
    let is_routine = extensions.get::<MatchedPath>().is_some_and(|route| {
        ROUTINE
            .iter()
            .any(|routine| route.as_str().starts_with(routine))
    });
    let began = Instant::now();
    let response = next.run(request).instrument(span.clone()).await;
    let latency_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
    span.record("status", response.status().as_u16());
    span.record("latency_ms", latency_ms);
    // Vonage and monitors ask all the time; the metrics count them, and only their trouble is worth a line.
    let is_routine = is_routine && !response.status().is_server_error();
    span.in_scope(|| {
        if is_routine {
            debug!("answered");
        } else {
            info!("answered");
        }
    });
    response
}

/// The answer where a handler panicked. What it said can hold anything, so it stays out of the answer.
fn panicked(_: Box<dyn Any + Send>) -> Response {
    error!("a handler panicked");
    Problem::internal().into_response()
}
