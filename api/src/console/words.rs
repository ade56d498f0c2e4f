//! Every sentence that people read in the console, in English. A translation is this file in another language.

use axum::http::StatusCode;
use docket_domain::delivery::Status;
use docket_domain::routing::{Routed, Rule};
use docket_domain::user::Role;
use docket_projections::read::cases::LinkKind;

use super::place::View;
use crate::http::problem::{Kind, Problem};

macro_rules! words {
    ($($name:ident = $text:literal;)+) => {
        $(pub(super) const $name: &str = $text;)+
    };
}

words! {
    LANGUAGE = "en";
    PRODUCT = "Docket";
    SKIP = "Skip to the content";

    SIGN_IN = "Sign in";
    SIGN_IN_ABOUT = "Conversations by SMS and WhatsApp, kept as cases.";
    EMAIL = "Email";
    PASSWORD = "Password";
    SIGN_IN_WRONG = "That email and password do not go together. Try again.";
    SIGN_IN_TOO_OFTEN = "There were too many attempts. Wait a minute and try again.";
    SIGN_IN_COOKIES = "The form was open for too long, or your browser keeps no cookies. Try again.";
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
    SEARCH_HINT = "Number, #reference or words";
    SURVEY = "Survey";
    ALL_SURVEYS = "All surveys";
    SHOW = "Show";
    CASES = "Cases";
    NO_CASES = "No cases here.";
    NO_CASES_FOUND = "Nothing was found.";
    OLDER = "Older cases";
    NEWEST = "Back to the newest";
    NOTHING_CHOSEN = "Choose a case to read it.";
    UNASSIGNED = "Nobody sees to it";

    BACK_TO_LIST = "Cases";
    BACK_TO_THREAD = "Back to the messages";
    DETAILS = "Details";
    MESSAGES = "Messages";
    EARLIER = "Show earlier messages";
    LATER = "Show the newest messages";
    NUMBER = "Number";
    NAME = "Name";
    LINE = "Line";
    OPENED = "Opened";
    LINKS = "Linked cases";
    OTHER_CASES = "Other cases of this contact";
    OPEN = "Open";
    CLOSED = "Closed";
    ASSIGNEE = "Seen to by";
    NOBODY = "Nobody";
    ASSIGN = "Assign";
    ASSIGN_TO_ME = "Assign to me";
    TITLE = "Title";
    RENAME = "Rename";
    SET_STATUS = "Set";
    NEW_SINCE = "New since you looked";
    SENT_AS = "Sent as";
    NOTE = "Note";
    NOTE_INTERNAL = "Note, seen by colleagues only";
    QUOTES = "Answers";
    UNDO = "Undo";

    REPLY = "Reply";
    WRITE_AS = "Write as";
    TEXT = "Text";
    SEND = "Send reply";
    SEND_ALL_THE_SAME = "Send all the same";
    ADD_NOTE = "Add note";
    CASE_CLOSED = "The case is closed. Set another status to reopen it.";
    REPLY_CLOSED = "The case is closed: an answer to what you send comes into another one.";
    NO_REPLY_WITHDRAWN = "The move that made this case was undone. It stays closed.";
    SAID_SINCE = "Something was said while you wrote, so nothing was sent yet. Read what is marked as new, then send your reply or change it.";

    MOVE = "Move";
    MOVE_MESSAGE = "Move this message";
    MOVE_ABOUT = "The message leaves this case. Both cases show where it went, and link to each other.";
    MOVE_TO = "Where to";
    MOVE_NEW = "A new case";
    MOVE_COMMENT = "Comment";
    MOVE_COMMENT_HINT = "Colleagues see it in both cases. It is never sent.";
    MOVE_CONFIRM = "Move the message";
    CANCEL = "Cancel";
    UNDO_MOVE = "Undo the move";
    SEND_AGAIN = "Send again";
    SEND_AGAIN_FAILED = "It did not arrive. Sending it again makes a new attempt.";
    SEND_AGAIN_UNCERTAIN = "It may have arrived. Sending it again can make it arrive twice.";

    BEGIN_ABOUT = "Write to somebody first. Their answers come into the new case.";
    BEGIN_LINE = "From";
    BEGIN_NUMBER = "To";
    BEGIN_NUMBER_HINT = "An international number, such as +44 7700 900123";
    BEGIN_TITLE = "Title (optional)";
    BEGIN_TITLE_HINT = "Left empty, it is made from the message.";
    BEGIN = "Send and begin the case";
    BEGIN_NO_LINES = "There are no lines yet. An owner adds them.";

    ONLY_LOOKING = "You may read everything and change nothing, because you are an auditor.";
    FORM_FROM_ELSEWHERE = "The form was sent from another site, so nothing was done.";
    FORM_UNREADABLE = "The form could not be read, so nothing was done. Go back and try again.";
    FORM_TOO_OLD = "The form is too old, so nothing was done. Go back, reload the page and try again.";
    NO_SUCH_COLLEAGUE = "only agents and owners see to cases, and nobody of them has that email";
    NO_SUCH_LINE = "choose the line to write from";
    NO_SUCH_CASE = "There is no such case.";
    NO_SUCH_MESSAGE = "The message does not stand in this case any more.";
    TO_THE_INBOX = "To the inbox";

    LIVE_BROKEN = "The connection is broken. Docket tries again by itself.";
    LIVE_NEW = "New messages came.";

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
        View::Mine => "Mine",
        View::Unassigned => "Unassigned",
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

/// Why an inbound message stands where it does. `by` is who moved it.
pub(super) fn why(routed: &Routed, by: Option<&str>) -> String {
    let all: Vec<String> = routed
        .references
        .iter()
        .map(|reference| format!("#{reference}"))
        .collect();
    let first = all.first().map_or("", String::as_str);
    match routed.rule {
        Rule::First => "No case was open, so it began this one".to_owned(),
        Rule::OnlyOpen => "The only open case".to_owned(),
        Rule::AllOpen => format!("All {} open cases, linked: {}", all.len(), all.join(", ")),
        Rule::Reference => format!("It names {}", all.join(", ")),
        Rule::Quote => format!("It quotes a message in {}", all.join(", ")),
        Rule::NewRequested => "It asks for a new case with #0".to_owned(),
        Rule::Follows => format!("Follows {first}, which is closed"),
        Rule::CasesDisabled => "Each message is a record of its own".to_owned(),
        Rule::Moved => match by {
            Some(by) => format!("Moved from {first} by {by}"),
            None => format!("Moved from {first}"),
        },
    }
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

pub(super) fn status_changed(who: &str, before: Option<&str>, value: &str, closed: bool) -> String {
    let closing = if closed {
        ", which closed the case"
    } else {
        ""
    };
    match before {
        Some(before) => format!("{who} set the status from {before} to {value}{closing}"),
        None => format!("{who} set the status to {value}{closing}"),
    }
}

pub(super) fn assigned(who: &str, before: Option<&str>, to: Option<&str>) -> String {
    match (before, to) {
        (_, Some(to)) if to == who => format!("{who} took the case"),
        (_, Some(to)) => format!("{who} gave the case to {to}"),
        (Some(before), None) => format!("{who} took the case from {before}; nobody sees to it"),
        (None, None) => format!("{who} left the case to nobody"),
    }
}

pub(super) fn renamed(who: &str, before: &str, title: &str) -> String {
    format!("{who} renamed the case from “{before}” to “{title}”")
}

pub(super) fn moved_out(who: &str, to: u32) -> String {
    format!("{who} moved a message to #{to}")
}

pub(super) fn moved_in(who: &str, from: u32) -> String {
    format!("{who} moved a message here from #{from}")
}

pub(super) fn appended(reference: u32) -> String {
    format!("#{reference} is added at the end.")
}

pub(super) fn goes_out_from(line: &str) -> String {
    format!("Goes out from {line}.")
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
        "noted" => "The note was added.",
        "status" => "The status was set.",
        "closed" => "The case was closed.",
        "assigned" => "The case was assigned.",
        "renamed" => "The case was renamed.",
        "moved" => "The message was moved here.",
        "unmoved" => "The move was undone.",
        "resent" => "The message is sent again.",
        "begun" => "The case was begun.",
        _ => "",
    }
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
fn sentence(text: &str) -> String {
    let mut chars = text.chars();
    match chars.next() {
        Some(first) => format!("{}{}.", first.to_uppercase(), chars.as_str()),
        None => String::new(),
    }
}

pub(super) const fn failure_title(status: StatusCode) -> &'static str {
    match status.as_u16() {
        403 => "Not possible",
        404 => "Not there",
        500.. => "Something went wrong",
        _ => "Not done",
    }
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
pub(super) const CARD_OPEN_HINT: &str = "Vonage keeps files for 48 hours.";

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
    MOMENT_AT = "At a time (UTC)";
    MOMENT_SHOW = "Show";
    MOMENT_FIRST = "First";
    MOMENT_PREVIOUS = "Previous";
    MOMENT_NEXT = "Next";
    MOMENT_LAST = "Last";
    MOMENT_LINKS = "From moment to moment";
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
    NO_EVENTS = "No event is like that.";
    EVENTS_EARLIER = "Earlier events";
    EVENTS_LATER = "Later events";
    CASE_AFTER = "The case after this";
    RECORDED_AT = "Recorded";
    HAPPENED_AT = "Vonage’s time";
    RAW = "Ids and raw event";
    WHO_UNKNOWN = "Not known";
    FACT_TYPE = "Type";
    FACT_STREAM = "Stream";
    FACT_SEQUENCE = "Number in the stream";
    FACT_POSITION = "Position in the log";
    FACT_RECORDED = "Recorded";
    FACT_PROVIDER = "Vonage’s id";
    FACT_USER = "User id";
    FACT_REQUEST = "Request id";
    FACT_CAUSE = "Cause";
}

pub(super) fn event_kind(kind: &str) -> &'static str {
    match kind {
        "said" => "Messages",
        "delivery" => "Delivery",
        "status" => "Status",
        "assignee" => "Who sees to it",
        "title" => "Beginning and titles",
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

pub(super) fn events(count: usize) -> String {
    match count {
        1 => "1 event".to_owned(),
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

pub(super) fn items_hidden(count: usize) -> String {
    format!("Show the {count} before these")
}

pub(super) fn items_added(count: usize) -> String {
    match count {
        0 => "Nothing was added since".to_owned(),
        1 => "1 was added since".to_owned(),
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

pub(super) fn history_of(reference: u32) -> String {
    format!("History of #{reference}")
}

pub(super) fn it_went(to: u32) -> String {
    format!("It went to #{to}")
}

// The log.

words! {
    LOG = "Log";
    LOG_ABOUT = "Everything that has happened, newest first. Nobody can change it. Times are in UTC.";
    LOG_SEARCH = "Search the log";
    LOG_ACTOR_HINT = "An email, Vonage or Docket";
    LOG_CASE = "Case";
    LOG_NUMBER = "Contact’s number";
    LOG_SINCE = "From (UTC)";
    LOG_UNTIL = "Before (UTC)";
    LOG_ALL = "Show all";
    WHOSE = "Of";
    LOG_NEWEST = "Newest events";
    SEARCH_FURTHER = "Search further back";
    ALL_OF_THESE = "All of these";
    EXPORT = "Export";
    EXPORT_ABOUT = "A file with one event a line, as JSON in the form of CloudEvents 1.0. Leave both times empty for the whole log. That you export it is recorded.";
    EXPORT_BUTTON = "Export the log";
    NO_SUCH_ACTOR = "Write an email, or Vonage, or Docket, as who did it.";
    NO_SUCH_REFERENCE = "Write the number of a case, such as #123.";
    ONLY_OVERSEERS = "The log is for auditors and owners.";
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
}
