//! Making something new from a snapshot.

use super::*;
use crate::support::copied;
use crate::support::loopfs::run;
use heptad::backend::RestoreOrder;
use heptad::domain::plan::Plan;
use std::os::unix::fs::PermissionsExt;

pub fn a_restored_copy_is_equal_byte_by_byte(h: &impl Harness) {
    let large: Vec<u8> = (0..1_500_000_u32).flat_map(u32::to_le_bytes).collect();
    h.put(
        &h.live(),
        &[
            ("empty", b""),
            ("zeros", &[0; 70_000]),
            ("large", &large),
            ("a/b/c/deep", b"\x00\xff\n"),
            ("sp ace/new\nline", b"odd name"),
            ("-rf", b"another"),
        ],
    );
    std::fs::create_dir(h.live().join("nothing inside")).unwrap();
    let before = h.content(&h.live());
    let backend = h.backend(RESOURCE);
    let handle = take(&*backend, &card(1));
    h.empty(&h.live());
    backend.restore(&copied(&handle, &h.target("copy")), &()).unwrap();
    let after = h.content(&h.target("copy"));
    assert_eq!(after.keys().collect::<Vec<_>>(), before.keys().collect::<Vec<_>>());
    assert!(after == before, "contents differ");
}

pub fn a_restored_copy_is_writable_and_the_snapshot_stays_as_it_is(h: &impl Harness) {
    h.put(&h.live(), SOME);
    let before = h.content(&h.live());
    let backend = h.backend(RESOURCE);
    let handle = take(&*backend, &card(1));
    backend.restore(&copied(&handle, &h.target("one")), &()).unwrap();
    h.put(&h.target("one"), &[("index.html", b"written over"), ("new", b"file")]);
    assert_eq!(states(&*backend), [(1, Wholeness::Whole)]);
    backend.restore(&copied(&handle, &h.target("two")), &()).unwrap();
    assert_eq!(h.content(&h.target("two")), before);
}

pub fn restoring_never_touches_what_exists(h: &impl Harness) {
    h.put(&h.live(), SOME);
    let backend = h.backend(RESOURCE);
    let handle = take(&*backend, &card(1));
    let (file, dir, dangling) = (h.target("file"), h.target("dir"), h.target("link"));
    std::fs::write(&file, "mine").unwrap();
    std::fs::create_dir(&dir).unwrap();
    std::os::unix::fs::symlink("nowhere", &dangling).unwrap();
    for target in [&file, &dir, &dangling] {
        let refused = backend.restore(&copied(&handle, target), &());
        assert_eq!(fault(refused), Fault::Permanent, "{}", target.display());
    }
    assert_eq!(std::fs::read(&file).unwrap(), b"mine");
    assert_eq!(read(&dir), Tree::new());
    assert_eq!(std::fs::read_link(&dangling).unwrap(), Path::new("nowhere"));
}

/// A wish is refused at once, with the reason that the work would give, or it comes true.
pub fn what_a_new_one_can_be_is_told_before_it_is_begun(h: &impl Harness) {
    h.put(&h.live(), SOME);
    let backend = h.backend(RESOURCE);
    let mut card = card(1);
    let plan = |name: &str, vcpus, gib: u64| Plan {
        name: name.parse().unwrap(),
        vcpus,
        memory: gib << 30,
        disk: gib << 33,
    };
    card.plan = Some(plan("small", 2, 2));
    let handle = take(&*backend, &card);
    let (same, larger) = (plan("small", 2, 2), plan("large", 4, 4));
    let wishes: [(&str, Option<&Plan>, Option<u64>); 5] = [
        ("nothing", None, None),
        ("the same plan", Some(&same), None),
        ("a larger plan", Some(&larger), None),
        ("a smaller size", None, Some(512)),
        ("an odd size", None, Some((1 << 40) + 1)),
    ];
    for (at, (what, plan, size)) in wishes.into_iter().enumerate() {
        let (name, target) = (format!("wish-{at}"), h.target(&format!("wish-{at}")));
        let name = name.parse().unwrap();
        let copy = RestoreOrder::copy(&handle, &name, &target);
        let order = RestoreOrder { plan, size, ..copy };
        let (told, made) = (backend.fits(&order), backend.restore(&order, &()));
        let text = |error: StorageError| (error.fault, error.detail);
        assert_eq!(told.map_err(text), made.map(|_| ()).map_err(text), "{what}");
    }
}

pub fn restoring_below_a_missing_directory_is_refused(h: &impl Harness) {
    h.put(&h.live(), SOME);
    let backend = h.backend(RESOURCE);
    let handle = take(&*backend, &card(1));
    let target = h.target("missing").join("copy");
    assert_eq!(fault(backend.restore(&copied(&handle, &target), &())), Fault::Permanent);
    assert!(!h.target("missing").exists());
}

pub fn a_snapshot_can_be_restored_twice(h: &impl Harness) {
    h.put(&h.live(), SOME);
    let backend = h.backend(RESOURCE);
    let handle = take(&*backend, &card(1));
    for name in ["one", "two"] {
        backend.restore(&copied(&handle, &h.target(name)), &()).unwrap();
        assert_eq!(h.content(&h.target(name)), h.content(&h.live()), "{name}");
    }
    assert_eq!(fault(backend.restore(&copied(&handle, &h.target("one")), &())), Fault::Permanent);
}

pub fn a_restored_copy_inherits_no_rights_from_the_directory_above(h: &impl Harness) {
    h.put(&h.live(), SOME);
    let backend = h.backend(RESOURCE);
    let handle = take(&*backend, &card(1));
    let target = h.target("copy");
    let above = target.parent().unwrap();
    run("setfacl", &["-d", "-m", "u:33:rwx,o::rx", above.to_str().unwrap()]);
    let mode = above.metadata().unwrap().permissions().mode() | 0o2000;
    std::fs::set_permissions(above, PermissionsExt::from_mode(mode)).unwrap();
    backend.restore(&copied(&handle, &target), &()).unwrap();
    h.expect_nothing_inherited(&target);
}

/// Sees that nothing at or below a path has an access list or hands its group down.
pub fn nothing_inherited(top: &Path) {
    let mut waiting = vec![top.to_owned()];
    while let Some(path) = waiting.pop() {
        let mut names = vec![0; 65_536];
        let length = rustix::fs::llistxattr(&path, &mut names[..]).unwrap();
        let names = String::from_utf8_lossy(&names[..length]);
        assert!(!names.contains("system.posix_acl"), "{}: {names:?}", path.display());
        let meta = path.symlink_metadata().unwrap();
        if meta.is_dir() {
            assert_eq!(meta.permissions().mode() & 0o2000, 0, "{}", path.display());
            waiting.extend(std::fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
        }
    }
}
