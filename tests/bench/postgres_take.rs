//! What does a snapshot of a PostgreSQL server cost, and how long does a writer wait meanwhile,
//! against `pg_basebackup` of the same server in the same run? At several sizes, on btrfs with the
//! data directory as a subvolume and on XFS.
//!
//! `cargo bench --bench postgres_take [TENTHS_OF_GB...]`, as root; needs 14 GB below /var/tmp for
//! the usual 2, 10 and 40. One line of JSON for each file system and size.
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
use loopfs::{LoopFs, run, subvolume};
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::time::{Duration, Instant};

fn main() {
    // Cargo passes --bench.
    let mut sizes: Vec<u64> = std::env::args().filter_map(|arg| arg.parse().ok()).collect();
    if sizes.is_empty() {
        sizes = vec![2, 10, 40];
    }
    for kind in ["btrfs", "xfs"] {
        let server = Server::new(kind);
        let mut filled = 0;
        for (at, size) in sizes.iter().enumerate() {
            server.fill(filled, *size);
            filled = *size;
            println!("{}", server.measure(u64::try_from(at).unwrap() * 10, kind, *size));
        }
    }
}

struct Server {
    fs: LoopFs,
    bin: PathBuf,
    backend: Arc<dyn Backend>,
}

impl Server {
    fn new(kind: &str) -> Self {
        let fs = LoopFs::new(kind, 14_000);
        let open = std::fs::Permissions::from_mode(0o755);
        std::fs::set_permissions(fs.path().parent().unwrap(), open).unwrap();
        let data = fs.path().join("data");
        match kind {
            "btrfs" => subvolume(&data),
            _ => std::fs::create_dir(&data).unwrap(),
        }
        for path in [&fs.path(), &data] {
            run("chown", &["postgres:", path.to_str().unwrap()]);
        }
        let versions = std::fs::read_dir("/usr/lib/postgresql").unwrap();
        let bin = versions.map(|entry| entry.unwrap().path()).max().unwrap().join("bin");
        let options = serde_json::json!({
            "data": data, "store": fs.path().join("store"), "prove": "never",
        });
        let context = Context { resource: "db".parse().unwrap(), state: fs.path().join("state") };
        std::fs::create_dir(&context.state).unwrap();
        let backend = registry::build("postgres", options.as_object().unwrap(), &context).unwrap();
        let server = Self { fs, bin, backend };
        server.must("initdb", &["-D", server.data().to_str().unwrap(), "-N", "-A", "trust"]);
        let socket = server.fs.path();
        let options = format!(
            "-k {} -c listen_addresses='' -c max_wal_size=2GB -c shared_buffers=256MB",
            socket.display()
        );
        let log = socket.join("log");
        let data = server.data();
        let start = ["-D", data.to_str().unwrap(), "-w", "-s", "-l", log.to_str().unwrap(), "-o"];
        server.must("pg_ctl", &[&start[..], &[&options, "start"]].concat());
        server.sql("create table fill (n bigint, pad text)");
        server.sql("create table probe (n bigint)");
        server
    }

    fn data(&self) -> PathBuf {
        self.fs.path().join("data")
    }

    fn command(&self, name: &str, args: &[&str]) -> Command {
        let mut command = Command::new("setpriv");
        command.args(["--reuid=postgres", "--regid=postgres", "--clear-groups"]);
        command.arg(self.bin.join(name)).args(args).current_dir("/").env("PGHOST", self.fs.path());
        command
    }

    fn must(&self, name: &str, args: &[&str]) {
        let status = self.command(name, args).stdout(Stdio::null()).status().unwrap();
        assert!(status.success(), "{name} {args:?}");
    }

    fn sql(&self, sql: &str) {
        self.must("psql", &["-X", "-q", "-v", "ON_ERROR_STOP=1", "-c", sql, "postgres"]);
    }

    /// From one size to another, in tenths of a gigabyte.
    fn fill(&self, from: u64, to: u64) {
        self.sql("alter system set fsync = off");
        self.sql("select pg_reload_conf()");
        // A row of 1 KB, and its head.
        let rows = (to - from) * 94_000;
        self.sql(&format!(
            "insert into fill select n, repeat(md5(n::text), 32) from generate_series(1, {rows}) n"
        ));
        self.sql("vacuum fill");
        self.sql("alter system reset fsync");
        self.sql("select pg_reload_conf()");
        self.sql("checkpoint");
        run("sync", &["--file-system", self.fs.path().to_str().unwrap()]);
    }

    fn measure(&self, seq: u64, kind: &str, size: u64) -> serde_json::Value {
        let (_, calm) = self.beside(|| {
            let until = Instant::now() + Duration::from_secs(3);
            while Instant::now() < until {
                std::thread::yield_now();
            }
        });
        let mut takes: Vec<(Duration, Duration)> = (1..=3)
            .map(|n| {
                let card = card(seq + n);
                let order = TakeOrder { card: &card, source: None, previous: None };
                let took = self.beside(|| self.backend.take(&order, &()).unwrap());
                self.backend.destroy(&card.handle).unwrap();
                took
            })
            .collect();
        takes.sort();
        let copy = self.fs.path().join("base");
        let args = ["-D", copy.to_str().unwrap(), "-c", "fast", "-X", "stream"];
        let base = self.beside(|| self.must("pg_basebackup", &args));
        std::fs::remove_dir_all(&copy).unwrap();
        let worst = takes.iter().map(|(_, stall)| *stall).max().unwrap();
        serde_json::json!({
            "fs": kind,
            "gb": size as f64 / 10.0,
            "calm_stall_ms": millis(calm),
            "take_s": takes[1].0.as_secs_f64(),
            "take_stall_ms": millis(worst),
            "pg_basebackup_s": base.0.as_secs_f64(),
            "pg_basebackup_stall_ms": millis(base.1),
        })
    }

    /// How long something takes, and the longest commit of a writer beside it.
    fn beside<T>(&self, act: impl FnOnce() -> T) -> (Duration, Duration) {
        let over = &AtomicBool::new(false);
        std::thread::scope(|scope| {
            let mut writer = Writer::start(self);
            writer.commit();
            let stall = scope.spawn(move || {
                let mut longest = Duration::ZERO;
                while !over.load(SeqCst) {
                    longest = longest.max(writer.commit());
                }
                longest
            });
            let begun = Instant::now();
            act();
            let took = begun.elapsed();
            over.store(true, SeqCst);
            (took, stall.join().unwrap())
        })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let data = self.data();
        let stop = ["-D", data.to_str().unwrap(), "-s", "-m", "immediate", "stop"];
        let _ = self.command("pg_ctl", &stop).status();
    }
}

struct Writer(Child, BufReader<std::process::ChildStdout>);

impl Writer {
    fn start(server: &Server) -> Self {
        let mut psql = server.command("psql", &["-X", "-q", "-A", "-t", "postgres"]);
        let mut child = psql.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let out = BufReader::new(child.stdout.take().unwrap());
        Self(child, out)
    }

    fn commit(&mut self) -> Duration {
        let begun = Instant::now();
        let input = self.0.stdin.as_mut().unwrap();
        writeln!(input, "insert into probe values (1) returning n;").unwrap();
        let mut line = String::new();
        self.1.read_line(&mut line).unwrap();
        assert_eq!(line, "1\n");
        begun.elapsed()
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn millis(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 10_000.0).round() / 10.0
}
