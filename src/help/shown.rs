//! A topic as it is read: in a terminal, or as a manual page.

use super::document::read;
use super::topics::Topic;
use super::{roff, terminal};

impl Topic {
    /// For a terminal; `program` is whose help it is.
    pub fn shown(&self, program: &str) -> String {
        terminal::text(&read(self.source()), program)
    }

    /// The manual page.
    pub fn page(&self) -> String {
        roff::page(self, &read(self.source()))
    }
}
