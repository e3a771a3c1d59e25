//! What can go wrong with the catalogue, told so that the daemon knows what to do about it.

use crate::domain::name::ResourceName;
use crate::domain::snapshot::Seq;
use rusqlite::ErrorCode;
use std::path::{Path, PathBuf};

#[derive(Debug, thiserror::Error)]
pub enum CatalogueError {
    /// It cannot be opened now. Nothing was changed; it may well be whole.
    #[error("cannot open the catalogue {path}: {source}", path = path.display())]
    Open { path: PathBuf, source: rusqlite::Error },
    /// Another process has it open.
    #[error(
        "the catalogue {path} is in use by another process; end that one first (is it sqlite3?)",
        path = path.display()
    )]
    InUse { path: PathBuf },
    /// Written by a later heptad. Left as it is.
    #[error(
        "the catalogue {path} has version {found}, this heptad knows up to {known}; \
         install the newer heptad again, or move the file away to rebuild it from the snapshots",
        path = path.display()
    )]
    Newer { path: PathBuf, found: i64, known: i64 },
    /// Its content cannot be what heptad wrote.
    #[error("the catalogue is damaged: {}{why}", place(table, row))]
    Damaged { table: &'static str, row: String, why: String },
    /// The disk, or a quota, is full. Nothing of the batch was kept; later ones may succeed.
    #[error("the disk of the catalogue is full; delete a snapshot or make room: {source}")]
    Full { source: rusqlite::Error },
    /// A batch was not written.
    #[error("cannot write to the catalogue: {source}")]
    Write { source: rusqlite::Error },
    /// A write failed in a way that leaves open what is on the disk. Nothing is written any more
    /// until the catalogue is opened anew: a second fsync may report success for lost data.
    #[error("the catalogue takes no writes since one failed ({why}); restart heptad")]
    Broken { why: String },
    /// A batch was refused: it would give a used sequence number to another snapshot.
    #[error("snapshot {seq} of {resource} is in the catalogue under another id")]
    SeqReused { resource: ResourceName, seq: Seq },
    #[error("cannot read {what} from the catalogue: {source}")]
    Read { what: &'static str, source: rusqlite::Error },
    /// The change from one version to the next failed; the file is still the older version.
    #[error("cannot bring the catalogue from version {from} to {to}: {source}")]
    Migrate { from: i64, to: i64, source: rusqlite::Error },
    #[error("cannot back the catalogue up to {path}: {source}", path = path.display())]
    Backup { path: PathBuf, source: rusqlite::Error },
    /// The file system refused something beside the catalogue's own pages.
    #[error("cannot {doing} {path}: {source}", path = path.display())]
    Files { doing: &'static str, path: PathBuf, source: std::io::Error },
}

pub(super) type Result<T, E = CatalogueError> = std::result::Result<T, E>;

impl CatalogueError {
    pub(super) fn damaged(table: &'static str, row: &str, why: impl Into<String>) -> Self {
        Self::Damaged { table, row: row.into(), why: why.into() }
    }

    /// Whether it is what was to be written that cannot be, and not the catalogue that fails: all
    /// else can still be written.
    pub fn is_refusal(&self) -> bool {
        match self {
            Self::SeqReused { .. } => true,
            Self::Write { source: rusqlite::Error::ToSqlConversionFailure(_) } => true,
            Self::Write { source } => matches!(
                source.sqlite_error_code(),
                Some(ErrorCode::ConstraintViolation | ErrorCode::TooBig | ErrorCode::TypeMismatch)
            ),
            _ => false,
        }
    }

    pub(super) fn open(path: &Path, source: rusqlite::Error) -> Self {
        match source.sqlite_error_code() {
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
                Self::InUse { path: path.into() }
            }
            _ if is_damage(&source) => {
                Self::damaged("file", &path.display().to_string(), source.to_string())
            }
            _ => Self::Open { path: path.into(), source },
        }
    }

    pub(super) fn write(source: rusqlite::Error) -> Self {
        match source.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => Self::Full { source },
            _ if is_damage(&source) => Self::damaged("file", "", source.to_string()),
            _ => Self::Write { source },
        }
    }

    pub(super) fn read(what: &'static str) -> impl Fn(rusqlite::Error) -> Self {
        move |source| {
            if is_damage(&source) {
                Self::damaged(what, "", source.to_string())
            } else {
                Self::Read { what, source }
            }
        }
    }

    pub(super) fn files(
        doing: &'static str,
        path: &Path,
    ) -> impl Fn(std::io::Error) -> CatalogueError {
        move |source| Self::Files { doing, path: path.into(), source }
    }
}

/// `snapshots 7: `; nothing where it is the file as such.
fn place(table: &str, row: &str) -> String {
    match (table, row) {
        ("file", "") => String::new(),
        ("file", path) => format!("{path}: "),
        (table, "") => format!("{table}: "),
        (table, row) => format!("{table} {row}: "),
    }
}

/// SQLite's word for it, or a text that is none: SQLite itself never looks whether it is UTF-8.
fn is_damage(error: &rusqlite::Error) -> bool {
    if matches!(error, rusqlite::Error::Utf8Error(..)) {
        return true;
    }
    matches!(error.sqlite_error_code(), Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase))
}
