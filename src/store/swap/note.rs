//! On the store: which object takes which one's place. Four lines at most: the token, the new
//! object, the old one, and how far that is.

use super::super::{Store, replace};
use crate::domain::operation::Fault;
use crate::fs::tree::Time;
use crate::fs::{Doing, StorageError};
use crate::host::durable;
use std::io::ErrorKind;
use uuid::Uuid;

const NOTE: &str = "rollback";
const EXPOSED: &str = "exposed ";
const WRITTEN: &str = "written";
const JUDGED: &str = "judged";

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Note {
    pub new: String,
    pub old: String,
    pub step: Step,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// The new one is whole, and nobody has seen it.
    Staged,
    /// It may stand, or have stood, where everybody finds it; before, its print was this, and its
    /// time of change, which older notes lack.
    Exposed(u64, Option<Time>),
    /// Somebody wrote to it there, and it shall go back.
    Written,
    /// The old one may go.
    Judged,
}

impl Step {
    fn parse(line: Option<&str>) -> Option<Self> {
        Some(match line {
            None => Self::Staged,
            Some(WRITTEN) => Self::Written,
            Some(JUDGED) => Self::Judged,
            Some(line) => {
                let was = line.strip_prefix(EXPOSED)?;
                let Some((print, changed)) = was.split_once(' ') else {
                    return Some(Self::Exposed(was.parse().ok()?, None));
                };
                Self::Exposed(print.parse().ok()?, Some(time(changed)?))
            }
        })
    }

    fn line(self) -> String {
        match self {
            Self::Staged => String::new(),
            Self::Exposed(print, None) => format!("{EXPOSED}{print}\n"),
            Self::Exposed(print, Some(Time { secs, nanos })) => {
                format!("{EXPOSED}{print} {secs} {nanos}\n")
            }
            Self::Written => format!("{WRITTEN}\n"),
            Self::Judged => format!("{JUDGED}\n"),
        }
    }
}

fn time(text: &str) -> Option<Time> {
    let (secs, nanos) = text.split_once(' ')?;
    Some(Time { secs: secs.parse().ok()?, nanos: nanos.parse().ok()? })
}

/// The note of this token; that of another is none.
pub(super) fn read(store: &Store, token: Uuid) -> Result<Option<Note>, StorageError> {
    let path = store.dir().join(NOTE);
    let doing = || format!("reading {}", path.display());
    let text = match std::fs::read_to_string(&path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        text => text.doing(doing)?,
    };
    let mut lines = text.lines();
    if lines.next() != Some(&*token.to_string()) {
        return Ok(None);
    }
    match (lines.next(), lines.next(), Step::parse(lines.next())) {
        (Some(new), Some(old), Some(step)) => {
            Ok(Some(Note { new: new.into(), old: old.into(), step }))
        }
        _ => Err(StorageError::new(Fault::Permanent, doing(), "it is cut short; remove it")),
    }
}

/// Durably replaces it.
pub(super) fn write(store: &Store, token: Uuid, note: &Note) -> Result<(), StorageError> {
    let Note { new, old, step } = note;
    replace(&store.dir().join(NOTE), format!("{token}\n{new}\n{old}\n{}", step.line()).as_bytes())
}

/// Durably; one that is gone already is success.
pub(super) fn remove(store: &Store) -> Result<(), StorageError> {
    let path = store.dir().join(NOTE);
    durable::remove(&path).doing(|| format!("removing {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn how_far_it_is_reads_back_as_it_was_written_and_nothing_else_does() {
        let exposed = |secs| Step::Exposed(7, Some(Time { secs, nanos: 999_999_999 }));
        let older = [Step::Exposed(0, None), Step::Exposed(u64::MAX, None)];
        let others = [Step::Staged, exposed(-1), exposed(1 << 40), Step::Written];
        for step in older.into_iter().chain(others) {
            assert_eq!(Step::parse(step.line().lines().next()), Some(step));
        }
        assert_eq!(Step::parse(Some("judged")), Some(Step::Judged), "as older ones wrote it");
        for line in ["", "exposed", "exposed ", "exposed x", "exposed -1", "exposed 1 2", "writ"] {
            assert_eq!(Step::parse(Some(line)), None, "{line:?}");
        }
    }
}
