//! The account with a client of ours on one side and a recording Docket on the other, all of it over real connections.

mod whatsapp;

use std::collections::VecDeque;
use std::sync::{Mutex, OnceLock};

use axum::body::Bytes;
use axum::http::{HeaderMap, StatusCode, Uri};
use serde_json::json;
use tokio::sync::mpsc;

use super::*;
use crate::vonage::client::{
    Client, ClientOptions, Credentials, HaltReason, OutboundText, SendOutcome,
};
use crate::vonage::payload::{Inbound, Status, StatusKind, decode_inbound, decode_status};
use crate::vonage::signature::verify;
use docket_domain::content::Content;

const SECRET: &str = "a-signature-secret-of-nobody";
const APPLICATION: &str = "aaaaaaaa-bbbb-cccc-dddd-0123456789ab";
const CUSTOMER: &str = "447700900101";
const LINE: &str = "447700900200";

/// No wait of a test is longer; it is there to fail rather than hang.
const BOUND: Duration = Duration::from_secs(20);

fn test_keys() -> &'static Keys {
    static KEYS: OnceLock<Keys> = OnceLock::new();
    KEYS.get_or_init(keys)
}

/// A webhook that the recording Docket has got, its signature verified.
#[derive(Debug)]
enum Received {
    Inbound(Inbound),
    Status(Status),
}

struct Docket {
    url: String,
    received: mpsc::UnboundedReceiver<Received>,
    answers: Arc<Mutex<VecDeque<u16>>>,
}

impl Docket {
    /// Answers with what is queued, and then with 200.
    async fn start() -> Self {
        let (sender, received) = mpsc::unbounded_channel();
        let answers: Arc<Mutex<VecDeque<u16>>> = Arc::default();
        let queued = Arc::clone(&answers);
        let router = Router::new().fallback(move |uri: Uri, headers: HeaderMap, body: Bytes| {
            let authorization = headers["authorization"].to_str().unwrap();
            verify(
                Some(authorization),
                &body,
                SECRET.as_bytes(),
                Some(APPLICATION),
            )
            .unwrap();
            sender
                .send(match uri.path() {
                    "/webhooks/vonage/inbound" => {
                        Received::Inbound(decode_inbound(&body, crate::ambient::now()).unwrap())
                    }
                    "/webhooks/vonage/status" => {
                        Received::Status(decode_status(&body, crate::ambient::now()).unwrap())
                    }
                    other => panic!("nothing is posted to {other}"),
                })
                .unwrap();
            let answer = queued.lock().unwrap().pop_front().unwrap_or(200);
            async move { StatusCode::from_u16(answer).unwrap() }
        });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self {
            url,
            received,
            answers,
        }
    }

    fn answer(&self, statuses: &[u16]) {
        self.answers.lock().unwrap().extend(statuses);
    }

    fn all_received(&mut self) -> Vec<Received> {
        std::iter::from_fn(|| self.received.try_recv().ok()).collect()
    }

    /// The one message that came.
    fn only_message(&mut self) -> Inbound {
        let mut received = self.all_received();
        match (received.pop(), received.is_empty()) {
            (Some(Received::Inbound(inbound)), true) => inbound,
            other => panic!("one message comes: {other:?} after {received:?}"),
        }
    }

    /// The statuses that came, each checked to be of `message`.
    fn statuses_of(&mut self, message: &AcceptedMessage) -> Vec<StatusKind> {
        self.all_received()
            .into_iter()
            .map(|received| {
                let Received::Status(status) = received else {
                    panic!("only statuses come: {received:?}")
                };
                assert_eq!(status.message(), message.message_uuid);
                assert_eq!(status.client_ref, message.client_ref);
                assert_eq!(status.channel, Some(message.channel));
                status.status
            })
            .collect()
    }
}

fn options(docket: &Docket) -> SimulatorOptions {
    SimulatorOptions {
        docket_url: Some(docket.url.clone()),
        status_delay: Duration::ZERO,
        retry_base: Duration::from_millis(5),
        max_tries: 4,
        lines: vec![
            SimulatedLine {
                label: "Repairs <b>desk</b>".to_owned(),
                number: LINE.to_owned(),
                channel: Channel::Sms,
            },
            SimulatedLine {
                label: "Repairs chat".to_owned(),
                number: LINE.to_owned(),
                channel: Channel::Whatsapp,
            },
        ],
        ..SimulatorOptions::new(SECRET, APPLICATION, test_keys().public_key_pem.clone())
    }
}

async fn start() -> (Docket, Simulator, Client) {
    let docket = Docket::start().await;
    let simulator = Simulator::start(options(&docket)).await.unwrap();
    let client = client(&simulator, ClientOptions::default());
    (docket, simulator, client)
}

fn client(simulator: &Simulator, options: ClientOptions) -> Client {
    Client::new(&simulator.url(), &credentials(), options).unwrap()
}

fn credentials() -> Credentials {
    Credentials {
        application_id: APPLICATION.to_owned(),
        private_key_pem: test_keys().private_key_pem.clone(),
    }
}

async fn settled(simulator: &Simulator) {
    tokio::time::timeout(BOUND, simulator.settled())
        .await
        .expect("all webhooks come to an end");
}

const SMS: OutboundText<'_> = OutboundText {
    template: None,
    channel: Channel::Sms,
    from: LINE,
    to: CUSTOMER,
    text: "We come on Tuesday #101",
    client_ref: "0195b5e0c0d07cc18c1f0123456789ab-1",
    quoted: None,
    media: None,
};

const WHATSAPP: OutboundText<'_> = OutboundText {
    template: None,
    channel: Channel::Whatsapp,
    ..SMS
};

fn outbound_json() -> Value {
    json!({"message_type": "text", "channel": "sms", "to": CUSTOMER, "from": LINE, "text": "Hi", "client_ref": "c-1"})
}

/// Posts to the account with a valid token and gives status and body of the answer.
async fn post_with_token(simulator: &Simulator, body: &Value) -> (u16, Value) {
    let claims = json!({"application_id": APPLICATION, "iat": ambient::now().timestamp(), "exp": ambient::now().timestamp() + 60, "jti": "j"});
    post_with_claims(simulator, body, &claims, &test_keys().private_key_pem).await
}

async fn post_with_claims(
    simulator: &Simulator,
    body: &Value,
    claims: &Value,
    key: &SecretString,
) -> (u16, Value) {
    use secrecy::ExposeSecret as _;

    let key = jsonwebtoken::EncodingKey::from_rsa_pem(key.expose_secret().as_bytes()).unwrap();
    let token = jsonwebtoken::encode(
        &jsonwebtoken::Header::new(jsonwebtoken::Algorithm::RS256),
        claims,
        &key,
    )
    .unwrap();
    let answer = reqwest::Client::new()
        .post(format!("{}/v1/messages", simulator.url()))
        .bearer_auth(token)
        .json(body)
        .send()
        .await
        .unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap())
}

#[tokio::test]
async fn a_message_is_taken_and_its_statuses_come_in_order() {
    let (mut docket, simulator, client) = start().await;
    for (message, expected) in [
        (SMS, vec![StatusKind::Submitted, StatusKind::Delivered]),
        (
            WHATSAPP,
            vec![
                StatusKind::Submitted,
                StatusKind::Delivered,
                StatusKind::Read,
            ],
        ),
    ] {
        let outcome = client.send(&message).await;
        let accepted = simulator.accepted().pop().unwrap();
        assert_eq!(
            outcome,
            SendOutcome::Accepted {
                provider_id: Some(accepted.message_uuid.clone())
            }
        );
        assert_eq!(
            (
                accepted.to.as_str(),
                accepted.from.as_str(),
                accepted.text.as_str(),
                accepted.client_ref.as_deref()
            ),
            (CUSTOMER, LINE, SMS.text, Some(SMS.client_ref))
        );
        settled(&simulator).await;
        assert_eq!(docket.statuses_of(&accepted), expected);
    }
    assert_eq!(simulator.accepted().len(), 2);
}

#[tokio::test]
async fn refusals_are_ordered_for_one_call_each() {
    let (mut docket, simulator, client) = start().await;
    simulator.script([
        Fault::status(503),
        Fault::Status {
            status: 429,
            retry_after_s: Some(7),
        },
        Fault::status(402),
        Fault::Pass,
        Fault::CutBeforeAccept,
    ]);
    assert!(matches!(
        client.send(&SMS).await,
        SendOutcome::Retry {
            retry_after: None,
            ..
        }
    ));
    let SendOutcome::Retry { retry_after, .. } = client.send(&SMS).await else {
        panic!("429 is to be repeated")
    };
    assert_eq!(retry_after, Some(Duration::from_secs(7)));
    assert_eq!(
        client.send(&SMS).await,
        SendOutcome::Halted {
            reason: HaltReason::Balance
        }
    );
    assert_eq!(simulator.accepted(), []);
    assert!(matches!(
        client.send(&SMS).await,
        SendOutcome::Accepted { .. }
    ));
    assert!(matches!(
        client.send(&SMS).await,
        SendOutcome::Uncertain { .. }
    ));
    assert_eq!(simulator.accepted().len(), 1, "cut before it was taken");
    assert!(
        matches!(client.send(&SMS).await, SendOutcome::Accepted { .. }),
        "the next connection is whole"
    );
    settled(&simulator).await;
    assert_eq!(docket.all_received().len(), 4);
}

#[tokio::test]
async fn a_cut_after_acceptance_still_brings_the_statuses() {
    let (mut docket, simulator, client) = start().await;
    simulator.script([Fault::CutAfterAccept]);
    assert!(matches!(
        client.send(&SMS).await,
        SendOutcome::Uncertain { .. }
    ));
    settled(&simulator).await;
    let [accepted] = simulator.accepted().try_into().unwrap();
    assert_eq!(
        docket.statuses_of(&accepted),
        [StatusKind::Submitted, StatusKind::Delivered]
    );
}

#[tokio::test]
async fn a_late_answer_is_missed_by_an_impatient_client() {
    let (mut docket, simulator, _) = start().await;
    let impatient = client(
        &simulator,
        ClientOptions {
            total_timeout: Duration::from_millis(400),
            ..ClientOptions::default()
        },
    );
    simulator.script([Fault::Delay { delay_ms: 1_200 }]);
    assert!(matches!(
        impatient.send(&SMS).await,
        SendOutcome::Uncertain { .. }
    ));
    let [accepted] = simulator.accepted().try_into().unwrap();
    settled(&simulator).await;
    assert_eq!(
        docket.statuses_of(&accepted),
        [StatusKind::Submitted, StatusKind::Delivered]
    );
}

#[tokio::test]
async fn statuses_may_come_before_the_answer_twice_backwards_or_never() {
    use StatusKind::{Delivered, Read, Submitted};

    let (mut docket, simulator, client) = start().await;
    simulator.script([Fault::StatusesBeforeAnswer]);
    client.send(&WHATSAPP).await;
    let accepted = simulator.accepted().pop().unwrap();
    assert_eq!(
        docket.statuses_of(&accepted),
        [Submitted, Delivered, Read],
        "all of them, before the answer"
    );

    for (fault, expected) in [
        (
            Fault::DuplicateStatuses,
            vec![Submitted, Submitted, Delivered, Delivered, Read, Read],
        ),
        (Fault::ReversedStatuses, vec![Read, Delivered, Submitted]),
        (Fault::NoStatuses, vec![]),
    ] {
        simulator.script([fault]);
        client.send(&WHATSAPP).await;
        settled(&simulator).await;
        let accepted = simulator.accepted().pop().unwrap();
        assert_eq!(docket.statuses_of(&accepted), expected);
    }
}

#[tokio::test]
async fn a_rejected_message_says_why_and_reaches_no_phone() {
    let (mut docket, simulator, client) = start().await;
    simulator.script([Fault::Reject { code: 1340 }]);
    assert!(matches!(
        client.send(&WHATSAPP).await,
        SendOutcome::Accepted { .. }
    ));
    settled(&simulator).await;
    let mut received = docket.all_received();
    let (Some(Received::Status(status)), []) = (received.pop(), &received[..]) else {
        panic!("one status comes")
    };
    assert_eq!(status.status, StatusKind::Rejected);
    assert_eq!(status.error.unwrap().code, Some(1340));
    assert_eq!(
        simulator.conversation(CUSTOMER, LINE, Channel::Whatsapp),
        []
    );
}

#[tokio::test]
async fn what_vonage_would_refuse_is_refused() {
    let (_docket, simulator, client) = start().await;
    for (field, value, code, parameter) in [
        ("channel", json!("telex"), "1100", None),
        ("message_type", json!("image"), "1140", None),
        ("from", json!(""), "1120", None),
        ("client_ref", json!("x".repeat(41)), "1060", None),
        ("client_ref", json!(7), "1060", None),
        ("to", json!(null), "1150", Some("to")),
        ("to", json!("+447700900101"), "1150", Some("to")),
        ("to", json!("00447700900101"), "1150", Some("to")),
        ("to", json!("12345"), "1150", Some("to")),
        ("text", json!(""), "1150", Some("text")),
        ("text", json!("x".repeat(1_001)), "1150", Some("text")),
        ("context", json!({}), "1150", Some("context.message_uuid")),
    ] {
        let mut body = outbound_json();
        body[field] = value;
        let (status, problem) = post_with_token(&simulator, &body).await;
        assert_eq!(status, 422, "{body}");
        assert!(
            problem["type"]
                .as_str()
                .unwrap()
                .ends_with(&format!("#{code}")),
            "{problem}"
        );
        assert_eq!(
            problem["invalid_parameters"][0]["name"].as_str(),
            parameter,
            "{problem}"
        );
    }
    let two = post_with_token(
        &simulator,
        &json!({"channel": "sms", "message_type": "text", "from": LINE}),
    )
    .await
    .1;
    assert_eq!(
        two["invalid_parameters"].as_array().unwrap().len(),
        2,
        "{two}"
    );

    let long = "x".repeat(1_001);
    assert!(matches!(
        client.send(&OutboundText { text: &long, ..SMS }).await,
        SendOutcome::Refused {
            code: Some(1150),
            ..
        }
    ));
    assert_eq!(simulator.accepted(), []);
    assert!(matches!(
        client
            .send(&OutboundText {
                text: &long,
                ..WHATSAPP
            })
            .await,
        SendOutcome::Accepted { .. }
    ));
}

#[tokio::test]
async fn only_the_applications_own_tokens_are_taken() {
    let (_docket, simulator, _) = start().await;
    let now = ambient::now().timestamp();
    let good = json!({"application_id": APPLICATION, "iat": now, "exp": now + 60, "jti": "j"});
    let with = |field: &str, value: Value| {
        let mut claims = good.clone();
        claims[field] = value;
        claims
    };
    let own_key = &test_keys().private_key_pem;
    for claims in [
        with("application_id", json!("another")),
        with("exp", json!(now - 1)),
        with("exp", json!(now + 2 * 86_400)),
        with("iat", json!(now + 3_600)),
        with("jti", json!("")),
        with("exp", json!(null)),
    ] {
        assert_eq!(
            post_with_claims(&simulator, &outbound_json(), &claims, own_key)
                .await
                .0,
            401,
            "{claims}"
        );
    }
    assert_eq!(
        post_with_claims(&simulator, &outbound_json(), &good, &keys().private_key_pem)
            .await
            .0,
        401,
        "another key"
    );
    let bare = reqwest::Client::new()
        .post(format!("{}/v1/messages", simulator.url()))
        .json(&outbound_json())
        .send()
        .await
        .unwrap();
    assert_eq!(bare.status(), 401);
    let other = Client::new(
        &simulator.url(),
        &Credentials {
            application_id: "another".to_owned(),
            ..credentials()
        },
        ClientOptions::default(),
    );
    assert_eq!(
        other.unwrap().send(&SMS).await,
        SendOutcome::Halted {
            reason: HaltReason::Credentials
        }
    );
    assert_eq!(simulator.accepted(), []);
    assert_eq!(
        post_with_claims(&simulator, &outbound_json(), &good, own_key)
            .await
            .0,
        202
    );
}

#[tokio::test]
async fn a_customers_text_arrives_as_vonage_would_bring_it() {
    let (mut docket, simulator, client) = start().await;
    assert_eq!(
        simulator
            .text(CUSTOMER, LINE, Channel::Sms, "My roof #0")
            .await,
        Ok(200)
    );
    let inbound = docket.only_message();
    assert_eq!(
        (inbound.from.as_str(), inbound.to.as_str(), inbound.channel),
        (CUSTOMER, LINE, Channel::Sms)
    );
    assert_eq!(inbound.content, Content::text("My roof #0"));
    assert_eq!((inbound.quoted, inbound.profile_name), (None, None));

    client.send(&WHATSAPP).await;
    settled(&simulator).await;
    docket.all_received();
    let answer = simulator.accepted().pop().unwrap().message_uuid;
    let say = |kind: EntryKind, channel: Channel| {
        simulator.say(CustomerMessage {
            from: CUSTOMER.into(),
            to: LINE.into(),
            channel,
            kind,
            quoted: Some(answer.clone()),
        })
    };
    say(
        EntryKind::Text {
            text: "Tuesday is fine".into(),
        },
        Channel::Whatsapp,
    )
    .await
    .unwrap();
    say(EntryKind::Location, Channel::Whatsapp).await.unwrap();
    say(
        EntryKind::Photo {
            text: "Here".into(),
        },
        Channel::Sms,
    )
    .await
    .unwrap();
    let received: [_; 3] = docket.all_received().try_into().unwrap();
    let [text, place, photo] = received.map(|received| {
        let Received::Inbound(inbound) = received else {
            panic!("a message")
        };
        inbound
    });
    assert_eq!(text.content, Content::text("Tuesday is fine"));
    assert_eq!(text.quoted.as_deref(), Some(answer.as_str()));
    assert_eq!(text.profile_name.as_deref(), Some("Amira Haddad"));
    assert!(matches!(place.content, Content::Location { .. }));
    assert_eq!(
        (photo.channel, photo.quoted),
        (Channel::Sms, None),
        "an MMS, which quotes nothing"
    );
    let Content::Image(media) = photo.content else {
        panic!("a photo")
    };
    assert_eq!(media.caption.as_deref(), Some("Here"));
    let picture = reqwest::get(&media.url).await.unwrap();
    assert_eq!(
        picture.headers()["content-type"],
        "image/png",
        "the photo can be fetched"
    );
}

#[tokio::test]
async fn a_webhook_is_repeated_until_it_is_taken_or_refused_for_good() {
    let (mut docket, simulator, _) = start().await;
    let state = || {
        simulator
            .conversation(CUSTOMER, LINE, Channel::Sms)
            .pop()
            .unwrap()
            .state
    };

    docket.answer(&[503, 429, 200]);
    assert_eq!(
        simulator.text(CUSTOMER, LINE, Channel::Sms, "One").await,
        Ok(503),
        "the first answer is told at once"
    );
    settled(&simulator).await;
    let ids: Vec<_> = docket
        .all_received()
        .into_iter()
        .map(|received| {
            if let Received::Inbound(inbound) = received {
                inbound.provider_id
            } else {
                panic!("a message")
            }
        })
        .collect();
    assert_eq!(ids.len(), 3);
    assert!(
        ids.iter().all(|id| *id == ids[0]),
        "the same message each time: {ids:?}"
    );
    assert_eq!(state(), EntryState::Delivered);

    docket.answer(&[400]);
    assert_eq!(
        simulator.text(CUSTOMER, LINE, Channel::Sms, "Two").await,
        Ok(400)
    );
    settled(&simulator).await;
    assert_eq!(docket.all_received().len(), 1, "a 4xx is the last word");
    assert_eq!(state(), EntryState::Failed);

    docket.answer(&[500, 500, 500, 500, 500]);
    assert_eq!(
        simulator.text(CUSTOMER, LINE, Channel::Sms, "Three").await,
        Ok(500)
    );
    settled(&simulator).await;
    assert_eq!(
        docket.all_received().len(),
        4,
        "as often as the options say"
    );
    assert_eq!(state(), EntryState::Failed);
}

#[tokio::test]
async fn a_webhook_waits_for_docket_to_come_up() {
    let mut docket = Docket::start().await;
    let simulator = Simulator::start(SimulatorOptions {
        docket_url: None,
        max_tries: 1_000,
        ..options(&docket)
    })
    .await
    .unwrap();
    assert_eq!(
        simulator
            .text(CUSTOMER, LINE, Channel::Sms, "Anybody?")
            .await,
        Err(NoAnswer)
    );
    simulator.set_docket_url(format!("{}/", docket.url));
    settled(&simulator).await;
    assert!(matches!(docket.all_received()[..], [Received::Inbound(_)]));
}

#[tokio::test]
async fn a_status_that_must_wait_does_not_hold_up_the_next() {
    let (mut docket, simulator, client) = start().await;
    docket.answer(&[503]);
    client.send(&SMS).await;
    settled(&simulator).await;
    let accepted = simulator.accepted().pop().unwrap();
    let mut statuses = docket.statuses_of(&accepted);
    assert_eq!(statuses.remove(0), StatusKind::Submitted);
    statuses.sort_by_key(|status| status.as_str());
    assert_eq!(statuses, [StatusKind::Delivered, StatusKind::Submitted]);
}

#[tokio::test]
async fn any_payload_can_be_posted_signed() {
    let (docket, simulator, _) = start().await;
    docket.answer(&[204, 418]);
    let inbound = json!({"channel": "sms", "message_uuid": "m", "to": LINE, "from": CUSTOMER, "timestamp": "2026-03-04T05:06:07Z", "text": "Hi"});
    assert_eq!(simulator.inbound(&inbound).await, Ok(204));
    let mut status = inbound;
    status["status"] = json!("delivered");
    assert_eq!(simulator.status(&status).await, Ok(418));
}

/// Calls the account as another process does: a GET, or a POST of `body`; gives status and JSON, null where there is none.
async fn call(simulator: &Simulator, path: &str, body: Option<Value>) -> (u16, Value) {
    let http = reqwest::Client::new();
    let url = format!("{}{path}", simulator.url());
    let request = match body {
        Some(body) => http.post(url).json(&body),
        None => http.get(url),
    };
    let answer = request.send().await.unwrap();
    let status = answer.status().as_u16();
    (status, answer.json().await.unwrap_or_default())
}

#[tokio::test]
async fn another_process_scripts_faults_and_reads_what_was_taken() {
    let (_docket, simulator, client) = start().await;
    let faults = json!([{"fault": "status", "status": 503}, {"fault": "delay", "delay_ms": 1}, {"fault": "reject", "code": 1210}]);
    assert_eq!(
        call(&simulator, "/simulator/script", Some(faults)).await.0,
        204
    );
    assert!(matches!(client.send(&SMS).await, SendOutcome::Retry { .. }));
    assert!(matches!(
        client.send(&SMS).await,
        SendOutcome::Accepted { .. }
    ));
    let unknown = json!([{"fault": "magic"}]);
    assert_eq!(
        call(&simulator, "/simulator/script", Some(unknown)).await.0,
        422
    );

    let (_, accepted) = call(&simulator, "/simulator/accepted", None).await;
    assert_eq!(accepted.as_array().unwrap().len(), 1);
    assert_eq!(accepted[0]["client_ref"], SMS.client_ref);
    assert_eq!(accepted[0]["text"], SMS.text);
}

#[tokio::test]
async fn another_process_texts_and_reads_the_phone() {
    let (docket, simulator, client) = start().await;
    client.send(&SMS).await;
    settled(&simulator).await;

    docket.answer(&[200, 401]);
    let text =
        |text: &str| Some(json!({"from": CUSTOMER, "to": LINE, "channel": "sms", "text": text}));
    for (status, outcome) in [(200, "taken"), (401, "refused")] {
        let (_, told) = call(&simulator, "/simulator/inbound", text("Thanks")).await;
        assert_eq!(
            (told["status"].as_u64(), told["outcome"].as_str()),
            (Some(status), Some(outcome))
        );
    }
    assert_eq!(
        call(&simulator, "/simulator/inbound", text("  ")).await.0,
        422
    );

    let (_, shown) = call(
        &simulator,
        &format!("/simulator/messages?number=%2B{CUSTOMER}"),
        None,
    )
    .await;
    let messages = shown["messages"].as_array().unwrap();
    let words: Vec<_> = messages
        .iter()
        .map(|message| {
            (
                message["is_mine"] == true,
                message["text"].as_str().unwrap(),
            )
        })
        .collect();
    assert_eq!(
        words,
        [(false, SMS.text), (true, "Thanks"), (true, "Thanks")]
    );
    assert_eq!(
        (
            messages[0]["line"].as_str(),
            messages[0]["channel"].as_str()
        ),
        (Some(LINE), Some("sms"))
    );
    let after = shown["version"].as_u64().unwrap();
    let path =
        format!("/simulator/messages?number={CUSTOMER}&line={LINE}&channel=sms&after={after}");
    assert_eq!(call(&simulator, &path, None).await.1["messages"], json!([]));
}

/// A page or file of the phone, its policy checked.
async fn page(simulator: &Simulator, path: &str) -> String {
    let answer = reqwest::get(format!("{}{path}", simulator.url()))
        .await
        .unwrap();
    assert_eq!(answer.status(), 200, "{path}");
    let policy = answer.headers()["content-security-policy"]
        .to_str()
        .unwrap();
    assert!(
        policy.starts_with("default-src 'none'") && !policy.contains("unsafe"),
        "{policy}"
    );
    answer.text().await.unwrap()
}

/// Sends the phone's form and gives the address that it leads back to.
async fn submit(simulator: &Simulator, form: &[(&str, &str)]) -> String {
    let http = reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .unwrap();
    let answer = http
        .post(format!("{}/send", simulator.url()))
        .form(form)
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), 303);
    answer.headers()["location"].to_str().unwrap().to_owned()
}

#[tokio::test]
async fn the_phone_shows_its_own_conversation_and_nothing_as_html() {
    let (_docket, simulator, client) = start().await;
    let first = page(&simulator, "/").await;
    assert!(first.contains("Amira Haddad") && first.contains("No messages yet."));
    assert!(
        first.contains("Repairs &#60;b&#62;desk&#60;/b&#62;") && !first.contains("<b>desk"),
        "{first}"
    );
    assert!(
        !first.contains("value=\"location\""),
        "an SMS carries no place"
    );

    client
        .send(&OutboundText {
            text: "<script>alert(1)</script> #101",
            ..WHATSAPP
        })
        .await;
    let answer = simulator.accepted().pop().unwrap().message_uuid;
    let chat = format!("/?from={CUSTOMER}&to={LINE}&channel=whatsapp");
    let shown = page(&simulator, &chat).await;
    assert!(
        shown.contains("&#60;script&#62;alert(1)&#60;/script&#62; #101")
            && !shown.contains("<script>alert"),
        "{shown}"
    );
    assert!(shown.contains("value=\"location\""));
    assert!(
        shown.contains(&format!("quote={answer}#write")),
        "each answer can be quoted by a link"
    );
    let quoting = page(&simulator, &format!("{chat}&quote={answer}")).await;
    assert!(
        quoting.contains(&format!("name=\"quoted\" value=\"{answer}\""))
            && quoting.contains("autofocus"),
        "{quoting}"
    );
    let other = page(
        &simulator,
        &format!("/?from=12025550141&to={LINE}&channel=whatsapp&quote={answer}"),
    )
    .await;
    assert!(
        !other.contains("alert(1)"),
        "a conversation is seen on its own phone alone"
    );

    for asset in ["/phone.css", "/phone.js"] {
        assert!(
            !page(&simulator, asset).await.contains("://"),
            "{asset} loads nothing from elsewhere"
        );
    }
}

#[tokio::test]
async fn the_phone_works_by_forms_alone() {
    let (mut docket, simulator, client) = start().await;
    client.send(&WHATSAPP).await;
    settled(&simulator).await;
    docket.all_received();
    let answer = simulator.accepted().pop().unwrap().message_uuid;

    let form = [
        ("from", CUSTOMER),
        ("to", LINE),
        ("channel", "whatsapp"),
        ("text", "a\r\nb"),
        ("quoted", &answer),
        ("kind", "text"),
    ];
    let back = submit(&simulator, &form).await;
    assert_eq!(
        back,
        format!("/?from={CUSTOMER}&to={LINE}&channel=whatsapp&sent=taken#write")
    );
    let inbound = docket.only_message();
    assert_eq!(
        (inbound.content, inbound.quoted.as_deref()),
        (Content::text("a\nb"), Some(answer.as_str()))
    );
    let shown = page(&simulator, &back).await;
    assert!(
        shown.contains("<blockquote dir=\"auto\">We come on Tuesday #101</blockquote>"),
        "{shown}"
    );

    docket.answer(&[503]);
    let photo = [
        ("from", CUSTOMER),
        ("to", LINE),
        ("channel", "sms"),
        ("text", "x"),
        ("kind", "photo"),
    ];
    let told = page(&simulator, &submit(&simulator, &photo).await).await;
    assert!(
        told.contains("It is tried again by itself.") && told.contains("src=\"/phone.photo.svg\""),
        "{told}"
    );

    let blank = [
        ("from", CUSTOMER),
        ("to", LINE),
        ("channel", "sms"),
        ("text", " "),
        ("kind", "text"),
    ];
    assert!(submit(&simulator, &blank).await.contains("sent=incomplete"));
    settled(&simulator).await;
    assert_eq!(
        docket.all_received().len(),
        2,
        "the photo twice and no blank text"
    );
}

/// Reads events until `words` have come.
async fn read_until(stream: &mut reqwest::Response, words: &str) -> String {
    let mut read = String::new();
    while !read.contains(words) {
        let chunk = tokio::time::timeout(BOUND, stream.chunk())
            .await
            .expect("the words come")
            .unwrap()
            .expect("it stays open");
        read.push_str(std::str::from_utf8(&chunk).unwrap());
    }
    read
}

#[tokio::test]
async fn answers_arrive_live_and_resume_where_they_broke_off() {
    let (_docket, simulator, client) = start().await;
    let events = async |last_event_id: &str| {
        reqwest::Client::new()
            .get(format!(
                "{}/simulator/events?number={CUSTOMER}&line={LINE}&channel=sms",
                simulator.url()
            ))
            .header("last-event-id", last_event_id)
            .send()
            .await
            .unwrap()
    };
    simulator
        .text(CUSTOMER, LINE, Channel::Sms, "Before")
        .await
        .unwrap();
    let mut stream = events("").await;
    assert_eq!(stream.headers()["content-type"], "text/event-stream");
    read_until(&mut stream, "Before").await;
    client.send(&WHATSAPP).await;
    client.send(&SMS).await;
    let live = read_until(&mut stream, "We come on Tuesday #101").await;
    assert_eq!(
        live.matches("data:").count(),
        1,
        "the other channel's conversation is another one: {live}"
    );
    let last_id = live
        .lines()
        .find_map(|line| line.strip_prefix("id: "))
        .unwrap()
        .to_owned();

    client
        .send(&OutboundText {
            text: "Missed",
            ..SMS
        })
        .await;
    let resumed = read_until(&mut events(&last_id).await, "Missed").await;
    assert_eq!(resumed.matches("data:").count(), 1, "{resumed}");
}

#[tokio::test]
async fn no_other_site_writes_in_the_persons_name() {
    let (mut docket, simulator, _) = start().await;
    let form = [
        ("from", CUSTOMER),
        ("to", LINE),
        ("channel", "sms"),
        ("text", "x"),
        ("kind", "text"),
    ];
    for (site, status) in [
        ("cross-site", 403),
        ("same-site", 403),
        ("same-origin", 303),
        ("none", 303),
    ] {
        let http = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .unwrap();
        let answer = http
            .post(format!("{}/send", simulator.url()))
            .header("sec-fetch-site", site)
            .form(&form)
            .send()
            .await
            .unwrap();
        assert_eq!(answer.status().as_u16(), status, "{site}");
    }
    assert_eq!(docket.all_received().len(), 2);
}

#[tokio::test]
async fn it_stops_with_phones_open_calls_delayed_and_webhooks_waiting() {
    let docket = Docket::start().await;
    let simulator = Simulator::start(SimulatorOptions {
        retry_base: Duration::from_hours(1),
        ..options(&docket)
    })
    .await
    .unwrap();
    let client = client(&simulator, ClientOptions::default());
    let address = simulator.address();
    docket.answer(&[503]);
    simulator
        .text(CUSTOMER, LINE, Channel::Sms, "Later")
        .await
        .unwrap();
    let phone = reqwest::get(format!(
        "http://{address}/simulator/events?number={CUSTOMER}&line={LINE}&channel=sms"
    ))
    .await
    .unwrap();
    simulator.script([Fault::Delay {
        delay_ms: 3_600_000,
    }]);
    let delayed = tokio::spawn(async move { client.send(&SMS).await });
    let is_taken = async {
        while simulator.accepted().is_empty() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(BOUND, is_taken)
        .await
        .expect("the delayed call is taken at once");

    tokio::time::timeout(STOP_GRACE / 2, simulator.stop())
        .await
        .expect("nothing holds up the stop");
    assert!(
        matches!(delayed.await.unwrap(), SendOutcome::Accepted { .. }),
        "a call under way is answered"
    );
    phone
        .bytes()
        .await
        .expect("the stream has ended in good order");
    TcpListener::bind(address)
        .await
        .expect("the port is free again");
}

#[tokio::test]
async fn a_useless_key_or_a_taken_port_is_told() {
    let docket = Docket::start().await;
    let no_key = SimulatorOptions {
        public_key_pem: "no key".to_owned(),
        ..options(&docket)
    };
    assert!(matches!(
        Simulator::start(no_key).await,
        Err(SimulatorError::PublicKey)
    ));
    let first = Simulator::start(options(&docket)).await.unwrap();
    let taken = SimulatorOptions {
        listen: first.address(),
        ..options(&docket)
    };
    assert!(matches!(
        Simulator::start(taken).await,
        Err(SimulatorError::Listen { .. })
    ));
}
