//! The line: one of our own numbers on one channel.

use cqrs_es::event_sink::EventSink;
use cqrs_es::{Aggregate, DomainEvent};
use serde::{Deserialize, Serialize};

use crate::channel::{Channel, is_international_number};
use crate::ids::{LineId, SurveyId};
use crate::office_hours::{OfficeHours, OfficeHoursError};
pub use crate::text::auto_reply::MAX_REPLY_CHARS;
use crate::text::normalise;

/// What an owner sets of a line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LineSettings {
    /// The survey that gets its messages.
    pub survey_id: SurveyId,
    /// The automatic reply for several open cases, with `%s1` for their number and `%s2` for their list.
    pub multi_case_reply: Option<String>,
    /// The other automatic texts.
    #[serde(default, skip_serializing_if = "AutomaticTexts::is_none")]
    pub automatic: AutomaticTexts,
}

/// The automatic texts of a line beside the reply for several open cases. Each may hold `%ref` for the case's reference.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AutomaticTexts {
    /// The first answer to a message that makes a case.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub greeting: Option<String>,
    /// The answer to a message that asks for a new case with `#0`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub new_requested: Option<String>,
    /// The office hours, with the text outside of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub office_hours: Option<OfficeHours>,
    /// The confirmation of an opt-out by a word such as STOP, the last message that is sent then. It has no `%ref`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub opt_out_confirmation: Option<String>,
}

impl AutomaticTexts {
    /// Whether none is set.
    pub fn is_none(&self) -> bool {
        *self == Self::default()
    }

    fn normalised(self) -> Self {
        let normal = |text: String| normalise::typed(&text).into_owned();
        Self {
            greeting: self.greeting.map(normal),
            new_requested: self.new_requested.map(normal),
            office_hours: self.office_hours.map(OfficeHours::normalised),
            opt_out_confirmation: self.opt_out_confirmation.map(normal),
        }
    }

    fn check(&self) -> Result<(), LineError> {
        let is_text =
            |text: &String| !normalise::is_empty(text) && text.chars().count() <= MAX_REPLY_CHARS;
        if !self.greeting.iter().all(is_text) {
            return Err(LineError::Text("greeting"));
        }
        if !self.new_requested.iter().all(is_text) {
            return Err(LineError::Text("new_case_reply"));
        }
        if let Some(office) = &self.office_hours {
            office.check()?;
        }
        if !self.opt_out_confirmation.iter().all(is_text) {
            return Err(LineError::Text("opt_out_confirmation"));
        }
        Ok(())
    }
}

impl LineSettings {
    /// The settings as they are kept, in the normal form of what people type.
    fn normalised(self) -> Self {
        let normal = |reply: String| normalise::typed(&reply).into_owned();
        Self {
            multi_case_reply: self.multi_case_reply.map(normal),
            automatic: self.automatic.normalised(),
            ..self
        }
    }

    fn check(&self) -> Result<(), LineError> {
        match &self.multi_case_reply {
            Some(reply)
                if normalise::is_empty(reply) || reply.chars().count() > MAX_REPLY_CHARS =>
            {
                Err(LineError::Reply)
            }
            _ => self.automatic.check(),
        }
    }
}

/// Why a line's sending stands still.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HaltReason {
    /// Vonage does not accept our credentials.
    Credentials,
    /// The account has no money left.
    Balance,
}

impl HaltReason {
    /// A sentence for the owner.
    pub const fn sentence(self) -> &'static str {
        match self {
            Self::Credentials => {
                "Vonage refuses our credentials: check the application id and the private key, then resume sending"
            }
            Self::Balance => {
                "the Vonage account has too little balance: top it up, then resume sending"
            }
        }
    }
}

/// A line as its events have made it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    version: u64,
    /// The version of the last event that set the settings.
    settings_version: u64,
    state: Option<LineState>,
}

/// A line that was added.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LineState {
    /// Our number, E.164 without `+`.
    pub number: String,
    /// Its channel.
    pub channel: Channel,
    /// Its settings.
    pub settings: LineSettings,
    /// Why its sending stands still, if it does.
    pub halted: Option<HaltReason>,
    /// Whether it was removed.
    pub removed: bool,
}

/// A command to a [`Line`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LineCommand {
    /// Add the line.
    Add {
        /// Its id.
        line_id: LineId,
        /// Our number, E.164 without `+`.
        number: String,
        /// Its channel.
        channel: Channel,
        /// Its settings.
        settings: LineSettings,
    },
    /// Give it other settings.
    Change {
        /// All of them.
        settings: LineSettings,
        /// The version that whoever asks knows: settings that others have changed since stay. `None` to change them whatever they are.
        seen: Option<u64>,
    },
    /// Remove it; what came in on it stays.
    Remove,
    /// Stop sending.
    Halt {
        /// Why.
        reason: HaltReason,
    },
    /// Send again.
    Resume,
}

/// An event of a [`Line`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum LineEvent {
    /// The line was added.
    LineAdded {
        /// Its id.
        line_id: LineId,
        /// Our number.
        number: String,
        /// Its channel.
        channel: Channel,
        /// Its settings.
        settings: LineSettings,
    },
    /// The line got other settings.
    LineChanged {
        /// All of them.
        settings: LineSettings,
    },
    /// The line was removed.
    LineRemoved {},
    /// Sending stopped.
    SendingHalted {
        /// Why.
        reason: HaltReason,
    },
    /// Sending goes on.
    SendingResumed {},
}

/// Why a line refuses a command.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LineError {
    /// There is no such line.
    #[error("there is no such line")]
    NotAdded,
    /// The line exists.
    #[error("the line exists already")]
    AlreadyAdded,
    /// The line was removed.
    #[error("the line was removed")]
    Removed,
    /// Somebody else has changed the settings.
    #[error(
        "the settings were changed since; look at them as they are in version {version}, and ask again"
    )]
    ChangedSince {
        /// The line's version now.
        version: u64,
    },
    /// The number is none.
    #[error("number must be an international number of 7 to 15 digits, such as 447700900000")]
    Number,
    /// The automatic reply is empty or too long.
    #[error("multi_case_reply must have 1 to {MAX_REPLY_CHARS} characters, or be null")]
    Reply,
    /// Another automatic text is empty or too long.
    #[error("{0} must have 1 to {MAX_REPLY_CHARS} characters, or be null")]
    Text(&'static str),
    /// The office hours cannot be kept.
    #[error(transparent)]
    OfficeHours(#[from] OfficeHoursError),
}

impl Line {
    /// How many events the line has.
    pub const fn version(&self) -> u64 {
        self.version
    }

    /// What the line is; `None` before it was added.
    pub const fn state(&self) -> Option<&LineState> {
        self.state.as_ref()
    }

    /// Decides a command.
    ///
    /// # Errors
    ///
    /// A [`LineError`] that says why nothing can be recorded.
    pub fn decide(&self, command: LineCommand) -> Result<Vec<LineEvent>, LineError> {
        let Some(state) = &self.state else {
            return match command {
                LineCommand::Add {
                    line_id,
                    number,
                    channel,
                    settings,
                } => {
                    if !is_international_number(&number) {
                        return Err(LineError::Number);
                    }
                    let settings = settings.normalised();
                    settings.check()?;
                    Ok(vec![LineEvent::LineAdded {
                        line_id,
                        number,
                        channel,
                        settings,
                    }])
                }
                _ => Err(LineError::NotAdded),
            };
        };
        match command {
            LineCommand::Add { .. } => Err(LineError::AlreadyAdded),
            LineCommand::Remove if state.removed => Ok(vec![]),
            _ if state.removed => Err(LineError::Removed),
            LineCommand::Change { settings, .. } if settings == state.settings => Ok(vec![]),
            LineCommand::Change {
                seen: Some(seen), ..
            } if seen < self.settings_version => {
                let version = self.version;
                Err(LineError::ChangedSince { version })
            }
            LineCommand::Change { settings, .. } => {
                let settings = settings.normalised();
                settings.check()?;
                if settings == state.settings {
                    return Ok(vec![]);
                }
                Ok(vec![LineEvent::LineChanged { settings }])
            }
            LineCommand::Remove => Ok(vec![LineEvent::LineRemoved {}]),
            LineCommand::Halt { reason } if state.halted != Some(reason) => {
                Ok(vec![LineEvent::SendingHalted { reason }])
            }
            LineCommand::Resume if state.halted.is_some() => Ok(vec![LineEvent::SendingResumed {}]),
            LineCommand::Halt { .. } | LineCommand::Resume => Ok(vec![]),
        }
    }

    /// Takes one event in.
    pub fn evolve(&mut self, event: &LineEvent) {
        self.version += 1;
        if matches!(
            event,
            LineEvent::LineAdded { .. } | LineEvent::LineChanged { .. }
        ) {
            self.settings_version = self.version;
        }
        match (event, &mut self.state) {
            (
                LineEvent::LineAdded {
                    number,
                    channel,
                    settings,
                    ..
                },
                state,
            ) => {
                *state = Some(LineState {
                    number: number.clone(),
                    channel: *channel,
                    settings: settings.clone(),
                    halted: None,
                    removed: false,
                });
            }
            (LineEvent::LineChanged { settings }, Some(state)) => state.settings = settings.clone(),
            (LineEvent::LineRemoved {}, Some(state)) => state.removed = true,
            (LineEvent::SendingHalted { reason }, Some(state)) => state.halted = Some(*reason),
            (LineEvent::SendingResumed {}, Some(state)) => state.halted = None,
            (_, None) => {}
        }
    }
}

impl LineEvent {
    /// Every event type.
    pub const TYPES: [&'static str; 5] = [
        "LineAdded",
        "LineChanged",
        "LineRemoved",
        "SendingHalted",
        "SendingResumed",
    ];

    /// The event's type: its variant's name.
    pub const fn type_name(&self) -> &'static str {
        match self {
            Self::LineAdded { .. } => "LineAdded",
            Self::LineChanged { .. } => "LineChanged",
            Self::LineRemoved {} => "LineRemoved",
            Self::SendingHalted { .. } => "SendingHalted",
            Self::SendingResumed {} => "SendingResumed",
        }
    }

    /// The version that is written today.
    pub const fn version(&self) -> &'static str {
        "1"
    }
}

impl DomainEvent for LineEvent {
    fn event_type(&self) -> String {
        self.type_name().to_owned()
    }

    fn event_version(&self) -> String {
        self.version().to_owned()
    }
}

impl Aggregate for Line {
    const TYPE: &'static str = "Line";
    type Command = LineCommand;
    type Event = LineEvent;
    type Error = LineError;
    type Services = ();

    async fn handle(
        &mut self,
        command: LineCommand,
        (): &(),
        sink: &EventSink<Self>,
    ) -> Result<(), LineError> {
        for event in self.decide(command)? {
            sink.write(event, self).await;
        }
        Ok(())
    }

    fn apply(&mut self, event: LineEvent) {
        self.evolve(&event);
    }
}

#[cfg(test)]
mod tests {
    use cqrs_es::test::TestFramework;
    use uuid::Uuid;

    use super::*;

    fn settings() -> LineSettings {
        LineSettings {
            survey_id: SurveyId(Uuid::nil()),
            multi_case_reply: None,
            automatic: AutomaticTexts::default(),
        }
    }

    fn add(number: &str) -> LineCommand {
        LineCommand::Add {
            line_id: LineId(Uuid::nil()),
            number: number.into(),
            channel: Channel::Sms,
            settings: settings(),
        }
    }

    fn added() -> LineEvent {
        LineEvent::LineAdded {
            line_id: LineId(Uuid::nil()),
            number: "447700900000".into(),
            channel: Channel::Sms,
            settings: settings(),
        }
    }

    fn given(events: Vec<LineEvent>) -> cqrs_es::test::AggregateTestExecutor<Line> {
        TestFramework::<Line>::with(()).given(events)
    }

    #[test]
    fn a_line_has_a_number_of_digits() {
        given(vec![])
            .when(add("447700900000"))
            .then_expect_events(vec![added()]);
        for wrong in ["", "12", "+447700900000", "4477009000001234", "DocketTest"] {
            given(vec![])
                .when(add(wrong))
                .then_expect_error(LineError::Number);
        }
    }

    #[test]
    fn sending_halts_and_resumes_once() {
        let halted = LineEvent::SendingHalted {
            reason: HaltReason::Balance,
        };
        let halt = LineCommand::Halt {
            reason: HaltReason::Balance,
        };
        given(vec![added()])
            .when(halt.clone())
            .then_expect_events(vec![halted.clone()]);
        given(vec![added(), halted.clone()])
            .when(halt)
            .then_expect_events(vec![]);
        given(vec![added(), halted])
            .when(LineCommand::Resume)
            .then_expect_events(vec![LineEvent::SendingResumed {}]);
        given(vec![added()])
            .when(LineCommand::Resume)
            .then_expect_events(vec![]);
    }

    #[test]
    fn settings_that_others_have_changed_since_stay() {
        let replying = |reply: &str| LineSettings {
            multi_case_reply: Some(reply.into()),
            ..settings()
        };
        let changed = |reply| LineEvent::LineChanged {
            settings: replying(reply),
        };
        let change = |reply, seen| LineCommand::Change {
            settings: replying(reply),
            seen,
        };
        let halted = LineEvent::SendingHalted {
            reason: HaltReason::Balance,
        };
        let events = || vec![added(), changed("Which of %s1?"), halted.clone()];
        for seen in [None, Some(2), Some(3)] {
            given(events())
                .when(change("You have %s1", seen))
                .then_expect_events(vec![changed("You have %s1")]);
        }
        given(events())
            .when(change("You have %s1", Some(1)))
            .then_expect_error(LineError::ChangedSince { version: 3 });
        given(events())
            .when(change("Which of %s1?", Some(1)))
            .then_expect_events(vec![]);
    }

    #[test]
    fn a_removed_line_stays_removed() {
        let removed = LineEvent::LineRemoved {};
        given(vec![added()])
            .when(LineCommand::Remove)
            .then_expect_events(vec![removed.clone()]);
        given(vec![added(), removed.clone()])
            .when(LineCommand::Remove)
            .then_expect_events(vec![]);
        given(vec![added(), removed])
            .when(LineCommand::Resume)
            .then_expect_error(LineError::Removed);
    }
}
