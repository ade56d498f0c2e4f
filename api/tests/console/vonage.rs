//! Vonage's settings: entered at the console, in use at once and everywhere, and shown to nobody again.

use std::cell::RefCell;
use std::sync::{Arc, OnceLock};

use axum::body::Body;
use axum::http::{Request, StatusCode};
use docket::app::{App, Parts, Vonage};
use docket::secrets::{PRIVATE_KEY, SIGNATURE_SECRET, SecretKey};
use docket::simulator::{Keys, Simulator, SimulatorOptions, keys};
use docket::vonage::signature::{SignParams, sign};
use docket::vonage_settings::{self, Configured, Source, VonageSettings};
use docket::webhooks;
use docket_projections::connect::connect_options;
use docket_projections::ledger::{Ledger, LedgerOptions};
use docket_projections::log::reader;
use docket_projections::secrets;
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::json;
use tower::ServiceExt as _;
use tracing::Subscriber;
use tracing_subscriber::Layer;
use tracing_subscriber::filter::dynamic_filter_fn;
use tracing_subscriber::registry::LookupSpan;

use crate::changes::subscribe;
use crate::support::{Browser, CUSTOMER, House, OUR_NUMBER, PASSWORD, Page};

const APPLICATION_ID: &str = "00000000-0000-4000-8000-00000000d0c7";
const SECRET: &str = "an-invented-signature-secret";
const HTTPS: &str = "https://docket.example.com";

/// Making one takes a while.
fn some_keys() -> &'static Keys {
    static KEYS: OnceLock<Keys> = OnceLock::new();
    KEYS.get_or_init(keys)
}

pub(crate) fn settings(configured: Configured, key: Option<SecretKey>) -> Vonage {
    let api_url = if configured.api_url.is_empty() {
        "http://127.0.0.1:9".to_owned()
    } else {
        configured.api_url.clone()
    };
    Vonage {
        settings: VonageSettings::new(
            Configured {
                api_url,
                ..configured
            },
            key,
        ),
        ..Vonage::default()
    }
}

async fn house(key: Option<SecretKey>) -> House {
    House::with(HTTPS, settings(Configured::default(), key), true).await
}

/// Enters all three, the key as a file.
async fn enter(browser: &mut Browser) -> Page {
    let page = browser.get("/vonage").await;
    let fields = [
        ("application_id", APPLICATION_ID),
        ("signature_secret", SECRET),
        ("key_text", ""),
    ];
    let pem = some_keys().private_key_pem.expose_secret();
    browser
        .send_file(&page, "/vonage", &fields, ("key_file", pem))
        .await
}

/// The answer to a webhook that is signed with `secret`.
async fn webhook(app: &App, secret: &str) -> StatusCode {
    let id = (app.new_id)().to_string();
    let body = json!({
        "channel": "sms", "message_uuid": id, "to": OUR_NUMBER, "from": CUSTOMER,
        "timestamp": "2026-03-01T11:59:58Z", "text": "Hello",
    });
    let body = body.to_string();
    let params = SignParams {
        iat: (app.clock)().timestamp(),
        jti: &id,
        api_key: None,
        application_id: Some(APPLICATION_ID),
    };
    let authorization = sign(body.as_bytes(), secret.as_bytes(), &params);
    let router = webhooks::router(app.clone());
    let request = Request::post("/webhooks/vonage/inbound")
        .header("authorization", authorization)
        .body(Body::from(body))
        .unwrap();
    router.oneshot(request).await.unwrap().status()
}

/// Another process on the same database.
async fn other_process(house: &House, vonage: Vonage) -> App {
    let connect = connect_options(house.database_url()).unwrap();
    let options = LedgerOptions {
        writers: 1,
        ..LedgerOptions::new(house.app.clock)
    };
    App::new(Parts {
        ledger: Ledger::start(connect, options).await.unwrap(),
        vonage: Arc::new(vonage),
        ..Parts::clone(&house.app)
    })
}

#[tokio::test]
async fn what_is_entered_is_in_use_at_once_and_never_shown() {
    let key = SecretKey::generate();
    let house = house(Some(key.clone())).await;
    let mut owner = house.signed_in("owner").await;
    let page = owner.get("/vonage").await;
    page.is(200)
        .shows("https://docket.example.com/webhooks/vonage/inbound")
        .shows("https://docket.example.com/webhooks/vonage/status")
        .shows("The application id and the private key are needed first.")
        .lacks("DOCKET_PUBLIC_URL");
    assert_eq!(page.text.matches("Not set").count(), 3);
    assert_eq!(
        webhook(&house.app, SECRET).await,
        StatusCode::SERVICE_UNAVAILABLE
    );

    let page = enter(&mut owner).await;
    page.is(200)
        .shows("They are in use from now on.")
        .shows(APPLICATION_ID)
        .shows("Last changed by owner@example.com,");
    assert_eq!(page.text.matches("it is not shown again").count(), 2);
    assert_eq!(webhook(&house.app, SECRET).await, StatusCode::OK);
    assert_eq!(
        webhook(&house.app, "another").await,
        StatusCode::UNAUTHORIZED
    );
    assert!(house.app.vonage.client.load().is_some());

    // Nowhere but encrypted: neither on a page, nor in the log, nor in the table.
    let pem = some_keys().private_key_pem.expose_secret();
    let inside = pem.lines().nth(1).unwrap();
    for role in ["owner", "auditor"] {
        let mut browser = house.signed_in(role).await;
        for path in ["/vonage", "/setup", "/setup?step=vonage"] {
            browser.get(path).await.is(200).lacks(SECRET).lacks(inside);
        }
    }
    let events = reader::page(&house.app.pool, 0, 1_000).await.unwrap();
    let log = format!("{events:?}");
    assert!(log.contains("VonageChanged"));
    assert!(!log.contains(SECRET) && !log.contains(inside), "{log}");
    for (name, secret) in [(SIGNATURE_SECRET, SECRET), (PRIVATE_KEY, pem.trim())] {
        let sealed = secrets::find(&house.app.pool, name).await.unwrap().unwrap();
        let bytes = String::from_utf8_lossy(&sealed.ciphertext).into_owned();
        assert!(!bytes.contains(&secret[..16]));
        let opened = key.open(name, &sealed).unwrap();
        assert_eq!(opened.expose_secret(), secret);
    }
    house.close().await;
}

#[tokio::test]
async fn what_is_left_empty_stays_and_what_is_removed_goes() {
    let house = house(Some(SecretKey::generate())).await;
    let mut owner = house.signed_in("owner").await;
    let page = enter(&mut owner).await;
    let other = "another-invented-secret";
    let fields = [
        ("application_id", APPLICATION_ID),
        ("signature_secret", other),
    ];
    let page = owner.send(&page, "/vonage", &fields).await;
    page.is(200);
    assert_eq!(webhook(&house.app, SECRET).await, StatusCode::UNAUTHORIZED);
    assert_eq!(webhook(&house.app, other).await, StatusCode::OK);
    assert!(house.app.vonage.client.load().is_some());

    let fields = [
        ("application_id", APPLICATION_ID),
        ("remove_private_key", "yes"),
    ];
    let page = owner.send(&page, "/vonage", &fields).await;
    page.is(200).shows("Not set").lacks("remove_private_key");
    assert!(house.app.vonage.client.load().is_none());
    assert_eq!(
        secrets::find(&house.app.pool, PRIVATE_KEY).await.unwrap(),
        None
    );
    assert_eq!(webhook(&house.app, other).await, StatusCode::OK);
    house.close().await;
}

#[tokio::test]
async fn what_cannot_be_is_refused_without_showing_it() {
    let house = house(Some(SecretKey::generate())).await;
    let mut owner = house.signed_in("owner").await;
    let key = "-----BEGIN PRIVATE KEY-----\nbm90IGEga2V5\n-----END PRIVATE KEY-----";
    let encrypted =
        "-----BEGIN ENCRYPTED PRIVATE KEY-----\nbm90IGEga2V5\n-----END ENCRYPTED PRIVATE KEY-----";
    let public = "-----BEGIN PUBLIC KEY-----\nbm90IGEga2V5\n-----END PUBLIC KEY-----";
    let long = "s".repeat(1_001);
    for (field, value, said) in [
        ("key_text", key, "no private key"),
        ("key_text", "nonsense", "no private key"),
        ("key_text", encrypted, "encrypted with a pass phrase"),
        ("key_text", public, "a public key"),
        ("key_text", "/home/me/private.key", "name of a file"),
        ("signature_secret", long.as_str(), "up to 1,000 characters"),
        ("signature_secret", "two\nlines", "up to 1,000 characters"),
        ("application_id", "two words", "letters, digits and hyphens"),
    ] {
        for page in ["/vonage", "/setup?step=vonage"] {
            let page = owner.get(page).await;
            let refused = owner.send(&page, "/vonage", &[(field, value)]).await;
            refused.is(422).shows(said).shows("role=\"alert\"");
            if field == "application_id" {
                refused.shows("value=\"two words\"");
            } else {
                refused.lacks(value);
            }
        }
    }
    assert_eq!(
        house.app.vonage.settings.sources().signature_secret,
        Source::Missing
    );
    house.close().await;
}

#[tokio::test]
async fn what_is_pasted_along_does_not_count_and_a_key_is_read_in_its_forms() {
    let pem = some_keys().private_key_pem.expose_secret();
    let utf16: String = pem.chars().flat_map(|c| [c, '\0']).collect();
    for (field, key) in [
        ("key_text", pem.replace('\n', "\\n")),
        (
            "key_text",
            format!("\u{feff}{}\u{200b}", pem.replace('\n', " ")),
        ),
        ("key_file", pem.replace('\n', "\r\n")),
        ("key_file", utf16),
    ] {
        let house = house(Some(SecretKey::generate())).await;
        let mut owner = house.signed_in("owner").await;
        let page = owner.get("/vonage").await;
        let id = format!("\u{200b}{APPLICATION_ID} \u{a0}");
        let mut fields = vec![
            ("application_id", id.as_str()),
            ("signature_secret", "\u{202a}the-secret\u{202c} "),
        ];
        if field == "key_text" {
            fields.push(("key_text", &key));
        }
        let file = if field == "key_file" {
            key.as_str()
        } else {
            ""
        };
        let page = owner
            .send_file(&page, "/vonage", &fields, ("key_file", file))
            .await;
        page.is(200);
        let secret = house.app.vonage.signature_secret.load_full().unwrap();
        assert_eq!(secret.expose_secret(), "the-secret");
        let id = house.app.vonage.application_id.load_full().unwrap();
        assert_eq!(*id, APPLICATION_ID);
        assert!(house.app.vonage.client.load().is_some(), "{field}");
        house.close().await;
    }
}

#[tokio::test]
async fn without_a_key_no_secret_can_be_stored() {
    let house = house(None).await;
    let mut owner = house.signed_in("owner").await;
    let page = owner.get("/vonage").await;
    page.shows("DOCKET_SECRET_KEY")
        .lacks("name=\"signature_secret\"");
    let fields = [
        ("application_id", APPLICATION_ID),
        ("signature_secret", SECRET),
    ];
    let refused = owner.send(&page, "/vonage", &fields).await;
    refused.is(422).shows("role=\"alert\"").lacks(SECRET);
    assert_eq!(
        secrets::find(&house.app.pool, SIGNATURE_SECRET)
            .await
            .unwrap(),
        None
    );
    // The application's id is no secret.
    let fields = [("application_id", APPLICATION_ID)];
    let page = owner.send(&page, "/vonage", &fields).await;
    page.is(200).shows(APPLICATION_ID);
    house.close().await;
}

#[tokio::test]
async fn the_configuration_wins_and_the_page_says_so() {
    let configured = Configured {
        application_id: Some("configured-application".to_owned()),
        signature_secret: Some("configured-secret".into()),
        private_key: Some(some_keys().private_key_pem.clone()),
        api_url: String::new(),
    };
    let vonage = settings(configured, Some(SecretKey::generate()));
    let house = House::with(HTTPS, vonage, true).await;
    let mut owner = house.signed_in("owner").await;
    let page = owner.get("/vonage").await;
    page.shows("configured-application")
        .lacks("name=\"signature_secret\"")
        .lacks("name=\"key_file\"");
    assert_eq!(
        page.text
            .matches("which wins over what is entered here")
            .count(),
        3
    );
    let fields = [
        ("application_id", APPLICATION_ID),
        ("signature_secret", SECRET),
    ];
    owner.send(&page, "/vonage", &fields).await.is(200);
    let in_use = house.app.vonage.signature_secret.load_full().unwrap();
    assert_eq!(in_use.expose_secret(), "configured-secret");
    assert_eq!(
        secrets::find(&house.app.pool, SIGNATURE_SECRET)
            .await
            .unwrap(),
        None
    );
    house.close().await;
}

#[tokio::test]
async fn another_process_takes_a_change_over_and_refuses_nothing_meanwhile() {
    let key = SecretKey::generate();
    let house = house(Some(key.clone())).await;
    let mut owner = house.signed_in("owner").await;
    let other = other_process(&house, settings(Configured::default(), Some(key.clone()))).await;
    vonage_settings::refresh(&other).await.unwrap();
    assert!(other.vonage.signature_secret.load().is_none());
    enter(&mut owner).await.is(200);
    // A webhook does not wait until the change was heard of.
    assert_eq!(webhook(&other, SECRET).await, StatusCode::OK);
    let page = owner.get("/vonage").await;
    let fields = [
        ("application_id", APPLICATION_ID),
        ("signature_secret", "the-next-secret"),
    ];
    owner.send(&page, "/vonage", &fields).await.is(200);
    assert_eq!(webhook(&other, "the-next-secret").await, StatusCode::OK);

    // And without any webhook it is heard of by the log.
    let following = tokio::spawn(vonage_settings::follow(other.clone()));
    let fields = [
        ("application_id", "yet-another"),
        ("signature_secret", "the-last-secret"),
    ];
    owner.send(&page, "/vonage", &fields).await.is(200);
    let head = *house.app.ledger.head().borrow();
    other.ledger.head().send_replace(head);
    let is_told = async {
        while other
            .vonage
            .application_id
            .load()
            .as_ref()
            .is_none_or(|id| **id != "yet-another")
        {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(20), is_told)
        .await
        .unwrap();
    let in_use = other.vonage.signature_secret.load_full().unwrap();
    assert_eq!(in_use.expose_secret(), "the-last-secret");

    // One with another key, or without one, works as if nothing had been entered.
    for key in [Some(SecretKey::generate()), None] {
        let wrong = other_process(&house, settings(Configured::default(), key)).await;
        vonage_settings::refresh(&wrong).await.unwrap();
        assert_eq!(
            wrong.vonage.settings.sources().private_key,
            Source::Unreadable
        );
        assert!(wrong.vonage.client.load().is_none());
        assert_eq!(
            webhook(&wrong, "the-last-secret").await,
            StatusCode::SERVICE_UNAVAILABLE
        );
        wrong.ledger.close().await;
    }
    other.stopping.cancel();
    following.await.unwrap();
    other.ledger.close().await;
    house.close().await;
}

#[tokio::test]
async fn a_row_that_was_changed_is_told_and_entered_again() {
    let house = house(Some(SecretKey::generate())).await;
    let mut owner = house.signed_in("owner").await;
    enter(&mut owner).await.is(200);
    house.spoil_secret(SIGNATURE_SECRET).await;
    let key = house.app.vonage.settings.key().cloned();
    let restarted = other_process(&house, settings(Configured::default(), key)).await;
    let mut restarted_owner = house.in_process(&restarted);
    restarted_owner.cookies = owner.cookies.clone();
    let page = restarted_owner.get("/vonage").await;
    page.is(200).shows("Stored, but it cannot be read");
    assert_eq!(
        webhook(&restarted, SECRET).await,
        StatusCode::SERVICE_UNAVAILABLE
    );
    let fields = [
        ("application_id", APPLICATION_ID),
        ("signature_secret", SECRET),
    ];
    let page = restarted_owner.send(&page, "/vonage", &fields).await;
    page.is(200).lacks("cannot be read");
    assert_eq!(webhook(&restarted, SECRET).await, StatusCode::OK);
    restarted.ledger.close().await;
    house.close().await;
}

#[tokio::test]
async fn the_credentials_are_tried_without_sending() {
    let keys = some_keys();
    let options = SimulatorOptions::new(SECRET, APPLICATION_ID, &keys.public_key_pem);
    let simulator = Simulator::start(options).await.unwrap();
    let configured = Configured {
        api_url: simulator.url(),
        ..Configured::default()
    };
    let vonage = settings(configured, Some(SecretKey::generate()));
    let house = House::with(HTTPS, vonage, true).await;
    let mut owner = house.signed_in("owner").await;
    let page = enter(&mut owner).await;
    let tested = owner.send(&page, "/vonage/test", &[]).await;
    tested.is(200).shows("Vonage accepts the credentials");
    assert_eq!(tested.at, "/vonage?tested=accepted");
    let page = owner.get("/setup?step=vonage").await;
    let tested = owner.send(&page, "/vonage/test", &[]).await;
    tested
        .shows("Set up Docket")
        .shows("Vonage accepts the credentials");

    let fields = [("application_id", "another-application")];
    let page = owner.get("/vonage").await;
    let page = owner.send(&page, "/vonage", &fields).await;
    let tested = owner.send(&page, "/vonage/test", &[]).await;
    tested.shows("Vonage does not accept the credentials (401)");
    assert!(simulator.accepted().is_empty(), "nothing was sent");
    simulator.stop().await;
    let tested = owner.send(&page, "/vonage/test", &[]).await;
    tested.shows("Vonage could not be reached");
    house.close().await;
}

#[tokio::test]
async fn all_three_steps_done_lead_to_the_inbox() {
    let house = house(Some(SecretKey::generate())).await;
    let mut owner = house.signed_in("owner").await;
    let page = owner.get("/setup").await;
    page.shows("Application id");
    let fields = [
        ("application_id", APPLICATION_ID),
        ("signature_secret", SECRET),
        ("key_text", some_keys().private_key_pem.expose_secret()),
    ];
    let page = owner.send(&page, "/vonage", &fields).await;
    assert_eq!(page.at, "/setup?step=vonage&done=vonage");
    page.is(200).shows("Test the credentials").shows("Go on");
    let page = owner.get("/setup").await;
    // Vonage's step is not done before a webhook has come that is signed with the secret.
    page.is(200)
        .shows("All is set up.")
        .shows("No webhook has come");
    assert_eq!(page.text.matches("Done</span>").count(), 2);
    let note = |result| {
        let now = (house.app.clock)();
        house.app.vonage.activity.note("inbound", result, now);
    };
    note("unsigned");
    let page = owner.get("/setup").await;
    page.shows("without a signature")
        .shows("drops the header Authorization");
    assert_eq!(page.text.matches("Done</span>").count(), 2);
    note("accepted");
    let page = owner.get("/setup").await;
    page.shows("All is set up.").lacks("without a signature");
    assert_eq!(page.text.matches("Done</span>").count(), 3);
    house.close().await;
}

/// A browser in which another owner is signed in, whom this one adds.
async fn another_owner(house: &House, owner: &mut Browser) -> Browser {
    let page = owner.get("/users/new").await;
    let fields = [
        ("email", "second@example.com"),
        ("role", "owner"),
        ("reach", "all"),
        ("password", PASSWORD),
    ];
    owner.send(&page, "/users", &fields).await.is(200);
    let mut other = house.browser();
    let page = other.get("/sign-in").await;
    let fields = [("email", "second@example.com"), ("password", PASSWORD)];
    other.send(&page, "/sign-in", &fields).await.is(200);
    other
}

#[tokio::test]
async fn an_older_form_of_vonages_settings_changes_nothing_and_keeps_what_was_typed() {
    let house = house(Some(SecretKey::generate())).await;
    let mut one = house.signed_in("owner").await;
    let mut other = another_owner(&house, &mut one).await;
    // Both open the form before anything is set.
    let old = one.get("/vonage").await;
    let theirs = other.get("/vonage").await;
    let fields = [("application_id", APPLICATION_ID)];
    other.send(&theirs, "/vonage", &fields).await.is(200);
    let mine = [("application_id", ""), ("signature_secret", SECRET)];
    let refused = one.send(&old, "/vonage", &mine).await;
    refused
        .is(409)
        .shows("yours were not saved")
        .shows("second@example.com")
        .shows(APPLICATION_ID);
    let page = one.get("/vonage").await;
    page.shows(APPLICATION_ID);
    // Sent again from that page, the secret is entered and the id stays.
    let again = [("signature_secret", SECRET)];
    let form = [("application_id", APPLICATION_ID), again[0]];
    one.send(&refused, "/vonage", &form)
        .await
        .is(200)
        .shows(APPLICATION_ID);
    // Of an older form that changes another part, what was typed is kept.
    let typed = [("application_id", "my-own-application")];
    let refused = other.send(&theirs, "/vonage", &typed).await;
    refused
        .is(409)
        .shows("value=\"my-own-application\"")
        .shows(APPLICATION_ID);
    other
        .send(&refused, "/vonage", &typed)
        .await
        .is(200)
        .shows("my-own-application");
    house.close().await;
}

#[tokio::test]
async fn a_form_with_files_is_checked_like_any_other() {
    let house = house(Some(SecretKey::generate())).await;
    let mut owner = house.signed_in("owner").await;
    let mut colleague = house.signed_in("owner").await;
    let theirs = colleague.get("/vonage").await;
    let fields = [("application_id", APPLICATION_ID)];
    let answer = owner
        .send_file(&theirs, "/vonage", &fields, ("key_file", ""))
        .await;
    answer.is(403).shows("The form is too old");
    let page = owner.get("/vonage").await;
    let huge = "x".repeat(1 << 19);
    let answer = owner
        .send_file(&page, "/vonage", &fields, ("key_file", &huge))
        .await;
    answer.is(413).shows("too large");
    let answer = owner
        .send_file(&page, "/vonage", &fields, ("key_file", "a\0b"))
        .await;
    answer.is(422).shows("no private key");
    assert!(house.app.vonage.application_id.load().is_none());
    house.close().await;
}

thread_local! {
    /// What this thread has logged, once it listens.
    static LOGGED: RefCell<Option<Vec<u8>>> = const { RefCell::new(None) };
}

struct Log;

impl std::io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        LOGGED.with_borrow_mut(|logged| logged.get_or_insert_default().extend_from_slice(bytes));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Takes down what is logged on a thread that listens.
pub(crate) fn listening<S>() -> impl Layer<S>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    let listens = dynamic_filter_fn(|_, _| LOGGED.with_borrow(Option::is_some));
    tracing_subscriber::fmt::layer()
        .with_ansi(false)
        .with_writer(|| Log)
        .with_filter(listens)
}

#[tokio::test]
async fn no_log_shows_what_was_entered() {
    subscribe();
    LOGGED.set(Some(vec![]));
    let house = house(Some(SecretKey::generate())).await;
    let mut owner = house.signed_in("owner").await;
    let page = enter(&mut owner).await;
    let fields = [("key_text", "a-pasted-secret-that-is-no-key")];
    owner.send(&page, "/vonage", &fields).await.is(422);
    assert_eq!(webhook(&house.app, SECRET).await, StatusCode::OK);
    house
        .app
        .vonage
        .client
        .load_full()
        .unwrap()
        .try_credentials()
        .await;
    let log = String::from_utf8(LOGGED.take().unwrap()).unwrap();
    assert!(log.contains("where Vonage's settings come from"), "{log}");
    let pem = some_keys().private_key_pem.expose_secret();
    for secret in [SECRET, pem.lines().nth(1).unwrap(), "a-pasted-secret"] {
        assert!(!log.contains(secret), "{secret} in {log}");
    }
    let shown = format!("{:?}", SecretString::from(SECRET));
    assert!(!shown.contains(SECRET));
    house.close().await;
}
