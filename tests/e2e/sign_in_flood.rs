//! A flood of sign-ins from one place must keep nobody out elsewhere, and nobody whose browser is known.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use docket_tests::installation::Installation;
use docket_tests::waiting::{BOUND, expect_that, wait_until};
use reqwest::header::{COOKIE, HeaderMap, RETRY_AFTER, SET_COOKIE};
use reqwest::{Client, StatusCode};

const PASSWORD: &str = "correct horse battery";
const OWNER: &str = "owner@example.com";
const FLOOD: usize = 2_000;
/// Where the flood comes from, by the word of the proxy.
const STRANGER: &str = "203.0.113.9";
const ELSEWHERE: &str = "198.51.100.1";
/// How long somebody else's sign-in may take meanwhile. Without optimisation most of it is the time
/// that the flood takes of the cores that this test shares with it.
const LONGEST: Duration = Duration::from_secs(if cfg!(debug_assertions) { 8 } else { 2 });

/// A browser somewhere.
#[derive(Clone)]
struct Browser {
    client: Client,
    url: String,
    from: &'static str,
    cookies: Vec<String>,
    csrf: String,
}

impl Browser {
    fn new(client: &Client, url: &str, from: &'static str) -> Self {
        Self {
            client: client.clone(),
            url: format!("{url}/sign-in"),
            from,
            cookies: vec![],
            csrf: String::new(),
        }
    }

    fn keep(&mut self, headers: &HeaderMap) {
        for cookie in headers.get_all(SET_COOKIE) {
            let cookie = cookie.to_str().unwrap().split(';').next().unwrap();
            let (name, value) = cookie.split_once('=').unwrap();
            let of_name = format!("{name}=");
            self.cookies.retain(|kept| !kept.starts_with(&of_name));
            if !value.is_empty() {
                self.cookies.push(cookie.to_owned());
            }
        }
    }

    async fn opens_the_form(&mut self) {
        let request = self.client.get(&self.url);
        let request = request
            .header("x-forwarded-for", self.from)
            .header(COOKIE, self.cookies.join("; "));
        let answer = request.send().await.unwrap();
        self.keep(answer.headers());
        let page = answer.text().await.unwrap();
        let csrf = page.split("name=\"csrf\" value=\"").nth(1).unwrap();
        csrf.split('"').next().unwrap().clone_into(&mut self.csrf);
    }

    /// The answer's status, and whether it says when to come again.
    async fn sends(
        &mut self,
        email: &str,
        password: &str,
    ) -> Result<(StatusCode, bool), reqwest::Error> {
        let form = [
            ("csrf", self.csrf.as_str()),
            ("email", email),
            ("password", password),
        ];
        let request = self
            .client
            .post(&self.url)
            .header("x-forwarded-for", self.from);
        let request = request.header(COOKIE, self.cookies.join("; ")).form(&form);
        let answer = request.send().await?;
        self.keep(answer.headers());
        let says_when = answer.headers().contains_key(RETRY_AFTER);
        let status = answer.status();
        answer.bytes().await?;
        Ok((status, says_when))
    }

    /// Opens the form and signs the owner in; how long that took.
    async fn signs_in(&mut self) -> Duration {
        let began = Instant::now();
        self.opens_the_form().await;
        let (status, _) = self.sends(OWNER, PASSWORD).await.unwrap();
        assert_eq!(status, StatusCode::SEE_OTHER, "from {}", self.from);
        began.elapsed()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_from_one_place_keeps_nobody_out_elsewhere_nor_in_a_known_browser() {
    let mut installation = Installation::new().await;
    for (name, value) in [
        ("DOCKET_TRUSTED_PROXIES", "127.0.0.1"),
        ("DOCKET_OWNER_EMAIL", OWNER),
        ("DOCKET_OWNER_PASSWORD", PASSWORD),
    ] {
        installation.set(name, value);
    }
    let docket = installation.serve().await;
    let redirects = reqwest::redirect::Policy::none();
    let client = Client::builder().redirect(redirects).timeout(BOUND * 4);
    let client = client.no_proxy().build().unwrap();
    // The known browser is where the flood will come from: in the same office.
    let mut known = Browser::new(&client, docket.url(), STRANGER);
    known.signs_in().await;
    known
        .cookies
        .retain(|cookie| !cookie.starts_with("docket_session="));

    let mut stranger = Browser::new(&client, docket.url(), STRANGER);
    stranger.opens_the_form().await;
    let answered = Arc::new(AtomicUsize::new(0));
    let flood: Vec<_> = (0..FLOOD)
        .map(|n| {
            let (mut stranger, answered) = (stranger.clone(), Arc::clone(&answered));
            tokio::spawn(async move {
                // Each a browser of its own to the server, some of them at the owner's account.
                let email = match n % 4 {
                    0 => OWNER.to_owned(),
                    _ => format!("nobody{n}@example.com"),
                };
                let answer = stranger.sends(&email, "not the password").await;
                answered.fetch_add(1, Ordering::Relaxed);
                answer
            })
        })
        .collect();
    wait_until("the flood is under way", BOUND, async || {
        let answered = answered.load(Ordering::Relaxed);
        expect_that(answered >= 20, || answered)
    })
    .await;
    let mut elsewhere = Browser::new(&client, docket.url(), ELSEWHERE);
    let (of_elsewhere, of_known) = tokio::join!(elsewhere.signs_in(), known.signs_in());
    assert!(of_elsewhere < LONGEST, "elsewhere took {of_elsewhere:?}");
    assert!(of_known < LONGEST, "the known browser took {of_known:?}");
    let mut refused = 0;
    for one in flood {
        // Of so many connections at once the system itself resets some.
        let Ok((status, says_when)) = one.await.unwrap() else {
            refused += 1;
            continue;
        };
        assert!(
            [StatusCode::UNAUTHORIZED, StatusCode::TOO_MANY_REQUESTS].contains(&status),
            "{status}"
        );
        if status == StatusCode::TOO_MANY_REQUESTS {
            assert!(says_when, "429 without Retry-After");
            refused += 1;
        }
    }
    assert!(refused >= FLOOD - 60, "only {refused} were turned away");
    docket.stop().await;
    installation.close().await;
}
