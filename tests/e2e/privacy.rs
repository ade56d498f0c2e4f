//! Nobody gets into, or learns of, somebody else's cases.

use docket_tests::webhooks::{quoting, whatsapp};
use serde_json::json;

use crate::help_desk::{HelpDesk, OURS, customer};

#[tokio::test]
async fn a_reference_to_somebody_elses_case_neither_routes_nor_reveals() {
    let desk = HelpDesk::open_with_reply("%s1 open cases: %s2").await;
    let (anna, ben) = (customer(1), customer(2));
    let theirs = desk.first_case(&anna, "Biopsy results").await;
    let version = desk.owner.get(&format!("/cases/{theirs}")).await["version"].clone();
    let none = theirs + 1_000;

    // Open, closed or not there at all: the answer is the same.
    let mut mine = vec![];
    for (n, reference) in [(1, theirs), (2, none)] {
        let from = customer(10 + n);
        desk.text(&from, &format!("#{reference} Hello")).await;
        mine.push(desk.owner.only_case(&from).await);
    }
    desk.owner
        .put(
            &format!("/cases/{theirs}/status"),
            &json!({"value": "Resolved"}),
        )
        .await
        .expect(200);
    desk.text(&customer(13), &format!("#{theirs} Hello")).await;
    mine.push(desk.owner.only_case(&customer(13)).await);
    let mut routed = vec![];
    for reference in &mine {
        let messages = desk.owner.messages(*reference, "inbound").await;
        assert_eq!(messages.len(), 1);
        routed.push(messages[0]["routed"].clone());
        let case = desk.owner.get(&format!("/cases/{reference}")).await;
        assert_eq!(
            (case["title"].as_str(), &case["links"]),
            (Some("Hello"), &json!([]))
        );
    }
    let foreign = json!({"rule": "first", "references": [], "foreign_reference": true});
    assert_eq!(routed, vec![foreign; 3]);
    desk.owner
        .put(&format!("/cases/{theirs}/status"), &json!({"value": "New"}))
        .await
        .expect(200);

    // With several cases of one's own, the automatic reply lists those.
    let first = desk.first_case(&ben, "Boiler").await;
    desk.text(&ben, "#0 Lift").await;
    desk.text(&ben, &format!("#{theirs} Which is mine?")).await;
    desk.installation.accepted(1).await;
    assert_eq!(
        desk.sent(),
        [format!(
            "2 open cases: #{first}: Boiler, #{}: Lift",
            first + 1
        )]
    );

    let case = desk.owner.get(&format!("/cases/{theirs}")).await;
    assert_eq!(case["message_count"], 1, "nothing came to the other case");
    assert_eq!(
        case["version"].as_u64(),
        version.as_u64().map(|version| version + 2),
        "its status was changed twice, no more"
    );
    desk.close().await;
}

#[tokio::test]
async fn quoting_somebody_elses_message_does_not_route() {
    let desk = HelpDesk::open().await;
    let (anna, ben) = (customer(1), customer(2));
    let theirs = desk.first_whatsapp_case(&anna, "Biopsy results").await;
    let reply = desk.owner.reply(theirs, "They have come.").await;
    desk.owner.delivery(theirs, &reply, "read").await;
    let sent = desk.owner.message(theirs, &reply).await["provider_id"]
        .as_str()
        .unwrap()
        .to_owned();
    let said = desk.owner.messages(theirs, "inbound").await[0]["provider_id"]
        .as_str()
        .unwrap()
        .to_owned();

    let mut others = (20..).map(customer);
    for status in ["In progress", "Resolved"] {
        desk.owner
            .put(
                &format!("/cases/{theirs}/status"),
                &json!({"value": status}),
            )
            .await
            .expect(200);
        let before = desk.owner.get(&format!("/cases/{theirs}")).await;
        for quoted in [&sent, &said] {
            let from = others.next().unwrap();
            desk.takes(&quoting(whatsapp(&from, OURS, "And mine?"), quoted))
                .await;
            let mine = desk.owner.only_case(&from).await;
            let messages = desk.owner.messages(mine, "inbound").await;
            assert_eq!(
                messages[0]["routed"],
                json!({"rule": "first", "references": []}),
                "{status}"
            );
            assert_eq!(
                desk.owner.get(&format!("/cases/{mine}")).await["links"],
                json!([]),
                "{status}"
            );
        }
        assert_eq!(
            desk.owner.get(&format!("/cases/{theirs}")).await,
            before,
            "{status}"
        );
    }
    desk.owner
        .put(&format!("/cases/{theirs}/status"), &json!({"value": "New"}))
        .await
        .expect(200);

    // A quote of one's own does, even among several cases.
    desk.takes(&whatsapp(&anna, OURS, "#0 Parking")).await;
    desk.takes(&quoting(whatsapp(&anna, OURS, "Thank you"), &sent))
        .await;
    let messages = desk.owner.messages(theirs, "inbound").await;
    assert_eq!(
        messages.last().unwrap()["routed"],
        json!({"rule": "quote", "references": [theirs]})
    );
    assert!(desk.owner.references(&ben, "all").await.is_empty());
    desk.close().await;
}

#[tokio::test]
async fn another_survey_knows_the_same_number_as_another_contact() {
    let desk = HelpDesk::open().await;
    let clinic = desk.owner.add_survey("Clinic").await;
    let clinics_number = "12025550100";
    desk.owner
        .add_line(&clinic, clinics_number, "sms", None)
        .await;
    let anna = customer(1);
    let help = desk.first_case(&anna, "Boiler").await;

    desk.takes(&docket_tests::webhooks::sms(
        &anna,
        clinics_number,
        &format!("#{help} Biopsy results"),
    ))
    .await;
    assert_eq!(desk.owner.references(&anna, "open").await.len(), 2);
    let case = &desk.owner.all(&format!("/cases?survey={clinic}")).await[0];
    assert_ne!(case["reference"], help);
    assert_eq!(case["title"], "Biopsy results");
    assert_eq!(
        desk.owner.get(&format!("/cases/{help}")).await["message_count"],
        1
    );
    desk.close().await;
}
