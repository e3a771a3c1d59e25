//! Orders that make something of a snapshot: a new resource, the old content in its old place, a
//! disk for an instance.

use super::{allowed, full};
use crate::backend::{Backend, Image, RestoreOrder, Restored, RollbackOrder};
use crate::domain::name::{ENROLLED_NAME_LIMIT, ResourceName};
use crate::domain::new_resource::NewResource;
use crate::domain::operation::{Failure, Fault};
use crate::domain::policy::Policy;
use crate::domain::report::Done;
use crate::domain::resource::{Kind, Resource};
use crate::domain::snapshot::Card;
use crate::fs::Progress;
use std::path::{Path, PathBuf};

/// What an order needs beside its backend.
pub trait CreateContext: Progress {
    /// Whether that could be declared, before it is made.
    ///
    /// # Errors
    /// A sentence that says what stands against it.
    fn may_enroll(&self, derived: &Resource) -> Result<(), String>;

    /// Declares a new resource by a file of heptad's own and puts that in force.
    ///
    /// # Errors
    /// A sentence that says why it is not known now, and what to do.
    fn enroll(&self, derived: &Resource) -> Result<(), String>;

    /// The image that this resource is, if it is one.
    fn image(&self, disk: &ResourceName) -> Option<Image>;
}

/// Nobody watches, nothing is known.
impl CreateContext for () {
    fn may_enroll(&self, _derived: &Resource) -> Result<(), String> {
        Ok(())
    }

    fn enroll(&self, _derived: &Resource) -> Result<(), String> {
        Ok(())
    }

    fn image(&self, _disk: &ResourceName) -> Option<Image> {
        None
    }
}

/// Makes a new resource. It is made known where it is to be protected, used by its name, or has a
/// plan or a blueprint: nothing else would remember those.
pub(super) fn create(
    backend: &dyn Backend,
    (card, draft, derived): (&Card, &NewResource, &Resource),
    again: bool,
    context: &dyn CreateContext,
) -> Result<Done, Failure> {
    let named = draft.time.is_some() || backend.capabilities().by_name;
    let described = derived.plan.is_some() || derived.blueprint.is_some();
    if named {
        std::iter::once(&draft.name).chain(draft.disks.values()).try_for_each(may_be_enrolled)?;
    }
    let target = target(backend, draft)?;
    let order = RestoreOrder {
        handle: &card.handle,
        name: &draft.name,
        target: &target,
        plan: draft.plan.as_ref(),
        size: draft.size,
        port: draft.port,
    };
    // Heptad may have stopped after it was made and before all was known.
    let made = if again { backend.made(&order)? } else { None };
    if !again {
        context.wanted()?;
    }
    let restored = match made {
        Some(made) => made,
        None => {
            if named && let Some(expected) = expected(backend, draft, &target) {
                may_be_there(&patched(derived, &expected), context)?;
            }
            make(backend, &order, context)?
        }
    };
    let path = target.display().to_string();
    let mut notes = restored.notes;
    if named || described {
        let known = if let Err(failure) = may_be_enrolled(&draft.name) {
            Err(failure.message)
        } else if restored.options.is_empty() {
            Err("this backend cannot say how; declare it in the configuration".into())
        } else {
            context.enroll(&patched(derived, &restored.options))
        };
        match known {
            Ok(()) => {}
            // Nobody asked for more than what is there now.
            Err(why) if !named => notes.push(format!("heptad does not know it: {why}")),
            Err(why) => {
                let message = format!("{path} is whole, but heptad does not know it: {why}");
                return Err(Failure::new(Fault::Permanent, message));
            }
        }
    }
    notes.extend(know_disks((draft, derived), &restored.disks, context)?);
    Ok(Done::Restored { path, notes })
}

fn make(
    backend: &dyn Backend,
    order: &RestoreOrder<'_>,
    context: &dyn CreateContext,
) -> Result<Restored, Failure> {
    if let Some(why) = allowed::closed_place(order.target) {
        return Err(Failure::new(Fault::Permanent, format!("nothing was made: {why}")));
    }
    let place = order.target.parent().unwrap_or(order.target);
    backend.restore(order, context).map_err(|error| full::at(place, error))
}

fn may_be_there(derived: &Resource, context: &dyn CreateContext) -> Result<(), Failure> {
    context.may_enroll(derived).map_err(|why| {
        let message = format!("{why}; nothing was made: say another place with --path");
        Failure::new(Fault::Permanent, message)
    })
}

/// Makes the attached disks of a new instance known, each as a resource. Nothing automatic is taken
/// of them: they are in the snapshots of their instance.
fn know_disks(
    (draft, derived): (&NewResource, &Resource),
    disks: &[(String, serde_json::Map<String, serde_json::Value>)],
    context: &dyn CreateContext,
) -> Result<Vec<String>, Failure> {
    let (mut notes, mut unknown) = (Vec::new(), Vec::new());
    for (disk, options) in disks {
        let Some(name) = draft.disks.get(disk) else { continue };
        let own = Resource {
            name: name.clone(),
            kind: Kind::Disk,
            policy: Policy { enabled: false, ..derived.policy.clone() },
            plan: None,
            blueprint: None,
            ..derived.clone()
        };
        match context.enroll(&patched(&own, options)) {
            Ok(()) => notes.push(format!("its disk {disk} is the resource {name}")),
            Err(why) => unknown.push(format!("its disk {disk} as {name}: {why}")),
        }
    }
    if unknown.is_empty() {
        return Ok(notes);
    }
    let (new, unknown) = (&draft.name, unknown.join("; nor "));
    let message = format!("{new} is whole and known, but heptad does not know {unknown}");
    Err(Failure::new(Fault::Permanent, message))
}

/// # Errors
/// [`Fault::Permanent`] for a name that is too long for a file that declares it.
fn may_be_enrolled(name: &ResourceName) -> Result<(), Failure> {
    let length = name.as_str().len();
    if length <= ENROLLED_NAME_LIMIT {
        return Ok(());
    }
    let message = format!(
        "what heptad declares has a name of up to {ENROLLED_NAME_LIMIT} characters, this has {length}"
    );
    Err(Failure::new(Fault::Permanent, message))
}

/// What its options will be, as far as that is known before it is made.
fn expected(
    backend: &dyn Backend,
    draft: &NewResource,
    target: &Path,
) -> Option<serde_json::Map<String, serde_json::Value>> {
    let value = match backend.territory().key {
        "" => return None,
        "domain" => draft.name.to_string(),
        _ => target.display().to_string(),
    };
    Some([(backend.territory().key.to_owned(), value.into())].into_iter().collect())
}

fn target(backend: &dyn Backend, draft: &NewResource) -> Result<PathBuf, Failure> {
    let chosen = draft.path.as_ref().map(PathBuf::from);
    chosen.or_else(|| backend.beside(&draft.name)).ok_or_else(|| {
        let message = format!("nothing says where {} shall be; say it with --path", draft.name);
        Failure::new(Fault::Permanent, message)
    })
}

/// The new resource with its original's options as the backend changed them.
fn patched(derived: &Resource, changes: &serde_json::Map<String, serde_json::Value>) -> Resource {
    let mut derived = derived.clone();
    let mut options: serde_json::Map<String, serde_json::Value> =
        serde_json::from_str(&derived.backend.options).unwrap_or_default();
    for (key, value) in changes {
        if value.is_null() {
            options.remove(key);
        } else {
            options.insert(key.clone(), value.clone());
        }
    }
    derived.backend.options = serde_json::Value::Object(options).to_string();
    derived
}

/// Puts a snapshot's content in place of the live one. If that fails, whatever is there then counts
/// as the resource only where the resource was seen there right before.
pub(super) fn roll_back(
    backend: &dyn Backend,
    order: &RollbackOrder<'_>,
    was_there: bool,
    context: &dyn CreateContext,
) -> Result<Done, Failure> {
    let mut left = None;
    let (identity, failed) = match backend.rollback(order, context) {
        Ok(probe) => {
            left = backend.left_to_do();
            (Some(probe.identity), None)
        }
        // It may have failed after the swap.
        Err(error) => {
            let seen = backend.probe().ok().filter(|_| was_there);
            let root = backend.territory().roots.into_iter().next();
            let failed = match root {
                Some(root) => full::at(&root, error),
                None => error.into(),
            };
            (seen.map(|probe| probe.identity), Some(failed))
        }
    };
    Ok(Done::RolledBack { identity, failure: failed, left })
}

/// # Errors
/// [`Fault::Busy`] while somebody uses the resource, saying who; [`Fault::Permanent`] where heptad
/// may not write.
pub(super) fn idle(backend: &dyn Backend) -> Result<(), Failure> {
    let closed = backend.territory().roots.iter().find_map(|root| allowed::closed_place(root));
    if let Some(why) = closed {
        return Err(Failure::new(Fault::Permanent, format!("nothing was changed: {why}")));
    }
    let users = backend.users()?;
    if users.is_empty() {
        return Ok(());
    }
    let message = format!("it is in use, so nothing was changed: {}", users.join("; "));
    Err(Failure::new(Fault::Busy, message))
}

pub(super) fn attach(
    backend: &dyn Backend,
    disk: &ResourceName,
    context: &dyn CreateContext,
) -> Result<Done, Failure> {
    backend.attach(&image(disk, context)?).map(Done::Attached).map_err(Failure::from)
}

pub(super) fn detach(
    backend: &dyn Backend,
    disk: &ResourceName,
    again: bool,
    context: &dyn CreateContext,
) -> Result<Done, Failure> {
    match backend.detach(&image(disk, context)?)? {
        // An earlier try may have taken it away.
        false if !again => {
            let message = format!("it does not have disk {disk}, so there is nothing to detach");
            Err(Failure::new(Fault::Absent, message))
        }
        _ => Ok(Done::Detached),
    }
}

fn image(disk: &ResourceName, context: &dyn CreateContext) -> Result<Image, Failure> {
    context.image(disk).ok_or_else(|| Failure::new(Fault::Permanent, no_image(disk)))
}

pub(super) fn no_image(disk: &ResourceName) -> String {
    format!("{disk} is not a disk image, so no instance can be given it")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::sample::Builder;
    use std::sync::Mutex;

    /// Lets only some be declared.
    struct Fickle(Mutex<Vec<String>>);

    impl Progress for Fickle {
        fn report(&self, _: u64, _: Option<u64>) {}

        fn is_wanted(&self) -> bool {
            true
        }
    }

    impl CreateContext for Fickle {
        fn may_enroll(&self, _: &Resource) -> Result<(), String> {
            Ok(())
        }

        fn enroll(&self, derived: &Resource) -> Result<(), String> {
            if derived.name.as_str().contains("bad") {
                return Err("the disk is full".into());
            }
            self.0.lock().unwrap().push(derived.name.to_string());
            Ok(())
        }

        fn image(&self, _: &ResourceName) -> Option<Image> {
            None
        }
    }

    #[test]
    fn a_disk_that_cannot_be_declared_keeps_no_other_from_it() {
        let derived = Builder::daily().account().resource;
        let mut draft = NewResource::named("new".parse().unwrap());
        let names = [("vdb", "bad-b"), ("vdc", "good-c"), ("vdd", "bad-d"), ("vde", "good-e")];
        draft.disks = names.map(|(disk, name)| (disk.into(), name.parse().unwrap())).into();
        let disks = names.map(|(disk, _)| (disk.to_owned(), serde_json::Map::new()));
        let context = Fickle(Mutex::default());
        let failure = know_disks((&draft, &derived), &disks, &context).unwrap_err();
        assert_eq!(*context.0.lock().unwrap(), ["good-c", "good-e"]);
        assert_eq!(
            failure.message,
            "new is whole and known, but heptad does not know its disk vdb as bad-b: the disk is \
             full; nor its disk vdd as bad-d: the disk is full"
        );
    }
}
