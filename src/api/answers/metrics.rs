//! OpenMetrics text. Written by hand: a dozen lines of format need no crate.
//!
//! The one figure that matters is `heptad_newest_complete_timestamp_seconds`.

use super::View;
use crate::domain::account::Account;
use crate::domain::alarm::AlarmCode;
use crate::domain::alarm::{self};
use crate::domain::fee::ResourceUsage;
use crate::domain::snapshot::{Fate, Health, Snapshot};
use std::collections::BTreeMap;
use std::fmt::{Display, Write};

/// What the answer's Content-Type must be.
pub(crate) const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// The states that snapshots are counted by; each is always there, so that a graph has no gaps.
const STATES: [&str; 7] =
    ["taking", "complete", "suspect", "missing", "tampered", "trashed", "doomed"];

impl View<'_> {
    pub fn metrics(&self) -> String {
        let mut page = Page(String::new());
        page.family("heptad", "info", "", "The running heptad.");
        page.sample("heptad_info", &[("version", env!("CARGO_PKG_VERSION"))], 1);
        page.family("heptad_open_operations", "gauge", "", "Operations that are not finished.");
        page.sample("heptad_open_operations", &[], self.ledger.open_operations().count());
        page.family("heptad_daemon_alarms", "gauge", "", "Alarms of the daemon itself.");
        page.sample("heptad_daemon_alarms", &[], self.daemon_alarms().len());
        self.times(&mut page);
        self.counted(&mut page);
        page.0.push_str("# EOF\n");
        page.0
    }

    fn times(&self, page: &mut Page) {
        let accounts = || self.ledger.accounts.values();
        let newest = |a: &Account| a.newest_complete().map(|at| at.as_second());
        let name = "heptad_newest_complete_timestamp_seconds";
        page.family(name, "gauge", "seconds", "When the newest complete snapshot was taken.");
        for account in accounts() {
            page.maybe(name, account, newest(account));
        }
        let name = "heptad_newest_complete_age_seconds";
        page.family(name, "gauge", "seconds", "How old the newest complete snapshot is.");
        for account in accounts() {
            page.maybe(name, account, newest(account).map(|at| self.moment.now.as_second() - at));
        }
        let name = "heptad_newest_proof_timestamp_seconds";
        let help = "When a copy of one of its snapshots was last tried out and worked.";
        page.family(name, "gauge", "seconds", help);
        for account in accounts() {
            page.maybe(name, account, account.newest_proof().map(|at| at.as_second()));
        }
        let name = "heptad_next_run_timestamp_seconds";
        page.family(name, "gauge", "seconds", "When the next automatic snapshot is tried.");
        for account in accounts() {
            page.maybe(name, account, self.next_run(account).map(|next| next.at.as_second()));
        }
    }

    fn counted(&self, page: &mut Page) {
        page.family("heptad_snapshots", "gauge", "", "Snapshots by their state.");
        for account in self.ledger.accounts.values() {
            let mut counts: BTreeMap<&str, u64> = BTreeMap::new();
            for snapshot in account.snapshots.values() {
                *counts.entry(state(snapshot)).or_default() += 1;
            }
            for state in STATES {
                let labels = [("resource", account.name().as_str()), ("state", state)];
                let count = counts.get(state).copied().unwrap_or(0);
                page.sample("heptad_snapshots", &labels, count);
            }
        }
        let name = "heptad_snapshots_occupied_bytes";
        page.family(name, "gauge", "bytes", "What all snapshots take up, so far as it is known.");
        for account in self.ledger.accounts.values() {
            page.sample(
                name,
                &[("resource", account.name().as_str())],
                ResourceUsage::of(account).billed,
            );
        }
        // Of its own: as a label of the bytes it would end their series whenever it changes.
        let name = "heptad_snapshots_measured";
        page.family(name, "info", "", "What the figure of occupied bytes is.");
        for account in self.ledger.accounts.values() {
            let measured = ResourceUsage::of(account).basis().word();
            let labels = [("resource", account.name().as_str()), ("measured", measured)];
            page.sample("heptad_snapshots_measured_info", &labels, 1);
        }
        page.family("heptad_alarms", "gauge", "", "Alarms by resource and code.");
        for account in self.ledger.accounts.values() {
            let raised = alarm::alarms(self.ledger, account, &self.moment);
            for code in AlarmCode::ALL {
                let labels = [("resource", account.name().as_str()), ("code", code.word())];
                let count = raised.iter().filter(|alarm| alarm.code == code).count();
                page.sample("heptad_alarms", &labels, count);
            }
        }
    }
}

fn state(snapshot: &Snapshot) -> &'static str {
    match (&snapshot.fate, &snapshot.health) {
        (Fate::Trashed { .. }, _) => "trashed",
        (Fate::Doomed { .. }, _) => "doomed",
        (Fate::Live, Health::Taking) => "taking",
        (Fate::Live, Health::Complete) => "complete",
        (Fate::Live, Health::Suspect(_)) => "suspect",
        (Fate::Live, Health::Missing) => "missing",
        (Fate::Live, Health::Tampered) => "tampered",
    }
}

struct Page(String);

impl Page {
    fn family(&mut self, name: &str, kind: &str, unit: &str, help: &str) {
        let unit = if unit.is_empty() { unit.into() } else { format!("# UNIT {name} {unit}\n") };
        self.0.push_str(&format!("# TYPE {name} {kind}\n{unit}# HELP {name} {help}\n"));
    }

    fn maybe(&mut self, name: &str, account: &Account, value: Option<i64>) {
        if let Some(value) = value {
            self.sample(name, &[("resource", account.name().as_str())], value);
        }
    }

    /// Label values are names and words of our own, so nothing needs escaping.
    fn sample(&mut self, name: &str, labels: &[(&str, &str)], value: impl Display) {
        let labels: Vec<String> = labels.iter().map(|(k, v)| format!("{k}=\"{v}\"")).collect();
        let labels = match labels.as_slice() {
            [] => String::new(),
            labels => format!("{{{}}}", labels.join(",")),
        };
        // Writing to a String cannot fail.
        let _ = writeln!(self.0, "{name}{labels} {value}");
    }
}
