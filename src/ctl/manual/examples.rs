//! One or more lines for each command, as they are typed, and what they are for.

use crate::help::Example;

/// Of a command; of heptactl itself by an empty name.
pub(super) fn of(command: &str) -> &'static [Example] {
    let found = ALL.iter().find(|(name, _)| *name == command);
    found.map_or(&[], |(_, examples)| examples)
}

const ALL: &[(&str, &[Example])] = &[
    (
        "",
        &[
            ("heptactl protect /srv/www --time 03:30", "put a directory under protection"),
            ("heptactl status", "see whether all is well"),
            ("heptactl restore", "learn the ways to get something back"),
            ("heptactl help take", "read more about a command"),
        ],
    ),
    (
        "status",
        &[
            ("heptactl status", "all resources, those in alarm first"),
            ("heptactl status www", "one of them in full"),
            ("heptactl status --quiet", "only what is in alarm, for a job that sends mail"),
        ],
    ),
    (
        "list",
        &[
            ("heptactl list www", "the snapshots of a resource"),
            ("heptactl list --origin manual", "those that nothing but you deletes"),
            ("heptactl list --all", "also those in the trash"),
        ],
    ),
    (
        "show",
        &[
            ("heptactl show www", "a resource, with what became of its last slots"),
            ("heptactl show www@latest", "a snapshot, with all its notes and its size"),
        ],
    ),
    (
        "browse",
        &[
            ("heptactl browse www@latest", "the top directory of a snapshot"),
            ("heptactl browse www@2026-11-22 /etc/ssh", "a directory in it"),
        ],
    ),
    (
        "get",
        &[
            ("heptactl get www@latest etc/hosts", "one file, into the present directory"),
            ("heptactl get www@latest etc/hosts -o -", "the same, to standard output"),
            ("heptactl get www@latest etc -o /tmp/etc", "a directory, with all that is in it"),
            ("heptactl get www@latest / -o - > www.tar", "all of it, as a tar stream"),
            (
                "heptactl get www@latest index.html -o /srv/www --force",
                "replace the one that is there",
            ),
        ],
    ),
    (
        "diff",
        &[
            ("heptactl diff www@2026-11-22 www@latest", "what changed since that day"),
            ("heptactl diff before www@latest etc --exit-code", "ask whether anything in etc did"),
        ],
    ),
    (
        "mount",
        &[("heptactl mount www@latest /mnt", "look around in a snapshot with all your tools")],
    ),
    ("umount", &[("heptactl umount /mnt", "end that again")]),
    ("mounts", &[("heptactl mounts", "see what is mounted where")]),
    (
        "protect",
        &[
            (
                "heptactl protect /srv/www --time 03:30",
                "a directory, a subvolume, a file or a database",
            ),
            ("heptactl protect web-1 --take first", "a guest of libvirt, with a snapshot at once"),
            ("heptactl protect /srv/shop --dry-run", "only see what heptad would make of it"),
        ],
    ),
    (
        "take",
        &[
            ("heptactl take www before-upgrade", "a snapshot that stays until you delete it"),
            ("heptactl take www before-upgrade --tag why=upgrade", "the same, with a tag"),
            ("heptactl take web-1 root --system-disk", "the system disk of an instance alone"),
        ],
    ),
    ("keep", &[("heptactl keep www@latest last-good-one", "save one from the rotation")]),
    (
        "tag",
        &[
            ("heptactl tag www team=web", "set a tag of a resource"),
            ("heptactl tag before-upgrade --remove why", "take one off a snapshot"),
        ],
    ),
    (
        "enable",
        &[
            ("heptactl enable www", "go on with automatic snapshots"),
            ("heptactl enable www --time 03:30", "the same, at this time of day"),
        ],
    ),
    ("disable", &[("heptactl disable www", "take none until they are enabled again")]),
    ("set-time", &[("heptactl set-time www 3:30", "take them at half past three from now on")]),
    ("reset", &[("heptactl reset www", "let the configuration decide again")]),
    (
        "restore",
        &[
            ("heptactl restore", "the ways to get something back"),
            ("heptactl restore www", "the same, written for one resource"),
        ],
    ),
    (
        "create",
        &[
            ("heptactl create www-old --from www@2026-11-22", "a copy beside the original"),
            ("heptactl create www-old --from www@latest --path /mnt/old", "the same, elsewhere"),
            ("heptactl create db2 --from db@latest --port 5433", "a second database server"),
            (
                "heptactl create web-2 --from web-1@latest --plan large",
                "an instance that is larger",
            ),
        ],
    ),
    (
        "rollback",
        &[
            ("heptactl rollback www --to www@2026-11-22", "have the state of that day again"),
            ("heptactl rollback www --to before-upgrade --yes", "the same without a question"),
        ],
    ),
    ("attach", &[("heptactl attach rescue web-2", "give an instance a disk")]),
    ("detach", &[("heptactl detach rescue web-2", "take it back")]),
    (
        "delete",
        &[
            ("heptactl delete before-upgrade", "put a snapshot into the trash"),
            ("heptactl delete old older --now --yes", "destroy two at once, unasked"),
        ],
    ),
    ("undelete", &[("heptactl undelete before-upgrade", "take it out of the trash")]),
    (
        "forecast",
        &[
            ("heptactl forecast www", "what comes and goes in the next days"),
            ("heptactl forecast --days 30", "the same for all resources and a month"),
        ],
    ),
    (
        "fee",
        &[
            ("heptactl fee", "what all snapshots occupy and cost"),
            ("heptactl fee www --month 2026-10", "those of a resource, in another month"),
        ],
    ),
    ("plans", &[("heptactl plans", "what --plan may be")]),
    ("blueprints", &[("heptactl blueprints", "what instances and databases were made from")]),
    (
        "why",
        &[
            ("heptactl why www", "what became of today's snapshot"),
            ("heptactl why www 2026-11-22", "the same of another day"),
        ],
    ),
    (
        "watch",
        &[
            ("heptactl watch", "see what happens while you work"),
            ("heptactl watch --json", "the same for a program, one change a line"),
        ],
    ),
    (
        "operations",
        &[
            ("heptactl operations www --limit 5", "the last ones of a resource"),
            ("heptactl operations --open", "those that wait or run"),
        ],
    ),
    (
        "operation",
        &[
            ("heptactl operation 402", "how it ended, and what its programs printed"),
            ("heptactl operation 402 --wait", "wait for its end; exit code 1 if it fails"),
        ],
    ),
    (
        "cancel",
        &[
            ("heptactl cancel 402", "stop it, or take it back before it begins"),
            ("heptactl cancel 402 --no-wait", "without waiting for what comes of that"),
        ],
    ),
    ("acknowledge", &[("heptactl acknowledge www", "a change is intended: rotation goes on")]),
    (
        "forget",
        &[
            ("heptactl forget www", "end the protection; its snapshots stay"),
            ("heptactl forget www --automatic trash", "the automatic ones go into the trash"),
            ("heptactl forget db --final db-at-the-end", "take a last snapshot before"),
        ],
    ),
    ("rotate", &[("heptactl rotate www", "drop now what is beyond a lowered keep")]),
    ("reload", &[("heptactl reload", "after a change of the configuration")]),
    ("check", &[("heptactl check", "before that: find what is wrong with it")]),
    (
        "completions",
        &[("heptactl completions bash > /etc/bash_completion.d/heptactl", "let Tab complete")],
    ),
    (
        "man",
        &[
            ("heptactl man --out /usr/local/share/man", "write all manual pages"),
            ("heptactl man | man -l -", "read the first of them now"),
        ],
    ),
];
