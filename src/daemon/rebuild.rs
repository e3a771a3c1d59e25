//! `heptad rebuild`: a new catalogue from nothing but what lies beside the snapshots.

use super::bindings::Bindings;
use super::boot::FLOOR;
use super::check;
use super::driver::reading;
use super::engine::{Engine, Turn};
use super::error::BootError;
use super::opening::{Opening, open};
use super::perform::perform;
use super::service::resources;
use crate::catalogue::export;
use crate::config::Locations;
use crate::domain::account::Account;
use crate::domain::event::Event;
use crate::domain::keeper::Keeper;
use crate::domain::ledger::Ledger;
use crate::domain::name::ResourceName;
use crate::domain::operation::{Failure, Fault};
use crate::domain::report::Finished;
use crate::domain::snapshot::Health;
use crate::host::clock::Clock;
use crate::store::unclaimed;
use jiff::SignedDuration;
use std::path::PathBuf;

/// What came of it.
#[derive(Debug)]
pub struct Rebuilt {
    /// Every snapshot found, in canonical order, as the catalogue now has it.
    pub export: serde_json::Value,
    pub snapshots: usize,
    /// How many of each resource, and how many of them wait for a person.
    pub resources: Vec<(String, usize, usize)>,
    /// Resources that could not be looked at, and why: run it again when they are back.
    pub unseen: Vec<(String, String)>,
    /// Directories with snapshots of resources that the configuration does not have.
    pub unclaimed: Vec<(ResourceName, PathBuf)>,
}

/// Sets the catalogue aside and fills a new one by surveying every configured resource. The daemon
/// must not run. Nothing is taken or destroyed.
///
/// # Errors
/// [`BootError`]: the configuration, the lock, the state directory.
pub fn rebuild(
    locations: &Locations,
    env: &[(String, String)],
    clock: &dyn Clock,
) -> Result<Rebuilt, BootError> {
    let setup = check::prepare(locations, env).map_err(BootError::Configuration)?;
    let Opening { setup, lock, catalogue, .. } = open(setup)?;
    let catalogue = catalogue.set_aside("rebuild asked")?.catalogue;
    let bindings = Bindings::new(&setup.config.daemon.state);
    let ledger = Ledger::default();
    bindings.replace(setup.bound.clone(), &ledger, &setup.config.daemon.state);
    let began = clock.read();
    let now = || reading(clock, began, SignedDuration::ZERO);
    let keeper = Keeper::new(ledger, FLOOR, now(), uuid::Uuid::new_v4().as_u128());
    let mut engine = Engine::new(keeper, catalogue);
    // A stop first: nothing but the surveys, which are looked for below, may be started.
    let mut turn = engine.turn(vec![Event::Configured(resources(&setup))], now());
    engine.turn(vec![Event::Stop], now());
    let mut unseen = Vec::new();
    loop {
        let reports = look(&bindings, &turn);
        if reports.is_empty() {
            break;
        }
        turn = engine.turn(reports, now());
    }
    let ledger = engine.keeper().ledger();
    for account in ledger.accounts.values().filter(|account| !account.surveyed) {
        let why = account.trouble.clone().unwrap_or_else(|| "its backend did not answer".into());
        unseen.push((account.name().to_string(), why));
    }
    let stores =
        setup.bound.values().filter_map(|binding| binding.backend.territory().store).collect();
    let known = |name: &ResourceName| setup.bound.contains_key(name);
    let rebuilt = Rebuilt {
        export: export(ledger),
        snapshots: ledger.snapshots().count(),
        resources: ledger.accounts.values().map(|account| counts(account)).collect(),
        unseen,
        unclaimed: unclaimed(&setup.config.daemon.state, &stores, known),
    };
    // Whoever waits for the lock opens the catalogue next.
    drop(engine);
    drop(lock);
    Ok(rebuilt)
}

fn counts(account: &Account) -> (String, usize, usize) {
    let doubted = account.snapshots.values();
    let doubted = doubted.filter(|snapshot| matches!(snapshot.health, Health::Suspect(_))).count();
    (account.name().to_string(), account.snapshots.len(), doubted)
}

fn look(bindings: &Bindings, turn: &Turn) -> Vec<Event> {
    let report = |order: &crate::domain::order::Order| {
        let result = match bindings.of(&order.resource) {
            Some(binding) => perform(binding.backend.as_ref(), order, &()),
            None => Err(Failure::new(Fault::Permanent, "no backend serves it")),
        };
        let output = String::new();
        Event::Finished(Finished { operation: order.operation, result, output })
    };
    turn.orders.iter().map(report).collect()
}
