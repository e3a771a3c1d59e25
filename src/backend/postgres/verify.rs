//! Seeing that a snapshot is as it was stored, and that PostgreSQL finds it sound.

use super::copy::{BACKUP_MANIFEST, open};
use super::detail::{Detail, measure};
use super::offline::control;
use super::tools::{Tools, handed, run_while};
use super::{Postgres, prove};
use crate::domain::operation::Fault;
use crate::domain::snapshot::Content;
use crate::fs::{Doing, Progress, StorageError};
use crate::host::process::User;
use crate::store::{Item, Seal, differing, remember};
use std::sync::Arc;
use std::time::Duration;

const QUICK: Duration = Duration::from_secs(60);
/// Every byte is read again.
const CHECKSUMS: Duration = Duration::from_secs(24 * 3600);

pub(super) fn verify(
    postgres: &Postgres,
    item: &Item,
    progress: &dyn Progress,
) -> Result<Content, StorageError> {
    let detail = as_stored(item)?;
    let owner = User { uid: detail.uid, gid: detail.gid };
    let tools = Tools::find(&postgres.settings, detail.major, owner)?;
    let sound = check(item, &tools, progress).and_then(|()| {
        if prove::is_due(postgres, item)? {
            prove::prove(postgres, item, &detail, (&tools, progress))
        } else {
            Ok(())
        }
    });
    remember(&item.path, sound).map(|()| detail.content())
}

/// That every file has the size and time that it had: what was changed meanwhile is not what was
/// asked for.
pub(super) fn as_stored(item: &Item) -> Result<Detail, StorageError> {
    let doing = || format!("verifying {}", item.path.display());
    let dir = std::fs::File::open(&item.path).doing(doing)?.into();
    let is = measure(&dir);
    match Detail::of(&item.manifest).filter(|was| is.is_ok_and(|is| was.measure.is_of(&is))) {
        Some(detail) => Ok(detail),
        None => {
            let why = "it is not what its manifest says";
            remember(&item.path, Err(StorageError::new(Fault::Identity, doing(), why)))
        }
    }
}

/// What PostgreSQL's own programs say. [`Fault::Identity`] here means: the content is bad.
fn check(item: &Item, tools: &Tools, progress: &dyn Progress) -> Result<(), StorageError> {
    let doing = format!("verifying {}", item.path.display());
    let data = std::fs::File::open(&item.path).and_then(|dir| Ok(open(&dir, "data")?));
    let data = Arc::new(data.doing(|| doing.clone())?);
    control(tools.spawn("pg_controldata", &["-D", &handed(&data)], &data, QUICK), &doing)
        .map_err(differing)?;
    // Beside a log of its own lies no copy of pg_basebackup's: sums in it are of another copy.
    let copied = !item.path.join("wal").exists();
    if copied && item.path.join("data").join(BACKUP_MANIFEST).exists() {
        let spawn = tools.spawn("pg_verifybackup", &["-q", "-e", &handed(&data)], &data, CHECKSUMS);
        run_while(&spawn, Fault::Identity, &doing, progress)?;
    }
    Ok(())
}
