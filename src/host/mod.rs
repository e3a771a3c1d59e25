//! Small services of the operating system, each the only one of its kind: the clock, the only
//! spawn, locks, systemd. This room knows no other room.

mod layout;
pub mod mounts;
pub mod sys;
