//! Which things changed since when. Each thing bears the generation that last changed it, so any
//! client can ask for what it missed, and nothing is kept but one number per thing.

use super::service::Published;
use crate::domain::id::OperationId;
use crate::domain::ledger::Ledger;
use crate::domain::name::ResourceName;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

/// What changed after a generation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delta {
    /// Everything is in here, since the tracker does not reach back so far.
    pub whole: bool,
    pub operations: Vec<OperationId>,
    pub resources: Vec<ResourceName>,
    pub gone: Vec<ResourceName>,
}

impl Delta {
    pub fn is_empty(&self) -> bool {
        let nothing = self.operations.is_empty() && self.resources.is_empty();
        !self.whole && nothing && self.gone.is_empty()
    }
}

/// Compares each published state with the one before. Works when asked, in no task of its own;
/// turns that nobody looked at are seen as one.
pub struct Tracker(Mutex<Seen>);

struct Seen {
    /// The newest state that was compared.
    newest: Published,
    /// The generation at which comparing began.
    first: u64,
    operations: BTreeMap<OperationId, u64>,
    resources: BTreeMap<ResourceName, u64>,
    gone: BTreeMap<ResourceName, u64>,
}

impl Tracker {
    pub fn new(published: Published) -> Self {
        let first = published.generation;
        Self(Mutex::new(Seen {
            newest: published,
            first,
            operations: BTreeMap::new(),
            resources: BTreeMap::new(),
            gone: BTreeMap::new(),
        }))
    }

    /// What changed after `after`, with the state that shows it.
    pub fn since(&self, published: &Published, after: u64) -> (Published, Delta) {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if published.generation > seen.newest.generation {
            seen.advance(published);
        }
        let newest = seen.newest.clone();
        let known = (seen.first..=newest.generation).contains(&after);
        let delta = if known { seen.delta(after) } else { everything(&newest.ledger) };
        (newest, delta)
    }
}

impl Seen {
    fn advance(&mut self, new: &Published) {
        let (old, generation) = (Arc::clone(&self.newest.ledger), new.generation);
        let ledger = &new.ledger;
        for (id, operation) in &ledger.operations {
            if old.operations.get(id).is_none_or(|was| !same(was, operation)) {
                self.operations.insert(*id, generation);
            }
        }
        self.operations.retain(|id, _| ledger.operations.contains_key(id));
        for (name, account) in &ledger.accounts {
            if old.accounts.get(name).is_none_or(|was| !same(was, account)) {
                self.resources.insert(name.clone(), generation);
                self.gone.remove(name);
            }
        }
        for name in old.accounts.keys().filter(|name| !ledger.accounts.contains_key(*name)) {
            self.resources.remove(name);
            self.gone.insert(name.clone(), generation);
        }
        self.newest = new.clone();
    }

    fn delta(&self, after: u64) -> Delta {
        fn newer<K: Clone>(stamps: &BTreeMap<K, u64>, after: u64) -> Vec<K> {
            let newer = stamps.iter().filter(|(_, stamp)| **stamp > after);
            newer.map(|(key, _)| key.clone()).collect()
        }
        Delta {
            whole: false,
            operations: newer(&self.operations, after),
            resources: newer(&self.resources, after),
            gone: newer(&self.gone, after),
        }
    }
}

/// Cheap where nothing was touched.
fn same<T: PartialEq>(a: &Arc<T>, b: &Arc<T>) -> bool {
    Arc::ptr_eq(a, b) || a == b
}

fn everything(ledger: &Ledger) -> Delta {
    Delta {
        whole: true,
        operations: ledger.operations.keys().copied().collect(),
        resources: ledger.accounts.keys().cloned().collect(),
        gone: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::sample::{Builder, moment};

    fn published(generation: u64, names: &[(&str, &str)]) -> Published {
        let mut ledger = Ledger::default();
        for (name, trouble) in names {
            let mut account = Builder::daily().account();
            account.resource.name = name.parse().unwrap();
            account.trouble = Some((*trouble).to_owned());
            ledger.accounts.insert(account.name().clone(), Arc::new(account));
        }
        let moment = moment("22T12:00");
        Published { generation, ledger: Arc::new(ledger), moment, alarms: Vec::new() }
    }

    #[test]
    fn whoever_comes_late_hears_of_all_that_was_missed_and_of_nothing_else() {
        let tracker = Tracker::new(published(5, &[("aa", ""), ("bb", "")]));
        let turns = [
            published(6, &[("aa", "x"), ("bb", "")]),
            published(8, &[("aa", "x"), ("cc", "")]),
            published(9, &[("aa", "x"), ("cc", "")]),
        ];
        for turn in &turns {
            tracker.since(turn, 5);
        }
        let check = |after: u64, whole: bool, changed: &[&str], gone: &[&str]| {
            let (newest, delta) = tracker.since(&turns[2], after);
            let names = |names: &[ResourceName]| names.iter().map(|n| n.to_string()).collect();
            let (got, lost): (Vec<String>, Vec<String>) =
                (names(&delta.resources), names(&delta.gone));
            assert_eq!((newest.generation, delta.whole), (9, whole), "after {after}");
            assert_eq!(
                (got, lost),
                (
                    changed.iter().map(|s| (*s).into()).collect(),
                    gone.iter().map(|s| (*s).into()).collect()
                ),
                "after {after}"
            );
        };
        check(5, false, &["aa", "cc"], &["bb"]);
        check(6, false, &["cc"], &["bb"]);
        check(8, false, &[], &[]);
        check(9, false, &[], &[]);
        check(4, true, &["aa", "cc"], &[]);
        check(10, true, &["aa", "cc"], &[]);
    }
}
