//! The programs as a user has them: `heptad` and `heptactl` as processes of their own, on real
//! file systems. Time is a file that the tests move; nothing here knows the daemon's inside.

mod cancelling;
mod disk;
mod document;
mod faults;
mod hooks;
pub mod host;
mod lives;
mod making;
mod mending;
mod mounting;
mod nine_days;
mod people;
mod places;
mod plugin;
mod protecting;
mod put_back;
mod ready;
mod rebuild;
mod reload;
mod service;
mod starved;
mod times;
mod zones;
