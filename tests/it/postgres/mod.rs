//! The `postgres` backend with real servers on real file systems.

mod back;
mod busy;
mod faults;
mod found;
mod included;
mod killed;
mod load;
mod occupied;
mod places;
mod proof;
mod server;
mod spaces;
pub mod stopped;
mod told;
mod unit;

use heptad::backend::Backend;
use heptad::backend::options::Context;
use heptad::backend::registry;
use serde_json::{Value, json};
use std::path::Path;
use std::sync::Arc;

/// A backend by its options, as the configuration would build it.
fn build(resource: &str, data: &Path, store: &Path, more: Value) -> Arc<dyn Backend> {
    let mut options = json!({ "data": data, "store": store, "prove": "never" });
    for (key, value) in more.as_object().unwrap() {
        options[key] = value.clone();
    }
    let state = store.parent().unwrap().join("state");
    let _ = std::fs::create_dir(&state);
    let context = Context { resource: resource.parse().unwrap(), state };
    registry::build("postgres", options.as_object().unwrap(), &context).unwrap()
}
