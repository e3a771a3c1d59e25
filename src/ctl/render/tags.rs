//! Tags, in a field of a page and as the answer to a change of them.

use super::View;
use super::page::{Page, Span};
use crate::api::wire::{Resource, Snapshot, Tags};

/// `team=web, why=upgrade`; a key alone where the value is empty.
fn list(tags: &Tags) -> String {
    let pair = |(key, value): (&String, &String)| match value.is_empty() {
        true => key.clone(),
        false => format!("{key}={value}"),
    };
    tags.iter().map(pair).collect::<Vec<_>>().join(", ")
}

fn or_none(tags: &Tags) -> String {
    if tags.is_empty() { "none".into() } else { list(tags) }
}

pub(super) fn of_snapshot(snapshot: &Snapshot, page: &mut Page) {
    if !snapshot.tags.is_empty() {
        page.field("tags", &Span::plain(list(&snapshot.tags)));
    }
}

/// Those of a resource that commands did not change; else they stand in its block already.
pub(super) fn of_resource(resource: &Resource, page: &mut Page) {
    if resource.configured_tags.is_none() && !resource.tags.is_empty() {
        page.field("tags", &Span::plain(list(&resource.tags)));
    }
}

/// Where a command says otherwise than the configuration.
pub(super) fn overridden(resource: &Resource, page: &mut Page) {
    if let Some(configured) = &resource.configured_tags {
        let (now, configured) = (or_none(&resource.tags), or_none(configured));
        let text = format!("{now} (the configuration says {configured})");
        page.field("tags", &Span::plain(text));
    }
}

pub fn tags_of_snapshot(snapshot: &Snapshot, view: &View) -> Page {
    let mut page = view.page();
    page.prose(0, &Span::plain(sentence(&snapshot.label, &snapshot.tags)));
    page
}

pub fn tags_of_resource(resource: &Resource, view: &View) -> Page {
    let mut page = view.page();
    let name = &resource.name;
    page.prose(0, &Span::plain(sentence(name, &resource.tags)));
    if let Some(configured) = &resource.configured_tags {
        let configured = or_none(configured);
        let note =
            format!("the configuration says {configured}; `heptactl reset {name}` goes back to it");
        page.prose(0, &Span::dim(note));
    }
    page
}

fn sentence(of: &str, tags: &Tags) -> String {
    match tags.is_empty() {
        true => format!("{of}: has no tags now"),
        false => format!("{of}: tags are now {}", list(tags)),
    }
}
