//! A copy through the replication protocol, where no blocks can be shared, and of a standby.

use super::cluster::Postmaster;
use super::copy::open;
use super::session::{Session, address};
use super::source::{Source, spaces};
use super::tools::{handed, run_while};
use crate::domain::operation::Fault;
use crate::fs::{Doing, StorageError};
use crate::store::Growing;
use rustix::fs::AtFlags;
use std::os::unix::fs::DirBuilderExt;
use std::sync::Arc;
use std::time::Duration;

/// A terabyte at 50 MB/s takes six hours.
const DEADLINE: Duration = Duration::from_secs(24 * 3600);

pub(super) fn copy(
    source: &Source<'_>,
    session: Session,
    postmaster: &Postmaster,
    growing: &Growing<'_>,
) -> Result<Vec<String>, StorageError> {
    let cluster = &source.cluster;
    let facts = session.facts.clone();
    session.close();
    facts.expect_senders(&cluster.path)?;
    spaces(source, growing)?;
    let path = growing.path.join("data");
    let doing = || format!("making {}", path.display());
    std::fs::DirBuilder::new().mode(0o700).create(&path).doing(doing)?;
    source.tools.give(&path).doing(doing)?;
    let data = open(&growing.dir, "data").doing(doing)?;

    let mut args = address(source.settings, postmaster)?;
    // What it writes becomes durable with all else, at the commit.
    // Of the snapshot's directory: a path with ".." in it is tidied, and leads elsewhere.
    let place = Arc::new(growing.dir.try_clone().doing(doing)?);
    let place_path = handed(&place);
    let own = format!("{place_path}/data");
    let fixed = ["-D", &own, "-X", "stream", "-c", "fast", "--no-sync", "-l", "heptad"];
    args.extend(fixed.map(String::from));
    if !facts.slot_free {
        // The log is streamed from the start on; without a slot it may be gone, which is an error.
        args.push("--no-slot".into());
    }
    let before = cluster.tablespaces()?;
    for space in &before {
        if !space.location.is_absolute() {
            let why = format!(
                "the link to tablespace {} is relative, and PostgreSQL knows only absolute ones: make it \
                 one to {}, with ln -sfn",
                space.oid,
                space.place.path(&cluster.path).display()
            );
            let doing = format!("copying the server of {}", cluster.path.display());
            return Err(StorageError::new(Fault::Permanent, doing, why));
        }
        let old = space.location.display().to_string().replace('=', "\\=");
        args.push(format!("--tablespace-mapping={old}={place_path}/tablespaces/{}", space.oid));
    }
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let mut spawn = source.tools.spawn("pg_basebackup", &args, &place, DEADLINE);
    // It has a process of its own for the log, which would hold slot and backup mode for ever.
    spawn.guarded = true;
    let doing = format!("copying the server of {}", cluster.path.display());
    run_while(&spawn, Fault::Transient, &doing, source.progress)
        .map_err(|error| refused(error, &facts.role))?;
    if cluster.tablespaces()? != before {
        let why = "a tablespace was created or dropped meanwhile";
        return Err(StorageError::new(Fault::Transient, doing, why));
    }
    for space in &before {
        let link = format!("pg_tblspc/{}", space.oid);
        let doing = || format!("linking {link}");
        rustix::fs::unlinkat(&data, &*link, AtFlags::empty()).doing(doing)?;
        rustix::fs::symlinkat(format!("../../tablespaces/{}", space.oid), &data, &*link)
            .doing(doing)?;
    }
    Ok(vec!["copied by pg_basebackup, every byte".into()])
}

/// The name of that file is the same in every language.
fn refused(error: StorageError, role: &str) -> StorageError {
    if !error.detail.contains("pg_hba.conf") {
        return error;
    }
    let detail = format!(
        "{}; put \"local replication {role} peer\" into pg_hba.conf and reload the server",
        error.detail
    );
    StorageError { fault: Fault::Permanent, detail, ..error }
}
