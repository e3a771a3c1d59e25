//! The files of the library as modules: which of them names which.

use super::source::{Source, code_of};
use std::collections::{BTreeMap, BTreeSet};

/// A module's path from the root of the crate.
pub type Module = Vec<String>;

/// Each module and those that its code names. A module and what lies below it are one thing, so
/// nothing is said of those pairs.
pub type Names = BTreeMap<Module, BTreeSet<Module>>;

pub fn names(files: &[Source]) -> Names {
    let all: BTreeSet<Module> = files.iter().filter_map(module).collect();
    let mut names = Names::new();
    for file in files {
        let Some(own) = module(file) else { continue };
        let code = file.code_without_tests();
        let found = paths(&code).into_iter().filter_map(|path| resolve(&own, &path, &all));
        let kin = |other: &Module| own.starts_with(other) || other.starts_with(&own);
        names.insert(own.clone(), found.filter(|other| !kin(other)).collect());
    }
    names
}

/// Sets of modules of which each names each other, by way of others perhaps.
pub fn circles(names: &Names) -> Vec<Vec<Module>> {
    let mut circles: Vec<Vec<Module>> = Vec::new();
    for start in names.keys().filter(|module| reached(names, module).contains(*module)) {
        if circles.iter().flatten().any(|known| known == start) {
            continue;
        }
        let back = |other: &&Module| reached(names, other).contains(start);
        circles.push(reached(names, start).iter().filter(back).cloned().collect());
    }
    circles
}

fn reached(names: &Names, from: &Module) -> BTreeSet<Module> {
    let mut reached = BTreeSet::new();
    let mut left: Vec<&Module> = names.get(from).into_iter().flatten().collect();
    while let Some(next) = left.pop() {
        if reached.insert(next.clone()) {
            left.extend(names.get(next).into_iter().flatten());
        }
    }
    reached
}

fn module(file: &Source) -> Option<Module> {
    let path = file.path.strip_prefix("src/")?.strip_suffix(".rs")?;
    let mut module: Module = path.split('/').map(str::to_owned).collect();
    if module[0] == "bin" || path == "lib" {
        return None;
    }
    if module.last().is_some_and(|last| last == "mod") {
        module.pop();
    }
    Some(module)
}

/// All paths that the code names, those in braces one by one.
fn paths(code: &str) -> Vec<Vec<String>> {
    let mut found = Vec::new();
    let mut stack: Vec<Vec<String>> = Vec::new();
    let (mut path, mut word): (Vec<String>, String) = Default::default();
    let mut rest = code;
    while let Some(c) = rest.chars().next() {
        let mut step = c.len_utf8();
        if c.is_alphanumeric() || c == '_' {
            word.push(c);
        } else if rest.starts_with("::") && !word.is_empty() {
            path.push(std::mem::take(&mut word));
            step = 2;
        } else if c == '{' && word.is_empty() && !path.is_empty() {
            // A list of paths that begin alike.
            stack.push(std::mem::take(&mut path));
        } else {
            if !word.is_empty() {
                path.push(std::mem::take(&mut word));
            }
            if path.len() + stack.len() > 1 {
                found.push(stack.iter().flatten().chain(&path).cloned().collect());
            }
            path.clear();
            if c == '}' {
                stack.pop();
            }
        }
        rest = &rest[step..];
    }
    found
}

/// The module that a path in the code of `own` leads to, if it is one of ours.
fn resolve(own: &Module, path: &[String], all: &BTreeSet<Module>) -> Option<Module> {
    let supers = path.iter().take_while(|part| *part == "super").count();
    let (mut at, rest) = match path.first()?.as_str() {
        "crate" => (Module::new(), &path[1..]),
        "self" => (own.clone(), &path[1..]),
        "super" => (own[..own.len().checked_sub(supers)?].to_vec(), &path[supers..]),
        _ => (own.clone(), path),
    };
    let begun = at.len();
    for part in rest {
        at.push(part.clone());
        if !all.contains(&at) {
            at.pop();
            break;
        }
    }
    // A word alone leads somewhere only if it is a module.
    let said = ["crate", "self", "super"].contains(&path[0].as_str());
    (!at.is_empty() && (said || at.len() > begun)).then_some(at)
}

/// Name, first line and length of each function that has a body.
pub fn functions(file: &Source) -> Vec<(String, usize, usize)> {
    let code = file.code_without_tests();
    let lines: Vec<&str> = code.lines().collect();
    let mut found = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        let indent = line.len() - line.trim_start().len();
        let Some(name) = function(line) else { continue };
        let closes = |end: &&str| end.len() == indent + 1 && end.trim_start() == "}";
        let body = lines[at..].iter().position(|line| line.trim_end().ends_with('{'));
        let none = lines[at..].iter().position(|line| line.trim_end().ends_with(';'));
        if body.is_none() || none.is_some_and(|none| body.is_some_and(|body| none < body)) {
            continue;
        }
        let length = lines[at..].iter().position(closes).map_or(1, |end| end + 1);
        found.push((name, at + 1, length));
    }
    found
}

fn function(line: &str) -> Option<String> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let at = words.iter().position(|word| *word == "fn")?;
    let before = ["pub", "async", "unsafe", "const", "pub(super)", "pub(crate)"];
    words[..at].iter().all(|word| before.contains(word)).then_some(())?;
    let name = words.get(at + 1)?;
    Some(name.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect())
}

#[test]
fn who_names_whom_is_seen_through_lists_and_paths() {
    let source = |path: &str, text: &str| Source { path: path.into(), text: text.into() };
    let files = [
        source("src/a/mod.rs", "mod b; mod c;"),
        source("src/a/b.rs", "use super::c::{self, X};\nuse crate::{d, e::{Y, f::Z}};"),
        source("src/a/c.rs", "fn x() { super::b::y(); crate::d::z() }"),
        source("src/d.rs", "// use crate::a::b;"),
        source("src/e/mod.rs", ""),
        source("src/e/f.rs", "use super::Y;"),
    ];
    let names = names(&files);
    let check = |module: &[&str], want: &[&str]| {
        let module: Module = module.iter().map(|part| (*part).to_owned()).collect();
        let found: Vec<String> = names[&module].iter().map(|found| found.join("::")).collect();
        assert_eq!(found, want, "{module:?}");
    };
    check(&["a", "b"], &["a::c", "d", "e", "e::f"]);
    check(&["a", "c"], &["a::b", "d"]);
    check(&["d"], &[]);
    check(&["e", "f"], &[]);
    let circle: Vec<String> = circles(&names)[0].iter().map(|found| found.join("::")).collect();
    assert_eq!((circles(&names).len(), circle), (1, vec!["a::b".into(), "a::c".into()]));
    let text = "fn a() {\n    b();\n}\ntrait T {\n    fn c(\n        &self,\n    );\n    fn d() {\n    }\n}\n";
    let lengths = functions(&source("src/d.rs", &code_of(text)));
    assert_eq!(lengths, [("a".into(), 1, 3), ("d".into(), 8, 2)]);
}
