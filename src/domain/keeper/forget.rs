//! Forgetting a resource that will not come back, with a last snapshot where one is wished.

use super::super::denied::Denied;
use super::super::request::FinalSnapshot;
use super::Keeper;
use super::find::room_for;
use crate::domain::account::Account;
use crate::domain::event::Entry;
use crate::domain::id::OperationId;
use crate::domain::name::{ResourceName, SnapshotName};
use crate::domain::operation::{Act, Cause, Failure, Fault, Leftovers, Operation, State};
use crate::domain::resource::Kind;
use crate::domain::snapshot::{Fate, Origin, Part, Seq};

impl Keeper {
    pub(super) fn ask_forget(
        &mut self,
        resource: &ResourceName,
        automatic: Leftovers,
        last: &FinalSnapshot,
        cause: Cause,
    ) -> Result<OperationId, Denied> {
        let account = self.account(resource)?.clone();
        // What a command made, a command forgets.
        if account.declared && !account.resource.enrolled {
            return Err(Denied::StillConfigured { resource: resource.clone() });
        }
        match last {
            FinalSnapshot::Unspecified
                if !account.forgotten && account.resource.kind != Kind::Disk =>
            {
                let kind = account.resource.kind;
                return Err(Denied::FinalSnapshotUnspecified { resource: resource.clone(), kind });
            }
            FinalSnapshot::Take(name) => {
                self.free(name)?;
                room_for(&account, 2)?;
                let seq = self.take_before(account, name, cause)?;
                return self.queue(resource, Act::Forget { automatic, last: Some(seq) }, cause);
            }
            FinalSnapshot::Unspecified | FinalSnapshot::Skip => {}
        }
        let operation = self.operation(resource, Act::Forget { automatic, last: None }, cause);
        let id = self.done(operation);
        self.part_with(account, automatic, cause);
        Ok(id)
    }

    /// Queues a manual snapshot that what follows depends on.
    pub(super) fn take_before(
        &mut self,
        mut account: Account,
        name: &SnapshotName,
        cause: Cause,
    ) -> Result<Seq, Denied> {
        // The key belongs to what the client asked for, which is what follows.
        let key = self.key.take();
        let tags = account.tags();
        let seq = self.draw_seq(&mut account);
        let name = Some(name.clone());
        let act = Act::Take { seq, slot: None, name, tags, part: Part::Whole };
        let queued = self.queue(account.name(), act, cause);
        self.key = key;
        queued.map(|_| seq)
    }

    /// Its last snapshot is there.
    pub(super) fn forget(&mut self, operation: &Operation, automatic: Leftovers) {
        self.finish(operation, State::Succeeded, String::new());
        if let Some(account) = self.ledger.account(&operation.resource).cloned() {
            self.part_with(account, automatic, operation.cause);
        }
    }

    /// Nothing more is known of it, and whatever waits is not done.
    pub(super) fn erase(&mut self, name: &ResourceName, why: &str) {
        let open: Vec<_> = self.ledger.open_of(name).cloned().collect();
        for waiting in open {
            let failure = Failure::new(Fault::Absent, why);
            self.finish(&waiting, State::Failed(failure), String::new());
        }
        self.put(Entry::AccountErased(name.clone()));
    }

    fn part_with(&mut self, account: Account, automatic: Leftovers, cause: Cause) {
        let name = account.name().clone();
        let rotating = |s: &crate::domain::snapshot::Snapshot| {
            s.card.origin == Origin::Automatic && s.fate == Fate::Live
        };
        let old: Vec<Seq> =
            account.snapshots.values().filter(|s| rotating(s)).map(|s| s.seq()).collect();
        // The memory of an enrolled one stays until its declaration is gone, or it would come back.
        if account.snapshots.is_empty() && !account.resource.enrolled {
            self.erase(&name, "the resource was forgotten");
            return;
        }
        self.close_slots(&name);
        let gone = Account { declared: false, forgotten: true, ..account.clone() };
        let gone = self.follow(&account, gone);
        self.put_account(gone);
        if automatic == Leftovers::Trash {
            for seq in old {
                let trash = self.operation(&name, Act::Trash { seq }, cause);
                self.enqueue(trash);
            }
        }
    }
}
