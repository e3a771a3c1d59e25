//! The live cluster's content replaced by a snapshot's, in its place.
//!
//! All of it is made beside the live one, and one exchange of two names makes it live. The cluster
//! keeps its path, owner, mode and port, and the configuration that lies elsewhere.

use super::super::RollbackOrder;
use super::assemble::{Site, assemble};
use super::cluster::{Cluster, Place, read, read_bytes};
use super::configure::AUTO;
use super::copy::{CONTROL, is_log};
use super::detail::{Detail, Space};
use super::offline::{QUICK, control};
use super::outside::{Outside, expect_apart, retire};
use super::places::Terrain;
use super::rewrite::write;
use super::tools::{Tools, handed};
use super::{Postgres, ports, tools, verify};
use crate::domain::operation::Fault;
use crate::fs::tree::{Meta, below, names, open_nosymlink};
use crate::fs::{Doing, Progress, StorageError};
use crate::host::holders::{describe, holders, unit_of};
use crate::host::process::User;
use crate::store::{Aside, Item, Replacement, Swap, movable};
use rustix::fs::Mode;
use std::ffi::{CStr, CString, OsStr};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use uuid::Uuid;

/// Who uses the cluster: its server or, where none runs, whoever holds something of it.
pub(super) fn users(postgres: &Postgres) -> Result<Vec<String>, StorageError> {
    users_of(postgres, &Cluster::open(&postgres.settings.data)?)
}

fn users_of(postgres: &Postgres, cluster: &Cluster) -> Result<Vec<String>, StorageError> {
    if let Some(server) = server(postgres, cluster)? {
        return Ok(vec![server]);
    }
    let mut places = vec![cluster.path.clone()];
    // Of one that lies aside, links into the data directory lead to what is live now.
    let live = Terrain::of(&postgres.settings.data)?;
    for place in cluster.tablespaces()?.into_iter().map(|space| space.place) {
        if let Place::Outside(place) = place
            && let Place::Outside(place) = live.lies(place)?
        {
            places.push(place);
        }
    }
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

fn server(postgres: &Postgres, cluster: &Cluster) -> Result<Option<String>, StorageError> {
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

pub(super) fn rollback(
    postgres: &Postgres,
    order: &RollbackOrder<'_>,
    progress: &dyn Progress,
) -> Result<(), StorageError> {
    let (item, detail) = postgres.store.untouched::<Detail>(order.handle)?;
    let path = &postgres.settings.data;
    movable(path)?;
    let swap = Swap::open(&postgres.store, path, order.token)?;
    let (items, _) = postgres.store.items()?;
    let safety = items.into_iter().find(|item| item.manifest.id == order.token);
    let (item, detail, token) = (&item, &detail, order.token);
    swap.run(&Back { postgres, item, detail, token, safety, progress })
}

struct Back<'a> {
    postgres: &'a Postgres,
    item: &'a Item,
    detail: &'a Detail,
    token: Uuid,
    /// What was taken of the live cluster to be safe: it bears the token as its id.
    safety: Option<Item>,
    progress: &'a dyn Progress,
}

impl Replacement for Back<'_> {
    fn stage(&self, dir: &OwnedFd, name: &CStr) -> Result<(), StorageError> {
        let live = self.live()?;
        may_begin(&live, self.detail)?;
        expect_apart(&live)?;
        self.tools(&live)?;
        // Else all would be copied in vain.
        self.nothing_newer(&live)?;
        verify::as_stored(self.item)?;
        let doing = || doing(&live);
        let outside = Outside { live: &live, token: self.token };
        let space = |space: &Space| outside.spot(space);
        let log_inside = !matches!(live.log_place()?, Some(Place::Outside(_)));
        let site =
            Site { dir: dir.as_fd(), data: name, path: &live.path, log_inside, space: &space };
        let data = assemble(self.item, self.detail, &site, self.progress)?;
        outside.log(&data, self.detail)?;
        let staged = OsStr::from_bytes(name.to_bytes());
        outside.sync(&Cluster::open(&live.path.with_file_name(staged))?)?;
        keep_port(&live, &data, self.detail)?;
        let mode = Meta::of(&live.dir).doing(doing)?.mode;
        rustix::fs::fchmod(&data, Mode::from_raw_mode(mode & 0o7777)).doing(doing)
    }

    fn users(&self, at: &Path) -> Result<Vec<String>, StorageError> {
        users_of(self.postgres, &Cluster::open(at)?)
    }

    fn ready(&self) -> Result<(), StorageError> {
        self.nothing_newer(&self.live()?)?;
        self.progress.wanted()
    }

    fn judge(&self, old: &Aside<'_>) -> Result<(), StorageError> {
        let old = Cluster::open(old.path)?;
        self.nothing_newer(&old)?;
        self.expect_all(&old)
    }

    fn part_with(&self, new: &Aside<'_>, _kept: &CStr) -> Result<(), StorageError> {
        let live = self.live()?;
        let new = Cluster::open(new.path)?;
        Outside { live: &live, token: self.token }.part_with(&new, self.detail)
    }

    fn undo(&self) -> Result<(), StorageError> {
        let live = self.live()?;
        Outside { live: &live, token: self.token }.clear(self.detail)
    }

    fn carry(&self, old: &Aside<'_>, _new: &OwnedFd) -> Result<(), StorageError> {
        retire(old.path, &self.live()?)
    }
}

impl Back<'_> {
    fn live(&self) -> Result<Cluster, StorageError> {
        Cluster::open(&self.postgres.settings.data)
    }

    /// With which the new one is looked at before the old one goes.
    fn tools(&self, cluster: &Cluster) -> Result<Tools, StorageError> {
        let owner = User { uid: cluster.uid, gid: cluster.gid };
        Tools::find(&self.postgres.settings, cluster.major, owner)
    }

    /// That all of the new cluster is reached through it, the one that is live now, and nothing of
    /// it by way of the old one, which goes next.
    fn expect_all(&self, old: &Cluster) -> Result<(), StorageError> {
        let new = self.live()?;
        let lacks = |why: String| Err(StorageError::new(Fault::Permanent, doing(&new), why));
        new.expect_whole()?;
        let spaces = new.tablespaces()?;
        let oids: Vec<&str> = spaces.iter().map(|space| &*space.oid).collect();
        let wanted: Vec<&str> = self.detail.tablespaces.iter().map(|space| &*space.oid).collect();
        if oids != wanted {
            return lacks(format!("its tablespaces would be {oids:?}, they were {wanted:?}"));
        }
        let aside = Terrain::of(&old.path)?;
        for place in spaces.into_iter().map(|space| space.place).chain(new.log_place()?) {
            if let Place::Inside(_) = aside.lies(place.path(&new.path))? {
                return lacks(format!(
                    "what is in {} would go with the content of before: name it by its path in the \
                     data directory, not by a mount of it elsewhere",
                    place.path(&new.path).display()
                ));
            }
        }
        if !names(&new.wal()?).doing(|| doing(&new))?.iter().any(is_segment) {
            return lacks("it would have no write-ahead log".into());
        }
        let looked =
            self.tools(&new)?.spawn("pg_controldata", &["-D", &handed(&new.dir)], &new.dir, QUICK);
        control(looked, "reading the control file of the snapshot").map(drop)
    }

    /// Every start and stop of a server changes the control file.
    fn nothing_newer(&self, live: &Cluster) -> Result<(), StorageError> {
        let Some(safety) = &self.safety else { return Ok(()) };
        let doing = || format!("comparing {} with snapshot {}", live.path.display(), safety.seq);
        let stored = open_nosymlink(&safety.path.join("data"))?;
        let then = read_bytes(&stored, CONTROL).doing(doing)?;
        if then.is_some() && read_bytes(&live.dir, CONTROL).doing(doing)? == then {
            return Ok(());
        }
        let why = format!(
            "its server has run since snapshot {} was taken, which alone would hold what it wrote: \
             leave it stopped, then ask again",
            safety.seq
        );
        Err(StorageError::new(Fault::Busy, self::doing(live), why))
    }
}

fn is_segment(name: &CString) -> bool {
    name.as_bytes().len() == 24 && name.to_str().is_ok_and(is_log)
}

fn doing(live: &Cluster) -> String {
    format!("rolling {} back", live.path.display())
}

fn may_begin(live: &Cluster, detail: &Detail) -> Result<(), StorageError> {
    let refuse = |why: String| Err(StorageError::new(Fault::Permanent, doing(live), why));
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

/// Where the settings of the two name different ports, the live one's stays.
fn keep_port(
    live: &Cluster,
    data: &std::os::fd::OwnedFd,
    detail: &Detail,
) -> Result<(), StorageError> {
    let (now, then) = (ports::configured(&live.dir), ports::configured(data));
    let Some(port) = now.filter(|_| now != then) else { return Ok(()) };
    let auto = read(data, AUTO).doing(|| format!("reading {AUTO}"))?.unwrap_or_default();
    write(data, AUTO, format!("{auto}port = '{port}'\n").as_bytes(), detail)
}
