//! Commands that look into the files of snapshots.

use super::error::CtlError;
use super::output::Output;
use super::render::{self, Span};
use super::session::{Done, Session};
use super::{exit, render::units};
use crate::api::client::FileAnswer;
use crate::api::wire::{DiffQuery, Differences, Listing, TreeQuery, escape};
use serde::Serialize;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// A path as the wire wants it: bytes that are no text are written out, the rest is taken as
/// browse shows it.
fn wired(path: &OsStr) -> String {
    let mut text = String::new();
    for chunk in path.as_bytes().utf8_chunks() {
        text.push_str(chunk.valid());
        text.push_str(&escape(chunk.invalid()));
    }
    text
}

pub fn browse(session: &mut Session<'_, '_>, snapshot: &str, path: Option<&OsStr>) -> Done {
    let mut query = TreeQuery { path: path.map(wired), ..TreeQuery::default() };
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

pub fn diff(
    session: &mut Session<'_, '_>,
    (old, new): (&str, &str),
    path: Option<&OsStr>,
    exit_code: bool,
) -> Done {
    let mut query =
        DiffQuery { against: new.into(), path: path.map(wired), ..DiffQuery::default() };
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

/// What `get --json` says.
#[derive(Serialize)]
struct Got<'a> {
    snapshot: &'a str,
    path: &'a str,
    bytes: u64,
    out: String,
}

pub fn get(
    session: &mut Session<'_, '_>,
    snapshot: &str,
    path: &OsStr,
    out: Option<&Path>,
    force: bool,
) -> Done {
    let wired = wired(path);
    if out == Some(Path::new("-")) {
        let Session { client, io, .. } = session;
        let mut file = client.file(snapshot, &wired)?;
        while let Some(piece) = file.piece()? {
            io.stdout.write_all(&piece)?;
        }
        io.stdout.flush()?;
        return Ok(exit::OK);
    }
    let target = target(&session.directory, path, &wired, out)?;
    if !force && target.symlink_metadata().is_ok() {
        return Err(CtlError::Exists { path: target });
    }
    let file = session.client.file(snapshot, &wired)?;
    let (label, size) = (file.snapshot.clone(), file.size);
    save(file, &target, force)?;
    if session.global.json {
        let out = target.display().to_string();
        return session.json(&Got { snapshot: &label, path: &wired, bytes: size, out });
    }
    if session.global.quiet {
        return Ok(exit::OK);
    }
    let mut page = session.view().page();
    let sentence = format!("{wired} of {label} is at {} ({})", target.display(), units::size(size));
    page.prose(0, &Span::plain(sentence));
    session.print(&page)?;
    Ok(exit::OK)
}

/// Where the file goes: under its own name, unless another is given.
fn target(
    directory: &Path,
    path: &OsStr,
    wired: &str,
    out: Option<&Path>,
) -> Result<PathBuf, CtlError> {
    let out = directory.join(out.unwrap_or_else(|| Path::new("")));
    if !out.is_dir() {
        return Ok(out);
    }
    let bytes = crate::api::wire::unescape(wired)
        .map_err(|error| CtlError::PathInSnapshot { path: path.into(), why: error.to_string() })?;
    match Path::new(OsStr::from_bytes(&bytes)).file_name() {
        Some(name) => Ok(out.join(name)),
        None => Err(CtlError::PathInSnapshot {
            path: path.into(),
            why: "it names no file: say where it goes with -o".into(),
        }),
    }
}

fn save(mut file: FileAnswer<'_>, target: &Path, force: bool) -> Result<(), CtlError> {
    let failed = |source| CtlError::File { path: target.into(), source };
    let mut output = Output::create(target).map_err(failed)?;
    while let Some(piece) = file.piece()? {
        output.write(&piece).map_err(failed)?;
    }
    match output.place(file.mode, file.mtime, force) {
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
            Err(CtlError::Exists { path: target.into() })
        }
        placed => placed.map_err(failed),
    }
}
