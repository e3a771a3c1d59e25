//! Getting one file.

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
        // Set-user-id is not kept: the file has another owner now.
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
