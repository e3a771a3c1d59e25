//! When each account wants to be looked at again.

use crate::domain::name::ResourceName;
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet};

#[derive(Clone, Debug, Default)]
pub(super) struct Wakes {
    by_time: BTreeSet<(Timestamp, ResourceName)>,
    by_name: BTreeMap<ResourceName, Timestamp>,
}

impl Wakes {
    pub(super) fn set(&mut self, name: &ResourceName, at: Option<Timestamp>) {
        if let Some(old) = self.by_name.remove(name) {
            self.by_time.remove(&(old, name.clone()));
        }
        if let Some(at) = at {
            self.by_name.insert(name.clone(), at);
            self.by_time.insert((at, name.clone()));
        }
    }

    pub(super) fn first(&self) -> Option<Timestamp> {
        self.by_time.first().map(|(at, _)| *at)
    }

    /// Removes and returns those whose time has come.
    pub(super) fn due(&mut self, now: Timestamp) -> Vec<ResourceName> {
        let mut due = Vec::new();
        while self.first().is_some_and(|at| at <= now) {
            if let Some((_, name)) = self.by_time.pop_first() {
                self.by_name.remove(&name);
                due.push(name);
            }
        }
        due
    }
}
