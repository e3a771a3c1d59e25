//! How long does a snapshot of a running instance take, by the size of what is on its disk, and how
//! long does a writer in the guest wait meanwhile, against what libvirt and QEMU have themselves: a
//! quiesced external snapshot (which leaves an overlay that must be merged later), and a full copy?
//!
//! All in the same run, on one fresh XFS, so that the ratios can be compared between machines.
//! `cargo bench --bench instance_take [MEGABYTES...]`; as root, with what tests/run installs. The
//! result is one line of JSON for each size.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a bench fails by panicking and prints its result"
)]

#[allow(dead_code, reason = "the tests use the rest")]
#[path = "../it/libvirt/host.rs"]
mod host;

#[path = "../it/support"]
mod support {
    pub mod card;
    #[allow(dead_code, reason = "the tests use the rest")]
    pub mod loopfs;
}

use heptad::backend::options::Context;
use heptad::backend::registry;
use heptad::backend::{Backend, TakeOrder};
use host::{Libvirtd, definition, install_guest};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::time::{Duration, Instant};
use support::card::card;
use support::loopfs::{LoopFs, run};

const DOMAIN: &str = "bench";
/// Of each kind.
const TIMES: u64 = 3;

fn main() {
    // Cargo passes --bench.
    let wanted: Vec<u64> = std::env::args().skip(1).filter_map(|arg| arg.parse().ok()).collect();
    let sizes = if wanted.is_empty() { vec![200, 1000, 4000] } else { wanted };
    for megabytes in sizes {
        let fs = LoopFs::new("xfs", 4 * megabytes + 1000);
        println!("{}", measure(&fs, megabytes));
    }
}

fn measure(fs: &LoopFs, megabytes: u64) -> serde_json::Value {
    let root = fs.path();
    let (vda, vdb) = (root.join("vda.qcow2"), root.join("vdb.raw"));
    install_guest(&root);
    fill(&root, &vda, megabytes);
    std::fs::File::create(&vdb).unwrap().set_len(64 << 20).unwrap();
    run("mkfs.ext4", &["-q", "-F", vdb.to_str().unwrap()]);
    let libvirtd = Libvirtd::start();
    let disks = [("vda", "qcow2", vda.as_path()), ("vdb", "raw", vdb.as_path())];
    libvirtd.define(&definition(DOMAIN, &disks, "writer", &root));
    libvirtd.virsh(&["start", DOMAIN]);
    let ping = ["qemu-agent-command", DOMAIN, "{\"execute\":\"guest-ping\"}"];
    let until = Instant::now() + Duration::from_secs(60);
    while libvirtd.ask(&ping).is_err() {
        assert!(Instant::now() < until, "the guest does not start");
    }

    let backend = backend(&libvirtd, &root);
    let guest = Guest(root.join("serial"));
    let calm = guest.beside(&mut |_| std::thread::park_timeout(Duration::from_secs(2)));
    let heptad = guest.beside(&mut |seq| {
        let order = TakeOrder { card: &card(seq), source: None, previous: None };
        let notes = backend.take(&order, &()).unwrap().notes;
        assert!(notes.iter().any(|note| note.contains("are shared")), "{notes:?}");
    });
    let external = guest.beside(&mut |seq| external(&libvirtd, &root, seq));
    let merged = guest.beside(&mut |seq| external_and_merge(&libvirtd, &root, seq));
    let copy = root.join("copy.qcow2");
    let convert = guest.beside(&mut |_| {
        let (from, to) = (vda.to_str().unwrap(), copy.to_str().unwrap());
        run("qemu-img", &["convert", "-U", "-f", "qcow2", "-O", "qcow2", from, to]);
        // As durable as a snapshot is.
        run("sync", &["--file-system", to]);
    });
    serde_json::json!({
        "megabytes": megabytes,
        "calm_stall_s": calm.stall,
        "heptad_s": heptad.took,
        "heptad_stall_s": heptad.stall,
        "external_s": external.took,
        "external_stall_s": external.stall,
        "external_and_merged_s": merged.took,
        "external_and_merged_stall_s": merged.stall,
        "convert_s": convert.took,
        "heptad_against_external": heptad.took / external.took,
        "faster_than_convert_by": convert.took / heptad.took,
    })
}

/// The guest's serial port, where its writer tells of each number that both disks have.
struct Guest(PathBuf);

/// In seconds: the middle one of some runs, and the longest time that the writer waited in any.
struct Cost {
    took: f64,
    stall: f64,
}

impl Guest {
    fn beside(&self, act: &mut dyn FnMut(u64)) -> Cost {
        let mut took = Vec::new();
        let mut stall = Duration::ZERO;
        for seq in 1..=TIMES {
            let over = &AtomicBool::new(false);
            stall = stall.max(std::thread::scope(|scope| {
                let longest = scope.spawn(move || self.longest_silence(over));
                let begun = Instant::now();
                act(seq);
                took.push(begun.elapsed());
                over.store(true, SeqCst);
                longest.join().unwrap()
            }));
        }
        took.sort_unstable();
        Cost { took: took[took.len() / 2].as_secs_f64(), stall: stall.as_secs_f64() }
    }

    /// Until it is over, and the writer has written once more.
    fn longest_silence(&self, over: &AtomicBool) -> Duration {
        let said = || std::fs::metadata(&self.0).unwrap().len();
        let (mut length, mut since, mut longest) = (said(), Instant::now(), Duration::ZERO);
        loop {
            std::thread::park_timeout(Duration::from_millis(2));
            if said() == length {
                continue;
            }
            longest = longest.max(since.elapsed());
            (length, since) = (said(), Instant::now());
            if over.load(SeqCst) {
                return longest;
            }
        }
    }
}

/// A quiesced snapshot as virsh makes it. The next one grows on top of it.
fn external(libvirtd: &Libvirtd, root: &Path, seq: u64) {
    let spec =
        |disk: &str| format!("{disk},snapshot=external,file={}/{disk}.over-{seq}", root.display());
    let (vda, vdb) = (spec("vda"), spec("vdb"));
    let how =
        ["snapshot-create-as", DOMAIN, "--disk-only", "--atomic", "--no-metadata", "--quiesce"];
    libvirtd.virsh(&[&how[..], &["--diskspec", &vda, "--diskspec", &vdb]].concat());
}

/// The same, and what has to follow if the guest shall go on with its own images.
fn external_and_merge(libvirtd: &Libvirtd, root: &Path, seq: u64) {
    external(libvirtd, root, 100 + seq);
    for disk in ["vda", "vdb"] {
        libvirtd.virsh(&["blockcommit", DOMAIN, disk, "--active", "--pivot", "--wait"]);
    }
}

/// An image with so much in it.
fn fill(root: &Path, image: &Path, megabytes: u64) {
    let raw = root.join("raw");
    let (text, count) = (raw.to_str().unwrap(), format!("count={megabytes}"));
    run("dd", &["if=/dev/urandom", &format!("of={text}"), "bs=1M", &count, "status=none"]);
    let to = image.to_str().unwrap();
    run("qemu-img", &["convert", "-f", "raw", "-O", "qcow2", text, to]);
    std::fs::remove_file(&raw).unwrap();
}

fn backend(libvirtd: &Libvirtd, root: &Path) -> Arc<dyn Backend> {
    let options = serde_json::json!({
        "domain": DOMAIN, "uri": libvirtd.uri(), "store": root.join("store"),
        "helper": PathBuf::from(env!("CARGO_BIN_EXE_heptad")),
    });
    let context = Context { resource: DOMAIN.parse().unwrap(), state: root.join("state") };
    std::fs::create_dir(&context.state).unwrap();
    registry::build("libvirt", options.as_object().unwrap(), &context).unwrap()
}
