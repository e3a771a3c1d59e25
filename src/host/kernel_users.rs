//! What else than a process holds something below a path: mounts of it and in it, loop devices,
//! swap files. The kernel keeps these whatever becomes of the name, so nothing that shall be
//! replaced may have one.
//!
//! Not seen: a file that the kernel exports over the network.

use super::holders::{self, Holder, Place, Whom};
use super::mounts::{Mount, Mounts};
use std::collections::BTreeSet;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

const LOOPS: &str = "/sys/block";
const SWAPS: &str = "/proc/swaps";
/// Options of an overlay that name directories; see Documentation/filesystems/overlayfs.rst.
const LAYERS: [&str; 3] = ["lowerdir=", "upperdir=", "workdir="];

/// A sentence for each, with what to do.
///
/// # Errors
/// [`ErrorKind::PermissionDenied`] when other processes' mounts cannot be looked into.
/// [`ErrorKind::NotFound`] when `root` is not there.
pub fn pins(root: &Path) -> io::Result<Vec<String>> {
    pins_among(root, Whom::All)
}

/// The same, with the namespaces of those who are looked at.
pub fn pins_among(root: &Path, whom: Whom) -> io::Result<Vec<String>> {
    let root = std::fs::canonicalize(root)?;
    let table = Mounts::read().map_err(io::Error::other)?;
    let Some(place) = holders::place(&table, &root) else { return Ok(Vec::new()) };
    let mut said = mounts(&table, &root, &place);
    said.extend(holders::describe(&elsewhere(&table, &place, whom)?));
    let shown = holders::windows(&table, std::slice::from_ref(&place));
    let is_in = |path: &Path| shown.iter().any(|window| path.starts_with(window));
    for (device, file) in loops()?.into_iter().filter(|(_, file)| is_in(file)) {
        let device = device.display();
        said.push(format!("{device} is made of {}; try: losetup -d {device}", file.display()));
    }
    for file in swaps()?.into_iter().filter(|file| is_in(file)) {
        let file = file.display();
        said.push(format!("the system swaps to {file}; try: swapoff {file}"));
    }
    Ok(said)
}

/// Mounts in it, of it, and of layers that lie in it, as this process sees them.
fn mounts(table: &Mounts, root: &Path, place: &Place) -> Vec<String> {
    let inside = table.below(root).map(|mount| (mount, "something is mounted there"));
    let of_it = parts(table, place).filter(|mount| !mount.point.starts_with(root));
    let of_it = of_it.map(|mount| (mount, "a part of it is mounted there"));
    let layers = table.all().filter(|mount| mount.fs_type == "overlay");
    let layers = layers.filter(|mount| layers_of(mount).any(|layer| layer.starts_with(root)));
    let layers = layers.map(|mount| (mount, "a layer of what is mounted there lies in it"));
    let sentence = |(mount, why): (&Mount, &str)| {
        let point = mount.point.display();
        format!("{point} is in the way, {why}; try: umount {point}")
    };
    inside.chain(of_it).chain(layers).map(sentence).collect()
}

/// Mounts whose top is the place or lies in it.
fn parts<'a>(table: &'a Mounts, (device, path): &'a Place) -> impl Iterator<Item = &'a Mount> {
    table.on(device).filter(move |mount| mount.root.starts_with(path))
}

fn layers_of(mount: &Mount) -> impl Iterator<Item = &Path> {
    let named = mount.super_options.split(',');
    let dirs = named.filter_map(|o| LAYERS.iter().find_map(|layer| o.strip_prefix(layer)));
    dirs.flat_map(|dirs| dirs.split(':')).map(Path::new)
}

/// The first process of each other namespace that has a mount of its own of the place: it would
/// keep what was there before.
fn elsewhere(table: &Mounts, place: &Place, whom: Whom) -> io::Result<Vec<Holder>> {
    let own: BTreeSet<_> = parts(table, place).map(|mount| (&mount.root, &mount.point)).collect();
    let mut known = BTreeSet::from([std::fs::read_link("/proc/self/ns/mnt")?]);
    let mut found = Vec::new();
    for pid in holders::processes()? {
        let proc = PathBuf::from(format!("/proc/{pid}"));
        let seen = holders::look(|| {
            let theirs =
                holders::namespace(pid, &proc, whom)?.filter(|theirs| !known.contains(theirs));
            theirs.map(|theirs| Ok((theirs, holders::mounts_of(&proc)?))).transpose()
        });
        let Some((theirs, table)) = seen?.flatten() else { continue };
        known.insert(theirs);
        let part = parts(&table, place).find(|mount| !own.contains(&(&mount.root, &mount.point)));
        found.extend(part.map(|mount| holders::holder(pid, &proc, mount.point.clone())));
    }
    Ok(found)
}

/// Loop devices and the files that they are made of.
fn loops() -> io::Result<Vec<(PathBuf, PathBuf)>> {
    let mut found = Vec::new();
    let Some(entries) = holders::gone(std::fs::read_dir(LOOPS))? else { return Ok(found) };
    for entry in entries {
        let entry = entry?;
        let backing = std::fs::read_to_string(entry.path().join("loop/backing_file"));
        if let Ok(file) = backing {
            let file = file.trim_end_matches('\n').trim_end_matches(" (deleted)");
            found.push((Path::new("/dev").join(entry.file_name()), file.into()));
        }
    }
    Ok(found)
}

/// The files that the system swaps to, by the names that they had when that was asked for.
pub fn swaps() -> io::Result<Vec<PathBuf>> {
    let text = match std::fs::read_to_string(SWAPS) {
        // A kernel without swap has no such file.
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        text => text?,
    };
    Ok(swap_files(&text))
}

/// The first field of each line, where the second is `file`; see proc_swaps(5).
fn swap_files(text: &str) -> Vec<PathBuf> {
    let lines = text.lines().skip(1).map(|line| line.split_whitespace().collect::<Vec<_>>());
    let files = lines.filter(|fields| fields.get(1) == Some(&"file"));
    files.map(|fields| PathBuf::from(fields[0].replace("\\040", " "))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &str = "\
22 1 0:20 / / rw - ext4 /dev/vda rw
30 22 0:40 / /srv rw - btrfs /dev/vdb rw
31 30 0:41 / /srv/web/cache rw - tmpfs none rw
32 22 0:40 /web/pub /var/www rw - btrfs /dev/vdb rw
33 22 0:40 /webmail /mail rw - btrfs /dev/vdb rw
34 22 0:42 / /merged rw - overlay overlay rw,lowerdir=/a:/srv/web/base,upperdir=/b,workdir=/c
";

    #[test]
    fn mounts_in_a_path_and_of_it_are_told_with_what_to_unmount() {
        let table = Mounts::parse(TABLE.as_bytes()).unwrap();
        let check = |root: &str, want: &[&str]| {
            let root = Path::new(root);
            let said = mounts(&table, root, &holders::place(&table, root).unwrap());
            let points: Vec<_> = said.iter().map(|s| s.rsplit(' ').next().unwrap()).collect();
            assert_eq!(points, want, "{said:?}");
        };
        check("/srv/web", &["/srv/web/cache", "/var/www", "/merged"]);
        check("/srv/webmail", &["/mail"]);
        check("/srv/other", &[]);
    }

    #[test]
    fn only_swap_files_are_files() {
        let text = "Filename Type Size Used Priority\n/dev/vdc partition 1 0 -2\n/srv/my\\040swap \
                    file 1 0 -3\n";
        assert_eq!(swap_files(text), [PathBuf::from("/srv/my swap")]);
        assert!(swap_files("").is_empty());
    }
}
