//! What is not wanted any more, at ever later moments until one is too late.

use super::*;
use crate::support::copied;
use heptad::backend::RollbackOrder;
use heptad::fs::Progress;
use std::collections::BTreeSet;
use std::ffi::OsString;
use std::sync::atomic::{AtomicU64, Ordering};

/// Wanted so many questions long.
struct Whim(AtomicU64);

impl Progress for Whim {
    fn report(&self, _done: u64, _total: Option<u64>) {}

    fn is_wanted(&self) -> bool {
        let one_less = |left: u64| left.checked_sub(1);
        self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_less).is_ok()
    }
}

/// Does it until it is not stopped in time; it has been stopped `before` at least that often.
fn until_too_late<T>(
    before: usize,
    mut act: impl FnMut(u64, &Whim) -> Result<T, StorageError>,
    mut stopped: impl FnMut(u64),
) -> T {
    let moments = std::iter::once(0).chain((0..24).map(|power| 1_u64 << power));
    for (times, moment) in moments.enumerate() {
        match act(moment, &Whim(AtomicU64::new(moment))) {
            Ok(done) => {
                assert!(times >= before, "stopped {times} times only");
                return done;
            }
            Err(error) => assert_eq!(error.fault, Fault::Cancelled, "{moment}: {error}"),
        }
        stopped(moment);
    }
    panic!("it asks without end");
}

fn names(dir: &Path) -> BTreeSet<OsString> {
    std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name()).collect()
}

pub fn a_take_that_is_not_wanted_any_more_stops_leaves_nothing_and_the_next_one_works(
    h: &impl Harness,
) {
    h.put(&h.live(), SOME);
    let now = h.content(&h.live());
    let backend = h.backend(RESOURCE);
    let identity = backend.probe().unwrap();
    let take = |moment: u64, whim: &Whim| {
        let card = card(moment + 1);
        let object =
            backend.take(&TakeOrder { card: &card, source: None, previous: None }, whim)?;
        Ok(Handle { object: object.object, ..card.handle })
    };
    let taken = until_too_late(1, take, |moment| {
        // As the remains of any that failed. Of a program that was ended before it could answer it
        // may be all.
        assert!(states(&*backend).iter().all(|(seq, _)| *seq == moment + 1));
        backend.destroy(&card(moment + 1).handle).unwrap();
        assert_eq!(states(&*backend), []);
        assert_eq!(
            (backend.probe().unwrap(), h.content(&h.live())),
            (identity.clone(), now.clone())
        );
    });
    assert_eq!(states(&*backend), [(taken.seq.0, Wholeness::Whole)]);
    backend.verify(&taken, &()).unwrap();
    backend.restore(&copied(&taken, &h.target("copy")), &()).unwrap();
    assert_eq!(h.content(&h.target("copy")), now);
}

pub fn a_new_one_that_is_not_wanted_any_more_leaves_nothing_and_the_next_one_is_whole(
    h: &impl Harness,
) {
    h.put(&h.live(), SOME);
    let now = h.content(&h.live());
    let backend = h.backend(RESOURCE);
    let handle = take(&*backend, &card(1));
    let target = h.target("copy");
    let around = target.parent().unwrap();
    let before = names(around);
    let restore = |_: u64, whim: &Whim| backend.restore(&copied(&handle, &target), whim);
    until_too_late(1, restore, |moment| assert_eq!(names(around), before, "{moment}"));
    assert_eq!(h.content(&target), now);
    assert_eq!(states(&*backend), [(1, Wholeness::Whole)]);
}

pub fn a_rollback_that_is_not_wanted_any_more_leaves_all_as_it_was_or_is_done(h: &impl Harness) {
    h.put(&h.live(), SOME);
    let backend = h.backend(RESOURCE);
    let (then, one) = (h.content(&h.live()), take(&*backend, &card(1)));
    if backend.users().is_err() {
        // It cannot roll back at all.
        return;
    }
    h.empty(&h.live());
    h.put(&h.live(), &[("index.html", b"later"), ("new/file", b"x")]);
    let (now, identity) = (h.content(&h.live()), backend.probe().unwrap());
    let around = h.live().parent().unwrap().to_owned();
    let before = names(&around);
    let order = |moment: u64| RollbackOrder {
        handle: &one,
        token: Uuid::from_u128(7 + u128::from(moment)),
    };
    let mut last = 0;
    let back = |moment: u64, whim: &Whim| {
        last = moment;
        backend.rollback(&order(moment), whim)
    };
    until_too_late(0, back, |moment| {
        assert_eq!(
            (h.content(&h.live()), names(&around)),
            (now.clone(), before.clone()),
            "{moment}"
        );
        assert_eq!(backend.probe().unwrap(), identity, "{moment}");
    });
    assert_eq!((h.content(&h.live()), names(&around)), (then.clone(), before.clone()));
    // What is done is done, whoever does not want it by now.
    backend.rollback(&order(last), &Whim(AtomicU64::new(0))).unwrap();
    assert_eq!(h.content(&h.live()), then);
}
