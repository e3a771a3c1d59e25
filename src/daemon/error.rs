//! Why heptad does not start.

use crate::api::server::ListenError;
use crate::catalogue::CatalogueError;
use crate::config::Findings;
use crate::host::clock::ClockError;
use crate::host::lock::LockError;
use crate::host::logging::LogError;

/// Why the daemon does not start.
#[derive(Debug, thiserror::Error)]
pub enum BootError {
    #[error("{0}")]
    Configuration(Findings),
    #[error(transparent)]
    Lock(#[from] LockError),
    #[error(transparent)]
    Catalogue(#[from] CatalogueError),
    #[error(transparent)]
    Clock(#[from] ClockError),
    #[error(transparent)]
    Listen(#[from] ListenError),
    #[error(transparent)]
    Log(#[from] LogError),
    #[error("cannot start {what}: {source}")]
    System { what: &'static str, source: std::io::Error },
    #[error("cannot start housekeeping: {0}")]
    Housekeeping(#[from] tokio_cron_scheduler::JobSchedulerError),
}

impl BootError {
    /// sysexits(3) where one fits: 78 configuration, 75 another instance runs.
    pub fn exit_code(&self) -> u8 {
        match self {
            BootError::Configuration(_) => 78,
            BootError::Lock(LockError::AlreadyRunning { .. }) => 75,
            _ => 1,
        }
    }
}
