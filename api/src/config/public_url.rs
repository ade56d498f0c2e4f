//! Addresses of https and http.

use reqwest::Url;

/// The beginnings of Docket's own paths: below a path that is one of them, a request whose path a
/// proxy has stripped could not be told from one whose path is whole.
const OWN_PATHS: [&str; 23] = [
    "account", "api", "assets", "cases", "health", "healthz", "lines", "live", "log", "media",
    "metrics", "readyz", "reports", "sessions", "setup", "sign-in", "sign-out", "surveys",
    "tokens", "unrouted", "users", "vonage", "webhooks",
];

/// Checks where this installation is reached: a base address whose path may be anything but one of
/// our own.
///
/// # Errors
///
/// A sentence.
pub(super) fn check(name: &str, text: &str) -> Result<String, String> {
    let url = base_address(name, text)?;
    let path = crate::site::base_of(&url);
    let first = path.split('/').nth(1).unwrap_or_default();
    if OWN_PATHS.contains(&first) {
        return Err(format!(
            "{name}: /{first} is one of Docket's own paths; let the path begin otherwise, such as /docket"
        ));
    }
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "/-._~%".contains(c);
    if !path.chars().all(is_plain) || path.contains("//") {
        return Err(format!(
            "{name}: the path may hold letters, digits, and - . _ ~ between slashes"
        ));
    }
    Ok(url)
}

/// Checks an address that paths are added to; gives it without a slash at the end.
///
/// # Errors
///
/// A sentence. It never repeats the address, which may hold a password.
pub(super) fn base_address(name: &str, text: &str) -> Result<String, String> {
    let mistake = |why: &str| {
        Err(format!(
            "{name} must be an address such as https://docket.example.com{why}"
        ))
    };
    let Ok(url) = Url::parse(text) else {
        return mistake(if text.contains("://") {
            ""
        } else {
            ", with https:// before it"
        });
    };
    if !matches!(url.scheme(), "http" | "https") {
        return mistake(", with https:// before it");
    }
    if url.host_str().is_none_or(str::is_empty) {
        return mistake("");
    }
    if !url.username().is_empty() || url.password().is_some() {
        return mistake(", without a user's name and password");
    }
    if url.query().is_some() || url.fragment().is_some() {
        return mistake(", without what follows a ? or #");
    }
    Ok(url.as_str().trim_end_matches('/').to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_brought_into_one_form() {
        for (text, expected) in [
            ("https://docket.example.com", "https://docket.example.com"),
            ("https://docket.example.com//", "https://docket.example.com"),
            (
                "HTTPS://Docket.Example.com:443/",
                "https://docket.example.com",
            ),
            ("http://127.0.0.1:8080", "http://127.0.0.1:8080"),
            ("http://[::1]:8080/", "http://[::1]:8080"),
            ("https://example.com/docket/", "https://example.com/docket"),
            ("https://example.com/a/../b", "https://example.com/b"),
            (
                "https://bücher.example.com",
                "https://xn--bcher-kva.example.com",
            ),
            (
                "https://example.com/fälle",
                "https://example.com/f%C3%A4lle",
            ),
        ] {
            assert_eq!(check("X", text).as_deref(), Ok(expected), "{text}");
        }
    }

    #[test]
    fn what_cannot_be_is_refused_with_its_reason() {
        for (text, reason) in [
            ("docket.example.com", "https:// before it"),
            ("docket.example.com:8080", "https:// before it"),
            ("ftp://docket.example.com", "https:// before it"),
            ("https://", "must be an address"),
            ("https://example.com/?a=b", "follows a ?"),
            ("https://example.com/#top", "follows a ?"),
            ("https://me:hunter2@example.com", "without a user's name"),
            ("https://example.com/cases", "one of Docket's own"),
            ("https://example.com/api/docket", "one of Docket's own"),
            ("https://example.com/a;b", "may hold letters"),
            ("https://example.com/a//b", "may hold letters"),
        ] {
            let sentence = check("X", text).unwrap_err();
            assert!(sentence.contains(reason), "{text}: {sentence}");
            assert!(!sentence.contains("hunter2"));
        }
    }
}
