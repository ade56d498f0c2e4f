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

/// The text and as what it is sent, of a body that has a text or a template.
pub(super) fn wording(
    text: Option<String>,
    template: Option<TemplateToSend>,
    outside_window: bool,
) -> Result<(String, SendAs), Problem> {
    match (text, template) {
        (Some(text), None) if outside_window => Ok((text, SendAs::TextOutsideWindow)),
        (Some(text), None) => Ok((text, SendAs::Text)),
        (None, Some(template)) => {
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
        (Some(_), Some(_)) => Err(Problem::invalid(
            "text and template must not both be given; leave one out",
        )),
        (None, None) => Err(Problem::new(
            Kind::InvalidBody,
            "the body has a wrong form: text or template must be given",
        )),
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
