//! Names that are free: one for a snapshot that was given none, and one like a name that is taken.

use super::Keeper;
use crate::domain::account::Account;
use crate::domain::ledger::Ledger;
use crate::domain::name::{NAME_LENGTH, ResourceName, SnapshotName};
use crate::domain::operation::Act;
use std::collections::BTreeSet;

/// Room for a number behind a name.
const NUMBER: usize = 8;

impl Keeper {
    /// `www-2026-11-30-2014`, in the resource's zone; a number behind it where that is taken.
    pub(super) fn invented(&self, account: &Account) -> Option<SnapshotName> {
        let now = self.now().to_zoned(account.policy().rhythm.zone.tz().clone());
        let time = now.strftime("%Y-%m-%d-%H%M").to_string();
        let most = NAME_LENGTH.end() - NUMBER - time.len() - 1;
        let resource = head(account.name().as_str(), most);
        let base = format!("{resource}-{time}");
        free_of(&base, 1, &names_like(&self.ledger, &base)).parse().ok()
    }

    /// `before-2` where `before` is taken.
    pub(super) fn free_like(&self, name: &SnapshotName) -> Option<SnapshotName> {
        free_name(&self.ledger, name)
    }

    /// Names that differ in case alone are one.
    pub(super) fn free_resource_like(&self, name: &ResourceName) -> Option<ResourceName> {
        let (base, number) = numbered(name.as_str());
        let taken: BTreeSet<String> =
            self.ledger.resource_names().map(|name| name.as_str().to_ascii_lowercase()).collect();
        let lower = base.to_ascii_lowercase();
        let free = free_of(&lower, number, &taken);
        let ending = free.get(lower.len()..).unwrap_or_default();
        format!("{base}{ending}").parse().ok()
    }
}

/// `before-2` where `before` is taken.
pub fn free_name(ledger: &Ledger, name: &SnapshotName) -> Option<SnapshotName> {
    let (base, number) = numbered(name.as_str());
    free_of(base, number, &names_like(ledger, base)).parse().ok()
}

/// The names of snapshots that begin so, with those that are still to be made.
fn names_like(ledger: &Ledger, head: &str) -> BTreeSet<String> {
    let made = ledger.snapshots().filter_map(|snapshot| snapshot.card.name.clone());
    let coming = ledger.open_operations().filter_map(|operation| match &operation.act {
        Act::Take { name, .. } => name.clone(),
        Act::Keep { name, .. } => Some(name.clone()),
        _ => None,
    });
    let all = made.chain(coming).filter(|name| name.as_str().starts_with(head));
    all.map(|name| name.to_string()).collect()
}

/// A name without the number behind it that a second one gets, and the number to go on with.
fn numbered(name: &str) -> (&str, usize) {
    let number = name.rsplit_once('-').and_then(|(base, number)| {
        let plain = number.len() < 4 && !number.starts_with('0');
        Some((base, number.parse::<usize>().ok().filter(|_| plain)?))
    });
    let (base, number) = number.unwrap_or((name, 1));
    (head(base, NAME_LENGTH.end() - NUMBER), number + 1)
}

/// The beginning of a name that can have something behind it.
fn head(name: &str, most: usize) -> &str {
    let cut = name.get(..name.len().min(most)).unwrap_or(name);
    cut.trim_end_matches(['.', '_', '-'])
}

/// The first that is not taken: of so many numbers one more than are taken is free.
fn free_of(base: &str, first: usize, taken: &BTreeSet<String>) -> String {
    let name = |number| if number == 1 { base.to_owned() } else { format!("{base}-{number}") };
    let mut names = (first..=first + taken.len()).map(name);
    names.find(|name| !taken.contains(name)).unwrap_or_else(|| base.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_like_one_that_is_taken_has_the_next_number() {
        let check = |name: &str, taken: &[&str], want: &str| {
            let taken = taken.iter().map(|name| (*name).to_owned()).collect();
            let (base, number) = numbered(name);
            assert_eq!(free_of(base, number, &taken), want, "{name}");
        };
        check("before", &["before"], "before-2");
        check("before", &["before", "before-2", "before-4"], "before-3");
        check("before-2", &["before-2"], "before-3");
        check("v1-0", &["v1-0"], "v1-0-2");
        check("www-2026-11-30-2014", &["www-2026-11-30-2014"], "www-2026-11-30-2014-2");
        let long = "a".repeat(255);
        check(&long, &[&long], &format!("{}-2", "a".repeat(247)));
    }
}
