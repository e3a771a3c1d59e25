//! All that is to be seen of a tree, for comparing two of them.

use std::collections::{BTreeMap, HashMap};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::Path;

/// Path to description: kind, mode, owner, time, content, attributes, and which names are one file.
pub fn picture(root: &Path) -> BTreeMap<Vec<u8>, String> {
    let (mut picture, mut inodes) = (BTreeMap::new(), HashMap::new());
    add(root, root, &mut inodes, &mut picture);
    picture
}

pub fn assert_same(one: &Path, other: &Path) {
    let (one, other) = (picture(one), picture(other));
    for (path, text) in &one {
        let path_text = String::from_utf8_lossy(path);
        assert_eq!(Some(text), other.get(path), "{path_text:?}");
    }
    assert_eq!(one.keys().collect::<Vec<_>>(), other.keys().collect::<Vec<_>>());
}

fn add(
    root: &Path,
    path: &Path,
    inodes: &mut HashMap<u64, Vec<u8>>,
    picture: &mut BTreeMap<Vec<u8>, String>,
) {
    let meta = path.symlink_metadata().unwrap();
    let name = path.strip_prefix(root).unwrap().as_os_str().as_bytes().to_vec();
    let kind = meta.file_type();
    let content = if kind.is_dir() {
        String::new()
    } else if kind.is_symlink() {
        format!("{:?}", std::fs::read_link(path).unwrap())
    } else if kind.is_file() {
        let bytes = std::fs::read(path).unwrap();
        format!("{} bytes, digest {:x}", bytes.len(), digest(&bytes))
    } else {
        format!("special {} {:x}", kind.is_fifo(), meta.rdev())
    };
    let first = inodes.entry(meta.ino()).or_insert_with(|| name.clone());
    let text = format!(
        "mode {:o} owner {}:{} time {}.{} {content} is {:?} with {:?}",
        meta.mode(),
        meta.uid(),
        meta.gid(),
        meta.mtime(),
        meta.mtime_nsec(),
        String::from_utf8_lossy(first),
        attributes(path),
    );
    picture.insert(name, text);
    if kind.is_dir() {
        let mut children: Vec<_> =
            std::fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()).collect();
        children.sort();
        for child in children {
            add(root, &child, inodes, picture);
        }
    }
}

fn digest(bytes: &[u8]) -> u64 {
    use std::hash::{DefaultHasher, Hash, Hasher};
    let mut hasher = DefaultHasher::new();
    bytes.hash(&mut hasher);
    hasher.finish()
}

fn attributes(path: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut names = vec![0; 65_536];
    let length = rustix::fs::llistxattr(path, &mut names[..]).unwrap();
    let names = names[..length]
        .split(|byte| *byte == 0)
        // XFS shows access lists twice.
        .filter(|name| !name.is_empty() && !name.starts_with(b"trusted.SGI_ACL_"));
    let value = |name: &[u8]| {
        let mut value = vec![0; 65_536];
        let length = rustix::fs::lgetxattr(path, name, &mut value[..]).unwrap();
        value[..length].to_vec()
    };
    names.map(|name| (String::from_utf8(name.to_vec()).unwrap(), value(name))).collect()
}
