//! A plugin's listing becomes a survey, or is refused as a whole: rotation and rebuild act on it,
//! so one entry that is not believed spoils all.

use super::protocol::{self, Listed, Listing};
use crate::domain::name::ResourceName;
use crate::domain::snapshot::Seq;
use crate::domain::sound;
use crate::domain::survey::{Found, Mark, Survey, Wholeness};
use crate::domain::tag;
use crate::domain::tag::Tags;
use crate::domain::told::{Disk, Engine, Told};
use crate::host::process::plain;
use crate::store::manifest::{Manifest, VERSION};
use serde_json::Value;
use std::collections::BTreeSet;

/// The highest sequence number that is believed. A higher one would exhaust the counter.
const HIGHEST: u64 = sound::HIGHEST;
/// Longest identity of a resource or object, in bytes.
const IDENTITY: usize = 1024;
/// How many notes of how many characters are repeated to a person.
const NOTES: usize = 20;
const NOTE: usize = 500;
/// Most disks of one instance.
const DISKS: usize = 64;

/// # Errors
/// What is wrong with it, as a sentence part.
pub(super) fn survey(resource: &ResourceName, listing: Listing) -> Result<Survey, String> {
    let told = told(listing.told).map_err(|why| format!("told: {why}"))?;
    let mut survey = Survey {
        identity: listing.identity.map(|text| identity("identity", text)).transpose()?,
        high_water: seq("high_water", listing.high_water)?,
        engine: told.engine,
        disks: told.disks,
        ..Survey::default()
    };
    let (mut seqs, mut ids) = (BTreeSet::new(), BTreeSet::new());
    for (place, listed) in listing.snapshots.into_iter().enumerate() {
        let found = entry(resource, listed).map_err(|why| format!("snapshots[{place}]: {why}"))?;
        let Some(found) = found else { continue };
        let handle = &found.card.handle;
        if !seqs.insert(handle.seq) || !ids.insert(handle.id) {
            return Err(format!("snapshot {} ({}) is listed twice", handle.seq, handle.id));
        }
        survey.high_water = survey.high_water.max(handle.seq);
        survey.found.push(found);
    }
    survey.found.sort_by_key(|found| found.card.handle.seq);
    Ok(survey)
}

/// `None` for what belongs to another resource.
fn entry(resource: &ResourceName, listed: Listed) -> Result<Option<Found>, String> {
    let Some(owner) = listed.manifest.get("resource").and_then(Value::as_str) else {
        return Err("its manifest names no resource".into());
    };
    if owner != resource.as_str() {
        return Ok(None);
    }
    let mut manifest: Manifest = serde_json::from_value(listed.manifest).map_err(|error| {
        format!("its manifest is not heptad's ({})", plain(&error.to_string(), 200))
    })?;
    if manifest.heptad != VERSION {
        return Err(format!(
            "its manifest has format {}, this heptad reads {VERSION}",
            manifest.heptad
        ));
    }
    if manifest.backend != super::NAME {
        return Err(format!("its manifest is of backend {:?}", plain(&manifest.backend, 40)));
    }
    seq("its seq", manifest.seq)
        .and_then(|seq| if seq.0 == 0 { Err("its seq is 0".into()) } else { Ok(()) })?;
    tags(&manifest.tags)?;
    listed.mark.tags.as_ref().map_or(Ok(()), tags)?;
    blueprint(&manifest)?;
    let state = Wholeness::from(listed.state);
    let object = match state {
        Wholeness::Partial if listed.object.is_empty() => listed.object,
        _ => identity("its object", listed.object)?,
    };
    let mut notes = std::mem::take(&mut manifest.notes);
    notes.extend(listed.notes);
    Ok(Some(Found {
        card: manifest.card(object).map_err(|error| plain(&error.to_string(), NOTE))?,
        state,
        mark: Mark {
            doubt: listed.mark.doubt.or(listed.incomplete).as_deref().map(sentence),
            accepted: listed.mark.accepted,
            trashed: listed.mark.trashed,
            tags: listed.mark.tags,
        },
        content: listed.content.map(Into::into),
        notes: sentences(notes),
        told: told(listed.told)?,
    }))
}

/// Engine, version and names of disks are shown as they are.
fn told(said: protocol::Told) -> Result<Told, String> {
    let engine = said.engine.map(|engine| {
        let name = identity("its engine's name", engine.name)?;
        Ok::<_, String>(Engine { name, version: identity("its engine's version", engine.version)? })
    });
    if said.disks.len() > DISKS {
        return Err(format!("it has {} disks; the most is {DISKS}", said.disks.len()));
    }
    let disks = said.disks.into_iter().map(|disk| {
        let (name, file) = (identity("the name of a disk", disk.name)?, String::new());
        if disk.size > HIGHEST {
            return Err(format!("its disk {name} has {} bytes", disk.size));
        }
        Ok(Disk { name, file, size: disk.size })
    });
    Ok(Told { engine: engine.transpose()?, proof: None, disks: disks.collect::<Result<_, _>>()? })
}

/// What is shown and carried on to whatever is made of it keeps to the rules that heptad has for
/// it.
fn tags(tags: &Tags) -> Result<(), String> {
    let (count, most) = (tags.len(), tag::TAG_LIMIT);
    if count > most {
        return Err(format!("it has {count} tags; the most is {most}"));
    }
    for (key, value) in tags {
        tag::check_key(key).and_then(|()| tag::check_value(value)).map_err(|e| e.to_string())?;
    }
    Ok(())
}

fn blueprint(manifest: &Manifest) -> Result<(), String> {
    let named = manifest.blueprint.as_ref();
    if named.is_some_and(|name| name.len() > IDENTITY || plain(name, IDENTITY) != *name) {
        return Err("its blueprint is not a valid name".into());
    }
    Ok(())
}

/// What identifies something is compared, stored and shown, so it is refused rather than mended.
pub(super) fn identity(what: &str, text: String) -> Result<String, String> {
    let fits = (1..=IDENTITY).contains(&text.len());
    if fits && plain(&text, IDENTITY) == text {
        return Ok(text);
    }
    Err(format!("{what} is not 1 to {IDENTITY} bytes without control characters"))
}

/// Sentences for a person, not more than one reads.
pub(super) fn sentences(notes: Vec<String>) -> Vec<String> {
    notes.iter().take(NOTES).map(|note| sentence(note)).collect()
}

pub(super) fn sentence(text: &str) -> String {
    plain(text, NOTE)
}

fn seq(what: &str, number: u64) -> Result<Seq, String> {
    if number <= HIGHEST {
        return Ok(Seq(number));
    }
    Err(format!("{what} is {number}; the highest is {HIGHEST}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn manifest(seq: u64) -> Value {
        json!({
            "heptad": 1, "resource": "notes", "backend": "exec", "seq": seq,
            "id": uuid::Uuid::from_u128(u128::from(seq)), "origin": "automatic",
            "slot": "2026-11-22", "taken_at": "2026-11-22T06:00:00Z"
        })
    }

    fn listed(manifest: Value) -> Value {
        json!({"manifest": manifest, "object": "tar-1", "state": "whole"})
    }

    fn with(mut base: Value, path: &str, value: Value) -> Value {
        let (parent, key) = path.rsplit_once('/').unwrap();
        base.pointer_mut(parent).unwrap().as_object_mut().unwrap().insert(key.into(), value);
        base
    }

    fn read(snapshots: Value) -> Result<Survey, String> {
        let listing = json!({"high_water": 3, "snapshots": snapshots});
        let listing = serde_json::from_value(listing).map_err(|error| error.to_string())?;
        survey(&"notes".parse().unwrap(), listing)
    }

    #[test]
    fn a_listing_is_read_in_the_order_of_the_snapshots() {
        let found = read(json!([listed(manifest(7)), listed(manifest(2))])).unwrap();
        assert_eq!(found.found.iter().map(|f| f.card.handle.seq.0).collect::<Vec<_>>(), [2, 7]);
        assert_eq!(found.high_water, Seq(7));
        assert_eq!(read(json!([])).unwrap().high_water, Seq(3));
        let foreign = with(listed(manifest(1)), "/manifest/resource", json!("other"));
        assert_eq!(read(json!([foreign])).unwrap().found, []);
    }

    #[test]
    fn one_hostile_entry_spoils_the_listing() {
        let check = |path: &str, value: Value, want: &str| {
            let hostile = with(listed(manifest(1)), path, value);
            let error = read(json!([listed(manifest(2)), hostile])).unwrap_err();
            assert!(error.contains(want), "{path}: {error}");
        };
        check("/manifest/seq", json!(0), "snapshots[1]: its seq is 0");
        check("/manifest/seq", json!(u64::MAX), "the highest is");
        check("/manifest/seq", json!(-1), "not heptad's");
        check("/manifest/seq", json!(2), "listed twice");
        check("/manifest/id", manifest(2)["id"].clone(), "listed twice");
        check("/manifest/id", json!("../../etc"), "not heptad's");
        check("/manifest/heptad", json!(2), "format 2");
        check("/manifest/backend", json!("btrfs"), "backend \"btrfs\"");
        check("/manifest/resource", json!(7), "names no resource");
        check("/manifest/origin", json!("stolen"), "origin");
        check("/manifest/name", json!("../x"), "name");
        check("/manifest/slot", json!("soon"), "slot");
        check("/manifest/taken_at", json!("\u{1b}[2J"), "taken_at");
        check("/manifest/extra", json!(1), "not heptad's");
        check("/manifest/kept_from", json!(u64::MAX), "kept_from");
        check("/manifest/kept_from", json!(1_u64 << 63), "kept_from");
        check("/manifest/kept_from", json!(0), "kept_from");
        check("/manifest/tags", json!({"": "x"}), "key");
        check("/manifest/tags", json!({"a": "\u{0}"}), "value");
        check("/told", json!({"engine": {"name": "a\nb", "version": "1"}}), "engine's name");
        check("/told", json!({"disks": [{"name": "", "size": 1}]}), "the name of a disk");
        check("/told", json!({"disks": [{"name": "a", "size": u64::MAX}]}), "bytes");
        check("/mark", json!({"tags": {"aws:a": "x"}}), "reserved");
        check("/manifest/blueprint", json!("a\nb"), "blueprint");
        check("/object", json!(""), "its object");
        check("/object", json!("a\nb"), "its object");
        check("/object", json!("x".repeat(1025)), "its object");
        check("/state", json!("fine"), "unknown variant");
    }

    #[test]
    fn what_a_listing_says_to_people_is_harmless() {
        let entry = with(listed(manifest(1)), "/notes", json!(["\u{1b}[2J", "x".repeat(5000)]));
        let entry = with(entry, "/mark", json!({"doubt": "a\nb", "trashed": true}));
        let found = read(json!([entry])).unwrap().found.remove(0);
        assert_eq!(
            found.mark,
            Mark { doubt: Some("a b".into()), trashed: true, ..Mark::default() }
        );
        assert_eq!(found.notes[0], " [2J");
        assert_eq!(found.notes[1].len(), NOTE + 3);
        let partial = with(listed(manifest(1)), "/state", json!("partial"));
        let partial = with(partial, "/object", json!(""));
        assert_eq!(read(json!([partial])).unwrap().found[0].state, Wholeness::Partial);
    }
}
