//! `/log`: the whole log for auditors and owners, searched and paged, newest first; and the log as a file.

use std::collections::HashMap;

use askama::Template;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use docket_domain::event::{StreamId, TYPES};
use docket_domain::people::export::{Reading, Via};
use docket_domain::personal::Personal;
use docket_domain::text::phone::{self, Country};
use docket_domain::text::{normalise, references};
use docket_domain::user::normalise_email;
use docket_projections::log::circumstances::Circumstances;
use docket_projections::log::reader::{self, LogEvent};
use docket_projections::log::recorded;
use docket_projections::log::search::{self, About, By, Next, Search};
use docket_projections::log::upcasters::upcasters;
use docket_projections::read::{lines, users};
use serde::Deserialize;

use super::history::{field, time};
use super::inbox::plus;
use super::pages::{Choice, Frame};
use super::place::with_query;
use super::session::{Posted, Session};
use super::told::{self, Told, name_tokens};
use super::{Console, Failed, page, words};
use crate::app::App;
use crate::audit::LogReading;
use crate::export::{Export, Period};
use crate::http::events::file;

/// So many events on a page.
const LIMIT: i64 = 30;

/// What the address asks for.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Asked {
    actor: String,
    #[serde(rename = "type")]
    event_type: String,
    case: String,
    number: String,
    via: String,
    token: String,
    address: String,
    since: String,
    until: String,
    before: String,
}

#[derive(Template)]
#[template(path = "console/log.html")]
struct Page {
    frame: Frame,
    asked: Asked,
    refusal: &'static str,
    types: Vec<Group>,
    vias: Vec<Choice>,
    since: String,
    until: String,
    events: Vec<Told>,
    newest: Option<String>,
    older: Option<String>,
    further: Option<(String, String)>,
}

struct Group {
    name: &'static str,
    choices: Vec<Choice>,
}

/// The log.
pub(super) async fn show(
    State(Console { app, .. }): State<Console>,
    Query(asked): Query<Asked>,
    session: Session,
) -> Result<Response, Failed> {
    let frame = Frame::of(&app, &session);
    let (found, refusal, refused) = match asked.search(app.default_country) {
        // The database is asked: another process may have appended what this one has not heard of.
        Ok(search) if is_beyond(&search, reader::head(&app.pool).await?) => {
            (None, words::LOG_BEYOND, StatusCode::CONFLICT)
        }
        Ok(search) => {
            let found = search::page(&app.pool, &search, LIMIT).await?;
            (Some(found), "", StatusCode::OK)
        }
        Err(refusal) => (None, refusal, StatusCode::BAD_REQUEST),
    };
    let upcasters = upcasters();
    let next = found.as_ref().map_or(Next::End, |found| found.next);
    let mut owners = Owners::default();
    let mut events = vec![];
    for event in found.iter().flat_map(|found| &found.events) {
        events.push(Told {
            whose: owners.of(&app, event).await?,
            ..Told::in_log(event, &upcasters)
        });
    }
    name_tokens(&app, &mut events).await?;
    told::date(&mut events);
    // The newest stands first.
    if let (Some(last), Some(first)) = (events.first(), events.last()) {
        let reading = LogReading {
            asked: session.asked(),
            via: Via::Console,
            how: Reading::Search,
            from: first.number,
            to: last.number,
            events: i64::try_from(events.len()).unwrap_or(i64::MAX),
            at: (app.clock)(),
        };
        app.audit.reads_log(reading).await?;
    }
    let template = Page {
        frame,
        refusal,
        types: types(&asked.event_type),
        vias: vias(&asked.via),
        since: field(&asked.since),
        until: field(&asked.until),
        events,
        newest: (!asked.before.is_empty()).then(|| asked.link(None)),
        older: match next {
            Next::More(before) => Some(asked.link(Some(before))),
            _ => None,
        },
        further: match next {
            Next::Further(before) => {
                Some((asked.link(Some(before)), words::searched_back_to(before)))
            }
            _ => None,
        },
        asked,
    };
    Ok(page(refused, &template))
}

/// Whether the page goes on from a position that the log has not come to: it was restored from an older backup.
fn is_beyond(search: &Search, head: i64) -> bool {
    search.before.is_some_and(|before| before > head + 1)
}

/// Users and lines by what people know them by; their events do not say whose they are.
#[derive(Default)]
struct Owners(HashMap<StreamId, Option<String>>);

impl Owners {
    async fn of(&mut self, app: &App, event: &LogEvent) -> Result<Option<String>, Failed> {
        let Some(stream) = StreamId::parse(&event.aggregate_type, &event.aggregate_id) else {
            return Ok(None);
        };
        if let Some(known) = self.0.get(&stream) {
            return Ok(known.clone());
        }
        let name = match stream {
            StreamId::User(id) => users::find(&app.pool, id)
                .await?
                .map(|user| user.shown().to_owned()),
            StreamId::Line(id) => lines::find(&app.pool, id)
                .await?
                .map(|line| plus(&line.number)),
            _ => None,
        };
        self.0.insert(stream, name.clone());
        Ok(name)
    }
}

/// The log, or a part of it, as a file. It is a form that is sent, since it leaves a trace in the person's name: no link of another site
/// can do that.
pub(super) async fn export(
    State(Console { app, .. }): State<Console>,
    session: Session,
    posted: Posted,
) -> Result<Response, Failed> {
    let (since, until) = match (moment(posted.field("since")), moment(posted.field("until"))) {
        (Ok(since), Ok(until)) => (since, until),
        (Err(refusal), _) | (_, Err(refusal)) => {
            return Ok(super::failure(StatusCode::BAD_REQUEST, refusal.to_owned()));
        }
    };
    let asked = Asked {
        via: posted.field("via").to_owned(),
        token: posted.field("token").to_owned(),
        address: posted.field("address").to_owned(),
        ..Asked::default()
    };
    let how = match asked.how() {
        Ok(how) => how,
        Err(refusal) => {
            return Ok(super::failure(StatusCode::BAD_REQUEST, refusal.to_owned()));
        }
    };
    let period = Period {
        since,
        until,
        how: Circumstances {
            email: normalise_email(posted.field("actor")).map(Personal),
            ..how
        },
        ..Period::default()
    };
    let metadata = session.asked().metadata();
    let export = Export::begin(&app, period, Via::Console, metadata).await?;
    Ok(file(export))
}

/// A time that was given; what is wrong with it is said.
fn moment(text: &str) -> Result<Option<chrono::DateTime<chrono::Utc>>, &'static str> {
    if normalise::is_empty(text) {
        return Ok(None);
    }
    time(text).map(Some).ok_or(words::NO_TIME)
}

impl Asked {
    /// How it was done, beside who did it.
    fn how(&self) -> Result<Circumstances, &'static str> {
        let token = self.token.trim();
        let token_id =
            (!token.is_empty()).then(|| token.parse().map_err(|_| words::NO_SUCH_TOKEN_ID));
        let address = self.address.trim();
        Ok(Circumstances {
            email: None,
            via: recorded::Via::from_name(&self.via),
            token_id: token_id.transpose()?,
            client_address: (!address.is_empty()).then(|| Personal(address.to_owned())),
        })
    }

    /// What is looked for, or what is wrong with it.
    fn search(&self, country: Option<Country>) -> Result<Search, &'static str> {
        let mut search = Search {
            before: self.before.parse().ok(),
            since: moment(&self.since)?,
            until: moment(&self.until)?,
            how: self.how()?,
            ..Search::default()
        };
        let actor = normalise::typed(&self.actor);
        search.by = match actor.to_lowercase().as_str() {
            "" => None,
            "vonage" => Some(By::Kind("vonage")),
            "docket" => Some(By::Kind("system")),
            _ => Some(By::Email(
                normalise_email(&actor).ok_or(words::NO_SUCH_ACTOR)?,
            )),
        };
        let number = phone::sought(&self.number, country);
        if !normalise::is_empty(&self.case) {
            let reference = references::typed(&self.case).ok_or(words::NO_SUCH_REFERENCE)?;
            search.about = Some(About::Case(reference));
        } else if !number.is_empty() {
            search.about = Some(About::Number(number));
        }
        for (aggregate, types) in TYPES {
            if self.event_type == *aggregate {
                search.aggregates = vec![*aggregate];
            }
            if let Some(found) = types.iter().find(|name| **name == self.event_type) {
                search.aggregates = vec![*aggregate];
                search.types = vec![*found];
            }
        }
        Ok(search)
    }

    /// The address of the same search from a position on, or from the newest event.
    fn link(&self, before: Option<i64>) -> String {
        let before = before.map(|before| before.to_string()).unwrap_or_default();
        let pairs = [
            ("actor", self.actor.as_str()),
            ("type", &self.event_type),
            ("case", &self.case),
            ("number", &self.number),
            ("via", &self.via),
            ("token", &self.token),
            ("address", &self.address),
            ("since", &self.since),
            ("until", &self.until),
            ("before", &before),
        ];
        let given: Vec<(&str, &str)> = pairs
            .into_iter()
            .filter(|(_, value)| !value.is_empty())
            .collect();
        with_query("/log", &given)
    }
}

fn vias(chosen: &str) -> Vec<Choice> {
    recorded::Via::ALL
        .map(|via| Choice {
            name: words::via(via).to_owned(),
            value: via.as_str().to_owned(),
            is_current: via.as_str() == chosen,
        })
        .into()
}

fn types(chosen: &str) -> Vec<Group> {
    let choice = |value: &str, name: String| Choice {
        name,
        value: value.to_owned(),
        is_current: value == chosen,
    };
    TYPES
        .iter()
        .map(|(aggregate, types)| {
            let all = choice(aggregate, words::ALL_OF_THESE.to_owned());
            let each = types.iter().map(|name| choice(name, words::spaced(name)));
            Group {
                name: words::aggregate(aggregate),
                choices: std::iter::once(all).chain(each).collect(),
            }
        })
        .collect()
}
