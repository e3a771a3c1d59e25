//! After the demo: the daemon stays, and who looked on plays with it.

use super::stage::{Stage, StageError};
use crate::host::signals::{Asked, Signals};
use std::io::BufRead;
use std::sync::mpsc::{Sender, channel};

/// What happens meanwhile.
enum Next {
    /// From here on Ctrl-C is heard.
    Heard,
    Day,
    End,
}

/// Prints what there is to play with, and waits: each Enter is another day, Ctrl-C the end.
///
/// # Errors
/// Where the system gives no thread, or the clock cannot be moved.
pub(super) fn stay(mut stage: Stage<'_>) -> Result<(), StageError> {
    let (tell, told) = channel();
    let days = tell.clone();
    std::thread::Builder::new().name("end".into()).spawn(move || end_of(&tell))?;
    while let Ok(next) = told.recv() {
        match next {
            Next::Heard => {
                stage.headline("It stays. To play with it, in another terminal")?;
                stage.tell_commands()?;
                stage.say(
                    "\nHere, Enter moves the clock to the next morning; Ctrl-C ends all of it.",
                )?;
                let (thread, days) = (std::thread::Builder::new(), days.clone());
                thread.name("days".into()).spawn(move || days_of(&days))?;
            }
            Next::Day => stage.next_day()?,
            Next::End => break,
        }
    }
    stage.finish()
}

/// At the end of the input the signals alone are waited for.
fn days_of(tell: &Sender<Next>) {
    let mut lines = std::io::stdin().lock().lines();
    while let Some(Ok(_)) = lines.next() {
        if tell.send(Next::Day).is_err() {
            return;
        }
    }
}

fn end_of(tell: &Sender<Next>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    if let Ok(runtime) = runtime {
        runtime.block_on(async {
            let Ok(mut signals) = Signals::listen() else { return };
            let _ = tell.send(Next::Heard);
            while signals.next().await != Asked::Stop {}
        });
    }
    let _ = tell.send(Next::End);
}
