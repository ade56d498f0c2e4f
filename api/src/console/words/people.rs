//! What the pages about people say: names, and how a person wants the console to be.

use docket_domain::user::preferences::Theme;

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

    FACT_EMAIL = "Email";
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

/// A person where another has the same name.
pub(in crate::console) fn name_and_address(name: &str, email: &str) -> String {
    format!("{name} ({email})")
}
