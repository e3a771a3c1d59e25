//! How dense a rhythm is. One that becomes much denser would rotate within minutes what a slower
//! one made in days, as after a slip of the pen (`* * * * *`): what that made is held, until a
//! person says that it may go, or until the slower rhythm rules again and has made as many anew.

use super::account::Account;
use super::policy::{Rhythm, When};
use super::rotation::Held;
use super::schedule;
use super::snapshot::Seq;
use jiff::{SignedDuration, Timestamp};

/// A rhythm is much denser if those that stay reach less than this share of the time back.
const SHARE: i32 = 4;

/// So many firings of a cron expression tell how dense it is.
const FIRINGS: u32 = 32;

const DAY: SignedDuration = SignedDuration::from_hours(24);

/// The time between two of its slots.
fn interval(rhythm: &Rhythm, now: Timestamp) -> SignedDuration {
    if matches!(rhythm.when, When::Daily(_)) {
        return DAY;
    }
    let next = |at: &Timestamp| schedule::next_due(rhythm, *at).map(|period| period.due);
    let Some(first) = next(&now) else { return DAY };
    let mut firings = std::iter::successors(Some(first), next).zip(0_i32..).skip(1);
    let last = firings.by_ref().take(usize::try_from(FIRINGS).unwrap_or(usize::MAX)).last();
    last.map_or(DAY, |(last, number)| last.duration_since(first) / number.max(1))
}

/// How far back those that stay reach.
fn reach(interval: SignedDuration, latest: u32) -> SignedDuration {
    interval.saturating_mul(i32::try_from(latest).unwrap_or(i32::MAX))
}

/// What is held from now on, when a rhythm gives way to another one: each with how many stay.
pub fn held(
    account: &Account,
    old: (&Rhythm, u32),
    new: (&Rhythm, u32),
    now: Timestamp,
) -> Option<Held> {
    let (before, after) = (interval(old.0, now), interval(new.0, now));
    let (reached, reaches) = (reach(before, old.1), reach(after, new.1));
    let shrinks = |from: SignedDuration| reaches.saturating_mul(SHARE) <= from;
    match account.held {
        // Once more: what the slower rhythm has made since is held with the rest.
        Some(held) if shrinks(held.reach) => {
            let since =
                held.calm.and_then(|_| account.candidates(&|_| false).last().map(|it| it.seq));
            Some(Held { seq: since.map_or(held.seq, |seq| seq.max(held.seq)), calm: None, ..held })
        }
        Some(held) => {
            let newest = Seq(account.next_seq.0.saturating_sub(1));
            Some(Held { calm: held.calm.or(Some(newest)), ..held })
        }
        None if after < before && shrinks(reached) => {
            let seq = account.candidates(&|_| false).last()?.seq;
            Some(Held { seq, reach: reached, calm: None })
        }
        None => None,
    }
}

/// Whether as many as stay have been made since the slower rhythm rules again.
pub fn is_over(held: Held, account: &Account) -> bool {
    let Some(calm) = held.calm else { return false };
    let newer = account.candidates(&|_| false).iter().filter(|one| one.seq > calm).count();
    newer >= usize::try_from(account.policy().retention.latest).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::policy::Zone;
    use crate::domain::sample::{Builder, at};

    fn rhythm(text: &str) -> Rhythm {
        let when = match text.parse() {
            Ok(time) => When::Daily(time),
            Err(_) => When::Cron(text.parse().unwrap()),
        };
        Rhythm { when, zone: Zone::UTC, offset: 0 }
    }

    #[test]
    fn only_what_a_much_slower_rhythm_made_is_held() {
        let check = |old: (&str, u32), new: (&str, u32), holds: bool| {
            let account = Builder::daily().complete(16..=22).account();
            let (was, is) = (rhythm(old.0), rhythm(new.0));
            let held = held(&account, (&was, old.1), (&is, new.1), at("22T12:00"));
            assert_eq!(held.is_some(), holds, "{old:?} to {new:?}: {held:?}");
            assert!(held.is_none_or(|held| held.seq == Seq(7)));
        };
        check(("06:00", 7), ("20:00", 7), false);
        check(("06:00", 7), ("* * * * *", 7), true);
        check(("06:00", 7), ("0 * * * *", 7), true);
        check(("06:00", 7), ("0 */12 * * *", 7), false);
        check(("06:00", 7), ("0 */6 * * *", 7), true);
        check(("0 6 * * MON", 7), ("06:00", 7), true);
        check(("0 6 * * *", 7), ("*/5 * * * *", 7), true);
        check(("* * * * *", 7), ("06:00", 7), false);
        // More are to stay, so that they reach as far.
        check(("06:00", 7), ("0 * * * *", 168), false);
        // Fewer: that is another matter.
        check(("06:00", 28), ("07:00", 7), false);
        let none = Builder::daily().account();
        let (old, new) = (rhythm("06:00"), rhythm("* * * * *"));
        assert_eq!(held(&none, (&old, 7), (&new, 7), at("22T12:00")), None);
    }
}
