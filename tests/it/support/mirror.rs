//! The conformance suite speaks of files in a directory; a backend may know disks or a database.
//! What changes on one side is carried over to the other.

use crate::conformance::{Tree, read};
use std::fmt::{self, Debug, Formatter};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

type Pack = Box<dyn Fn(&Tree) + Send + Sync>;
type Unpack = Box<dyn Fn(&Path) + Send + Sync>;

pub struct Mirror {
    files: PathBuf,
    /// The resource's own.
    images: Vec<PathBuf>,
    /// Makes the resource of the files.
    pack: Pack,
    /// Makes the files, in an empty directory, of the resource.
    unpack: Unpack,
    /// How both sides were when they were equal.
    equal: Mutex<Option<(Tree, Vec<String>)>>,
}

impl Debug for Mirror {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mirror").field("files", &self.files).finish_non_exhaustive()
    }
}

impl Mirror {
    pub fn new(
        files: PathBuf,
        images: Vec<PathBuf>,
        pack: impl Fn(&Tree) + Send + Sync + 'static,
        unpack: impl Fn(&Path) + Send + Sync + 'static,
    ) -> Self {
        let (pack, unpack) = (Box::new(pack), Box::new(unpack));
        Self { files, images, pack, unpack, equal: Mutex::new(None) }
    }

    /// Carries over what has changed since the last time.
    pub fn carry(&self) {
        let mut equal = self.equal.lock().unwrap_or_else(PoisonError::into_inner);
        let (files, images) = (read(&self.files), self.prints());
        match &*equal {
            Some((then, there)) if *then == files && *there == images => return,
            Some((then, there)) if *there != images => {
                assert!(*then == files, "both sides have changed");
                std::fs::remove_dir_all(&self.files).unwrap();
                std::fs::create_dir(&self.files).unwrap();
                (self.unpack)(&self.files);
            }
            _ => (self.pack)(&files),
        }
        *equal = Some((read(&self.files), self.prints()));
    }

    fn prints(&self) -> Vec<String> {
        let print = |path: &PathBuf| {
            let Ok(meta) = path.metadata() else { return "gone".to_owned() };
            let (object, size) = ((meta.dev(), meta.ino()), meta.len());
            format!("{object:?} {size} {} {}", meta.mtime(), meta.mtime_nsec())
        };
        self.images.iter().map(print).collect()
    }
}
