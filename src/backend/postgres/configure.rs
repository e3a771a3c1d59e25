//! What makes a restored cluster another server than the original, and what a person is told of it.

use super::super::shelf::Item;
use super::super::tree::remove_tree;
use super::super::{BackendError, Doing};
use super::assemble::give;
use super::cluster::read;
use super::config::{DIR, NAMES};
use super::detail::{Detail, Space};
use rustix::fs::{Mode, OFlags};
use std::io::Write;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

/// What a person finds in the new data directory.
pub const README: &str = "RESTORED.txt";
pub const AUTO: &str = "postgresql.auto.conf";
/// Tablespaces that are told one by one.
const NAMED: usize = 3;

/// The new server.
pub struct New<'a> {
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
}

impl New<'_> {
    /// Writes its settings, and the file that explains it.
    pub fn configure(&self, data: &OwnedFd) -> Result<(), BackendError> {
        self.main(data)?;
        let auto = read(data, AUTO).doing(|| format!("reading {AUTO}"))?.unwrap_or_default();
        let auto = self.at_home(&settings(&auto, self.port));
        write(data, AUTO, &auto, self.detail)?;
        write(data, README, &self.readme(), self.detail)
    }

    /// The files that lay elsewhere move in.
    fn main(&self, data: &OwnedFd) -> Result<(), BackendError> {
        let kept = self.item.path.join(DIR);
        let mut main = read(data, NAMES[0]).doing(|| "reading postgresql.conf".into())?;
        for (name, setting) in NAMES.iter().zip([None, Some("hba_file"), Some("ident_file")]) {
            let text = match std::fs::read_to_string(kept.join(name)) {
                Ok(text) => text,
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
                Err(error) => return Err(error).doing(|| format!("reading {name}")),
            };
            match setting {
                None => main = Some(text),
                Some(setting) => {
                    write(data, name, &text, self.detail)?;
                    // The last line of a setting is the one that counts.
                    let line = format!("{setting} = '{}'\n", quoted(&self.path.join(name)));
                    main.get_or_insert_default().push_str(&format!("\n{line}"));
                }
            }
        }
        let Some(mut main) = main.map(|main| self.at_home(&main)) else { return Ok(()) };
        let own = quoted(self.path);
        main.push_str(&format!(
            "\n# Restored by heptad.\ndata_directory = '{own}'\nexternal_pid_file = ''\n"
        ));
        write(data, NAMES[0], &main, self.detail)
    }

    /// Settings that name something in the original's data directory by its path name the same of this
    /// one: it must neither need the original nor write into it.
    fn at_home(&self, text: &str) -> String {
        let [old, new] = [self.original, self.path].map(quoted);
        ["/", "'"].iter().fold(text.to_owned(), |text, end| {
            text.replace(&format!("'{old}{end}"), &format!("'{new}{end}"))
        })
    }

    fn readme(&self) -> String {
        let (Self { item, detail, port, start, .. }, manifest) = (self, &self.item.manifest);
        let mut text = format!(
            "This PostgreSQL {} cluster was restored by heptad from snapshot {} of {}, taken {}.\n\
             Its port is {port} and archiving is off, both in {AUTO}.\n\
             Start it: {start}\n",
            detail.major, item.seq, manifest.resource, manifest.taken_at,
        );
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
    pub fn notes(&self) -> Vec<String> {
        let mut notes = vec![
            format!("its port is {}, and it archives nothing: see {AUTO}", self.port),
            format!("it does not run yet; start it: {}", self.start),
        ];
        for (space, path) in self.spaces.iter().take(NAMED) {
            notes.push(format!("its tablespace {} is {}", space.oid, path.display()));
        }
        if self.spaces.len() > NAMED {
            notes.push(format!("where all of its tablespaces are: see {README}"));
        }
        notes
    }
}

/// The server's own settings, without those that would make it the original's twin.
fn settings(auto: &str, port: u16) -> String {
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
        !CHANGED.contains(&name.to_ascii_lowercase().as_str())
    };
    let mut text: String = auto.lines().filter(is_kept).map(|line| format!("{line}\n")).collect();
    text.push_str(&format!("port = '{port}'\narchive_mode = 'off'\n"));
    text
}

/// For a setting in single quotes.
fn quoted(path: &Path) -> String {
    path.display().to_string().replace('\'', "''")
}

/// Replaces a file of the cluster.
pub fn write(data: &OwnedFd, file: &str, text: &str, detail: &Detail) -> Result<(), BackendError> {
    let doing = || format!("writing {file}");
    remove_tree(data.as_fd(), &super::copy::name(file)?)?;
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
    let opened = rustix::fs::openat(data, file, flags, Mode::RUSR | Mode::WUSR).doing(doing)?;
    std::fs::File::from(opened).write_all(text.as_bytes()).doing(doing)?;
    give(data, file, detail).doing(doing)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_copy_keeps_its_settings_but_not_its_place_in_the_world() {
        let auto = "# Do not edit\nwork_mem = '8MB'\nport = '5432'\nPORT=1\nport_x = '1'\n\
                    primary_conninfo = 'host=a'\narchive_mode = 'on'\n";
        let want = "# Do not edit\nwork_mem = '8MB'\nport_x = '1'\nport = '5433'\n\
                    archive_mode = 'off'\n";
        assert_eq!(settings(auto, 5433), want);
        assert_eq!(quoted(Path::new("/it's")), "/it''s");
    }
}
