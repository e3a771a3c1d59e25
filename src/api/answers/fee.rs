//! The fee.

use super::super::service::Metered;
use super::View;
use crate::api::wire;
use crate::domain::account::Account;
use crate::domain::fee::{self, Basis, Charge, Month, ResourceUsage, Tariff, UsageDay};
use crate::domain::name::ResourceName;
use crate::domain::snapshot::Snapshot;
use jiff::Timestamp;
use std::collections::BTreeMap;

/// What a bill is made for.
#[derive(Clone, Copy)]
struct Bill<'a> {
    month: Month,
    now: Timestamp,
    tariff: &'a Tariff,
}

/// One resource's usage of the month.
#[derive(Clone, Copy, Default)]
struct Used<'a> {
    byte_hours: u128,
    last: Option<&'a UsageDay>,
}

impl View<'_> {
    /// Of one resource or of all, from the month's usage.
    pub fn fees(&self, month: Month, metered: &Metered, only: Option<&ResourceName>) -> wire::Fees {
        let bill = Bill { month, now: self.moment.now, tariff: &metered.tariff };
        let mut used: BTreeMap<&ResourceName, Used<'_>> = BTreeMap::new();
        for day in &metered.days {
            let of_it = used.entry(&day.resource).or_default();
            (of_it.byte_hours, of_it.last) =
                (of_it.byte_hours + u128::from(day.byte_hours), Some(day));
        }
        if bill.is_open() {
            self.ledger.accounts.keys().for_each(|name| {
                used.entry(name).or_default();
            });
        }
        if let Some(name) = only {
            used.entry(name).or_default();
            used.retain(|other, _| *other == name);
        }
        let held = |name: &ResourceName| self.ledger.account(name).map(ResourceUsage::of);
        let billed: u64 = used.keys().filter_map(|name| held(name)).map(|held| held.billed).sum();
        let so_far: u128 = used.values().map(|used| used.byte_hours).sum();
        let of = |(name, used): (&&ResourceName, &Used<'_>)| {
            let account = self.ledger.account(name);
            match bill.is_open() {
                true => bill.present(name, account, used),
                false => bill.past(name, account.is_some(), used),
            }
        };
        wire::Fees {
            now: bill.now,
            month: month.to_string(),
            ends: month.end(),
            price: metered.tariff.price,
            currency: metered.tariff.currency.clone(),
            resources: used.iter().map(of).collect(),
            so_far: bill.charge(so_far),
            forecast: bill.forecast(so_far, billed),
        }
    }
}

impl Bill<'_> {
    fn is_open(self) -> bool {
        self.now < self.month.end()
    }

    fn charge(self, byte_hours: u128) -> wire::Charge {
        let Charge { gb_months, cost } = fee::charge(byte_hours, self.tariff);
        wire::Charge { gb_months: rounded(gb_months), cost: rounded(cost) }
    }

    fn forecast(self, so_far: u128, held: u64) -> Option<wire::Charge> {
        fee::foretell(so_far, held, self.month, self.now).map(|whole| self.charge(whole))
    }

    fn present(
        self,
        name: &ResourceName,
        account: Option<&Account>,
        used: &Used<'_>,
    ) -> wire::ResourceFee {
        let held = account.map(ResourceUsage::of).unwrap_or_default();
        let all = account.into_iter().flat_map(|account| account.snapshots.values().rev());
        wire::ResourceFee {
            resource: name.to_string(),
            known: account.is_some(),
            snapshots: all.filter(|one| fee::occupies(one)).map(|one| snapshot(one)).collect(),
            stored_bytes: held.stored,
            exclusive_bytes: held.exclusive,
            occupied_bytes: held.occupied.map(|occupied| occupied.bytes),
            billed_bytes: Some(held.billed),
            measured: Some(measured(held.basis())),
            unmeasured: held.unmeasured(),
            so_far: self.charge(used.byte_hours),
            forecast: self.forecast(used.byte_hours, held.billed),
        }
    }

    fn past(self, name: &ResourceName, known: bool, used: &Used<'_>) -> wire::ResourceFee {
        wire::ResourceFee {
            resource: name.to_string(),
            known,
            snapshots: Vec::new(),
            stored_bytes: used.last.and_then(|day| day.stored),
            exclusive_bytes: used.last.and_then(|day| day.exclusive),
            occupied_bytes: used.last.and_then(|day| day.occupied),
            billed_bytes: None,
            measured: None,
            unmeasured: 0,
            so_far: self.charge(used.byte_hours),
            forecast: None,
        }
    }
}

fn snapshot(snapshot: &Snapshot) -> wire::SnapshotFee {
    let (billed_bytes, basis) = fee::billed(&snapshot.facts);
    wire::SnapshotFee {
        snapshot: snapshot.label(),
        stored_bytes: snapshot.facts.stored,
        exclusive_bytes: snapshot.facts.exclusive,
        billed_bytes,
        measured: measured(basis),
    }
}

fn measured(basis: Basis) -> wire::Measured {
    match basis {
        Basis::Exact => wire::Measured::Exact,
        Basis::Outdated => wire::Measured::Outdated,
        Basis::AtLeast => wire::Measured::AtLeast,
        Basis::Exclusive => wire::Measured::Exclusive,
        Basis::Logical => wire::Measured::Logical,
        Basis::Mixed => wire::Measured::Mixed,
        Basis::Unmeasured => wire::Measured::Unmeasured,
    }
}

fn rounded(amount: f64) -> f64 {
    (amount * 1e6).round() / 1e6
}
