//! Titles: a case in a few words, for lists and for the automatic reply.
//!
//! A title is one line: white space and control characters are folded to single spaces, and characters that nobody
//! sees but that turn or hide the text around them are dropped. Lengths are in characters (Unicode scalar values); a
//! cut never falls inside what a reader takes for one character.

use std::borrow::Cow;

use unicode_segmentation::UnicodeSegmentation;

use super::{normalise, references};
use crate::content::Content;

/// The longest title that is made from a message, in characters, `…` included.
pub const MAX_CHARS: usize = 40;

/// The longest title that an agent can give, in characters.
pub const MAX_TYPED_CHARS: usize = 200;

/// The title of a case that begins with this content: what was said, references removed, or else what came (`Photo`).
/// Never empty.
pub fn title(content: &Content) -> String {
    let said = content.said().unwrap_or_default();
    let title = one_line(without_references(said), MAX_CHARS);
    if title.is_empty() {
        match content {
            // "Text" alone reads like a title that somebody wrote.
            Content::Text { .. } => "Text message".to_owned(),
            _ => content.label().to_owned(),
        }
    } else {
        title
    }
}

/// A title that an agent typed, as it is kept: one line, composed. Empty where nothing visible was typed. It is not cut:
/// one of more than [`MAX_TYPED_CHARS`] characters is for the case to refuse.
pub fn clean(title: &str) -> String {
    let words = words(title).map(visible);
    normalise::typed(&one_line(words, usize::MAX)).into_owned()
}

/// A text on one line, of at most `max_chars` characters. Empty where nothing can be seen in it.
pub fn line(text: &str, max_chars: usize) -> String {
    one_line(words(text).map(visible), max_chars)
}

/// The longest beginning of a text that has at most `max_chars` characters and does not end inside a grapheme cluster.
pub(super) fn beginning(text: &str, max_chars: usize) -> &str {
    let mut chars = 0;
    for (start, cluster) in text.grapheme_indices(true) {
        chars += cluster.chars().count();
        if chars > max_chars {
            return &text[..start];
        }
    }
    text
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| c.is_whitespace() || c.is_control())
}

fn visible(word: &str) -> String {
    word.chars().filter(|c| !is_dropped(*c)).collect()
}

/// The words of a text without its references, and without the punctuation that only stood around them, as of `(#123)` or
/// `#0:`. A bracket that holds something else stays with that: `(see #123)` becomes `(see)`, and `(#123, hours)` becomes `(hours)`.
fn without_references(text: &str) -> Vec<String> {
    let mut line = Unreferenced::default();
    let mut has_references = false;
    for word in words(text) {
        let shown = visible(word);
        let bare = references::strip(&shown);
        let is_stripped = matches!(bare, Cow::Owned(_));
        has_references |= is_stripped;
        if is_stripped && bare.chars().all(is_punctuation) {
            line.push_rest(&bare);
        } else {
            line.push(&bare);
        }
    }
    let line = line.end(has_references);
    line.split(' ').map(str::to_owned).collect()
}

/// A line as it is gathered from words without references, character by character, since brackets reach over words.
#[derive(Default)]
struct Unreferenced {
    chars: Vec<Gathered>,
    is_next_glued: bool,
}

struct Gathered {
    c: char,
    /// Whether it is a bracket around a reference that was removed, which stays only if it holds something else.
    is_rest: bool,
}

impl Unreferenced {
    fn push(&mut self, word: &str) {
        if !std::mem::take(&mut self.is_next_glued) {
            self.push_one(' ', false);
        }
        for c in word.chars() {
            self.push_one(c, false);
        }
    }

    /// The brackets of what a removed reference leaves: those that open stand before the next word, those that close behind the
    /// last one.
    fn push_rest(&mut self, punctuation: &str) {
        for c in punctuation.chars() {
            if closing_of(c).is_some() {
                if !self.is_next_glued {
                    self.push_one(' ', false);
                }
                self.push_one(c, true);
                self.is_next_glued = true;
            } else if is_closing(c) {
                self.push_one(c, true);
                self.is_next_glued = false;
            }
        }
    }

    fn push_one(&mut self, c: char, is_rest: bool) {
        self.chars.push(Gathered { c, is_rest });
    }

    /// The line. Where references were removed, brackets with nothing between them, and those at the end with nothing behind them,
    /// go with them.
    fn end(self, has_references: bool) -> String {
        if !has_references {
            return self.chars.iter().map(|gathered| gathered.c).collect();
        }
        let mut is_kept: Vec<bool> = self.chars.iter().map(|one| !one.is_rest).collect();
        // The brackets that are open, each with what was seen before it.
        let mut open: Vec<(usize, usize)> = vec![];
        let mut seen = 0;
        for (at, Gathered { c, .. }) in self.chars.iter().enumerate() {
            if closing_of(*c).is_some() {
                open.push((at, seen));
            } else if let Some((opened_at, before)) =
                open.pop_if(|(opened_at, _)| closing_of(self.chars[*opened_at].c) == Some(*c))
            {
                let is_filled = seen > before;
                is_kept[opened_at] = is_filled;
                is_kept[at] = is_filled;
            } else if *c != ' ' && is_kept[at] {
                seen += 1;
            }
        }
        let kept = self
            .chars
            .iter()
            .zip(is_kept)
            .filter(|(_, is_kept)| *is_kept);
        let mut line: String = kept.map(|(gathered, _)| gathered.c).collect();
        line.truncate(without_opening_end(&line).len());
        line
    }
}

/// The brackets that stand around something, in pairs.
const BRACKETS: [(char, char); 12] = [
    ('(', ')'),
    ('[', ']'),
    ('{', '}'),
    ('\u{3008}', '\u{3009}'),
    ('\u{300a}', '\u{300b}'),
    ('\u{300c}', '\u{300d}'),
    ('\u{300e}', '\u{300f}'),
    ('\u{3010}', '\u{3011}'),
    ('\u{3014}', '\u{3015}'),
    ('\u{ff08}', '\u{ff09}'),
    ('\u{ff3b}', '\u{ff3d}'),
    ('\u{ff5b}', '\u{ff5d}'),
];

fn closing_of(opening: char) -> Option<char> {
    let mut pairs = BRACKETS.iter();
    pairs
        .find(|(open, _)| *open == opening)
        .map(|(_, close)| *close)
}

fn is_closing(c: char) -> bool {
    BRACKETS.iter().any(|(_, close)| *close == c)
}

/// The line without the words at its end that are nothing but opening brackets.
fn without_opening_end(line: &str) -> &str {
    let mut line = line.trim_end();
    while let Some(last) = line.rsplit(' ').next()
        && !last.is_empty()
        && last.chars().all(|c| closing_of(c).is_some())
    {
        line = line[..line.len() - last.len()].trim_end();
    }
    line
}

/// Joins words by single spaces up to `max_chars`, cut after a whole word; a first word that is too long by itself is
/// cut hard.
fn one_line(words: impl IntoIterator<Item = String>, max_chars: usize) -> String {
    let mut line = String::new();
    let mut chars = 0;
    // The bytes of the words that leave room for the `…`.
    let mut whole_words = 0;
    for word in words.into_iter().filter(|word| !word.is_empty()) {
        if !line.is_empty() {
            line.push(' ');
            chars += 1;
        }
        line.push_str(&word);
        chars += word.chars().count();
        if chars < max_chars {
            whole_words = line.len();
        }
        if chars > max_chars {
            let end = if whole_words == 0 {
                beginning(&line, max_chars - 1).len()
            } else {
                whole_words
            };
            line.truncate(end);
            let end = without_opening_end(&line).len();
            line.truncate(end);
            if end > 0 {
                line.push('…');
            }
            break;
        }
    }
    if line.chars().all(is_blank) {
        String::new()
    } else {
        line
    }
}

/// Embeddings, overrides and isolates of writing direction reach beyond the title into the page around it; the rest
/// have no shape and would let two titles look alike. The joiners stay: emoji and several scripts need them.
fn is_dropped(c: char) -> bool {
    matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{ad}' | '\u{200b}' | '\u{2060}' | '\u{feff}')
}

/// Characters that leave a title looking empty when there are no others.
fn is_blank(c: char) -> bool {
    matches!(
        c,
        ' ' | '\u{200c}'..='\u{200f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{2800}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{ffa0}'
    )
}

fn is_punctuation(c: char) -> bool {
    c.is_ascii_punctuation()
        || is_closing(c)
        || closing_of(c).is_some()
        || matches!(c, '\u{2010}'..='\u{2027}' | '\u{3001}'..='\u{3003}' | '\u{3008}'..='\u{3011}' | '\u{ff01}'..='\u{ff0f}' | '\u{ff1a}'..='\u{ff20}')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;
    use crate::content::Media;

    fn of(text: &str) -> String {
        title(&Content::text(text))
    }

    #[test]
    fn a_text_is_folded_and_its_references_removed() {
        for (text, expected) in [
            ("Appointment request", "Appointment request"),
            (
                "  Question\t about\r\n\r\nhours \u{0}\u{7}",
                "Question about hours",
            ),
            ("#0 Question about hours", "Question about hours"),
            ("#0: Question about hours", "Question about hours"),
            (
                "Question (#123) about #124, hours #12-34",
                "Question about hours #12-34",
            ),
            ("Re:#123 hours", "Re: hours"),
            ("（＃１２３） hours", "hours"),
            ("#123👍", "👍"),
            ("Hello (#123)", "Hello"),
            ("Hello (#123", "Hello"),
            ("Hello ( #123", "Hello"),
            ("Hello ( #123 )", "Hello"),
            ("Hello [(#123)]", "Hello"),
            ("Hello (see #123)", "Hello (see)"),
            ("Hello (see #123).", "Hello (see)"),
            ("Hello (#123, hours)", "Hello (hours)"),
            ("Hello (#123 and #124) there", "Hello (and) there"),
            ("(#0 Question", "Question"),
            ("Hours(#123)", "Hours"),
            ("予約（＃１２３）", "予約"),
            ("Hello #123)", "Hello"),
            (":( #123", ":("),
            ("#123 :)", ":)"),
            ("?", "?"),
            ("a\u{2028}b\u{a0}c\u{3000}d", "a b c d"),
            ("\u{202e}hello\u{202c} \u{2066}you\u{2069}", "hello you"),
            ("#\u{202e}123 hello", "hello"),
            ("a\u{202e}#123 hello", "a#123 hello"),
            ("#\u{200d}123 hello", "hello"),
            ("#١٢٣ hello", "hello"),
            ("#\u{fe0f}\u{20e3}123 hello", "hello"),
            ("#000000 paint", "#000000 paint"),
            ("Flat # 12, roof", "Flat # 12, roof"),
            ("می\u{200c}خواهم", "می\u{200c}خواهم"),
        ] {
            assert_eq!(of(text), expected, "{text:?}");
        }
    }

    #[test]
    fn nothing_said_is_a_text_message() {
        for text in [
            "",
            " \n",
            "#123",
            "#123, #124",
            "(#0).",
            "#12#13",
            "\u{202e}",
            "\u{200b}\u{3164}\u{200d}",
            "\u{2800}",
        ] {
            assert_eq!(of(text), "Text message", "{text:?}");
        }
    }

    #[test]
    fn what_came_stands_for_what_was_not_said() {
        let photo = |caption: Option<&str>| {
            Content::Image(Media {
                caption: caption.map(Into::into),
                ..Media::default()
            })
        };
        assert_eq!(title(&photo(None)), "Photo");
        assert_eq!(title(&photo(Some(" #123 "))), "Photo");
        assert_eq!(title(&photo(Some("My roof #123"))), "My roof");
        assert_eq!(
            title(&Content::Location {
                latitude: 0.into(),
                longitude: 0.into(),
                name: None,
                address: None
            }),
            "Location"
        );
        assert_eq!(
            title(&Content::Unsupported { raw: Value::Null }),
            "Unsupported message"
        );
        let unreadable = |text: Option<&str>| Content::Unreadable {
            kind: None,
            text: text.map(Into::into),
            raw: String::new(),
        };
        assert_eq!(title(&unreadable(None)), "Message that could not be shown");
        assert_eq!(title(&unreadable(Some("#101 Water"))), "Water");
        assert_eq!(
            title(&Content::Reply {
                id: None,
                title: "Book a visit".into(),
                description: None
            }),
            "Book a visit"
        );
        assert_eq!(
            title(&Content::Reply {
                id: None,
                title: " ".into(),
                description: None
            }),
            "Reply"
        );
    }

    #[test]
    fn the_cut_falls_between_words() {
        let forty = "abcd efghi klmno qrstu wxyza cdefg ijklm";
        assert_eq!(forty.chars().count(), MAX_CHARS);
        assert_eq!(of(forty), forty);
        assert_eq!(
            of(&format!("{forty} x")),
            "abcd efghi klmno qrstu wxyza cdefg…"
        );
        assert_eq!(
            of(&format!("{forty}x")),
            "abcd efghi klmno qrstu wxyza cdefg…"
        );
        assert_eq!(
            of("abcd efghi klmno qrstu wxyza cdefg ijkl more"),
            "abcd efghi klmno qrstu wxyza cdefg ijkl…",
            "39 characters and the ellipsis"
        );
        assert_eq!(of(&format!("See {}", "x".repeat(80))), "See…");
        assert_eq!(
            of(&format!("{forty} #123")),
            forty,
            "a removed reference takes no room"
        );
    }

    #[test]
    fn a_single_long_word_is_cut_between_clusters() {
        assert_eq!(of(&"x".repeat(40)), "x".repeat(40));
        assert_eq!(of(&"x".repeat(41)), format!("{}…", "x".repeat(39)));
        assert_eq!(
            of(&format!("{} y", "x".repeat(40))),
            format!("{}…", "x".repeat(39))
        );
        // Seven characters that are one family: five of them make 35, a sixth would not fit.
        let family = "👨\u{200d}👩\u{200d}👧\u{200d}👦";
        assert_eq!(of(&family.repeat(9)), format!("{}…", family.repeat(5)));
        assert_eq!(
            of(&format!("e{}", "\u{301}".repeat(60))),
            "Text message",
            "one cluster longer than a title"
        );
    }

    #[test]
    fn a_typed_title_keeps_its_references_and_is_one_line() {
        assert_eq!(clean("  Roof,\nsee #123\u{202e} "), "Roof, see #123");
        assert_eq!(clean(" \u{200b}\n"), "");
        assert_eq!(clean("u\u{308}ber\u{200d}"), "über");
        assert_eq!(clean("thank you ❤\u{fe0f}"), "thank you ❤\u{fe0f}");
        assert_eq!(clean(&"ab ".repeat(100)), "ab ".repeat(100).trim_end());
        assert_eq!(clean(&"x".repeat(500)), "x".repeat(500));
    }

    fn awkward() -> impl Strategy<Value = String> {
        prop_oneof![
            any::<String>(),
            "[#0-9a-c \n\u{202e}\u{301}\u{200d}👩🇩🇪,.()]{0,120}",
            proptest::collection::vec("[a-z#0-9é]{1,45}", 0..12).prop_map(|words| words.join(" ")),
        ]
    }

    fn is_one_line(title: &str) -> bool {
        title.trim() == title
            && !title.contains("  ")
            && !title
                .chars()
                .any(|c| (c.is_whitespace() && c != ' ') || c.is_control() || is_dropped(c))
    }

    proptest! {
        #[test]
        fn a_title_is_one_short_line(text in awkward()) {
            let title = of(&text);
            prop_assert!(!title.is_empty() && title.chars().count() <= MAX_CHARS);
            prop_assert!(is_one_line(&title));
        }

        #[test]
        fn a_cut_title_begins_the_text(text in "[a-z]{1,45}( [a-z]{1,12}){0,12}") {
            let title = of(&text);
            match title.strip_suffix('…') {
                None => prop_assert_eq!(title, text),
                Some(kept) => {
                    prop_assert!(text.chars().count() > MAX_CHARS);
                    let rest = text.strip_prefix(kept).expect("the title begins the text");
                    prop_assert!(rest.starts_with(' ') || !kept.contains(' '));
                    // The next word would not have fitted.
                    let next = rest.split(' ').nth(1).map_or(0, str::len);
                    prop_assert!(!rest.starts_with(' ') || kept.len() + 1 + next + 1 > MAX_CHARS);
                }
            }
        }

        #[test]
        fn a_removed_reference_leaves_no_bracket_behind(
            parts in proptest::collection::vec("[ab]|#1|#23[,.]?|\\((#1|#0|a #1|#1 b)\\)|\\[#1, #2\\]|\\( a #1 \\)", 1..8),
            opens in "(\\(|\\[| |\\{){0,3}"
        ) {
            // All brackets but those at the end are closed.
            let title = of(&format!("{} #1{opens}", parts.join(" ")));
            prop_assert!(!title.ends_with(['(', '[', '{', ' ']), "{title:?}");
            for empty in ["()", "( )", "[]", "[ ]"] {
                prop_assert!(!title.contains(empty), "{title:?}");
            }
            if !title.ends_with('…') {
                let count = |bracket: char| title.matches(bracket).count();
                prop_assert_eq!(count('('), count(')'), "{:?}", title);
                prop_assert_eq!(count('['), count(']'), "{:?}", title);
            }
        }

        #[test]
        fn cleaning_twice_is_cleaning_once(text in awkward()) {
            let once = clean(&text);
            prop_assert!(is_one_line(&once));
            prop_assert_eq!(clean(&once), once);
        }
    }
}
