//! Words about templates, office hours and automatic texts.

use docket_domain::automatic::Occasion;
use docket_domain::office_hours::Weekday;

use super::AUTOMATIC;

macro_rules! words {
    ($($name:ident = $text:literal;)+) => {
        $(pub(in crate::console) const $name: &str = $text;)+
    };
}

words! {
    NO_SUCH_TIME_ZONE = "The time zone must be an IANA name, such as Europe/London.";
    TIME_ZONE = "Time zone";
    TIME_ZONE_HINT = "The IANA name of the zone of your office hours, such as Europe/London or UTC.";

    AUTOMATIC_TEXTS = "Automatic texts";
    AUTOMATIC_ABOUT = "What Docket writes by itself. A message gets one text at most: the reply for several open cases, else the answer to #0, else the greeting, else the text outside of office hours. A person gets five in an hour at most. %ref becomes the case’s reference.";
    GREETING = "Greeting of a new case";
    GREETING_HINT = "The first answer to a message that makes a case. Leave it empty to send none.";
    NEW_REQUESTED = "Answer to #0";
    NEW_REQUESTED_HINT = "For a message that asks for a new case. Leave it empty to send the greeting, or nothing.";
    OFFICE_HOURS = "Office hours";
    OFFICE_HOURS_HINT = "Rows without times do not count. A time that closes at or before its opening ends on the next day. The time zone is that of the survey:";
    DAY = "day";
    OPENS = "opens";
    CLOSES = "closes";
    HOLIDAYS = "Holidays";
    HOLIDAYS_HINT = "Dates on which the office does not open, such as 2026-12-25, one on each line.";
    CLOSED_TEXT = "Text outside of office hours";
    CLOSED_TEXT_HINT = "Sent once a case and day. Leave it and the hours empty to be open always.";
    OPT_OUT_CONFIRMATION = "Confirmation of an opt-out";
    OPT_OUT_CONFIRMATION_HINT = "Sent once to a person who opts out with a word such as STOP; nothing is sent after it. Leave it empty to send none.";
    NOTHING_SENT = "Nothing is sent.";
    BACK_TO_LINE = "Back to the line";
    WRONG_HOURS = "Each row of the office hours needs an opening and a closing time, such as 09:00 and 17:30.";
    WRONG_HOLIDAYS = "Each holiday must be a date such as 2026-12-25.";

    TEMPLATES = "WhatsApp templates";
    TEMPLATES_ABOUT = "Texts that WhatsApp has approved. They may be sent when a person has not written for 24 hours, and to begin a case. Enter each as WhatsApp approved it.";
    TEMPLATES_NONE = "There are no templates yet.";
    TEMPLATES_NO_LINE = "Add a WhatsApp line first: a template belongs to one.";
    TEMPLATE_NEW = "Add a template";
    TEMPLATE_NAME = "Name, as Vonage knows it";
    TEMPLATE_LOCALE = "Locale, such as en or en_US";
    TEMPLATE_LINE = "Line";
    TEMPLATE_BODY = "Text";
    TEMPLATE_BODY_HINT = "Write {{1}}, {{2}} and so on where parameters stand.";
    TEMPLATE_REMOVE = "Remove the template";
    TEMPLATE_SAVED = "The templates were saved.";
    TEMPLATE_SEND = "Send template";
    TEMPLATE_OR_TEXT = "WhatsApp template";
    TEMPLATE_NONE_CHOSEN = "None: send the text";
    TEMPLATE_PARAMETERS = "Parameters of the template";
    TEMPLATE_PARAMETERS_HINT = "One on each line, in the order of {{1}}, {{2}} and so on.";
    TEMPLATE_CHOOSE = "Send a template";

    WINDOW_CLOSED = "WhatsApp takes no free text now: the person has not written for 24 hours, or never. Nothing was sent. Send a template, or tick “Send as free text anyway”.";
    OUTSIDE_WINDOW = "Send as free text anyway";
    OUTSIDE_WINDOW_HINT = "WhatsApp will most likely refuse it, and it is then shown as failed.";
}

/// Who wrote an automatic text.
pub(in crate::console) const fn automatic(occasion: Occasion) -> &'static str {
    match occasion {
        Occasion::SeveralCases => AUTOMATIC,
        Occasion::NewRequested => "Automatic answer to #0",
        Occasion::Greeting => "Automatic greeting",
        Occasion::OutOfHours { .. } => "Automatic text outside of office hours",
    }
}

/// The name of a row of office hours; rows are counted from 0.
pub(in crate::console) fn hours_number(index: usize) -> String {
    format!("Row {}", index + 1)
}

/// A day of the week.
pub(in crate::console) const fn day(day: Weekday) -> &'static str {
    match day {
        Weekday::Monday => "Monday",
        Weekday::Tuesday => "Tuesday",
        Weekday::Wednesday => "Wednesday",
        Weekday::Thursday => "Thursday",
        Weekday::Friday => "Friday",
        Weekday::Saturday => "Saturday",
        Weekday::Sunday => "Sunday",
    }
}

/// The name of a parameter's field.
pub(in crate::console) fn parameter(number: usize) -> String {
    format!("Parameter {{{{{number}}}}}")
}
