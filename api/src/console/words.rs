//! The console's own sentences, in English.
//!
//! Refusals of the domain, reasons of delivery and the history's sentences come from where they are made
//! (`docket_projections::history`, the errors).

pub(super) mod labels;
pub(super) mod media;
pub(super) mod outgoing;

use std::borrow::Cow;
use std::time::Duration;

use axum::http::StatusCode;
use chrono::{Datelike as _, NaiveDate, TimeDelta};
use docket_domain::delivery::Status;
use docket_domain::held::{HeldReason, WebhookKind};
use docket_domain::ids::Reference;
use docket_domain::line::{LineError, MAX_REPLY_CHARS};
use docket_domain::routing::MAX_OPEN_CASES;
use docket_domain::routing::{Routed, Rule};
use docket_domain::survey::{
    MAX_CHOICES, MAX_NAME_CHARS, MAX_TEMPLATE_CHARS, MAX_TEMPLATE_NAME_CHARS, MAX_TEMPLATES,
    SurveyError,
};
use docket_domain::text::phone;
use docket_domain::user::Role;
use docket_projections::read::cases::LinkKind;
use docket_projections::read::unrouted::Cause;

pub(super) use super::list_words::*;
use super::owners::health::Tone;
use super::place::View;
use super::thread::channel;
use crate::http::problem::{Kind, Problem};
use crate::operations::line::ChangeLineError;
use crate::vonage::client::Trial;
use crate::vonage_settings::Source;

macro_rules! words {
    ($($name:ident = $text:literal;)+) => {
        $(pub(in crate::console) const $name: &str = $text;)+
    };
}

mod people;

pub(super) use self::people::*;

words! {
    LANGUAGE = "en-GB";
    PRODUCT = "Docket";
    SKIP = "Skip to the content";

    SIGN_IN = "Sign in";
    SIGN_IN_ABOUT = "Conversations by SMS and WhatsApp, kept as cases.";
    EMAIL = "Email";
    PASSWORD = "Password";
    SIGN_IN_WRONG = "That email and password do not go together. Try again.";
    SIGN_IN_TOO_OFTEN = "There were too many attempts. Wait a minute and try again.";
    SIGN_IN_UNAVAILABLE = "Docket cannot sign anybody in just now. Try again in a few seconds.";
    SIGN_IN_COOKIES = "The form was open for too long, or your browser keeps no cookies. Try again.";
    SIGN_IN_BY_HTTP = "This page came over http, where your browser keeps no sign-in. Sign in at Docket's https address:";
    SIGN_IN_PERHAPS_BY_HTTP = "If this page's address does not begin with https, your browser keeps no sign-in here. Docket's address is:";
    SIGN_OUT = "Sign out";
    SIGN_OUT_EVERYWHERE = "Sign out everywhere";
    SESSIONS = "Where you are signed in";
    SESSIONS_ABOUT = "Each browser in which you are signed in. End any that you do not know.";
    SESSION_HERE = "This browser";
    SESSION_BEGAN = "Signed in";
    SESSION_SEEN = "Last used";
    SESSION_END = "End";
    NO_SUCH_SESSION = "That session has ended already.";
    BROWSER_UNKNOWN = "An unknown browser";

    NAVIGATION = "Main";
    INBOX = "Inbox";
    NEW_CASE = "New case";
    ACCOUNT = "Account";
    KEYS = "Keys";
    VIEWS = "Which cases";
    SEARCH = "Search";
    SURVEY = "Survey";
    ALL_SURVEYS = "All surveys";
    SHOW = "Show";
    CASES = "Cases";
    OLDER = "Older cases";
    NEWEST = "Back to the newest";

    BACK_TO_LIST = "Cases";
    BACK_TO_THREAD = "Back to the messages";
    DETAILS = "Details";
    MESSAGES = "Messages";
    EARLIER = "Show earlier messages";
    MORE_LINKS = "More in the history";
    MORE_CASES = "All cases of this number";
    LATER = "Show the newest messages";
    NAME = "Name";
    LINE = "Line";
    OPENED = "Opened";
    LINKS = "Linked cases";
    OTHER_CASES = "Other cases of this contact";
    OPEN = "Open";
    CLOSED = "Closed";
    ASSIGNEE = "Assigned to";
    NOBODY = "Nobody";
    ASSIGN = "Assign";
    ASSIGN_TO_ME = "Assign to me";
    TITLE = "Title";
    RENAME = "Rename";
    SET_STATUS = "Set";
    NEW_SINCE = "New since you looked";
    SENT_AS = "Sent text:";
    MORE = "More about this message";
    NOT_HERE = "Remove from this case";
    FOLDED = "{count} changes";
    TODAY = "Today";
    YESTERDAY = "Yesterday";
    WITHDRAWN_TAG = "Withdrawn";
    WAITS_UNCONNECTED = "Waits: sending is not set up yet";
    NOTE = "Note";
    NOTE_INTERNAL = "Note, seen by colleagues only";
    QUOTES = "Answers";
    UNDO = "Undo";

    REPLY = "Reply";
    WRITE_AS = "Write as";
    TEXT = "Text";
    SEND = "Send";
    SEND_ANYWAY = "Send anyway";
    ADD_NOTE = "Add note";
    CASE_CLOSED = "The case is closed. Set another status to reopen it.";
    REPLY_CLOSED = "This case is closed. You can still reply. Their answer will open a new case.";
    NO_REPLY_WITHDRAWN = "The move that made this case was undone. It stays closed.";
    SAID_SINCE = "New messages arrived. Check them, then send.";

    NOT_CLOSED_SAID_SINCE = "New messages arrived, so the case is still open. Check them, then answer or close it anyway.";

    MOVE_TO_TYPED = "Or into the case with this reference";
    MOVE_TO_TYPED_HINT = "Leave it empty to use the choice above.";
    NO_SUCH_TARGET = "That is no case of this person. Type the reference of one of their open cases, or leave it empty.";
    MOVE_MESSAGE = "Move this message";
    MOVE_ABOUT = "The message leaves this case. Both cases show where it went, and link to each other.";
    MOVE_TO = "Where to";
    MOVE_NEW = "A new case";
    MOVE_COMMENT = "Comment";
    MOVE_COMMENT_HINT = "Colleagues see it in both cases. It is never sent.";
    MOVE_CONFIRM = "Move the message";
    CANCEL = "Cancel";
    UNDO_MOVE = "Undo the move";
    SEND_AGAIN = "Try again";
    SEND_AGAIN_FAILED = "";
    SEND_AGAIN_UNCERTAIN = "It may have arrived. If you try again, it can arrive twice.";

    BEGIN_ABOUT = "Write to somebody first. Their answers come into the new case.";
    BEGIN_LINE = "From";
    BEGIN_NUMBER = "To";
    BEGIN_NUMBER_HINT = "With its country code, such as +44 7700 900123";
    BEGIN_TITLE = "Title (optional)";
    BEGIN_TITLE_HINT = "Left empty, it is made from the message.";
    BEGIN = "Send and create the case";
    BEGIN_ANOTHER = "Send and create another case";
    BEGIN_WRITE_IN = "Write in";
    BEGIN_OPEN_ABOUT = "If you create another one, each message of theirs without a reference goes to all of them.";
    BEGIN_WRITE_HERE = "Type / for saved replies";
    ERROR = "Error:";
    BEGIN_NO_LINES = "There are no lines yet. An owner adds them.";

    ONLY_LOOKING = "You may read everything and change nothing, because you are an auditor.";
    FORM_FROM_ELSEWHERE = "The form was sent from another site, so nothing was done.";
    FORM_UNREADABLE = "The form could not be read, so nothing was done. Go back and try again.";
    ADDRESS_UNREADABLE = "The address could not be read. A part of it may be missing, or stand there twice.";
    NO_SUCH_PAGE = "There is no page at this address.";
    NOT_THAT_METHOD = "This address is for a form and shows nothing by itself. Go to the page with the form.";
    SIGN_IN_BUSY = "Many people sign in just now. Try again in a few seconds.";
    FORM_TOO_LARGE = "The form is too large, so nothing was done. Go back, shorten the text and try again.";
    FORM_TOO_OLD = "The form is too old, so nothing was done. Go back, reload the page and try again.";
    NO_SUCH_COLLEAGUE = "only agents and owners see to cases, and none of them has that email";
    NO_SUCH_LINE = "choose the line to write from";
    NO_SUCH_CASE = "There is no such case.";
    NO_SUCH_MESSAGE = "The message does not stand in this case any more.";
    TO_THE_INBOX = "To the inbox";

    LIVE_BROKEN = "The connection is broken. Docket tries again by itself.";
    SIGNED_OUT = "You were signed out. Your text stays here.";
    SIGN_IN_AGAIN = "Sign in again";

    UNSENT_SIGN_IN = "You were signed out before this was sent. Sign in, and your text is back in its form.";
    UNSENT_RESTORED = "You were signed out before this was sent, so nothing was done. Here is your text again: look at it and send it.";
    UNSENT_TOO_OLD = "The form is too old, from before you signed in, so nothing was done. Here is your text again: look at it and send it.";
    UNSENT_TITLE = "Not sent";
    UNSENT_GONE = "Its form is no longer there.";
    UNSENT_TYPED = "Your text, which was not saved";

    KEYS_TITLE = "Keys";
    KEYS_NEXT = "Next case";
    KEYS_PREVIOUS = "Previous case";
    KEYS_ENTER = "Open the case";
    KEYS_REPLY = "Write a reply";
    KEYS_NOTE = "Write a note";
    KEYS_ASSIGN = "Assign to me";
    KEYS_SEARCH = "Search";
    KEYS_LIST = "This list";
    KEYS_SEND = "Send what was written";
    KEYS_ON = "Use these keys";
    CLOSE = "Close";
}

pub(super) const fn role(role: Role) -> &'static str {
    match role {
        Role::Owner => "Owner",
        Role::Agent => "Agent",
        Role::Auditor => "Auditor",
    }
}

pub(super) const fn view(view: View) -> &'static str {
    match view {
        View::Open => "Open",
        View::Unread => "Unread",
        View::Mine => "Mine",
        View::Unassigned => "Unassigned",
        View::Mentions => "Mentions",
        View::Waiting => "Waiting for us",
        View::Failed => "Failed",
        View::Snoozed => "Snoozed",
        View::Closed => "Closed",
        View::All => "All",
    }
}

/// What a message's state is called.
pub(super) const fn state(status: Status) -> &'static str {
    match status {
        Status::Queued => "Queued",
        Status::Sending => "Sending",
        Status::Uncertain => "Uncertain",
        Status::Sent => "Sent",
        Status::Failed => "Failed",
        Status::Delivered => "Delivered",
        Status::Read => "Read",
    }
}

/// What a case has to do with another.
pub(super) fn link(kind: LinkKind, other: u32) -> String {
    match kind {
        LinkKind::Follows => format!("Follows #{other}"),
        LinkKind::FollowedBy => format!("Followed by #{other}"),
        LinkKind::MovedTo => format!("A message went to #{other}"),
        LinkKind::MovedFrom => format!("A message came from #{other}"),
    }
}

/// Why an inbound message stands in the case `here`; empty where there is nothing to say.
pub(super) fn why(routed: &Routed, here: u32) -> String {
    let all: Vec<String> = routed
        .references
        .iter()
        .map(|reference| format!("#{reference}"))
        .collect();
    let here = format!("#{here}");
    let first = all.first().map_or("", String::as_str);
    match routed.rule {
        Rule::First => "No case was open".to_owned(),
        Rule::OnlyOpen => String::new(),
        Rule::AllOpen => "No reference, so it went to all open cases".to_owned(),
        Rule::Reference if all.len() > 1 => format!("References {}", all.join(", ")),
        Rule::Reference => format!("Reference {first}"),
        Rule::Quote if *first == here => "Answers a message of this case".to_owned(),
        Rule::Quote => format!("Answers a message in {}", all.join(", ")),
        Rule::NewRequested => "New case (#0)".to_owned(),
        Rule::Follows => format!("Follows {first}, which was closed"),
        Rule::CasesDisabled => "Each message is a record of its own".to_owned(),
        Rule::Moved => format!("Moved from {first}"),
        Rule::Reaction => format!("On a message in {}", all.join(", ")),
        Rule::Newest => "No case was open, so it came to the newest one".to_owned(),
    }
}

/// In which other cases a message stands.
pub(super) fn also_in(others: &[Reference]) -> String {
    let others: Vec<String> = others.iter().map(|other| format!("#{other}")).collect();
    format!("Also in {}", others.join(", "))
}

/// That a reference in a message is not one of theirs; which one, where it is only one.
pub(super) fn foreign(reference: Option<u32>) -> String {
    match reference {
        Some(reference) => format!("#{reference} is not theirs"),
        None => "A reference in it is not theirs".to_owned(),
    }
}

pub(super) fn only_in(other: u32) -> String {
    format!("Only in #{other}")
}

/// A date as it stands above a day of a thread.
pub(super) fn day(date: NaiveDate, today: NaiveDate) -> String {
    if date == today {
        TODAY.to_owned()
    } else if Some(date) == today.pred_opt() {
        YESTERDAY.to_owned()
    } else if date.year() == today.year() {
        date.format("%A %-d %B").to_string()
    } else {
        date.format("%A %-d %B %Y").to_string()
    }
}

/// How many changes are folded.
pub(super) fn folded(count: usize) -> String {
    filled(FOLDED, &[("count", &count.to_string())])
}

pub(super) const CONTACT_AUTHOR: &str = "The contact";
pub(super) const AUTOMATIC: &str = "Automatic reply";
pub(super) const SYSTEM: &str = "Docket";
pub(super) const VONAGE: &str = "Vonage";

pub(super) fn opened(who: &str, follows: Option<u32>) -> String {
    match follows {
        Some(other) => format!("The case began and follows #{other}"),
        None if who == CONTACT_AUTHOR => "The case began".to_owned(),
        None => format!("{who} began the case"),
    }
}

/// `question` is what was asked, where the survey asks something else today.
pub(super) fn status_changed(
    who: &str,
    question: Option<&str>,
    before: Option<&str>,
    value: &str,
    closed: bool,
) -> String {
    let value = isolated(value);
    let asked = match question {
        Some(question) => format!(" (“{}”)", isolated(question)),
        None => String::new(),
    };
    if closed {
        return match question {
            Some(_) => format!("{who} closed the case{asked}: {value}"),
            None => format!("{who} closed the case ({value})"),
        };
    }
    match before {
        Some(before) => {
            let before = isolated(before);
            format!("{who} set the status{asked} from {before} to {value}")
        }
        None => format!("{who} set the status{asked} to {value}"),
    }
}

/// The offer to move the messages behind one with it; nothing where there are none.
pub(super) fn and_following(count: usize) -> String {
    match count {
        0 => String::new(),
        1 => "Also move the message of the contact that follows".to_owned(),
        count => format!("Also move the {count} messages of the contact that follow"),
    }
}

pub(super) fn assigned(who: &str, before: Option<&str>, to: Option<&str>) -> String {
    match (before, to) {
        (_, Some(to)) if to == who => format!("{who} took the case"),
        (_, Some(to)) => format!("{who} gave the case to {to}"),
        (Some(before), None) => format!("{who} took the case from {before}: unassigned"),
        (None, None) => format!("{who} left the case unassigned"),
    }
}

pub(super) fn renamed(who: &str, before: &str, title: &str) -> String {
    let (before, title) = (isolated(before), isolated(title));
    format!("{who} renamed the case from “{before}” to “{title}”")
}

/// The author of the message that confirms an opt-out.
pub(super) const OPT_OUT_CONFIRMATION: &str = "Opt-out confirmation";

pub(super) fn opt_out_changed(who: &str, channel: &str, opted_out: bool) -> String {
    if opted_out {
        format!("{who} set “opted out of {channel}”: nothing is sent to the contact by {channel}")
    } else {
        format!("{who} set “may be sent messages by {channel}” again")
    }
}

pub(super) fn moved_out(who: &str, to: u32) -> String {
    format!("{who} moved a message to #{to}")
}

pub(super) fn moved_in(who: &str, from: u32) -> String {
    format!("{who} moved a message here from #{from}")
}

pub(super) fn move_undone(who: &str, other: u32) -> String {
    format!("{who} undid the move of a message to #{other}")
}

pub(super) fn move_undone_here(who: &str, other: u32) -> String {
    format!("{who} undid the move; the message is back in #{other}")
}

pub(super) fn removed_elsewhere(who: &str, from: u32) -> String {
    format!("{who} moved a message of this case out of #{from}, where it stood too")
}

pub(super) fn appended(reference: u32) -> String {
    format!("ends with #{reference}")
}

pub(super) fn goes_out_from(number: &str, channel: &str) -> String {
    format!("From {number} · {channel}")
}

pub(super) fn messages(count: u32) -> String {
    match count {
        1 => "1 message".to_owned(),
        count => format!("{count} messages"),
    }
}

/// What was done, as the page says it that follows. `undoable` is whether a status can be set back.
pub(super) fn done(what: &str) -> &'static str {
    match what {
        "replied" => "Your reply is on its way.",
        "replied-closed" => "Your reply is on its way, and the case was closed.",
        "noted" => "The note was added.",
        "status" => "The status was set.",
        "closed" => "The case was closed.",
        "assigned" => "The case was assigned.",
        "renamed" => "The case was renamed.",
        "moved" => "The message was moved here.",
        "only-in" => "The message was removed from this case.",
        "unmoved" => "The move was undone.",
        "resent" => "The message is sent again.",
        "begun" => "Case created.",
        "unread" => "The case is marked as unread.",
        "opted-out" => "The contact is opted out.",
        "opted-in" => "Messages may be sent to the contact.",
        "labelled" => "The labels were set.",
        "snoozed" => "The case is snoozed.",
        "woken" => "The snooze was ended.",
        _ => "",
    }
}

/// How many open cases a number has that stands behind this.
pub(super) fn begin_open(count: usize) -> String {
    match count {
        1 => "There is 1 open case of".to_owned(),
        count => format!("There are {count} open cases of"),
    }
}

/// What was done, where a national number was taken for one of the default country.
pub(super) fn begun_understood(number: &str) -> String {
    format!(
        "Case created. The number was understood as {}.",
        phone::shown(number)
    )
}

/// The same of a line.
pub(super) fn line_understood(number: &str) -> String {
    format!(
        "The line was added. Its number was understood as {}.",
        phone::shown(number)
    )
}

/// Why something was not done, as a sentence.
pub(super) fn refusal(problem: &Problem) -> String {
    match problem.kind() {
        Kind::NotFound | Kind::UnknownPath | Kind::InvalidPath => {
            "It is not there (any more).".to_owned()
        }
        Kind::CaseClosed => CASE_CLOSED.to_owned(),
        Kind::CaseWithdrawn => NO_REPLY_WITHDRAWN.to_owned(),
        Kind::SaidSince => SAID_SINCE.to_owned(),
        Kind::WindowClosed => outgoing::WINDOW_CLOSED.to_owned(),
        Kind::NotResendable => {
            "It is on its way already; only what failed or is uncertain can be sent again.".to_owned()
        }
        Kind::Internal => {
            "Something is wrong with Docket itself. Nothing may have been done; look before you try again."
                .to_owned()
        }
        Kind::Busy | Kind::Unavailable => {
            "Docket cannot do it just now, and nothing was done. Try again in a few seconds.".to_owned()
        }
        Kind::IdempotencyKeyReused => FORM_TOO_OLD.to_owned(),
        _ => sentence(problem.detail()),
    }
}

/// A capital at the beginning and a stop at the end.
pub(super) fn sentence(text: &str) -> String {
    let mut chars = text.chars();
    match chars.next() {
        Some(first) => format!("{}{}.", first.to_uppercase(), chars.as_str()),
        None => String::new(),
    }
}

pub(super) const fn failure_title(status: StatusCode) -> &'static str {
    match status.as_u16() {
        403 => "You do not have access",
        404 | 405 => "Page not found",
        500.. => "Something went wrong",
        _ => "Not done",
    }
}

/// A field of a form by its name, where a person would miss what they typed in it.
pub(super) fn unsent_field(name: &str) -> Option<&'static str> {
    let word = match name {
        "text" | "key_text" => "Text",
        "comment" => "Comment",
        "title" => "Title",
        "number" => "Number",
        "name" => "Name",
        "email" => "Email",
        "reply" => "Reply",
        "question" => "Question",
        "application_id" => "Application ID",
        "reason" => "Reason",
        name if name.starts_with("answer-") => "Answer",
        _ => return None,
    };
    Some(word)
}

/// A browser in a few words, from what it says of itself.
pub(super) fn browser(agent: &str) -> String {
    let first = |names: &[(&str, &'static str)]| {
        names
            .iter()
            .find(|(sign, _)| agent.contains(sign))
            .map(|(_, name)| *name)
    };
    // Every browser names those before it, so the order matters.
    let browser = first(&[
        ("Edg", "Edge"),
        ("OPR", "Opera"),
        ("Firefox", "Firefox"),
        ("Chrome", "Chrome"),
        ("Safari", "Safari"),
    ]);
    let system = first(&[
        ("Windows", "Windows"),
        ("Android", "Android"),
        ("iPhone", "iPhone"),
        ("iPad", "iPad"),
        ("Mac OS", "macOS"),
        ("CrOS", "ChromeOS"),
        ("Linux", "Linux"),
    ]);
    match (browser, system) {
        (Some(browser), Some(system)) => format!("{browser} on {system}"),
        (Some(name), None) | (None, Some(name)) => name.to_owned(),
        (None, None) => BROWSER_UNKNOWN.to_owned(),
    }
}

pub(super) const CARD_PHOTO: &str = "Photo";
pub(super) const CARD_AUDIO: &str = "Voice or sound";
pub(super) const CARD_VIDEO: &str = "Video";
pub(super) const CARD_FILE: &str = "File";
pub(super) const CARD_STICKER: &str = "Sticker";
pub(super) const CARD_LOCATION: &str = "Location";
pub(super) const CARD_CONTACT: &str = "Contact card";
pub(super) const CARD_ORDER: &str = "Order";
pub(super) const CARD_CHOICE: &str = "Chose from a list";
pub(super) const CARD_BUTTON: &str = "Pressed a button";
pub(super) const CARD_UNSUPPORTED: &str = "A message that WhatsApp could not pass on";
pub(super) const TIME_OF_ARRIVAL: &str =
    "time of arrival, because the time that Vonage gave could not be read";
pub(super) const CARD_UNREADABLE: &str = "A part of this message could not be shown";
pub(super) const CARD_MAP_HINT: &str = "Opens a map on openstreetmap.org";
pub(super) const CARD_OPEN_HINT: &str = "Vonage keeps files for 48 hours.";

pub(super) const EMOJI_UNREADABLE: &str = "(emoji)";
pub(super) const REACTED: &str = "reacted with";

/// `emoji` is `None` where the reaction was taken off.
pub(super) fn reaction_to_unknown(who: &str, emoji: Option<&str>) -> String {
    match emoji {
        Some(emoji) => format!("{who} reacted with {emoji} to an unknown message"),
        None => format!("{who} took a reaction off an unknown message"),
    }
}

pub(super) fn reaction(emoji: Option<&str>, removed: bool) -> String {
    match emoji {
        Some(emoji) if !removed => format!("Reacted with {emoji}"),
        _ => "Took a reaction back".to_owned(),
    }
}

// The history of a case, and the log.

words! {
    HISTORY = "History";
    HISTORY_ABOUT = "Everything that happened in this case, as the log has it. Choose an event or a time to see the case as it was.";
    HISTORY_OF = "History of";
    TO_THE_CASE = "To the case";
    ALL_EVENTS = "All events";
    EVENTS = "Events";
    MOMENT = "The case at a moment";
    MOMENT_AFTER = "After event number";
    MOMENT_AT = "At a time";
    MOMENT_SHOW = "Show";
    MOMENT_FIRST = "First";
    MOMENT_PREVIOUS = "Previous";
    MOMENT_NEXT = "Next";
    MOMENT_LAST = "Last";
    MOMENT_LINKS = "From moment to moment";
    TIME_TO_COME = "That time has not come yet. Choose one in the past.";
    EVENT_TO_COME = "The case has no event of that number. Choose one of those below.";
    POSITION_BEYOND_LOG = "The log does not go so far. It may have been restored from an older backup since that link was made.";
    NO_TIME = "That is no time that Docket can read. Write it as 2026-03-01T12:00:00Z.";
    THEN = "Then";
    NOW = "Now";
    FIELD = "Field";
    STATE = "State";
    STATUS = "Status";
    WITHDRAWN = "Closed for good: the move that made it was undone";
    NOTHING = "None";
    CHANGED = "Changed";
    THE_SAME = "The same now";
    CHANGED_SINCE = "Changed since";
    GONE_SINCE = "Not here any more";
    ALL_IS_NEW = "All that is in the case now came later.";
    THREAD_THEN = "The thread then and now";
    THREAD_EMPTY = "Nothing stood in the case then.";
    WHAT_KIND = "What";
    WHO_DID = "Who";
    EVERYTHING = "Everything";
    EVERYBODY = "Everybody";
    NO_EVENTS = "No matching events.";
    EVENTS_EARLIER = "Earlier events";
    EVENTS_LATER = "Later events";
    CASE_AFTER = "State after";
    RECORDED_AT = "Recorded";
    HAPPENED_AT = "Vonage’s time";
    RAW = "Details";
    WHO_UNKNOWN = "Not known";
    FACT_TYPE = "Type";
    FACT_STREAM = "Stream";
    FACT_SEQUENCE = "Number in the stream";
    FACT_POSITION = "Position in the log";
    FACT_RECORDED = "Recorded";
    FACT_PROVIDER = "Vonage’s id";
    FACT_USER = "User id";
    FACT_VIA = "By way of";
    FACT_TOKEN = "Token";
    FACT_REQUEST = "Request id";
    FACT_CLIENT_REQUEST = "The client's own id of the request";
    FACT_CAUSE = "Cause";
}

pub(super) fn event_kind(kind: &str) -> &'static str {
    match kind {
        "said" => "Messages",
        "delivery" => "Delivery",
        "media" => "Files",
        "status" => "Status",
        "assignee" => "Who sees to it",
        "title" => "Beginning and titles",
        "labels" => "Labels and snoozes",
        "notes" => "Notes",
        "moves" => "Moves",
        _ => EVERYTHING,
    }
}

pub(super) fn event_unreadable(event_type: &str, version: &str) -> String {
    format!("{event_type}, version {version}: this version of Docket cannot read it")
}

pub(super) fn the_contact(number: &str) -> String {
    format!("The contact, +{number}")
}

pub(super) fn version(version: &str) -> String {
    format!("(version {version})")
}

pub(super) fn same_moment(other: u32) -> String {
    format!("#{other} at this moment")
}

pub(super) const BEFORE: [&str; 2] = ["just before", "the minute before"];

pub(super) fn before(reference: u32, is_this: bool, before: &str) -> String {
    if is_this {
        format!("This case {before}")
    } else {
        format!("#{reference} {before}")
    }
}

/// How many events there are, of which no more than `most` were counted.
pub(super) fn events_up_to(count: usize, is_counted: bool, most: usize) -> String {
    match count {
        1 => "1 event".to_owned(),
        count if is_counted && count > most => format!("more than {most} events"),
        count => format!("{count} events"),
    }
}

pub(super) fn as_it_was_after(sequence: u64, last: u64) -> String {
    format!("As it was after event {sequence} of {last}")
}

pub(super) fn as_it_was_at(time: &str) -> String {
    format!("As it was at {time}")
}

pub(super) fn not_begun(began: &str) -> String {
    format!("The case had not begun then; it began at {began}.")
}

/// How many items came since, of which no more than `most` were counted.
pub(super) fn items_added(count: usize, most: usize) -> String {
    match count {
        0 => "Nothing was added since".to_owned(),
        1 => "1 was added since".to_owned(),
        count if count > most => format!("More than {most} were added since"),
        count => format!("{count} were added since"),
    }
}

pub(super) fn changes(count: usize) -> String {
    match count {
        0 => "Nothing has changed since.".to_owned(),
        1 => "1 thing has changed since; it is marked.".to_owned(),
        count => format!("{count} things have changed since; they are marked."),
    }
}

/// The same where only a part of the thread was compared.
pub(super) fn changes_shown(count: usize) -> String {
    match count {
        0 => "Nothing of what is shown here has changed since.".to_owned(),
        _ => "What has changed since is marked.".to_owned(),
    }
}

pub(super) fn history_of(reference: u32) -> String {
    format!("History of #{reference}")
}

pub(super) fn it_went(to: u32) -> String {
    format!("It went to #{to}")
}

// The agents' desk: unread cases, the reply box, several cases at once, who else is there.

words! {
    MARK_UNREAD = "Mark as unread";

    // What stands in braces is filled in, by the script too.
    COUNT_ONE_SMS = "1 SMS · {left} characters left";
    COUNT_SMS = "{parts} SMS · {left} characters left in the last";
    COUNT_OUTSIDE = ". {outside} limits each SMS to 70";
    COUNT_CHARACTERS = "{left} of {limit} characters left";
    TOO_LONG = "It is {over} characters too long: at most {limit} can be sent at once, the reference included.";
    HOURS_AND_MINUTES = "{hours} h {minutes} min";
    MINUTES = "{minutes} min";
    WINDOW_OPEN = "WhatsApp: free replies until";
    WINDOW_OVER = "More than 24 hours have passed since the person’s last message, and WhatsApp takes no free text any more. Send a template, or wait until they write.";
    WINDOW_NEVER = "The person has not written by WhatsApp yet, and WhatsApp takes free text only within 24 hours of their last message. Send a template.";

    CLOSE_CASE = "Close case";
    CLOSE_ANYWAY = "Close anyway";
    NEW_BELOW = "New messages below";

    CHOOSE = "Select";
    CHOSEN = "{count} selected";
    CHOOSE_ALL = "All shown";
    CHOOSE_NONE = "None";
    BULK = "What to do with the selected cases";
    BULK_DO = "Apply";
    BULK_CLOSE = "Close";
    BULK_READ = "Mark as read";
    BULK_ASSIGN = "Assign to";
    BULK_NOTHING_CHOSEN = "No case was selected, so nothing was done.";
    BULK_NO_SUCH_COLLEAGUE = "Cases are assigned to agents and owners, and none of them has that email. Nothing was done.";
    BULK_UNKNOWN = "Choose what to do with the cases.";
    BULK_NO_SUCH_ANSWER = "there is no such answer";

    KEYS_CLOSE = "Close the case";
    KEYS_CHOOSE = "Select the case, to change several at once";
    KEYS_LEAVE = "Leave the text";
}

/// Who else has the case open.
pub(super) fn presence(others: &[String]) -> String {
    match others {
        [] => String::new(),
        [other] => format!("{other} has this case open too."),
        [others @ .., last] => format!("{} and {last} have this case open too.", others.join(", ")),
    }
}

/// What was done with several cases.
pub(super) fn bulk_done(what: &str, count: usize) -> String {
    if what == "reopen" {
        return match count {
            1 => "1 case has its earlier answer again.".to_owned(),
            count => format!("{count} cases have their earlier answers again."),
        };
    }
    let cases = match count {
        1 => "1 case was".to_owned(),
        count => format!("{count} cases were"),
    };
    let done = match what {
        "close" => "closed",
        "read" => "marked as read",
        "unread" => "marked as unread",
        "label" => "given the label",
        "unlabel" => "freed of the label",
        _ => "assigned",
    };
    format!("{cases} {done}.")
}

/// What was not done, and why: `cases` by a reason of [`bulk_reason`].
pub(super) fn bulk_refused(reason: &str, cases: &[String]) -> String {
    let why = match reason {
        "gone" => "there is no such case",
        "withdrawn" => "the move that made it was undone, so it stays as it is",
        "busy" => "Docket cannot do it just now; try again in a few seconds",
        "said" => "something was said meanwhile; read it first",
        "reach" => "that colleague does not reach the cases of this survey",
        _ => "the case refused; open it and try there",
    };
    format!("Not done for {}: {why}.", cases.join(", "))
}

/// What somebody wrote, for the middle of a sentence of ours: whichever way it is written, it does not turn the rest around.
pub(super) fn isolated(text: &str) -> Cow<'_, str> {
    const FIRST_STRONG_ISOLATE: char = '\u{2068}';
    const POP_DIRECTIONAL_ISOLATE: char = '\u{2069}';
    if text.is_ascii() {
        Cow::Borrowed(text)
    } else {
        Cow::Owned(format!(
            "{FIRST_STRONG_ISOLATE}{text}{POP_DIRECTIONAL_ISOLATE}"
        ))
    }
}

/// A sentence with what stands in braces filled in.
pub(super) fn filled(sentence: &str, values: &[(&str, &str)]) -> String {
    // In one pass, so that what is filled in stays as it is.
    let mut filled = String::new();
    let mut rest = sentence;
    while let Some((before, after)) = rest.split_once('{') {
        let (name, after) = after.split_once('}').unwrap_or((after, ""));
        let value = values.iter().find(|(known, _)| *known == name);
        filled.push_str(before);
        filled.push_str(value.map_or("", |(_, value)| value));
        rest = after;
    }
    filled + rest
}

/// How long WhatsApp's window is open yet.
pub(super) fn time_left(minutes_left: i64) -> String {
    let (hours, minutes) = (minutes_left / 60, (minutes_left % 60).to_string());
    match hours {
        0 => filled(MINUTES, &[("minutes", &minutes)]),
        hours => filled(
            HOURS_AND_MINUTES,
            &[("hours", &hours.to_string()), ("minutes", &minutes)],
        ),
    }
}

// Settings: the frame that all of their pages have.

words! {
    SETTINGS = "Settings";
    TAB_SETUP = "Set-up";
    TAB_SURVEYS = "Surveys";
    TAB_LINES = "Lines";
    TAB_VONAGE = "Vonage";
    TAB_USERS = "Users";
    TAB_TOKENS = "Tokens";
    TAB_UNROUTED = "Unrouted";
    TAB_HEALTH = "Health";
    TAB_REPORTS = "Reports";
    ONLY_OWNERS = "Only owners can change the settings.";
    SAVE = "Save";
}

// People: users, one's own account, tokens.

words! {
    USERS = "Users";
    USERS_ABOUT = "Everybody who signs in, and what they may do.";
    USER_NEW = "Add a user";
    USER_ME = "You";
    USER_CHANGE = "Change";
    USER_SHOW = "Show";
    USER_ADDED_ON = "Added";
    USER_REACH = "Reaches";
    REACH_ALL = "All surveys";
    REACH_NONE = "No survey yet";
    ROLE = "Role";
    RIGHTS = "What they may do";
    RIGHTS_REACH = "Which cases an agent reaches";
    RIGHTS_REACH_HINT = "Owners and auditors always reach all. A case of another survey is for the agent as if it were not there.";
    RIGHTS_ALL = "Those of all surveys, of later ones too";
    RIGHTS_ONLY = "Only those of these surveys:";
    RIGHTS_NO_SURVEYS = "There are no surveys yet.";
    NEW_PASSWORD = "New password";
    NEW_PASSWORD_HINT = "At least 10 characters. Left empty, Docket makes one and shows it to you once.";
    PASSWORD_FOR_NEW = "Password";
    PASSWORD_SET = "Set the password";
    PASSWORD_SET_ABOUT = "They are signed out everywhere. Their API tokens go on working: end those that may have leaked.";
    PASSWORD_ONCE = "It is shown only now, and kept nowhere in readable form. Give it to them in a safe way.";
    PASSWORD_GONE = "The form was sent a second time. The password was shown the first time, and cannot be shown again; set another one if it got lost.";
    COPY_THIS = "Select it and copy it now.";
    BACK_TO_USERS = "Back to the users";
    USER_REMOVE = "Remove";
    USER_REMOVE_ABOUT = "They are signed out, and their API tokens end. What they did stays in the history under their name.";
    USER_REMOVE_SURE = "Yes, remove this user";
    USER_IS_ME = "This is you. Your password is changed on your account page.";
    NO_SUCH_USER = "There is no such user, or not any more.";
    NO_SUCH_ROLE = "choose a role";
    OWN_PASSWORD_ELSEWHERE = "your own password is changed on your account page";
    OWN_ACCOUNT_STAYS = "nobody removes themselves; ask another owner";

    YOUR_ACCOUNT = "Your account";
    OLD_PASSWORD = "Current password";
    AGAIN_PASSWORD = "New password once more";
    OWN_PASSWORD_HINT = "At least 10 characters. A sentence that only you know is good.";
    OWN_PASSWORD_ABOUT = "You stay signed in here, and are signed out everywhere else.";
    CHANGE_PASSWORD = "Change the password";
    PASSWORDS_DIFFER = "the two new passwords are not the same";
    OLD_PASSWORD_WRONG = "the current password is not right";

    BY_SOME_TOKEN = "by a token";
    SERVICE = "Service account";
    SERVICE_NEW = "Add a service account";
    SERVICE_ABOUT = "A service account is a program with a name of its own in the history. It has API tokens and no password, so nobody signs in as it.";
    SERVICE_NAME = "Name";
    SERVICE_NAME_HINT = "It stands in the history where a person's address stands, such as: appointment reminders";
    SERVICE_TOKEN_NEW = "Make a token for it";
    SERVICE_TOKEN_ABOUT = "With it a program does what this account may do. Its tokens are listed and ended under";
    TOKENS = "API tokens";
    TOKENS_ABOUT_ALL = "With a token a program does what its owner may do. These are everybody's tokens.";
    TOKENS_ABOUT_OWN = "With a token a program does what you may do. These are your tokens.";
    TOKENS_NONE = "There are no tokens.";
    TOKEN_NEW = "Make a token for yourself";
    TOKEN_NAME = "What it is for";
    TOKEN_NAME_HINT = "Such as: ticket system";
    TOKEN_MAKE = "Make the token";
    TOKEN_OF = "Of";
    TOKEN_MADE_ON = "Made";
    TOKEN_USED = "Last used";
    TOKEN_UNUSED = "Never used";
    TOKEN_END = "End";
    TOKEN_ONCE = "It is shown only now, and kept nowhere in readable form.";
    TOKEN_GONE = "The form was sent a second time. The token was shown the first time, and cannot be shown again; end it and make another if it got lost.";
    TOKEN_BACK = "Back to the tokens";
    NO_SUCH_TOKEN = "There is no such token, or not any more.";
}

pub(super) const fn role_explained(role: Role) -> &'static str {
    match role {
        Role::Owner => "Owner: sets Docket up, manages users, and works on cases",
        Role::Agent => "Agent: works on cases",
        Role::Auditor => "Auditor: reads everything and changes nothing",
    }
}

pub(super) fn user_added(email: &str) -> String {
    format!("{email} was added")
}

pub(super) fn password_given(email: &str) -> String {
    format!("{email} has a new password")
}

/// By which token something was done.
pub(super) fn by_token(name: &str) -> String {
    format!("by token “{name}”")
}

pub(super) fn token_made(name: &str) -> String {
    format!("The token “{name}” was made")
}

/// What was done with users, accounts, tokens, unrouted webhooks or lines, as the page says it that follows.
pub(super) fn done_with_people(what: &str) -> &'static str {
    match what {
        "added" => "The user was added.",
        "rights" => "What may be done was changed.",
        "password" => "The password was set, and they were signed out everywhere.",
        "own-password" => "Your password was changed. You are signed out everywhere else.",
        "removed" => "The user was removed.",
        "named" => "The name was saved.",
        "own-name" => "Your name was saved.",
        "preferences" => "Your preferences were saved.",
        "revoked" => "The token was ended.",
        "resumed" => "The line sends again. What waited goes out now.",
        _ => "",
    }
}

// Settings: set-up, surveys and their templates of answers, lines, Vonage.

words! {
    SETUP_TITLE = "Set up Docket";
    SETUP_ABOUT = "Three steps until the first message comes in. You can leave at any time and go on later under Settings, Set-up.";
    SETUP_STEPS = "Steps";
    SETUP_VONAGE = "Vonage";
    SETUP_SURVEY = "The first survey";
    SETUP_LINE = "The first line";
    SETUP_DONE = "Done";
    SETUP_TO_DO = "To do";
    SETUP_LATER = "Not now, go on";
    SETUP_NEXT = "Go on";
    SETUP_ALL_DONE = "All is set up. Write to one of your lines, and the message appears in the inbox.";
    SETUP_NO_SURVEY = "A line needs a survey, so add the survey first.";
    SETUP_READ = "An owner sets Docket up here. This is how far it is.";

    SURVEYS_TITLE = "Surveys";
    SURVEYS_ABOUT = "A survey is what messages are organised under: whether they are gathered in cases, how far a case can be, and which answers agents have at hand.";
    SURVEYS_NONE = "There is no survey yet.";
    SURVEY_NEW = "New survey";
    SURVEY_SETTINGS = "Settings of the survey";
    SURVEY_NAME = "Name";
    SURVEY_CASES = "Cases";
    SURVEY_CASES_ON = "Gather messages in cases";
    SURVEY_CASES_HINT = "Without cases each message is a record of its own: no references, no automatic reply.";
    SURVEY_REFERENCE_ON = "Add the reference to replies, such as #123";
    SURVEY_REFERENCE_HINT = "People who write it in their answer reach that very case.";
    SURVEY_QUESTION = "Status question";
    SURVEY_QUESTION_HINT = "What agents answer to say how far a case is.";
    SURVEY_ANSWERS = "Its answers";
    SURVEY_ANSWERS_HINT = "At least two. A case begins with the first that does not close it. Empty rows are left out; save to get more.";
    SURVEY_CLOSES = "Closes the case";
    SURVEY_CREATE = "Create the survey";
    CASES_ON = "Cases on";
    CASES_OFF = "Cases off";
    REFERENCE_ON = "Replies carry the reference";
    REFERENCE_OFF = "Replies go out without the reference";
    NO_SUCH_SURVEY = "There is no such survey.";

    TEMPLATES_TITLE = "Templates of answers";
    TEMPLATES_ABOUT = "Agents put them into their reply and change them there. These places are filled in: {name}, the contact's name if they gave one; {reference}, the case's reference, such as #123; {agent}, the address of whoever writes.";
    TEMPLATES_NONE = "There are no templates yet.";
    TEMPLATE_NAME = "Name";
    TEMPLATE_TEXT = "Text";
    TEMPLATE_ADD = "Add a template";
    TEMPLATE_REMOVE = "Remove";
    TEMPLATE_INSERT = "Saved replies";
    TEMPLATE_INSERT_BUTTON = "Insert";
    TEMPLATE_CHOOSE = "Saved replies …";

    LINES_TITLE = "Lines";
    LINES_ABOUT = "A line is one of your own numbers on one channel. Its messages go to one survey.";
    LINES_NONE = "There is no line yet.";
    LINE_NEW = "New line";
    LINE_CREATE = "Add the line";
    LINE_NUMBER = "Number";
    LINE_NUMBER_HINT = "As Vonage has it, with its country code, such as +44 7700 900123";
    LINE_CHANNEL = "Channel";
    LINE_SURVEY = "Survey";
    LINE_REPLY = "Automatic reply";
    LINE_REPLY_HINT = "Sent when somebody with several open cases writes without saying which one they mean. %s1 becomes the number of their open cases, %s2 their list. Left empty, nothing is sent.";
    LINE_REPLY_SUGGESTED = "You have %s1 open cases (%s2). Please write # and the number of the one you mean, or #0 for a new one.";
    LINE_PREVIEW = "Preview";
    LINE_PREVIEW_TITLE = "What somebody with two open cases would get";
    LINE_PREVIEW_NONE = "Nothing is sent.";
    LINE_EXAMPLE_ONE = "Appointment request";
    LINE_EXAMPLE_TWO = "Question about hours";
    LINE_SENDS = "Sends";
    LINE_HALTED = "Sending has stopped";
    LINE_RESUME = "Resume sending";
    LINE_RESUME_HINT = "What waits is sent then.";
    LINE_REMOVE = "Remove this line";
    LINE_REMOVE_ABOUT = "Messages that come to the number afterwards are kept under Unrouted. Cases and their messages stay, and cannot be answered by this line any more.";
    LINE_REMOVE_CONFIRM = "Remove the line";
    LINE_WITH_REPLY = "With an automatic reply";
    LINE_WITHOUT_REPLY = "Without an automatic reply";
    NO_SUCH_LINE_THERE = "There is no such line.";

    VONAGE_TITLE = "Vonage";
    VONAGE_ABOUT = "What Vonage knows this installation by. You find all of it in Vonage's dashboard.";
    VONAGE_APPLICATION_ID = "Application id";
    VONAGE_APPLICATION_ID_HINT = "Under Applications, of the application that your numbers are linked to.";
    VONAGE_SIGNATURE_SECRET = "Signature secret";
    VONAGE_SIGNATURE_SECRET_HINT = "Under Settings of the account. Docket takes no message that is not signed with it.";
    VONAGE_PRIVATE_KEY = "Private key";
    VONAGE_PRIVATE_KEY_HINT = "The file private.key that Vonage made with the application. It signs what is sent.";
    VONAGE_KEY_FILE = "Private key as a file";
    VONAGE_KEY_TEXT = "or pasted";
    VONAGE_KEEP = "Leave empty to keep the one that is stored.";
    VONAGE_REMOVE_SECRET = "Remove the stored signature secret";
    VONAGE_REMOVE_KEY = "Remove the stored private key";
    VONAGE_SAVE = "Save";
    VONAGE_MISSING = "Not set";
    VONAGE_CONFIGURED = "Set in the server's configuration, which wins over what is entered here";
    VONAGE_ENTERED = "Entered here; it is not shown again";
    VONAGE_ENTERED_ID = "Entered here";
    VONAGE_UNREADABLE = "Stored, but it cannot be read: the server's secret key is missing or another one. Enter it again.";
    VONAGE_NO_SECRET_KEY = "The signature secret and the private key cannot be stored, because the server has no secret key to encrypt them with. Set DOCKET_SECRET_KEY to 32 random bytes (openssl rand -base64 32 makes them) and start Docket again, or set both in the server's configuration.";
    VONAGE_WEBHOOKS = "Webhooks";
    VONAGE_WEBHOOKS_ABOUT = "Enter these two addresses in the application's capability Messages, version v1, and choose the Messages API as the account's default for SMS.";
    VONAGE_INBOUND_URL = "Inbound URL";
    VONAGE_STATUS_URL = "Status URL";
    VONAGE_NOT_REACHABLE = "Vonage reaches only public addresses that begin with https. Set DOCKET_PUBLIC_URL to the address that this server has on the Internet.";
    COPY = "Copy";
    COPIED = "Copied";
    VONAGE_TEST = "Test of the credentials";
    VONAGE_TEST_ABOUT = "Nothing is sent to anybody. Docket signs a token with the private key and asks Vonage to send a message without sender, recipient and text. Vonage can only refuse that: as incomplete when it accepts the credentials, as unauthorised when it does not. The signature secret is not tested; the first message that comes in does that.";
    VONAGE_TEST_BUTTON = "Test the credentials";
    VONAGE_TEST_INCOMPLETE = "The application id and the private key are needed first.";
    VONAGE_HALTED = "Sending stands still on these lines, until you resume it there:";
    VONAGE_SECRET_WRONG = "A signature secret has up to 1,000 characters on one line.";
    VONAGE_ADDRESS_WRONG = "Nothing can be sent with this key: the address of Vonage's API in the server's configuration must begin with https.";
    VONAGE_APPLICATION_ID_WRONG = "An application id has letters, digits and hyphens, as Vonage shows it.";
}

/// What a new survey begins with.
pub(super) const SURVEY_QUESTION_FIRST: &str = "Status";
/// What its question is answered with at first; the last one closes.
pub(super) const SURVEY_ANSWERS_FIRST: [&str; 3] = ["New", "In progress", "Resolved"];

/// `index` counts from 0.
pub(super) fn answer_number(index: usize) -> String {
    format!("Answer {}", index + 1)
}

pub(super) fn closing_answer(answer: &str) -> String {
    format!("{answer} (closes the case)")
}

/// What was done among the settings, as the page says it that follows.
pub(super) fn settings_done(what: &str) -> &'static str {
    match what {
        "vonage" => "Vonage's settings were saved. They are in use from now on.",
        "survey-created" => "The survey was created.",
        "survey" => "The survey was saved.",
        "template" => "The templates were saved.",
        "line-added" => "The line was added.",
        "line-added-understood" => {
            "The line was added. Its number was completed with the code of the default country."
        }
        "line" => "The line was saved.",
        "whatsapp-template" => outgoing::TEMPLATE_SAVED,
        "line-removed" => "The line was removed.",
        "label-created" => "The label was created.",
        "label-changed" => "The label was changed.",
        "label-deleted" => "The label was deleted.",
        "resumed" => "Sending goes on.",
        _ => "",
    }
}

// What could not be routed.

words! {
    UNROUTED = "Unrouted";
    UNROUTED_ABOUT = "What Vonage brought and Docket could not put where it belongs. Nothing of it is lost: mend the cause, then route it again.";
    UNROUTED_NONE = "Nothing waits here. Everything that came was routed.";
    UNROUTED_CAUSES = "By cause";
    UNROUTED_EACH = "One by one";
    UNROUTED_WAITING = "Waiting";
    UNROUTED_OLDEST = "the first came";
    UNROUTED_NEWEST = "the last came";
    UNROUTED_FROM = "From";
    UNROUTED_TO = "To";
    UNROUTED_CARRIED = "Says";
    UNROUTED_AT = "Sent";
    UNROUTED_WHY = "Why";
    UNROUTED_REMEDY = "What to do";
    UNROUTED_CAME = "Came";
    UNROUTED_BODY = "The webhook as it came";
    ROUTE_AGAIN = "Route again";
    ROUTE_ALL_AGAIN = "Route all of these again";
    UNROUTED_OLDER = "Older ones";
    NO_SUCH_WEBHOOK = "It is not there any more.";
    UNROUTED_TO_CASE = "Open case";
}

pub(super) const fn webhook_kind(kind: WebhookKind) -> &'static str {
    match kind {
        WebhookKind::Inbound => "A message",
        WebhookKind::Status => "A delivery report",
    }
}

/// What keeps webhooks from being routed, as a heading.
pub(super) fn cause(cause: &Cause) -> String {
    match (&cause.to, cause.reason) {
        (Some(to), HeldReason::UnknownLine) => {
            format!("Messages to +{}: {}", to.0, cause.detail)
        }
        (None, HeldReason::UnknownLine) => sentence(&cause.detail),
        (_, HeldReason::Undecodable) => format!("It could not be read: {}", cause.detail),
        (_, HeldReason::UnknownType) => format!("It is of an unknown kind: {}", cause.detail),
        (_, HeldReason::UnknownMessage) => {
            "Delivery reports of messages that Docket did not send".to_owned()
        }
        (_, HeldReason::TooManyOpenCases) => {
            format!("Messages of people with {MAX_OPEN_CASES} open cases or more")
        }
    }
}

/// What came of routing again.
pub(super) fn routed(routed: u32, left: u32) -> String {
    let done = match routed {
        0 => "Nothing was routed.".to_owned(),
        1 => "1 was routed.".to_owned(),
        routed => format!("{routed} were routed."),
    };
    match left {
        0 => done,
        1 => format!("{done} 1 could not be, because the cause is still there."),
        left => format!("{done} {left} could not be, because the cause is still there."),
    }
}

// Health.

words! {
    HEALTH = "Health";
    HEALTH_WEBHOOKS = "Messages from Vonage";
    HEALTH_CALLS = "Messages to Vonage";
    HEALTH_OUTBOX = "Waiting to be sent";
    HEALTH_LINES = "Lines";
    HEALTH_UNROUTED = "Unrouted";
    HEALTH_WRITING = "Recording";
    HEALTH_MODELS = "Read models";
    HEALTH_DATABASE = "Database";
    HEALTH_NO_SECRET = "No signature secret is set, so every webhook is turned away until there is one. Vonage tries again for a day.";
    HEALTH_NO_CLIENT = "Vonage's application and key are not set, so replies wait.";
    HEALTH_SET_VONAGE = "Enter Vonage's settings.";
    HEALTH_WRONG_SECRET = "Compare the signature secret with the one in the account's settings at Vonage. If they are the same, somebody else knocks, and nothing of theirs is taken in.";
    HEALTH_NO_WEBHOOK = "No webhook has come from Vonage yet.";
    HEALTH_NO_WEBHOOK_ADVICE = "Write to one of your numbers. If nothing comes, check at Vonage that the application's two webhook addresses are those of this server.";
    IN_THE_LAST_HOUR = "in the last hour";
    IN_THE_LAST_DAY = "in the last 24 hours";
    HEALTH_UNSIGNED_ADVICE = "Turn on signed webhooks in the account's settings at Vonage. If they are on, a proxy in front of Docket drops the header Authorization: let it pass.";
    HEALTH_UNAVAILABLE_ADVICE = "The database was slow, full or away. Vonage repeats them for a day, so nothing is lost. Look at the database and at the server's log.";
    HEALTH_TOO_LARGE_ADVICE = "Docket reads bodies of up to 4 MiB and refused them. Look at Vonage's log for what they were, and let a proxy in front of Docket pass as much.";
    HEALTH_INCOMPLETE_ADVICE = "A proxy in front of Docket, or the network, cut them off. Look at the proxy's log and its time limits.";
    HEALTH_SWAPPED_ADVICE = "They were taken all the same. At Vonage, swap the application's addresses for inbound messages and for statuses.";
    HEALTH_WRONG_ADDRESS_ADVICE = "Compare the application's two webhook addresses at Vonage with those of this server, letter by letter.";
    HEALTH_WRONG_METHOD_ADVICE = "Set the method of the webhooks to POST at Vonage, and look for a redirect in front of Docket, which turns POST into GET.";
    HEALTH_OLDER_API_ADVICE = "They are read as far as they can be. Set the application's Messages API to version 1 at Vonage, and the account's SMS setting to the Messages API.";
    HEALTH_NO_CALL = "Nothing has been sent yet.";
    HEALTH_CALLS_ADVICE = "If lines stand still, see below why. Otherwise Vonage may have trouble: messages that it did not take are tried again by themselves.";
    HEALTH_OUTBOX_EMPTY = "Nothing waits.";
    HEALTH_OUTBOX_ADVICE = "That is long. Resume lines that stand still once their cause is mended, and look whether this server reaches Vonage.";
    HEALTH_NO_LINES = "There are no lines yet, so nothing can come or go.";
    HEALTH_NO_LINES_ADVICE = "Add the first one.";
    HEALTH_HALTED_ADVICE = "Mend the cause that stands beside each line below, then resume it.";
    HEALTH_UNROUTED_ADVICE = "See why, mend it, and route them again.";
    HEALTH_WRITING_ADVICE = "The database may be slow, full or away. Look at its free space and at the server's log. Vonage repeats what it could not deliver for a day.";
    HEALTH_MODELS_CURRENT = "What pages show is built by this version of Docket.";
    HEALTH_MODELS_ADVICE = "They are rebuilt in the background; pages show what the version before built until then. If this stays so for long, look at the server's log.";
    HEALTH_TROUBLE_ADVICE = "Until then nothing is recorded: webhooks are answered 503, and Vonage repeats them for a day.";
    HEALTH_MODELS_ALL = "All read models";
    HEALTH_HALTED = "Lines that stand still";
    RESUME = "Resume sending";
    GO_THERE = "Go there";
    HEALTH_COUNTS = "Counts";
    HEALTH_COUNT_WEBHOOKS = "What came from Vonage, by what became of it (days in UTC)";
    HEALTH_COUNT_CALLS = "What was handed to Vonage, by what became of it (days in UTC)";
    COUNT_WHAT = "What";
    COUNT_RESULT = "Result";
    COUNT_TODAY = "Today";
    COUNT_WEEK = "7 days";
    COUNT_LAST = "Last";
    COUNT_NONE = "Nothing in the last 7 days.";
    MODEL_NAME = "Name";
    MODEL_VERSION = "Version";
    MODEL_BUILT = "In the database";
    MODEL_STATE = "State";
    MODEL_CURRENT = "Up to date";
    MODEL_OLD = "To be rebuilt";
    NEVER = "Never built";
}

pub(super) const fn tone(tone: Tone) -> &'static str {
    match tone {
        Tone::Good => "Good",
        Tone::Look => "Have a look",
        Tone::Act => "Needs you",
    }
}

pub(super) fn health_summary(bad: usize) -> String {
    match bad {
        0 => "All is well.".to_owned(),
        1 => "One thing needs a look.".to_owned(),
        bad => format!("{bad} things need a look."),
    }
}

/// A span of time, in its largest unit.
pub(super) fn span(span: TimeDelta) -> String {
    let seconds = span.num_seconds().max(0);
    let (count, unit) = match seconds {
        0..60 => (seconds, "second"),
        60..3_600 => (seconds / 60, "minute"),
        3_600..172_800 => (seconds / 3_600, "hour"),
        _ => (seconds / 86_400, "day"),
    };
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {unit}{plural}")
}

pub(super) fn ago(passed: TimeDelta) -> String {
    if passed < TimeDelta::seconds(1) {
        "just now".to_owned()
    } else {
        format!("{} ago", span(passed))
    }
}

pub(super) fn bytes(bytes: u64) -> String {
    let mebibytes = bytes >> 20;
    if mebibytes < 1_024 {
        format!("{} MB", mebibytes.max(1))
    } else {
        format!(
            "{}.{} GB",
            mebibytes >> 10,
            ((mebibytes & 1_023) * 10) >> 10
        )
    }
}

pub(super) fn last_webhook(ago: &str) -> String {
    format!("The last one came {ago}.")
}

pub(super) fn last_call(ago: &str) -> String {
    format!("Vonage last took a message {ago}.")
}

/// So many webhooks came in some way, and what became of them; both can be empty.
pub(super) fn came(count: u64, how: &str, became: &str, window: &str) -> String {
    let (webhooks, were) = match count {
        1 => ("1 webhook".to_owned(), "was"),
        count => (format!("{count} webhooks"), "were"),
    };
    match became {
        "" => format!("{webhooks} came {window} {how}."),
        became => format!("{webhooks} came {window} {how} {were} {became}."),
    }
}

pub(super) fn calls_failed(failed: u64, taken: u64) -> String {
    let taken = match taken {
        1 => "1 message".to_owned(),
        taken => format!("{taken} messages"),
    };
    let failed = match failed {
        1 => "1 call".to_owned(),
        failed => format!("{failed} calls"),
    };
    format!("Today Vonage took {taken}, and {failed} came to nothing.")
}

pub(super) fn outbox(count: u64, oldest: &str) -> String {
    match count {
        1 => format!("1 message waits, for {oldest}."),
        count => format!("{count} messages wait, the oldest for {oldest}."),
    }
}

pub(super) fn lines_send(count: usize) -> String {
    match count {
        1 => "The line sends.".to_owned(),
        count => format!("All {count} lines send."),
    }
}

pub(super) fn lines_halted(count: usize) -> String {
    match count {
        1 => "One line stands still: it sends nothing.".to_owned(),
        count => format!("{count} lines stand still: they send nothing."),
    }
}

pub(super) fn unrouted_wait(count: u64) -> String {
    match count {
        1 => "1 webhook could not be put where it belongs.".to_owned(),
        count => format!("{count} webhooks could not be put where they belong."),
    }
}

fn operations_wait(queue: usize) -> String {
    match queue {
        1 => "1 operation waits".to_owned(),
        queue => format!("{queue} operations wait"),
    }
}

pub(super) fn written_in(took: Duration, queue: usize) -> String {
    let took = took.as_millis().max(1);
    match queue {
        0 => format!("It takes {took} ms to record something, and nothing waits."),
        queue => format!(
            "It takes {took} ms to record something; {}.",
            operations_wait(queue)
        ),
    }
}

pub(super) fn not_written(patience: Duration, queue: usize) -> String {
    let seconds = patience.as_secs();
    format!(
        "Recording does not work, or takes longer than {seconds} seconds; {}.",
        operations_wait(queue)
    )
}

pub(super) fn models_old(names: &str) -> String {
    format!("These are not what this version of Docket builds yet: {names}.")
}

pub(super) fn built(version: i32, ago: &str) -> String {
    format!("Version {version}, {ago}")
}

pub(super) fn database(size: &str, events: u64, last: Option<&str>) -> String {
    match last {
        Some(ago) if events == 1 => {
            format!("It takes {size}. The history has 1 event, from {ago}.")
        }
        Some(ago) => {
            format!("It takes {size}. The history has {events} events, the last from {ago}.")
        }
        None => format!("It takes {size}. Nothing has happened yet."),
    }
}

/// What goes to and fro.
pub(super) fn activity(what: &str) -> &'static str {
    match what {
        "inbound" => "Messages",
        "status" => "Delivery reports",
        _ => "Calls",
    }
}

/// What became of it.
pub(super) fn activity_result(what: &str, result: &str) -> &'static str {
    match (what, result) {
        ("send", "accepted") => "Vonage took it",
        ("send", "retry") => "Did not work now, tried again",
        ("send", "refused") => "Vonage refused the message",
        ("send", "halted") => "Vonage refused us, the line stands still",
        ("send", "uncertain") => "Unknown, the answer is missing",
        (_, "accepted") => "Taken in",
        (_, "duplicate") => "Came again, nothing to do",
        (_, "unrouted") => "Kept as unrouted",
        (_, "unsigned") => "Without a signature, not taken",
        (_, "wrongly_signed") => "Wrong signature, refused",
        (_, "unavailable") => "Could not be recorded, Vonage comes again",
        (_, "too_large") => "Too large, refused",
        (_, "incomplete") => "Broke off, Vonage comes again",
        (_, "swapped") => "At the other one's address",
        (_, "wrong_address") => "At a wrong address",
        (_, "wrong_method") => "With another method than POST",
        (_, "older_api") => "In the form of an older API",
        _ => "Broken or too large, refused",
    }
}

// The log.

words! {
    CONTACTS = "Contacts";
    LOG = "Log";
    LOG_ABOUT = "Everything that has happened, newest first. Nobody can change it.";
    LOG_SEARCH = "Search the log";
    LOG_ACTOR_HINT = "An email, Vonage or Docket";
    LOG_CASE = "Case";
    LOG_NUMBER = "Contact’s number";
    LOG_SINCE = "From";
    LOG_UNTIL = "Before";
    LOG_ALL = "Show all";
    WHOSE = "Of";
    LOG_NEWEST = "Newest events";
    LOG_BEYOND = "The log does not go as far as this page. It was restored from an older backup; begin again with the newest events.";
    SEARCH_FURTHER = "Search further back";
    ALL_OF_THESE = "All of these";
    EXPORT = "Export";
    EXPORT_ABOUT = "A file with one event a line, as JSON in the form of CloudEvents 1.0. Leave both times empty for the whole log. That you export it is recorded.";
    EXPORT_BUTTON = "Export the log";
    PROOF = "Proof";
    PROOF_UNSIGNED = "No signed checkpoint covers this case yet. One follows within a minute.";
    PROOF_EXPORT = "Export the case with its proof";
    HEALTH_PROOF = "Proof of the log";
    HEALTH_PROOF_NONE = "No checkpoint is signed yet. One follows within a minute of the first event.";
    HEALTH_PROOF_ADVICE = "Until this is mended, nothing new is signed or sent. Recording goes on.";
    PUBLIC_KEY = "Public key of the log";
    NO_SUCH_ACTOR = "Write an email, or Vonage, or Docket, as who did it.";
    NO_SUCH_REFERENCE = "Write the number of a case, such as #123.";
    ONLY_OVERSEERS = "This is for auditors and owners.";
}

pub(super) fn searched_back_to(position: i64) -> String {
    format!("The log was searched back to position {position}.")
}

/// What the streams of an aggregate are about.
pub(super) fn aggregate(aggregate: &str) -> &'static str {
    match aggregate {
        "Case" => "Cases",
        "Survey" => "Surveys",
        "Line" => "Lines",
        "HeldWebhook" => "Unrouted webhooks",
        "User" => "Users and tokens",
        "Session" => "Signing in and out",
        "SignInAttempts" => "Failed attempts to sign in",
        "CaseViews" => "Looks at cases",
        "Export" => "Exports",
        "Installation" => "Vonage's settings",
        "Labels" => "Labels",
        _ => "Others",
    }
}

/// The type of an event as people read it: `MessageMovedOut` is “Message moved out”.
pub(super) fn spaced(event_type: &str) -> String {
    let mut text = String::new();
    for c in event_type.chars() {
        if c.is_uppercase() && !text.is_empty() {
            text.push(' ');
            text.extend(c.to_lowercase());
        } else {
            text.push(c);
        }
    }
    text
}

/// What Vonage said to the credentials.
pub(super) fn trial(trial: Trial) -> String {
    match trial {
        Trial::Accepted => "Vonage accepts the credentials: it refused the empty message as incomplete, and nothing was sent.".to_owned(),
        Trial::NoBalance => "Vonage accepts the credentials, but the account has no balance left (402). Nothing was sent.".to_owned(),
        Trial::Refused => "Vonage does not accept the credentials (401). Check that the private key belongs to the application id.".to_owned(),
        Trial::Unreachable => "Vonage could not be reached, so nothing is known of the credentials. Check that the server has a way to Vonage's address, and try again.".to_owned(),
        Trial::Unclear { status } => format!("Vonage answered {status}, which says nothing of the credentials. Nothing was sent. Try again later."),
    }
}

/// Where one of Vonage's settings comes from. `is_secret` is whether it is never shown.
pub(super) const fn source(source: Source, is_secret: bool) -> &'static str {
    match source {
        Source::Missing => VONAGE_MISSING,
        Source::Configured => VONAGE_CONFIGURED,
        Source::Entered if is_secret => VONAGE_ENTERED,
        Source::Entered => VONAGE_ENTERED_ID,
        Source::Unreadable => VONAGE_UNREADABLE,
    }
}

pub(super) fn last_changed(by: Option<&str>) -> String {
    format!("Last changed by {},", by.unwrap_or(SYSTEM))
}

/// Why a survey was not changed.
pub(super) fn survey_refusal(error: &SurveyError) -> String {
    match error {
        SurveyError::NotCreated => NO_SUCH_SURVEY.to_owned(),
        SurveyError::AlreadyCreated => "The survey exists already.".to_owned(),
        SurveyError::ChangedSince { .. } => SETTINGS_CHANGED.to_owned(),
        SurveyError::Name(field) => {
            let what = match *field {
                "name" => "The name",
                "status.question" => "The status question",
                _ => "Each answer",
            };
            format!("{what} must have 1 to {MAX_NAME_CHARS} characters on one line.")
        }
        SurveyError::Choices => format!("The status question needs 2 to {MAX_CHOICES} answers."),
        SurveyError::RepeatedChoice => "Two answers are the same.".to_owned(),
        SurveyError::ClosedValue => "Choose which answer closes a case.".to_owned(),
        SurveyError::TimeZone => outgoing::NO_SUCH_TIME_ZONE.to_owned(),
        SurveyError::TemplateChangedSince => TEMPLATE_CHANGED.to_owned(),
        SurveyError::Templates => format!("A survey can have {MAX_TEMPLATES} templates at most."),
        SurveyError::TemplateName => {
            format!(
                "A template's name must have 1 to {MAX_TEMPLATE_NAME_CHARS} characters on one line."
            )
        }
        SurveyError::TemplateText => {
            format!(
                "A template's text must have 1 to {MAX_TEMPLATE_CHARS} characters, and no control characters but line breaks and tabs."
            )
        }
        SurveyError::RepeatedTemplate => "Another template of the survey has that name.".to_owned(),
    }
}

/// Why a line was not changed.
pub(super) fn line_refusal(error: &ChangeLineError) -> String {
    match error {
        ChangeLineError::Line(LineError::NotAdded | LineError::Removed) => {
            NO_SUCH_LINE_THERE.to_owned()
        }
        ChangeLineError::Line(LineError::AlreadyAdded) => "The line exists already.".to_owned(),
        ChangeLineError::Line(LineError::ChangedSince { .. }) => SETTINGS_CHANGED.to_owned(),
        ChangeLineError::Line(LineError::Number) => {
            "The number must be an international number of 7 to 15 digits, such as +44 7700 900123."
                .to_owned()
        }
        ChangeLineError::Line(LineError::Reply) => {
            format!("The automatic reply can have {MAX_REPLY_CHARS} characters at most.")
        }
        ChangeLineError::Line(LineError::Text(_) | LineError::OfficeHours(_)) => {
            sentence(&error.to_string())
        }
        ChangeLineError::NumberTaken(taken) => {
            format!("Another line has that number for {}.", channel(*taken))
        }
        ChangeLineError::NoSurvey => "Choose the survey that gets the line's messages.".to_owned(),
    }
}

// Reports.

words! {
    REPORTS = "Reports";
    REPORTS_ABOUT = "Days are those of UTC. A message counts on the day on which Docket recorded it.";
    REPORT_FROM = "From";
    REPORT_TO = "To";
    REPORT_MESSAGES = "Messages a day";
    REPORT_CASES = "Cases a day";
    REPORT_RESPONSES = "Time to the first answer";
    REPORT_RESPONSES_ABOUT = "From the beginning of a case to the first message that a person wrote in it, of cases that began in these days. Automatic replies are no answer, and cases that we began are left out.";
    REPORT_CLOSINGS = "Time to closing";
    REPORT_CLOSINGS_ABOUT = "From the beginning of a case to its closing, of cases that were closed in these days and are closed still.";
    REPORT_IN = "Received";
    REPORT_OUT = "Sent";
    REPORT_OPENED = "Begun";
    REPORT_CLOSED = "Closed";
    REPORT_DAY = "Day";
    REPORT_TOTAL = "Total";
    REPORT_TABLE = "As a table";
    REPORT_CSV = "Download as CSV";
    REPORT_WHO = "Whose";
    REPORT_COUNT = "Cases";
    REPORT_MEDIAN = "Median";
    REPORT_P90 = "90th percentile";
    REPORT_ALL = "All cases";
    REPORT_NOBODY = "No person";
    REPORT_REMOVED = "Unknown";
    REPORT_NOTHING = "No case in these days.";
    REPORT_HOW = "Half of the cases took no longer than the median, nine of ten no longer than the 90th percentile.";
    CSV_DAY = "day (UTC)";
    CSV_KIND = "kind";
    CSV_NAME = "name";
    CSV_MEDIAN = "median (seconds)";
    CSV_P90 = "90th percentile (seconds)";
    CSV_ALL = "all";
    CSV_SURVEY = "survey";
    CSV_PERSON = "person";
    NO_SUCH_TABLE = "There is no such table.";
}

pub(super) fn unanswered(count: u64) -> String {
    match count {
        0 => "No open case of these days waits for its first answer.".to_owned(),
        1 => "1 open case of these days waits for its first answer.".to_owned(),
        count => format!("{count} open cases of these days wait for their first answer."),
    }
}

/// How long something took, in its two largest units.
pub(super) fn duration(seconds: f64) -> String {
    #[expect(
        clippy::cast_possible_truncation,
        reason = "a duration is far below 2^63 seconds, and the cast saturates"
    )]
    let seconds = seconds.max(0.0).round() as i64;
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3_600 % 24, seconds / 60 % 60);
    match (days, hours, minutes, seconds % 60) {
        (0, 0, 0, seconds) => format!("{seconds} s"),
        (0, 0, minutes, 0) => format!("{minutes} min"),
        (0, 0, minutes, seconds) => format!("{minutes} min {seconds} s"),
        (0, hours, 0, _) => format!("{hours} h"),
        (0, hours, minutes, _) => format!("{hours} h {minutes} min"),
        (days, 0, ..) => format!("{days} d"),
        (days, hours, ..) => format!("{days} d {hours} h"),
    }
}

/// What a chart of days shows, for those who do not see it.
pub(super) fn chart_of_days(
    names: [&str; 2],
    totals: [u64; 2],
    most: [(u64, &str); 2],
    from: &str,
    to: &str,
) -> String {
    let [one, other] = names.map(str::to_lowercase);
    let one_most = if totals[0] > 0 {
        format!(", at most {} on {}", most[0].0, most[0].1)
    } else {
        String::new()
    };
    let other_most = if totals[1] > 0 {
        format!(", at most {} on {}", most[1].0, most[1].1)
    } else {
        String::new()
    };
    format!(
        "From {from} to {to}: {} {one}{one_most}; {} {other}{other_most}. The table below has every day.",
        totals[0], totals[1]
    )
}

/// What a chart of times shows, for those who do not see it.
pub(super) fn chart_of_times(count: usize) -> String {
    match count {
        1 => "A bar for the median, and a line to the 90th percentile. The table below has the numbers.".to_owned(),
        count => format!("{count} bars, each for a median, with a line to the 90th percentile. The table below has the numbers."),
    }
}

pub(super) fn median_and_p90(median: &str, p90: &str) -> String {
    format!("{median}, nine of ten {p90}")
}

// Settings that somebody else has changed since.

words! {
    SETTINGS_CHANGED = "Somebody else has changed these settings since you opened this page, so yours were not saved.";
    VONAGE_CHANGED = "Somebody else has changed these settings since you opened this page, so yours were not saved. Enter secrets once more, if you entered any.";
    VONAGE_ANOTHER_SECRET = "as it was entered";
    RIGHTS_CHANGED = "Somebody else has changed what this person may do since you opened this page, so yours was not saved.";
    TEMPLATE_CHANGED = "Somebody else has changed this template since you opened the page, so yours was not saved. Save again to put yours in its place.";
    TEMPLATE_SAYS_NOW = "It says now:";
    SETTINGS_CHANGED_KEPT = "What you changed is kept below, and everything else is as it is now. Save again to have it so.";
    SETTINGS_CHANGED_WAS = "was";
    SETTINGS_CHANGED_NOW = "is now";
    SETTINGS_CHANGED_YOURS = "you entered";
    SETTINGS_CHANGED_NOTHING = "none";
    SETTING_ON = "on";
    SETTING_OFF = "off";
}

pub(super) fn changed_by(who: &str) -> String {
    format!("Changed by {who},")
}

// The reply box: where to write, and sending with closing.

words! {
    WRITE_HERE = "Write here, / for saved replies";
    WRITE_HERE_ALONE = "Write here";
    SEND_AND_CLOSE = "Send and close";
    NO_LINE = "The line that this person wrote to was removed, so no reply can be sent. Ask an owner to add it again. Notes can still be written.";
    NOT_CONNECTED = "Sending is not set up yet, so replies wait. Ask an owner to connect Vonage in Settings.";
}

pub(super) fn removed_line(line: &str) -> String {
    format!("{line}, removed")
}

// The open cases of somebody who does not reach them any more.

words! {
    HAND_OVER = "Open cases out of their reach";
    HAND_OVER_ABOUT = "Nobody else is told of these cases until they are handed over.";
    HAND_OVER_WHAT = "Open cases that they will not reach any more go to";
    HAND_OVER_REMOVED = "Their open cases go to";
    HAND_OVER_TO = "They go to";
    HAND_OVER_SUBMIT = "Hand over";
    HAND_TO_NOBODY = "Nobody: back to Unassigned";
    HAND_LEAVE = "Stay with them for now";
    LEFT_BEHIND = "Open cases of people who were removed";
}

fn open_cases(count: u64) -> String {
    match count {
        1 => "1 open case".to_owned(),
        count => format!("{count} open cases"),
    }
}

/// How many open cases somebody sees to; empty for none.
pub(super) fn sees_to(count: u64) -> String {
    if count == 0 {
        String::new()
    } else {
        format!("Sees to {}", open_cases(count))
    }
}

/// How many open cases are somebody's whom they are out of reach of.
pub(super) fn stranded(count: u64) -> String {
    format!("{} out of reach", open_cases(count))
}

/// How many open cases somebody has left behind who was removed.
pub(super) fn left_behind(count: u64) -> String {
    format!("Was removed and still has {}.", open_cases(count))
}

/// What became of somebody's open cases; empty where there were none.
pub(super) fn handed_over(count: u64, kept: u64) -> String {
    let handed = match count {
        0 => String::new(),
        1 => "1 open case of theirs was handed over.".to_owned(),
        count => format!("{count} open cases of theirs were handed over."),
    };
    let stays = match kept {
        0 => String::new(),
        1 => "1 open case of theirs stays with them, because whoever was chosen does not reach it."
            .to_owned(),
        kept => format!(
            "{kept} open cases of theirs stay with them, because whoever was chosen does not reach them."
        ),
    };
    [handed, stays].join(" ").trim().to_owned()
}

/// How far a case is verified; the time follows.
pub(super) fn proof_verified(size: i64, is_whole: bool) -> String {
    let size = thousands(size);
    if is_whole {
        format!("Verified up to event #{size} of the log, signed")
    } else {
        format!(
            "Verified up to event #{size} of the log, and newer events wait for the next checkpoint. Signed"
        )
    }
}

/// That a case is not what was signed.
pub(super) fn proof_altered(position: Option<i64>) -> String {
    let what = position.map_or_else(
        || "The log is not the one that was signed.".to_owned(),
        |position| {
            format!(
                "Event #{} of the log is not the one that was signed.",
                thousands(position)
            )
        },
    );
    format!("{what} Run docket verify.")
}

/// How far the log is signed.
pub(super) fn proof_signed(size: i64, waiting: i64, ago: &str) -> String {
    let waiting = match waiting {
        ..=0 => "Nothing waits to be signed.".to_owned(),
        1 => "One event waits for the next checkpoint.".to_owned(),
        more => format!("{} events wait for the next checkpoint.", thousands(more)),
    };
    format!("Signed up to event #{}, {ago}. {waiting}", thousands(size))
}

/// A number with its thousands set apart.
fn thousands(number: i64) -> String {
    let digits = number.to_string();
    let mut apart = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            apart.push(',');
        }
        apart.push(digit);
    }
    apart
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn browsers_are_told_apart() {
        let edge =
            "Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 Chrome/120.0 Safari/537.36 Edg/120.0";
        assert_eq!(browser(edge), "Edge on Windows");
        assert_eq!(
            browser("Mozilla/5.0 (X11; Linux) Firefox/140.0"),
            "Firefox on Linux"
        );
        assert_eq!(browser("curl/8"), BROWSER_UNKNOWN);
    }

    #[test]
    fn spans_are_told_in_their_largest_unit() {
        let told = |seconds| span(TimeDelta::seconds(seconds));
        assert_eq!(told(-5), "0 seconds");
        assert_eq!(told(1), "1 second");
        assert_eq!(told(119), "1 minute");
        assert_eq!(told(7_200), "2 hours");
        assert_eq!(told(172_800), "2 days");
        assert_eq!(ago(TimeDelta::milliseconds(10)), "just now");
    }

    #[test]
    fn what_became_of_open_cases_is_told() {
        assert_eq!(handed_over(0, 0), "");
        assert_eq!(handed_over(1, 0), "1 open case of theirs was handed over.");
        assert_eq!(
            handed_over(0, 1),
            "1 open case of theirs stays with them, because whoever was chosen does not reach it."
        );
        assert_eq!(
            handed_over(3, 2),
            "3 open cases of theirs were handed over. \
             2 open cases of theirs stay with them, because whoever was chosen does not reach them."
        );
    }

    #[test]
    fn one_is_told_as_one() {
        assert_eq!(
            calls_failed(1, 1),
            "Today Vonage took 1 message, and 1 call came to nothing."
        );
        assert_eq!(
            written_in(Duration::from_millis(3), 1),
            "It takes 3 ms to record something; 1 operation waits."
        );
        assert_eq!(
            database("9 MB", 1, Some("just now")),
            "It takes 9 MB. The history has 1 event, from just now."
        );
    }

    #[test]
    fn sizes_are_told_in_their_largest_unit() {
        assert_eq!(bytes(10), "1 MB");
        assert_eq!(bytes(9 << 20), "9 MB");
        assert_eq!(bytes(3 << 29), "1.5 GB");
    }

    #[test]
    fn durations_are_told_in_their_two_largest_units() {
        for (seconds, told) in [
            (0.4, "0 s"),
            (59.6, "1 min"),
            (240.0, "4 min"),
            (456.0, "7 min 36 s"),
            (3_600.0, "1 h"),
            (5_040.0, "1 h 24 min"),
            (86_400.0, "1 d"),
            (100_000.0, "1 d 3 h"),
        ] {
            assert_eq!(duration(seconds), told);
        }
    }
}
