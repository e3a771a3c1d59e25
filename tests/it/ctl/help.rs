//! What people read when they ask for help, and words that nobody should have to read.

use super::{Daemon, Ran, Script, Start, facts, golden};
use crate::support::source::{files, root};
use heptad::api::wire::{Newest, Origin, Resource};
use heptad::ctl::render::text;

fn offline(line: &str) -> Ran {
    Start::socket("/nonexistent/heptad.sock".into()).ctl(line)
}

/// The help of both programs and of each of their commands.
fn helps() -> Vec<(String, String)> {
    let mut all = Vec::new();
    for program in [heptad::ctl::command(), heptad::daemon::cli::command()] {
        let mut program = program;
        program.build();
        all.push((program.get_name().to_owned(), program.render_long_help().to_string()));
        let name = program.get_name().to_owned();
        for command in program.get_subcommands_mut().filter(|command| !command.is_hide_set()) {
            if command.get_name() != "help" {
                let called = format!("{name} {}", command.get_name());
                all.push((called.clone(), command.render_long_help().to_string()));
                all.push((called, command.render_help().to_string()));
            }
        }
    }
    all
}

#[test]
fn every_help_has_examples_and_fits_eighty_columns() {
    let all = helps();
    assert!(all.len() > 80, "{}", all.len());
    for (called, help) in all {
        assert!(help.contains("\nExamples:\n"), "{called}: {help}");
        let wide: Vec<&str> = help.lines().filter(|line| text::width(line) > 80).collect();
        assert!(wide.is_empty(), "{called}: {wide:#?}");
    }
}

#[test]
fn help_is_a_command_too_and_names_every_other_one_in_its_group() {
    let all = offline("help");
    assert_eq!((all.code, all.err.as_str()), (0, ""));
    assert_eq!(all.out, offline("--help").out);
    for title in ["Look:", "Protect and take:", "Restore:", "Repair and clear up:", "Options:"] {
        assert!(all.out.contains(&format!("\n{title}\n")), "{title}: {}", all.out);
    }
    assert_eq!(offline("help take").out, offline("take --help").out);
    let slip = offline("help tkae");
    assert_eq!(slip.code, 2);
    assert!(slip.err.contains("'tkae'"), "{}", slip.err);
    assert!(slip.err.contains("similar subcommand") && slip.err.contains("'take'"), "{}", slip.err);
    assert_eq!(slip.err, offline("tkae").err);
    assert!(!offline("help zzzzzz").err.contains("similar"));
    let args = ["heptad", "help", "chek"].map(Into::into);
    let slip = heptad::help::parse(&heptad::daemon::cli::command(), &args).unwrap_err();
    assert!(slip.to_string().contains("'check'"), "{slip}");
}

/// What both programs print for a topic.
fn shown(topic: &str) -> [(String, String); 2] {
    [heptad::ctl::command(), heptad::daemon::cli::command()].map(|command| {
        let args = [command.get_name(), "help", topic].map(Into::into);
        let shown = heptad::help::parse(&command, &args).unwrap_err();
        assert_eq!(shown.exit_code(), 0, "{topic}: {shown}");
        (command.get_name().to_owned(), shown.to_string())
    })
}

#[test]
fn both_programs_show_every_topic_in_eighty_columns() {
    let mut wide = Vec::new();
    for topic in heptad::help::TOPICS {
        for (program, shown) in shown(topic.name) {
            assert!(shown.contains(&format!("{}\n===", topic.title())), "{shown}");
            assert!(!shown.contains("]("), "{}: {shown}", topic.name);
            let lines = shown.lines().filter(|line| text::width(line) > 80);
            wide.extend(lines.map(|line| format!("{program} {}: {line}", topic.name)));
        }
    }
    assert!(wide.is_empty(), "{wide:#?}");
}

#[test]
fn a_topic_is_listed_guessed_at_and_comes_below_a_command_of_its_name() {
    for program in [heptad::ctl::command(), heptad::daemon::cli::command()] {
        let all = program.clone().render_long_help().to_string();
        for topic in heptad::help::TOPICS {
            let line = format!("\n  {:14}{}\n", topic.name, topic.title());
            assert!(all.contains(&line), "{line}{all}");
        }
        let name = program.get_name();
        for line in [&["help", "recvoery"][..], &["recovery"]] {
            let args = std::iter::once(&name).chain(line).map(Into::into).collect::<Vec<_>>();
            let slip = heptad::help::parse(&program, &args).unwrap_err();
            assert_eq!(slip.exit_code(), 2);
            assert!(slip.to_string().contains(&format!("{name} help recovery")), "{slip}");
        }
    }
    let both = offline("help rollback").out;
    assert!(both.starts_with(offline("rollback --help").out.trim_end()), "{both}");
    assert!(both.contains("`heptactl help security`"), "{both}");
    assert!(both.ends_with(".\n"), "{both}");
}

/// What a manual page says, as a person reads it there.
fn read_page(path: &std::path::Path) -> String {
    let mut groff = std::process::Command::new("groff");
    let groff = groff.args(["-man", "-Tutf8", "-ww", "-rLL=78n", "-P-cbou"]).arg(path);
    let read = groff.output().unwrap();
    let complaints = String::from_utf8_lossy(&read.stderr);
    assert!(read.status.success() && complaints.is_empty(), "{}: {complaints}", path.display());
    String::from_utf8(read.stdout).unwrap()
}

#[test]
fn every_topic_is_a_manual_page_that_fits_and_that_heptad_names() {
    let dir = tempfile::tempdir().unwrap();
    let (command, manual) = (heptad::daemon::cli::command(), heptad::daemon::cli::manual());
    heptad::ctl::write_pages(command, manual, dir.path()).unwrap();
    let top = read_page(&dir.path().join("man8/heptad.8"));
    let top: String = top.split_whitespace().collect();
    for topic in heptad::help::TOPICS {
        let (name, section) = (topic.page_name(), topic.section);
        let page = read_page(&dir.path().join(format!("man{section}/{name}.{section}")));
        assert!(page.contains(topic.title()), "{name}: {page}");
        assert!(!page.contains("]("), "{name}: {page}");
        let wide: Vec<&str> = page.lines().filter(|line| text::width(line) > 80).collect();
        assert!(wide.is_empty(), "{name}: {wide:#?}");
        assert!(top.contains(&format!("{name}({section})")), "{name}: {top}");
    }
}

#[test]
fn restore_leads_to_what_does_it() {
    let newest = |snapshot: &str, origin| Newest {
        snapshot: snapshot.into(),
        origin,
        taken_at: facts::now(),
    };
    let by_hand = facts::detail(Resource {
        name: "new".into(),
        newest: Some(newest("opening", Origin::Manual)),
        ..facts::home()
    });
    let bare = facts::detail(Resource { name: "bare".into(), newest: None, ..facts::home() });
    let script = Script::default()
        .on("GET /v1/resources/new", &by_hand)
        .refuse("GET /v1/snapshots/new", 404, "no-such-snapshot", "there is none", "")
        .on("GET /v1/resources/bare", &bare)
        .refuse("GET /v1/snapshots/bare", 404, "no-such-snapshot", "there is none", "")
        .refuse("GET /v1/resources/nope", 404, "no-such-resource", "there is none", "")
        .refuse("GET /v1/snapshots/nope", 404, "no-such-snapshot", "there is none", "")
        .refuse("GET /v1/resources/opening", 404, "no-such-resource", "there is none", "")
        .on("GET /v1/snapshots/opening", &facts::snapshot("opening", 1, "22T09:00:00"))
        .on(
            "GET /v1/snapshots/home@latest",
            &facts::snapshot("home@2026-11-21", 21, "21T14:00:02"),
        );
    let daemon = Daemon::start(script);
    let start = Start::at(&daemon);
    golden("restore", &start, "restore");
    golden("restore-of-one", &start, "restore new");
    golden("restore-of-none", &start, "restore bare");
    golden("restore-of-a-snapshot", &start, "restore home@latest");
    golden("restore-of-one-by-hand", &start, "restore opening");
    assert_eq!(start.ctl("restore nope").code, 1);
    // The words are of use without a daemon as well.
    assert_eq!(offline("restore home").code, 0);
}

#[test]
fn every_argument_says_what_it_is() {
    let all = heptad::ctl::command();
    let shown = |arg: &&clap::Arg| arg.get_help().is_none() && !arg.is_hide_set();
    for command in all.get_subcommands() {
        let bare: Vec<_> = command.get_arguments().filter(shown).map(clap::Arg::get_id).collect();
        assert!(bare.is_empty(), "{}: {bare:?}", command.get_name());
    }
}

#[test]
fn every_manual_page_has_what_such_a_page_has() {
    let dir = tempfile::tempdir().unwrap();
    let ctl = (heptad::ctl::command(), &heptad::ctl::MANUAL, "1");
    let daemon = (heptad::daemon::cli::command(), heptad::daemon::cli::manual(), "8");
    for (command, manual, section) in [ctl, daemon] {
        for path in heptad::ctl::write_pages(command, manual, dir.path()).unwrap() {
            let name = path.file_name().unwrap().to_str().unwrap();
            if heptad::help::TOPICS.iter().any(|topic| name.starts_with(&topic.page_name())) {
                continue;
            }
            let page = std::fs::read_to_string(&path).unwrap();
            assert!(name.ends_with(&format!(".{section}")), "{name}");
            for title in [
                "NAME",
                "SYNOPSIS",
                "EXAMPLES",
                "EXIT STATUS",
                "ENVIRONMENT",
                "FILES",
                "\"SEE ALSO\"",
            ] {
                assert!(page.contains(&format!("\n.SH {title}\n")), "{name}: {title}: {page}");
            }
            let mut groff = std::process::Command::new("groff");
            let read = groff.args(["-man", "-Tutf8", "-ww", "-z"]).arg(&path).output().unwrap();
            assert!(read.status.success() && read.stderr.is_empty(), "{name}: {read:?}");
        }
    }
}

/// Routes, fault words and numbers are for programs; the rest are slips of a text that was put
/// together.
#[test]
fn what_people_read_has_nothing_in_it_that_is_for_programs() {
    let mut texts = helps();
    let transcripts = std::fs::read_dir(root().join("tests/data/ctl")).unwrap();
    texts.extend(transcripts.map(|entry| {
        let path = entry.unwrap().path();
        (path.display().to_string(), std::fs::read_to_string(&path).unwrap())
    }));
    texts.push(("README.md".into(), std::fs::read_to_string(root().join("README.md")).unwrap()));
    texts.extend(files("src/help", "md").into_iter().map(|topic| (topic.path, topic.text)));
    // In the sources only what is between quotes, so that comments may speak of it.
    for source in files("src", "rs") {
        let code = source.text.split("#[cfg(test)]").next().unwrap_or_default();
        let lines = code.lines().filter(|line| !line.trim_start().starts_with("//"));
        let quoted: Vec<&str> = lines.filter(|line| line.contains('"')).collect();
        texts.push((source.path.clone(), quoted.join("\n")));
    }
    let never = [
        "(GET /",
        "(POST /",
        "(PUT /",
        "(DELETE /",
        "(permanent)",
        "(transient)",
        "(no-space)",
        "(os error 1",
        "(os error 2",
        " a instance",
        " 1 snapshots",
        " 1 resources",
        "1 manual snapshot stay.",
        ", or;",
        "xHH for a byte that is no text",
    ];
    for (place, text) in texts {
        for slip in never {
            assert!(!text.contains(slip), "{place}: {slip}");
        }
        let is_help = place.starts_with("hepta");
        assert!(!(is_help && text.contains("\\\\x")), "{place}: a doubled backslash");
    }
}

#[test]
fn a_time_of_one_digit_is_a_time() {
    let accepted = heptad::api::wire::Accepted {
        operation: super::facts::operation(402, "set-time", None),
        schedule: Some(super::facts::schedule(None)),
    };
    let script = Script::default()
        .on("PUT /v1/resources/home/time", &accepted)
        .on("GET /v1/resources/home", &super::facts::detail(super::facts::home()));
    let daemon = super::Daemon::start(script);
    assert_eq!(Start::at(&daemon).ctl("set-time home 3:30").code, 0);
    let asked = daemon.asked();
    assert_eq!(asked[0].1["time"], "03:30", "{asked:?}");
}
