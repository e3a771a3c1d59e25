//! Probing, listing, verifying, marking, measuring.

use super::*;
use crate::support::copied;

pub fn a_fresh_resource_has_an_identity_and_an_empty_listing(h: &impl Harness) {
    let backend = h.backend(RESOURCE);
    let identity = backend.probe().unwrap().identity;
    assert!(!identity.is_empty());
    let survey = backend.list().unwrap();
    assert_eq!(
        (survey.identity, survey.found, survey.high_water),
        (Some(identity), vec![], Seq(0))
    );
}

pub fn keeping_again_returns_the_copy_as_it_is(h: &impl Harness) {
    h.put(&h.live(), SOME);
    let backend = h.backend(RESOURCE);
    let original = take(&*backend, &card(1));
    let card = kept(2, 1);
    let order = TakeOrder { card: &card, source: Some(&original), previous: None };
    let first = backend.take(&order, &()).unwrap();
    assert_eq!(h.backend(RESOURCE).take(&order, &()).unwrap(), first);
    let gone = Handle { seq: Seq(77), ..original };
    let order = TakeOrder { card: &kept(3, 77), source: Some(&gone), previous: None };
    assert_eq!(fault(backend.take(&order, &())), Fault::Absent);
    assert_eq!(states(&*backend), [(1, Wholeness::Whole), (2, Wholeness::Whole)]);
}

pub fn a_changed_snapshot_is_listed_as_tampered_and_not_restored(h: &impl Harness) {
    h.put(&h.live(), SOME);
    let backend = h.backend(RESOURCE);
    let (one, two) = (take(&*backend, &card(1)), take(&*backend, &card(2)));
    h.tamper(RESOURCE, &one);
    assert_eq!(states(&*backend), [(1, Wholeness::Tampered), (2, Wholeness::Whole)]);
    assert!(backend.restore(&copied(&one, &h.target("copy")), &()).is_err());
    assert!(!h.target("copy").exists());
    backend.destroy(&one).unwrap();
    assert_eq!(states(&*backend), [(2, Wholeness::Whole)]);
    backend.verify(&two, &()).unwrap();
}

pub fn marks_stay_with_their_snapshot(h: &impl Harness) {
    h.put(&h.live(), SOME);
    let backend = h.backend(RESOURCE);
    let (one, two) = (take(&*backend, &card(1)), take(&*backend, &card(2)));
    let doubt = Mark { doubt: Some("it is empty".into()), ..Mark::default() };
    let tags: Tags = [("team", "web=1"), ("k\u{fc}r", ""), ("\"q\"", "\\")]
        .map(|(key, value)| (key.into(), value.into()))
        .into();
    let tagged = Mark { tags: Some(tags), accepted: true, ..Mark::default() };
    let untagged = Mark { tags: Some(Tags::new()), ..Mark::default() };
    let trashed = Mark { trashed: true, ..Mark::default() };
    for mark in [doubt, tagged, untagged, trashed, Mark::default()] {
        backend.mark(&one, &mark).unwrap();
        backend.mark(&one, &mark).unwrap();
        assert_eq!(find(&*h.backend(RESOURCE), 1).unwrap().mark, mark);
        assert_eq!(find(&*backend, 2).unwrap().mark, Mark::default());
    }
    assert_eq!(states(&*backend), [(1, Wholeness::Whole), (2, Wholeness::Whole)]);
    let other = Handle { id: Uuid::from_u128(99), ..two };
    assert_eq!(fault(backend.mark(&other, &Mark::default())), Fault::Identity);
}

pub fn snapshots_are_listed_and_restored_while_the_resource_is_absent(h: &impl Harness) {
    h.put(&h.live(), SOME);
    let before = h.content(&h.live());
    let backend = h.backend(RESOURCE);
    let handle = take(&*backend, &card(1));
    let spare = take(&*backend, &card(2));
    h.hide();
    let survey = h.backend(RESOURCE).list().unwrap();
    assert_eq!((survey.identity, survey.high_water), (None, Seq(2)));
    assert_eq!(states(&*backend), [(1, Wholeness::Whole), (2, Wholeness::Whole)]);
    backend.verify(&handle, &()).unwrap();
    backend.restore(&copied(&handle, &h.target("copy")), &()).unwrap();
    assert_eq!(h.content(&h.target("copy")), before);
    backend.destroy(&spare).unwrap();
    assert_eq!(states(&*backend), [(1, Wholeness::Whole)]);
}

pub fn an_emptied_resource_shows_when_it_is_verified(h: &impl Harness) {
    for at in 0..50 {
        h.put(&h.live(), &[(&format!("file-{at}"), b"content")]);
    }
    let backend = h.backend(RESOURCE);
    let full = backend.verify(&take(&*backend, &card(1)), &()).unwrap();
    assert!(!full.empty);
    h.empty(&h.live());
    let empty = backend.verify(&take(&*backend, &card(2)), &()).unwrap();
    assert!(empty.empty);
    assert!(full.entries.is_none_or(|entries| entries >= 50 && empty.entries == Some(0)));
    assert!(!backend.verify(&find(&*backend, 1).unwrap().card.handle, &()).unwrap().empty);
}

pub fn a_snapshot_that_never_was_is_absent(h: &impl Harness) {
    h.put(&h.live(), SOME);
    let backend = h.backend(RESOURCE);
    let nothing = card(5).handle;
    for _ in 0..2 {
        assert_eq!(fault(backend.verify(&nothing, &())), Fault::Absent);
        assert_eq!(fault(backend.mark(&nothing, &Mark::default())), Fault::Absent);
        assert_eq!(fault(backend.usage(&nothing)), Fault::Absent);
        assert_eq!(
            fault(backend.restore(&copied(&nothing, &h.target("copy")), &())),
            Fault::Absent
        );
        backend.destroy(&nothing).unwrap();
        // Once before the store exists, and once after.
        take(&*backend, &card(1));
    }
    assert!(!h.target("copy").exists());
}

pub fn the_identity_stays_while_the_content_changes(h: &impl Harness) {
    h.put(&h.live(), SOME);
    let backend = h.backend(RESOURCE);
    let before = backend.probe().unwrap();
    take(&*backend, &card(1));
    h.empty(&h.live());
    h.put(&h.live(), &[("other", b"content")]);
    assert_eq!(h.backend(RESOURCE).probe().unwrap(), before);
    assert_eq!(backend.list().unwrap().identity, Some(before.identity));
}

pub fn facts_about_the_technology_are_sound(h: &impl Harness) {
    const LARGE: usize = 1 << 20;
    h.put(&h.live(), &[("large", &[7; LARGE]), ("a/b", b"small")]);
    let (web, mail) = (h.backend(RESOURCE), h.backend("mail"));
    assert!(web.capabilities().in_flight >= 1);
    assert!(!web.pool().is_empty());
    assert_eq!(web.pool(), mail.pool());
    let handle = take(&*web, &card(1));
    let usage = web.usage(&handle).unwrap();
    assert!(usage.stored.is_none_or(|stored| stored >= LARGE as u64), "{usage:?}");
    // File systems give whole blocks, and directories take some of their own.
    let most = usage.stored.map_or(u64::MAX, |stored| stored + stored / 64 + 64 * 1024);
    assert!(usage.exclusive.is_none_or(|exclusive| exclusive <= most), "{usage:?}");
}
