//! Frequent answers with places to be filled.
//!
//! A template may hold `{name}`, `{reference}` and `{agent}`. It is filled in one pass, so that what a name holds is never taken for
//! a place, and every other brace stands for itself. A place that stays empty takes the space before it away: nobody is greeted
//! with `Hello , thank you`.

/// What a template is filled with. No `Debug`, since it holds names.
#[derive(Clone, Copy)]
pub struct Places<'a> {
    /// What the contact calls themselves; empty where that is not known.
    pub name: &'a str,
    /// The case's reference as people write it, such as `#123`.
    pub reference: &'a str,
    /// Who writes.
    pub agent: &'a str,
}

/// The text with its places filled.
pub fn fill(template: &str, places: Places<'_>) -> String {
    let known = [
        ("{name}", places.name),
        ("{reference}", places.reference),
        ("{agent}", places.agent),
    ];
    let mut text = String::with_capacity(template.len());
    let mut rest = template;
    while let Some(start) = rest.find('{') {
        let (before, from_brace) = rest.split_at(start);
        text.push_str(before);
        let found = known
            .iter()
            .find_map(|(place, value)| Some((value, from_brace.strip_prefix(place)?)));
        rest = if let Some((value, after)) = found {
            if value.is_empty() && text.ends_with(' ') {
                text.pop();
            }
            text.push_str(value);
            after
        } else {
            text.push('{');
            &from_brace[1..]
        };
    }
    text.push_str(rest);
    text
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const PLACES: Places<'static> = Places {
        name: "Amira {agent}",
        reference: "#123",
        agent: "agent@example.com",
    };

    #[test]
    fn places_are_filled_once_and_other_braces_stay() {
        assert_eq!(
            fill("Hello {name}, about {reference}: {agent}", PLACES),
            "Hello Amira {agent}, about #123: agent@example.com"
        );
        for plain in ["", "{", "}", "{Name}", "{ name }", "{nam", "a {b} c", "ü{é"] {
            assert_eq!(fill(plain, PLACES), plain);
        }
        assert_eq!(fill("{{name}}", PLACES), "{Amira {agent}}");
    }

    #[test]
    fn a_name_that_is_not_known_leaves_no_gap() {
        let places = Places { name: "", ..PLACES };
        assert_eq!(fill("Hello {name}!", places), "Hello!");
        assert_eq!(fill("Dear {name} of #1", places), "Dear of #1");
        assert_eq!(fill("{name}{name} {name}", places), "");
    }

    proptest! {
        #[test]
        fn a_text_without_a_brace_stays(text in "[^{]*") {
            prop_assert_eq!(fill(&text, PLACES), text);
        }
    }
}
