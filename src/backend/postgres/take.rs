//! Taking a snapshot: of the running server, of the stopped one's files, or of a snapshot.

use super::super::{Object, TakeOrder};
use super::cluster::{Cluster, Place, Postmaster, read};
use super::config::keep_outside;
use super::copy::TABLESPACE_MAP;
use super::detail::{Detail, Space, look, measure};
use super::ground::Ground;
use super::mains::Mains;
use super::session::Session;
use super::settings::Settings;
use super::tools::Tools;
use super::{Postgres, base, keep, offline, online};
use crate::domain::operation::Fault;
use crate::fs::growth::{Growth, allocated, telling};
use crate::fs::subvolume::Subvolume;
use crate::fs::{Asking, Doing, Progress, StorageError};
use crate::host::process::User;
use crate::store::{Filled, Growing, Taking, expect_store_apart};
use std::os::unix::fs::PermissionsExt;

/// Passable for the owner of the data, who is given this directory open; the one above is private.
pub const PASSABLE: u32 = 0o711;

/// What there is to take, found out before anything is made.
pub struct Source<'a> {
    pub settings: &'a Settings,
    pub cluster: Cluster,
    pub tools: Tools,
    /// Whether it is wanted still; how far it is tells the growth of the copy.
    pub progress: &'a dyn Progress,
    server: Option<(Postmaster, Session)>,
}

impl<'a> Source<'a> {
    fn find(settings: &'a Settings, progress: &'a dyn Progress) -> Result<Self, StorageError> {
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

pub fn take(
    postgres: &Postgres,
    order: &TakeOrder<'_>,
    progress: &dyn Progress,
) -> Result<Object, StorageError> {
    let (store, settings) = (&postgres.store, &postgres.settings);
    let taking = Taking { store, card: order.card, progress };
    let asking = Asking(progress);
    let manifest = match order.source {
        None => taking.live(
            || {
                // It would be copied into itself.
                expect_store_apart(store, &settings.data)?;
                Source::find(settings, &asking)
            },
            |source, growing| {
                open_to_owner(growing)?;
                let label = order.card.handle.id.simple().to_string();
                copy_telling(source, growing, &label, progress)
            },
        ),
        Some(source) => taking.kept(source, keep::expect_whole, |item, growing| {
            open_to_owner(growing)?;
            keep::keep(item, growing, progress)
        }),
    }?;
    Ok(Object::of(&manifest))
}

fn open_to_owner(growing: &Growing<'_>) -> Result<(), StorageError> {
    let mode = std::fs::Permissions::from_mode(PASSABLE);
    std::fs::set_permissions(&growing.path, mode)
        .doing(|| format!("opening {}", growing.path.display()))
}

/// Tells by the growth of the copy how far it is.
fn copy_telling(
    source: Source<'_>,
    growing: &Growing<'_>,
    label: &str,
    progress: &dyn Progress,
) -> Result<Filled, StorageError> {
    let mut from = vec![source.settings.data.clone()];
    let spaces = source.cluster.tablespaces()?.into_iter();
    from.extend(spaces.filter_map(|space| match space.place {
        Place::Outside(path) => Some(path),
        Place::Inside(_) => None,
    }));
    let whole = |over: &_| Some(from.iter().map(|path| allocated(path, over)).sum());
    let growth = Growth { now: &|over| allocated(&growing.path, over), whole: &whole };
    let copied = telling(progress, &growth, || copy_live(source, growing, label));
    // By now there is something to clear away: that a part went away says nothing else.
    copied.map_err(|error| match error.fault {
        Fault::Absent | Fault::Identity => StorageError { fault: Fault::Transient, ..error },
        _ => error,
    })
}

fn copy_live(
    mut source: Source<'_>,
    growing: &Growing<'_>,
    label: &str,
) -> Result<Filled, StorageError> {
    let ground = Ground::of(&source.cluster, growing)?;
    let spaces = source.cluster.tablespaces()?;
    let log = source.cluster.log_place()?.and_then(|place| place.inside().map(str::to_owned));
    let server = source.server.take();
    let said = match &server {
        Some((_, session)) => session.facts.config.clone(),
        None => Mains::of_stopped(&source.cluster, &source.tools)?,
    };
    let (config, remarks) = keep_outside(&source, &said, growing)?;
    let (port, mut notes) = match server {
        None => {
            let port = source.settings.port.unwrap_or(super::DEFAULT_PORT);
            (port, offline::copy(&source, &ground, growing)?)
        }
        Some((postmaster, session)) if session.facts.standby || ground == Ground::Plain => {
            (postmaster.port, base::copy(&source, session, &postmaster, growing)?)
        }
        Some((postmaster, session)) => {
            (postmaster.port, online::copy(&source, session, &ground, growing, label)?)
        }
    };
    notes.extend(remarks);
    let cluster = &source.cluster;
    let subvolume = Subvolume::open(&growing.dir, "data").doing(looking)?;
    let detail = Detail {
        major: cluster.major,
        system: cluster.control()?.system,
        uid: cluster.uid,
        gid: cluster.gid,
        port,
        tablespaces: spaces.into_iter().map(Space::from).collect(),
        log,
        config,
        subvolume: subvolume.map(|subvolume| subvolume.parent()),
        measure: measure(&growing.dir)?,
        look: look(&growing.dir).doing(looking)?,
    };
    Filled::new(detail, notes)
}

fn looking() -> String {
    "looking at the copy".into()
}
