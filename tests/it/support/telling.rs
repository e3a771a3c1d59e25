//! Progress that is waited for: a program that goes on only when something was told.

use super::trusted::install;
use heptad::fs::Progress;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

/// Keeps what it is told, and shows by a file that it was told something.
pub struct Told {
    file: PathBuf,
    pub all: Mutex<Vec<(u64, Option<u64>)>>,
}

impl Told {
    pub fn by(file: &Path) -> Self {
        Self { file: file.into(), all: Mutex::default() }
    }

    /// A program at `path` that is `program`, but begins only when something was told.
    pub fn then(&self, program: &Path, path: &Path) {
        let (file, program) = (self.file.display(), program.display());
        let text = format!(
            "#!/bin/sh\nuntil test -e '{file}'; do sleep 0.05; done\nexec '{program}' \"$@\"\n"
        );
        let source = path.with_extension("text");
        std::fs::write(&source, text).unwrap();
        install(&source, path);
    }
}

impl Progress for Told {
    fn report(&self, done: u64, total: Option<u64>) {
        self.all.lock().unwrap().push((done, total));
        std::fs::write(&self.file, "").unwrap();
    }

    fn is_wanted(&self) -> bool {
        true
    }
}
