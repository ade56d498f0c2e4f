//! The samples of docs/samples: each of them is looked at here, and says nothing that Docket does
//! not know.

use std::collections::BTreeSet;
use std::process::Command;

use docket::config::{SECTIONS, Setting};

use crate::assert_none;
use crate::tree::{files_with_extension, root, text_of};

const FOLDER: &str = "docs/samples";

/// The names of all settings, and of the files of secret ones.
fn settings() -> BTreeSet<String> {
    let settings = SECTIONS.iter().flat_map(|section| section.settings);
    let names = settings.flat_map(|setting| {
        let in_file = setting.is_secret.then(|| format!("{}_FILE", setting.name));
        [Some(setting.name.to_owned()), in_file]
    });
    names
        .flatten()
        .chain(["DOCKET_CONFIG".to_owned()])
        .collect()
}

/// The words of a text that are written as settings are.
fn named(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_')
        .filter(|word| {
            let is_ours = word.starts_with("DOCKET_") || word.starts_with("DATABASE_URL");
            is_ours
                && word.len() > "DOCKET_".len()
                && !word.starts_with("DOCKET_TEST_")
                && !word.starts_with("DOCKET_WRITE_")
        })
}

fn unknown_settings(path: &str, text: &str) -> Vec<String> {
    let known = settings();
    named(text)
        .filter(|name| !known.contains(*name))
        .map(|name| format!("{path}: {name} is no setting of Docket"))
        .collect()
}

fn default_of(name: &str) -> &'static str {
    let mut settings = SECTIONS.iter().flat_map(|section| section.settings);
    let found: Option<&Setting> = settings.find(|setting| setting.name == name);
    found
        .and_then(|setting| setting.default)
        .expect("it has a default")
}

fn sample(name: &str) -> String {
    text_of(&format!("{FOLDER}/{name}"))
}

/// The lines that say something.
fn lines(text: &str) -> impl Iterator<Item = &str> {
    text.lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
}

#[test]
fn samples_and_documents_name_settings_that_there_are() {
    let known = [
        "Caddyfile",
        "Dockerfile",
        // Tried where bundles are: `api/tests/http/bundle.rs`.
        "check_bundle.py",
        "compose.yaml",
        "docket.service",
        "nginx.conf",
    ];
    let mut found: Vec<String> = std::fs::read_dir(root().join(FOLDER))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    found.sort();
    assert_eq!(found, known, "each sample has a test here");
    let mut breaches: Vec<String> = known
        .iter()
        .flat_map(|name| unknown_settings(name, &sample(name)))
        .collect();
    for file in files_with_extension("md") {
        if file.path == "README.md"
            || file.path.starts_with("docs/") && !file.path.starts_with("docs/adr/")
        {
            breaches.extend(unknown_settings(&file.path, &file.text));
        }
    }
    assert_none(&breaches);
    assert_eq!(
        unknown_settings("x", "DOCKET_LISTN=1 DATABASE_URLS").len(),
        2
    );
}

#[test]
fn the_proxies_lead_to_where_docket_listens_and_let_webhooks_through() {
    let listen = default_of("DOCKET_LISTEN");
    let nginx = sample("nginx.conf");
    let caddy = sample("Caddyfile");
    assert!(nginx.contains(&format!("server {listen};")));
    assert!(caddy.contains(&format!("reverse_proxy {listen} ")));
    // Docket's own limit is 4 MiB.
    assert!(nginx.contains("client_max_body_size 5m;"));
    assert!(caddy.contains("max_size 5MB"));
    // Caddy's blocks are closed, and of its directives these alone are used.
    let directives: BTreeSet<&str> = lines(&caddy)
        .filter_map(|line| line.split_whitespace().next())
        .collect();
    let expected = [
        "docket.example.com",
        "flush_interval",
        "max_size",
        "request_body",
        "reverse_proxy",
        "}",
    ];
    assert_eq!(directives, BTreeSet::from(expected));
    assert_eq!(caddy.matches('{').count(), caddy.matches('}').count());
}

#[test]
fn the_unit_is_one_that_systemd_takes() {
    let unit = sample("docket.service");
    assert!(unit.contains("ExecStart=/usr/local/bin/docket serve\n"));
    // A Postgres of its own is told to stop by Docket, not by systemd.
    assert!(unit.contains("KillMode=mixed\n"));
    let known = [
        "Description",
        "Wants",
        "After",
        "ExecStart",
        "Environment",
        "User",
        "Group",
        "StateDirectory",
        "StateDirectoryMode",
        "Restart",
        "RestartSec",
        "KillMode",
        "TimeoutStopSec",
        "LimitNOFILE",
        "NoNewPrivileges",
        "PrivateTmp",
        "ProtectHome",
        "ProtectSystem",
        "WantedBy",
    ];
    let sections = ["[Unit]", "[Service]", "[Install]"];
    for line in lines(&unit) {
        let key = line.split_once('=').map(|(key, _)| key);
        assert!(
            sections.contains(&line) || key.is_some_and(|key| known.contains(&key)),
            "{line}"
        );
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("docket.service");
    // The program need not be installed for the rest to be right.
    std::fs::write(&path, unit.replace("/usr/local/bin/docket", "/bin/sh")).unwrap();
    match Command::new("systemd-analyze")
        .arg("verify")
        .arg(&path)
        .output()
    {
        Ok(said) => {
            let said = String::from_utf8_lossy(&said.stderr).into_owned();
            let about: Vec<&str> = said
                .lines()
                .filter(|line| line.contains("docket.service"))
                .collect();
            assert!(about.is_empty(), "{about:?}");
        }
        Err(error) => assert_eq!(error.kind(), std::io::ErrorKind::NotFound, "{error}"),
    }
}

#[test]
fn the_image_is_built_from_what_there_is() {
    let text = sample("Dockerfile");
    let rust = text_of("Cargo.toml");
    let rust = rust
        .split("rust-version = \"")
        .nth(1)
        .unwrap()
        .split('"')
        .next()
        .unwrap();
    assert!(
        text.contains(&format!("FROM rust:{rust}-bookworm AS build")),
        "{rust}"
    );
    let known = [
        "FROM",
        "WORKDIR",
        "COPY",
        "RUN",
        "ENV",
        "EXPOSE",
        "USER",
        "ENTRYPOINT",
        "CMD",
    ];
    let whole = text.replace("\\\n", " ");
    for line in lines(&whole) {
        let word = line.split(' ').next().unwrap();
        assert!(known.contains(&word), "{line}");
    }
    // What is copied is what was built, and the binary has that name.
    assert!(
        text.contains(
            "WORKDIR /source\nCOPY . .\nRUN cargo build --release --locked --bin docket\n"
        )
    );
    assert!(
        text.contains("COPY --from=build /source/target/release/docket /usr/local/bin/docket\n")
    );
    assert!(text_of("api/Cargo.toml").contains("[[bin]]\nname = \"docket\""));
    let port = |name: &str| default_of(name).rsplit(':').next().unwrap().to_owned();
    let (pages, metrics) = (port("DOCKET_LISTEN"), port("DOCKET_METRICS_LISTEN"));
    assert!(text.contains(&format!("DOCKET_LISTEN=0.0.0.0:{pages}")));
    assert!(text.contains(&format!(
        "DOCKET_METRICS_LISTEN=0.0.0.0:{metrics}\nEXPOSE {pages} {metrics}\n"
    )));
}

#[test]
fn the_compose_file_fits_the_image_and_itself() {
    let text = sample("compose.yaml");
    assert!(!text.contains('\t'), "YAML is indented with spaces");
    let context = root().join(FOLDER).join("../..").canonicalize().unwrap();
    assert_eq!(context, root().canonicalize().unwrap());
    assert!(text.contains("context: ../..\n      dockerfile: docs/samples/Dockerfile\n"));
    assert!(root().join("docs/samples/Dockerfile").is_file());
    for name in ["DOCKET_LISTEN", "DOCKET_METRICS_LISTEN"] {
        let address = default_of(name);
        let port = address.rsplit(':').next().unwrap();
        // To this machine alone: a port that is published passes firewalls.
        assert!(text.contains(&format!("- {address}:{port}\n")), "{name}");
    }
    // Each secret that is mounted is declared.
    for mounted in text.split("/run/secrets/").skip(1) {
        let name = mounted.split_whitespace().next().unwrap();
        assert!(
            text.contains(&format!("  {name}:\n    file: ./{name}\n")),
            "{name}"
        );
        let is_given =
            lines(&text).any(|line| line.starts_with("secrets: [") && line.contains(name));
        assert!(is_given, "{name}");
    }
    // The proxy on the host comes from the network's gateway.
    let gateway = text
        .split("gateway: ")
        .nth(1)
        .unwrap()
        .split_whitespace()
        .next()
        .unwrap();
    assert!(text.contains(&format!("DOCKET_TRUSTED_PROXIES: {gateway}\n")));
}
