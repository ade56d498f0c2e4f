//! The tables of settings in the documentation are made from the sections. The tests fail where
//! they are stale; `DOCKET_WRITE_DOCS=1 cargo test -p docket config::tables` writes them anew.
#![cfg(test)]

use std::fmt::Write as _;
use std::path::Path;
use std::{env, fs};

use super::given::CONFIG;
use super::{SECTIONS, Setting};

const BEGIN: &str = "<!-- settings: made by a test from api/src/config -->\n";
const END: &str = "<!-- end of settings -->\n";

fn cell(text: &str) -> String {
    text.trim_end_matches('.').replace('|', "\\|")
}

fn name(setting: &Setting) -> String {
    if setting.is_secret {
        format!("`{0}`, `{0}_FILE`", setting.name)
    } else {
        format!("`{}`", setting.name)
    }
}

fn without(setting: &Setting) -> String {
    setting
        .default
        .map_or_else(|| cell(setting.without), |default| format!("`{default}`"))
}

/// The table of the README: what one needs at first.
fn basic() -> String {
    let mut table = "\n| setting | about | without it |\n|---|---|---|\n".to_owned();
    let settings = SECTIONS.iter().flat_map(|section| section.settings);
    for setting in settings.filter(|setting| setting.is_basic) {
        let about = cell(setting.about);
        writeln!(
            table,
            "| `{}` | {about} | {} |",
            setting.name,
            without(setting)
        )
        .unwrap();
    }
    table + "\n"
}

/// The tables of docs/operations.md: everything, section by section.
fn whole() -> String {
    let mut tables = String::new();
    let row = |setting: &Setting| {
        let about = cell(setting.about);
        format!(
            "| {} | `--{}` | {about} | {} |\n",
            name(setting),
            setting.flag,
            without(setting)
        )
    };
    let head = "| variable | flag | about | without it |\n|---|---|---|---|\n";
    write!(tables, "\n{head}{}", row(&CONFIG)).unwrap();
    for section in &SECTIONS {
        write!(tables, "\n### {}\n\n{head}", section.heading).unwrap();
        tables.extend(section.settings.iter().map(row));
    }
    tables + "\n"
}

fn compare(file: &str, made: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(file);
    let text = fs::read_to_string(&path).unwrap();
    let (before, rest) = text
        .split_once(BEGIN)
        .unwrap_or_else(|| panic!("{file} has no {BEGIN}"));
    let (found, after) = rest
        .split_once(END)
        .unwrap_or_else(|| panic!("{file} has no {END}"));
    if found == made {
        return;
    }
    assert!(
        env::var_os("DOCKET_WRITE_DOCS").is_some(),
        "the settings in {file} are stale: DOCKET_WRITE_DOCS=1 cargo test -p docket config::tables writes them anew"
    );
    fs::write(&path, format!("{before}{BEGIN}{made}{END}{after}")).unwrap();
}

#[test]
fn the_readme_tells_of_the_basic_settings() {
    compare("README.md", &basic());
}

#[test]
fn the_documentation_tells_of_every_setting() {
    compare("docs/operations.md", &whole());
}
