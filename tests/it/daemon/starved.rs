//! The disk under the catalogue is full: nothing changes any more, everything can be read.

use super::host::{Host, at, day};
use crate::support::loopfs::LoopFs;
use std::fs::File;
use std::io::Write;
use std::path::Path;

/// Takes all the room that is left, to the last block.
fn fill(dir: &Path) {
    let mut file = File::options().create(true).append(true).open(dir.join("filler")).unwrap();
    for piece in [1 << 20, 4 << 10, 512] {
        while file.write_all(&vec![0xa5; piece]).is_ok() {}
    }
    let _ = file.sync_all();
}

#[test]
fn with_the_catalogues_disk_full_nothing_changes_and_all_can_be_read() {
    let fs = LoopFs::new("ext4", 32);
    let mut host = Host::new(&at(1, "05:00"));
    host.tree("tree", "one");
    host.configure_whole(&format!(
        "[daemon]\nsocket = \"ROOT/sock\"\nstate = \"{}\"\n[resource.tree]\ntime = \"06:00\"\n\
         files = {{ path = \"ROOT/tree\", store = \"ROOT/store\" }}\n",
        fs.path().join("state").display()
    ));
    host.start();
    host.clock(&at(1, "06:00"));
    host.complete(&["tree"], &day(1));

    // The reserve is used up first; then a take is refused.
    let (mut refused, mut taken) = (None, Vec::new());
    for n in 0..2000 {
        fill(&fs.path());
        let ran = host.ctl(&format!("take tree by-hand-{n} --no-wait"));
        if ran.code != 0 {
            refused = Some(ran);
            break;
        }
        taken.push(format!("by-hand-{n}"));
    }
    let refused = refused.expect("the disk was full");
    assert_eq!(refused.code, 1, "{refused:?}");
    assert!(refused.err.contains("catalogue"), "{refused:?}");
    let status = host.ctl("status");
    assert_eq!(status.code, 5);
    assert!(status.out.contains("the catalogue cannot be written"), "{}", status.out);
    let before = host.labels("tree");
    host.clock(&at(2, "06:00"));
    assert_eq!(host.ctl("take tree again").code, 1);
    assert_eq!(host.labels("tree"), before, "nothing changes");
    refuses_what_is_declared(&mut host, &fs.path().join("state"));

    std::fs::remove_file(fs.path().join("filler")).unwrap();
    host.clock(&at(2, "06:01"));
    host.complete(&["tree"], &day(2));
    assert_eq!(host.ctl("status").code, 0);
    assert_eq!(host.client().resources().unwrap().resources.len(), 1, "it was refused");
    host.ok("reload");
    assert_eq!(host.client().resources().unwrap().resources.len(), 2);
    host.ok("take tree at-last");
    for label in taken {
        assert!(host.ok(&format!("show {label}")).contains(&label));
    }
    host.kill();
    host.start();
    host.settle();
    assert!(host.labels("tree").contains(&"at-last".into()));
}

/// Nobody is told that something is in force which cannot be recorded.
fn refuses_what_is_declared(host: &mut Host, state: &Path) {
    host.tree("more", "two");
    let more = "[resource.more]\ntime = \"06:00\"\nfiles = { path = \"ROOT/more\" }\n";
    host.configure_whole(&format!(
        "[daemon]\nsocket = \"ROOT/sock\"\nstate = \"{}\"\n[resource.tree]\ntime = \"06:00\"\n\
         files = {{ path = \"ROOT/tree\", store = \"ROOT/store\" }}\n{more}",
        state.display()
    ));
    let refused = host.ctl("reload");
    assert_eq!(refused.code, 1, "{refused:?}");
    for part in
        ["it is not loaded: the catalogue cannot be written", "make room", "heptactl reload"]
    {
        assert!(refused.err.contains(part), "{part} in {}", refused.err);
    }
    let before = host.log().len();
    host.signal(rustix::process::Signal::HUP);
    host.logged(before, "the old one stays");
    assert_eq!(host.client().resources().unwrap().resources.len(), 1, "the old one is in force");
    host.tree("other", "three");
    let refused = host.ctl(&format!("protect {}", host.path("other").display()));
    assert_eq!(refused.code, 1, "{refused:?}");
    assert!(!refused.out.contains("is protected"), "{refused:?}");
}

#[test]
fn a_delete_on_a_full_disk_reaches_the_trash_and_its_mark_follows() {
    let fs = LoopFs::new("ext4", 32);
    let mut host = Host::new(&at(1, "05:00"));
    host.tree("tree", "one");
    let store = fs.path().join("store");
    host.configure(&format!(
        "[resource.tree]\nfiles = {{ path = \"ROOT/tree\", store = \"{}\" }}\n",
        store.display()
    ));
    host.start();
    host.ok("take tree by-hand");
    let mark = || std::fs::read_to_string(store.join("tree/1/mark.json")).unwrap_or_default();
    fill(&fs.path());

    let deleted = host.ctl("delete by-hand --yes");
    assert_eq!(deleted.code, 0, "{deleted:?}");
    assert!(deleted.err.contains("delete it with --now"), "{deleted:?}");
    assert!(host.ok("list tree --all").contains("in trash"));
    assert_eq!(mark(), "", "there was no room for it");

    std::fs::remove_file(fs.path().join("filler")).unwrap();
    // A start looks at every backend, as a sweep does.
    host.stop();
    host.start();
    host.settle();
    assert!(mark().contains("\"trashed\": true"), "{}", mark());
    assert!(host.ok("undelete by-hand").contains("is back"));
    assert!(mark().contains("\"trashed\": false"), "{}", mark());
}
