//! When and by what a snapshot was proven, as it is noted beside it.

use crate::domain::told::Proof;
use crate::fs::Doing;
use crate::fs::StorageError;
use crate::store::Item;
use crate::store::manifest::read_proof;

/// Lay beside a proven snapshot before proofs were written as such; its own time of modification is
/// when.
const PROVEN: &str = "proven";

/// When and by what it was proven, if it was.
pub(super) fn proof(item: &Item) -> Result<Option<Proof>, StorageError> {
    if let Some(proof) = read_proof(&item.path)? {
        return Ok(Some(proof));
    }
    let (path, doing) = (item.path.join(PROVEN), || format!("reading {PROVEN}"));
    let text = match std::fs::read_to_string(&path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        text => text.doing(doing)?,
    };
    let at = std::fs::metadata(&path).and_then(|meta| meta.modified()).doing(doing)?;
    let at = jiff::Timestamp::try_from(at).map_err(std::io::Error::other).doing(doing)?;
    let by = text.trim().trim_start_matches("proven: ").to_owned();
    Ok(Some(Proof { at, by }))
}
