//! The bounds of the socket.

use std::time::Duration;

/// All of them can be set, so that tests need not wait for the real ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Open connections in all.
    pub connections: usize,
    /// Of these, how many are for root and admins only.
    pub reserved: usize,
    /// Open connections of one user who is no admin.
    pub per_uid: usize,
    pub header_bytes: usize,
    pub headers: usize,
    pub body_bytes: usize,
    /// From the first byte of a request, or from the connection, to the end of its header.
    pub header: Duration,
    pub body: Duration,
    /// Between two requests of one connection.
    pub idle: Duration,
    /// For the daemon to answer.
    pub answer: Duration,
    /// For the client to take the next piece of an answer.
    pub write: Duration,
    /// The longest wait that a client may ask for.
    pub wait: Duration,
    /// When descriptors run out.
    pub pause: Duration,
    /// For requests to finish when the daemon stops.
    pub grace: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 512,
            reserved: 16,
            per_uid: 32,
            header_bytes: 16 * 1024,
            headers: 64,
            body_bytes: 256 * 1024,
            header: Duration::from_secs(5),
            body: Duration::from_secs(30),
            idle: Duration::from_secs(30),
            answer: Duration::from_secs(30),
            write: Duration::from_secs(30),
            wait: Duration::from_secs(300),
            pause: Duration::from_millis(100),
            grace: Duration::from_secs(5),
        }
    }
}

impl Limits {
    /// For a connection that only hears that there are too many.
    pub(super) fn short(self) -> Self {
        let second = Duration::from_secs(1);
        let brief = |limit: Duration| limit.min(second);
        Self {
            header: brief(self.header),
            body: brief(self.body),
            idle: brief(self.idle),
            write: brief(self.write),
            ..self
        }
    }
}
