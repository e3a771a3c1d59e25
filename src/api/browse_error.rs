//! Why something in a snapshot is not shown, in public words.

use super::refusal::Refusal;
use super::wire::escape;
use crate::domain::tree::{BrowseError, Kind, TreePath};
use axum::http::StatusCode;

/// The one place where it gets its status, code, sentence and hint.
pub(super) fn refuse(why: &BrowseError, label: &str, path: &TreePath) -> Refusal {
    let what = match path.is_top() {
        true => label.to_owned(),
        false => format!("{} in {label}", escape(path.as_bytes())),
    };
    let sentence = format!("{what}: {why}");
    let browse = || format!("`heptactl browse {label}` shows what there is");
    let create =
        || format!("`heptactl create NEW --from {label} --path PATH` makes a new copy of it all");
    match why {
        BrowseError::NotThere => Refusal::absent("no-such-path", sentence, browse()),
        BrowseError::ThroughLink => {
            let hint = "browse the directory of the link: it shows where it says it leads";
            Refusal::clash("through-link", sentence, hint)
        }
        BrowseError::Elsewhere => {
            let hint = "unmount what was mounted into the store of snapshots";
            Refusal::clash("other-file-system", sentence, hint)
        }
        BrowseError::NotAFile(Kind::Directory) => {
            Refusal::clash("is-a-directory", sentence, create())
        }
        BrowseError::NotAFile(Kind::Link) => {
            let hint = "links are shown and not followed: `heptactl browse` says where it leads";
            Refusal::clash("is-a-link", sentence, hint)
        }
        BrowseError::NotAFile(_) => {
            Refusal::clash("not-a-file", sentence, "it has no content that could be read")
        }
        BrowseError::NotADirectory(_) => {
            let hint = format!("`heptactl get {label} . -o FILE` gets it");
            Refusal::clash("not-a-directory", sentence, hint)
        }
        BrowseError::Going => {
            Refusal::clash("not-usable", sentence, "choose another snapshot: `heptactl list`")
        }
        BrowseError::NoBackend => {
            let hint = "declare its resource in the configuration again and reload";
            Refusal::clash("no-backend", sentence, hint)
        }
        BrowseError::Crowded => {
            let status = StatusCode::TOO_MANY_REQUESTS;
            Refusal::new(status, "too-many-readers", sentence, "ask again when some have ended")
        }
        BrowseError::Never(_) => Refusal::clash("cannot-show-files", sentence, create()),
        BrowseError::Changed(_) => {
            Refusal::clash("not-usable", sentence, "choose another snapshot: `heptactl list`")
        }
        BrowseError::Unreadable(_) => Refusal::unable(
            "unreadable",
            sentence,
            "see `journalctl -u heptad -k`; ask again later",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_names_the_path_and_the_way_out() {
        let check = |why: BrowseError, path: &str, status: u16, sentence: &str, hint: &str| {
            let path = TreePath::new(path.as_bytes()).unwrap();
            let got = refuse(&why, "home@2026-11-22", &path);
            assert_eq!((got.status.as_u16(), got.refusal.message.as_str()), (status, sentence));
            assert!(got.refusal.hint.contains(hint), "{}", got.refusal.hint);
        };
        check(
            BrowseError::NotAFile(Kind::Directory),
            "etc",
            409,
            "etc in home@2026-11-22: it is a directory, not a file",
            "heptactl create NEW --from home@2026-11-22",
        );
        check(
            BrowseError::NotThere,
            "a\\b",
            404,
            "a\\\\b in home@2026-11-22: there is nothing of this name in it",
            "heptactl browse home@2026-11-22",
        );
        check(
            BrowseError::Crowded,
            "",
            429,
            "home@2026-11-22: too many readers on this pool; try again later",
            "ask again",
        );
    }
}
