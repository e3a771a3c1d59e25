//! What happened, further back than the ledger remembers.

use super::error::{CatalogueError, Result};
use super::shapes::instant_text;
use super::{Catalogue, Tombstone, rows};
use crate::domain::account::SLOTS_IN_MEMORY;
use crate::domain::id::OperationId;
use crate::domain::ledger::OPERATIONS_IN_MEMORY;
use crate::domain::name::ResourceName;
use crate::domain::operation::Operation;
use crate::domain::slot_record::SlotRecord;
use jiff::Timestamp;

/// Which operations to list; the default is all of them.
#[derive(Clone, Debug, Default)]
pub struct OperationFilter {
    pub resource: Option<ResourceName>,
    pub id: Option<OperationId>,
    /// Only those that are queued or running, or only the others.
    pub open: Option<bool>,
    /// At most this many.
    pub limit: Option<u32>,
    /// Only older ones, to page on from the last one seen.
    pub before: Option<OperationId>,
}

/// How many rows of history were dropped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pruned {
    pub slots: usize,
    pub operations: usize,
    pub tombstones: usize,
}

impl Catalogue {
    /// What became of the slots due in `[from, until)`, oldest first; also those of a resource
    /// that was erased.
    pub fn slots_of(
        &self,
        resource: &ResourceName,
        from: Timestamp,
        until: Timestamp,
    ) -> Result<Vec<SlotRecord>> {
        let sql = "SELECT * FROM slot WHERE resource = ?1 AND due >= ?2 AND due < ?3
            ORDER BY due, life, slot";
        let values = (resource.as_str(), instant_text(from), instant_text(until));
        self.rows("slot", sql, values, rows::slot)
    }

    /// Operations, newest first.
    pub fn operations(&self, filter: &OperationFilter) -> Result<Vec<Operation>> {
        // An id beyond SQLite's largest number was never given out.
        let number = |id: OperationId| i64::try_from(id.0).unwrap_or(i64::MAX);
        let resource = filter.resource.as_ref().map(ToString::to_string);
        let (id, before) = (filter.id.map(number), filter.before.map(number));
        // Only what is asked for, so that an index is used: the deciding thread reads this.
        let open = match filter.open {
            Some(true) => " AND state IN ('queued', 'running')",
            Some(false) => " AND state NOT IN ('queued', 'running')",
            None => "",
        };
        let one = |is: bool, condition: &'static str| if is { condition } else { "" };
        let sql = format!(
            "SELECT * FROM operation WHERE ?4 <> 0{}{}{}{open} ORDER BY id DESC LIMIT ?4",
            one(resource.is_some(), " AND resource = ?1"),
            one(id.is_some(), " AND id = ?2"),
            one(before.is_some(), " AND id < ?3"),
        );
        let limit = filter.limit.map_or(-1, i64::from);
        self.rows("operation", &sql, (resource, id, before, limit), rows::operation)
    }

    /// What a client with this uid asked for under this idempotency key.
    pub fn operation_by_key(&self, uid: u32, key: &str) -> Result<Option<Operation>> {
        let sql = "SELECT * FROM operation WHERE key = ?1 AND uid = ?2 ORDER BY id DESC LIMIT 1";
        let found = self.rows("operation", sql, (key, uid), rows::operation)?;
        Ok(found.into_iter().next())
    }

    /// The resource's snapshots that are gone, the newest `limit` by sequence number.
    pub fn tombstones_of(&self, resource: &ResourceName, limit: u32) -> Result<Vec<Tombstone>> {
        let sql = "SELECT * FROM tombstone WHERE resource = ?1 ORDER BY seq DESC LIMIT ?2";
        self.rows("tombstone", sql, (resource.as_str(), limit), rows::tombstone)
    }

    /// Drops history from before an instant and gives its room back. What the ledger holds stays,
    /// and so do the counters: no number is given out twice.
    ///
    /// # Errors
    /// As [`Catalogue::record`].
    pub fn vacuum_history(&mut self, before: Timestamp) -> Result<Pruned> {
        let before = instant_text(before);
        let slots_kept = i64::try_from(SLOTS_IN_MEMORY).unwrap_or(i64::MAX);
        let operations_kept = i64::try_from(OPERATIONS_IN_MEMORY).unwrap_or(i64::MAX);
        let pruned = self.change(|transaction| {
            let count = |sql: &str, values: &[&dyn rusqlite::ToSql]| {
                transaction.execute(sql, values).map_err(CatalogueError::write)
            };
            Ok(Pruned {
                slots: count(DROP_SLOTS, &[&before, &slots_kept])?,
                operations: count(DROP_OPERATIONS, &[&before, &operations_kept])?,
                tombstones: count("DELETE FROM tombstone WHERE erased_at < ?1", &[&before])?,
            })
        })?;
        self.change(|transaction| {
            // One page goes with each row of the answer.
            let mut shrink =
                transaction.prepare("PRAGMA incremental_vacuum").map_err(CatalogueError::write)?;
            let mut pages = shrink.query([]).map_err(CatalogueError::write)?;
            while pages.next().map_err(CatalogueError::write)?.is_some() {}
            Ok(())
        })?;
        Ok(pruned)
    }
}

const DROP_SLOTS: &str = "
    DELETE FROM slot WHERE due < ?1 AND rowid NOT IN (
        SELECT known.id FROM (
            SELECT slot.rowid AS id, slot.outcome AS outcome,
                row_number() OVER (PARTITION BY life ORDER BY slot.rowid DESC) AS rank
            FROM slot JOIN account USING (life)) AS known
        WHERE known.rank <= ?2 OR known.outcome IS NULL)";

const DROP_OPERATIONS: &str = "
    DELETE FROM operation
    WHERE created < ?1 AND state NOT IN ('queued', 'running') AND id NOT IN (
        SELECT id FROM operation WHERE state NOT IN ('queued', 'running')
        ORDER BY id DESC LIMIT ?2)";
