//! What a long act tells while it is on, and what it asks.

use super::StorageError;

/// Called often, at each entry and each chunk; cheap.
pub trait Progress: Send + Sync {
    /// Tells how far it is.
    fn report(&self, done_bytes: u64, total_bytes: Option<u64>);

    /// Whether it shall go on. What is wanted no more is never wanted again.
    fn is_wanted(&self) -> bool;

    /// # Errors
    /// [`Fault::Cancelled`](crate::domain::operation::Fault::Cancelled) where it is not wanted any
    /// more.
    fn wanted(&self) -> Result<(), StorageError> {
        if self.is_wanted() { Ok(()) } else { Err(StorageError::unwanted()) }
    }
}

/// Nobody hears, and nobody wants it to stop.
impl Progress for () {
    fn report(&self, _done: u64, _total: Option<u64>) {}

    fn is_wanted(&self) -> bool {
        true
    }
}

/// Tells nothing, as somebody else does or nobody waits for bytes, but asks.
pub struct Asking<'a>(pub &'a dyn Progress);

impl Progress for Asking<'_> {
    fn report(&self, _done: u64, _total: Option<u64>) {}

    fn is_wanted(&self) -> bool {
        self.0.is_wanted()
    }
}
