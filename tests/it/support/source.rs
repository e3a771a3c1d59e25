//! Reading the source as a text: what is code in it, and which rooms it names.

use std::path::{Path, PathBuf};

pub fn root() -> PathBuf {
    env!("CARGO_MANIFEST_DIR").into()
}

/// One file of the repository.
#[derive(Clone, Debug)]
pub struct Source {
    /// From the root of the repository.
    pub path: String,
    pub text: String,
}

/// All files below `dir` whose names end in `.ending`, or all if that is empty, sorted. None where
/// there is no such directory.
pub fn files(dir: &str, ending: &str) -> Vec<Source> {
    let mut found = Vec::new();
    let mut left = vec![root().join(dir)];
    while let Some(dir) = left.pop() {
        for entry in std::fs::read_dir(&dir).into_iter().flatten() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                left.push(path);
            } else if ending.is_empty() || path.extension().is_some_and(|e| e == ending) {
                found.push(source(&path));
            }
        }
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    found
}

fn source(path: &Path) -> Source {
    let bytes = std::fs::read(path).unwrap();
    let path = path.strip_prefix(root()).unwrap().to_str().unwrap().to_owned();
    Source { path, text: String::from_utf8_lossy(&bytes).into_owned() }
}

impl Source {
    /// The room that a file under src belongs to; lib.rs belongs to none.
    pub fn room(&self) -> Option<String> {
        let below = self.path.strip_prefix("src/")?;
        let (room, _) = below.split_once('/').or_else(|| below.split_once('.'))?;
        (room != "lib").then(|| room.to_owned())
    }

    /// Line and name of each room that the code names from the root of the crate.
    pub fn rooms_named(&self, rooms: &[&str]) -> Vec<(usize, String)> {
        let code = code_of(&self.text);
        let mut found = Vec::new();
        for start in ["crate::", "heptad::", "super::super::"] {
            for at in words(&code, start) {
                let line = line_of(&code, at);
                let rest = &code[at + start.len()..];
                let named = firsts(rest).into_iter().filter(|name| rooms.contains(&name.as_str()));
                found.extend(named.map(|name| (line, name)));
            }
        }
        found
    }

    /// `path:line` of each place in `text` (a form of this file's) where `word` stands alone.
    pub fn at<'a>(&'a self, text: &'a str, word: &'a str) -> impl Iterator<Item = String> + 'a {
        words(text, word).map(|at| format!("{}:{}", self.path, line_of(text, at)))
    }

    pub fn code_without_tests(&self) -> String {
        code_of(self.without_tests())
    }

    pub fn lines_without_tests(&self) -> usize {
        self.without_tests().lines().count()
    }

    /// Unit tests stand at the end of a file.
    fn without_tests(&self) -> &str {
        let tests = self.text.find("\n#[cfg(test)]\nmod ").unwrap_or(self.text.len());
        if self.path.ends_with("/tests.rs") { "" } else { &self.text[..tests] }
    }
}

fn line_of(text: &str, at: usize) -> usize {
    text[..at].matches('\n').count() + 1
}

/// Where `word` stands in `text`, not as a part of a longer name or path.
fn words<'a>(text: &'a str, word: &'a str) -> impl Iterator<Item = usize> + 'a {
    let part = |c: char| c.is_alphanumeric() || c == '_';
    let ends_open = word.ends_with(part);
    text.match_indices(word).map(|(at, _)| at).filter(move |at| {
        let before = text[..*at].chars().next_back();
        let after = text[at + word.len()..].chars().next();
        let goes_on = ends_open && after.is_some_and(part);
        !goes_on && !before.is_some_and(|c| part(c) || c == ':')
    })
}

/// The first names of what follows a `path::`: one name, or those of a list in braces.
fn firsts(rest: &str) -> Vec<String> {
    let name = |text: &str| -> String {
        text.trim_start().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
    };
    let Some(list) = rest.strip_prefix('{') else {
        return vec![name(rest)];
    };
    let (mut depth, mut names, mut from) = (0, Vec::new(), 0);
    for (at, c) in list.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth > 0 => depth -= 1,
            ',' | '}' if depth == 0 => {
                names.push(name(&list[from..at]));
                from = at + 1;
                if c == '}' {
                    break;
                }
            }
            _ => {}
        }
    }
    names
}

/// The text with comments and the insides of literals blanked out, line by line the same.
pub fn code_of(text: &str) -> String {
    let mut code = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let length = not_code(rest, code.chars().next_back());
        if length == 0 {
            code.push(c);
            rest = &rest[c.len_utf8()..];
        } else {
            code.extend(rest[..length].chars().map(|c| if c == '\n' { '\n' } else { ' ' }));
            rest = &rest[length..];
        }
    }
    code
}

/// The length of the comment or literal that begins here; 0 if none does.
fn not_code(text: &str, before: Option<char>) -> usize {
    let in_name = before.is_some_and(|c| c.is_alphanumeric() || c == '_');
    if text.starts_with("//") {
        return text.find('\n').unwrap_or(text.len());
    }
    if text.starts_with("/*") {
        return block_comment(text);
    }
    if text.starts_with('"') {
        return quoted(text);
    }
    if !in_name && (text.starts_with("r#") || text.starts_with("r\"")) {
        return raw(text);
    }
    if text.starts_with('\'') {
        return character(text);
    }
    0
}

fn block_comment(text: &str) -> usize {
    let mut depth = 0;
    let mut at = 0;
    while at < text.len() {
        if text[at..].starts_with("/*") {
            depth += 1;
            at += 2;
        } else if text[at..].starts_with("*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += text[at..].chars().next().map_or(1, char::len_utf8);
        }
    }
    text.len()
}

fn quoted(text: &str) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return at + 1,
            _ => {}
        }
    }
    text.len()
}

/// A raw string; 0 for a raw name such as `r#type`.
fn raw(text: &str) -> usize {
    let hashes = text[1..].chars().take_while(|c| *c == '#').count();
    let inside = 1 + hashes;
    if !text[inside..].starts_with('"') {
        return 0;
    }
    let end = format!("\"{}", "#".repeat(hashes));
    let found = text[inside + 1..].find(&end);
    found.map_or(text.len(), |at| inside + 1 + at + end.len())
}

/// A character; 0 for a lifetime.
fn character(text: &str) -> usize {
    let mut chars = text.char_indices().skip(1);
    match chars.next() {
        Some((_, '\\')) => {
            chars.next();
            text[3..].find('\'').map_or(text.len(), |at| 3 + at + 1)
        }
        Some((at, c)) if text[at + c.len_utf8()..].starts_with('\'') => at + c.len_utf8() + 1,
        _ => 0,
    }
}
