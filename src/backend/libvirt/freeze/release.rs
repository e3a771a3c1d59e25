//! Letting a guest go by what is written down.

use super::super::virsh::{State, Virsh};
use super::agent::Agent;
use super::note::{HELD, Note, Notes};
use crate::domain::operation::Fault;
use crate::fs::StorageError;
use std::path::Path;
use std::time::{Duration, Instant};

/// For one command to the agent. A thaw itself takes milliseconds.
const ANSWER: Duration = Duration::from_secs(10);
/// For all tries of thawing together. The agent of a guest that is short of processors may be
/// slow; whoever lets go has nothing better to do.
const TRIES: Duration = Duration::from_secs(60);

/// Between two tries.
const REST: Duration = Duration::from_millis(300);

/// For so long after a pause was asked for, and no answer came, it may still come to pass: libvirt
/// lets an act wait for another one for 30 s (QEMU_JOB_WAIT_TIME), and then gives it up.
const SETTLING: Duration = Duration::from_secs(35);

/// How well it is known what became of a pause that was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pause {
    /// libvirt has answered.
    Answered,
    /// It may be still to come.
    Unsure,
}

/// Lets go whatever `note` says is held, which lies in `notes`; tries for a while, as libvirt may
/// be starting anew. It is held no more when this succeeds, and will not be.
pub(super) fn let_go(notes: &Notes, note: &Note, pause: Pause) -> Result<(), StorageError> {
    let virsh = Virsh { uri: note.uri.clone() };
    let until = Instant::now() + TRIES;
    let mut resumed = patiently(until, || resume(&virsh, note))?;
    // A note of a freeze alone has asked libvirt nothing yet.
    if note.frozen && patiently(until, || is_same_run(&virsh, note))? {
        resumed |= thaw(&virsh, note, until)?;
    }
    if note.paused && pause == Pause::Unsure && !resumed {
        watch(notes, &virsh, note, until)?;
    }
    Ok(())
}

/// Tries until it succeeds or the time is over, once at least.
fn patiently<T>(
    until: Instant,
    act: impl Fn() -> Result<T, StorageError>,
) -> Result<T, StorageError> {
    loop {
        match act() {
            Err(_) if Instant::now() < until => std::thread::park_timeout(REST),
            done => return done,
        }
    }
}

/// Sees that a pause that may still come does not last.
fn watch(notes: &Notes, virsh: &Virsh, note: &Note, until: Instant) -> Result<(), StorageError> {
    let mut settled = Instant::now() + SETTLING;
    // A helper that lives on when its heptad was killed knows more, and clears it.
    let is_noted = || notes.is_of(note).unwrap_or(true);
    while Instant::now() < settled && is_noted() && is_same_run(virsh, note).unwrap_or(true) {
        match resume(virsh, note) {
            // Only one was asked for.
            Ok(true) => break,
            Ok(false) => {}
            Err(error) if Instant::now() >= until => return Err(error),
            // What it has not answered, it may not have begun.
            Err(_) => settled = Instant::now() + SETTLING,
        }
        std::thread::park_timeout(REST);
    }
    Ok(())
}

/// A guest that was stopped or started anew is not held.
fn is_same_run(virsh: &Virsh, note: &Note) -> Result<bool, StorageError> {
    match virsh.run_number(&note.domain) {
        Ok(run) => Ok(run == note.run),
        Err(error) if error.fault == Fault::Absent => Ok(false),
        Err(error) => Err(error),
    }
}

/// Whether it was paused, and is not any more.
fn resume(virsh: &Virsh, note: &Note) -> Result<bool, StorageError> {
    let domain = &note.domain;
    if !note.paused || !is_same_run(virsh, note)? || virsh.state(domain)? != State::Still {
        return Ok(false);
    }
    let resumed = virsh.call(&["resume", "--domain", domain], &format!("resuming domain {domain}"));
    resumed.map(|_| true).map_err(|error| StorageError {
        detail: format!("{}; it is still paused: virsh resume {domain}", error.detail),
        ..error
    })
}

/// Returns whether a pause came in between, and was ended.
fn thaw(virsh: &Virsh, note: &Note, until: Instant) -> Result<bool, StorageError> {
    let agent = Agent { virsh, domain: &note.domain };
    let mut resumed = false;
    loop {
        let thawed = agent.thaw(ANSWER);
        // Windows thaws by itself after 10 s, and the agent then calls a thaw a failure.
        match agent.is_frozen(ANSWER) {
            Ok(false) => return Ok(resumed),
            Ok(true) | Err(_) if Instant::now() < until => {
                // Who is paused answers nothing.
                resumed |= resume(virsh, note).unwrap_or(false);
                std::thread::park_timeout(REST);
            }
            found => {
                let said = thawed.err().or(found.err()).map(|error| error.detail);
                return Err(StorageError::new(
                    Fault::Transient,
                    format!("thawing domain {}", agent.domain),
                    format!(
                        "its agent does not do it ({}); its file systems may still be frozen: try \
                         virsh domfsthaw {}, or virsh reset",
                        said.unwrap_or_default(),
                        agent.domain
                    ),
                ));
            }
        }
    }
}

/// Lets go what a killed heptad and a killed helper left held. Whether there was something.
pub(crate) fn recover(notes: &Notes) -> Result<bool, StorageError> {
    let Some(note) = notes.read::<Note>()? else { return Ok(false) };
    // Nobody is left who heard the answer.
    let_go(notes, &note, Pause::Unsure)?;
    notes.clear()?;
    Ok(true)
}

/// Lets go whatever guests are still written down as held below heptad's state directory, unless
/// the heptad that holds them is alive. Returns what could not be let go.
pub(crate) fn let_go_all(state: &Path) -> Result<Vec<StorageError>, StorageError> {
    let all = Notes::all(state, HELD)?;
    Ok(all.iter().filter_map(|notes| let_go_unheld(notes).err()).collect())
}

/// The same with the guests of one libvirt, and only as well as it can be done.
pub(crate) fn let_go_left(state: &Path, uri: &str) {
    let of_it = |notes: &Notes| matches!(notes.read::<Note>(), Ok(Some(note)) if note.uri == uri);
    for notes in Notes::all(state, HELD).unwrap_or_default().iter().filter(|notes| of_it(notes)) {
        // Whoever holds it next insists.
        let _ = let_go_unheld(notes);
    }
}

fn let_go_unheld(notes: &Notes) -> Result<(), StorageError> {
    match notes.lock_soon()? {
        Some(_mine) => recover(notes).map(|_| ()),
        None => Ok(()),
    }
}
