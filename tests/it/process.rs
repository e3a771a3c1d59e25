//! The only spawn, with real programs that do not want to end.

use heptad::host::process::{Finished, Limits, Overflow, ProcessError, Spawn, User};
use heptad::host::trust::trusted_program;
use std::io::{BufRead, BufReader};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

const LIMITS: Limits = Limits {
    deadline: Duration::from_secs(60),
    grace: Duration::from_secs(30),
    stdout: 1 << 20,
    stderr: 1 << 20,
    overflow: Overflow::Discard,
};

fn shell(script: &str, limits: Limits) -> Spawn {
    let args = vec!["-c".into(), script.into()];
    Spawn { args, ..Spawn::new(Path::new("/bin/sh"), limits) }
}

fn run(script: &str, limits: Limits) -> Finished {
    shell(script, limits).run().unwrap()
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// Waits until the process is gone or only a zombie; the kernel says so on a pidfd.
fn assert_gone(pid: &str) {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    use rustix::process::{Pid, PidfdFlags, pidfd_open};
    let pid = Pid::from_raw(pid.trim().parse().unwrap()).unwrap();
    let Ok(pidfd) = pidfd_open(pid, PidfdFlags::empty()) else { return };
    let limit = Timespec { tv_sec: 60, tv_nsec: 0 };
    let ended = poll(&mut [PollFd::new(&pidfd, PollFlags::IN)], Some(&limit)).unwrap();
    assert_eq!(ended, 1, "{pid:?} still runs");
}

#[test]
fn a_program_gets_its_input_and_gives_its_output_and_status() {
    let mut spawn = shell("cat; echo oops >&2; exit 3", LIMITS);
    spawn.stdin = vec![b'x'; 300_000];
    let done = spawn.run().unwrap();
    assert_eq!(done.status.code(), Some(3));
    assert_eq!(done.stdout.bytes, spawn.stdin);
    assert_eq!(text(&done.stderr.bytes), "oops\n");
    assert!(!done.stdout.truncated && !done.stderr.truncated && !done.timed_out);
}

#[test]
fn a_program_need_not_read_its_input() {
    let mut spawn = shell("exec true", LIMITS);
    spawn.stdin = vec![b'x'; 300_000];
    assert!(spawn.run().unwrap().status.success());
}

#[test]
fn nothing_of_ours_is_inherited() {
    // Not close-on-exec, as a careless library would open it.
    let leak = rustix::fs::open("/etc/passwd", rustix::fs::OFlags::RDONLY, 0.into()).unwrap();
    let mut spawn = Spawn::new(Path::new("/usr/bin/env"), LIMITS);
    spawn.env = vec![("HEPTAD_SEQ".into(), "7".into())];
    let mut variables: Vec<_> =
        text(&spawn.run().unwrap().stdout.bytes).lines().map(str::to_owned).collect();
    variables.sort();
    let path = "PATH=/usr/sbin:/usr/bin:/sbin:/bin";
    assert_eq!(variables, ["HEPTAD_SEQ=7", "LC_ALL=C.UTF-8", path]);

    let descriptors = run("ls -l /proc/self/fd; pwd", LIMITS);
    let listed = text(&descriptors.stdout.bytes);
    assert!(listed.contains("pipe:") && !listed.contains("/etc/passwd"), "{listed}");
    assert!(listed.ends_with("\n/\n"), "{listed}");
    drop(leak);

    let stat = run("exec cat /proc/self/stat", LIMITS);
    let fields: Vec<&str> = text(&stat.stdout.bytes).split(' ').collect();
    let (pid, group, session) = (fields[0], fields[4], fields[5]);
    assert_eq!((pid, pid), (group, session), "a session and a group of its own");
}

#[test]
fn it_may_run_as_somebody_else() {
    let mut spawn = shell("id -u; id -g; id -G", LIMITS);
    spawn.user = Some(User { uid: 1234, gid: 2345 });
    assert_eq!(text(&spawn.run().unwrap().stdout.bytes), "1234\n2345\n2345\n");
}

#[test]
fn at_the_deadline_it_is_asked_and_then_killed() {
    let polite = run("echo on; sleep 600", Limits { deadline: millis(300), ..LIMITS });
    assert!(polite.timed_out);
    assert_eq!(polite.status.signal(), Some(15));
    assert_eq!(text(&polite.stdout.bytes), "on\n");
    assert!(polite.elapsed < Duration::from_secs(20));

    let tidy = "trap 'echo tidied; exit 0' TERM; sleep 600 & wait";
    let tidy = run(tidy, Limits { deadline: millis(300), ..LIMITS });
    assert!(tidy.timed_out && tidy.status.success());
    assert_eq!(text(&tidy.stdout.bytes), "tidied\n");

    let deaf = Limits { deadline: millis(300), grace: millis(300), ..LIMITS };
    let deaf = run("trap '' TERM; while :; do sleep 600; done", deaf);
    assert!(deaf.timed_out);
    assert_eq!(deaf.status.signal(), Some(9));
    assert!(deaf.elapsed >= millis(600) && deaf.elapsed < Duration::from_secs(20));
}

#[test]
fn what_is_not_wanted_any_more_is_asked_to_end_and_what_has_ended_by_then_has_not_been_stopped() {
    let dir = tempfile::tempdir().unwrap();
    let begun = dir.path().join("begun");
    let script =
        format!("trap 'echo tidied; exit 0' TERM; touch {}; sleep 600 & wait", begun.display());
    let ended = shell(&script, LIMITS).run_while(Some(&|| !begun.exists())).unwrap();
    assert!(ended.stopped && !ended.timed_out && ended.status.success());
    assert_eq!(text(&ended.stdout.bytes), "tidied\n");
    let done = shell("echo done", LIMITS).run_while(Some(&|| true)).unwrap();
    assert!(!done.stopped && text(&done.stdout.bytes) == "done\n");
}

#[test]
fn a_grandchild_that_holds_the_pipe_hangs_nobody_and_is_killed() {
    let done = run("sleep 600 & echo $!", LIMITS);
    assert!(done.status.success() && !done.timed_out);
    assert!(done.elapsed < Duration::from_secs(20), "{:?}", done.elapsed);
    assert_gone(text(&done.stdout.bytes));

    let limits = Limits { deadline: millis(300), grace: millis(300), ..LIMITS };
    let deaf = run("(trap '' TERM; while :; do sleep 600; done) & echo $!; wait", limits);
    assert!(deaf.timed_out);
    assert_gone(text(&deaf.stdout.bytes));

    let escaped = run("setsid sleep 600 & echo $!", LIMITS);
    assert!(escaped.elapsed < Duration::from_secs(20), "even one that left the group");
    let pid: i32 = text(&escaped.stdout.bytes).trim().parse().unwrap();
    let pid = rustix::process::Pid::from_raw(pid).unwrap();
    let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
}

#[test]
fn ten_gigabytes_of_output_are_capped_and_block_nobody() {
    let limits = Limits { deadline: Duration::from_secs(600), ..LIMITS };
    let done = run("head -c 10000000000 /dev/zero; echo end >&2", limits);
    assert!(done.status.success(), "{:?} {}", done.status, done.timed_out);
    assert_eq!(done.stdout.bytes.len(), LIMITS.stdout);
    assert!(done.stdout.truncated && !done.stderr.truncated);
    assert_eq!(text(&done.stderr.bytes), "end\n");

    let ended = run("yes", Limits { overflow: Overflow::End, ..LIMITS });
    assert!(ended.stdout.truncated && !ended.timed_out && !ended.status.success());
    assert!(ended.elapsed < Duration::from_secs(20));

    let exact = run("printf 12345678", Limits { stdout: 8, ..LIMITS });
    assert!(!exact.stdout.truncated, "a full cap is not an overflow");
}

#[test]
fn what_cannot_be_started_says_so() {
    let start = |program: &str| Spawn::new(Path::new(program), LIMITS).run().unwrap_err();
    assert!(matches!(start("true"), ProcessError::Relative { .. }));
    assert!(matches!(start("/no/such/program"), ProcessError::Start { .. }));
    assert!(start("/etc/passwd").to_string().starts_with("/etc/passwd cannot be started: "));
    let mut spawn = shell("true", LIMITS);
    spawn.env = vec![("A".into(), "b\0c".into())];
    assert!(matches!(spawn.run(), Err(ProcessError::Start { .. })), "a NUL is no panic");
}

/// The daemon of the tests below: a process of its own, so that it can be killed. By itself, and
/// without the other's variable, it only sees that a program ends when it is told to.
#[test]
fn a_program_runs_as_long_as_its_daemon() {
    let fifo = std::env::var_os("HEPTAD_TEST_FIFO").unwrap_or("/dev/null".into());
    let seconds = if fifo == "/dev/null" { "0" } else { "600" };
    let script = "sleep $SECONDS_LEFT & echo $$ $! > \"$FIFO\"; exec sleep $SECONDS_LEFT";
    let mut spawn = shell(script, LIMITS);
    spawn.env = vec![("FIFO".into(), fifo), ("SECONDS_LEFT".into(), seconds.into())];
    spawn.guarded = true;
    assert!(spawn.run().unwrap().status.success());
}

#[test]
fn a_program_and_what_it_started_die_with_the_daemon() {
    let dir = tempfile::tempdir().unwrap();
    let fifo = dir.path().join("pid");
    assert!(Command::new("mkfifo").arg(&fifo).status().unwrap().success());
    let mut daemon = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "process::a_program_runs_as_long_as_its_daemon", "--nocapture"])
        .env("HEPTAD_TEST_FIFO", &fifo)
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let mut pids = String::new();
    BufReader::new(std::fs::File::open(&fifo).unwrap()).read_line(&mut pids).unwrap();
    daemon.kill().unwrap();
    daemon.wait().unwrap();
    pids.split_whitespace().for_each(assert_gone);
}

#[test]
fn programs_that_others_could_change_are_not_trusted() {
    let dir = crate::support::trusted::dir();
    let program = crate::support::trusted::script(&dir, "plugin", "#!/bin/sh\n");
    let mode = |path: &Path, mode: &str| {
        assert!(Command::new("chmod").arg(mode).arg(path).status().unwrap().success());
    };
    let check = |want: &str| match trusted_program(&program) {
        Ok(()) => assert_eq!(want, "", "trusted"),
        Err(error) => {
            let error = error.to_string();
            assert!(!want.is_empty() && error.contains(want), "{error}");
        }
    };
    check("");
    mode(&program, "0775");
    check("plugin can be written by others (mode 0775); chmod go-w");
    mode(&program, "0644");
    check("may not be executed");
    mode(&program, "0755");
    mode(dir.path(), "1777");
    check("can be written by others (mode 1777)");
    mode(dir.path(), "0755");
    check("");
    std::os::unix::fs::chown(&program, Some(1234), None).unwrap();
    check("plugin belongs to uid 1234");
    std::fs::remove_file(&program).unwrap();
    check("cannot be examined");
    std::os::unix::fs::symlink("/bin/sh", &program).unwrap();
    check("");
    std::fs::remove_file(&program).unwrap();
    std::os::unix::fs::symlink("plugin", &program).unwrap();
    check("more than 40 symbolic links");
    std::fs::remove_file(&program).unwrap();
    std::os::unix::fs::symlink("/tmp/x/sh", &program).unwrap();
    check("/tmp can be written by others");
}
