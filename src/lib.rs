//! heptad: daily snapshots of this host's instances, disks and databases, the latest seven kept.
//!
//! README.md is for users; this page is the map for those who read the source.
//!
//! # Rooms
//!
//! | room | what it is for |
//! |---|---|
//! | [`domain`] | everything that decides: policies, slots, rotation, the keeper, recovery. Pure: no clock, no I/O, no logging |
//! | [`backend`] | everything that snapshots: one port with facets, one folder per technology |
//! | [`store`] | a directory of snapshots: how one grows, is listed, judged, exchanged and removed |
//! | [`image`] | the files in disk images, read by a helper that can do no harm |
//! | [`browse`] | looking into a snapshot's files: one directory, one file, two trees side by side |
//! | [`fs`] | file systems: trees, subvolumes, what they occupy, and how an act on them fails |
//! | [`catalogue`] | what heptad knows, in SQLite; intents are durable there before their acts start |
//! | [`config`] | files and environment to checked meaning, with all findings at once |
//! | [`host`] | the operating system: the only clock, the only spawn, the only `unsafe` |
//! | [`api`] | the control socket: wire types, routes, roles, server and client |
//! | [`ctl`] | heptactl: arguments, rendering, exit codes |
//! | [`daemon`] | the only room that sees all others: boot, the driver's loop, workers, hooks, housekeeping |
//! | [`help`] | what both programs say about themselves: groups, examples, topics, manual pages |
//! | [`demo`] | a visitor that starts the daemon on scratch directories and drives it as a user would |
//!
//! # Arrows
//!
//! `bin → daemon, ctl, demo`; `daemon` sees all rooms but `ctl` and `demo`; `api → domain, host`;
//! `backend → store, image, browse, fs`; `image → browse, fs`; `store → fs`; `browse → fs`, and all
//! of these `→ domain, host`; `catalogue, config, help → domain`; `ctl → api`; `domain` and
//! `host → nothing`. Backends know neither the catalogue nor each other. A test holds
//! the arrows.
//!
//! # One turn
//!
//! Events (a slot is due, a request, a worker is done) reach one loop. It hands them to
//! [`Keeper::handle`](domain::keeper::Keeper::handle), commits all that changed in one transaction,
//! and only then lets workers begin what the keeper wants. An ordinary morning, a retry and the
//! recovery from a crash are this same piece of code.
//!
//! # Invariants
//!
//! I1 a deletion by heptad itself is paid by newer complete snapshots, seen in the same pass · I2
//! nothing is destroyed that heptad did not make · I3 manual, kept, copied and used ones, and those
//! of resources that disappeared, are left alone · I4 doubt stops rotation · I5 complete means
//! durable · I6 every slot has an outcome · I7 one snapshot per slot · I8 no deletion reads the
//! wall clock · I9 the catalogue can be rebuilt from the snapshots · I10 sequence numbers are never
//! reused, and order is by them alone · I11 recovery converges in one pass · I12 a restore never
//! replaces anything; a rollback does, after a snapshot of what was · I13 a stuck backend delays
//! only its pool · I14 a failed write stops changes, never looking · I15 a request can do only what
//! its peer's role allows.
//!
//! README.md names a test for each.

// What is `pub` is what another crate may see; the rest says so.
#![warn(unreachable_pub)]

pub mod api;
pub mod backend;
pub mod browse;
pub mod catalogue;
pub mod config;
pub mod ctl;
pub mod daemon;
pub mod demo;
pub mod domain;
pub mod fs;
pub mod help;
pub mod host;
pub mod image;
pub mod store;
