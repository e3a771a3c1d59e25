//! Live events until the reader or the daemon has had enough.

use super::error::CtlError;
use super::exit;
use super::render::{Page, Span, Watched};
use super::session::{Done, Session};
use crate::api::wire::Changes;
use std::ops::ControlFlow;

pub(super) fn watch(session: &mut Session<'_, '_>) -> Done {
    session.by_line = true;
    let first = session.client.status()?;
    if !session.global.quiet && !session.global.json {
        let mut page = session.view().page();
        page.line([Span::dim("watching; Ctrl-C ends it")]);
        session.note(&page)?;
    }
    let mut watched = Watched::new(&first.resources);
    let mut trouble = None;
    let (json, before) = (session.global.json, session.view());
    let colour = session.colour();
    let (io, client) = (&mut *session.io, &session.client);
    let ended = client.watch(Some(first.generation), |changes| {
        let view = before.at((io.now)());
        let written = match json {
            true => line_of_json(&changes),
            false => Ok(watched.tell(&changes, &view)).map(|page: Page| page.print(colour)),
        };
        let written = written.and_then(|text| {
            io.stdout.write_all(text.as_bytes())?;
            Ok(io.stdout.flush()?)
        });
        match written {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => {
                trouble = Some(error);
                ControlFlow::Break(())
            }
        }
    });
    match (trouble, ended) {
        (Some(error), _) => Err(error),
        (None, Ok(())) => Ok(exit::OK),
        (None, Err(error)) => Err(CtlError::Client(error)),
    }
}

/// Compact, so that a reader gets one change a line.
fn line_of_json(changes: &Changes) -> Result<String, CtlError> {
    Ok(serde_json::to_string(changes)? + "\n")
}
