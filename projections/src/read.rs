//! The read models: one file each, with its row, its handler and its queries.
//!
//! A handler sees events and nothing else, gathers what they change in memory, and hands it over as rows and statements
//! ([`Writes`]). It does no I/O. The ledger runs the handlers when it appends events; a rebuild runs the same handlers over the
//! whole log. Statements name tables without a schema: the connection's `search_path` says whether the live tables are meant or
//! the ones being rebuilt.
//!
//! To add a read model: a migration for its table in schema `docket_read`, a file here with a [`Projection`], and a line in
//! [`ReadModels`]. What it writes with nearly every message gets a target in [`writes`]; all else is statements of its own.

pub mod cases;
pub mod contact_details;
pub mod contact_windows;
pub mod contacts;
pub mod installation;
pub mod labels;
pub mod lines;
pub mod media;
pub mod mentions;
pub mod messages;
pub mod open_cases;
pub mod outbox;
pub mod reports;
pub mod rows;
pub mod snoozes;
pub mod surveys;
pub mod thread;
pub mod unrouted;
pub mod users;
pub mod whatsapp_templates;
pub mod writes;

pub use self::writes::Writes;
use crate::log::recorded::Recorded;

/// A handler that builds one read model.
pub trait Projection: Default + Send {
    /// The read model's name, as `docket rebuild` takes it.
    const NAME: &'static str;
    /// Raised whenever the same events would give other rows; the rows in the database are then out of date.
    const VERSION: i32;
    /// The tables that it alone writes.
    const TABLES: &'static [&'static str];
    /// The read models whose tables it looks things up in; they are rebuilt with it.
    const READS: &'static [&'static str] = &[];

    /// What it writes with [`Writes::statement`]. sqlx does not check these statements; a test prepares each of them.
    const STATEMENTS: &'static [&'static str] = &[];

    /// Takes in one event, in the order of the log.
    fn apply(&mut self, recorded: &Recorded);

    /// Hands over what the events since the last call changed, and forgets it.
    fn write(&mut self, writes: &mut Writes);
}

macro_rules! read_models {
    ($($(#[$doc:meta])* $field:ident: $handler:ty),+ $(,)?) => {
        /// Every read model's handler.
        #[derive(Default)]
        pub struct ReadModels {
            /// The names of the only ones to be built; all of them where it is absent.
            only: Option<Vec<&'static str>>,
            $($(#[$doc])* pub $field: $handler,)+
        }

        impl ReadModels {
            /// Every read model's name, version and tables.
            pub const ALL: &'static [Description] = &[
                $(Description {
                    name: <$handler>::NAME,
                    version: <$handler>::VERSION,
                    tables: <$handler>::TABLES,
                    reads: <$handler>::READS,
                    statements: <$handler>::STATEMENTS,
                },)+
            ];

            /// Handlers of these read models alone.
            pub fn only(models: &[Description]) -> Self {
                Self { only: Some(models.iter().map(|model| model.name).collect()), ..Self::default() }
            }

            fn builds(&self, name: &'static str) -> bool {
                self.only.as_ref().is_none_or(|only| only.contains(&name))
            }

            /// Takes in one event, in the order of the log.
            pub fn apply(&mut self, recorded: &Recorded) {
                $(if self.builds(<$handler>::NAME) {
                    self.$field.apply(recorded);
                })+
            }

            /// Hands over what the events since the last call changed, and forgets it.
            pub fn write(&mut self, writes: &mut Writes) {
                $(self.$field.write(writes);)+
            }
        }
    };
}

/// A read model's name, version and tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Description {
    /// Its name.
    pub name: &'static str,
    /// Its version.
    pub version: i32,
    /// The tables that it alone writes.
    pub tables: &'static [&'static str],
    /// The read models whose tables it looks things up in.
    pub reads: &'static [&'static str],
    /// What it writes seldom, as [`Projection::STATEMENTS`].
    pub statements: &'static [&'static str],
}

read_models! {
    /// Surveys and their settings.
    surveys: surveys::SurveysHandler,
    /// Lines and their settings.
    lines: lines::LinesHandler,
    /// What is set for the whole installation.
    installation: installation::InstallationHandler,
    /// Users and tokens.
    users: users::UsersHandler,
    /// Contacts.
    contacts: contacts::ContactsHandler,
    /// What is recorded about contacts themselves.
    contact_details: contact_details::ContactDetailsHandler,
    /// Open cases of a contact.
    open_cases: open_cases::OpenCasesHandler,
    /// The list of cases.
    cases: cases::CasesHandler,
    /// Threads.
    thread: thread::ThreadHandler,
    /// Messages by id and by Vonage's id.
    messages: messages::MessagesHandler,
    /// Where people are mentioned.
    mentions: mentions::MentionsHandler,
    /// The files that messages carry.
    media: media::MediaHandler,
    /// What waits to be sent.
    outbox: outbox::OutboxHandler,
    /// What could not be routed.
    unrouted: unrouted::UnroutedHandler,
    /// What reports ask.
    reports: reports::ReportsHandler,
    /// Labels, and which cases have them.
    labels: labels::LabelsHandler,
    /// The cases that are put off.
    snoozes: snoozes::SnoozesHandler,
    /// `WhatsApp` templates.
    whatsapp_templates: whatsapp_templates::WhatsappTemplatesHandler,
    /// `WhatsApp`'s window, by contact and line.
    contact_windows: contact_windows::ContactWindowsHandler,
}
