//! What people make of snapshots: new resources that heptad knows from then on, and a last
//! snapshot of what goes.

use super::host::{Host, at, day};
use crate::support::loopfs::LoopFs;

const CONFIG: &str = "
[resource.web]
time = \"06:00\"
timezone = \"Europe/Berlin\"
keep = 3
tags = { team = \"shop\" }
files = { path = \"ROOT/web\", store = \"ROOT/store\" }
";

fn host() -> Host {
    let mut host = Host::new(&at(1, "03:00"));
    host.tree("web", "one");
    host.configure(CONFIG);
    host.start();
    host.slot_ends("web", &at(1, "05:00"));
    host
}

#[test]
fn a_new_resource_goes_beside_the_original_unless_told_otherwise() {
    let host = host();
    let said = host.ok("create web-2 --from web@latest");
    let path = host.path("web-2");
    assert_eq!(said, format!("web: created web-2 at {} from web@2026-12-01\n", path.display()));
    assert_eq!(std::fs::read_to_string(path.join("file")).unwrap(), "one");
    // Nobody asked for its protection.
    assert_eq!(host.ctl("show web-2").code, 1);
    let again = host.ctl("create web-2 --from web@latest");
    assert_eq!(again.code, 1);
    assert!(again.err.contains("it exists already, and nothing is ever written over"), "{again:?}");
}

#[test]
fn a_wish_that_makes_no_sense_is_refused_with_the_way_out() {
    let host = host();
    let check = |line: &str, wants: &[&str]| {
        let ran = host.ctl(line);
        assert_eq!(ran.code, 1, "{line}: {ran:?}");
        for want in wants {
            assert!(ran.err.contains(want), "{line}: {}", ran.err);
        }
    };
    check("create x1 --from web@latest --port 5433", &["a disk has no port", "leave --port out"]);
    check(
        "create x1 --from web@latest --plan small",
        &["there is no plan \"small\"", "[plan.NAME]"],
    );
    check("create x1 --from web@latest --size 1GiB", &["does not support --size"]);
    check("create web --from web@latest", &["there is a resource web already"]);
    check("rollback web --to nothing --yes", &["there is no snapshot nothing"]);
    check("attach web web", &["web is of kind disk; this works with one of kind instance"]);
    check("take web sys --system-disk", &["web is of kind disk"]);
    assert!(!host.path("x1").exists());
}

#[test]
fn one_that_is_protected_is_a_resource_like_any_other_until_it_is_forgotten() {
    let mut host = host();
    host.ok("create web-2 --from web@latest --time 07:30 --tag copy=yes");
    let shown = host.get("/v1/resources/web-2");
    assert_eq!(shown["resource"]["time"], "07:30", "{shown:#}");
    assert_eq!(shown["resource"]["zone"], "Europe/Berlin");
    assert_eq!(shown["resource"]["tags"]["team"], "shop");
    assert_eq!(shown["resource"]["tags"]["copy"], "yes");
    assert_eq!(shown["can"], serde_json::json!(["rollback", "files"]), "{shown:#}");
    // It is known across a power cut, and its first snapshot comes at its own time.
    host.kill();
    host.start();
    host.slot_ends("web-2", &at(1, "06:30"));
    assert_eq!(host.labels("web-2"), [format!("web-2@{}", day(1))]);
    host.ok("forget web-2 --yes");
    host.until("letting go", |_| (!host.path("state/enrolled/web-2.toml").exists()).then_some(()));
    host.stop();
    host.start();
    host.clock(&at(2, "12:00"));
    host.complete(&["web"], &day(2));
    assert_eq!(host.labels("web-2"), [format!("web-2@{}", day(1))], "no more were taken");
    assert!(host.path("web-2/file").exists(), "forgetting destroys nothing");
}

#[test]
fn what_may_not_be_protected_where_it_is_wished_is_not_made_at_all() {
    let host = host();
    host.tree("other", "another");
    host.configure(&format!("{CONFIG}\n[resource.other]\nfiles = {{ path = \"ROOT/other\" }}\n"));
    host.ok("reload");
    let inside = host.path("other/web-2");
    let line = format!("create web-2 --from web@latest --time 07:30 --path {}", inside.display());
    let refused = host.ctl(&line);
    assert_eq!(refused.code, 1, "{refused:?}");
    for want in ["web-2 is inside resource other", "nothing was made", "--path"] {
        assert!(refused.err.contains(want), "{}", refused.err);
    }
    assert!(!inside.exists());
    // Without a time it is only content there.
    host.ok(&format!("create web-2 --from web@latest --path {}", inside.display()));
    assert!(inside.exists());
}

#[test]
fn what_does_not_fit_where_it_is_made_is_told_with_the_place_and_nothing_is_left() {
    let host = host();
    std::fs::write(host.path("web/big"), vec![7; 30 << 20]).unwrap();
    host.ok("take web large");
    let small = LoopFs::new("ext4", 24);
    let place = small.path().display().to_string();
    let refused = host.ctl(&format!("create web-2 --from large --path {place}/web-2"));
    let wanted = format!("the file system of {place} is full");
    assert!(refused.code == 1 && refused.err.contains(&wanted), "{refused:?}");
    let left = std::fs::read_dir(small.path()).unwrap().map(|entry| entry.unwrap().file_name());
    assert_eq!(left.collect::<Vec<_>>(), ["lost+found"]);
}

#[test]
fn one_without_snapshots_is_gone_once_its_declaration_is() {
    let host = host();
    host.ok("create web-2 --from web@latest --time 07:30");
    host.ok("forget web-2 --yes");
    host.until("its end", |client| client.resource("web-2").is_err().then_some(()));
    assert!(!host.path("state/enrolled/web-2.toml").exists());
    host.ok("reload");
    assert_eq!(host.ctl("show web-2").code, 1);
}

#[test]
fn making_and_forgetting_load_nothing_that_a_person_is_writing() {
    let host = host();
    let keep = || host.get("/v1/resources/web")["resource"]["retention"]["latest"].clone();
    let half = CONFIG.replace("keep = 3", "keep = 5") + "[resource.mail]\nfiles = { pa";
    host.configure(&half);
    for name in ["web-2", "web-3"] {
        host.ok(&format!("create {name} --from web@latest --time 07:30"));
        assert_eq!(host.get(&format!("/v1/resources/{name}"))["resource"]["time"], "07:30");
    }
    host.ok("take web-2 mine");
    host.ok("forget web-3 --yes");
    host.until("its end", |client| client.resource("web-3").is_err().then_some(()));
    assert_eq!(keep(), 3, "the file is not loaded");
    assert_eq!(host.ctl("reload").code, 1);
    // What is there when it is done is loaded by the next reload, beside what the commands made.
    host.configure(&CONFIG.replace("keep = 3", "keep = 5"));
    assert_eq!(host.ok("reload"), "  changed   web\nreloaded\n");
    assert_eq!(keep(), 5);
    assert_eq!(host.labels("web-2"), ["mine"]);
    assert!(host.ok("status web-2").contains("07:30"));
}

#[test]
fn a_name_that_a_person_is_giving_meanwhile_is_found_at_the_next_reload() {
    let host = host();
    let taken = "[resource.web-2]\nfiles = { path = \"ROOT/other\", store = \"ROOT/store\" }\n";
    host.configure(&format!("{CONFIG}{taken}"));
    host.ok("create web-2 --from web@latest --time 07:30");
    let refused = host.ctl("reload");
    assert_eq!(refused.code, 1, "{refused:?}");
    assert!(refused.err.contains("a command made it"), "{}", refused.err);
    assert!(refused.err.contains("heptactl forget web-2"), "{}", refused.err);
    host.ok("forget web-2 --yes");
    host.until("letting go", |_| (!host.path("state/enrolled/web-2.toml").exists()).then_some(()));
    host.ok("reload");
    let theirs = host.get("/v1/resources/web-2");
    assert_eq!(theirs["resource"]["enrolled"], false, "{theirs:#}");
}

#[test]
fn what_cannot_be_declared_beside_what_is_in_force_is_not_left_declared() {
    let host = host();
    let inside = host.path("web/inside");
    // The original would contain it.
    let refused = host
        .ctl(&format!("create web-2 --from web@latest --time 07:30 --path {}", inside.display()));
    assert_eq!(refused.code, 1, "{refused:?}");
    assert!(refused.err.contains("is inside resource web"), "{}", refused.err);
    assert!(!host.path("state/enrolled/web-2.toml").exists());
    assert_eq!(host.ctl("show web-2").code, 1);
    host.ok("reload");
}

#[test]
fn hooks_do_not_start_what_was_stopped_for_a_rollback() {
    let mut host = Host::new(&at(1, "03:00"));
    host.tree("web", "one");
    let hook = |phase: &str| {
        format!(
            "{phase} = [{{ program = \"/bin/sh\", args = [\"-c\", \"echo {phase} >> ROOT/said\"] }}]\n"
        )
    };
    let table = "[resource.web]\nfiles = { path = \"ROOT/web\", store = \"ROOT/store\" }\n";
    host.configure(&format!("{table}{}{}", hook("before"), hook("after")));
    host.start();
    host.ok("take web one");
    let said = || std::fs::read_to_string(host.path("said")).unwrap();
    assert_eq!(said(), "before\nafter\n");
    std::fs::write(host.path("web/file"), "two").unwrap();
    host.ok("rollback web --to one --yes");
    assert_eq!(said(), "before\nafter\n", "nobody was stopped or started");
    assert_eq!(std::fs::read_to_string(host.path("web/file")).unwrap(), "one");
}

#[test]
fn a_key_answers_for_its_own_request_only_and_does_so_in_the_next_life_too() {
    let mut host = host();
    host.ok("take web aa");
    host.ok("take web bb");
    host.clock(&at(2, "12:00"));
    host.complete(&["web"], &day(2));
    let ask = |host: &Host, key: &str, method: &str, target: &str, body: &str| {
        let (key, url) = (format!("Idempotency-Key: {key}"), format!("http://localhost{target}"));
        let words = ["--header", &key, "--request", method, "--json", body, &url];
        let out = super::host::ran(&mut host.curl_command(&words)).out;
        serde_json::from_str::<serde_json::Value>(&out).unwrap()
    };
    let reused =
        |answer: &serde_json::Value| assert_eq!(answer["error"]["code"], "key-reused", "{answer}");
    let keep = |host: &Host, date: &str| {
        let target = format!("/v1/snapshots/web@{date}/keep");
        ask(host, "k3", "POST", &target, r#"{"name":"golden"}"#)
    };
    let take = |host: &Host, tag: &str| {
        let body = format!(r#"{{"name":"cc","tags":{{"for":"{tag}"}}}}"#);
        ask(host, "k2", "POST", "/v1/resources/web/snapshots", &body)
    };
    let gone = ask(&host, "k1", "DELETE", "/v1/snapshots/aa", "");
    let (taken, kept) = (take(&host, "one"), keep(&host, &day(1)));
    for life in 0..2 {
        reused(&ask(&host, "k1", "DELETE", "/v1/snapshots/bb", ""));
        reused(&ask(&host, "k1", "DELETE", "/v1/snapshots/aa?now=true", ""));
        reused(&take(&host, "two"));
        reused(&keep(&host, &day(2)));
        let same = |answer: serde_json::Value, first: &serde_json::Value| {
            assert_eq!(
                answer["operation"]["id"], first["operation"]["id"],
                "life {life}: {answer}"
            );
        };
        same(ask(&host, "k1", "DELETE", "/v1/snapshots/aa", ""), &gone);
        same(take(&host, "one"), &taken);
        same(keep(&host, &day(1)), &kept);
        host.stop();
        host.start();
    }
    assert_eq!(host.ctl("show bb").code, 0);
}

#[test]
fn a_key_holds_when_its_operation_left_memory() {
    let mut host = host();
    let turn = |host: &Host, verb: &str| {
        let url = format!("http://localhost/v1/resources/web/{verb}");
        let words = ["--header", "Idempotency-Key: k1", "--request", "POST", &url];
        super::host::ran(&mut host.curl_command(&words)).out
    };
    let id = |said: &str| {
        serde_json::from_str::<serde_json::Value>(said).unwrap()["operation"]["id"].clone()
    };
    let first = id(&turn(&host, "disable"));
    assert!(first.is_u64());
    let enable = "http://localhost/v1/resources/web/enable";
    let mut words = vec!["--request", "POST", "--output", "/dev/null"];
    words.extend(std::iter::repeat_n(enable, 600));
    assert_eq!(super::host::ran(&mut host.curl_command(&words)).code, 0);
    host.stop();
    host.start();
    assert_eq!(id(&turn(&host, "disable")), first);
    assert!(turn(&host, "enable").contains("key-reused"));
    let web = host.get("/v1/resources/web");
    assert_eq!(web["resource"]["enabled"]["value"], true, "what was done is not done again");
}

#[test]
fn of_a_snapshot_whose_taking_failed_it_is_said_that_and_why() {
    let host = host();
    std::fs::rename(host.path("web"), host.path("away")).unwrap();
    assert_eq!(host.ctl("take web one").code, 1);
    for line in ["delete one --yes", "show one", "undelete one", "keep one two"] {
        let ran = host.ctl(line);
        assert_eq!(ran.code, 1, "{line}: {ran:?}");
        assert!(
            ran.err.contains("there is no one: taking it failed (operation "),
            "{line}: {ran:?}"
        );
        assert!(ran.err.contains("there is nothing to delete"), "{line}: {ran:?}");
        assert!(!ran.err.contains("did you mean"), "{line}: {ran:?}");
    }
    std::fs::rename(host.path("away"), host.path("web")).unwrap();
    host.ok("take web one");
    host.ok("delete one --yes --now");
    let gone = host.ctl("show one");
    assert!(!gone.err.contains("taking it failed"), "{gone:?}");
}

#[test]
fn a_key_does_not_answer_for_another_wish() {
    let host = host();
    host.ok("take web mine");
    let ask = |body: &str, of: &str| {
        let url = format!("http://localhost/v1/snapshots/{of}/create");
        let words = ["--header", "Idempotency-Key: k1", "--json", body, &url];
        super::host::ran(&mut host.curl_command(&words)).out
    };
    assert!(ask(r#"{"name":"web-2"}"#, "mine").contains("\"create\""));
    assert!(ask(r#"{"name":"web-2"}"#, "mine").contains("\"create\""), "the same once more");
    assert!(ask(r#"{"name":"web-2"}"#, "web@2026-12-01").contains("key-reused"));
    assert!(ask(r#"{"name":"web-3"}"#, "mine").contains("key-reused"));
}

#[test]
fn a_declaration_that_was_not_withdrawn_in_time_is_withdrawn_at_the_next_start() {
    let mut host = host();
    host.ok("create web-2 --from web@latest --time 07:30");
    host.ok("take web-2 mine");
    let file = host.path("state/enrolled/web-2.toml");
    let text = std::fs::read(&file).unwrap();
    host.ok("forget web-2 --yes");
    host.until("letting go", |_| (!file.exists()).then_some(()));
    host.stop();
    std::fs::write(&file, text).unwrap();
    host.start();
    host.until("letting go", |_| (!file.exists()).then_some(()));
    assert!(host.ok("status web-2").contains("forgotten"));
}

#[test]
fn of_a_database_a_last_snapshot_is_taken_or_declined_and_never_overlooked() {
    let mut host = Host::new(&at(1, "03:00"));
    for name in ["notes", "mail"] {
        let db = rusqlite::Connection::open(host.path(&format!("{name}.db"))).unwrap();
        db.execute_batch("CREATE TABLE t (a); INSERT INTO t VALUES (1);").unwrap();
    }
    let table = |name: &str| {
        format!(
            "[resource.{name}]\nkind = \"database\"\nsqlite = {{ path = \"ROOT/{name}.db\", store = \
             \"ROOT/store\" }}\n"
        )
    };
    host.configure(&(table("notes") + &table("mail")));
    host.start();
    // What never had a snapshot would leave with its table.
    host.ok("take notes notes-one");
    host.ok("take mail mail-one");
    host.configure("");
    host.ok("reload");
    let unsaid = host.ctl("forget notes --yes");
    assert!(unsaid.err.contains("say whether a last snapshot of it is to be taken"), "{unsaid:?}");
    assert!(unsaid.err.contains("heptactl forget notes --final NAME"), "{unsaid:?}");
    assert_eq!(host.ok("forget notes --final notes-last --yes"), "notes: forgotten\n");
    assert_eq!(host.labels("notes"), ["notes-last", "notes-one"]);
    // The last one cannot be taken, so it is not forgotten.
    std::fs::rename(host.path("mail.db"), host.path("away.db")).unwrap();
    let gone = host.ctl("forget mail --final mail-last --yes");
    assert_ne!(gone.code, 0, "{gone:?}");
    assert!(host.ctl("show mail").code == 0);
    host.ok("forget mail --skip-final --yes");
    assert_eq!(host.labels("mail"), ["mail-one"], "what was taken by hand is nobody's to drop");
}

const SIZED: &str = "
[plan.tiny]
vcpus = 1
memory = \"1 GiB\"
disk = \"10 GiB\"
[plan.small]
vcpus = 2
memory = \"2 GiB\"
disk = \"20 GiB\"
[plan.large]
vcpus = 4
memory = \"4 GiB\"
disk = \"40 GiB\"
[blueprint.debian]
[resource.web]
kind = \"instance\"
plan = \"small\"
blueprint = \"debian\"
files = { path = \"ROOT/web\", store = \"ROOT/store\" }
[resource.notes]
kind = \"database\"
plan = \"small\"
blueprint = \"debian\"
sqlite = { path = \"ROOT/notes.db\", store = \"ROOT/store\", helper = \"HELPER\" }
";

#[test]
fn a_plan_can_be_chosen_for_whatever_may_have_one_and_is_remembered() {
    let mut host = Host::new(&at(1, "03:00"));
    host.tree("web", "one");
    let db = rusqlite::Connection::open(host.path("notes.db")).unwrap();
    db.execute_batch("CREATE TABLE t (a); INSERT INTO t VALUES (1);").unwrap();
    drop(db);
    let helper = crate::sqlite::bench::helper();
    host.configure(&SIZED.replace("HELPER", helper.to_str().unwrap()));
    host.start();
    for original in ["web", "notes"] {
        host.ok(&format!("take {original} {original}-1"));
        let check = |wish: &str, want: Result<&str, &[&str]>| {
            let new = format!("{original}-x{}", wish.replace(['-', ' '], ""));
            let ran = host.ctl(&format!("create {new} --from {original}-1 {wish}"));
            match want {
                Ok(plan) => {
                    assert_eq!(ran.code, 0, "{original} {wish}: {ran:?}");
                    let shown = host.ok(&format!("show {new} --json"));
                    let shown: serde_json::Value = serde_json::from_str(&shown).unwrap();
                    let shown = &shown["resource"];
                    assert_eq!(shown["plan"]["name"], plan, "{original} {wish}: {shown}");
                    assert_eq!(shown["blueprint"], "debian", "{original} {wish}: {shown}");
                    assert_eq!(shown["next_run"], serde_json::Value::Null, "{wish}: {shown}");
                }
                Err(words) => {
                    assert_eq!(ran.code, 1, "{original} {wish}: {ran:?}");
                    assert!(words.iter().all(|word| ran.err.contains(word)), "{wish}: {ran:?}");
                    assert_eq!(host.ctl(&format!("show {new}")).code, 1, "{wish}");
                }
            }
        };
        check("", Ok("small"));
        check("--plan small", Ok("small"));
        check("--plan large", Ok("large"));
        check("--plan tiny", Err(&["plan tiny (1 vCPU", "is smaller than small (2 vCPUs"]));
        check("--plan huge", Err(&["there is no plan \"huge\"", "large"]));
        // Neither has a disk of a size; that is said before anything is begun.
        let useless: &[&str] = match original {
            "web" => &["this backend does not support --size", "nothing was begun"],
            _ => &["a database has no size"],
        };
        for size in ["1KiB", "20GiB", "1TiB"] {
            check(&format!("--size {size}"), Err(useless));
        }
    }
}
