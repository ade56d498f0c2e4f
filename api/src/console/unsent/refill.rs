//! Puts field values into a form of a rendered page.
//!
//! The page is read with an HTML tokenizer that knows where each tag stands, so everything but the
//! form's own controls stays byte for byte. Works on any page of the console: a new form needs
//! nothing to be restored.

use std::fmt::Write as _;

use askama::filters::{Html, escape};
use html5gum::{DefaultEmitter, StartTag, Token, Tokenizer};

use super::is_secret;

/// Names and values, in order; a name can stand there several times.
pub(super) type Fields = [(String, String)];

/// Which controls take their values from the fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scope {
    /// All but the form token: the form is again the one that was sent, with the version that it
    /// was made from.
    Whole,
    /// Only controls that a person fills in; the page has fresh hidden fields.
    Visible,
}

/// A part of the page that becomes something else.
struct Edit {
    start: usize,
    end: usize,
    text: String,
}

/// A control of a form.
struct Control {
    tag: StartTag<usize>,
    name: String,
    kind: Kind,
}

enum Kind {
    Text,
    Hidden(String),
    /// A check box or a radio button, with its value.
    Choice(String),
    /// Where its text begins and ends.
    Area(usize, usize),
    /// Its options.
    Select(Vec<StartTag<usize>>),
}

/// A form whose action is the one asked for.
struct Form {
    /// Where its first child would stand.
    inside: usize,
    controls: Vec<Control>,
    /// The folded parts of the page that it stands in.
    folds: Vec<StartTag<usize>>,
}

fn attribute(tag: &StartTag<usize>, name: &str) -> Option<String> {
    tag.attributes
        .get(name.as_bytes())
        .map(|value| String::from_utf8_lossy(value).into_owned())
}

fn is(name: &[u8], wanted: &str) -> bool {
    name == wanted.as_bytes()
}

/// Whether a form's action leads to `path`, whatever its query and the prefix before it.
fn leads_to(tag: &StartTag<usize>, path: &str) -> bool {
    let action = attribute(tag, "action").unwrap_or_default();
    let action = action.split('?').next().unwrap_or_default();
    action.ends_with(path) && attribute(tag, "method").as_deref() == Some("post")
}

/// The forms of a page that lead to `path`.
fn forms(html: &str, path: &str) -> Vec<Form> {
    let mut emitter = DefaultEmitter::<usize>::new_with_span();
    emitter.naively_switch_states(true);
    let mut forms: Vec<Form> = vec![];
    let mut folds: Vec<StartTag<usize>> = vec![];
    let mut is_inside = false;
    for token in Tokenizer::new_with_emitter(html, emitter) {
        let Ok(token) = token;
        match token {
            Token::StartTag(tag) if is(&tag.name, "details") => folds.push(tag),
            Token::EndTag(tag) if is(&tag.name, "details") => drop(folds.pop()),
            Token::StartTag(tag) if is(&tag.name, "form") => {
                is_inside = leads_to(&tag, path);
                if is_inside {
                    forms.push(Form {
                        inside: tag.span.end,
                        controls: vec![],
                        folds: folds.clone(),
                    });
                }
            }
            Token::EndTag(tag) if is(&tag.name, "form") => is_inside = false,
            Token::StartTag(tag) if is_inside => {
                if let Some(form) = forms.last_mut() {
                    form.take(tag);
                }
            }
            Token::EndTag(tag) if is_inside && is(&tag.name, "textarea") => {
                let last = forms.last_mut().and_then(|form| form.controls.last_mut());
                if let Some(Kind::Area(_, end)) = last.map(|control| &mut control.kind) {
                    *end = tag.span.start;
                }
            }
            _ => {}
        }
    }
    forms
}

impl Form {
    fn take(&mut self, tag: StartTag<usize>) {
        if is(&tag.name, "option") {
            if let Some(Kind::Select(options)) =
                self.controls.last_mut().map(|control| &mut control.kind)
            {
                options.push(tag);
            }
            return;
        }
        let Some(name) = attribute(&tag, "name") else {
            return;
        };
        let value = || attribute(&tag, "value").unwrap_or_default();
        let kind = match tag.name.as_slice() {
            b"textarea" => Kind::Area(tag.span.end, tag.span.end),
            b"select" => Kind::Select(vec![]),
            b"input" => match attribute(&tag, "type").as_deref() {
                Some("hidden") => Kind::Hidden(value()),
                Some("checkbox" | "radio") => Kind::Choice(value()),
                Some("password" | "file" | "submit") => return,
                _ => Kind::Text,
            },
            _ => return,
        };
        self.controls.push(Control { tag, name, kind });
    }

    /// How well the fields fit: of several forms with one action, the one that was sent has the
    /// most controls of those names, and the same hidden values.
    fn fits(&self, fields: &Fields) -> usize {
        let fits = |(name, value): &&(String, String)| {
            self.controls.iter().any(|control| {
                control.name == *name
                    && match &control.kind {
                        Kind::Hidden(hidden) => hidden == value,
                        _ => true,
                    }
            })
        };
        fields.iter().filter(fits).count()
    }
}

/// The page with the fields' values in the form that leads to `path`, and a sentence above them;
/// `None` where the page has no such form.
pub(super) fn refill(
    html: &str,
    path: &str,
    fields: &Fields,
    scope: Scope,
    sentence: &str,
) -> Option<String> {
    // The last of those that fit equally is the one for something new.
    let form = forms(html, path)
        .into_iter()
        .max_by_key(|form| form.fits(fields))?;
    let mut edits = vec![];
    for fold in &form.folds {
        if attribute(fold, "open").is_none() {
            edits.push(rewritten(fold, &[("open", Some(""))]));
        }
    }
    if !sentence.is_empty() {
        edits.push(Edit {
            start: form.inside,
            end: form.inside,
            text: format!(
                "\n<p class=\"notice unsent\" role=\"alert\">{}</p>",
                escaped(sentence)
            ),
        });
    }
    for control in &form.controls {
        fill(control, fields, scope, &mut edits);
    }
    edits.sort_by_key(|edit| edit.start);
    let mut filled = String::with_capacity(html.len() + 256);
    let mut at = 0;
    for edit in edits {
        filled.push_str(html.get(at..edit.start)?);
        filled.push_str(&edit.text);
        at = edit.end;
    }
    filled.push_str(html.get(at..)?);
    Some(filled)
}

fn fill(control: &Control, fields: &Fields, scope: Scope, edits: &mut Vec<Edit>) {
    let name = &control.name;
    if name == "csrf" || is_secret(name) {
        return;
    }
    let mut values = fields
        .iter()
        .filter(|(other, _)| other == name)
        .map(|(_, value)| value.as_str());
    match &control.kind {
        // A browser leaves out a box that is not ticked.
        Kind::Choice(own) => {
            let is_chosen = values.any(|value| value == own);
            let is_radio = attribute(&control.tag, "type").as_deref() == Some("radio");
            if is_radio && !fields.iter().any(|(other, _)| other == name) {
                return;
            }
            edits.push(rewritten(
                &control.tag,
                &[("checked", is_chosen.then_some(""))],
            ));
        }
        Kind::Hidden(_) if scope == Scope::Visible => {}
        Kind::Hidden(_) | Kind::Text => {
            if let Some(value) = values.next() {
                edits.push(rewritten(&control.tag, &[("value", Some(value))]));
            }
        }
        Kind::Area(start, end) => {
            if let Some(value) = values.next() {
                edits.push(Edit {
                    start: *start,
                    end: *end,
                    // A parser drops the first line break of a text area.
                    text: if value.starts_with('\n') {
                        format!("\n{}", escaped(value))
                    } else {
                        escaped(value)
                    },
                });
            }
        }
        Kind::Select(options) => {
            let Some(value) = values.next() else { return };
            let own = |option: &StartTag<usize>| attribute(option, "value").unwrap_or_default();
            if !options.iter().any(|option| own(option) == value) {
                return;
            }
            for option in options {
                let is_chosen = own(option) == value;
                edits.push(rewritten(option, &[("selected", is_chosen.then_some(""))]));
            }
        }
    }
}

/// A start tag with these attributes set, or taken away where they are `None`.
fn rewritten(tag: &StartTag<usize>, changes: &[(&str, Option<&str>)]) -> Edit {
    let mut text = format!("<{}", String::from_utf8_lossy(&tag.name));
    let attributes = tag.attributes.iter().map(|(name, value)| {
        (
            String::from_utf8_lossy(name).into_owned(),
            String::from_utf8_lossy(value).into_owned(),
        )
    });
    let mut all: Vec<(String, String)> = attributes.collect();
    for (name, value) in changes {
        all.retain(|(other, _)| other != name);
        all.extend(value.map(|value| ((*name).to_owned(), value.to_owned())));
    }
    // In the order in which the templates write them: type and name come before the value.
    let rank = |name: &str| ["type", "name", "value"].iter().position(|it| *it == name);
    all.sort_by_key(|(name, _)| rank(name).unwrap_or(3));
    for (name, value) in all {
        // A `String` takes everything.
        let _ = if value.is_empty() && name != "value" {
            write!(text, " {name}")
        } else {
            write!(text, " {name}=\"{}\"", escaped(&value))
        };
    }
    text.push('>');
    Edit {
        start: tag.span.start,
        end: tag.span.end,
        text,
    }
}

/// A text as HTML has it, in an attribute too.
pub(super) fn escaped(text: &str) -> String {
    let Ok(safe) = escape(text, Html);
    safe.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        let pair = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        pairs.iter().map(pair).collect()
    }

    fn refilled(html: &str, sent: &[(&str, &str)], scope: Scope) -> String {
        refill(html, "/do", &fields(sent), scope, "").expect("there is a form")
    }

    #[test]
    fn every_kind_of_control_takes_its_value_back() {
        for (before, sent, after) in [
            (
                r#"<input name="a" value="old" required>"#,
                ("a", "new \"quoted\" <b>"),
                r#"<input name="a" value="new &#34;quoted&#34; &#60;b&#62;" required>"#,
            ),
            (
                r#"<input name="a">"#,
                ("a", "new"),
                r#"<input name="a" value="new">"#,
            ),
            (
                "<textarea name=\"a\">old</textarea>",
                ("a", "\nnew </textarea> & more"),
                "<textarea name=\"a\">\n\nnew &#60;/textarea&#62; &#38; more</textarea>",
            ),
            (
                r#"<input type="checkbox" name="a" value="yes">"#,
                ("a", "yes"),
                r#"<input type="checkbox" name="a" value="yes" checked>"#,
            ),
            (
                r#"<input type="checkbox" name="a" value="yes" checked>"#,
                ("b", "yes"),
                r#"<input type="checkbox" name="a" value="yes">"#,
            ),
            (
                r#"<input type="radio" name="a" value="x" checked><input type="radio" name="a" value="y">"#,
                ("a", "y"),
                r#"<input type="radio" name="a" value="x"><input type="radio" name="a" value="y" checked>"#,
            ),
            (
                r#"<select name="a"><option value="x" selected>X</option><option value="y">Y</option></select>"#,
                ("a", "y"),
                r#"<select name="a"><option value="x">X</option><option value="y" selected>Y</option></select>"#,
            ),
            (
                r#"<select name="a"><option value="x" selected>X</option></select>"#,
                ("a", "gone"),
                r#"<select name="a"><option value="x" selected>X</option></select>"#,
            ),
            (
                r#"<input type="hidden" name="version" value="9">"#,
                ("version", "7"),
                r#"<input type="hidden" name="version" value="7">"#,
            ),
            (
                r#"<input type="hidden" name="csrf" value="fresh">"#,
                ("csrf", "old"),
                r#"<input type="hidden" name="csrf" value="fresh">"#,
            ),
            (
                r#"<input type="password" name="a" value="">"#,
                ("a", "secret"),
                r#"<input type="password" name="a" value="">"#,
            ),
        ] {
            let page =
                |inside: &str| format!(r#"<form method="post" action="/do?x=1">{inside}</form>"#);
            let filled = refilled(&page(before), &[sent], Scope::Whole);
            assert_eq!(filled, page(after));
        }
    }

    #[test]
    fn hidden_fields_stay_fresh_where_only_what_is_seen_is_refilled() {
        let page = r#"<form method="post" action="/do"><input type="hidden" name="once" value="2"><input name="a"></form>"#;
        let filled = refilled(page, &[("once", "1"), ("a", "x")], Scope::Visible);
        assert!(filled.contains(r#"name="once" value="2""#), "{filled}");
        assert!(filled.contains(r#"name="a" value="x""#), "{filled}");
    }

    #[test]
    fn of_several_forms_the_one_that_was_sent_is_filled_and_unfolded() {
        let form = |was: &str| {
            format!(
                r#"<details><form method="post" action="/do"><input type="hidden" name="was" value="{was}"><textarea name="text"></textarea></form></details>"#
            )
        };
        let page = ["one", "two", ""].map(form).concat();
        let filled = refilled(&page, &[("was", "two"), ("text", "x")], Scope::Whole);
        let parts: Vec<_> = filled.split("</details>").collect();
        assert!(parts[1].starts_with("<details open>"), "{filled}");
        assert!(parts[1].contains(">x</textarea>"), "{filled}");
        assert!(
            !parts[0].contains("open") && !parts[2].contains("open"),
            "{filled}"
        );
        // One that is gone is like a new one.
        let filled = refilled(&page, &[("was", "gone"), ("text", "x")], Scope::Visible);
        assert!(
            filled.split("</details>").nth(2).unwrap().contains('x'),
            "{filled}"
        );
    }

    #[test]
    fn a_page_without_the_form_is_none() {
        for page in [
            "",
            "<p>text</p>",
            r#"<form method="post" action="/other"><input name="a"></form>"#,
            r#"<form method="get" action="/do"><input name="a"></form>"#,
        ] {
            let sent = fields(&[("a", "x")]);
            assert_eq!(refill(page, "/do", &sent, Scope::Whole, ""), None, "{page}");
        }
    }
}
