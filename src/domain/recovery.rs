//! What the catalogue says against what the backend shows. Pure, and used at every boot, after
//! every trouble and for a lost catalogue alike. It converges: once its steps are taken, the same
//! survey yields none.

use super::account::Account;
use super::name::ResourceName;
use super::slot_record::{Outcome, SlotRecord};
use super::snapshot::{Content, Facts, Fate, Handle, Health, Origin, Seq, Snapshot, Thrown};
use super::survey::{Found, Survey, Wholeness};
use super::tag::Tags;
use super::timeline::{Phase, Timeline};
use super::told::Told;
use jiff::SignedDuration;
use std::sync::Arc;

/// How far back a schedule begins at most whose history was lost; a store may show any date.
const REMEMBERED: SignedDuration = SignedDuration::from_hours(24 * 400);

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Whole, ours, and unknown here.
    Adopt(Box<Found>),
    /// Its taking was interrupted after the commit point.
    Finished(Seq, Box<Found>),
    /// Its taking was interrupted before the commit point.
    Interrupted(Seq),
    /// It was to be destroyed and is gone.
    Gone(Seq),
    /// Its taking was interrupted, and something else has its number.
    Displaced(Seq),
    /// Its health is not what was remembered.
    Health(Seq, Health),
    /// Begun, or not destroyed to its end, and of no use to anybody: no intent knows of it.
    Stray(Box<Found>),
    /// Its own files tell more than is remembered.
    Told(Seq, Told),
    /// The mark beside it has other tags: somebody changed them after this was recorded, in a life
    /// of the catalogue that is lost. A mark is written before its record.
    Tags(Seq, Tags),
}

/// The steps that bring an account to what a survey shows, in order of sequence numbers.
pub fn reconcile(account: &Account, survey: &Survey) -> Vec<Step> {
    let mut steps = Vec::new();
    let sure = is_at_home(account, survey);
    for snapshot in account.snapshots.values() {
        let same = |found: &&Found| is_same(snapshot, found);
        let found = survey.found.iter().find(same);
        if found.is_some() || sure {
            steps.extend(compare(snapshot, found, survey));
            steps.extend(told(snapshot, found));
            steps.extend(tags(snapshot, found));
        }
    }
    let free = |seq: Seq| {
        let left = |step: &Step| matches!(step, Step::Gone(s) | Step::Displaced(s) if *s == seq);
        !account.snapshots.contains_key(&seq) || steps.iter().any(left)
    };
    let unknown = |found: &&Found| found.state != Wholeness::Partial && free(found.card.handle.seq);
    let mut adopted: Vec<&Found> = survey.found.iter().filter(unknown).collect();
    adopted.sort_unstable_by_key(|found| found.card.handle.seq);
    let adopted: Vec<Step> =
        adopted.into_iter().map(|found| Step::Adopt(Box::new(found.clone()))).collect();
    steps.extend(adopted);
    steps.extend(strays(account, survey));
    steps
}

/// Whose resource was forgotten or is declared no more keeps all that it has.
fn strays<'a>(account: &'a Account, survey: &'a Survey) -> impl Iterator<Item = Step> + 'a {
    let stray = |found: &&Found| {
        found.state == Wholeness::Partial && !account.snapshots.contains_key(&found.card.handle.seq)
    };
    let ours = account.declared && !account.forgotten && is_at_home(account, survey);
    let strays = survey.found.iter().filter(move |_| ours).filter(stray);
    strays.map(|found| Step::Stray(Box::new(found.clone())))
}

/// The highest number that is known to be used, here or there.
pub fn used(account: &Account, survey: &Survey) -> Seq {
    let known = account.snapshots.keys().next_back().copied().unwrap_or_default();
    let seen = survey.found.iter().map(|found| found.card.handle.seq).max().unwrap_or_default();
    known.max(seen).max(survey.high_water)
}

/// Those in the trash of which the mark beside them says that they are not: somebody took them out
/// after this was recorded, in a life of the catalogue that is lost.
pub fn taken_out(account: &Account, survey: &Survey) -> Vec<Seq> {
    let thrown = |snapshot: &&Arc<Snapshot>| match snapshot.fate {
        Fate::Trashed { why: Thrown::Asked | Thrown::Rotated, .. } => true,
        Fate::Trashed { why: Thrown::Unmarked, .. } | Fate::Live | Fate::Doomed { .. } => false,
    };
    let says_so = |snapshot: &&Arc<Snapshot>| {
        let mut found = survey.found.iter().filter(|found| found.state == Wholeness::Whole);
        found.any(|found| is_same(snapshot, found) && !found.mark.trashed)
    };
    let found = account.snapshots.values().filter(thrown).filter(says_so);
    found.map(|snapshot| snapshot.seq()).collect()
}

/// Whether a listing can say that something is gone: only where the resource is the one that was
/// known. With another disk in its place, or none, its snapshots are not there to be seen.
pub fn is_at_home(account: &Account, survey: &Survey) -> bool {
    survey.identity.is_some() && (account.identity.is_none() || survey.identity == account.identity)
}

fn is_same(snapshot: &Snapshot, found: &Found) -> bool {
    let (known, seen) = (&snapshot.card.handle, &found.card.handle);
    known.seq == seen.seq && known.id == seen.id
}

fn compare(snapshot: &Arc<Snapshot>, found: Option<&Found>, survey: &Survey) -> Option<Step> {
    let seq = snapshot.seq();
    let another = || survey.found.iter().any(|found| found.card.handle.seq == seq);
    let state = found.map(|found| found.state);
    if snapshot.fate.is_doomed() {
        return state.is_none().then_some(Step::Gone(seq));
    }
    let seen = match (&snapshot.health, state) {
        (Health::Taking, Some(Wholeness::Whole)) => {
            return found.map(|found| Step::Finished(seq, Box::new(found.clone())));
        }
        (Health::Taking, None) if another() => return Some(Step::Displaced(seq)),
        (Health::Taking, _) => return Some(Step::Interrupted(seq)),
        (_, None | Some(Wholeness::Partial)) => Health::Missing,
        (_, Some(Wholeness::Tampered)) => Health::Tampered,
        (Health::Missing | Health::Tampered, Some(Wholeness::Whole)) => {
            found.map_or(Health::Complete, health_of)
        }
        // A doubt that stands beside it is newer than a ledger that knows of none.
        (Health::Complete, Some(Wholeness::Whole)) if !snapshot.facts.accepted => {
            found.map_or(Health::Complete, health_of)
        }
        (known, Some(Wholeness::Whole)) => known.clone(),
    };
    (seen != snapshot.health).then_some(Step::Health(seq, seen))
}

fn told(snapshot: &Snapshot, found: Option<&Found>) -> Option<Step> {
    let whole = found.filter(|found| found.state == Wholeness::Whole)?;
    let told = whole.told.clone().or(&snapshot.facts.told);
    let news = snapshot.health != Health::Taking && told != snapshot.facts.told;
    news.then_some(Step::Told(snapshot.seq(), told))
}

fn tags(snapshot: &Snapshot, found: Option<&Found>) -> Option<Step> {
    let whole = found.filter(|found| found.state == Wholeness::Whole)?;
    let marked = whole.mark.tags.as_ref()?;
    let news =
        snapshot.health != Health::Taking && snapshot.facts.retagged.as_ref() != Some(marked);
    news.then(|| Step::Tags(snapshot.seq(), marked.clone()))
}

fn health_of(found: &Found) -> Health {
    match (&found.mark.doubt, found.state) {
        (_, Wholeness::Tampered) => Health::Tampered,
        (Some(why), _) if !found.mark.accepted => Health::Suspect(why.clone()),
        _ => Health::Complete,
    }
}

/// The account's head as the survey changes it: identity, trouble, and a counter above everything
/// that the backend has ever seen.
pub fn head(account: &Account, survey: &Survey) -> Account {
    let mut head = account.clone();
    head.next_seq = head.next_seq.max(used(account, survey).next());
    head.trouble = match (&survey.identity, &account.identity) {
        (None, _) => {
            // What had its place is away, too.
            head.stranger = None;
            let known = account.trouble.clone().filter(|_| account.stranger.is_none());
            let why = survey.absence.clone().or(known);
            Some(why.unwrap_or_else(|| "it is not there".into()))
        }
        (Some(seen), Some(known)) if seen != known => {
            head.stranger = Some(seen.clone());
            Some("something else is in its place".into())
        }
        (Some(seen), _) => {
            (head.identity, head.stranger) = (Some(seen.clone()), None);
            None
        }
    };
    head.elsewhere.clone_from(&survey.elsewhere);
    head.engine = survey.engine.clone().or(head.engine);
    if !survey.disks.is_empty() {
        head.disks.clone_from(&survey.disks);
    }
    if account.slots.is_empty()
        && let Some(since) = newest_automatic(survey)
        && let [phase] = account.timeline.phases()
    {
        // Its history was lost with the catalogue: it is no newcomer, so no day is left out.
        let earliest = phase.from.saturating_sub(REMEMBERED).unwrap_or(phase.from);
        let from = phase.from.min(since.max(earliest));
        head.timeline = Timeline::new(vec![Phase { from, rhythm: phase.rhythm.clone() }]);
    }
    head
}

fn newest_automatic(survey: &Survey) -> Option<jiff::Timestamp> {
    let automatic = survey.found.iter().filter(|found| found.card.origin == Origin::Automatic);
    automatic.max_by_key(|found| found.card.handle.seq).map(|found| found.card.taken_at)
}

/// The snapshot that a found object becomes.
pub fn adopted(resource: &ResourceName, found: &Found, trash: SignedDuration) -> Snapshot {
    Snapshot {
        resource: resource.clone(),
        card: found.card.clone(),
        health: health_of(found),
        fate: if found.mark.trashed {
            Fate::Trashed { until: trash, why: Thrown::Asked }
        } else {
            Fate::Live
        },
        facts: Facts {
            content: found.content,
            notes: found.notes.clone(),
            accepted: found.mark.accepted,
            retagged: found.mark.tags.clone(),
            told: found.told.clone(),
            ..Facts::default()
        },
    }
}

pub fn facts(found: &Found, content: Content) -> Facts {
    let (notes, told) = (found.notes.clone(), found.told.clone());
    Facts { content: Some(content), notes, told, ..Facts::default() }
}

/// As what a stray becomes known, to be destroyed: it was never complete.
pub fn stray(resource: &ResourceName, found: &Found) -> Snapshot {
    let facts = Facts::default();
    let (health, fate) = (Health::Taking, Fate::Doomed { from_trash: None });
    Snapshot { resource: resource.clone(), card: found.card.clone(), health, fate, facts }
}

/// The slot record that an adopted automatic snapshot proves.
pub fn slot_of(snapshot: &Snapshot) -> Option<SlotRecord> {
    let Handle { seq, .. } = snapshot.card.handle;
    let at = snapshot.card.taken_at;
    let outcome = match &snapshot.health {
        Health::Suspect(why) => Outcome::Suspect(why.clone()),
        _ => Outcome::Complete,
    };
    Some(SlotRecord {
        slot: snapshot.card.slot?,
        due: at,
        end: at,
        attempts: 1,
        started: Some(at),
        finished: Some(at),
        last_failure: None,
        operation: None,
        seq: Some(seq),
        outcome: Some(outcome),
    })
}
