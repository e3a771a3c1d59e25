//! What lets old snapshots go: a completed one pays for that, but only if time has really passed
//! since the last that paid. A date proves nothing: a clock that is set ahead day by day makes a
//! week of snapshots in a minute.

use super::account::Account;
use super::rotation::{self, Verdict};
use super::slot::Slot;
use jiff::{SignedDuration, Timestamp};

/// Whether a completed one pays: somebody vouches for the clock, or at least half a period has
/// passed.
pub fn pays(synchronised: bool, since: SignedDuration, period: SignedDuration) -> bool {
    synchronised || since >= period / 2
}

/// How long after the one before a slot is.
pub fn period(account: &Account, slot: Slot) -> SignedDuration {
    let day = SignedDuration::from_hours(24);
    let Slot::Instant(named) = slot else { return day };
    // The name may be a second one, or lack the spread: what counts is when it fell due.
    let due = account.slots.get(&slot).map_or(named, |record| record.due);
    let just_before = due.saturating_sub(SignedDuration::from_nanos(1)).unwrap_or(Timestamp::MIN);
    match account.timeline.latest_due(just_before) {
        Some(before) => due.duration_since(before.due).max(SignedDuration::ZERO),
        None => day,
    }
}

/// How many are beyond those that stay.
pub fn surplus(account: &Account) -> u32 {
    let candidates = account.candidates(&|_| false);
    let judged = rotation::judge(&candidates, account.policy().retention);
    let beyond = judged.iter().filter(|(_, verdict)| *verdict == Verdict::Drop).count();
    u32::try_from(beyond).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::policy::When;
    use crate::domain::rotation::Payment;
    use crate::domain::sample::{Builder, at};

    fn hours(hours: i64) -> SignedDuration {
        SignedDuration::from_hours(hours)
    }

    #[test]
    fn time_that_nobody_vouches_for_pays_nothing() {
        let check = |synchronised, since: SignedDuration, period: SignedDuration, want| {
            assert_eq!(pays(synchronised, since, period), want, "{since:?} of {period:?}");
        };
        let (day, hour) = (hours(24), hours(1));
        let minute = SignedDuration::from_mins(1);
        check(true, SignedDuration::ZERO, day, true);
        check(false, SignedDuration::ZERO, day, false);
        check(false, hours(12).saturating_sub(minute), day, false);
        check(false, hours(12), day, true);
        check(false, minute * 29, hour, false);
        check(false, minute * 30, hour, true);
    }

    #[test]
    fn what_passes_is_the_running_time_and_the_sleep_of_this_run() {
        let check = |at: Option<i64>, slept_then, elapsed, slept, want| {
            let at = at.map(hours);
            let payment = Payment { at, slept: hours(slept_then), ..Payment::default() };
            assert_eq!(payment.since(hours(elapsed), hours(slept)), hours(want), "{payment:?}");
        };
        check(None, 0, 5, 0, 5);
        check(Some(5), 0, 5, 0, 0);
        check(Some(5), 0, 6, 0, 1);
        // A laptop that runs for an hour a day and sleeps else.
        check(Some(5), 2, 6, 25, 24);
        // After a restart: what it slept before is not known.
        check(Some(5), 0, 6, 3, 4);
        // A catalogue of before.
        check(Some(9), 7, 6, 0, 0);
    }

    #[test]
    fn the_period_is_that_of_the_rhythm() {
        let daily = Builder::daily().account();
        assert_eq!(period(&daily, "2026-11-22".parse().unwrap()), hours(24));
        let check = |cron: &str, due: &str, want| {
            let account = Builder::with(When::Cron(cron.parse().unwrap())).account();
            assert_eq!(period(&account, Slot::Instant(at(due))), hours(want), "{cron} {due}");
        };
        check("0 * * * *", "22T06:00", 1);
        check("0 */6 * * *", "22T06:00", 6);
        // The 15th is a Sunday.
        check("0 6 * * SUN", "15T06:00", 24 * 7);
        check("0 6 * * *", "01T06:00", 24);
    }

    #[test]
    fn the_surplus_is_what_is_beyond_those_that_stay() {
        let check = |days, keep, want| {
            let account = Builder::daily().complete(1..=days);
            let account = account.but(|a| a.resource.policy.retention.latest = keep).account();
            assert_eq!(surplus(&account), want, "{days} days, keep {keep}");
        };
        check(7, 7, 0);
        check(8, 7, 1);
        check(7, 1, 6);
    }
}
