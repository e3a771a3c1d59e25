//! The live resource set back to one of its snapshots.

use super::*;
use crate::support::other::Other;
use heptad::backend::RollbackOrder;
use heptad::backend::options::Context;
use heptad::backend::registry;
use std::collections::BTreeSet;
use std::ffi::OsString;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const LATER: &[(&str, &[u8])] = &[("index.html", b"later"), ("new/file", b"x"), ("etc/b", b"")];
/// What the process that rolls back, to be killed meanwhile, is told by.
const CHILD: &str = "HEPTAD_TEST_ROLL_BACK";
/// At so many moments of a rollback it is killed.
const MOMENTS: u32 = 24;

/// Whether this technology can, and for this resource. If not, it says so, and what to do instead.
fn can(h: &impl Harness, backend: &dyn Backend, handle: &Handle) -> bool {
    let error = match backend.users() {
        Ok(users) => {
            assert!(backend.in_place().is_some());
            assert_eq!(users, [""; 0], "nobody else uses it");
            return true;
        }
        Err(error) => error,
    };
    assert!(h.recipe().is_none(), "what has a recipe can be rolled back: {error}");
    assert_eq!(error.fault, Fault::Permanent, "{error}");
    assert!(error.to_string().contains("heptactl create"), "{error}");
    assert_eq!(fault(backend.rollback(&order(handle, 1), &())), Fault::Permanent);
    false
}

fn order(handle: &Handle, token: u128) -> RollbackOrder<'_> {
    RollbackOrder { handle, token: Uuid::from_u128(token + 1000) }
}

/// What lies beside the live resource; nothing hidden may stay there.
fn beside(h: &impl Harness) -> BTreeSet<OsString> {
    let entries = std::fs::read_dir(h.live().parent().unwrap()).unwrap();
    entries.map(|entry| entry.unwrap().file_name()).collect()
}

fn replace_content(h: &impl Harness, files: &[(&str, &[u8])]) {
    h.empty(&h.live());
    h.put(&h.live(), files);
}

pub fn a_resource_rolled_back_holds_what_the_snapshot_holds(h: &impl Harness) {
    h.put(&h.live(), SOME);
    let backend = h.backend(RESOURCE);
    let (then, one) = (h.content(&h.live()), take(&*backend, &card(1)));
    replace_content(h, LATER);
    let (now, two) = (h.content(&h.live()), take(&*backend, &card(2)));
    if !can(h, &*backend, &one) {
        return;
    }
    let neighbours = beside(h);
    let back = backend.rollback(&order(&one, 1), &()).unwrap();
    assert_eq!(h.content(&h.live()), then);
    assert_eq!(backend.probe().unwrap(), back);
    assert_eq!(h.backend(RESOURCE).list().unwrap().identity, Some(back.identity));
    assert_eq!(states(&*backend), [(1, Wholeness::Whole), (2, Wholeness::Whole)]);
    // And forth again, and on.
    backend.rollback(&order(&two, 2), &()).unwrap();
    assert_eq!(h.content(&h.live()), now);
    h.put(&h.live(), &[("more", b"written after it")]);
    take(&*h.backend(RESOURCE), &card(3));
    backend.rollback(&order(&one, 3), &()).unwrap();
    assert_eq!(h.content(&h.live()), then);
    for seq in 1..=3 {
        backend.verify(&find(&*backend, seq).unwrap().card.handle, &()).unwrap();
    }
    assert_eq!(beside(h), neighbours);
}

pub fn rolling_back_again_by_the_same_order_changes_nothing(h: &impl Harness) {
    h.put(&h.live(), SOME);
    let backend = h.backend(RESOURCE);
    let one = take(&*backend, &card(1));
    if !can(h, &*backend, &one) {
        return;
    }
    replace_content(h, LATER);
    let first = backend.rollback(&order(&one, 1), &()).unwrap();
    h.put(&h.live(), &[("precious", b"written since")]);
    let now = h.content(&h.live());
    assert_eq!(h.backend(RESOURCE).rollback(&order(&one, 1), &()).unwrap(), first);
    assert_eq!(h.content(&h.live()), now);
    // Another order is another rollback, to the same snapshot too.
    backend.rollback(&order(&one, 2), &()).unwrap();
    assert_ne!(h.content(&h.live()), now);
}

pub fn a_resource_in_use_is_not_rolled_back_and_its_users_are_named(h: &impl Harness) {
    h.put(&h.live(), SOME);
    let backend = h.backend(RESOURCE);
    let one = take(&*backend, &card(1));
    if !can(h, &*backend, &one) {
        return;
    }
    let (now, neighbours) = (h.content(&h.live()), beside(h));
    let user = Other::doing("exec 5<$1", &h.used());
    let users = backend.users().unwrap();
    let pid = format!("(process {})", user.pid());
    assert!(users.len() == 1 && users[0].contains(&pid), "{users:?}");
    let refused = backend.rollback(&order(&one, 1), &()).unwrap_err();
    assert_eq!(refused.fault, Fault::Busy);
    assert!(refused.to_string().contains(&pid), "{refused}");
    assert_eq!((h.content(&h.live()), beside(h)), (now, neighbours));
    drop(user);
    assert_eq!(backend.users().unwrap(), [""; 0]);
    backend.rollback(&order(&one, 1), &()).unwrap();
}

pub fn what_was_written_after_the_safety_snapshot_is_never_lost(h: &impl Harness) {
    h.put(&h.live(), SOME);
    let backend = h.backend(RESOURCE);
    let (then, one) = (h.content(&h.live()), take(&*backend, &card(1)));
    if !can(h, &*backend, &one) {
        return;
    }
    let neighbours = beside(h);
    for (seq, late) in [(2, "index.html"), (3, "etc/late")] {
        replace_content(h, LATER);
        // The token is the id of the snapshot that was taken to be safe.
        let safety = take(&*backend, &card(seq));
        h.put(&h.live(), &[(late, b"written right after it")]);
        let now = h.content(&h.live());
        let order = RollbackOrder { handle: &one, token: safety.id };
        let refused = backend.rollback(&order, &()).unwrap_err();
        assert_eq!(refused.fault, Fault::Busy, "{refused}");
        assert_eq!((h.content(&h.live()), beside(h)), (now, neighbours.clone()));
    }
    let safety = take(&*backend, &card(4));
    backend.rollback(&RollbackOrder { handle: &one, token: safety.id }, &()).unwrap();
    assert_eq!(h.content(&h.live()), then);
}

pub fn a_snapshot_that_is_not_whole_rolls_nothing_back(h: &impl Harness) {
    h.put(&h.live(), SOME);
    let backend = h.backend(RESOURCE);
    let (one, two) = (take(&*backend, &card(1)), take(&*backend, &card(2)));
    let cut = take(&*backend, &card(3));
    if !can(h, &*backend, &one) {
        return;
    }
    h.tamper(RESOURCE, &one);
    h.lose(RESOURCE, &two);
    h.interrupt(RESOURCE, &cut);
    let (now, neighbours) = (h.content(&h.live()), beside(h));
    for (token, handle) in [one, two, cut, card(9).handle].iter().enumerate() {
        assert!(backend.rollback(&order(handle, token as u128), &()).is_err(), "{handle:?}");
    }
    assert_eq!((h.content(&h.live()), beside(h)), (now, neighbours));
    h.hide();
    assert_eq!(fault(backend.users()), Fault::Absent);
}

pub fn a_rollback_that_is_killed_at_any_moment_is_finished_by_the_same_order(h: &impl Harness) {
    h.put(&h.live(), SOME);
    let backend = h.backend(RESOURCE);
    let (then, one) = (h.content(&h.live()), take(&*backend, &card(1)));
    if !can(h, &*backend, &one) {
        return;
    }
    let many: Vec<(String, Vec<u8>)> =
        (0..40).map(|at| (format!("d{}/f{at}", at % 7), vec![at; 9000])).collect();
    let many: Vec<(&str, &[u8])> = many.iter().map(|(name, c)| (&**name, &**c)).collect();
    replace_content(h, &many);
    let (now, two) = (h.content(&h.live()), take(&*backend, &card(2)));
    let neighbours = beside(h);
    let mut roller = Roller::start(h, &one, 1);
    let whole = roller.roll(Duration::MAX);
    for moment in 0..MOMENTS {
        let (from, to, handle) =
            if moment % 2 == 0 { (&then, &now, &two) } else { (&now, &then, &one) };
        let token = u128::from(moment) + 2;
        let mut roller = Roller::start(h, handle, token);
        roller.roll(whole * moment / (MOMENTS - 1));
        let content = h.content(&h.live());
        assert!(content == *from || content == *to, "{moment}: half of it: {content:?}");
        let there = states(&*backend);
        assert_eq!(there, [(1, Wholeness::Whole), (2, Wholeness::Whole)], "{moment}");
        until_finished(&*h.backend(RESOURCE), &order(handle, token));
        assert!(h.content(&h.live()) == *to, "{moment}: not finished");
        assert_eq!(beside(h), neighbours, "{moment}");
    }
}

/// What the killed one had started may need a moment to end, too.
fn until_finished(backend: &dyn Backend, order: &RollbackOrder<'_>) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while let Err(error) = backend.rollback(order, &()) {
        let passing = matches!(error.fault, Fault::Busy | Fault::Transient);
        assert!(passing && Instant::now() < deadline, "{error}");
    }
}

/// This test program as another process, which rolls back when it is told to.
struct Roller(Child);

impl Roller {
    fn start(h: &impl Harness, handle: &Handle, token: u128) -> Self {
        let (backend, options, state) = h.recipe().expect("a recipe");
        let told = serde_json::json!({
            "backend": backend, "options": options, "state": state, "token": token.to_string(),
            "seq": handle.seq.0, "id": handle.id, "object": handle.object,
        });
        let name = "conformance::rolling_back::whoever_is_told_to_rolls_back";
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args([name, "--exact", "--nocapture", "--test-threads=1"]);
        command.env(CHILD, told.to_string()).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.stderr(Stdio::null()).spawn().unwrap();
        wait_for(&mut child, "ready");
        Self(child)
    }

    /// Lets it begin and kills it so much later, or when it is done. Returns how long it had.
    fn roll(&mut self, until: Duration) -> Duration {
        let begun = Instant::now();
        self.0.stdin.as_mut().unwrap().write_all(b"go\n").unwrap();
        if until == Duration::MAX {
            wait_for(&mut self.0, "done");
        }
        while begun.elapsed() < until && until != Duration::MAX {
            std::thread::yield_now();
        }
        let had = begun.elapsed();
        self.0.kill().unwrap();
        self.0.wait().unwrap();
        had
    }
}

fn wait_for(child: &mut Child, word: &str) {
    let mut lines = BufReader::new(child.stdout.as_mut().unwrap()).lines();
    let found = lines.any(|line| line.unwrap().ends_with(word));
    assert!(found, "the process that rolls back never said {word}");
}

fn say(word: &str) {
    let mut out = std::io::stdout();
    writeln!(out, "{word}").unwrap();
    out.flush().unwrap();
}

#[test]
fn whoever_is_told_to_rolls_back() {
    let Ok(told) = std::env::var(CHILD) else { return };
    let told: serde_json::Value = serde_json::from_str(&told).unwrap();
    let text = |key: &str| told[key].as_str().unwrap();
    let context = Context { resource: RESOURCE.parse().unwrap(), state: text("state").into() };
    let options = told["options"].as_object().unwrap();
    let backend = registry::build(text("backend"), options, &context).unwrap();
    let handle = Handle {
        seq: Seq(told["seq"].as_u64().unwrap()),
        id: text("id").parse().unwrap(),
        object: text("object").into(),
    };
    say("ready");
    std::io::stdin().lines().next();
    backend.rollback(&order(&handle, text("token").parse().unwrap()), &()).unwrap();
    say("done");
    std::io::stdin().lines().next();
}
