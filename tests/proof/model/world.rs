//! The small model: what Docket has to do, as the rules say it, without a database, a log or a network.
//!
//! It knows cases and messages by their place in its lists, where Docket has references and ids. A step that cannot be taken as it
//! was drawn does nothing, so that every sequence of steps is possible and a failing one can be made shorter.

use std::collections::{BTreeMap, BTreeSet};

use super::act::{Act, Done, Expected};

/// The place of something in a list of the world.
pub(crate) type Ix = usize;

/// How many people write.
pub(crate) const PEOPLE: usize = 2;
/// How many surveys there are.
pub(crate) const SURVEYS: usize = 2;
/// The lines: their survey, whether they are `WhatsApp`, and whether they answer contacts with several open cases.
pub(crate) const LINES: [(usize, bool, bool); 3] =
    [(0, false, true), (0, true, true), (1, false, false)];
/// The most automatic replies that a contact gets in an hour, which no run of steps is longer than.
const MOST_AUTOMATIC: u32 = 5;
/// The answers to the status question; the last closes a case.
pub(crate) const STATUSES: [&str; 3] = ["New", "In progress", "Resolved"];

/// A part of what somebody writes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Piece {
    /// A word.
    Word(&'static str),
    /// A reference to a case, of anybody, written in one of the ways.
    Reference(Ix, usize),
    /// A reference with a space in it.
    Spaced(Ix),
    /// A wish for a new case, written in one of the ways.
    New(usize),
    /// A reference to a case that nobody has.
    Nobody,
    /// What looks like a reference to a case and is none.
    Lookalike(Ix, usize),
}

/// Why a message stands in a case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Why {
    pub(crate) rule: &'static str,
    /// The cases that the rule speaks of. Where the message follows a closed case, it is one of these.
    pub(crate) cases: BTreeSet<Ix>,
    /// Whether the text has a reference that is not one of theirs; unknown where nothing is said about it.
    pub(crate) foreign: Option<bool>,
}

/// A message's place in a case.
#[derive(Clone, Debug)]
pub(crate) struct Standing {
    /// Of an inbound message.
    pub(crate) why: Option<Why>,
    /// The step since which it is news to who looked before.
    pub(crate) since: usize,
}

/// Where a case comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    Message,
    Record,
    Agent,
    /// A move of that message.
    Move(Ix, Ix),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    Open,
    Closed,
    Withdrawn,
}

#[derive(Clone, Debug)]
pub(crate) struct Case {
    pub(crate) contact: Ix,
    pub(crate) origin: Origin,
    pub(crate) stage: Stage,
    pub(crate) status: usize,
    /// The title, where the rules say it to the letter.
    pub(crate) title: Option<String>,
    pub(crate) follows: BTreeSet<Ix>,
    pub(crate) stands: BTreeMap<Ix, Standing>,
    pub(crate) notes: Vec<String>,
    /// Whether anything was said in it, by whoever.
    pub(crate) said: bool,
    /// How many reactions stand in it that are on nothing known.
    pub(crate) reactions: usize,
    /// The step at which it changed last.
    pub(crate) changed: usize,
    pub(crate) line: usize,
}

impl Case {
    pub(crate) fn is_record(&self) -> bool {
        self.origin == Origin::Record
    }

    fn is_open(&self) -> bool {
        self.stage == Stage::Open && !self.is_record()
    }

    fn is_closed(&self) -> bool {
        self.stage != Stage::Open && !self.is_record()
    }
}

/// What is known of an outbound message's delivery, from least to most.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Delivery {
    Uncertain,
    Sent,
    Failed,
    Delivered,
    Read,
}

#[derive(Clone, Debug)]
pub(crate) struct Outbound {
    pub(crate) delivery: Delivery,
    pub(crate) attempt: usize,
    pub(crate) is_automatic: bool,
    /// The line that it goes out from.
    pub(crate) line: usize,
    /// The cases that an automatic reply speaks of.
    pub(crate) about: BTreeSet<Ix>,
    /// The case whose reference is appended.
    pub(crate) appended: Option<Ix>,
    pub(crate) text: String,
    /// The attempts that Vonage has taken.
    pub(crate) taken: BTreeSet<usize>,
}

#[derive(Clone, Debug)]
pub(crate) struct Message {
    pub(crate) contact: Ix,
    /// The webhook that brought it.
    pub(crate) webhook: Option<Ix>,
    pub(crate) out: Option<Outbound>,
    pub(crate) reaction: Option<&'static str>,
    /// How often it was moved, there and back.
    pub(crate) moves: usize,
}

/// What Vonage posts when somebody writes or reacts.
#[derive(Clone, Debug)]
pub(crate) struct Webhook {
    pub(crate) contact: Ix,
    pub(crate) line: usize,
    pub(crate) kind: Kind,
    pub(crate) quotes: Quotes,
}

/// What a webhook quotes, or is a reaction to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Quotes {
    Nothing,
    /// A message that nobody knows.
    Unknown,
    Message(Ix),
}

impl Quotes {
    const fn message(self) -> Option<Ix> {
        match self {
            Self::Nothing | Self::Unknown => None,
            Self::Message(message) => Some(message),
        }
    }

    /// That message, where it can be known.
    pub(crate) fn one(message: Option<Ix>) -> Self {
        message.map_or(Self::Unknown, Self::Message)
    }
}

#[derive(Clone, Debug)]
pub(crate) enum Kind {
    Text(Vec<Piece>),
    Reaction(Option<&'static str>),
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Contact {
    pub(crate) last_line: Option<usize>,
    automatic: u32,
    /// Whether they have asked for no more messages, after which nobody writes to them.
    pub(crate) stopped: bool,
}

#[derive(Clone)]
pub(crate) struct World {
    pub(crate) enabled: [bool; SURVEYS],
    pub(crate) lines: [bool; LINES.len()],
    pub(crate) contacts: Vec<Contact>,
    pub(crate) cases: Vec<Case>,
    pub(crate) messages: Vec<Message>,
    pub(crate) webhooks: Vec<Webhook>,
    /// Webhooks to lines that were not there.
    pub(crate) unrouted: BTreeSet<Ix>,
    /// How many steps were taken.
    pub(crate) now: usize,
    /// What the last step was.
    pub(crate) done: Done,
}

impl std::fmt::Debug for World {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "World after {} steps", self.now)
    }
}

impl Default for World {
    fn default() -> Self {
        Self {
            enabled: [true; SURVEYS],
            lines: [true; LINES.len()],
            contacts: vec![Contact::default(); SURVEYS * PEOPLE],
            cases: vec![],
            messages: vec![],
            webhooks: vec![],
            unrouted: BTreeSet::new(),
            now: 0,
            done: Done::default(),
        }
    }
}

/// Where a message goes.
enum Target {
    New(BTreeSet<Ix>),
    Existing(BTreeSet<Ix>),
}

impl World {
    pub(crate) fn contact(survey: usize, person: usize) -> Ix {
        survey * PEOPLE + person
    }

    pub(crate) const fn survey_of(contact: Ix) -> usize {
        contact / PEOPLE
    }

    pub(crate) const fn person_of(contact: Ix) -> usize {
        contact % PEOPLE
    }

    fn cases_of(&self, contact: Ix, which: impl Fn(&Case) -> bool) -> BTreeSet<Ix> {
        (0..self.cases.len())
            .filter(|ix| self.cases[*ix].contact == contact && which(&self.cases[*ix]))
            .collect()
    }

    /// The cases of this contact in which a message stands.
    fn stands_in(&self, contact: Ix, message: Ix) -> BTreeSet<Ix> {
        self.cases_of(contact, |case| case.stands.contains_key(&message))
    }

    /// Vonage posts a webhook that it has not posted before, or one that is routed at last.
    pub(crate) fn receive(&mut self, webhook: Ix) {
        let Webhook {
            contact,
            line,
            kind,
            quotes,
        } = self.webhooks[webhook].clone();
        if !self.lines[line] {
            self.unrouted.insert(webhook);
            return;
        }
        self.unrouted.remove(&webhook);
        self.contacts[contact].last_line = match kind {
            Kind::Text(_) => Some(line),
            Kind::Reaction(_) => self.contacts[contact].last_line,
        };
        match kind {
            Kind::Text(text) => self.receive_text(webhook, &text, quotes.message()),
            Kind::Reaction(emoji) => self.receive_reaction(contact, line, quotes.message(), emoji),
        }
    }

    fn receive_text(&mut self, webhook: Ix, text: &[Piece], quoted: Option<Ix>) {
        let (contact, line) = (self.webhooks[webhook].contact, self.webhooks[webhook].line);
        let message = self.add_message(contact, Some(webhook), None);
        let (target, why) = self.route(contact, line, text, quoted);
        let now = self.now;
        let standing = Standing {
            why: Some(why.clone()),
            since: now,
        };
        let cases = match target {
            Target::Existing(cases) => cases,
            Target::New(follows) => {
                let origin = if why.rule == "cases_disabled" {
                    Origin::Record
                } else {
                    Origin::Message
                };
                BTreeSet::from([self.open(contact, line, origin, title(text), follows)])
            }
        };
        for ix in &cases {
            let case = &mut self.cases[*ix];
            case.stands.insert(message, standing.clone());
            (case.said, case.changed) = (true, now);
        }
        let asks_for_none = matches!(text, [Piece::Word("STOP" | "Stop."), ..]);
        let is_stop = matches!(text, [Piece::Word("STOP")]);
        let contact_state = &mut self.contacts[contact];
        contact_state.stopped |= is_stop;
        if why.rule == "all_open"
            && LINES[line].2
            && !asks_for_none
            && contact_state.automatic < MOST_AUTOMATIC
        {
            contact_state.automatic += 1;
            self.answer_automatically(contact, line, &cases);
        }
    }

    fn answer_automatically(&mut self, contact: Ix, line: usize, cases: &BTreeSet<Ix>) {
        let out = Outbound {
            delivery: Delivery::Sent,
            attempt: 1,
            is_automatic: true,
            line,
            about: cases.clone(),
            appended: None,
            text: String::new(),
            taken: BTreeSet::from([1]),
        };
        let reply = self.add_message(contact, None, Some(out));
        self.stand(reply, cases);
        self.done.sent.push((reply, 1));
    }

    /// An outbound message stands in these cases.
    pub(crate) fn stand(&mut self, message: Ix, cases: &BTreeSet<Ix>) {
        for ix in cases {
            let case = &mut self.cases[*ix];
            let standing = Standing {
                why: None,
                since: self.now,
            };
            case.stands.insert(message, standing);
            (case.said, case.changed) = (true, self.now);
        }
    }

    pub(crate) fn add_message(
        &mut self,
        contact: Ix,
        webhook: Option<Ix>,
        out: Option<Outbound>,
    ) -> Ix {
        self.messages.push(Message {
            contact,
            webhook,
            out,
            reaction: None,
            moves: 0,
        });
        self.messages.len() - 1
    }

    pub(crate) fn open(
        &mut self,
        contact: Ix,
        line: usize,
        origin: Origin,
        title: Option<String>,
        follows: BTreeSet<Ix>,
    ) -> Ix {
        self.cases.push(Case {
            contact,
            origin,
            stage: Stage::Open,
            status: 0,
            title,
            follows,
            stands: BTreeMap::new(),
            notes: vec![],
            said: false,
            reactions: 0,
            changed: self.now,
            line,
        });
        self.cases.len() - 1
    }

    /// The six rules.
    fn route(&self, contact: Ix, line: usize, text: &[Piece], quoted: Option<Ix>) -> (Target, Why) {
        let new = |rule, follows: BTreeSet<Ix>, foreign| {
            let why = Why {
                rule,
                cases: follows.clone(),
                foreign,
            };
            (Target::New(follows), why)
        };
        if !self.enabled[LINES[line].0] {
            return new("cases_disabled", BTreeSet::new(), None);
        }
        let is_theirs =
            |ix: &Ix| self.cases[*ix].contact == contact && !self.cases[*ix].is_record();
        let named: Vec<Ix> = text
            .iter()
            .filter_map(|piece| match piece {
                Piece::Reference(ix, _) | Piece::Spaced(ix) => Some(*ix).filter(is_theirs),
                _ => None,
            })
            .collect();
        let foreign = text.iter().any(|piece| match piece {
            Piece::Reference(ix, _) => !is_theirs(ix),
            Piece::Nobody => true,
            _ => false,
        });
        let existing = |rule, cases: BTreeSet<Ix>| {
            let why = Why {
                rule,
                cases: cases.clone(),
                foreign: Some(foreign),
            };
            (Target::Existing(cases), why)
        };
        if text.iter().any(|piece| matches!(piece, Piece::New(_))) {
            return new("new_requested", BTreeSet::new(), Some(foreign));
        }
        let open_among = |cases: &[Ix]| -> BTreeSet<Ix> {
            let open = cases.iter().filter(|ix| self.cases[**ix].is_open());
            open.copied().collect()
        };
        let quoted_in: Vec<Ix> = quoted
            .map(|message| self.stands_in(contact, message).into_iter().collect())
            .unwrap_or_default();
        for (rule, cases) in [("reference", &named), ("quote", &quoted_in)] {
            let open = open_among(cases);
            if !open.is_empty() {
                return existing(rule, open);
            }
        }
        let closed: BTreeSet<Ix> = named
            .iter()
            .chain(&quoted_in)
            .copied()
            .filter(|ix| self.cases[*ix].is_closed())
            .collect();
        if !closed.is_empty() {
            return new("follows", closed, Some(foreign));
        }
        let open = self.cases_of(contact, Case::is_open);
        match open.len() {
            0 => new("first", BTreeSet::new(), Some(foreign)),
            1 => existing("only_open", open),
            _ => existing("all_open", open),
        }
    }

    /// A reaction says nothing: it shows beside its message, or else in the open cases, the newest, or a new one.
    fn receive_reaction(
        &mut self,
        contact: Ix,
        line: usize,
        to: Option<Ix>,
        emoji: Option<&'static str>,
    ) {
        let now = self.now;
        let stands_in = to.map(|message| self.stands_in(contact, message));
        if let (Some(message), Some(cases)) = (to, &stands_in)
            && !cases.is_empty()
        {
            self.messages[message].reaction = emoji;
            for ix in cases {
                self.cases[*ix].changed = now;
            }
            return;
        }
        let open = self.cases_of(contact, Case::is_open);
        let newest = self.cases_of(contact, |case| !case.is_record()).pop_last();
        let newest = newest.or_else(|| self.cases_of(contact, Case::is_record).pop_last());
        let cases = if !open.is_empty() {
            open
        } else if let Some(newest) = newest {
            BTreeSet::from([newest])
        } else {
            let origin = if self.enabled[LINES[line].0] {
                Origin::Message
            } else {
                Origin::Record
            };
            BTreeSet::from([self.open(contact, line, origin, None, BTreeSet::new())])
        };
        for ix in cases {
            self.cases[ix].reactions += 1;
            self.cases[ix].changed = now;
        }
    }

    /// Whether something was said in a case since a step that its author had not written.
    pub(crate) fn has_news(&self, case: Ix, since: usize) -> bool {
        self.cases[case].stands.iter().any(|(message, standing)| {
            self.messages[*message].out.is_none() && standing.since > since
        })
    }

    pub(crate) fn refuse(&mut self, act: Act) {
        self.done.act = act;
        self.done.expected = Expected::Refused;
    }
}

/// The title that a text makes, where it has references only in their plain form.
fn title(text: &[Piece]) -> Option<String> {
    let words: Option<Vec<&str>> = text
        .iter()
        .map(|piece| match piece {
            Piece::Word(word) => Some(*word),
            Piece::Reference(_, 0) | Piece::New(0) | Piece::Nobody => Some(""),
            _ => None,
        })
        .collect();
    let title = words?
        .into_iter()
        .filter(|word| !word.is_empty())
        .collect::<Vec<_>>()
        .join(" ");
    (title.len() <= 40).then_some(title)
}
