//! The parts that an SMS is cut into, each of which is paid for.
//!
//! A text that the GSM 7-bit alphabet (3GPP TS 23.038) can write goes out in it; one character outside makes the
//! whole text UCS-2. One part holds 160 GSM-7 or 70 UCS-2 units; each of several holds 153 or 67, the rest being the
//! header that puts them together again. A character of two units is never split between two parts, so a part may
//! stay one unit short of full.

/// How an SMS writes its characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// Seven bits a unit; a character of the extension table takes two units.
    Gsm7,
    /// Sixteen bits a unit; a character outside the basic plane, such as most emoji, takes two.
    Ucs2,
}

impl Encoding {
    /// How many units the only part of a message holds.
    pub const fn single_part_units(self) -> usize {
        match self {
            Self::Gsm7 => 160,
            Self::Ucs2 => 70,
        }
    }

    /// How many units each of several parts holds.
    pub const fn part_units(self) -> usize {
        match self {
            Self::Gsm7 => 153,
            Self::Ucs2 => 67,
        }
    }

    /// The units of one character; `None` where the alphabet does not have it.
    fn units(self, c: char) -> Option<usize> {
        match self {
            Self::Gsm7 => gsm7_units(c),
            Self::Ucs2 => Some(c.len_utf16()),
        }
    }
}

/// What a text takes as SMS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segments {
    /// The encoding it needs.
    pub encoding: Encoding,
    /// The units of the whole text, in that encoding.
    pub units: usize,
    /// How many parts it is sent in; 0 for an empty text, which is not sent.
    pub parts: usize,
    /// How many units the last part still holds; for an empty text, all of the only part's. In a message of one part
    /// they are counted up to the single part's limit, though the first unit beyond it makes two parts.
    pub units_left: usize,
}

/// Counts what a text takes as SMS. The text must be as it is sent, appended reference included.
pub fn segments(text: &str) -> Segments {
    let encoding = if text.chars().all(|c| gsm7_units(c).is_some()) {
        Encoding::Gsm7
    } else {
        Encoding::Ucs2
    };
    let widths = || text.chars().filter_map(|c| encoding.units(c));
    let units = widths().sum();
    let single = encoding.single_part_units();
    if units <= single {
        return Segments {
            encoding,
            units,
            parts: usize::from(units > 0),
            units_left: single - units,
        };
    }
    let mut parts = 1;
    let mut units_left = encoding.part_units();
    for width in widths() {
        if width > units_left {
            parts += 1;
            units_left = encoding.part_units();
        }
        units_left -= width;
    }
    Segments {
        encoding,
        units,
        parts,
        units_left,
    }
}

/// What the default alphabet holds beyond ASCII. Of ASCII it holds LF, CR, the characters from the space to `Z`, `_` and `a` to `z`.
pub const GSM7_BEYOND_ASCII: &str = "¡£¤¥§¿ÄÅÆÇÉÑÖØÜßàäåæèéìñòöøùüΓΔΘΛΞΠΣΦΨΩ";

/// The extension table, whose characters take two units.
pub const GSM7_EXTENSION: &str = "\u{c}[\\]^{|}~€";

/// Whether the GSM 7-bit alphabet can write a character.
pub fn is_gsm7(c: char) -> bool {
    gsm7_units(c).is_some()
}

/// The escape character itself has no units: it only introduces a character of the extension table.
fn gsm7_units(c: char) -> Option<usize> {
    match c {
        '\n' | '\r' | ' '..='Z' | '_' | 'a'..='z' => Some(1),
        _ if GSM7_EXTENSION.contains(c) => Some(2),
        _ => GSM7_BEYOND_ASCII.contains(c).then_some(1),
    }
}

#[cfg(test)]
mod tests {
    use Encoding::{Gsm7, Ucs2};
    use proptest::prelude::*;

    use super::*;

    const BASIC: &str = "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà";
    const EXTENSION: &str = "\u{c}^{}\\[~]|€";

    fn expect(text: &str, encoding: Encoding, units: usize, parts: usize, units_left: usize) {
        assert_eq!(
            segments(text),
            Segments {
                encoding,
                units,
                parts,
                units_left
            },
            "{text:?}"
        );
    }

    #[test]
    fn the_alphabet_is_the_standards() {
        assert_eq!(
            BASIC.chars().count(),
            127,
            "128 codes, one of them the escape"
        );
        let listed = |c: char| {
            if BASIC.contains(c) {
                Some(1)
            } else {
                EXTENSION.contains(c).then_some(2)
            }
        };
        for c in '\0'..=char::MAX {
            assert_eq!(gsm7_units(c), listed(c), "{c:?}");
        }
    }

    #[test]
    fn one_character_outside_makes_all_of_it_ucs2() {
        for outside in [
            "`", "ç", "á", "\t", "\0", "\u{1b}", "…", "’", "“", "–", "\u{a0}", "я", "\u{2126}",
        ] {
            expect(&format!("ab{outside}"), Ucs2, 3, 1, 67);
        }
        expect("e\u{301}", Ucs2, 2, 1, 68);
        expect("😀", Ucs2, 2, 1, 68);
        // A keycap, and a family of four joined by three joiners.
        expect("1\u{fe0f}\u{20e3}", Ucs2, 3, 1, 67);
        expect("👨\u{200d}👩\u{200d}👧\u{200d}👦", Ucs2, 11, 1, 59);
    }

    #[test]
    fn gsm7_holds_160_or_153_a_part() {
        expect("", Gsm7, 0, 0, 160);
        expect("a", Gsm7, 1, 1, 159);
        expect(&"a".repeat(160), Gsm7, 160, 1, 0);
        expect(&"a".repeat(161), Gsm7, 161, 2, 145);
        expect(&"a".repeat(306), Gsm7, 306, 2, 0);
        expect(&"a".repeat(307), Gsm7, 307, 3, 152);
        expect(&"a".repeat(459), Gsm7, 459, 3, 0);
        expect(&"a".repeat(1_000), Gsm7, 1_000, 7, 71);
    }

    #[test]
    fn ucs2_holds_70_or_67_a_part() {
        expect(&"я".repeat(70), Ucs2, 70, 1, 0);
        expect(&"я".repeat(71), Ucs2, 71, 2, 63);
        expect(&"я".repeat(134), Ucs2, 134, 2, 0);
        expect(&"я".repeat(135), Ucs2, 135, 3, 66);
        expect(&"я".repeat(1_000), Ucs2, 1_000, 15, 5);
    }

    #[test]
    fn an_extension_character_is_never_split() {
        expect(&"€".repeat(80), Gsm7, 160, 1, 0);
        expect(&("a".repeat(159) + "€"), Gsm7, 161, 2, 145);
        // The first part stays one unit short: 152 and 2, not 153 and 1.
        expect(&("a".repeat(152) + "€" + &"a".repeat(7)), Gsm7, 161, 2, 144);
        expect(&"€".repeat(81), Gsm7, 162, 2, 143);
        // 306 units, which divide into two parts of 153, take three.
        expect(&"€".repeat(153), Gsm7, 306, 3, 151);
        expect(&("a".to_owned() + &"€".repeat(152) + "a"), Gsm7, 306, 2, 0);
    }

    #[test]
    fn a_surrogate_pair_is_never_split() {
        expect(&"😀".repeat(35), Ucs2, 70, 1, 0);
        expect(&"😀".repeat(36), Ucs2, 72, 2, 61);
        // 134 units, which divide into two parts of 67, take three.
        expect(&"😀".repeat(67), Ucs2, 134, 3, 65);
        expect(&("a".to_owned() + &"😀".repeat(66) + "a"), Ucs2, 134, 2, 0);
        expect(&("a".repeat(66) + "😀" + &"a".repeat(66)), Ucs2, 134, 3, 66);
    }

    proptest! {
        #[test]
        fn the_parts_hold_the_text_and_no_more(text in "([ -~]|[a€]|[a😀я]){0,400}") {
            let counted = segments(&text);
            let part = if counted.parts > 1 { counted.encoding.part_units() } else { counted.encoding.single_part_units() };
            prop_assert!(counted.units_left <= part);
            let held = counted.parts * part;
            let used = held - counted.units_left.min(held);
            // What is not used at the end is at most one unit in each part before the last.
            prop_assert!(used >= counted.units);
            prop_assert!(used - counted.units < counted.parts.max(1));
        }

        #[test]
        fn more_text_never_takes_fewer_parts(text in "[a€{]{0,400}", more in "[a€]{1,10}") {
            let longer = format!("{text}{more}");
            prop_assert!(segments(&longer).parts >= segments(&text).parts);
        }
    }
}
