//! Where a new server can listen.

use super::cluster::read;
use super::conf::settings;
use super::copy::open;
use super::mains::{DEBIAN, MORE};
use crate::domain::operation::Fault;
use crate::fs::StorageError;
use crate::fs::tree::names;
use crate::host::holders::is_alive;
use crate::host::listeners::Ports;
use rustix::fs::{Mode, OFlags};
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

/// Where servers put their sockets unless told otherwise: Debian's, and the project's own default.
const SOCKETS: [&str; 2] = ["/run/postgresql", "/tmp"];
/// Ports are looked at one after the other, and never more than so many.
const TRIED: usize = 1000;
/// The first that is for everybody.
const LOWEST: u16 = 1024;
/// In the order in which a server reads them: the last line of a setting counts.
const FILES: [&str; 2] = ["postgresql.conf", "postgresql.auto.conf"];

/// A port, and what is to be said of it.
#[derive(Debug)]
pub(super) struct Chosen {
    pub port: u16,
    pub note: Option<String>,
}

/// Whose port a new server may have.
#[derive(Clone, Copy, Debug)]
pub(super) struct Original {
    pub port: u16,
    /// Its cluster is no more: the new one takes its place.
    pub gone: bool,
}

/// The wished port, that of an original that is gone, or the first above the original's that nobody
/// uses, and that no cluster that lies in one of the directories `near` will use when it is
/// started.
///
/// # Errors
/// [`Fault::Permanent`] where the wished one is in use, saying by whom, and where none is free.
pub(super) fn choose(
    wished: Option<u16>,
    original: Original,
    sockets: Option<&Path>,
    near: &[&Path],
) -> Result<Chosen, StorageError> {
    among(&Ports::look(), wished, original, sockets, near)
}

fn among(
    ports: &Ports,
    wished: Option<u16>,
    original: Original,
    sockets: Option<&Path>,
    near: &[&Path],
) -> Result<Chosen, StorageError> {
    let mut places: Vec<&Path> = SOCKETS.iter().map(Path::new).collect();
    places.extend(sockets);
    let refuse = |why: String| {
        Err(StorageError::new(Fault::Permanent, "choosing a port for the new server", why))
    };
    let port = match wished {
        Some(port) => match server(port, &places).or_else(|| ports.user(port)) {
            None => port,
            Some(user) => {
                return refuse(format!(
                    "port {port} is in use by {user}: stop that, choose another with --port, or \
                     leave it out to get a free one"
                ));
            }
        },
        None => {
            let reserved = reserved(near);
            let is_free = |port: &u16| {
                !reserved.contains(port)
                    && server(*port, &places).is_none()
                    && !ports.is_used(*port)
            };
            let Original { port: original, gone } = original;
            let tried = (original..=u16::MAX).skip(1);
            let mut tried = tried.chain(LOWEST..original).take(TRIED);
            // Where the settings of the lost one lie elsewhere, they still name it.
            let is_left = gone && server(original, &places).is_none() && !ports.is_used(original);
            let Some(port) = is_left.then_some(original).or_else(|| tried.find(is_free)) else {
                return refuse(format!(
                    "none of {TRIED} ports, from {original} on, is free; choose one with --port"
                ));
            };
            port
        }
    };
    let note = (!ports.are_known()).then(|| {
        format!(
            "no PostgreSQL server has port {port}, but whether another program has it could not be \
             seen from where heptad runs: see `ss -ltn`"
        )
    });
    Ok(Chosen { port, note })
}

/// The server that runs with a port at this moment, by the lock of its socket.
fn server(port: u16, sockets: &[&Path]) -> Option<String> {
    sockets.iter().find_map(|dir| {
        // Anybody may make what has the name of a lock, also a pipe that never ends.
        let text = read(directory(dir)?, &format!(".s.PGSQL.{port}.lock")).ok()??;
        let (pid, data) = (text.lines().next()?.trim().parse().ok()?, text.lines().nth(1)?);
        is_alive(pid).then(|| format!("the server of {data} (process {pid})"))
    })
}

fn directory(path: &Path) -> Option<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    rustix::fs::open(path, flags, Mode::empty()).ok()
}

/// The ports that clusters nearby, and those that Debian knows, are configured for.
fn reserved(near: &[&Path]) -> Vec<u16> {
    let versions = inside(Path::new(DEBIAN));
    let near = near.iter().map(|dir| dir.to_path_buf());
    let clusters = versions.into_iter().chain(near).flat_map(|dir| inside(&dir));
    clusters.filter_map(|dir| directory(&dir)).filter_map(configured).collect()
}

fn inside(dir: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(dir) else { return Vec::new() };
    entries.filter_map(|entry| Some(entry.ok()?.path())).collect()
}

/// The port that a directory's settings name, if they do.
pub(super) fn configured(dir: impl AsFd) -> Option<u16> {
    let of = |file: &str| setting(&read(&dir, file).ok().flatten()?);
    let [main, auto] = FILES.map(of);
    let more = open(&dir, MORE).and_then(names).unwrap_or_default().into_iter();
    let more = more.filter_map(|name| name.into_string().ok());
    let mut more: Vec<String> = more.filter(|name| name.ends_with(".conf")).collect();
    more.sort();
    let more = more.iter().filter_map(|name| of(&format!("{MORE}/{name}"))).next_back();
    auto.or(more).or(main)
}

/// Of a file: the last line counts.
fn setting(text: &str) -> Option<u16> {
    let ports = settings(text.as_bytes()).into_iter().filter(|(name, _)| name == "port");
    ports.filter_map(|(_, value)| std::str::from_utf8(&value).ok()?.parse().ok()).next_back()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{Ipv4Addr, TcpListener};

    fn beside(port: u16) -> Original {
        Original { port, gone: false }
    }

    #[test]
    fn a_new_cluster_in_the_place_of_a_lost_one_has_its_port_if_nobody_else_has_it() {
        let dir = tempfile::tempdir().unwrap();
        let free = choose(None, beside(41_000), None, &[]).unwrap().port;
        // The settings of the lost one may lie elsewhere.
        std::fs::create_dir(dir.path().join("lost")).unwrap();
        let conf = dir.path().join("lost/postgresql.conf");
        std::fs::write(&conf, format!("port = {free}\n")).unwrap();
        let gone = Original { port: free, gone: true };
        assert_eq!(choose(None, gone, None, &[dir.path()]).unwrap().port, free);
        let _used = TcpListener::bind((Ipv4Addr::LOCALHOST, free)).unwrap();
        assert!(choose(None, gone, None, &[dir.path()]).unwrap().port > free);
    }

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
        let error = choose(Some(port), beside(5432), None, &[]).unwrap_err();
        let us = format!("process {}", std::process::id());
        assert!(error.detail.contains(&us) && error.detail.contains("--port"), "{error}");
        assert_ne!(choose(None, beside(port - 1), None, &[]).unwrap().port, port);
    }

    #[test]
    fn a_neighbour_that_does_not_run_keeps_its_port() {
        let dir = tempfile::tempdir().unwrap();
        let free = choose(None, beside(40_000), None, &[dir.path()]).unwrap().port;
        std::fs::create_dir(dir.path().join("other")).unwrap();
        let conf = dir.path().join("other/postgresql.auto.conf");
        std::fs::write(&conf, format!("port = '{free}'\n")).unwrap();
        let next = choose(None, beside(40_000), None, &[dir.path()]).unwrap().port;
        assert!(next > free, "{next}");
        assert_eq!(choose(Some(free), beside(40_000), None, &[dir.path()]).unwrap().port, free);
        // Debian's way to keep settings apart.
        std::fs::remove_file(conf).unwrap();
        std::fs::create_dir(dir.path().join("other/conf.d")).unwrap();
        let conf = dir.path().join("other/conf.d/port.conf");
        std::fs::write(conf, format!("port = {free}\n")).unwrap();
        let next = choose(None, beside(40_000), None, &[dir.path()]).unwrap().port;
        assert!(next > free, "{next}");
    }

    #[test]
    fn above_the_last_port_come_those_below() {
        let port = choose(None, beside(u16::MAX), None, &[]).unwrap().port;
        assert!((LOWEST..u16::MAX).contains(&port), "{port}");
    }

    #[test]
    fn where_the_network_is_not_seen_a_port_is_chosen_and_that_is_said() {
        for wished in [None, Some(5999)] {
            let chosen = among(&Ports::unseen(), wished, beside(40_000), None, &[]).unwrap();
            assert_eq!(chosen.port, wished.unwrap_or(40_001));
            assert!(chosen.note.unwrap().contains("`ss -ltn`"));
        }
    }

    #[test]
    fn a_servers_lock_names_its_cluster() {
        let dir = tempfile::tempdir().unwrap();
        let lock = dir.path().join(".s.PGSQL.40100.lock");
        std::fs::write(&lock, format!("{}\n/srv/db\n", std::process::id())).unwrap();
        let said = server(40_100, &[dir.path()]).unwrap();
        assert!(said.starts_with("the server of /srv/db (process "), "{said}");
        // Of a server that died.
        std::fs::write(&lock, "4194305\n/srv/db\n").unwrap();
        assert_eq!(server(40_100, &[dir.path()]), None);
    }
}
