//! Labels and snoozes, without a script.

use docket_domain::label::LabelColour;

use crate::bulk::with_chosen;
use crate::support::{Browser, House, Page, wait};

/// An owner creates labels at the console.
async fn with_labels(house: &House, names: &[&str]) {
    let mut owner = house.signed_in("owner").await;
    for name in names {
        let page = owner.get("/labels").await;
        let fields = [("name", *name), ("colour", "blue")];
        let created = owner.send(&page, "/labels", &fields).await;
        created.is(200).shows("The label was created.").shows(name);
    }
}

/// Gives a case labels by the form beside it.
async fn label(browser: &mut Browser, page: &Page, action: &str, labels: &[&str]) -> Page {
    let (to, body) = Browser::filled(page, action, &[]);
    let labels = labels.iter().map(|label| format!("label={label}"));
    let fields: Vec<String> = std::iter::once(body).chain(labels).collect();
    browser.post(&to, &fields.join("&")).await
}

/// The id of the label of that name, as the list's filter has it.
fn id_of(page: &Page, name: &str) -> String {
    let (before, _) = page
        .text
        .split_once(&format!("\">{name}</option>"))
        .unwrap_or_else(|| panic!("no label {name}: {}", page.text));
    before.rsplit('"').next().unwrap().to_owned()
}

#[tokio::test]
async fn an_owner_creates_changes_and_deletes_a_label() {
    let house = House::start().await;
    with_labels(&house, &["Urgent"]).await;
    let mut owner = house.signed_in("owner").await;
    let page = owner.get("/labels").await;
    for colour in LabelColour::ALL {
        page.shows(&format!("<option value=\"{}\"", colour.as_str()));
    }
    let fields = [("name", "urgent"), ("colour", "red")];
    let refused = owner.send(&page, "/labels", &fields).await;
    refused
        .is(409)
        .shows("The label “Urgent” has that name already.")
        .shows("value=\"urgent\"")
        .shows("<option value=\"red\" selected>");

    let (_, rest) = page.text.split_once("action=\"/labels/").unwrap();
    let id = rest.split('"').next().unwrap();
    let action = format!("/labels/{id}");
    let fields = [("name", "Today"), ("colour", "teal")];
    let changed = owner.send(&page, &action, &fields).await;
    changed
        .is(200)
        .shows("The label was changed.")
        .shows("class=\"label teal\"")
        .lacks("Urgent");
    let delete = format!("{action}/delete");
    let deleted = owner.send(&changed, &delete, &[]).await;
    deleted
        .is(200)
        .shows("The label was deleted.")
        .shows("There are no labels yet.");
    // Sent twice, it is done once.
    owner.send(&changed, &delete, &[]).await.is(200);

    let mut auditor = house.signed_in("auditor").await;
    auditor.get("/labels").await.is(200).lacks("New label");
    house.close().await;
}

#[tokio::test]
async fn a_case_shows_its_labels_in_the_list_and_over_its_thread() {
    let house = House::start().await;
    with_labels(&house, &["Urgent", "Billing"]).await;
    house.receives("My parcel is late").await;
    house.receives("#0 Another thing").await;
    let mut agent = house.signed_in("agent").await;
    let page = agent.get("/cases/101").await;
    let labelled = label(&mut agent, &page, "/cases/101/labels", &["Urgent"]).await;
    labelled
        .is(200)
        .shows("The labels were set.")
        .shows("agent@example.com added the label “Urgent”");
    let list = agent.get("/").await;
    assert_eq!(list.text.matches("class=\"label blue\"").count(), 1);
    let urgent = id_of(&list, "Urgent");
    let found = agent.get(&format!("/?label={urgent}")).await;
    found
        .is(200)
        .shows("href=\"/cases/101")
        .lacks("id=\"c102\"");
    // The list stays the same beside a case.
    found.shows(&format!("label={urgent}"));
    let billing = id_of(&list, "Billing");
    let none = agent.get(&format!("/?label={billing}")).await;
    none.is(200).lacks("id=\"c101\"");
    house.close().await;
}

#[tokio::test]
async fn several_cases_get_a_label_and_lose_it() {
    let house = House::start().await;
    with_labels(&house, &["Urgent"]).await;
    for text in ["Hello", "#0 The lift", "#0 The roof"] {
        house.receives(text).await;
    }
    let mut agent = house.signed_in("agent").await;
    let list = agent.get("/").await;
    let urgent = id_of(&list, "Urgent");
    let add = format!("label:{urgent}");
    let done = with_chosen(&mut agent, &list, &add, &[101, 103]).await;
    done.is(200).shows("2 cases were given the label.");
    assert_eq!(done.text.matches("class=\"label blue\"").count(), 2);
    let remove = format!("unlabel:{urgent}");
    let done = with_chosen(&mut agent, &done, &remove, &[101]).await;
    done.is(200).shows("1 case was freed of the label.");
    assert_eq!(done.text.matches("class=\"label blue\"").count(), 1);
    let unknown = "label:00000000-0000-0000-0000-000000000000";
    let refused = with_chosen(&mut agent, &done, unknown, &[101]).await;
    refused.is(422).shows("There is no such label");
    house.close().await;
}

#[tokio::test]
async fn a_case_is_snoozed_leaves_the_open_ones_and_is_woken() {
    let house = House::start().await;
    house.receives("My parcel is late").await;
    house.receives("#0 Another thing").await;
    let mut agent = house.signed_in("agent").await;
    for (choice, until) in [
        ("hour", "2026-03-01T13:00:00+00:00"),
        ("tomorrow", "2026-03-02T09:00:00+00:00"),
        ("week", "2026-03-02T09:00:00+00:00"),
    ] {
        let page = agent.get("/cases/101").await;
        let fields = [("until", choice), ("at", "")];
        let snoozed = agent.send(&page, "/cases/101/snooze", &fields).await;
        snoozed.is(200).shows("The case is snoozed.").shows(until);
        agent
            .get("/")
            .await
            .lacks("id=\"c101\"")
            .shows("id=\"c102\"");
        agent
            .get("/?view=snoozed")
            .await
            .shows("id=\"c101\"")
            .lacks("id=\"c102\"");
        let woken = agent.send(&snoozed, "/cases/101/wake", &[]).await;
        woken
            .is(200)
            .shows("The snooze was ended.")
            .shows("agent@example.com ended the snooze");
        agent.get("/").await.shows("id=\"c101\"");
    }
    house.close().await;
}

#[tokio::test]
async fn a_snooze_until_a_date_and_time_is_refused_with_what_was_typed() {
    let house = House::start().await;
    house.receives("My parcel is late").await;
    let mut agent = house.signed_in("agent").await;
    let page = agent.get("/cases/101").await;
    let snooze = async |agent: &mut Browser, fields: &[(&str, &str)]| {
        agent.send(&page, "/cases/101/snooze", fields).await
    };
    // Without a script it is UTC; what the script says counts before.
    let until = [("until", "hour"), ("at", "2026-03-04T08:30")];
    let snoozed = snooze(&mut agent, &until).await;
    snoozed.is(200).shows("2026-03-04T08:30:00+00:00");
    let exact = [
        ("until", "hour"),
        ("at", "2026-03-04T08:30"),
        ("exact", "2026-03-04T07:30:00.000Z"),
    ];
    let snoozed = snooze(&mut agent, &exact).await;
    snoozed.is(200).shows("2026-03-04T07:30:00+00:00");

    wait(60);
    let past = [("until", "week"), ("at", "2026-02-01T08:30")];
    let refused = snooze(&mut agent, &past).await;
    refused
        .is(422)
        .shows("value=\"2026-02-01T08:30\"")
        .shows("id=\"f-snooze\" open");
    let nonsense = [("until", "never"), ("at", "")];
    snooze(&mut agent, &nonsense).await.is(422);
    house.close().await;
}

#[tokio::test]
async fn a_message_takes_those_that_follow_it_along() {
    let house = House::start().await;
    house.receives("Hello").await;
    let (_, message_id) = house.receives("When do you open?").await;
    house.receives("And on Sundays?").await;
    let mut agent = house.signed_in("agent").await;
    let path = format!("/cases/101/messages/{message_id}/move");
    let form = agent.get(&path).await;
    form.is(200)
        .shows("Also move the message of the contact that follows");
    let fields = [("to", ""), ("and_following", "yes")];
    let moved = agent.send(&form, &path, &fields).await;
    moved
        .is(200)
        .shows("When do you open?")
        .shows("And on Sundays?");
    assert!(moved.at.starts_with("/cases/102"), "{}", moved.at);
    // One button undoes the whole move.
    assert_eq!(moved.text.matches("undo-move").count(), 1);
    let undo = format!("/cases/102/messages/{message_id}/undo-move");
    let back = agent.send(&moved, &undo, &[]).await;
    back.is(200)
        .shows("The move was undone.")
        .shows("And on Sundays?");
    assert!(back.at.starts_with("/cases/101"), "{}", back.at);
    house.close().await;
}
