//! The read models: one file each, with its row, its handler and its queries.
//!
//! A handler sees events and nothing else, gathers what they change in memory, and writes it with a few set-based statements. The
//! rows that nearly every message brings are written for several of them at once, and together with the events (`combined`).
//! The ledger runs the handlers inside the transaction that appends the events; a rebuild runs the same handlers over the whole
//! log. Statements name tables without a schema: the connection's `search_path` says whether the live tables are meant or the
//! ones being rebuilt.
//!
//! To add a read model: a migration for its table in schema `docket_read`, a file here with a [`Projection`], and a line in
//! [`ReadModels`].

pub mod cases;
mod combined;
pub mod contacts;
pub mod installation;
pub mod lines;
pub mod messages;
pub mod open_cases;
pub mod outbox;
pub mod reports;
pub mod rows;
pub mod surveys;
pub mod thread;
pub mod unrouted;
pub mod users;

use sqlx::PgConnection;

use crate::log::append::Appended;
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

    /// The rows that it leaves to the statements that write for several read models at once; `()` for most.
    type Rows: Send;

    /// Takes in one event, in the order of the log.
    fn apply(&mut self, recorded: &Recorded);

    /// Writes what the events since the last flush changed, and forgets them. The rows that it gives back are still to be written.
    ///
    /// # Errors
    ///
    /// The database's error; the handler is then to be thrown away with the transaction.
    fn flush(
        &mut self,
        conn: &mut PgConnection,
    ) -> impl Future<Output = Result<Self::Rows, sqlx::Error>> + Send;
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
                $(Description { name: <$handler>::NAME, version: <$handler>::VERSION, tables: <$handler>::TABLES, reads: <$handler>::READS },)+
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

            /// Writes what the events since the last flush changed.
            ///
            /// # Errors
            ///
            /// The database's error; all of it is then to be thrown away with the transaction.
            pub async fn flush(&mut self, conn: &mut PgConnection) -> Result<(), sqlx::Error> {
                self.flush_with(conn, &[]).await?;
                Ok(())
            }

            /// Writes what the events since the last flush changed, and appends `events` to the log, in order. From here to the
            /// commit all other appends wait, so it is the last thing that a transaction does.
            ///
            /// # Errors
            ///
            /// The database's error; a violation of `events_pkey` means that somebody else wrote to one of the streams.
            pub(crate) async fn flush_with(
                &mut self,
                conn: &mut PgConnection,
                events: &[Recorded],
            ) -> Result<Option<Appended>, sqlx::Error> {
                let rows = Rows {
                    $($field: self.$field.flush(conn).await?,)+
                };
                combined::write(conn, &rows, events).await
            }
        }

        /// What the handlers have left to be written together.
        struct Rows {
            $($field: <$handler as Projection>::Rows,)+
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
    /// Open cases of a contact.
    open_cases: open_cases::OpenCasesHandler,
    /// The list of cases.
    cases: cases::CasesHandler,
    /// Threads.
    thread: thread::ThreadHandler,
    /// Messages by id and by Vonage's id.
    messages: messages::MessagesHandler,
    /// What waits to be sent.
    outbox: outbox::OutboxHandler,
    /// What could not be routed.
    unrouted: unrouted::UnroutedHandler,
    /// What reports ask.
    reports: reports::ReportsHandler,
}
