//! What a btrfs snapshot's manifest remembers beside the card.

use crate::domain::operation::Fault;
use crate::fs::StorageError;
use crate::store::manifest::Manifest;
use serde::{Deserialize, Serialize};
use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use uuid::Uuid;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Detail {
    /// The live resource's, at the time.
    pub identity: String,
    /// The subvolume that `data` is a snapshot of.
    pub source: Uuid,
    /// Whether the resource is the top of its file system: then the name of the store, an empty
    /// directory, is in the snapshot.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub top: bool,
    /// Whether the resource was closed to every writer.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub read_only: bool,
    /// The nested subvolumes, parents before children; the n-th one's snapshot is `nested/N`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub nested: Vec<NestedPart>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NestedPart {
    /// From the root of the resource.
    pub path: PathText,
    /// The subvolume that it is a snapshot of.
    pub source: Uuid,
    /// Whether that was closed to every writer.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub read_only: bool,
}

/// A path in JSON: text where it is UTF-8, else a list of its bytes, so that no name is lost.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub(super) enum PathText {
    Text(String),
    Bytes(Vec<u8>),
}

impl From<&Path> for PathText {
    fn from(path: &Path) -> Self {
        match path.to_str() {
            Some(text) => Self::Text(text.into()),
            None => Self::Bytes(path.as_os_str().as_bytes().to_vec()),
        }
    }
}

impl PathText {
    pub(super) fn to_path(&self) -> PathBuf {
        match self {
            Self::Text(text) => PathBuf::from(text),
            Self::Bytes(bytes) => PathBuf::from(OsString::from_vec(bytes.clone())),
        }
    }
}

impl Detail {
    /// # Errors
    /// [`Fault::Permanent`] when the manifest is not one that this backend wrote.
    pub(super) fn of(manifest: &Manifest) -> Result<Self, StorageError> {
        serde_json::from_value(manifest.detail.clone()).map_err(|error| {
            let doing = format!("reading detail of manifest {}", manifest.id);
            StorageError::new(Fault::Permanent, doing, error.to_string())
        })
    }

    pub(super) fn to_value(&self) -> serde_json::Value {
        serde_json::json!(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_that_is_no_text_comes_back_from_json() {
        for bytes in [&b"var/lib"[..], b"caf\xe9", "umläut".as_bytes()] {
            let path = PathBuf::from(OsString::from_vec(bytes.to_vec()));
            let json = serde_json::to_string(&PathText::from(path.as_path())).unwrap();
            let back: PathText = serde_json::from_str(&json).unwrap();
            assert_eq!(back.to_path(), path, "{json}");
        }
    }
}
