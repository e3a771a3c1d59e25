//! Who looks at a database, and whose the copies are.

use super::bench::{Bench, NOBODY, Other, fill, helper_process, no_options, rows};
use heptad::domain::operation::Fault;
use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};

const SOME: &str = "CREATE TABLE t(n INTEGER PRIMARY KEY); INSERT INTO t VALUES(1), (2), (3);";

/// A database of nobody's in a directory that only nobody may enter, below one of root's.
fn of_nobody() -> Bench {
    let mut bench = Bench::new(&no_options());
    let dir = bench.dir.path().join("private");
    fs::create_dir(&dir).unwrap();
    bench.live = dir.join("app.db");
    fill(&bench.live, SOME);
    fs::set_permissions(&bench.live, Permissions::from_mode(0o640)).unwrap();
    fs::set_permissions(&dir, Permissions::from_mode(0o700)).unwrap();
    chown(&bench.live, Some(NOBODY), Some(7)).unwrap();
    chown(&dir, Some(NOBODY), Some(NOBODY)).unwrap();
    let store = bench.dir.path().join("store");
    bench.backend =
        super::bench::backend(super::bench::RESOURCE, &bench.live, &store, &no_options());
    bench
}

#[test]
fn a_database_is_parsed_as_its_owner_and_restored_with_owner_and_mode() {
    let bench = of_nobody();
    bench.take(1);
    let restored = bench.restore(1);
    let meta = fs::metadata(&restored).unwrap();
    assert_eq!((meta.uid(), meta.gid(), meta.mode() & 0o7777), (NOBODY, 7, 0o640));
    assert_eq!(rows(&restored), (3, 3));
    let handle = crate::conformance::card(1).handle;
    bench.backend.verify(&handle, &()).unwrap();
    // The owner may read the copy in its directory, and write nothing there.
    let dir = fs::metadata(bench.copy(1).parent().unwrap()).unwrap();
    assert_eq!((dir.uid(), dir.mode() & 0o7777), (0, 0o711));
}

#[test]
fn the_helper_has_given_up_root_before_it_waits_for_a_lock() {
    let bench = of_nobody();
    // Without 0755 above, nobody's own process could not reach it; the helper needs no path.
    let aside = bench.dir.path();
    fs::set_permissions(aside, Permissions::from_mode(0o755)).unwrap();
    let mut other = Other::start(
        &bench.live,
        NOBODY,
        "db.execute('BEGIN EXCLUSIVE')\nprint(1, flush=True)\ntime.sleep(60)\n",
    );
    other.wait_for(1);
    fs::set_permissions(aside, Permissions::from_mode(0o700)).unwrap();
    std::thread::scope(|scope| {
        let taking = scope.spawn(|| bench.try_take(1));
        let helper = helper_process();
        let copy = bench.dir.path().join("store/forum/1.partial/data");
        let until = std::time::Instant::now() + std::time::Duration::from_secs(20);
        let ids = loop {
            let status = fs::read_to_string(format!("/proc/{helper}/status")).unwrap();
            let line = |name: &str| {
                let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
                line.split_whitespace().map(str::to_owned).collect::<Vec<_>>()
            };
            let ids = (line("Uid:"), line("Groups:"), line("CapEff:"));
            if ids.0[0] != "0" || std::time::Instant::now() > until {
                break ids;
            }
            std::thread::yield_now();
        };
        assert_eq!(ids.0, vec![NOBODY.to_string(); 4]);
        assert_eq!(ids.1, Vec::<String>::new());
        assert_eq!(ids.2, ["0000000000000000"]);
        assert_eq!(fs::metadata(copy).unwrap().uid(), NOBODY);
        // Nobody else's process, either: not even one of the same user may take its descriptors.
        let owner = fs::metadata(format!("/proc/{helper}/fd")).unwrap().uid();
        assert_eq!(owner, 0);
        other.kill();
        taking.join().unwrap().unwrap();
    });
    assert_eq!(rows(&bench.restore(1)), (3, 3));
}

#[test]
fn root_does_not_parse_what_others_can_write() {
    for (mode, dir_mode) in [(0o666, 0o700), (0o644, 0o777), (0o644, 0o1777)] {
        let bench = Bench::new(&no_options());
        fill(&bench.live, SOME);
        fs::set_permissions(&bench.live, Permissions::from_mode(mode)).unwrap();
        fs::set_permissions(bench.dir.path(), Permissions::from_mode(dir_mode)).unwrap();
        let error = bench.try_take(1).unwrap_err();
        assert_eq!(error.fault, Fault::Permanent, "{error}");
        assert!(error.to_string().contains("as_owner"), "{error}");
    }
}

#[test]
fn a_directory_that_the_owner_of_a_log_cannot_write_is_named_with_the_way_out() {
    let bench = of_nobody();
    let dir = bench.live.parent().unwrap();
    fill(&bench.live, "PRAGMA journal_mode=WAL");
    chown(dir, Some(0), Some(0)).unwrap();
    fs::set_permissions(dir, Permissions::from_mode(0o755)).unwrap();
    let error = bench.try_take(1).unwrap_err();
    let (text, chown_it) = (error.to_string(), format!("chown nobody {}", dir.display()));
    assert_eq!(error.fault, Fault::Permanent, "{text}");
    for word in [&chown_it, "it belongs to root, mode 0755", "as_owner = false"] {
        assert!(text.contains(word), "{text}");
    }
    chown(dir, Some(NOBODY), Some(NOBODY)).unwrap();
    bench.take(2);
    assert_eq!(rows(&bench.restore(2)), (3, 3));
}
