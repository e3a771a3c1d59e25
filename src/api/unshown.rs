//! Why something in a snapshot is not shown, in public words.

use super::refuse::Refuse;
use super::wire::escape;
use crate::domain::tree::{Kind, TreePath, Unshown};
use axum::http::StatusCode;

/// The one place where it gets its status, code, sentence and hint.
pub fn refuse(why: &Unshown, label: &str, path: &TreePath) -> Refuse {
    let what = match path.is_top() {
        true => label.to_owned(),
        false => format!("{} in {label}", escape(path.as_bytes())),
    };
    let sentence = format!("{what}: {why}");
    let browse = || format!("`heptactl browse {label}` shows what there is");
    let create =
        || format!("`heptactl create NEW --from {label} --path PATH` makes a new copy of it all");
    match why {
        Unshown::NotThere => Refuse::absent("no-such-path", sentence, browse()),
        Unshown::ThroughLink => {
            let hint = "browse the directory of the link: it shows where it says it leads";
            Refuse::clash("through-link", sentence, hint)
        }
        Unshown::Elsewhere => {
            let hint = "unmount what was mounted into the store of snapshots";
            Refuse::clash("other-file-system", sentence, hint)
        }
        Unshown::NotAFile(Kind::Directory) => Refuse::clash("is-a-directory", sentence, create()),
        Unshown::NotAFile(Kind::Link) => {
            let hint = "links are shown and not followed: `heptactl browse` says where it leads";
            Refuse::clash("is-a-link", sentence, hint)
        }
        Unshown::NotAFile(_) => {
            Refuse::clash("not-a-file", sentence, "it has no content that could be read")
        }
        Unshown::NotADirectory(_) => {
            let hint = format!("`heptactl get {label} . -o FILE` gets it");
            Refuse::clash("not-a-directory", sentence, hint)
        }
        Unshown::Going => {
            Refuse::clash("not-usable", sentence, "choose another snapshot: `heptactl list`")
        }
        Unshown::NoBackend => {
            let hint = "declare its resource in the configuration again and reload";
            Refuse::clash("no-backend", sentence, hint)
        }
        Unshown::Crowded => {
            let status = StatusCode::TOO_MANY_REQUESTS;
            Refuse::new(status, "too-many-readers", sentence, "ask again when some have ended")
        }
        Unshown::Never(_) => Refuse::clash("cannot-show-files", sentence, create()),
        Unshown::Changed(_) => {
            Refuse::clash("not-usable", sentence, "choose another snapshot: `heptactl list`")
        }
        Unshown::Unreadable(_) => {
            Refuse::unable("unreadable", sentence, "see `journalctl -u heptad -k`; ask again later")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_names_the_path_and_the_way_out() {
        let check = |why: Unshown, path: &str, status: u16, sentence: &str, hint: &str| {
            let path = TreePath::new(path.as_bytes()).unwrap();
            let got = refuse(&why, "home@2026-11-22", &path);
            assert_eq!((got.status.as_u16(), got.refusal.message.as_str()), (status, sentence));
            assert!(got.refusal.hint.contains(hint), "{}", got.refusal.hint);
        };
        check(
            Unshown::NotAFile(Kind::Directory),
            "etc",
            409,
            "etc in home@2026-11-22: it is a directory, not a file",
            "heptactl create NEW --from home@2026-11-22",
        );
        check(
            Unshown::NotThere,
            "a\\b",
            404,
            "a\\\\b in home@2026-11-22: there is nothing of this name in it",
            "heptactl browse home@2026-11-22",
        );
        check(
            Unshown::Crowded,
            "",
            429,
            "home@2026-11-22: too many readers on this pool; try again later",
            "ask again",
        );
    }
}
