//! What somebody looks for in the list of cases.

use docket_domain::ids::Reference;
use docket_domain::text::normalise::{self, digit};
use docket_domain::text::{phone, references};

/// Fewer digits are in nearly every number.
const MIN_NUMBER_DIGITS: usize = 3;

/// What a search can find; a case is found by any of the three.
#[derive(Clone, Default, PartialEq, Eq)]
pub(super) struct Search {
    /// Words that one item of the thread has, the last of them perhaps as a beginning.
    pub(super) words: Option<String>,
    /// Letters that stand side by side, as small ones, in every text that has the words; see [`letters`]. Perhaps none.
    pub(super) letters: [String; 3],
    /// The case of that reference.
    pub(super) reference: Option<i32>,
    /// Digits that stand side by side in the contact's number.
    pub(super) number_part: Option<String>,
}

impl Search {
    /// Understands what was typed; `None` where nothing was.
    pub(super) fn of(q: &str) -> Option<Self> {
        let q = normalise::typed(q);
        let q = &*q;
        if q.is_empty() {
            return None;
        }
        if !q.starts_with(|c| digit(c).is_some())
            && let Some(reference) = references::typed(q)
        {
            return Some(Self {
                reference: Some(reference.as_i32()),
                ..Self::default()
            });
        }
        // A NUL is in no stored text, and no parameter can hold one.
        let words = Some(q.replace('\0', " "));
        let number = phone::sought(q, None);
        if number.is_empty() || !number.bytes().all(|byte| byte.is_ascii_digit()) {
            return Some(Self {
                words,
                ..Self::default()
            });
        }
        // The zeros of a national number are not in the international one: 07700 900123 is in 447700900123.
        let part = number.trim_start_matches('0');
        Some(Self {
            words,
            reference: references::typed(q).map(Reference::as_i32),
            number_part: (part.len() >= MIN_NUMBER_DIGITS).then(|| part.to_owned()),
            ..Self::default()
        })
    }

    /// Whether a case is found by its reference or its contact's number.
    pub(super) fn finds(&self, reference: i32, number: &str) -> bool {
        let part = self.number_part.as_deref();
        self.reference == Some(reference) || part.is_some_and(|part| number.contains(part))
    }

    /// Whether it may find more than a case.
    pub(super) const fn may_find_many(&self) -> bool {
        self.words.is_some() || self.number_part.is_some()
    }
}

/// The three longest rows of ASCII characters in these words, each of another word, as the index has them; empty where there are
/// fewer. Every text that has the words has those characters side by side in it, small or capital: the index cuts words out of a text,
/// makes them small, and changes nothing else.
pub(super) fn letters(lexemes: &[String]) -> [String; 3] {
    let mut rows: Vec<&str> = lexemes
        .iter()
        .filter_map(|lexeme| {
            lexeme
                .split(|letter: char| !letter.is_ascii())
                .max_by_key(|letters| letters.len())
        })
        .collect();
    rows.sort_by_key(|letters| std::cmp::Reverse(letters.len()));
    let mut rows = rows.into_iter();
    [(); 3].map(|()| rows.next().unwrap_or_default().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(q: &str) -> (Option<String>, Option<i32>, Option<String>) {
        let search = Search::of(q).unwrap();
        (search.words, search.reference, search.number_part)
    }

    #[test]
    fn nothing_typed_is_no_search() {
        assert!(Search::of("").is_none());
        assert!(Search::of(" \n").is_none());
    }

    #[test]
    fn a_reference_with_its_sign_is_nothing_else() {
        assert_eq!(found(" #123 "), (None, Some(123), None));
        assert_eq!(found("＃123"), (None, Some(123), None));
        assert_eq!(found("\u{200b}#١٢٣ "), (None, Some(123), None));
        assert_eq!(found("#99999999999").1, None);
        assert_eq!(found("#12 roof"), (Some("#12 roof".into()), None, None));
    }

    #[test]
    fn digits_are_a_reference_a_number_and_a_word() {
        assert_eq!(
            found("123"),
            (Some("123".into()), Some(123), Some("123".into()))
        );
        assert_eq!(found("12"), (Some("12".into()), Some(12), None));
        assert_eq!(
            found("07700 900123").2.as_deref(),
            Some("7700900123"),
            "the national spelling"
        );
        assert_eq!(found("+44 7700 900123").2.as_deref(), Some("447700900123"));
        for pasted in [
            "\u{202a}+44 7700 900123\u{202c}",
            "tel:+447700900123",
            "+44 (0)7700 900123",
        ] {
            assert_eq!(
                found(pasted).2.as_deref(),
                Some("447700900123"),
                "{pasted:?}"
            );
        }
        assert_eq!(found("٤٤٧٧٠٠").2.as_deref(), Some("447700"));
        assert_eq!(found("0000").2, None);
    }

    #[test]
    fn all_else_is_words() {
        assert_eq!(found("roof 12").0.as_deref(), Some("roof 12"));
        assert_eq!(found("roof 12").2, None);
        assert_eq!(found("a\0b").0.as_deref(), Some("a b"));
    }

    #[test]
    fn letters_are_what_every_text_with_the_words_has() {
        let letters = |lexemes: &[&str]| {
            let lexemes: Vec<String> = lexemes.iter().map(ToString::to_string).collect();
            super::letters(&lexemes)
        };
        assert_eq!(letters(&[]), ["", "", ""]);
        assert_eq!(letters(&["roof", "leaking"]), ["leaking", "roof", ""]);
        assert_eq!(letters(&["habitación", "años"]), ["habitaci", "os", ""]);
        assert_eq!(letters(&["σπίτι"]), ["", "", ""]);
        assert_eq!(
            letters(&["a", "four", "two", "three"]),
            ["three", "four", "two"]
        );
    }

    #[test]
    fn a_case_is_found_by_reference_or_number() {
        let search = Search::of("900123").unwrap();
        assert!(search.finds(900_123, "12025550100"));
        assert!(search.finds(101, "447700900123"));
        assert!(!search.finds(101, "447700900124"));
        assert!(!Search::of("roof").unwrap().finds(101, "447700900123"));
    }
}
