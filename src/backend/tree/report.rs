//! What a copy did, and what it could not do: in numbers, and in sentences for a person.

/// How many paths a sentence names.
const NAMED: usize = 3;

/// A count with its first few paths.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sample {
    pub count: u64,
    pub first: Vec<String>,
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
    /// May not be read.
    pub unreadable: Sample,
    /// Changed while they were read, each time.
    pub changing: Sample,
    pub too_deep: Sample,
    /// Device nodes that may not be made here; links where the file system has none.
    pub special: Sample,
    pub owners: Sample,
    /// Access lists and users' attributes.
    pub attributes: Sample,
    /// Attributes of the system's own: labels, capabilities, properties.
    pub labels: Sample,
    /// Other file systems, not entered.
    pub mounts: Sample,
    /// Kept in no snapshot: heptad's own store.
    pub own_store: bool,
}

impl Sample {
    pub fn add(&mut self, path: &[u8]) {
        self.count += 1;
        if self.first.len() < NAMED {
            self.first.push(shown(path));
        }
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

    /// What is not in the copy, or not as it was.
    pub fn losses(&self) -> Vec<String> {
        let mut all = self.missing();
        all.extend(self.bare());
        let labels = self.labels.sentence(
            "file has lost a label or capability",
            "files have lost labels or capabilities",
        );
        all.extend(labels);
        let mounts = self
            .mounts
            .sentence("other file system was left out", "other file systems were left out");
        all.extend(mounts);
        if self.own_store {
            all.push("heptad's own store was left out".into());
        }
        all
    }

    /// Content that should be in the copy and is not.
    pub fn missing(&self) -> Vec<String> {
        let all = [
            self.unreadable.sentence("entry could not be read", "entries could not be read"),
            self.changing.sentence(
                "file changed while it was read, old and new may be mixed in it",
                "files changed while they were read, old and new may be mixed in them",
            ),
            self.too_deep.sentence(
                "directory is nested too deeply and was left out",
                "directories are nested too deeply and were left out",
            ),
            self.special.sentence(
                "link or special file could not be made",
                "links or special files could not be made",
            ),
        ];
        all.into_iter().flatten().collect()
    }

    /// Content that is there, but without its owner or its attributes.
    pub fn bare(&self) -> Vec<String> {
        let all = [
            self.owners.sentence(
                "entry has lost its owner or mode",
                "entries have lost their owners or modes",
            ),
            self.attributes.sentence(
                "entry has lost extended attributes",
                "entries have lost extended attributes",
            ),
        ];
        all.into_iter().flatten().collect()
    }
}

/// A path for a person: whatever bytes it has, it stays on one line and drives no terminal.
pub fn shown(path: &[u8]) -> String {
    if path.is_empty() {
        return ".".into();
    }
    String::from_utf8_lossy(path).escape_debug().to_string()
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
}
