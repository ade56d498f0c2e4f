//! Settings, right and wrong.

use std::net::TcpListener;
use std::path::Path;

use docket_tests::api::Api;
use docket_tests::docket::{Environment, refused, run};
use docket_tests::installation::{Installation, SIGNATURE_SECRET};
use docket_tests::webhooks::sms;

use crate::help_desk::{OURS, customer};

/// Stands for a variable that is not set.
const UNSET: &str = "(not set)";
/// What stands in values that must not be repeated to whoever reads the log.
const SECRET: &str = "hunter2hunter2";

fn file(folder: &Path, name: &str, content: &str) -> String {
    let path = folder.join(name);
    std::fs::write(&path, content).unwrap();
    path.display().to_string()
}

#[tokio::test]
#[expect(clippy::too_many_lines, reason = "a table")]
async fn each_wrong_value_stops_the_start_with_a_sentence_that_names_it() {
    let installation = Installation::new().await;
    let folder = installation.folder.path();
    let empty = file(folder, "empty", "\n");
    let no_key = file(folder, "no.key", SECRET);
    let no_settings = file(folder, "settings", "this is no = setting\n\"");
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = taken.local_addr().unwrap().to_string();
    let url_with_secret = format!("mysql://docket:{SECRET}@db.example.com/docket");
    let public_url_with_secret = format!("https://docket:{SECRET}@docket.example.com");
    let secret_settings = file(folder, "secret.env", &format!("A=1\n{SECRET}\n"));
    let misspelt = format!("DOCKET_SECRT_KEY={SECRET}\n");
    let misspelt_settings = file(folder, "misspelt.env", &misspelt);
    let missing = "/nowhere/at/all";
    // What is set besides the environment of a service that would start, and the variable that the sentence names.
    let cases: Vec<(&str, Vec<(&str, &str)>)> = vec![
        ("DATABASE_URL", vec![("DATABASE_URL", "nonsense")]),
        ("DATABASE_URL", vec![("DATABASE_URL", &url_with_secret)]),
        (
            "DATABASE_URL_FILE",
            vec![("DATABASE_URL", UNSET), ("DATABASE_URL_FILE", &empty)],
        ),
        (
            "DATABASE_URL_FILE",
            vec![("DATABASE_URL", UNSET), ("DATABASE_URL_FILE", missing)],
        ),
        ("DATABASE_URL_FILE", vec![("DATABASE_URL_FILE", &no_key)]),
        ("DOCKET_LISTEN", vec![("DOCKET_LISTEN", "8080")]),
        ("DOCKET_LISTEN", vec![("DOCKET_LISTEN", "nowhere:8080")]),
        ("DOCKET_LISTEN", vec![("DOCKET_LISTEN", &taken)]),
        (
            "DOCKET_METRICS_LISTEN",
            vec![("DOCKET_METRICS_LISTEN", &taken)],
        ),
        (
            "DOCKET_METRICS_LISTEN",
            vec![("DOCKET_METRICS_LISTEN", "9464")],
        ),
        ("DOCKET_DATA_DIR", vec![("DOCKET_DATA_DIR", "~/docket")]),
        (
            "DOCKET_TRUSTED_PROXIES",
            vec![("DOCKET_TRUSTED_PROXIES", "proxy.example.com")],
        ),
        (
            "DOCKET_PUBLIC_URL",
            vec![("DOCKET_PUBLIC_URL", "https://example.com/cases")],
        ),
        (
            "DOCKET_PUBLIC_URL",
            vec![("DOCKET_PUBLIC_URL", &public_url_with_secret)],
        ),
        (
            "DOCKET_SECRET_KEY",
            vec![
                ("DOCKET_SECRET_KEY", SECRET),
                ("DOCKET_SECRET_KEY_FILE", &no_key),
            ],
        ),
        ("line 2", vec![("DOCKET_CONFIG", &secret_settings)]),
        (
            "do you mean DOCKET_SECRET_KEY?",
            vec![("DOCKET_CONFIG", &misspelt_settings)],
        ),
        (
            "DOCKET_PUBLIC_URL",
            vec![("DOCKET_PUBLIC_URL", "docket.example.com")],
        ),
        (
            "DOCKET_PUBLIC_URL",
            vec![("DOCKET_PUBLIC_URL", "ftp://docket.example.com")],
        ),
        (
            "DOCKET_VONAGE_API_URL",
            vec![("DOCKET_VONAGE_API_URL", "nonsense")],
        ),
        (
            "DOCKET_VONAGE_API_URL",
            vec![("DOCKET_VONAGE_API_URL", "http://api.example.com")],
        ),
        (
            "DOCKET_DEFAULT_COUNTRY",
            vec![("DOCKET_DEFAULT_COUNTRY", "UK")],
        ),
        (
            "DOCKET_DEFAULT_COUNTRY",
            vec![("DOCKET_DEFAULT_COUNTRY", "Great Britain")],
        ),
        ("DOCKET_VONAGE_RATE", vec![("DOCKET_VONAGE_RATE", "0")]),
        ("DOCKET_VONAGE_RATE", vec![("DOCKET_VONAGE_RATE", "fast")]),
        ("DOCKET_SENDING_LEASE", vec![("DOCKET_SENDING_LEASE", "0")]),
        (
            "DOCKET_SENDING_LEASE",
            vec![("DOCKET_SENDING_LEASE", "1 minute")],
        ),
        (
            "DOCKET_VONAGE_SIGNATURE_SECRET",
            vec![("DOCKET_VONAGE_SIGNATURE_SECRET_FILE", &no_key)],
        ),
        (
            "DOCKET_VONAGE_PRIVATE_KEY_FILE",
            vec![("DOCKET_VONAGE_PRIVATE_KEY_FILE", missing)],
        ),
        (
            "DOCKET_VONAGE_PRIVATE_KEY_FILE",
            vec![("DOCKET_VONAGE_PRIVATE_KEY_FILE", &empty)],
        ),
        (
            "DOCKET_VONAGE_PRIVATE_KEY_FILE",
            vec![("DOCKET_VONAGE_PRIVATE_KEY_FILE", &no_key)],
        ),
        (
            "DOCKET_VONAGE_APPLICATION_ID",
            vec![("DOCKET_VONAGE_APPLICATION_ID", "")],
        ),
        ("DOCKET_SECRET_KEY", vec![("DOCKET_SECRET_KEY", SECRET)]),
        (
            "DOCKET_SECRET_KEY_FILE",
            vec![("DOCKET_SECRET_KEY_FILE", missing)],
        ),
        (
            "DOCKET_OWNER_EMAIL",
            vec![("DOCKET_OWNER_EMAIL", "owner@example.com")],
        ),
        (
            "DOCKET_OWNER_PASSWORD",
            vec![("DOCKET_OWNER_PASSWORD", SECRET)],
        ),
        (
            "DOCKET_OWNER_EMAIL",
            vec![
                ("DOCKET_OWNER_EMAIL", "nobody"),
                ("DOCKET_OWNER_PASSWORD", SECRET),
            ],
        ),
        (
            "DOCKET_OWNER_PASSWORD",
            vec![
                ("DOCKET_OWNER_EMAIL", "owner@example.com"),
                ("DOCKET_OWNER_PASSWORD", "short"),
            ],
        ),
        (
            "DOCKET_OWNER_PASSWORD_FILE",
            vec![
                ("DOCKET_OWNER_EMAIL", "owner@example.com"),
                ("DOCKET_OWNER_PASSWORD_FILE", missing),
            ],
        ),
        ("DOCKET_CONFIG", vec![("DOCKET_CONFIG", missing)]),
        ("DOCKET_CONFIG", vec![("DOCKET_CONFIG", &no_settings)]),
        ("RUST_LOG", vec![("RUST_LOG", "info,=,docket=loud")]),
    ];
    for (named, set) in cases {
        let mut environment = installation.environment().clone();
        environment.push(("DOCKET_LISTEN".to_owned(), "127.0.0.1:0".to_owned()));
        for (name, value) in &set {
            environment.retain(|(other, _)| other != name);
            if *value != UNSET {
                environment.push(((*name).to_owned(), (*value).to_owned()));
            }
        }
        let ended = refused(&environment).await;
        assert_eq!(
            ended.code,
            Some(1),
            "{set:?} is taken: {}{}",
            ended.stdout,
            ended.stderr
        );
        assert!(
            ended.stderr.contains(named),
            "{set:?}: the sentence does not name {named}: {}",
            ended.stderr
        );
        for secret in [SECRET, SIGNATURE_SECRET] {
            assert!(
                !ended.stderr.contains(secret),
                "{set:?}: the secret is repeated: {}",
                ended.stderr
            );
        }
    }

    // Several mistakes are told at once.
    let mut environment = installation.environment().clone();
    environment.extend(
        [
            ("DOCKET_LISTEN", "8080"),
            ("DOCKET_VONAGE_RATE", "0"),
            ("DOCKET_OWNER_EMAIL", "owner@example.com"),
        ]
        .map(|(n, v)| (n.to_owned(), v.to_owned())),
    );
    let ended = refused(&environment).await;
    for named in [
        "DOCKET_LISTEN must",
        "DOCKET_VONAGE_RATE must",
        "DOCKET_OWNER_EMAIL is set without DOCKET_OWNER_PASSWORD",
    ] {
        assert!(
            ended.stderr.contains(named),
            "{named} is not told: {}",
            ended.stderr
        );
    }
    installation.close().await;
}

#[tokio::test]
async fn secrets_are_read_from_files_and_the_first_owner_is_made_once() {
    let mut installation = Installation::new().await;
    let folder = installation.folder.path().to_owned();
    let url = installation
        .environment()
        .iter()
        .find(|(name, _)| name == "DATABASE_URL")
        .unwrap()
        .1
        .clone();
    for (name, value) in [
        ("DATABASE_URL", url.as_str()),
        ("DOCKET_VONAGE_SIGNATURE_SECRET", SIGNATURE_SECRET),
        ("DOCKET_OWNER_PASSWORD", "correct horse battery"),
    ] {
        installation.unset(name);
        installation.set(
            &format!("{name}_FILE"),
            &file(&folder, name, &format!("{value}\n")),
        );
    }
    installation.set("DOCKET_OWNER_EMAIL", "first@example.com");

    for start in 1..=2 {
        let docket = installation.serve().await;
        assert_eq!(
            installation
                .webhooks
                .inbound(docket.url(), &sms(&customer(start), OURS, "Hello?"))
                .await,
            200
        );
        let token = run(
            &[
                "token",
                "create",
                "--email",
                "first@example.com",
                "--name",
                "x",
            ],
            installation.environment(),
            "",
        )
        .await;
        let owner = Api::new(docket.url(), token.success().trim_end());
        let users = owner.all("/users").await;
        assert_eq!(users.len(), 1, "start {start}: {users:?}");
        assert_eq!(
            (&users[0]["email"], &users[0]["role"]),
            (&"first@example.com".into(), &"owner".into())
        );
        docket.stop().await;
    }
    installation.close().await;
}

#[tokio::test]
async fn a_file_holds_settings_and_the_environment_weighs_more() {
    let installation = Installation::new().await;
    let lines: String = installation
        .environment()
        .iter()
        .fold(String::new(), |lines, (name, value)| {
            lines + &format!("{name}={value}\n")
        });
    let good = file(installation.folder.path(), "docket.env", &lines);
    let set =
        |name: &str, value: &str| -> Environment { vec![(name.to_owned(), value.to_owned())] };

    run(&["migrate", "--config", &good], &vec![], "")
        .await
        .success();
    run(&["migrate", &format!("--config={good}")], &vec![], "")
        .await
        .success();
    run(&["migrate"], &set("DOCKET_CONFIG", &good), "")
        .await
        .success();

    let bad = file(
        installation.folder.path(),
        "bad.env",
        &lines.replace("DATABASE_URL=", "DATABASE_URL=x"),
    );
    let wrong = run(&["migrate", "--config", &bad], &vec![], "").await;
    assert_eq!(wrong.code, Some(1));
    assert!(wrong.stderr.contains("DATABASE_URL"), "{}", wrong.stderr);
    let url = &installation
        .environment()
        .iter()
        .find(|(name, _)| name == "DATABASE_URL")
        .unwrap()
        .1;
    run(
        &["migrate", "--config", &bad],
        &set("DATABASE_URL", url),
        "",
    )
    .await
    .success();
    // And a flag weighs more than both.
    let flags = ["migrate", "--config", &bad, "--database-url", url];
    run(&flags, &set("DATABASE_URL", "nonsense"), "")
        .await
        .success();
    installation.close().await;
}

#[tokio::test]
async fn what_is_pasted_along_with_a_secret_does_not_count() {
    let mut installation = Installation::new().await;
    let folder = installation.folder.path().to_owned();
    let pasted = format!("\u{feff} {SIGNATURE_SECRET}\u{200b}\r\n");
    let in_file = file(&folder, "signature.secret", &pasted);
    let settings = file(
        &folder,
        "pasted.env",
        &format!("# pasted\r\nDOCKET_VONAGE_SIGNATURE_SECRET={SIGNATURE_SECRET} \t\r\n"),
    );
    for (number, set) in [
        ("DOCKET_VONAGE_SIGNATURE_SECRET", pasted.as_str()),
        ("DOCKET_VONAGE_SIGNATURE_SECRET_FILE", &in_file),
        ("DOCKET_CONFIG", &settings),
    ]
    .into_iter()
    .enumerate()
    {
        installation.unset("DOCKET_VONAGE_SIGNATURE_SECRET");
        installation.set(set.0, set.1);
        // What is empty is not set.
        for name in [
            "DOCKET_VONAGE_SIGNATURE_SECRET",
            "DOCKET_PUBLIC_URL",
            "DOCKET_LISTEN",
            "DOCKET_SECRET_KEY",
            "DOCKET_SECRET_KEY_FILE",
            "DOCKET_TRUSTED_PROXIES",
            "DOCKET_OWNER_EMAIL",
            "DOCKET_OWNER_PASSWORD",
            "DOCKET_VONAGE_RATE",
        ] {
            if name != set.0 {
                installation.set(name, " ");
            }
        }
        let docket = installation.serve().await;
        let text = sms(&customer(number + 1), OURS, "Hello?");
        let answer = installation.webhooks.inbound(docket.url(), &text).await;
        assert_eq!(answer, 200, "{}", set.0);
        docket.stop().await;
        installation.unset(set.0);
    }
    installation.close().await;
}

#[tokio::test]
async fn doubtful_settings_are_told_in_the_log_without_their_values() {
    let mut installation = Installation::new().await;
    let folder = installation.folder.path().to_owned();
    let quoted =
        format!("DOCKET_OWNER_PASSWORD=\"{SECRET}\"\nDOCKET_OWNER_EMAIL=owner@example.com\n");
    installation.set("DOCKET_CONFIG", &file(&folder, "quoted.env", &quoted));
    installation.set("DOCKET_PUBLC_URL", SECRET);
    let docket = installation.serve().await;
    let log = docket.log();
    for said in [
        "DOCKET_OWNER_PASSWORD stands in quotes",
        "DOCKET_PUBLC_URL is no setting of Docket",
        "do you mean DOCKET_PUBLIC_URL?",
    ] {
        assert!(log.contains(said), "{said}: {log}");
    }
    assert!(!log.contains(SECRET), "{log}");
    assert!(!log.contains("without encryption"), "{log}");
    docket.stop().await;
    installation.close().await;
}
