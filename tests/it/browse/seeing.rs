//! Listing directories of snapshots.

use super::scene::{Scene, traps};
use crate::support::loopfs::subvolume;
use heptad::api::wire::{EntryKind, TreeQuery};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// What both backends must show alike.
fn fill(live: &Path) {
    std::fs::create_dir(live.join("dir")).unwrap();
    std::fs::write(live.join(OsStr::from_bytes(b"caf\xe9")), "latin").unwrap();
    std::fs::write(live.join("back\\slash"), "b").unwrap();
    std::fs::write(live.join("\u{1b}[31mred\n"), "r").unwrap();
    std::fs::write(live.join("dir/plain"), "12345").unwrap();
    traps(live, Path::new("/etc/shadow"));
}

#[test]
fn every_kind_of_entry_is_shown_and_none_is_followed() {
    let scene = Scene::new();
    for (resource, live) in [("home", scene.home()), ("docs", scene.docs())] {
        fill(&live);
        scene.take(resource, &format!("{resource}-1"));
        // The live one has nothing to do with it any more.
        std::fs::remove_file(live.join("dir/plain")).unwrap();
        let found = scene.list(&format!("{resource}-1"), "", 4);
        let shown: Vec<_> =
            found.iter().map(|e| (e.name.as_str(), e.kind, e.target.as_deref())).collect();
        use EntryKind::{CharDevice, Directory, Fifo, File, Link};
        let want = [
            ("\\x1b[31mred\\x0a", File, None),
            ("back\\\\slash", File, None),
            ("caf\\xe9", File, None),
            ("climbing", Link, Some("../../../../../../etc/shadow")),
            ("dir", Directory, None),
            ("etc", Link, Some("/etc")),
            ("magic", Link, Some("/proc/self/root")),
            ("pipe", Fifo, None),
            ("secret", Link, Some("/etc/shadow")),
            ("shadow", Link, Some("/etc/shadow")),
            ("zero", CharDevice, None),
        ];
        assert_eq!(shown, want, "{resource}");
        let snapshot = format!("{resource}-1");
        for (path, bytes) in [
            ("caf\\xe9", &b"latin"[..]),
            ("back\\\\slash", b"b"),
            ("\\x1b[31mred\\x0a", b"r"),
            ("dir/plain", b"12345"),
        ] {
            assert_eq!(scene.read(&snapshot, path).unwrap(), bytes, "{path}");
        }
        let one = TreeQuery { path: Some("dir/plain".into()), ..TreeQuery::default() };
        let one = scene.client.tree(&snapshot, &one).unwrap();
        assert_eq!((one.entry.size, one.entry.mode.as_str()), (5, "0644"));
        assert_eq!((one.entries.len(), one.next), (0, None));
    }
}

#[test]
fn ten_thousand_entries_come_in_pages_each_once() {
    let scene = Scene::new();
    std::fs::create_dir(scene.home().join("many")).unwrap();
    let mut want: Vec<String> = (0..10_000).map(|n| format!("entry {n}")).collect();
    for name in &want {
        std::fs::write(scene.home().join("many").join(name), "").unwrap();
    }
    scene.take("home", "full");
    want.sort_unstable();
    for page in [997, 1_000] {
        let found = scene.list("full", "many", page);
        assert!(found.iter().map(|entry| &entry.name).eq(&want), "in pages of {page}");
    }
    let ran = scene.ctl(&["browse", "full", "many"]);
    assert_eq!((ran.code, ran.text().lines().count()), (0, 10_001), "{}", ran.err);
}

#[test]
fn nested_subvolumes_are_shown_in_their_places() {
    let scene = Scene::new();
    let home = scene.home();
    std::fs::create_dir(home.join("var")).unwrap();
    subvolume(&home.join("var/lib"));
    subvolume(&home.join("var/lib/deep"));
    std::fs::write(home.join("var/lib/deep/file"), "deep").unwrap();
    std::fs::write(home.join("var/lib/outer"), "outer").unwrap();
    scene.take("home", "n1");
    std::fs::write(home.join("var/lib/deep/file"), "changed").unwrap();
    scene.take("home", "n2");
    let names = |path: &str| -> Vec<String> {
        scene.list("n1", path, 10).into_iter().map(|entry| entry.name).collect()
    };
    assert_eq!(names("var"), ["lib"]);
    assert_eq!(names("var/lib"), ["deep", "outer"]);
    assert_eq!(names("var/lib/deep"), ["file"]);
    assert_eq!(scene.read("n1", "var/lib/deep/file").unwrap(), b"deep");
    let diff = scene.ctl(&["diff", "n1", "n2"]);
    assert_eq!(diff.text(), "~ var/lib/deep/file  (size, time)\n", "{}", diff.err);
}

#[test]
fn browse_reads_like_ls_and_no_name_reaches_the_terminal_raw() {
    let scene = Scene::new();
    fill(&scene.docs());
    scene.take("docs", "d1");
    let ran = scene.ctl(&["browse", "d1"]);
    let text = ran.text();
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert!(!text.contains('\u{1b}'), "{text}");
    let line = |part: &str| text.lines().find(|line| line.contains(part)).unwrap().to_owned();
    assert!(line("red").ends_with("  \\x1b[31mred\\x0a"), "{text}");
    assert!(line("shadow").starts_with("lrwxrwxrwx  0:0 "), "{text}");
    assert!(line("climbing").ends_with("climbing -> ../../../../../../etc/shadow"), "{text}");
    assert!(line("zero").starts_with("crw-r--r--"), "{text}");
    assert!(line("dir/").starts_with("drwxr-xr-x"), "{text}");
    // As shown, so typed.
    let got = scene.ctl(&["get", "d1", "\\x1b[31mred\\x0a", "-o", "-"]);
    assert_eq!((got.code, got.out.as_slice()), (0, &b"r"[..]), "{}", got.err);
    let json = scene.ctl(&["browse", "d1", "dir", "--json"]);
    let json: serde_json::Value = serde_json::from_slice(&json.out).unwrap();
    assert_eq!(json["entries"][0]["name"], "plain");
    assert_eq!(json["next"], serde_json::Value::Null);
}
