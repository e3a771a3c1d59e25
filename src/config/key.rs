//! The path of a key, kept in steps so that names with dots in them stay whole.

use std::fmt;

/// Displays as a person writes it: `resource."web.2".before[0].program`.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct KeyPath(Vec<Step>);

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Step {
    Key(String),
    Index(usize),
}

impl KeyPath {
    pub(super) fn root() -> Self {
        Self::default()
    }

    pub(super) fn of(keys: &[&str]) -> Self {
        keys.iter().fold(Self::root(), |path, key| path.key(key))
    }

    pub(super) fn key(&self, key: &str) -> Self {
        self.with(Step::Key(key.into()))
    }

    pub(super) fn index(&self, index: usize) -> Self {
        self.with(Step::Index(index))
    }

    /// The path of the table or list that holds it; `None` for the root.
    pub(super) fn parent(&self) -> Option<Self> {
        let (_, rest) = self.0.split_last()?;
        Some(Self(rest.to_vec()))
    }

    /// The name in `resource.NAME`; `None` for other paths.
    pub(super) fn resource(&self) -> Option<&str> {
        match &self.0[..] {
            [Step::Key(root), Step::Key(name)] if root == "resource" => Some(name),
            _ => None,
        }
    }

    fn with(&self, step: Step) -> Self {
        Self(self.0.iter().cloned().chain([step]).collect())
    }
}

/// Longer keys, in bytes, are cut when shown; every name fits.
const LONGEST: usize = 256;

impl fmt::Display for KeyPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, step) in self.0.iter().enumerate() {
            match step {
                Step::Index(index) => write!(f, "[{index}]")?,
                Step::Key(key) => {
                    let dot = if place == 0 { "" } else { "." };
                    // Escaped and cut, so that no key can play tricks on a terminal.
                    if key.len() > LONGEST {
                        let start: String = key.chars().take(LONGEST / 4).collect();
                        write!(f, "{dot}{start:?}...")?;
                    } else if is_bare(key) {
                        write!(f, "{dot}{key}")?;
                    } else {
                        write!(f, "{dot}{key:?}")?;
                    }
                }
            }
        }
        Ok(())
    }
}

fn is_bare(key: &str) -> bool {
    !key.is_empty() && key.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_reads_as_it_is_written_in_toml() {
        let check = |path: KeyPath, want: &str| assert_eq!(path.to_string(), want);
        check(KeyPath::root(), "");
        check(KeyPath::of(&["resource", "home", "time"]), "resource.home.time");
        check(KeyPath::of(&["resource", "web.2"]), "resource.\"web.2\"");
        check(KeyPath::of(&["a\u{1b}[2J", ""]), "\"a\\u{1b}[2J\".\"\"");
        let hook = KeyPath::of(&["resource", "home", "before"]).index(0).key("program");
        assert_eq!(hook.parent().and_then(|p| p.parent()).unwrap().to_string(), {
            "resource.home.before"
        });
        check(hook, "resource.home.before[0].program");
    }
}
