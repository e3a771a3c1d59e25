//! Collects the layers: defaults, heptad's own files, the main file, drop-ins in the order of their
//! names, environment.

use super::enrolled::{self, ENROLLED};
use super::finding::{Finding, Origin};
use super::layer::{Layer, Layers};
use super::parse::parse;
use super::paths::Locations;
use super::values::absolute;
use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};

/// The largest file that is read; a thousand resources need a tenth of it.
pub const FILE_LIMIT: u64 = 1024 * 1024;

/// The only variables that are read, and the keys of `[daemon]` that they override.
pub const VARIABLES: [(&str, &str); 3] =
    [("HEPTAD_SOCKET", "socket"), ("HEPTAD_STATE", "state"), ("HEPTAD_LOG", "log")];

/// What could be read, and what could not.
#[derive(Debug, Default)]
pub(super) struct Gathered {
    pub layers: Layers,
    pub findings: Vec<Finding>,
    /// A file is left out, so what seems to be missing may stand there.
    pub incomplete: bool,
    /// What may not be read by who looks, and need not be.
    pub remarks: Vec<Finding>,
}

pub(super) fn gather(locations: &Locations, env: &[(String, String)]) -> Gathered {
    let mut gathered = Gathered::default();
    gathered.layers.0.push(defaults(locations));
    gathered.read(&locations.file);
    match toml_files(&locations.drop_ins) {
        Ok(files) => files.iter().for_each(|file| gathered.read(file)),
        Err(error) => gathered.give_up(unlistable(&locations.drop_ins, &error)),
    }
    gathered.layers.0.push(environment(env));
    gathered.read_enrolled();
    gathered
}

/// What was gathered before, with files of heptad's own as they are now. Nothing else is read
/// again.
pub(super) fn again(layers: &Layers, remarks: &[Finding], own: &[PathBuf]) -> Gathered {
    let mut layers = layers.clone();
    let renewed = |layer: &Layer| {
        let name = Path::new(&layer.name).file_name();
        layer.enrolled && own.iter().any(|file| file.file_name() == name)
    };
    layers.0.retain(|layer| !renewed(layer));
    let mut gathered = Gathered { layers, remarks: remarks.to_vec(), ..Gathered::default() };
    own.iter().filter(|file| file.exists()).for_each(|file| gathered.read_one_enrolled(file));
    gathered
}

impl Gathered {
    fn read(&mut self, file: &Path) {
        match read(file).and_then(|text| parse(file, &text)) {
            Ok(layer) => self.layers.0.push(layer),
            Err(findings) => self.give_up(findings),
        }
    }

    /// Second, because the other layers say where the state directory is.
    fn read_enrolled(&mut self) {
        let Some(state) = self.state().filter(|_| !self.incomplete) else { return };
        let dir = state.join(ENROLLED);
        match toml_files(&dir) {
            Ok(files) => files.iter().for_each(|file| self.read_one_enrolled(file)),
            // The daemon's own user may; somebody else can still check the files in sight.
            Err(error) if error.kind() == ErrorKind::PermissionDenied => {
                let hint = "ask the daemon: heptactl check";
                let problem = "may not be read: resources made by commands are left out";
                self.remarks.extend(one(&dir, problem, hint));
            }
            Err(error) => self.give_up(unlistable(&dir, &error)),
        }
    }

    fn read_one_enrolled(&mut self, file: &Path) {
        let layer = read(file).and_then(|text| parse(file, &text)).and_then(|layer| {
            let found = enrolled::check(&layer, file);
            if found.is_empty() { Ok(layer) } else { Err(found) }
        });
        match layer {
            // The weakest but for the built-in defaults.
            Ok(layer) => self.layers.0.insert(1, Layer { enrolled: true, ..layer }),
            Err(findings) => self.give_up(findings),
        }
    }

    /// The state directory, unless what says so is a finding of its own.
    fn state(&self) -> Option<PathBuf> {
        let merged = self.layers.merged().ok()?;
        absolute(merged.get("daemon")?.as_dict()?.get("state")?.as_str()?).ok()
    }

    fn give_up(&mut self, findings: Vec<Finding>) {
        self.findings.extend(findings);
        self.incomplete = true;
    }
}

fn defaults(locations: &Locations) -> Layer {
    let text = |path: &Path| path.to_string_lossy().into_owned();
    let (socket, state) = (&locations.defaults.socket, &locations.defaults.state);
    let settings =
        vec![("socket", text(socket), Origin::Default), ("state", text(state), Origin::Default)];
    Layer::daemon("built-in defaults", settings)
}

/// An empty variable counts as unset, as the XDG specification and systemd have it.
fn environment(env: &[(String, String)]) -> Layer {
    let set = |(variable, key): &(&'static str, &'static str)| {
        let (_, value) = env.iter().find(|(name, value)| name == variable && !value.is_empty())?;
        Some((*key, value.clone(), Origin::Environment(variable)))
    };
    Layer::daemon("environment", VARIABLES.iter().filter_map(set).collect())
}

/// The TOML files of a directory in the order of their names; none if there is no such directory.
/// Hidden files, and those that do not end in `.toml`, are what editors and package managers leave
/// behind.
fn toml_files(dir: &Path) -> std::io::Result<Vec<PathBuf>> {
    let entries = match std::fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut files = Vec::new();
    for entry in entries {
        let name = entry?.file_name();
        let bytes = name.as_encoded_bytes();
        if bytes.ends_with(b".toml") && !bytes.starts_with(b".") {
            files.push(dir.join(name));
        }
    }
    files.sort();
    Ok(files)
}

fn unlistable(dir: &Path, error: &std::io::Error) -> Vec<Finding> {
    let hint = "make it a directory that heptad may read, or remove it";
    one(dir, format!("cannot be listed: {error}"), hint)
}

fn read(file: &Path) -> Result<String, Vec<Finding>> {
    let failed = |error: std::io::Error| unreadable(file, &error);
    // Looked at before it is opened: opening a pipe would wait for its writer.
    if !std::fs::metadata(file).map_err(failed)?.is_file() {
        return Err(one(file, "is not a regular file", "put a file in its place"));
    }
    let mut bytes = Vec::new();
    let opened = File::open(file).map_err(failed)?;
    opened.take(FILE_LIMIT + 1).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() as u64 > FILE_LIMIT {
        let hint = "split it over files in the drop-in directory";
        return Err(one(file, "is larger than 1 MiB", hint));
    }
    String::from_utf8(bytes).map_err(|error| {
        let good = error.as_bytes().iter().take(error.utf8_error().valid_up_to());
        let line = good.filter(|byte| **byte == b'\n').count() + 1;
        let finding = Finding::of_file(file, "is not UTF-8", "save it as UTF-8 text");
        vec![Finding { line: Some(line), ..finding }]
    })
}

fn unreadable(file: &Path, error: &std::io::Error) -> Vec<Finding> {
    match error.kind() {
        ErrorKind::NotFound if file.is_symlink() => {
            one(file, "is a link to nothing", "mend the link, or remove it")
        }
        ErrorKind::NotFound => one(
            file,
            "does not exist",
            "create it with a [resource.NAME] table in it (heptad ships a commented reference \
             heptad.toml to copy), or name another file with --config",
        ),
        ErrorKind::PermissionDenied => {
            one(file, "may not be read", "let the user that heptad runs as read it")
        }
        _ => one(file, format!("cannot be read: {error}"), "see that its disk is sound"),
    }
}

fn one(file: &Path, problem: impl Into<String>, hint: &str) -> Vec<Finding> {
    vec![Finding::of_file(file, problem, hint)]
}
