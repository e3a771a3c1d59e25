//! Commands that look into the files of snapshots.

use super::exit;
use super::render;
use super::session::{Done, Session};
use crate::api::wire::{DiffQuery, Differences, Listing, TreeQuery, escape};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

/// A path as the wire wants it: bytes that are no text are written out, the rest is taken as
/// browse shows it.
///
/// A snapshot's top is where its paths begin, however many slashes say so.
pub(super) fn wired(path: &OsStr) -> String {
    let mut text = String::new();
    for chunk in path.as_bytes().utf8_chunks() {
        text.push_str(chunk.valid());
        text.push_str(&escape(chunk.invalid()));
    }
    text.trim_matches('/').to_owned()
}

fn asked(path: Option<&OsStr>) -> Option<String> {
    path.map(wired).filter(|path| !path.is_empty())
}

pub(super) fn browse(session: &mut Session<'_, '_>, snapshot: &str, path: Option<&OsStr>) -> Done {
    let mut query = TreeQuery { path: asked(path), ..TreeQuery::default() };
    let mut all: Listing = session.client.tree(snapshot, &query)?;
    // The definite label: `latest` may mean another one by the next page.
    let label = all.snapshot.clone();
    while let Some(after) = all.next.take() {
        query.after = Some(after);
        let page = session.client.tree(&label, &query)?;
        all.entries.extend(page.entries);
        all.next = page.next;
    }
    session.show(&all, |view| render::listing(&all, view))
}

pub(super) fn diff(
    session: &mut Session<'_, '_>,
    (old, new): (&str, &str),
    path: Option<&OsStr>,
    exit_code: bool,
) -> Done {
    let mut query = DiffQuery { against: new.into(), path: asked(path), ..DiffQuery::default() };
    let mut all: Differences = session.client.diff(old, &query)?;
    let from = all.from.clone();
    query.against.clone_from(&all.to);
    while let Some(after) = all.next.take() {
        query.after = Some(after);
        let page = session.client.diff(&from, &query)?;
        all.differences.extend(page.differences);
        all.next = page.next;
    }
    let differ = !all.differences.is_empty();
    if session.global.json {
        session.json(&all)?;
    } else if differ {
        let page = render::differences(&all.differences, &session.view());
        session.print(&page)?;
    } else {
        session.say(&format!("no difference between {} and {}", all.from, all.to))?;
    }
    Ok(if differ && exit_code { exit::DIFFERENT } else { exit::OK })
}
