//! What a person does with instances, from the command line on: the files of one that is beyond
//! help, and another one like it.

use super::host::{definition, install_guest};
use super::scene::{DOMAIN, HELLO, Scene, convert, ext4, wait};
use crate::daemon::host::{Host, at};

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
    let refused = ward.host.ctl("attach web-disk web");
    assert!(refused.err.contains("domain medic has it"), "{refused:?}");
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
    let made = ok("create web-2 --from mine --time 05:00 --size 64MiB");
    assert!(made.contains("created web-2") && made.contains("virsh"), "{made}");
    assert_eq!(ward.scene.libvirtd.state("web-2"), "shut off");
    let of = |name: &str| ward.scene.libvirtd.virsh(&["domuuid", name]);
    assert_ne!(of("web-2"), of(DOMAIN));
    let shown = ward.host.get("/v1/resources/web-2");
    assert_eq!(shown["resource"]["kind"], "instance");
    assert_eq!(shown["resource"]["time"], "05:00");
    // As good as any other: it has snapshots of its own.
    ok("take web-2 first");
    let smaller = ward.host.ctl("create web-3 --from first --size 32MiB");
    assert!(smaller.code == 1 && smaller.err.contains("smaller"), "{smaller:?}");
    let twice = ward.host.ctl("create medic --from mine");
    assert!(twice.err.contains("there is a resource medic already"), "{twice:?}");
    let unsaid = ward.host.ctl("forget web-2 --yes");
    assert!(unsaid.err.contains("nothing was said of a last snapshot"), "{unsaid:?}");
    ok("forget web-2 --final web-2-last --yes");
    assert_eq!(ward.host.labels("web-2"), ["web-2-last", "first"]);
}
