//! What chattr(1) sets: attributes of an inode that no access list and no mode shows, and the
//! project that its blocks are counted for.
//!
//! A snapshot's files do not bear them, or nobody could remove what may not be changed, and a store
//! would write slowly what is to be written at once; they are noted in an extended attribute of the
//! copy instead, which only root can write where heptad is root. The exception is +C: on a btrfs,
//! blocks are shared only between files that agree on it.

use super::open::through_proc;
use super::xattr::NOTES;
use crate::host::sys;
use rustix::buffer::spare_capacity;
use rustix::fs::{IFlags, XattrFlags};
use rustix::io::{Errno, Result};
use std::ffi::CStr;
use std::os::fd::{AsFd, BorrowedFd};

/// Letters as lsattr(1) shows them. Nothing else is carried over: other bits tell how an inode is
/// stored.
const LETTERS: [(IFlags, char); 15] = [
    (IFlags::SYNC, 'S'),
    (IFlags::DIRSYNC, 'D'),
    (IFlags::IMMUTABLE, 'i'),
    (IFlags::APPEND, 'a'),
    (IFlags::NODUMP, 'd'),
    (IFlags::NOATIME, 'A'),
    (IFlags::COMPRESSED, 'c'),
    (NOCOMPRESS, 'm'),
    (IFlags::JOURNALING, 'j'),
    (IFlags::NOTAIL, 't'),
    (IFlags::TOPDIR, 'T'),
    (IFlags::NOCOW, 'C'),
    (DAX, 'x'),
    (IFlags::PROJECT_INHERIT, 'P'),
    (CASEFOLD, 'F'),
];
const NOCOMPRESS: IFlags = IFlags::from_bits_retain(0x400);
const DAX: IFlags = IFlags::from_bits_retain(0x0200_0000);
const CASEFOLD: IFlags = IFlags::from_bits_retain(0x4000_0000);
/// What a copy cannot have: it would need the key, or the signature.
const NEVER: [(IFlags, char); 2] =
    [(IFlags::from_bits_retain(0x800), 'E'), (IFlags::from_bits_retain(0x0010_0000), 'V')];

/// Set when all else is done: they forbid changes, or make each one slow.
const LAST: IFlags =
    IFlags::IMMUTABLE.union(IFlags::APPEND).union(IFlags::SYNC).union(IFlags::DIRSYNC);
/// Forbid also that a thing is renamed or removed.
const FIXING: IFlags = IFlags::IMMUTABLE.union(IFlags::APPEND);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flags {
    bits: IFlags,
    project: u32,
}

impl Default for Flags {
    fn default() -> Self {
        Self { bits: IFlags::empty(), project: 0 }
    }
}

impl Flags {
    /// Of an open file or directory; none where the file system does not know them.
    pub fn of(fd: BorrowedFd<'_>) -> Self {
        let bits = rustix::fs::ioctl_getflags(fd).unwrap_or(IFlags::empty());
        let bits = bits & (carried() | never());
        Self { bits, project: sys::project(fd).unwrap_or(0) }
    }

    /// As a copy in a store has them: noted, or at least borne.
    pub fn noted(fd: BorrowedFd<'_>) -> Self {
        let path = through_proc(fd);
        let mut text = Vec::with_capacity(64);
        match rustix::fs::getxattr(path.as_str(), note(), spare_capacity(&mut text)) {
            Ok(_) => Self::parse(&text).unwrap_or_default(),
            Err(_) => {
                // What a store hands down to what lies in it is the store's.
                let borne = Self::of(fd).bits - IFlags::PROJECT_INHERIT;
                Self { bits: borne, project: 0 }
            }
        }
    }

    fn parse(text: &[u8]) -> Option<Self> {
        let (bits, project) = std::str::from_utf8(text).ok()?.split_once(' ')?;
        let bits = IFlags::from_bits_retain(u32::from_str_radix(bits, 16).ok()?);
        Some(Self { bits: bits & (carried() | never()), project: project.parse().ok()? })
    }

    /// Writes a note of them at a copy; which letters are lost.
    pub fn note(self, to: BorrowedFd<'_>) -> Result<String> {
        if self == Self::default() {
            return Ok(String::new());
        }
        let text = format!("{:x} {}", self.bits.bits(), self.project);
        let path = through_proc(to);
        match rustix::fs::setxattr(path.as_str(), note(), text.as_bytes(), XattrFlags::empty()) {
            // What cannot be carried over was not lost here if the store hands it down.
            Ok(()) => Ok(letters((self.bits & never()) - Self::of(to).bits)),
            Err(error) if super::xattr::is_refusal(error, to)? => Ok(self.letters()),
            Err(error) => Err(error),
        }
    }

    /// Gives an empty copy what has to be there before the first byte, and nothing that it
    /// inherited; one in a store only what lets blocks be shared, and the project that the store is
    /// counted for.
    pub fn begin(self, to: BorrowedFd<'_>, in_store: bool) -> Result<()> {
        if !in_store {
            return self.set(to, self.bits & (carried() - LAST), self.project);
        }
        let Ok(is) = rustix::fs::ioctl_getflags(to) else { return Ok(()) };
        change(to, is, (self.bits & IFlags::NOCOW) | (is & IFlags::PROJECT_INHERIT))
    }

    /// Gives a copy all of them, or all but those that forbid to give it its name; which letters
    /// are lost.
    pub fn end(self, to: BorrowedFd<'_>, may_be_fixed: bool) -> Result<String> {
        let later = if may_be_fixed { IFlags::empty() } else { FIXING };
        let wanted = self.bits & (carried() - later);
        self.set(to, wanted, self.project)?;
        let is = Self::of(to);
        let mut lost = letters((wanted | (self.bits & never())) - is.bits);
        if is.project != self.project {
            lost.push('p');
        }
        Ok(lost)
    }

    /// The same, but counted for the project that a copy is counted for already: its directory has
    /// handed it down, and nothing of another project can get a name there.
    pub fn counted_as(self, made: BorrowedFd<'_>) -> Self {
        let is = Self::of(made);
        let handed_down = is.bits & IFlags::PROJECT_INHERIT;
        Self { bits: (self.bits - IFlags::PROJECT_INHERIT) | handed_down, project: is.project }
    }

    /// Whether a directory hands its project down to what is made in it.
    pub fn hand_down_project(self) -> bool {
        self.bits.contains(IFlags::PROJECT_INHERIT)
    }

    fn set(self, to: BorrowedFd<'_>, wanted: IFlags, project: u32) -> Result<()> {
        if sys::project(to).is_ok_and(|is| is != project) {
            // Refused where nobody but root may, or where projects are unknown: then it is lost.
            let _ = sys::set_project(to, project);
        }
        let Ok(is) = rustix::fs::ioctl_getflags(to) else { return Ok(()) };
        change(to, is, wanted)
    }

    fn letters(self) -> String {
        let mut all = letters(self.bits);
        if self.project != 0 {
            all.push('p');
        }
        all
    }

    /// Whether some of them forbid that it is renamed or removed.
    pub fn is_fixed(self) -> bool {
        self.bits.intersects(FIXING)
    }
}

/// Takes away what a new directory or file has inherited, but for the project that it is counted
/// for.
pub(super) fn shed(fd: impl AsFd) -> Result<()> {
    Flags::default().begin(fd.as_fd(), true)
}

/// Lets an open file or directory be changed and removed.
pub(super) fn loosen(fd: impl AsFd) -> Result<()> {
    let is = rustix::fs::ioctl_getflags(&fd)?;
    rustix::fs::ioctl_setflags(&fd, is - FIXING)
}

/// Whether what was lost may be lost in silence by what goes back to its own place: a journal of
/// data (`j`) only root with a further right may ask for, and a seal (`V`) nobody can set anew.
pub(super) fn is_minor(lost: &str) -> bool {
    lost.chars().all(|letter| matches!(letter, 'j' | 'V'))
}

fn note() -> &'static CStr {
    NOTES[usize::from(!nix::unistd::geteuid().is_root())]
}

/// Changes those that can be carried over, from what they are.
fn change(to: BorrowedFd<'_>, is: IFlags, wanted: IFlags) -> Result<()> {
    let rest = is - carried();
    if is & carried() == wanted || try_flags(to, rest | wanted)? {
        return Ok(());
    }
    // Together they are refused: one by one.
    let mut known = is & carried();
    for (flag, _) in LETTERS {
        let next = (known - flag) | (wanted & flag);
        if next != known && try_flags(to, rest | next)? {
            known = next;
        }
    }
    Ok(())
}

fn try_flags(to: BorrowedFd<'_>, flags: IFlags) -> Result<bool> {
    match rustix::fs::ioctl_setflags(to, flags) {
        Ok(()) => Ok(true),
        Err(error @ (Errno::NOSPC | Errno::DQUOT | Errno::IO | Errno::ROFS)) => Err(error),
        Err(_) => Ok(false),
    }
}

fn carried() -> IFlags {
    LETTERS.iter().fold(IFlags::empty(), |all, (flag, _)| all | *flag)
}

fn never() -> IFlags {
    NEVER.iter().fold(IFlags::empty(), |all, (flag, _)| all | *flag)
}

fn letters(bits: IFlags) -> String {
    let all = LETTERS.iter().chain(&NEVER);
    all.filter(|(flag, _)| bits.intersects(*flag)).map(|(_, letter)| *letter).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_as_good_without_may_be_lost_by_what_goes_back_to_its_place() {
        for (letters, minor) in
            [("j", true), ("V", true), ("jV", true), ("E", false), ("jC", false)]
        {
            assert_eq!(is_minor(letters), minor, "{letters}");
        }
    }

    #[test]
    fn a_note_reads_back_and_holds_nothing_but_what_is_carried_over() {
        let flags = Flags { bits: IFlags::NOCOW | IFlags::IMMUTABLE, project: 42 };
        let text = format!("{:x} {}", flags.bits.bits(), flags.project);
        assert_eq!(Flags::parse(text.as_bytes()), Some(flags));
        assert_eq!(flags.letters(), "iCp");
        assert_eq!(Flags::parse(b"80000 0"), Some(Flags::default()), "how ext4 stores it");
        for text in ["", "10", "x 0", "10 x", "10 -1", "1000000000000 0"] {
            assert_eq!(Flags::parse(text.as_bytes()), None, "{text:?}");
        }
    }
}
