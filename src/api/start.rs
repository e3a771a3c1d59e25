//! The routes on a socket, with all that they share.

use super::changes::Tracker;
use super::limits::Limits;
use super::lines::Heavy;
use super::roles::Rules;
use super::routes;
use super::server::{self, Listener, Served};
use super::service::Service;
use super::state::AppState;
use std::sync::{Arc, Mutex, OnceLock};
use tokio::sync::watch;

/// Serves until `stop` becomes true, or its sender is gone; then ends streams and long polls,
/// lets requests finish for a while, and returns.
pub async fn serve(
    listener: Listener,
    service: Arc<dyn Service>,
    rules: Rules,
    limits: Limits,
    stop: watch::Receiver<bool>,
) {
    let published = service.published().borrow().clone();
    let app = Arc::new(AppState {
        service,
        rules: rules.clone(),
        limits,
        tracker: Tracker::new(published),
        stopping: stop.clone(),
        document: OnceLock::new(),
        refusals: Mutex::default(),
        heavy: Heavy::default(),
    });
    let router = routes::router(&app);
    server::serve(listener, Served { router, rules, limits }, stop).await;
}
