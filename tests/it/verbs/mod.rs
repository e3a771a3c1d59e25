//! Every verb on every technology, under the shipped unit in a booted systemd: a table.
//!
//! A cell is a command for one resource. It works, or it is refused for the reason that the table
//! says. All cells run, whatever became of those before, and all that is not as it should be is
//! told together.

mod table;

use crate::daemon::host::{HEPTACTL, HEPTAD};
use crate::libvirt::host::{definition, install_guest};
use crate::libvirt::scene::{convert, ext4};
use crate::support::loopfs::{LoopFs, subvolume};
use crate::support::pid1::boot_for;
use crate::support::source::root;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use table::{Cell, RESOURCES, Row, TABLE};

/// One boot does it all; this is for a machine that is very busy.
const SECONDS: u32 = 280;

const CELL: &str = r#"
cell() {
    { cat /run/words; echo "R=$2; set -eux"; cat; } >/run/cells/$1.$2.sh
    code=0
    timeout 30 bash /run/cells/$1.$2.sh >/run/cells/$1.$2 2>&1 </dev/null || code=$?
    echo "CELL $1 $2 $code"
    sed 's/^/CELL| /' /run/cells/$1.$2
}
set +x
"#;

/// A guest with two disks, as files of a directory.
fn guest(dir: &Path) {
    install_guest(dir);
    let content = dir.join("content");
    std::fs::create_dir(&content).unwrap();
    std::fs::write(content.join("hello"), "one").unwrap();
    let images = Path::new("/var/lib/libvirt/images/web");
    let mut disks = Vec::new();
    for (name, format) in [("vda", "qcow2"), ("vdb", "raw")] {
        let (raw, file) = (dir.join("raw"), format!("{name}.{format}"));
        ext4(&raw, &content);
        convert(&raw, "raw", &dir.join(&file), format);
        std::fs::remove_file(raw).unwrap();
        disks.push((name, format, images.join(file)));
    }
    std::fs::remove_dir_all(content).unwrap();
    let disks = disks.iter().map(|(name, format, file)| (*name, *format, file.as_path()));
    let disks: Vec<_> = disks.collect();
    std::fs::write(dir.join("web.xml"), definition("web", &disks, "writer", images)).unwrap();
}

/// What the machine does: the scene, and then each cell.
fn script(disk: &Path, guest: &Path) -> String {
    let read = |name: &str| std::fs::read_to_string(root().join("tests/it/verbs").join(name));
    let words = read("words.sh").unwrap();
    let mut script = format!("cat >/run/words <<'WORDS'\n{words}\nWORDS\n{words}\n");
    script += &read("scene.sh").unwrap();
    script += CELL;
    for (n, Row { command, before, cells, .. }) in TABLE.iter().enumerate() {
        writeln!(script, "{before}").unwrap();
        for (name, _) in RESOURCES.iter().zip(*cells).filter(|(_, cell)| **cell != Cell::Left) {
            writeln!(script, "cell {n} {name} <<'COMMAND'\n{command}\nCOMMAND").unwrap();
        }
    }
    script
        .replace("HEPTACTL", HEPTACTL)
        .replace("CONFIG", root().join("config").to_str().unwrap())
        .replace("DISK", disk.to_str().unwrap())
        .replace("GUEST", guest.to_str().unwrap())
}

/// How each cell ended, and what it printed, by row and resource.
fn ended(output: &str) -> BTreeMap<(usize, String), (i32, String)> {
    let mut ended = BTreeMap::new();
    for part in output.split("\nCELL ").skip(1) {
        let (head, rest) = part.split_once('\n').unwrap_or((part, ""));
        let words: Vec<&str> = head.split(' ').collect();
        let [row, resource, code] = words[..] else { panic!("{head}") };
        let said = rest.lines().map_while(|line| line.strip_prefix("CELL| "));
        let said = said.collect::<Vec<_>>().join("\n");
        ended.insert((row.parse().unwrap(), resource.into()), (code.parse().unwrap(), said));
    }
    ended
}

/// What is wrong with how a cell ended.
fn fault(name: &str, cell: Cell, ended: Option<&(i32, String)>) -> Option<String> {
    let flat = |said: &str| said.split_whitespace().collect::<Vec<_>>().join(" ");
    match (cell, ended) {
        (Cell::Left, _) | (Cell::Works, Some((0, _))) => None,
        (Cell::Refused(why), Some((1, said))) if flat(said).contains(&why.replace("$R", name)) => {
            None
        }
        (_, None) => Some("did not run".into()),
        (Cell::Works, Some((code, said))) => Some(format!("failed ({code}):\n{said}")),
        (Cell::Refused(why), Some((code, said))) => {
            Some(format!("is not refused with {why:?} ({code}):\n{said}"))
        }
    }
}

/// The table as people read it.
fn printed() -> String {
    let mut text = format!("{:<16}", "");
    RESOURCES.iter().for_each(|name| write!(text, " {name:<6}").unwrap());
    for Row { verb, cells, .. } in TABLE {
        write!(text, "\n{verb:<16}").unwrap();
        for cell in *cells {
            let word = match cell {
                Cell::Works => "works",
                Cell::Refused(_) => "no",
                Cell::Left => "-",
            };
            write!(text, " {word:<6}").unwrap();
        }
    }
    text
}

#[test]
fn every_verb_does_on_every_backend_what_the_table_says() {
    let disk = LoopFs::new("btrfs", 256);
    subvolume(&disk.path().join("www"));
    let files = tempfile::Builder::new().prefix("heptad-guest-").tempdir_in("/var/tmp").unwrap();
    std::fs::set_permissions(files.path(), PermissionsExt::from_mode(0o755)).unwrap();
    guest(files.path());
    let config = root().join("config");
    let paths = [Path::new(HEPTACTL), &config, &disk.path()];
    let booted = boot_for(SECONDS, Path::new(HEPTAD), &script(&disk.path(), files.path()), &paths);
    let booted = booted.succeeded();
    let ended = ended(&booted.output);
    let mut faults = Vec::new();
    for (n, Row { verb, cells, .. }) in TABLE.iter().enumerate() {
        for (name, cell) in RESOURCES.iter().zip(*cells) {
            let found = fault(name, *cell, ended.get(&(n, (*name).to_owned())));
            faults.extend(found.map(|fault| format!("{verb} of {name} {fault}")));
        }
    }
    let shown = Path::new(env!("CARGO_TARGET_TMPDIR")).join("verbs-under-the-unit");
    std::fs::write(shown, printed()).unwrap();
    assert!(faults.is_empty(), "{}\n\n{}", faults.join("\n\n"), booted.journal);
}
