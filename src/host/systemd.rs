//! Talking to the service manager: readiness, reloads, the watchdog, inherited sockets. Outside
//! systemd each of these does nothing.

use super::sys;
use sd_notify::NotifyState;
use std::os::fd::OwnedFd;
use std::time::Duration;

/// The daemon answers.
pub fn ready(status: &str) -> std::io::Result<()> {
    tell(&[NotifyState::Ready, NotifyState::Status(&one_line(status))])
}

/// A reload begins; [`ready`] ends it. The time is what `Type=notify-reload` asks for.
pub fn reloading() -> std::io::Result<()> {
    tell(&[NotifyState::Reloading, NotifyState::monotonic_usec_now()?])
}

/// The stop has begun and may take `longer` than what the unit allows, counted from now.
pub fn stopping(longer: Duration) -> std::io::Result<()> {
    tell(&[NotifyState::Stopping, extension(longer)])
}

/// Another `longer` from now for the start, reload or stop that is under way; at most 71 minutes
/// at a time.
pub fn extend_timeout(longer: Duration) -> std::io::Result<()> {
    tell(&[extension(longer)])
}

/// One line for `systemctl status`.
pub fn status(text: &str) -> std::io::Result<()> {
    tell(&[NotifyState::Status(&one_line(text))])
}

/// A sign of life; to be given by the loop that must not hang, not by a timer of its own.
pub fn alive() -> std::io::Result<()> {
    tell(&[NotifyState::Watchdog])
}

/// How often [`alive`] must be called: half of the unit's `WatchdogSec=`, as sd_watchdog_enabled(3)
/// advises. `None` when nobody listens.
pub fn sign_of_life_every() -> Option<Duration> {
    sd_notify::watchdog_enabled().map(|limit| limit / 2)
}

/// The sockets that a socket unit passed on under `FileDescriptorName=name`.
///
/// # Errors
/// When the environment promises descriptors that are not there.
pub fn inherited(name: &str) -> std::io::Result<Vec<OwnedFd>> {
    let passed = sd_notify::listen_fds_with_names()?;
    passed.filter(|(_, given)| given == name).map(|(number, _)| sys::duplicate(number)).collect()
}

fn tell(states: &[NotifyState<'_>]) -> std::io::Result<()> {
    sd_notify::notify(states)
}

fn extension(longer: Duration) -> NotifyState<'static> {
    NotifyState::ExtendTimeoutUsec(u32::try_from(longer.as_micros()).unwrap_or(u32::MAX))
}

/// A line break would begin another message, so none may come from a text.
fn one_line(text: &str) -> String {
    text.replace(|c: char| c.is_control(), " ")
}
