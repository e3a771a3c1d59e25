//! What a person makes of snapshots: new resources, the old content in its old place, disks for
//! other instances.

use super::super::denied::Denied;
use super::super::new_resource::NewResource;
use super::Keeper;
use super::disks::can_be_declared;
use super::find::{inherited, of_kind, room_for};
use super::tags::derived_tags;
use crate::domain::account::Account;
use crate::domain::id::OperationId;
use crate::domain::name::{ResourceName, SnapshotName};
use crate::domain::operation::{Act, Cause, Failure, Fault};
use crate::domain::policy::{Policy, Rhythm, When};
use crate::domain::resource::{Kind, Resource};
use crate::domain::snapshot::{Health, Part, Selector, Seq, Snapshot};
use crate::domain::tag::TAG_LIMIT;

impl Keeper {
    pub(super) fn ask_create(
        &mut self,
        from: &Selector,
        draft: &NewResource,
        cause: Cause,
    ) -> Result<OperationId, Denied> {
        let original = self.find_usable(from)?;
        draft.judge(&original.card)?;
        self.free_resource(&draft.name)?;
        if draft.time.is_some() || original.card.kind == Kind::Instance {
            can_be_declared(&draft.name)?;
        }
        let account = self.account(&original.resource)?;
        inherited(account, &derived_tags(account, &original), &draft.tags)?;
        let draft = Box::new(self.with_named_disks(&original, draft)?);
        let act = Act::Create { from: original.seq(), draft };
        self.queue(&original.resource, act, cause)
    }

    /// Names that differ in case alone are one: their stores would be, on a file system that
    /// ignores case, and the configuration refuses them.
    pub(super) fn free_resource(&self, name: &ResourceName) -> Result<(), Denied> {
        let same = |other: &&ResourceName| other.as_str().eq_ignore_ascii_case(name.as_str());
        match self.ledger.resource_names().find(same).cloned() {
            Some(taken) => {
                let free = self.free_resource_like(name);
                Err(Denied::ResourceNameTaken { name: taken, free })
            }
            None => Ok(()),
        }
    }

    pub(super) fn ask_rollback(
        &mut self,
        resource: &ResourceName,
        to: &Selector,
        safety: Option<&SnapshotName>,
        cause: Cause,
    ) -> Result<OperationId, Denied> {
        let account = self.configured(resource)?.clone();
        let original = self.find_usable(to)?;
        let snapshot = original.label();
        if original.resource != *resource {
            let (resource, of) = (resource.clone(), original.resource.clone());
            return Err(Denied::NotOf { snapshot, resource, of });
        }
        if original.card.part != Part::Whole {
            return Err(Denied::NotWhole { snapshot });
        }
        room_for(&account, 2)?;
        // What was in its place may be away again: the taking before goes by what is there now, and
        // refuses anything else.
        if account.stranger.is_some()
            && let Some(account) = self.ledger.account_mut(resource)
        {
            (account.surveyed, account.look_again) = (false, None);
        }
        let safety = match safety {
            Some(name) => {
                self.free(name)?;
                name.clone()
            }
            None => self.safety_name(resource),
        };
        let safety = self.take_before(account, &safety, cause)?;
        self.queue(resource, Act::Rollback { to: original.seq(), safety }, cause)
    }

    /// `web-before-rollback-20261122T060000Z`; a number behind it where that is taken.
    fn safety_name(&self, resource: &ResourceName) -> SnapshotName {
        let at = self.now().strftime("%Y%m%dT%H%M%SZ").to_string();
        // The longest name has 255 characters; what is cut off is at the resource's end.
        let resource: String = resource.as_str().chars().take(200).collect();
        let base = format!("{resource}-before-rollback-{at}");
        let numbered = (2_u32..).map(|number| format!("{base}.{number}"));
        let names = std::iter::once(base.clone()).chain(numbered);
        let mut free = names.filter_map(|name| name.parse().ok());
        let found = free.find(|name| self.bearer(name).is_none());
        #[expect(clippy::expect_used, reason = "numbers do not end before names do")]
        found.expect("a free name")
    }

    /// A failed rollback leaves the snapshot of what was there: nobody but a person deletes it.
    pub(super) fn with_safety(
        &self,
        name: &ResourceName,
        safety: Seq,
        failure: Failure,
    ) -> Failure {
        let taken = self.ledger.snapshot(name, safety).filter(|s| s.health == Health::Complete);
        let Some(label) = taken.map(Snapshot::label) else { return failure };
        let message = format!(
            "{}; {label}, taken before, stays: `heptactl delete {label}` removes it",
            failure.message
        );
        Failure { message, ..failure }
    }

    /// Whatever is there now was put there for a person, whether or not the swap came to its end.
    pub(super) fn rolled_back(&mut self, name: &ResourceName, identity: Option<String>) {
        let Some(account) = self.ledger.account(name).cloned() else { return };
        if identity.is_some() {
            self.put_account(Account { identity, stranger: None, trouble: None, ..account });
        }
        self.survey(name, Cause::Recovery);
    }

    pub(super) fn ask_disk(
        &mut self,
        instance: &ResourceName,
        disk: &ResourceName,
        act: Act,
        cause: Cause,
    ) -> Result<OperationId, Denied> {
        of_kind(self.configured(instance)?, Kind::Instance)?;
        of_kind(self.configured(disk)?, Kind::Disk)?;
        self.queue(instance, act, cause)
    }
}

/// What a draft will be as a resource of heptad's: as its original is, but for what was wished.
///
/// # Errors
/// More tags than one has, because the original has got more since this was asked for.
pub(super) fn derived(
    account: &Account,
    original: &Snapshot,
    draft: &NewResource,
) -> Result<Resource, Failure> {
    let card = &original.card;
    let origin = &account.resource;
    let rhythm = &origin.policy.rhythm;
    let when = draft.time.map_or_else(|| rhythm.when.clone(), When::Daily);
    let of_its_own = card.kind != Kind::Disk;
    let mut tags = derived_tags(account, original);
    tags.extend(draft.tags.clone());
    if tags.len() > TAG_LIMIT {
        let message = format!("it would have {} tags, and {TAG_LIMIT} are the most", tags.len());
        return Err(Failure::new(Fault::Permanent, message));
    }
    Ok(Resource {
        name: draft.name.clone(),
        kind: card.kind,
        backend: origin.backend.clone(),
        policy: Policy {
            rhythm: Rhythm { when, zone: rhythm.zone.clone(), offset: 0 },
            retention: origin.policy.retention,
            enabled: draft.time.is_some(),
        },
        tags,
        // Of a system disk alone, its card has those of the instance.
        plan: draft.plan.clone().or_else(|| card.plan.clone()).filter(|_| of_its_own),
        blueprint: card.blueprint.clone().filter(|_| of_its_own),
        enrolled: true,
    })
}
