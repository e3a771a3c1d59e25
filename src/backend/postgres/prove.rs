//! Proof that a snapshot starts: a throw-away server on a copy of it.
//!
//! The server is PostgreSQL's single-user one, run as the data's owner: it recovers as any other,
//! answers on its standard output, and listens nowhere. It reads the configuration that a new
//! cluster of the snapshot would have, but nothing that this would load or run is loaded or run.
//! Where it does not start so, one written here shows whether the content is sound all the same.

use super::assemble::{Site, Spot, assemble, give};
use super::configure::New;
use super::copy::{name, open};
use super::detail::{Detail, Space};
use super::offline::control;
use super::proof::proof;
use super::session::timeouts;
use super::settings::Prove;
use super::tools::{Tools, handed, run_while};
use super::{Postgres, assemble};
use crate::domain::operation::Fault;
use crate::fs::tree::remove_tree;
use crate::fs::{Asking, Doing, Progress, StorageError};
use crate::store::manifest::{Manifest, write_proof};
use crate::store::{Item, Stage, remove};
use rustix::fs::{FlockOperation, Mode};
use std::ffi::{CStr, CString};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError};
use std::time::Duration;
/// A copy being proven.
const SCRATCH: &str = ".prove-";
/// For each database.
const DEADLINE: Duration = Duration::from_secs(1800);
/// A proof counts this long, by the times at which the snapshots were taken.
const WEEK: jiff::SignedDuration = jiff::SignedDuration::from_hours(7 * 24);
const CONFIG: &str = "heptad.conf";

/// Whether this one is to be proven now.
pub(super) fn is_due(postgres: &Postgres, item: &Item) -> Result<bool, StorageError> {
    match postgres.settings.prove {
        Prove::Never => return Ok(false),
        Prove::Always => return Ok(true),
        Prove::Weekly if item.manifest.origin != "automatic" => return Ok(false),
        Prove::Weekly => {}
    }
    let Some(taken) = taken(&item.manifest) else { return Ok(true) };
    let (items, _) = postgres.store.items()?;
    for other in items.iter().filter(|other| other.stage == Stage::Whole) {
        let age = self::taken(&other.manifest).map(|other| taken.duration_since(other));
        let recent = age.is_some_and(|age| age >= jiff::SignedDuration::ZERO && age < WEEK);
        if recent && proof(other)?.is_some() {
            return Ok(false);
        }
    }
    Ok(true)
}

fn taken(manifest: &Manifest) -> Option<jiff::Timestamp> {
    manifest.taken_at.parse().ok()
}

/// # Errors
/// [`Fault::Identity`] with what the server said, where the snapshot is bad; others where it could
/// not be tried.
pub(super) fn prove(
    postgres: &Postgres,
    item: &Item,
    detail: &Detail,
    (tools, progress): (&Tools, &dyn Progress),
) -> Result<(), StorageError> {
    let _one = postgres.proving.lock().unwrap_or_else(PoisonError::into_inner);
    let scratch = Scratch::make(postgres, item)?;
    let (databases, configured) = try_out(postgres, &scratch, (item, detail), (tools, progress))?;
    drop(scratch);
    let plural = if databases == 1 { "" } else { "s" };
    let by =
        format!("a server started on a copy of it, {databases} database{plural} read{configured}");
    write_proof(&item.path, by).map(drop)
}

/// Removes what a crash left of a proof. One that goes on holds a lock on its directory, which ends
/// with it however it ends.
pub(super) fn sweep(postgres: &Postgres) -> Result<(), StorageError> {
    let doing = || format!("sweeping {}", postgres.store.dir().display());
    let store = std::fs::File::open(postgres.store.dir()).doing(doing)?;
    let names = crate::fs::tree::names(&store).doing(doing)?;
    for found in names.iter().filter(|name| name.to_bytes().starts_with(SCRATCH.as_bytes())) {
        let left = open(&store, &found.to_string_lossy());
        if let Some(left) = left.ok().filter(|left| lock(left).is_ok()) {
            clear(&store, found, &left)?;
        }
    }
    Ok(())
}

/// The copy may be a subvolume.
fn clear(store: &std::fs::File, found: &CStr, dir: &OwnedFd) -> Result<(), StorageError> {
    remove(dir, &name("data")?)?;
    remove_tree(store.as_fd(), found)
}

fn lock(dir: &OwnedFd) -> rustix::io::Result<()> {
    rustix::fs::flock(dir, FlockOperation::NonBlockingLockExclusive)
}

/// The directory of the copy; gone when dropped, at the latest with the next look at the store.
struct Scratch {
    store: std::fs::File,
    name: CString,
    dir: OwnedFd,
}

impl Scratch {
    fn make(postgres: &Postgres, item: &Item) -> Result<Self, StorageError> {
        sweep(postgres)?;
        let text = format!("{SCRATCH}{}", item.seq);
        let path = postgres.store.dir().join(&text);
        let doing = || format!("making {}", path.display());
        std::fs::create_dir(&path).doing(doing)?;
        let dir = std::fs::File::open(&path).doing(doing)?.into();
        lock(&dir).doing(doing)?;
        let mode = std::fs::Permissions::from_mode(super::copy::PASSABLE);
        std::fs::set_permissions(&path, mode).doing(doing)?;
        let store = std::fs::File::open(postgres.store.dir()).doing(doing)?;
        Ok(Self { store, name: name(&text)?, dir })
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // The next look at the store tries again.
        let _ = clear(&self.store, &self.name, &self.dir);
    }
}

/// How many databases were read, and with which configuration.
fn try_out(
    postgres: &Postgres,
    scratch: &Scratch,
    (item, detail): (&Item, &Detail),
    (tools, progress): (&Tools, &dyn Progress),
) -> Result<(usize, String), StorageError> {
    let doing = || "preparing a copy to prove".to_owned();
    assemble::make(&scratch.dir, "tablespaces", detail)?;
    let spaces = open(&scratch.dir, "tablespaces").doing(doing)?;
    let space = |space: &Space| {
        let link = format!("../../tablespaces/{}", space.oid);
        let dir = spaces.try_clone().doing(doing)?;
        Ok(Spot::Outside { dir, name: name(&space.oid)?, link })
    };
    let site = Site {
        dir: scratch.dir.as_fd(),
        data: &name("data")?,
        path: Path::new("data"),
        log_inside: false,
        space: &space,
    };
    let data = Arc::new(assemble(item, detail, &site, &Asking(progress))?);
    let sound = tools.spawn("pg_controldata", &["-D", &handed(&data)], &data, DEADLINE);
    let prepared = control(sound, "reading the control file")?;
    let path = PathBuf::from(handed(&data));
    let lacks = configured(item, detail, &postgres.settings.data, &path).configure(&data)?;
    let mut server = Server { tools, progress, major: detail.major, data, is_neutral: false };
    let (databases, trouble) = match server.read() {
        // Only without its configuration it is the content that is judged.
        Err((error, lacking)) if error.fault == Fault::Identity => {
            neutral(&server.data, &prepared, detail)?;
            server.is_neutral = true;
            let databases = server.read().map_err(|(error, _)| error)?;
            (databases, Some((error.detail, lacking)))
        }
        Err((error, _)) => return Err(error),
        Ok(databases) => (databases, server.access()?.map(|why| (why, START))),
    };
    let configured = match trouble {
        Some((why, lacking)) => {
            let why = why.replace(&format!("{}/", path.display()), "");
            format!(", but with its own configuration it {lacking}: {why}")
        }
        None if lacks.is_empty() => ", with its own configuration".to_owned(),
        None => ", with what is stored of its own configuration".to_owned(),
    };
    Ok((databases, configured))
}

/// What `create` would write, but for a path that only the server knows.
fn configured<'a>(
    item: &'a Item,
    detail: &'a Detail,
    original: &'a Path,
    path: &'a Path,
) -> New<'a> {
    let (spaces, start, adopt) = (Vec::new(), String::new(), None);
    New { item, detail, path, original, port: detail.port, spaces, start, adopt }
}

const LIST: &str = "select datname from pg_database where datallowconn";
/// Lines of `pg_hba.conf` with which no server starts.
const ACCESS: &str = "select 'line ' || line_number || ' of pg_hba.conf: ' || error as error \
    from pg_hba_file_rules where error is not null";
const READ: &str = "select count(*) from pg_class";
/// Every btree of the copy, by the checks of pg_amcheck.
const CHECK: &str = "select count(*) from pg_class\n\
    drop extension if exists amcheck cascade\n\
    create extension amcheck schema pg_catalog\n\
    select bt_index_check(c.oid) from pg_index i join pg_class c on c.oid = i.indexrelid \
    join pg_am a on a.oid = c.relam where a.amname = 'btree' and c.relpersistence = 'p' \
    and i.indisvalid and i.indisready";

/// Whatever the configuration says: nothing is loaded, waited for, written elsewhere, or
/// overlooked.
const SAFE: [&str; 20] = [
    "listen_addresses=",
    "fsync=off",
    "shared_buffers=32MB",
    "archive_mode=off",
    "lc_messages=C",
    "log_min_messages=warning",
    "huge_pages=off",
    "log_destination=stderr",
    "logging_collector=off",
    "shared_preload_libraries=",
    "session_preload_libraries=",
    "local_preload_libraries=",
    "jit=off",
    "default_transaction_read_only=off",
    "synchronous_standby_names=",
    "default_tablespace=",
    "temp_tablespaces=",
    "zero_damaged_pages=off",
    "ignore_checksum_failure=off",
    "ignore_invalid_pages=off",
];

/// The same for a version, and no time limit.
fn safe(major: u32) -> Vec<String> {
    let off = timeouts(major).map(|name| format!("{name}=0"));
    SAFE.iter().map(|setting| (*setting).to_owned()).chain(off).collect()
}

/// A configuration with nothing of the cluster's.
fn neutral(data: &OwnedFd, control: &str, detail: &Detail) -> Result<(), StorageError> {
    // Recovery wants as much room for them as the original had.
    let setting = |label: &str, name: &str| {
        let line = control.lines().find_map(|line| line.strip_prefix(label));
        line.map(|value| format!("{name} = {}\n", value.trim())).unwrap_or_default()
    };
    let text = [
        setting("max_prepared_xacts setting:", "max_prepared_transactions"),
        setting("max_locks_per_xact setting:", "max_locks_per_transaction"),
    ];
    let doing = || format!("writing {CONFIG}");
    let flags = rustix::fs::OFlags::WRONLY | rustix::fs::OFlags::CREATE | rustix::fs::OFlags::EXCL;
    let file = rustix::fs::openat(data, CONFIG, flags, Mode::RUSR | Mode::WUSR).doing(doing)?;
    std::io::Write::write_all(&mut std::fs::File::from(file), text.concat().as_bytes())
        .doing(doing)?;
    give(data, CONFIG, detail).doing(doing)?;
    // It would be read after the one above.
    remove_tree(data.as_fd(), &name("postgresql.auto.conf")?)
}

struct Server<'a> {
    tools: &'a Tools,
    progress: &'a dyn Progress,
    major: u32,
    data: Arc<OwnedFd>,
    is_neutral: bool,
}

/// What a server does not do with its own configuration.
const START: &str = "does not start";
const ANSWER: &str = "cannot be read";

impl Server<'_> {
    /// How many databases were read, which are all; or why not, and what it does not do.
    fn read(&self) -> Result<usize, (StorageError, &'static str)> {
        let listed = self.ask("template1", LIST).map_err(|error| (error, START))?;
        self.check(&values(&listed, "datname")).map_err(|error| (error, ANSWER))
    }

    fn check(&self, databases: &[String]) -> Result<usize, StorageError> {
        let known = "select name from pg_available_extensions where name = 'amcheck'";
        let checkable = !values(&self.ask("template1", known)?, "name").is_empty();
        if databases.is_empty() {
            let why = "it lists no database".to_owned();
            return Err(StorageError::new(Fault::Identity, "proving the copy", why));
        }
        for database in databases {
            self.ask(database, if checkable { CHECK } else { READ })?;
        }
        Ok(databases.len())
    }

    /// What is wrong with who may connect. A file that cannot be read is an error to the server.
    fn access(&self) -> Result<Option<String>, StorageError> {
        match self.ask("template1", ACCESS) {
            Err(error) if error.fault == Fault::Identity => Ok(Some(error.detail)),
            said => Ok(values(&said?, "error").pop()),
        }
    }

    /// Starts, asks, stops. What is bad about the answer is a bad snapshot.
    fn ask(&self, database: &str, sql: &str) -> Result<String, StorageError> {
        let doing = format!("proving database {database}");
        let own = handed(&self.data);
        let config = format!("config_file={own}/{CONFIG}");
        let mut args = vec!["--single", "-D", &own];
        if self.is_neutral {
            args.extend(["-c", &config]);
        }
        let safe = safe(self.major);
        args.extend(safe.iter().flat_map(|setting| ["-c", setting]));
        args.push(database);
        let mut spawn = self.tools.spawn("postgres", &args, &self.data, DEADLINE);
        spawn.stdin = format!("{sql}\n").into_bytes();
        let finished = run_while(&spawn, Fault::Identity, &doing, self.progress)?;
        let said = finished.stderr.text();
        let is_bad = |line: &&str| {
            ["ERROR:", "FATAL:", "PANIC:"].iter().any(|severity| line.contains(severity))
        };
        match said.lines().find(is_bad) {
            Some(line) => Err(StorageError::new(Fault::Identity, doing, line.trim().to_owned())),
            None => Ok(String::from_utf8_lossy(&finished.stdout.bytes).into_owned()),
        }
    }
}

/// The values of a column, as the single-user server prints them: `1: datname = "postgres"`, a tab,
/// and the type in parentheses.
fn values(text: &str, column: &str) -> Vec<String> {
    let start = format!(": {column} = \"");
    let value = |line: &str| {
        let rest = line.split_once(&start)?.1;
        Some(rest.rsplit_once("\"\t(")?.0.to_owned())
    };
    text.lines().filter_map(value).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_time_limit_of_its_own_configuration_stands_against_a_proof() {
        let has = |major: u32, setting: &str| safe(major).iter().any(|known| known == setting);
        assert!(has(13, "statement_timeout=0") && has(13, "fsync=off"));
        assert!(has(17, "transaction_timeout=0") && !has(16, "transaction_timeout=0"));
    }

    #[test]
    fn answers_of_the_single_user_server_are_read() {
        let text = "\t 1: datname\t(typeid = 19, len = 64, typmod = -1, byval = f)\n\t----\n\
                    \t 1: datname = \"postgres\"\t(typeid = 19, len = 64, typmod = -1, byval = f)\n\
                    \t----\n\t 1: datname = \"a \"b\"\t(typeid = 19)\n";
        assert_eq!(values(text, "datname"), ["postgres", "a \"b"]);
    }
}
