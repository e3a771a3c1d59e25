//! What a person must hear of: alarms of the daemon and of each resource, each with a way out.
//! Derived from the account each time; an alarm ends when its cause does.

use super::account::{Account, STALE};
use super::clock::Belief;
use super::ledger::Ledger;
use super::marking;
use super::operation::{Act, Failure, State};
use super::payment;
use super::policy::When;
use super::slot_record::{Outcome, SlotRecord};
use super::snapshot::{Fate, Health, Snapshot};
use super::survey::Elsewhere;
use super::view::Moment;
use jiff::{SignedDuration, Timestamp};
use std::sync::Arc;

/// An operation that runs longer than this is in alarm.
pub const LONG: SignedDuration = SignedDuration::from_hours(1);

/// How late a slot of a slow cron rhythm may be: what [`STALE`] leaves beyond a day.
const LATE: SignedDuration = SignedDuration::from_hours(12);

/// Something a person should know of, and the way out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alarm {
    pub code: AlarmCode,
    pub sentence: String,
    pub hint: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum AlarmCode {
    /// No complete snapshot for too long.
    Stale,
    /// A slot ended without one, and there was no complete one since.
    SlotLost,
    /// A suspect snapshot stops rotation.
    Suspect,
    /// This daemon is not allowed what a snapshot of it needs.
    NotAllowed,
    /// Another identity is in the resource's place.
    Stranger,
    /// The backend could not reach it the last time.
    Trouble,
    /// A snapshot is gone that heptad did not delete.
    Missing,
    /// A snapshot was changed behind heptad's back.
    Tampered,
    /// A snapshot could not be destroyed, again.
    Stuck,
    /// What is known of a snapshot cannot be written beside it.
    Unmarked,
    /// An operation runs for longer than [`LONG`].
    Slow,
    /// It left the configuration and was not forgotten.
    Undeclared,
    /// Nobody here knows its time zone.
    ZoneLost,
    /// What a much slower rhythm made is held until a person says that it may go.
    RhythmDenser,
    /// More are kept than wanted, because nobody knows that time has passed.
    Unpaid,
    ClockDoubted,
    CatalogueFrozen,
}

impl AlarmCode {
    pub const ALL: [AlarmCode; 17] = [
        AlarmCode::Stale,
        AlarmCode::SlotLost,
        AlarmCode::Suspect,
        AlarmCode::NotAllowed,
        AlarmCode::Stranger,
        AlarmCode::Trouble,
        AlarmCode::Missing,
        AlarmCode::Tampered,
        AlarmCode::Stuck,
        AlarmCode::Unmarked,
        AlarmCode::Slow,
        AlarmCode::Undeclared,
        AlarmCode::ZoneLost,
        AlarmCode::RhythmDenser,
        AlarmCode::Unpaid,
        AlarmCode::ClockDoubted,
        AlarmCode::CatalogueFrozen,
    ];

    /// The stable word.
    pub fn word(self) -> &'static str {
        match self {
            AlarmCode::Stale => "stale",
            AlarmCode::SlotLost => "slot-lost",
            AlarmCode::Suspect => "suspect",
            AlarmCode::NotAllowed => "not-allowed",
            AlarmCode::Stranger => "identity-changed",
            AlarmCode::Trouble => "trouble",
            AlarmCode::Missing => "missing",
            AlarmCode::Tampered => "tampered",
            AlarmCode::Stuck => "stuck",
            AlarmCode::Unmarked => "unmarked",
            AlarmCode::Slow => "slow",
            AlarmCode::Undeclared => "undeclared",
            AlarmCode::ZoneLost => "zone-lost",
            AlarmCode::RhythmDenser => "rhythm-denser",
            AlarmCode::Unpaid => "clock-unsynchronised",
            AlarmCode::ClockDoubted => "clock-doubted",
            AlarmCode::CatalogueFrozen => "catalogue-frozen",
        }
    }
}

impl Alarm {
    fn new(code: AlarmCode, sentence: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { code, sentence: sentence.into(), hint: hint.into() }
    }

    /// The daemon's own: nothing can be recorded, so nothing is changed.
    pub fn catalogue_frozen(reason: &str) -> Self {
        let sentence = format!("the catalogue cannot be written ({reason}); nothing changes");
        Self::new(
            AlarmCode::CatalogueFrozen,
            sentence,
            "make room on the disk of the state directory; if that does not end it, restart heptad",
        )
    }
}

/// The alarms of the daemon that the moment shows.
pub fn clock_alarm(moment: &Moment) -> Option<Alarm> {
    let sentence = match moment.belief {
        Belief::Trusted => return None,
        Belief::Doubted => {
            "the clock shows a time that lies before a known one; nothing automatic is \
             taken until it is synchronised, for 15 minutes at most"
        }
        Belief::Tolerated => {
            "the clock shows a time that lies before a known one; \
                              snapshots are taken, but their dates may be wrong"
        }
    };
    let hint = "see `timedatectl`; set the clock or let NTP set it";
    Some(Alarm::new(AlarmCode::ClockDoubted, sentence, hint))
}

/// The alarms of one resource, by code. A forgotten one has none.
pub fn alarms(ledger: &Ledger, account: &Account, moment: &Moment) -> Vec<Alarm> {
    if account.forgotten {
        return Vec::new();
    }
    let mut found: Vec<Alarm> = [
        stale(account, moment),
        slot_lost(account, moment),
        doubt(account),
        barred(account),
        trouble(account),
        lost(account, AlarmCode::Missing),
        lost(account, AlarmCode::Tampered),
        stuck(ledger, account),
        unmarked(ledger, account),
        slow(ledger, account, moment.now),
        undeclared(account),
        zone_lost(account),
        denser(account),
        unpaid(account),
    ]
    .into_iter()
    .flatten()
    .collect();
    found.sort_by_key(|alarm| alarm.code);
    found
}

fn stale(account: &Account, moment: &Moment) -> Option<Alarm> {
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
fn slot_lost(account: &Account, moment: &Moment) -> Option<Alarm> {
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

fn doubt(account: &Account) -> Option<Alarm> {
    let why = account.doubt()?;
    let name = account.name();
    let code = match account.stranger {
        Some(_) => AlarmCode::Stranger,
        None => AlarmCode::Suspect,
    };
    let hint = match code {
        AlarmCode::Stranger => format!(
            "if it was made anew, `heptactl acknowledge {name}`; if something else is mounted there, \
             bring the right one back"
        ),
        _ => format!("look at it, then `heptactl acknowledge {name}` if the change is intended"),
    };
    Some(Alarm::new(code, format!("{why}; rotation waits"), hint))
}

fn barred(account: &Account) -> Option<Alarm> {
    let barred = account.barred.as_ref().filter(|_| account.is_active())?;
    let sentence = format!("no snapshot of it can be taken: {}", barred.why);
    Some(Alarm::new(AlarmCode::NotAllowed, sentence, barred.way_out.clone()))
}

/// What stands in the way, but where something else is in its place: that has an alarm of its own.
fn trouble(account: &Account) -> Option<Alarm> {
    if account.stranger.is_some() {
        return None;
    }
    let name = account.name();
    let Some(why) = account.trouble.as_ref() else {
        let why = account.failed_by_hand.as_ref().filter(|_| account.is_active())?;
        let sentence = format!("the last snapshot by hand failed: {why}");
        let hint = format!("mend that, then `heptactl take {name}`");
        return Some(Alarm::new(AlarmCode::Trouble, sentence, hint));
    };
    let stays = "nothing of it is rotated meanwhile";
    // It says itself what to type.
    if why.contains("umount ") {
        return Some(Alarm::new(AlarmCode::Trouble, why.clone(), stays));
    }
    let newest = account.newest_usable().map(|newest| newest.label());
    let again = newest.map(|newest| {
        format!(
            "; if it is lost, `heptactl rollback {name} --to {newest}` says how to make it again"
        )
    });
    let again = again.unwrap_or_default();
    let hint = format!("{stays}; mount or start it, or correct its configuration{again}");
    Some(Alarm::new(AlarmCode::Trouble, why.clone(), hint))
}

fn lost(account: &Account, code: AlarmCode) -> Option<Alarm> {
    let (health, what) = match code {
        AlarmCode::Missing => {
            (Health::Missing, "not in the store any more, and heptad did not delete it:")
        }
        _ => (Health::Tampered, "changed behind heptad's back:"),
    };
    let of_it = |s: &&Arc<Snapshot>| s.health == health && s.fate == Fate::Live;
    let labels: Vec<String> = account.snapshots.values().filter(of_it).map(|s| s.label()).collect();
    let first = labels.first()?;
    if let (AlarmCode::Missing, Some(elsewhere)) = (code, &account.elsewhere) {
        return Some(moved(&labels, elsewhere));
    }
    let sentence = match labels.len() {
        1 => format!("{what} {first}"),
        n => format!("{what} {first} and {} more", n - 1),
    };
    let hint = match code {
        AlarmCode::Missing => format!(
            "was its store moved, or is its disk not mounted? Then put that right; if it is lost for \
             good, `heptactl delete {first}` takes it off the list"
        ),
        _ => format!("do not trust it; `heptactl delete {first}` puts it in the trash"),
    };
    Some(Alarm::new(code, sentence, hint))
}

/// They are not gone: nobody should take them off the list.
fn moved(labels: &[String], elsewhere: &Elsewhere) -> Alarm {
    let Elsewhere { before, now } = elsewhere;
    let which = match labels {
        [one] => format!("{one} lies"),
        _ => format!("{} snapshots lie", labels.len()),
    };
    let sentence = format!("its store was changed to {now}, and {which} unharmed in {before}");
    let hint = format!(
        "set `store` back and `heptactl reload`; or stop heptad, move what is in {before} to {now}, and \
         start it; do not delete them here"
    );
    Alarm::new(AlarmCode::Missing, sentence, hint)
}

/// The oldest snapshot whose destruction failed more than once and waits for the next look.
fn stuck(ledger: &Ledger, account: &Account) -> Option<Alarm> {
    let doomed = account.snapshots.values().filter(|s| s.fate.is_doomed());
    doomed.into_iter().find_map(|snapshot| {
        let tries = ledger.operations.values().filter(|operation| {
            let destroys =
                matches!(operation.act, Act::Destroy { seq, .. } if seq == snapshot.seq());
            destroys && operation.resource == *account.name()
        });
        let failures = tries.filter_map(|operation| match &operation.state {
            State::Failed(failure) => Some((operation.id, failure)),
            _ => None,
        });
        let failures: Vec<_> = failures.collect();
        let (id, failure) = failures.last().filter(|_| failures.len() > 1)?;
        let (label, times) = (snapshot.label(), failures.len());
        let sentence =
            format!("{label} could not be destroyed in {times} tries: {}", failure.message);
        let hint = format!("it is tried again every hour; see `heptactl operation {id}`");
        Some(Alarm::new(AlarmCode::Stuck, sentence, hint))
    })
}

/// Without its mark a lost catalogue would lose what is known of a snapshot.
fn unmarked(ledger: &Ledger, account: &Account) -> Option<Alarm> {
    let (snapshot, tried) = marking::unmarked(ledger, account)?;
    let (label, times, why) = (snapshot.label(), tried.times, &tried.failure.message);
    let sentence = format!(
        "what heptad knows of {label} cannot be written beside it, in {times} tries: {why}; should \
         the catalogue be lost, that is lost too"
    );
    let hint = format!(
        "make its store writable; it is tried again with growing pauses, see `heptactl operation {}`",
        tried.last.id
    );
    Some(Alarm::new(AlarmCode::Unmarked, sentence, hint))
}

fn slow(ledger: &Ledger, account: &Account, now: Timestamp) -> Option<Alarm> {
    let operation = ledger.operations.get(&account.running?)?;
    let started = operation.started.filter(|_| operation.is_open())?;
    let age = now.duration_since(started);
    (age > LONG).then(|| {
        let (id, act, minutes) = (operation.id, operation.act.word(), age.as_mins());
        let sentence = format!("operation {id} ({act}) has been running for {minutes} min");
        Alarm::new(AlarmCode::Slow, sentence, format!("see `heptactl operation {id}`"))
    })
}

fn undeclared(account: &Account) -> Option<Alarm> {
    let name = account.name();
    (!account.declared).then(|| {
        Alarm::new(
            AlarmCode::Undeclared,
            "it is no longer in the configuration: its snapshots stay, and no new ones are taken",
            format!("declare it again, or `heptactl forget {name}`"),
        )
    })
}

fn zone_lost(account: &Account) -> Option<Alarm> {
    let zone = account.policy().rhythm.zone;
    (zone.is_lost() && account.is_active()).then(|| {
        let sentence = format!("this host does not know the time zone {zone}; it goes by UTC");
        let hint = "`heptad check` names the line and what to write; or install the host's zone \
                    database (packages tzdata, tzdata-legacy); then restart heptad";
        Alarm::new(AlarmCode::ZoneLost, sentence, hint)
    })
}

fn denser(account: &Account) -> Option<Alarm> {
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

fn unpaid(account: &Account) -> Option<Alarm> {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::id::OperationId;
    use crate::domain::operation::{Cause, Doom, Failure, Fault, Operation};
    use crate::domain::rotation::Held;
    use crate::domain::sample::{Builder, at, moment};
    use crate::domain::snapshot::{Seq, Thrown};

    fn change(account: &mut Account, seq: u64, change: impl FnOnce(&mut Snapshot)) {
        change(Arc::make_mut(account.snapshots.get_mut(&Seq(seq)).unwrap()));
    }

    fn codes(account: &Account, now: &str) -> Vec<&'static str> {
        let found = alarms(&Ledger::default(), account, &moment(now));
        found.iter().map(|alarm| alarm.code.word()).collect()
    }

    #[test]
    fn thirty_six_hours_without_a_complete_one_are_an_alarm() {
        let check = |account: Account, now: &str, want: &[&str]| {
            assert_eq!(codes(&account, now), want, "at {now}");
        };
        let taken = || Builder::daily().complete(20..=20);
        check(taken().account(), "21T18:00", &[]);
        check(taken().account(), "21T18:01", &["stale"]);
        check(Builder::daily().account(), "02T12:00", &[]);
        check(Builder::daily().account(), "02T12:01", &["stale"]);
        check(taken().but(|a| a.wish.enabled = Some(false)).account(), "25T00:00", &[]);
        // A suspect one is not complete.
        check(taken().suspect(21).account(), "21T18:01", &["stale", "suspect"]);
    }

    #[test]
    fn time_that_heptad_ran_without_a_complete_one_counts_whatever_the_clock_does() {
        let check = |hours: i64, want: &[&str]| {
            let mut account = Builder::daily().complete(20..=22).account();
            account.dating.completed = Some(SignedDuration::from_hours(100));
            let elapsed = SignedDuration::from_hours(hours);
            let moment = Moment { elapsed, ..moment("22T07:00") };
            let found = alarms(&Ledger::default(), &account, &moment);
            let codes: Vec<_> = found.iter().map(|alarm| alarm.code.word()).collect();
            assert_eq!(codes, want, "{hours} h");
        };
        check(101, &[]);
        check(136, &[]);
        check(137, &["stale"]);
    }

    #[test]
    fn off_and_on_is_no_new_beginning_and_a_slow_rhythm_is_judged_by_its_own_slots() {
        let again = |now: &str| {
            let again = Builder::daily().complete(2..=2).but(|account| {
                let stopped = account.timeline.clone().stopped(at("02T12:00"));
                account.timeline = stopped.resumed(at(now));
            });
            codes(&again.account(), now)
        };
        assert_eq!(again("03T18:00"), [""; 0]);
        assert_eq!(again("03T18:01"), ["stale"]);
        // Sundays; the 15th is one.
        let weekly = Builder::with(When::Cron("0 6 * * SUN".parse().unwrap()));
        let weekly = weekly.complete(15..=15).account();
        assert_eq!(codes(&weekly, "22T18:00"), [""; 0]);
        assert_eq!(codes(&weekly, "22T18:01"), ["stale"]);
    }

    #[test]
    fn each_trouble_has_its_alarm_and_a_forgotten_resource_has_none() {
        let check = |want: &[&str], alter: &dyn Fn(&mut Account)| {
            let mut account = Builder::daily().complete(20..=22).account();
            alter(&mut account);
            assert_eq!(codes(&account, "22T12:00"), want);
            account.forgotten = true;
            assert_eq!(codes(&account, "22T12:00"), [""; 0]);
        };
        check(&[], &|_| {});
        check(&["identity-changed"], &|a| a.stranger = Some("uuid".into()));
        check(&["trouble"], &|a| a.trouble = Some("not mounted".into()));
        check(&["missing"], &|a| change(a, 1, |s| s.health = Health::Missing));
        check(&["tampered"], &|a| change(a, 1, |s| s.health = Health::Tampered));
        check(&["undeclared"], &|a| a.declared = false);
        let few = |a: &mut Account| a.resource.policy.retention.latest = 2;
        check(&[], &few);
        check(&[], &|a| a.payment.unpaid = 1);
        let held = |calm| Some(Held { seq: Seq(2), reach: SignedDuration::ZERO, calm });
        check(&["rhythm-denser"], &|a| a.held = held(None));
        check(&[], &|a| a.held = held(Some(Seq(3))));
        check(&["clock-unsynchronised"], &|a| {
            few(a);
            a.payment.unpaid = 1;
        });
        let both = |s: &mut Snapshot| {
            (s.health, s.fate) = (
                Health::Missing,
                Fate::Trashed { until: SignedDuration::ZERO, why: Thrown::Asked },
            );
        };
        check(&[], &|a| change(a, 1, both));
    }

    fn operation(id: u64, act: Act, state: State) -> Operation {
        Operation {
            id: OperationId(id),
            resource: Builder::daily().account().name().clone(),
            act,
            cause: Cause::Recovery,
            key: None,
            created: at("22T09:00"),
            started: Some(at("22T10:00")),
            finished: None,
            state,
            tries: 1,
            cancel_asked_by: None,
            output: String::new(),
        }
    }

    #[test]
    fn a_destruction_that_keeps_failing_is_an_alarm_until_it_succeeds() {
        let mut account = Builder::daily().complete(20..=22).account();
        let mut ledger = Ledger::default();
        let destroy = |seq| Act::Destroy { seq: Seq(seq), why: Doom::Asked };
        let failed = || State::Failed(Failure::new(Fault::Busy, "somebody holds it"));
        let mut check = |id, act, state, account: &Account, want: &[&str]| {
            ledger.put_operation(&operation(id, act, state));
            let found = alarms(&ledger, account, &moment("22T12:00"));
            let codes: Vec<&str> = found.iter().map(|alarm| alarm.code.word()).collect();
            assert_eq!(codes, want, "after {id}");
        };
        change(&mut account, 1, |s| s.fate = Fate::Doomed { from_trash: None });
        check(1, destroy(1), failed(), &account, &[]);
        check(2, destroy(2), failed(), &account, &[]);
        check(3, destroy(1), failed(), &account, &["stuck"]);
        change(&mut account, 1, |s| s.fate = Fate::Live);
        check(4, Act::Survey, State::Succeeded, &account, &[]);
        account.snapshots.remove(&Seq(1));
        check(5, destroy(1), State::Succeeded, &account, &[]);
    }

    #[test]
    fn an_operation_of_more_than_an_hour_is_an_alarm() {
        let account = Builder::daily().complete(22..=22).but(|a| a.running = Some(OperationId(7)));
        let account = account.account();
        let operation = operation(7, Act::Survey, State::Running);
        let mut ledger = Ledger::default();
        ledger.put_operation(&operation);
        let codes = |now| alarms(&ledger, &account, &moment(now)).len();
        assert_eq!((codes("22T11:00"), codes("22T11:01")), (0, 1));
    }

    #[test]
    fn a_doubted_clock_is_an_alarm_of_the_daemon() {
        let with = |belief| clock_alarm(&Moment { belief, ..moment("22T12:00") }).is_some();
        assert_eq!(
            [Belief::Trusted, Belief::Doubted, Belief::Tolerated].map(with),
            [false, true, true]
        );
    }
}
