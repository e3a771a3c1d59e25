//! The one table of keys. The checker reads names and ranges here; the reference file, the manual
//! page and the schema are printed from it. The options of a backend are in that backend's folder.

use super::table::{Group, Keys, Table, plain};
use crate::domain::setting::{Setting, Shape};

const fn table(name: &'static str) -> Setting {
    Setting::new(name, Shape::Table, "")
}

/// What may stand at the top.
pub(super) const ROOT: Keys = &[plain(&[
    table("daemon"),
    table("fee"),
    table("plan"),
    table("blueprint"),
    table("defaults"),
    table("resource"),
])];

/// In the order of the reference file.
pub(super) const TABLES: &[Table] = &[
    Table {
        path: "daemon",
        sample: "daemon",
        about: "The daemon itself. Changes here, except of log, need a restart.",
        keys: DAEMON,
        more: "",
    },
    Table {
        path: "fee",
        sample: "fee",
        about: "What \"heptactl fee\" reckons with. It pays nobody: it shows what the snapshots \
                of this host take up over time, in money. Billed is what all snapshots of a \
                resource occupy together, where the backend can tell that; else, of each \
                snapshot, the bytes that nothing else shares, or its logical size. A GB-month is \
                1,000,000,000 bytes for 730 hours; hours in which heptad does not run are not \
                counted.",
        keys: FEE,
        more: "",
    },
    Table {
        path: "plan.NAME",
        sample: "plan.nano",
        about: "Plans: the sizes that an instance or a database can have. There are none but \
                those declared here; \"heptactl plans\" lists them. What is created from a \
                snapshot has the same plan or a larger one: at least as many vCPUs, as much \
                memory and as much disk. These are like Lightsail's for Linux, with prices in \
                USD; uncomment them, or write what fits this host.",
        keys: PLAN,
        more: include_str!("samples/plans.toml"),
    },
    Table {
        path: "blueprint.NAME",
        sample: "blueprint.debian-12",
        about: "Blueprints: what instances and databases were made from; \"heptactl blueprints\" \
                lists them. An empty table is enough.",
        keys: BLUEPRINT,
        more: include_str!("samples/blueprints.toml"),
    },
    Table {
        path: "defaults",
        sample: "defaults",
        about: "The policy of every resource that does not say otherwise.",
        keys: DEFAULTS,
        more: "",
    },
    Table {
        path: "resource.NAME",
        sample: "resource.home",
        about: "One table for each resource. Its name has 2 to 255 letters, digits, \".\", \"_\" \
                and \"-\", with a letter or digit at both ends; a name with a dot in it is \
                quoted: [resource.\"web.2\"].",
        keys: RESOURCE,
        more: include_str!("samples/resources.toml"),
    },
];

pub(super) const DAEMON: Keys = &[plain(&[
    Setting::new(
        "socket",
        Shape::Path,
        "The control socket; an absolute path of at most 107 bytes. HEPTAD_SOCKET in the \
         environment wins. Without root: $XDG_RUNTIME_DIR/heptad/heptad.sock.",
    )
    .default("\"/run/heptad/heptad.sock\""),
    Setting::new(
        "state",
        Shape::Path,
        "Where the catalogue is, and the snapshots of backends that have no place of their own. \
         HEPTAD_STATE in the environment wins. Without root: $XDG_STATE_HOME/heptad.",
    )
    .default("\"/var/lib/heptad\""),
    Setting::new("admin_group", Shape::Text, "Members of this group may do everything.")
        .default("\"heptad-admin\""),
    Setting::new(
        "group",
        Shape::Text,
        "Members of this group may look, take, keep, tag, enable, disable and change times.",
    )
    .default("\"heptad\""),
    Setting::new(
        "log",
        Shape::Text,
        "What is logged: off, error, warn, info, debug or trace, or a list such as \
         \"info,heptad::api=debug\". HEPTAD_LOG in the environment wins.",
    )
    .default("\"info\""),
])];

/// Beyond it a price is a slip of the finger rather than a wish.
const PRICE: Shape = Shape::Decimal(0.0, 1_000_000.0);

pub(super) const FEE: Keys = &[plain(&[
    Setting::new(
        "price",
        PRICE,
        "The price of a GB-month. What is built in is Lightsail's, in USD.",
    )
    .default("0.05"),
    Setting::new("currency", Shape::Text, "What stands behind amounts: up to 8 characters.")
        .default("\"USD\""),
])];

const SIZE: &str = "A size: a number with KiB, MiB, GiB, TiB (powers of 1024) or KB, MB, GB, TB (powers \
                    of 1000), or a number of bytes.";

/// Linux is built for at most that many processors.
const PROCESSORS: Shape = Shape::Whole(1, 8192);

pub(super) const PLAN: Keys = &[plain(&[
    Setting::new("vcpus", PROCESSORS, "How many processors.").example("2"),
    Setting::new("memory", Shape::Size, SIZE).example("\"512 MiB\""),
    Setting::new("disk", Shape::Size, SIZE).example("\"20 GiB\""),
    Setting::new(
        "price",
        PRICE,
        "Per month, in the currency of [fee]. It is only shown, and may be left out.",
    )
    .example("5"),
])];

pub(super) const BLUEPRINT: Keys = &[plain(&[
    Setting::new("description", Shape::Text, "For a person: one line of up to 256 characters.")
        .example("\"Debian 12\""),
    Setting::new(
        "export",
        Shape::Flag,
        "false: snapshots of what was made from it may not be exported. Lightsail has it so for \
         Ghost, Django and cPanel & WHM.",
    )
    .default("true"),
])];

pub(super) const DEFAULTS: Keys = &[plain(POLICY)];

const KEEP: Shape = Shape::Whole(1, 10_000);
const TIER: Shape = Shape::Whole(0, 10_000);

const POLICY: &[Setting] = &[
    Setting::new(
        "time",
        Shape::Time,
        "The time of day for the automatic snapshot, HH:MM from 00:00 to 23:59.",
    )
    .default("\"06:00\"")
    .example("\"03:30\""),
    Setting::new(
        "cron",
        Shape::Text,
        "Another rhythm, instead of time: five fields (minute, hour, day of the month, month, \
         weekday by name) or @hourly, @daily, @weekly, @monthly, @yearly.",
    )
    .example("\"15 * * * *\"")
    .instead_of("time"),
    Setting::new(
        "timezone",
        Shape::Text,
        "The time zone of time and cron: an IANA name. A time that the change to summer time \
         skips runs right after the gap; one that occurs twice runs the first time. A cron \
         expression that names no hours (\"*\" or \"*/2\") runs in the repeated hour as well.",
    )
    .default("\"UTC\"")
    .example("\"Europe/Berlin\""),
    Setting::new(
        "spread",
        Shape::Duration,
        "Spreads resources that share a time: each waits for a fixed part of this duration, \
         derived from its name. Written \"90s\", \"45min\", \"2h\" or \"1h30min\"; less than \
         \"24h\".",
    )
    .default("\"0s\"")
    .example("\"45min\""),
    Setting::new(
        "keep",
        KEEP,
        "How many of the newest automatic snapshots stay. Lowered, two go into the trash for \
         each new one that comes.",
    )
    .default("7"),
    Setting::new("weekly", TIER, TIERS).default("0").example("4"),
    Setting::new("monthly", TIER, TIERS).default("0").example("12"),
    Setting::new("yearly", TIER, TIERS).default("0").example("2"),
    Setting::new(
        "enabled",
        Shape::Flag,
        "false: no automatic snapshots are taken; those that exist stay.",
    )
    .default("true"),
];

const TIERS: &str = "Longer tiers: beside the newest, one snapshot each for so many weeks, \
                     months and years.";

pub(super) const RESOURCE: Keys = &[
    plain(&[Setting::new(
        "kind",
        Shape::Words(&["instance", "disk", "database"]),
        "What it is. Without it, what its backend makes of it: postgres and sqlite a database, a \
         domain of libvirt an instance, everything else a disk.",
    )
    .example("\"disk\"")]),
    Group {
        about: "Its own policy, with the keys of [defaults]; these win.",
        settings: POLICY,
        is_shown: true,
        more: "",
    },
    Group {
        about: "",
        settings: &[
            Setting::new(
                "plan",
                Shape::Text,
                "Its size: the name of a plan that has a table. A disk has none.",
            )
            .example("\"small\""),
            Setting::new(
                "blueprint",
                Shape::Text,
                "What it was made from: the name of a blueprint that has a table. A disk has none.",
            )
            .example("\"ghost\""),
        ],
        is_shown: false,
        more: "",
    },
    Group {
        about: "",
        settings: &[Setting::new(
            "tags",
            Shape::Pairs,
            "Up to 50 tags: keys of 1 to 128 characters, not beginning with \"aws:\", values of \
             up to 256. Named snapshots inherit them. `heptactl tag` changes them, and those of \
             snapshots.",
        )
        .example("{ team = \"web\", cost = \"4711\" }")],
        is_shown: true,
        more: include_str!("samples/backend.toml"),
    },
    plain(&[
        Setting::new(
            "before",
            Shape::Tables(HOOK_LIMIT, HOOK),
            "Programs to run before a snapshot, in this order; up to 16.",
        ),
        Setting::new(
            "after",
            Shape::Tables(HOOK_LIMIT, AFTER),
            "Programs to run after the snapshot, in reverse order, whatever became of it. The \
             same keys, without on_failure.",
        ),
    ]),
];

/// Hooks in one list.
pub(super) const HOOK_LIMIT: u32 = 16;
/// Arguments of one hook.
pub(super) const ARGUMENT_LIMIT: u32 = 64;

const PROGRAM: Setting = Setting::new(
    "program",
    Shape::Path,
    "The program: an absolute path, owned by root. It runs without a shell.",
)
.example("\"/usr/local/libexec/quiesce\"")
.required();

const ARGS: Setting =
    Setting::new("args", Shape::Texts(ARGUMENT_LIMIT), "Its arguments, one text each; up to 64.")
        .default("[]")
        .example("[\"--database\", \"shop\"]");

const TIMEOUT: Setting =
    Setting::new("timeout", Shape::Duration, "How long it may run, \"1s\" to \"1h\".")
        .default("\"30s\"");

const HOOK: &[Setting] = &[
    PROGRAM,
    ARGS,
    TIMEOUT,
    Setting::new(
        "on_failure",
        Shape::Words(&["fail", "ignore"]),
        "What its failure does to the snapshot.",
    )
    .default("\"fail\""),
];

const AFTER: &[Setting] = &[PROGRAM.example("\"/usr/local/libexec/resume\""), ARGS, TIMEOUT];

/// The keys of one hook. One that stands where it may not is told so by its reader.
pub(super) const HOOKS: Keys = &[plain(HOOK)];
