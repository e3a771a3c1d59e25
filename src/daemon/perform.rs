//! One order, performed against a backend: the promises that hold for every technology are kept
//! here, right around its verbs.

use super::create::{self, CreateContext};
use super::{allowed, full, way_out};
use crate::backend::{Backend, RollbackOrder, TakeOrder};
use crate::domain::name::ResourceName;
use crate::domain::operation::{Failure, Fault};
use crate::domain::order::{Guard, Order, Source, Work};
use crate::domain::report::{Done, Taken};
use crate::domain::rotation;
use crate::domain::snapshot::{Card, Facts, Handle, Origin, Seq};
use crate::domain::survey::{Found, Survey, Wholeness};
use crate::domain::usage::{SnapshotUsage, TotalReport, UsageReport, UsageScope};
use crate::fs::{Progress, StorageError};

/// No resource ever has so many snapshots; the catalogue counts in signed 64 bits.
const COUNTABLE: u64 = i64::MAX.unsigned_abs();

/// Performs `order`; blocks until its outcome is durable.
pub fn perform(
    backend: &dyn Backend,
    order: &Order,
    context: &dyn CreateContext,
) -> Result<Done, Failure> {
    match &order.work {
        Work::Survey { known, weigh } => {
            let survey = survey(backend, known)?;
            let weights = weigh_all(backend, &survey, *weigh);
            Ok(Done::Surveyed(survey, weights))
        }
        Work::Take { card, source, identity, replaced_by } => {
            let identity = identity.as_deref();
            let (resource, damaged_too) = (&order.resource, replaced_by.is_some());
            let wish = Wish { resource, card, source, identity, damaged_too };
            let Some(successor) = replaced_by else {
                let taken = take(backend, &wish, context);
                return taken.map(Done::Taken).map_err(|fault| allowed::explain(backend, fault));
            };
            create::idle(backend)
                .map_err(|failure| way_out::of_idle(backend, successor, failure))?;
            take(backend, &wish, context).map(Done::Taken).map_err(|failure| {
                let explained = allowed::explain(backend, failure.clone());
                match explained == failure {
                    true => way_out::of_taking(backend, successor, failure),
                    false => explained,
                }
            })
        }
        Work::Destroy { handle, guard } => {
            if let Some(why) = unpaid(backend, handle, guard)? {
                return Ok(Done::Unpaid(why));
            }
            backend.destroy(handle).map(|()| Done::Destroyed).map_err(Failure::from)
        }
        Work::Mark { handle, mark } => {
            backend.mark(handle, mark).map(|()| Done::Marked).map_err(Failure::from)
        }
        Work::Restore { card, draft, derived, again } => {
            create::create(backend, (card, draft, derived), *again, context)
        }
        Work::Rollback { handle, token, identity, again } => {
            if !again {
                create::idle(backend)?;
                let seen = backend.probe()?.identity;
                same(&order.resource, &seen, identity.as_deref())?;
                context.wanted()?;
            }
            let order = RollbackOrder { handle, token: *token };
            create::roll_back(backend, &order, !again, context)
        }
        Work::Attach { disk } => create::attach(backend, disk, context),
        Work::Detach { disk, again } => create::detach(backend, disk, *again, context),
    }
}

/// # Errors
/// [`Fault::Identity`] when what is seen is not what was known.
fn same(resource: &ResourceName, seen: &str, known: Option<&str>) -> Result<(), Failure> {
    let Some(known) = known.filter(|known| *known != seen) else { return Ok(()) };
    let message = format!(
        "something else is in its place: it was made anew, or another is mounted there (identity is \
         {seen}, was {known}). If it was made anew: `heptactl acknowledge {resource}`; if not, bring \
         the right one back"
    );
    Err(Failure::new(Fault::Identity, message))
}

/// The listing with the live identity, and with the contents of those not known before.
fn survey(backend: &dyn Backend, known: &[Seq]) -> Result<Survey, Failure> {
    let mut survey = backend.list()?;
    if survey.high_water.0 >= COUNTABLE {
        let message = format!("the backend remembers snapshot number {}", survey.high_water);
        return Err(Failure::new(Fault::Permanent, message));
    }
    survey.identity = match backend.probe() {
        Ok(probe) => Some(probe.identity),
        // Nothing says whose damaged content is; what is done next finds out, or refuses.
        Err(error) if error.fault == Fault::Absent || error.damaged => {
            survey.absence = Some(error.to_string());
            None
        }
        Err(error) => return Err(error.into()),
    };
    for found in &mut survey.found {
        let new = !known.contains(&found.card.handle.seq);
        if new && found.state == Wholeness::Whole && found.content.is_none() {
            match backend.verify(&found.card.handle, &()) {
                Ok(content) => found.content = Some(content),
                // Whole but unreadable: it must not count.
                Err(_) => found.state = Wholeness::Tampered,
            }
        }
    }
    Ok(survey)
}

/// What each whole snapshot occupies now, which changes as its neighbours come and go, and what all
/// of them do; what costs much only if it is asked for. One that cannot be measured keeps the
/// figures that it has.
fn weigh_all(backend: &dyn Backend, survey: &Survey, weigh: UsageScope) -> UsageReport {
    let whole = survey.found.iter().filter(|found| found.state == Wholeness::Whole);
    let weight = |found: &Found| {
        let usage = backend.usage(&found.card.handle).ok()?;
        let seq = found.card.handle.seq;
        Some(SnapshotUsage { seq, stored: usage.stored, exclusive: usage.exclusive })
    };
    let together = match (weigh != UsageScope::Nothing).then(|| backend.occupied()) {
        None => TotalReport::NotAsked,
        Some(Err(error)) => {
            tracing::debug!(%error, "what all snapshots occupy together is not known this time: {error}");
            TotalReport::Failed
        }
        Some(Ok(told)) => TotalReport::Is(told),
    };
    let each = match weigh == UsageScope::All || backend.capabilities().usage_is_cheap {
        true => whole.filter_map(weight).collect(),
        false => Vec::new(),
    };
    UsageReport { each, together }
}

/// What is to be taken.
struct Wish<'a> {
    resource: &'a ResourceName,
    card: &'a Card,
    source: &'a Source,
    identity: Option<&'a str>,
    /// Also what is damaged, as it is: it is about to be replaced.
    damaged_too: bool,
}

fn take(backend: &dyn Backend, wish: &Wish<'_>, progress: &dyn Progress) -> Result<Taken, Failure> {
    let Wish { resource, card, source, identity, damaged_too } = *wish;
    progress.wanted()?;
    if *source == Source::Live {
        same(resource, &backend.probe()?.identity, identity)?;
    }
    let before = backend.list()?;
    unused(&before, card)?;
    let whole = before.found.iter().filter(|found| found.state == Wholeness::Whole);
    // The one that is most like the resource now: a kept one has a newer number than its content.
    let newest = whole.max_by_key(|found| (found.card.taken_at, found.card.handle.seq));
    let previous = newest.map(|found| &found.card.handle);
    let from = match source {
        Source::Live => None,
        Source::Snapshot(handle) => Some(handle),
    };
    let order = TakeOrder { card, source: from, previous };
    let object = backend
        .take(&order, progress)
        .or_else(|error| match damaged_too && error.damaged {
            true => backend.take_damaged(&order, error, progress),
            false => Err(error),
        })
        .map_err(|error| given_up(backend, &card.handle, error))?;
    let handle = Handle { object: object.object.clone(), ..card.handle.clone() };
    let content = backend.verify(&handle, progress).map_err(unverified)?;
    let usage = backend.usage(&handle).unwrap_or_default();
    // It is complete whatever this last look shows: only rotation waits for a better one.
    let mut survey = backend.list().unwrap_or_default();
    let told = survey.found.iter().find(|found| found.card.handle == handle);
    let facts = Facts {
        told: told.map(|found| found.told.clone()).unwrap_or_default(),
        content: Some(content),
        stored: usage.stored,
        exclusive: usage.exclusive,
        notes: object.notes,
        ..Facts::default()
    };
    if *source == Source::Live {
        survey.identity = backend.probe().ok().map(|probe| probe.identity);
    }
    Ok(Taken { object: object.object, facts, incomplete: object.incomplete, survey })
}

/// That the source went away in the middle of it, or is another, is told as if it had been so from
/// the beginning, and then nobody clears away what was begun: it is done here. What else failed is
/// cleared away by an order of its own, as is what this cannot clear.
fn given_up(backend: &dyn Backend, handle: &Handle, error: StorageError) -> Failure {
    if matches!(error.fault, Fault::Absent | Fault::Identity | Fault::Hook)
        && let Err(error) = backend.destroy(handle)
    {
        tracing::debug!(%error, "what was begun is cleared away once it is seen again: {error}");
    }
    full::failure(backend, error)
}

/// # Errors
/// [`Fault::Identity`] where another snapshot has the number, or is of the same slot, as one of a
/// second heptad that works on the same store: nothing of that is touched, and the next look takes
/// it over.
fn unused(there: &Survey, card: &Card) -> Result<(), Failure> {
    let same_slot = |found: &Found| {
        found.state != Wholeness::Partial && card.slot.is_some() && found.card.slot == card.slot
    };
    let others = there.found.iter().filter(|found| found.card.handle.id != card.handle.id);
    for found in others {
        let what = if found.card.handle.seq == card.handle.seq {
            format!("number {}", card.handle.seq)
        } else if same_slot(found) {
            format!("slot {}", card.slot.map(|slot| slot.to_string()).unwrap_or_default())
        } else {
            continue;
        };
        let id = found.card.handle.id;
        let message = format!(
            "{what} has another snapshot ({id}) already; does another heptad use the same store?"
        );
        return Err(Failure::new(Fault::Identity, message));
    }
    Ok(())
}

/// By now there is something to clear away: that the backend went away says nothing else.
fn unverified(error: StorageError) -> Failure {
    let fault = match error.fault {
        Fault::Absent | Fault::Identity => Fault::Transient,
        fault => fault,
    };
    Failure::new(fault, error.to_string())
}

/// Looks again, at the backend itself, whether what has to hold before a deletion does; why not, if
/// so.
fn unpaid(
    backend: &dyn Backend,
    victim: &Handle,
    guard: &Guard,
) -> Result<Option<String>, Failure> {
    if *guard == Guard::Asked {
        return Ok(None);
    }
    let survey = backend.list()?;
    let found = survey
        .found
        .iter()
        .find(|found| found.card.handle.seq == victim.seq && found.card.handle.id == victim.id);
    // What is gone already, or half gone, has no say.
    let whole = found.filter(|found| found.state != Wholeness::Partial);
    if *guard == Guard::Remains {
        return Ok(whole.map(|_| "it is whole by now, as a second heptad may have made it".into()));
    }
    let Guard::Paid { retention, identity } = guard else {
        let out = whole.is_some_and(|found| !found.mark.trashed);
        return Ok(out.then(|| "the mark beside it says that it is not in the trash".into()));
    };
    if whole.is_some_and(|found| found.card.origin != Origin::Automatic) {
        return Ok(Some("its manifest says that it is not an automatic one".into()));
    }
    match backend.probe() {
        Ok(probe) if Some(&probe.identity) == identity.as_ref() => {}
        Ok(_) => return Ok(Some("something else is in the place of its resource".into())),
        Err(error) => return Ok(Some(format!("its resource cannot be seen: {error}"))),
    }
    let paying = survey.found.iter().filter(|found| {
        found.state == Wholeness::Whole
            && found.card.origin == Origin::Automatic
            && !found.mark.trashed
            && (found.mark.doubt.is_none() || found.mark.accepted)
    });
    if rotation::paid(victim.seq, paying.map(|found| found.card.handle.seq), *retention) {
        return Ok(None);
    }
    let latest = retention.latest;
    Ok(Some(format!("the backend shows fewer than {latest} newer complete snapshots")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::fake::{FakeDisk, FakeObject, Live};
    use crate::domain::sample::Builder;
    use crate::domain::snapshot::Content;
    use crate::domain::survey::Mark;

    #[test]
    fn a_taking_that_failed_leaves_nothing_that_no_order_clears_away() {
        for fault in Fault::ALL {
            let (disk, account) = (FakeDisk::default(), Builder::daily().complete(1..=1).account());
            let card = account.snapshots.values().next().unwrap().card.clone();
            let live = Live { identity: Some("one".into()), entries: 1, turned: None };
            disk.world().lives.insert(account.name().clone(), live);
            // The first act is a listing.
            disk.world().faults = [None, Some(fault)].into();
            let wish = Wish {
                resource: account.name(),
                card: &card,
                source: &Source::Live,
                identity: None,
                damaged_too: false,
            };
            let failed = take(&disk.backend(account.name()), &wish, &());
            assert_eq!(failed.map(|_| ()).unwrap_err().fault, fault);
            let left = !disk.world().objects.is_empty();
            // The keeper orders those to be destroyed.
            let ordered = !matches!(fault, Fault::Absent | Fault::Identity | Fault::Hook);
            assert_eq!(left, ordered, "{fault:?}");
        }
    }

    #[test]
    fn what_costs_much_is_measured_only_where_it_is_asked_for() {
        let (disk, account) = (FakeDisk::default(), Builder::daily().complete(1..=3).account());
        for snapshot in account.snapshots.values() {
            let content = Content { empty: false, entries: Some(1), bytes: None };
            let (state, mark) = (Wholeness::Whole, Mark::default());
            let object = FakeObject { card: snapshot.card.clone(), state, mark, content };
            disk.world().objects.insert((account.name().clone(), snapshot.seq()), object);
        }
        let backend = disk.backend(account.name());
        let survey = backend.list().unwrap();
        let check = |weigh, each, together| {
            let weights = weigh_all(&backend, &survey, weigh);
            assert_eq!((weights.each.len(), weights.together), (each, together), "{weigh:?}");
        };
        check(UsageScope::Nothing, 0, TotalReport::NotAsked);
        check(UsageScope::Total, 0, TotalReport::Is(None));
        check(UsageScope::All, 3, TotalReport::Is(None));
    }
}
