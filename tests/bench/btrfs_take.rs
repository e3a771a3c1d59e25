//! How fast are many takes due at once, against the plainest thing that could be done: one snapshot
//! request after the other, into one directory, without manifest, mark or sequence number?
//!
//! Both run on the same fresh file system in the same run, so their ratio can be compared between
//! machines. `cargo bench --bench btrfs_take [SUBVOLUMES]`; as root. The result is one line of
//! JSON.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a bench fails by panicking and prints its result"
)]

#[path = "../it/support/card.rs"]
mod card;
#[allow(dead_code, reason = "the tests use the rest")]
#[path = "../it/support/loopfs.rs"]
mod loopfs;

use card::card;
use heptad::backend::options::Context;
use heptad::backend::registry;
use heptad::backend::{Backend, TakeOrder};
use heptad::domain::survey::Wholeness;
use heptad::host::sys;
use std::ffi::OsStr;
use std::fs::File;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

fn main() {
    // Cargo passes --bench.
    let wanted = std::env::args().skip(1).find_map(|arg| arg.parse().ok());
    let subvolumes: usize = wanted.unwrap_or(1000);
    let fs = loopfs::LoopFs::new("btrfs", 4096);
    let names: Vec<String> = (0..subvolumes).map(|at| format!("volume-{at}")).collect();
    for name in &names {
        let root = File::open(fs.path()).unwrap();
        sys::btrfs_create(&root, OsStr::new(name)).unwrap();
        std::fs::write(fs.path().join(name).join("file"), name).unwrap();
    }
    let backends: Vec<_> = names.iter().map(|name| backend(&fs.path(), name)).collect();
    let in_flight = backends[0].capabilities().in_flight;

    let serial = serial(&fs.path(), &names);
    let takes = in_parallel(in_flight, &backends, |backend| {
        backend.take(&TakeOrder { card: &card(1), source: None, previous: None }, &()).unwrap();
    });
    let lists = in_parallel(in_flight, &backends, |backend| {
        let found = backend.list().unwrap().found;
        assert_eq!((found.len(), found[0].state), (1, Wholeness::Whole));
    });
    let destroys = in_parallel(in_flight, &backends, |backend| {
        backend.destroy(&card(1).handle).unwrap();
    });
    println!(
        "{}",
        serde_json::json!({
            "subvolumes": subvolumes,
            "in_flight": in_flight,
            "serial_ioctls_s": serial.as_secs_f64(),
            "takes_s": takes.as_secs_f64(),
            "takes_faster_by": serial.as_secs_f64() / takes.as_secs_f64(),
            "lists_s": lists.as_secs_f64(),
            "destroys_s": destroys.as_secs_f64(),
        })
    );
}

fn backend(fs: &Path, name: &str) -> Arc<dyn Backend> {
    let options = serde_json::json!({ "path": fs.join(name) });
    let context = Context { resource: name.parse().unwrap(), state: "/nonexistent".into() };
    registry::build("btrfs", options.as_object().unwrap(), &context).unwrap()
}

/// The plain loop.
fn serial(fs: &Path, names: &[String]) -> Duration {
    std::fs::create_dir(fs.join("plain")).unwrap();
    let plain = File::open(fs.join("plain")).unwrap();
    let start = Instant::now();
    for name in names {
        let source = File::open(fs.join(name)).unwrap();
        sys::btrfs_snapshot(&plain, &source, OsStr::new(name), true).unwrap();
    }
    start.elapsed()
}

/// Does `act` once with each backend, `in_flight` at a time.
fn in_parallel(
    in_flight: usize,
    backends: &[Arc<dyn Backend>],
    act: impl Fn(&dyn Backend) + Sync,
) -> Duration {
    let next = AtomicUsize::new(0);
    let start = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..in_flight {
            scope.spawn(|| {
                while let Some(backend) = backends.get(next.fetch_add(1, Ordering::Relaxed)) {
                    act(&**backend);
                }
            });
        }
    });
    start.elapsed()
}
