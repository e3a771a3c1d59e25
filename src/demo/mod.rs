//! `heptad demo`: the real daemon on scratch directories, driven through its socket by the real
//! client, on a clock that is moved from day to day. It needs no preparation and no root.
//!
//! This room is a visitor: it starts the daemon as anybody would and then knows only heptactl, the
//! files it made, and the clock's hands.

mod stage;

use stage::{Stage, StageError};
use std::io::Write;

/// Shows everything; returns the exit code.
pub fn run(out: &mut dyn Write) -> u8 {
    match show(out) {
        Ok(()) => 0,
        Err(error) => {
            let _ = writeln!(out, "\nthe demo stopped: {error}");
            1
        }
    }
}

fn show(out: &mut dyn Write) -> Result<(), StageError> {
    let mut stage = Stage::build(out)?;
    stage.say("heptad runs here as a real daemon, in user mode, on two directories:")?;
    stage.tell_places()?;
    stage.say(
        "Its clock is SIMULATED: it stands still until this demo moves it. All else is real: the \
         daemon, its socket, its catalogue, the files, the snapshots.",
    )?;

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
    stage.expect_snapshots("notes", 7)?;

    stage.headline("Keep one for good: it leaves the rotation, under a name")?;
    stage.heptactl(&["keep", "notes@2026-01-05", "before-the-move"])?;

    stage.headline("A snapshot by hand, at any time")?;
    stage.heptactl(&["take", "photos", "holiday-sorted", "--tag", "why=demo"])?;

    stage
        .headline("Change the time: asked at 12:00, today's is done, so it counts from tomorrow")?;
    stage.clock_to("2026-01-09T12:00:00Z")?;
    stage.heptactl(&["set-time", "notes", "15:00"])?;

    stage.headline("What will be taken and dropped, before it happens")?;
    stage.heptactl(&["forecast", "notes", "--days", "2"])?;

    stage.headline("Disaster: the notes are overwritten. A new copy from the kept snapshot")?;
    stage.disaster()?;
    stage.create("notes-rescued", "before-the-move")?;
    stage.compare("notes-rescued", 5)?;

    stage.headline("Two days on: the kept one is still there, beside the latest seven")?;
    stage.clock_to("2026-01-10T15:00:00Z")?;
    stage.settle("notes@2026-01-10")?;
    stage.settle("photos@2026-01-10")?;
    stage.clock_to("2026-01-11T15:00:00Z")?;
    stage.settle("notes@2026-01-11")?;
    stage.settle("photos@2026-01-11")?;
    stage.heptactl(&["list", "notes"])?;
    stage.expect_snapshots("notes", 8)?;
    stage.heptactl(&["status"])?;
    stage.finish()
}
