//! The settings as they were given: flags, environment and file, put together.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use clap::{Arg, ArgMatches, Args, Command, FromArgMatches};
use docket_domain::text::normalise::without_ends;
use secrecy::{ExposeSecret as _, SecretString};

use super::{ConfigError, Mistakes, SECTIONS, Setting, file};

/// The name of the settings file.
pub const CONFIG: Setting = Setting {
    name: "DOCKET_CONFIG",
    flag: "config",
    old_flag: None,
    value: "FILE",
    default: None,
    is_secret: false,
    is_basic: false,
    about: "A file with lines NAME=value of the variables that this page names. A value is literal to the end of its line.",
    without: "no file is read",
};

/// Variables that an orchestrator sets for a service called "docket"; they are no settings.
const OF_ORCHESTRATORS: [&str; 3] = ["DOCKET_SERVICE_", "DOCKET_PORT", "DOCKET_TEST_"];
/// How alike an unknown name and a setting's are where that one is probably meant, from 0 to 1.
const ALIKE: f64 = 0.85;

/// The flags.
#[derive(Clone, Debug, Default)]
pub struct Given {
    flags: BTreeMap<&'static str, SecretString>,
}

/// One name that can be set: a setting, or the file of a secret one.
#[derive(Clone, Copy)]
struct Name {
    variable: &'static str,
    flag: &'static str,
    setting: &'static Setting,
    is_file: bool,
}

/// Names with `_FILE` behind them live as long as the program.
fn leaked(text: String) -> &'static str {
    Box::leak(text.into_boxed_str())
}

/// Every name that can be set, with the heading it stands under.
fn names() -> &'static [(&'static str, Name)] {
    static NAMES: std::sync::OnceLock<Vec<(&'static str, Name)>> = std::sync::OnceLock::new();
    NAMES.get_or_init(|| {
        let mut names = vec![("Settings", name_of(&CONFIG))];
        for section in &SECTIONS {
            for setting in section.settings {
                names.push((section.heading, name_of(setting)));
                if setting.is_secret {
                    let of_file = Name {
                        variable: leaked(format!("{}_FILE", setting.name)),
                        flag: leaked(format!("{}-file", setting.flag)),
                        is_file: true,
                        ..name_of(setting)
                    };
                    names.push((section.heading, of_file));
                }
            }
        }
        names
    })
}

const fn name_of(setting: &'static Setting) -> Name {
    Name {
        variable: setting.name,
        flag: setting.flag,
        setting,
        is_file: false,
    }
}

/// Whether an argument of a command is a setting.
pub fn is_setting(id: &str) -> bool {
    names().iter().any(|(_, name)| name.variable == id)
}

/// Whether the command line holds a flag of a secret, so that a stray word on it may be one.
pub fn holds_secret_flag(arguments: &[OsString]) -> bool {
    let secret = |name: &Name| name.setting.is_secret && !name.is_file;
    arguments
        .iter()
        .filter_map(|argument| argument.to_str())
        .any(|argument| {
            let flag = argument.split('=').next().unwrap_or_default();
            let flag = flag.strip_prefix("--").unwrap_or_default();
            names().iter().any(|(_, name)| {
                secret(name) && (flag == name.flag || Some(flag) == name.setting.old_flag)
            })
        })
}

fn argument((heading, name): &(&'static str, Name)) -> Arg {
    let setting = name.setting;
    let about = if name.is_file {
        format!("A file with the value of {}", setting.name)
    } else {
        setting.about.trim_end_matches('.').to_owned()
    };
    let default = setting.default.filter(|_| !name.is_file);
    let default = default.map_or_else(String::new, |default| format!(" [default: {default}]"));
    let argument = Arg::new(name.variable)
        .long(name.flag)
        .value_name(if name.is_file { "FILE" } else { setting.value })
        .help(format!("{about}{default} [env: {}]", name.variable))
        .help_heading(*heading)
        .global(true);
    match setting.old_flag {
        Some(old) if name.is_file => argument.alias(leaked(format!("{old}-file"))),
        Some(old) => argument.alias(old),
        None => argument,
    }
}

impl Args for Given {
    fn augment_args(command: Command) -> Command {
        command.args(names().iter().map(argument))
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for Given {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let mut given = Self::default();
        given.update_from_arg_matches(matches)?;
        Ok(given)
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        for (_, name) in names() {
            if let Some(value) = matches.get_one::<String>(name.variable) {
                self.flags.insert(name.variable, value.clone().into());
            }
        }
        Ok(())
    }
}

/// The settings that were given, by name; none is empty.
#[derive(Clone, Debug, Default)]
pub struct Values {
    values: BTreeMap<&'static str, SecretString>,
    /// Sentences for the log.
    pub warnings: Vec<String>,
}

impl Given {
    /// Puts flags, this process's environment and the file together.
    ///
    /// # Errors
    ///
    /// A sentence for each mistake in the file, and for each value that is no text.
    pub fn values(&self) -> Result<Values, ConfigError> {
        self.values_beside(&std::env::vars_os().collect())
    }

    /// The same with that environment.
    ///
    /// # Errors
    ///
    /// As [`Given::values`].
    pub fn values_beside(
        &self,
        environment: &BTreeMap<OsString, OsString>,
    ) -> Result<Values, ConfigError> {
        let mut mistakes = Mistakes::default();
        let mut found = Values::default();
        let mut outside = BTreeMap::new();
        for (_, name) in names() {
            if let Some(value) = environment.get(&OsString::from(name.variable)) {
                let text = value
                    .to_str()
                    .ok_or_else(|| format!("{} is no text in UTF-8; set it anew", name.variable));
                if let Some(text) = mistakes.note(text) {
                    outside.insert(name.variable, SecretString::from(text));
                }
            }
        }
        let path = [self.flags.get(CONFIG.name), outside.get(CONFIG.name)];
        let path = path.into_iter().flatten().find_map(not_empty);
        let mut in_file = BTreeMap::new();
        if let Some(path) = path {
            match file::read(&PathBuf::from(path.expose_secret())) {
                Ok(lines) => in_file = lines,
                Err(sentences) => mistakes.0.extend(sentences),
            }
        }
        for (name, line) in &in_file {
            match unknown_in_file(name, line.number) {
                Some(sentence) if is_like_ours(name) => mistakes.0.push(sentence),
                Some(sentence) => found.warnings.push(sentence),
                None => {}
            }
        }
        for (_, name) in names() {
            let line = in_file.get(name.variable).map(|line| &line.value);
            let value = [
                self.flags.get(name.variable),
                outside.get(name.variable),
                line,
            ]
            .into_iter()
            .flatten()
            .find_map(not_empty);
            if let (Some(line), Some(value)) = (line, &value)
                && not_empty(line).is_some_and(|line| line.expose_secret() == value.expose_secret())
                && is_quoted(value.expose_secret())
            {
                found.warnings.push(format!(
                    "{} stands in quotes in the settings file, and they are taken as part of the value; take them off if they are not",
                    name.variable
                ));
            }
            if let Some(value) = value {
                found.values.insert(name.variable, value);
            }
        }
        let outside = environment.keys().filter_map(|name| name.to_str());
        found.warnings.extend(outside.filter_map(unknown_outside));
        if mistakes.0.is_empty() {
            Ok(found)
        } else {
            Err(ConfigError(mistakes.0))
        }
    }
}

/// The value as it counts; `None` where nothing is left of it.
fn not_empty(value: &SecretString) -> Option<SecretString> {
    let text = without_ends(value.expose_secret());
    (!text.is_empty()).then(|| text.into())
}

fn is_quoted(text: &str) -> bool {
    ['"', '\'']
        .iter()
        .any(|quote| text.len() > 1 && text.starts_with(*quote) && text.ends_with(*quote))
}

fn is_known(name: &str) -> bool {
    names().iter().any(|(_, known)| known.variable == name)
}

/// ", did you mean …?" for a name that is close to a setting's.
fn meant(name: &str) -> String {
    let upper = name.to_ascii_uppercase();
    let closest = names()
        .iter()
        .map(|(_, known)| (strsim::jaro_winkler(&upper, known.variable), known.variable))
        .max_by(|a, b| a.0.total_cmp(&b.0));
    match closest {
        Some((alike, closest)) if alike >= ALIKE => format!("; do you mean {closest}?"),
        _ => String::new(),
    }
}

fn unknown_in_file(name: &str, number: usize) -> Option<String> {
    if name == CONFIG.name {
        return Some(format!(
            "DOCKET_CONFIG, line {number}: DOCKET_CONFIG cannot stand in the file that it names; take the line out"
        ));
    }
    let meant = meant(name);
    let hint = match meant.as_str() {
        "" => ", and does nothing in this file",
        meant => meant,
    };
    (!is_known(name))
        .then(|| format!("DOCKET_CONFIG, line {number}: {name} is no setting of Docket{hint}"))
}

/// Whether a name is meant for Docket.
fn is_like_ours(name: &str) -> bool {
    name.to_ascii_uppercase().starts_with("DOCKET_") || !meant(name).is_empty()
}

fn unknown_outside(name: &str) -> Option<String> {
    let is_ours = name.starts_with("DOCKET_")
        && !OF_ORCHESTRATORS.iter().any(|other| name.starts_with(other));
    (is_ours && !is_known(name)).then(|| {
        format!(
            "the environment variable {name} is no setting of Docket and does nothing{}",
            meant(name)
        )
    })
}

impl Values {
    /// A setting's value, or its default.
    pub fn text(&self, setting: &Setting) -> Option<&str> {
        let value = self.values.get(setting.name);
        value
            .map(secrecy::ExposeSecret::expose_secret)
            .or(setting.default)
    }

    /// Whether a setting was given, by itself or in a file.
    pub fn is_given(&self, setting: &Setting) -> bool {
        let in_file = format!("{}_FILE", setting.name);
        self.values
            .keys()
            .any(|name| *name == setting.name || *name == in_file)
    }

    /// A secret, from its value or its file, without what is invisible at its ends.
    ///
    /// # Errors
    ///
    /// A sentence: both are given, or the file cannot be read or is empty.
    pub fn secret(&self, setting: &Setting) -> Result<Option<SecretString>, String> {
        let Some(bytes) = self.secret_bytes(setting)? else {
            return Ok(None);
        };
        let name = self.name_of_secret(setting);
        let text = std::str::from_utf8(&bytes)
            .map_err(|_| format!("{name}: the file is no text in UTF-8; save it as UTF-8"))?;
        let text = without_ends(text);
        if text.is_empty() {
            return Err(format!(
                "{name}: the file is empty; write the value into it"
            ));
        }
        Ok(Some(text.into()))
    }

    /// The name under which a secret was given.
    pub fn name_of_secret(&self, setting: &Setting) -> String {
        if self.values.contains_key(setting.name) {
            setting.name.to_owned()
        } else {
            format!("{}_FILE", setting.name)
        }
    }

    /// A secret's bytes, as they stand in its value or its file.
    ///
    /// # Errors
    ///
    /// As [`Values::secret`].
    pub fn secret_bytes(&self, setting: &Setting) -> Result<Option<Vec<u8>>, String> {
        let name = setting.name;
        let of_file = format!("{name}_FILE");
        let value = self.values.get(name);
        match (value, self.values.get(of_file.as_str())) {
            (Some(_), Some(_)) => Err(format!(
                "{name} and {of_file} are both set; set one of them"
            )),
            (Some(value), None) => Ok(Some(value.expose_secret().as_bytes().to_vec())),
            (None, Some(path)) => {
                let path = Path::new(path.expose_secret());
                std::fs::read(path).map(Some).map_err(|error| {
                    let why = file::cannot_read(&error);
                    format!("{of_file}: the file {} {why}", path.display())
                })
            }
            (None, None) => Ok(None),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(flags: &[(&'static str, &str)], outside: &[(&str, &str)]) -> Result<Values, String> {
        let flags = flags
            .iter()
            .map(|(name, value)| (*name, SecretString::from(*value)));
        let given = Given {
            flags: flags.collect(),
        };
        let outside = outside
            .iter()
            .map(|(name, value)| (name.into(), value.into()));
        given
            .values_beside(&outside.collect())
            .map_err(|error| error.to_string())
    }

    fn setting(name: &str) -> &'static Setting {
        let mut settings = SECTIONS.iter().flat_map(|section| section.settings);
        settings.find(|setting| setting.name == name).unwrap()
    }

    #[test]
    fn a_flag_weighs_more_than_the_environment_and_that_more_than_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("docket.env");
        std::fs::write(
            &file,
            "DOCKET_LISTEN=file\nDOCKET_VONAGE_RATE=file\nRUST_LOG=file\n",
        )
        .unwrap();
        let config = ("DOCKET_CONFIG", file.to_str().unwrap());
        let outside = [
            config,
            ("DOCKET_LISTEN", "outside"),
            ("DOCKET_VONAGE_RATE", "outside"),
        ];
        let found = values(&[("DOCKET_LISTEN", "flag")], &outside).unwrap();
        assert_eq!(found.text(setting("DOCKET_LISTEN")), Some("flag"));
        assert_eq!(found.text(setting("DOCKET_VONAGE_RATE")), Some("outside"));
        assert_eq!(found.text(setting("RUST_LOG")), Some("file"));
        assert_eq!(found.text(setting("DOCKET_SENDING_LEASE")), Some("60"));
        assert_eq!(found.text(setting("DOCKET_PUBLIC_URL")), None);
        assert_eq!(found.warnings, Vec::<String>::new());
    }

    #[test]
    fn what_is_empty_is_not_set_wherever_it_stands() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("docket.env");
        std::fs::write(
            &file,
            "DOCKET_LISTEN=file\nDATABASE_URL=\nDOCKET_SECRET_KEY_FILE= \t\n",
        )
        .unwrap();
        let names: Vec<&'static str> = names().iter().map(|(_, name)| name.variable).collect();
        let outside: Vec<(&str, &str)> = names
            .iter()
            .map(|name| match *name {
                "DOCKET_CONFIG" => (*name, file.to_str().unwrap()),
                name => (name, " \u{feff}\r\n"),
            })
            .collect();
        let flags: Vec<(&'static str, &str)> = names.iter().map(|name| (*name, "")).collect();
        let found = values(&flags, &outside).unwrap();
        assert_eq!(found.text(setting("DOCKET_LISTEN")), Some("file"));
        let config = found.check().unwrap_err().to_string();
        assert!(config.starts_with("DOCKET_LISTEN must be"), "{config}");
        let found = values(&[("DOCKET_LISTEN", "127.0.0.1:1")], &outside).unwrap();
        let config = found.check().unwrap();
        assert!(config.database_url.is_none() && config.secret_key.is_none());
        assert!(config.public_url.is_none() && config.owner.is_none());
        assert!(config.data_dir.is_absolute(), "{:?}", config.data_dir);
    }

    #[test]
    fn names_that_nobody_knows_are_told_with_the_closest() {
        let warned = |name: &str| {
            values(&[], &[(name, "hunter2")])
                .unwrap()
                .warnings
                .join("\n")
        };
        assert!(warned("DOCKET_PUBLC_URL").ends_with("do you mean DOCKET_PUBLIC_URL?"));
        assert!(warned("DOCKET_LISTENING").ends_with("do you mean DOCKET_LISTEN?"));
        assert!(warned("DOCKET_QQQ").ends_with("does nothing"));
        for quiet in [
            "PUBLIC_URL",
            "DOCKET_PORT_8080_TCP",
            "DOCKET_SERVICE_HOST",
            "DOCKET_CONFIG_X",
        ] {
            let is_quiet = warned(quiet).is_empty();
            assert_eq!(is_quiet, quiet != "DOCKET_CONFIG_X", "{quiet}");
        }
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("docket.env");
        for (text, said) in [
            (
                "RUST_LOG=info\nDOCKET_LISTN=hunter2",
                "line 2: DOCKET_LISTN is no setting of Docket; do you mean DOCKET_LISTEN?",
            ),
            (
                "DATABSE_URL=hunter2",
                "line 1: DATABSE_URL is no setting of Docket; do you mean DATABASE_URL?",
            ),
            (
                "DOCKET_X=hunter2",
                "line 1: DOCKET_X is no setting of Docket",
            ),
            (
                "DOCKET_CONFIG=hunter2",
                "line 1: DOCKET_CONFIG cannot stand in the file",
            ),
            ("hunter2", "line 1: it has no ="),
        ] {
            std::fs::write(&file, text).unwrap();
            let error = values(&[("DOCKET_CONFIG", file.to_str().unwrap())], &[]).unwrap_err();
            assert!(error.contains(said), "{text}: {error}");
            assert!(!error.contains("hunter2"), "{error}");
        }
        std::fs::write(&file, "HTTPS_PROXY=hunter2").unwrap();
        let found = values(&[("DOCKET_CONFIG", file.to_str().unwrap())], &[]).unwrap();
        let warnings = found.warnings.join("\n");
        assert!(warnings.contains("HTTPS_PROXY is no setting of Docket, and does nothing"));
        assert!(!warnings.contains("hunter2"), "{warnings}");
        std::fs::write(&file, b"DOCKET_OWNER_PASSWORD=\xff\xfe").unwrap();
        let error = values(&[("DOCKET_CONFIG", file.to_str().unwrap())], &[]).unwrap_err();
        assert!(error.contains("save it as UTF-8"), "{error}");
    }
}
