//! The options table of this backend.

use super::super::Backend;
use super::super::options::Reader;
use super::super::options::{Context, OptionFinding};
use super::protocol::Check;
use super::{Sqlite, WORD};
use crate::store::Store;
use serde_json::{Map, Value};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// How long one act of the helper may take: copying and checking a large database on a slow disk.
const DEADLINE: u64 = 3600;
/// How long a writer may be made to wait at most, once the database does not keep still. SQLite's
/// own default for waiting is not to wait; libraries set 5 to 60 s.
const HOLD: u64 = 30;

#[derive(Debug)]
pub struct Settings {
    /// The database file.
    pub path: PathBuf,
    pub check: Check,
    /// Whether the helper becomes the file's owner; without root it never can.
    pub as_owner: bool,
    /// The program that has the helper in it; this very one where none is named.
    pub helper: Option<PathBuf>,
    pub deadline: Duration,
    pub hold: Duration,
}

/// The constructor for the registry; touches nothing.
pub fn build(
    options: &Map<String, Value>,
    context: &Context,
) -> Result<Arc<dyn Backend>, Vec<OptionFinding>> {
    let mut reader = Reader::new(options);
    let path = reader.required_path("path");
    let store = reader.path("store").unwrap_or_else(|| context.state.join("store"));
    let checks = [("quick", Check::Quick), ("full", Check::Full), ("none", Check::None)];
    let check = reader.choice("check", &checks).unwrap_or(Check::Quick);
    let as_owner = reader.flag("as_owner").unwrap_or(true);
    let deadline = seconds(&mut reader, "deadline", DEADLINE);
    let hold = seconds(&mut reader, "hold", HOLD);
    let helper = reader.path("helper");
    if path.as_deref().is_some_and(|path| path.starts_with(store.join(context.resource.as_str()))) {
        reader.find(
            "path",
            "lies inside the store of its own snapshots".into(),
            "choose another store",
        );
    }
    let built = path.map(|path| Sqlite {
        settings: Settings { path, check, as_owner, helper, deadline, hold },
        store: Store::new(WORD, store, &context.state, &context.resource),
    });
    reader.finish(built).map(|sqlite| Arc::new(sqlite) as Arc<dyn Backend>)
}

fn seconds(reader: &mut Reader<'_>, key: &'static str, otherwise: u64) -> Duration {
    let given = reader.number(key);
    if given.is_some_and(|given| !(1..=86_400).contains(&given)) {
        reader.find(key, "is out of range".into(), "write seconds, from 1 to 86400");
    }
    Duration::from_secs(given.unwrap_or(otherwise))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn everything_wrong_with_the_options_is_found_at_once() {
        let check = |options: Value, want: &[&str]| {
            let context = Context { resource: "app".parse().unwrap(), state: "/var/lib/x".into() };
            let found = build(options.as_object().unwrap(), &context).err().unwrap_or_default();
            let found = found.iter().map(|found| format!("{} {}", found.key, found.problem));
            assert_eq!(found.collect::<Vec<_>>(), want);
        };
        check(json!({ "path": "/srv/a.db", "check": "full", "as_owner": false }), &[]);
        check(json!({}), &["path is missing"]);
        let wrong = json!({
            "path": "/var/lib/x/store/app/a.db", "check": "some", "as_owner": 1, "hold": 0,
            "chek": "full",
        });
        let want = [
            "check \"some\" is not known",
            "as_owner 1 is not true or false",
            "hold is out of range",
            "path lies inside the store of its own snapshots",
            "chek is not an option of this backend",
        ];
        check(wrong, &want);
    }
}
