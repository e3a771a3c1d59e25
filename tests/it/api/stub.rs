//! A daemon that is played: it keeps a ledger, grants every wish and remembers who asked.

use super::ledger::ledger;
use heptad::api::roles::{Group, Rules};
use heptad::api::server::{Limits, Listener};
use heptad::api::service::{
    Handover, Metered, Mounted, Offers, OpenFile, OperationFilter, Published, Service, Soon,
    Target, Unreadable,
};
use heptad::api::start::serve;
use heptad::api::wire::{Check, Finding, Progress, Protected, Reloaded, UnderWay};
use heptad::domain::clock::Belief;
use heptad::domain::denied::Denied;
use heptad::domain::fee::{Tariff, UsageDay};
use heptad::domain::id::OperationId;
use heptad::domain::key::{Digest, Key};
use heptad::domain::ledger::Ledger;
use heptad::domain::name::ResourceName;
use heptad::domain::new_resource::NewResource;
use heptad::domain::operation::{Act, Cause, Operation, State};
use heptad::domain::plan::{Blueprint, Offer, Plan};
use heptad::domain::protect::{self, Unprotectable, Wish};
use heptad::domain::request::Request;
use heptad::domain::slot_record::SlotRecord;
use heptad::domain::snapshot::Seq;
use heptad::domain::timeline::Today;
use heptad::domain::tree::{BrowseError, Differences, Entry, Kind, Listing, Stamp, TreePath};
use heptad::domain::view::Moment;
use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use tempfile::TempDir;
use tokio::runtime::Runtime;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

pub const NOW: &str = "2026-11-22T12:00:00Z";
/// Groups that need not exist: the kernel knows numbers only.
pub const OPERATORS: u32 = 61_001;
pub const ADMINS: u32 = 61_002;

pub fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// Answers requests from memory.
pub struct Stub {
    facts: watch::Sender<Published>,
    asked: Mutex<Vec<(u32, Option<Key>, Request)>>,
    /// Of every change, what is no request of the domain's too.
    digests: Mutex<Vec<Digest>>,
    /// Never answers a request for a change.
    pub mute: bool,
    /// Bytes that operation 7 has done.
    pub done: AtomicU64,
    /// Keeps the other ends of files that never end.
    hanging: Mutex<Vec<mpsc::Sender<std::io::Result<Vec<u8>>>>>,
}

impl Stub {
    fn new(ledger: Ledger, mute: bool) -> Self {
        let moment = Moment {
            now: at(NOW),
            started: at("2026-11-01T00:00:00Z"),
            settled: at("2026-11-01T00:05:00Z"),
            belief: Belief::Trusted,
            elapsed: SignedDuration::ZERO,
            slept: SignedDuration::ZERO,
            synchronised: true,
        };
        let first =
            Published { generation: 7, ledger: Arc::new(ledger), moment, alarms: Vec::new() };
        Self {
            facts: watch::Sender::new(first),
            asked: Mutex::default(),
            digests: Mutex::default(),
            done: AtomicU64::new(0),
            mute,
            hanging: Mutex::default(),
        }
    }

    /// Who asked, with the text of the key, for what.
    pub fn asked(&self) -> Vec<(u32, Option<String>, Request)> {
        let asked = self.asked.lock().unwrap();
        asked.iter().map(|(uid, key, r)| (*uid, key.clone().map(|k| k.text), r.clone())).collect()
    }

    /// The digests of all requests that came with a key.
    pub fn digests(&self) -> Vec<Digest> {
        self.digests.lock().unwrap().clone()
    }

    fn note(&self, key: Option<&Key>) {
        self.digests.lock().unwrap().extend(key.and_then(|key| key.digest));
    }

    /// One turn of the driver.
    pub fn turn<T>(&self, change: impl FnOnce(&mut Ledger) -> T) -> T {
        let mut published = self.facts.borrow().clone();
        let answer = change(Arc::make_mut(&mut published.ledger));
        published.generation += 1;
        self.facts.send_replace(published);
        answer
    }

    pub fn finish(&self, id: u64) {
        self.turn(|ledger| {
            let operation = ledger.operations.get_mut(&OperationId(id)).unwrap();
            Arc::make_mut(operation).state = State::Succeeded;
        });
    }

    pub fn generation(&self) -> u64 {
        self.facts.borrow().generation
    }

    /// How many listen to the facts now.
    pub fn listeners(&self) -> usize {
        self.facts.receiver_count()
    }

    fn grant(&self, uid: u32, key: Option<Key>, request: Request) -> Result<Operation, Denied> {
        self.note(key.as_ref());
        self.asked.lock().unwrap().push((uid, key.clone(), request.clone()));
        let (name, act, state) = meaning(request);
        self.turn(|ledger| {
            let id = ledger.next_operation;
            ledger.next_operation = OperationId(id.0 + 1);
            let Some(account) = ledger.account_mut(&name) else {
                return Err(Denied::NoSuchResource { name, similar: None });
            };
            if let Act::SetTime { time } = act {
                let rhythm = account.policy().rhythm.with_time(time);
                account.wish.time = Some(time);
                account.timeline = account.timeline.change(rhythm, at(NOW), Today::Done);
            }
            let operation = Operation {
                id,
                resource: name,
                act,
                cause: Cause::Peer(uid),
                key,
                created: at(NOW),
                started: None,
                finished: None,
                state,
                tries: 0,
                cancel_asked_by: None,
                output: String::new(),
            };
            ledger.put_operation(&operation);
            Ok(operation)
        })
    }
}

/// What is under every path.
fn motd() -> Entry {
    Entry {
        name: b"motd".into(),
        kind: Kind::File,
        size: 6,
        mtime: Stamp { secs: 1_700_000_000, nanos: 5 },
        mode: 0o644,
        uid: 0,
        gid: 0,
        target: None,
    }
}

/// What a request becomes: taking takes a while, all else is done at once.
fn meaning(request: Request) -> (ResourceName, Act, State) {
    let web = || "web-1".parse().unwrap();
    let done = State::Succeeded;
    match request {
        Request::Take { resource, name, tags, part } => {
            let act = Act::Take { seq: Seq(90), slot: None, name, tags, part };
            (resource, act, State::Queued)
        }
        Request::SetTime { resource, time } => (resource, Act::SetTime { time }, done),
        Request::Enable { resource, time } => (resource, Act::Enable { time }, done),
        Request::Disable { resource } => (resource, Act::Disable, done),
        Request::Reset { resource } => (resource, Act::Reset, done),
        Request::Acknowledge { resource } => (resource, Act::Acknowledge, done),
        Request::Rotate { resource } => (resource, Act::Rotate, done),
        Request::Forget { resource, automatic, .. } => {
            (resource, Act::Forget { automatic, last: None }, done)
        }
        Request::Keep { name, tags, .. } => {
            (web(), Act::Keep { from: Seq(7), seq: Seq(91), name, tags }, State::Queued)
        }
        Request::TagResource { resource, change } => {
            (resource, Act::Tag { seq: None, change }, done)
        }
        Request::TagSnapshot { change, .. } => {
            (web(), Act::Tag { seq: Some(Seq(7)), change }, State::Queued)
        }
        Request::Create { draft, .. } => {
            (web(), Act::Create { from: Seq(7), draft }, State::Queued)
        }
        Request::Rollback { resource, .. } => {
            (resource, Act::Rollback { to: Seq(7), safety: Seq(92) }, State::Queued)
        }
        Request::Attach { instance, disk } => (instance, Act::Attach { disk }, State::Queued),
        Request::Detach { instance, disk } => (instance, Act::Detach { disk }, State::Queued),
        Request::Delete { .. } => (web(), Act::Trash { seq: Seq(7) }, done),
        Request::Undelete { .. } => (web(), Act::Undelete { seq: Seq(7) }, done),
        Request::Rehearse(request) => meaning(*request),
        Request::Cancel { .. } => (web(), Act::Reset, done),
    }
}

impl Service for Stub {
    fn submit(
        &self,
        uid: u32,
        key: Option<Key>,
        request: Request,
    ) -> Soon<'_, Result<Operation, Denied>> {
        if self.mute {
            return Box::pin(std::future::pending());
        }
        Box::pin(async move { self.grant(uid, key, request) })
    }

    fn published(&self) -> watch::Receiver<Published> {
        self.facts.subscribe()
    }

    fn now(&self) -> Timestamp {
        at(NOW)
    }

    fn slots(
        &self,
        resource: ResourceName,
        from: Timestamp,
        until: Timestamp,
    ) -> Soon<'_, Result<Vec<SlotRecord>, Unreadable>> {
        let ledger = Arc::clone(&self.facts.borrow().ledger);
        Box::pin(async move {
            let account = ledger.account(&resource).ok_or_else(|| Unreadable("?".into()))?;
            let within = |record: &&SlotRecord| from <= record.due && record.due < until;
            Ok(account.slots.values().filter(within).cloned().collect())
        })
    }

    fn operations(&self, filter: OperationFilter) -> Soon<'_, Result<Vec<Operation>, Unreadable>> {
        let ledger = Arc::clone(&self.facts.borrow().ledger);
        Box::pin(async move {
            let wanted = |o: &&Arc<Operation>| {
                filter.id.is_none_or(|id| o.id == id)
                    && filter.before.is_none_or(|before| o.id < before)
                    && filter.resource.as_ref().is_none_or(|name| o.resource == *name)
                    && filter.open.is_none_or(|open| o.is_open() == open)
            };
            let newest_first = ledger.operations.values().rev().filter(wanted);
            Ok(newest_first.take(filter.limit).map(|o| o.as_ref().clone()).collect())
        })
    }

    fn usage(&self, from: Date, until: Date) -> Soon<'_, Result<Metered, Unreadable>> {
        let day = |day: &str, resource: &str, byte_hours| UsageDay {
            resource: resource.parse().unwrap(),
            day: day.parse().unwrap(),
            byte_hours,
            stored: Some(4),
            exclusive: None,
            occupied: Some(3),
        };
        let mut days = vec![
            day("2026-10-31", "web-1", 73_000_000_000),
            day("2026-11-01", "gone-1", 7_300_000_000),
            day("2026-11-01", "web-1", 730_000_000_000),
            day("2026-11-02", "web-1", 730_000_000_000),
        ];
        days.retain(|usage| (from..until).contains(&usage.day));
        Box::pin(async { Ok(Metered { tariff: Tariff::default(), days }) })
    }

    fn offers(&self) -> Offers {
        let plan = |name: &str, vcpus, memory| Offer {
            plan: Plan { name: name.parse().unwrap(), vcpus, memory, disk: 60_000_000_000 },
            price: (vcpus > 1).then_some(12.5),
        };
        let name = "ghost".parse().unwrap();
        Offers {
            currency: "EUR".into(),
            plans: vec![plan("large", 2, 8 << 30), plan("tiny", 1, 512 << 20)],
            blueprints: vec![Blueprint { name, description: None, export: false }],
        }
    }

    fn protect(&self, key: Option<Key>, wish: Wish) -> Soon<'_, Result<Protected, Unprotectable>> {
        self.note(key.as_ref());
        let protect::Target::Path(place) = wish.target else {
            return Box::pin(async { Err(Unprotectable::NoSuchPlace { place: "guest".into() }) });
        };
        let answer = Protected {
            name: "www".into(),
            kind: "disk".into(),
            backend: "files".into(),
            what: "a directory".into(),
            place,
            file: "/var/lib/heptad/enrolled/www.toml".into(),
            table: "[resource.www]\n".into(),
            written: !wish.dry_run,
            notes: Vec::new(),
        };
        Box::pin(async { Ok(answer) })
    }

    fn reload(&self) -> Soon<'_, Result<Reloaded, Vec<Finding>>> {
        Box::pin(async { Ok(Reloaded { added: vec!["db".into()], ..Reloaded::default() }) })
    }

    fn check(&self) -> Soon<'_, Check> {
        Box::pin(async { Check { loadable: true, ..Check::default() } })
    }

    /// Two bytes are never enough.
    fn fits(&self, _: Target, draft: NewResource) -> Soon<'_, Result<(), String>> {
        let small = draft.size == Some(2);
        Box::pin(async move { if small { Err("2 bytes are too small".into()) } else { Ok(()) } })
    }

    fn may_attach(&self, _: ResourceName, _: ResourceName) -> Soon<'_, Result<(), String>> {
        Box::pin(async { Ok(()) })
    }

    fn may_detach(&self, _: ResourceName, _: ResourceName) -> Soon<'_, Result<(), String>> {
        Box::pin(async { Ok(()) })
    }

    fn list_files(
        &self,
        _: Target,
        _: TreePath,
        _: Option<Vec<u8>>,
        _: usize,
    ) -> Soon<'_, Result<Listing, BrowseError>> {
        Box::pin(async { Ok(Listing { top: motd(), entries: Vec::new(), more: false }) })
    }

    /// Of the path `stuck` half the bytes never come.
    fn open_file(&self, _: Target, path: TreePath) -> Soon<'_, Result<OpenFile, BrowseError>> {
        let (pieces, bytes) = mpsc::channel(2);
        pieces.try_send(Ok(b"hel".into())).unwrap();
        if path.as_bytes() == b"stuck" {
            self.hanging.lock().unwrap().push(pieces);
        } else {
            pieces.try_send(Ok(b"lo\n".into())).unwrap();
        }
        Box::pin(async { Ok(OpenFile { entry: motd(), bytes }) })
    }

    fn compare_files(
        &self,
        _: Target,
        _: Target,
        _: TreePath,
        _: Option<TreePath>,
        _: usize,
    ) -> Soon<'_, Result<Differences, BrowseError>> {
        Box::pin(async { Ok(Differences::default()) })
    }

    fn mount_files(&self, _: Target) -> Soon<'_, Result<Handover, BrowseError>> {
        Box::pin(async { Err(BrowseError::NoBackend) })
    }

    fn mounted(&self) -> Result<Vec<Mounted>, BrowseError> {
        Ok(Vec::new())
    }

    fn progress(&self, _operation: OperationId) -> Option<Progress> {
        Some(Progress {
            done_bytes: 1,
            total_bytes: Some(2),
            bytes_per_second: Some(1),
            seconds_left: Some(1),
        })
    }

    fn under_way(&self) -> Vec<UnderWay> {
        let done_bytes = self.done.load(Ordering::SeqCst);
        let progress = Progress {
            done_bytes,
            total_bytes: Some(20),
            bytes_per_second: None,
            seconds_left: None,
        };
        if done_bytes == 0 { Vec::new() } else { vec![UnderWay { id: 7, progress }] }
    }
}

/// The interface in front of a stub, on a socket of its own. Stops when dropped.
pub struct Scene {
    pub stub: Arc<Stub>,
    pub stop: watch::Sender<bool>,
    pub served: Option<JoinHandle<()>>,
    pub runtime: Runtime,
    dir: TempDir,
}

impl Scene {
    pub fn new() -> Self {
        Self::with(Limits::default())
    }

    pub fn with(limits: Limits) -> Self {
        Self::of(limits, ledger(1), false)
    }

    pub fn mute(limits: Limits) -> Self {
        Self::of(limits, ledger(1), true)
    }

    pub fn crowded(limits: Limits, resources: u32) -> Self {
        Self::of(limits, ledger(resources), false)
    }

    fn of(limits: Limits, ledger: Ledger, mute: bool) -> Self {
        let dir = tempfile::Builder::new().prefix("heptad-api-").tempdir().unwrap();
        std::fs::set_permissions(dir.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
        let runtime = Runtime::new().unwrap();
        let stub = Arc::new(Stub::new(ledger, mute));
        let (stop, stopping) = watch::channel(false);
        let group = |name: &str, gid| Some(Group { name: name.into(), gid: Some(gid) });
        let rules = Rules {
            own_uid: 61_999,
            group: group("heptad", OPERATORS),
            admin_group: group("heptad-admin", ADMINS),
        };
        let listener = {
            let _inside = runtime.enter();
            Listener::bind(&dir.path().join("s")).unwrap()
        };
        let desk: Arc<Stub> = Arc::clone(&stub);
        let served = runtime.spawn(serve(listener, desk, rules, limits, stopping));
        Self { stub, stop, served: Some(served), runtime, dir }
    }

    pub fn socket(&self) -> PathBuf {
        self.dir.path().join("s")
    }

    /// Ends the server and waits for it.
    pub fn end(&mut self) {
        self.stop.send_replace(true);
        if let Some(served) = self.served.take() {
            self.runtime.block_on(served).unwrap();
        }
    }
}
