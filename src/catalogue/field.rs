//! Checked access to one row: whatever does not hold what it must is damage, told with table, row
//! and column.

use super::error::{CatalogueError, Result};
use super::words::Word;
use jiff::{SignedDuration, Timestamp};
use rusqlite::Row;
use rusqlite::types::{FromSql, ValueRef};
use serde::de::DeserializeOwned;
use std::fmt::Display;
use std::str::FromStr;

/// A table and the columns that name a row of it.
pub(super) struct Table {
    pub name: &'static str,
    pub key: &'static [&'static str],
}

pub(super) struct Fields<'r> {
    row: &'r Row<'r>,
    table: &'static Table,
}

impl<'r> Fields<'r> {
    pub(super) fn new(row: &'r Row<'r>, table: &'static Table) -> Self {
        Self { row, table }
    }

    pub(super) fn get<T: FromSql>(&self, column: &str) -> Result<T> {
        self.row.get(column).map_err(|error| self.damaged(column, error))
    }

    pub(super) fn damaged(&self, column: &str, why: impl Display) -> CatalogueError {
        CatalogueError::damaged(self.table.name, &self.key(), format!("{column}: {why}"))
    }

    fn key(&self) -> String {
        let part = |column: &&str| match self.row.get_ref(*column) {
            Ok(ValueRef::Integer(number)) => number.to_string(),
            Ok(ValueRef::Text(text)) => String::from_utf8_lossy(text).into_owned(),
            _ => "?".into(),
        };
        self.table.key.iter().map(part).collect::<Vec<_>>().join("/")
    }

    fn need<T>(&self, column: &str, value: Option<T>) -> Result<T> {
        value.ok_or_else(|| self.damaged(column, "it is empty"))
    }

    pub(super) fn text(&self, column: &str) -> Result<String> {
        self.get(column)
    }

    /// A whole number that fits.
    pub(super) fn number<T: TryFrom<i64>>(&self, column: &str) -> Result<T> {
        self.need(column, self.maybe_number(column)?)
    }

    pub(super) fn maybe_number<T: TryFrom<i64>>(&self, column: &str) -> Result<Option<T>> {
        let Some(number) = self.get::<Option<i64>>(column)? else {
            return Ok(None);
        };
        match T::try_from(number) {
            Ok(number) => Ok(Some(number)),
            Err(_) => Err(self.damaged(column, format!("{number} is out of range"))),
        }
    }

    pub(super) fn maybe_nanos(&self, column: &str) -> Result<Option<SignedDuration>> {
        Ok(self.maybe_number(column)?.map(SignedDuration::from_nanos))
    }

    /// A text that `read` understands, where there is one.
    pub(super) fn maybe_read<T>(
        &self,
        column: &str,
        read: impl FnOnce(&str) -> std::result::Result<T, String>,
    ) -> Result<Option<T>> {
        let text: Option<String> = self.get(column)?;
        text.map(|text| read(&text)).transpose().map_err(|why| self.damaged(column, why))
    }

    /// A text that reads as a `T`.
    pub(super) fn parse<T: FromStr<Err: Display>>(&self, column: &str) -> Result<T> {
        self.need(column, self.maybe_parse(column)?)
    }

    pub(super) fn maybe_parse<T: FromStr<Err: Display>>(&self, column: &str) -> Result<Option<T>> {
        let text: Option<String> = self.get(column)?;
        text.map(|text| text.parse())
            .transpose()
            .map_err(|error: T::Err| self.damaged(column, error))
    }

    pub(super) fn instant(&self, column: &str) -> Result<Timestamp> {
        self.parse(column)
    }

    pub(super) fn word<T: Word>(&self, column: &str) -> Result<T> {
        self.need(column, self.maybe_word(column)?)
    }

    pub(super) fn maybe_word<T: Word>(&self, column: &str) -> Result<Option<T>> {
        let Some(word) = self.get::<Option<String>>(column)? else {
            return Ok(None);
        };
        self.known(column, &word, T::of(&word)).map(Some)
    }

    /// What a word was read as; a word that means nothing is damage.
    pub(super) fn known<T>(&self, column: &str, word: &str, value: Option<T>) -> Result<T> {
        let why = || format!("{word:?} is not known, or does not fit what stands beside it");
        value.ok_or_else(|| self.damaged(column, why()))
    }

    pub(super) fn maybe_json<T: DeserializeOwned>(&self, column: &str) -> Result<Option<T>> {
        let text = self.get::<Option<String>>(column)?;
        let parsed = text.map(|text| serde_json::from_str(&text)).transpose();
        parsed.map_err(|error| self.damaged(column, error))
    }

    pub(super) fn json<T: DeserializeOwned>(&self, column: &str) -> Result<T> {
        let text = self.text(column)?;
        serde_json::from_str(&text).map_err(|error| self.damaged(column, error))
    }
}

pub(super) fn nanos(length: SignedDuration) -> i64 {
    i64::try_from(length.as_nanos()).unwrap_or(i64::MAX)
}
