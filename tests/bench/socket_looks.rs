//! What one member of the group who only looks can make the others pay: each dear answer at 1,000
//! resources with 2,400 more snapshots, through the socket; and root's take beside 32 lookers.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::disallowed_methods,
    reason = "it borrows from the tests, and measures from outside the daemon"
)]

#[path = "../it/api/ledger.rs"]
mod ledger;
#[path = "../it/api/stub.rs"]
#[expect(dead_code, reason = "the tests use the rest")]
mod stub;

use heptad::api::server::Limits;
use heptad::domain::snapshot::{Origin, Seq};
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};
use stub::{OPERATORS, Scene};

const RESOURCES: u32 = 1_000;
const MORE: usize = 2_400;
const LOOKERS: usize = 32;

/// Status, bytes and time of one answer.
fn ask(socket: &Path, line: &str, body: &str) -> std::io::Result<(u16, usize, Duration)> {
    let began = Instant::now();
    let mut stream = UnixStream::connect(socket)?;
    let length = body.len();
    let head = format!(
        "{line} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/json\r\n\
         Content-Length: {length}\r\n\r\n{body}"
    );
    stream.write_all(head.as_bytes())?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    let status = String::from_utf8_lossy(answer.get(9..12).unwrap_or_default()).into_owned();
    Ok((status.parse().unwrap_or(0), answer.len(), began.elapsed()))
}

fn memory(field: &str) -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(field)).unwrap_or("?");
    line.trim().to_owned()
}

fn long_name(n: usize) -> String {
    format!("{n:05}-{}", "x".repeat(240))
}

/// 2,400 manual snapshots with long names, all of one resource: the worst of its sums.
fn crowd(scene: &Scene) {
    scene.stub.turn(|ledger| {
        let Some(account) = ledger.account_mut(&"web-1".parse().expect("a name")) else { return };
        let Some(one) = account.snapshots.values().next().cloned() else { return };
        for n in 0..MORE {
            let seq = Seq(100 + n as u64);
            let mut snapshot = one.as_ref().clone();
            (snapshot.card.handle.seq, snapshot.card.slot) = (seq, None);
            snapshot.card.origin = Origin::Manual;
            snapshot.card.name = long_name(n).parse().ok();
            account.snapshots.insert(seq, Arc::new(snapshot));
        }
        account.next_seq = Seq(100 + MORE as u64);
    });
}

/// Looks over and over as a member of the group, until it is killed with this process's child.
fn lookers(socket: &Path, path: &str) -> std::io::Result<Vec<std::process::Child>> {
    let one = |_| {
        let script = format!(
            "while :; do curl -s -o /dev/null --unix-socket {} 'http://x{path}'; done",
            socket.display()
        );
        let groups = OPERATORS.to_string();
        let mut looker = std::process::Command::new("setpriv");
        looker.args([
            "--reuid",
            "61500",
            "--regid",
            "61500",
            "--groups",
            &groups,
            "--pdeathsig",
            "KILL",
        ]);
        looker.args(["sh", "-c", &script]).spawn()
    };
    (0..LOOKERS).map(one).collect()
}

#[expect(clippy::print_stdout, reason = "a benchmark prints its result")]
fn main() -> std::io::Result<()> {
    let scene = Scene::crowded(Limits::default(), RESOURCES);
    crowd(&scene);
    let socket = scene.socket();
    let wrong = format!("/v1/snapshots/{}", "y".repeat(255));
    let wrong_resource = format!("/v1/resources/{}", "y".repeat(255));
    let paths = [
        "/v1/status",
        "/v1/resources",
        "/v1/snapshots?all=true",
        "/v1/snapshots?resource=web-1",
        "/v1/operations?limit=1000",
        "/v1/resources/web-1/slots",
        "/metrics",
        "/v1/fee",
        "/v1/health",
        "/v1/events?after=0&wait=0",
        "/v1/forecast?days=7",
        "/v1/forecast?days=366",
        &wrong,
        &wrong_resource,
    ];
    println!("{:<40} {:>6} {:>12} {:>10}", "GET", "status", "bytes", "ms");
    for path in paths {
        let line = format!("GET {path}");
        let (status, bytes, took) = ask(&socket, &line, "")?;
        let shown: String = path.chars().take(40).collect();
        println!("{shown:<40} {status:>6} {bytes:>12} {:>10.1}", took.as_secs_f64() * 1e3);
    }
    println!("most memory {}", memory("VmHWM:"));
    for path in [wrong.as_str(), "/v1/forecast?days=366", "/v1/status"] {
        let mut crowd = lookers(&socket, path)?;
        let mut waits: Vec<f64> = Vec::new();
        for n in 0..20 {
            std::thread::sleep(Duration::from_millis(100));
            let body = format!("{{\"name\":\"mine-{n}\"}}");
            let (_, _, took) = ask(&socket, "POST /v1/resources/web-1/snapshots", &body)?;
            waits.push(took.as_secs_f64() * 1e3);
        }
        for looker in &mut crowd {
            looker.kill()?;
            looker.wait()?;
        }
        waits.sort_by(f64::total_cmp);
        let shown: String = path.chars().take(30).collect();
        println!(
            "root's take beside {LOOKERS} x {shown}: median {:.1} ms, most {:.1} ms; most memory {}",
            waits[10],
            waits[19],
            memory("VmHWM:")
        );
    }
    Ok(())
}
