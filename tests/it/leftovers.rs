//! What the tests' own tools promise: a test leaves no mount behind, however it ends.

use crate::support::loopfs::{LoopFs, Mounted};
use heptad::host::mounts::Mounts;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Set in the process that is killed.
const VICTIM: &str = "HEPTAD_TEST_VICTIM";

/// Waits for the kernel to say that the table of mounts has changed, until `gone` is.
fn wait_until_unmounted(gone: &Path) {
    let table = File::open("/proc/self/mountinfo").unwrap();
    let mounted = || Mounts::read().unwrap().below(Path::new("/")).any(|m| m.point == gone);
    while mounted() {
        let mut fds = [PollFd::new(&table, PollFlags::PRI)];
        let deadline = Timespec { tv_sec: 20, tv_nsec: 0 };
        assert_ne!(poll(&mut fds, Some(&deadline)).unwrap(), 0, "{} stays", gone.display());
    }
}

#[test]
fn what_a_test_has_mounted_goes_with_it_even_if_it_is_killed() {
    if std::env::var_os(VICTIM).is_some() {
        let fs = LoopFs::new("ext4", 16);
        let inner = fs.path().join("lost+found");
        let _inner = Mounted::tmpfs(&inner);
        writeln!(std::io::stdout(), "\nmounted {}", inner.display()).unwrap();
        // Until it is killed, or whoever should do so is gone.
        std::io::stdin().lines().for_each(drop);
        return;
    }
    let this = "leftovers::what_a_test_has_mounted_goes_with_it_even_if_it_is_killed";
    let mut victim = Command::new(std::env::current_exe().unwrap());
    victim.args([this, "--exact", "--nocapture"]).env(VICTIM, "1");
    let mut victim = victim.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let lines = BufReader::new(victim.stdout.take().unwrap()).lines();
    let inner =
        lines.map_while(Result::ok).find_map(|l| l.strip_prefix("mounted ").map(PathBuf::from));
    let inner = inner.unwrap();
    victim.kill().unwrap();
    victim.wait().unwrap();
    wait_until_unmounted(&inner);
    wait_until_unmounted(inner.parent().unwrap());
}
