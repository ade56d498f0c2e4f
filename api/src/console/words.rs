//! Every sentence that people read in the console, in English. A translation is this file in another language.

use axum::http::StatusCode;
use docket_domain::delivery::Status;
use docket_domain::line::{LineError, MAX_REPLY_CHARS};
use docket_domain::routing::{Routed, Rule};
use docket_domain::survey::{
    MAX_CHOICES, MAX_NAME_CHARS, MAX_TEMPLATE_CHARS, MAX_TEMPLATE_NAME_CHARS, MAX_TEMPLATES,
    SurveyError,
};
use docket_domain::user::Role;
use docket_projections::read::cases::LinkKind;

use super::place::View;
use super::thread::channel;
use crate::http::problem::{Kind, Problem};
use crate::operations::line::ChangeLineError;
use crate::vonage::client::Trial;
use crate::vonage_settings::Source;

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
        _ => whole_sentence(problem.detail()),
    }
}

/// A capital at the beginning and a stop at the end.
pub(super) fn whole_sentence(text: &str) -> String {
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
    TEMPLATE_INSERT = "Insert an answer";
    TEMPLATE_INSERT_BUTTON = "Insert";
    TEMPLATE_CHOOSE = "Choose …";

    LINES_TITLE = "Lines";
    LINES_ABOUT = "A line is one of your own numbers on one channel. Its messages go to one survey.";
    LINES_NONE = "There is no line yet.";
    LINE_NEW = "New line";
    LINE_CREATE = "Add the line";
    LINE_NUMBER = "Number";
    LINE_NUMBER_HINT = "As Vonage has it, international, such as +44 7700 900123";
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
    VONAGE_KEY_WRONG = "That is no private key that can sign. Take the file that begins with -----BEGIN PRIVATE KEY-----, RSA of 2048 bits or more.";
    VONAGE_SECRET_WRONG = "A signature secret has up to 1,000 characters on one line.";
    VONAGE_ADDRESS_WRONG = "Nothing can be sent with this key: the address of Vonage's API in the server's configuration must begin with https.";
    VONAGE_APPLICATION_ID_WRONG = "An application id has letters, digits and hyphens, as Vonage shows it.";
}

/// What a new survey begins with.
pub(super) const SURVEY_QUESTION_FIRST: &str = "How far is it?";
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
        "line" => "The line was saved.",
        "line-removed" => "The line was removed.",
        "resumed" => "Sending goes on.",
        _ => "",
    }
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
        SurveyError::Templates => format!("A survey can have {MAX_TEMPLATES} templates at most."),
        SurveyError::TemplateName => {
            format!(
                "A template's name must have 1 to {MAX_TEMPLATE_NAME_CHARS} characters on one line."
            )
        }
        SurveyError::TemplateText => {
            format!("A template's text must have 1 to {MAX_TEMPLATE_CHARS} characters.")
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
        ChangeLineError::Line(LineError::Number) => {
            "The number must be an international number of 3 to 15 digits, such as +44 7700 900123."
                .to_owned()
        }
        ChangeLineError::Line(LineError::Reply) => {
            format!("The automatic reply can have {MAX_REPLY_CHARS} characters at most.")
        }
        ChangeLineError::NumberTaken(taken) => {
            format!("Another line has that number for {}.", channel(*taken))
        }
        ChangeLineError::NoSurvey => "Choose the survey that gets the line's messages.".to_owned(),
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
