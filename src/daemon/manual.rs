//! What heptad says about itself, in its help and its manual pages.

use crate::help::{Example, Manual, Meaning};

const EXIT: &[Meaning] = &[
    ("0", "done; of check: nothing wrong"),
    ("1", "it failed, and why is on standard error; of check: there are findings"),
    ("2", "the command line is wrong"),
    ("75", "another heptad runs with this state directory"),
    ("78", "the configuration cannot be loaded; `heptad check` lists everything"),
];

const ENVIRONMENT: &[Meaning] = &[
    (
        "HEPTAD_SOCKET, HEPTAD_STATE, HEPTAD_LOG",
        "Instead of what [daemon] of the configuration has.",
    ),
    (
        "XDG_CONFIG_HOME, XDG_STATE_HOME, XDG_RUNTIME_DIR, HOME",
        "Without root: where configuration, state and socket are.",
    ),
    ("NO_COLOR", "If it is set, nothing is coloured."),
];

const FILES: &[Meaning] = &[
    ("/etc/heptad/heptad.toml", "The configuration, with every setting explained."),
    ("/etc/heptad/conf.d/*.toml", "More of it, in the order of the names."),
    ("/var/lib/heptad", "The catalogue, resources declared by commands, and the default store."),
    ("/run/heptad/heptad.sock", "The control socket."),
    ("/usr/share/heptad/*.conf", "Drop-ins for the unit, each for what only some need."),
    ("~/.config/heptad, ~/.local/state/heptad", "The same without root."),
];

pub(super) const MANUAL: Manual = Manual {
    section: "8",
    groups: &[],
    examples: of,
    exit: EXIT,
    environment: ENVIRONMENT,
    files: FILES,
    see_also: &["heptactl(1)", "systemd.unit(5)"],
    notes: &["heptactl controls a running heptad."],
    has_topics: true,
};

fn of(command: &str) -> &'static [Example] {
    match command {
        "" => &[
            ("heptad demo", "see what it does, without root and without touching your files"),
            ("heptad check", "look for faults before a start"),
            ("heptad run", "run it in the foreground"),
        ],
        "run" => &[
            ("heptad run", "serve until Ctrl-C, as systemd starts it"),
            ("heptad run --config /tmp/try/heptad.toml", "the same with another configuration"),
        ],
        "check" => &[("heptad check && systemctl reload heptad", "load only what is in order")],
        "rebuild" => &[(
            "systemctl stop heptad.socket heptad && heptad rebuild && systemctl start heptad.socket heptad",
            "make the catalogue anew from what lies beside the snapshots",
        )],
        "simulate" => &[("heptad simulate --days 365", "live through a year of power cuts")],
        "demo" => &[("heptad demo --stay", "see it, then play with it")],
        "ctl" => &[("heptad ctl status", "the same as heptactl status")],
        "schema" => &[(
            "heptad schema > /usr/share/heptad/heptad.schema.json",
            "let an editor complete the configuration",
        )],
        "man" => &[("heptad man --out /usr/local/share/man", "write all manual pages")],
        _ => &[],
    }
}
