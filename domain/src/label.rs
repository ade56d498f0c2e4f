//! Labels: words with a colour that people put on cases.
//!
//! All labels of the installation are one stream, because a name belongs to one label only. A case knows its labels by their ids,
//! so a label that is renamed is renamed everywhere; events of cases also carry the name of that time.

use cqrs_es::event_sink::EventSink;
use cqrs_es::{Aggregate, DomainEvent};
use serde::{Deserialize, Serialize};

use crate::ids::LabelId;
use crate::text::normalise;

/// The id of the one stream.
pub const STREAM: &str = "labels";
/// The longest name, in characters.
pub const MAX_LABEL_CHARS: usize = 50;
/// The most labels that an installation has at once.
pub const MAX_LABELS: usize = 200;

/// The colour of a label. The console has a pair of text and background for each, readable in light and dark.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LabelColour {
    /// Grey.
    #[default]
    Grey,
    /// Red.
    Red,
    /// Orange.
    Orange,
    /// Yellow.
    Yellow,
    /// Green.
    Green,
    /// Teal.
    Teal,
    /// Blue.
    Blue,
    /// Purple.
    Purple,
    /// Pink.
    Pink,
}

impl LabelColour {
    /// Every colour, in the order in which they are offered.
    pub const ALL: [Self; 9] = [
        Self::Grey,
        Self::Red,
        Self::Orange,
        Self::Yellow,
        Self::Green,
        Self::Teal,
        Self::Blue,
        Self::Purple,
        Self::Pink,
    ];

    /// The name in the log, the database and the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Grey => "grey",
            Self::Red => "red",
            Self::Orange => "orange",
            Self::Yellow => "yellow",
            Self::Green => "green",
            Self::Teal => "teal",
            Self::Blue => "blue",
            Self::Purple => "purple",
            Self::Pink => "pink",
        }
    }

    /// The colour of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|colour| colour.as_str() == name)
    }
}

/// A label.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Label {
    /// Its id.
    pub label_id: LabelId,
    /// Its name.
    pub name: String,
    /// Its colour.
    pub colour: LabelColour,
}

/// What a name is compared by: two names that differ only in case, or in what [`normalise::typed`] takes off, are one.
pub fn key(name: &str) -> String {
    normalise::typed(name).to_lowercase()
}

/// The labels of the installation as their events have made them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Labels {
    version: u64,
    /// Those that were not deleted, in the order in which they were created.
    labels: Vec<Label>,
}

/// A command to the [`Labels`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LabelCommand {
    /// Create a label.
    Create(Label),
    /// Give a label another name, another colour, or both.
    Change {
        /// The label.
        label_id: LabelId,
        /// The name; `None` keeps it.
        name: Option<String>,
        /// The colour; `None` keeps it.
        colour: Option<LabelColour>,
    },
    /// Delete a label.
    Delete {
        /// The label.
        label_id: LabelId,
    },
}

/// An event of the [`Labels`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum LabelEvent {
    /// A label was created.
    LabelCreated {
        /// Its id.
        label_id: LabelId,
        /// Its name.
        name: String,
        /// Its colour.
        colour: LabelColour,
    },
    /// A label got another name or colour.
    LabelChanged {
        /// The label.
        label_id: LabelId,
        /// Its name before.
        from: String,
        /// Its name now.
        name: String,
        /// Its colour now.
        colour: LabelColour,
    },
    /// A label was deleted. It leaves every view; cases that had it keep their history.
    LabelDeleted {
        /// The label.
        label_id: LabelId,
        /// Its last name.
        name: String,
    },
}

/// Why a command on labels was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LabelError {
    /// There is no such label.
    #[error("there is no such label; GET /api/v1/labels lists them")]
    NotFound,
    /// The label exists.
    #[error("the label exists already")]
    AlreadyCreated,
    /// The name is no name.
    #[error("name must have 1 to {MAX_LABEL_CHARS} characters on one line")]
    Name,
    /// Another label has the name.
    #[error(
        "the label {0:?} has that name already; upper and lower case make no difference, so choose another name"
    )]
    NameTaken(String),
    /// There are too many.
    #[error("there are {MAX_LABELS} labels, and more are not possible; delete one first")]
    TooMany,
}

impl Labels {
    /// How many events there were.
    pub const fn version(&self) -> u64 {
        self.version
    }

    /// The labels that were not deleted.
    pub fn all(&self) -> impl Iterator<Item = &Label> {
        self.labels.iter()
    }

    fn find(&self, label_id: LabelId) -> Result<&Label, LabelError> {
        self.all()
            .find(|label| label.label_id == label_id)
            .ok_or(LabelError::NotFound)
    }

    /// Decides a command. Changing nothing is a success without events.
    ///
    /// # Errors
    ///
    /// A [`LabelError`].
    pub fn decide(&self, command: LabelCommand) -> Result<Vec<LabelEvent>, LabelError> {
        match command {
            LabelCommand::Create(label) => {
                if self.find(label.label_id).is_ok() {
                    return Err(LabelError::AlreadyCreated);
                }
                let name = self.free_name(&label.name, None)?;
                if self.labels.len() >= MAX_LABELS {
                    return Err(LabelError::TooMany);
                }
                Ok(vec![LabelEvent::LabelCreated {
                    label_id: label.label_id,
                    name,
                    colour: label.colour,
                }])
            }
            LabelCommand::Change {
                label_id,
                name,
                colour,
            } => {
                let now = self.find(label_id)?;
                let name = match name {
                    Some(name) => self.free_name(&name, Some(label_id))?,
                    None => now.name.clone(),
                };
                let colour = colour.unwrap_or(now.colour);
                if name == now.name && colour == now.colour {
                    return Ok(vec![]);
                }
                let from = now.name.clone();
                Ok(vec![LabelEvent::LabelChanged {
                    label_id,
                    from,
                    name,
                    colour,
                }])
            }
            LabelCommand::Delete { label_id } => {
                let name = self.find(label_id)?.name.clone();
                Ok(vec![LabelEvent::LabelDeleted { label_id, name }])
            }
        }
    }

    /// The name in its normal form, if it is one and no label but `own` has it.
    fn free_name(&self, name: &str, own: Option<LabelId>) -> Result<String, LabelError> {
        let name = normalise::typed(name).into_owned();
        let chars = name.chars().count();
        if chars == 0 || chars > MAX_LABEL_CHARS || name.chars().any(char::is_control) {
            return Err(LabelError::Name);
        }
        let sought = key(&name);
        let taken = self
            .all()
            .find(|label| Some(label.label_id) != own && key(&label.name) == sought);
        match taken {
            Some(other) => Err(LabelError::NameTaken(other.name.clone())),
            None => Ok(name),
        }
    }

    /// Takes one event in.
    pub fn evolve(&mut self, event: &LabelEvent) {
        self.version += 1;
        match event {
            LabelEvent::LabelCreated {
                label_id,
                name,
                colour,
            } => {
                let label = Label {
                    label_id: *label_id,
                    name: name.clone(),
                    colour: *colour,
                };
                self.labels.push(label);
            }
            LabelEvent::LabelChanged {
                label_id,
                name,
                colour,
                ..
            } => {
                for label in &mut self.labels {
                    if label.label_id == *label_id {
                        label.name.clone_from(name);
                        label.colour = *colour;
                    }
                }
            }
            LabelEvent::LabelDeleted { label_id, .. } => {
                self.labels.retain(|label| label.label_id != *label_id);
            }
        }
    }
}

impl LabelEvent {
    /// Every event type.
    pub const TYPES: [&'static str; 3] = ["LabelCreated", "LabelChanged", "LabelDeleted"];

    /// The event's type: its variant's name.
    pub const fn type_name(&self) -> &'static str {
        match self {
            Self::LabelCreated { .. } => "LabelCreated",
            Self::LabelChanged { .. } => "LabelChanged",
            Self::LabelDeleted { .. } => "LabelDeleted",
        }
    }

    /// The version that is written today.
    pub const fn version(&self) -> &'static str {
        "1"
    }

    /// The label that it is about.
    pub const fn label_id(&self) -> LabelId {
        match self {
            Self::LabelCreated { label_id, .. }
            | Self::LabelChanged { label_id, .. }
            | Self::LabelDeleted { label_id, .. } => *label_id,
        }
    }
}

impl DomainEvent for LabelEvent {
    fn event_type(&self) -> String {
        self.type_name().to_owned()
    }

    fn event_version(&self) -> String {
        self.version().to_owned()
    }
}

impl Aggregate for Labels {
    const TYPE: &'static str = "Labels";
    type Command = LabelCommand;
    type Event = LabelEvent;
    type Error = LabelError;
    type Services = ();

    async fn handle(
        &mut self,
        command: LabelCommand,
        (): &(),
        sink: &EventSink<Self>,
    ) -> Result<(), LabelError> {
        for event in self.decide(command)? {
            sink.write(event, self).await;
        }
        Ok(())
    }

    fn apply(&mut self, event: LabelEvent) {
        self.evolve(&event);
    }
}

#[cfg(test)]
mod tests {
    use cqrs_es::test::TestFramework;
    use uuid::Uuid;

    use super::*;

    fn id(number: u128) -> LabelId {
        LabelId(Uuid::from_u128(number))
    }

    fn label(number: u128, name: &str) -> Label {
        Label {
            label_id: id(number),
            name: name.into(),
            colour: LabelColour::Blue,
        }
    }

    fn created(number: u128, name: &str) -> LabelEvent {
        let Label {
            label_id,
            name,
            colour,
        } = label(number, name);
        LabelEvent::LabelCreated {
            label_id,
            name,
            colour,
        }
    }

    fn change(number: u128, name: Option<&str>, colour: Option<LabelColour>) -> LabelCommand {
        LabelCommand::Change {
            label_id: id(number),
            name: name.map(str::to_owned),
            colour,
        }
    }

    fn deleted(number: u128, name: &str) -> LabelEvent {
        LabelEvent::LabelDeleted {
            label_id: id(number),
            name: name.into(),
        }
    }

    fn given(events: Vec<LabelEvent>) -> cqrs_es::test::AggregateTestExecutor<Labels> {
        TestFramework::<Labels>::with(()).given(events)
    }

    #[test]
    fn a_name_is_kept_in_its_normal_form() {
        given(vec![])
            .when(LabelCommand::Create(label(1, "\u{200b} Cafe\u{301}  ")))
            .then_expect_events(vec![created(1, "Café")]);
    }

    #[test]
    fn a_name_has_something_to_see_on_one_line_of_bounded_length() {
        let longest = "é".repeat(MAX_LABEL_CHARS);
        given(vec![])
            .when(LabelCommand::Create(label(1, &longest)))
            .then_expect_events(vec![created(1, &longest)]);
        let too_long = "é".repeat(MAX_LABEL_CHARS + 1);
        for wrong in ["", "  ", "\u{200b}", "two\nlines", too_long.as_str()] {
            given(vec![])
                .when(LabelCommand::Create(label(1, wrong)))
                .then_expect_error(LabelError::Name);
        }
    }

    #[test]
    fn no_two_labels_have_the_same_name_in_whatever_case() {
        for same in ["Urgent", "URGENT", " urgent ", "urgent\u{200b}"] {
            given(vec![created(1, "Urgent")])
                .when(LabelCommand::Create(label(2, same)))
                .then_expect_error(LabelError::NameTaken("Urgent".into()));
            given(vec![created(1, "Urgent"), created(2, "Later")])
                .when(change(2, Some(same), None))
                .then_expect_error(LabelError::NameTaken("Urgent".into()));
        }
    }

    #[test]
    fn a_label_can_be_renamed_to_another_case_of_its_own_name() {
        given(vec![created(1, "Urgent")])
            .when(change(1, Some("URGENT"), None))
            .then_expect_events(vec![LabelEvent::LabelChanged {
                label_id: id(1),
                from: "Urgent".into(),
                name: "URGENT".into(),
                colour: LabelColour::Blue,
            }]);
    }

    #[test]
    fn a_change_that_changes_nothing_is_no_event() {
        for same in [
            change(1, None, None),
            change(1, Some(" Urgent"), Some(LabelColour::Blue)),
        ] {
            given(vec![created(1, "Urgent")])
                .when(same)
                .then_expect_events(vec![]);
        }
    }

    #[test]
    fn the_name_of_a_deleted_label_is_free_again() {
        given(vec![created(1, "Urgent"), deleted(1, "Urgent")])
            .when(LabelCommand::Create(label(2, "urgent")))
            .then_expect_events(vec![created(2, "urgent")]);
    }

    #[test]
    fn a_deleted_label_is_not_there() {
        let events = || vec![created(1, "Urgent"), deleted(1, "Urgent")];
        given(events())
            .when(change(1, Some("Other"), None))
            .then_expect_error(LabelError::NotFound);
        given(events())
            .when(LabelCommand::Delete { label_id: id(1) })
            .then_expect_error(LabelError::NotFound);
    }

    #[test]
    fn labels_are_bounded() {
        let full: Vec<_> = (0..MAX_LABELS as u128)
            .map(|number| created(number, &format!("Label {number}")))
            .collect();
        given(full.clone())
            .when(LabelCommand::Create(label(1_000, "One more")))
            .then_expect_error(LabelError::TooMany);
        given([full, vec![deleted(7, "Label 7")]].concat())
            .when(LabelCommand::Create(label(1_000, "One more")))
            .then_expect_events(vec![created(1_000, "One more")]);
    }
}
