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
    let was = format!("operation {id} was cancelled; take second of tree was not done\n");
    assert_eq!(cancelled, was);
    assert_eq!(host.ok(&format!("cancel {id}")), was, "again");
    let query = OperationsQuery { open: Some(true), ..OperationsQuery::default() };
    let open = host.client().operations(&query).unwrap().operations;
    let first = open.iter().find(|one| one.snapshot.as_deref() == Some("first")).unwrap().id;
    host.logged(0, "tree: take second was cancelled by uid 0 before it had begun");
    // The first one is in its before-hook.
    let cancelled = host.ok(&format!("cancel {first}"));
    let was = format!("operation {first} was cancelled; take first of tree was not done\n");
    assert_eq!(cancelled, was);
    host.logged(0, &format!("tree: take first shall stop, asked by uid 0 (operation {first})"));
    host.logged(0, "tree: take first was cancelled by uid 0 (");
    host.settle();
    assert_eq!(host.labels("tree"), [] as [&str; 0]);
    // The hook waits again until it is told.
    let mut third = host.ctl_command("take tree third").spawn().unwrap();
    std::fs::write(&pipe, "go\n").unwrap();
    assert!(third.wait().unwrap().success());
    let done = host.newest_operation("tree", "take").id;
    let over = host.ctl(&format!("cancel {done}"));
    let sentence = format!("operation {done} was already finished: tree: took third");
    assert!(over.code == 1 && over.err.contains(&sentence), "{}", over.err);
}
