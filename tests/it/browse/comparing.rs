//! Comparing two snapshots.

use super::scene::{Scene, code};
use heptad::api::wire::{Change, DiffQuery};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// Sets a file's time, so that what is the same time is the same to the nanosecond.
fn touch(path: &Path, day: u32) {
    let status = std::process::Command::new("touch")
        .args(["-h", "-d", &format!("2026-11-{day:02} 00:00:00 UTC")])
        .arg(path)
        .status();
    assert!(status.unwrap().success());
}

fn write(live: &Path, name: &str, content: &str, day: u32) {
    std::fs::write(live.join(name), content).unwrap();
    touch(&live.join(name), day);
}

#[test]
fn each_kind_of_difference_is_told_and_nothing_else() {
    let scene = Scene::new();
    for (resource, live) in [("home", scene.home()), ("docs", scene.docs())] {
        for dir in ["gone", "same", "turned"] {
            std::fs::create_dir(live.join(dir)).unwrap();
        }
        write(&live, "gone/inside", "x", 1);
        write(&live, "same/file", "x", 1);
        for name in ["bytes", "grown", "mode", "owner", "removed", "touched"] {
            write(&live, name, "12345", 1);
        }
        std::os::unix::fs::symlink("one", live.join("link")).unwrap();
        let (a, b) = (format!("{resource}-a"), format!("{resource}-b"));
        scene.take(resource, &a);
        std::fs::remove_dir_all(live.join("gone")).unwrap();
        std::fs::remove_dir(live.join("turned")).unwrap();
        write(&live, "turned", "a file now", 1);
        write(&live, "bytes", "54321", 2);
        write(&live, "grown", "123456", 2);
        write(&live, "touched", "12345", 2);
        let mode = std::fs::Permissions::from_mode(0o600);
        std::fs::set_permissions(live.join("mode"), mode).unwrap();
        std::os::unix::fs::chown(live.join("owner"), Some(7), None).unwrap();
        std::fs::remove_file(live.join("removed")).unwrap();
        std::fs::remove_file(live.join("link")).unwrap();
        std::os::unix::fs::symlink("two", live.join("link")).unwrap();
        std::fs::create_dir(live.join("added")).unwrap();
        write(&live, "added/inside", "x", 1);
        scene.take(resource, &b);
        let ran = scene.ctl(&["diff", &a, &b]);
        let want = "+ added/\n~ bytes  (time, content)\n- gone/\n~ grown  (size, time)\n\
                    ~ link  (target)\n~ mode  (mode)\n~ owner  (owner)\n- removed\n\
                    ~ touched  (time)\n~ turned  (another kind)\n";
        assert_eq!((ran.code, ran.text().as_str()), (0, want), "{resource}: {}", ran.err);
        assert_eq!(scene.ctl(&["diff", &a, &b, "--exit-code"]).code, 6);
        let same = scene.ctl(&["diff", &a, &b, "same", "--exit-code"]);
        let sentence = format!("no difference between {a} and {b}\n");
        assert_eq!((same.code, same.text()), (0, sentence), "{}", same.err);
        let one = scene.ctl(&["diff", &b, &a, "added"]);
        assert_eq!(one.text(), "- added/\n");
        let nothing =
            DiffQuery { against: b.clone(), path: Some("no".into()), ..Default::default() };
        assert_eq!(code(scene.client.diff(&a, &nothing)), (404, "no-such-path".into()));
        pages(&scene, &a, &b, want.lines().count());
    }
    // Also between two technologies.
    let across = scene.ctl(&["diff", "home-a", "docs-a"]);
    assert_eq!(across.text(), "no difference between home-a and docs-a\n", "{}", across.err);
}

/// In small pages the same differences come, each once.
fn pages(scene: &Scene, a: &str, b: &str, want: usize) {
    let ask = |limit: u32, after: Option<String>| {
        let query = DiffQuery { against: b.into(), limit: Some(limit), after, path: None };
        scene.client.diff(a, &query).unwrap()
    };
    let whole = ask(1_000, None);
    assert_eq!((whole.differences.len(), &whole.next), (want, &None));
    for limit in [1, 2, 3] {
        let (mut all, mut after) = (Vec::new(), None);
        loop {
            let page = ask(limit, after);
            assert!(page.differences.len() <= limit as usize);
            all.extend(page.differences);
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        assert_eq!(all, whole.differences, "{limit} at a time");
    }
}

#[test]
fn pages_go_on_inside_of_directories() {
    let scene = Scene::new();
    let home = scene.home();
    for dir in ["a", "a/b", "a/b/c", "a.x", "z"] {
        std::fs::create_dir(home.join(dir)).unwrap();
    }
    scene.take("home", "s1");
    for file in ["a/1", "a/b/2", "a/b/c/3", "a/b/c/4", "a/b/d", "a.x/5", "z/6"] {
        std::fs::write(home.join(file), file).unwrap();
    }
    scene.take("home", "s2");
    pages(&scene, "s1", "s2", 7);
    let query = DiffQuery { against: "s2".into(), ..DiffQuery::default() };
    let found = scene.client.diff("s1", &query).unwrap().differences;
    assert!(found.iter().all(|one| one.change == Change::Added));
    let paths: Vec<&str> = found.iter().map(|one| one.path.as_str()).collect();
    assert_eq!(paths, ["a/1", "a/b/2", "a/b/c/3", "a/b/c/4", "a/b/d", "a.x/5", "z/6"]);
}
