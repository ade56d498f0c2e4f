//! Between rows and the domain's types, for every read model.

use std::fmt;

use docket_domain::channel::Channel;
use docket_domain::ids::Reference;

/// A stored value that no event can have given: the row is broken, or of another version. The message names table, column
/// and key, and never the value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{table}.{column} of row {key} holds what Docket never writes; rebuild the read model")]
pub struct RowError {
    /// The table.
    pub table: &'static str,
    /// The column.
    pub column: &'static str,
    /// The row's key.
    pub key: String,
}

/// A row that is being read, known by its table and key.
#[derive(Clone, Copy)]
pub(crate) struct Row<K> {
    /// The table.
    pub(crate) table: &'static str,
    /// The key.
    pub(crate) key: K,
}

impl<K: fmt::Display> Row<K> {
    /// The error that says that `column` cannot be read.
    pub(crate) fn broken(&self, column: &'static str) -> sqlx::Error {
        sqlx::Error::Decode(Box::new(RowError {
            table: self.table,
            column,
            key: self.key.to_string(),
        }))
    }

    /// The value, or the error that `column` lacks it.
    pub(crate) fn some<T>(&self, column: &'static str, value: Option<T>) -> Result<T, sqlx::Error> {
        value.ok_or_else(|| self.broken(column))
    }

    /// The value, or the error that `column` holds no such thing.
    pub(crate) fn read<T, E>(
        &self,
        column: &'static str,
        value: Result<T, E>,
    ) -> Result<T, sqlx::Error> {
        value.map_err(|_| self.broken(column))
    }

    /// A reference.
    pub(crate) fn reference(
        &self,
        column: &'static str,
        number: i32,
    ) -> Result<Reference, sqlx::Error> {
        self.some(column, Reference::from_i32(number))
    }

    /// References, in their order.
    pub(crate) fn references(
        &self,
        column: &'static str,
        numbers: &[i32],
    ) -> Result<Vec<Reference>, sqlx::Error> {
        numbers
            .iter()
            .map(|number| self.reference(column, *number))
            .collect()
    }

    /// A channel.
    pub(crate) fn channel(&self, column: &'static str, name: &str) -> Result<Channel, sqlx::Error> {
        self.some(column, Channel::from_name(name))
    }
}

/// One column of rows that are to be written, for `UNNEST`.
pub(crate) fn column<'a, R, T>(rows: &'a [R], value: impl Fn(&'a R) -> T) -> Vec<T> {
    rows.iter().map(value).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_broken_row_is_named_without_its_value() {
        let row = Row {
            table: "cases",
            key: 101,
        };
        let error = row.channel("channel", "447700900123").unwrap_err();
        assert_eq!(
            error.to_string(),
            "error occurred while decoding: cases.channel of row 101 holds what Docket never writes; \
             rebuild the read model"
        );
    }
}
