//! The steps that are drawn, and what each means to the world.

use proptest::prelude::*;
use proptest_state_machine::ReferenceStateMachine;

use super::act::{Act, Done, Expected, Fate};
use super::agents::NEWS;
use super::text::{FORMS, LOOKALIKES, NEW_FORMS};
use super::world::{
    Delivery, Ix, Kind, LINES, Origin, PEOPLE, Piece, Quotes, STATUSES, SURVEYS, Webhook, World,
};

const WORDS: [&str; 6] = ["hours", "boiler", "été", "今日は", "parcel", "😀"];
const EMOJI: [&str; 2] = ["👍", "😀"];

/// A part of a text as it is drawn: what is named is any case, counted around.
#[derive(Clone, Debug)]
pub(crate) enum Part {
    Word(usize),
    Reference(usize, usize),
    Spaced(usize),
    New(usize),
    Nobody,
    Lookalike(usize, usize),
}

/// A step as it is drawn. Numbers of cases, messages and so on are counted around.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    Say {
        person: usize,
        line: usize,
        text: Vec<Part>,
        quotes: Option<usize>,
        /// Which processes get it: the first, the second, one twice, both at once.
        to: usize,
    },
    /// Two people, or one, say the same at once, each to another process.
    SayTogether {
        people: [usize; 2],
        line: usize,
        word: usize,
    },
    /// Somebody says several things, one after the other; the first at times begins a case.
    Chat {
        person: usize,
        line: usize,
        times: usize,
    },
    /// Somebody asks for no more messages, or seems to.
    Stop {
        person: usize,
        line: usize,
        whole: bool,
    },
    React {
        person: usize,
        to: Option<usize>,
        emoji: Option<usize>,
    },
    /// Vonage posts a webhook once more.
    PostAgain {
        webhook: usize,
        to: usize,
    },
    Reply {
        case: usize,
        /// How many steps ago the agent looked.
        ago: Option<usize>,
        fate: Fate,
        twice: bool,
    },
    Begin {
        person: usize,
        line: usize,
    },
    Resend {
        message: usize,
    },
    SetStatus {
        case: usize,
        status: usize,
        ago: Option<usize>,
    },
    Note {
        case: usize,
    },
    Move {
        case: usize,
        message: usize,
        to: Option<usize>,
        comment: bool,
    },
    Undo {
        case: usize,
    },
    News {
        message: usize,
        attempt: usize,
        word: usize,
        times: usize,
    },
    ToggleLine(usize),
    ToggleCases(usize),
    Route(usize),
}

fn some() -> std::ops::Range<usize> {
    0..1_000
}

fn part() -> impl Strategy<Value = Part> {
    prop_oneof![
        4 => (0..WORDS.len()).prop_map(Part::Word),
        5 => (some(), 0..FORMS).prop_map(|(case, form)| Part::Reference(case, form)),
        1 => some().prop_map(Part::Spaced),
        1 => (0..NEW_FORMS).prop_map(Part::New),
        1 => Just(Part::Nobody),
        3 => (some(), 0..LOOKALIKES).prop_map(|(case, form)| Part::Lookalike(case, form)),
    ]
}

fn say() -> impl Strategy<Value = Step> {
    let text = prop_oneof![
        3 => Just(vec![]),
        3 => proptest::collection::vec(part(), 1..4),
        1 => (0..NEW_FORMS).prop_map(|form| vec![Part::New(form)]),
    ];
    (
        0..PEOPLE,
        0..LINES.len(),
        text,
        proptest::option::weighted(0.3, some()),
        0..4usize,
    )
        .prop_map(|(person, line, text, quotes, to)| Step::Say {
            person,
            line,
            text,
            quotes,
            to,
        })
}

fn fate() -> impl Strategy<Value = Fate> {
    prop_oneof![
        6 => Just(Fate::Taken),
        1 => Just(Fate::TakenSilently),
        1 => Just(Fate::Refused),
    ]
}

fn agents() -> impl Strategy<Value = Step> {
    let ago = || proptest::option::weighted(0.5, 0..8usize);
    prop_oneof![
        4 => (some(), ago(), fate(), proptest::bool::ANY)
            .prop_map(|(case, ago, fate, twice)| Step::Reply { case, ago, fate, twice }),
        1 => (0..PEOPLE, 0..LINES.len()).prop_map(|(person, line)| Step::Begin { person, line }),
        1 => some().prop_map(|message| Step::Resend { message }),
        4 => (some(), 0..STATUSES.len(), ago())
            .prop_map(|(case, status, ago)| Step::SetStatus { case, status, ago }),
        1 => some().prop_map(|case| Step::Note { case }),
        5 => (some(), some(), proptest::option::weighted(0.4, some()), proptest::bool::ANY)
            .prop_map(|(case, message, to, comment)| Step::Move { case, message, to, comment }),
        4 => some().prop_map(|case| Step::Undo { case }),
    ]
}

fn vonage() -> impl Strategy<Value = Step> {
    prop_oneof![
        2 => ([0..PEOPLE, 0..PEOPLE], 0..LINES.len(), 0..WORDS.len())
            .prop_map(|(people, line, word)| Step::SayTogether { people, line, word }),
        3 => (0..PEOPLE, proptest::option::weighted(0.8, some()), proptest::option::weighted(0.7, 0..EMOJI.len()))
            .prop_map(|(person, to, emoji)| Step::React { person, to, emoji }),
        3 => (0..PEOPLE, 0..2usize, 2..8usize)
            .prop_map(|(person, line, times)| Step::Chat { person, line, times }),
        2 => (some(), 0..4usize).prop_map(|(webhook, to)| Step::PostAgain { webhook, to }),
        4 => (some(), some(), 0..NEWS.len(), 1..3usize)
            .prop_map(|(message, attempt, word, times)| Step::News { message, attempt, word, times }),
    ]
}

fn owner() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => (0..LINES.len()).prop_map(Step::ToggleLine),
        1 => (0..SURVEYS).prop_map(Step::ToggleCases),
        2 => some().prop_map(Step::Route),
        1 => (0..PEOPLE, 0..LINES.len(), proptest::bool::ANY)
            .prop_map(|(person, line, whole)| Step::Stop { person, line, whole }),
    ]
}

/// The rules as a machine that steps drive.
pub(crate) struct Rules;

impl ReferenceStateMachine for Rules {
    type State = World;
    type Transition = Step;

    fn init_state() -> BoxedStrategy<World> {
        Just(World::default()).boxed()
    }

    fn transitions(_: &World) -> BoxedStrategy<Step> {
        prop_oneof![8 => say(), 8 => agents(), 5 => vonage(), 1 => owner()].boxed()
    }

    fn apply(mut world: World, step: &Step) -> World {
        world.now += 1;
        world.done = Done::default();
        world.take(step);
        world
    }
}

impl World {
    fn take(&mut self, step: &Step) {
        match step.clone() {
            Step::Say {
                person,
                line,
                text,
                quotes,
                to,
            } => self.say(person, line, &text, quotes, to),
            Step::SayTogether { people, line, word } => {
                let text = vec![Piece::Word(WORDS[word])];
                let webhooks = people.map(|person| {
                    let text = self.text_of(Self::contact(LINES[line].0, person), text.clone());
                    self.webhook(person, line, Kind::Text(text), Quotes::Nothing)
                });
                for webhook in webhooks {
                    self.receive(webhook);
                }
                self.post(vec![(webhooks[0], 0), (webhooks[1], 1)], true);
            }
            Step::Chat {
                person,
                line,
                times,
            } => {
                let webhooks: Vec<Ix> = (0..times)
                    .map(|n| {
                        let mut text = vec![Piece::Word(WORDS[n % WORDS.len()])];
                        if n == 0 && times % 2 == 0 {
                            text.push(Piece::New(0));
                        }
                        let text = self.text_of(Self::contact(LINES[line].0, person), text);
                        let kind = Kind::Text(text);
                        let webhook = self.webhook(person, line, kind, Quotes::Nothing);
                        self.receive(webhook);
                        webhook
                    })
                    .collect();
                let posts = webhooks.into_iter().map(|webhook| (webhook, webhook % 2));
                self.post(posts.collect(), false);
            }
            Step::Stop {
                person,
                line,
                whole,
            } => {
                let text = if whole {
                    vec![Piece::Word("STOP")]
                } else {
                    vec![Piece::Word("Stop."), Piece::Word("Thank you")]
                };
                let webhook = self.webhook(person, line, Kind::Text(text), Quotes::Nothing);
                self.receive(webhook);
                self.post(vec![(webhook, 0)], false);
            }
            Step::React { person, to, emoji } => {
                let to = to.and_then(|n| self.quotable(n));
                let emoji = emoji.map(|n| EMOJI[n]);
                let webhook = self.webhook(person, 1, Kind::Reaction(emoji), Quotes::one(to));
                self.receive(webhook);
                self.post(vec![(webhook, self.now % 2)], false);
            }
            Step::PostAgain { webhook, to } => {
                if let Some(webhook) = around(webhook, self.webhooks.len()) {
                    // What had no line is another message once it has one, as far as the rules say.
                    let has_line = self.lines[self.webhooks[webhook].line];
                    if !(self.unrouted.contains(&webhook) && has_line) {
                        self.post(ways(webhook, to), to == 3);
                    }
                }
            }
            Step::ToggleLine(line) => {
                self.lines[line] = !self.lines[line];
                self.done.act = Act::ToggleLine(line);
            }
            Step::ToggleCases(survey) => {
                self.enabled[survey] = !self.enabled[survey];
                self.done.act = Act::ToggleCases(survey);
            }
            Step::Route(n) => {
                if let Some(at) = around(n, self.unrouted.len()) {
                    let webhook = *self.unrouted.iter().nth(at).expect("it is counted around");
                    self.concerns(self.webhooks[webhook].contact);
                    self.done.act = Act::Route(webhook);
                    self.receive(webhook);
                    if self.unrouted.contains(&webhook) {
                        self.done.expected = Expected::Refused;
                    }
                }
            }
            step => self.take_of_agent(step),
        }
    }

    fn take_of_agent(&mut self, step: Step) {
        let case_of = |n| around(n, self.cases.len());
        match step {
            Step::Reply {
                case,
                ago,
                fate,
                twice,
            } => {
                if let Some(case) = case_of(case) {
                    self.reply(case, ago, fate, twice);
                }
            }
            Step::Begin { person, line } => self.begin(person, line),
            Step::Resend { message } => self.resend(message),
            Step::SetStatus { case, status, ago } => {
                if let Some(case) = case_of(case) {
                    self.set_status(case, status, ago);
                }
            }
            Step::Note { case } => {
                if let Some(case) = case_of(case) {
                    self.note(case);
                }
            }
            Step::Move {
                case,
                message,
                to,
                comment,
            } => {
                let to = to.and_then(case_of);
                let chosen = case_of(case).and_then(|case| {
                    let stands = &self.cases[case].stands;
                    let at = around(message, stands.len())?;
                    Some((case, *stands.keys().nth(at)?))
                });
                if let Some((case, message)) = chosen {
                    self.move_message(case, message, to, comment);
                }
            }
            Step::Undo { case } => {
                let made: Vec<Ix> = (0..self.cases.len())
                    .filter(|ix| matches!(self.cases[*ix].origin, Origin::Move(..)))
                    .collect();
                if let Some(case) = around(case, made.len()).map(|at| made[at]) {
                    self.undo(case);
                }
            }
            Step::News {
                message,
                attempt,
                word,
                times,
            } => self.news(message, attempt, word, times),
            step => unreachable!("{step:?} is not an agent's"),
        }
    }

    pub(super) fn concerns(&mut self, contact: Ix) {
        self.done.contacts.insert(contact);
    }

    fn post(&mut self, posts: Vec<(Ix, usize)>, at_once: bool) {
        for (webhook, _) in &posts {
            self.concerns(self.webhooks[*webhook].contact);
        }
        self.done.act = Act::Post { posts, at_once };
    }

    fn webhook(&mut self, person: usize, line: usize, kind: Kind, quotes: Quotes) -> Ix {
        let contact = Self::contact(LINES[line].0, person);
        self.webhooks.push(Webhook {
            contact,
            line,
            kind,
            quotes,
        });
        self.webhooks.len() - 1
    }

    /// A message that a phone can quote and Docket can know by what is quoted: what it was told of when it was sent.
    fn quotable(&self, n: usize) -> Option<Ix> {
        let message = around(n, self.messages.len())?;
        let is_known = self.messages[message].out.as_ref().is_none_or(|out| {
            out.delivery != Delivery::Uncertain && out.taken.contains(&out.attempt)
        });
        is_known.then_some(message)
    }

    /// Whoever has asked for no more messages says nothing any more that would be answered.
    fn text_of(&self, contact: Ix, text: Vec<Piece>) -> Vec<Piece> {
        if self.contacts[contact].stopped {
            vec![Piece::Word("Stop."), Piece::Word("Thank you")]
        } else {
            text
        }
    }

    fn say(&mut self, person: usize, line: usize, text: &[Part], quotes: Option<usize>, to: usize) {
        let mut pieces = vec![Piece::Word(WORDS[self.now % WORDS.len()])];
        for part in text {
            let case = |n: usize| around(n, self.cases.len());
            let piece = match *part {
                Part::Word(word) => Some(Piece::Word(WORDS[word])),
                Part::Reference(n, form) => case(n).map(|ix| Piece::Reference(ix, form)),
                Part::Spaced(n) => case(n).map(Piece::Spaced),
                Part::New(form) => Some(Piece::New(form)),
                Part::Nobody => Some(Piece::Nobody),
                Part::Lookalike(n, form) => case(n).map(|ix| Piece::Lookalike(ix, form)),
            };
            pieces.extend(piece);
        }
        let pieces = self.text_of(Self::contact(LINES[line].0, person), pieces);
        let quotes = match quotes {
            Some(n) if LINES[line].1 => Quotes::one(self.quotable(n)),
            _ => Quotes::Nothing,
        };
        let webhook = self.webhook(person, line, Kind::Text(pieces), quotes);
        self.receive(webhook);
        self.post(ways(webhook, to), to == 3);
    }
}

/// The `n`th of so many, counted around.
pub(super) const fn around(n: usize, many: usize) -> Option<usize> {
    if many == 0 { None } else { Some(n % many) }
}

/// The processes that a webhook is posted to.
fn ways(webhook: Ix, to: usize) -> Vec<(Ix, usize)> {
    match to {
        0 | 1 => vec![(webhook, to)],
        2 => vec![(webhook, 0), (webhook, 0)],
        _ => vec![(webhook, 0), (webhook, 1)],
    }
}
