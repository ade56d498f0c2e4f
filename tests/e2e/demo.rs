//! `docket demo`, as somebody who tries Docket meets it.

use std::path::Path;

use docket_projections::private_postgres::temporary_data_dir;
use docket_tests::api::{Answer, Api, http};
use docket_tests::docket::{Environment, Process, processes_with, run};
use docket_tests::waiting::{BOUND, wait_until};
use rustix::process::Signal;
use serde_json::json;

#[tokio::test]
async fn a_new_user_texts_answers_and_leaves_nothing_behind() {
    let folder = temporary_data_dir().unwrap();
    let place = folder.path().display().to_string();
    let mut demo = Process::start(&["demo"], &environment(&place));
    let phone = demo.says("The phone ").await;
    let api_url = demo.says("The API ").await;
    let token = demo.says("Your token ").await;
    let owner = Api::new(api_url.strip_suffix("/api/v1").unwrap(), &token);
    assert!(
        processes_with(&place)
            .iter()
            .any(|process| process.contains("postgres")),
        "its database runs there"
    );

    // It is lively, and what it says to try works.
    let cases = owner.all("/cases?state=all").await;
    assert!(cases.len() >= 30, "{}", cases.len());
    let said = demo.stdout();
    let rest = said
        .split("/api/v1/cases/")
        .find(|rest| rest.contains("/thread"))
        .unwrap();
    let answered: u32 = rest.split('/').next().unwrap().parse().unwrap();
    assert!(!owner.thread(answered.into()).await.is_empty());
    // It is the end of a week in which this and that happened.
    let opened = |case: &serde_json::Value| case["opened_at"].as_str().unwrap()[..10].to_owned();
    let days: std::collections::BTreeSet<String> = cases.iter().map(opened).collect();
    assert!(days.len() >= 7, "{days:?}");
    let has = |what: fn(&serde_json::Value) -> bool| cases.iter().any(what);
    assert!(has(|case| case["last_reply_failed"] == true));
    assert!(has(|case| case["state"] == "closed"));
    assert!(has(|case| case["waiting_since"].is_string()));
    assert!(has(|case| case["assignee"] == "maya@example.com"));
    assert_eq!(owner.all("/unrouted").await.len(), 1);
    let page = http().get(&phone).send().await.unwrap();
    assert!(page.status().is_success());
    assert!(page.text().await.unwrap().contains("Help desk"));

    // A text from the phone becomes a case.
    let customer = "447700900155";
    let text =
        json!({"from": customer, "to": "447700900000", "channel": "sms", "text": "My tap drips"});
    let sent = http()
        .post(format!("{phone}/simulator/inbound"))
        .json(&text)
        .send()
        .await
        .unwrap();
    assert_eq!(Answer::read(sent).await.unwrap().expect(200)["status"], 200);
    let reference = owner.only_case(customer).await;
    assert_eq!(
        owner.get(&format!("/cases/{reference}")).await["title"],
        "My tap drips"
    );

    // A reply arrives on the phone.
    let message_id = owner.reply(reference, "We will be there at noon.").await;
    let answer = wait_until("the answer is on the phone", BOUND, async || {
        let shown = http()
            .get(format!("{phone}/simulator/messages?number={customer}"))
            .send()
            .await
            .unwrap();
        let shown = Answer::read(shown).await.unwrap().expect(200);
        let messages = shown["messages"].as_array().unwrap();
        messages
            .iter()
            .find(|message| message["is_mine"] == false)
            .cloned()
            .ok_or(shown)
    })
    .await;
    assert_eq!(
        answer["text"],
        format!("We will be there at noon. #{reference}")
    );
    owner.delivery(reference, &message_id, "delivered").await;

    // Ctrl-C reaches everything that stands in the foreground.
    demo.signal_group(Signal::INT);
    let status = demo.ended().await;
    assert_eq!(status.code(), Some(0), "{}", demo.stderr());
    assert_nothing_is_left(folder.path());
    assert!(http().get(&phone).send().await.is_err());
}

#[tokio::test]
async fn told_to_stop_before_it_is_ready_it_leaves_nothing_behind_either() {
    // While its server starts, and while the invented people talk.
    for moment in ["postgres -D", "people"] {
        let folder = temporary_data_dir().unwrap();
        let place = folder.path().display().to_string();
        let mut demo = Process::start(&["demo"], &environment(&place));
        wait_until(&format!("it has come to {moment}"), BOUND, async || {
            let processes = processes_with(&place);
            let has_come = match moment {
                "people" => demo.stderr().contains("the first owner was made"),
                program => processes.iter().any(|process| process.contains(program)),
            };
            if has_come {
                Ok(())
            } else {
                Err(format!("{processes:?} {}", demo.stderr()))
            }
        })
        .await;
        demo.signal_group(Signal::INT);
        let status = demo.ended().await;
        assert_eq!(status.code(), Some(0), "{moment}: {}", demo.stderr());
        assert_nothing_is_left(folder.path());
    }
}

#[tokio::test]
async fn other_machines_reach_it_only_if_that_is_asked_for_twice() {
    let folder = temporary_data_dir().unwrap();
    let mut environment = environment(&folder.path().display().to_string());
    environment.retain(|(name, _)| name != "DOCKET_LISTEN");
    for address in ["0.0.0.0:0", "[::]:0"] {
        let ended = run(&["demo", "--listen", address], &environment, "").await;
        assert_eq!(ended.code, Some(1), "{address}: {}", ended.stdout);
        assert!(ended.stderr.contains("--expose-demo"), "{}", ended.stderr);
        assert_eq!(ended.stdout, "", "{address}");
    }
    assert_nothing_is_left(folder.path());
}

fn environment(place: &str) -> Environment {
    let settings = [
        ("TMPDIR", place),
        ("DOCKET_LISTEN", "127.0.0.1:0"),
        ("DOCKET_METRICS_LISTEN", "off"),
    ];
    settings
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into()
}

fn assert_nothing_is_left(folder: &Path) {
    assert_eq!(
        processes_with(&folder.display().to_string()),
        Vec::<String>::new()
    );
    let left: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    assert!(left.is_empty(), "{left:?}");
}
