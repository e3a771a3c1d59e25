//! What became of each slot of a day: the answer to "why".

use super::page::{Page, Span};
use super::{View, marks, time, units};
use crate::api::wire::{Mark, Slot, Slots};
use jiff::tz::TimeZone;

pub fn slots(slots: &Slots, view: &View) -> Page {
    let zone = time::zone(&slots.zone);
    let mut page = view.page();
    let place = format!("{} ({})", slots.day, slots.zone);
    page.title(Span::strong(&slots.resource), Span::plain(place));
    for slot in &slots.slots {
        page.gap();
        one(slot, view, &zone, &mut page);
    }
    if let Some(note) = &slots.note {
        page.gap();
        page.prose(0, &Span::plain(note));
    }
    page
}

pub(super) fn outcome(slot: &Slot) -> &str {
    match &slot.outcome {
        Some(_) if slot.mark == Mark::Kept => "kept",
        Some(outcome) => outcome,
        None => marks::word(slot.mark),
    }
}

fn one(slot: &Slot, view: &View, zone: &TimeZone, page: &mut Page) {
    let mark = view.marks.mark(slot.mark);
    let title = format!("{mark} {}  {}", slot.slot, outcome(slot));
    page.line([Span::new(marks::tone(slot.mark), title)]);
    let until = if slot.outcome.is_none() && slot.mark != Mark::Running {
        format!(", may be tried until {}", time::wall(slot.end, zone))
    } else {
        String::new()
    };
    page.field("due", &Span::plain(time::wall(slot.due, zone) + &until));
    page.field("started", &Span::plain(started(slot, zone)));
    if let Some(finished) = slot.finished {
        page.field("finished", &Span::plain(time::wall_seconds(finished, zone)));
    }
    page.field("attempts", &Span::plain(slot.attempts.to_string()));
    if let Some(reason) = &slot.reason {
        page.field("reason", &Span::plain(reason));
    }
    if let Some(snapshot) = &slot.snapshot {
        page.field("snapshot", &Span::plain(snapshot));
    }
    if let Some(operation) = slot.operation {
        page.field("operation", &Span::plain(operation.to_string()));
    }
}

fn started(slot: &Slot, zone: &TimeZone) -> String {
    let Some(started) = slot.started else { return "never".into() };
    let late = match slot.late_seconds {
        Some(late @ 1..) => format!(", {} late", units::span(late)),
        _ => ", on time".into(),
    };
    time::wall_seconds(started, zone) + &late
}
