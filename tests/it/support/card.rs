//! The card of a snapshot that somebody wants taken.

use heptad::domain::resource::Kind;
use heptad::domain::snapshot::{Card, Handle, Origin, Part, Seq};
use uuid::Uuid;

/// An automatic snapshot's card.
pub fn card(seq: u64) -> Card {
    Card {
        handle: Handle { seq: Seq(seq), id: Uuid::from_u128(seq.into()), object: String::new() },
        origin: Origin::Automatic,
        name: None,
        slot: Some(format!("2026-11-{:02}", seq % 28 + 1).parse().unwrap()),
        kept_from: None,
        taken_at: "2026-11-22T06:00:00Z".parse().unwrap(),
        tags: [("team".to_owned(), "web".to_owned())].into(),
        kind: Kind::Disk,
        part: Part::Whole,
        plan: None,
        blueprint: None,
    }
}
