//! Where a new server can listen.

use super::super::BackendError;
use super::cluster::read;
use crate::domain::operation::Fault;
use crate::host::holders::is_alive;
use crate::host::listeners::listener;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};

/// Where servers put their sockets unless told otherwise: Debian's, and the project's own default.
const SOCKETS: [&str; 2] = ["/run/postgresql", "/tmp"];
/// In the order in which a server reads them: the last line of a setting counts.
const FILES: [&str; 2] = ["postgresql.conf", "postgresql.auto.conf"];
/// Debian keeps the settings of all clusters below it, as VERSION/CLUSTER.
const DEBIAN: &str = "/etc/postgresql";

/// The wished port, or the first above the original's that nobody uses, and that no cluster that
/// lies in one of the directories `near` will use when it is started.
///
/// # Errors
/// [`Fault::Permanent`] where the wished one is in use, saying by whom.
pub fn choose(
    wished: Option<u16>,
    original: u16,
    sockets: Option<&Path>,
    near: &[&Path],
) -> Result<u16, BackendError> {
    let mut places: Vec<&Path> = SOCKETS.iter().map(Path::new).collect();
    places.extend(sockets);
    let doing = "choosing a port for the new server";
    if let Some(port) = wished {
        return match user(port, &places) {
            None => Ok(port),
            Some(user) => {
                let why = format!(
                    "port {port} is in use by {user}: stop that, choose another with --port, or \
                     leave it out to get a free one"
                );
                Err(BackendError::new(Fault::Permanent, doing, why))
            }
        };
    }
    let reserved = reserved(near);
    let is_free = |port: &u16| !reserved.contains(port) && user(*port, &places).is_none();
    (original.saturating_add(1)..=u16::MAX).find(is_free).ok_or_else(|| {
        let why = format!("every port above {original} is in use; say one with --port");
        BackendError::new(Fault::Permanent, doing, why)
    })
}

/// Who uses a port at this moment.
fn user(port: u16, sockets: &[&Path]) -> Option<String> {
    let server = sockets.iter().find_map(|dir| {
        let lock = dir.join(format!(".s.PGSQL.{port}.lock"));
        let text = std::fs::read_to_string(lock).ok()?;
        let (pid, data) = (text.lines().next()?.trim().parse().ok()?, text.lines().nth(1)?);
        is_alive(pid).then(|| format!("the server of {data} (process {pid})"))
    });
    let bound = || TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).err().map(|_| "some program");
    server.or_else(|| listener(port)).or_else(|| bound().map(str::to_owned))
}

/// The ports that clusters nearby, and those that Debian knows, are configured for.
fn reserved(near: &[&Path]) -> Vec<u16> {
    let versions = inside(Path::new(DEBIAN));
    let near = near.iter().map(|dir| dir.to_path_buf());
    let clusters = versions.into_iter().chain(near).flat_map(|dir| inside(&dir));
    clusters.filter_map(|dir| std::fs::File::open(dir).ok()).filter_map(configured).collect()
}

fn inside(dir: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(dir) else { return Vec::new() };
    entries.filter_map(|entry| Some(entry.ok()?.path())).collect()
}

/// The port that a directory's settings name, if they do.
pub fn configured(dir: impl std::os::fd::AsFd) -> Option<u16> {
    let texts = FILES.iter().filter_map(|name| read(&dir, name).ok().flatten());
    texts.filter_map(|text| setting(&text)).last()
}

/// `port = 5433 # a comment`, the name in any case, the value perhaps in quotes.
fn setting(text: &str) -> Option<u16> {
    let line = |line: &str| {
        let line = line.trim_start();
        let (name, rest) = line.split_at_checked(4).filter(|(name, _)| name.is_ascii())?;
        let is_named = name.eq_ignore_ascii_case("port") && rest.starts_with([' ', '\t', '=']);
        let value = rest.trim_start_matches([' ', '\t', '=']).trim_start_matches('\'');
        let digits = value.find(|c: char| !c.is_ascii_digit()).unwrap_or(value.len());
        if is_named { value[..digits].parse().ok() } else { None }
    };
    text.lines().filter_map(line).next_back()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_line_of_a_setting_counts() {
        let check = |text: &str, want: Option<u16>| assert_eq!(setting(text), want, "{text:?}");
        check("port = 5433\t# (change requires restart)\n", Some(5433));
        check("#port = 5433\nwork_mem = 4MB\n", None);
        check("port=1\nPort '5434'\n", Some(5434));
        check("  port\t=\t'7'\n", Some(7));
        check("portal = 5\nport_x = 3\nport\n", None);
        check("port = ninety\n", None);
        check("über = 1\n", None);
    }

    #[test]
    fn a_port_that_is_in_use_is_refused_with_whoever_uses_it() {
        let ours = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = ours.local_addr().unwrap().port();
        let error = choose(Some(port), 5432, None, &[]).unwrap_err();
        let us = format!("process {}", std::process::id());
        assert!(error.detail.contains(&us) && error.detail.contains("--port"), "{error}");
        assert_ne!(choose(None, port - 1, None, &[]).unwrap(), port);
    }

    #[test]
    fn a_neighbour_that_does_not_run_keeps_its_port() {
        let dir = tempfile::tempdir().unwrap();
        let free = choose(None, 40_000, None, &[dir.path()]).unwrap();
        std::fs::create_dir(dir.path().join("other")).unwrap();
        let conf = dir.path().join("other/postgresql.auto.conf");
        std::fs::write(conf, format!("port = '{free}'\n")).unwrap();
        let next = choose(None, 40_000, None, &[dir.path()]).unwrap();
        assert!(next > free, "{next}");
        assert_eq!(choose(Some(free), 40_000, None, &[dir.path()]).unwrap(), free);
    }

    #[test]
    fn a_servers_lock_names_its_cluster() {
        let dir = tempfile::tempdir().unwrap();
        let lock = dir.path().join(".s.PGSQL.40100.lock");
        std::fs::write(&lock, format!("{}\n/srv/db\n", std::process::id())).unwrap();
        let said = user(40_100, &[dir.path()]).unwrap();
        assert!(said.starts_with("the server of /srv/db (process "), "{said}");
        // Of a server that died.
        std::fs::write(&lock, "4194305\n/srv/db\n").unwrap();
        assert_eq!(user(40_100, &[dir.path()]), None);
    }
}
