//! Who may do what on the socket, and a daemon of somebody who is not root.

use super::host::{HEPTACTL, HEPTAD, Host, Ran, TIMEOUT, at, day, ran};
use crate::support::trusted;
use nix::unistd::{Group, chown};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Command, Stdio};

/// An ordinary user's number that no account of this machine has, and the group that lets in.
const SOMEBODY: &str = "61234";
const NOBODY: u32 = 65534;
const GROUP: &str = "games";

/// `command` as somebody else, in no group but `groups`.
fn as_user(uid: &str, groups: &str, command: &Command) -> Command {
    let mut other = Command::new("setpriv");
    other.env_clear().args([format!("--reuid={uid}"), format!("--regid={uid}")]);
    if groups.is_empty() {
        other.arg("--clear-groups");
    } else {
        other.arg(format!("--groups={groups}"));
    }
    other.arg("--").arg(command.get_program()).args(command.get_args());
    other
}

struct Person {
    uid: &'static str,
    groups: String,
}

impl Person {
    /// The status and the code of the refusal, if it is one.
    fn asks(&self, host: &Host, words: &[&str], path: &str) -> String {
        let mut all = words.to_vec();
        let url = format!("http://localhost{path}");
        all.extend([
            "--write-out",
            "\n%{http_code}",
            "--header",
            "Content-Type: application/json",
            &url,
        ]);
        let Ran { code, out, err } =
            ran(&mut as_user(self.uid, &self.groups, &host.curl_command(&all)));
        assert_eq!(code, 0, "{err}");
        let (body, status) = out.rsplit_once('\n').unwrap();
        let body: Value = serde_json::from_str(body).unwrap();
        let refusal = body["error"]["code"].as_str().map(|code| format!(" {code}"));
        format!("{status}{}", refusal.unwrap_or_default())
    }

    fn looks_takes_deletes(&self, host: &Host, name: &str) -> [String; 3] {
        let body = format!("{{\"name\": \"{name}\"}}");
        let take = ["--request", "POST", "--data", &body];
        let delete = ["--request", "DELETE"];
        let look = self.asks(host, &[], "/v1/status");
        let take = self.asks(host, &take, "/v1/resources/tree/snapshots");
        host.settle();
        [look, take, self.asks(host, &delete, &format!("/v1/snapshots/tree@{}", day(1)))]
    }
}

#[test]
fn curl_gets_three_answers_as_an_ordinary_user_as_a_member_and_as_root() {
    let gid = Group::from_name(GROUP).unwrap().expect("every Debian has it").gid.to_string();
    let mut host = Host::new(&at(1, "05:00"));
    host.tree("tree", "one");
    host.configure(&format!(
        "group = \"{GROUP}\"\n[resource.tree]\ntime = \"06:00\"\nfiles = {{ path = \"ROOT/tree\" }}\n"
    ));
    host.start();
    host.clock(&at(1, "06:00"));
    host.complete(&["tree"], &day(1));
    let check = |uid: &'static str, groups: &str, name: &str, want: [&str; 3]| {
        let person = Person { uid, groups: groups.to_owned() };
        assert_eq!(person.looks_takes_deletes(&host, name), want, "uid {uid} in {groups:?}");
    };
    check(SOMEBODY, "", "by-nobody", ["403 forbidden", "403 forbidden", "403 forbidden"]);
    check("65534", &gid, "by-overflow", ["403 forbidden", "403 forbidden", "403 forbidden"]);
    check(SOMEBODY, &gid, "by-member", ["200", "202", "403 forbidden"]);
    check("0", "", "by-root", ["200", "202", "202"]);
    host.settle();
    let trashed = host.client().snapshot(&format!("tree@{}", day(1))).unwrap();
    assert_eq!(trashed.fate, heptad::api::wire::Fate::Trashed);
    let mut made = host.labels("tree");
    made.retain(|label| label.starts_with("by-"));
    assert_eq!(made, ["by-root", "by-member"]);
    let take = host.client().snapshot("by-member").map(|_| host.log()).unwrap();
    assert!(take.contains(&format!("uid={SOMEBODY}")), "every change is logged with who asked");
}

/// A daemon of an ordinary user, with nothing but what the XDG Base Directory Specification says.
pub(super) struct Own {
    pub(super) host: Host,
    dir: tempfile::TempDir,
}

impl Own {
    pub(super) fn start() -> Self {
        let dir = trusted::dir();
        std::fs::set_permissions(dir.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755))
            .unwrap();
        for program in [HEPTAD, HEPTACTL] {
            let name = Path::new(program).file_name().unwrap();
            trusted::install(Path::new(program), &dir.path().join(name));
        }
        let host = Host::at_socket(&at(1, "05:00"), "run/heptad/heptad.sock");
        for name in ["config/heptad", "state", "run", "home"] {
            std::fs::create_dir_all(host.path(name)).unwrap();
        }
        host.tree("home/notes", "one");
        let config = "[resource.notes]\ntime = \"06:00\"\nfiles = { path = \"ROOT/home/notes\" }\n";
        let config = config.replace("ROOT", host.path("").to_str().unwrap().trim_end_matches('/'));
        std::fs::write(host.path("config/heptad/heptad.toml"), config).unwrap();
        let theirs = ["state", "run", "home", "home/notes", "home/notes/file"];
        for name in theirs {
            chown(&host.path(name), Some(NOBODY.into()), Some(NOBODY.into())).unwrap();
        }
        Self { host, dir }
    }

    fn command(&self, program: &str, line: &str) -> Command {
        let mut command = Command::new(self.dir.path().join(program));
        command.args(line.split_whitespace());
        let mut command = as_user("65534", "", &command);
        for (name, place) in
            [("CONFIG_HOME", "config"), ("STATE_HOME", "state"), ("RUNTIME_DIR", "run")]
        {
            command.env(format!("XDG_{name}"), self.host.path(place));
        }
        command
    }

    /// Its daemon, on a clock that is moved.
    pub(super) fn run(&mut self) {
        let clock = self.host.path("clock");
        let daemon = self.command("heptad", &format!("run --simulated-clock {}", clock.display()));
        self.host.start_as(daemon);
    }

    pub(super) fn ctl(&self, line: &str) -> String {
        let ran = ran(&mut self.command("heptactl", line));
        assert_eq!(ran.code, 0, "{line}: {}{}", ran.out, ran.err);
        ran.out
    }
}

#[test]
fn without_root_a_daemon_protects_what_its_user_may_read() {
    let mut own = Own::start();
    own.run();
    own.host.clock(&at(1, "06:00"));
    own.host.complete(&["notes"], &day(1));
    assert!(own.ctl("status notes").contains("notes  disk, files"));
    own.ctl("take notes before");
    std::fs::write(own.host.path("home/notes/file"), "two").unwrap();
    let copy = own.host.path("home/copy");
    own.ctl(&format!("create copy --from before --path {}", copy.display()));
    assert_eq!(std::fs::read_to_string(copy.join("file")).unwrap(), "one");
    let owner = std::os::unix::fs::MetadataExt::uid(&std::fs::metadata(copy.join("file")).unwrap());
    assert_eq!(owner, NOBODY);
    let list = own.ctl("list notes");
    assert!(list.contains("before") && list.contains(&format!("notes@{}", day(1))), "{list}");
    own.host.stop();
    assert!(own.host.path("state/heptad/catalogue.sqlite").exists());
    let off = ran(&mut own.command("heptactl", "status"));
    assert_eq!(off.code, 3, "{off:?}");
}

#[test]
fn the_demo_of_an_ordinary_user_shows_each_command_and_ends_well() {
    let dir = trusted::dir();
    std::fs::set_permissions(dir.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755))
        .unwrap();
    let program = trusted::install(Path::new(HEPTAD), &dir.path().join("heptad"));
    let temporary = tempfile::Builder::new().prefix("heptad-e2e-").tempdir_in("/var/tmp").unwrap();
    chown(temporary.path(), Some(NOBODY.into()), Some(NOBODY.into())).unwrap();
    let mut command = Command::new(program);
    let mut command = as_user("65534", "", command.arg("demo"));
    let began = std::time::Instant::now();
    let ran = ran(command.env("TMPDIR", temporary.path()));
    assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
    assert!(began.elapsed() < TIMEOUT / 2, "the demo took {:?}", began.elapsed());
    for line in [
        "$ heptactl status",
        "$ heptactl list notes",
        "$ heptactl keep notes@2026-01-05 before-the-move",
        "$ heptactl take photos holiday-sorted --tag why=demo",
        "$ heptactl set-time notes 15:00",
        "$ heptactl forecast notes --days 2",
        "$ heptactl undelete holiday-sorted",
        "  ! notes@2026-01-12 is suspect: it is empty; rotation waits",
        "$ heptactl get notes@2026-01-11 diary.txt -o rescued.txt",
        "$ heptactl create notes-rescued --from before-the-move",
        "notes: rolled back to what-it-was; what was there is in the-fifth",
        "$ heptactl acknowledge notes",
    ] {
        assert!(ran.out.lines().any(|said| said.starts_with(line)), "{line} in\n{}", ran.out);
    }
    assert!(ran.out.contains("SIMULATED"));
    // In a terminal that nobody has made wider; and nothing looks late or wrong that is not.
    let long: Vec<&str> = ran.out.lines().filter(|line| line.chars().count() > 80).collect();
    assert_eq!(long, [""; 0]);
    let mut words = ran.out.split(|c: char| !c.is_alphabetic());
    assert!(!ran.out.contains("06:00, newest") && words.all(|word| word != "late"), "{}", ran.out);
    assert_eq!(std::fs::read_dir(temporary.path()).unwrap().count(), 0, "it cleans up");
}

#[test]
fn a_demo_that_stays_prints_commands_that_work_and_clears_up_at_its_end() {
    let dir = trusted::dir();
    std::fs::set_permissions(dir.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755))
        .unwrap();
    // As the first command of the README builds it: without heptactl.
    let program = trusted::install(Path::new(HEPTAD), &dir.path().join("heptad"));
    let temporary = tempfile::Builder::new().prefix("heptad-e2e-").tempdir_in("/var/tmp").unwrap();
    chown(temporary.path(), Some(NOBODY.into()), Some(NOBODY.into())).unwrap();
    let mut command = Command::new(program);
    let mut command = as_user("65534", "", command.args(["demo", "--stay"]));
    command.env("TMPDIR", temporary.path()).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut demo = command.spawn().unwrap();
    let mut out = BufReader::new(demo.stdout.take().unwrap());
    let said = |out: &mut BufReader<_>| {
        let mut line = String::new();
        assert!(out.read_line(&mut line).unwrap() > 0, "it ended");
        line.trim_end().to_owned()
    };
    while !said(&mut out).starts_with("=== It stays") {}
    let mut typed = String::from("shopt -s expand_aliases\nset -e\n");
    while let Some(line) = said(&mut out).strip_prefix("  ") {
        let yes = if line.contains("rollback") { " --yes" } else { "" };
        typed.push_str(&format!("{line}{yes}\n"));
    }
    assert!(typed.contains("rollback notes --to mine"), "{typed}");
    let mut shell = Command::new("bash");
    let played = ran(&mut as_user("65534", "", shell.args(["-c", &typed])));
    assert_eq!(played.code, 0, "{typed}\n{played:?}");
    assert!(played.out.contains("notes: rolled back to mine"), "{played:?}");
    while !said(&mut out).contains("Ctrl-C ends") {}
    demo.stdin.as_mut().unwrap().write_all(b"\n").unwrap();
    assert_eq!(said(&mut out), "(the clock now shows 2026-01-14T06:00:00Z)");
    kill_process(Pid::from_child(&demo), Signal::INT).unwrap();
    let mut rest = String::new();
    out.read_to_string(&mut rest).unwrap();
    assert!(rest.contains("That is all"), "{rest}");
    assert!(demo.wait().unwrap().success());
    assert_eq!(std::fs::read_dir(temporary.path()).unwrap().count(), 0, "it cleans up");
}
