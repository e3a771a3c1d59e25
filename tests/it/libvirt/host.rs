//! A libvirt of one's own: a libvirtd with private directories in namespaces of its own, for the
//! life of a test. It needs no systemd and meets no libvirt of the machine.

use crate::support::loopfs::Undo;
use rustix::process::Pid;
use std::os::unix::net::UnixListener;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// `$1` is the private directory. The shell is process 1 in there and takes in the guests'
/// processes when they end; all end with it.
const START: &str = r#"
set -e
cd "$1"
for dir in run/libvirt var/lib/libvirt etc/libvirt var/cache/libvirt var/log/libvirt; do
    mkdir -p "own/$dir" "/$dir"
done
cp conf/qemu.conf own/etc/libvirt/
for dir in run/libvirt var/lib/libvirt etc/libvirt var/cache/libvirt var/log/libvirt; do
    mount --bind "own/$dir" "/$dir"
done
# Debian's package makes this user, if it is installed whole; libvirtd wants it to exist.
cp /etc/passwd /etc/group conf/
grep -q '^libvirt-qemu:' conf/passwd ||
    echo 'libvirt-qemu:x:64055:64055::/nonexistent:/usr/sbin/nologin' >> conf/passwd
grep -q '^libvirt-qemu:' conf/group || echo 'libvirt-qemu:x:64055:' >> conf/group
grep -q '^kvm:' conf/group || echo 'kvm:x:64056:' >> conf/group
mount --bind conf/passwd /etc/passwd
mount --bind conf/group /etc/group
# The machine's systemd is not to hear of these guests.
mkdir empty
[ -d /run/dbus ] && mount --bind empty /run/dbus
libvirtd -f "$1/conf/libvirtd.conf" -p "$1/libvirtd.pid" > log 2>&1 &
wait $!
"#;

/// Libvirtd, and all its guests, until dropped.
#[derive(Debug)]
pub struct Libvirtd {
    // Before the directory: fields are dropped in this order.
    _undo: Undo,
    shell: Child,
    dir: TempDir,
}

impl Drop for Libvirtd {
    fn drop(&mut self) {
        let _ = self.shell.kill();
        let _ = self.shell.wait();
    }
}

impl Libvirtd {
    /// What is mounted now is seen by its guests; what is mounted later is not.
    pub fn start() -> Self {
        Self::configured("user = \"root\"\ngroup = \"root\"\ndynamic_ownership = 0\n")
    }

    /// With lines for its qemu.conf.
    pub fn configured(qemu: &str) -> Self {
        let dir =
            tempfile::Builder::new().prefix("heptad-libvirt-").tempdir_in("/var/tmp").unwrap();
        let at = dir.path().display();
        std::fs::create_dir(dir.path().join("conf")).unwrap();
        let daemon = format!(
            "unix_sock_dir = \"{at}\"\nauth_unix_ro = \"none\"\nauth_unix_rw = \"none\"\n\
             log_outputs = \"3:file:{at}/libvirtd.log\"\n"
        );
        let qemu = format!(
            "security_driver = \"none\"\nnamespaces = []\ncgroup_controllers = []\n\
             stdio_handler = \"file\"\n{qemu}"
        );
        std::fs::write(dir.path().join("conf/libvirtd.conf"), daemon).unwrap();
        std::fs::write(dir.path().join("conf/qemu.conf"), qemu).unwrap();
        let mut shell = Command::new("unshare");
        shell.args(["--mount", "--propagation", "private", "--pid", "--fork", "--mount-proc"]);
        shell.args(["--kill-child=KILL", "sh", "-c", START, "libvirtd"]).arg(dir.path());
        shell.stdin(Stdio::null()).stdout(Stdio::null()).process_group(0);
        let errors = std::fs::File::create(dir.path().join("errors")).unwrap();
        let shell = shell.stderr(errors).spawn().unwrap();
        let undo = format!(
            "kill -KILL {}; cd /; for i in 1 2 3 4 5 6 7 8 9; do rm -rf \"$1\" && break; done",
            shell.id()
        );
        let this = Self { _undo: Undo::new(&undo, dir.path()), shell, dir };
        let until = Instant::now() + Duration::from_secs(60);
        while this.ask(&["uri"]).is_err() {
            assert!(Instant::now() < until, "libvirtd does not start: {}", this.log());
            std::thread::yield_now();
        }
        this
    }

    fn log(&self) -> String {
        let read = |name| std::fs::read_to_string(self.dir.path().join(name)).unwrap_or_default();
        ["errors", "log", "libvirtd.log"].map(read).join("\n")
    }

    pub fn uri(&self) -> String {
        format!("qemu+unix:///system?socket={}/libvirt-sock", self.dir.path().display())
    }

    /// Hangs up on whoever asks next, as while it starts anew. Returns when somebody did.
    pub fn hang_up_once(&self) -> std::thread::JoinHandle<()> {
        let [socket, away] = ["libvirt-sock", "away"].map(|name| self.dir.path().join(name));
        std::fs::rename(&socket, &away).unwrap();
        let deaf = UnixListener::bind(&socket).unwrap();
        std::thread::spawn(move || {
            let caller = deaf.accept().unwrap();
            std::fs::rename(away, socket).unwrap();
            drop(caller);
        })
    }

    pub fn ask(&self, args: &[&str]) -> Result<String, String> {
        let mut virsh = Command::new("virsh");
        virsh.env("LC_ALL", "C").args(["--quiet", "--connect", &self.uri()]).args(args);
        let output = virsh.stdin(Stdio::null()).output().unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
        if output.status.success() { Ok(text(&output.stdout)) } else { Err(text(&output.stderr)) }
    }

    /// What must succeed.
    pub fn virsh(&self, args: &[&str]) -> String {
        self.ask(args).unwrap_or_else(|error| panic!("virsh {args:?}: {error}\n{}", self.log()))
    }

    pub fn define(&self, definition: &str) {
        let file = self.dir.path().join("definition");
        std::fs::write(&file, definition).unwrap();
        self.virsh(&["define", file.to_str().unwrap()]);
    }

    /// The process of a domain that runs.
    pub fn qemu(&self, domain: &str) -> Pid {
        let uuid = self.virsh(&["domuuid", domain]);
        let found = processes(|line| line.starts_with("/usr/bin/qemu") && line.contains(&uuid));
        assert_eq!(found.len(), 1, "{found:?}");
        found[0]
    }

    /// Whether a virsh is asking for something now.
    pub fn is_asked_for(&self, what: &str) -> bool {
        !processes(|line| line.contains(&self.uri()) && line.contains(what)).is_empty()
    }

    pub fn state(&self, domain: &str) -> String {
        self.virsh(&["domstate", domain])
    }
}

/// Whose command line is like this.
fn processes(is_it: impl Fn(&str) -> bool) -> Vec<Pid> {
    let entries = std::fs::read_dir("/proc").unwrap().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let line = |pid: &i32| std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let found = pids.filter(|pid| is_it(&String::from_utf8_lossy(&line(pid)).replace('\0', " ")));
    found.filter_map(Pid::from_raw).collect()
}

/// A disk of a definition: target, format, file.
pub type Disk<'a> = (&'a str, &'a str, &'a Path);

/// A definition of the test guest, whose kernel and serial port are in a directory. `words` go to
/// its kernel's command line.
pub fn definition(name: &str, disks: &[Disk<'_>], words: &str, dir: &Path) -> String {
    let [kernel, initrd, serial] = ["vmlinuz", "initrd", "serial"].map(|name| dir.join(name));
    let disk = |(target, format, file): &Disk<'_>| {
        format!(
            "<disk type='file' device='disk'><driver name='qemu' type='{format}'/>\
             <source file='{}'/><target dev='{target}' bus='virtio'/></disk>",
            file.display()
        )
    };
    let disks: String = disks.iter().map(disk).collect();
    format!(
        "<domain type='qemu'><name>{name}</name><memory unit='MiB'>96</memory><vcpu>1</vcpu>
         <os><type arch='x86_64' machine='q35'>hvm</type><kernel>{}</kernel><initrd>{}</initrd>
         <cmdline>console=ttyS0 quiet panic=1 {words}</cmdline></os><features><acpi/></features>
         <devices>{disks}
         <controller type='pci' index='0' model='pcie-root'/>
         <controller type='pci' model='pcie-root-port'/><controller type='pci' model='pcie-root-port'/>
         <controller type='pci' model='pcie-root-port'/><controller type='pci' model='pcie-root-port'/>
         <controller type='pci' model='pcie-root-port'/>
         <serial type='file'><source path='{}'/></serial>
         <channel type='unix'><target type='virtio' name='org.qemu.guest_agent.0'/></channel>
         <controller type='usb' model='none'/><memballoon model='none'/></devices></domain>",
        kernel.display(),
        initrd.display(),
        serial.display()
    )
}

/// Puts kernel and first file system of the test guest into a directory: libvirt may give them to
/// its guests' user. They are built once for each checkout.
pub fn install_guest(at: &Path) {
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("guest");
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/guest/build");
    crate::support::loopfs::run(script.to_str().unwrap(), &[dir.to_str().unwrap()]);
    for file in ["vmlinuz", "initrd"] {
        std::fs::copy(dir.join(file), at.join(file)).unwrap();
    }
}
