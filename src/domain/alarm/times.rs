//! What is wrong with the time at which snapshots are taken, or are not.

use super::{Alarm, AlarmCode, LONG};
use crate::domain::account::{Account, STALE};
use crate::domain::ledger::Ledger;
use crate::domain::operation::Failure;
use crate::domain::payment;
use crate::domain::policy::When;
use crate::domain::slot_record::{Outcome, SlotRecord};
use crate::domain::view::Moment;
use jiff::{SignedDuration, Timestamp};

/// How late a slot of a slow cron rhythm may be: what [`STALE`] leaves beyond a day.
const LATE: SignedDuration = SignedDuration::from_hours(12);

pub(super) fn stale(account: &Account, moment: &Moment) -> Option<Alarm> {
    let now = moment.now;
    let first = account.timeline.phases().first().map(|phase| phase.from);
    let newest = account.newest_complete();
    // Off and on is no new beginning.
    let base = newest.unwrap_or(account.since.max(first.unwrap_or(account.since)));
    // By the clock and by time that heptad ran: a clock can be set back for ever.
    let ran = account.dating.without(moment.elapsed);
    let age = now.duration_since(base).max(ran);
    if !account.is_active() || age <= STALE {
        return None;
    }
    let daily = matches!(account.policy().rhythm.when, When::Daily(_));
    let awaited = account.timeline.next_due(base);
    let late =
        |due: Timestamp| now.duration_since(due).max(ran.saturating_sub(due.duration_since(base)));
    if !daily && awaited.is_some_and(|period| late(period.due) <= LATE) {
        return None;
    }
    let name = account.name();
    let sentence = match newest {
        Some(_) if age.as_hours() < 72 => {
            format!("no complete snapshot for {} hours", age.as_hours())
        }
        Some(_) => format!("no complete snapshot for {} days", age.as_hours() / 24),
        None => "there is no complete snapshot yet".to_owned(),
    };
    Some(Alarm::new(AlarmCode::Stale, sentence, format!("see `heptactl why {name}`")))
}

/// The days that ended without a snapshot since the newest complete one, or will for certain, as no
/// try is left or no try is of use.
pub(super) fn slot_lost(account: &Account, moment: &Moment) -> Option<Alarm> {
    if !account.is_active() {
        return None;
    }
    let next = account.next_run(moment.beginning(), moment.now);
    let explained = account.trouble.is_some() || account.stranger.is_some();
    let is_lost = |record: &&SlotRecord| match &record.outcome {
        Some(Outcome::Skipped(_)) if explained => false,
        Some(outcome) => !outcome.is_taken() && !outcome.is_wished() && !outcome.is_cancelled(),
        None if record.attempts == 0 || account.facts().is_under_way(record) => false,
        None if record.last_failure.as_ref().is_some_and(Failure::is_permanent) => true,
        None => next.is_none_or(|run| run.period.slot != record.slot),
    };
    let records = account.by_due();
    let since = records.iter().rev().filter(|record| record.due <= moment.now);
    let since = since.take_while(|record| record.outcome != Some(Outcome::Complete));
    let lost: Vec<&SlotRecord> = since.copied().filter(is_lost).collect();
    let newest = lost.first()?;
    let (name, slot) = (account.name(), newest.slot);
    let (word, why) = newest.ending();
    let more = match lost.len() {
        1 => String::new(),
        n => format!(", nor of {} before it", n - 1),
    };
    let sentence = format!("there is no snapshot of {slot} ({word}: {why}){more}");
    let coming = next.map(|run| {
        let at = run.at.to_zoned(account.policy().rhythm.zone.tz().clone());
        (run.period.slot == slot, at.strftime("%Y-%m-%d %H:%M %:z").to_string())
    });
    let again = match coming {
        Some((true, at)) => format!("mend that before the next try, {at}"),
        Some((false, at)) => format!("it is not tried again; the next run is {at}"),
        None => "it is not tried again".into(),
    };
    let hint = format!("{again}; see `heptactl why {name} {}`", account.day_of(newest));
    Some(Alarm::new(AlarmCode::SlotLost, sentence, hint))
}

pub(super) fn slow(ledger: &Ledger, account: &Account, now: Timestamp) -> Option<Alarm> {
    let operation = ledger.operations.get(&account.running?)?;
    let started = operation.started.filter(|_| operation.is_open())?;
    let age = now.duration_since(started);
    (age > LONG).then(|| {
        let (id, act, minutes) = (operation.id, operation.act.word(), age.as_mins());
        let sentence = format!("operation {id} ({act}) has been running for {minutes} min");
        Alarm::new(AlarmCode::Slow, sentence, format!("see `heptactl operation {id}`"))
    })
}

pub(super) fn denser(account: &Account) -> Option<Alarm> {
    // Once the slower rhythm rules again, they go as others of it come.
    account.held.filter(|held| held.calm.is_none())?;
    let held = account.candidates(&|_| false).iter().filter(|one| account.is_held(one.seq)).count();
    let (name, rhythm) = (account.name(), account.policy().rhythm);
    let (snapshots, they) = match held {
        0 => return None,
        1 => ("1 automatic snapshot".to_owned(), "it waits"),
        n => (format!("{n} automatic snapshots"), "they wait"),
    };
    let sentence = format!(
        "its rhythm is now {rhythm}, much denser than before: {snapshots} from before would soon be \
         rotated out, so {they} for you"
    );
    let hint = format!(
        "if the change is intended, `heptactl acknowledge {name}` lets them go one by one, and \
         `heptactl rotate {name}` puts them into the trash now; if not, change the rhythm back: they stay"
    );
    Some(Alarm::new(AlarmCode::RhythmDenser, sentence, hint))
}

pub(super) fn unpaid(account: &Account) -> Option<Alarm> {
    let surplus = payment::surplus(account);
    (account.payment.unpaid > 0 && surplus > 0 && account.doubt().is_none()).then(|| {
        let name = account.name();
        let sentence = format!(
            "{surplus} more automatic snapshots are kept than wanted: the clock was not synchronised, \
             and without that heptad lets old ones go only for time that it has run itself"
        );
        let hint = format!(
            "let NTP set the clock (see `timedatectl`); `heptactl rotate {name}` lets them go now"
        );
        Alarm::new(AlarmCode::Unpaid, sentence, hint)
    })
}
