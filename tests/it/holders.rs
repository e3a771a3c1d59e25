//! Seeing who uses a directory, with real processes, mounts and namespaces.

use crate::support::other::Other;
use heptad::host::holders::holders;
use heptad::host::kernel_users::pins;

#[test]
fn whoever_holds_something_below_a_directory_is_found_and_nobody_else() {
    let top = tempfile::tempdir().unwrap();
    let dir = top.path().join("used");
    std::fs::create_dir_all(dir.join("sub")).unwrap();
    std::fs::write(dir.join("sub/file"), "x").unwrap();
    std::fs::create_dir(top.path().join("used too")).unwrap();
    let ours = std::fs::File::open(dir.join("sub/file")).unwrap();
    let check = |what: &str, want: Option<&str>| {
        let other = Other::doing(what, top.path());
        let found = holders(&dir).unwrap();
        let paths: Vec<_> = found.iter().map(|holder| holder.path.clone()).collect();
        let want = want.map(|path| top.path().join(path));
        assert_eq!(paths, want.clone().into_iter().collect::<Vec<_>>(), "{what}");
        if want.is_some() {
            assert_eq!((found[0].pid, &*found[0].program), (other.pid(), "sh"), "{what}");
        }
    };
    check("exec 5<$1/used/sub/file", Some("used/sub/file"));
    check("cd $1/used/sub", Some("used/sub"));
    check("cd $1/used", Some("used"));
    check("exec 5<$1/used/sub/file; rm $1/used/sub/file", Some("used/sub/file (deleted)"));
    check("cd \"$1/used too\"", None);
    check("cd $1", None);
    // Through a mount of its own that nobody else sees.
    check("mkdir $1/else; mount --bind $1/used $1/else; cd $1/else/sub", Some("else/sub"));
    // What is mounted over it keeps it from being replaced, too.
    check("mount -t tmpfs none $1/used; cd $1/used", Some("used"));
    drop(ours);
}

#[test]
fn a_file_is_held_by_whoever_has_it_open_under_its_name() {
    let top = tempfile::tempdir().unwrap();
    let file = top.path().join("a.db");
    std::fs::write(&file, "x").unwrap();
    let other = Other::doing("exec 5<$1/a.db", top.path());
    assert_eq!(holders(&file).unwrap()[0].pid, other.pid());
    std::fs::write(top.path().join("new"), "y").unwrap();
    std::fs::rename(top.path().join("new"), &file).unwrap();
    assert_eq!(holders(&file).unwrap(), [], "it holds the one before");
}

/// Starts one process after the other until dropped.
struct Restless(std::process::Child);

impl Restless {
    fn start() -> Self {
        let script = ["-c", "while :; do /bin/true; done"];
        Self(std::process::Command::new("sh").args(script).spawn().unwrap())
    }
}

impl Drop for Restless {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn processes_that_end_while_they_are_looked_at_are_no_obstacle() {
    let top = tempfile::tempdir().unwrap();
    let _restless = [(); 3].map(|()| Restless::start());
    for _ in 0..300 {
        let found = holders(top.path()).and_then(|_| pins(top.path()));
        assert_eq!(found.map_err(|error| error.to_string()), Ok(Vec::new()));
    }
}
