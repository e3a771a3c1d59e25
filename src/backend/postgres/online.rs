//! The running server's files, in backup mode: whatever moment each of them was copied at, the log
//! between start and stop makes one state of them. Nothing is written to the live directory.

use super::copy::{self, LABEL, make_wal, open};
use super::ground::{self, Ground};
use super::session::{Session, Stopped};
use super::source::{Source, spaces};
use super::wal;
use crate::domain::operation::Fault;
use crate::fs::{Doing, StorageError};
use crate::store::Growing;
use std::os::fd::AsFd;

pub(super) fn copy(
    source: &Source<'_>,
    mut session: Session,
    ground: &Ground,
    growing: &Growing<'_>,
    label: &str,
) -> Result<Vec<String>, StorageError> {
    let cluster = &source.cluster;
    let before = cluster.tablespaces()?;
    spaces(source, growing)?;
    session.start(label)?;
    let how = match ground {
        Ground::Subvolume => {
            ground::snapshot(cluster, growing)?;
            "btrfs snapshot".to_owned()
        }
        Ground::Reflink | Ground::Plain => {
            copy::data(cluster, growing.dir.as_fd(), source.progress)?.how()
        }
    };
    if !before.is_empty() {
        let to = open(&growing.dir, "tablespaces").doing(|| "opening tablespaces".into())?;
        copy::tablespaces(cluster, to.as_fd(), source.progress)?;
    }
    let stopped = session.stop()?;
    // Its creation in the log would be done again at the place where it was created.
    if cluster.tablespaces()? != before {
        let why = "a tablespace was created or dropped meanwhile";
        return Err(StorageError::new(Fault::Transient, "copying the tablespaces", why));
    }
    log(source, &session, &stopped, growing)?;
    // The slot held the log until here.
    session.close();
    write(growing, LABEL, &stopped.label)?;
    if !stopped.map.is_empty() {
        write(growing, "tablespace_map", &stopped.map)?;
    }
    Ok(vec![format!("{how} in backup mode")])
}

fn log(
    source: &Source<'_>,
    session: &Session,
    stopped: &Stopped,
    growing: &Growing<'_>,
) -> Result<(), StorageError> {
    let first = wal::first(&stopped.label, session.facts.segment).ok_or_else(|| {
        let why = format!("it names no log file: {:?}", stopped.label);
        StorageError::new(Fault::Permanent, "reading the backup label", why)
    })?;
    let to = make_wal(growing)?;
    wal::copy_between(
        source.cluster.wal()?.as_fd(),
        to.as_fd(),
        first,
        stopped.lsn,
        source.progress,
    )
}

fn write(growing: &Growing<'_>, name: &str, text: &str) -> Result<(), StorageError> {
    let path = growing.path.join(name);
    std::fs::write(&path, text).doing(|| format!("writing {}", path.display()))
}
