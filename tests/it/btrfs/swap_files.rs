//! Subvolumes with a file that the system swaps to.

use super::live;
use crate::conformance::{card, fault, find, states, take, write};
use crate::support::loopfs::{Undo, run, subvolume};
use heptad::backend::TakeOrder;
use heptad::domain::operation::Fault;
use heptad::domain::survey::Wholeness;
use std::path::Path;

/// Swaps to a new file until dropped.
fn swap_to(file: &Path) -> Undo {
    let path = file.to_str().unwrap();
    run("btrfs", &["filesystem", "mkswapfile", "-s", "16m", path]);
    let undo = Undo::new("swapoff \"$1\"", file);
    run("swapon", &[path]);
    undo
}

#[test]
fn a_swap_file_in_the_resource_is_named_with_the_way_out() {
    let (fs, backend) = live(300);
    let file = fs.path().join("live/swap file");
    write(&fs.path().join("live"), &[("file", b"1")]);
    assert_eq!(backend.oddities(), []);
    let swapping = swap_to(&file);
    let order = TakeOrder { card: &card(1), source: None, previous: None };
    let refused = backend.take(&order, &()).unwrap_err();
    assert_eq!(refused.fault, Fault::Permanent, "no later try does better");
    let odd = backend.oddities();
    assert_eq!(odd.len(), 1);
    for text in [refused.to_string(), format!("{}; {}", odd[0].problem, odd[0].hint)] {
        let out = format!("swapoff {}", file.display());
        assert!(text.contains("swaps to") && text.contains(&out), "{text}");
        assert!(text.contains("subvolume of its own"), "{text}");
    }
    assert_eq!(states(&*backend), []);
    drop(swapping);
    take(&*backend, &card(1));
}

#[test]
fn a_swap_file_in_a_subvolume_of_its_own_is_left_out_and_other_content_beside_it_is_missed() {
    let (fs, backend) = live(300);
    let live = fs.path().join("live");
    for name in ["swap", "swap/deep", "home"] {
        subvolume(&live.join(name));
    }
    std::fs::remove_dir(live.join("swap/deep")).unwrap();
    write(&live, &[("file", b"1"), ("home/ann", b"1")]);
    let _swapping = swap_to(&live.join("swap/file"));
    take(&*backend, &card(1));
    let one = find(&*backend, 1).unwrap();
    assert_eq!((one.state, &one.mark.doubt), (Wholeness::Whole, &None));
    assert!(one.notes[0].starts_with("1 nested subvolume is included"), "{:?}", one.notes);
    assert!(one.notes[1].starts_with("swap could not be taken: the system swaps to"));
    write(&live, &[("swap/precious", b"1")]);
    take(&*backend, &card(2));
    let doubt = find(&*backend, 2).unwrap().mark.doubt.unwrap();
    assert!(doubt.starts_with("swap could not be taken"), "{doubt}");
    assert!(backend.oddities()[0].problem.contains("nested subvolume swap"));
    backend.verify(&find(&*backend, 2).unwrap().card.handle, &()).unwrap();
    assert_eq!(fault(backend.verify(&card(3).handle, &())), Fault::Absent);
}
