//! What people type has one normal form, whichever way they spell it.

use docket::passwords;
use docket_projections::accounts;
use serde_json::json;

use crate::support::{Api, CUSTOMER, new_id, survey, text};

/// Spellings of 447700900123.
const SPELLINGS: [&str; 8] = [
    "447700900123",
    "+44 7700 900123",
    "0044 7700 900-123",
    "tel:+447700900123",
    "\u{202a}+44 7700 900123\u{202c}",
    "+44 (7700) 900.123",
    "\u{feff}+44\u{a0}7700\u{a0}900123\u{200b}",
    "＋４４７７００９００１２３",
];

/// Spellings of no number that can be called, and words of the sentence that says why.
const REFUSED: [(&str, &str); 9] = [
    ("07700 900123", "begins with 0"),
    (
        "+44 (0)7700 900123",
        "has a 0 after the country code; write it as +44 7700 900123",
    ),
    (
        "+4407700900123",
        "has a 0 after the country code; write it as +44 7700 900123",
    ),
    (
        "+44 07700 900123",
        "has a 0 after the country code; write it as +44 7700 900123",
    ),
    (
        "0044 (0) 7700 900123",
        "has a 0 after the country code; write it as +44 7700 900123",
    ),
    ("+44 7700 CALLME", "can hold digits"),
    ("123456", "has 6 digits"),
    ("1234567890123456", "has 16 digits"),
    ("\u{200b}", "is missing"),
];

fn query(number: &str) -> String {
    let bytes = number.bytes().map(|byte| format!("%{byte:02X}"));
    bytes.collect()
}

#[tokio::test]
async fn a_number_is_one_however_it_is_spelt() {
    let api = Api::start().await;
    let ids = api.set_up().await;
    for (spelling, reference) in SPELLINGS.into_iter().zip(101..) {
        let new = json!({"line_id": ids.line, "number": spelling, "text": "Your parcel is here"});
        let case = api.does("POST", "/cases", &new).await.expect(201);
        assert_eq!(case["reference"], reference);
        assert_eq!(case["number"], CUSTOMER, "{spelling:?}");
    }
    for spelling in SPELLINGS.into_iter().chain(["+44 (0)7700 900123"]) {
        let found = api.get(&format!("/cases?number={}", query(spelling))).await;
        let found = found.expect(200)["items"].as_array().unwrap().len();
        assert_eq!(found, SPELLINGS.len(), "{spelling:?}");
    }
    api.close().await;
}

#[tokio::test]
async fn a_number_that_cannot_be_called_is_refused_with_the_right_form() {
    let api = Api::start().await;
    let ids = api.set_up().await;
    for (spelling, said) in REFUSED {
        let case = json!({"line_id": ids.line, "number": spelling, "text": "Hi"});
        let line = json!({"number": spelling, "channel": "whatsapp", "survey_id": ids.survey});
        for answer in [
            api.does("POST", "/cases", &case).await,
            api.owner_does("POST", "/lines", &line).await,
        ] {
            let problem = answer.problem(422, "invalid-value");
            let detail = problem["detail"].as_str().unwrap();
            assert!(detail.contains(said), "{spelling:?}: {detail}");
            assert!(detail.contains("+44 7700 900123"), "{spelling:?}: {detail}");
        }
    }
    let none = api.get("/cases?state=all").await.expect(200);
    assert_eq!(none["items"], json!([]));
    api.close().await;
}

#[tokio::test]
async fn a_national_number_is_understood_where_a_country_is_set() {
    let api = Api::start().await.in_country("GB");
    let ids = api.set_up().await;
    let new = json!({"line_id": ids.line, "number": "07700 900123", "text": "Hello"});
    let case = api.does("POST", "/cases", &new).await.expect(201);
    assert_eq!(case["number"], CUSTOMER);
    let line = json!({"number": "(07700) 900001", "channel": "sms", "survey_id": ids.survey});
    let line = api.owner_does("POST", "/lines", &line).await.expect(201);
    assert_eq!(line["number"], "447700900001");
    for spelling in ["07700%20900123", "447700900123", "%2B44%207700%20900123"] {
        let found = api
            .get(&format!("/cases?number={spelling}"))
            .await
            .expect(200);
        assert_eq!(found["items"][0]["reference"], 101, "{spelling}");
    }
    let abroad = json!({"line_id": ids.line, "number": "12025550100", "text": "Hello"});
    let abroad = api.does("POST", "/cases", &abroad).await.expect(201);
    assert_eq!(abroad["number"], "12025550100");
    let trunk = json!({"line_id": ids.line, "number": "+44 07700 900123", "text": "Hello"});
    api.does("POST", "/cases", &trunk)
        .await
        .problem(422, "invalid-value");
    api.close().await;
}

#[tokio::test]
async fn names_and_texts_lose_their_ends_and_are_composed() {
    let api = Api::start().await;
    let mut new = survey();
    new["name"] = json!("\u{feff} Cafe\u{301} \u{200b}");
    new["status"]["choices"] = json!([" Open\u{200b}", "Geklu\u{308}rt"]);
    new["status"]["closed_value"] = json!("\u{200b}Geklürt");
    let made = api.owner_does("POST", "/surveys", &new).await.expect(201);
    assert_eq!(made["name"], "Café");
    assert_eq!(made["status"]["choices"], json!(["Open", "Geklürt"]));
    assert_eq!(made["status"]["closed_value"], "Geklürt");
    let templates =
        json!({"templates": [{"name": "\u{200b}Hours ", "text": "\u{feff}9 to 5\u{a0}"}]});
    let path = format!("/surveys/{}/templates", text(&made["id"]));
    let made = api.owner_does("PUT", &path, &templates).await.expect(200);
    assert_eq!(
        made["templates"][0],
        json!({"name": "Hours", "text": "9 to 5"})
    );

    api.set_up().await;
    api.receives("Hello").await;
    let put = async |what: &str, body: serde_json::Value| {
        let path = format!("/cases/101/{what}");
        api.does("PUT", &path, &body).await.expect(200)
    };
    let case = put("title", json!({"title": "\u{200b}Cafe\u{301}\u{200b}"})).await;
    assert_eq!(case["title"], "Café");
    let case = put("status", json!({"value": "\u{200b}Resolved\u{a0}"})).await;
    assert_eq!(
        (&case["status"], &case["state"]),
        (&json!("Resolved"), &json!("closed"))
    );
    put("status", json!({"value": "New"})).await;
    let case = put(
        "assignee",
        json!({"email": "\u{feff}Agent@example.com\u{200b}"}),
    )
    .await;
    assert_eq!(case["assignee"], "agent@example.com");
    let note = json!({"text": "\u{200b} a\n\nb \u{feff}"});
    let case = api
        .does("POST", "/cases/101/notes", &note)
        .await
        .expect(201);
    assert_eq!(case["notes"][0]["text"], "a\n\nb");
    let reply = json!({"text": " Family \u{200d}👨\u{200d}👩\u{200d}👧 ❤\u{fe0f}\u{200b}"});
    api.does("POST", "/cases/101/replies", &reply)
        .await
        .expect(202);
    let thread = api.get("/cases/101/thread").await.expect(200);
    let items = thread["items"].as_array().unwrap();
    let said = items.last().unwrap();
    assert_eq!(
        said["text"],
        "Family \u{200d}👨\u{200d}👩\u{200d}👧 ❤\u{fe0f}"
    );
    let found = api
        .get("/cases?assignee=%E2%80%8Bagent@example.com%20")
        .await;
    assert_eq!(found.expect(200)["items"][0]["reference"], 101);
    api.close().await;
}

#[tokio::test]
async fn nothing_visible_is_nothing() {
    let api = Api::start().await;
    let ids = api.set_up().await;
    let (_, message) = api.receives("Hello").await;
    for blank in [
        "\u{200b}",
        " \u{2060}\n",
        "\u{feff}",
        "\u{2066}\u{2069}",
        "\u{fe0f}",
    ] {
        for (method, path, body) in [
            ("POST", "/cases/101/replies", json!({"text": blank})),
            ("POST", "/cases/101/notes", json!({"text": blank})),
            ("PUT", "/cases/101/title", json!({"title": blank})),
            (
                "POST",
                "/cases",
                json!({"line_id": ids.line, "number": CUSTOMER, "text": blank}),
            ),
        ] {
            let problem = api
                .does(method, path, &body)
                .await
                .problem(422, "invalid-value");
            let detail = problem["detail"].as_str().unwrap();
            assert!(
                detail.contains("must not be empty"),
                "{path} {blank:?}: {detail}"
            );
        }
        let token = json!({"name": blank});
        api.owner_does("POST", "/tokens", &token)
            .await
            .problem(422, "invalid-value");
        let mut unnamed = survey();
        unnamed["name"] = json!(blank);
        api.owner_does("POST", "/surveys", &unnamed)
            .await
            .problem(422, "invalid-value");
    }
    // A comment of nothing is no comment.
    let path = format!("/cases/101/messages/{message}/move");
    let moved = json!({"comment": "\u{200b}"});
    api.does("POST", &path, &moved).await.expect(200);
    let made = api.get("/cases/102").await.expect(200);
    assert_eq!(made["notes"], json!([]));
    api.close().await;
}

#[tokio::test]
async fn nothing_is_cut_without_a_word() {
    let api = Api::start().await;
    let ids = api.set_up().await;
    api.receives("Hello").await;
    let long = |chars: usize| "x".repeat(chars);
    let begun = json!({"line_id": ids.line, "number": CUSTOMER, "text": "Hi", "title": long(500)});
    for (method, path, body, said) in [
        (
            "PUT",
            "/cases/101/title",
            json!({"title": long(500)}),
            "the title has 500 characters; at most 200",
        ),
        (
            "PUT",
            "/cases/101/title",
            json!({"title": "word ".repeat(50)}),
            "the title has 249 characters; at most 200",
        ),
        (
            "POST",
            "/cases",
            begun,
            "the title has 500 characters; at most 200",
        ),
        (
            "POST",
            "/cases/101/notes",
            json!({"text": long(10_001)}),
            "the note has 10001 characters; at most 10000",
        ),
        (
            "POST",
            "/cases/101/replies",
            json!({"text": long(1_000)}),
            "has 1005 characters; at most 1000",
        ),
    ] {
        let problem = api
            .does(method, path, &body)
            .await
            .problem(422, "invalid-value");
        let detail = problem["detail"].as_str().unwrap();
        assert!(detail.contains(said), "{path}: {detail}");
    }
    let case = api.get("/cases/101").await.expect(200);
    assert_eq!(
        (&case["title"], &case["version"]),
        (&json!("Hello"), &json!(2))
    );
    let title = json!({"title": long(200)});
    api.does("PUT", "/cases/101/title", &title)
        .await
        .expect(200);
    api.close().await;
}

#[tokio::test]
async fn references_are_read_in_every_script_and_past_what_nobody_sees() {
    let api = Api::start().await;
    api.set_up().await;
    for reference in 101..=102 {
        assert_eq!(api.receives("#0").await.0, [reference]);
    }
    for said in [
        "#\u{200d}101",
        "#1\u{200b}01",
        "#١٠١",
        "#१०१",
        "＃１０１",
        "﹟101",
        "#\u{fe0f}\u{20e3}101",
        "# 101",
        "#\u{a0}101",
        "\u{202b}#101\u{202c}",
    ] {
        assert_eq!(api.receives(said).await.0, [101], "{said:?}");
    }
    for said in [
        "#000000",
        "#00",
        "# 0",
        "abc\u{200b}#101",
        "# 999",
        "#12-101",
        "Paint it #101a",
    ] {
        assert_eq!(api.receives(said).await.0, [101, 102], "{said:?}");
    }
    let close = json!({"value": "Resolved"});
    api.does("PUT", "/cases/101/status", &close)
        .await
        .expect(200);
    assert_eq!(api.receives("# 101 leaks again").await.0, [103]);
    let followed = api.get("/cases/103").await.expect(200);
    assert_eq!(
        followed["links"],
        json!([{"reference": 101, "kind": "follows"}])
    );
    assert_eq!(api.receives("#٠").await.0, [104]);
    api.close().await;
}

#[tokio::test]
async fn a_password_is_the_same_however_its_letters_are_composed() {
    let api = Api::start().await;
    let new = json!({"email": "u\u{308}nal@example.com", "role": "agent", "password": "schlu\u{308}ssel123"});
    let added = api.owner_does("POST", "/users", &new).await.expect(201);
    assert_eq!(added["email"], "ünal@example.com");
    let known = async || {
        accounts::password_hash(&api.app.pool, "ünal@example.com")
            .await
            .unwrap()
            .unwrap()
            .password_hash
    };
    let verified = passwords::verify_inside("schlüssel123".into(), known().await, "test");
    assert_eq!(verified.await, Ok(true));
    let path = format!("/users/{}/password", text(&added["id"]));
    let other = json!({"password": "brücke-12345"});
    api.owner_does("PUT", &path, &other).await.expect(204);
    let verified = passwords::verify_inside("bru\u{308}cke-12345".into(), known().await, "test");
    assert_eq!(verified.await, Ok(true));
    api.close().await;
}

#[tokio::test]
async fn an_integer_has_every_form_that_json_schema_takes_for_one() {
    let api = Api::start().await;
    let ids = api.set_up().await;
    let survey = format!("/surveys/{}", ids.survey);
    let line = format!("/lines/{}", ids.line);
    for (n, one) in ["1", "1.0", "1e0", "10E-1", "0.1e1", "1.000"]
        .iter()
        .enumerate()
    {
        api.receives(&format!("Message {n} #0")).await;
        let reference = 101 + n;
        let number = format!("{reference}.0");
        let sends = async |token, method: &str, path: &str, body: &str| {
            let call = api.call(method, path, Some(token));
            call.raw("application/json", body.to_owned()).send().await
        };
        // A version that is too old is understood, and refused for what it says.
        let path = format!("/cases/{reference}");
        let body = format!(r#"{{"text":"Hi","seen_version":{one}}}"#);
        let answer = sends(&api.agent, "POST", &format!("{path}/replies"), &body).await;
        answer.problem(409, "said-since");
        let body = format!(r#"{{"value":"Resolved","seen_version":{one}}}"#);
        let answer = sends(&api.agent, "PUT", &format!("{path}/status"), &body).await;
        answer.problem(409, "said-since");
        for (path, body) in [
            (&survey, format!(r#"{{"version":{one}}}"#)),
            (&line, format!(r#"{{"version":{one}}}"#)),
        ] {
            let answer = sends(&api.owner, "PATCH", path, &body).await;
            assert_eq!(answer.status, 200, "{path} {body}: {}", answer.text);
        }
        for query in ["limit", "after"] {
            let path = format!("/events?{query}={}", one.replace('+', "%2B"));
            api.get(&path).await.expect(200);
        }
        let body = format!(r#"{{"to":{number}}}"#);
        let path = format!("{path}/messages/{}/move", new_id());
        let answer = sends(&api.agent, "POST", &path, &body).await;
        answer.problem(404, "not-found");
    }
    for wrong in ["1.5", "-1.0", "1e99", "\"1.0\"", "1e-1"] {
        let body = format!(r#"{{"text":"Hi","seen_version":{wrong}}}"#);
        let call = api.call("POST", "/cases/101/replies", Some(&api.agent));
        let answer = call.raw("application/json", body).send().await;
        answer.problem(422, "invalid-body");
    }
    api.close().await;
}
