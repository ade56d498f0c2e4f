//! The survey: what a line's messages are organised under.

use std::collections::HashSet;

use cqrs_es::event_sink::EventSink;
use cqrs_es::{Aggregate, DomainEvent};
use serde::{Deserialize, Serialize};

use crate::ids::SurveyId;
use crate::office_hours::TimeZone;
use crate::text::normalise;

/// The longest name, question or choice, in characters.
pub const MAX_NAME_CHARS: usize = 200;
/// The most choices that a status question can have.
pub const MAX_CHOICES: usize = 50;
/// The most templates that a survey can have.
pub const MAX_TEMPLATES: usize = 100;
/// The longest name of a template, in characters.
pub const MAX_TEMPLATE_NAME_CHARS: usize = 80;
/// The longest text of a template, in characters; what is filled in comes to it.
pub const MAX_TEMPLATE_CHARS: usize = 1_000;

/// What an owner sets of a survey.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SurveySettings {
    /// Its name.
    pub name: String,
    /// Whether messages are gathered in cases; otherwise each is a record of its own.
    pub cases_enabled: bool,
    /// The status question.
    pub status: StatusQuestion,
    /// Whether replies carry the case's reference.
    pub append_reference: bool,
    /// The time zone of its lines' office hours.
    #[serde(default, skip_serializing_if = "TimeZone::is_utc")]
    pub time_zone: TimeZone,
}

/// The question whose answer says how far a case has come.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StatusQuestion {
    /// The question.
    pub question: String,
    /// The possible answers, in order; a case begins with the first that does not close it.
    pub choices: Vec<String>,
    /// The answer that closes a case.
    pub closed_value: String,
}

impl StatusQuestion {
    /// The answer of the question that somebody typed, as the survey spells it.
    pub fn choice(&self, typed: &str) -> Option<&str> {
        let typed = normalise::typed(typed);
        let is_meant = |choice: &&String| normalise::typed(choice) == typed;
        self.choices.iter().find(is_meant).map(String::as_str)
    }

    /// The answer that a case begins with.
    pub fn initial(&self) -> Option<&str> {
        self.choices
            .iter()
            .find(|choice| **choice != self.closed_value)
            .map(String::as_str)
    }
}

impl SurveySettings {
    /// The settings as they are kept, in the normal form of what people type.
    fn normalised(self) -> Self {
        let Self {
            name,
            cases_enabled,
            status,
            append_reference,
            time_zone,
        } = self;
        Self {
            name: normal(&name),
            cases_enabled,
            status: StatusQuestion {
                question: normal(&status.question),
                choices: status.choices.iter().map(|choice| normal(choice)).collect(),
                closed_value: normal(&status.closed_value),
            },
            append_reference,
            time_zone: TimeZone::named(time_zone.name()).unwrap_or(time_zone),
        }
    }

    /// Checks the settings.
    ///
    /// # Errors
    ///
    /// The first [`SurveyError`] found.
    pub fn check(&self) -> Result<(), SurveyError> {
        must_be_named("name", &self.name)?;
        must_be_named("status.question", &self.status.question)?;
        if self.status.choices.len() < 2 || self.status.choices.len() > MAX_CHOICES {
            return Err(SurveyError::Choices);
        }
        let mut seen = HashSet::new();
        for choice in &self.status.choices {
            must_be_named("status.choices", choice)?;
            if !seen.insert(choice) {
                return Err(SurveyError::RepeatedChoice);
            }
        }
        if !seen.contains(&self.status.closed_value) {
            return Err(SurveyError::ClosedValue);
        }
        if TimeZone::named(self.time_zone.name()).is_none() {
            return Err(SurveyError::TimeZone);
        }
        Ok(())
    }
}

fn normal(text: &str) -> String {
    normalise::typed(text).into_owned()
}

fn must_be_named(field: &'static str, text: &str) -> Result<(), SurveyError> {
    if is_name(text, MAX_NAME_CHARS) {
        Ok(())
    } else {
        Err(SurveyError::Name(field))
    }
}

fn is_name(text: &str, max_chars: usize) -> bool {
    !normalise::is_empty(text)
        && text.chars().count() <= max_chars
        && !text.chars().any(char::is_control)
}

/// A frequent answer, for agents to begin theirs with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Template {
    /// What agents choose it by.
    pub name: String,
    /// What it says, with places to be filled: `{name}`, `{reference}`, `{agent}`.
    pub text: String,
}

impl Template {
    fn normalised(&self) -> Self {
        Self {
            name: normal(&self.name),
            text: normal(&self.text),
        }
    }
}

fn check_templates(templates: &[Template]) -> Result<(), SurveyError> {
    if templates.len() > MAX_TEMPLATES {
        return Err(SurveyError::Templates);
    }
    let mut seen = HashSet::new();
    for Template { name, text } in templates {
        if !is_name(name, MAX_TEMPLATE_NAME_CHARS) {
            return Err(SurveyError::TemplateName);
        }
        let is_text = |c: char| !c.is_control() || matches!(c, '\n' | '\t');
        if normalise::is_empty(text)
            || text.chars().count() > MAX_TEMPLATE_CHARS
            || !text.chars().all(is_text)
        {
            return Err(SurveyError::TemplateText);
        }
        // Names that look alike cannot be told apart in a list.
        if !seen.insert(name.trim().to_lowercase()) {
            return Err(SurveyError::RepeatedTemplate);
        }
    }
    Ok(())
}

/// A survey as its events have made it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Survey {
    version: u64,
    /// The version of the last event that set the settings.
    settings_version: u64,
    settings: Option<SurveySettings>,
    templates: Vec<Template>,
}

/// A command to a [`Survey`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SurveyCommand {
    /// Begin the survey.
    Create {
        /// Its id.
        survey_id: SurveyId,
        /// Its settings.
        settings: SurveySettings,
    },
    /// Give it other settings.
    Change {
        /// All of them.
        settings: SurveySettings,
        /// The version that whoever asks knows: settings that others have changed since stay. `None` to change them whatever they are.
        seen: Option<u64>,
    },
    /// Give it other templates of frequent answers.
    ChangeTemplates {
        /// All of them, in the order in which agents see them.
        templates: Vec<Template>,
    },
}

/// An event of a [`Survey`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum SurveyEvent {
    /// The survey began.
    SurveyCreated {
        /// Its id.
        survey_id: SurveyId,
        /// Its settings.
        settings: SurveySettings,
    },
    /// The survey got other settings.
    SurveyChanged {
        /// All of them.
        settings: SurveySettings,
    },
    /// The survey got other templates of frequent answers.
    TemplatesChanged {
        /// All of them, in the order in which agents see them.
        templates: Vec<Template>,
    },
}

/// Why a survey refuses a command.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SurveyError {
    /// There is no such survey.
    #[error("there is no such survey")]
    NotCreated,
    /// The survey exists.
    #[error("the survey exists already")]
    AlreadyCreated,
    /// Somebody else has changed the settings.
    #[error(
        "the settings were changed since; look at them as they are in version {version}, and ask again"
    )]
    ChangedSince {
        /// The survey's version now.
        version: u64,
    },
    /// A name is empty, too long or has control characters.
    #[error("{0} must have 1 to {MAX_NAME_CHARS} characters on one line")]
    Name(&'static str),
    /// Too few or too many choices.
    #[error("status.choices must have 2 to {MAX_CHOICES} answers")]
    Choices,
    /// A choice stands twice.
    #[error("status.choices must not repeat an answer")]
    RepeatedChoice,
    /// The closing value is no choice.
    #[error("status.closed_value must be one of status.choices")]
    ClosedValue,
    /// There is no such time zone.
    #[error("time_zone must be the IANA name of a time zone, such as Europe/London")]
    TimeZone,
    /// Somebody else has changed the template.
    #[error("the template was changed since; look at it as it is now, and ask again")]
    TemplateChangedSince,
    /// Too many templates.
    #[error("templates must be {MAX_TEMPLATES} at most")]
    Templates,
    /// A template's name is empty, too long or has control characters.
    #[error("templates.name must have 1 to {MAX_TEMPLATE_NAME_CHARS} characters on one line")]
    TemplateName,
    /// A template's text is empty, too long or has control characters.
    #[error(
        "templates.text must have 1 to {MAX_TEMPLATE_CHARS} characters, and no control characters but line breaks and tabs"
    )]
    TemplateText,
    /// Two templates have one name.
    #[error("templates must not repeat a name")]
    RepeatedTemplate,
}

impl Survey {
    /// How many events the survey has.
    pub const fn version(&self) -> u64 {
        self.version
    }

    /// The settings; `None` before it was created.
    pub const fn settings(&self) -> Option<&SurveySettings> {
        self.settings.as_ref()
    }

    /// The templates of frequent answers, in order.
    pub fn templates(&self) -> &[Template] {
        &self.templates
    }

    /// Decides a command.
    ///
    /// # Errors
    ///
    /// A [`SurveyError`] that says why nothing can be recorded.
    pub fn decide(&self, command: SurveyCommand) -> Result<Vec<SurveyEvent>, SurveyError> {
        match (command, &self.settings) {
            (SurveyCommand::Create { .. }, Some(_)) => Err(SurveyError::AlreadyCreated),
            (
                SurveyCommand::Create {
                    survey_id,
                    settings,
                },
                None,
            ) => {
                let settings = settings.normalised();
                settings.check()?;
                Ok(vec![SurveyEvent::SurveyCreated {
                    survey_id,
                    settings,
                }])
            }
            (SurveyCommand::Change { .. } | SurveyCommand::ChangeTemplates { .. }, None) => {
                Err(SurveyError::NotCreated)
            }
            (SurveyCommand::Change { settings, .. }, Some(now)) if settings == *now => Ok(vec![]),
            (
                SurveyCommand::Change {
                    seen: Some(seen), ..
                },
                _,
            ) if seen < self.settings_version => {
                let version = self.version;
                Err(SurveyError::ChangedSince { version })
            }
            (SurveyCommand::Change { settings, .. }, Some(now)) => {
                let settings = settings.normalised();
                settings.check()?;
                if settings == *now {
                    return Ok(vec![]);
                }
                Ok(vec![SurveyEvent::SurveyChanged { settings }])
            }
            (SurveyCommand::ChangeTemplates { templates }, Some(_)) => {
                let templates: Vec<_> = templates.iter().map(Template::normalised).collect();
                check_templates(&templates)?;
                Ok(if templates == self.templates {
                    vec![]
                } else {
                    vec![SurveyEvent::TemplatesChanged { templates }]
                })
            }
        }
    }

    /// Takes one event in.
    pub fn evolve(&mut self, event: &SurveyEvent) {
        self.version += 1;
        match event {
            SurveyEvent::SurveyCreated { settings, .. }
            | SurveyEvent::SurveyChanged { settings } => {
                self.settings = Some(settings.clone());
                self.settings_version = self.version;
            }
            SurveyEvent::TemplatesChanged { templates } => self.templates.clone_from(templates),
        }
    }
}

impl SurveyEvent {
    /// Every event type.
    pub const TYPES: [&'static str; 3] = ["SurveyCreated", "SurveyChanged", "TemplatesChanged"];

    /// The event's type: its variant's name.
    pub const fn type_name(&self) -> &'static str {
        match self {
            Self::SurveyCreated { .. } => "SurveyCreated",
            Self::SurveyChanged { .. } => "SurveyChanged",
            Self::TemplatesChanged { .. } => "TemplatesChanged",
        }
    }

    /// The version that is written today.
    pub const fn version(&self) -> &'static str {
        "1"
    }
}

impl DomainEvent for SurveyEvent {
    fn event_type(&self) -> String {
        self.type_name().to_owned()
    }

    fn event_version(&self) -> String {
        self.version().to_owned()
    }
}

impl Aggregate for Survey {
    const TYPE: &'static str = "Survey";
    type Command = SurveyCommand;
    type Event = SurveyEvent;
    type Error = SurveyError;
    type Services = ();

    async fn handle(
        &mut self,
        command: SurveyCommand,
        (): &(),
        sink: &EventSink<Self>,
    ) -> Result<(), SurveyError> {
        for event in self.decide(command)? {
            sink.write(event, self).await;
        }
        Ok(())
    }

    fn apply(&mut self, event: SurveyEvent) {
        self.evolve(&event);
    }
}

#[cfg(test)]
mod tests {
    use cqrs_es::test::TestFramework;
    use uuid::Uuid;

    use super::*;

    fn settings() -> SurveySettings {
        SurveySettings {
            name: "Help desk".into(),
            cases_enabled: true,
            status: StatusQuestion {
                question: "How far is it?".into(),
                choices: vec!["New".into(), "Resolved".into()],
                closed_value: "Resolved".into(),
            },
            append_reference: true,
            time_zone: TimeZone::default(),
        }
    }

    fn created() -> SurveyEvent {
        SurveyEvent::SurveyCreated {
            survey_id: SurveyId(Uuid::nil()),
            settings: settings(),
        }
    }

    #[test]
    fn a_survey_is_created_once() {
        let create = SurveyCommand::Create {
            survey_id: SurveyId(Uuid::nil()),
            settings: settings(),
        };
        TestFramework::<Survey>::with(())
            .given_no_previous_events()
            .when(create.clone())
            .then_expect_events(vec![created()]);
        TestFramework::<Survey>::with(())
            .given(vec![created()])
            .when(create)
            .then_expect_error(SurveyError::AlreadyCreated);
    }

    #[test]
    fn the_same_settings_again_are_no_event() {
        let change = SurveyCommand::Change {
            settings: settings(),
            seen: None,
        };
        TestFramework::<Survey>::with(())
            .given(vec![created()])
            .when(change)
            .then_expect_events(vec![]);
    }

    #[test]
    fn settings_that_others_have_changed_since_stay() {
        let named = |name: &str| SurveySettings {
            name: name.into(),
            ..settings()
        };
        let changed = |name| SurveyEvent::SurveyChanged {
            settings: named(name),
        };
        let templates = SurveyEvent::TemplatesChanged {
            templates: vec![template("Hours", "9 to 5")],
        };
        let change = |name, seen| SurveyCommand::Change {
            settings: named(name),
            seen,
        };
        let given = || vec![created(), changed("Front desk"), templates.clone()];
        // Templates are no settings: whoever saw the survey before them has seen the settings.
        for seen in [None, Some(2), Some(3)] {
            TestFramework::<Survey>::with(())
                .given(given())
                .when(change("Clinic", seen))
                .then_expect_events(vec![changed("Clinic")]);
        }
        TestFramework::<Survey>::with(())
            .given(given())
            .when(change("Clinic", Some(1)))
            .then_expect_error(SurveyError::ChangedSince { version: 3 });
        // Who wants what is there already has it.
        TestFramework::<Survey>::with(())
            .given(given())
            .when(change("Front desk", Some(1)))
            .then_expect_events(vec![]);
    }

    #[test]
    fn settings_that_could_never_close_a_case_are_refused() {
        type Break = fn(&mut SurveySettings);
        let cases: [(Break, SurveyError); 6] = [
            (|s| s.name = " ".into(), SurveyError::Name("name")),
            (
                |s| s.status.question = "x".repeat(201),
                SurveyError::Name("status.question"),
            ),
            (
                |s| s.status.choices = vec!["Resolved".into()],
                SurveyError::Choices,
            ),
            (
                |s| s.status.choices.push("New".into()),
                SurveyError::RepeatedChoice,
            ),
            (
                |s| s.status.closed_value = "Done".into(),
                SurveyError::ClosedValue,
            ),
            (
                |s| s.status.choices[0] = "a\nb".into(),
                SurveyError::Name("status.choices"),
            ),
        ];
        for (spoil, error) in cases {
            let mut settings = settings();
            spoil(&mut settings);
            TestFramework::<Survey>::with(())
                .given(vec![created()])
                .when(SurveyCommand::Change {
                    settings,
                    seen: None,
                })
                .then_expect_error(error);
        }
    }

    fn template(name: &str, text: &str) -> Template {
        Template {
            name: name.into(),
            text: text.into(),
        }
    }

    #[test]
    fn templates_are_given_whole_and_the_same_again_are_no_event() {
        let templates = vec![
            template("Hours", "We are open from 9 to 5, {name}.\n{agent}"),
            template("Thanks", "Thank you!"),
        ];
        let change = SurveyCommand::ChangeTemplates {
            templates: templates.clone(),
        };
        let changed = SurveyEvent::TemplatesChanged { templates };
        TestFramework::<Survey>::with(())
            .given(vec![created()])
            .when(change.clone())
            .then_expect_events(vec![changed.clone()]);
        TestFramework::<Survey>::with(())
            .given(vec![created(), changed])
            .when(change.clone())
            .then_expect_events(vec![]);
        TestFramework::<Survey>::with(())
            .given_no_previous_events()
            .when(change)
            .then_expect_error(SurveyError::NotCreated);
    }

    #[test]
    fn templates_that_nobody_could_choose_or_send_are_refused() {
        let long = "x".repeat(MAX_TEMPLATE_CHARS + 1);
        let cases = [
            (vec![template(" ", "Hi")], SurveyError::TemplateName),
            (
                vec![template(&"x".repeat(81), "Hi")],
                SurveyError::TemplateName,
            ),
            (vec![template("a\nb", "Hi")], SurveyError::TemplateName),
            (vec![template("Hours", " \n")], SurveyError::TemplateText),
            (vec![template("Hours", &long)], SurveyError::TemplateText),
            (
                vec![template("Hours", "a\u{b}b")],
                SurveyError::TemplateText,
            ),
            (
                vec![template("Hours", "a"), template("hours ", "b")],
                SurveyError::RepeatedTemplate,
            ),
            (
                (0..101).map(|n| template(&n.to_string(), "a")).collect(),
                SurveyError::Templates,
            ),
        ];
        for (templates, error) in cases {
            TestFramework::<Survey>::with(())
                .given(vec![created()])
                .when(SurveyCommand::ChangeTemplates { templates })
                .then_expect_error(error);
        }
    }

    #[test]
    fn a_case_begins_with_the_first_answer_that_does_not_close_it() {
        let mut question = settings().status;
        question.choices.reverse();
        assert_eq!(question.initial(), Some("New"));
    }
}
