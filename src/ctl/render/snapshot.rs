//! Snapshots: the list, one in full, and what a deletion takes away.

use super::page::{Page, Span, Tone};
use super::table::{Align, Table};
use super::{View, resource, tags, units};
use crate::api::wire::{Fate, Origin, Snapshot, SnapshotState};

/// A note that is no longer than this, without its reasons, has room in a list; `show` has all.
const GIST: usize = 16;

/// Grouped by resource, in the order of the answer.
pub fn snapshots(snapshots: &[Snapshot], view: &View) -> Page {
    let mut page = view.page();
    if snapshots.is_empty() {
        page.prose(0, &Span::plain("no snapshots"));
        return page;
    }
    let mut table = table(view);
    let mut group = None;
    for snapshot in snapshots {
        if group != Some(&snapshot.resource) {
            table.section(Span::strong(&snapshot.resource));
            group = Some(&snapshot.resource);
        }
        row(snapshot, view, &mut table);
    }
    table.print(&mut page);
    page
}

/// The rows of what will go.
pub fn gone(snapshots: &[Snapshot], view: &View) -> Page {
    let mut page = view.page();
    let mut table = table(view);
    snapshots.iter().for_each(|snapshot| row(snapshot, view, &mut table));
    table.print(&mut page);
    page
}

fn table(view: &View) -> Table {
    let heads = ["SNAPSHOT", &view.timed("TAKEN"), "SIZE", "STATE", "NOTE"];
    let aligns = [Align::Left, Align::Left, Align::Right, Align::Left, Align::Left];
    Table::new(heads.into_iter().zip(aligns)).in_short()
}

fn row(snapshot: &Snapshot, view: &View, table: &mut Table) {
    let (tone, state) = state(snapshot);
    table.row([
        Span::plain(&snapshot.label),
        Span::plain(view.cell(snapshot.taken_at)),
        Span::plain(snapshot.stored_bytes.map(units::size).unwrap_or_else(|| "-".into())),
        Span::new(tone, state),
        Span::plain(brief(snapshot)),
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
fn standing(snapshot: &Snapshot) -> Vec<String> {
    let mut parts = Vec::new();
    let (_, state) = state(snapshot);
    parts.extend(snapshot.rotation.clone().filter(|rotation| rotation != state));
    parts.extend(snapshot.reason.clone());
    parts.extend(left(snapshot));
    if !snapshot.kept_as.is_empty() {
        parts.push(format!("kept as {}", snapshot.kept_as.join(", ")));
    }
    parts.extend(snapshot.kept_from.as_ref().map(|from| format!("kept from {from}")));
    parts
}

/// For a list: what its backend noted is there only as far as it goes without reasons.
fn brief(snapshot: &Snapshot) -> String {
    let mut parts = standing(snapshot);
    parts.extend(snapshot.proven_at.map(|_| "proven".into()));
    let gist = snapshot.notes.first().map(|note| gist(note));
    parts.extend(gist.filter(|gist| gist.len() <= GIST).map(Into::into));
    parts.join("; ")
}

/// A note up to its first reason.
fn gist(note: &str) -> &str {
    let ends = [", ", ": ", "; ", " ("].iter().filter_map(|end| note.find(end));
    ends.min().map_or(note, |end| &note[..end])
}

fn left(snapshot: &Snapshot) -> Option<String> {
    let seconds = snapshot.trash_seconds_left?;
    Some(format!("goes after {} more of heptad running", units::span(seconds)))
}

/// One snapshot in full.
pub fn snapshot(snapshot: &Snapshot, view: &View) -> Page {
    let mut page = view.page();
    let origin = match snapshot.origin {
        Origin::Automatic => "automatic",
        Origin::Manual => "manual",
        Origin::Copied => "copied",
    };
    let what = format!("{origin} snapshot of {}", snapshot.resource);
    page.title(Span::strong(&snapshot.label), Span::plain(what));
    page.field("kind", &Span::plain(kind(snapshot)));
    resource::origin(snapshot.plan.as_ref(), snapshot.blueprint.as_ref(), &mut page);
    let version = snapshot.engine_version.as_ref();
    resource::engine(snapshot.engine.as_ref(), version, &mut page);
    resource::disks(snapshot.size_bytes, &snapshot.from_attached_disks, &mut page);
    let (tone, state) = state(snapshot);
    page.field("state", &Span::new(tone, state));
    let age = units::span(snapshot.age_seconds);
    let taken = format!("{}, {age} ago", view.wall_seconds(snapshot.taken_at));
    page.field("taken", &Span::plain(taken));
    if let Some(slot) = &snapshot.slot {
        page.field("slot", &Span::plain(slot));
    }
    if let Some(content) = content(snapshot) {
        page.field("content", &Span::plain(content));
    }
    page.field("size", &Span::plain(size(snapshot)));
    if let Some((at, by)) = snapshot.proven_at.zip(snapshot.proven_by.as_ref()) {
        page.field("proven", &Span::plain(format!("{}: {by}", view.wall(at))));
    }
    let standing = standing(snapshot);
    if !standing.is_empty() {
        page.field("standing", &Span::plain(standing.join("; ")));
    }
    for (number, note) in snapshot.notes.iter().enumerate() {
        page.field(if number == 0 { "notes" } else { "" }, &Span::plain(note));
    }
    tags::of_snapshot(snapshot, &mut page);
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

/// What is in it, as whoever looks into it finds it.
fn content(snapshot: &Snapshot) -> Option<String> {
    let mut parts = Vec::new();
    parts.extend(snapshot.content_bytes.map(units::size));
    parts.extend(snapshot.entries.map(|entries| units::count_of(entries, "entry", "entries")));
    (!parts.is_empty()).then(|| parts.join(" in "))
}

/// What it takes up, and what of that would become free if it went.
fn size(snapshot: &Snapshot) -> String {
    let stored = snapshot.stored_bytes.map(|bytes| format!("{} in the store", units::size(bytes)));
    let alone = |bytes| match (bytes, &stored) {
        // A little content takes whole blocks.
        (bytes, Some(_)) if Some(bytes) > snapshot.stored_bytes => {
            format!("{} on the disk, only here", units::size(bytes))
        }
        (0, Some(_)) => "none of it only here".into(),
        (bytes, Some(_)) => format!("{} of it only here", units::size(bytes)),
        (bytes, None) => format!("{} only here", units::size(bytes)),
    };
    let alone = snapshot.exclusive_bytes.map(alone);
    let parts: Vec<String> = stored.iter().cloned().chain(alone).collect();
    if parts.is_empty() { "not known".into() } else { parts.join(", ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_note_in_a_list_ends_before_its_reasons() {
        let check = |note, want| assert_eq!(gist(note), want);
        check("crash-consistent, one disk: the guest agent did not answer (no)", {
            "crash-consistent"
        });
        check("3 files copied (2 new); all else shared", "3 files copied");
        check("no reason at all", "no reason at all");
    }
}
