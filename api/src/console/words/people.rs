//! What the pages about people say: names, and how a person wants the console to be.

use docket_domain::user::preferences::Theme;
use docket_projections::log::recorded::Via;

words! {
    PERSON_NAME = "Name";
    PERSON_NAME_ABOUT = "Colleagues read it in place of your email address, in cases and in the log.";
    PERSON_NAME_HINT = "Such as: Maya Okoro. Left empty, colleagues read the email address.";

    PREFERENCES = "Preferences";
    PREFERENCES_ABOUT = "They are kept for you, in every browser that you sign in with.";
    THEME = "Theme";
    TIME_ZONE = "Time zone";
    TIME_ZONE_HINT = "Pages show times in it.";
    NEXT_CASE = "Open the next case after closing one";

    NOTIFICATIONS = "Notifications";
    NOTIFICATIONS_ABOUT = "What your browser tells you on the desktop while Docket is open in a tab. It says which case, not what was said.";
    NOTIFY_ASSIGNMENT = "A case is assigned to me";
    NOTIFY_MENTION = "A note mentions me";
    NOTIFY_MESSAGE = "A message comes in one of my cases";
    NOTIFY_SOUND = "Play a sound with it";
    NOTIFY_ALLOW = "Allow notifications in this browser";
    NOTIFY_ALLOWED = "This browser shows notifications.";
    NOTIFY_DENIED = "This browser does not let Docket notify you. Change it in the browser's settings for this site.";

    MENTIONED = "@";

    HEALTH_PEOPLE = "People";
    HEALTH_PEOPLE_QUIET = "Nobody viewed many cases, exported the log or failed to sign in often.";
    HEALTH_PEOPLE_ADVICE = "Check in the log whether this is their work.";
    CHOOSE_PASSWORD = "Choose your own password";
    COPY_PASSWORD = "Copy the password";
    LOG_VIA = "By which way";
    LOG_TOKEN = "Token id";
    LOG_ADDRESS = "From address";
    LOG_EMAIL = "Email of who did it";
    NO_SUCH_TOKEN_ID = "A token id is a UUID, as the log shows it behind Ids and raw event.";
    FACT_ADDRESS = "From address";
    FACT_EMAIL = "Email";
}

/// What a notification says.
pub(in crate::console) fn notification(event_type: &str, reference: u32) -> String {
    match event_type {
        "AssigneeChanged" => format!("#{reference} was assigned to you"),
        "PeopleMentioned" => format!("A note in #{reference} mentions you"),
        _ => format!("New message in #{reference}"),
    }
}

/// A theme, as its choice says it.
pub(in crate::console) const fn theme(theme: Theme) -> &'static str {
    match theme {
        Theme::System => "As the system",
        Theme::Light => "Light",
        Theme::Dark => "Dark",
    }
}

/// The colours that the browser uses for what it draws itself.
pub(in crate::console) const fn color_scheme(theme: Theme) -> &'static str {
    match theme {
        Theme::System => "light dark",
        Theme::Light => "light",
        Theme::Dark => "dark",
    }
}

/// The choice of no time zone of one's own.
pub(in crate::console) fn zone_of_installation(zone: Option<&str>) -> String {
    match zone {
        Some(zone) => format!("As the installation ({zone})"),
        None => "As the browser; UTC without scripts".to_owned(),
    }
}

/// What was done, where the case that it was done to is not the one that is shown.
pub(in crate::console) fn next_after(done: &str, closed: u32) -> String {
    match done {
        "replied-closed" => {
            format!("Your reply is on its way, and #{closed} was closed. This is the next case.")
        }
        _ => format!("#{closed} was closed. This is the next case."),
    }
}

/// That somebody looked at many cases.
pub(in crate::console) fn many_views(who: &str, count: i64) -> String {
    format!("{who} viewed cases {count} times in the last hour.")
}

/// That somebody exported.
pub(in crate::console) fn exports(who: &str, count: i64) -> String {
    match count {
        1 => format!("{who} began an export in the last 24 hours."),
        _ => format!("{who} began {count} exports in the last 24 hours."),
    }
}

/// That many attempts to sign in failed.
pub(in crate::console) fn many_failures(count: i64) -> String {
    format!("{count} attempts to sign in failed in the last hour.")
}

/// By which way something was done.
pub(in crate::console) const fn via(via: Via) -> &'static str {
    match via {
        Via::Console => "Console",
        Via::Api => "API",
        Via::Cli => "Command line",
        Via::Webhook => "Webhook",
        Via::Delivery => "Delivery",
        Via::System => "Docket itself",
    }
}

/// Who writes in a case.
pub(in crate::console) fn writing(writers: &[String]) -> String {
    match writers {
        [] => String::new(),
        [writer] => format!("{writer} is writing."),
        [writers @ .., last] => format!("{} and {last} are writing.", writers.join(", ")),
    }
}

/// A person where another has the same name.
pub(in crate::console) fn name_and_address(name: &str, email: &str) -> String {
    format!("{name} ({email})")
}
