//! All that heptad knows of one resource.

use super::agenda::{self};
use super::dating::Dating;
use super::days::Days;
use super::id::OperationId;
use super::name::ResourceName;
use super::policy::{Policy, Rhythm, When};
use super::resource::Resource;
use super::rotation::{Candidate, Held, Payment};
use super::schedule;
use super::slot::Slot;
use super::slot_record::{Beginning, Outcome, Run, SlotRecord};
use super::snapshot::{Fate, Health, Part, Seq, Snapshot};
use super::survey::Elsewhere;
use super::tag::{self, TagWishes, Tags};
use super::timeline::{Timeline, Today};
use super::told::{Disk, Engine};
use super::usage::KnownTotal;
use jiff::civil::{Date, Time};
use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeMap;
use std::sync::Arc;

/// How many slot records stay in memory: those of which something was noted last, and beside them
/// every open one. The others are in the catalogue only.
pub const SLOTS_IN_MEMORY: usize = 40;

/// Without a complete snapshot for this long a resource is in alarm.
pub const STALE: SignedDuration = SignedDuration::from_hours(36);

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    pub resource: Resource,
    /// Whether the configuration declares it at present.
    pub declared: bool,
    /// A person said that it will not come back: no alarms, nothing automatic.
    pub forgotten: bool,
    pub wish: Override,
    pub timeline: Timeline,
    /// Since when it is known, for the age of a missing first snapshot.
    pub since: Timestamp,
    /// The identity that the backend reported when it was last taken or accepted.
    pub identity: Option<String>,
    /// Another identity seen in its place, waiting for acknowledgement.
    pub stranger: Option<String>,
    pub next_seq: Seq,
    /// How many snapshots rotation may still destroy for the newest completed one.
    pub credit: u32,
    /// What rotation leaves alone although newer ones crowd it out.
    pub held: Option<Held>,
    /// When one paid for that last, and what came since.
    pub payment: Payment,
    /// The last time that its backend could not be reached or shown to be right, and why.
    pub trouble: Option<String>,
    /// Every day that ever had its snapshot, so that none gets a second one whatever the clock
    /// does and however long ago it was.
    pub taken: Days,
    /// What is known of the times that its snapshots bear.
    pub dating: Dating,
    /// What all its snapshots occupy together, as last measured.
    pub occupied: Option<KnownTotal>,
    pub snapshots: BTreeMap<Seq, Arc<Snapshot>>,
    pub slots: BTreeMap<Slot, SlotRecord>,
    /// Those slots in the order in which something was last noted of them, which no clock can
    /// change.
    pub noted: Vec<Slot>,
    /// Not remembered across restarts:
    pub surveyed: bool,
    /// Why none can be taken of it as this daemon was started.
    pub barred: Option<Barred>,
    /// What the last snapshot that a person asked for failed for, if waiting does not mend it.
    pub failed_by_hand: Option<String>,
    /// Where its snapshots lie if its store was changed, as last seen.
    pub elsewhere: Option<Elsewhere>,
    /// What it is of, where it is a database.
    pub engine: Option<Engine>,
    /// Its disks, as last seen.
    pub disks: Vec<Disk>,
    pub weighed: Weighed,
    /// When a backend that could not be looked at is looked at again for what still waits.
    pub look_again: Option<Timestamp>,
    pub running: Option<OperationId>,
    pub queue: Vec<OperationId>,
}

/// Something that this daemon is not allowed, and how to allow it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Barred {
    pub why: String,
    pub way_out: String,
}

/// How long heptad had run when what snapshots occupy was last measured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Weighed {
    pub each: Option<SignedDuration>,
    pub together: Option<SignedDuration>,
}

/// What commands changed; it wins over the configuration until reset.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Override {
    pub enabled: Option<bool>,
    pub time: Option<Time>,
    pub tags: TagWishes,
}

impl Account {
    pub fn new(resource: Resource, now: Timestamp) -> Self {
        Self {
            resource,
            declared: true,
            forgotten: false,
            wish: Override::default(),
            timeline: Timeline::default(),
            since: now,
            identity: None,
            stranger: None,
            next_seq: Seq(1),
            credit: 0,
            held: None,
            payment: Payment::default(),
            trouble: None,
            taken: Days::default(),
            dating: Dating::default(),
            occupied: None,
            snapshots: BTreeMap::new(),
            slots: BTreeMap::new(),
            noted: Vec::new(),
            surveyed: false,
            barred: None,
            failed_by_hand: None,
            elsewhere: None,
            engine: None,
            disks: Vec::new(),
            weighed: Weighed::default(),
            look_again: None,
            running: None,
            queue: Vec::new(),
        }
    }

    /// What it is of, where it is a database: as last seen or, before that, as the newest snapshot
    /// has it.
    pub fn engine(&self) -> Option<&Engine> {
        let stored = || self.snapshots.values().rev().find_map(|s| s.facts.told.engine.as_ref());
        self.engine.as_ref().or_else(stored)
    }

    /// Its disks: as last seen or, before that, as the newest snapshot of all of it has them.
    pub fn disks(&self) -> &[Disk] {
        if !self.disks.is_empty() {
            return &self.disks;
        }
        let whole = self.snapshots.values().rev().filter(|s| s.card.part == Part::Whole);
        let mut stored = whole.map(|s| &s.facts.told.disks[..]).filter(|disks| !disks.is_empty());
        stored.next().unwrap_or_default()
    }

    /// When a copy of one of its snapshots was last tried out and worked.
    pub fn newest_proof(&self) -> Option<Timestamp> {
        let proofs = self.snapshots.values().filter_map(|s| s.facts.told.proof.as_ref());
        proofs.map(|proof| proof.at).max()
    }

    pub fn name(&self) -> &ResourceName {
        &self.resource.name
    }

    /// The configuration with the overrides on top.
    pub fn policy(&self) -> Policy {
        let configured = &self.resource.policy;
        let rhythm = match self.wish.time {
            Some(time) => Rhythm { when: When::Daily(time), ..configured.rhythm.clone() },
            None => configured.rhythm.clone(),
        };
        Policy {
            rhythm,
            retention: configured.retention,
            enabled: self.wish.enabled.unwrap_or(configured.enabled),
        }
    }

    /// Its tags: the configuration's with what commands changed of them.
    pub fn tags(&self) -> Tags {
        tag::in_force(&self.resource.tags, &self.wish.tags)
    }

    /// Notes what is known of a slot, and forgets what was noted longest ago. That nothing is known
    /// of it is no news where its snapshot is.
    pub fn note_slot(&mut self, record: &SlotRecord) {
        let slot = record.slot;
        let missed = matches!(record.outcome, Some(Outcome::Missed(_)));
        if missed && self.slots.get(&slot).is_some_and(SlotRecord::is_taken) {
            return;
        }
        self.noted.retain(|noted| *noted != slot);
        self.noted.push(slot);
        self.slots.insert(slot, record.clone());
        let older = self.noted.len().saturating_sub(SLOTS_IN_MEMORY);
        let settled = |slot: &&Slot| self.slots.get(slot).is_none_or(|r| r.outcome.is_some());
        let surplus: Vec<Slot> = self.noted.iter().take(older).filter(settled).copied().collect();
        for slot in surplus {
            self.noted.retain(|noted| *noted != slot);
            self.slots.remove(&slot);
        }
    }

    /// Notes that a slot has its snapshot.
    pub fn note_taken(&mut self, slot: Option<Slot>) {
        if let Some(Slot::Day(day)) = slot {
            self.taken.insert(day);
        }
    }

    /// Notes when an automatic one was taken, by time that heptad ran.
    pub fn note_when(&mut self, counts: bool, elapsed: SignedDuration) {
        self.dating.taken = Some(elapsed);
        if counts {
            self.dating.completed = Some(elapsed);
        }
    }

    /// Whether slots fall due at all.
    pub fn is_active(&self) -> bool {
        self.declared && !self.forgotten && self.policy().enabled
    }

    /// What its agenda is computed from.
    pub fn facts(&self) -> agenda::Facts<'_> {
        agenda::Facts {
            timeline: &self.timeline,
            slots: &self.slots,
            taken: &self.taken,
            dating: self.dating,
            running: self.running,
            queue: &self.queue,
        }
    }

    /// The next automatic snapshot that is not under way.
    pub fn next_run(&self, beginning: Beginning, now: Timestamp) -> Option<Run> {
        if !self.is_active() {
            return None;
        }
        agenda::next(&self.facts(), beginning, now)
    }

    /// Whether the resource was not what it should be when it was last seen.
    pub fn is_amiss(&self) -> bool {
        self.declared && !self.forgotten && (self.trouble.is_some() || self.stranger.is_some())
    }

    /// The records as they fell due: days and instants, whose names have no common order.
    pub fn by_due(&self) -> Vec<&SlotRecord> {
        let mut records: Vec<&SlotRecord> = self.slots.values().collect();
        records.sort_by_key(|record| record.due);
        records
    }

    /// The civil day, in the zone of the policy, that a slot belongs to: what `why` is asked for.
    pub fn day_of(&self, record: &SlotRecord) -> Date {
        match record.slot {
            Slot::Day(day) => day,
            Slot::Instant(_) => record.due.to_zoned(self.policy().rhythm.zone.tz().clone()).date(),
        }
    }

    /// The record of a slot whose snapshot is being taken, or waits for its turn.
    pub fn under_way(&self) -> Option<&SlotRecord> {
        let facts = self.facts();
        self.slots.values().find(|record| facts.is_under_way(record))
    }

    /// Whether the slot of the current day is done, for the table of changes.
    pub fn today(&self, now: Timestamp) -> Today {
        let Some(rhythm) = self.timeline.ruling(now) else {
            return Today::NotDone;
        };
        let tz = rhythm.zone.tz();
        let today = now.to_zoned(tz.clone()).date();
        let begin = schedule::instant(tz, today.at(0, 0, 0, 0)).unwrap_or(now);
        let facts = self.facts();
        // A cron expression makes any number a day: each of them is one of today.
        let one_of_many = |record: &SlotRecord| {
            matches!(rhythm.when, When::Cron(_)) && begin <= record.due && record.due <= now
        };
        let current = |record: &&SlotRecord| {
            let of_now = (record.due <= now && now < record.end) || one_of_many(record);
            (record.slot == Slot::Day(today) && !facts.is_before(record, begin))
                || (of_now && !self.dating.is_doubted(record))
        };
        let done = |record: &SlotRecord| record.is_taken() || facts.is_under_way(record);
        match self.slots.values().filter(current).any(done) {
            true => Today::Done,
            false => Today::NotDone,
        }
    }

    /// Complete automatic snapshots, for rotation.
    pub fn candidates(&self, pinned: &dyn Fn(Seq) -> bool) -> Vec<Candidate> {
        let candidate = |snapshot: &Arc<Snapshot>| {
            let slot = snapshot.card.slot?;
            snapshot.counts().then(|| Candidate {
                seq: snapshot.seq(),
                slot,
                pinned: pinned(snapshot.seq()) || self.is_held(snapshot.seq()),
            })
        };
        self.snapshots.values().filter_map(candidate).collect()
    }

    /// Whether a much slower rhythm made it than the one that would let it go.
    pub fn is_held(&self, seq: Seq) -> bool {
        self.held.is_some_and(|held| seq <= held.seq)
    }

    /// Why rotation waits for a person, if it does.
    pub fn doubt(&self) -> Option<String> {
        if let Some(stranger) = &self.stranger {
            return Some(format!("another identity is in its place ({stranger})"));
        }
        self.snapshots.values().rev().find_map(|snapshot| match &snapshot.health {
            Health::Suspect(why) if snapshot.fate == Fate::Live => {
                Some(format!("{} is suspect: {why}", snapshot.label()))
            }
            _ => None,
        })
    }

    /// The newest snapshot of any origin that can be used; a kept one is as old as its original.
    pub fn newest_usable(&self) -> Option<&Arc<Snapshot>> {
        let usable = self.snapshots.values().filter(|snapshot| snapshot.usable());
        usable.max_by_key(|snapshot| (snapshot.card.taken_at, snapshot.seq()))
    }

    /// The newest complete automatic snapshot's time, as far as that can be believed.
    pub fn newest_complete(&self) -> Option<Timestamp> {
        let complete = |snapshot: &&Arc<Snapshot>| snapshot.counts();
        let newest = self.snapshots.values().rev().find(complete)?;
        Some(self.dating.believed(newest.seq(), newest.card.taken_at))
    }
}
