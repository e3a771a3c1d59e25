//! What there is to take, found out before anything is made.

use super::cluster::{Cluster, Postmaster, read};
use super::copy::TABLESPACE_MAP;
use super::session::Session;
use super::settings::Settings;
use super::tools::Tools;
use crate::domain::operation::Fault;
use crate::fs::Doing;
use crate::fs::{Progress, StorageError};
use crate::host::process::User;
use crate::store::Growing;
use std::os::unix::fs::DirBuilderExt;

/// What there is to take, found out before anything is made.
pub(super) struct Source<'a> {
    pub settings: &'a Settings,
    pub cluster: Cluster,
    pub tools: Tools,
    /// Whether it is wanted still; how far it is tells the growth of the copy.
    pub progress: &'a dyn Progress,
    /// The server, if it runs.
    pub server: Option<(Postmaster, Session)>,
}

impl<'a> Source<'a> {
    pub(super) fn find(
        settings: &'a Settings,
        progress: &'a dyn Progress,
    ) -> Result<Self, StorageError> {
        let cluster = Cluster::open(&settings.data)?;
        let owner = User { uid: cluster.uid, gid: cluster.gid };
        let tools = Tools::find(settings, cluster.major, owner)?;
        cluster.expect_whole()?;
        let server = match cluster.postmaster()? {
            Some(postmaster) => {
                let session = Session::connect(settings, &cluster, &postmaster, &tools)?;
                session.facts.expect_log(&cluster.path)?;
                Some((postmaster, session))
            }
            None => {
                expect_started(&cluster)?;
                // Before its tools see a damaged one, which say less of it.
                cluster.control()?;
                None
            }
        };
        Ok(Self { settings, cluster, tools, progress, server })
    }
}

/// A copy that was never started may still lack the links to its tablespaces: a server makes them
/// from this file when it starts, and only then is it known what belongs to it.
fn expect_started(cluster: &Cluster) -> Result<(), StorageError> {
    let doing = || format!("looking at {}", cluster.path.display());
    if read(&cluster.dir, TABLESPACE_MAP).doing(doing)?.is_none() {
        return Ok(());
    }
    let why = format!(
        "it was restored from a backup and not started since ({TABLESPACE_MAP} is there): start its \
         server once"
    );
    Err(StorageError::new(Fault::Permanent, doing(), why))
}

/// One empty directory for each tablespace, the owner's.
pub(super) fn spaces(source: &Source<'_>, growing: &Growing<'_>) -> Result<(), StorageError> {
    let spaces = source.cluster.tablespaces()?;
    if spaces.is_empty() {
        return Ok(());
    }
    let above = growing.path.join("tablespaces");
    let below = spaces.iter().map(|space| above.join(&space.oid));
    for path in std::iter::once(above.clone()).chain(below) {
        let made = std::fs::DirBuilder::new().mode(0o700).create(&path);
        made.and_then(|()| source.tools.give(&path))
            .doing(|| format!("making {}", path.display()))?;
    }
    Ok(())
}
