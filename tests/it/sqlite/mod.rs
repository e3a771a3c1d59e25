//! The `sqlite` backend on real databases, with real writers in other processes.

mod apart;
mod back;
pub mod bench;
mod busy;
mod hostile;
mod owners;
pub mod packed;
mod same;
mod stopped;
mod telling;
