//! The words that a search finds: one form for texts that are indexed and for queries.
//!
//! [`index`] turns texts into their words, [`Query`] says which words a text must have. Both fold first:
//! case, accents, width, compatibility forms and digits of other scripts become one spelling, and
//! invisible characters go. Then the folded text is cut into tokens:
//!
//! - A word is a row of letters, digits and marks; all else separates.
//! - Scripts that write no spaces between words (Chinese, Japanese, Thai, Khmer, …) and Hangul, whose words carry
//!   endings, become bigrams: each character with the next one, and the last character of a row alone.
//!   So a search finds any part of a row, whatever a dictionary would call a word.
//! - An emoji is a token of its own, without its skin tone.
//!
//! The order of tokens stays. A part of a query without white space is a phrase: its tokens must
//! follow one another. That makes bigrams exact, and finds `AB-1234` where it stands whole.
//!
//! What always holds: [`Query::matches`] and the database ([`Query::patterns`], [`Query::tsquery`])
//! find the same texts. Tokens hold no white space, quote, backslash, `%` or `_`. An index has a
//! bounded number of tokens and bytes, whatever the text.
//!
//! A change of what [`index`] gives makes stored words stale: raise the versions of the read models
//! that store them.

use std::collections::HashSet;

use unicode_normalization::UnicodeNormalization as _;
use unicode_normalization::char::canonical_combining_class;
use unicode_properties::{GeneralCategory, UnicodeEmoji as _, UnicodeGeneralCategory as _};

/// So many characters of each text are read; no text of a message is that long.
const MAX_CHARS: usize = 20_000;
/// So many tokens are kept of all texts of one item. A row of 4,096 Chinese characters, the longest
/// message, has as many.
const MAX_TOKENS: usize = 4_096;
/// So many bytes of tokens are kept of all texts of one item: far below the database's limit for a
/// vector of words.
const MAX_BYTES: usize = 65_536;
/// A word is cut after so many characters, in texts as in queries.
const MAX_WORD_CHARS: usize = 64;
/// So many characters of a query are read.
const MAX_QUERY_CHARS: usize = 1_000;
/// Fewer Latin letters are no beginning of a name that is looked for.
const MIN_LETTERS_OF_NAME: usize = 3;
/// So many tokens of a query count.
const MAX_QUERY_TOKENS: usize = 64;

/// The tokens of these texts in order, each between spaces: ` hello world `. `None` where there is none.
pub fn index<'a>(texts: impl IntoIterator<Item = &'a str>) -> Option<String> {
    let mut words = Words::default();
    for text in texts {
        for piece in pieces(&fold(text, MAX_CHARS)) {
            if !words.add_piece(piece) {
                return words.finish();
            }
        }
    }
    words.finish()
}

#[derive(Default)]
struct Words {
    text: String,
    tokens: usize,
}

impl Words {
    /// Adds the tokens of a piece; `false` where there is no room for more.
    fn add_piece(&mut self, piece: Piece<'_>) -> bool {
        match piece {
            Piece::Word(token) | Piece::Symbol(token) => self.add(token),
            Piece::Row(row) => bigrams(row).all(|token| self.add(token)),
        }
    }

    fn add(&mut self, token: &str) -> bool {
        if self.tokens == MAX_TOKENS || self.text.len() + token.len() + 2 > MAX_BYTES {
            return false;
        }
        self.tokens += 1;
        self.text.push(' ');
        self.text.push_str(token);
        true
    }

    fn finish(mut self) -> Option<String> {
        if self.text.is_empty() {
            return None;
        }
        self.text.push(' ');
        Some(self.text)
    }
}

/// What somebody searches for: every term must be found.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Query {
    terms: Vec<Term>,
}

/// Tokens that follow one another.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Term {
    tokens: Vec<String>,
    /// Whether the last token may be the beginning of a longer one.
    is_open: bool,
}

impl Query {
    /// The terms of what was typed. The last word may be the beginning of one, and a single
    /// character of a script without spaces always is.
    pub fn parse(typed: &str) -> Self {
        let folded = fold(typed, MAX_QUERY_CHARS);
        let mut left = MAX_QUERY_TOKENS;
        let mut terms: Vec<Term> = folded
            .split_whitespace()
            .filter_map(|part| Term::parse(part, &mut left))
            .collect();
        if let Some(last) = terms.last_mut() {
            last.is_open = true;
        }
        let mut known = HashSet::new();
        terms.retain(|term| known.insert(term.clone()));
        Self { terms }
    }

    /// Whether nothing was typed that a text could have.
    pub fn is_empty(&self) -> bool {
        self.terms.is_empty()
    }

    /// Whether a text with these words, as [`index`] gives them, has all terms.
    pub fn matches(&self, words: &str) -> bool {
        self.terms.iter().all(|term| words.contains(&term.needle()))
    }

    /// A pattern for `LIKE` for each term: words with all of them match. The longest, which most likely
    /// tells texts apart, comes first.
    pub fn patterns(&self) -> Vec<Pattern> {
        let mut patterns: Vec<Pattern> = self
            .terms
            .iter()
            .map(|term| Pattern {
                like: format!("%{}%", term.needle()),
                is_for_names: term.is_for_names(),
            })
            .collect();
        patterns.sort_by_key(|pattern| std::cmp::Reverse(pattern.like.len()));
        patterns
    }

    /// A `tsquery` for all tokens, whatever their order: it finds each text that matches, and more
    /// where [`Query::has_phrases`].
    pub fn tsquery(&self) -> String {
        let terms: Vec<String> = self.terms.iter().map(Term::tsquery).collect();
        terms.join(" & ")
    }

    /// A `tsquery` that finds each name with at least one of the terms that are looked for in names,
    /// and more where [`Query::has_phrases`]; `None` where none is.
    pub fn tsquery_of_names(&self) -> Option<String> {
        let terms: Vec<String> = self
            .terms
            .iter()
            .filter(|term| term.is_for_names())
            .map(Term::tsquery)
            .collect();
        (!terms.is_empty()).then(|| terms.join(" | "))
    }

    /// Whether tokens must follow one another.
    pub fn has_phrases(&self) -> bool {
        self.terms.iter().any(|term| term.tokens.len() > 1)
    }
}

/// A term as the database compares it.
#[derive(Clone, PartialEq, Eq)]
pub struct Pattern {
    /// The pattern for `LIKE`.
    pub like: String,
    /// Whether the contact's name may have the term in place of a text.
    pub is_for_names: bool,
}

impl Term {
    /// The tokens of a part of a query without white space; `None` where it has none. As many as
    /// `left` says count.
    fn parse(part: &str, left: &mut usize) -> Option<Self> {
        let mut tokens: Vec<String> = vec![];
        let mut is_open = false;
        let mut pieces = pieces(part).peekable();
        while let Some(piece) = pieces.next() {
            match piece {
                Piece::Word(token) | Piece::Symbol(token) => tokens.push(token.to_owned()),
                Piece::Row(row) => {
                    tokens.extend(bigrams(row).map(str::to_owned));
                    // In a text the row may go on where it ends here.
                    if pieces.peek().is_none() {
                        if row.chars().nth(1).is_some() {
                            tokens.pop();
                        } else {
                            is_open = true;
                        }
                    }
                }
            }
        }
        if tokens.len() > *left {
            tokens.truncate(*left);
            is_open = true;
        }
        *left -= tokens.len();
        (!tokens.is_empty()).then_some(Self { tokens, is_open })
    }

    /// One or two Latin letters begin too many names.
    fn is_for_names(&self) -> bool {
        let text = self.tokens.concat();
        !self.is_open || text.len() >= MIN_LETTERS_OF_NAME || !text.is_ascii()
    }

    fn needle(&self) -> String {
        let end = if self.is_open { "" } else { " " };
        format!(" {}{end}", self.tokens.join(" "))
    }

    fn tsquery(&self) -> String {
        let last = self.tokens.len() - 1;
        let tokens: Vec<String> = self
            .tokens
            .iter()
            .enumerate()
            .map(|(n, token)| {
                let open = if n == last && self.is_open { ":*" } else { "" };
                format!("'{token}'{open}")
            })
            .collect();
        format!("({})", tokens.join(" & "))
    }
}

/// A part of a folded text.
#[derive(Clone, Copy)]
enum Piece<'a> {
    /// Letters, digits and marks, perhaps cut.
    Word(&'a str),
    /// Characters of scripts without spaces.
    Row(&'a str),
    /// An emoji.
    Symbol(&'a str),
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Class {
    Word,
    Row,
    Symbol,
    Separator,
}

fn pieces(folded: &str) -> impl Iterator<Item = Piece<'_>> {
    let mut rest = folded;
    std::iter::from_fn(move || {
        rest = rest.trim_start_matches(|c| class(c) == Class::Separator);
        let class_of_first = class(rest.chars().next()?);
        let end = if class_of_first == Class::Symbol {
            symbol_length(rest)
        } else {
            rest.find(|c| class(c) != class_of_first)
                .unwrap_or(rest.len())
        };
        let (piece, after) = rest.split_at(end);
        rest = after;
        Some(match class_of_first {
            Class::Row => Piece::Row(piece),
            Class::Symbol => Piece::Symbol(piece),
            Class::Word | Class::Separator => Piece::Word(cut(piece)),
        })
    })
}

/// A word in the length that is kept.
fn cut(word: &str) -> &str {
    let end = word.char_indices().nth(MAX_WORD_CHARS);
    end.map_or(word, |(end, _)| &word[..end])
}

/// Bytes of the symbol at the beginning: a flag is two characters, any other symbol is one.
fn symbol_length(text: &str) -> usize {
    let is_indicator = |c: &char| ('\u{1F1E6}'..='\u{1F1FF}').contains(c);
    let mut chars = text.chars();
    let first = chars.next();
    let second = chars
        .next()
        .filter(|second| first.as_ref().is_some_and(is_indicator) && is_indicator(second));
    first.map_or(0, char::len_utf8) + second.map_or(0, char::len_utf8)
}

/// Each character of a row with the next one, and the last one alone.
fn bigrams(row: &str) -> impl Iterator<Item = &str> {
    row.char_indices().map(move |(start, first)| {
        let after = start + first.len_utf8();
        let second = row[after..].chars().next().map_or(0, char::len_utf8);
        &row[start..after + second]
    })
}

fn class(c: char) -> Class {
    if c.is_ascii() {
        return if c.is_ascii_alphanumeric() {
            Class::Word
        } else {
            Class::Separator
        };
    }
    if is_symbol(c) {
        return Class::Symbol;
    }
    // Letters that stand for an apostrophe separate as an apostrophe does.
    if matches!(c, '\u{2B9}'..='\u{2BF}') {
        return Class::Separator;
    }
    let is_mark = || {
        matches!(
            c.general_category(),
            GeneralCategory::NonspacingMark | GeneralCategory::SpacingMark
        )
    };
    match c.is_alphanumeric() || is_mark() {
        true if is_without_spaces(c) => Class::Row,
        true => Class::Word,
        false => Class::Separator,
    }
}

fn is_symbol(c: char) -> bool {
    // Signs of Latin-1 such as © are emoji by name only.
    c >= '\u{2000}'
        && (c.is_emoji_char()
            || c >= '\u{1F000}' && c.general_category() == GeneralCategory::OtherSymbol)
}

/// Whether it belongs to a script whose words are not written apart, or to Hangul.
fn is_without_spaces(c: char) -> bool {
    matches!(c,
        // Thai, Lao; Myanmar; Hangul letters; Khmer; New Tai Lue and its neighbours; Tai Tham.
        '\u{0E00}'..='\u{0EFF}'
        | '\u{1000}'..='\u{109F}'
        | '\u{1100}'..='\u{11FF}'
        | '\u{1780}'..='\u{17FF}'
        | '\u{1950}'..='\u{19FF}'
        | '\u{1A20}'..='\u{1AAF}'
        // Ideographs, kana, Bopomofo and Yi.
        | '\u{2E80}'..='\u{A4CF}'
        // Javanese, Myanmar's extensions, Tai Viet.
        | '\u{A980}'..='\u{A9FF}'
        | '\u{AA60}'..='\u{AADF}'
        // Hangul syllables and later letters; ideographs for compatibility; small kana; more ideographs.
        | '\u{AC00}'..='\u{D7FF}'
        | '\u{F900}'..='\u{FAFF}'
        | '\u{1AFF0}'..='\u{1B16F}'
        | '\u{20000}'..='\u{3FFFF}')
}

/// The one spelling of the first characters of a text: small letters without accents, common width,
/// ASCII digits, nothing invisible.
pub fn fold(text: &str, max_chars: usize) -> String {
    if text.is_ascii() {
        return text[..text.len().min(max_chars)].to_ascii_lowercase();
    }
    text.chars()
        .take(max_chars)
        .filter(|c| !is_invisible(*c))
        .nfkd()
        .filter(|c| !is_accent(*c) && !is_invisible(*c))
        .flat_map(plain)
        .nfc()
        .collect()
}

/// Whether a character changes how others look or join, and is none itself.
fn is_invisible(c: char) -> bool {
    if c.is_ascii() {
        return false;
    }
    let is_selector = matches!(c, '\u{180B}'..='\u{180D}' | '\u{180F}' | '\u{FE00}'..='\u{FE0F}' | '\u{E0100}'..='\u{E01EF}');
    let is_filler = matches!(
        c,
        '\u{34F}' | '\u{115F}' | '\u{1160}' | '\u{3164}' | '\u{FFA0}' | '\u{640}'
    );
    let is_skin_tone = matches!(c, '\u{1F3FB}'..='\u{1F3FF}');
    is_selector || is_filler || is_skin_tone || c.general_category() == GeneralCategory::Format
}

/// Whether it is a mark that people leave out when they type in haste: accents of European letters,
/// vowel signs of Hebrew and Arabic, and circles or keys around a character. Signs without which a
/// word is another one stay: vowels and tones of Thai, of the scripts of India, and the voice of kana.
fn is_accent(c: char) -> bool {
    if c < '\u{300}' {
        return false;
    }
    // The class says where the mark stands: over the letter, 10 to 36 for Hebrew, Arabic and Syriac,
    // from 200 on above, below or attached.
    matches!(canonical_combining_class(c), 1 | 10..=36 | 200..=240)
        || c.general_category() == GeneralCategory::EnclosingMark
}

/// A decomposed character in its small, plain form.
fn plain(c: char) -> impl Iterator<Item = char> {
    let spelt = match c {
        'ß' | 'ẞ' => "ss",
        'æ' | 'Æ' => "ae",
        'œ' | 'Œ' => "oe",
        'þ' | 'Þ' => "th",
        'ø' | 'Ø' => "o",
        'đ' | 'Đ' | 'ð' | 'Ð' => "d",
        'ħ' | 'Ħ' => "h",
        'ı' => "i",
        'ł' | 'Ł' => "l",
        'ŧ' | 'Ŧ' => "t",
        'ς' => "σ",
        _ => "",
    };
    let digit = spelt.is_empty().then(|| digit(c)).flatten();
    let small = (spelt.is_empty() && digit.is_none()).then(|| c.to_lowercase());
    spelt
        .chars()
        .chain(digit)
        .chain(small.into_iter().flatten())
}

/// The ASCII twin of a decimal digit of another script.
fn digit(c: char) -> Option<char> {
    let is_digit =
        |c: char| !c.is_ascii() && c.general_category() == GeneralCategory::DecimalNumber;
    if !is_digit(c) {
        return None;
    }
    // Each script's ten digits follow one another, perhaps behind those of another script.
    let before = (1..u32::from(c))
        .take_while(|n| char::from_u32(u32::from(c) - n).is_some_and(is_digit))
        .count();
    char::from_digit(u32::try_from(before % 10).ok()?, 10)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn words(text: &str) -> String {
        index([text]).unwrap_or_default()
    }

    fn finds(typed: &str, text: &str) -> bool {
        let query = Query::parse(typed);
        !query.is_empty() && query.matches(&words(text))
    }

    #[test]
    fn these_are_found() {
        for (text, typed) in [
            // Case, accents, width.
            ("José has called", "jose"),
            ("JOSÉ has called", "josé"),
            ("Jose has called", "JOSÉ"),
            ("Jose\u{301} has called", "José"),
            ("die Straße nach Köln", "strasse"),
            ("die STRASSE nach KOLN", "Straße köln"),
            ("STRAẞE", "straße"),
            ("Herr MULLER", "müller"),
            ("Herr Müller", "MULLER"),
            (
                "Łódź, Smørrebrød, Þórður, đồng",
                "lodz smorrebrod thordur dong",
            ),
            ("œuvre Æsir", "OEUVRE aesir"),
            ("İstanbul'da ılık", "istanbul ilik"),
            ("ΣΠΊΤΙ μας", "σπιτι"),
            ("ὁ Ὀδυσσεύς", "οδυσσευσ"),
            ("ёлка у Андрея", "елка андрея"),
            ("code ＡＢＣ１２３", "abc123"),
            ("code abc123", "ＡＢＣ１２３"),
            ("ﾊﾞｽﾃｲ ﾍﾞｯﾄﾞ", "バステイ"),
            ("バステイ", "ﾊﾞｽﾃｲ"),
            ("ﬁnal oﬃce", "final office"),
            ("20 \u{212A} and more", "k"),
            ("مُحَمَّد", "محمد"),
            ("שָׁלוֹם", "שלום"),
            ("הגיע", "הגי"),
            // Digits of other scripts.
            ("order ١٢٣٤", "1234"),
            ("order 1234", "१२३४"),
            ("order １２３４", "1234"),
            ("𝟙𝟚𝟛", "123"),
            // Invisible characters.
            ("pel\u{ad}i\u{200b}can", "pelican"),
            ("pelican", "\u{202a}pelican\u{202c}"),
            ("\u{feff}pelican", "pe\u{200d}lican"),
            // Scripts without spaces.
            ("我想预约明天上午的时间", "预约"),
            ("我想预约明天上午的时间", "约"),
            ("我想预约明天上午的时间", "间"),
            ("我想预约明天上午的时间", "明天上午 预约"),
            ("我想预约明天上午的时间", "我想预约明天上午的时间"),
            ("3月5日预约", "3月5日"),
            ("申请3月的预约", "请3月的"),
            ("请用WhatsApp联系", "whatsapp"),
            ("请用WhatsApp联系", "用WhatsApp联"),
            ("よろしくお願いします", "お願い"),
            ("カタカナのメール", "メール"),
            ("時々プログラミング", "々プロ"),
            ("ฉันต้องการนัดหมายพรุ่งนี้", "นัดหมาย"),
            ("ฉันต้องการนัดหมายพรุ่งนี้", "พรุ่งนี้"),
            ("ຂ້ອຍຢາກນັດໝາຍ", "ນັດໝາຍ"),
            ("ខ្ញុំចង់ណាត់ជួប", "ណាត់ជួប"),
            ("ချိန်းဆိုလိုပါတယ်", "လိုပါ"),
            ("내일 예약을 바꾸고 싶어요", "예약 싶어"),
            ("내일 예약을", "예약을".nfd().collect::<String>().as_str()),
            ("मुझे कल मिलना है", "मिलना"),
            ("मुझे कल मिलना है", "मिल"),
            // Emoji.
            ("Thanks 👍", "👍"),
            ("Thanks 👍🏽", "👍"),
            ("Thanks👍🏿!", "👍🏻"),
            ("I ❤️ it", "❤"),
            ("I ❤ it", "❤️"),
            ("👨‍👩‍👧 came", "👧"),
            ("👨‍👩‍👧 came", "👨‍👩‍👧"),
            ("🤷‍♀️", "🤷"),
            ("from 🇩🇪", "🇩🇪"),
            ("see 1️⃣", "1"),
            ("ok👍ok", "👍 ok"),
            // Words and identifiers.
            ("The roof is leaking", "leak"),
            ("The roof is leaking", "ROOF leaking"),
            ("The roof is leaking", "leaking roof"),
            ("The roof is leaking", "  roof\u{a0}lea "),
            ("order AB-1234/5, please", "ab-1234/5"),
            ("order AB-1234/5, please", "1234"),
            ("order AB_1234", "ab_12"),
            ("from 10-12", "12"),
            ("-12 degrees", "12"),
            ("anna@example.com wrote", "example"),
            ("anna@example.com wrote", "anna@example.com"),
            ("https://example.com/Roof?a=b", "example.com/roof"),
            ("https://example.com/Roof?a=b", "roof"),
            ("well-known, 1.5e3", "well-known 1.5e3"),
            ("O’Neill", "o'neill"),
            ("OʼNeill", "O'Neill"),
            ("l'hôtel", "hotel"),
            ("see #123.", "#123"),
            ("(urgent)", "urgent!"),
        ] {
            assert!(finds(typed, text), "{typed} in {text}: {}", words(text));
        }
    }

    #[test]
    fn these_are_not_found() {
        for (text, typed) in [
            ("The roof is leaking", "oof"),
            ("The roof is leaking", "lea roof"),
            ("The roof is leaking", "roof cellar"),
            ("我想预约明天", "约预"),
            ("我想 预约 明天", "想预"),
            ("预想约会预计", "预约"),
            ("ฉันต้องการนัดหมาย", "หมายนัด"),
            // Vowels, tones and the voice of kana make other words.
            ("น้ำ", "นา"),
            ("か", "が"),
            ("कि", "का"),
            ("Thanks 👍", "👎"),
            ("from 🇩🇪", "🇫🇷"),
            ("AB 1234", "1234-AB"),
            ("100%", "%"),
            ("a_b", "_"),
            ("anything", "!?"),
            ("anything", " "),
            ("anything", "\u{200b}"),
            ("", "anything"),
        ] {
            assert!(!finds(typed, text), "{typed} in {text}: {}", words(text));
        }
    }

    #[test]
    fn an_index_is_the_tokens_in_order() {
        assert_eq!(
            index(["Hello, my ROOF", "预约3号👍"]).as_deref(),
            Some(" hello my roof 预约 约 3 号 👍 ")
        );
        assert_eq!(index([""; 2]), None);
        assert_eq!(index(["?!"]), None);
    }

    #[test]
    fn the_work_for_a_hostile_text_is_bounded() {
        let chinese: String = (0..4_096_u32)
            .filter_map(|n| char::from_u32(0x4E00 + n))
            .collect();
        assert_eq!(words(&chinese).split_whitespace().count(), 4_096);
        let last: String = chinese.chars().skip(4_094).collect();
        assert!(finds(&last, &chinese), "the end of the longest message");

        for hostile in [
            "a ".repeat(100_000),
            "x".repeat(1_000_000),
            "\u{1F600}".repeat(20_000),
            "\u{FDFA}".repeat(20_000),
            format!("e{}", "\u{301}".repeat(100_000)),
            (0..20_000)
                .filter_map(|n| char::from_u32(0x20000 + n))
                .collect(),
            format!("{} ", "\u{10400}".repeat(100)).repeat(1_000),
        ] {
            let words = words(&hostile);
            assert!(words.len() <= MAX_BYTES, "{} bytes", words.len());
            assert!(words.split_whitespace().count() <= MAX_TOKENS);
            let query = Query::parse(&hostile);
            assert!(query.patterns().len() <= MAX_QUERY_TOKENS);
            assert!(query.is_empty() || query.matches(&words), "it finds itself");
        }
    }

    #[test]
    fn a_long_word_is_found_by_its_beginning_and_whole() {
        let long = "wamid".to_owned() + &"Hb3Gm".repeat(40);
        let text = format!("see {long} there");
        assert!(finds(&long, &text));
        assert!(finds(&format!("{long} there"), &text));
        assert!(finds(&long[..20], &text));
        assert!(!finds(&long[1..], &text));
    }

    #[test]
    fn a_query_is_said_for_the_database() {
        let patterns = |query: &Query| -> Vec<(String, bool)> {
            let patterns = query.patterns().into_iter();
            patterns
                .map(|pattern| (pattern.like, pattern.is_for_names))
                .collect()
        };
        let query = Query::parse("Roof AB-12 roof 预约x le");
        assert_eq!(
            query.tsquery(),
            "('roof') & ('ab' & '12') & ('预约' & '约' & 'x') & ('le':*)"
        );
        assert_eq!(
            query.tsquery_of_names().unwrap(),
            "('roof') | ('ab' & '12') | ('预约' & '约' & 'x')"
        );
        assert_eq!(
            patterns(&query),
            [
                ("% 预约 约 x %".into(), true),
                ("% ab 12 %".into(), true),
                ("% roof %".into(), true),
                ("% le%".into(), false)
            ]
        );
        assert!(query.has_phrases());
        assert_eq!(Query::parse("约 roof").tsquery(), "('约':*) & ('roof':*)");
        assert!(!Query::parse("roof it").has_phrases());
        assert_eq!(Query::parse("le").tsquery_of_names(), None);
        assert!(Query::parse("李").tsquery_of_names().is_some());
    }

    #[test]
    fn every_scripts_digits_have_ascii_twins() {
        let mut scripts = 0;
        for zero in (0x80..0x2_0000_u32).filter_map(char::from_u32) {
            if digit(zero) == Some('0') {
                scripts += 1;
                for n in 1..10 {
                    let other = char::from_u32(u32::from(zero) + n).unwrap();
                    assert_eq!(digit(other), char::from_digit(n, 10), "{other}");
                }
            }
        }
        assert!(scripts > 60, "{scripts}");
    }

    proptest! {
        #[test]
        fn a_text_is_found_by_itself_and_by_each_of_its_words(text in "\\PC{0,60}") {
            let indexed = words(&text);
            for part in text.split_whitespace().take(MAX_QUERY_TOKENS / 4) {
                let query = Query::parse(part);
                prop_assert!(query.is_empty() || query.matches(&indexed), "{part}: {indexed}");
            }
            prop_assert!(Query::parse(&text).matches(&indexed));
        }

        #[test]
        fn folding_twice_changes_nothing(text in "\\PC{0,60}") {
            let once = fold(&text, MAX_CHARS);
            prop_assert_eq!(fold(&once, MAX_CHARS), once);
        }

        #[test]
        fn a_piece_of_a_row_is_found(
            before in "[一-三あ-うก-ง가-거]{0,5}", piece in "[一-三あ-うก-ง가-거]{1,5}", after in "[一-三あ-うก-ง가-거]{0,5}",
        ) {
            let text = format!("{before}{piece}{after}");
            prop_assert!(finds(&piece, &text));
            // And nothing that is not there.
            let other = format!("{piece}四");
            prop_assert_eq!(finds(&other, &text), text.contains(&other));
        }

        #[test]
        fn no_token_can_harm_a_pattern(text in any::<String>()) {
            let indexed = words(&text);
            prop_assert!(!indexed.contains(['%', '_', '\\', '\'', '\0', '"', ':']));
            prop_assert!(!Query::parse(&text).patterns().iter().any(|pattern| pattern.like[1..pattern.like.len() - 1].contains(['%', '_', '\\'])));
        }
    }
}
