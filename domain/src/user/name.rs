//! What people are called: the name that colleagues read, and its initials.

use crate::text::normalise;

/// The longest name of a person, in characters.
pub const MAX_NAME_CHARS: usize = 100;

/// The one spelling of a person's name: in the normal form of what people type, on one line. An `@` would make it look
/// like an address. `None` where it is no name.
pub fn normalise_name(name: &str) -> Option<String> {
    let name = normalise::typed(name).into_owned();
    let good = (1..=MAX_NAME_CHARS).contains(&name.chars().count())
        && !name.contains('@')
        && !name.chars().any(char::is_control);
    good.then_some(name)
}

/// The initials of a name or, before its `@`, of an address: those of the first and the last word, or the first two letters of a
/// single word. Where there is no letter and no digit, there are none.
pub fn initials(name_or_email: &str) -> String {
    let (text, is_address) = match name_or_email.rsplit_once('@') {
        Some((local, host)) if !local.contains(char::is_whitespace) && host.contains('.') => {
            (local, true)
        }
        _ => (name_or_email, false),
    };
    let ends_word =
        |c: char| c.is_whitespace() || (is_address && matches!(c, '.' | '_' | '-' | '+'));
    let mut words = text
        .split(ends_word)
        .map(|word| word.trim_start_matches(|c: char| !c.is_alphanumeric()))
        .filter(|word| !word.is_empty());
    let Some(first) = words.next() else {
        return String::new();
    };
    let letters: String = match words.next_back() {
        Some(last) => first.chars().take(1).chain(last.chars().take(1)).collect(),
        // A script without capitals, such as Chinese, says enough in one character.
        None if first.starts_with(|c: char| c.is_lowercase() || c.is_uppercase()) => first
            .chars()
            .take(2)
            .filter(|c| c.is_alphanumeric())
            .collect(),
        None => first.chars().take(1).collect(),
    };
    letters.to_uppercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_has_one_spelling() {
        assert_eq!(
            normalise_name(" Zoe\u{308} Smith\u{200b} ").as_deref(),
            Some("Zo\u{eb} Smith")
        );
        for wrong in [
            "",
            "  ",
            "a\nb",
            "ada@example.com",
            "\u{200b}",
            &"x".repeat(101),
        ] {
            assert_eq!(normalise_name(wrong), None, "{wrong:?}");
        }
        assert!(normalise_name(&"x".repeat(100)).is_some());
    }

    #[test]
    fn initials_are_of_the_first_and_the_last_word() {
        for (name, expected) in [
            ("Ada Lovelace", "AL"),
            ("Ada King Lovelace", "AL"),
            ("ada", "AD"),
            ("(Ada) Lovelace", "AL"),
            ("\u{738b}\u{5c0f}\u{660e}", "\u{738b}"),
            ("\u{e9}mile zola", "\u{c9}Z"),
            ("ada.lovelace@example.com", "AL"),
            ("agent@example.com", "AG"),
            ("x@example.com", "X"),
            ("Night import", "NI"),
            ("!!!", ""),
        ] {
            assert_eq!(initials(name), expected, "{name}");
        }
    }
}
