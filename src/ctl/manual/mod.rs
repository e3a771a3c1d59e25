//! What heptactl says about itself: texts, and nothing that does anything.

mod argument;
mod examples;
mod restore;

pub(super) use argument::argument;
pub(super) use restore::restore;

use crate::help::{Group, Manual, Meaning};

const GROUPS: &[Group] = &[
    (
        "Look",
        &[
            "status",
            "list",
            "show",
            "why",
            "forecast",
            "watch",
            "operations",
            "operation",
            "fee",
            "plans",
            "blueprints",
        ],
    ),
    (
        "Protect and take",
        &["protect", "take", "keep", "tag", "enable", "disable", "set-time", "reset"],
    ),
    ("Look into snapshots", &["browse", "get", "diff", "mount", "umount", "mounts"]),
    ("Restore", &["restore", "create", "rollback", "attach", "detach", "undelete"]),
    ("Repair and clear up", &["acknowledge", "cancel", "rotate", "delete", "forget"]),
    ("Configuration", &["check", "reload"]),
    ("Help", &["help", "man", "completions"]),
];

const EXIT: &[Meaning] = &[
    ("0", "done"),
    ("1", "heptad refused, an operation failed, or you answered no"),
    ("2", "the command line is wrong, or a confirmation is missing"),
    ("3", "heptad cannot be reached"),
    ("4", "no permission"),
    ("5", "status only: something is in alarm"),
    ("6", "diff --exit-code only: the snapshots differ"),
    ("130", "Ctrl-C while waiting; the operation goes on"),
];

const ENVIRONMENT: &[Meaning] = &[
    ("HEPTAD_SOCKET", "The socket of heptad, unless --socket names one."),
    ("XDG_RUNTIME_DIR", "Below it is the socket of a heptad of your own."),
    ("TZ", "The time zone in which times are shown; without it, that of /etc/localtime."),
    ("NO_COLOR", "If it is set, nothing is coloured unless --color says so."),
    ("LC_ALL, LC_CTYPE, LANG", "Whether the terminal shows UTF-8."),
];

const FILES: &[Meaning] = &[
    ("/run/heptad/heptad.sock", "The socket of the system's heptad."),
    ("$XDG_RUNTIME_DIR/heptad/heptad.sock", "The socket of your own heptad; it is asked first."),
    (
        "/etc/heptad/heptad.toml, /etc/heptad/conf.d/*.toml",
        "The configuration of the system's heptad.",
    ),
];

const NOTES: &[&str] = &[
    "The socket is the one of --socket, of HEPTAD_SOCKET, or the one of your own daemon \
     ($XDG_RUNTIME_DIR/heptad/heptad.sock) if that exists, or /run/heptad/heptad.sock.",
    "A SNAPSHOT is a manual snapshot's name, RESOURCE@DATE (web-1@2026-11-22) or RESOURCE@latest.",
];

pub const MANUAL: Manual = Manual {
    section: "1",
    groups: GROUPS,
    examples: examples::of,
    exit: EXIT,
    environment: ENVIRONMENT,
    files: FILES,
    see_also: &["heptad(8)"],
    notes: NOTES,
    has_topics: false,
};

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn each_command_stands_in_one_group_and_has_an_example_that_can_be_read() {
        let grouped: Vec<&str> =
            GROUPS.iter().flat_map(|(_, names)| names.iter().copied()).collect();
        let tree = crate::ctl::command();
        let shown = tree.get_subcommands().filter(|sub| !sub.is_hide_set());
        let mut known: BTreeSet<String> = shown.map(|sub| sub.get_name().into()).collect();
        known.insert("help".into());
        assert_eq!(grouped.len(), grouped.iter().collect::<BTreeSet<_>>().len());
        assert_eq!(grouped.iter().map(|name| (*name).into()).collect::<BTreeSet<String>>(), known);
        for name in known.iter().map(String::as_str).filter(|name| *name != "help").chain([""]) {
            let examples = examples::of(name);
            assert!(!examples.is_empty(), "{name} has an example");
            for (line, _) in examples {
                let words = line.split(" > ").next().unwrap_or(line).split(" | ").next();
                let words = words.unwrap_or(line).split_whitespace();
                let read = crate::ctl::command().try_get_matches_from(words);
                let is_help = read.as_ref().is_err_and(|error| !error.use_stderr());
                assert!(read.is_ok() || is_help, "{line}: {read:?}");
                assert!(line.len() <= 78, "{line}");
            }
        }
    }
}
