//! A store below a directory of somebody else's.

use super::host::{HEPTAD, Host, at, ran};
use std::os::unix::fs::{MetadataExt, chown};
use std::process::Command;

#[test]
fn a_store_whose_way_somebody_else_can_exchange_is_not_written_to() {
    let mut host = Host::new(&at(1, "05:00"));
    host.tree("tree", "one");
    host.tree("good", "two");
    let theirs = host.path("theirs");
    std::fs::create_dir(&theirs).unwrap();
    chown(&theirs, Some(1000), Some(1000)).unwrap();
    host.configure(
        "[resource.tree]\nfiles = { path = \"ROOT/tree\", store = \"ROOT/theirs/store\" }\n\
         [resource.good]\nfiles = { path = \"ROOT/good\" }\n",
    );
    let mut check = Command::new(HEPTAD);
    let checked = ran(check.arg("check").arg("--config").arg(host.path("heptad.toml")));
    assert_eq!(checked.code, 1, "{checked:?}");
    let said = format!("resource.tree.files.store: {} belongs to uid 1000", theirs.display());
    assert!(checked.err.contains(&said), "{checked:?}");

    host.start();
    host.ok("take good first");
    let refused = host.ctl("take tree of-tree");
    assert_eq!(refused.code, 1, "{refused:?}");
    assert!(refused.err.contains("theirs belongs to uid 1000"), "{refused:?}");
    assert_eq!(std::fs::read_dir(&theirs).unwrap().count(), 0);

    // A directory of theirs in a place of ours is not taken over either.
    chown(&theirs, Some(0), Some(0)).unwrap();
    let store = theirs.join("store");
    std::fs::create_dir(&store).unwrap();
    chown(&store, Some(1000), Some(1000)).unwrap();
    let refused = host.ctl("take tree second");
    assert!(refused.err.contains("store belongs to uid 1000"), "{refused:?}");
    let (found, mode) = (std::fs::metadata(&store).unwrap(), 0o7777);
    assert_eq!((found.uid(), found.mode() & mode), (1000, 0o755));

    chown(&store, Some(0), Some(0)).unwrap();
    host.ok("take tree third");
}
