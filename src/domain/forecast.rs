//! What will be taken and dropped in the coming days, and why, if every run succeeds. Walks the
//! same timeline and asks the same rotation as the keeper does, on a copy.

use super::account::Account;
use super::payment;
use super::policy::Retention;
use super::rotation::{self, CREDIT, Candidate, Reason, Verdict};
use super::slot::Slot;
use super::slot_record::Why;
use super::snapshot::{Fate, Health, Origin, Seq, Snapshot};
use super::view::Moment;
use jiff::{SignedDuration, Timestamp};

/// How many takes are listed: a year of every day, or a day of every two minutes.
pub const TAKES_AT_MOST: usize = 800;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Forecast {
    /// Why rotation waits, if it does.
    pub waits: Option<String>,
    /// Why nothing is taken, if nothing is.
    pub idle: Option<String>,
    /// What is paid for already and goes with the next look at its backend.
    pub owed: Vec<Drop>,
    /// In order of time.
    pub takes: Vec<Take>,
    /// There are more takes than are listed.
    pub cut_short: bool,
    /// What is there at the end, newest first.
    pub stays: Vec<Stay>,
}

/// One automatic snapshot to come, and what goes for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Take {
    pub at: Timestamp,
    /// None: it is being taken.
    pub why: Option<Why>,
    pub label: String,
    pub drops: Vec<Drop>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Drop {
    pub label: String,
    pub reason: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stay {
    pub label: String,
    pub reason: String,
    /// Whether it exists already.
    pub exists: bool,
}

/// Foretells what happens up to `until`. `pinned` tells which snapshots are in use.
pub fn forecast(
    account: &Account,
    moment: &Moment,
    until: Timestamp,
    pinned: &dyn Fn(Seq) -> bool,
) -> Forecast {
    let retention = account.policy().retention;
    let (mut waits, idle) = (account.doubt(), idle(account));
    let mut purse = Purse::new(account, moment);
    let mut shelf = account.candidates(pinned);
    let mut takes = Vec::new();
    let drop = |slot| Drop { label: label(account, slot), reason: beyond(retention) };
    let owed = match account.doubt() {
        None if is_there(account) => rotate(&mut shelf, retention, account.credit),
        _ => Vec::new(),
    };
    let owed = owed.into_iter().map(drop).collect();
    let (runs, cut_short) = match idle {
        None => runs(account, moment, until),
        Some(_) => (Vec::new(), false),
    };
    let being_taken = account.under_way().map(|record| (record.slot, record.due, None));
    let runs = being_taken.into_iter().chain(runs);
    for ((slot, at, why), seq) in runs.zip(account.next_seq.0..) {
        shelf.push(Candidate { seq: Seq(seq), slot, pinned: false });
        let pays = purse.pays(account, slot, at);
        let drops = match account.doubt() {
            None if pays => rotate(&mut shelf, retention, CREDIT),
            _ => Vec::new(),
        };
        let beyond_all =
            || rotation::judge(&shelf, retention).iter().any(|(_, v)| *v == Verdict::Drop);
        if !pays && takes.is_empty() && waits.is_none() && beyond_all() {
            waits = Some(UNSYNCHRONISED.into());
        }
        let drops = drops.into_iter().map(drop).collect();
        takes.push(Take { at, why, label: label(account, slot), drops });
    }
    let stays = stays(account, &shelf, retention);
    Forecast { waits, idle, owed, takes, cut_short, stays }
}

/// Why one stays that a much slower rhythm made.
const HELD: &str = "waits for you, as the rhythm became much denser";

/// Why the next one lets no old one go.
const UNSYNCHRONISED: &str = "the clock is not synchronised, so time counts only while heptad runs";

/// What the snapshots to come pay with, if heptad goes on running.
struct Purse {
    synchronised: bool,
    now: Timestamp,
    /// How much time had passed by now since one paid.
    since: SignedDuration,
    paid: Option<Timestamp>,
}

impl Purse {
    fn new(account: &Account, moment: &Moment) -> Self {
        let since = account.payment.since(moment.elapsed, moment.slept);
        Self { synchronised: moment.synchronised, now: moment.now, since, paid: None }
    }

    fn pays(&mut self, account: &Account, slot: Slot, at: Timestamp) -> bool {
        let since = match self.paid {
            Some(paid) => at.duration_since(paid),
            None => self.since.saturating_add(at.duration_since(self.now)),
        };
        let pays = payment::pays(self.synchronised, since, payment::period(account, slot));
        if pays {
            self.paid = Some(at);
        }
        pays
    }
}

/// Why no slot falls due, or none can be served.
fn idle(account: &Account) -> Option<String> {
    if account.forgotten {
        Some("it is forgotten".into())
    } else if !account.declared {
        Some("it is no longer in the configuration".into())
    } else if !account.policy().enabled {
        Some("automatic snapshots are disabled".into())
    } else {
        account.stranger.as_ref().map(|_| "another identity is in its place".into())
    }
}

/// The runs up to `until`, and whether there would be more than are listed.
fn runs(
    account: &Account,
    moment: &Moment,
    until: Timestamp,
) -> (Vec<(Slot, Timestamp, Option<Why>)>, bool) {
    let first = account.next_run(moment.beginning(), moment.now);
    let first = first.filter(|run| run.at < until);
    let mut runs: Vec<_> =
        first.iter().map(|run| (run.period.slot, run.at, Some(run.why))).collect();
    let mut from = first.map(|run| run.period.due);
    let facts = account.facts();
    while let Some(period) = from.and_then(|from| account.timeline.next_due(from)) {
        if period.due >= until {
            return (runs, false);
        }
        if runs.len() == TAKES_AT_MOST {
            return (runs, true);
        }
        // A clock that went back may find a slot taken already.
        if let Some(open) = facts.open(period) {
            runs.push((open.slot, open.due, Some(Why::Scheduled)));
        }
        from = Some(period.due);
    }
    (runs, false)
}

/// Whether rotation has a say: nothing goes of what left the configuration, or was not seen the
/// last time.
fn is_there(account: &Account) -> bool {
    account.declared && !account.forgotten && account.trouble.is_none()
}

/// Takes off the shelf what is paid for.
fn rotate(shelf: &mut Vec<Candidate>, retention: Retention, credit: u32) -> Vec<Slot> {
    let doomed = rotation::doomed(&rotation::judge(shelf, retention), credit);
    let (gone, left) = shelf.iter().partition(|candidate| doomed.contains(&candidate.seq));
    *shelf = left;
    let gone: Vec<Candidate> = gone;
    gone.into_iter().map(|candidate| candidate.slot).collect()
}

fn label(account: &Account, slot: Slot) -> String {
    format!("{}@{slot}", account.name())
}

/// Why a snapshot goes: which tiers no longer hold it.
fn beyond(retention: Retention) -> String {
    let Retention { latest, weekly, monthly, yearly } = retention;
    let tiers = [("weekly", weekly), ("monthly", monthly), ("yearly", yearly)];
    let longer = tiers.iter().filter(|(_, count)| *count > 0);
    longer.fold(format!("beyond latest {latest}"), |text, (tier, count)| {
        format!("{text}, {tier} {count}")
    })
}

fn stays(account: &Account, shelf: &[Candidate], retention: Retention) -> Vec<Stay> {
    let verdict = |(seq, verdict): (Seq, Verdict)| {
        let candidate = shelf.iter().find(|candidate| candidate.seq == seq)?;
        let reason = match verdict {
            Verdict::Keep(Reason::InUse) if account.is_held(seq) => HELD.into(),
            Verdict::Keep(reason) => reason.to_string(),
            Verdict::Drop => "waits to be dropped".into(),
        };
        let exists = account.snapshots.contains_key(&seq);
        Some((seq, Stay { label: label(account, candidate.slot), reason, exists }))
    };
    let other = |snapshot: &Snapshot| {
        let stay =
            Stay { label: snapshot.label(), reason: standing(snapshot)?.into(), exists: true };
        Some((snapshot.seq(), stay))
    };
    let judged = rotation::judge(shelf, retention).into_iter().filter_map(verdict);
    let others = account.snapshots.values().filter_map(|snapshot| other(snapshot));
    let mut stays: Vec<(Seq, Stay)> = judged.chain(others).collect();
    stays.sort_by_key(|(seq, _)| std::cmp::Reverse(*seq));
    stays.into_iter().map(|(_, stay)| stay).collect()
}

/// Why a snapshot stays that rotation has no say in.
fn standing(snapshot: &Snapshot) -> Option<&'static str> {
    if snapshot.fate != Fate::Live || snapshot.counts() {
        return None;
    }
    Some(match (&snapshot.health, snapshot.card.origin) {
        (Health::Taking, _) => return None,
        (Health::Suspect(_), _) => "suspect",
        (Health::Missing, _) => "missing",
        (Health::Tampered, _) => "tampered",
        (Health::Complete, Origin::Manual) => "manual",
        (Health::Complete, Origin::Copied) => "copied",
        (Health::Complete, Origin::Automatic) => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::sample::{Builder, at, moment};

    fn foretell(account: &Account, days: i64) -> Forecast {
        let moment = moment("22T12:00");
        let until = moment.now + jiff::SignedDuration::from_hours(24 * days);
        forecast(account, &moment, until, &|_| false)
    }

    fn lines(forecast: &Forecast) -> Vec<String> {
        let line = |take: &Take| {
            let drops: Vec<&str> = take.drops.iter().map(|drop| drop.label.as_str()).collect();
            format!("+{} -{}", take.label, drops.join(" "))
        };
        forecast.takes.iter().map(line).collect()
    }

    #[test]
    fn each_day_one_comes_and_the_eighth_goes() {
        let account = Builder::daily().complete(16..=22).account();
        let forecast = foretell(&account, 3);
        assert_eq!(
            lines(&forecast),
            [
                "+web-1@2026-11-23 -web-1@2026-11-16",
                "+web-1@2026-11-24 -web-1@2026-11-17",
                "+web-1@2026-11-25 -web-1@2026-11-18",
            ]
        );
        assert_eq!(forecast.takes[0].drops[0].reason, "beyond latest 7");
        let stays: Vec<_> = forecast.stays.iter().map(|s| (s.reason.as_str(), s.exists)).collect();
        assert_eq!(stays[..3], [("latest 1", false), ("latest 2", false), ("latest 3", false)]);
        assert_eq!(stays[3..], ["latest 4", "latest 5", "latest 6", "latest 7"].map(|r| (r, true)));
    }

    #[test]
    fn a_backlog_drains_two_at_a_time_and_what_is_left_says_so() {
        let account = Builder::daily().complete(10..=22).account();
        let forecast = foretell(&account, 1);
        assert_eq!(lines(&forecast), ["+web-1@2026-11-23 -web-1@2026-11-10 web-1@2026-11-11"]);
        let waits = forecast.stays.iter().filter(|s| s.reason == "waits to be dropped").count();
        assert_eq!(waits, 5);
    }

    #[test]
    fn without_a_synchronised_clock_only_time_that_passes_lets_one_go() {
        let account = Builder::daily().complete(16..=22).but(|account| {
            account.payment.at = Some(jiff::SignedDuration::from_hours(100));
        });
        let account = account.account();
        let check = |elapsed, drops: [usize; 3], waits: bool| {
            let elapsed = jiff::SignedDuration::from_hours(elapsed);
            let moment = Moment { synchronised: false, elapsed, ..moment("22T20:00") };
            let until = moment.now + jiff::SignedDuration::from_hours(72);
            let forecast = forecast(&account, &moment, until, &|_| false);
            let found: Vec<usize> = forecast.takes.iter().map(|take| take.drops.len()).collect();
            assert_eq!((found, forecast.waits.is_some()), (drops.to_vec(), waits));
        };
        // 06:00 is ten hours away.
        check(102, [1, 1, 1], false);
        check(101, [0, 2, 1], true);
    }

    #[test]
    fn what_is_owed_goes_before_the_next_take_and_what_is_held_says_so() {
        let owes = |credit| {
            let account = Builder::daily().complete(10..=22).but(|account| account.credit = credit);
            foretell(&account.account(), 1)
        };
        let owed = |forecast: &Forecast| -> Vec<String> {
            forecast.owed.iter().map(|drop| drop.label.clone()).collect()
        };
        assert_eq!(owed(&owes(0)), [""; 0]);
        assert_eq!(owed(&owes(2)), ["web-1@2026-11-10", "web-1@2026-11-11"]);
        assert_eq!(lines(&owes(2)), ["+web-1@2026-11-23 -web-1@2026-11-12 web-1@2026-11-13"]);
        let hinders: [fn(&mut Account); 2] =
            [|account| account.declared = false, |account| account.trouble = Some("away".into())];
        for hinder in hinders {
            let account = Builder::daily().complete(10..=22).but(|account| account.credit = 2);
            assert_eq!(owed(&foretell(&account.but(hinder).account(), 1)), [""; 0]);
        }
        let held = Some(crate::domain::rotation::Held {
            seq: Seq(7),
            reach: SignedDuration::ZERO,
            calm: None,
        });
        let account = Builder::daily().complete(16..=22).but(|account| account.held = held);
        let forecast = foretell(&account.account(), 2);
        assert_eq!(lines(&forecast), ["+web-1@2026-11-23 -", "+web-1@2026-11-24 -"]);
        assert_eq!(forecast.stays.last().unwrap().reason, HELD);
    }

    #[test]
    fn doubt_stops_rotation_but_not_the_takes() {
        let account = Builder::daily().complete(15..=21).suspect(22).account();
        let forecast = foretell(&account, 2);
        assert_eq!(lines(&forecast), ["+web-1@2026-11-23 -", "+web-1@2026-11-24 -"]);
        assert!(forecast.waits.as_deref().unwrap().contains("web-1@2026-11-22 is suspect"));
        assert!(forecast.stays.iter().any(|stay| stay.reason == "suspect"));
    }

    #[test]
    fn nothing_is_taken_of_what_is_disabled_or_gone() {
        let check = |why: &str, change: fn(&mut Account)| {
            let mut account = Builder::daily().complete(20..=22).account();
            change(&mut account);
            let forecast = foretell(&account, 3);
            assert_eq!((forecast.idle.as_deref(), forecast.takes.len()), (Some(why), 0));
            assert_eq!(forecast.stays.len(), 3, "{why}");
        };
        check("automatic snapshots are disabled", |a| a.wish.enabled = Some(false));
        check("it is no longer in the configuration", |a| a.declared = false);
        check("it is forgotten", |a| a.forgotten = true);
        check("another identity is in its place", |a| a.stranger = Some("x".into()));
    }

    #[test]
    fn one_in_use_is_not_dropped_and_a_long_list_is_cut() {
        let account = Builder::daily().complete(16..=22).account();
        let moment = moment("22T12:00");
        let first = forecast(&account, &moment, at("24T12:00"), &|seq| seq == Seq(1));
        assert_eq!(first.takes[0].drops, []);
        let far = moment.now + jiff::SignedDuration::from_hours(24 * 2_000);
        let long = forecast(&account, &moment, far, &|_| false);
        assert_eq!((long.takes.len(), long.cut_short), (TAKES_AT_MOST, true));
        assert_eq!(long.stays.len(), 7);
    }
}
