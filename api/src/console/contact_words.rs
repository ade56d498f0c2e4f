//! What the console says of contacts and of opting out.

pub(super) const ABOUT: &str = "People who wrote to a line, and people whom you wrote to or added.";
pub(super) const SEARCH: &str = "Name or number";
pub(super) const FIND: &str = "Find";
pub(super) const NONE: &str = "No contact was found.";
pub(super) const NEXT: &str = "Next";
pub(super) const FIRST: &str = "First page";
pub(super) const NAME: &str = "Name";
pub(super) const NAME_HINT: &str =
    "Counts before what the person calls themselves. Leave it empty to show that.";
pub(super) const PROFILE_NAME: &str = "Calls themselves";
pub(super) const NOTE: &str = "Note";
pub(super) const NOTE_HINT: &str = "Internal. It is never sent.";
pub(super) const SAVE: &str = "Save";
pub(super) const NUMBER: &str = "Number";
pub(super) const SURVEY: &str = "Survey";
pub(super) const CHANNELS: &str = "Channels";
pub(super) const CASES: &str = "Cases";
pub(super) const NO_CASES: &str = "No case that you reach.";
pub(super) const MORE_CASES: &str = "All cases of this number";
pub(super) const NEW_CASE: &str = "New case";
pub(super) const OPTED_OUT: &str = "Opted out";
pub(super) const MAY_OPT_OUT: &str = "May want to opt out";
pub(super) const MAY_BE_SENT: &str = "Messages may be sent.";
pub(super) const IS_OUT: &str = "Opted out: nothing is sent to them.";
pub(super) const IS_SUSPECTED: &str =
    "A message begins with a word that opts out, and says more. Decide what it meant.";
pub(super) const REASON: &str = "Reason";
pub(super) const OPT_OUT: &str = "Opt out";
pub(super) const CLEAR: &str = "Clear opt-out";
pub(super) const NOT_MEANT: &str = "Not an opt-out";
pub(super) const NO_SUCH_CONTACT: &str = "There is no such contact.";
pub(super) const NO_SUCH_CHANNEL: &str = "choose SMS or WhatsApp";

/// What was just done with a contact.
pub(super) fn done(what: &str) -> &'static str {
    match what {
        "changed" => "The contact was changed.",
        "opted-out" => "The contact is opted out.",
        "opted-in" => "Messages may be sent to the contact.",
        _ => "",
    }
}

/// That nothing can be sent in a case.
pub(super) fn nothing_is_sent(channel: &str) -> String {
    format!("The contact opted out of {channel}. Replies are not sent.")
}

/// That somebody has to decide.
pub(super) fn may_want_to_opt_out(channel: &str) -> String {
    format!("The contact may want to opt out of {channel}. Decide what their message meant.")
}
