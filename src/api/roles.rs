//! Who may do what: the peer as the kernel says who it is, and the one rule that gives it a role.
//!
//! Nothing that a client writes is asked: no header, no field. The credentials are those of the
//! moment when it connected.

use crate::host::sys;
use std::os::fd::AsFd;
use tokio::net::UnixStream;

/// The kernel's stand-in for a user that has no number here, as from another user namespace.
const OVERFLOW_UID: u32 = 65_534;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Gets a sentence that says how to be let in.
    None,
    /// May look, take, keep, tag, enable, disable, change the time and take such a change back.
    Operator,
    /// May do all. Equal to root by way of `create`, which copies old content with its owners.
    Admin,
}

impl Role {
    pub const ALL: [Role; 3] = [Role::None, Role::Operator, Role::Admin];

    pub fn word(self) -> &'static str {
        match self {
            Role::None => "none",
            Role::Operator => "operator",
            Role::Admin => "admin",
        }
    }
}

/// A Unix group that gives a role.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    pub name: String,
    /// None where this host has no such group; then nobody has the role by it.
    pub gid: Option<u32>,
}

/// What gives which role.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rules {
    /// The daemon's own user; an admin, as is root.
    pub own_uid: u32,
    /// Operators.
    pub group: Option<Group>,
    /// Admins.
    pub admin_group: Option<Group>,
}

/// What the kernel tells of the process at the other end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credentials {
    pub uid: u32,
    /// The primary group and the supplementary ones.
    pub groups: Vec<u32>,
    pub pid: Option<i32>,
}

impl Credentials {
    /// # Errors
    /// The kernel's; such a peer is turned away.
    pub fn of(stream: &UnixStream) -> std::io::Result<Self> {
        let peer = stream.peer_cred()?;
        let mut groups = sys::peer_groups(stream.as_fd())?;
        groups.push(peer.gid());
        Ok(Self { uid: peer.uid(), groups, pid: peer.pid() })
    }
}

impl Rules {
    pub fn role(&self, peer: &Credentials) -> Role {
        let is_in = |group: &Option<Group>| {
            let gid = group.as_ref().and_then(|group| group.gid);
            gid.is_some_and(|gid| peer.groups.contains(&gid))
        };
        if peer.uid == 0 || peer.uid == self.own_uid {
            Role::Admin
        } else if peer.uid == OVERFLOW_UID {
            Role::None
        } else if is_in(&self.admin_group) {
            Role::Admin
        } else if is_in(&self.group) {
            Role::Operator
        } else {
            Role::None
        }
    }

    /// How a person gets a role, as a sentence part.
    pub fn way_in(&self, wanted: Role) -> String {
        let group = match wanted {
            Role::Admin => &self.admin_group,
            Role::None | Role::Operator => &self.group,
        };
        match group {
            Some(Group { name, gid: Some(_) }) => format!(
                "root can let you in with `usermod -aG {name} USER`; log in again afterwards"
            ),
            Some(Group { name, gid: None }) => format!(
                "root can let you in with `groupadd -r {name}` and `usermod -aG {name} USER`, \
                 after which heptad must be restarted"
            ),
            None => format!("this heptad serves root and uid {} only", self.own_uid),
        }
    }
}

/// The other end of one connection; bound to it when it is accepted.
#[derive(Clone, Debug)]
pub struct Peer {
    pub credentials: Credentials,
    pub role: Role,
}

impl Peer {
    pub fn new(credentials: Credentials, rules: &Rules) -> Self {
        let role = rules.role(&credentials);
        Self { credentials, role }
    }

    pub fn uid(&self) -> u32 {
        self.credentials.uid
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn group(name: &str, gid: Option<u32>) -> Option<Group> {
        Some(Group { name: name.into(), gid })
    }

    #[test]
    fn the_kernels_word_gives_the_role() {
        let rules = Rules {
            own_uid: 990,
            group: group("heptad", Some(50)),
            admin_group: group("heptad-admin", Some(51)),
        };
        let check = |uid, groups: &[u32], want| {
            let peer = Credentials { uid, groups: groups.into(), pid: None };
            assert_eq!(rules.role(&peer), want, "uid {uid} groups {groups:?}");
        };
        check(0, &[], Role::Admin);
        check(990, &[], Role::Admin);
        check(1000, &[], Role::None);
        check(1000, &[100, 50], Role::Operator);
        check(1000, &[50, 51], Role::Admin);
        check(OVERFLOW_UID, &[50, 51], Role::None);
    }

    #[test]
    fn a_group_that_does_not_exist_lets_nobody_in() {
        let rules = Rules { own_uid: 1, group: group("heptad", None), admin_group: None };
        let peer = Credentials { uid: 1000, groups: vec![0], pid: None };
        assert_eq!(rules.role(&peer), Role::None);
        assert!(rules.way_in(Role::Operator).contains("groupadd -r heptad"));
        assert!(rules.way_in(Role::Admin).contains("root and uid 1 only"));
    }
}
