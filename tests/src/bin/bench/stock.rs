//! The stock way: cqrs-es's framework with postgres-es's repository and one `GenericQuery` view, as its documentation shows it.
//!
//! It gets off lightly: no HTTP, no signature, no routing, no receipts, and each worker has conversations of its own, so that no
//! command ever meets a conflict. A conversation's first message is one command that opens the case, the others are one each.

use std::process::Stdio;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use clap::Args;
use cqrs_es::persist::{GenericQuery, PersistedEventStore};
use cqrs_es::{CqrsFramework, EventEnvelope, View};
use docket::ambient;
use docket_domain::case::{Case, CaseCommand, CaseEvent, InboundMessage, Opened, Origin};
use docket_domain::content::Content;
use docket_domain::ids::{ContactId, LineId, MessageId, Reference, SurveyId};
use docket_domain::personal::Personal;
use docket_domain::routing::{Routed, Rule};
use docket_domain::text::title::title;
use postgres_es::{PostgresEventRepository, PostgresViewRepository};
use serde::{Deserialize, Serialize};
use sqlx::postgres::PgPoolOptions;
use sqlx::{Connection as _, PgPool};
use tokio::process::Command;
use tokio::task::JoinSet;

use crate::Timing;
use crate::load::{Conversations, MESSAGES_IN_A_CONVERSATION, Message, Messages as _, provider_id};
use crate::measured::{Measured, micros};
use crate::server::Server;
use docket_tests::cpu::{Clock, Contender};

/// The database.
pub(crate) const DATABASE: &str = "stock";

/// What the process of the stock way is told.
#[derive(Args, Debug)]
pub(crate) struct Arguments {
    /// How many workers, each with a connection.
    #[arg(long)]
    connections: u16,
    /// Milliseconds before the window.
    #[arg(long)]
    warm_up_ms: u64,
    /// Milliseconds of the window.
    #[arg(long)]
    window_ms: u64,
    /// The database.
    #[arg(long, env = "BENCH_STOCK_URL")]
    url: String,
}

/// Makes the tables, as postgres-es's own `db/init.sql` has them.
pub(crate) async fn prepare(server: &Server) -> anyhow::Result<()> {
    server.create(DATABASE).await?;
    let mut conn = server.connect(DATABASE).await?;
    sqlx::raw_sql(
        "CREATE TABLE events (
             aggregate_type text NOT NULL,
             aggregate_id text NOT NULL,
             sequence bigint CHECK (sequence >= 0) NOT NULL,
             event_type text NOT NULL,
             event_version text NOT NULL,
             payload json NOT NULL,
             metadata json NOT NULL,
             PRIMARY KEY (aggregate_type, aggregate_id, sequence)
         );
         CREATE TABLE case_view (
             view_id text NOT NULL,
             version bigint CHECK (version >= 0) NOT NULL,
             payload json NOT NULL,
             PRIMARY KEY (view_id)
         );
         CREATE SEQUENCE case_references AS integer START WITH 101;",
    )
    .execute(&mut conn)
    .await?;
    conn.close().await?;
    Ok(())
}

/// Runs the stock way for one window, in a process of its own.
pub(crate) async fn window(
    server: &Server,
    connections: u16,
    timing: Timing,
) -> anyhow::Result<Measured> {
    let clock = Clock::start(Contender::Child, server.postmaster());
    let output = Command::new(std::env::current_exe()?)
        .arg("stock")
        .args(["--connections", &connections.to_string()])
        .args(["--warm-up-ms", &timing.warm_up.as_millis().to_string()])
        .args(["--window-ms", &timing.window.as_millis().to_string()])
        .env("BENCH_STOCK_URL", server.url(DATABASE))
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .kill_on_drop(true)
        .output()
        .await
        .context("the stock way cannot be started")?;
    if !output.status.success() {
        bail!("the stock way ended with {}", output.status);
    }
    let Done {
        operations,
        measured,
    } = serde_json::from_slice(&output.stdout)
        .context("the stock way said something else than what it measured")?;
    Ok(measured.with(clock.stop(operations)))
}

type Framework = CqrsFramework<Case, PersistedEventStore<PostgresEventRepository, Case>>;

/// What the process says.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Done {
    /// How many commands, also before the window.
    operations: usize,
    measured: Measured,
}

/// The work of the process.
pub(crate) async fn run(arguments: &Arguments) -> anyhow::Result<Done> {
    let pool = PgPoolOptions::new()
        .max_connections(arguments.connections.into())
        .min_connections(arguments.connections.into())
        .connect(&arguments.url)
        .await?;
    let framework = Arc::new(framework(pool.clone()));
    let window_begins = Instant::now() + Duration::from_millis(arguments.warm_up_ms);
    let window = Duration::from_millis(arguments.window_ms);
    let window_ends = window_begins + window;
    let mut workers = JoinSet::new();
    for worker in 0..arguments.connections {
        let (framework, pool) = (Arc::clone(&framework), pool.clone());
        // Who writes is of no matter here; everybody's case is a new one.
        let person = u32::from(worker) * 1_000;
        let mut texts = Conversations::new(person..person + 1, vec![]);
        workers.spawn(async move {
            let mut latencies = vec![];
            let mut operations = 0;
            'window: loop {
                let reference = new_reference(&pool).await?;
                for said in 0..MESSAGES_IN_A_CONVERSATION {
                    let message = texts.next();
                    let command = if said == 0 {
                        open(reference, message)
                    } else {
                        receive(reference, message)
                    };
                    let began = Instant::now();
                    if began >= window_ends {
                        break 'window;
                    }
                    framework
                        .execute(&reference.to_string(), command)
                        .await
                        .context("a command failed")?;
                    operations += 1;
                    let ended = Instant::now();
                    if window_begins <= ended && ended < window_ends {
                        latencies.push(micros(ended - began));
                    }
                }
            }
            anyhow::Ok((operations, latencies))
        });
    }
    let mut operations = 0;
    let mut latencies = vec![];
    while let Some(worker) = workers.join_next().await {
        let (done, took) = worker??;
        operations += done;
        latencies.extend(took);
    }
    Ok(Done {
        operations,
        measured: Measured::new(window, latencies),
    })
}

fn framework(pool: PgPool) -> Framework {
    let views = Arc::new(PostgresViewRepository::new("case_view", pool.clone()));
    let mut query = GenericQuery::<_, CaseView, Case>::new(views);
    query.use_error_handler(Box::new(|error| {
        crate::progress(&format!("a view was not updated: {error}"));
    }));
    let store = PersistedEventStore::new_event_store(PostgresEventRepository::new(pool));
    CqrsFramework::new(store, vec![Box::new(query)], ())
}

async fn new_reference(pool: &PgPool) -> anyhow::Result<Reference> {
    let number: i64 = sqlx::query_scalar("SELECT nextval('case_references')")
        .fetch_one(pool)
        .await?;
    Reference::new(u32::try_from(number)?).context("references begin above 0")
}

fn open(reference: Reference, message: Message) -> CaseCommand {
    let content = Content::Text { text: message.text };
    CaseCommand::Open(Opened {
        reference,
        contact_id: ContactId(ambient::new_id()),
        number: Personal(message.from),
        survey_id: SurveyId(ambient::new_id()),
        line_id: LineId(ambient::new_id()),
        channel: message.channel,
        title: Personal(title(&content)),
        status: Some("New".to_owned()),
        origin: Origin::Message,
        follows: None,
    })
}

fn receive(reference: Reference, message: Message) -> CaseCommand {
    CaseCommand::Receive {
        message: InboundMessage {
            message_id: MessageId(ambient::new_id()),
            line_id: LineId(ambient::new_id()),
            channel: message.channel,
            from: Personal(message.from),
            content: Personal(Content::Text { text: message.text }),
            provider_id: provider_id().to_string(),
            at: ambient::now(),
            at_is_arrival: false,
            quotes: None,
            profile_name: None,
        },
        routed: Routed::new(Rule::OnlyOpen, vec![reference]),
    }
}

/// What a page about a case would show.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct CaseView {
    title: String,
    number: String,
    status: Option<String>,
    messages: Vec<String>,
}

impl View<Case> for CaseView {
    fn update(&mut self, event: &EventEnvelope<Case>) {
        match &event.payload {
            CaseEvent::CaseOpened(opened) => {
                self.title.clone_from(&opened.title);
                self.number.clone_from(&opened.number);
                self.status.clone_from(&opened.status);
            }
            CaseEvent::MessageReceived { message, .. } => {
                self.messages
                    .extend(message.content.said().map(str::to_owned));
            }
            _ => {}
        }
    }
}
