//! Instances and disks as a person meets them: by heptactl and a daemon.

use super::scene::{DOMAIN, HELLO, Scene};
use crate::daemon::host::{Host, at};

#[test]
fn an_instance_is_copied_its_system_disk_given_to_the_copy_and_it_is_set_back_by_commands() {
    let scene = Scene::running("xfs", "");
    let mut host = Host::new(&at(1, "12:00"));
    host.configure(&scene.configuration());
    host.start();
    host.settle();
    host.ok("take web first");
    let shown = host.ok("show first");
    assert!(shown.contains("froze the file systems"), "{shown}");

    let path = |name: &str| scene.at(name).display().to_string();
    host.ok("create web-2 --from first");
    assert!(scene.at("web-2/vda.qcow2").exists(), "beside the images of the original");
    let port = scene.boot("web-2");
    assert_eq!(port.file("b/hello").as_deref(), Some(HELLO), "{}", port.text());
    assert_eq!(host.ctl("create web-2 --from first").code, 1);

    host.ok("take web root --system-disk");
    host.ok(&format!("create rescue --from root --path {}", path("rescue.qcow2")));
    host.ok("attach rescue web-2");
    port.wait_for("DISK vdc");
    let refused = host.ctl("attach rescue web");
    assert!(refused.err.contains("domain web-2 has disk rescue"), "{refused:?}");
    host.ok("detach rescue web-2");
    port.wait_for("GONE vdc");

    let refused = host.ctl("rollback web --to first --yes");
    assert!(refused.err.contains("shutdown web"), "{refused:?}");
    scene.libvirtd.virsh(&["destroy", DOMAIN]);
    std::fs::write(scene.at("vdb.raw"), "ruined").unwrap();
    host.ok("rollback web --to first --yes");
    std::fs::write(scene.at("serial"), "").unwrap();
    scene.start();
    assert!(scene.serial().contains(&format!("FILE /data/b/hello: {HELLO}")), "{}", scene.serial());
    host.settle();
    assert_eq!(host.ctl("status").code, 0, "{}", host.ctl("status").out);
}
