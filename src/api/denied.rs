//! What the keeper refuses, in public words.

use super::refusal::Refusal;
use crate::domain::denied::{Denied, Firm};
use crate::domain::id::OperationId;
use crate::domain::name::{ENROLLED_NAME_LIMIT, ResourceName};
use crate::domain::sentence::counted;
use crate::domain::snapshot::Selector;
use crate::domain::tag::{TAG_LIMIT, TooMany};
use axum::http::StatusCode;
use std::fmt::Display;

impl From<Denied> for Refusal {
    /// The one place where a denial gets its status, code, sentence and hint.
    fn from(denied: Denied) -> Self {
        match denied {
            Denied::NoSuchResource { name, similar } => {
                let hint = meant(similar, "`heptactl status`");
                Self::absent("no-such-resource", format!("there is no resource {name}"), hint)
            }
            Denied::NoSuchSnapshot { wanted: Selector::Latest(resource), similar } => Self::absent(
                "no-such-snapshot",
                format!(
                    "there is no complete automatic snapshot of {resource} yet; {resource}@latest means \
                     the newest of those"
                ),
                match similar {
                    Some(newest) => format!("the newest of all is {newest}: use that name"),
                    None => format!("`heptactl take {resource} NAME` takes one now"),
                },
            ),
            Denied::NoSuchSnapshot { wanted, similar } => {
                let hint = meant(similar, "`heptactl list`");
                Self::absent("no-such-snapshot", format!("there is no snapshot {wanted}"), hint)
            }
            Denied::BeingTaken { snapshot, operation, queued, done } => Self::clash(
                "being-taken",
                being_taken(&snapshot, operation, queued, done),
                format!(
                    "`heptactl operation {operation} --wait` waits for its end; there is nothing to use \
                     or to delete before"
                ),
            ),
            Denied::TakeFailed { snapshot, resource, operation, why, again } => Self::absent(
                "take-failed",
                format!("there is no {snapshot}: taking it failed (operation {operation}): {why}"),
                match again {
                    true => format!(
                        "there is nothing to delete; `heptactl why {resource}` says whether it is tried \
                         again"
                    ),
                    false => {
                        "there is nothing to delete; take it again once the reason is gone".into()
                    }
                },
            ),
            Denied::BeingDestroyed { snapshot, operation } => Self::clash(
                "being-destroyed",
                format!("{snapshot} is being deleted by operation {operation}"),
                format!("`heptactl operation {operation}` shows how far it is"),
            ),
            Denied::NameTaken { name, by, free } => Self::clash(
                "name-taken",
                format!("the name {name} belongs to a snapshot of {by}"),
                format!(
                    "{}; a snapshot in the trash keeps its name until it is gone",
                    another_name(free)
                ),
            ),
            Denied::ResourceNameTaken { name, free } => Self::clash(
                "resource-name-taken",
                format!("there is a resource {name} already"),
                another_name(free),
            ),
            Denied::SmallerPlan { wanted, had } => Self::clash(
                "smaller-plan",
                format!("plan {wanted} is smaller than {had}, which the snapshot was taken on"),
                "choose the same plan or a larger one; `heptactl plans` shows what there is",
            ),
            Denied::NoUse { what, kind } => Self::clash(
                "no-use",
                format!("{} has no {what}", article(&kind.to_string())),
                format!("leave --{what} out"),
            ),
            Denied::WrongKind { resource, kind, wanted } => Self::clash(
                "wrong-kind",
                format!("{resource} is of kind {kind}; this works with one of kind {wanted}"),
                "`heptactl status` shows what there is",
            ),
            Denied::NotOf { snapshot, resource, of } => Self::clash(
                "not-of",
                format!("{snapshot} is a snapshot of {of}, not of {resource}"),
                format!("`heptactl list {resource}` shows its own"),
            ),
            Denied::NotWhole { snapshot } => Self::clash(
                "not-whole",
                format!("{snapshot} is a snapshot of the system disk only"),
                "create a disk from it with `heptactl create`, or choose a snapshot of the whole instance",
            ),
            Denied::FinalSnapshotUnspecified { resource, kind } => Self::clash(
                "final-snapshot",
                format!(
                    "{resource} is of kind {kind}: say whether a last snapshot of it is to be taken"
                ),
                format!(
                    "with one: `heptactl forget {resource} --final NAME`; without: `heptactl forget \
                     {resource} --skip-final`"
                ),
            ),
            Denied::NoSuchDisk { snapshot, disk, has } => {
                let disk: String = disk.chars().take(60).collect();
                let hint = match has.is_empty() {
                    true => "it has none; leave --disk out".into(),
                    false => format!("it has {}", has.join(", ")),
                };
                Self::clash("no-such-disk", format!("{snapshot} has no attached disk {disk}"), hint)
            }
            Denied::DiskNameTaken { disk, name } => Self::clash(
                "resource-name-taken",
                format!("its disk {disk} cannot be called {name}: that is a resource already"),
                format!("choose a name for it: --disk {disk}=NAME"),
            ),
            Denied::DiskUnnamed { disk } => Self::clash(
                "disk-unnamed",
                format!(
                    "the name of its disk {disk} would have more than {ENROLLED_NAME_LIMIT} characters"
                ),
                format!("choose a name for it: --disk {disk}=NAME"),
            ),
            Denied::LongName { name } => Self::clash(
                "long-name",
                format!(
                    "what heptad declares has a name of up to {ENROLLED_NAME_LIMIT} characters, and \
                     {name} has {}",
                    name.as_str().len()
                ),
                "choose a shorter name",
            ),
            Denied::NotUsable { snapshot, health } => Self::clash(
                "not-usable",
                format!("{snapshot} cannot be used: it is {health}"),
                "choose another snapshot",
            ),
            Denied::InTrash { snapshot } => Self::clash(
                "in-trash",
                format!("{snapshot} is in the trash"),
                format!("`heptactl undelete {snapshot}` brings it back"),
            ),
            Denied::NotInTrash { snapshot } => Self::clash(
                "not-in-trash",
                format!("{snapshot} is not in the trash"),
                "there is nothing to bring back",
            ),
            Denied::InUse { snapshot, operation } => Self::clash(
                "in-use",
                format!("{snapshot} is in use by operation {operation}"),
                format!("`heptactl operation {operation} --wait` waits for it"),
            ),
            Denied::NotAutomatic { snapshot } => Self::clash(
                "not-automatic",
                format!("{snapshot} is not an automatic snapshot"),
                "a manual one is never rotated away, so it needs no keeping",
            ),
            Denied::CronPolicy { resource } => Self::clash(
                "cron-policy",
                format!("{resource} follows a cron expression, which has no time of day"),
                "change the expression in the configuration",
            ),
            Denied::NothingToAcknowledge { resource } => Self::clash(
                "nothing-to-acknowledge",
                format!("nothing of {resource} waits for acknowledgement"),
                format!("`heptactl show {resource}` shows what it has and what it lacks"),
            ),
            Denied::StillConfigured { resource } => Self::clash(
                "still-configured",
                format!("{resource} is still in the configuration"),
                "take it out of the configuration and reload, or disable it",
            ),
            Denied::NotConfigured { resource } => Self::clash(
                "not-configured",
                format!("{resource} is no longer in the configuration"),
                "declare it again and reload; its snapshots can still be used",
            ),
            Denied::InDoubt { resource, reason } => Self::clash(
                "in-doubt",
                format!("rotation of {resource} waits: {reason}"),
                format!("look at it, then `heptactl acknowledge {resource}`"),
            ),
            Denied::TooManyTags { resource, excess } => too_many(&resource, &excess),
            Denied::TagsFull { of, total } => Self::clash(
                "too-many-tags",
                format!("{of} would have {total} tags, and {TAG_LIMIT} are the most"),
                format!("take {} away with the same command: --remove KEY", total - TAG_LIMIT),
            ),
            Denied::NoSuchOperation { operation } => Self::absent(
                "no-such-operation",
                format!("there is no operation {operation} that could be cancelled"),
                "`heptactl operations --open` shows what is under way",
            ),
            Denied::NotCancelled { operation, why: Firm::Over } => Self::clash(
                "operation-over",
                format!(
                    "operation {operation} was already finished, so there is nothing to cancel"
                ),
                format!("`heptactl operation {operation}` shows how it ended"),
            ),
            Denied::NotCancelled { operation, why: Firm::Begun } => Self::clash(
                "operation-begun",
                format!(
                    "operation {operation} has begun, and cannot be stopped in the middle: it goes on"
                ),
                format!("`heptactl operation {operation} --wait` waits for its end"),
            ),
            Denied::NotCancelled { operation, why: Firm::Own } => Self::clash(
                "operation-own",
                format!("operation {operation} is heptad's own work: nobody asked for it"),
                format!("`heptactl operation {operation}` shows what it is for"),
            ),
            Denied::QueueFull { resource } => Self::new(
                StatusCode::TOO_MANY_REQUESTS,
                "queue-full",
                format!("too many operations of {resource} wait already"),
                "ask again later",
            ),
            Denied::KeyReused { key, operation } => Self::clash(
                "key-reused",
                format!(
                    "the Idempotency-Key {key:?} was used for another request, which became \
                     operation {operation}"
                ),
                "send each new request with a new key",
            ),
            Denied::KeyUnproven { key, operation } => Self::clash(
                "key-unproven",
                format!(
                    "the Idempotency-Key {key:?} was used before heptad was upgraded, for operation \
                     {operation}; whether for this very request was not noted then"
                ),
                format!(
                    "`heptactl operation {operation}` shows what became of it; send what is still \
                     to be done with a new key"
                ),
            ),
            Denied::CatalogueUnwritable { reason } => Self::unable(
                "catalogue-unwritable",
                format!("the catalogue cannot be written ({reason}), so nothing is changed"),
                "make room or repair the disk of the state directory, then restart heptad",
            ),
            Denied::Stopping => {
                Self::unable("stopping", "heptad is stopping", "ask again when it has started")
            }
        }
    }
}

/// What to write instead of a name that is taken.
pub(super) fn another_name(free: Option<impl Display>) -> String {
    match free {
        Some(free) => format!("choose another name; {free} is free"),
        None => "choose another name".into(),
    }
}

fn being_taken(
    snapshot: &str,
    operation: OperationId,
    queued: bool,
    done: Option<(u64, Option<u64>)>,
) -> String {
    let far = match done.map(|(done, total)| (done, total.filter(|total| done <= *total))) {
        Some((done, Some(total))) => format!(": {done} of {total} bytes are there"),
        Some((done, None)) => format!(": {done} bytes are there"),
        None => String::new(),
    };
    match queued {
        true => format!("{snapshot} is not taken yet: operation {operation} waits for its turn"),
        false => format!("{snapshot} is being taken by operation {operation}{far}"),
    }
}

fn too_many(resource: &ResourceName, excess: &TooMany) -> Refusal {
    let TooMany { inherited, added, excess } = excess;
    let total = TAG_LIMIT + excess;
    let tags = counted(*inherited, "tag", "tags");
    let message = format!(
        "with the {tags} that it has from {resource} it would have {total}, and {TAG_LIMIT} \
         are the most"
    );
    let hint = match added.is_empty() {
        true => format!("take {excess} off {resource}: `heptactl tag {resource} --remove KEY`"),
        false => format!("leave out {excess} of {}", added.join(", ")),
    };
    Refusal::clash("too-many-tags", message, hint)
}

/// `a disk`, `an instance`.
fn article(kind: &str) -> String {
    let vowel = kind.starts_with(['a', 'e', 'i', 'o', 'u']);
    format!("{} {kind}", if vowel { "an" } else { "a" })
}

/// "Did you mean", or where to look.
fn meant(similar: Option<impl Display>, list: &str) -> String {
    match similar {
        Some(similar) => format!("did you mean {similar}?"),
        None => format!("{list} shows what there is"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::plan::Plan;
    use crate::domain::resource::Kind;

    /// One of each, and more where a sentence is put together from parts.
    fn all() -> Vec<Denied> {
        let web = || "web-1".parse::<ResourceName>().unwrap();
        let name = || "golden".parse().unwrap();
        let (snapshot, operation) = (|| "golden".to_owned(), OperationId(7));
        let (kind, wanted) = (Kind::Disk, Kind::Instance);
        let plan = |vcpus| Plan { name: "small".parse().unwrap(), vcpus, memory: 1 << 30, disk: 1 };
        let taken =
            |queued, done| Denied::BeingTaken { snapshot: snapshot(), operation, queued, done };
        let failed = |again| {
            let (resource, why) = (web(), "the store is full".into());
            Denied::TakeFailed { snapshot: snapshot(), resource, operation, why, again }
        };
        let tags = |inherited, added: &[&str], excess| {
            let added = added.iter().map(|key| (*key).into()).collect();
            Denied::TooManyTags { resource: web(), excess: TooMany { inherited, added, excess } }
        };
        let unknown =
            |similar| Denied::NoSuchSnapshot { wanted: "golden".parse().unwrap(), similar };
        let latest =
            |similar| Denied::NoSuchSnapshot { wanted: "web-1@latest".parse().unwrap(), similar };
        vec![
            Denied::NoSuchResource { name: web(), similar: None },
            Denied::NoSuchResource { name: web(), similar: Some(web()) },
            unknown(None),
            unknown(Some("golden-1".into())),
            latest(None),
            latest(Some("golden".into())),
            taken(true, None),
            taken(false, None),
            taken(false, Some((5, None))),
            taken(false, Some((5, Some(7)))),
            failed(true),
            failed(false),
            Denied::BeingDestroyed { snapshot: snapshot(), operation },
            Denied::NameTaken { name: name(), by: web(), free: None },
            Denied::NameTaken { name: name(), by: web(), free: "golden-2".parse().ok() },
            Denied::SmallerPlan { wanted: plan(1), had: plan(2) },
            Denied::NoUse { what: "plan", kind },
            Denied::WrongKind { resource: web(), kind, wanted },
            Denied::NotOf { snapshot: snapshot(), resource: web(), of: web() },
            Denied::NotWhole { snapshot: snapshot() },
            Denied::FinalSnapshotUnspecified { resource: web(), kind },
            Denied::ResourceNameTaken { name: web(), free: "web-2".parse().ok() },
            Denied::NoSuchDisk { snapshot: snapshot(), disk: "vdc".into(), has: vec![] },
            Denied::NoSuchDisk {
                snapshot: snapshot(),
                disk: "vdc".into(),
                has: vec!["vdb".into()],
            },
            Denied::DiskNameTaken { disk: "vdb".into(), name: web() },
            Denied::DiskUnnamed { disk: "vdb".into() },
            Denied::LongName { name: web() },
            Denied::NotUsable { snapshot: snapshot(), health: "missing".into() },
            Denied::InTrash { snapshot: snapshot() },
            Denied::NotInTrash { snapshot: snapshot() },
            Denied::InUse { snapshot: snapshot(), operation },
            Denied::NotAutomatic { snapshot: snapshot() },
            Denied::CronPolicy { resource: web() },
            Denied::NothingToAcknowledge { resource: web() },
            Denied::StillConfigured { resource: web() },
            Denied::NotConfigured { resource: web() },
            Denied::InDoubt { resource: web(), reason: "golden is suspect: it is empty".into() },
            tags(1, &[], 1),
            tags(49, &["a", "b"], 2),
            Denied::TagsFull { of: snapshot(), total: 52 },
            Denied::NoSuchOperation { operation },
            Denied::NotCancelled { operation, why: Firm::Over },
            Denied::NotCancelled { operation, why: Firm::Begun },
            Denied::NotCancelled { operation, why: Firm::Own },
            Denied::QueueFull { resource: web() },
            Denied::KeyReused { key: "k1".into(), operation },
            Denied::KeyUnproven { key: "k1".into(), operation },
            Denied::CatalogueUnwritable { reason: "disk I/O error".into() },
            Denied::Stopping,
        ]
    }

    #[test]
    fn every_refusal_reads_as_a_sentence_with_a_way_out() {
        let odd = [", or;", "; ;", ";;", " ,", " ;", "..", "  ", ": :", "or ;", "and;", "::"];
        let mut table = String::new();
        let mut findings = Vec::new();
        for denied in all() {
            let shown = format!("{denied:?}");
            let Refusal { status, refusal } = Refusal::from(denied);
            let (code, sentence, hint) = (&refusal.code, &refusal.message, &refusal.hint);
            table.push_str(&format!("{status} {code}\n    {sentence}\n    {hint}\n"));
            for text in [sentence, hint] {
                let ends = text.ends_with([';', ',', ':', '.', ' ']);
                if text.is_empty() || ends || odd.iter().any(|part| text.contains(part)) {
                    findings.push(format!("{shown}: {text:?}"));
                }
            }
        }
        assert!(findings.is_empty(), "{}\n{table}", findings.join("\n"));
    }

    #[test]
    fn a_refusal_has_a_code_a_sentence_and_a_way_out() {
        let name = || "web-1".parse().unwrap();
        let check = |denied: Denied, status: u16, code: &str, sentence: &str, hint: &str| {
            let Refusal { status: got, refusal } = Refusal::from(denied);
            assert_eq!((got.as_u16(), refusal.code.as_str()), (status, code));
            assert_eq!((refusal.message.as_str(), refusal.hint.as_str()), (sentence, hint));
        };
        check(
            Denied::NoSuchResource { name: "wbe-1".parse().unwrap(), similar: Some(name()) },
            404,
            "no-such-resource",
            "there is no resource wbe-1",
            "did you mean web-1?",
        );
        check(
            Denied::StillConfigured { resource: name() },
            409,
            "still-configured",
            "web-1 is still in the configuration",
            "take it out of the configuration and reload, or disable it",
        );
        let added = vec!["cost".into(), "team".into()];
        check(
            Denied::TooManyTags {
                resource: name(),
                excess: TooMany { inherited: 49, added, excess: 1 },
            },
            409,
            "too-many-tags",
            "with the 49 tags that it has from web-1 it would have 51, and 50 are the most",
            "leave out 1 of cost, team",
        );
        check(
            Denied::QueueFull { resource: name() },
            429,
            "queue-full",
            "too many operations of web-1 wait already",
            "ask again later",
        );
    }
}
