//! A swap that fails at each of its steps, and what is there then.

use super::*;
use crate::domain::name::ResourceName;
use std::cell::Cell;
use tempfile::TempDir;

const TOKEN: Uuid = Uuid::from_u128(7);

/// Writes "new", and fails where it is told to.
#[derive(Default)]
struct New {
    fails: Cell<&'static str>,
    undone: Cell<u32>,
    /// What somebody wrote to cannot be put aside.
    sticks: Cell<bool>,
}

impl New {
    fn step(&self, name: &str) -> Result<(), StorageError> {
        if self.fails.get() != name {
            return Ok(());
        }
        Err(StorageError::new(Fault::Transient, name, "the disk is broken"))
    }
}

impl Replacement for New {
    fn stage(&self, dir: &OwnedFd, name: &CStr) -> Result<(), StorageError> {
        let path = crate::fs::subvolume::path_of(dir).join(name.to_str().unwrap());
        std::fs::write(path, "new").unwrap();
        self.step("stage")
    }

    fn users(&self, at: &Path) -> Result<Vec<String>, StorageError> {
        let hidden = at.to_string_lossy().contains(".heptad-");
        let is_old = std::fs::read_to_string(at).is_ok_and(|text| text == "old");
        let is_used = match self.fails.get() {
            "users" => hidden && is_old,
            "busy" => !hidden,
            "late" => hidden && !is_old && at.exists(),
            _ => false,
        };
        Ok(is_used.then(|| format!("somebody holds {}", at.display())).into_iter().collect())
    }

    fn ready(&self) -> Result<(), StorageError> {
        self.step("ready")
    }

    fn judge(&self, old: &Aside<'_>) -> Result<(), StorageError> {
        assert_eq!(std::fs::read_to_string(old.path).unwrap(), "old");
        if self.fails.get() == "written" {
            // By the name that both have had.
            std::fs::write(old.path.with_file_name("live"), "new, and more").unwrap();
            self.fails.set("judge");
        }
        self.step("judge")
    }

    fn part_with(&self, _: &Aside<'_>, _: &CStr) -> Result<(), StorageError> {
        match self.sticks.get() {
            true => Err(StorageError::new(Fault::NoSpace, "moving", "no room")),
            false => Ok(()),
        }
    }

    fn undo(&self) -> Result<(), StorageError> {
        self.undone.set(self.undone.get() + 1);
        Ok(())
    }

    fn carry(&self, old: &Aside<'_>, _new: &OwnedFd) -> Result<(), StorageError> {
        assert_eq!(std::fs::read_to_string(old.path).unwrap(), "old");
        self.step("carry")
    }
}

struct Scene {
    dir: TempDir,
    path: PathBuf,
    store: Store,
}

impl Scene {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("live");
        std::fs::write(&path, "old").unwrap();
        let resource: ResourceName = "web-1".parse().unwrap();
        let store = Store::new("test", dir.path().join("store"), dir.path(), &resource);
        store.make().unwrap();
        Self { dir, path, store }
    }

    fn run(&self, new: &New) -> Result<(), StorageError> {
        Swap::open(&self.store, &self.path, TOKEN).unwrap().run(new)
    }

    fn live(&self) -> String {
        std::fs::read_to_string(&self.path).unwrap()
    }

    fn hidden(&self) -> PathBuf {
        self.dir.path().join(format!(".heptad-rollback-{TOKEN}"))
    }

    /// Where something is kept that somebody wrote.
    fn kept(&self, more: &str) -> PathBuf {
        self.dir.path().join(format!(".heptad-written-{TOKEN}{more}"))
    }

    /// What has the hidden name.
    fn aside(&self) -> Option<String> {
        std::fs::read_to_string(self.hidden()).ok()
    }
}

#[test]
fn whatever_step_fails_the_old_content_is_live_or_aside_and_a_second_try_completes_it() {
    let check = |fails: &'static str, live: &str, aside: Option<&str>, says: &str| {
        let (scene, new) = (Scene::new(), New::default());
        new.fails.set(fails);
        let error = scene.run(&new).unwrap_err().to_string();
        assert!(error.contains(says), "{fails}: {error}");
        assert_eq!((&*scene.live(), scene.aside().as_deref()), (live, aside), "{fails}");
        assert_eq!(new.undone.get(), if live == "old" { 2 } else { 1 }, "{fails}");
        new.fails.set("");
        scene.run(&new).unwrap();
        assert_eq!((&*scene.live(), scene.aside()), ("new", None), "{fails}");
        // It is done, so doing it again does nothing.
        std::fs::write(&scene.path, "newer").unwrap();
        scene.run(&new).unwrap();
        assert_eq!(scene.live(), "newer");
    };
    check("stage", "old", None, "the disk is broken");
    check("ready", "old", None, "the disk is broken");
    check("users", "old", None, "it is in use: somebody holds");
    check("judge", "old", None, "the disk is broken");
    check("carry", "new", Some("old"), "what was there before is left at");
}

#[test]
fn what_somebody_wrote_to_the_new_one_before_it_had_to_go_is_kept() {
    let (scene, new) = (Scene::new(), New::default());
    new.fails.set("written");
    let error = scene.run(&new).unwrap_err().to_string();
    let kept = scene.dir.path().join(format!(".heptad-written-{TOKEN}"));
    assert!(error.contains(&format!("is at {}", kept.display())), "{error}");
    assert_eq!(std::fs::read_to_string(&kept).unwrap(), "new, and more");
    assert_eq!((&*scene.live(), scene.aside()), ("old", None));
    new.fails.set("");
    scene.run(&new).unwrap();
    assert_eq!((&*scene.live(), scene.aside()), ("new", None));
    assert_eq!(std::fs::read_to_string(&kept).unwrap(), "new, and more");
}

#[test]
fn a_late_user_is_told_by_the_name_that_he_knows() {
    let (scene, new) = (Scene::new(), New::default());
    new.fails.set("users");
    let error = scene.run(&new).unwrap_err().to_string();
    assert!(error.ends_with(&format!("somebody holds {}", scene.path.display())), "{error}");
}

#[test]
fn a_swap_cut_off_right_after_the_exchange_is_judged_before_anything_goes() {
    let (scene, new) = (Scene::new(), New::default());
    new.fails.set("carry");
    scene.run(&new).unwrap_err();
    let note = note::read(&scene.store, TOKEN).unwrap().unwrap();
    assert_eq!(note.step, Step::Judged, "what may have gone in part is not judged again");
    note::write(&scene.store, TOKEN, &Note { step: Step::Exposed(7, None), ..note }).unwrap();
    for fails in ["users", "judge"] {
        new.fails.set(fails);
        let error = scene.run(&new).unwrap_err().to_string();
        assert!(error.contains("what was there before is left at"), "{fails}: {error}");
        assert_eq!((&*scene.live(), scene.aside().as_deref()), ("new", Some("old")), "{fails}");
    }
    new.fails.set("");
    scene.run(&new).unwrap();
    assert_eq!((&*scene.live(), scene.aside()), ("new", None));
}

#[test]
fn what_a_killed_attempt_left_is_cleared_also_if_nothing_may_be_done_now() {
    let (scene, new) = (Scene::new(), New::default());
    std::fs::write(scene.hidden(), "half").unwrap();
    new.fails.set("busy");
    let error = scene.run(&new).unwrap_err().to_string();
    assert!(error.contains("it is in use: somebody holds"), "{error}");
    assert_eq!((&*scene.live(), scene.aside()), ("old", None));
}

/// An old tree that cannot go, as one with an entry that nobody may remove.
#[test]
fn what_could_not_be_removed_is_removed_with_one_of_the_next_snapshots() {
    struct Stuck(PathBuf, Cell<bool>);
    impl Replacement for Stuck {
        fn stage(&self, dir: &OwnedFd, name: &CStr) -> Result<(), StorageError> {
            let path = crate::fs::subvolume::path_of(dir).join(name.to_str().unwrap());
            std::fs::write(path, "new").unwrap();
            Ok(())
        }

        fn users(&self, _: &Path) -> Result<Vec<String>, StorageError> {
            Ok(Vec::new())
        }

        fn carry(&self, old: &Aside<'_>, _: &OwnedFd) -> Result<(), StorageError> {
            // A mount point is removed by nobody.
            let (dir, none) = (old.path.join("stuck"), None::<&str>);
            nix::mount::mount(none, &dir, Some("tmpfs"), nix::mount::MsFlags::empty(), none)
                .unwrap();
            self.1.set(true);
            Ok(())
        }
    }
    impl Drop for Stuck {
        fn drop(&mut self) {
            if self.1.get() {
                let _ = nix::mount::umount2(&self.0, nix::mount::MntFlags::MNT_DETACH);
            }
        }
    }
    if !nix::unistd::geteuid().is_root() {
        return;
    }
    let scene = Scene::new();
    std::fs::remove_file(&scene.path).unwrap();
    std::fs::create_dir_all(scene.path.join("stuck")).unwrap();
    let stuck = Stuck(scene.hidden().join("stuck"), Cell::new(false));
    let swap = Swap::open(&scene.store, &scene.path, TOKEN).unwrap();
    let error = swap.run(&stuck).unwrap_err().to_string();
    assert!(error.contains("is left at") && error.contains("tries that again"), "{error}");
    assert_eq!(scene.live(), "new");
    scene.store.sweep().unwrap();
    assert!(scene.hidden().exists());
    drop(stuck);
    scene.store.sweep().unwrap();
    assert!(!scene.hidden().exists());
    // Whatever has the name then is somebody's.
    std::fs::write(scene.hidden(), "mine").unwrap();
    scene.store.sweep().unwrap();
    assert!(scene.hidden().exists());
}

/// As a kill leaves it right after the names were exchanged back: `new` is aside, as somebody left
/// it.
fn exposed_and_back(scene: &Scene, content: &str) {
    let swap = Swap::open(&scene.store, &scene.path, TOKEN).unwrap();
    New::default().stage(&swap.dir, &swap.hidden).unwrap();
    swap.write_note().unwrap();
    swap.step(swap.exposed().unwrap()).unwrap();
    std::fs::write(scene.hidden(), content).unwrap();
}

/// What has a log beside it, as a database has.
struct Logged<'a> {
    scene: &'a Scene,
    new: New,
}

impl Logged<'_> {
    fn log(&self) -> PathBuf {
        self.scene.dir.path().join("live-wal")
    }
}

impl Replacement for Logged<'_> {
    fn stage(&self, dir: &OwnedFd, name: &CStr) -> Result<(), StorageError> {
        self.new.stage(dir, name)
    }

    fn users(&self, _: &Path) -> Result<Vec<String>, StorageError> {
        let came = self.new.fails.get() == "came" && self.scene.hidden().exists();
        let is_used = came || self.new.fails.get() == "busy";
        Ok(is_used.then(|| "somebody".to_owned()).into_iter().collect())
    }

    fn ready(&self) -> Result<(), StorageError> {
        self.new.ready()
    }

    fn judge(&self, _: &Aside<'_>) -> Result<(), StorageError> {
        self.new.step("judge")
    }

    fn may_go_back(&self, _: &Path, _: &Path) -> Result<bool, StorageError> {
        Ok(!self.log().exists())
    }
}

#[test]
fn what_lies_beside_the_live_one_stays_where_nothing_was_exchanged() {
    for fails in ["came", "ready", "busy"] {
        for is_resumed in [false, true] {
            let scene = Scene::new();
            let logged = Logged { scene: &scene, new: New::default() };
            std::fs::write(logged.log(), "log").unwrap();
            if is_resumed {
                // As a kill leaves it right before the exchange.
                let swap = Swap::open(&scene.store, &scene.path, TOKEN).unwrap();
                logged.stage(&swap.dir, &swap.hidden).unwrap();
                swap.write_note().unwrap();
                swap.step(swap.exposed().unwrap()).unwrap();
            }
            logged.new.fails.set(fails);
            let swap = Swap::open(&scene.store, &scene.path, TOKEN).unwrap();
            swap.run(&logged).unwrap_err();
            assert_eq!(std::fs::read_to_string(logged.log()).unwrap(), "log", "{fails}");
            assert!(!scene.kept("").exists(), "{fails}");
            assert_eq!((&*scene.live(), scene.aside()), ("old", None), "{fails}");
        }
    }
}

#[test]
fn nothing_that_lies_beside_the_live_one_is_moved_whomever_it_belongs_to() {
    let check = |back: bool, fails: &'static str, live: &str, aside: Option<&str>| {
        let scene = Scene::new();
        let logged = Logged { scene: &scene, new: New::default() };
        let swap = Swap::open(&scene.store, &scene.path, TOKEN).unwrap();
        if back {
            // As a kill leaves it right after the names were exchanged back.
            logged.stage(&swap.dir, &swap.hidden).unwrap();
            swap.write_note().unwrap();
            swap.step(swap.exposed().unwrap()).unwrap();
            (0..2).for_each(|_| swap.swap_names().unwrap());
        }
        std::fs::write(logged.log(), "log").unwrap();
        logged.new.fails.set(fails);
        let ran = swap.run(&logged);
        assert_eq!(ran.is_ok(), fails.is_empty(), "{fails}: {ran:?}");
        if let (Some(aside), Err(error)) = (aside, ran) {
            let way_out = format!("what was there before is left at {}", scene.hidden().display());
            assert!(aside == "old" && error.to_string().contains(&way_out), "{error}");
        }
        assert_eq!(std::fs::read_to_string(logged.log()).unwrap(), "log", "{fails}");
        assert_eq!((&*scene.live(), scene.aside().as_deref()), (live, aside), "{fails}");
        assert!(!scene.kept("").exists(), "{fails}");
    };
    check(false, "judge", "new", Some("old"));
    check(true, "ready", "old", None);
    check(true, "", "new", None);
}

#[test]
fn what_was_written_is_kept_also_if_the_way_back_was_cut_off() {
    let check = |content: &str, kept: Option<&str>| {
        let (scene, new) = (Scene::new(), New::default());
        exposed_and_back(&scene, content);
        // With nobody allowed to do anything at first.
        new.fails.set("busy");
        scene.run(&new).unwrap_err();
        assert_eq!((&*scene.live(), scene.aside()), ("old", None), "{content}");
        new.fails.set("");
        scene.run(&new).unwrap();
        assert_eq!((&*scene.live(), scene.aside()), ("new", None), "{content}");
        assert_eq!(std::fs::read_to_string(scene.kept("")).ok().as_deref(), kept, "{content}");
    };
    check("new, and more", Some("new, and more"));
    check("", Some(""));
}

#[test]
fn nothing_that_somebody_wrote_goes_where_it_cannot_be_put_aside() {
    let (scene, new) = (Scene::new(), New::default());
    new.fails.set("written");
    new.sticks.set(true);
    let error = scene.run(&new).unwrap_err().to_string();
    assert!(error.contains(&scene.hidden().display().to_string()), "{error}");
    assert_eq!((&*scene.live(), scene.aside().as_deref()), ("old", Some("new, and more")));
    // Nor by the next attempt, nor under a name that something else has.
    new.fails.set("");
    scene.run(&new).unwrap_err();
    assert_eq!((&*scene.live(), scene.aside().as_deref()), ("old", Some("new, and more")));
    std::fs::write(scene.kept(""), "mine").unwrap();
    new.sticks.set(false);
    scene.run(&new).unwrap();
    let kept = ["", "-2"].map(|more| std::fs::read_to_string(scene.kept(more)).unwrap());
    assert_eq!(kept, ["mine", "new, and more"]);
    assert_eq!((&*scene.live(), scene.aside()), ("new", None));
}

#[test]
fn a_copy_that_somebody_still_has_open_is_kept() {
    let (scene, new) = (Scene::new(), New::default());
    exposed_and_back(&scene, "new");
    new.fails.set("late");
    scene.run(&new).unwrap();
    assert_eq!(std::fs::read_to_string(scene.kept("")).unwrap(), "new");
}
