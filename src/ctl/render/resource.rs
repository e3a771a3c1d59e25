//! One resource with all that is known of it.

use super::page::{Page, Span, Tone};
use super::table::{Align, Table};
use super::{View, marks, slot, status, tags, units};
use crate::api::wire::{AttachedDisk, AttachedTo, Plan, ResourceDetail, Retention, Slot};

/// How many slots are listed; `--json` has them all.
const SLOTS: usize = 14;

pub fn detail(detail: &ResourceDetail, view: &View) -> Page {
    let resource = &detail.resource;
    let view = &view.at(detail.now);
    let mut page = view.page();
    status::block(resource, view, &mut page);
    origin(resource.plan.as_ref(), resource.blueprint.as_ref(), &mut page);
    engine(resource.engine.as_ref(), resource.engine_version.as_ref(), &mut page);
    disks(resource.size_bytes, &resource.attached_disks, &mut page);
    attached_to(&resource.attached_to, &mut page);
    page.field("keeps", &Span::plain(retention(&resource.retention)));
    tags::of_resource(resource, &mut page);
    let mut field = |label: &str, tone, value: &Option<String>| {
        if let Some(value) = value {
            page.field(label, &Span::new(tone, value));
        }
    };
    field("identity", Tone::Plain, &detail.identity);
    field("seen now", Tone::Bad, &detail.stranger);
    field("trouble", Tone::Bad, &detail.trouble);
    field("doubt", Tone::Warn, &detail.doubt);
    if let Some(at) = resource.newest_proof {
        let proven = format!("a snapshot at {}", view.wall(at));
        page.field("proven", &Span::plain(proven));
    }
    if resource.enrolled {
        let name = &resource.name;
        let way = format!("by a command; `heptactl forget {name}` ends it");
        page.field("declared", &Span::plain(way));
    }
    page.field("known", &Span::plain(format!("since {}", view.wall(detail.since))));
    history(&detail.slots, view, &mut page);
    page
}

fn retention(keeps: &Retention) -> String {
    let tiers = [
        (keeps.latest, "latest"),
        (keeps.weekly, "weekly"),
        (keeps.monthly, "monthly"),
        (keeps.yearly, "yearly"),
    ];
    let set = tiers.iter().filter(|(count, _)| *count > 0);
    set.map(|(count, tier)| format!("{count} {tier}")).collect::<Vec<_>>().join(", ")
}

/// What it is, beside its kind.
pub(super) fn origin(plan: Option<&Plan>, blueprint: Option<&String>, page: &mut Page) {
    if let Some(plan) = plan {
        page.field("plan", &Span::plain(plan.to_string()));
    }
    if let Some(blueprint) = blueprint {
        page.field("blueprint", &Span::plain(blueprint));
    }
}

/// How large it is, and which disks it has beside.
pub(super) fn disks(size: Option<u64>, attached: &[AttachedDisk], page: &mut Page) {
    if let Some(size) = size {
        page.field("disk", &Span::plain(units::size(size)));
    }
    let disk = |disk: &AttachedDisk| {
        let resource = disk.resource.as_ref().map(|name| format!(" ({name})"));
        format!("{}{} {}", disk.name, resource.unwrap_or_default(), units::size(disk.size_bytes))
    };
    if !attached.is_empty() {
        let attached: Vec<String> = attached.iter().map(disk).collect();
        page.field("attached", &Span::plain(attached.join(", ")));
    }
}

/// Which instance has the disk.
fn attached_to(instances: &[AttachedTo], page: &mut Page) {
    if instances.is_empty() {
        return;
    }
    let one = |at: &AttachedTo| format!("{} as {}", at.instance, at.name);
    let all: Vec<String> = instances.iter().map(one).collect();
    page.field("attached", &Span::plain(format!("to {}", all.join(", "))));
}

/// What a database is of.
pub(super) fn engine(name: Option<&String>, version: Option<&String>, page: &mut Page) {
    if let Some((name, version)) = name.zip(version) {
        page.field("engine", &Span::plain(format!("{name} {version}")));
    }
}

fn history(slots: &[Slot], view: &View, page: &mut Page) {
    if slots.is_empty() {
        return;
    }
    page.gap();
    let heads = ["SLOT", "OUTCOME", &view.timed("STARTED"), "TRIES", "REASON"];
    let aligns = [Align::Left, Align::Left, Align::Left, Align::Right, Align::Left];
    let mut table = Table::new(heads.into_iter().zip(aligns));
    for slot in slots.iter().take(SLOTS) {
        table.row([
            Span::plain(&slot.slot),
            Span::new(marks::tone(slot.mark), slot::outcome(slot)),
            Span::plain(slot.started.map(|at| view.cell(at)).unwrap_or_default()),
            Span::plain(slot.attempts.to_string()),
            Span::plain(reason(slot)),
        ]);
    }
    table.print(page);
}

fn reason(slot: &Slot) -> String {
    let late = slot.late_seconds.filter(|late| *late >= 60);
    let late = late.map(|late| format!("{} late", units::span(late)));
    let parts = [slot.reason.clone(), late];
    parts.into_iter().flatten().collect::<Vec<_>>().join("; ")
}
