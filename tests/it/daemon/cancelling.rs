//! Ctrl-C while something is awaited, and taking it back.

use super::hooks::Waiting;
use heptad::api::wire::OperationsQuery;
use rustix::process::{Pid, Signal, kill_process};
use std::io::Read;
use std::process::Stdio;

/// Whether a process has a handler of its own for SIGINT, by the second bit of `SigCgt` (proc(5)).
fn catches_interrupt(pid: u32) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:")).unwrap();
    u64::from_str_radix(caught.trim(), 16).unwrap() & 0b10 != 0
}

#[test]
fn who_stops_waiting_hears_that_it_goes_on_and_how_to_take_it_back() {
    let Waiting { programs: _programs, host, pipe } = Waiting::taking("first");
    let mut waiting = host.ctl_command("take tree second");
    let mut waiting = waiting.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let mut said = waiting.stderr.take().unwrap();
    host.until("it hears Ctrl-C", |_| catches_interrupt(waiting.id()).then_some(()));
    kill_process(Pid::from_child(&waiting), Signal::INT).unwrap();
    let mut rest = String::new();
    said.read_to_string(&mut rest).unwrap();
    assert_eq!(waiting.wait().unwrap().code(), Some(130), "{rest}");
    let second = host.newest_operation("tree", "take");
    let id = second.id;
    for part in [
        format!("take second goes on as operation {id}"),
        format!("`heptactl operation {id} --wait`"),
        format!("`heptactl cancel {id}`"),
    ] {
        assert!(rest.contains(&part), "{part}: {rest}");
    }
    assert!(second.state.is_open(), "{second:?}");
    let cancelled = host.ok(&format!("cancel {id}"));
    assert_eq!(cancelled, format!("tree: take second is cancelled (operation {id})\n"));
    let query = OperationsQuery { open: Some(true), ..OperationsQuery::default() };
    let open = host.client().operations(&query).unwrap().operations;
    let first = open.iter().find(|one| one.snapshot.as_deref() == Some("first")).unwrap().id;
    let begun = host.ctl(&format!("cancel {first}"));
    assert!(begun.code == 1 && begun.err.contains("it goes on"), "{}", begun.err);
    host.logged(0, "tree: take second was cancelled by uid 0 before it had begun");
    std::fs::write(&pipe, "go\n").unwrap();
    host.until("the first one", |client| client.snapshot("first").ok());
    host.settle();
    assert!(host.client().snapshot("second").is_err());
}
