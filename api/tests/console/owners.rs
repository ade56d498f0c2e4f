//! Users, accounts and tokens: who may open and send what, and what comes of it.

use axum::http::Request;
use docket_domain::ids::{Reference, UserId};
use docket_projections::read::cases;
use docket_projections::read::users::{self, UserRow};

use tower::ServiceExt as _;

use crate::support::{Browser, House, PASSWORD, Page, wait};

/// Who gets past the door of a route.
#[derive(Clone, Copy, Debug, PartialEq)]
enum May {
    /// Everybody who is signed in.
    All,
    /// Owners and agents.
    Act,
    /// Owners and auditors.
    See,
    /// Owners.
    SetUp,
}

const NOBODY: &str = "00000000-0000-0000-0000-0000000000ff";

/// Every route of `console/owners.rs`; a new one needs a row here.
const ROUTES: [(&str, &str, May); 27] = [
    ("GET", "/account", May::All),
    ("POST", "/account/name", May::All),
    ("POST", "/account/notifications", May::All),
    ("POST", "/account/password", May::All),
    ("POST", "/account/preferences", May::All),
    ("GET", "/tokens", May::All),
    ("POST", "/tokens", May::Act),
    ("POST", "/tokens/{id}/revoke", May::Act),
    ("GET", "/users", May::See),
    ("GET", "/users/{id}", May::See),
    ("GET", "/unrouted", May::See),
    ("GET", "/health", May::See),
    ("GET", "/reports", May::See),
    ("GET", "/reports/{id}", May::See),
    ("POST", "/health/lines/{id}/resume", May::SetUp),
    ("POST", "/unrouted/route", May::SetUp),
    ("POST", "/unrouted/{id}/route", May::SetUp),
    ("GET", "/users/new", May::SetUp),
    ("POST", "/users", May::SetUp),
    ("GET", "/users/services/new", May::SetUp),
    ("POST", "/users/services", May::SetUp),
    ("POST", "/users/{id}/tokens", May::SetUp),
    ("POST", "/users/{id}/name", May::SetUp),
    ("POST", "/users/{id}/rights", May::SetUp),
    ("POST", "/users/{id}/password", May::SetUp),
    ("POST", "/users/{id}/remove", May::SetUp),
    ("POST", "/users/{id}/cases", May::SetUp),
];

#[test]
fn the_table_of_routes_is_whole() {
    let source = include_str!("../../src/console/owners.rs");
    let mut routes = vec![];
    for rest in source.split(".route(").skip(1) {
        let path = rest.split('"').nth(1).unwrap();
        let end = rest.find(".route").unwrap_or(rest.len());
        let shape: Vec<&str> = path
            .split('/')
            .map(|part| if part.starts_with('{') { "{id}" } else { part })
            .collect();
        for (method, call) in [("GET", "get("), ("POST", "post(")] {
            if rest[..end].contains(call) {
                routes.push((method, shape.join("/")));
            }
        }
    }
    routes.sort();
    let mut rows: Vec<(&str, String)> = ROUTES
        .iter()
        .map(|(method, path, _)| (*method, (*path).to_owned()))
        .collect();
    rows.sort();
    assert_eq!(routes, rows);
}

#[tokio::test]
async fn every_route_is_open_to_those_who_may_and_to_nobody_else() {
    let house = House::start().await;
    let mut stranger = house.browser();
    for (method, path, _) in ROUTES {
        let body = (method == "POST").then_some("csrf=x");
        let answer = stranger
            .once(method, &path.replace("{id}", NOBODY), body)
            .await;
        answer.is(303);
        let to = answer.headers["location"].to_str().unwrap();
        assert!(to.starts_with("/sign-in"), "{method} {path} leads to {to}");
    }
    for role in ["owner", "agent", "auditor"] {
        let mut browser = house.signed_in(role).await;
        let page = browser.get("/").await;
        let (_, csrf) = Browser::filled(&page, "/sign-out", &[]);
        for (method, path, may) in ROUTES {
            let path = path.replace("{id}", NOBODY);
            let may = match may {
                May::All => true,
                May::Act => role != "auditor",
                May::See => role != "agent",
                May::SetUp => role == "owner",
            };
            if method == "POST" {
                // A form of somebody else's is refused whoever sends it.
                browser.once("POST", &path, Some("csrf=x")).await.is(403);
            }
            // The form has no fields, so that whoever may changes nothing.
            let body = (method == "POST").then_some(csrf.as_str());
            let answer = browser.once(method, &path, body).await;
            let status = answer.status.as_u16();
            assert_eq!(status != 403, may, "{role} {method} {path}: {status}");
            assert!(status < 500, "{role} {method} {path}: {status}");
            if method == "GET" {
                answer.lacks(" style=").lacks(" onclick=");
            }
        }
    }
    house.close().await;
}

#[tokio::test]
async fn auditors_see_no_form_that_would_be_refused() {
    let house = House::start().await;
    let agent = house.user("agent@example.com").await;
    let mut auditor = house.signed_in("auditor").await;
    for path in [
        "/users".to_owned(),
        format!("/users/{}", agent.user_id),
        "/tokens".to_owned(),
    ] {
        let page = auditor.get(&path).await;
        page.is(200);
        // The form to sign out is on every page.
        assert_eq!(
            page.text.matches("<form").count(),
            1,
            "{path}: {}",
            page.text
        );
        page.lacks("/users/new");
    }
    house.close().await;
}

impl House {
    pub(crate) async fn user(&self, email: &str) -> UserRow {
        let user = users::find_by_email(&self.app.pool, email).await.unwrap();
        user.unwrap_or_else(|| panic!("no user {email}"))
    }
}

/// Signs in with that password; the page that follows.
async fn sign_in(browser: &mut Browser, email: &str, password: &str) -> Page {
    let page = browser.get("/sign-in").await;
    let fields = [("email", email), ("password", password)];
    browser.send(&page, "/sign-in", &fields).await
}

/// What a page shows once and never again.
fn secret(page: &Page) -> String {
    let rest = page.text.split("class=\"secret\" tabindex=\"0\">").nth(1);
    let rest = rest.unwrap_or_else(|| panic!("no secret in {}", page.text));
    rest.split('<').next().unwrap().to_owned()
}

#[tokio::test]
async fn a_service_account_gets_a_token_and_the_history_names_both() {
    let house = House::start().await;
    house.receives("Hello").await;
    let mut owner = house.signed_in("owner").await;
    let form = owner.get("/users/services/new").await;
    let fields = [
        ("name", "Night import"),
        ("role", "agent"),
        ("reach", "all"),
    ];
    let page = owner.send(&form, "/users/services", &fields).await;
    page.is(200)
        .shows("Night import")
        .shows("Service account")
        .lacks("type=\"password\"");
    let again = owner.get("/users/services/new").await;
    owner
        .send(&again, "/users/services", &fields)
        .await
        .is(409)
        .shows("service account with that name already");
    let path = page.at.split('?').next().unwrap().to_owned();
    let (to, body) = Browser::filled(&page, &format!("{path}/tokens"), &[("name", "spring")]);
    let made = owner.post(&to, &body).await;
    let token = secret(made.is(200));
    assert!(token.starts_with("docket_"), "{token}");

    let request = Request::put("/api/v1/cases/101/title")
        .header("authorization", format!("Bearer {token}"))
        .header("content-type", "application/json")
        .body(axum::body::Body::from(r#"{"title":"Imported"}"#))
        .unwrap();
    let answer = docket::http::router(house.app.clone()).oneshot(request);
    assert!(answer.await.unwrap().status().is_success());
    let history = owner.get("/cases/101/history").await;
    history.shows("Night import, by token “spring”");

    // For a person there is no such form.
    let person = users::find_by_email(&house.app.pool, "agent@example.com").await;
    let person = format!("/users/{}/tokens", person.unwrap().unwrap().user_id);
    let forged = body.clone();
    owner.post(&person, &forged).await.is(404);
    house.close().await;
}

#[tokio::test]
async fn somebody_is_added_with_a_password_that_is_shown_once() {
    let house = House::start().await;
    let mut owner = house.signed_in("owner").await;
    let form = owner.get("/users/new").await;
    let fields = [
        ("email", "New@Example.com"),
        ("role", "agent"),
        ("reach", "all"),
    ];
    let (to, body) = Browser::filled(&form, "/users", &fields);
    let page = owner.post(&to, &body).await;
    page.is(200).shows("new@example.com was added");
    assert_eq!(page.headers["cache-control"], "no-store");
    let password = secret(&page);
    assert_eq!(password.len(), 20);
    let mut new = house.browser();
    sign_in(&mut new, "new@example.com", &password)
        .await
        .is(200)
        .shows("new@example.com");
    // The same form once more adds nobody and shows nothing.
    let again = owner.post(&to, &body).await;
    again
        .is(200)
        .lacks("class=\"secret\"")
        .shows("sent a second time");
    owner.get("/users").await.lacks(&password);
    assert_eq!(users::all(&house.app.pool).await.unwrap().len(), 4);

    // One that the owner chose is not shown.
    let form = owner.get("/users/new").await;
    let fields = [
        ("email", "other@example.com"),
        ("role", "auditor"),
        ("reach", "all"),
        ("password", "an agreed password"),
    ];
    let page = owner.send(&form, "/users", &fields).await;
    page.is(200)
        .shows("The user was added.")
        .shows("other@example.com")
        .lacks("an agreed password");
    assert_eq!(page.at, "/users?done=added");
    sign_in(
        &mut house.browser(),
        "other@example.com",
        "an agreed password",
    )
    .await
    .is(200)
    .shows("Auditor");
    house.close().await;
}

#[tokio::test]
async fn what_cannot_be_added_is_refused_with_a_reason() {
    let house = House::start().await;
    let mut owner = house.signed_in("owner").await;
    for (email, role, password, status, reason) in [
        (
            "agent@example.com",
            "agent",
            "",
            409,
            "that address already",
        ),
        ("no address", "agent", "", 422, "must be an address"),
        ("new@example.com", "", "", 422, "Choose a role."),
        ("new@example.com", "king", "", 422, "Choose a role."),
        (
            "new@example.com",
            "agent",
            "short",
            422,
            "10 characters or more",
        ),
    ] {
        let form = owner.get("/users/new").await;
        let fields = [
            ("email", email),
            ("role", role),
            ("reach", "all"),
            ("password", password),
        ];
        let page = owner.send(&form, "/users", &fields).await;
        page.is(status).shows(reason).shows(email);
        if !password.is_empty() {
            page.lacks(password);
        }
    }
    assert_eq!(users::all(&house.app.pool).await.unwrap().len(), 3);
    house.close().await;
}

#[tokio::test]
async fn rights_are_changed_and_a_form_without_a_choice_opens_nothing() {
    let house = House::start().await;
    let agent = house.user("agent@example.com").await.user_id;
    let survey = docket_projections::read::surveys::all(&house.app.pool).await;
    let survey_id = survey.unwrap()[0].survey_id;
    let mut owner = house.signed_in("owner").await;
    let path = format!("/users/{agent}");
    let action = format!("{path}/rights");
    let page = owner.get(&path).await;
    let ticked = format!("survey-{survey_id}");
    let fields = [("role", "agent"), ("reach", "only"), (&*ticked, "on")];
    let page = owner.send(&page, &action, &fields).await;
    page.is(200).shows("What may be done was changed.");
    let surveys = || async { house.user("agent@example.com").await.access.surveys() };
    assert_eq!(surveys().await, Some(vec![survey_id]));
    page.shows(&format!("name=\"{ticked}\" value=\"on\" checked"));

    let page = owner.send(&page, &action, &[("role", "agent")]).await;
    page.is(200).shows("No survey yet");
    assert_eq!(surveys().await, Some(vec![]));
    let fields = [("role", "auditor"), ("reach", "all")];
    owner
        .send(&page, &action, &fields)
        .await
        .is(200)
        .shows("All surveys");
    let user = house.user("agent@example.com").await;
    assert_eq!(
        (user.role.as_str(), user.access.surveys()),
        ("auditor", None)
    );
    let page = owner.get(&path).await;
    owner
        .send(&page, &action, &[("role", "king")])
        .await
        .is(422)
        .shows("Choose a role.");
    owner.get(&format!("/users/{NOBODY}")).await.is(404);
    house.close().await;
}

#[tokio::test]
async fn the_last_owner_stays_one() {
    let house = House::start().await;
    let mut owner = house.signed_in("owner").await;
    let me = house.user("owner@example.com").await.user_id;
    let path = format!("/users/{me}");
    let page = owner.get(&path).await;
    page.is(200)
        .shows("This is you.")
        .lacks(&format!("{path}/remove"))
        .lacks(&format!("{path}/password"));
    let fields = [("role", "agent"), ("reach", "all")];
    let page = owner.send(&page, &format!("{path}/rights"), &fields).await;
    page.is(409).shows("This is the last owner");
    // Forms that the page does not have are refused too.
    let (_, csrf) = Browser::filled(&page, "/sign-out", &[]);
    for what in ["remove", "password"] {
        let refused = owner.post(&format!("{path}/{what}"), &csrf).await;
        refused.is(409).shows("role=\"alert\"");
    }
    // With another owner one may step down, and sees no settings from then on.
    let agent = house.user("agent@example.com").await.user_id;
    let page = owner.get(&format!("/users/{agent}")).await;
    let fields = [("role", "owner"), ("reach", "all")];
    owner
        .send(&page, &format!("/users/{agent}/rights"), &fields)
        .await
        .is(200);
    let page = owner.get(&path).await;
    let fields = [("role", "agent"), ("reach", "all")];
    let page = owner.send(&page, &format!("{path}/rights"), &fields).await;
    page.is(200).shows("Agent");
    assert_eq!(page.at, "/account?done=rights");
    owner.get("/users").await.is(403);
    house.close().await;
}

impl House {
    /// Has cases assigned to somebody.
    async fn assigns(&self, references: &[u32], email: &str) {
        let mut owner = self.signed_in("owner").await;
        for reference in references {
            let path = format!("/cases/{reference}");
            let page = owner.get(&path).await;
            let action = format!("{path}/assignee");
            owner
                .send(&page, &action, &[("email", email)])
                .await
                .is(200);
        }
    }

    /// Who sees to a case.
    async fn assignee(&self, reference: u32) -> Option<String> {
        let reference = Reference::new(reference).unwrap();
        let case = cases::find(&self.app.pool, reference).await.unwrap();
        case.unwrap().assignee.map(|assignee| assignee.email.0)
    }
}

#[tokio::test]
async fn whoever_loses_their_rights_gives_their_open_cases_on() {
    let house = House::start().await;
    let (one, _) = house.receives("Hello").await;
    let (two, _) = house.receives("And hours? #0").await;
    let (closed, _) = house.receives("Thanks #0").await;
    house
        .assigns(&[one, two, closed], "agent@example.com")
        .await;
    let mut owner = house.signed_in("owner").await;
    let page = owner.get(&format!("/cases/{closed}")).await;
    let action = format!("/cases/{closed}/status");
    owner
        .send(&page, &action, &[("value", "Resolved")])
        .await
        .is(200);
    let path = format!("/users/{}", house.user("agent@example.com").await.user_id);
    let page = owner.get(&path).await;
    page.shows("Sees to 2 open cases").lacks("out of reach");

    // What they reach is theirs still, whatever the form says of the rest.
    let rights = format!("{path}/rights");
    let all = [("role", "agent"), ("reach", "all"), ("hand", "nobody")];
    let page = owner.send(&page, &rights, &all).await;
    page.is(200)
        .lacks("handed over.")
        .shows("Sees to 2 open cases");

    // Left where they are, they are shown until they are handed over.
    let none = [("role", "agent"), ("reach", "only"), ("hand", "leave")];
    let page = owner.send(&page, &rights, &none).await;
    page.is(200).shows("2 open cases out of reach");
    owner.get("/users").await.shows("2 open cases out of reach");
    let mut auditor = house.signed_in("auditor").await;
    let seen = auditor.get(&path).await;
    seen.shows("2 open cases out of reach")
        .lacks("name=\"hand\"");
    let hand = format!("{path}/cases");
    let page = owner.send(&page, &hand, &[("hand", "nobody")]).await;
    page.is(200)
        .shows("2 open cases of theirs were handed over.")
        .lacks("out of reach")
        .lacks("Sees to");
    assert_eq!(house.assignee(one).await, None);
    assert_eq!(house.assignee(two).await, None);
    assert_eq!(
        house.assignee(closed).await.as_deref(),
        Some("agent@example.com"),
        "a closed case waits for nobody"
    );
    // The case tells who did it.
    owner
        .get(&format!("/cases/{one}/history"))
        .await
        .shows("owner@example.com");
    house.close().await;
}

#[tokio::test]
async fn the_cases_of_whoever_is_removed_go_to_a_colleague() {
    let house = House::start().await;
    let (one, _) = house.receives("Hello").await;
    let (two, _) = house.receives("And hours? #0").await;
    house.assigns(&[one, two], "agent@example.com").await;
    let mut owner = house.signed_in("owner").await;
    let user_id = house.user("agent@example.com").await.user_id;
    let path = format!("/users/{user_id}");

    // A colleague who does not reach them takes none.
    let form = owner.get("/users/new").await;
    let new = [
        ("email", "new@example.com"),
        ("role", "agent"),
        ("reach", "only"),
    ];
    owner.send(&form, "/users", &new).await.is(200);
    let page = owner.get(&path).await;
    let remove = format!("{path}/remove");
    let to_new = [("hand", "to:new@example.com")];
    let page = owner.send(&page, &remove, &to_new).await;
    page.is(200)
        .shows("The user was removed.")
        .shows("2 open cases of theirs stay with them, because")
        .shows("Was removed and still has 2 open cases.");
    assert_eq!(
        house.assignee(one).await.as_deref(),
        Some("agent@example.com")
    );

    // From the list they are given to one who does.
    let hand = format!("{path}/cases");
    let to_owner = [("hand", "to:owner@example.com")];
    let page = owner.send(&page, &hand, &to_owner).await;
    page.is(200)
        .shows("2 open cases of theirs were handed over.")
        .lacks("Was removed");
    for case in [one, two] {
        assert_eq!(
            house.assignee(case).await.as_deref(),
            Some("owner@example.com")
        );
    }
    house.close().await;
}

#[tokio::test]
async fn whoever_is_removed_is_signed_out() {
    let house = House::start().await;
    let mut owner = house.signed_in("owner").await;
    let mut agent = house.signed_in("agent").await;
    let user_id = house.user("agent@example.com").await.user_id;
    let page = owner.get(&format!("/users/{user_id}")).await;
    let page = owner
        .send(&page, &format!("/users/{user_id}/remove"), &[])
        .await;
    page.is(200)
        .shows("The user was removed.")
        .lacks("agent@example.com");
    agent.once("GET", "/", None).await.is(303);
    owner.get(&format!("/users/{user_id}")).await.is(404);
    house.close().await;
}

async fn set_password(owner: &mut Browser, user_id: UserId, password: &str) -> Page {
    let page = owner.get(&format!("/users/{user_id}")).await;
    let fields = [("password", password)];
    owner
        .send(&page, &format!("/users/{user_id}/password"), &fields)
        .await
}

#[tokio::test]
async fn another_password_ends_all_sessions() {
    let house = House::start().await;
    let mut owner = house.signed_in("owner").await;
    let mut agent = house.signed_in("agent").await;
    let user_id = house.user("agent@example.com").await.user_id;
    set_password(&mut owner, user_id, "short").await.is(422);
    agent.once("GET", "/", None).await.is(200);
    let page = set_password(&mut owner, user_id, "").await;
    page.is(200).shows("has a new password");
    let made = secret(&page);
    agent.once("GET", "/", None).await.is(303);
    owner.once("GET", "/", None).await.is(200);
    sign_in(&mut agent, "agent@example.com", PASSWORD)
        .await
        .is(401);
    sign_in(&mut agent, "agent@example.com", &made)
        .await
        .is(200);
    let page = set_password(&mut owner, user_id, "a chosen password").await;
    page.is(200)
        .shows("The password was set")
        .lacks("a chosen password");
    agent.once("GET", "/", None).await.is(303);
    sign_in(&mut agent, "agent@example.com", "a chosen password")
        .await
        .is(200);
    house.close().await;
}

#[tokio::test]
async fn a_form_sent_again_with_another_password_sets_that_one() {
    let house = House::start().await;
    let mut owner = house.signed_in("owner").await;
    let user_id = house.user("agent@example.com").await.user_id;
    let can_sign_in = async |password| {
        let page = sign_in(&mut house.browser(), "agent@example.com", password).await;
        page.status == 200
    };
    let page = owner.get(&format!("/users/{user_id}")).await;
    let action = format!("/users/{user_id}/password");
    for password in ["the first of them", "the second of them"] {
        let (to, body) = Browser::filled(&page, &action, &[("password", password)]);
        // The same twice is done once: whoever has signed in meanwhile stays signed in.
        owner.post(&to, &body).await.is(200);
        assert!(can_sign_in(password).await, "{password}");
        let mut agent = house.browser();
        sign_in(&mut agent, "agent@example.com", password).await;
        owner.post(&to, &body).await.is(200);
        agent.once("GET", "/", None).await.is(200);
    }
    assert!(!can_sign_in("the first of them").await);

    // Somebody is added once, and with one password.
    let form = owner.get("/users/new").await;
    for (password, status) in [("the first of them", 200), ("the second of them", 409)] {
        let fields = [
            ("email", "new@example.com"),
            ("role", "agent"),
            ("reach", "all"),
            ("password", password),
        ];
        let (to, body) = Browser::filled(&form, "/users", &fields);
        owner.post(&to, &body).await.is(status);
    }

    // One's own.
    let mut agent = house.browser();
    sign_in(&mut agent, "agent@example.com", "the second of them").await;
    let form = agent.get("/account").await;
    let own = [
        "the second of them",
        "the third of them",
        "the fourth of them",
    ];
    for pair in own.windows(2) {
        let fields = [
            ("old-password", pair[0]),
            ("new-password", pair[1]),
            ("again-password", pair[1]),
        ];
        let (to, body) = Browser::filled(&form, "/account/password", &fields);
        agent.post(&to, &body).await.is(200);
    }
    assert!(can_sign_in("the fourth of them").await);
    house.close().await;
}

async fn change_own(browser: &mut Browser, old: &str, new: &str, again: &str) -> Page {
    let page = browser.get("/account").await;
    let fields = [
        ("old-password", old),
        ("new-password", new),
        ("again-password", again),
    ];
    browser.send(&page, "/account/password", &fields).await
}

#[tokio::test]
async fn everybody_changes_their_own_password_with_the_old_one() {
    const NEW: &str = "another horse battery";
    let house = House::start().await;
    for role in ["owner", "agent", "auditor"] {
        let mut here = house.signed_in(role).await;
        let mut there = house.signed_in(role).await;
        change_own(&mut here, "not the password", NEW, NEW)
            .await
            .is(422)
            .shows("The current password is not right.")
            .lacks(NEW);
        change_own(&mut here, PASSWORD, NEW, "yet another one")
            .await
            .is(422)
            .shows("not the same");
        change_own(&mut here, PASSWORD, "short", "short")
            .await
            .is(422)
            .shows("10 characters");
        there.once("GET", "/", None).await.is(200);
        change_own(&mut here, PASSWORD, NEW, NEW)
            .await
            .is(200)
            .shows("Your password was changed.");
        // Here one stays signed in.
        here.once("GET", "/", None).await.is(200);
        there.once("GET", "/", None).await.is(303);
        let email = format!("{role}@example.com");
        sign_in(&mut there, &email, PASSWORD).await.is(401);
        sign_in(&mut there, &email, NEW).await.is(200);
    }
    house.close().await;
}

#[tokio::test]
async fn whoever_finds_a_browser_open_tries_few_passwords() {
    let house = House::start().await;
    let mut browser = house.signed_in("agent").await;
    let mut statuses = vec![];
    for _ in 0..12 {
        let new = "another horse battery";
        let page = change_own(&mut browser, "not the password", new, new).await;
        statuses.push(page.status.as_u16());
    }
    assert_eq!(statuses.first(), Some(&422));
    assert_eq!(statuses.last(), Some(&429));
    let new = "another horse battery";
    change_own(&mut browser, PASSWORD, new, new).await.is(429);
    wait(61);
    change_own(&mut browser, PASSWORD, new, new).await.is(200);
    house.close().await;
}

/// The page of tokens when it shows that: a use is noted beside the request.
async fn tokens_once(browser: &mut Browser, text: &str) -> Page {
    for _ in 0..1_000 {
        let page = browser.get("/tokens").await;
        if page.text.contains(text) {
            return page;
        }
        tokio::task::yield_now().await;
    }
    panic!("the page never shows {text:?}");
}

#[tokio::test]
async fn tokens_are_ones_own_and_owners_end_everybodys() {
    let house = House::start().await;
    let mut agent = house.signed_in("agent").await;
    let page = agent.get("/tokens").await;
    page.is(200).shows("There are no tokens.");
    let (to, body) = Browser::filled(&page, "/tokens", &[("name", "nightly import")]);
    let made = agent.post(&to, &body).await;
    made.is(200).shows("nightly import");
    let token = secret(&made);
    assert!(token.starts_with("docket_"));
    agent
        .post(&to, &body)
        .await
        .is(200)
        .lacks("class=\"secret\"");
    let page = agent.get("/tokens").await;
    page.shows("nightly import")
        .shows("Never used")
        .lacks(&token);
    assert_eq!(page.text.matches("/revoke\"").count(), 1);
    agent
        .send(&page, "/tokens", &[("name", " ")])
        .await
        .is(422)
        .shows("role=\"alert\"");

    // It works, and when it did is noted.
    let api = docket::http::router(house.app.clone());
    let call = async || {
        let request = axum::http::Request::builder()
            .uri("/api/v1/cases")
            .header("authorization", format!("Bearer {token}"))
            .body(axum::body::Body::empty())
            .unwrap();
        let answer = tower::ServiceExt::oneshot(api.clone(), request).await;
        answer.unwrap().status().as_u16()
    };
    assert_eq!(call().await, 200);
    let page = tokens_once(&mut agent, "Last used").await;
    page.shows("1 Mar, 12:00 UTC").lacks("Never used");
    wait(120);
    assert_eq!(call().await, 200);
    tokens_once(&mut agent, "1 Mar, 12:02 UTC").await;

    // Another agent neither sees nor ends it; an owner does both.
    let mut owner = house.signed_in("owner").await;
    let page = owner.get("/tokens").await;
    page.shows("agent@example.com").shows("nightly import");
    let own = owner.send(&page, "/tokens", &[("name", "mine")]).await;
    own.is(200);
    let page = owner.get("/tokens").await;
    let revokes: Vec<String> = page
        .text
        .split("action=\"/tokens/")
        .skip(1)
        .map(|rest| format!("/tokens/{}", rest.split('"').next().unwrap()))
        .collect();
    assert_eq!(revokes.len(), 2);
    let listed = agent.get("/tokens").await;
    listed.lacks("mine");
    let (_, csrf) = Browser::filled(&listed, "/sign-out", &[]);
    // Sorted by age: the second is the owner's.
    agent.post(&revokes[1], &csrf).await.is(404);
    let page = owner.send(&page, &revokes[0], &[]).await;
    page.is(200)
        .shows("The token was ended.")
        .lacks("nightly import")
        .shows("mine");
    assert_eq!(call().await, 401);
    house.close().await;
}
