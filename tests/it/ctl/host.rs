//! The real server and the real keeper over a backend in memory, on a clock that the test drives.

use heptad::api::roles::Rules;
use heptad::api::server::{Limits, Listener};
use heptad::api::service::{
    Handover, Metered, Mounted, Offers, OpenFile, OperationFilter, Published, Service, Soon,
    Target, Unreadable,
};
use heptad::api::start::serve;
use heptad::api::wire::{Check, Finding, Progress, Protected, Reloaded, UnderWay};
use heptad::domain::clock::Reading;
use heptad::domain::denied::Denied;
use heptad::domain::event::{Action, Ask, Event};
use heptad::domain::fee::Tariff;
use heptad::domain::id::OperationId;
use heptad::domain::keeper::Keeper;
use heptad::domain::key::Key;
use heptad::domain::ledger::Ledger;
use heptad::domain::name::ResourceName;
use heptad::domain::new_resource::NewResource;
use heptad::domain::operation::{Failure, Fault, Operation};
use heptad::domain::order::{Order, Work};
use heptad::domain::policy::{Policy, Retention, Rhythm, When, Zone};
use heptad::domain::protect::{Unprotectable, Wish};
use heptad::domain::report::{Done, Finished, Taken};
use heptad::domain::request::Request;
use heptad::domain::resource::{Binding, Kind, Resource};
use heptad::domain::slot_record::SlotRecord;
use heptad::domain::snapshot::{Content, Facts, Seq};
use heptad::domain::survey::{Found, Survey, Wholeness};
use heptad::domain::tree::{BrowseError, Differences, Listing, TreePath};
use heptad::domain::usage::UsageReport;
use heptad::domain::view::Moment;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use std::collections::{BTreeMap, VecDeque};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use tempfile::TempDir;
use tokio::sync::watch;

/// A daily resource in Berlin.
pub fn resource(name: &str, time: &str) -> Resource {
    let rhythm = Rhythm {
        when: When::Daily(time.parse().unwrap()),
        zone: Zone::new(TimeZone::get("Europe/Berlin").unwrap()),
        offset: 0,
    };
    Resource {
        name: name.parse().unwrap(),
        kind: Kind::Disk,
        backend: Binding { kind: "files".into(), options: "{}".into() },
        policy: Policy { rhythm, retention: Retention::SEVEN, enabled: true },
        tags: Default::default(),
        plan: None,
        blueprint: None,
        enrolled: false,
    }
}

struct World {
    keeper: Keeper,
    reading: Reading,
    generation: u64,
    objects: BTreeMap<ResourceName, Vec<Found>>,
    /// Whether the disk is full.
    full: bool,
}

impl World {
    /// One event with all that follows from it at once; the reply, if it was a question.
    fn turn(&mut self, event: Event) -> Option<Result<Operation, Denied>> {
        let mut reply = None;
        let mut events = VecDeque::from([event]);
        while let Some(event) = events.pop_front() {
            for action in self.keeper.handle(event, self.reading) {
                match action {
                    Action::Record(_) | Action::Halt(_) => {}
                    Action::Reply(_, answer) => reply = Some(answer),
                    Action::Start(order) => events.push_back(Event::Finished(self.perform(&order))),
                }
            }
        }
        self.generation += 1;
        reply
    }

    fn perform(&mut self, order: &Order) -> Finished {
        let full = self.full;
        let objects = self.objects.entry(order.resource.clone()).or_default();
        let result = match &order.work {
            Work::Take { .. } if full => Err(Failure::new(Fault::NoSpace, "the disk is full")),
            Work::Survey { .. } => Ok(Done::Surveyed(survey(objects), UsageReport::default())),
            Work::Take { card, .. } => {
                let content = Content { empty: false, entries: Some(12), bytes: Some(3 << 20) };
                objects.push(Found {
                    card: card.clone(),
                    state: Wholeness::Whole,
                    mark: Default::default(),
                    content: Some(content),
                    notes: Vec::new(),
                    told: Default::default(),
                });
                let facts = Facts {
                    content: Some(content),
                    stored: Some(3 << 20),
                    exclusive: Some(1 << 20),
                    ..Facts::default()
                };
                let object = format!("object-{}", card.handle.seq);
                Ok(Done::Taken(Taken { object, facts, incomplete: None, survey: survey(objects) }))
            }
            Work::Destroy { handle, .. } => {
                objects.retain(|found| found.card.handle.seq != handle.seq);
                Ok(Done::Destroyed)
            }
            Work::Restore { draft, .. } => Ok(Done::Restored {
                path: draft.path.clone().unwrap_or_default(),
                notes: Vec::new(),
            }),
            Work::Rollback { .. } => {
                Ok(Done::RolledBack { identity: Some("1".into()), failure: None, left: None })
            }
            Work::Attach { .. } => Ok(Done::Attached("vdb".into())),
            Work::Detach { .. } => Ok(Done::Detached),
            Work::Mark { handle, mark } => {
                let of_it = |found: &&mut Found| found.card.handle.seq == handle.seq;
                if let Some(found) = objects.iter_mut().find(of_it) {
                    found.mark = mark.clone();
                }
                Ok(Done::Marked)
            }
        };
        Finished { operation: order.operation, result, output: String::new() }
    }

    fn published(&self) -> Published {
        let (started, settled) = self.keeper.beginnings();
        let moment = Moment {
            now: self.reading.wall,
            started,
            settled,
            belief: self.keeper.belief(),
            elapsed: self.reading.elapsed,
            slept: self.reading.slept,
            synchronised: self.reading.synchronised,
        };
        let ledger = Arc::new(self.keeper.ledger().clone());
        Published { generation: self.generation, ledger, moment, alarms: Vec::new() }
    }
}

fn survey(objects: &[Found]) -> Survey {
    let high_water = objects.iter().map(|found| found.card.handle.seq).max().unwrap_or(Seq(0));
    Survey {
        identity: Some("uuid-1".into()),
        found: objects.to_vec(),
        high_water,
        ..Survey::default()
    }
}

struct Bench {
    world: Mutex<World>,
    published: watch::Sender<Published>,
}

impl Bench {
    fn turn(&self, event: Event) -> Option<Result<Operation, Denied>> {
        let mut world = self.world.lock().unwrap();
        let reply = world.turn(event);
        self.published.send_replace(world.published());
        reply
    }
}

impl Service for Bench {
    fn submit(
        &self,
        uid: u32,
        key: Option<Key>,
        request: Request,
    ) -> Soon<'_, Result<Operation, Denied>> {
        let ask = Ask { ticket: 1, uid, key, request };
        Box::pin(async move { self.turn(Event::Asked(ask)).unwrap() })
    }

    fn published(&self) -> watch::Receiver<Published> {
        self.published.subscribe()
    }

    fn now(&self) -> Timestamp {
        self.world.lock().unwrap().reading.wall
    }

    fn slots(
        &self,
        resource: ResourceName,
        from: Timestamp,
        until: Timestamp,
    ) -> Soon<'_, Result<Vec<SlotRecord>, Unreadable>> {
        let world = self.world.lock().unwrap();
        let records = world.keeper.ledger().account(&resource).into_iter();
        let records = records.flat_map(|account| account.slots.values().cloned());
        let found = records.filter(|record| (from..until).contains(&record.due)).collect();
        Box::pin(async move { Ok(found) })
    }

    fn operations(&self, filter: OperationFilter) -> Soon<'_, Result<Vec<Operation>, Unreadable>> {
        let world = self.world.lock().unwrap();
        let all = world.keeper.ledger().operations.values().rev();
        let found = all.filter(|operation| {
            filter.id.is_none_or(|id| operation.id == id)
                && filter.before.is_none_or(|before| operation.id < before)
                && filter.resource.as_ref().is_none_or(|name| operation.resource == *name)
                && filter.open.is_none_or(|open| operation.is_open() == open)
        });
        let found = found.take(filter.limit).map(|operation| (**operation).clone()).collect();
        Box::pin(async move { Ok(found) })
    }

    fn usage(&self, _: Date, _: Date) -> Soon<'_, Result<Metered, Unreadable>> {
        Box::pin(async { Ok(Metered { tariff: Tariff::default(), days: Vec::new() }) })
    }

    fn fits(&self, _: Target, _: NewResource) -> Soon<'_, Result<(), String>> {
        Box::pin(async { Ok(()) })
    }

    fn may_attach(&self, _: ResourceName, _: ResourceName) -> Soon<'_, Result<(), String>> {
        Box::pin(async { Ok(()) })
    }

    fn may_detach(&self, _: ResourceName, _: ResourceName) -> Soon<'_, Result<(), String>> {
        Box::pin(async { Ok(()) })
    }

    fn offers(&self) -> Offers {
        Offers { currency: "USD".into(), plans: Vec::new(), blueprints: Vec::new() }
    }

    fn protect(&self, _: Option<Key>, _: Wish) -> Soon<'_, Result<Protected, Unprotectable>> {
        Box::pin(async { Err(Unprotectable::NoSuchPlace { place: "/srv".into() }) })
    }

    fn reload(&self) -> Soon<'_, Result<Reloaded, Vec<Finding>>> {
        let finding = |line, key: &str, message: &str, hint: &str| Finding {
            file: Some("/etc/heptad/heptad.toml".into()),
            line: Some(line),
            key: Some(key.into()),
            message: message.into(),
            hint: Some(hint.into()),
            remark: false,
        };
        let odd = "is not a known key";
        let first = finding(3, "resource.home.tiem", odd, "did you mean time?");
        let second = finding(9, "fee.prize", odd, "did you mean price?");
        Box::pin(async { Err(vec![first, second]) })
    }

    fn check(&self) -> Soon<'_, Check> {
        Box::pin(async { Check { loadable: true, ..Check::default() } })
    }

    fn list_files(
        &self,
        _: Target,
        _: TreePath,
        _: Option<Vec<u8>>,
        _: usize,
    ) -> Soon<'_, Result<Listing, BrowseError>> {
        Box::pin(async { Err(BrowseError::NoBackend) })
    }

    fn open_file(&self, _: Target, _: TreePath) -> Soon<'_, Result<OpenFile, BrowseError>> {
        Box::pin(async { Err(BrowseError::NoBackend) })
    }

    fn compare_files(
        &self,
        _: Target,
        _: Target,
        _: TreePath,
        _: Option<TreePath>,
        _: usize,
    ) -> Soon<'_, Result<Differences, BrowseError>> {
        Box::pin(async { Err(BrowseError::NoBackend) })
    }

    fn mount_files(&self, _: Target) -> Soon<'_, Result<Handover, BrowseError>> {
        Box::pin(async { Err(BrowseError::NoBackend) })
    }

    fn mounted(&self) -> Result<Vec<Mounted>, BrowseError> {
        Ok(Vec::new())
    }

    fn under_way(&self) -> Vec<UnderWay> {
        Vec::new()
    }

    fn progress(&self, _: OperationId) -> Option<Progress> {
        None
    }
}

/// A daemon in this process; stops when dropped.
pub struct Host {
    dir: TempDir,
    bench: Arc<Bench>,
    stop: watch::Sender<bool>,
    thread: Option<JoinHandle<()>>,
}

impl Host {
    /// Of these resources, started at a time; `rules` say who may do what.
    pub fn start(resources: Vec<Resource>, at: Timestamp, rules: Rules) -> Self {
        let reading = Reading {
            wall: at,
            boot: SignedDuration::from_hours(1),
            synchronised: true,
            elapsed: SignedDuration::ZERO,
            slept: SignedDuration::ZERO,
        };
        let keeper = Keeper::new(Ledger::default(), at, reading, 7);
        let objects = BTreeMap::new();
        let world = World { keeper, reading, generation: 1, objects, full: false };
        let published = watch::Sender::new(world.published());
        let bench = Arc::new(Bench { world: Mutex::new(world), published });
        bench.turn(Event::Configured(resources));
        let dir = tempfile::tempdir().unwrap();
        let (stop, stopped) = watch::channel(false);
        let (desk, socket) = (Arc::clone(&bench), dir.path().join("heptad.sock"));
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
        let listener = runtime.block_on(async { Listener::bind(&socket).unwrap() });
        let thread = std::thread::spawn(move || {
            runtime.block_on(serve(listener, desk, rules, Limits::default(), stopped));
        });
        Self { dir, bench, stop, thread: Some(thread) }
    }

    pub fn socket(&self) -> PathBuf {
        self.dir.path().join("heptad.sock")
    }

    pub fn set_full(&self, full: bool) {
        self.bench.world.lock().unwrap().full = full;
    }

    pub fn configure(&self, resources: Vec<Resource>) {
        self.bench.turn(Event::Configured(resources));
    }

    /// Lets time pass, waking whenever the keeper wishes it.
    pub fn run_until(&self, end: Timestamp) {
        loop {
            let wake = self.bench.world.lock().unwrap().keeper.wake();
            let next = wake.filter(|wake| *wake < end).unwrap_or(end);
            {
                let mut world = self.bench.world.lock().unwrap();
                let past = next.duration_since(world.reading.wall);
                let past = past.max(SignedDuration::ZERO);
                world.reading.wall = world.reading.wall.saturating_add(past).unwrap();
                world.reading.boot = world.reading.boot.saturating_add(past);
                world.reading.elapsed = world.reading.elapsed.saturating_add(past);
            }
            self.bench.turn(Event::Tick);
            if next == end {
                return;
            }
        }
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        let _ = self.stop.send(true);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
