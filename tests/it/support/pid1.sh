#!/bin/bash
# Boots systemd as PID 1 over a copy-on-write view of this machine's root and runs a script in it.
#
#   pid1.sh SHARED HEPTAD UNITS [PATH...]
#
# SHARED   a directory that is /run/shared inside; "script" in it is run by root once the machine is
#          up, its output goes to "output", its exit code to "status", the journal to "journal"
# HEPTAD   the program that is /usr/bin/heptad inside
# UNITS    the directory with heptad.service, its drop-ins, heptad.socket, heptad.sysusers,
#          heptad.tmpfiles
# PATH     more paths of this machine to be seen inside, such as mounted file systems
#
# Nothing of the machine is changed: root, /run, /tmp and /dev inside are its own; the network,
# processes and cgroups are separate; clock, modules and kernel settings are out of reach.
set -euo pipefail

if [[ "${1-}" != --inside ]]; then
    # A cgroup of its own, because systemd owns the one it starts in.
    cgroups=$(findmnt --noheadings --output TARGET --types cgroup2 | head -n 1)
    if [[ -z $cgroups ]]; then
        echo "pid1.sh: no cgroup2 is mounted on this machine" >&2
        exit 1
    fi
    mine=$cgroups/heptad-test-$$
    mkdir "$mine"
    # Services inside leave empty cgroups behind.
    trap 'find "$mine" -depth -type d -exec rmdir {} + 2>/dev/null || true' EXIT
    (
        echo $BASHPID >"$mine/cgroup.procs"
        exec unshare --pid --fork --kill-child=KILL --mount --uts --ipc --cgroup --net \
            -- setpriv --bounding-set=-sys_time,-sys_module -- "$0" --inside "$@"
    ) </dev/null || true # PID 1 ends by the signal that "power off" is in a namespace
    [[ -e $1/status ]]
    exit
fi

shared=$2 heptad=$3 units=$4
shift 4

mount --make-rprivate /
base=$shared/base
mkdir "$base"
mount -t tmpfs -o mode=755 tmpfs "$base"
mkdir "$base"/{upper,work,root}
mount -t overlay -o "lowerdir=/,upperdir=$base/upper,workdir=$base/work" overlay "$base/root"
root=$base/root

mount -t proc proc "$root/proc"
# systemd raises limits at boot that are the whole kernel's.
mount --bind "$root/proc/sys" "$root/proc/sys"
mount -o remount,bind,ro "$root/proc/sys"
mount -t sysfs -o ro sysfs "$root/sys"
mount -t cgroup2 cgroup2 "$root/sys/fs/cgroup"
for dir in run tmp dev; do mount -t tmpfs -o mode=755 tmpfs "$root/$dir"; done
chmod 1777 "$root/tmp"
mkdir "$root"/dev/{pts,shm}
mount -t devpts -o newinstance,ptmxmode=666 devpts "$root/dev/pts"
cp --archive /dev/{null,zero,full,random,urandom,tty,fuse} "$root/dev"
find /dev -maxdepth 1 -name 'loop*' -exec cp --archive --target-directory "$root/dev" {} +
ln -s /proc/self/fd "$root/dev/fd"
ln -s pts/ptmx "$root/dev/ptmx"

# Of this machine's units only the journal is started.
system=$root/etc/systemd/system
rm -rf "$root"/{etc,usr/lib,run}/systemd/system/*.{wants,requires} "$root/etc/machine-id"
systemd-id128 new >"$root/etc/machine-id"
: >"$root/etc/fstab"
mkdir -p "$system/sysinit.target.wants" "$root/run/shared"
ln -s /usr/lib/systemd/system/systemd-journald.service "$system/sysinit.target.wants"

# heptad as a package would install it.
cp "$units"/heptad.{service,socket} "$root/usr/lib/systemd/system"
install -D -m 644 -t "$root/usr/share/heptad" "$units"/heptad-*.conf
cp "$units/heptad.sysusers" "$root/usr/lib/sysusers.d/heptad.conf"
cp "$units/heptad.tmpfiles" "$root/usr/lib/tmpfiles.d/heptad.conf"
: >"$root/usr/bin/heptad"
mount --bind "$heptad" "$root/usr/bin/heptad"
systemd-sysusers --root="$root" heptad.conf
for path in "$@"; do
    if [[ -d $path ]]; then mkdir -p "$root$path"; else mkdir -p "$root${path%/*}" && : >"$root$path"; fi
    mount --rbind "$path" "$root$path"
done
mount --bind "$shared" "$root/run/shared"

cat >"$system/test.service" <<'UNIT'
[Unit]
Wants=basic.target
After=basic.target
SuccessAction=poweroff-immediate
FailureAction=poweroff-immediate
[Service]
Type=oneshot
ExecStart=/bin/bash /run/shared/script
ExecStopPost=/bin/sh -c 'echo $EXIT_STATUS >/run/shared/status.new'
ExecStopPost=/bin/sh -c 'journalctl --sync; journalctl --no-pager --output=short-monotonic >/run/shared/journal'
ExecStopPost=/bin/mv /run/shared/status.new /run/shared/status
StandardOutput=file:/run/shared/output
StandardError=inherit
UNIT

cd "$root"
mkdir .outside
pivot_root . .outside
umount --lazy /.outside
# As on a real machine: mounts made later reach the sandboxes of services.
mount --make-rshared /
exec env --ignore-environment container=heptad-test PATH=/usr/sbin:/usr/bin:/sbin:/bin \
    /usr/lib/systemd/systemd --system --unit=test.service --show-status=no --log-target=journal
