//! Wire answers about one host, 2026-11-22 at 10:00 UTC: `home`, which is well, and `db`, which is
//! not.

use heptad::api::wire::{
    Alarm, Belief, Counts, Fate, Mark, NextRun, Operation, OperationState, Origin, Plan, Resource,
    ResourceDetail, Resources, Retention, Schedule, Setting, Slot, Snapshot, SnapshotState, Source,
    Status, StripMark, Tags, Why,
};
use jiff::Timestamp;

pub fn at(text: &str) -> Timestamp {
    format!("2026-11-{text}Z").parse().unwrap()
}

pub fn now() -> Timestamp {
    at("22T10:00:00")
}

pub fn configured<T>(value: T) -> Setting<T> {
    Setting { value, source: Source::Config, configured: None }
}

pub fn overridden<T>(value: T, configured: T) -> Setting<T> {
    Setting { value, source: Source::Override, configured: Some(configured) }
}

pub fn next(slot: &str, due: &str) -> NextRun {
    let due = at(due);
    NextRun { slot: slot.into(), due, at: due, why: Why::Scheduled, retry: 0 }
}

pub fn home() -> Resource {
    use Mark::{Complete, Kept, Missed, Skipped};
    let marks = [Missed, Skipped, Kept].into_iter().chain([Complete; 11]);
    Resource {
        name: "home".into(),
        kind: "disk".into(),
        backend: "btrfs".into(),
        plan: None,
        blueprint: None,
        size_bytes: None,
        attached_disks: Vec::new(),
        attached_to: Vec::new(),
        engine: None,
        engine_version: None,
        enrolled: false,
        declared: true,
        forgotten: false,
        tags: Tags::from([("owner".into(), "anna".into())]),
        configured_tags: Option::None,
        enabled: configured(true),
        rhythm: overridden("15:00 Europe/Berlin".into(), "06:00 Europe/Berlin".into()),
        still: None,
        time: Some("15:00".into()),
        zone: "Europe/Berlin".into(),
        spread_seconds: 0,
        retention: Retention { latest: 7, weekly: 4, monthly: 0, yearly: 0 },
        next_run: Some(next("2026-11-22", "22T14:00:00")),
        strip: strip(marks),
        counts: Counts { automatic: 7, manual: 2, trashed: 1 },
        newest: None,
        newest_complete: Some(at("21T14:00:02")),
        newest_complete_age_seconds: Some(71998),
        newest_proof: None,
        alarms: Vec::new(),
        running: None,
        queued: 0,
    }
}

/// Made by a command from a snapshot of another.
pub fn web() -> Resource {
    let plan =
        Plan { name: "small".into(), vcpus: 2, memory_bytes: 2 << 30, disk_bytes: 60_000_000_000 };
    Resource {
        name: "web".into(),
        kind: "instance".into(),
        plan: Some(plan),
        blueprint: Some("debian-12".into()),
        size_bytes: None,
        attached_disks: Vec::new(),
        attached_to: Vec::new(),
        engine: None,
        engine_version: None,
        enrolled: true,
        ..home()
    }
}

pub fn strip(marks: impl IntoIterator<Item = Mark>) -> Vec<StripMark> {
    let days = (9..).map(|day| format!("2026-11-{day:02}"));
    days.zip(marks).map(|(slot, mark)| StripMark { slot, mark }).collect()
}

pub fn db() -> Resource {
    use Mark::{Complete, Failed, None, Running, Suspect};
    Resource {
        name: "db".into(),
        kind: "database".into(),
        backend: "exec".into(),
        tags: Tags::new(),
        configured_tags: Option::None,
        enabled: configured(true),
        rhythm: configured("06:00 UTC".into()),
        still: Option::None,
        time: Some("06:00".into()),
        zone: "UTC".into(),
        spread_seconds: 420,
        retention: Retention { latest: 7, weekly: 0, monthly: 0, yearly: 0 },
        next_run: Some(NextRun {
            at: at("22T10:15:00"),
            why: Why::Retry,
            retry: 3,
            ..next("2026-11-22", "22T06:07:00")
        }),
        strip: strip([Complete, Complete, Suspect, Failed, Failed, Running, None]),
        counts: Counts { automatic: 2, manual: 0, trashed: 0 },
        newest: Option::None,
        newest_complete: Some(at("10T06:00:00")),
        newest_complete_age_seconds: Some(1_051_200),
        newest_proof: Option::None,
        alarms: vec![Alarm {
            code: "stale".into(),
            sentence:
                "no complete snapshot for 292 h, which is far longer than the day and a half \
                       that are borne in silence"
                    .into(),
            hint: "see `heptactl why db`".into(),
        }],
        running: Some(Operation {
            state: OperationState::Running,
            started: Some(at("22T09:58:30")),
            progress: Some(heptad::api::wire::Progress {
                done_bytes: 1 << 30,
                total_bytes: Some(3 << 30),
                bytes_per_second: Some(12 << 20),
                seconds_left: Some(171),
            }),
            resource: "db".into(),
            ..operation(411, "take", Some("db@2026-11-22"))
        }),
        queued: 2,
        ..home()
    }
}

pub fn status(resources: Vec<Resource>) -> Status {
    Status {
        version: "0.1.0".into(),
        generation: 77,
        now: now(),
        started: at("20T08:00:00"),
        clock: Belief::Trusted,
        alarms: Vec::new(),
        open_operations: 0,
        resources,
    }
}

pub fn resources() -> Resources {
    Resources { generation: 77, resources: vec![db(), home()], next: None }
}

pub fn slot() -> Slot {
    Slot {
        slot: "2026-11-21".into(),
        due: at("21T14:00:00"),
        end: at("21T23:00:00"),
        mark: Mark::Complete,
        outcome: Some("complete".into()),
        reason: None,
        attempts: 1,
        started: Some(at("21T14:00:00")),
        finished: Some(at("21T14:00:02")),
        late_seconds: Some(0),
        operation: Some(402),
        snapshot: Some("home@2026-11-21".into()),
    }
}

pub fn failed_slot() -> Slot {
    Slot {
        slot: "2026-11-20".into(),
        due: at("20T14:00:00"),
        end: at("20T23:00:00"),
        mark: Mark::Failed,
        outcome: Some("failed".into()),
        reason: Some("/srv/home is not mounted; mount it or take it out of the files".into()),
        attempts: 5,
        started: Some(at("20T14:12:00")),
        finished: Some(at("20T22:58:01")),
        late_seconds: Some(720),
        operation: Some(399),
        snapshot: None,
    }
}

pub fn detail(resource: Resource) -> ResourceDetail {
    ResourceDetail {
        can: Vec::new(),
        beyond: Vec::new(),
        generation: 77,
        now: now(),
        resource,
        since: at("01T08:00:00"),
        identity: Some("btrfs 0f7c2f0e-2f3e-4ed2-a3be-5a0b4f2c8f11 subvolume 256".into()),
        stranger: None,
        trouble: None,
        doubt: None,
        slots: vec![slot(), failed_slot()],
    }
}

pub fn snapshot(label: &str, seq: u64, taken: &str) -> Snapshot {
    let slot = label.split_once('@').map(|(_, slot)| slot.to_owned());
    Snapshot {
        label: label.into(),
        resource: "home".into(),
        seq,
        id: format!("6f1d3b52-0000-4000-8000-{seq:012}"),
        origin: if slot.is_some() { Origin::Automatic } else { Origin::Manual },
        name: slot.is_none().then(|| label.into()),
        slot,
        kind: "disk".into(),
        part: "whole".into(),
        plan: None,
        blueprint: None,
        kept_from: None,
        kept_as: Vec::new(),
        taken_at: at(taken),
        age_seconds: now().as_second() - at(taken).as_second(),
        tags: Tags::new(),
        state: SnapshotState::Complete,
        reason: None,
        fate: Fate::Live,
        trash_seconds_left: None,
        stored_bytes: Some(5_368_709_120),
        exclusive_bytes: Some(12_582_912),
        entries: Some(31_415),
        content_bytes: Some(5_368_700_000),
        notes: Vec::new(),
        size_bytes: None,
        from_attached_disks: Vec::new(),
        engine: None,
        engine_version: None,
        proven_at: None,
        proven_by: None,
        rotation: Some("latest 1".into()),
    }
}

pub fn operation(id: u64, act: &str, snapshot: Option<&str>) -> Operation {
    Operation {
        id,
        resource: "home".into(),
        act: act.into(),
        cause: "peer".into(),
        uid: Some(1000),
        snapshot: snapshot.map(Into::into),
        detail: None,
        state: OperationState::Succeeded,
        failure: None,
        created: now(),
        started: Some(now()),
        finished: None,
        tries: 1,
        cancel_asked_by: None,
        progress: None,
        output: String::new(),
    }
}

/// Wished 15:00 Berlin, where the configuration says 06:00.
pub fn schedule(next_run: Option<NextRun>) -> Schedule {
    Schedule {
        enabled: configured(true),
        rhythm: overridden("15:00 Europe/Berlin".into(), "06:00 Europe/Berlin".into()),
        still: None,
        time: Some("15:00".into()),
        zone: "Europe/Berlin".into(),
        next_run,
    }
}
