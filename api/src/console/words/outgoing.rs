//! Words about templates, office hours and automatic texts.

use docket_domain::automatic::Occasion;

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
