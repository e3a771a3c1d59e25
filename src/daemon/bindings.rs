//! Which backend serves which resource.

use super::hooks::{Hook, Hooks, OnFailure};
use super::leases::Leases;
use super::mounted::Mounted;
use crate::backend::Backend;
use crate::backend::options::Context;
use crate::backend::registry;
use crate::config;
use crate::domain::account::Account;
use crate::domain::ledger::Ledger;
use crate::domain::name::ResourceName;
use crate::domain::operation::{Act, State};
use crate::domain::slot::Slot;
use crate::domain::snapshot::Seq;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

/// A resource's backend and the hooks around its snapshots.
#[derive(Debug)]
pub struct Bound {
    pub backend: Arc<dyn Backend>,
    pub hooks: Hooks,
}

/// A snapshot that was being taken when heptad or the machine stopped: its after-hooks have not
/// run, and whatever its before-hooks stopped is still stopped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Unended {
    pub snapshot: String,
    pub seq: Seq,
    pub slot: Option<Slot>,
}

impl Bound {
    pub fn new(backend: Arc<dyn Backend>, hooks: config::Hooks) -> Self {
        let hook = |hook: config::Hook| Hook {
            program: hook.program,
            args: hook.args,
            deadline: hook.timeout,
            on_failure: match hook.on_failure {
                config::OnFailure::Fail => OnFailure::Fail,
                config::OnFailure::Ignore => OnFailure::Ignore,
            },
        };
        let hooks = Hooks {
            before: hooks.before.into_iter().map(hook).collect(),
            after: hooks.after.into_iter().map(hook).collect(),
        };
        Self { backend, hooks }
    }
}

/// All bindings, replaced whole at a reload.
#[derive(Debug)]
pub(super) struct Bindings {
    bound: RwLock<BTreeMap<ResourceName, Arc<Bound>>>,
    unended: Mutex<BTreeMap<ResourceName, Unended>>,
    leases: Arc<Leases>,
    mounted: Mounted,
}

impl Bindings {
    /// Without any binding yet.
    pub(super) fn new(state: &Path) -> Self {
        Self {
            bound: RwLock::default(),
            unended: Mutex::default(),
            leases: Arc::default(),
            mounted: Mounted::open(state),
        }
    }

    /// Which snapshots are mounted for people.
    pub(super) fn mounted(&self) -> &Mounted {
        &self.mounted
    }

    /// Who uses the snapshots of all that are bound.
    pub(super) fn leases(&self) -> &Arc<Leases> {
        &self.leases
    }

    pub(super) fn of(&self, name: &ResourceName) -> Option<Arc<Bound>> {
        self.bound.read().unwrap_or_else(PoisonError::into_inner).get(name).cloned()
    }

    /// Notes which takings a loaded ledger shows as begun and not ended.
    pub(super) fn note_unended(&self, ledger: &Ledger) {
        let mut unended = self.unended.lock().unwrap_or_else(PoisonError::into_inner);
        for operation in ledger.open_operations().filter(|o| o.state == State::Running) {
            if let Act::Take { seq, slot, name, .. } = &operation.act {
                let resource = &operation.resource;
                let snapshot = match (name, slot) {
                    (Some(name), _) => name.to_string(),
                    (None, Some(slot)) => format!("{resource}@{slot}"),
                    (None, None) => resource.to_string(),
                };
                unended.insert(resource.clone(), Unended { snapshot, seq: *seq, slot: *slot });
            }
        }
    }

    /// The one taking of a resource that must be ended first; told once.
    pub(super) fn unended(&self, name: &ResourceName) -> Option<Unended> {
        self.unended.lock().unwrap_or_else(PoisonError::into_inner).remove(name)
    }

    /// Puts the configured ones in place, and beside them one for every resource that left the
    /// configuration: its snapshots can still be used.
    pub(super) fn replace(
        &self,
        configured: BTreeMap<ResourceName, Arc<Bound>>,
        ledger: &Ledger,
        state: &Path,
    ) {
        let mut bound = configured;
        for account in ledger.accounts.values() {
            if !bound.contains_key(account.name())
                && let Some(binding) = remembered(account, state)
            {
                bound.insert(account.name().clone(), Arc::new(binding));
            }
        }
        *self.bound.write().unwrap_or_else(PoisonError::into_inner) = bound;
    }

    /// Puts one binding in place; without one, what the catalogue remembers of its resource.
    pub(super) fn put(
        &self,
        name: &ResourceName,
        binding: Option<Arc<Bound>>,
        ledger: &Ledger,
        state: &Path,
    ) {
        let known = || remembered(ledger.account(name)?, state).map(Arc::new);
        let binding = binding.or_else(known);
        let mut bound = self.bound.write().unwrap_or_else(PoisonError::into_inner);
        match binding {
            Some(binding) => bound.insert(name.clone(), binding),
            None => bound.remove(name),
        };
    }
}

/// A binding for a resource that only the catalogue still knows.
fn remembered(account: &Account, state: &Path) -> Option<Bound> {
    let binding = &account.resource.backend;
    let options = serde_json::from_str(&binding.options).ok()?;
    let context = Context { resource: account.name().clone(), state: state.to_path_buf() };
    let backend = registry::build(&binding.kind, &options, &context).ok()?;
    Some(Bound { backend, hooks: Hooks::default() })
}
