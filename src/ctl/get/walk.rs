//! Through a directory of a snapshot, from the top down, by what the daemon lists.

use super::super::error::CtlError;
use crate::api::client::{Client, FileAnswer};
use crate::api::wire::{Entry, EntryKind, Listing, TreeQuery, unescape};
use std::io;

/// Where a tree goes. Names are single parts of a path, checked.
pub(super) trait Sink {
    /// What follows is in this directory, until it is left; the first one is the top.
    fn enter(&mut self, name: &[u8], entry: &Entry) -> io::Result<()>;
    fn leave(&mut self, entry: &Entry) -> io::Result<()>;
    fn file(&mut self, name: &[u8], entry: &Entry, size: u64) -> io::Result<()>;
    /// Of the file that was begun last.
    fn piece(&mut self, bytes: &[u8]) -> io::Result<()>;
    fn end_file(&mut self, entry: &Entry) -> io::Result<()>;
    fn link(&mut self, name: &[u8], target: &[u8], entry: &Entry) -> io::Result<()>;
}

/// What came, and what did not.
#[derive(Debug, Default)]
pub(super) struct Walked {
    pub entries: u64,
    pub bytes: u64,
    pub left_out: Vec<String>,
}

pub(super) struct Walk<'a> {
    client: &'a Client,
    top: Listing,
    walked: Walked,
}

impl<'a> Walk<'a> {
    pub(super) fn new(client: &'a Client, snapshot: &str, path: &str) -> Result<Self, CtlError> {
        let top = client.tree(snapshot, &query(path, None))?;
        Ok(Self { client, top, walked: Walked::default() })
    }

    /// The definite one: `latest` may mean another one by now.
    pub(super) fn label(&self) -> &str {
        &self.top.snapshot
    }

    pub(super) fn walk(mut self, sink: &mut dyn Sink) -> Result<Walked, CtlError> {
        let top = self.top.clone();
        let (path, entry) = (top.path.clone(), top.entry.clone());
        let name = path.rsplit('/').next().unwrap_or_default();
        sink.enter(&part(name)?, &entry)?;
        self.fill(&path, top, sink)?;
        sink.leave(&entry)?;
        Ok(self.walked)
    }

    fn fill(&mut self, path: &str, mut page: Listing, sink: &mut dyn Sink) -> Result<(), CtlError> {
        loop {
            for entry in &page.entries {
                let below = match path {
                    "" => entry.name.clone(),
                    path => format!("{path}/{}", entry.name),
                };
                self.one(&below, entry, sink)?;
            }
            let Some(after) = page.next.take() else { return Ok(()) };
            page = self.client.tree(self.label(), &query(path, Some(after)))?;
        }
    }

    fn one(&mut self, path: &str, entry: &Entry, sink: &mut dyn Sink) -> Result<(), CtlError> {
        let name = part(&entry.name)?;
        if name.is_empty() {
            return Err(foreign(&entry.name));
        }
        let of_it = |error: io::Error| io::Error::new(error.kind(), format!("{path}: {error}"));
        match (entry.kind, &entry.target) {
            (EntryKind::Directory, _) => {
                let page = self.client.tree(self.label(), &query(path, None))?;
                sink.enter(&name, entry).map_err(of_it)?;
                self.fill(path, page, sink)?;
                sink.leave(entry).map_err(of_it)?;
            }
            (EntryKind::File, _) => {
                let mut file: FileAnswer<'_> = self.client.file(&self.top.snapshot, path)?;
                sink.file(&name, entry, file.size).map_err(of_it)?;
                while let Some(piece) = file.piece()? {
                    sink.piece(&piece).map_err(of_it)?;
                }
                self.walked.bytes += file.size;
                sink.end_file(entry).map_err(of_it)?;
            }
            (EntryKind::Link, Some(target)) => {
                let target = unescape(target).map_err(|_| foreign(target))?;
                sink.link(&name, &target, entry).map_err(of_it)?;
            }
            _ => {
                self.walked.left_out.push(path.to_owned());
                return Ok(());
            }
        }
        self.walked.entries += 1;
        Ok(())
    }
}

fn query(path: &str, after: Option<String>) -> TreeQuery {
    TreeQuery { path: (!path.is_empty()).then(|| path.to_owned()), after, limit: None }
}

/// One part of a path: nothing that leads elsewhere. Empty for the top.
fn part(name: &str) -> Result<Vec<u8>, CtlError> {
    let bytes = unescape(name).map_err(|_| foreign(name))?;
    let leads = matches!(bytes.as_slice(), b"." | b"..") || bytes.contains(&b'/');
    if leads || bytes.contains(&0) { Err(foreign(name)) } else { Ok(bytes) }
}

fn foreign(name: &str) -> CtlError {
    CtlError::PathInSnapshot { path: name.into(), why: "no file can be called that".into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_leads_elsewhere_is_none() {
        let check = |name: &str, want: Option<&[u8]>| {
            assert_eq!(part(name).ok().as_deref(), want, "{name}");
        };
        check("hosts", Some(b"hosts"));
        check("caf\\xe9", Some(b"caf\xe9"));
        check("..", None);
        check(".", None);
        check("\\x2e\\x2e", None);
        check("a/b", None);
        check("a\\x2fb", None);
        check("\\x00", None);
        check("\\q", None);
    }
}
