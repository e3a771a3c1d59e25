//! Who reads which snapshot at this moment, so that none is destroyed while it is read. Of this
//! process only: after a restart nobody reads.

use crate::domain::name::ResourceName;
use crate::domain::snapshot::Seq;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Use {
    Readers(usize),
    Destroyer,
}

type Key = (ResourceName, Seq);

#[derive(Debug, Default)]
pub(super) struct Leases(Mutex<BTreeMap<Key, Use>>);

/// Holds one use until dropped.
#[derive(Debug)]
pub(super) struct Lease {
    leases: Arc<Leases>,
    key: Key,
}

impl Leases {
    /// To read a snapshot; none while it is being destroyed.
    pub(super) fn read(self: &Arc<Self>, resource: &ResourceName, seq: Seq) -> Option<Lease> {
        let key = (resource.clone(), seq);
        let mut uses = self.uses();
        let next = match uses.get(&key) {
            Some(Use::Destroyer) => return None,
            Some(Use::Readers(number)) => Use::Readers(number + 1),
            None => Use::Readers(1),
        };
        uses.insert(key.clone(), next);
        Some(Lease { leases: Arc::clone(self), key })
    }

    /// To destroy a snapshot; none while anybody reads it, or destroys it already.
    pub(super) fn destroy(self: &Arc<Self>, resource: &ResourceName, seq: Seq) -> Option<Lease> {
        let key = (resource.clone(), seq);
        let mut uses = self.uses();
        if uses.contains_key(&key) {
            return None;
        }
        uses.insert(key.clone(), Use::Destroyer);
        Some(Lease { leases: Arc::clone(self), key })
    }

    fn uses(&self) -> MutexGuard<'_, BTreeMap<Key, Use>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let mut uses = self.leases.uses();
        match uses.get_mut(&self.key) {
            Some(Use::Readers(number)) if *number > 1 => *number -= 1,
            _ => {
                uses.remove(&self.key);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_read_is_not_destroyed_and_what_is_destroyed_is_not_read() {
        let leases = Arc::new(Leases::default());
        let (home, mail) = ("home".parse().unwrap(), "mail".parse().unwrap());
        let first = leases.read(&home, Seq(1)).unwrap();
        let second = leases.read(&home, Seq(1)).unwrap();
        assert!(leases.destroy(&home, Seq(1)).is_none());
        assert!(leases.destroy(&home, Seq(2)).is_some());
        assert!(leases.destroy(&mail, Seq(1)).is_some());
        drop(first);
        assert!(leases.destroy(&home, Seq(1)).is_none());
        drop(second);
        let going = leases.destroy(&home, Seq(1)).unwrap();
        assert!(leases.read(&home, Seq(1)).is_none());
        drop(going);
        assert!(leases.read(&home, Seq(1)).is_some());
    }
}
