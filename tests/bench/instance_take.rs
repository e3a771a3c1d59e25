//! How long does a snapshot of a running instance take, by the size of what is on its disk, against
//! what libvirt and QEMU have themselves: a quiesced external snapshot (which leaves an overlay that
//! must be merged later), and a full copy?
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
    #[allow(dead_code, reason = "the tests use the rest")]
    pub mod loopfs;
}

use heptad::backend::registry::{self, Context};
use heptad::backend::{Backend, TakeOrder};
use heptad::domain::resource::Kind;
use heptad::domain::snapshot::{Card, Handle, Origin, Part, Seq};
use host::{Libvirtd, definition, install_guest};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};
use support::loopfs::{LoopFs, run};
use uuid::Uuid;

const DOMAIN: &str = "bench";
/// Of each kind; the middle one counts.
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
    libvirtd.define(&definition(DOMAIN, &disks, "", &root));
    libvirtd.virsh(&["start", DOMAIN]);
    let ping = ["qemu-agent-command", DOMAIN, "{\"execute\":\"guest-ping\"}"];
    let until = Instant::now() + Duration::from_secs(60);
    while libvirtd.ask(&ping).is_err() {
        assert!(Instant::now() < until, "the guest does not start");
    }

    let backend = backend(&libvirtd, &root);
    let mut notes = Vec::new();
    let heptad = middle(|seq| {
        let order = TakeOrder { card: &card(seq), source: None, previous: None };
        notes = backend.take(&order).unwrap().notes;
    });
    let external = middle(|seq| external(&libvirtd, &root, seq));
    let merge = middle(|seq| {
        external_and_merge(&libvirtd, &root, seq);
    });
    let copy = root.join("copy.qcow2");
    let convert = middle(|_| {
        let (from, to) = (vda.to_str().unwrap(), copy.to_str().unwrap());
        run("qemu-img", &["convert", "-U", "-f", "qcow2", "-O", "qcow2", from, to]);
        // As durable as a snapshot is.
        run("sync", &["--file-system", to]);
    });
    serde_json::json!({
        "megabytes": megabytes,
        "heptad_s": heptad,
        "notes": notes,
        "external_s": external,
        "external_and_merged_s": merge,
        "convert_s": convert,
        "heptad_against_external": heptad / external,
        "faster_than_convert_by": convert / heptad,
    })
}

/// The middle one of some runs, in seconds.
fn middle(mut act: impl FnMut(u64)) -> f64 {
    let mut took: Vec<Duration> = (1..=TIMES)
        .map(|seq| {
            let begun = Instant::now();
            act(seq);
            begun.elapsed()
        })
        .collect();
    took.sort_unstable();
    took[took.len() / 2].as_secs_f64()
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

fn card(seq: u64) -> Card {
    Card {
        handle: Handle { seq: Seq(seq), id: Uuid::from_u128(seq.into()), object: String::new() },
        origin: Origin::Automatic,
        name: None,
        slot: Some("2026-11-22".parse().unwrap()),
        kept_from: None,
        taken_at: "2026-11-22T06:00:00Z".parse().unwrap(),
        tags: [].into(),
        kind: Kind::Instance,
        part: Part::Whole,
        plan: None,
        blueprint: None,
    }
}
