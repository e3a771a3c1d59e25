//! Running the helper and believing its answer only if all is right.

use super::WORD;
use super::protocol::{Act, Answer, Order, Reply};
use super::settings::Settings;
use crate::domain::operation::Fault;
use crate::fs::{Progress, StorageError};
use crate::host::helper::helper;
use crate::host::process::{Finished, GRACE, Limits, Overflow, ProcessError, Spawn, User};
use std::os::unix::process::ExitStatusExt;

/// Bytes of an answer, and of complaints.
const PRINTED: usize = 64 * 1024;

/// Lets the helper do something.
///
/// # Errors
/// The helper's own; [`Fault::Transient`] when it was ended from outside, [`Fault::Cancelled`] when
/// it was ended because its answer is not wanted any more.
pub(super) fn ask(
    settings: &Settings,
    user: Option<User>,
    act: Act,
    progress: &dyn Progress,
) -> Result<Answer, StorageError> {
    let doing = format!("examining database {}", settings.path.display());
    let fail = |fault, why: String| Err(StorageError::new(fault, &doing, why));
    let user = user.map(|user| (user.uid, user.gid));
    let stdin = match serde_json::to_vec(&Order { user, check: settings.check, act }) {
        Ok(text) => text,
        Err(error) => return fail(Fault::Permanent, error.to_string()),
    };
    let limits = Limits {
        deadline: settings.deadline,
        grace: GRACE,
        stdout: PRINTED,
        stderr: PRINTED,
        overflow: Overflow::End,
    };
    let spawn = match helper(WORD, settings.helper.as_deref(), limits) {
        Ok(spawn) => Spawn { stdin, ..spawn },
        Err(distrusted) => return fail(Fault::Permanent, distrusted.to_string()),
    };
    match spawn.run_while(Some(&|| progress.is_wanted())) {
        Ok(finished) if finished.stopped => Err(StorageError::unwanted()),
        Ok(finished) => judge(&finished).map_err(|(fault, why)| match why {
            Refusal::Helper(error) => error,
            Refusal::Told(why) => StorageError::new(fault, &doing, why),
        }),
        Err(error @ ProcessError::Relative { .. }) => fail(Fault::Permanent, error.to_string()),
        // A program that is missing is no database that is missing.
        Err(error) => fail(Fault::Transient, error.to_string()),
    }
}

enum Refusal {
    Helper(StorageError),
    Told(String),
}

fn judge(finished: &Finished) -> Result<Answer, (Fault, Refusal)> {
    let told = |fault, why: String| Err((fault, Refusal::Told(why)));
    let seconds = finished.elapsed.as_secs();
    if finished.timed_out {
        let why = format!("not done after {seconds} s, and ended: raise deadline");
        return told(Fault::Transient, why);
    }
    if let Some(signal) = finished.status.signal() {
        return told(Fault::Transient, format!("the helper was ended by signal {signal}"));
    }
    let said = finished.stderr.first_lines(2);
    match serde_json::from_slice::<Reply>(&finished.stdout.bytes) {
        Ok(Ok(answer)) if finished.status.success() => Ok(answer),
        Ok(Err(complaint)) => {
            let error = StorageError::from(complaint);
            Err((error.fault, Refusal::Helper(error)))
        }
        _ => told(
            Fault::Permanent,
            format!("the helper gave no proper answer ({}); it said: {said}", finished.status),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::process::Captured;
    use std::process::ExitStatus;
    use std::time::Duration;

    #[test]
    fn only_a_whole_answer_with_exit_code_0_is_believed() {
        let check = |status, stdout: &str, timed_out, want: Option<Fault>| {
            let captured = |text: &str| Captured { bytes: text.into(), truncated: false };
            let finished = Finished {
                status: ExitStatus::from_raw(status),
                stdout: captured(stdout),
                stderr: captured(""),
                timed_out,
                stopped: false,
                elapsed: Duration::from_secs(1),
            };
            assert_eq!(judge(&finished).err().map(|(fault, _)| fault), want, "{stdout}");
        };
        let good = r#"{"Ok":{"used_bytes":1,"empty":false,"notes":[]}}"#;
        let bad = r#"{"Err":{"fault":"busy","doing":"a","detail":"b"}}"#;
        check(0, good, false, None);
        check(0, bad, false, Some(Fault::Busy));
        check(256, good, false, Some(Fault::Permanent));
        check(0, "", false, Some(Fault::Permanent));
        check(0, &good[..9], false, Some(Fault::Permanent));
        check(9, good, false, Some(Fault::Transient));
        check(0, good, true, Some(Fault::Transient));
    }
}
