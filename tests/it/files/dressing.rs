//! What a copy has is what its original had: no more rights than that, and no fewer attributes.

use super::bench::{Bench, handle};
use super::content::plant;
use super::picture::assert_same;
use crate::support::copied;
use crate::support::loopfs::{LoopFs, run};
use heptad::backend::RollbackOrder;
use rustix::fs::{IFlags, Mode, OFlags};
use serde_json::json;
use std::collections::BTreeMap;
use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};

/// All below a directory, itself too.
fn all(top: &Path) -> Vec<PathBuf> {
    let mut found = vec![top.to_owned()];
    let mut at = 0;
    while let Some(path) = found.get(at).cloned() {
        at += 1;
        if path.symlink_metadata().unwrap().is_dir() {
            found.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
        }
    }
    found
}

fn has_access_list(path: &Path) -> bool {
    let mut names = vec![0; 65_536];
    let length = rustix::fs::llistxattr(path, &mut names[..]).unwrap();
    String::from_utf8_lossy(&names[..length]).contains("system.posix_acl")
}

/// What chattr(1) sets, but for how an inode is stored.
fn flags(path: &Path) -> u32 {
    let open = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOFOLLOW;
    let file = rustix::fs::open(path, open, Mode::empty()).unwrap();
    let settable = IFlags::from_bits_retain(0x2083_44fc);
    (rustix::fs::ioctl_getflags(file).unwrap() & settable).bits()
}

fn pictured(top: &Path) -> BTreeMap<PathBuf, u32> {
    let real = all(top).into_iter().filter(|path| {
        let meta = path.symlink_metadata().unwrap();
        meta.is_dir() || meta.is_file()
    });
    real.map(|path| (path.strip_prefix(top).unwrap().to_owned(), flags(&path))).collect()
}

fn order(token: u128) -> RollbackOrder<'static> {
    let handle = Box::leak(Box::new(handle(1)));
    RollbackOrder { handle, token: uuid::Uuid::from_u128(token + 1000) }
}

/// A bench below a directory that hands its rights down to all that is made in it.
fn below_a_generous_directory(kind: &str) -> Bench {
    let fs = LoopFs::new(kind, 320);
    let above = fs.path().join("above");
    fs::create_dir_all(above.join("live")).unwrap();
    chown(&above, None, Some(44)).unwrap();
    fs::set_permissions(&above, Permissions::from_mode(0o2755)).unwrap();
    let path = above.to_str().unwrap().to_owned();
    run("setfacl", &["-d", "-m", "u:33:rwx,g:44:rwx,o::rx", &path]);
    if kind == "btrfs" {
        run("chattr", &["+C", &path]);
    }
    run("chattr", &["+dA", &path]);
    Bench::new(above.join("live"), above.join("store"), Some(fs), &json!({}))
}

#[test]
fn nothing_inherits_from_the_directory_that_it_is_made_in() {
    for kind in ["xfs", "ext4", "btrfs"] {
        let bench = below_a_generous_directory(kind);
        plant(&bench.live);
        let live = bench.live.to_str().unwrap();
        run("setfacl", &["-m", "u:7:r", &format!("{live}/plain")]);
        bench.take(1);
        assert_same(&bench.live, &bench.data(1));
        for path in [&bench.store, &bench.store.join("web-1"), &bench.stored(1)] {
            let meta = fs::metadata(path).unwrap();
            assert!(!has_access_list(path), "{kind}: {}", path.display());
            assert_eq!((meta.mode() & 0o7777, flags(path)), (0o700, 0), "{}", path.display());
        }
        let target = bench.store.with_file_name("restored");
        let restored = bench.backend.restore(&copied(&handle(1), &target), &()).unwrap();
        assert_eq!(restored.notes, [""; 0], "{kind}");
        assert_same(&bench.live, &target);
        assert_eq!(pictured(&bench.live), pictured(&target), "{kind}");
        // A second one too, which shares what has not changed.
        bench.take(2);
        assert_same(&bench.live, &bench.data(2));
        bench.backend.rollback(&order(1), &()).unwrap();
        assert_same(&bench.data(1), &bench.live);
        assert_eq!(pictured(&bench.live), pictured(&target), "{kind}");
        // One file with two names has its own list again, and nothing else has any.
        let listed = all(&target).into_iter().filter(|path| has_access_list(path));
        let want = ["plain", "deep/again"].map(|name| target.join(name));
        assert_eq!(listed.collect::<Vec<_>>(), want, "{kind}");
    }
}

/// One of each that the file system knows.
fn plant_flags(kind: &str, live: &Path) {
    let chattr = |flags: &str, name: &str| {
        run("chattr", &[flags, live.join(name).to_str().unwrap()]);
    };
    for name in ["plain-dir", "no-dump", "fixed-dir", "synchronous"] {
        fs::create_dir(live.join(name)).unwrap();
        fs::write(live.join(name).join("file"), vec![1; 100_000]).unwrap();
    }
    for name in ["plain", "fixed", "append"] {
        fs::write(live.join(name), vec![2; 50_000]).unwrap();
    }
    fs::hard_link(live.join("fixed"), live.join("plain-dir/twin")).unwrap();
    chattr("+dA", "no-dump");
    chattr("+S", "synchronous/file");
    chattr("+i", "fixed");
    chattr("+a", "append");
    if kind == "btrfs" {
        fs::create_dir(live.join("images")).unwrap();
        chattr("+C", "images");
        fs::write(live.join("images/disk"), vec![3; 1 << 20]).unwrap();
    }
    if kind == "xfs" {
        run("xfs_io", &["-c", "chproj 42", live.join("plain").to_str().unwrap()]);
    }
    chattr("+i", "fixed-dir/file");
    chattr("+i", "fixed-dir");
}

fn project(path: &Path) -> String {
    let output = std::process::Command::new("lsattr").args(["-pd"]).arg(path).output().unwrap();
    String::from_utf8(output.stdout).unwrap().split_whitespace().next().unwrap().to_owned()
}

#[test]
fn what_chattr_sets_is_noted_in_a_store_and_set_again_outside() {
    for kind in ["xfs", "ext4", "btrfs"] {
        let bench = Bench::on(kind);
        plant_flags(kind, &bench.live);
        let live = bench.live.to_str().unwrap().to_owned();
        for fixed in ["", "+i"] {
            if !fixed.is_empty() {
                run("chattr", &[fixed, &live]);
            }
            let seq = 1 + 2 * u64::from(!fixed.is_empty());
            assert_eq!(bench.take(seq).notes.len(), 1, "{kind}");
            // Of what is shared with the last one, and of a kept one.
            bench.take(seq + 1);
            bench.try_take(seq + 10, Some(seq + 1)).unwrap();
            for seq in [seq, seq + 1, seq + 10] {
                let target = bench.store.with_file_name(format!("restored-{seq}"));
                let restored = bench.backend.restore(&copied(&handle(seq), &target), &());
                assert_eq!(restored.unwrap().notes, [""; 0]);
                assert_eq!(pictured(&bench.live), pictured(&target), "{kind} {seq}");
                assert_eq!(project(&bench.live.join("plain")), project(&target.join("plain")));
                assert_same(&bench.live, &target);
                if !fixed.is_empty() {
                    run("chattr", &["-R", "-f", "-i", "-a", target.to_str().unwrap()]);
                }
            }
        }
        for seq in [1, 2, 3, 4, 11, 13] {
            bench.backend.destroy(&handle(seq)).unwrap();
        }
        assert_eq!(bench.states(), [], "what is in a store can always be removed");
    }
}

#[test]
fn a_directory_without_copy_on_write_is_rolled_back_to_one() {
    let bench = Bench::on("btrfs");
    let images = bench.live.join("images");
    fs::create_dir(&images).unwrap();
    fs::write(bench.live.join("usual"), vec![1; 1 << 20]).unwrap();
    run("chattr", &["+C", images.to_str().unwrap()]);
    fs::write(images.join("disk"), vec![3; 1 << 20]).unwrap();
    let before = pictured(&bench.live);
    assert_eq!(bench.take(1).notes, ["reflinked 2 files"]);
    fs::write(images.join("disk"), "broken").unwrap();
    bench.backend.rollback(&order(2), &()).unwrap();
    assert_eq!(pictured(&bench.live), before);
    assert_eq!(fs::read(images.join("disk")).unwrap().len(), 1 << 20);
}

/// A directory that counts all that is made in it for a project, as its quota has it.
fn count_for(project: &str, dir: &Path) {
    fs::create_dir_all(dir).unwrap();
    run("chattr", &["-p", project, "+P", dir.to_str().unwrap()]);
}

#[test]
fn a_store_with_a_project_keeps_all_that_it_holds_within_it() {
    let fs = LoopFs::new("xfs", 320);
    let quota = fs.path().join("quota");
    count_for("7", &quota);
    let bench = Bench::new(fs.path().join("live"), quota.join("store"), Some(fs), &json!({}));
    fs::create_dir(bench.live.join("dir")).unwrap();
    fs::write(bench.live.join("dir/file"), vec![1; 100_000]).unwrap();
    fs::write(bench.live.join("other"), "1").unwrap();
    run("chattr", &["-p", "42", bench.live.join("other").to_str().unwrap()]);
    bench.take(1);
    bench.take(2);
    bench.try_take(12, Some(2)).unwrap();
    for path in all(&bench.store) {
        assert_eq!(project(&path), "7", "{}", path.display());
    }
    let target = bench.live.with_file_name("restored");
    let restored = bench.backend.restore(&copied(&handle(2), &target), &()).unwrap();
    assert_eq!(restored.notes, [""; 0]);
    let of = |name: &str| [&bench.live, &target].map(|root| project(&root.join(name)));
    assert_eq!([of("."), of("dir/file"), of("other")], [["0", "0"], ["0", "0"], ["42", "42"]]);
    fs::write(bench.live.join("dir/file"), "broken").unwrap();
    bench.backend.rollback(&order(1), &()).unwrap();
    assert_eq!([of("."), of("dir/file"), of("other")], [["0", "0"], ["0", "0"], ["42", "42"]]);
    // A new one in such a directory counts for it.
    let target = quota.join("restored");
    bench.backend.restore(&copied(&handle(2), &target), &()).unwrap();
    for path in all(&target) {
        assert_eq!(project(&path), "7", "{}", path.display());
    }
}

#[test]
fn what_another_file_system_cannot_set_is_named() {
    let bench = Bench::on("btrfs");
    let images = bench.live.join("images");
    fs::create_dir(&images).unwrap();
    run("chattr", &["+C", images.to_str().unwrap()]);
    bench.take(1);
    let other = LoopFs::new("ext4", 64);
    let target = other.path().join("restored");
    let restored = bench.backend.restore(&copied(&handle(1), &target), &()).unwrap();
    assert_eq!(restored.notes, ["1 entry has lost what chattr had set on it (images: C)"]);
}
