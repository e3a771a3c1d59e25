//! The options table of this backend.

use super::super::Backend;
use super::super::options::Reader;
use super::super::options::{Context, OptionFinding};
use super::{Files, WORD};
use crate::domain::setting::{Setting, Shape};
use crate::store::Store;
use serde_json::{Map, Value};
use std::collections::HashSet;
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

#[derive(Debug)]
pub(super) struct Settings {
    /// The directory or file to protect.
    pub path: PathBuf,
    /// Paths below it that snapshots leave out.
    pub exclude: Vec<PathBuf>,
    /// Whether file systems mounted below it are part of it.
    pub cross_mounts: bool,
    /// Nobody but the daemon's own user has to do with it, as somebody assures us.
    pub ours_alone: bool,
}

impl Settings {
    /// The excluded paths as the copier compares them.
    pub(super) fn excluded(&self) -> HashSet<Vec<u8>> {
        self.exclude.iter().map(|path| path.as_os_str().as_bytes().to_vec()).collect()
    }
}

/// The options, for the checker and for everybody who reads of them.
pub(crate) const OPTIONS: &[Setting] = &[
    Setting::new(
        "path",
        Shape::Path,
        "The directory or the file, an absolute path without symbolic links.",
    )
    .example("\"/home/ann/notes\"")
    .required(),
    Setting::new(
        "store",
        Shape::Path,
        "Where the snapshots go; the directory above it must exist. Reflinks need it on the same \
         file system as path; on another disk it also survives the loss of the first. Left out: \
         the directory store in heptad's state directory.",
    )
    .example("\"/home/.heptad\""),
    Setting::new(
        "exclude",
        Shape::Texts(100_000),
        "What is left out, relative to path. What heptad may not read belongs here: a snapshot \
         that lacks something else is suspect, and rotation waits for a person.",
    )
    .default("[]")
    .example("[\"cache\", \"drafts/scratch\"]"),
    Setting::new(
        "cross_mounts",
        Shape::Flag,
        "true: file systems mounted inside of path are part of it. false: they are not, and each \
         snapshot says so.",
    )
    .default("false"),
    Setting::new(
        "ours_alone",
        Shape::Flag,
        "true: only programs of the daemon's own user work in path, no other user's, not root's, \
         and no container's. heptad without root cannot look into those; it refuses a rollback \
         unless it is assured so. Said wrongly, what such a program writes meanwhile is lost. As \
         root it changes nothing.",
    )
    .default("false"),
];

/// The constructor for the registry; touches nothing.
pub(crate) fn build(
    options: &Map<String, Value>,
    context: &Context,
) -> Result<Arc<dyn Backend>, Vec<OptionFinding>> {
    let mut reader = Reader::new(options, OPTIONS);
    let path = reader.required_path("path");
    let store = reader.path("store").unwrap_or_else(|| context.state.join("store"));
    let texts = reader.texts("exclude").unwrap_or_default();
    let mut exclude = Vec::new();
    for text in &texts {
        match relative(text) {
            Some(path) => exclude.push(path),
            None => reader.find(
                "exclude",
                format!("{text:?} is not a path below the resource"),
                "write it relative to path, without \"..\": exclude = [\"cache\", \"a/b\"]",
            ),
        }
    }
    let cross_mounts = reader.flag("cross_mounts").unwrap_or(false);
    let ours_alone = reader.flag("ours_alone").unwrap_or(false);
    if path.as_deref().is_some_and(|path| path.starts_with(store.join(context.resource.as_str()))) {
        reader.find(
            "path",
            "lies inside the store of its own snapshots".into(),
            "choose another store",
        );
    }
    let built = path.map(|path| Files {
        settings: Settings { path, exclude, cross_mounts, ours_alone },
        store: Store::new(WORD, store, &context.state, &context.resource),
    });
    reader.finish(built).map(|files| Arc::new(files) as Arc<dyn Backend>)
}

/// A relative path of plain components, tidied.
fn relative(text: &str) -> Option<PathBuf> {
    let mut tidy = PathBuf::new();
    for part in Path::new(text).components() {
        match part {
            Component::Normal(part) => tidy.push(part),
            Component::CurDir => {}
            Component::ParentDir | Component::RootDir | Component::Prefix(_) => return None,
        }
    }
    let named = !tidy.as_os_str().is_empty() && !text.contains('\0');
    named.then_some(tidy)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn excluded_paths_are_relative_and_stay_inside() {
        let check = |text: &str, want: Option<&str>| {
            assert_eq!(relative(text), want.map(PathBuf::from), "{text:?}");
        };
        check("cache", Some("cache"));
        check("./a//b/", Some("a/b"));
        check("/etc", None);
        check("a/../..", None);
        check(".", None);
        check("", None);
    }

    #[test]
    fn everything_wrong_with_the_options_is_found_at_once() {
        let options = serde_json::json!({
            "path": "relative", "exclude": ["/etc", "ok"], "cross_mount": true,
        });
        let context = Context { resource: "web-1".parse().unwrap(), state: "/var/lib/x".into() };
        let findings = build(options.as_object().unwrap(), &context).unwrap_err();
        let keys: Vec<&str> = findings.iter().map(|finding| finding.key.as_str()).collect();
        assert_eq!(keys, ["path", "exclude", "cross_mount"]);
        assert_eq!(findings[2].hint, "did you mean cross_mounts?");
    }

    #[test]
    fn a_store_inside_the_tree_is_left_out_of_it() {
        let options = serde_json::json!({ "path": "/srv", "store": "/srv/.s", "exclude": ["tmp"] });
        let context = Context { resource: "web-1".parse().unwrap(), state: "/var/lib/x".into() };
        let territory = build(options.as_object().unwrap(), &context).unwrap().territory();
        assert_eq!(territory.left_out, [PathBuf::from("/srv/tmp"), PathBuf::from("/srv/.s")]);
        assert_eq!(territory.store, Some("/srv/.s".into()));
    }
}
