//! Talking to libvirt by its own client, `virsh`, one short call at a time.
//!
//! Each call has a deadline of its own: a hypervisor that hangs must hold up nobody for longer.

use super::xml::Element;
use crate::domain::operation::Fault;
use crate::fs::StorageError;
use crate::host::process::{Finished, Limits, Overflow, Spawn};
use std::ffi::OsString;
use std::path::Path;
use std::time::Duration;

const PROGRAM: &str = "/usr/bin/virsh";
/// An ordinary call takes some 20 ms; starting or defining a large guest may take seconds.
pub(super) const TIMEOUT: Duration = Duration::from_secs(30);
/// Between SIGTERM and SIGKILL: it has nothing to save.
const GRACE: Duration = Duration::from_secs(1);
/// Bytes of a definition. libvirt itself refuses messages above 32 MiB.
const OUTPUT: usize = 32 << 20;
const ERRORS: usize = 64 << 10;

/// One libvirt daemon.
#[derive(Clone, Debug)]
pub(super) struct Virsh {
    pub uri: String,
}

/// What a domain is doing. (virsh domstate; libvirt's virDomainState.)
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// Its guest may write.
    Running,
    /// There is a process, but its guest stands still: paused, or suspended by itself.
    Still,
    /// There is no process: shut off, or crashed.
    Off,
    /// It is being shut down.
    Ending,
}

impl Virsh {
    /// # Errors
    /// [`Fault::Absent`] where libvirt knows no such domain, [`Fault::Transient`] where libvirt is
    /// not reached or does not answer, else [`Fault::Permanent`] with what virsh said.
    pub(super) fn call(&self, args: &[&str], doing: &str) -> Result<String, StorageError> {
        self.call_within(args, doing, TIMEOUT)
    }

    pub(super) fn call_within(
        &self,
        args: &[&str],
        doing: &str,
        timeout: Duration,
    ) -> Result<String, StorageError> {
        self.run(args, Vec::new(), doing, timeout)
    }

    /// With a text that virsh reads as the file `/dev/stdin`.
    pub(super) fn feed(
        &self,
        args: &[&str],
        text: &str,
        doing: &str,
    ) -> Result<String, StorageError> {
        self.run(args, text.as_bytes().to_vec(), doing, TIMEOUT)
    }

    fn run(
        &self,
        args: &[&str],
        stdin: Vec<u8>,
        doing: &str,
        deadline: Duration,
    ) -> Result<String, StorageError> {
        let limits = Limits {
            deadline,
            grace: GRACE,
            stdout: OUTPUT,
            stderr: ERRORS,
            overflow: Overflow::End,
        };
        let mut all: Vec<OsString> = vec!["--quiet".into(), "--connect".into()];
        all.push(self.uri.as_str().into());
        all.extend(args.iter().map(OsString::from));
        let env = vec![("LC_ALL".into(), "C".into())];
        let spawn = Spawn { args: all, env, stdin, ..Spawn::new(Path::new(PROGRAM), limits) };
        match spawn.run() {
            Ok(finished) => judge(finished, doing),
            Err(error) => {
                let why = format!("{error}; the package libvirt-clients has it");
                Err(StorageError::new(Fault::Permanent, doing, why))
            }
        }
    }

    /// The UUID of the domain of this name.
    pub(super) fn uuid(&self, name: &str) -> Result<String, StorageError> {
        let doing = format!("looking for domain {name}");
        let uuid = self.call(&["domuuid", "--domain", name], &doing)?.trim().to_owned();
        // A name of digits only would be taken for the number of a running domain.
        let called = self.call(&["domname", "--domain", &uuid], &doing)?;
        if called.trim() == name {
            return Ok(uuid);
        }
        let why = "libvirt takes this name for a number: rename the domain (virsh domrename)";
        Err(StorageError::new(Fault::Permanent, doing, why))
    }

    pub(super) fn state(&self, domain: &str) -> Result<State, StorageError> {
        let doing = format!("asking for the state of domain {domain}");
        let said = self.call(&["domstate", "--domain", domain], &doing)?;
        Ok(match said.trim() {
            "running" | "idle" | "no state" => State::Running,
            "paused" | "pmsuspended" => State::Still,
            "shut off" | "crashed" => State::Off,
            _ => State::Ending,
        })
    }

    /// The number of its run: another one after each start, `-` while it is off.
    pub(super) fn run_number(&self, domain: &str) -> Result<String, StorageError> {
        let doing = format!("asking for the run of domain {domain}");
        Ok(self.call(&["domid", "--domain", domain], &doing)?.trim().to_owned())
    }

    /// Its definition: as it runs, or as it will start next.
    pub(super) fn definition(&self, domain: &str, next: bool) -> Result<Element, StorageError> {
        let doing = format!("reading the definition of domain {domain}");
        // With its passwords: a display that had one must not come back without.
        let mut args = vec!["dumpxml", "--security-info", "--domain", domain];
        if next {
            args.push("--inactive");
        }
        let text = self.call(&args, &doing)?;
        Element::parse(&text)
            .map_err(|error| StorageError::new(Fault::Permanent, doing, error.to_string()))
    }
}

fn judge(finished: Finished, doing: &str) -> Result<String, StorageError> {
    let fail = |fault, why: String| Err(StorageError::new(fault, doing, why));
    if finished.timed_out {
        let seconds = finished.elapsed.as_secs();
        return fail(Fault::Transient, format!("libvirt gave no answer within {seconds} s"));
    }
    if finished.status.success() && !finished.stdout.truncated {
        return Ok(String::from_utf8_lossy(&finished.stdout.bytes).into_owned());
    }
    let said = plainly(&finished.stderr.first_lines(3));
    fail(fault_of(&said), if said.is_empty() { finished.status.to_string() } else { said })
}

/// Without the words that say only that it is an error.
fn plainly(said: &str) -> String {
    said.replace("internal error: ", "").replace("error: ", "")
}

/// By the words of libvirt's own errors (src/util/virerror.c), which LC_ALL=C keeps as they are.
fn fault_of(said: &str) -> Fault {
    const WORDS: [(&str, Fault); 11] = [
        ("failed to get domain", Fault::Absent),
        ("Domain not found", Fault::Absent),
        ("no domain with matching", Fault::Absent),
        ("failed to connect to the hypervisor", Fault::Transient),
        ("Disconnected from", Fault::Transient),
        ("End of file while reading data", Fault::Transient),
        ("cannot acquire state change lock", Fault::Busy),
        ("another task is running", Fault::Busy),
        ("Failed to get \"write\" lock", Fault::Busy),
        ("No space left on device", Fault::NoSpace),
        ("is not running", Fault::Busy),
    ];
    let found = WORDS.iter().find(|(words, _)| said.contains(words));
    found.map_or(Fault::Permanent, |(_, fault)| *fault)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_virsh_says_is_told_without_its_own_words_for_an_error() {
        let said = "error: Failed to attach | error: internal error: No more available PCI slots";
        assert_eq!(plainly(said), "Failed to attach | No more available PCI slots");
    }

    #[test]
    fn what_virsh_says_tells_whether_to_try_again() {
        let check = |said: &str, want: Fault| assert_eq!(fault_of(said), want, "{said}");
        check("failed to get domain 'web' | Domain not found", Fault::Absent);
        check("failed to connect to the hypervisor | Failed to connect socket", Fault::Transient);
        check("Timed out during operation: cannot acquire state change lock", Fault::Busy);
        check("internal error: No space left on device", Fault::NoSpace);
        check("XML error: unexpected", Fault::Permanent);
    }
}
