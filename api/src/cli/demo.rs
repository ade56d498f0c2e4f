//! `docket demo`: the whole service beside a simulated Vonage, with invented people, the week behind them and a few lively cases.

mod template;
mod week;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::time::Duration;

use anyhow::Context;
use clap::Args;
use docket_domain::access::Access;
use docket_domain::channel::Channel;
use docket_domain::ids::{LineId, MessageId, Reference, SurveyId};
use docket_domain::line::{LineCommand, LineSettings};
use docket_domain::personal::Personal;
use docket_domain::survey::{StatusQuestion, SurveySettings, Template};
use docket_domain::user::Role;
use docket_projections::ledger::operation::{Answer, LedgerError, Operation};
use docket_projections::log::recorded::Via;
use docket_projections::private_postgres::temporary_data_dir;
use docket_projections::read::cases::{self, CaseFilter, NumberFilter};
use docket_projections::read::thread::{self, What};
use docket_projections::read::users as user_rows;
use secrecy::{ExposeSecret, SecretString};

use super::terminal::say;
use crate::ambient;
use crate::app::App;
use crate::config::Config;
use crate::operations::case::{Change, ChangeCase};
use crate::operations::line::ChangeLine;
use crate::operations::message_move::MoveMessage;
use crate::operations::reply::{Reply, SendAs};
use crate::operations::survey::{ChangeTemplates, SetSurvey, TemplateChange};
use crate::operations::{Administrator, Asked};
use crate::serve::{Service, told_to_stop};
use crate::simulator::{SimulatedLine, Simulator, SimulatorOptions, keys};
use crate::store::Store;
use crate::users;

/// Where the phone is found, unless the port is taken.
const PHONE: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 8081);
/// How long an answer of the agent's may take to the phone.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(20);
const APPLICATION_ID: &str = "00000000-0000-4000-8000-00000000d0c7";
const PASSWORD: &str = "docket-demo-1";
const OWNER: &str = "owner@example.com";
const AGENT: &str = "agent@example.com";
const MAYA: &str = "maya@example.com";
const TOM: &str = "tom@example.com";
const AUDITOR: &str = "auditor@example.com";
const HELP_DESK: &str = "447700900000";
const CLINIC: &str = "12025550100";
const AMIRA: &str = "447700900101";
const BEN: &str = "447700900102";
const CHLOE: &str = "12025550141";

/// The reply of the help desk for several open cases.
const MULTI_CASE_REPLY: &str = "Hello, thank you for your message. You have %s1 open cases (%s2). Please write # and the number of \
                                the case you mean, or #0 to begin a new one.";

/// The help desk's templates of answers.
const TEMPLATES: [(&str, &str); 3] = [
    (
        "Opening hours",
        "Hello {name}, we are open from Monday to Friday, 9 to 5.",
    ),
    (
        "We are looking into it",
        "Hello {name}, thank you for writing. We are looking into it and will come back to you under {reference}.",
    ),
    ("Done", "Hello {name}, that is done now. Have a good day!"),
];

/// `docket demo`.
#[derive(Args, Debug)]
pub(super) struct Demo {
    /// Let other machines reach the demonstration, where `DOCKET_LISTEN` is an address that they
    /// reach. Its passwords are known to everybody.
    #[arg(long)]
    expose_demo: bool,
}

impl Demo {
    /// Whether the demonstration may listen there.
    fn may_listen_on(&self, address: SocketAddr) -> anyhow::Result<()> {
        if address.ip().is_loopback() || self.expose_demo {
            return Ok(());
        }
        anyhow::bail!(
            "DOCKET_LISTEN: {address} can be reached by other machines, and everybody knows the demonstration's passwords. \
             Let it listen on 127.0.0.1, or add --expose-demo if others are meant to reach it"
        )
    }
}

/// Runs the demonstration until it is told to stop. All of it is thrown away afterwards.
///
/// # Errors
///
/// A sentence that says what to do.
pub(super) async fn run(config: Config, demo: &Demo) -> anyhow::Result<()> {
    demo.may_listen_on(config.listen)?;
    let told = told_to_stop()?;
    let folder = temporary_data_dir().context("a folder for the demonstration cannot be made")?;
    let keys = keys();
    let signature_secret = SecretString::from(hex::encode(ambient::random_bytes::<32>()));
    let simulator = start_simulator(&signature_secret, &keys.public_key_pem).await?;
    let config = own_settings(
        config,
        folder.path(),
        &simulator,
        signature_secret,
        keys.private_key_pem,
    );
    let past = Store::open(&config).await?;
    let lived = begin(&past, &simulator).await;
    past.close().await?;
    lived?;
    let service = start(config).await?;
    let url = format!("http://{}", service.address);
    simulator.set_docket_url(&url);
    service.app.vonage.phone.get_or_init(|| simulator.url());
    match told
        .run_until_cancelled(prepare(&service.app, &simulator))
        .await
    {
        Some(Ok((token, told))) => {
            greet(&url, &simulator.url(), token.expose_secret(), told.answered);
            greet_auditor(&url, folder.path(), told.moved_from);
        }
        Some(Err(error)) => {
            service.stop().await?;
            return Err(error);
        }
        None => {}
    }
    let stopped = service.run_until(told).await;
    simulator.stop().await;
    stopped
}

/// The demonstration's own settings: its database, its Vonage and its owner are its own, and all else is taken from outside.
fn own_settings(
    given: Config,
    folder: &Path,
    simulator: &Simulator,
    signature_secret: SecretString,
    private_key: SecretString,
) -> Config {
    Config {
        database_url: None,
        data_dir: folder.to_owned(),
        vonage_api_url: simulator.url(),
        media: given.media.clone().in_demo(&simulator.url()),
        vonage_application_id: Some(APPLICATION_ID.to_owned()),
        vonage_signature_secret: Some(signature_secret),
        vonage_private_key: Some(private_key),
        owner: Some((OWNER.to_owned(), PASSWORD.into())),
        ..given
    }
}

async fn start_simulator(secret: &SecretString, public_key: &str) -> anyhow::Result<Simulator> {
    let lines = vec![
        SimulatedLine {
            label: "Help desk (SMS)".to_owned(),
            number: HELP_DESK.to_owned(),
            channel: Channel::Sms,
        },
        SimulatedLine {
            label: "Help desk (WhatsApp)".to_owned(),
            number: HELP_DESK.to_owned(),
            channel: Channel::Whatsapp,
        },
        SimulatedLine {
            label: "Clinic (SMS)".to_owned(),
            number: CLINIC.to_owned(),
            channel: Channel::Sms,
        },
    ];
    let options = SimulatorOptions {
        lines,
        ..SimulatorOptions::new(secret.clone(), APPLICATION_ID, public_key)
    };
    match Simulator::start(SimulatorOptions {
        listen: PHONE,
        ..options.clone()
    })
    .await
    {
        Ok(simulator) => Ok(simulator),
        // The port is taken: any other will do, since the address is printed.
        Err(_) => Ok(Simulator::start(options).await?),
    }
}

/// Starts the service, on another port where the usual one is taken.
async fn start(config: Config) -> anyhow::Result<Service> {
    let taken = tokio::net::TcpListener::bind(config.listen).await.is_err();
    let listen = if taken {
        SocketAddr::from((Ipv4Addr::LOCALHOST, 0))
    } else {
        config.listen
    };
    Service::start(&Config { listen, ..config }).await
}

/// Sets the service up as it was a week ago, and has the invented people live through the week.
async fn begin(past: &Store, simulator: &Simulator) -> anyhow::Result<()> {
    simulator.add_template(template::approved());
    let app = week::app(past).await?;
    let done = async {
        set_up(&app).await?;
        let photo = format!("{}/phone.photo.png", simulator.url());
        week::live_through(&app, &photo).await
    };
    let done = done.await;
    week::close(app).await;
    done
}

/// People, surveys and lines.
async fn set_up(app: &App) -> anyhow::Result<()> {
    let password = SecretString::from(PASSWORD);
    users::ensure_first_owner(app, OWNER, &password).await?;
    for agent in [AGENT, MAYA, TOM] {
        users::add(app, agent, None, Role::Agent, Some(&password)).await?;
    }
    users::add(app, AUDITOR, None, Role::Auditor, Some(&password)).await?;
    let help_desk = add_survey(
        app,
        "Help desk",
        &["New", "In progress", "Resolved"],
        "Resolved",
    )
    .await?;
    let templates = TEMPLATES.map(|(name, text)| Template {
        name: name.to_owned(),
        text: text.to_owned(),
    });
    let templates = ChangeTemplates {
        survey_id: help_desk,
        change: TemplateChange::All(templates.into()),
        by: Administrator::System,
    };
    submit(app, templates).await?;
    let clinic = add_survey(app, "Clinic", &["Open", "Complete"], "Complete").await?;
    add_line(
        app,
        help_desk,
        HELP_DESK,
        Channel::Sms,
        Some(MULTI_CASE_REPLY),
    )
    .await?;
    let whatsapp = add_line(
        app,
        help_desk,
        HELP_DESK,
        Channel::Whatsapp,
        Some(MULTI_CASE_REPLY),
    )
    .await?;
    template::add(app, whatsapp).await?;
    add_line(app, clinic, CLINIC, Channel::Sms, None).await?;
    Ok(())
}

/// Cases of which the greeting speaks.
struct Told {
    /// One with an answer, which waits for another.
    answered: Reference,
    /// One that a message was moved out of.
    moved_from: Reference,
}

/// Lets the invented people talk. Gives the owner's token, and what the greeting speaks of.
async fn prepare(app: &App, simulator: &Simulator) -> anyhow::Result<(SecretString, Told)> {
    let told = tell(app, simulator).await?;
    let token = users::create_token(app, OWNER, "demo").await?;
    Ok((token, told))
}

/// What the invented people say to one another.
#[expect(
    clippy::too_many_lines,
    reason = "a story is told from its beginning to its end"
)]
async fn tell(app: &App, simulator: &Simulator) -> anyhow::Result<Told> {
    let says = async |from: &str, to: &str, channel, text: &str| match simulator
        .text(from, to, channel, text)
        .await
    {
        Ok(200) => Ok(()),
        Ok(status) => Err(anyhow::anyhow!("an invented message was answered {status}")),
        Err(_) => Err(anyhow::anyhow!("an invented message found nobody")),
    };
    let agent = user_rows::find_by_email(&app.pool, AGENT)
        .await?
        .context("the agent was just made")?;
    let asked = Asked {
        user_id: agent.user_id,
        email: AGENT.to_owned(),
        access: Access::All,
        via: Via::System,
        token_id: None,
        request_id: None,
        idempotency: None,
    };

    says(
        AMIRA,
        HELP_DESK,
        Channel::Sms,
        "Hello, can I have an appointment for my boiler check?",
    )
    .await?;
    let boiler = newest(app, AMIRA).await?;
    reply(
        app,
        simulator,
        &asked,
        boiler,
        "Of course. Would Tuesday at 10 suit you?",
    )
    .await?;
    says(
        AMIRA,
        HELP_DESK,
        Channel::Sms,
        &format!("Tuesday is perfect, thank you #{boiler}"),
    )
    .await?;
    change(
        app,
        &asked,
        boiler,
        Change::status("In progress".to_owned()),
    )
    .await?;
    says(
        AMIRA,
        HELP_DESK,
        Channel::Sms,
        "#0 By the way, when are you open on Saturdays?",
    )
    .await?;
    says(
        BEN,
        HELP_DESK,
        Channel::Whatsapp,
        "The lift in our house stands still again. What are your opening hours?",
    )
    .await?;
    let lift = newest(app, BEN).await?;
    let note = Change::Note {
        note_id: ambient::new_id().into(),
        text: "Third time this month: ask the fitters for a report.".to_owned(),
        mentions: vec![],
    };
    change(app, &asked, lift, note).await?;
    says(
        BEN,
        HELP_DESK,
        Channel::Whatsapp,
        "Another thing: my key does not fit the front door any more.",
    )
    .await?;
    let key = latest_message(app, lift).await?;
    let moved = MoveMessage {
        from: lift,
        message_id: key,
        following: vec![],
        to: None,
        comment: Some("The key is a matter of its own, for the locksmith.".to_owned()),
        note_id: (app.new_id)().into(),
        asked: asked.clone(),
    };
    submit(app, moved).await?;
    says(
        CHLOE,
        CLINIC,
        Channel::Sms,
        "Could somebody call me about my results?",
    )
    .await?;
    let results = newest(app, CHLOE).await?;
    reply(
        app,
        simulator,
        &asked,
        results,
        "We will call you this afternoon.",
    )
    .await?;
    says(CHLOE, CLINIC, Channel::Sms, "Great, thanks").await?;
    change(app, &asked, results, Change::status("Complete".to_owned())).await?;
    says(AMIRA, HELP_DESK, Channel::Sms, "Hello, is anybody there?").await?;
    simulator.settled().await;
    Ok(Told {
        answered: boiler,
        moved_from: lift,
    })
}

async fn add_survey(
    app: &App,
    name: &str,
    choices: &[&str],
    closed_value: &str,
) -> anyhow::Result<SurveyId> {
    let settings = SurveySettings {
        name: name.to_owned(),
        cases_enabled: true,
        status: StatusQuestion {
            question: "Status".to_owned(),
            choices: choices.iter().map(|choice| (*choice).to_owned()).collect(),
            closed_value: closed_value.to_owned(),
        },
        append_reference: true,
        time_zone: docket_domain::office_hours::TimeZone::default(),
    };
    let survey_id = SurveyId((app.new_id)());
    submit(
        app,
        SetSurvey {
            survey_id,
            settings,
            create: true,
            seen: None,
            by: Administrator::System,
        },
    )
    .await
}

async fn add_line(
    app: &App,
    survey_id: SurveyId,
    number: &str,
    channel: Channel,
    reply: Option<&str>,
) -> anyhow::Result<LineId> {
    let line_id = LineId((app.new_id)());
    let settings = LineSettings {
        survey_id,
        multi_case_reply: reply.map(str::to_owned),
        automatic: docket_domain::line::AutomaticTexts::default(),
    };
    let command = LineCommand::Add {
        line_id,
        number: number.to_owned(),
        channel,
        settings,
    };
    submit(
        app,
        ChangeLine {
            line_id,
            command,
            by: Administrator::System,
        },
    )
    .await
}

/// An agent's answer; the customer reads it before they write on.
async fn reply(
    app: &App,
    simulator: &Simulator,
    asked: &Asked,
    reference: Reference,
    text: &str,
) -> anyhow::Result<()> {
    let before = simulator.accepted().len();
    let message_id = (app.new_id)().into();
    let reply = Reply {
        reference,
        text: text.to_owned(),
        send_as: SendAs::default(),
        media: None,
        seen_version: None,
        message_id,
        asked: asked.clone(),
    };
    submit(app, reply).await?;
    let arrived = async {
        while simulator.accepted().len() == before {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(ANSWER_TIMEOUT, arrived)
        .await
        .context("an answer of the demonstration was not sent")
}

async fn change(
    app: &App,
    asked: &Asked,
    reference: Reference,
    change: Change,
) -> anyhow::Result<()> {
    submit(
        app,
        ChangeCase {
            reference,
            change,
            asked: asked.clone(),
        },
    )
    .await
    .map(drop)
}

/// The case that somebody began last: later ones have higher references.
async fn newest(app: &App, number: &str) -> anyhow::Result<Reference> {
    let filter = CaseFilter {
        number: Some(NumberFilter::Exact(Personal(number.to_owned()))),
        ..CaseFilter::default()
    };
    let rows = cases::list(&app.pool, &filter, None, 200).await?;
    rows.into_iter()
        .map(|row| row.reference)
        .max()
        .context("a case was just begun")
}

/// What the contact said last in a case.
async fn latest_message(app: &App, reference: Reference) -> anyhow::Result<MessageId> {
    let items = thread::page(&app.pool, reference, None, 200).await?;
    let inbound = items.into_iter().rev().find_map(|item| match item.what {
        What::Inbound(message) => Some(message.message_id),
        _ => None,
    });
    inbound.context("a message of the demonstration was just said")
}

async fn submit<O: Operation<Refusal: std::fmt::Display>>(
    app: &App,
    operation: O,
) -> anyhow::Result<O::Output> {
    match app.ledger.submit(operation).await {
        Ok(Answer::Done(output) | Answer::Repeated(output)) => Ok(output),
        Ok(Answer::Duplicate) => anyhow::bail!("the demonstration did something twice"),
        Err(LedgerError::Refused(refusal)) => anyhow::bail!("{refusal}"),
        Err(error) => anyhow::bail!("{error}"),
    }
}

fn greet(docket: &str, phone: &str, token: &str, answered: Reference) {
    say(&format!(
        "
Docket is running, with invented people and a simulated Vonage.

  The phone      {phone}
                 Write as a customer, and see the answers come.
  The console    {docket}
                 Answer as an agent: sign in as {AGENT}, password {PASSWORD}.
  The API        {docket}/api/v1    (described at {docket}/api/openapi.json)
  Your token     {token}
  Other people   {OWNER}, {MAYA}, {TOM}, {AUDITOR}, with the same password

Try:
  1. Write as Amira on the phone, and see the message come into the console's inbox.
  2. Answer it there, and see the answer on the phone.
  3. Move a message into another case, and undo it.

  curl -s -H 'Authorization: Bearer {token}' '{docket}/api/v1/cases?state=open'
  curl -s -H 'Authorization: Bearer {token}' '{docket}/api/v1/cases/{answered}/thread'
  curl -s -H 'Authorization: Bearer {token}' -H 'Content-Type: application/json' \\
       -d '{{\"text\": \"See you on Tuesday!\"}}' '{docket}/api/v1/cases/{answered}/replies'"
    ));
}

fn greet_auditor(docket: &str, folder: &Path, moved_from: Reference) {
    let program = std::env::current_exe().map_or_else(
        |_| "docket".to_owned(),
        |program| program.display().to_string(),
    );
    say(&format!(
        "
As an auditor, follow the message that was moved out of #{moved_from}:
  {docket}/cases/{moved_from}/history
  DOCKET_DATA_DIR={} {program} history {moved_from}

Ctrl-C ends it, and nothing is kept.",
        folder.display()
    ));
}
