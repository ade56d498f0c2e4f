//! The week before the demonstration: what invented people wrote and agents answered, with the times at which they did.
//!
//! The steps are the service's own operations, submitted to a ledger whose clock is set to each step's time. They come before the
//! service starts: its clock tells the present, and no event is recorded before the last one. What leads to Vonage is recorded as
//! sent here, since nothing is sent a week late.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use anyhow::Context;
use chrono::{DateTime, TimeDelta, Utc};
use docket_domain::access::Access;
use docket_domain::case::{Assignee, News};
use docket_domain::channel::Channel;
use docket_domain::held::HeldBody;
use docket_domain::ids::{ContactId, HeldId, MessageId, Reference};
use docket_projections::ledger::{Ledger, LedgerOptions};
use docket_projections::log::recorded::Via;
use docket_projections::read::users as user_rows;
use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::{AGENT, CLINIC, HELP_DESK, MAYA, TOM, change, submit};
use crate::ambient;
use crate::app::{App, Parts, Vonage};
use crate::audit::Audit;
use crate::media::Media;
use crate::operations::Asked;
use crate::operations::case::Change;
use crate::operations::delivery::{BeginSending, RecordOutcome};
use crate::operations::receive::{FreshIds, ReceiveMessage, Received};
use crate::operations::reply::{Reply, SendAs};
use crate::serve::metrics;
use crate::store::Store;
use crate::vonage::payload::decode_inbound;

/// How long before the present the week begins.
const WEEK: TimeDelta = TimeDelta::days(7);

/// The time of the step that is done, in microseconds since 1970.
static NOW: AtomicI64 = AtomicI64::new(0);

fn clock() -> DateTime<Utc> {
    DateTime::from_timestamp_micros(NOW.load(Ordering::Relaxed)).unwrap_or_default()
}

fn set_clock(at: DateTime<Utc>) {
    NOW.store(at.timestamp_micros(), Ordering::Relaxed);
}

/// What happens in a case.
#[derive(Clone, Copy)]
enum Step {
    Says(&'static str),
    SendsPhoto(&'static str),
    Replies(&'static str, &'static str),
    /// A reply that does not arrive.
    Fails(&'static str, &'static str),
    Note(&'static str, &'static str),
    Takes(&'static str),
    Status(&'static str, &'static str),
}

use Step::{Fails, Note, Replies, Says, SendsPhoto, Status, Takes};

/// A conversation: who writes, to which of our numbers and how; when it begins, in hours after the week did; and its steps, each
/// with the minutes since the one before.
struct Conversation {
    number: &'static str,
    name: &'static str,
    to: &'static str,
    channel: Channel,
    begins: i64,
    steps: &'static [(i64, Step)],
}

const fn by_sms(number: &'static str, begins: i64, steps: &'static [(i64, Step)]) -> Conversation {
    Conversation {
        number,
        name: "",
        to: HELP_DESK,
        channel: Channel::Sms,
        begins,
        steps,
    }
}

const fn to_clinic(
    number: &'static str,
    begins: i64,
    steps: &'static [(i64, Step)],
) -> Conversation {
    Conversation {
        to: CLINIC,
        ..by_sms(number, begins, steps)
    }
}

const fn by_whatsapp(
    number: &'static str,
    name: &'static str,
    begins: i64,
    steps: &'static [(i64, Step)],
) -> Conversation {
    Conversation {
        name,
        channel: Channel::Whatsapp,
        ..by_sms(number, begins, steps)
    }
}

const CONVERSATIONS: [Conversation; 26] = [
    by_whatsapp(
        "447700900201",
        "Rosa Carter",
        1,
        &[
            (
                0,
                Says("Good morning, the hall light flickers on the second floor."),
            ),
            (6, Takes(MAYA)),
            (
                4,
                Replies(
                    MAYA,
                    "Thank you, Rosa. An electrician comes tomorrow before noon.",
                ),
            ),
            (1_300, Says("He was here, it works. Many thanks!")),
            (12, Status(MAYA, "Resolved")),
        ],
    ),
    by_sms(
        "447700900202",
        2,
        &[
            (0, Says("Is the recycling collected on bank holidays?")),
            (25, Replies(TOM, "Yes, but a day later than usual.")),
            (3, Status(TOM, "Resolved")),
        ],
    ),
    by_whatsapp(
        "447700900203",
        "Lucía Fernández",
        4,
        &[
            (0, Says("Hola, ¿a qué hora abren mañana?")),
            (9, Takes(AGENT)),
            (
                2,
                Replies(AGENT, "Buenos días, Lucía. Mañana abrimos a las nueve."),
            ),
            (15, Says("Perfecto, gracias.")),
            (30, Status(AGENT, "Resolved")),
        ],
    ),
    to_clinic(
        "12025550151",
        6,
        &[
            (0, Says("I would like to change my appointment on Friday.")),
            (
                40,
                Replies(MAYA, "We have Monday at 9:30 or Tuesday at 14:00."),
            ),
            (55, Says("Monday is fine")),
            (5, Status(MAYA, "Complete")),
        ],
    ),
    by_whatsapp(
        "447700900204",
        "Owen Price",
        9,
        &[
            (0, SendsPhoto("This is what the ceiling looks like now")),
            (1, Says("It got worse since yesterday")),
            (20, Takes(TOM)),
            (
                8,
                Note(
                    TOM,
                    "Same flat as in spring. The roofer should look at the flashing.",
                ),
            ),
            (
                3,
                Replies(
                    TOM,
                    "Thank you for the photo. The roofer comes on Thursday at 8.",
                ),
            ),
            (2, Status(TOM, "In progress")),
            (2_900, Says("The roofer did not come today")),
        ],
    ),
    by_sms(
        "447700900205",
        11,
        &[
            (0, Says("Please call me back about the deposit.")),
            (90, Takes(AGENT)),
            (
                10,
                Replies(AGENT, "We tried to call you. When can we reach you?"),
            ),
            (200, Says("After five")),
            (1_200, Status(AGENT, "Resolved")),
            (700, Says("#0 I still wait for your call")),
        ],
    ),
    by_whatsapp(
        "447700900206",
        "Yusuf Demir",
        22,
        &[
            (0, Says("My parcel is not in the parcel room.")),
            (14, Replies(MAYA, "Which day was it delivered, please?")),
            (11, Says("Tuesday, in the afternoon")),
            (
                45,
                Replies(
                    MAYA,
                    "We found it behind the desk. You can collect it until eight.",
                ),
            ),
            (60, Says("Got it, thank you")),
            (5, Status(MAYA, "Resolved")),
        ],
    ),
    to_clinic(
        "12025550152",
        25,
        &[
            (0, Says("Are my blood results there yet?")),
            (30, Takes(MAYA)),
            (
                5,
                Replies(
                    MAYA,
                    "They should come in on Wednesday. We will write to you.",
                ),
            ),
        ],
    ),
    by_sms(
        "447700900207",
        27,
        &[
            (
                0,
                Says("Who do I tell about a broken window in the cellar?"),
            ),
            (
                16,
                Replies(TOM, "You just did, thank you. Which cellar is it?"),
            ),
            (6, Says("House 12, next to the bicycles")),
            (4, Status(TOM, "In progress")),
            (1_500, Replies(TOM, "The window was replaced this morning.")),
            (2, Status(TOM, "Resolved")),
            (600, Status(TOM, "In progress")),
            (
                1,
                Note(
                    TOM,
                    "Opened again: the glazier says that the frame needs paint.",
                ),
            ),
        ],
    ),
    by_whatsapp(
        "447700900208",
        "Anneke de Vries",
        29,
        &[
            (0, Says("Can I paint my balcony door white?")),
            (
                35,
                Replies(AGENT, "Yes, outside it has to stay grey though."),
            ),
            (20, Status(AGENT, "Resolved")),
        ],
    ),
    by_sms(
        "447700900209",
        46,
        &[
            (
                0,
                Says("Noise again from the flat above, every night after eleven"),
            ),
            (50, Takes(TOM)),
            (
                5,
                Replies(
                    TOM,
                    "We are sorry. We have written to the tenants above you.",
                ),
            ),
            (1_400, Says("It is better now")),
            (60, Status(TOM, "Resolved")),
        ],
    ),
    by_whatsapp(
        "447700900210",
        "Priya Nair",
        48,
        &[
            (
                0,
                Says("Do you have a list of plumbers that you recommend?"),
            ),
            (
                10,
                Fails(AGENT, "Yes: we will send it to you by mail today."),
            ),
        ],
    ),
    to_clinic(
        "12025550153",
        50,
        &[
            (0, Says("Do I have to fast before the test?")),
            (
                12,
                Replies(MAYA, "Yes, please eat nothing after 22:00. Water is fine."),
            ),
            (3, Status(MAYA, "Complete")),
        ],
    ),
    by_sms(
        "447700900211",
        52,
        &[
            (0, Says("The gate does not open with my card")),
            (
                18,
                Replies(
                    TOM,
                    "Your card was renewed. Please fetch the new one at the desk.",
                ),
            ),
            (240, Says("I did, and it works")),
            (30, Status(TOM, "Resolved")),
        ],
    ),
    by_whatsapp(
        "447700900212",
        "Marek Nowak",
        70,
        &[
            (0, Says("There is water in the lift shaft!")),
            (3, Takes(MAYA)),
            (
                2,
                Replies(
                    MAYA,
                    "Thank you! The lift is stopped, the fitters are on their way.",
                ),
            ),
            (
                95,
                Replies(
                    MAYA,
                    "The pump runs. The lift works again from tomorrow morning.",
                ),
            ),
            (10, Status(MAYA, "In progress")),
        ],
    ),
    by_sms(
        "447700900213",
        73,
        &[
            (0, Says("When is the office closed over the holidays?")),
            (
                22,
                Replies(
                    AGENT,
                    "From 24 December to 2 January. Emergencies: the same number.",
                ),
            ),
            (5, Status(AGENT, "Resolved")),
        ],
    ),
    by_whatsapp(
        "447700900214",
        "Inès Laurent",
        76,
        &[
            (0, SendsPhoto("Found this key in the yard")),
            (
                30,
                Replies(TOM, "Thank you, Inès. Could you leave it at the desk?"),
            ),
            (50, Says("Done")),
            (2, Status(TOM, "Resolved")),
        ],
    ),
    by_sms(
        "447700900215",
        94,
        &[
            (0, Says("I pay my rent twice since March, please check")),
            (70, Takes(AGENT)),
            (
                15,
                Note(
                    AGENT,
                    "Two standing orders, the bank confirms it. Accounts pays back 2 x 640.",
                ),
            ),
            (
                5,
                Replies(
                    AGENT,
                    "You are right. You get the money back within five days.",
                ),
            ),
            (4, Status(AGENT, "In progress")),
        ],
    ),
    by_whatsapp(
        "447700900216",
        "Somchai Wong",
        98,
        &[
            (0, Says("Is there a room for a birthday with 20 children?")),
            (33, Replies(MAYA, "The common room holds 30. Which day?")),
            (400, Says("Saturday in two weeks, from two to six")),
        ],
    ),
    to_clinic(
        "12025550154",
        101,
        &[
            (0, Says("My prescription ends on Sunday")),
            (
                26,
                Replies(MAYA, "It is ready at the desk from tomorrow, 8:00."),
            ),
            (14, Says("Thank you!")),
            (2, Status(MAYA, "Complete")),
        ],
    ),
    by_sms(
        "447700900217",
        119,
        &[
            (
                0,
                Says("The heating is cold since last night, we have a baby"),
            ),
            (4, Takes(TOM)),
            (
                3,
                Replies(
                    TOM,
                    "We send somebody at once. Please open the valve in the kitchen meanwhile.",
                ),
            ),
            (80, Says("It gets warm now, thank you so much")),
            (15, Status(TOM, "Resolved")),
        ],
    ),
    by_whatsapp(
        "447700900218",
        "Fatou Diallo",
        124,
        &[
            (0, Says("Bonjour, puis-je avoir une deuxième clé?")),
            (40, Takes(AGENT)),
            (
                6,
                Replies(AGENT, "Bonjour Fatou, oui. Elle coûte 25 livres."),
            ),
            (12, Says("D'accord, je passe demain")),
        ],
    ),
    by_sms(
        "447700900219",
        142,
        &[(0, Says("Are dogs allowed in the garden?"))],
    ),
    by_whatsapp(
        "447700900220",
        "Jonas Weber",
        147,
        &[
            (
                0,
                Says("The washing machine in the cellar takes my coins and does nothing"),
            ),
            (3, Says("I lost three pounds already")),
        ],
    ),
    to_clinic(
        "12025550155",
        151,
        &[
            (0, Says("Can my mother come along to the scan?")),
            (18, Fails(MAYA, "Of course she can.")),
        ],
    ),
    by_sms(
        "447700900221",
        160,
        &[(
            0,
            Says("I move out at the end of the month. What do I have to do?"),
        )],
    ),
];

/// Messages to a number of ours that is no line: the number, and hours after the beginning.
const UNROUTED: (&str, i64, &str) = (
    "447700900009",
    155,
    "Hello, is this the number for the new building?",
);

/// An app whose clock shows the time of the step that is done. It sends nothing.
pub(super) async fn app(store: &Store) -> anyhow::Result<App> {
    set_clock(ambient::now() - WEEK);
    let ledger = Ledger::start(store.connect.clone(), LedgerOptions::new(clock))
        .await
        .context("the ledger of the demonstration could not be started")?;
    Ok(App::new(Parts {
        audit: Audit::start(ledger.clone(), clock, ambient::new_id),
        ledger,
        pool: store.pool(),
        reports: Arc::default(),
        vonage: Arc::new(Vonage::default()),
        media: Media::default(),
        clock,
        new_id: ambient::new_id,
        metrics: metrics::handle(),
        public_url: "http://127.0.0.1".into(),
        default_country: None,
        people: Arc::default(),
        proxies: Arc::default(),
        stopping: CancellationToken::new(),
    }))
}

/// Ends what [`app`] began.
pub(super) async fn close(app: App) {
    app.stopping.cancel();
    app.audit.close().await;
    app.ledger.close().await;
    app.pool.close().await;
}

/// Does everything of the week, in the order in which it happened. `photo` is the address of a photo.
pub(super) async fn live_through(app: &App, photo: &str) -> anyhow::Result<()> {
    let begins = clock();
    let mut cases: Vec<Option<Reference>> = vec![None; CONVERSATIONS.len()];
    let mut timeline = vec![];
    for (index, conversation) in CONVERSATIONS.iter().enumerate() {
        let mut at = begins + TimeDelta::hours(conversation.begins);
        for (minutes, step) in conversation.steps {
            at += TimeDelta::minutes(*minutes);
            timeline.push((at, index, *step));
        }
    }
    timeline.sort_by_key(|(at, index, _)| (*at, *index));
    let (to, hours, text) = UNROUTED;
    let mut unrouted = Some(begins + TimeDelta::hours(hours));
    for (at, index, step) in timeline {
        if let Some(when) = unrouted.take_if(|when| *when <= at) {
            set_clock(when);
            receive(
                app,
                &message("447700900230", "", to, Channel::Sms, text, None),
            )
            .await?;
        }
        set_clock(at);
        let conversation = &CONVERSATIONS[index];
        let case = &mut cases[index];
        if let Says(text) | SendsPhoto(text) = step {
            let photo = matches!(step, SendsPhoto(_)).then_some(photo);
            let Conversation {
                number,
                name,
                to,
                channel,
                ..
            } = conversation;
            let received = receive(app, &message(number, name, to, *channel, text, photo)).await?;
            *case = received.or(*case);
        } else {
            let case = case.context("a conversation of the demonstration begins with a message")?;
            act(app, case, step).await?;
        }
    }
    Ok(())
}

/// The webhook of a message.
fn message(
    from: &str,
    name: &str,
    to: &str,
    channel: Channel,
    text: &str,
    photo: Option<&str>,
) -> String {
    let mut body = json!({
        "channel": channel.as_str(), "message_uuid": ambient::new_id(), "to": to, "from": from,
        "timestamp": clock().to_rfc3339(), "message_type": "text", "text": text,
    });
    if !name.is_empty() {
        body["profile"] = json!({"name": name});
    }
    if let Some(url) = photo {
        body["message_type"] = json!("image");
        body["image"] = json!({"url": url, "caption": text});
    }
    body.to_string()
}

/// Takes a message in; gives the newest case that it went to.
async fn receive(app: &App, body: &str) -> anyhow::Result<Option<Reference>> {
    let inbound = decode_inbound(body.as_bytes(), clock())
        .map_err(|_| anyhow::anyhow!("a message of the demonstration cannot be read"))?;
    let operation = ReceiveMessage {
        inbound,
        body: HeldBody::Text(body.to_owned()),
        ids: FreshIds {
            message_id: MessageId((app.new_id)()),
            contact_id: ContactId((app.new_id)()),
            reply_id: MessageId((app.new_id)()),
            held_id: HeldId((app.new_id)()),
        },
        request_id: None,
    };
    Ok(match submit(app, operation).await? {
        Received::Routed { references, .. } => references.into_iter().max(),
        Received::Held { .. } => None,
    })
}

async fn asked(app: &App, email: &str) -> anyhow::Result<Asked> {
    let user = user_rows::find_by_email(&app.pool, email).await?;
    let user = user.context("an agent of the demonstration was just made")?;
    Ok(Asked {
        user_id: user.user_id,
        email: email.to_owned(),
        access: Access::All,
        via: Via::System,
        token_id: None,
        request_id: None,
        idempotency: None,
    })
}

/// What an agent does.
async fn act(app: &App, case: Reference, step: Step) -> anyhow::Result<()> {
    match step {
        Replies(agent, text) | Fails(agent, text) => {
            let delivered = News::Delivered {
                at: clock() + TimeDelta::seconds(2),
                at_is_arrival: false,
            };
            let failed = News::Failed {
                code: Some(1_320),
                reason: "Absent Subscriber - Permanent".to_owned(),
            };
            let news = if matches!(step, Fails(..)) {
                failed
            } else {
                delivered
            };
            reply(app, &asked(app, agent).await?, case, text, news).await
        }
        Note(agent, text) => {
            let note = Change::Note {
                note_id: (app.new_id)().into(),
                text: text.to_owned(),
                mentions: vec![],
            };
            change(app, &asked(app, agent).await?, case, note).await
        }
        Takes(agent) => {
            let asked = asked(app, agent).await?;
            let assignee = Assignee {
                user_id: asked.user_id,
                email: asked.email.clone().into(),
            };
            change(app, &asked, case, Change::Assignee(Some(assignee))).await
        }
        Status(agent, value) => {
            let status = Change::status(value.to_owned());
            change(app, &asked(app, agent).await?, case, status).await
        }
        Says(_) | SendsPhoto(_) => Ok(()),
    }
}

/// Records a reply, and what came of it.
async fn reply(
    app: &App,
    asked: &Asked,
    reference: Reference,
    text: &str,
    news: News,
) -> anyhow::Result<()> {
    let message_id: MessageId = (app.new_id)().into();
    let reply = Reply {
        reference,
        text: text.to_owned(),
        seen_version: None,
        message_id,
        media: None,
        send_as: SendAs::default(),
        asked: asked.clone(),
    };
    submit(app, reply).await?;
    let attempt = 1;
    let begin = BeginSending {
        message_id,
        attempt,
    };
    submit(app, begin).await?;
    let sent = News::Sent {
        provider_id: Some((app.new_id)().to_string()),
    };
    for news in [sent, news] {
        let outcome = RecordOutcome {
            message_id,
            attempt,
            news,
        };
        submit(app, outcome).await?;
    }
    Ok(())
}
