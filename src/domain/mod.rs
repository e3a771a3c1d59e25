//! Everything that *decides*. Pure: no clock, no files, no threads, no logging, no serde; instants
//! come in as arguments and what shall happen goes out as data. This room knows no other room,
//! only date-and-time types.

pub mod account;
pub mod agenda;
pub mod alarm;
pub mod clock;
pub mod cron;
pub mod dating;
pub mod days;
pub mod denied;
pub mod event;
pub mod fee;
pub mod forecast;
pub mod id;
pub mod keeper;
pub mod key;
pub mod ledger;
pub mod marking;
pub mod name;
pub mod new_resource;
pub mod operation;
pub mod order;
pub mod pace;
pub mod payment;
pub mod plan;
pub mod policy;
pub mod protect;
pub mod recovery;
pub mod repeat;
pub mod report;
pub mod request;
pub mod resource;
pub mod rotation;
#[cfg(test)]
pub mod sample;
pub mod schedule;
pub mod sentence;
pub mod setting;
pub mod similar;
pub mod slot;
pub mod slot_record;
pub mod snapshot;
pub mod sound;
pub mod survey;
pub mod suspicion;
pub mod tag;
pub mod timeline;
pub mod told;
pub mod tree;
pub mod unfinished;
pub mod usage;
pub mod view;
