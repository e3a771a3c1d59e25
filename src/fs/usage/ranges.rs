//! Sets of places on a device, each counted once however often it is named.

/// So many separate places, or files, are remembered and no more: some 100 MB at the worst moment.
pub const MOST: usize = 1 << 21;
/// How many are gathered before they are sorted in.
const BATCH: usize = 1 << 16;

/// There are more than are remembered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("more than {MOST} separate places, or files with several names")]
pub struct TooMany;

/// Half-open ranges of bytes.
#[derive(Debug, Default)]
pub(super) struct Ranges {
    /// In order, apart from each other.
    sorted: Vec<(u64, u64)>,
    fresh: Vec<(u64, u64)>,
}

impl Ranges {
    pub(super) fn add(&mut self, start: u64, length: u64) -> Result<(), TooMany> {
        let end = start.saturating_add(length);
        match self.fresh.last_mut() {
            _ if start == end => return Ok(()),
            // Most files lie in one piece, whatever they are told in.
            Some(last) if last.1 == start => last.1 = end,
            _ => self.fresh.push((start, end)),
        }
        if self.fresh.len() < BATCH.max(self.sorted.len()) { Ok(()) } else { self.settle() }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.sorted.is_empty() && self.fresh.is_empty()
    }

    /// Bytes in all.
    pub(super) fn total(&mut self) -> Result<u64, TooMany> {
        self.settle()?;
        Ok(self.sorted.iter().map(|(start, end)| end - start).sum())
    }

    /// Adds to `found` what of a range is in this set, which must be settled.
    pub(super) fn cut(&self, start: u64, length: u64, found: &mut Ranges) -> Result<(), TooMany> {
        debug_assert!(self.fresh.is_empty(), "places are cut out of a settled set");
        let end = start.saturating_add(length);
        let first = self.sorted.partition_point(|(_, before)| *before <= start);
        let touching = self.sorted[first..].iter().take_while(|(from, _)| *from < end);
        for (from, to) in touching {
            let (from, to) = (start.max(*from), end.min(*to));
            found.add(from, to - from)?;
        }
        Ok(())
    }

    /// Sorts in what was added.
    pub(super) fn settle(&mut self) -> Result<(), TooMany> {
        if self.fresh.is_empty() {
            return Ok(());
        }
        self.fresh.sort_unstable();
        let mut merged: Vec<(u64, u64)> = Vec::with_capacity(self.sorted.len());
        let (mut old, mut new) = (self.sorted.iter().peekable(), self.fresh.iter().peekable());
        while let Some(next) = match (old.peek(), new.peek()) {
            (Some(a), Some(b)) if a > b => new.next(),
            (None, _) => new.next(),
            _ => old.next(),
        } {
            match merged.last_mut() {
                Some(last) if next.0 <= last.1 => last.1 = last.1.max(next.1),
                _ => merged.push(*next),
            }
        }
        self.fresh.clear();
        self.sorted = merged;
        if self.sorted.len() > MOST { Err(TooMany) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    fn set(ranges: &[(u64, u64)]) -> Ranges {
        let mut set = Ranges::default();
        ranges.iter().for_each(|(start, length)| set.add(*start, *length).unwrap());
        set
    }

    #[test]
    fn a_place_counts_once_however_often_it_is_named() {
        let check = |ranges: &[(u64, u64)], want: u64, pieces: usize| {
            let mut set = set(ranges);
            assert_eq!(set.total(), Ok(want), "{ranges:?}");
            assert_eq!(set.sorted.len(), pieces, "{ranges:?}");
        };
        check(&[], 0, 0);
        check(&[(5, 0)], 0, 0);
        check(&[(0, 10), (0, 10)], 10, 1);
        check(&[(0, 10), (20, 10)], 20, 2);
        check(&[(20, 10), (0, 10), (10, 10)], 30, 1);
        check(&[(0, 100), (10, 10), (90, 20)], 110, 1);
        check(&[(u64::MAX - 1, 10)], 1, 1);
    }

    #[test]
    fn more_places_than_are_remembered_are_refused_and_not_miscounted() {
        let mut set = Ranges::default();
        let many = (0..=MOST as u64).try_for_each(|at| set.add(at * 2, 1));
        assert_eq!(many.and_then(|()| set.total()), Err(TooMany));
    }

    proptest! {
        #[test]
        fn sets_of_ranges_are_sets_of_bytes(
            one in prop::collection::vec((0_u64..60, 0_u64..9), 0..12),
            two in prop::collection::vec((0_u64..60, 0_u64..9), 0..12),
        ) {
            let bytes = |ranges: &[(u64, u64)]| -> BTreeSet<u64> {
                ranges.iter().flat_map(|(start, length)| *start..start + length).collect()
            };
            let (mut first, mut both) = (set(&one), Ranges::default());
            prop_assert_eq!(first.total(), Ok(bytes(&one).len() as u64));
            for (start, length) in &two {
                first.cut(*start, *length, &mut both).unwrap();
            }
            let common = bytes(&one).intersection(&bytes(&two)).count();
            prop_assert_eq!(both.total(), Ok(common as u64));
        }
    }
}
