//! The versions of the schema, and the way from one to the next.

use super::error::{CatalogueError, Result};
use super::files;
use rusqlite::{Connection, TransactionBehavior};
use std::path::Path;

/// One file per version, in order; the first makes everything.
const STEPS: &[&str] = &[
    include_str!("1.sql"),
    include_str!("2.sql"),
    include_str!("3.sql"),
    include_str!("4.sql"),
    include_str!("5.sql"),
    include_str!("6.sql"),
    include_str!("7.sql"),
    include_str!("8.sql"),
    include_str!("9.sql"),
    include_str!("10.sql"),
    include_str!("11.sql"),
];

/// The version that this heptad writes and the newest that it reads.
pub const VERSION: i64 = STEPS.len() as i64;

/// "HEPT": tells our files from other SQLite databases.
const APPLICATION: i32 = 0x4845_5054;

/// The part of a SQLite file that tells what it is:
/// <https://sqlite.org/fileformat2.html#the_database_header>
const HEAD: usize = 100;
const MAGIC: &[u8; 16] = b"SQLite format 3\0";
const VERSION_AT: usize = 60;
const APPLICATION_AT: usize = 68;

/// Judges the file without opening it, so that one from a later heptad stays as it is.
pub(super) fn check_head(path: &Path, head: Option<[u8; HEAD]>) -> Result<()> {
    let damaged = |why: &str| Err(CatalogueError::damaged("file", "", why));
    let Some(head) = head else {
        return damaged("it is too short for a database");
    };
    if !head.starts_with(MAGIC) {
        return damaged("it is not a database");
    }
    if number_at(&head, APPLICATION_AT) != APPLICATION {
        return damaged("it is a database, but not heptad's");
    }
    known(path, number_at(&head, VERSION_AT).into())
}

fn number_at(head: &[u8; HEAD], at: usize) -> i32 {
    head[at..].first_chunk().map_or(0, |bytes| i32::from_be_bytes(*bytes))
}

/// The same with the log taken into account.
pub(super) fn check_version(conn: &Connection, path: &Path) -> Result<()> {
    let found = version(conn).map_err(|error| CatalogueError::open(path, error))?;
    known(path, found)
}

fn known(path: &Path, found: i64) -> Result<()> {
    match found {
        1..=VERSION => Ok(()),
        ..1 => Err(CatalogueError::damaged("file", "", format!("its version is {found}"))),
        _ => Err(CatalogueError::Newer { path: path.into(), found, known: VERSION }),
    }
}

fn version(conn: &Connection) -> rusqlite::Result<i64> {
    conn.pragma_query_value(None, "user_version", |row| row.get(0))
}

/// Makes an empty catalogue in an empty file.
pub(super) fn create(path: &Path) -> Result<()> {
    create_by(path, STEPS)
}

fn create_by(path: &Path, steps: &[&str]) -> Result<()> {
    let refuse = |error| CatalogueError::open(path, error);
    let mut conn = Connection::open(path).map_err(refuse)?;
    prepare(&conn).map_err(refuse)?;
    migrate(&mut conn, steps, 0)?;
    let mode =
        conn.pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get::<_, String>(0));
    mode.map_err(refuse)?;
    conn.close().map_err(|(_, error)| refuse(error))
}

fn prepare(conn: &Connection) -> rusqlite::Result<()> {
    // Without a memory-mapped index from the first switch to the log on.
    conn.pragma_update(None, "locking_mode", "EXCLUSIVE")?;
    conn.pragma_update(None, "synchronous", "FULL")?;
    conn.pragma_update(None, "auto_vacuum", "INCREMENTAL")?;
    conn.pragma_update(None, "application_id", APPLICATION)
}

/// Brings an older catalogue up to date, after copying it to `catalogue.sqlite.vN`.
pub(super) fn upgrade(conn: &mut Connection, path: &Path) -> Result<()> {
    upgrade_by(conn, path, STEPS)
}

fn upgrade_by(conn: &mut Connection, path: &Path, steps: &[&str]) -> Result<()> {
    let from = version(conn).map_err(|error| CatalogueError::open(path, error))?;
    if usize::try_from(from).is_ok_and(|from| from >= steps.len()) {
        return Ok(());
    }
    super::backup::copy(conn, &files::beside(path, &format!(".v{from}")))?;
    migrate(conn, steps, from)?;
    // The version must show in the file's head: an older heptad looks there first.
    super::backup::fold_log(conn)
}

/// Each step is one transaction, its version in it.
fn migrate(conn: &mut Connection, steps: &[&str], from: i64) -> Result<()> {
    for (step, to) in steps.iter().zip(1_i64..).filter(|(_, to)| *to > from) {
        let refuse = |source| CatalogueError::Migrate { from: to - 1, to, source };
        let transaction =
            conn.transaction_with_behavior(TransactionBehavior::Immediate).map_err(refuse)?;
        transaction.execute_batch(step).map_err(refuse)?;
        transaction.pragma_update(None, "user_version", to).map_err(refuse)?;
        transaction.commit().map_err(refuse)?;
    }
    Ok(())
}

/// Whether every table and index is there, word for word, and nothing acts by itself. Indexes,
/// views and tables that somebody added are no harm.
pub(super) fn check_shape(conn: &Connection) -> Result<()> {
    let refuse = CatalogueError::read("schema");
    let mut fresh = Connection::open_in_memory().map_err(&refuse)?;
    migrate(&mut fresh, STEPS, 0)?;
    let found = objects(conn).map_err(&refuse)?;
    let missing = objects(&fresh).map_err(&refuse)?.into_iter().find(|one| !found.contains(one));
    if let Some((name, _, _)) = missing {
        return Err(CatalogueError::damaged("schema", &name, "it is missing or was changed"));
    }
    match found.into_iter().find(|(_, kind, _)| kind == "trigger") {
        Some((name, _, _)) => Err(CatalogueError::damaged("schema", &name, "it is a trigger")),
        None => Ok(()),
    }
}

fn objects(conn: &Connection) -> rusqlite::Result<Vec<(String, String, Option<String>)>> {
    let mut statement = conn.prepare("SELECT name, type, sql FROM sqlite_schema")?;
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
    rows.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at_version_1(dir: &Path) -> (Connection, std::path::PathBuf) {
        let path = dir.join(files::FILE);
        create_by(&path, &STEPS[..1]).unwrap();
        let conn = Connection::open(&path).unwrap();
        conn.execute("UPDATE host SET next_operation = 7", []).unwrap();
        (conn, path)
    }

    #[test]
    fn an_upgrade_keeps_the_content_and_a_copy_of_the_older_version() {
        let dir = tempfile::tempdir().unwrap();
        let (mut conn, path) = at_version_1(dir.path());
        let steps =
            [STEPS[0], "ALTER TABLE host ADD COLUMN a TEXT;", "UPDATE host SET a = 'three';"];
        upgrade_by(&mut conn, &path, &steps).unwrap();
        let row = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?));
        let (next, a): (i64, String) =
            conn.query_row("SELECT next_operation, a FROM host", [], row).unwrap();
        assert_eq!((version(&conn).unwrap(), next, a.as_str()), (3, 7, "three"));
        let head = files::head::<HEAD>(&path).unwrap().unwrap();
        assert_eq!(number_at(&head, VERSION_AT), 3, "the version shows without the log");
        let copy = Connection::open(files::beside(&path, ".v1")).unwrap();
        let next: i64 =
            copy.query_row("SELECT next_operation FROM host", [], |r| r.get(0)).unwrap();
        assert_eq!((version(&copy).unwrap(), next), (1, 7));
    }

    #[test]
    fn a_step_that_fails_leaves_the_version_before_it() {
        let dir = tempfile::tempdir().unwrap();
        let (mut conn, path) = at_version_1(dir.path());
        let steps = [
            STEPS[0],
            "ALTER TABLE host ADD COLUMN a TEXT;",
            "ALTER TABLE host ADD COLUMN b TEXT; DELETE FROM no_such_table;",
        ];
        let error = upgrade_by(&mut conn, &path, &steps).unwrap_err();
        assert!(matches!(error, CatalogueError::Migrate { from: 2, to: 3, .. }), "{error}");
        assert_eq!(version(&conn).unwrap(), 2);
        assert!(conn.prepare("SELECT a FROM host").is_ok());
        assert!(conn.prepare("SELECT b FROM host").is_err());
    }
}
