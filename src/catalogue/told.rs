//! What a snapshot's own files tell of it, as text in its row.

use crate::domain::told::{Disk, Engine, Proof, Told};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ToldText {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    engine: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    version: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    proven_at: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    proven_by: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    disks: Vec<(String, String, u64)>,
}

/// `None` where nothing is told.
pub(super) fn text(told: &Told) -> Option<String> {
    let Told { engine, proof, disks } = told.clone();
    let (engine, version) = engine.map(|engine| (engine.name, engine.version)).unzip();
    let (proven_at, proven_by) = proof.map(|proof| (proof.at, proof.by)).unzip();
    let disks = disks.into_iter().map(|disk| (disk.name, disk.file, disk.size)).collect();
    let text = ToldText { engine, version, proven_at, proven_by, disks };
    (text != ToldText::default()).then(|| serde_json::json!(text).to_string())
}

pub(super) fn read(text: &str) -> Result<Told, String> {
    let text: ToldText = serde_json::from_str(text).map_err(|error| error.to_string())?;
    let engine = text.engine.zip(text.version).map(|(name, version)| Engine { name, version });
    let proof = text.proven_at.zip(text.proven_by).map(|(at, by)| Proof { at, by });
    let disks = text.disks.into_iter().map(|(name, file, size)| Disk { name, file, size });
    Ok(Told { engine, proof, disks: disks.collect() })
}
