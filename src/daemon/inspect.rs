//! A configuration beside the host as it is now: whether each resource is there and is what it is
//! declared as, and whether the programs and places are good ones. For `heptad check` and `heptactl
//! check`; a start waits for none of it.

use super::allowed::{self, Allowed};
use super::asking::{Question, ask_all};
use super::bindings::Bound;
use super::places;
use super::setup::Setup;
use crate::backend::options::OptionFinding;
use crate::config::{Effect, Finding};
use crate::domain::account::Barred;
use crate::domain::name::ResourceName;
use crate::domain::operation::Fault;
use crate::fs::StorageError;
use crate::host::trust::trusted_program;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What a look found.
#[derive(Debug, Default)]
pub(super) struct Inspection {
    /// To be mended: something will fail.
    pub findings: Vec<Finding>,
    /// Good to know.
    pub remarks: Vec<Finding>,
}

/// What one resource's backend says.
type Seen = (Result<(), StorageError>, Vec<OptionFinding>);

/// Everything that can be said of a configuration that can be loaded.
pub(super) fn inspect(setup: &Setup, allowed: &Allowed) -> Inspection {
    let barred = allowed::barred(&setup.bound, allowed);
    let mut all = Inspection::default();
    all.findings.extend(setup.hampered.iter().cloned());
    all.findings.extend(allowed::hampered(setup, &barred));
    all.remarks.extend(setup.config.remarks());
    all.remarks.extend(allowed::closed(setup, allowed));
    all.findings.extend(places::findings(setup));
    all.findings.extend(setup.bound.iter().flat_map(|(name, binding)| hooks(setup, name, binding)));
    resources(setup, &barred, &mut all);
    all
}

fn resources(setup: &Setup, barred: &BTreeMap<ResourceName, Barred>, all: &mut Inspection) {
    // What heptad may not look at is told already.
    let looked = || setup.bound.iter().filter(|(name, _)| !barred.contains_key(*name));
    let ask = |(_, binding): (&ResourceName, &Arc<Bound>)| {
        let binding = Arc::clone(binding);
        Box::new(move || (binding.backend.usable(), binding.backend.oddities())) as Question<Seen>
    };
    let seen = ask_all(looked().map(ask).collect());
    for ((name, binding), seen) in looked().zip(seen) {
        let key = binding.backend.territory().key;
        let at = |key: &str, problem: String, hint: String| Finding {
            effect: Effect::Hampers,
            ..setup.config.locate(name, key, problem, hint)
        };
        let Some((inspected, odd)) = seen else {
            let hint = "is its disk there, its server well? The check did not wait for it";
            all.findings.push(at(key, "does not answer".into(), hint.into()));
            continue;
        };
        match inspected {
            Ok(()) => {}
            Err(error) if matches!(error.fault, Fault::Transient | Fault::Busy) => {
                let problem = format!("could not be looked at: {}", error.detail);
                all.remarks.push(at(key, problem, "check again later".into()));
            }
            Err(error) => {
                let roots = binding.backend.territory().roots;
                let (problem, hint) = told(&error, roots.first().map(PathBuf::as_path));
                all.findings.push(at(key, problem, hint));
            }
        }
        all.remarks.extend(odd.into_iter().map(|found| at(&found.key, found.problem, found.hint)));
    }
}

/// What is wrong, and the way out: sentences of backends have it behind a semicolon.
fn told(error: &StorageError, root: Option<&Path>) -> (String, String) {
    let absent = "mount or start it, or correct its configuration; no snapshot is taken meanwhile";
    match (error.detail.split_once("; "), root) {
        (Some((problem, hint)), _) => (problem.into(), hint.into()),
        (None, Some(root)) if error.fault == Fault::Absent && !root.exists() => {
            (format!("there is nothing at {}", root.display()), absent.into())
        }
        _ if error.fault == Fault::Absent => (error.to_string(), absent.into()),
        _ => (error.to_string(), "mend that, or correct its configuration".into()),
    }
}

fn hooks(setup: &Setup, name: &ResourceName, binding: &Bound) -> Vec<Finding> {
    let lists = [("before", &binding.hooks.before), ("after", &binding.hooks.after)];
    let all = lists.into_iter().flat_map(|(list, hooks)| {
        hooks.iter().enumerate().map(move |(n, hook)| (list, n, hook.program.as_path()))
    });
    let fault = |(list, n, program)| {
        let why = trusted_program(program).err()?.to_string();
        let (problem, hint) = why.split_once("; ").unwrap_or((&why, "install it, or take it out"));
        let found = setup.config.locate_hook(name, list, n, problem, hint);
        Some(Finding { effect: Effect::Hampers, ..found })
    };
    all.filter_map(fault).collect()
}
