//! What all snapshots of one resource take up together.

use super::fee::occupies;
use super::snapshot::Seq;
use super::snapshot::Snapshot;
use std::sync::Arc;

/// As a backend measured it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TotalUsage {
    /// What would become free if all of them went: each block once, and none that the live
    /// resource has too.
    pub bytes: u64,
    /// False where that is the least: some of it cannot be measured.
    pub exact: bool,
}

/// What one snapshot occupies.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Logical bytes.
    pub stored: Option<u64>,
    /// Bytes that would become free if it alone went.
    pub exclusive: Option<u64>,
}

/// Which snapshots there were. Numbers only rise, so a set that changed has another mark.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SnapshotSet {
    pub count: u64,
    pub newest: Seq,
}

impl SnapshotSet {
    /// Those that take up room now.
    pub fn of<'a>(snapshots: impl IntoIterator<Item = &'a Arc<Snapshot>>) -> Self {
        let there = snapshots.into_iter().filter(|snapshot| occupies(snapshot));
        there.fold(Self::default(), |sum, snapshot| Self {
            count: sum.count + 1,
            newest: sum.newest.max(snapshot.seq()),
        })
    }
}

/// A figure with what it was measured of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KnownTotal {
    pub occupied: TotalUsage,
    pub of: SnapshotSet,
}

/// What was measured of a resource's snapshots.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UsageReport {
    pub each: Vec<SnapshotUsage>,
    pub together: TotalReport,
}

/// What a look may measure of what snapshots occupy, though it is costly.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum UsageScope {
    #[default]
    Nothing,
    /// What all of them occupy.
    Total,
    /// That, and what each does.
    All,
}

/// What all of them occupy.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TotalReport {
    /// It was not asked for: that is costly.
    #[default]
    NotAsked,
    /// It could not be measured this time; what was known stands.
    Failed,
    /// None: it cannot be told.
    Is(Option<TotalUsage>),
}

/// What one whole snapshot occupies, in bytes; none where the backend cannot tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SnapshotUsage {
    pub seq: Seq,
    pub stored: Option<u64>,
    pub exclusive: Option<u64>,
}
