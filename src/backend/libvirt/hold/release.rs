//! Letting a guest go by what is written down.

use super::super::super::BackendError;
use super::super::virsh::{State, Virsh};
use super::agent::Agent;
use super::note::{HELD, Note, Notes};
use crate::domain::operation::Fault;
use std::path::Path;
use std::time::{Duration, Instant};

/// For one command to the agent. A thaw itself takes milliseconds.
const ANSWER: Duration = Duration::from_secs(10);
/// For all tries of thawing together. The agent of a guest that is short of processors may be
/// slow; whoever lets go has nothing better to do.
const TRIES: Duration = Duration::from_secs(60);

/// Between two tries.
const REST: Duration = Duration::from_millis(300);

/// Lets go whatever `note` says is held; tries for a while, as libvirt may be starting anew. It is
/// held no more when this succeeds.
pub fn let_go(note: &Note) -> Result<(), BackendError> {
    let virsh = Virsh { uri: note.uri.clone() };
    let until = Instant::now() + TRIES;
    while let Err(error) = resume(&virsh, note) {
        if Instant::now() >= until {
            return Err(error);
        }
        std::thread::park_timeout(REST);
    }
    if note.frozen && is_same_run(&virsh, note)? {
        thaw(&Agent { virsh: &virsh, domain: &note.domain }, until)?;
    }
    Ok(())
}

/// A guest that was stopped or started anew is not held.
fn is_same_run(virsh: &Virsh, note: &Note) -> Result<bool, BackendError> {
    match virsh.run_number(&note.domain) {
        Ok(run) => Ok(run == note.run),
        Err(error) if error.fault == Fault::Absent => Ok(false),
        Err(error) => Err(error),
    }
}

fn resume(virsh: &Virsh, note: &Note) -> Result<(), BackendError> {
    let domain = &note.domain;
    if !is_same_run(virsh, note)? || !note.paused || virsh.state(domain)? != State::Still {
        return Ok(());
    }
    let resumed = virsh.call(&["resume", "--domain", domain], &format!("resuming domain {domain}"));
    resumed.map(|_| ()).map_err(|error| BackendError {
        detail: format!("{}; it is still paused: virsh resume {domain}", error.detail),
        ..error
    })
}

fn thaw(agent: &Agent<'_>, until: Instant) -> Result<(), BackendError> {
    loop {
        let thawed = agent.thaw(ANSWER);
        // Windows thaws by itself after 10 s, and the agent then calls a thaw a failure.
        match agent.is_frozen(ANSWER) {
            Ok(false) => return Ok(()),
            Ok(true) | Err(_) if Instant::now() < until => std::thread::park_timeout(REST),
            found => {
                let said = thawed.err().or(found.err()).map(|error| error.detail);
                return Err(BackendError::new(
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
pub fn recover(notes: &Notes) -> Result<bool, BackendError> {
    let Some(note) = notes.read::<Note>()? else { return Ok(false) };
    let_go(&note)?;
    notes.clear()?;
    Ok(true)
}

/// Lets go whatever guests are still written down as held below heptad's state directory, unless
/// the heptad that holds them is alive. Returns what could not be let go.
pub fn let_go_all(state: &Path) -> Result<Vec<BackendError>, BackendError> {
    let all = Notes::all(state, HELD)?;
    Ok(all.iter().filter_map(|notes| let_go_unheld(notes).err()).collect())
}

/// The same with the guests of one libvirt, and only as well as it can be done.
pub fn let_go_left(state: &Path, uri: &str) {
    let of_it = |notes: &Notes| matches!(notes.read::<Note>(), Ok(Some(note)) if note.uri == uri);
    for notes in Notes::all(state, HELD).unwrap_or_default().iter().filter(|notes| of_it(notes)) {
        // Whoever holds it next insists.
        let _ = let_go_unheld(notes);
    }
}

fn let_go_unheld(notes: &Notes) -> Result<(), BackendError> {
    match notes.lock_soon()? {
        Some(_mine) => recover(notes).map(|_| ()),
        None => Ok(()),
    }
}
