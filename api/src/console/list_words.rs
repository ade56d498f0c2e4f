//! What the console says around the list of cases and in the bar.

use docket_projections::read::cases::counts::Counts;

use crate::console::place::View;

pub(in crate::console) const MINUTES_SHORT: &str = "min";
pub(in crate::console) const HOURS_SHORT: &str = "h";
pub(in crate::console) const DAYS_SHORT: &str = "d";
pub(in crate::console) const YOU: &str = "You:";
pub(in crate::console) const NOTE_LEAD: &str = "Note:";
pub(in crate::console) const WAITS: &str = "Waiting";
pub(in crate::console) const REPLY_FAILED: &str = "Last reply not delivered";
pub(in crate::console) const FILTERS: &str = "Filter";
pub(in crate::console) const FILTERS_CLEAR: &str = "Clear filters";
pub(in crate::console) const FILTER_ANY: &str = "Any";
pub(in crate::console) const FILTER_STATUS: &str = "Status";
pub(in crate::console) const FILTER_ASSIGNEE: &str = "Assigned to";
pub(in crate::console) const FILTER_ME: &str = "Me";
pub(in crate::console) const FILTER_UNASSIGNED: &str = "Unassigned";
pub(in crate::console) const FILTER_LABEL: &str = "Label";
pub(in crate::console) const FILTER_LINE: &str = "Line";
pub(in crate::console) const FILTER_CHANNEL: &str = "Channel";
pub(in crate::console) const FILTER_SINCE: &str = "Last message from (UTC)";
pub(in crate::console) const FILTER_UNTIL: &str = "to";
pub(in crate::console) const FILTER_SORT: &str = "Sort";
pub(in crate::console) const SORT_NEWEST: &str = "Newest message first";
pub(in crate::console) const SORT_WAITING: &str = "Longest waiting first";
pub(in crate::console) const FILTER_APPLY: &str = "Apply";
pub(in crate::console) const SEARCH_PLACEHOLDER: &str = "Name, number, #reference or words";
pub(in crate::console) const IS_UNASSIGNED: &str = "Unassigned";
pub(in crate::console) const ASSIGNED_TO: &str = "Assigned to";
pub(in crate::console) const UNREAD_MESSAGES: &str = "unread";
pub(in crate::console) const NO_LINE: &str = "No message can come in yet: there is no line.";
pub(in crate::console) const SETUP_LINK: &str = "Set up Docket";
pub(in crate::console) const SETUP_TO_INBOX: &str = "Not now, go to the inbox";
pub(in crate::console) const SETUP_SKIPPED: &str = "Skipped for now";
pub(in crate::console) const ADD_LINE: &str = "Add line";
pub(in crate::console) const HEALTH_REPLIES: &str = "Replies";
pub(in crate::console) const HEALTH_REPLIES_GOOD: &str = "No case has a last reply that failed.";
pub(in crate::console) const REPORT_FAILED: &str = "Replies that failed";
pub(in crate::console) const REPORT_SEE_FAILED: &str = "Show these cases";
pub(in crate::console) const HEALTH_REPLIES_ADVICE: &str =
    "Send them again, answer another way, or close the cases.";
pub(in crate::console) const SAVED_VIEWS: &str = "Saved views";
pub(in crate::console) const SAVE_VIEW: &str = "Save this view";
pub(in crate::console) const SAVED_NAME: &str = "Name of the view";
pub(in crate::console) const SAVED_SHARED: &str = "For everybody";
pub(in crate::console) const SAVED_IS_SHARED: &str = "shared";
pub(in crate::console) const SAVED_REMOVE: &str = "Remove the view";
pub(in crate::console) const NO_SUCH_VIEW: &str = "There is no such view of yours.";
pub(in crate::console) const FIRST_STEPS: &str = "First steps";
pub(in crate::console) const FIRST_STEPS_WRITE: &str = "Write as Amira on";
pub(in crate::console) const FIRST_STEPS_PHONE: &str = "the phone";
pub(in crate::console) const FIRST_STEPS_SEE: &str = ", and see the message come in here.";
pub(in crate::console) const FIRST_STEPS_ANSWER: &str =
    "Open the case, answer, and see the answer on the phone.";
pub(in crate::console) const FIRST_STEPS_MOVE: &str =
    "Move a message into another case with its … menu, and undo it.";
pub(in crate::console) const FIRST_STEPS_CLOSE: &str = "Close";
pub(in crate::console) const THE_PHONE: &str = "The phone (simulated)";
pub(in crate::console) const SELECT_A_CASE: &str = "Select a case";
pub(in crate::console) const REPORTS_LINK: &str = "Reports";

/// What is said where a view has nothing.
pub(in crate::console) const fn nothing_in(view: View) -> &'static str {
    match view {
        View::Open => "No open cases.",
        View::Unread => "You have read everything.",
        View::Mine => "Nothing is assigned to you.",
        View::Unassigned => "Every open case is assigned.",
        View::Mentions => "No note mentions you.",
        View::Waiting => "Nobody waits for an answer.",
        View::Failed => "No reply has failed.",
        View::Snoozed => "No case is snoozed.",
        View::Closed => "No closed cases.",
        View::All => "No cases yet.",
    }
}

/// Where somebody without work of their own finds some.
pub(in crate::console) fn see_unassigned(counts: &Counts) -> Option<String> {
    (counts.unassigned > 0).then(|| format!("See Unassigned ({})", up_to_99(counts.unassigned)))
}

/// What is said where a search or a filter found nothing.
pub(in crate::console) fn nothing_found(q: &str, view: &str) -> String {
    if q.is_empty() {
        format!("No case in {view} matches the filters.")
    } else {
        format!("No results for “{q}” in {view}.")
    }
}

/// The same, where other views have something.
pub(in crate::console) fn nothing_here(view: &str) -> String {
    format!("Nothing in {view}")
}

/// How much another view has.
pub(in crate::console) fn count_in(count: usize, view: &str) -> String {
    format!("{count} in {view}")
}

/// The same for more than are counted.
pub(in crate::console) fn more_in(most: usize, view: &str) -> String {
    format!("more than {most} in {view}")
}

/// A count that ends at 99.
pub(in crate::console) fn up_to_99(count: usize) -> String {
    match count {
        0 => String::new(),
        1..=99 => count.to_string(),
        _ => "99+".to_owned(),
    }
}

/// What the choice of all cases of a list is called.
pub(in crate::console) fn all_that_match(most: usize) -> String {
    format!("All cases that match, at most {most}")
}

/// What is said where a list had more cases than were changed at once.
pub(in crate::console) fn more_match(most: usize) -> String {
    format!("More than {most} cases match. Apply again for the next ones.")
}

/// How many cases have a last reply that failed, as reports say it.
pub(in crate::console) fn reported_failures(count: usize) -> String {
    match count {
        0 => HEALTH_REPLIES_GOOD.to_owned(),
        count => replies_failed(count),
    }
}

/// How many cases have a last reply that failed.
pub(in crate::console) fn replies_failed(count: usize) -> String {
    match count {
        1 => "The last reply in 1 case failed.".to_owned(),
        2..=99 => format!("The last replies in {count} cases failed."),
        _ => "The last replies in more than 99 cases failed.".to_owned(),
    }
}

/// Why a view was not kept under that name.
pub(in crate::console) fn saved_name(most: usize) -> String {
    format!("The name of a view has 1 to {most} characters on one line.")
}

/// Why no more views are kept.
pub(in crate::console) fn saved_too_many(most: i64) -> String {
    format!("You have {most} saved views already. Remove one first.")
}
