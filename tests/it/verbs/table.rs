//! The table itself. `$R` is the resource's name; the other words are in words.sh.

use Cell::{Left, Refused, Works};

/// `files`, `btrfs`, `sqlite`, `postgres`, `libvirt`, `exec`.
pub const RESOURCES: [&str; 6] = ["docs", "www", "app", "shop", "web", "tape"];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cell {
    Works,
    /// It fails, and this is in what it says.
    Refused(&'static str),
    /// There is nothing that it could be tried on.
    Left,
}

#[derive(Debug)]
pub struct Row {
    pub verb: &'static str,
    /// Done once before.
    pub before: &'static str,
    pub command: &'static str,
    pub cells: &'static [Cell; 6],
}

/// The sample plugin makes tar files, which nobody looks into.
const UNSEEN: Cell = Refused("this backend cannot show files");
const NO_INSTANCE: Cell = Refused("this works with one of kind instance");
const NO_DISK: Cell = Refused("this works with one of kind disk");
const NO_IMAGE: Cell = Refused("is not a disk image");
const ALL: &[Cell; 6] = &[Works; 6];

const fn row(verb: &'static str, command: &'static str, cells: &'static [Cell; 6]) -> Row {
    Row { verb, before: "", command, cells }
}

const fn after(
    before: &'static str,
    verb: &'static str,
    command: &'static str,
    cells: &'static [Cell; 6],
) -> Row {
    Row { verb, before, command, cells }
}

/// In this order: each goes on where the one before it ended.
pub const TABLE: &[Row] = &[
    row("take", "ctl take $R $R-1; ctl show $R-1 | grep 'state *complete'", ALL),
    row("list", "ctl list $R | grep $R-1", ALL),
    row("show", "ctl show $R-1; ctl show $R", ALL),
    row("status", "ctl status $R", ALL),
    row(
        "browse",
        "ctl browse $R-1",
        &[Works, Works, Works, Works, Works, UNSEEN],
    ),
    row(
        "get",
        r#"case $R in docs|www|tape) path=page;; app) path=.;; shop) path=PG_VERSION;; web) path=vda/hello;; esac
           ctl get $R-1 $path -o /run/got-$R
           case $R in app) db root /run/got-app 'select n from t';; *) cat /run/got-$R;; esac >/run/said-$R
           grep --line-regexp 'one\|15' /run/said-$R"#,
        &[Works, Works, Works, Works, Works, UNSEEN],
    ),
    row("take again", "write $R two; ctl take $R $R-2", ALL),
    row(
        "diff",
        "code=0; ctl diff $R-1 $R-2 --exit-code || code=$?; test $code = 6",
        &[Works, Works, Works, Works, Works, UNSEEN],
    ),
    row(
        "mount",
        "mkdir /mnt/$R; ctl mount $R-1 /mnt/$R; ls /mnt/$R; ctl mounts | grep $R-1; ctl umount /mnt/$R",
        &[Works, Works, Refused("it is a file and not a directory"), Works, Works, UNSEEN],
    ),
    after(
        "clock 2026-12-05T06:00:00Z 7200",
        "at its time",
        "rest; ctl why $R; ctl show $R@2026-12-05 | grep 'state *complete'",
        ALL,
    ),
    row("keep", "ctl keep $R@latest $R-kept", ALL),
    row("forecast", "ctl forecast $R", ALL),
    row("disable", "ctl disable $R", ALL),
    row("enable", "ctl enable $R", ALL),
    row("set-time", "ctl set-time $R 15:00", ALL),
    row("reset", "ctl reset $R", ALL),
    row("fee", "ctl fee $R", ALL),
    row(
        "create",
        "case $R in tape) more='--path DISK/tape-copy';; esac
         ctl create $R-copy --from $R-1 ${more-}
         test \"$(copy $R)\" = \"$(test $R != web || echo running; first $R)\"",
        ALL,
    ),
    row(
        "protect",
        "case $R in docs) at=/srv/docs-copy;; www) at=DISK/www-copy;; app) at=/srv/app/app-copy.db;;
             shop) at=/var/lib/postgresql/15/shop-copy;; web) at=web-copy;; tape) at=DISK/tape-copy;; esac
         ctl protect $at --name $R-also",
        &[Works, Works, Works, Works, Refused("web-copy"), Works],
    ),
    row(
        "take system disk",
        "ctl take $R $R-root --system-disk",
        &[NO_INSTANCE, NO_INSTANCE, NO_INSTANCE, NO_INSTANCE, Works, NO_INSTANCE],
    ),
    row(
        "attach",
        "test $R != web || ctl create web-disk --from web-root
         case $R in web) disk=web-disk;; *) disk=$R;; esac
         ctl attach $disk web",
        &[NO_IMAGE, NO_IMAGE, NO_DISK, NO_DISK, Works, NO_IMAGE],
    ),
    row(
        "detach",
        "case $R in web) disk=web-disk; line $images/serial '[D]ISK vdc' >/dev/null;; *) disk=$R;; esac
         ctl detach $disk web",
        &[NO_IMAGE, NO_IMAGE, NO_DISK, NO_DISK, Works, NO_IMAGE],
    ),
    row("rollback in use", "ctl rollback $R --to $R-1 --yes", &[
        Left, Left, Left, Refused("postgresql@15-shop"), Refused("domain web is running"), Left,
    ]),
    row(
        "rollback",
        "free $R; ctl rollback $R --to $R-1 --yes; back $R; test \"$(live $R)\" = \"$(first $R)\"",
        ALL,
    ),
    after("systemctl restart heptad", "take after restart", "ctl take $R $R-3", ALL),
    row("delete", "ctl delete $R-2 --yes", ALL),
    row("undelete", "ctl undelete $R-2; ctl list $R | grep $R-2", ALL),
    row("delete --now", "ctl delete $R-2 --yes --now; ! ctl show $R-2", ALL),
    row("rotate", "ctl rotate $R --yes", ALL),
    row("acknowledge", "ctl acknowledge $R", &[Refused("nothing of it waits"); 6]),
    after(
        "systemctl stop heptad.socket heptad.service
         heptad rebuild >/dev/null
         systemctl start heptad.socket",
        "rebuild",
        "ctl list $R | grep $R-1; ctl list $R | grep $R-kept",
        ALL,
    ),
    row(
        "forget declared",
        "ctl forget $R --yes --skip-final",
        &[Refused("$R is still in the configuration"); 6],
    ),
    row(
        "forget",
        "rm /etc/heptad/conf.d/$R.toml; ctl reload; ctl forget $R --yes --skip-final",
        ALL,
    ),
];
