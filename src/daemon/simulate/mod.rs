//! The shipped keeper on a simulated machine: a disk in memory, a clock that jumps from one thing
//! to do to the next, and a power switch. What it drives is the code that runs in production; only
//! the world around it is made up.

mod machine;
mod oracle;
mod store;
mod sweep;
mod whim;

pub use machine::{Machine, Moment};
pub use oracle::{Oracle, Violation};
pub use store::{Memory, OnDisk, Store};
pub use sweep::{Report, SweepError, sweep};
