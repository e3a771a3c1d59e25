//! What is wrong with a resource or its snapshots as they are now.

use super::{Alarm, AlarmCode};
use crate::domain::account::Account;
use crate::domain::ledger::Ledger;
use crate::domain::marking;
use crate::domain::operation::{Act, State};
use crate::domain::snapshot::{Fate, Health, Snapshot};
use crate::domain::survey::Elsewhere;
use std::sync::Arc;

pub(super) fn doubt(account: &Account) -> Option<Alarm> {
    let why = account.doubt()?;
    let name = account.name();
    let code = match account.stranger {
        Some(_) => AlarmCode::Stranger,
        None => AlarmCode::Suspect,
    };
    let hint = match code {
        AlarmCode::Stranger => format!(
            "if it was made anew, `heptactl acknowledge {name}`; if something else is mounted there, \
             bring the right one back"
        ),
        _ => format!("look at it, then `heptactl acknowledge {name}` if the change is intended"),
    };
    Some(Alarm::new(code, format!("{why}; rotation waits"), hint))
}

pub(super) fn barred(account: &Account) -> Option<Alarm> {
    let barred = account.barred.as_ref().filter(|_| account.is_active())?;
    let sentence = format!("no snapshot of it can be taken: {}", barred.why);
    Some(Alarm::new(AlarmCode::NotAllowed, sentence, barred.way_out.clone()))
}

/// What stands in the way, but where something else is in its place: that has an alarm of its own.
pub(super) fn trouble(account: &Account) -> Option<Alarm> {
    if account.stranger.is_some() {
        return None;
    }
    let name = account.name();
    let Some(why) = account.trouble.as_ref() else {
        let why = account.failed_by_hand.as_ref().filter(|_| account.is_active())?;
        let sentence = format!("the last snapshot by hand failed: {why}");
        let hint = format!("mend that, then `heptactl take {name}`");
        return Some(Alarm::new(AlarmCode::Trouble, sentence, hint));
    };
    let stays = "nothing of it is rotated meanwhile";
    // It says itself what to type.
    if why.contains("umount ") {
        return Some(Alarm::new(AlarmCode::Trouble, why.clone(), stays));
    }
    let newest = account.newest_usable().map(|newest| newest.label());
    let again = newest.map(|newest| {
        format!(
            "; if it is lost, `heptactl rollback {name} --to {newest}` says how to make it again"
        )
    });
    let again = again.unwrap_or_default();
    let hint = format!("{stays}; mount or start it, or correct its configuration{again}");
    Some(Alarm::new(AlarmCode::Trouble, why.clone(), hint))
}

pub(super) fn lost(account: &Account, code: AlarmCode) -> Option<Alarm> {
    let (health, what) = match code {
        AlarmCode::Missing => {
            (Health::Missing, "not in the store any more, and heptad did not delete it:")
        }
        _ => (Health::Tampered, "changed behind heptad's back:"),
    };
    let of_it = |s: &&Arc<Snapshot>| s.health == health && s.fate == Fate::Live;
    let labels: Vec<String> = account.snapshots.values().filter(of_it).map(|s| s.label()).collect();
    let first = labels.first()?;
    if let (AlarmCode::Missing, Some(elsewhere)) = (code, &account.elsewhere) {
        return Some(moved(&labels, elsewhere));
    }
    let sentence = match labels.len() {
        1 => format!("{what} {first}"),
        n => format!("{what} {first} and {} more", n - 1),
    };
    let hint = match code {
        AlarmCode::Missing => format!(
            "was its store moved, or is its disk not mounted? Then put that right; if it is lost for \
             good, `heptactl delete {first}` takes it off the list"
        ),
        _ => format!("do not trust it; `heptactl delete {first}` puts it in the trash"),
    };
    Some(Alarm::new(code, sentence, hint))
}

/// They are not gone: nobody should take them off the list.
pub(super) fn moved(labels: &[String], elsewhere: &Elsewhere) -> Alarm {
    let Elsewhere { before, now } = elsewhere;
    let which = match labels {
        [one] => format!("{one} lies"),
        _ => format!("{} snapshots lie", labels.len()),
    };
    let sentence = format!("its store was changed to {now}, and {which} unharmed in {before}");
    let hint = format!(
        "set `store` back and `heptactl reload`; or stop heptad, move what is in {before} to {now}, and \
         start it; do not delete them here"
    );
    Alarm::new(AlarmCode::Missing, sentence, hint)
}

/// The oldest snapshot whose destruction failed more than once and waits for the next look.
pub(super) fn stuck(ledger: &Ledger, account: &Account) -> Option<Alarm> {
    let doomed = account.snapshots.values().filter(|s| s.fate.is_doomed());
    doomed.into_iter().find_map(|snapshot| {
        let tries = ledger.operations.values().filter(|operation| {
            let destroys =
                matches!(operation.act, Act::Destroy { seq, .. } if seq == snapshot.seq());
            destroys && operation.resource == *account.name()
        });
        let failures = tries.filter_map(|operation| match &operation.state {
            State::Failed(failure) => Some((operation.id, failure)),
            _ => None,
        });
        let failures: Vec<_> = failures.collect();
        let (id, failure) = failures.last().filter(|_| failures.len() > 1)?;
        let (label, times) = (snapshot.label(), failures.len());
        let sentence =
            format!("{label} could not be destroyed in {times} tries: {}", failure.message);
        let hint = format!("it is tried again every hour; see `heptactl operation {id}`");
        Some(Alarm::new(AlarmCode::Stuck, sentence, hint))
    })
}

/// Without its mark a lost catalogue would lose what is known of a snapshot.
pub(super) fn unmarked(ledger: &Ledger, account: &Account) -> Option<Alarm> {
    let (snapshot, tried) = marking::unmarked(ledger, account)?;
    let (label, times, why) = (snapshot.label(), tried.times, &tried.failure.message);
    let sentence = format!(
        "what heptad knows of {label} cannot be written beside it, in {times} tries: {why}; should \
         the catalogue be lost, that is lost too"
    );
    let hint = format!(
        "make its store writable; it is tried again with growing pauses, see `heptactl operation {}`",
        tried.last.id
    );
    Some(Alarm::new(AlarmCode::Unmarked, sentence, hint))
}

pub(super) fn undeclared(account: &Account) -> Option<Alarm> {
    let name = account.name();
    (!account.declared).then(|| {
        Alarm::new(
            AlarmCode::Undeclared,
            "it is no longer in the configuration: its snapshots stay, and no new ones are taken",
            format!("declare it again, or `heptactl forget {name}`"),
        )
    })
}

pub(super) fn zone_lost(account: &Account) -> Option<Alarm> {
    let zone = account.policy().rhythm.zone;
    (zone.is_lost() && account.is_active()).then(|| {
        let sentence = format!("this host does not know the time zone {zone}; it goes by UTC");
        let hint = "`heptad check` names the line and what to write; or install the host's zone \
                    database (packages tzdata, tzdata-legacy); then restart heptad";
        Alarm::new(AlarmCode::ZoneLost, sentence, hint)
    })
}
