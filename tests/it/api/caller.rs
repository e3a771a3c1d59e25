//! Callers: raw bytes on the socket, and curl as any user.

use super::stub::Scene;
use serde_json::Value;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::process::{Command, Stdio};
use std::time::Duration;

/// No answer within this fails the test.
pub const DEADLINE: Duration = Duration::from_secs(20);

/// A connection whose reads have a deadline.
pub fn connect(scene: &Scene) -> UnixStream {
    let stream = UnixStream::connect(scene.socket()).unwrap();
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    stream.set_write_timeout(Some(DEADLINE)).unwrap();
    stream
}

/// All that comes until the server closes.
pub fn rest(stream: &mut UnixStream) -> String {
    let mut text = Vec::new();
    let read = stream.read_to_end(&mut text);
    match read {
        // Closed with bytes of ours unread.
        Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => {}
        read => {
            let so_far = String::from_utf8_lossy(&text);
            read.unwrap_or_else(|error| panic!("{error} after {so_far:?}"));
        }
    }
    String::from_utf8(text).unwrap()
}

/// Sends bytes and reads until the server closes.
pub fn raw(scene: &Scene, bytes: &[u8]) -> String {
    let mut stream = connect(scene);
    // The server may have answered and closed before all of it is sent.
    let _ = stream.write_all(bytes);
    rest(&mut stream)
}

/// One request with a body and some headers, as `Name: value` lines. The status and the body.
pub fn send(scene: &Scene, line: &str, headers: &[&str], body: &[u8]) -> (u16, Value) {
    let mut head = format!("{line} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n");
    for header in headers {
        head.push_str(&format!("{header}\r\n"));
    }
    head.push_str(&format!("Content-Length: {}\r\n\r\n", body.len()));
    let answer = raw(scene, &[head.as_bytes(), body].concat());
    (status(&answer), json(&answer))
}

/// As [`send`] with a JSON body.
pub fn send_json(scene: &Scene, line: &str, body: &str) -> (u16, Value) {
    send(scene, line, &["Content-Type: application/json"], body.as_bytes())
}

pub fn get(scene: &Scene, path: &str) -> (u16, Value) {
    send(scene, &format!("GET {path}"), &[], b"")
}

pub fn status(answer: &str) -> u16 {
    let code = answer.split(' ').nth(1).unwrap_or_else(|| panic!("no status in {answer:?}"));
    code.parse().unwrap()
}

pub fn json(answer: &str) -> Value {
    let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
    serde_json::from_str(body).unwrap_or(Value::Null)
}

/// curl as a user with groups, on the scene's socket.
pub fn curl(scene: &Scene, uid: u32, groups: &[u32]) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--reuid", &uid.to_string(), "--regid", &uid.to_string()]);
    if groups.is_empty() {
        command.arg("--clear-groups");
    } else {
        let groups: Vec<String> = groups.iter().map(ToString::to_string).collect();
        command.args(["--groups", &groups.join(",")]);
    }
    command.args(["curl", "-sS", "--max-time", "20", "--unix-socket"]).arg(scene.socket());
    command.stdin(Stdio::null());
    command
}

/// What a command prints; it must succeed.
pub fn output(command: &mut Command) -> String {
    let output = command.output().unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {error}");
    String::from_utf8(output.stdout).unwrap()
}
