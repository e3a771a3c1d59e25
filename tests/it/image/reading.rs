//! What is in an image is shown as it is.

use super::disks::{Bench, entry, names, read, tree};
use heptad::domain::tree::Kind;
use heptad::image::Format;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// Everything of `tree` is found below `at`; the sparse file only of ext4 (see src/image/ext.rs).
fn same(opened: &heptad::browse::OpenTree, at: &str, tree: &Path, sparse: bool) {
    let inside = |path: &str| if at.is_empty() { path.to_owned() } else { format!("{at}/{path}") };
    assert_eq!(read(opened, &inside("etc/hosts")).unwrap(), b"127.0.0.1 localhost\n");
    let files = ["big", "sparse"];
    for file in &files[..if sparse { 2 } else { 1 }] {
        let want = std::fs::read(tree.join(file)).unwrap();
        assert!(read(opened, &inside(file)).unwrap() == want, "{at} {file}");
    }
    assert_eq!(names(opened, &inside("etc")).len(), 602);
    assert_eq!(read(opened, &inside("etc/0599")).unwrap(), b"599");
    let link = entry(opened, &inside("etc/link"));
    assert_eq!((link.kind, link.target.as_deref()), (Kind::Link, Some(&b"hosts"[..])));
    let big = entry(opened, &inside("big"));
    assert_eq!((big.mode, big.uid, big.gid), (0o4750, 1_234, 5_678));
    let live = std::os::unix::fs::MetadataExt::mtime(&std::fs::metadata(tree.join("big")).unwrap());
    assert_eq!(big.mtime.secs, live);
}

#[test]
fn a_disk_with_a_file_system_on_all_of_it_shows_its_files() {
    let bench = Bench::new();
    let tree = tree(&bench);
    for kind in ["ext2", "ext3", "ext4"] {
        let raw = bench.ext(kind, kind, &tree);
        let plain = bench.qcow2(&raw, &[]);
        let opened = bench.open(&[("vda", &raw, Format::Raw), ("vdb", &plain, Format::Qcow2)]);
        assert_eq!(names(&opened, ""), ["vda", "vdb"]);
        let sparse = kind == "ext4";
        same(&opened, "vda", &tree, sparse);
        same(&opened, "vdb", &tree, sparse);
        let packed = bench.qcow2(&raw, &["-c", "-o", "cluster_size=4k"]);
        same(&bench.open(&[("vda", &packed, Format::Qcow2)]), "vda", &tree, sparse);
    }
}

#[test]
fn partitions_are_shown_with_their_numbers_whatever_the_table() {
    let bench = Bench::new();
    let tree = tree(&bench);
    let hosts = tree.join("etc/hosts");
    let parts =
        [bench.fat("fat", &hosts), bench.ext("ext", "ext4", &tree), bench.ntfs("ntfs", &hosts)];
    let parts = parts.each_ref().map(|part| part.as_path());
    for label in ["gpt", "dos"] {
        let raw = bench.disk(label, label, &parts);
        let qcow2 = bench.qcow2(&raw, &[]);
        for (image, format) in [(&raw, Format::Raw), (&qcow2, Format::Qcow2)] {
            let opened = bench.open(&[("vda", image, format)]);
            assert_eq!(names(&opened, "vda"), ["p1", "p2", "p3"], "{label}");
            assert_eq!(names(&opened, "vda/p1/EFI"), ["A long name.cfg"]);
            let hosts = b"127.0.0.1 localhost\n";
            assert_eq!(read(&opened, "vda/p1/EFI/A long name.cfg").unwrap(), hosts);
            same(&opened, "vda/p2", &tree, true);
            assert_eq!(names(&opened, "vda/p3"), ["Grüße.txt"]);
            assert_eq!(read(&opened, "vda/p3/Grüße.txt").unwrap(), hosts);
        }
    }
}

#[test]
fn a_mount_of_an_image_is_harmless_and_outlives_its_maker_until_it_is_unmounted() {
    let bench = Bench::new();
    let raw = bench.ext("ext", "ext4", &tree(&bench));
    let attached = bench.attach(bench.open(&[("vda", &raw, Format::Raw)]));
    let point = attached.path();
    assert_eq!(
        std::fs::read_to_string(point.join("vda/etc/hosts")).unwrap(),
        "127.0.0.1 localhost\n"
    );
    assert_eq!(
        std::fs::read_to_string(point.join("vda/etc/link")).unwrap(),
        "127.0.0.1 localhost\n"
    );
    let refused = std::fs::write(point.join("vda/new"), "").unwrap_err();
    assert_eq!(refused.kind(), std::io::ErrorKind::ReadOnlyFilesystem);
    // Another user sees what the guest's modes allow.
    let other = ["--reuid", "1234", "--clear-groups", "cat"];
    let reads = |file: &str| {
        let ran = std::process::Command::new("setpriv").args(other).arg(point.join(file)).output();
        ran.unwrap().status.success()
    };
    std::fs::set_permissions(bench.path(""), PermissionsExt::from_mode(0o755)).unwrap();
    assert!(reads("vda/etc/hosts") && reads("vda/big"));
    std::fs::remove_file(&raw).unwrap();
    assert!(reads("vda/etc/0001"));
}

#[test]
fn what_is_not_shown_says_why() {
    let bench = Bench::new();
    let swap = bench.blank("swap", 8);
    crate::support::loopfs::run("mkswap", &["-q", swap.to_str().unwrap()]);
    let blank = bench.blank("blank", 4);
    let disk = bench.disk("disk", "gpt", &[&swap, &blank]);
    let opened = bench.open(&[("vda", &disk, Format::Raw), ("vdb", &blank, Format::Raw)]);
    assert_eq!(names(&opened, ""), ["vda", "vdb.not-shown"]);
    assert_eq!(names(&opened, "vda"), ["p1.not-shown", "p2.not-shown"]);
    let says = |at: &str| String::from_utf8(read(&opened, at).unwrap()).unwrap();
    assert!(says("vda/p1.not-shown").contains("swap"), "{}", says("vda/p1.not-shown"));
    assert!(says("vdb.not-shown").contains("without a file system"));
}

#[test]
fn a_guest_that_was_cut_off_is_seen_as_its_journal_says_and_nothing_is_written() {
    let bench = Bench::new();
    let tree = tree(&bench);
    let raw = bench.ext("ext", "ext4", &tree);
    let mount = bench.path("mnt");
    std::fs::create_dir(&mount).unwrap();
    let copy = bench.path("cut");
    let text = |path: &Path| path.to_str().unwrap().to_owned();
    // Copied as it is in the middle of its life, with all that waits in its journal.
    let script = "set -e; mount -o loop \"$1\" \"$2\"; trap 'umount \"$2\"' EXIT; \
        for n in $(seq 300); do echo $n >\"$2/new-$n\"; done; sync -f \"$2\"; cp --sparse=never \"$1\" \"$3\"";
    let args = ["-m", "sh", "-c", script, "sh", &text(&raw), &text(&mount), &text(&copy)];
    crate::support::loopfs::run("unshare", &args);
    let before = std::fs::read(&copy).unwrap();
    let opened = bench.open(&[("vda", &copy, Format::Raw)]);
    assert_eq!(read(&opened, "vda/new-300").unwrap(), b"300\n");
    assert_eq!(names(&opened, "vda").iter().filter(|name| name.starts_with("new-")).count(), 300);
    drop(opened);
    assert!(std::fs::read(&copy).unwrap() == before, "nothing was written");
}
