//! What snapshots occupy and cost.

use super::page::{Page, Span, Tone};
use super::table::{Align, Table};
use super::{View, units};
use crate::api::wire::{Charge, Fees, Measured, ResourceFee};

/// A table of resources; with `each`, the snapshots of each too.
pub fn fees(fees: &Fees, each: bool, view: &View) -> Page {
    let mut page = view.at(fees.now).page();
    let title = format!("{} {} per GB-month", fees.price, fees.currency);
    page.title(Span::strong(&fees.month), Span::plain(title));
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
        ("STORED", Right),
        ("EXCLUSIVE", Right),
        ("OCCUPIED", Right),
        ("MEASURED", Left),
        ("GB-MONTHS", Right),
        ("COST", Right),
        ("FORECAST", Left),
    ];
    let mut table = Table::new(heads);
    for one in &fees.resources {
        let occupied = one.billed_bytes.or(one.occupied_bytes);
        let occupied = occupied.filter(|_| one.measured != Some(Measured::Unmeasured));
        let sizes = [one.stored_bytes, one.exclusive_bytes, occupied].map(size);
        let row = std::iter::once(one.resource.clone()).chain(sizes);
        let row = row.chain([one.measured.map_or("-", word).to_owned()]);
        table.row(row.chain(amounts(one.so_far, one.forecast)).map(Span::plain));
    }
    if fees.resources.len() > 1 {
        let row = ["total", "", "", "", ""].map(String::from).into_iter();
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
    let mut table = Table::new([("SNAPSHOT", Left), ("STORED", Right), ("EXCLUSIVE", Right)]);
    for one in &resource.snapshots {
        let sizes = [one.stored_bytes, one.exclusive_bytes].map(size);
        table.row(std::iter::once(one.snapshot.clone()).chain(sizes).map(Span::plain));
    }
    table.print(page);
}

fn word(measured: Measured) -> &'static str {
    match measured {
        Measured::Exact => "exact",
        Measured::Outdated => "outdated",
        Measured::AtLeast => "at least",
        Measured::Exclusive => "exclusive",
        Measured::Logical => "logical",
        Measured::Mixed => "mixed",
        Measured::Unmeasured => "unknown",
    }
}

/// What is not as a reader would take it to be.
fn remarks(fees: &Fees, page: &mut Page) {
    for one in &fees.resources {
        let name = &one.resource;
        if !one.known {
            page.prose(0, &Span::plain(format!("{name} is gone; it is billed for what it held")));
        }
        if let Some(what) = one.measured.and_then(remark) {
            page.prose(0, &Span::plain(format!("{name}: {what}")));
        }
        if one.unmeasured > 0 {
            let which = units::count(one.unmeasured, "snapshot");
            let text = format!("{name}: no size is known of {which}, billed as nothing");
            page.prose(0, &Span::new(Tone::Warn, text));
        }
    }
    let unit = "a GB-month is 10^9 bytes for 730 hours that heptad runs; occupied is what would \
                become free if all snapshots of the resource went, and is billed; exclusive bytes \
                would if just that one did: what several share is in none of them";
    page.prose(0, &Span::dim(unit));
}

/// How a figure is to be taken, where not as it stands.
fn remark(measured: Measured) -> Option<&'static str> {
    match measured {
        Measured::Exact | Measured::Exclusive | Measured::Unmeasured => None,
        Measured::Outdated => {
            Some("snapshots came or went since; it is measured anew within six hours")
        }
        Measured::AtLeast => Some("at least so much is occupied, and maybe more"),
        Measured::Logical => Some("billed by logical size; its backend tells nothing better"),
        Measured::Mixed => Some("billed by exclusive bytes where they are known, else by size"),
    }
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
