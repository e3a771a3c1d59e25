//! Programs of the administrator's around a snapshot: before-hooks may forbid it, after-hooks
//! clean up and so run whatever happened.

use crate::domain::name::ResourceName;
use crate::domain::operation::{Failure, Fault};
use crate::domain::slot::Slot;
use crate::domain::snapshot::Seq;
use crate::host::process::{Captured, Finished, Limits, Overflow, ProcessError, Spawn, plain};
use crate::host::trust::{Distrust, trusted_program};
use std::ffi::OsString;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::time::Duration;

/// Bytes that are kept of what all hooks of one act print together.
pub const OUTPUT_LIMIT: usize = 64 * 1024;
/// Time for a hook to undo its work after SIGTERM.
const GRACE: Duration = Duration::from_secs(10);
/// Lines of standard error in a failure's message, and characters of a message in a variable.
const LINES: usize = 3;
const MESSAGE: usize = 2000;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hook {
    /// An absolute path; trusted as [`trusted_program`] says.
    pub program: PathBuf,
    pub args: Vec<String>,
    pub deadline: Duration,
    /// Only a before-hook's counts: an after-hook can undo no snapshot.
    pub on_failure: OnFailure,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnFailure {
    #[default]
    Fail,
    Ignore,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hooks {
    /// Run in this order; the first that fails ends it.
    pub before: Vec<Hook>,
    /// Run in reverse order, so that the lists can be written in pairs.
    pub after: Vec<Hook>,
}

/// What hooks are told in their environment.
#[derive(Clone, Debug)]
pub struct Occasion<'a> {
    pub resource: &'a ResourceName,
    /// How a person would name the snapshot: its name, or `RESOURCE@SLOT`.
    pub snapshot: &'a str,
    pub seq: Seq,
    /// None for one taken by hand.
    pub slot: Option<Slot>,
}

/// Why a hook failed.
#[derive(Debug, thiserror::Error)]
enum HookError {
    #[error("not run: {0}")]
    Distrust(#[from] Distrust),
    #[error("{0}")]
    Process(#[from] ProcessError),
    #[error("not done after {seconds} s, and ended")]
    Late { seconds: u64 },
    #[error("ended, as the snapshot is not wanted any more")]
    Unwanted,
    #[error("{status}{said}")]
    Status { status: std::process::ExitStatus, said: String },
}

/// Runs before-hooks, `act`, after-hooks. Returns what came of the act, and what the hooks printed
/// with each program's name, for the operation's record.
///
/// Without success of every before-hook (unless its failure is ignored) the act does not happen
/// and the failure is [`Fault::Hook`]. A panic of the act becomes a failure, so that after-hooks
/// run even then; an after-hook's own failure is only in the output.
///
/// A before-hook is ended as soon as the act is not `wanted` any more; after-hooks never are.
pub fn around<T>(
    hooks: &Hooks,
    occasion: &Occasion<'_>,
    wanted: &dyn Fn() -> bool,
    act: impl FnOnce() -> Result<T, Failure>,
) -> (Result<T, Failure>, String) {
    let mut output = Output::new();
    let result = before(hooks, occasion, wanted, &mut output).and_then(|()| caught(act));
    run_after(hooks, occasion, result.as_ref().err(), &mut output);
    (result, output.text)
}

/// The after-hooks alone, for an act that a crash cut short. Returns what they printed.
pub fn after(hooks: &Hooks, occasion: &Occasion<'_>, failure: &Failure) -> String {
    let mut output = Output::new();
    run_after(hooks, occasion, Some(failure), &mut output);
    output.text
}

fn before(
    hooks: &Hooks,
    occasion: &Occasion<'_>,
    wanted: &dyn Fn() -> bool,
    output: &mut Output,
) -> Result<(), Failure> {
    for hook in &hooks.before {
        let told = Told { phase: "before", variables: vec![("HEPTAD_PHASE", "before".into())] };
        let ended = run(hook, occasion, told, Some(wanted), output);
        if !wanted() {
            return Err(Failure::new(Fault::Cancelled, "it is not wanted any more"));
        }
        let Err(error) = ended else { continue };
        if hook.on_failure == OnFailure::Fail {
            let message = format!("before-hook {}: {error}", hook.program.display());
            return Err(Failure::new(Fault::Hook, message));
        }
    }
    Ok(())
}

fn run_after(
    hooks: &Hooks,
    occasion: &Occasion<'_>,
    failure: Option<&Failure>,
    output: &mut Output,
) {
    for hook in hooks.after.iter().rev() {
        let outcome = if failure.is_some() { "failed" } else { "complete" };
        let mut variables =
            vec![("HEPTAD_PHASE", "after".into()), ("HEPTAD_OUTCOME", outcome.into())];
        if let Some(failure) = failure {
            variables.push(("HEPTAD_MESSAGE", plain(&failure.message, MESSAGE)));
        }
        // Its failure stands in the output, where `run` put it.
        let _ = run(hook, occasion, Told { phase: "after", variables }, None, output);
    }
}

fn caught<T>(act: impl FnOnce() -> Result<T, Failure>) -> Result<T, Failure> {
    catch_unwind(AssertUnwindSafe(act)).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no message");
        let message =
            format!("a bug in heptad stopped it, please report: {}", plain(text, MESSAGE));
        Err(Failure::new(Fault::Permanent, message))
    })
}

/// What one hook is run for.
struct Told {
    phase: &'static str,
    variables: Vec<(&'static str, String)>,
}

fn run(
    hook: &Hook,
    occasion: &Occasion<'_>,
    told: Told,
    wanted: Option<&dyn Fn() -> bool>,
    output: &mut Output,
) -> Result<(), HookError> {
    let phase = told.phase;
    let started = start(hook, occasion, told.variables, wanted);
    let (printed, ended) = match started {
        Ok(finished) => {
            let ended = judge(&finished);
            (Some(finished), ended)
        }
        Err(error) => (None, Err(error)),
    };
    let how = ended.as_ref().map_or_else(ToString::to_string, |()| "done".into());
    output.add_line(&format!("{phase} {}: {how}", hook.program.display()));
    if let Err(why) = &ended {
        // One that stops the act is told as its failure.
        let stops = phase == "before" && hook.on_failure == OnFailure::Fail;
        if !stops && !matches!(why, HookError::Unwanted) {
            let (resource, snapshot) = (occasion.resource, occasion.snapshot);
            let program = hook.program.display();
            tracing::warn!(%resource, snapshot, %program, reason = %why,
                "{resource}: {phase}-hook {program} of {snapshot} failed, which changes nothing for \
                 the snapshot: {why}");
        }
    }
    if let Some(finished) = printed {
        output.add_stream(&finished.stdout);
        output.add_stream(&finished.stderr);
    }
    ended
}

fn start(
    hook: &Hook,
    occasion: &Occasion<'_>,
    variables: Vec<(&str, String)>,
    wanted: Option<&dyn Fn() -> bool>,
) -> Result<Finished, HookError> {
    trusted_program(&hook.program)?;
    let mut env = vec![
        ("HEPTAD_RESOURCE", occasion.resource.to_string()),
        ("HEPTAD_SNAPSHOT", occasion.snapshot.into()),
        ("HEPTAD_SEQ", occasion.seq.to_string()),
    ];
    env.extend(occasion.slot.map(|slot| ("HEPTAD_SLOT", slot.to_string())));
    env.extend(variables);
    let limits = Limits {
        deadline: hook.deadline,
        grace: GRACE,
        stdout: OUTPUT_LIMIT,
        stderr: OUTPUT_LIMIT,
        overflow: Overflow::Discard,
    };
    let spawn = Spawn {
        args: hook.args.iter().map(OsString::from).collect(),
        env: env.into_iter().map(|(key, value)| (key.into(), value.into())).collect(),
        ..Spawn::new(&hook.program, limits)
    };
    Ok(spawn.run_while(wanted)?)
}

fn judge(finished: &Finished) -> Result<(), HookError> {
    if finished.stopped {
        return Err(HookError::Unwanted);
    }
    if finished.timed_out {
        return Err(HookError::Late { seconds: finished.elapsed.as_secs() });
    }
    if finished.status.success() {
        return Ok(());
    }
    let said = finished.stderr.first_lines(LINES);
    let said = if said.is_empty() { said } else { format!("; it said: {said}") };
    Err(HookError::Status { status: finished.status, said })
}

/// How each hook ended, always; and what the hooks printed, up to [`OUTPUT_LIMIT`].
struct Output {
    text: String,
    left: usize,
}

impl Output {
    fn new() -> Self {
        Self { text: String::new(), left: OUTPUT_LIMIT }
    }

    fn add_line(&mut self, line: &str) {
        self.text.push_str(line);
        self.text.push('\n');
    }

    fn add_stream(&mut self, captured: &Captured) {
        let text = captured.text();
        let text = text.trim_end_matches('\n');
        let fits = text.len() <= self.left;
        let end = (0..=text.len().min(self.left)).rev().find(|end| text.is_char_boundary(*end));
        let kept = &text[..end.unwrap_or(0)];
        self.left -= kept.len();
        if !kept.is_empty() {
            self.add_line(kept);
        }
        if !fits || captured.truncated {
            self.add_line("[cut here]");
        }
    }
}
