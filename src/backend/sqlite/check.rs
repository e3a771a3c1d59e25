//! Letting SQLite check a copy, and measuring it.

use super::explain::{Explain, explain};
use super::protocol::{Answer, Check};
use crate::fs::StorageError;
use crate::host::process::plain;
use rusqlite::{Connection, ErrorCode};

/// Problems that are told; one is enough to refuse.
const PROBLEMS: usize = 3;
/// Characters of one that are repeated.
const LENGTH: usize = 200;

/// # Errors
/// [`Fault::Permanent`] when it is no sound database.
pub(super) fn check(copy: &Connection, how: Check) -> Result<Answer, StorageError> {
    let pages = |what: &str| -> rusqlite::Result<u64> {
        let count: i64 = copy.pragma_query_value(None, what, |row| row.get(0))?;
        Ok(count.unsigned_abs())
    };
    let measure = || -> rusqlite::Result<u64> {
        let used = pages("page_count")?.saturating_sub(pages("freelist_count")?);
        Ok(used.saturating_mul(pages("page_size")?))
    };
    let used_bytes = measure().explain(|| "measuring the copy".into())?;
    let notes = sound(copy, how)?.into_iter().collect();
    Ok(Answer { used_bytes, empty: is_empty(copy)?, notes })
}

/// Runs the check; a note if it could not be run to its end.
fn sound(copy: &Connection, how: Check) -> Result<Option<String>, StorageError> {
    let pragma = match how {
        Check::None => return Ok(Some("not checked, as configured".into())),
        Check::Quick => "quick_check",
        Check::Full => "integrity_check",
    };
    let doing = || format!("{pragma} of the copy");
    let problems = || -> rusqlite::Result<Vec<String>> {
        let mut statement = copy.prepare(&format!("PRAGMA {pragma}({PROBLEMS})"))?;
        let rows = statement.query_map([], |row| row.get::<_, String>(0))?;
        rows.collect()
    };
    match problems() {
        Ok(found) if found.iter().all(|line| line == "ok") => Ok(None),
        Ok(found) => {
            let found: Vec<String> = found.iter().map(|line| plain(line, LENGTH)).collect();
            Err(StorageError::damaged(doing(), found.join("; ")))
        }
        // A function or collation that only its own program knows.
        Err(error) if error.sqlite_error_code() == Some(ErrorCode::Unknown) => {
            let said = plain(&error.to_string(), LENGTH);
            Ok(Some(format!("{pragma} was not possible without its own program: {said}")))
        }
        Err(error) => Err(explain(doing(), &error)),
    }
}

/// Whether no table has a row.
fn is_empty(copy: &Connection) -> Result<bool, StorageError> {
    let look = || -> rusqlite::Result<bool> {
        let tables = "SELECT name FROM sqlite_schema WHERE type = 'table' AND rootpage > 0 \
                      AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'";
        let mut tables = copy.prepare(tables)?;
        let mut tables = tables.query([])?;
        while let Some(row) = tables.next()? {
            let name: String = row.get(0)?;
            let one = format!("SELECT 1 FROM \"{}\" LIMIT 1", name.replace('"', "\"\""));
            if copy.prepare(&one)?.exists([])? {
                return Ok(false);
            }
        }
        Ok(true)
    };
    match look() {
        // Not to be read without its own program: then it is not empty either.
        Err(error) if error.sqlite_error_code() == Some(ErrorCode::Unknown) => Ok(false),
        found => found.explain(|| "looking into the copy".into()),
    }
}
