//! Pages that refuse a form: their title says so, the sentence leads to the field that it is about, and the field says that it is
//! wrong.
//!
//! Refusals are the domain's sentences, which name what they are about. This is done once for all forms, on the page as it is sent:
//! the first control behind the refusal that goes by such a name is the field. Where there is none, the sentence stands alone.

use std::ops::Range;

use super::words;

/// How the sentence of a refusal begins in a page.
const ALERT: &str = "class=\"refusal\" role=\"alert\">";
/// The names of controls, and what sentences call them.
const FIELDS: [(&str, &[&str]); 17] = [
    ("number", &["number"]),
    ("email", &["email", "user exists", "user of that"]),
    ("old-password", &["current password"]),
    ("again-password", &["two new passwords"]),
    ("new-password", &["password"]),
    ("password", &["password"]),
    ("name", &["name"]),
    ("question", &["question"]),
    ("closes", &["choice", "answer"]),
    ("reply", &["reply"]),
    ("application_id", &["application id"]),
    ("reference", &["reference", "no case of this person"]),
    ("comment", &["comment"]),
    ("title", &["title"]),
    ("text", &["text"]),
    ("line", &["line"]),
    ("survey", &["survey"]),
];

/// The page with its refusal pointed to the field that it is about.
pub(super) fn pointed(html: String) -> String {
    let Some(alert) = html.find(ALERT) else {
        return html;
    };
    let title = format!("<title>{} ", words::ERROR);
    let titled = |html: &str| html.replacen("<title>", &title, 1);
    let start = alert + ALERT.len();
    let start = start + html[start..].strip_prefix("<p>").map_or(0, |_| "<p>".len());
    let end = start + html[start..].find("</p>").unwrap_or_default();
    let sentence = &html[start..end];
    // It has links of its own.
    if sentence.contains('<') {
        return titled(&html);
    }
    let Some((tag, name)) = field(&html, end, sentence) else {
        return titled(&html);
    };
    let control = &html[tag.clone()];
    let known = attribute(control, "id");
    let id = known.map_or_else(|| format!("field-{name}"), str::to_owned);
    let (name_of_tag, rest) = control.split_at(control.find(' ').unwrap_or(control.len()));
    let new_id = match known {
        Some(_) => String::new(),
        None => format!(" id=\"{id}\""),
    };
    titled(&format!(
        "{}<a href=\"#{id}\">{sentence}</a>{}{name_of_tag}{new_id} aria-invalid=\"true\"{rest}{}",
        &html[..start],
        &html[end..tag.start],
        &html[tag.end..],
    ))
}

/// The tag of the control that a sentence is about, and its name: of all that it could be about, what it names first.
fn field<'a>(html: &'a str, from: usize, sentence: &str) -> Option<(Range<usize>, &'a str)> {
    let sentence = sentence.to_lowercase();
    let named = |name: &str| {
        let (_, words) = FIELDS.iter().find(|(field, _)| *field == name)?;
        words.iter().filter_map(|word| sentence.find(word)).min()
    };
    let found = controls(html, from)
        .filter_map(|tag| {
            let control = &html[tag.clone()];
            let name = attribute(control, "name")?;
            let is_seen = !control.contains("type=\"hidden\"") && !control.contains("aria-invalid");
            Some((named(name).filter(|_| is_seen)?, (tag, name)))
        })
        .min_by_key(|(at, (tag, _))| (*at, tag.start));
    found.map(|(_, found)| found)
}

/// The tags of controls in the first form that ends behind `from`.
fn controls(html: &str, from: usize) -> impl Iterator<Item = Range<usize>> {
    let end = html[from..]
        .find("</form>")
        .map_or(html.len(), |end| from + end);
    let form = &html[from..end];
    form.match_indices('<').filter_map(move |(at, _)| {
        let is_control = ["<input ", "<select ", "<textarea "]
            .iter()
            .any(|tag| form[at..].starts_with(tag));
        let length = form[at..].find('>').filter(|_| is_control)?;
        Some(from + at..from + at + length)
    })
}

fn attribute<'a>(tag: &'a str, name: &str) -> Option<&'a str> {
    let start = tag.find(&format!(" {name}=\""))? + name.len() + 3;
    tag[start..].split('"').next()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(sentence: &str) -> String {
        format!(
            "<title>Line</title><form><p class=\"refusal\" role=\"alert\">{sentence}</p>\
             <input type=\"hidden\" name=\"name\" value=\"x\"><label>Number <input name=\"number\" value=\"1\"></label>\
             <label for=\"reply\">Reply</label><textarea id=\"reply\" name=\"reply\">a</textarea></form>\
             <form><input name=\"email\"></form>"
        )
    }

    #[test]
    fn a_refusal_leads_to_its_field() {
        let html = pointed(page("The number has a 0 after the country code."));
        assert!(html.contains("<title>Error: Line</title>"), "{html}");
        assert!(
            html.contains(
                "<a href=\"#field-number\">The number has a 0 after the country code.</a></p>"
            ),
            "{html}"
        );
        assert!(
            html.contains(
                "<input id=\"field-number\" aria-invalid=\"true\" name=\"number\" value=\"1\">"
            ),
            "{html}"
        );
        assert_eq!(html.matches("aria-invalid").count(), 1);
        let html = pointed(page("The reply is too long for a number of reasons."));
        assert!(html.contains("<a href=\"#reply\">"), "{html}");
        assert!(
            html.contains("<textarea aria-invalid=\"true\" id=\"reply\" name=\"reply\">"),
            "{html}"
        );
    }

    #[test]
    fn what_is_about_no_field_of_its_form_stands_alone() {
        for sentence in [
            "Something went wrong.",
            "The name is missing.",
            "The email is taken.",
        ] {
            let html = pointed(page(sentence));
            assert!(html.contains("<title>Error: "), "{html}");
            assert!(
                !html.contains("aria-invalid") && !html.contains("<a "),
                "{html}"
            );
        }
        let linked = "See <a href=\"#number\">the number</a>.";
        assert!(pointed(page(linked)).contains(&format!("{linked}</p>")));
        let wrapped =
            page("The number is missing.").replace("role=\"alert\">", "role=\"alert\"><p>");
        assert!(
            pointed(wrapped)
                .contains("<p><a href=\"#field-number\">The number is missing.</a></p>")
        );
        let plain = "<title>Line</title><p>The number</p>".to_owned();
        assert_eq!(pointed(plain.clone()), plain);
    }
}
