//! The OpenAPI document by tools that are not ours: one reads it, one asks a daemon everything
//! that it describes, well and badly, and compares the answers with it.

use super::host::ran;
use super::people::Own;
use crate::support::source::root;
use std::io::copy;
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;

/// Where the tools are; they are fetched at the first call.
fn tools() -> PathBuf {
    let ran = ran(&mut Command::new(root().join("tests/api-tools")));
    assert_eq!(ran.code, 0, "{}", ran.err);
    PathBuf::from(ran.out.trim())
}

fn data(name: &str) -> PathBuf {
    root().join("tests/data/api").join(name)
}

/// Passes connections of TCP on to the socket, as the tools know no other; its port.
fn forward(socket: &Path) -> u16 {
    fn pass(mut from: impl std::io::Read, mut to: impl std::io::Write, done: impl FnOnce()) {
        // Either side may hang up when it likes.
        let _ = copy(&mut from, &mut to);
        done();
    }
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let socket = socket.to_owned();
    thread::spawn(move || {
        for caller in listener.incoming() {
            let caller: TcpStream = caller.unwrap();
            let Ok(daemon) = UnixStream::connect(&socket) else { return };
            let (from, to) = (caller.try_clone().unwrap(), daemon.try_clone().unwrap());
            let end = to.try_clone().unwrap();
            thread::spawn(move || pass(from, to, || drop(end.shutdown(Shutdown::Write))));
            let end = caller.try_clone().unwrap();
            thread::spawn(move || pass(daemon, caller, || drop(end.shutdown(Shutdown::Write))));
        }
    });
    port
}

/// A daemon without root that has something of everything: resources, snapshots, a plan.
fn daemon() -> Own {
    let mut own = Own::start();
    let config = own.host.path("config/heptad/heptad.toml");
    let plan = "[plan.small]\nvcpus = 1\nmemory = \"1GiB\"\ndisk = \"10GiB\"\nprice = 5.0\n";
    let text = std::fs::read_to_string(&config).unwrap().replace(" }", ", ours_alone = true }");
    std::fs::write(&config, format!("{plan}{text}")).unwrap();
    own.run();
    own.ctl("take notes before --tag team=web");
    own.ctl("take notes after");
    own
}

#[test]
fn the_document_is_without_fault_and_no_answer_contradicts_it() {
    let tools = tools();
    let own = daemon();
    let document = own.host.path("openapi.json");
    let mut get = Command::new("curl");
    get.args(["--silent", "--fail", "--unix-socket"]).arg(own.host.client().socket());
    let got = ran(get.arg("--output").arg(&document).arg("http://localhost/v1/openapi.json"));
    assert_eq!(got.code, 0, "{got:?}");

    let mut lint = Command::new(tools.join("node_modules/.bin/spectral"));
    lint.env("PATH", format!("{}/bin:/usr/bin:/bin", tools.display()));
    lint.args(["lint", "--fail-severity=error", "--ruleset"]).arg(data("spectral.yaml"));
    let linted = ran(lint.arg(&document));
    assert_eq!(linted.code, 0, "{}{}", linted.out, linted.err);

    let url = format!("http://127.0.0.1:{}", forward(own.host.client().socket()));
    let mut ask = Command::new(tools.join("bin/schemathesis"));
    ask.current_dir(own.host.path("")).env("HYPOTHESIS_STORAGE_DIRECTORY", own.host.path("cache"));
    ask.arg("--config-file").arg(data("schemathesis.toml"));
    ask.arg("run").arg(&document).args(["--url", &url, "--seed=7", "--max-examples=15"]);
    // What else keeps a well-formed request from being granted, no document can say.
    ask.args(["--checks=all", "--exclude-checks=positive_data_acceptance,ignored_auth"]);
    ask.args(["--phases=examples,coverage,fuzzing", "--no-shrink", "--warnings=off"]);
    let asked = ran(&mut ask);
    assert_eq!(asked.code, 0, "{}{}\n{}", asked.out, asked.err, own.host.log());
}
