//! When the server shall end.

use tokio::sync::watch;

/// Returns when the server shall end.
pub(super) async fn stopped(stopping: &mut watch::Receiver<bool>) {
    // A sender that is gone says the same.
    drop(stopping.wait_for(|stopping| *stopping).await);
}
