//! The command line.

use super::values::{Color, Leftovers, Origin, RetagArgs, TagArgs, disk, time_of_day};
use crate::api::wire::Size;
use clap::{Args, Parser, Subcommand};
use clap_complete::Shell;
use std::ffi::OsString;
use std::path::PathBuf;

/// Look at and change what heptad does: daily snapshots of this host's disks, databases and
/// virtual machines, of which the latest seven stay.
#[derive(Debug, Parser)]
#[command(name = "heptactl", version)]
pub(super) struct Cli {
    #[command(flatten)]
    pub global: Global,
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Clone, Debug, Args)]
#[command(next_display_order = 100)]
pub(super) struct Global {
    /// Talk to the daemon at this socket
    #[arg(long, global = true, value_name = "PATH")]
    pub socket: Option<PathBuf>,
    /// Print heptad's answer as JSON
    #[arg(long, global = true)]
    pub json: bool,
    /// Do not wait for the end of long work
    #[arg(long, global = true)]
    pub no_wait: bool,
    /// When to use colour; auto: on a terminal, unless NO_COLOR is set
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto")]
    pub color: Color,
    /// Show times in UTC; without it, in the zone of TZ or of this host
    #[arg(long, global = true)]
    pub utc: bool,
    /// No progress, no word on success; of status only what is in alarm
    #[arg(short, long, global = true)]
    pub quiet: bool,
}

/// What shall be protected.
#[derive(Clone, Debug, Args)]
pub(super) struct ProtectArgs {
    /// A directory, a file, or the name of a guest of libvirt; ./NAME if both are there
    #[arg(value_name = "PATH|GUEST", value_hint = clap::ValueHint::AnyPath)]
    pub what: PathBuf,
    /// What it is called; without it, a name is made from the path
    #[arg(long)]
    pub name: Option<String>,
    /// Automatic snapshots at this time of day; without it, as [defaults] of the configuration has
    /// it
    #[arg(long, value_name = "HH:MM", value_parser = time_of_day)]
    pub time: Option<String>,
    /// Take a first snapshot at once, under this name
    #[arg(long, value_name = "NAME", conflicts_with = "dry_run")]
    pub take: Option<String>,
    /// Only show what was found and what would be declared
    #[arg(long)]
    pub dry_run: bool,
}

/// What a new resource shall be.
#[derive(Clone, Debug, Args)]
pub(super) struct CreateArgs {
    /// Where it goes; without it, beside the original
    #[arg(long)]
    pub path: Option<PathBuf>,
    /// The size of an instance or a database, from `heptactl plans`: the same or a larger one
    #[arg(long)]
    pub plan: Option<String>,
    /// The size of a disk, or of an instance's system disk, such as 40GiB; never smaller than it
    /// was
    #[arg(long)]
    pub size: Option<Size>,
    /// Where a database's server listens; without it, where nothing does
    #[arg(long)]
    pub port: Option<u16>,
    /// Put it under protection: automatic snapshots at this time of day
    #[arg(long, value_name = "HH:MM", value_parser = time_of_day)]
    pub time: Option<String>,
    /// What an attached disk of an instance is called as a resource, such as vdb=data-2; NEW-vdb
    /// without it. May be given again
    #[arg(long = "disk", value_name = "DISK=NAME", value_parser = disk)]
    pub disks: Vec<(String, String)>,
    #[command(flatten)]
    pub tags: TagArgs,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Show all resources at a glance, those in alarm first, or one in full
    Status { resource: Option<String> },
    /// List snapshots, by resource, newest first
    List {
        resource: Option<String>,
        /// Only those of this origin
        #[arg(long)]
        origin: Option<Origin>,
        /// Also those in the trash, being taken or being destroyed
        #[arg(long)]
        all: bool,
    },
    /// Show all that is known of a resource or a snapshot
    Show {
        /// A resource or a snapshot; if both bear the name, the resource
        #[arg(value_name = "RESOURCE|SNAPSHOT")]
        name: String,
        /// The name is a snapshot's
        #[arg(long)]
        snapshot: bool,
    },
    /// List the files in a snapshot
    Browse {
        snapshot: String,
        /// From the top of the snapshot, with or without a / before it; written as browse shows it:
        /// \xHH for a byte that is not text, \\ for a backslash
        path: Option<OsString>,
    },
    /// Get a file or a directory out of a snapshot, whole or not at all
    Get {
        snapshot: String,
        /// From the top of the snapshot, as browse shows it
        path: OsString,
        /// Where it goes: a new name, a directory, or - for standard output, where a directory
        /// comes as a tar stream; here, under its own name, without it. Mode and time are kept,
        /// and the owner if you are root; set-user-id is not
        #[arg(short, long, value_name = "OUT")]
        out: Option<PathBuf>,
        /// Replace a file that is there; a directory is never replaced
        #[arg(long)]
        force: bool,
    },
    /// Show what was added, removed and changed from one snapshot to another
    Diff {
        #[arg(value_name = "A")]
        old: String,
        #[arg(value_name = "B")]
        new: String,
        /// Only this path and what is below it, from the top of both snapshots
        path: Option<OsString>,
        /// Exit with 6 if they differ
        #[arg(long)]
        exit_code: bool,
    },
    /// Mount all files of a snapshot on an empty directory, read-only; needs root
    Mount { snapshot: String, dir: PathBuf },
    /// Unmount a snapshot
    Umount { dir: PathBuf },
    /// List where snapshots are mounted
    Mounts,
    /// Put something under protection: heptad finds out what it is, and snapshots it daily
    Protect(ProtectArgs),
    /// Take a snapshot now; it stays until you delete it
    Take {
        resource: String,
        /// Without it, one is made of the resource's name and the time
        name: Option<String>,
        /// Of an instance's system disk alone, as a snapshot of a disk
        #[arg(long)]
        system_disk: bool,
        #[command(flatten)]
        tags: TagArgs,
    },
    /// Keep an automatic snapshot for good, under a name
    Keep {
        snapshot: String,
        name: String,
        #[command(flatten)]
        tags: TagArgs,
    },
    /// Change the tags of a resource or a snapshot
    Tag {
        #[arg(value_name = "RESOURCE|SNAPSHOT")]
        name: String,
        /// The name is a resource's
        #[arg(long, conflicts_with = "snapshot")]
        resource: bool,
        /// The name is a snapshot's
        #[arg(long)]
        snapshot: bool,
        #[command(flatten)]
        change: RetagArgs,
    },
    /// Switch automatic snapshots on
    Enable {
        resource: String,
        /// Also set the time of day, in the resource's zone
        #[arg(long, value_name = "HH:MM", value_parser = time_of_day)]
        time: Option<String>,
    },
    /// Switch automatic snapshots off; those that exist stay
    Disable { resource: String },
    /// Change the time of day of automatic snapshots, in the resource's zone
    SetTime {
        resource: String,
        #[arg(value_name = "HH:MM", value_parser = time_of_day)]
        time: String,
    },
    /// Forget what enable, disable, set-time and tag changed: the configuration counts again
    Reset { resource: String },
    /// Show the ways to get something back: some files, a copy, or all in its place
    Restore {
        #[arg(value_name = "RESOURCE|SNAPSHOT")]
        name: Option<String>,
    },
    /// Create a new resource from a snapshot, where nothing is yet
    Create {
        /// The name of the new resource
        #[arg(value_name = "NEW")]
        name: String,
        #[arg(long, value_name = "SNAPSHOT")]
        from: String,
        #[command(flatten)]
        wish: Box<CreateArgs>,
    },
    /// Put the content of a snapshot in place of the live one; a snapshot of what is there is
    /// taken before
    Rollback {
        resource: String,
        #[arg(long, value_name = "SNAPSHOT")]
        to: String,
        /// Name of the snapshot that is taken first, of what is there now
        #[arg(long, value_name = "NAME", alias = "safety")]
        backup_name: Option<String>,
        /// Do not ask
        #[arg(short, long)]
        yes: bool,
    },
    /// Give an instance a disk, which it keeps over its next starts
    Attach { disk: String, instance: String },
    /// Take a disk away from an instance; unmount it in the guest before
    Detach { disk: String, instance: String },
    /// Delete snapshots, by way of the trash
    Delete {
        #[arg(required = true, value_name = "SNAPSHOT")]
        snapshots: Vec<String>,
        /// At once and for good, not by way of the trash
        #[arg(long)]
        now: bool,
        /// Do not ask
        #[arg(short, long)]
        yes: bool,
    },
    /// Bring snapshots back from the trash
    Undelete {
        #[arg(required = true, value_name = "SNAPSHOT")]
        snapshots: Vec<String>,
    },
    /// Show what will be taken and dropped, and why, without doing it
    Forecast {
        resource: Option<String>,
        /// How many days ahead; heptad's choice without it
        #[arg(long, value_name = "N")]
        days: Option<u32>,
    },
    /// Show what snapshots occupy, and what the month costs so far and in all
    Fee {
        resource: Option<String>,
        /// Another month, in UTC
        #[arg(long, value_name = "YYYY-MM")]
        month: Option<String>,
    },
    /// List the plans: the sizes that instances and databases can have
    Plans,
    /// List the blueprints: what instances and databases can have been made from
    Blueprints,
    /// Show what became of each snapshot that was due on a day, and why
    Why {
        resource: String,
        /// YYYY-MM-DD in the resource's zone; today without it
        day: Option<String>,
    },
    /// Show what happens, as it happens, until Ctrl-C
    Watch,
    /// List operations, newest first
    Operations {
        resource: Option<String>,
        /// Only those that are not finished
        #[arg(long)]
        open: bool,
        /// At most so many
        #[arg(long, value_name = "N")]
        limit: Option<u32>,
    },
    /// Show one operation
    Operation {
        id: u64,
        /// Wait for its end; exit code 1 if it fails
        #[arg(long)]
        wait: bool,
    },
    /// Cancel an operation: one that waits never begins, a take, keep, create or rollback that has
    /// begun stops and leaves nothing; yours, or as an admin any
    Cancel {
        #[arg(value_name = "OPERATION")]
        id: u64,
    },
    /// Say that a suspect snapshot or a changed resource is right, so that rotation goes on
    Acknowledge { resource: String },
    /// Forget a resource that left the configuration, or that `protect` or `create` declared
    Forget {
        resource: String,
        /// Take a last snapshot before, under this name
        #[arg(long = "final", value_name = "NAME", conflicts_with = "skip_final")]
        last: Option<String>,
        /// Forget an instance or a database without a last snapshot
        #[arg(long)]
        skip_final: bool,
        /// What becomes of its automatic snapshots
        #[arg(long, value_name = "WHAT", default_value = "keep")]
        automatic: Leftovers,
        /// Do not ask
        #[arg(short, long)]
        yes: bool,
    },
    /// Drop now all automatic snapshots that are beyond what is kept
    ///
    /// It says which, asks, and puts them into the trash.
    Rotate {
        resource: String,
        /// Do not ask
        #[arg(short, long)]
        yes: bool,
    },
    /// Load the configuration anew; if it has a fault, the old one stays
    Reload,
    /// Look for faults in the configuration, without loading it
    Check,
    /// Print a completion script
    Completions { shell: Shell },
    /// Print the manual page, or write one for each command
    Man {
        /// Write them all below this directory, where man looks: the pages go into its man1
        #[arg(long, value_name = "DIR")]
        out: Option<PathBuf>,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<String, String> {
        let words = std::iter::once("heptactl").chain(line.split_whitespace());
        match Cli::try_parse_from(words) {
            Ok(cli) => Ok(format!("{:?}", cli.command)),
            Err(error) => Err(error.to_string()),
        }
    }

    #[test]
    fn the_tree_of_commands_is_sound() {
        use clap::CommandFactory;
        Cli::command().debug_assert();
    }

    #[test]
    fn each_command_reads_its_arguments() {
        let check = |line: &str, want: &str| {
            assert_eq!(parse(line).unwrap_or_else(|e| e), want, "{line}");
        };
        check("status", "Status { resource: None }");
        check("status home --json", "Status { resource: Some(\"home\") }");
        check("list --all", "List { resource: None, origin: None, all: true }");
        check("list home --origin manual", {
            "List { resource: Some(\"home\"), origin: Some(Manual), all: false }"
        });
        check("show home@latest", "Show { name: \"home@latest\", snapshot: false }");
        check("protect /srv/www --time 03:30 --take first", {
            "Protect(ProtectArgs { what: \"/srv/www\", name: None, time: Some(\"03:30\"), take: Some(\"first\"), dry_run: false })"
        });
        check("take home before --tag a=b --tag c=d=e --tag f", {
            "Take { resource: \"home\", name: Some(\"before\"), system_disk: false, tags: TagArgs { tags: [(\"a\", \"b\"), \
             (\"c\", \"d=e\"), (\"f\", \"\")] } }"
        });
        check("tag home team=web cost --remove why --remove when", {
            "Tag { name: \"home\", resource: false, snapshot: false, change: RetagArgs { set: [(\"team\", \"web\"), \
             (\"cost\", \"\")], remove: [\"why\", \"when\"] } }"
        });
        check("browse home@latest etc", {
            "Browse { snapshot: \"home@latest\", path: Some(\"etc\") }"
        });
        check("get home@latest etc/hosts -o -", {
            "Get { snapshot: \"home@latest\", path: \"etc/hosts\", out: Some(\"-\"), force: false }"
        });
        check("diff a1 home@latest --exit-code", {
            "Diff { old: \"a1\", new: \"home@latest\", path: None, exit_code: true }"
        });
        check("mount home@latest /mnt", "Mount { snapshot: \"home@latest\", dir: \"/mnt\" }");
        check("restore www", "Restore { name: Some(\"www\") }");
        check("set-time home 3:30", "SetTime { resource: \"home\", time: \"03:30\" }");
        check("umount /mnt", "Umount { dir: \"/mnt\" }");
        check("enable home --time 06:30", {
            "Enable { resource: \"home\", time: Some(\"06:30\") }"
        });
        check("set-time home 15:00", "SetTime { resource: \"home\", time: \"15:00\" }");
        check("create new --from home@latest --path /srv/new --time 06:00 --disk vdb=data-2", {
            "Create { name: \"new\", from: \"home@latest\", wish: CreateArgs { path: \
             Some(\"/srv/new\"), plan: None, size: None, port: None, time: Some(\"06:00\"), disks: [(\"vdb\", \"data-2\")], tags: TagArgs { tags: [] } } }"
        });
        check("rollback home --to home@latest -y", {
            "Rollback { resource: \"home\", to: \"home@latest\", backup_name: None, yes: true }"
        });
        check("attach data web-1", "Attach { disk: \"data\", instance: \"web-1\" }");
        check("delete a b --now -y", {
            "Delete { snapshots: [\"a\", \"b\"], now: true, yes: true }"
        });
        check("forecast --days 30", "Forecast { resource: None, days: Some(30) }");
        check("fee", "Fee { resource: None, month: None }");
        check("fee home --month 2026-10", {
            "Fee { resource: Some(\"home\"), month: Some(\"2026-10\") }"
        });
        check("plans --json", "Plans");
        check("blueprints", "Blueprints");
        check("why home 2026-11-22", "Why { resource: \"home\", day: Some(\"2026-11-22\") }");
        check("operations home --open --limit 5", {
            "Operations { resource: Some(\"home\"), open: true, limit: Some(5) }"
        });
        check("operation 402 --wait", "Operation { id: 402, wait: true }");
        check("forget old", {
            "Forget { resource: \"old\", last: None, skip_final: false, automatic: Keep, yes: \
             false }"
        });
        check("forget old --automatic trash --yes", {
            "Forget { resource: \"old\", last: None, skip_final: false, automatic: Trash, yes: true }"
        });
        check("completions fish", "Completions { shell: Fish }");
        check("man --out /tmp", "Man { out: Some(\"/tmp\") }");
    }

    #[test]
    fn a_wrong_line_is_refused_with_a_way_out() {
        let check = |line: &str, part: &str| {
            let refused = parse(line).expect_err(line);
            assert!(refused.contains(part), "{line}: {refused}");
        };
        check("statsu", "'status'");
        check("take", "<RESOURCE>");
        check("undelete", "<SNAPSHOT>");
        check("take home x --tag =v", "a tag is KEY=VALUE");
        check("tag home", "<KEY[=VALUE]|--remove <KEY>>");
        check("create new --from x1 --disk vdb", "a disk is DISK=NAME");
        check("delete", "<SNAPSHOT>");
        check("operation x", "invalid value 'x'");
        check("forget old --automatic burn", "[possible values: keep, trash]");
        check("create new", "--from <SNAPSHOT>");
        check("forget db --final last --skip-final", "cannot be used with '--skip-final'");
        check("status --colour never", "'--color'");
    }
}
