//! `/health`: how Docket is doing, and what to do about it.

mod media;
mod people;
pub(in crate::console) mod webhooks;

use std::time::{Duration, Instant};

use askama::Template;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use chrono::{DateTime, Days, TimeDelta, Utc};
use docket_domain::ids::LineId;
use docket_domain::line::LineCommand;
use docket_projections::activity::{self as counted, Total};
use docket_projections::evidence::tree;
use docket_projections::health::{self, Model, Store};
use docket_projections::log::alerts::{self, Alerts};
use docket_projections::read::cases::counts;
use docket_projections::read::lines::{self, LineRow};
use docket_projections::read::media::{Standing, standing};
use docket_projections::read::outbox::{self, Depth};
use docket_projections::read::unrouted;

use self::webhooks::Remark;
use super::users::Done;
use crate::activity;
use crate::app::App;
use crate::console::act::submit;
use crate::console::pages::{Frame, When};
use crate::console::session::{Posted, Session};
use crate::console::settings::Tab;
use crate::console::{Console, Failed, case, failure, go, page, words};
use crate::operations::Administrator;
use crate::operations::line::ChangeLine;
use crate::operations::probe::Probe;

/// Over so many days webhooks and calls are counted, today included.
const DAYS: u64 = 7;
/// A message that waits for so long, in minutes, waits for something that somebody has to do.
const LONG_WAIT_MINUTES: i64 = 5;
/// So long may the write path take to do nothing.
const PATIENCE: Duration = Duration::from_secs(2);
/// At most so many cases are counted whose last reply failed.
const MAX_FAILED: i64 = 100;
/// The two kinds of webhooks.
const WEBHOOKS: [&str; 2] = ["inbound", "status"];

/// How something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::console) enum Tone {
    /// As it should be.
    Good,
    /// Worth a look.
    Look,
    /// Somebody has to do something.
    Act,
}

impl Tone {
    pub(in crate::console) const fn class(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Look => "look",
            Self::Act => "act",
        }
    }

    pub(in crate::console) const fn icon(self) -> &'static str {
        match self {
            Self::Good => "check",
            Self::Look => "question",
            Self::Act => "cross",
        }
    }
}

/// One thing that was looked at.
struct Check {
    tone: Tone,
    title: &'static str,
    sentence: String,
    /// What to do.
    advice: &'static str,
    /// Where to do it.
    href: Option<&'static str>,
    /// What else is to be said of it.
    more: Vec<Remark>,
}

impl Check {
    fn good(title: &'static str, sentence: impl Into<String>) -> Self {
        Self::of(Tone::Good, title, sentence, "")
    }

    fn of(
        tone: Tone,
        title: &'static str,
        sentence: impl Into<String>,
        advice: &'static str,
    ) -> Self {
        Self {
            tone,
            title,
            sentence: sentence.into(),
            advice,
            href: None,
            more: vec![],
        }
    }

    /// Of several remarks, the worst first.
    fn of_remarks(title: &'static str, mut remarks: Vec<Remark>) -> Self {
        let more = remarks.split_off(remarks.len().min(1));
        match remarks.pop() {
            Some(first) => Self {
                href: first.href,
                more,
                ..Self::of(first.tone, title, first.sentence, first.advice)
            },
            None => Self::good(title, ""),
        }
    }

    const fn at(mut self, href: &'static str) -> Self {
        self.href = Some(href);
        self
    }
}

struct Halted {
    line: String,
    reason: String,
    action: String,
}

struct CountRow {
    what: &'static str,
    result: &'static str,
    today: u64,
    count: u64,
    last: When,
}

struct CountTable {
    caption: &'static str,
    rows: Vec<CountRow>,
}

struct ModelRow {
    name: &'static str,
    version: i32,
    built: String,
    is_current: bool,
}

#[derive(Template)]
#[template(path = "console/owners/health.html")]
struct Health {
    frame: Frame,
    tab: Tab,
    summary: String,
    tone: Tone,
    checks: Vec<Check>,
    halted: Vec<Halted>,
    counts: Vec<CountTable>,
    models: Vec<ModelRow>,
    /// The public half of the key that signs checkpoints.
    public_key: Option<String>,
    once: String,
}

/// What is known of how Docket is doing.
struct Known {
    now: DateTime<Utc>,
    totals: Vec<Total>,
    webhooks: webhooks::Known,
    last_call: Option<DateTime<Utc>>,
    depth: Depth,
    /// How many cases have a last reply that failed, counted to 100.
    failed: usize,
    waiting: u64,
    media: Standing,
    lines: Vec<LineRow>,
    store: Store,
    models: Vec<Model>,
    /// Why nothing can be recorded, where the watch over the database knows.
    trouble: Option<String>,
    /// How far the log is hashed and signed.
    proof: tree::State,
    /// How long the write path took to do nothing; `None` where it took too long.
    written_in: Option<Duration>,
    queue: usize,
    has_client: bool,
    /// What people did.
    alerts: Alerts,
}

/// What is known of the webhooks that came.
pub(in crate::console) async fn known_webhooks(app: &App) -> Result<webhooks::Known, Failed> {
    let now = (app.clock)();
    // What this process has counted since it last added to the table belongs to the picture.
    activity::flush(app).await;
    let last = counted::last(&app.pool, &WEBHOOKS, &webhooks::GENUINE).await?;
    let (day, hour) = (now - TimeDelta::days(1), now - TimeDelta::hours(1));
    Ok(webhooks::Known {
        has_secret: app.vonage.signature_secret.load().is_some(),
        last_genuine: last.map(|at| words::ago(now - at)),
        recent: counted::recent(&app.pool, &WEBHOOKS, day, hour).await?,
    })
}

async fn ask(app: &App) -> Result<Known, Failed> {
    let now = (app.clock)();
    let today = now.date_naive();
    let since = today.checked_sub_days(Days::new(DAYS - 1)).unwrap_or(today);
    let queue = app.ledger.waiting();
    let began = Instant::now();
    let written = tokio::time::timeout(PATIENCE, app.ledger.submit(Probe)).await;
    let written_in = matches!(written, Ok(Ok(_))).then(|| began.elapsed());
    // What this process has counted since it last added to the table belongs to the picture.
    activity::flush(app).await;
    Ok(Known {
        now,
        totals: counted::totals(&app.pool, since, today).await?,
        webhooks: known_webhooks(app).await?,
        last_call: counted::last(&app.pool, &["send"], &["accepted"]).await?,
        depth: outbox::depth(&app.pool).await?,
        failed: counts::failed(&app.pool, MAX_FAILED).await?,
        waiting: unrouted::count(&app.pool).await?,
        media: standing(&app.pool, now).await?,
        lines: lines::all(&app.pool).await?,
        store: health::store(&app.pool).await?,
        models: health::models(&app.pool).await?,
        trouble: app.ledger.watch().standing().trouble(),
        proof: tree::state(&app.pool).await?,
        written_in,
        queue,
        has_client: app.vonage.client.load().is_some(),
        alerts: alerts::at(&app.pool, now).await?,
    })
}

impl Known {
    fn today(&self, what: &[&str], results: &[&str]) -> u64 {
        self.totals
            .iter()
            .filter(|total| what.contains(&total.what.as_str()))
            .filter(|total| results.contains(&total.result.as_str()))
            .map(|total| total.today)
            .sum()
    }

    fn ago(&self, at: DateTime<Utc>) -> String {
        words::ago(self.now - at)
    }

    fn checks(&self) -> Vec<Check> {
        vec![
            self.webhooks(),
            self.calls(),
            self.outbox(),
            self.replies(),
            self.media(),
            self.lines(),
            self.unrouted(),
            self.writing(),
            self.models(),
            self.database(),
            self.proof(),
            people::check(&self.alerts),
        ]
    }

    fn replies(&self) -> Check {
        let title = words::HEALTH_REPLIES;
        if self.failed == 0 {
            return Check::good(title, words::HEALTH_REPLIES_GOOD);
        }
        let sentence = words::replies_failed(self.failed);
        Check::of(Tone::Look, title, sentence, words::HEALTH_REPLIES_ADVICE).at("/?view=failed")
    }

    fn webhooks(&self) -> Check {
        Check::of_remarks(words::HEALTH_WEBHOOKS, webhooks::judge(&self.webhooks))
    }

    fn calls(&self) -> Check {
        let title = words::HEALTH_CALLS;
        if !self.has_client {
            return Check::of(
                Tone::Act,
                title,
                words::HEALTH_NO_CLIENT,
                words::HEALTH_SET_VONAGE,
            )
            .at("/vonage");
        }
        let failed = self.today(&["send"], &["retry", "halted", "uncertain"]);
        let taken = self.today(&["send"], &["accepted"]);
        match self.last_call {
            _ if failed > taken => Check::of(
                Tone::Look,
                title,
                words::calls_failed(failed, taken),
                words::HEALTH_CALLS_ADVICE,
            ),
            Some(at) => Check::good(title, words::last_call(&self.ago(at))),
            None => Check::good(title, words::HEALTH_NO_CALL),
        }
    }

    fn outbox(&self) -> Check {
        let title = words::HEALTH_OUTBOX;
        let Some(oldest) = self.depth.oldest_queued_at else {
            return Check::good(title, words::HEALTH_OUTBOX_EMPTY);
        };
        let sentence = words::outbox(self.depth.count, &words::span(self.now - oldest));
        if self.now - oldest > TimeDelta::minutes(LONG_WAIT_MINUTES) {
            Check::of(Tone::Act, title, sentence, words::HEALTH_OUTBOX_ADVICE)
        } else {
            Check::good(title, sentence)
        }
    }

    fn media(&self) -> Check {
        let oldest = self.media.oldest.map(|at| self.ago(at));
        media::judge(&self.media, &oldest.unwrap_or_default())
    }

    fn halted(&self) -> impl Iterator<Item = &LineRow> {
        self.lines
            .iter()
            .filter(|line| !line.removed && line.halted.is_some())
    }

    fn lines(&self) -> Check {
        let title = words::HEALTH_LINES;
        let all = self.lines.iter().filter(|line| !line.removed).count();
        match (self.halted().count(), all) {
            (_, 0) => Check::of(
                Tone::Look,
                title,
                words::HEALTH_NO_LINES,
                words::HEALTH_NO_LINES_ADVICE,
            )
            .at("/lines"),
            (0, all) => Check::good(title, words::lines_send(all)),
            (halted, _) => Check::of(
                Tone::Act,
                title,
                words::lines_halted(halted),
                words::HEALTH_HALTED_ADVICE,
            ),
        }
    }

    fn unrouted(&self) -> Check {
        let title = words::HEALTH_UNROUTED;
        match self.waiting {
            0 => Check::good(title, words::UNROUTED_NONE),
            waiting => Check::of(
                Tone::Act,
                title,
                words::unrouted_wait(waiting),
                words::HEALTH_UNROUTED_ADVICE,
            )
            .at("/unrouted"),
        }
    }

    fn writing(&self) -> Check {
        let title = words::HEALTH_WRITING;
        match self.written_in {
            Some(took) => Check::good(title, words::written_in(took, self.queue)),
            None => Check::of(
                Tone::Act,
                title,
                words::not_written(PATIENCE, self.queue),
                words::HEALTH_WRITING_ADVICE,
            ),
        }
    }

    fn models(&self) -> Check {
        let title = words::HEALTH_MODELS;
        let old: Vec<&str> = self
            .models
            .iter()
            .filter(|model| !model.is_current())
            .map(|model| model.name)
            .collect();
        if let Some(trouble) = &self.trouble {
            let sentence = words::sentence(trouble);
            Check::of(Tone::Act, title, sentence, words::HEALTH_TROUBLE_ADVICE)
        } else if old.is_empty() {
            Check::good(title, words::HEALTH_MODELS_CURRENT)
        } else {
            let sentence = words::models_old(&old.join(", "));
            Check::of(Tone::Look, title, sentence, words::HEALTH_MODELS_ADVICE)
        }
    }

    fn database(&self) -> Check {
        let last = self.store.last_event_at.map(|at| self.ago(at));
        let sentence = words::database(
            &words::bytes(self.store.size_bytes),
            self.store.events,
            last.as_deref(),
        );
        Check::good(words::HEALTH_DATABASE, sentence)
    }

    fn proof(&self) -> Check {
        let title = words::HEALTH_PROOF;
        let proof = &self.proof;
        match (&proof.trouble, proof.signed_at) {
            (Some(trouble), _) => {
                let sentence = words::sentence(trouble);
                Check::of(Tone::Act, title, sentence, words::HEALTH_PROOF_ADVICE)
            }
            (None, Some(at)) => {
                let waiting = proof.head - proof.signed_size;
                let sentence = words::proof_signed(proof.signed_size, waiting, &self.ago(at));
                Check::good(title, sentence)
            }
            (None, None) => Check::good(title, words::HEALTH_PROOF_NONE),
        }
    }

    fn rows(&self, whats: &[&str]) -> Vec<CountRow> {
        self.totals
            .iter()
            .filter(|total| whats.contains(&total.what.as_str()))
            .map(|total| CountRow {
                what: words::activity(&total.what),
                result: words::activity_result(&total.what, &total.result),
                today: total.today,
                count: total.count,
                last: When::of(total.last_at, self.now),
            })
            .collect()
    }
}

/// The page.
pub(super) async fn show(
    State(Console { app, .. }): State<Console>,
    Query(done): Query<Done>,
    session: Session,
) -> Result<Response, Failed> {
    let mut frame = Frame::of(&app, &session);
    frame.notice = done.notice().into();
    let known = ask(&app).await?;
    let checks = known.checks();
    let bad = checks
        .iter()
        .filter(|check| check.tone != Tone::Good)
        .count();
    let halted = known.halted().map(|line| Halted {
        line: case::line_name(&line.number, line.channel),
        reason: line
            .halted
            .map_or_else(String::new, |reason| words::sentence(reason.sentence())),
        action: format!("/health/lines/{}/resume", line.line_id),
    });
    let models = known.models.iter().map(|model| ModelRow {
        name: model.name,
        version: model.version,
        built: model.built.filter(|built| *built > 0).map_or_else(
            || words::NEVER.to_owned(),
            |built| {
                words::built(
                    built,
                    &model.built_at.map_or_else(String::new, |at| known.ago(at)),
                )
            },
        ),
        is_current: model.is_current(),
    });
    let template = Health {
        frame,
        tab: Tab::Health,
        summary: words::health_summary(bad),
        tone: checks
            .iter()
            .map(|check| check.tone)
            .max()
            .unwrap_or(Tone::Good),
        halted: halted.collect(),
        counts: vec![
            CountTable {
                caption: words::HEALTH_COUNT_WEBHOOKS,
                rows: known.rows(&WEBHOOKS),
            },
            CountTable {
                caption: words::HEALTH_COUNT_CALLS,
                rows: known.rows(&["send"]),
            },
        ],
        models: models.collect(),
        public_key: known.proof.public_key.clone(),
        once: (app.new_id)().to_string(),
        checks,
    };
    Ok(page(StatusCode::OK, &template))
}

/// Lets a line send again.
pub(super) async fn resume(
    State(Console { app, .. }): State<Console>,
    Path(line_id): Path<String>,
    session: Session,
    posted: Posted,
) -> Result<Response, Failed> {
    let line = match line_id.parse::<LineId>() {
        Ok(line_id) => lines::find(&app.pool, line_id).await?,
        Err(_) => None,
    };
    let Some(line) = line.filter(|line| !line.removed) else {
        let sentence = words::NO_SUCH_LINE_THERE.to_owned();
        return Ok(failure(StatusCode::NOT_FOUND, sentence));
    };
    let operation = ChangeLine {
        line_id: line.line_id,
        command: LineCommand::Resume,
        by: Administrator::User(posted.asked(&session)),
    };
    submit(&app, operation).await.map_err(Failed)?;
    Ok(go("/health?done=resumed"))
}
