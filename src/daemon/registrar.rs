//! Making known what a command made, and letting go of it: the file that declares it, and the
//! configuration in force. A person's files are not loaded by that: they may be half edited.

use super::check;
use super::enroll::{EnrolError, enroll, withdraw};
use super::service::DaemonService;
use super::workers::Registrar;
use crate::backend::options::{Context, OptionFinding};
use crate::backend::registry;
use crate::backend::{Backend, Territory};
use crate::config::{Config, Enrolment, Unwritable, enrolled_file};
use crate::domain::ledger::Ledger;
use crate::domain::name::{BlueprintName, ResourceName};
use crate::domain::resource::Resource;
use std::sync::{Arc, PoisonError};

impl Registrar for DaemonService {
    fn may_enroll(&self, derived: &Resource) -> Result<(), String> {
        let setup = self.setup.lock().unwrap_or_else(PoisonError::into_inner).clone();
        // What else is wrong with its options is told when they are known in full.
        let Ok(backend) = self.backend_of(derived) else { return Ok(()) };
        match check::misfits(&setup, &derived.name, &backend).into_iter().next() {
            Some(misfit) => Err(misfit.problem),
            None => Ok(()),
        }
    }

    fn enroll(&self, derived: &Resource) -> Result<(), String> {
        let _alone = self.registering.lock().unwrap_or_else(PoisonError::into_inner);
        let declared = {
            let setup = self.setup.lock().unwrap_or_else(PoisonError::into_inner);
            enrolment(derived, &setup.config)
                .map_err(|error| format!("the backend's option {error}"))?
        };
        let path = match enroll(&self.state, &declared) {
            // By an attempt that was cut off, and its original was declared anew since.
            Err(EnrolError::Taken { .. }) if self.is_known_as(derived) => return Ok(()),
            enrolled => enrolled.map_err(|error| error.to_string())?,
        };
        let Err(findings) = self.amend(&[&derived.name]) else {
            let (resource, file) = (&derived.name, path.display());
            tracing::info!(%resource, %file, "{resource}: declared in {file}");
            return Ok(());
        };
        // It would stop the next start, and every reload until then.
        let _ = withdraw(&self.state, &derived.name);
        let ours = findings.iter().find(|finding| finding.file.as_deref() == Some(&path));
        let fault = ours.or(findings.iter().next()).map(|finding| finding.problem.as_str());
        let fault = fault.unwrap_or("the configuration has faults");
        Err(format!("{fault}; mend that (heptactl check), and declare it in the configuration"))
    }

    fn let_go(&self, names: &[ResourceName]) {
        let _alone = self.registering.lock().unwrap_or_else(PoisonError::into_inner);
        // Nothing is loaded for a resource that a person's own file declared.
        let enrolled = |name: &&ResourceName| enrolled_file(&self.state, name).exists();
        let names: Vec<&ResourceName> = names.iter().filter(enrolled).collect();
        for name in &names {
            match withdraw(&self.state, name) {
                Ok(()) => tracing::info!(resource = %name, "{name}: its declaration is withdrawn"),
                Err(error) => {
                    tracing::warn!(resource = %name, %error, "{name}: its declaration stays: {error}; \
                        the next start tries again")
                }
            }
        }
        if !names.is_empty()
            && let Err(findings) = self.amend(&names)
        {
            tracing::error!(
                "what was forgotten is declared until the configuration is loaded again \
                (heptactl reload), since now it could not be:"
            );
            findings.iter().for_each(|finding| tracing::error!("{finding}"));
        }
    }
}

impl DaemonService {
    /// Whether the very place of this resource is in force under its name.
    fn is_known_as(&self, derived: &Resource) -> bool {
        let setup = self.setup.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let known = setup.config.get(&derived.name).is_some_and(|declared| {
            declared.resource.enrolled && declared.resource.backend.kind == derived.backend.kind
        });
        let (Some(binding), Ok(wanted)) =
            (setup.bound.get(&derived.name), self.backend_of(derived))
        else {
            return false;
        };
        let place = |backend: &dyn Backend| {
            let Territory { key, roots, name, .. } = backend.territory();
            (key, roots, name)
        };
        known && place(&*binding.backend) == place(&*wanted)
    }

    fn backend_of(&self, derived: &Resource) -> Result<Arc<dyn Backend>, Vec<OptionFinding>> {
        let context = Context { resource: derived.name.clone(), state: self.state.clone() };
        let options: serde_json::Map<_, _> =
            serde_json::from_str(&derived.backend.options).unwrap_or_default();
        registry::build(&derived.backend.kind, &options, &context)
    }
}

/// The enrolled resources that were forgotten, and heptad stopped before it let go of them.
pub(super) fn left_over(config: &Config, ledger: &Ledger) -> Vec<ResourceName> {
    let enrolled = config.resources.iter().map(|declared| &declared.resource);
    let gone = enrolled.filter(|resource| {
        resource.enrolled && ledger.account(&resource.name).is_some_and(|a| a.forgotten)
    });
    gone.map(|resource| resource.name.clone()).collect()
}

/// What is to stand in the file. A plan or blueprint that the configuration no longer has would
/// make it invalid.
fn enrolment(derived: &Resource, config: &Config) -> Result<Enrolment, Unwritable> {
    let mut declared = Enrolment::of(derived)?;
    declared.plan = declared.plan.filter(|name| config.plans.contains_key(name));
    let has = |name: &String| {
        let name: Option<BlueprintName> = name.parse().ok();
        name.is_some_and(|name| config.blueprints.contains_key(&name))
    };
    declared.blueprint = declared.blueprint.filter(has);
    Ok(declared)
}
