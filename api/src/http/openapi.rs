//! `/api/openapi.json`: the document of the API, made from the routes themselves.
//!
//! What all operations have in common is added here, so that none can forget it: the token, the idempotency key of what changes,
//! and the problems that any call can be answered with.

use axum::Json;
use axum::http::HeaderValue;
use axum::http::header::CACHE_CONTROL;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::openapi::path::{Operation, Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::schema::{ObjectBuilder, SchemaType, Type};
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{
    ContentBuilder, InfoBuilder, OpenApi, OpenApiBuilder, PathItem, Ref, RefOr, Required,
    Response as ResponseSpec, ResponseBuilder, SecurityRequirement, Tag,
};
use utoipa::{PartialSchema as _, ToSchema};

use super::problem::MEDIA_TYPE;
use super::schemas;

/// The name of the one way to sign in.
const TOKEN: &str = "token";

/// A problem (RFC 9457). Some types have further members.
#[derive(Debug, Serialize, ToSchema)]
pub struct ProblemView {
    /// What kind of problem it is, such as `/problems/not-found`; `docs/api.md` lists them.
    #[serde(rename = "type")]
    pub problem_type: String,
    /// The kind in a few words.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// What is wrong, and what to do.
    pub detail: String,
    /// The request's id, as in the header `x-request-id`.
    pub instance: String,
}

/// The document's beginning; the routes add themselves to it.
pub(super) fn beginning() -> OpenApi {
    let tag = |name: &str, description: &str| {
        let mut tag = Tag::new(name);
        tag.description = Some(description.to_owned());
        tag
    };
    OpenApiBuilder::new()
        .info(
            InfoBuilder::new()
                .title("Docket")
                .version(env!("CARGO_PKG_VERSION"))
                .description(Some(
                    "Conversations by SMS and WhatsApp as cases. Errors are RFC 9457 problems; docs/api.md explains them, \
                     idempotency keys, pages and the stream of events.",
                ))
                .build(),
        )
        .tags(Some([
            tag("cases", "Cases: subjects, each with one contact"),
            tag("contacts", "People: outside numbers, each within one survey"),
            tag("replies", "What agents say"),
            tag("moves", "Moving a message to where it belongs"),
            tag("labels", "Words with a colour that people put on cases"),
            tag("surveys", "What messages are organised under"),
            tag("lines", "Our own numbers, each on one channel"),
            tag("media", "Files that messages carry"),
            tag("unrouted", "Webhooks that could not be routed"),
            tag("events", "The log"),
            tag("evidence", "Proof that the log was not altered"),
            tag("users", "Who signs in"),
            tag("tokens", "API tokens"),
            tag("whatsapp templates", "Texts that WhatsApp has approved"),
        ]))
        .build()
}

/// The problems that any call can be answered with, by status: the name of the response, and what it means.
const PROBLEMS: [(&str, &str, &str); 10] = [
    (
        "400",
        "Unreadable",
        "The path, the query, a header or the body cannot be read",
    ),
    (
        "401",
        "Unauthenticated",
        "No token came, or one that does not count",
    ),
    ("403", "Forbidden", "Your role does not allow this"),
    ("404", "NotFound", "There is no such thing"),
    ("409", "Conflict", "It cannot be done as things stand"),
    ("413", "BodyTooLarge", "The body is larger than 1 MiB"),
    (
        "415",
        "UnsupportedMediaType",
        "The body is not said to be JSON",
    ),
    (
        "422",
        "Invalid",
        "A field or value is not possible, or the idempotency key was used for something else",
    ),
    ("500", "Internal", "Something went wrong in Docket"),
    (
        "503",
        "Unavailable",
        "Nothing was done; try again after `Retry-After` seconds",
    ),
];

/// Adds what all operations have in common.
pub(super) fn complete(document: &mut OpenApi) {
    let components = document.components.get_or_insert_default();
    let mut problems = vec![(ProblemView::name().into_owned(), ProblemView::schema())];
    ProblemView::schemas(&mut problems);
    components.schemas.extend(problems);
    schemas::add_alternatives(components);
    components.responses.extend(
        PROBLEMS.map(|(_, name, description)| (name.to_owned(), RefOr::T(problem(description)))),
    );
    components.security_schemes.insert(
        TOKEN.to_owned(),
        RefOr::T(SecurityScheme::Http(
            HttpBuilder::new()
                .scheme(HttpAuthScheme::Bearer)
                .bearer_format("docket_…")
                .description(Some(
                    "A token, made by its user at the console, by an owner with `POST /tokens`, or by `docket token create`",
                ))
                .build(),
        )),
    );
    for (path, item) in &mut document.paths.paths {
        bound_references(item);
        let in_path = path.contains('{');
        let PathItem {
            get,
            put,
            post,
            delete,
            patch,
            ..
        } = item;
        if let Some(operation) = get {
            // What not everybody with a token may read.
            let is_kept =
                operation.operation_id.as_deref() != Some("listCaseEvents")
                    && operation.tags.iter().flatten().any(|tag| {
                        ["users", "tokens", "events", "unrouted"].contains(&tag.as_str())
                    });
            let mut statuses = vec!["400", "401", "500", "503"];
            statuses.extend(is_kept.then_some("403"));
            statuses.extend(in_path.then_some("404"));
            // A position may lie beyond the log's end.
            let is_of_the_log = operation.tags.iter().flatten().any(|tag| tag == "events");
            statuses.extend(is_of_the_log.then_some("409"));
            common(operation, &statuses);
        }
        for operation in [put, post, delete, patch].into_iter().flatten() {
            operation
                .parameters
                .get_or_insert_default()
                .push(RefOr::T(idempotency_key()));
            let statuses = PROBLEMS.iter().map(|(status, ..)| *status);
            common(
                operation,
                &statuses
                    .filter(|status| in_path || *status != "404")
                    .collect::<Vec<_>>(),
            );
        }
    }
}

/// Gives the references in a path their bounds.
fn bound_references(item: &mut PathItem) {
    let operations = [
        &mut item.get,
        &mut item.put,
        &mut item.post,
        &mut item.delete,
        &mut item.patch,
    ];
    for parameter in operations
        .into_iter()
        .flatten()
        .flat_map(|operation| operation.parameters.iter_mut().flatten())
    {
        if let RefOr::T(parameter) = parameter
            && parameter.name == "reference"
        {
            parameter.schema = Some(schemas::reference().into());
        }
    }
}

fn common(operation: &mut Operation, statuses: &[&str]) {
    let none: [&str; 0] = [];
    operation.security = Some(vec![SecurityRequirement::new(TOKEN, none)]);
    for (status, name, _) in PROBLEMS {
        if statuses.contains(&status) {
            let responses = &mut operation.responses.responses;
            responses
                .entry(status.to_owned())
                .or_insert_with(|| Ref::from_response_name(name).into());
        }
    }
}

fn problem(description: &str) -> ResponseSpec {
    let schema = Ref::from_schema_name(ProblemView::name());
    ResponseBuilder::new()
        .description(description)
        .content(
            MEDIA_TYPE,
            ContentBuilder::new().schema(Some(schema)).build(),
        )
        .build()
}

fn idempotency_key() -> Parameter {
    let text = ObjectBuilder::new()
        .schema_type(SchemaType::new(Type::String))
        .min_length(Some(1))
        .max_length(Some(255))
        .pattern(Some("^[!-~]{1,255}$"))
        .build();
    ParameterBuilder::new()
        .name("Idempotency-Key")
        .parameter_in(ParameterIn::Header)
        .required(Required::False)
        .description(Some(
            "A request that repeats it is answered as the first one was, and does nothing twice",
        ))
        .schema(Some(text))
        .build()
}

/// Answers with the document.
pub(super) fn serve(document: &OpenApi) -> Response {
    let mut response = Json(document).into_response();
    response
        .headers_mut()
        .insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    response
}
