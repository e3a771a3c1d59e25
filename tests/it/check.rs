//! The configuration and the backends together: what `heptad check` finds beyond either alone.

use heptad::config::{DaemonDefaults, Locations};
use heptad::daemon::check::prepare;
use std::path::Path;

fn locations(file: &Path) -> Locations {
    let defaults = DaemonDefaults { socket: "/run/x.sock".into(), state: "/var/lib/heptad".into() };
    Locations { drop_ins: file.with_file_name("conf.d"), file: file.into(), defaults }
}

/// Each finding as `LINE: KEY: PROBLEM`, without the hint.
fn findings(text: &str) -> Vec<String> {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("heptad.toml");
    std::fs::write(&file, text).unwrap();
    let Err(findings) = prepare(&locations(&file), &[]) else { return Vec::new() };
    let line = |f: &heptad::config::Finding| {
        assert!(!f.hint.is_empty(), "{f}");
        format!("{}: {}: {}", f.line.unwrap_or_default(), f.key, f.problem)
    };
    findings.iter().map(line).collect()
}

#[test]
fn resources_inside_one_another_are_found_unless_that_is_meant() {
    let check = |name: &str, text: &str, wanted: &[&str]| {
        assert_eq!(findings(text), wanted, "{name}");
    };
    check(
        "files in files",
        "resource.all = { files = { path = \"/srv\" } }\n\
         resource.web = { files = { path = \"/srv/web\" } }\n",
        &["2: resource.web.files.path: /srv/web is inside resource all"],
    );
    check(
        "left out on purpose",
        "resource.all = { files = { path = \"/srv\", exclude = [\"web\"] } }\n\
         resource.web = { files = { path = \"/srv/web\" } }\n",
        &[],
    );
    check(
        "at the same place, said once",
        "resource.a1 = { files = { path = \"/srv\" } }\n\
         resource.b1 = { files = { path = \"/srv\" } }\n",
        &["2: resource.b1.files.path: /srv is inside resource a1"],
    );
    for (what, one, key) in [
        ("a cluster", "postgres = { data = \"/srv/db\" }", "postgres.data"),
        ("a database", "sqlite = { path = \"/srv/app.db\" }", "sqlite.path"),
        ("a subvolume", "btrfs = { path = \"/srv\" }", "btrfs.path"),
        ("a disk", "libvirt = { image = \"/srv/d\", format = \"raw\" }", "libvirt.image"),
    ] {
        let kind = if key.starts_with("libvirt") { "kind = \"disk\", " } else { "" };
        let text = format!("resource.a1 = {{ {kind}{one} }}\nresource.b1 = {{ {kind}{one} }}\n");
        let found = findings(&text);
        assert_eq!(found.len(), 1, "{what}: {found:?}");
        assert!(found[0].starts_with(&format!("2: resource.b1.{key}: ")), "{what}: {found:?}");
    }
    check(
        "a domain twice",
        "resource.a1 = { kind = \"instance\", libvirt = { domain = \"web\" } }\n\
         resource.b1 = { kind = \"instance\", libvirt = { domain = \"web\" } }\n",
        &["2: resource.b1.libvirt.domain: domain web of qemu:///system is resource a1 already"],
    );
    check(
        "a subvolume in a subvolume that includes it",
        "resource.top = { btrfs = { path = \"/srv\" } }\n\
         resource.web = { btrfs = { path = \"/srv/web\" } }\n",
        &["2: resource.web.btrfs.path: /srv/web is inside resource top"],
    );
    check(
        "a subvolume in one that leaves them to themselves",
        "resource.top = { btrfs = { path = \"/srv\", nested = \"separate\" } }\n\
         resource.web = { btrfs = { path = \"/srv/web\" } }\n",
        &[],
    );
    check(
        "snapshots inside what they are of",
        "resource.web = { btrfs = { path = \"/srv\", store = \"/srv/snapshots\" } }\n",
        &["1: resource.web.btrfs.store: lies in /srv: snapshots would contain snapshots"],
    );
    check(
        "heptad's own state",
        "resource.lib = { files = { path = \"/var/lib\", store = \"/srv/store\" } }\n",
        &[
            "1: resource.lib.files.path: heptad's own state directory /var/lib/heptad is inside the \
           resource",
        ],
    );
    check(
        "a name that only begins alike",
        "resource.a1 = { files = { path = \"/srv/web\" } }\n\
         resource.b1 = { files = { path = \"/srv/web-2\" } }\n",
        &[],
    );
}

#[test]
fn what_a_resource_is_follows_from_its_technology_unless_it_is_said() {
    let kind = |kind: &str, table: &str| {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("heptad.toml");
        std::fs::write(&file, format!("resource.it = {{ {kind}{table} }}\n")).unwrap();
        let setup = prepare(&locations(&file), &[]).unwrap();
        setup.config.resources[0].resource.kind.word()
    };
    for (table, want) in [
        ("postgres = { data = \"/srv/db\" }", "database"),
        ("sqlite = { path = \"/srv/app.db\" }", "database"),
        ("libvirt = { domain = \"web\" }", "instance"),
        ("libvirt = { image = \"/srv/d\", format = \"raw\" }", "disk"),
        ("btrfs = { path = \"/srv\" }", "disk"),
        ("files = { path = \"/srv\" }", "disk"),
    ] {
        assert_eq!(kind("", table), want, "{table}");
        if !table.starts_with("libvirt") {
            // As it had to be said, or was by mistake, before.
            for said in ["disk", "database"] {
                assert_eq!(kind(&format!("kind = \"{said}\", "), table), said, "{table}");
            }
        }
    }
}

#[test]
fn what_backends_find_stands_beside_what_the_configuration_finds() {
    assert_eq!(
        findings(
            "[resource.web]\ntime = \"6:00\"\nzfs = { dataset = \"x\" }\n\
             [resource.mail]\nfiles = { pathh = \"/srv\" }\n"
        ),
        [
            "2: resource.web.time: \"6:00\" is not a valid time of day",
            "3: resource.web.zfs: \"zfs\" is not a backend",
            "5: resource.mail.files.path: is missing",
            "5: resource.mail.files.pathh: is not an option of this backend",
        ]
    );
}

#[test]
fn the_way_out_of_two_in_one_another_is_a_way_out() {
    let dir = tempfile::tempdir().unwrap();
    let at = dir.path().display();
    std::fs::create_dir(dir.path().join("data")).unwrap();
    std::fs::write(dir.path().join("data/app.db"), "").unwrap();
    let hint = |text: &str| {
        let file = dir.path().join("heptad.toml");
        std::fs::write(&file, text).unwrap();
        let defaults =
            DaemonDefaults { socket: "/run/x.sock".into(), state: "/var/lib/heptad".into() };
        let locations = Locations { drop_ins: dir.path().join("conf.d"), file, defaults };
        prepare(&locations, &[]).err().map(|all| all.iter().next().unwrap().hint.clone())
    };
    let app = format!("resource.app = {{ sqlite = {{ path = \"{at}/data/app.db\" }} }}\n");
    let said = hint(&format!("{app}resource.all = {{ files = {{ path = \"{at}\" }} }}\n")).unwrap();
    let excluded = "exclude = [\"data/app.db\", \"data/app.db-wal\", \"data/app.db-shm\"]";
    assert!(said.starts_with(&format!("write {excluded} for all")), "{said}");
    let mended = format!("{app}resource.all = {{ files = {{ path = \"{at}\", {excluded} }} }}\n");
    assert_eq!(hint(&mended), None);
    let said = hint(&format!("{app}resource.all = {{ btrfs = {{ path = \"{at}\" }} }}\n")).unwrap();
    let own = format!("make {at}/data a subvolume of its own");
    assert!(said.contains(&own) && said.contains("nested = \"separate\" for all"), "{said}");
    let mended =
        format!("{app}resource.all = {{ btrfs = {{ path = \"{at}\", nested = \"separate\" }} }}\n");
    assert_eq!(hint(&mended), None);
}
