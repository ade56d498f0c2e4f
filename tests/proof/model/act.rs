//! What a step comes to: what is done to the service, and what it must answer.

use std::collections::BTreeSet;

use super::world::Ix;

/// What is done to the service.
#[derive(Clone, Debug, Default)]
pub(crate) enum Act {
    /// Nothing: the step was not possible.
    #[default]
    Nothing,
    /// Webhooks are posted, each to a process, one after the other or all at once.
    Post {
        posts: Vec<(Ix, usize)>,
        at_once: bool,
    },
    /// An agent replies; `seen` is the step at which they looked.
    Reply {
        case: Ix,
        text: String,
        seen: Option<usize>,
        twice: bool,
    },
    /// An agent writes first.
    Begin {
        line: usize,
        contact: Ix,
        text: String,
    },
    /// An agent sends a message again.
    Resend { case: Ix, message: Ix },
    /// An agent answers the status question.
    SetStatus {
        case: Ix,
        status: usize,
        seen: Option<usize>,
    },
    /// An agent writes a note.
    Note { case: Ix, text: String },
    /// An agent moves a message.
    Move {
        case: Ix,
        message: Ix,
        to: Option<Ix>,
        comment: Option<String>,
    },
    /// An agent takes a move back.
    Undo { case: Ix, message: Ix },
    /// Vonage tells what became of an attempt.
    News {
        message: Ix,
        attempt: usize,
        word: &'static str,
        times: usize,
    },
    /// The owner adds or removes a line.
    ToggleLine(usize),
    /// The owner changes whether a survey has cases.
    ToggleCases(usize),
    /// The owner routes what had no line.
    Route(Ix),
}

/// How it must be answered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Expected {
    /// With a success.
    #[default]
    Done,
    /// With a conflict, after which everything is as before.
    Refused,
}

/// What the last step was.
#[derive(Clone, Debug, Default)]
pub(crate) struct Done {
    pub(crate) act: Act,
    pub(crate) expected: Expected,
    /// The attempts that go to Vonage because of it: the message and its attempt.
    pub(crate) sent: Vec<(Ix, usize)>,
    /// What Vonage does with them.
    pub(crate) fate: Fate,
    /// The contacts whose cases may have changed.
    pub(crate) contacts: BTreeSet<Ix>,
}

/// What Vonage does with a call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It takes it.
    #[default]
    Taken,
    /// It takes it, and the connection breaks before it has said so.
    TakenSilently,
    /// It refuses it for good.
    Refused,
}
