//! Every sentence that people read in the console, in English. A translation is this file in another language.

use std::time::Duration;

use axum::http::StatusCode;
use chrono::TimeDelta;
use docket_domain::delivery::Status;
use docket_domain::held::{HeldReason, WebhookKind};
use docket_domain::routing::{Routed, Rule};
use docket_domain::user::Role;
use docket_projections::read::cases::LinkKind;
use docket_projections::read::unrouted::Cause;

use super::owners::health::Tone;
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
pub(super) fn sentence(text: &str) -> String {
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
    ONLY_OWNERS = "Only owners can see and change the settings.";
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
    OLD_PASSWORD = "Present password";
    AGAIN_PASSWORD = "New password once more";
    OWN_PASSWORD_HINT = "At least 10 characters. A sentence that only you know is good.";
    OWN_PASSWORD_ABOUT = "You stay signed in here, and are signed out everywhere else.";
    CHANGE_PASSWORD = "Change the password";
    PASSWORDS_DIFFER = "the two new passwords are not the same";
    OLD_PASSWORD_WRONG = "the present password is not right";

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
        "revoked" => "The token was ended.",
        "resumed" => "The line sends again. What waited goes out now.",
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
    UNROUTED_WHY = "Why";
    UNROUTED_CAME = "Came";
    UNROUTED_BODY = "What came";
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
    }
}

/// What an owner can do about it.
pub(super) const fn cause_advice(reason: HeldReason) -> &'static str {
    match reason {
        HeldReason::UnknownLine => {
            "Add a line with that number and channel, then route them again. They go where they would have gone, in the order in which they came."
        }
        HeldReason::Undecodable => {
            "Vonage sent something that Docket does not understand. If it says that it was read but could not be recorded, look at the server's log; otherwise a newer version of Docket may read it."
        }
        HeldReason::UnknownType => {
            "Vonage has a kind of message that this version of Docket does not know. Update Docket, then route them again."
        }
        HeldReason::UnknownMessage => {
            "Another program may send with the same Vonage application. If Docket sent them, route them again; otherwise leave them."
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
    HEALTH_WRONG_SECRET = "Compare the signature secret with the one in the account's settings at Vonage. If they are the same, somebody else knocks; nothing of theirs is taken in.";
    HEALTH_NO_WEBHOOK = "No webhook has come from Vonage yet.";
    HEALTH_NO_WEBHOOK_ADVICE = "Write to one of your numbers. If nothing comes, check at Vonage that the application's two webhook addresses are those of this server.";
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
    HEALTH_MODELS_ALL = "All read models";
    HEALTH_HALTED = "Lines that stand still";
    RESUME = "Resume sending";
    NO_SUCH_LINE_THERE = "There is no such line, or not any more.";
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

pub(super) fn wrongly_signed(count: u64) -> String {
    match count {
        1 => "1 webhook came today with a wrong signature and was refused.".to_owned(),
        count => format!("{count} webhooks came today with wrong signatures and were refused."),
    }
}

pub(super) fn calls_failed(failed: u64, taken: u64) -> String {
    format!("Today Vonage took {taken} messages, and {failed} calls came to nothing.")
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

pub(super) fn written_in(took: Duration, queue: usize) -> String {
    let took = took.as_millis().max(1);
    match queue {
        0 => format!("It takes {took} ms to record something, and nothing waits."),
        queue => format!("It takes {took} ms to record something; {queue} operations wait."),
    }
}

pub(super) fn not_written(patience: Duration, queue: usize) -> String {
    let seconds = patience.as_secs();
    format!(
        "Recording does not work, or takes longer than {seconds} seconds; {queue} operations wait."
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
        _ => "Broken or too large, refused",
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
    REPORT_WHO = "Of";
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
