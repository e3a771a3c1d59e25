//! One entry as SQL. Each statement does to the rows what `Ledger::apply` does to the ledger, and
//! may be repeated.

use super::error::{CatalogueError, Result};
use super::field::nanos;
use super::held;
use super::shapes::{self, Parameters, RhythmText, instant_text};
use super::told;
use super::words::{self, Word};
use crate::domain::account::Account;
use crate::domain::event::Entry;
use crate::domain::name::ResourceName;
use crate::domain::operation::Operation;
use crate::domain::slot_record::{Outcome, SlotRecord};
use crate::domain::snapshot::{Seq, Snapshot};
use jiff::Timestamp;
use rusqlite::{Connection, ToSql, named_params};

pub(super) fn entry(to: &Connection, entry: &Entry) -> Result<()> {
    match entry {
        Entry::Account(account) => put_account(to, account),
        Entry::AccountErased(name) => erase_account(to, name),
        Entry::Slot(resource, record) => put_slot(to, resource, record),
        Entry::Snapshot(snapshot) => put_snapshot(to, snapshot),
        Entry::SnapshotErased(resource, seq) => erase_snapshots(to, resource, Some(*seq)),
        Entry::Operation(operation) => put_operation(to, operation),
        Entry::Clock { floor, elapsed } => run(
            to,
            "UPDATE host SET clock_floor = :floor, elapsed_ns = :elapsed",
            named_params! { ":floor": instant_text(*floor), ":elapsed": nanos(*elapsed) },
        )
        .map(drop),
    }
}

pub(super) fn run(to: &Connection, sql: &str, values: &[(&str, &dyn ToSql)]) -> Result<usize> {
    let mut statement = to.prepare_cached(sql).map_err(CatalogueError::write)?;
    statement.execute(values).map_err(CatalogueError::write)
}

/// A number that must be kept exactly: SQLite's largest is 2^63 - 1, larger ones are refused.
fn exact(number: u64) -> Result<i64> {
    let refuse = |error| rusqlite::Error::ToSqlConversionFailure(Box::new(error));
    i64::try_from(number).map_err(refuse).map_err(CatalogueError::write)
}

/// A number that a backend measured: no real one is beyond 2^63 - 1.
pub(super) fn measured(number: Option<u64>) -> Option<i64> {
    number.map(|number| i64::try_from(number).unwrap_or(i64::MAX))
}

fn maybe_json(value: Option<&impl serde::Serialize>) -> Option<String> {
    value.map(|value| serde_json::json!(value).to_string())
}

fn instant(at: Option<Timestamp>) -> Option<String> {
    at.map(instant_text)
}

fn put_account(to: &Connection, account: &Account) -> Result<()> {
    let Account { resource, wish, .. } = account;
    let rhythm = RhythmText::new(&resource.policy.rhythm);
    let retention = resource.policy.retention;
    let values = named_params! {
        ":resource": resource.name.as_str(),
        ":kind": resource.kind.word(),
        ":backend": resource.backend.kind,
        ":options": resource.backend.options,
        ":tags": serde_json::json!(resource.tags).to_string(),
        ":time": rhythm.time,
        ":cron": rhythm.cron,
        ":zone": rhythm.zone,
        ":spread_seconds": rhythm.offset,
        ":keep_latest": retention.latest,
        ":keep_weekly": retention.weekly,
        ":keep_monthly": retention.monthly,
        ":keep_yearly": retention.yearly,
        ":enabled": resource.policy.enabled,
        ":wish_enabled": wish.enabled,
        ":wish_time": wish.time.map(|time| time.to_string()),
        ":wish_tags": maybe_json(Some(&wish.tags).filter(|tags| !tags.is_empty())),
        ":timeline": shapes::timeline_text(&account.timeline, &account.dating),
        ":declared": account.declared,
        ":forgotten": account.forgotten,
        ":since": instant_text(account.since),
        ":identity": account.identity,
        ":stranger": account.stranger,
        ":next_seq": exact(account.next_seq.0)?,
        ":credit": account.credit,
        ":trouble": account.trouble,
        ":taken_days": account.taken.to_string(),
        ":plan": resource.plan.as_ref().map(shapes::plan_text),
        ":blueprint": resource.blueprint,
        ":enrolled": resource.enrolled,
        ":occupied": account.occupied.as_ref().map(shapes::occupied_text),
        ":payment": shapes::payment_text(&account.payment),
        ":held": account.held.as_ref().map(held::text),
    };
    run(to, PUT_ACCOUNT, values).map(drop)
}

const PUT_ACCOUNT: &str = "
    INSERT INTO account (resource, kind, backend, options, tags, time, cron, zone, spread_seconds,
        keep_latest, keep_weekly, keep_monthly, keep_yearly, enabled, wish_enabled, wish_time,
        timeline, declared, forgotten, since, identity, stranger, next_seq, credit, trouble,
        taken_days, plan, blueprint, enrolled, occupied, payment, wish_tags, held)
    VALUES (:resource, :kind, :backend, :options, :tags, :time, :cron, :zone, :spread_seconds,
        :keep_latest, :keep_weekly, :keep_monthly, :keep_yearly, :enabled, :wish_enabled,
        :wish_time, :timeline, :declared, :forgotten, :since, :identity, :stranger,
        max(:next_seq, ifnull((SELECT next_seq FROM high_water WHERE resource = :resource), 1)),
        :credit, :trouble, :taken_days, :plan, :blueprint, :enrolled,
        :occupied, :payment, :wish_tags, :held)
    ON CONFLICT (resource) DO UPDATE SET
        kind = excluded.kind, backend = excluded.backend, options = excluded.options,
        tags = excluded.tags, time = excluded.time, cron = excluded.cron, zone = excluded.zone,
        spread_seconds = excluded.spread_seconds, keep_latest = excluded.keep_latest,
        keep_weekly = excluded.keep_weekly, keep_monthly = excluded.keep_monthly,
        keep_yearly = excluded.keep_yearly, enabled = excluded.enabled,
        wish_enabled = excluded.wish_enabled, wish_time = excluded.wish_time,
        timeline = excluded.timeline, declared = excluded.declared,
        forgotten = excluded.forgotten, since = excluded.since, identity = excluded.identity,
        stranger = excluded.stranger, next_seq = max(next_seq, excluded.next_seq),
        credit = excluded.credit, trouble = excluded.trouble,
        taken_days = excluded.taken_days, plan = excluded.plan,
        blueprint = excluded.blueprint, enrolled = excluded.enrolled,
        occupied = excluded.occupied, payment = excluded.payment,
        wish_tags = excluded.wish_tags, held = excluded.held";

fn erase_account(to: &Connection, name: &ResourceName) -> Result<()> {
    erase_snapshots(to, name, None)?;
    let values = named_params! { ":resource": name.as_str() };
    run(
        to,
        "INSERT INTO high_water (resource, next_seq)
         SELECT resource, next_seq FROM account WHERE resource = :resource
         ON CONFLICT (resource) DO UPDATE SET next_seq = max(next_seq, excluded.next_seq)",
        values,
    )?;
    run(to, "DELETE FROM account WHERE resource = :resource", values).map(drop)
}

fn put_snapshot(to: &Connection, snapshot: &Snapshot) -> Result<()> {
    let Snapshot { resource, card, facts, .. } = snapshot;
    let (health, reason) = words::health_word(&snapshot.health);
    let (fate, until) = words::fate_word(snapshot.fate);
    let seq = exact(card.handle.seq.0)?;
    let next = named_params! { ":resource": resource.as_str(), ":next": seq.saturating_add(1) };
    let known = "UPDATE account SET next_seq = max(next_seq, :next) WHERE resource = :resource";
    if run(to, known, next)? == 0 {
        return Ok(());
    }
    let values = named_params! {
        ":resource": resource.as_str(),
        ":seq": seq,
        ":id": card.handle.id.to_string(),
        ":object": card.handle.object,
        ":origin": card.origin.word(),
        ":name": card.name.as_ref().map(|name| name.as_str()),
        ":slot": card.slot.map(|slot| slot.to_string()),
        ":kept_from": card.kept_from.map(|seq| exact(seq.0)).transpose()?,
        ":taken_at": instant_text(card.taken_at),
        ":tags": serde_json::json!(card.tags).to_string(),
        ":health": health,
        ":reason": reason,
        ":fate": fate,
        ":trashed_until_ns": until.map(nanos),
        ":empty": facts.content.map(|content| content.empty),
        ":entries": measured(facts.content.and_then(|content| content.entries)),
        ":bytes": measured(facts.content.and_then(|content| content.bytes)),
        ":stored": measured(facts.stored),
        ":exclusive": measured(facts.exclusive),
        ":notes": serde_json::json!(facts.notes).to_string(),
        ":accepted": facts.accepted,
        ":retagged": maybe_json(facts.retagged.as_ref()),
        ":told": told::text(&facts.told),
        ":kind": card.kind.word(),
        ":part": card.part.word(),
        ":plan": card.plan.as_ref().map(shapes::plan_text),
        ":blueprint": card.blueprint,
    };
    match run(to, PUT_SNAPSHOT, values)? {
        0 => Err(CatalogueError::SeqReused { resource: resource.clone(), seq: snapshot.seq() }),
        _ => Ok(()),
    }
}

const PUT_SNAPSHOT: &str = "
    INSERT INTO snapshot (resource, seq, id, object, origin, name, slot, kept_from, taken_at, tags,
        health, reason, fate, trashed_until_ns, empty, entries, bytes, stored, exclusive, notes, accepted,
        told, kind, part, plan, blueprint, retagged)
    VALUES (:resource, :seq, :id, :object, :origin, :name, :slot, :kept_from, :taken_at, :tags,
        :health, :reason, :fate, :trashed_until_ns, :empty, :entries, :bytes, :stored, :exclusive,
        :notes, :accepted, :told, :kind, :part, :plan, :blueprint, :retagged)
    ON CONFLICT (resource, seq) DO UPDATE SET
        object = excluded.object, origin = excluded.origin, name = excluded.name,
        slot = excluded.slot, kept_from = excluded.kept_from, taken_at = excluded.taken_at,
        tags = excluded.tags, health = excluded.health, reason = excluded.reason,
        fate = excluded.fate, trashed_until_ns = excluded.trashed_until_ns,
        empty = excluded.empty, entries = excluded.entries, bytes = excluded.bytes,
        stored = excluded.stored, exclusive = excluded.exclusive, notes = excluded.notes,
        accepted = excluded.accepted, told = excluded.told, kind = excluded.kind, part = excluded.part,
        plan = excluded.plan, blueprint = excluded.blueprint, retagged = excluded.retagged
    WHERE snapshot.id = excluded.id";

/// One, or all of a resource. What they were, and what ended them, stays.
fn erase_snapshots(to: &Connection, resource: &ResourceName, seq: Option<Seq>) -> Result<()> {
    let seq = seq.map(|seq| exact(seq.0)).transpose()?;
    let values = named_params! { ":resource": resource.as_str(), ":seq": seq };
    run(to, BURY, values)?;
    let gone = "DELETE FROM snapshot
        WHERE resource = :resource AND seq = ifnull(:seq, seq)";
    run(to, gone, values).map(drop)
}

const BURY: &str = "
    INSERT INTO tombstone (resource, seq, id, origin, name, slot, kept_from, taken_at, health,
        operation, erased_at)
    SELECT s.resource, s.seq, s.id, s.origin, s.name, s.slot, s.kept_from, s.taken_at, s.health,
        o.id, coalesce(o.started, o.created, (SELECT clock_floor FROM host), s.taken_at)
    FROM snapshot s LEFT JOIN operation o ON o.id = (
        SELECT max(id) FROM operation
        WHERE resource = s.resource AND seq = s.seq AND act IN ('take', 'keep', 'destroy'))
    WHERE s.resource = :resource AND s.seq = ifnull(:seq, s.seq)";

fn put_slot(to: &Connection, resource: &ResourceName, record: &SlotRecord) -> Result<()> {
    let outcome = record.outcome.as_ref();
    let reason = outcome.filter(|o| **o != Outcome::Complete).map(Outcome::reason);
    let values = named_params! {
        ":resource": resource.as_str(),
        ":slot": record.slot.to_string(),
        ":due": instant_text(record.due),
        ":period_end": instant_text(record.end),
        ":attempts": record.attempts,
        ":started": instant(record.started),
        ":finished": instant(record.finished),
        ":fault": record.last_failure.as_ref().map(|failure| failure.fault.word()),
        ":failure": record.last_failure.as_ref().map(|failure| &failure.message),
        ":operation": record.operation.map(|id| exact(id.0)).transpose()?,
        ":seq": record.seq.map(|seq| exact(seq.0)).transpose()?,
        ":outcome": outcome.map(|outcome| outcome.word()),
        ":reason": reason,
    };
    run(to, PUT_SLOT, values).map(drop)
}

/// As the newest row, so that rows are in the order in which they were noted. That nothing is known
/// of a slot never replaces its snapshot.
const PUT_SLOT: &str = "
    INSERT OR REPLACE INTO slot (resource, life, slot, due, period_end, attempts, started, finished,
        fault, failure, operation, seq, outcome, reason)
    SELECT :resource, life, :slot, :due, :period_end, :attempts, :started, :finished, :fault,
        :failure, :operation, :seq, :outcome, :reason
    FROM account WHERE resource = :resource AND NOT (:outcome IS 'missed' AND EXISTS (
        SELECT 1 FROM slot AS known WHERE known.life = account.life AND known.slot = :slot
            AND known.outcome IN ('complete', 'suspect')))";

fn put_operation(to: &Connection, operation: &Operation) -> Result<()> {
    let (cause, retry, uid) = words::cause_word(operation.cause);
    let (state, failure) = words::state_word(&operation.state);
    let id = exact(operation.id.0)?;
    let values = named_params! {
        ":id": id,
        ":resource": operation.resource.as_str(),
        ":act": operation.act.word(),
        ":seq": operation.act.seq().map(|seq| exact(seq.0)).transpose()?,
        ":parameters": serde_json::json!(Parameters::new(&operation.act)).to_string(),
        ":cause": cause,
        ":retry": retry,
        ":uid": uid,
        ":key": operation.key.as_ref().map(|key| &key.text),
        ":digest": operation.key.as_ref().and_then(|key| key.digest).map(|digest| digest.to_string()),
        ":created": instant_text(operation.created),
        ":started": instant(operation.started),
        ":finished": instant(operation.finished),
        ":state": state,
        ":fault": failure.map(|failure| failure.fault.word()),
        ":reason": failure.map(|failure| &failure.message),
        ":tries": operation.tries,
        ":cancel_asked_by": operation.cancel_asked_by,
        ":output": operation.output,
    };
    run(to, PUT_OPERATION, values)?;
    let next = named_params! { ":next": id.saturating_add(1) };
    run(to, "UPDATE host SET next_operation = max(next_operation, :next)", next).map(drop)
}

const PUT_OPERATION: &str = "
    INSERT OR REPLACE INTO operation (id, resource, act, seq, parameters, cause, retry, uid, key, digest,
        created, started, finished, state, fault, reason, tries, cancel_asked_by, output)
    VALUES (:id, :resource, :act, :seq, :parameters, :cause, :retry, :uid, :key, :digest,
        :created, :started, :finished, :state, :fault, :reason, :tries,
        :cancel_asked_by, :output)";
