//! What the unit allows and what it does not, as people meet it: in `heptad check` from root's own
//! shell, in `status` before anything is due, in the refusal; and what opens it.

use crate::daemon::host::{HEPTACTL, HEPTAD};
use crate::support::pid1::boot;
use crate::units::ALLOW;
use std::path::Path;

/// `said CODE COMMAND...` runs a command that must end so; what it said is in /tmp/said, and in one
/// line in /tmp/flat.
const WORDS: &str = r#"
    ctl() { HEPTACTL "$@"; }
    said() {
        local wanted=$1 code=0
        shift
        "$@" >/tmp/said 2>&1 || code=$?
        cat /tmp/said
        tr --squeeze-repeats '
 ' ' ' </tmp/said >/tmp/flat
        test $code = $wanted
    }
    has() { grep --fixed-strings -e "$1" /tmp/flat; }
"#;

const SCRIPT: &str = r#"
    mkdir -p /srv/notes /etc/site /etc/more
    install --directory --mode=750 /etc/heptad /etc/heptad/conf.d
    echo one | tee /srv/notes/page /etc/site/page /etc/more/page
    install --directory --owner=nobody /srv/app
    setpriv --reuid=nobody --regid=nogroup --clear-groups python3 -c '
import sqlite3
sqlite3.connect("/srv/app/app.db").execute("create table t (n)")'
    python3 -c 'import sqlite3; sqlite3.connect("/srv/own.db").execute("create table t (n)")'
    cat >/etc/heptad/heptad.toml <<'TOML'
resource.app = { kind = "database", sqlite = { path = "/srv/app/app.db" } }
resource.own = { kind = "database", sqlite = { path = "/srv/own.db" } }
resource.notes.files.path = "/srv/notes"
resource.site.files.path = "/etc/site"
TOML
    # From root's shell, which may do everything: of the service, whether or not it runs.
    systemctl start heptad.socket
    for state in inactive active; do
        test "$(systemctl is-active heptad.service || true)" = $state
        said 1 heptad check
        has 'resource.app.sqlite: no snapshot can be taken: heptad is not allowed CAP_SETUID, CAP_SETGID'
        has /usr/share/heptad/heptad-databases.conf
        has '1 problem found'
        has 'of notes, site: not possible, since the unit does not allow CAP_SYS_PTRACE'
        has 'of site: not possible, since the unit does not allow writing to /etc'
        # Before anything is due.
        said 5 ctl status
        has '! app: no snapshot of it can be taken: heptad is not allowed CAP_SETUID'
        has /usr/share/heptad/heptad-databases.conf
    done
    said 0 curl --silent --unix-socket /run/heptad/heptad.sock http://h/metrics
    grep 'heptad_alarms{.*app.*not-allowed.*} 1' /tmp/said
    said 1 ctl check
    has 'resource.app.sqlite: no snapshot can be taken: heptad is not allowed CAP_SETUID'
    ctl take own own-1
    said 1 ctl take app app-1
    allow /tmp/said heptad-databases.conf
    ctl take app app-2
    said 0 ctl status

    # What belongs to the system is taken, and said to be no more than that.
    ctl take site site-1
    echo two >/etc/site/page
    said 0 ctl protect /etc/more
    has 'it can be taken and looked into, but not rolled back: /etc/more is read-only for heptad'
    said 1 ctl rollback site --to site-1 --yes
    has 'nothing was changed: /etc/site is read-only for heptad'
    # Nothing is left behind.
    ! ctl list site | grep before-rollback
    cp /tmp/said /tmp/refused
    said 1 ctl create site-copy --from site-1
    has heptad-system.conf
    allow /tmp/refused heptad-system.conf
    ctl rollback site --to site-1 --yes
    test "$(cat /etc/site/page)" = one
    ctl create site-copy --from site-1

    # A copy that an older heptad left.
    echo '# of yesterday' >>/etc/systemd/system/heptad.service.d/heptad-system.conf
    said 0 heptad check
    has '/etc/systemd/system/heptad.service.d/heptad-system.conf is not that of this heptad'
    allow /tmp/said heptad-system.conf
    said 0 heptad check
    ! has 'is not that of this heptad'

    # Nobody to ask.
    systemctl stop heptad.socket heptad.service
    rm /usr/lib/systemd/system/heptad.service
    systemctl daemon-reload
    said 0 heptad check
    has 'remark: /etc/heptad/heptad.toml: what the service may do was not asked'
    said 0 heptad check --offline
    ! has remark
"#;

#[test]
fn what_the_service_may_not_do_is_said_before_it_is_missed() {
    let script = format!("{WORDS}{ALLOW}{SCRIPT}").replace("HEPTACTL", HEPTACTL);
    boot(Path::new(HEPTAD), &script, &[Path::new(HEPTACTL)]).succeeded();
}
