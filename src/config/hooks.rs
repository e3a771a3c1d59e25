//! Programs that run before and after a snapshot: plain data, for the daemon to run.

use super::keys::{ARGUMENT_LIMIT, HOOK_LIMIT, HOOKS};
use super::section::{Section, TEXT, describe};
use super::values::{Refusal, absolute, duration, quote};
use figment::value::Value;
use std::path::PathBuf;
use std::time::Duration;

/// Bytes of one argument.
pub(super) const ARGUMENT_BYTES: usize = 4096;
/// How long a hook may run when it does not say.
pub(super) const TIMEOUT: Duration = Duration::from_secs(30);
/// How long a hook may say that it runs.
pub(super) const TIMEOUT_LIMIT: Duration = Duration::from_secs(3_600);

/// The hooks of one resource, each list in the order in which it runs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hooks {
    pub before: Vec<Hook>,
    /// These run whatever became of the snapshot.
    pub after: Vec<Hook>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hook {
    /// Absolute. Who owns it is checked right before it runs.
    pub program: PathBuf,
    pub args: Vec<String>,
    pub timeout: Duration,
    /// What the failure of a before-hook does; always [`OnFailure::Ignore`] for an after-hook.
    pub on_failure: OnFailure,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnFailure {
    /// The snapshot fails.
    Fail,
    /// The snapshot is taken all the same, and the failure noted.
    Ignore,
}

impl Hooks {
    pub(super) fn read(resource: &Section<'_>) -> Self {
        Self {
            before: list(resource, "before", OnFailure::Fail),
            after: list(resource, "after", OnFailure::Ignore),
        }
    }
}

fn list(resource: &Section<'_>, key: &str, on_failure: OnFailure) -> Vec<Hook> {
    let wanted = format!("a list of tables: [[{}]]", resource.path.key(key));
    let entries = resource.list(key, &wanted).unwrap_or_default();
    if entries.len() > HOOK_LIMIT as usize {
        let problem = format!("has {} hooks; at most {HOOK_LIMIT} are run", entries.len());
        resource.find(key, problem, "let one program do the work of several");
    }
    let path = resource.path.key(key);
    let mut hooks = Vec::new();
    for (index, entry) in entries.iter().enumerate() {
        let path = path.index(index);
        match entry {
            Value::Dict(_, table) => {
                hooks.extend(hook(Section::new(resource.report, path, table, HOOKS), on_failure));
            }
            other => {
                let problem = format!("is {}", describe(other));
                resource.report.find(&path, problem, format!("write {wanted}"));
            }
        }
    }
    hooks
}

fn hook(section: Section<'_>, on_failure: OnFailure) -> Option<Hook> {
    let program = section.parsed("program", absolute);
    if !section.has("program") {
        section.find("program", "is missing", "add program = \"/absolute/path\"");
    }
    let args = args(&section);
    let timeout = section.parsed("timeout", timeout).unwrap_or(TIMEOUT);
    let on_failure = match on_failure {
        OnFailure::Fail => section.parsed("on_failure", choice).unwrap_or(OnFailure::Fail),
        OnFailure::Ignore => {
            if section.has("on_failure") {
                let problem = "is only for before-hooks; an after-hook cannot fail the snapshot";
                section.find("on_failure", problem, "remove it");
            }
            OnFailure::Ignore
        }
    };
    section.finish();
    Some(Hook { program: program?, args, timeout, on_failure })
}

fn args(section: &Section<'_>) -> Vec<String> {
    const WANTED: &str = "a list of texts";
    let values = section.list("args", WANTED).unwrap_or_default();
    if values.len() > ARGUMENT_LIMIT as usize {
        let problem = format!("has {} arguments; at most {ARGUMENT_LIMIT} go", values.len());
        section.find("args", problem, "write a script that has them");
    }
    let mut args = Vec::new();
    for (index, value) in values.iter().enumerate() {
        let path = section.path.key("args").index(index);
        match value {
            Value::String(_, text) if text.contains('\0') => {
                section.report.find(&path, "contains a NUL character", "write it without");
            }
            Value::String(_, text) if text.len() > ARGUMENT_BYTES => {
                let problem = format!("has {} bytes; at most {ARGUMENT_BYTES} go", text.len());
                section.report.find(&path, problem, "put it into a file");
            }
            Value::String(_, text) => args.push(text.clone()),
            other => {
                let problem = format!("is {}", describe(other));
                section.report.find(&path, problem, format!("write {TEXT}"));
            }
        }
    }
    args
}

fn timeout(text: &str) -> Result<Duration, Refusal> {
    let timeout = Duration::from_secs(duration(text)?);
    if timeout.is_zero() || timeout > TIMEOUT_LIMIT {
        let problem = format!("\"{text}\" is not between a second and an hour");
        return Err((problem, "write \"1s\" to \"1h\"".into()));
    }
    Ok(timeout)
}

fn choice(text: &str) -> Result<OnFailure, Refusal> {
    match text {
        "fail" => Ok(OnFailure::Fail),
        "ignore" => Ok(OnFailure::Ignore),
        other => {
            let hint = "write \"fail\" or \"ignore\"";
            Err((format!("is the text {}", quote(other)), hint.into()))
        }
    }
}
