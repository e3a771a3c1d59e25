//! Answers as text for people: pure functions from wire types to a [`Page`].
//!
//! This room must not know the socket, the arguments or the terminal: width, marks and the
//! present come in with a [`View`], and whether there is colour is settled when a page is printed.

mod fee;
mod finding;
mod forecast;
mod marks;
mod operation;
mod page;
mod plan;
mod resource;
mod schedule;
mod slot;
mod snapshot;
mod status;
mod table;
mod tags;
pub mod text;
mod time;
mod tree;
pub mod units;
mod watch;

pub use fee::fees;
pub use finding::{check, findings, reloaded};
pub use forecast::forecasts;
pub use marks::Marks;
use operation::progress;
pub use operation::{ending, operation, operations, pace, state_word, title, troubles};
pub use page::{Page, Span, Tone};
pub use plan::{blueprints, plans};
pub use resource::detail;
pub use schedule::schedule;
pub use slot::slots;
pub use snapshot::{gone, snapshot, snapshots};
pub use status::{alarmed, glance, status};
pub use table::{Align, Table};
pub use tags::{tags_of_resource, tags_of_snapshot};
pub use time::{relative, wall, zone};
pub use tree::{differences, listing, mounts};
pub use watch::Watched;

use jiff::Timestamp;
use jiff::tz::TimeZone;

/// What a rendering needs beside the answer.
#[derive(Clone, Debug)]
pub struct View {
    /// Columns; none where there is no terminal to fit.
    pub width: Option<usize>,
    pub marks: Marks,
    pub now: Timestamp,
    /// In which times are shown: that of whoever looks.
    pub zone: TimeZone,
}

impl View {
    pub fn page(&self) -> Page {
        Page::new(self.width)
    }

    /// The same at another time, where the answer says what time it is for the daemon.
    #[must_use]
    pub fn at(&self, now: Timestamp) -> Self {
        Self { now, ..self.clone() }
    }
}
