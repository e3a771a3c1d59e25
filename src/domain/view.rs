//! What a person should see of a resource: alarms, the strip of the last slots, counts. Derived
//! from the account each time; nothing here is remembered.

use super::account::{Account, STALE};
use super::agenda::{Outcome, SlotRecord};
use super::clock::Belief;
use super::ledger::Ledger;
use super::policy::When;
use super::slot::Slot;
use super::snapshot::{Fate, Health, Origin, Snapshot};
use jiff::{SignedDuration, Timestamp};
use std::sync::Arc;

/// How many slots the strip shows.
pub const STRIP: usize = 14;

/// An operation that runs longer than this is in alarm.
pub const LONG: SignedDuration = SignedDuration::from_hours(1);

/// How late a slot of a slow cron rhythm may be: what [`STALE`] leaves beyond a day.
const LATE: SignedDuration = SignedDuration::from_hours(12);

/// From when the facts are looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    pub now: Timestamp,
    /// When the daemon started, and when catch-up may begin.
    pub started: Timestamp,
    pub settled: Timestamp,
    pub belief: Belief,
    /// How long heptad has run on this host; the trash counts by it.
    pub elapsed: SignedDuration,
}

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
    /// A suspect snapshot stops rotation.
    Suspect,
    /// Another identity is in the resource's place.
    Stranger,
    /// The backend could not reach it the last time.
    Trouble,
    /// A snapshot is gone that heptad did not delete.
    Missing,
    /// A snapshot was changed behind heptad's back.
    Tampered,
    /// An operation runs for longer than [`LONG`].
    Slow,
    /// It left the configuration and was not forgotten.
    Undeclared,
    ClockDoubted,
    CatalogueFrozen,
}

impl AlarmCode {
    pub const ALL: [AlarmCode; 10] = [
        AlarmCode::Stale,
        AlarmCode::Suspect,
        AlarmCode::Stranger,
        AlarmCode::Trouble,
        AlarmCode::Missing,
        AlarmCode::Tampered,
        AlarmCode::Slow,
        AlarmCode::Undeclared,
        AlarmCode::ClockDoubted,
        AlarmCode::CatalogueFrozen,
    ];

    /// The stable word.
    pub fn word(self) -> &'static str {
        match self {
            AlarmCode::Stale => "stale",
            AlarmCode::Suspect => "suspect",
            AlarmCode::Stranger => "stranger",
            AlarmCode::Trouble => "trouble",
            AlarmCode::Missing => "missing",
            AlarmCode::Tampered => "tampered",
            AlarmCode::Slow => "slow",
            AlarmCode::Undeclared => "undeclared",
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
            "make room or repair the disk of the state directory, then restart heptad",
        )
    }
}

/// The alarms of the daemon that the moment shows.
pub fn clock_alarm(moment: &Moment) -> Option<Alarm> {
    let sentence = match moment.belief {
        Belief::Trusted => return None,
        Belief::Doubted => {
            "the clock shows a time that lies before a known one; \
                            nothing automatic is taken until it is synchronised"
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
        stale(account, moment.now),
        doubt(account),
        trouble(account),
        lost(account, AlarmCode::Missing),
        lost(account, AlarmCode::Tampered),
        slow(ledger, account, moment.now),
        undeclared(account),
    ]
    .into_iter()
    .flatten()
    .collect();
    found.sort_by_key(|alarm| alarm.code);
    found
}

fn stale(account: &Account, now: Timestamp) -> Option<Alarm> {
    let first = account.timeline.phases().first().map(|phase| phase.from);
    let newest = account.newest_complete();
    // From the start of the schedule, so that enabling again is no alarm at once.
    let base = newest.unwrap_or(account.since).max(first.unwrap_or(account.since));
    let age = now.duration_since(base);
    if !account.is_active() || age <= STALE {
        return None;
    }
    let daily = matches!(account.policy().rhythm.when, When::Daily(_));
    let awaited = account.timeline.next_due(base);
    if !daily && awaited.is_some_and(|period| now.duration_since(period.due) <= LATE) {
        return None;
    }
    let name = account.name();
    let sentence = match newest {
        Some(at) => {
            format!("no complete snapshot for {} h", now.duration_since(at).as_hours())
        }
        None => "there is no complete snapshot yet".to_owned(),
    };
    Some(Alarm::new(AlarmCode::Stale, sentence, format!("see `heptactl why {name}`")))
}

fn doubt(account: &Account) -> Option<Alarm> {
    let why = account.doubt()?;
    let name = account.name();
    let code = match account.stranger {
        Some(_) => AlarmCode::Stranger,
        None => AlarmCode::Suspect,
    };
    let hint = format!("look at it, then `heptactl acknowledge {name}` if it is right so");
    Some(Alarm::new(code, format!("{why}; rotation waits"), hint))
}

fn trouble(account: &Account) -> Option<Alarm> {
    let why = account.trouble.as_ref()?;
    let hint = "nothing of it is rotated meanwhile; mount it or correct its configuration";
    Some(Alarm::new(AlarmCode::Trouble, why.clone(), hint))
}

fn lost(account: &Account, code: AlarmCode) -> Option<Alarm> {
    let (health, what) = match code {
        AlarmCode::Missing => (Health::Missing, "gone, though heptad did not delete"),
        _ => (Health::Tampered, "changed behind heptad's back:"),
    };
    let of_it = |s: &&Arc<Snapshot>| s.health == health && s.fate == Fate::Live;
    let labels: Vec<String> = account.snapshots.values().filter(of_it).map(|s| s.label()).collect();
    let first = labels.first()?;
    let sentence = match labels.len() {
        1 => format!("{what} {first}"),
        n => format!("{what} {first} and {} more", n - 1),
    };
    let hint = match code {
        AlarmCode::Missing => format!("`heptactl delete {first}` takes it off the list"),
        _ => format!("do not trust it; `heptactl delete {first}` puts it in the trash"),
    };
    Some(Alarm::new(code, sentence, hint))
}

fn slow(ledger: &Ledger, account: &Account, now: Timestamp) -> Option<Alarm> {
    let operation = ledger.operations.get(&account.running?)?;
    let started = operation.started.filter(|_| operation.is_open())?;
    let age = now.duration_since(started);
    (age > LONG).then(|| {
        let (id, act, minutes) = (operation.id, operation.act.word(), age.as_mins());
        let sentence = format!("operation {id} ({act}) runs for {minutes} min already");
        Alarm::new(AlarmCode::Slow, sentence, format!("see `heptactl operations {id}`"))
    })
}

fn undeclared(account: &Account) -> Option<Alarm> {
    let name = account.name();
    (!account.declared).then(|| {
        Alarm::new(
            AlarmCode::Undeclared,
            "it is no longer in the configuration; its snapshots stay and nothing is taken",
            format!("declare it again, or `heptactl forget {name}`"),
        )
    })
}

/// One mark of the strip.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    Complete,
    Suspect,
    /// Also while it will be tried again.
    Failed,
    Skipped,
    Missed,
    /// Complete, and a manual copy was kept of it.
    Kept,
    Running,
    /// Open and not tried yet.
    None,
}

pub fn mark(account: &Account, record: &SlotRecord) -> Mark {
    match &record.outcome {
        Some(Outcome::Complete) if is_kept(account, record) => Mark::Kept,
        Some(Outcome::Complete) => Mark::Complete,
        Some(Outcome::Suspect(_)) => Mark::Suspect,
        Some(Outcome::Failed(_)) => Mark::Failed,
        Some(Outcome::Skipped(_)) => Mark::Skipped,
        Some(Outcome::Missed(_)) => Mark::Missed,
        None if record.operation.is_some() && record.operation == account.running => Mark::Running,
        None if record.last_failure.is_some() => Mark::Failed,
        None => Mark::None,
    }
}

fn is_kept(account: &Account, record: &SlotRecord) -> bool {
    let copies = |s: &Arc<Snapshot>| {
        s.card.kept_from == record.seq && s.fate == Fate::Live && s.health == Health::Complete
    };
    record.seq.is_some() && account.snapshots.values().any(copies)
}

/// The last slots with a record, oldest first.
pub fn strip(account: &Account) -> Vec<(Slot, Mark)> {
    let skip = account.slots.len().saturating_sub(STRIP);
    let records = account.slots.values().skip(skip);
    records.map(|record| (record.slot, mark(account, record))).collect()
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Those that rotation counts.
    pub automatic: u64,
    /// Manual and copied ones that are there.
    pub manual: u64,
    pub trashed: u64,
}

pub fn counts(account: &Account) -> Counts {
    let mut counts = Counts::default();
    for snapshot in account.snapshots.values() {
        match (snapshot.fate, snapshot.card.origin) {
            (Fate::Trashed { .. }, _) => counts.trashed += 1,
            (Fate::Live, Origin::Automatic) if snapshot.counts() => counts.automatic += 1,
            (Fate::Live, Origin::Manual | Origin::Copied) if snapshot.usable() => {
                counts.manual += 1;
            }
            _ => {}
        }
    }
    counts
}
