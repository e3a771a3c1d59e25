//! A configuration was loaded: compare it with what is in force.

use super::Keeper;
use crate::domain::account::{Account, Barred};
use crate::domain::event::Entry;
use crate::domain::name::ResourceName;
use crate::domain::operation::Cause;
use crate::domain::pace;
use crate::domain::policy::Retention;
use crate::domain::resource::Resource;
use crate::domain::timeline::Timeline;
use std::collections::{BTreeMap, BTreeSet};

impl Keeper {
    /// Takes over a whole configuration. A changed time follows the same table as a command; a
    /// resource that left the configuration is kept, with everything that it has.
    pub(super) fn configure(&mut self, resources: Vec<Resource>) {
        let declared: BTreeSet<ResourceName> = resources.iter().map(|r| r.name.clone()).collect();
        for resource in resources {
            self.declare(resource);
        }
        let left: Vec<Account> = self
            .ledger
            .accounts
            .values()
            .filter(|account| account.declared && !declared.contains(account.name()))
            .map(|account| (**account).clone())
            .collect();
        for account in left {
            self.close_slots(account.name());
            let next = self.follow(&account, Account { declared: false, ..account.clone() });
            self.put_account(next);
        }
        self.erase_withdrawn(&declared);
        self.survey_where(|account| !account.surveyed, Cause::Configuration);
    }

    /// Forgotten enrolled resources without snapshots, once nothing declares them any more.
    fn erase_withdrawn(&mut self, declared: &BTreeSet<ResourceName>) {
        let gone = self.ledger.accounts.values().filter(|account| {
            let idle = account.running.is_none() && account.queue.is_empty();
            let withdrawn = account.resource.enrolled && !declared.contains(account.name());
            withdrawn && account.forgotten && account.snapshots.is_empty() && idle
        });
        let gone: Vec<ResourceName> = gone.map(|account| account.name().clone()).collect();
        for name in gone {
            self.put(Entry::AccountErased(name));
        }
    }

    /// Notes what cannot be taken; it is tried all the same, for nobody knows better than the try.
    pub(super) fn bar(&mut self, mut barred: BTreeMap<ResourceName, Barred>) {
        let names: Vec<ResourceName> = self.ledger.accounts.keys().cloned().collect();
        for name in names {
            let why = barred.remove(&name);
            if let Some(account) = self.ledger.account_mut(&name).filter(|a| a.barred != why) {
                account.barred = why;
                self.touched.insert(name);
            }
        }
    }

    /// What was forgotten is to be known again: its new declaration counts from now on.
    pub(super) fn welcome(&mut self, name: &ResourceName) {
        if let Some(known) = self.ledger.account(name).filter(|known| known.forgotten).cloned() {
            self.put_account(Account { forgotten: false, ..known });
        }
    }

    /// Looks at every backend that is idle; whatever differs from the ledger is brought in line.
    pub(super) fn sweep(&mut self) {
        self.survey_where(|account| account.queue.is_empty(), Cause::Recovery);
        self.touched.extend(self.ledger.accounts.keys().cloned());
    }

    /// Looks at what was amiss when it was last seen, and may be mended by now.
    pub(super) fn look(&mut self) {
        self.survey_where(
            |account| account.is_amiss() && account.queue.is_empty(),
            Cause::Recovery,
        );
    }

    fn survey_where(&mut self, wanted: impl Fn(&Account) -> bool, cause: Cause) {
        let idle = self.ledger.accounts.values().filter(|account| account.running.is_none());
        let names: Vec<ResourceName> =
            idle.filter(|account| wanted(account)).map(|account| account.name().clone()).collect();
        for name in names {
            self.survey(&name, cause);
        }
    }

    fn declare(&mut self, resource: Resource) {
        let name = resource.name.clone();
        self.close_slots(&name);
        let Some(known) = self.ledger.account(&name).cloned() else {
            let mut new = Account::new(resource, self.now());
            new.next_seq = self.ledger.numbers.get(&name).copied().unwrap_or(new.next_seq);
            let new = self.follow(&new, new.clone());
            self.put_account(new);
            return;
        };
        if resource.enrolled && known.forgotten {
            // Its declaration is about to go.
            return;
        }
        let mut next = known.clone();
        (next.declared, next.forgotten) = (true, false);
        next.payment.lowered |=
            is_lower(resource.policy.retention, known.resource.policy.retention);
        next.resource = resource;
        let next = self.follow(&known, next);
        if next != known {
            self.put_account(next.clone());
        }
        if next.resource.backend != known.resource.backend
            && let Some(account) = self.ledger.account_mut(&name)
        {
            account.surveyed = false;
        }
        self.touched.insert(name);
    }

    /// Gives `next` the timeline that its policy asks for, coming from `before`.
    pub(super) fn follow(&self, before: &Account, mut next: Account) -> Account {
        let (now, rhythm) = (self.now(), next.policy().rhythm);
        if next.timeline.phases().is_empty() {
            if next.is_active() {
                next.timeline = Timeline::start(rhythm, now);
            }
            return next;
        }
        if !before.is_active() {
            // A catalogue of an older heptad does not say since when.
            let last = before.slots.values().map(|record| record.due).max();
            next.timeline = next.timeline.stopped(last.unwrap_or(before.since));
        }
        if !next.is_active() {
            return Account { timeline: next.timeline.stopped(now), ..next };
        }
        next.timeline = next.timeline.resumed(now);
        if next.timeline.wished() != Some(&rhythm) {
            if let Some(old) = next.timeline.wished() {
                let stay = |account: &Account| account.policy().retention.latest;
                next.held = pace::held(&next, (old, stay(before)), (&rhythm, stay(&next)), now);
            }
            let today = next.today(now);
            next.timeline = next.timeline.change(rhythm, now, today);
        }
        next
    }
}

/// Whether fewer stay of any kind than before.
fn is_lower(next: Retention, before: Retention) -> bool {
    next.latest < before.latest
        || next.weekly < before.weekly
        || next.monthly < before.monthly
        || next.yearly < before.yearly
}
