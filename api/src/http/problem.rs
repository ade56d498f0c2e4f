//! Every error that HTTP answers: RFC 9457 problems.
//!
//! A [`Problem`] is made where something goes wrong, by its kind or from a refusal of the domain, and becomes the answer. What is
//! wrong on our side is logged here, once, and nowhere else; its answer says nothing of the inside. To add a kind: a line in
//! [`Kind`], and a row in `docs/api.md`, which a test compares.

use std::convert::Infallible;
use std::error::Error;
use std::fmt;

use axum::extract::Request;
use axum::http::header::{CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use docket_domain::case::CaseError;
use docket_domain::contact::profile::ContactError;
use docket_domain::held::HeldError;
use docket_domain::installation::InstallationError;
use docket_domain::label::LabelError;
use docket_domain::line::LineError;
use docket_domain::survey::SurveyError;
use docket_domain::text::phone::NumberError;
use docket_domain::user::UserError;
use docket_projections::ledger::operation::LedgerError;
use docket_projections::log::reader::ReadError;
use docket_projections::{DatabaseError, outage};
use serde::Serialize;
use serde_json::{Map, Value};
use tracing::error;

use super::request_id::RequestId;
use crate::audit::NotRecorded;
use crate::operations::case::ChangeCaseError;
use crate::operations::contact::ChangeContactError;
use crate::operations::held::RouteHeldError;
use crate::operations::line::ChangeLineError;
use crate::operations::message_move::MoveError;
use crate::operations::reply::ReplyError;
use crate::operations::status::RouteHeldStatusError;

/// The media type of problems.
pub const MEDIA_TYPE: &str = "application/problem+json";
/// When to come again where too much waits, in seconds.
const BUSY_RETRY_AFTER: &str = "1";
/// When to come again where the database is away, in seconds.
const UNAVAILABLE_RETRY_AFTER: &str = "5";

macro_rules! kinds {
    ($($(#[$doc:meta])* $kind:ident = $slug:literal, $status:ident, $title:literal;)+) => {
        /// What kind of problem it is; each has a row in `docs/api.md`.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Kind {
            $($(#[$doc])* $kind,)+
        }

        impl Kind {
            /// Every kind.
            pub const ALL: &'static [Self] = &[$(Self::$kind,)+];

            /// The last part of the problem's type, `/problems/…`.
            pub const fn slug(self) -> &'static str {
                match self {
                    $(Self::$kind => $slug,)+
                }
            }

            /// The HTTP status.
            pub const fn status(self) -> StatusCode {
                match self {
                    $(Self::$kind => StatusCode::$status,)+
                }
            }

            /// The kind in a few words.
            pub const fn title(self) -> &'static str {
                match self {
                    $(Self::$kind => $title,)+
                }
            }
        }
    };
}

kinds! {
    /// The body is not JSON.
    MalformedJson = "malformed-json", BAD_REQUEST, "The body is not JSON";
    /// The query has an unknown parameter, or one whose value cannot be read.
    InvalidQuery = "invalid-query", BAD_REQUEST, "The query cannot be read";
    /// The position that is asked for lies beyond the log's end. Member: `head`, the last position that there is.
    PositionBeyondLog = "position-beyond-log", CONFLICT, "The log has no such position yet";
    /// No checkpoint can be signed, or the log is not the one that was signed.
    NotSigned = "not-signed", CONFLICT, "The log cannot be proved";
    /// The cursor is not from an earlier answer.
    InvalidCursor = "invalid-cursor", BAD_REQUEST, "The cursor is not one of ours";
    /// A part of the path cannot be read.
    InvalidPath = "invalid-path", BAD_REQUEST, "The path cannot be read";
    /// A header cannot be read.
    InvalidHeader = "invalid-header", BAD_REQUEST, "A header cannot be read";
    /// The body broke off.
    IncompleteBody = "incomplete-body", BAD_REQUEST, "The body broke off";
    /// No token came, or one that does not count.
    Unauthenticated = "unauthenticated", UNAUTHORIZED, "A token is needed";
    /// The caller's role does not allow it.
    Forbidden = "forbidden", FORBIDDEN, "Your role does not allow this";
    /// There is no such thing.
    NotFound = "not-found", NOT_FOUND, "There is no such thing";
    /// There is no such path.
    UnknownPath = "unknown-path", NOT_FOUND, "There is no such path";
    /// The path is there, and not with that method.
    MethodNotAllowed = "method-not-allowed", METHOD_NOT_ALLOWED, "The path does not have that method";
    /// Something was said since the caller last looked. Members: `version`, `new`.
    SaidSince = "said-since", CONFLICT, "Something was said since you looked";
    /// The settings were changed since the caller last looked. Member: `version`.
    ChangedSince = "changed-since", CONFLICT, "It was changed since you looked";
    /// A closed case receives nothing.
    CaseClosed = "case-closed", CONFLICT, "The case is closed";
    /// The move that made the case was undone.
    CaseWithdrawn = "case-withdrawn", CONFLICT, "The case was withdrawn";
    /// It is there already.
    Exists = "exists", CONFLICT, "It exists already";
    /// The message stands there already.
    AlreadyThere = "already-there", CONFLICT, "The message stands there already";
    /// The message cannot be moved.
    NotMovable = "not-movable", CONFLICT, "The message cannot be moved";
    /// More messages follow than move at once.
    TooManyMessages = "too-many-messages", CONFLICT, "Too many messages would move at once";
    /// The other case is no open case of the same contact.
    OtherContact = "other-contact", CONFLICT, "The message cannot go to that case";
    /// The move cannot be undone.
    NotUndoable = "not-undoable", CONFLICT, "The move cannot be undone";
    /// The message is not one that can be sent again.
    NotResendable = "not-resendable", CONFLICT, "The message cannot be sent again";
    /// The contact opted out on the channel.
    OptedOut = "opted-out", CONFLICT, "The contact opted out";
    /// The line to answer from was removed.
    LineRemoved = "line-removed", CONFLICT, "The line was removed";
    /// Another line has the number.
    NumberTaken = "number-taken", CONFLICT, "The number is taken";
    /// Another user has the address.
    EmailTaken = "email-taken", CONFLICT, "The address is taken";
    /// Another service account, or another label, has the name.
    NameTaken = "name-taken", CONFLICT, "The name is taken";
    /// There are as many labels as are possible.
    TooManyLabels = "too-many-labels", CONFLICT, "There are too many labels";
    /// `WhatsApp` takes no free text from us just now.
    WindowClosed = "window-closed", CONFLICT, "WhatsApp takes no free text now";
    /// There are as many `WhatsApp` templates as there can be.
    TooManyTemplates = "too-many-templates", CONFLICT, "There are too many templates";
    /// Owners do not remove themselves.
    OwnAccount = "own-account", CONFLICT, "It is your own account";
    /// There is always an owner.
    LastOwner = "last-owner", CONFLICT, "It is the last owner";
    /// What was kept was routed.
    AlreadyRouted = "already-routed", CONFLICT, "It was routed already";
    /// The cause for which it was kept is still there.
    NotRoutable = "not-routable", CONFLICT, "It cannot be routed yet";
    /// The file cannot be sent to that contact.
    MediaNotSendable = "media-not-sendable", CONFLICT, "The file cannot be sent";
    /// Vonage could not fetch the file from us.
    PublicUrlMissing = "public-url-missing", CONFLICT, "Docket's public address is not set";
    /// The body is larger than 1 MiB.
    BodyTooLarge = "body-too-large", PAYLOAD_TOO_LARGE, "The body is too large";
    /// The body is not said to be JSON.
    UnsupportedMediaType = "unsupported-media-type", UNSUPPORTED_MEDIA_TYPE, "The body must be JSON";
    /// A field is missing, unknown, or of another type.
    InvalidBody = "invalid-body", UNPROCESSABLE_ENTITY, "The body has a wrong form";
    /// A value is not one that is possible.
    InvalidValue = "invalid-value", UNPROCESSABLE_ENTITY, "A value is not possible";
    /// The status question has no such answer. Member: `choices`.
    UnknownStatus = "unknown-status", UNPROCESSABLE_ENTITY, "The status question has no such answer";
    /// There is no such label. Member: `label`.
    UnknownLabel = "unknown-label", UNPROCESSABLE_ENTITY, "There is no such label";
    /// The idempotency key was used for another request.
    IdempotencyKeyReused = "idempotency-key-reused", UNPROCESSABLE_ENTITY, "The idempotency key was used for something else";
    /// Too many passwords are checked at once.
    TooMany = "too-many", TOO_MANY_REQUESTS, "Too many ask at once";
    /// Something is wrong on our side.
    Internal = "internal", INTERNAL_SERVER_ERROR, "Something went wrong here";
    /// Too much waits already.
    Busy = "busy", SERVICE_UNAVAILABLE, "Too much waits";
    /// The database is away, or Docket is shutting down.
    Unavailable = "unavailable", SERVICE_UNAVAILABLE, "Docket cannot use its database";
}

/// Why a request was not done, as the caller is told.
#[derive(Debug)]
pub struct Problem(Box<Inner>);

#[derive(Debug)]
struct Inner {
    kind: Kind,
    detail: String,
    more: Map<String, Value>,
    challenge: Option<&'static str>,
    /// For the log alone.
    cause: Option<String>,
}

impl Problem {
    /// A problem; `detail` is a sentence that says what to do.
    pub fn new(kind: Kind, detail: impl Into<String>) -> Self {
        let inner = Inner {
            kind,
            detail: detail.into(),
            more: Map::new(),
            challenge: None,
            cause: None,
        };
        Self(Box::new(inner))
    }

    /// There is no such thing.
    pub fn not_found(detail: impl Into<String>) -> Self {
        Self::new(Kind::NotFound, detail)
    }

    /// Whoever reads the log asks for what comes after a position that it has not come to.
    pub fn beyond_log(asked: i64, head: i64) -> Self {
        Self::beyond(
            format!(
                "the log ends with position {head}, before {asked}; it may have been restored from an older backup, so begin again"
            ),
            head,
        )
    }

    /// The same of a case's events and their numbers.
    pub fn beyond_case(reference: docket_domain::ids::Reference, asked: i64, last: u64) -> Self {
        Self::beyond(
            format!(
                "the last event of case #{reference} is {last}, before {asked}; the log may have been restored from an older backup, so begin again"
            ),
            last.cast_signed(),
        )
    }

    fn beyond(detail: String, head: i64) -> Self {
        let mut problem = Self::new(Kind::PositionBeyondLog, detail);
        problem.0.more.insert("head".to_owned(), head.into());
        problem
    }

    /// A value is not possible; `detail` begins with the field's name.
    pub fn invalid(detail: impl Into<String>) -> Self {
        Self::new(Kind::InvalidValue, detail)
    }

    /// No token came.
    pub fn without_token() -> Self {
        let mut problem = Self::new(
            Kind::Unauthenticated,
            "send a token in the header Authorization: Bearer docket_…; an owner makes one with POST /api/v1/tokens",
        );
        problem.0.challenge = Some(r#"Bearer realm="docket""#);
        problem
    }

    /// A token came that does not count.
    pub fn wrong_token() -> Self {
        let mut problem = Self::new(
            Kind::Unauthenticated,
            "the token is not known, was ended, or its user was removed; ask an owner for another",
        );
        problem.0.challenge = Some(r#"Bearer realm="docket", error="invalid_token""#);
        problem
    }

    /// Something is wrong on our side.
    pub fn internal() -> Self {
        Self::new(
            Kind::Internal,
            "this is a fault of Docket's, and it is in the server's log under the request id in `instance`",
        )
    }

    /// Nothing can be done just now.
    pub fn unavailable() -> Self {
        Self::new(
            Kind::Unavailable,
            "nothing was done; try again in a few seconds",
        )
    }

    /// The same with a cause for the log, which holds no personal data.
    #[must_use]
    pub fn caused_by(mut self, cause: &(dyn Error + 'static)) -> Self {
        self.0.cause = Some(Chain(cause).to_string());
        self
    }

    /// The same with a further member.
    ///
    /// # Panics
    ///
    /// Where `value` cannot be written as JSON.
    #[must_use]
    pub fn with(mut self, member: &'static str, value: impl Serialize) -> Self {
        let value = serde_json::to_value(value).expect("members of problems are plain data");
        self.0.more.insert(member.to_owned(), value);
        self
    }

    /// What kind it is.
    pub const fn kind(&self) -> Kind {
        self.0.kind
    }

    /// The sentence.
    pub fn detail(&self) -> &str {
        &self.0.detail
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let Inner {
            kind,
            detail,
            more,
            challenge,
            cause,
        } = *self.0;
        let status = kind.status();
        if let Some(cause) = cause {
            error!(problem = kind.slug(), %cause, "a request failed");
        }
        let mut body = Map::from_iter([
            (
                "type".to_owned(),
                Value::from(format!("/problems/{}", kind.slug())),
            ),
            ("title".to_owned(), Value::from(kind.title())),
            ("status".to_owned(), Value::from(status.as_u16())),
            ("detail".to_owned(), Value::from(detail)),
        ]);
        body.extend(
            RequestId::current().map(|id| ("instance".to_owned(), Value::from(id.as_str()))),
        );
        body.extend(more);
        let mut response = (
            status,
            [(CONTENT_TYPE, MEDIA_TYPE)],
            Value::Object(body).to_string(),
        )
            .into_response();
        let headers = response.headers_mut();
        if let Some(challenge) = challenge {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
        }
        match kind {
            Kind::Busy | Kind::TooMany => {
                headers.insert(RETRY_AFTER, HeaderValue::from_static(BUSY_RETRY_AFTER));
            }
            Kind::Unavailable => {
                headers.insert(
                    RETRY_AFTER,
                    HeaderValue::from_static(UNAVAILABLE_RETRY_AFTER),
                );
            }
            _ => {}
        }
        response
    }
}

/// The answer where no route is.
pub async fn unknown_path() -> Problem {
    Problem::new(
        Kind::UnknownPath,
        "nothing is served there; GET /api/openapi.json lists every path",
    )
}

/// The answer where a route is, but not for that method.
pub async fn method_not_allowed(request: Request) -> Problem {
    let detail = format!(
        "{} is not possible there; the header Allow of this answer says what is",
        request.method()
    );
    Problem::new(Kind::MethodNotAllowed, detail)
}

/// An error with its causes, for the log.
struct Chain<'a>(&'a (dyn Error + 'static));

impl fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)?;
        let mut source = self.0.source();
        while let Some(cause) = source {
            write!(f, ": {cause}")?;
            source = cause.source();
        }
        Ok(())
    }
}

/// Reading failed. A database that is away is 503, all else is ours to mend; either is logged with the answer.
impl From<DatabaseError> for Problem {
    fn from(error: DatabaseError) -> Self {
        let problem = if outage::is_temporary(&error) {
            Self::unavailable()
        } else {
            Self::internal()
        };
        problem.caused_by(&error)
    }
}

impl From<ReadError> for Problem {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Database(error) => error.into(),
            error => Self::internal().caused_by(&error),
        }
    }
}

impl<R: Into<Self>> From<LedgerError<R>> for Problem {
    fn from(error: LedgerError<R>) -> Self {
        match error {
            LedgerError::Refused(refusal) => refusal.into(),
            LedgerError::KeyReused => Self::new(
                Kind::IdempotencyKeyReused,
                "that Idempotency-Key was used for another request; take a new one for each thing that you want done",
            ),
            LedgerError::Busy => Self::new(
                Kind::Busy,
                "nothing was done, because too much waits to be written; try again in a second",
            ),
            LedgerError::Unavailable => Self::unavailable(),
            // The ledger has logged why.
            LedgerError::Broken => Self::internal(),
        }
    }
}

/// What cannot be refused.
impl From<Infallible> for Problem {
    fn from(never: Infallible) -> Self {
        match never {}
    }
}

impl From<CaseError> for Problem {
    fn from(error: CaseError) -> Self {
        let detail = error.to_string();
        let kind = match &error {
            CaseError::NotOpened | CaseError::NoSuchMessage(_) => Kind::NotFound,
            CaseError::AlreadyOpened => Kind::Exists,
            CaseError::Closed => Kind::CaseClosed,
            CaseError::Withdrawn => Kind::CaseWithdrawn,
            CaseError::SaidSince { version, .. } => {
                return Self::new(Kind::SaidSince, detail).with("version", version);
            }
            CaseError::NotInbound(_) | CaseError::Record(_) => Kind::NotMovable,
            CaseError::NotOutbound(_)
            | CaseError::NotQueued { .. }
            | CaseError::NotResendable { .. } => Kind::NotResendable,
            CaseError::AlreadyThere(_) => Kind::AlreadyThere,
            CaseError::NotMadeByMove | CaseError::OtherMessageHere | CaseError::SaidSinceMove => {
                Kind::NotUndoable
            }
            CaseError::MediaNotTaken { .. }
            | CaseError::MediaTooLarge { .. }
            | CaseError::MediaWithoutCaption => Kind::MediaNotSendable,
            CaseError::Empty(_)
            | CaseError::TooLong { .. }
            | CaseError::TooManyLabels
            | CaseError::SnoozeTime => Kind::InvalidValue,
        };
        Self::new(kind, detail)
    }
}

impl From<ReplyError> for Problem {
    fn from(error: ReplyError) -> Self {
        match error {
            ReplyError::Case(error) => error.into(),
            ReplyError::NoLine | ReplyError::NoLineOfMessage => {
                Self::new(Kind::LineRemoved, error.to_string())
            }
            ReplyError::OptedOut(_) => Self::new(Kind::OptedOut, error.to_string()),
            ReplyError::UnknownLine => {
                Self::invalid("line_id names no line; GET /api/v1/lines lists them")
            }
            ReplyError::WindowClosed => Self::new(Kind::WindowClosed, error.to_string()),
            ReplyError::NoTemplate
            | ReplyError::NotWhatsapp
            | ReplyError::Parameters(_)
            | ReplyError::Number => Self::invalid(error.to_string()),
            ReplyError::NoMms => Self::new(Kind::MediaNotSendable, error.to_string()),
            ReplyError::NoPublicUrl => Self::new(Kind::PublicUrlMissing, error.to_string()),
        }
    }
}

impl From<LabelError> for Problem {
    fn from(error: LabelError) -> Self {
        let kind = match error {
            LabelError::NotFound => Kind::NotFound,
            LabelError::AlreadyCreated => Kind::Exists,
            LabelError::Name => Kind::InvalidValue,
            LabelError::NameTaken(_) => Kind::NameTaken,
            LabelError::TooMany => Kind::TooManyLabels,
        };
        Self::new(kind, error.to_string())
    }
}

impl From<NumberError> for Problem {
    fn from(error: NumberError) -> Self {
        Self::invalid(error.to_string())
    }
}

impl From<ChangeCaseError> for Problem {
    fn from(error: ChangeCaseError) -> Self {
        match error {
            ChangeCaseError::Case(error) => error.into(),
            ChangeCaseError::OutOfReach => Self::invalid(error.to_string()),
            ChangeCaseError::UnknownLabel { ref name } => {
                Self::new(Kind::UnknownLabel, error.to_string()).with("label", name)
            }
            ChangeCaseError::UnknownStatus { ref choices } => {
                Self::new(Kind::UnknownStatus, error.to_string()).with("choices", choices)
            }
        }
    }
}

impl From<ChangeContactError> for Problem {
    fn from(error: ChangeContactError) -> Self {
        match error {
            ChangeContactError::Case(error) => error.into(),
            ChangeContactError::Contact(error) => match error {
                ContactError::NotKnown => {
                    Self::not_found("there is no such contact; GET /api/v1/contacts lists them")
                }
                ContactError::TooLong { .. } => Self::invalid(error.to_string()),
            },
        }
    }
}

impl From<MoveError> for Problem {
    fn from(error: MoveError) -> Self {
        match error {
            MoveError::Case(error) => error.into(),
            MoveError::OtherContact => Self::new(Kind::OtherContact, error.to_string()),
            MoveError::SameCase => Self::new(Kind::AlreadyThere, error.to_string()),
            MoveError::TooMany => Self::new(Kind::TooManyMessages, error.to_string()),
        }
    }
}

impl From<SurveyError> for Problem {
    fn from(error: SurveyError) -> Self {
        let kind = match error {
            SurveyError::NotCreated => Kind::NotFound,
            SurveyError::ChangedSince { version } => {
                return Self::new(Kind::ChangedSince, error.to_string()).with("version", version);
            }
            SurveyError::TemplateChangedSince => Kind::ChangedSince,
            SurveyError::AlreadyCreated => Kind::Exists,
            SurveyError::Name(_)
            | SurveyError::Choices
            | SurveyError::RepeatedChoice
            | SurveyError::ClosedValue
            | SurveyError::TimeZone
            | SurveyError::Templates
            | SurveyError::TemplateName
            | SurveyError::TemplateText
            | SurveyError::RepeatedTemplate => Kind::InvalidValue,
        };
        Self::new(kind, error.to_string())
    }
}

impl From<ChangeLineError> for Problem {
    fn from(error: ChangeLineError) -> Self {
        let kind = match &error {
            ChangeLineError::Line(LineError::NotAdded | LineError::Removed) => Kind::NotFound,
            ChangeLineError::Line(LineError::AlreadyAdded) => Kind::Exists,
            ChangeLineError::Line(LineError::ChangedSince { version }) => {
                let version = *version;
                return Self::new(Kind::ChangedSince, error.to_string()).with("version", version);
            }
            ChangeLineError::Line(
                LineError::Number
                | LineError::Reply
                | LineError::Text(_)
                | LineError::OfficeHours(_),
            )
            | ChangeLineError::NoSurvey => Kind::InvalidValue,
            ChangeLineError::NumberTaken(_) => Kind::NumberTaken,
        };
        Self::new(kind, error.to_string())
    }
}

impl From<InstallationError> for Problem {
    fn from(error: InstallationError) -> Self {
        match error {
            InstallationError::ApplicationId => Self::invalid(error.to_string()),
            InstallationError::ChangedSince { version } => {
                Self::new(Kind::ChangedSince, error.to_string()).with("version", version)
            }
        }
    }
}

impl From<NotRecorded> for Problem {
    fn from(error: NotRecorded) -> Self {
        Self::new(Kind::Unavailable, error.to_string())
    }
}

impl From<UserError> for Problem {
    fn from(error: UserError) -> Self {
        let kind = match error {
            UserError::NotAdded | UserError::NoSuchToken => Kind::NotFound,
            UserError::AlreadyAdded | UserError::EmailTaken => Kind::EmailTaken,
            UserError::ServiceNameTaken => Kind::NameTaken,
            UserError::TokenForAnother => Kind::Forbidden,
            UserError::Email
            | UserError::Name
            | UserError::ServiceNameStays
            | UserError::TimeZone
            | UserError::ServiceName
            | UserError::ServicePassword
            | UserError::TokenName
            | UserError::NoSuchSurvey => Kind::InvalidValue,
            UserError::LastOwner => Kind::LastOwner,
            UserError::ChangedSince { version } => {
                return Self::new(Kind::ChangedSince, error.to_string()).with("version", version);
            }
        };
        Self::new(kind, error.to_string())
    }
}

impl From<RouteHeldStatusError> for Problem {
    fn from(error: RouteHeldStatusError) -> Self {
        match error {
            RouteHeldStatusError::Case(error) => error.into(),
            RouteHeldStatusError::Held(error) => RouteHeldError::Held(error).into(),
            RouteHeldStatusError::NoMessage => Self::new(Kind::NotRoutable, error.to_string()),
        }
    }
}

impl From<RouteHeldError> for Problem {
    fn from(error: RouteHeldError) -> Self {
        match error {
            RouteHeldError::Case(error) => error.into(),
            RouteHeldError::Held(HeldError::NotHeld) => Self::not_found(error.to_string()),
            RouteHeldError::Held(HeldError::AlreadyHeld) => {
                Self::new(Kind::Exists, error.to_string())
            }
            RouteHeldError::Held(HeldError::AlreadyRouted) => {
                Self::new(Kind::AlreadyRouted, error.to_string())
            }
            RouteHeldError::NoLine { .. } | RouteHeldError::TooMany(_) => {
                Self::new(Kind::NotRoutable, error.to_string())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_kind_has_a_name_of_its_own_and_stands_in_the_documentation() {
        let documentation = include_str!("../../../docs/api.md");
        let mut seen = HashSet::new();
        for kind in Kind::ALL {
            assert!(seen.insert(kind.slug()), "{} stands twice", kind.slug());
            let row = format!("| `{}` | {} |", kind.slug(), kind.status().as_u16());
            assert!(documentation.contains(&row), "docs/api.md has no row {row}");
        }
    }

    #[test]
    fn what_waits_says_when_to_come_again() {
        let busy = Problem::from(LedgerError::<CaseError>::Busy).into_response();
        assert_eq!(busy.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(busy.headers()[RETRY_AFTER], "1");
        let away = Problem::from(LedgerError::<CaseError>::Unavailable).into_response();
        assert_eq!(away.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(away.headers()[RETRY_AFTER], "5");
    }

    #[test]
    fn a_fault_of_ours_says_nothing_of_the_inside() {
        let problem = Problem::from(DatabaseError::ColumnNotFound("secret".to_owned()));
        assert_eq!(problem.kind(), Kind::Internal);
        assert!(!problem.detail().contains("secret"));
        assert!(problem.0.cause.unwrap().contains("secret"));
    }

    #[test]
    fn a_database_that_is_away_is_worth_another_try() {
        assert_eq!(
            Problem::from(DatabaseError::PoolTimedOut).kind(),
            Kind::Unavailable
        );
        assert_eq!(
            Problem::from(ReadError::Database(DatabaseError::PoolClosed)).kind(),
            Kind::Unavailable
        );
    }
}
