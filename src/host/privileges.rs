//! Giving up root for good.

use super::process::User;
use nix::sys::prctl;
use nix::sys::signal::Signal;
use nix::unistd::{Gid, Uid, getppid, getresuid, setgroups, setresgid, setresuid};
use std::io;

/// What root may do by one capability (capabilities(7)); the numbers are those of
/// linux/capability.h.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Right {
    /// To end the processes of others.
    Kill = 5,
    SetGid = 6,
    SetUid = 7,
    /// To look into the processes of others.
    Ptrace = 19,
}

impl Right {
    pub fn name(self) -> &'static str {
        match self {
            Self::Kill => "CAP_KILL",
            Self::SetGid => "CAP_SETGID",
            Self::SetUid => "CAP_SETUID",
            Self::Ptrace => "CAP_SYS_PTRACE",
        }
    }
}

/// Those that this process does not have: all, where the kernel does not say.
pub fn missing(rights: &[Right]) -> Vec<Right> {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let effective = status.lines().find_map(|line| line.strip_prefix("CapEff:"));
    let effective = effective.and_then(|hex| u64::from_str_radix(hex.trim(), 16).ok());
    let bits = effective.unwrap_or_default();
    rights.iter().copied().filter(|right| bits & (1 << (*right as u8)) == 0).collect()
}

/// Why this process is still what it was, or must not go on.
#[derive(Debug, thiserror::Error)]
pub enum PrivilegeError {
    #[error(
        "this process may not become uid {uid} ({source}): it needs CAP_SETUID, CAP_SETGID and, to be ended when it takes too long, CAP_KILL"
    )]
    Refused { uid: u32, source: io::Error },
    #[error("who started this process is gone")]
    Orphan,
}

/// Becomes another user for good, without supplementary groups. Since no program is started
/// afterwards, the kernel lets no process of that user look into this one or take its descriptors
/// (the "dumpable" flag of prctl(2)).
///
/// # Errors
/// Where the kernel refuses. The process must end then: it may have changed half-way.
pub fn become_user(user: User) -> Result<(), PrivilegeError> {
    let parent = getppid();
    let (uid, gid) = (Uid::from_raw(user.uid), Gid::from_raw(user.gid));
    let refused = |source: nix::Error| PrivilegeError::Refused {
        uid: user.uid,
        source: io::Error::from(source),
    };
    setgroups(&[]).map_err(refused)?;
    setresgid(gid, gid, gid).map_err(refused)?;
    setresuid(uid, uid, uid).map_err(refused)?;
    let now = getresuid().map_err(refused)?;
    if (now.real, now.effective, now.saved) != (uid, uid, uid) {
        return Err(refused(nix::Error::EPERM));
    }
    prctl::set_dumpable(false).map_err(refused)?;
    prctl::set_no_new_privs().map_err(refused)?;
    // The change of user has cleared the request to die with the parent.
    prctl::set_pdeathsig(Signal::SIGKILL).map_err(refused)?;
    if getppid() == parent { Ok(()) } else { Err(PrivilegeError::Orphan) }
}
