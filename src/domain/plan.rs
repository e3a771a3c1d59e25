//! Sizes that an instance or a database can have, and which of two is the larger.

use super::name::PlanName;
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

impl Plan {
    /// Whether whatever ran on `other` has room on this one: a snapshot goes to the same or a larger
    /// plan, never to a smaller one (Lightsail's rule for new instances and databases).
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

/// A size in the largest binary unit that divides it.
pub fn binary(bytes: u64) -> String {
    let units = [(40, "TiB"), (30, "GiB"), (20, "MiB"), (10, "KiB")];
    let fits = |(shift, _): &&(u32, &str)| bytes > 0 && bytes.trailing_zeros() >= *shift;
    match units.iter().find(fits) {
        Some((shift, unit)) => format!("{} {unit}", bytes >> shift),
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
        let odd = Plan { memory: 1536 << 20, disk: 1000, ..plan(2, 1, 1) };
        assert_eq!(odd.to_string(), "small (2 vCPUs, 1536 MiB memory, 1000 bytes disk)");
        assert_eq!(binary(0), "0 bytes");
    }
}
