//! What rotation leaves alone, as the JSON text in an account's row.

use super::field::nanos;
use crate::domain::rotation::Held;
use crate::domain::snapshot::Seq;
use jiff::SignedDuration;
use serde::{Deserialize, Serialize};

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct HeldText {
    seq: u64,
    reach_ns: i64,
    calm: Option<u64>,
}

pub(super) fn text(held: &Held) -> String {
    let (seq, reach_ns, calm) = (held.seq.0, nanos(held.reach), held.calm.map(|seq| seq.0));
    serde_json::json!(HeldText { seq, reach_ns, calm }).to_string()
}

pub(super) fn read(text: &str) -> Result<Held, String> {
    let HeldText { seq, reach_ns, calm } = serde_json::from_str(text).map_err(|e| e.to_string())?;
    Ok(Held { seq: Seq(seq), reach: SignedDuration::from_nanos(reach_ns), calm: calm.map(Seq) })
}
