//! What values can be, as the OpenAPI document tells it. The handlers and the domain refuse exactly what these schemas exclude,
//! as far as a schema can say it; `make api-test` compares the two.

pub(super) mod outgoing;

use std::fmt::Write as _;
use std::sync::LazyLock;

use docket_domain::case::{MAX_CASE_LABELS, MAX_NOTE_CHARS, MAX_TITLE_CHARS};
use docket_domain::channel::Channel;
use docket_domain::contact::profile;
use docket_domain::ids::Reference;
use docket_domain::label::{LabelColour, MAX_LABEL_CHARS};
use docket_domain::line::MAX_REPLY_CHARS;
use docket_domain::survey::{
    MAX_CHOICES, MAX_NAME_CHARS, MAX_TEMPLATE_CHARS, MAX_TEMPLATE_NAME_CHARS,
};
use docket_domain::text::{normalise, time_zone};
use docket_domain::user::Role;
use docket_domain::user::preferences::Theme;
use docket_projections::log::recorded::Via;
use utoipa::openapi::schema::{
    AllOfBuilder, AnyOfBuilder, ArrayBuilder, Components, KnownFormat, Object, ObjectBuilder,
    OneOfBuilder, Schema, SchemaFormat, SchemaType, Type,
};

use super::paging::MAX_LIMIT;
use crate::passwords;

/// The longest name of a token, in characters.
const MAX_TOKEN_NAME_CHARS: usize = 100;
/// The longest address of a person, in characters.
const MAX_EMAIL_CHARS: usize = 254;
/// Control characters, as a part of a character class.
const CONTROL: &str = "\u{1}-\u{1f}\u{7f}-\u{9f}";

/// The characters that leave a text looking empty, as a part of a character class.
static BLANK: LazyLock<String> = LazyLock::new(|| class_of(normalise::is_blank));

/// The characters that do not count at the ends of a text, as a part of a character class.
static ENDS: LazyLock<String> = LazyLock::new(|| class_of(normalise::is_trimmed));

fn class_of(is_in: fn(char) -> bool) -> String {
    let mut class = String::new();
    let mut run: Option<(char, char)> = None;
    for c in (char::MIN..=char::MAX).filter(|c| is_in(*c)) {
        run = match run {
            Some((first, last)) if u32::from(last) + 1 == u32::from(c) => Some((first, c)),
            ended => {
                write_range(&mut class, ended);
                Some((c, c))
            }
        };
    }
    write_range(&mut class, run);
    class
}

fn write_range(class: &mut String, range: Option<(char, char)>) {
    if let Some((first, last)) = range {
        class.push(first);
        if first != last {
            let _ = write!(class, "-{last}");
        }
    }
}

fn string() -> ObjectBuilder {
    ObjectBuilder::new().schema_type(SchemaType::new(Type::String))
}

fn integer(minimum: u32, maximum: u32) -> Schema {
    ObjectBuilder::new()
        .schema_type(SchemaType::new(Type::Integer))
        .format(Some(SchemaFormat::KnownFormat(KnownFormat::Int64)))
        .minimum(Some(minimum))
        .maximum(Some(maximum))
        .into()
}

/// A text of some lines in which something can be seen.
fn lines(max_chars: usize) -> Object {
    string()
        .min_length(Some(1))
        .max_length(Some(max_chars))
        .pattern(Some(format!("^[^\0]*[^\0{}][^\0]*$", *BLANK)))
        .build()
}

/// A text of one line in which something can be seen. White space at its ends does not count.
fn line(max_chars: usize) -> Object {
    let (blank, ends) = (&*BLANK, &*ENDS);
    string()
        .min_length(Some(1))
        .max_length(Some(max_chars))
        .pattern(Some(format!(
            "^[{ends}]*[^\0{CONTROL}]*[^\0{CONTROL}{blank}][^\0{CONTROL}]*[{ends}]*$"
        )))
        .build()
}

fn or_null(object: Object) -> Schema {
    OneOfBuilder::new()
        .item(object)
        .item(ObjectBuilder::new().schema_type(SchemaType::new(Type::Null)))
        .into()
}

fn one_of<'a>(words: impl IntoIterator<Item = &'a str>) -> Object {
    string().enum_values(Some(words)).build()
}

/// A case's reference.
pub(super) fn reference() -> Schema {
    integer(1, Reference::MAX)
}

/// A case's reference, or none.
pub(super) fn reference_or_null() -> Schema {
    let Schema::Object(object) = reference() else {
        return reference();
    };
    or_null(object)
}

/// A position in the log, or a sequence in a stream.
pub(super) fn position() -> Schema {
    integer(0, u32::MAX)
}

/// How many items a page may have.
pub(super) fn limit() -> Schema {
    integer(1, MAX_LIMIT)
}

/// Which cases a list shows.
pub(super) fn state() -> Object {
    one_of(["", "open", "closed", "all"])
}

/// Whether a list shows snoozed cases.
pub(super) fn snoozed() -> Object {
    one_of(["", "true", "false", "all"])
}

/// A name of a label.
pub(super) fn label_name() -> Object {
    line(MAX_LABEL_CHARS)
}

/// A name of a label, or none.
pub(super) fn label_name_or_null() -> Schema {
    or_null(label_name())
}

/// The labels of a case.
pub(super) fn labels() -> Schema {
    ArrayBuilder::new()
        .items(label_name())
        .max_items(Some(MAX_CASE_LABELS))
        .into()
}

/// A colour of a label.
pub(super) fn colour() -> Object {
    one_of(LabelColour::ALL.map(LabelColour::as_str))
}

/// A colour of a label, or none.
pub(super) fn colour_or_null() -> Schema {
    or_null(colour())
}

/// The order of a list of cases.
pub(super) fn order() -> Object {
    one_of(["", "newest", "waiting", "reference"])
}

/// Which cases of a state a list shows.
pub(super) fn view() -> Object {
    one_of(["", "unread", "waiting", "failed"])
}

/// A channel, or an empty text for all.
pub(super) fn channel_or_all() -> Object {
    one_of(["", Channel::Sms.as_str(), Channel::Whatsapp.as_str()])
}

/// What an earlier page of cases gave as `next`.
pub(super) fn cases_cursor() -> Object {
    string()
        .pattern(Some(
            "^(cases(-by-waiting)?:[0-9]{1,15}-[1-9][0-9]{0,8}|cases-by-reference:[1-9][0-9]{0,8})?$",
        ))
        .build()
}

/// What an earlier page of contacts gave as `next`.
pub(super) fn contacts_cursor() -> Object {
    let id = "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}";
    string()
        .pattern(Some(format!("^(contacts:[0-9]{{1,15}}\\.{id})?$")))
        .build()
}

/// A contact's name, or none.
pub(super) fn contact_name_or_null() -> Schema {
    text_or_null(profile::MAX_NAME_CHARS)
}

/// The note about a contact, or none.
pub(super) fn contact_note_or_null() -> Schema {
    text_or_null(profile::MAX_NOTE_CHARS)
}

/// Why a contact is opted out, or nothing.
pub(super) fn opt_out_reason_or_null() -> Schema {
    text_or_null(profile::MAX_REASON_CHARS)
}

/// A text, perhaps an empty one, or none.
fn text_or_null(max_chars: usize) -> Schema {
    let text = string()
        .max_length(Some(max_chars))
        .pattern(Some("^[^\0]*$"));
    or_null(text.build())
}

/// What an earlier page of a thread gave as `next`.
pub(super) fn thread_cursor() -> Object {
    string()
        .pattern(Some(
            "^(thread:[0-9]{1,15}\\.([1-9]?[0-9]|1[0-9]{2}|2[0-4][0-9]|25[0-5]))?$",
        ))
        .build()
}

/// What an earlier page of unrouted webhooks gave as `next`.
pub(super) fn unrouted_cursor() -> Object {
    let id = "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}";
    string()
        .pattern(Some(format!("^(unrouted:[0-9]{{1,15}}\\.{id})?$")))
        .build()
}

/// A channel.
pub(super) fn channel() -> Object {
    one_of([Channel::Sms.as_str(), Channel::Whatsapp.as_str()])
}

/// A role.
pub(super) fn role() -> Object {
    one_of([Role::Owner, Role::Agent, Role::Auditor].map(Role::as_str))
}

/// A role, or none.
pub(super) fn role_or_null() -> Schema {
    or_null(role())
}

/// The only change of a line's sending, or none.
pub(super) fn sending_or_null() -> Schema {
    or_null(one_of(["resume"]))
}

/// An address of a person.
pub(super) fn email() -> Object {
    let ends = &*ENDS;
    let plain = format!("[^\0{CONTROL}{}@]", *BLANK);
    string()
        .min_length(Some(3))
        .max_length(Some(MAX_EMAIL_CHARS))
        .pattern(Some(format!("^[{ends}]*{plain}+@{plain}+[{ends}]*$")))
        .build()
}

/// An address of a person, or none.
pub(super) fn email_or_null() -> Schema {
    or_null(email())
}

/// A password.
pub(super) fn password() -> Object {
    string()
        .format(Some(SchemaFormat::KnownFormat(KnownFormat::Password)))
        .min_length(Some(passwords::MIN_CHARS))
        .max_length(Some(passwords::MAX_CHARS))
        .pattern(Some("^[^\0]*$"))
        .build()
}

/// A password, or none.
pub(super) fn password_or_null() -> Schema {
    or_null(password())
}

/// A number of a person or a line, as people write it.
pub(super) fn number() -> Object {
    string()
        .min_length(Some(7))
        .max_length(Some(100))
        .pattern(Some("^[^\0]*$"))
        .examples(["+44 7700 900123"])
        .build()
}

/// A file's name.
pub(super) fn file_name() -> Object {
    string()
        .max_length(Some(255))
        .pattern(Some("^[^\0]*$"))
        .build()
}

/// What is searched for.
pub(super) fn query_text() -> Object {
    string().pattern(Some("^[^\0]*$")).build()
}

/// A file's bytes.
pub(super) fn file_bytes() -> Object {
    string()
        .format(Some(SchemaFormat::KnownFormat(KnownFormat::Binary)))
        .min_length(Some(1))
        .build()
}

/// What a note says.
pub(super) fn note() -> Object {
    lines(MAX_NOTE_CHARS)
}

/// A comment on a move, or none.
pub(super) fn comment_or_null() -> Schema {
    let comment = string()
        .max_length(Some(MAX_NOTE_CHARS))
        .pattern(Some("^[^\0]*$"));
    or_null(comment.build())
}

/// A case's title.
pub(super) fn title() -> Object {
    lines(MAX_TITLE_CHARS)
}

/// A case's title, or none.
pub(super) fn title_or_null() -> Schema {
    let title = string()
        .max_length(Some(MAX_TITLE_CHARS))
        .pattern(Some("^[^\0]*$"));
    or_null(title.build())
}

/// A name of a survey, a question or an answer to it.
pub(super) fn name() -> Object {
    line(MAX_NAME_CHARS)
}

/// A survey's name, or none.
pub(super) fn name_or_null() -> Schema {
    or_null(name())
}

/// The answers to a status question.
pub(super) fn choices() -> Schema {
    ArrayBuilder::new()
        .items(name())
        .min_items(Some(2))
        .max_items(Some(MAX_CHOICES))
        .unique_items(true)
        .into()
}

/// A name of a template.
pub(super) fn template_name() -> Object {
    line(MAX_TEMPLATE_NAME_CHARS)
}

/// A template's text: lines, tabs, and no other control characters.
pub(super) fn template_text() -> Object {
    let blank = &*BLANK;
    let forbidden = "\0-\u{8}\u{b}\u{c}\u{e}-\u{1f}\u{7f}-\u{9f}";
    string()
        .min_length(Some(1))
        .max_length(Some(MAX_TEMPLATE_CHARS))
        .pattern(Some(format!(
            "^[^{forbidden}]*[^{forbidden}{blank}][^{forbidden}]*$"
        )))
        .build()
}

/// An automatic reply, or none.
pub(super) fn automatic_reply_or_null() -> Schema {
    or_null(lines(MAX_REPLY_CHARS))
}

/// What a user is, or nothing.
pub(super) fn user_kind_or_null() -> Schema {
    or_null(one_of(["person", "service"]))
}

/// The name of a service account, or none.
pub(super) fn service_name_or_null() -> Schema {
    let plain = format!("[^\0{CONTROL}@]");
    let name = string()
        .min_length(Some(1))
        .max_length(Some(MAX_TOKEN_NAME_CHARS))
        .pattern(Some(format!("^{plain}*[^\0{CONTROL}@{}]{plain}*$", *BLANK)));
    or_null(name.build())
}

/// The name of a service account, an address of a person, or none.
pub(super) fn email_or_service_name_or_null() -> Schema {
    let blank = &*BLANK;
    let name = string()
        .min_length(Some(1))
        .max_length(Some(MAX_EMAIL_CHARS))
        .pattern(Some(format!("^[^\0]*[^\0{blank}][^\0]*$")));
    or_null(name.build())
}

/// What fields of a body there must be, and which of them null or left out.
struct Alternative {
    required: &'static [&'static str],
    absent: &'static [&'static str],
    /// The words that a field may be, where it has others in another alternative.
    word: Option<(&'static str, &'static [Option<&'static str>])>,
}

/// Bodies whose fields rule each other out, by the name of their schema.
const ALTERNATIVES: [(&str, &[Alternative]); 4] = [
    (
        "NewUser",
        &[
            Alternative {
                required: &["email"],
                absent: &[],
                word: Some(("kind", &[None, Some("person")])),
            },
            Alternative {
                required: &["kind", "name"],
                absent: &["email", "password"],
                word: Some(("kind", &[Some("service")])),
            },
        ],
    ),
    (
        "NewReply",
        &[
            Alternative {
                required: &["text"],
                absent: &["template"],
                word: None,
            },
            Alternative {
                required: &["media_id"],
                absent: &["template"],
                word: None,
            },
            Alternative {
                required: &["template"],
                absent: &["text", "media_id"],
                word: None,
            },
        ],
    ),
    (
        "NewCase",
        &[
            Alternative {
                required: &["text"],
                absent: &["template"],
                word: None,
            },
            Alternative {
                required: &["template"],
                absent: &["text"],
                word: None,
            },
        ],
    ),
    (
        "TokenRequest",
        &[
            Alternative {
                required: &[],
                absent: &["email"],
                word: None,
            },
            Alternative {
                required: &[],
                absent: &["user_id"],
                word: None,
            },
        ],
    ),
];

/// Adds to the schemas of bodies which of their fields rule each other out.
pub(super) fn add_alternatives(components: &mut Components) {
    for (name, alternatives) in ALTERNATIVES {
        let Some(fields) = components.schemas.remove(name) else {
            continue;
        };
        let any = alternatives
            .iter()
            .fold(AnyOfBuilder::new(), |any, one| any.item(alternative(one)));
        let whole = AllOfBuilder::new().item(fields).item(any);
        components.schemas.insert(name.to_owned(), whole.into());
    }
}

/// What a field is that must not be null.
fn given(field: &str) -> ObjectBuilder {
    match field {
        "template" => ObjectBuilder::new().schema_type(SchemaType::new(Type::Object)),
        _ => string(),
    }
}

fn alternative(one: &Alternative) -> Object {
    let null = || ObjectBuilder::new().schema_type(SchemaType::new(Type::Null));
    let mut object = ObjectBuilder::new();
    for field in one.required {
        object = object.required(*field);
        if one.word.is_none_or(|(with_word, _)| with_word != *field) {
            object = object.property(*field, given(field));
        }
    }
    for field in one.absent {
        object = object.property(*field, null());
    }
    if let Some((field, words)) = one.word {
        let words = words.iter().map(|word| serde_json::json!(word));
        let any_type = ObjectBuilder::new().schema_type(SchemaType::AnyValue);
        object = object.property(field, any_type.enum_values(Some(words)));
    }
    object.build()
}

/// By which way something was done.
pub(super) fn via() -> Object {
    one_of(Via::ALL.map(Via::as_str))
}

/// The console's colours, or none.
pub(super) fn theme_or_null() -> Schema {
    or_null(one_of(Theme::ALL.map(Theme::as_str)))
}

/// The name of a time zone, or none.
pub(super) fn time_zone_or_null() -> Schema {
    or_null(one_of(time_zone::names()))
}

/// A token's name.
pub(super) fn token_name() -> Object {
    line(MAX_TOKEN_NAME_CHARS)
}
