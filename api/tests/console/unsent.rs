//! What a person typed comes back, whatever became of the form that they sent.

use crate::support::{Browser, House, PASSWORD, Page, wait};

const A_WEEK_AND_MORE: i64 = 7 * 86_400 + 1;

/// The page of a form, its action, and what is typed in it.
type Typed = (
    &'static str,
    &'static str,
    &'static [(&'static str, &'static str)],
);

/// Every form with something to type or choose, but for passwords alone. `L` and `S` stand for the
/// line's and the survey's address, `M` for the message's, `U` for the agent's.
const FORMS: [Typed; 16] = [
    (
        "/cases/101",
        "/cases/101/write",
        &[
            ("as", "reply"),
            ("text", "A \"long\" <reply>\nin two lines & more"),
        ],
    ),
    (
        "/cases/101",
        "/cases/101/write",
        &[("as", "note"), ("text", "Kept among us")],
    ),
    (
        "/cases/101?view=all",
        "/cases/101/title",
        &[("title", "Water in the cellar")],
    ),
    (
        "/cases/101",
        "/cases/101/status",
        &[("value", "In progress")],
    ),
    (
        "/cases/101",
        "/cases/101/assignee",
        &[("email", "owner@example.com")],
    ),
    (
        "M/move",
        "M/move",
        &[("to", ""), ("comment", "This belongs elsewhere")],
    ),
    (
        "/cases/new",
        "/cases",
        &[
            ("number", "447700900456"),
            ("text", "Good morning"),
            ("title", "First"),
        ],
    ),
    (
        "/surveys/new",
        "/surveys",
        &[
            ("name", "Clinic"),
            ("question", "How is it?"),
            ("answer-0", "Bad"),
            ("answer-1", "Good"),
            ("closes", "1"),
        ],
    ),
    (
        "S",
        "S",
        &[
            ("name", "Support desk"),
            ("question", "How far?"),
            ("answer-0", "New"),
            ("answer-1", "Done"),
            ("closes", "1"),
        ],
    ),
    (
        "S",
        "S/templates",
        &[("name", "Hours"), ("text", "We open at nine.")],
    ),
    (
        "/lines/new",
        "/lines",
        &[
            ("number", "447700900777"),
            ("channel", "whatsapp"),
            ("reply", "Which of %s1 cases?"),
        ],
    ),
    ("L", "L", &[("reply", "You have %s1 cases: %s2")]),
    (
        "/vonage",
        "/vonage",
        &[("application_id", "00000000-0000-4000-8000-000000000001")],
    ),
    (
        "/users/new",
        "/users",
        &[
            ("email", "new@example.com"),
            ("role", "auditor"),
            ("reach", "only"),
        ],
    ),
    ("U", "U/rights", &[("role", "auditor"), ("reach", "only")]),
    ("/tokens", "/tokens", &[("name", "nightly export")]),
];

struct Places(Vec<(char, String)>);

impl Places {
    async fn of(house: &House, owner: &mut Browser) -> Self {
        let (_, message_id) = house.receives("Hello").await;
        let survey = owner.get("/surveys").await.link("/surveys/0");
        let users = owner.get("/users").await;
        let mut agent = String::new();
        for part in users.text.split("href=\"").skip(1) {
            let href = part.split('"').next().unwrap();
            if href.starts_with("/users/0")
                && part.contains("agent@example.com")
                && agent.is_empty()
            {
                href.clone_into(&mut agent);
                if part
                    .split("</a>")
                    .next()
                    .unwrap()
                    .contains("agent@example.com")
                {
                    break;
                }
                agent.clear();
            }
        }
        Self(vec![
            ('M', format!("/cases/101/messages/{message_id}")),
            ('S', survey),
            ('L', format!("/lines/{}", house.line)),
            ('U', agent),
        ])
    }

    fn address(&self, text: &str) -> String {
        match self.0.iter().find(|(letter, _)| text.starts_with(*letter)) {
            Some((_, address)) => format!("{address}{}", &text[1..]),
            None => text.to_owned(),
        }
    }
}

/// What a form of the page would send, by name.
fn would_send(page: &Page, action: &str, name: &str, value: &str) -> bool {
    let forms = page.text.split("<form ").skip(1);
    let escaped = value
        .replace('&', "&#38;")
        .replace('"', "&#34;")
        .replace('<', "&#60;")
        .replace('>', "&#62;");
    forms
        .filter_map(|form| form.split("</form>").next())
        .filter(|form| {
            form.split("action=\"")
                .nth(1)
                .is_some_and(|to| to.split(['"', '?']).next() == Some(action))
        })
        .any(|form| {
            let control = |tag: &str| {
                tag.contains(&format!("name=\"{name}\""))
                    && tag.contains(&format!("value=\"{escaped}\""))
            };
            form.split('<').any(|tag| {
                let is_choice = tag.contains("type=\"radio\"") || tag.contains("type=\"checkbox\"");
                tag.starts_with("input") && control(tag) && (!is_choice || tag.contains(" checked"))
            }) || form.split("<textarea").skip(1).any(|area| {
                let (tag, rest) = area.split_once('>').unwrap();
                tag.contains(&format!("name=\"{name}\""))
                    && rest
                        .split("</textarea>")
                        .next()
                        .unwrap()
                        .trim_start_matches('\n')
                        == escaped
            }) || form.split("<select").skip(1).any(|select| {
                let (tag, rest) = select.split_once('>').unwrap();
                let chosen = rest
                    .split("<option")
                    .find(|option| option.contains(" selected"));
                let chosen = chosen
                    .or_else(|| rest.split("<option").nth(1))
                    .unwrap_or_default();
                tag.contains(&format!("name=\"{name}\""))
                    && chosen.contains(&format!("value=\"{escaped}\""))
            })
        })
}

#[track_caller]
fn has_all(page: &Page, action: &str, fields: &[(&str, &str)]) {
    for (name, value) in fields {
        assert!(
            would_send(page, action, name, value),
            "{action} lacks {name}={value}: {}",
            page.text
        );
    }
}

async fn sign_in(browser: &mut Browser, page: &Page, email: &str) -> Page {
    let fields = [("email", email), ("password", PASSWORD)];
    browser.send(page, "/sign-in", &fields).await
}

#[tokio::test]
async fn after_signing_in_again_every_form_has_what_was_typed() {
    let house = House::start().await;
    let mut owner = house.signed_in("owner").await;
    let places = Places::of(&house, &mut owner).await;
    for (at, action, fields) in FORMS {
        let (at, action) = (places.address(at), places.address(action));
        let page = owner.get(&at).await;
        page.is(200);
        wait(A_WEEK_AND_MORE);
        let asked = owner.send(&page, &action, fields).await;
        asked
            .is(401)
            .shows("name=\"password\"")
            .shows("your text is back");
        // A typing error in the password loses nothing.
        let wrong = [
            ("email", "owner@example.com"),
            ("password", "not the password"),
        ];
        let asked = owner.send(&asked, "/sign-in", &wrong).await;
        asked.is(401).shows("do not go together");
        let back = sign_in(&mut owner, &asked, "owner@example.com").await;
        back.is(200).shows("nothing was done");
        has_all(&back, &action, fields);
    }
    // Nothing was done by itself.
    let page = owner.get("/cases/101").await;
    page.lacks("class=\"message ours")
        .lacks("Kept among us")
        .lacks("Water in the cellar");
    house.close().await;
}

#[tokio::test]
async fn a_restored_form_is_sent_with_one_more_click_and_once() {
    let house = House::start().await;
    house.receives("Hello").await;
    let mut agent = house.signed_in("agent").await;
    let page = agent.get("/cases/101").await;
    wait(A_WEEK_AND_MORE);
    // Something is said meanwhile: the reply was written without it.
    house.receives("Never mind").await;
    let fields = [("text", "On our way"), ("as", "reply")];
    let asked = agent.send(&page, "/cases/101/write", &fields).await;
    let back = sign_in(&mut agent, &asked, "agent@example.com").await;
    has_all(&back, "/cases/101/write", &fields);
    let refused = agent.send(&back, "/cases/101/write", &fields).await;
    refused.is(409).shows("Never mind");
    has_all(&refused, "/cases/101/write", &fields);
    agent
        .send(&refused, "/cases/101/write", &fields)
        .await
        .is(200)
        .shows("On our way");
    house.close().await;
}

#[tokio::test]
async fn another_person_gets_nothing_of_it() {
    let house = House::start().await;
    house.receives("Hello").await;
    let mut browser = house.signed_in("agent").await;
    let page = browser.get("/cases/101").await;
    wait(A_WEEK_AND_MORE);
    let fields = [("text", "Between us"), ("as", "note")];
    let asked = browser.send(&page, "/cases/101/write", &fields).await;
    asked.shows("Between us");
    let other = sign_in(&mut browser, &asked, "owner@example.com").await;
    other.is(200).lacks("Between us");
    browser.get("/cases/101").await.is(200).lacks("Between us");
    // Nor by sending the old form themselves.
    let refused = browser.send(&page, "/cases/101/write", &fields).await;
    refused.is(403);
    assert!(!would_send(
        &refused,
        "/cases/101/write",
        "text",
        "Between us"
    ));
    house.close().await;
}

#[tokio::test]
async fn a_form_from_before_one_signed_in_again_comes_back_at_once() {
    let house = House::start().await;
    house.receives("Hello").await;
    let mut agent = house.signed_in("agent").await;
    let page = agent.get("/cases/101?view=all").await;
    // Signed out and in again in another tab.
    let out = agent.send(&page, "/sign-out", &[]).await;
    sign_in(&mut agent, &out, "agent@example.com").await.is(200);
    let fields = [("text", "On our way"), ("as", "reply")];
    let back = agent.send(&page, "/cases/101/write", &fields).await;
    back.is(403).shows("Here is your text again");
    has_all(&back, "/cases/101/write", &fields);
    agent
        .send(&back, "/cases/101/write", &fields)
        .await
        .is(200)
        .shows("On our way");
    house.close().await;
}

#[tokio::test]
async fn who_signed_out_in_another_tab_finds_the_text_again() {
    let house = House::start().await;
    house.receives("Hello").await;
    let mut agent = house.signed_in("agent").await;
    let page = agent.get("/cases/101").await;
    agent.send(&page, "/sign-out", &[]).await;
    let fields = [("text", "On our way"), ("as", "reply")];
    let asked = agent.send(&page, "/cases/101/write", &fields).await;
    // The sign-in form was open for too long.
    agent.cookies.remove("docket_form");
    let asked = sign_in(&mut agent, &asked, "agent@example.com").await;
    asked.is(403);
    let back = sign_in(&mut agent, &asked, "agent@example.com").await;
    has_all(&back, "/cases/101/write", &fields);
    house.close().await;
}

#[tokio::test]
async fn a_form_of_another_browser_or_site_is_not_carried_along() {
    let house = House::start().await;
    house.receives("Hello").await;
    let mut agent = house.signed_in("agent").await;
    let page = agent.get("/cases/101").await;
    let fields = [("text", "Send money"), ("as", "reply")];
    let (to, body) = Browser::filled(&page, "/cases/101/write", &fields);
    let mut stranger = house.browser();
    stranger
        .once("POST", &to, Some(&body))
        .await
        .is(303)
        .lacks("Send money");
    // Nor does the sign-in form take one that did not come from here.
    let form = stranger.get("/sign-in").await;
    let person = body
        .split("csrf=")
        .nth(1)
        .unwrap()
        .split("%2E")
        .next()
        .unwrap();
    let injected = format!(
        "{{\"person\":\"{person}\",\"to\":\"/cases/101/write\",\"fields\":[[\"text\",\"Send money\"]]}}"
    );
    let fields = [
        ("email", "agent@example.com"),
        ("password", PASSWORD),
        ("unsent", &injected),
    ];
    stranger
        .send(&form, "/sign-in", &fields)
        .await
        .is(200)
        .lacks("Send money");
    house.close().await;
}

#[tokio::test]
async fn passwords_and_secrets_stand_in_no_page() {
    let house = House::start().await;
    let mut owner = house.signed_in("owner").await;
    let page = owner.get("/users/new").await;
    wait(A_WEEK_AND_MORE);
    let fields = [
        ("email", "new@example.com"),
        ("password", "a very secret password"),
    ];
    let asked = owner.send(&page, "/users", &fields).await;
    asked.is(401).shows("new@example.com").lacks("very secret");
    sign_in(&mut owner, &asked, "owner@example.com")
        .await
        .shows("new@example.com")
        .lacks("very secret");
    house.close().await;
}

#[tokio::test]
async fn what_was_typed_is_shown_where_its_form_is_no_more() {
    let house = House::start().await;
    let (_, message_id) = house.receives("Hello").await;
    let mut agent = house.signed_in("agent").await;
    let page = agent.get("/cases/101").await;
    wait(A_WEEK_AND_MORE);
    let fields = [("text", "On our way"), ("as", "reply")];
    let (to, body) = Browser::filled(&page, "/cases/101/write", &fields);
    let gone = to.replace("101", "999");
    let asked = agent.post(&gone, &body).await;
    let back = sign_in(&mut agent, &asked, "agent@example.com").await;
    back.is(200).shows("no longer there").shows("On our way");
    // The same while one is signed in.
    let page = agent.get("/cases/101").await;
    let (_, body) = Browser::filled(&page, "/cases/101/write", &fields);
    agent.post(&gone, &body).await.is(404).shows("On our way");
    let action = format!("/cases/101/messages/{message_id}/move");
    let move_page = agent.get(&action).await;
    let comment = [("comment", "Elsewhere"), ("to", "")];
    let (_, body) = Browser::filled(&move_page, &action, &comment);
    let gone = action.replace("101", "999");
    agent.post(&gone, &body).await.is(404).shows("Elsewhere");
    house.close().await;
}

#[tokio::test]
async fn an_older_form_of_rights_changes_nothing_and_keeps_what_was_chosen() {
    let house = House::start().await;
    let mut owner = house.signed_in("owner").await;
    let places = Places::of(&house, &mut owner).await;
    let (user, rights) = (places.address("U"), places.address("U/rights"));
    let old = owner.get(&user).await;
    let theirs = [("role", "auditor"), ("reach", "all")];
    owner.send(&old, &rights, &theirs).await.is(200);
    let mine = [("role", "agent"), ("reach", "only")];
    let refused = owner.send(&old, &rights, &mine).await;
    refused
        .is(409)
        .shows("yours was not saved")
        .shows("Auditor");
    // The reach that was chosen is kept, and the role that was left alone is the new one.
    has_all(&refused, &rights, &[("role", "auditor"), ("reach", "only")]);
    owner.send(&refused, &rights, &mine).await.is(200);
    house.close().await;
}

#[tokio::test]
async fn a_form_that_is_refused_keeps_what_was_typed() {
    let house = House::start().await;
    let mut owner = house.signed_in("owner").await;
    let places = Places::of(&house, &mut owner).await;
    for (at, action, fields) in [
        (
            "/cases/new",
            "/cases",
            &[
                ("number", "12"),
                ("text", "Good morning"),
                ("title", "First"),
            ][..],
        ),
        (
            "/surveys/new",
            "/surveys",
            &[
                ("name", "Clinic"),
                ("question", "How is it?"),
                ("answer-0", "Bad"),
            ],
        ),
        (
            "S",
            "S",
            &[
                ("name", "Support desk"),
                ("question", "How far?"),
                ("answer-0", "New"),
            ],
        ),
        ("S", "S/templates", &[("name", "Hours"), ("text", "")]),
        (
            "/lines/new",
            "/lines",
            &[
                ("number", "12"),
                ("channel", "whatsapp"),
                ("reply", "Which of %s1?"),
            ],
        ),
        ("/vonage", "/vonage", &[("application_id", "no id at all")]),
        (
            "/users/new",
            "/users",
            &[
                ("email", "no address"),
                ("role", "auditor"),
                ("reach", "only"),
            ],
        ),
        ("U", "U/rights", &[("role", "nothing"), ("reach", "only")]),
        ("/tokens", "/tokens", &[("name", "two\nlines")]),
    ] {
        let (at, action) = (places.address(at), places.address(action));
        let page = owner.get(&at).await;
        let refused = owner.send(&page, &action, fields).await;
        assert!(
            refused.status.is_client_error(),
            "{action}: {}",
            refused.text
        );
        let seen: Vec<_> = fields
            .iter()
            .filter(|(_, value)| *value != "nothing")
            .copied()
            .collect();
        has_all(&refused, &action, &seen);
    }
    house.close().await;
}
