//! What snapshots occupied, day by day: the history that the fee is made from.

use super::Catalogue;
use super::error::{CatalogueError, Result};
use super::field::{Fields, Table, nanos};
use super::write::{measured, run};
use crate::domain::fee::{self, HISTORY_DAYS, ResourceUsage, UsageDay};
use crate::domain::name::ResourceName;
use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp};
use rusqlite::{Connection, Row, named_params};

static USAGE: Table = Table { name: "usage", key: &["day", "resource"] };

impl Catalogue {
    /// Counts what is held now for all the running time since the last count; the first count only
    /// notes the time. `now` says which UTC days that is, `elapsed` how long: see
    /// [`crate::domain::clock::Reading::elapsed`]. Of the history the newest [`HISTORY_DAYS`] days
    /// with usage stay, whatever the clock says.
    ///
    /// # Errors
    /// As [`Catalogue::record`]; then nothing was counted, and the next count makes up for it.
    pub fn add_usage(
        &mut self,
        now: Timestamp,
        elapsed: SignedDuration,
        held: &[(ResourceName, ResourceUsage)],
    ) -> Result<()> {
        self.change(|transaction| {
            let span = match counted_until(transaction)? {
                Some(until) => elapsed.saturating_sub(until),
                None => SignedDuration::ZERO,
            };
            if span < SignedDuration::ZERO {
                // After a crash the running time may be a few minutes behind what was counted.
                return Ok(());
            }
            for (day, within) in fee::spread(now, span) {
                let there = held.iter().filter(|(_, holding)| holding.snapshots > 0);
                there.into_iter().try_for_each(|(resource, holding)| {
                    put(
                        transaction,
                        day,
                        resource,
                        holding,
                        fee::byte_hours(holding.billed, within),
                    )
                })?;
            }
            let until = named_params! { ":until": nanos(elapsed) };
            run(transaction, "UPDATE host SET usage_until_ns = :until", until)?;
            let days = named_params! { ":days": HISTORY_DAYS };
            run(transaction, DROP_OLD, days).map(drop)
        })
    }

    /// Usage of the days in `[from, until)`, by day and resource; also of resources that are gone.
    pub fn usage(&self, from: Date, until: Date) -> Result<Vec<UsageDay>> {
        let sql = "SELECT * FROM usage WHERE day >= ?1 AND day < ?2 ORDER BY day, resource";
        self.rows("usage", sql, (from.to_string(), until.to_string()), usage_day)
    }
}

fn counted_until(from: &Connection) -> Result<Option<SignedDuration>> {
    let sql = "SELECT usage_until_ns FROM host";
    let until = from.query_row(sql, [], |row| row.get::<_, Option<i64>>(0));
    Ok(until.map_err(CatalogueError::read("host"))?.map(SignedDuration::from_nanos))
}

fn put(
    to: &Connection,
    day: Date,
    resource: &ResourceName,
    holding: &ResourceUsage,
    byte_hours: u64,
) -> Result<()> {
    let values = named_params! {
        ":day": day.to_string(),
        ":resource": resource.as_str(),
        ":byte_hours": measured(Some(byte_hours)),
        ":stored": measured(holding.stored),
        ":exclusive": measured(holding.exclusive),
        ":occupied": measured(holding.occupied.map(|occupied| occupied.bytes)),
    };
    run(to, PUT, values).map(drop)
}

/// The cap keeps a sum from becoming a floating-point number.
const PUT: &str = "
    INSERT INTO usage (day, resource, byte_hours, stored, exclusive, occupied)
    VALUES (:day, :resource, :byte_hours, :stored, :exclusive, :occupied)
    ON CONFLICT (day, resource) DO UPDATE SET
        byte_hours = min(byte_hours, 1 << 60) + excluded.byte_hours,
        stored = excluded.stored, exclusive = excluded.exclusive,
        occupied = excluded.occupied";

const DROP_OLD: &str = "
    DELETE FROM usage WHERE day <=
        (SELECT DISTINCT day FROM usage ORDER BY day DESC LIMIT 1 OFFSET :days)";

fn usage_day(row: &Row<'_>) -> Result<UsageDay> {
    let fields = Fields::new(row, &USAGE);
    Ok(UsageDay {
        resource: fields.parse("resource")?,
        day: fields.parse("day")?,
        byte_hours: fields.number("byte_hours")?,
        stored: fields.maybe_number("stored")?,
        exclusive: fields.maybe_number("exclusive")?,
        occupied: fields.maybe_number("occupied")?,
    })
}
