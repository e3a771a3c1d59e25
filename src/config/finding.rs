//! What is wrong with a configuration: each finding with its place and a way out.

use super::key::KeyPath;
use crate::domain::sentence::plain;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What a finding does to what it is about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Effect {
    /// The configuration is not put in force.
    #[default]
    Refuses,
    /// The host is not as the configuration has it: what it names is in alarm, and all else works.
    Hampers,
}

/// One thing wrong. Prints as `FILE:LINE: KEY: problem; hint`, leaving out what is not known.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding {
    /// The file it stands in; `None` for the environment and for built-in defaults.
    pub file: Option<PathBuf>,
    /// Counted from 1.
    pub line: Option<usize>,
    /// Counted from 1, in bytes.
    pub column: Option<usize>,
    /// The whole path of the key; empty where the problem is the file itself.
    pub key: String,
    pub problem: String,
    /// What to do about it.
    pub hint: String,
    pub effect: Effect,
}

impl Finding {
    /// A finding about a key, at the place that it comes from.
    pub(super) fn at(
        origin: Option<&Origin>,
        key: &KeyPath,
        problem: impl Into<String>,
        hint: impl Into<String>,
    ) -> Self {
        let (file, line, column) = match origin {
            Some(Origin::File { path, line, column }) => {
                (Some(path.to_path_buf()), Some(*line), Some(*column))
            }
            _ => (None, None, None),
        };
        let key = match origin {
            Some(Origin::Environment(variable)) => format!("{key} ({variable} in the environment)"),
            Some(Origin::Default) => format!("{key} (built-in default)"),
            _ => key.to_string(),
        };
        let (problem, hint) = (printable(&plain(problem)), printable(&plain(hint)));
        Self { file, line, column, key, problem, hint, effect: Effect::Refuses }
    }

    /// A finding about a whole file, or a directory.
    pub(super) fn of_file(file: &Path, problem: impl Into<String>, hint: &str) -> Self {
        Self {
            file: Some(file.into()),
            line: None,
            column: None,
            key: String::new(),
            problem: plain(problem),
            hint: hint.into(),
            effect: Effect::Refuses,
        }
    }

    /// Whether it says the same, wherever it stands by now.
    pub fn is_same(&self, other: &Self) -> bool {
        (&self.key, &self.problem) == (&other.key, &other.problem)
    }
}

/// Messages of parsers quote the text as it is; on a terminal it must be harmless, in one line.
fn printable(text: &str) -> String {
    let escape = |c: char| match c.is_control() {
        true => c.escape_default().collect::<String>(),
        false => c.to_string(),
    };
    text.chars().map(escape).collect()
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.file, self.line) {
            (Some(file), Some(line)) => write!(f, "{}:{line}: ", file.display())?,
            (Some(file), None) => write!(f, "{}: ", file.display())?,
            (None, _) => {}
        }
        if !self.key.is_empty() {
            write!(f, "{}: ", self.key)?;
        }
        write!(f, "{}", self.problem)?;
        if self.hint.is_empty() { Ok(()) } else { write!(f, "; {}", self.hint) }
    }
}

/// Everything that is wrong, sorted by file and line; one finding per line when printed.
#[derive(Clone, Debug, Default, PartialEq, Eq, thiserror::Error)]
pub struct Findings(Vec<Finding>);

impl Findings {
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub fn iter(&self) -> std::slice::Iter<'_, Finding> {
        self.0.iter()
    }
}

impl From<Vec<Finding>> for Findings {
    fn from(mut findings: Vec<Finding>) -> Self {
        findings.sort();
        findings.dedup();
        Self(findings)
    }
}

impl Extend<Finding> for Findings {
    /// Adds what others found, and sorts again.
    fn extend<I: IntoIterator<Item = Finding>>(&mut self, more: I) {
        let mut all = std::mem::take(&mut self.0);
        all.extend(more);
        *self = all.into();
    }
}

impl<'a> IntoIterator for &'a Findings {
    type Item = &'a Finding;
    type IntoIter = std::slice::Iter<'a, Finding>;
    fn into_iter(self) -> Self::IntoIter {
        self.0.iter()
    }
}

impl fmt::Display for Findings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, finding) in self.0.iter().enumerate() {
            let end = if n == 0 { "" } else { "\n" };
            write!(f, "{end}{finding}")?;
        }
        Ok(())
    }
}

/// Where a value comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Built in.
    Default,
    /// Line and column count from 1, the column in bytes.
    File { path: Arc<Path>, line: usize, column: usize },
    /// The variable's name.
    Environment(&'static str),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::Default => f.write_str("built-in default"),
            Origin::File { path, line, .. } => write!(f, "{}:{line}", path.display()),
            Origin::Environment(variable) => write!(f, "environment variable {variable}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finding(file: Option<&str>, line: Option<usize>, key: &str, hint: &str) -> Finding {
        Finding {
            file: file.map(PathBuf::from),
            line,
            column: None,
            key: key.into(),
            problem: "is odd".into(),
            hint: hint.into(),
            effect: Effect::Refuses,
        }
    }

    #[test]
    fn a_finding_prints_what_it_knows() {
        let check = |finding: Finding, want: &str| assert_eq!(finding.to_string(), want);
        check(finding(Some("/a"), Some(3), "x.y", "even it"), "/a:3: x.y: is odd; even it");
        check(finding(Some("/a"), None, "", "even it"), "/a: is odd; even it");
        check(finding(None, None, "HEPTAD_LOG", ""), "HEPTAD_LOG: is odd");
    }

    #[test]
    fn findings_are_sorted_and_told_once() {
        let second = finding(Some("/a"), Some(10), "x", "");
        let first = finding(Some("/a"), Some(9), "x", "");
        let mut findings = Findings::from(vec![second.clone(), first.clone(), second.clone()]);
        findings.extend([finding(None, None, "x", "")]);
        assert_eq!(findings.len(), 3);
        assert_eq!(findings.to_string(), "x: is odd\n/a:9: x: is odd\n/a:10: x: is odd");
    }
}
