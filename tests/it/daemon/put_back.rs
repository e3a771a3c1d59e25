//! What a daemon is given that it did not expect: a catalogue of before, a store that another one
//! uses too, a plugin that says what cannot be, a clock that nobody vouches for.

use super::disk::on_disk;
use super::host::{Host, at, day};
use crate::support::trusted;
use heptad::api::wire::OperationState;
use heptad::host::clock::Simulated;

const TREE: &str = "[resource.tree]\ntime = \"06:00\"\nfiles = { path = \"ROOT/tree\" }\n";
const CATALOGUE: [&str; 2] = ["catalogue.sqlite", "catalogue.sqlite-wal"];

/// So many days of one tree.
fn lived(days: u32) -> Host {
    let mut host = Host::new(&at(1, "05:00"));
    host.tree("tree", "one");
    host.configure(TREE);
    host.start();
    pass(&mut host, 1..=days);
    host
}

fn pass(host: &mut Host, days: std::ops::RangeInclusive<u32>) {
    for n in days {
        std::fs::write(host.path("tree").join(day(n)), "x").unwrap();
        host.clock(&at(n, "06:00"));
        host.complete(&["tree"], &day(n));
    }
}

/// As a backup of the state does while the daemon is off.
fn copy(host: &Host) {
    std::fs::create_dir_all(host.path("aside")).unwrap();
    move_catalogue(host, "state", "aside");
}

fn put_back(host: &Host) {
    move_catalogue(host, "aside", "state");
}

fn move_catalogue(host: &Host, from: &str, to: &str) {
    for file in CATALOGUE {
        let _ = std::fs::remove_file(host.path(to).join(file));
        if host.path(from).join(file).exists() {
            std::fs::copy(host.path(from).join(file), host.path(to).join(file)).unwrap();
        }
    }
}

#[test]
fn a_catalogue_put_back_by_some_snapshots_is_no_reason_to_end() {
    for behind in [0, 1, 2, 5] {
        let mut host = lived(2);
        host.stop();
        copy(&host);
        host.start();
        // The day's own is the last of them, so that it is due by the older catalogue.
        for n in 1..behind {
            host.ok(&format!("take tree newer-{n}"));
        }
        if behind > 0 {
            pass(&mut host, 3..=3);
        }
        host.kill();
        put_back(&host);
        host.start();
        pass(&mut host, 3..=4);
        let labels = host.labels("tree");
        for n in 1..behind {
            assert!(labels.contains(&format!("newer-{n}")), "{behind} behind: {labels:?}");
        }
        let others = usize::try_from(behind).unwrap().saturating_sub(1);
        assert_eq!(labels.len(), 4 + others, "{behind} behind: {labels:?}");
        assert_eq!(on_disk(&host.path("state/store"), "tree").len(), labels.len());
        assert_eq!(host.ctl("status").code, 0, "{behind} behind");
        host.stop();
    }
}

#[test]
fn what_was_undeleted_stays_under_a_catalogue_of_before() {
    let mut host = lived(2);
    host.ok("take tree by-hand");
    host.ok("delete by-hand --yes");
    host.settle();
    host.stop();
    copy(&host);
    host.start();
    host.ok("undelete by-hand");
    host.settle();
    host.kill();
    put_back(&host);
    host.start();
    pass(&mut host, 3..=5);
    host.settle();
    assert!(host.live_labels("tree").contains(&"by-hand".to_owned()), "{:?}", host.labels("tree"));
}

#[test]
fn two_daemons_on_one_store_take_each_day_once() {
    let mut one = lived(2);
    let mut two = Host::new(&at(2, "07:00"));
    let root = one.path("").display().to_string();
    let store = "[resource.tree]\ntime = \"06:00\"\nfiles = { path = \"HERE/tree\", store = \"HERE/state/store\" }\n";
    two.configure(&store.replace("HERE/", &root));
    two.start();
    for n in 3..=6 {
        std::fs::write(one.path("tree").join(day(n)), "x").unwrap();
        // By turns each is the first.
        let (first, second) = if n % 2 == 0 { (&mut one, &mut two) } else { (&mut two, &mut one) };
        first.clock(&at(n, "06:00"));
        first.complete(&["tree"], &day(n));
        second.clock(&at(n, "06:00"));
        second.settle();
        second.clock(&at(n, "06:20"));
        second.complete(&["tree"], &day(n));
        assert_eq!(on_disk(&one.path("state/store"), "tree").len(), usize::try_from(n).unwrap());
    }
    assert_eq!((one.labels("tree").len(), two.labels("tree").len()), (6, 6));
}

#[test]
fn a_plugin_that_says_what_cannot_be_is_the_trouble_of_its_own_resource() {
    let poison = [
        r#""kept_from": 18446744073709551615"#,
        r#""kept_from": 9223372036854775808"#,
        r#""tags": {"a": "\u0000"}"#,
    ];
    for field in poison {
        let dir = trusted::dir();
        let manifest = format!(
            r#"{{"heptad": 1, "resource": "tape", "backend": "exec", "seq": 1,
                "id": "5e0c1f0a-7d5b-4b8e-9a55-0d8f4f1f6b11", "origin": "manual", "name": "one",
                "taken_at": "2026-11-22T06:00:00Z", {field}}}"#
        );
        let script = format!(
            "#!/bin/sh\ncase $1 in\ninfo) echo '{{\"protocol\": 1}}';;\n\
             probe) echo '{{\"identity\": \"tape\"}}';;\n\
             list) echo '{{\"high_water\": 1, \"snapshots\": [{{\"object\": \"o\", \
             \"state\": \"whole\", \"content\": {{\"empty\": false}}, \"manifest\": {}}}]}}';;\n\
             verify) echo '{{\"content\": {{\"empty\": false}}}}';;\nesac\n",
            manifest.replace('\n', " ")
        );
        let program = trusted::script(&dir, "plugin", &script);
        let mut host = Host::new(&at(1, "05:00"));
        host.tree("tree", "one");
        host.configure(&format!(
            "{TREE}[resource.tape]\ntime = \"06:00\"\nexec = {{ program = {program:?} }}\n"
        ));
        host.start();
        pass(&mut host, 1..=2);
        let status = host.ctl("status tape");
        assert_eq!(status.code, 5, "{field}: {}", status.out);
        assert!(status.out.contains("its answer is refused"), "{field}: {}", status.out);
        let take = host.newest_operation("tree", "take");
        assert_eq!(take.state, OperationState::Succeeded, "{field}");
    }
}

#[test]
fn nothing_goes_while_the_source_is_away_also_not_by_rotate_or_with_fewer_to_stay() {
    let mut host = lived(7);
    for entry in std::fs::read_dir(host.path("tree")).unwrap() {
        std::fs::remove_file(entry.unwrap().path()).unwrap();
    }
    host.slot_ends("tree", &at(8, "06:00"));
    host.ok("acknowledge tree");
    host.settle();
    std::fs::rename(host.path("tree"), host.path("elsewhere")).unwrap();
    host.slot_ends("tree", &at(9, "06:00"));
    let all = host.live_labels("tree");
    assert_eq!(all.len(), 8);
    host.configure(&format!("[defaults]\nkeep = 2\n{TREE}"));
    host.ok("reload");
    host.settle();
    let refused = host.ctl("rotate tree --yes");
    assert!(refused.out.contains("not seen") || refused.err.contains("not seen"), "{refused:?}");
    // A start is a look at everything.
    host.stop();
    host.start();
    host.settle();
    assert_eq!(host.live_labels("tree"), all);
    std::fs::rename(host.path("elsewhere"), host.path("tree")).unwrap();
    pass(&mut host, 10..=10);
    assert_eq!(host.live_labels("tree").len(), 7, "two go for each one that comes");
    assert_eq!(host.labels("tree").len(), 9, "by way of the trash, since fewer are to stay");
}

#[test]
fn restarts_under_a_clock_that_nobody_vouches_for_rotate_nothing_out() {
    let mut host = lived(7);
    Simulated::synchronise(&host.path("clock"), false).unwrap();
    for n in 8..=15 {
        host.stop();
        host.set_wall(&at(n, "06:00"));
        host.start();
        host.complete(&["tree"], &day(n));
    }
    let labels = host.live_labels("tree");
    assert_eq!(labels.len(), 15, "{labels:?}");
    let status = host.ctl("status tree");
    assert_eq!(status.code, 5, "{}", status.out);
    assert!(status.out.contains("not synchronised"), "{}", status.out);
    Simulated::synchronise(&host.path("clock"), true).unwrap();
    pass(&mut host, 16..=16);
    assert_eq!(host.live_labels("tree").len(), 14, "two go again for each one that comes");
}

#[test]
fn the_trash_is_not_emptied_while_the_machine_sleeps() {
    let mut host = lived(2);
    host.ok("take tree by-hand");
    host.ok("delete by-hand --yes");
    host.settle();
    let there = |host: &Host| host.labels("tree").contains(&"by-hand".to_owned());
    host.sleep(&at(5, "06:00"));
    host.complete(&["tree"], &day(5));
    assert!(there(&host), "it lay there while nobody could have wanted it back");
    pass(&mut host, 6..=6);
    host.until("the end of the trash", |_| (!there(&host)).then_some(()));
}
