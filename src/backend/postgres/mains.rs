//! The three files that a server's configuration begins with, wherever they lie.

use super::as_owner::text;
use super::cluster::{Cluster, read};
use super::conf::settings;
use super::tools::Tools;
use crate::fs::{Doing, StorageError};
use serde::{Deserialize, Serialize};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// Debian keeps the configuration of a cluster here, as MAJOR/NAME.
pub(super) const DEBIAN: &str = "/etc/postgresql";
/// And what its `postgresql.conf` includes last, here.
pub(super) const MORE: &str = "conf.d";

/// Where the three files are that a server begins with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Mains(pub [PathBuf; 3]);

impl Mains {
    /// As the running server says; those in the data directory by the path that heptad has of it.
    pub(super) fn new(said: &[PathBuf; 3], data: &Path) -> Self {
        Self(said.each_ref().map(|path| match path.file_name() {
            Some(name) if lies_in(path, data) => {
                let above = path.parent().and_then(|above| std::fs::canonicalize(above).ok());
                above.unwrap_or_else(|| data.to_owned()).join(name)
            }
            _ => path.clone(),
        }))
    }

    /// Of a server that does not run: as it was started last or, where it never was, as Debian
    /// would start it.
    pub(super) fn of_stopped(
        cluster: &Cluster,
        tools: &Tools,
    ) -> Result<[PathBuf; 3], StorageError> {
        let doing = || format!("looking for the configuration of {}", cluster.path.display());
        let options = read(&cluster.dir, "postmaster.opts").doing(doing)?.unwrap_or_default();
        let started = Started::of(&options);
        let home = started.home.filter(|home| is_home(home, cluster));
        let home = home.unwrap_or_else(|| cluster.path.clone());
        let [main, hba, ident] = started.files.map(|file| Some(home.join(file?)));
        let main = main.unwrap_or_else(|| home.join(NAMES[0]));
        let main = match options.is_empty() && !is_there(&main) {
            true => of_debian(cluster, tools).unwrap_or(main),
            false => main,
        };
        let text = text(tools, &main).unwrap_or_default();
        let said = |name: &str| {
            let value = settings(&text).into_iter().rfind(|(setting, _)| setting == name)?.1;
            Some(cluster.path.join(OsStr::from_bytes(&value)))
        };
        let hba = hba.or_else(|| said("hba_file")).unwrap_or_else(|| home.join(NAMES[1]));
        let ident = ident.or_else(|| said("ident_file")).unwrap_or_else(|| home.join(NAMES[2]));
        Ok([main, hba, ident])
    }
}

/// What `postmaster.opts` says: the program, then each of its arguments in quotes.
#[derive(Debug, Default, PartialEq, Eq)]
struct Started {
    home: Option<PathBuf>,
    files: [Option<PathBuf>; 3],
}

impl Started {
    fn of(options: &str) -> Self {
        let words: Vec<&str> = options.trim_end().split('"').skip(1).step_by(2).collect();
        let mut started = Self::default();
        for (at, word) in words.iter().enumerate() {
            if *word == "-D" {
                started.home = words.get(at + 1).map(PathBuf::from);
            }
            let setting = word.trim_start_matches("--");
            for (file, name) in started.files.iter_mut().zip(["config", "hba", "ident"]) {
                let value = setting.strip_prefix(name).and_then(|rest| rest.strip_prefix("_file="));
                *file = value.map(PathBuf::from).or(file.take());
            }
        }
        started
    }
}

/// Whether the configuration of this cluster begins in the directory that its last server was
/// given. That one is another's where the cluster is a copy.
fn is_home(home: &Path, cluster: &Cluster) -> bool {
    let (Ok(is), Ok(own)) = (std::fs::metadata(home), rustix::fs::fstat(&cluster.dir)) else {
        return false;
    };
    let is_own = (is.dev(), is.ino()) == (own.st_dev, own.st_ino);
    home.is_absolute() && is.is_dir() && (is_own || !is_there(&home.join("PG_VERSION")))
}

fn of_debian(cluster: &Cluster, tools: &Tools) -> Option<PathBuf> {
    let above = Path::new(DEBIAN).join(cluster.major.to_string());
    let all = std::fs::read_dir(above).ok()?;
    let is_ours = |(name, value): (String, Vec<u8>)| {
        name == "data_directory" && value == cluster.path.as_os_str().as_bytes()
    };
    for main in all.filter_map(|entry| Some(entry.ok()?.path().join(NAMES[0]))) {
        let found = if is_there(&main) { text(tools, &main).ok() } else { None };
        if settings(&found.unwrap_or_default()).into_iter().any(is_ours) {
            return Some(main);
        }
    }
    None
}

/// By whatever way to its directory the server was given.
fn lies_in(file: &Path, data: &Path) -> bool {
    let above = file.parent().and_then(|above| std::fs::canonicalize(above).ok());
    file.starts_with(data) || above.is_some_and(|above| above.starts_with(data))
}

/// Under their usual names, whatever they are called where they are.
pub(super) const NAMES: [&str; 3] = ["postgresql.conf", "pg_hba.conf", "pg_ident.conf"];

pub(super) fn is_there(path: &Path) -> bool {
    std::fs::symlink_metadata(path).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn how_a_server_was_started_is_read_from_what_it_leaves() {
        let check = |text: &str, home: Option<&str>, files: [Option<&str>; 3]| {
            let files = files.map(|file| file.map(PathBuf::from));
            let want = Started { home: home.map(PathBuf::from), files };
            assert_eq!(Started::of(text), want, "{text}");
        };
        let program = "/usr/lib/postgresql/15/bin/postgres";
        check(
            &format!("{program} \"-D\" \"/d\" \"-c\" \"config_file=/etc/p/postgresql.conf\"\n"),
            Some("/d"),
            [Some("/etc/p/postgresql.conf"), None, None],
        );
        check(
            &format!("{program} \"--hba_file=/h a\" \"-c\" \"port=1\"\n"),
            None,
            [None, Some("/h a"), None],
        );
        check("", None, [None, None, None]);
    }
}
