//! The shapes that go to a plugin and come back. config/examples/plugin/PROTOCOL.md says the same
//! in words; a test compares the two.

use crate::domain::operation::Fault;
use crate::domain::snapshot::{self, Card, Handle};
use crate::domain::survey;
use crate::domain::survey::Wholeness;
use crate::domain::tag::Tags;
use crate::store::manifest::{Manifest, origin_word};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use uuid::Uuid;

/// The only version that this heptad speaks.
pub(super) const VERSION: u64 = 1;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verb {
    Info,
    Probe,
    Take,
    List,
    Verify,
    Destroy,
    Restore,
    Users,
    Rollback,
    Mark,
    Usage,
}

impl Verb {
    /// The plugin's last argument.
    pub(super) fn word(self) -> &'static str {
        match self {
            Verb::Info => "info",
            Verb::Probe => "probe",
            Verb::Take => "take",
            Verb::List => "list",
            Verb::Verify => "verify",
            Verb::Destroy => "destroy",
            Verb::Restore => "restore",
            Verb::Users => "users",
            Verb::Rollback => "rollback",
            Verb::Mark => "mark",
            Verb::Usage => "usage",
        }
    }

    /// Whether it only looks, and must be done within a minute.
    pub(super) fn is_quick(self) -> bool {
        matches!(self, Verb::Info | Verb::Probe | Verb::List | Verb::Users)
    }

    /// Bytes that an answer may have. A listing has some 500 for each snapshot.
    pub(super) fn answer_limit(self) -> usize {
        if self == Verb::List { 16 << 20 } else { 1 << 20 }
    }
}

/// What a plugin reads, whole, from its standard input.
#[derive(Serialize)]
pub(super) struct Request<'a> {
    pub(super) protocol: u64,
    pub(super) resource: &'a str,
    pub(super) options: &'a Map<String, Value>,
    #[serde(flatten)]
    pub(super) ask: Ask<'a>,
}

/// The part that differs from verb to verb.
#[derive(Default, Serialize)]
pub(super) struct Ask<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) snapshot: Option<Subject<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) manifest: Option<Manifest>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) source: Option<Subject<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) previous: Option<Subject<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) target: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) token: Option<Uuid>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) mark: Option<Mark>,
}

/// A snapshot that is spoken of.
#[derive(Serialize)]
pub(super) struct Subject<'a> {
    seq: u64,
    id: Uuid,
    /// Left out before it exists.
    #[serde(skip_serializing_if = "str::is_empty")]
    object: &'a str,
    /// Only for one that is to be taken.
    #[serde(flatten)]
    label: Option<Label<'a>>,
}

#[derive(Serialize)]
struct Label<'a> {
    origin: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    slot: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    kept_from: Option<u64>,
    taken_at: String,
    tags: &'a Tags,
}

impl<'a> Subject<'a> {
    pub(super) fn new(handle: &'a Handle) -> Self {
        Self { seq: handle.seq.0, id: handle.id, object: &handle.object, label: None }
    }

    pub(super) fn to_be(card: &'a Card) -> Self {
        let label = Label {
            origin: origin_word(card.origin),
            name: card.name.as_ref().map(|name| name.as_str()),
            slot: card.slot.map(|slot| slot.to_string()),
            kept_from: card.kept_from.map(|seq| seq.0),
            taken_at: card.taken_at.to_string(),
            tags: &card.tags,
        };
        Self { label: Some(label), ..Self::new(&card.handle) }
    }
}

/// Asked for once; tells what the plugin is.
#[derive(Clone, Copy, Debug, Deserialize)]
pub(super) struct Info {
    /// Must be there; its value is checked as in every answer.
    #[serde(rename = "protocol")]
    _protocol: u64,
    #[serde(default)]
    pub(super) instant: bool,
    #[serde(default)]
    pub(super) in_flight: Option<usize>,
    /// Whether it knows `users` and `rollback`.
    #[serde(default)]
    pub(super) rollback: bool,
    /// Whether it gives the tags of a mark back.
    #[serde(default)]
    pub(super) tags: bool,
}

#[derive(Deserialize)]
pub(super) struct Probed {
    pub(super) identity: String,
}

#[derive(Deserialize)]
pub(super) struct Users {
    pub(super) users: Vec<String>,
}

#[derive(Deserialize)]
pub(super) struct Taken {
    pub(super) object: String,
    #[serde(default)]
    pub(super) notes: Vec<String>,
    #[serde(default)]
    pub(super) incomplete: Option<String>,
}

/// Both numbers that make a listing trustworthy must be there; nothing is assumed.
#[derive(Deserialize)]
pub(super) struct Listing {
    #[serde(default)]
    pub(super) identity: Option<String>,
    pub(super) high_water: u64,
    #[serde(default)]
    pub(super) told: Told,
    pub(super) snapshots: Vec<Listed>,
    #[serde(default)]
    pub(super) occupied: Option<u64>,
}

#[derive(Deserialize)]
pub(super) struct Listed {
    /// Read in two steps: another resource's manifest is none of our business.
    pub(super) manifest: Value,
    #[serde(default)]
    pub(super) object: String,
    pub(super) state: State,
    #[serde(default)]
    pub(super) mark: Mark,
    #[serde(default)]
    pub(super) content: Option<Content>,
    #[serde(default)]
    pub(super) notes: Vec<String>,
    #[serde(default)]
    pub(super) incomplete: Option<String>,
    #[serde(default)]
    pub(super) told: Told,
}

/// What there is to tell of the live resource, or of one snapshot, beyond its content.
#[derive(Default, Deserialize)]
pub(super) struct Told {
    #[serde(default)]
    pub(super) engine: Option<Engine>,
    #[serde(default)]
    pub(super) disks: Vec<Disk>,
}

#[derive(Deserialize)]
pub(super) struct Engine {
    pub(super) name: String,
    pub(super) version: String,
}

#[derive(Deserialize)]
pub(super) struct Disk {
    pub(super) name: String,
    pub(super) size: u64,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum State {
    Whole,
    Partial,
    Tampered,
}

impl From<State> for Wholeness {
    fn from(state: State) -> Self {
        match state {
            State::Whole => Wholeness::Whole,
            State::Partial => Wholeness::Partial,
            State::Tampered => Wholeness::Tampered,
        }
    }
}

#[derive(Default, Serialize, Deserialize)]
pub(super) struct Mark {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) doubt: Option<String>,
    #[serde(default)]
    pub(super) accepted: bool,
    #[serde(default)]
    pub(super) trashed: bool,
    /// All its tags, where they are no longer those of its manifest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) tags: Option<Tags>,
}

impl From<&survey::Mark> for Mark {
    fn from(mark: &survey::Mark) -> Self {
        let survey::Mark { doubt, accepted, trashed, tags } = mark.clone();
        Self { doubt, accepted, trashed, tags }
    }
}

#[derive(Clone, Copy, Deserialize)]
pub(super) struct Content {
    pub(super) empty: bool,
    #[serde(default)]
    pub(super) entries: Option<u64>,
    #[serde(default)]
    pub(super) bytes: Option<u64>,
}

impl From<Content> for snapshot::Content {
    fn from(content: Content) -> Self {
        Self { empty: content.empty, entries: content.entries, bytes: content.bytes }
    }
}

#[derive(Deserialize)]
pub(super) struct Verified {
    pub(super) content: Content,
}

/// Nothing to tell but that it is done.
#[derive(Deserialize)]
pub(super) struct Done {}

#[derive(Deserialize)]
pub(super) struct Used {
    #[serde(default)]
    pub(super) stored: Option<u64>,
    #[serde(default)]
    pub(super) exclusive: Option<u64>,
}

/// What stands under `error` in an answer that is a refusal.
#[derive(Deserialize)]
pub(super) struct Refusal {
    pub(super) fault: String,
    pub(super) message: String,
}

impl Refusal {
    /// The faults that a plugin can know of.
    pub(super) const FAULTS: [Fault; 6] = [
        Fault::Busy,
        Fault::Transient,
        Fault::NoSpace,
        Fault::Permanent,
        Fault::Absent,
        Fault::Identity,
    ];

    pub(super) fn fault(&self) -> Option<Fault> {
        Self::FAULTS.into_iter().find(|fault| fault.word() == self.fault)
    }
}
