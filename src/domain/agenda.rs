//! What is due next for one resource: computed from the ledger each time, never carried over.

use super::dating::Dating;
use super::days::Days;
use super::id::OperationId;
use super::schedule::Period;
use super::slot::Slot;
use super::slot_record::{Beginning, Outcome, Run, SlotRecord, Why};
use super::timeline::Timeline;
use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeMap;

/// After a cold boot, missed slots wait this long: the machine has better things to do first.
pub const AFTER_BOOT: SignedDuration = SignedDuration::from_mins(5);

/// Pauses before the first, second, third… try again, in minutes; the last one repeats.
const PAUSES: [i64; 4] = [1, 5, 15, 60];

/// The shortest of them.
const PAUSE: SignedDuration = SignedDuration::from_mins(PAUSES[0]);

/// The last try of a slot begins this long before its period ends, whatever pause it cuts short.
const LAST_TRY: SignedDuration = SignedDuration::from_mins(10);

/// A snapshot that is no older than this before its day began counts as of that day.
const LITTLE: SignedDuration = SignedDuration::from_hours(1);

const SECOND: SignedDuration = SignedDuration::from_secs(1);

/// How many names are tried beside the ordinary one.
const NAMES: i32 = 60;

/// How many slots of a long absence are recorded one by one.
const MISSED_AT_MOST: usize = 400;

/// What the agenda is computed from.
#[derive(Clone, Copy)]
pub struct Facts<'a> {
    pub timeline: &'a Timeline,
    pub slots: &'a BTreeMap<Slot, SlotRecord>,
    pub taken: &'a Days,
    pub dating: Dating,
    /// Operations that are open.
    pub running: Option<OperationId>,
    pub queue: &'a [OperationId],
}

impl Facts<'_> {
    /// Whether its snapshot is being taken, or waits in the queue.
    pub fn is_under_way(&self, record: &SlotRecord) -> bool {
        let open = |id| self.running == Some(id) || self.queue.contains(&id);
        record.outcome.is_none() && record.operation.is_some_and(open)
    }

    /// The period with the name that its snapshot gets; none where it has one already. Where the
    /// name stands for a snapshot of before this day began, as after a change of the time zone, the
    /// instant is the name: no name stands for two.
    pub fn open(&self, period: Period) -> Option<Period> {
        for slot in names(period) {
            match self.slots.get(&slot).filter(|record| record.is_taken()) {
                Some(record) if self.is_before(record, period.begin) => {}
                Some(_) => return None,
                None if matches!(slot, Slot::Day(day) if self.taken.contains(day)) => {
                    // Its record is no longer in memory.
                    if !self.dating.may_be_ahead(period.begin) {
                        return None;
                    }
                }
                None => return Some(Period { slot, ..period }),
            }
        }
        None
    }

    /// Whether a snapshot was there before the day began. A clock that was set a little is no
    /// reason.
    pub fn is_before(&self, record: &SlotRecord, begin: Timestamp) -> bool {
        let finished = self.dating.finished(record).filter(|_| record.is_taken());
        finished.is_some_and(|at| begin.duration_since(at) > LITTLE)
    }

    /// The current period, if it has no snapshot yet.
    fn current(&self, now: Timestamp) -> Option<Period> {
        let current = self.timeline.latest_due(now).filter(|period| period.end > now)?;
        self.open(current)
    }
}

/// The names for a snapshot of this period, in the order of preference.
fn names(period: Period) -> impl Iterator<Item = Slot> {
    let first = match period.slot {
        Slot::Day(_) => period.due,
        Slot::Instant(at) => at.saturating_add(SECOND).unwrap_or(at),
    };
    let instant = move |n: i32| first.checked_add(SECOND * n).ok().map(Slot::Instant);
    std::iter::once(period.slot).chain((0..NAMES).filter_map(instant))
}

/// The next automatic snapshot that is not under way: the open slot of the current period, else the
/// next slot.
pub fn next(facts: &Facts<'_>, beginning: Beginning, now: Timestamp) -> Option<Run> {
    let current = facts.current(now).and_then(|period| match facts.slots.get(&period.slot) {
        Some(record) if facts.is_under_way(record) => None,
        Some(record) if record.outcome.as_ref().is_some_and(Outcome::is_cancelled) => None,
        Some(record) if record.attempts > 0 => retry(period, record, now),
        _ => Some(first(period, beginning)),
    });
    current.or_else(|| {
        let mut from = now;
        // A clock that went back may find the next slots taken already.
        loop {
            let period = facts.timeline.next_due(from)?;
            if let Some(period) = facts.open(period) {
                return Some(Run { period, at: period.due, why: Why::Scheduled });
            }
            from = period.due;
        }
    })
}

fn first(period: Period, beginning: Beginning) -> Run {
    let Beginning { started, settled } = beginning;
    if period.due >= started {
        return Run { period, at: period.due, why: Why::Scheduled };
    }
    // A day that is about to end cannot wait.
    let enough = settled.saturating_add(AFTER_BOOT).is_ok_and(|at| at < period.end);
    let at = if enough { started.max(settled) } else { started };
    Run { period, at, why: Why::CatchUp }
}

fn retry(period: Period, record: &SlotRecord, now: Timestamp) -> Option<Run> {
    let attempt = usize::try_from(record.attempts).unwrap_or(usize::MAX);
    let minutes = PAUSES[attempt.min(PAUSES.len()) - 1];
    let at = match record.finished {
        Some(last) if last <= now => {
            last.saturating_add(SignedDuration::from_mins(minutes)).ok()?
        }
        // The clock was set back meanwhile.
        _ => now,
    };
    // A pause that would last beyond the end is cut short, once.
    let last = period.end.saturating_sub(LAST_TRY).ok()?;
    let cut_short = record.finished.is_some_and(|finished| last.duration_since(finished) >= PAUSE);
    let at = if at >= period.end && cut_short { last } else { at };
    (at < period.end).then_some(Run { period, at, why: Why::Retry(record.attempts) })
}

/// The slots whose period is over but that have no outcome yet: open ones that never succeeded,
/// and those that passed unseen. Oldest first. What was due when heptad last saw a clock that it
/// believed, and has `left` since, has its record, though that may be in memory no longer.
pub fn closable(facts: &Facts<'_>, left: Option<Timestamp>, now: Timestamp) -> Vec<SlotRecord> {
    let over = |record: &&SlotRecord| record.outcome.is_none() && record.end <= now;
    let mut found: Vec<SlotRecord> = facts.slots.values().filter(over).cloned().collect();
    // What a clock that was ahead took, says nothing of the days before it. Where nothing else is
    // in memory, all that passed before that was noticed has its records.
    let told = facts.slots.values().filter(|record| !facts.dating.is_doubted(record));
    let seen = told.map(|record| record.due).filter(|due| *due <= now).max();
    let noticed = facts.dating.rewound.map(|rewound| rewound.at.min(now));
    let begun = facts.timeline.phases().first().map(|phase| phase.from);
    let mut from = seen.or(noticed).or(begun).unwrap_or(now);
    if let Some(left) = left.filter(|left| *left <= now) {
        // But for the last one, which may have waited to be caught up.
        let last = facts.timeline.latest_due(left).map(|period| period.due);
        let before = last.and_then(|due| due.checked_sub(SECOND).ok());
        from = from.max(before.unwrap_or(left));
    }
    while let Some(period) = facts.timeline.next_due(from).filter(|period| period.end <= now) {
        if found.len() == MISSED_AT_MOST {
            break;
        }
        let unseen = facts.open(period).filter(|period| !facts.slots.contains_key(&period.slot));
        found.extend(unseen.map(SlotRecord::open));
        from = period.due;
    }
    found
}

/// Whether what waits for its turn may still be taken for its slot, though the period is over: it
/// is late only because another operation runs, and until the next slot is due no day is lost by
/// that.
pub fn may_wait(facts: &Facts<'_>, record: &SlotRecord, now: Timestamp) -> bool {
    facts.timeline.latest_due(now).is_none_or(|period| period.due <= record.due)
}

/// The record of the slot that fell due in the current period and has no snapshot, be it only now.
pub fn current(facts: &Facts<'_>, now: Timestamp) -> Option<SlotRecord> {
    let period = facts.current(now)?;
    Some(facts.slots.get(&period.slot).cloned().unwrap_or_else(|| SlotRecord::open(period)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::operation::{Failure, Fault};
    use crate::domain::policy::{Rhythm, When, Zone};
    use crate::domain::timeline::Phase;

    fn at(text: &str) -> Timestamp {
        format!("2026-11-{text}:00Z").parse().unwrap()
    }

    fn six_oclock() -> Timeline {
        let when = When::Daily("06:00".parse().unwrap());
        let rhythm = Rhythm { when, zone: Zone::UTC, offset: 0 };
        Timeline::new(vec![Phase { rhythm, from: at("01T00:00") }])
    }

    fn failed(attempts: u32, finished: &str) -> SlotRecord {
        let period = six_oclock().latest_due(at("22T06:00")).unwrap();
        SlotRecord {
            attempts,
            finished: Some(at(finished)),
            last_failure: Some(Failure::new(Fault::Transient, "io")),
            ..SlotRecord::open(period)
        }
    }

    fn check(name: &str, records: &[SlotRecord], started: &str, now: &str, want: (&str, Why)) {
        let slots = records.iter().map(|r| (r.slot, r.clone())).collect();
        let (timeline, started) = (six_oclock(), at(started));
        let settled = started + SignedDuration::from_mins(5);
        let taken = Days::default();
        let (running, queue) = (Some(OperationId(7)), &[OperationId(8)][..]);
        let facts = Facts {
            timeline: &timeline,
            slots: &slots,
            taken: &taken,
            dating: Dating::default(),
            running,
            queue,
        };
        let run = next(&facts, Beginning { started, settled }, at(now)).unwrap();
        assert_eq!((run.at, run.why), (at(want.0), want.1), "{name}");
    }

    #[test]
    fn a_slot_runs_when_due_or_is_caught_up_the_same_day_only() {
        check("ahead", &[], "20T00:00", "22T05:00", ("22T06:00", Why::Scheduled));
        check("due", &[], "20T00:00", "22T06:00", ("22T06:00", Why::Scheduled));
        check("late, as asleep", &[], "20T00:00", "22T09:00", ("22T06:00", Why::Scheduled));
        check("booted after it", &[], "22T09:00", "22T09:00", ("22T09:05", Why::CatchUp));
        check("booted the day after", &[], "23T05:00", "23T05:00", ("23T06:00", Why::Scheduled));
        // The day would be over before the wait is.
        check("booted at night", &[], "22T23:49", "22T23:49", ("22T23:54", Why::CatchUp));
        check("booted late", &[], "22T23:51", "22T23:51", ("22T23:51", Why::CatchUp));
        check("booted last", &[], "22T23:58", "22T23:58", ("22T23:58", Why::CatchUp));
    }

    #[test]
    fn a_slot_whose_snapshot_is_being_taken_or_waits_for_its_turn_is_no_retry() {
        for operation in [7, 8].map(OperationId) {
            let record = SlotRecord { operation: Some(operation), ..failed(2, "22T06:01") };
            check("first", &[record], "20T00:00", "22T06:02", ("23T06:00", Why::Scheduled));
        }
        let record = SlotRecord { operation: Some(OperationId(6)), ..failed(2, "22T06:01") };
        check("over", &[record], "20T00:00", "22T06:02", ("22T06:06", Why::Retry(2)));
    }

    #[test]
    fn a_failed_slot_is_tried_again_with_growing_pauses_until_the_day_ends() {
        let check = |attempts, finished, now, at, why| {
            check("retry", &[failed(attempts, finished)], "20T00:00", now, (at, why));
        };
        check(1, "22T06:00", "22T06:00", "22T06:01", Why::Retry(1));
        check(2, "22T06:01", "22T06:02", "22T06:06", Why::Retry(2));
        check(3, "22T06:06", "22T06:07", "22T06:21", Why::Retry(3));
        check(9, "22T22:30", "22T22:31", "22T23:30", Why::Retry(9));
        // The last one comes in time before the day ends, and only one does.
        check(10, "22T23:30", "22T23:31", "22T23:50", Why::Retry(10));
        check(10, "22T23:49", "22T23:49", "22T23:50", Why::Retry(10));
        check(11, "22T23:50", "22T23:51", "23T06:00", Why::Scheduled);
        check(2, "22T23:56", "22T23:56", "23T06:00", Why::Scheduled);
        // Set back since: that time may be hours away.
        check(1, "22T20:00", "22T12:00", "22T12:00", Why::Retry(1));
    }

    #[test]
    fn a_taken_slot_is_not_taken_again_even_when_the_clock_goes_back() {
        let taken = |day: &str| SlotRecord {
            outcome: Some(Outcome::Complete),
            ..SlotRecord::open(six_oclock().latest_due(at(day)).unwrap())
        };
        let records = [taken("22T07:00"), taken("23T07:00")];
        check("same day", &records[..1], "20T00:00", "22T07:00", ("23T06:00", Why::Scheduled));
        check("a day back", &records, "20T00:00", "22T05:00", ("24T06:00", Why::Scheduled));
    }

    #[test]
    fn slots_that_passed_are_closed_with_a_reason() {
        let outcomes = |records: &[SlotRecord], now: &str| {
            let slots = records.iter().map(|r| (r.slot, r.clone())).collect();
            let (timeline, taken) = (six_oclock(), Days::default());
            let facts = Facts {
                timeline: &timeline,
                slots: &slots,
                taken: &taken,
                dating: Dating::default(),
                running: None,
                queue: &[],
            };
            let closed = closable(&facts, None, at(now));
            let line = |r: &SlotRecord| format!("{} {}", r.slot, r.closing().word());
            closed.iter().map(line).collect::<Vec<_>>()
        };
        assert_eq!(outcomes(&[failed(3, "22T07:00")], "22T23:00"), [""; 0]);
        assert_eq!(outcomes(&[failed(3, "22T07:00")], "23T00:00"), ["2026-11-22 failed"]);
        assert_eq!(
            outcomes(&[failed(3, "22T07:00")], "25T08:00"),
            ["2026-11-22 failed", "2026-11-23 missed", "2026-11-24 missed"]
        );
    }
}
