//! Any program speaks for a technology: heptad starts it for each verb and exchanges JSON.
//!
//! The plugin does the work; what can be checked from outside is checked here: that the program
//! is trusted, that its answer is whole, that what is destroyed is what was meant. This room knows
//! no technology, and nothing of what a plugin's own options mean.

mod listing;
mod plugin;
mod protocol;

use super::facets::{InPlace, Inspection};
use super::options::Reader;
use super::options::{Context, OptionFinding};
use super::{
    Backend, Capabilities, Object, RestoreOrder, Restored, RollbackOrder, TakeOrder, Territory,
};
use crate::domain::name::ResourceName;
use crate::domain::operation::Fault;
use crate::domain::setting::{Setting, Shape};
use crate::domain::snapshot::{Content, Handle};
use crate::domain::survey::{Found, Mark, Survey};
use crate::domain::usage::TotalUsage;
use crate::domain::usage::Usage;
use crate::fs::{Progress, StorageError};
use crate::host::drop_in::DropIn;
use crate::host::holders;
use crate::store::identity::Probe;
use crate::store::manifest::Manifest;
use plugin::Plugin;
use protocol::{Ask, Done, Info, Listing, Probed, Subject, Taken, Used, Users, Verb, Verified};
use serde_json::{Map, Value};
use std::os::unix::fs::MetadataExt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Its name in the configuration and in manifests.
const NAME: &str = "exec";
/// How long a verb may take unless configured.
const DEADLINE: Duration = Duration::from_secs(3600);

#[derive(Debug)]
struct Exec {
    resource: ResourceName,
    plugin: Plugin,
    pool: String,
    in_flight: Option<usize>,
    /// What the plugin said of itself, and which file said so.
    info: Mutex<Option<(Stamp, Info)>>,
}

/// Changes when the program is replaced: device, inode, length, and seconds and nanoseconds of the
/// last change.
type Stamp = (u64, u64, u64, i64, i64);

/// The options, for the checker and for everybody who reads of them.
pub(super) const OPTIONS: &[Setting] = &[
    Setting::new(
        "program",
        Shape::Path,
        "The plugin. It and each directory on the way to it must be root's and writable for \
         nobody else.",
    )
    .example("\"/usr/lib/heptad/plugins/tarball\"")
    .required(),
    Setting::new("args", Shape::Texts(100_000), "Its arguments before the verb.").default("[]"),
    Setting::new(
        "deadline",
        Shape::Seconds(1, 604_800),
        "How long a verb may take; info, probe and list have 60 seconds at most.",
    )
    .default("3600"),
    Setting::new(
        "pool",
        Shape::Text,
        "Resources with the same pool share the bound of in_flight. Left out: the program's path.",
    )
    .example("\"tarballs\""),
    Setting::new(
        "in_flight",
        Shape::Whole(1, 1024),
        "How many verbs may run at once in the pool. Left out: the plugin says.",
    )
    .example("1"),
    Setting::new("options", Shape::Table, "The plugin's own options; heptad only passes them on.")
        .example("{ path = \"/srv/notes\", store = \"/var/backups/notes\" }"),
];

/// The constructor for the registry.
///
/// # Errors
/// Everything that is wrong with the options; the plugin checks its own when it runs.
pub(super) fn build(
    options: &Map<String, Value>,
    context: &Context,
) -> Result<Arc<dyn Backend>, Vec<OptionFinding>> {
    let mut reader = Reader::new(options, OPTIONS);
    let program = reader.required_path("program");
    let args = reader.texts("args").unwrap_or_default();
    let deadline = reader.seconds("deadline").unwrap_or(DEADLINE);
    let pool = reader.text("pool");
    let in_flight = reader.number("in_flight");
    let options = reader.table("options").unwrap_or_default();
    let built = program.map(|program| -> Arc<dyn Backend> {
        Arc::new(Exec {
            resource: context.resource.clone(),
            pool: pool.unwrap_or_else(|| program.display().to_string()),
            in_flight: in_flight.and_then(|number| usize::try_from(number).ok()),
            info: Mutex::new(None),
            plugin: Plugin {
                program,
                args,
                deadline,
                resource: context.resource.to_string(),
                options,
            },
        })
    });
    reader.finish(built)
}

impl Backend for Exec {
    fn capabilities(&self) -> Capabilities {
        let info = self.known().map(|(_, info)| info);
        let told = info.and_then(|info| info.in_flight).map(|number| number.clamp(1, 1024));
        Capabilities {
            instant: info.is_some_and(|info| info.instant),
            in_flight: self.in_flight.or(told).unwrap_or(1),
            // To see who uses the resource. Whether the plugin can roll back is not known before it
            // is asked.
            drop_ins: &[DropIn::Rollback],
            ..Capabilities::default()
        }
    }

    fn pool(&self) -> String {
        self.pool.clone()
    }

    fn territory(&self) -> Territory {
        // Only the plugin knows where things are; they need not be paths at all.
        Territory::default()
    }

    fn probe(&self) -> Result<Probe, StorageError> {
        self.probed(Verb::Probe, Ask::default())
    }

    fn take(&self, order: &TakeOrder<'_>, progress: &dyn Progress) -> Result<Object, StorageError> {
        let ask = Ask {
            snapshot: Some(Subject::to_be(order.card)),
            manifest: Some(Manifest::new(&self.resource, NAME, order.card)),
            source: order.source.map(Subject::new),
            previous: order.previous.map(Subject::new),
            ..Ask::default()
        };
        let Taken { object, notes, incomplete } = self.ask_while(Verb::Take, ask, progress)?;
        let object = listing::identity("its object", object);
        let object = object.map_err(|why| self.lie(Verb::Take, why))?;
        let incomplete = incomplete.as_deref().map(listing::sentence);
        let mut notes = listing::sentences(notes);
        // Also once somebody has accepted that.
        notes.extend(incomplete.clone().filter(|lacks| !notes.contains(lacks)));
        Ok(Object { object, notes, incomplete })
    }

    fn list(&self) -> Result<Survey, StorageError> {
        let listing: Listing = self.ask(Verb::List, Ask::default())?;
        listing::survey(&self.resource, listing).map_err(|why| self.lie(Verb::List, why))
    }

    fn verify(&self, handle: &Handle, progress: &dyn Progress) -> Result<Content, StorageError> {
        let verified: Verified = self.ask_while(Verb::Verify, about(handle), progress)?;
        Ok(verified.content.into())
    }

    fn destroy(&self, handle: &Handle) -> Result<(), StorageError> {
        let found = self.list()?.found;
        let meant = meant(&found, handle)
            .map_err(|why| self.plugin.error(Verb::Destroy, Fault::Identity, why))?;
        // Also when it is listed no more: it may be gone without being durably so.
        let Done {} = self.ask(Verb::Destroy, about(&meant))?;
        Ok(())
    }

    fn restore(
        &self,
        order: &RestoreOrder<'_>,
        progress: &dyn Progress,
    ) -> Result<Restored, StorageError> {
        order.is_plain()?;
        let (handle, target) = (order.handle, order.target);
        let fail = |why: String| Err(self.plugin.error(Verb::Restore, Fault::Permanent, why));
        let Some(text) = target.to_str() else {
            return fail(format!("{} is not UTF-8, as JSON must be", target.display()));
        };
        if target.symlink_metadata().is_ok() {
            return fail(format!("{text} exists already; name a path that does not"));
        }
        let ask = Ask { target: Some(text), ..about(handle) };
        match self.ask_while(Verb::Restore, ask, progress) {
            Ok(Done {}) => {}
            Err(error) if error.fault == Fault::Cancelled && target.symlink_metadata().is_ok() => {
                // It is there whole or not at all; what lacks is the word that it is durable.
                let parent = std::fs::File::open(target.parent().unwrap_or(target));
                let synced = parent.and_then(|dir| Ok(rustix::fs::syncfs(dir)?));
                synced.map_err(|why| {
                    StorageError::io(format!("completing {text}, as it was made in time"), &why)
                })?;
            }
            Err(error) => return Err(error),
        }
        match target.symlink_metadata() {
            Ok(_) => Ok(Restored::default()),
            Err(error) => fail(format!("it claims success, but at {text}: {error}")),
        }
    }

    fn mark(&self, handle: &Handle, mark: &Mark) -> Result<(), StorageError> {
        self.agree()?;
        let keeps = self.known().is_some_and(|(_, info)| info.tags);
        if mark.tags.is_some() && !keeps {
            // It would be told that all is well, and find the old ones at the next listing.
            let why = "this plugin does not keep changed tags; its `info` has to say `tags`";
            return Err(self.plugin.error(Verb::Mark, Fault::Permanent, why));
        }
        let Done {} = self.ask(Verb::Mark, Ask { mark: Some(mark.into()), ..about(handle) })?;
        Ok(())
    }

    fn usage(&self, handle: &Handle) -> Result<Usage, StorageError> {
        let Used { stored, exclusive } = self.ask(Verb::Usage, about(handle))?;
        Ok(Usage { stored, exclusive })
    }

    /// By a listing of its own, though the survey has just made one: that is asked for around every
    /// act, and a figure kept from it would have to be given up at each of them.
    fn occupied(&self) -> Result<Option<TotalUsage>, StorageError> {
        let listing: Listing = self.ask(Verb::List, Ask::default())?;
        Ok(listing.occupied.map(|bytes| TotalUsage { bytes, exact: true }))
    }

    fn inspection(&self) -> Option<&dyn Inspection> {
        Some(self)
    }

    fn in_place(&self) -> Option<&dyn InPlace> {
        Some(self)
    }
}

impl Inspection for Exec {
    /// The program alone: how long the plugin takes is its own affair.
    fn usable(&self) -> Result<(), StorageError> {
        self.plugin.trusted(Verb::Probe)
    }
}

impl InPlace for Exec {
    fn users(&self) -> Result<Vec<String>, StorageError> {
        self.must_roll_back()?;
        let Users { users } = self.ask(Verb::Users, Ask::default())?;
        Ok(listing::sentences(users))
    }

    /// The plugin itself sees to it that nobody uses the resource: only it knows whether the order
    /// is done already, and then it does not matter. Nor does anybody else know where its point of
    /// no return is, so what has begun is not stopped.
    fn rollback(
        &self,
        order: &RollbackOrder<'_>,
        _progress: &dyn Progress,
    ) -> Result<Probe, StorageError> {
        self.must_roll_back()?;
        let ask = Ask { token: Some(order.token), ..about(order.handle) };
        self.probed(Verb::Rollback, ask)
    }
}

impl Exec {
    /// Asks, after the version was agreed on with this very program.
    fn ask<T: serde::de::DeserializeOwned>(
        &self,
        verb: Verb,
        ask: Ask<'_>,
    ) -> Result<T, StorageError> {
        self.ask_while(verb, ask, &())
    }

    /// The same; the plugin is ended as soon as its answer is not wanted any more.
    fn ask_while<T: serde::de::DeserializeOwned>(
        &self,
        verb: Verb,
        ask: Ask<'_>,
        progress: &dyn Progress,
    ) -> Result<T, StorageError> {
        self.agree()?;
        self.plugin.ask(verb, ask, progress)
    }

    fn agree(&self) -> Result<(), StorageError> {
        let stamp = std::fs::metadata(&self.plugin.program).ok().map(|found| {
            (found.dev(), found.ino(), found.size(), found.mtime(), found.mtime_nsec())
        });
        if stamp.is_some() && self.known().map(|(stamp, _)| stamp) == stamp {
            return Ok(());
        }
        let info: Info = self.plugin.ask(Verb::Info, Ask::default(), &())?;
        *self.info.lock().unwrap_or_else(PoisonError::into_inner) =
            stamp.map(|stamp| (stamp, info));
        Ok(())
    }

    /// Asks for something that is answered with the live resource's identity.
    fn probed(&self, verb: Verb, ask: Ask<'_>) -> Result<Probe, StorageError> {
        let Probed { identity } = self.ask(verb, ask)?;
        let identity = listing::identity("its identity", identity);
        identity.map(|identity| Probe { identity }).map_err(|why| self.lie(verb, why))
    }

    /// # Errors
    /// [`Fault::Permanent`] where the plugin does not say that it can.
    fn must_roll_back(&self) -> Result<(), StorageError> {
        self.agree()?;
        match self.known() {
            // Who is hidden from a plugin that looks for users would be nobody to it.
            Some((_, info)) if info.rollback && nix::unistd::geteuid().is_root() => {
                holders::must_see_all().map_err(|error| {
                    self.plugin.error(Verb::Rollback, Fault::Permanent, error.to_string())
                })
            }
            Some((_, info)) if info.rollback => Ok(()),
            _ => Err(self.plugin.error(
                Verb::Rollback,
                Fault::Permanent,
                "this plugin cannot; make a new resource from the snapshot: heptactl create",
            )),
        }
    }

    fn known(&self) -> Option<(Stamp, Info)> {
        *self.info.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// An answer that cannot be true, or not for this heptad.
    fn lie(&self, verb: Verb, why: String) -> StorageError {
        self.plugin.error(verb, Fault::Permanent, format!("its answer is refused: {why}"))
    }
}

fn about(handle: &Handle) -> Ask<'_> {
    Ask { snapshot: Some(Subject::new(handle)), ..Ask::default() }
}

/// The snapshot to destroy, with its object as just read again; or what is in its place.
fn meant(found: &[Found], handle: &Handle) -> Result<Handle, String> {
    let touching = found.iter().map(|found| &found.card.handle);
    let touching = touching.filter(|listed| listed.seq == handle.seq || listed.id == handle.id);
    let mut meant = handle.clone();
    for listed in touching {
        // Before it is whole it has no object; its id says enough then.
        let known = !listed.object.is_empty() && !handle.object.is_empty();
        let same = listed.seq == handle.seq && listed.id == handle.id;
        if !same || (known && listed.object != handle.object) {
            return Err(format!(
                "meant is snapshot {} ({}, object {:?}), found is {} ({}, object {:?})",
                handle.seq, handle.id, handle.object, listed.seq, listed.id, listed.object
            ));
        }
        meant.object.clone_from(&listed.object);
    }
    Ok(meant)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn findings(options: Value) -> Vec<String> {
        let context = Context { resource: "notes".parse().unwrap(), state: "/var".into() };
        let found = build(options.as_object().unwrap(), &context).err().unwrap_or_default();
        found.iter().map(|found| format!("{} {}", found.key, found.problem)).collect()
    }

    #[test]
    fn the_options_are_checked_all_at_once() {
        assert_eq!(
            findings(json!({"program": "/bin/true", "options": {"a": {"b": [1]}}})),
            [""; 0]
        );
        let wrong = json!({
            "args": "x", "deadline": 0, "in_flight": 2000, "options": [], "pol": "a"
        });
        assert_eq!(
            findings(wrong),
            [
                "program is missing",
                "args \"x\" is not a list of texts",
                "deadline 0 is not a number of seconds from 1 to 604800",
                "in_flight 2000 is not a whole number from 1 to 1024",
                "options [] is not a table, { key = value }",
                "pol is not an option of this backend",
            ]
        );
    }
}
