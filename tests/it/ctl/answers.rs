//! Longer answers about the host of `facts`.

use super::facts::{self, at, db, home, snapshot, web};
use heptad::api::wire::{
    Alarm, Aspect, Blueprint, Blueprints, Change, Changes, Charge, Difference, Differences, Drop,
    Entry, EntryKind, Failure, Fate, Fees, Finding, Forecast, Forecasts, Hold, Listing, Mark,
    Measured, Offer, Operation, OperationState, Operations, Plan, Plans, Resource, ResourceFee,
    Slot, Slots, Snapshot, SnapshotFee, SnapshotState, Snapshots, Tags, Take, Why,
};

pub fn snapshots() -> Snapshots {
    let state = |state| Snapshot { state, ..snapshot("home@2026-11-19", 19, "19T14:00:01") };
    let snapshots = vec![
        Snapshot {
            resource: "db".into(),
            reason: Some("empty, though the one before held 31415 entries".into()),
            stored_bytes: None,
            rotation: Some("suspect".into()),
            ..Snapshot { label: "db@2026-11-11".into(), ..state(SnapshotState::Suspect) }
        },
        snapshot("home@2026-11-21", 21, "21T14:00:02"),
        Snapshot {
            kept_as: vec!["before-upgrade".into(), "the-good-one".into()],
            rotation: Some("latest 2".into()),
            ..snapshot("home@2026-11-20", 20, "20T14:00:01")
        },
        Snapshot { rotation: None, ..state(SnapshotState::Missing) },
        Snapshot {
            kept_from: Some("home@2026-11-20".into()),
            rotation: Some("manual".into()),
            tags: Tags::from([("why".into(), "upgrade of the kernel".into())]),
            ..snapshot("before-upgrade", 18, "20T14:00:01")
        },
        Snapshot {
            fate: Fate::Trashed,
            trash_seconds_left: Some(82_800),
            rotation: None,
            ..snapshot("experiment", 17, "18T09:30:00")
        },
    ];
    Snapshots { generation: 77, snapshots, next: None }
}

/// One without a price, one whose disk is measured in powers of 1000.
pub fn plans() -> Plans {
    let plan = |name: &str, vcpus, memory_bytes| Plan {
        name: name.into(),
        vcpus,
        memory_bytes,
        disk_bytes: 20 << 30,
    };
    let plans = vec![
        Offer { plan: plan("nano", 1, 512 << 20), price: None },
        Offer { plan: web().plan.unwrap(), price: Some(12.0) },
        Offer { plan: plan("2xlarge", 8, 32 << 30), price: Some(164.5) },
    ];
    Plans { currency: "USD".into(), plans }
}

pub fn blueprints() -> Blueprints {
    let blueprint = |name: &str, description: Option<&str>, export| Blueprint {
        name: name.into(),
        description: description.map(Into::into),
        export,
    };
    let debian = blueprint("debian-12", Some("Debian 12"), true);
    let ghost = blueprint("ghost", Some("a blog; its licence is for this host"), false);
    Blueprints { blueprints: vec![debian, ghost, blueprint("postgres-15", None, true)] }
}

pub fn operations() -> Operations {
    let failure = Failure {
        fault: "no-space".into(),
        message: "the file system is full: 0 B of 931 GiB are free".into(),
    };
    let failed = Operation {
        state: OperationState::Failed,
        failure: Some(failure),
        cause: "schedule".into(),
        uid: None,
        tries: 2,
        output: "hook: flushing\nhook: \u{1b}[2Jdone\n".into(),
        ..facts::operation(405, "take", Some("home@2026-11-22"))
    };
    let set = Operation { detail: Some("15:00".into()), ..facts::operation(402, "set-time", None) };
    let operations = vec![db().running.unwrap(), failed, set];
    Operations { generation: 77, operations, next: None }
}

pub fn forecasts() -> Forecasts {
    let take = |day: u8, drops| Take {
        at: at(&format!("{day}T14:00:00")),
        snapshot: format!("home@2026-11-{day}"),
        why: Why::Scheduled,
        drops,
    };
    let drop =
        |snapshot: &str, reason: &str| Drop { snapshot: snapshot.into(), reason: reason.into() };
    let hold = |day: u8, reason: &str, exists| Hold {
        snapshot: format!("home@2026-11-{day}"),
        reason: reason.into(),
        exists,
    };
    let home = Forecast {
        resource: "home".into(),
        until: at("24T10:00:00"),
        waits: None,
        idle: None,
        owed: Vec::new(),
        takes: vec![
            take(22, vec![drop("home@2026-11-15", "beyond the latest 7")]),
            take(23, vec![drop("home@2026-11-16", "beyond the latest 7")]),
        ],
        cut_short: false,
        stays: vec![hold(23, "latest 1", false), hold(22, "latest 2", false), {
            hold(21, "latest 3", true)
        }],
    };
    let db = Forecast {
        resource: "db".into(),
        waits: Some(
            "db@2026-11-11 is suspect; `heptactl acknowledge db` if the change is intended".into(),
        ),
        idle: Some("automatic snapshots are off".into()),
        owed: Vec::new(),
        takes: Vec::new(),
        cut_short: true,
        stays: Vec::new(),
        ..home.clone()
    };
    Forecasts { now: facts::now(), days: 2, forecasts: vec![db, home], next: None }
}

pub fn fees() -> Fees {
    let snapshot = |label: &str, stored, exclusive, measured| SnapshotFee {
        snapshot: label.into(),
        stored_bytes: stored,
        exclusive_bytes: exclusive,
        billed_bytes: exclusive.or(stored).unwrap_or(0),
        measured,
    };
    let charge = |gb_months, cost| Charge { gb_months, cost };
    let home = ResourceFee {
        resource: "home".into(),
        known: true,
        snapshots: vec![
            snapshot("home@2026-11-21", Some(5 << 30), Some(70 << 20), Measured::Exclusive),
            snapshot("before-upgrade", Some(5 << 30), Some(1 << 30), Measured::Exclusive),
        ],
        stored_bytes: Some(10 << 30),
        exclusive_bytes: Some((70 << 20) + (1 << 30)),
        occupied_bytes: Some(3 << 30),
        billed_bytes: Some(3 << 30),
        measured: Some(Measured::Exact),
        unmeasured: 0,
        so_far: charge(0.8125, 0.040_625),
        forecast: Some(charge(1.1401, 0.057_005)),
    };
    let db = ResourceFee {
        resource: "db".into(),
        snapshots: vec![
            snapshot("db@2026-11-12", Some(31 << 30), None, Measured::Logical),
            snapshot("db@2026-11-11", None, None, Measured::Unmeasured),
        ],
        stored_bytes: Some(31 << 30),
        exclusive_bytes: None,
        occupied_bytes: None,
        billed_bytes: Some(31 << 30),
        measured: Some(Measured::Logical),
        unmeasured: 1,
        so_far: charge(23.8, 1.19),
        forecast: Some(charge(33.1, 1.655)),
        ..home.clone()
    };
    let old = ResourceFee {
        resource: "old".into(),
        known: false,
        snapshots: vec![],
        stored_bytes: None,
        exclusive_bytes: None,
        occupied_bytes: None,
        billed_bytes: Some(0),
        measured: Some(Measured::Unmeasured),
        so_far: charge(0.01, 0.0005),
        forecast: Some(charge(0.01, 0.0005)),
        ..home.clone()
    };
    Fees {
        now: facts::now(),
        month: "2026-11".into(),
        ends: "2026-12-01T00:00:00Z".parse().unwrap(),
        price: 0.05,
        currency: "USD".into(),
        resources: vec![db, home, old],
        so_far: charge(24.6225, 1.231_125),
        forecast: Some(charge(34.2501, 1.712_505)),
    }
}

/// The month before, when only `home` was there.
pub fn past_fees() -> Fees {
    let home = ResourceFee {
        snapshots: vec![],
        billed_bytes: None,
        measured: None,
        forecast: None,
        ..fees().resources.swap_remove(1)
    };
    let so_far = home.so_far;
    Fees { month: "2026-10".into(), resources: vec![home], so_far, forecast: None, ..fees() }
}

pub fn slots() -> Slots {
    let open = Slot {
        slot: "2026-11-22".into(),
        mark: Mark::None,
        outcome: None,
        reason: None,
        attempts: 0,
        started: None,
        finished: None,
        late_seconds: None,
        operation: None,
        snapshot: None,
        due: at("22T14:00:00"),
        end: at("22T23:00:00"),
    };
    let kept = Slot { mark: Mark::Kept, ..facts::slot() };
    Slots {
        resource: "home".into(),
        day: "2026-11-21".into(),
        zone: "Europe/Berlin".into(),
        slots: vec![facts::failed_slot(), kept, open],
        note: Some("the next one is due on 2026-11-22 at 15:00".into()),
    }
}

pub fn findings() -> Vec<Finding> {
    let finding = Finding {
        file: Some("/etc/heptad/heptad.toml".into()),
        line: Some(12),
        key: Some("resource.home.tme".into()),
        message: "there is no such key".into(),
        hint: Some("did you mean `time`?".into()),
        remark: false,
    };
    let bare = Finding { message: "no resource is declared".into(), ..Finding::default() };
    vec![finding, bare]
}

pub fn changes() -> Vec<Changes> {
    let running = db().running.unwrap();
    let failure = Some(Failure {
        fault: "hook".into(),
        message: "the hook /etc/heptad/flush said:\nno".into(),
    });
    let failed = Operation { state: OperationState::Failed, failure, ..running.clone() };
    let one = |operations, resources| Changes { operations, resources, ..Changes::default() };
    let alarm = Alarm {
        code: "trouble".into(),
        sentence: "/srv/home is not mounted".into(),
        hint: "mount it".into(),
    };
    let in_alarm = Resource { alarms: vec![alarm], ..home() };
    let well = Resource { alarms: Vec::new(), ..db() };
    let gone = Changes { gone: vec!["old".into()], ..Changes::default() };
    vec![
        one(vec![running.clone()], vec![home()]),
        one(vec![running], vec![]),
        one(vec![failed.clone()], vec![in_alarm.clone()]),
        one(vec![failed], vec![in_alarm, well]),
        gone,
    ]
}

fn entry(name: &str, kind: EntryKind, mode: &str, size: u64) -> Entry {
    Entry {
        name: name.into(),
        kind,
        size,
        mtime: at("20T10:15:30"),
        mode: mode.into(),
        uid: 1000,
        gid: 100,
        target: None,
    }
}

/// The first page of a directory, or the one after it.
pub fn listing(next: Option<&str>) -> Listing {
    use EntryKind::{CharDevice, Directory, Fifo, File, Link};
    let link = Entry { target: Some("/etc/shadow".into()), ..entry("link", Link, "0777", 11) };
    let entries = match next {
        Some(_) => vec![entry("a", Directory, "0755", 0), entry("b", File, "4755", 25_125_558_681)],
        None => vec![
            entry("caf\\xe9 \\x1b[31m", File, "0640", 5),
            link,
            entry("null", CharDevice, "0666", 0),
            entry("pipe", Fifo, "0600", 0),
            entry("\u{202e}txt.exe", File, "0644", 1),
        ],
    };
    Listing {
        snapshot: "home@2026-11-21".into(),
        resource: "home".into(),
        path: String::new(),
        entry: entry("", Directory, "0755", 0),
        entries,
        next: next.map(Into::into),
    }
}

/// A path that is no directory.
pub fn only() -> Listing {
    Listing {
        snapshot: "a-file".into(),
        path: "etc/caf\\xe9".into(),
        entry: entry("caf\\xe9", EntryKind::File, "0640", 5),
        entries: Vec::new(),
        ..listing(None)
    }
}

pub fn differences() -> Differences {
    use Aspect::{Content, ContentNotCompared, Mode, Mtime, Owner, Size};
    let one = |path: &str, kind, change, aspects: &[Aspect]| Difference {
        path: path.into(),
        kind,
        change,
        aspects: aspects.into(),
    };
    use EntryKind::{Directory, File};
    Differences {
        from: "before-upgrade".into(),
        to: "home@2026-11-21".into(),
        path: String::new(),
        differences: vec![
            one("", Directory, Change::Changed, &[Mode, Owner]),
            one("added", Directory, Change::Added, &[]),
            one("caf\\xe9", File, Change::Changed, &[Size, Mtime]),
            one("disk.img", File, Change::Changed, &[Mtime, ContentNotCompared]),
            one("removed", File, Change::Removed, &[]),
            one("same-size", File, Change::Changed, &[Mtime, Content]),
        ],
        next: None,
    }
}
