//! The identity card beside every snapshot: written before its commit point, read whenever the
//! catalogue cannot be believed. Also the mark, which is written after.

use crate::domain::name::ResourceName;
use crate::domain::operation::Fault;
use crate::domain::plan::Plan;
use crate::domain::resource::Kind;
use crate::domain::snapshot::{Card, Handle, Origin, Part, Seq};
use crate::domain::survey::Mark;
use crate::domain::tag::Tags;
use crate::domain::told::Proof;
use crate::fs::{Doing, StorageError};
use crate::host::durable;
use serde::{Deserialize, Serialize};
use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use uuid::Uuid;

/// The file's name beside a snapshot.
pub const MANIFEST: &str = "manifest.json";
/// The mark's file name.
pub const MARK: &str = "mark.json";
/// The mark, and what a crash can leave beside it, also of an older heptad.
pub const MARKS: [&str; 3] = [MARK, ".mark.json.new", "mark.json.new"];
/// Larger files are not ours; nothing reads them.
const SIZE_LIMIT: u64 = 256 * 1024;
/// The format's version; a higher one is refused, not guessed at.
pub const VERSION: u32 = 1;

/// A manifest as it stands on disk.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// The format's version.
    pub heptad: u32,
    pub resource: String,
    pub backend: String,
    pub seq: u64,
    pub id: Uuid,
    pub origin: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slot: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kept_from: Option<u64>,
    pub taken_at: String,
    #[serde(default, skip_serializing_if = "Tags::is_empty")]
    pub tags: Tags,
    /// Absent in manifests from before there were kinds other than disks and databases; then what
    /// `backend` is tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub part: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan: Option<PlanOnDisk>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub blueprint: Option<String>,
    /// What the backend wants to remember: its parts, how it copied.
    #[serde(default, skip_serializing_if = "serde_json::Value::is_null")]
    pub detail: serde_json::Value,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    /// What the resource has and this snapshot lacks, as a sentence part.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub incomplete: Option<String>,
}

/// A plan as it was when the snapshot was taken; the configuration's may change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlanOnDisk {
    pub name: String,
    pub vcpus: u32,
    /// Bytes.
    pub memory: u64,
    pub disk: u64,
}

impl Manifest {
    pub fn new(resource: &ResourceName, backend: &str, card: &Card) -> Self {
        Self {
            heptad: VERSION,
            resource: resource.to_string(),
            backend: backend.into(),
            seq: card.handle.seq.0,
            id: card.handle.id,
            origin: origin_word(card.origin).into(),
            name: card.name.as_ref().map(ToString::to_string),
            slot: card.slot.map(|slot| slot.to_string()),
            kept_from: card.kept_from.map(|seq| seq.0),
            taken_at: card.taken_at.to_string(),
            tags: card.tags.clone(),
            kind: Some(card.kind.word().into()),
            part: (card.part != Part::Whole).then(|| card.part.word().into()),
            plan: card.plan.as_ref().map(|plan| PlanOnDisk {
                name: plan.name.to_string(),
                vcpus: plan.vcpus,
                memory: plan.memory,
                disk: plan.disk,
            }),
            blueprint: card.blueprint.clone(),
            detail: serde_json::Value::Null,
            notes: Vec::new(),
            incomplete: None,
        }
    }

    /// The card that it describes; `object` is the backend's identity of what lies beside it.
    ///
    /// # Errors
    /// [`Fault::Permanent`] when a field does not hold what it must.
    pub fn card(&self, object: String) -> Result<Card, StorageError> {
        let bad = |field: &str, why: String| {
            let doing = format!("reading {field} of manifest {}", self.id);
            StorageError::new(Fault::Permanent, doing, why)
        };
        // The catalogue counts in signed 64 bits, and the next number must fit too.
        let counts = |number: u64| (1..i64::MAX.unsigned_abs()).contains(&number);
        if !counts(self.seq) {
            return Err(bad("seq", self.seq.to_string()));
        }
        if let Some(number) = self.kept_from.filter(|number| !counts(*number)) {
            return Err(bad("kept_from", number.to_string()));
        }
        let origin = Origin::ALL.into_iter().find(|origin| origin_word(*origin) == self.origin);
        Ok(Card {
            handle: Handle { seq: Seq(self.seq), id: self.id, object },
            origin: origin.ok_or_else(|| bad("origin", self.origin.clone()))?,
            name: parse(self.name.as_deref()).map_err(|why| bad("name", why))?,
            slot: parse(self.slot.as_deref()).map_err(|why| bad("slot", why))?,
            kept_from: self.kept_from.map(Seq),
            taken_at: self
                .taken_at
                .parse()
                .map_err(|e: jiff::Error| bad("taken_at", e.to_string()))?,
            tags: self.tags.clone(),
            kind: self.kind().ok_or_else(|| bad("kind", format!("{:?}", self.kind)))?,
            part: self.part().ok_or_else(|| bad("part", format!("{:?}", self.part)))?,
            plan: self.plan().map_err(|why| bad("plan", why))?,
            blueprint: self.blueprint.clone(),
        })
    }

    fn kind(&self) -> Option<Kind> {
        let Some(word) = &self.kind else {
            let database = matches!(self.backend.as_str(), "postgres" | "sqlite");
            return Some(if database { Kind::Database } else { Kind::Disk });
        };
        Kind::ALL.into_iter().find(|kind| kind.word() == word)
    }

    fn part(&self) -> Option<Part> {
        let Some(word) = &self.part else { return Some(Part::Whole) };
        Part::ALL.into_iter().find(|part| part.word() == word)
    }

    fn plan(&self) -> Result<Option<Plan>, String> {
        let Some(plan) = &self.plan else { return Ok(None) };
        let name = plan.name.parse().map_err(|e| format!("its name {e}"))?;
        let &PlanOnDisk { vcpus, memory, disk, .. } = plan;
        Ok(Some(Plan { name, vcpus, memory, disk }))
    }

    /// Writes it into `dir` and makes the file's bytes durable; the caller makes `dir` durable.
    pub fn write(&self, dir: &Path) -> Result<(), StorageError> {
        write_new(dir, MANIFEST, self, true)
    }

    /// As [`Manifest::write`], for a caller whose commit point makes everything durable at once.
    pub fn write_unsynced(&self, dir: &Path) -> Result<(), StorageError> {
        write_new(dir, MANIFEST, self, false)
    }

    /// The mark in `dir`, beside this manifest. What the snapshot lacks is a doubt from the moment
    /// that it exists, also before a mark was written, and after.
    pub fn mark(&self, dir: &Path) -> Result<Mark, StorageError> {
        let mark = read_mark(dir)?;
        Ok(Mark { doubt: mark.doubt.or_else(|| self.incomplete.clone()), ..mark })
    }

    /// Reads the manifest in `dir`; `None` where there is none.
    pub fn read(dir: &Path) -> Result<Option<Self>, StorageError> {
        let found: Option<Self> = read_json(&dir.join(MANIFEST))?;
        match found {
            Some(manifest) if manifest.heptad != VERSION => Err(StorageError::new(
                Fault::Permanent,
                format!("reading {}", dir.join(MANIFEST).display()),
                format!("its format is {}, this heptad reads {VERSION}", manifest.heptad),
            )),
            found => Ok(found),
        }
    }
}

fn parse<T: std::str::FromStr<Err: ToString>>(text: Option<&str>) -> Result<Option<T>, String> {
    text.map(str::parse).transpose().map_err(|error: T::Err| error.to_string())
}

/// The stable word of an origin.
pub fn origin_word(origin: Origin) -> &'static str {
    match origin {
        Origin::Automatic => "automatic",
        Origin::Manual => "manual",
        Origin::Copied => "copied",
    }
}

#[derive(Default, Serialize, Deserialize)]
struct MarkFile {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    doubt: Option<String>,
    #[serde(default)]
    accepted: bool,
    #[serde(default)]
    trashed: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    tags: Option<Tags>,
}

impl From<&Mark> for MarkFile {
    fn from(mark: &Mark) -> Self {
        let Mark { doubt, accepted, trashed, tags } = mark.clone();
        Self { doubt, accepted, trashed, tags }
    }
}

/// Durably replaces the mark in `dir`.
pub fn write_mark(dir: &Path, mark: &Mark) -> Result<(), StorageError> {
    let doing = || format!("replacing {MARK}");
    let text = pretty(&MarkFile::from(mark)).doing(doing)?;
    durable::replace(&dir.join(MARK), &text).doing(doing)
}

/// Reads the mark in `dir`; the default where there is none.
fn read_mark(dir: &Path) -> Result<Mark, StorageError> {
    let MarkFile { doubt, accepted, trashed, tags } =
        read_json(&dir.join(MARK))?.unwrap_or_default();
    Ok(Mark { doubt, accepted, trashed, tags })
}

/// The proof's file name.
const PROOF: &str = "proof.json";

#[derive(Serialize, Deserialize)]
struct ProofFile {
    at: jiff::Timestamp,
    by: String,
}

/// Durably notes beside the snapshot in `dir` that it was proven, now and by this.
pub fn write_proof(dir: &Path, by: String) -> Result<Proof, StorageError> {
    let (path, doing) = (dir.join(PROOF), || format!("writing {PROOF}"));
    // By the clock of the file system: no other is known here.
    let now = File::create(durable::stage(&path)).and_then(|file| file.metadata()?.modified());
    let at = jiff::Timestamp::try_from(now.doing(doing)?);
    let at = at.map_err(std::io::Error::other).doing(doing)?;
    let text = pretty(&ProofFile { at, by: by.clone() }).doing(doing)?;
    durable::replace(&path, &text).doing(doing)?;
    Ok(Proof { at, by })
}

/// Reads the proof in `dir`, if there is one.
pub fn read_proof(dir: &Path) -> Result<Option<Proof>, StorageError> {
    let file: Option<ProofFile> = read_json(&dir.join(PROOF))?;
    Ok(file.map(|file| Proof { at: file.at, by: file.by }))
}

fn write_new(
    dir: &Path,
    name: &str,
    what: &impl Serialize,
    sync: bool,
) -> Result<(), StorageError> {
    let path = dir.join(name);
    let write = || -> std::io::Result<()> {
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path)?;
        file.write_all(&pretty(what)?)?;
        if sync { file.sync_all() } else { Ok(()) }
    };
    write().doing(|| format!("writing {}", path.display()))
}

fn pretty(what: &impl Serialize) -> std::io::Result<Vec<u8>> {
    let mut text = serde_json::to_vec_pretty(what)?;
    text.push(b'\n');
    Ok(text)
}

fn read_json<T: for<'a> Deserialize<'a>>(path: &Path) -> Result<Option<T>, StorageError> {
    let doing = || format!("reading {}", path.display());
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(StorageError::io(doing(), &error)),
    };
    let mut text = Vec::new();
    file.take(SIZE_LIMIT).read_to_end(&mut text).doing(doing)?;
    let parsed = serde_json::from_slice(&text);
    parsed.map(Some).map_err(|e| StorageError::new(Fault::Permanent, doing(), e.to_string()))
}
