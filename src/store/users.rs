//! Who uses what lies at a path, for the backends that replace it.

use crate::domain::operation::Fault;
use crate::fs::StorageError;
use crate::host::holders::{self, Whom};
use crate::host::kernel_users;
use std::io::{self, ErrorKind};
use std::path::Path;

/// A sentence for each user other than heptad itself, with what to stop.
///
/// # Errors
/// [`Fault::Permanent`] when not everybody can be seen: that is never "nobody".
pub fn users(root: &Path) -> Result<Vec<String>, StorageError> {
    users_among(root, Whom::All)
}

/// The same among those who are looked at.
pub fn users_among(root: &Path, whom: Whom) -> Result<Vec<String>, StorageError> {
    let look = || -> io::Result<Vec<String>> {
        let mut users = kernel_users::pins_among(root, whom)?;
        users.extend(holders::describe(&holders::holders_among(root, whom)?));
        Ok(users)
    };
    look().map_err(|error| {
        let doing = format!("looking who uses {}", root.display());
        match error.kind() {
            ErrorKind::PermissionDenied => {
                StorageError::new(Fault::Permanent, doing, error.to_string())
            }
            _ => StorageError::io(doing, &error),
        }
    })
}

/// # Errors
/// [`Fault::Busy`] with who uses it.
pub fn refuse_users(root: &Path) -> Result<(), StorageError> {
    let users = users(root)?;
    if users.is_empty() {
        return Ok(());
    }
    let doing = format!("replacing {}", root.display());
    Err(StorageError::new(Fault::Busy, doing, format!("it is in use: {}", users.join("; "))))
}
