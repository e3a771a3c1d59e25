//! `heptactl protect`: what is at a path decides how it is protected, or why it is not.

use super::host::{Host, at};
use crate::support::loopfs::{LoopFs, subvolume};
use std::os::unix::fs::symlink;
use std::process::Command;

const CONFIG: &str = "
[defaults]
time = \"03:00\"
timezone = \"Europe/Berlin\"

[resource.notes]
files = { path = \"ROOT/notes\" }

[resource.mail]
files = { path = \"ROOT/mail\", store = \"ROOT/store\" }
";

fn host() -> Host {
    let mut host = Host::new(&at(1, "12:00"));
    for name in ["notes", "mail", "www", "shop/data", "store"] {
        host.tree(name, "one");
    }
    host.configure(CONFIG);
    host.start();
    host
}

fn database(path: &std::path::Path, sql: &str) {
    let program = "import sqlite3, sys; sqlite3.connect(sys.argv[1]).executescript(sys.argv[2])";
    let made = Command::new("/usr/bin/python3").args(["-c", program]).arg(path).arg(sql).status();
    assert!(made.unwrap().success());
}

#[test]
fn a_directory_is_declared_taken_forgotten_and_known_again() {
    let mut host = host();
    let www = host.path("www").display().to_string();
    let table =
        format!("[resource.www]\nkind = \"disk\"\n\n[resource.www.files]\npath = \"{www}\"\n");
    let file = host.path("state/enrolled/www.toml");

    let said = host.ok(&format!("protect {www} --dry-run"));
    assert!(said.starts_with(&format!("www: {www} is a directory\n")), "{said}");
    assert!(said.contains("nothing is changed") && !file.exists(), "{said}");
    assert_eq!(host.ctl("show www").code, 1);

    let said = host.ok(&format!("protect {www} --take first"));
    assert!(said.contains("  [resource.www]\n  kind = \"disk\"\n"), "{said}");
    // As the defaults of the configuration have it.
    assert!(
        said.contains("next run 2026-12-02 02:00 +00:00; `heptactl forget www` ends it"),
        "{said}"
    );
    assert!(said.ends_with("www: took first\n"), "{said}");
    assert!(std::fs::read_to_string(&file).unwrap().ends_with(&table));
    host.stop();
    host.start();
    assert!(host.ok("status www").contains("03:00 Europe/Berlin"));

    let again = host.ctl(&format!("protect {www}"));
    assert_eq!(again.code, 1);
    assert!(again.err.contains("is protected already, as www"), "{again:?}");

    host.ok("forget www --yes");
    host.until("its declaration is gone", |_| (!file.exists()).then_some(()));
    let said = host.ok(&format!("protect {www} --time 05:00"));
    assert!(said.contains("its earlier snapshots, taken as www, are in its series"), "{said}");
    host.ok("take www second");
    host.stop();
    host.start();
    assert_eq!(host.labels("www"), ["second", "first"]);
    assert!(host.ok("status www").contains("05:00 Europe/Berlin"));
}

#[test]
fn what_stands_in_the_way_is_called_by_its_own_name_and_nothing_is_changed() {
    let host = host();
    let (www, data) = (host.path("www"), host.path("shop/data"));
    host.ok(&format!("protect {} --take opening", www.display()));
    let taken = host.ctl(&format!("protect {} --take opening", data.display()));
    let why = "not protected, nothing was changed: the name opening belongs to a snapshot of www";
    assert!(taken.err.contains(why) && taken.err.contains("opening-2 is free"), "{taken:?}");
    host.ok(&format!("protect {} --name goods", data.display()));
    let around = host.ctl(&format!("protect {}", host.path("shop").display()));
    let why = format!("{} in it is protected already, as goods", data.display());
    assert!(around.code == 1 && around.err.contains(&why), "{around:?}");
}

#[test]
fn what_is_there_decides_and_the_name_is_sane_and_free() {
    let host = host();
    let disk = LoopFs::new("btrfs", 128);
    subvolume(&disk.path().join("web"));
    std::fs::create_dir(disk.path().join("web/inner")).unwrap();
    let root = host.path("");
    let root = root.to_str().unwrap().trim_end_matches('/');
    database(&host.path("app.db"), "create table t (n)");
    std::fs::write(host.path("My list (1).txt"), "milk").unwrap();
    std::fs::write(host.path("disk.qcow2"), b"QFI\xfb\0\0\0\x03").unwrap();
    symlink(host.path("www"), host.path("link")).unwrap();
    std::fs::create_dir_all(host.path("elsewhere/www")).unwrap();
    std::fs::create_dir(host.path("elsewhere/NOTES")).unwrap();
    let check = |path: &str, wants: &[&str]| {
        let ran = host.ctl_command("protect").arg(path).current_dir(root).output().unwrap();
        let said = String::from_utf8_lossy(&ran.stdout) + String::from_utf8_lossy(&ran.stderr);
        let said = said.replace(root, "ROOT");
        for want in wants {
            assert!(said.contains(want), "{path}: {want}\n{said}");
        }
    };
    check("app.db", &["app: ROOT/app.db is an SQLite database\n", "  kind = \"database\"\n"]);
    check("./My list (1).txt", &["My-list-1-.txt: ", "is a file\n"]);
    // By way of a link, and from a directory elsewhere.
    check("elsewhere/../link", &["www: ROOT/www is a directory\n", "link leads to ROOT/www\n"]);
    check("elsewhere/www", &["www-2: ROOT/elsewhere/www is a directory\n"]);
    // Also where file systems ignore case.
    check("elsewhere/NOTES/", &["NOTES-2: "]);
    check("shop/data", &["shop-data: "]);
    check(
        "disk.qcow2",
        &["disk: ROOT/disk.qcow2 is a disk image (qcow2)\n", "  format = \"qcow2\"\n"],
    );
    let web = disk.path().join("web");
    check(web.to_str().unwrap(), &["web: ", "is a btrfs subvolume\n", "  [resource.web.btrfs]\n"]);
    assert_eq!(host.ok("check"), "the configuration is in order\n");
}

#[test]
fn what_cannot_be_protected_is_refused_with_the_reason_and_changes_nothing() {
    let host = host();
    database(&host.path("app.db"), "pragma journal_mode = wal; create table t (n)");
    std::fs::write(host.path("app.db-wal"), "frames").unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(host.path("a.sock")).unwrap();
    symlink("nowhere", host.path("dangling")).unwrap();
    let cluster = host.path("cluster");
    std::fs::create_dir_all(cluster.join("global")).unwrap();
    std::fs::create_dir_all(cluster.join("base/5")).unwrap();
    std::fs::write(cluster.join("global/pg_control"), "").unwrap();
    std::fs::write(cluster.join("PG_VERSION"), "9.6\n").unwrap();
    std::fs::write(cluster.join("base/5/PG_VERSION"), "9.6\n").unwrap();
    host.ok("take mail m1");
    let check = |line: &str, wants: &[&str]| {
        let ran =
            host.ctl(&format!("protect {line}").replace("ROOT", host.path("").to_str().unwrap()));
        assert_eq!(ran.code, 1, "{line}: {ran:?}");
        for want in wants {
            assert!(ran.err.contains(want), "{line}: {want}\n{}", ran.err);
        }
    };
    check("ROOT/nothing", &["there is nothing of this name"]);
    check("ROOT/dangling", &["there is nothing of this name"]);
    check("/proc/sys", &["it lies on proc", "has content of its own"]);
    check("/", &["/ cannot be protected", "in it is protected already, as"]);
    check("ROOT/a.sock", &["it is a socket; directories and files can be protected"]);
    check("/dev/null", &["/dev/null"]);
    check("ROOT/notes", &["is protected already, as notes", "heptactl status notes"]);
    check("ROOT/notes/file", &["is inside resource notes", "write exclude = [\"file\"] for notes"]);
    check(
        "ROOT",
        &["in it is protected already, as", "declare it by a table of your own that leaves"],
    );
    check("ROOT/state", &["is heptad's own"]);
    check("ROOT/store/mail", &["is heptad's own"]);
    check("ROOT/app.db-wal", &["a part of the SQLite database", "protect that"]);
    check("ROOT/cluster/base/5", &["a part of the PostgreSQL cluster", "protect that"]);
    check("ROOT/cluster", &["cannot be protected"]);
    check("ROOT/www --name mail", &["there is a resource mail already", "--name mail-2"]);
    check("ROOT/www --name MAIL", &["there is a resource mail already"]);
    check("ROOT/www --time 25:00", &["\"25:00\" is not a valid time of day"]);
    check("no-such-guest", &["no-such-guest"]);
    assert!(!host.path("state/enrolled").exists());
    assert_eq!(host.client().resources().unwrap().resources.len(), 2);
}

#[test]
fn the_same_request_sent_twice_is_done_once_and_a_key_answers_for_no_other() {
    let host = host();
    let ask = |path: &str| {
        let body = format!("{{\"path\": \"{}\"}}", host.path(path).display());
        let words = ["-H", "Idempotency-Key: k1", "--json", &body, "-w", " %{http_code}"];
        let words = [&words[..], &["http://h/v1/resources"]].concat();
        let output = host.curl_command(&words).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    let first = ask("www");
    assert!(first.ends_with(" 201"), "{first}");
    assert_eq!(ask("www"), first);
    let other = ask("shop");
    assert!(other.contains("key-reused") && other.ends_with(" 409"), "{other}");
}
