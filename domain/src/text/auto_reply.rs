//! The automatic reply to somebody whose message went to several open cases.
//!
//! A line's template may hold `%s1`, the number of open cases, and `%s2`, their list. It is filled in one pass, so
//! what a title holds is never taken for a placeholder, and every other `%` stands for itself.

use super::title::beginning;
use crate::ids::Reference;

/// The longest text that an owner sets to be sent automatically, in characters.
pub const MAX_REPLY_CHARS: usize = 1_000;

/// The most automatic replies that one contact gets within an hour, so that two machines cannot talk for ever.
pub const MAX_PER_HOUR: usize = 5;

/// An open case as the reply names it. No `Debug`, since a title repeats what somebody wrote.
#[derive(Clone, Copy)]
pub struct OpenCase<'a> {
    /// Its reference.
    pub reference: Reference,
    /// Its title, one line.
    pub title: &'a str,
}

/// The reply. The cases may come in any order; the list is ordered by reference:
/// `#123: Appointment request, #124: Question about hours`.
///
/// It has at most `max_chars` characters, which is what the channel takes. Where the whole is longer, the list
/// names the first cases only and ends with `, … and 12 more`; where that is not enough, the text is cut.
pub fn render_within(template: &str, open_cases: &[OpenCase<'_>], max_chars: usize) -> String {
    let entries = entries(open_cases);
    let whole = fill(template, entries.len(), &entries.join(", "));
    if whole.chars().count() <= max_chars {
        return whole;
    }
    let around_lists = fill(template, entries.len(), "").chars().count();
    let chars_for_list = max_chars
        .saturating_sub(around_lists)
        .checked_div(template.matches("%s2").count())
        .unwrap_or(0);
    fit(
        fill(
            template,
            entries.len(),
            &shortened(&entries, chars_for_list),
        ),
        max_chars,
    )
}

/// The text, cut with `…` where it has more than `max_chars` characters.
pub fn fit(text: String, max_chars: usize) -> String {
    if text.chars().count() <= max_chars {
        return text;
    }
    match max_chars.checked_sub(1) {
        Some(kept_chars) => format!("{}…", beginning(&text, kept_chars)),
        None => String::new(),
    }
}

fn entries(open_cases: &[OpenCase<'_>]) -> Vec<String> {
    let mut ordered = open_cases.to_vec();
    ordered.sort_by_key(|case| case.reference);
    ordered
        .iter()
        .map(|case| match case.title {
            "" => format!("#{}", case.reference),
            title => format!("#{}: {title}", case.reference),
        })
        .collect()
}

/// As many of the first entries as `max_chars` holds together with the number of the others; `…` where it holds none.
fn shortened(entries: &[String], max_chars: usize) -> String {
    let tail = |shown: usize| format!(", … and {} more", entries.len() - shown);
    let mut chars = 0;
    let mut fitting = 0;
    for (before, entry) in entries.iter().enumerate() {
        chars += entry.chars().count() + if before == 0 { 0 } else { ", ".len() };
        let shown = before + 1;
        // An entry is longer than the digit by which the tail may shrink, so the first that does not fit ends the
        // search.
        if shown == entries.len() || chars + tail(shown).chars().count() > max_chars {
            break;
        }
        fitting = shown;
    }
    match fitting {
        0 => "…".to_owned(),
        shown => entries[..shown].join(", ") + &tail(shown),
    }
}

fn fill(template: &str, count: usize, list: &str) -> String {
    let mut text = String::with_capacity(template.len() + list.len());
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('%') {
        text.push_str(before);
        rest = if let Some(after) = after.strip_prefix("s1") {
            text.push_str(&count.to_string());
            after
        } else if let Some(after) = after.strip_prefix("s2") {
            text.push_str(list);
            after
        } else {
            text.push('%');
            after
        };
    }
    text.push_str(rest);
    text
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::channel::Channel;
    use crate::text::references::mentions;

    fn case(reference: u32, title: &str) -> OpenCase<'_> {
        OpenCase {
            reference: Reference::new(reference).expect("in bounds"),
            title,
        }
    }

    fn render(template: &str, cases: &[OpenCase<'_>]) -> String {
        render_within(template, cases, usize::MAX)
    }

    const TEMPLATE: &str = "Hello, thank you for your message. You currently have %s1 open cases (%s2).\n\
        Please include a # and the reference number to identify which case you're commenting on, or add #0 to create a new case.";

    #[test]
    fn the_documented_example_comes_out_byte_for_byte() {
        let cases = [
            case(124, "Question about hours"),
            case(123, "Appointment request"),
        ];
        let expected = "Hello, thank you for your message. You currently have 2 open cases \
            (#123: Appointment request, #124: Question about hours).\n\
            Please include a # and the reference number to identify which case you're commenting on, or add #0 to create a new case.";
        assert_eq!(render(TEMPLATE, &cases), expected);
        assert_eq!(
            render_within(TEMPLATE, &cases, Channel::Sms.max_text_chars()),
            expected
        );
        assert_eq!(
            render_within(TEMPLATE, &cases, expected.chars().count()),
            expected
        );
    }

    #[test]
    fn a_title_is_never_read_as_a_template() {
        let cases = [
            case(101, "%s1 %s2 $1 ${x} {0} \\1 100%"),
            case(102, "%"),
            case(103, "s1"),
        ];
        assert_eq!(
            render("%s2|%s1", &cases),
            "#101: %s1 %s2 $1 ${x} {0} \\1 100%, #102: %, #103: s1|3"
        );
    }

    #[test]
    fn another_percent_sign_is_itself() {
        let cases = [case(9, "b"), case(10, "")];
        for (template, expected) in [
            ("100% of %s1", "100% of 2"),
            ("%%s1%", "%2%"),
            ("%s1%s1", "22"),
            ("%s12", "22"),
            ("%s3 %S1 %s %", "%s3 %S1 %s %"),
            ("%s2; %s2", "#9: b, #10; #9: b, #10"),
            ("", ""),
            ("Write to us.", "Write to us."),
        ] {
            assert_eq!(render(template, &cases), expected, "{template}");
        }
    }

    #[test]
    fn a_long_list_names_the_first_and_counts_the_others() {
        let cases: Vec<_> = (101..=120)
            .rev()
            .map(|reference| case(reference, "Roof"))
            .collect();
        assert_eq!(
            render_within("(%s2) %s1", &cases, 45),
            "(#101: Roof, #102: Roof, … and 18 more) 20"
        );
        let sms = render_within(TEMPLATE, &cases[..12], 310);
        assert!(
            sms.chars().count() <= 310 && sms.contains("12 open cases (#109: Roof, #110: Roof, "),
            "{sms}"
        );
        assert!(sms.ends_with(" more).\nPlease include a # and the reference number to identify which case you're commenting on, or add #0 to create a new case."));
        // Room for one entry less means one more is counted.
        assert_eq!(
            render_within("%s2", &cases, 36),
            "#101: Roof, … and 19 more"
        );
        assert_eq!(
            render_within("%s2", &cases, 37),
            "#101: Roof, #102: Roof, … and 18 more"
        );
        assert_eq!(
            render_within("%s2/%s2", &cases, 51),
            "#101: Roof, … and 19 more/#101: Roof, … and 19 more"
        );
    }

    #[test]
    fn in_the_last_resort_the_text_is_cut() {
        let cases = [case(101, "A very long title indeed"), case(102, "Another")];
        assert_eq!(render_within("Cases: %s2.", &cases, 20), "Cases: ….");
        assert_eq!(render_within("Cases: %s2.", &cases, 5), "Case…");
        assert_eq!(render_within("Thank you %s1", &cases, 6), "Thank…");
        assert_eq!(
            render_within("👨\u{200d}👩\u{200d}👧 hello", &cases, 4),
            "…"
        );
        assert_eq!(render_within("x", &cases, 0), "");
    }

    proptest! {
        #[test]
        fn the_reply_is_always_sendable(
            template in "([a-z%é]|%s1|%s2|%s|\n){0,60}",
            titles in proptest::collection::vec(".{0,30}", 0..30),
            max_chars in 0_usize..400,
        ) {
            let cases: Vec<_> = (101..).zip(&titles).map(|(reference, title)| case(reference, title)).collect();
            let whole = render(&template, &cases);
            let within = render_within(&template, &cases, max_chars);
            prop_assert!(within.chars().count() <= max_chars);
            if whole.chars().count() <= max_chars {
                prop_assert_eq!(within, whole);
            }
        }

        #[test]
        fn the_list_names_every_case_in_order(numbers in proptest::collection::btree_set(1..Reference::MAX, 0..20)) {
            let cases: Vec<_> = numbers.iter().rev().map(|number| case(*number, "Roof")).collect();
            let named: Vec<_> = mentions(&render("%s2", &cases)).references.into_iter().map(Reference::get).collect();
            prop_assert_eq!(named, numbers.into_iter().collect::<Vec<_>>());
        }
    }
}
