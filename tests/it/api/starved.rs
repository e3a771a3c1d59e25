//! A process that has no descriptors left.

use super::caller::{DEADLINE, status};
use super::stub::Scene;
use nix::sys::resource::{Resource, UsageWho, getrlimit, getrusage, setrlimit};
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::process::Command;
use std::time::Duration;

const STARVED: &str = "HEPTAD_TEST_STARVED";

/// In a process of its own, since the limit is the whole process's.
#[test]
fn without_descriptors_accepting_waits_without_spinning_and_then_goes_on() {
    if std::env::var_os(STARVED).is_some() {
        return starve();
    }
    let name =
        "api::starved::without_descriptors_accepting_waits_without_spinning_and_then_goes_on";
    let mut again = Command::new(std::env::current_exe().unwrap());
    let output = again.args(["--exact", name, "--nocapture"]).env(STARVED, "1").output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && text.contains("1 passed"), "{text}");
}

fn starve() {
    let scene = Scene::new();
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    let open = std::fs::read_dir("/proc/self/fd").unwrap().count() as u64;
    setrlimit(Resource::RLIMIT_NOFILE, open + 12, hard).unwrap();
    // Both ends are ours, so some of these wait to be accepted when descriptors end.
    let mut held = Vec::new();
    while let Ok(stream) = UnixStream::connect(scene.socket()) {
        held.push(stream);
    }
    let mut last = held.pop().unwrap();
    last.write_all(b"GET /v1/health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").unwrap();
    let cpu = || {
        let usage = getrusage(UsageWho::RUSAGE_SELF).unwrap();
        let used = usage.user_time() + usage.system_time();
        Duration::from_micros(u64::try_from(used.tv_usec()).unwrap())
            + Duration::from_secs(u64::try_from(used.tv_sec()).unwrap())
    };
    let before = cpu();
    let wait = Duration::from_secs(1);
    last.set_read_timeout(Some(wait)).unwrap();
    let mut answer = [0; 256];
    let early = last.read(&mut answer);
    assert!(early.is_err(), "it was accepted: {early:?}");
    let spent = cpu() - before;
    assert!(spent < wait / 4, "{spent:?} of {wait:?}");
    drop(held);
    last.set_read_timeout(Some(DEADLINE)).unwrap();
    let read = last.read(&mut answer).unwrap();
    assert_eq!(status(&String::from_utf8_lossy(&answer[..read])), 200);
}
