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
grep 'needs CAP_SETUID, CAP_SETGID' /tmp/said
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
