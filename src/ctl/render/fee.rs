//! What snapshots occupy and cost.

use super::page::{Page, Span, Tone};
use super::table::{Align, Table};
use super::{View, units};
use crate::api::wire::{Charge, Fees, Measured, ResourceFee};

/// A table of resources; with `each`, the snapshots of each too.
pub fn fees(fees: &Fees, each: bool, view: &View) -> Page {
    let mut page = view.at(fees.now).page();
    let title = format!("  {} {} per GB-month", fees.price, fees.currency);
    page.line([Span::strong(&fees.month), Span::plain(title)]);
    if fees.resources.is_empty() {
        page.prose(2, &Span::plain("nothing was held"));
        return page;
    }
    resources(fees, &mut page);
    for resource in fees.resources.iter().filter(|one| each && !one.snapshots.is_empty()) {
        page.gap();
        snapshots(resource, &mut page);
    }
    page.gap();
    remarks(fees, &mut page);
    page
}

fn resources(fees: &Fees, page: &mut Page) {
    use Align::{Left, Right};
    let heads = [
        ("RESOURCE", Left),
        ("SNAPSHOTS", Right),
        ("STORED", Right),
        ("EXCLUSIVE", Right),
        ("GB-MONTHS", Right),
        ("COST", Right),
        ("FORECAST", Left),
    ];
    let mut table = Table::new(&heads);
    for one in &fees.resources {
        let count = match fees.forecast {
            Some(_) => one.snapshots.len().to_string(),
            None => "-".into(),
        };
        let sizes = [one.stored_bytes, one.exclusive_bytes].map(size);
        let row = [one.resource.clone(), count].into_iter().chain(sizes);
        table.row(row.chain(amounts(one.so_far, one.forecast)).map(Span::plain));
    }
    if fees.resources.len() > 1 {
        let row = ["total", "", "", ""].map(String::from).into_iter();
        table.row(row.chain(amounts(fees.so_far, fees.forecast)).map(Span::strong));
    }
    table.print(page);
}

fn amounts(so_far: Charge, forecast: Option<Charge>) -> [String; 3] {
    let ahead = forecast.map_or("-".into(), |charge| money(charge.cost));
    [format!("{:.3}", so_far.gb_months), money(so_far.cost), ahead]
}

/// Two decimals; what is less than half of the last one is not shown as nothing.
fn money(amount: f64) -> String {
    match amount {
        0.0 => "0.00".into(),
        _ if amount < 0.005 => "<0.01".into(),
        _ => format!("{amount:.2}"),
    }
}

fn size(bytes: Option<u64>) -> String {
    bytes.map_or("-".into(), units::size)
}

fn snapshots(resource: &ResourceFee, page: &mut Page) {
    use Align::{Left, Right};
    let heads = [
        ("SNAPSHOT", Left),
        ("STORED", Right),
        ("EXCLUSIVE", Right),
        ("BILLED", Right),
        ("MEASURED", Left),
    ];
    let mut table = Table::new(&heads);
    for one in &resource.snapshots {
        let sizes = [one.stored_bytes, one.exclusive_bytes, Some(one.billed_bytes)].map(size);
        let row = std::iter::once(one.snapshot.clone()).chain(sizes);
        table.row(row.chain([word(one.measured).to_owned()]).map(Span::plain));
    }
    table.print(page);
}

fn word(measured: Measured) -> &'static str {
    match measured {
        Measured::Exclusive => "exclusive",
        Measured::Logical => "logical",
        Measured::Mixed => "mixed",
        Measured::Unmeasured => "not measured",
    }
}

/// What is not as a reader would take it to be.
fn remarks(fees: &Fees, page: &mut Page) {
    for one in &fees.resources {
        let name = &one.resource;
        if !one.known {
            page.prose(0, &Span::plain(format!("{name} is gone; it is billed for what it held")));
        }
        let said = match one.measured {
            Some(Measured::Logical) => {
                Some("by logical size: its backend does not tell what is exclusive")
            }
            Some(Measured::Mixed) => Some("by exclusive bytes where they are known, else by size"),
            _ => None,
        };
        if let Some(how) = said {
            page.prose(0, &Span::plain(format!("{name} is billed {how}")));
        }
        if one.unmeasured > 0 {
            let which = units::count(one.unmeasured, "snapshot");
            let text = format!("{name}: no size is known of {which}, billed as nothing");
            page.prose(0, &Span::new(Tone::Warn, text));
        }
    }
    let unit = "a GB-month is 10^9 bytes for 730 hours that heptad runs; exclusive bytes are what \
                would become free if just that snapshot went: what several share is in none of \
                them, so the fee is the least that they take up";
    page.prose(0, &Span::dim(unit));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn money_has_two_decimals_and_a_little_is_not_nothing() {
        let check = |amount, want: &str| assert_eq!(money(amount), want, "{amount}");
        check(0.0, "0.00");
        check(0.000_001, "<0.01");
        check(0.005, "0.01");
        check(1.4, "1.40");
        check(123_456.789, "123456.79");
    }
}
