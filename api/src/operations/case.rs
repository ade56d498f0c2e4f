//! Changes of one case that say nothing to its contact.

use chrono::{DateTime, Utc};
use docket_domain::case::{Assignee, CaseCommand, CaseError, CaseLabel, State as CaseState};
use docket_domain::event::StreamId;
use docket_domain::ids::{NoteId, Reference, UserId};
use docket_domain::label::Label;
use docket_domain::personal::Personal;
use docket_domain::user::{Role, UserState};
use docket_projections::ledger::operation::{Decided, Needs, Operation};
use docket_projections::ledger::scope::Scope;
use docket_projections::log::recorded::Metadata;
use docket_projections::settings::Settings;
use serde::{Deserialize, Serialize};

use super::Asked;

/// A change of one case.
#[derive(Clone, Debug)]
pub struct ChangeCase {
    /// The case.
    pub reference: Reference,
    /// What is to be changed.
    pub change: Change,
    /// Who asks.
    pub asked: Asked,
}

/// What can be changed of a case.
#[derive(Clone, Debug)]
pub enum Change {
    /// The answer to the status question.
    Status {
        /// The answer.
        value: String,
        /// The version of the case that whoever closes it has seen; `None` closes it whatever was said since.
        seen_version: Option<u64>,
    },
    /// Who sees to it.
    Assignee(Option<Assignee>),
    /// What it is called.
    Title(String),
    /// A note is written.
    Note {
        /// The note's id.
        note_id: NoteId,
        /// What it says.
        text: String,
        /// Whom it mentions.
        mentions: Vec<UserId>,
    },
    /// Other labels.
    Labels(LabelChange),
    /// It is put off until then.
    Snooze(DateTime<Utc>),
    /// It is put off no longer.
    Wake,
}

/// How the labels of a case change; labels go by their names, in whatever case.
#[derive(Clone, Debug)]
pub enum LabelChange {
    /// These are all of them.
    All(Vec<String>),
    /// One goes on.
    Add(String),
    /// One comes off.
    Remove(String),
}

impl LabelChange {
    fn command(
        &self,
        settings: &Settings,
        state: &CaseState,
    ) -> Result<CaseCommand, ChangeCaseError> {
        let find = |name: &String| {
            let label = settings.label_named(name);
            label.map(as_case_label).ok_or_else(|| {
                let name = name.clone();
                ChangeCaseError::UnknownLabel { name }
            })
        };
        let now: Vec<CaseLabel> = state
            .labels
            .iter()
            .filter_map(|label_id| settings.label(*label_id))
            .map(as_case_label)
            .collect();
        let names = now
            .iter()
            .map(|label| (label.label_id, label.name.clone()))
            .collect();
        let to = match self {
            Self::All(names) => names.iter().map(find).collect::<Result<_, _>>()?,
            Self::Add(name) => now.into_iter().chain([find(name)?]).collect(),
            Self::Remove(name) => {
                let gone = find(name)?;
                let mut kept = now;
                kept.retain(|label| label.label_id != gone.label_id);
                kept
            }
        };
        Ok(CaseCommand::SetLabels { to, names })
    }
}

fn as_case_label(label: &Label) -> CaseLabel {
    CaseLabel {
        label_id: label.label_id,
        name: label.name.clone(),
    }
}

impl Change {
    /// Another answer to the status question, whatever was said since.
    pub const fn status(value: String) -> Self {
        Self::Status {
            value,
            seen_version: None,
        }
    }
}

/// What the case has become.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Changed {
    /// Its version.
    pub version: u64,
}

/// Why a case was not changed.
#[derive(Debug, thiserror::Error)]
pub enum ChangeCaseError {
    /// The case refuses.
    #[error(transparent)]
    Case(#[from] CaseError),
    /// Whoever is to see to it does not reach it.
    #[error("that colleague does not reach the cases of this survey")]
    OutOfReach,
    /// There is no such label.
    #[error("there is no label {name:?}; GET /api/v1/labels lists them")]
    UnknownLabel {
        /// The name.
        name: String,
    },
    /// The survey's status question has no such answer.
    #[error("the status must be one of: {}", choices.join(", "))]
    UnknownStatus {
        /// The answers that it has.
        choices: Vec<String>,
    },
}

impl ChangeCase {
    /// Who is to see to the case, whose access must be known.
    const fn assignee(&self) -> Option<StreamId> {
        match &self.change {
            Change::Assignee(Some(to)) => Some(StreamId::User(to.user_id)),
            _ => None,
        }
    }
}

impl Operation for ChangeCase {
    type Output = Changed;
    type Refusal = ChangeCaseError;

    fn metadata(&self) -> Metadata {
        self.asked.metadata()
    }

    fn needs(&self, _: &Settings) -> Needs {
        Needs {
            cases: vec![self.reference],
            streams: self.assignee().into_iter().collect(),
            idempotency: self.asked.idempotency.clone(),
            ..Needs::default()
        }
    }

    fn decide(&self, scope: &Scope<'_>) -> Result<Decided<Changed>, ChangeCaseError> {
        let (case, state) = self.asked.case(scope, self.reference)?;
        let survey_id = state.origin.survey_id;
        let command = match self.change.clone() {
            Change::Status {
                value,
                seen_version,
            } => {
                let question = scope
                    .settings()
                    .status_question(survey_id)
                    .ok_or(CaseError::NotOpened)?;
                let value = question
                    .choice(&value)
                    .ok_or_else(|| ChangeCaseError::UnknownStatus {
                        choices: question.choices.clone(),
                    })?
                    .to_owned();
                let closes = value == question.closed_value;
                if closes {
                    case.must_have_been_heard(seen_version, Some(self.asked.user_id))?;
                }
                CaseCommand::SetStatus {
                    question: question.question.clone(),
                    closes,
                    value,
                }
            }
            Change::Assignee(to) => {
                let user = to.as_ref().and_then(|to| scope.user(to.user_id)?.state());
                // Whoever was removed meanwhile, or only looks now, could not see to it.
                let may_act = |user: &UserState| !user.removed && user.role != Role::Auditor;
                let is_out = |user: &UserState| {
                    !may_act(user) || !user.access.clone().of(user.role).reaches(survey_id)
                };
                if user.is_some_and(is_out) {
                    return Err(ChangeCaseError::OutOfReach);
                }
                CaseCommand::Assign { to }
            }
            Change::Title(title) => CaseCommand::Rename {
                title: Personal(title),
            },
            Change::Note { note_id, text, .. } => CaseCommand::AddNote {
                note_id,
                author: self.asked.author(),
                text: Personal(text),
            },
            Change::Labels(change) => change.command(scope.settings(), state)?,
            Change::Snooze(until) => CaseCommand::Snooze {
                until,
                now: scope.now(),
            },
            Change::Wake => CaseCommand::Wake,
        };
        let mut events = case.decide(command)?;
        if let Change::Note {
            note_id, mentions, ..
        } = &self.change
        {
            let note_id = *note_id;
            let users = mentions.clone();
            events.extend(case.decide(CaseCommand::Mention { note_id, users })?);
        }
        let version = case.version() + events.len() as u64;
        Ok(Decided::on(
            StreamId::Case(self.reference),
            events,
            Changed { version },
        ))
    }
}
