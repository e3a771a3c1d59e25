//! Runs heptactl in this process as the binary does.

use super::daemon::Daemon;
use super::facts;
use heptad::api::client::Failing;
use heptad::ctl::render::text;
use heptad::ctl::{Environment, Io, Terminals, run};
use jiff::tz::TimeZone;
use std::ffi::OsString;
use std::io::{ErrorKind, Write};
use std::path::PathBuf;
use std::sync::mpsc::Sender;

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
    /// Whether the daemon is said not to start.
    pub failing: Option<Failing>,
    /// Where whoever types lives.
    pub zone: Option<TimeZone>,
}

impl Start {
    pub fn at(daemon: &Daemon) -> Self {
        Self::socket(daemon.socket())
    }

    pub fn socket(socket: PathBuf) -> Self {
        Self {
            socket,
            stdin: "",
            terminal: false,
            width: Some(80),
            unicode: true,
            failing: None,
            zone: TimeZone::get("Europe/Berlin").ok(),
        }
    }

    pub fn on_a_terminal(self, stdin: &'static str) -> Self {
        Self { stdin, terminal: true, ..self }
    }

    pub fn ctl(&self, line: &str) -> Ran {
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let code = self.drive(line, &mut out, &mut err);
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Ran { code, out: text(out), err: text(err) }
    }

    /// Watches until the daemon goes away, and sends on what is written.
    pub fn watch(&self, saw: Sender<String>) -> u8 {
        self.drive("watch", &mut Told(saw.clone()), &mut Told(saw))
    }

    fn drive(&self, line: &str, stdout: &mut dyn Write, stderr: &mut dyn Write) -> u8 {
        let terminal = self.terminal;
        let mut io = Io {
            stdin: &mut self.stdin.as_bytes(),
            stdout,
            stderr,
            terminals: Terminals { stdin: terminal, stdout: terminal, stderr: terminal },
            width: self.width,
            now: &facts::now,
        };
        let environment = Environment {
            interrupts: false,
            socket: None,
            candidates: vec![PathBuf::from("/nonexistent/user.sock"), self.socket.clone()],
            no_color: true,
            unicode: self.unicode,
            zone: self.zone.clone(),
            directory: "/home/anna".into(),
            failing: self.failing,
        };
        let words = std::iter::once("heptactl").chain(line.split_whitespace());
        run(words.map(OsString::from), &mut io, &environment)
    }

    /// The command, what it wrote, its exit code; the socket where it is on a real host.
    pub fn transcript(&self, line: &str) -> String {
        let ran = self.ctl(line);
        let mut text = format!("$ heptactl {line}\n{}", ran.out);
        if !ran.err.is_empty() {
            text.push_str(&format!("-- standard error\n{}", ran.err));
        }
        if !text.ends_with('\n') {
            text.push('\n');
        }
        text.push_str(&format!("-- exit code {}\n", ran.code));
        let wide = |line: &&str| !fits(line, self.width);
        assert_eq!(ran.out.lines().find(wide), None, "{line} fits");
        text.replace(&self.socket.display().to_string(), "/run/heptad/heptad.sock")
    }
}

/// Whether a line fits, or has a word that fits nowhere and stays whole to be copied.
pub fn fits(line: &str, width: Option<usize>) -> bool {
    let Some(width) = width else { return true };
    let long = |word: &str| text::width(word) + 14 > width;
    text::width(line) <= width || line.split(' ').any(long)
}

struct Told(Sender<String>);

impl Write for Told {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let text = String::from_utf8_lossy(bytes).into_owned();
        self.0.send(text).map_err(|_| ErrorKind::BrokenPipe)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Compares a run with `tests/data/ctl/NAME.txt`.
pub fn golden(name: &str, start: &Start, line: &str) {
    compare(name, &start.transcript(line));
}

/// The file is written anew under `HEPTAD_BLESS=1`.
pub fn compare(name: &str, text: &str) {
    let path = format!("{}/tests/data/ctl/{name}.txt", env!("CARGO_MANIFEST_DIR"));
    if std::env::var_os("HEPTAD_BLESS").is_some() {
        std::fs::write(&path, text).unwrap();
    }
    let want = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{path}: {e}"));
    assert_eq!(text, want, "{name}: HEPTAD_BLESS=1 writes it anew");
}
