//! The binary itself, and what it generates.

use super::facts::{self, home};
use super::{Daemon, Ran, Script, Start};
use std::fs::{self, Permissions};
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};

const PROGRAM: &str = env!("CARGO_BIN_EXE_heptactl");

fn program(path: &Path, line: &str) -> Command {
    let mut command = Command::new(path);
    command.args(line.split_whitespace()).env_clear().stdin(Stdio::null());
    command
}

fn ran(command: &mut Command) -> Ran {
    let output = command.output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    let code = u8::try_from(output.status.code().unwrap()).unwrap();
    Ran { code, out: text(&output.stdout), err: text(&output.stderr) }
}

#[test]
fn the_socket_comes_from_the_line_or_the_environment() {
    let daemon =
        Daemon::start(Script::default().on("GET /v1/status", &facts::status(vec![home()])));
    let socket = daemon.socket();
    let mut by_line = program(PROGRAM.as_ref(), "status --socket");
    let by_line = ran(by_line.arg(&socket).env("HEPTAD_SOCKET", "/nonexistent"));
    assert_eq!(by_line.code, 0, "{}", by_line.err);
    let by_name = ran(program(PROGRAM.as_ref(), "status").env("HEPTAD_SOCKET", &socket));
    assert_eq!((by_name.code, by_name.out), (0, by_line.out.clone()));
    assert!(by_line.out.contains("CCC"), "no locale, no UTF-8: {}", by_line.out);
    let utf8 = ran(program(PROGRAM.as_ref(), "status")
        .env("HEPTAD_SOCKET", &socket)
        .env("LANG", "de_DE.UTF-8"));
    assert!(utf8.out.contains("●●●"), "{}", utf8.out);
}

#[test]
fn users_find_their_own_daemon_first_and_learn_which_group_they_lack() {
    let dir = tempfile::Builder::new().prefix("heptactl").tempdir_in("/var/tmp").unwrap();
    let path = |name: &str| dir.path().join(name);
    fs::set_permissions(dir.path(), Permissions::from_mode(0o755)).unwrap();
    let binary = path("heptactl");
    fs::copy(PROGRAM, &binary).unwrap();
    for (name, mode) in [("closed", 0o700), ("open", 0o755)] {
        fs::create_dir_all(path(name).join("heptad")).unwrap();
        fs::set_permissions(path(name), Permissions::from_mode(mode)).unwrap();
    }
    let nobody = 65534;
    let closed = path("closed/heptad/heptad.sock");
    let _listener = UnixListener::bind(&closed).unwrap();
    let refused = ran(program(&binary, "status --socket").arg(&closed).uid(nobody).gid(nobody));
    assert_eq!((refused.code, refused.out.as_str()), (4, ""), "{}", refused.err);
    assert!(refused.err.contains("members of the group heptad may look"), "{}", refused.err);
    assert!(refused.err.contains("usermod -aG heptad USER"), "{}", refused.err);

    // Somebody's own socket is there, though nobody listens: it is the one that is asked.
    let own = path("open/heptad/heptad.sock");
    drop(UnixListener::bind(&own).unwrap());
    fs::set_permissions(&own, Permissions::from_mode(0o666)).unwrap();
    let runtime = path("open");
    let mut status = program(&binary, "status");
    let status = ran(status.env("XDG_RUNTIME_DIR", &runtime).uid(nobody).gid(nobody));
    assert_eq!(status.code, 3);
    assert!(status.err.contains(own.to_str().unwrap()), "{}", status.err);
    let root = ran(program(&binary, "status").env("XDG_RUNTIME_DIR", &runtime));
    // Where a heptad runs on this machine, it answers.
    let asked = matches!(root.code, 0 | 5) || root.err.contains("/run/heptad/heptad.sock");
    assert!(asked && !root.err.contains(own.to_str().unwrap()), "{}", root.err);
}

#[test]
fn a_reader_who_has_seen_enough_is_no_error() {
    let many = (0..2000).map(|_| home()).collect();
    let daemon = Daemon::start(Script::default().on("GET /v1/status", &facts::status(many)));
    let mut command = program(PROGRAM.as_ref(), "status --json");
    command.env("HEPTAD_SOCKET", daemon.socket()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    drop(child.stdout.take());
    let mut err = String::new();
    child.stderr.take().unwrap().read_to_string(&mut err).unwrap();
    assert_eq!((child.wait().unwrap().code(), err.as_str()), (Some(0), ""));
}

fn offline(line: &str) -> Ran {
    Start::socket("/nonexistent/heptad.sock".into()).ctl(line)
}

#[test]
fn completions_know_every_command_and_the_shell_reads_them() {
    for shell in ["bash", "zsh", "fish"] {
        let script = offline(&format!("completions {shell}"));
        assert_eq!(script.code, 0, "{shell}");
        for command in heptad::ctl::command().get_subcommands() {
            assert!(script.out.contains(command.get_name()), "{shell}: {}", command.get_name());
        }
        for topic in heptad::help::TOPICS {
            assert!(script.out.contains(topic.name), "{shell}: {}", topic.name);
        }
        if shell == "bash" {
            let dir = tempfile::tempdir().unwrap();
            let path = dir.path().join("heptactl.bash");
            fs::write(&path, script.out).unwrap();
            let read = ran(Command::new("bash").arg("-n").arg(&path));
            assert_eq!((read.code, read.err.as_str()), (0, ""));
        }
    }
}

#[test]
fn each_command_has_a_manual_page_that_groff_reads_without_complaint() {
    let dir = tempfile::tempdir().unwrap();
    let out = offline(&format!("man --out {}", dir.path().display()));
    assert_eq!(out.code, 0, "{}", out.err);
    let mut names = vec!["heptactl.1".to_owned()];
    let command = heptad::ctl::command();
    names.extend(command.get_subcommands().map(|c| format!("heptactl-{}.1", c.get_name())));
    for name in names {
        let path = dir.path().join("man1").join(&name);
        assert!(out.out.contains(path.to_str().unwrap()), "{name}");
        let page = fs::read_to_string(&path).unwrap();
        assert!(page.starts_with(".ie \\n(.g .ds Aq"), "{name}: {page}");
        let groff = ran(Command::new("groff").args(["-man", "-Tutf8", "-ww", "-z"]).arg(&path));
        assert_eq!((groff.code, groff.err.as_str()), (0, ""), "{name}");
    }
    assert!(offline("man").out.contains("status only: something is in alarm"));
}
