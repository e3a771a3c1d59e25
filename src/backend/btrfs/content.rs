//! What of a live resource goes into a snapshot, and what the snapshot says of the rest.

use super::super::options::OptionFinding;
use super::live::{Live, Nested};
use super::place::Place;
use super::store::Store;
use super::swap_file::{self, SwapFiles};
use super::{Btrfs, NestedMode, lineage};
use crate::fs::StorageError;
use std::path::PathBuf;

/// How many left-out subvolumes a note names.
const NAMED: usize = 5;

pub(super) struct Chosen {
    /// Those that are part of it, parents before children.
    pub nested: Vec<Nested>,
    pub notes: Vec<String>,
    /// What it lacks, as a sentence part.
    pub incomplete: Option<String>,
}

/// # Errors
/// [`Fault::Permanent`](crate::domain::operation::Fault) where the kernel will take none.
pub(super) fn choose(
    this: &Btrfs,
    live: &mut Live,
    place: &Place,
    store: Option<&Store>,
) -> Result<Chosen, StorageError> {
    let all = live.nested()?;
    // In no snapshot, it contains none.
    let in_it = if this.nested == NestedMode::Include { &all[..] } else { &[] };
    this.refuse_own_store(place, live, in_it)?;
    let swap_files = SwapFiles::look()?;
    swap_files.refuse(live)?;
    let earlier = lineage::earlier_states(live, &all, store, &this.sources)?;
    let (earlier, mut nested): (Vec<_>, Vec<_>) =
        all.into_iter().partition(|nested| earlier.contains(&nested.id));
    let (mut notes, mut incomplete) = (Vec::new(), None);
    match this.nested {
        NestedMode::Include => {
            let hampered = swap_files.hampered(&nested);
            let swapped_to = |(path, file): &(PathBuf, PathBuf)| {
                let (path, file) = (path.display(), file.display());
                format!("{path} could not be taken: the system swaps to {file} in it")
            };
            let left_out: Vec<String> = hampered.iter().map(swapped_to).collect();
            for (path, file) in &hampered {
                if !swap_file::is_alone(live, &nested, path, file)? {
                    incomplete = Some(left_out.join("; "));
                }
            }
            nested.retain(|one| !hampered.iter().any(|(path, _)| one.path.starts_with(path)));
            notes.extend(included(&nested));
            notes.extend(left_out);
        }
        NestedMode::Note => notes.extend(left_out(&nested)),
        NestedMode::Separate => {}
    }
    if this.nested != NestedMode::Include {
        nested.clear();
    }
    notes.extend(lineage::note(&earlier));
    Ok(Chosen { nested, notes, incomplete })
}

/// What a look at the resource finds that will be in no snapshot, or will let none be taken.
pub(super) fn oddities(this: &Btrfs) -> Result<Vec<OptionFinding>, StorageError> {
    let place = Place::of(&this.path)?;
    let mut live = Live::open(&this.path, &place)?;
    let all = live.nested()?;
    let finding = |problem, hint: String| OptionFinding { key: "path".into(), problem, hint };
    let swap_files = SwapFiles::look()?;
    let mut found: Vec<OptionFinding> =
        swap_files.obstacle(&live).into_iter().map(|(what, out)| finding(what, out)).collect();
    let store = this.open_store(&place).unwrap_or_default();
    let earlier = lineage::earlier_states(&live, &all, store.as_ref(), &this.sources)?;
    let (earlier, nested): (Vec<_>, Vec<_>) =
        all.into_iter().partition(|nested| earlier.contains(&nested.id));
    if this.nested == NestedMode::Include {
        found.extend(swap_files.hampered(&nested).into_iter().map(|(path, file)| {
            let problem = format!(
                "the nested subvolume {} is in no snapshot while the system swaps to {}",
                path.display(),
                file.display()
            );
            finding(problem, "keep nothing but the swap file in it, or swapoff".into())
        }));
    }
    found.extend(lineage::note(&earlier).map(|note| {
        finding(note, "nothing is to be done: a rollback leaves them as they are".into())
    }));
    Ok(found)
}

fn included(nested: &[Nested]) -> Vec<String> {
    let note = match nested.len() {
        0 => return Vec::new(),
        1 => "1 nested subvolume is included, frozen shortly before the rest".into(),
        n => format!("{n} nested subvolumes are included, frozen one after another, not at once"),
    };
    vec![note]
}

fn left_out(nested: &[Nested]) -> Vec<String> {
    let names: Vec<String> =
        nested.iter().take(NAMED).map(|nested| nested.path.display().to_string()).collect();
    let more = match nested.len().saturating_sub(NAMED) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    match names.is_empty() {
        true => Vec::new(),
        false => vec![format!("nested subvolumes are not in it: {}{more}", names.join(", "))],
    }
}
