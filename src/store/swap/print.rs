//! One number for how a tree or file is: another one after anybody has written to it.

use crate::fs::StorageError;
use crate::fs::fnv::{self, fnv};
use crate::fs::tree::{Meta, walk_with_mounts};
use std::os::fd::OwnedFd;

/// By what every write, and every change of names, rights and attributes moves. What a change of
/// its own name moves is left out, and so are the numbers of inodes: not every file system keeps
/// them.
pub(super) fn print(root: &OwnedFd) -> Result<u64, StorageError> {
    let mut hash = fnv::START;
    let mut add = |bytes: &[u8]| hash = fnv(hash, bytes.iter().copied());
    walk_with_mounts(root, &mut |path, meta| {
        add(path);
        add(&[0, u8::from(meta.is_some())]);
        if let Some(Meta { mode, uid, gid, size, mtime, ctime, kind, .. }) = meta {
            let changed = (!path.is_empty()).then_some(ctime);
            add(format!("{kind:?} {mode} {uid} {gid} {size} {mtime} {changed:?}").as_bytes());
        }
        Ok(())
    })?;
    Ok(hash)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fs::tree::open_nosymlink;
    use std::fs;
    use std::os::unix::fs::PermissionsExt;
    use std::path::Path;

    #[test]
    fn only_who_has_written_to_a_tree_changes_its_print() {
        let check = |act: &dyn Fn(&Path), is_same: bool, what: &str| {
            let dir = tempfile::tempdir().unwrap();
            let (one, two) = (dir.path().join("one"), dir.path().join("two"));
            fs::create_dir_all(one.join("dir/below")).unwrap();
            fs::write(one.join("dir/file"), "text").unwrap();
            let now = |path: &Path| print(&open_nosymlink(path).unwrap()).unwrap();
            let was = now(&one);
            act(&one);
            fs::rename(&one, &two).unwrap();
            assert_eq!(now(&two) == was, is_same, "{what}");
        };
        let file = |root: &Path| root.join("dir/file");
        check(&|_| (), true, "another name");
        check(&|root| drop(fs::read(file(root)).unwrap()), true, "read");
        check(&|root| fs::write(file(root), "next").unwrap(), false, "written");
        check(&|root| fs::write(root.join("dir/below/new"), "").unwrap(), false, "a new file");
        check(&|root| fs::remove_file(file(root)).unwrap(), false, "removed");
        let rights = fs::Permissions::from_mode(0o700);
        check(&|root| fs::set_permissions(file(root), rights.clone()).unwrap(), false, "rights");
    }

    #[test]
    fn a_file_of_its_own_is_known_by_its_size_and_time() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        fs::write(&path, "text").unwrap();
        let now = || print(&open_nosymlink(&path).unwrap()).unwrap();
        let was = now();
        fs::write(&path, "more text").unwrap();
        assert_ne!(now(), was);
    }
}
