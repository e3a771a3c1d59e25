//! Runs heptactl in this process as the binary does.

use super::daemon::Daemon;
use super::facts;
use heptad::ctl::{Environment, Io, Terminals, run};
use std::ffi::OsString;
use std::path::PathBuf;

pub struct Ran {
    pub code: u8,
    pub out: String,
    pub err: String,
}

/// How heptactl is started; by default in a pipe of 80 columns with a UTF-8 locale.
#[derive(Clone, Debug)]
pub struct Start {
    pub socket: PathBuf,
    pub stdin: &'static str,
    pub terminal: bool,
    pub width: Option<usize>,
    pub unicode: bool,
}

impl Start {
    pub fn at(daemon: &Daemon) -> Self {
        Self::socket(daemon.socket())
    }

    pub fn socket(socket: PathBuf) -> Self {
        Self { socket, stdin: "", terminal: false, width: Some(80), unicode: true }
    }

    pub fn on_a_terminal(self, stdin: &'static str) -> Self {
        Self { stdin, terminal: true, ..self }
    }

    pub fn ctl(&self, line: &str) -> Ran {
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let terminal = self.terminal;
        let mut io = Io {
            stdin: &mut self.stdin.as_bytes(),
            stdout: &mut out,
            stderr: &mut err,
            terminals: Terminals { stdin: terminal, stdout: terminal, stderr: terminal },
            width: self.width,
            now: &facts::now,
        };
        let environment = Environment {
            socket: None,
            candidates: vec![PathBuf::from("/nonexistent/user.sock"), self.socket.clone()],
            no_color: true,
            unicode: self.unicode,
            directory: "/home/anna".into(),
        };
        let words = std::iter::once("heptactl").chain(line.split_whitespace());
        let code = run(words.map(OsString::from), &mut io, &environment);
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Ran { code, out: text(out), err: text(err) }
    }
}

/// Compares with `tests/data/ctl/NAME.txt`, which is written anew under `HEPTAD_BLESS=1`.
pub fn golden(name: &str, start: &Start, line: &str) {
    let ran = start.ctl(line);
    let mut text = format!("$ heptactl {line}\n{}", ran.out);
    if !ran.err.is_empty() {
        text.push_str(&format!("-- standard error\n{}", ran.err));
    }
    if !text.ends_with('\n') {
        text.push('\n');
    }
    text.push_str(&format!("-- exit code {}\n", ran.code));
    let text = text.replace(&start.socket.display().to_string(), "/run/heptad/heptad.sock");
    let path = format!("{}/tests/data/ctl/{name}.txt", env!("CARGO_MANIFEST_DIR"));
    if std::env::var_os("HEPTAD_BLESS").is_some() {
        std::fs::write(&path, &text).unwrap();
    }
    let want = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{path}: {e}"));
    assert_eq!(text, want, "{name}: HEPTAD_BLESS=1 writes it anew");
    if let Some(width) = start.width {
        let wide = ran.out.lines().find(|line| heptad::ctl::render::text::width(line) > width);
        assert_eq!(wide, None, "{name} fits");
    }
}
