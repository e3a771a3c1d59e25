//! Resources and the whole status.

use super::disk::size;
use super::plan::plan;
use super::{View, wire_alarm};
use crate::api::wire;
use crate::domain::account::Account;
use crate::domain::clock::Belief;
use crate::domain::name::ResourceName;
use crate::domain::policy::Retention;
use crate::domain::slot_record::{Run, Why};
use crate::domain::snapshot::Snapshot;
use crate::domain::{alarm, rotation, view};
use jiff::Timestamp;
use std::ops::Bound;

impl View<'_> {
    pub fn status(&self) -> wire::Status {
        let moment = &self.moment;
        wire::Status {
            version: env!("CARGO_PKG_VERSION").into(),
            generation: self.generation,
            now: moment.now,
            started: moment.started,
            clock: match moment.belief {
                Belief::Trusted => wire::Belief::Trusted,
                Belief::Doubted => wire::Belief::Doubted,
                Belief::Tolerated => wire::Belief::Tolerated,
            },
            alarms: self.daemon_alarms(),
            open_operations: self.ledger.open_operations().count() as u64,
            resources: self.resources(),
        }
    }

    pub fn health(&self) -> wire::Health {
        let alarms = self.alarm_count() as u64;
        wire::Health {
            healthy: alarms == 0,
            alarms,
            generation: self.generation,
            version: env!("CARGO_PKG_VERSION").into(),
        }
    }

    /// A page of them, by name.
    pub fn page_of_resources(&self, after: Option<&ResourceName>, limit: usize) -> wire::Resources {
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let mut accounts = self.ledger.accounts.range((from, Bound::Unbounded)).map(|(_, of)| of);
        let shown = accounts.by_ref().take(limit);
        let resources: Vec<_> = shown.map(|account| self.resource(account)).collect();
        let next = resources.last().map(|last| last.name.clone());
        let next = next.filter(|_| accounts.next().is_some());
        wire::Resources { generation: self.generation, resources, next }
    }

    pub fn resources(&self) -> Vec<wire::Resource> {
        self.ledger.accounts.values().map(|account| self.resource(account)).collect()
    }

    pub fn resource(&self, account: &Account) -> wire::Resource {
        let policy = account.policy();
        let (moment, counts) = (&self.moment, view::counts(account));
        let newest = account.newest_complete();
        let engine = account.engine();
        let running = account.running.and_then(|id| self.ledger.operations.get(&id));
        let alarms = alarm::alarms(self.ledger, account, &self.moment);
        wire::Resource {
            name: account.name().to_string(),
            kind: account.resource.kind.word().into(),
            backend: account.resource.backend.kind.clone(),
            plan: account.resource.plan.as_ref().map(plan),
            blueprint: account.resource.blueprint.clone(),
            size_bytes: size(
                account.resource.kind,
                account.disks(),
                account.resource.plan.as_ref(),
            ),
            attached_disks: self.attached(account.disks()),
            attached_to: self.attached_to(account),
            engine: engine.map(|engine| engine.name.clone()),
            engine_version: engine.map(|engine| engine.version.clone()),
            enrolled: account.resource.enrolled,
            declared: account.declared,
            forgotten: account.forgotten,
            tags: account.tags(),
            configured_tags: Some(account.resource.tags.clone())
                .filter(|configured| *configured != account.tags()),
            enabled: enabled(account),
            rhythm: rhythm(account),
            still: still(account, self.moment.now),
            time: time(account),
            zone: policy.rhythm.zone.to_string(),
            spread_seconds: policy.rhythm.offset,
            retention: retention(policy.retention),
            next_run: self.next_run(account),
            strip: strip(account, moment.now),
            counts: wire::Counts {
                automatic: counts.automatic,
                manual: counts.manual,
                trashed: counts.trashed,
            },
            newest: account.newest_usable().map(|snapshot| self.newest(account, snapshot)),
            newest_complete: newest,
            newest_complete_age_seconds: newest
                .map(|at| self.moment.now.duration_since(at).as_secs()),
            newest_proof: account.newest_proof(),
            alarms: alarms.iter().map(wire_alarm).collect(),
            running: running.map(|operation| self.operation(operation)),
            queued: account.queue.len() as u64,
        }
    }

    /// What is beyond those that stay, be it held or not: whoever asks for rotation lets it go.
    fn beyond(&self, account: &Account) -> Vec<String> {
        let mut candidates = account.candidates(&|_| false);
        for one in &mut candidates {
            one.pinned = self.is_pinned(account, one.seq);
        }
        let judged = rotation::judge(&candidates, account.policy().retention);
        let label = |seq| account.snapshots.get(seq).map(|snapshot| snapshot.label());
        rotation::doomed(&judged, u32::MAX).iter().filter_map(label).collect()
    }

    fn newest(&self, account: &Account, snapshot: &Snapshot) -> wire::Newest {
        wire::Newest {
            snapshot: snapshot.label(),
            origin: super::snapshot::wire_origin(snapshot.card.origin),
            taken_at: account.dating.believed(snapshot.seq(), snapshot.card.taken_at),
        }
    }

    pub fn resource_detail(&self, account: &Account) -> wire::ResourceDetail {
        wire::ResourceDetail {
            generation: self.generation,
            now: self.moment.now,
            resource: self.resource(account),
            since: account.since,
            identity: account.identity.clone(),
            stranger: account.stranger.clone(),
            trouble: account.trouble.clone(),
            doubt: account.doubt(),
            can: self.service.facets(account.name()).into_iter().map(str::to_owned).collect(),
            beyond: self.beyond(account),
            slots: account
                .by_due()
                .into_iter()
                .rev()
                .map(|record| self.slot(account, record))
                .collect(),
        }
    }

    /// What was wished and what will happen.
    pub fn schedule(&self, account: &Account) -> wire::Schedule {
        wire::Schedule {
            enabled: enabled(account),
            rhythm: rhythm(account),
            still: still(account, self.moment.now),
            time: time(account),
            zone: account.policy().rhythm.zone.to_string(),
            next_run: self.next_run(account),
        }
    }

    pub(super) fn next_run(&self, account: &Account) -> Option<wire::NextRun> {
        let moment = &self.moment;
        let run = account.next_run(moment.beginning(), moment.now)?;
        let Run { period, at, why } = run;
        let (why, retry) = wire_why(why);
        Some(wire::NextRun { slot: period.slot.to_string(), due: period.due, at, why, retry })
    }
}

/// With the number of the try.
pub(super) fn wire_why(why: Why) -> (wire::Why, u32) {
    match why {
        Why::Scheduled => (wire::Why::Scheduled, 0),
        Why::CatchUp => (wire::Why::CatchUp, 0),
        Why::Retry(n) => (wire::Why::Retry, n),
    }
}

fn setting<T: PartialEq>(value: T, configured: T, is_override: bool) -> wire::Setting<T> {
    let source = if is_override { wire::Source::Override } else { wire::Source::Config };
    let configured = (value != configured).then_some(configured);
    wire::Setting { value, source, configured }
}

fn enabled(account: &Account) -> wire::Setting<bool> {
    let configured = account.resource.policy.enabled;
    setting(account.policy().enabled, configured, account.wish.enabled.is_some())
}

fn rhythm(account: &Account) -> wire::Setting<String> {
    let configured = account.resource.policy.rhythm.to_string();
    setting(account.policy().rhythm.to_string(), configured, account.wish.time.is_some())
}

fn still(account: &Account, now: Timestamp) -> Option<wire::Still> {
    let (rhythm, until) = account.timeline.still(now).filter(|_| account.is_active())?;
    Some(wire::Still { rhythm: rhythm.to_string(), until })
}

fn time(account: &Account) -> Option<String> {
    account.policy().rhythm.time().map(|time| time.strftime("%H:%M").to_string())
}

fn retention(retention: Retention) -> wire::Retention {
    let Retention { latest, weekly, monthly, yearly } = retention;
    wire::Retention { latest, weekly, monthly, yearly }
}

fn strip(account: &Account, now: Timestamp) -> Vec<wire::StripMark> {
    let mark = |(slot, mark): (crate::domain::slot::Slot, view::Mark)| wire::StripMark {
        slot: slot.to_string(),
        mark: super::slot::wire_mark(mark),
    };
    view::strip(account, now).into_iter().map(mark).collect()
}
