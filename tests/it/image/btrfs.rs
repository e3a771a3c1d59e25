//! btrfs in an image is shown as the kernel shows it.

use super::disks::Bench;
use super::filling::{differences, fill, must_be_whole_when_frozen, noise, picture, prose};
use crate::support::loopfs::{LoopFs, run, subvolume};
use heptad::image::Format;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

/// The file system is shown as an ordinary mount shows it.
fn same(fs: &mut LoopFs) {
    run("sync", &["-f", text(&fs.path())]);
    fs.unmount();
    fs.mount("ro");
    let want = picture(&fs.path());
    fs.unmount();
    let bench = Bench::new();
    let shown = bench.attach(bench.open(&[("vda", &fs.image(), Format::Raw)]));
    let found = picture(&shown.path().join("vda"));
    assert_eq!(differences(&want, &found), Vec::<String>::new());
    assert_eq!(want.len(), found.len());
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[test]
fn all_that_a_btrfs_holds_is_shown_as_the_kernel_shows_it() {
    for options in [&[][..], &["-m", "dup", "-n", "4096", "-O", "^no-holes,^skinny-metadata"]] {
        let mut fs = LoopFs::formatted("btrfs", 400, options);
        fill(&fs.path());
        same(&mut fs);
    }
}

#[test]
fn other_checksums_than_the_usual_are_known() {
    for checksum in ["xxhash", "sha256", "blake2"] {
        let mut fs = LoopFs::formatted("btrfs", 120, &["--csum", checksum, "-M"]);
        std::fs::write(fs.path().join("file"), noise(1, 300_000)).unwrap();
        same(&mut fs);
    }
}

#[test]
fn packed_files_of_btrfs_are_unpacked() {
    let mut fs = LoopFs::new("btrfs", 300);
    for kind in ["zlib", "lzo", "zstd:1", "zstd:15"] {
        fs.remount(&format!("compress-force={kind}"));
        let dir = fs.path().join(kind);
        std::fs::create_dir(&dir).unwrap();
        for size in [1, 100, 2_000, 4_097, 131_072, 131_073, 5_000_000] {
            std::fs::write(dir.join(format!("prose-{size}")), prose(size)).unwrap();
            std::fs::write(dir.join(format!("noise-{size}")), noise(7, size)).unwrap();
        }
        run("sync", &["-f", text(&dir)]);
        // Some of a packed extent is seen no more, some twice.
        let file = std::fs::File::options().write(true).open(dir.join("prose-5000000")).unwrap();
        for at in (0..5_000_000).step_by(170_000) {
            file.write_all_at(b"between", at).unwrap();
        }
        file.set_len(4_900_001).unwrap();
        run(
            "cp",
            &["--reflink=always", text(&dir.join("prose-5000000")), text(&dir.join("again"))],
        );
    }
    same(&mut fs);
}

#[test]
fn subvolumes_and_snapshots_are_directories_and_the_default_one_comes_first() {
    let mut fs = LoopFs::new("btrfs", 200);
    let top = fs.path();
    subvolume(&top.join("@"));
    std::fs::create_dir(top.join("@/etc")).unwrap();
    std::fs::write(top.join("@/etc/hosts"), "hosts").unwrap();
    subvolume(&top.join("@/home"));
    std::fs::write(top.join("@/home/letter"), "Dear").unwrap();
    subvolume(&top.join("@/gone"));
    std::fs::create_dir(top.join("kept")).unwrap();
    let snapshot = |from: &str, to: &str| {
        run("btrfs", &["-q", "subvolume", "snapshot", text(&top.join(from)), text(&top.join(to))]);
    };
    snapshot("@", "kept/1");
    std::fs::write(top.join("@/etc/hosts"), "other").unwrap();
    run("btrfs", &["-q", "subvolume", "delete", text(&top.join("@/gone"))]);
    snapshot("@/home", "@/etc/home-before");
    same(&mut fs);
    fs.mount("");
    run("btrfs", &["subvolume", "set-default", text(&top.join("kept/1"))]);
    let all = picture(&top);
    same(&mut fs);
    let bench = Bench::new();
    let shown = bench.attach(bench.open(&[("vda", &fs.image(), Format::Raw)]));
    let mut names: Vec<_> =
        std::fs::read_dir(shown.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, ["vda", "vda.all"]);
    assert_eq!(std::fs::read(shown.path().join("vda/etc/hosts")).unwrap(), b"hosts");
    assert_eq!(differences(&all, &picture(&shown.path().join("vda.all"))), Vec::<String>::new());
}

#[test]
fn a_frozen_btrfs_is_whole() {
    must_be_whole_when_frozen("btrfs");
}

/// The image as it is in the middle of its life.
fn cut(fs: &LoopFs, bench: &Bench) -> PathBuf {
    let copy = bench.path("cut");
    run("cp", &[text(&fs.image()), text(&copy)]);
    copy
}

#[test]
fn a_btrfs_that_was_cut_off_is_shown_as_of_its_last_commit_and_says_what_is_missing() {
    let fs = LoopFs::new("btrfs", 200);
    let bench = Bench::new();
    std::fs::write(fs.path().join("old"), "old").unwrap();
    run("sync", &["-f", text(&fs.path())]);
    let clean = cut(&fs, &bench);
    let note = |image: &Path| {
        let shown = bench.attach(bench.open(&[("vda", image, Format::Raw)]));
        let old = std::fs::read(shown.path().join("vda/old")).unwrap();
        assert_eq!(old, b"old");
        std::fs::read_to_string(shown.path().join("vda.note")).ok()
    };
    assert_eq!(note(&clean), None);
    let new = std::fs::File::create(fs.path().join("new")).unwrap();
    new.write_all_at(&noise(1, 100_000), 0).unwrap();
    new.sync_all().unwrap();
    // Of this the log has nothing: it is in no one's promise.
    std::fs::write(fs.path().join("newer"), "newer").unwrap();
    let said = note(&cut(&fs, &bench)).unwrap();
    assert!(said.contains("fsync") && said.contains("heptactl create"), "{said}");
}

#[test]
fn a_btrfs_on_several_disks_is_not_shown_and_says_so() {
    let bench = Bench::new();
    let disks = [bench.blank("one", 200), bench.blank("two", 200)];
    // mkfs wants them as devices.
    let script = "set -e; a=$(losetup -f --show \"$1\"); b=$(losetup -f --show \"$2\"); \
        trap 'losetup -d $a $b' EXIT; mkfs.btrfs -q -d raid1 -m raid1 $a $b";
    run("sh", &["-c", script, "sh", text(&disks[0]), text(&disks[1])]);
    let shown = bench.attach(bench.open(&[("vda", &disks[0], Format::Raw)]));
    let said = std::fs::read_to_string(shown.path().join("vda.not-shown")).unwrap();
    assert!(said.contains("2 devices") && said.contains("heptactl create"), "{said}");
}
