//! The files of a server that does not run.

use super::copy::{self, make_wal, open};
use super::ground::{self, Ground};
use super::source::Source;
use super::source::spaces;
use super::tools::{handed, run};
use super::wal;
use crate::domain::operation::Fault;
use crate::fs::{Doing, StorageError};
use crate::store::Growing;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::time::Duration;

pub(super) const QUICK: Duration = Duration::from_secs(60);

pub(super) fn copy(
    source: &Source<'_>,
    ground: &Ground,
    growing: &Growing<'_>,
) -> Result<Vec<String>, StorageError> {
    let cluster = &source.cluster;
    let before = cluster.control()?;
    spaces(source, growing)?;
    let how = match ground {
        Ground::Subvolume => {
            ground::snapshot(cluster, growing)?;
            "btrfs snapshot".to_owned()
        }
        Ground::Reflink | Ground::Plain => {
            copy::data(cluster, growing.dir.as_fd(), source.progress)?.how()
        }
    };
    if !cluster.tablespaces()?.is_empty() {
        let to = open(&growing.dir, "tablespaces").doing(|| "opening tablespaces".into())?;
        copy::tablespaces(cluster, to.as_fd(), source.progress)?;
    }
    let first = first_log(source, &cluster.dir)?;
    let to = make_wal(growing)?;
    wal::copy_from(cluster.wal()?.as_fd(), to.as_fd(), &first, source.progress)?;
    if cluster.postmaster()?.is_some() || cluster.control()? != before {
        let doing = format!("copying {}", cluster.path.display());
        let why = "the server was started meanwhile";
        return Err(StorageError::new(Fault::Transient, doing, why));
    }
    let mut notes = vec![format!("{how} of the stopped server")];
    if !before.is_stopped() {
        notes.push("the server was not shut down cleanly; a copy recovers when it starts".into());
    }
    Ok(notes)
}

/// The segment at which a start begins to read the log.
fn first_log(source: &Source<'_>, data: &Arc<OwnedFd>) -> Result<String, StorageError> {
    let doing = "reading the control file";
    let text =
        control(source.tools.spawn("pg_controldata", &["-D", &handed(data)], data, QUICK), doing)?;
    let first =
        text.lines().find_map(|line| line.strip_prefix("Latest checkpoint's REDO WAL file:"));
    let none = || StorageError::new(Fault::Permanent, doing, "it names no log file");
    first.map(|name| name.trim().to_owned()).ok_or_else(none)
}

/// What `pg_controldata` says of a control file that is sound.
pub(super) fn control(
    spawn: crate::host::process::Spawn,
    doing: &str,
) -> Result<String, StorageError> {
    let finished = run(&spawn, Fault::Permanent, doing)?;
    let text = finished.stdout.text();
    if text.contains("WARNING") {
        let why = finished.stdout.first_lines(2);
        return Err(StorageError::new(Fault::Permanent, doing, why));
    }
    Ok(text)
}
