//! What a person sees of a database: its engine, its version, and the proof of its snapshots; after a
//! restart, and after the catalogue was lost.

use super::server::{Server, cluster, scratch};
use crate::daemon::host::{HEPTAD, Host, at, day, ran};
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
        for part in [&*format!("postgres {}", version.trim()), "proven at ", by] {
            assert!(shown.contains(part), "{part}: {shown}");
        }
        let shown = host.ok("show db");
        assert!(
            shown.contains("proven") && shown.contains(&*format!("postgres {}", version.trim())),
            "{shown}"
        );
        let list = host.ok("list");
        assert_eq!(list.matches("proven at ").count(), 1, "{list}");
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
