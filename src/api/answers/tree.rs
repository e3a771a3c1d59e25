//! Files inside snapshots: from what the service read to the words on the wire.

use crate::api::wire::{self, escape};
use crate::domain::tree::{
    Aspect, Change, Difference, Differences, Entry, Kind, Listing, Stamp, TreePath,
};
use jiff::Timestamp;

pub(crate) fn listing(
    snapshot: String,
    resource: String,
    path: &TreePath,
    of: &Listing,
) -> wire::Listing {
    let last = of.entries.last().filter(|_| of.more);
    wire::Listing {
        snapshot,
        resource,
        path: escape(path.as_bytes()),
        entry: entry(&of.top),
        entries: of.entries.iter().map(entry).collect(),
        next: last.map(|last| escape(&last.name)),
    }
}

pub(crate) fn differences(
    from: String,
    to: String,
    path: &TreePath,
    of: &Differences,
) -> wire::Differences {
    wire::Differences {
        from,
        to,
        path: escape(path.as_bytes()),
        differences: of.found.iter().map(difference).collect(),
        next: of.resume.as_ref().map(|last| escape(last.as_bytes())),
    }
}

fn entry(entry: &Entry) -> wire::Entry {
    wire::Entry {
        name: escape(&entry.name),
        kind: kind(entry.kind),
        size: entry.size,
        mtime: timestamp(entry.mtime),
        mode: format!("{:04o}", entry.mode),
        uid: entry.uid,
        gid: entry.gid,
        target: entry.target.as_deref().map(escape),
    }
}

fn timestamp(stamp: Stamp) -> Timestamp {
    let nanos = i32::try_from(stamp.nanos).unwrap_or(0);
    let beyond = if stamp.secs < 0 { Timestamp::MIN } else { Timestamp::MAX };
    Timestamp::new(stamp.secs, nanos).unwrap_or(beyond)
}

fn kind(kind: Kind) -> wire::EntryKind {
    match kind {
        Kind::Directory => wire::EntryKind::Directory,
        Kind::File => wire::EntryKind::File,
        Kind::Link => wire::EntryKind::Link,
        Kind::Fifo => wire::EntryKind::Fifo,
        Kind::Socket => wire::EntryKind::Socket,
        Kind::Block => wire::EntryKind::BlockDevice,
        Kind::Char => wire::EntryKind::CharDevice,
    }
}

fn difference(of: &Difference) -> wire::Difference {
    let (change, aspects) = match &of.change {
        Change::Added => (wire::Change::Added, Vec::new()),
        Change::Removed => (wire::Change::Removed, Vec::new()),
        Change::Changed(all) => (wire::Change::Changed, all.iter().copied().map(aspect).collect()),
    };
    wire::Difference { path: escape(of.path.as_bytes()), kind: kind(of.kind), change, aspects }
}

fn aspect(aspect: Aspect) -> wire::Aspect {
    match aspect {
        Aspect::Kind => wire::Aspect::Kind,
        Aspect::Size => wire::Aspect::Size,
        Aspect::Mtime => wire::Aspect::Mtime,
        Aspect::Mode => wire::Aspect::Mode,
        Aspect::Owner => wire::Aspect::Owner,
        Aspect::Content => wire::Aspect::Content,
        Aspect::ContentNotCompared => wire::Aspect::ContentNotCompared,
        Aspect::Target => wire::Aspect::Target,
        Aspect::Device => wire::Aspect::Device,
    }
}
