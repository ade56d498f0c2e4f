//! Rust text taken apart into code and comments, so that a rule about one is not broken by the other.
//!
//! This is no parser: it knows comments, strings, characters and lifetimes, which is what decides where code ends.

/// One file's text, twice: `code` has blanks where comments and the insides of strings stood, `comments` has blanks
/// everywhere else. Lines keep their numbers in both.
pub(crate) struct SourceText {
    pub(crate) code: String,
    pub(crate) comments: String,
}

/// Where the scan stands.
#[derive(Clone, Copy)]
enum Place {
    Code,
    LineComment,
    /// With the depth of nesting, from 1.
    BlockComment(usize),
    Text,
    /// With the number of `#` that close it.
    RawText(usize),
}

impl SourceText {
    /// Takes `text`, a Rust file, apart.
    pub(crate) fn of(text: &str) -> Self {
        let chars: Vec<char> = text.chars().collect();
        let mut scan = Scan {
            chars: &chars,
            at: 0,
            parts: Self {
                code: String::with_capacity(text.len()),
                comments: String::new(),
            },
        };
        let mut place = Place::Code;
        while scan.at < chars.len() {
            place = match place {
                Place::Code => scan.code(),
                Place::LineComment => scan.line_comment(),
                Place::BlockComment(depth) => scan.block_comment(depth),
                Place::Text => scan.text(),
                Place::RawText(hashes) => scan.raw_text(hashes),
            };
        }
        scan.parts
    }
}

struct Scan<'a> {
    chars: &'a [char],
    at: usize,
    parts: SourceText,
}

impl Scan<'_> {
    fn code(&mut self) -> Place {
        if self.sees("//") {
            self.take_comment(2);
            return Place::LineComment;
        }
        if self.sees("/*") {
            self.take_comment(2);
            return Place::BlockComment(1);
        }
        if let Some(hashes) = self.raw_text_begins() {
            self.take_code(hashes + 2);
            return Place::RawText(hashes);
        }
        match self.chars[self.at] {
            '"' => {
                self.take_code(1);
                Place::Text
            }
            '\'' => {
                self.character_or_lifetime();
                Place::Code
            }
            _ => {
                self.take_code(1);
                Place::Code
            }
        }
    }

    fn line_comment(&mut self) -> Place {
        if self.chars[self.at] == '\n' {
            self.take_blank(1);
            return Place::Code;
        }
        self.take_comment(1);
        Place::LineComment
    }

    fn block_comment(&mut self, depth: usize) -> Place {
        if self.sees("/*") {
            self.take_comment(2);
            return Place::BlockComment(depth + 1);
        }
        if self.sees("*/") {
            self.take_comment(2);
            return if depth == 1 {
                Place::Code
            } else {
                Place::BlockComment(depth - 1)
            };
        }
        self.take_comment(1);
        Place::BlockComment(depth)
    }

    fn text(&mut self) -> Place {
        match self.chars[self.at] {
            '"' => {
                self.take_code(1);
                Place::Code
            }
            '\\' => {
                self.take_blank(2);
                Place::Text
            }
            _ => {
                self.take_blank(1);
                Place::Text
            }
        }
    }

    fn raw_text(&mut self, hashes: usize) -> Place {
        let closes = self.chars[self.at] == '"'
            && (1..=hashes).all(|n| self.chars.get(self.at + n) == Some(&'#'));
        if closes {
            self.take_code(hashes + 1);
            Place::Code
        } else {
            self.take_blank(1);
            Place::RawText(hashes)
        }
    }

    /// The number of `#` when `r"`, `r#"`, … begins here and is not the end of a name.
    fn raw_text_begins(&self) -> Option<usize> {
        let goes_on_a_name = self.at > 0 && {
            let before = self.chars[self.at - 1];
            // `br"…"` and `cr"…"` are raw texts too.
            before.is_alphanumeric() && before != 'b' && before != 'c' || before == '_'
        };
        if self.chars[self.at] != 'r' || goes_on_a_name {
            return None;
        }
        let hashes = self.chars[self.at + 1..]
            .iter()
            .take_while(|c| **c == '#')
            .count();
        (self.chars.get(self.at + 1 + hashes) == Some(&'"')).then_some(hashes)
    }

    /// A character, `'"'` or `'\n'`, is taken whole; of a lifetime the tick.
    fn character_or_lifetime(&mut self) {
        let next = self.chars.get(self.at + 1);
        let length = if next == Some(&'\\') {
            // The character after the backslash may be a tick itself.
            let rest = self.chars.get(self.at + 3..).unwrap_or_default();
            rest.iter().position(|c| *c == '\'').map(|n| n + 4)
        } else {
            (self.chars.get(self.at + 2) == Some(&'\'')).then_some(3)
        };
        match length {
            Some(length) => self.take_blank(length),
            None => self.take_code(1),
        }
    }

    fn sees(&self, what: &str) -> bool {
        what.chars()
            .enumerate()
            .all(|(n, c)| self.chars.get(self.at + n) == Some(&c))
    }

    fn take_code(&mut self, count: usize) {
        self.take(count, true, false);
    }

    fn take_comment(&mut self, count: usize) {
        self.take(count, false, true);
    }

    fn take_blank(&mut self, count: usize) {
        self.take(count, false, false);
    }

    fn take(&mut self, count: usize, is_code: bool, is_comment: bool) {
        let end = (self.at + count).min(self.chars.len());
        for &c in &self.chars[self.at..end] {
            let or_blank = |keep: bool| if keep || c == '\n' { c } else { ' ' };
            self.parts.code.push(or_blank(is_code));
            self.parts.comments.push(or_blank(is_comment));
        }
        self.at = end;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_the_insides_of_strings_are_no_code() {
        let code = |text| SourceText::of(text).code;
        assert_eq!(code("a // b\nc"), "a     \nc");
        assert_eq!(
            code("a /* b /* c */ d */ e"),
            format!("a {} e", " ".repeat(17))
        );
        assert_eq!(code(r#"f("x\"y") + g"#), r#"f("    ") + g"#);
        assert_eq!(code(r##"f(r#"x"y"#) + g"##), r##"f(r#"   "#) + g"##);
        assert_eq!(code(r#"f(br"\") + g"#), r#"f(br" ") + g"#);
        assert_eq!(code("bar\"x\""), "bar\" \"");
    }

    #[test]
    fn ticks_of_characters_and_lifetimes_are_told_apart() {
        let code = |text| SourceText::of(text).code;
        assert_eq!(code(r#"'"' + x"#), "    + x");
        assert_eq!(code(r"'\'' + x"), "     + x");
        assert_eq!(code(r"'\u{a0}' + x"), "         + x");
        assert_eq!(code("&'a str + '/' // c"), "&'a str +         ");
    }

    #[test]
    fn comments_are_kept_apart_with_their_lines() {
        let parts = SourceText::of("a\n// b\n\"// c\" /* d */");
        assert_eq!(
            parts.comments,
            "\n// b\n       /* d */".replacen('\n', " \n", 1)
        );
        assert_eq!(parts.code.lines().count(), 3);
    }

    #[test]
    fn text_that_ends_in_the_middle_is_no_trouble() {
        for text in ["\"", "'", "'\\", "r#\"", "/*", "//", "r", "\"\\"] {
            let parts = SourceText::of(text);
            assert_eq!(parts.code.chars().count(), text.chars().count(), "{text}");
        }
    }
}
