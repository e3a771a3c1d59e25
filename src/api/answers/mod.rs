//! From the published facts to the words on the wire. Pure but for the progress of running
//! operations, which the daemon is asked for.

mod fee;
mod forecast;
mod metrics;
mod operation;
mod plan;
mod resource;
mod slot;
mod snapshot;
mod tree;

pub use metrics::CONTENT_TYPE as METRICS_TYPE;
pub use plan::{blueprints, plans};
pub use slot::bounds;
pub use snapshot::wire_origin;
pub use tree::{differences, listing};

use super::desk::{Desk, Published};
use super::similar::similar;
use super::wire;
use crate::domain::account::Account;
use crate::domain::alarm::{self, Alarm};
use crate::domain::event::Denied;
use crate::domain::ledger::Ledger;
use crate::domain::name::ResourceName;
use crate::domain::view::Moment;

/// What every answer is made from: one published state, seen now.
pub struct View<'a> {
    pub generation: u64,
    pub ledger: &'a Ledger,
    pub moment: Moment,
    daemon: &'a [Alarm],
    desk: &'a dyn Desk,
}

impl<'a> View<'a> {
    pub fn new(published: &'a Published, desk: &'a dyn Desk) -> Self {
        Self {
            generation: published.generation,
            ledger: &published.ledger,
            moment: Moment { now: desk.now(), ..published.moment },
            daemon: &published.alarms,
            desk,
        }
    }

    pub fn account(&self, name: &ResourceName) -> Result<&Account, Denied> {
        self.ledger.account(name).ok_or_else(|| {
            let names = self.ledger.accounts.keys();
            let close = similar(name.as_str(), names.map(ResourceName::as_str));
            Denied::NoSuchResource {
                name: name.clone(),
                similar: close.and_then(|close| close.parse().ok()),
            }
        })
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
