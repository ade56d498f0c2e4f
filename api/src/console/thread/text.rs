//! What people wrote, with its links: addresses of pages and of mail, and telephone numbers.
//!
//! Only `http`, `https`, `mailto` and `tel` are ever linked to. The words of a link are the words as they were written.

use docket_domain::text::phone::{self, Country};
use linkify::{LinkFinder, LinkKind};
use reqwest::Url;

use super::super::pages::Span;

/// A run of more characters than this is no telephone number, however it is written.
const MAX_NUMBER_CHARS: usize = 40;

/// The parts of a text. National numbers are linked where their country is known.
pub(in super::super) fn spans(text: &str, country: Option<Country>) -> Vec<Span> {
    let mut finder = LinkFinder::new();
    // `www.example.com` is an address without a scheme; `done.Thanks` is none, and is sorted out below.
    finder.url_must_have_scheme(false);
    let mut spans = Spans::default();
    for part in finder.spans(text) {
        let words = part.as_str();
        let href = match part.kind() {
            Some(LinkKind::Url) => page(words),
            Some(LinkKind::Email) => mail(words),
            _ => None,
        };
        match href {
            Some(href) => spans.link(words, href),
            None => numbers(words, country, &mut spans),
        }
    }
    spans.done
}

#[derive(Default)]
struct Spans {
    done: Vec<Span>,
}

impl Spans {
    fn plain(&mut self, text: &str) {
        match self.done.last_mut() {
            Some(last) if last.href.is_none() => last.text.push_str(text),
            _ if text.is_empty() => {}
            _ => self.done.push(Span {
                text: text.to_owned(),
                href: None,
            }),
        }
    }

    fn link(&mut self, text: &str, href: String) {
        self.done.push(Span {
            text: text.to_owned(),
            href: Some(href),
        });
    }
}

/// The address of a page that is safe to link to.
fn page(words: &str) -> Option<String> {
    let lower = words.to_ascii_lowercase();
    let url = if lower.starts_with("http://") || lower.starts_with("https://") {
        Url::parse(words)
    } else if lower.starts_with("www.") {
        Url::parse(&format!("https://{words}"))
    } else {
        return None;
    };
    url.ok().filter(Url::has_host).map(|url| url.to_string())
}

fn mail(words: &str) -> Option<String> {
    let mut url = Url::parse("mailto:x").ok()?;
    // Encodes what would begin other fields of the mail.
    url.set_path(words);
    Some(url.to_string())
}

/// Links the telephone numbers of a text without other links.
fn numbers(text: &str, country: Option<Country>, spans: &mut Spans) {
    let mut rest = text;
    let mut before = None;
    while let Some(start) = begins(rest, before, country) {
        let found = &rest[start..];
        let Some((words, digits)) = number(found, country) else {
            // Behind all that it began with.
            let step = start + digits_at(found).max(1);
            let (skipped, after) = rest.split_at(step);
            spans.plain(skipped);
            before = skipped.chars().next_back();
            rest = after;
            continue;
        };
        spans.plain(&rest[..start]);
        spans.link(words, format!("tel:+{digits}"));
        before = words.chars().next_back();
        rest = &found[words.len()..];
    }
    spans.plain(rest);
}

/// Where a number may begin: at a `+` or a zero that no letter, digit or sign stands before.
fn begins(text: &str, before: Option<char>, country: Option<Country>) -> Option<usize> {
    let mut before = before;
    for (at, c) in text.char_indices() {
        let is_apart = before.is_none_or(|before: char| {
            !before.is_alphanumeric() && !matches!(before, '#' | '_' | '/' | '+' | '.' | ',' | '-')
        });
        let is_sign = c == '+' || (c == '0' && (country.is_some() || text[at..].starts_with("00")));
        if is_apart && is_sign {
            return Some(at);
        }
        before = Some(c);
    }
    None
}

/// How many bytes of sign and digits a text begins with.
fn digits_at(text: &str) -> usize {
    let end = text.find(|c: char| c != '+' && !c.is_ascii_digit());
    end.unwrap_or(text.len())
}

/// The number that a text begins with: its words, and its digits with the country code.
fn number(text: &str, country: Option<Country>) -> Option<(&str, String)> {
    let is_part = |c: char| {
        c.is_ascii_digit() || matches!(c, ' ' | '\u{a0}' | '-' | '\u{2011}' | '.' | '(' | ')')
    };
    let mut end = 0;
    for (at, c) in text.char_indices().take(MAX_NUMBER_CHARS) {
        if at > 0 && !is_part(c) {
            break;
        }
        end = at + c.len_utf8();
    }
    let mut words = &text[..end];
    loop {
        words = words.trim_end_matches(|c: char| !c.is_ascii_digit());
        let next = text[words.len()..].chars().next();
        let ends = next.is_none_or(|next| !next.is_alphanumeric() && next != '_');
        if let Ok(digits) = phone::number(words, country)
            && ends
        {
            return Some((words, digits));
        }
        // A longer run can be a number and then something else: `+44 7700 900123 2026`.
        let at = words.rfind(|c: char| !c.is_ascii_digit())?;
        words = &words[..at];
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The links of a text, as words and address.
    fn links(text: &str) -> Vec<(String, String)> {
        links_in(text, None)
    }

    fn links_in(text: &str, country: Option<&str>) -> Vec<(String, String)> {
        let country = country.map(|country| country.parse().expect("a country"));
        let spans = spans(text, country);
        let whole: String = spans.iter().map(|span| span.text.as_str()).collect();
        assert_eq!(whole, text, "all of the text is shown, and no more");
        let links = spans.into_iter();
        links
            .filter_map(|span| Some((span.text, span.href?)))
            .collect()
    }

    fn one(words: &str, href: &str) -> Vec<(String, String)> {
        vec![(words.to_owned(), href.to_owned())]
    }

    #[test]
    fn addresses_of_pages_and_of_mail_are_links() {
        for (text, words, href) in [
            (
                "See https://example.com/a?b=c#d.",
                "https://example.com/a?b=c#d",
                "https://example.com/a?b=c#d",
            ),
            (
                "(http://example.com)",
                "http://example.com",
                "http://example.com/",
            ),
            (
                "HTTPS://EXAMPLE.com/x",
                "HTTPS://EXAMPLE.com/x",
                "https://example.com/x",
            ),
            (
                "at www.example.com, please",
                "www.example.com",
                "https://www.example.com/",
            ),
            (
                "write to jane@example.com!",
                "jane@example.com",
                "mailto:jane@example.com",
            ),
        ] {
            assert_eq!(links(text), one(words, href), "{text}");
        }
    }

    #[test]
    fn numbers_are_links() {
        for (text, words, href) in [
            (
                "Call +44 7700 900123 now",
                "+44 7700 900123",
                "tel:+447700900123",
            ),
            ("+447700900123", "+447700900123", "tel:+447700900123"),
            (
                "(+1 (202) 555-0101)",
                "+1 (202) 555-0101",
                "tel:+12025550101",
            ),
            ("0044 7700 900123.", "0044 7700 900123", "tel:+447700900123"),
            (
                "+44 7700 900123 2026-03-01",
                "+44 7700 900123",
                "tel:+447700900123",
            ),
        ] {
            assert_eq!(links(text), one(words, href), "{text}");
        }
        let two = links("+447700900123 or +447700900124");
        assert_eq!(two.len(), 2, "{two:?}");
        assert_eq!(
            links_in("ring 07700 900123", Some("GB")),
            one("07700 900123", "tel:+447700900123")
        );
    }

    #[test]
    fn what_only_looks_like_a_link_is_text() {
        for text in [
            "",
            "Done.Thanks",
            "javascript:alert(1)",
            "javascript://example.com/%0aalert(1)",
            "data:text/html,x",
            "ftp://example.com",
            "file:///etc/passwd",
            "#101 and #+447700900123",
            "2026-03-01 12:00",
            "order 123456789012",
            "07700 900123",
            "+12",
            "++++",
            "+441234567890123456789012345",
            "x+447700900123",
            "+447700900123x",
            "+",
            "00",
            "http://",
        ] {
            assert_eq!(links(text), vec![], "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn nothing_is_lost_and_no_other_scheme_is_linked(text in "[a-z0-9+@:/.#( )\\n-]{0,80}|\\PC{0,40}") {
            for (_, href) in links_in(&text, Some("GB")) {
                let scheme = href.split(':').next().unwrap_or_default();
                proptest::prop_assert!(["http", "https", "mailto", "tel"].contains(&scheme), "{href}");
            }
        }
    }
}
