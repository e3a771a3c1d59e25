//! The answer to enable, disable, set-time and reset: what was wished and what will happen.

use super::page::{Page, Span};
use super::{View, time};
use crate::api::wire::{NextRun, Schedule, Why};
use jiff::Timestamp;
use jiff::civil::{Date, Time};
use jiff::tz::{AmbiguousOffset, TimeZone};

/// `asked` is the daemon's time of the answer. A slot is due within `spread` seconds after its
/// wished time.
pub fn schedule(
    resource: &str,
    schedule: &Schedule,
    spread: u32,
    asked: Timestamp,
    view: &View,
) -> Page {
    let mut page = view.page();
    let said = match (&schedule.next_run, schedule.enabled.value) {
        (_, false) => format!(
            "automatic snapshots are off, those that exist stay; `heptactl enable {resource}` \
             switches them on"
        ),
        (None, true) => format!("time set to {}; there is no next run", schedule.rhythm.value),
        (Some(next), true) => {
            let next = coming(schedule, next, spread, asked);
            format!("time set to {}; {next}", schedule.rhythm.value)
        }
    };
    page.prose(0, &Span::plain(format!("{resource}: {said}")));
    let mut differs = Vec::new();
    differs.extend(schedule.rhythm.configured.clone());
    differs.extend(schedule.enabled.configured.map(|on| if on { "on" } else { "off" }.into()));
    if !differs.is_empty() {
        let says = differs.join(", ");
        let note =
            format!("the configuration says {says}; `heptactl reset {resource}` goes back to it");
        page.prose(0, &Span::dim(note));
    }
    page
}

fn coming(schedule: &Schedule, next: &NextRun, spread: u32, asked: Timestamp) -> String {
    let zone = time::zone(&schedule.zone);
    let when = |at: Timestamp| at.to_zoned(zone.clone()).strftime("%Y-%m-%d %H:%M").to_string();
    let mut text = format!("next run {}", when(next.at));
    match next.why {
        Why::Scheduled | Why::Running => {}
        Why::CatchUp => text.push_str(&format!(" (catches up {})", next.slot)),
        Why::Retry => text.push_str(&format!(" (tries {} again)", next.slot)),
    }
    let time = schedule.time.as_deref().and_then(|time| time.parse::<Time>().ok());
    let (Some(time), Ok(slot)) = (time, next.slot.parse::<Date>()) else {
        if let Some(still) = &schedule.still {
            text.push_str(&format!("; until {} still {}", when(still.until), still.rhythm));
        }
        return text;
    };
    let today = time::date(asked, &zone);
    if slot > today || (next.why == Why::Scheduled && at_time(next.due, slot, time, spread, &zone))
    {
        return text;
    }
    if next.why == Why::Scheduled {
        text.push_str(" (today's snapshot still runs at the old time)");
    }
    match slot.tomorrow() {
        Ok(tomorrow) => format!("{text}, from {tomorrow} at {}", time.strftime("%H:%M")),
        Err(_) => text,
    }
}

/// Whether a slot of this date that is due then is due by this time of day: a time that does not
/// exist on that date comes with the first valid instant after.
fn at_time(due: Timestamp, date: Date, time: Time, spread: u32, zone: &TimeZone) -> bool {
    let wanted = zone.to_ambiguous_timestamp(date.to_datetime(time));
    let first = match wanted.offset() {
        AmbiguousOffset::Gap { after, .. } => {
            let inside = after.to_timestamp(date.to_datetime(time)).ok();
            inside.and_then(|at| zone.following(at).next()).map(|change| change.timestamp())
        }
        _ => wanted.compatible().ok(),
    };
    first.is_some_and(|first| {
        let later = due.as_second().saturating_sub(first.as_second());
        (0..=i64::from(spread)).contains(&later)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_due_time_is_known_as_the_wished_one_also_on_days_of_change() {
        let zone = time::zone("Europe/Berlin");
        let check = |due: &str, date: &str, at: &str, spread, want| {
            let due = due.parse().unwrap();
            let (date, time) = (date.parse().unwrap(), at.parse().unwrap());
            assert_eq!(at_time(due, date, time, spread, &zone), want, "{date} {at} {due}");
        };
        check("2026-11-22T14:00:00Z", "2026-11-22", "15:00", 0, true);
        check("2026-11-22T05:00:00Z", "2026-11-22", "15:00", 0, false);
        check("2026-11-22T14:07:00Z", "2026-11-22", "15:00", 600, true);
        check("2026-11-22T14:11:00Z", "2026-11-22", "15:00", 600, false);
        // 02:30 does not exist on that day: the first valid instant after is 03:00.
        check("2026-03-29T01:00:00Z", "2026-03-29", "02:30", 0, true);
        check("2026-03-29T01:30:00Z", "2026-03-29", "02:30", 0, false);
        // 02:30 comes twice on that day: the first one.
        check("2026-10-25T00:30:00Z", "2026-10-25", "02:30", 0, true);
        check("2026-10-25T01:30:00Z", "2026-10-25", "02:30", 0, false);
    }
}
