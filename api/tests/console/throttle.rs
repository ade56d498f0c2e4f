//! Who is kept out by wrong passwords, and who is not.

use docket::app::Vonage;

use crate::support::{Browser, House, PASSWORD, Page, wait};

async fn attempt(browser: &mut Browser, email: &str, password: &str) -> Page {
    let page = browser.get("/sign-in").await;
    let fields = [("email", email), ("password", password)];
    browser.send(&page, "/sign-in", &fields).await
}

/// Tries passwords for many accounts until one is refused as one of too many; gives how many were looked at.
async fn tries_many(browser: &mut Browser) -> usize {
    for count in 0..100 {
        let email = format!("nobody{count}@example.com");
        let answer = attempt(browser, &email, "not the password").await;
        if answer.status == 429 {
            return count;
        }
        answer.is(401);
    }
    100
}

async fn behind(proxies: &str) -> House {
    House::behind(
        proxies,
        "https://docket.example.com",
        Vonage::default(),
        true,
    )
    .await
}

fn coming(house: &House, peer: &str, forwarded_for: Option<&str>) -> Browser {
    let mut browser = house.browser();
    browser.peer = Some(peer.parse().unwrap());
    browser.forwarded_for = forwarded_for.map(str::to_owned);
    browser
}

#[tokio::test]
async fn attempts_of_one_place_leave_other_places_alone() {
    let house = behind("127.0.0.1").await;
    let mut stranger = coming(&house, "127.0.0.1", Some("203.0.113.9"));
    assert_eq!(tries_many(&mut stranger).await, 40);
    // Whatever the stranger writes in front of what the proxy says.
    let mut disguised = coming(&house, "127.0.0.1", Some("198.51.100.1, 203.0.113.9"));
    assert_eq!(tries_many(&mut disguised).await, 0);
    let mut agent = coming(&house, "127.0.0.1", Some("198.51.100.1"));
    attempt(&mut agent, "agent@example.com", PASSWORD)
        .await
        .is(200);
    house.close().await;
}

#[tokio::test]
async fn wrong_passwords_for_an_account_from_one_place_keep_its_owner_out_nowhere_else() {
    let house = behind("127.0.0.1").await;
    let mut stranger = coming(&house, "127.0.0.1", Some("203.0.113.9"));
    for _ in 0..8 {
        attempt(&mut stranger, "agent@example.com", "not the password")
            .await
            .is(401);
    }
    for _ in 0..100 {
        attempt(&mut stranger, "agent@example.com", "not the password")
            .await
            .is(429);
    }
    let mut agent = coming(&house, "127.0.0.1", Some("198.51.100.1"));
    attempt(&mut agent, "agent@example.com", PASSWORD)
        .await
        .is(200);
    // Many places together have few attempts at one account as well.
    let mut looked_at = 0;
    for place in 2..30 {
        let from = format!("198.51.100.{place}");
        let mut stranger = coming(&house, "127.0.0.1", Some(&from));
        for _ in 0..3 {
            let answer = attempt(&mut stranger, "owner@example.com", "not the password").await;
            looked_at += usize::from(answer.status == 401);
        }
    }
    assert_eq!(looked_at, 40);
    house.close().await;
}

#[tokio::test]
async fn a_proxy_that_nobody_named_shuts_nobody_out() {
    let house = behind("").await;
    let mut stranger = coming(&house, "127.0.0.1", Some("203.0.113.9"));
    assert_eq!(tries_many(&mut stranger).await, 100);
    let mut agent = coming(&house, "127.0.0.1", Some("198.51.100.1"));
    attempt(&mut agent, "agent@example.com", PASSWORD)
        .await
        .is(200);
    // And nobody's word is taken for where they are.
    let mut stranger = coming(&house, "203.0.113.9", Some("198.51.100.1"));
    assert_eq!(tries_many(&mut stranger).await, 40);
    stranger.forwarded_for = Some("198.51.100.2".to_owned());
    assert_eq!(tries_many(&mut stranger).await, 0);
    house.close().await;
}

#[tokio::test]
async fn who_signed_in_before_is_not_kept_out_by_others() {
    let house = behind("").await;
    let email = "agent@example.com";
    let mut agent = coming(&house, "203.0.113.5", None);
    let page = attempt(&mut agent, email, PASSWORD).await;
    page.is(200);
    agent.cookies.remove("docket_session");

    // Somebody tries the account's passwords, and everybody's from the same place.
    let mut stranger = coming(&house, "203.0.113.5", None);
    tries_many(&mut stranger).await;
    let mut elsewhere = coming(&house, "203.0.113.6", None);
    for _ in 0..8 {
        attempt(&mut elsewhere, email, "not the password")
            .await
            .is(401);
    }
    attempt(&mut elsewhere, email, PASSWORD).await.is(429);

    attempt(&mut agent, email, PASSWORD).await.is(200);
    agent.cookies.remove("docket_session");
    // The browser gives as many attempts as an account, and not for another one.
    for _ in 0..8 {
        attempt(&mut agent, email, "not the password").await.is(401);
    }
    attempt(&mut agent, email, PASSWORD).await.is(429);
    attempt(&mut agent, "owner@example.com", PASSWORD)
        .await
        .is(429);
    wait(61);
    attempt(&mut agent, email, PASSWORD).await.is(200);
    house.close().await;
}

#[tokio::test]
async fn a_browser_stays_known_when_its_password_is_changed_there_and_nowhere_else() {
    let house = behind("").await;
    let email = "agent@example.com";
    let new = "another horse battery";
    let known = |browser: &Browser| {
        let name = browser
            .cookies
            .keys()
            .find(|name| name.contains("docket_device_"));
        browser.cookies[name.unwrap()].clone()
    };
    let mut here = coming(&house, "203.0.113.5", None);
    let mut there = coming(&house, "203.0.113.6", None);
    for browser in [&mut here, &mut there] {
        attempt(browser, email, PASSWORD).await.is(200);
    }
    let before = known(&here);
    let page = here.get("/account").await;
    let fields = [
        ("old-password", PASSWORD),
        ("new-password", new),
        ("again-password", new),
    ];
    here.send(&page, "/account/password", &fields).await.is(200);
    assert_ne!(known(&here), before);

    // Somebody in the other place uses up its attempts; here nothing is left of other places' either.
    for place in [6, 7, 8, 9, 10, 11] {
        let mut stranger = coming(&house, &format!("203.0.113.{place}"), None);
        for _ in 0..8 {
            attempt(&mut stranger, email, PASSWORD).await;
        }
    }
    here.cookies.remove("docket_session");
    there.cookies.remove("docket_session");
    attempt(&mut there, email, new).await.is(429);
    attempt(&mut here, email, new).await.is(200);
    house.close().await;
}

#[tokio::test]
async fn the_cookie_of_a_known_browser_is_kept_from_scripts_and_plain_http() {
    let house = behind("").await;
    let mut browser = house.browser();
    let page = browser.get("/sign-in").await;
    let fields = [("email", "agent@example.com"), ("password", PASSWORD)];
    let (to, body) = Browser::filled(&page, "/sign-in", &fields);
    let answer = browser.once("POST", &to, Some(&body)).await;
    let cookie = answer
        .headers
        .get_all("set-cookie")
        .iter()
        .filter_map(|cookie| cookie.to_str().ok())
        .find(|cookie| cookie.contains("docket_device_"))
        .unwrap();
    for part in [
        "; HttpOnly",
        "; SameSite=Lax",
        "; Secure",
        "; Max-Age=31536000",
    ] {
        assert!(cookie.contains(part), "{cookie}");
    }
    house.close().await;
}

#[tokio::test]
async fn what_is_recorded_names_the_place_behind_the_proxy() {
    let house = behind("127.0.0.1").await;
    let mut browser = coming(&house, "127.0.0.1", Some("198.51.100.1"));
    attempt(&mut browser, "agent@example.com", PASSWORD)
        .await
        .is(200);
    let mut auditor = house.signed_in("auditor").await;
    auditor.get("/log").await.shows("198.51.100.1");
    house.close().await;
}
