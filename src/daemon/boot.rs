//! From nothing to a daemon that answers, and back. The order matters: configuration, lock,
//! catalogue, keeper, driver, socket, readiness.

use super::allowed::{self, Allowed};
use super::bindings::Bindings;
use super::check::{self};
use super::driver::{Driver, Parts, reading};
use super::engine::Engine;
use super::error::BootError;
use super::housekeeping;
use super::inbox::{Inbox, Message};
use super::opening::{Opening, open};
use super::reading::Readers;
use super::registrar;
use super::service::{DaemonService, resources};
use super::setup::Setup;
use super::workers::{Report, Workers};
use crate::api::roles::{Group, Rules};
use crate::api::server::{Limits, Listener};
use crate::api::service::Published;
use crate::api::start::serve;
use crate::config::Locations;
use crate::domain::account::Barred;
use crate::domain::clock::Reading;
use crate::domain::event::Event;
use crate::domain::keeper::Keeper;
use crate::domain::ledger::Ledger;
use crate::domain::name::ResourceName;
use crate::domain::view::Moment;
use crate::host::clock::Clock;
use crate::host::lock::InstanceLock;
use crate::host::logging::{self, Logging, Setup as LogSetup};
use crate::host::signals::{Asked, Signals};
use crate::host::systemd;
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;
use std::sync::mpsc::RecvTimeoutError;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::runtime::Runtime;
use tokio::sync::watch;

/// No clock before this is right: heptad did not exist.
pub const FLOOR: Timestamp = Timestamp::constant(1_793_491_200, 0);

/// How long acts in flight may take to end after a stop was asked for: so many looks, with such
/// pauses. Real time, for the clock that heptad follows may stand still.
const LOOKS: u32 = 450;
const PAUSE: Duration = Duration::from_millis(200);

/// The name of the socket in the socket unit.
const SOCKET_NAME: &str = "control";

/// What the surroundings give: the library itself reads neither environment nor clock.
#[derive(Clone, Debug)]
pub struct Options {
    pub locations: Locations,
    pub env: Vec<(String, String)>,
    pub clock: Arc<dyn Clock>,
    /// `None` leaves logging as it is.
    pub log: Option<LogOptions>,
}

#[derive(Clone, Debug)]
pub struct LogOptions {
    pub journal_stream: Option<String>,
    pub colour: bool,
}

/// A running daemon.
pub struct Daemon {
    counter: Arc<DaemonService>,
    runtime: Runtime,
    driver: JoinHandle<()>,
    /// Breaks off when the driver has ended.
    driving: Receiver<()>,
    stop_serving: watch::Sender<bool>,
    served: tokio::task::JoinHandle<()>,
    /// Ticks until dropped.
    _housekeeping: tokio_cron_scheduler::JobScheduler,
    _lock: InstanceLock,
}

impl Daemon {
    /// Starts everything; on return the socket answers.
    ///
    /// # Errors
    /// [`BootError`]; nothing is left running then.
    pub fn start(options: Options) -> Result<Self, BootError> {
        let (setup, logging, barred) = prepare(&options)?;
        let Opening { setup, lock, catalogue, ledger } = open(setup)?;
        let runtime = runtime()?;
        let listener = runtime.block_on(async { listen(&setup.config.daemon.socket) })?;
        let clock = options.clock;
        let waiter = clock.waiter()?;
        let inbox = Inbox::new(waiter.bell());
        let bindings = bind(&setup, &ledger);
        let left_over = registrar::left_over(&setup.config, &ledger);
        let workers = workers(bindings.clone(), &inbox);
        let (began, before) = (clock.read(), ledger.elapsed);
        let first = reading(clock.as_ref(), began, before);
        let keeper = Keeper::new(ledger, FLOOR, first, uuid::Uuid::new_v4().as_u128());
        let (published, facts) = watch::channel(first_facts(&keeper, first.wall));
        inbox.put(Message::Event(Event::Configured(resources(&setup))));
        inbox.put(Message::Event(Event::Barred(barred)));
        let driver = Driver::new(Parts {
            engine: Engine::new(keeper, catalogue),
            clock: clock.clone(),
            waiter,
            inbox: inbox.clone(),
            workers: workers.clone(),
            published,
            began,
            elapsed_before: before,
        });
        let (driver, driving) = drive(driver)?;
        // Whoever is told that it is ready may ask for any resource of the configuration.
        let _ = runtime.block_on(facts.clone().wait_for(|facts| facts.generation > 0));

        let rules = rules(&setup);
        let backup = setup.config.daemon.state.join("catalogue.backup.sqlite");
        let counter = Arc::new(DaemonService {
            inbox: inbox.clone(),
            published: facts.clone(),
            clock,
            workers,
            readers: Readers::new(bindings.clone()),
            bindings,
            locations: options.locations,
            env: options.env,
            state: setup.config.daemon.state.clone(),
            logging,
            setup: Mutex::new(setup),
            loading: Mutex::default(),
            registering: Mutex::default(),
            answers: Mutex::default(),
        });
        // Before anybody can ask for something new, as nobody is served yet.
        counter.workers.know(counter.clone());
        counter.workers.let_go(left_over);
        let (stop_serving, stopped) = watch::channel(false);
        let served =
            runtime.spawn(serve(listener, counter.clone(), rules, Limits::default(), stopped));
        let keys = housekeeping::Keys { inbox, published: facts, backup };
        let housekeeping = runtime.block_on(housekeeping::start(keys))?;
        let _ = systemd::ready("protecting");
        tracing::info!("ready");
        Ok(Self {
            counter,
            runtime,
            driver,
            driving,
            stop_serving,
            served,
            _housekeeping: housekeeping,
            _lock: lock,
        })
    }

    /// Runs until SIGTERM or SIGINT; SIGHUP loads the configuration.
    ///
    /// # Errors
    /// [`BootError::System`] when the signals cannot be listened to.
    pub fn serve_until_signalled(self) -> Result<(), BootError> {
        let listened = self.runtime.block_on(async {
            let mut signals = Signals::listen()?;
            loop {
                match signals.next().await {
                    Asked::Stop => return Ok(()),
                    Asked::Reload => {
                        let _ = systemd::reloading();
                        // What is wrong is in the log.
                        let _ = tokio::task::block_in_place(|| self.counter.load());
                        let _ = systemd::ready("protecting");
                    }
                }
            }
        });
        self.stop();
        listened.map_err(|source| BootError::System { what: "listening to signals", source })
    }

    /// Ends gracefully: no new acts, those in flight may end, clients get their answers.
    pub fn stop(self) {
        tracing::info!("stopping");
        let _ = systemd::stopping(Duration::from_secs(100));
        self.counter.inbox.put(Message::Stop);
        self.await_driver();
        let _ = self.driver.join();
        let _ = self.stop_serving.send(true);
        let _ = self.runtime.block_on(self.served);
        self.runtime.shutdown_timeout(Duration::from_secs(1));
    }
}

impl Daemon {
    fn await_driver(&self) {
        for _ in 0..LOOKS {
            match self.driving.recv_timeout(PAUSE) {
                Err(RecvTimeoutError::Timeout) => self.counter.inbox.nudge(),
                _ => return,
            }
        }
        self.counter.inbox.put(Message::Leave);
    }
}

type Prepared = (Setup, Option<Logging>, BTreeMap<ResourceName, Barred>);

/// What is configured, and what of it this host and its unit do not allow; that is logged.
fn prepare(options: &Options) -> Result<Prepared, BootError> {
    let setup =
        check::prepare(&options.locations, &options.env).map_err(BootError::Configuration)?;
    let logging = start_logging(options, &setup)?;
    let barred = allowed::barred(&setup.bound, &Allowed::Here);
    log_findings(&setup, &barred);
    Ok((setup, logging, barred))
}

fn bind(setup: &Setup, ledger: &Ledger) -> Arc<Bindings> {
    let state = &setup.config.daemon.state;
    let bindings = Arc::new(Bindings::new(state));
    bindings.replace(setup.bound.clone(), ledger, state);
    bindings.note_unended(ledger);
    bindings
}

/// What is wrong on this host, and what the unit keeps from people.
fn log_findings(setup: &Setup, barred: &BTreeMap<ResourceName, Barred>) {
    setup.hampered.iter().for_each(|finding| tracing::error!("{finding}"));
    setup.config.remarks().iter().for_each(|remark| tracing::warn!("{remark}"));
    allowed::hampered(setup, barred).iter().for_each(|f| tracing::error!("{f}"));
    allowed::closed(setup, &Allowed::Here).iter().for_each(|f| tracing::info!("{f}"));
}

fn runtime() -> Result<Runtime, BootError> {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    let built = builder.worker_threads(2).enable_all().build();
    built.map_err(|source| BootError::System { what: "the runtime", source })
}

/// Whose reports go to the driver.
fn workers(bindings: Arc<Bindings>, inbox: &Inbox) -> Arc<Workers> {
    let inbox = inbox.clone();
    let report: Report =
        Arc::new(move |finished| inbox.put(Message::Event(Event::Finished(finished))));
    Workers::new(bindings, report)
}

/// On a thread of its own; the channel ends with it.
fn drive(driver: Driver) -> Result<(JoinHandle<()>, Receiver<()>), BootError> {
    let (drives, driving) = channel();
    let run = move || {
        let _drives: Sender<()> = drives;
        abort_on_panic(|| driver.run());
    };
    let thread = std::thread::Builder::new().name("driver".into()).spawn(run);
    let thread = thread.map_err(|source| BootError::System { what: "the driver", source })?;
    Ok((thread, driving))
}

fn start_logging(options: &Options, setup: &Setup) -> Result<Option<Logging>, BootError> {
    let Some(log) = &options.log else { return Ok(None) };
    let setup = LogSetup {
        filter: &setup.config.daemon.log,
        journal_stream: log.journal_stream.as_deref(),
        colour: log.colour,
        clock: options.clock.clone(),
    };
    Ok(Some(logging::init(setup)?))
}

/// The socket that systemd passed on, or one of our own.
fn listen(path: &Path) -> Result<Listener, BootError> {
    let passed = systemd::inherited(SOCKET_NAME)
        .map_err(|source| BootError::System { what: "on the inherited socket", source })?;
    match passed.into_iter().next() {
        Some(fd) => Ok(Listener::inherited(fd)?),
        None => {
            make_room_for(path);
            Ok(Listener::bind(path)?)
        }
    }
}

/// Makes the socket's own directory, as `$XDG_RUNTIME_DIR/heptad`, which is empty at each login.
/// Not those above: a wrong path shall not come into being. What goes wrong shows when listening.
fn make_room_for(socket: &Path) {
    let mode = if nix::unistd::geteuid().is_root() { 0o755 } else { 0o700 };
    if let Some(dir) = socket.parent() {
        let _ = std::fs::DirBuilder::new().mode(mode).create(dir);
    }
}

fn rules(setup: &Setup) -> Rules {
    let group = |name: &String| {
        let gid = nix::unistd::Group::from_name(name).ok().flatten().map(|g| g.gid.as_raw());
        Some(Group { name: name.clone(), gid })
    };
    Rules {
        own_uid: nix::unistd::geteuid().as_raw(),
        group: group(&setup.config.daemon.group),
        admin_group: group(&setup.config.daemon.admin_group),
    }
}

fn first_facts(keeper: &Keeper, now: Timestamp) -> Published {
    let (started, settled) = keeper.beginnings();
    let elapsed = keeper.ledger().elapsed;
    let Reading { slept, synchronised, .. } = keeper.reading();
    let belief = keeper.belief();
    Published {
        generation: 0,
        ledger: Arc::new(keeper.ledger().clone()),
        moment: Moment { now, started, settled, belief, elapsed, slept, synchronised },
        alarms: Vec::new(),
    }
}

/// A broken assertion in the keeper must not leave a daemon that looks alive: the process ends,
/// and the next start is the recovery.
fn abort_on_panic(run: impl FnOnce()) {
    if std::panic::catch_unwind(std::panic::AssertUnwindSafe(run)).is_err() {
        std::process::abort();
    }
}
