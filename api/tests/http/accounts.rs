//! Users and tokens.

use docket::passwords;
use docket_projections::accounts;
use secrecy::SecretString;
use serde_json::{Value, json};

use crate::support::{Api, text};

#[tokio::test]
async fn users_are_added_and_removed() {
    let api = Api::start().await;
    let new = json!({"email": "New@Example.com", "role": "agent", "password": "correct horse"});
    let answer = api.owner_does("POST", "/users", &new).await;
    let added = answer.expect(201);
    let id = text(&added["id"]);
    assert_eq!(
        answer.headers["location"],
        format!("/api/v1/users/{id}").as_str()
    );
    assert_eq!(
        added,
        json!({
            "id": id, "user_id": id, "kind": "person", "email": "new@example.com", "name": null, "initials": "NE", "role": "agent",
            "surveys": null,
            "created_at": "2026-03-01T12:00:00Z",
        })
    );
    let kept = accounts::password_hash(&api.app.pool, "new@example.com")
        .await
        .unwrap()
        .unwrap();
    let is_right = passwords::verify_inside("correct horse".into(), kept.password_hash, "test");
    assert_eq!(is_right.await, Ok(true));

    let listed = api
        .owner_does("GET", "/users", &json!({}))
        .await
        .expect(200);
    let emails: Vec<String> = listed["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|user| text(&user["email"]))
        .collect();
    assert_eq!(emails.len(), 4);
    assert!(emails.contains(&"new@example.com".to_owned()));
    assert!(!listed.to_string().contains("argon2"));

    api.owner_does("POST", "/users", &new)
        .await
        .problem(409, "email-taken");
    let path = format!("/users/{id}");
    api.owner_does("DELETE", &path, &json!({}))
        .await
        .expect(204);
    api.owner_does("DELETE", &path, &json!({}))
        .await
        .expect(204);
    // The address is free again.
    api.owner_does("POST", "/users", &new).await.expect(201);
    api.close().await;
}

#[tokio::test]
async fn two_users_of_one_address_at_once_are_one() {
    let api = Api::with_writers(4).await;
    let new = json!({"email": "new@example.com", "role": "agent"});
    let (one, other) = tokio::join!(
        api.owner_does("POST", "/users", &new),
        api.owner_does("POST", "/users", &new)
    );
    let (good, bad) = if one.status.is_success() {
        (one, other)
    } else {
        (other, one)
    };
    good.expect(201);
    bad.problem(409, "email-taken");
    api.close().await;
}

#[tokio::test]
async fn users_that_cannot_be() {
    let api = Api::start().await;
    for (new, said) in [
        (json!({"email": "nobody", "role": "agent"}), "email must be"),
        (
            json!({"email": "a@example.com", "role": "admin"}),
            "role must be one of",
        ),
        (
            json!({"email": "a@example.com", "role": "agent", "password": "short"}),
            "10 characters",
        ),
    ] {
        let problem = api
            .owner_does("POST", "/users", &new)
            .await
            .problem(422, "invalid-value");
        assert!(
            problem["detail"].as_str().unwrap().contains(said),
            "{problem}"
        );
    }
    let users = api
        .owner_does("GET", "/users", &json!({}))
        .await
        .expect(200);
    let owner = users["items"]
        .as_array()
        .unwrap()
        .iter()
        .find(|user| user["role"] == "owner")
        .unwrap();
    let own = format!("/users/{}", text(&owner["id"]));
    api.owner_does("DELETE", &own, &json!({}))
        .await
        .problem(409, "own-account");
    let nobody = "/users/00000000-0000-0000-0000-0000000000ff";
    api.owner_does("DELETE", nobody, &json!({}))
        .await
        .problem(404, "not-found");
    api.close().await;
}

#[tokio::test]
async fn a_token_works_until_it_is_ended() {
    let api = Api::start().await;
    let service = json!({"kind": "service", "name": "Integration", "role": "auditor"});
    api.owner_does("POST", "/users", &service).await.expect(201);
    let new = json!({"name": "integration", "email": "integration"});
    let created = api.owner_does("POST", "/tokens", &new).await.expect(201);
    let id = text(&created["id"]);
    let token = SecretString::from(text(&created["token"]));
    assert_eq!(
        (&created["name"], &created["email"]),
        (&json!("integration"), &json!("Integration"))
    );
    api.call("GET", "/cases", Some(&token))
        .send()
        .await
        .expect(200);
    // An auditor sees who has which token, and makes none.
    let listed = api.call("GET", "/tokens", Some(&token)).send().await;
    assert!(!listed.text.contains("docket_"), "{}", listed.text);
    listed.expect(200);
    api.call("POST", "/tokens", Some(&token))
        .json(&new)
        .send()
        .await
        .problem(403, "forbidden");

    let listed = api
        .owner_does("GET", "/tokens", &json!({}))
        .await
        .expect(200);
    assert_eq!(listed["items"].as_array().unwrap().len(), 4);
    let mut shown = created.clone();
    shown.as_object_mut().unwrap().remove("token");
    assert!(listed["items"].as_array().unwrap().contains(&shown));

    let path = format!("/tokens/{id}");
    api.owner_does("DELETE", &path, &json!({}))
        .await
        .expect(204);
    api.call("GET", "/cases", Some(&token))
        .send()
        .await
        .problem(401, "unauthenticated");
    api.owner_does("DELETE", &path, &json!({}))
        .await
        .expect(204);
    let nobody = "/tokens/00000000-0000-0000-0000-0000000000ff";
    api.owner_does("DELETE", nobody, &json!({}))
        .await
        .problem(404, "not-found");
    api.close().await;
}

#[tokio::test]
async fn a_token_without_an_address_is_the_callers() {
    let api = Api::start().await;
    let created = api
        .owner_does("POST", "/tokens", &json!({"name": "mine"}))
        .await
        .expect(201);
    assert_eq!(created["email"], "owner@example.com");
    for (new, said) in [
        (
            json!({"name": "x", "email": "nobody@example.com"}),
            "email must be the address of a user",
        ),
        (json!({"name": " "}), "name must have"),
    ] {
        let problem = api
            .owner_does("POST", "/tokens", &new)
            .await
            .problem(422, "invalid-value");
        assert!(
            problem["detail"].as_str().unwrap().contains(said),
            "{problem}"
        );
    }
    api.close().await;
}

#[tokio::test]
async fn a_removed_users_tokens_end_with_them() {
    let api = Api::start().await;
    let users = api
        .owner_does("GET", "/users", &json!({}))
        .await
        .expect(200);
    let is_agent = |user: &&Value| user["role"] == "agent";
    let agent = users["items"]
        .as_array()
        .unwrap()
        .iter()
        .find(is_agent)
        .unwrap();
    api.owner_does(
        "DELETE",
        &format!("/users/{}", text(&agent["id"])),
        &json!({}),
    )
    .await
    .expect(204);
    api.get("/cases").await.problem(401, "unauthenticated");
    let tokens = api
        .owner_does("GET", "/tokens", &json!({}))
        .await
        .expect(200);
    assert_eq!(tokens["items"].as_array().unwrap().len(), 2);
    api.close().await;
}
