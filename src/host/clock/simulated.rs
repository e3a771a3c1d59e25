//! A clock in a small file, for the demonstration and for tests.
//!
//! The file holds one line, `WALL BOOT_SECONDS SYNCHRONISED`, for example
//! `2026-11-22T06:00:00Z 86400 true`, and behind that how many of the seconds the machine slept, if
//! any. Time stands still until the file is replaced.

use super::{Clock, ClockError, Moment, Source, Waiter, Woke};
use jiff::{SignedDuration, Timestamp};
use rustix::fs::inotify;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

/// How long a machine has been up when its clock is first written: past the wait after a boot.
const UP_AT_FIRST: SignedDuration = SignedDuration::from_hours(1);

#[derive(Clone, Debug)]
pub struct Simulated(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    path: PathBuf,
    last: Mutex<Moment>,
}

impl Simulated {
    /// # Errors
    /// When the file cannot be read or does not hold a time. Later on, time stands still while
    /// that is so.
    pub fn open(path: &Path) -> Result<Self, ClockError> {
        let last = Mutex::new(load(path)?);
        Ok(Self(Arc::new(Shared { path: path.into(), last })))
    }

    /// Replaces the file at once.
    pub fn write(path: &Path, moment: Moment) -> Result<(), ClockError> {
        let stage = path.with_extension("new");
        std::fs::write(&stage, format!("{}\n", line(moment)))
            .and_then(|()| std::fs::rename(&stage, path))
            .map_err(|source| ClockError::File { path: path.into(), source })
    }

    /// Sets the wall clock, also back. Makes the file if there is none: up for an hour, and
    /// synchronised.
    pub fn set(path: &Path, wall: Timestamp) -> Result<(), ClockError> {
        let asleep = SignedDuration::ZERO;
        let first = Moment { wall, boot: UP_AT_FIRST, asleep, synchronised: true };
        let moment = match path.try_exists() {
            Ok(false) => first,
            _ => Moment { wall, ..load(path)? },
        };
        Self::write(path, moment)
    }

    /// Lets time pass: both clocks go on by `by`, which must not be negative.
    pub fn advance(path: &Path, by: SignedDuration) -> Result<(), ClockError> {
        Self::write(path, later(path, by)?)
    }

    /// As [`Simulated::advance`], with the machine asleep meanwhile.
    pub fn sleep(path: &Path, by: SignedDuration) -> Result<(), ClockError> {
        let mut woken = later(path, by)?;
        woken.asleep = woken.asleep.saturating_add(by);
        Self::write(path, woken)
    }

    /// Whether the clock is synchronised from now on.
    pub fn synchronise(path: &Path, synchronised: bool) -> Result<(), ClockError> {
        Self::write(path, Moment { synchronised, ..load(path)? })
    }
}

impl Clock for Simulated {
    fn read(&self) -> Moment {
        let mut last = self.0.last.lock().unwrap_or_else(PoisonError::into_inner);
        if let Ok(found) = load(&self.0.path) {
            *last = Moment { boot: found.boot.max(last.boot), ..found };
        }
        *last
    }

    fn waiter(&self) -> Result<Waiter, ClockError> {
        Waiter::new(Watch::new(self)?)
    }
}

fn later(path: &Path, by: SignedDuration) -> Result<Moment, ClockError> {
    let range = || ClockError::Range { path: path.into() };
    let old = load(path)?;
    let by = Some(by).filter(|by| !by.is_negative()).ok_or_else(range)?;
    let wall = old.wall.checked_add(by).map_err(|_| range())?;
    let boot = old.boot.checked_add(by).ok_or_else(range)?;
    Ok(Moment { wall, boot, ..old })
}

fn load(path: &Path) -> Result<Moment, ClockError> {
    let text = std::fs::read_to_string(path)
        .map_err(|source| ClockError::File { path: path.into(), source })?;
    parse(&text).ok_or_else(|| ClockError::Format { path: path.into(), text })
}

fn parse(text: &str) -> Option<Moment> {
    let mut words = text.split_whitespace();
    let moment = Moment {
        wall: words.next()?.parse().ok()?,
        boot: seconds(words.next()?)?,
        synchronised: words.next()?.parse().ok()?,
        asleep: words.next().map_or(Some(SignedDuration::ZERO), seconds)?,
    };
    words.next().is_none().then_some(moment)
}

/// Seconds with up to nine decimals, exact to the nanosecond.
fn seconds(text: &str) -> Option<SignedDuration> {
    let (whole, part) = text.split_once('.').unwrap_or((text, "0"));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(whole) || !digits(part) || part.len() > 9 {
        return None;
    }
    Some(SignedDuration::new(whole.parse().ok()?, format!("{part:0<9}").parse().ok()?))
}

fn line(moment: Moment) -> String {
    let (whole, part) = (moment.boot.as_secs(), moment.boot.subsec_nanos());
    let line = format!("{} {whole}.{part:09} {}", moment.wall, moment.synchronised);
    if moment.asleep.is_zero() {
        return line;
    }
    let (whole, part) = (moment.asleep.as_secs(), moment.asleep.subsec_nanos());
    format!("{line} {whole}.{part:09}")
}

/// Watches the file's directory, because the file itself is replaced.
#[derive(Debug)]
struct Watch {
    clock: Simulated,
    inotify: OwnedFd,
    /// When the machine booted, by the wall clock; it changes exactly when that is set.
    booted: SignedDuration,
}

impl Watch {
    fn new(clock: &Simulated) -> Result<Self, ClockError> {
        use inotify::{CreateFlags, WatchFlags};
        let init = inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK);
        let inotify = init.map_err(ClockError::kernel("inotify"))?;
        let dir = match clock.0.path.parent() {
            Some(dir) if dir != Path::new("") => dir,
            _ => Path::new("."),
        };
        let changes = WatchFlags::MOVED_TO | WatchFlags::CLOSE_WRITE;
        inotify::add_watch(&inotify, dir, changes)
            .map_err(ClockError::kernel("watch on the simulated clock"))?;
        Ok(Self { clock: clock.clone(), inotify, booted: booted(clock.read()) })
    }
}

fn booted(moment: Moment) -> SignedDuration {
    moment.wall.as_duration().saturating_sub(moment.boot)
}

impl Source for Watch {
    fn check(&mut self, until: Option<Timestamp>) -> Option<Woke> {
        // What happened is forgotten before the file is read, so no change falls between.
        while nix::unistd::read(&self.inotify, &mut [0; 4096]).is_ok() {}
        let now = self.clock.read();
        let booted = booted(now);
        if booted != self.booted {
            self.booted = booted;
            return Some(Woke::ClockSet);
        }
        until.is_some_and(|until| until <= now.wall).then_some(Woke::Due)
    }

    fn fd(&self) -> BorrowedFd<'_> {
        self.inotify.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_reads_back_as_it_was_written() {
        let wall = "2026-11-22T06:00:00.25Z".parse().unwrap();
        for boot in [SignedDuration::ZERO, SignedDuration::new(86_400, 500_000_001)] {
            for asleep in [SignedDuration::ZERO, SignedDuration::new(7, 5)] {
                let moment = Moment { wall, boot, asleep, synchronised: false };
                assert_eq!(parse(&line(moment)), Some(moment));
            }
        }
    }

    #[test]
    fn a_line_that_is_not_a_time_is_refused() {
        let check = |text: &str, good: bool| assert_eq!(parse(text).is_some(), good, "{text:?}");
        check("2026-11-22T06:00:00Z 86400 true\n", true);
        check("2026-11-22T06:00:00Z 0.5 false", true);
        check("", false);
        check("2026-11-22T06:00:00Z", false);
        check("2026-11-22T06:00:00Z 1 yes", false);
        check("2026-11-22T06:00:00Z -1 true", false);
        check("2026-11-22T06:00:00Z 1.0000000001 true", false);
        check("2026-11-22 1 true", false);
        check("2026-11-22T06:00:00Z 1 true more", false);
    }
}
