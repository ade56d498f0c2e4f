//! What the pages' templates are filled with.

use std::borrow::Cow;

use askama::Template;
use chrono::{DateTime, Datelike as _, Utc};
use docket_domain::ids::MessageId;

use super::answers::Answers;
use super::bar::Bar;
use super::contact_words;
use super::counter::Counter;
use super::files::FileView;
use super::labels::{LabelsForm, Marks, SnoozeForm};
pub(super) use super::list::{CaseEntry, List, ViewLink};
use super::outgoing::Offer;
use super::session::Session;
use super::window::Window;
use super::words;
use crate::app::App;
use crate::people;
use crate::site::HttpsAddress;

/// A time, as people read it and exactly, in the reader's time zone, which it names. Where neither they nor the installation chose
/// one it is UTC, and the script makes it the browser's own.
pub(super) struct When {
    pub(super) iso: String,
    pub(super) short: String,
    /// The time of day, where a date stands above.
    pub(super) time: String,
    pub(super) long: String,
    pub(super) exact: String,
}

impl When {
    pub(super) fn of(at: DateTime<Utc>, now: DateTime<Utc>) -> Self {
        let (at, now) = (people::local(at), people::local(now));
        let short = if at.date_naive() == now.date_naive() {
            "%H:%M"
        } else if at.year() == now.year() {
            "%-d %b"
        } else {
            "%-d %b %Y"
        };
        Self {
            iso: at.with_timezone(&Utc).to_rfc3339(),
            short: at.format(short).to_string(),
            time: at.format("%H:%M %Z").to_string(),
            long: at.format("%-d %b, %H:%M %Z").to_string(),
            exact: at.format("%-d %B %Y, %H:%M:%S %Z").to_string(),
        }
    }
}

/// What stands around every page of somebody who is signed in.
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a question that the template asks on its own"
)]
pub(super) struct Frame {
    pub(super) email: String,
    /// What colleagues call them; their address where they have no name.
    pub(super) shown: String,
    /// The person's id, by which the script keeps one person's drafts from another.
    pub(super) person: String,
    pub(super) role: &'static str,
    pub(super) csrf: String,
    pub(super) may_act: bool,
    /// Whether they may read the settings, the log, and what people do.
    pub(super) oversees: bool,
    /// Whether they may change the settings.
    pub(super) may_set_up: bool,
    /// What the bar shows.
    pub(super) bar: Bar,
    /// Of the newest event that the page can show; what comes after is told live.
    pub(super) position: i64,
    /// Whether somebody else set the person's password, so that they should choose their own.
    pub(super) password_given: bool,
    /// Whether the person wants to be notified on their desktop.
    pub(super) notifies: bool,
    /// What was just done.
    pub(super) notice: Cow<'static, str>,
    /// Where the phone of a demonstration is.
    pub(super) phone: Option<String>,
}

impl Frame {
    /// To be made before the page's queries, so that nothing falls between them and what is told live.
    pub(super) fn of(app: &App, session: &Session) -> Self {
        Self {
            email: session.email.clone(),
            shown: session.shown().to_owned(),
            person: session.user_id.to_string(),
            role: words::role(session.role),
            csrf: session.csrf.clone(),
            may_act: session.may_act(),
            oversees: session.oversees(),
            may_set_up: session.may_set_up(),
            bar: session.bar,
            position: *app.ledger.head().borrow(),
            password_given: session.password_given,
            notifies: {
                let notify = session.preferences.notify;
                notify.assignment || notify.mention || notify.message
            },
            notice: Cow::Borrowed(""),
            phone: app.vonage.phone.get().cloned(),
        }
    }
}

#[derive(Template)]
#[template(path = "console/failure.html")]
pub(super) struct Failure {
    pub(super) title: &'static str,
    pub(super) sentence: String,
}

/// The same with the bar.
#[derive(Template)]
#[template(path = "console/failure_inside.html")]
pub(super) struct FailureInside {
    pub(super) frame: Frame,
    pub(super) title: &'static str,
    pub(super) sentence: String,
}

/// What was typed in a form that is no more.
#[derive(Template)]
#[template(path = "console/unsent.html")]
pub(super) struct Unsent {
    pub(super) sentence: &'static str,
    pub(super) fields: Vec<(&'static str, String)>,
}

/// The part of a page that shows what was typed.
#[derive(Template)]
#[template(path = "console/typed.html")]
pub(super) struct Typed {
    pub(super) fields: Vec<(&'static str, String)>,
}

#[derive(Template)]
#[template(path = "console/sign_in.html")]
pub(super) struct SignIn {
    pub(super) csrf: String,
    pub(super) next: String,
    pub(super) email: String,
    pub(super) refusal: String,
    /// The https address where to sign in, where the page came over http.
    pub(super) elsewhere: Option<Elsewhere>,
    /// A form that waits to be sent, as [`super::unsent`] carries it; empty for none.
    pub(super) unsent: String,
}

/// Where a page should be opened instead.
pub(super) struct Elsewhere {
    pub(super) sentence: &'static str,
    pub(super) url: String,
}

impl Elsewhere {
    pub(super) fn of(address: &HttpsAddress) -> Self {
        Self {
            sentence: if address.is_certain {
                words::SIGN_IN_BY_HTTP
            } else {
                words::SIGN_IN_PERHAPS_BY_HTTP
            },
            url: address.url.to_string(),
        }
    }
}

pub(super) struct SessionView {
    pub(super) action: String,
    pub(super) label: String,
    pub(super) began: When,
    pub(super) seen: When,
    pub(super) is_this: bool,
}

#[derive(Template)]
#[template(path = "console/sessions.html")]
pub(super) struct Sessions {
    pub(super) frame: Frame,
    pub(super) rows: Vec<SessionView>,
}

/// A link or a choice of a form, of which one can be the present one.
pub(super) struct Choice {
    pub(super) name: String,
    /// Where it leads, or what is sent.
    pub(super) value: String,
    pub(super) is_current: bool,
}

/// A part of a sentence, which can be a link to a case.
pub(super) struct Piece {
    pub(super) text: String,
    pub(super) href: Option<String>,
}

/// A part of what somebody wrote, which can be a link that leads elsewhere.
#[derive(Debug)]
pub(super) struct Span {
    pub(super) text: String,
    pub(super) href: Option<String>,
}

/// Something that a message carries beside text.
pub(super) struct Card {
    pub(super) icon: &'static str,
    pub(super) title: String,
    pub(super) detail: String,
    pub(super) href: Option<String>,
    /// What is to be known before opening it.
    pub(super) hint: &'static str,
}

pub(super) struct State {
    pub(super) word: &'static str,
    pub(super) icon: &'static str,
    /// `calm`, `waiting` or `bad`.
    pub(super) tone: &'static str,
    pub(super) reason: Option<String>,
}

/// A message, ours or the contact's.
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a question that the template asks on its own"
)]
pub(super) struct Message {
    pub(super) is_ours: bool,
    pub(super) is_automatic: bool,
    pub(super) channel: &'static str,
    /// Whether the channel is not the one that the case began on.
    pub(super) is_other_channel: bool,
    pub(super) quote: Option<String>,
    pub(super) cards: Vec<Card>,
    pub(super) files: Vec<FileView>,
    pub(super) text: Option<Vec<Span>>,
    /// What is to be said of its time, where anything is.
    pub(super) time_note: &'static str,
    /// Whether it begins with a word that opts out, and says more.
    pub(super) may_opt_out: bool,
    pub(super) why: Vec<Piece>,
    /// Whether the reason has to be seen without being asked for.
    pub(super) why_matters: bool,
    /// Where it stands in other cases too: how to take it out of this one.
    pub(super) only_in: Option<OnlyIn>,
    pub(super) state: Option<State>,
    pub(super) sent_as: Option<String>,
    pub(super) move_href: Option<String>,
    pub(super) undo_move: Option<String>,
    pub(super) resend: Option<Resend>,
    pub(super) reaction: Option<ReactionMark>,
}

/// The contact's reaction to a message.
pub(super) struct ReactionMark {
    pub(super) emoji: String,
    pub(super) who: String,
    pub(super) when: When,
}

/// A message that also stands in another case, to which it alone may belong.
pub(super) struct OnlyIn {
    pub(super) action: String,
    pub(super) to: u32,
    pub(super) label: String,
}

pub(super) struct Resend {
    pub(super) action: String,
    pub(super) warning: &'static str,
}

pub(super) enum Body {
    Message(Box<Message>),
    Note(Vec<Span>),
    Marker {
        icon: &'static str,
        sentence: Vec<Piece>,
        comment: Option<String>,
    },
}

/// The date that stands before the first item of a day.
pub(super) struct Day {
    pub(super) iso: String,
    pub(super) text: String,
}

/// A run of changes that is folded.
pub(super) struct Run {
    pub(super) id: String,
    pub(super) sentence: String,
}

#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a question that the template asks on its own"
)]
pub(super) struct Item {
    pub(super) id: String,
    /// The event that gave it.
    pub(super) sequence: u64,
    /// The message that it is.
    pub(super) message_id: Option<MessageId>,
    pub(super) who: String,
    /// Who said it in which way, so that what belongs together is known; empty where nobody said anything.
    pub(super) by: String,
    pub(super) at: DateTime<Utc>,
    pub(super) when: When,
    pub(super) body: Body,
    /// Whether others said it since the person looked.
    pub(super) is_new: bool,
    /// Whether the divider stands before it: what follows was said since the person looked.
    pub(super) begins_new: bool,
    /// Whether it stands together with the item before it.
    pub(super) continues: bool,
    /// Whether it stands together with the item behind it.
    pub(super) leads: bool,
    /// The date, where the item is the first of its day.
    pub(super) day: Option<Day>,
    /// The run of changes that it is the first of.
    pub(super) run: Option<Run>,
    pub(super) ends_run: bool,
}

impl Item {
    /// An item by itself.
    pub(super) fn new(who: String, at: DateTime<Utc>, when: When, body: Body) -> Self {
        Self {
            id: String::new(),
            sequence: 0,
            message_id: None,
            who,
            by: String::new(),
            at,
            when,
            body,
            is_new: false,
            begins_new: false,
            continues: false,
            leads: false,
            day: None,
            run: None,
            ends_run: false,
        }
    }
}

pub(super) struct LinkedCase {
    pub(super) href: String,
    pub(super) sentence: String,
    pub(super) title: String,
    pub(super) is_closed: bool,
}

/// What a person had written when something was refused, or before they write.
pub(super) struct Draft {
    pub(super) text: String,
    pub(super) is_note: bool,
    /// The file that goes with it, where one was chosen.
    pub(super) media_id: String,
}

/// The thread and the details of a case.
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a question that the template asks on its own"
)]
pub(super) struct Case {
    pub(super) reference: u32,
    pub(super) title: String,
    pub(super) number: String,
    pub(super) name: Option<String>,
    pub(super) channel: &'static str,
    pub(super) survey: String,
    pub(super) line: String,
    pub(super) opened: When,
    pub(super) messages: String,
    pub(super) version: u64,
    /// How far the person had read before.
    pub(super) read_to: Option<u64>,
    pub(super) unread_action: String,
    /// Who else has it open.
    pub(super) presence: String,
    pub(super) counter: Counter,
    pub(super) window: Option<Window>,
    /// The templates that a reply can be.
    pub(super) templates: Vec<Offer>,
    pub(super) template_action: String,
    /// The status that closes it, where it is open.
    pub(super) closing: Option<String>,
    pub(super) is_closed: bool,
    pub(super) is_withdrawn: bool,
    pub(super) status: String,
    /// How the status is coloured: `new`, `waiting` or `closed`.
    pub(super) tone: &'static str,
    pub(super) question: String,
    pub(super) statuses: Vec<Choice>,
    pub(super) assignee: Option<String>,
    pub(super) assignee_email: Option<String>,
    pub(super) is_mine: bool,
    pub(super) colleagues: Vec<Choice>,
    /// Whether there are more than are listed.
    pub(super) has_more_colleagues: bool,
    pub(super) links: Vec<LinkedCase>,
    /// Where the links are that are not shown.
    pub(super) more_links: Option<String>,
    pub(super) others: Vec<LinkedCase>,
    /// Where the other cases are that are not shown.
    pub(super) more_others: Option<String>,
    pub(super) items: Vec<Item>,
    pub(super) earlier: Option<String>,
    pub(super) later: Option<String>,
    pub(super) back: String,
    pub(super) write_action: String,
    pub(super) status_action: String,
    pub(super) assignee_action: String,
    pub(super) title_action: String,
    /// Another title that was typed and refused.
    pub(super) typed_title: Option<String>,
    pub(super) appended: Option<String>,
    pub(super) goes_out_from: String,
    /// Whether there is a line to answer from.
    pub(super) has_line: bool,
    /// Whether Docket can send at all.
    pub(super) is_connected: bool,
    /// Whether one writes on as soon as the page is there.
    pub(super) focuses_box: bool,
    /// For the forms: one sent twice is done once.
    pub(super) once: String,
    pub(super) me: String,
    pub(super) draft: Draft,
    /// Frequent answers to begin with.
    pub(super) answers: Answers,
    /// Why something was not done.
    pub(super) refusal: String,
    /// Whether the reply was refused because of what is new.
    pub(super) said_since: bool,
    /// Whether closing was.
    pub(super) closes_anyway: bool,
    /// The status to which a change can be undone.
    pub(super) undo_status: Option<String>,
    /// Where the form that undoes it goes.
    pub(super) undo_action: String,
    /// That the contact opted out, or may want to.
    pub(super) opt_out: Option<OptOut>,
    /// The contact's page.
    pub(super) contact: String,
    pub(super) marks: Marks,
    pub(super) labels: LabelsForm,
    pub(super) snooze: SnoozeForm,
}

/// That the contact of a case opted out on the channel that a reply goes by, or may want to.
pub(super) struct OptOut {
    pub(super) sentence: String,
    pub(super) is_out: bool,
    /// Where it is set and cleared.
    pub(super) action: String,
    pub(super) channel: &'static str,
}

impl Case {
    /// Whether a reply can be sent at all; notes always can be written.
    pub(super) fn can_reply(&self) -> bool {
        let is_opted_out = self.opt_out.as_ref().is_some_and(|opt_out| opt_out.is_out);
        self.has_line && !is_opted_out
    }

    /// Whether templates are offered before anything else: free text would not be taken, or one was chosen and refused.
    pub(super) fn offers_templates(&self) -> bool {
        let is_over = self.window.as_ref().is_some_and(|window| !window.is_open);
        is_over || self.templates.iter().any(|template| template.is_typed)
    }

    pub(super) fn tone_icon(&self) -> &'static str {
        match self.tone {
            "new" => "dot",
            "closed" if self.is_withdrawn => "cross",
            "closed" => "check",
            _ => "clock",
        }
    }
}

#[derive(Template)]
#[template(path = "console/inbox.html")]
pub(super) struct Inbox {
    pub(super) frame: Frame,
    pub(super) list: List,
    pub(super) case: Option<Case>,
}

#[derive(Template)]
#[template(path = "console/move.html")]
pub(super) struct MoveForm {
    pub(super) frame: Frame,
    pub(super) reference: u32,
    pub(super) back: String,
    pub(super) action: String,
    pub(super) item: Item,
    pub(super) targets: Vec<Choice>,
    /// A reference that was typed.
    pub(super) typed: String,
    pub(super) comment: String,
    /// The offer to move the messages that follow with it; empty where none does.
    pub(super) following: String,
    pub(super) and_following: bool,
    pub(super) once: String,
    pub(super) refusal: String,
}

#[derive(Template)]
#[template(path = "console/begin.html")]
pub(super) struct Begin {
    pub(super) frame: Frame,
    pub(super) lines: Vec<Choice>,
    pub(super) number: String,
    /// The templates that it can begin with.
    pub(super) templates: Vec<Choice>,
    pub(super) parameters: String,
    pub(super) text: String,
    pub(super) title: String,
    pub(super) once: String,
    /// The number as it was understood; empty before it was.
    pub(super) understood: String,
    /// The number for which the person has seen that cases are open.
    pub(super) anyway: String,
    /// Open cases of that number.
    pub(super) open: Vec<LinkedCase>,
    /// Why the case was not begun, and the id of the field that it is about.
    pub(super) refusal: Option<(String, &'static str)>,
}

impl Begin {
    /// Whether the refusal is about that field.
    fn is_wrong(&self, field: &str) -> bool {
        self.refusal
            .as_ref()
            .is_some_and(|(_, wrong)| *wrong == field)
    }
}
