//! Snapshots: the list, one in full, and what a deletion takes away.

use super::page::{Page, Span, Tone};
use super::table::{Align, Table};
use super::time::{self, Zones};
use super::{View, resource, units};
use crate::api::wire::{Fate, Origin, Snapshot, SnapshotState};

/// Grouped by resource, in the order of the answer.
pub fn snapshots(snapshots: &[Snapshot], zones: &Zones, view: &View) -> Page {
    let mut page = view.page();
    if snapshots.is_empty() {
        page.prose(0, &Span::plain("no snapshots"));
        return page;
    }
    let mut table = table();
    let mut group = None;
    for snapshot in snapshots {
        if group != Some(&snapshot.resource) {
            table.section(Span::strong(&snapshot.resource));
            group = Some(&snapshot.resource);
        }
        row(snapshot, zones, &mut table);
    }
    table.print(&mut page);
    page
}

/// The rows of what will go.
pub fn gone(snapshots: &[Snapshot], zones: &Zones, view: &View) -> Page {
    let mut page = view.page();
    let mut table = table();
    snapshots.iter().for_each(|snapshot| row(snapshot, zones, &mut table));
    table.print(&mut page);
    page
}

fn table() -> Table {
    let heads = ["SNAPSHOT", "TAKEN", "SIZE", "STATE", "NOTE"];
    let aligns = [Align::Left, Align::Left, Align::Right, Align::Left, Align::Left];
    Table::new(&heads.into_iter().zip(aligns).collect::<Vec<_>>())
}

fn row(snapshot: &Snapshot, zones: &Zones, table: &mut Table) {
    let (tone, state) = state(snapshot);
    table.row([
        Span::plain(&snapshot.label),
        Span::plain(time::wall(snapshot.taken_at, &zones.of(&snapshot.resource))),
        Span::plain(snapshot.stored_bytes.map(units::size).unwrap_or_else(|| "-".into())),
        Span::new(tone, state),
        Span::plain(note(snapshot, proven(snapshot, zones))),
    ]);
}

fn state(snapshot: &Snapshot) -> (Tone, &'static str) {
    match (snapshot.fate, snapshot.state) {
        (Fate::Trashed, _) => (Tone::Dim, "in trash"),
        (Fate::Doomed, _) => (Tone::Dim, "going"),
        (Fate::Live, SnapshotState::Taking) => (Tone::Strong, "taking"),
        (Fate::Live, SnapshotState::Complete) => (Tone::Good, "complete"),
        (Fate::Live, SnapshotState::Suspect) => (Tone::Warn, "suspect"),
        (Fate::Live, SnapshotState::Missing) => (Tone::Bad, "missing"),
        (Fate::Live, SnapshotState::Tampered) => (Tone::Bad, "tampered"),
    }
}

/// Why it is as it is, and what becomes of it.
fn note(snapshot: &Snapshot, proven: Option<String>) -> String {
    let mut parts = Vec::new();
    parts.extend(snapshot.rotation.clone());
    parts.extend(proven);
    parts.extend(snapshot.reason.clone());
    parts.extend(left(snapshot));
    if !snapshot.kept_as.is_empty() {
        parts.push(format!("kept as {}", snapshot.kept_as.join(", ")));
    }
    parts.extend(snapshot.kept_from.as_ref().map(|from| format!("kept from {from}")));
    parts.extend(snapshot.notes.iter().cloned());
    parts.join("; ")
}

fn proven(snapshot: &Snapshot, zones: &Zones) -> Option<String> {
    let at = snapshot.proven_at?;
    Some(format!("proven at {}", time::wall(at, &zones.of(&snapshot.resource))))
}

fn left(snapshot: &Snapshot) -> Option<String> {
    let seconds = snapshot.trash_seconds_left?;
    Some(format!("goes after {} more of heptad running", units::span(seconds)))
}

/// One snapshot in full.
pub fn snapshot(snapshot: &Snapshot, zones: &Zones, view: &View) -> Page {
    let zone = zones.of(&snapshot.resource);
    let mut page = view.page();
    let origin = match snapshot.origin {
        Origin::Automatic => "automatic",
        Origin::Manual => "manual",
        Origin::Copied => "copied",
    };
    let what = format!("  {origin} snapshot of {}", snapshot.resource);
    page.line([Span::strong(&snapshot.label), Span::plain(what)]);
    page.field("kind", &Span::plain(kind(snapshot)));
    resource::origin(snapshot.plan.as_ref(), snapshot.blueprint.as_ref(), &mut page);
    let version = snapshot.engine_version.as_ref();
    resource::engine(snapshot.engine.as_ref(), version, &mut page);
    let (tone, state) = state(snapshot);
    page.field("state", &Span::new(tone, state));
    let age = units::span(snapshot.age_seconds);
    let taken = format!("{}, {age} ago", time::wall_seconds(snapshot.taken_at, &zone));
    page.field("taken", &Span::plain(taken));
    if let Some(slot) = &snapshot.slot {
        page.field("slot", &Span::plain(slot));
    }
    page.field("size", &Span::plain(sizes(snapshot)));
    let proof = proven(snapshot, zones).zip(snapshot.proven_by.as_ref());
    if let Some((proven, by)) = proof {
        page.field("proof", &Span::plain(format!("{proven}: {by}")));
    }
    let note = note(snapshot, None);
    if !note.is_empty() {
        page.field("note", &Span::plain(note));
    }
    resource::tags(&snapshot.tags, &mut page);
    page.field("id", &Span::plain(format!("{}, number {}", snapshot.id, snapshot.seq)));
    page
}

/// What is made from it.
fn kind(snapshot: &Snapshot) -> String {
    match snapshot.part.as_str() {
        "system-disk" => format!("{}, the system disk of {}", snapshot.kind, snapshot.resource),
        _ => snapshot.kind.clone(),
    }
}

fn sizes(snapshot: &Snapshot) -> String {
    let mut parts = Vec::new();
    parts.extend(snapshot.content_bytes.map(|bytes| format!("{} of content", units::size(bytes))));
    parts.extend(snapshot.stored_bytes.map(|bytes| format!("{} stored", units::size(bytes))));
    let alone = snapshot.exclusive_bytes;
    parts.extend(alone.map(|bytes| format!("{} of it here alone", units::size(bytes))));
    let entries = snapshot.entries;
    parts.extend(entries.map(|entries| match entries {
        1 => "1 entry".into(),
        _ => format!("{entries} entries"),
    }));
    if parts.is_empty() { "not known".into() } else { parts.join(", ") }
}
