//! A public URL with a path, and http where https is expected.

use docket::app::Vonage;

use crate::support::{Browser, House, PASSWORD};

/// Every address in a page: what follows `name="`.
fn addresses<'a>(text: &'a str, name: &'a str) -> impl Iterator<Item = &'a str> {
    text.split(name)
        .skip(1)
        .filter_map(|rest| rest.split('"').next())
}

#[tokio::test]
async fn under_a_path_every_link_form_and_redirect_stays_below_it() {
    let house = House::at("https://example.com/docket").await;
    let (reference, _) = house.receives("Hello").await;
    let mut browser = house.browser();
    let page = browser.get("/docket/").await;
    page.is(200);
    assert_eq!(page.at, "/docket/sign-in");
    let fields = [("email", "owner@example.com"), ("password", PASSWORD)];
    let page = browser.send(&page, "/docket/sign-in", &fields).await;
    page.is(200);
    assert_eq!(page.at, "/docket/");
    for path in [
        "/",
        "/cases/new",
        "/log",
        "/sessions",
        "/surveys",
        "/lines",
        "/vonage",
        "/setup",
        "/users",
        "/users/new",
        "/tokens",
        "/unrouted",
        "/health",
        "/reports",
        "/account",
        "/lines/new",
        "/surveys/new",
        &format!("/cases/{reference}"),
        &format!("/cases/{reference}/history"),
    ] {
        let page = browser.get(&format!("/docket{path}")).await;
        page.is(200);
        let mut count = 0;
        for name in [" href=\"", " action=\"", " src=\"", " formaction=\""] {
            for address in addresses(&page.text, name).filter(|address| address.starts_with('/')) {
                assert!(address.starts_with("/docket/"), "{path} leads to {address}");
                count += 1;
            }
        }
        assert!(count > 5, "{path} has links");
        // A proxy may strip the path as well.
        let stripped = browser.get(path).await;
        stripped.is(200).shows("/docket/assets/console.css");
    }
    browser
        .get("/docket/vonage")
        .await
        .shows("https://example.com/docket/webhooks/vonage/inbound");
    let page = browser.get("/docket/assets/console.js").await;
    page.is(200);
    browser.get("/dockets").await.is(404);
    browser.get("/docket/docket/").await.is(404);
    // A page that was wanted before signing in is found again.
    let mut other = house.browser();
    let page = other.get(&format!("/docket/cases/{reference}")).await;
    assert_eq!(
        page.at,
        format!("/docket/sign-in?next=%2Fcases%2F{reference}")
    );
    let page = other.send(&page, "/docket/sign-in", &fields).await;
    assert_eq!(page.at, format!("/docket/cases/{reference}"));
    house.close().await;
}

/// The cookies that signing in sets, and whether the answer asks for https from now on.
async fn cookies_of(browser: &mut Browser, base: &str) -> (Vec<String>, bool) {
    let page = browser.get(&format!("{base}/sign-in")).await;
    let fields = [("email", "agent@example.com"), ("password", PASSWORD)];
    let (to, body) = Browser::filled(&page, &format!("{base}/sign-in"), &fields);
    let answer = browser.once("POST", &to, Some(&body)).await;
    answer.is(303);
    let cookies = answer.headers.get_all("set-cookie").iter();
    let cookies = cookies.map(|cookie| cookie.to_str().unwrap().to_owned());
    let hsts = answer.headers.contains_key("strict-transport-security");
    (cookies.collect(), hsts)
}

#[tokio::test]
async fn cookies_are_as_safe_as_the_way_to_the_browser() {
    let peer = Some("127.0.0.1".parse().unwrap());
    for (proxies, public_url, proto, prefix, path, is_https) in [
        ("", "http://127.0.0.1", None, "", "/", false),
        // Nobody who may say so says so.
        ("", "http://127.0.0.1", Some("https"), "", "/", false),
        ("", "https://docket.example.com", None, "__Host-", "/", true),
        (
            "",
            "https://example.com/docket",
            None,
            "__Secure-",
            "/docket",
            true,
        ),
        (
            "127.0.0.1",
            "http://docket.example.com",
            Some("https"),
            "__Host-",
            "/",
            true,
        ),
        (
            "127.0.0.1",
            "http://docket.example.com",
            Some("http"),
            "",
            "/",
            false,
        ),
        (
            "127.0.0.1",
            "http://example.com/docket",
            Some("https"),
            "__Secure-",
            "/docket",
            true,
        ),
        (
            "127.0.0.1",
            "https://docket.example.com",
            Some("https"),
            "__Host-",
            "/",
            true,
        ),
    ] {
        let house = House::behind(proxies, public_url, Vonage::default(), true).await;
        let mut browser = house.browser();
        browser.peer = peer;
        browser.forwarded_proto = proto.map(str::to_owned);
        let base = if path == "/" { "" } else { path };
        let (cookies, hsts) = cookies_of(&mut browser, base).await;
        let what = format!("{public_url} by {proto:?} behind {proxies:?}: {cookies:?}");
        for name in ["docket_session", "docket_form", "docket_device_"] {
            let named = format!("{prefix}{name}");
            let cookie = cookies.iter().find(|cookie| cookie.starts_with(&named));
            let cookie = cookie.unwrap_or_else(|| panic!("no {named}: {what}"));
            assert!(cookie.contains(&format!("; Path={path};")), "{what}");
            assert_eq!(cookie.contains("; Secure"), is_https, "{what}");
        }
        assert_eq!(hsts, is_https, "{what}");
        browser
            .get(&format!("{base}/"))
            .await
            .is(200)
            .shows("agent@example.com");
        house.close().await;
    }
}

#[tokio::test]
async fn http_under_an_https_address_says_where_to_sign_in() {
    let link = "href=\"https://docket.example.com\"";
    let peer = Some("127.0.0.1".parse().unwrap());
    for (proxies, proto, host, says) in [
        ("127.0.0.1", Some("http"), "docket.example.com", true),
        ("127.0.0.1", Some("https"), "docket.example.com", false),
        ("10.0.0.1", None, "docket.example.com", true),
        ("", None, "docket.example.com", false),
        ("", None, "Docket.Example.com", false),
        ("", None, "127.0.0.1:8080", true),
    ] {
        let house = House::behind(
            proxies,
            "https://docket.example.com",
            Vonage::default(),
            true,
        )
        .await;
        let mut browser = house.browser();
        browser.peer = peer;
        browser.forwarded_proto = proto.map(str::to_owned);
        browser.host = Some(host.to_owned());
        let page = browser.get("/sign-in").await;
        page.is(200);
        assert_eq!(page.text.contains(link), says, "{host} by {proto:?}");
        // A browser keeps no cookie for https that comes over http.
        browser.cookies.clear();
        let fields = [("email", "agent@example.com"), ("password", PASSWORD)];
        let page = browser.send(&page, "/sign-in", &fields).await;
        page.is(403);
        assert_eq!(
            page.text.contains(link),
            proto != Some("https"),
            "{host} by {proto:?}"
        );
        house.close().await;
    }
    let house = House::start().await;
    let mut browser = house.browser();
    let page = browser.get("/sign-in").await;
    page.lacks("https://");
    browser.cookies.clear();
    let fields = [("email", "agent@example.com"), ("password", PASSWORD)];
    let page = browser.send(&page, "/sign-in", &fields).await;
    page.is(403).lacks("https://");
    house.close().await;
}
