//! The demo's machinery: scratch directories, the daemon, the moved clock, and heptactl.

use crate::api::client::{Client, ClientError};
use crate::api::wire::SnapshotState;
use crate::config::{DaemonDefaults, Locations};
use crate::ctl::{self, Environment, Io, Terminals};
use crate::daemon::boot::{BootError, Daemon, Options};
use crate::host::clock::{Clock, ClockError, Moment, Simulated};
use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

#[derive(Debug, thiserror::Error)]
pub enum StageError {
    #[error("{0}")]
    Io(#[from] std::io::Error),
    #[error("the daemon does not start: {0}")]
    Boot(#[from] BootError),
    #[error("{0}")]
    Clock(#[from] ClockError),
    #[error("{0}")]
    Client(#[from] ClientError),
    #[error("{0} never became complete")]
    Incomplete(String),
    #[error("{command} ended with exit code {code}")]
    Command { command: String, code: u8 },
    #[error("{0}")]
    Unexpected(String),
}

type Result<T, E = StageError> = std::result::Result<T, E>;

/// How long a snapshot of a few files may take on a slow machine, in seconds.
const PATIENCE: u32 = 20;

pub struct Stage<'a> {
    out: &'a mut dyn Write,
    root: PathBuf,
    clock: PathBuf,
    now: Timestamp,
    daemon: Option<Daemon>,
    client: Client,
    /// What the notes were on each day, to compare a restore with.
    written: BTreeMap<u8, String>,
}

const CONFIG: &str = r#"[resource.notes]
time = "06:00"
files = { path = "ROOT/notes" }

[resource.photos]
time = "06:00"
files = { path = "ROOT/photos" }
"#;

impl<'a> Stage<'a> {
    /// Makes the scratch directory and starts the daemon in it.
    pub fn build(out: &'a mut dyn Write) -> Result<Self> {
        let name = format!("heptad-demo-{}", std::process::id());
        let root = std::env::temp_dir().join(name);
        for dir in ["notes", "photos/2026", "state"] {
            std::fs::create_dir_all(root.join(dir))?;
        }
        std::fs::write(root.join("heptad.toml"), CONFIG.replace("ROOT", &root.to_string_lossy()))?;
        let now = Timestamp::constant(1_767_225_600, 0);
        let clock = root.join("clock");
        let moment = Moment { wall: now, boot: SignedDuration::from_hours(1), synchronised: true };
        Simulated::write(&clock, moment)?;
        let socket = root.join("heptad.sock");
        let client = Client::new(socket.clone())?;
        let mut stage =
            Self { out, root, clock, now, daemon: None, client, written: BTreeMap::new() };
        stage.photos()?;
        stage.edit(1)?;
        stage.start(socket)?;
        Ok(stage)
    }

    fn start(&mut self, socket: PathBuf) -> Result<()> {
        let locations = Locations {
            file: self.root.join("heptad.toml"),
            drop_ins: self.root.join("conf.d"),
            defaults: DaemonDefaults { socket, state: self.root.join("state") },
        };
        let clock: Arc<dyn Clock> = Arc::new(Simulated::open(&self.clock)?);
        let options = Options { locations, env: Vec::new(), clock, log: None };
        self.daemon = Some(Daemon::start(options)?);
        Ok(())
    }

    pub fn say(&mut self, text: &str) -> Result<()> {
        Ok(writeln!(self.out, "{text}")?)
    }

    pub fn headline(&mut self, text: &str) -> Result<()> {
        Ok(writeln!(self.out, "\n=== {text}")?)
    }

    pub fn tell_places(&mut self) -> Result<()> {
        let root = self.root.display();
        Ok(writeln!(self.out, "  {root}/notes   {root}/photos\n")?)
    }

    /// Runs the client as a person would, and shows the line that does it.
    pub fn heptactl(&mut self, args: &[&str]) -> Result<()> {
        let shown = args.join(" ");
        writeln!(self.out, "$ heptactl {shown}")?;
        self.run(args, &shown)
    }

    fn run(&mut self, args: &[&str], shown: &str) -> Result<()> {
        let now = self.now;
        let mut errors = Vec::new();
        let mut io = Io {
            stdin: &mut std::io::empty(),
            stdout: &mut *self.out,
            stderr: &mut errors,
            terminals: Terminals::default(),
            width: Some(100),
            now: &|| now,
        };
        let environment = Environment {
            socket: Some(self.root.join("heptad.sock")),
            directory: self.root.clone(),
            unicode: true,
            no_color: true,
            ..Environment::default()
        };
        let line = std::iter::once("heptactl").chain(args.iter().copied());
        let code = ctl::run(line.map(Into::into), &mut io, &environment);
        self.out.write_all(&errors)?;
        if code == 0 {
            return Ok(());
        }
        Err(StageError::Command { command: format!("heptactl {shown}"), code })
    }

    /// Moves the clock's hands.
    pub fn clock_to(&mut self, at: &str) -> Result<()> {
        let to: Timestamp =
            at.parse().map_err(|error| StageError::Unexpected(format!("{at}: {error}")))?;
        Simulated::advance(&self.clock, to.duration_since(self.now))?;
        self.now = to;
        writeln!(self.out, "(the clock now shows {at})")?;
        Ok(())
    }

    /// Waits until a snapshot is complete and nothing is under way.
    pub fn settle(&mut self, snapshot: &str) -> Result<()> {
        let incomplete = || StageError::Incomplete(snapshot.to_owned());
        let mut generation = 0;
        for _ in 0..200 {
            let found = self.client.snapshot(snapshot).ok();
            let complete = found.is_some_and(|found| found.state == SnapshotState::Complete);
            let open = self.client.operations(&crate::api::wire::OperationsQuery {
                open: Some(true),
                ..Default::default()
            })?;
            if complete && open.operations.is_empty() {
                return Ok(());
            }
            generation = self.client.changes(generation, PATIENCE)?.generation;
        }
        Err(incomplete())
    }

    /// Changes the notes as somebody would in a day.
    pub fn edit(&mut self, day: u8) -> Result<()> {
        let mut text = self.written.values().last().cloned().unwrap_or_default();
        text.push_str(&format!("day {day}: buy milk, call Ada, back up everything\n"));
        std::fs::write(self.root.join("notes/diary.txt"), &text)?;
        std::fs::write(self.root.join(format!("notes/day-{day}.md")), format!("# {day}\n"))?;
        self.written.insert(day, text);
        Ok(())
    }

    fn photos(&self) -> Result<()> {
        for n in 0u32..20 {
            let pixels: Vec<u8> = (0..65_536).map(|i: u32| (i * n % 251) as u8).collect();
            std::fs::write(self.root.join(format!("photos/2026/{n:02}.raw")), pixels)?;
        }
        Ok(())
    }

    pub fn disaster(&mut self) -> Result<()> {
        std::fs::write(self.root.join("notes/diary.txt"), "all work and no play\n")?;
        Ok(())
    }

    /// Makes a new disk from a snapshot.
    pub fn create(&mut self, name: &str, from: &str) -> Result<()> {
        let path = self.root.join(name);
        let path = path.to_string_lossy();
        self.heptactl(&["create", name, "--from", from, "--path", &path])
    }

    /// Compares the restored notes with what was written by `day`, byte for byte.
    pub fn compare(&mut self, name: &str, day: u8) -> Result<()> {
        let restored = std::fs::read_to_string(self.root.join(name).join("diary.txt"))?;
        let same = self.written.get(&day) == Some(&restored);
        let files = count(&self.root.join(name))?;
        if !same || files != usize::from(day) + 1 {
            return Err(StageError::Unexpected(format!("{name} is not what day {day} was")));
        }
        writeln!(self.out, "Compared byte for byte with the notes of day {day}: the same.")?;
        Ok(())
    }

    pub fn expect_snapshots(&mut self, resource: &str, wanted: usize) -> Result<()> {
        let query = crate::api::wire::SnapshotsQuery {
            resource: Some(resource.into()),
            ..Default::default()
        };
        let found = self.client.snapshots(&query)?.snapshots.len();
        if found == wanted {
            return Ok(());
        }
        Err(StageError::Unexpected(format!("{found} snapshots of {resource}, wanted {wanted}")))
    }

    /// Stops the daemon and clears the stage.
    pub fn finish(mut self) -> Result<()> {
        self.headline("That is all. The daemon stops, and the scratch directory goes")?;
        self.say("For your own host: see the quick start in README.md.")?;
        Ok(())
    }
}

impl Drop for Stage<'_> {
    fn drop(&mut self) {
        if let Some(daemon) = self.daemon.take() {
            daemon.stop();
        }
        // The store is made of read-only copies; what cannot be removed lies in the temporary
        // directory.
        let _ = std::fs::remove_dir_all(&self.root);
    }
}

fn count(dir: &Path) -> std::io::Result<usize> {
    Ok(std::fs::read_dir(dir)?.count())
}
