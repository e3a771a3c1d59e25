//! The log of what is done: a sentence for each step, written after its intent is durable and
//! before its act, with fields beside it so that it can be searched.

use crate::api::{telling, wire};
use crate::domain::account::Account;
use crate::domain::event::Entry;
use crate::domain::ledger::Ledger;
use crate::domain::operation::{Act, Operation, State};
use crate::domain::slot_record::{Outcome, Run, SlotRecord, Why};
use crate::domain::snapshot::{Health, Snapshot};
use crate::domain::view::Moment;
use tracing::Level;

/// What was known before the turn whose records are told, and what is now.
pub(super) struct Seen<'a> {
    pub before: &'a Ledger,
    pub after: &'a Ledger,
    pub moment: Moment,
}

impl Seen<'_> {
    /// Tells each record that is news.
    pub(super) fn tell(&self, records: &[Entry]) {
        for record in records {
            match record {
                Entry::Operation(operation) => self.tell_operation(operation),
                Entry::Slot(resource, record) => {
                    if let (Some(account), Some(outcome)) =
                        (self.after.account(resource), &record.outcome)
                        && self.is_new(account, record)
                    {
                        tell_slot(account, record, outcome);
                    }
                }
                Entry::Snapshot(snapshot) => self.tell_snapshot(snapshot),
                Entry::Account(account) => self.tell_trouble(account, records),
                Entry::SnapshotErased(..) | Entry::AccountErased(_) | Entry::Clock { .. } => {}
            }
        }
    }

    fn tell_operation(&self, operation: &Operation) {
        let told = telling::operation(self.ledger_of(operation), operation);
        let (level, sentence) = match self.who_stops(operation) {
            Some(uid) => (Level::INFO, stopping(&told, uid)),
            None => step(&told, self.next_try(operation).as_deref()),
        };
        let wire::Operation { id, resource, act, cause, uid, snapshot, .. } = &told;
        let (id, seq) = (*id, operation.act.seq().map(|seq| seq.0));
        let slot = slot_of(operation);
        // What is `None` is left out.
        let failure = told.failure.as_ref();
        let reason = failure.map(|failure| failure.message.as_str());
        match level {
            Level::WARN => {
                let fault = failure.map(|failure| failure.fault.as_str());
                let output = told.output.as_str();
                tracing::warn!(
                    operation = id,
                    resource,
                    act,
                    cause,
                    snapshot,
                    slot,
                    seq,
                    uid,
                    fault,
                    reason,
                    output,
                    "{sentence}"
                );
            }
            Level::DEBUG => tracing::debug!(
                operation = id,
                resource,
                act,
                cause,
                snapshot,
                slot,
                seq,
                uid,
                "{sentence}"
            ),
            _ => tracing::info!(
                operation = id,
                resource,
                act,
                cause,
                snapshot,
                slot,
                seq,
                uid,
                reason,
                "{sentence}"
            ),
        }
    }

    /// Who asked in this turn that it stops.
    fn who_stops(&self, operation: &Operation) -> Option<u32> {
        let known = self.before.operations.get(&operation.id);
        let is_new = known.is_none_or(|known| known.cancel_asked_by.is_none());
        operation.cancel_asked_by.filter(|_| is_new && operation.is_open())
    }

    /// What is gone after the turn is called as it was called before.
    fn ledger_of(&self, operation: &Operation) -> &Ledger {
        let resource = &operation.resource;
        let known = match operation.act.seq() {
            Some(seq) => self.after.snapshot(resource, seq).is_some(),
            None => self.after.account(resource).is_some(),
        };
        if known { self.after } else { self.before }
    }

    /// When a failed slot is tried again, or that it is not.
    fn next_try(&self, operation: &Operation) -> Option<String> {
        let (State::Failed(_), Act::Take { slot: Some(slot), .. }) =
            (&operation.state, &operation.act)
        else {
            return None;
        };
        let account = self.after.account(&operation.resource)?;
        let run = account.next_run(self.moment.beginning(), self.moment.now);
        Some(match run {
            Some(Run { period, at, why: Why::Retry(_) }) if period.slot == *slot => {
                let zone = account.policy().rhythm.zone.tz().clone();
                format!("it is tried again at {}", at.to_zoned(zone).strftime("%H:%M"))
            }
            _ => "it is not tried again".into(),
        })
    }

    /// Whether that outcome was not there before.
    fn is_new(&self, account: &Account, record: &SlotRecord) -> bool {
        let known = self.before.account(account.name()).and_then(|a| a.slots.get(&record.slot));
        known.is_none_or(|known| known.outcome != record.outcome)
    }

    /// What became of a snapshot behind heptad's back.
    fn tell_snapshot(&self, snapshot: &Snapshot) {
        let Snapshot { resource, health, .. } = snapshot;
        let known = self.before.snapshot(resource, snapshot.seq());
        if known.is_some_and(|known| known.health == *health) {
            return;
        }
        let what = match health {
            Health::Missing => "is gone, and heptad did not delete it",
            Health::Tampered => "was changed behind heptad's back; it counts no more",
            Health::Taking | Health::Complete | Health::Suspect(_) => return,
        };
        let (label, seq) = (snapshot.label(), snapshot.seq().0);
        tracing::warn!(%resource, snapshot = label, seq, "{resource}: {label} {what}");
    }

    /// What a look at the resource showed, unless an operation that failed by it tells the same.
    fn tell_trouble(&self, account: &Account, records: &[Entry]) {
        let resource = account.name();
        let before = self.before.account(resource);
        let told = |trouble: &str| {
            records.iter().any(|record| match record {
                Entry::Operation(Operation { resource: of, state: State::Failed(why), .. }) => {
                    of == resource && why.message == trouble
                }
                _ => false,
            })
        };
        match (before.and_then(|before| before.trouble.as_deref()), account.trouble.as_deref()) {
            (known, Some(reason)) if known != Some(reason) && !told(reason) => {
                tracing::warn!(%resource, reason, "{resource}: it cannot be snapshotted now: {reason}");
            }
            (Some(_), None) => tracing::info!(%resource, "{resource}: it can be snapshotted again"),
            _ => {}
        }
    }
}

fn slot_of(operation: &Operation) -> Option<String> {
    match &operation.act {
        Act::Take { slot, .. } => slot.map(|slot| slot.to_string()),
        _ => None,
    }
}

/// How loud a step is told, and the sentence.
fn step(told: &wire::Operation, next_try: Option<&str>) -> (Level, String) {
    let around = around(told);
    // Bookkeeping: nothing that a person asked for or misses.
    let level = if told.act == "mark" { Level::DEBUG } else { Level::INFO };
    match told.state {
        wire::OperationState::Queued => {
            (Level::DEBUG, format!("{} ({around})", telling::ending(told)))
        }
        wire::OperationState::Running => {
            (level, format!("{} ({around})", telling::beginning(told)))
        }
        wire::OperationState::Failed if telling::is_cancelled(told) => {
            let when = if told.tries == 0 { " before it had begun" } else { "" };
            (Level::INFO, format!("{}{when} ({around})", telling::failing(told)))
        }
        wire::OperationState::Failed => {
            let next = next_try.map(|next| format!("; {next}")).unwrap_or_default();
            (Level::WARN, format!("{}{next} ({around})", telling::failing(told)))
        }
        wire::OperationState::Succeeded => (level, format!("{} ({around})", telling::ending(told))),
    }
}

/// That somebody asked what has begun to stop.
fn stopping(told: &wire::Operation, uid: u32) -> String {
    let (resource, title, id) = (&told.resource, telling::title(told), told.id);
    format!("{resource}: {title} shall stop, asked by uid {uid} (operation {id})")
}

/// Why, by whom, how long: `asked by uid 1000, operation 7, 12 s`.
fn around(told: &wire::Operation) -> String {
    let why = match (told.uid, told.cause.as_str()) {
        (Some(uid), _) => Some(format!("asked by uid {uid}")),
        (None, _) if told.act == "destroy" => told.detail.clone(),
        (None, "schedule") => Some("it was due".into()),
        (None, "catch-up") => Some("missed before, caught up".into()),
        (None, "retry") => Some("tried again".into()),
        (None, "recovery") => Some("left undone before".into()),
        (None, cause) => Some(cause.into()),
    };
    let (start, end) = (told.started.unwrap_or(told.created), told.finished);
    let seconds = end.map(|end| end.duration_since(start).as_secs()).filter(|seconds| *seconds > 0);
    let parts = [
        why,
        Some(format!("operation {}", told.id)),
        (told.tries > 1).then(|| format!("begun {} times", told.tries)),
        seconds.map(|seconds| format!("{seconds} s")),
    ];
    parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
}

/// How a slot ended, for good.
fn tell_slot(account: &Account, record: &SlotRecord, outcome: &Outcome) {
    let resource = account.name();
    let sentence = ending(account, record, outcome);
    let (slot, attempts, reason) = (record.slot.to_string(), record.attempts, outcome.reason());
    let word = outcome.word();
    match outcome {
        // Its taking was told.
        Outcome::Complete => {
            tracing::debug!(%resource, slot, outcome = word, attempts, "{sentence}");
        }
        skipped if skipped.is_wished() || skipped.is_cancelled() => {
            tracing::info!(%resource, slot, outcome = word, reason, attempts, "{sentence}");
        }
        _ => tracing::warn!(%resource, slot, outcome = word, reason, attempts, "{sentence}"),
    }
}

fn ending(account: &Account, record: &SlotRecord, outcome: &Outcome) -> String {
    let (resource, slot) = (account.name(), record.slot);
    match outcome {
        Outcome::Complete => format!("{resource}: {slot} has its snapshot"),
        Outcome::Suspect(why) => format!(
            "{resource}: {resource}@{slot} is suspect: {why}; rotation waits: look at it, then \
             `heptactl acknowledge {resource}`"
        ),
        Outcome::Failed(why) | Outcome::Skipped(why) | Outcome::Missed(why) => {
            format!("{resource}: no snapshot for {slot}, {}: {why}", outcome.word())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::operation::{Cause, Doom, Failure, Fault};
    use crate::domain::sample::{self, Builder, moment};
    use crate::domain::snapshot::{Part, Seq};
    use crate::domain::tag::Tags;
    use std::sync::Arc;

    fn ledger(account: Account) -> Ledger {
        let mut ledger = Ledger::default();
        ledger.accounts.insert(account.name().clone(), Arc::new(account));
        ledger
    }

    /// The level and the sentence of an operation, with what is said of another try.
    fn told(act: Act, cause: Cause, state: State, next_try: Option<&str>) -> (Level, String) {
        let ledger = ledger(Builder::daily().complete(20..=22).account());
        let operation = Operation { cause, ..sample::operation(act, state) };
        step(&telling::operation(&ledger, &operation), next_try)
    }

    fn take(slot: &str) -> Act {
        let slot = Some(slot.parse().unwrap());
        Act::Take { seq: Seq(9), slot, name: None, tags: Tags::new(), part: Part::Whole }
    }

    #[test]
    fn each_step_names_resource_snapshot_reason_and_who_asked() {
        let full = || State::Failed(Failure::new(Fault::NoSpace, "the store is full"));
        let check = |act, cause, state, level, want: &str| {
            let next_try = Some("it is tried again at 12:01");
            let next_try = next_try.filter(|_| matches!(act, Act::Take { .. }));
            assert_eq!(told(act, cause, state, next_try), (level, want.to_owned()));
        };
        let (due, asked) = (Cause::Schedule, Cause::Peer(1000));
        let slot = "2026-11-23";
        check(take(slot), due, State::Queued, Level::DEBUG, {
            "web-1: take web-1@2026-11-23 is queued as operation 7 (it was due, operation 7)"
        });
        check(take(slot), due, State::Running, Level::INFO, {
            "web-1: taking web-1@2026-11-23 (it was due, operation 7)"
        });
        check(take(slot), Cause::Retry(1), State::Succeeded, Level::INFO, {
            "web-1: took web-1@2026-11-23 (tried again, operation 7, 12 s)"
        });
        check(take(slot), due, full(), Level::WARN, {
            "web-1: take web-1@2026-11-23 failed: the store is full; it is tried again at 12:01 \
             (it was due, operation 7, 12 s)"
        });
        let why = Doom::Rotated { paid_by: Seq(3) };
        check(Act::Destroy { seq: Seq(1), why }, Cause::Rotation, State::Succeeded, Level::INFO, {
            "web-1: web-1@2026-11-20 is deleted for good (rotated out for web-1@2026-11-22, \
             operation 7, 12 s)"
        });
        check(Act::Trash { seq: Seq(1) }, asked, State::Running, Level::INFO, {
            "web-1: putting web-1@2026-11-20 into the trash (asked by uid 1000, operation 7)"
        });
        check(Act::Mark { seq: Seq(1) }, asked, full(), Level::WARN, {
            "web-1: mark web-1@2026-11-20 failed: the store is full (asked by uid 1000, \
             operation 7, 12 s)"
        });
        check(Act::Mark { seq: Seq(1) }, asked, State::Running, Level::DEBUG, {
            "web-1: noting beside web-1@2026-11-20 what is known of it (asked by uid 1000, \
             operation 7)"
        });
    }

    #[test]
    fn who_wanted_something_to_stop_is_named_and_whether_it_had_begun() {
        let ledger = ledger(Builder::daily().account());
        let cancelled = || State::Failed(Failure::new(Fault::Cancelled, "cancelled by uid 7"));
        let of = |state, tries| {
            let operation = sample::operation(take("2026-11-23"), state);
            Operation { tries, cancel_asked_by: (tries > 0).then_some(7), ..operation }
        };
        let check = |operation: Operation, want: &str| {
            let told = telling::operation(&ledger, &operation);
            assert_eq!(step(&told, None), (Level::INFO, want.to_owned()));
        };
        check(of(cancelled(), 0), {
            "web-1: take web-1@2026-11-23 was cancelled by uid 7 before it had begun (asked by uid \
             1000, operation 7, 12 s)"
        });
        check(of(cancelled(), 1), {
            "web-1: take web-1@2026-11-23 was cancelled by uid 7 (asked by uid 1000, operation 7, 12 s)"
        });
        let asked = of(State::Running, 1);
        let told = telling::operation(&ledger, &asked);
        let before = Ledger::default();
        let seen = Seen { before: &before, after: &ledger, moment: moment("23T12:00") };
        assert_eq!(seen.who_stops(&asked), Some(7));
        assert_eq!(stopping(&told, 7), {
            "web-1: take web-1@2026-11-23 shall stop, asked by uid 7 (operation 7)"
        });
        let mut before = Ledger::default();
        before.put_operation(&asked);
        assert_eq!(Seen { before: &before, ..seen }.who_stops(&asked), None, "told once");
    }

    #[test]
    fn the_end_of_a_slot_without_a_snapshot_says_which_and_why() {
        let account = Builder::daily().slot(22, None).account();
        let record = account.slots.values().next().unwrap().clone();
        let check = |outcome: Outcome, want: &str| {
            assert_eq!(ending(&account, &record, &outcome), format!("web-1: {want}"));
        };
        check(Outcome::Failed("the store is full".into()), {
            "no snapshot for 2026-11-22, failed: the store is full"
        });
        check(Outcome::Missed("heptad was not running".into()), {
            "no snapshot for 2026-11-22, missed: heptad was not running"
        });
        check(Outcome::Suspect("it is empty".into()), {
            "web-1@2026-11-22 is suspect: it is empty; rotation waits: look at it, then `heptactl \
             acknowledge web-1`"
        });
    }

    #[test]
    fn what_is_gone_after_the_turn_is_called_as_it_was_before() {
        let before = ledger(Builder::daily().complete(20..=22).account());
        let after = ledger(Builder::daily().account());
        let why = Doom::TrashExpired;
        let gone = sample::operation(Act::Destroy { seq: Seq(1), why }, State::Succeeded);
        let seen = Seen { before: &before, after: &after, moment: moment("23T12:00") };
        let told = telling::operation(seen.ledger_of(&gone), &gone);
        assert_eq!(told.snapshot.as_deref(), Some("web-1@2026-11-20"));
    }
}
