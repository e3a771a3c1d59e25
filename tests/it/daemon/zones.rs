//! What a host does to its own zone database, and what that does to heptad.

use super::host::{HEPTAD, Host, Ran, at, day, ran};
use std::process::Command;

/// A resource without a zone, and one with.
fn config(zone: &str) -> String {
    let files = |name: &str| format!("files = {{ path = \"ROOT/{name}\" }}\n");
    let (plain, placed) = (files("plain"), files("placed"));
    format!("[resource.plain]\n{plain}[resource.placed]\ntimezone = \"{zone}\"\n{placed}")
}

fn host(zone: &str) -> Host {
    let host = Host::new(&at(1, "05:00"));
    host.tree("plain", "one");
    host.tree("placed", "two");
    host.configure(&config(zone));
    host
}

fn check(host: &Host) -> Ran {
    ran(Command::new(HEPTAD).arg("check").arg("--config").arg(host.path("heptad.toml")))
}

#[test]
fn a_zone_that_nobody_knows_puts_its_resource_in_alarm_and_stops_nobody() {
    let mut host = host("Mars/Olympus");
    let checked = check(&host);
    assert_eq!(checked.code, 1, "{checked:?}");
    assert!(checked.err.contains("Mars/Olympus"), "{checked:?}");

    host.start();
    let status = host.ctl("status");
    assert_eq!(status.code, 5, "{status:?}");
    assert!(status.out.contains("does not know the time zone Mars/Olympus"), "{status:?}");
    assert!(status.out.contains("1 in alarm"), "{status:?}");
    host.clock(&at(1, "06:00"));
    host.complete(&["plain", "placed"], &day(1));

    // It was so before: the reload is about something else.
    host.ok("reload");
    host.kill();
    host.start();
    assert_eq!(host.ctl("status").code, 5, "also as the catalogue remembers it");

    host.configure(&config("Europe/Berlin"));
    host.ok("reload");
    assert_eq!(host.ctl("status").code, 0);
    host.configure(&config("Europe/Berlim"));
    let refused = host.ctl("reload");
    assert_eq!(refused.code, 1, "a slip is refused while somebody is there: {refused:?}");
    assert!(refused.err.contains("did you mean \"Europe/Berlin\"?"), "{refused:?}");
}

#[test]
fn a_zone_that_only_this_host_has_dropped_goes_on_by_heptads_own_tables() {
    // A host with a zone database, and without this zone in it.
    let mut host = host("US/Eastern");
    let zones = host.path("zones");
    std::fs::create_dir_all(zones.join("Etc")).unwrap();
    for name in ["UTC", "Etc/UTC"] {
        std::fs::copy(format!("/usr/share/zoneinfo/{name}"), zones.join(name)).unwrap();
    }
    let mut daemon = host.daemon();
    daemon.env("TZDIR", &zones);
    host.start_as(daemon);
    assert_eq!(host.ctl("status").code, 0);
    assert!(host.log().contains("does not have \"US/Eastern\" any more"), "{}", host.log());
    let status = host.ok("status placed");
    assert!(status.contains("2026-12-01 11:00 +00:00"), "{status}");
    host.clock(&at(1, "11:00"));
    host.complete(&["placed"], &day(1));
}
