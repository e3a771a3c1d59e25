//! The helper process: holds one guest, and lets it go.

use super::super::virsh::{State, TIMEOUT, Virsh};
use super::agent::Agent;
use super::note::{Note, Notes};
use super::protocol::{FreezeAnswer, HELD, Order, Outcome, RELEASED};
use super::release::{Pause, let_go};
use crate::domain::operation::Fault;
use crate::fs::StorageError;
use crate::host::helper::Call;
use crate::host::signals::Signals;
use std::io::{BufRead, Read, Write};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

/// Bytes of an order.
const ORDER: u64 = 64 * 1024;

/// A virsh that has to be started takes some time whatever is left.
const LEAST: Duration = Duration::from_secs(1);

/// Why the guest is let go.
enum Reason {
    Asked,
    /// heptad closed the pipe or died.
    Left,
    Signal,
}

/// Does what the first line of standard input says, until the next one or its end. Returns the exit
/// code: 0, or 1 when there is no outcome to tell.
pub(crate) fn serve(call: Call<'_>) -> u8 {
    let Call { input, out, err, .. } = call;
    let told = || -> std::io::Result<()> {
        let (tell, reasons) = channel();
        let signals = tell.clone();
        // Before the first act: from here on SIGTERM lets go.
        let listening = listen(signals)?;
        let mut input = std::io::BufReader::new(input);
        let mut line = String::new();
        input.by_ref().take(ORDER).read_line(&mut line)?;
        let order: Order = serde_json::from_str(&line)?;
        std::thread::spawn(move || hear(input, &tell));
        let done = hold(&order, &reasons, out);
        drop(listening);
        done
    };
    match told() {
        Ok(()) => 0,
        Err(error) => {
            let _ = writeln!(err, "this is not for people, and it had no proper order: {error}");
            1
        }
    }
}

fn hear(mut input: impl BufRead, tell: &Sender<Reason>) {
    let mut line = String::new();
    let reason = match input.read_line(&mut line) {
        Ok(count) if count > 0 => Reason::Asked,
        _ => Reason::Left,
    };
    // Nobody listens any more when the guest has been let go.
    let _ = tell.send(reason);
}

/// Tells of SIGTERM, as long as the returned runtime lives.
fn listen(tell: Sender<Reason>) -> std::io::Result<tokio::runtime::Runtime> {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let mut signals = runtime.block_on(async { Signals::listen() })?;
    runtime.spawn(async move {
        loop {
            signals.next().await;
            if tell.send(Reason::Signal).is_err() {
                break;
            }
        }
    });
    Ok(runtime)
}

fn hold(order: &Order, reasons: &Receiver<Reason>, out: &mut dyn Write) -> std::io::Result<()> {
    let mut grip = Grip::new(order);
    let grasp = grip.grasp();
    // heptad may be gone: then it is the end of input that is heard next.
    let _ = say(out, &grasp, HELD);
    let left = Duration::from_millis(order.hold_ms).saturating_sub(grip.begun.elapsed());
    let early = match reasons.recv_timeout(left) {
        Ok(Reason::Asked) => None,
        Ok(Reason::Left) => Some("heptad went away".to_owned()),
        Ok(Reason::Signal) => Some("the helper was told to stop".to_owned()),
        Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {
            Some(format!("it was held for {} s: raise hold", order.hold_ms.div_ceil(1000)))
        }
    };
    let mut outcome = grip.let_go();
    outcome.early = early.or(outcome.early);
    say(out, &outcome, RELEASED)
}

fn say(out: &mut dyn Write, what: &impl serde::Serialize, end: &str) -> std::io::Result<()> {
    writeln!(out, "{}\n{end}", serde_json::to_string(what)?)?;
    out.flush()
}

struct Grip<'a> {
    order: &'a Order,
    virsh: Virsh,
    notes: Notes,
    note: Note,
    begun: Instant,
    frozen_at: Option<Instant>,
    paused_at: Option<Instant>,
    pause: Pause,
    /// Its file systems were frozen before.
    by_others: bool,
}

impl<'a> Grip<'a> {
    fn new(order: &'a Order) -> Self {
        let (uri, domain) = (order.uri.clone(), order.domain.clone());
        Self {
            order,
            virsh: Virsh { uri: uri.clone() },
            notes: Notes { path: order.note.clone() },
            note: Note {
                uri,
                domain,
                run: String::new(),
                frozen: false,
                paused: false,
                holder: std::process::id(),
            },
            begun: Instant::now(),
            frozen_at: None,
            paused_at: None,
            pause: Pause::Answered,
            by_others: false,
        }
    }

    fn grasp(&mut self) -> FreezeAnswer {
        let said = |error: StorageError| error.to_string();
        match self.virsh.run_number(&self.order.domain) {
            Ok(run) => self.note.run = run,
            Err(error) => {
                let why = said(error);
                return FreezeAnswer {
                    frozen: Err(why.clone()),
                    by_others: false,
                    paused: Err(why),
                };
            }
        }
        let frozen = if self.order.freeze {
            self.freeze().map_err(said)
        } else {
            Err("it was not asked for".into())
        };
        let paused = if self.order.pause { self.pause().map_err(said) } else { Ok(false) };
        FreezeAnswer { frozen, by_others: self.by_others, paused }
    }

    fn freeze(&mut self) -> Result<u64, StorageError> {
        let agent = Agent { virsh: &self.virsh, domain: &self.order.domain };
        let wait = Duration::from_millis(self.order.agent_ms);
        agent.ping(wait)?;
        if agent.is_frozen(wait)? {
            // Whoever did it thaws it, and not before they want to.
            self.by_others = true;
            let doing = format!("freezing domain {}", self.order.domain);
            return Err(StorageError::new(Fault::Busy, doing, "somebody else has frozen it"));
        }
        self.begun = Instant::now();
        self.note.frozen = true;
        self.notes.write(&self.note)?;
        self.frozen_at = Some(Instant::now());
        let frozen = agent.freeze(Duration::from_millis(self.order.hold_ms));
        if frozen.is_err() {
            // It may have come to pass all the same, or half: both end here.
            let_go(&self.notes, &self.note, self.pause)?;
            self.note.frozen = false;
            self.frozen_at = None;
        }
        frozen
    }

    fn pause(&mut self) -> Result<bool, StorageError> {
        // Whoever paused it meanwhile shall find it paused.
        if self.virsh.state(&self.order.domain)? != State::Running {
            let doing = format!("pausing domain {}", self.order.domain);
            return Err(StorageError::new(Fault::Busy, doing, "it does not run any more"));
        }
        self.note.paused = true;
        self.notes.write(&self.note)?;
        if self.frozen_at.is_none() {
            self.begun = Instant::now();
        }
        let asked = Instant::now();
        let doing = format!("pausing domain {}", self.order.domain);
        // Not for longer than it may be held.
        let left = Duration::from_millis(self.order.hold_ms).saturating_sub(self.begun.elapsed());
        let left = left.clamp(LEAST, TIMEOUT);
        let paused =
            self.virsh.call_within(&["suspend", "--domain", &self.order.domain], &doing, left);
        if let Err(error) = paused {
            // Without an answer it may have come to pass all the same, or be still to come.
            if error.fault != Fault::Busy {
                self.pause = Pause::Unsure;
            }
            return Err(error);
        }
        self.paused_at = Some(asked);
        Ok(true)
    }

    /// Lets go as long as it takes; what cannot be let go stays written down.
    fn let_go(&mut self) -> Outcome {
        // Whoever resumed it meanwhile let its disks change under the copies.
        let state = self.paused_at.and_then(|_| self.virsh.state(&self.order.domain).ok());
        let early = state.filter(|state| *state != State::Still);
        let early = early.map(|_| "somebody else resumed it meanwhile".to_owned());
        let let_go = let_go(&self.notes, &self.note, self.pause);
        let stuck = let_go.and_then(|()| self.clear()).err();
        let since = |at: Option<Instant>| {
            at.map(|at| u64::try_from(at.elapsed().as_millis()).unwrap_or(u64::MAX))
        };
        Outcome {
            frozen_ms: since(self.frozen_at),
            paused_ms: since(self.paused_at),
            early,
            stuck: stuck.map(|error| error.to_string()),
        }
    }

    /// A new heptad may have let the guest go meanwhile, and hold it anew: that is not ours to
    /// clear.
    fn clear(&self) -> Result<(), StorageError> {
        if self.notes.is_of(&self.note)? { self.notes.clear() } else { Ok(()) }
    }
}
