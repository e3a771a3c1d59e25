//! Telling how far something is that others do, a program or a library, by what is there of it.

use super::Progress;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::{Duration, Instant};

/// The first look, and the shortest time between two.
const REST: Duration = Duration::from_millis(700);
/// Looking takes one part of so many of the time.
const SHARE: u32 = 20;
/// Of the directories in a tree that is measured.
const DEEPEST: usize = 100;

/// What grows, and how large it will be, as far as that is known. Each is asked after a while only:
/// what is done at once costs nothing.
/// The flag says that nobody waits for the answer any more.
pub struct Growth<'a> {
    pub now: &'a (dyn Fn(&AtomicBool) -> u64 + Sync),
    pub whole: &'a (dyn Fn(&AtomicBool) -> Option<u64> + Sync),
}

/// Tells of the growth while `act` is on.
pub fn telling<T>(progress: &dyn Progress, growth: &Growth<'_>, act: impl FnOnce() -> T) -> T {
    let (going_on, ended) = channel::<()>();
    let over = &AtomicBool::new(false);
    std::thread::scope(|scope| {
        let watch = move || {
            let (mut rest, mut whole) = (REST, None);
            while ended.recv_timeout(rest) == Err(RecvTimeoutError::Timeout) {
                let began = Instant::now();
                let whole = *whole.get_or_insert_with(|| (growth.whole)(over));
                let now = (growth.now)(over);
                // What was broken off is too small.
                if over.load(Ordering::Relaxed) {
                    break;
                }
                progress.report(now, whole);
                rest = REST.max(began.elapsed() * SHARE);
            }
        };
        // Without a thread to spare it goes untold.
        let _ = std::thread::Builder::new().name("progress".into()).spawn_scoped(scope, watch);
        let done = act();
        over.store(true, Ordering::Relaxed);
        drop(going_on);
        done
    })
}

/// The bytes on the disk of a file or a tree, as far as it can be read at this moment, and not
/// deeper than [`DEEPEST`]; fewer once it is `over`.
pub fn allocated(path: &Path, over: &AtomicBool) -> u64 {
    let Ok(meta) = std::fs::symlink_metadata(path) else { return 0 };
    let mut blocks = meta.blocks();
    let mut dirs = if meta.is_dir() { vec![(path.to_owned(), 1)] } else { Vec::new() };
    while let Some((dir, depth)) = dirs.pop() {
        for entry in std::fs::read_dir(dir).into_iter().flatten().flatten() {
            if over.load(Ordering::Relaxed) {
                return blocks * 512;
            }
            // Of a link itself.
            let Ok(meta) = entry.metadata() else { continue };
            blocks += meta.blocks();
            if meta.is_dir() && depth < DEEPEST {
                dirs.push((entry.path(), depth + 1));
            }
        }
    }
    blocks * 512
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Mutex;
    use std::sync::atomic::AtomicU64;

    #[derive(Default)]
    struct Told(Mutex<Vec<(u64, Option<u64>)>>, Mutex<Option<std::sync::mpsc::Sender<()>>>);

    impl Progress for Told {
        fn report(&self, done: u64, total: Option<u64>) {
            self.0.lock().unwrap().push((done, total));
            drop(self.1.lock().unwrap().take());
        }

        fn is_wanted(&self) -> bool {
            true
        }
    }

    #[test]
    fn what_takes_long_is_told_and_what_is_done_at_once_is_not_even_looked_at() {
        let looked = AtomicU64::new(0);
        let now = |_: &AtomicBool| looked.fetch_add(1, Ordering::Relaxed) + 7;
        let growth = Growth { now: &now, whole: &|_| Some(9) };
        let told = Told::default();
        assert_eq!(telling(&told, &growth, || 3), 3);
        assert!(told.0.lock().unwrap().is_empty() && looked.load(Ordering::Relaxed) == 0);
        let (going_on, heard) = channel();
        let told = Told(Mutex::default(), Mutex::new(Some(going_on)));
        assert!(telling(&told, &growth, || heard.recv().is_err()), "it was told");
        assert_eq!(told.0.lock().unwrap()[0], (7, Some(9)));
    }

    #[test]
    fn a_tree_is_measured_as_it_is() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("sub")).unwrap();
        std::fs::write(dir.path().join("sub/file"), [7; 70_000]).unwrap();
        std::os::unix::fs::symlink("/usr", dir.path().join("link")).unwrap();
        let over = AtomicBool::new(false);
        let is = allocated(dir.path(), &over);
        assert!((70_000..200_000).contains(&is), "{is}");
        assert_eq!(allocated(&dir.path().join("none"), &over), 0);
        over.store(true, Ordering::Relaxed);
        assert!(allocated(dir.path(), &over) < 70_000);
    }

    #[test]
    fn a_look_that_takes_long_is_broken_off_when_all_is_done() {
        let (looking, looks) = channel();
        let looking = Mutex::new(looking);
        let now = |over: &AtomicBool| {
            let _ = looking.lock().unwrap().send(());
            while !over.load(Ordering::Relaxed) {
                std::thread::yield_now();
            }
            7
        };
        let told = Told::default();
        let growth = Growth { now: &now, whole: &|_| None };
        assert!(telling(&told, &growth, || looks.recv().is_ok()));
        assert!(told.0.lock().unwrap().is_empty(), "what was broken off was told");
    }
}
