//! A directory with some of everything, and what the kernel shows of a directory.

use super::disks::Bench;
use crate::support::loopfs::LoopFs;
use heptad::image::Format;
use rustix::fs::{CWD, FallocateFlags, FileType, Mode, XattrFlags, fallocate, mknodat, setxattr};
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::{File, FileTimes};
use std::hash::{DefaultHasher, Hasher};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::{FileExt, MetadataExt, PermissionsExt, chown, symlink};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

const KIB: usize = 1 << 10;

/// Bytes that no compressor makes smaller.
pub fn noise(seed: u64, count: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = move || {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as u8
    };
    (0..count).map(|_| next()).collect()
}

/// Text that any compressor makes much smaller.
pub fn prose(count: usize) -> Vec<u8> {
    let line = |n: usize| format!("line {n} of a text that is much like all others\n").into_bytes();
    let mut text: Vec<u8> = (0..count / 40).flat_map(line).collect();
    text.resize(count, b'.');
    text
}

pub fn fill(top: &Path) {
    files(&top.join("files"));
    directories(&top.join("directories"));
    names(&top.join("names"));
    attributes(&top.join("attributes"));
}

fn made(dir: &Path) -> &Path {
    std::fs::create_dir(dir).unwrap();
    dir
}

fn files(dir: &Path) {
    made(dir);
    for size in [0, 1, 20, 300, 1_500, 4_095, 4_096, 4_097, 70_000, 3 << 20] {
        std::fs::write(dir.join(format!("of-{size}")), noise(size as u64, size)).unwrap();
    }
    let sparse = File::create(dir.join("sparse")).unwrap();
    for at in [0, 1 << 20, 5 << 20] {
        sparse.write_all_at(b"here", at).unwrap();
    }
    sparse.set_len(9 << 20).unwrap();
    File::create(dir.join("hole")).unwrap().set_len(3 << 30).unwrap();
    // Many pieces: more than an inode has room for, and than one block of a tree.
    let pieces = File::create(dir.join("pieces")).unwrap();
    pieces.write_all_at(&noise(5, 8 << 20), 0).unwrap();
    pieces.sync_all().unwrap();
    let punch = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
    for block in (0..8 << 20).step_by(8 * KIB) {
        fallocate(&pieces, punch, block, 4 * KIB as u64).unwrap();
    }
    // Reserved, and written in the middle only; the end is beyond the file's.
    let reserved = File::create(dir.join("reserved")).unwrap();
    fallocate(&reserved, FallocateFlags::empty(), 0, 1 << 20).unwrap();
    fallocate(&reserved, FallocateFlags::KEEP_SIZE, 1 << 20, 1 << 20).unwrap();
    reserved.write_all_at(b"written", 300_000).unwrap();
    let original = dir.join("original");
    std::fs::write(&original, noise(9, 1 << 20)).unwrap();
    let copy = File::create(dir.join("shared")).unwrap();
    if rustix::fs::ioctl_ficlone(&copy, File::open(&original).unwrap()).is_ok() {
        copy.write_all_at(b"changed", 500_000).unwrap();
    }
    std::fs::hard_link(&original, dir.join("linked")).unwrap();
}

/// Directories of all sizes, of which each is stored in another way.
fn directories(dir: &Path) {
    made(dir);
    for (count, width) in [(1, 4), (3, 40), (40, 8), (400, 30), (6_000, 60)] {
        let below = dir.join(format!("of-{count}"));
        made(&below);
        let path = |n: usize| below.join(format!("{n:0width$}"));
        for n in 0..count {
            match n % 50 {
                0 => std::fs::write(path(n), n.to_string()).unwrap(),
                1 => std::fs::create_dir(path(n)).unwrap(),
                2 => symlink("of-nothing", path(n)).unwrap(),
                _ => std::fs::hard_link(path(n - n % 50), path(n)).unwrap(),
            }
        }
        // Holes in the directory, too.
        for n in (5..count).step_by(7).filter(|n| n % 50 > 2) {
            std::fs::remove_file(path(n)).unwrap();
        }
    }
    let mut deep = dir.join("deep");
    for _ in 0..30 {
        made(&deep);
        deep = deep.join("below");
    }
    std::fs::write(deep, "deep").unwrap();
}

fn names(dir: &Path) {
    made(dir);
    let names: [&[u8]; 7] = [
        &[b'n'; 255],
        b"\xff\xfe is no \x80 UTF-8",
        "Grüße".as_bytes(),
        b"two\nlines",
        b" ",
        b"...",
        b"what?*\\",
    ];
    for name in names {
        std::fs::write(dir.join(OsStr::from_bytes(name)), name).unwrap();
    }
    for length in [1, 30, 59, 300, 511, 1_000] {
        symlink("t".repeat(length), dir.join(format!("link-of-{length}"))).unwrap();
    }
    symlink(OsStr::from_bytes(b"\xff/../\x80"), dir.join("strange-link")).unwrap();
}

fn attributes(dir: &Path) {
    made(dir);
    for mode in [0o000, 0o644, 0o4755, 0o2711, 0o1777] {
        let path = dir.join(format!("mode-{mode:04o}"));
        std::fs::write(&path, "mode").unwrap();
        std::fs::set_permissions(&path, PermissionsExt::from_mode(mode)).unwrap();
    }
    for (user, group) in [(1, 2), (1_234, 5_678), (4_000_000_000, 3_000_000_000)] {
        let path = dir.join(format!("of-{user}"));
        std::fs::write(&path, "owner").unwrap();
        chown(&path, Some(user), Some(group)).unwrap();
    }
    for seconds in [0, 1, 1_000_000_000, 2_147_483_647, 4_102_444_800] {
        let time = SystemTime::UNIX_EPOCH + Duration::new(seconds, 123_456_789);
        let file = File::create(dir.join(format!("at-{seconds}"))).unwrap();
        file.set_times(FileTimes::new().set_modified(time)).unwrap();
    }
    let before = SystemTime::UNIX_EPOCH - Duration::new(86_400, 250_000_000);
    let file = File::create(dir.join("before-1970")).unwrap();
    file.set_times(FileTimes::new().set_modified(before)).unwrap();
    for (kind, name) in [
        (FileType::Fifo, "fifo"),
        (FileType::Socket, "socket"),
        (FileType::CharacterDevice, "null"),
        (FileType::BlockDevice, "disk"),
    ] {
        mknodat(CWD, dir.join(name), kind, Mode::from(0o600), rustix::fs::makedev(1, 3)).unwrap();
    }
    // Attributes that leave less room for all else in an inode.
    for size in [8, 60, 200, 3_000] {
        let path = dir.join(format!("attribute-of-{size}"));
        std::fs::write(&path, noise(3, 20_000)).unwrap();
        setxattr(&path, "user.heptad", &noise(1, size), XattrFlags::empty()).unwrap();
        let link = dir.join(format!("link-with-{size}"));
        symlink("t".repeat(size.min(1_000)), &link).unwrap();
        let value = noise(2, size);
        rustix::fs::lsetxattr(&link, "trusted.heptad", &value, XattrFlags::empty()).unwrap();
    }
}

/// What one thing looks like: its mode and kind, owner, group and time, its size, a digest of its
/// bytes or the target of a link.
#[derive(Debug, PartialEq, Eq)]
pub struct Look {
    mode: u32,
    owner: (u32, u32),
    mtime: (i64, i64),
    size: u64,
    holds: Vec<u8>,
}

/// All that is below a directory.
pub fn picture(top: &Path) -> BTreeMap<PathBuf, Look> {
    let mut found = BTreeMap::new();
    let mut left = vec![PathBuf::new()];
    while let Some(dir) = left.pop() {
        let entries = std::fs::read_dir(top.join(&dir));
        for entry in entries.unwrap_or_else(|error| panic!("{}: {error}", dir.display())) {
            let entry = entry.unwrap_or_else(|error| panic!("{}: {error}", dir.display()));
            let path = dir.join(entry.file_name());
            let meta =
                entry.metadata().unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            let kind = entry.file_type().unwrap();
            assert_eq!(kind, meta.file_type(), "{}", path.display());
            if kind.is_dir() {
                left.push(path.clone());
            }
            found.insert(path, look(&entry.path(), &meta));
        }
    }
    found
}

fn look(path: &Path, meta: &std::fs::Metadata) -> Look {
    let kind = meta.file_type();
    let holds = if kind.is_symlink() {
        let target = std::fs::read_link(path);
        let target = target.unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        target.into_os_string().into_vec()
    } else if kind.is_file() {
        digest(path).to_vec()
    } else {
        Vec::new()
    };
    let sized = kind.is_file() || kind.is_symlink();
    // Where a snapshot of btrfs had another subvolume: an empty directory, as old as the look at
    // it.
    let timeless = meta.ino() == 2;
    Look {
        mode: meta.mode(),
        owner: (meta.uid(), meta.gid()),
        mtime: if timeless { (0, 0) } else { (meta.mtime(), meta.mtime_nsec()) },
        size: if sized { meta.len() } else { 0 },
        holds,
    }
}

/// Of a large file only some: its ends, and what is near a million bytes.
fn digest(path: &Path) -> [u8; 8] {
    let file = File::open(path).unwrap();
    let size = file.metadata().unwrap().len();
    let mut hasher = DefaultHasher::new();
    let ends = if size > 1 << 30 { vec![0, size / 2, size - 70_000] } else { vec![0] };
    let stretch = if size > 1 << 30 { 70_000 } else { size };
    for start in ends {
        let mut bytes = vec![0; 1 << 17];
        let mut at = start;
        while at < start + stretch {
            let count = file
                .read_at(&mut bytes, at)
                .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            assert!(count > 0, "{} ends at {at}, not at {size}", path.display());
            hasher.write(&bytes[..count]);
            at += count as u64;
        }
    }
    hasher.finish().to_le_bytes()
}

/// The first differences between two pictures, in words.
pub fn differences(want: &BTreeMap<PathBuf, Look>, found: &BTreeMap<PathBuf, Look>) -> Vec<String> {
    let missing = want.keys().filter(|path| !found.contains_key(*path));
    let missing = missing.map(|path| format!("{} is missing", path.display()));
    let other = found.iter().filter(|(path, look)| want.get(*path) != Some(look));
    let other = other.map(|(path, look)| {
        format!("{}: {look:?} instead of {:?}", path.display(), want.get(path))
    });
    missing.chain(other).take(10).collect()
}

/// Makes, changes, moves and removes all kinds of things, some of them durably.
pub fn churn(top: &Path, seed: u64, count: usize) {
    let top = top.join("churned");
    made(&top);
    for dir in 0..8 {
        made(&top.join(dir.to_string()));
    }
    let dice = noise(seed + 100, count * 8);
    for dice in dice.chunks_exact(8) {
        let number = |at: usize| usize::from(dice[at]) << 8 | usize::from(dice[at + 1]);
        let name = |at: usize| {
            let width = if number(at) % 3 == 0 { 120 } else { 9 };
            top.join(format!("{}/{:0width$}", number(at) % 8, number(at + 1) % 700))
        };
        let (one, other) = (name(1), name(3));
        // Whether it can be done depends on what is there by now.
        let _ = match dice[0] % 16 {
            0..=4 => std::fs::write(&one, noise(number(5) as u64, number(5) % 20_000)),
            5 | 6 => std::fs::remove_file(&one),
            7 => std::fs::rename(&one, &other),
            8 => std::fs::hard_link(&one, &other),
            9 => symlink("t".repeat(number(5) % 1_000 + 1), &one),
            10 => std::fs::create_dir(&one),
            11 => std::fs::remove_dir_all(&one),
            12 => scatter(&one, number(5) as u64),
            13 => copy_shared(&one, &other),
            14 => attribute(&one, number(5)),
            _ => File::open(&one).and_then(|file| file.sync_all()),
        };
    }
}

/// Many small pieces of a file.
fn scatter(path: &Path, seed: u64) -> std::io::Result<()> {
    let file = File::options().create(true).truncate(false).write(true).open(path)?;
    for piece in 0..40 {
        file.write_all_at(&noise(seed, 4_096), (seed % 7 + piece * 3) << 12)?;
    }
    file.set_len((seed % 100) << 12)?;
    file.sync_data()
}

fn copy_shared(from: &Path, to: &Path) -> std::io::Result<()> {
    let from = File::open(from)?;
    let to = File::options().create(true).truncate(false).write(true).open(to)?;
    rustix::fs::ioctl_ficlone(to, from)?;
    Ok(())
}

fn attribute(path: &Path, size: usize) -> std::io::Result<()> {
    let name = format!("user.{}", size % 5);
    Ok(setxattr(path, name, &noise(1, size % 3_000), XattrFlags::empty())?)
}

/// Copied while it is frozen, it is shown as the kernel showed it, with nothing to say beside.
pub fn must_be_whole_when_frozen(kind: &str) {
    let mut fs = LoopFs::new(kind, 400);
    fill(&fs.path());
    let bench = Bench::new();
    let image = bench.path("frozen");
    fs.copy_frozen(&image);
    let want = picture(&fs.path());
    fs.unmount();
    let shown = bench.attach(bench.open(&[("vda", &image, Format::Raw)]));
    assert!(!shown.path().join("vda.note").exists());
    let found = picture(&shown.path().join("vda"));
    assert_eq!(differences(&want, &found), Vec::<String>::new());
}
