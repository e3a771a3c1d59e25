//! Rows as the domain's types.

use super::error::Result;
use super::field::{Fields, Table};
use super::held;
use super::shapes::{self, Parameters, RhythmText};
use super::{told, words};
use crate::domain::account::{Account, Override};
use crate::domain::id::OperationId;
use crate::domain::key::Key;
use crate::domain::name::{ResourceName, SnapshotName};
use crate::domain::operation::{Failure, Operation};
use crate::domain::policy::{Policy, Retention};
use crate::domain::resource::{Binding, Resource};
use crate::domain::slot::Slot;
use crate::domain::slot_record::SlotRecord;
use crate::domain::snapshot::{Card, Content, Facts, Handle, Origin, Seq, Snapshot};
use jiff::Timestamp;
use rusqlite::Row;
use std::collections::BTreeSet;
use std::fmt;
use uuid::Uuid;

static ACCOUNT: Table = Table { name: "account", key: &["resource"] };
static SNAPSHOT: Table = Table { name: "snapshot", key: &["resource", "seq"] };
static SLOT: Table = Table { name: "slot", key: &["resource", "slot"] };
static OPERATION: Table = Table { name: "operation", key: &["id"] };

/// The head of an account, without snapshots and slots, and what is to be remarked on it.
pub(super) fn account(row: &Row<'_>) -> Result<(Account, Vec<Remark>)> {
    let fields = Fields::new(row, &ACCOUNT);
    let mut zones = BTreeSet::new();
    let mut unknown = |zone: &str| {
        zones.insert(zone.to_owned());
    };
    let resource = resource(&fields, &mut unknown)?;
    let (timeline, dating) = shapes::timeline(&fields.text("timeline")?, &mut unknown)
        .map_err(|why| fields.damaged("timeline", why))?;
    let remark = |zone| Remark::UnknownZone { resource: resource.name.clone(), zone };
    let remarks = zones.into_iter().map(remark).collect();
    let wish = Override {
        enabled: fields.get("wish_enabled")?,
        time: fields.maybe_parse("wish_time")?,
        tags: fields.maybe_json("wish_tags")?.unwrap_or_default(),
    };
    let head = Account {
        declared: fields.get("declared")?,
        forgotten: fields.get("forgotten")?,
        wish,
        timeline,
        dating,
        identity: fields.get("identity")?,
        stranger: fields.get("stranger")?,
        next_seq: Seq(fields.number("next_seq")?),
        credit: fields.number("credit")?,
        trouble: fields.get("trouble")?,
        taken: fields.parse("taken_days")?,
        occupied: fields.maybe_read("occupied", shapes::occupied)?,
        payment: fields.maybe_read("payment", shapes::payment)?.unwrap_or_default(),
        held: fields.maybe_read("held", held::read)?,
        look_again: None,
        ..Account::new(resource, fields.instant("since")?)
    };
    Ok((head, remarks))
}

fn resource(fields: &Fields<'_>, unknown: &mut dyn FnMut(&str)) -> Result<Resource> {
    let rhythm = RhythmText {
        time: fields.get("time")?,
        cron: fields.get("cron")?,
        zone: fields.text("zone")?,
        offset: fields.number("spread_seconds")?,
    };
    let rhythm = rhythm.rhythm(unknown).map_err(|why| fields.damaged("time", why))?;
    let retention = Retention {
        latest: fields.number("keep_latest")?,
        weekly: fields.number("keep_weekly")?,
        monthly: fields.number("keep_monthly")?,
        yearly: fields.number("keep_yearly")?,
    };
    if retention.latest == 0 {
        return Err(fields.damaged("keep_latest", "it is 0; at least one stays"));
    }
    Ok(Resource {
        name: fields.parse("resource")?,
        kind: fields.word("kind")?,
        backend: Binding { kind: fields.text("backend")?, options: fields.text("options")? },
        policy: Policy { rhythm, retention, enabled: fields.get("enabled")? },
        tags: fields.json("tags")?,
        plan: fields.maybe_read("plan", shapes::plan)?,
        blueprint: fields.get("blueprint")?,
        enrolled: fields.get("enrolled")?,
    })
}

pub(super) fn snapshot(row: &Row<'_>) -> Result<Snapshot> {
    let fields = Fields::new(row, &SNAPSHOT);
    let handle = Handle {
        seq: Seq(fields.number("seq")?),
        id: fields.parse("id")?,
        object: fields.text("object")?,
    };
    let card = Card {
        handle,
        origin: fields.word("origin")?,
        name: fields.maybe_parse("name")?,
        slot: fields.maybe_parse("slot")?,
        kept_from: fields.maybe_number("kept_from")?.map(Seq),
        taken_at: fields.instant("taken_at")?,
        tags: fields.json("tags")?,
        kind: fields.word("kind")?,
        part: fields.word("part")?,
        plan: fields.maybe_read("plan", shapes::plan)?,
        blueprint: fields.get("blueprint")?,
    };
    let (health, fate) = (fields.text("health")?, fields.text("fate")?);
    let until = fields.maybe_nanos("trashed_until_ns")?;
    Ok(Snapshot {
        resource: fields.parse("resource")?,
        card,
        health: fields.known("health", &health, words::health(&health, fields.get("reason")?))?,
        fate: fields.known("fate", &fate, words::fate(&fate, until))?,
        facts: facts(&fields)?,
    })
}

fn facts(fields: &Fields<'_>) -> Result<Facts> {
    let content = match fields.get::<Option<bool>>("empty")? {
        Some(empty) => Some(Content {
            empty,
            entries: fields.maybe_number("entries")?,
            bytes: fields.maybe_number("bytes")?,
        }),
        None => None,
    };
    Ok(Facts {
        content,
        stored: fields.maybe_number("stored")?,
        exclusive: fields.maybe_number("exclusive")?,
        notes: fields.json("notes")?,
        accepted: fields.get("accepted")?,
        retagged: fields.maybe_json("retagged")?,
        told: fields.maybe_read("told", told::read)?.unwrap_or_default(),
    })
}

pub(super) fn slot(row: &Row<'_>) -> Result<SlotRecord> {
    let fields = Fields::new(row, &SLOT);
    let outcome = match fields.get::<Option<String>>("outcome")? {
        Some(word) => {
            let outcome = words::outcome(&word, fields.get("reason")?);
            Some(fields.known("outcome", &word, outcome)?)
        }
        None => None,
    };
    Ok(SlotRecord {
        slot: fields.parse("slot")?,
        due: fields.instant("due")?,
        end: fields.instant("period_end")?,
        attempts: fields.number("attempts")?,
        started: fields.maybe_parse("started")?,
        finished: fields.maybe_parse("finished")?,
        last_failure: failure(&fields, "failure")?,
        operation: fields.maybe_number("operation")?.map(OperationId),
        seq: fields.maybe_number("seq")?.map(Seq),
        outcome,
    })
}

pub(super) fn operation(row: &Row<'_>) -> Result<Operation> {
    let fields = Fields::new(row, &OPERATION);
    let act = fields
        .json::<Parameters>("parameters")?
        .act(&fields.text("act")?, fields.maybe_number("seq")?)
        .map_err(|why| fields.damaged("act", why))?;
    let (cause, state) = (fields.text("cause")?, fields.text("state")?);
    let (retry, uid) = (fields.maybe_number("retry")?, fields.maybe_number("uid")?);
    Ok(Operation {
        id: OperationId(fields.number("id")?),
        resource: fields.parse("resource")?,
        act,
        cause: fields.known("cause", &cause, words::cause(&cause, retry, uid))?,
        key: key(&fields)?,
        created: fields.instant("created")?,
        started: fields.maybe_parse("started")?,
        finished: fields.maybe_parse("finished")?,
        state: fields.known("state", &state, words::state(&state, failure(&fields, "reason")?))?,
        tries: fields.number("tries")?,
        cancel_asked_by: fields.maybe_number("cancel_asked_by")?,
        output: fields.text("output")?,
    })
}

/// A digest without its key would be damage; a key without one is of an earlier version.
fn key(fields: &Fields<'_>) -> Result<Option<Key>> {
    let digest = fields.maybe_parse("digest")?;
    match fields.get::<Option<String>>("key")? {
        Some(text) => Ok(Some(Key { text, digest })),
        None if digest.is_none() => Ok(None),
        None => Err(fields.damaged("digest", "it has no key")),
    }
}

fn failure(fields: &Fields<'_>, message: &str) -> Result<Option<Failure>> {
    match (fields.maybe_word("fault")?, fields.get::<Option<String>>(message)?) {
        (Some(fault), Some(message)) => Ok(Some(Failure { fault, message })),
        (None, None) => Ok(None),
        _ => Err(fields.damaged("fault", format!("it does not go with {message}"))),
    }
}

/// A snapshot that is gone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tombstone {
    pub seq: Seq,
    pub id: Uuid,
    pub origin: Origin,
    pub name: Option<SnapshotName>,
    pub slot: Option<Slot>,
    pub taken_at: Timestamp,
    /// What ended it, where that is known.
    pub operation: Option<OperationId>,
    /// When that operation began.
    pub erased_at: Timestamp,
}

pub(super) fn tombstone(row: &Row<'_>) -> Result<Tombstone> {
    static TOMBSTONE: Table = Table { name: "tombstone", key: &["resource", "seq"] };
    let fields = Fields::new(row, &TOMBSTONE);
    Ok(Tombstone {
        seq: Seq(fields.number("seq")?),
        id: fields.parse("id")?,
        origin: fields.word("origin")?,
        name: fields.maybe_parse("name")?,
        slot: fields.maybe_parse("slot")?,
        taken_at: fields.instant("taken_at")?,
        operation: fields.maybe_number("operation")?.map(OperationId),
        erased_at: fields.instant("erased_at")?,
    })
}

/// The words of a snapshot's health and fate, for the export.
pub(super) fn standing(snapshot: &Snapshot) -> (&'static str, &'static str) {
    (words::health_word(&snapshot.health).0, words::fate_word(snapshot.fate).0)
}

/// What a person should know of a loaded ledger, though it can be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Remark {
    /// Nobody here knows a zone: UTC stands in for it.
    UnknownZone { resource: ResourceName, zone: String },
}

impl fmt::Display for Remark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Remark::UnknownZone { resource, zone } => write!(
                f,
                "{resource}: this host does not know the time zone {zone:?}, UTC is used; \
                 install the time-zone data (tzdata)"
            ),
        }
    }
}
