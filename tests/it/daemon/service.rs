//! The shipped units with the real programs, under a systemd that is PID 1.

use super::host::{HEPTACTL, HEPTAD};
use crate::support::loopfs::{LoopFs, subvolume};
use crate::support::pid1::boot;
use std::path::Path;

const SCRIPT: &str = r#"
ctl() { HEPTACTL "$@"; }
said() { grep --max-count=1 "$1" < <(journalctl --follow --lines=all --output=cat SYSLOG_IDENTIFIER=heptad); }
install --directory --mode=750 /etc/heptad /etc/heptad/conf.d
mkdir /srv/tree /srv/extra
echo one >/srv/tree/file
cat >/etc/heptad/heptad.toml <<TOML
[resource.tree]
files = { path = "/srv/tree" }
[resource.vol]
btrfs = { path = "VOLUME" }
TOML
# Mounts are wanted here.
install -D -m 644 -t /etc/systemd/system/heptad.service.d /usr/share/heptad/heptad-mount.conf
systemctl daemon-reload
systemctl start heptad.socket
test "$(systemctl is-active heptad.service || true)" = inactive
# Whoever asks first starts it.
ctl status
test "$(systemctl is-active heptad.service)" = active
systemctl show heptad.service --property=StatusText | grep --fixed-strings protecting
for name in tree vol; do
    ctl take $name first-$name
    ctl show first-$name | grep complete
done
test "$(cat VOLUME/../.heptad/vol/1/data/file)" = one
test "$(cat /var/lib/heptad/store/tree/1/data/file)" = one
# A mount is seen by everybody, and the daemon counts on it across a restart.
mkdir /mnt/vol /mnt/tree
for name in vol tree; do
    ctl mount first-$name /mnt/$name
    test "$(cat /mnt/$name/file)" = one
    findmnt --noheadings --output=VFS-OPTIONS /mnt/$name | grep --word-regexp ro
done
systemctl restart heptad.service
if ctl delete first-vol --now --yes; then exit 1; fi
ctl mounts
ctl mounts | grep '^first-vol  */mnt/vol$'
for name in vol tree; do
    ctl umount /mnt/$name
    if mountpoint /mnt/$name; then exit 1; fi
done
ctl mounts | grep '^no snapshot is mounted$'

ctl create again --from first-vol --path VOLUME-again
cmp VOLUME/file VOLUME-again/file

echo '[resource.extra]
files = { path = "/srv/extra" }' >/etc/heptad/conf.d/extra.toml
systemctl reload heptad.service
said 'configuration loaded'
ctl status extra
echo 'nonsense = 1' >/etc/heptad/conf.d/extra.toml
systemctl reload heptad.service
said 'the old one stays'
ctl status extra
rm /etc/heptad/conf.d/extra.toml

# As it is normally read, the journal says what, of what, by whom, and why not.
cat >/srv/refuses <<'SH'
#!/bin/sh
printf 'not\033[2J now\nnor then\n' >&2
exit 7
SH
chmod 755 /srv/refuses
echo '[resource.extra]
files = { path = "/srv/extra" }
before = [{ program = "/srv/refuses" }]' >/etc/heptad/conf.d/extra.toml
ctl reload
if ctl take extra in-vain; then exit 1; fi
if ctl take extra first-vol; then exit 1; fi
ctl disable extra
ctl take tree second-tree
ctl delete second-tree --yes
ctl delete second-tree --now --yes
journalctl --sync
journalctl --unit=heptad --output=cat >/tmp/journal
has() { grep --max-count=1 --extended-regexp "$1" /tmp/journal; }
has '^uid 0 asks: take vol as first-vol$'
has '^vol: taking first-vol \(asked by uid 0, operation [0-9]+\)$'
has '^vol: took first-vol \(asked by uid 0, operation [0-9]+(, [0-9]+ s)?\)$'
has '^vol: created again at VOLUME-again from first-vol '
has '^refused to uid 0: take extra as first-vol: the name first-vol belongs to a snapshot of vol$'
has '^extra: disable is done '
has '^tree: second-tree is in the trash '
has '^tree: second-tree is deleted for good '
has '^configuration loaded: added extra$'
journalctl --unit=heptad --priority=warning --output=cat >/tmp/journal
has '^extra: take in-vain failed: before-hook /srv/refuses: exit status: 7; it said: not.* now \| nor then \('
has '^the new configuration is not loaded, the old one stays:$'
has '/etc/heptad/conf.d/extra.toml:[0-9]+: .*nonsense'
journalctl SYSLOG_IDENTIFIER=heptad --output=json >/tmp/journal.json
python3 - <<'PYTHON'
import json
for line in open("/tmp/journal.json"):
    record = json.loads(line)
    said = record["MESSAGE"]
    assert isinstance(said, str), record
    assert len(said) < 2100 and said.isprintable(), said
    if record["PRIORITY"] in "34" and "HEPTAD_OPERATION" in record:
        assert record["HEPTAD_RESOURCE"] in said and record["HEPTAD_REASON"] in said, record
PYTHON

# Whoever asks while it does not start is told so, at once, and the socket stays.
echo 'nonsense = 1' >/etc/heptad/conf.d/extra.toml
systemctl restart --no-block heptad.service
if timeout 12 HEPTACTL status >/tmp/unstarted 2>&1; then exit 1; fi
cat /tmp/unstarted
grep '^heptactl: heptad does not start$' /tmp/unstarted
grep 'heptad check' /tmp/unstarted
rm /etc/heptad/conf.d/extra.toml

systemctl restart heptad.service
ctl list >/tmp/list
grep first-vol /tmp/list
test "$(curl --silent --output /dev/null --write-out '%{http_code}' \
    --unix-socket /run/heptad/heptad.sock http://localhost/v1/status)" = 200
systemctl stop heptad.socket heptad.service
test ! -e /run/heptad/heptad.sock
test "$(systemctl show --value --property=Result heptad.service)" = success
journalctl --sync
journalctl --output=cat SYSLOG_IDENTIFIER=heptad HEPTAD_RESOURCE=vol HEPTAD_ACT=take
journalctl --output=json SYSLOG_IDENTIFIER=heptad | grep --max-count=1 '"HEPTAD_OPERATION"'
"#;

#[test]
fn under_systemd_it_starts_when_asked_takes_reloads_and_stops() {
    let disk = LoopFs::new("btrfs", 128);
    subvolume(&disk.path().join("vol"));
    std::fs::write(disk.path().join("vol/file"), "one").unwrap();
    let volume = disk.path().join("vol");
    let script = SCRIPT.replace("HEPTACTL", HEPTACTL).replace("VOLUME", volume.to_str().unwrap());
    boot(Path::new(HEPTAD), &script, &[&disk.path(), Path::new(HEPTACTL)]).succeeded();
}
