//! How the parts of a text are written.

use super::world::{Ix, Piece};

/// In how many ways a reference is written here.
pub(crate) const FORMS: usize = 10;
/// In how many ways a wish for a new case is written here.
pub(crate) const NEW_FORMS: usize = 4;
/// How many things that look like a reference are none.
pub(crate) const LOOKALIKES: usize = 14;

/// The digits of a number in a script whose zero is `zero`.
fn digits(number: u64, zero: char) -> String {
    number
        .to_string()
        .chars()
        .filter_map(|digit| char::from_u32(u32::from(zero) + digit.to_digit(10)?))
        .collect()
}

fn reference(number: u64, form: usize) -> String {
    match form % FORMS {
        0 => format!("#{number}"),
        1 => format!("(#{number})"),
        2 => format!("#00{number}"),
        3 => format!("Re:#{number}."),
        4 => format!("#{}", digits(number, '٠')),
        5 => format!("＃{number}"),
        6 => format!("#\u{fe0f}\u{20e3}{number}"),
        7 => format!("\u{200e}#\u{200d}{number}\u{2060}"),
        8 => format!("﹟{}", digits(number, '０')),
        _ => format!("\"#{}\",", digits(number, '०')),
    }
}

fn lookalike(number: u64, form: usize) -> String {
    match form % LOOKALIKES {
        0 => format!("abc#{number}"),
        1 => format!("#{number}a"),
        2 => format!("#{number}-34"),
        3 => format!("##{number}"),
        4 => format!("&#{number};"),
        5 => format!("/#{number}"),
        6 => format!("_#{number}"),
        7 => format!("#{number}/5"),
        8 => format!("#{number}_"),
        9 => "#99999999999999999999".to_owned(),
        10 => "#00".to_owned(),
        11 => "#000000".to_owned(),
        12 => format!("https://example.com/page#{number}"),
        _ => format!("5#{number}"),
    }
}

fn new_case(form: usize) -> &'static str {
    ["#0", "(#0)", "＃0", "#\u{200b}0."][form % NEW_FORMS]
}

/// The text, with the references that the cases have.
pub(crate) fn render(text: &[Piece], reference_of: impl Fn(Ix) -> u64) -> String {
    let words: Vec<String> = text
        .iter()
        .map(|piece| match piece {
            Piece::Word(word) => (*word).to_owned(),
            Piece::Reference(ix, form) => reference(reference_of(*ix), *form),
            Piece::Spaced(ix) => format!("# {}", reference_of(*ix)),
            Piece::New(form) => new_case(*form).to_owned(),
            Piece::Nobody => "#99999999".to_owned(),
            Piece::Lookalike(ix, form) => lookalike(reference_of(*ix), *form),
        })
        .collect();
    words.join(" ")
}
