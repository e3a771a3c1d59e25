//! The words that stand for enums in the catalogue. Reading one that is not here is damage.

use crate::domain::operation::{Cause, Failure, Fault, Leftovers, State};
use crate::domain::resource::Kind;
use crate::domain::slot_record::Outcome;
use crate::domain::snapshot::{Fate, Health, Origin, Part, Thrown};
use jiff::SignedDuration;

/// An enum without data, with its words.
pub(super) trait Word: Copy + 'static {
    const ALL: &'static [Self];
    fn word(self) -> &'static str;

    fn of(word: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|value| value.word() == word)
    }
}

impl Word for Kind {
    const ALL: &'static [Self] = &Kind::ALL;
    fn word(self) -> &'static str {
        Kind::word(self)
    }
}

impl Word for Fault {
    const ALL: &'static [Self] = &Fault::ALL;
    fn word(self) -> &'static str {
        Fault::word(self)
    }
}

impl Word for Part {
    const ALL: &'static [Self] = &Part::ALL;
    fn word(self) -> &'static str {
        Part::word(self)
    }
}

impl Word for Origin {
    const ALL: &'static [Self] = &Origin::ALL;
    fn word(self) -> &'static str {
        match self {
            Origin::Automatic => "automatic",
            Origin::Manual => "manual",
            Origin::Copied => "copied",
        }
    }
}

impl Word for Leftovers {
    const ALL: &'static [Self] = &[Leftovers::Keep, Leftovers::Trash];
    fn word(self) -> &'static str {
        match self {
            Leftovers::Keep => "keep",
            Leftovers::Trash => "trash",
        }
    }
}

pub(super) fn health_word(health: &Health) -> (&'static str, Option<&str>) {
    match health {
        Health::Taking => ("taking", None),
        Health::Complete => ("complete", None),
        Health::Suspect(why) => ("suspect", Some(why)),
        Health::Missing => ("missing", None),
        Health::Tampered => ("tampered", None),
    }
}

pub(super) fn health(word: &str, reason: Option<String>) -> Option<Health> {
    Some(match (word, reason) {
        ("taking", None) => Health::Taking,
        ("complete", None) => Health::Complete,
        ("suspect", Some(why)) => Health::Suspect(why),
        ("missing", None) => Health::Missing,
        ("tampered", None) => Health::Tampered,
        _ => return None,
    })
}

const THROWN: [Thrown; 3] = [Thrown::Asked, Thrown::Unmarked, Thrown::Rotated];

fn thrown_word(why: Thrown) -> &'static str {
    match why {
        Thrown::Asked => "trashed",
        Thrown::Unmarked => "trashed-unmarked",
        Thrown::Rotated => "trashed-rotated",
    }
}

fn doomed_word(from_trash: Option<Thrown>) -> &'static str {
    match from_trash {
        None => "doomed",
        Some(Thrown::Asked) => "doomed-trashed",
        Some(Thrown::Unmarked) => "doomed-unmarked",
        Some(Thrown::Rotated) => "doomed-rotated",
    }
}

pub(super) fn fate_word(fate: Fate) -> (&'static str, Option<SignedDuration>) {
    match fate {
        Fate::Live => ("live", None),
        Fate::Trashed { until, why } => (thrown_word(why), Some(until)),
        Fate::Doomed { from_trash } => (doomed_word(from_trash), None),
    }
}

pub(super) fn fate(word: &str, until: Option<SignedDuration>) -> Option<Fate> {
    Some(match (word, until) {
        ("live", None) => Fate::Live,
        (word, Some(until)) => {
            let why = THROWN.into_iter().find(|why| thrown_word(*why) == word)?;
            Fate::Trashed { until, why }
        }
        (word, None) => {
            let mut all = THROWN.into_iter().map(Some).chain([None]);
            let from_trash = all.find(|from| doomed_word(*from) == word)?;
            Fate::Doomed { from_trash }
        }
    })
}

pub(super) fn outcome(word: &str, reason: Option<String>) -> Option<Outcome> {
    Some(match (word, reason) {
        ("complete", None) => Outcome::Complete,
        ("suspect", Some(why)) => Outcome::Suspect(why),
        ("failed", Some(why)) => Outcome::Failed(why),
        ("skipped", Some(why)) => Outcome::Skipped(why),
        ("missed", Some(why)) => Outcome::Missed(why),
        _ => return None,
    })
}

pub(super) fn state_word(state: &State) -> (&'static str, Option<&Failure>) {
    match state {
        State::Queued => ("queued", None),
        State::Running => ("running", None),
        State::Succeeded => ("succeeded", None),
        State::Failed(failure) => ("failed", Some(failure)),
    }
}

pub(super) fn state(word: &str, failure: Option<Failure>) -> Option<State> {
    Some(match (word, failure) {
        ("queued", None) => State::Queued,
        ("running", None) => State::Running,
        ("succeeded", None) => State::Succeeded,
        ("failed", Some(failure)) => State::Failed(failure),
        _ => return None,
    })
}

/// The word, which try again it is, and who asked.
pub(super) fn cause_word(cause: Cause) -> (&'static str, Option<u32>, Option<u32>) {
    match cause {
        Cause::Schedule => ("schedule", None, None),
        Cause::CatchUp => ("catch-up", None, None),
        Cause::Retry(n) => ("retry", Some(n), None),
        Cause::Peer(uid) => ("peer", None, Some(uid)),
        Cause::Rotation => ("rotation", None, None),
        Cause::Recovery => ("recovery", None, None),
        Cause::Configuration => ("configuration", None, None),
        Cause::Trash => ("trash", None, None),
    }
}

pub(super) fn cause(word: &str, retry: Option<u32>, uid: Option<u32>) -> Option<Cause> {
    Some(match (word, retry, uid) {
        ("schedule", None, None) => Cause::Schedule,
        ("catch-up", None, None) => Cause::CatchUp,
        ("retry", Some(n), None) => Cause::Retry(n),
        ("peer", None, Some(uid)) => Cause::Peer(uid),
        ("rotation", None, None) => Cause::Rotation,
        ("recovery", None, None) => Cause::Recovery,
        ("configuration", None, None) => Cause::Configuration,
        ("trash", None, None) => Cause::Trash,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check<T: Word + PartialEq + std::fmt::Debug>() {
        for value in T::ALL {
            assert_eq!(T::of(value.word()), Some(*value));
        }
        for hostile in ["", "AUTOMATIC", "keep ", "no-such-word"] {
            assert_eq!(T::of(hostile), None, "{hostile:?}");
        }
    }

    #[test]
    fn every_word_reads_back_and_no_other_is_read() {
        check::<Kind>();
        check::<Part>();
        check::<Fault>();
        check::<Origin>();
        check::<Leftovers>();
    }

    #[test]
    fn a_word_without_what_belongs_to_it_is_not_read() {
        assert_eq!(health("suspect", None), None);
        assert_eq!(health("complete", Some("why".into())), None);
        assert_eq!(fate("trashed", None), None);
        assert_eq!(fate("live", Some(SignedDuration::ZERO)), None);
        for why in THROWN {
            let trashed = Fate::Trashed { until: SignedDuration::ZERO, why };
            let (word, until) = fate_word(trashed);
            assert_eq!(fate(word, until), Some(trashed));
        }
        for from_trash in [None, Some(Thrown::Asked), Some(Thrown::Unmarked), Some(Thrown::Rotated)]
        {
            let (word, until) = fate_word(Fate::Doomed { from_trash });
            assert_eq!(fate(word, until), Some(Fate::Doomed { from_trash }));
        }
        assert_eq!(fate("doomed", Some(SignedDuration::ZERO)), None);
        assert_eq!(fate("doomed-by-somebody", None), None);
        assert_eq!(outcome("failed", None), None);
        assert_eq!(state("failed", None), None);
        assert_eq!(cause("retry", None, None), None);
        assert_eq!(cause("peer", Some(1), None), None);
    }
}
