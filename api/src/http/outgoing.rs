//! The forms of what goes out that several endpoints share: a message's wording, and a line's automatic texts.

use chrono::NaiveDate;
use docket_domain::office_hours::{OfficeHours, OpenSpan, TimeOfDay, Weekday};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::problem::{Kind, Problem};
use super::schemas::outgoing as schemas;
use crate::operations::reply::{SendAs, TemplateChoice};

/// A `WhatsApp` template that is to be sent.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct TemplateToSend {
    /// Its name.
    #[schema(schema_with = schemas::template_name)]
    name: String,
    /// Its locale.
    #[schema(schema_with = schemas::locale)]
    locale: String,
    /// What stands in the places of its body, in order; as many as it has places.
    #[serde(default)]
    #[schema(schema_with = schemas::parameters)]
    parameters: Vec<String>,
}

/// What a body says: a text, a file or both, or else a template.
pub(super) struct Said {
    pub(super) text: Option<String>,
    pub(super) has_media: bool,
    pub(super) template: Option<TemplateToSend>,
    pub(super) outside_window: bool,
}

impl Said {
    /// The text, and as what it is sent.
    pub(super) fn read(self) -> Result<(String, SendAs), Problem> {
        let Self {
            text,
            has_media,
            template,
            outside_window,
        } = self;
        let Some(template) = template else {
            let send_as = if outside_window {
                SendAs::TextOutsideWindow
            } else {
                SendAs::Text
            };
            return match text {
                Some(text) => Ok((text, send_as)),
                None if has_media => Ok((String::new(), send_as)),
                None => Err(Problem::new(
                    Kind::InvalidBody,
                    "the body has a wrong form: text, media_id or template must be given",
                )),
            };
        };
        if text.is_some() || has_media {
            return Err(Problem::invalid(
                "a template goes out alone; leave out text and media_id, or leave out template",
            ));
        }
        let TemplateToSend {
            name,
            locale,
            parameters,
        } = template;
        let choice = TemplateChoice {
            name,
            locale,
            parameters,
        };
        Ok((String::new(), SendAs::Template(choice)))
    }
}

/// A time of the week during which the office is open.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct OpenSpanForm {
    /// The day on which it opens.
    day: String,
    /// When it opens.
    opens: String,
    /// When it closes; on the next day where that is not after `opens`.
    closes: String,
}

/// When a line's office is open, and what is said outside of these hours.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct OfficeHoursForm {
    /// The hours of a week, in the survey's time zone.
    hours: Vec<OpenSpanForm>,
    /// Local dates on which the office does not open.
    #[serde(default)]
    holidays: Vec<NaiveDate>,
    /// What is said outside of the hours, once a case and day; `%ref` becomes the case's reference.
    text: String,
}

impl From<OfficeHours> for OfficeHoursForm {
    fn from(office: OfficeHours) -> Self {
        let span = |span: OpenSpan| OpenSpanForm {
            day: span.day.as_str().to_owned(),
            opens: span.opens.to_string(),
            closes: span.closes.to_string(),
        };
        Self {
            hours: office.hours.into_iter().map(span).collect(),
            holidays: office.holidays,
            text: office.text,
        }
    }
}

impl TryFrom<OpenSpanForm> for OpenSpan {
    type Error = Problem;

    fn try_from(form: OpenSpanForm) -> Result<Self, Problem> {
        let time = |name: &str, text: &str| {
            text.parse::<TimeOfDay>()
                .map_err(|error| Problem::invalid(format!("office_hours.hours.{name}: {error}")))
        };
        Ok(Self {
            day: Weekday::from_name(&form.day).ok_or_else(|| {
                Problem::invalid("office_hours.hours.day must be monday, tuesday … or sunday")
            })?,
            opens: time("opens", &form.opens)?,
            closes: time("closes", &form.closes)?,
        })
    }
}

impl TryFrom<OfficeHoursForm> for OfficeHours {
    type Error = Problem;

    fn try_from(form: OfficeHoursForm) -> Result<Self, Problem> {
        let hours = form.hours.into_iter().map(OpenSpan::try_from);
        Ok(Self {
            hours: hours.collect::<Result<_, _>>()?,
            holidays: form.holidays,
            text: form.text,
        })
    }
}
