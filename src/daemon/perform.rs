//! One order, performed against a backend: the promises that hold for every technology are kept
//! here, right around its verbs.

use crate::backend::{Backend, BackendError, Progress, TakeOrder};
use crate::domain::event::{
    Done, Found, Guard, Order, Source, Survey, Taken, Weight, Wholeness, Work,
};
use crate::domain::operation::{Failure, Fault};
use crate::domain::rotation;
use crate::domain::snapshot::{Card, Facts, Handle, Origin, Seq};
use std::path::Path;

/// Performs `order`; blocks until its outcome is durable.
pub fn perform(
    backend: &dyn Backend,
    order: &Order,
    progress: &dyn Progress,
) -> Result<Done, Failure> {
    match &order.work {
        Work::Survey { known, weigh } => {
            let survey = survey(backend, known)?;
            let weights = weigh_all(backend, &survey, *weigh);
            Ok(Done::Surveyed(survey, weights))
        }
        Work::Take { card, source, identity } => {
            take(backend, card, source, identity.as_deref()).map(Done::Taken)
        }
        Work::Destroy { handle, guard } => {
            check_guard(backend, handle, guard)?;
            backend.destroy(handle).map(|()| Done::Destroyed).map_err(failure)
        }
        Work::Restore { card, path } => backend
            .restore(&card.handle, Path::new(path), progress)
            .map(|()| Done::Restored)
            .map_err(failure),
        Work::Mark { handle, mark } => {
            backend.mark(handle, mark).map(|()| Done::Marked).map_err(failure)
        }
    }
}

fn failure(error: BackendError) -> Failure {
    Failure::new(error.fault, error.to_string())
}

/// The listing with the live identity, and with the contents of those not known before.
fn survey(backend: &dyn Backend, known: &[Seq]) -> Result<Survey, Failure> {
    let mut survey = backend.list().map_err(failure)?;
    survey.identity = match backend.probe() {
        Ok(probe) => Some(probe.identity),
        Err(error) if error.fault == Fault::Absent => None,
        Err(error) => return Err(failure(error)),
    };
    for found in &mut survey.found {
        let new = !known.contains(&found.card.handle.seq);
        if new && found.state == Wholeness::Whole && found.content.is_none() {
            match backend.verify(&found.card.handle) {
                Ok(content) => found.content = Some(content),
                // Whole but unreadable: it must not count.
                Err(_) => found.state = Wholeness::Tampered,
            }
        }
    }
    Ok(survey)
}

/// What each whole snapshot occupies now, which changes as its neighbours come and go. One that
/// cannot be measured keeps the figures that it has.
fn weigh_all(backend: &dyn Backend, survey: &Survey, also_costly: bool) -> Vec<Weight> {
    if !also_costly && !backend.usage_is_cheap() {
        return Vec::new();
    }
    let whole = survey.found.iter().filter(|found| found.state == Wholeness::Whole);
    let weight = |found: &Found| {
        let usage = backend.usage(&found.card.handle).ok()?;
        let seq = found.card.handle.seq;
        Some(Weight { seq, stored: usage.stored, exclusive: usage.exclusive })
    };
    whole.filter_map(weight).collect()
}

fn take(
    backend: &dyn Backend,
    card: &Card,
    source: &Source,
    identity: Option<&str>,
) -> Result<Taken, Failure> {
    if *source == Source::Live {
        let seen = backend.probe().map_err(failure)?.identity;
        if let Some(known) = identity.filter(|known| *known != seen) {
            let message =
                format!("identity is {seen}, was {known}: something else is in its place");
            return Err(Failure::new(Fault::Identity, message));
        }
    }
    let before = backend.list().map_err(failure)?;
    let whole = before.found.iter().filter(|found| found.state == Wholeness::Whole);
    let previous = whole.map(|found| &found.card.handle).max_by_key(|handle| handle.seq);
    let from = match source {
        Source::Live => None,
        Source::Snapshot(handle) => Some(handle),
    };
    let order = TakeOrder { card, source: from, previous };
    let object = backend.take(&order).map_err(failure)?;
    let handle = Handle { object: object.object.clone(), ..card.handle.clone() };
    let content = backend.verify(&handle).map_err(failure)?;
    let usage = backend.usage(&handle).map_err(failure)?;
    let facts = Facts {
        content: Some(content),
        stored: usage.stored,
        exclusive: usage.exclusive,
        notes: object.notes,
        accepted: false,
    };
    let mut survey = backend.list().map_err(failure)?;
    if *source == Source::Live {
        survey.identity = Some(backend.probe().map_err(failure)?.identity);
    }
    Ok(Taken { object: object.object, facts, survey })
}

/// Counts again, from the backend itself, what pays for a deletion.
fn check_guard(backend: &dyn Backend, victim: &Handle, guard: &Guard) -> Result<(), Failure> {
    let Guard::Paid(retention) = guard else { return Ok(()) };
    let survey = backend.list().map_err(failure)?;
    let paying = survey.found.iter().filter(|found| {
        found.state == Wholeness::Whole
            && found.card.origin == Origin::Automatic
            && !found.mark.trashed
            && (found.mark.doubt.is_none() || found.mark.accepted)
    });
    if rotation::paid(victim.seq, paying.map(|found| found.card.handle.seq), *retention) {
        return Ok(());
    }
    Err(Failure::new(
        Fault::Permanent,
        format!("the backend shows fewer than {} newer complete snapshots", retention.latest),
    ))
}
