//! Waiting on the real timer, and on the simulated clock in a real file.

use heptad::host::clock::{Clock, Moment, Simulated, System, Waiter, Woke};
use jiff::{SignedDuration, Timestamp};
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;
use tempfile::TempDir;

/// No wait in here takes longer unless something is broken.
const DEADLINE: Duration = Duration::from_secs(20);

/// Waits in a thread of its own, so that a wait without an end fails the test.
fn wait(mut waiter: Waiter, until: Option<Timestamp>) -> Receiver<(Woke, Waiter)> {
    let (tell, told) = channel();
    std::thread::spawn(move || {
        let woke = waiter.wait(until);
        let _ = tell.send((woke, waiter));
    });
    told
}

fn woke(told: &Receiver<(Woke, Waiter)>) -> (Woke, Waiter) {
    told.recv_timeout(DEADLINE).expect("nothing woke the waiter")
}

fn at(text: &str) -> Timestamp {
    format!("2026-11-{text}:00Z").parse().unwrap()
}

struct Scratch {
    path: PathBuf,
    clock: Simulated,
    _dir: TempDir,
}

fn simulated(wall: &str) -> Scratch {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("clock");
    Simulated::set(&path, at(wall)).unwrap();
    Scratch { clock: Simulated::open(&path).unwrap(), path, _dir: dir }
}

#[test]
fn the_system_clock_goes_forward_and_wakes_when_due() {
    let before = System.read();
    let until = before.wall + SignedDuration::from_millis(30);
    let (woke, _) = woke(&wait(System.waiter().unwrap(), Some(until)));
    let after = System.read();
    assert_eq!(woke, Woke::Due);
    assert!(after.wall >= until, "woken early: {} before {until}", after.wall);
    assert!(after.boot > before.boot);
}

#[test]
fn a_time_that_is_past_is_due_at_once_and_stays_so() {
    let mut waiter = System.waiter().unwrap();
    let past = System.read().wall - SignedDuration::from_secs(1);
    for until in [past, past, Timestamp::UNIX_EPOCH, Timestamp::MIN] {
        let (woke, back) = woke(&wait(waiter, Some(until)));
        assert_eq!(woke, Woke::Due, "{until}");
        waiter = back;
    }
}

#[test]
fn the_bell_wakes_from_another_thread_and_many_rings_are_one() {
    let scratch = simulated("22T05:00");
    for waiter in [System.waiter().unwrap(), scratch.clock.waiter().unwrap()] {
        let bell = waiter.bell();
        let told = wait(waiter, None);
        bell.ring();
        let (first, waiter) = woke(&told);
        assert_eq!(first, Woke::Bell);
        bell.ring();
        bell.ring();
        let (second, waiter) = woke(&wait(waiter, None));
        assert_eq!(second, Woke::Bell);
        // Heard once: now only the time can wake.
        let (third, _) = woke(&wait(waiter, Some(Timestamp::UNIX_EPOCH)));
        assert_eq!(third, Woke::Due);
    }
}

#[test]
fn simulated_time_stands_still_until_it_is_let_go() {
    let scratch = simulated("22T05:00");
    let before = scratch.clock.read();
    assert_eq!(before, scratch.clock.read());
    let told = wait(scratch.clock.waiter().unwrap(), Some(at("22T06:00")));
    Simulated::advance(&scratch.path, SignedDuration::from_mins(59)).unwrap();
    Simulated::advance(&scratch.path, SignedDuration::from_mins(1)).unwrap();
    assert_eq!(woke(&told).0, Woke::Due);
    let after = scratch.clock.read();
    assert_eq!(after.wall, at("22T06:00"));
    assert_eq!(after.boot - before.boot, SignedDuration::from_hours(1));
}

#[test]
fn setting_the_simulated_clock_is_told_before_anything_is_due() {
    let scratch = simulated("22T05:00");
    let told = wait(scratch.clock.waiter().unwrap(), Some(at("22T06:00")));
    Simulated::set(&scratch.path, at("23T00:00")).unwrap();
    let (first, waiter) = woke(&told);
    let (second, waiter) = woke(&wait(waiter, Some(at("22T06:00"))));
    assert_eq!([first, second], [Woke::ClockSet, Woke::Due]);
    // Set between two waits, and back.
    Simulated::set(&scratch.path, at("21T00:00")).unwrap();
    let (third, _) = woke(&wait(waiter, Some(at("22T06:00"))));
    assert_eq!(third, Woke::ClockSet);
    assert_eq!(scratch.clock.read().wall, at("21T00:00"));
}

#[test]
fn the_boot_clock_never_goes_back_and_a_broken_file_stops_time() {
    let scratch = simulated("22T05:00");
    let before = scratch.clock.read();
    let lower = Moment { boot: SignedDuration::ZERO, synchronised: false, ..before };
    Simulated::write(&scratch.path, lower).unwrap();
    assert_eq!(scratch.clock.read(), Moment { synchronised: false, ..before });
    std::fs::write(&scratch.path, "half a li").unwrap();
    assert_eq!(scratch.clock.read().wall, before.wall);
    let error = Simulated::open(&scratch.path).unwrap_err().to_string();
    assert!(error.contains("half a li") && error.contains("2026-11-22T06:00:00Z"), "{error}");
    assert!(Simulated::advance(&scratch.path, -SignedDuration::from_secs(1)).is_err());
}
