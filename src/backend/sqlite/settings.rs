//! The options table of this backend.

use super::super::Backend;
use super::super::options::Reader;
use super::super::options::{Context, OptionFinding};
use super::protocol::Check;
use super::{Sqlite, WORD};
use crate::domain::setting::{Setting, Shape};
use crate::store::Store;
use serde_json::{Map, Value};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// How long one act of the helper may take: copying and checking a large database on a slow disk.
const DEADLINE: Duration = Duration::from_secs(3600);
/// How long a writer may be made to wait at most, once the database does not keep still. SQLite's
/// own default for waiting is not to wait; libraries set 5 to 60 s.
const HOLD: Duration = Duration::from_secs(30);

#[derive(Debug)]
pub(super) struct Settings {
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

/// The options, for the checker and for everybody who reads of them.
pub(crate) const OPTIONS: &[Setting] = &[
    Setting::new(
        "path",
        Shape::Path,
        "The file itself, not a symbolic link to it, by the name that its programs open it by.",
    )
    .example("\"/srv/forum/forum.db\"")
    .required(),
    Setting::new(
        "store",
        Shape::Path,
        "Where the snapshots go. Left out: the directory store in heptad's state directory. All \
         directories above it must be root's.",
    )
    .example("\"/srv/ledger-snapshots\""),
    Setting::new(
        "check",
        Shape::Words(&["quick", "full", "none"]),
        "How each copy is checked: quick is PRAGMA quick_check, full is integrity_check, which \
         looks at the indexes, too.",
    )
    .default("\"quick\""),
    Setting::new(
        "as_owner",
        Shape::Flag,
        "As root, heptad lets SQLite look at the file only as the file's owner, in a process of \
         its own. In the systemd unit this needs the drop-in heptad-databases.conf.",
    )
    .default("true"),
    Setting::new("deadline", Shape::Seconds(1, 86_400), "How long one whole act may take.")
        .default("3600"),
    Setting::new(
        "hold",
        Shape::Seconds(1, 86_400),
        "How long writers of a database with a rollback journal may be made to wait when they \
         never pause for long enough.",
    )
    .default("30"),
    Setting::new(
        "helper",
        Shape::Path,
        "The program that holds what looks at databases, if it shall not be the heptad that runs: \
         one that only root can change.",
    )
    .example("\"/usr/bin/heptad\""),
];

/// The constructor for the registry; touches nothing.
pub(crate) fn build(
    options: &Map<String, Value>,
    context: &Context,
) -> Result<Arc<dyn Backend>, Vec<OptionFinding>> {
    let mut reader = Reader::new(options, OPTIONS);
    let path = reader.required_path("path");
    let store = reader.path("store").unwrap_or_else(|| context.state.join("store"));
    let checks = [("quick", Check::Quick), ("full", Check::Full), ("none", Check::None)];
    let check = reader.choice("check", &checks).unwrap_or(Check::Quick);
    let as_owner = reader.flag("as_owner").unwrap_or(true);
    let deadline = reader.seconds("deadline").unwrap_or(DEADLINE);
    let hold = reader.seconds("hold").unwrap_or(HOLD);
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
            "hold 0 is not a number of seconds from 1 to 86400",
            "path lies inside the store of its own snapshots",
            "chek is not an option of this backend",
        ];
        check(wrong, &want);
    }
}
