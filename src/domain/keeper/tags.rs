//! Tags that a command changes: of a snapshot in the mark beside it, of a resource on top of what
//! the configuration says.

use super::super::denied::Denied;
use super::Keeper;
use super::find::inherited;
use crate::domain::account::{Account, Override};
use crate::domain::event::Entry;
use crate::domain::id::OperationId;
use crate::domain::name::ResourceName;
use crate::domain::operation::{Act, Cause, Failure, Fault};
use crate::domain::snapshot::{Facts, Origin, Selector, Seq, Snapshot};
use crate::domain::tag::{Retag, TAG_LIMIT, Tags, wished};

impl Keeper {
    pub(super) fn ask_tag_resource(
        &mut self,
        resource: &ResourceName,
        change: &Retag,
        cause: Cause,
    ) -> Result<OperationId, Denied> {
        let account = self.configured(resource)?.clone();
        let full = |total| Denied::TagsFull { of: resource.to_string(), total };
        change.apply(&account.tags()).map_err(full)?;
        let tags = wished(account.wish.tags.clone(), change, &account.resource.tags);
        let wish = Override { tags, ..account.wish.clone() };
        let act = Act::Tag { seq: None, change: change.clone() };
        let operation = self.operation(resource, act, cause);
        self.put_account(Account { wish, ..account });
        Ok(self.done(operation))
    }

    pub(super) fn ask_tag_snapshot(
        &mut self,
        snapshot: &Selector,
        change: &Retag,
        cause: Cause,
    ) -> Result<OperationId, Denied> {
        let found = self.find_usable(snapshot)?;
        let (resource, seq) = (found.resource.clone(), found.seq());
        let full = |total| Denied::TagsFull { of: found.label(), total };
        change.apply(&self.tags_to_come(&found)).map_err(full)?;
        let act = Act::Tag { seq: Some(seq), change: change.clone() };
        self.queue(&resource, act, cause)
    }

    /// Its tags once all changes that wait are made.
    fn tags_to_come(&self, snapshot: &Snapshot) -> Tags {
        let waiting = self.ledger.open_of(&snapshot.resource);
        waiting.fold(snapshot.tags().clone(), |tags, operation| match &operation.act {
            Act::Tag { seq: Some(seq), change } if *seq == snapshot.seq() => {
                change.apply(&tags).unwrap_or(tags)
            }
            _ => tags,
        })
    }

    /// The mark beside it has its new tags.
    pub(super) fn retagged(&mut self, name: &ResourceName, seq: Seq, change: &Retag) {
        let tags = self.ledger.snapshot(name, seq).map(|known| change.apply(known.tags()));
        if let Some(Ok(tags)) = tags {
            self.set_tags(name, seq, tags);
        }
    }

    pub(super) fn set_tags(&mut self, name: &ResourceName, seq: Seq, tags: Tags) {
        if let Some(snapshot) = self.ledger.snapshot(name, seq).cloned() {
            let facts = Facts { retagged: Some(tags), ..snapshot.facts };
            self.put(Entry::Snapshot(Box::new(Snapshot { facts, ..snapshot })));
        }
    }
}

/// The tags of a snapshot after a change.
///
/// # Errors
/// They became too many while this waited.
pub(super) fn retagging(snapshot: &Snapshot, change: &Retag) -> Result<Tags, Failure> {
    change.apply(snapshot.tags()).map_err(|total| {
        let message = format!("it would have {total} tags, and {TAG_LIMIT} are the most");
        Failure::new(Fault::Permanent, message)
    })
}

/// The tags of a new resource before it is given any: those of the snapshot, which has its
/// original's of the time when it was taken; an automatic one has none then, so the present ones.
pub(super) fn derived_tags(account: &Account, snapshot: &Snapshot) -> Tags {
    match &snapshot.facts.retagged {
        Some(own) if snapshot.card.origin == Origin::Automatic => {
            let mut tags = account.tags();
            tags.extend(own.clone());
            tags
        }
        None if snapshot.card.tags.is_empty() => account.tags(),
        _ => snapshot.tags().clone(),
    }
}

/// What a kept snapshot has before it is given any: its resource's tags, and over them those that
/// the automatic one was given.
///
/// # Errors
/// [`Denied::TooManyTags`].
pub(super) fn keepsakes(account: &Account, original: &Snapshot) -> Result<Tags, Denied> {
    let own = original.facts.retagged.clone().unwrap_or_default();
    inherited(account, &account.tags(), &own)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::sample::Builder;
    use std::sync::Arc;

    fn tags(key: &str, value: &str) -> Tags {
        Tags::from([(key.into(), value.into())])
    }

    #[test]
    fn what_is_made_of_a_snapshot_has_its_tags_and_of_an_automatic_one_its_resources_too() {
        let account = Builder::daily()
            .complete(1..=1)
            .but(|a| a.wish.tags = [("r".into(), Some("1".into()))].into());
        let account = account.account();
        let check = |origin, taken_with: Tags, retagged: Option<Tags>, want: &[(&str, &str)]| {
            let mut snapshot = Arc::unwrap_or_clone(account.snapshots[&Seq(1)].clone());
            (snapshot.card.origin, snapshot.card.tags) = (origin, taken_with);
            snapshot.facts.retagged = retagged;
            let want: Tags = want.iter().map(|(k, v)| ((*k).into(), (*v).into())).collect();
            assert_eq!(derived_tags(&account, &snapshot), want);
        };
        let (none, some) = (Tags::new, || tags("s", "2"));
        check(Origin::Automatic, none(), None, &[("r", "1")]);
        check(Origin::Automatic, none(), Some(some()), &[("r", "1"), ("s", "2")]);
        check(Origin::Automatic, none(), Some(tags("r", "2")), &[("r", "2")]);
        check(Origin::Automatic, none(), Some(none()), &[("r", "1")]);
        check(Origin::Manual, none(), None, &[("r", "1")]);
        check(Origin::Manual, some(), None, &[("s", "2")]);
        check(Origin::Manual, some(), Some(tags("t", "3")), &[("t", "3")]);
        check(Origin::Manual, some(), Some(none()), &[]);
    }
}
