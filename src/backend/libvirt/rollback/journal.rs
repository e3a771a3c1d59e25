//! What is left to be put in place, written down before the first image gives way.
//!
//! Copy and image exchange their names, so that a guest which was started a moment before, and has
//! the image open, can have it back. What is aside is removed only when nobody has come in between.

use super::super::freeze::Notes;
use super::super::virsh::{self, Virsh};
use super::place::{Place, Rename, State};
use crate::domain::operation::Fault;
use crate::fs::StorageError;
use crate::store::users;
use serde::{Deserialize, Serialize};

/// What is left to be put in place.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Journal {
    /// Of the order.
    pub token: uuid::Uuid,
    pub uri: String,
    /// The domain's UUID; none for a disk.
    pub domain: Option<String>,
    /// None once all is done: then it remembers whose order that was.
    pub renames: Vec<Rename>,
}

const DOING: &str = "completing a rollback that was interrupted";

/// Puts in place whatever a journal says. Returns whose it was, if there was one.
///
/// # Errors
/// [`Fault::Busy`] where its guest was started in between, or an image is in use or was written to:
/// where no image had given way, the rollback is given up then. [`Fault::Identity`] where one had,
/// and another was written to since, which is stored nowhere, or where its copy is not the one that
/// was made: then nothing more is replaced.
pub(crate) fn finish(rolling: &Notes) -> Result<Option<uuid::Uuid>, StorageError> {
    let Some(journal) = rolling.read::<Journal>()? else { return Ok(None) };
    let token = journal.token;
    if journal.renames.is_empty() {
        return Ok(Some(token));
    }
    let mut places = journal.renames.iter().map(Place::look).collect::<Result<Vec<_>, _>>()?;
    let gone = count(&places, State::Done);
    let is_left = places.iter().any(Place::is_left);
    if is_left && let Some(obstacle) = obstacle(&journal, &places)? {
        return Err(refuse(rolling, &places, obstacle));
    }
    // Once one is gone, nobody had come in between.
    if is_left || gone == 0 {
        exchange(rolling, &mut places)?;
    }
    let is_replaced = count(&places, State::Done) > gone;
    for place in &places {
        drop(place.clear()?);
    }
    rolling.write(&Journal { renames: Vec::new(), ..journal.clone() })?;
    if is_replaced {
        expect_off(&journal)?;
    }
    Ok(Some(token))
}

fn count(places: &[Place<'_>], state: State) -> usize {
    places.iter().filter(|place| place.state == state).count()
}

/// Why what is left cannot give way.
fn obstacle(journal: &Journal, places: &[Place<'_>]) -> Result<Option<StorageError>, StorageError> {
    let found = |fault, why: String| Ok(Some(StorageError::new(fault, DOING, why)));
    let is = |state| places.iter().find(|place| place.state == state).map(|place| place.rename);
    if let Some(Rename { new, .. }) = is(State::Foreign) {
        return found(Fault::Identity, format!("{} was exchanged since", new.display()));
    }
    if is_up(journal)? {
        let domain = journal.domain.as_deref().unwrap_or_default();
        return found(Fault::Busy, format!("domain {domain} runs: stop it"));
    }
    if let Some(Rename { live, .. }) = is(State::Written) {
        let why = format!("the copy that stood in the place of {} was written to", live.display());
        return found(Fault::Identity, why);
    }
    if let Some(Rename { live, .. }) = is(State::Spoilt) {
        return found(Fault::Identity, format!("{} was written or replaced since", live.display()));
    }
    let mut users = Vec::new();
    for place in places.iter().filter(|place| place.is_left()) {
        users.extend(users::users(&place.rename.live)?);
    }
    if users.is_empty() { Ok(None) } else { found(Fault::Busy, users.join("; ")) }
}

fn is_up(journal: &Journal) -> Result<bool, StorageError> {
    let Some(uuid) = &journal.domain else { return Ok(false) };
    match (Virsh { uri: journal.uri.clone() }).state(uuid) {
        Ok(state) => Ok(state != virsh::State::Off),
        // Its images are still where they were.
        Err(error) if error.fault == Fault::Absent => Ok(false),
        Err(error) => Err(error),
    }
}

/// Exchanges what is left. Whoever opened an image before that has it aside now: then all go back.
fn exchange(rolling: &Notes, places: &mut [Place<'_>]) -> Result<(), StorageError> {
    let mut left = places.iter_mut().filter(|place| place.state == State::Waiting);
    let obstacle = match left.try_for_each(Place::put) {
        Err(error) => error,
        Ok(()) => {
            places.iter().try_for_each(Place::sync)?;
            let Some(users) = users_aside(places)? else { return Ok(()) };
            users
        }
    };
    for place in places.iter_mut().filter(|place| place.state == State::Exchanged) {
        place.put_back()?;
    }
    Err(refuse(rolling, places, obstacle))
}

/// Who came in between.
///
/// # Errors
/// Where nothing may go back, as the copies are in use, too: after a power cut by the guest.
fn users_aside(places: &[Place<'_>]) -> Result<Option<StorageError>, StorageError> {
    let (mut aside, mut live) = (Vec::new(), Vec::new());
    for place in places.iter().filter(|place| place.state == State::Exchanged) {
        aside.extend(place.users_aside()?);
        aside.extend(place.late_writer()?);
    }
    if aside.is_empty() {
        return Ok(None);
    }
    for place in places {
        live.extend(users::users(&place.rename.live)?);
    }
    let busy = |users: Vec<String>| StorageError::new(Fault::Busy, DOING, users.join("; "));
    if live.is_empty() { Ok(Some(busy(aside))) } else { Err(busy([aside, live].concat())) }
}

/// What becomes of a rollback that cannot go on. One of which nothing is done is given up.
fn refuse(rolling: &Notes, places: &[Place<'_>], obstacle: StorageError) -> StorageError {
    let is_foreign = count(places, State::Foreign) > 0;
    if !is_foreign && places.iter().all(Place::is_left) {
        return give_up(rolling, places, obstacle);
    }
    let (why, journal) = (&obstacle.detail, rolling.path.display());
    let detail = match obstacle.fault {
        Fault::Identity => format!(
            "{why}, so it stays; remove {journal} to give the rollback up, and roll back anew"
        ),
        _ => format!("half of its disks are replaced, and {why}"),
    };
    StorageError { detail, ..obstacle }
}

/// The copies go first: if this is cut short, too, whoever looks next gives it up as well.
fn give_up(rolling: &Notes, places: &[Place<'_>], why: StorageError) -> StorageError {
    let kept = places.iter().map(Place::clear).collect::<Result<Vec<_>, _>>();
    let kept = match kept.and_then(|kept| rolling.clear().map(|()| kept)) {
        Ok(kept) => kept.into_iter().flatten().map(|path| path.display().to_string()),
        Err(error) => return error,
    };
    let fault = if why.fault == Fault::Identity { Fault::Busy } else { why.fault };
    let mut detail = format!("{}; nothing was changed: ask again", why.detail);
    let kept = kept.collect::<Vec<_>>().join(", ");
    if !kept.is_empty() {
        detail = format!(
            "{detail}; what was written meanwhile to the copy that stood there for a moment is at \
             {kept}: take what is missed, then remove it"
        );
    }
    StorageError::new(fault, "rolling back", detail)
}

/// Where an image cannot be put aside, nobody can tell whether it was opened just before.
fn expect_off(journal: &Journal) -> Result<(), StorageError> {
    if !is_up(journal)? {
        return Ok(());
    }
    let domain = journal.domain.as_deref().unwrap_or_default();
    let why = format!(
        "domain {domain} was started while its disks were replaced, on a file system that cannot \
         exchange them: what it writes may be lost; stop it (virsh destroy {domain}) and start it again"
    );
    Err(StorageError::new(Fault::Busy, "rolling back", why))
}
