//! Why a client got no answer, or not the one it wished for.

use super::super::wire::RefusalBody;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    #[error("there is no socket at {}", path.display())]
    NoSocket { path: PathBuf },
    #[error("nobody listens at {}", path.display())]
    NobodyListens { path: PathBuf },
    #[error("{} may not be opened by this user", path.display())]
    NoPermission { path: PathBuf },
    #[error("{} cannot be connected to: {source}", path.display())]
    Unconnectable { path: PathBuf, source: std::io::Error },
    #[error("too many wait at {} to be let in", path.display())]
    Crowded { path: PathBuf },
    #[error("heptad does not start")]
    DoesNotStart,
    #[error("no answer within {seconds} s")]
    Timeout { seconds: u64 },
    #[error("{}", refusal.message)]
    Refused { status: u16, refusal: RefusalBody },
    #[error("the connection broke: {source}")]
    Broken { source: hyper::Error },
    #[error("interrupted")]
    Interrupted,
    #[error("the daemon ended the stream")]
    Ended,
    #[error("the answer is not one of heptad's: {0}")]
    Garbled(String),
    #[error("the request cannot be written down: {0}")]
    Unsendable(String),
    #[error("no event queue can be had: {0}")]
    Runtime(std::io::Error),
}

impl ClientError {
    /// What to do about it, as a sentence part.
    pub fn hint(&self) -> String {
        match self {
            Self::NoSocket { .. } => "start heptad (`systemctl start heptad`), or name its socket \
                                      with --socket or HEPTAD_SOCKET"
                .into(),
            Self::NobodyListens { .. } => "heptad has stopped: `systemctl status heptad` and \
                                           `journalctl -u heptad` say why"
                .into(),
            Self::NoPermission { .. } => "the directory of the socket is closed to you; ask to be \
                                          added to the group heptad, then log in again"
                .into(),
            Self::DoesNotStart => {
                "`heptad check` and `journalctl -u heptad` say why; once that is \
                                   mended it starts by itself"
                    .into()
            }
            Self::Crowded { .. } => "end what asks so much of heptad, or try again later".into(),
            Self::Timeout { .. } => "the daemon is busy or stuck: `systemctl status heptad` and \
                                     `journalctl -u heptad` say more; asking again is safe"
                .into(),
            Self::Refused { refusal, .. } => refusal.hint.clone(),
            Self::Broken { .. } | Self::Ended => "heptad may have been restarted; ask again".into(),
            Self::Garbled(_) => "is another program listening there, or another version?".into(),
            Self::Interrupted
            | Self::Unconnectable { .. }
            | Self::Unsendable(_)
            | Self::Runtime(_) => String::new(),
        }
    }

    /// The stable code, for scripts.
    pub fn code(&self) -> &str {
        match self {
            Self::NoSocket { .. } => "no-socket",
            Self::NobodyListens { .. } => "nobody-listens",
            Self::NoPermission { .. } => "no-permission",
            Self::Unconnectable { .. } => "unconnectable",
            Self::Crowded { .. } => "crowded",
            Self::DoesNotStart => "does-not-start",
            Self::Timeout { .. } => "timeout",
            Self::Refused { refusal, .. } => &refusal.code,
            Self::Broken { .. } => "broken",
            Self::Interrupted => "interrupted",
            Self::Ended => "ended",
            Self::Garbled(_) => "garbled",
            Self::Unsendable(_) => "unsendable",
            Self::Runtime(_) => "runtime",
        }
    }

    pub(super) fn connect(path: &Path, source: std::io::Error) -> Self {
        let path = path.to_owned();
        match source.kind() {
            ErrorKind::NotFound | ErrorKind::NotADirectory => Self::NoSocket { path },
            ErrorKind::ConnectionRefused => Self::NobodyListens { path },
            ErrorKind::PermissionDenied => Self::NoPermission { path },
            ErrorKind::WouldBlock => Self::Crowded { path },
            _ => Self::Unconnectable { path, source },
        }
    }
}
