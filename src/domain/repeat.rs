//! The same request sent again.

use super::denied::Denied;
use super::event::Ask;
use super::key::Key;
use super::operation::Operation;

/// What is answered to a request whose key has become an operation earlier.
///
/// # Errors
/// [`Denied::KeyReused`] if that was for another request, [`Denied::KeyUnproven`] if it cannot be
/// told.
pub fn repeat(ask: &Ask, earlier: &Operation) -> Result<Operation, Denied> {
    let digest = |key: &Option<Key>| key.as_ref().and_then(|key| key.digest);
    let key = || ask.key.as_ref().map(|key| key.text.clone()).unwrap_or_default();
    match (digest(&ask.key), digest(&earlier.key)) {
        (Some(asked), Some(known)) if asked == known => Ok(earlier.clone()),
        (Some(_), Some(_)) => Err(Denied::KeyReused { key: key(), operation: earlier.id }),
        _ => Err(Denied::KeyUnproven { key: key(), operation: earlier.id }),
    }
}
