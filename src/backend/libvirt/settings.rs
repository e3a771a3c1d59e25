//! The options table of this backend.

use super::super::Backend;
use super::super::options::Reader;
use super::super::options::{Context, OptionFinding};
use super::domain::Format;
use super::freeze::{Freezer, HELD, Notes};
use super::virsh::Virsh;
use super::{Libvirt, WORD};
use crate::domain::setting::{Setting, Shape};
use crate::store::Store;
use serde_json::{Map, Value};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

pub(super) const URI: &str = "qemu:///system";
/// How long a guest is held still at most. Windows lets go by itself after 10 s (the limit of a
/// shadow copy's freeze), and a Linux guest's programs begin to complain not much later.
const HOLD: Duration = Duration::from_secs(10);
/// How long a guest agent may take to answer; libvirt's own limit for synchronising with one.
const AGENT: Duration = Duration::from_secs(5);
/// How long copying all disks may take where blocks cannot be shared.
const DEADLINE: Duration = Duration::from_secs(6 * 3600);

#[derive(Debug)]
pub(super) struct Settings {
    pub subject: Subject,
    pub virsh: Virsh,
    pub holder: Freezer,
    /// Disks of an instance that snapshots do without, by the names in its definition.
    pub leave_out: Vec<String>,
    pub deadline: Duration,
}

/// What is protected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Subject {
    /// A domain with all its disks, by its name.
    Instance(String),
    /// One image file.
    Disk(PathBuf, Format),
}

/// The options, for the checker and for everybody who reads of them.
pub(crate) const OPTIONS: &[Setting] = &[
    Setting::new(
        "domain",
        Shape::Text,
        "What \"virsh list --all\" calls the guest: it is an instance with all its disks.",
    )
    .example("\"web\""),
    Setting::new(
        "image",
        Shape::Path,
        "One disk by itself, attached to a guest or to none: an image file, instead of domain.",
    )
    .example("\"/var/lib/libvirt/images/archive.qcow2\"")
    .instead_of("domain"),
    Setting::new(
        "format",
        Shape::Words(&["qcow2", "raw"]),
        "Of image. Never guessed: the first bytes of a raw image are the guest's.",
    )
    .example("\"qcow2\"")
    .instead_of("domain"),
    Setting::new("uri", Shape::Text, "The address of libvirt.").default("\"qemu:///system\""),
    Setting::new(
        "store",
        Shape::Path,
        "Where the snapshots go. Where blocks cannot be shared, qemu itself writes into it as the \
         user that guests run as, who must be able to pass every directory above. Left out: the \
         directory store in heptad's state directory.",
    )
    .example("\"/srv/snapshots\""),
    Setting::new(
        "leave_out",
        Shape::Texts(100_000),
        "Disks that snapshots do without, by the names in the definition: LVM volumes, network \
         disks.",
    )
    .default("[]")
    .example("[\"vdc\"]"),
    Setting::new(
        "agent",
        Shape::Seconds(1, 60),
        "How long the guest agent may take to answer before the guest is only paused and the \
         snapshot is crash-consistent.",
    )
    .default("5"),
    Setting::new(
        "hold",
        Shape::Seconds(1, 300),
        "How long a guest is frozen or paused at most, whatever happens.",
    )
    .default("10"),
    Setting::new("deadline", Shape::Seconds(1, 604_800), "How long qemu may copy.")
        .default("21600"),
    Setting::new(
        "helper",
        Shape::Path,
        "The program that holds guests still, if it shall not be the heptad that runs: one that \
         only root can change.",
    )
    .example("\"/usr/bin/heptad\""),
];

/// The constructor for the registry; touches nothing.
pub(crate) fn build(
    options: &Map<String, Value>,
    context: &Context,
) -> Result<Arc<dyn Backend>, Vec<OptionFinding>> {
    let mut reader = Reader::new(options, OPTIONS);
    let subject = subject(&mut reader);
    let uri = reader.text("uri").unwrap_or_else(|| URI.into());
    if uri.is_empty() || uri.starts_with('-') {
        reader.find(
            "uri",
            format!("{uri:?} is not a valid address of libvirt"),
            "write \"qemu:///system\"",
        );
    }
    let store = reader.path("store").unwrap_or_else(|| context.state.join("store"));
    let leave_out = reader.texts("leave_out").unwrap_or_default();
    let hold = reader.seconds("hold").unwrap_or(HOLD);
    let agent = reader.seconds("agent").unwrap_or(AGENT);
    let deadline = reader.seconds("deadline").unwrap_or(DEADLINE);
    let helper = reader.path("helper");
    if let Some(Subject::Disk(path, _)) = &subject
        && path.starts_with(store.join(context.resource.as_str()))
    {
        let problem = "lies inside the store of its own snapshots".into();
        reader.find("image", problem, "choose another store");
    }
    let virsh = Virsh { uri: uri.clone() };
    let holder = Freezer { uri, hold, agent, helper, state: context.state.clone() };
    let built = subject.map(|subject| Libvirt {
        settings: Settings { subject, virsh, holder, leave_out, deadline },
        store: Store::new(WORD, store, &context.state, &context.resource),
        held: Notes::new(&context.state, HELD, &context.resource),
        copying: Notes::new(&context.state, "copying", &context.resource),
        rolling: Notes::new(&context.state, "rolling", &context.resource),
    });
    reader.finish(built).map(|libvirt| Arc::new(libvirt) as Arc<dyn Backend>)
}

fn subject(reader: &mut Reader<'_>) -> Option<Subject> {
    let domain = reader.text("domain");
    let image = reader.path("image");
    let format = reader.choice("format", &Format::ALL);
    if domain.as_deref().is_some_and(|name| name.is_empty() || name.starts_with('-')) {
        reader.find(
            "domain",
            "is not a valid name of a domain".into(),
            "write what virsh list --all shows",
        );
    }
    match (domain, image, format) {
        (Some(domain), None, None) => Some(Subject::Instance(domain)),
        (None, Some(image), Some(format)) => Some(Subject::Disk(image, format)),
        (None, Some(_), None) => {
            let hint = "write format = \"qcow2\" or \"raw\"; it is never guessed";
            reader.find("format", "is missing".into(), hint);
            None
        }
        (None, None, _) => {
            let hint = "add domain = \"…\" for an instance, or image = \"/…\" for a disk";
            reader.find("domain", "is missing".into(), hint);
            None
        }
        (Some(_), ..) => {
            let hint = "an instance has domain, a disk has image and format";
            reader.find("image", "does not go with domain".into(), hint);
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn everything_wrong_with_the_options_is_found_at_once() {
        let check = |options: Value, want: &[&str]| {
            let context = Context { resource: "web".parse().unwrap(), state: "/var/lib/x".into() };
            let found = build(options.as_object().unwrap(), &context).err().unwrap_or_default();
            let found = found.iter().map(|found| format!("{} {}", found.key, found.problem));
            assert_eq!(found.collect::<Vec<_>>(), want);
        };
        check(json!({ "domain": "web" }), &[]);
        check(json!({ "image": "/a.qcow2", "format": "qcow2" }), &[]);
        check(json!({}), &["domain is missing"]);
        check(json!({ "image": "/a.img" }), &["format is missing"]);
        check(
            json!({ "domain": "web", "image": "/a", "format": "raw" }),
            &["image does not go with domain"],
        );
        let wrong = json!({ "image": "/var/lib/x/store/web/a", "format": "raw", "hold": 0,
            "uri": "-x", "leave_out": "vdb", "agnet": 1 });
        let want = [
            "uri \"-x\" is not a valid address of libvirt",
            "leave_out \"vdb\" is not a list of texts",
            "hold 0 is not a number of seconds from 1 to 300",
            "image lies inside the store of its own snapshots",
            "agnet is not an option of this backend",
        ];
        check(wrong, &want);
    }
}
