//! What a copy did, and what it could not do: in numbers, and in sentences for a person.

use super::super::fnv::fnv;
use super::dress::Lost;
use super::flags::is_minor;
use super::trouble::{is_forbidden, why};
use rustix::io::Errno;

/// How many paths a sentence names.
const NAMED: usize = 3;
/// How many characters of the beginning and of the end of a long path are shown.
const SHOWN: usize = 150;

/// A count with its first few paths.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sample {
    pub count: u64,
    pub first: Vec<String>,
    /// Tells lists apart that begin alike.
    digest: u64,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Entries in the copy, the root of a tree not among them.
    pub entries: u64,
    /// Logical bytes of all regular files, a hard-linked one once per name.
    pub bytes: u64,
    pub cloned: u64,
    pub copied: u64,
    /// Files that became another name of an unchanged copy.
    pub linked: u64,
    /// Cannot be read, or not to its end.
    pub unreadable: Sample,
    /// Some of that for another reason than that it may not be read.
    pub is_broken: bool,
    /// The file system of the copy cannot hold them.
    pub unfit: Sample,
    /// Further copies of files that have more names than one file can have there.
    pub relinked: u64,
    /// Changed while they were read, each time.
    pub changing: Sample,
    pub too_deep: Sample,
    /// Device nodes that may not be made here; links where the file system has none.
    pub special: Sample,
    /// Device nodes that only a more powerful process may make.
    pub devices: Sample,
    pub owners: Sample,
    /// Have attributes that could not be read.
    pub unread: Sample,
    /// Access lists and users' attributes.
    pub attributes: Sample,
    /// Kept access rights that their directory handed down.
    pub inherited: Sample,
    /// Attributes of the system's own: labels, capabilities, properties.
    pub labels: Sample,
    /// Have lost what chattr(1) had set on them.
    pub flags: Sample,
    /// Of these, those that are not the same without it.
    pub bereft: Sample,
    /// Other file systems, not entered.
    pub mounts: Sample,
    /// Kept in no snapshot: heptad's own store.
    pub own_store: bool,
}

impl Sample {
    pub fn add(&mut self, path: &[u8]) {
        self.count += 1;
        // The byte between, which no path has, keeps one path apart from the next.
        self.digest = fnv(self.digest ^ self.count, path.iter().copied().chain([0]));
        if self.first.len() < NAMED {
            self.first.push(shown(path));
        }
    }

    fn add_with(&mut self, path: &[u8], error: Errno) {
        match why(error) {
            Some(why) => self.add_why(path, &why),
            None => self.add(path),
        }
    }

    fn add_why(&mut self, path: &[u8], why: &str) {
        self.add(path);
        if self.count == self.first.len() as u64
            && let Some(last) = self.first.last_mut()
        {
            *last = format!("{last}: {why}");
        }
    }

    /// The same, for a list that may be compared with that of another day: of what it does not name
    /// it says how many and, shortly, which.
    fn full_sentence(&self, one: &str, many: &str) -> Option<String> {
        let named = self.first.len() as u64;
        if self.count <= named {
            return self.sentence(one, many);
        }
        let (paths, more) = (self.first.join(", "), grouped(self.count - named));
        let list = self.digest & 0xffff_ffff;
        Some(format!("{} {many} ({paths}, and {more} more, list {list:08x})", grouped(self.count)))
    }

    fn sentence(&self, one: &str, many: &str) -> Option<String> {
        let more = if self.count > self.first.len() as u64 { ", ..." } else { "" };
        let paths = self.first.join(", ");
        match self.count {
            0 => None,
            1 => Some(format!("1 {one} ({paths})")),
            n => Some(format!("{} {many} ({paths}{more})", grouped(n))),
        }
    }
}

impl Report {
    /// How it was copied: `reflinked 120 files, linked 4,310 unchanged, copied 12`.
    pub fn how(&self) -> String {
        let parts = [
            ("reflinked", self.cloned, ""),
            ("linked", self.linked, " unchanged"),
            ("copied", self.copied, ""),
        ];
        let mut texts: Vec<String> = Vec::new();
        for (verb, count, tail) in parts.into_iter().filter(|(_, count, _)| *count > 0) {
            let unit = match (texts.is_empty(), count) {
                (true, 1) => " file",
                (true, _) => " files",
                _ => "",
            };
            let tail = if unit.is_empty() { tail.into() } else { format!("{tail}{unit}") };
            texts.push(format!("{verb} {}{tail}", grouped(count)));
        }
        if texts.is_empty() { "no regular files".into() } else { texts.join(", ") }
    }

    pub fn unreadable(&mut self, path: &[u8], error: Errno) {
        self.is_broken |= !is_forbidden(error);
        self.unreadable.add_with(path, error);
    }

    pub fn unfit(&mut self, path: &[u8], error: Errno) {
        self.unfit.add_with(path, error);
    }

    pub fn unmade(&mut self, path: &[u8], error: Errno) {
        self.special.add_with(path, error);
    }

    pub fn lost(&mut self, path: &[u8], lost: &Lost) {
        if lost.owner {
            self.owners.add(path);
        }
        if let Some(error) = lost.attributes.unread {
            self.is_broken |= !is_forbidden(error);
            self.unread.add_with(path, error);
        }
        if lost.attributes.inherited {
            self.inherited.add(path);
        }
        let ours = |name: &[u8]| name.starts_with(b"user.") || name.starts_with(b"system.");
        let refused = || lost.attributes.refused.iter().map(|name| name.to_bytes());
        if refused().any(ours) {
            self.attributes.add(path);
        }
        if refused().any(|name| !ours(name)) {
            self.labels.add(path);
        }
    }

    pub fn unflagged(&mut self, path: &[u8], letters: &str) {
        if letters.is_empty() {
            return;
        }
        self.flags.add_why(path, letters);
        if !is_minor(letters) {
            self.bereft.add_why(path, letters);
        }
    }

    /// What has lost attributes of chattr(1).
    pub fn unflagged_sentence(&self) -> Option<String> {
        self.flags.sentence(
            "entry has lost what chattr had set on it",
            "entries have lost what chattr had set on them",
        )
    }

    /// What must not lose them in its own place: it would be less protected, or count for another,
    /// than the person thinks who goes back to it.
    pub fn bereft_sentence(&self) -> Option<String> {
        self.bereft.sentence(
            "entry would lose what chattr had set on it",
            "entries would lose what chattr had set on them",
        )
    }

    /// What is not in the copy, or not as it was.
    pub fn losses(&self) -> Vec<String> {
        let mut all = self.missing();
        all.extend(self.bare());
        let labels = self.labels.sentence(
            "file has lost a label or capability",
            "files have lost labels or capabilities",
        );
        all.extend(labels);
        all.extend(self.unflagged_sentence());
        let mounts = self
            .mounts
            .sentence("other file system was left out", "other file systems were left out");
        all.extend(mounts);
        if self.relinked > 0 {
            all.push(format!(
                "of files with more names than one file can have there, {} further copies were made",
                grouped(self.relinked)
            ));
        }
        if self.own_store {
            all.push("heptad's own store was left out".into());
        }
        all
    }

    /// Content that should be in the copy and is not, or not surely. A device that may not be made
    /// here bears no content: it is missing, and no reason for doubt.
    pub fn missing(&self) -> Vec<String> {
        let changing = self.changing.sentence(
            "file changed while it was read, old and new may be mixed in it",
            "files changed while they were read, old and new may be mixed in them",
        );
        let devices = self.devices.sentence(
            "device could not be made (CAP_MKNOD)",
            "devices could not be made (CAP_MKNOD)",
        );
        self.left_out().into_iter().chain(devices).chain(changing).collect()
    }

    /// Why the copy lacks something that the original has, if it does: it is suspect then.
    pub fn incomplete(&self) -> Option<String> {
        let left_out = self.left_out();
        (!left_out.is_empty()).then(|| left_out.join("; "))
    }

    fn left_out(&self) -> Vec<String> {
        let all = [
            self.unreadable.full_sentence("entry could not be read", "entries could not be read"),
            self.unfit.full_sentence(
                "entry does not fit into the file system of the copy and was left out",
                "entries do not fit into the file system of the copy and were left out",
            ),
            self.too_deep.full_sentence(
                "entry has too long a path and was left out",
                "entries have too long paths and were left out",
            ),
            self.special.full_sentence(
                "link or special file could not be made",
                "links or special files could not be made",
            ),
            self.unread.full_sentence(
                "entry has attributes that could not be read",
                "entries have attributes that could not be read",
            ),
        ];
        all.into_iter().flatten().collect()
    }

    /// Content that is there, but without its owner or its attributes.
    pub fn bare(&self) -> Vec<String> {
        let all = [
            self.owners.sentence(
                "entry has lost its owner, mode or times",
                "entries have lost their owners, modes or times",
            ),
            self.attributes.sentence(
                "entry has lost extended attributes",
                "entries have lost extended attributes",
            ),
            self.inherited.sentence(
                "entry has kept access rights of the directory that it lies in",
                "entries have kept access rights of the directory that they lie in",
            ),
        ];
        all.into_iter().flatten().collect()
    }
}

/// A path for a person: whatever bytes it has, it stays on one line and drives no terminal; of a
/// long one the middle is left out.
pub fn shown(path: &[u8]) -> String {
    if path.is_empty() {
        return ".".into();
    }
    let text = |part: &[u8]| String::from_utf8_lossy(part).escape_debug().to_string();
    if path.len() <= 2 * SHOWN {
        return text(path);
    }
    format!("{}[...]{}", text(&path[..SHOWN]), text(&path[path.len() - SHOWN..]))
}

/// `1234567` as `1,234,567`.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (n, digit) in digits.chars().enumerate() {
        if n > 0 && (digits.len() - n).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sentence_says_how_each_file_came_to_be() {
        let check = |cloned: u64, linked: u64, copied: u64, want: &str| {
            assert_eq!(Report { cloned, linked, copied, ..Report::default() }.how(), want);
        };
        check(120, 4310, 12, "reflinked 120 files, linked 4,310 unchanged, copied 12");
        check(0, 1, 0, "linked 1 unchanged file");
        check(0, 0, 1_234_567, "copied 1,234,567 files");
        check(0, 0, 0, "no regular files");
    }

    #[test]
    fn a_sample_names_the_first_paths_and_no_control_characters() {
        let mut sample = Sample::default();
        for path in [&b"a\nb"[..], b"\x1b[31m", b"\xff", b"d"] {
            sample.add(path);
        }
        let want = "4 files (a\\nb, \\u{1b}[31m, \u{fffd}, ...)";
        assert_eq!(sample.sentence("file", "files").unwrap(), want);
    }

    #[test]
    fn what_is_said_of_any_number_of_long_paths_is_short() {
        let mut report = Report::default();
        for number in 0..100_000_u32 {
            let path = format!("{}{number}", "a/".repeat(8_000));
            report.unreadable(path.as_bytes(), Errno::IO);
            report.unfit(path.as_bytes(), Errno::FBIG);
        }
        let why = report.incomplete().unwrap();
        assert!(why.starts_with("100,000 entries could not be read (a/a/"), "{why}");
        assert!(why.contains("a/1: input/output error, a/"), "{why}");
        assert!(why.len() < 3_000, "{} bytes", why.len());
    }
}
