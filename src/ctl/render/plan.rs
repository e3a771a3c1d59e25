//! Plans and blueprints.

use super::View;
use super::page::{Page, Span};
use super::table::{Align, Table};
use crate::api::wire::{Blueprints, Plans};

pub fn plans(answer: &Plans, view: &View) -> Page {
    use Align::{Left, Right};
    let mut page = view.page();
    if answer.plans.is_empty() {
        let way = "no plans; declare one in a table [plan.NAME] of the configuration";
        page.prose(0, &Span::plain(way));
        return page;
    }
    let heads =
        [("PLAN", Left), ("VCPUS", Right), ("MEMORY", Right), ("DISK", Right), ("PRICE", Left)];
    let mut table = Table::new(heads);
    for offer in &answer.plans {
        let plan = &offer.plan;
        let price = offer.price.map(|price| format!("{price:.2} {} a month", answer.currency));
        table.row([
            Span::plain(&plan.name),
            Span::plain(plan.vcpus.to_string()),
            Span::plain(plan.memory()),
            Span::plain(plan.disk()),
            Span::plain(price.unwrap_or_else(|| "-".into())),
        ]);
    }
    table.print(&mut page);
    page
}

pub fn blueprints(answer: &Blueprints, view: &View) -> Page {
    let mut page = view.page();
    if answer.blueprints.is_empty() {
        let way = "no blueprints; declare one in a table [blueprint.NAME] of the configuration";
        page.prose(0, &Span::plain(way));
        return page;
    }
    let heads = ["BLUEPRINT", "EXPORT", "DESCRIPTION"].map(|head| (head, Align::Left));
    let mut table = Table::new(heads);
    for blueprint in &answer.blueprints {
        table.row([
            Span::plain(&blueprint.name),
            Span::plain(if blueprint.export { "yes" } else { "no" }),
            Span::plain(blueprint.description.as_deref().unwrap_or_default()),
        ]);
    }
    table.print(&mut page);
    page
}
