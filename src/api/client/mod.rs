//! The way to the daemon for programs that may block, such as heptactl.
//!
//! One connection per request; every request for a change carries an idempotency key, so that one
//! that was cut off may be sent again. Knows the wire and nothing of how to show it.

mod error;
mod events;
mod file;
mod http;
mod mount;
mod service;
mod verbs;

pub use error::ClientError;
pub use file::FileAnswer;
pub use mount::MountAnswer;
pub use service::{SYSTEM_SOCKET, is_failing};

use http::{Call, Door};
use hyper::Method;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::{Builder, Runtime};
use uuid::Uuid;

/// How long an answer may take, beyond what the request itself asks to wait.
pub const TIMEOUT: Duration = Duration::from_secs(35);

/// Whether what should answer at a socket does not start. May ask others, and take its time.
pub type Failing = fn(&Path) -> bool;

/// The way to one socket. Makes no connection until asked.
#[derive(Debug)]
pub struct Client {
    door: Door,
    timeout: Duration,
    runtime: Arc<Runtime>,
    /// Whether changes are only asked about.
    dry_run: bool,
}

impl Client {
    /// # Errors
    /// [`ClientError::Runtime`] when the process cannot have another event queue.
    pub fn new(socket: impl Into<PathBuf>) -> Result<Self, ClientError> {
        let runtime = Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(ClientError::Runtime)?;
        let door = Door { socket: socket.into(), failing: None };
        Ok(Self { door, timeout: TIMEOUT, runtime: Arc::new(runtime), dry_run: false })
    }

    /// One whose changes are only asked about: refused as they would be, or answered with what they
    /// would become, and never made.
    #[must_use]
    pub fn rehearsal(&self) -> Self {
        let (door, runtime) = (self.door.clone(), Arc::clone(&self.runtime));
        Self { door, timeout: self.timeout, runtime, dry_run: true }
    }

    /// One that asks while no answer comes: a socket can be open long before, and long after, there
    /// is a daemon behind it.
    #[must_use]
    pub fn with_failing(self, failing: Option<Failing>) -> Self {
        Self { door: Door { failing, ..self.door }, ..self }
    }

    #[must_use]
    pub fn with_timeout(self, timeout: Duration) -> Self {
        Self { timeout, ..self }
    }

    pub fn socket(&self) -> &Path {
        &self.door.socket
    }

    /// Looks: `path` begins with `/`, its parts made by [`segment`]. `wait` is what the query asks
    /// the daemon to wait.
    fn look<T: DeserializeOwned>(
        &self,
        path: &str,
        query: &impl Serialize,
        wait: u32,
    ) -> Result<T, ClientError> {
        self.runtime.block_on(self.looked(path, query, wait))
    }

    async fn looked<T: DeserializeOwned>(
        &self,
        path: &str,
        query: &impl Serialize,
        wait: u32,
    ) -> Result<T, ClientError> {
        let call = Call::new(Method::GET, path, query)?;
        let limit = self.timeout + Duration::from_secs(u64::from(wait));
        http::decode(&http::call(&self.door, call, limit).await?.body)
    }

    /// Changes: with a fresh idempotency key, sent once again if the connection breaks.
    fn change<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        query: &impl Serialize,
        body: Option<Vec<u8>>,
    ) -> Result<T, ClientError> {
        let call = Call::new(method, path, query)?.with(body, Uuid::new_v4().to_string());
        let call = if self.dry_run { call.rehearsed() } else { call };
        let send = |call| self.runtime.block_on(http::call(&self.door, call, self.timeout));
        let answer = match send(call.clone()) {
            Err(ClientError::Broken { .. }) => send(call)?,
            other => other?,
        };
        http::decode(&answer.body)
    }
}

/// One part of a path, with everything encoded that has a meaning there.
pub fn segment(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~@:".contains(&byte);
    text.bytes().fold(String::new(), |mut path, byte| {
        if plain(byte) {
            path.push(char::from(byte));
        } else {
            path.push_str(&format!("%{byte:02X}"));
        }
        path
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_segment_never_becomes_two_nor_a_query() {
        let check = |text: &str, want: &str| assert_eq!(segment(text), want, "{text:?}");
        check("web-1@2026-11-22", "web-1@2026-11-22");
        check("db@2026-11-22T10:00:00Z", "db@2026-11-22T10:00:00Z");
        check("a/b?c#d %", "a%2Fb%3Fc%23d%20%25");
        check("é\n", "%C3%A9%0A");
    }
}
