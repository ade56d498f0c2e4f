//! What is recorded about people: signing in and out, failing to, and looking at cases.

use chrono::TimeDelta;
use docket::audit::Attempt;
use docket::operations::people::BeginSession;
use docket::operations::user::ChangeUser;
use docket::operations::{Administrator, Asked};
use docket_domain::access::Access;
use docket_domain::event::Event;
use docket_domain::ids::SessionId;
use docket_domain::people::attempts::{AttemptsEvent, Refusal};
use docket_domain::people::session::{SessionEvent, SignOut};
use docket_domain::people::views::CaseViewsEvent;
use docket_projections::connect::connect_options;
use docket_projections::ledger::operation::LedgerError;
use docket_projections::log::reader;
use docket_projections::log::recorded::Recorded;
use docket_projections::log::upcasters::upcasters;
use docket_projections::{accounts, rebuild, sessions};

use crate::support::{Browser, House, new_id, wait};

/// All events behind `after`, once all that was noted is recorded.
async fn recorded(house: &House, after: i64) -> Vec<Recorded> {
    house.app.audit.settled().await;
    let events = reader::page(&house.app.pool, after, 10_000).await.unwrap();
    let upcasters = upcasters();
    events
        .iter()
        .map(|event| event.decode(&upcasters).unwrap())
        .collect()
}

async fn head(house: &House) -> i64 {
    house.app.audit.settled().await;
    reader::head(&house.app.pool).await.unwrap()
}

/// The sessions among the events behind `after`; the list that one comes to is recorded too.
async fn of_sessions(house: &House, after: i64) -> Vec<Recorded> {
    let events = recorded(house, after).await.into_iter();
    events
        .filter(|recorded| matches!(recorded.event, Event::Session(_)))
        .collect()
}

/// Who looked at which case.
async fn looks(house: &House) -> Vec<(String, u32)> {
    let events = recorded(house, 0).await;
    let looks = events.iter().filter_map(|recorded| match &recorded.event {
        Event::Views(CaseViewsEvent::CaseViewed {
            reference, user_id, ..
        }) => {
            assert_eq!(recorded.metadata.actor.user_id(), Some(*user_id));
            let email = recorded.metadata.actor.email().unwrap();
            Some((email.to_owned(), reference.get()))
        }
        _ => None,
    });
    looks.collect()
}

#[tokio::test]
async fn nobody_signs_in_with_a_password_that_is_changed_as_it_is_compared() {
    let house = House::start().await;
    let pool = &house.app.pool;
    let known = accounts::password_hash(pool, "agent@example.com").await;
    let known = known.unwrap().unwrap();
    let begin = |token: u8| {
        let now = (house.app.clock)();
        house.app.ledger.submit(BeginSession {
            session_id: SessionId(new_id()),
            token_hash: [token; 32],
            password_hash: known.password_hash.clone(),
            browser: "Firefox on Linux".to_owned(),
            from: None,
            created_at: now,
            expires_at: now + TimeDelta::days(1),
            asked: Asked {
                user_id: known.user_id,
                email: "agent@example.com".to_owned(),
                access: Access::default(),
                via: docket_projections::log::recorded::Via::Api,
                token_id: None,
                request_id: None,
                idempotency: None,
            },
        })
    };
    begin(1).await.unwrap();
    let by = Administrator::System;
    let change = ChangeUser::password(known.user_id, "another hash".to_owned(), None, by);
    house.app.ledger.submit(change).await.unwrap();
    let after = head(&house).await;
    assert!(matches!(begin(2).await, Err(LedgerError::Broken)));
    assert!(recorded(&house, after).await.is_empty());
    let sessions = sessions::of_user(pool, known.user_id, (house.app.clock)()).await;
    assert!(sessions.unwrap().is_empty());
    house.close().await;
}

async fn fails(browser: &mut Browser, email: &str) -> u16 {
    let page = browser.get("/sign-in").await;
    let fields = [("email", email), ("password", "a wrong password")];
    let page = browser.send(&page, "/sign-in", &fields).await;
    page.status.as_u16()
}

#[tokio::test]
async fn signing_in_and_out_is_recorded() {
    let house = House::start().await;
    let after = head(&house).await;
    let mut here = house.signed_in("agent").await;
    let mut there = house.signed_in("agent").await;
    let mut third = house.signed_in("agent").await;
    let events = of_sessions(&house, after).await;
    assert_eq!(events.len(), 3);
    for recorded in &events {
        let Event::Session(SessionEvent::SignedIn {
            email,
            browser,
            until,
            ..
        }) = &recorded.event
        else {
            panic!("{recorded:?}")
        };
        assert_eq!(email.0, "agent@example.com");
        assert_eq!(recorded.metadata.actor.email(), Some("agent@example.com"));
        assert_eq!(browser, "Firefox on Linux");
        assert_eq!((*until - recorded.recorded_at).num_days(), 30);
        assert!(recorded.metadata.request_id.is_some());
    }

    // One ends another, then itself; the last is ended with all that are left.
    let after = head(&house).await;
    let page = here.get("/sessions").await;
    let other = page
        .text
        .split("<li>")
        .skip(1)
        .find(|row| !row.contains("This browser"))
        .and_then(|row| row.split("action=\"").nth(1)?.split('"').next())
        .unwrap()
        .to_owned();
    here.send(&page, &other, &[]).await.is(200);
    here.send(&page, "/sign-out", &[]).await;
    for browser in [&mut there, &mut third] {
        let page = browser.get("/sessions").await;
        if page.has_form("/sign-out-everywhere") {
            browser.send(&page, "/sign-out-everywhere", &[]).await;
        }
    }
    let events = of_sessions(&house, after).await;
    let ended: Vec<SignOut> = events
        .iter()
        .map(|recorded| match recorded.event {
            Event::Session(SessionEvent::SignedOut { how }) => how,
            _ => panic!("{recorded:?}"),
        })
        .collect();
    assert_eq!(
        ended,
        [SignOut::Elsewhere, SignOut::Here, SignOut::Everywhere]
    );
    for browser in [&mut here, &mut there, &mut third] {
        browser.once("GET", "/", None).await.is(303);
    }
    house.close().await;
}

#[tokio::test]
async fn failed_attempts_are_recorded_without_the_password() {
    let house = House::start().await;
    let mut browser = house.browser();
    let after = head(&house).await;
    for _ in 0..8 {
        assert_eq!(fails(&mut browser, "agent@example.com").await, 401);
    }
    assert_eq!(fails(&mut browser, "agent@example.com").await, 429);
    assert_eq!(fails(&mut browser, " Nobody@example.com\u{7}").await, 401);
    wait(600);
    let events = recorded(&house, after).await;
    let told: Vec<_> = events
        .iter()
        .map(|recorded| match &recorded.event {
            Event::Attempts(AttemptsEvent::SignInFailed {
                email,
                user_id,
                why,
                ..
            }) => format!(
                "{} {} {why:?}",
                email.as_ref().unwrap().0,
                user_id.is_some()
            ),
            Event::Attempts(AttemptsEvent::SignInFailedAgain { times, .. }) => {
                format!("{times} more")
            }
            _ => panic!("{recorded:?}"),
        })
        .collect();
    assert_eq!(
        told,
        [
            "agent@example.com true Wrong",
            "agent@example.com false TooOften",
            "Nobody@example.com false Wrong",
            "7 more"
        ]
    );
    for recorded in &events {
        let json = serde_json::to_string(&recorded.event).unwrap();
        assert!(!json.contains("wrong password"), "{json}");
    }
    house.close().await;
}

#[tokio::test]
async fn nobody_fills_the_log_by_failing() {
    let house = House::start().await;
    let after = head(&house).await;
    let attempt = |n: u32| Attempt {
        email: format!("{n}@example.com"),
        user_id: None,
        from: Some("127.0.0.1".to_owned()),
        why: Refusal::Wrong,
        at: (house.app.clock)(),
        request_id: None,
    };
    for n in 0..3_000 {
        house.app.audit.failed(attempt(n));
        house.app.audit.failed(attempt(0));
    }
    let events = recorded(&house, after).await;
    assert_eq!(
        events.len(),
        52,
        "fifty addresses, all others together, and those for which there was no place to wait"
    );
    // A stop before the time is over loses no count.
    let (pool, clock) = (house.app.pool.clone(), house.app.clock);
    house.app.audit.close().await;
    let events = reader::page(&pool, after, 1_000).await.unwrap();
    let mut counted = 0;
    for event in &events {
        match event.decode(&upcasters()).unwrap().event {
            Event::Attempts(AttemptsEvent::SignInFailed { .. }) => counted += 1,
            Event::Attempts(AttemptsEvent::SignInFailedAgain { times, until }) => {
                counted += times;
                assert_eq!(until, clock());
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(counted, 6_000);
    assert!(events.len() < 110, "{}", events.len());
    house.close().await;
}

#[tokio::test]
async fn who_looks_at_a_case_is_recorded_once_in_ten_minutes() {
    let house = House::start().await;
    house.receives("Hello").await;
    let mut agent = house.signed_in("agent").await;
    let mut auditor = house.signed_in("auditor").await;
    for path in ["/", "/cases/101", "/cases/101?view=all", "/cases/999"] {
        agent.get(path).await;
    }
    auditor.get("/cases/101/history?at=1").await.is(200);
    let by_agent = ("agent@example.com".to_owned(), 101);
    let by_auditor = ("auditor@example.com".to_owned(), 101);
    assert_eq!(looks(&house).await, [by_agent.clone(), by_auditor.clone()]);
    wait(599);
    agent.get("/cases/101").await;
    assert_eq!(looks(&house).await.len(), 2);
    wait(1);
    // An open page that refreshes itself is no look of its own; somebody who says so without an open page is recorded.
    agent.refresh("/cases/101").await;
    assert_eq!(looks(&house).await.len(), 2);
    let mut owner = house.signed_in("owner").await;
    owner.refresh("/cases/101").await;
    assert_eq!(looks(&house).await[2].0, "owner@example.com");
    agent.get("/cases/101").await;
    assert_eq!(looks(&house).await[3], by_agent);
    wait(12 * 3_600);
    agent.refresh("/cases/101").await;
    assert_eq!(looks(&house).await.len(), 5);
    house.close().await;
}

#[tokio::test]
async fn what_people_do_changes_no_case_setting_or_read_model() {
    let house = House::start().await;
    house.receives("Hello").await;
    let settings = house.app.ledger.settings().position;
    let mut agent = house.signed_in("agent").await;
    agent.get("/cases/101").await;
    fails(&mut agent, "nobody@example.com").await;
    house.app.audit.settled().await;
    house.receives("Hello again").await;
    assert_eq!(house.app.ledger.settings().position, settings);
    let page = agent.get("/cases/101").await;
    page.shows("Hello again").shows("2 messages");
    let connect = connect_options(house.database_url()).unwrap();
    let all = rebuild::models(&[]).unwrap();
    let (_, differences) = rebuild::check(&connect, &all, |_| {}).await.unwrap();
    assert_eq!(differences, []);
    house.close().await;
}

#[tokio::test]
async fn a_stop_loses_no_look() {
    let house = House::start().await;
    for _ in 0..40 {
        house.receives("#0 Another subject").await;
    }
    let mut agent = house.signed_in("agent").await;
    for reference in 101..141 {
        agent
            .once("GET", &format!("/cases/{reference}"), None)
            .await
            .is(200);
    }
    let pool = house.app.pool.clone();
    house.app.audit.close().await;
    house.app.ledger.close().await;
    let events = reader::page(&pool, 0, 10_000).await.unwrap();
    let looks = events
        .iter()
        .filter(|event| event.event_type == "CaseViewed");
    assert_eq!(looks.count(), 40);
    house.close().await;
}
