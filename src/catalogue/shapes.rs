//! The JSON texts inside rows: phases of a timeline, parameters of an act.

use super::field::nanos;
use super::words::Word;
use crate::domain::dating::{Dating, Rewound};
use crate::domain::new_resource::NewResource;
use crate::domain::operation::{Act, Doom, Leftovers};
use crate::domain::plan::Plan;
use crate::domain::policy::{Rhythm, When, Zone};
use crate::domain::rotation::Payment;
use crate::domain::snapshot::{Part, Seq};
use crate::domain::tag::{Retag, Tags};
use crate::domain::timeline::{Off, Phase, Timeline};
use crate::domain::usage::{KnownTotal, SnapshotSet, TotalUsage};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// A rhythm as text: in the columns of an account and in each phase of its timeline.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RhythmText {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cron: Option<String>,
    pub zone: String,
    pub offset: u32,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct PlanText {
    name: String,
    vcpus: u32,
    memory: u64,
    disk: u64,
}

impl PlanText {
    fn new(plan: &Plan) -> Self {
        let &Plan { vcpus, memory, disk, .. } = plan;
        Self { name: plan.name.to_string(), vcpus, memory, disk }
    }

    fn plan(self) -> Result<Plan, String> {
        let name = self.name.parse().map_err(|e| format!("name: {e}"))?;
        Ok(Plan { name, vcpus: self.vcpus, memory: self.memory, disk: self.disk })
    }
}

pub(super) fn plan_text(plan: &Plan) -> String {
    serde_json::json!(PlanText::new(plan)).to_string()
}

pub(super) fn plan(text: &str) -> Result<Plan, String> {
    serde_json::from_str::<PlanText>(text).map_err(|e| e.to_string())?.plan()
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct OccupiedText {
    bytes: u64,
    exact: bool,
    count: u64,
    newest: u64,
}

pub(super) fn occupied_text(measured: &KnownTotal) -> String {
    let KnownTotal { occupied: TotalUsage { bytes, exact }, of } = *measured;
    let text = OccupiedText { bytes, exact, count: of.count, newest: of.newest.0 };
    serde_json::json!(text).to_string()
}

pub(super) fn occupied(text: &str) -> Result<KnownTotal, String> {
    let text: OccupiedText = serde_json::from_str(text).map_err(|e| e.to_string())?;
    let occupied = TotalUsage { bytes: text.bytes, exact: text.exact };
    Ok(KnownTotal { occupied, of: SnapshotSet { count: text.count, newest: Seq(text.newest) } })
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct PaymentText {
    at_ns: Option<i64>,
    unpaid: u32,
    lowered: bool,
}

pub(super) fn payment_text(payment: &Payment) -> String {
    let &Payment { at, unpaid, lowered, .. } = payment;
    serde_json::json!(PaymentText { at_ns: at.map(nanos), unpaid, lowered }).to_string()
}

pub(super) fn payment(text: &str) -> Result<Payment, String> {
    let PaymentText { at_ns, unpaid, lowered } =
        serde_json::from_str(text).map_err(|e| e.to_string())?;
    let at = at_ns.map(SignedDuration::from_nanos);
    Ok(Payment { at, unpaid, lowered, ..Payment::default() })
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct PhaseText {
    from: String,
    rhythm: RhythmText,
}

/// Phases alone are written as a list, as they were before times off were remembered.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct TimelineText {
    phases: Vec<PhaseText>,
    off: Vec<(String, Option<String>)>,
    #[serde(default)]
    dating: DatingText,
}

#[derive(Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct DatingText {
    #[serde(skip_serializing_if = "Option::is_none")]
    taken_ns: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    completed_ns: Option<i64>,
    /// When, the newest number, and whether the clock was believed.
    #[serde(skip_serializing_if = "Option::is_none")]
    rewound: Option<(String, u64, bool)>,
}

impl DatingText {
    fn new(dating: &Dating) -> Self {
        let rewound = dating.rewound.map(|r| (instant_text(r.at), r.seq.0, r.sure));
        let (taken_ns, completed_ns) = (dating.taken.map(nanos), dating.completed.map(nanos));
        Self { taken_ns, completed_ns, rewound }
    }

    fn dating(self) -> Result<Dating, String> {
        let rewound = self.rewound.map(|(at, seq, sure)| {
            let at = at.parse().map_err(|e| format!("rewound: {e}"))?;
            Ok::<_, String>(Rewound { at, seq: Seq(seq), sure })
        });
        let (taken, completed) = (self.taken_ns, self.completed_ns);
        Ok(Dating {
            taken: taken.map(SignedDuration::from_nanos),
            completed: completed.map(SignedDuration::from_nanos),
            rewound: rewound.transpose()?,
        })
    }
}

impl RhythmText {
    pub(super) fn new(rhythm: &Rhythm) -> Self {
        let (time, cron) = match &rhythm.when {
            When::Daily(time) => (Some(time.to_string()), None),
            When::Cron(expression) => (None, Some(expression.as_str().into())),
        };
        Self { time, cron, zone: rhythm.zone.name().into(), offset: rhythm.offset }
    }

    /// The rhythm. A zone that nobody here knows is reported to `unknown`; UTC stands in for it.
    pub(super) fn rhythm(&self, unknown: &mut dyn FnMut(&str)) -> Result<Rhythm, String> {
        let when = match (&self.time, &self.cron) {
            (Some(time), None) => When::Daily(time.parse().map_err(|e| format!("time: {e}"))?),
            (None, Some(cron)) => When::Cron(cron.parse().map_err(|e| format!("cron: {e}"))?),
            _ => return Err("it has not just one of time and cron".into()),
        };
        let zone = Zone::named(&self.zone, TimeZone::get(&self.zone).ok());
        if zone.is_lost() {
            unknown(&self.zone);
        }
        Ok(Rhythm { when, zone, offset: self.offset })
    }
}

/// Beside it, in the same column, what is known of the times that snapshots bear.
pub(super) fn timeline_text(timeline: &Timeline, dating: &Dating) -> String {
    let phase = |phase: &Phase| PhaseText {
        from: instant_text(phase.from),
        rhythm: RhythmText::new(&phase.rhythm),
    };
    let phases: Vec<PhaseText> = timeline.phases().iter().map(phase).collect();
    if timeline.off().is_empty() && *dating == Dating::default() {
        return serde_json::json!(phases).to_string();
    }
    let off = timeline.off().iter();
    let off = off.map(|off| (instant_text(off.from), off.until.map(instant_text))).collect();
    let dating = DatingText::new(dating);
    serde_json::json!(TimelineText { phases, off, dating }).to_string()
}

pub(super) fn timeline(
    text: &str,
    unknown: &mut dyn FnMut(&str),
) -> Result<(Timeline, Dating), String> {
    let text = if text.trim_start().starts_with('{') {
        serde_json::from_str(text).map_err(|e| e.to_string())?
    } else {
        let phases = serde_json::from_str(text).map_err(|e| e.to_string())?;
        TimelineText { phases, off: Vec::new(), dating: DatingText::default() }
    };
    let phase = |text: PhaseText| {
        let from = text.from.parse().map_err(|e| format!("from: {e}"))?;
        Ok(Phase { rhythm: text.rhythm.rhythm(unknown)?, from })
    };
    let phases = text.phases.into_iter().map(phase).collect::<Result<_, String>>()?;
    let instant = |text: String| text.parse().map_err(|e| format!("off: {e}"));
    let off = text.off.into_iter().map(|(from, until)| {
        Ok(Off { from: instant(from)?, until: until.map(instant).transpose()? })
    });
    let timeline = Timeline::new(phases).with_off(off.collect::<Result<_, String>>()?);
    Ok((timeline, text.dating.dating()?))
}

/// Nine decimals, so that the order of texts is the order of instants.
pub(super) fn instant_text(at: Timestamp) -> String {
    format!("{at:.9}")
}

/// What an act needs beside its word and its snapshot.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Parameters {
    #[serde(skip_serializing_if = "Option::is_none")]
    slot: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    #[serde(skip_serializing_if = "Tags::is_empty")]
    tags: Tags,
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    untag: BTreeSet<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    from: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    paid_by: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    path: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    time: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    automatic: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    part: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    plan: Option<PlanText>,
    #[serde(skip_serializing_if = "Option::is_none")]
    size: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    port: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    disk: Option<String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    disks: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    safety: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last: Option<u64>,
}

impl Parameters {
    pub(super) fn new(act: &Act) -> Self {
        let none = Self::default();
        match act {
            Act::Take { slot, name, tags, part, .. } => Self {
                part: (*part != Part::Whole).then(|| part.word().into()),
                slot: slot.map(|slot| slot.to_string()),
                name: name.as_ref().map(ToString::to_string),
                tags: tags.clone(),
                ..none
            },
            Act::Keep { from, name, tags, .. } => Self {
                from: Some(from.0),
                name: Some(name.to_string()),
                tags: tags.clone(),
                ..none
            },
            Act::Tag { change, .. } => {
                Self { tags: change.set.clone(), untag: change.remove.clone(), ..none }
            }
            Act::Destroy { why, .. } => {
                let (why, paid_by) = doom_word(*why);
                Self { why: Some(why.into()), paid_by, ..none }
            }
            Act::Create { draft, .. } => Self::of_draft(draft),
            Act::Rollback { safety, .. } => Self { safety: Some(safety.0), ..none },
            Act::Attach { disk } | Act::Detach { disk } => {
                Self { disk: Some(disk.to_string()), ..none }
            }
            Act::Enable { time } => Self { time: time.map(|time| time.to_string()), ..none },
            Act::SetTime { time } => Self { time: Some(time.to_string()), ..none },
            Act::Forget { automatic, last } => Self {
                automatic: Some(automatic.word().into()),
                last: last.map(|seq| seq.0),
                ..none
            },
            Act::Trash { .. } | Act::Undelete { .. } | Act::Mark { .. } => none,
            Act::Survey | Act::Disable | Act::Reset | Act::Acknowledge | Act::Rotate => none,
        }
    }

    fn of_draft(draft: &NewResource) -> Self {
        Self {
            name: Some(draft.name.to_string()),
            path: draft.path.clone(),
            plan: draft.plan.as_ref().map(PlanText::new),
            size: draft.size,
            port: draft.port,
            time: draft.time.map(|time| time.to_string()),
            tags: draft.tags.clone(),
            disks: draft
                .disks
                .iter()
                .map(|(disk, name)| (disk.clone(), name.to_string()))
                .collect(),
            ..Self::default()
        }
    }

    fn draft(self) -> Result<NewResource, String> {
        let name = |(disk, name): (String, String)| {
            let name = name.parse().map_err(|error| format!("disks: {error}"))?;
            Ok::<_, String>((disk, name))
        };
        Ok(NewResource {
            disks: self.disks.into_iter().map(name).collect::<Result<_, _>>()?,
            name: need(parse(self.name, "name")?, "name")?,
            path: self.path,
            plan: self.plan.map(PlanText::plan).transpose()?,
            size: self.size,
            port: self.port,
            time: parse(self.time, "time")?,
            tags: self.tags,
        })
    }

    /// The act of this word about this snapshot.
    pub(super) fn act(self, word: &str, seq: Option<u64>) -> Result<Act, String> {
        let about = || need(seq, "seq").map(Seq);
        Ok(match word {
            "survey" => Act::Survey,
            "take" => Act::Take {
                seq: about()?,
                slot: parse(self.slot, "slot")?,
                name: parse(self.name, "name")?,
                tags: self.tags,
                part: match self.part {
                    Some(word) => Part::of(&word).ok_or(format!("part is {word:?}"))?,
                    None => Part::Whole,
                },
            },
            "keep" => Act::Keep {
                from: Seq(need(self.from, "from")?),
                seq: about()?,
                name: need(parse(self.name, "name")?, "name")?,
                tags: self.tags,
            },
            "tag" => {
                Act::Tag { seq: seq.map(Seq), change: Retag { set: self.tags, remove: self.untag } }
            }
            "destroy" => Act::Destroy { seq: about()?, why: doom(self.why, self.paid_by)? },
            "create" => Act::Create { from: about()?, draft: Box::new(self.draft()?) },
            "rollback" => Act::Rollback { to: about()?, safety: Seq(need(self.safety, "safety")?) },
            "attach" => Act::Attach { disk: need(parse(self.disk, "disk")?, "disk")? },
            "detach" => Act::Detach { disk: need(parse(self.disk, "disk")?, "disk")? },
            "delete" => Act::Trash { seq: about()? },
            "undelete" => Act::Undelete { seq: about()? },
            "mark" => Act::Mark { seq: about()? },
            "enable" => Act::Enable { time: parse(self.time, "time")? },
            "disable" => Act::Disable,
            "set-time" => Act::SetTime { time: need(parse(self.time, "time")?, "time")? },
            "reset" => Act::Reset,
            "acknowledge" => Act::Acknowledge,
            "rotate" => Act::Rotate,
            "forget" => {
                let word = need(self.automatic, "automatic")?;
                let automatic = Leftovers::of(&word).ok_or(format!("automatic is {word:?}"))?;
                Act::Forget { automatic, last: self.last.map(Seq) }
            }
            other => return Err(format!("no act is called {other:?}")),
        })
    }
}

fn need<T>(value: Option<T>, what: &str) -> Result<T, String> {
    value.ok_or_else(|| format!("{what} is missing"))
}

fn parse<T>(text: Option<String>, what: &str) -> Result<Option<T>, String>
where
    T: std::str::FromStr<Err: std::fmt::Display>,
{
    let parsed = text.map(|text| text.parse()).transpose();
    parsed.map_err(|error: T::Err| format!("{what}: {error}"))
}

fn doom_word(doom: Doom) -> (&'static str, Option<u64>) {
    match doom {
        Doom::Rotated { paid_by } => ("rotated", Some(paid_by.0)),
        Doom::Asked => ("asked", None),
        Doom::TrashExpired => ("trash-expired", None),
        Doom::Unfinished => ("unfinished", None),
    }
}

fn doom(word: Option<String>, paid_by: Option<u64>) -> Result<Doom, String> {
    match (need(word, "why")?.as_str(), paid_by) {
        ("rotated", Some(seq)) => Ok(Doom::Rotated { paid_by: Seq(seq) }),
        ("asked", None) => Ok(Doom::Asked),
        ("trash-expired", None) => Ok(Doom::TrashExpired),
        ("unfinished", None) => Ok(Doom::Unfinished),
        (word, paid_by) => Err(format!("why is {word:?}, paid by {paid_by:?}")),
    }
}
