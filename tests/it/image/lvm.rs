//! Logical volumes on one or more disks of an image are shown; others say why they are not.

use super::disks::{Bench, MIB, names, read, tree};
use super::hostile::{random, walk};
use crate::support::loopfs::run;
use heptad::image::Format;
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::Path;

/// Makes a group of the disks `$1` and `$2` by a script, in which they are `$a` and `$b`. Nothing
/// is activated: the kernel's device mapper has no part in it.
fn group(disks: [&Path; 2], script: &str) {
    let whole = format!(
        "set -e; exec >&2; a=$(losetup -f --show \"$1\"); b=$(losetup -f --show \"$2\"); \
         trap 'losetup -d $a $b' EXIT; export LVM_SUPPRESS_FD_WARNINGS=1; \
         lvm() {{ command lvm \"$@\" --driverloaded n --devices $a,$b; }}; \
         make() {{ lvm lvcreate -q -an -Zn -Wn -y \"$@\"; }}; {script}"
    );
    let [a, b] = disks.map(|disk| disk.to_str().unwrap());
    run("bash", &["-c", &whole, "bash", a, b]);
}

/// Where the first extent of a physical volume is, and how large each is, if nobody says otherwise.
const FIRST: u64 = MIB;
const EXTENT: u64 = 4 * MIB;

/// Puts what is in a file onto extents of disks.
fn put(from: &Path, extents: &[(&Path, std::ops::Range<u64>)]) {
    let from = std::fs::File::open(from).unwrap();
    for (disk, range) in extents {
        let mut disk = std::fs::File::options().write(true).open(disk).unwrap();
        disk.seek(SeekFrom::Start(FIRST + range.start * EXTENT)).unwrap();
        let mut bytes = Vec::new();
        let count = (range.end - range.start) * EXTENT;
        (&from).take(count).read_to_end(&mut bytes).unwrap();
        disk.write_all(&bytes).unwrap();
    }
    assert_eq!((&from).read(&mut [0]).unwrap(), 0, "there is more of it");
}

#[test]
fn linear_volumes_are_shown_where_they_begin_and_others_say_what_they_are() {
    let bench = Bench::new();
    let (a, b) = (bench.blank("a", 81), bench.blank("b", 81));
    // 20 extents each; the last of the first, and then some of the other.
    group(
        [&a, &b],
        "lvm pvcreate -q $a $b; lvm vgcreate -q system $a $b; \
         make -n root -l 2 system $a:0-1; make -n swap -l 3 system $a:2-4; \
         lvm lvremove -q -y system/swap; make -n old -l 1 system $b:19; \
         lvm lvextend -q -l 12 system/root $a:10-14 $b:3-7; make -n striped -i 2 -l 2 system",
    );
    let tree = tree(&bench);
    let ext = bench.ext("ext", "ext4", &tree);
    put(&ext, &[(&a, 0..2), (&a, 10..15), (&b, 3..8)]);
    let qcow2 = bench.qcow2(&b, &[]);
    let disks = [("vda", a.as_path(), Format::Raw), ("vdb", qcow2.as_path(), Format::Qcow2)];
    let opened = bench.open(&disks);
    assert_eq!(names(&opened, "vda"), ["root", "striped.not-shown"]);
    assert_eq!(names(&opened, "vdb"), ["old.not-shown"]);
    assert_eq!(read(&opened, "vda/root/etc/hosts").unwrap(), b"127.0.0.1 localhost\n");
    let big = std::fs::read(tree.join("big")).unwrap();
    assert!(read(&opened, "vda/root/big").unwrap() == big);
    let says = |at: &str| String::from_utf8(read(&opened, at).unwrap()).unwrap();
    assert!(says("vda/striped.not-shown").contains("striped"));
    // In partitions, and without the other disk.
    let parts = bench.disk("parts", "gpt", &[&a, &b]);
    let opened = bench.open(&[("vda", &parts, Format::Raw)]);
    assert_eq!(names(&opened, "vda"), ["p1", "p2"]);
    assert_eq!(read(&opened, "vda/p1/root/etc/0599").unwrap(), b"599");
    let alone = bench.open(&disks[..1]);
    let said = read(&alone, "vda/root.not-shown").unwrap();
    assert!(String::from_utf8(said).unwrap().contains("not in this snapshot"));
}

#[test]
fn a_member_without_volumes_and_one_without_a_group_say_so() {
    let bench = Bench::new();
    let (a, b) = (bench.blank("a", 20), bench.blank("b", 20));
    group([&a, &b], "lvm pvcreate -q $a $b; lvm vgcreate -q system $a");
    for (disk, says) in [(&a, "no volume of its group system"), (&b, "nothing describes its group")]
    {
        let opened = bench.open(&[("vda", disk, Format::Raw)]);
        let said = String::from_utf8(read(&opened, "vda.not-shown").unwrap()).unwrap();
        assert!(said.contains("LVM") && said.contains(says), "{said}");
    }
}

#[test]
fn a_description_that_lies_shows_nothing_of_others_and_never_hangs() {
    let bench = Bench::new();
    let (a, b) = (bench.blank("a", 24), bench.blank("b", 24));
    let tools = "lvm pvcreate -q $a $b; lvm vgcreate -q system $a $b; \
        make -n root -l 4 system $a:0-3; lvm lvextend -q -l 8 system/root $b:0-3";
    group([&a, &b], tools);
    let hosts = bench.path("hosts");
    std::fs::write(&hosts, "hosts").unwrap();
    let good = bench.fat("good", &hosts);
    let whole = std::fs::read(&a).unwrap();
    // The labels, and the texts behind the first 4 KiB.
    let said: Vec<usize> =
        (0..usize::try_from(FIRST).unwrap()).filter(|at| whole[*at] != 0).collect();
    let mut random = random();
    for round in 0..60_u64 {
        let mut bytes = whole.clone();
        for _ in 0..1 << (round % 9) {
            let at = said[random() as usize % said.len()];
            bytes[at] = if round % 2 == 0 { b'0' + (random() % 10) as u8 } else { random() as u8 };
        }
        let bad = bench.path("bad");
        std::fs::write(&bad, &bytes).unwrap();
        let disks = [
            ("vda", bad.as_path(), Format::Raw),
            ("vdb", b.as_path(), Format::Raw),
            ("good", good.as_path(), Format::Raw),
        ];
        let opened = bench.open(&disks);
        walk(&opened, "", &mut 30);
        assert_eq!(names(&opened, "good/EFI"), ["A long name.cfg"], "round {round}");
    }
}
