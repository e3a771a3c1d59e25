//! The sample plugin through every verb, as heptad would use it.

mod crash;
pub mod harness;

use crate::support::copied;
use crate::support::loopfs::LoopFs;
use crate::support::trusted;
use heptad::backend::options::Context;
use heptad::backend::registry;
use heptad::backend::{Backend, Object, TakeOrder};
use heptad::domain::operation::Fault;
use heptad::domain::resource::Kind;
use heptad::domain::snapshot::Part;
use heptad::domain::snapshot::{Card, Content, Handle, Origin, Seq};
use heptad::domain::survey::{Found, Mark, Wholeness};
use serde_json::json;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use tempfile::TempDir;
use uuid::Uuid;

struct Scene {
    backend: Arc<dyn Backend>,
    root: PathBuf,
    dir: TempDir,
}

impl Scene {
    fn new() -> Self {
        let dir = trusted::dir();
        let root = dir.path().to_owned();
        Self::within(dir, root)
    }

    /// With the live resource and the store below `root`.
    fn within(dir: TempDir, root: PathBuf) -> Self {
        let sample = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/examples/plugin/tarball");
        trusted::install(&sample, &dir.path().join("tarball"));
        Self::with_program(dir, root, "tarball")
    }

    fn with_program(dir: TempDir, root: PathBuf, program: &str) -> Self {
        let program = dir.path().join(program);
        fs::create_dir(root.join("live")).unwrap();
        fs::create_dir(root.join("store")).unwrap();
        fs::write(root.join("live/a"), "one").unwrap();
        let options = json!({
            "program": program,
            "options": {"path": root.join("live"), "store": root.join("store")},
        });
        let context = Context { resource: "notes".parse().unwrap(), state: "/nowhere".into() };
        let backend = registry::build("exec", options.as_object().unwrap(), &context).unwrap();
        Self { backend, root, dir }
    }

    fn take(&self, card: &Card) -> Object {
        self.backend.take(&TakeOrder { card, source: None, previous: None }, &()).unwrap()
    }

    /// Takes one and gives the handle that heptad would remember.
    fn taken(&self, seq: u64) -> Handle {
        let card = card(seq);
        let object = self.take(&card).object;
        Handle { object, ..card.handle }
    }

    fn found(&self, handle: &Handle) -> Option<Found> {
        let survey = self.backend.list().unwrap();
        survey.found.into_iter().find(|found| found.card.handle.id == handle.id)
    }

    fn stored(&self, seq: u64, file: &str) -> PathBuf {
        self.root.join(format!("store/notes/{seq}/{file}"))
    }
}

fn card(seq: u64) -> Card {
    Card {
        handle: Handle { seq: Seq(seq), id: Uuid::from_u128(u128::from(seq)), object: "".into() },
        origin: Origin::Automatic,
        name: None,
        slot: Some(format!("2026-11-{:02}", seq % 30 + 1).parse().unwrap()),
        kept_from: None,
        taken_at: "2026-11-22T06:00:00Z".parse().unwrap(),
        tags: [("team".into(), "blue \u{1f433}".into())].into(),
        kind: Kind::Disk,
        part: Part::Whole,
        plan: None,
        blueprint: None,
    }
}

fn shell(script: &str) {
    let status = Command::new("sh").args(["-ec", script]).status().unwrap();
    assert!(status.success(), "{script}");
}

#[test]
fn a_snapshot_is_taken_once_and_listed_with_its_card() {
    let scene = Scene::new();
    let card = card(1);
    let first = scene.take(&card);
    fs::write(scene.root.join("live/b"), "two").unwrap();
    assert_eq!(scene.take(&card), first, "the same order again is the same snapshot");
    let survey = scene.backend.list().unwrap();
    assert_eq!(survey.identity, Some(scene.backend.probe().unwrap().identity));
    assert_eq!((survey.high_water, survey.found.len()), (Seq(1), 1));
    let found = &survey.found[0];
    let handle = Handle { object: first.object, ..card.handle.clone() };
    assert_eq!(found.card, Card { handle: handle.clone(), ..card });
    assert_eq!((found.state, &found.mark), (Wholeness::Whole, &Mark::default()));
    let content = Content { empty: false, entries: Some(1), bytes: Some(3) };
    assert_eq!(found.content, Some(content));
    assert_eq!(scene.backend.verify(&handle, &()).unwrap(), content);

    let impostor = Card { handle: Handle { id: Uuid::max(), ..handle }, ..self::card(1) };
    let order = TakeOrder { card: &impostor, source: None, previous: None };
    assert_eq!(scene.backend.take(&order, &()).unwrap_err().fault, Fault::Identity);
}

#[test]
fn a_kept_snapshot_is_an_equal_of_its_own() {
    let scene = Scene::new();
    let source = scene.taken(1);
    fs::write(scene.root.join("live/a"), "changed").unwrap();
    let card = Card {
        origin: Origin::Manual,
        name: Some("before-upgrade".parse().unwrap()),
        slot: None,
        kept_from: Some(Seq(1)),
        ..card(2)
    };
    let order = TakeOrder { card: &card, source: Some(&source), previous: None };
    let kept =
        Handle { object: scene.backend.take(&order, &()).unwrap().object, ..card.handle.clone() };
    assert_ne!(kept.object, source.object);
    assert_eq!(scene.backend.usage(&kept).unwrap().exclusive, Some(0), "shared");
    let occupied = scene.backend.occupied().unwrap().unwrap().bytes;
    scene.backend.destroy(&source).unwrap();
    let exclusive = scene.backend.usage(&kept).unwrap().exclusive.unwrap();
    assert!(exclusive > 0);
    assert_eq!(
        (occupied, scene.backend.occupied().unwrap().unwrap().bytes),
        (exclusive, exclusive)
    );
    let found = scene.found(&kept).unwrap();
    assert_eq!(found.card, Card { handle: kept.clone(), ..card });
    let target = scene.root.join("new");
    scene.backend.restore(&copied(&kept, &target), &()).unwrap();
    assert_eq!(fs::read_to_string(target.join("a")).unwrap(), "one");
}

#[test]
fn what_was_changed_is_noticed() {
    let check = |script: &str, state: Wholeness, readable: bool| {
        let scene = Scene::new();
        let handle = scene.taken(1);
        shell(&format!("cd {}/store/notes/1; {script}", scene.root.display()));
        assert_eq!(scene.found(&handle).unwrap().state, state, "{script}");
        assert_eq!(scene.backend.verify(&handle, &()).is_ok(), readable, "{script}");
        let target = scene.root.join("new");
        let restored = scene.backend.restore(&copied(&handle, &target), &());
        assert_eq!((restored.is_ok(), target.exists()), (readable, readable), "{script}");
        scene.backend.destroy(&handle).unwrap();
        assert_eq!(scene.found(&handle), None, "{script}");
    };
    check("true", Wholeness::Whole, true);
    check("chmod u+w data.tar", Wholeness::Tampered, false);
    check("echo x >> data.tar", Wholeness::Tampered, false);
    check("touch data.tar", Wholeness::Tampered, false);
    check("rm data.tar", Wholeness::Tampered, false);
    // Hidden from the listing, but not from verify.
    let hidden = "touch -r data.tar t; printf x | dd of=data.tar conv=notrunc status=none; \
                  touch -r t data.tar; rm t";
    check(hidden, Wholeness::Whole, false);
    check("rm seal.json", Wholeness::Partial, false);
}

#[test]
fn an_interrupted_take_is_partial_and_then_done_again() {
    let scene = Scene::new();
    let handle = scene.taken(1);
    fs::remove_file(scene.stored(1, "seal.json")).unwrap();
    fs::write(scene.stored(1, "data.tar"), "half").unwrap();
    shell(&format!(
        "cd {}/store/notes; mkdir new-7 gone-8; echo x > new-7/x",
        scene.root.display()
    ));
    assert_eq!(scene.found(&handle).unwrap().state, Wholeness::Partial);
    let again = scene.taken(1);
    assert_eq!(scene.found(&again).unwrap().state, Wholeness::Whole);
    scene.backend.verify(&again, &()).unwrap();
    assert!(!scene.root.join("store/notes/new-7").exists());
    assert!(!scene.root.join("store/notes/gone-8").exists());
}

#[test]
fn destroying_twice_is_fine_and_destroying_another_is_refused() {
    let scene = Scene::new();
    let (first, second) = (scene.taken(1), scene.taken(2));
    let other = Handle { object: first.object.clone(), ..second.clone() };
    assert_eq!(scene.backend.destroy(&other).unwrap_err().fault, Fault::Identity);
    scene.backend.destroy(&second).unwrap();
    scene.backend.destroy(&second).unwrap();
    let survey = scene.backend.list().unwrap();
    assert_eq!(survey.found.len(), 1);
    assert_eq!(survey.high_water, Seq(2), "its number is not forgotten");
    for fault in [
        scene.backend.verify(&second, &()).unwrap_err().fault,
        scene.backend.usage(&second).unwrap_err().fault,
        scene.backend.mark(&second, &Mark::default()).unwrap_err().fault,
        scene.backend.restore(&copied(&second, &scene.root.join("new")), &()).unwrap_err().fault,
    ] {
        assert_eq!(fault, Fault::Absent);
    }
}

#[test]
fn a_mark_survives_and_is_replaced() {
    let scene = Scene::new();
    let handle = scene.taken(1);
    let doubt = Mark {
        doubt: Some("it has 2 entries, \u{e9}".into()),
        accepted: true,
        trashed: true,
        tags: None,
    };
    for mark in [doubt, Mark::default(), Mark { trashed: true, ..Mark::default() }] {
        scene.backend.mark(&handle, &mark).unwrap();
        assert_eq!(scene.found(&handle).unwrap().mark, mark);
    }
}

#[test]
fn a_restore_gives_back_the_tree_and_never_replaces_anything() {
    let scene = Scene::new();
    let live = scene.root.join("live");
    shell(&format!(
        "cd {}; mkdir -p d/e; printf '\\1\\0' > d/e/bin; ln a hard; ln -s /etc link; mkfifo p; \
         chown 1234:2345 d/e/bin; chmod 4750 d/e/bin; chmod 700 d; touch -h -d 2020-02-02 a d link",
        live.display()
    ));
    let handle = scene.taken(1);
    let target = scene.root.join("new");
    let remains = scene.root.join(format!(".new.{}", handle.id));
    fs::create_dir(&remains).unwrap();
    fs::write(remains.join("half"), "").unwrap();
    scene.backend.restore(&copied(&handle, &target), &()).unwrap();
    assert!(!remains.exists());
    let facts = "find . -printf '%p %y %m %U %G %s %T@ %n %l\\n' | sort";
    let facts = |dir: &Path| {
        let script = format!("cd {}; {facts}; cat d/e/bin", dir.display());
        Command::new("sh").args(["-ec", &script]).output().unwrap().stdout
    };
    let whole = |dir: &Path| {
        // A directory's own size depends on its history, and fractions of a second are rounded.
        let text = String::from_utf8(facts(dir)).unwrap();
        let line = |line: &str| {
            let mut words: Vec<&str> = line.split(' ').collect();
            if words.get(1) == Some(&"d") {
                words[5] = "";
            }
            if let Some(time) = words.get_mut(6) {
                *time = time.split('.').next().unwrap();
            }
            words.join(" ")
        };
        text.lines().map(line).collect::<Vec<_>>()
    };
    assert_eq!(whole(&target), whole(&live));
    fs::write(target.join("a"), "writable").unwrap();
    let error = scene.backend.restore(&copied(&handle, &target), &()).unwrap_err();
    assert!(error.to_string().contains("exists already"), "{error}");
    assert_eq!(fs::read_to_string(target.join("a")).unwrap(), "writable");
}

#[test]
fn an_absent_resource_is_told_from_an_absent_store() {
    let scene = Scene::new();
    let handle = scene.taken(1);
    let before = scene.backend.probe().unwrap().identity;
    let (live, away) = (scene.root.join("live"), scene.root.join("away"));
    fs::rename(&live, &away).unwrap();
    assert_eq!(scene.backend.probe().unwrap_err().fault, Fault::Absent);
    let order = TakeOrder { card: &card(2), source: None, previous: None };
    assert_eq!(scene.backend.take(&order, &()).unwrap_err().fault, Fault::Absent);
    assert_eq!(scene.backend.list().unwrap().identity, None);
    assert!(scene.found(&handle).is_some());
    fs::create_dir(&live).unwrap();
    assert_ne!(scene.backend.probe().unwrap().identity, before, "another one in its place");
    fs::remove_dir(&live).unwrap();
    fs::rename(&away, &live).unwrap();
    assert_eq!(scene.backend.probe().unwrap().identity, before);
    fs::rename(scene.root.join("store"), scene.root.join("lost")).unwrap();
    assert_eq!(scene.backend.list().unwrap_err().fault, Fault::Absent);
}

#[test]
fn a_full_disk_is_no_space_and_leaves_nothing_that_looks_whole() {
    let fs_ = LoopFs::new("ext4", 16);
    let scene = Scene::within(trusted::dir(), fs_.path());
    let kept = scene.taken(1);
    shell(&format!("head -c 7M /dev/urandom > {}/live/big", scene.root.display()));
    let card = card(2);
    let order = TakeOrder { card: &card, source: None, previous: None };
    shell(&format!("head -c 4M /dev/urandom > {}/ballast", scene.root.display()));
    assert_eq!(scene.backend.take(&order, &()).unwrap_err().fault, Fault::NoSpace);
    let partial = scene.found(&card.handle).unwrap();
    assert_eq!(partial.state, Wholeness::Partial);
    scene.backend.destroy(&card.handle).unwrap();
    assert_eq!(scene.found(&card.handle), None);
    assert_eq!(scene.found(&kept).unwrap().state, Wholeness::Whole);
    fs::remove_file(scene.root.join("live/big")).unwrap();
    scene.take(&card);
    drop((fs_, scene.dir));
}

#[test]
fn a_second_process_at_work_is_busy() {
    let scene = Scene::new();
    let handle = scene.taken(1);
    let lock = fs::File::open(scene.root.join("store/notes/lock")).unwrap();
    lock.lock().unwrap();
    assert_eq!(scene.backend.mark(&handle, &Mark::default()).unwrap_err().fault, Fault::Busy);
    assert!(scene.found(&handle).is_some(), "looking needs no lock");
    lock.unlock().unwrap();
    scene.backend.mark(&handle, &Mark::default()).unwrap();
}
