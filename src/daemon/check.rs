//! A configuration with its backends: what `heptad check` looks at and what boot and reload put in
//! force. The one place where the configuration's words meet the backends' own checks.

use super::bindings::Bound;
use super::places;
use super::setup::Setup;
use crate::backend::options::{Context, OptionFinding};
use crate::backend::registry;
use crate::backend::{Backend, Territory};
use crate::config::{self, Config, Declared, Effect, Finding, Findings, Locations, enrolled_file};
use crate::domain::name::ResourceName;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Reads everything and checks it together, without touching a resource. For a start: what hampers
/// one resource stops no other.
///
/// # Errors
/// All findings at once: the configuration's own, the backends' about their options, and resources
/// that lie inside one another.
pub fn prepare(locations: &Locations, env: &[(String, String)]) -> Result<Setup, Findings> {
    let config::Reading { config, mut findings } = config::examine(locations, env);
    let mut bound = BTreeMap::new();
    for declared in &config.resources {
        match build(&config, declared) {
            Ok(binding) => {
                bound.insert(declared.resource.name.clone(), Arc::new(binding));
            }
            Err(found) => findings.extend(found),
        }
    }
    findings.extend(places::configuration(locations));
    judge(config, bound, findings)
}

/// The same for somebody who is there to mend it: what hampers a resource is refused, unless it
/// does so already.
///
/// # Errors
/// All findings at once, with what hampers.
pub fn prepare_strictly(
    locations: &Locations,
    env: &[(String, String)],
    in_force: &Findings,
) -> Result<Setup, Findings> {
    let known = |finding: &Finding| in_force.iter().any(|other| other.is_same(finding));
    match prepare(locations, env) {
        Ok(setup) if setup.hampered.iter().all(known) => Ok(setup),
        Ok(setup) => Err(setup.hampered),
        Err(findings) => Err(findings),
    }
}

fn judge(
    config: Config,
    bound: BTreeMap<ResourceName, Arc<Bound>>,
    mut findings: Findings,
) -> Result<Setup, Findings> {
    findings.extend(overlaps(&config, &bound));
    if findings.iter().any(|finding| finding.effect == Effect::Refuses) {
        return Err(findings);
    }
    Ok(Setup { config, bound, hampered: findings })
}

/// What is in force, with resources that commands made as heptad's own files declare them now, or
/// without them where none does. Everybody else stays as it is, with its backend.
///
/// # Errors
/// All findings at once; they are about what was just declared.
pub fn amend(
    old: &Setup,
    locations: &Locations,
    state: &Path,
    names: &[&ResourceName],
) -> Result<Setup, Findings> {
    let files: Vec<PathBuf> = names.iter().map(|name| enrolled_file(state, name)).collect();
    let config::Reading { config, mut findings } =
        config::examine_enrolled(&old.config, locations, &files);
    let mut bound = old.bound.clone();
    for name in names {
        bound.remove(*name);
        match config.get(name).map(|declared| build(&config, declared)) {
            Some(Ok(binding)) => drop(bound.insert((*name).clone(), Arc::new(binding))),
            Some(Err(found)) => findings.extend(found),
            None => {}
        }
    }
    judge(config, bound, findings)
}

/// What stands against one more resource: those inside one another.
pub fn misfits(setup: &Setup, name: &ResourceName, backend: &Arc<dyn Backend>) -> Vec<Finding> {
    let mut bound = setup.bound.clone();
    let old = overlaps(&setup.config, &bound);
    let binding = Bound::new(Arc::clone(backend), config::Hooks::default());
    bound.insert(name.clone(), Arc::new(binding));
    let mut new = overlaps(&setup.config, &bound);
    new.retain(|finding| !old.contains(finding));
    new
}

fn build(config: &Config, declared: &Declared) -> Result<Bound, Vec<Finding>> {
    let name = &declared.resource.name;
    let context = Context { resource: name.clone(), state: config.daemon.state.clone() };
    let kind = &declared.resource.backend.kind;
    let backend = registry::build(kind, &declared.options, &context).map_err(|found| {
        let locate = |f: OptionFinding| config.locate(name, &f.key, f.problem, f.hint);
        found.into_iter().map(locate).collect::<Vec<_>>()
    })?;
    let declared_as = declared.resource.kind;
    if let Some(kind) = backend.capabilities().kind.filter(|kind| *kind != declared_as) {
        let problem = format!("is that of a resource of kind {kind}, not {declared_as}");
        let hint = format!("write kind = \"{kind}\" in [resource.{name}]");
        return Err(vec![config.locate(name, "", problem, hint)]);
    }
    Ok(Bound::new(backend, declared.hooks.clone()))
}

/// Resources inside one another would be taken twice, or contain their own snapshots.
fn overlaps(config: &Config, bound: &BTreeMap<ResourceName, Arc<Bound>>) -> Vec<Finding> {
    let territories: Vec<(&ResourceName, Territory)> =
        bound.iter().map(|(name, binding)| (name, binding.backend.territory())).collect();
    let mut findings = Vec::new();
    for (outer, ground) in &territories {
        for (inner, other) in &territories {
            findings.extend(overlap(config, outer, ground, inner, other));
        }
        findings.extend(store_inside(config, outer, ground));
        findings.extend(state_inside(config, outer, ground, bound));
    }
    findings
}

fn overlap(
    config: &Config,
    outer: &ResourceName,
    ground: &Territory,
    inner: &ResourceName,
    other: &Territory,
) -> Option<Finding> {
    if outer == inner {
        return None;
    }
    if let Some(name) = ground.name.as_ref().filter(|name| Some(*name) == other.name.as_ref()) {
        // Said once, of the later name.
        return (outer < inner).then(|| {
            let problem = format!("{name} is resource {outer} already");
            config.locate(inner, other.key, problem, "drop one of the two")
        });
    }
    let same = |path: &&PathBuf| ground.roots.contains(path);
    let inside = |path: &&PathBuf| covers(ground, path) && (!ground.open_below || same(path));
    let path = other.roots.iter().find(inside)?;
    // Two at the same place: said once, of the later name.
    if other.roots.iter().any(|path| ground.roots.contains(path)) && outer > inner {
        return None;
    }
    let problem = match config.get(outer) {
        Some(_) => format!("{} is inside resource {outer}", path.display()),
        // It is only asked for, and what it would be called says nothing to anybody.
        None => format!("{} in it is protected already, as {inner}", path.display()),
    };
    let way_out = match config.get(outer) {
        Some(declared) => apart(declared, ground, path),
        // A command would declare it, which leaves nothing out.
        None => format!(
            "declare it by a table of your own that leaves {} out (exclude for files, nested = \
             \"separate\" for btrfs), or drop one of the two",
            path.display()
        ),
    };
    Some(config.locate(inner, other.key, problem, way_out))
}

/// How two resources of which one is inside the other can be had, by what the outer one is.
fn apart(outer: &Declared, ground: &Territory, path: &Path) -> String {
    let name = &outer.resource.name;
    let below = ground.roots.iter().find_map(|root| path.strip_prefix(root).ok());
    let below = below.unwrap_or(path).display().to_string();
    match outer.resource.backend.kind.as_str() {
        _ if below.is_empty() => "drop one of the two".into(),
        "files" => {
            // What SQLite keeps beside a database belongs to it.
            let beside = if path.extension().is_some() && !path.is_dir() {
                format!(", {:?}, {:?}", format!("{below}-wal"), format!("{below}-shm"))
            } else {
                String::new()
            };
            format!("write exclude = [{below:?}{beside}] for {name}, or drop one of the two")
        }
        "btrfs" => {
            let dir = if path.is_file() { path.parent().unwrap_or(path) } else { path }.display();
            format!(
                "a snapshot of {name} has all that is in its subvolume: make {dir} a subvolume of its \
                 own, if it is none, and write nested = \"separate\" for {name}; or drop one of the two"
            )
        }
        _ => "move it to another place, or drop one of the two".into(),
    }
}

fn store_inside(config: &Config, name: &ResourceName, ground: &Territory) -> Option<Finding> {
    let store = ground.store.as_ref().filter(|store| covers(ground, store))?;
    Some(config.locate(
        name,
        "store",
        format!("{} is inside the resource: snapshots would contain themselves", store.display()),
        "set store to a directory outside of it, or exclude that directory",
    ))
}

/// A copy that reads heptad's own catalogue would drop the locks that this process holds on it
/// (fcntl_locking(2): any close of a file drops them all).
fn state_inside(
    config: &Config,
    name: &ResourceName,
    ground: &Territory,
    bound: &BTreeMap<ResourceName, Arc<Bound>>,
) -> Option<Finding> {
    let state = &config.daemon.state;
    let reads = bound.get(name).is_some_and(|binding| !binding.backend.capabilities().instant);
    (reads && covers(ground, state)).then(|| {
        config.locate(
            name,
            ground.key,
            format!("heptad's own state directory {} is inside the resource", state.display()),
            "exclude it: the catalogue can be rebuilt from the snapshots",
        )
    })
}

fn covers(ground: &Territory, path: &Path) -> bool {
    let inside = ground.roots.iter().any(|root| path.starts_with(root));
    inside && !ground.left_out.iter().any(|out| path.starts_with(out))
}
