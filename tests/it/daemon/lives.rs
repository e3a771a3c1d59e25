//! Beginnings and ends of daemons, and one that has to wait.

use super::disk::names;
use super::host::{Host, at, day, ran};
use super::plugin::Plugin;
use heptad::api::wire::OperationState;
use rustix::process::Signal;

#[test]
fn a_second_daemon_on_the_same_state_names_the_first_and_goes() {
    let mut host = Host::new(&at(1, "05:00"));
    host.tree("tree", "one");
    host.configure("[resource.tree]\nfiles = { path = \"ROOT/tree\" }\n");
    host.start();
    let text = std::fs::read_to_string(host.path("heptad.toml")).unwrap();
    host.configure_whole(&text.replace("/sock\"", "/other-sock\""));
    let second = ran(&mut host.daemon());
    assert_eq!(second.code, 75, "{second:?}");
    let pid = host.pid().as_raw_nonzero();
    assert!(second.err.contains(&format!("process {pid} holds")), "{second:?}");
    assert_eq!(host.ctl("status").code, 0, "the first one does not mind");
    host.configure_whole(&text);
    host.kill();
    host.start();
    assert_eq!(host.ctl("status").code, 0, "a lock does not outlive its holder");
}

#[test]
fn a_stop_lets_a_running_snapshot_finish() {
    let plugin = Plugin::install();
    let mut host = Host::new(&at(1, "05:00"));
    host.configure(&plugin.resource(&host, "tapes-a"));
    host.start();
    host.clock(&at(1, "06:00"));
    let gate = plugin.hold();
    host.signal(Signal::TERM);
    host.says("STOPPING=1");
    assert!(!host.ended_within(std::time::Duration::ZERO), "it waits for the snapshot");
    drop(gate);
    let status = host.wait_end();
    assert_eq!(status.code(), Some(0));
    assert!(plugin.stored(&host, "tapes-a").join("1/seal.json").exists(), "it is whole");
    assert_eq!(host.ctl("status").code, 3);

    host.start();
    host.complete(&["tapes-a"], &day(1));
    let take = host.newest_operation("tapes-a", "take");
    assert_eq!((take.state, take.tries), (OperationState::Succeeded, 1));
    let stored = names(&plugin.stored(&host, "tapes-a"));
    assert_eq!(stored.iter().filter(|name| name.parse::<u32>().is_ok()).count(), 1);
}

#[test]
fn a_stuck_backend_delays_only_its_own_pool() {
    let plugin = Plugin::install();
    let mut host = Host::new(&at(1, "05:00"));
    let trees: Vec<String> = (0..5).map(|n| format!("tree-{n}")).collect();
    let mut config = plugin.resource(&host, "stuck");
    for name in &trees {
        host.tree(name, name);
        config.push_str(&format!(
            "[resource.{name}]\ntime = \"06:00\"\nfiles = {{ path = \"ROOT/{name}\" }}\n"
        ));
    }
    host.configure(&config);
    host.start();
    host.clock(&at(1, "06:00"));
    let gate = plugin.hold();
    host.until("the others", |client| {
        let complete = |name: &String| {
            client
                .snapshot(&format!("{name}@{}", day(1)))
                .is_ok_and(|s| s.state == heptad::api::wire::SnapshotState::Complete)
        };
        trees.iter().all(complete).then_some(())
    });
    let stuck = host.newest_operation("stuck", "take");
    assert_eq!(stuck.state, OperationState::Running);
    // An hour later it is told, and the others go on.
    host.clock(&at(1, "07:01"));
    host.ok("take tree-0 by-hand");
    let status = host.ctl("status stuck");
    assert_eq!(status.code, 5, "{}", status.out);
    assert!(status.out.contains("take stuck@"), "{}", status.out);
    drop(gate);
    host.complete(&["stuck"], &day(1));
    assert_eq!(host.ctl("status").code, 0);
}
