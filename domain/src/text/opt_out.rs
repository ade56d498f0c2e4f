//! The words by which people leave, come back and ask for help.
//!
//! Carriers and regulators expect a message that is nothing but such a word to be obeyed; within a sentence the word
//! means what it says. To add a word: its list below, in small letters, words parted by single spaces.

/// What a message that is nothing but a keyword asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keyword {
    /// No more messages.
    OptOut,
    /// Messages again, after an opt-out.
    OptIn,
    /// Who is writing, and how to stop it.
    Help,
}

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

/// Without "yes", by which some providers let people come back: here it is an answer to a question.
const OPT_IN: &[&str] = &[
    "start",
    "unstop",
    "optin",
    "opt in",
    "subscribe",
    "resubscribe",
];

const HELP: &[&str] = &["help", "info", "aide"];

/// The keyword that the whole message is, whatever its case and the punctuation around it; hyphens count as spaces,
/// full-width forms as their ASCII twins.
pub fn keyword(text: &str) -> Option<Keyword> {
    let folded: String = text
        .chars()
        .map(narrow)
        .flat_map(char::to_lowercase)
        .collect();
    let bare = folded.trim_matches(|c: char| !c.is_alphanumeric());
    let words: Vec<&str> = bare.split(is_gap).filter(|word| !word.is_empty()).collect();
    let phrase = words.join(" ");
    [
        (OPT_OUT, Keyword::OptOut),
        (OPT_IN, Keyword::OptIn),
        (HELP, Keyword::Help),
    ]
    .into_iter()
    .find_map(|(phrases, keyword)| phrases.contains(&phrase.as_str()).then_some(keyword))
}

/// Whether the whole message is an opt-out word, such as `STOP`.
pub fn is_opt_out(text: &str) -> bool {
    keyword(text) == Some(Keyword::OptOut)
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
            assert_eq!(keyword(text), Some(Keyword::OptOut), "{text:?}");
            assert!(is_opt_out(text), "{text:?}");
        }
    }

    #[test]
    fn these_come_back_or_ask() {
        for text in ["START", "Unstop!", "opt-in", "SUBSCRIBE"] {
            assert_eq!(keyword(text), Some(Keyword::OptIn), "{text:?}");
        }
        for text in ["HELP", "help?", "Info", "ＩＮＦＯ"] {
            assert_eq!(keyword(text), Some(Keyword::Help), "{text:?}");
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
        ] {
            assert_eq!(keyword(text), None, "{text:?}");
            assert!(!is_opt_out(text), "{text:?}");
        }
    }

    #[test]
    fn every_listed_phrase_can_match() {
        for (phrases, expected) in [
            (OPT_OUT, Keyword::OptOut),
            (OPT_IN, Keyword::OptIn),
            (HELP, Keyword::Help),
        ] {
            for phrase in phrases {
                assert_eq!(keyword(phrase), Some(expected), "{phrase}");
                assert_eq!(keyword(&phrase.to_uppercase()), Some(expected), "{phrase}");
            }
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
            prop_assert_eq!(keyword(&text), keyword(&framed));
        }
    }
}
