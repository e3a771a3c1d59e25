//! The suite's harness: a stopped cluster whose contents are tables of one value each, written and
//! read by the single-user server.

use super::build;
use super::server::{cluster, command, scratch, text};
use crate::conformance::{Harness, Tree};
use crate::support::loopfs::LoopFs;
use heptad::backend::Backend;
use heptad::domain::snapshot::Handle;
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;

pub struct Stopped(LoopFs);

impl Stopped {
    fn store(&self) -> PathBuf {
        self.0.path().join("store")
    }

    fn stored(&self, resource: &str, handle: &Handle) -> PathBuf {
        self.store().join(resource).join(handle.seq.to_string())
    }
}

impl Harness for Stopped {
    fn new() -> Self {
        let fs = scratch("xfs", 600);
        cluster(&fs.path().join("live"));
        Self(fs)
    }

    fn backend(&self, resource: &str) -> Arc<dyn Backend> {
        build(resource, &self.live(), &self.store(), json!({}))
    }

    fn recipe(&self) -> Option<(&'static str, Value, PathBuf)> {
        let options = json!({ "data": self.live(), "store": self.store(), "prove": "never" });
        Some(("postgres", options, self.0.path().join("state")))
    }

    fn live(&self) -> PathBuf {
        self.0.path().join("live")
    }

    fn put(&self, at: &Path, files: &[(&str, &[u8])]) {
        let mut sql = String::new();
        for (name, content) in files {
            let (table, value) = (format!("f_{}", hex(name.as_bytes())), hex(content));
            writeln!(sql, "drop table if exists {table}").unwrap();
            writeln!(sql, "create table {table} as select '\\x{value}'::bytea as c").unwrap();
        }
        single(at, &sql);
    }

    fn content(&self, at: &Path) -> Tree {
        let mut tree = Tree::new();
        let tables = tables(at);
        let sql: String =
            tables.iter().map(|table| format!("select '{table}' as t, c from {table}\n")).collect();
        let answer = single(at, &sql);
        let mut table = "";
        for line in answer.lines() {
            if let Some(name) = value(line, "t") {
                table = name;
            } else if let Some(value) = value(line, "c") {
                let name = unhex(table.strip_prefix("f_").unwrap());
                let name = String::from_utf8(name).unwrap();
                tree.insert(name.into(), Some(unhex(value.strip_prefix("\\x").unwrap())));
            }
        }
        tree
    }

    fn empty(&self, at: &Path) {
        let sql: String = tables(at).iter().map(|table| format!("drop table {table}\n")).collect();
        single(at, &sql);
    }

    fn hide(&self) {
        std::fs::rename(self.live(), self.0.path().join("elsewhere")).unwrap();
    }

    fn target(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn interrupt(&self, resource: &str, handle: &Handle) {
        let whole = self.stored(resource, handle);
        std::fs::rename(&whole, whole.with_extension("partial")).unwrap();
    }

    fn tamper(&self, resource: &str, handle: &Handle) {
        let control = self.stored(resource, handle).join("data/global/pg_control");
        std::fs::write(control, "defaced").unwrap();
    }

    fn lose(&self, resource: &str, handle: &Handle) {
        std::fs::remove_dir_all(self.stored(resource, handle)).unwrap();
    }

    fn plant(&self, resource: &str, seq: u64) -> PathBuf {
        let path = self.store().join(resource).join(seq.to_string()).join("data");
        std::fs::create_dir_all(&path).unwrap();
        path
    }
}

/// Lets the single-user server answer; one command per line.
pub fn single(data: &Path, sql: &str) -> String {
    let args = ["--single", "-D", data.to_str().unwrap(), "-c", "fsync=off", "postgres"];
    let mut command = command("postgres", &args);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut input = child.stdin.take().unwrap();
    let output = std::thread::scope(|scope| {
        scope.spawn(move || input.write_all(sql.as_bytes()).unwrap());
        child.wait_with_output().unwrap()
    });
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!said.contains("ERROR:") && !said.contains("FATAL:"), "{said}");
    text("postgres --single", output)
}

fn tables(data: &Path) -> Vec<String> {
    let answer =
        single(data, "select relname from pg_class where relname ~ '^f_' and relkind = 'r'\n");
    answer.lines().filter_map(|line| value(line, "relname")).map(str::to_owned).collect()
}

/// The value in a line such as `1: relname = "f_61"`, a tab, and the type.
fn value<'a>(line: &'a str, column: &str) -> Option<&'a str> {
    let rest = line.split_once(&format!(": {column} = \""))?.1;
    Some(rest.rsplit_once("\"\t(")?.0)
}

fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |at: u8| char::from(DIGITS[usize::from(at)]);
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

fn unhex(text: &str) -> Vec<u8> {
    let pairs = text.as_bytes().chunks(2);
    pairs.map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
}
