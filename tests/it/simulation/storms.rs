//! Storms of off and on, of changes and restarts, in zones with odd offsets and days of change:
//! what was told as the next run comes on its day, and each day on which it was on has one record.

use crate::support::simulated::{at, name, resource};
use heptad::backend::fake::{FakeDisk, Live};
use heptad::daemon::simulate::{Machine, Memory, Moment};
use heptad::domain::account::Account;
use heptad::domain::operation::Fault;
use heptad::domain::policy::Zone;
use heptad::domain::request::Request;
use heptad::domain::resource::Resource;
use heptad::domain::slot_record::{Beginning, Run, SlotRecord};
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;

const ZONES: [&str; 6] = [
    "Australia/Lord_Howe",
    "Pacific/Apia",
    "America/St_Johns",
    "Asia/Kolkata",
    "Africa/Cairo",
    "Europe/Berlin",
];

/// Days before a change of the clocks in one of them; Apia had no 30 December 2011.
const STARTS: [&str; 6] = [
    "2026-04-01T10:00:00Z",
    "2026-10-01T10:00:00Z",
    "2011-12-27T10:00:00Z",
    "2026-03-06T03:00:00Z",
    "2026-04-22T10:00:00Z",
    "2026-10-23T21:00:00Z",
];

const TIMES: [&str; 6] = ["00:00", "02:15", "02:30", "06:00", "13:40", "23:59"];

#[derive(Clone, Debug)]
enum Happening {
    Pass(i64),
    /// To a few minutes before or after what was told.
    Near(i64),
    Off,
    On,
    OnAt(usize),
    SetTime(usize),
    Reset,
    Leave,
    Return,
    Restart(i64),
    Fault(u8),
}

fn happening() -> impl Strategy<Value = Happening> {
    use Happening::*;
    prop_oneof![
        3 => (1i64..2_000).prop_map(Pass),
        4 => (-40i64..40).prop_map(Near),
        3 => Just(Off),
        3 => Just(On),
        1 => (0..TIMES.len()).prop_map(OnAt),
        2 => (0..TIMES.len()).prop_map(SetTime),
        1 => Just(Reset),
        1 => Just(Leave),
        2 => Just(Return),
        1 => (0i64..30).prop_map(Restart),
        1 => (1u8..4).prop_map(Fault),
    ]
}

struct Storm {
    machine: Machine,
    zone: TimeZone,
    declared: Resource,
    /// What was told when it was last on.
    told: Option<Run>,
    /// What fell due while it was on.
    owed: Vec<Run>,
    off: Vec<(Timestamp, Timestamp)>,
    off_since: Option<Timestamp>,
}

impl Storm {
    fn new(zone: &str, start: &str, time: &str) -> Self {
        let zone = TimeZone::get(zone).unwrap();
        let mut declared = resource("web", time);
        declared.policy.rhythm.zone = Zone::new(zone.clone());
        let disk = FakeDisk::default();
        let live = Live { identity: Some("disk-1".into()), entries: 100, turned: None };
        disk.world().lives.insert(name("web"), live);
        let all = vec![declared.clone()];
        let machine = Machine::new(Box::new(Memory::default()), disk, all, at(start));
        let (told, owed, off, off_since) = (None, Vec::new(), Vec::new(), None);
        Self { machine, zone, declared, told, owed, off, off_since }
    }

    /// None once it left the configuration without any snapshot.
    fn account(&self) -> Option<&Account> {
        self.machine.keeper().ledger().account(&name("web"))
    }

    fn date(&self, at: Timestamp) -> Date {
        at.to_zoned(self.zone.clone()).date()
    }

    fn run(&self) -> Option<Run> {
        let (started, settled) = self.machine.keeper().beginnings();
        self.account()?.next_run(Beginning { started, settled }, self.machine.now())
    }

    /// Lets time pass in pieces, so that at most one falls due in each.
    fn pass(&mut self, minutes: i64) {
        let until = self.machine.now() + SignedDuration::from_mins(minutes);
        while self.machine.now() < until {
            let told = self.run();
            let piece = self.machine.now() + SignedDuration::from_hours(2);
            self.machine.run(piece.min(until));
            self.owed.extend(told.filter(|run| run.period.due < self.machine.now()));
        }
    }

    fn ask(&mut self, request: Request) {
        // What is not configured cannot be asked.
        let _ = self.machine.ask(request);
        self.machine.settle();
    }

    fn happen(&mut self, what: &Happening) {
        let web = name("web");
        let time = |index: &usize| TIMES[*index].parse().unwrap();
        match what {
            Happening::Pass(minutes) => self.pass(*minutes),
            Happening::Near(minutes) => {
                let near =
                    self.told.map(|run| run.period.due + SignedDuration::from_mins(*minutes));
                let ahead = near.map(|near| near.duration_since(self.machine.now()).as_mins());
                self.pass(ahead.filter(|ahead| *ahead > 0).unwrap_or(1));
            }
            Happening::Off => self.ask(Request::Disable { resource: web }),
            Happening::On => self.ask(Request::Enable { resource: web, time: None }),
            Happening::OnAt(index) => {
                self.ask(Request::Enable { resource: web, time: Some(time(index)) });
            }
            Happening::SetTime(index) => {
                self.ask(Request::SetTime { resource: web, time: time(index) });
            }
            Happening::Reset => self.ask(Request::Reset { resource: web }),
            Happening::Leave => self.configure(Vec::new()),
            Happening::Return => self.configure(vec![self.declared.clone()]),
            Happening::Restart(minutes) => {
                self.machine.cut(Moment::Between, SignedDuration::from_mins(*minutes));
                self.machine.settle();
            }
            Happening::Fault(times) => {
                let faults = (0..*times).flat_map(|_| [None, Some(Fault::Transient), None]);
                self.machine.disk.world().faults.extend(faults);
            }
        }
    }

    fn configure(&mut self, all: Vec<Resource>) {
        self.machine.configure(all);
        self.machine.settle();
    }

    /// What is told after something happened, against what was told before.
    fn judge(&mut self, what: &Happening) -> Result<(), TestCaseError> {
        let now = self.machine.now();
        let Some(account) = self.account() else {
            // It comes back as a newcomer.
            (self.told, self.off_since) = (None, None);
            self.owed.clear();
            self.off.clear();
            return Ok(());
        };
        if !account.is_active() {
            self.off_since.get_or_insert(now);
            return Ok(());
        }
        if let Some(since) = self.off_since.take() {
            self.off.push((since, now));
        }
        let run = self.run();
        if let (Some(told), Some(run)) = (self.told, run)
            && now < told.period.due
        {
            let (before, after) = (self.date(told.period.due), self.date(run.period.due));
            prop_assert!(after <= before, "{what:?} at {now}: {told:?} became {run:?}");
        }
        self.told = run;
        Ok(())
    }

    fn calm(&mut self) -> Result<(), TestCaseError> {
        self.machine.disk.world().faults.clear();
        for what in [Happening::Return, Happening::On, Happening::Pass(3 * 24 * 60)] {
            self.happen(&what);
            self.judge(&what)?;
        }
        prop_assert_eq!(&self.machine.oracle.violations, &[]);
        let records: Vec<SlotRecord> = self.account().unwrap().slots.values().cloned().collect();
        for run in &self.owed {
            let its = |r: &&SlotRecord| r.slot == run.period.slot || r.due == run.period.due;
            prop_assert!(records.iter().any(|r| its(&r)), "no record of {run:?} in {records:?}");
        }
        let begun = self.account().unwrap().timeline.phases()[0].from;
        let (mut day, last) = (self.date(begun).tomorrow().unwrap(), self.date(self.machine.now()));
        while day < last {
            let begin = day.to_zoned(self.zone.clone()).unwrap().timestamp();
            let end = day.tomorrow().unwrap().to_zoned(self.zone.clone()).unwrap().timestamp();
            let on = self.off.iter().all(|(from, until)| *until <= begin || end <= *from);
            let of_it = records.iter().filter(|r| begin <= r.due && r.due < end).count();
            let exists = begin < end;
            prop_assert!(of_it <= 1, "{of_it} on {day}: {records:?}");
            prop_assert!(!on || !exists || of_it == 1, "none on {day}: {records:?}");
            day = day.tomorrow().unwrap();
        }
        Ok(())
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, max_shrink_iters: 2000, ..ProptestConfig::default() })]

    #[test]
    fn no_storm_loses_a_day(
        (zone, start, time) in (0..ZONES.len(), 0..STARTS.len(), 0..TIMES.len()),
        happenings in prop::collection::vec(happening(), 1..50),
    ) {
        let mut storm = Storm::new(ZONES[zone], STARTS[start], TIMES[time]);
        storm.happen(&Happening::Pass(60));
        for what in &happenings {
            storm.happen(what);
            storm.judge(what)?;
        }
        storm.calm()?;
    }
}
