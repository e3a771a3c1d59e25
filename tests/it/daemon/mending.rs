//! What a person does at night with a resource that is damaged or gone.

use super::host::{Host, at};
use rusqlite::Connection;
use std::path::Path;

fn fill(path: &Path, sql: &str) {
    Connection::open(path).unwrap().execute_batch(sql).unwrap();
}

fn rows(path: &Path) -> i64 {
    let open = Connection::open(path).unwrap();
    open.query_row("SELECT count(*) FROM t", [], |row| row.get(0)).unwrap()
}

#[test]
fn a_damaged_database_goes_back_and_what_was_there_is_saved_as_it_was() {
    let mut host = Host::new(&at(1, "05:00"));
    std::fs::create_dir(host.path("db")).unwrap();
    let live = host.path("db/app.db");
    fill(&live, "CREATE TABLE t(a); INSERT INTO t VALUES (1), (2), (3);");
    host.configure("[resource.app]\ntime = \"06:00\"\nsqlite = { path = \"ROOT/db/app.db\" }\n");
    host.start();
    host.ok("take app good");
    let damaged = vec![b'x'; 8192];
    std::fs::write(&live, &damaged).unwrap();
    let told = host.ok("rollback app --to good --yes --backup-name before");
    assert_eq!(rows(&live), 3, "{told}");
    let shown = host.ok("show before");
    assert!(shown.contains("suspect"), "{shown}");
    assert!(shown.contains("saved as it was, it is damaged"), "{shown}");
    host.ok(&format!("create rescue --from before --path {}", host.path("db/rescue.db").display()));
    assert_eq!(std::fs::read(host.path("db/rescue.db")).unwrap(), damaged);
    host.stop();
}

#[test]
fn where_nothing_is_there_any_more_the_refusal_says_what_makes_it_again() {
    let mut host = Host::new(&at(1, "05:00"));
    host.tree("tree", "one");
    std::fs::create_dir(host.path("db")).unwrap();
    fill(&host.path("db/app.db"), "CREATE TABLE t(a); INSERT INTO t VALUES (1);");
    let app = "[resource.app]\ntime = \"06:00\"\nsqlite = { path = \"ROOT/db/app.db\" }\n";
    let tree = "[resource.tree]\ntime = \"06:00\"\nfiles = { path = \"ROOT/tree\" }\n";
    host.configure(&format!("{app}{tree}"));
    host.start();
    for (name, place) in [("app", "db/app.db"), ("tree", "tree")] {
        let place = host.path(place);
        host.ok(&format!("take {name} {name}-good"));
        let _ = std::fs::remove_file(&place);
        let _ = std::fs::remove_dir_all(&place);
        let refused = host.ctl(&format!("rollback {name} --to {name}-good --yes"));
        assert_ne!(refused.code, 0);
        let said = words(&refused.err);
        let way = format!("create {name}-2 --from {name}-good --path {}", place.display());
        assert!(said.contains(&format!("heptactl {way} makes it there again")), "{said}");
        host.ok(&way);
        assert!(place.exists());
    }
    host.stop();
}

const TREE: &str = "[resource.tree]\ntime = \"06:00\"\nfiles = { path = \"ROOT/tree\" }\n";

/// As a person reads it, however it is wrapped and commands are marked.
fn words(text: &str) -> String {
    text.replace('`', "").split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn a_directory_made_anew_is_acknowledged_at_once() {
    let mut host = Host::new(&at(1, "05:00"));
    host.tree("tree", "one");
    host.configure(TREE);
    host.start();
    host.ok("take tree first");
    for tried in [true, false] {
        std::fs::rename(host.path("tree"), host.path("old")).unwrap();
        host.tree("tree", "one");
        std::fs::remove_dir_all(host.path("old")).unwrap();
        if tried {
            let refused = words(&host.ctl("take tree second").err);
            assert!(refused.contains("heptactl acknowledge tree"), "{refused}");
            let status = words(&host.ctl("status tree").out);
            assert!(status.contains("heptactl acknowledge tree"), "{status}");
            assert!(!status.contains("correct its configuration"), "{status}");
        }
        host.ok("acknowledge tree");
        host.ok(&format!("take tree after-{tried}"));
        assert_eq!(host.ctl("status").code, 0);
    }
    host.stop();
}

#[test]
fn a_changed_store_is_told_and_nothing_in_the_old_one_passes_for_gone() {
    let mut host = Host::new(&at(1, "05:00"));
    host.tree("tree", "one");
    host.configure(TREE);
    host.start();
    host.ok("take tree first");
    host.ok("take tree second");
    let other = TREE.replace("\"ROOT/tree\"", "\"ROOT/tree\", store = \"ROOT/other\"");
    // Seen before something is taken there, and after.
    for step in ["", "take tree third"] {
        host.configure(&other);
        host.ok("reload");
        host.settle();
        if !step.is_empty() {
            host.ok(step);
        }
        let (before, now) = (host.path("state/store/tree"), host.path("other/tree"));
        let status = words(&host.ctl("status tree").out);
        let told = format!(
            "its store was changed to {}, and 2 snapshots lie unharmed in {}",
            now.display(),
            before.display()
        );
        assert!(status.contains(&told), "{status}");
        assert!(!status.contains("heptactl delete"), "{status}");
        host.configure(TREE);
        host.ok("reload");
        host.settle();
        let labels = host.live_labels("tree");
        assert!(labels.contains(&"first".to_owned()), "{labels:?}");
    }
    host.stop();
}

#[test]
fn what_is_gone_already_is_taken_off_the_list_and_nobody_says_that_it_comes_back() {
    let mut host = Host::new(&at(1, "05:00"));
    host.tree("tree", "one");
    host.configure(TREE);
    host.start();
    host.ok("take tree first");
    std::fs::remove_dir_all(host.path("state/store/tree/1")).unwrap();
    host.ok("take tree second");
    let said = words(&host.ok("delete first --yes"));
    assert_eq!(said, "first: taken off the list; it was gone already, so nothing brings it back");
    host.stop();
}
