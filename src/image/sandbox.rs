//! Giving up everything that reading an image does not need.

use nix::libc;
use rustix::process::{Resource, Rlimit, setrlimit};
use seccompiler::{BpfProgram, SeccompAction, SeccompFilter, apply_filter_all_threads};
use std::io::{Error, Result};

/// Bytes of memory, of which fuser takes 16 MiB for requests.
const MEMORY: u64 = 2 << 30;

/// All that is left: reading and writing what is open, memory, time, locks and the end. Nothing can
/// be opened, started, sent or connected to any more.
const ALLOWED: &[libc::c_long] = &[
    libc::SYS_read,
    libc::SYS_readv,
    libc::SYS_pread64,
    libc::SYS_preadv,
    libc::SYS_write,
    libc::SYS_writev,
    libc::SYS_lseek,
    libc::SYS_fstat,
    libc::SYS_statx,
    libc::SYS_close,
    libc::SYS_mmap,
    libc::SYS_munmap,
    libc::SYS_mremap,
    libc::SYS_mprotect,
    libc::SYS_madvise,
    libc::SYS_brk,
    libc::SYS_futex,
    libc::SYS_sched_yield,
    libc::SYS_clock_gettime,
    libc::SYS_setitimer,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_alarm,
    libc::SYS_getrandom,
    libc::SYS_gettid,
    libc::SYS_rt_sigreturn,
    libc::SYS_rt_sigprocmask,
    libc::SYS_sigaltstack,
    libc::SYS_exit,
    libc::SYS_exit_group,
];

/// For all threads of this process, and for good.
pub(super) fn enter() -> Result<()> {
    let none = Rlimit { current: Some(0), maximum: Some(0) };
    let memory = Rlimit { current: Some(MEMORY), maximum: Some(MEMORY) };
    for (what, limit) in [(Resource::Core, none), (Resource::Fsize, none), (Resource::As, memory)] {
        // As well as it can be done: the unit's own filter forbids it, and limits all of heptad.
        let _ = setrlimit(what, limit);
    }
    let rules = ALLOWED.iter().map(|call| (*call, Vec::new())).collect();
    // A refused call fails as on a kernel that does not know it; a library that tried it can go on.
    let refused = SeccompAction::Errno(libc::EPERM.unsigned_abs());
    let arch = std::env::consts::ARCH.try_into().map_err(Error::other)?;
    let filter = SeccompFilter::new(rules, refused, SeccompAction::Allow, arch);
    let program: BpfProgram = filter.map_err(Error::other)?.try_into().map_err(Error::other)?;
    apply_filter_all_threads(&program).map_err(Error::other)
}
