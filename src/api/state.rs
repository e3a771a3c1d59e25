//! What all routes share.

use super::answers::View;
use super::changes::Tracker;
use super::limits::Limits;
use super::lines::Heavy;
use super::refusal::Refusal;
use super::roles::{Peer, Rules};
use super::service::{Published, Service, Soon};
use axum::extract::Request;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::{Instant, timeout};

/// Between two logged refusals of one user.
const QUIET: Duration = Duration::from_secs(60);

/// For a look at what was amiss; a healthy backend answers in milliseconds.
const LOOKING: Duration = Duration::from_secs(1);

pub struct AppState {
    pub service: Arc<dyn Service>,
    pub rules: Rules,
    pub limits: Limits,
    pub tracker: Tracker,
    /// Becomes true when the server shall end; long polls and streams end with it.
    pub stopping: watch::Receiver<bool>,
    /// The OpenAPI document, once the routes are made.
    pub document: OnceLock<String>,
    /// When a refusal was last logged, by user.
    pub refusals: Mutex<HashMap<u32, Instant>>,
    pub heavy: Heavy,
}

/// How routes take it.
pub(super) type Shared = axum::extract::State<Arc<AppState>>;

impl AppState {
    pub fn published(&self) -> Published {
        self.service.published().borrow().clone()
    }

    /// Waits a moment for a new look at what was amiss: an alarm should not outlive its cause for
    /// whoever asks.
    pub async fn look_again(&self) {
        let mut published = self.service.published();
        if !self.service.look_again() {
            return;
        }
        let looks = |now: &Published| {
            now.ledger.accounts.values().any(|a| a.is_amiss() && a.running.is_some())
        };
        let seen = async {
            while published.changed().await.is_ok() {
                if !looks(&published.borrow_and_update()) {
                    break;
                }
            }
        };
        // A backend that does not answer holds nobody up.
        let _ = timeout(LOOKING, seen).await;
    }

    /// Makes an answer from the newest facts.
    pub fn look<T>(&self, answer: impl FnOnce(&View<'_>) -> T) -> T {
        let published = self.published();
        answer(&View::new(&published, self.service.as_ref()))
    }

    /// Waits for the daemon, but not for ever.
    pub async fn soon<T>(&self, answer: Soon<'_, T>) -> Result<T, Refusal> {
        timeout(self.limits.answer, answer).await.map_err(|_| Refusal::late())
    }

    /// Logs that a user was refused, but no more than once a minute for each.
    pub fn note_refusal(&self, peer: &Peer, request: &Request) {
        let mut refusals = self.refusals.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        refusals.retain(|_, at| now.duration_since(*at) < QUIET);
        if refusals.contains_key(&peer.uid()) {
            return;
        }
        refusals.insert(peer.uid(), now);
        let (method, path) = (request.method(), request.uri().path());
        let (uid, pid) = (peer.uid(), peer.credentials.pid);
        tracing::warn!(uid, pid, %method, path, "uid {uid} may not do this: {method} {path}");
    }

    /// How long a client that asks to wait may wait.
    pub fn wait(&self, seconds: u32) -> Result<Duration, Refusal> {
        let wait = Duration::from_secs(u64::from(seconds));
        if wait > self.limits.wait {
            let most = self.limits.wait.as_secs();
            let hint = format!("wait at most {most} s, and ask again");
            return Err(Refusal::bad("bad-value", format!("wait={seconds} is too long"), hint));
        }
        Ok(wait)
    }
}
