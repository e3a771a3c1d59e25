//! Small services of the operating system, each the only one of its kind: the clock, the only
//! spawn, locks, systemd. This room knows no other room.

pub mod clock;
pub mod drop_in;
pub mod durable;
pub mod fd_passing;
pub mod fstab;
pub mod helper;
pub mod holders;
pub mod kernel_users;
pub mod listeners;
pub mod lock;
pub mod logging;
pub mod mounts;
pub mod privileges;
pub mod process;
pub mod sharers;
pub mod signals;
pub mod sys;
pub mod systemd;
pub mod trust;
pub mod unit;
