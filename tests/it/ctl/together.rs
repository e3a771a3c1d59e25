//! heptactl with the real server and the real keeper: what the one says is what the other meant.

use super::Start;
use super::facts::at;
use super::host::{Host, resource};
use super::run::compare;
use heptad::api::roles::{Group, Rules};

fn rules() -> Rules {
    let group = |name: &str| Some(Group { name: name.into(), gid: None });
    Rules { own_uid: 0, group: group("heptad"), admin_group: group("heptad-admin") }
}

#[test]
fn each_row_of_the_table_of_changes_is_told_as_it_is() {
    // 10:00 UTC is 11:00 in Berlin; `full`: the disk is full since the day before.
    let check = |row: &str, old: &str, new: &str, full: bool, want: &str| {
        let host = Host::start(vec![resource("home", old)], at("15T00:00:00"), rules());
        host.run_until(at("21T23:30:00"));
        host.set_full(full);
        host.run_until(at("22T10:00:00"));
        let line = format!("set-time home {new}");
        let start = Start { width: None, ..Start::socket(host.socket()) };
        let ran = start.ctl(&line);
        assert_eq!(ran.code, 0, "{row}: {}", ran.err);
        let want = format!("home: time set to {new} Europe/Berlin; next run {want}");
        assert_eq!(ran.out.lines().next(), Some(want.as_str()), "{row}");
    };
    let old = "(today's snapshot still runs at the old time)";
    let today =
        |time: &str, new: &str| format!("2026-11-22 {time} {old}, from 2026-11-23 at {new}");
    check("done, later", "06:00", "20:00", false, "2026-11-23 20:00");
    check("done, earlier", "06:00", "04:00", false, "2026-11-23 04:00");
    check("done, at once", "06:00", "11:01", false, "2026-11-23 11:01");
    check("earlier than the old", "20:00", "15:00", false, &today("20:00", "15:00"));
    check("earlier and past", "20:00", "09:00", false, &today("20:00", "09:00"));
    check("new within the lead", "20:00", "11:20", false, &today("20:00", "11:20"));
    check("old within the lead", "11:20", "22:00", false, &today("11:20", "22:00"));
    check("anything else", "20:00", "22:00", false, "2026-11-22 22:00");
    let waiting = "2026-11-22 11:21 (tries 2026-11-22 again), from 2026-11-23 at 22:00";
    check("old past, waiting", "10:00", "22:00", true, waiting);
}

#[test]
fn a_tour_of_the_commands_reads_as_one_would_expect() {
    let all = || vec![resource("home", "06:00"), resource("mail", "07:30")];
    let host = Host::start(all(), at("08T00:00:00"), rules());
    host.run_until(at("21T23:30:00"));
    let start = Start::socket(host.socket());
    let tour = |lines: &[&str]| {
        let transcripts: Vec<String> = lines.iter().map(|line| start.transcript(line)).collect();
        transcripts.join("\n")
    };
    let mut text = tour(&[
        "status",
        "list home",
        "take home before-upgrade --tag why=upgrade",
        "take home before-upgrade",
        "keep home@latest the-good-one",
        "keep before-upgrade twice",
        "create copy --from the-good-one --path /srv/copy",
        "tag before-upgrade stage=live --remove why",
        "tag home team=web cost",
        "tag home@latest good= --no-wait",
        "tag home@2026-11-01 a=b",
        "status home",
        "show home",
        "tag home --remove cost --remove team --remove other",
        "delete before-upgrade home@2026-11-17 --yes",
        "list home --all",
        "undelete before-upgrade",
        "delete home@2026-11-17 --yes --now",
        "show home@2026-11-17",
        "show the-good-one",
        "disable mail",
        "enable mail --time 08:00",
        "reset mail",
        "forecast home --days 2",
    ]);
    host.set_full(true);
    host.run_until(at("22T10:00:00"));
    host.configure(vec![resource("home", "06:00")]);
    text.push('\n');
    text.push_str(&tour(&[
        "status",
        "why home",
        "show hoem",
        "operations home --limit 3",
        "acknowledge home",
        "rotate home --yes",
        "forget home --yes",
        "forget mail --yes",
        "status mail",
        "check",
        "reload",
        "set-time home 25:00",
    ]));
    compare("tour", &text);
}

#[test]
fn a_watch_hears_of_an_automatic_snapshot() {
    let host = Host::start(vec![resource("home", "06:00")], at("08T00:00:00"), rules());
    host.run_until(at("21T23:30:00"));
    let start = Start { width: None, ..Start::socket(host.socket()) };
    let (saw, heard) = std::sync::mpsc::channel();
    let watching = std::thread::spawn(move || start.watch(saw));
    let deadline = std::time::Duration::from_secs(20);
    let next = || heard.recv_timeout(deadline).unwrap();
    assert_eq!(next(), "watching; Ctrl-C ends it\n");
    host.run_until(at("22T06:00:00"));
    let mut lines = String::new();
    while !lines.contains("take home@2026-11-22 succeeded") {
        lines.push_str(&next());
    }
    drop(host);
    assert_eq!(watching.join().unwrap(), 3, "the daemon went away");
}
