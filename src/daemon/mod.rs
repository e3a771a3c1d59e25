//! The imperative shell: boot, the driver's loop, workers, the service. The only room that sees all
//! others. It decides nothing: what to do comes from the keeper, and it is done here.

mod allowed;
mod asking;
mod bindings;
pub mod boot;
pub mod check;
pub mod cli;
mod create;
mod declare;
mod driver;
pub mod engine;
pub mod enroll;
pub mod error;
mod full;
pub mod hooks;
mod housekeeping;
mod inbox;
mod inspect;
mod journal;
mod leases;
mod looking;
mod manual;
mod mounted;
mod opening;
pub mod perform;
mod places;
mod protect;
mod reading;
pub mod rebuild;
mod registrar;
mod service;
mod setup;
pub mod simulate;
mod way_out;
mod workers;
