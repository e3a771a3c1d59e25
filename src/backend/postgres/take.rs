//! Taking a snapshot: of the running server, of the stopped one's files, or of a snapshot.

use super::super::{Object, TakeOrder};
use super::cluster::Place;
use super::config::keep_outside;
use super::copy::PASSABLE;
use super::detail::{Detail, Space, look, measure};
use super::ground::Ground;
use super::mains::Mains;
use super::source::Source;
use super::{Postgres, base, keep, offline, online};
use crate::domain::operation::Fault;
use crate::fs::growth::{Growth, allocated, telling};
use crate::fs::subvolume::Subvolume;
use crate::fs::{Asking, Doing, Progress, StorageError};
use crate::store::{Filled, Growing, Taking, expect_store_apart};
use std::os::unix::fs::PermissionsExt;

pub(super) fn take(
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
