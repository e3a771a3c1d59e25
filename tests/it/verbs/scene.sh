# What the table of verbs runs on: a host as its administrator would have it, with one resource for
# each technology, under heptad's own unit with the drop-ins that `heptad check` names. Only its
# clock is moved by hand. In CONFIG, DISK and GUEST are paths of the outside.

mkdir /srv/docs DISK/tape /run/cells
for name in docs www tape; do write $name one; done
install --directory --owner=www-data /srv/app
db www-data /srv/app/app.db 'pragma journal_mode=wal'
db www-data /srv/app/app.db 'create table t (n)'
db www-data /srv/app/app.db "insert into t values ('one')"

install --directory --owner=postgres --mode=2775 /run/postgresql
pg_createcluster --port=5544 15 shop -- --no-sync >/dev/null
systemctl daemon-reload
systemctl start postgresql@15-shop
sql 'create table t (n text)'
sql "insert into t values ('one')"

# As Debian's package makes it.
grep --quiet ^libvirt-qemu: /etc/passwd || echo 'libvirt-qemu:x:64055:64055::/nonexistent:/usr/sbin/nologin' >>/etc/passwd
grep --quiet ^libvirt-qemu: /etc/group || echo 'libvirt-qemu:x:64055:' >>/etc/group
grep --quiet ^kvm: /etc/group || echo 'kvm:x:64056:' >>/etc/group
mkdir -p /etc/libvirt $images
cat >/etc/libvirt/qemu.conf <<'CONF'
user = "libvirt-qemu"
group = "libvirt-qemu"
dynamic_ownership = 1
security_driver = "none"
namespaces = []
cgroup_controllers = []
stdio_handler = "file"
CONF
echo 'auth_unix_rw = "none"' >/etc/libvirt/libvirtd.conf
cp GUEST/* $images
systemd-run --quiet --unit=libvirtd libvirtd
until virsh --quiet uri 2>/dev/null; do :; done
virsh --quiet define $images/web.xml
virsh --quiet start web

install -D --mode=755 --target-directory=/usr/lib/heptad/plugins CONFIG/examples/plugin/tarball
install --directory --mode=700 /var/backups/tape

systemd-tmpfiles --create heptad.conf
install --mode=640 --target-directory=/etc/heptad CONFIG/heptad.toml
cd /etc/heptad/conf.d
cat >docs.toml <<'TOML'
resource.docs = { files = { path = "/srv/docs" } }
TOML
cat >www.toml <<'TOML'
resource.www = { btrfs = { path = "DISK/www" } }
TOML
cat >app.toml <<'TOML'
resource.app = { kind = "database", sqlite = { path = "/srv/app/app.db" } }
TOML
cat >shop.toml <<'TOML'
resource.shop = { kind = "database", postgres = { data = "/var/lib/postgresql/15/shop" } }
TOML
cat >web.toml <<'TOML'
resource.web = { kind = "instance", libvirt = { domain = "web" } }
TOML
cat >tape.toml <<'TOML'
[resource.tape.exec]
program = "/usr/lib/heptad/plugins/tarball"
options = { path = "DISK/tape", store = "/var/backups/tape" }
TOML
cd /

clock 2026-12-05T05:00:00Z
mkdir -p /run/systemd/system/heptad.service.d
cat >/run/systemd/system/heptad.service.d/clock.conf <<'UNIT'
[Service]
ExecStart=
ExecStart=/usr/bin/heptad run --simulated-clock /run/clock
UNIT
systemctl daemon-reload
systemctl start heptad.socket
# What a check names, until it names nothing any more.
ctl check >/tmp/checked 2>&1 || true
cat /tmp/checked
grep --only-matching '/usr/share/heptad/[a-z-]*\.conf' /tmp/checked | sort --unique | while read -r file; do
    install -D -m 644 -t /etc/systemd/system/heptad.service.d "$file"
done
systemctl daemon-reload
systemctl restart heptad
line $images/serial READY >/dev/null
