//! A new instance beside its original: neither takes anything from the other.

use super::scene::{DOMAIN, HELLO, Scene, restore, take};
use serde_json::json;
use std::net::TcpListener;

/// Ports that nobody listens on, each at its end.
fn ports() -> [u16; 3] {
    let free = [0; 3].map(|_| TcpListener::bind("127.0.0.1:0").unwrap());
    free.map(|listener| listener.local_addr().unwrap().port())
}

#[test]
fn a_copy_runs_beside_an_original_that_has_ports_and_devices_of_the_host() {
    let scene = Scene::off("xfs", "");
    let [said, serial, display] = ports();
    let floppy = scene.at("floppy");
    std::fs::write(&floppy, vec![0; 1_474_560]).unwrap();
    let devices = format!(
        "<serial type='tcp'><source mode='bind' host='127.0.0.1' service='{serial}'/>\
         <protocol type='raw'/><target port='1'/></serial>\
         <channel type='unix'><source mode='bind' path='{}'/>\
         <target type='virtio' name='mine'/></channel>\
         <graphics type='vnc' port='{display}' listen='127.0.0.1'/>\
         <shmem name='between'><model type='ivshmem-plain'/><size unit='M'>4</size></shmem>\
         <disk type='file' device='floppy'><source file='{}'/><target dev='fda' bus='fdc'/></disk>\
         </devices>",
        scene.at("mine").display(),
        floppy.display(),
    );
    let past = format!(
        "<sysinfo type='smbios'><system><entry name='serial'>S-1</entry></system></sysinfo>\
         <qemu:commandline xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'>\
         <qemu:arg value='-chardev'/><qemu:arg value='socket,id=said,host=127.0.0.1,port={said},\
         server=on,wait=off'/></qemu:commandline></domain>"
    );
    let made = scene.libvirtd.virsh(&["dumpxml", DOMAIN]);
    let tied = made.replace("</devices>", &devices).replace("</domain>", &past);
    scene.libvirtd.define(&tied);
    let backend = scene.backend(&json!({}));
    take(&*backend, 1).unwrap();
    let notes = restore(&*backend, 1, "copy", &scene.at("copy")).unwrap().notes.join("\n");
    for what in [
        "shmem between",
        "qemu:commandline",
        "serial and asset",
        "(mine)",
        "virsh edit copy",
        &format!("serial tcp 127.0.0.1 {serial}"),
        &format!("display vnc ({display})"),
        "floppy",
    ] {
        assert!(notes.contains(what), "{what} not in {notes}");
    }
    scene.start();
    let port = scene.boot("copy");
    assert_eq!(port.file("a/hello").as_deref(), Some(HELLO), "{}", port.text());
    assert_eq!(scene.libvirtd.state(DOMAIN), "running");
    let copy = scene.libvirtd.virsh(&["dumpxml", "copy"]);
    for theirs in ["between", "S-1", "qemu:", &display.to_string()] {
        assert!(!copy.contains(theirs), "{theirs} in {copy}");
    }
}
