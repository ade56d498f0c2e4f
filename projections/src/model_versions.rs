//! Which read models are what this version of Docket builds, as the table `projection_versions` says.
//!
//! Every transaction of the ledger asks, so that no decision rests on tables that are out of date, empty, or a newer version's. A
//! raise of a handler's `VERSION` is enough to have that model rebuilt, and to make older processes on the same database stop.

use std::fmt;

use sqlx::PgExecutor;

use crate::read::{Description, ReadModels};

/// The version of a read model whose tables were made anew and are still empty.
pub(crate) const EMPTIED: i32 = -1;
/// The read models on which nothing is decided: they are shown, and may be old for the while that a rebuild takes.
const SHOWN_ONLY: [&str; 3] = ["thread", "reports", "media"];

/// A read model's name, and the version in which it was built.
pub(crate) type Built = (String, i32);

/// How the read models stand.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Verdict {
    /// Everything that is decided on is as this version builds it.
    #[default]
    Current,
    /// These are out of date, and decisions rest on some of them.
    Outdated {
        /// The models.
        models: Vec<&'static str>,
        /// Whether tables of some are still empty, so that nothing can be read from them either.
        are_empty: bool,
    },
    /// A newer version of Docket has built this one.
    Newer {
        /// The model.
        model: String,
        /// The version that it was built in.
        built: i32,
        /// The version that this Docket builds.
        known: i32,
    },
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Current => f.write_str("the read models are up to date"),
            Self::Outdated { models, .. } => write!(
                f,
                "the read models {} are out of date and are being rebuilt from the log; until then nothing is decided on them",
                models.join(", ")
            ),
            Self::Newer {
                model,
                built,
                known,
            } => write!(
                f,
                "a newer Docket has built the read model {model} in version {built}, and this one builds version {known}: start the newer one in its place, or go back to this one by docket rebuild"
            ),
        }
    }
}

/// Judges what was built.
pub(crate) fn judge(built: &[Built]) -> Verdict {
    judge_by(ReadModels::ALL, built)
}

fn judge_by(known: &[Description], built: &[Built]) -> Verdict {
    let version_of = |name: &str| {
        built
            .iter()
            .find(|(other, _)| other == name)
            .map(|(_, version)| *version)
    };
    let mut models = vec![];
    let mut are_empty = false;
    let mut matters = false;
    for model in known {
        match version_of(model.name) {
            Some(version) if version == model.version => {}
            Some(version) if version > model.version => {
                return Verdict::Newer {
                    model: model.name.to_owned(),
                    built: version,
                    known: model.version,
                };
            }
            version => {
                models.push(model.name);
                are_empty |= version == Some(EMPTIED);
                matters |= !SHOWN_ONLY.contains(&model.name);
            }
        }
    }
    if matters || are_empty {
        Verdict::Outdated { models, are_empty }
    } else {
        Verdict::Current
    }
}

/// Reads what the ledger's first statement says of every model: `name=version`, separated by spaces.
pub(crate) fn parse(text: &str) -> Vec<Built> {
    text.split(' ')
        .filter_map(|model| {
            let (name, version) = model.split_once('=')?;
            Some((name.to_owned(), version.parse().ok()?))
        })
        .collect()
}

/// What was built, by name.
///
/// # Errors
///
/// The database's error.
pub(crate) async fn built(executor: impl PgExecutor<'_>) -> Result<Vec<Built>, sqlx::Error> {
    let rows = sqlx::query!("SELECT name, version FROM projection_versions")
        .fetch_all(executor)
        .await?;
    Ok(rows
        .into_iter()
        .map(|row| (row.name, row.version))
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    const KNOWN: [Description; 3] = [model("cases", 3), model("thread", 2), model("reports", 1)];

    const fn model(name: &'static str, version: i32) -> Description {
        Description {
            name,
            version,
            tables: &[],
            reads: &[],
            statements: &[],
        }
    }

    fn verdict(built: &[(&str, i32)]) -> Verdict {
        let built: Vec<Built> = built
            .iter()
            .map(|(name, version)| ((*name).to_owned(), *version))
            .collect();
        judge_by(&KNOWN, &built)
    }

    #[test]
    fn decisions_stop_where_a_model_that_they_rest_on_is_another() {
        let outdated = |models: &[&'static str], are_empty| Verdict::Outdated {
            models: models.to_vec(),
            are_empty,
        };
        let table = [
            (
                vec![("cases", 3), ("thread", 2), ("reports", 1)],
                Verdict::Current,
            ),
            (
                vec![("cases", 3), ("thread", 1), ("reports", 1)],
                Verdict::Current,
            ),
            (vec![("cases", 3)], Verdict::Current),
            (
                vec![("cases", 2), ("thread", 2), ("reports", 1)],
                outdated(&["cases"], false),
            ),
            (
                vec![("thread", 2), ("reports", 1)],
                outdated(&["cases"], false),
            ),
            (
                vec![("cases", EMPTIED), ("thread", 1), ("reports", 1)],
                outdated(&["cases", "thread"], true),
            ),
            (
                vec![("cases", 3), ("thread", EMPTIED), ("reports", 1)],
                outdated(&["thread"], true),
            ),
            (
                vec![("cases", 3), ("thread", 3), ("reports", 1)],
                Verdict::Newer {
                    model: "thread".to_owned(),
                    built: 3,
                    known: 2,
                },
            ),
        ];
        for (built, expected) in table {
            assert_eq!(verdict(&built), expected, "{built:?}");
        }
    }

    #[test]
    fn what_the_ledger_asks_is_read() {
        assert_eq!(
            parse("cases=3 thread=-1"),
            [("cases".to_owned(), 3), ("thread".to_owned(), EMPTIED)]
        );
        assert_eq!(parse(""), []);
    }

    #[test]
    fn a_model_that_is_only_shown_is_a_model() {
        for name in SHOWN_ONLY {
            assert!(
                ReadModels::ALL.iter().any(|model| model.name == name),
                "{name}"
            );
        }
    }
}
