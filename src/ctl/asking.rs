//! Asking the person at the terminal.

use super::error::CtlError;
use super::render;
use super::render::Page;
use super::session::Session;

/// # Errors
/// [`CtlError::Unconfirmed`] where nobody could be asked.
pub(super) fn may_ask(session: &Session<'_, '_>, yes: bool) -> Result<(), CtlError> {
    let terminals = session.io.terminals;
    if yes || (terminals.stdin && terminals.stderr) { Ok(()) } else { Err(CtlError::Unconfirmed) }
}

/// Shows what is at stake on standard error and reads the answer.
///
/// # Errors
/// [`CtlError::Declined`] for everything but a plain yes.
pub(super) fn ask(
    session: &mut Session<'_, '_>,
    page: Page,
    question: &str,
) -> Result<(), CtlError> {
    let answer = answer(session, page, &format!("{} [y/N] ", render::text::clean(question)))?;
    match answer.to_lowercase().as_str() {
        "y" | "yes" => Ok(()),
        _ => Err(CtlError::Declined),
    }
}

/// Shows what is at stake on standard error and reads one line; nothing at its end.
pub(super) fn answer(
    session: &mut Session<'_, '_>,
    page: Page,
    prompt: &str,
) -> Result<String, CtlError> {
    Ok(line(session, page, prompt)?.unwrap_or_default())
}

/// The same, but at its end `None`.
pub(super) fn line(
    session: &mut Session<'_, '_>,
    mut page: Page,
    prompt: &str,
) -> Result<Option<String>, CtlError> {
    page.gap();
    session.note(&page)?;
    write!(session.io.stderr, "{prompt}")?;
    session.io.stderr.flush()?;
    let mut answer = String::new();
    if session.io.stdin.read_line(&mut answer)? == 0 {
        // Nobody pressed Enter, so the line of the question is not ended yet.
        writeln!(session.io.stderr)?;
        return Ok(None);
    }
    Ok(Some(answer.trim().to_owned()))
}
