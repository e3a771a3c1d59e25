//! Which file systems an act touches: those that share one wait for each other, and a stuck one
//! delays nobody else.

use super::WORD;
use super::settings::Settings;
use crate::host::mounts::Mounts;
use std::collections::BTreeSet;
use std::path::Path;

/// The store's device, then all others that a copy looks at: where the resource lies, and what is
/// mounted inside of it where the copy goes on there.
/// From the kernel's table alone, so that it answers while a file system hangs. A symbolic link on
/// the way to the store is not followed: it counts as where the link is.
pub(super) fn name(settings: &Settings, store: &Path) -> String {
    match Mounts::read() {
        Ok(mounts) => named(&mounts, settings, store),
        // Without the table each store is its own.
        Err(_) => format!("{WORD}:{}", store.display()),
    }
}

fn named(mounts: &Mounts, settings: &Settings, store: &Path) -> String {
    let device = |path: &Path| match mounts.of(path) {
        Some(mount) => mount.device.clone(),
        None => path.display().to_string(),
    };
    let store = device(store);
    let left_out = |point: &Path| {
        settings.exclude.iter().any(|path| point.starts_with(settings.path.join(path)))
    };
    let crossed = |point: &Path| settings.cross_mounts && !left_out(point);
    let inside = mounts.below(&settings.path).filter(|mount| crossed(&mount.point));
    let mut others: BTreeSet<String> = inside.map(|mount| mount.device.clone()).collect();
    others.insert(device(&settings.path));
    others.remove(&store);
    others.iter().fold(format!("{WORD}:{store}"), |name, device| format!("{name}+{device}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &str = "\
22 1 0:20 / / rw - ext4 /dev/vda rw
30 22 0:40 / /home rw - xfs /dev/vdb rw
31 30 0:41 / /home/ann/remote rw - nfs server:/x rw
32 22 0:42 / /backup rw - ext4 /dev/vdc rw
33 30 0:40 /bob /home/bob/again rw - xfs /dev/vdb rw
";

    #[test]
    fn a_pool_is_the_file_systems_that_an_act_touches() {
        let mounts = Mounts::parse(TABLE.as_bytes()).unwrap();
        let check = |path: &str, crossing: Option<&[&str]>, store: &str, want: &str| {
            let exclude = crossing.unwrap_or_default().iter().map(Into::into).collect();
            let cross_mounts = crossing.is_some();
            let settings = Settings { path: path.into(), exclude, cross_mounts, ours_alone: false };
            assert_eq!(named(&mounts, &settings, Path::new(store)), want, "{path} to {store}");
        };
        check("/home/bob", Some(&[]), "/home/.store", "files:0:40");
        check("/home/bob", Some(&[]), "/backup", "files:0:42+0:40");
        check("/srv", Some(&[]), "/var/lib/heptad/store", "files:0:20");
        // A server that does not answer hangs whoever looks into what is mounted from it.
        check("/home/ann", Some(&[]), "/backup", "files:0:42+0:40+0:41");
        check("/home/ann", Some(&["remote"]), "/backup", "files:0:42+0:40");
        check("/home/ann", None, "/backup", "files:0:42+0:40");
        check("/home/ann/remote/www", None, "/backup", "files:0:42+0:41");
    }
}
