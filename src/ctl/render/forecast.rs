//! What will be taken and dropped, without doing it.

use super::page::{Page, Span, Tone};
use super::table::{Align, Table};
use super::{View, units};
use crate::api::wire::{Forecast, Forecasts, Take, Why};

pub fn forecasts(forecasts: &Forecasts, view: &View) -> Page {
    let view = view.at(forecasts.now);
    let mut page = view.page();
    if forecasts.forecasts.is_empty() {
        page.prose(0, &Span::plain("no resource is configured"));
    }
    for forecast in &forecasts.forecasts {
        page.gap();
        one(forecast, forecasts.days, &view, &mut page);
    }
    page
}

fn one(forecast: &Forecast, days: u32, view: &View, page: &mut Page) {
    let days = units::count(u64::from(days), "day");
    let title = format!("the next {days}, if all goes well");
    page.title(Span::strong(&forecast.resource), Span::plain(title));
    if let Some(idle) = &forecast.idle {
        page.prose(2, &Span::plain(format!("nothing is taken: {idle}")));
    }
    if let Some(waits) = &forecast.waits {
        page.prose(2, &Span::new(Tone::Warn, format!("nothing is dropped: {waits}")));
    }
    if !forecast.takes.is_empty() || !forecast.owed.is_empty() {
        takes(forecast, view, page);
    }
    if forecast.cut_short {
        page.prose(2, &Span::plain("and more; ask for fewer --days to see each"));
    }
    stays(forecast, page);
}

fn takes(forecast: &Forecast, view: &View, page: &mut Page) {
    let heads = [&view.timed("WHEN"), "WHAT", "SNAPSHOT", "WHY"];
    let mut table = Table::new(heads.map(|head| (head, Align::Left)));
    for drop in &forecast.owed {
        table.row([
            Span::plain("within the hour"),
            Span::new(Tone::Warn, "drop"),
            Span::plain(&drop.snapshot),
            Span::plain(format!("{}, paid for already", drop.reason)),
        ]);
    }
    for take in &forecast.takes {
        table.row([
            Span::plain(view.cell(take.at)),
            Span::new(Tone::Good, "take"),
            Span::plain(&take.snapshot),
            Span::plain(why(take)),
        ]);
        for drop in &take.drops {
            let cells = [Span::plain(""), Span::new(Tone::Warn, "drop")];
            let rest = [Span::plain(&drop.snapshot), Span::plain(&drop.reason)];
            table.row(cells.into_iter().chain(rest));
        }
    }
    table.print(page);
}

fn why(take: &Take) -> &'static str {
    match take.why {
        Why::Scheduled => "",
        Why::CatchUp => "catches up",
        Why::Retry => "tried again",
        Why::Running => "is being taken",
    }
}

fn stays(forecast: &Forecast, page: &mut Page) {
    page.gap();
    let number = forecast.stays.len() as u64;
    let title = format!("{} at the end", units::count(number, "snapshot"));
    page.title(Span::strong(&forecast.resource), Span::plain(title));
    if forecast.stays.is_empty() {
        return;
    }
    let heads = ["SNAPSHOT", "WHY IT STAYS"].map(|head| (head, Align::Left));
    let mut table = Table::new(heads);
    for hold in &forecast.stays {
        let reason = match hold.exists {
            true => hold.reason.clone(),
            false => format!("{}, still to be taken", hold.reason),
        };
        table.row([Span::plain(&hold.snapshot), Span::plain(reason)]);
    }
    table.print(page);
}
