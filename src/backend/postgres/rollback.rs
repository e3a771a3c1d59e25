//! The live cluster's content replaced by a snapshot's, in its place.
//!
//! All of it is made beside the live one, durably, and one exchange of two names makes it live. The
//! cluster keeps its path, owner, mode and port, and the configuration that lies elsewhere.

use super::super::shelf::{Exchange, Item};
use super::super::subvolume::path_of;
use super::super::tree::{Meta, below};
use super::super::{BackendError, Doing, Progress, RollbackOrder};
use super::assemble::{Place, assemble};
use super::cluster::{Cluster, read};
use super::configure::{AUTO, write};
use super::copy::CONTROL;
use super::detail::{Detail, Space};
use super::outside::{Outside, retire};
use super::{Postgres, ports, tools};
use crate::domain::operation::Fault;
use crate::host::holders::{describe, holders, unit_of};
use rustix::fs::Mode;
use std::os::fd::AsFd;
use std::path::Path;

/// Who uses the cluster: its server or, where none runs, whoever holds something of it.
pub fn users(postgres: &Postgres) -> Result<Vec<String>, BackendError> {
    let cluster = Cluster::open(&postgres.settings.data)?;
    if let Some(server) = server(postgres, &cluster)? {
        return Ok(vec![server]);
    }
    let mut places = vec![cluster.path.clone()];
    places.extend(cluster.tablespaces()?.into_iter().map(|space| space.location));
    let mut users = Vec::new();
    for place in places {
        let doing = || format!("looking for whoever uses {}", place.display());
        match holders(&place) {
            // The place of a tablespace whose disk is away.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            found => users.extend(describe(&found.doing(doing)?)),
        }
    }
    Ok(users)
}

fn server(postgres: &Postgres, cluster: &Cluster) -> Result<Option<String>, BackendError> {
    let Some(postmaster) = cluster.postmaster()? else { return Ok(None) };
    let (path, major) = (&cluster.path, cluster.major);
    let debian = path.strip_prefix(format!("/var/lib/postgresql/{major}")).ok();
    let debian =
        debian.filter(|name| Path::new(&format!("/etc/postgresql/{major}")).join(name).is_dir());
    let stop = match (unit_of(postmaster.pid), debian) {
        (Some(unit), _) => format!("systemctl stop {unit}"),
        (None, Some(name)) => format!("pg_ctlcluster {major} {} stop", name.display()),
        (None, None) => tools::control(&postgres.settings, major, cluster.uid, path, "stop"),
    };
    Ok(Some(format!(
        "PostgreSQL {major} runs on {} (process {}, port {}); try: {stop}",
        path.display(),
        postmaster.pid,
        postmaster.port
    )))
}

pub fn rollback(
    postgres: &Postgres,
    order: &RollbackOrder<'_>,
    progress: &dyn Progress,
) -> Result<(), BackendError> {
    let (item, detail) = postgres.whole(order.handle)?;
    let path = &postgres.settings.data;
    let exchange = Exchange::open(path, order.token)?;
    if !exchange.is_done()? {
        let live = Cluster::open(path)?;
        may_begin(&exchange, &live, &detail)?;
        idle(postgres, &exchange)?;
        nothing_newer(postgres, order, &exchange, &live)?;
        let outside = Outside { live: &live, token: order.token };
        let clear = || exchange.clear().and_then(|()| outside.clear(&detail));
        clear()?;
        let made = stage(&exchange, &item, &detail, &outside, progress)
            .and_then(|()| idle(postgres, &exchange))
            .and_then(|()| nothing_newer(postgres, order, &exchange, &live))
            .and_then(|()| exchange.commit())
            .and_then(|()| still_idle(postgres, &exchange, &live));
        made.map_err(|error| exchange.give_up(error, clear))?;
    }
    retire(&exchange, path.parent().unwrap_or(path))?;
    exchange.clear()?;
    exchange.finish()
}

fn may_begin(exchange: &Exchange, live: &Cluster, detail: &Detail) -> Result<(), BackendError> {
    let refuse = |why: String| Err(BackendError::new(Fault::Permanent, exchange.doing(), why));
    exchange.must_be_movable(&live.path)?;
    if below(&live.dir, b"standby.signal").is_ok() {
        let why = "it is a standby, and would be one no longer: roll its primary back, and make \
                   the standby anew";
        return refuse(why.into());
    }
    if (live.major, live.uid) != (detail.major, detail.uid) {
        return refuse(format!(
            "it is version {} of uid {}, the snapshot is version {} of uid {}: make a new cluster \
             of the snapshot (heptactl create)",
            live.major, live.uid, detail.major, detail.uid
        ));
    }
    Ok(())
}

fn idle(postgres: &Postgres, exchange: &Exchange) -> Result<(), BackendError> {
    let users = users(postgres)?;
    if users.is_empty() {
        return Ok(());
    }
    Err(BackendError::new(Fault::Busy, exchange.doing(), users.join("; ")))
}

/// The snapshot that was taken of the live cluster to be safe bears the token as its id. Every start
/// and stop of a server changes the control file.
fn nothing_newer(
    postgres: &Postgres,
    order: &RollbackOrder<'_>,
    exchange: &Exchange,
    live: &Cluster,
) -> Result<(), BackendError> {
    let (items, _) = postgres.shelf.items()?;
    let Some(safety) = items.into_iter().find(|item| item.manifest.id == order.token) else {
        return Ok(());
    };
    let doing = || format!("comparing {} with snapshot {}", live.path.display(), safety.seq);
    let then = std::fs::read(safety.path.join("data").join(CONTROL)).doing(doing)?;
    if std::fs::read(path_of(&live.dir).join(CONTROL)).doing(doing)? == then {
        return Ok(());
    }
    let why = format!(
        "its server has run since snapshot {} was taken, which alone would hold what it wrote: \
         leave it stopped, then ask again",
        safety.seq
    );
    Err(BackendError::new(Fault::Busy, exchange.doing(), why))
}

/// Whoever was faster than the exchange and started a server on what was live gets that back.
fn still_idle(postgres: &Postgres, exchange: &Exchange, old: &Cluster) -> Result<(), BackendError> {
    match server(postgres, old)? {
        None => Ok(()),
        Some(server) => {
            exchange.swap()?;
            Err(BackendError::new(Fault::Busy, exchange.doing(), server))
        }
    }
}

fn stage(
    exchange: &Exchange,
    item: &Item,
    detail: &Detail,
    outside: &Outside<'_>,
    progress: &dyn Progress,
) -> Result<(), BackendError> {
    let doing = || exchange.doing();
    let live = outside.live;
    let space = |space: &Space| outside.spot(space);
    let place = Place { dir: exchange.dir.as_fd(), data: &exchange.hidden, space: &space };
    let data = assemble(item, detail, &place, progress)?;
    outside.log(&data, detail)?;
    for made in &detail.tablespaces {
        let spot = live.open_own(Path::new(&link_of(&data, &made.oid)?))?;
        rustix::fs::syncfs(&spot).doing(doing)?;
    }
    keep_port(live, &data, detail)?;
    let mode = Meta::of(&live.dir).doing(doing)?.mode;
    rustix::fs::fchmod(&data, Mode::from_raw_mode(mode & 0o7777)).doing(doing)
}

fn link_of(data: impl AsFd, oid: &str) -> Result<String, BackendError> {
    let link = format!("pg_tblspc/{oid}");
    let target = rustix::fs::readlinkat(data, &*link, Vec::new());
    Ok(target.doing(|| format!("reading {link}"))?.to_string_lossy().into_owned())
}

/// Where the settings of the two name different ports, the live one's stays.
fn keep_port(
    live: &Cluster,
    data: &std::os::fd::OwnedFd,
    detail: &Detail,
) -> Result<(), BackendError> {
    let (now, then) = (ports::configured(&live.dir), ports::configured(data));
    let Some(port) = now.filter(|_| now != then) else { return Ok(()) };
    let auto = read(data, AUTO).doing(|| format!("reading {AUTO}"))?.unwrap_or_default();
    write(data, AUTO, &format!("{auto}port = '{port}'\n"), detail)
}
