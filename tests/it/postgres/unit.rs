//! A cluster under the shipped units and a systemd that runs them.

use super::server::bin;
use crate::daemon::host::{HEPTACTL, HEPTAD};
use crate::support::pid1::boot;
use std::path::Path;

const SCRIPT: &str = r#"
ctl() { HEPTACTL "$@"; }
sql() { setpriv --reuid=postgres --regid=postgres --clear-groups psql -h /srv/db -X -q -A -t -c "$1" postgres; }
serve() {
    systemd-run --quiet --unit=server --uid=postgres PROGRAMS/postgres -D /srv/db/data -k /srv/db -c listen_addresses=
    until PROGRAMS/pg_isready --quiet -h /srv/db; do :; done
}
install --directory --mode=750 /etc/heptad /etc/heptad/conf.d
install --directory --owner=postgres /srv/db
setpriv --reuid=postgres --regid=postgres --clear-groups PROGRAMS/initdb -D /srv/db/data -N -A trust >/dev/null
serve
sql 'create table t as select generate_series(1, 9) as n'
cat >/etc/heptad/heptad.toml <<TOML
[resource.shop]
kind = "database"
postgres = { data = "/srv/db/data", prove = "always" }
TOML
ip link set lo up
systemctl start heptad.socket
# As shipped it cannot, and says so instead of taking a server that it does not see for none.
ctl check >/tmp/said 2>&1 || true
grep 'not allowed CAP_SETUID, CAP_SETGID' /tmp/said
! ctl take shop early >/tmp/said 2>&1
cat /tmp/said

install -D --mode=644 EXTRA_UNIT /etc/systemd/system/heptad.service.d/heptad-databases.conf
systemctl daemon-reload
systemctl restart heptad.service
ctl check
ctl take shop first
ctl show first >/tmp/said
grep complete /tmp/said
grep 'a server started on a copy' /var/lib/heptad/store/shop/*/proof.json
sql 'drop table t'
! ctl rollback shop --to first --yes >/tmp/said 2>&1
grep --fixed-strings 'systemctl stop server.service' /tmp/said
systemctl stop server.service
ctl rollback shop --to first --yes
serve
test "$(sql 'select count(*) from t')" = 9

# A new one, with a port of its own that was looked for in a moment, as the unit has no TCP sockets.
python3 -c 'import socket, time
busy = socket.create_server(("127.0.0.1", 5434)); open("/run/busy", "w"); time.sleep(900)' &
until test -e /run/busy; do :; done
install --directory --owner=postgres /srv/copies /etc/postgresql/15/idle/conf.d
echo 'port = 5433' >/etc/postgresql/15/idle/conf.d/port.conf
timeout 60 HEPTACTL create copy --from first --path /srv/copies/one >/tmp/said
cat /tmp/said
grep --fixed-strings 'its port is 5435' /tmp/said
# What it may see of the host's ports it says, and what it may not.
! grep 'ss -ltn' /tmp/said
! ctl create other --from first --path /srv/copies/two --port 5434 >/tmp/said 2>&1
grep --fixed-strings 'port 5434 is in use by python3 (process' /tmp/said
timeout 60 HEPTACTL create other --from first --path /srv/copies/two --port 5440 >/tmp/said
grep --fixed-strings 'its port is 5440' /tmp/said
# Which it sees also with an old drop-in, that lacks the right to look into others.
sed -i 's/ CAP_SYS_PTRACE//' /etc/systemd/system/heptad.service.d/heptad-databases.conf
systemctl daemon-reload
systemctl restart heptad.service
timeout 60 HEPTACTL create third --from first --path /srv/copies/three >/tmp/said
cat /tmp/said
grep --fixed-strings 'its port is 5436' /tmp/said
# Nor does a snapshot of the running server need it: whoever owns a process may look at it.
ctl take shop old-drop-in
ctl show old-drop-in >/tmp/said
grep 'backup mode\|pg_basebackup' /tmp/said
"#;

#[test]
fn under_systemd_a_cluster_is_taken_proven_and_rolled_back_with_the_drop_in() {
    let drop_in = Path::new(env!("CARGO_MANIFEST_DIR")).join("systemd/heptad-databases.conf");
    let script = SCRIPT
        .replace("HEPTACTL", HEPTACTL)
        .replace("PROGRAMS", bin().to_str().unwrap())
        .replace("EXTRA_UNIT", drop_in.to_str().unwrap());
    boot(Path::new(HEPTAD), &script, &[Path::new(HEPTACTL), &drop_in]).succeeded();
}

/// A cluster of Debian's own making, and what its administrator does about it.
const DEBIAN: &str = r#"
ctl() { HEPTACTL "$@"; }
sql() { setpriv --reuid=postgres --regid=postgres --clear-groups psql -X -q -A -t -p "$1" -c "$2" postgres; }
until_ready() { until PROGRAMS/pg_isready --quiet -p "$1"; do :; done; }
ip link set lo up
install -D --mode=644 EXTRA_UNIT /etc/systemd/system/heptad.service.d/heptad-databases.conf
systemctl daemon-reload
pg_createcluster VERSION shop --port 5500
conf=/etc/postgresql/VERSION/shop
echo "work_mem = '7MB'" >$conf/conf.d/sizes.conf
echo "include '/etc/tuning/shared.conf'" >$conf/conf.d/shared.conf
install -D /dev/stdin /etc/tuning/shared.conf <<<"max_connections = 77"
printf 'local %s @admins peer\n' all replication >$conf/pg_hba.conf
echo postgres >$conf/admins
pg_ctlcluster VERSION shop start
until_ready 5500
sql 5500 'create table t as select generate_series(1, 9) as n'
install --directory --mode=750 /etc/heptad /etc/heptad/conf.d
cat >/etc/heptad/heptad.toml <<TOML
[resource.shop]
kind = "database"
postgres = { data = "/var/lib/postgresql/VERSION/shop", prove = "always" }
TOML
systemctl start heptad.socket
ctl take shop running
ctl show running >/tmp/said
grep 'with its own configuration' /tmp/said
sql 5500 'drop table t'
! ctl rollback shop --to running --yes >/tmp/said 2>&1
stop=$(grep --only-matching --extended-regexp '(systemctl stop [^ ]*|pg_ctlcluster [^;]* stop)' /tmp/said | head -n 1)
$stop
ctl take shop stopped
ctl rollback shop --to running --yes
pg_ctlcluster VERSION shop start
until_ready 5500
test "$(sql 5500 'select count(*) from t') $(sql 5500 'show work_mem')" = '9 7MB'
sql 5500 'alter system set temp_buffers = "9MB"'
ctl take shop later
# Nothing of the original's is needed for a copy.
pg_dropcluster --stop VERSION shop
rm -r /etc/tuning
install --directory --owner=postgres /srv/copies
for from in running stopped later; do
    ctl create $from-2 --from $from --path /srv/copies/$from >/tmp/said
    cat /tmp/said
    start=$(grep --only-matching 'runuser .* start$' /tmp/said)
    adopt=$(grep --only-matching 'pg_createcluster .* start$' /tmp/said)
    port=$(grep --only-matching 'its port is [0-9]*' /tmp/said | tr --delete --complement 0-9)
    (cd / && bash -eux -c "$start")
    until_ready $port
    check() {
        test "$(sql $port 'show work_mem') $(sql $port 'show max_connections')" = '7MB 77'
        test "$(sql $port 'show cluster_name')" = VERSION/$from
        [[ $from = stopped ]] || test "$(sql $port 'select count(*) from t')" = 9
    }
    check
    test "$(cat /run/postgresql/VERSION-$from.pid)" = "$(head -n 1 /srv/copies/$from/postmaster.pid)"
    setpriv --reuid=postgres --regid=postgres --clear-groups PROGRAMS/pg_ctl -D /srv/copies/$from -m fast stop
    # And as one of Debian's.
    bash -eux -c "$adopt"
    until_ready $port
    check
    pg_lsclusters --no-header | grep "VERSION *$from *$port online"
    pg_ctlcluster VERSION $from stop
done
"#;

#[test]
fn under_systemd_a_cluster_of_debian_comes_back_with_all_that_was_configured_and_starts_as_printed()
{
    let drop_in = Path::new(env!("CARGO_MANIFEST_DIR")).join("systemd/heptad-databases.conf");
    let programs = bin();
    let version = programs.parent().unwrap().file_name().unwrap().to_str().unwrap();
    let script = DEBIAN
        .replace("HEPTACTL", HEPTACTL)
        .replace("PROGRAMS", programs.to_str().unwrap())
        .replace("VERSION", version)
        .replace("EXTRA_UNIT", drop_in.to_str().unwrap());
    boot(Path::new(HEPTAD), &script, &[Path::new(HEPTACTL), &drop_in]).succeeded();
}
