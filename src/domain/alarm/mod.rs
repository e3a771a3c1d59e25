//! What a person must hear of: alarms of the daemon and of each resource, each with a way out.
//! Derived from the account each time; an alarm ends when its cause does.

mod code;
mod state;
mod times;

pub use code::AlarmCode;
use state::{barred, doubt, lost, stuck, trouble, undeclared, unmarked, zone_lost};
use times::{denser, slot_lost, slow, stale, unpaid};

use super::account::Account;
use super::clock::Belief;
use super::ledger::Ledger;
use super::view::Moment;
use jiff::SignedDuration;

/// An operation that runs longer than this is in alarm.
pub const LONG: SignedDuration = SignedDuration::from_hours(1);

/// Something a person should know of, and the way out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alarm {
    pub code: AlarmCode,
    pub sentence: String,
    pub hint: String,
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::id::OperationId;
    use crate::domain::operation::{Act, Cause, Doom, Failure, Fault, Operation, State};
    use crate::domain::policy::When;
    use crate::domain::rotation::Held;
    use crate::domain::sample::{Builder, at, moment};
    use crate::domain::snapshot::{Fate, Health, Snapshot};
    use crate::domain::snapshot::{Seq, Thrown};
    use std::sync::Arc;

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
