//! The options table of this backend.

use super::super::Backend;
use super::super::options::Reader;
use super::super::options::{Context, OptionFinding};
use super::{Postgres, WORD};
use crate::domain::setting::{Setting, Shape};
use crate::store::Store;
use serde_json::{Map, Value};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

#[derive(Debug)]
pub(super) struct Settings {
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
pub(super) enum Prove {
    /// An automatic one, when no other was proven in the week before it.
    Weekly,
    Always,
    Never,
}

const PROVE: &[(&str, Prove)] =
    &[("weekly", Prove::Weekly), ("always", Prove::Always), ("never", Prove::Never)];

/// The options, for the checker and for everybody who reads of them.
pub(crate) const OPTIONS: &[Setting] = &[
    Setting::new("data", Shape::Path, "The data directory of the cluster.")
        .example("\"/var/lib/postgresql/15/main\"")
        .required(),
    Setting::new(
        "store",
        Shape::Path,
        "Where the snapshots go. They are instant where it shares blocks with the data directory: \
         on one btrfs or one XFS. Elsewhere pg_basebackup copies every byte. All directories \
         above it must be root's. Left out: the directory store in heptad's state directory.",
    )
    .example("\"/var/lib/heptad-postgres\""),
    Setting::new(
        "socket",
        Shape::Path,
        "The directory of the socket that the server listens on, if not where it says itself in \
         postmaster.pid.",
    )
    .example("\"/run/postgresql\""),
    Setting::new(
        "port",
        Shape::Whole(1, 65_535),
        "The port that belongs to socket. Left out: what the server says.",
    )
    .example("5432"),
    Setting::new(
        "user",
        Shape::Text,
        "The role to ask as. Left out: the name of the owner of the data directory.",
    )
    .example("\"postgres\""),
    Setting::new("database", Shape::Text, "The database to connect to.").default("\"postgres\""),
    Setting::new(
        "bin",
        Shape::Path,
        "Where the server's programs are, if not where Debian puts those of the cluster's \
         version.",
    )
    .example("\"/usr/lib/postgresql/15/bin\""),
    Setting::new(
        "prove",
        Shape::Words(&["weekly", "always", "never"]),
        "How often a server is started on a copy of the newest automatic snapshot, with its own \
         configuration, and reads all of its databases.",
    )
    .default("\"weekly\""),
];

/// The constructor for the registry; touches nothing.
pub(crate) fn build(
    options: &Map<String, Value>,
    context: &Context,
) -> Result<Arc<dyn Backend>, Vec<OptionFinding>> {
    let mut reader = Reader::new(options, OPTIONS);
    let data = reader.required_path("data");
    let store = reader.path("store").unwrap_or_else(|| context.state.join("store"));
    let socket = reader.path("socket");
    let port = reader.number("port").and_then(|port| u16::try_from(port).ok());
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
        settings: Settings { data, socket, port, user, database, bin, prove },
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
