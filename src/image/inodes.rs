//! Numbers for paths, as the kernel wants them: the same as long as it remembers one.

use std::collections::HashMap;

/// The top's, by the FUSE protocol.
pub(super) const ROOT: u64 = 1;

#[derive(Debug)]
pub(super) struct Inodes {
    paths: HashMap<u64, (Vec<u8>, u64)>,
    numbers: HashMap<Vec<u8>, u64>,
    next: u64,
}

impl Inodes {
    pub(super) fn new() -> Self {
        let paths = HashMap::from([(ROOT, (Vec::new(), 1))]);
        Self { paths, numbers: HashMap::from([(Vec::new(), ROOT)]), next: ROOT + 1 }
    }

    pub(super) fn path(&self, number: u64) -> Option<Vec<u8>> {
        self.paths.get(&number).map(|(path, _)| path.clone())
    }

    /// The number of a path that the kernel looked up once more.
    pub(super) fn remember(&mut self, path: Vec<u8>) -> u64 {
        let number = *self.numbers.entry(path.clone()).or_insert_with(|| {
            self.next += 1;
            self.next - 1
        });
        self.paths.entry(number).or_insert((path, 0)).1 += 1;
        number
    }

    /// The kernel forgets so many look-ups.
    pub(super) fn forget(&mut self, number: u64, times: u64) {
        let Some((path, count)) = self.paths.get_mut(&number).filter(|_| number != ROOT) else {
            return;
        };
        *count = count.saturating_sub(times);
        if *count == 0 {
            self.numbers.remove(path);
            self.paths.remove(&number);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_means_one_path_until_it_is_forgotten_as_often_as_it_was_asked() {
        let mut inodes = Inodes::new();
        let number = inodes.remember(b"vda/p1".to_vec());
        assert_eq!(inodes.remember(b"vda/p1".to_vec()), number);
        inodes.forget(number, 1);
        assert_eq!(inodes.path(number).as_deref(), Some(&b"vda/p1"[..]));
        inodes.forget(number, 1);
        assert_eq!(inodes.path(number), None);
        assert_ne!(inodes.remember(b"vda/p1".to_vec()), number);
        inodes.forget(ROOT, 9);
        assert_eq!(inodes.path(ROOT), Some(Vec::new()));
    }
}
