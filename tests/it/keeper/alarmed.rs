//! What is in alarm at once, since waiting mends nothing.

use super::promises::{alarms, ask, disable, enable, moment};
use crate::support::simulated::{Scene, day};
use heptad::domain::account::Barred;
use heptad::domain::alarm::{self, Alarm};
use heptad::domain::event::Event;
use heptad::domain::operation::Fault;

fn raised(scene: &Scene) -> Vec<Alarm> {
    alarm::alarms(scene.machine.keeper().ledger(), scene.account(), &moment(scene))
}

#[test]
fn what_no_later_try_can_mend_is_an_alarm_at_once() {
    let mut scene = Scene::daily("06:00");
    scene.run_to(&day(3, "07:00"));
    scene.machine.disk.world().faults.extend(vec![Some(Fault::Permanent); 500]);
    scene.run_to(&day(4, "06:00"));
    assert_eq!(alarms(&scene), ["slot-lost"]);
    let hint = raised(&scene).remove(0).hint;
    assert!(hint.starts_with("mend that before the next try, 2026-01-04 06:01"), "{hint}");
    scene.machine.disk.world().faults.clear();
    scene.run_to(&day(4, "06:30"));
    assert_eq!(alarms(&scene), [""; 0]);
}

#[test]
fn what_the_daemon_is_not_allowed_is_an_alarm_before_anything_is_due() {
    let mut scene = Scene::daily("06:00");
    let barred = || {
        let (why, way_out) = ("heptad is not allowed CAP_SETUID".into(), "`install …`".into());
        Event::Barred([("web".parse().unwrap(), Barred { why, way_out })].into())
    };
    scene.machine.turn(barred());
    assert_eq!(alarms(&scene), ["not-allowed"]);
    let alarm = raised(&scene).remove(0);
    assert!(alarm.sentence.contains("heptad is not allowed CAP_SETUID"), "{alarm:?}");
    assert_eq!(alarm.hint, "`install …`");
    // Nobody waits for a snapshot of it.
    ask(&mut scene, disable());
    assert_eq!(alarms(&scene), [""; 0]);
    ask(&mut scene, enable());
    assert_eq!(alarms(&scene), ["not-allowed"]);
    scene.machine.turn(Event::Barred(Default::default()));
    assert_eq!(alarms(&scene), [""; 0]);
}
