//! Loading the configuration while the daemon runs.

use super::host::{Host, at, day};
use rustix::process::Signal;

fn resource(name: &str) -> String {
    format!("[resource.{name}]\ntime = \"06:00\"\nfiles = {{ path = \"ROOT/{name}\" }}\n")
}

fn two() -> Host {
    let mut host = Host::new(&at(1, "05:00"));
    for name in ["one", "two", "three"] {
        host.tree(name, name);
    }
    host.configure(&(resource("one") + &resource("two")));
    host.start();
    host.clock(&at(1, "06:00"));
    host.complete(&["one", "two"], &day(1));
    host
}

fn known(host: &Host) -> Vec<String> {
    let found = host.client().resources().unwrap().resources;
    found.into_iter().map(|r| format!("{} {} {}", r.name, r.declared, r.rhythm.value)).collect()
}

const BOTH: [&str; 2] = ["one true 06:00 UTC", "two true 06:00 UTC"];

#[test]
fn a_bad_file_changes_nothing_and_is_told_with_file_line_and_key() {
    let host = two();
    host.configure(&(resource("one") + "[resource.two]\ntiem = \"06:00\"\n"));
    let place = format!("{}:8:", host.path("heptad.toml").display());
    let check = |said: &str| {
        for part in [&place, "resource.two.tiem", "did you mean time?"] {
            assert!(said.contains(part), "{part} in {said}");
        }
    };
    let refused = host.ctl("reload");
    assert_eq!(refused.code, 1, "{refused:?}");
    check(&refused.err);
    assert_eq!(known(&host), BOTH);

    let before = host.log().len();
    host.signal(Signal::HUP);
    host.logged(before, "tiem");
    check(&host.log()[before..]);
    assert_eq!(known(&host), BOTH);
}

#[test]
fn a_good_file_adds_changes_and_removes_and_removing_loses_nothing() {
    let mut host = two();
    host.configure(&(resource("one").replace("06:00", "07:00") + &resource("three")));
    let said = host.ok("reload");
    for name in ["one", "two", "three"] {
        assert!(said.contains(name), "{said}");
    }
    let now = ["one true 07:00 UTC", "three true 06:00 UTC", "two false 06:00 UTC"];
    assert_eq!(known(&host), now);
    assert_eq!(host.labels("two"), [format!("two@{}", day(1))]);
    assert!(host.ok("list two").contains(&day(1)));
    assert_eq!(host.ctl("status two").code, 5, "it left the configuration unasked");

    host.clock(&at(2, "07:00"));
    host.complete(&["one", "three"], &day(2));
    assert_eq!(host.labels("two").len(), 1, "nothing is taken of it, nothing goes");
    host.ok(&format!("create again --from two@{} --path {}", day(1), host.path("again").display()));
    assert_eq!(std::fs::read_to_string(host.path("again/file")).unwrap(), "two");

    let still = host.ctl("forget one --yes");
    assert_eq!(still.code, 1, "{still:?}");
    host.ok("forget two --yes");
    host.settle();
    assert_eq!(host.ctl("status").code, 0);
    assert_eq!(host.labels("two"), [format!("two@{}", day(1))], "kept, as nobody said otherwise");
    host.stop();
    host.start();
    assert_eq!(host.ctl("status").code, 0);
    assert_eq!(host.labels("two").len(), 1);
}

#[test]
fn sighup_loads_what_heptactl_reload_loads() {
    let host = two();
    host.configure(&(resource("one") + &resource("two") + &resource("three")));
    host.signal(Signal::HUP);
    host.until("three", |client| {
        let found = client.resources().unwrap().resources;
        found.iter().any(|resource| resource.name == "three").then_some(())
    });
}
