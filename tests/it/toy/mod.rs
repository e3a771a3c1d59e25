//! The smallest complete backend, for whoever adds one: a directory, copied whole each time.
//!
//! It needs a folder like this one, a line in the registry, a line in the conformance suite and an
//! example. The store brings the rest: where a snapshot grows, its manifest, its listing, its end.
//! What it does not lend (rolling back, showing files) is refused for it.

mod harness;

pub use harness::OnToy;

use heptad::backend::{
    Backend, Capabilities, Object, RestoreOrder, Restored, TakeOrder, Territory,
};
use heptad::domain::operation::Fault;
use heptad::domain::snapshot::{Content, Handle};
use heptad::domain::survey::{Mark, Survey};
use heptad::domain::usage::{TotalUsage, Usage};
use heptad::fs::tree::{Copy, Flow, Kind, Share, Visitor, copy_tree, open_nosymlink, peek, walk};
use heptad::fs::{Doing, Progress, StorageError};
use heptad::store::identity::{self, Probe};
use heptad::store::manifest::write_mark;
use heptad::store::{self, Filled, Item, Seal, Store, Taking, Target, differing, remember};
use serde::{Deserialize, Serialize};
use std::collections::HashSet;
use std::ffi::CStr;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

/// Holds the copy, within a snapshot's directory.
const DATA: &str = "data";

#[derive(Debug)]
pub struct Toy {
    path: PathBuf,
    store: Store,
}

/// What it remembers of each snapshot.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Detail {
    entries: u64,
    bytes: u64,
    /// Of all entries: path, kind, mode, size, time.
    digest: u64,
}

impl Detail {
    fn measure(dir: &Path) -> Result<Self, StorageError> {
        let mut detail = Self { entries: 0, bytes: 0, digest: 0 };
        let mut digest = DefaultHasher::new();
        walk(&open_nosymlink(&dir.join(DATA))?, &mut |path, meta| {
            detail.entries += u64::from(!path.is_empty());
            let size = if meta.kind == Kind::File { meta.size } else { 0 };
            detail.bytes += size;
            (path, meta.kind.letter(), meta.mode, size, meta.mtime.to_string()).hash(&mut digest);
            Ok(())
        })?;
        Ok(Self { digest: digest.finish(), ..detail })
    }
}

impl Seal for Detail {
    fn matches(&self, dir: &Path) -> Result<bool, StorageError> {
        match Self::measure(dir) {
            Ok(found) => Ok(found == *self),
            Err(error) if error.fault == Fault::Absent => Ok(false),
            Err(error) => Err(error),
        }
    }

    fn content(&self) -> Content {
        let (entries, bytes) = (Some(self.entries), Some(self.bytes));
        Content { empty: self.entries == 0, entries, bytes }
    }
}

impl Toy {
    fn check(&self, item: &Item) -> Result<Content, StorageError> {
        let compare = || match (Detail::measure(&item.path), Detail::of(&item.manifest)) {
            (Ok(is), Some(was)) if is == was => Ok(is.content()),
            (Err(error), _) if error.fault != Fault::Absent => Err(differing(error)),
            _ => {
                let doing = format!("verifying {}", item.path.display());
                Err(StorageError::new(Fault::Identity, doing, "it is not what was stored"))
            }
        };
        remember(&item.path, compare())
    }

    fn stored(&self, item: &Item) -> Result<OwnedFd, StorageError> {
        self.store.part(item, DATA)
    }
}

fn copy(
    from: impl AsFd,
    (to, name): (BorrowedFd<'_>, &CStr),
    flow: Flow,
    progress: &dyn Progress,
    visitor: &mut dyn Visitor,
) -> Result<(), StorageError> {
    let exclude = &HashSet::new();
    let options =
        Copy { flow, exclude, cross_mounts: false, own_store: None, progress, total: None };
    copy_tree(from.as_fd(), to, name, &options, visitor).map(drop)
}

impl Backend for Toy {
    fn capabilities(&self) -> Capabilities {
        Capabilities::default()
    }

    fn pool(&self) -> String {
        "toy".into()
    }

    fn territory(&self) -> Territory {
        let store = Some(self.store.root().to_owned());
        Territory { key: "path", roots: vec![self.path.clone()], store, ..Territory::default() }
    }

    fn probe(&self) -> Result<Probe, StorageError> {
        identity::probe(&self.path)
    }

    fn take(&self, order: &TakeOrder<'_>, progress: &dyn Progress) -> Result<Object, StorageError> {
        let taking = Taking { store: &self.store, card: order.card, progress };
        let manifest = match order.source {
            None => taking.live(
                || identity::open(&self.path),
                |(live, _), growing| {
                    let to = (growing.dir.as_fd(), c"data");
                    copy(&live, to, Flow::IntoStore, progress, &mut ())?;
                    Filled::new(Detail::measure(&growing.path)?, vec!["copied".into()])
                },
            ),
            Some(source) => taking.kept(
                source,
                |item| self.check(item),
                |item, growing| {
                    let (from, to) = (self.stored(item)?, (growing.dir.as_fd(), c"data"));
                    copy(&from, to, Flow::WithinStore, progress, &mut Share)?;
                    Filled::new(Detail::measure(&growing.path)?, vec!["shared".into()])
                },
            ),
        }?;
        Ok(Object::of(&manifest))
    }

    fn list(&self) -> Result<Survey, StorageError> {
        store::list::<Detail>(&self.store, &self.path)
    }

    fn verify(&self, handle: &Handle, _progress: &dyn Progress) -> Result<Content, StorageError> {
        self.check(&self.store.whole(handle)?)
    }

    fn destroy(&self, handle: &Handle) -> Result<(), StorageError> {
        self.store.destroy(handle)
    }

    fn restore(
        &self,
        order: &RestoreOrder<'_>,
        progress: &dyn Progress,
    ) -> Result<Restored, StorageError> {
        order.is_plain()?;
        let item = self.store.whole(order.handle)?;
        let target = Target::open(&item, order.target)?;
        self.check(&item)?;
        let fill = || {
            let to = (target.dir.as_fd(), &*target.hidden);
            copy(&self.stored(&item)?, to, Flow::OutOfStore, progress, &mut ())?;
            progress.wanted()?;
            let made = peek(&target.dir, &target.hidden).doing(|| "looking at the copy".into())?;
            target.appear(&made.1)
        };
        let filled = fill();
        if filled.is_err() {
            let _ = target.clear();
        }
        filled.map(|_| Restored::at(order.target))
    }

    fn mark(&self, handle: &Handle, mark: &Mark) -> Result<(), StorageError> {
        write_mark(&self.store.whole(handle)?.path, mark)
    }

    fn usage(&self, handle: &Handle) -> Result<Usage, StorageError> {
        let item = self.store.whole(handle)?;
        Ok(store::blocks(self.stored(&item)?)?.usage())
    }

    fn occupied(&self) -> Result<Option<TotalUsage>, StorageError> {
        store::occupied(&self.store, || Ok(vec![open_nosymlink(&self.path)?]), &[])
    }
}
