//! What the design promises of the source itself: who may know whom, and how files look.

use crate::support::modules::{circles, functions, names};
use crate::support::source::{Source, code_of, files, root};
use std::collections::{BTreeMap, BTreeSet};

/// Each room and the rooms it may name. `bin` is src/bin; its own crate is `heptad` to it.
const MAY_IMPORT: &[(&str, &[&str])] = &[
    ("domain", &[]),
    ("host", &[]),
    ("catalogue", &["domain"]),
    ("config", &["domain"]),
    // The kernel's word on who is at the other end of the socket.
    ("api", &["domain", "host"]),
    ("fs", &["domain", "host"]),
    ("store", &["fs", "domain", "host"]),
    ("browse", &["fs", "domain", "host"]),
    ("image", &["browse", "fs", "domain", "host"]),
    ("backend", &["browse", "domain", "fs", "host", "image", "store"]),
    // Texts of help and manual pages, and how they are laid out.
    ("help", &["domain"]),
    ("ctl", &["api", "help"]),
    (
        "daemon",
        &[
            "api",
            "backend",
            "browse",
            "catalogue",
            "config",
            "domain",
            "fs",
            "help",
            "host",
            "image",
            "store",
        ],
    ),
    // A visitor: it starts the daemon and then knows only the client and the clock's hands.
    ("demo", &["api", "config", "ctl", "daemon", "host"]),
    ("bin", &["ctl", "daemon", "demo"]),
];

/// Crates that only compute. The domain may use these and no others.
const PURE: &[&str] = &["jiff", "thiserror", "uuid"];

/// Parts of the standard library that look at the world; not for the domain.
const IMPURE_STD: &[&str] =
    &["env::", "fs::", "io::", "net::", "os::", "process::", "thread::", "SystemTime", "Instant"];

/// Crates, and the only places that may name them.
const ONLY_IN: &[(&str, &[&str])] = &[
    ("cron", &["src/domain/cron.rs"]),
    ("pulldown_cmark", &["src/help/document.rs"]),
    ("chrono", &["src/domain/cron.rs"]),
    // The catalogue is an SQLite file; others are resources, and need a layer of their own.
    ("rusqlite", &["src/catalogue/", "src/backend/sqlite/", "src/host/sys/sqlite.rs"]),
    ("figment", &["src/config/"]),
    // Readers of what guests wrote: only in the helper that can do no harm.
    ("imago", &["src/image/"]),
    ("gptman", &["src/image/"]),
    ("mbrman", &["src/image/"]),
    ("ext4_view", &["src/image/"]),
    ("fatfs", &["src/image/"]),
    ("fs_btrfs", &["src/image/"]),
    ("fs_xfs", &["src/image/"]),
    ("fs_core", &["src/image/"]),
    ("ntfs", &["src/image/"]),
    ("fuser", &["src/image/"]),
    ("seccompiler", &["src/image/"]),
    ("sd_notify", &["src/host/systemd.rs"]),
];

/// The only room with `unsafe`.
const UNSAFE_IN: &str = "src/host/sys/";

/// Lines of a file without its tests: above the first it is listed, above the second refused.
const LINES: (usize, usize) = (300, 450);

/// Lines of a function, with its signature.
const FUNCTION: usize = 70;

/// Columns of a line, also of a comment.
const WIDTH: usize = 100;

/// Functions that are one table: a line or two for each case, and nothing else.
const TABLES: &[(&str, &str)] = &[("src/api/denied.rs", "from")];

/// Words that stand for unfinished work, in code and comments.
const UNFINISHED: &[&str] = &["todo!", "unimplemented!", "dbg!", "TODO", "FIXME", "XXX", "for now"];

/// All findings of a rule at once.
fn check(rule: &str, findings: &[String]) {
    assert!(findings.is_empty(), "{rule}:\n  {}\n", findings.join("\n  "));
}

fn rooms() -> Vec<&'static str> {
    MAY_IMPORT.iter().map(|(room, _)| *room).collect()
}

#[test]
fn every_room_knows_only_the_rooms_it_may() {
    let mut findings = Vec::new();
    for file in files("src", "rs") {
        let Some(room) = file.room() else { continue };
        let Some((_, may)) = MAY_IMPORT.iter().find(|(name, _)| *name == room) else {
            findings.push(format!("{}: {room} is not in the table", file.path));
            continue;
        };
        for (line, named) in file.rooms_named(&rooms()) {
            if named != room && !may.contains(&named.as_str()) {
                findings.push(format!("{}:{line}: {room} may not know {named}", file.path));
            }
        }
    }
    check("the arrows of design.md section 4", &findings);
}

#[test]
fn the_domain_only_computes() {
    let manifest = std::fs::read_to_string(root().join("Cargo.toml")).unwrap();
    let manifest: toml::Table = manifest.parse().unwrap();
    let crates = manifest["dependencies"].as_table().unwrap().keys();
    let crates: Vec<String> = crates.map(|name| name.replace('-', "_")).collect();
    let forbidden = crates.iter().filter(|name| {
        !PURE.contains(&name.as_str()) && !ONLY_IN.iter().any(|(only, _)| only == name)
    });
    let forbidden: Vec<String> = forbidden
        .map(|name| format!("{name}::"))
        .chain(IMPURE_STD.iter().map(|part| format!("std::{part}")))
        .collect();
    let mut findings = Vec::new();
    for file in files("src/domain", "rs") {
        let code = file.code_without_tests();
        for name in &forbidden {
            findings.extend(file.at(&code, name).map(|line| format!("{line}: {name}")));
        }
    }
    check("the domain is pure", &findings);
}

#[test]
fn some_crates_are_named_in_one_place_only() {
    let mut findings = Vec::new();
    for file in files("src", "rs") {
        let code = code_of(&file.text);
        let elsewhere = |places: &[&str]| !places.iter().any(|place| file.path.starts_with(place));
        for (name, places) in ONLY_IN.iter().filter(|(_, places)| elsewhere(places)) {
            let (path, places) = (format!("{name}::"), places.join(", "));
            findings.extend(
                file.at(&code, &path).map(|line| format!("{line}: {name} belongs to {places}")),
            );
        }
    }
    check("one place for each of these crates", &findings);
}

#[test]
fn unsafe_code_is_in_one_file_and_argued_for() {
    let mut findings = Vec::new();
    for file in files("src", "rs") {
        let code = code_of(&file.text);
        if !file.path.starts_with(UNSAFE_IN) {
            findings.extend(file.at(&code, "unsafe"));
            continue;
        }
        let uses = file.at(&code, "unsafe").count();
        let reasons = file.text.matches("// SAFETY:").count();
        if reasons < uses {
            findings.push(format!("{}: {uses} uses of unsafe, {reasons} SAFETY lines", file.path));
        }
    }
    check("unsafe", &findings);
}

#[test]
fn files_stay_short_enough_to_be_read() {
    let (soft, hard) = LINES;
    let mut findings = Vec::new();
    for file in files("src", "rs") {
        let lines = file.lines_without_tests();
        if lines > soft {
            eprintln!("long: {} has {lines} lines without its tests", file.path);
        }
        if lines > hard {
            findings.push(format!("{}: {lines} lines, at most {hard}", file.path));
        }
    }
    check("a file that needs a table of contents is two files", &findings);
}

#[test]
fn no_files_name_one_another_in_a_circle() {
    let circles = circles(&names(&files("src", "rs")));
    let shown = circles.iter().map(|circle| {
        circle.iter().map(|module| module.join("::")).collect::<Vec<_>>().join(" and ")
    });
    check("files in a circle can only be read as one", &shown.collect::<Vec<_>>());
}

#[test]
fn functions_are_read_without_scrolling() {
    let mut findings = Vec::new();
    for file in files("src", "rs") {
        let is_table = |name: &str| TABLES.contains(&(&file.path, name));
        let long = functions(&file)
            .into_iter()
            .filter(|(name, _, lines)| *lines > FUNCTION && !is_table(name));
        findings.extend(long.map(|(name, at, lines)| {
            format!("{}:{at}: {name} has {lines} lines, at most {FUNCTION}", file.path)
        }));
    }
    check("long functions", &findings);
}

#[test]
fn lines_are_read_without_turning_the_head() {
    let mut findings = Vec::new();
    for file in files("src", "rs") {
        // Texts and tables cannot be broken everywhere.
        let code = code_of(&file.text);
        let lines = file.text.lines().zip(code.lines());
        let seen = lines.map(|(line, code)| match line.trim_start().starts_with("//") {
            true if line.starts_with("//! |") => "",
            true => line,
            false if line.contains('"') => "",
            false => code.trim_end(),
        });
        let wide = seen.enumerate().filter(|(_, line)| line.chars().count() > WIDTH);
        findings.extend(wide.map(|(at, _)| format!("{}:{}", file.path, at + 1)));
    }
    check("lines wider than that", &findings);
}

#[test]
fn a_module_with_parts_is_a_directory() {
    let beside = |file: &Source| {
        let dir = root().join(file.path.trim_end_matches(".rs"));
        dir.is_dir().then(|| format!("{} is beside {}", file.path, dir.display()))
    };
    let all = files("src", "rs").into_iter().chain(files("tests/it", "rs"));
    check("move x.rs to x/mod.rs", &all.filter_map(|file| beside(&file)).collect::<Vec<_>>());
}

#[test]
fn every_room_and_every_test_file_says_what_it_is_for() {
    let sources = files("src", "rs").into_iter().filter(|file| file.path.ends_with("/mod.rs"));
    let silent = sources.chain(files("tests/it", "rs")).filter(|f| !f.text.starts_with("//! "));
    check("a first line with //!", &silent.map(|file| file.path).collect::<Vec<_>>());
}

#[test]
fn nothing_is_left_for_later_and_no_test_is_switched_off() {
    let mut findings = Vec::new();
    let everything = [("src", "rs"), ("tests", "rs"), ("config", "toml"), ("systemd", "")];
    let files = everything.into_iter().flat_map(|(dir, ending)| files(dir, ending));
    for file in files.filter(|file| file.path != "tests/it/tidy.rs") {
        for word in UNFINISHED.iter().chain(&["#[ignore", "thread::sleep"]) {
            findings.extend(file.at(&file.text, word).map(|line| format!("{line}: {word}")));
        }
    }
    check("unfinished, or not run", &findings);
}

#[test]
fn every_backend_has_an_example_and_passes_the_conformance_suite() {
    let tests: String = files("tests/it", "rs").iter().map(|file| code_of(&file.text)).collect();
    let tests: String = tests.split_whitespace().collect();
    let mut findings = Vec::new();
    for name in heptad::backend::registry::names() {
        let example = format!("config/examples/{name}.toml");
        if !root().join(&example).is_file() {
            findings.push(format!("{name}: no {example}"));
        }
        if !tests.contains(&format!("conformance!({name},")) {
            findings.push(format!("{name}: no line conformance!({name}, …) in tests/it"));
        }
    }
    check("a backend is a file, a registry line, an example and a conformance line", &findings);
}

#[test]
fn every_dependency_is_named() {
    let manifest = std::fs::read_to_string(root().join("Cargo.toml")).unwrap();
    let manifest: toml::Table = manifest.parse().unwrap();
    let code: Vec<String> = files("src", "rs").iter().map(|file| code_of(&file.text)).collect();
    let crates = manifest["dependencies"].as_table().unwrap().keys();
    let unnamed = crates.filter(|name| {
        let name = name.trim_start_matches("rust-").replace('-', "_");
        !code.iter().any(|code| code.contains(&format!("{name}::")))
    });
    check("crates that nothing names", &unnamed.cloned().collect::<Vec<_>>());
}

#[test]
fn no_crate_has_an_advisory_against_it() {
    #[derive(serde::Deserialize)]
    struct Advisory {
        #[serde(rename = "crate")]
        name: String,
        patched: Vec<semver::VersionReq>,
        #[serde(default)]
        unaffected: Vec<semver::VersionReq>,
        accepted: Option<String>,
    }
    let read = |path: &str| std::fs::read_to_string(root().join(path)).unwrap();
    let advisories: BTreeMap<String, Advisory> =
        toml::from_str(&read("tests/data/advisories.toml")).unwrap();
    let lock: toml::Table = read("Cargo.lock").parse().unwrap();
    let mut findings = Vec::new();
    for package in lock["package"].as_array().unwrap() {
        let (name, version) =
            (package["name"].as_str().unwrap(), package["version"].as_str().unwrap());
        let parsed: semver::Version = version.parse().unwrap();
        let of_it = advisories.iter().filter(|(_, advisory)| advisory.name == name);
        for (id, advisory) in of_it.filter(|(_, advisory)| advisory.accepted.is_none()) {
            let mut safe = advisory.patched.iter().chain(&advisory.unaffected);
            if !safe.any(|versions| versions.matches(&parsed)) {
                findings.push(format!("{name} {version}: {id}; cargo update --package {name}"));
            }
        }
    }
    check("https://rustsec.org", &findings);
}

#[test]
fn every_test_file_is_part_of_the_binary() {
    let main = std::fs::read_to_string(root().join("tests/it/main.rs")).unwrap();
    let known: BTreeSet<&str> =
        main.lines().filter_map(|line| line.strip_prefix("mod ")?.strip_suffix(';')).collect();
    let found = std::fs::read_dir(root().join("tests/it")).unwrap();
    let lost = found.map(|entry| entry.unwrap().path()).filter(|path| {
        let name = path.file_stem().and_then(|stem| stem.to_str()).unwrap();
        name != "main" && !known.contains(name)
    });
    let lost: Vec<String> = lost.map(|path| path.display().to_string()).collect();
    check("mod lines in tests/it/main.rs", &lost);
}

#[test]
fn the_scanner_sees_code_and_nothing_else() {
    let seen = |text: &str| {
        let source = Source { path: "src/api/x.rs".into(), text: text.into() };
        source.rooms_named(&rooms()).into_iter().map(|(_, room)| room).collect::<Vec<_>>()
    };
    let check = |text: &str, want: &[&str]| assert_eq!(seen(text), want, "{text}");
    check("use crate::host::sys;", &["host"]);
    check("use crate::{domain::name, host};", &["domain", "host"]);
    check("use crate::{\n    api::{wire, host},\n    host::sys,\n};", &["api", "host"]);
    check("let x = crate::daemon::run();", &["daemon"]);
    check("use super::super::host::sys;", &["host"]);
    check("use heptad::ctl::run;", &["ctl"]);
    check("// use crate::host;\n/* crate::host /* */ crate::host */", &[]);
    check(
        r##"let a = "crate::host"; let b = r#"" crate::host"#; let c = b'"'; let d: &'a str;"##,
        &[],
    );
    check("use crate::hosts; use my_crate::host; use super::host::x;", &[]);
}
