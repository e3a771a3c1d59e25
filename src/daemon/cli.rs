//! heptad's command line: what the binary does, as a library, so that it can be documented and
//! tested.

use super::allowed::Allowed;
use super::boot::{Daemon, LogOptions, Options};
use super::error::BootError;
use super::inspect::{Inspection, inspect};
use super::manual::MANUAL;
use super::{check, rebuild, simulate};
use crate::backend::registry;
use crate::config::{self, Findings, Locations};
use crate::domain::sentence::{Part, counted, parts, plain};
use crate::help::Manual;
use crate::host::clock::{Clock, ClockError, Simulated, System};
use crate::host::helper::Call;
use crate::host::lock::LockError;
use clap::{Args, CommandFactory, FromArgMatches, Parser, Subcommand};
use std::ffi::OsString;
use std::io::{Read, Write};
use std::path::PathBuf;
use std::sync::Arc;

#[derive(Debug, Parser)]
#[command(
    name = "heptad",
    version,
    about = "Daily snapshots of this host's resources, the latest seven kept",
    arg_required_else_help = true
)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the daemon in the foreground, until SIGTERM or SIGINT; SIGHUP loads the configuration
    Run(RunArgs),
    /// Check the configuration beside the host, and list everything that is wrong with it
    ///
    /// Also what the service may not do, as the daemon that runs says, or the unit as it is
    /// installed.
    Check(CheckArgs),
    /// Make a new catalogue from the manifests beside the snapshots; the daemon must not run
    ///
    /// Stop the daemon and its socket before, and start them again afterwards:
    /// systemctl stop heptad.socket heptad.service
    Rebuild(RebuildArgs),
    /// Live through simulated days on this heptad's own keeper and catalogue, cutting the power at
    /// every step, and check the promises
    Simulate(SimulateArgs),
    /// Show what heptad does: a real daemon on scratch directories, on a clock that is moved
    Demo {
        /// Leave the daemon up afterwards, to play with it
        #[arg(long)]
        stay: bool,
    },
    /// The same as heptactl, where that is not installed
    #[command(disable_help_flag = true)]
    Ctl {
        #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "ARGS")]
        args: Vec<OsString>,
    },
    /// Do what the daemon had better not do itself; heptad starts this by itself
    #[command(hide = true)]
    Helper {
        name: String,
        #[arg(trailing_var_arg = true)]
        args: Vec<OsString>,
    },
    /// Let go whatever a killed heptad left held; the unit does this by itself
    #[command(hide = true, alias = "libvirt-let-go")]
    LetGo,
    /// Print the JSON schema of the configuration, for editors
    ///
    /// An editor with a language server for TOML (taplo) completes and checks a file whose first
    /// line is: #:schema /usr/share/heptad/heptad.schema.json
    Schema,
    /// Write the manual pages of heptad, and those of all topics, below a directory
    Man {
        /// Where man looks: the pages go into its man5, man7 and man8
        #[arg(long, value_name = "DIR", default_value = ".")]
        out: PathBuf,
    },
}

#[derive(Args, Clone, Debug)]
pub struct Place {
    /// The configuration file; drop-ins are in conf.d beside it
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
}

#[derive(Args, Debug)]
pub struct CheckArgs {
    #[command(flatten)]
    pub place: Place,
    /// Look at nothing but the files: for a configuration of another host
    #[arg(long)]
    pub offline: bool,
}

#[derive(Args, Debug)]
pub struct RunArgs {
    #[command(flatten)]
    pub place: Place,
    /// Follow the time in this file instead of the system's clocks. For rehearsals and tests: it
    /// holds "WALL BOOT_SECONDS SYNCHRONISED", and time stands still until the file is changed
    #[arg(long, value_name = "FILE")]
    pub simulated_clock: Option<PathBuf>,
}

#[derive(Args, Debug)]
pub struct SimulateArgs {
    /// How many days
    #[arg(long, default_value_t = 14, value_parser = clap::value_parser!(u16).range(1..=3650))]
    pub days: u16,
}

/// What the process was started with.
#[derive(Clone, Debug)]
pub struct Environment {
    pub uid: u32,
    pub env: Vec<(String, String)>,
}

impl Environment {
    fn variable(&self, name: &str) -> Option<String> {
        let found = self.env.iter().find(|(known, value)| known == name && !value.is_empty());
        found.map(|(_, value)| value.clone())
    }

    fn locations(&self, place: &Place) -> Result<Locations, Findings> {
        let standard = Locations::of(self.uid, &self.env);
        match &place.config {
            None => standard,
            Some(file) => {
                let file = std::path::absolute(file).unwrap_or_else(|_| file.clone());
                Ok(standard?.with_file(file))
            }
        }
    }
}

/// What its manual pages say beside that.
pub fn manual() -> &'static Manual {
    &MANUAL
}

#[derive(Debug, clap::Args)]
pub struct RebuildArgs {
    #[command(flatten)]
    place: Place,
    /// Print every snapshot found, as JSON
    #[arg(long)]
    json: bool,
}

/// heptad's tree of commands, for manual pages.
pub fn command() -> clap::Command {
    MANUAL.dress(Cli::command())
}

impl Cli {
    /// What the process was asked for; help, and what is wrong with the line, end it.
    pub fn read() -> Self {
        let args: Vec<_> = std::env::args_os().collect();
        let read = crate::help::parse(&command(), &args);
        let read = read.and_then(|matches| Self::from_arg_matches(&matches));
        read.unwrap_or_else(|error| error.exit())
    }
}

/// Runs the daemon until it is told to stop. Returns the exit code.
pub fn run(args: &RunArgs, environment: &Environment, err: &mut dyn Write) -> u8 {
    let ended = serve(args, environment);
    match ended {
        Ok(()) => 0,
        Err(error) => {
            let _ = writeln!(err, "heptad: {}", plain(error.to_string()));
            error.exit_code()
        }
    }
}

fn serve(args: &RunArgs, environment: &Environment) -> Result<(), BootError> {
    let locations = environment.locations(&args.place).map_err(BootError::Configuration)?;
    let clock = clock(args.simulated_clock.as_ref())?;
    let log = LogOptions {
        journal_stream: environment.variable("JOURNAL_STREAM"),
        colour: environment.variable("NO_COLOR").is_none(),
    };
    let env = environment.env.clone();
    let daemon = Daemon::start(Options { locations, env, clock, log: Some(log) })?;
    if let Some(file) = &args.simulated_clock {
        let file = file.display();
        tracing::warn!(%file, "the clock is SIMULATED, by {file}: nothing is taken in real time");
    }
    daemon.serve_until_signalled()
}

fn clock(simulated: Option<&PathBuf>) -> Result<Arc<dyn Clock>, ClockError> {
    match simulated {
        Some(file) => Ok(Arc::new(Simulated::open(file)?)),
        None => Ok(Arc::new(System)),
    }
}

/// Prints every finding. Returns the exit code.
pub fn check(
    args: &CheckArgs,
    environment: &Environment,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> u8 {
    let strictly =
        |at: Locations| check::prepare_strictly(&at, &environment.env, &Findings::default());
    let setup = match environment.locations(&args.place).and_then(strictly) {
        Ok(setup) => setup,
        Err(findings) => return tell(&findings, err),
    };
    let Inspection { findings, remarks } = match args.offline {
        true => Inspection { remarks: setup.config.remarks(), ..Inspection::default() },
        false => inspect(&setup, &Allowed::of_service(&setup.config)),
    };
    for remark in remarks {
        say(&format!("remark: {remark}"), err);
    }
    if !findings.is_empty() {
        return tell(&findings.into(), err);
    }
    let (count, file) = (setup.config.resources.len(), setup.config.file().display());
    let resources = counted(count, "resource", "resources");
    let _ = writeln!(out, "{file}: {resources}, nothing wrong");
    0
}

/// A long command has a line of its own, to be copied from.
fn say(text: &str, err: &mut dyn Write) {
    for part in parts(text, None) {
        let _ = match part {
            Part::Prose(text) => writeln!(err, "{text}"),
            Part::Command(command) => writeln!(err, "    {command}"),
        };
    }
}

fn tell(findings: &Findings, err: &mut dyn Write) -> u8 {
    findings.iter().for_each(|finding| say(&finding.to_string(), err));
    let _ = writeln!(err, "{} found", counted(findings.len(), "problem", "problems"));
    1
}

/// Prints the schema of the configuration. Returns the exit code.
pub fn schema(out: &mut dyn Write) -> u8 {
    let schema = config::schema(&crate::backend::registry::options());
    u8::from(writeln!(out, "{schema:#}").is_err())
}

/// Rebuilds the catalogue. Returns the exit code.
pub fn rebuild(
    args: &RebuildArgs,
    environment: &Environment,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> u8 {
    let locations = environment.locations(&args.place).map_err(BootError::Configuration);
    let rebuilt = locations.and_then(|at| rebuild::rebuild(&at, &environment.env, &System));
    match rebuilt {
        Ok(rebuilt) => {
            if args.json {
                let _ = writeln!(out, "{:#}", rebuilt.export);
            } else {
                rebuilt.resources.iter().for_each(|one| drop(writeln!(out, "{}", found(one))));
            }
            let _ = writeln!(
                err,
                "{} in the new catalogue",
                counted(rebuilt.snapshots, "snapshot", "snapshots")
            );
            for (resource, why) in &rebuilt.unseen {
                let _ = writeln!(err, "{resource}: not seen: {why}; heptad looks again by itself");
            }
            for (resource, store) in &rebuilt.unclaimed {
                let store = store.display();
                let _ = writeln!(
                    err,
                    "{resource}: not in the configuration, but {store} has snapshots of it; declare it \
                     and they are found again"
                );
            }
            0
        }
        Err(error) => {
            let _ = writeln!(err, "heptad: {}", plain(error.to_string()));
            if matches!(error, BootError::Lock(LockError::AlreadyRunning { .. })) {
                let _ = writeln!(err, "{BUSY}");
            }
            error.exit_code()
        }
    }
}

const BUSY: &str = "stop it, and its socket, which would start it again: systemctl stop heptad.socket \
                    heptad.service; nothing was changed";

/// `www: 7 snapshots, 1 of them in doubt`
fn found((resource, snapshots, doubted): &(String, usize, usize)) -> String {
    let doubted = match doubted {
        0 => String::new(),
        doubted => format!(", {doubted} of them in doubt"),
    };
    format!("{resource}: {}{doubted}", counted(*snapshots, "snapshot", "snapshots"))
}

/// Runs the simulator. Returns the exit code.
pub fn simulate(args: &SimulateArgs, out: &mut dyn Write, err: &mut dyn Write) -> u8 {
    match simulate::sweep(args.days) {
        Ok(report) => {
            let _ = writeln!(out, "{report}");
            u8::from(!report.violations.is_empty())
        }
        Err(error) => {
            let _ = writeln!(err, "heptad: {}", plain(error.to_string()));
            1
        }
    }
}

/// Serves as a helper. Returns the exit code.
pub fn helper(
    name: &str,
    args: &[OsString],
    input: Box<dyn Read + Send>,
    (out, err): (&mut dyn Write, &mut dyn Write),
) -> u8 {
    match registry::HELPERS.iter().find(|(known, _)| *known == name) {
        Some((_, serve)) => serve(Call { args, input, out, err }),
        None => {
            let _ = writeln!(err, "heptad: {name} is not a helper of this heptad");
            2
        }
    }
}

/// Lets go what a killed heptad and its helper left held. Returns the exit code.
pub fn let_go(environment: &Environment, err: &mut dyn Write) -> u8 {
    let state = match environment.locations(&Place { config: None }) {
        // Whatever else is wrong with the configuration.
        Ok(locations) => config::examine(&locations, &environment.env).config.daemon.state,
        Err(findings) => {
            findings.iter().for_each(|finding| drop(writeln!(err, "{finding}")));
            return 1;
        }
    };
    let failed = registry::LET_GO.iter().flat_map(|let_go| match let_go(&state) {
        Ok(failed) => failed,
        Err(error) => vec![error],
    });
    let failed: Vec<_> = failed.collect();
    failed.iter().for_each(|error| drop(writeln!(err, "heptad: {}", plain(error.to_string()))));
    u8::from(!failed.is_empty())
}
