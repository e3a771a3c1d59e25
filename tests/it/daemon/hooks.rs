//! An administrator's programs around a snapshot.

use super::host::{Host, TIMEOUT, at, day};
use super::ready::appears;
use crate::support::trusted;
use rustix::process::Signal;
use std::path::PathBuf;
use tempfile::TempDir;

/// Writes down how it was called, says so, and ends as its first argument says.
const HOOK: &str = r#"#!/bin/sh
env | grep ^HEPTAD_ | LC_ALL=C sort | tr '\n' ' ' >> "$2"
echo "$3" >> "$2"
echo "$3 speaks"
[ "$1" = fail ] && { echo "$3 complains" >&2; exit 3; }
exit 0
"#;

struct Scene {
    host: Host,
    notes: PathBuf,
    _programs: TempDir,
}

impl Scene {
    /// One before-hook that ends as `before` says, and two after it.
    fn new(before: &str, on_failure: &str) -> Self {
        let programs = trusted::dir();
        let program = trusted::script(&programs, "hook", HOOK);
        let host = Host::new(&at(1, "05:00"));
        let notes = host.path("notes");
        host.tree("tree", "one");
        let hook = |how: &str, name: &str| {
            format!("program = {program:?}\nargs = [{how:?}, {notes:?}, {name:?}]\n")
        };
        host.configure(&format!(
            "[resource.tree]\ntime = \"06:00\"\nfiles = {{ path = \"ROOT/tree\" }}\n\
             [[resource.tree.before]]\n{}on_failure = \"{on_failure}\"\n\
             [[resource.tree.after]]\n{}[[resource.tree.after]]\n{}",
            hook(before, "first"),
            hook("well", "last"),
            hook("fail", "second"),
        ));
        let mut scene = Self { host, notes, _programs: programs };
        scene.host.start();
        scene
    }

    /// What the hooks wrote since the last look.
    fn calls(&self) -> Vec<String> {
        let text = std::fs::read_to_string(&self.notes).unwrap();
        std::fs::remove_file(&self.notes).unwrap();
        text.lines().map(Into::into).collect()
    }

    fn operation(&self) -> String {
        let id = self.host.newest_operation("tree", "take").id;
        self.host.ok(&format!("operation {id}"))
    }
}

#[test]
fn hooks_run_in_order_around_a_snapshot_and_know_what_it_is_for() {
    let mut scene = Scene::new("well", "fail");
    let slot = scene.host.slot_ends("tree", &at(1, "06:00"));
    assert_eq!(slot.outcome.as_deref(), Some("complete"));
    let of = format!("HEPTAD_RESOURCE=tree HEPTAD_SEQ=1 HEPTAD_SLOT={}", day(1));
    let of = format!("{of} HEPTAD_SNAPSHOT=tree@{}", day(1));
    let after = format!("HEPTAD_OUTCOME=complete HEPTAD_PHASE=after {of}");
    let before = format!("HEPTAD_PHASE=before {of}");
    let wanted = [format!("{before} first"), format!("{after} second"), format!("{after} last")];
    assert_eq!(scene.calls(), wanted);
    let said = scene.operation();
    let places = ["first speaks", "second speaks", "last speaks"].map(|words| said.find(words));
    assert!(
        places.is_sorted() && places[0].is_some() && said.contains("second complains"),
        "{said}"
    );

    // By hand: no slot.
    scene.host.ok("take tree by-hand");
    let calls = scene.calls();
    let wanted =
        "HEPTAD_PHASE=before HEPTAD_RESOURCE=tree HEPTAD_SEQ=2 HEPTAD_SNAPSHOT=by-hand first";
    assert_eq!(calls[0], wanted);
}

#[test]
fn a_failing_before_hook_forbids_the_snapshot_and_the_after_hooks_still_run() {
    let mut scene = Scene::new("fail", "fail");
    let slot = scene.host.slot_ends("tree", &at(1, "06:00"));
    assert_eq!(slot.outcome, None, "it is tried again: {slot:?}");
    assert!(slot.reason.as_deref().unwrap().contains("first complains"), "{slot:?}");
    assert_eq!(scene.host.labels("tree"), [] as [&str; 0]);
    assert!(!scene.host.path("state/store/tree/1").exists());
    let calls = scene.calls();
    assert_eq!(calls.len(), 3);
    assert!(calls[1].starts_with("HEPTAD_MESSAGE=before-hook "), "{calls:?}");
    assert!(calls[1].contains("HEPTAD_OUTCOME=failed"), "{calls:?}");
    let said = scene.operation();
    assert!(said.contains("last speaks") && !said.contains("(hook)"), "{said}");
    let refused = scene.host.ctl("take tree by-hand");
    assert_eq!(refused.code, 1, "{refused:?}");
    assert!(refused.err.contains("first complains"), "{refused:?}");

    scene.host.slot_ends("tree", &at(2, "06:00"));
    let told = scene.host.ok(&format!("why tree {}", day(1)));
    assert!(told.contains("2026-12-01  failed"), "{told}");
}

#[test]
fn a_before_hook_whose_failure_is_ignored_forbids_nothing() {
    let mut scene = Scene::new("fail", "ignore");
    let slot = scene.host.slot_ends("tree", &at(1, "06:00"));
    assert_eq!(slot.outcome.as_deref(), Some("complete"), "{slot:?}");
    assert_eq!(scene.calls().len(), 3);
    let said = scene.operation();
    assert!(said.contains("first complains") && said.contains("succeeded"), "{said}");
}

/// Waits until somebody writes to the pipe beside it.
const PATIENT: &str = "#!/bin/sh\necho begun > \"$1.begun\"\nread line < \"$1\"\n";

/// A taking that has begun, and waits in its hook for whoever writes to the pipe.
pub struct Waiting {
    pub host: Host,
    pub pipe: PathBuf,
    pub programs: TempDir,
}

impl Waiting {
    pub fn taking(name: &str) -> Self {
        let programs = trusted::dir();
        let program = trusted::script(&programs, "patient", PATIENT);
        let mut host = Host::new(&at(1, "05:00"));
        let pipe = host.path("pipe");
        nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRWXU).unwrap();
        let begun = host.path("pipe.begun");
        std::fs::write(&begun, "").unwrap();
        host.tree("tree", "one");
        host.configure(&format!(
            "[resource.tree]\nfiles = {{ path = \"ROOT/tree\" }}\n\
             [[resource.tree.before]]\nprogram = {program:?}\nargs = [{pipe:?}]\n"
        ));
        host.start();
        host.ok(&format!("take tree {name} --no-wait"));
        appears(&begun, TIMEOUT, || std::fs::read(&begun).is_ok_and(|text| !text.is_empty()));
        Self { host, pipe, programs }
    }
}

#[test]
fn a_stop_under_a_clock_that_stands_still_ends_once_its_acts_have_ended() {
    let Waiting { programs: _programs, mut host, pipe } = Waiting::taking("by-hand");
    host.signal(Signal::TERM);
    host.logged(0, "stopping");
    std::fs::write(&pipe, "go\n").unwrap();
    assert_eq!(host.wait_end().code(), Some(0));
}
