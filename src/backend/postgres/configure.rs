//! What makes a restored cluster another server than the original, and what a person is told of it.

use super::cluster::read_bytes;
use super::conf;
use super::copy::DIR;
use super::detail::{Detail, Space};
use super::mains::NAMES;
use super::moved::{Moved, bring};
use super::rewrite::{at_home, quoted, write};
use crate::fs::{Doing, StorageError};
use crate::store::Item;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// What a person finds in the new data directory.
pub(super) const README: &str = "RESTORED.txt";
pub(super) const AUTO: &str = "postgresql.auto.conf";
/// Tablespaces that are told one by one.
const NAMED: usize = 3;

/// The new server.
pub(super) struct New<'a> {
    pub item: &'a Item,
    pub detail: &'a Detail,
    pub path: &'a Path,
    /// Where the original is.
    pub original: &'a Path,
    pub port: u16,
    /// Its tablespaces, and where they are.
    pub spaces: Vec<(&'a Space, PathBuf)>,
    /// How its owner starts it.
    pub start: String,
    /// How it is made a cluster that Debian's own tools know, where the original is one.
    pub adopt: Option<String>,
}

impl New<'_> {
    /// Writes its settings, and the file that explains it. Returns what is to be remarked.
    pub(super) fn configure(&self, data: &OwnedFd) -> Result<Vec<String>, StorageError> {
        let kept = self.item.path.join(DIR);
        let (mut moved, main) = bring(data, self.detail, kept, (self.original, self.path))?;
        let auto = read_bytes(data, AUTO).doing(|| format!("reading {AUTO}"))?.unwrap_or_default();
        let auto = at_home(&auto, self.original, self.path);
        for (name, value) in conf::settings(&auto) {
            moved.settings.entry(name).or_default().push(value);
        }
        let own = self.own(&moved);
        let dropped: Vec<&str> = own.iter().map(|(name, _)| *name).collect();
        if let Some(main) = main {
            // Also whoever looks for the first line of a setting finds the one that counts.
            let mut main = conf::without(&main, &dropped);
            main.extend_from_slice(b"\n# Restored by heptad.\n");
            for (name, value) in &own {
                main.extend_from_slice(format!("{name} = '{value}'\n").as_bytes());
            }
            write(data, NAMES[0], &main, self.detail)?;
        }
        write(data, AUTO, settings(&auto, self.port, &dropped).as_bytes(), self.detail)?;
        write(data, README, self.readme().as_bytes(), self.detail)?;
        Ok(moved.notes)
    }

    /// What is this one's, and must not be the original's as well. The last line of a setting is
    /// the one that counts.
    fn own(&self, moved: &Moved<'_>) -> Vec<(&'static str, String)> {
        let here = |name: &str| quoted(&self.path.join(name));
        let values = |name: &str| moved.settings.get(name).into_iter().flatten();
        let is_set = |name: &str| values(name).any(|value| !value.is_empty());
        let mut own = vec![("data_directory", quoted(self.path))];
        for (setting, at) in [("hba_file", 1), ("ident_file", 2)] {
            if moved.came_in[at] {
                own.push((setting, here(NAMES[at])));
            }
        }
        let pid_file = || match self.adopt {
            // Where Debian's unit looks for it.
            Some(_) => format!("/var/run/postgresql/{}.pid", self.name().replace('/', "-")),
            None => here("external.pid"),
        };
        let pid_file = is_set("external_pid_file").then(pid_file);
        own.push(("external_pid_file", pid_file.unwrap_or_default()));
        if is_set("cluster_name") {
            own.push(("cluster_name", self.name()));
        }
        if is_set("stats_temp_directory") {
            own.push(("stats_temp_directory", "pg_stat_tmp".into()));
        }
        let is_elsewhere = |value: &Vec<u8>| {
            value.starts_with(b"/") && !value.starts_with(self.path.as_os_str().as_bytes())
        };
        if values("log_directory").any(is_elsewhere) {
            own.push(("log_directory", "log".into()));
        }
        own
    }

    /// As Debian names its clusters; a server takes no more of it than this.
    fn name(&self) -> String {
        let name = self.path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let plain = |c: char| if c.is_ascii_graphic() && c != '\'' { c } else { '_' };
        let name = format!("{}/{name}", self.detail.major);
        name.chars().map(plain).take(63).collect()
    }

    fn readme(&self) -> String {
        let (Self { item, detail, port, start, .. }, manifest) = (self, &self.item.manifest);
        let mut text = format!(
            "This PostgreSQL {} cluster was restored by heptad from snapshot {} of {}, taken {}.\n\
             Its port is {port} and archiving is off, both in {AUTO}.\n\
             All of its configuration is in this directory; what is new in it is at the end of {main}.\n\
             Start it: {start}\n",
            detail.major,
            item.seq,
            manifest.resource,
            manifest.taken_at,
            main = NAMES[0],
        );
        if let Some(adopt) = &self.adopt {
            text.push_str(&format!(
                "Or make it one of Debian's clusters, and start it as such: {adopt}\n"
            ));
        }
        for (space, path) in &self.spaces {
            text.push_str(&format!(
                "Tablespace {} was {} and is {}\n",
                space.oid,
                space.location,
                path.display()
            ));
        }
        text
    }

    /// The same for whoever asked for it.
    pub(super) fn notes(&self) -> Vec<String> {
        let mut notes = vec![
            format!(
                "its port is {} (--port chooses one), and it archives nothing: see {AUTO}",
                self.port
            ),
            format!("it does not run yet; start it: {}", self.start),
        ];
        notes.extend(self.adopt.iter().map(|adopt| {
            format!("or make it one of Debian's clusters, and start it as such: {adopt}")
        }));
        for (space, path) in self.spaces.iter().take(NAMED) {
            notes.push(format!("its tablespace {} is {}", space.oid, path.display()));
        }
        if self.spaces.len() > NAMED {
            notes.push(format!("where all of its tablespaces are: see {README}"));
        }
        notes
    }
}

/// The server's own settings, without those that would make it the original's twin, nor those that
/// are in the main file anew.
fn settings(auto: &[u8], port: u16, anew: &[&str]) -> String {
    const CHANGED: [&str; 6] = [
        "port",
        "archive_mode",
        "primary_conninfo",
        "primary_slot_name",
        "restore_command",
        "recovery_target_timeline",
    ];
    let is_kept = |line: &&str| {
        let name = line.split(['=', ' ', '\t']).next().unwrap_or_default();
        let name = name.to_ascii_lowercase();
        !CHANGED.contains(&name.as_str()) && !anew.contains(&name.as_str())
    };
    let auto = String::from_utf8_lossy(auto);
    let mut text: String = auto.lines().filter(is_kept).map(|line| format!("{line}\n")).collect();
    text.push_str(&format!("port = '{port}'\narchive_mode = 'off'\n"));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_copy_keeps_its_settings_but_not_its_place_in_the_world() {
        let auto = "# Do not edit\nwork_mem = '8MB'\nport = '5432'\nhba_file = '/x'\nPORT=1\nport_x = '1'\n\
                    primary_conninfo = 'host=a'\narchive_mode = 'on'\n";
        let want = "# Do not edit\nwork_mem = '8MB'\nport_x = '1'\nport = '5433'\n\
                    archive_mode = 'off'\n";
        assert_eq!(settings(auto.as_bytes(), 5433, &["hba_file"]), want);
        assert_eq!(quoted(Path::new("/it's")), "/it''s");
    }
}
