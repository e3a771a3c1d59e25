//! One connection to the server, held open by psql: backup mode ends with it, whatever happens to
//! heptad, and so does the replication slot.

use super::cluster::{Cluster, Postmaster};
use super::settings::Settings;
use super::tools::Tools;
use crate::domain::operation::Fault;
use crate::fs::StorageError;
use crate::host::process::{Talk, TalkError};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Between fields, and in place of line ends inside of one: no name or path holds them.
const FIELD: char = '\u{1f}';
const LINE: char = '\u{1e}';
/// What psql prints after each answer.
const END: &str = "heptad-end-of-answer";
/// Of `pg_basebackup`: for the files and for the log.
const SENDERS: u32 = 2;
/// For what only reads.
const QUICK: Duration = Duration::from_secs(60);
/// A fast checkpoint writes all of the shared buffers.
const CHECKPOINT: Duration = Duration::from_secs(1800);

#[derive(Debug)]
pub(super) struct Session {
    talk: Talk,
    pub facts: Facts,
}

/// What only the server knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Facts {
    /// 150018 for 15.18.
    pub version: u32,
    pub standby: bool,
    /// Of one write-ahead log file, in bytes.
    pub segment: u64,
    /// How many connections can copy it or its log at once.
    pub senders: u32,
    /// Its log has not enough for a copy of the running server.
    pub minimal: bool,
    pub slot_free: bool,
    /// The role that was asked as, and whether that one may copy.
    pub role: String,
    pub replicates: bool,
    /// The files postgresql.conf, pg_hba.conf, pg_ident.conf.
    pub config: [PathBuf; 3],
}

/// What ends a backup.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Stopped {
    pub lsn: u64,
    pub label: String,
    pub map: String,
}

/// What ends a statement, a transaction or a session that takes long, by the first version that
/// knows it: an older one refuses what it does not know.
const TIMEOUTS: [(u32, &str); 5] = [
    (0, "statement_timeout"),
    (0, "lock_timeout"),
    (0, "idle_in_transaction_session_timeout"),
    (14, "idle_session_timeout"),
    (17, "transaction_timeout"),
];

/// Those of a version, to be switched off for work of heptad's own.
pub(super) fn timeouts(major: u32) -> impl Iterator<Item = &'static str> {
    TIMEOUTS.into_iter().filter(move |(since, _)| *since <= major).map(|(_, name)| name)
}

/// How to reach the server: `-h`, `-p`, `-U` of all its programs.
pub(super) fn address(
    settings: &Settings,
    postmaster: &Postmaster,
) -> Result<Vec<String>, StorageError> {
    let Some(socket) = settings.socket.clone().or_else(|| postmaster.socket.clone()) else {
        let why = "the server has no Unix socket; set unix_socket_directories in its configuration";
        return Err(StorageError::new(Fault::Permanent, "connecting to the server", why));
    };
    let port = settings.port.unwrap_or(postmaster.port);
    let mut args = vec!["-w".into(), "-h".into(), socket.display().to_string()];
    args.extend(["-p".into(), port.to_string()]);
    args.extend(settings.user.iter().flat_map(|user| ["-U".into(), user.clone()]));
    Ok(args)
}

impl Facts {
    /// # Errors
    /// [`Fault::Permanent`] where the log of the server at `data` is of no use for a copy.
    pub(super) fn expect_log(&self, data: &Path) -> Result<(), StorageError> {
        if !self.minimal || self.standby {
            return Ok(());
        }
        let why = "its wal_level is minimal, and then no copy can be made while it runs: set wal_level \
                   to replica, and max_wal_senders to 10, and restart it; or stop it meanwhile";
        let doing = format!("copying the server of {}", data.display());
        Err(StorageError::new(Fault::Permanent, doing, why))
    }

    /// # Errors
    /// [`Fault::Permanent`] where `pg_basebackup` will not be let in.
    pub(super) fn expect_senders(&self, data: &Path) -> Result<(), StorageError> {
        let refuse = |why: String| {
            let doing = format!("copying the server of {}", data.display());
            let otherwise = match self.standby {
                true => "",
                false => "; or choose a store that shares blocks with the data directory",
            };
            Err(StorageError::new(Fault::Permanent, doing, format!("{why}{otherwise}")))
        };
        if self.senders < SENDERS {
            return refuse(format!(
                "its max_wal_senders is {}, and pg_basebackup needs {SENDERS}: set max_wal_senders to \
                 10 and restart it",
                self.senders
            ));
        }
        if !self.replicates {
            return refuse(format!(
                "role {0} may not use pg_basebackup: let it, with alter role \"{0}\" replication",
                self.role
            ));
        }
        Ok(())
    }
}

impl Session {
    /// # Errors
    /// [`Fault::Permanent`] where the server refuses, [`Fault::Transient`] while it starts or
    /// stops, [`Fault::Identity`] where it serves another data directory.
    pub(super) fn connect(
        settings: &Settings,
        cluster: &Cluster,
        postmaster: &Postmaster,
        tools: &Tools,
    ) -> Result<Self, StorageError> {
        let mut args = address(settings, postmaster)?;
        let shown = args[2..].join(" ");
        let separator = FIELD.to_string();
        let fixed = ["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-F", &separator, "-d"];
        args.extend(fixed.map(String::from));
        args.push(settings.database.clone());
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        let doing = || format!("connecting to the server of {} ({shown})", cluster.path.display());
        let talk = tools.spawn("psql", &args, &cluster.dir, QUICK).talk();
        let mut talk =
            talk.map_err(|e| StorageError::new(Fault::Permanent, doing(), e.to_string()))?;
        let text = talk.ask(&question(FACTS), END, QUICK);
        let text = text.map_err(|error| refused(error, &doing(), postmaster.ready))?;
        let (data, facts) = facts(&text).ok_or_else(|| {
            let why = format!("its answer {text:?} is not understood");
            StorageError::new(Fault::Permanent, doing(), why)
        })?;
        let theirs = std::fs::metadata(&data).ok().map(|meta| (meta.dev(), meta.ino()));
        let ours = rustix::fs::fstat(&cluster.dir).ok().map(|stat| (stat.st_dev, stat.st_ino));
        if theirs.is_none() || theirs != ours {
            let why = format!(
                "it serves {}; correct socket, port or data in the configuration",
                data.display()
            );
            return Err(StorageError::new(Fault::Identity, doing(), why));
        }
        Ok(Self { talk, facts })
    }

    /// Keeps the write-ahead log from here on, and switches backup mode on. Not for a standby.
    pub(super) fn start(&mut self, label: &str) -> Result<(), StorageError> {
        let doing = "switching backup mode on";
        let off = timeouts(self.facts.version / 10_000);
        let mut sql: String = off.map(|name| format!("set {name} = 0;\n")).collect();
        // Temporary: it goes with the session. Where no slot is free the log is looked for after
        // the copy, and its absence makes the attempt void.
        sql.push_str(&format!(
            "select case when (select count(*) from pg_replication_slots) \
             < current_setting('max_replication_slots')::int then \
             (pg_create_physical_replication_slot('heptad_{label}', true, true)).slot_name end;\n"
        ));
        let call = match self.facts.version {
            150_000.. => format!("pg_backup_start('heptad {label}', true)"),
            _ => format!("pg_start_backup('heptad {label}', true, false)"),
        };
        sql.push_str(&format!("select {call};"));
        self.ask(&sql, CHECKPOINT, doing).map(|_| ())
    }

    /// Switches backup mode off. Only the success of this makes what was copied a backup.
    pub(super) fn stop(&mut self) -> Result<Stopped, StorageError> {
        let doing = "switching backup mode off";
        let call = match self.facts.version {
            150_000.. => "pg_backup_stop(false)",
            _ => "pg_stop_backup(false, false)",
        };
        let sql = format!(
            "select lsn - '0/0'::pg_lsn, translate(labelfile, E'\\n', E'\\x1e'), \
             translate(spcmapfile, E'\\n', E'\\x1e') from {call};"
        );
        let text = self.ask(&sql, QUICK, doing)?;
        stopped(&text).ok_or_else(|| {
            let why = format!("the answer {text:?} is not understood");
            StorageError::new(Fault::Permanent, doing, why)
        })
    }

    pub(super) fn close(self) {
        // The backup is complete; how psql takes its leave changes nothing.
        let _ = self.talk.close(QUICK);
    }

    fn ask(&mut self, sql: &str, wait: Duration, doing: &str) -> Result<String, StorageError> {
        self.talk.ask(&question(sql), END, wait).map_err(|error| {
            let fault = match &error {
                // psql ends so after an error of SQL; 2 would be a lost connection.
                TalkError::Ended { status, .. } if status.code() == Some(3) => Fault::Permanent,
                _ => Fault::Transient,
            };
            StorageError::new(fault, doing, error.to_string())
        })
    }
}

fn question(sql: &str) -> String {
    format!("{sql}\n\\echo {END}\n")
}

fn refused(error: TalkError, doing: &str, ready: bool) -> StorageError {
    match error {
        TalkError::Ended { said, .. } if ready => {
            let why = format!(
                "{said}; the role must be a superuser, or have REPLICATION and pg_read_all_settings \
                 and may run the backup functions, and pg_hba.conf must let it in (see user, \
                 database, socket and port of this resource)"
            );
            StorageError::new(Fault::Permanent, doing, why)
        }
        error => StorageError::new(Fault::Transient, doing, error.to_string()),
    }
}

fn stopped(text: &str) -> Option<Stopped> {
    let mut fields = text.trim_end_matches('\n').split(FIELD);
    let lsn = fields.next()?.parse().ok()?;
    let mut lines = || fields.next().map(|text| text.replace(LINE, "\n"));
    Some(Stopped { lsn, label: lines()?, map: lines()? })
}

const FACTS: &str = "select current_setting('server_version_num'), pg_is_in_recovery(), \
    (select setting from pg_settings where name = 'wal_segment_size'), \
    current_setting('max_wal_senders'), current_setting('wal_level') = 'minimal', \
    (select count(*) from pg_replication_slots) < current_setting('max_replication_slots')::int, \
    current_user, \
    (select rolsuper or rolreplication from pg_roles where rolname = current_user), \
    current_setting('data_directory'), current_setting('config_file'), \
    current_setting('hba_file'), current_setting('ident_file');";

fn facts(text: &str) -> Option<(PathBuf, Facts)> {
    let mut fields = text.trim_end_matches('\n').split(FIELD);
    let version = fields.next()?.parse().ok()?;
    let standby = fields.next()? == "t";
    let segment = fields.next()?.parse().ok().filter(|size: &u64| size.is_power_of_two())?;
    let senders = fields.next()?.parse().ok()?;
    let mut is = || fields.next().map(|field| field == "t");
    let (minimal, slot_free) = (is()?, is()?);
    let role = fields.next()?.to_owned();
    let replicates = fields.next()? == "t";
    let mut path = || fields.next().map(PathBuf::from);
    let (data, config) = (path()?, [path()?, path()?, path()?]);
    let facts =
        Facts { version, standby, segment, senders, minimal, slot_free, role, replicates, config };
    Some((data, facts))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_version_is_asked_to_switch_off_the_timeouts_that_it_knows() {
        let check = |major: u32, has: &[&str], lacks: &[&str]| {
            let off: Vec<&str> = timeouts(major).collect();
            assert!(off.contains(&"statement_timeout") && off.contains(&"lock_timeout"), "{major}");
            assert!(has.iter().all(|name| off.contains(name)), "{major}: {off:?}");
            assert!(!lacks.iter().any(|name| off.contains(name)), "{major}: {off:?}");
        };
        let (idle, transaction) = ("idle_session_timeout", "transaction_timeout");
        check(13, &[], &[idle, transaction]);
        check(16, &[idle], &[transaction]);
        check(17, &[idle, transaction], &[]);
        check(18, &[idle, transaction], &[]);
    }
}
