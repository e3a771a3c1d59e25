//! What a request, an operation and its end are in a sentence: one wording for the terminal and for
//! the journal.

use super::answers::operation;
use super::wire;
use crate::domain::ledger::Ledger;
use crate::domain::new_resource::NewResource;
use crate::domain::operation::{Fault, Operation};
use crate::domain::request::{FinalSnapshot, Request};
use crate::domain::snapshot::Part;

/// An operation as clients see it, but for its progress.
pub fn operation(ledger: &Ledger, operation: &Operation) -> wire::Operation {
    operation::operation(ledger, operation, None)
}

/// `take before-upgrade`, `set-time 15:00`, `create copy at /srv/copy from before-upgrade`.
pub fn title(operation: &wire::Operation) -> String {
    let act = operation.act.as_str();
    match (act, &operation.snapshot, &operation.detail) {
        ("create", Some(snapshot), Some(new)) => format!("create {new} from {snapshot}"),
        ("rollback", Some(snapshot), _) => format!("rollback to {snapshot}"),
        ("survey", ..) => "look at its snapshots".into(),
        ("destroy", Some(snapshot), _) => format!("delete {} for good", called(snapshot)),
        (_, Some(snapshot), _) => format!("{act} {snapshot}"),
        // What becomes of its snapshots, or of a last one.
        ("forget", None, Some(detail)) => format!("forget it ({detail})"),
        (_, None, Some(detail)) => format!("{act} {detail}"),
        (_, None, None) => act.into(),
    }
}

/// Once it is gone it has only its number: `web#5`.
fn called(snapshot: &str) -> String {
    match snapshot.rsplit_once('#') {
        Some((_, number)) => format!("snapshot number {number}"),
        None => snapshot.into(),
    }
}

/// That it has begun: `www: taking before-upgrade`.
pub fn beginning(operation: &wire::Operation) -> String {
    let resource = &operation.resource;
    let snapshot = operation.snapshot.as_deref().unwrap_or("a snapshot");
    let detail = operation.detail.as_deref();
    let doing = match (operation.act.as_str(), detail) {
        ("take", _) => format!("taking {snapshot}"),
        ("keep", Some(from)) => format!("keeping {snapshot} {from}"),
        ("keep", None) => format!("keeping {snapshot}"),
        ("create", Some(new)) => format!("creating {new} from {snapshot}"),
        ("rollback", _) => format!("rolling back to {snapshot}"),
        ("attach", Some(disk)) => format!("attaching {disk}"),
        ("detach", Some(disk)) => format!("detaching {disk}"),
        ("tag", _) => format!("changing the tags of {snapshot}"),
        ("delete", _) => format!("putting {snapshot} into the trash"),
        ("destroy", _) => format!("deleting {} for good", called(snapshot)),
        ("undelete", _) => format!("bringing {snapshot} back from the trash"),
        ("mark", _) => format!("noting beside {snapshot} what is known of it"),
        ("rotate", _) => "looking for snapshots beyond what is kept".into(),
        _ => format!("{} has begun", title(operation)),
    };
    format!("{resource}: {doing}")
}

/// How it ended well, or where it is: `www: took before-upgrade`.
pub fn ending(operation: &wire::Operation) -> String {
    let resource = &operation.resource;
    let snapshot = operation.snapshot.as_deref().unwrap_or("the snapshot");
    // `from web-1@2026-11-22` of a keep, `NAME at PATH` of a create.
    let detail = operation.detail.as_deref();
    if operation.state.is_open() {
        let state = match operation.state {
            wire::OperationState::Queued => "queued",
            _ => "running",
        };
        let (id, title) = (operation.id, title(operation));
        return format!("{resource}: {title} is {state} as operation {id}");
    }
    match operation.act.as_str() {
        "take" => format!("{resource}: took {snapshot}"),
        "keep" => match detail {
            Some(from) => format!("{resource}: kept {snapshot} {from}"),
            None => format!("{resource}: kept {snapshot}"),
        },
        "create" => match detail {
            Some(detail) => format!("{resource}: created {detail} from {snapshot}"),
            None => format!("{resource}: created a resource from {snapshot}"),
        },
        "rollback" => match detail {
            Some(safety) => format!("{resource}: rolled back to {snapshot}; {safety}"),
            None => format!("{resource}: rolled back to {snapshot}"),
        },
        "attach" => format!("{resource}: has {}", detail.unwrap_or("the disk")),
        "detach" => format!("{resource}: has {} no more", detail.unwrap_or("the disk")),
        "tag" => {
            let of = operation.snapshot.as_deref().unwrap_or(resource);
            format!("{resource}: tags of {of} changed: {}", detail.unwrap_or_default())
        }
        "delete" => format!("{resource}: {snapshot} is in the trash"),
        "destroy" => format!("{resource}: {} is deleted for good", called(snapshot)),
        "undelete" => format!("{resource}: {snapshot} is back"),
        "acknowledge" => format!("{resource}: acknowledged; rotation goes on"),
        "forget" => format!("{resource}: forgotten"),
        "rotate" => format!("{resource}: dropping snapshots beyond the retention limit"),
        _ => format!("{resource}: {} is done", title(operation)),
    }
}

/// That it failed, and why: `www: take before-upgrade failed: the store is full`; or that somebody
/// did not want it any more: `www: take before-upgrade was cancelled by uid 0`.
pub fn failing(operation: &wire::Operation) -> String {
    let (resource, title) = (&operation.resource, title(operation));
    match &operation.failure {
        Some(why) if is_cancelled(operation) => format!("{resource}: {title} was {}", why.message),
        Some(why) => format!("{resource}: {title} failed: {}", why.message),
        None => format!("{resource}: {title} failed"),
    }
}

/// Whether it was not done because somebody did not want it any more.
pub fn is_cancelled(operation: &wire::Operation) -> bool {
    let fault = operation.failure.as_ref().map(|failure| failure.fault.as_str());
    fault == Some(Fault::Cancelled.word())
}

/// What somebody asks for: `take www as before-upgrade`.
pub fn request(request: &Request) -> String {
    match request {
        Request::Take { resource, name, part, .. } => {
            let what = match part {
                Part::Whole => resource.to_string(),
                Part::SystemDisk => format!("the system disk of {resource}"),
            };
            let name = name.as_ref().map(|name| format!(" as {name}"));
            format!("take {what}{}", name.unwrap_or_default())
        }
        Request::Keep { from, name, .. } => format!("keep {from} as {name}"),
        Request::TagResource { resource, change } => format!("tag {resource}: {change}"),
        Request::TagSnapshot { snapshot, change } => format!("tag {snapshot}: {change}"),
        Request::Create { from, draft } => format!("create {} from {from}", drafted(draft)),
        Request::Rollback { resource, to, .. } => format!("roll {resource} back to {to}"),
        Request::Attach { instance, disk } => format!("attach {disk} to {instance}"),
        Request::Detach { instance, disk } => format!("detach {disk} from {instance}"),
        Request::Delete { snapshot, now: false } => format!("put {snapshot} into the trash"),
        Request::Delete { snapshot, now: true } => format!("delete {snapshot} for good, at once"),
        Request::Undelete { snapshot } => format!("bring {snapshot} back from the trash"),
        Request::Enable { resource, time: None } => {
            format!("switch automatic snapshots of {resource} on")
        }
        Request::Enable { resource, time: Some(time) } => {
            format!("switch automatic snapshots of {resource} on at {}", time.strftime("%H:%M"))
        }
        Request::Disable { resource } => format!("switch automatic snapshots of {resource} off"),
        Request::SetTime { resource, time } => {
            format!("set the time of {resource} to {}", time.strftime("%H:%M"))
        }
        Request::Reset { resource } => {
            format!("reset {resource} to what the configuration says")
        }
        Request::Acknowledge { resource } => format!("acknowledge what {resource} is in doubt of"),
        Request::Rotate { resource } => format!("rotate {resource} now"),
        Request::Forget { resource, last: FinalSnapshot::Take(name), .. } => {
            format!("forget {resource} after a last snapshot {name}")
        }
        Request::Forget { resource, .. } => format!("forget {resource}"),
        Request::Cancel { operation } => format!("cancel operation {operation}"),
        Request::Rehearse(of) => self::request(of),
    }
}

fn drafted(draft: &NewResource) -> String {
    match &draft.path {
        Some(path) => format!("{} at {path}", draft.name),
        None => draft.name.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::operation::{Act, Doom, Failure, State};
    use crate::domain::sample::{self, Builder};
    use crate::domain::slot::Slot;
    use crate::domain::snapshot::Seq;
    use crate::domain::tag::{Retag, Tags};
    use std::sync::Arc;

    #[test]
    fn every_step_of_an_operation_is_a_sentence_that_names_what_it_is_about() {
        let account = Builder::daily().complete(20..=22).account();
        let mut ledger = Ledger::default();
        ledger.accounts.insert(account.name().clone(), Arc::new(account));
        let check = |act: Act, state: State, want: [&str; 2]| {
            let told = operation(&ledger, &sample::operation(act, state.clone()));
            let second = match state {
                State::Failed(_) => failing(&told),
                _ => ending(&told),
            };
            assert_eq!([beginning(&told), second], want.map(|text| format!("web-1: {text}")));
        };
        let full = || State::Failed(Failure::new(Fault::NoSpace, "the store is full"));
        let take = |slot: Option<Slot>| {
            let name = slot.is_none().then(|| "before".parse().unwrap());
            Act::Take { seq: Seq(30), slot, name, tags: Tags::new(), part: Part::Whole }
        };
        check(take(None), State::Succeeded, ["taking before", "took before"]);
        check(take(Some("2026-11-23".parse().unwrap())), full(), {
            ["taking web-1@2026-11-23", "take web-1@2026-11-23 failed: the store is full"]
        });
        let why = Doom::Rotated { paid_by: Seq(3) };
        check(Act::Destroy { seq: Seq(1), why }, State::Succeeded, {
            ["deleting web-1@2026-11-20 for good", "web-1@2026-11-20 is deleted for good"]
        });
        check(Act::Trash { seq: Seq(2) }, State::Succeeded, {
            ["putting web-1@2026-11-21 into the trash", "web-1@2026-11-21 is in the trash"]
        });
        let change = Retag { set: [("a".into(), "1".into())].into(), remove: ["b".into()].into() };
        check(Act::Tag { seq: Some(Seq(2)), change }, State::Succeeded, {
            [
                "changing the tags of web-1@2026-11-21",
                "tags of web-1@2026-11-21 changed: set a; remove b",
            ]
        });
        let unwanted = Failure::new(Fault::Cancelled, "cancelled by uid 0");
        check(take(None), State::Failed(unwanted), {
            ["taking before", "take before was cancelled by uid 0"]
        });
        check(Act::Disable, State::Succeeded, ["disable has begun", "disable is done"]);
    }
}
