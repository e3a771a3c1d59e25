//! Durable on return: the disk's bytes at that instant, copied without any sync, hold it all.

use super::live;
use crate::conformance::{RESOURCE, Tree, card, find, read, states, take, write};
use crate::support::copied;
use crate::support::loopfs::LoopFs;
use heptad::backend::{Backend, TakeOrder};
use heptad::domain::snapshot::{Card, Seq};
use heptad::domain::survey::Wholeness;
use std::sync::Arc;

/// What a power cut at this instant leaves: the file system as its device has it now.
pub fn cut_power(fs: &mut LoopFs) {
    let image = fs.path().with_file_name("image");
    let survives = fs.path().with_file_name("survives");
    // Plain reads and writes: no reflink, which would sync the image first.
    let args = ["--reflink=never", "--sparse=always"];
    let output = std::process::Command::new("cp").args(args).arg(&image).arg(&survives).output();
    assert!(output.unwrap().status.success());
    fs.unmount();
    std::fs::rename(survives, image).unwrap();
    fs.mount("");
}

/// A card whose manifest is too large to lie in the metadata.
fn verbose(seq: u64) -> Card {
    let tags = (0..200).map(|at| (format!("key-{at}"), "value ".repeat(8))).collect();
    Card { tags, ..card(seq) }
}

fn content() -> (LoopFs, Arc<dyn Backend>, Tree) {
    let (fs, backend) = live(200);
    let live = fs.path().join("live");
    // Never synced by anybody.
    write(&live, &[("index.html", b"hello"), ("large", &vec![3; 3 << 20]), ("a/b", b"c")]);
    crate::support::loopfs::subvolume(&live.join("nested"));
    write(&live, &[("nested/file", b"inside"), ("nested/large", &vec![4; 1 << 20])]);
    let tree = read(&live);
    (fs, backend, tree)
}

#[test]
fn a_snapshot_survives_a_power_cut_right_after_it_was_taken() {
    for options in ["", "compress=zstd", "max_inline=0", "compress-force=lzo,max_inline=0"] {
        let (mut fs, backend, tree) = content();
        if !options.is_empty() {
            fs.remount(options);
        }
        for (seq, card) in [(1, card(1)), (2, verbose(2))] {
            take(&*backend, &card);
            cut_power(&mut fs);
            let found = find(&*backend, seq).unwrap_or_else(|| panic!("{options}: {seq} is lost"));
            assert_eq!(found.state, Wholeness::Whole, "{options}: {seq}");
            assert_eq!(found.card.tags, card.tags, "{options}");
            assert_eq!(backend.list().unwrap().high_water, Seq(seq), "{options}");
            let copy = fs.path().join(format!("copy-{seq}"));
            backend.restore(&copied(&found.card.handle, &copy), &()).unwrap();
            assert!(read(&copy) == tree, "{options}: content of {seq} differs");
            if !options.is_empty() {
                fs.remount(options);
            }
        }
    }
}

#[test]
fn a_kept_copy_survives_a_power_cut_right_after() {
    let (mut fs, backend, tree) = content();
    let one = take(&*backend, &card(1));
    let copy = crate::conformance::kept(2, 1);
    backend.take(&TakeOrder { card: &copy, source: Some(&one), previous: None }, &()).unwrap();
    cut_power(&mut fs);
    assert_eq!(states(&*backend), [(1, Wholeness::Whole), (2, Wholeness::Whole)]);
    let found = find(&*backend, 2).unwrap().card.handle;
    backend.restore(&copied(&found, &fs.path().join("copy")), &()).unwrap();
    assert!(read(&fs.path().join("copy")) == tree);
}

#[test]
fn a_destroyed_snapshot_does_not_come_back_after_a_power_cut_and_its_number_does_not_either() {
    let (mut fs, backend, _) = content();
    take(&*backend, &card(1));
    let two = take(&*backend, &card(2));
    backend.destroy(&two).unwrap();
    cut_power(&mut fs);
    assert_eq!(states(&*backend), [(1, Wholeness::Whole)]);
    assert_eq!(backend.list().unwrap().high_water, Seq(2));
    assert!(!fs.path().join(".heptad").join(RESOURCE).join("2").exists());
}

#[test]
fn a_restored_copy_survives_a_power_cut_right_after() {
    let (mut fs, backend, tree) = content();
    let one = take(&*backend, &card(1));
    backend.restore(&copied(&one, &fs.path().join("copy")), &()).unwrap();
    cut_power(&mut fs);
    assert!(read(&fs.path().join("copy")) == tree);
}

#[test]
fn a_mark_survives_a_power_cut_right_after_it_was_set() {
    let (mut fs, backend, _) = content();
    let one = take(&*backend, &card(1));
    for doubt in [Some("it is empty".to_owned()), None] {
        let mark = heptad::domain::survey::Mark { doubt, trashed: true, ..Default::default() };
        backend.mark(&one, &mark).unwrap();
        cut_power(&mut fs);
        assert_eq!(find(&*backend, 1).unwrap().mark, mark);
    }
}
