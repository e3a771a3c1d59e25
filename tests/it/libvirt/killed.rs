//! SIGKILL in the middle of each step of a snapshot: no guest stays frozen or paused, and after the
//! next start nothing half made is left.

use super::scene::{DOMAIN, Scene, wait};
use crate::daemon::host::{Host, at};
use heptad::api::wire::OperationState;
use heptad::host::helper::is_helper;
use rustix::fs::FlockOperation;
use rustix::process::{Pid, Signal, kill_process};
use std::path::PathBuf;

/// A guest, and a heptad that protects it.
struct Ward {
    scene: Scene,
    host: Host,
    taken: u32,
}

/// How far a snapshot has come.
#[derive(Clone, Copy, Debug)]
enum Step {
    /// About to freeze.
    Freezing,
    /// About to pause, while frozen.
    Pausing,
    /// The first disk is there.
    First,
    /// Both are.
    Both,
    /// It was let go; the images are looked at.
    Released,
}

const STEPS: [Step; 5] = [Step::Freezing, Step::Pausing, Step::First, Step::Both, Step::Released];

impl Ward {
    fn new(fs: &str) -> Self {
        Self::with(fs, "")
    }

    /// With one more line about the instance.
    fn with(fs: &str, line: &str) -> Self {
        let scene = Scene::running(fs, "");
        let host = Host::new(&at(1, "12:00"));
        host.configure(&(scene.configuration() + line));
        Self { scene, host, taken: 0 }
    }

    /// What is written down of the guest: there is only one.
    fn note(&self) -> String {
        let Ok(entries) = std::fs::read_dir(self.host.path("state/held")) else {
            return String::new();
        };
        let paths = entries.flatten().map(|entry| entry.path());
        let mut notes = paths.filter(|path| !path.to_str().unwrap().ends_with(['~', '.']));
        notes.find_map(|path| std::fs::read_to_string(path).ok()).unwrap_or_default()
    }

    fn partial(&self) -> Option<PathBuf> {
        let entries = std::fs::read_dir(self.scene.at("store/web")).ok()?;
        let mut paths = entries.flatten().map(|entry| entry.path());
        paths.find(|path| path.extension().is_some_and(|ending| ending == "partial"))
    }

    fn has_come_to(&self, step: Step) -> bool {
        let disk =
            |name: &str| self.partial().is_some_and(|at| at.join("disks").join(name).exists());
        match step {
            Step::Freezing => self.note().contains("\"frozen\":true"),
            Step::Pausing => self.note().contains("\"paused\":true"),
            Step::First => disk("vda.qcow2"),
            Step::Both => disk("vdb.raw"),
            Step::Released => disk("vdb.raw") && self.note().is_empty(),
        }
    }

    /// Begins a snapshot and stops heptad in its tracks as soon as it has come to a step.
    fn stop_at(&mut self, step: Step) {
        self.host.start();
        self.host.settle();
        self.taken += 1;
        self.host.ok(&format!("take web before-{} --no-wait", self.taken));
        wait(|| self.has_come_to(step), &format!("{step:?}"));
        self.host.signal(Signal::STOP);
    }

    /// The helper of the heptad that runs.
    fn helper(&self) -> Option<Pid> {
        let tasks = std::fs::read_dir(format!("/proc/{}/task", self.host.pid())).unwrap();
        let children = tasks.flatten().flat_map(|task| {
            let children = std::fs::read_to_string(task.path().join("children"));
            let children = children.unwrap_or_default();
            children.split_whitespace().map(str::to_owned).collect::<Vec<_>>()
        });
        let mut children = children.filter(|child| {
            let line = std::fs::read(format!("/proc/{child}/cmdline")).unwrap_or_default();
            is_helper(&line, "libvirt")
        });
        Pid::from_raw(children.next()?.parse().unwrap())
    }

    fn free(&self, when: &str) {
        wait(|| self.scene.is_free(), &format!("the guest is let go {when}"));
    }

    /// Waits for what a killed heptad was about to start: until that is another program, or has
    /// noticed, it has heptad's lock.
    fn unlocked(&self) {
        let lock = std::fs::File::open(self.host.path("state/lock")).unwrap();
        wait(
            || rustix::fs::flock(&lock, FlockOperation::NonBlockingLockShared).is_ok(),
            "the lock",
        );
    }

    /// After a new start there is nothing half made, and a snapshot can be taken.
    fn recovers(&mut self, step: Step) {
        self.unlocked();
        self.host.start();
        self.host.settle();
        self.free(&format!("after a new start, {step:?}"));
        // A pause that may still have been to come is waited for.
        wait(|| self.note().is_empty(), &format!("the note, {step:?}"));
        assert_eq!(self.partial(), None, "{step:?}");
        self.host.stop();
    }
}

#[test]
fn a_killed_heptad_leaves_its_helper_to_let_the_guest_go() {
    let mut ward = Ward::new("xfs");
    for step in STEPS {
        ward.stop_at(step);
        ward.host.kill();
        ward.free(&format!("by the helper, {step:?}"));
        ward.recovers(step);
    }
    ward.host.start();
    ward.host.ok("take web at-last");
}

#[test]
fn when_the_helper_is_killed_too_the_next_heptad_lets_the_guest_go() {
    let mut ward = Ward::new("xfs");
    let mut held = 0;
    for step in STEPS {
        ward.stop_at(step);
        if let Some(helper) = ward.helper() {
            let _ = kill_process(helper, Signal::KILL);
        }
        ward.host.kill();
        held += u32::from(!ward.note().is_empty() && !ward.scene.is_free());
        ward.recovers(step);
    }
    assert!(held > 0, "nobody was left held: then this shows nothing");
    ward.host.start();
    ward.host.ok("take web at-last");
}

#[test]
fn when_the_helper_alone_is_killed_heptad_lets_the_guest_go_and_calls_the_snapshot_failed() {
    let mut ward = Ward::new("xfs");
    ward.stop_at(Step::Pausing);
    let helper = ward.helper().expect("it is there");
    kill_process(helper, Signal::KILL).unwrap();
    ward.host.signal(Signal::CONT);
    ward.free("by heptad");
    ward.host.settle();
    assert!(!ward.scene.at("store/web/1").exists(), "it is no snapshot of one moment");
    ward.host.ok("take web at-last");
}

#[test]
fn a_copy_that_qemu_is_at_is_ended_when_heptad_was_killed() {
    let mut ward = Ward::new("ext4");
    ward.stop_at(Step::First);
    ward.host.kill();
    ward.free("by the helper");
    ward.recovers(Step::First);
    let job = ward.scene.libvirtd.virsh(&["domjobinfo", DOMAIN]);
    assert!(job.contains("None"), "{job}");
    ward.host.start();
    ward.host.ok("take web at-last");
}

#[test]
fn a_heptad_that_hangs_holds_the_guest_no_longer_than_the_deadline() {
    let mut ward = Ward::with("xfs", "hold = 3\n");
    ward.stop_at(Step::Pausing);
    ward.free("at the deadline");
    ward.host.signal(Signal::CONT);
    ward.host.settle();
    assert!(!ward.scene.at("store/web/1").exists(), "it is no snapshot of one moment");
    ward.host.ok("take web at-last");
}

#[test]
fn a_helper_that_is_told_to_stop_lets_the_guest_go_first() {
    let mut ward = Ward::new("xfs");
    ward.stop_at(Step::Pausing);
    kill_process(ward.helper().expect("it is there"), Signal::TERM).unwrap();
    ward.free("by the helper");
    ward.host.signal(Signal::CONT);
    ward.host.settle();
    assert!(!ward.scene.at("store/web/1").exists(), "it is no snapshot of one moment");
    ward.host.ok("take web at-last");
}

/// Killed when the new instance is declared, and its attached disk is not yet.
fn killed_while_declaring(host: &mut Host, scene: &Scene) -> String {
    for n in 1..=20 {
        let name = format!("copy-{n}");
        let declared = |name: &str| host.path(&format!("state/enrolled/{name}.toml"));
        let (file, of_disk) = (declared(&name), declared(&format!("{name}-vdb")));
        let path = scene.at(&name).display().to_string();
        host.ok(&format!("create {name} --from before --path {path} --no-wait"));
        let until = std::time::Instant::now() + std::time::Duration::from_secs(60);
        while !file.exists() {
            assert!(std::time::Instant::now() < until, "{name} is not made: {}", host.log());
            std::thread::yield_now();
        }
        host.kill();
        if !of_disk.exists() {
            return name;
        }
        host.start();
        host.settle();
    }
    panic!("it was never killed in the middle");
}

#[test]
fn a_new_instance_is_known_after_a_kill_although_its_original_is_declared_otherwise_since() {
    let scene = Scene::off("xfs", "");
    let mut host = Host::new(&at(1, "12:00"));
    host.configure(&scene.configuration());
    host.start();
    host.ok("take web before");
    let name = killed_while_declaring(&mut host, &scene);
    let head = "[resource.web]\nkeep = 3\ntags = { team = \"shop\" }\n";
    host.configure(&scene.configuration().replacen("[resource.web]\n", head, 1));
    host.start();
    host.settle();
    let made = host.newest_operation("web", "create");
    assert_eq!(made.state, OperationState::Succeeded, "{made:?}");
    for known in [name.clone(), format!("{name}-vdb")] {
        assert_eq!(host.ctl(&format!("show {known}")).code, 0, "{known}");
    }
    assert_eq!(host.get("/v1/resources/web")["resource"]["retention"]["latest"], 3);
}
