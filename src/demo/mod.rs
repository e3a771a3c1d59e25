//! `heptad demo`: the real daemon on scratch directories, driven through its socket by the real
//! client, on a clock that is moved from day to day. It needs no preparation and no root.
//!
//! This room is a visitor: it starts the daemon as anybody would and then knows only heptactl, the
//! files it made, and the clock's hands.

mod stage;
mod stay;

use stage::{Stage, StageError};
use std::io::Write;

/// Exit code of `heptactl status` where something is in alarm.
const ALARM: u8 = 5;

/// Shows everything; returns the exit code. With `stay` the daemon goes on afterwards, and people
/// play with it.
pub fn run(stay: bool, out: &mut dyn Write) -> u8 {
    match show(stay, out) {
        Ok(()) => 0,
        Err(error) => {
            let _ = writeln!(out, "\nthe demo stopped: {error}");
            1
        }
    }
}

fn show(stay: bool, out: &mut dyn Write) -> Result<(), StageError> {
    let mut stage = Stage::build(out)?;
    stage.say("heptad runs here as a real daemon, in user mode, on two directories:")?;
    stage.tell_places()?;
    stage.say("Its clock is SIMULATED: it stands still until this demo moves it. All else is")?;
    stage.say("real: the daemon, its socket, its catalogue, the files, the snapshots.")?;
    days(&mut stage)?;
    by_hand(&mut stage)?;
    doubt(&mut stage)?;
    back(&mut stage)?;
    if stay {
        return stay::stay(stage);
    }
    stage.finish()
}

fn days(stage: &mut Stage<'_>) -> Result<(), StageError> {
    stage.headline("What is due")?;
    stage.heptactl(&["status"])?;

    stage.headline("Thursday 06:00: an automatic snapshot at its slot")?;
    stage.clock_to("2026-01-01T06:00:00Z")?;
    stage.settle("notes@2026-01-01")?;
    stage.settle("photos@2026-01-01")?;
    stage.heptactl(&["list", "notes"])?;

    stage.headline("Eight more days, each with its changes: the latest seven stay")?;
    for day in 2..=9 {
        stage.edit(day)?;
        stage.clock_to(&format!("2026-01-{day:02}T06:00:00Z"))?;
        stage.settle(&format!("notes@2026-01-{day:02}"))?;
        stage.settle(&format!("photos@2026-01-{day:02}"))?;
    }
    stage.heptactl(&["list", "notes"])?;
    stage.expect_snapshots("notes", 7)
}

fn by_hand(stage: &mut Stage<'_>) -> Result<(), StageError> {
    stage.headline("Keep one for good: it leaves the rotation, under a name")?;
    stage.heptactl(&["keep", "notes@2026-01-05", "before-the-move"])?;

    stage.headline("A snapshot by hand, at any time")?;
    stage.heptactl(&["take", "photos", "holiday-sorted", "--tag", "why=demo"])?;

    stage.headline("Deleted by mistake: it lies in the trash for a day")?;
    stage.heptactl(&["delete", "holiday-sorted", "--yes"])?;
    stage.heptactl(&["undelete", "holiday-sorted"])?;

    stage.headline("Change the time, at noon: today's is done, so it counts from tomorrow")?;
    stage.clock_to("2026-01-09T12:00:00Z")?;
    stage.heptactl(&["set-time", "notes", "15:00"])?;

    stage.headline("What will be taken and dropped, before it happens")?;
    stage.heptactl(&["forecast", "notes", "--days", "2"])?;

    for day in 10..=11 {
        stage.edit(day)?;
        stage.clock_to(&format!("2026-01-{day}T06:00:00Z"))?;
        stage.settle(&format!("photos@2026-01-{day}"))?;
        stage.clock_to(&format!("2026-01-{day}T15:00:00Z"))?;
        stage.settle(&format!("notes@2026-01-{day}"))?;
    }
    stage.headline("Two days on: the kept one is still there, beside the latest seven")?;
    stage.heptactl(&["list", "notes"])?;
    stage.expect_snapshots("notes", 8)
}

/// Something goes wrong, and heptad does not make it worse.
fn doubt(stage: &mut Stage<'_>) -> Result<(), StageError> {
    stage.headline("Disaster: somebody empties the notes, and the day's snapshot is taken")?;
    stage.empty()?;
    stage.clock_to("2026-01-12T06:00:00Z")?;
    stage.settle("photos@2026-01-12")?;
    stage.clock_to("2026-01-12T15:00:00Z")?;
    stage.settle_doubtful("notes@2026-01-12")?;
    stage.heptactl_ending_in(&["status", "notes"], ALARM)?;
    stage.say("It is kept, but does not count as one of the seven, and nothing old goes until")?;
    stage.say("a person has looked:")?;
    stage.heptactl(&["why", "notes"])?;
    stage.expect_snapshots("notes", 9)
}

/// Three ways back, and the way back from those.
fn back(stage: &mut Stage<'_>) -> Result<(), StageError> {
    stage.headline("One file back, out of a snapshot")?;
    stage.heptactl(&["browse", "notes@2026-01-11"])?;
    stage.heptactl(&["get", "notes@2026-01-11", "diary.txt", "-o", "rescued.txt"])?;
    stage.compare_file("rescued.txt", 11)?;

    stage.headline("All of a snapshot, as a new copy beside the original")?;
    stage.heptactl(&["create", "notes-rescued", "--from", "before-the-move"])?;
    stage.compare("notes-rescued", 5)?;

    stage.headline("All of it, in its own place; what is there now is saved before")?;
    stage.roll_back("before-the-move", "what-it-was")?;
    stage.compare("notes", 5)?;

    stage.headline("Undone: what the rollback replaced is a snapshot like any other")?;
    stage.roll_back("what-it-was", "the-fifth")?;
    stage.expect_empty("notes")?;

    stage.headline("What was meant: the notes of the last good day")?;
    stage.roll_back("notes@2026-01-11", "emptied")?;
    stage.compare("notes", 11)?;

    stage.headline("All is well: say so, and the rotation goes on")?;
    stage.heptactl(&["acknowledge", "notes"])?;
    stage.clock_to("2026-01-13T06:00:00Z")?;
    stage.settle("photos@2026-01-13")?;
    stage.clock_to("2026-01-13T15:00:00Z")?;
    stage.settle("notes@2026-01-13")?;
    stage.heptactl(&["status"])
}
