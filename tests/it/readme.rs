//! The README and the topics of help are held to their word: what they name exists, their
//! configuration loads, what they show is what the programs print, and all of it fits a terminal.

use crate::support::pid1::boot;
use crate::support::source::{files, root};
use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

fn readme() -> String {
    std::fs::read_to_string(root().join("README.md")).unwrap()
}

/// The README, and with it the topics.
fn everything() -> String {
    let topics = files("src/help", "md").into_iter().map(|topic| topic.text);
    std::iter::once(readme()).chain(topics).collect::<Vec<_>>().join("\n")
}

/// All findings at once.
fn check(rule: &str, findings: Vec<String>) {
    assert!(findings.is_empty(), "{rule}:\n  {}\n", findings.join("\n  "));
}

/// The fenced blocks of a language.
fn blocks(language: &str) -> Vec<String> {
    let fence = format!("```{language}");
    let mut found = Vec::new();
    let mut block: Option<String> = None;
    for line in everything().lines() {
        match &mut block {
            Some(_) if line == "```" => found.extend(block.take()),
            Some(text) => *text += &format!("{line}\n"),
            None if line == fence => block = Some(String::new()),
            None => {}
        }
    }
    found
}

/// What stands between single backticks outside of the blocks.
fn inline_code(text: &str) -> Vec<String> {
    let prose: String = text.split("```").step_by(2).collect::<Vec<_>>().join(" ");
    prose.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

fn code() -> String {
    let blocks = ["sh", "console"].iter().flat_map(|language| blocks(language));
    blocks.chain(inline_code(&everything())).collect::<Vec<_>>().join("\n")
}

/// Names in lower case that follow a program's name and one space.
fn words_after(program: &str, text: &str) -> BTreeSet<String> {
    let before = |at: usize| !text[..at].ends_with(|c: char| c.is_alphanumeric());
    let hits = text.match_indices(program).filter(|(at, _)| before(*at));
    let rests = hits.filter_map(|(at, _)| text[at + program.len()..].strip_prefix(' '));
    let words = rests.filter_map(|rest| {
        let end = rest.find(|c: char| !c.is_ascii_lowercase() && c != '-').unwrap_or(rest.len());
        (!rest[end..].starts_with(['/', '.'])).then(|| rest[..end].to_owned())
    });
    words.filter(|word| !word.is_empty() && !word.starts_with('-')).collect()
}

#[test]
fn every_command_is_named_and_every_named_command_exists() {
    let check_program = |program: &str, command: clap::Command| {
        // A hidden one is for heptad itself, not for a person.
        let shown = command.get_subcommands().filter(|sub| !sub.is_hide_set());
        let mut known: BTreeSet<String> = shown.map(|sub| sub.get_name().to_owned()).collect();
        known.insert("help".to_owned());
        let mut named = words_after(program, &code());
        let unknown = named.difference(&known).map(|word| format!("{program} {word}: unknown"));
        let mut findings: Vec<String> = unknown.collect();
        named.extend(inline_code(&readme()));
        let missing = known.difference(&named);
        findings.extend(missing.map(|word| format!("{program} {word}: not in the README")));
        check("commands", findings);
    };
    check_program("heptactl", heptad::ctl::command());
    check_program("heptad", heptad::daemon::cli::command());
}

/// The first block of a language that holds `text`.
fn block_with(language: &str, text: &str) -> String {
    blocks(language).into_iter().find(|block| block.contains(text)).unwrap()
}

/// All but the build, which is done.
#[test]
fn what_the_readme_says_installs_upgrades_and_uninstalls_heptad() {
    let install = block_with("sh", "cargo build --release\ninstall");
    let release = "target/release/heptad target/release/heptactl";
    assert!(install.contains(release), "{install}");
    let (heptad, heptactl) = (env!("CARGO_BIN_EXE_heptad"), env!("CARGO_BIN_EXE_heptactl"));
    let install = install
        .replace("cargo build --release\n", "")
        .replace(release, &format!("{heptad}.built {heptactl}"))
        .replace(&format!("{heptad}.built"), "/tmp/heptad");
    let upgrade = block_with("sh", "for copy in heptad-*.conf");
    let uninstall = block_with("sh", "disable --now heptad.socket");
    let script = format!(
        r#"
        # Away with what is there for other tests.
        cp /usr/bin/heptad /tmp/heptad
        umount /usr/bin/heptad
        rm /usr/bin/heptad /usr/lib/systemd/system/heptad.* /usr/lib/sysusers.d/heptad.conf
        rm -r /usr/lib/tmpfiles.d/heptad.conf /usr/share/heptad
        mkdir -p /usr/share/bash-completion/completions
        cd {root}
        block() {{ bash -eux; }}
        install() {{ block <<'BLOCK'
{install}
BLOCK
        }}
        install
        ls /usr/local/share/man/man*/heptad.*
        systemctl daemon-reload
        systemctl enable --now heptad.socket heptad.service
        heptactl status
        heptad check 2>/dev/null
        test -x /usr/share/heptad/examples/plugin/tarball
        test -e /usr/share/heptad/examples/plugin/PROTOCOL.md
        test ! -x /usr/share/heptad/examples/plugin/PROTOCOL.md
        grep --only-matching 'install -D .*' /usr/share/heptad/examples/exec.toml | bash -eux
        test -x /usr/lib/heptad/plugins/tarball
        systemd-analyze verify --man=no /usr/lib/systemd/user/heptad.service
        # Again, with a configuration and a drop-in of yesterday.
        mkdir -p /srv/docs /etc/systemd/system/heptad.service.d
        echo 'resource.docs.files.path = "/srv/docs"' >/etc/heptad/heptad.toml
        echo '# of yesterday' >/etc/systemd/system/heptad.service.d/heptad-mount.conf
        install
        heptad check 2>&1 | grep 'heptad-mount.conf is not that of this heptad'
        block <<'BLOCK'
{upgrade}
BLOCK
        ! heptad check 2>&1 | grep 'is not that of this heptad'
        heptactl take docs docs-1
        cp /usr/bin/heptactl /tmp/heptactl
        block <<'BLOCK'
{uninstall}
BLOCK
        ! find /usr/bin /usr/lib /usr/local /usr/share /etc/systemd -name '*heptad*' | grep .
        test -e /etc/heptad/heptad.toml -a -e /var/lib/heptad/store/docs/1"#,
        root = root().display()
    );
    let booted = boot(Path::new(heptad), &script, &[Path::new(heptactl), &root()]);
    booted.succeeded();
}

#[test]
fn every_promise_names_a_test_that_exists() {
    let text = readme();
    let mut sources = files("src", "rs");
    sources.extend(files("tests/it", "rs"));
    let is_test = |name: &str| {
        let line = format!("fn {name}(");
        sources.iter().any(|source| {
            source.text.match_indices(&line).any(|(at, _)| {
                let above: Vec<&str> = source.text[..at].lines().rev().take(4).collect();
                above.iter().any(|line| line.trim() == "#[test]")
            })
        })
    };
    let mut findings = Vec::new();
    for number in 1..=15 {
        let start = format!("| I{number} |");
        let Some(row) = text.lines().find(|line| line.starts_with(&start)) else {
            findings.push(format!("I{number} is not there"));
            continue;
        };
        let shown = row.trim_end_matches([' ', '|']).rsplit('|').next().unwrap();
        let tests: Vec<&str> = shown.split('`').skip(1).step_by(2).collect();
        let missing = tests.iter().filter(|name| !is_test(name));
        findings.extend(missing.map(|name| format!("I{number}: there is no test {name}")));
        findings.extend(tests.is_empty().then(|| format!("I{number} names no test")));
    }
    check("promises", findings);
}

#[test]
fn every_configuration_shown_loads() {
    let blocks = blocks("toml");
    assert!(!blocks.is_empty());
    for block in blocks {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("heptad.toml");
        std::fs::write(&file, &block).unwrap();
        // Else what commands made on this machine would count.
        let state = format!("[daemon]\nstate = {:?}\n", dir.path().join("state"));
        std::fs::create_dir(dir.path().join("conf.d")).unwrap();
        std::fs::write(dir.path().join("conf.d/state.toml"), state).unwrap();
        let mut heptad = Command::new(env!("CARGO_BIN_EXE_heptad"));
        let ran = heptad.args(["check", "--offline", "--config"]).arg(&file).output().unwrap();
        let said = String::from_utf8_lossy(&ran.stderr);
        assert!(ran.status.success(), "{block}\n{said}");
    }
}

#[test]
fn every_path_named_exists() {
    let places = ["config/", "src/", "systemd/", "tests/", ".ci/"];
    let code = code();
    let words = code.split(|c: char| c.is_whitespace() || "'\"()".contains(c));
    let named: BTreeSet<&str> =
        words.filter(|word| places.iter().any(|place| word.starts_with(place))).collect();
    assert!(named.contains("config/heptad.toml"), "{named:?}");
    // Of several the directory.
    let place = |path: &str| {
        root().join(
            path.split_once('*')
                .map_or(path, |(before, _)| before.rsplit_once('/').map_or(before, |(dir, _)| dir)),
        )
    };
    // NAME stands for any.
    let missing = named.iter().filter(|path| !path.contains("NAME") && !place(path).exists());
    check("paths", missing.map(|path| format!("{path} does not exist")).collect());
}

/// Without what is different each time.
fn evened(text: &str) -> String {
    let words = text.split_inclusive(|c: char| !(c.is_ascii_hexdigit() || c == '-'));
    words.map(|word| if is_uuid(word) { "UUID" } else { word }).collect()
}

fn is_uuid(word: &str) -> bool {
    word.len() >= 36 && word.matches('-').count() == 4 && word.is_char_boundary(36)
}

#[test]
fn what_the_readme_shows_is_what_the_programs_print() {
    let bin = Path::new(env!("CARGO_BIN_EXE_heptad")).parent().unwrap();
    let mut tour = Command::new("timeout");
    let tour = tour.args(["100", "tests/tour"]).arg(bin).current_dir(root()).output().unwrap();
    let said = String::from_utf8_lossy(&tour.stderr);
    assert!(tour.status.success(), "{said}");
    let printed = evened(&String::from_utf8(tour.stdout).unwrap());
    let mut findings = Vec::new();
    for block in blocks("console") {
        // Each command with what follows, up to the next one.
        for shown in format!("\n{block}").split("\n$ ").skip(1) {
            let shown = evened(&format!("$ {}", shown.trim_end()));
            if !printed.contains(&format!("{shown}\n\n")) {
                findings.push(format!("the programs do not print:\n{shown}"));
            }
        }
    }
    if !findings.is_empty() {
        findings.push(format!("they print:\n{printed}"));
    }
    check("transcripts", findings);
}

#[test]
fn the_readme_is_read_in_ten_minutes() {
    let lines = readme().lines().count();
    assert!(lines <= 250, "{lines} lines; what is long belongs into a topic of help");
}

/// What is typed has to be copied from a manual page of eighty columns; what is printed may go on
/// in the next line.
#[test]
fn what_is_typed_fits_into_one_line() {
    let mut findings = Vec::new();
    for topic in files("src/help", "md") {
        for block in topic.text.split("\n```").skip(1).step_by(2) {
            let (language, block) = block.split_once('\n').unwrap_or_default();
            let typed = |line: &&str| language != "console" || line.starts_with("$ ");
            let lines = block.lines().filter(|_| language != "text").filter(typed);
            let wide = lines.filter(|line| line.chars().count() > 68);
            findings.extend(wide.map(|line| format!("{}: {line}", topic.path)));
        }
    }
    check("too wide", findings);
}

/// What is in round brackets right behind square ones.
fn links(text: &str) -> Vec<&str> {
    let behind = text.split("](").skip(1);
    behind.filter_map(|rest| rest.split_once(')').map(|(to, _)| to)).collect()
}

#[test]
fn every_link_leads_to_a_file_and_every_file_of_help_is_a_topic() {
    let mut findings = Vec::new();
    let named: BTreeSet<String> =
        heptad::help::TOPICS.iter().map(|topic| format!("src/help/{}.md", topic.name)).collect();
    let topics = files("src/help", "md");
    let there: BTreeSet<String> = topics.iter().map(|topic| topic.path.clone()).collect();
    assert_eq!(named, there);
    for topic in &topics {
        let place = Path::new(&topic.path).parent().unwrap();
        let to = links(&topic.text).into_iter().map(|to| place.join(to).display().to_string());
        let lost = to.filter(|to| !named.contains(to));
        findings.extend(lost.map(|to| format!("{}: {to} is not a topic", topic.path)));
    }
    let readme = readme();
    let linked: BTreeSet<&str> = links(&readme).into_iter().collect();
    let lost = linked.iter().filter(|to| !root().join(to).exists());
    findings.extend(lost.map(|to| format!("README.md: {to} does not exist")));
    let missing = named.iter().filter(|topic| !linked.contains(topic.as_str()));
    findings.extend(missing.map(|topic| format!("README.md does not lead to {topic}")));
    check("links", findings);
}
