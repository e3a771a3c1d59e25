//! Everything at a glance: a table of all resources, or the card of one.

use super::page::{Page, Span, Tone};
use super::table::{Align, Table};
use super::{View, tags, time, units};
use crate::api::wire::{
    Alarm, Counts, Newest, NextRun, Operation, Origin, Resource, ResourceDetail, Source, Status,
    Why,
};
use jiff::Timestamp;

/// Alarms come first. With `only_alarmed` there is nothing else, and nothing at all without any.
pub fn status(status: &Status, only_alarmed: bool, view: &View) -> Page {
    let view = &view.at(status.now);
    let mut page = view.page();
    alarms(&status.alarms, 0, &mut page);
    for resource in &status.resources {
        for alarm in &resource.alarms {
            let sentence = format!("{}: {}", resource.name, alarm.sentence);
            alarms(&[Alarm { sentence, ..alarm.clone() }], 0, &mut page);
        }
    }
    if !only_alarmed {
        page.gap();
        table(&status.resources, view, &mut page);
        page.gap();
        if !status.resources.is_empty() {
            page.prose(0, &Span::dim(view.marks.legend()));
        }
        page.prose(0, &Span::plain(summary(status)));
    }
    page
}

fn table(resources: &[Resource], view: &View, page: &mut Page) {
    if resources.is_empty() {
        return;
    }
    let slots = resources.iter().map(|resource| resource.strip.len()).max().unwrap_or(0);
    let last = if slots == 0 { "LAST".into() } else { format!("LAST {slots}") };
    let next = view.timed("NEXT");
    let heads = ["  RESOURCE", &last, "NEWEST", &next, "NOTE"];
    let aligns = [Align::Left, Align::Right, Align::Left, Align::Left, Align::Left];
    let mut table = Table::new(heads.into_iter().zip(aligns)).in_short();
    let (bad, well): (Vec<_>, Vec<_>) = resources.iter().partition(|one| !one.alarms.is_empty());
    for resource in bad.into_iter().chain(well) {
        let mark =
            if resource.alarms.is_empty() { Span::plain("  ") } else { Span::new(Tone::Bad, "! ") };
        let next = resource.next_run.as_ref().map_or("-".into(), |next| view.cell(next.at));
        table.cells([
            vec![mark, Span::strong(&resource.name)],
            view.marks.strip(&resource.strip),
            vec![Span::plain(age(resource, view))],
            vec![Span::plain(next)],
            vec![Span::plain(note(resource))],
        ]);
    }
    table.print(page);
}

/// How old the newest automatic one is, or the newest of all where there is none yet.
fn age(resource: &Resource, view: &View) -> String {
    let newest = resource.newest_complete.or(resource.newest.as_ref().map(|one| one.taken_at));
    if newest.is_some_and(|at| is_ahead(at, view)) {
        return "ahead".into();
    }
    let of_any = resource.newest.as_ref();
    let of_any = of_any.map(|newest| view.now.as_second() - newest.taken_at.as_second());
    let age = resource.newest_complete_age_seconds.or(of_any);
    age.map_or("-".into(), |age| format!("{} ago", units::about(age)))
}

/// Whether the clock was set back since; a few seconds are none.
fn is_ahead(taken_at: Timestamp, view: &View) -> bool {
    taken_at.as_second() > view.now.as_second() + 60
}

/// The newest one, where that is no automatic one.
fn by_hand(resource: &Resource) -> Option<&Newest> {
    resource.newest.as_ref().filter(|newest| {
        newest.origin != Origin::Automatic
            && resource.newest_complete.is_none_or(|at| at < newest.taken_at)
    })
}

/// What is not as on an ordinary day.
fn note(resource: &Resource) -> String {
    let mut parts = Vec::new();
    if let Some(running) = &resource.running {
        let progress = super::progress(running).map(|text| format!(", {text}"));
        parts.push(super::title(running) + &progress.unwrap_or_default());
    }
    match (resource.declared, resource.forgotten) {
        (_, true) => parts.push("forgotten".into()),
        (false, false) => parts.push("not in the configuration".into()),
        (true, false) if !resource.enabled.value => parts.push("off".into()),
        (true, false) => parts.extend(resource.next_run.as_ref().and_then(unusual)),
    }
    parts.join("; ")
}

fn unusual(next: &NextRun) -> Option<String> {
    match (next.why, next.retry) {
        (Why::Scheduled | Why::Running, _) => None,
        (Why::CatchUp, _) => Some(format!("catches up {}", next.slot)),
        (Why::Retry, 0) => Some(format!("tries {} again", next.slot)),
        (Why::Retry, retry) => Some(format!("try again {retry} of {}", next.slot)),
    }
}

fn summary(status: &Status) -> String {
    let resources = match status.resources.len() as u64 {
        0 => "no resource is configured".into(),
        number => units::count(number, "resource"),
    };
    let alarmed = status.resources.iter().filter(|resource| !resource.alarms.is_empty()).count();
    let alarmed = match alarmed {
        0 => String::new(),
        number => format!(", {number} in alarm"),
    };
    let open = match status.open_operations {
        0 => String::new(),
        number => format!(", {} open", units::count(number, "operation")),
    };
    let up = status.now.as_second() - status.started.as_second();
    let (version, up) = (&status.version, units::span(up));
    format!("{resources}{alarmed}{open}; heptad {version}, up {up}")
}

/// Whether anything is in alarm.
pub fn alarmed(status: &Status) -> bool {
    !status.alarms.is_empty() || status.resources.iter().any(|r| !r.alarms.is_empty())
}

/// The block of one resource alone.
pub fn glance(detail: &ResourceDetail, view: &View) -> Page {
    let mut page = view.page();
    block(&detail.resource, &view.at(detail.now), &mut page);
    page.gap();
    page.prose(0, &Span::dim(view.marks.legend()));
    page
}

pub(super) fn block(resource: &Resource, view: &View, page: &mut Page) {
    heading(resource, page);
    page.field("time", &Span::plain(rhythm(resource, view)));
    tags::overridden(resource, page);
    page.field("next", &next(resource, view));
    page.field("newest", &Span::plain(newest(resource, view)));
    let label = Span::dim(format!("{:12}", format!("  last {}", resource.strip.len())));
    if !resource.strip.is_empty() {
        page.line([label].into_iter().chain(view.marks.strip(&resource.strip)));
    }
    if let Some(running) = &resource.running {
        page.field("running", &Span::strong(busy(running, resource.queued, view)));
    }
    alarms(&resource.alarms, 2, page);
}

fn heading(resource: &Resource, page: &mut Page) {
    let left = match (resource.declared, resource.forgotten) {
        (_, true) => ", forgotten",
        (false, false) => ", not in the configuration",
        (true, false) => "",
    };
    let what = format!("{}, {}{left}", resource.kind, resource.backend);
    page.title(Span::strong(&resource.name), Span::plain(what));
}

/// What is wished, and what the configuration says where a command says otherwise.
fn rhythm(resource: &Resource, view: &View) -> String {
    let mut text = resource.rhythm.value.clone();
    if let Some(configured) = &resource.rhythm.configured {
        text.push_str(&format!(" (the configuration says {configured})"));
    }
    if resource.spread_seconds > 0 {
        let spread = units::span(i64::from(resource.spread_seconds));
        text.push_str(&format!(", {spread} later by its spread"));
    }
    match (resource.enabled.value, resource.enabled.source) {
        (true, _) => {}
        (false, Source::Config) => text.push_str("; off in the configuration"),
        (false, Source::Override) => text.push_str("; off by a command"),
    }
    if let Some(still) = &resource.still {
        let until = view.wall(still.until);
        text.push_str(&format!("; until {until} still {}", still.rhythm));
    }
    text
}

fn next(resource: &Resource, view: &View) -> Span {
    match &resource.next_run {
        Some(next) => Span::plain(run(next, view)),
        None if !resource.declared => Span::plain("none"),
        None if resource.enabled.value => Span::plain("none"),
        None => {
            let way = format!(
                "none; `heptactl enable {}` switches automatic snapshots on",
                resource.name
            );
            Span::plain(way)
        }
    }
}

/// `2026-11-23 06:00 +01:00, in 3 h 12 min`, with why it is not at its ordinary time.
fn run(next: &NextRun, view: &View) -> String {
    let when = view.wall(next.at);
    let ahead = next.at.as_second() - view.now.as_second();
    let relative = match ahead {
        0.. => time::relative(next.at, view.now),
        _ => format!("{} late", units::span(ahead)),
    };
    let why = unusual(next).map(|why| format!(" ({why})")).unwrap_or_default();
    format!("{when}, {relative}{why}")
}

/// The newest of any origin, and the newest automatic one apart where that is another.
fn newest(resource: &Resource, view: &View) -> String {
    let automatic = newest_automatic(resource, view);
    let newest = match by_hand(resource) {
        Some(newest) => {
            let age = view.now.as_second() - newest.taken_at.as_second();
            let (when, age) = (view.wall(newest.taken_at), units::span(age));
            let origin = if newest.origin == Origin::Manual { "by hand" } else { "copied" };
            format!("{} {origin}, {when}, {age} ago; automatic: {automatic}", newest.snapshot)
        }
        None => automatic,
    };
    format!("{newest}; {}", counts(&resource.counts))
}

fn newest_automatic(resource: &Resource, view: &View) -> String {
    if let Some(at) = resource.newest_complete.filter(|at| is_ahead(*at, view)) {
        return format!("{}, which the clock has not reached yet", view.wall(at));
    }
    match (resource.newest_complete, resource.newest_complete_age_seconds) {
        (Some(at), Some(age)) => format!("{}, {} ago", view.wall(at), units::span(age)),
        (Some(at), None) => view.wall(at),
        (None, _) => "none yet".into(),
    }
}

fn counts(counts: &Counts) -> String {
    let mut text = format!("{} automatic, {} manual", counts.automatic, counts.manual);
    if counts.trashed > 0 {
        text.push_str(&format!(", {} in the trash", counts.trashed));
    }
    text
}

fn busy(running: &Operation, queued: u64, view: &View) -> String {
    let mut text = super::title(running);
    if let Some(progress) = super::progress(running) {
        text.push_str(&format!(", {progress}"));
    }
    if let Some(started) = running.started {
        let since = view.now.as_second() - started.as_second();
        text.push_str(&format!(", for {}", units::span(since)));
    }
    if queued > 0 {
        text.push_str(&format!("; {queued} waiting"));
    }
    text
}

pub(super) fn alarms(alarms: &[Alarm], indent: usize, page: &mut Page) {
    for alarm in alarms {
        let lead = Span::new(Tone::Bad, format!("{:indent$}! ", ""));
        page.hang(lead, &Span::new(Tone::Bad, &alarm.sentence));
        if !alarm.hint.is_empty() {
            page.prose(indent + 2, &Span::plain(&alarm.hint));
        }
    }
}
