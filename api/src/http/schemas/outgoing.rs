//! Schemas of templates, office hours and what goes out.

use docket_domain::channel::Channel;
use docket_domain::office_hours::{MAX_HOLIDAYS, MAX_SPANS, Weekday};
use docket_domain::whatsapp_template::{
    MAX_BODY_CHARS, MAX_NAME_CHARS, MAX_PARAMETER_CHARS, MAX_PARAMETERS,
};
use utoipa::openapi::schema::{
    AdditionalProperties, ArrayBuilder, KnownFormat, Object, ObjectBuilder, Schema, SchemaFormat,
};

use super::{BLANK, CONTROL, lines, one_of, or_null, string};
use docket_domain::line::MAX_REPLY_CHARS;

/// A template's name, as Vonage takes it.
pub(in crate::http) fn template_name() -> Object {
    string()
        .min_length(Some(1))
        .max_length(Some(MAX_NAME_CHARS))
        .pattern(Some("^[A-Za-z0-9_.:-]+$"))
        .build()
}

/// A template's name, or none.
pub(in crate::http) fn template_name_or_null() -> Schema {
    or_null(template_name())
}

/// A locale, as Vonage takes it.
pub(in crate::http) fn locale() -> Object {
    string()
        .pattern(Some("^[A-Za-z]{2,3}([_-][A-Za-z0-9]{2,8}){0,2}$"))
        .examples(["en", "en_US"])
        .build()
}

/// A locale, or none.
pub(in crate::http) fn locale_or_null() -> Schema {
    or_null(locale())
}

/// What a template says.
pub(in crate::http) fn template_body() -> Object {
    let blank = &*BLANK;
    let forbidden = "\0-\u{8}\u{b}\u{c}\u{e}-\u{1f}\u{7f}-\u{9f}";
    string()
        .min_length(Some(1))
        .max_length(Some(MAX_BODY_CHARS))
        .pattern(Some(format!(
            "^[^{forbidden}]*[^{forbidden}{blank}][^{forbidden}]*$"
        )))
        .build()
}

/// What a template says, or nothing.
pub(in crate::http) fn template_body_or_null() -> Schema {
    or_null(template_body())
}

/// What stands in the places of a template.
pub(in crate::http) fn parameters() -> Schema {
    let blank = &*BLANK;
    let parameter = string()
        .min_length(Some(1))
        .max_length(Some(MAX_PARAMETER_CHARS))
        .pattern(Some(format!(
            "^[^\0{CONTROL}]*[^\0{CONTROL}{blank}][^\0{CONTROL}]*$"
        )))
        .build();
    ArrayBuilder::new()
        .items(parameter)
        .max_items(Some(MAX_PARAMETERS))
        .into()
}

/// What a reply says, or nothing where a template does.
pub(in crate::http) fn reply_or_null() -> Schema {
    or_null(lines(Channel::Whatsapp.max_text_chars()))
}

/// A time zone's name, or none.
pub(in crate::http) fn time_zone_or_null() -> Schema {
    or_null(
        string()
            .pattern(Some("^[A-Za-z0-9_+/-]+$"))
            .examples(["Europe/London"])
            .build(),
    )
}

fn time_of_day() -> Object {
    string()
        .pattern(Some("^([01][0-9]|2[0-3]):[0-5][0-9]$"))
        .examples(["09:00"])
        .build()
}

/// Office hours, or none.
pub(in crate::http) fn office_hours_or_null() -> Schema {
    let whole = |object: ObjectBuilder| {
        object.additional_properties(Some(AdditionalProperties::<Schema>::FreeForm(false)))
    };
    let span = whole(
        ObjectBuilder::new()
            .property("day", one_of(Weekday::ALL.map(Weekday::as_str)))
            .required("day")
            .property("opens", time_of_day())
            .required("opens")
            .property("closes", time_of_day())
            .required("closes"),
    );
    let date = string().format(Some(SchemaFormat::KnownFormat(KnownFormat::Date)));
    let hours = ArrayBuilder::new()
        .items(span)
        .min_items(Some(1))
        .max_items(Some(MAX_SPANS))
        .unique_items(true);
    let holidays = ArrayBuilder::new()
        .items(date)
        .max_items(Some(MAX_HOLIDAYS));
    let office = whole(
        ObjectBuilder::new()
            .property("hours", hours)
            .required("hours")
            .property("holidays", holidays)
            .property("text", lines(MAX_REPLY_CHARS))
            .required("text"),
    );
    or_null(office.build())
}
