//! What heptad may do beside what its resources need. Who asks need not be the heptad that does the
//! work: root's own shell may do everything, which says nothing of the service.

use super::asking::{Question, ask_all};
use super::bindings::Bound;
use super::setup::Setup;
use crate::api::client::Client;
use crate::api::wire::Lack;
use crate::backend::Backend;
use crate::config::{Config, Effect, Finding};
use crate::domain::account::Barred;
use crate::domain::name::ResourceName;
use crate::domain::operation::{Failure, Fault};
use crate::host::drop_in::{DropIn, SYSTEM};
use crate::host::privileges::Right;
use crate::host::unit::{self, Unit};
use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// How long a daemon may take to say what it may do.
const TIMEOUT: Duration = Duration::from_secs(15);

/// Resources that one remark names.
const NAMED: usize = 5;

/// Who was asked what heptad may do.
#[derive(Clone, Debug)]
pub(super) enum Allowed {
    /// This process, which does the work itself or is part of the service.
    Here,
    /// The daemon that runs.
    Told(Vec<Lack>),
    /// systemd, of the service as it would be started.
    Unit(Unit),
    /// Nobody could be asked, and why.
    Unknown(String),
}

impl Allowed {
    /// What the heptad that does the work may do, for whoever looks from outside.
    pub(super) fn of_service(config: &Config) -> Self {
        if !nix::unistd::geteuid().is_root() || unit::is_inside() {
            return Self::Here;
        }
        // A service that is off is not started by a question.
        let unit = match Unit::ask() {
            Some(unit) if !unit.is_active => return Self::Unit(unit),
            unit => unit,
        };
        let socket = &config.daemon.socket;
        let told = Client::new(socket).map(|client| client.with_timeout(TIMEOUT).check());
        match (told, unit) {
            (Ok(Ok(told)), _) => Self::Told(told.lacks),
            (_, Some(unit)) => Self::Unit(unit),
            (Ok(Err(error)) | Err(error), None) => Self::Unknown(format!(
                "systemd knows of no heptad.service, and of the daemon: {error}"
            )),
        }
    }

    /// What of it heptad is not allowed; empty if nothing is missing, and without root: nobody
    /// allows that by a unit.
    pub(super) fn lacking(&self, drop_in: DropIn) -> String {
        match self {
            Self::Here if nix::unistd::geteuid().is_root() => drop_in.lacking(),
            Self::Here | Self::Unknown(_) => String::new(),
            Self::Told(lacks) => {
                let lack = lacks.iter().find(|lack| lack.drop_in == drop_in.file());
                lack.map(|lack| lack.missing.clone()).unwrap_or_default()
            }
            Self::Unit(unit) => unit.lacking(drop_in),
        }
    }

    /// For others who ask.
    pub(super) fn lacks(&self) -> Vec<Lack> {
        let lack = |drop_in: DropIn| Lack {
            drop_in: drop_in.file().into(),
            missing: self.lacking(drop_in),
        };
        DropIn::ALL.map(lack).into_iter().filter(|lack| !lack.missing.is_empty()).collect()
    }
}

/// The resources of which no snapshot can be taken as heptad was started, and what changes that.
pub(super) fn barred(
    bound: &BTreeMap<ResourceName, Arc<Bound>>,
    allowed: &Allowed,
) -> BTreeMap<ResourceName, Barred> {
    let missing = allowed.lacking(DropIn::Databases);
    if !keeps_out(&missing) {
        return BTreeMap::new();
    }
    let names: Vec<&ResourceName> =
        wanting(bound, DropIn::Databases).map(|(name, _)| name).collect();
    let ask = |(_, binding): (&ResourceName, &Arc<Bound>)| {
        let roots = binding.backend.territory().roots;
        Box::new(move || are_roots(&roots)) as Question<bool>
    };
    let asked = ask_all(wanting(bound, DropIn::Databases).map(ask).collect());
    let needs = |(name, of_root): (&ResourceName, Option<bool>)| {
        let why = format!("heptad is not allowed {missing}");
        let barred = Barred { why, way_out: DropIn::Databases.commands() };
        (of_root != Some(true)).then(|| (name.clone(), barred))
    };
    names.into_iter().zip(asked).filter_map(needs).collect()
}

/// Whether nobody can become the owner of a database. Without the rest less is seen, no more.
fn keeps_out(missing: &str) -> bool {
    missing.contains(Right::SetUid.name()) || missing.contains(Right::SetGid.name())
}

/// A database that is root's own needs no other user.
pub(super) fn are_roots(paths: &[PathBuf]) -> bool {
    let owned = |path: &PathBuf| std::fs::metadata(path).is_ok_and(|meta| meta.uid() == 0);
    !paths.is_empty() && paths.iter().all(owned)
}

/// The same as findings: each of its snapshots will fail.
pub(super) fn hampered(setup: &Setup, barred: &BTreeMap<ResourceName, Barred>) -> Vec<Finding> {
    let finding = |(name, Barred { why, way_out }): (&ResourceName, &Barred)| Finding {
        effect: Effect::Hampers,
        ..setup.config.locate(
            name,
            "",
            format!("no snapshot can be taken: {why}"),
            way_out.as_str(),
        )
    };
    barred.iter().map(finding).collect()
}

/// What people can have and do not have: verbs that need more than heptad is allowed. And what they
/// might believe to have.
pub(super) fn closed(setup: &Setup, allowed: &Allowed) -> Vec<Finding> {
    let verbs = [DropIn::Rollback, DropIn::System, DropIn::Mount, DropIn::Images].into_iter();
    let mut closed: Vec<Finding> =
        verbs.filter_map(|drop_in| closed_by(setup, allowed, drop_in)).collect();
    let outdated = DropIn::ALL.into_iter().filter(|drop_in| drop_in.is_outdated());
    closed.extend(outdated.map(|drop_in| {
        let problem = format!("{} is not that of this heptad", drop_in.copy().display());
        setup.config.remark(problem, &format!("install it again: {}", drop_in.commands()))
    }));
    if let Allowed::Unknown(why) = allowed
        && setup.bound.values().any(|binding| !binding.backend.capabilities().drop_ins.is_empty())
    {
        let problem = format!("what the service may do was not asked: {why}");
        let hint = "once it is installed or runs, check again: some snapshots and commands may need \
                    more than its unit allows";
        closed.push(setup.config.remark(problem, hint));
    }
    closed
}

fn closed_by(setup: &Setup, allowed: &Allowed, drop_in: DropIn) -> Option<Finding> {
    // Asking what is allowed has a price: not where nobody wants it.
    let names: Vec<&str> = wanting(&setup.bound, drop_in).map(|(name, _)| name.as_str()).collect();
    let missing = (!names.is_empty()).then(|| allowed.lacking(drop_in))?;
    if missing.is_empty() {
        return None;
    }
    let more = names.len().saturating_sub(NAMED);
    let shown = names.get(..names.len() - more)?.join(", ");
    let shown = if more == 0 { shown } else { format!("{shown} and {more} more") };
    let opens = drop_in.opens();
    let problem =
        format!("{opens} of {shown}: not possible, since the unit does not allow {missing}");
    Some(setup.config.remark(problem, &format!("who wants it: {}", drop_in.commands())))
}

fn wanting(
    bound: &BTreeMap<ResourceName, Arc<Bound>>,
    drop_in: DropIn,
) -> impl Iterator<Item = (&ResourceName, &Arc<Bound>)> {
    bound.iter().filter(move |(_, binding)| match drop_in {
        DropIn::System => binding.backend.territory().roots.iter().any(|root| is_systems(root)),
        drop_in => binding.backend.capabilities().drop_ins.contains(&drop_in),
    })
}

/// Adds to a failure what heptad is not allowed, if that may be the reason and is not said yet.
pub(super) fn explain(backend: &dyn Backend, failure: Failure) -> Failure {
    let missing = Allowed::Here.lacking(DropIn::Databases);
    let needs = backend.capabilities().drop_ins.contains(&DropIn::Databases) && keeps_out(&missing);
    let may_be = needs && matches!(failure.fault, Fault::Permanent | Fault::Transient);
    if !may_be
        || failure.message.contains(DropIn::Databases.file())
        || are_roots(&backend.territory().roots)
    {
        return failure;
    }
    let way_out = DropIn::Databases.way_out(&missing);
    Failure { message: format!("{}; {way_out}", failure.message), fault: Fault::Permanent }
}

/// Whether the unit has it read-only.
pub(super) fn is_systems(path: &Path) -> bool {
    SYSTEM.iter().any(|dir| path.starts_with(dir))
}

/// Why nothing can be put at a place, and how to allow it.
pub(super) fn closed_place(path: &Path) -> Option<String> {
    let missing =
        if is_systems(path) { Allowed::Here.lacking(DropIn::System) } else { String::new() };
    (!missing.is_empty()).then(|| {
        let (place, way_out) = (path.display(), DropIn::System.way_out(&missing));
        format!("{place} is read-only for heptad: {way_out}")
    })
}
