//! Catalogues of other versions, older and newer.

use super::{assert_twin, open, record, scribe};
use heptad::catalogue::{Catalogue, CatalogueError, Found, Remark, VERSION, export};
use heptad::domain::account::Account;
use heptad::domain::denied::Denied;
use heptad::domain::event::{Ask, Entry};
use heptad::domain::fee::ResourceUsage;
use heptad::domain::key::{Digest, Key};
use heptad::domain::ledger::Ledger;
use heptad::domain::operation::Operation;
use heptad::domain::repeat::repeat;
use heptad::domain::request::Request;
use heptad::domain::rotation::{Held, Payment};
use heptad::domain::snapshot::{Fate, Seq, Thrown};
use heptad::domain::told::{Disk, Engine, Proof, Told};
use heptad::domain::usage::{KnownTotal, SnapshotSet, TotalUsage};
use std::path::Path;

const V1: &str = include_str!("../../data/catalogue/v1.sql");
const V3: &str = include_str!("../../data/catalogue/v3.sql");
const V4: &str = include_str!("../../data/catalogue/v4.sql");
const V5: &str = include_str!("../../data/catalogue/v5.sql");
const V6: &str = include_str!("../../data/catalogue/v6.sql");
const V7: &str = include_str!("../../data/catalogue/v7.sql");
const V8: &str = include_str!("../../data/catalogue/v8.sql");
const V9: &str = include_str!("../../data/catalogue/v9.sql");

fn bytes(dir: &Path) -> Vec<(std::ffi::OsString, Vec<u8>)> {
    let entries = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap());
    let mut files: Vec<_> =
        entries.map(|e| (e.file_name(), std::fs::read(e.path()).unwrap())).collect();
    files.sort();
    files
}

#[test]
fn a_catalogue_of_a_later_version_is_refused_and_stays_as_it_is() {
    for (name, checkpoint) in [("in the file", true), ("in the log only", false)] {
        let dir = tempfile::tempdir().unwrap();
        drop(open(dir.path()));
        let path = dir.path().join("catalogue.sqlite");
        let conn = rusqlite::Connection::open(&path).unwrap();
        conn.set_db_config(
            rusqlite::config::DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE,
            !checkpoint,
        )
        .unwrap();
        conn.pragma_update(None, "locking_mode", "EXCLUSIVE").unwrap();
        conn.execute_batch("CREATE TABLE later (a TEXT); PRAGMA user_version = 99;").unwrap();
        drop(conn);
        assert_eq!(dir.path().join("catalogue.sqlite-wal").exists(), !checkpoint, "{name}");
        let before = bytes(dir.path());
        let error = Catalogue::open(dir.path()).unwrap_err();
        let CatalogueError::Newer { found: 99, known: VERSION, .. } = error else {
            panic!("{name}: {error}");
        };
        assert!(bytes(dir.path()) == before, "{name}: something was changed");
    }
}

#[test]
fn version_1_as_it_was_released_is_read() {
    let dir = tempfile::tempdir().unwrap();
    let conn = rusqlite::Connection::open(dir.path().join("catalogue.sqlite")).unwrap();
    conn.execute_batch(V1).unwrap();
    drop(conn);
    let opened = Catalogue::open(dir.path()).unwrap();
    assert!(matches!(opened.state, Found::Existing), "{:?}", opened.state);
    assert!(dir.path().join("catalogue.sqlite.v1").exists(), "a copy of the older version stays");
    let all = (jiff::civil::Date::MIN, jiff::civil::Date::MAX);
    assert_eq!(opened.catalogue.usage(all.0, all.1).unwrap(), []);
    let (ledger, remarks) = opened.catalogue.load().unwrap();
    let zone = "Mars/Olympus_Mons".to_owned();
    assert_eq!(remarks, [Remark::UnknownZone { resource: "database-1".parse().unwrap(), zone }]);
    let summary = |name: &str| {
        let account = ledger.account(&name.parse().unwrap()).unwrap();
        let rhythm = account.resource.policy.rhythm.to_string();
        let wished = account.timeline.wished().map(ToString::to_string).unwrap_or_default();
        (rhythm, wished, account.next_seq.0, account.slots.len(), account.snapshots.len())
    };
    // Its name stays, though UTC stands in for it.
    let lost = |cron: &str| format!("cron {cron} Mars/Olympus_Mons");
    assert_eq!(summary("database-1"), (lost("15 */4 * * *"), lost("15 */4 * * *"), 12, 1, 1));
    assert_eq!(
        summary("web-1"),
        ("06:00 Europe/Berlin".into(), "04:30 Europe/Berlin".into(), 4, 4, 3)
    );
    assert_eq!(ledger.next_operation.0, 8);
    let operations: Vec<String> = ledger
        .operations
        .values()
        .map(|o| format!("{} {} {:?} {:?}", o.id, o.act.word(), o.cause, o.state))
        .collect();
    assert_eq!(
        operations,
        [
            "2 take Schedule Succeeded",
            "3 take Retry(1) Failed(Failure { fault: NoSpace, message: \"no room\" })",
            "5 keep Peer(1000) Succeeded",
            "6 destroy Rotation Succeeded",
            "7 create Peer(0) Running",
        ]
    );
    let want: serde_json::Value =
        serde_json::from_str(include_str!("../../data/catalogue/v1.json")).unwrap();
    assert_eq!(export(&ledger), want);
    assert_eq!(opened.catalogue.tombstones_of(&"web-1".parse().unwrap(), 9).unwrap().len(), 1);
}

#[test]
fn version_3_knows_nothing_of_what_snapshots_occupy_together_and_all_else() {
    let dir = tempfile::tempdir().unwrap();
    let conn = rusqlite::Connection::open(dir.path().join("catalogue.sqlite")).unwrap();
    conn.execute_batch(V1).unwrap();
    conn.execute_batch(V3).unwrap();
    drop(conn);
    let mut catalogue = Catalogue::open(dir.path()).unwrap().catalogue;
    assert!(dir.path().join("catalogue.sqlite.v3").exists());
    let (mut ledger, _) = catalogue.load().unwrap();
    let name = "web-1".parse().unwrap();
    let account = ledger.account(&name).unwrap().clone();
    assert_eq!((account.occupied, account.snapshots.len()), (None, 3));
    let (from, until) = ("2026-11-01".parse().unwrap(), "2026-12-01".parse().unwrap());
    let days = catalogue.usage(from, until).unwrap();
    let [day] = &days[..] else { panic!("{days:?}") };
    assert_eq!((day.byte_hours, day.stored), (48_000_000_000, Some(5_000_000_000)));
    assert_eq!((day.exclusive, day.occupied), (Some(2_000_000_000), None));
    // From now on it is kept.
    let occupied = TotalUsage { bytes: 7 << 30, exact: true };
    let measured = KnownTotal { occupied, of: SnapshotSet::of(account.snapshots.values()) };
    let account = Account { occupied: Some(measured), ..account };
    record(&mut catalogue, &mut ledger, &[Entry::Account(Box::new(account))]);
    let (loaded, _) = catalogue.load().unwrap();
    assert_eq!(loaded.account(&name).unwrap().occupied, Some(measured));
    let held = [(
        name,
        ResourceUsage { occupied: Some(occupied), snapshots: 1, ..ResourceUsage::default() },
    )];
    let (now, hours) = ("2026-11-22T02:00:00Z".parse().unwrap(), jiff::SignedDuration::from_hours);
    catalogue.add_usage(now, hours(2), &held).unwrap();
    assert_eq!(catalogue.usage(from, until).unwrap()[1].occupied, Some(7 << 30));
}

#[test]
fn a_key_of_version_4_answers_for_no_request_since_it_is_not_known_which_it_was_for() {
    let dir = tempfile::tempdir().unwrap();
    let conn = rusqlite::Connection::open(dir.path().join("catalogue.sqlite")).unwrap();
    conn.execute_batch(V1).unwrap();
    conn.execute_batch(V3).unwrap();
    conn.execute_batch(V4).unwrap();
    drop(conn);
    let mut catalogue = Catalogue::open(dir.path()).unwrap().catalogue;
    assert!(dir.path().join("catalogue.sqlite.v4").exists());
    let digest = Some(Digest([7; 32]));
    let ask = |digest| {
        let request = Request::Disable { resource: "web-1".parse().unwrap() };
        let key = Some(Key { text: "key-5".into(), digest });
        Ask { ticket: 1, uid: 1000, key, request }
    };
    let earlier = catalogue.operation_by_key(1000, "key-5").unwrap().unwrap();
    let unproven = Denied::KeyUnproven { key: "key-5".into(), operation: earlier.id };
    assert_eq!(repeat(&ask(digest), &earlier), Err(unproven));
    // From now on it is kept.
    let noted = Operation { key: ask(digest).key, ..earlier };
    let (mut ledger, _) = catalogue.load().unwrap();
    record(&mut catalogue, &mut ledger, &[Entry::Operation(noted.clone())]);
    let found = catalogue.operation_by_key(1000, "key-5").unwrap().unwrap();
    assert_eq!(repeat(&ask(digest), &found), Ok(noted));
    let reused = repeat(&ask(Some(Digest([8; 32]))), &found);
    assert!(matches!(reused, Err(Denied::KeyReused { .. })), "{reused:?}");
}

#[test]
fn version_5_knows_nothing_of_engines_and_proofs_and_all_else() {
    let dir = tempfile::tempdir().unwrap();
    let conn = rusqlite::Connection::open(dir.path().join("catalogue.sqlite")).unwrap();
    [V1, V3, V4, V5].into_iter().for_each(|sql| conn.execute_batch(sql).unwrap());
    drop(conn);
    let mut catalogue = Catalogue::open(dir.path()).unwrap().catalogue;
    assert!(dir.path().join("catalogue.sqlite.v5").exists());
    let (mut ledger, _) = catalogue.load().unwrap();
    let mut snapshot = (**ledger.snapshots().next().unwrap()).clone();
    assert_eq!(snapshot.facts.told, Told::default());
    // From now on it is kept.
    let engine = Engine { name: "postgres".into(), version: "15".into() };
    let at = "2026-11-30T06:00:12.5Z".parse().unwrap();
    let proof = Proof { at, by: "a server started on a copy of it".into() };
    snapshot.facts.told = Told { engine: Some(engine), proof: Some(proof), disks: Vec::new() };
    record(&mut catalogue, &mut ledger, &[Entry::Snapshot(Box::new(snapshot.clone()))]);
    let (loaded, _) = catalogue.load().unwrap();
    assert_eq!(**loaded.snapshots().next().unwrap(), snapshot);
}

#[test]
fn version_6_knows_of_no_payment_and_of_one_kind_of_trash() {
    let dir = tempfile::tempdir().unwrap();
    let conn = rusqlite::Connection::open(dir.path().join("catalogue.sqlite")).unwrap();
    for version in [V1, V3, V4, V5, V6] {
        conn.execute_batch(version).unwrap();
    }
    drop(conn);
    let mut catalogue = Catalogue::open(dir.path()).unwrap().catalogue;
    assert!(dir.path().join("catalogue.sqlite.v6").exists());
    let (mut ledger, _) = catalogue.load().unwrap();
    let name = "web-1".parse().unwrap();
    let account = ledger.account(&name).unwrap().clone();
    assert_eq!(account.payment, Payment::default());
    let thrown = |account: &Account| match account.snapshots[&Seq(2)].fate {
        Fate::Trashed { why, .. } => why,
        fate => panic!("{fate:?}"),
    };
    assert_eq!(thrown(&account), Thrown::Asked);
    // From now on it is kept.
    let (at, unpaid) = (Some(jiff::SignedDuration::from_hours(7)), 2);
    let payment = Payment { at, unpaid, lowered: true, ..Payment::default() };
    let mut snapshot = account.snapshots[&Seq(2)].as_ref().clone();
    snapshot.fate = Fate::Trashed { until: jiff::SignedDuration::ZERO, why: Thrown::Rotated };
    let entries = [
        Entry::Account(Box::new(Account { payment, ..account })),
        Entry::Snapshot(Box::new(snapshot)),
    ];
    record(&mut catalogue, &mut ledger, &entries);
    let (loaded, _) = catalogue.load().unwrap();
    let account = loaded.account(&name).unwrap();
    assert_eq!((account.payment, thrown(account)), (payment, Thrown::Rotated));
}

#[test]
fn version_7_knows_of_no_tags_that_commands_changed() {
    let dir = tempfile::tempdir().unwrap();
    let conn = rusqlite::Connection::open(dir.path().join("catalogue.sqlite")).unwrap();
    for version in [V1, V3, V4, V5, V6, V7] {
        conn.execute_batch(version).unwrap();
    }
    drop(conn);
    let mut catalogue = Catalogue::open(dir.path()).unwrap().catalogue;
    assert!(dir.path().join("catalogue.sqlite.v7").exists());
    let (mut ledger, _) = catalogue.load().unwrap();
    let name = "web-1".parse().unwrap();
    let mut account = ledger.account(&name).unwrap().clone();
    let mut snapshot = account.snapshots[&Seq(2)].as_ref().clone();
    assert_eq!((account.wish.tags.len(), &snapshot.facts.retagged), (0, &None));
    // From now on it is kept, also that there are none left.
    account.wish.tags = [("team".into(), None), ("cost".into(), Some("7".into()))].into();
    snapshot.facts.retagged = Some([].into());
    let wish = account.wish.clone();
    let entries = [Entry::Account(Box::new(account)), Entry::Snapshot(Box::new(snapshot))];
    record(&mut catalogue, &mut ledger, &entries);
    let (loaded, _) = catalogue.load().unwrap();
    let account = loaded.account(&name).unwrap();
    assert_eq!(
        (&account.wish, &account.snapshots[&Seq(2)].facts.retagged),
        (&wish, &Some([].into()))
    );
}

#[test]
fn version_8_knows_of_no_disks() {
    let dir = tempfile::tempdir().unwrap();
    let conn = rusqlite::Connection::open(dir.path().join("catalogue.sqlite")).unwrap();
    for version in [V1, V3, V4, V5, V6, V7, V8] {
        conn.execute_batch(version).unwrap();
    }
    drop(conn);
    let mut catalogue = Catalogue::open(dir.path()).unwrap().catalogue;
    assert!(dir.path().join("catalogue.sqlite.v8").exists());
    let (mut ledger, _) = catalogue.load().unwrap();
    let mut snapshot = (**ledger.snapshots().next().unwrap()).clone();
    assert_eq!(snapshot.facts.told.disks, []);
    // From now on they are kept.
    let disk = |name: &str, size| Disk { name: name.into(), file: format!("/a/{name}"), size };
    snapshot.facts.told.disks = vec![disk("vda", 10 << 30), disk("vdb", 512)];
    record(&mut catalogue, &mut ledger, &[Entry::Snapshot(Box::new(snapshot.clone()))]);
    let (loaded, _) = catalogue.load().unwrap();
    assert_eq!(**loaded.snapshots().next().unwrap(), snapshot);
}

#[test]
fn version_9_holds_nothing_and_knows_not_from_whose_trash_something_goes() {
    let dir = tempfile::tempdir().unwrap();
    let conn = rusqlite::Connection::open(dir.path().join("catalogue.sqlite")).unwrap();
    for version in [V1, V3, V4, V5, V6, V7, V8, V9] {
        conn.execute_batch(version).unwrap();
    }
    conn.execute("UPDATE snapshot SET fate = 'doomed', trashed_until_ns = NULL", []).unwrap();
    drop(conn);
    let mut catalogue = Catalogue::open(dir.path()).unwrap().catalogue;
    assert!(dir.path().join("catalogue.sqlite.v9").exists());
    let (mut ledger, _) = catalogue.load().unwrap();
    let name = "web-1".parse().unwrap();
    let account = ledger.account(&name).unwrap().clone();
    let mut snapshot = account.snapshots[&Seq(2)].as_ref().clone();
    assert_eq!((account.held, snapshot.fate), (None, Fate::Doomed { from_trash: None }));
    // From now on it is kept.
    let held = Some(Held { seq: Seq(2), reach: jiff::SignedDuration::from_hours(168), calm: None });
    snapshot.fate = Fate::Doomed { from_trash: Some(Thrown::Rotated) };
    let entries = [
        Entry::Account(Box::new(Account { held, ..account })),
        Entry::Snapshot(Box::new(snapshot.clone())),
    ];
    record(&mut catalogue, &mut ledger, &entries);
    let (loaded, _) = catalogue.load().unwrap();
    let account = loaded.account(&name).unwrap();
    assert_eq!((account.held, account.snapshots[&Seq(2)].fate), (held, snapshot.fate));
}

#[test]
fn an_export_is_the_same_however_the_ledger_came_to_be() {
    let dir = tempfile::tempdir().unwrap();
    let (mut catalogue, mut ledger) = (open(dir.path()), Ledger::default());
    for n in (0..9).rev() {
        let mut head = scribe::account(n, n);
        head.next_seq = heptad::domain::snapshot::Seq(5);
        let taking = |seq: u64| {
            let seq = heptad::domain::snapshot::Seq(seq);
            Entry::Snapshot(Box::new(scribe::taking(&head.resource.name, seq, n + seq.0)))
        };
        let batch = [taking(3), taking(1), taking(2)];
        record(&mut catalogue, &mut ledger, &[Entry::Account(Box::new(head.clone()))]);
        record(&mut catalogue, &mut ledger, &batch);
    }
    assert_twin(&catalogue, &ledger);
    let exported = export(&ledger);
    assert_eq!(export(&catalogue.load().unwrap().0), exported);
    let lines = exported.as_array().unwrap();
    assert_eq!(lines.len(), 27);
    let key = |line: &serde_json::Value| {
        (line["resource"].as_str().unwrap().to_owned(), line["seq"].as_u64().unwrap())
    };
    assert!(lines.is_sorted_by_key(key));
}
