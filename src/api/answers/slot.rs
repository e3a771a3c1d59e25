//! What became of each slot, and of a day without one.

use super::View;
use crate::api::wire;
use crate::domain::account::Account;
use crate::domain::schedule;
use crate::domain::slot_record::{Outcome, SlotRecord};
use crate::domain::view::{self, Mark};
use jiff::Timestamp;
use jiff::civil::Date;

pub(super) fn wire_mark(mark: Mark) -> wire::Mark {
    match mark {
        Mark::Complete => wire::Mark::Complete,
        Mark::Suspect => wire::Mark::Suspect,
        Mark::Failed => wire::Mark::Failed,
        Mark::Skipped => wire::Mark::Skipped,
        Mark::Missed => wire::Mark::Missed,
        Mark::Kept => wire::Mark::Kept,
        Mark::Running => wire::Mark::Running,
        Mark::None => wire::Mark::None,
    }
}

/// The instants that bound a civil day in the resource's zone.
pub(crate) fn bounds(account: &Account, day: Date) -> Option<(Timestamp, Timestamp)> {
    let rhythm = account.policy().rhythm;
    let start = |day: Date| schedule::instant(rhythm.zone.tz(), day.at(0, 0, 0, 0));
    Some((start(day)?, start(day.tomorrow().ok()?)?))
}

impl View<'_> {
    pub fn slot(&self, account: &Account, record: &SlotRecord) -> wire::Slot {
        let failure = || record.last_failure.as_ref().map(ToString::to_string);
        let reason = match &record.outcome {
            Some(outcome) => Some(outcome.reason().to_owned()).filter(|why| !why.is_empty()),
            None => failure(),
        };
        let reason = reason.map(|why| match view::mark(account, record) {
            Mark::Complete | Mark::Kept => format!("{why}; a person acknowledged it"),
            _ => why,
        });
        let snapshot = record.seq.and_then(|seq| account.snapshots.get(&seq));
        let attempt = record.operation.and_then(|id| self.ledger.operations.get(&id));
        let started = record.started.or(attempt.and_then(|attempt| attempt.started));
        wire::Slot {
            slot: record.slot.to_string(),
            due: record.due,
            end: record.end,
            mark: wire_mark(view::mark(account, record)),
            outcome: record.outcome.as_ref().map(Outcome::word).map(Into::into),
            reason,
            attempts: record.attempts,
            started,
            finished: record.finished,
            late_seconds: started.map(|at| at.duration_since(record.due).as_secs()),
            operation: record.operation.map(|id| id.0),
            snapshot: snapshot.map(|snapshot| snapshot.label()),
        }
    }

    /// The answer to "why" for one day.
    pub fn slots(&self, account: &Account, day: Date, records: &[SlotRecord]) -> wire::Slots {
        wire::Slots {
            resource: account.name().to_string(),
            day: day.to_string(),
            zone: account.policy().rhythm.zone.to_string(),
            slots: records.iter().map(|record| self.slot(account, record)).collect(),
            note: self.note(account, day, records),
        }
    }

    /// What will still come on a day, or why it has no slot.
    fn note(&self, account: &Account, day: Date, records: &[SlotRecord]) -> Option<String> {
        let (from, until) = bounds(account, day)?;
        let next = self.next_run(account).filter(|next| from <= next.due && next.due < until);
        if let Some(next) = next {
            let again = if next.retry > 0 { "will be tried again" } else { "is due" };
            let zone = account.policy().rhythm.zone;
            let at = next.at.to_zoned(zone.tz().clone()).strftime("%H:%M:%S %:z");
            return Some(format!("{} {again} at {at}", next.slot));
        }
        if !records.is_empty() {
            return None;
        }
        let begins = account.timeline.phases().first().map(|phase| phase.from);
        Some(if self.moment.now < from {
            "that day has not come yet".into()
        } else if until <= account.since {
            format!("heptad knows this resource since {}", account.since)
        } else if account.forgotten {
            "it is forgotten, so no slot fell due".into()
        } else if !account.declared {
            "it is not in the configuration, so no slot fell due".into()
        } else if !account.is_active() {
            "automatic snapshots are off, so no slot fell due".into()
        } else if account.timeline.was_off(from, until) {
            "automatic snapshots were off at its time".into()
        } else if begins.is_none_or(|begins| until <= begins) {
            "automatic snapshots were not switched on yet".into()
        } else {
            "no slot fell due on that day, or its record is no longer kept".into()
        })
    }
}
