//! The options of this backend.

use crate::domain::setting::{Setting, Shape};

/// The options, for the checker and for everybody who reads of them.
pub(crate) const OPTIONS: &[Setting] = &[
    Setting::new(
        "path",
        Shape::Path,
        "The subvolume, by the path where it is mounted or found. After a rollback of one that is \
         mounted by itself the mount shows the old content, read-only, until it is unmounted and \
         mounted again.",
    )
    .example("\"/srv\"")
    .required(),
    Setting::new(
        "store",
        Shape::Path,
        "Where the snapshots go: an existing directory on the same btrfs, outside of path. Left \
         out: .heptad at the top of the file system, where no user's tree shows them.",
    )
    .example("\"/var/backups/srv\""),
    Setting::new(
        "nested",
        Shape::Words(&["include", "note", "separate"]),
        "What becomes of subvolumes inside of path: include takes them along, note leaves them \
         out and says so in the snapshot, separate leaves them out without a word, since they are \
         resources of their own.",
    )
    .default("\"include\""),
];
