//! Taking and keeping.

use super::*;
use crate::support::copied;

pub fn a_snapshot_is_listed_whole_with_its_card(h: &impl Harness) {
    h.put(&h.live(), SOME);
    let backend = h.backend(RESOURCE);
    let handle = take(&*backend, &card(1));
    assert!(!handle.object.is_empty());
    let second = Card {
        origin: Origin::Manual,
        name: Some("before-upgrade".parse().unwrap()),
        slot: None,
        ..card(2)
    };
    take(&*backend, &second);
    assert_eq!(states(&*h.backend(RESOURCE)), [(1, Wholeness::Whole), (2, Wholeness::Whole)]);
    let found = find(&*h.backend(RESOURCE), 1).unwrap();
    assert_eq!(found.card, Card { handle, ..card(1) });
    assert_eq!(found.mark, Mark::default());
    assert_eq!(find(&*backend, 2).unwrap().card.name, second.name);
}

pub fn taking_the_same_snapshot_again_returns_it_as_it_is(h: &impl Harness) {
    h.put(&h.live(), SOME);
    let before = h.content(&h.live());
    let handle = take(&*h.backend(RESOURCE), &card(1));
    h.put(&h.live(), &[("index.html", b"changed")]);
    assert_eq!(take(&*h.backend(RESOURCE), &card(1)), handle);
    h.backend(RESOURCE).restore(&copied(&handle, &h.target("copy")), &()).unwrap();
    assert_eq!(h.content(&h.target("copy")), before);
}

pub fn another_snapshot_under_a_used_number_is_refused(h: &impl Harness) {
    h.put(&h.live(), SOME);
    let backend = h.backend(RESOURCE);
    let handle = take(&*backend, &card(1));
    let mut other = card(1);
    other.handle.id = Uuid::from_u128(99);
    let order = TakeOrder { card: &other, source: None, previous: None };
    assert_eq!(fault(backend.take(&order, &())), Fault::Identity);
    assert_eq!(find(&*backend, 1).unwrap().card.handle, handle);
    assert_eq!(states(&*backend), [(1, Wholeness::Whole)]);
}

pub fn a_kept_copy_survives_its_original(h: &impl Harness) {
    h.put(&h.live(), SOME);
    let before = h.content(&h.live());
    let backend = h.backend(RESOURCE);
    let original = take(&*backend, &card(1));
    h.put(&h.live(), &[("index.html", b"changed")]);
    let order = TakeOrder { card: &kept(2, 1), source: Some(&original), previous: None };
    let object = backend.take(&order, &()).unwrap().object;
    backend.destroy(&original).unwrap();
    let found = find(&*h.backend(RESOURCE), 2).unwrap();
    assert_eq!(found.state, Wholeness::Whole);
    assert_eq!((found.card.kept_from, found.card.handle.object.clone()), (Some(Seq(1)), object));
    backend.restore(&copied(&found.card.handle, &h.target("copy")), &()).unwrap();
    assert_eq!(h.content(&h.target("copy")), before);
}

pub fn an_interrupted_taking_is_listed_as_partial(h: &impl Harness) {
    h.put(&h.live(), SOME);
    let backend = h.backend(RESOURCE);
    take(&*backend, &card(1));
    let cut = take(&*backend, &card(2));
    h.interrupt(RESOURCE, &cut);
    assert_eq!(states(&*backend), [(1, Wholeness::Whole), (2, Wholeness::Partial)]);
    assert_eq!(find(&*backend, 2).unwrap().card.handle.id, cut.id);
    assert!(backend.verify(&cut, &()).is_err());
    assert!(backend.restore(&copied(&cut, &h.target("copy")), &()).is_err());
    assert!(!h.target("copy").exists());
}

pub fn an_interrupted_taking_can_be_done_again(h: &impl Harness) {
    h.put(&h.live(), SOME);
    let backend = h.backend(RESOURCE);
    let cut = take(&*backend, &card(1));
    h.interrupt(RESOURCE, &cut);
    h.put(&h.live(), &[("later", b"than the interruption")]);
    let handle = take(&*h.backend(RESOURCE), &card(1));
    assert_eq!(states(&*backend), [(1, Wholeness::Whole)]);
    backend.restore(&copied(&handle, &h.target("copy")), &()).unwrap();
    assert_eq!(h.content(&h.target("copy")), h.content(&h.live()));
}

pub fn taking_an_absent_resource_fails_and_leaves_nothing(h: &impl Harness) {
    h.put(&h.live(), SOME);
    let backend = h.backend(RESOURCE);
    take(&*backend, &card(1));
    h.hide();
    assert_eq!(fault(backend.probe()), Fault::Absent);
    let order = TakeOrder { card: &card(2), source: None, previous: None };
    assert_eq!(fault(backend.take(&order, &())), Fault::Absent);
    assert_eq!(states(&*backend), [(1, Wholeness::Whole)]);
}

pub fn several_resources_are_taken_at_once(h: &impl Harness) {
    h.put(&h.live(), SOME);
    let names: Vec<String> = (0..6).map(|at| format!("resource-{at}")).collect();
    std::thread::scope(|scope| {
        for name in &names {
            let backend = h.backend(name);
            scope.spawn(move || {
                for seq in 1..=3 {
                    take(&*backend, &card(seq));
                }
                backend.destroy(&find(&*backend, 1).unwrap().card.handle).unwrap();
            });
        }
    });
    for name in &names {
        let whole = [(2, Wholeness::Whole), (3, Wholeness::Whole)];
        assert_eq!(states(&*h.backend(name)), whole, "{name}");
    }
}
