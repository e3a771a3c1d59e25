//! One resource whose store and plugin say whatever they like: nothing of it reaches the others.

use crate::support::simulated::{at, day, name, resource, selector, snapshot_name};
use heptad::backend::fake::{FakeDisk, Live};
use heptad::catalogue::Catalogue;
use heptad::daemon::engine::Engine;
use heptad::daemon::perform::perform;
use heptad::domain::account::Account;
use heptad::domain::alarm::alarms;
use heptad::domain::clock::Reading;
use heptad::domain::event::{Action, Ask, Entry, Event};
use heptad::domain::fee::ResourceUsage;
use heptad::domain::forecast::forecast;
use heptad::domain::id::OperationId;
use heptad::domain::keeper::Keeper;
use heptad::domain::ledger::Ledger;
use heptad::domain::operation::{Act, Cause, Failure, Fault, Operation, State};
use heptad::domain::order::{Order, Work};
use heptad::domain::report::{Done, Finished, Taken};
use heptad::domain::request::Request;
use heptad::domain::resource::Kind;
use heptad::domain::slot::Slot;
use heptad::domain::snapshot::{Card, Content, Facts, Handle, Origin, Part, Seq};
use heptad::domain::survey::{Found, Mark, Survey, Wholeness};
use heptad::domain::tag::Retag;
use heptad::domain::usage::TotalUsage;
use heptad::domain::usage::{SnapshotUsage, TotalReport, UsageReport};
use heptad::domain::view::{Moment, counts, strip};
use heptad::store::manifest::{Manifest, PlanOnDisk};
use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::Value;
use std::collections::VecDeque;
use uuid::Uuid;

const ODD: [u64; 12] = [
    0,
    1,
    2,
    3,
    4,
    7,
    (1 << 53) - 1,
    1 << 53,
    i64::MAX as u64 - 1,
    i64::MAX as u64,
    u64::MAX - 1,
    u64::MAX,
];

fn number() -> impl Strategy<Value = u64> {
    prop_oneof![4 => 1u64..12, 1 => select(ODD.to_vec())]
}

fn instant() -> impl Strategy<Value = Timestamp> {
    let near = (1i16..12).prop_map(|n| at(&day(n, "06:00")));
    prop_oneof![4 => near, 1 => Just(Timestamp::MIN), 1 => Just(Timestamp::MAX)]
}

fn slot() -> impl Strategy<Value = Option<Slot>> {
    let date = |text: &str| Some(text.parse::<Slot>().unwrap());
    prop_oneof![
        1 => Just(None),
        4 => (1i16..12).prop_map(|n| Some(day(n, "06:00")[..10].parse().unwrap())),
        1 => Just(date("-009999-01-01")),
        1 => Just(date("9999-12-31")),
        1 => instant().prop_map(|at| Some(Slot::Instant(at))),
    ]
}

fn content() -> impl Strategy<Value = Content> {
    (any::<bool>(), proptest::option::of(number()), proptest::option::of(number()))
        .prop_map(|(empty, entries, bytes)| Content { empty, entries, bytes })
}

fn text() -> impl Strategy<Value = String> {
    let odd = ["", "disk-1", "disk-2", "a\0b\n", "\u{202e}x", "'; DROP TABLE snapshot; --"];
    select(odd.map(String::from).to_vec())
}

/// What a listing says of one object; the id is replaced by that of a known one now and then.
fn found() -> impl Strategy<Value = Found> {
    let origins = select(Origin::ALL.to_vec());
    let states =
        select(vec![Wholeness::Whole, Wholeness::Whole, Wholeness::Partial, Wholeness::Tampered]);
    let names = proptest::option::of(select(vec!["one", "two", "golden"]));
    let card =
        (number(), 0u128..16, origins, names, slot(), proptest::option::of(number()), instant());
    let tags = select(vec!["", "a", "b\u{0}"]).prop_map(|key| [(key.into(), "c".into())].into());
    let tags = proptest::option::weighted(0.3, tags);
    let mark = (proptest::option::of(text()), any::<bool>(), any::<bool>(), tags);
    (card, text(), states, mark, proptest::option::of(content())).prop_map(
        |((seq, id, origin, named, slot, kept, taken_at), object, state, mark, content)| Found {
            card: Card {
                handle: Handle { seq: Seq(seq), id: Uuid::from_u128(id), object },
                origin,
                name: named.map(snapshot_name),
                slot,
                kept_from: kept.map(Seq),
                taken_at,
                tags: [("a\0".to_owned(), "b".repeat(300))].into(),
                kind: Kind::Disk,
                part: Part::Whole,
                plan: None,
                blueprint: None,
            },
            state,
            mark: Mark { doubt: mark.0, accepted: mark.1, trashed: mark.2, tags: mark.3 },
            content,
            notes: vec!["a\0note".into()],
            told: Default::default(),
        },
    )
}

fn survey() -> impl Strategy<Value = Survey> {
    let water = prop_oneof![6 => 0u64..12, 1 => number()].prop_map(Seq);
    let identity = proptest::option::weighted(0.8, text());
    (identity, proptest::collection::vec(found(), 0..6), water).prop_map(
        |(identity, found, high_water)| Survey { identity, found, high_water, ..Survey::default() },
    )
}

#[derive(Clone, Debug)]
enum Answer {
    Taken(Facts),
    Done,
    Unpaid,
    Failed(Fault),
    /// An answer to another question.
    Amiss,
}

fn answer() -> impl Strategy<Value = Answer> {
    let sizes = (proptest::option::of(number()), proptest::option::of(number()));
    let facts =
        (proptest::option::of(content()), sizes).prop_map(|(content, (stored, exclusive))| Facts {
            content,
            stored,
            exclusive,
            notes: vec![String::new()],
            accepted: true,
            ..Facts::default()
        });
    prop_oneof![
        4 => facts.prop_map(Answer::Taken),
        3 => Just(Answer::Done),
        1 => Just(Answer::Unpaid),
        1 => select(Fault::ALL.to_vec()).prop_map(Answer::Failed),
        1 => Just(Answer::Amiss),
    ]
}

/// Keeper and catalogue without the engine around them, which would let a spoiled event fail: no
/// event of these may be one.
struct Bench {
    keeper: Keeper,
    catalogue: Catalogue,
    disk: FakeDisk,
    reading: Reading,
    orders: VecDeque<Order>,
    surveys: VecDeque<Survey>,
    answers: VecDeque<Answer>,
}

impl Bench {
    fn new(catalogue: Catalogue, surveys: Vec<Survey>, answers: Vec<Answer>) -> Self {
        let reading = Reading {
            wall: at(&day(1, "00:00")),
            boot: SignedDuration::from_hours(1),
            synchronised: true,
            elapsed: SignedDuration::ZERO,
            slept: SignedDuration::ZERO,
        };
        let disk = FakeDisk::default();
        let live = Live { identity: Some("disk-1".into()), entries: 100, turned: None };
        disk.world().lives.insert(name("good"), live);
        let keeper = Keeper::new(Ledger::default(), Timestamp::UNIX_EPOCH, reading, 7);
        let (surveys, answers, orders) = (surveys.into(), answers.into(), VecDeque::new());
        let mut bench = Self { keeper, catalogue, disk, reading, orders, surveys, answers };
        let both = vec![resource("web", "06:00"), resource("good", "06:00")];
        bench.turn(Event::Configured(both));
        bench
    }

    fn turn(&mut self, event: Event) {
        let mut records = Vec::new();
        for action in self.keeper.handle(event, self.reading) {
            match action {
                Action::Record(entry) => records.push(entry),
                Action::Start(order) => self.orders.push_back(*order),
                Action::Halt(_) | Action::Reply(..) => {}
            }
        }
        self.catalogue.record(&records).unwrap();
    }

    fn settle(&mut self) {
        let mut turns = 0;
        while let Some(order) = self.orders.pop_front() {
            turns += 1;
            assert!(turns < 400, "it goes round and round: {order:?}");
            let result = if order.resource == name("good") {
                perform(&self.disk.backend(&order.resource), &order, &())
            } else {
                self.lie(&order)
            };
            let output = String::new();
            self.turn(Event::Finished(Finished { operation: order.operation, result, output }));
        }
    }

    /// The next survey, with some ids of those that are known.
    fn survey(&mut self) -> Survey {
        let mut survey = self.surveys.pop_front().unwrap_or_default();
        self.surveys.push_back(survey.clone());
        let known = &self.account("web").snapshots;
        for (n, found) in survey.found.iter_mut().enumerate() {
            if let Some(snapshot) = known.get(&found.card.handle.seq).filter(|_| n % 2 == 0) {
                found.card.handle.id = snapshot.card.handle.id;
            }
        }
        survey
    }

    fn lie(&mut self, order: &Order) -> Result<Done, Failure> {
        let answer = self.answers.pop_front().unwrap_or(Answer::Done);
        self.answers.push_back(answer.clone());
        match (answer, &order.work) {
            (Answer::Failed(fault), _) => Err(Failure::new(fault, "as it likes")),
            (Answer::Amiss, Work::Survey { .. }) => Ok(Done::Destroyed),
            (Answer::Amiss, _) => Ok(Done::Surveyed(self.survey(), UsageReport::default())),
            (_, Work::Survey { .. }) => {
                let survey = self.survey();
                let most = Some(u64::MAX);
                let weight = |found: &Found| SnapshotUsage {
                    seq: found.card.handle.seq,
                    stored: most,
                    exclusive: most,
                };
                let each = survey.found.iter().map(weight).collect();
                let together = TotalReport::Is(Some(TotalUsage { bytes: u64::MAX, exact: false }));
                Ok(Done::Surveyed(survey, UsageReport { each, together }))
            }
            (Answer::Taken(facts), Work::Take { .. }) => {
                let incomplete = Some("it lacks".to_owned()).filter(|_| facts.stored == Some(3));
                let (object, survey) = ("o".into(), self.survey());
                Ok(Done::Taken(Taken { object, facts, survey, incomplete }))
            }
            (Answer::Unpaid, Work::Destroy { .. }) => Ok(Done::Unpaid("it says".into())),
            (_, Work::Destroy { .. }) => Ok(Done::Destroyed),
            (_, Work::Rollback { .. }) => {
                let failure = Some(Failure::new(Fault::Identity, "it says"));
                Ok(Done::RolledBack { identity: Some("disk-2".into()), failure, left: None })
            }
            _ => Ok(Done::Marked),
        }
    }

    fn account(&self, of: &str) -> &Account {
        self.keeper.ledger().account(&name(of)).unwrap()
    }

    /// What people ask for, of whatever is there.
    fn ask(&mut self, n: u64) {
        let label = self.account("web").snapshots.values().nth(n as usize % 3).map(|s| s.label());
        let one = label.and_then(|label| label.parse().ok()).unwrap_or(selector("web@latest"));
        let fresh = snapshot_name(&format!("asked-{n}"));
        let (web, tags) = (name("web"), Default::default());
        let change = Retag { set: [(n.to_string(), String::new())].into(), ..Retag::default() };
        let request = match n % 9 {
            0 => Request::Take { resource: web, name: Some(fresh), tags, part: Part::Whole },
            1 => Request::Keep { from: one, name: fresh, tags },
            2 => Request::Delete { snapshot: one, now: true },
            3 => Request::Delete { snapshot: one, now: false },
            4 => Request::Undelete { snapshot: one },
            5 => Request::Acknowledge { resource: web },
            8 => Request::TagSnapshot { snapshot: one, change },
            6 => Request::Rollback { resource: web, to: one, safety: None },
            _ => Request::Rotate { resource: web },
        };
        self.turn(Event::Asked(Ask { ticket: n, uid: 0, key: None, request }));
    }

    /// Whatever is shown of it can be shown.
    fn look(&mut self) {
        let keeper = &self.keeper;
        let (started, settled) = keeper.beginnings();
        let (now, belief, elapsed) = (self.reading.wall, keeper.belief(), self.reading.elapsed);
        let Reading { slept, synchronised, .. } = self.reading;
        let moment = Moment { now, started, settled, belief, elapsed, slept, synchronised };
        let mut held = Vec::new();
        for account in keeper.ledger().accounts.values() {
            alarms(keeper.ledger(), account, &moment);
            let month = now + SignedDuration::from_hours(24 * 30);
            forecast(account, &moment, month, &|_| false);
            let holding = ResourceUsage::of(account);
            let _ = (strip(account, now), counts(account), holding.basis(), holding.unmeasured());
            held.push((account.name().clone(), holding));
        }
        self.catalogue.add_usage(self.reading.wall, self.reading.elapsed, &held).unwrap();
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, max_shrink_iters: 500, ..ProptestConfig::default() })]

    #[test]
    fn whatever_one_store_says_the_other_resource_has_its_snapshot_every_day(
        surveys in proptest::collection::vec(survey(), 1..8),
        answers in proptest::collection::vec(answer(), 1..24),
    ) {
        let dir = tempfile::tempdir_in("/dev/shm").unwrap();
        let catalogue = Catalogue::open(dir.path()).unwrap().catalogue;
        let mut bench = Bench::new(catalogue, surveys, answers);
        bench.settle();
        for n in 1..=(24 * 10 / 6) {
            bench.reading.wall += SignedDuration::from_hours(6);
            bench.reading.boot += SignedDuration::from_hours(6);
            bench.reading.elapsed += SignedDuration::from_hours(6);
            bench.turn(Event::Tick);
            bench.settle();
            bench.turn(Event::Sweep);
            bench.ask(n);
            bench.settle();
            bench.look();
        }
        let good: Vec<String> =
            bench.account("good").snapshots.values().map(|s| s.label()).collect();
        let want: Vec<String> =
            (4..=10).map(|n| format!("good@{}", &day(n, "06:00")[..10])).collect();
        prop_assert_eq!(good, want);
        // And all of it can be read again.
        let known = bench.account("web").snapshots.clone();
        drop(bench);
        let (loaded, _) = Catalogue::open(dir.path()).unwrap().catalogue.load().unwrap();
        let web = loaded.account(&name("web")).unwrap();
        prop_assert_eq!(web.snapshots.keys().collect::<Vec<_>>(), known.keys().collect::<Vec<_>>());
    }
}

/// An engine that begins with a ledger made for it: `web` and `good`, at rest.
fn engine(dir: &std::path::Path, change: impl Fn(&mut Ledger)) -> (Engine, FakeDisk, Reading) {
    let Bench { catalogue, disk, reading, .. } =
        Bench::new(Catalogue::open(dir).unwrap().catalogue, Vec::new(), Vec::new());
    let live = disk.world().lives[&name("good")].clone();
    disk.world().lives.insert(name("web"), live);
    let mut ledger = Ledger::default();
    for of in ["web", "good"] {
        let account = Account::new(resource(of, "06:00"), reading.wall);
        ledger.apply(&Entry::Account(Box::new(account)));
    }
    change(&mut ledger);
    let keeper = Keeper::new(ledger, Timestamp::UNIX_EPOCH, reading, 7);
    let mut engine = Engine::new(keeper, catalogue);
    let both = vec![resource("web", "06:00"), resource("good", "06:00")];
    perform_all(&mut engine, &disk, vec![Event::Configured(both)], reading);
    (engine, disk, reading)
}

fn perform_all(engine: &mut Engine, disk: &FakeDisk, mut events: Vec<Event>, reading: Reading) {
    while !events.is_empty() {
        let turn = engine.turn(std::mem::take(&mut events), reading);
        assert_eq!(engine.frozen(), None);
        events.extend(turn.orders.iter().map(|order| {
            let result = perform(&disk.backend(&order.resource), order, &());
            let output = String::new();
            Event::Finished(Finished { operation: order.operation, result, output })
        }));
    }
}

fn take(of: &str) -> Request {
    let name = snapshot_name(&format!("of-{of}"));
    let (resource, name) = (self::name(of), Some(name));
    Request::Take { resource, name, tags: Default::default(), part: Part::Whole }
}

#[test]
fn a_record_that_the_catalogue_refuses_fails_its_own_act_only() {
    let dir = tempfile::tempdir().unwrap();
    let (mut engine, _, reading) = engine(dir.path(), |ledger| {
        let web = ledger.account_mut(&name("web")).unwrap();
        web.next_seq = Seq(i64::MAX.unsigned_abs());
    });
    let ask = |(ticket, of)| Event::Asked(Ask { ticket, uid: 0, key: None, request: take(of) });
    let turn = engine.turn([(1, "good"), (2, "web"), (3, "good")].map(ask).into(), reading);
    assert_eq!(engine.frozen(), None);
    let answers: Vec<_> = turn.replies.iter().map(|(n, reply)| (*n, reply.is_ok())).collect();
    assert_eq!(answers, [(1, true), (2, false), (3, false)], "the third has a name that is taken");
    assert_eq!(turn.orders.len(), 1);
}

#[test]
fn an_event_that_the_keeper_cannot_stand_fails_its_own_act_only() {
    let dir = tempfile::tempdir().unwrap();
    // A number that was never drawn, as no record of heptad's can be: an assertion of the ledger.
    let (engine, ..) = engine(dir.path(), |ledger| {
        let (tags, part) = (Default::default(), Part::Whole);
        let act = Act::Take { seq: Seq(9), slot: None, name: None, tags, part };
        let operation = Operation {
            id: OperationId(1),
            resource: name("web"),
            act,
            cause: Cause::Peer(0),
            key: None,
            created: at(&day(1, "00:00")),
            started: None,
            finished: None,
            state: State::Queued,
            tries: 0,
            cancel_asked_by: None,
            output: String::new(),
        };
        ledger.put_operation(&operation);
    });
    let ledger = engine.keeper().ledger();
    let account = |of| ledger.account(&name(of)).unwrap();
    assert!(account("web").trouble.as_ref().unwrap().contains("a bug in heptad"));
    assert!(account("good").surveyed);
    let State::Failed(failure) = &ledger.operations[&OperationId(1)].state else { panic!() };
    assert!(failure.message.contains("a bug in heptad"), "{failure}");
}

fn word() -> impl Strategy<Value = String> {
    let odd = [
        "",
        "automatic",
        "manual",
        "disk",
        "whole",
        "system-disk",
        "one",
        "-",
        "a\0b",
        "../x",
        "2026-11-22",
        "-009999-01-01",
        "9999-12-31",
        "2026-11-22T06:00:00Z",
        "2026-02-30",
        "9999-12-31T23:59:60Z",
        "-009999-01-02T01:59:59Z",
        "postgres",
        "\u{202e}",
    ];
    select(odd.map(String::from).to_vec())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(2_000) })]

    #[test]
    fn a_manifest_that_says_anything_gives_a_card_that_can_be_recorded_or_an_error(
        (seq, kept_from) in (number(), proptest::option::of(number())),
        words in proptest::collection::vec(word(), 9),
        (vcpus, memory, disk) in (any::<u32>(), number(), number()),
    ) {
        let plan = PlanOnDisk { name: words[7].clone(), vcpus, memory, disk };
        let text = |n: usize| Some(words[n].clone()).filter(|text| text != "one");
        let manifest = Manifest {
            heptad: 1,
            resource: "web".into(),
            backend: words[8].clone(),
            seq,
            id: Uuid::from_u128(1),
            origin: words[0].clone(),
            name: text(1),
            slot: text(2),
            kept_from,
            taken_at: words[3].clone(),
            tags: Default::default(),
            kind: text(4),
            part: text(5),
            plan: Some(plan).filter(|_| seq % 2 == 0),
            blueprint: text(6),
            detail: Value::Null,
            incomplete: text(0),
            notes: Vec::new(),
        };
        if let Ok(card) = manifest.card("o".into()) {
            let most = i64::MAX.unsigned_abs();
            prop_assert!(card.handle.seq.0 < most);
            prop_assert!(card.kept_from.is_none_or(|from| from.0 < most));
        }
    }
}
