//! A mounted snapshot through days of rotation and deaths of the daemon, by the real programs.

use super::host::{Host, at, day};
use crate::support::loopfs::{LoopFs, run, subvolume};
use std::path::{Path, PathBuf};
use std::process::Command;

struct Point(PathBuf);

impl Point {
    fn new(host: &Host, name: &str) -> Self {
        std::fs::create_dir(host.path(name)).unwrap();
        Self(host.path(name))
    }
}

impl Drop for Point {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).output();
    }
}

/// Takes the daily snapshots of these days.
fn days(host: &mut Host, live: &[(&str, &Path)], days: std::ops::RangeInclusive<u32>) {
    for n in days {
        live.iter().for_each(|(_, dir)| std::fs::write(dir.join("file"), day(n)).unwrap());
        host.clock(&at(n, "06:00"));
        let names: Vec<&str> = live.iter().map(|(name, _)| *name).collect();
        host.complete(&names, &day(n));
    }
}

#[test]
fn rotation_waits_for_a_mounted_snapshot_and_a_killed_daemon_forgets_none() {
    let fs = LoopFs::new("btrfs", 256);
    let (vol, tree) = (fs.path().join("vol"), fs.path().join("tree"));
    subvolume(&vol);
    std::fs::create_dir(&tree).unwrap();
    let config = format!(
        "[defaults]\ntime = \"06:00\"\nkeep = 2\n[resource.vol]\nbtrfs = {{ path = {vol:?} }}\n\
         [resource.tree]\nfiles = {{ path = {tree:?} }}\n"
    );
    let mut host = Host::with(&at(1, "05:00"), &config);
    let live: [(&str, &Path); 2] = [("vol", &vol), ("tree", &tree)];
    days(&mut host, &live, 1..=2);
    let points = live.map(|(name, _)| {
        let point = Point::new(&host, &format!("at-{name}"));
        host.ok(&format!("mount {name}@{} {}", day(1), point.0.display()));
        point
    });
    for n in 3..=4 {
        host.kill();
        host.start();
        days(&mut host, &live, n..=n);
        for (name, _) in live {
            let labels = host.labels(name);
            assert!(labels.contains(&format!("{name}@{}", day(1))), "{n}: {labels:?}");
        }
        for point in &points {
            assert_eq!(std::fs::read_to_string(point.0.join("file")).unwrap(), day(1));
        }
    }
    let listed = host.ok("mounts");
    assert!(listed.contains(&format!("vol@{}", day(1))) && listed.contains("at-tree"), "{listed}");
    host.ok(&format!("umount {}", points[0].0.display()));
    run("umount", &[points[1].0.to_str().unwrap()]);
    days(&mut host, &live, 5..=5);
    for (name, _) in live {
        let wanted = [5, 4].map(|n| format!("{name}@{}", day(n)));
        assert_eq!(host.labels(name), wanted);
    }
    host.stop();
}
