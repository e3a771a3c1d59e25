//! heptad's side of holding a guest: starts the helper and believes it only if all is right.

use super::note::Notes;
use super::protocol::{FreezeAnswer, HELD, Order, Outcome, RELEASE, RELEASED};
use super::release::recover;
use crate::backend::libvirt::WORD;
use crate::domain::operation::Fault;
use crate::fs::StorageError;
use crate::host::helper::helper;
use crate::host::process::{GRACE, Limits, Overflow, Spawn, Talk};
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::time::Duration;

/// Bytes of an answer, and of complaints.
const PRINTED: usize = 64 * 1024;
/// How long letting go may take before the helper is given up: longer than it tries by itself.
const LETTING_GO: Duration = Duration::from_secs(180);

/// How guests are held.
#[derive(Clone, Debug)]
pub(crate) struct Freezer {
    pub uri: String,
    /// How long a guest may be held at most.
    pub hold: Duration,
    /// How long the agent may take to answer.
    pub agent: Duration,
    /// The program that has the helper in it; this very one where none is named.
    pub helper: Option<PathBuf>,
    /// heptad's state directory, for notes of what is held.
    pub state: PathBuf,
}

/// A guest that stands still.
pub(crate) struct Frozen {
    talk: Talk,
    grasp: FreezeAnswer,
    notes: Notes,
    doing: String,
    /// Nobody else holds the same guest, or lets it go.
    _alone: OwnedFd,
}

/// How it was held.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FreezeReport {
    /// Milliseconds for which its file systems were frozen; none: they were not.
    pub frozen_ms: Option<u64>,
    pub paused_ms: Option<u64>,
    /// Why its file systems were not frozen, if they were not.
    pub unfrozen: Unfrozen,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Unfrozen {
    /// Somebody else had done it, and may thaw them at any time.
    ByOthers,
    Why(String),
}

impl Freezer {
    /// Freezes the domain's file systems if its agent answers, and pauses it if asked for.
    ///
    /// # Errors
    /// When it was not held; then nothing is held. [`Fault::Busy`] where another snapshot has it.
    pub(crate) fn hold(&self, domain: &str, pause: bool) -> Result<Frozen, StorageError> {
        let doing = format!("holding domain {domain} still");
        let fail = |fault, why: String| StorageError::new(fault, &doing, why);
        let alone = self.alone(domain)?;
        let notes = self.notes(domain);
        let helper = helper(WORD, self.helper.as_deref(), limits(self.hold))
            .map_err(|distrusted| fail(Fault::Permanent, distrusted.to_string()))?;
        let millis = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        let order = Order {
            uri: self.uri.clone(),
            domain: domain.into(),
            freeze: true,
            agent_ms: millis(self.agent),
            pause,
            hold_ms: millis(self.hold),
            note: notes.path.clone(),
        };
        let order = serde_json::to_string(&order)
            .map_err(|error| fail(Fault::Permanent, error.to_string()))?;
        // Out of reach of whatever ends this thread.
        let spawn = Spawn { dies_with_us: false, ..helper };
        let wait = self.hold + self.agent + LETTING_GO;
        let mut talk = spawn.talk().map_err(|error| fail(Fault::Transient, error.to_string()))?;
        let answer = talk.ask(&format!("{order}\n"), HELD, wait);
        let grasp = answer.map_err(|error| error.to_string()).and_then(|answer| {
            serde_json::from_str::<FreezeAnswer>(&answer).map_err(|error| error.to_string())
        });
        match grasp {
            Ok(grasp) => {
                let paused = grasp.paused.clone();
                let hold = Frozen { talk, grasp, notes, doing: doing.clone(), _alone: alone };
                match paused {
                    Ok(_) => Ok(hold),
                    Err(why) => {
                        hold.release()?;
                        Err(fail(Fault::Busy, why))
                    }
                }
            }
            Err(why) => {
                // It is gone; what it held is written down.
                drop(talk);
                recover(&notes)?;
                Err(fail(Fault::Transient, why))
            }
        }
    }
}

impl Freezer {
    fn notes(&self, domain: &str) -> Notes {
        Notes::of_domain(&self.state, &self.uri, domain)
    }

    /// Waits until nobody else has the guest, and lets go what a killed heptad left held. Then it
    /// is the caller's alone, for as long as the returned lock is open.
    ///
    /// # Errors
    /// [`Fault::Busy`] where somebody else holds it for longer than anybody should.
    pub(crate) fn alone(&self, domain: &str) -> Result<OwnedFd, StorageError> {
        let notes = self.notes(domain);
        let wait = self.hold + self.agent + LETTING_GO;
        let alone = notes.lock_within(wait, &format!("waiting for domain {domain}"))?;
        recover(&notes)?;
        Ok(alone)
    }
}

fn limits(hold: Duration) -> Limits {
    Limits {
        deadline: hold + LETTING_GO,
        grace: GRACE,
        stdout: PRINTED,
        stderr: PRINTED,
        overflow: Overflow::End,
    }
}

impl Frozen {
    /// Lets the guest go.
    ///
    /// # Errors
    /// When it was not held all the time until now, or could not be let go.
    pub(crate) fn release(mut self) -> Result<FreezeReport, StorageError> {
        let fail = |why: String| StorageError::new(Fault::Transient, &self.doing, why);
        let answer = self.talk.ask(RELEASE, RELEASED, LETTING_GO);
        let outcome = answer.map_err(|error| error.to_string()).and_then(|answer| {
            serde_json::from_str::<Outcome>(&answer).map_err(|error| error.to_string())
        });
        let outcome = match outcome {
            Ok(outcome) => outcome,
            Err(why) => {
                let error = fail(format!("the helper failed: {why}"));
                drop(self.talk);
                recover(&self.notes)?;
                return Err(error);
            }
        };
        let error = outcome.stuck.or(outcome.early).map(fail);
        // It has said its last word.
        let _ = self.talk.close(GRACE);
        match error {
            Some(error) => Err(error),
            None => Ok(FreezeReport {
                frozen_ms: outcome.frozen_ms,
                paused_ms: outcome.paused_ms,
                unfrozen: match self.grasp.frozen {
                    _ if self.grasp.by_others => Unfrozen::ByOthers,
                    frozen => Unfrozen::Why(frozen.err().unwrap_or_default()),
                },
            }),
        }
    }
}
