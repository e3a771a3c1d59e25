//! Whether what a backend shows can be at all. A store that was tampered with, two of them laid
//! together, or a plugin that errs must end in the trouble of one resource: what is believed here
//! goes into the ledger, whose rules hold without exception.

use super::snapshot::Seq;
use super::survey::{Found, Survey, Wholeness};
use std::collections::BTreeMap;

/// The highest number that is believed without having been drawn here: JSON carries whole numbers
/// exactly up to here (RFC 8259, section 6), and the counter still has room above it.
pub const HIGHEST: u64 = (1 << 53) - 1;

/// The survey as it can be believed by one whose next number is `next`: each number and each id
/// once. What was left half made beside the whole one of the same id is left out.
///
/// # Errors
/// What cannot be, as a sentence.
pub fn sound(mut survey: Survey, next: Seq) -> Result<Survey, String> {
    let believed = |seq: Seq| seq.0 <= HIGHEST || seq < next;
    if !believed(survey.high_water) {
        return Err(format!("its store remembers snapshot number {}", survey.high_water));
    }
    survey.found.sort_by_key(|found| (found.card.handle.seq, found.state == Wholeness::Partial));
    survey.found.dedup_by(|later, first| {
        later.state == Wholeness::Partial && later.card.handle.id == first.card.handle.id
    });
    let mut numbers = BTreeMap::new();
    for Found { card, .. } in &survey.found {
        let (seq, id) = (card.handle.seq, card.handle.id);
        if seq.0 == 0 || !believed(seq) {
            return Err(format!("its store has a snapshot with number {seq}"));
        }
        if let Some(from) = card.kept_from.filter(|from| !believed(*from)) {
            return Err(format!("its snapshot {seq} says that it was kept from number {from}"));
        }
        if let Some(other) = numbers.insert(id, seq) {
            return Err(format!("its snapshots {other} and {seq} have the same id {id}"));
        }
    }
    let twins = survey.found.windows(2).find(|pair| {
        let [first, second] = pair else { return false };
        first.card.handle.seq == second.card.handle.seq
    });
    match twins {
        Some(twins) => {
            let seq = twins.first().map(|found| found.card.handle.seq).unwrap_or_default();
            Err(format!("its store has two snapshots with number {seq}"))
        }
        None => Ok(survey),
    }
}

#[cfg(test)]
mod tests {
    use super::super::survey::Mark;
    use super::*;
    use crate::domain::sample::Builder;
    use crate::domain::told::Told;
    use uuid::Uuid;

    fn found(seq: u64, id: u128, state: Wholeness) -> Found {
        let account = Builder::daily().complete(1..=1).account();
        let mut card = account.snapshots[&Seq(1)].card.clone();
        (card.handle.seq, card.handle.id) = (Seq(seq), Uuid::from_u128(id));
        let (mark, told) = (Mark::default(), Told::default());
        Found { card, state, mark, content: None, notes: Vec::new(), told }
    }

    use Wholeness::{Partial, Whole};

    #[test]
    fn each_number_and_each_id_is_there_once() {
        let check = |found: Vec<Found>, want: Result<&[u64], &str>| {
            let seen = sound(Survey { found, ..Survey::default() }, Seq(9));
            let seqs = seen.map(|survey| {
                survey.found.iter().map(|found| found.card.handle.seq.0).collect::<Vec<_>>()
            });
            match want {
                Ok(want) => assert_eq!(seqs.unwrap(), want),
                Err(want) => assert!(seqs.as_ref().unwrap_err().contains(want), "{seqs:?}"),
            }
        };
        check(vec![found(2, 2, Whole), found(1, 1, Whole)], Ok(&[1, 2]));
        check(vec![found(1, 1, Partial), found(1, 1, Whole)], Ok(&[1]));
        check(vec![found(1, 1, Partial), found(1, 1, Partial)], Ok(&[1]));
        check(vec![found(1, 1, Whole), found(1, 1, Whole)], Err("the same id"));
        check(vec![found(1, 1, Whole), found(2, 1, Whole)], Err("the same id"));
        check(vec![found(1, 1, Whole), found(1, 2, Whole)], Err("two snapshots with number 1"));
        check(vec![found(1, 1, Whole), found(1, 2, Partial)], Err("two snapshots with number 1"));
        check(vec![found(0, 1, Whole)], Err("number 0"));
        check(vec![found(u64::MAX, 1, Whole)], Err("number 18446744073709551615"));
    }

    #[test]
    fn no_number_is_beyond_all_counting_but_those_drawn_here() {
        let check = |number: u64, next: u64, believed: bool| {
            let high = Survey { high_water: Seq(number), ..Survey::default() };
            assert_eq!(sound(high, Seq(next)).is_ok(), believed, "{number} of {next}");
            let mut kept = found(1, 1, Whole);
            kept.card.kept_from = Some(Seq(number));
            let kept = Survey { found: vec![kept], ..Survey::default() };
            assert_eq!(sound(kept, Seq(next)).is_ok(), believed, "{number} of {next}");
        };
        check(HIGHEST, 1, true);
        check(HIGHEST + 1, 1, false);
        check(HIGHEST + 1, HIGHEST + 2, true);
        check(i64::MAX.unsigned_abs(), 1, false);
        check(u64::MAX, 1, false);
    }
}
