//! XFS in an image is shown as the kernel shows it, and as its log says.

use super::disks::{Bench, MIB};
use super::filling::{churn, differences, fill, must_be_whole_when_frozen, noise, picture};
use crate::support::loopfs::{LoopFs, run};
use heptad::image::Format;
use std::path::{Path, PathBuf};

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// An image is shown as the kernel shows it after it replayed its log, with nothing to say beside.
fn same(fs: &mut LoopFs) {
    let bench = Bench::new();
    let image = bench.path("image");
    run("cp", &["--sparse=always", text(&fs.image()), text(&image)]);
    fs.renew();
    fs.mount("nouuid");
    let want = picture(&fs.path());
    fs.unmount();
    let shown = bench.attach(bench.open(&[("vda", &image, Format::Raw)]));
    let names = std::fs::read_dir(shown.path()).unwrap();
    let names: Vec<_> = names.map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, ["vda"]);
    let found = picture(&shown.path().join("vda"));
    assert_eq!(differences(&want, &found), Vec::<String>::new());
}

fn whole(options: &[&str]) {
    let mut fs = LoopFs::formatted("xfs", 400, options);
    fill(&fs.path());
    run("sync", &["-f", text(&fs.path())]);
    fs.unmount();
    same(&mut fs);
}

#[test]
fn all_that_an_xfs_holds_is_shown_as_the_kernel_shows_it() {
    whole(&[]);
    whole(&["-s", "size=4096", "-d", "agcount=5"]);
}

#[test]
fn an_xfs_of_any_shape_is_shown_as_the_kernel_shows_it() {
    let large = ["-i", "size=1024,nrext64=1,sparse=1", "-n", "size=16k"];
    whole(&[&large[..], &["-m", "rmapbt=1,inobtcount=1"]].concat());
    whole(&["-b", "size=1024", "-m", "bigtime=0,reflink=0"]);
}

#[test]
fn a_frozen_xfs_is_whole() {
    must_be_whole_when_frozen("xfs");
}

/// Ends it in the middle of its life: the log has what it has, with what was in memory or without.
fn crash(fs: &mut LoopFs, flushed: bool) {
    let command = if flushed { "shutdown -f" } else { "shutdown" };
    run("xfs_io", &["-x", "-c", command, text(&fs.path())]);
    fs.unmount();
}

fn cut_off(seed: u64, options: &[&str], flushed: bool) {
    let mut fs = LoopFs::formatted("xfs", 320, options);
    std::fs::write(fs.path().join("before"), noise(1, 100_000)).unwrap();
    run("sync", &["-f", text(&fs.path())]);
    churn(&fs.path(), seed, 4_000);
    crash(&mut fs, flushed);
    same(&mut fs);
}

#[test]
fn the_log_of_an_xfs_that_was_cut_off_is_replayed() {
    cut_off(0, &[], true);
    cut_off(1, &["-m", "rmapbt=1", "-i", "nrext64=1"], false);
}

#[test]
fn a_log_of_any_shape_is_replayed() {
    cut_off(2, &["-b", "size=1024", "-n", "size=4096"], true);
    cut_off(3, &["-m", "finobt=0,reflink=0", "-l", "su=32k"], false);
}

#[test]
fn where_a_log_has_inodes_that_are_gone_the_files_that_are_there_now_are_shown() {
    let mut fs = LoopFs::formatted("xfs", 320, &["-m", "reflink=0"]);
    let old = fs.path().join("old");
    std::fs::create_dir(&old).unwrap();
    for n in 0..20_000 {
        std::fs::write(old.join(n.to_string()), "").unwrap();
    }
    run("sync", &["-f", text(&fs.path())]);
    std::fs::remove_dir_all(&old).unwrap();
    run("sync", &["-f", text(&fs.path())]);
    // Until it is full, and so on all that was freed.
    let mut written = 0;
    while std::fs::write(fs.path().join(format!("new-{written}")), noise(written, MIB as usize))
        .is_ok()
    {
        written += 1;
    }
    std::fs::create_dir(fs.path().join("more")).unwrap_or_default();
    run("sync", &["-f", text(&fs.path())]);
    crash(&mut fs, true);
    same(&mut fs);
}

/// Where the newest record of a log begins: the one with the greatest number.
fn newest(image: &[u8]) -> usize {
    let starts = (0..image.len()).step_by(512);
    let starts = starts.filter(|at| image[*at..].starts_with(&[0xfe, 0xed, 0xba, 0xbe]));
    starts.max_by_key(|at| image[at + 16..at + 24].to_vec()).unwrap()
}

#[test]
fn an_xfs_with_a_damaged_log_is_shown_without_it_and_says_so() {
    let mut fs = LoopFs::new("xfs", 320);
    std::fs::write(fs.path().join("old"), "old").unwrap();
    fs.unmount();
    fs.mount("");
    churn(&fs.path(), 3, 500);
    crash(&mut fs, true);
    let bench = Bench::new();
    let mut bytes = std::fs::read(fs.image()).unwrap();
    let record = newest(&bytes);
    bytes[record + 700] ^= 0xff;
    let image: PathBuf = bench.path("damaged");
    std::fs::write(&image, bytes).unwrap();
    let shown = bench.attach(bench.open(&[("vda", &image, Format::Raw)]));
    assert_eq!(std::fs::read(shown.path().join("vda/old")).unwrap(), b"old");
    let said = std::fs::read_to_string(shown.path().join("vda.note")).unwrap();
    assert!(said.contains("log") && said.contains("heptactl create"), "{said}");
}
