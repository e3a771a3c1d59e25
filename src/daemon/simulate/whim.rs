//! Whether a simulated act is wanted still: asked for away, it stops at its first question, at its
//! second, or not in time, by its number, so that each is replayed exactly.

use super::super::create::CreateContext;
use crate::backend::Image;
use crate::domain::name::ResourceName;
use crate::domain::order::Order;
use crate::domain::resource::Resource;
use crate::fs::Progress;
use std::sync::atomic::{AtomicU64, Ordering};

pub(super) struct Whim {
    /// How often the answer is yes.
    left: AtomicU64,
}

impl Whim {
    pub(super) fn of(order: &Order, halted: bool) -> Self {
        let left = match (order.wanted, halted) {
            (false, _) => 0,
            (true, true) => order.operation.0 % 3,
            (true, false) => u64::MAX,
        };
        Self { left: AtomicU64::new(left) }
    }
}

impl Progress for Whim {
    fn report(&self, _done: u64, _total: Option<u64>) {}

    fn is_wanted(&self) -> bool {
        let one_less = |left: u64| left.checked_sub(1);
        self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_less).is_ok()
    }
}

impl CreateContext for Whim {
    fn may_enroll(&self, _derived: &Resource) -> Result<(), String> {
        Ok(())
    }

    fn enroll(&self, _derived: &Resource) -> Result<(), String> {
        Ok(())
    }

    fn image(&self, _disk: &ResourceName) -> Option<Image> {
        None
    }
}
