//! The commands that end by themselves.

use docket_tests::api::Api;
use docket_tests::docket::{Environment, run};
use docket_tests::installation::Installation;
use docket_tests::log;

use crate::help_desk::HelpDesk;

/// An empty database beside the installation's own: its name and its URL.
async fn empty_database(installation: &Installation) -> (String, String) {
    let own: String = sqlx::query_scalar("SELECT current_database()")
        .fetch_one(&installation.pool)
        .await
        .unwrap();
    let name = format!("{own}_empty");
    sqlx::query(&format!("CREATE DATABASE {name} TEMPLATE template0"))
        .execute(&installation.pool)
        .await
        .unwrap();
    let url = installation
        .environment()
        .iter()
        .find(|(name, _)| name == "DATABASE_URL")
        .unwrap();
    // Of several names Postgres takes the last.
    let url = format!("{}&dbname={name}", url.1);
    (name, url)
}

async fn drop_database(installation: &Installation, name: &str) {
    sqlx::query(&format!("DROP DATABASE {name} WITH (FORCE)"))
        .execute(&installation.pool)
        .await
        .unwrap();
}

#[tokio::test]
async fn migrate_can_be_run_again_and_by_several_at_once() {
    let installation = Installation::new().await;
    let (name, url) = empty_database(&installation).await;
    let environment: Environment = vec![("DATABASE_URL".to_owned(), url.clone())];
    let at_once =
        futures_util::future::join_all((0..3).map(|_| run(&["migrate"], &environment, ""))).await;
    for ended in at_once {
        ended.success();
    }
    let said = run(&["migrate"], &environment, "").await.success();
    assert!(said.contains("up to date"), "{said}");

    let other = Installation::on(&url).await;
    assert_eq!(log::length(&other.pool).await, 0);
    other.close().await;
    drop_database(&installation, &name).await;
    installation.close().await;
}

#[tokio::test]
async fn users_and_tokens_are_made_beside_a_service_that_runs() {
    let desk = HelpDesk::open().await;
    let environment = desk.installation.environment();
    let add = words("user add --email Agent@Example.com --role agent --password-stdin");
    run(&add, environment, "correct horse battery\n")
        .await
        .success();
    let create = words("token create --email agent@example.com --name laptop");
    let token = run(&create, environment, "").await.success();
    assert_eq!(token.lines().count(), 1, "the token and nothing else");

    let agent = Api::new(desk.docket.url(), token.trim_end());
    assert!(agent.all("/cases").await.is_empty());
    let refused = agent.post("/surveys", &serde_json::json!({})).await;
    assert_eq!(
        refused.status, 403,
        "an agent sets nothing up: {}",
        refused.text
    );
    let tokens = desk.owner.all("/tokens").await;
    assert!(tokens.iter().any(|token| token["name"] == "laptop"));
    let kept: bool = sqlx::query_scalar(
        "SELECT EXISTS (SELECT FROM credentials WHERE password_hash LIKE '$argon2id$%')",
    )
    .fetch_one(&desk.installation.pool)
    .await
    .unwrap();
    assert!(kept, "the password is kept as a hash");
    log::assert_sound(&desk.installation.pool).await;
    desk.close().await;
}

#[tokio::test]
async fn a_user_or_token_that_cannot_be_is_refused_with_a_sentence() {
    let desk = HelpDesk::open().await;
    let nameless = [
        "token",
        "create",
        "--email",
        "owner@example.com",
        "--name",
        "",
    ];
    let wrong = [
        (
            words("user add --email owner@example.com --role agent"),
            "",
            "already",
        ),
        (
            words("user add --email nowhere --role agent"),
            "",
            "address",
        ),
        (
            words("user add --email short@example.com --role agent --password-stdin"),
            "short\n",
            "10 characters",
        ),
        (
            words("user add --email none@example.com --role agent --password-stdin"),
            "",
            "password",
        ),
        (
            words("token create --email nobody@example.com --name laptop"),
            "",
            "nobody@example.com",
        ),
        (nameless.to_vec(), "", "name"),
    ];
    for (arguments, input, sentence) in wrong {
        let ended = run(&arguments, desk.installation.environment(), input).await;
        assert_eq!(ended.code, Some(1), "{arguments:?}: {}", ended.stderr);
        assert!(
            ended.stderr.contains(sentence),
            "{arguments:?}: {}",
            ended.stderr
        );
        assert_eq!(ended.stdout, "", "{arguments:?}");
    }
    let users = desk.owner.all("/users").await;
    assert_eq!(users.len(), 1, "{users:?}");
    desk.close().await;
}

fn words(line: &str) -> Vec<&str> {
    line.split_whitespace().collect()
}

#[tokio::test]
async fn the_help_names_every_command_and_every_variable() {
    let help = run(&["serve", "--help"], &vec![], "").await.success();
    for variable in [
        "DATABASE_URL",
        "DATABASE_URL_FILE",
        "DOCKET_CONFIG",
        "DOCKET_LISTEN",
        "DOCKET_DATA_DIR",
        "DOCKET_PUBLIC_URL",
        "DOCKET_VONAGE_API_URL",
        "DOCKET_VONAGE_APPLICATION_ID",
        "DOCKET_VONAGE_SIGNATURE_SECRET",
        "DOCKET_VONAGE_SIGNATURE_SECRET_FILE",
        "DOCKET_VONAGE_PRIVATE_KEY_FILE",
        "DOCKET_TRUSTED_PROXIES",
        "DOCKET_METRICS_LISTEN",
        "DOCKET_VONAGE_RATE",
        "DOCKET_DEFAULT_COUNTRY",
        "DOCKET_SENDING_LEASE",
        "DOCKET_OWNER_EMAIL",
        "DOCKET_OWNER_PASSWORD",
        "DOCKET_OWNER_PASSWORD_FILE",
        "RUST_LOG",
    ] {
        let named = help
            .split(|c: char| !c.is_ascii_uppercase() && c != '_')
            .any(|word| word == variable);
        assert!(named, "{variable} is missing:\n{help}");
    }
    let help = run(&["--help"], &vec![], "").await.success();
    for command in ["demo", "serve", "migrate", "user", "token"] {
        assert!(
            help.lines()
                .any(|line| line.trim_start().starts_with(command)),
            "{command} is missing:\n{help}"
        );
    }
    let version = run(&["--version"], &vec![], "").await.success();
    assert!(version.starts_with("docket "), "{version}");
    let unknown = run(&["fly"], &vec![], "").await;
    assert_eq!(unknown.code, Some(2));
}
