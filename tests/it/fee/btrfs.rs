//! Real bytes: the keeper, the catalogue and the btrfs backend on a file system with quotas.

use crate::support::loopfs::{LoopFs, run, subvolume};
use crate::support::simulated::{at, name, resource, snapshot_name};
use heptad::backend::Backend;
use heptad::backend::options::Context;
use heptad::backend::registry;
use heptad::catalogue::Catalogue;
use heptad::daemon::engine::Engine;
use heptad::daemon::perform::perform;
use heptad::domain::clock::Reading;
use heptad::domain::event::{Ask, Event};
use heptad::domain::fee::{Basis, ResourceUsage};
use heptad::domain::keeper::Keeper;
use heptad::domain::ledger::Ledger;
use heptad::domain::report::Finished;
use heptad::domain::request::Request;
use heptad::domain::resource::Binding;
use heptad::domain::snapshot::Part;
use heptad::domain::snapshot::{Facts, Selector};
use jiff::SignedDuration;
use serde_json::json;
use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::Arc;
use tempfile::TempDir;

const MIB: u64 = 1 << 20;

/// A daemon without threads: what is ordered is performed at once.
struct Rig {
    fs: LoopFs,
    _state: TempDir,
    backend: Arc<dyn Backend>,
    engine: Engine,
    reading: Reading,
    tickets: u64,
}

impl Rig {
    fn new(quotas: bool) -> Self {
        let fs = LoopFs::new("btrfs", 300);
        subvolume(&fs.path().join("live"));
        if quotas {
            run("btrfs", &["quota", "enable", fs.path().to_str().unwrap()]);
        }
        let options = json!({ "path": fs.path().join("live") });
        let context = Context { resource: name("web"), state: "/nonexistent".into() };
        let built = registry::build("btrfs", options.as_object().unwrap(), &context);
        let reading = Reading {
            wall: at("2026-11-10T12:00:00Z"),
            boot: SignedDuration::from_hours(1),
            synchronised: true,
            elapsed: SignedDuration::ZERO,
            slept: SignedDuration::ZERO,
        };
        let state = tempfile::tempdir().unwrap();
        let catalogue = Catalogue::open(&state.path().join("state")).unwrap().catalogue;
        let keeper = Keeper::new(Ledger::default(), reading.wall, reading, 7);
        let engine = Engine::new(keeper, catalogue);
        let mut rig =
            Self { fs, _state: state, backend: built.unwrap(), engine, reading, tickets: 0 };
        let binding = Binding { kind: "btrfs".into(), options: options.to_string() };
        let web =
            heptad::domain::resource::Resource { backend: binding, ..resource("web", "06:00") };
        rig.turn(Event::Configured(vec![web]));
        rig
    }

    fn turn(&mut self, event: Event) {
        let mut events = VecDeque::from([event]);
        while let Some(event) = events.pop_front() {
            let turn = self.engine.turn(vec![event], self.reading);
            assert_eq!(self.engine.frozen(), None);
            for (_, reply) in turn.replies {
                reply.unwrap();
            }
            for order in turn.orders {
                let result = perform(self.backend.as_ref(), &order, &());
                assert!(result.is_ok(), "{result:?}");
                let (operation, output) = (order.operation, String::new());
                events.push_back(Event::Finished(Finished { operation, result, output }));
            }
        }
    }

    fn ask(&mut self, request: Request) {
        self.tickets += 1;
        let ask = Ask { ticket: self.tickets, uid: 0, key: None, request };
        self.turn(Event::Asked(ask));
    }

    fn take(&mut self, snapshot: &str) {
        let name_ = snapshot_name(snapshot);
        self.ask(Request::Take {
            resource: name("web"),
            name: Some(name_),
            tags: Default::default(),
            part: Part::Whole,
        });
    }

    fn delete(&mut self, snapshot: &str) {
        let snapshot = Selector::Named(snapshot_name(snapshot));
        self.ask(Request::Delete { snapshot, now: true });
    }

    /// An hour later, with everything on the disk and the quota's figures settled.
    fn sweep(&mut self) {
        let path = self.fs.path();
        run("btrfs", &["filesystem", "sync", path.to_str().unwrap()]);
        run("btrfs", &["subvolume", "sync", path.to_str().unwrap()]);
        let hour = SignedDuration::from_hours(1);
        self.reading.wall += hour;
        (self.reading.boot, self.reading.elapsed) =
            (self.reading.boot + hour, self.reading.elapsed + hour);
        self.turn(Event::Sweep);
    }

    fn pass(&mut self, hours: i64) {
        let span = SignedDuration::from_hours(hours);
        self.reading.wall += span;
        (self.reading.boot, self.reading.elapsed) =
            (self.reading.boot + span, self.reading.elapsed + span);
    }

    fn live(&self) -> PathBuf {
        self.fs.path().join("live")
    }

    fn write(&self, file: &str, mebibytes: u64, seed: u64) {
        let words =
            (0..mebibytes * MIB / 8).map(|n| (n ^ seed).wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let bytes: Vec<u8> = words.flat_map(u64::to_le_bytes).collect();
        std::fs::write(self.live().join(file), bytes).unwrap();
        run("btrfs", &["filesystem", "sync", self.fs.path().to_str().unwrap()]);
    }

    fn holding(&self) -> ResourceUsage {
        ResourceUsage::of(self.engine.keeper().ledger().account(&name("web")).unwrap())
    }

    fn facts(&self, snapshot: &str) -> Facts {
        let ledger = self.engine.keeper().ledger();
        ledger.named(&snapshot_name(snapshot)).unwrap().facts.clone()
    }

    fn exclusive(&self, snapshot: &str) -> u64 {
        self.facts(snapshot).exclusive.unwrap() / MIB
    }
}

#[test]
fn exclusive_bytes_move_as_data_and_neighbours_come_and_go() {
    let mut rig = Rig::new(true);
    rig.write("data", 40, 1);
    rig.take("first");
    rig.sweep();
    assert_eq!(rig.exclusive("first"), 0, "everything is in the live one too");
    assert_eq!(rig.facts("first").stored.unwrap() / MIB, 40);
    // The live one moves on: the snapshot alone holds the old data.
    rig.write("data", 20, 2);
    rig.sweep();
    assert_eq!(rig.exclusive("first"), 40);
    let held = rig.holding();
    assert_eq!((held.basis(), held.billed / MIB, held.unmeasured()), (Basis::AtLeast, 40, 0));
    // A second one shares nothing with it, and later holds 20 MiB alone.
    rig.take("second");
    rig.take("third");
    rig.write("data", 10, 3);
    rig.sweep();
    assert_eq!((rig.exclusive("first"), rig.exclusive("second")), (40, 0), "shared with the third");
    // What only snapshots share is billed once it was measured together, within six hours.
    assert_eq!((rig.holding().basis(), rig.holding().billed / MIB), (Basis::Outdated, 40));
    rig.pass(6);
    rig.sweep();
    assert_eq!((rig.holding().basis(), rig.holding().billed / MIB), (Basis::AtLeast, 60));
    rig.delete("third");
    rig.sweep();
    assert_eq!((rig.exclusive("second"), rig.holding().billed / MIB), (20, 60));
    // What the catalogue holds is what the keeper knows.
    let (loaded, _) = rig.engine.catalogue().load().unwrap();
    assert_eq!(ResourceUsage::of(loaded.account(&name("web")).unwrap()), rig.holding());
    // An hour of it is counted.
    rig.engine.count_usage(rig.reading).unwrap();
    rig.sweep();
    rig.engine.count_usage(rig.reading).unwrap();
    let (from, until) = ("2026-11-10".parse().unwrap(), "2026-11-11".parse().unwrap());
    let days = rig.engine.catalogue().usage(from, until).unwrap();
    assert_eq!((days.len(), days[0].byte_hours), (1, rig.holding().billed));
}

#[test]
fn without_quotas_only_what_all_occupy_together_is_known() {
    let mut rig = Rig::new(false);
    rig.write("data", 10, 1);
    rig.take("first");
    let held = rig.holding();
    assert_eq!((held.snapshots, held.unmeasured(), held.billed), (1, 1, 0));
    assert_eq!(held.basis(), Basis::Unmeasured);
    rig.write("data", 10, 3);
    rig.sweep();
    let held = rig.holding();
    assert_eq!((held.unmeasured(), held.billed / MIB, held.exclusive), (0, 10, None));
    assert_eq!(held.basis(), Basis::AtLeast);
    // After a change that is measured again within six hours.
    rig.take("second");
    rig.write("data", 10, 4);
    rig.sweep();
    assert_eq!((rig.holding().billed / MIB, rig.holding().basis()), (10, Basis::Outdated));
    rig.pass(6);
    rig.sweep();
    assert_eq!((rig.holding().billed / MIB, rig.holding().basis()), (20, Basis::AtLeast));
    rig.delete("second");
    // Quotas that are switched on later are seen by themselves.
    run("btrfs", &["quota", "enable", rig.fs.path().to_str().unwrap()]);
    run("btrfs", &["quota", "rescan", "-w", rig.fs.path().to_str().unwrap()]);
    rig.write("data", 10, 2);
    rig.sweep();
    assert_eq!(rig.exclusive("first"), 10);
}
