//! Reading the whole ledger back.

use super::error::{CatalogueError, Result};
use super::field::{Fields, Table};
use super::rows::Remark;
use super::{Catalogue, rows};
use crate::domain::account::SLOTS_IN_MEMORY;
use crate::domain::id::OperationId;
use crate::domain::ledger::{Ledger, OPERATIONS_IN_MEMORY};
use crate::domain::snapshot::Seq;
use rusqlite::{Params, Row};
use std::sync::Arc;

impl Catalogue {
    /// The ledger: everything but slots and finished operations that are too old to matter for
    /// deciding.
    ///
    /// # Errors
    /// [`CatalogueError::Damaged`] names table and row; [`Catalogue::set_aside`] is the way out.
    pub fn load(&self) -> Result<(Ledger, Vec<Remark>)> {
        let mut ledger = Ledger::default();
        let mut remarks = Vec::new();
        for (account, remarked) in
            self.rows("account", "SELECT * FROM account", [], rows::account)?
        {
            remarks.extend(remarked);
            ledger.accounts.insert(account.name().clone(), Arc::new(account));
        }
        self.load_snapshots(&mut ledger)?;
        self.load_slots(&mut ledger)?;
        self.load_operations(&mut ledger)?;
        self.load_numbers(&mut ledger)?;
        self.load_host(&mut ledger)?;
        Ok((ledger, remarks))
    }

    fn load_snapshots(&self, ledger: &mut Ledger) -> Result<()> {
        let sql = "SELECT * FROM snapshot";
        for snapshot in self.rows("snapshot", sql, [], rows::snapshot)? {
            let Some(account) = ledger.account_mut(&snapshot.resource) else {
                let row = format!("{}/{}", snapshot.resource, snapshot.seq());
                return Err(CatalogueError::damaged("snapshot", &row, "it has no account"));
            };
            let next = Seq(snapshot.seq().0.saturating_add(1));
            account.next_seq = account.next_seq.max(next);
            account.snapshots.insert(snapshot.seq(), Arc::new(snapshot));
        }
        Ok(())
    }

    fn load_slots(&self, ledger: &mut Ledger) -> Result<()> {
        // The number of a row grows with each record: the order in which they were noted.
        let sql = "WITH its AS (SELECT slot.rowid AS id, slot.* FROM slot JOIN account USING (life)
                WHERE account.resource = ?1)
            SELECT * FROM its WHERE outcome IS NULL
                OR id IN (SELECT id FROM its ORDER BY id DESC LIMIT ?2) ORDER BY id";
        for (name, account) in &mut ledger.accounts {
            let limit = i64::try_from(SLOTS_IN_MEMORY).unwrap_or(i64::MAX);
            let records = self.rows("slot", sql, (name.as_str(), limit), rows::slot)?;
            records.iter().for_each(|record| Arc::make_mut(account).note_slot(record));
        }
        Ok(())
    }

    fn load_numbers(&self, ledger: &mut Ledger) -> Result<()> {
        static HIGH_WATER: Table = Table { name: "high_water", key: &["resource"] };
        let read = |row: &Row<'_>| {
            let fields = Fields::new(row, &HIGH_WATER);
            Ok((fields.parse("resource")?, Seq(fields.number("next_seq")?)))
        };
        let found = self.rows("high_water", "SELECT * FROM high_water", [], read)?;
        ledger.numbers.extend(found);
        Ok(())
    }

    fn load_operations(&self, ledger: &mut Ledger) -> Result<()> {
        let open = "SELECT * FROM operation WHERE state IN ('queued', 'running')";
        let finished = "SELECT * FROM operation WHERE state NOT IN ('queued', 'running')
            ORDER BY id DESC LIMIT ?1";
        let limit = i64::try_from(OPERATIONS_IN_MEMORY).unwrap_or(i64::MAX);
        let mut operations = self.rows("operation", open, [], rows::operation)?;
        operations.extend(self.rows("operation", finished, [limit], rows::operation)?);
        operations.iter().for_each(|operation| ledger.put_operation(operation));
        Ok(())
    }

    fn load_host(&self, ledger: &mut Ledger) -> Result<()> {
        static HOST: Table = Table { name: "host", key: &["one"] };
        let read = |row: &Row<'_>| {
            let fields = Fields::new(row, &HOST);
            let next = OperationId(fields.number("next_operation")?);
            Ok((next, fields.maybe_parse("clock_floor")?, fields.maybe_nanos("elapsed_ns")?))
        };
        let found = self.rows("host", "SELECT * FROM host", [], read)?;
        let Some((next, floor, elapsed)) = found.into_iter().next() else {
            return Err(CatalogueError::damaged("host", "1", "it is missing"));
        };
        let newest = ledger.operations.keys().next_back().map_or(0, |id| id.0.saturating_add(1));
        ledger.next_operation = next.max(OperationId(newest));
        ledger.floor = floor;
        ledger.elapsed = elapsed.unwrap_or_default();
        Ok(())
    }

    /// All rows of a query, each checked.
    pub(super) fn rows<T>(
        &self,
        what: &'static str,
        sql: &str,
        values: impl Params,
        read: impl Fn(&Row<'_>) -> Result<T>,
    ) -> Result<Vec<T>> {
        let refuse = CatalogueError::read(what);
        let mut statement = self.conn.prepare_cached(sql).map_err(&refuse)?;
        let mut found = statement.query(values).map_err(&refuse)?;
        let mut all = Vec::new();
        while let Some(row) = found.next().map_err(&refuse)? {
            all.push(read(row)?);
        }
        Ok(all)
    }
}
