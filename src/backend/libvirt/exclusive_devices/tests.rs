//! What becomes of each tie, as data.

use super::*;

/// What is left of a device, and the note of it.
fn check(device: &str, want: &str, note: &str) {
    let text = format!("<domain><name>new</name><devices>{device}</devices></domain>");
    let mut definition = Element::parse(&text).unwrap();
    let notes = cut(&mut definition, "new");
    let wanted = format!("<domain><name>new</name><devices>{want}</devices></domain>");
    let wanted = Element::parse(&wanted).unwrap();
    assert_eq!(definition.print(), wanted.print(), "{device}");
    assert_eq!(notes.is_empty(), note.is_empty(), "{device}: {notes:?}");
    assert!(notes.concat().contains(note), "{device}: {note} not in {notes:?}");
}

fn left(device: &str, called: &str) {
    check(device, "", &format!("left with the original, as only one guest can have it: {called};"));
}

fn own(device: &str, want: &str, called: &str) {
    let said = format!("its own in the place of the original's: {called};");
    check(device, want, &said);
}

fn stays(device: &str) {
    check(device, device, "");
}

#[test]
fn what_only_one_guest_can_have_stays_with_the_original() {
    left("<hostdev mode='subsystem' type='pci'><source/></hostdev>", "hostdev pci");
    left("<shmem name='between'><size>4</size></shmem>", "shmem between");
    left(
        "<redirdev bus='usb' type='tcp'><source host='h' service='4000'/></redirdev>",
        "redirdev tcp h 4000",
    );
    left("<smartcard mode='host'/>", "smartcard");
    left(
        "<rng model='virtio'><backend model='egd' type='unix'><source mode='bind' path='/egd'/></backend></rng>",
        "rng",
    );
    left(
        "<input type='evdev'><source dev='/dev/input/event1'/></input>",
        "input evdev /dev/input/event1",
    );
    left(
        "<tpm model='tpm-tis'><backend type='passthrough'><device path='/dev/tpm0'/></backend></tpm>",
        "tpm",
    );
    left(
        "<filesystem type='mount'><source socket='/fs.sock'/><target dir='x'/></filesystem>",
        "filesystem mount /fs.sock",
    );
    left("<memory model='nvdimm'><source><path>/nv</path></source></memory>", "memory");
    left(
        "<interface type='vhostuser'><source type='unix' path='/v.sock' mode='server'/></interface>",
        "interface vhostuser unix /v.sock",
    );
    left(
        "<interface type='server'><source address='127.0.0.1' port='5558'/></interface>",
        "interface server",
    );
    left(
        "<channel type='tcp'><source mode='bind' host='h' service='1'/><target type='guestfwd' address='10.0.2.1' port='4600'/></channel>",
        "channel tcp h 1",
    );
}

#[test]
fn ends_on_the_host_become_the_new_guests_own() {
    let pty = "<serial type='pty'><target port='0'/></serial>";
    for (kind, rest, called) in [
        ("file", "<source path='/log'/>", "serial file /log"),
        ("pipe", "<source path='/pipe'/>", "serial pipe /pipe"),
        ("dev", "<source path='/dev/ttyS0'/>", "serial dev /dev/ttyS0"),
        ("unix", "<source mode='bind' path='/s'/>", "serial unix /s"),
        (
            "tcp",
            "<source mode='bind' host='h' service='1'/><protocol type='raw'/>",
            "serial tcp h 1",
        ),
        ("udp", "<source mode='connect' host='h' service='1'/>", "serial udp h 1"),
    ] {
        let device = format!("<serial type='{kind}'>{rest}<target port='0'/></serial>");
        own(&device, pty, &format!("{called} (now a terminal)"));
    }
    check(
        "<serial type='pty' tty='/dev/pts/1'><source path='/dev/pts/1'/><target port='0'/></serial>",
        pty,
        "",
    );
    own(
        "<console type='pty'><log file='/l'/></console>",
        "<console type='pty'/>",
        "console pty (now without its log)",
    );
    let agent = "<target type='virtio' name='agent'/>";
    let channel = format!("<channel type='unix'>{agent}</channel>");
    for (kind, source, called) in [
        ("unix", "<source mode='bind' path='/home/me/s'/>", "channel unix /home/me/s (agent)"),
        ("unix", "<source mode='connect' path='/s'/>", "channel unix /s (agent)"),
        ("tcp", "<source mode='bind' host='h' service='1'/>", "channel tcp h 1 (agent)"),
        ("file", "<source path='/f'/>", "channel file /f (agent)"),
    ] {
        let device = format!("<channel type='{kind}'>{source}{agent}</channel>");
        own(&device, &channel, called);
    }
    let libvirts = "<source mode='bind' path='/var/lib/libvirt/qemu/web.agent'/>";
    check(&format!("<channel type='unix'>{libvirts}{agent}</channel>"), &channel, "");
    own(
        "<disk type='file' device='floppy'><source file='/fd'/><target dev='fda'/></disk>",
        "<disk type='file' device='floppy'><target dev='fda'/></disk>",
        "disk file /fd (now empty)",
    );
    own(
        "<audio id='1' type='file' path='/a.wav'/>",
        "<audio id='1' type='none'/>",
        "audio file /a.wav",
    );
}

#[test]
fn displays_and_network_cards_get_ports_and_names_of_their_own() {
    let vnc = "<graphics type='vnc' port='-1' autoport='yes'/>";
    own(
        "<graphics type='vnc' port='5901' autoport='no' websocket='5700'/>",
        vnc,
        "display vnc (5901, 5700)",
    );
    own(
        "<graphics type='vnc'><listen type='socket' socket='/v'/></graphics>",
        vnc,
        "display vnc (/v)",
    );
    check("<graphics type='vnc' port='-1' autoport='yes'/>", vnc, "");
    stays("<graphics type='egl-headless'/>");
    own(
        "<interface type='ethernet'><target dev='web-eth0' managed='no'/></interface>",
        "<interface type='ethernet'/>",
        "network card ethernet (name web-eth0)",
    );
    check(
        "<interface type='network'><source network='n' portid='p'/><target dev='vnet7'/></interface>",
        "<interface type='network'><source network='n'/></interface>",
        "",
    );
    own(
        "<interface type='user'><backend type='passt' logFile='/p.log'/><portForward proto='tcp'/></interface>",
        "<interface type='user'><backend type='passt'/></interface>",
        "network card user (forwarded ports, log /p.log)",
    );
}

#[test]
fn what_both_can_have_stays() {
    stays("<serial type='null'><target port='0'/></serial>");
    stays("<channel type='spicevmc'><target type='virtio' name='spice'/></channel>");
    stays("<redirdev bus='usb' type='spicevmc'/>");
    stays("<rng model='virtio'><backend model='random'>/dev/urandom</backend></rng>");
    stays("<tpm model='tpm-tis'><backend type='emulator' version='2.0'/></tpm>");
    stays("<input type='tablet' bus='usb'/>");
    let shared = "<filesystem type='mount'><source dir='/srv'/><target dir='x'/></filesystem>";
    check(shared, shared, "it uses the same as the original: filesystem mount /srv");
}

#[test]
fn what_is_said_past_libvirt_and_numbers_of_the_firmware_are_left_out() {
    let mut definition = Element::parse(
        "<domain xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'><uuid>new</uuid>
         <hwuuid>old</hwuuid><metadata><x:y xmlns:x='urn:x'/></metadata><sysinfo type='smbios'>
         <system><entry name='uuid'>old</entry><entry name='serial'>S</entry>
         <entry name='family'>F</entry></system></sysinfo>
         <qemu:commandline><qemu:arg value='-x'/></qemu:commandline>
         <qemu:override/></domain>",
    )
    .unwrap();
    let notes = cut(&mut definition, "new");
    let want = "<domain><uuid>new</uuid><metadata><x:y xmlns:x='urn:x'/></metadata>
         <sysinfo type='smbios'><system><entry name='uuid'>new</entry>
         <entry name='family'>F</entry></system></sysinfo></domain>";
    assert_eq!(definition.print(), Element::parse(want).unwrap().print());
    assert!(notes[0].contains("qemu:commandline, qemu:override; to say it again: virsh edit new"));
    assert!(notes[1].contains("serial and asset numbers"), "{notes:?}");
}
