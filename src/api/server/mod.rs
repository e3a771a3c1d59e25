//! Serving the routes on a Unix socket, within bounds: how many connections, how large, how slow.
//!
//! axum's own `serve` bounds none of these, so hyper's connections are driven here. HTTP/1 only, no
//! compression. One route takes its connection over for what HTTP cannot carry: an open descriptor.

mod admission;
mod connection;
mod fd_handover;
mod lent;
mod listen;
mod timeouts;

pub use super::limits::Limits;
use super::stopping::stopped;
pub(super) use fd_handover::{PROTOCOL, hand_over};
pub use listen::{ListenError, Listener};

use super::roles::{Credentials, Peer, Rules};
use admission::{Admission, Admissions};
use axum::Router;
use connection::Caller;
use std::io::ErrorKind;
use std::sync::Arc;
use tokio::net::UnixStream;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

/// What is served to whom.
pub struct Served {
    pub router: Router,
    pub rules: Rules,
    pub limits: Limits,
}

/// Serves until `stop` becomes true, or its sender is gone; then lets requests finish for a while,
/// and returns.
pub async fn serve(listener: Listener, served: Served, mut stop: watch::Receiver<bool>) {
    let limits = served.limits;
    let reception = Reception { served, doors: Admissions::new(limits), stopping: stop.clone() };
    let mut open = JoinSet::new();
    let mut starved = false;
    loop {
        tokio::select! {
            () = stopped(&mut stop) => break,
            accepted = listener.accept() => match accepted {
                Ok(stream) => {
                    reception.receive(stream, &mut open);
                    starved = false;
                }
                Err(error) if error.kind() == ErrorKind::ConnectionAborted => {}
                Err(error) => {
                    if !starved {
                        tracing::warn!(%error, "cannot accept connections at present: {error}");
                    }
                    starved = true;
                    // Without descriptors it would fail at once again: wait, do not spin.
                    sleep(limits.pause).await;
                }
            },
            Some(ended) = open.join_next() => note(ended),
        }
    }
    drop(listener);
    let finish = async {
        while let Some(ended) = open.join_next().await {
            note(ended);
        }
    };
    if timeout(limits.grace, finish).await.is_err() {
        tracing::warn!("{} connections did not end in time; they are cut off", open.len());
    }
}

/// What a new connection meets.
struct Reception {
    served: Served,
    doors: Arc<Admissions>,
    stopping: watch::Receiver<bool>,
}

impl Reception {
    fn receive(&self, stream: UnixStream, open: &mut JoinSet<()>) {
        let credentials = match Credentials::of(&stream) {
            Ok(credentials) => credentials,
            Err(error) => {
                tracing::warn!(%error, "a peer without credentials was turned away: {error}");
                return;
            }
        };
        let peer = Peer::new(credentials, &self.served.rules);
        let caller = |router, limits| Caller {
            stream,
            peer: peer.clone(),
            router,
            limits,
            stopping: self.stopping.clone(),
        };
        match self.doors.enter(&peer) {
            Admission::Open(pass) => {
                let caller = caller(self.served.router.clone(), self.served.limits);
                open.spawn(async move {
                    caller.serve().await;
                    drop(pass);
                });
            }
            Admission::Full(pass) => {
                let caller = caller(admission::full(), self.served.limits.short());
                open.spawn(async move {
                    caller.serve().await;
                    drop(pass);
                });
            }
            Admission::Shut => {
                let uid = peer.uid();
                tracing::debug!(uid, "a connection of uid {uid} was dropped: too many");
            }
        }
    }
}

fn note(ended: Result<(), tokio::task::JoinError>) {
    if let Err(error) = ended
        && error.is_panic()
    {
        tracing::error!(%error, "a bug in heptad, please report: a request panicked: {error}");
    }
}
