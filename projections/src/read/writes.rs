//! What the handlers of read models hand over to be written.
//!
//! A handler does no I/O: it gives rows and statements. [`Rows`] are what messages, replies and deliveries bring. They are of
//! Postgres composite types, and one call of the function `write_read_models` writes those of all read models. A [`Statement`]
//! writes what seldom changes; its rows are a JSON array. Statements come first, in order, and see the tables without the rows.
//!
//! To add a target: a composite type and its statement in a migration, a struct by `row!` in the read model's file, and a line
//! in [`Rows`].

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::value::RawValue;
use sqlx::PgConnection;
use sqlx::types::Json;

use super::Projection;
use super::cases::handler::{CaseChange, CaseInbound, NewCase};
use super::contact_windows::ContactWindow;
use super::contacts::{ContactName, NewContact};
use super::messages::{NewMessage, NewSentId};
use super::open_cases::NewOpenCase;
use super::outbox::handler::{OutboxDeferral, OutboxEnd, OutboxQueuing, OutboxSending};
use super::reports::{NewReportCase, ReportCaseChange};
use super::thread::row::{DeliveryChange, NewThreadItem};

/// A row of a Postgres composite type.
pub(crate) trait CompositeRow {
    /// The type's name.
    const TYPE_NAME: &'static str;
    /// The type's fields, in order.
    const FIELDS: &'static [&'static str];

    /// Says which part of a batch the row belongs to.
    fn set_part(&mut self, part: i32);
}

/// Declares a row and its composite type: the type's first field is `part`, and all others have the names and the order given.
macro_rules! row {
    (
        $(#[$doc:meta])*
        pub(crate) struct $name:ident = $type_name:literal {
            $($(#[$field_doc:meta])* $field:ident: $type:ty,)+
        }
    ) => {
        $(#[$doc])*
        #[derive(Clone, Debug, Default, PartialEq)]
        pub(crate) struct $name {
            /// Which part of a batch the row belongs to, from 1; 0 until that is known.
            pub(crate) part: i32,
            $($(#[$field_doc])* pub(crate) $field: $type,)+
        }

        impl $crate::read::writes::CompositeRow for $name {
            const TYPE_NAME: &'static str = $type_name;
            const FIELDS: &'static [&'static str] = &["part", $(stringify!($field)),+];

            fn set_part(&mut self, part: i32) {
                self.part = part;
            }
        }

        impl sqlx::Type<sqlx::Postgres> for $name {
            fn type_info() -> sqlx::postgres::PgTypeInfo {
                sqlx::postgres::PgTypeInfo::with_name($type_name)
            }
        }

        impl sqlx::postgres::PgHasArrayType for $name {
            fn array_type_info() -> sqlx::postgres::PgTypeInfo {
                sqlx::postgres::PgTypeInfo::with_name(concat!("_", $type_name))
            }
        }

        impl sqlx::Encode<'_, sqlx::Postgres> for $name {
            fn encode_by_ref(
                &self,
                buffer: &mut sqlx::postgres::PgArgumentBuffer,
            ) -> Result<sqlx::encode::IsNull, sqlx::error::BoxDynError> {
                let mut encoder = sqlx::postgres::types::PgRecordEncoder::new(buffer);
                encoder.encode(self.part)?;
                $(encoder.encode(&self.$field)?;)+
                encoder.finish();
                Ok(sqlx::encode::IsNull::No)
            }
        }
    };
}
pub(crate) use row;

macro_rules! targets {
    ($($(#[$doc:meta])* $field:ident: $row:ty,)+) => {
        /// Rows for `write_read_models`, a field for each of its targets.
        #[derive(Clone, Debug, Default, PartialEq)]
        pub(crate) struct Rows {
            $($(#[$doc])* pub(crate) $field: Vec<$row>,)+
        }

        impl Rows {
            /// The fields, in order, each with its rows' type and that type's fields.
            const TARGETS: &'static [Target] = &[
                $(Target {
                    name: stringify!($field),
                    type_name: <$row>::TYPE_NAME,
                    fields: <$row>::FIELDS,
                },)+
            ];

            /// Whether there is nothing to write.
            pub(crate) fn is_empty(&self) -> bool {
                $(self.$field.is_empty())&&+
            }

            /// Takes in the rows of a part of a batch; parts are counted from 1.
            pub(crate) fn append(&mut self, mut other: Self, part: i32) {
                $(
                    for row in &mut other.$field {
                        row.set_part(part);
                    }
                    self.$field.append(&mut other.$field);
                )+
            }
        }

        impl sqlx::Encode<'_, sqlx::Postgres> for Rows {
            fn encode_by_ref(
                &self,
                buffer: &mut sqlx::postgres::PgArgumentBuffer,
            ) -> Result<sqlx::encode::IsNull, sqlx::error::BoxDynError> {
                let mut encoder = sqlx::postgres::types::PgRecordEncoder::new(buffer);
                $(encoder.encode(&self.$field)?;)+
                encoder.finish();
                Ok(sqlx::encode::IsNull::No)
            }
        }
    };
}

targets! {
    /// Contacts; one that is there stays.
    contacts: NewContact,
    /// Cases that began, with whose they are.
    cases: NewCase,
    /// What became of cases.
    case_changes: CaseChange,
    /// Inbound messages of which one is a case's last, where the time of recording decides.
    case_inbounds: CaseInbound,
    /// What people call themselves.
    contact_names: ContactName,
    /// Open cases of contacts, of cases that began.
    open_cases: NewOpenCase,
    /// How messages fare that stand in a thread.
    deliveries: DeliveryChange,
    /// Items of threads.
    thread_items: NewThreadItem,
    /// Messages; one that is there gets the cases besides.
    messages: NewMessage,
    /// What Vonage calls what we sent.
    sent_ids: NewSentId,
    /// Cases that began, for reports.
    report_cases: NewReportCase,
    /// Answers and closings of cases, for reports.
    report_changes: ReportCaseChange,
    /// Messages that are to be sent.
    outbox_queuings: OutboxQueuing,
    /// Messages whose call began.
    outbox_sendings: OutboxSending,
    /// Messages that were put off.
    outbox_deferrals: OutboxDeferral,
    /// Messages that need no more sending.
    outbox_ends: OutboxEnd,
    /// Contacts that wrote to `WhatsApp` lines.
    contact_windows: ContactWindow,
}

impl sqlx::Type<sqlx::Postgres> for Rows {
    fn type_info() -> sqlx::postgres::PgTypeInfo {
        sqlx::postgres::PgTypeInfo::with_name("read_model_rows")
    }
}

/// A target of `write_read_models`: a field of the type `read_model_rows`.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// The field.
    pub name: &'static str,
    /// The composite type of its rows.
    pub type_name: &'static str,
    /// That type's fields, in order.
    pub fields: &'static [&'static str],
}

/// A statement with its rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Statement {
    /// The statement. `$1` is `rows` as jsonb; `$2` is the time of recording of what does not know it.
    pub(crate) sql: &'static str,
    /// A JSON array.
    pub(crate) rows: String,
}

/// What read models have to write.
#[derive(Clone, Debug, Default)]
pub struct Writes {
    /// What nearly every message brings.
    pub(crate) rows: Rows,
    /// What seldom changes. It is written before the rows, in order.
    pub(crate) statements: Vec<Statement>,
}

impl Writes {
    /// Every target of the rows.
    pub const TARGETS: &'static [Target] = Rows::TARGETS;

    /// Whether there is nothing to write.
    pub fn is_empty(&self) -> bool {
        self.statements.is_empty() && self.rows.is_empty()
    }

    /// Takes in what a part of a batch writes; parts are counted from 1.
    pub fn append(&mut self, mut other: Self, part: i32) {
        self.statements.append(&mut other.statements);
        self.rows.append(other.rows, part);
    }

    /// Adds a statement of the read model `P`, unless it has no rows.
    ///
    /// # Panics
    ///
    /// In a debug build, where the read model does not name it among its [`Projection::STATEMENTS`].
    pub(crate) fn statement<P: Projection>(
        &mut self,
        sql: &'static str,
        rows: impl IntoIterator<Item = impl Serialize>,
    ) {
        debug_assert!(
            P::STATEMENTS.contains(&sql),
            "{} does not name {sql}",
            P::NAME
        );
        let rows: Vec<_> = rows.into_iter().collect();
        if !rows.is_empty() {
            self.statements.push(Statement {
                sql,
                rows: serde_json::to_string(&rows).expect("rows are plain values"),
            });
        }
    }

    /// Writes all of it; `recorded_at` is the time of recording of events that carry [`UNDATED`](crate::log::recorded::UNDATED).
    ///
    /// # Errors
    ///
    /// The database's error; all of it is then to be thrown away with the transaction.
    pub async fn run(
        self,
        conn: &mut PgConnection,
        recorded_at: DateTime<Utc>,
    ) -> Result<(), sqlx::Error> {
        self.run_parts(conn, None, recorded_at).await
    }

    /// The same with the rows of only those parts that were accepted, where that is said. Statements know nothing of parts: they are
    /// those of accepted parts alone.
    ///
    /// # Errors
    ///
    /// As [`Writes::run`].
    pub async fn run_parts(
        self,
        conn: &mut PgConnection,
        accepted: Option<&[bool]>,
        recorded_at: DateTime<Utc>,
    ) -> Result<(), sqlx::Error> {
        for statement in self.statements {
            let rows: Box<RawValue> = RawValue::from_string(statement.rows)
                .map_err(|error| sqlx::Error::Encode(error.into()))?;
            sqlx::query(statement.sql)
                .bind(Json(rows))
                .bind(recorded_at)
                .execute(&mut *conn)
                .await?;
        }
        if !self.rows.is_empty() {
            sqlx::query!(
                "SELECT write_read_models($1, $2, $3)",
                self.rows as _,
                accepted,
                recorded_at,
            )
            .execute(conn)
            .await?;
        }
        Ok(())
    }
}
