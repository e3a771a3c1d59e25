//! Hooks around an act, with real programs.

use crate::support::trusted;
use heptad::daemon::hooks::{self, Hook, Hooks, OUTPUT_LIMIT, Occasion, OnFailure};
use heptad::domain::operation::{Failure, Fault};
use heptad::domain::snapshot::Seq;
use std::path::PathBuf;
use std::time::Duration;
use tempfile::TempDir;

/// Each script of a test leaves a line in `log`.
struct Scene {
    dir: TempDir,
}

impl Scene {
    fn new() -> Self {
        Self { dir: trusted::dir() }
    }

    fn hook(&self, name: &str, script: &str) -> Hook {
        let log = self.dir.path().join("log");
        let text = format!("#!/bin/sh\nLOG={}\n{script}\n", log.display());
        Hook {
            program: trusted::script(&self.dir, name, &text),
            args: vec![name.into(), "two words".into()],
            deadline: Duration::from_secs(60),
            on_failure: OnFailure::Fail,
        }
    }

    /// Logs its name and outcome, then does `script`.
    fn logging(&self, name: &str, script: &str) -> Hook {
        self.hook(name, &format!("echo \"$1 $HEPTAD_OUTCOME\" >> $LOG\n{script}"))
    }

    fn log(&self) -> Vec<String> {
        let text = std::fs::read_to_string(self.dir.path().join("log")).unwrap_or_default();
        text.lines().map(|line| line.trim().to_owned()).collect()
    }

    fn around(
        &self,
        hooks: &Hooks,
        act: impl FnOnce() -> Result<u32, Failure>,
    ) -> (Result<u32, Failure>, String) {
        self.around_while(hooks, &|| true, act)
    }

    fn around_while(
        &self,
        hooks: &Hooks,
        wanted: &dyn Fn() -> bool,
        act: impl FnOnce() -> Result<u32, Failure>,
    ) -> (Result<u32, Failure>, String) {
        let slot = Some("2026-11-22".parse().unwrap());
        let resource = "notes".parse().unwrap();
        let occasion =
            Occasion { resource: &resource, snapshot: "notes@2026-11-22", seq: Seq(7), slot };
        hooks::around(hooks, &occasion, wanted, || {
            std::fs::write(self.dir.path().join("acted"), "").unwrap();
            act()
        })
    }

    fn acted(&self) -> bool {
        self.dir.path().join("acted").exists()
    }
}

#[test]
fn hooks_run_in_order_before_and_in_reverse_after() {
    let scene = Scene::new();
    let hooks = Hooks {
        before: vec![scene.logging("b1", "echo out; echo err >&2"), scene.logging("b2", "")],
        after: vec![scene.logging("a1", ""), scene.logging("a2", "printf last")],
    };
    let (result, output) = scene.around(&hooks, || Ok(5));
    assert_eq!(result, Ok(5));
    assert_eq!(scene.log(), ["b1", "b2", "a2 complete", "a1 complete"]);
    let dir = scene.dir.path().display();
    let want = format!(
        "before {dir}/b1: done\nout\nerr\nbefore {dir}/b2: done\nafter {dir}/a2: done\nlast\n\
         after {dir}/a1: done\n"
    );
    assert_eq!(output, want);
}

#[test]
fn a_failing_before_hook_forbids_the_act_unless_ignored_and_after_hooks_still_run() {
    let scene = Scene::new();
    let bad = scene.logging("bad", "echo 'no space on tape' >&2; exit 3");
    let mut hooks = Hooks {
        before: vec![bad, scene.logging("never", "")],
        after: vec![scene.logging("after", "echo \"$HEPTAD_MESSAGE\"")],
    };
    let (result, output) = scene.around(&hooks, || Ok(5));
    let failure = result.unwrap_err();
    assert_eq!(failure.fault, Fault::Hook);
    let want = "/bad: exit status: 3; it said: no space on tape";
    assert!(failure.message.ends_with(want), "{failure}");
    assert!(output.contains(&failure.message["before-hook ".len()..]), "{output}");
    assert_eq!(scene.log(), ["bad", "after failed"]);
    assert!(!scene.acted());

    hooks.before[0].on_failure = OnFailure::Ignore;
    assert_eq!(scene.around(&hooks, || Ok(5)).0, Ok(5));
    assert_eq!(scene.log()[2..], ["bad", "never", "after complete"]);
}

#[test]
fn after_hooks_run_when_the_act_fails_or_panics_and_their_own_failure_harms_nothing() {
    let scene = Scene::new();
    let after = vec![scene.logging("a1", "exit 1"), scene.logging("a2", "kill -9 $$")];
    let hooks = Hooks { before: vec![], after };
    let failure = Failure::new(Fault::NoSpace, "the disk\nis full");
    let (result, _) = scene.around(&hooks, || Err(failure.clone()));
    assert_eq!(result, Err(failure));

    let (result, _) = scene.around(&hooks, || panic!("index out of bounds"));
    let failure = result.unwrap_err();
    assert_eq!(failure.fault, Fault::Permanent);
    assert!(failure.message.contains("a bug in heptad"), "{failure}");
    assert!(failure.message.contains("index out of bounds"), "{failure}");

    let (result, output) = scene.around(&hooks, || Ok(5));
    assert_eq!(result, Ok(5));
    assert!(output.contains("/a1: exit status: 1\n"), "{output}");
    assert!(output.contains("/a2: signal: 9 (SIGKILL)\n"), "{output}");
    let (failed, complete) = (["a2 failed", "a1 failed"], ["a2 complete", "a1 complete"]);
    assert_eq!(scene.log(), [failed, failed, complete].concat());
}

#[test]
fn a_hook_is_told_what_happens_and_nothing_else() {
    let scene = Scene::new();
    let tell = scene.hook("tell", "echo \"$@\"; /usr/bin/env -u PWD -u _ -u LC_ALL -u PATH | sort");
    let hooks = Hooks { before: vec![tell.clone()], after: vec![tell] };
    let (_, output) =
        scene.around(&hooks, || Err::<u32, _>(Failure::new(Fault::Busy, "held\nby sync")));
    let lines: Vec<&str> = output.lines().collect();
    let common = ["HEPTAD_RESOURCE=notes", "HEPTAD_SEQ=7", "HEPTAD_SLOT=2026-11-22"];
    let before: Vec<&str> = [
        &["tell two words", "HEPTAD_PHASE=before"][..],
        &common[..],
        &["HEPTAD_SNAPSHOT=notes@2026-11-22"],
    ]
    .concat();
    assert_eq!(lines[1..7], before, "{output}");
    let told = ["HEPTAD_MESSAGE=held by sync", "HEPTAD_OUTCOME=failed", "HEPTAD_PHASE=after"];
    assert_eq!(lines[9..12], told, "{output}");
}

#[test]
fn hooks_have_limits() {
    let scene = Scene::new();
    let hanging = Hook {
        deadline: Duration::from_millis(300),
        ..scene.hook("hang", "echo begun; exec sleep 600")
    };
    let hooks = Hooks { before: vec![hanging], after: vec![] };
    let (result, output) = scene.around(&hooks, || Ok(5));
    let message = result.unwrap_err().message;
    assert!(message.contains("/hang: not done after "), "{message}");
    assert!(output.contains("begun"), "{output}");

    let loud = scene.hook("loud", "head -c 10000000 /dev/zero | tr '\\0' x; exit 0");
    let hooks = Hooks { before: vec![loud.clone()], after: vec![loud] };
    let (result, output) = scene.around(&hooks, || Ok(5));
    assert_eq!(result, Ok(5));
    assert!(output.len() <= OUTPUT_LIMIT + 1000 && output.ends_with("/loud: done\n[cut here]\n"));
}

#[test]
fn a_hook_that_others_could_change_is_not_run() {
    use std::os::unix::fs::PermissionsExt;
    let scene = Scene::new();
    let hook = scene.logging("open", "");
    std::fs::set_permissions(&hook.program, PermissionsExt::from_mode(0o777)).unwrap();
    let hooks = Hooks { before: vec![hook.clone()], after: vec![hook] };
    let (result, output) = scene.around(&hooks, || Ok(5));
    let message = result.unwrap_err().message;
    assert!(message.contains("not run: ") && message.contains("chmod go-w"), "{message}");
    assert!(output.contains("after ") && scene.log().is_empty(), "{output}");

    let missing = Hook { program: PathBuf::from("/no/such/hook"), ..hooks.before[0].clone() };
    let hooks = Hooks { before: vec![missing], after: vec![] };
    assert_eq!(scene.around(&hooks, || Ok(5)).0.unwrap_err().fault, Fault::Hook);
    assert!(!scene.acted());
}

#[test]
fn a_before_hook_of_what_is_not_wanted_any_more_is_ended_and_the_after_hooks_undo_their_part() {
    let scene = Scene::new();
    let begun = scene.dir.path().join("begun");
    let script = format!("touch {}; sleep 600", begun.display());
    let ignored = Hook { on_failure: OnFailure::Ignore, ..scene.logging("long", &script) };
    let hooks = Hooks {
        before: vec![ignored, scene.logging("next", "")],
        after: vec![scene.logging("after", "")],
    };
    let (result, output) = scene.around_while(&hooks, &|| !begun.exists(), || Ok(5));
    assert_eq!(result.unwrap_err().fault, Fault::Cancelled);
    assert!(!scene.acted());
    assert_eq!(scene.log(), ["long", "after failed"]);
    assert!(output.contains("not wanted any more"), "{output}");
}
