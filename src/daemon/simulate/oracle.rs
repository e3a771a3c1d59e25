//! The promises, checked from the outside: by what is on the disk and what is ordered, not by what
//! the keeper believes.

use crate::backend::fake::{FakeDisk, FakeObject};
use crate::domain::clock::Reading;
use crate::domain::name::ResourceName;
use crate::domain::order::{Guard, Order, Work};
use crate::domain::rotation::CREDIT;
use crate::domain::slot::Slot;
use crate::domain::snapshot::{Origin, Seq};
use crate::domain::survey::Wholeness;
use jiff::SignedDuration;
use std::collections::BTreeMap;
use uuid::Uuid;

/// How many may have been paid for and not gone yet.
const MOST: u32 = 2 * CREDIT;

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
    /// More was rotated out than completed snapshots paid for: somebody vouched for the clock, or
    /// half a day had passed since the last that paid.
    Untimely { resource: ResourceName, victim: Seq },
    /// Two snapshots of one slot existed whole.
    Twice { resource: ResourceName, slot: Slot },
}

/// How many may still go of a resource, and the clocks when one paid last.
#[derive(Clone, Debug, Default)]
struct Purse {
    credit: u32,
    elapsed: SignedDuration,
    slept: SignedDuration,
}

#[derive(Clone, Debug, Default)]
pub struct Oracle {
    ids: BTreeMap<(ResourceName, Seq), Uuid>,
    slots: BTreeMap<(ResourceName, Slot), Seq>,
    /// The victim of the order in hand, how many newer ones there were, how many were promised.
    payment: Option<(Seq, usize, u32)>,
    purses: BTreeMap<ResourceName, Purse>,
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
            Work::Destroy { handle, guard: Guard::Paid { retention, .. } } => {
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

    /// A person vouches for what goes now.
    pub fn asked_to_rotate(&mut self, resource: &ResourceName) {
        self.purses.entry(resource.clone()).or_default().credit = u32::MAX;
    }

    /// A completed snapshot pays, if time has really passed. What goes by way of the trash goes a
    /// day later, when others have paid too.
    fn pay(&mut self, resource: &ResourceName, trashed: u32, reading: Reading) {
        let Purse { credit, elapsed, slept } = self.purses.entry(resource.clone()).or_default();
        let sleep = reading.slept.saturating_sub(*slept);
        let sleep = if sleep.is_negative() { reading.slept } else { sleep };
        let since = reading.elapsed.saturating_sub(*elapsed).saturating_add(sleep);
        if reading.synchronised || since >= SignedDuration::from_hours(12) {
            let most = MOST.saturating_add(trashed).max(*credit);
            *credit = credit.saturating_add(CREDIT).min(most);
            (*elapsed, *slept) = (reading.elapsed, reading.slept);
        }
    }

    /// Looks at the disk after an order was performed.
    pub fn after(&mut self, order: &Order, disk: &FakeDisk, reading: Reading) {
        self.settle_payment(&order.resource, disk);
        let Work::Take { card, .. } = &order.work else { return };
        let world = disk.world();
        let trashed = world.objects.iter().filter(|((of, _), object)| {
            *of == order.resource && object.mark.trashed && object.card.origin == Origin::Automatic
        });
        let trashed = u32::try_from(trashed.count()).unwrap_or(u32::MAX);
        let whole = world
            .objects
            .get(&(order.resource.clone(), card.handle.seq))
            .is_some_and(|object| object.state == Wholeness::Whole);
        if !whole {
            return;
        }
        self.taken += 1;
        let Some(slot) = card.slot else { return };
        self.pay(&order.resource, trashed, reading);
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
        let purse = self.purses.entry(resource.clone()).or_default();
        match purse.credit.checked_sub(1) {
            Some(left) => purse.credit = left,
            None => {
                let resource = resource.clone();
                self.violations.push(Violation::Untimely { resource, victim });
            }
        }
        if newer < promised as usize {
            let resource = resource.clone();
            self.violations.push(Violation::Unpaid { resource, victim, newer, promised });
        }
    }
}
