//! `WhatsApp` templates: texts that `WhatsApp` has approved, which may be sent outside of its window.
//!
//! Docket keeps what it needs to show and to send one: its name and locale, as Vonage takes them, the line whose account has it,
//! and its body with `{{1}}`, `{{2}}` … for parameters. Whether `WhatsApp` has approved it, Vonage says when it is sent.

use cqrs_es::event_sink::EventSink;
use cqrs_es::{Aggregate, DomainEvent};
use serde::{Deserialize, Serialize};

use crate::ids::{LineId, WhatsappTemplateId};
use crate::personal::Personal;
use crate::text::normalise;

/// The longest name, in characters; a namespace and a colon may stand before the name itself.
pub const MAX_NAME_CHARS: usize = 512;
/// The longest body, in characters: `WhatsApp`'s own limit.
pub const MAX_BODY_CHARS: usize = 1_024;
/// The most parameters of a body.
pub const MAX_PARAMETERS: usize = 20;
/// The longest parameter, in characters.
pub const MAX_PARAMETER_CHARS: usize = 1_024;
/// The most templates of an installation.
pub const MAX_TEMPLATES: usize = 500;

/// What an owner sets of a template.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TemplateSettings {
    /// The name, as Vonage takes it.
    pub name: String,
    /// The locale, as Vonage takes it: `en`, `en_US`.
    pub locale: String,
    /// The approved text, with `{{1}}`, `{{2}}` … for its parameters.
    pub body: String,
    /// The `WhatsApp` line from which it can be sent.
    pub line_id: LineId,
}

/// Why a template cannot be kept, or not be sent as it is asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// There is no such template.
    #[error("there is no such template; GET /api/v1/whatsapp-templates lists them")]
    NotAdded,
    /// The template exists.
    #[error("the template exists already")]
    AlreadyAdded,
    /// Somebody else has changed it.
    #[error(
        "the template was changed since; look at it as it is in version {version}, and ask again"
    )]
    ChangedSince {
        /// Its version now.
        version: u64,
    },
    /// The name is none.
    #[error(
        "name must have 1 to {MAX_NAME_CHARS} letters, digits and the signs _ - . : as Vonage takes them"
    )]
    Name,
    /// The locale is none.
    #[error("locale must be a language such as en, or a language and a region such as en_US")]
    Locale,
    /// The body is empty or too long.
    #[error("body must have 1 to {MAX_BODY_CHARS} characters")]
    Body,
    /// The placeholders are not 1, 2, 3 and so on.
    #[error(
        "body must number its parameters {{{{1}}}}, {{{{2}}}} and so on without a gap, {MAX_PARAMETERS} at most"
    )]
    Places,
}

/// Why parameters do not fit a template.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParameterError {
    /// Too few or too many.
    #[error("the template takes {wanted} parameters, and {given} were given")]
    Count {
        /// How many the body has.
        wanted: usize,
        /// How many were given.
        given: usize,
    },
    /// One is empty, too long or has characters that `WhatsApp` does not take.
    #[error(
        "parameter {0} must have 1 to {MAX_PARAMETER_CHARS} characters on one line, without tabs or four spaces in a row"
    )]
    Text(usize),
}

/// A template as it was sent: what Vonage needs beside the number.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SentTemplate {
    /// Its name.
    pub name: String,
    /// Its locale.
    pub locale: String,
    /// What stands in the places of its body, in order.
    pub parameters: Personal<Vec<String>>,
}

/// A piece of a body.
enum Piece<'a> {
    Text(&'a str),
    Place(usize),
}

/// The body in pieces. What is no place, such as `{{name}}`, is text.
fn pieces(body: &str) -> Vec<Piece<'_>> {
    let mut pieces = vec![];
    let (mut rest, mut begun) = (body, 0);
    while let Some(found) = rest[begun..].find("{{") {
        let start = begun + found;
        let inside = &rest[start + 2..];
        let digits = inside.bytes().take_while(u8::is_ascii_digit).count();
        let number = inside[..digits].parse().ok();
        match number.filter(|number| *number > 0 && inside[digits..].starts_with("}}")) {
            Some(number) => {
                pieces.push(Piece::Text(&rest[..start]));
                pieces.push(Piece::Place(number));
                rest = &inside[digits + 2..];
                begun = 0;
            }
            None => begun = start + 1,
        }
    }
    pieces.push(Piece::Text(rest));
    pieces
}

/// How many parameters a body has; `None` where their numbers have a gap.
pub fn parameter_count(body: &str) -> Option<usize> {
    let mut numbers: Vec<usize> = pieces(body)
        .into_iter()
        .filter_map(|piece| match piece {
            Piece::Place(number) => Some(number),
            Piece::Text(_) => None,
        })
        .collect();
    numbers.sort_unstable();
    numbers.dedup();
    let is_whole = numbers.iter().copied().eq(1..=numbers.len());
    is_whole.then_some(numbers.len())
}

/// The body with its parameters filled in, in one pass: what a parameter holds is never taken for a place.
///
/// # Errors
///
/// [`ParameterError`].
pub fn render(body: &str, parameters: &[String]) -> Result<String, ParameterError> {
    let wanted = parameter_count(body).unwrap_or_default();
    if parameters.len() != wanted {
        let given = parameters.len();
        return Err(ParameterError::Count { wanted, given });
    }
    for (number, parameter) in (1..).zip(parameters) {
        let is_taken = !normalise::is_empty(parameter)
            && parameter.chars().count() <= MAX_PARAMETER_CHARS
            && !parameter.chars().any(char::is_control)
            && !parameter.contains("    ");
        if !is_taken {
            return Err(ParameterError::Text(number));
        }
    }
    let filled = pieces(body).into_iter().map(|piece| match piece {
        Piece::Text(text) => text,
        Piece::Place(number) => parameters.get(number - 1).map_or("", String::as_str),
    });
    Ok(filled.collect())
}

impl TemplateSettings {
    /// The settings as they are kept, in the normal form of what people type.
    fn normalised(self) -> Self {
        let normal = |text: &str| normalise::typed(text).into_owned();
        Self {
            name: normal(&self.name),
            locale: normal(&self.locale),
            body: normal(&self.body),
            line_id: self.line_id,
        }
    }

    fn check(&self) -> Result<(), TemplateError> {
        let is_in_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | ':');
        let name_chars = self.name.chars().count();
        if !(1..=MAX_NAME_CHARS).contains(&name_chars) || !self.name.chars().all(is_in_name) {
            return Err(TemplateError::Name);
        }
        if !is_locale(&self.locale) {
            return Err(TemplateError::Locale);
        }
        let is_text = |c: char| !c.is_control() || matches!(c, '\n' | '\t');
        if normalise::is_empty(&self.body)
            || self.body.chars().count() > MAX_BODY_CHARS
            || !self.body.chars().all(is_text)
        {
            return Err(TemplateError::Body);
        }
        match parameter_count(&self.body) {
            Some(count) if count <= MAX_PARAMETERS => Ok(()),
            _ => Err(TemplateError::Places),
        }
    }

    /// Whether another template would be the same to Vonage.
    pub fn is_named_as(&self, other: &Self) -> bool {
        self.line_id == other.line_id && self.name == other.name && self.locale == other.locale
    }
}

/// A language of two or three letters, and perhaps a script or region behind `_` or `-`.
fn is_locale(text: &str) -> bool {
    let mut parts = text.split(['_', '-']);
    let language = parts.next().unwrap_or_default();
    let mut others = 0;
    let are_others = parts.all(|part| {
        others += 1;
        (2..=8).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_alphanumeric())
    });
    (2..=3).contains(&language.len())
        && language.bytes().all(|byte| byte.is_ascii_alphabetic())
        && are_others
        && others <= 2
}

/// A template as its events have made it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct WhatsappTemplate {
    version: u64,
    settings: Option<TemplateSettings>,
    removed: bool,
}

/// A command to a [`WhatsappTemplate`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WhatsappTemplateCommand {
    /// Keep the template.
    Add {
        /// Its id.
        template_id: WhatsappTemplateId,
        /// What it is.
        settings: TemplateSettings,
    },
    /// Make it another.
    Change {
        /// All of it.
        settings: TemplateSettings,
        /// The version that the caller knows; `None` to change it whatever it is.
        seen: Option<u64>,
    },
    /// Remove it; what was sent with it stays.
    Remove,
}

/// An event of a [`WhatsappTemplate`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum WhatsappTemplateEvent {
    /// An owner added a template that `WhatsApp` has approved.
    WhatsappTemplateAdded {
        /// Its id.
        template_id: WhatsappTemplateId,
        /// What it is.
        settings: TemplateSettings,
    },
    /// An owner changed the template.
    WhatsappTemplateChanged {
        /// All of it.
        settings: TemplateSettings,
    },
    /// An owner removed the template; what was sent with it stays.
    WhatsappTemplateRemoved {},
}

impl WhatsappTemplate {
    /// How many events the template has.
    pub const fn version(&self) -> u64 {
        self.version
    }

    /// What the template is; `None` where it was not added, or was removed.
    pub fn settings(&self) -> Option<&TemplateSettings> {
        self.settings.as_ref().filter(|_| !self.removed)
    }

    /// Decides a command.
    ///
    /// # Errors
    ///
    /// A [`TemplateError`] that says why nothing can be recorded.
    pub fn decide(
        &self,
        command: WhatsappTemplateCommand,
    ) -> Result<Vec<WhatsappTemplateEvent>, TemplateError> {
        match (command, self.settings()) {
            (WhatsappTemplateCommand::Add { .. }, _) if self.settings.is_some() => {
                Err(TemplateError::AlreadyAdded)
            }
            (
                WhatsappTemplateCommand::Add {
                    template_id,
                    settings,
                },
                _,
            ) => {
                let settings = settings.normalised();
                settings.check()?;
                Ok(vec![WhatsappTemplateEvent::WhatsappTemplateAdded {
                    template_id,
                    settings,
                }])
            }
            (WhatsappTemplateCommand::Remove, None) if self.removed => Ok(vec![]),
            (_, None) => Err(TemplateError::NotAdded),
            (WhatsappTemplateCommand::Change { settings, .. }, Some(now)) if settings == *now => {
                Ok(vec![])
            }
            (
                WhatsappTemplateCommand::Change {
                    seen: Some(seen), ..
                },
                Some(_),
            ) if seen < self.version => Err(TemplateError::ChangedSince {
                version: self.version,
            }),
            (WhatsappTemplateCommand::Change { settings, .. }, Some(now)) => {
                let settings = settings.normalised();
                settings.check()?;
                if settings == *now {
                    return Ok(vec![]);
                }
                Ok(vec![WhatsappTemplateEvent::WhatsappTemplateChanged {
                    settings,
                }])
            }
            (WhatsappTemplateCommand::Remove, Some(_)) => {
                Ok(vec![WhatsappTemplateEvent::WhatsappTemplateRemoved {}])
            }
        }
    }

    /// Takes one event in.
    pub fn evolve(&mut self, event: &WhatsappTemplateEvent) {
        self.version += 1;
        match event {
            WhatsappTemplateEvent::WhatsappTemplateAdded { settings, .. }
            | WhatsappTemplateEvent::WhatsappTemplateChanged { settings } => {
                self.settings = Some(settings.clone());
            }
            WhatsappTemplateEvent::WhatsappTemplateRemoved {} => self.removed = true,
        }
    }
}

impl WhatsappTemplateEvent {
    /// Every event type.
    pub const TYPES: [&'static str; 3] = [
        "WhatsappTemplateAdded",
        "WhatsappTemplateChanged",
        "WhatsappTemplateRemoved",
    ];

    /// The event's type: its variant's name.
    pub const fn type_name(&self) -> &'static str {
        match self {
            Self::WhatsappTemplateAdded { .. } => "WhatsappTemplateAdded",
            Self::WhatsappTemplateChanged { .. } => "WhatsappTemplateChanged",
            Self::WhatsappTemplateRemoved {} => "WhatsappTemplateRemoved",
        }
    }

    /// The version that is written today.
    pub const fn version(&self) -> &'static str {
        "1"
    }
}

impl DomainEvent for WhatsappTemplateEvent {
    fn event_type(&self) -> String {
        self.type_name().to_owned()
    }

    fn event_version(&self) -> String {
        self.version().to_owned()
    }
}

impl Aggregate for WhatsappTemplate {
    const TYPE: &'static str = "WhatsappTemplate";
    type Command = WhatsappTemplateCommand;
    type Event = WhatsappTemplateEvent;
    type Error = TemplateError;
    type Services = ();

    async fn handle(
        &mut self,
        command: WhatsappTemplateCommand,
        (): &(),
        sink: &EventSink<Self>,
    ) -> Result<(), TemplateError> {
        for event in self.decide(command)? {
            sink.write(event, self).await;
        }
        Ok(())
    }

    fn apply(&mut self, event: WhatsappTemplateEvent) {
        self.evolve(&event);
    }
}

#[cfg(test)]
mod tests {
    use cqrs_es::test::TestFramework;
    use proptest::prelude::*;
    use uuid::Uuid;

    use super::*;

    fn settings() -> TemplateSettings {
        TemplateSettings {
            name: "appointment_reminder".into(),
            locale: "en_GB".into(),
            body: "Hello {{1}}, we see you on {{2}}.".into(),
            line_id: LineId(Uuid::nil()),
        }
    }

    fn added() -> WhatsappTemplateEvent {
        WhatsappTemplateEvent::WhatsappTemplateAdded {
            template_id: WhatsappTemplateId(Uuid::nil()),
            settings: settings(),
        }
    }

    fn change(settings: TemplateSettings, seen: Option<u64>) -> WhatsappTemplateCommand {
        WhatsappTemplateCommand::Change { settings, seen }
    }

    #[test]
    fn a_template_is_added_changed_and_removed() {
        let other = TemplateSettings {
            body: "Hello {{1}}.".into(),
            ..settings()
        };
        let changed = WhatsappTemplateEvent::WhatsappTemplateChanged {
            settings: other.clone(),
        };
        TestFramework::<WhatsappTemplate>::with(())
            .given_no_previous_events()
            .when(WhatsappTemplateCommand::Add {
                template_id: WhatsappTemplateId(Uuid::nil()),
                settings: TemplateSettings {
                    name: " appointment_reminder\u{200b} ".into(),
                    ..settings()
                },
            })
            .then_expect_events(vec![added()]);
        TestFramework::<WhatsappTemplate>::with(())
            .given(vec![added()])
            .when(change(other.clone(), Some(1)))
            .then_expect_events(vec![changed.clone()]);
        TestFramework::<WhatsappTemplate>::with(())
            .given(vec![added(), changed.clone()])
            .when(change(settings(), Some(1)))
            .then_expect_error(TemplateError::ChangedSince { version: 2 });
        TestFramework::<WhatsappTemplate>::with(())
            .given(vec![added(), changed])
            .when(change(other, Some(1)))
            .then_expect_events(vec![]);
        let removed = WhatsappTemplateEvent::WhatsappTemplateRemoved {};
        TestFramework::<WhatsappTemplate>::with(())
            .given(vec![added()])
            .when(WhatsappTemplateCommand::Remove)
            .then_expect_events(vec![removed.clone()]);
        TestFramework::<WhatsappTemplate>::with(())
            .given(vec![added(), removed.clone()])
            .when(WhatsappTemplateCommand::Remove)
            .then_expect_events(vec![]);
        TestFramework::<WhatsappTemplate>::with(())
            .given(vec![added(), removed])
            .when(change(settings(), None))
            .then_expect_error(TemplateError::NotAdded);
        TestFramework::<WhatsappTemplate>::with(())
            .given_no_previous_events()
            .when(WhatsappTemplateCommand::Remove)
            .then_expect_error(TemplateError::NotAdded);
    }

    #[test]
    fn a_template_that_vonage_could_not_take_is_refused() {
        type Spoil = fn(&mut TemplateSettings);
        fn with_places(count: usize) -> String {
            (1..=count).fold(String::new(), |body, n| body + &format!("{{{{{n}}}}}"))
        }
        let spoilt: [(Spoil, TemplateError); 12] = [
            (|t| t.name = String::new(), TemplateError::Name),
            (|t| t.name = "two words".into(), TemplateError::Name),
            (|t| t.name = "é".into(), TemplateError::Name),
            (|t| t.name = "x".repeat(513), TemplateError::Name),
            (|t| t.locale = "e".into(), TemplateError::Locale),
            (|t| t.locale = "english".into(), TemplateError::Locale),
            (|t| t.locale = "en_".into(), TemplateError::Locale),
            (|t| t.locale = "en US".into(), TemplateError::Locale),
            (|t| t.body = " ".into(), TemplateError::Body),
            (|t| t.body = "x".repeat(1_025), TemplateError::Body),
            (|t| t.body = "{{2}}".into(), TemplateError::Places),
            (|t| t.body = with_places(21), TemplateError::Places),
        ];
        for (spoil, error) in spoilt {
            let mut settings = settings();
            spoil(&mut settings);
            assert_eq!(settings.check(), Err(error), "{settings:?}");
        }
        for good in ["en", "en_US", "pt-BR", "zh_Hant_HK", "fil"] {
            assert!(is_locale(good), "{good}");
        }
        let name = "9b6b4fcb_da19_4a26_8fe8_78074a91b584:verify".into();
        assert_eq!(TemplateSettings { name, ..settings() }.check(), Ok(()));
    }

    #[test]
    fn parameters_fill_their_places_once() {
        let rendered = |body: &str, parameters: &[&str]| {
            let parameters: Vec<String> = parameters.iter().map(|p| (*p).to_owned()).collect();
            render(body, &parameters)
        };
        assert_eq!(
            rendered("{{1}} and {{2}}, {{1}}", &["{{2}}", "b"]).as_deref(),
            Ok("{{2}} and b, {{2}}")
        );
        assert_eq!(rendered("{{{1}}}", &["a"]).as_deref(), Ok("{a}"));
        for plain in [
            "", "{{", "{{}}", "{{a}}", "{1}", "{{1}", "{{ 1 }}", "{{0}}", "é{{",
        ] {
            assert_eq!(rendered(plain, &[]).as_deref(), Ok(plain));
        }
        let count = |wanted, given| Err(ParameterError::Count { wanted, given });
        assert_eq!(rendered("{{1}}", &[]), count(1, 0));
        assert_eq!(rendered("{{1}}", &["a", "b"]), count(1, 2));
        assert_eq!(rendered("Hi", &["a"]), count(0, 1));
        for wrong in ["", " ", "a\nb", "a\tb", "a    b"] {
            assert_eq!(
                rendered("{{1}}{{2}}", &["a", wrong]),
                Err(ParameterError::Text(2)),
                "{wrong:?}"
            );
        }
    }

    proptest! {
        #[test]
        fn a_body_with_itself_as_parameters_is_itself(
            parts in proptest::collection::vec("[a-z{} é]{0,6}", 1..5),
        ) {
            // The texts around the places may hold braces, but make no place of their own.
            let body = parts.join("{{1}}");
            if parameter_count(&body) == Some(1) {
                prop_assert_eq!(render(&body, &["{{1}}".to_owned()]), Ok(body));
            }
        }

        #[test]
        fn any_text_can_be_taken_to_pieces(body in ".*") {
            let _ = parameter_count(&body);
            let _ = render(&body, &["a".to_owned()]);
        }
    }
}
