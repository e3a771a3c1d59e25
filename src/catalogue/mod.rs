//! The SQLite file with all that heptad knows: accounts, snapshots, what became of every slot,
//! every operation. Expendable: what cannot be read is set aside, never deleted, and the daemon
//! rebuilds from the manifests beside the snapshots.
//!
//! This room knows only the domain. It decides nothing: that an intent is recorded before its act
//! starts is the driver's work, that a recorded batch is whole and durable is done here. One
//! connection, used by one thread, and no other process opens the file while the daemon runs. It
//! must not lie on a network file system, whose locks cannot be trusted.

mod backup;
mod ballast;
mod error;
mod export;
mod field;
mod files;
mod held;
mod history;
mod load;
mod open;
mod record;
mod rows;
mod schema;
mod shapes;
mod told;
mod usage;
mod words;
mod write;

pub use ballast::BALLAST_BYTES;
pub use error::CatalogueError;
pub use export::export;
pub use files::FILE;
pub use history::{OperationFilter, Pruned};
pub use open::{Found, Opened};
pub use rows::Remark;
pub use rows::Tombstone;
pub use schema::VERSION;

use ballast::Ballast;
use rusqlite::Connection;
use std::path::{Path, PathBuf};

/// The open catalogue.
#[derive(Debug)]
pub struct Catalogue {
    conn: Connection,
    path: PathBuf,
    ballast: Ballast,
    /// Why nothing is written any more.
    broken: Option<String>,
}

impl Catalogue {
    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Why nothing is written until it is opened anew, if so.
    pub fn broken(&self) -> Option<&str> {
        self.broken.as_deref()
    }

    /// Whether the ballast has been freed, or could never be laid: the disk is nearly full.
    pub fn ballast_spent(&self) -> bool {
        !self.ballast.is_laid()
    }

    /// Frees the ballast now. False when there was none.
    pub fn release_ballast(&mut self) -> bool {
        self.ballast.release()
    }

    /// Lays the ballast again once twice its size is free. False while there is too little room.
    ///
    /// # Errors
    /// [`CatalogueError::Files`] when the file system refuses for another reason.
    pub fn restore_ballast(&mut self) -> Result<bool, CatalogueError> {
        self.ballast.restore()
    }
}

/// The number of the SQLite library that is linked, such as 3054001.
pub fn sqlite_version() -> i32 {
    rusqlite::version_number()
}
