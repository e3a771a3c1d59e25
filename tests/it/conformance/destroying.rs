//! Destroying, and leaving alone.

use super::*;

pub fn destroying_succeeds_again_when_it_is_done(h: &impl Harness) {
    h.put(&h.live(), SOME);
    let backend = h.backend(RESOURCE);
    let (one, two) = (take(&*backend, &card(1)), take(&*backend, &card(2)));
    backend.destroy(&one).unwrap();
    assert_eq!(states(&*backend), [(2, Wholeness::Whole)]);
    h.backend(RESOURCE).destroy(&one).unwrap();
    backend.destroy(&two).unwrap();
    backend.destroy(&Handle { seq: Seq(40), ..two }).unwrap();
    assert_eq!(states(&*backend), []);
}

pub fn snapshots_that_are_gone_occupy_nothing(h: &impl Harness) {
    h.put(&h.live(), SOME);
    let backend = h.backend(RESOURCE);
    let (one, two) = (take(&*backend, &card(1)), take(&*backend, &card(2)));
    // Where it is told while they are there, it is told afterwards too.
    let told = backend.occupied().unwrap();
    backend.destroy(&one).unwrap();
    backend.destroy(&two).unwrap();
    let left = backend.occupied().unwrap();
    assert_eq!(left.map(|left| left.bytes), told.map(|_| 0), "there were {told:?}");
}

pub fn destroying_by_another_id_is_refused(h: &impl Harness) {
    h.put(&h.live(), SOME);
    let backend = h.backend(RESOURCE);
    let handle = take(&*backend, &card(1));
    let other = Handle { id: Uuid::from_u128(99), ..handle };
    assert_eq!(fault(backend.destroy(&other)), Fault::Identity);
    assert_eq!(states(&*backend), [(1, Wholeness::Whole)]);
}

pub fn destroying_another_object_is_refused(h: &impl Harness) {
    h.put(&h.live(), SOME);
    let backend = h.backend(RESOURCE);
    let one = take(&*backend, &card(1));
    let two = take(&*backend, &card(2));
    let mixed = Handle { object: two.object, ..one };
    assert_eq!(fault(backend.destroy(&mixed)), Fault::Identity);
    assert_eq!(states(&*backend), [(1, Wholeness::Whole), (2, Wholeness::Whole)]);
}

pub fn an_interrupted_taking_can_be_destroyed(h: &impl Harness) {
    h.put(&h.live(), SOME);
    let backend = h.backend(RESOURCE);
    let cut = take(&*backend, &card(1));
    h.interrupt(RESOURCE, &cut);
    let listed = find(&*backend, 1).unwrap().card.handle;
    backend.destroy(&listed).unwrap();
    backend.destroy(&listed).unwrap();
    assert_eq!(states(&*backend), []);
}

pub fn a_lost_snapshot_is_not_listed_as_whole_and_its_destruction_succeeds(h: &impl Harness) {
    h.put(&h.live(), SOME);
    let backend = h.backend(RESOURCE);
    let (one, two) = (take(&*backend, &card(1)), take(&*backend, &card(2)));
    h.lose(RESOURCE, &one);
    assert_ne!(find(&*backend, 1).map(|found| found.state), Some(Wholeness::Whole));
    assert!(backend.verify(&one, &()).is_err());
    backend.destroy(&one).unwrap();
    assert_eq!(states(&*backend), [(2, Wholeness::Whole)]);
    backend.verify(&two, &()).unwrap();
}

pub fn the_highest_number_outlives_its_snapshot(h: &impl Harness) {
    h.put(&h.live(), SOME);
    let backend = h.backend(RESOURCE);
    let (one, nine) = (take(&*backend, &card(1)), take(&*backend, &card(9)));
    backend.destroy(&nine).unwrap();
    assert_eq!(h.backend(RESOURCE).list().unwrap().high_water, Seq(9));
    take(&*backend, &card(3));
    backend.destroy(&one).unwrap();
    assert_eq!(h.backend(RESOURCE).list().unwrap().high_water, Seq(9));
    let ten = take(&*backend, &card(10));
    h.lose(RESOURCE, &ten);
    assert_eq!(h.backend(RESOURCE).list().unwrap().high_water, Seq(10));
}

pub fn resources_do_not_see_each_other(h: &impl Harness) {
    h.put(&h.live(), SOME);
    let (web, mail) = (h.backend(RESOURCE), h.backend("mail"));
    let one = take(&*web, &card(1));
    let mut theirs = card(1);
    theirs.handle.id = Uuid::from_u128(71);
    let theirs = take(&*mail, &theirs);
    let four = take(&*mail, &card(4));
    assert_eq!(states(&*web), [(1, Wholeness::Whole)]);
    assert_eq!(web.list().unwrap().high_water, Seq(1));
    assert_eq!(fault(web.destroy(&theirs)), Fault::Identity);
    web.destroy(&four).unwrap();
    web.destroy(&one).unwrap();
    assert_eq!(states(&*mail), [(1, Wholeness::Whole), (4, Wholeness::Whole)]);
}

pub fn what_heptad_did_not_make_is_left_alone(h: &impl Harness) {
    h.put(&h.live(), SOME);
    let backend = h.backend(RESOURCE);
    take(&*backend, &card(1));
    let planted = h.plant(RESOURCE, 2);
    assert_eq!(states(&*backend), [(1, Wholeness::Whole)]);
    let order = TakeOrder { card: &card(2), source: None, previous: None };
    assert_eq!(fault(backend.take(&order, &())), Fault::Identity);
    // Refused or called gone: either way it stays.
    let _ = backend.destroy(&card(2).handle);
    assert!(planted.symlink_metadata().is_ok(), "{} is gone", planted.display());
    assert_eq!(states(&*backend), [(1, Wholeness::Whole)]);
}
