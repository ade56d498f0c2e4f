//! Marks in a line what a search looks for, as far as the search itself tells spellings apart.

use docket_domain::text::{search, title};

/// So many characters of a query are looked at.
const MAX_CHARS: usize = 1_000;
/// Fewer digits are in nearly every number.
const MIN_DIGITS: usize = 3;
/// So many characters stand before a hit that is far from a line's beginning.
const BEFORE: usize = 12;
/// A hit that begins later than this is shown with what stands before it cut off.
const FAR: usize = 24;

/// A part of a line, which can be what was searched for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Hit {
    pub(super) text: String,
    pub(super) is_hit: bool,
}

impl Hit {
    fn of(text: &str, is_hit: bool) -> Self {
        Self {
            text: text.to_owned(),
            is_hit,
        }
    }
}

/// What a search looks for.
#[derive(Default)]
pub(super) struct Sought {
    words: Vec<Word>,
    /// The digits of a number or of a part of one; empty where it is something else.
    digits: String,
}

struct Word {
    folded: Vec<char>,
    /// Whether it may be the beginning of a longer word.
    is_open: bool,
}

/// A character in the spelling of the search, and which bytes of the line it stands for.
struct Folded {
    char: char,
    start: usize,
    end: usize,
}

impl Sought {
    pub(super) fn of(q: &str) -> Self {
        let q = q.trim();
        let mut words: Vec<Word> = q
            .split_whitespace()
            .map(|word| word.trim_matches(|c: char| c.is_ascii_punctuation()))
            .map(|word| Word {
                folded: search::fold(word, MAX_CHARS).chars().collect(),
                is_open: false,
            })
            .filter(|word| !word.folded.is_empty())
            .collect();
        if let Some(last) = words.last_mut() {
            last.is_open = true;
        }
        let is_number = q
            .chars()
            .all(|c| c.is_ascii_digit() || " +-.()/".contains(c));
        let digits: String = q
            .chars()
            .filter(|_| is_number)
            .filter(char::is_ascii_digit)
            .collect();
        let digits = digits.trim_start_matches('0');
        Self {
            words,
            digits: if digits.len() < MIN_DIGITS {
                String::new()
            } else {
                digits.to_owned()
            },
        }
    }

    /// A line in parts, with the words marked.
    pub(super) fn mark(&self, line: &str) -> Vec<Hit> {
        parts(line, &self.ranges(line))
    }

    /// A number as people write it, with the digits marked.
    pub(super) fn mark_number(&self, shown: &str) -> Vec<Hit> {
        let digits: Vec<(usize, char)> = shown
            .char_indices()
            .filter(|(_, c)| c.is_ascii_digit())
            .collect();
        let plain: String = digits.iter().map(|(_, digit)| digit).collect();
        let found = plain.find(&self.digits).filter(|_| !self.digits.is_empty());
        let range =
            found.map(|first| (digits[first].0, digits[first + self.digits.len() - 1].0 + 1));
        parts(shown, range.as_slice())
    }

    /// The part of a text around its first hit, on one line of about `max_chars` characters; `None` where it has none.
    pub(super) fn excerpt(&self, text: &str, max_chars: usize) -> Option<String> {
        let line = title::line(text, usize::MAX);
        let (first, _) = *self.ranges(&line).first()?;
        let before = line[..first].chars().count();
        if before <= FAR {
            return Some(title::line(&line, max_chars));
        }
        let from = line[..first]
            .char_indices()
            .rev()
            .nth(BEFORE)
            .map_or(0, |(at, _)| at);
        // At the beginning of a word, where there is one.
        let from = line[from..first]
            .find(' ')
            .map_or(from, |space| from + space + 1);
        Some(title::line(&format!("…{}", &line[from..]), max_chars))
    }

    /// Where the words stand in a line, in bytes.
    fn ranges(&self, line: &str) -> Vec<(usize, usize)> {
        let folded = folded(line);
        let mut ranges = vec![];
        let mut at = 0;
        while at < folded.len() {
            let found = self
                .words
                .iter()
                .filter_map(|word| word.length_at(&folded, at))
                .max();
            let Some(length) = found else {
                at += 1;
                continue;
            };
            let after = at + length;
            let end = folded
                .get(after)
                .map_or(line.len(), |next| next.start)
                .max(folded[after - 1].end);
            ranges.push((folded[at].start, end));
            at = after;
            while folded.get(at).is_some_and(|next| next.start < end) {
                at += 1;
            }
        }
        ranges
    }
}

impl Word {
    /// How many characters from there on are the word, where it stands there.
    fn length_at(&self, line: &[Folded], at: usize) -> Option<usize> {
        let length = self.folded.len();
        let found = line.get(at..at + length)?;
        let is_same = found
            .iter()
            .map(|found| found.char)
            .eq(self.folded.iter().copied());
        let begins = at == 0 || is_border(line[at - 1].char, line[at].char);
        let ends = self.is_open
            || line
                .get(at + length)
                .is_none_or(|next| is_border(line[at + length - 1].char, next.char));
        (is_same && begins && ends).then_some(length)
    }
}

/// Whether a word can begin between two characters. Between those of scripts without spaces it always can.
fn is_border(before: char, after: char) -> bool {
    let is_letter = |c: char| c.is_alphanumeric() && c < '\u{0E00}';
    !(is_letter(before) && is_letter(after))
}

fn folded(line: &str) -> Vec<Folded> {
    let mut folded = vec![];
    for (start, c) in line.char_indices() {
        let end = start + c.len_utf8();
        let spelt = search::fold(c.encode_utf8(&mut [0; 4]), 1);
        folded.extend(spelt.chars().map(|char| Folded { char, start, end }));
    }
    folded
}

fn parts(line: &str, ranges: &[(usize, usize)]) -> Vec<Hit> {
    let mut hits = vec![];
    let mut at = 0;
    for (start, end) in ranges {
        if *start > at {
            hits.push(Hit::of(&line[at..*start], false));
        }
        hits.push(Hit::of(&line[*start..*end], true));
        at = *end;
    }
    if at < line.len() {
        hits.push(Hit::of(&line[at..], false));
    }
    hits
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(hits: Vec<Hit>) -> String {
        let part = |hit: Hit| {
            if hit.is_hit {
                format!("[{}]", hit.text)
            } else {
                hit.text
            }
        };
        hits.into_iter().map(part).collect()
    }

    #[test]
    fn words_are_marked_as_the_search_finds_them() {
        for (line, q, expected) in [
            ("The roof leaks, ROOFS", "roof", "The [roof] leaks, [ROOF]S"),
            ("The roof leaks", "leaks the", "[The] roof [leaks]"),
            // Only the last word may be a beginning, and no word stands inside another.
            ("Then the path", "the path", "Then [the] [path]"),
            ("Then the paths", "path the", "[The]n [the] paths"),
            ("unroofed", "roof", "unroofed"),
            ("The roof", "door", "The roof"),
            ("我想预约明天", "预约", "我想[预约]明天"),
            ("José wrote", "jose", "[José] wrote"),
            ("Jose\u{301} wrote", "josé", "[Jose\u{301}] wrote"),
            ("Große Straße", "strasse", "Große [Straße]"),
            ("Große Straße", "stras", "Große [Straß]e"),
            ("ＲＯＯＦ", "roof", "[ＲＯＯＦ]"),
            ("Your code AB-1234.", "ab-1234", "Your code [AB-1234]."),
            ("It said “lift”", "\"lift\"", "It said “[lift]”"),
            ("Thanks 👍🏽!", "👍", "Thanks [👍🏽]!"),
            ("İstanbul", "x", "İstanbul"),
            ("", "x", ""),
            ("a", "", "a"),
        ] {
            assert_eq!(shown(Sought::of(q).mark(line)), expected, "{q} in {line}");
        }
    }

    #[test]
    fn digits_are_marked_in_a_number_whatever_stands_between_them() {
        for (q, expected) in [
            ("900123", "+44 7700 [900123]"),
            ("07700 900", "+44 [7700 900]123"),
            ("+447700900123", "+[44 7700 900123]"),
            ("12", "+44 7700 900123"),
            ("roof 900", "+44 7700 900123"),
            ("", "+44 7700 900123"),
        ] {
            let hits = Sought::of(q).mark_number("+44 7700 900123");
            assert_eq!(shown(hits), expected, "{q}");
        }
    }

    #[test]
    fn an_excerpt_shows_the_hit() {
        let sought = Sought::of("key");
        let far = format!("{} the key is\nlost", "Hello again and again.".repeat(5));
        let excerpt = sought.excerpt(&far, 120).unwrap();
        assert!(
            excerpt.starts_with('…') && excerpt.ends_with("the key is lost"),
            "{excerpt}"
        );
        assert!(excerpt.chars().count() < 60, "{excerpt}");
        assert_eq!(sought.excerpt("My\nkey", 120).unwrap(), "My key");
        assert_eq!(sought.excerpt("My monkey", 120), None);
    }
}
