//! The helper process: opens directories, becomes who it shall be, and only then parses.

use super::explain::Explain;
use super::protocol::{Act, Answer, Order, Reply};
use super::{check, copy, denied, locks, open};
use crate::domain::operation::Fault;
use crate::fs::tree::open_nosymlink;
use crate::fs::{Doing, StorageError};
use crate::host::helper::Call;
use crate::host::privileges::become_user;
use crate::host::process::User;
use std::io::Read;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::time::Duration;

/// Bytes of an order; two paths are the most of it.
const ORDER: u64 = 64 * 1024;

/// Does what standard input says and tells the outcome on standard output. Returns the exit code:
/// 0, or 1 when there is no outcome to tell.
pub(crate) fn serve(call: Call<'_>) -> u8 {
    let Call { input, out, err, .. } = call;
    let told = move || -> std::io::Result<()> {
        let mut text = Vec::new();
        input.take(ORDER).read_to_end(&mut text)?;
        let reply: Reply = obey(&serde_json::from_slice(&text)?).map_err(Into::into);
        serde_json::to_writer(&mut *out, &reply)?;
        out.flush()
    };
    match told() {
        Ok(()) => 0,
        Err(error) => {
            let _ = writeln!(err, "this is not for people, and it had no proper order: {error}");
            1
        }
    }
}

fn obey(order: &Order) -> Result<Answer, StorageError> {
    let user = order.user.map(|(uid, gid)| User { uid, gid });
    match &order.act {
        Act::Copy { path, into, hold_ms } => {
            let (parent, name) = parts(path)?;
            let (from, into) = (open_nosymlink(parent)?, open_nosymlink(into)?);
            become_other(user, path)?;
            let live = open::inside(from.as_fd(), name);
            let hold = Duration::from_millis(*hold_ms);
            locks::expect_log_here(from.as_fd(), name, path)?;
            let note = copy::copy(&live, path, into.as_fd(), hold)
                .map_err(|error| denied::explain(error, from.as_fd(), name, path))?;
            locks::expect_log_here(from.as_fd(), name, path)?;
            finish(&into, order, path, note)
        }
        Act::Settle { path } => {
            let (parent, name) = parts(path)?;
            let from = open_nosymlink(parent)?;
            become_other(user, path)?;
            open::settle(&open::inside(from.as_fd(), name))
                .explain(|| format!("settling database {}", path.display()))?;
            Ok(Answer::default())
        }
        Act::Check { dir } => {
            let held = open_nosymlink(dir)?;
            become_other(user, dir)?;
            let doing = || format!("opening the copy in {}", dir.display());
            check::check(&open::stored(held.as_fd()).explain(doing)?, order.check)
        }
    }
}

/// A file's directory and its name.
fn parts(path: &Path) -> Result<(&Path, &std::ffi::OsStr), StorageError> {
    path.parent().zip(path.file_name()).ok_or_else(|| {
        let doing = format!("opening {}", path.display());
        StorageError::new(Fault::Permanent, doing, "it is not the path of a file")
    })
}

/// Makes the copy stand by itself and checks it.
fn finish(
    into: &OwnedFd,
    order: &Order,
    path: &Path,
    note: String,
) -> Result<Answer, StorageError> {
    let doing = || format!("completing the copy of {}", path.display());
    let copy = open::filled(into.as_fd()).explain(doing)?;
    let mut answer = check::check(&copy, order.check).map_err(|error| StorageError {
        doing: format!("{} of {}", error.doing, path.display()),
        ..error
    })?;
    copy.close().map_err(|(_, error)| error).explain(doing)?;
    answer.notes.insert(0, note);
    Ok(answer)
}

fn become_other(user: Option<User>, path: &Path) -> Result<(), StorageError> {
    let doing = || format!("becoming the owner of {}", path.display());
    if let Some(user) = user {
        let became = become_user(user);
        became.map_err(|error| StorageError::new(Fault::Permanent, doing(), error.to_string()))?;
    }
    // What SQLite creates is for its owner alone.
    nix::sys::stat::umask(nix::sys::stat::Mode::from_bits_truncate(0o077));
    std::env::set_current_dir("/").doing(doing)
}
