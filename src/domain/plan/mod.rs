//! Sizes that an instance or a database can have, which of two is the larger, and what they can be
//! made from.

mod size;

pub use size::{Size, SizeError};

use super::name::{BlueprintName, PlanName};
use std::fmt;

/// The size of an instance or a database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    pub name: PlanName,
    pub vcpus: u32,
    /// Bytes.
    pub memory: u64,
    /// Of the system disk, in bytes.
    pub disk: u64,
}

/// A plan that can be chosen.
#[derive(Clone, Debug, PartialEq)]
pub struct Offer {
    pub plan: Plan,
    /// Per month, in the currency of the fee; only shown.
    pub price: Option<f64>,
}

/// What an instance or a database can have been made from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Blueprint {
    pub name: BlueprintName,
    /// For a person: `Debian 12`.
    pub description: Option<String>,
    /// Whether its snapshots may be exported. Lightsail refuses it for Ghost, Django and cPanel &
    /// WHM (its guide on exporting snapshots).
    pub export: bool,
}

impl Plan {
    /// Whether whatever ran on `other` has room on this one: a snapshot goes to the same or a
    /// larger plan, never to a smaller one (Lightsail's rule for new instances and databases).
    pub fn holds(&self, other: &Plan) -> bool {
        self.vcpus >= other.vcpus && self.memory >= other.memory && self.disk >= other.disk
    }
}

impl fmt::Display for Plan {
    /// `small (2 vCPUs, 2 GiB memory, 40 GiB disk)`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let cpus = if self.vcpus == 1 { "vCPU" } else { "vCPUs" };
        let (memory, disk) = (binary(self.memory), binary(self.disk));
        write!(f, "{} ({} {cpus}, {memory} memory, {disk} disk)", self.name, self.vcpus)
    }
}

/// A size in the unit that makes the smallest whole number of it: exact, in powers of 1024 where
/// those of 1000 are no shorter.
pub fn binary(bytes: u64) -> String {
    let units = [
        (1 << 40, "TiB"),
        (1 << 30, "GiB"),
        (1 << 20, "MiB"),
        (1 << 10, "KiB"),
        (1_000_000_000_000, "TB"),
        (1_000_000_000, "GB"),
        (1_000_000, "MB"),
        (1_000, "KB"),
    ];
    let fitting = units.into_iter().filter(|(unit, _)| bytes > 0 && bytes.is_multiple_of(*unit));
    match fitting.min_by_key(|(unit, _)| bytes / unit) {
        Some((unit, name)) => format!("{} {name}", bytes / unit),
        None => format!("{bytes} bytes"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GIB: u64 = 1 << 30;

    fn plan(vcpus: u32, memory: u64, disk: u64) -> Plan {
        let (memory, disk) = (memory * GIB, disk * GIB);
        Plan { name: "small".parse().unwrap(), vcpus, memory, disk }
    }

    #[test]
    fn a_plan_holds_another_when_it_is_smaller_in_nothing() {
        let check = |a: Plan, b: Plan, want: bool| assert_eq!(a.holds(&b), want, "{a} {b}");
        check(plan(1, 1, 20), plan(1, 1, 20), true);
        check(plan(2, 2, 40), plan(1, 1, 20), true);
        check(plan(1, 1, 20), plan(2, 1, 20), false);
        check(plan(4, 1, 20), plan(2, 2, 20), false);
        check(plan(4, 4, 19), plan(2, 2, 20), false);
    }

    #[test]
    fn a_plan_tells_what_it_has() {
        assert_eq!(plan(1, 1, 20).to_string(), "small (1 vCPU, 1 GiB memory, 20 GiB disk)");
        let odd = Plan { memory: 1536 << 20, disk: 1001, ..plan(2, 1, 1) };
        assert_eq!(odd.to_string(), "small (2 vCPUs, 1536 MiB memory, 1001 bytes disk)");
        let check = |bytes: u64, want: &str| assert_eq!(binary(bytes), want);
        check(0, "0 bytes");
        check(1_000, "1 KB");
        check(60_000_000_000, "60 GB");
        check(60 << 30, "60 GiB");
        check(1_024_000, "1000 KiB");
        check(3 << 39, "1536 GiB");
    }
}
