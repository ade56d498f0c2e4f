//! The words by which people ask for no more messages.
//!
//! Carriers and regulators expect a message that is nothing but such a word to be obeyed; within a sentence the word
//! means what it says. To add a word: its list below, in small letters, words parted by single spaces.

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

/// Whether the whole message is an opt-out word such as `STOP`, whatever its case and the punctuation around it; hyphens
/// count as spaces, full-width forms as their ASCII twins.
pub fn is_opt_out(text: &str) -> bool {
    let folded: String = text
        .chars()
        .map(narrow)
        .flat_map(char::to_lowercase)
        .collect();
    let bare = folded.trim_matches(|c: char| !c.is_alphanumeric());
    let words: Vec<&str> = bare.split(is_gap).filter(|word| !word.is_empty()).collect();
    OPT_OUT.contains(&words.join(" ").as_str())
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
    fn every_listed_phrase_can_match() {
        for phrase in OPT_OUT {
            assert!(is_opt_out(phrase), "{phrase}");
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
        }
    }
}
