//! What the installed service may do, asked of systemd: for whoever is not the service.

use super::drop_in::{DropIn, SYSTEM, named, written};
use super::privileges::Right;
use super::process::{GRACE, Limits, Overflow, Spawn};
use std::path::Path;
use std::time::Duration;

const NAME: &str = "heptad.service";

const PROPERTIES: &str = "--property=LoadState,ActiveState,SubState,CapabilityBoundingSet,\
                          RestrictNamespaces,DevicePolicy,DeviceAllow,ProtectSystem";

/// systemd answers in milliseconds, or it is in trouble.
const TIMEOUT: Duration = Duration::from_secs(10);
/// Bytes of an answer.
const SAID: usize = 1 << 16;

/// The service as systemd would start it now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unit {
    pub is_active: bool,
    said: String,
}

/// Whether this process is part of the service, and may do what the service may.
pub fn is_inside() -> bool {
    let groups = std::fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    groups.lines().any(|line| line.ends_with(&format!("/{NAME}")))
}

impl Unit {
    /// `None` where no systemd runs, or knows of no such service.
    pub fn ask() -> Option<Self> {
        let limits = Limits {
            deadline: TIMEOUT,
            grace: GRACE,
            stdout: SAID,
            stderr: SAID,
            overflow: Overflow::Discard,
        };
        let mut show = Spawn::new(Path::new("/usr/bin/systemctl"), limits);
        show.args = ["show", NAME, PROPERTIES].map(Into::into).to_vec();
        let shown = show.run().ok().filter(|finished| finished.status.success())?;
        Self::read(&shown.stdout.text())
    }

    fn read(said: &str) -> Option<Self> {
        let mut unit = Self { is_active: false, said: said.to_owned() };
        unit.is_active = ["active", "reloading"].contains(&unit.property("ActiveState"));
        (unit.property("LoadState") == "loaded").then_some(unit)
    }

    /// Whether its last start failed: it waits for the next, or for somebody.
    pub fn is_failing(&self) -> bool {
        self.property("ActiveState") == "failed" || self.property("SubState") == "auto-restart"
    }

    fn property<'a>(&'a self, name: &'a str) -> &'a str {
        self.all(name).next().unwrap_or_default()
    }

    fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.said.lines().filter_map(move |line| line.strip_prefix(name)?.strip_prefix('='))
    }

    /// What of it the service is not allowed; empty if nothing is missing.
    pub fn lacking(&self, drop_in: DropIn) -> String {
        match drop_in {
            DropIn::Databases | DropIn::Rollback => {
                let bounds: Vec<&str> = self.property("CapabilityBoundingSet").split(' ').collect();
                let lacks =
                    |right: &&Right| !bounds.contains(&right.name().to_lowercase().as_str());
                named(&drop_in.rights().iter().filter(lacks).copied().collect::<Vec<_>>())
            }
            DropIn::Mount => {
                let allowed = self.property("RestrictNamespaces").split(' ');
                let may = allowed.into_iter().any(|word| ["no", "mnt"].contains(&word));
                if may { String::new() } else { "mount namespaces".into() }
            }
            DropIn::Images => {
                let open = ["auto", ""].contains(&self.property("DevicePolicy"));
                let mut devices = self.all("DeviceAllow").flat_map(|line| line.split(' '));
                let may = open || devices.any(|word| word == "/dev/fuse");
                if may { String::new() } else { "/dev/fuse".into() }
            }
            DropIn::System => written(SYSTEM.into_iter().filter(|dir| self.closes(dir))),
        }
    }

    fn closes(&self, dir: &str) -> bool {
        let closed = match self.property("ProtectSystem") {
            "full" | "strict" => true,
            "yes" => dir != "/etc",
            _ => false,
        };
        closed && Path::new(dir).exists()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHIPPED: &str = "LoadState=loaded\nActiveState=inactive\n\
        CapabilityBoundingSet=cap_chown cap_sys_admin\nRestrictNamespaces=yes\n\
        DevicePolicy=closed\nDeviceAllow=block-* r\nProtectSystem=full\n";
    const OPENED: &str = "LoadState=loaded\nActiveState=active\n\
        CapabilityBoundingSet=cap_chown cap_kill cap_setgid cap_setuid cap_sys_ptrace\n\
        RestrictNamespaces=mnt\nDevicePolicy=closed\nDeviceAllow=block-* r\n\
        DeviceAllow=/dev/fuse rw\nProtectSystem=no\n";

    #[test]
    fn a_service_that_does_not_start_is_told_from_one_that_starts() {
        let check = |active, sub, want| {
            let said = format!("LoadState=loaded\nActiveState={active}\nSubState={sub}\n");
            assert_eq!(Unit::read(&said).unwrap().is_failing(), want, "{active} {sub}");
        };
        check("activating", "auto-restart", true);
        check("failed", "failed", true);
        check("activating", "start-pre", false);
        check("activating", "start", false);
        check("active", "running", false);
        check("inactive", "dead", false);
    }

    #[test]
    fn what_systemd_says_of_the_service_tells_what_it_lacks() {
        let check = |said: &str, want: [&str; 5]| {
            let unit = Unit::read(said).unwrap();
            assert_eq!(DropIn::ALL.map(|drop_in| unit.lacking(drop_in)), want, "{said}");
        };
        let rights = "CAP_SETUID, CAP_SETGID, CAP_KILL, CAP_SYS_PTRACE";
        let dirs = SYSTEM.into_iter().filter(|dir| Path::new(dir).exists());
        let dirs = written(dirs);
        check(SHIPPED, [rights, "CAP_SYS_PTRACE", "mount namespaces", "/dev/fuse", &dirs]);
        check(OPENED, [""; 5]);
        assert!(Unit::read("LoadState=not-found\nActiveState=inactive\n").is_none());
        assert!(Unit::read(OPENED).unwrap().is_active && !Unit::read(SHIPPED).unwrap().is_active);
    }
}
