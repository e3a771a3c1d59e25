//! Which automatic snapshots stay and which go, and why. Reads no clock: order is by sequence
//! number, tiers group by the snapshots' own dates.

use super::policy::Retention;
use super::slot::Slot;
use super::snapshot::Seq;
use jiff::SignedDuration;
use std::collections::BTreeSet;
use std::fmt;

/// How many may go for one newly completed snapshot: enough to drain a backlog, slow enough to be
/// noticed.
pub const CREDIT: u32 = 2;

/// One complete automatic snapshot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Candidate {
    pub seq: Seq,
    pub slot: Slot,
    /// In use (being restored, kept, copied): stays whatever its age.
    pub pinned: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Keep(Reason),
    Drop,
}

/// Why a snapshot stays: its place, from 1, in a tier.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    Latest(u32),
    Weekly(u32),
    Monthly(u32),
    Yearly(u32),
    InUse,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Reason::Latest(n) => write!(f, "latest {n}"),
            Reason::Weekly(n) => write!(f, "weekly {n}"),
            Reason::Monthly(n) => write!(f, "monthly {n}"),
            Reason::Yearly(n) => write!(f, "yearly {n}"),
            Reason::InUse => write!(f, "in use"),
        }
    }
}

/// Judges every candidate; the answer is newest first. A candidate that several tiers would keep
/// is credited to the first of latest, weekly, monthly, yearly.
pub fn judge(candidates: &[Candidate], retention: Retention) -> Vec<(Seq, Verdict)> {
    let mut newest_first = candidates.to_vec();
    newest_first.sort_unstable_by_key(|candidate| std::cmp::Reverse(candidate.seq));
    let mut weekly = Tier::new(retention.weekly);
    let mut monthly = Tier::new(retention.monthly);
    let mut yearly = Tier::new(retention.yearly);
    newest_first
        .iter()
        .zip(1..)
        .map(|(candidate, place)| {
            let date = candidate.slot.date();
            let week = date.iso_week_date();
            let (year, month) = (i32::from(date.year()), i32::from(date.month()));
            let in_week = weekly.admit((i32::from(week.year()), i32::from(week.week())));
            let in_month = monthly.admit((year, month));
            let in_year = yearly.admit((year, 0));
            let reason = (place <= retention.latest.max(1))
                .then_some(Reason::Latest(place))
                .or(in_week.map(Reason::Weekly))
                .or(in_month.map(Reason::Monthly))
                .or(in_year.map(Reason::Yearly))
                .or(candidate.pinned.then_some(Reason::InUse));
            (candidate.seq, reason.map_or(Verdict::Drop, Verdict::Keep))
        })
        .collect()
}

/// The oldest of those to drop, at most `credit` of them.
pub fn doomed(verdicts: &[(Seq, Verdict)], credit: u32) -> Vec<Seq> {
    let oldest_first = verdicts.iter().rev();
    let dropped =
        oldest_first.filter(|(_, verdict)| *verdict == Verdict::Drop).map(|(seq, _)| *seq);
    dropped.take(usize::try_from(credit).unwrap_or(usize::MAX)).collect()
}

/// The independent check of the paid-deletion promise: are there `latest` newer candidates than
/// `victim`? Called again with what the backend shows right before an object is destroyed.
pub fn paid(victim: Seq, complete: impl IntoIterator<Item = Seq>, retention: Retention) -> bool {
    let newer = complete.into_iter().filter(|seq| *seq > victim).count();
    newer >= usize::try_from(retention.latest.max(1)).unwrap_or(usize::MAX)
}

/// Admits the first snapshot seen of each group, up to a number of groups.
struct Tier {
    room: u32,
    groups: BTreeSet<(i32, i32)>,
}

impl Tier {
    fn new(room: u32) -> Self {
        Self { room, groups: BTreeSet::new() }
    }

    fn admit(&mut self, group: (i32, i32)) -> Option<u32> {
        let place = u32::try_from(self.groups.len()).unwrap_or(u32::MAX).saturating_add(1);
        (place <= self.room && self.groups.insert(group)).then_some(place)
    }
}

/// Automatic snapshots that stay although newer ones crowd them out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Held {
    /// The newest of them.
    pub seq: Seq,
    /// How far back those that stay reached by the slower rhythm.
    pub reach: SignedDuration,
    /// The newest snapshot when a rhythm ruled again that reaches about as far.
    pub calm: Option<Seq>,
}

/// What is known of the payments of one resource.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Payment {
    /// How long heptad had run when one paid last.
    pub at: Option<SignedDuration>,
    /// How long the machine had slept by then, since heptad started; not remembered across
    /// restarts, which begin with no sleep.
    pub slept: SignedDuration,
    /// How many completed since that paid nothing.
    pub unpaid: u32,
    /// Fewer are to stay than before, and those beyond have not gone yet.
    pub lowered: bool,
}

impl Payment {
    /// How much time has passed since one paid, by what no clock can be set to: the time that
    /// heptad has run in all, and the machine's sleep meanwhile.
    pub fn since(&self, elapsed: SignedDuration, slept: SignedDuration) -> SignedDuration {
        let ran = elapsed.saturating_sub(self.at.unwrap_or_default());
        ran.saturating_add(slept.saturating_sub(self.slept)).max(SignedDuration::ZERO)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::ToSpan;
    use jiff::civil::date;
    use proptest::prelude::*;

    fn daily(n: i64) -> Vec<Candidate> {
        (0..n)
            .map(|day| Candidate {
                seq: Seq(u64::try_from(day).unwrap() + 1),
                slot: Slot::Day(date(2026, 1, 1).checked_add(day.days()).unwrap()),
                pinned: false,
            })
            .collect()
    }

    fn kept(candidates: &[Candidate], retention: Retention) -> Vec<(u64, String)> {
        let stays = |(seq, verdict): (Seq, Verdict)| match verdict {
            Verdict::Keep(reason) => Some((seq.0, reason.to_string())),
            Verdict::Drop => None,
        };
        judge(candidates, retention).into_iter().filter_map(stays).collect()
    }

    #[test]
    fn the_latest_seven_stay() {
        let check = |taken: i64, stay: std::ops::RangeInclusive<u64>| {
            let seqs: Vec<u64> =
                kept(&daily(taken), Retention::SEVEN).iter().map(|k| k.0).collect();
            assert_eq!(seqs, stay.rev().collect::<Vec<_>>(), "of {taken}");
        };
        check(1, 1..=1);
        check(7, 1..=7);
        check(8, 2..=8);
        check(30, 24..=30);
    }

    #[test]
    fn longer_tiers_keep_the_newest_of_each_week_month_and_year() {
        let retention = Retention { latest: 2, weekly: 3, monthly: 2, yearly: 1 };
        // 2026-01-01 is a Thursday; day 60 is Sunday, 1 March.
        assert_eq!(
            kept(&daily(60), retention),
            [
                (60, "latest 1".to_owned()),
                (59, "latest 2".to_owned()),
                (53, "weekly 2".to_owned()),
                (46, "weekly 3".to_owned()),
            ]
        );
        assert_eq!(
            kept(&daily(70), retention).into_iter().map(|k| k.0).collect::<Vec<_>>(),
            [70, 69, 67, 60, 59]
        );
    }

    #[test]
    fn one_in_use_stays_and_pushes_nothing_out() {
        let mut candidates = daily(9);
        candidates[0].pinned = true;
        let verdicts = judge(&candidates, Retention::SEVEN);
        assert_eq!(doomed(&verdicts, CREDIT), [Seq(2)]);
        assert_eq!(verdicts.last(), Some(&(Seq(1), Verdict::Keep(Reason::InUse))));
    }

    #[test]
    fn a_backlog_drains_two_at_a_time_oldest_first() {
        let verdicts = judge(&daily(30), Retention::SEVEN);
        assert_eq!(doomed(&verdicts, CREDIT), [Seq(1), Seq(2)]);
        assert_eq!(doomed(&verdicts, u32::MAX).len(), 23);
    }

    proptest! {
        #[test]
        fn whatever_the_dates_seven_newer_ones_pay_for_each_drop(
            days in prop::collection::vec(-40_000i64..40_000, 0..40),
            (latest, weekly, monthly, yearly) in (1u32..9, 0u32..4, 0u32..4, 0u32..4),
        ) {
            let candidates: Vec<Candidate> = days.iter().zip(1..).map(|(day, seq)| Candidate {
                seq: Seq(seq),
                slot: Slot::Day(date(2026, 1, 1).checked_add(day.days()).unwrap()),
                pinned: false,
            }).collect();
            let retention = Retention { latest, weekly, monthly, yearly };
            let verdicts = judge(&candidates, retention);
            let all = || candidates.iter().map(|c| c.seq);
            for seq in doomed(&verdicts, u32::MAX) {
                prop_assert!(paid(seq, all(), retention));
            }
            let stay = verdicts.iter().filter(|v| v.1 != Verdict::Drop).count();
            prop_assert!(stay >= candidates.len().min(latest as usize));
            prop_assert!(stay <= (latest + weekly + monthly + yearly) as usize);
        }
    }
}
