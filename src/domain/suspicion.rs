//! Doubt: is the newest automatic snapshot what it should be?
//!
//! An unmounted source looks like an empty one, and a week of empty snapshots would rotate the
//! good ones away. So a snapshot that is empty, or far smaller than its predecessors, is kept but
//! does not count until a person acknowledges it.

use super::snapshot::Content;

/// A snapshot below this share of the median of its predecessors is doubted.
pub const SHRUNKEN_TO_ONE_IN: u64 = 10;

/// Below these medians a share says nothing: a tree of ten files may well become one of one.
const FEW_ENTRIES: u64 = 20;
const FEW_BYTES: u64 = 256 * 1024;

/// Judges `new` against the contents of up to seven complete predecessors, oldest first. One that
/// is no smaller than its direct predecessor raises no doubt: that one was accepted as it is.
/// Returns the reason for doubt, as a sentence part.
pub fn judge(new: Content, before: &[Content]) -> Option<String> {
    let last = before.last().copied().unwrap_or_default();
    if new.empty && !last.empty {
        return Some("it is empty".into());
    }
    let entries = before.iter().filter_map(|content| content.entries);
    let bytes = before.iter().filter_map(|content| content.bytes);
    shrunken(new.entries, entries, FEW_ENTRIES, "entries")
        .or_else(|| shrunken(new.bytes, bytes, FEW_BYTES, "bytes"))
}

/// What a snapshot of damaged content is suspect for from its first moment. The words stand durable
/// beside it, so it is known by them without a catalogue, too.
const AS_IT_WAS: &str = "saved as it was, it is damaged";

/// The doubt about a copy that holds every byte of a damaged original.
pub fn as_it_was(why: &str) -> String {
    format!("{AS_IT_WAS}: {why}")
}

/// Whether nothing is missing in it that the original had: it is only as damaged as that.
pub fn is_as_it_was(doubt: &str) -> bool {
    doubt.starts_with(AS_IT_WAS)
}

/// Whether all that a snapshot lacks was lacking already in the last one that counts, by the notes
/// of that, and a person has accepted it so: then this one is no worse, and its own notes say what
/// it lacks.
pub fn is_accepted(lacks: &str, accepted: bool, notes: &[String]) -> bool {
    let noted = |part: &str| notes.iter().any(|note| note == part);
    accepted && (noted(lacks) || lacks.split("; ").all(noted))
}

fn shrunken(
    new: Option<u64>,
    before: impl Iterator<Item = u64>,
    few: u64,
    unit: &str,
) -> Option<String> {
    let new = new?;
    let mut known: Vec<u64> = before.collect();
    let last = *known.last()?;
    known.sort_unstable();
    let median = *known.get(known.len() / 2)?;
    (median >= few && new < median / SHRUNKEN_TO_ONE_IN && new < last)
        .then(|| format!("it has {new} {unit}, its predecessors had {median}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entries(n: u64) -> Content {
        Content { empty: n == 0, entries: Some(n), bytes: None }
    }

    #[test]
    fn emptiness_and_shrinking_raise_doubt() {
        let check = |new: u64, before: &[u64], doubted: bool| {
            let before: Vec<Content> = before.iter().copied().map(entries).collect();
            assert_eq!(judge(entries(new), &before).is_some(), doubted, "{new} after {before:?}");
        };
        check(0, &[], true);
        check(1, &[], false);
        check(0, &[100, 100], true);
        check(0, &[100, 0], false);
        check(9, &[100, 100, 100], true);
        check(10, &[100, 100, 100], false);
        check(9, &[100, 100, 9, 9, 9], false);
        check(1, &[19, 19, 19], false);
        check(1_000, &[10], false);
    }

    #[test]
    fn what_somebody_accepted_is_no_doubt_the_next_day_and_more_of_it_is_one() {
        let notes = ["copied 3 files", "1 entry could not be read (a)", "1 entry is too long (b)"];
        let notes = notes.map(str::to_owned);
        let check = |lacks: &str, want: bool| {
            assert_eq!(is_accepted(lacks, true, &notes), want, "{lacks}");
            assert!(!is_accepted(lacks, false, &notes), "{lacks}");
        };
        check("1 entry could not be read (a)", true);
        check("1 entry could not be read (a); 1 entry is too long (b)", true);
        check("1 entry could not be read (c)", false);
        check("2 entries could not be read (a, c)", false);
        check("1 entry could not be read (a); 1 entry is too long (c)", false);
        check("", false);
    }

    #[test]
    fn what_a_backend_cannot_tell_raises_no_doubt() {
        let unknown = Content::default();
        assert_eq!(judge(unknown, &[entries(100)]), None);
        assert_eq!(judge(entries(100), &[unknown]), None);
    }
}
