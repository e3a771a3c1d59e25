//! Files that mean harm, or are no databases at all.

use super::bench::{Bench, Other, fill, no_options, rows};
use crate::support::copied;
use heptad::domain::operation::Fault;
use heptad::domain::survey::Wholeness;
use serde_json::json;
use std::fs;
use std::os::unix::fs::{FileExt, symlink};
use std::path::Path;

const SOME: &str = "CREATE TABLE t(n INTEGER PRIMARY KEY, pad BLOB); CREATE INDEX i ON t(pad);
    WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < 500)
    INSERT INTO t SELECT n, randomblob(300) FROM c;";

fn patch(path: &Path, at: u64, bytes: &[u8]) {
    fs::File::options().write(true).open(path).unwrap().write_all_at(bytes, at).unwrap();
}

#[test]
fn what_is_no_sound_database_is_refused_by_name() {
    let check = |what: &str, plant: &dyn Fn(&Path), want: &str| {
        let bench = Bench::new(&no_options());
        plant(&bench.live);
        let error = bench.try_take(1).unwrap_err();
        let text = error.to_string();
        assert_eq!(error.fault, Fault::Permanent, "{what}: {text}");
        let place = bench.live.to_str().unwrap();
        assert!(text.contains(want) && text.contains(place), "{what}: {text}");
        assert!(bench.states().iter().all(|(_, state)| *state == Wholeness::Partial), "{what}");
    };
    let noise: Vec<u8> =
        (0..8192_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    check("garbage", &|path| fs::write(path, &noise).unwrap(), "not an SQLite database");
    check("two bytes", &|path| fs::write(path, "xy").unwrap(), "not an SQLite database");
    check("a directory", &|path| fs::create_dir(path).unwrap(), "it is a directory");
    let aside = |path: &Path| path.with_extension("real");
    let link = |path: &Path| {
        fill(&aside(path), SOME);
        symlink(aside(path), path).unwrap();
    };
    check("a link", &link, "symbolic link");
    let broken = |at: u64, bytes: &'static [u8]| {
        move |path: &Path| {
            fill(path, SOME);
            patch(path, at, bytes);
        }
    };
    // The header: page size 65,536 and 0x3131, reserved bytes, a format from the future.
    check("a huge page size", &broken(16, &[0, 1]), "");
    check("no page size", &broken(16, &[0x31, 0x31]), "not an SQLite database");
    check("reserved", &broken(20, &[255]), "");
    check("pages of noise", &broken(4096, &[0xa5; 20_000]), "");
    check("a schema of noise", &broken(100, &[0xff; 300]), "");
    let short = |path: &Path| {
        fill(path, SOME);
        fs::File::options().write(true).open(path).unwrap().set_len(5000).unwrap();
    };
    check("cut short", &short, "");
    let pipe = |path: &Path| {
        nix::unistd::mkfifo(path, nix::sys::stat::Mode::S_IRWXU).unwrap();
    };
    check("a pipe", &pipe, "named pipe");
}

#[test]
fn an_empty_file_is_an_empty_database() {
    let bench = Bench::new(&no_options());
    fs::write(&bench.live, "").unwrap();
    bench.take(1);
    let found = bench.backend.list().unwrap().found;
    assert!(found[0].content.unwrap().empty);
    assert!(bench.backend.verify(&found[0].card.handle, &()).unwrap().empty);
}

#[test]
fn damage_is_found_as_thoroughly_as_was_asked_for() {
    // Rows out of an index: only the full check compares the two.
    let damage = "PRAGMA writable_schema = on;
        UPDATE sqlite_schema SET sql = 'CREATE INDEX i ON t(n)' WHERE name = 'i';";
    for (check, refused) in [("none", false), ("quick", false), ("full", true)] {
        let bench = Bench::new(&json!({ "check": check }));
        fill(&bench.live, SOME);
        fill(&bench.live, damage);
        let taken = bench.try_take(1);
        assert_eq!(taken.is_err(), refused, "{check}: {taken:?}");
    }
}

#[test]
fn a_database_that_needs_its_own_program_is_copied_and_says_so() {
    let bench = Bench::new(&no_options());
    let script = "db.create_collation('own', lambda a, b: (a > b) - (a < b))\n\
        db.execute('CREATE TABLE t(n INTEGER PRIMARY KEY, a TEXT COLLATE own UNIQUE)')\n\
        db.execute(\"INSERT INTO t VALUES(1, 'b'), (2, 'c')\")\nprint(1, flush=True)\n";
    Other::start(&bench.live, 0, script).wait_for(1);
    let object = bench.take(1);
    assert!(!bench.backend.list().unwrap().found[0].content.unwrap().empty, "{:?}", object.notes);
}

#[test]
fn a_copy_that_was_changed_under_the_same_look_is_found_by_verifying() {
    let bench = Bench::new(&no_options());
    fill(&bench.live, SOME);
    bench.take(1);
    let copy = bench.copy(1);
    let before = fs::metadata(&copy).unwrap();
    patch(&copy, 4096, &[0xa5; 20_000]);
    fs::File::options()
        .write(true)
        .open(&copy)
        .unwrap()
        .set_modified(before.modified().unwrap())
        .unwrap();
    assert_eq!(bench.states(), [(1, Wholeness::Whole)]);
    let handle = crate::conformance::card(1).handle;
    assert_eq!(bench.backend.verify(&handle, &()).unwrap_err().fault, Fault::Permanent);
    assert_eq!(bench.states(), [(1, Wholeness::Tampered)]);
    assert!(bench.backend.restore(&copied(&handle, &bench.target("new")), &()).is_err());
    assert!(!bench.target("new").exists());
    bench.take(2);
    assert_eq!(rows(&bench.restore(2)), (500, 500));
}
