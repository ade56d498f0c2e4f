//! The words by which people ask for no more messages.
//!
//! Carriers and regulators expect a message that is nothing but such a word to be obeyed. A message that begins with one may
//! ask for the same; further back in a sentence the word means what it says. To add a word: its list below, in small letters, words parted by single spaces.

use super::normalise;

/// The words that the US Federal Communications Commission names, those of the common providers, and the French of
/// Canada's carriers.
const OPT_OUT: &[&str] = &[
    "stop",
    "stopall",
    "stop all",
    "unsubscribe",
    "unsub",
    "cancel",
    "end",
    "quit",
    "optout",
    "opt out",
    "revoke",
    "arret",
    "arrêt",
    "arre\u{302}t",
];

/// The words that undo it.
const OPT_IN: &[&str] = &["start", "unstop"];

/// Whether the whole message is an opt-out word such as `STOP`, whatever its case and the punctuation around it; hyphens
/// count as spaces, full-width forms as their ASCII twins, and invisible characters do not count.
pub fn is_opt_out(text: &str) -> bool {
    is_one_of(OPT_OUT, text)
}

/// Whether the whole message is a word such as `START` that undoes an opt-out, as [`is_opt_out`] compares them.
pub fn is_opt_in(text: &str) -> bool {
    is_one_of(OPT_IN, text)
}

fn is_one_of(list: &[&str], text: &str) -> bool {
    let folded = folded(text);
    let bare = folded.trim_matches(|c: char| !c.is_alphanumeric());
    let words: Vec<&str> = bare.split(is_gap).filter(|word| !word.is_empty()).collect();
    list.contains(&words.join(" ").as_str())
}

/// Whether the message is an opt-out word, or begins with one as a whole word: `Stop. Thank you`, but not `Stopwatch`.
pub fn begins_with_opt_out(text: &str) -> bool {
    let folded = folded(text);
    let mut words = folded
        .split(|c| !is_in_word(c))
        .map(|word| word.trim_matches(is_apostrophe))
        .filter(|word| !word.is_empty());
    let Some(first) = words.next() else {
        return false;
    };
    let second = words.next().unwrap_or_default();
    OPT_OUT.contains(&first) || OPT_OUT.contains(&format!("{first} {second}").as_str())
}

fn folded(text: &str) -> String {
    text.chars()
        .filter(|c| !is_invisible(*c))
        .map(narrow)
        .flat_map(char::to_lowercase)
        .collect()
}

/// Letters and digits, the marks on them, and the apostrophe of `don't`.
fn is_in_word(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '\u{300}'..='\u{36f}') || is_apostrophe(c)
}

const fn is_apostrophe(c: char) -> bool {
    matches!(c, '\'' | '\u{2019}')
}

/// Characters that show nothing and part no words; the grapheme joiner is a mark to Unicode.
fn is_invisible(c: char) -> bool {
    c == '\u{34f}' || normalise::is_invisible(c)
}

fn narrow(c: char) -> char {
    match c {
        // The block of full-width forms repeats ASCII's printable characters in their order.
        '！'..='～' => char::from_u32(u32::from(c) - 0xfee0).unwrap_or(c),
        _ => c,
    }
}

fn is_gap(c: char) -> bool {
    c.is_whitespace() || matches!(c, '-' | '\u{2010}'..='\u{2015}')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn these_ask_for_no_more() {
        for text in [
            "STOP",
            "stop",
            "Stop.",
            " stop \n",
            "\"STOP\"",
            "'stop'",
            "STOP!!!",
            "(stop)",
            "STOPALL",
            "STOP ALL",
            "stop-all",
            "Stop  All",
            "UNSUBSCRIBE",
            "Unsubscribe.",
            "CANCEL",
            "END",
            "QUIT",
            "OPTOUT",
            "OPT-OUT",
            "OPT OUT",
            "opt\u{2011}out",
            "REVOKE",
            "ＳＴＯＰ",
            "ｓｔｏｐ！",
            "\u{3000}ＯＰＴ－ＯＵＴ",
            "ARRET",
            "ARRÊT",
            "arre\u{302}t",
            "STOP 🛑",
            "«Stop»",
            "…stop…",
        ] {
            assert!(is_opt_out(text), "{text:?}");
        }
    }

    #[test]
    fn these_undo_it() {
        for text in [
            "START",
            "start",
            "Start.",
            "UNSTOP",
            "un\u{ad}stop!",
            "«Start»",
            "ＳＴＡＲＴ",
        ] {
            assert!(is_opt_in(text), "{text:?}");
            assert!(!is_opt_out(text) && !begins_with_opt_out(text), "{text:?}");
        }
        for text in [
            "",
            "start over",
            "please start",
            "STOP",
            "un stop",
            "yes",
            "restart",
        ] {
            assert!(!is_opt_in(text), "{text:?}");
        }
    }

    #[test]
    fn within_a_sentence_a_word_means_what_it_says() {
        for text in [
            "",
            " ",
            "!",
            "Please stop the noise",
            "stop the noise",
            "bus stop",
            "nonstop",
            "stopped",
            "stop1",
            "1 stop",
            "s t o p",
            "the end",
            "Cancel my appointment",
            "help me",
            "stop it",
            "I need info",
            "yes",
            "no",
            "start over",
            "stop\u{301}p",
            "st-op",
            "STOP #123",
            "#0 stop",
            "START",
            "Unstop!",
            "opt-in",
            "HELP",
        ] {
            assert!(!is_opt_out(text), "{text:?}");
        }
    }

    #[test]
    fn these_begin_with_a_word_that_asks_for_no_more() {
        for text in [
            "STOP",
            "Stop. Thank you",
            "STOP please",
            "stop, please!",
            "stop: I do not want this",
            "STOP/END",
            "stop\nsending",
            "stop the noise",
            "\u{200e}STOP please",
            "S\u{200d}TOP please",
            "\u{feff}stop\u{ad} it",
            "ＳＴＯＰ　please",
            "…stop it",
            "'Stop' is what I say",
            "«Stop» merci",
            "Opt-out now",
            "opt out of all this",
            "Cancel my appointment",
            "End",
            "unsubscribe me",
            "Arrêt, merci",
            "arre\u{302}t merci",
            "STOP🛑now",
            "stop_all",
        ] {
            assert!(begins_with_opt_out(text), "{text:?}");
        }
    }

    #[test]
    fn a_word_that_only_begins_like_it_is_another_word() {
        for text in [
            "",
            " ",
            "!",
            "🛑",
            "stopped",
            "Stopwatch",
            "STOPPING by",
            "stop1",
            "stop\u{301}p",
            "Stop's",
            "Stop\u{2019}s the word",
            "ends",
            "Endless",
            "quitting",
            "cancelled",
            "Cancellation",
            "Please stop",
            "bus stop",
            "opt in",
            "opt",
            "out",
            "st-op",
            "nonstop",
            "unstop",
            "START",
            "123 stop",
        ] {
            assert!(!begins_with_opt_out(text), "{text:?}");
        }
    }

    #[test]
    fn invisible_characters_do_not_count() {
        for text in [
            "\u{202a}STOP\u{202c}",
            "S\u{200d}T\u{2060}OP",
            "\u{feff}stop\u{fe0f}",
        ] {
            assert!(is_opt_out(text), "{text:?}");
        }
    }

    #[test]
    fn every_listed_phrase_can_match() {
        for phrase in OPT_OUT {
            assert!(is_opt_out(phrase), "{phrase}");
            assert!(
                begins_with_opt_out(&format!("{phrase}, please")),
                "{phrase}"
            );
            assert!(is_opt_out(&phrase.to_uppercase()), "{phrase}");
        }
    }

    proptest! {
        #[test]
        fn a_further_word_makes_it_a_sentence(word in "[a-z]{6,12}", text in "(STOP|stop|Quit|END)") {
            prop_assert!(is_opt_out(&text));
            let sentence = format!("{word} {text}");
            prop_assert!(!is_opt_out(&sentence));
        }

        #[test]
        fn any_text_has_an_answer(text in any::<String>(), around in "[ \\t\\n.,!?'\"()]{0,5}") {
            let framed = format!("{around}{text}{around}");
            prop_assert_eq!(is_opt_out(&text), is_opt_out(&framed));
            prop_assert!(begins_with_opt_out(&framed) || !is_opt_out(&text));
        }
    }
}
