//! Why a command did not do what it was asked for, as a sentence, a way out and an exit code.

use super::exit;
use crate::api::client::ClientError;
use crate::api::wire::plain;
use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};

#[derive(Debug, thiserror::Error)]
pub enum CtlError {
    #[error(transparent)]
    Client(#[from] ClientError),
    /// The operation was accepted, but its end could not be awaited.
    #[error("lost contact while waiting for operation {id}: {source}")]
    OutOfSight { id: u64, source: ClientError },
    /// Whoever waited pressed Ctrl-C.
    #[error("no longer waiting; {what} goes on as operation {id}")]
    Interrupted { id: u64, what: String },
    /// What somebody wanted to cancel has ended otherwise.
    #[error("operation {id} was already finished: {how}")]
    AlreadyFinished { id: u64, how: String },
    /// It was told already, with all that is known.
    #[error("operation {id} failed")]
    OperationFailed { id: u64 },
    #[error("some snapshots stay as they were")]
    Partly,
    #[error("nothing was changed")]
    Declined,
    #[error("this needs a confirmation, and there is no terminal to ask on")]
    Unconfirmed,
    #[error("the tag {0} is given twice")]
    TagTwice(String),
    #[error("the disk {0} is given two names")]
    DiskTwice(String),
    #[error("a resource and a snapshot are called {0}")]
    Ambiguous(String),
    #[error("the path {} is not UTF-8", .0.display())]
    Path(PathBuf),
    #[error("{} exists already", .path.display())]
    Exists { path: PathBuf, is_directory: bool },
    #[error("{}: {why}", path.display())]
    MountPoint { path: PathBuf, why: String, hint: String },
    #[error("{path:?} is not a path in a snapshot: {why}")]
    PathInSnapshot { path: OsString, why: String },
    #[error("neither a resource nor a snapshot is called {name}")]
    Unknown { name: String, hints: Vec<String> },
    #[error("{} cannot be written: {source}", path.display())]
    File { path: PathBuf, source: io::Error },
    #[error("the output cannot be written: {0}")]
    Output(io::Error),
    #[error("the answer cannot be printed: {0}")]
    Json(#[from] serde_json::Error),
}

impl From<io::Error> for CtlError {
    fn from(source: io::Error) -> Self {
        Self::Output(source)
    }
}

impl CtlError {
    /// Whoever reads our output has seen enough.
    pub fn is_broken_pipe(&self) -> bool {
        matches!(self, Self::Output(source) if source.kind() == io::ErrorKind::BrokenPipe)
    }

    /// For scripts; heptad's own refusals have one of their own.
    pub fn code(&self) -> &str {
        match self {
            Self::Client(source) => source.code(),
            Self::OutOfSight { .. } => "out-of-sight",
            Self::Interrupted { .. } => "interrupted",
            Self::OperationFailed { .. } => "operation-failed",
            Self::AlreadyFinished { .. } => "operation-over",
            Self::Partly => "partly",
            Self::Declined => "declined",
            Self::Unconfirmed => "unconfirmed",
            Self::TagTwice(_) => "tag-twice",
            Self::DiskTwice(_) => "disk-twice",
            Self::Path(_) => "bad-path",
            Self::Exists { .. } => "exists",
            Self::MountPoint { .. } => "mount-point",
            Self::PathInSnapshot { .. } => "bad-path-in-snapshot",
            Self::Unknown { .. } => "unknown",
            Self::Ambiguous(_) => "ambiguous",
            Self::File { .. } => "file",
            Self::Output(_) => "output",
            Self::Json(_) => "json",
        }
    }

    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Client(source) | Self::OutOfSight { source, .. } => match source {
                ClientError::NoPermission { .. } | ClientError::Refused { status: 403, .. } => {
                    exit::NO_PERMISSION
                }
                ClientError::Refused { .. } => exit::REFUSED,
                ClientError::Unsendable(_) => exit::USAGE,
                _ => exit::UNREACHABLE,
            },
            Self::Interrupted { .. } => exit::INTERRUPTED,
            Self::OperationFailed { .. }
            | Self::AlreadyFinished { .. }
            | Self::Partly
            | Self::Declined
            | Self::Unknown { .. }
            | Self::Exists { .. }
            | Self::MountPoint { .. }
            | Self::File { .. }
            | Self::Output(_)
            | Self::Json(_) => exit::REFUSED,
            Self::Unconfirmed
            | Self::TagTwice(_)
            | Self::DiskTwice(_)
            | Self::Ambiguous(_)
            | Self::Path(_)
            | Self::PathInSnapshot { .. } => exit::USAGE,
        }
    }

    /// What is wrong.
    pub fn sentence(&self, socket: &Path) -> String {
        plain(self.words(socket))
    }

    fn words(&self, socket: &Path) -> String {
        match self {
            Self::Client(source) if speaks_otherwise(source) => {
                format!("what listens at {} is not heptad: {source}", socket.display())
            }
            Self::Client(ClientError::NoSocket { path }) => {
                format!("heptad does not run here: there is no socket at {}", path.display())
            }
            Self::Client(ClientError::NobodyListens { path }) => {
                format!("heptad does not run: nobody listens at {}", path.display())
            }
            Self::Client(ClientError::NoPermission { path }) => {
                format!("you may not talk to heptad at {}", path.display())
            }
            other => other.to_string(),
        }
    }

    /// The ways out, one a line.
    pub fn hints(&self, socket: &Path) -> Vec<String> {
        match self {
            Self::Client(source) if speaks_otherwise(source) => {
                vec!["name heptad's socket with --socket or HEPTAD_SOCKET".into()]
            }
            Self::Client(ClientError::NoSocket { .. } | ClientError::NobodyListens { .. }) => vec![
                "start it with `systemctl start heptad`; `journalctl -u heptad` says why it stopped"
                    .into(),
                "without root, `heptad run` starts a daemon of your own".into(),
                "if its socket is elsewhere, name it with --socket or HEPTAD_SOCKET".into(),
            ],
            Self::Client(ClientError::NoPermission { .. }) => vec![
                "members of the group heptad may look, take, keep, tag and change times, members of \
                 heptad-admin may do all: `usermod -aG heptad USER`, then log in again"
                    .into(),
                "without root, `heptad run` starts a daemon of your own".into(),
            ],
            Self::Client(source) => filled(source.hint()),
            Self::OutOfSight { id, .. } => {
                let way = format!("it goes on without us: `heptactl operation {id} --wait`");
                vec![way, format!("the socket is {}", socket.display())]
            }
            Self::Exists { is_directory: true, .. } => {
                vec!["name another place with -o: a directory is never replaced".into()]
            }
            Self::Interrupted { id, .. } => vec![
                format!("`heptactl operation {id} --wait` waits for its end"),
                format!("`heptactl cancel {id}` stops it"),
            ],
            Self::Exists { .. } => {
                vec!["name another place with -o, or replace it with --force".into()]
            }
            Self::MountPoint { hint, .. } => filled(hint.clone()),
            Self::Ambiguous(name) => vec![
                format!("for the resource: `heptactl tag --resource {name} …`"),
                format!("for the snapshot: `heptactl tag --snapshot {name} …`"),
            ],
            Self::Unconfirmed => vec!["add --yes to do it without a question".into()],
            Self::Unknown { hints, .. } => hints.clone(),
            _ => Vec::new(),
        }
    }
}

fn filled(hint: String) -> Vec<String> {
    if hint.is_empty() { Vec::new() } else { vec![hint] }
}

/// Whether somebody answered who does not speak HTTP, or not heptad's.
fn speaks_otherwise(source: &ClientError) -> bool {
    match source {
        ClientError::Garbled(_) => true,
        ClientError::Broken { source } => source.is_parse(),
        _ => false,
    }
}
