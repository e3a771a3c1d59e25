//! The one suite that every backend passes on its real technology: each promise of
//! `trait Backend` is a test with a sentence for a name.
//!
//! A newcomer writes a [`Harness`] and one line below, named as in the registry.

pub use crate::support::card::card;

use heptad::backend::{Backend, TakeOrder};
use heptad::domain::operation::Fault;
use heptad::domain::snapshot::{Card, Handle, Origin, Seq};
use heptad::domain::survey::{Found, Mark, Wholeness};
use heptad::domain::tag::Tags;
use heptad::fs::StorageError;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt::Debug;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use uuid::Uuid;

/// Relative path and content of each file, and of each directory with `None`.
pub type Tree = BTreeMap<PathBuf, Option<Vec<u8>>>;

/// What the suite needs of a technology: a fresh live resource, and hands to do what heptad's
/// world does to it.
pub trait Harness: Sized {
    /// A fresh, empty resource with nothing stored yet.
    fn new() -> Self;

    /// A new instance for the live resource under this name; all share one store.
    fn backend(&self, resource: &str) -> Arc<dyn Backend>;

    /// What the live resource's backend is made of, for another process: its name, options and
    /// state directory. Whatever can be rolled back has one.
    fn recipe(&self) -> Option<(&'static str, Value, PathBuf)> {
        None
    }

    /// The live resource's directory, where the suite puts files.
    fn live(&self) -> PathBuf;

    /// What a program has open while it uses the live resource.
    fn used(&self) -> PathBuf {
        let live = std::fs::canonicalize(self.live()).unwrap();
        let below = live.join("index.html");
        if below.exists() { below } else { live }
    }

    /// Puts named contents into the live resource, or into a restored one that is at a path.
    fn put(&self, at: &Path, files: &[(&str, &[u8])]) {
        write(at, files);
    }

    /// All contents of the live resource, or of a restored one.
    fn content(&self, at: &Path) -> Tree {
        read(at)
    }

    /// Removes all contents of the live resource.
    fn empty(&self, at: &Path) {
        clear(at);
    }

    /// Takes the live resource away while the store stays in reach.
    fn hide(&self);

    /// A path that does not exist, where a restore may go; distinct by name.
    fn target(&self, name: &str) -> PathBuf;

    /// Sees that what was restored to a path has inherited no rights. What is unpacked there by
    /// other hands is looked at before.
    fn expect_nothing_inherited(&self, at: &Path) {
        nothing_inherited(at);
    }

    /// Makes a whole snapshot look like one whose taking stopped before its commit point.
    fn interrupt(&self, resource: &str, handle: &Handle);

    /// Changes a snapshot's content behind heptad's back.
    fn tamper(&self, resource: &str, handle: &Handle);

    /// Removes a snapshot behind heptad's back.
    fn lose(&self, resource: &str, handle: &Handle);

    /// Puts something that heptad did not make where snapshot `seq` would lie, and says where.
    fn plant(&self, resource: &str, seq: u64) -> PathBuf;
}

macro_rules! conformance {
    ($module:ident, $harness:ty) => {
        conformance! { $module, $harness:
            a_fresh_resource_has_an_identity_and_an_empty_listing,
            a_snapshot_is_listed_whole_with_its_card,
            taking_the_same_snapshot_again_returns_it_as_it_is,
            another_snapshot_under_a_used_number_is_refused,
            a_restored_copy_is_equal_byte_by_byte,
            a_restored_copy_is_writable_and_the_snapshot_stays_as_it_is,
            a_restored_copy_inherits_no_rights_from_the_directory_above,
            restoring_never_touches_what_exists,
            restoring_below_a_missing_directory_is_refused,
            a_snapshot_can_be_restored_twice,
            what_a_new_one_can_be_is_told_before_it_is_begun,
            a_kept_copy_survives_its_original,
            keeping_again_returns_the_copy_as_it_is,
            destroying_succeeds_again_when_it_is_done,
            snapshots_that_are_gone_occupy_nothing,
            destroying_by_another_id_is_refused,
            destroying_another_object_is_refused,
            an_interrupted_taking_is_listed_as_partial,
            an_interrupted_taking_can_be_done_again,
            an_interrupted_taking_can_be_destroyed,
            a_changed_snapshot_is_listed_as_tampered_and_not_restored,
            a_lost_snapshot_is_not_listed_as_whole_and_its_destruction_succeeds,
            marks_stay_with_their_snapshot,
            the_highest_number_outlives_its_snapshot,
            snapshots_are_listed_and_restored_while_the_resource_is_absent,
            taking_an_absent_resource_fails_and_leaves_nothing,
            resources_do_not_see_each_other,
            what_heptad_did_not_make_is_left_alone,
            an_emptied_resource_shows_when_it_is_verified,
            a_snapshot_that_never_was_is_absent,
            the_identity_stays_while_the_content_changes,
            several_resources_are_taken_at_once,
            facts_about_the_technology_are_sound,
            a_resource_rolled_back_holds_what_the_snapshot_holds,
            rolling_back_again_by_the_same_order_changes_nothing,
            a_resource_in_use_is_not_rolled_back_and_its_users_are_named,
            what_was_written_after_the_safety_snapshot_is_never_lost,
            a_snapshot_that_is_not_whole_rolls_nothing_back,
            a_rollback_that_is_killed_at_any_moment_is_finished_by_the_same_order,
            a_take_that_is_not_wanted_any_more_stops_leaves_nothing_and_the_next_one_works,
            a_new_one_that_is_not_wanted_any_more_leaves_nothing_and_the_next_one_is_whole,
            a_rollback_that_is_not_wanted_any_more_leaves_all_as_it_was_or_is_done,
        }
    };
    ($module:ident, $harness:ty: $($promise:ident,)*) => {
        mod $module {
            $(
                #[test]
                fn $promise() {
                    crate::conformance::$promise(&<$harness as crate::conformance::Harness>::new());
                }
            )*
        }
    };
}

conformance!(btrfs, crate::btrfs::OnBtrfs<false>);
conformance!(btrfs_with_a_chosen_store, crate::btrfs::OnBtrfs<true>);
conformance!(exec, crate::tarball::harness::OnTarball);
conformance!(files, crate::files::harness::OnFiles<true>);
conformance!(files_copied, crate::files::harness::OnFiles<false>);
conformance!(libvirt, crate::libvirt::packed::Packed<true>);
conformance!(libvirt_copied, crate::libvirt::packed::Packed<false>);
conformance!(postgres, crate::postgres::stopped::Stopped);
conformance!(sqlite, crate::sqlite::packed::Packed);
conformance!(toy, crate::toy::OnToy);

mod destroying;
mod restoring;
mod rolling_back;
mod seeing;
mod stopping;
mod taking;

pub use destroying::*;
pub use restoring::*;
pub use rolling_back::*;
pub use seeing::*;
pub use stopping::*;
pub use taking::*;

pub const RESOURCE: &str = "web-1";

/// A manual copy's card.
pub fn kept(seq: u64, from: u64) -> Card {
    Card {
        origin: Origin::Manual,
        name: Some(format!("kept-{from}").parse().unwrap()),
        slot: None,
        kept_from: Some(Seq(from)),
        ..card(seq)
    }
}

/// Takes a snapshot that must succeed; the handle knows its object.
pub fn take(backend: &dyn Backend, card: &Card) -> Handle {
    let object =
        backend.take(&TakeOrder { card, source: None, previous: None }, &()).unwrap().object;
    Handle { object, ..card.handle.clone() }
}

/// The fault of what must fail.
pub fn fault<T: Debug>(result: Result<T, StorageError>) -> Fault {
    result.unwrap_err().fault
}

/// State by sequence number.
pub fn states(backend: &dyn Backend) -> Vec<(u64, Wholeness)> {
    let found = backend.list().unwrap().found;
    found.iter().map(|found| (found.card.handle.seq.0, found.state)).collect()
}

pub fn find(backend: &dyn Backend, seq: u64) -> Option<Found> {
    backend.list().unwrap().found.into_iter().find(|found| found.card.handle.seq == Seq(seq))
}

/// Writes files below a directory, making what is missing.
pub fn write(dir: &Path, files: &[(&str, &[u8])]) {
    for (name, content) in files {
        let path = dir.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }
}

/// All that lies below a directory.
pub fn read(dir: &Path) -> Tree {
    let mut tree = Tree::new();
    let mut waiting = vec![dir.to_owned()];
    while let Some(at) = waiting.pop() {
        for entry in std::fs::read_dir(&at).unwrap() {
            let path = entry.unwrap().path();
            let name = path.strip_prefix(dir).unwrap().to_owned();
            if path.is_dir() {
                tree.insert(name, None);
                waiting.push(path);
            } else {
                tree.insert(name, Some(std::fs::read(&path).unwrap()));
            }
        }
    }
    tree
}

fn clear(dir: &Path) {
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => std::fs::remove_dir_all(path).unwrap(),
            false => std::fs::remove_file(path).unwrap(),
        }
    }
}

const SOME: &[(&str, &[u8])] = &[("index.html", b"hello"), ("etc/conf", b"a=1\n")];
