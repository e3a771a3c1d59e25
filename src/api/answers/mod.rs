//! From the published facts to the words on the wire. Pure but for the progress of running
//! operations, which the daemon is asked for.

mod disk;
mod fee;
mod forecast;
mod metrics;
pub(super) mod operation;
mod plan;
mod resource;
mod slot;
mod snapshot;
mod tree;

pub(super) use metrics::CONTENT_TYPE as METRICS_TYPE;
pub(super) use plan::{blueprints, plans};
pub(super) use slot::bounds;
pub(super) use snapshot::{Page, place, wire_origin};
pub(super) use tree::{differences, listing};

use super::service::{Published, Service};
use super::wire;
use crate::domain::account::Account;
use crate::domain::alarm::{self, Alarm};
use crate::domain::denied::Denied;
use crate::domain::ledger::Ledger;
use crate::domain::name::ResourceName;
use crate::domain::similar::similar;
use crate::domain::snapshot::Selector;
use crate::domain::view::Moment;

/// What every answer is made from: one published state, seen now.
pub struct View<'a> {
    pub generation: u64,
    pub ledger: &'a Ledger,
    pub moment: Moment,
    daemon: &'a [Alarm],
    service: &'a dyn Service,
}

impl<'a> View<'a> {
    pub fn new(published: &'a Published, service: &'a dyn Service) -> Self {
        Self {
            generation: published.generation,
            ledger: &published.ledger,
            moment: Moment { now: service.now(), ..published.moment },
            daemon: &published.alarms,
            service,
        }
    }

    pub fn account(&self, name: &ResourceName) -> Result<&Account, Denied> {
        let found = self.ledger.account(name);
        found
            .ok_or_else(|| self.guess(Denied::NoSuchResource { name: name.clone(), similar: None }))
    }

    /// The denial with what was probably meant.
    pub fn guess(&self, denied: Denied) -> Denied {
        match denied {
            Denied::NoSuchResource { name, similar: None } => {
                let names = self.ledger.accounts.keys().map(ResourceName::as_str);
                let similar = similar(name.as_str(), names).and_then(|close| close.parse().ok());
                Denied::NoSuchResource { name, similar }
            }
            Denied::NoSuchSnapshot { wanted: Selector::Latest(resource), similar: None } => {
                let newest = self.ledger.account(&resource).and_then(Account::newest_usable);
                let similar = newest.map(|snapshot| snapshot.label());
                Denied::NoSuchSnapshot { wanted: Selector::Latest(resource), similar }
            }
            Denied::NoSuchSnapshot { wanted, similar: None } => {
                let there = self.ledger.snapshots().filter(|one| !one.fate.is_doomed());
                let labels = there.map(|snapshot| snapshot.label());
                let similar = similar(&wanted.to_string(), labels);
                Denied::NoSuchSnapshot { wanted, similar }
            }
            Denied::BeingTaken { snapshot, operation, queued, done: None } => {
                let done = self.service.progress(operation);
                let done = done.filter(|_| !queued).map(|done| (done.done_bytes, done.total_bytes));
                Denied::BeingTaken { snapshot, operation, queued, done }
            }
            other => other,
        }
    }

    /// The alarms of the daemon itself.
    pub fn daemon_alarms(&self) -> Vec<wire::Alarm> {
        let clock = alarm::clock_alarm(&self.moment);
        self.daemon.iter().chain(clock.iter()).map(wire_alarm).collect()
    }

    /// How many alarms there are in all.
    pub fn alarm_count(&self) -> usize {
        let of = |account| alarm::alarms(self.ledger, account, &self.moment).len();
        let accounts = self.ledger.accounts.values();
        self.daemon_alarms().len() + accounts.map(|account| of(account.as_ref())).sum::<usize>()
    }
}

fn wire_alarm(alarm: &Alarm) -> wire::Alarm {
    wire::Alarm {
        code: alarm.code.word().into(),
        sentence: alarm.sentence.clone(),
        hint: alarm.hint.clone(),
    }
}
