//! One conversation with a plugin: start it, ask, and believe the answer only if all is right.

use super::protocol::{Ask, Refusal, Request, VERSION, Verb};
use crate::domain::operation::Fault;
use crate::fs::{Progress, StorageError};
use crate::host::process::{Finished, Limits, Overflow, ProcessError, Spawn, plain};
use crate::host::trust::trusted_program;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::time::Duration;

/// Time for the verbs that only look.
const QUICK: Duration = Duration::from_secs(60);
/// Between SIGTERM and SIGKILL: time to remove what is half done.
const GRACE: Duration = Duration::from_secs(10);
/// Bytes of standard error that are read for a message.
const COMPLAINTS: usize = 64 * 1024;
/// Lines of standard error, and characters of a plugin's own message, that are repeated.
const LINES: usize = 5;
const MESSAGE: usize = 2000;

/// How to start it and what it is told each time.
#[derive(Debug)]
pub(super) struct Plugin {
    pub(super) program: PathBuf,
    pub(super) args: Vec<String>,
    /// For the verbs that do something.
    pub(super) deadline: Duration,
    pub(super) resource: String,
    pub(super) options: Map<String, Value>,
}

/// Why an answer is not one.
struct Complaint(Fault, String);

impl Plugin {
    /// Asks, and waits for the answer.
    ///
    /// # Errors
    /// The plugin's own fault; or whatever of the program, its exit and its output is not as the
    /// protocol says, with the first lines of its standard error.
    pub(super) fn ask<T: DeserializeOwned>(
        &self,
        verb: Verb,
        ask: Ask<'_>,
        progress: &dyn Progress,
    ) -> Result<T, StorageError> {
        let request =
            Request { protocol: VERSION, resource: &self.resource, options: &self.options, ask };
        let run = || -> Result<T, Complaint> {
            if !progress.is_wanted() {
                return Err(unwanted());
            }
            let stdin = serde_json::to_vec(&request)
                .map_err(|error| Complaint(Fault::Permanent, error.to_string()))?;
            trusted_program(&self.program)
                .map_err(|error| Complaint(Fault::Permanent, format!("not run: {error}")))?;
            let wanted = || progress.is_wanted();
            let finished = self.spawn(verb, stdin).run_while(Some(&wanted)).map_err(not_run)?;
            judge(&finished).and_then(|answer| read(answer, &finished))
        };
        run().map_err(|Complaint(fault, why)| self.error(verb, fault, why))
    }

    /// # Errors
    /// [`Fault::Permanent`] where the program would not be run.
    pub(super) fn trusted(&self, verb: Verb) -> Result<(), StorageError> {
        let trusted = trusted_program(&self.program);
        trusted.map_err(|why| self.error(verb, Fault::Permanent, why.to_string()))
    }

    pub(super) fn error(&self, verb: Verb, fault: Fault, why: impl Into<String>) -> StorageError {
        let doing = format!("{} of {} by {}", verb.word(), self.resource, self.program.display());
        StorageError::new(fault, doing, why)
    }

    fn spawn(&self, verb: Verb, stdin: Vec<u8>) -> Spawn {
        let deadline = if verb.is_quick() { self.deadline.min(QUICK) } else { self.deadline };
        let limits = Limits {
            deadline,
            grace: GRACE,
            stdout: verb.answer_limit(),
            stderr: COMPLAINTS,
            overflow: Overflow::End,
        };
        let args = self.args.iter().map(String::as_str).chain([verb.word()]);
        let args = args.map(Into::into).collect();
        Spawn { args, stdin, ..Spawn::new(&self.program, limits) }
    }
}

fn unwanted() -> Complaint {
    Complaint(Fault::Cancelled, "it is not wanted any more".into())
}

/// A missing program is not a missing resource, so it never counts as absent.
fn not_run(error: ProcessError) -> Complaint {
    let fault = match &error {
        ProcessError::Relative { .. } => Fault::Permanent,
        ProcessError::Start { source, .. } | ProcessError::Watch { source, .. } => {
            match StorageError::io("", source).fault {
                Fault::Absent => Fault::Permanent,
                fault => fault,
            }
        }
    };
    Complaint(fault, error.to_string())
}

/// The answer's fields, if it is a success in every respect.
fn judge(finished: &Finished) -> Result<Map<String, Value>, Complaint> {
    let seconds = finished.elapsed.as_secs();
    let complaint = |fault, why: String| Complaint(fault, with_stderr(why, finished));
    let complain = |fault, why| Err(complaint(fault, why));
    // Whatever it made of that: what it answered in time stands.
    let answered = finished.status.success() && !finished.stdout.bytes.is_empty();
    if finished.stopped && !answered {
        return Err(unwanted());
    }
    if finished.timed_out {
        return complain(Fault::Transient, format!("not done after {seconds} s, and ended"));
    }
    if finished.stdout.truncated {
        let limit = finished.stdout.bytes.len();
        return complain(Fault::Permanent, format!("its answer is longer than {limit} bytes"));
    }
    let Some(code) = finished.status.code() else {
        let signal = finished.status.signal().unwrap_or_default();
        return complain(Fault::Transient, format!("it was ended by signal {signal}"));
    };
    let answer = match serde_json::from_slice::<Value>(&finished.stdout.bytes) {
        Ok(Value::Object(answer)) => answer,
        Ok(_) => return complain(Fault::Permanent, "its answer is no JSON object".into()),
        Err(error) if code == 0 => {
            return complain(Fault::Permanent, format!("its answer is not JSON ({error})"));
        }
        Err(_) => return complain(Fault::Transient, format!("it failed with exit code {code}")),
    };
    check_version(&answer).map_err(|why| complaint(Fault::Permanent, why))?;
    match answer.get("error").filter(|error| !error.is_null()) {
        Some(error) if code <= 1 => Err(refusal(error, finished)),
        Some(error) => {
            let Complaint(fault, why) = refusal(error, finished);
            Err(Complaint(fault, format!("{why} (exit code {code}, which should be 0 or 1)")))
        }
        None if code == 0 => Ok(answer),
        None => complain(Fault::Permanent, format!("it answered, but with exit code {code}")),
    }
}

/// Every answer may repeat the version; none may claim another.
fn check_version(answer: &Map<String, Value>) -> Result<(), String> {
    match answer.get("protocol") {
        None => Ok(()),
        Some(version) if version.as_u64() == Some(VERSION) => Ok(()),
        Some(other) => Err(format!(
            "it speaks protocol {}, this heptad speaks {VERSION}",
            plain(&other.to_string(), 40)
        )),
    }
}

fn refusal(error: &Value, finished: &Finished) -> Complaint {
    let Ok(refusal) = serde_json::from_value::<Refusal>(error.clone()) else {
        let why = "its error has no fault and message".into();
        return Complaint(Fault::Permanent, with_stderr(why, finished));
    };
    let message = plain(&refusal.message, MESSAGE);
    match refusal.fault() {
        Some(fault) => Complaint(fault, message),
        None => {
            let unknown = plain(&refusal.fault, 40);
            Complaint(Fault::Permanent, format!("{message} (its fault {unknown:?} is none)"))
        }
    }
}

fn read<T: DeserializeOwned>(
    answer: Map<String, Value>,
    finished: &Finished,
) -> Result<T, Complaint> {
    serde_json::from_value(Value::Object(answer)).map_err(|error| {
        let why =
            format!("its answer is not as the protocol says ({})", plain(&error.to_string(), 200));
        Complaint(Fault::Permanent, with_stderr(why, finished))
    })
}

fn with_stderr(why: String, finished: &Finished) -> String {
    let said = finished.stderr.first_lines(LINES);
    if said.is_empty() { why } else { format!("{why}; it said: {said}") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::process::Captured;
    use std::process::ExitStatus;

    /// `status` as wait(2) gives it: the exit code times 256, or the signal.
    fn finished(status: i32, stdout: &str) -> Finished {
        let captured = |text: &str| Captured { bytes: text.into(), truncated: false };
        Finished {
            status: ExitStatus::from_raw(status),
            stdout: captured(stdout),
            stderr: captured("Traceback\n  at line 7\n"),
            timed_out: false,
            stopped: false,
            elapsed: Duration::from_secs(3),
        }
    }

    fn refused(finished: &Finished) -> (Fault, String) {
        let Err(Complaint(fault, why)) = judge(finished) else { panic!("{finished:?} passed") };
        (fault, why)
    }

    #[test]
    fn only_a_whole_answer_with_exit_code_0_is_a_success() {
        let check = |status, stdout: &str, fault, want: &str| {
            let (found, why) = refused(&finished(status, stdout));
            assert_eq!(found, fault, "{stdout}: {why}");
            assert!(why.contains(want), "{stdout}: {why}");
        };
        for answer in ["{}", " {\"x\": [1, {\"y\": null}]}\n", "{\"protocol\": 1, \"error\": null}"]
        {
            assert!(judge(&finished(0, answer)).is_ok(), "{answer}");
        }
        use Fault::{Busy, Identity, Permanent, Transient};
        check(0, "", Permanent, "not JSON");
        check(0, "ok", Permanent, "it said: Traceback | at line 7");
        check(0, "{\"snapshots\": [{}", Permanent, "not JSON");
        check(0, "{} {}", Permanent, "not JSON");
        check(0, "[]", Permanent, "no JSON object");
        check(0, "{\"protocol\": 2}", Permanent, "speaks protocol 2, this heptad speaks 1");
        check(0, "{\"protocol\": \"1\"}", Permanent, "speaks protocol");
        check(256, "{}", Permanent, "with exit code 1");
        check(256, "", Transient, "failed with exit code 1; it said: Traceback");
        check(9, "{}", Transient, "ended by signal 9");
        check(0, r#"{"error": {"fault": "busy", "message": "held"}}"#, Busy, "held");
        check(256, r#"{"error": {"fault": "identity", "message": "else"}}"#, Identity, "else");
        check(512, r#"{"error": {"fault": "busy", "message": "held"}}"#, Busy, "exit code 2");
        check(0, r#"{"error": {"fault": "hook", "message": "m"}}"#, Permanent, "\"hook\" is none");
        check(0, r#"{"error": "no"}"#, Permanent, "no fault and message");
        let stopped = Finished { stopped: true, ..finished(15, "") };
        assert_eq!(refused(&stopped).0, Fault::Cancelled);
        let tidied = Finished { stopped: true, ..finished(256, "{}") };
        assert_eq!(refused(&tidied).0, Fault::Cancelled);
        assert!(judge(&Finished { stopped: true, ..finished(0, "{}") }).is_ok(), "in time");
        let late = Finished { timed_out: true, ..finished(0, "{}") };
        assert_eq!(refused(&late).0, Transient);
        let mut long = finished(0, "{}");
        long.stdout.truncated = true;
        assert_eq!(refused(&long).0, Permanent);
    }
}
