//! Twenty btrfs subvolumes through nine days, left alone and with the daemon killed again and
//! again.

use super::disk::on_disk;
use super::host::{Host, at, day};
use crate::support::loopfs::{LoopFs, subvolume};
use heptad::api::wire::{Operation, OperationsQuery, SnapshotState};
use std::collections::BTreeSet;

const RESOURCES: usize = 20;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    Begun,
    Ended,
}
use Stage::{Begun, Ended};

struct Farm {
    host: Host,
    fs: LoopFs,
    names: Vec<String>,
}

impl Farm {
    /// Subvolumes with a file in each, all due at 06:00.
    fn new() -> Self {
        let fs = LoopFs::new("btrfs", 256);
        let names: Vec<String> = (0..RESOURCES).map(|n| format!("vol-{n:02}")).collect();
        let mut config = String::from("[defaults]\ntime = \"06:00\"\n");
        for name in &names {
            let path = fs.path().join(name);
            subvolume(&path);
            let path = path.display();
            config.push_str(&format!("[resource.{name}]\nbtrfs = {{ path = \"{path}\" }}\n"));
        }
        let host = Host::with(&at(1, "05:00"), &config);
        Self { host, fs, names }
    }

    /// Something is written each day, so that no two snapshots are alike.
    fn write(&self, n: u32) {
        for name in &self.names {
            std::fs::write(self.fs.path().join(name).join(day(n)), name).unwrap();
        }
    }

    fn complete(&self, n: u32) {
        let names: Vec<&str> = self.names.iter().map(String::as_str).collect();
        self.host.complete(&names, &day(n));
    }

    /// Those of which the third day's snapshot is kept on a day.
    fn kept_on(&self, n: u32) -> Vec<&String> {
        let some = |n: u32| self.names.iter().skip(n as usize).step_by(7);
        if (3..=5).contains(&n) { some(n).collect() } else { Vec::new() }
    }

    fn keep(&self, n: u32, how: &str) {
        for name in self.kept_on(n) {
            self.host.ok(&format!("keep {name}@{} kept-{name} --tag on={n} {how}", day(3)));
        }
    }

    /// What is listed, without what differs between two lives: resource, label, origin, name, and
    /// what it was kept from.
    fn listed(&self) -> BTreeSet<String> {
        let line = |s: heptad::api::wire::Snapshot| {
            assert_eq!(s.state, SnapshotState::Complete, "{s:?}");
            let kept = s.kept_from.unwrap_or_default();
            format!(
                "{} {} {:?} from {kept:?} {:?} {:?}",
                s.resource, s.label, s.origin, s.tags, s.fate
            )
        };
        self.host.snapshots().into_iter().map(line).collect()
    }

    /// Exactly the newest seven and those that were kept, in the list and on the disk.
    fn check_end(&self) {
        for name in &self.names {
            let mut wanted: Vec<String> = (3..=9).map(|n| format!("{name}@{}", day(n))).collect();
            let mut found = self.host.labels(name);
            found.retain(|label| !label.starts_with("kept-"));
            found.reverse();
            assert_eq!(found, wanted, "{name}");
            wanted.extend(self.host.labels(name).into_iter().filter(|l| l.starts_with("kept-")));
            wanted.sort();
            let on_disk = on_disk(&self.fs.path().join(".heptad"), name);
            assert_eq!(on_disk.keys().cloned().collect::<Vec<_>>(), wanted, "{name} on the disk");
            for (label, files) in on_disk {
                let until = label.rsplit_once("-12-").map_or(3, |(_, n)| n.parse().unwrap());
                let days: Vec<String> = (1..=until).map(day).collect();
                assert_eq!(files, days, "what is in {label}");
            }
        }
        assert_eq!(self.kept(), 9);
    }

    fn kept(&self) -> usize {
        self.listed().iter().filter(|line| line.contains("kept-")).count()
    }

    /// The power goes and comes back, so many times; what waits is tried again later.
    fn cut(&mut self, times: u32, then: &str) {
        for _ in 0..times {
            self.host.kill();
            self.host.start();
        }
        self.host.settle();
        self.host.clock(then);
    }

    /// Waits for so many operations of a kind on this day: begun, or ended.
    fn see(&self, n: u32, act: &str, stage: Stage, count: usize) {
        let today = |operation: &Operation| {
            let created = operation.created.to_string().starts_with(&day(n));
            created && operation.act == act && (stage == Begun || !operation.state.is_open())
        };
        let all = OperationsQuery { limit: Some(1000), ..Default::default() };
        self.host.until(act, |client| {
            let found = client.operations(&all).unwrap().operations;
            (found.iter().filter(|operation| today(operation)).count() >= count).then_some(())
        });
    }
}

/// The nine days with the daemon left alone.
fn quiet_days() -> Farm {
    let mut farm = Farm::new();
    farm.host.clock(&at(1, "05:59"));
    farm.host.settle();
    assert_eq!(farm.host.snapshots().len(), 0);
    for n in 1..=9 {
        farm.write(n);
        farm.host.clock(&at(n, "06:00"));
        farm.complete(n);
        farm.keep(n, "");
        let automatic = farm.host.snapshots().len() - farm.kept();
        assert_eq!(automatic, RESOURCES * n.min(7) as usize, "day {n}");
    }
    farm
}

/// The nine days with the daemon killed at a different moment of almost each.
fn hard_days() -> Farm {
    let mut farm = Farm::new();
    for n in 1..=9 {
        farm.write(n);
        farm.host.clock(&at(n, "06:00"));
        match n {
            1 => farm.see(n, "take", Begun, 1),
            2 => farm.see(n, "take", Begun, RESOURCES),
            3 => farm.see(n, "take", Ended, 1),
            4 => farm.see(n, "take", Ended, RESOURCES / 2),
            5 => farm.see(n, "take", Ended, RESOURCES - 1),
            8 => farm.see(n, "destroy", Begun, 1),
            9 => farm.see(n, "destroy", Ended, RESOURCES / 2),
            // At once, whatever has become of it.
            _ => {}
        }
        // Every other day once more, in the middle of the recovery.
        farm.cut(1 + n % 2, &at(n, "06:20"));
        farm.complete(n);
        farm.keep(n, "--no-wait");
        if n == 4 {
            farm.cut(1, &at(n, "07:30"));
        }
        farm.host.settle();
    }
    farm
}

#[test]
fn nine_days_end_in_the_same_state_however_often_the_daemon_is_killed() {
    let (quiet, hard) = std::thread::scope(|scope| {
        let hard = scope.spawn(hard_days);
        (quiet_days(), hard.join().unwrap())
    });
    quiet.check_end();
    hard.check_end();
    assert_eq!(hard.listed(), quiet.listed());
}
