//! What the system asks of the daemon by signals.
//!
//! By handlers, not by a blocked mask: programs that the daemon starts would inherit the mask and
//! could not be stopped politely.

use tokio::signal::unix::{Signal, SignalKind, signal};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    /// SIGTERM or SIGINT.
    Stop,
    /// SIGHUP.
    Reload,
}

#[derive(Debug)]
pub struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
}

impl Signals {
    /// From here on these signals no longer end the process. Must be called inside the runtime.
    ///
    /// # Errors
    /// Those of sigaction(2).
    pub fn listen() -> std::io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }

    /// The next one; several of a kind that came together count as one. A stop goes before a
    /// reload.
    pub async fn next(&mut self) -> Asked {
        tokio::select! {
            biased;
            _ = self.terminate.recv() => Asked::Stop,
            _ = self.interrupt.recv() => Asked::Stop,
            _ = self.hangup.recv() => Asked::Reload,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nix::sys::signal::{Signal as Kind, kill};
    use nix::unistd::Pid;
    use std::time::Duration;

    #[test]
    fn each_signal_asks_for_what_it_stands_for() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let mut signals = Signals::listen().unwrap();
            let cases = [
                (Kind::SIGHUP, Asked::Reload),
                (Kind::SIGTERM, Asked::Stop),
                (Kind::SIGINT, Asked::Stop),
                (Kind::SIGHUP, Asked::Reload),
            ];
            for (kind, want) in cases {
                kill(Pid::this(), kind).unwrap();
                let asked = tokio::time::timeout(Duration::from_secs(20), signals.next());
                assert_eq!(asked.await.unwrap(), want, "{kind}");
            }
        });
    }
}
