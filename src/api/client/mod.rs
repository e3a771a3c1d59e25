//! The way to the daemon for programs that may block, such as heptactl.
//!
//! One connection per request; every request for a change carries an idempotency key, so that one
//! that was cut off may be sent again. Knows the wire and nothing of how to show it.

mod error;
mod events;
mod file;
mod http;
mod mount;
mod verbs;

pub use error::ClientError;
pub use file::FileAnswer;
pub use mount::MountAnswer;

use http::Call;
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

/// A door to one socket. Makes no connection until asked.
#[derive(Debug)]
pub struct Client {
    socket: PathBuf,
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
        let (socket, runtime) = (socket.into(), Arc::new(runtime));
        Ok(Self { socket, timeout: TIMEOUT, runtime, dry_run: false })
    }

    /// One whose changes are only asked about: refused as they would be, or answered with what they
    /// would become, and never made.
    #[must_use]
    pub fn rehearsal(&self) -> Self {
        let (socket, runtime) = (self.socket.clone(), Arc::clone(&self.runtime));
        Self { socket, timeout: self.timeout, runtime, dry_run: true }
    }

    #[must_use]
    pub fn with_timeout(self, timeout: Duration) -> Self {
        Self { timeout, ..self }
    }

    pub fn socket(&self) -> &Path {
        &self.socket
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
        http::decode(&http::call(&self.socket, call, limit).await?.body)
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
        let send = |call| self.runtime.block_on(http::call(&self.socket, call, self.timeout));
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
