//! The catalogue is lost, or is not one any more: everything comes back from beside the snapshots.

use super::disk::names;
use super::host::{HEPTAD, Host, Ran, at, day, ran};
use crate::support::loopfs::{LoopFs, subvolume};
use serde_json::Value;
use std::process::Command;

/// One resource on btrfs and one on any file system, four days old, with some of them kept, tagged,
/// doubted or in the trash.
fn lived(fs: &LoopFs) -> Host {
    let volume = fs.path().join("vol");
    subvolume(&volume);
    std::fs::write(volume.join("file"), "one").unwrap();
    let mut host = Host::new(&at(1, "05:00"));
    let tree = host.tree("tree", "one");
    host.configure(&format!(
        "[resource.vol]\ntime = \"06:00\"\nkind = \"instance\"\ntags = {{ team = \"web\" }}\n\
         btrfs = {{ path = \"{}\" }}\n\
         [resource.tree]\ntime = \"06:00\"\nfiles = {{ path = \"ROOT/tree\" }}\n",
        volume.display()
    ));
    host.start();
    for n in 1..=4 {
        for dir in [&volume, &tree] {
            std::fs::write(dir.join(day(n)), "x").unwrap();
        }
        host.clock(&at(n, "06:00"));
        host.complete(&["vol", "tree"], &day(n));
    }
    for name in ["vol", "tree"] {
        host.ok(&format!("keep {name}@{} kept-{name} --tag why=because", day(2)));
        host.ok(&format!("take {name} by-hand-{name} --tag a=b --tag c="));
        host.ok(&format!("take {name} thrown-{name}"));
        host.ok(&format!("keep {name}@{} orphan-{name}", day(1)));
        host.ok(&format!("delete {name}@{} --yes --now", day(1)));
        host.ok(&format!("tag by-hand-{name} e=f --remove c"));
        host.ok(&format!("tag {name}@{} bug=7", day(2)));
    }
    for entry in names(&volume) {
        std::fs::remove_file(volume.join(entry)).unwrap();
    }
    host.clock(&at(5, "06:00"));
    host.complete(&["tree"], &day(5));
    host.settle();
    for name in ["vol", "tree"] {
        host.ok(&format!("delete thrown-{name} {name}@{} --yes", day(3)));
    }
    host.settle();
    host
}

/// The snapshots as `curl` shows them, without what is only measured.
fn shown(host: &Host) -> Value {
    let mut shown = host.get("/v1/snapshots?all=true");
    for snapshot in shown["snapshots"].as_array_mut().unwrap() {
        for measured in ["trash_seconds_left", "stored_bytes", "exclusive_bytes"] {
            snapshot.as_object_mut().unwrap().remove(measured);
        }
    }
    shown["snapshots"].take()
}

fn rebuild(host: &Host) -> Ran {
    rebuild_with(host, &[])
}

fn rebuild_with(host: &Host, args: &[&str]) -> Ran {
    let mut command = Command::new(HEPTAD);
    let config = host.path("heptad.toml");
    ran(command.env_clear().arg("rebuild").arg("--config").arg(config).args(args))
}

/// It goes on as if nothing had been: one more a day, under fresh numbers.
fn goes_on(host: &mut Host) {
    let newest = |host: &Host| host.snapshots().iter().map(|s| s.seq).max().unwrap();
    let before = newest(host);
    host.clock(&at(6, "06:00"));
    host.complete(&["tree"], &day(6));
    assert!(newest(host) > before);
    assert_eq!(host.labels("tree").iter().filter(|l| l.ends_with(&day(5))).count(), 1);
}

#[test]
fn a_lost_catalogue_is_rebuilt_with_every_name_tag_origin_and_order() {
    let fs = LoopFs::new("btrfs", 128);
    let mut host = lived(&fs);
    let before = shown(&host);
    assert_eq!(before.as_array().unwrap().len(), 16, "{before:#}");
    let doubted = &host.get(&format!("/v1/snapshots/vol@{}", day(5)));
    assert_eq!(doubted["state"], "suspect");

    let busy = rebuild(&host);
    assert_eq!(busy.code, 75, "{busy:?}");
    assert!(busy.err.contains("systemctl stop heptad.socket heptad.service"), "{busy:?}");
    host.stop();
    for file in names(&host.path("state")).iter().filter(|file| file.starts_with("catalogue")) {
        std::fs::remove_file(host.path("state").join(file)).unwrap();
    }
    let rebuilt = rebuild(&host);
    assert_eq!(rebuilt.code, 0, "{rebuilt:?}");
    assert_eq!(rebuilt.out, "tree: 8 snapshots\nvol: 8 snapshots, 1 of them in doubt\n");
    assert_eq!(rebuilt.err, "16 snapshots in the new catalogue\n");
    let again = rebuild_with(&host, &["--json"]);
    let export: Value = serde_json::from_str(&again.out).unwrap();
    assert_eq!(export.as_array().unwrap().len(), 16);

    host.start();
    host.settle();
    assert_eq!(shown(&host), before);
    goes_on(&mut host);
}

#[test]
fn a_rebuild_names_the_snapshots_of_what_is_not_configured() {
    let mut host = Host::new(&at(1, "05:00"));
    for name in ["one", "two", "three"] {
        host.tree(name, name);
    }
    let table = |name: &str, more: &str| {
        format!("[resource.{name}]\nfiles = {{ path = \"ROOT/{name}\"{more} }}\n")
    };
    let elsewhere = ", store = \"ROOT/elsewhere\"";
    host.configure(&(table("one", "") + &table("two", "") + &table("three", elsewhere)));
    host.start();
    for name in ["one", "two", "three"] {
        host.ok(&format!("take {name} of-{name}"));
    }
    host.stop();
    host.configure(&table("one", ""));
    let check = |want: &[&str]| {
        let rebuilt = rebuild(&host);
        assert_eq!(rebuilt.code, 0, "{rebuilt:?}");
        let told = rebuilt.err.lines().filter_map(|line| line.split_once(": not in the conf"));
        assert_eq!(told.map(|(name, _)| name).collect::<Vec<_>>(), want, "{}", rebuilt.err);
        let stored = format!("{} has snapshots", host.path("state/store/two").display());
        assert!(rebuilt.err.contains(&stored), "{}", rebuilt.err);
    };
    check(&["three", "two"]);
    // The state is lost but for the snapshots themselves.
    std::fs::remove_dir_all(host.path("state/stores")).unwrap();
    check(&["two"]);
}

#[test]
fn a_damaged_catalogue_is_set_aside_and_made_anew_at_the_start() {
    let fs = LoopFs::new("btrfs", 128);
    let mut host = lived(&fs);
    let before = shown(&host);
    let check = |host: &mut Host, how: &str, garbage: &dyn Fn(&mut Vec<u8>)| {
        host.stop();
        let file = host.path("state/catalogue.sqlite");
        let mut bytes = std::fs::read(&file).unwrap();
        garbage(&mut bytes);
        std::fs::write(&file, bytes).unwrap();
        host.start();
        host.settle();
        assert_eq!(shown(host), before, "{how}");
        assert!(host.log().contains("the catalogue is damaged"), "{how}");
        let aside = names(&host.path("state")).into_iter();
        assert!(aside.filter(|name| name.contains("damaged")).count() > 0, "{how}");
    };
    check(&mut host, "the beginning", &|bytes| bytes[..100].fill(0xa5));
    check(&mut host, "all", &|bytes| bytes.fill(0x5a));
    check(&mut host, "the end", &|bytes| bytes.truncate(bytes.len() / 2));
    goes_on(&mut host);
    let vol = host.client().resource("vol").unwrap().resource;
    let codes: Vec<&str> = vol.alarms.iter().map(|alarm| &*alarm.code).collect();
    assert_eq!(codes, ["stale", "suspect"], "the doubt about vol is still told");
}
