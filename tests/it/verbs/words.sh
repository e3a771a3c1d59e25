# The words that cells of the table are written in. In HEPTACTL and DISK are paths of the outside.
ctl() { HEPTACTL "$@"; }
as() { setpriv --reuid="$1" --regid="$1" --clear-groups "${@:2}"; }
sql() { as postgres psql --host=/run/postgresql --port=5544 -X -q -A -t -c "$1" postgres; }
db() { as "$1" python3 -c 'import sqlite3, sys
db = sqlite3.connect(sys.argv[1], isolation_level=None)
for row in db.execute(sys.argv[2]): print(row[0])' "$2" "$3"; }
# Moves the clock, which is the file CLOCK.
clock() { echo "$1 ${2-3600} true" >/run/clock.new; mv /run/clock.new /run/clock; }
# Waits for a line of a file that grows.
line() { timeout 60 bash -c 'tail --lines=+1 --follow=name --retry "$1" 2>/dev/null | grep --max-count=1 "$2"' - "$1" "$2"; }
# Waits until nothing is under way.
rest() { while ctl operations --open --json | grep --quiet '"id"'; do
    curl --silent --unix-socket /run/heptad/heptad.sock 'http://h/v1/events?wait=5' >/dev/null; done; }

images=/var/lib/libvirt/images/web

# Writes into what is live; shows what it holds; what copies hold.
write() { case $1 in
    docs) echo "$2" >/srv/docs/page;;
    www|tape) echo "$2" >DISK/$1/page;;
    app) db www-data /srv/app/app.db "update t set n = '$2'";;
    shop) sql "update t set n = '$2'";;
    web) line $images/serial 'COUNT [0-9]*7' >/dev/null;;
esac; }
live() { case $1 in
    docs) cat /srv/docs/page;;
    www|tape) cat DISK/$1/page;;
    app) db www-data /srv/app/app.db 'select n from t';;
    shop) sql 'select n from t';;
    web) virsh --quiet start web >/dev/null; line $images/serial 'FILE /data/b/count' | grep --only-matching '[0-9]*';;
esac; }
# What the first snapshot is known by.
first() { case $1 in web) ctl get web-1 vdb/count -o -;; *) echo one;; esac; }
copy() { case $1 in
    docs) cat /srv/docs-copy/page;;
    www|tape) cat DISK/$1-copy/page;;
    app) db www-data /srv/app/app-copy.db 'select n from t';;
    shop) test -e /var/lib/postgresql/15/shop-copy/PG_VERSION && echo one;;
    web) virsh --quiet start web-copy >/dev/null; virsh --quiet domstate web-copy; virsh --quiet destroy web-copy >/dev/null
        ctl get web-1 vdb/count -o -;;
esac; }
# Ends whoever uses it, and starts it again.
free() { case $1 in
    shop) systemctl stop postgresql@15-shop;;
    web) virsh --quiet destroy web;;
esac; }
back() { case $1 in shop) systemctl start postgresql@15-shop;; esac; }

