//! What a person does with instances, from the command line on: the files of one that is beyond
//! help, and another one like it.

use super::host::{definition, install_guest};
use super::scene::{DOMAIN, HELLO, Scene, convert, ext4, wait};
use crate::daemon::host::{Host, at};
use serde_json::json;

const MEDIC: &str = "medic";

/// Two guests that run, under a heptad that runs.
struct Ward {
    scene: Scene,
    host: Host,
}

impl Ward {
    fn new() -> Self {
        let scene = Scene::running("xfs", "");
        let room = scene.at(MEDIC);
        std::fs::create_dir(&room).unwrap();
        install_guest(&room);
        let (raw, disk) = (room.join("vda.raw"), room.join("vda.qcow2"));
        ext4(&raw, &scene.at("content"));
        convert(&raw, "raw", &disk, "qcow2");
        let disks = [("vda", "qcow2", disk.as_path())];
        scene.libvirtd.define(&definition(MEDIC, &disks, "", &room));
        scene.libvirtd.virsh(&["start", MEDIC]);
        let mut host = Host::new(&at(1, "12:00"));
        let table = |name: &str, domain: &str| {
            let (uri, store) = (scene.libvirtd.uri(), scene.at("store"));
            format!(
                "[resource.{name}]\nkind = \"instance\"\n[resource.{name}.libvirt]\ndomain = \
                 \"{domain}\"\nuri = \"{uri}\"\nstore = \"{}\"\n",
                store.display()
            )
        };
        host.configure(&(table("web", DOMAIN) + &table(MEDIC, MEDIC)));
        host.start();
        let ward = Self { scene, host };
        ward.medic_says("READY");
        ward
    }

    fn medic_says(&self, text: &str) {
        let said = || std::fs::read_to_string(self.scene.at("medic/serial")).unwrap_or_default();
        wait(|| said().contains(text), text);
    }
}

#[test]
fn the_files_of_an_instance_that_hangs_are_read_through_another_one() {
    let ward = Ward::new();
    // It answers nobody any more.
    ward.scene.libvirtd.virsh(&["suspend", DOMAIN]);
    let ok = |line: &str| ward.host.ok(line);
    ok("take web web-root --system-disk");
    let listed = ward.host.get("/v1/snapshots/web-root");
    assert_eq!((&listed["kind"], &listed["part"]), (&"disk".into(), &"system-disk".into()));
    let made = ok("create web-disk --from web-root");
    assert!(made.starts_with("web: created web-disk at "), "{made}");
    let shown = ward.host.get("/v1/resources/web-disk");
    assert_eq!(shown["resource"]["kind"], "disk", "{shown:#}");
    assert_eq!(shown["resource"]["enabled"]["value"], false, "nobody asked for its protection");
    let attached = ok("attach web-disk medic");
    assert_eq!(attached, "medic: has web-disk\n  the guest sees it as vdb\n");
    ward.medic_says("DISK vdb");
    ward.medic_says(&format!("FILE vdb/hello: {HELLO}"));
    ward.host.settle();
    let shown = ok("show web-disk");
    assert!(shown.contains("attached  to medic as vdb"), "{shown}");
    // Before anything is begun.
    let refuses = |line: &str, said: &str| {
        let refused = ward.host.ctl(line);
        assert_eq!((refused.code, refused.err.as_str()), (1, said), "{line}");
    };
    refuses(
        "attach web-disk web",
        "heptactl: domain medic has disk web-disk\n  detach it there first\n",
    );
    refuses(
        "detach web-disk web",
        "heptactl: web does not have disk web-disk\n  nothing was begun\n",
    );
    ok("detach web-disk medic");
    ward.medic_says("GONE vdb");
    ok("forget web-disk --yes");
    // It had no snapshots, so nothing is left of it once its declaration is gone.
    ward.host.until("its end", |client| client.resource("web-disk").is_err().then_some(()));
    assert_eq!(ward.scene.libvirtd.state(DOMAIN), "paused", "it was left as it was");
    let full = (2..9).find_map(|number| {
        ok(&format!("create web-disk-{number} --from web-root"));
        let tried = ward.host.ctl(&format!("attach web-disk-{number} medic"));
        (tried.code != 0).then_some(tried.err)
    });
    let full = full.unwrap();
    assert!(full.contains("medic has no free slot for one more disk while it runs"), "{full}");
}

#[test]
fn another_instance_is_made_protected_and_left_off() {
    let ward = Ward::new();
    let ok = |line: &str| ward.host.ok(line);
    ok("take web mine");
    let shown = ward.host.get("/v1/snapshots/mine");
    let disk = |size: u64| json!([{ "name": "vdb", "resource": null, "size_bytes": size }]);
    assert_eq!(shown["size_bytes"], 24 << 20, "{shown:#}");
    assert_eq!(shown["from_attached_disks"], disk(24 << 20), "{shown:#}");
    let live = ward.host.get("/v1/resources/web")["resource"].take();
    assert_eq!((&live["size_bytes"], &live["attached_disks"]), (&json!(24 << 20), &disk(24 << 20)));
    let page = ok("show web");
    assert!(page.contains("attached  vdb 24.0 MiB"), "{page}");
    let taken = ward.host.ctl("create web-2 --from mine --disk vdb=medic");
    assert!(taken.err.contains("its disk vdb cannot be called medic"), "{taken:?}");
    let unknown = ward.host.ctl("create web-2 --from mine --disk vdc=data-2");
    assert!(unknown.err.contains("mine has no attached disk vdc"), "{unknown:?}");
    let made = ok("create web-2 --from mine --time 05:00 --size 64MiB --disk vdb=data-2");
    assert!(made.contains("created web-2") && made.contains("virsh"), "{made}");
    assert!(made.contains("its disk vdb is the resource data-2"), "{made}");
    assert_eq!(ward.scene.libvirtd.state("web-2"), "shut off");
    let of = |name: &str| ward.scene.libvirtd.virsh(&["domuuid", name]);
    assert_ne!(of("web-2"), of(DOMAIN));
    let shown = ward.host.get("/v1/resources/web-2");
    assert_eq!(shown["resource"]["kind"], "instance");
    assert_eq!(shown["resource"]["time"], "05:00");
    let shown = ward.host.get("/v1/resources/data-2")["resource"].take();
    assert_eq!((&shown["kind"], &shown["size_bytes"]), (&json!("disk"), &json!(24 << 20)));
    assert_eq!(shown["enabled"]["value"], false, "it is in the snapshots of its instance");
    // As good as any other: both have snapshots of their own.
    ok("take data-2 data-first");
    ok("take web-2 first");
    let attached = |name: &str| {
        ward.host.settle();
        ward.host.get(&format!("/v1/resources/{name}"))["resource"]["attached_disks"].take()
    };
    assert_eq!(attached("web-2")[0]["resource"], "data-2");
    ok("detach data-2 web-2");
    assert_eq!(attached("web-2"), json!([]));
    ok("take web-2 without");
    ok("attach data-2 medic");
    ward.medic_says(&format!("FILE vdb/hello: {HELLO}"));
    assert_eq!(attached("medic")[0]["resource"], "data-2");
    ok("detach data-2 medic");
    ok("attach data-2 web-2");
    let smaller = ward.host.ctl("create web-3 --from first --size 32MiB");
    assert!(smaller.code == 1 && smaller.err.contains("smaller"), "{smaller:?}");
    let twice = ward.host.ctl("create medic --from mine");
    assert!(twice.err.contains("there is a resource medic already"), "{twice:?}");
    let unsaid = ward.host.ctl("forget web-2 --yes");
    assert!(unsaid.err.contains("say whether a last snapshot of it is to be taken"), "{unsaid:?}");
    ok("forget web-2 --final web-2-last --yes");
    assert_eq!(ward.host.labels("web-2"), ["web-2-last", "without", "first"]);
}

/// As a power cut leaves it between the domain and the last declaration.
fn undeclared(host: &Host, names: &[&str]) {
    for name in names {
        std::fs::remove_file(host.path(&format!("state/enrolled/{name}.toml"))).unwrap();
    }
    let catalogue = rusqlite::Connection::open(host.path("state/catalogue.sqlite")).unwrap();
    let running = "UPDATE operation SET state = 'running', finished = NULL, tries = 1, parameters = \
                   json_remove(parameters, '$.path') WHERE act = 'create'";
    assert_eq!(catalogue.execute(running, []).unwrap(), 1);
}

#[test]
fn an_instance_that_was_made_when_heptad_stopped_gets_known_with_its_disks() {
    let mut ward = Ward::new();
    ward.host.ok("take web mine");
    for lost in [&["web-2", "web-2-vdb"][..], &["web-2-vdb"]] {
        if lost.len() == 2 {
            ward.host.ok("create web-2 --from mine");
        }
        let uuid = ward.scene.libvirtd.virsh(&["domuuid", "web-2"]);
        ward.host.stop();
        undeclared(&ward.host, lost);
        ward.host.start();
        ward.host.settle();
        for (name, kind) in [("web-2", "instance"), ("web-2-vdb", "disk")] {
            let shown = ward.host.get(&format!("/v1/resources/{name}"))["resource"].take();
            assert_eq!(
                (&shown["kind"], &shown["declared"]),
                (&json!(kind), &json!(true)),
                "{lost:?}"
            );
        }
        let made = ward.host.get("/v1/operations")["operations"].take();
        let create = made.as_array().unwrap().iter().find(|o| o["act"] == "create").unwrap();
        assert_eq!(create["state"], "succeeded", "{create:#}");
        assert_eq!(ward.scene.libvirtd.virsh(&["domuuid", "web-2"]), uuid);
    }
}
