//! Who waits for whom: a line for each user, and few at work at once.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use tokio::sync::Semaphore;

/// Answers that are made at once, of all users.
pub(super) const MADE: usize = 2;

/// Questions to the catalogue that wait at once: its thread is the one that decides.
pub(super) const RECALLED: usize = 2;

/// Answers of one user that are made or not taken yet; what waits to be taken is held in memory.
pub(super) const OF_A_USER: usize = 4;

/// Streams of events of one user.
pub(super) const STREAMS: usize = 16;

pub struct Heavy {
    pub made: Arc<Semaphore>,
    pub recalled: Arc<Semaphore>,
    pub answers: Lines,
    pub streams: Lines,
}

/// A line for each user, as long as somebody stands in it.
pub struct Lines {
    places: usize,
    by_uid: Mutex<HashMap<u32, Weak<Semaphore>>>,
}

impl Default for Heavy {
    fn default() -> Self {
        let line = |places| Lines { places, by_uid: Mutex::default() };
        Self {
            made: Arc::new(Semaphore::new(MADE)),
            recalled: Arc::new(Semaphore::new(RECALLED)),
            answers: line(OF_A_USER),
            streams: line(STREAMS),
        }
    }
}

impl Lines {
    /// The line of a user.
    pub fn of(&self, uid: u32) -> Arc<Semaphore> {
        let mut lines = self.by_uid.lock().unwrap_or_else(PoisonError::into_inner);
        lines.retain(|_, line| line.strong_count() > 0);
        if let Some(line) = lines.get(&uid).and_then(Weak::upgrade) {
            return line;
        }
        let line = Arc::new(Semaphore::new(self.places));
        lines.insert(uid, Arc::downgrade(&line));
        line
    }
}
