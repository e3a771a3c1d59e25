//! Small constructors of valid entries, and a scribe that turns random numbers into histories.

use heptad::domain::account::{Account, Override};
use heptad::domain::dating::{Dating, Rewound};
use heptad::domain::event::Entry;
use heptad::domain::id::OperationId;
use heptad::domain::key::{Digest, Key};
use heptad::domain::ledger::Ledger;
use heptad::domain::name::{ResourceName, SnapshotName};
use heptad::domain::new_resource::NewResource;
use heptad::domain::operation::{Act, Cause, Doom, Failure, Fault, Leftovers, Operation, State};
use heptad::domain::plan::Plan;
use heptad::domain::policy::{Policy, Retention, Rhythm, When, Zone};
use heptad::domain::resource::{Binding, Kind, Resource};
use heptad::domain::rotation::{Held, Payment};
use heptad::domain::slot::Slot;
use heptad::domain::slot_record::{Outcome, SlotRecord};
use heptad::domain::snapshot::Part;
use heptad::domain::snapshot::{
    Card, Content, Facts, Fate, Handle, Health, Origin, Seq, Snapshot, Thrown,
};
use heptad::domain::tag::{Retag, Tags};
use heptad::domain::timeline::{Off, Phase, Timeline};
use heptad::domain::told::{Disk, Engine, Proof, Told};
use heptad::domain::usage::{KnownTotal, SnapshotSet, TotalUsage};
use jiff::{SignedDuration, Timestamp, ToSpan};
use uuid::Uuid;

/// Texts that a careless writer or reader stumbles over.
pub const ODD: [&str; 8] = [
    "",
    "it is empty",
    "'; DROP TABLE slot; --",
    "line\nand \"quotes\" \\ and \0 in it",
    "\u{202e}gnol \u{1F4BE}",
    "null",
    "{\"a\": [1,",
    "  spaces  ",
];

pub fn at(n: u64) -> Timestamp {
    let start: Timestamp = "2026-11-22T05:59:59.999999999Z".parse().unwrap();
    start + SignedDuration::from_nanos(i64::try_from(n).unwrap() * 7_777_777_777)
}

pub fn name(n: u64) -> ResourceName {
    format!("resource-{n}").parse().unwrap()
}

pub fn rhythm(n: u64) -> Rhythm {
    let zones = ["UTC", "Europe/Berlin", "America/St_Johns", "Pacific/Apia"];
    let zone = jiff::tz::TimeZone::get(zones[n as usize % zones.len()]).unwrap();
    let when = match n % 3 {
        0 => When::Cron("15 */4 * * MON-FRI".parse().unwrap()),
        1 => When::Daily("06:00".parse().unwrap()),
        _ => When::Daily("23:59:59.5".parse().unwrap()),
    };
    Rhythm { when, zone: Zone::new(zone), offset: u32::try_from(n % 100).unwrap() }
}

pub fn tags(n: u64) -> Tags {
    (0..n % 3).map(|i| (odd(n + i).to_owned(), odd(n * i + 1).to_owned())).collect()
}

pub fn odd(n: u64) -> &'static str {
    ODD[n as usize % ODD.len()]
}

fn maybe<T>(n: u64, value: T) -> Option<T> {
    n.is_multiple_of(2).then_some(value)
}

pub fn account(n: u64, flavour: u64) -> Account {
    let f = flavour;
    let retention =
        Retention { latest: 1 + f as u32 % 9, weekly: f as u32 % 5, ..Retention::SEVEN };
    let resource = Resource {
        name: name(n),
        kind: Kind::ALL[f as usize % 3],
        backend: Binding { kind: "files".into(), options: format!("{{\"path\":\"/srv/{f}\"}}") },
        policy: Policy { rhythm: rhythm(f), retention, enabled: !f.is_multiple_of(5) },
        tags: tags(f),
        plan: (f.is_multiple_of(2)).then(|| plan(f)),
        blueprint: (f.is_multiple_of(3)).then(|| "debian-12".to_owned()),
        enrolled: f % 2 == 1,
    };
    let phase = |i: u64| Phase { rhythm: rhythm(f + i), from: at(i) };
    let off = |i: u64| Off { from: at(i), until: maybe(i + f, at(i + 1)) };
    Account {
        declared: !f.is_multiple_of(7),
        forgotten: f.is_multiple_of(11),
        wish: Override {
            enabled: maybe(f, f.is_multiple_of(4)),
            time: maybe(f / 2, "04:30".parse().unwrap()),
            tags: (0..f % 4)
                .map(|i| (odd(f + i).to_owned(), maybe(f / 3, odd(i).into())))
                .collect(),
        },
        timeline: Timeline::new((0..f % 3).map(phase).collect())
            .with_off((1..f % 4).map(off).collect()),
        dating: dating(f),
        identity: maybe(f, odd(f).to_owned()),
        stranger: maybe(f / 3, odd(f + 1).to_owned()),
        credit: f as u32 % 3,
        payment: Payment {
            at: maybe(f, SignedDuration::new(f as i64, 7)),
            unpaid: f as u32 % 4,
            lowered: f.is_multiple_of(6),
            ..Payment::default()
        },
        held: maybe(f / 5, held(f)),
        trouble: maybe(f + 1, odd(f + 2).to_owned()),
        occupied: maybe(f / 4, measured(f)),
        ..Account::new(resource, at(f))
    }
}

fn dating(f: u64) -> Dating {
    let rewound = Rewound { at: at(f), seq: Seq(f), sure: f.is_multiple_of(3) };
    Dating {
        taken: maybe(f, SignedDuration::new(f as i64, 7)),
        completed: maybe(f / 2, SignedDuration::new(f as i64, 1)),
        rewound: maybe(f / 4, rewound),
    }
}

fn held(f: u64) -> Held {
    Held { seq: Seq(f), reach: SignedDuration::new(f as i64, 3), calm: maybe(f, Seq(f + 1)) }
}

fn measured(f: u64) -> KnownTotal {
    let occupied = TotalUsage { bytes: f << 30, exact: f.is_multiple_of(3) };
    KnownTotal { occupied, of: SnapshotSet { count: f, newest: Seq(f + 1) } }
}

/// A snapshot whose taking has begun.
pub fn taking(resource: &ResourceName, seq: Seq, f: u64) -> Snapshot {
    let origin = Origin::ALL[f as usize % 3];
    let automatic = origin == Origin::Automatic;
    let named: SnapshotName = format!("name-{f}").parse().unwrap();
    let card = Card {
        handle: Handle { seq, id: Uuid::new_v4(), object: String::new() },
        origin,
        name: (!automatic).then_some(named),
        slot: automatic.then(|| slot(f % 2, f)),
        kept_from: maybe(f, Seq(f)),
        taken_at: at(f),
        tags: tags(f),
        kind: Kind::Disk,
        part: if f.is_multiple_of(2) { Part::Whole } else { Part::SystemDisk },
        plan: (f.is_multiple_of(3)).then(|| plan(f)),
        blueprint: (f.is_multiple_of(2)).then(|| "debian-12".to_owned()),
    };
    let facts = Facts::default();
    Snapshot { resource: resource.clone(), card, health: Health::Taking, fate: Fate::Live, facts }
}

/// The same one, grown in a legal way.
pub fn grown(old: &Snapshot, f: u64) -> Snapshot {
    let wishes = [
        Health::Complete,
        Health::Suspect(odd(f).into()),
        Health::Missing,
        Health::Tampered,
        old.health.clone(),
    ];
    let wish = wishes[f as usize % wishes.len()].clone();
    let thrown = [Thrown::Asked, Thrown::Unmarked, Thrown::Rotated];
    let (until, why) = (SignedDuration::new(f as i64, 1), thrown[f as usize / 3 % 3]);
    let from_trash = maybe(f / 9, why);
    let fates = [Fate::Live, Fate::Trashed { until, why }, Fate::Doomed { from_trash }];
    let content = Content {
        empty: f.is_multiple_of(5),
        entries: maybe(f, f),
        bytes: maybe(f / 2, u64::MAX / 3),
    };
    let mut new = old.clone();
    new.health = if old.may_become(&wish) { wish } else { old.health.clone() };
    new.fate = fates[f as usize % 3];
    new.card.handle.object = format!("object {f}");
    new.facts = Facts {
        content: maybe(f, content),
        stored: maybe(f + 1, f * 4096),
        exclusive: maybe(f / 2, f),
        notes: (0..f % 3).map(|i| odd(f + i).to_owned()).collect(),
        accepted: f.is_multiple_of(4),
        retagged: maybe(f / 5, tags(f)),
        told: Told {
            engine: maybe(f, Engine { name: odd(f).into(), version: odd(f + 1).into() }),
            proof: maybe(f / 3, Proof { at: old.card.taken_at, by: odd(f).into() }),
            disks: (0..f % 3)
                .map(|i| Disk { name: odd(i).into(), file: odd(f).into(), size: f })
                .collect(),
        },
    };
    new
}

/// Day slots for kind 0, instants for kind 1; rising with `f`.
pub fn slot(kind: u64, f: u64) -> Slot {
    match kind {
        0 => {
            Slot::Day(jiff::civil::date(2026, 1, 1).checked_add((f as i64 % 3000).days()).unwrap())
        }
        _ => Slot::Instant(at(f)),
    }
}

pub fn slot_record(kind: u64, n: u64, f: u64) -> SlotRecord {
    let outcomes = [
        None,
        Some(Outcome::Complete),
        Some(Outcome::Suspect(odd(f).into())),
        Some(Outcome::Failed(odd(f + 1).into())),
        Some(Outcome::Skipped(odd(f + 2).into())),
        Some(Outcome::Missed(odd(f + 3).into())),
    ];
    SlotRecord {
        slot: slot(kind, n),
        due: at(n * 10),
        end: at(n * 10 + 9),
        attempts: f as u32,
        started: maybe(f, at(f)),
        finished: maybe(f / 2, at(f + 1)),
        last_failure: maybe(f + 1, Failure::new(Fault::ALL[f as usize % 8], odd(f))),
        operation: maybe(f, OperationId(f)),
        seq: maybe(f + 1, Seq(f)),
        outcome: outcomes[f as usize % outcomes.len()].clone(),
    }
}

fn wish(f: u64) -> NewResource {
    NewResource {
        path: None,
        plan: Some(plan(f)),
        size: Some(1 << 30),
        port: Some(5433),
        time: Some("05:15".parse().unwrap()),
        tags: tags(f),
        disks: (0..f % 3).map(|i| (format!("vd{i}"), name(f + i))).collect(),
        ..NewResource::named(name(f))
    }
}

fn plan(f: u64) -> Plan {
    Plan { name: "small".parse().unwrap(), vcpus: 2, memory: f << 20, disk: f << 30 }
}

pub fn acts(f: u64) -> Vec<Act> {
    let seq = Seq(f);
    let named: SnapshotName = "before-upgrade".parse().unwrap();
    let time = "05:15".parse().unwrap();
    vec![
        Act::Survey,
        Act::Take { seq, slot: Some(slot(0, f)), name: None, tags: Tags::new(), part: Part::Whole },
        Act::Take {
            seq,
            slot: None,
            name: Some(named.clone()),
            tags: tags(f),
            part: Part::SystemDisk,
        },
        Act::Keep { from: Seq(f + 1), seq, name: named, tags: tags(f) },
        Act::Destroy { seq, why: Doom::Rotated { paid_by: Seq(f + 7) } },
        Act::Destroy { seq, why: Doom::Asked },
        Act::Destroy { seq, why: Doom::TrashExpired },
        Act::Destroy { seq, why: Doom::Unfinished },
        Act::Create { from: seq, draft: Box::new(NewResource::at(name(f), odd(f))) },
        Act::Create { from: seq, draft: Box::new(wish(f)) },
        Act::Rollback { to: seq, safety: Seq(seq.0 + 1) },
        Act::Attach { disk: name(f) },
        Act::Detach { disk: name(f) },
        Act::Trash { seq },
        Act::Undelete { seq },
        Act::Mark { seq },
        Act::Tag { seq: None, change: Retag { set: tags(f), remove: [odd(f).into()].into() } },
        Act::Tag { seq: Some(seq), change: Retag { set: tags(f + 1), ..Retag::default() } },
        Act::Enable { time: None },
        Act::Enable { time: Some(time) },
        Act::Disable,
        Act::SetTime { time },
        Act::Reset,
        Act::Acknowledge,
        Act::Rotate,
        Act::Forget { automatic: Leftovers::Keep, last: None },
        Act::Forget { automatic: Leftovers::Trash, last: Some(seq) },
    ]
}

pub const CAUSES: [Cause; 8] = [
    Cause::Schedule,
    Cause::CatchUp,
    Cause::Retry(3),
    Cause::Peer(1000),
    Cause::Rotation,
    Cause::Recovery,
    Cause::Configuration,
    Cause::Trash,
];

pub fn operation(id: OperationId, n: u64, f: u64) -> Operation {
    let states = [
        State::Queued,
        State::Running,
        State::Succeeded,
        State::Failed(Failure::new(Fault::ALL[f as usize % 8], odd(f))),
    ];
    let acts = acts(f);
    Operation {
        id,
        resource: name(n),
        act: acts[f as usize % acts.len()].clone(),
        cause: CAUSES[f as usize % CAUSES.len()],
        key: maybe(
            f,
            Key { text: format!("key-{f}"), digest: maybe(f / 5, Digest([f as u8; 32])) },
        ),
        created: at(f),
        started: maybe(f / 2, at(f + 1)),
        finished: maybe(f / 3, at(f + 2)),
        state: states[f as usize % states.len()].clone(),
        tries: f as u32 % 4,
        cancel_asked_by: maybe(f / 7, f as u32),
        output: odd(f).into(),
    }
}

/// The next valid entries that three numbers ask for: what, of which resource, which flavour.
pub fn write(ledger: &Ledger, what: u64, n: u64, f: u64) -> Vec<Entry> {
    let resource = name(n);
    let Some(old) = ledger.account(&resource).filter(|_| what > 1) else {
        // An account that comes again goes on counting where the earlier one stopped.
        let head = Account { next_seq: next_seq(ledger, &resource), ..account(n, f) };
        return vec![Entry::Account(Box::new(head))];
    };
    let picked = old.snapshots.values().nth(f as usize % old.snapshots.len().max(1));
    match what {
        2..=4 => {
            let seq = old.next_seq;
            let head = Account { next_seq: Seq(seq.0 + 1), ..account(n, f) };
            let snapshot = taking(&resource, seq, f);
            vec![Entry::Account(Box::new(head)), Entry::Snapshot(Box::new(snapshot))]
        }
        5..=7 => picked.map(|old| Entry::Snapshot(Box::new(grown(old, f)))).into_iter().collect(),
        8 => picked.map(|old| Entry::SnapshotErased(resource, old.seq())).into_iter().collect(),
        9..=12 => vec![Entry::Slot(resource, slot_record(n % 2, f % 97, f))],
        13..=15 => vec![Entry::Operation(operation(ledger.next_operation, n, f))],
        16 => {
            let open = ledger.open_operations().next();
            let done = |old: &Operation| Operation { state: State::Succeeded, ..old.clone() };
            open.map(|old| Entry::Operation(done(old))).into_iter().collect()
        }
        17 if f.is_multiple_of(5) => vec![Entry::AccountErased(resource)],
        _ => vec![Entry::Clock { floor: at(f), elapsed: SignedDuration::new(f as i64, 5) }],
    }
}

fn next_seq(ledger: &Ledger, resource: &ResourceName) -> Seq {
    ledger.account(resource).map_or(Seq(1), |account| account.next_seq)
}
