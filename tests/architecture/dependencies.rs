//! Which crate may use which: `domain ← projections ← api ← tests`, and how manifests name what they use.

use std::process::Command;

use serde_json::Value;

use crate::assert_none;
use crate::tree::{files_with_extension, text_of};

/// Our crates, each of which may use those above it.
const LAYERS: [Layer; 4] = [
    Layer {
        name: "docket-domain",
        folder: "domain",
    },
    Layer {
        name: "docket-projections",
        folder: "projections",
    },
    Layer {
        name: "docket",
        folder: "api",
    },
    Layer {
        name: "docket-tests",
        folder: "tests",
    },
];

struct Layer {
    name: &'static str,
    folder: &'static str,
}

/// What would bring I/O, a clock, randomness or logs into the domain. Its tests may not use them either.
const NOT_IN_DOMAIN: [&str; 12] = [
    "anyhow",
    "axum",
    "getrandom",
    "hyper",
    "metrics",
    "postgres-es",
    "rand",
    "reqwest",
    "sqlx",
    "tokio",
    "tracing",
    "tracing-subscriber",
];

/// Who may talk to Postgres.
const MAY_USE_SQLX: [&str; 2] = ["docket-projections", "docket-tests"];

/// The breaches of direction in `metadata`, the answer of `cargo metadata --no-deps`.
fn wrong_directions(metadata: &Value) -> Vec<String> {
    let mut found = Vec::new();
    let packages = list(&metadata["packages"]);
    for layer in &LAYERS {
        if !packages.iter().any(|p| text(&p["name"]) == layer.name) {
            found.push(format!("the workspace has no crate {}", layer.name));
        }
    }
    for package in packages {
        let name = text(&package["name"]);
        let Some(level) = level_of(name) else {
            found.push(format!(
                "{name} stands in no layer: add it to LAYERS of this test"
            ));
            continue;
        };
        let manifest = format!("/{}/Cargo.toml", LAYERS[level].folder);
        if !text(&package["manifest_path"])
            .replace('\\', "/")
            .ends_with(&manifest)
        {
            found.push(format!("{name} does not lie in {}/", LAYERS[level].folder));
        }
        for dependency in list(&package["dependencies"]) {
            let used = text(&dependency["name"]);
            if level_of(used).is_some_and(|used_level| used_level >= level) {
                found.push(format!("{name} uses {used}, against the direction"));
            }
            if level == 0 && NOT_IN_DOMAIN.contains(&used) {
                found.push(format!("{name} uses {used}: the domain has no I/O"));
            }
            if used == "sqlx" && !MAY_USE_SQLX.contains(&name) {
                found.push(format!("{name} uses sqlx: SQL stays in projections/"));
            }
        }
    }
    found
}

fn level_of(name: &str) -> Option<usize> {
    LAYERS.iter().position(|layer| layer.name == name)
}

fn list(value: &Value) -> &[Value] {
    value.as_array().expect("cargo metadata gives a list here")
}

fn text(value: &Value) -> &str {
    value.as_str().expect("cargo metadata gives a text here")
}

/// The entries of `[workspace.dependencies]` in `manifest` without a comment in the line above, which says what the crate
/// is for. Our own crates need none.
fn uncommented(manifest: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut above = "";
    for line in section(manifest, "workspace.dependencies") {
        if let Some(name) = entry_name(line)
            && level_of(name).is_none()
            && !above.starts_with("# ")
        {
            found.push(format!(
                "Cargo.toml: {name} has no comment above it that says what it is for"
            ));
        }
        above = line;
    }
    found
}

/// The dependencies in `manifest`, a member's, that are not taken from the workspace: its version would stand in two
/// places, and nothing would say what it is for.
fn not_from_the_workspace(path: &str, manifest: &str) -> Vec<String> {
    let mut found = Vec::new();
    for name in ["dependencies", "dev-dependencies", "build-dependencies"] {
        for line in section(manifest, name) {
            if let Some(entry) = entry_name(line)
                && !line.replace(' ', "").contains("workspace=true")
            {
                found.push(format!("{path}: {entry} is not taken from the workspace"));
            }
        }
    }
    if !section(manifest, "lints").any(|line| line.replace(' ', "") == "workspace=true") {
        found.push(format!("{path}: the workspace's lints are not taken over"));
    }
    found
}

/// The lines under the heading `[name]`.
fn section<'a>(manifest: &'a str, name: &str) -> impl Iterator<Item = &'a str> {
    let heading = format!("[{name}]");
    manifest
        .lines()
        .skip_while(move |line| line.trim_end() != heading)
        .skip(1)
        .take_while(|line| !line.starts_with('['))
}

/// The crate's name when an entry begins in this line; `None` for comments, blank lines and the further lines of an entry.
fn entry_name(line: &str) -> Option<&str> {
    if !line.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_') {
        return None;
    }
    let end = line.find(['.', ' ', '=']);
    Some(&line[..end.unwrap_or(line.len())])
}

#[test]
fn crates_use_one_another_in_one_direction() {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args([
            "metadata",
            "--no-deps",
            "--offline",
            "--format-version",
            "1",
        ])
        .current_dir(crate::tree::root())
        .output()
        .expect("cargo runs this test, so it can be run");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let metadata = serde_json::from_slice(&output.stdout).expect("cargo metadata gives JSON");
    assert_none(&wrong_directions(&metadata));
}

#[test]
fn every_dependency_says_what_it_is_for() {
    let manifest = text_of("Cargo.toml");
    assert!(section(&manifest, "workspace.dependencies").count() > LAYERS.len());
    assert_none(&uncommented(&manifest));
}

#[test]
fn members_take_dependencies_and_lints_from_the_workspace() {
    let mut found = Vec::new();
    let mut members = 0;
    for file in files_with_extension("toml") {
        if file.path.ends_with("/Cargo.toml") {
            members += 1;
            found.extend(not_from_the_workspace(&file.path, &file.text));
        }
    }
    assert_eq!(members, LAYERS.len());
    assert_none(&found);
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// A workspace as it should be, but that the crate `name` also uses `also`.
    fn workspace_where(name: &str, also: &str) -> Value {
        let packages: Vec<Value> = (0..)
            .zip(&LAYERS)
            .map(|(level, layer)| {
                let mut uses: Vec<Value> = LAYERS[..level]
                    .iter()
                    .map(|below| json!({"name": below.name}))
                    .collect();
                uses.push(json!({"name": "serde"}));
                if layer.name == name {
                    uses.push(json!({"name": also}));
                }
                json!({
                    "name": layer.name,
                    "manifest_path": format!("/x/{}/Cargo.toml", layer.folder),
                    "dependencies": uses,
                })
            })
            .collect();
        json!({"packages": packages})
    }

    #[test]
    fn the_direction_and_the_domains_purity_are_noticed() {
        assert_none(&wrong_directions(&workspace_where("docket", "tokio")));
        for (name, also) in [
            ("docket-domain", "docket-projections"),
            ("docket-projections", "docket"),
            ("docket-projections", "docket-projections"),
            ("docket", "docket-tests"),
            ("docket-domain", "tokio"),
            ("docket", "sqlx"),
        ] {
            let found = wrong_directions(&workspace_where(name, also));
            assert_eq!(found.len(), 1, "{name} with {also}: {found:?}");
        }
    }

    #[test]
    fn a_crate_that_is_missing_unknown_or_misplaced_is_noticed() {
        let mut metadata = workspace_where("docket", "serde");
        metadata["packages"][0]["name"] = json!("docket-new");
        let found = wrong_directions(&metadata);
        assert_eq!(found.len(), 2, "{found:?}");

        let mut metadata = workspace_where("docket", "serde");
        metadata["packages"][2]["manifest_path"] = json!("/x/web/Cargo.toml");
        let found = wrong_directions(&metadata);
        assert_eq!(found.len(), 1, "{found:?}");
    }

    #[test]
    fn an_entry_without_a_comment_is_noticed() {
        let manifest = "[workspace.dependencies]\n\
                        # Ours.\n\
                        docket-domain = { path = \"domain\" }\n\
                        docket = { path = \"api\" }\n\
                        \n\
                        # What it is for.\n\
                        good = { version = \"1\", features = [\n    \"x\",\n] }\n\
                        bad = \"1\"\n\
                        [profile.dev]\n\
                        debug = 1\n";
        let found = uncommented(manifest);
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].contains("bad"));
    }

    #[test]
    fn a_member_with_a_version_or_lints_of_its_own_is_noticed() {
        let good = "[lints]\nworkspace = true\n[dependencies]\na.workspace = true\n\
                    b = { workspace = true, features = [] }\n";
        assert_none(&not_from_the_workspace("api/Cargo.toml", good));
        let bad = "[lints.clippy]\nall = \"allow\"\n[dev-dependencies]\na = \"1\"\n";
        assert_eq!(not_from_the_workspace("api/Cargo.toml", bad).len(), 2);
    }
}
