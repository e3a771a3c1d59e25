//! Opening: look before touching, set aside what is not whole, begin anew.

use super::ballast::Ballast;
use super::error::{CatalogueError, Result};
use super::{Catalogue, files, schema};
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// An open catalogue and how it was found.
#[derive(Debug)]
pub struct Opened {
    pub catalogue: Catalogue,
    pub state: Found,
}

#[derive(Debug)]
pub enum Found {
    /// There was none: a first start, or somebody moved it away.
    Fresh,
    Existing,
    /// There was one that could not be believed. It lies at `set_aside`, with its log under the
    /// same name and `-wal`; an empty one is open in its place.
    Damaged {
        set_aside: PathBuf,
        why: String,
    },
}

/// A process with the sqlite3 shell may hold it for a moment.
const TIMEOUT: Duration = Duration::from_secs(1);

/// Prepared statements kept; there are fewer.
const STATEMENTS: usize = 64;

/// The log is cut back to this after a large batch, in bytes.
const LOG_LIMIT: i64 = 8 << 20;

impl Catalogue {
    /// Opens the catalogue in `dir`, and makes what is missing: the directory, the file, the
    /// ballast. Damage is not an error but a [`Found`]. Never twice at once in one process: the
    /// look at the file would end the first one's lock, as POSIX has it.
    ///
    /// # Errors
    /// [`CatalogueError::Newer`], [`CatalogueError::InUse`] and [`CatalogueError::Open`] leave the
    /// file as it is: it may be whole.
    pub fn open(dir: &Path) -> Result<Opened> {
        files::prepare(dir)?;
        let path = dir.join(files::FILE);
        let mut ballast = Ballast::find(dir);
        let had_ballast = ballast.is_laid();
        let (conn, state) = match with_room(&mut ballast, || existing(&path)) {
            Ok(Some(conn)) => (conn, Found::Existing),
            Ok(None) => (with_room(&mut ballast, || begin(&path))?, Found::Fresh),
            Err(damage @ CatalogueError::Damaged { .. }) => {
                let set_aside = files::set_aside(&path)?;
                let conn = with_room(&mut ballast, || begin(&path))?;
                (conn, Found::Damaged { set_aside, why: damage.to_string() })
            }
            Err(error) => return Err(error),
        };
        files::sync(dir)?;
        if !had_ballast {
            // A disk that has no room for it must not keep the catalogue shut; `ballast_spent`
            // tells.
            let _ = ballast.restore();
        }
        Ok(Opened { catalogue: Catalogue { conn, path, ballast, broken: None }, state })
    }

    /// Sets this catalogue aside, for damage that showed only on reading, and opens an empty one.
    ///
    /// # Errors
    /// As [`Catalogue::open`].
    pub fn set_aside(mut self, why: &str) -> Result<Opened> {
        // Its log goes aside with it as it is.
        self.broken = Some(why.into());
        let path = self.path.clone();
        drop(self);
        let set_aside = files::set_aside(&path)?;
        let opened = Self::open(path.parent().unwrap_or(Path::new(".")))?;
        Ok(Opened { state: Found::Damaged { set_aside, why: why.into() }, ..opened })
    }
}

impl Drop for Catalogue {
    /// Leaves an empty log: the file alone is the whole catalogue. What fails here is in the log.
    fn drop(&mut self) {
        if self.broken.is_none() {
            let _ = super::backup::fold_log(&self.conn);
        }
    }
}

/// Tries once more with the ballast freed if it fails for want of room, and tells if that is what
/// it still lacks.
fn with_room<T>(ballast: &mut Ballast, act: impl Fn() -> Result<T>) -> Result<T> {
    use CatalogueError::{Damaged, Full, InUse, Migrate, Newer, Open};
    let mut result = act();
    match &result {
        Ok(_) | Err(Damaged { .. } | InUse { .. } | Newer { .. }) => return result,
        Err(_) if !ballast.no_room() => return result,
        Err(_) => {}
    }
    if ballast.release() {
        result = act();
    }
    result.map_err(|error| match error {
        Open { source, .. } | Migrate { source, .. } => Full { source },
        error => error,
    })
}

/// Opens what is there; `None` if nothing is.
fn existing(path: &Path) -> Result<Option<Connection>> {
    if !files::exists(path)? {
        return match files::has_log(path)? {
            true => Err(CatalogueError::damaged("file", "", "it is gone, but its log is there")),
            false => Ok(None),
        };
    }
    schema::check_head(path, files::head(path)?)?;
    let mut conn = connect(path)?;
    schema::check_version(&conn, path)?;
    super::backup::quick_check(&conn)?;
    schema::upgrade(&mut conn, path)?;
    schema::check_shape(&conn)?;
    Ok(Some(conn))
}

/// Makes an empty catalogue under another name and moves it into place, so that an empty or
/// half-made file under the real name is never our own doing.
fn begin(path: &Path) -> Result<Connection> {
    let stage = files::beside(path, ".new");
    files::clear(&stage)?;
    let made = files::private().create_new(true).open(&stage);
    made.map_err(CatalogueError::files("make", &stage))?;
    schema::create(&stage)?;
    files::sync(&stage)?;
    files::rename(&stage, path)?;
    connect(path)
}

/// A connection with all settings made. The locking mode comes before the first access: then the
/// index of the log lies in this process's memory and not in a mapped file, which on a full
/// copy-on-write file system would end the process by SIGBUS.
fn connect(path: &Path) -> Result<Connection> {
    let refuse = |error| CatalogueError::open(path, error);
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
        | OpenFlags::SQLITE_OPEN_NO_MUTEX
        | OpenFlags::SQLITE_OPEN_NOFOLLOW
        | OpenFlags::SQLITE_OPEN_EXRESCODE;
    // SQLite follows no link at all under NOFOLLOW, not even one above the file.
    let real = path.canonicalize().map_err(CatalogueError::files("find", path))?;
    let conn = Connection::open_with_flags(real, flags).map_err(refuse)?;
    settle(&conn).map_err(refuse)?;
    Ok(conn)
}

fn settle(conn: &Connection) -> rusqlite::Result<()> {
    // Closing leaves the log alone: what is not ours stays as it is, and on a full disk the next
    // start need not make a file.
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    conn.busy_timeout(TIMEOUT)?;
    conn.pragma_update(None, "locking_mode", "EXCLUSIVE")?;
    conn.pragma_update(None, "mmap_size", 0)?;
    conn.pragma_update(None, "temp_store", "MEMORY")?;
    conn.pragma_update(None, "cell_size_check", true)?;
    conn.pragma_update(None, "trusted_schema", false)?;
    conn.pragma_update(None, "foreign_keys", true)?;
    conn.pragma_update(None, "synchronous", "FULL")?;
    conn.pragma_update(None, "journal_size_limit", LOG_LIMIT)?;
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
    conn.set_prepared_statement_cache_capacity(STATEMENTS);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_setting_that_durability_rests_on_is_in_force() {
        let dir = tempfile::tempdir().unwrap();
        let opened = Catalogue::open(dir.path()).unwrap();
        let check = |pragma: &str, want: &str| {
            let found = opened.catalogue.conn.pragma_query_value(None, pragma, |row| {
                Ok(match row.get_ref(0)? {
                    rusqlite::types::ValueRef::Integer(number) => number.to_string(),
                    other => other.as_str()?.to_owned(),
                })
            });
            assert_eq!(found.unwrap(), want, "{pragma}");
        };
        check("journal_mode", "wal");
        check("locking_mode", "exclusive");
        check("synchronous", "2");
        check("foreign_keys", "1");
        check("trusted_schema", "0");
        check("cell_size_check", "1");
        check("auto_vacuum", "2");
        let mapped = opened.catalogue.conn.pragma_query_value(None, "mmap_size", |row| row.get(0));
        assert!(matches!(mapped, Ok(0) | Err(rusqlite::Error::QueryReturnedNoRows)), "{mapped:?}");
        assert!(!dir.path().join("catalogue.sqlite-shm").exists(), "nothing is mapped");
    }
}
