//! `heptactl set-time` against each row of the table of changes.

use super::host::{Host, at, day};

const NOW: &str = "10:00";

/// A day old, with the time `old`; at 10:00 of the second day the time becomes `new`.
fn check(row: &str, old: &str, new: &str, broken: bool, answer: &str, next: &str) {
    let mut host = Host::new(&at(1, "00:00"));
    host.tree("tree", "one");
    host.configure(&format!(
        "[resource.tree]\ntime = \"{old}\"\nfiles = {{ path = \"ROOT/tree\" }}\n"
    ));
    host.start();
    host.clock(&at(1, old));
    host.complete(&["tree"], &day(1));
    if broken {
        std::fs::rename(host.path("tree"), host.path("elsewhere")).unwrap();
    }
    if old <= NOW {
        host.slot_ends("tree", &at(2, old));
    }
    host.clock(&at(2, NOW));
    host.settle();
    let said = host.ok(&format!("set-time tree {new}"));
    let first = said.lines().next().unwrap_or_default();
    assert_eq!(first, format!("tree: time set to {new} UTC; next run {answer}"), "{row}");

    // What it said is what it does.
    if broken {
        std::fs::rename(host.path("elsewhere"), host.path("tree")).unwrap();
    }
    host.clock(next);
    let date = &next[..10];
    host.complete(&["tree"], date);
    let taken = host.client().snapshot(&format!("tree@{date}")).unwrap().taken_at;
    assert_eq!(taken.to_string(), next.replace(".000", ""), "{row}");
    host.clock(&at(3, new));
    host.complete(&["tree"], &day(3));
    let taken = host.client().snapshot(&format!("tree@{}", day(3))).unwrap().taken_at;
    assert_eq!(taken.to_string(), at(3, new), "{row}: from the next day on");
    assert_eq!(host.labels("tree").len(), 3, "{row}: one a day");
}

fn today(time: &str, new: &str) -> String {
    let old = "(today's snapshot still runs at the old time)";
    format!("{} {time} {old}, from {} at {new}", day(2), day(3))
}

fn on(n: u32, time: &str) -> String {
    format!("{} {time}", day(n))
}

#[test]
fn when_todays_is_done_the_new_time_counts_from_tomorrow() {
    check("done, later", "06:00", "20:00", false, &on(3, "20:00"), &at(3, "20:00"));
    check("done, earlier", "06:00", "04:00", false, &on(3, "04:00"), &at(3, "04:00"));
    check("done, in a minute", "06:00", "10:01", false, &on(3, "10:01"), &at(3, "10:01"));
}

#[test]
fn a_new_time_before_the_old_one_counts_from_tomorrow() {
    check("earlier", "20:00", "15:00", false, &today("20:00", "15:00"), &at(2, "20:00"));
    check("earlier, past", "20:00", "09:00", false, &today("20:00", "09:00"), &at(2, "20:00"));
}

#[test]
fn a_time_within_half_an_hour_changes_nothing_today() {
    check("the new one", "10:10", "10:30", false, &today("10:10", "10:30"), &at(2, "10:10"));
    check("the old one", "10:20", "22:00", false, &today("10:20", "22:00"), &at(2, "10:20"));
    let again = format!("{} 10:01 (tries {} again), from {} at 22:00", day(2), day(2), day(3));
    check("the old one, failed", "10:00", "22:00", true, &again, &at(2, "10:01"));
}

#[test]
fn anything_else_counts_at_once() {
    check("later", "20:00", "22:00", false, &on(2, "22:00"), &at(2, "22:00"));
}
