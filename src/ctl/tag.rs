//! Changing tags. A name that is a resource's and a snapshot's is no reason to guess.

use super::error::CtlError;
use super::exit;
use super::follow::{awaited, report};
use super::look::{Meaning, find};
use super::render;
use super::session::{Done, Session};
use super::values::RetagArgs;

/// `said`: that the name is a resource's, or a snapshot's.
pub(super) fn tag(
    session: &mut Session<'_, '_>,
    name: &str,
    said: (bool, bool),
    change: RetagArgs,
) -> Done {
    let body = change.body().map_err(CtlError::TagTwice)?;
    let of_snapshot = match said {
        (true, _) => false,
        (_, true) => true,
        // A resource's name has no `@`.
        _ if name.contains('@') => true,
        _ => match find(session, name)? {
            Meaning::Snapshot(_) => true,
            Meaning::Resource(_) => false,
            Meaning::Both(_) => return Err(CtlError::Ambiguous(name.into())),
        },
    };
    let accepted = match of_snapshot {
        true => session.client.tag_snapshot(name, &body)?,
        false => session.client.tag_resource(name, &body)?,
    };
    let accepted = awaited(session, accepted)?;
    if session.global.json || accepted.operation.state.is_open() {
        return report(session, &accepted);
    }
    if session.global.quiet {
        return Ok(exit::OK);
    }
    let page = match of_snapshot {
        true => {
            // By the name that it has for good: `latest` may be another one by now.
            let label = accepted.operation.snapshot.as_deref().unwrap_or(name);
            let snapshot = session.client.snapshot(label)?;
            render::tags_of_snapshot(&snapshot, &session.view())
        }
        false => {
            let detail = session.client.resource(name)?;
            render::tags_of_resource(&detail.resource, &session.view())
        }
    };
    session.print(&page)?;
    Ok(exit::OK)
}
