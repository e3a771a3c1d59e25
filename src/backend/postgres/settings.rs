//! The options table of this backend.

use super::super::Backend;
use super::super::options::Reader;
use super::super::options::{Context, OptionFinding};
use super::{Postgres, WORD};
use crate::store::Store;
use serde_json::{Map, Value};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

#[derive(Debug)]
pub struct Settings {
    /// The data directory.
    pub data: PathBuf,
    /// The directory of the server's socket; none: where the server says that it is.
    pub socket: Option<PathBuf>,
    /// None: what the server says.
    pub port: Option<u16>,
    /// The database role; none: the name of the data directory's owner.
    pub user: Option<String>,
    pub database: String,
    /// Where the programs of the server's version are; none: where distributions put them.
    pub bin: Option<PathBuf>,
    pub prove: Prove,
}

/// When a snapshot is proven by starting a server on a copy of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Prove {
    /// An automatic one, when no other was proven in the week before it.
    Weekly,
    Always,
    Never,
}

const PROVE: &[(&str, Prove)] =
    &[("weekly", Prove::Weekly), ("always", Prove::Always), ("never", Prove::Never)];

/// The constructor for the registry; touches nothing.
pub fn build(
    options: &Map<String, Value>,
    context: &Context,
) -> Result<Arc<dyn Backend>, Vec<OptionFinding>> {
    let mut reader = Reader::new(options);
    let data = reader.required_path("data");
    let store = reader.path("store").unwrap_or_else(|| context.state.join("store"));
    let socket = reader.path("socket");
    let port = reader.number("port").map(u16::try_from);
    if matches!(port, Some(Err(_) | Ok(0))) {
        reader.find("port", "is not a port number".into(), "write 1 to 65535, such as 5432");
    }
    let user = reader.text("user");
    let database = reader.text("database").unwrap_or_else(|| "postgres".into());
    let bin = reader.path("bin");
    let prove = reader.choice("prove", PROVE).unwrap_or(Prove::Weekly);
    if let Some(data) = &data {
        let own = store.join(context.resource.as_str());
        if store.starts_with(data) || data.starts_with(&own) {
            let problem = format!("{} and {} lie in each other", store.display(), data.display());
            reader.find("store", problem, "choose a directory outside of the data directory");
        }
    }
    let built = data.map(|data| Postgres {
        settings: Settings {
            data,
            socket,
            port: port.and_then(Result::ok),
            user,
            database,
            bin,
            prove,
        },
        store: Store::new(WORD, store, &context.state, &context.resource),
        proving: Mutex::new(()),
    });
    reader.finish(built).map(|built| Arc::new(built) as Arc<dyn Backend>)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(options: Value) -> Vec<String> {
        let context = Context { resource: "db-1".parse().unwrap(), state: "/var/lib/x".into() };
        match build(options.as_object().unwrap(), &context) {
            Ok(_) => Vec::new(),
            Err(findings) => findings.into_iter().map(|finding| finding.key).collect(),
        }
    }

    #[test]
    fn everything_wrong_with_the_options_is_found_at_once() {
        let check = |options: Value, want: &[&str]| assert_eq!(keys(options), want);
        check(serde_json::json!({ "data": "/d" }), &[]);
        check(serde_json::json!({}), &["data"]);
        check(
            serde_json::json!({ "data": "/d", "port": 70000, "prove": "daily", "sokcet": "/run" }),
            &["port", "prove", "sokcet"],
        );
        check(serde_json::json!({ "data": "/d", "store": "/d/store" }), &["store"]);
    }
}
