//! Live events: from what changed, the lines that say something new.

use super::page::{Page, Span, Tone};
use super::{View, operation, status};
use crate::api::wire::{Changes, Operation, OperationState, Resource};
use std::collections::{BTreeMap, BTreeSet};

/// How many operations are remembered, so that a long watch does not grow.
const REMEMBERED: usize = 4096;

/// What was shown already.
#[derive(Clone, Debug, Default)]
pub struct Watched {
    states: BTreeMap<u64, OperationState>,
    alarms: BTreeMap<String, BTreeSet<String>>,
}

impl Watched {
    /// Begins with the resources as they are: only what changes from now on is told.
    pub fn new(resources: &[Resource]) -> Self {
        let mut watched = Self::default();
        for resource in resources {
            watched.alarms.insert(resource.name.clone(), codes(resource));
        }
        watched
    }

    /// The lines for these changes; empty if they say nothing new.
    pub fn tell(&mut self, changes: &Changes, view: &View) -> Page {
        let mut page = view.page();
        for operation in &changes.operations {
            // The whole state, not news: what ended before is not told again.
            let told = changes.whole && !operation.state.is_open();
            self.operation(operation, told, view, &mut page);
        }
        changes.resources.iter().for_each(|resource| self.resource(resource, view, &mut page));
        for name in &changes.gone {
            self.alarms.remove(name);
            page.line([stamp(view), Span::strong(name), Span::plain(" is no longer known")]);
        }
        page
    }

    fn operation(&mut self, change: &Operation, told: bool, view: &View, page: &mut Page) {
        let known = self.states.insert(change.id, change.state);
        while self.states.len() > REMEMBERED {
            self.states.pop_first();
        }
        if told || known == Some(change.state) {
            return;
        }
        let (tone, word) = operation::state(change.state);
        page.line([
            stamp(view),
            Span::strong(&change.resource),
            Span::plain(format!("  {} ", operation::title(change))),
            Span::new(tone, word),
        ]);
        if let Some(failure) = &change.failure {
            page.prose(4, &Span::plain(&failure.message));
        }
    }

    fn resource(&mut self, resource: &Resource, view: &View, page: &mut Page) {
        let now = codes(resource);
        let before = self.alarms.insert(resource.name.clone(), now.clone()).unwrap_or_default();
        let name = Span::strong(&resource.name);
        for alarm in resource.alarms.iter().filter(|alarm| !before.contains(&alarm.code)) {
            page.line([stamp(view), name.clone(), Span::plain("  in alarm")]);
            status::alarms(std::slice::from_ref(alarm), 2, page);
        }
        for over in before.difference(&now) {
            let text = format!("  no longer in alarm: {over}");
            page.line([stamp(view), name.clone(), Span::new(Tone::Good, text)]);
        }
    }
}

fn stamp(view: &View) -> Span {
    Span::dim(view.wall_seconds(view.now) + "  ")
}

fn codes(resource: &Resource) -> BTreeSet<String> {
    resource.alarms.iter().map(|alarm| alarm.code.clone()).collect()
}
