//! `/users`: who signs in, and what they may do.

use askama::Template;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use docket_domain::access::Access;
use docket_domain::event::{Event, StreamId};
use docket_domain::ids::UserId;
use docket_domain::personal::Personal;
use docket_domain::user::{Role, UserCommand, UserError, UserEvent, UserKind, normalise_email};
use docket_projections::ledger::operation::{Answer, SecretWrite};
use docket_projections::read::cases::stranded;
use docket_projections::read::surveys::{self, SurveyRow};
use docket_projections::read::users::{self, UserRow};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use uuid::Uuid;

use super::handover::{self, Handed};
use crate::ambient;
use crate::app::App;
use crate::console::act::submit;
use crate::console::pages::{Choice, Frame, When};
use crate::console::place::with_query;
use crate::console::session::{Posted, Session};
use crate::console::settings::Tab;
use crate::console::settings::since::{self, Comparison, Since};
use crate::console::unsent::AsShown;
use crate::console::{Console, Failed, failure, go, page, words};
use crate::http::problem::{Kind, Problem};
use crate::http::users::unhashed;
use crate::operations::Administrator;
use crate::operations::user::ChangeUser;
use crate::passwords;
use crate::users::has_password;

const ROLES: [Role; 3] = [Role::Owner, Role::Agent, Role::Auditor];

/// What was just done.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(in crate::console) struct Done {
    #[serde(rename = "done")]
    what: String,
    /// How many cases were handed over.
    handed: String,
    /// How many were not, though they should have been.
    kept: String,
}

impl Done {
    /// What became of somebody's open cases.
    fn handed(&self) -> String {
        let count = |text: &str| text.parse().unwrap_or_default();
        words::handed_over(count(&self.handed), count(&self.kept))
    }

    pub(super) fn notice(&self) -> &'static str {
        words::done_with_people(&self.what)
    }
}

struct UserEntry {
    href: String,
    email: String,
    /// What colleagues call them; empty for nobody has said.
    name: String,
    role: &'static str,
    reach: String,
    added: When,
    is_me: bool,
    /// Whether it is a program.
    is_service: bool,
    /// How many open cases are theirs and out of their reach, in words; empty for none.
    stranded: String,
}

/// Open cases of somebody who was removed.
struct LeftBehind {
    email: String,
    sentence: String,
    action: String,
}

#[derive(Template)]
#[template(path = "console/owners/users.html")]
struct Users {
    frame: Frame,
    tab: Tab,
    entries: Vec<UserEntry>,
    handed: String,
    left_behind: Vec<LeftBehind>,
    takers: Vec<Choice>,
    once: String,
}

/// Which surveys somebody reaches, in words.
fn reach(user: &UserRow, surveys: &[SurveyRow]) -> String {
    reach_in_words(&user.reach(), surveys)
}

fn reach_in_words(access: &Access, surveys: &[SurveyRow]) -> String {
    match access {
        Access::All => words::REACH_ALL.to_owned(),
        Access::Only(kept) if kept.is_empty() => words::REACH_NONE.to_owned(),
        Access::Only(kept) => {
            let names = surveys
                .iter()
                .filter(|survey| kept.contains(&survey.survey_id))
                .map(|survey| survey.settings.name.as_str());
            names.collect::<Vec<_>>().join(", ")
        }
    }
}

/// Everybody who signs in.
pub(super) async fn list(
    State(Console { app, .. }): State<Console>,
    Query(done): Query<Done>,
    session: Session,
) -> Result<Response, Failed> {
    let mut frame = Frame::of(&app, &session);
    frame.notice = done.notice().into();
    let now = (app.clock)();
    let surveys = surveys::all(&app.pool).await?;
    let users = users::all(&app.pool).await?;
    let stranded = stranded::all(&app.pool).await?;
    let users = users.into_iter().map(|user| UserEntry {
        href: path(user.user_id, ""),
        role: words::role(user.role),
        reach: reach(&user, &surveys),
        added: When::of(user.created_at, now),
        is_me: user.user_id == session.user_id,
        is_service: user.kind() == UserKind::Service,
        stranded: stranded
            .iter()
            .find(|stranded| stranded.user_id == user.user_id)
            .map(|stranded| words::stranded(stranded.count))
            .unwrap_or_default(),
        name: user.name.map(|name| name.0).unwrap_or_default(),
        email: user.email.0,
    });
    let entries = users.collect();
    let removed = stranded.into_iter().filter(|stranded| stranded.removed);
    let left_behind = removed.map(|stranded| LeftBehind {
        sentence: words::left_behind(stranded.count),
        action: path(stranded.user_id, "/cases"),
        email: stranded.email.0,
    });
    let template = Users {
        frame,
        tab: Tab::Users,
        entries,
        handed: done.handed(),
        left_behind: left_behind.collect(),
        takers: handover::takers(&app, UserId(Uuid::nil())).await?,
        once: (app.new_id)().to_string(),
    };
    Ok(page(StatusCode::OK, &template))
}

/// Where somebody's page is, or what is below it.
fn path(user_id: UserId, below: &str) -> String {
    format!("/users/{user_id}{below}")
}

/// The part of a form that says what somebody may do.
pub(super) struct Rights {
    pub(super) roles: Vec<Choice>,
    pub(super) is_all: bool,
    pub(super) surveys: Vec<Choice>,
}

impl Rights {
    pub(super) fn of(role: Role, access: &Access, surveys: &[SurveyRow]) -> Self {
        let roles = ROLES.into_iter().map(|choice| Choice {
            name: words::role_explained(choice).to_owned(),
            value: choice.as_str().to_owned(),
            is_current: choice == role,
        });
        let kept = access.surveys().unwrap_or_default();
        let surveys = surveys.iter().map(|survey| Choice {
            name: survey.settings.name.clone(),
            value: field_of(survey),
            is_current: kept.contains(&survey.survey_id),
        });
        Self {
            roles: roles.collect(),
            is_all: access.is_all(),
            surveys: surveys.collect(),
        }
    }
}

/// The field that says whether somebody is kept to this survey among others.
fn field_of(survey: &SurveyRow) -> String {
    format!("survey-{}", survey.survey_id)
}

pub(super) fn posted_role(posted: &Posted) -> Result<Role, Problem> {
    Role::from_name(posted.field("role")).ok_or_else(|| Problem::invalid(words::NO_SUCH_ROLE))
}

/// Whoever does not say "all" gets those that are ticked; a form that says neither opens nothing.
pub(super) fn posted_access(posted: &Posted, surveys: &[SurveyRow]) -> Access {
    if posted.field("reach") == "all" {
        return Access::All;
    }
    let ticked = surveys
        .iter()
        .filter(|survey| !posted.field(&field_of(survey)).is_empty())
        .map(|survey| survey.survey_id);
    Access::from(Some(ticked.collect()))
}

#[derive(Template)]
#[template(path = "console/owners/new_user.html")]
struct NewUser {
    frame: Frame,
    tab: Tab,
    email: String,
    name: String,
    rights: Rights,
    once: String,
    refusal: String,
}

/// The form for somebody new.
pub(super) async fn new(
    State(Console { app, .. }): State<Console>,
    session: Session,
) -> Result<Response, Failed> {
    let surveys = surveys::all(&app.pool).await?;
    let rights = Rights::of(Role::Agent, &Access::All, &surveys);
    let template = NewUser {
        frame: Frame::of(&app, &session),
        tab: Tab::Users,
        email: String::new(),
        name: String::new(),
        rights,
        once: (app.new_id)().to_string(),
        refusal: String::new(),
    };
    Ok(page(StatusCode::OK, &template))
}

/// A password that was given to somebody, or the sentence that it is shown no more.
#[derive(Template)]
#[template(path = "console/owners/password.html")]
struct Given {
    frame: Frame,
    tab: Tab,
    heading: String,
    /// `None` where the form was sent a second time: what was made the first time is kept nowhere.
    password: Option<String>,
    email: String,
}

/// A password from a form, or one that is made because the form leaves it to us.
pub(super) struct Chosen {
    pub(super) password: SecretString,
    pub(super) is_ours: bool,
}

impl Chosen {
    fn of(posted: &Posted) -> Self {
        match posted.field("password") {
            // 120 random bits, in 20 characters.
            "" => Self {
                password: URL_SAFE_NO_PAD.encode(ambient::random_bytes::<15>()).into(),
                is_ours: true,
            },
            password => Self {
                password: password.into(),
                is_ours: false,
            },
        }
    }
}

/// Adds somebody.
pub(super) async fn add(
    State(Console { app, .. }): State<Console>,
    session: Session,
    posted: Posted,
) -> Result<Response, Failed> {
    let surveys = surveys::all(&app.pool).await?;
    let access = posted_access(&posted, &surveys);
    let chosen = Chosen::of(&posted);
    match add_user(&app, &session, &posted, access.clone(), &chosen).await {
        Ok(_) if !chosen.is_ours => Ok(go("/users?done=added")),
        Ok((email, is_repeated)) => {
            let heading = words::user_added(&email);
            Ok(give(&app, &session, heading, email, &chosen, is_repeated))
        }
        Err(problem) => {
            let role = posted_role(&posted).unwrap_or(Role::Agent);
            let refusal = words::refusal(&problem);
            let template = NewUser {
                frame: Frame::of(&app, &session),
                tab: Tab::Users,
                email: posted.field("email").to_owned(),
                name: posted.field("name").to_owned(),
                rights: Rights::of(role, &access, &surveys),
                once: (app.new_id)().to_string(),
                refusal,
            };
            Ok(page(problem.into_response().status(), &template))
        }
    }
}

/// Shows a password that we made, in this answer alone.
fn give(
    app: &App,
    session: &Session,
    heading: String,
    email: String,
    chosen: &Chosen,
    is_repeated: bool,
) -> Response {
    let shown = (!is_repeated).then(|| chosen.password.expose_secret().to_owned());
    let template = Given {
        frame: Frame::of(app, session),
        tab: Tab::Users,
        heading,
        password: shown,
        email,
    };
    page(StatusCode::OK, &template)
}

/// Adds a user; gives their address, and whether an earlier sending of the form did it.
async fn add_user(
    app: &App,
    session: &Session,
    posted: &Posted,
    access: Access,
    chosen: &Chosen,
) -> Result<(String, bool), Problem> {
    let role = posted_role(posted)?;
    let email = normalise_email(posted.field("email")).ok_or(UserError::Email)?;
    let user_id = UserId((app.new_id)());
    let hash = passwords::hash(chosen.password.clone())
        .await
        .map_err(unhashed)?;
    let operation = ChangeUser {
        user_id,
        command: UserCommand::Add {
            user_id,
            email: Personal(email.clone()),
            name: Some(Personal(posted.field("name").to_owned())),
            role,
            access,
        },
        secrets: vec![SecretWrite::Password { user_id, hash }],
        by: Administrator::User(posted.asked(session)),
    };
    let is_repeated = submit_with(app, operation, &email, chosen).await?;
    Ok((email, is_repeated))
}

/// Has done what comes with a password; whether an earlier sending of the form did it. A form that was sent, given another password
/// and sent again is done again, though what it is known by leaves passwords out.
pub(super) async fn submit_with(
    app: &App,
    operation: ChangeUser,
    email: &str,
    chosen: &Chosen,
) -> Result<bool, Problem> {
    let answer = app.ledger.submit(operation.clone()).await?;
    if !matches!(answer, Answer::Repeated(_)) {
        return Ok(false);
    }
    if chosen.is_ours || has_password(app, email, chosen.password.clone()).await? {
        return Ok(true);
    }
    submit(app, operation.anew()).await?;
    Ok(false)
}

/// The version that a form of rights was made from, and what somebody else has changed since.
#[derive(Default)]
struct Conflict {
    version: u64,
    since: Option<Since>,
}

/// How somebody's page is shown after a form was refused.
#[derive(Default)]
struct Refused {
    sentence: String,
    /// What the form of their rights shows.
    rights: Option<(Role, Access)>,
    since: Option<Since>,
}

#[derive(Template)]
#[template(path = "console/owners/user.html")]
struct ShownUser {
    frame: Frame,
    tab: Tab,
    email: String,
    /// What colleagues call them; empty where nobody has said.
    name: String,
    name_action: String,
    role: &'static str,
    reach: String,
    added: When,
    is_me: bool,
    /// Whether it is a program, which has tokens and no password.
    is_service: bool,
    rights: Rights,
    conflict: Conflict,
    rights_action: String,
    token_action: String,
    password_action: String,
    remove_action: String,
    hand_action: String,
    /// How many open cases they see to, in words; empty for none.
    sees_to: String,
    /// How many of these they do not reach; empty for none.
    stranded: String,
    handed: String,
    takers: Vec<Choice>,
    once: String,
    refusal: String,
}

/// One of them.
pub(super) async fn show(
    State(Console { app, .. }): State<Console>,
    Path(user_id): Path<String>,
    Query(done): Query<Done>,
    session: Session,
) -> Result<Response, Failed> {
    let Some(user) = find(&app, &user_id).await? else {
        return Ok(no_such_user());
    };
    let refused = Refused::default();
    with(&app, &session, user, &done, StatusCode::OK, refused).await
}

async fn with(
    app: &App,
    session: &Session,
    user: UserRow,
    done: &Done,
    status: StatusCode,
    refused: Refused,
) -> Result<Response, Failed> {
    let mut frame = Frame::of(app, session);
    frame.notice = done.notice().into();
    let surveys = surveys::all(&app.pool).await?;
    let (shown_role, shown_access) = match &refused.rights {
        Some((role, access)) => (*role, access),
        None => (user.role, &user.access),
    };
    let is_compared = refused.since.is_some();
    let action = |what: &str| path(user.user_id, what);
    let open = stranded::open_of(&app.pool, user.user_id).await?;
    let stranded = stranded::all(&app.pool).await?;
    let stranded = stranded
        .iter()
        .find(|stranded| stranded.user_id == user.user_id);
    let template = ShownUser {
        frame,
        tab: Tab::Users,
        role: words::role(user.role),
        reach: reach(&user, &surveys),
        added: When::of(user.created_at, (app.clock)()),
        is_me: user.user_id == session.user_id,
        is_service: user.kind() == UserKind::Service,
        rights: Rights::of(shown_role, shown_access, &surveys),
        conflict: Conflict {
            version: user.version,
            since: refused.since,
        },
        name: user.name.map(|name| name.0).unwrap_or_default(),
        name_action: action("/name"),
        rights_action: action("/rights"),
        token_action: action("/tokens"),
        password_action: action("/password"),
        remove_action: action("/remove"),
        hand_action: action("/cases"),
        sees_to: words::sees_to(open),
        stranded: stranded.map_or_else(String::new, |stranded| words::stranded(stranded.count)),
        handed: done.handed(),
        takers: handover::takers(app, user.user_id).await?,
        once: (app.new_id)().to_string(),
        refusal: refused.sentence,
        email: user.email.0,
    };
    let mut answer = page(status, &template);
    if is_compared {
        answer.extensions_mut().insert(AsShown);
    }
    Ok(answer)
}

pub(super) async fn find(app: &App, user_id: &str) -> Result<Option<UserRow>, Failed> {
    let Ok(user_id) = user_id.parse::<UserId>() else {
        return Ok(None);
    };
    let user = users::find(&app.pool, user_id).await?;
    Ok(user.filter(|user| !user.removed))
}

pub(super) fn no_such_user() -> Response {
    failure(StatusCode::NOT_FOUND, words::NO_SUCH_USER.to_owned())
}

pub(super) async fn refused(
    app: &App,
    session: &Session,
    user: UserRow,
    problem: Problem,
) -> Result<Response, Failed> {
    if problem.kind() == Kind::NotFound {
        return Ok(no_such_user());
    }
    let refused = Refused {
        sentence: words::refusal(&problem),
        ..Refused::default()
    };
    let status = problem.into_response().status();
    with(app, session, user, &Done::default(), status, refused).await
}

/// Somebody's page after another owner has changed their rights: with what was changed, and what was
/// chosen in the form.
async fn outrun(
    app: &App,
    session: &Session,
    user_id: &str,
    typed: (Role, Access),
    seen: u64,
) -> Result<Response, Failed> {
    // As they are now: that is what the form is compared with.
    let Some(user) = find(app, user_id).await? else {
        return Ok(no_such_user());
    };
    let mut told: Option<(Role, Access)> = None;
    let settings = |event: &Event| {
        match (event, &mut told) {
            (Event::User(UserEvent::UserAdded { role, .. }), _) => {
                told = Some((*role, Access::All));
            }
            (Event::User(UserEvent::RoleChanged { to, .. }), Some((role, _))) => *role = *to,
            (Event::User(UserEvent::SurveyAccessChanged { surveys }), Some((_, access))) => {
                *access = surveys.clone().into();
            }
            _ => return None,
        }
        told.clone()
    };
    let past = since::past(app, StreamId::User(user.user_id), seen, settings).await?;
    let surveys = surveys::all(&app.pool).await?;
    let (mut rights, mut since) = (typed.clone(), None);
    if let Some(past) = past {
        let now = past.newest().clone();
        let mut with = Comparison::with(past);
        rights.0 = with.field(
            words::ROLE,
            |(role, _): &(Role, Access)| *role,
            &now,
            &typed,
            |role| words::role(*role).to_owned(),
        );
        rights.1 = with.field(
            words::RIGHTS_REACH,
            |(_, access)| access.clone(),
            &now,
            &typed,
            |access| reach_in_words(access, &surveys),
        );
        since = Some(with.end());
    }
    let refused = Refused {
        sentence: words::RIGHTS_CHANGED.to_owned(),
        rights: Some(rights),
        since,
    };
    let done = Done::default();
    with(app, session, user, &done, StatusCode::CONFLICT, refused).await
}

/// What somebody may do.
pub(super) async fn change_rights(
    State(Console { app, .. }): State<Console>,
    Path(user_id): Path<String>,
    session: Session,
    posted: Posted,
) -> Result<Response, Failed> {
    let Some(user) = find(&app, &user_id).await? else {
        return Ok(no_such_user());
    };
    let surveys = surveys::all(&app.pool).await?;
    let changed = match posted_role(&posted) {
        Ok(role) => {
            let access = posted_access(&posted, &surveys);
            let seen = since::seen(&posted);
            let command = UserCommand::ChangeRights {
                role: Some(role),
                access: Some(access.clone()),
                name: None,
                seen,
            };
            let changed = change(&app, &session, &posted, user.user_id, command).await;
            if let (Err(problem), Some(seen)) = (&changed, seen)
                && problem.kind() == Kind::ChangedSince
            {
                return outrun(&app, &session, &user_id, (role, access), seen).await;
            }
            changed
        }
        Err(problem) => Err(problem),
    };
    if let Err(problem) = changed {
        return refused(&app, &session, user, problem).await;
    }
    let handed = handover::hand_over(&app, &session, &posted, user.user_id).await?;
    // Whoever has made themselves something else may not see this page any more.
    let to = if user.user_id == session.user_id {
        "/account".to_owned()
    } else {
        path(user.user_id, "")
    };
    Ok(go_done(&to, "rights", handed))
}

/// What somebody is called.
pub(super) async fn set_name(
    State(Console { app, .. }): State<Console>,
    Path(user_id): Path<String>,
    session: Session,
    posted: Posted,
) -> Result<Response, Failed> {
    let Some(mut user) = find(&app, &user_id).await? else {
        return Ok(no_such_user());
    };
    let typed = Personal(posted.field("name").to_owned());
    let command = UserCommand::SetName(Some(typed.clone()));
    match change(&app, &session, &posted, user.user_id, command).await {
        Ok(()) => Ok(go(&with_query(
            &path(user.user_id, ""),
            &[("done", "named")],
        ))),
        Err(problem) => {
            // What was typed stays in the form.
            user.name = Some(typed);
            refused(&app, &session, user, problem).await
        }
    }
}

/// To a page that says what was done, and what became of somebody's cases.
fn go_done(path: &str, done: &str, handed: Handed) -> Response {
    let handed = handed.query();
    let said = handed.iter().map(|(name, value)| (*name, value.as_str()));
    let said: Vec<_> = std::iter::once(("done", done)).chain(said).collect();
    go(&with_query(path, &said))
}

/// Hands over the cases of somebody that they do not reach, of one who was removed too.
pub(super) async fn hand_over(
    State(Console { app, .. }): State<Console>,
    Path(user_id): Path<String>,
    session: Session,
    posted: Posted,
) -> Result<Response, Failed> {
    let Ok(user_id) = user_id.parse::<UserId>() else {
        return Ok(no_such_user());
    };
    let Some(user) = users::find(&app.pool, user_id).await? else {
        return Ok(no_such_user());
    };
    let handed = handover::hand_over(&app, &session, &posted, user_id).await?;
    let to = if user.removed {
        "/users".to_owned()
    } else {
        path(user_id, "")
    };
    Ok(go_done(&to, "", handed))
}

async fn change(
    app: &App,
    session: &Session,
    posted: &Posted,
    user_id: UserId,
    command: UserCommand,
) -> Result<(), Problem> {
    let operation = ChangeUser {
        user_id,
        command,
        secrets: vec![],
        by: Administrator::User(posted.asked(session)),
    };
    submit(app, operation).await.map(drop)
}

/// Another password for somebody else; one's own is changed where the old one is asked.
pub(super) async fn set_password(
    State(Console { app, .. }): State<Console>,
    Path(user_id): Path<String>,
    session: Session,
    posted: Posted,
) -> Result<Response, Failed> {
    let Some(user) = find(&app, &user_id).await? else {
        return Ok(no_such_user());
    };
    if user.user_id == session.user_id {
        let problem = Problem::new(Kind::OwnAccount, words::OWN_PASSWORD_ELSEWHERE);
        return refused(&app, &session, user, problem).await;
    }
    let chosen = Chosen::of(&posted);
    let hash = match passwords::hash(chosen.password.clone()).await {
        Ok(hash) => hash,
        Err(error) => return refused(&app, &session, user, unhashed(error)).await,
    };
    let by = Administrator::User(posted.asked(&session));
    let operation = ChangeUser::password(user.user_id, hash, None, by);
    match submit_with(&app, operation, &user.email, &chosen).await {
        Ok(_) if !chosen.is_ours => Ok(go(&format!("/users/{}?done=password", user.user_id))),
        Ok(is_repeated) => {
            let email = user.email.0;
            let heading = words::password_given(&email);
            Ok(give(&app, &session, heading, email, &chosen, is_repeated))
        }
        Err(problem) => refused(&app, &session, user, problem).await,
    }
}

/// Removes somebody else.
pub(super) async fn remove(
    State(Console { app, .. }): State<Console>,
    Path(user_id): Path<String>,
    session: Session,
    posted: Posted,
) -> Result<Response, Failed> {
    let Some(user) = find(&app, &user_id).await? else {
        return Ok(no_such_user());
    };
    if user.user_id == session.user_id {
        let problem = Problem::new(Kind::OwnAccount, words::OWN_ACCOUNT_STAYS);
        return refused(&app, &session, user, problem).await;
    }
    match change(&app, &session, &posted, user.user_id, UserCommand::Remove).await {
        Ok(()) => {
            let handed = handover::hand_over(&app, &session, &posted, user.user_id).await?;
            Ok(go_done("/users", "removed", handed))
        }
        Err(problem) => refused(&app, &session, user, problem).await,
    }
}
