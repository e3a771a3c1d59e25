//! The service that the API talks to: requests go into the driver's inbox, facts come from what it
//! published, history from the catalogue by way of its thread.

use super::allowed::{self, Allowed};
use super::bindings::Bindings;
use super::check::{self};
use super::declare::{TURN, Undeclared};
use super::inbox::{Inbox, Message};
use super::inspect::{Inspection, inspect};
use super::mounted::Place;
use super::reading::Readers;
use super::setup::Setup;
use super::workers::{Gone, Workers};
use crate::api::service::{
    Handover, Metered, Mounted, Offers, OpenFile, OperationFilter, Published, Service, Soon,
    Target, Unreadable,
};
use crate::api::wire;
use crate::catalogue::{self, Catalogue, CatalogueError};
use crate::config::{Finding, Findings, Locations};
use crate::domain::denied::Denied;
use crate::domain::event::{Ask, Event};
use crate::domain::id::OperationId;
use crate::domain::key::Key;
use crate::domain::name::ResourceName;
use crate::domain::new_resource::NewResource;
use crate::domain::operation::Operation;
use crate::domain::protect::{Unprotectable, Wish};
use crate::domain::request::Request;
use crate::domain::resource::Resource;
use crate::domain::slot_record::SlotRecord;
use crate::domain::tree::{BrowseError, Differences, Listing, TreePath};
use crate::host::clock::Clock;
use crate::host::logging::Logging;
use crate::host::systemd;
use jiff::Timestamp;
use jiff::civil::Date;
use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::{oneshot, watch};

pub(super) struct DaemonService {
    pub inbox: Inbox,
    pub published: watch::Receiver<Published>,
    pub clock: Arc<dyn Clock>,
    pub workers: Arc<Workers>,
    pub bindings: Arc<Bindings>,
    pub readers: Readers,
    pub locations: Locations,
    pub env: Vec<(String, String)>,
    pub state: PathBuf,
    pub logging: Option<Logging>,
    /// The configuration in force.
    pub setup: Mutex<Setup>,
    /// Held while a configuration is read and put in force.
    pub loading: Mutex<()>,
    /// Held while a resource is enrolled or let go.
    pub registering: Mutex<()>,
    pub answers: Mutex<Answers>,
}

impl DaemonService {
    /// Loads the configuration whole, or keeps the old one. Also what SIGHUP does.
    ///
    /// # Errors
    /// Everything that is wrong with the files.
    pub(super) fn load(&self) -> Result<wire::Reloaded, Findings> {
        let _alone = self.loading.lock().unwrap_or_else(PoisonError::into_inner);
        let _ = systemd::reloading();
        let loaded = self.examine();
        let _ = systemd::ready("");
        let next = loaded.inspect_err(|findings| {
            tracing::error!("the new configuration is not loaded, the old one stays:");
            findings.iter().for_each(|finding| tracing::error!("{finding}"));
        })?;
        // Whoever only looks does not wait for the driver.
        let setup = self.setup.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let mut report = compare(&setup, &next);
        report.findings.extend(next.hampered.iter().map(finding));
        let barred = allowed::barred(&next.bound, &Allowed::Here);
        report.findings.extend(allowed::hampered(&next, &barred).iter().map(finding));
        report.findings.extend(next.config.remarks().iter().map(remark));
        report.findings.extend(needs_restart(&setup, &next));
        let ledger = self.published.borrow().ledger.clone();
        let log = next.config.daemon.log.clone();
        self.bindings.replace(next.bound.clone(), &ledger, &self.state);
        let declared = vec![Event::Configured(resources(&next)), Event::Barred(barred)];
        *self.setup.lock().unwrap_or_else(PoisonError::into_inner) = next;
        if let Err(why) = self.inbox.declare(declared, false, TURN) {
            self.bindings.replace(setup.bound.clone(), &ledger, &self.state);
            return Err(self.not_in_force(setup, &why));
        }
        if let Some(logging) = &self.logging
            && let Err(error) = logging.set_filter(&log)
        {
            tracing::warn!(%error, "the log filter stays as it was: {error}");
        }
        tracing::info!(added = ?report.added, changed = ?report.changed, removed = ?report.removed,
            "configuration loaded{}", difference(&report));
        Ok(report)
    }

    /// The configuration as it would be loaded now.
    fn examine(&self) -> Result<Setup, Findings> {
        let setup = self.setup.lock().unwrap_or_else(PoisonError::into_inner);
        let hampered = setup.hampered.clone();
        drop(setup);
        check::prepare_strictly(&self.locations, &self.env, &hampered)
    }

    /// Puts resources of commands in force as their files declare them now, or out of force where
    /// none does, and leaves all else as it is.
    ///
    /// # Errors
    /// What is wrong with them; then nothing has changed.
    pub(super) fn amend(&self, names: &[&ResourceName]) -> Result<(), Findings> {
        self.amended(Vec::new(), names, true)
    }

    /// Puts a resource in force that was never known, or is known again.
    ///
    /// # Errors
    /// What is wrong with it; then nothing has changed.
    pub(super) fn welcome(&self, name: &ResourceName) -> Result<(), Findings> {
        self.amended(vec![Event::Welcomed(name.clone())], &[name], false)
    }

    fn amended(
        &self,
        mut declared: Vec<Event>,
        names: &[&ResourceName],
        lasting: bool,
    ) -> Result<(), Findings> {
        let _alone = self.loading.lock().unwrap_or_else(PoisonError::into_inner);
        let old = self.setup.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let next = check::amend(&old, &self.locations, &self.state, names)?;
        let ledger = self.published.borrow().ledger.clone();
        for name in names {
            self.bindings.put(name, next.bound.get(*name).cloned(), &ledger, &self.state);
        }
        let barred = allowed::barred(&next.bound, &Allowed::Here);
        declared.extend([Event::Configured(resources(&next)), Event::Barred(barred)]);
        *self.setup.lock().unwrap_or_else(PoisonError::into_inner) = next;
        self.inbox.declare(declared, lasting, TURN).map_err(|why| {
            for name in names {
                self.bindings.put(name, old.bound.get(*name).cloned(), &ledger, &self.state);
            }
            self.not_in_force(old.clone(), &why)
        })
    }

    /// The old configuration is in force again.
    fn not_in_force(&self, old: Setup, why: &Undeclared) -> Findings {
        let problem = format!("it is not loaded: {why}");
        let findings = Findings::from(vec![old.config.remark(problem, why.way_out())]);
        tracing::error!("the new configuration is not in force, the old one stays:\n{findings}");
        *self.setup.lock().unwrap_or_else(PoisonError::into_inner) = old;
        findings
    }

    /// Asks the catalogue on the thread that owns it.
    async fn ask_catalogue<T: Send + 'static>(
        &self,
        question: impl FnOnce(&Catalogue) -> Result<T, CatalogueError> + Send + 'static,
    ) -> Result<T, Unreadable> {
        let (answer, answered) = oneshot::channel();
        self.inbox.put(Message::Catalogue(Box::new(move |catalogue| {
            let _ = answer.send(question(catalogue));
        })));
        match answered.await {
            Ok(Ok(found)) => Ok(found),
            Ok(Err(error)) => Err(Unreadable(error.to_string())),
            Err(_) => Err(Unreadable("heptad is stopping".into())),
        }
    }
}

pub(super) fn resources(setup: &Setup) -> Vec<Resource> {
    setup.config.resources.iter().map(|declared| declared.resource.clone()).collect()
}

fn compare(old: &Setup, new: &Setup) -> wire::Reloaded {
    let mut report = wire::Reloaded::default();
    for declared in &new.config.resources {
        let name = &declared.resource.name;
        match old.config.get(name) {
            None => report.added.push(name.to_string()),
            Some(before) if before != declared => report.changed.push(name.to_string()),
            Some(_) => {}
        }
    }
    let gone = old.config.resources.iter().map(|declared| &declared.resource.name);
    report.removed.extend(gone.filter(|n| new.config.get(n).is_none()).map(ToString::to_string));
    report
}

/// What is new in it: `: added www; removed old`.
fn difference(report: &wire::Reloaded) -> String {
    let parts =
        [("added", &report.added), ("changed", &report.changed), ("removed", &report.removed)];
    let some = parts.into_iter().filter(|(_, names)| !names.is_empty());
    let said: Vec<_> = some.map(|(what, names)| format!("{what} {}", names.join(", "))).collect();
    if said.is_empty() { String::new() } else { format!(": {}", said.join("; ")) }
}

fn needs_restart(old: &Setup, new: &Setup) -> Option<wire::Finding> {
    let (a, b) = (&old.config.daemon, &new.config.daemon);
    let same = (&a.socket, &a.state, &a.group, &a.admin_group)
        == (&b.socket, &b.state, &b.group, &b.admin_group);
    (!same).then(|| wire::Finding {
        key: Some("daemon".into()),
        message: "settings of [daemon] other than log take effect at the next start".into(),
        hint: Some("restart heptad: systemctl restart heptad".into()),
        ..wire::Finding::default()
    })
}

/// Whatever a check has to say of what can be loaded.
fn checked(setup: &Setup) -> Vec<wire::Finding> {
    let Inspection { findings, remarks } = inspect(setup, &Allowed::Here);
    findings.iter().map(finding).chain(remarks.iter().map(remark)).collect()
}

/// What is no fault, as clients read it.
fn remark(found: &Finding) -> wire::Finding {
    wire::Finding { remark: true, ..finding(found) }
}

/// A finding as clients read it.
pub(super) fn finding(found: &Finding) -> wire::Finding {
    wire::Finding {
        file: found.file.as_ref().map(|file| file.display().to_string()),
        line: found.line.and_then(|line| u64::try_from(line).ok()),
        key: (!found.key.is_empty()).then(|| found.key.clone()),
        message: found.problem.clone(),
        hint: (!found.hint.is_empty()).then(|| found.hint.clone()),
        remark: false,
    }
}

impl Service for DaemonService {
    fn submit(
        &self,
        uid: u32,
        key: Option<Key>,
        request: Request,
    ) -> Soon<'_, Result<Operation, Denied>> {
        let (answer, answered) = oneshot::channel();
        self.inbox.put(Message::Ask(Ask { ticket: 0, uid, key, request }, answer));
        Box::pin(async move { answered.await.unwrap_or(Err(Denied::Stopping)) })
    }

    fn published(&self) -> watch::Receiver<Published> {
        self.published.clone()
    }

    fn look_again(&self) -> bool {
        let amiss = self.published.borrow().ledger.accounts.values().any(|a| a.is_amiss());
        if amiss {
            self.inbox.put(Message::Event(Event::Look));
        }
        amiss
    }

    fn facets(&self, resource: &ResourceName) -> Vec<&'static str> {
        self.bindings.of(resource).map(|bound| bound.backend.facets()).unwrap_or_default()
    }

    fn now(&self) -> Timestamp {
        self.clock.read().wall
    }

    fn slots(
        &self,
        resource: ResourceName,
        from: Timestamp,
        until: Timestamp,
    ) -> Soon<'_, Result<Vec<SlotRecord>, Unreadable>> {
        Box::pin(self.ask_catalogue(move |catalogue| catalogue.slots_of(&resource, from, until)))
    }

    fn operations(&self, filter: OperationFilter) -> Soon<'_, Result<Vec<Operation>, Unreadable>> {
        Box::pin(self.ask_catalogue(move |catalogue| {
            let asked = catalogue::OperationFilter {
                resource: filter.resource,
                id: filter.id,
                open: filter.open,
                limit: Some(u32::try_from(filter.limit).unwrap_or(u32::MAX)),
                before: filter.before,
            };
            catalogue.operations(&asked)
        }))
    }

    fn usage(&self, from: Date, until: Date) -> Soon<'_, Result<Metered, Unreadable>> {
        let setup = self.setup.lock().unwrap_or_else(PoisonError::into_inner);
        let tariff = setup.config.fee.clone();
        drop(setup);
        Box::pin(async move {
            let days = self.ask_catalogue(move |catalogue| catalogue.usage(from, until)).await?;
            Ok(Metered { tariff, days })
        })
    }

    fn fits(&self, of: Target, draft: NewResource) -> Soon<'_, Result<(), String>> {
        Box::pin(self.readers.fits(of, draft))
    }

    fn may_attach(
        &self,
        instance: ResourceName,
        disk: ResourceName,
    ) -> Soon<'_, Result<(), String>> {
        Box::pin(self.readers.may_attach(instance, disk))
    }

    fn may_detach(
        &self,
        instance: ResourceName,
        disk: ResourceName,
    ) -> Soon<'_, Result<(), String>> {
        Box::pin(self.readers.may_detach(instance, disk))
    }

    fn offers(&self) -> Offers {
        let setup = self.setup.lock().unwrap_or_else(PoisonError::into_inner);
        let config = &setup.config;
        Offers {
            currency: config.fee.currency.clone(),
            plans: config.plans.values().cloned().collect(),
            blueprints: config.blueprints.values().cloned().collect(),
        }
    }

    fn protect(
        &self,
        key: Option<Key>,
        wish: Wish,
    ) -> Soon<'_, Result<wire::Protected, Unprotectable>> {
        Box::pin(self.put_under_protection(key, wish))
    }

    fn reload(&self) -> Soon<'_, Result<wire::Reloaded, Vec<wire::Finding>>> {
        Box::pin(async move {
            let wire = |findings: Findings| findings.iter().map(finding).collect();
            tokio::task::block_in_place(|| self.load()).map_err(wire)
        })
    }

    fn check(&self) -> Soon<'_, wire::Check> {
        Box::pin(async move {
            tokio::task::block_in_place(|| {
                let (loadable, findings) = match self.examine() {
                    Ok(setup) => (true, checked(&setup)),
                    Err(findings) => (false, findings.iter().map(finding).collect()),
                };
                wire::Check { loadable, findings, lacks: Allowed::Here.lacks() }
            })
        })
    }

    fn list_files(
        &self,
        of: Target,
        path: TreePath,
        after: Option<Vec<u8>>,
        limit: usize,
    ) -> Soon<'_, Result<Listing, BrowseError>> {
        Box::pin(self.readers.list(of, path, after, limit))
    }

    fn open_file(&self, of: Target, path: TreePath) -> Soon<'_, Result<OpenFile, BrowseError>> {
        Box::pin(self.readers.file(of, path))
    }

    fn compare_files(
        &self,
        old: Target,
        new: Target,
        path: TreePath,
        after: Option<TreePath>,
        limit: usize,
    ) -> Soon<'_, Result<Differences, BrowseError>> {
        Box::pin(self.readers.compare(old, new, path, after, limit))
    }

    fn mount_files(&self, of: Target) -> Soon<'_, Result<Handover, BrowseError>> {
        Box::pin(self.readers.mount(of))
    }

    fn mounted(&self) -> Result<Vec<Mounted>, BrowseError> {
        let all = self.bindings.mounted().all();
        let all = all.map_err(|error| BrowseError::Unreadable(error.to_string()))?;
        let one = |place: Place| {
            let Place { resource, seq, point, below } = place;
            Mounted { resource, seq, point, below }
        };
        Ok(all.into_iter().map(one).collect())
    }

    fn progress(&self, operation: OperationId) -> Option<wire::Progress> {
        self.workers.progress(operation).as_ref().map(wire_progress)
    }

    fn under_way(&self) -> Vec<wire::UnderWay> {
        let all = self.workers.under_way().into_iter();
        all.map(|(id, gone)| wire::UnderWay { id: id.0, progress: wire_progress(&gone) }).collect()
    }
}

fn wire_progress(gone: &Gone) -> wire::Progress {
    wire::Progress {
        done_bytes: gone.done,
        total_bytes: gone.total,
        bytes_per_second: gone.rate(),
        seconds_left: gone.left(),
    }
}

/// Of requests that were granted.
pub(super) type Answers = VecDeque<(Key, wire::Protected)>;
