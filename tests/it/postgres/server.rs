//! A real cluster in a scratch directory, and its server.

use crate::support::loopfs::{LoopFs, run};
use std::ffi::OsStr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// The newest version that is installed.
pub fn bin() -> PathBuf {
    let versions = std::fs::read_dir("/usr/lib/postgresql").expect("apt-get install postgresql");
    let newest = versions.map(|entry| entry.unwrap().path()).max_by_key(|path| {
        path.file_name().unwrap().to_str().unwrap().parse::<u32>().unwrap_or_default()
    });
    newest.unwrap().join("bin")
}

/// A command of PostgreSQL, as the user postgres.
pub fn command<S: AsRef<OsStr>>(name: &str, args: &[S]) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--reuid=postgres", "--regid=postgres", "--clear-groups"]);
    command.arg(bin().join(name)).args(args).current_dir("/").env("LC_ALL", "C.UTF-8");
    command
}

/// Runs it; it must succeed.
pub fn tool<S: AsRef<OsStr>>(name: &str, args: &[S]) -> String {
    text(name, command(name, args).output().unwrap())
}

pub fn text(name: &str, output: Output) -> String {
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{name}: {error}");
    String::from_utf8(output.stdout).unwrap()
}

/// What heptad says to type, in a network of its own: the port that was free when the copy was made
/// may be another test's by now.
pub fn typed(line: &str) -> Command {
    let mut command = Command::new("unshare");
    command.args(["--net", "sh", "-c", "ip link set lo up && eval \"$1\"", "sh", line]);
    command
}

/// A mounted file system that the user postgres may enter. It is root's, as a store needs it.
pub fn scratch(kind: &str, megabytes: u64) -> LoopFs {
    let fs = LoopFs::new(kind, megabytes);
    let open = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(fs.path().parent().unwrap(), open.clone()).unwrap();
    std::fs::set_permissions(fs.path(), open).unwrap();
    fs
}

pub fn own(path: &Path) {
    run("chown", &["postgres:postgres", path.to_str().unwrap()]);
}

/// A fresh cluster at a path: a copy of one that was made once.
pub fn cluster(data: &Path) {
    let template = Path::new(env!("CARGO_TARGET_TMPDIR")).join("postgres-used-cluster");
    if !template.exists() {
        let dir = tempfile::Builder::new().prefix("heptad-pg-").tempdir_in("/var/tmp").unwrap();
        own(dir.path());
        let made = dir.path().join("data");
        let made = made.to_str().unwrap();
        tool("initdb", &["-D", made, "-N", "-A", "peer", "-E", "UTF8", "--locale=C.UTF-8"]);
        // Only a real server numbers what users make above what initdb makes.
        let server = Server::start(Path::new(made), "");
        server.sql("create table first (n int)");
        server.sql("drop table first");
        server.stop("fast");
        let own = template.with_extension(std::process::id().to_string());
        run("cp", &["-a", made, own.to_str().unwrap()]);
        // Another test may have been faster.
        let _ = std::fs::rename(&own, &template);
    }
    run("cp", &["-a", template.to_str().unwrap(), data.to_str().unwrap()]);
}

/// A running server; stopped when dropped.
pub struct Server {
    pub data: PathBuf,
    pub socket: PathBuf,
}

impl Server {
    /// Starts it with its socket in a directory of its own beside the data.
    pub fn start(data: &Path, options: &str) -> Self {
        let socket = data.with_extension("s");
        if !socket.exists() {
            std::fs::create_dir(&socket).unwrap();
            own(&socket);
        }
        let server = Self { data: data.into(), socket };
        let options = format!(
            "-k {} -c listen_addresses='' -c fsync=off -c autovacuum=off {options}",
            server.socket.display()
        );
        let log = server.socket.join("log");
        let (data, log) = (data.to_str().unwrap(), log.to_str().unwrap());
        let mut start =
            command("pg_ctl", &["-D", data, "-w", "-s", "-l", log, "-o", &options, "start"]);
        // The server must not hold the test's own pipes.
        let status = start.stdout(Stdio::null()).stderr(Stdio::null()).status().unwrap();
        let said = std::fs::read_to_string(server.socket.join("log")).unwrap_or_default();
        assert!(status.success(), "the server does not start: {said}");
        server
    }

    pub fn stop(&self, how: &str) {
        tool("pg_ctl", &["-D", self.data.to_str().unwrap(), "-s", "-w", "-m", how, "stop"]);
    }

    pub fn port(&self) -> String {
        let text = std::fs::read_to_string(self.data.join("postmaster.pid")).unwrap();
        text.lines().nth(3).unwrap().to_owned()
    }

    /// A client of it, before its own arguments.
    pub fn client(&self, name: &str, args: &[&str]) -> Command {
        let (socket, port) = (self.socket.to_str().unwrap().to_owned(), self.port());
        let mut all = vec!["-h".to_owned(), socket, "-p".into(), port];
        all.extend(args.iter().map(|arg| (*arg).to_owned()));
        command(name, &all)
    }

    pub fn sql(&self, sql: &str) -> String {
        let args = ["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-c", sql, "postgres"];
        text(sql, self.client("psql", &args).output().unwrap()).trim().to_owned()
    }

    /// Nothing of a take is left: no slot, no session, no label.
    pub fn must_be_out_of_backup_mode(&self) {
        assert_eq!(self.sql("select count(*) from pg_replication_slots"), "0");
        let sessions = "select count(*) from pg_stat_activity where application_name = 'heptad'";
        assert_eq!(self.sql(sessions), "0");
        assert!(!self.data.join("backup_label").exists());
    }

    /// Every check that PostgreSQL has for tables and indexes, in all databases.
    pub fn must_be_sound(&self) {
        let args = ["--all", "--install-missing", "--heapallindexed", "--parent-check"];
        text("pg_amcheck", self.client("pg_amcheck", &args).output().unwrap());
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let args = ["-D", self.data.to_str().unwrap(), "-s", "-w", "-m", "immediate", "stop"];
        let _ = command("pg_ctl", &args).output();
        // Its last processes may need a moment.
        let until = std::time::Instant::now() + std::time::Duration::from_secs(20);
        let held = || heptad::host::holders::holders(&self.data).is_ok_and(|held| !held.is_empty());
        while held() && std::time::Instant::now() < until {
            std::thread::yield_now();
        }
    }
}
