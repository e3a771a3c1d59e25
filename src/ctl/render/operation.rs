//! Operations: what is going on and how it ended.

use super::page::{Page, Span, Tone};
use super::table::{Align, Table};
use super::{View, units};
use crate::api::wire::{Operation, OperationState};

pub use crate::api::telling::{ending, title};

/// With whatever else is known: `keep last-good-one (from www@2026-11-20)`.
fn full_title(operation: &Operation) -> String {
    match (operation.act.as_str(), &operation.snapshot, &operation.detail) {
        ("create", ..) | (_, None, _) | (.., None) => title(operation),
        (_, Some(_), Some(detail)) => format!("{} ({detail})", title(operation)),
    }
}

/// `1.5 GiB of 3.0 GiB (50 %)`.
pub(super) fn progress(operation: &Operation) -> Option<String> {
    let progress = operation.progress.as_ref()?;
    let done = units::size(progress.done_bytes);
    Some(match progress.total_bytes {
        // What was guessed too small says nothing.
        Some(total @ 1..) if progress.done_bytes <= total => {
            let percent = u128::from(progress.done_bytes) * 100 / u128::from(total);
            format!("{done} of {} ({} %)", units::size(total), percent.min(100))
        }
        _ => done,
    })
}

/// The same for who waits: `1.5 GiB of 3.0 GiB (50 %), 120 MiB/s, 13 s left`.
pub fn pace(operation: &Operation) -> Option<String> {
    let mut text = progress(operation)?;
    let progress = operation.progress.as_ref()?;
    if let Some(rate @ 1..) = progress.bytes_per_second {
        text.push_str(&format!(", {}/s", units::size(rate)));
    }
    if let Some(left @ 1..) = progress.seconds_left {
        let left = units::span(i64::try_from(left).unwrap_or(i64::MAX));
        text.push_str(&format!(", {left} left"));
    }
    Some(text)
}

pub fn state_word(it: OperationState) -> &'static str {
    state(it).1
}

pub(super) fn state(state: OperationState) -> (Tone, &'static str) {
    match state {
        OperationState::Queued => (Tone::Dim, "queued"),
        OperationState::Running => (Tone::Strong, "running"),
        OperationState::Succeeded => (Tone::Good, "succeeded"),
        OperationState::Failed => (Tone::Bad, "failed"),
    }
}

pub fn operations(operations: &[Operation], view: &View) -> Page {
    let mut page = view.page();
    if operations.is_empty() {
        page.prose(0, &Span::plain("no operations"));
        return page;
    }
    let heads = ["ID", &view.timed("WHEN"), "RESOURCE", "STATE", "WHAT"];
    let aligns = [Align::Right, Align::Left, Align::Left, Align::Left, Align::Left];
    let mut table = Table::new(heads.into_iter().zip(aligns)).in_short();
    for operation in operations {
        let (tone, state) = state(operation.state);
        let failure = operation.failure.as_ref();
        let failure = failure.map(|f| format!(": {}", f.message)).unwrap_or_default();
        let going = progress(operation).map(|text| format!(", {text}")).unwrap_or_default();
        let when = operation.started.unwrap_or(operation.created);
        table.row([
            Span::plain(operation.id.to_string()),
            Span::plain(view.cell(when)),
            Span::plain(&operation.resource),
            Span::new(tone, state),
            Span::plain(format!("{}{going}{failure}", full_title(operation))),
        ]);
    }
    table.print(&mut page);
    page
}

pub fn operation(operation: &Operation, view: &View) -> Page {
    let mut page = view.page();
    let heading = format!("operation {}", operation.id);
    let what = format!("{} of {}", title(operation), operation.resource);
    page.title(Span::strong(heading), Span::plain(what));
    let (tone, state) = state(operation.state);
    page.field("state", &Span::new(tone, state));
    page.field("cause", &Span::plain(cause(operation)));
    page.field("created", &Span::plain(view.wall_seconds(operation.created)));
    if let Some(started) = operation.started {
        page.field("started", &Span::plain(view.wall_seconds(started)));
    }
    if let Some(finished) = operation.finished {
        page.field("finished", &Span::plain(view.wall_seconds(finished)));
    }
    if let Some(detail) = &operation.detail {
        page.field("detail", &Span::plain(detail));
    }
    if let Some(uid) = operation.cancel_asked_by {
        page.field("cancel", &Span::plain(format!("asked by user {uid}")));
    }
    if operation.tries > 1 {
        page.field("begun", &Span::plain(format!("{} times", operation.tries)));
    }
    if let Some(progress) = pace(operation) {
        page.field("progress", &Span::plain(progress));
    }
    troubles(operation, &mut page);
    page
}

fn cause(operation: &Operation) -> String {
    match (operation.cause.as_str(), operation.uid) {
        ("peer", Some(0)) => "root asked for it".into(),
        ("peer", Some(uid)) => format!("user {uid} asked for it"),
        ("schedule", _) => "it was due".into(),
        ("catch-up", _) => "it was due while heptad did not run".into(),
        ("retry", _) => "the try before failed".into(),
        ("rotation", _) => "it was beyond what is kept".into(),
        ("recovery", _) => "heptad looks at what there is, as after each start".into(),
        ("configuration", _) => "the configuration was changed".into(),
        ("trash", _) => "its time in the trash was over".into(),
        (other, _) => other.into(),
    }
}

/// Why it failed, and what hooks and backend printed.
pub fn troubles(operation: &Operation, page: &mut Page) {
    if let Some(failure) = &operation.failure {
        page.field("failure", &Span::new(Tone::Bad, &failure.message));
    }
    for (number, line) in operation.output.lines().enumerate() {
        page.field(if number == 0 { "output" } else { "" }, &Span::plain(line));
    }
}
