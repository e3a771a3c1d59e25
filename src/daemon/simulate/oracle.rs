//! The promises, checked from the outside: by what is on the disk and what is ordered, not by what
//! the keeper believes.

use crate::backend::fake::{FakeDisk, FakeObject};
use crate::domain::event::{Guard, Order, Wholeness, Work};
use crate::domain::name::ResourceName;
use crate::domain::slot::Slot;
use crate::domain::snapshot::{Origin, Seq};
use std::collections::BTreeMap;
use uuid::Uuid;

/// A promise that was broken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Violation {
    /// Paid deletion: fewer newer complete ones than promised.
    Unpaid { resource: ResourceName, victim: Seq, newer: usize, promised: u32 },
    /// A kept, manual or whole unasked-for snapshot was to be destroyed by heptad itself.
    HandsOff { resource: ResourceName, victim: Seq },
    /// A sequence number stood for two snapshots.
    Reused { resource: ResourceName, seq: Seq },
    /// The live content was to be replaced, and no whole snapshot had it.
    Unsaved { resource: ResourceName },
    /// Two snapshots of one slot existed whole.
    Twice { resource: ResourceName, slot: Slot },
}

#[derive(Clone, Debug, Default)]
pub struct Oracle {
    ids: BTreeMap<(ResourceName, Seq), Uuid>,
    slots: BTreeMap<(ResourceName, Slot), Seq>,
    /// The victim of the order in hand, how many newer ones there were, how many were promised.
    payment: Option<(Seq, usize, u32)>,
    pub taken: u64,
    pub rotated: u64,
    pub violations: Vec<Violation>,
}

impl Oracle {
    /// Looks at an order before it is performed.
    pub fn before(&mut self, order: &Order, disk: &FakeDisk) {
        let resource = &order.resource;
        match &order.work {
            Work::Take { card, .. } => {
                let key = (resource.clone(), card.handle.seq);
                let first = *self.ids.entry(key).or_insert(card.handle.id);
                if first != card.handle.id {
                    let seq = card.handle.seq;
                    self.violations.push(Violation::Reused { resource: resource.clone(), seq });
                }
            }
            Work::Destroy { handle, guard: Guard::Paid(retention) } => {
                let world = disk.world();
                let Some(victim) = world.objects.get(&(resource.clone(), handle.seq)) else {
                    return;
                };
                if victim.card.origin != Origin::Automatic {
                    let victim = handle.seq;
                    self.violations
                        .push(Violation::HandsOff { resource: resource.clone(), victim });
                }
                let newer = world.objects.iter().filter(|((of, seq), object)| {
                    of == resource
                        && *seq > handle.seq
                        && object.state == Wholeness::Whole
                        && object.card.origin == Origin::Automatic
                });
                self.payment = Some((handle.seq, newer.count(), retention.latest));
            }
            Work::Rollback { token, .. } => {
                let world = disk.world();
                let saves = |object: &FakeObject| {
                    object.card.handle.id == *token && object.state == Wholeness::Whole
                };
                if !world.objects.values().any(saves) {
                    self.violations.push(Violation::Unsaved { resource: resource.clone() });
                }
            }
            _ => {}
        }
    }

    /// Looks at the disk after an order was performed.
    pub fn after(&mut self, order: &Order, disk: &FakeDisk) {
        self.settle_payment(&order.resource, disk);
        let Work::Take { card, .. } = &order.work else { return };
        let world = disk.world();
        let whole = world
            .objects
            .get(&(order.resource.clone(), card.handle.seq))
            .is_some_and(|object| object.state == Wholeness::Whole);
        if !whole {
            return;
        }
        self.taken += 1;
        let Some(slot) = card.slot else { return };
        let first = *self.slots.entry((order.resource.clone(), slot)).or_insert(card.handle.seq);
        if first != card.handle.seq {
            self.violations.push(Violation::Twice { resource: order.resource.clone(), slot });
        }
    }

    /// A rotation is a breach only if its victim is gone: the guard may have refused it.
    fn settle_payment(&mut self, resource: &ResourceName, disk: &FakeDisk) {
        let Some((victim, newer, promised)) = self.payment.take() else { return };
        if disk.world().objects.contains_key(&(resource.clone(), victim)) {
            return;
        }
        self.rotated += 1;
        if newer < promised as usize {
            let resource = resource.clone();
            self.violations.push(Violation::Unpaid { resource, victim, newer, promised });
        }
    }
}
