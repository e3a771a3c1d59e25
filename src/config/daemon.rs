//! The `[daemon]` table.

use super::section::Section;
use super::values::{Refusal, absolute, quote};
use crate::domain::similar::similar;
use std::path::PathBuf;
use tracing_subscriber::EnvFilter;

/// The longest socket path in bytes: `sun_path` has 108, the last one for the closing NUL
/// (unix(7)).
pub const SOCKET_LIMIT: usize = 107;

/// Settings of the daemon itself. A change of any but `log` needs a restart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Daemon {
    pub socket: PathBuf,
    pub state: PathBuf,
    /// Members may do everything.
    pub admin_group: String,
    /// Members may look, take, keep, tag and change schedules.
    pub group: String,
    /// A filter of the tracing crate: `info`, `warn,heptad::daemon=debug`.
    pub log: String,
}

impl Daemon {
    /// Reads the table. A setting with a finding has its built-in value.
    pub(super) fn read(section: Option<Section<'_>>, socket: PathBuf, state: PathBuf) -> Self {
        let mut daemon = Self {
            socket,
            state,
            admin_group: "heptad-admin".into(),
            group: "heptad".into(),
            log: "info".into(),
        };
        let Some(section) = section else {
            return daemon;
        };
        set(&mut daemon.socket, section.parsed("socket", socket_path));
        set(&mut daemon.state, section.parsed("state", absolute));
        set(&mut daemon.admin_group, section.parsed("admin_group", group));
        set(&mut daemon.group, section.parsed("group", group));
        set(&mut daemon.log, section.parsed("log", filter));
        section.finish();
        daemon
    }
}

fn set<T>(place: &mut T, value: Option<T>) {
    if let Some(value) = value {
        *place = value;
    }
}

fn socket_path(text: &str) -> Result<PathBuf, Refusal> {
    let path = absolute(text)?;
    let length = path.as_os_str().len();
    if length <= SOCKET_LIMIT {
        return Ok(path);
    }
    let problem = format!("has {length} bytes; a socket's path has at most {SOCKET_LIMIT}");
    Err((problem, "choose a shorter one, such as \"/run/heptad/heptad.sock\"".into()))
}

/// Whether such a group exists is asked when the socket is opened: it may come from a server.
fn group(text: &str) -> Result<String, Refusal> {
    let odd = |c: char| c.is_control() || matches!(c, ':' | '/' | ',');
    if text.is_empty() || text.len() > 255 || text.contains(odd) || text.trim() != text {
        let problem = format!("{} is not a valid name of a group", quote(text));
        return Err((problem, "write a name as getent group shows it".into()));
    }
    Ok(text.into())
}

fn filter(text: &str) -> Result<String, Refusal> {
    const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];
    let refuse = |problem: String, hint: &str| Err((problem, hint.to_owned()));
    // The filter would take a misspelt level for the name of a module, and then log nothing else.
    for word in text.split(',').filter(|part| !part.contains(['=', '[', ']', '{', '}'])) {
        let word = word.trim();
        if !LEVELS.iter().any(|level| level.eq_ignore_ascii_case(word)) {
            let hint = match similar(word, LEVELS) {
                Some(level) => format!("did you mean {level}?"),
                None => format!("write one of {}, or MODULE=LEVEL", LEVELS.join(", ")),
            };
            return refuse(format!("{} is not a valid level of logging", quote(word)), &hint);
        }
    }
    match EnvFilter::builder().parse(text) {
        Ok(_) => Ok(text.into()),
        Err(error) => refuse(
            format!("{} is not a valid filter: {error}", quote(text)),
            "write a level, or a list such as \"info,heptad::api=debug\"",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_socket_path_fits_into_its_address() {
        let check = |length: usize, good: bool| {
            let path = format!("/{}", "s".repeat(length - 1));
            assert_eq!(socket_path(&path).is_ok(), good, "{length}");
        };
        check(SOCKET_LIMIT, true);
        check(SOCKET_LIMIT + 1, false);
    }

    #[test]
    fn a_log_filter_is_made_of_levels() {
        let check = |text: &str, want: Result<(), &str>| match (filter(text), want) {
            (Ok(got), Ok(())) => assert_eq!(got, text),
            (Err((_, hint)), Err(want)) => assert!(hint.contains(want), "{text}: {hint}"),
            (got, want) => panic!("{text:?}: {got:?}, wanted {want:?}"),
        };
        check("info", Ok(()));
        check("WARN", Ok(()));
        check("info,heptad::api=debug", Ok(()));
        check("inof", Err("did you mean info?"));
        check("verbose", Err("write one of off, error"));
        check("", Err("write one of off, error"));
        check("heptad=loud", Err("write a level"));
    }

    #[test]
    fn a_group_has_a_name() {
        for good in ["heptad", "domain users", "EXAMPLE\\ops"] {
            assert!(group(good).is_ok(), "{good:?}");
        }
        for bad in ["", " heptad", "a:b", "a\nb", &"g".repeat(256)] {
            assert!(group(bad).is_err(), "{bad:?}");
        }
    }
}
