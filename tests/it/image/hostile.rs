//! Images that mean harm, and helpers that die.

use super::disks::{Bench, MIB, names, path, read, tree};
use crate::support::loopfs::run;
use heptad::browse;
use heptad::image::{self, Disk, Format};
use std::path::Path;

#[test]
fn a_format_is_never_guessed_and_no_other_file_is_followed() {
    let bench = Bench::new();
    let secret = bench.blank("secret", 4);
    std::fs::write(&secret, vec![b's'; MIB as usize]).unwrap();
    // A guest may write this header onto its raw disk.
    let overlay = bench.path("overlay");
    let (secret, text) = (secret.to_str().unwrap(), overlay.to_str().unwrap());
    run("qemu-img", &["create", "-q", "-f", "qcow2", "-F", "raw", "-b", secret, text]);
    let external = bench.path("external");
    let data = format!("data_file={}", bench.path("data").display());
    run(
        "qemu-img",
        &["create", "-q", "-f", "qcow2", "-o", &data, external.to_str().unwrap(), "4M"],
    );
    for (image, format, says) in [
        (&overlay, Format::Raw, "without a file system"),
        (&overlay, Format::Qcow2, "denied"),
        (&external, Format::Qcow2, "denied"),
    ] {
        let opened = bench.open(&[("vda", image, format)]);
        let said = String::from_utf8(read(&opened, "vda.not-shown").unwrap()).unwrap();
        assert!(said.contains(says), "{format:?}: {said}");
    }
}

#[test]
fn damaged_images_are_refused_or_read_in_part_and_never_hang() {
    let bench = Bench::new();
    let tree = tree(&bench);
    let raw = bench.ext("ext", "ext4", &tree);
    let disk = bench.disk("disk", "gpt", &[&bench.fat("fat", &tree.join("etc/hosts")), &raw]);
    let qcow2 = bench.qcow2(&disk, &[]);
    let btrfs = bench.blank("btrfs", 64);
    let text = btrfs.to_str().unwrap();
    run("mkfs.btrfs", &["-q", "-M", "--rootdir", tree.to_str().unwrap(), text]);
    let xfs = bench.xfs("xfs", "crc=1", &tree.join("etc/hosts"), &tree.join("big"));
    let images = [
        (raw, Format::Raw),
        (disk, Format::Raw),
        (qcow2, Format::Qcow2),
        (btrfs, Format::Raw),
        (xfs, Format::Raw),
    ];
    let mut random = random();
    for (image, format) in images {
        let whole = std::fs::read(&image).unwrap();
        for round in 0..6 {
            let mut bytes = whole.clone();
            // Where the tables are.
            let reach = if round % 2 == 0 { MIB } else { bytes.len() as u64 };
            for _ in 0..200 << (round % 4) {
                let at = usize::try_from(random() % reach).unwrap();
                bytes[at] = random() as u8;
            }
            let bad = bench.path("bad");
            std::fs::write(&bad, &bytes).unwrap();
            let opened = bench.open(&[("vda", &bad, format), ("good", &image, format)]);
            walk(&opened, "", &mut 150);
            drop(opened);
        }
        let short = &whole[..whole.len() / 3];
        std::fs::write(bench.path("short"), short).unwrap();
        walk(&bench.open(&[("vda", &bench.path("short"), format)]), "", &mut 150);
    }
}

/// Forty times some bytes of some blocks are others; a block is what `of` says, and `seal` makes
/// its checksum right again.
fn lies(
    image: &Path,
    bench: &Bench,
    (block, from): (usize, usize),
    of: impl Fn(&[u8]) -> bool,
    seal: impl Fn(&mut [u8]),
) {
    let whole = std::fs::read(image).unwrap();
    let mut random = random();
    for round in 0..40_u64 {
        let mut bytes = whole.clone();
        let mut told = 0;
        for block in bytes.chunks_exact_mut(block).filter(|block| of(block)) {
            // In most rounds near its start, where its counts, keys and addresses are.
            let left = block.len() - from;
            let reach = if round % 4 == 0 { left } else { 400.min(left) };
            for _ in 0..random() % (1 + round % 5) {
                let at = from + random() as usize % reach;
                block[at] = random() as u8;
                told += 1;
            }
            seal(block);
        }
        assert!(told > 0 || round % 5 == 0, "round {round}");
        let bad = bench.path("bad");
        std::fs::write(&bad, &bytes).unwrap();
        let opened = bench.open(&[("vda", &bad, Format::Raw), ("good", image, Format::Raw)]);
        walk(&opened, "vda", &mut 60);
        assert!(read(&opened, "good/etc/hosts").is_ok(), "round {round}");
    }
}

#[test]
fn a_btrfs_that_lies_with_right_checksums_is_refused_or_read_in_part_and_never_hangs() {
    let bench = Bench::new();
    let tree = tree(&bench);
    let image = bench.blank("btrfs", 64);
    let text = image.to_str().unwrap();
    run("mkfs.btrfs", &["-q", "-M", "-n", "4096", "--rootdir", tree.to_str().unwrap(), text]);
    let fsid = std::fs::read(&image).unwrap()[0x1_0020..0x1_0030].to_vec();
    lies(
        &image,
        &bench,
        (4_096, 48),
        |block| block[32..48] == fsid,
        |block| {
            let digest = fs_btrfs::ChecksumType::Crc32c.digest(&block[32..]);
            block[..32].copy_from_slice(&digest);
        },
    );
}

#[test]
fn an_xfs_that_lies_is_refused_or_read_in_part_and_never_hangs() {
    let bench = Bench::new();
    let tree = tree(&bench);
    // This kind has no checksums that could tell.
    let image = bench.xfs("old", "crc=0", &tree.join("etc/hosts"), &tree.join("big"));
    let opened = bench.open(&[("vda", &image, Format::Raw)]);
    assert_eq!(names(&opened, "vda/etc").len(), 602);
    assert_eq!(read(&opened, "vda/etc/hosts").unwrap(), b"127.0.0.1 localhost\n");
    assert!(read(&opened, "vda/big").unwrap() == std::fs::read(tree.join("big")).unwrap());
    let magics: [&[u8]; 3] = [b"IN", b"XD2", b"BMAP"];
    let of = |block: &[u8]| magics.iter().any(|magic| block.starts_with(magic));
    lies(&image, &bench, (256, 2), of, |_| {});
}

/// The same numbers every time.
pub fn random() -> impl FnMut() -> u64 {
    let mut seed = 7_u64;
    move || {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        seed >> 33
    }
}

/// Looks at some of everything; errors are answers, too.
pub fn walk(tree: &browse::OpenTree, at: &str, left: &mut u32) {
    let Ok(listing) = browse::list(tree, &path(at), None, 20) else { return };
    for entry in listing.entries {
        let Ok(name) = String::from_utf8(entry.name) else { continue };
        if *left == 0 {
            return;
        }
        *left -= 1;
        let below = if at.is_empty() { name } else { format!("{at}/{name}") };
        walk(tree, &below, left);
        if let Ok((file, entry)) = browse::open(tree, &path(&below)) {
            let mut some = vec![0; 65_536.min(usize::try_from(entry.size).unwrap_or(0))];
            let _ = std::os::unix::fs::FileExt::read_at(&file, &mut some, 0);
        }
    }
}

#[test]
fn only_regular_files_are_images_and_a_missing_one_is_told() {
    let bench = Bench::new();
    std::fs::create_dir(bench.path("dir")).unwrap();
    std::os::unix::fs::symlink("dir", bench.path("link")).unwrap();
    for name in ["dir", "link", "missing"] {
        let disk = Disk { name: "vda".into(), path: bench.path(name), format: Format::Raw };
        let refused = image::open(&[disk], Some(&bench.path("heptad"))).unwrap_err();
        assert!(refused.to_string().contains(name), "{refused}");
    }
}

/// The helpers that run for one bench, by the program they were started from.
fn helpers(program: &Path) -> Vec<i32> {
    let processes = std::fs::read_dir("/proc").unwrap();
    let numbers = processes.filter_map(|entry| entry.unwrap().file_name().to_str()?.parse().ok());
    let ours =
        |pid: &i32| std::fs::read_link(format!("/proc/{pid}/exe")).is_ok_and(|exe| exe == program);
    numbers.filter(ours).collect()
}

#[test]
fn the_helper_can_do_nothing_but_read_and_ends_with_its_last_user() {
    let bench = Bench::new();
    let raw = bench.ext("ext", "ext4", &tree(&bench));
    let program = bench.path("heptad");
    let opened = bench.open(&[("vda", &raw, Format::Raw)]);
    assert_eq!(names(&opened, ""), ["vda"]);
    let [pid] = helpers(&program)[..] else { panic!("one helper") };
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    for line in ["Seccomp:\t2", "NoNewPrivs:\t1"] {
        assert!(status.contains(line), "{status}");
    }
    drop(opened);
    let end = rustix::process::pidfd_open(
        rustix::process::Pid::from_raw(pid).unwrap(),
        rustix::process::PidfdFlags::empty(),
    );
    if let Ok(end) = end {
        let mut ends = [rustix::event::PollFd::new(&end, rustix::event::PollFlags::IN)];
        let timeout = rustix::event::Timespec { tv_sec: 20, tv_nsec: 0 };
        assert_eq!(rustix::event::poll(&mut ends, Some(&timeout)), Ok(1), "it stays");
    }
}

#[test]
fn a_killed_helper_is_an_error_and_no_hang() {
    let bench = Bench::new();
    let raw = bench.ext("ext", "ext4", &tree(&bench));
    let opened = bench.open(&[("vda", &raw, Format::Raw)]);
    assert_eq!(names(&opened, ""), ["vda"]);
    let [pid] = helpers(&bench.path("heptad"))[..] else { panic!("one helper") };
    let pid = rustix::process::Pid::from_raw(pid).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
    assert!(read(&opened, "vda/big").is_err());
    // And the next look is by another one.
    assert_eq!(names(&bench.open(&[("vda", &raw, Format::Raw)]), ""), ["vda"]);
}
