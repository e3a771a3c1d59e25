//! heptad: daily snapshots of this host's disks, the latest seven kept.

pub mod api;
pub mod backend;
pub mod catalogue;
pub mod config;
pub mod ctl;
pub mod daemon;
pub mod demo;
pub mod domain;
pub mod host;
