//! The guest agent: three of its commands, each with a time limit.
//!
//! By `virsh qemu-agent-command --timeout` and not by `virsh domfsfreeze`: that one waits for an
//! agent without end, inside of libvirt, and keeps everybody else from the agent meanwhile, also
//! whoever would thaw. (libvirt, virDomainFSFreeze and virDomainQemuAgentCommand.)

use super::super::virsh::Virsh;
use crate::domain::operation::Fault;
use crate::fs::StorageError;
use serde_json::Value;
use std::time::Duration;

/// Beside what the agent itself may take: libvirt's own synchronising with it, at most 5 s
/// (VIR_DOMAIN_QEMU_AGENT_COMMAND_DEFAULT), and virsh.
const MARGIN: Duration = Duration::from_secs(10);

pub(super) struct Agent<'a> {
    pub virsh: &'a Virsh,
    pub domain: &'a str,
}

impl Agent<'_> {
    /// # Errors
    /// When it does not answer in time, or not at all.
    pub(super) fn ping(&self, wait: Duration) -> Result<(), StorageError> {
        self.say("guest-ping", wait).map(|_| ())
    }

    /// Freezes all file systems that it can; tells how many.
    pub(super) fn freeze(&self, wait: Duration) -> Result<u64, StorageError> {
        let frozen = self.say("guest-fsfreeze-freeze", wait)?;
        Ok(frozen.as_u64().unwrap_or_default())
    }

    pub(super) fn thaw(&self, wait: Duration) -> Result<(), StorageError> {
        self.say("guest-fsfreeze-thaw", wait).map(|_| ())
    }

    pub(super) fn is_frozen(&self, wait: Duration) -> Result<bool, StorageError> {
        Ok(self.say("guest-fsfreeze-status", wait)?.as_str() == Some("frozen"))
    }

    fn say(&self, command: &str, wait: Duration) -> Result<Value, StorageError> {
        let doing = format!("asking the guest agent of domain {} for {command}", self.domain);
        let seconds = wait.as_secs().max(1).to_string();
        let text = serde_json::json!({ "execute": command }).to_string();
        let args =
            ["qemu-agent-command", "--timeout", &seconds, "--domain", self.domain, "--cmd", &text];
        let said = self.virsh.call_within(&args, &doing, wait + MARGIN)?;
        let said: Value = serde_json::from_str(&said)
            .map_err(|error| StorageError::new(Fault::Transient, &doing, error.to_string()))?;
        Ok(said["return"].clone())
    }
}
