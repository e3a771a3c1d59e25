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
        // It is wrapped where it stands in a terminal's width.
        let said = refused.err.split_whitespace().collect::<Vec<_>>().join(" ");
        let way = format!("create {name}-2 --from {name}-good --path {}", place.display());
        assert!(said.contains(&format!("`heptactl {way}` makes it there again")), "{said}");
        host.ok(&way);
        assert!(place.exists());
    }
    host.stop();
}
