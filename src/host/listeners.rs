//! The TCP ports of this host that are in use, and by whom: by the tables of `/proc/PID/net/tcp`
//! (proc(5)) and, where a socket may be made, by asking for the port itself.

use super::holders::processes;
use std::cell::Cell;
use std::io::{self, ErrorKind};
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};

/// Of the host, which a sandboxed service without a network of its own does not see as its own.
const HOST: [&str; 2] = ["/proc/1/net/tcp", "/proc/1/net/tcp6"];
const OURS: [&str; 2] = ["/proc/self/net/tcp", "/proc/self/net/tcp6"];
/// The interfaces, after two lines of headings.
const INTERFACES: &str = "/proc/self/net/dev";
/// `TCP_LISTEN`, include/net/tcp_states.h.
const LISTENS: &str = "0A";

/// The ports as they were when this was made.
pub struct Ports {
    tables: Vec<String>,
    /// The tables are the host's own.
    are_hosts: bool,
    ask: fn(u16) -> io::Result<()>,
    /// Whether asking says something: until an answer is neither yes nor no, as where a sandbox
    /// allows no such socket.
    answers: Cell<bool>,
}

impl Ports {
    pub fn look() -> Self {
        let read = |table: &&str| std::fs::read_to_string(table).ok();
        let host: Vec<String> = HOST.iter().filter_map(read).collect();
        let are_hosts = !host.is_empty();
        let tables = host.into_iter().chain(OURS.iter().filter_map(read)).collect();
        Self { tables, are_hosts, ask: bind, answers: Cell::new(true) }
    }

    /// As from where neither tables nor sockets are.
    #[cfg(test)]
    pub fn unseen() -> Self {
        let ask = |_| Err(io::Error::from_raw_os_error(97));
        Self { tables: Vec::new(), are_hosts: false, ask, answers: Cell::new(true) }
    }

    /// Whether a port that nobody is seen on is free: not where neither the host's tables could be
    /// read nor a socket of its network be made.
    pub fn are_known(&self) -> bool {
        self.are_hosts || self.answers.get() && has_network()
    }

    pub fn is_used(&self, port: u16) -> bool {
        self.socket(port).is_some() || self.is_refused(port)
    }

    /// Who uses it, as a person would say it; `None` where nobody is seen to.
    pub fn user(&self, port: u16) -> Option<String> {
        let some = || "some program".to_owned();
        match self.socket(port) {
            Some(inode) => Some(owner(inode).ok().flatten().unwrap_or_else(some)),
            None => self.is_refused(port).then(some),
        }
    }

    fn socket(&self, port: u16) -> Option<u64> {
        self.tables.iter().find_map(|table| socket(table, port))
    }

    /// Only "in use" means that; after any other error no further socket is asked for.
    fn is_refused(&self, port: u16) -> bool {
        if !self.answers.get() {
            return false;
        }
        match (self.ask)(port) {
            Ok(()) => false,
            Err(error) if error.kind() == ErrorKind::AddrInUse => true,
            Err(_) => {
                self.answers.set(false);
                false
            }
        }
    }
}

fn bind(port: u16) -> io::Result<()> {
    TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).map(drop)
}

/// A service that is kept from the network has one of its own, with nothing in it but the way to
/// itself; the ports there say nothing of the host's.
fn has_network() -> bool {
    let text = std::fs::read_to_string(INTERFACES).unwrap_or_default();
    let mut names = text.lines().skip(2).filter_map(|line| line.split_once(':'));
    names.any(|(name, _)| name.trim() != "lo")
}

/// The inode of a listening socket.
fn socket(table: &str, port: u16) -> Option<u64> {
    let end = format!(":{port:04X}");
    table.lines().skip(1).find_map(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let here = fields.get(1)?.ends_with(&end) && *fields.get(3)? == LISTENS;
        if here { fields.get(9)?.parse().ok() } else { None }
    })
}

fn owner(inode: u64) -> io::Result<Option<String>> {
    let wanted = PathBuf::from(format!("socket:[{inode}]"));
    for pid in processes()? {
        let proc = PathBuf::from(format!("/proc/{pid}"));
        if has(&proc, &wanted).unwrap_or(false) {
            let program = std::fs::read_to_string(proc.join("comm")).unwrap_or_default();
            return Ok(Some(format!("{} (process {pid})", program.trim_end())));
        }
    }
    Ok(None)
}

fn has(proc: &Path, wanted: &Path) -> io::Result<bool> {
    for entry in std::fs::read_dir(proc.join("fd"))? {
        if std::fs::read_link(entry?.path()).is_ok_and(|link| link == wanted) {
            return Ok(true);
        }
    }
    Ok(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listener_is_found_in_the_kernels_table() {
        let table = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n\
             \x20  0: 0100007F:1538 00000000:0000 0A 00000000:00000000 00:00000000 00000000   105        0 4711 1 0 100 0\n\
             \x20  1: 0100007F:1539 0100007F:9999 01 00000000:00000000 00:00000000 00000000   105        0 4712 1 0 100 0\n";
        assert_eq!(socket(table, 5432), Some(4711));
        assert_eq!(socket(table, 5433), None, "a connection is no listener");
        assert_eq!(socket(table, 9999), None);
    }

    #[test]
    fn whoever_listens_is_named() {
        let ours = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = ours.local_addr().unwrap().port();
        let ports = Ports::look();
        let said = ports.user(port).unwrap();
        assert!(said.contains(&format!("process {}", std::process::id())), "{said}");
        assert!(ports.is_used(port) && ports.are_known());
    }

    #[test]
    fn only_in_use_means_that_and_the_first_other_error_is_the_last_question() {
        thread_local! { static ASKED: Cell<u32> = const { Cell::new(0) } }
        let check = |kind: ErrorKind, used: bool, questions: u32| {
            ASKED.set(0);
            let ask: fn(u16) -> io::Result<()> = match kind {
                ErrorKind::AddrInUse => |_| {
                    ASKED.set(ASKED.get() + 1);
                    Err(ErrorKind::AddrInUse.into())
                },
                _ => |_| {
                    ASKED.set(ASKED.get() + 1);
                    // EAFNOSUPPORT, as RestrictAddressFamilies= has it.
                    Err(io::Error::from_raw_os_error(97))
                },
            };
            let ports =
                Ports { tables: Vec::new(), are_hosts: false, ask, answers: Cell::new(true) };
            assert!((1..=9).all(|port| ports.is_used(port) == used), "{kind}");
            assert_eq!(ASKED.get(), questions, "{kind}");
            assert!(used || !ports.are_known(), "{kind}");
        };
        check(ErrorKind::AddrInUse, true, 9);
        check(ErrorKind::Other, false, 1);
    }
}
