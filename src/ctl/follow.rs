//! Waiting for the end of an operation, with progress on standard error.

use super::error::CtlError;
use super::render::{self, Page, Span, text};
use super::session::Session;
use crate::api::client::ClientError;
use crate::api::wire::{Operation, OperationState};
use std::io::Write;

/// Waits for the end unless `operation` is finished.
///
/// # Errors
/// [`CtlError::OutOfSight`] when the daemon went away meanwhile. A failed operation is no error
/// here.
pub fn to_the_end(
    session: &mut Session<'_, '_>,
    operation: Operation,
) -> Result<Operation, CtlError> {
    if !operation.state.is_open() {
        return Ok(operation);
    }
    let id = operation.id;
    let mut progress = Progress {
        writer: &mut *session.io.stderr,
        terminal: session.io.terminals.stderr,
        quiet: session.global.quiet,
        width: session.io.width.unwrap_or(80),
        shown: None,
    };
    // The first news comes after a second: what is done at once needs no progress.
    let ended = session.client.finish(id, |operation| progress.show(operation));
    progress.clear();
    ended.map_err(|source| match source {
        source @ ClientError::Refused { .. } => source.into(),
        source => CtlError::OutOfSight { id, source },
    })
}

/// One line that is overwritten on a terminal; elsewhere a line for each news. What cannot be
/// written is lost: progress is no reason to fail.
struct Progress<'a> {
    writer: &'a mut dyn Write,
    terminal: bool,
    quiet: bool,
    width: usize,
    shown: Option<(OperationState, u64)>,
}

impl Progress<'_> {
    fn show(&mut self, operation: &Operation) {
        if self.quiet {
            return;
        }
        let line = sentence(operation);
        if self.terminal {
            let line = text::cut(&text::clean(&line), self.width.saturating_sub(1));
            let _ = write!(self.writer, "\r\u{1b}[K{line}").and_then(|()| self.writer.flush());
            self.shown = Some((operation.state, 0));
            return;
        }
        let news = Some((operation.state, tenths(operation)));
        if news != self.shown {
            let mut page = Page::new(None);
            page.line([Span::plain(line)]);
            let _ = self.writer.write_all(page.print(false).as_bytes());
            let _ = self.writer.flush();
            self.shown = news;
        }
    }

    fn clear(&mut self) {
        if self.terminal && self.shown.is_some() {
            let _ = write!(self.writer, "\r\u{1b}[K").and_then(|()| self.writer.flush());
        }
    }
}

/// Short, so that how far it is stays in sight on a narrow terminal.
fn sentence(operation: &Operation) -> String {
    let going = render::progress(operation).map(|p| format!(", {p}")).unwrap_or_default();
    let state = render::state_word(operation.state);
    format!("{}: {}: {state}{going}", operation.resource, render::title(operation))
}

/// How much is done, in tenths: one plain line each.
fn tenths(operation: &Operation) -> u64 {
    let Some(progress) = operation.progress else { return 0 };
    let total = u128::from(progress.total_bytes.unwrap_or(0).max(1));
    u64::try_from(u128::from(progress.done_bytes) * 10 / total).unwrap_or(10).min(10)
}
