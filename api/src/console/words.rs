//! Every sentence that people read in the console, in English. A translation is this file in another language.

use std::borrow::Cow;

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
    REPLY_CLOSED = "This case is closed. What you send goes out all the same, but an answer to it comes into another case.";
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

/// `question` is what was asked, where the survey asks something else today.
pub(super) fn status_changed(
    who: &str,
    question: Option<&str>,
    before: Option<&str>,
    value: &str,
    closed: bool,
) -> String {
    let closing = if closed {
        ", which closed the case"
    } else {
        ""
    };
    let value = isolated(value);
    let asked = match question {
        Some(question) => format!(" (“{}”)", isolated(question)),
        None => String::new(),
    };
    match before {
        Some(before) => {
            let before = isolated(before);
            format!("{who} set the status{asked} from {before} to {value}{closing}")
        }
        None => format!("{who} set the status{asked} to {value}{closing}"),
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
    let (before, title) = (isolated(before), isolated(title));
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
        "unread" => "The case is marked as unread.",
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

// The agents' desk: unread cases, the reply box, several cases at once, who else is there.

words! {
    UNREAD = "Unread";
    MARK_UNREAD = "Mark as unread";

    // What stands in braces is filled in, by the script too.
    COUNT_ONE_SMS = "1 SMS, room for {left} more characters";
    COUNT_SMS = "{parts} SMS, room for {left} more characters in the last";
    COUNT_OUTSIDE = "; “{outside}” makes each SMS shorter";
    COUNT_CHARACTERS = "{left} of {limit} characters left";
    TOO_LONG = "It is {over} characters too long: at most {limit} can be sent at once, the reference included.";
    HOURS_AND_MINUTES = "{hours} h {minutes} min";
    MINUTES = "{minutes} min";
    WINDOW_OPEN = "WhatsApp takes free text for another {left},";
    // Before and after the time.
    WINDOW_UNTIL = "until";
    WINDOW_AFTER = ", and after that only once the person has written again.";
    WINDOW_OVER = "More than 24 hours have passed since the person’s last message, and WhatsApp takes no free text any more. What you send now is tried all the same; WhatsApp will most likely refuse it, and it is then shown as failed. It works again as soon as they write.";
    WINDOW_NEVER = "The person has not written by WhatsApp yet, and WhatsApp takes free text only within 24 hours of their last message. What you send now is tried all the same; WhatsApp will most likely refuse it, and it is then shown as failed.";

    CLOSE_CASE = "Close case";
    NEW_BELOW = "New messages below";

    CHOOSE = "Choose";
    CHOSEN = "{count} chosen";
    CHOOSE_ALL = "All shown";
    CHOOSE_NONE = "None";
    BULK = "What to do with the chosen cases";
    BULK_DO = "Do it";
    BULK_CLOSE = "Close";
    BULK_READ = "Mark as read";
    BULK_ASSIGN = "Assign to";
    BULK_NOTHING_CHOSEN = "No case was chosen, so nothing was done.";
    BULK_NO_SUCH_COLLEAGUE = "Only agents and owners see to cases, and nobody of them has that email. Nothing was done.";
    BULK_UNKNOWN = "Choose what to do with the cases.";

    KEYS_CLOSE = "Close the case";
    KEYS_CHOOSE = "Choose the case, to do something with several";
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
            1 => "1 case has the answer again that it had.".to_owned(),
            count => format!("{count} cases have the answers again that they had."),
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

/// What an open window of WhatsApp's means, with that many minutes left.
pub(super) fn window_open(minutes_left: i64) -> String {
    let (hours, minutes) = (minutes_left / 60, (minutes_left % 60).to_string());
    let left = match hours {
        0 => filled(MINUTES, &[("minutes", &minutes)]),
        hours => filled(
            HOURS_AND_MINUTES,
            &[("hours", &hours.to_string()), ("minutes", &minutes)],
        ),
    };
    filled(WINDOW_OPEN, &[("left", &left)])
}

/// A number that is counted up to `max` only.
pub(super) fn count_up_to(count: usize, max: usize) -> String {
    match count {
        0 => String::new(),
        count if count > max => format!("{max}+"),
        count => count.to_string(),
    }
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
