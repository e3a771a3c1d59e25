//! The demo's machinery: scratch directories, the daemon, the moved clock, and heptactl.

use crate::api::client::{Client, ClientError};
use crate::api::wire::SnapshotState;
use crate::config::{DaemonDefaults, Locations};
use crate::ctl::{self, Environment, Io, Terminals};
use crate::daemon::boot::{Daemon, Options};
use crate::daemon::error::BootError;
use crate::host::clock::{Clock, ClockError, Moment, Simulated};
use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

#[derive(Debug, thiserror::Error)]
pub(super) enum StageError {
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
const TIMEOUT: u32 = 20;

/// Columns of a terminal that nobody has made wider.
const WIDTH: usize = 80;

pub(super) struct Stage<'a> {
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
files = { path = "ROOT/notes", ours_alone = true }

[resource.photos]
time = "06:00"
files = { path = "ROOT/photos", ours_alone = true }
"#;

impl<'a> Stage<'a> {
    /// Makes the scratch directory and starts the daemon in it.
    pub(super) fn build(out: &'a mut dyn Write) -> Result<Self> {
        let name = format!("heptad-demo-{}", std::process::id());
        let root = std::env::temp_dir().join(name);
        for dir in ["notes", "photos/2026", "state"] {
            std::fs::create_dir_all(root.join(dir))?;
        }
        std::fs::write(root.join("heptad.toml"), CONFIG.replace("ROOT", &root.to_string_lossy()))?;
        let now = Timestamp::constant(1_767_225_600, 0);
        let clock = root.join("clock");
        let boot = SignedDuration::from_hours(1);
        let asleep = SignedDuration::ZERO;
        let moment = Moment { wall: now, boot, asleep, synchronised: true };
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

    pub(super) fn say(&mut self, text: &str) -> Result<()> {
        Ok(writeln!(self.out, "{text}")?)
    }

    pub(super) fn headline(&mut self, text: &str) -> Result<()> {
        Ok(writeln!(self.out, "\n=== {text}")?)
    }

    /// What to type in another terminal; all of it exists.
    pub(super) fn tell_commands(&mut self) -> Result<()> {
        let root = self.root.display();
        let mut lines = vec![format!("export HEPTAD_SOCKET={root}/heptad.sock")];
        lines.extend(client()?);
        lines.extend([
            "heptactl status".into(),
            "heptactl take notes mine".into(),
            format!("echo 'buy bread' >> {root}/notes/diary.txt"),
            "heptactl take notes yours".into(),
            "heptactl diff mine yours".into(),
            "heptactl rollback notes --to mine".into(),
            "heptactl help".into(),
        ]);
        for line in lines {
            writeln!(self.out, "  {line}")?;
        }
        Ok(())
    }

    /// The clock shows the next morning.
    pub(super) fn next_day(&mut self) -> Result<()> {
        let day = self.now.to_zoned(jiff::tz::TimeZone::UTC).date().tomorrow();
        let day = day.map_err(|error| StageError::Unexpected(error.to_string()))?;
        self.clock_to(&format!("{day}T06:00:00Z"))
    }

    pub(super) fn tell_places(&mut self) -> Result<()> {
        let root = self.root.display();
        Ok(writeln!(self.out, "  {root}/notes\n  {root}/photos\n")?)
    }

    /// Runs the client as a person would, and shows the line that does it.
    pub(super) fn heptactl(&mut self, args: &[&str]) -> Result<()> {
        self.heptactl_ending_in(args, 0)
    }

    /// The same with another exit code than 0.
    pub(super) fn heptactl_ending_in(&mut self, args: &[&str], wanted: u8) -> Result<()> {
        let shown = args.join(" ");
        writeln!(self.out, "$ heptactl {shown}")?;
        let now = self.now;
        let mut errors = Vec::new();
        let mut io = Io {
            stdin: &mut std::io::empty(),
            stdout: &mut *self.out,
            stderr: &mut errors,
            terminals: Terminals::default(),
            width: Some(WIDTH),
            now: &|| now,
        };
        let environment = Environment {
            interrupts: false,
            socket: Some(self.root.join("heptad.sock")),
            directory: self.root.clone(),
            unicode: true,
            no_color: true,
            ..Environment::default()
        };
        let line = std::iter::once("heptactl").chain(args.iter().copied());
        let code = ctl::run(line.map(Into::into), &mut io, &environment);
        self.out.write_all(&errors)?;
        if code == wanted {
            return Ok(());
        }
        Err(StageError::Command { command: format!("heptactl {shown}"), code })
    }

    /// Moves the clock's hands.
    pub(super) fn clock_to(&mut self, at: &str) -> Result<()> {
        let to: Timestamp =
            at.parse().map_err(|error| StageError::Unexpected(format!("{at}: {error}")))?;
        Simulated::advance(&self.clock, to.duration_since(self.now))?;
        self.now = to;
        writeln!(self.out, "(the clock now shows {at})")?;
        Ok(())
    }

    /// Waits until a snapshot is complete and nothing is under way.
    pub(super) fn settle(&mut self, snapshot: &str) -> Result<()> {
        self.settle_as(snapshot, SnapshotState::Complete)
    }

    /// Waits until a snapshot is there, though something is doubtful about it.
    pub(super) fn settle_doubtful(&mut self, snapshot: &str) -> Result<()> {
        self.settle_as(snapshot, SnapshotState::Suspect)
    }

    fn settle_as(&mut self, snapshot: &str, wanted: SnapshotState) -> Result<()> {
        let incomplete = || StageError::Incomplete(snapshot.to_owned());
        let mut generation = 0;
        for _ in 0..200 {
            let found = self.client.snapshot(snapshot).ok();
            let settled = found.is_some_and(|found| found.state == wanted);
            let open = self.client.operations(&crate::api::wire::OperationsQuery {
                open: Some(true),
                ..Default::default()
            })?;
            if settled && open.operations.is_empty() {
                return Ok(());
            }
            generation = self.client.changes(generation, TIMEOUT)?.generation;
        }
        Err(incomplete())
    }

    /// Changes the notes as somebody would in a day.
    pub(super) fn edit(&mut self, day: u8) -> Result<()> {
        let mut text = self.written.values().last().cloned().unwrap_or_default();
        text.push_str(&format!("day {day}: buy milk, call Ada, back up everything\n"));
        self.write("notes/diary.txt", text.as_bytes())?;
        self.write(&format!("notes/day-{day}.md"), format!("# {day}\n").as_bytes())?;
        self.written.insert(day, text);
        Ok(())
    }

    fn photos(&self) -> Result<()> {
        for n in 0u32..20 {
            let pixels: Vec<u8> = (0..65_536).map(|i: u32| (i * n % 251) as u8).collect();
            self.write(&format!("photos/2026/{n:02}.raw"), &pixels)?;
        }
        Ok(())
    }

    /// With the time of the demo's own clock.
    fn write(&self, path: &str, content: &[u8]) -> Result<()> {
        let mut file = std::fs::File::create(self.root.join(path))?;
        file.write_all(content)?;
        Ok(file.set_modified(self.now.into())?)
    }

    /// Somebody removes all notes.
    pub(super) fn empty(&mut self) -> Result<()> {
        for entry in std::fs::read_dir(self.root.join("notes"))? {
            std::fs::remove_file(entry?.path())?;
        }
        Ok(())
    }

    /// Compares one file with the diary as it was after `day`, byte for byte.
    pub(super) fn compare_file(&mut self, name: &str, day: u8) -> Result<()> {
        let restored = std::fs::read_to_string(self.root.join(name))?;
        if self.written.get(&day) != Some(&restored) {
            return Err(StageError::Unexpected(format!("{name} is not what day {day} was")));
        }
        writeln!(self.out, "Compared byte for byte with the diary of day {day}: the same.")?;
        Ok(())
    }

    /// The same with all notes.
    pub(super) fn compare(&mut self, name: &str, day: u8) -> Result<()> {
        let files = count(&self.root.join(name))?;
        if files != usize::from(day) + 1 {
            return Err(StageError::Unexpected(format!("{name} has {files} files")));
        }
        self.compare_file(&format!("{name}/diary.txt"), day)
    }

    /// Puts a snapshot in place of the notes. The clock stands still, so what was there is given a
    /// name of its own.
    pub(super) fn roll_back(&mut self, to: &str, saved: &str) -> Result<()> {
        self.heptactl(&["rollback", "notes", "--to", to, "--backup-name", saved, "--yes"])
    }

    pub(super) fn expect_empty(&mut self, name: &str) -> Result<()> {
        match count(&self.root.join(name))? {
            0 => Ok(()),
            files => Err(StageError::Unexpected(format!("{name} has {files} files"))),
        }
    }

    pub(super) fn expect_snapshots(&mut self, resource: &str, wanted: usize) -> Result<()> {
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
    pub(super) fn finish(mut self) -> Result<()> {
        self.headline("That is all. The daemon stops, and the scratch directory goes")?;
        self.say("To play with it: `heptad demo --stay`. For your own host: see README.md.")
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

/// How to call heptactl, unless it is where a shell finds it: it may not have been built, but this
/// program can be it.
fn client() -> std::io::Result<Option<String>> {
    let ours = std::env::current_exe()?;
    let beside = ours.with_file_name("heptactl");
    Ok(match (beside.exists(), beside.starts_with("/usr")) {
        (true, true) => None,
        (true, false) => Some(format!("alias heptactl='{}'", beside.display())),
        (false, _) => Some(format!("alias heptactl='{} ctl'", ours.display())),
    })
}

fn count(dir: &Path) -> std::io::Result<usize> {
    Ok(std::fs::read_dir(dir)?.count())
}
