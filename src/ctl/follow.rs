//! Waiting for the end of an operation, with progress on standard error.

use super::error::CtlError;
use super::render::{self, Page, text};
use super::session::{Done, Session, complaint};
use super::{exit, follow};
use crate::api::client::ClientError;
use crate::api::telling::is_cancelled;
use crate::api::wire::{Accepted, Operation, OperationState};
use std::io::Write;

/// Waits for the end unless `operation` is finished.
///
/// # Errors
/// [`CtlError::OutOfSight`] when the daemon went away meanwhile. A failed operation is no error
/// here.
pub(super) fn to_the_end(
    session: &mut Session<'_, '_>,
    operation: Operation,
) -> Result<Operation, CtlError> {
    if !operation.state.is_open() {
        return Ok(operation);
    }
    let id = operation.id;
    let mut progress = Progress {
        writer: &mut *session.io.stderr,
        wanted: session.io.terminals.stderr && !session.global.quiet,
        width: session.io.width.unwrap_or(80),
        shown: false,
    };
    // The first news comes after a second: what is done at once needs no progress.
    let told = operation;
    let interrupts = session.interrupts;
    let ended = session.client.finish_unless(id, interrupts, |operation| progress.show(operation));
    progress.clear();
    ended.map_err(|source| match source {
        ClientError::Interrupted => CtlError::Interrupted { id, what: render::title(&told) },
        source @ ClientError::Refused { .. } => source.into(),
        source => CtlError::OutOfSight { id, source },
    })
}

/// One line that is overwritten on a terminal; elsewhere nothing, since nobody waits there. What
/// cannot be written is lost: progress is no reason to fail.
struct Progress<'a> {
    writer: &'a mut dyn Write,
    wanted: bool,
    width: usize,
    shown: bool,
}

impl Progress<'_> {
    fn show(&mut self, operation: &Operation) {
        if !self.wanted {
            return;
        }
        let line = sentence(operation, self.width.saturating_sub(1));
        let _ = write!(self.writer, "\r\u{1b}[K{line}").and_then(|()| self.writer.flush());
        self.shown = true;
    }

    fn clear(&mut self) {
        if self.shown {
            let _ = write!(self.writer, "\r\u{1b}[K").and_then(|()| self.writer.flush());
        }
    }
}

/// What is done gives way to how far it is, which stays in sight on a narrow terminal.
fn sentence(operation: &Operation, width: usize) -> String {
    let state = || render::state_word(operation.state).to_owned();
    let tail = format!(": {}", render::pace(operation).unwrap_or_else(state));
    let head = format!("{}: {}", operation.resource, render::title(operation));
    let room = width.saturating_sub(tail.chars().count());
    text::cut(&format!("{}{tail}", text::cut(&text::clean(&head), room)), width)
}

/// Follows the operation to its end unless told not to. A failed one is told here.
///
/// # Errors
/// [`CtlError::OperationFailed`] among others.
pub(super) fn awaited(
    session: &mut Session<'_, '_>,
    accepted: Accepted,
) -> Result<Accepted, CtlError> {
    let Accepted { mut operation, schedule } = accepted;
    if !session.global.no_wait {
        operation = follow::to_the_end(session, operation)?;
    }
    let accepted = Accepted { operation, schedule };
    let operation = &accepted.operation;
    if operation.state != OperationState::Failed {
        return Ok(accepted);
    }
    if session.global.json {
        session.json(&accepted)?;
    }
    let mut page: Page = session.view().page();
    let (resource, id) = (&operation.resource, operation.id);
    let failed = if is_cancelled(operation) { "was cancelled" } else { "failed" };
    let sentence = format!("{resource}: {} {failed} (operation {id})", render::title(operation));
    complaint(&sentence, &[], &mut page);
    render::troubles(operation, &mut page);
    session.note(&page)?;
    Err(CtlError::OperationFailed { id: operation.id })
}

pub(super) fn report(session: &mut Session<'_, '_>, accepted: &Accepted) -> Done {
    if session.global.json {
        return session.json(accepted);
    }
    let operation = &accepted.operation;
    session.say(&render::ending(operation))?;
    // What the technology has to say of what it made: how to start it, what is left to do.
    let tells = ["create", "rollback", "attach", "detach", "acknowledge"];
    if tells.contains(&operation.act.as_str()) {
        for note in operation.output.lines() {
            session.remark(note)?;
        }
    }
    Ok(exit::OK)
}
