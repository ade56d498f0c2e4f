//! Reads the command line, so that neither help nor complaint says more than it should.
//!
//! All commands take the same settings as flags. `docket serve --help` lists them; the help of
//! other commands refers to that. A complaint names flags and commands, and repeats no word that
//! could be a secret.

use std::ffi::OsString;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Command, CommandFactory as _, FromArgMatches as _};

use super::Cli;
use crate::config::given::{holds_secret_flag, is_setting};

/// Stands for a word that is not repeated.
const WORD: &str = "(a word)";
const SETTINGS: &str = "Settings are flags, environment variables, or lines of a file (--config); all commands take \
                        them, and `docket serve --help` lists them.";

/// Reads the command line.
///
/// # Errors
///
/// What is wrong, or the help that was asked for.
pub(super) fn read(arguments: &[OsString]) -> Result<Cli, clap::Error> {
    command()
        .try_get_matches_from(arguments)
        .and_then(|matches| Cli::from_arg_matches(&matches))
        .map_err(|error| discreet(error, arguments))
}

/// The command, with the settings shown where they are looked for.
fn command() -> Command {
    let mut command = Cli::command();
    // Flags for all commands come to each of them only now.
    command.build();
    quiet(command)
}

fn quiet(command: Command) -> Command {
    let is_serve = command.get_name() == "serve";
    let command = if is_serve {
        command
    } else {
        command
            .mut_args(|argument| {
                let hide = is_setting(argument.get_id().as_str());
                if hide { argument.hide(true) } else { argument }
            })
            .after_help(SETTINGS)
    };
    command.mut_subcommands(quiet)
}

/// The same complaint, without words that may be secrets.
fn discreet(mut error: clap::Error, arguments: &[OsString]) -> clap::Error {
    if matches!(
        error.kind(),
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion
    ) {
        return error;
    }
    let holds_secret = holds_secret_flag(arguments);
    for kind in [
        ContextKind::InvalidArg,
        ContextKind::InvalidValue,
        ContextKind::InvalidSubcommand,
    ] {
        let Some(ContextValue::String(word)) = error.get(kind) else {
            continue;
        };
        let is_flag = word.starts_with("--");
        let may_be_secret = holds_secret || (kind == ContextKind::InvalidArg && !is_flag);
        let shown = match (kind, may_be_secret) {
            // Flags that are known stand here with the names of their values.
            (ContextKind::InvalidArg, _) if error.kind() != ErrorKind::UnknownArgument => continue,
            (_, true) => WORD.to_owned(),
            (_, false) if is_flag => word.split('=').next().unwrap_or_default().to_owned(),
            (_, false) => continue,
        };
        error.insert(kind, ContextValue::String(shown));
        if may_be_secret {
            for kind in [ContextKind::Suggested, ContextKind::SuggestedCommand] {
                error.insert(kind, ContextValue::None);
            }
        }
    }
    error
}

#[cfg(test)]
mod tests {
    use super::*;

    fn complaint(line: &str) -> String {
        let arguments: Vec<OsString> = line.split(' ').map(OsString::from).collect();
        match read(&arguments) {
            Ok(_) => String::new(),
            Err(error) => error.render().to_string(),
        }
    }

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn no_complaint_repeats_what_may_be_a_secret() {
        for line in [
            "docket serve hunter2",
            "docket serve --secret-key a hunter2",
            "docket --secret-key= hunter2 serve",
            "docket serve --secret-kee=hunter2",
            "docket serve --docket-secret-kye=hunter2",
            "docket serve --owner-password a --hunter2",
            "docket serve --owner-password a -- hunter2",
            "docket user add --email a --role owner hunter2",
            "docket user add --email a --role hunter2 --owner-password b",
            "docket serve --database-url postgres://a --data-dir b --listen c --listen hunter2",
            "docket --vonage-signature-secret a hunter2",
        ] {
            let said = complaint(line);
            assert!(!said.is_empty(), "{line} is taken");
            assert!(!said.contains("hunter2"), "{line}: {said}");
        }
        // What is harmless is told, so that it can be found.
        assert!(complaint("docket fly").contains("fly"));
        assert!(complaint("docket serve --listenn=x").contains("--listenn"));
        assert!(complaint("docket user add --email a --role boss").contains("boss"));
    }

    #[test]
    fn settings_have_flags_by_their_plain_names_and_the_old_ones() {
        for line in [
            "docket serve --listen 127.0.0.1:0 --data-dir a --public-url b --vonage-api-url c --trusted-proxies d",
            "docket --listen 127.0.0.1:0 serve",
            "docket serve --docket-listen 127.0.0.1:0 --docket-data-dir a --docket-public-url b",
            "docket serve --docket-vonage-signature-secret-file a --vonage-private-key-file b --rust-log info",
            "docket migrate --config a --database-url-file b --log info --metrics-listen off",
            "docket demo --listen 127.0.0.1:0 --expose-demo",
        ] {
            assert_eq!(complaint(line), "", "{line}");
        }
    }

    #[test]
    fn help_lists_the_settings_of_serve_alone() {
        assert!(complaint("docket serve --help").contains("--vonage-api-url"));
        for line in ["docket --help", "docket user add --help", "docket -h"] {
            let help = complaint(line);
            assert!(!help.contains("--vonage-api-url"), "{line}: {help}");
            assert!(help.contains("docket serve --help"), "{line}: {help}");
        }
        assert!(!complaint("docket serve --help").contains("docket-listen"));
    }
}
