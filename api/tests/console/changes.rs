//! What pages read, and what the script of an open page fetches.

use std::cell::RefCell;
use std::sync::Once;

use docket_domain::case::News;
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::filter::dynamic_filter_fn;
use tracing_subscriber::layer::{Context, Layer, SubscriberExt as _};
use tracing_subscriber::registry;
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::support::{Browser, House, Page};
use crate::vonage;

thread_local! {
    /// The statements that this thread has sent to the database, while somebody counts them.
    static SENT: RefCell<Option<Vec<String>>> = const { RefCell::new(None) };
}

/// Notes the statements of each thread that counts them.
struct Statements;

impl<S: Subscriber> Layer<S> for Statements {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        if event.metadata().target() == "sqlx::query" {
            let mut statement = Summary::default();
            event.record(&mut statement);
            // A new connection is set up once, and the ledger announces what it wrote.
            let is_of_page = ["set_config", "pg_notify"]
                .iter()
                .all(|other| !statement.0.contains(other));
            if is_of_page {
                SENT.with_borrow_mut(|sent| {
                    if let Some(sent) = sent {
                        sent.push(statement.0);
                    }
                });
            }
        }
    }
}

/// The beginning of a statement.
#[derive(Default)]
struct Summary(String);

impl Visit for Summary {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        if field.name() == "summary" {
            self.0 = format!("{value:?}");
        }
    }
}

/// Makes the process' only subscriber: one of a thread alone misses events that another thread without one has met first.
pub(crate) fn subscribe() {
    static SUBSCRIBED: Once = Once::new();
    SUBSCRIBED.call_once(|| {
        let counts = dynamic_filter_fn(|_, _| SENT.with_borrow(Option::is_some));
        registry()
            .with(Statements.with_filter(counts))
            .with(vonage::listening())
            .init();
    });
}

/// The statements that opening a page takes, and the page.
async fn counted(browser: &mut Browser, path: &str) -> (Vec<String>, Page) {
    subscribe();
    SENT.set(Some(vec![]));
    let page = browser.get(path).await;
    (SENT.take().unwrap(), page)
}

#[tokio::test]
async fn a_case_page_takes_nine_statements_and_a_list_six() {
    let house = House::start().await;
    for number in 0..60 {
        house.receives(&format!("Message {number}.")).await;
    }
    for _ in 0..45 {
        house.receives("#0 Another case").await;
    }
    let survey_id = house.app.ledger.settings().survey_rows()[0].survey_id;
    for is_kept in [false, true] {
        if is_kept {
            house.keeps_agent_to(Some(vec![survey_id])).await;
        }
        let mut agent = house.signed_in("agent").await;
        // That somebody looks at it is recorded behind the page, once.
        agent.get("/cases/101").await.is(200);
        house.receives("#101 News").await;
        house.app.audit.settled().await;
        for (path, most) in [("/cases/101", 9), ("/cases/101", 8), ("/", 6)] {
            let (statements, page) = counted(&mut agent, path).await;
            page.is(200);
            assert!(
                (3..=most).contains(&statements.len()),
                "{path} takes {statements:#?}"
            );
        }
    }
    house.close().await;
}

/// The part of an open page's case and list.
async fn fetched(browser: &mut Browser, seen: &str, path: &str) -> Page {
    let headers = [("docket-live", seen)];
    let part = browser.with_headers("GET", path, &headers, None).await;
    part.is(200).lacks("<html").lacks("class=\"desk\"");
    part
}

fn items(part: &Page) -> &str {
    let rest = part.text.split("<ol id=\"items\"").nth(1).unwrap();
    rest.split("</ol>").next().unwrap()
}

#[tokio::test]
async fn a_page_fetches_what_changed_since_its_version() {
    let house = House::start().await;
    house.receives("Hello").await;
    let (_, later) = house.receives("When do you open?").await;
    let mut agent = house.signed_in("agent").await;
    let page = agent.get("/cases/101").await;
    let fields = [("text", "At nine"), ("as", "reply")];
    agent.send(&page, "/cases/101/write", &fields).await;
    let reply = house.last_reply(101).await;

    // Nothing since: nothing but what stands around the thread.
    let path = "/cases/101/changes?since=4&first=1";
    let part = fetched(&mut agent, "shown", path).await;
    assert!(!items(&part).contains("<li"), "{}", part.text);
    part.shows("data-version=\"4\"").shows("id=\"details\"");

    // What was said since, and what became of a message from before.
    house.receives("Thanks").await;
    let delivered = News::Delivered {
        at_is_arrival: false,
        at: (house.app.clock)(),
    };
    house.sends(reply, delivered).await;
    let part = fetched(&mut agent, "shown", path).await;
    let text = items(&part);
    assert!(
        text.contains("Thanks") && text.contains("Delivered"),
        "{text}"
    );
    assert!(
        text.contains("At nine") && !text.contains("When do you open?"),
        "{text}"
    );
    assert!(text.contains("data-news"), "{text}");
    // What the reader says themselves is no news to them.
    let mut owner = house.signed_in("owner").await;
    let page = owner.get("/cases/101").await;
    let fields = [("text", "From me"), ("as", "reply")];
    owner.send(&page, "/cases/101/write", &fields).await;
    let since = page.text.split("data-version=\"").nth(1).unwrap();
    let since = since.split('"').next().unwrap();
    let own = format!("/cases/101/changes?since={since}&first=1");
    assert!(!items(&fetched(&mut owner, "shown", &own).await).contains("data-news"));
    assert!(items(&fetched(&mut agent, "shown", &own).await).contains("data-news"));

    // A message that was moved away stands there no more.
    let path = format!("/cases/101/messages/{later}/move");
    let form = agent.get(&path).await;
    agent.send(&form, &path, &[("to", "")]).await.is(200);
    let part = fetched(&mut agent, "hidden", "/cases/101/changes?since=4&first=1").await;
    let text = items(&part);
    assert!(text.contains("data-gone=\"i3-0\""), "{text}");
    assert!(!text.contains("id=\"i3-0\""), "{text}");
    // Of what lies before the first item that the page shows nothing comes.
    let part = fetched(&mut agent, "hidden", "/cases/101/changes?since=4&first=4").await;
    assert!(items(&part).contains("data-gone=\"\""), "{}", part.text);
    house.close().await;
}

#[tokio::test]
async fn what_is_too_much_comes_as_the_end_of_the_thread() {
    let house = House::start().await;
    for number in 0..120 {
        house.receives(&format!("Message {number}.")).await;
    }
    let mut agent = house.signed_in("agent").await;
    let part = fetched(&mut agent, "shown", "/cases/101/changes?since=1&first=1").await;
    part.shows("data-whole")
        .shows("Message 119.")
        .lacks("Message 69.");
    part.shows("/cases/101?before=");
    let part = fetched(&mut agent, "shown", "/cases/101/changes?since=60&first=30").await;
    part.lacks("data-whole")
        .shows("Message 119.")
        .shows("Message 59.");
    part.lacks("Message 58.");
    house.close().await;
}

#[tokio::test]
async fn rows_of_the_list_come_one_by_one() {
    let house = House::start().await;
    house.receives("First").await;
    house.receives("#0 Second").await;
    house.receives("#0 Third").await;
    let mut agent = house.signed_in("agent").await;
    let part = fetched(&mut agent, "shown", "/rows?rows=101,103,999").await;
    part.shows("data-asked=\"101 103 999\"")
        .shows("id=\"c101\"");
    part.shows("id=\"c103\"")
        .lacks("id=\"c102\"")
        .lacks("id=\"c999\"");
    part.shows("Unread <span class=\"count\">3</span>");
    // A row that stands on the page no more is missing.
    let page = agent.get("/cases/101").await;
    let closing = [("value", "Resolved")];
    agent.send(&page, "/cases/101/status", &closing).await;
    let part = fetched(&mut agent, "shown", "/rows?rows=101,102").await;
    part.lacks("id=\"c101\"").shows("id=\"c102\"");
    let part = fetched(&mut agent, "shown", "/rows?view=closed&rows=101,102").await;
    part.shows("id=\"c101\"").lacks("id=\"c102\"");
    let part = fetched(&mut agent, "shown", "/rows?q=third&rows=102,103").await;
    part.shows("id=\"c103\"").lacks("id=\"c102\"");
    // Without rows it is the whole list.
    let part = fetched(&mut agent, "shown", "/rows").await;
    part.shows("id=\"entries\"")
        .shows("id=\"c102\"")
        .lacks("id=\"c101\"");
    house.close().await;
}

#[tokio::test]
async fn only_a_part_that_somebody_sees_is_read() {
    let house = House::start().await;
    house.receives("Hello").await;
    let mut agent = house.signed_in("agent").await;
    let unread = "Unread <span class=\"count\">1</span>";
    let path = "/cases/101/changes?since=1&first=1";
    fetched(&mut agent, "hidden", path).await.shows(unread);
    // Who does not say that it is seen has it not seen.
    agent.get(path).await.shows(unread);
    agent.get("/cases/101/earlier?before=9").await.is(200);
    agent.get("/").await.shows(unread);
    fetched(&mut agent, "shown", path).await.lacks(unread);
    house.close().await;
}

#[tokio::test]
async fn closing_over_what_was_not_seen_is_offered_as_such() {
    let house = House::start().await;
    house.receives("Hello").await;
    let mut agent = house.signed_in("agent").await;
    let page = agent.get("/cases/101").await;
    page.shows("<span>Close case</span>")
        .lacks("<span>Close anyway</span>");
    house.receives("One more thing").await;
    let close = "/cases/101/status";
    let refused = agent.send(&page, close, &[("value", "Resolved")]).await;
    refused
        .is(409)
        .shows("One more thing")
        .shows("<span>Close anyway</span>");
    let closed = agent.send(&refused, close, &[]).await;
    closed.is(200).lacks("<span>Close");
    house.close().await;
}

#[tokio::test]
async fn a_message_is_moved_into_a_case_that_is_typed() {
    let house = House::start().await;
    house.receives("Hello").await;
    let (_, message_id) = house.receives("Another subject").await;
    house.receives("#0 That one").await;
    let mut agent = house.signed_in("agent").await;
    let path = format!("/cases/101/messages/{message_id}/move");
    let form = agent.get(&path).await;
    for (wrong, status) in [("x", 422), ("#999", 409)] {
        let refused = agent.send(&form, &path, &[("reference", wrong)]).await;
        let field = format!("name=\"reference\" value=\"{wrong}\"");
        refused.is(status).shows(&field).shows("role=\"alert\"");
    }
    let moved = agent.send(&form, &path, &[("reference", " #102 ")]).await;
    moved.is(200).shows("Another subject");
    assert!(moved.at.starts_with("/cases/102"), "{}", moved.at);
    house.close().await;
}

#[tokio::test]
async fn pages_are_compressed_and_their_secrets_are_another_each_time() {
    let house = House::start().await;
    house.receives("Hello").await;
    let mut agent = house.signed_in("agent").await;
    let csrf = |page: &Page| {
        let rest = page.text.split("name=\"csrf\" value=\"").nth(1).unwrap();
        rest.split('"').next().unwrap().to_owned()
    };
    let (first, second) = (agent.get("/").await, agent.get("/").await);
    assert_ne!(csrf(&first), csrf(&second));
    // Both are good.
    for page in [&first, &second] {
        let fields = [("do", "unread"), ("case", "101")];
        agent.send(page, "/cases/several", &fields).await.is(200);
    }
    for path in ["/", "/cases/101", "/assets/live.js"] {
        let head = agent.compressed(path).await;
        assert_eq!(head["content-encoding"], "gzip", "{path}");
    }
    let head = agent.compressed("/live?after=0").await;
    assert!(!head.contains_key("content-encoding"));
    assert_eq!(head["content-type"], "text/event-stream");
    house.close().await;
}
