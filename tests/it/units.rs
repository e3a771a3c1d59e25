//! The files under systemd/, judged by systemd's own tools and by a systemd that runs them.

use crate::support::loopfs::{LoopFs, subvolume};
use crate::support::pid1::{boot, units_for};
use heptad::host::{clock, logging, signals, sys, systemd};
use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

const HEPTAD: &str = env!("CARGO_BIN_EXE_heptad");
const HEPTACTL: &str = env!("CARGO_BIN_EXE_heptactl");
/// Set for this program when it stands in for the daemon.
const ROLE: &str = "HEPTAD_TEST_STANDS_IN";

fn quiet_success(command: &mut Command) -> String {
    let output = command.output().unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{command:?}: {text}{error}");
    format!("{text}{error}")
}

fn unit(name: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("systemd").join(name)
}

#[test]
fn systemd_finds_nothing_wrong_with_the_units() {
    let dir = tempfile::tempdir().unwrap();
    let units = units_for(Path::new(HEPTAD), dir.path());
    // The manual pages are generated at installation.
    let said =
        quiet_success(Command::new("systemd-analyze").args(["verify", "--man=no"]).args(units));
    assert_eq!(said, "");
}

#[test]
fn the_service_is_exposed_by_no_more_than_2_7_of_ten() {
    quiet_success(
        Command::new("systemd-analyze")
            .args(["security", "--offline=yes", "--no-pager", "--threshold=27"])
            .arg(unit("heptad.service")),
    );
}

#[test]
fn groups_and_directories_are_made_as_the_units_expect_them() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir(dir.path().join("etc")).unwrap();
    let root = format!("--root={}", dir.path().display());
    quiet_success(Command::new("systemd-sysusers").arg(&root).arg(unit("heptad.sysusers")));
    let groups = std::fs::read_to_string(dir.path().join("etc/group")).unwrap();
    for group in ["heptad:", "heptad-admin:"] {
        assert!(groups.lines().any(|line| line.starts_with(group)), "{group} in {groups}");
    }
    quiet_success(
        Command::new("systemd-tmpfiles").args(["--create", &root]).arg(unit("heptad.tmpfiles")),
    );
    let check = |path: &str, mode: u32| {
        let meta = std::fs::metadata(dir.path().join(path)).unwrap();
        assert_eq!(meta.permissions().mode() & 0o7777, mode, "{path}");
    };
    check("var/lib/heptad", 0o700);
    check("etc/heptad/conf.d", 0o750);
    check("run/heptad", 0o755);
}

/// What the service does here: whatever the host room offers to a daemon.
fn stand_in() {
    let clock: Arc<dyn clock::Clock> = Arc::new(clock::System);
    let stream = std::env::var("JOURNAL_STREAM").ok();
    let setup = logging::Setup {
        filter: "info",
        journal_stream: stream.as_deref(),
        colour: true,
        clock: clock.clone(),
    };
    logging::init(setup).unwrap();
    assert!(sys::clock_is_synchronised().is_ok(), "the sandbox forbids to ask about the clock");
    let socket = systemd::inherited("control").unwrap().pop().expect("no socket was passed on");
    assert!(systemd::inherited("other").unwrap().is_empty());
    std::thread::spawn(move || {
        for peer in UnixListener::from(socket).incoming() {
            let mut peer = peer.unwrap();
            // A question left unread would turn the close into a reset.
            let asked = peer.read(&mut [0; 4096]).unwrap();
            assert!(asked > 0);
            peer.write_all(b"here I am\n").unwrap();
        }
    });
    let every = systemd::sign_of_life_every().expect("the unit has a watchdog");
    tracing::info!(every = every.as_secs(), odd = "a\u{1b}[2Jb", "stands in");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut signals = signals::Signals::listen().unwrap();
        systemd::ready("serving\nREADY=0").unwrap();
        systemd::alive().unwrap();
        while signals.next().await == signals::Asked::Reload {
            systemd::reloading().unwrap();
            tracing::info!("reloaded");
            systemd::ready("serving again").unwrap();
        }
        systemd::stopping(std::time::Duration::from_secs(10)).unwrap();
        tracing::info!("stops");
    });
}

/// A program for `/usr/bin/heptad`: `check` is `checks`, `run` is [`stand_in`] in this very test.
fn program(dir: &Path, test: &str, checks: &str) -> std::path::PathBuf {
    let me = std::env::current_exe().unwrap();
    let path = dir.join("heptad");
    let text = format!(
        "#!/bin/bash\nset -eux\nif [[ $1 == check ]]; then\n{checks}\nexit\nfi\n\
         export {ROLE}=1\nexec {} --exact {test} --nocapture\n",
        me.display()
    );
    std::fs::write(&path, text).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    path
}

#[test]
fn the_units_start_reload_and_stop_a_daemon_and_keep_its_socket() {
    if std::env::var_os(ROLE).is_some() {
        return stand_in();
    }
    let dir = tempfile::Builder::new().tempdir_in("/var/tmp").unwrap();
    let test = "units::the_units_start_reload_and_stop_a_daemon_and_keep_its_socket";
    let program = program(dir.path(), test, "true");
    let script = r#"
        ask() { test "$(curl --silent --unix-socket /run/heptad/heptad.sock --http0.9 x)" = "here I am"; }
        systemctl start heptad.socket
        test "$(systemctl is-active heptad.service || true)" = inactive
        test "$(stat --format=%a:%U /run/heptad/heptad.sock)" = 666:root
        # The first who connects starts the service.
        ask
        test "$(systemctl is-active heptad.service)" = active
        systemctl show heptad.service --property=StatusText | grep --fixed-strings 'serving READY=0'
        test "$(stat --format=%a /var/lib/heptad)" = 700
        systemctl reload heptad.service
        systemctl show heptad.service --property=StatusText | grep --fixed-strings 'serving again'
        inode=$(stat --format=%i /run/heptad/heptad.sock)
        systemctl restart heptad.service
        test "$(stat --format=%i /run/heptad/heptad.sock)" = "$inode"
        ask
        systemctl stop heptad.socket heptad.service
        test ! -e /run/heptad/heptad.sock
        test "$(systemctl show --value --property=Result heptad.service)" = success
        journalctl --sync
        journalctl --output=cat SYSLOG_IDENTIFIER=heptad HEPTAD_EVERY=30
        journalctl --output=cat SYSLOG_IDENTIFIER=heptad | grep --line-regexp --max-count=1 stops
    "#;
    let paths = [dir.path(), &std::env::current_exe().unwrap()];
    boot(&program, script, &paths).succeeded();
}

#[test]
fn the_sandbox_lets_through_what_backends_need_and_little_more() {
    let mut disk = LoopFs::new("btrfs", 128);
    subvolume(&disk.path().join("vol"));
    std::fs::create_dir(disk.path().join("vol/private")).unwrap();
    let owned = Some(12_345);
    std::os::unix::fs::chown(disk.path().join("vol/private"), owned, owned).unwrap();
    std::os::unix::fs::chown(disk.path().join("vol"), owned, owned).unwrap();
    std::fs::set_permissions(disk.path().join("vol"), PermissionsExt::from_mode(0o700)).unwrap();
    disk.unmount();
    disk.mount("subvol=vol");
    // Another device than before, perhaps.
    let words = ["--noheadings", "--nofsroot", "--output=SOURCE"];
    let source = quiet_success(Command::new("findmnt").args(words).arg(disk.path()));
    let (device, mount) = (source.trim(), disk.path());
    let dir = tempfile::Builder::new().tempdir_in("/var/tmp").unwrap();
    let content = dir.path().join("content");
    std::fs::create_dir(&content).unwrap();
    std::fs::write(content.join("hello"), "one").unwrap();
    let image = dir.path().join("image");
    std::fs::File::create(&image).unwrap().set_len(8 << 20).unwrap();
    quiet_success(Command::new("mkfs.ext4").args(["-q", "-F", "-d"]).arg(&content).arg(&image));
    let image = image.display();
    let checks = format!(
        r#"
        device={device} mounted={}
        # Trees are copied with owners, setuid bits, file capabilities and attributes.
        for place in /var/lib/heptad /srv /home /tmp; do
            install --mode=4755 --owner=12345 --group=12345 /bin/true $place/tool
            setfattr --name=security.capability --value=0x0100000200040000000000000000000000000000 $place/tool
            cp --archive $place/tool $place/copy
            test "$(stat --format=%a:%u:%g $place/copy)" = 4755:12345:12345
            getfattr --name=security.capability $place/copy
        done
        # The top of a btrfs is mounted once more, and a subvolume of somebody else snapshotted.
        ls $mounted/private
        mkdir -p /var/lib/heptad/top
        mount -t btrfs -o ro,subvolid=5 $device /var/lib/heptad/top
        mount -o remount,bind,rw /var/lib/heptad/top
        btrfs subvolume snapshot -r /var/lib/heptad/top/vol /var/lib/heptad/top/snap
        btrfs subvolume delete --commit-after /var/lib/heptad/top/snap
        umount /var/lib/heptad/top
        fail() {{ if "$@"; then echo "this was possible: $*"; exit 1; fi; }}
        allowed=fail
        [[ ! -e /run/allowed ]] || allowed=
        # What drop-ins allow: seeing who uses a file, mount namespaces, FUSE, becoming a user.
        for link in root cwd exe ns/mnt fd/0; do $allowed readlink /proc/1/$link; done
        $allowed unshare --mount true
        $allowed bash -c 'exec 3<>/dev/fuse'
        $allowed setpriv --reuid=12345 --regid=12345 --clear-groups true
        [[ -n $allowed ]] || python3 - <<'PYTHON'
import json, os, socket, subprocess
ours, theirs = socket.socketpair()
number = theirs.fileno()
helper = subprocess.Popen(["{HEPTAD}", "helper", "image", str(number)], pass_fds=[number])
theirs.close()
disk = {{"name": "vda", "path": "{image}", "format": "raw"}}
ours.sendall(json.dumps({{"source": "heptad:test", "disks": [disk]}}).encode())
ours.shutdown(socket.SHUT_WR)
note, mounts, _, _ = socket.recv_fds(ours, 4096, 1)
assert note == b'"Ready"', note
top = f"/proc/self/fd/{{mounts[0]}}"
assert os.listdir(top) == ["vda"], os.listdir(top)
assert open(top + "/vda/hello").read() == "one"
PYTHON
        # Nothing else.
        fail touch /etc/x
        fail touch /usr/x
        fail dd if=/dev/zero of=$device bs=4096 count=1 oflag=direct conv=notrunc
        fail mknod /srv/disk b 7 0
        fail unshare --user true
        fail bash -c 'exec 3<>/dev/tcp/127.0.0.1/22'
        "#,
        mount.display()
    );
    let program = program(dir.path(), "none", &checks);
    // The checks are the unit's ExecStartPre, so they run in its sandbox as it is shipped.
    let script = "mkdir -p /run/systemd/system/heptad.service.d
        printf '[Service]\\nType=oneshot\\nExecStart=\\nExecStart=/bin/true\\nRestart=no\\nWatchdogSec=0\\n' \
            >/run/systemd/system/heptad.service.d/once.conf
        systemctl daemon-reload
        systemctl start heptad.service
        # And once more with all of them.
        install -D -m 644 -t /etc/systemd/system/heptad.service.d /usr/share/heptad/heptad-*.conf
        touch /run/allowed
        systemctl daemon-reload
        systemctl restart heptad.service";
    boot(&program, script, &[dir.path(), &mount, Path::new(HEPTAD)]).succeeded();
}

/// The command that a refusal names, a line of its own, as it is printed.
pub const ALLOW: &str = r#"
    allow() { # FILE-WITH-WHAT-WAS-SAID NAME
        grep --max-count=1 "^ *install .*$2 && systemctl daemon-reload && systemctl restart heptad$" "$1" >/tmp/allow
        bash -eux /tmp/allow
    }
"#;

#[test]
fn what_the_unit_does_not_allow_is_said_with_the_commands_that_allow_it_and_then_works() {
    let disk = LoopFs::new("btrfs", 128);
    subvolume(&disk.path().join("vol"));
    let script = format!(
        r#"{ALLOW}
        ctl() {{ {HEPTACTL} "$@"; }}
        disk={}
        install --directory --mode=750 /etc/heptad /etc/heptad/conf.d
        mkdir /srv/notes
        echo one >/srv/notes/diary
        echo one >$disk/vol/page
        cat >/etc/heptad/heptad.toml <<TOML
resource.notes.files.path = "/srv/notes"
resource.www.btrfs.path = "$disk/vol"
TOML
        systemctl start heptad.socket
        for name in notes www; do ctl take $name $name-1; done
        # Looking needs nothing.
        ctl browse notes-1 | grep diary
        test "$(ctl get www-1 page -o -)" = one
        echo two >/srv/notes/diary
        echo two >$disk/vol/page
        for name in notes www; do ctl take $name $name-2; ctl diff $name-1 $name-2; done
        ctl create copy --from notes-1 --path /srv/copy
        ctl create www-copy --from www-1
        # At check, at start, and in the refusal.
        ctl check >/tmp/checked 2>&1
        journalctl --sync
        journalctl --output=cat --unit=heptad >/tmp/started
        for said in /tmp/checked /tmp/started; do
            tr --squeeze-repeats '
 ' ' ' <$said >$said.line
            grep --fixed-strings 'of notes, www: not possible, since the unit does not allow CAP_SYS_PTRACE' $said.line
            grep --fixed-strings /usr/share/heptad/heptad-mount.conf $said.line
        done
        for name in notes www; do
            ! ctl rollback $name --to $name-1 --yes >/tmp/said 2>&1
            grep --fixed-strings heptad-rollback.conf /tmp/said
        done
        allow /tmp/said heptad-rollback.conf
        for name in notes www; do ctl rollback $name --to $name-1 --yes; done
        test "$(cat /srv/notes/diary $disk/vol/page)" = "$(printf 'one
one')"
        mkdir /mnt/then
        ! ctl mount notes-2 /mnt/then >/tmp/said 2>&1
        cat /tmp/said
        allow /tmp/said heptad-mount.conf
        for name in notes www; do
            ctl mount $name-2 /mnt/then
            grep two /mnt/then/*
            ctl umount /mnt/then
        done
        # Who holds it is seen now, and stops it.
        systemd-run --quiet --unit=writer --property=User=nobody --working-directory=/srv/notes sleep 900
        ! ctl rollback notes --to notes-2 --yes >/tmp/said 2>&1
        grep --fixed-strings 'systemctl stop writer.service' /tmp/said
        ctl check >/tmp/checked 2>&1
        grep --fixed-strings 'the configuration is in order' /tmp/checked
        # What would need a drop-in is not protected in vain.
        install --directory --owner=nobody /srv/app
        python3 -c 'import sqlite3; sqlite3.connect("/srv/app/app.db").execute("create table t (n)")'
        chown nobody /srv/app/app.db
        ! ctl protect /srv/app/app.db >/tmp/said 2>&1
        allow /tmp/said heptad-databases.conf
        ctl protect /srv/app/app.db --take app-1"#,
        disk.path().display()
    );
    boot(Path::new(HEPTAD), &script, &[Path::new(HEPTACTL), &disk.path()]).succeeded();
}
