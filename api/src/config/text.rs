//! Characters that nobody means: at the ends of what is pasted.

/// A text without white space, control characters and invisible ones (byte order mark, direction
/// marks, joiners, zero-width spaces) at its ends. They come along when something is copied.
pub fn without_invisible_ends(text: &str) -> &str {
    text.trim_matches(|c: char| c.is_whitespace() || c.is_control() || is_invisible(c))
}

/// Unicode's format characters that occur in pasted text.
const fn is_invisible(c: char) -> bool {
    matches!(
        c,
        '\u{ad}'
            | '\u{61c}'
            | '\u{180e}'
            | '\u{200b}'..='\u{200f}'
            | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{fe00}'..='\u{fe0f}'
            | '\u{feff}'
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_pasted_along_goes_and_the_inside_stays() {
        for pasted in [
            "secret",
            "secret\n",
            " \tsecret\r\n",
            "\u{feff}secret\u{200b}",
            "\u{202a}secret\u{202c}\u{a0}",
            "\u{2060}\u{200e} secret\0",
        ] {
            assert_eq!(without_invisible_ends(pasted), "secret", "{pasted:?}");
        }
        assert_eq!(without_invisible_ends("a b\u{200b}c"), "a b\u{200b}c");
        assert_eq!(without_invisible_ends(" \u{feff}\n"), "");
    }
}
