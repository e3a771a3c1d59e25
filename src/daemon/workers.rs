//! The hands: threads that perform orders, bounded per pool, so that a stuck pool delays only
//! itself.

use super::bindings::{Bindings, Bound, Unended};
use super::create::CreateContext;
use super::hooks::{self, Occasion};
use super::perform::perform;
use crate::backend::Image;
use crate::domain::id::OperationId;
use crate::domain::name::ResourceName;
use crate::domain::operation::{Failure, Fault};
use crate::domain::order::{Guard, Order, Work};
use crate::domain::report::{Done, Finished};
use crate::domain::resource::Resource;
use crate::domain::usage::UsageScope;
use crate::fs::Progress;
use std::collections::{BTreeMap, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Instant;

/// Where reports go.
pub(super) type Report = Arc<dyn Fn(Finished) + Send + Sync>;

/// Most threads of one pool, whatever its backend likes.
const MOST: usize = 128;

pub(super) struct Workers {
    bindings: Arc<Bindings>,
    report: Report,
    pools: Mutex<BTreeMap<String, Pool>>,
    progress: Mutex<BTreeMap<OperationId, Arc<Meter>>>,
    /// Of each order that waits or is performed, where to say that it is not wanted any more.
    wanted: Mutex<BTreeMap<OperationId, Arc<AtomicBool>>>,
    registrar: OnceLock<Arc<dyn Registrar>>,
}

#[derive(Default)]
struct Pool {
    running: usize,
    waiting: VecDeque<Waiting>,
}

/// An order in the queue of its pool.
struct Waiting {
    order: Order,
    binding: Arc<Bound>,
    /// Whether it is wanted still.
    wanted: Arc<AtomicBool>,
}

/// Who makes new resources known, and lets go of those that were forgotten.
pub(super) trait Registrar: Send + Sync {
    /// # Errors
    /// A sentence that says what would stand against it.
    fn may_enroll(&self, derived: &Resource) -> Result<(), String>;

    /// # Errors
    /// A sentence that says why it is not known now, and what to do.
    fn enroll(&self, derived: &Resource) -> Result<(), String>;

    /// Ends the declarations of enrolled resources that were forgotten.
    fn let_go(&self, names: &[ResourceName]);
}

/// How far one act is.
#[derive(Debug)]
struct Meter {
    begun: Instant,
    done: AtomicU64,
    /// `u64::MAX` while unknown.
    total: AtomicU64,
    wanted: Arc<AtomicBool>,
}

impl Meter {
    fn new(wanted: Arc<AtomicBool>) -> Self {
        let (done, total) = (AtomicU64::new(0), AtomicU64::new(u64::MAX));
        Self { begun: Instant::now(), done, total, wanted }
    }

    /// Nothing before the backend has told any.
    fn read(&self) -> Option<Gone> {
        let done = self.done.load(Ordering::Relaxed);
        let total = self.total.load(Ordering::Relaxed);
        // One that was guessed from the last time, and is too small, says nothing.
        let total = (total != u64::MAX && total > 0 && done <= total).then_some(total);
        (done > 0).then(|| Gone { done, total, milliseconds: self.begun.elapsed().as_millis() })
    }
}

/// How far an act is, and since when it is on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Gone {
    pub done: u64,
    pub total: Option<u64>,
    milliseconds: u128,
}

impl Gone {
    /// Bytes a second, on the average.
    pub(super) fn rate(&self) -> Option<u64> {
        let rate = u128::from(self.done) * 1000 / self.milliseconds.max(1);
        (self.milliseconds >= 500).then(|| u64::try_from(rate).unwrap_or(u64::MAX))
    }

    /// Seconds that the rest would take at that rate; nothing as long as the rate says little.
    pub(super) fn left(&self) -> Option<u64> {
        let rate = self.rate().filter(|rate| *rate > 0)?;
        let tells = |total: &u64| self.milliseconds >= 3000 && self.done >= total / 50;
        self.total.filter(tells).map(|total| total.saturating_sub(self.done).div_ceil(rate))
    }
}

impl Progress for Meter {
    fn report(&self, done: u64, total: Option<u64>) {
        self.done.store(done, Ordering::Relaxed);
        self.total.store(total.unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    fn is_wanted(&self) -> bool {
        self.wanted.load(Ordering::Relaxed)
    }
}

/// What one order has around it.
struct Around<'a> {
    workers: &'a Workers,
    meter: &'a Meter,
}

impl Progress for Around<'_> {
    fn report(&self, done: u64, total: Option<u64>) {
        self.meter.report(done, total);
    }

    fn is_wanted(&self) -> bool {
        self.meter.is_wanted()
    }
}

impl CreateContext for Around<'_> {
    fn may_enroll(&self, derived: &Resource) -> Result<(), String> {
        self.workers.registrar.get().map_or(Ok(()), |registrar| registrar.may_enroll(derived))
    }

    fn enroll(&self, derived: &Resource) -> Result<(), String> {
        match self.workers.registrar.get() {
            Some(registrar) => registrar.enroll(derived),
            None => Err("heptad is starting; declare it in the configuration".into()),
        }
    }

    fn image(&self, disk: &ResourceName) -> Option<Image> {
        self.workers.bindings.of(disk)?.backend.image()
    }
}

impl Workers {
    pub(super) fn new(bindings: Arc<Bindings>, report: Report) -> Arc<Self> {
        Arc::new(Self {
            bindings,
            report,
            pools: Mutex::default(),
            progress: Mutex::default(),
            wanted: Mutex::default(),
            registrar: OnceLock::new(),
        })
    }

    /// Performs an order soon; its report comes whatever happens.
    pub(super) fn submit(self: &Arc<Self>, order: Order) {
        let Some(binding) = self.bindings.of(&order.resource) else {
            let message = "no backend serves it now: it is not in the configuration";
            self.fail(order.operation, message);
            return;
        };
        let wanted = Arc::new(AtomicBool::new(order.wanted));
        lock(&self.wanted).insert(order.operation, Arc::clone(&wanted));
        let name = binding.backend.pool();
        let limit = binding.backend.capabilities().in_flight.clamp(1, MOST);
        let mut pools = lock(&self.pools);
        let pool = pools.entry(name.clone()).or_default();
        pool.waiting.push_back(Waiting { order, binding, wanted });
        if pool.running < limit {
            pool.running += 1;
            drop(pools);
            self.start(name);
        }
    }

    /// What is under way shall stop where it still can; its report tells whether it did.
    pub(super) fn halt(&self, operation: OperationId) {
        if let Some(wanted) = lock(&self.wanted).get(&operation) {
            wanted.store(false, Ordering::Relaxed);
        }
    }

    /// Tells who makes new resources known.
    pub(super) fn know(&self, registrar: Arc<dyn Registrar>) {
        let _ = self.registrar.set(registrar);
    }

    /// Lets go of enrolled resources that were forgotten, soon.
    pub(super) fn let_go(&self, names: Vec<ResourceName>) {
        let Some(registrar) = self.registrar.get().cloned().filter(|_| !names.is_empty()) else {
            return;
        };
        let thread = std::thread::Builder::new().name("registrar".into());
        if let Err(error) = thread.spawn(move || registrar.let_go(&names)) {
            tracing::warn!(%error, "no thread to withdraw declarations with: {error}; the next start \
                withdraws them");
        }
    }

    /// How many acts are in flight or waiting.
    pub(super) fn busy(&self) -> usize {
        lock(&self.pools).values().map(|pool| pool.running + pool.waiting.len()).sum()
    }

    /// How far a running operation is, once its backend has told any.
    pub(super) fn progress(&self, operation: OperationId) -> Option<Gone> {
        lock(&self.progress).get(&operation)?.read()
    }

    /// The same of all that run.
    pub(super) fn under_way(&self) -> Vec<(OperationId, Gone)> {
        let meters = lock(&self.progress);
        meters.iter().filter_map(|(id, meter)| Some((*id, meter.read()?))).collect()
    }

    fn start(self: &Arc<Self>, pool: String) {
        let workers = Arc::clone(self);
        let name: String = pool.chars().rev().take(8).collect::<Vec<_>>().iter().rev().collect();
        let thread = std::thread::Builder::new().name(format!("pool {name}"));
        let work = {
            let pool = pool.clone();
            move || workers.drain(&pool)
        };
        if let Err(error) = thread.spawn(work) {
            tracing::error!(%error, pool, "no thread for work on {pool}: {error}");
            self.give_up(&pool);
        }
    }

    /// The thread that was counted does not exist. Others of the pool go on; without any, nobody
    /// would ever come to what waits.
    fn give_up(&self, name: &str) {
        let waiting = {
            let mut pools = lock(&self.pools);
            let Some(pool) = pools.get_mut(name) else { return };
            pool.running -= 1;
            if pool.running > 0 {
                return;
            }
            pools.remove(name).map(|pool| pool.waiting).unwrap_or_default()
        };
        for Waiting { order, .. } in waiting {
            self.fail(order.operation, "the system gives no more threads");
        }
    }

    /// Performs one order after the other until the pool's queue is empty.
    fn drain(&self, name: &str) {
        while let Some(Waiting { order, binding, wanted }) = self.next(name) {
            let meter = Arc::new(Meter::new(wanted));
            lock(&self.progress).insert(order.operation, meter.clone());
            if let Some(unended) = self.bindings.unended(&order.resource) {
                end(&order.resource, &binding, &unended);
            }
            let finished = self.unless_read(&order, || {
                run(&order, &binding, &Around { workers: self, meter: &meter })
            });
            lock(&self.progress).remove(&order.operation);
            lock(&self.wanted).remove(&order.operation);
            (self.report)(finished);
        }
    }

    /// What a person reads at this moment is not destroyed.
    fn unless_read(&self, order: &Order, act: impl FnOnce() -> Finished) -> Finished {
        let Work::Destroy { handle, guard } = &order.work else { return act() };
        let lease = self.bindings.leases().destroy(&order.resource, handle.seq);
        let mounted = self.bindings.mounted().forbids(&order.resource, handle.seq);
        let used = match (&lease, mounted) {
            (None, _) => {
                Some("its files are being read at this moment; it is tried again later".into())
            }
            (Some(_), Ok(why)) => why,
            (Some(_), Err(why)) => Some(format!("whether it is mounted is not known: {why}")),
        };
        match used {
            None => act(),
            Some(message) => {
                // Rotation takes another look at it with the next snapshot; what a person or the
                // trash doomed stays doomed.
                let result = match guard {
                    Guard::Paid { .. } => Ok(Done::Unpaid(message)),
                    Guard::Asked | Guard::Thrown | Guard::Remains => {
                        Err(Failure::new(Fault::Busy, message))
                    }
                };
                Finished { operation: order.operation, result, output: String::new() }
            }
        }
    }

    fn next(&self, name: &str) -> Option<Waiting> {
        let mut pools = lock(&self.pools);
        let pool = pools.get_mut(name)?;
        // What measures takes minutes, and a due snapshot does not wait for more than what has
        // begun.
        let quick = pool.waiting.iter().position(|next| !measures(&next.order.work));
        let next = pool.waiting.remove(quick.unwrap_or(0));
        if next.is_none() {
            pool.running -= 1;
            if pool.running == 0 {
                pools.remove(name);
            }
        }
        next
    }

    fn fail(&self, operation: OperationId, message: &str) {
        lock(&self.wanted).remove(&operation);
        let result = Err(Failure::new(Fault::Permanent, message));
        (self.report)(Finished { operation, result, output: String::new() });
    }
}

fn measures(work: &Work) -> bool {
    matches!(work, Work::Survey { weigh: UsageScope::Total | UsageScope::All, .. })
}

/// Runs the after-hooks that a crash cut off, before anything else touches the resource.
fn end(resource: &ResourceName, binding: &Bound, unended: &Unended) {
    if binding.hooks.after.is_empty() {
        return;
    }
    let Unended { snapshot, seq, slot } = unended;
    let occasion = Occasion { resource, snapshot, seq: *seq, slot: *slot };
    let stopped = Failure::new(Fault::Interrupted, "heptad or the machine stopped in the middle");
    let output = hooks::after(&binding.hooks, &occasion, &stopped);
    tracing::warn!(%resource, snapshot, output, "{resource}: heptad had stopped while it took \
        {snapshot}; the after-hooks that were due have been run now");
}

/// One order, with the hooks around a snapshot. A panic below fails this one operation.
fn run(order: &Order, binding: &Bound, context: &dyn CreateContext) -> Finished {
    let act = || perform(binding.backend.as_ref(), order, context);
    let (result, output) = match &order.work {
        // Before a rollback nobody uses it: there is nothing to stop, and nothing to start again.
        Work::Take {
            card, source: crate::domain::order::Source::Live, replaced_by: None, ..
        } => {
            let snapshot = match (&card.name, &card.slot) {
                (Some(name), _) => name.to_string(),
                (None, Some(slot)) => format!("{}@{slot}", order.resource),
                (None, None) => order.resource.to_string(),
            };
            let occasion = Occasion {
                resource: &order.resource,
                snapshot: &snapshot,
                seq: card.handle.seq,
                slot: card.slot,
            };
            hooks::around(&binding.hooks, &occasion, &|| context.is_wanted(), act)
        }
        _ => {
            let bug = |_| Err(Failure::new(Fault::Permanent, "a bug in heptad stopped it"));
            (catch_unwind(AssertUnwindSafe(act)).unwrap_or_else(bug), String::new())
        }
    };
    Finished { operation: order.operation, result, output }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::fake::FakeDisk;
    use crate::daemon::hooks::Hooks;
    use crate::domain::ledger::Ledger;
    use std::sync::mpsc;

    #[test]
    fn no_more_is_told_of_an_act_than_is_known() {
        let check = |done, total, milliseconds, want: Option<u64>| {
            let gone = Gone { done, total, milliseconds };
            assert_eq!(gone.left(), want, "{done} of {total:?} after {milliseconds} ms");
        };
        check(500, Some(1000), 5000, Some(5));
        check(500, None, 5000, None);
        // Too early, too little.
        check(500, Some(1000), 2000, None);
        check(1, Some(1000), 5000, None);
        let meter = Meter::new(Arc::default());
        let told = |done, total| {
            meter.report(done, Some(total));
            meter.read().map(|gone| (gone.done, gone.total))
        };
        assert_eq!(told(2, 10), Some((2, Some(10))));
        assert_eq!(told(11, 10), Some((11, None)));
    }

    #[test]
    fn what_measures_lets_everything_pass_that_waits_for_its_pool() {
        let (disk, state) = (FakeDisk::default(), tempfile::tempdir().unwrap());
        let names: Vec<ResourceName> =
            ["web-1", "web-2", "web-3", "web-4"].map(|name| name.parse().unwrap()).into();
        let binding = |name: &ResourceName| {
            let (backend, hooks) = (Arc::new(disk.backend(name)), Hooks::default());
            (name.clone(), Arc::new(Bound { backend, hooks }))
        };
        let bindings = Arc::new(Bindings::new(state.path()));
        bindings.replace(names.iter().map(binding).collect(), &Ledger::default(), state.path());
        let (send, reports) = mpsc::channel();
        let report = move |finished: Finished| send.send(finished.operation.0).unwrap();
        let workers = Workers::new(bindings, Arc::new(report));
        // The first one does not get on before all wait.
        let held = disk.world();
        let weighs = [UsageScope::Nothing, UsageScope::All, UsageScope::Total, UsageScope::Nothing];
        for (n, (resource, weigh)) in (1..).zip(names.into_iter().zip(weighs)) {
            let work = Work::Survey { known: Vec::new(), weigh };
            workers.submit(Order { operation: OperationId(n), resource, work, wanted: true });
        }
        drop(held);
        let order: Vec<_> = reports.iter().take(4).collect();
        assert_eq!(order, [1, 4, 2, 3]);
    }
}
