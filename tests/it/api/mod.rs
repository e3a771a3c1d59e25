//! The control interface over a real socket, before a daemon that is played.

mod bounds;
mod caller;
mod client;
mod events;
mod heavy;
mod keys;
mod ledger;
mod looks;
mod roles;
mod socket;
mod starved;
mod strict;
mod stub;
