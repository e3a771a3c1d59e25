//! Chores at fixed times, ticked by the scheduler crate: few, in UTC, and harmless to lose or to
//! repeat. What is due is never decided here.

use super::inbox::{Inbox, Message};
use crate::api::service::Published;
use crate::catalogue::Catalogue;
use crate::domain::alarm::{self, Alarm};
use crate::domain::event::Event;
use jiff::SignedDuration;
use std::path::PathBuf;
use std::sync::Arc;
use tokio::sync::watch;
use tokio_cron_scheduler::{Job, JobScheduler, JobSchedulerError};

/// Seconds, minutes, hours, … as the crate reads them.
const CHORES: &[(&str, Chore)] = &[
    ("0 */5 * * * *", Chore::NoteClock),
    ("30 */10 * * * *", Chore::LayBallast),
    ("0 17 * * * *", Chore::Sweep),
    // Well after the sweep, which measures.
    ("0 42 * * * *", Chore::CountUsage),
    ("0 47 * * * *", Chore::TellAlarms),
    ("15 3 4 * * *", Chore::Backup),
    ("45 33 4 * * *", Chore::CheckCatalogue),
    ("15 48 4 * * *", Chore::Forget),
];

/// How many jobs may fall due together; the crate loses what does not fit.
const CHANNEL: usize = 1024;

#[derive(Clone, Copy, Debug)]
enum Chore {
    NoteClock,
    LayBallast,
    /// Look at every backend: an independent second pair of eyes for what the timer may miss.
    Sweep,
    /// Add up what snapshots occupy, for the fee.
    CountUsage,
    TellAlarms,
    Backup,
    CheckCatalogue,
    /// Drop records that are older than anybody asks for.
    Forget,
}

/// How long slots, operations and tombstones stay in the catalogue.
const HISTORY: SignedDuration = SignedDuration::from_hours(24 * 400);

/// What chores need.
#[derive(Clone)]
pub(super) struct Keys {
    pub inbox: Inbox,
    pub published: watch::Receiver<Published>,
    /// Where the catalogue's daily copy goes.
    pub backup: PathBuf,
}

/// Starts ticking. The scheduler lives until it is dropped.
///
/// # Errors
/// The crate's, when a job cannot be added.
pub(super) async fn start(keys: Keys) -> Result<JobScheduler, JobSchedulerError> {
    let scheduler = JobScheduler::new_with_channel_size(CHANNEL).await?;
    let keys = Arc::new(keys);
    for (when, chore) in CHORES {
        let keys = Arc::clone(&keys);
        let job = Job::new_async(*when, move |_, _| {
            let keys = Arc::clone(&keys);
            Box::pin(async move { perform(*chore, &keys) })
        })?;
        scheduler.add(job).await?;
    }
    scheduler.start().await?;
    Ok(scheduler)
}

/// Only puts a message somewhere, so that it can neither block nor fail.
fn perform(chore: Chore, keys: &Keys) {
    tracing::debug!(?chore, "housekeeping");
    match chore {
        Chore::NoteClock => keys.inbox.put(Message::NoteClock),
        Chore::Sweep => keys.inbox.put(Message::Event(Event::Sweep)),
        Chore::CountUsage => keys.inbox.put(Message::CountUsage),
        Chore::TellAlarms => {
            // A copy: while it is borrowed the driver cannot publish.
            let published = keys.published.borrow().clone();
            tell_alarms(&published);
        }
        Chore::LayBallast => with_catalogue(keys, |catalogue| match catalogue.restore_ballast() {
            Ok(true) => {}
            Ok(false) => tracing::warn!("the disk of the state directory is full; make room there"),
            Err(error) => tracing::warn!(%error, "no reserve of room for the catalogue: {error}"),
        }),
        Chore::Backup => {
            let path = keys.backup.clone();
            with_catalogue(keys, move |catalogue| match catalogue.backup_to(&path) {
                Ok(()) => {
                    let path = path.display();
                    tracing::info!(%path, "the catalogue is copied to {path}");
                }
                Err(error) => {
                    let path = path.display();
                    tracing::error!(%error, %path, "the catalogue cannot be copied to {path}: {error}");
                }
            });
        }
        Chore::Forget => {
            let now = keys.published.borrow().moment.now;
            let before = now.saturating_sub(HISTORY).unwrap_or(now);
            with_catalogue(keys, move |catalogue| match catalogue.vacuum_history(before) {
                Ok(pruned) => tracing::debug!(?pruned, "old records dropped"),
                Err(error) => tracing::warn!(%error, "old records could not be dropped: {error}"),
            });
        }
        Chore::CheckCatalogue => with_catalogue(keys, |catalogue| match catalogue.quick_check() {
            Ok(()) => tracing::info!("the catalogue is checked: no damage"),
            Err(error) => {
                tracing::error!(%error, "{error}; stop heptad and \
                run `heptad rebuild`")
            }
        }),
    }
}

fn with_catalogue(keys: &Keys, act: impl FnOnce(&mut Catalogue) + Send + 'static) {
    keys.inbox.put(Message::Catalogue(Box::new(act)));
}

fn tell_alarms(published: &Published) {
    for account in published.ledger.accounts.values() {
        for alarm in alarm::alarms(&published.ledger, account, &published.moment) {
            let Alarm { code, sentence, hint } = alarm;
            let (resource, code) = (account.name(), code.word());
            tracing::warn!(%resource, code, hint, "{resource}: alarm: {sentence}; {hint}");
        }
    }
}
