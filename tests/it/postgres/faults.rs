//! What goes wrong with real servers, and what is said about it.

use super::build;
use super::server::{Server, cluster, scratch, tool, typed};
use crate::conformance::{card, fault, find, take};
use crate::support::copied;
use crate::support::loopfs::run;
use heptad::backend::{RestoreOrder, TakeOrder};
use heptad::domain::operation::Fault;
use heptad::domain::plan::Plan;
use heptad::domain::survey::Wholeness;
use serde_json::json;
use std::path::Path;

#[test]
fn wrong_credentials_are_an_error_that_names_them_and_leave_nothing_whole() {
    let fs = scratch("xfs", 600);
    let (data, store) = (fs.path().join("data"), fs.path().join("store"));
    cluster(&data);
    let server = Server::start(&data, "");
    let check = |options, part: &str| {
        let backend = build("db", &data, &store, options);
        let order = TakeOrder { card: &card(1), source: None, previous: None };
        let error = backend.take(&order, &()).unwrap_err();
        assert_eq!(error.fault, Fault::Permanent, "{error}");
        assert!(error.to_string().contains(part), "{error}");
        for found in backend.list().unwrap().found {
            assert_eq!(found.state, Wholeness::Partial, "{error}");
            backend.destroy(&found.card.handle).unwrap();
        }
    };
    check(json!({ "user": "mallory" }), "mallory");
    check(json!({ "database": "nowhere" }), "nowhere");
    check(json!({ "socket": "/nonexistent" }), "/nonexistent");
    check(json!({ "bin": "/nonexistent" }), "install the server's package");
    server.sql("create role small login; grant pg_read_all_settings to small");
    std::fs::write(data.join("pg_hba.conf"), "local all all trust\n").unwrap();
    tool("pg_ctl", &["-D", data.to_str().unwrap(), "reload"]);
    server.sql("select 1");
    check(json!({ "user": "small" }), "must be superuser");
}

#[test]
fn a_server_of_another_data_directory_is_not_taken() {
    let fs = scratch("xfs", 600);
    let (one, two) = (fs.path().join("one"), fs.path().join("two"));
    cluster(&one);
    cluster(&two);
    let (_first, second) = (Server::start(&one, ""), Server::start(&two, ""));
    let backend = build("db", &one, &fs.path().join("store"), json!({ "socket": second.socket }));
    let order = TakeOrder { card: &card(1), source: None, previous: None };
    assert_eq!(fault(backend.take(&order, &())), Fault::Identity);
}

#[test]
fn a_server_that_was_killed_is_copied_and_recovers() {
    let fs = scratch("xfs", 600);
    let data = fs.path().join("data");
    cluster(&data);
    let server = Server::start(&data, "");
    server.sql("create table t as select generate_series(1, 1000) as n");
    server.stop("immediate");
    let backend = build("db", &data, &fs.path().join("store"), json!({}));
    let handle = take(&*backend, &card(1));
    let notes = find(&*backend, 1).unwrap().notes;
    assert!(notes.iter().any(|note| note.contains("not shut down cleanly")), "{notes:?}");
    let target = fs.path().join("copy");
    backend.restore(&copied(&handle, &target), &()).unwrap();
    assert_eq!(Server::start(&target, "").sql("select count(*) from t"), "1000");
}

#[test]
fn a_restored_cluster_has_a_port_of_its_own_and_archives_nothing() {
    let fs = scratch("xfs", 600);
    let data = fs.path().join("data");
    cluster(&data);
    let server = Server::start(&data, "-p 5611 -c archive_mode=on -c archive_command=/bin/true");
    server.sql("select pg_create_physical_replication_slot('standby', true)");
    let backend = build("db", &data, &fs.path().join("store"), json!({}));
    let handle = take(&*backend, &card(1));
    let target = fs.path().join("copy");
    let restored = backend.restore(&copied(&handle, &target), &()).unwrap();
    let copy = Server::start(&target, "");
    let port: u16 = copy.sql("show port").parse().unwrap();
    assert!(port > 5611, "{port}");
    assert_eq!(copy.sql("show archive_mode"), "off");
    assert_eq!(copy.sql("select count(*) from pg_replication_slots"), "0");
    let readme = std::fs::read_to_string(target.join("RESTORED.txt")).unwrap();
    assert!(readme.contains(&port.to_string()), "{readme}");
    assert!(!Path::new(&target).join("postmaster.opts.old").exists());
    let wanted = json!({ "data": target, "port": port });
    assert_eq!(restored.options, *wanted.as_object().unwrap());
    assert!(restored.notes[0].contains(&format!("port is {port}")), "{restored:?}");
    drop(copy);
    // What it says to type does start it.
    let (_, start) = restored.notes[1].split_once("start it: ").unwrap();
    let log = target.join("log");
    let start = format!("{start} -w -s -l {} -o \"-k /tmp\"", log.display());
    assert!(typed(&start).status().unwrap().success(), "{start}");
    tool("pg_ctl", &["-D", target.to_str().unwrap(), "-s", "-m", "immediate", "stop"]);
    let second = backend.restore(&copied(&handle, &fs.path().join("second")), &()).unwrap();
    assert!(second.options["port"].as_u64().unwrap() > port.into(), "{second:?}");
}

#[test]
fn a_new_cluster_gets_the_port_that_is_asked_for_unless_somebody_has_it() {
    let fs = scratch("xfs", 600);
    let data = fs.path().join("data");
    cluster(&data);
    let backend = build("db", &data, &fs.path().join("store"), json!({}));
    let handle = take(&*backend, &card(1));
    let ours = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = ours.local_addr().unwrap().port();
    let target = fs.path().join("copy");
    let order = RestoreOrder { port: Some(port), ..copied(&handle, &target) };
    let error = backend.restore(&order, &()).unwrap_err();
    assert_eq!(error.fault, Fault::Permanent, "{error}");
    let us = format!("(process {})", std::process::id());
    assert!(error.to_string().contains(&us), "{error}");
    assert!(!target.exists());
    drop(ours);
    let restored = backend.restore(&order, &()).unwrap();
    assert_eq!(restored.options["port"], port);
    assert_eq!(Server::start(&target, "").port(), port.to_string());
    let sized = RestoreOrder { size: Some(1 << 30), ..copied(&handle, &target) };
    assert_eq!(fault(backend.restore(&sized, &())), Fault::Permanent);
    let larger = Plan { name: "medium".parse().unwrap(), vcpus: 2, memory: 4 << 30, disk: 1 << 40 };
    let other = fs.path().join("other");
    let planned = RestoreOrder { plan: Some(&larger), ..copied(&handle, &other) };
    let notes = backend.restore(&planned, &()).unwrap().notes;
    assert!(notes.iter().any(|note| note.contains("4 GiB memory")), "{notes:?}");
}

#[test]
fn configuration_that_lies_elsewhere_comes_along() {
    let fs = scratch("xfs", 600);
    let (data, etc) = (fs.path().join("data"), fs.path().join("etc"));
    cluster(&data);
    std::fs::create_dir(&etc).unwrap();
    for name in ["postgresql.conf", "pg_hba.conf", "pg_ident.conf"] {
        std::fs::rename(data.join(name), etc.join(name)).unwrap();
    }
    let at = |name: &str| etc.join(name).display().to_string();
    let mut text = std::fs::read_to_string(at("postgresql.conf")).unwrap();
    text.push_str(&format!(
        "data_directory = '{}'\nhba_file = '{}'\nident_file = '{}'\nwork_mem = '7MB'\n",
        data.display(),
        at("pg_hba.conf"),
        at("pg_ident.conf")
    ));
    std::fs::write(at("postgresql.conf"), text).unwrap();
    let _server = Server::start(&data, &format!("-c config_file={}", at("postgresql.conf")));
    let backend = build("db", &data, &fs.path().join("store"), json!({}));
    let handle = take(&*backend, &card(1));
    let target = fs.path().join("copy");
    backend.restore(&copied(&handle, &target), &()).unwrap();
    let copy = Server::start(&target, "");
    assert_eq!(copy.sql("show work_mem"), "7MB");
    assert_eq!(copy.sql("show hba_file"), target.join("pg_hba.conf").display().to_string());
    assert_eq!(copy.sql("show data_directory"), target.display().to_string());
}

#[test]
fn settings_that_name_the_data_directory_by_its_path_name_that_of_the_copy() {
    let fs = scratch("xfs", 600);
    let data = fs.path().join("data");
    cluster(&data);
    let path = data.display();
    let mut text = std::fs::read_to_string(data.join("postgresql.conf")).unwrap();
    text.push_str(&format!(
        "data_directory = '{path}'\nhba_file = '{path}/pg_hba.conf'\nlogging_collector = on\n\
         log_directory = '{path}/log'\n"
    ));
    std::fs::write(data.join("postgresql.conf"), text).unwrap();
    let server = Server::start(&data, "");
    server.sql(&format!("alter system set ident_file = '{path}/pg_ident.conf'"));
    let backend = build("db", &data, &fs.path().join("store"), json!({}));
    let handle = take(&*backend, &card(1));
    drop(server);
    let target = fs.path().join("copy");
    backend.restore(&copied(&handle, &target), &()).unwrap();
    std::fs::rename(&data, fs.path().join("gone")).unwrap();
    let copy = Server::start(&target, "");
    for setting in ["hba_file", "ident_file", "log_directory", "data_directory"] {
        let is = copy.sql(&format!("show {setting}"));
        assert!(is.starts_with(target.to_str().unwrap()), "{setting} = {is}");
    }
}

#[test]
fn settings_that_let_nobody_copy_are_named_with_the_way_out_and_not_tried_again() {
    let check = |kind: &str, options: &str, parts: &[&str]| {
        let fs = scratch(kind, 600);
        let data = fs.path().join("data");
        cluster(&data);
        let server = Server::start(&data, options);
        let backend = build("db", &data, &fs.path().join("store"), json!({}));
        let order = TakeOrder { card: &card(1), source: None, previous: None };
        if parts.is_empty() {
            backend.take(&order, &()).unwrap();
            return server.must_be_out_of_backup_mode();
        }
        let error = backend.take(&order, &()).unwrap_err();
        assert_eq!(error.fault, Fault::Permanent, "{error}");
        for part in parts {
            assert!(error.to_string().contains(part), "{part}: {error}");
        }
    };
    let minimal = "-c wal_level=minimal -c max_wal_senders=0";
    let level = ["wal_level is minimal", "set wal_level to replica"];
    check("xfs", minimal, &level);
    check("ext4", minimal, &level);
    let store = "choose a store that shares blocks";
    check("ext4", "-c max_wal_senders=0", &["max_wal_senders is 0", "to 10 and restart", store]);
    check("ext4", "-c max_wal_senders=1", &["max_wal_senders is 1", store]);
    for good in ["-c max_wal_senders=2", "-c max_replication_slots=0"] {
        check("ext4", good, &[]);
    }
    check("xfs", "-c max_wal_senders=0", &[]);
    check("xfs", "-c max_replication_slots=0", &[]);
}

#[test]
fn a_role_or_a_rule_that_lets_nobody_copy_is_named_with_the_way_out() {
    let fs = scratch("ext4", 600);
    let (data, store) = (fs.path().join("data"), fs.path().join("store"));
    cluster(&data);
    let server = Server::start(&data, "");
    let refused = |options, parts: &[&str]| {
        let backend = build("db", &data, &store, options);
        let order = TakeOrder { card: &card(1), source: None, previous: None };
        let error = backend.take(&order, &()).unwrap_err();
        assert_eq!(error.fault, Fault::Permanent, "{error}");
        for part in parts {
            assert!(error.to_string().contains(part), "{part}: {error}");
        }
    };
    server.sql("create role small login; grant pg_read_all_settings to small");
    let rule = |text: &str| {
        std::fs::write(data.join("pg_hba.conf"), text).unwrap();
        tool("pg_ctl", &["-D", data.to_str().unwrap(), "reload"]);
        server.sql("select 1");
    };
    rule("local all all trust\nlocal replication all trust\n");
    refused(
        json!({ "user": "small" }),
        &["role small may not", "alter role \"small\" replication"],
    );
    rule("local all all trust\n");
    refused(json!({}), &["pg_hba.conf", "local replication postgres peer"]);
}

#[test]
fn a_file_that_the_owner_cannot_reach_is_not_copied_for_them() {
    let fs = scratch("xfs", 600);
    let (data, etc) = (fs.path().join("data"), fs.path().join("etc"));
    cluster(&data);
    std::fs::create_dir(&etc).unwrap();
    let server = Server::start(&data, "");
    drop(server);
    let hba = etc.join("pg_hba.conf");
    std::fs::rename(data.join("pg_hba.conf"), &hba).unwrap();
    run("chmod", &["644", hba.to_str().unwrap()]);
    let _server = Server::start(&data, &format!("-c hba_file={}", hba.display()));
    let backend = build("db", &data, &fs.path().join("store"), json!({}));
    let kept = |seq: u64| fs.path().join(format!("store/db/{seq}/config/pg_hba.conf"));
    take(&*backend, &card(1));
    assert!(kept(1).exists());
    // From here on only root gets at it, though everybody might read it.
    run("chmod", &["700", etc.to_str().unwrap()]);
    run("chown", &["root:root", etc.to_str().unwrap(), hba.to_str().unwrap()]);
    take(&*backend, &card(2));
    assert!(!kept(2).exists());
    let notes = find(&*backend, 2).unwrap().notes;
    let said = format!("{} is not in it", hba.display());
    assert!(notes.iter().any(|note| note.starts_with(&said)), "{notes:?}");
    // Nor what never ends.
    run("chmod", &["755", etc.to_str().unwrap()]);
    std::fs::remove_file(&hba).unwrap();
    std::os::unix::fs::symlink("/dev/zero", &hba).unwrap();
    take(&*backend, &card(3));
    assert!(!kept(3).exists());
}

#[test]
fn the_data_directory_of_a_snapshot_can_be_looked_into() {
    let fs = scratch("xfs", 600);
    let (data, store) = (fs.path().join("data"), fs.path().join("store"));
    cluster(&data);
    let backend = build("db", &data, &store, json!({}));
    let tree = backend.tree(&take(&*backend, &card(1))).unwrap();
    let names = crate::image::disks::names(&tree, "");
    assert!(names.contains(&"PG_VERSION".into()), "{names:?}");
    let got = crate::image::disks::read(&tree, "global/pg_control").unwrap();
    assert_eq!(got, std::fs::read(data.join("global/pg_control")).unwrap());
}

/// It says nothing of whose the cluster is, and so nothing else is in its place either.
#[test]
fn a_damaged_control_file_is_told_as_that() {
    let fs = scratch("xfs", 600);
    let data = fs.path().join("data");
    cluster(&data);
    let backend = build("db", &data, &fs.path().join("store"), json!({}));
    let known = backend.probe().unwrap();
    let control = data.join("global/pg_control");
    let whole = std::fs::read(&control).unwrap();
    for at in [0, 100] {
        let mut damaged = whole.clone();
        damaged[at..at + 8].fill(0x5a);
        std::fs::write(&control, damaged).unwrap();
        let order = TakeOrder { card: &card(1), source: None, previous: None };
        for error in [backend.probe().unwrap_err(), backend.take(&order, &()).unwrap_err()] {
            assert!(error.damaged && error.fault == Fault::Permanent, "{error}");
            let said = error.to_string();
            assert!(said.contains("global/pg_control") && said.contains("damaged"), "{said}");
        }
    }
    std::fs::write(&control, whole).unwrap();
    assert_eq!(backend.probe().unwrap(), known);
}
