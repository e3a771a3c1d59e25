//! What a person sees of a database: its engine, its version, and the proof of its snapshots; after
//! a restart, and after the catalogue was lost.

use super::build;
use super::server::{Server, bin, cluster, scratch};
use crate::conformance::card;
use crate::daemon::host::{HEPTAD, Host, at, day, ran};
use crate::support::copied;
use crate::support::telling::Told;
use heptad::backend::TakeOrder;
use serde_json::Value;
use std::process::Command;

#[test]
fn the_weekly_proof_and_the_engine_are_seen_everywhere_and_survive_everything() {
    let fs = scratch("xfs", 600);
    let data = fs.path().join("data");
    cluster(&data);
    let server = Server::start(&data, "");
    server.sql("create table t as select generate_series(1, 9) as n");
    drop(server);
    let mut host = Host::new(&at(1, "05:00"));
    host.configure(&format!(
        "[resource.db]\nkind = \"database\"\ntime = \"06:00\"\npostgres = {{ data = {:?}, store = {:?} }}\n",
        data,
        fs.path().join("store")
    ));
    host.start();
    let engine = |shown: &Value| (shown["engine"].clone(), shown["engine_version"].clone());
    let version = std::fs::read_to_string(data.join("PG_VERSION")).unwrap();
    let wanted = (Value::from("postgres"), Value::from(version.trim()));
    host.settle();
    assert_eq!(engine(&host.get("/v1/resources/db")["resource"]), wanted, "before any snapshot");
    for n in [1, 2] {
        host.clock(&at(n, "06:00"));
        host.complete(&["db"], &day(n));
    }
    let snapshot = |host: &Host, n: u32| host.get(&format!("/v1/snapshots/db@{}", day(n)));
    let first = snapshot(&host, 1);
    let (when, by) = (first["proven_at"].as_str().unwrap(), first["proven_by"].as_str().unwrap());
    assert!(by.starts_with("a server started on a copy of it, 2 databases read"), "{first:#}");
    let proven: jiff::Timestamp = when.parse().unwrap();
    let seen = |host: &Host| {
        let again = snapshot(host, 1);
        for field in ["engine", "engine_version", "proven_at", "proven_by"] {
            assert_eq!(again[field], first[field], "{field}");
        }
        assert_eq!(engine(&snapshot(host, 2)), wanted);
        assert_eq!(snapshot(host, 2)["proven_at"], Value::Null, "one a week");
        let resource = &host.get("/v1/resources/db")["resource"];
        assert_eq!(
            (engine(resource), &resource["newest_proof"]),
            (wanted.clone(), &first["proven_at"])
        );
        let shown = host.ok(&format!("show db@{}", day(1)));
        let shown = shown.split_whitespace().collect::<Vec<_>>().join(" ");
        for part in [&*format!("postgres {}", version.trim()), "proven ", by] {
            assert!(shown.contains(part), "{part}: {shown}");
        }
        let shown = host.ok("show db");
        assert!(
            shown.contains("proven") && shown.contains(&*format!("postgres {}", version.trim())),
            "{shown}"
        );
        let list = host.ok("list");
        assert_eq!(list.matches("proven").count(), 1, "{list}");
        let metrics = host.client().metrics().unwrap();
        let name = "heptad_newest_proof_timestamp_seconds";
        let line = format!("{name}{{resource=\"db\"}} {}", proven.as_second());
        assert!(metrics.lines().any(|found| found == line), "{metrics}");
    };
    seen(&host);
    host.stop();
    host.start();
    host.settle();
    seen(&host);
    host.stop();
    for file in std::fs::read_dir(host.path("state")).unwrap().map(|entry| entry.unwrap()) {
        if file.file_name().to_string_lossy().starts_with("catalogue") {
            std::fs::remove_file(file.path()).unwrap();
        }
    }
    let mut rebuild = Command::new(HEPTAD);
    let rebuild = rebuild.env_clear().arg("rebuild").arg("--config").arg(host.path("heptad.toml"));
    assert_eq!(ran(rebuild).code, 0);
    host.start();
    host.settle();
    seen(&host);
}

#[test]
fn how_much_of_a_cluster_is_copied_is_told_while_that_goes_on() {
    let fs = scratch("ext4", 600);
    let data = fs.path().join("data");
    cluster(&data);
    let _server = Server::start(&data, "");
    let (programs, name) = (fs.path().join("bin"), "pg_basebackup");
    std::fs::create_dir(&programs).unwrap();
    let told = Told::by(&fs.path().join("told"));
    for program in std::fs::read_dir(bin()).unwrap().map(|entry| entry.unwrap().path()) {
        let here = programs.join(program.file_name().unwrap());
        match program.ends_with(name) {
            true => told.then(&program, &here),
            false => std::os::unix::fs::symlink(program, here).unwrap(),
        }
    }
    let store = fs.path().join("store");
    let backend = build("db", &data, &store, serde_json::json!({ "bin": programs }));
    let order = TakeOrder { card: &card(1), source: None, previous: None };
    backend.take(&order, &told).unwrap();
    let (done, total) = told.all.lock().unwrap()[0];
    assert!(total.is_some_and(|total| total > 1 << 20 && done < total), "{done} of {total:?}");
    // And of a copy of it all, with the end in sight.
    told.all.lock().unwrap().clear();
    let handle = card(1).handle;
    backend.restore(&copied(&handle, &fs.path().join("copy")), &told).unwrap();
    let (done, total) = *told.all.lock().unwrap().last().unwrap();
    assert!(total == Some(done), "{done} of {total:?}");
}
