//! The catalogue of events, `docs/events.md`, is made from the code: the events' types with their comments, and the golden files as
//! examples. The test fails when it is stale; `DOCKET_WRITE_DOCS=1 cargo test -p docket-domain --test catalogue` writes it anew.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs};

use cqrs_es::Aggregate;
use docket_domain::case::{Case, CaseEvent};
use docket_domain::contact::profile::{Contact, ContactEvent};
use docket_domain::held::{Held, HeldEvent};
use docket_domain::installation::{Installation, InstallationEvent};
use docket_domain::label::{LabelEvent, Labels};
use docket_domain::line::{Line, LineEvent};
use docket_domain::people::attempts::{Attempts, AttemptsEvent};
use docket_domain::people::export::{Export, ExportEvent};
use docket_domain::people::session::{Session, SessionEvent};
use docket_domain::people::views::{CaseViews, CaseViewsEvent};
use docket_domain::survey::{Survey, SurveyEvent};
use docket_domain::user::{User, UserEvent};
use docket_domain::whatsapp_template::{WhatsappTemplate, WhatsappTemplateEvent};
use syn::{Attribute, Expr, Fields, GenericArgument, Item, Lit, Meta, PathArguments, Type};

/// What stands before the events.
const INTRODUCTION: &str = "\
# Events

Everything that Docket knows has happened is an event in the log. Names and meaning of events never change; an event that
has to say something else gets a new version, and what was written in an old one is read through an upcaster. This page is made from
the code and its golden files by a test.

An event is JSON with its type around it: `{\"NoteAdded\": {…}}`. Times are RFC 3339 in UTC; a
reference is a number. What is marked as personal could
identify somebody.

Beside each event the log keeps

| | |
|---|---|
| `position` | its place in the log: 1, 2, 3 … without a gap |
| `aggregate_type`, `aggregate_id` | its stream: which thing it happened to. A case's id is its reference, that of the looks at it has the day behind it (`123-2026-03-02`), the installation's is `installation`, that of the labels `labels`, all others are UUIDs |
| `sequence` | its place in its stream, from 1 |
| `event_type`, `event_version` | what it is, and in which version it was written |
| `recorded_at` | when it was recorded |
| `metadata` | who did it, by which way and why; see below |

`metadata` is a map of strings. What is not known or does not apply is left out:

| | |
|---|---|
| `actor` | `user`, `vonage` or `system` |
| `user_id`, `email` | of a user: who it was, and their address at that time; of a service account its name |
| `via` | by which way: `console`, `api`, `cli`, `webhook`, `delivery` (the delivery worker) or `system` (Docket itself, as at its first start). \
Events of versions before it are without it |
| `token_id` | the API token that acted in the user's name. `TokenCreated` with this id says what the token is for |
| `client_address` | the network address that the user's request came from, by the trusted proxies; personal. \
Events of versions before it are without it, and so are answers to agents |
| `request_id` | Docket's id of the request; it is always Docket's own |
| `client_request_id` | the id that the caller gave the request in `x-request-id`, cut to 128 characters. It proves nothing |
| `cause` | Vonage's id of the message, or a word such as `delivery` |

";

/// What stands behind them.
const CLOUD_EVENTS: &str = "\
## As CloudEvents

`docket export-log` writes events as [CloudEvents 1.0](https://cloudevents.io), one a line:

| attribute | what |
|---|---|
| `specversion` | `1.0` |
| `id` | the position |
| `source` | where the installation serves its log, `/api/v1/events` |
| `type` | `docket.Case.NoteAdded` |
| `subject` | the stream, `Case/123` |
| `time` | when it was recorded |
| `datacontenttype` | `application/json` |
| `data` | what stands in the event under its type |
| `dataversion` | the version in which it was written |
| `sequence` | its place in its stream, a number |
| `actor`, `userid`, `useremail`, `via`, `tokenid`, `clientaddress`, `requestid`, `clientrequestid`, `cause` | the metadata |
| `username` | what the user was called when the export was made |
";

struct AggregateEvents {
    aggregate: &'static str,
    /// What the streams are.
    what: &'static str,
    events: &'static str,
    types: &'static [&'static str],
}

const AGGREGATES: [AggregateEvents; 13] = [
    AggregateEvents {
        aggregate: Case::TYPE,
        what: "One subject with one contact.",
        events: "CaseEvent",
        types: &CaseEvent::TYPES,
    },
    AggregateEvents {
        aggregate: Contact::TYPE,
        what: "One outside number within one survey: its name, the note about it, and its opt-outs.",
        events: "ContactEvent",
        types: &ContactEvent::TYPES,
    },
    AggregateEvents {
        aggregate: Survey::TYPE,
        what: "What lines are organised under.",
        events: "SurveyEvent",
        types: &SurveyEvent::TYPES,
    },
    AggregateEvents {
        aggregate: Line::TYPE,
        what: "One of our numbers on one channel.",
        events: "LineEvent",
        types: &LineEvent::TYPES,
    },
    AggregateEvents {
        aggregate: Held::TYPE,
        what: "A webhook that could not be routed.",
        events: "HeldEvent",
        types: &HeldEvent::TYPES,
    },
    AggregateEvents {
        aggregate: User::TYPE,
        what: "Somebody who signs in.",
        events: "UserEvent",
        types: &UserEvent::TYPES,
    },
    AggregateEvents {
        aggregate: Session::TYPE,
        what: "A browser in which somebody is signed in.",
        events: "SessionEvent",
        types: &SessionEvent::TYPES,
    },
    AggregateEvents {
        aggregate: Attempts::TYPE,
        what: "Attempts to sign in that failed, with one address from one place within ten minutes.",
        events: "AttemptsEvent",
        types: &AttemptsEvent::TYPES,
    },
    AggregateEvents {
        aggregate: CaseViews::TYPE,
        what: "Who looked at a case, on one day.",
        events: "CaseViewsEvent",
        types: &CaseViewsEvent::TYPES,
    },
    AggregateEvents {
        aggregate: Export::TYPE,
        what: "Something of the log that somebody took away as a file, or read page by page, as a stream or by a search.",
        events: "ExportEvent",
        types: &ExportEvent::TYPES,
    },
    AggregateEvents {
        aggregate: Installation::TYPE,
        what: "The installation itself.",
        events: "InstallationEvent",
        types: &InstallationEvent::TYPES,
    },
    AggregateEvents {
        aggregate: Labels::TYPE,
        what: "The labels of the installation.",
        events: "LabelEvent",
        types: &LabelEvent::TYPES,
    },
    AggregateEvents {
        aggregate: WhatsappTemplate::TYPE,
        what: "A text that WhatsApp has approved, which may be sent outside of its window.",
        events: "WhatsappTemplateEvent",
        types: &WhatsappTemplateEvent::TYPES,
    },
];

/// The types of the domain, by name.
type Items = BTreeMap<String, Item>;

fn domain() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn items() -> Items {
    fn walk(folder: &Path, items: &mut Items) {
        for entry in fs::read_dir(folder).expect("a folder of sources") {
            let path = entry.expect("a source").path();
            if path.is_dir() {
                walk(&path, items);
                continue;
            }
            let source = fs::read_to_string(&path).expect("a source is text");
            let file = syn::parse_file(&source)
                .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            for item in file.items {
                match &item {
                    Item::Struct(found) => items.insert(found.ident.to_string(), item),
                    Item::Enum(found) => items.insert(found.ident.to_string(), item),
                    _ => None,
                };
            }
        }
    }
    let mut items = Items::new();
    walk(&domain().join("src"), &mut items);
    items
}

/// The comment on an item, on one line, without links into the code.
fn comment(attributes: &[Attribute]) -> String {
    let mut words: Vec<String> = vec![];
    for attribute in attributes {
        if let Meta::NameValue(doc) = &attribute.meta
            && doc.path.is_ident("doc")
            && let Expr::Lit(literal) = &doc.value
            && let Lit::Str(line) = &literal.lit
        {
            words.extend(line.value().split_whitespace().map(str::to_owned));
        }
    }
    words
        .join(" ")
        .replace("[`", "`")
        .replace("`]", "`")
        .replace("](super::Case)", "")
}

/// What serde is told, as far as it changes the JSON: `(name, value)`.
fn serde(attributes: &[Attribute]) -> BTreeMap<String, String> {
    let mut told = BTreeMap::new();
    for attribute in attributes
        .iter()
        .filter(|attribute| attribute.path().is_ident("serde"))
    {
        attribute
            .parse_nested_meta(|meta| {
                let name = meta
                    .path
                    .get_ident()
                    .map(ToString::to_string)
                    .unwrap_or_default();
                let value = match meta.value() {
                    Ok(value) => value.parse::<syn::LitStr>()?.value(),
                    Err(_) => String::new(),
                };
                told.insert(name, value);
                Ok(())
            })
            .expect("serde's own attributes");
    }
    told
}

fn renamed(name: &str, rule: Option<&String>) -> String {
    match rule.map(String::as_str) {
        Some("lowercase") => name.to_lowercase(),
        Some("snake_case") => {
            let mut snake = String::new();
            for c in name.chars() {
                if c.is_uppercase() && !snake.is_empty() {
                    snake.push('_');
                }
                snake.extend(c.to_lowercase());
            }
            snake
        }
        Some(other) => panic!("the catalogue does not know rename_all = \"{other}\""),
        None => name.to_owned(),
    }
}

/// A heading's anchor.
fn anchor(name: &str) -> String {
    name.to_lowercase()
}

/// Writes the catalogue, and remembers which types are still to be explained.
struct Catalogue<'a> {
    items: &'a Items,
    text: String,
    wanted: Vec<String>,
}

impl Catalogue<'_> {
    fn write(mut self) -> String {
        self.text += INTRODUCTION;
        for aggregate in &AGGREGATES {
            self.aggregate(aggregate);
        }
        self.text += "## Forms\n\nWhat events are made of.\n\n";
        let mut explained = BTreeSet::new();
        while let Some(name) = self.wanted.first().cloned() {
            self.wanted.remove(0);
            if explained.insert(name.clone()) {
                self.form(&name);
            }
        }
        self.text += CLOUD_EVENTS;
        self.text
    }

    fn aggregate(&mut self, aggregate: &AggregateEvents) {
        let Some(Item::Enum(events)) = self.items.get(aggregate.events) else {
            panic!("there is no enum {}", aggregate.events)
        };
        let variants: Vec<String> = events
            .variants
            .iter()
            .map(|variant| variant.ident.to_string())
            .collect();
        assert_eq!(
            variants, aggregate.types,
            "the sources and the code are of one mind"
        );
        let _ = writeln!(
            self.text,
            "## {}\n\n{}\n",
            aggregate.aggregate, aggregate.what
        );
        self.text += "| event | what happened |\n|---|---|\n";
        for variant in &events.variants {
            let name = variant.ident.to_string();
            let _ = writeln!(
                self.text,
                "| [{name}](#{}) | {} |",
                anchor(&name),
                comment(&variant.attrs)
            );
        }
        self.text.push('\n');
        for variant in &events.variants {
            let name = variant.ident.to_string();
            let _ = writeln!(self.text, "### {name}\n\n{}\n", comment(&variant.attrs));
            match &variant.fields {
                Fields::Unnamed(fields) => {
                    let form = self.rendered(&fields.unnamed[0].ty);
                    let _ = writeln!(self.text, "Its fields are those of {form}.\n");
                }
                fields => self.fields(fields),
            }
            self.examples(aggregate.aggregate, &name);
        }
    }

    /// The golden file of today's version as an example, and links to those of earlier ones.
    fn examples(&mut self, aggregate: &str, event: &str) {
        let folder = domain().join("tests/golden").join(aggregate);
        let mut versions: Vec<u32> = fs::read_dir(&folder)
            .expect("golden files")
            .filter_map(|file| {
                let name = file
                    .expect("a golden file")
                    .file_name()
                    .into_string()
                    .ok()?;
                name.strip_prefix(event)?
                    .strip_prefix(".v")?
                    .strip_suffix(".json")?
                    .parse()
                    .ok()
            })
            .collect();
        versions.sort_unstable();
        let (today, earlier) = versions
            .split_last()
            .unwrap_or_else(|| panic!("{event} has a golden file"));
        let example = fs::read_to_string(folder.join(format!("{event}.v{today}.json")))
            .expect("a golden file is text");
        let _ = writeln!(
            self.text,
            "Version {today}:\n\n```json\n{}\n```\n",
            example.trim_end()
        );
        if !earlier.is_empty() {
            let links: Vec<String> = earlier
                .iter()
                .map(|version| {
                    format!(
                        "[{version}](../domain/tests/golden/{aggregate}/{event}.v{version}.json)"
                    )
                })
                .collect();
            let _ = writeln!(
                self.text,
                "Earlier versions, read through an upcaster: {}.\n",
                links.join(", ")
            );
        }
    }

    fn fields(&mut self, fields: &Fields) {
        if fields.is_empty() {
            self.text += "It has no fields.\n\n";
            return;
        }
        self.text += "| field | form | what |\n|---|---|---|\n";
        for field in fields {
            let told = serde(&field.attrs);
            let name = field
                .ident
                .as_ref()
                .map(ToString::to_string)
                .unwrap_or_default();
            let name = told.get("rename").unwrap_or(&name).clone();
            let form = self.rendered(&field.ty);
            let form = if told.contains_key("skip_serializing_if") {
                format!("{}, may be left out", form.trim_end_matches(" or null"))
            } else {
                form
            };
            let _ = writeln!(
                self.text,
                "| `{name}` | {form} | {} |",
                comment(&field.attrs)
            );
        }
        self.text.push('\n');
    }

    fn form(&mut self, name: &str) {
        match self.items.get(name) {
            Some(Item::Struct(found)) => {
                let _ = writeln!(self.text, "### {name}\n\n{}\n", comment(&found.attrs));
                self.fields(&found.fields);
            }
            Some(Item::Enum(found)) => {
                let _ = writeln!(self.text, "### {name}\n\n{}\n", comment(&found.attrs));
                self.choices(found);
            }
            _ => panic!("{name} is a form that the catalogue does not know"),
        }
    }

    fn choices(&mut self, found: &syn::ItemEnum) {
        let told = serde(&found.attrs);
        let tag = told.get("tag");
        self.text += "| value | with | what |\n|---|---|---|\n";
        for variant in &found.variants {
            let name = renamed(&variant.ident.to_string(), told.get("rename_all"));
            let with: Vec<String> = match &variant.fields {
                Fields::Unit => vec![],
                Fields::Unnamed(fields) => {
                    let form = self.rendered(&fields.unnamed[0].ty);
                    vec![if tag.is_some() {
                        format!("the fields of {form}")
                    } else {
                        form
                    }]
                }
                Fields::Named(fields) => fields
                    .named
                    .iter()
                    .map(|field| {
                        let name = field
                            .ident
                            .as_ref()
                            .map(ToString::to_string)
                            .unwrap_or_default();
                        let form = self.rendered(&field.ty);
                        let form = if serde(&field.attrs).contains_key("skip_serializing_if") {
                            format!("{}, may be left out", form.trim_end_matches(" or null"))
                        } else {
                            form
                        };
                        format!("`{name}` ({form}): {}", comment(&field.attrs))
                    })
                    .collect(),
            };
            let value = match (tag, &variant.fields) {
                (Some(tag), _) => format!("`\"{tag}\": \"{name}\"`"),
                (None, Fields::Unit) => format!("`\"{name}\"`"),
                (None, _) => format!("`{{\"{name}\": …}}`"),
            };
            let _ = writeln!(
                self.text,
                "| {value} | {} | {} |",
                with.join("<br>"),
                comment(&variant.attrs)
            );
        }
        self.text.push('\n');
    }

    /// A type in the words of JSON.
    fn rendered(&mut self, kind: &Type) -> String {
        let Type::Path(path) = kind else {
            panic!("events hold plain types")
        };
        let last = path.path.segments.last().expect("a type has a name");
        let inner = match &last.arguments {
            PathArguments::AngleBracketed(arguments) => {
                arguments.args.first().and_then(|argument| match argument {
                    GenericArgument::Type(inner) => Some(inner),
                    _ => None,
                })
            }
            _ => None,
        };
        let name = last.ident.to_string();
        match (name.as_str(), inner) {
            ("Personal", Some(inner)) => format!("{}, personal", self.rendered(inner)),
            ("Option", Some(inner)) => format!("{} or null", self.rendered(inner)),
            ("Vec", Some(inner)) => format!("list of {}", self.rendered(inner)),
            ("Box", Some(inner)) => self.rendered(inner),
            ("DateTime", _) => "time".to_owned(),
            ("NaiveDate", _) => "date".to_owned(),
            ("TimeOfDay", _) => "time of day".to_owned(),
            ("TimeZone", _) => "name of a time zone".to_owned(),
            ("String", _) => "text".to_owned(),
            ("bool", _) => "true or false".to_owned(),
            ("u16" | "u32" | "u64" | "i64" | "Number", _) => "number".to_owned(),
            ("Value", _) => "any JSON".to_owned(),
            ("Reference", _) => "reference".to_owned(),
            (id, _) if id.ends_with("Id") => "UUID".to_owned(),
            (form, _) => {
                self.wanted.push(form.to_owned());
                format!("[{form}](#{})", anchor(form))
            }
        }
    }
}

#[test]
fn the_catalogue_is_what_the_code_says() {
    let items = items();
    let catalogue = Catalogue {
        items: &items,
        text: String::new(),
        wanted: vec![],
    }
    .write();
    let path = domain().join("../docs/events.md");
    if env::var_os("DOCKET_WRITE_DOCS").is_some_and(|value| value == "1") {
        fs::write(&path, &catalogue).expect("docs/events.md can be written");
    }
    let written = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        written == catalogue,
        "docs/events.md is stale: DOCKET_WRITE_DOCS=1 cargo test -p docket-domain --test catalogue writes it anew"
    );
}
