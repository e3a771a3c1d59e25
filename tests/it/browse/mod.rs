//! Files out of snapshots of real file systems, through the real daemon.

mod comparing;
mod getting;
mod mounting;
mod refusing;
mod scene;
mod seeing;
