//! Who listens on a TCP port of this host, read from `/proc/net/tcp` (proc(5)).

use super::holders::processes;
use std::io;
use std::path::{Path, PathBuf};

/// Of the host, which a sandboxed service without a network of its own does not see as its own.
const TABLES: [&str; 4] =
    ["/proc/1/net/tcp", "/proc/1/net/tcp6", "/proc/self/net/tcp", "/proc/self/net/tcp6"];
/// `TCP_LISTEN`, include/net/tcp_states.h.
const LISTENS: &str = "0A";

/// Who listens there, as a person would say it; `None` where nobody is seen to.
pub fn listener(port: u16) -> Option<String> {
    let tables = TABLES.iter().filter_map(|table| std::fs::read_to_string(table).ok());
    let inode = tables.into_iter().find_map(|table| socket(&table, port))?;
    Some(owner(inode).ok().flatten().unwrap_or_else(|| "some program".into()))
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
    use std::net::TcpListener;

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
        let said = listener(port).unwrap();
        assert!(said.contains(&format!("process {}", std::process::id())), "{said}");
    }
}
