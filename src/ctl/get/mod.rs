//! Getting files out of snapshots: one as it is, a directory as a tree or as a tar stream.
//!
//! What is got appears under its name when it is whole, or never, and never in place of something
//! that is there; only a file may be replaced, and only if that is said. Nothing here must follow
//! a link that came out of a snapshot.

mod disk;
mod tar;
mod walk;

use super::error::CtlError;
use super::exit;
use super::files::wired;
use super::output::Output;
use super::render::{Span, units};
use super::session::{Done, Session};
use crate::api::client::{ClientError, FileAnswer};
use crate::api::wire::unescape;
use serde::Serialize;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use walk::{Walk, Walked};

/// What `get --json` says.
#[derive(Serialize)]
struct Got<'a> {
    snapshot: &'a str,
    path: &'a str,
    bytes: u64,
    out: String,
    /// Of a directory: how many files, directories and links came.
    #[serde(skip_serializing_if = "Option::is_none")]
    entries: Option<u64>,
    /// Of a directory: devices and the like, which are not got.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    left_out: Vec<String>,
}

pub(super) fn get(
    session: &mut Session<'_, '_>,
    snapshot: &str,
    path: &OsStr,
    out: Option<&Path>,
    force: bool,
) -> Done {
    let wired = wired(path);
    let to_stdout = out == Some(Path::new("-"));
    let target = if to_stdout { None } else { Some(target(session, path, &wired, out)?) };
    if let Some(target) = target.as_ref().filter(|target| exists(target)) {
        let is_directory = target.symlink_metadata().is_ok_and(|meta| meta.is_dir());
        if !force || is_directory {
            return Err(CtlError::Exists { path: target.clone(), is_directory });
        }
    }
    let opened = session.client.file(snapshot, &wired);
    let is_directory = opened.as_ref().err().map(ClientError::code) == Some("is-a-directory");
    if is_directory {
        if let Some(path) = target.clone().filter(|target| exists(target)) {
            return Err(CtlError::Exists { path, is_directory: true });
        }
        return directory(session, snapshot, &wired, target);
    }
    let mut file = opened?;
    let Some(target) = target else {
        while let Some(piece) = file.piece()? {
            session.io.stdout.write_all(&piece)?;
        }
        session.io.stdout.flush()?;
        return Ok(exit::OK);
    };
    let (label, bytes) = (file.snapshot.clone(), file.size);
    save(file, &target, force)?;
    let out = target.display().to_string();
    let got =
        Got { snapshot: &label, path: &wired, bytes, out, entries: None, left_out: Vec::new() };
    tell(session, &got)
}

fn exists(path: &Path) -> bool {
    path.symlink_metadata().is_ok()
}

fn tell(session: &mut Session<'_, '_>, got: &Got<'_>) -> Done {
    if session.global.json {
        return session.json(got);
    }
    let what = if got.path.is_empty() { "all" } else { got.path };
    let size = units::size(got.bytes);
    let size = match got.entries {
        Some(entries) => format!("{}, {size}", units::count_of(entries, "entry", "entries")),
        None => size,
    };
    session.say(&format!("{what} of {} is at {} ({size})", got.snapshot, got.out))?;
    left_out(session, &got.left_out)?;
    Ok(exit::OK)
}

fn left_out(session: &mut Session<'_, '_>, paths: &[String]) -> Result<(), CtlError> {
    let mut page = session.view().page();
    for path in paths {
        let text = format!("left out: {path} has no content (a device, a socket or a pipe)");
        page.prose(2, &Span::plain(text));
    }
    session.note(&page)
}

/// A tree below `target`, or a tar stream without one.
fn directory(
    session: &mut Session<'_, '_>,
    snapshot: &str,
    path: &str,
    target: Option<PathBuf>,
) -> Done {
    let Session { client, io, .. } = session;
    let walk = Walk::new(client, snapshot, path)?;
    let label = walk.label().to_owned();
    let Some(target) = target else {
        let mut stream = tar::Stream::new(&mut *io.stdout);
        let Walked { left_out: paths, .. } = walk.walk(&mut stream)?;
        stream.finish()?;
        left_out(session, &paths)?;
        return Ok(exit::OK);
    };
    let failed = |source| CtlError::File { path: target.clone(), source };
    let mut tree = disk::Tree::create(&target).map_err(failed)?;
    let Walked { entries, bytes, left_out } =
        walk.walk(&mut tree).map_err(|error| match error {
            CtlError::Output(source) => failed(source),
            error => error,
        })?;
    match tree.place() {
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
            return Err(CtlError::Exists { path: target, is_directory: true });
        }
        placed => placed.map_err(failed)?,
    }
    let out = target.display().to_string();
    let got = Got { snapshot: &label, path, bytes, out, entries: Some(entries), left_out };
    tell(session, &got)
}

/// Where it goes: under its own name, unless another is given.
fn target(
    session: &Session<'_, '_>,
    path: &OsStr,
    wired: &str,
    out: Option<&Path>,
) -> Result<PathBuf, CtlError> {
    let out = session.directory.join(out.unwrap_or_else(|| Path::new("")));
    if !out.is_dir() {
        return Ok(out);
    }
    let bytes = unescape(wired)
        .map_err(|error| CtlError::PathInSnapshot { path: path.into(), why: error.to_string() })?;
    match Path::new(OsStr::from_bytes(&bytes)).file_name() {
        Some(name) => Ok(out.join(name)),
        None => Err(CtlError::PathInSnapshot {
            path: path.into(),
            why: "it has no name of its own: say with -o under which new name it goes".into(),
        }),
    }
}

fn save(mut file: FileAnswer<'_>, target: &Path, force: bool) -> Result<(), CtlError> {
    let failed = |source| CtlError::File { path: target.into(), source };
    let mut output = Output::create(target).map_err(failed)?;
    while let Some(piece) = file.piece()? {
        output.write(&piece).map_err(failed)?;
    }
    match output.place(file.mode, file.owner, file.mtime, force) {
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
            Err(CtlError::Exists { path: target.into(), is_directory: false })
        }
        placed => placed.map_err(failed),
    }
}
