//! Getting files.

use super::scene::Scene;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

fn names(dir: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(dir).unwrap();
    let mut names: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort_unstable();
    names
}

#[test]
fn a_large_file_comes_whole_with_its_mode_and_time() {
    let scene = Scene::new();
    let content: Vec<u8> = (0..64_u64 << 17)
        .flat_map(|n| n.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_le_bytes())
        .collect();
    assert_eq!(content.len(), 64 << 20);
    for (resource, live) in [("home", scene.home()), ("docs", scene.docs())] {
        let original = live.join("big.bin");
        std::fs::write(&original, &content).unwrap();
        std::os::unix::fs::chown(&original, Some(1234), Some(5678)).unwrap();
        std::fs::set_permissions(&original, std::fs::Permissions::from_mode(0o4751)).unwrap();
        let touched = std::process::Command::new("touch")
            .args(["-d", "2001-02-03 04:05:06.123456789 UTC"])
            .arg(&original)
            .status();
        assert!(touched.unwrap().success());
        scene.take(resource, &format!("{resource}-1"));
        std::fs::remove_file(&original).unwrap();
        let ran = scene.ctl(&["get", &format!("{resource}-1"), "big.bin", "-o", resource]);
        assert_eq!(ran.code, 0, "{}", ran.err);
        let got = scene.here.join(resource);
        assert!(std::fs::read(&got).unwrap() == content, "{resource}: the same bytes");
        let meta = std::fs::metadata(&got).unwrap();
        assert_eq!((meta.uid(), meta.gid()), (1234, 5678));
        // Set-user-id is not kept: here it would lend that user's power to whoever starts it.
        assert_eq!(meta.mode() & 0o7777, 0o751);
        assert_eq!((meta.mtime(), meta.mtime_nsec()), (981_173_106, 123_456_789));
        let piped = scene.ctl(&["get", &format!("{resource}-1"), "big.bin", "-o", "-"]);
        assert!(piped.code == 0 && piped.out == content, "{resource}: {}", piped.err);
    }
    assert_eq!(names(&scene.here), ["docs", "home"], "nothing else is left");
}

#[test]
fn nothing_is_written_over_unless_it_is_wished() {
    let scene = Scene::new();
    std::fs::create_dir(scene.home().join("etc")).unwrap();
    std::fs::write(scene.home().join("etc/hosts"), "new\n").unwrap();
    scene.take("home", "s1");
    let hosts = scene.here.join("hosts");
    std::fs::write(&hosts, "old\n").unwrap();
    let refused = scene.ctl(&["get", "s1", "etc/hosts"]);
    assert_eq!(refused.code, 1);
    assert!(refused.err.contains("hosts exists already") && refused.err.contains("--force"));
    assert_eq!(std::fs::read_to_string(&hosts).unwrap(), "old\n");
    let absent = scene.ctl(&["get", "s1", "etc/nothing", "-o", "new"]);
    assert_eq!(absent.code, 1, "{}", absent.err);
    let forced = scene.ctl(&["get", "s1", "etc/hosts", "--force"]);
    assert_eq!(forced.code, 0, "{}", forced.err);
    assert_eq!(std::fs::read_to_string(&hosts).unwrap(), "new\n");
    std::fs::create_dir(scene.here.join("sub")).unwrap();
    let into = scene.ctl(&["get", "s1", "etc/hosts", "-o", "sub", "--json"]);
    assert_eq!(into.code, 0, "{}", into.err);
    let json: serde_json::Value = serde_json::from_slice(&into.out).unwrap();
    assert_eq!((&json["snapshot"], &json["bytes"]), (&"s1".into(), &4.into()));
    assert_eq!(json["out"].as_str().unwrap(), scene.here.join("sub/hosts").to_str().unwrap());
    let nowhere = scene.ctl(&["get", "s1", "etc/hosts", "-o", "missing/hosts"]);
    assert_eq!(nowhere.code, 1, "{}", nowhere.err);
    assert_eq!(names(&scene.here), ["hosts", "sub"]);
    assert_eq!(names(&scene.here.join("sub")), ["hosts"]);
}

/// What a directory holds, by path: kind, mode, owner, time, and content or target.
fn tree_of(top: &Path) -> Vec<String> {
    let mut all = Vec::new();
    let mut left = vec![top.to_path_buf()];
    while let Some(path) = left.pop() {
        let meta = path.symlink_metadata().unwrap();
        let shown = path.strip_prefix(top).unwrap();
        let (kind, content) = match meta.file_type() {
            kind if kind.is_dir() => {
                left.extend(std::fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
                ('d', Vec::new())
            }
            kind if kind.is_symlink() => {
                ('l', std::fs::read_link(&path).unwrap().into_os_string().into_encoded_bytes())
            }
            kind if kind.is_file() => ('f', std::fs::read(&path).unwrap()),
            _ => ('p', Vec::new()),
        };
        let mode = if kind == 'l' { 0 } else { meta.mode() & 0o1777 };
        let owner = format!("{}:{}", meta.uid(), meta.gid());
        all.push(format!("{shown:?} {kind} {mode:o} {owner} {} {content:?}", meta.mtime()));
    }
    all.sort_unstable();
    all
}

/// A tree with all that a tree can have, and one thing that has no content.
fn furnish(top: &Path) {
    let script = "set -e; mkdir -p a/deep/er empty closed long; echo one > a/one; echo two > a/deep/er/two
        head -c 300000 /dev/urandom > a/large; : > a/nothing
        printf odd > \"$(printf 'a/caf\\351 \\\\ \\n')\"; echo x > a/script; chmod 6755 a/script
        ln -s /etc/shadow a/absolute; ln -s ../../../../../etc/passwd a/above; ln -s one a/beside
        mkdir a/trap; ln -s /tmp a/trap/dir; mkfifo a/pipe
        echo hidden > closed/file; chmod 0400 closed/file; chmod 0500 closed; chmod 1777 empty
        long=long/$(printf 'n%.0s' $(seq 120)); mkdir $long; echo far > $long/$(printf 'm%.0s' $(seq 120))
        ln -s $(printf 't%.0s' $(seq 150)) long/link
        chown 1234:4321 a/one a/deep; chown -h 77:88 a/beside
        find . -exec touch -h -d '2001-02-03 04:05:06 UTC' {} +; touch -d '1960-01-01 UTC' a/one";
    let mut bash = std::process::Command::new("bash");
    assert!(bash.args(["-c", script]).current_dir(top).status().unwrap().success());
}

#[test]
fn a_directory_comes_as_a_tree_or_as_a_tar_stream() {
    let scene = Scene::new();
    furnish(&scene.home());
    scene.take("home", "s1");
    let want = |sub: &str| {
        let mut all = tree_of(&scene.home().join(sub));
        all.retain(|line| !line.contains("pipe"));
        all
    };
    let listed = scene.ctl(&["browse", "s1", "/"]);
    assert!(listed.code == 0 && listed.text().contains(" closed/\n"), "{}", listed.err);
    assert_eq!(scene.ctl(&["browse", "s1", "/a/deep/"]).code, 0);

    let all = scene.ctl(&["get", "s1", "/", "-o", "all"]);
    assert_eq!(all.code, 0, "{}", all.err);
    assert!(all.err.contains("left out: a/pipe has no content"), "{}", all.err);
    assert!(all.text().starts_with("all of s1 is at "), "{}", all.text());
    let whole = want("");
    assert_eq!(tree_of(&scene.here.join("all")), whole);
    let one = scene.ctl(&["get", "s1", "a/deep", "--json"]);
    assert_eq!(one.code, 0, "{}", one.err);
    let json: serde_json::Value = serde_json::from_slice(&one.out).unwrap();
    assert_eq!((&json["entries"], &json["bytes"]), (&2.into(), &4.into()), "{json}");
    assert_eq!(tree_of(&scene.here.join("deep")), want("a/deep"));

    let stream = scene.ctl(&["get", "s1", "/", "-o", "-"]);
    assert_eq!(stream.code, 0, "{}", stream.err);
    let unpacked = scene.here.join("unpacked");
    std::fs::create_dir(&unpacked).unwrap();
    std::fs::write(scene.here.join("tar"), &stream.out).unwrap();
    let mut tar = std::process::Command::new("tar");
    let tar = tar.args(["--extract", "--preserve-permissions", "--same-owner", "--file=../tar"]);
    let ran = tar.current_dir(&unpacked).output().unwrap();
    assert!(ran.status.success(), "{ran:?}");
    assert_eq!(tree_of(&unpacked), whole);
}

#[test]
fn a_directory_is_never_put_over_anything_and_what_failed_leaves_nothing() {
    let scene = Scene::new();
    furnish(&scene.home());
    scene.take("home", "s1");
    std::fs::create_dir(scene.here.join("closed")).unwrap();
    std::fs::write(scene.here.join("file"), "mine\n").unwrap();
    std::os::unix::fs::symlink("file", scene.here.join("link")).unwrap();
    for (line, way) in [
        (&["get", "s1", "closed"][..], "a directory is never replaced"),
        (&["get", "s1", "closed", "--force"], "a directory is never replaced"),
        (&["get", "s1", "closed", "-o", "file"], "exists already"),
        (&["get", "s1", "closed", "-o", "file", "--force"], "exists already"),
        (&["get", "s1", "closed", "-o", "link", "--force"], "exists already"),
        (&["get", "s1", "closed", "-o", "missing/closed"], "cannot be written"),
        (&["get", "s1", "/"], "say with -o"),
        (&["get", "s1", "a/trap/dir/x"], "symbolic link"),
    ] {
        let ran = scene.ctl(line);
        assert_ne!(ran.code, 0, "{line:?}: {}", ran.err);
        assert!(ran.err.contains(way) && !ran.err.contains("os error"), "{line:?}: {}", ran.err);
    }
    assert_eq!(names(&scene.here), ["closed", "file", "link"]);
    assert!(names(&scene.here.join("closed")).is_empty());
    assert_eq!(std::fs::read_to_string(scene.here.join("file")).unwrap(), "mine\n");
}

#[test]
fn what_was_sparse_fills_no_disk() {
    let scene = Scene::new();
    let sparse = scene.home().join("sparse");
    std::fs::write(&sparse, "begin").unwrap();
    let file = std::fs::File::options().write(true).open(&sparse).unwrap();
    file.set_len(200 << 20).unwrap();
    std::os::unix::fs::FileExt::write_all_at(&file, b"in the middle", (100 << 20) + 7).unwrap();
    scene.take("home", "s1");
    for (path, out, got) in [("sparse", "one", "one"), (".", "all", "all/sparse")] {
        let ran = scene.ctl(&["get", "s1", path, "-o", out]);
        assert_eq!(ran.code, 0, "{}", ran.err);
        let got = scene.here.join(got);
        assert!(std::fs::read(&got).unwrap() == std::fs::read(&sparse).unwrap(), "{out}");
        let blocks = std::fs::metadata(&got).unwrap().blocks() * 512;
        assert!(blocks < 1 << 20, "{out}: {blocks} bytes");
    }
}

#[test]
fn what_does_not_fit_is_named_and_nothing_is_left() {
    let scene = Scene::new();
    let noise = |n: u8| vec![n + 1; 8 << 20];
    for n in 0..4 {
        std::fs::write(scene.home().join(format!("part-{n}")), noise(n)).unwrap();
    }
    scene.take("home", "s1");
    let small = crate::support::loopfs::LoopFs::new("ext4", 24);
    let out = small.path().join("all");
    let ran = scene.ctl(&["get", "s1", ".", "-o", out.to_str().unwrap()]);
    assert_eq!(ran.code, 1, "{}", ran.err);
    assert!(
        ran.err.contains(&format!("{} cannot be written: part-", out.display())),
        "{}",
        ran.err
    );
    assert!(ran.err.contains("No space left"), "{}", ran.err);
    assert_eq!(names(&small.path()), ["lost+found"]);
}
