//! What agents do, and what Vonage tells of what they sent.

use std::collections::BTreeSet;

use super::act::{Act, Fate};
use super::steps::around;
use super::world::{
    Case, Delivery, Ix, LINES, Message, Origin, Outbound, STATUSES, Stage, Standing, Why, World,
};

/// Vonage's words, and what they tell.
pub(super) const NEWS: [(&str, Delivery); 5] = [
    ("submitted", Delivery::Sent),
    ("delivered", Delivery::Delivered),
    ("read", Delivery::Read),
    ("rejected", Delivery::Failed),
    ("undeliverable", Delivery::Failed),
];

impl World {
    /// The line that a contact is answered on, if it is there.
    fn line_to(&self, case: Ix) -> Option<usize> {
        let case = &self.cases[case];
        let line = self.contacts[case.contact].last_line.unwrap_or(case.line);
        self.lines[line].then_some(line)
    }

    fn outbound(&mut self, contact: Ix, line: usize, case: Option<Ix>, fate: Fate) -> (Ix, String) {
        let text = format!("Answer {}", self.messages.len());
        let out = Outbound {
            delivery: delivery(fate),
            attempt: 1,
            is_automatic: false,
            line,
            about: BTreeSet::new(),
            appended: case,
            text: text.clone(),
            taken: (fate != Fate::Refused).then_some(1).into_iter().collect(),
        };
        let message = self.add_message(contact, None, Some(out));
        self.done.sent.push((message, 1));
        self.done.fate = fate;
        (message, text)
    }

    /// Whether references are appended to what is sent in this survey.
    fn appends(&self, survey: usize) -> bool {
        survey == 0 && self.enabled[survey]
    }

    pub(super) fn reply(&mut self, case: Ix, ago: Option<usize>, fate: Fate, twice: bool) {
        let Case { contact, stage, .. } = self.cases[case];
        if self.contacts[contact].stopped {
            return;
        }
        self.concerns(contact);
        // Nobody has looked at a case before it was there; what they saw then is seen at every later time as well.
        let seen = ago.map(|ago| self.now - 1 - ago.min(self.now - 1));
        let line = self.line_to(case);
        let is_refused =
            stage == Stage::Withdrawn || seen.is_some_and(|seen| self.has_news(case, seen));
        let act = |text| Act::Reply {
            case,
            text,
            seen,
            twice,
        };
        let Some(line) = line.filter(|_| !is_refused) else {
            return self.refuse(act("Refused".to_owned()));
        };
        let appended = (self.appends(Self::survey_of(contact)) && !self.cases[case].is_record())
            .then_some(case);
        let (message, text) = self.outbound(contact, line, appended, fate);
        self.stand(message, &BTreeSet::from([case]));
        self.done.act = act(text);
    }

    pub(super) fn begin(&mut self, person: usize, line: usize) {
        let contact = Self::contact(LINES[line].0, person);
        let survey = LINES[line].0;
        if !self.lines[line] || !self.enabled[survey] || self.contacts[contact].stopped {
            return;
        }
        self.concerns(contact);
        let case = self.open(contact, line, Origin::Agent, None, BTreeSet::new());
        let appended = self.appends(survey).then_some(case);
        let (message, text) = self.outbound(contact, line, appended, Fate::Taken);
        self.stand(message, &BTreeSet::from([case]));
        self.done.act = Act::Begin {
            line,
            contact,
            text,
        };
    }

    pub(super) fn resend(&mut self, n: usize) {
        let Some(message) = self.some_outbound(n) else {
            return;
        };
        let contact = self.messages[message].contact;
        let cases: Vec<Ix> = (0..self.cases.len())
            .filter(|ix| self.cases[*ix].stands.contains_key(&message))
            .collect();
        let Some(case) = cases.first().copied() else {
            return;
        };
        let line = self.messages[message].out.as_ref().map(|out| out.line);
        if self.contacts[contact].stopped || !line.is_some_and(|line| self.lines[line]) {
            return;
        }
        self.concerns(contact);
        let now = self.now;
        let out = self.messages[message].out.as_mut().expect("it is outbound");
        let act = Act::Resend { case, message };
        if ![Delivery::Uncertain, Delivery::Failed].contains(&out.delivery) {
            return self.refuse(act);
        }
        out.attempt += 1;
        out.delivery = Delivery::Sent;
        out.taken.insert(out.attempt);
        self.done.sent.push((message, out.attempt));
        self.done.act = act;
        for ix in cases {
            self.cases[ix].changed = now;
        }
    }

    pub(super) fn set_status(&mut self, case: Ix, status: usize, ago: Option<usize>) {
        if self.cases[case].is_record() {
            return;
        }
        self.concerns(self.cases[case].contact);
        let closes = status == STATUSES.len() - 1;
        let seen = ago.map(|ago| self.now - 1 - ago.min(self.now - 1));
        let act = Act::SetStatus { case, status, seen };
        let has_news = seen.is_some_and(|seen| self.has_news(case, seen));
        if self.cases[case].stage == Stage::Withdrawn || (closes && has_news) {
            return self.refuse(act);
        }
        let now = self.now;
        let case = &mut self.cases[case];
        let stage = if closes { Stage::Closed } else { Stage::Open };
        if (case.status, case.stage) != (status, stage) {
            (case.status, case.stage, case.changed) = (status, stage, now);
        }
        self.done.act = act;
    }

    pub(super) fn note(&mut self, case: Ix) {
        self.concerns(self.cases[case].contact);
        let text = format!("Note {}", self.now);
        let act = Act::Note {
            case,
            text: text.clone(),
        };
        if self.cases[case].stage == Stage::Withdrawn {
            return self.refuse(act);
        }
        let now = self.now;
        self.cases[case].notes.push(text);
        self.cases[case].changed = now;
        self.done.act = act;
    }

    pub(super) fn move_message(&mut self, from: Ix, message: Ix, to: Option<Ix>, comments: bool) {
        let contact = self.cases[from].contact;
        self.concerns(contact);
        let comment = comments.then(|| format!("Comment {}", self.now));
        let act = Act::Move {
            case: from,
            message,
            to,
            comment: comment.clone(),
        };
        let is_target = |to: &Ix| {
            let case = &self.cases[*to];
            *to != from && case.contact == contact && case.stage == Stage::Open && !case.is_record()
        };
        if self.messages[message].out.is_some() || to.is_some_and(|to| !is_target(&to)) {
            return self.refuse(act);
        }
        self.done.act = act;
        let line = self.messages[message]
            .webhook
            .map_or(0, |webhook| self.webhooks[webhook].line);
        let to = to.unwrap_or_else(|| {
            let case = self.open(
                contact,
                line,
                Origin::Move(message, from),
                None,
                BTreeSet::new(),
            );
            self.cases[case].notes.extend(comment);
            case
        });
        self.cases[from].stands.remove(&message);
        let standing = Standing {
            why: Some(Why {
                rule: "moved",
                cases: BTreeSet::from([from]),
                foreign: None,
            }),
            since: self.now,
        };
        self.cases[to].stands.entry(message).or_insert(standing);
        self.messages[message].moves += 1;
        for ix in [from, to] {
            self.cases[ix].changed = self.now;
        }
    }

    pub(super) fn undo(&mut self, case: Ix) {
        let Origin::Move(message, from) = self.cases[case].origin else {
            return;
        };
        // Whether a move can be undone after the message was moved on and came back, the rules do not say.
        if self.messages[message].moves > 1 && self.cases[case].stands.contains_key(&message) {
            return;
        }
        self.concerns(self.cases[case].contact);
        let act = Act::Undo { case, message };
        let is_possible = self.cases[case].stage != Stage::Withdrawn
            && self.cases[from].stage != Stage::Withdrawn
            && !self.cases[case].said
            && self.cases[case].stands.keys().eq([&message]);
        if !is_possible {
            return self.refuse(act);
        }
        self.done.act = act;
        let now = self.now;
        let made = &mut self.cases[case];
        made.stands.clear();
        (made.stage, made.status, made.changed) = (Stage::Withdrawn, STATUSES.len() - 1, now);
        let why = self.messages[message].webhook.map(|_| Why {
            rule: "any",
            cases: BTreeSet::new(),
            foreign: None,
        });
        let source = &mut self.cases[from];
        source.changed = now;
        source.stands.insert(message, Standing { why, since: now });
        self.messages[message].moves += 1;
    }

    fn some_outbound(&self, n: usize) -> Option<Ix> {
        let outbound: Vec<Ix> = (0..self.messages.len())
            .filter(|ix| self.messages[*ix].out.is_some())
            .collect();
        around(n, outbound.len()).map(|at| outbound[at])
    }

    pub(super) fn news(&mut self, n: usize, attempt: usize, word: usize, times: usize) {
        let Some(message) = self.some_outbound(n) else {
            return;
        };
        let now = self.now;
        let Message { contact, out, .. } = &mut self.messages[message];
        let contact = *contact;
        let out = out.as_mut().expect("it is outbound");
        // Vonage speaks of attempts that it has taken.
        let Some(at) = around(attempt, out.taken.len()) else {
            return;
        };
        let attempt = *out.taken.iter().nth(at).expect("it is counted around");
        let (word, told) = NEWS[word];
        let counts = attempt == out.attempt || told >= Delivery::Delivered;
        let is_news = told > out.delivery && counts;
        if is_news {
            out.delivery = told;
        }
        self.done.act = Act::News {
            message,
            attempt,
            word,
            times,
        };
        self.concerns(contact);
        if is_news {
            for case in &mut self.cases {
                if case.stands.contains_key(&message) {
                    case.changed = now;
                }
            }
        }
    }
}

const fn delivery(fate: Fate) -> Delivery {
    match fate {
        Fate::Taken => Delivery::Sent,
        Fate::TakenSilently => Delivery::Uncertain,
        Fate::Refused => Delivery::Failed,
    }
}
