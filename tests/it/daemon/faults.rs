//! What happens to real disks, as heptactl tells it: absent, empty, full, read-only, and snapshots
//! that somebody else has put their hands on.

use super::disk::{names, on_disk};
use super::host::{Host, at, day};
use crate::support::loopfs::{LoopFs, run, subvolume};
use std::path::Path;

/// A day that is over for `resource`, as `heptactl why` tells it.
fn why(host: &Host, resource: &str, n: u32) -> String {
    host.ok(&format!("why {resource} {}", day(n)))
}

/// `heptactl status` in alarm: exit code 5 and what it says.
fn alarmed(host: &Host, resource: &str, says: &str) {
    let ran = host.ctl(&format!("status {resource}"));
    let flat = ran.out.split_whitespace().collect::<Vec<_>>().join(" ");
    assert_eq!(ran.code, 5, "{flat}");
    assert!(flat.contains(says), "{flat}");
    assert_eq!(host.ctl("status --quiet").code, 5);
}

fn calm(host: &Host) {
    let ran = host.ctl("status");
    assert_eq!(ran.code, 0, "{}", ran.out);
}

fn alarm_codes(host: &Host, resource: &str) -> Vec<String> {
    let detail = host.client().resource(resource).unwrap();
    detail.resource.alarms.into_iter().map(|alarm| alarm.code).collect()
}

/// One file a day, so that nothing looks like a copy.
fn days(host: &mut Host, resources: &[&str], live: &[&Path], days: std::ops::RangeInclusive<u32>) {
    for n in days {
        for dir in live {
            std::fs::write(dir.join(day(n)), "x").unwrap();
        }
        host.clock(&at(n, "06:00"));
        host.complete(resources, &day(n));
    }
}

/// A btrfs whose subvolume `vol` is what is mounted, as a disk of its own would be.
fn volume(fs: &mut LoopFs) {
    subvolume(&fs.path().join("vol"));
    fs.unmount();
    fs.mount("subvol=vol");
}

#[test]
fn a_source_that_is_not_mounted_is_skipped_for_days_and_loses_nothing() {
    let (mut btrfs, mut xfs) = (LoopFs::new("btrfs", 128), LoopFs::new("xfs", 320));
    volume(&mut btrfs);
    let config = format!(
        "[defaults]\ntime = \"06:00\"\n[resource.vol]\nbtrfs = {{ path = \"{}\" }}\n\
         [resource.tree]\nfiles = {{ path = \"{}\" }}\n",
        btrfs.path().display(),
        xfs.path().display()
    );
    let mut host = Host::with(&at(1, "05:00"), &config);
    let both = ["vol", "tree"];
    days(&mut host, &both, &[&btrfs.path(), &xfs.path()], 1..=8);
    calm(&host);
    let before = both.map(|name| host.labels(name));
    assert_eq!(before[0].len(), 7);

    // The mount points are there, and empty.
    btrfs.unmount();
    xfs.unmount();
    for n in 9..=17 {
        for name in both {
            let slot = host.slot_ends(name, &at(n, "06:00"));
            assert_eq!(slot.outcome, None, "it is tried again until the day ends: {slot:?}");
        }
        assert_eq!(both.map(|name| host.labels(name)), before, "day {n}");
        both.iter().for_each(|name| alarmed(&host, name, "!"));
    }
    for name in both {
        let told = why(&host, name, 9);
        assert!(told.contains("2026-12-09  skipped"), "{told}");
        assert!(told.contains("identity: "), "{told}");
        assert!(alarm_codes(&host, name).contains(&"stale".into()));
    }

    btrfs.mount("subvol=vol");
    xfs.mount("");
    days(&mut host, &both, &[&btrfs.path(), &xfs.path()], 18..=18);
    calm(&host);
    for name in both {
        let labels = host.labels(name);
        assert_eq!((labels.len(), &labels[0]), (7, &format!("{name}@{}", day(18))));
        assert_eq!(labels.last().unwrap(), &format!("{name}@{}", day(3)));
    }
}

#[test]
fn an_emptied_source_stops_rotation_until_a_person_says_that_it_is_right() {
    let fs = LoopFs::new("btrfs", 128);
    let volume = fs.path().join("vol");
    subvolume(&volume);
    let mut host = Host::new(&at(1, "05:00"));
    let tree = host.tree("tree", "one");
    host.configure(&format!(
        "[defaults]\ntime = \"06:00\"\n[resource.vol]\nbtrfs = {{ path = \"{}\" }}\n\
         [resource.tree]\nfiles = {{ path = \"ROOT/tree\" }}\n",
        volume.display()
    ));
    host.start();
    let both = ["vol", "tree"];
    days(&mut host, &both, &[&volume, &tree], 1..=7);
    for dir in [&volume, &tree] {
        names(dir).iter().for_each(|name| std::fs::remove_file(dir.join(name)).unwrap());
    }
    for name in both {
        let slot = host.slot_ends(name, &at(8, "06:00"));
        assert_eq!(slot.outcome.as_deref(), Some("suspect"), "{slot:?}");
        assert!(why(&host, name, 8).contains("it is empty"));
        alarmed(&host, name, &format!("{name}@{} is suspect: it is empty", day(8)));
        let list = host.ok(&format!("list {name}"));
        assert!(list.lines().any(|line| line.contains("suspect")), "{list}");
    }
    // Full again: taken, but nothing goes.
    days(&mut host, &both, &[&volume, &tree], 9..=10);
    for name in both {
        assert_eq!(host.labels(name).len(), 10, "{name}");
        let refused = host.ctl(&format!("rotate {name} --yes"));
        assert_eq!(refused.code, 1, "{refused:?}");
        host.ok(&format!("acknowledge {name}"));
        host.settle();
    }
    calm(&host);
    days(&mut host, &both, &[&volume, &tree], 11..=11);
    for name in both {
        assert_eq!(host.labels(name).len(), 9, "{name}: two go for each one that comes");
        host.ok(&format!("rotate {name} --yes"));
        host.settle();
        let wanted: Vec<String> = (5..=11).rev().map(|n| format!("{name}@{}", day(n))).collect();
        assert_eq!(host.live_labels(name), wanted);
    }
    // What a person let go lies in the trash for a day.
    assert_eq!(on_disk(&fs.path().join(".heptad"), "vol").len(), 9);
    assert_eq!(on_disk(&host.path("state/store"), "tree").len(), 9);
}

#[test]
fn a_full_store_fails_for_want_of_room_and_keeps_what_it_has() {
    let store = LoopFs::new("ext4", 32);
    let mut host = Host::new(&at(1, "05:00"));
    let tree = host.tree("tree", "one");
    host.configure(&format!(
        "[resource.tree]\ntime = \"06:00\"\nfiles = {{ path = \"ROOT/tree\", store = \"{}\" }}\n",
        store.path().join("store").display()
    ));
    host.start();
    days(&mut host, &["tree"], &[&tree], 1..=2);
    let before = host.labels("tree");
    std::fs::write(tree.join("big"), vec![7; 64 << 20]).unwrap();
    let slot = host.slot_ends("tree", &at(3, "06:00"));
    assert_eq!(slot.outcome, None, "{slot:?}");
    assert!(slot.reason.as_deref().unwrap().contains("No space left"), "{slot:?}");
    let take = host.newest_operation("tree", "take");
    assert_eq!(take.failure.unwrap().fault, "no-space");
    assert_eq!(host.labels("tree"), before, "nothing half made is left");
    assert_eq!(on_disk(&store.path().join("store"), "tree").len(), 2);
    host.slot_ends("tree", &at(4, "06:00"));
    let told = why(&host, "tree", 3);
    assert!(told.contains("2026-12-03  failed") && told.contains("No space left"), "{told}");
    host.clock(&at(4, "18:01"));
    alarmed(&host, "tree", "no complete snapshot for 60 hours");
    std::fs::remove_file(tree.join("big")).unwrap();
    days(&mut host, &["tree"], &[&tree], 5..=5);
    calm(&host);
}

#[test]
fn a_disk_that_turned_read_only_is_told_once_and_goes_on_when_it_is_mended() {
    let fs = LoopFs::new("btrfs", 128);
    let volume = fs.path().join("vol");
    subvolume(&volume);
    let config = format!(
        "[resource.vol]\ntime = \"06:00\"\nbtrfs = {{ path = \"{}\" }}\n",
        volume.display()
    );
    let mut host = Host::with(&at(1, "05:00"), &config);
    days(&mut host, &["vol"], &[&volume], 1..=3);
    let before = host.ok("list vol");
    fs.remount("ro");
    for n in 4..=6 {
        let slot = host.slot_ends("vol", &at(n, "06:00"));
        assert!(slot.reason.as_deref().unwrap().contains("it is read-only"), "{slot:?}");
        assert_eq!(host.ok("list vol"), before);
    }
    let told = why(&host, "vol", 5);
    assert!(told.contains("2026-12-05  failed") && told.contains("it is read-only"), "{told}");
    assert_eq!(alarm_codes(&host, "vol"), ["stale", "slot-lost"], "once each, not once a day");
    alarmed(&host, "vol", "no complete snapshot for 3 days");
    fs.remount("rw");
    days(&mut host, &["vol"], &[&volume], 7..=7);
    calm(&host);
    assert_eq!(host.labels("vol").len(), 4, "no remains");
}

#[test]
fn what_was_done_to_snapshots_behind_heptads_back_is_seen_and_told() {
    let fs = LoopFs::new("btrfs", 128);
    let volume = fs.path().join("vol");
    subvolume(&volume);
    let config = format!(
        "[resource.vol]\ntime = \"06:00\"\nbtrfs = {{ path = \"{}\" }}\n",
        volume.display()
    );
    let mut host = Host::with(&at(1, "05:00"), &config);
    days(&mut host, &["vol"], &[&volume], 1..=7);
    let data = |n: u32| fs.path().join(format!(".heptad/vol/{n}/data"));
    let btrfs = |line: &str, n: u32, more: &[&str]| {
        let path = data(n);
        let words =
            line.split_whitespace().map(|w| if w == "PATH" { path.to_str().unwrap() } else { w });
        let words: Vec<&str> = words.chain(more.iter().copied()).collect();
        run("btrfs", &words);
    };
    btrfs("-q subvolume delete PATH", 3, &[]);
    btrfs("property set -f -ts PATH ro false", 5, &[]);
    std::fs::write(data(5).join("file"), "forged").unwrap();
    btrfs("property set -f -ts PATH ro true", 5, &[]);
    days(&mut host, &["vol"], &[&volume], 8..=8);
    // They do not count, so there are only six; what is gone pays for nothing.
    let list = host.ok("list vol");
    let line = |n: u32| {
        let label = format!("vol@{}", day(n));
        list.lines().find(|line| line.contains(&label)).unwrap_or_default().to_owned()
    };
    assert!(line(3).contains("missing"), "{list}");
    assert!(line(5).contains("tampered"), "{list}");
    assert_eq!(host.labels("vol").len(), 8, "{list}");
    assert_eq!(alarm_codes(&host, "vol"), ["missing", "tampered"]);
    alarmed(&host, "vol", &format!("vol@{}", day(3)));
    let show = host.ok(&format!("show vol@{}", day(5)));
    assert!(show.contains("tampered"), "{show}");
    let refused =
        host.ctl(&format!("create new --from vol@{} --path {}/new", day(5), fs.path().display()));
    assert_eq!(refused.code, 1, "{refused:?}");
    assert!(!fs.path().join("new").exists());
}

#[test]
fn a_full_store_is_called_full_whatever_writes_into_it() {
    let small = LoopFs::new("ext4", 32);
    let mut host = Host::new(&at(1, "12:00"));
    let docs = host.tree("docs", "one");
    let noise: Vec<u8> = (0..40_u64 << 17).flat_map(|n| (n | 1 << 63).to_le_bytes()).collect();
    std::fs::write(docs.join("big"), &noise).unwrap();
    let app = host.tree("app", "one").join("app.db");
    let sql = "import sqlite3, sys; d = sqlite3.connect(sys.argv[1]); d.execute('create table t(b)'); \
               d.execute('insert into t values (?)', (open(sys.argv[2], 'rb').read(),)); d.commit()";
    let mut made = std::process::Command::new("/usr/bin/python3");
    assert!(made.args(["-c", sql]).arg(&app).arg(docs.join("big")).status().unwrap().success());
    let (tree, database) = (small.path().join("trees"), small.path().join("databases"));
    host.configure(&format!(
        "[resource.docs]\nfiles = {{ path = \"{}\", store = \"{}\" }}\n\
         [resource.app]\nsqlite = {{ path = \"{}\", store = \"{}\" }}\n",
        docs.display(),
        tree.display(),
        app.display(),
        database.display()
    ));
    host.start();
    for (name, store) in [("docs", tree), ("app", database)] {
        let ran = host.ctl(&format!("take {name} {name}-1"));
        let why = format!("the store {} is full", store.display());
        assert!(ran.code == 1 && ran.err.contains(&why), "{name}: {ran:?}");
    }
}
